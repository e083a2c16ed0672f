/*
 * failure.c
 *	  A record of runs that failed.
 *
 * What a failed run leaves in its own transaction is rolled back with it.  So
 * the session hands the facts to a background worker, which writes a row of
 * influence_failure in a transaction of its own, and goes on with its error
 * at once: it waits for nothing.
 *
 *	session		puts a Failure into a dynamic shared memory segment, pins
 *				that, so that it stays if the session ends, and registers
 *				the worker
 *	worker		copies it, unpins the segment (which is gone then), connects
 *				to the database, waits for whoever drops the model or records
 *				another failure of it, writes
 *
 * It is an attempt.  Nothing is recorded where no worker can be had (see
 * max_worker_processes), where the session itself is terminated or killed, or
 * where the server stops; the error reaches the caller in any case, unchanged.
 * If the worker cannot even be forked the segment, of one page, stays until
 * the server stops.
 *
 * Security.  A run is recorded once it has found its model and what it writes
 * to, so only roles that may write the model's tables cause a record.  The
 * worker executes no code of users: it connects as the bootstrap superuser,
 * which no limit of connections and no missing privilege to log in keeps out,
 * and writes as the owner of the extension's tables by fixed statements.  The
 * message of an error may quote data, so the view influence_runs shows it to
 * the owner of the model only.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "failure.h"

/* Records that are kept of each model: the latest. */
#define KEPT			100

/* What failure_lock locks, of the table of scores. */
#define LOCK_FAILURES	1

/* How long the worker waits for any lock. */
#define LOCK_TIMEOUT_	"10s"

/* What a worker needs to know. */
typedef struct Failure
{
	Oid			database;
	Oid			schema;			/* of the extension */
	Oid			scores;			/* tells the model from a later namesake */
	char		model[NAMEDATALEN];
	char		mode[16];
	TimestampTz started_at;
	TimestampTz finished_at;
	TimestampTz as_of;
	int			sqlstate;
	char		message[1024];	/* in the encoding of the database */
} Failure;

PGDLLEXPORT void influence_failure_main(Datum handle);

/*
 * Lock the failures of a model to the end of the transaction: whoever drops
 * the model leaves none behind, and two that are recorded at the same time get
 * different numbers.
 */
static void
lock_failures(Oid scores)
{
	LockDatabaseObject(RelationRelationId, scores, LOCK_FAILURES, ExclusiveLock);
}

void
failure_lock(const Model *model)
{
	lock_failures(model->scores);
}

/* --- in the session ------------------------------------------------------ */

static void
copy_text(char *to, size_t size, const char *from)
{
	int			length = pg_mbcliplen(from, strlen(from), size - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

/* Start the worker for a failure.  False if there is no room for it. */
static bool
start_worker(const Failure *failure)
{
	BackgroundWorker worker = {0};
	dsm_segment *seg = dsm_create(sizeof(Failure), DSM_CREATE_NULL_IF_MAXSEGMENTS);
	bool		started;

	if (seg == NULL)
		return false;
	memcpy(dsm_segment_address(seg), failure, sizeof(Failure));
	strlcpy(worker.bgw_name, "influence: record of a failed refresh", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "influence", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "influence", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "influence_failure_main", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(seg));
	dsm_pin_segment(seg);
	started = RegisterDynamicBackgroundWorker(&worker, NULL);
	if (!started)
		dsm_unpin_segment(dsm_segment_handle(seg));
	dsm_detach(seg);
	return started;
}

/*
 * Let it be recorded that a run of a model failed with an error.  The
 * (sub)transaction that the run was is rolled back.  Raises no error.
 */
void
failure_record(const Catalog *catalog, const Model *model, const Run *run, const ErrorData *error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool started = false;
	Failure		failure = {0};

	if (ProcDiePending)
		return;
	failure.database = MyDatabaseId;
	failure.schema = catalog->schema;
	failure.scores = model->scores;
	strlcpy(failure.model, model->name, sizeof(failure.model));
	strlcpy(failure.mode, run->mode, sizeof(failure.mode));
	failure.started_at = run->started_at;
	failure.finished_at = GetCurrentTimestamp();
	failure.as_of = run->as_of;
	failure.sqlstate = error->sqlerrcode;
	copy_text(failure.message, sizeof(failure.message), error->message ? error->message : "");

	/* what fails now is not to hide the error there is */
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		started = start_worker(&failure);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (!started)
		ereport(LOG,
				(errmsg("could not record that a refresh of model \"%s\" failed", model->name),
				 errhint("It needs a background worker: consider raising max_worker_processes.")));
}

/* --- in the worker ------------------------------------------------------- */

/* Write the record, if the model is still there, and let go of the oldest. */
static void
write_record(const Catalog *catalog, const Failure *failure)
{
	bool		cancelled = failure->sqlstate == ERRCODE_QUERY_CANCELED;
	Oid			type[] = {
		TEXTOID, OIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID
	};
	Datum		value[] = {
		CStringGetTextDatum(failure->model), ObjectIdGetDatum(failure->scores),
		CStringGetTextDatum(failure->mode), TimestampTzGetDatum(failure->started_at),
		TimestampTzGetDatum(failure->finished_at), TimestampTzGetDatum(failure->as_of),
		CStringGetTextDatum(cancelled ? "cancelled" : "failed"),
		CStringGetTextDatum(psprintf("%s: %s", unpack_sql_state(failure->sqlstate), failure->message))
	};

	spi_begin();
	catalog_execute(catalog, false,
					psprintf("INSERT INTO %s (model, failure, mode, started_at, finished_at, as_of, status, error)"
							 " SELECT $1, 1 OPERATOR(pg_catalog.+) coalesce((SELECT pg_catalog.max(f.failure) FROM %s f"
							 " WHERE f.model OPERATOR(pg_catalog.=) $1), 0), $3, $4, $5, $6, $7, $8 FROM %s m"
							 " WHERE m.name OPERATOR(pg_catalog.=) $1 AND m.scores::pg_catalog.oid OPERATOR(pg_catalog.=) $2",
							 catalog->failure_name, catalog->failure_name, catalog->model_name),
					8, type, value, NULL);
	catalog_execute(catalog, false,
					psprintf("DELETE FROM %s WHERE model OPERATOR(pg_catalog.=) $1"
							 " AND failure OPERATOR(pg_catalog.<=) (SELECT pg_catalog.max(f.failure) OPERATOR(pg_catalog.-) %d"
							 " FROM %s f WHERE f.model OPERATOR(pg_catalog.=) $1)",
							 catalog->failure_name, KEPT, catalog->failure_name),
					1, type, value, NULL);
	spi_end();
}

/* The worker's life; handle is that of the segment with the Failure. */
void
influence_failure_main(Datum handle)
{
	ResourceOwner owner;
	dsm_segment *seg;
	Failure		failure;
	Oid			model;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	owner = CurrentResourceOwner = ResourceOwnerCreate(NULL, "influence failure");
	seg = dsm_attach(DatumGetUInt32(handle));
	if (seg == NULL)
		return;
	memcpy(&failure, dsm_segment_address(seg), sizeof(Failure));
	dsm_unpin_segment(dsm_segment_handle(seg));
	dsm_detach(seg);
	CurrentResourceOwner = NULL;
	ResourceOwnerDelete(owner);

	BackgroundWorkerInitializeConnectionByOid(failure.database, InvalidOid, 0);
	/* what the database is set to must not keep the record back, or wait */
	SetConfigOption("lock_timeout", LOCK_TIMEOUT_, PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "recording a failed refresh");
	/*
	 * First what the statements come to second: DROP EXTENSION locks tables in
	 * this order.
	 */
	model = get_relname_relid("influence_model", failure.schema);
	if (OidIsValid(model))
		LockRelationOid(model, AccessShareLock);
	lock_failures(failure.scores);
	/* a model that is new is there when its transaction commits, if it does */
	if (OidIsValid(get_relname_relid("influence_failure", failure.schema)))
	{
		Catalog		catalog = catalog_open_schema(failure.schema);

		PushActiveSnapshot(GetTransactionSnapshot());
		write_record(&catalog, &failure);
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, NULL);
}
