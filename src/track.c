/*
 * track.c
 *	  influence_track and influence_untrack: having the changes of interactions
 *	  captured.
 *
 * A model that is tracked has a queue, the table <model>_queue, and triggers
 * on its interactions that note there what each statement changed (capture.c),
 * in the transaction that changes it: what is rolled back leaves nothing
 * there, and what commits late, or after a PREPARE TRANSACTION, appears there
 * when the rows themselves appear.  A refresh takes from the queue what its
 * snapshot sees (queue.c), and reads the interactions under the same one, so
 * that each change is counted once, by the one or the other.
 *
 * Statement triggers fire for the table that a statement names.  Therefore
 * partitions and children of a table have triggers of their own, which fire
 * for statements that name them, while those of the table itself capture what
 * reaches them through it.  Triggers fire always (ENABLE ALWAYS), because a
 * change is one whatever session_replication_role is.
 *
 * There are ways past triggers: tables that are attached, detached or
 * rewritten, columns replaced by others, triggers disabled.  Each refresh
 * notes a fingerprint of what the tables were under its snapshot (basis): if
 * it is another one next time, the queue does not tell all, and interactions
 * must be read anew.  It also sees whether all triggers are there.  Catalog
 * rows enter with the transaction that wrote them (xmin), so that what was
 * taken away and put back in between is not the same.
 *
 * A partition that is new and gone again between two refreshes leaves no trace
 * in the catalogs, but rows of it may be in the queue.  Therefore a trigger
 * that finds the tables different from what the last refresh saw says so in
 * the queue (capture.c).
 *
 * A queue has the types that the interactions had when it was made.  Once a
 * column has another one, rows do not fit it, and triggers can only note that
 * something has changed.  A refresh warns then, and influence_track makes the
 * queue anew: what is in the old one is lost, so that a full refresh follows.
 *
 * Triggers find their queue by the name of the model, their one argument, so
 * that a dump restores them.  They depend on the queue, lest it be dropped and
 * they stay.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "pgtime.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "forgotten.h"
#include "source.h"
#include "tables.h"
#include "track.h"

PG_FUNCTION_INFO_V1(influence_track);
PG_FUNCTION_INFO_V1(influence_untrack);

const char *const queue_column_name[QUEUE_COLUMNS] = {
	"source", "target", "weight", "at", "kind", "network", "topic"
};

/* The triggers of a table. */
static const struct
{
	const char *event;
	const char *transition;		/* tables that it is given */
	const char *suffix;			/* to the name of the model */
}			trigger[] = {
	{"INSERT", " REFERENCING NEW TABLE AS new", "queue_insert"},
	{"UPDATE", " REFERENCING OLD TABLE AS old NEW TABLE AS new", "queue_update"},
	{"DELETE", " REFERENCING OLD TABLE AS old", "queue_delete"},
	{"TRUNCATE", "", "queue_truncate"}
};

/* A table that interactions are in: theirs, a partition or a child. */
typedef struct Member
{
	Oid			relid;
	char		kind;
	char		persistence;
	bool		subscribed;		/* a subscription writes it */
	bool		complete;		/* has its triggers, all of them enabled */
	bool		part;			/* of something that has other parts */
	char	   *state;			/* what is to be the same next time */
} Member;

/* The column of the interactions that a column of the queue is taken from. */
const char *
track_column(const Model *model, QueueColumn column)
{
	const char *const name[QUEUE_COLUMNS] = {
		model->source, model->target, model->weight, model->at, model->kind,
		model->network, model->topic
	};

	return name[column];
}

/*
 * Where a column of a model, which has it, is in a table that interactions are
 * in, and in the queue.  False if one of them lacks it, or they are of different
 * types: domains over the same type fit each other.
 */
bool
track_map(const Model *model, QueueColumn column, Oid relid, AttrNumber *from, AttrNumber *to)
{
	*from = get_attnum(relid, track_column(model, column));
	*to = get_attnum(model->queue, queue_column_name[column]);
	return *from > 0 && *to > 0 &&
		getBaseType(get_atttype(relid, *from)) == getBaseType(get_atttype(model->queue, *to));
}

/* The queue's column of signs; invalid if there is none of that type. */
AttrNumber
track_sign(const Model *model)
{
	AttrNumber	attno = get_attnum(model->queue, "sign");

	return attno > 0 && get_atttype(model->queue, attno) == INT2OID ? attno : InvalidAttrNumber;
}

/*
 * Can the queue take what the interactions have?  Not if it is gone.  A column
 * that they lack themselves is for a refresh to report: it may come back.
 */
static bool
queue_fits(const Model *model)
{
	for (int c = 0; c < QUEUE_COLUMNS; c++)
	{
		AttrNumber	from,
					to;

		if (track_column(model, c) && !track_map(model, c, model->interactions, &from, &to) &&
			from != InvalidAttrNumber)
			return false;
	}
	return track_sign(model) != InvalidAttrNumber;
}

/* The trigger function. */
static Oid
capture_function(const Catalog *catalog)
{
	return LookupFuncName(list_make2(makeString(get_namespace_name(catalog->schema)),
									 makeString("influence_capture")), 0, NULL, false);
}

/* The one argument of a model's triggers, as pg_trigger has it. */
static Datum
trigger_arguments(const Model *model)
{
	Size		length = strlen(model->name) + 1;
	bytea	   *bytes = palloc(VARHDRSZ + length);

	SET_VARSIZE(bytes, VARHDRSZ + length);
	memcpy(VARDATA(bytes), model->name, length);
	return PointerGetDatum(bytes);
}

/*
 * The name of a model's trigger for an event: 'I', 'U', 'D' or 'T'.  One of
 * another name captures nothing, lest a change be captured twice.
 */
char *
track_trigger_name(const char *model, char event)
{
	for (int i = 0; i < lengthof(trigger); i++)
		if (trigger[i].event[0] == event)
			return makeObjectName(model, NULL, trigger[i].suffix);
	elog(ERROR, "no trigger for event \"%c\"", event);
}

static Datum
trigger_names(const Model *model)
{
	Datum		name[lengthof(trigger)];

	for (int i = 0; i < lengthof(trigger); i++)
		name[i] = CStringGetTextDatum(track_trigger_name(model->name, trigger[i].event[0]));
	return PointerGetDatum(construct_array(name, lengthof(trigger), TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static Datum
column_names(const Model *model)
{
	Datum		name[QUEUE_COLUMNS];
	int			n = 0;

	for (int c = 0; c < QUEUE_COLUMNS; c++)
		if (track_column(model, c))
			name[n++] = CStringGetTextDatum(track_column(model, c));
	return PointerGetDatum(construct_array(name, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * The tables that interactions are in, the one of the model first, as the
 * active snapshot sees them.
 */
static Member *
list_members(const Catalog *catalog, const Model *model, uint64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			type[] = {OIDOID, OIDOID, BYTEAOID, TEXTARRAYOID, TEXTARRAYOID};
	Datum		value[] = {
		ObjectIdGetDatum(model->interactions), ObjectIdGetDatum(capture_function(catalog)),
		trigger_arguments(model), column_names(model), trigger_names(model)
	};
	Member	   *member;

	spi_begin();
	/* a partition that is being detached is none already, as for queries */
	if (SPI_execute_with_args(
			"WITH RECURSIVE tree (relid) AS ("
			" SELECT $1 UNION"
			" SELECT i.inhrelid FROM pg_catalog.pg_inherits i, tree t"
			" WHERE i.inhparent OPERATOR(pg_catalog.=) t.relid AND NOT i.inhdetachpending)"
			"SELECT c.oid, c.relkind, c.relpersistence,"
			" EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s"
			"  WHERE s.srrelid OPERATOR(pg_catalog.=) c.oid),"
			" (SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 4"
			"  AND pg_catalog.count(DISTINCT g.tgtype) OPERATOR(pg_catalog.=) 4"
			"  AND pg_catalog.bool_and(g.tgenabled OPERATOR(pg_catalog.=) 'A' AND g.tgqual IS NULL"
			"   AND CAST(g.tgname AS pg_catalog.text) OPERATOR(pg_catalog.=) ANY ($5))"
			"  FROM pg_catalog.pg_trigger g WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid"
			"  AND g.tgfoid OPERATOR(pg_catalog.=) $2 AND g.tgargs OPERATOR(pg_catalog.=) $3),"
			" c.oid OPERATOR(pg_catalog.=) $1 AND EXISTS (SELECT FROM pg_catalog.pg_inherits i"
			"  WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid),"
			" pg_catalog.concat_ws(' ', c.oid, c.relfilenode,"
			"  (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', i.inhparent, i.xmin), ' '"
			"   ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i"
			"   WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid), '/',"
			"  (SELECT pg_catalog.string_agg(CAST(g.xmin AS pg_catalog.text), ' ' ORDER BY g.tgtype)"
			"   FROM pg_catalog.pg_trigger g WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid"
			"   AND g.tgfoid OPERATOR(pg_catalog.=) $2 AND g.tgargs OPERATOR(pg_catalog.=) $3), '/',"
			"  (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, a.attnum, a.atttypid, a.xmin,"
			"    (SELECT pg_catalog.string_agg(e.enumlabel, ' ' ORDER BY e.oid)"
			"     FROM pg_catalog.pg_enum e, pg_catalog.pg_type y"
			"     WHERE y.oid OPERATOR(pg_catalog.=) a.atttypid"
			"     AND e.enumtypid OPERATOR(pg_catalog.=) ANY (ARRAY[y.oid, y.typelem, y.typbasetype]))), ' '"
			"   ORDER BY a.attnum) FROM pg_catalog.pg_attribute a"
			"   WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid"
			"   AND CAST(a.attname AS pg_catalog.text) OPERATOR(pg_catalog.=) ANY ($4)))"
			" FROM tree t, pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) t.relid"
			" ORDER BY c.oid OPERATOR(pg_catalog.<>) $1, c.oid",
			5, type, value, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list tables of interactions");
	*n = SPI_processed;
	member = MemoryContextAllocZero(context, (*n + 1) * sizeof(Member));
	for (uint64 i = 0; i < *n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		member[i].relid = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		member[i].kind = DatumGetChar(SPI_getbinval(tuple, desc, 2, &isnull));
		member[i].persistence = DatumGetChar(SPI_getbinval(tuple, desc, 3, &isnull));
		member[i].subscribed = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		member[i].complete = DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull));
		member[i].part = DatumGetBool(SPI_getbinval(tuple, desc, 6, &isnull));
		member[i].state = MemoryContextStrdup(context, SPI_getvalue(tuple, desc, 7));
	}
	spi_end();
	return member;
}

/* The same as they are now, whatever the transaction's snapshot. */
static Member *
list_members_now(const Catalog *catalog, const Model *model, uint64 *n)
{
	Member	   *member;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	member = list_members(catalog, model, n);
	PopActiveSnapshot();
	return member;
}

/* --- what the queue can be relied on for --------------------------------- */

/*
 * A basis has two halves: a fingerprint of the tables that interactions are
 * in, which triggers compare too, and one of what else counts.
 */
static uint64
make_basis(uint32 tables, uint32 rest)
{
	uint64		basis = (uint64) tables << 32 | rest;

	return Max(basis, 1);
}

/* The fingerprint of tables. */
static uint32
tables_fingerprint(const Member *member, uint64 n)
{
	StringInfoData state;

	initStringInfo(&state);
	for (uint64 i = 0; i < n; i++)
		appendStringInfo(&state, "%s\n", member[i].state);
	return hash_bytes((unsigned char *) state.data, state.len);
}

/* Are the tables now those of a basis? */
bool
track_same_tables(const Catalog *catalog, const Model *model, uint64 basis)
{
	uint64		n;
	Member	   *member = list_members_now(catalog, model, &n);

	return tables_fingerprint(member, n) == (uint32) (basis >> 32);
}

/*
 * A fingerprint of what else must stay the same: the queue itself, who left,
 * and where a time of day without a zone is read, the time zone.  Sets
 * *problem if the queue cannot be relied on.
 */
static uint32
rest_fingerprint(Model *model, char **problem)
{
	Relation	queue = relation_open(model->queue, AccessShareLock);
	uint64		rest[4] = {
		model->queue, queue->rd_rel->relfilenode, forgotten_fingerprint(model), 0
	};

	if (queue->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		*problem = psprintf("Table \"%s\" is not logged.", RelationGetRelationName(queue));
	relation_close(queue, AccessShareLock);
	if (model->at)
	{
		AttrNumber	attno = get_attnum(model->interactions, model->at);
		Oid			type = attno == InvalidAttrNumber ? InvalidOid :
			getBaseType(get_atttype(model->interactions, attno));

		if (type == DATEOID || type == TIMESTAMPOID)
		{
			const char *zone = pg_get_timezone_name(session_timezone);

			rest[3] = hash_bytes((const unsigned char *) zone, strlen(zone));
		}
	}
	return hash_bytes((unsigned char *) rest, sizeof(rest));
}

/*
 * Does this transaction hold a lock on a table that changing its definition
 * takes?  Then its snapshot may not see what was in the table by then.
 */
static bool
was_redefined(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	bool		locked;

	if (rel == NULL)
		return true;
	locked = CheckRelationLockedByMe(rel, ShareRowExclusiveLock, true);
	relation_close(rel, NoLock);
	return locked;
}

/*
 * A fingerprint of what the active snapshot sees that a queue depends on: as
 * long as it is the same from one refresh to another, the queue tells all that
 * changed between them.  0 if some changes are not captured; *problem then
 * says why, if the user can do something about it.
 */
uint64
track_basis(const Catalog *catalog, Model *model, char **problem)
{
	Member	   *member;
	uint64		n;
	uint32		rest;

	*problem = NULL;
	/* rows that a refresh does not see are captured all the same */
	if (check_enable_rls(model->interactions, InvalidOid, true) == RLS_ENABLED)
		return 0;
	member = list_members(catalog, model, &n);
	for (uint64 i = 0; i < n && *problem == NULL; i++)
	{
		char	   *name = get_rel_name(member[i].relid);

		if (name == NULL)		/* dropped since */
			return 0;
		/* with a snapshot from before it was */
		if (IsolationUsesXactSnapshot() && was_redefined(member[i].relid))
			return 0;
		if (member[i].persistence != RELPERSISTENCE_PERMANENT)
			*problem = psprintf("Table \"%s\" is not logged.", name);
		else if (member[i].subscribed)
			*problem = psprintf("A subscription writes table \"%s\".", name);
		else if (member[i].part)
			*problem = psprintf("Table \"%s\" is a part of another one, and may be changed through it.", name);
		else if (!member[i].complete)
			*problem = psprintf("Table \"%s\" does not have all triggers, or not all are enabled.", name);
	}
	if (*problem == NULL && !queue_fits(model))
		*problem = psprintf("Table \"%s\" does not fit the columns of the interactions any more.",
							get_rel_name(model->queue));
	rest = rest_fingerprint(model, problem);
	return n == 0 || *problem ? 0 : make_basis(tables_fingerprint(member, n), rest);
}

/* --- defining ------------------------------------------------------------ */

static void
execute(const char *command)
{
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute \"%s\"", command);
}

/* Raise an error: changes of a table cannot be captured. */
static void
report_untrackable(const char *name, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("changes of \"%s\" cannot be captured", name),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

/*
 * Raise an error unless changes of a table that interactions are in can be
 * captured and the caller may have that done.
 */
static void
check_member(const Model *model, const Member *member)
{
	char	   *name = get_rel_name(member->relid);
	const char *untracked = "Refresh without tracking: a refresh then reads all interactions.";

	if (name == NULL)
		elog(ERROR, "cache lookup failed for relation %u", member->relid);
	switch (member->kind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_VIEW:
			report_untrackable(name, "It is a view.",
							   "Create the model on the table that has the rows, or refresh without tracking.");
			break;
		case RELKIND_MATVIEW:
			report_untrackable(name, "It is a materialized view.",
							   "Create the model on the table that has the rows, or refresh without tracking.");
			break;
		default:
			report_untrackable(name, "It is a foreign table: others may change it where it is.",
							   untracked);
	}
	if (member->persistence == RELPERSISTENCE_TEMP)
		report_untrackable(name, "It is a temporary table.", untracked);
	if (member->persistence == RELPERSISTENCE_UNLOGGED)
		report_untrackable(name, "It is not logged: a crash would empty it, and nothing would tell.",
						   "ALTER TABLE ... SET LOGGED, or refresh without tracking.");
	if (member->part)
		report_untrackable(name, "It is a part of another table: what changes it through that fires no trigger here.",
						   "Create the model on the other table, or refresh without tracking.");
	if (member->subscribed)
		report_untrackable(name, "A subscription writes it, which fires no triggers for statements.",
						   "Track changes where the table is published, or refresh without tracking.");
	for (int c = 0; c < QUEUE_COLUMNS; c++)
	{
		const char *column = track_column(model, c);
		AttrNumber	attno = column ? get_attnum(member->relid, column) : InvalidAttrNumber;

		if (attno != InvalidAttrNumber &&
			get_attgenerated(member->relid, attno) == ATTRIBUTE_GENERATED_VIRTUAL)
			report_untrackable(name, psprintf("Its column \"%s\" is generated when it is read.", column),
							   "Have the column stored, or refresh without tracking.");
	}
	if (!compat_table_ownercheck(member->relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(member->kind), name);
}

/*
 * The columns of a queue: those that the model has, of the same types but for
 * lengths and the like, which may come to be greater.
 */
static char *
queue_columns(const Model *model)
{
	StringInfoData columns;

	initStringInfo(&columns);
	appendStringInfoString(&columns, "sign pg_catalog.int2");
	for (int c = 0; c < QUEUE_COLUMNS; c++)
	{
		const char *name = track_column(model, c);
		AttrNumber	attno = name ? get_attnum(model->interactions, name) : InvalidAttrNumber;

		if (attno == InvalidAttrNumber)
			continue;
		appendStringInfo(&columns, ", %s %s", quote_identifier(queue_column_name[c]),
						 format_type_with_typemod(getBaseType(get_atttype(model->interactions, attno)), -1));
	}
	return columns.data;
}

/* Remove the triggers of a model from a table, or from all if it is invalid. */
static void
drop_triggers(const Catalog *catalog, const Model *model, Oid relid)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			type[] = {OIDOID, BYTEAOID, OIDOID};
	Datum		value[] = {
		ObjectIdGetDatum(capture_function(catalog)), trigger_arguments(model),
		ObjectIdGetDatum(relid)
	};
	ObjectAddress *found;
	uint64		n;

	spi_begin();
	if (SPI_execute_with_args(
			"SELECT oid FROM pg_catalog.pg_trigger"
			" WHERE tgfoid OPERATOR(pg_catalog.=) $1 AND tgargs OPERATOR(pg_catalog.=) $2"
			" AND $3 OPERATOR(pg_catalog.=) ANY (ARRAY[tgrelid, 0]) ORDER BY tgrelid, oid",
			3, type, value, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list triggers");
	n = SPI_processed;
	found = MemoryContextAllocZero(context, (n + 1) * sizeof(ObjectAddress));
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;

		ObjectAddressSet(found[i], TriggerRelationId,
						 DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
														SPI_tuptable->tupdesc, 1, &isnull)));
	}
	spi_end();

	/*
	 * They are the model's, so that its owner may remove them even from a
	 * table that has come to be somebody else's.
	 */
	for (uint64 i = 0; i < n; i++)
		performDeletion(&found[i], DROP_RESTRICT, 0);
	CommandCounterIncrement();
}

/* Create the triggers of a model on a table. */
static void
create_triggers(const Catalog *catalog, const Model *model, Oid relid)
{
	char	   *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												   get_rel_name(relid));
	const char *function = quote_qualified_identifier(get_namespace_name(catalog->schema),
													  "influence_capture");
	ObjectAddress queue;

	ObjectAddressSet(queue, RelationRelationId, model->queue);
	for (int i = 0; i < lengthof(trigger); i++)
	{
		char	   *name = track_trigger_name(model->name, trigger[i].event[0]);
		ObjectAddress created;

		execute(psprintf("CREATE TRIGGER %s AFTER %s ON %s%s FOR EACH STATEMENT"
						 " EXECUTE FUNCTION %s(%s)",
						 quote_identifier(name), trigger[i].event, table, trigger[i].transition,
						 function, quote_literal_cstr(model->name)));
		execute(psprintf("ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %s",
						 table, quote_identifier(name)));
		ObjectAddressSet(created, TriggerRelationId, get_trigger_oid(relid, name, false));
		recordDependencyOn(&created, &queue, DEPENDENCY_NORMAL);
	}
}

/* Make the owner of the model, if that is not the caller, own its queue. */
static void
give_queue(const Model *model)
{
	Oid			owner[2];
	const Oid	table[2] = {model->scores, model->queue};

	for (int i = 0; i < 2; i++)
	{
		Relation	rel = relation_open(table[i], AccessShareLock);

		owner[i] = rel->rd_rel->relowner;
		relation_close(rel, NoLock);
	}
	if (owner[0] != owner[1])
		execute(psprintf("ALTER TABLE %s OWNER TO %s",
						 quote_qualified_identifier(get_namespace_name(get_rel_namespace(model->queue)),
													get_rel_name(model->queue)),
						 quote_identifier(GetUserNameFromId(owner[0], false))));
}

/* Have changes of a model captured no more.  SPI is connected. */
void
track_end(const Catalog *catalog, Model *model)
{
	drop_triggers(catalog, model, InvalidOid);
	tables_remove(model, TABLE_QUEUE);
	model->basis = 0;
}

/*
 * Have changes captured: make the queue of a model if it has none that fits,
 * and the triggers that are not there.  Raises an error where that is not
 * possible or not allowed.  SPI is connected.
 */
static void
track_begin(const Catalog *catalog, Model *model)
{
	uint64		n;
	Member	   *member;

	/* the lock stays: nobody changes the columns meanwhile */
	relation_close(source_open(model), NoLock);
	if (OidIsValid(model->queue) && !queue_fits(model))
		track_end(catalog, model);
	member = list_members_now(catalog, model, &n);
	for (uint64 i = 0; i < n; i++)
		check_member(model, &member[i]);
	if (!OidIsValid(model->queue))
	{
		tables_add(model, TABLE_QUEUE, queue_columns(model));
		give_queue(model);
	}
	for (uint64 i = 0; i < n; i++)
		if (!member[i].complete)
		{
			drop_triggers(catalog, model, member[i].relid);
			create_triggers(catalog, model, member[i].relid);
			model->basis = 0;
		}
}

/*
 * A tracked model was changed: if it reads other columns, or another table,
 * begin anew with a queue that has them.  SPI is connected.
 */
void
track_adapt(const Catalog *catalog, const Model *before, Model *model)
{
	bool		same = before->interactions == model->interactions;

	if (!OidIsValid(model->queue))
		return;
	for (int c = 0; c < QUEUE_COLUMNS; c++)
	{
		const char *old = track_column(before, c);
		const char *new = track_column(model, c);

		same = same && (old == NULL) == (new == NULL) && (old == NULL || strcmp(old, new) == 0);
	}
	if (same)
		return;
	track_end(catalog, model);
	track_begin(catalog, model);
}

/* Store what tracking has changed of a model. */
static void
store(const Catalog *catalog, const Model *model)
{
	Oid			type[] = {TEXTOID, REGCLASSOID, INT8OID};
	Datum		value[] = {
		CStringGetTextDatum(model->name), ObjectIdGetDatum(model->queue),
		Int64GetDatum((int64) model->basis)
	};
	char		nulls[] = "   ";

	if (!OidIsValid(model->queue))
		nulls[1] = 'n';
	if (model->basis == 0)
		nulls[2] = 'n';
	catalog_execute(catalog, false,
					psprintf("UPDATE %s SET queue = $2, basis = $3"
							 " WHERE name OPERATOR(pg_catalog.=) $1", catalog->model_name),
					3, type, value, nulls);
}

/* A locked model by name, NULL being the default one, that the caller owns. */
static Model *
own_model(FunctionCallInfo fcinfo, const Catalog *catalog)
{
	char	   *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	/* who may not change it is not to hold the lock either */
	model_check_owner(model_find(catalog, name, false));
	return model_find(catalog, name, true);
}

/*
 * influence_track(model text) returns regclass
 *
 * Have the changes of a model's interactions captured from now on, by
 * triggers on their table and its partitions, in a queue; returns the queue.
 * Of a model that is tracked already, sees to it that all triggers are there
 * and that the queue fits the interactions.  Raises an error unless the caller
 * owns the model and the tables, and if these cannot have triggers that see all
 * changes.
 */
Datum
influence_track(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Model	   *model;

	PreventCommandIfReadOnly("influence_track()");
	model = own_model(fcinfo, &catalog);
	model_check_owner(model);
	spi_begin();
	track_begin(&catalog, model);
	store(&catalog, model);
	spi_end();
	PG_RETURN_OID(model->queue);
}

/*
 * influence_untrack(model text)
 *
 * Have them captured no more: removes the triggers and the queue.  Raises an
 * error unless the caller owns the model.
 */
Datum
influence_untrack(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Model	   *model;

	PreventCommandIfReadOnly("influence_untrack()");
	model = own_model(fcinfo, &catalog);
	model_check_owner(model);
	spi_begin();
	track_end(&catalog, model);
	store(&catalog, model);
	spi_end();
	PG_RETURN_VOID();
}
