/*
 * run.c
 *	  influence_refresh and influence_rescale: runs, and their record.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "failure.h"
#include "increment.h"
#include "locks.h"
#include "publish.h"
#include "queue.h"
#include "refresh.h"
#include "retain.h"
#include "scales.h"
#include "track.h"

PG_FUNCTION_INFO_V1(influence_refresh);
PG_FUNCTION_INFO_V1(influence_rescale);

/* The columns of influence_run, in order. */
#define RUN_COLUMNS	27

/* How a model is to be refreshed. */
typedef enum RefreshMode
{
	MODE_AUTO,
	MODE_FULL,
	MODE_INCREMENTAL,
	MODE_RESCALE				/* full, and the scale is taken anew */
} RefreshMode;

/* The models that this session is running, innermost first. */
typedef struct Running
{
	Oid			scores;
	struct Running *outer;
} Running;

static Running *running = NULL;

/* Raise an error if this session is refreshing a model already. */
static void
check_not_running(const Model *model)
{
	for (Running *r = running; r; r = r->outer)
		if (r->scores == model->scores)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("model \"%s\" is being refreshed by this session", model->name),
					 errdetail("Its interactions or a trigger of its tables call influence_refresh.")));
}

/* Warn that changes of a tracked model are not all captured. */
static void
warn_of_gaps(const Model *model, const char *problem)
{
	ereport(WARNING,
			(errmsg("changes of the interactions of model \"%s\" are not all captured",
					model->name),
			 errdetail_internal("%s", problem),
			 errhint("Have them captured by influence_track.")));
}

/* Refresh a model in a way that was asked for, as far as it is possible. */
static void
refresh_as_asked(const Catalog *catalog, Model *model, RefreshMode how, Run *run)
{
	bool		tracked = OidIsValid(model->queue);
	char	   *problem = NULL;
	const char *obstacle = "Its changes are not captured.";
	uint64		basis = 0;
	uint64		changes = 0;
	bool		done = false;

	if (tracked)
	{
		basis = track_basis(catalog, model, &problem);
		if (how == MODE_AUTO || how == MODE_INCREMENTAL)
			obstacle = increment_obstacle(model, run->as_of, basis, &changes);
	}
	if (how == MODE_INCREMENTAL && obstacle)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" cannot be refreshed incrementally", model->name),
				 errdetail_internal("%s", obstacle),
				 tracked ? errhint("Use mode \"auto\" or \"full\".") :
				 errhint("Have changes captured by influence_track, or use mode \"auto\" or \"full\".")));
	if (how == MODE_INCREMENTAL ||
		(how == MODE_AUTO && obstacle == NULL && increment_pays(model, changes)))
	{
		run->mode = "incremental";
		done = refresh_incrementally(model, changes, how == MODE_INCREMENTAL, run);
	}
	if (!done)
	{
		run->mode = how == MODE_RESCALE ? "rescale" : "full";
		refresh(model, how == MODE_RESCALE, run);
	}
	if (tracked)
	{
		/* all of it is in what was read */
		QueueRest	rest = queue_take(model, GetActiveSnapshot(), run->as_of);

		/* of the future, what was left out must be what the queue still has */
		if (run->skipped_future != (done ? rest.rows : rest.sum))
			basis = 0;
		if (problem)
			warn_of_gaps(model, problem);
	}
	/* what triggers found meanwhile, they did not compare with this basis */
	if (basis != 0 && !track_same_tables(catalog, model, basis))
		basis = 0;
	model->basis = basis;
}

/*
 * Refresh a model, in a subtransaction: if it fails, all that it holds has
 * been let go of when that is recorded and the error goes its way.
 */
static void
refresh_or_record(const Catalog *catalog, Model *model, RefreshMode how, Run *run)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Running		this = {model->scores, running};

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	running = &this;
	PG_TRY();
	{
		refresh_as_asked(catalog, model, how, run);
		retain_history(model, run->as_of);
		CHECK_FOR_INTERRUPTS();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		running = this.outer;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		failure_record(catalog, model, run, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	running = this.outer;
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* Run a model, record that, and return the row of influence_run. */
static Datum
run_model(FunctionCallInfo fcinfo, const char *name, RefreshMode how, TimestampTz as_of)
{
	Catalog		catalog = catalog_open(fcinfo);
	Model	   *model;
	Run			run = {0};
	Oid			type[RUN_COLUMNS];
	Datum		value[RUN_COLUMNS];
	bool		isnull[RUN_COLUMNS] = {false};
	StringInfoData command;
	TupleDesc	desc;
	int			i = 0;

	PreventCommandIfReadOnly("influence_refresh()");
	PreventCommandIfParallelMode("influence_refresh()");
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != RUN_COLUMNS)
		elog(ERROR, "return type must be influence_run");
	desc = BlessTupleDesc(desc);

	run.started_at = GetCurrentTimestamp();
	run.mode = how == MODE_INCREMENTAL ? "incremental" : how == MODE_RESCALE ? "rescale" : "full";
	run.as_of = as_of;
	model = model_find(&catalog, name, true);
	check_not_running(model);
	publish_check(model);
	if (OidIsValid(model->queue))
		queue_check(model);
	run.run = model->runs + 1;
	if (model->network || model->topic)
		model->scales = scales_read(&catalog, model->name);
	locks_take(model);

	/*
	 * Whoever had the lock before may have committed just now: read what is
	 * there now.  (Under repeatable read this is the transaction's snapshot,
	 * and the lock was not to be had if the model was refreshed since.)
	 */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	refresh_or_record(&catalog, model, how, &run);
	PopActiveSnapshot();
	run.finished_at = GetCurrentTimestamp();

#define ADD(t, v)	(type[i] = (t), value[i++] = (v))
	ADD(INT8OID, Int64GetDatum(run.run));
	ADD(TEXTOID, CStringGetTextDatum(model->name));
	ADD(TEXTOID, CStringGetTextDatum(run.mode));
	ADD(TIMESTAMPTZOID, TimestampTzGetDatum(run.started_at));
	ADD(TIMESTAMPTZOID, TimestampTzGetDatum(run.finished_at));
	ADD(TIMESTAMPTZOID, TimestampTzGetDatum(run.as_of));
	ADD(INT8OID, Int64GetDatum(run.interactions));
	ADD(INT8OID, Int64GetDatum(run.skipped_null + run.skipped_self +
							   run.skipped_zero + run.skipped_future +
							   run.skipped_forgotten));
	ADD(INT8OID, Int64GetDatum(run.skipped_null));
	ADD(INT8OID, Int64GetDatum(run.skipped_self));
	ADD(INT8OID, Int64GetDatum(run.skipped_zero));
	ADD(INT8OID, Int64GetDatum(run.skipped_future));
	ADD(INT8OID, Int64GetDatum(run.skipped_forgotten));
	ADD(INT8OID, Int64GetDatum(run.nodes));
	ADD(INT8OID, Int64GetDatum(run.edges));
	ADD(INT4OID, Int32GetDatum(run.iterations));
	ADD(FLOAT8OID, Float8GetDatum(run.residual));
	ADD(FLOAT8OID, Float8GetDatum(run.error_bound));
	ADD(BOOLOID, BoolGetDatum(run.converged));
	ADD(INT8OID, Int64GetDatum(run.changed));
	ADD(INT8OID, Int64GetDatum(run.peak_memory));
	ADD(INT4OID, Int32GetDatum(run.workers));
	ADD(FLOAT8OID, Float8GetDatum(run.read_ms));
	ADD(FLOAT8OID, Float8GetDatum(run.build_ms));
	ADD(FLOAT8OID, Float8GetDatum(run.rank_ms));
	ADD(FLOAT8OID, Float8GetDatum(run.score_ms));
	ADD(FLOAT8OID, Float8GetDatum(run.publish_ms));
#undef ADD
	Assert(i == RUN_COLUMNS);

	model->runs = run.run;
	model_store_run(&catalog, model);
	scales_store(&catalog, model->name, model->scales);
	initStringInfo(&command);
	appendStringInfo(&command, "INSERT INTO %s VALUES ($1", catalog.run_name);
	for (int a = 2; a <= RUN_COLUMNS; a++)
		appendStringInfo(&command, ", $%d", a);
	appendStringInfoChar(&command, ')');
	spi_begin();
	catalog_execute(&catalog, false, command.data, RUN_COLUMNS, type, value, NULL);
	spi_end();
	return HeapTupleGetDatum(heap_form_tuple(desc, value, isnull));
}

/*
 * influence_refresh(model text, mode text, as_of timestamptz) returns influence_run
 *
 * Compute a model's scores anew and publish them: from all interactions, or
 * from what has changed since the last run.  mode "auto" does what costs less
 * and is possible.  Raises an error if there is no such model, a mode is not
 * known or not possible, as_of is infinite, and whatever the stages of
 * refresh.c raise; nothing is changed then.
 */
Datum
influence_refresh(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *mode = PG_ARGISNULL(1) ? "auto" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	TimestampTz as_of = PG_ARGISNULL(2) ? GetCurrentTransactionStartTimestamp() :
		PG_GETARG_TIMESTAMPTZ(2);
	RefreshMode how;

	if (strcmp(mode, "auto") == 0)
		how = MODE_AUTO;
	else if (strcmp(mode, "full") == 0)
		how = MODE_FULL;
	else if (strcmp(mode, "incremental") == 0)
		how = MODE_INCREMENTAL;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid mode \"%s\"", mode),
				 errhint("It is \"auto\", \"full\" or \"incremental\".")));
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must be finite")));
	PG_RETURN_DATUM(run_model(fcinfo, name, how, as_of));
}

/*
 * influence_rescale(model text) returns influence_run
 *
 * Refresh a model, and take its scale from the result: the greatest influence
 * scores 100 again.  Raises an error unless the caller owns the model, and
 * the errors of influence_refresh.
 */
Datum
influence_rescale(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Catalog		catalog = catalog_open(fcinfo);

	PreventCommandIfReadOnly("influence_rescale()");
	model_check_owner(model_find(&catalog, name, true));
	PG_RETURN_DATUM(run_model(fcinfo, name, MODE_RESCALE, GetCurrentTransactionStartTimestamp()));
}
