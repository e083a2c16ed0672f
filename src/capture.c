/*
 * capture.c
 *	  The trigger of a tracked table: notes in the queue of a model what a
 *	  statement changed.
 *
 * It is a trigger for each statement with transition tables, named after the
 * model by its argument.  A row that was inserted goes into the queue with
 * sign 1, one that was deleted with sign -1, and an update is both, unless the
 * columns that the model reads stay the same.  TRUNCATE leaves a row of sign 0
 * (QUEUE_UNKNOWN), and so does a statement whose rows do not fit the queue any
 * more: a writer never fails because somebody tracks the table.
 *
 * The queue belongs to the owner of the model, and writers need no privileges
 * on it: rows are put there directly, where nobody's code runs.  If its owner
 * has given the table indexes, triggers or constraints, that is done by the
 * executor instead, as him and with a search_path of the system's, so that
 * neither can have code run as the other.  A trigger that somebody else makes
 * with this function writes nothing: its table must be one that the model
 * reads, and its name that of the model's own.
 *
 * An owner of a queue who may not read the columns, or not all rows, of the
 * interactions any more (the queue was made for him by somebody else) gets a
 * row of sign 0 only.  So does a queue whose tables are not those that the last
 * refresh saw, beside the rows themselves: see track.c.
 *
 * What a trigger is to do is looked up once in a session, and again after
 * something that it depends on has changed (relcache invalidation).  Whoever
 * changes a tracked model locks the tables that have triggers, so that what
 * was looked up holds while a statement has its table locked.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "catalog.h"
#include "compat.h"
#include "track.h"
#include "writer.h"

PG_FUNCTION_INFO_V1(influence_capture);

/* Rows that are written together. */
#define BATCH	500

/* Tables between one that has a trigger and the one of the model, at most. */
#define MOST_TABLES	32

/* Where a column of the queue is taken from. */
typedef struct Mapping
{
	AttrNumber	from;
	AttrNumber	to;
	bool		byval;
	int16		length;
} Mapping;

/* What a trigger is to do. */
typedef struct Capture
{
	Oid			trigger;		/* hash key */
	bool		valid;			/* nothing has changed since it was looked up */
	Oid			queue;			/* invalid: it is not the model's, or that is
								 * not tracked */
	int			columns;		/* 0: rows do not fit the queue any more, or
								 * its owner may not see them */
	bool		mark;			/* say that tables are not what they were */
	Mapping		column[QUEUE_COLUMNS];
	AttrNumber	last;			/* greatest "from" */
	AttrNumber	sign;
	int			tables;			/* that this depends on */
	Oid			table[MOST_TABLES];
} Capture;

static HTAB *captures = NULL;

/* influence_model. */
static Oid	model_catalog = InvalidOid;

/* How often something has changed. */
static uint64 changes = 0;

/* The definition of some relation changed. */
static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	Capture    *capture;

	changes++;
	hash_seq_init(&status, captures);
	while ((capture = hash_seq_search(&status)) != NULL)
	{
		if (relid == InvalidOid || relid == model_catalog)
			capture->valid = false;
		for (int i = 0; i < capture->tables; i++)
			if (capture->table[i] == relid)
				capture->valid = false;
	}
}

static void
create_captures(void)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(Capture)};

	captures = hash_create("influence captures", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

/* --- looking up ---------------------------------------------------------- */

/*
 * Look up what counts here of a model; false if there is none, or it is not
 * tracked.
 */
static bool
find_tracked(const Catalog *catalog, const char *name, Model *model)
{
	char	  **column[QUEUE_COLUMNS] = {
		&model->source, &model->target, &model->weight, &model->at, &model->kind,
		&model->network, &model->topic
	};
	MemoryContext context = CurrentMemoryContext;
	Oid			type[] = {TEXTOID};
	Datum		value[] = {CStringGetTextDatum(name)};
	StringInfoData command;
	bool		found;

	initStringInfo(&command);
	appendStringInfoString(&command, "SELECT CAST(interactions AS pg_catalog.oid),"
						   " CAST(queue AS pg_catalog.oid), basis");
	for (int c = 0; c < QUEUE_COLUMNS; c++)
		appendStringInfo(&command, ", %s", quote_identifier(queue_column_name[c]));
	appendStringInfo(&command, " FROM %s WHERE name OPERATOR(pg_catalog.=) $1 AND queue IS NOT NULL",
					 catalog->model_name);
	spi_begin();
	catalog_execute(catalog, true, command.data, 1, type, value, NULL);
	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		memset(model, 0, sizeof(Model));
		model->name = MemoryContextStrdup(context, name);
		model->interactions = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		model->queue = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));
		model->basis = (uint64) DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
		for (int c = 0; c < QUEUE_COLUMNS; c++)
		{
			char	   *value_of = SPI_getvalue(tuple, desc, 4 + c);

			*column[c] = value_of ? MemoryContextStrdup(context, value_of) : NULL;
		}
	}
	spi_end();
	return found;
}

/* Note that a capture depends on a table; false if it does on too many. */
static bool
depend(Capture *capture, Oid table)
{
	if (capture->tables == MOST_TABLES)
		return false;
	capture->table[capture->tables++] = table;
	return true;
}

/*
 * Is a table the interactions of a model, a partition or a child?  Notes all
 * tables that this depends on; *fits says whether there was room for them.
 */
static bool
is_member(Capture *capture, Oid relid, Oid interactions, bool *fits)
{
	Oid			type[] = {OIDOID};
	Datum		value[] = {ObjectIdGetDatum(relid)};
	bool		found = false;

	*fits = true;
	spi_begin();
	if (SPI_execute_with_args(
			"WITH RECURSIVE tree (relid) AS ("
			" SELECT $1 UNION"
			" SELECT i.inhparent FROM pg_catalog.pg_inherits i, tree t"
			" WHERE i.inhrelid OPERATOR(pg_catalog.=) t.relid AND NOT i.inhdetachpending) "
			"SELECT relid FROM tree",
			1, type, value, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list parents of a table");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			above = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
														   SPI_tuptable->tupdesc, 1, &isnull));

		found = found || above == interactions;
		*fits = depend(capture, above) && *fits;
	}
	spi_end();
	return found;
}

/* May the owner of a queue see all that is to be put there? */
static bool
owner_may_read(const Model *model)
{
	Relation	queue = try_relation_open(model->queue, AccessShareLock);
	Oid			owner;

	if (queue == NULL)
		return false;
	owner = queue->rd_rel->relowner;
	relation_close(queue, AccessShareLock);
	if (check_enable_rls(model->interactions, owner, true) == RLS_ENABLED)
		return false;
	if (pg_class_aclcheck(model->interactions, owner, ACL_SELECT) == ACLCHECK_OK)
		return true;
	for (int c = 0; c < QUEUE_COLUMNS; c++)
	{
		const char *name = track_column(model, c);
		AttrNumber	attno = name ? get_attnum(model->interactions, name) : InvalidAttrNumber;

		if (attno != InvalidAttrNumber &&
			pg_attribute_aclcheck(model->interactions, attno, owner, ACL_SELECT) != ACLCHECK_OK)
			return false;
	}
	return true;
}

/* Where the columns of a queue are taken from; none if they do not fit. */
static void
map_columns(Capture *capture, Relation rel, const Model *model)
{
	Oid			relid = RelationGetRelid(rel);
	int			n = 0;

	capture->columns = 0;
	capture->last = 0;
	capture->sign = track_sign(model);
	if (capture->sign == InvalidAttrNumber || !owner_may_read(model))
		return;
	for (int c = 0; c < QUEUE_COLUMNS; c++)
	{
		Mapping    *column = &capture->column[n];
		char		align;

		if (track_column(model, c) == NULL)
			continue;
		if (!track_map(model, c, relid, &column->from, &column->to) ||
			get_attgenerated(relid, column->from) == ATTRIBUTE_GENERATED_VIRTUAL)
			return;
		get_typlenbyvalalign(get_atttype(relid, column->from), &column->length, &column->byval,
							 &align);
		capture->last = Max(capture->last, column->from);
		n++;
	}
	capture->columns = n;
}

/* Look up what a trigger is to do. */
static void
look_up(Capture *capture, FunctionCallInfo fcinfo, const TriggerData *data)
{
	Catalog		catalog = catalog_open(fcinfo);
	const char *name = data->tg_trigger->tgargs[0];
	char		event = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? 'I' :
		TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? 'U' :
		TRIGGER_FIRED_BY_DELETE(data->tg_event) ? 'D' : 'T';
	Model		model;
	uint64		before = changes;
	bool		fits = true;

	model_catalog = catalog.model;
	/* as it is now, even if this transaction's snapshot is older */
	PushActiveSnapshot(GetLatestSnapshot());
	capture->valid = false;
	capture->queue = InvalidOid;
	capture->columns = 0;
	capture->mark = false;
	capture->tables = 0;
	if (strcmp(data->tg_trigger->tgname, track_trigger_name(name, event)) == 0 &&
		find_tracked(&catalog, name, &model) &&
		is_member(capture, RelationGetRelid(data->tg_relation), model.interactions, &fits))
	{
		capture->queue = model.queue;
		map_columns(capture, data->tg_relation, &model);
		capture->mark = model.basis != 0 && !track_same_tables(&catalog, &model, model.basis);
		fits = depend(capture, model.queue) && fits;
		fits = depend(capture, model.interactions) && fits;
	}
	/* what changed while it was looked up may not be in it */
	capture->valid = fits && changes == before;
	PopActiveSnapshot();
}

/* What a trigger is to do; false if nothing. */
static bool
find_capture(FunctionCallInfo fcinfo, const TriggerData *data, Capture *found_capture)
{
	Capture    *capture;
	bool		found;

	if (captures == NULL)
		create_captures();
	capture = hash_search(captures, &data->tg_trigger->tgoid, HASH_ENTER, &found);
	if (!found)
	{
		capture->valid = false;
		capture->tables = 0;
	}
	if (!capture->valid)
		look_up(capture, fcinfo, data);
	/* a copy: what the owner of a queue has run by it may come here again */
	*found_capture = *capture;
	return OidIsValid(capture->queue);
}

/*
 * The same, with its queue locked for writing: whoever changes the queue's
 * columns is waited for, and looked at what that has left.
 */
static bool
find_locked_capture(FunctionCallInfo fcinfo, const TriggerData *data, Capture *capture)
{
	uint64		before;

	do
	{
		if (!find_capture(fcinfo, data, capture))
			return false;
		before = changes;
		LockRelationOid(capture->queue, RowExclusiveLock);
	} while (changes != before);
	return true;
}

/* --- writing ------------------------------------------------------------- */

/* The queue, being written. */
typedef struct Queue
{
	const Capture *capture;
	Relation	rel;
	Writer	   *writer;			/* NULL: rows are put there directly */
	Oid			user;			/* who writes the table, */
	int			context;		/* in which security context */
	int			settings;		/* and above which level of settings */
	BulkInsertState bulk;		/* or NULL: few rows */
	MemoryContext memory;		/* for writing a batch */
	int			n;				/* slots filled */
	int			made;			/* slots made */
	TupleTableSlot *slot[BATCH];
} Queue;

/* Is there nothing about a table that needs an executor? */
static bool
is_plain(Relation rel)
{
	return !rel->rd_rel->relhasindex && rel->trigdesc == NULL &&
		RelationGetDescr(rel)->constr == NULL && !rel->rd_rel->relispartition;
}

/* Warn that there is no queue that anything could be noted in. */
static void
warn_lost(void)
{
	ereport(WARNING,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("a change is not captured, because the queue for it does not exist any more"),
			 errhint("Have changes captured again by influence_track, or no more by influence_untrack.")));
}

/* Open the queue for about so many rows; false, with a warning, if it is gone. */
static bool
open_queue(Queue *queue, const Capture *capture, int64 rows)
{
	queue->capture = capture;
	queue->rel = try_relation_open(capture->queue, RowExclusiveLock);
	if (queue->rel == NULL)
	{
		warn_lost();
		return false;
	}
	queue->writer = NULL;
	queue->bulk = NULL;
	queue->memory = NULL;
	queue->n = queue->made = 0;
	if (!is_plain(queue->rel))
	{
		GetUserIdAndSecContext(&queue->user, &queue->context);
		SetUserIdAndSecContext(queue->rel->rd_rel->relowner, queue->context |
							   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
		queue->settings = NewGUCNestLevel();
		(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		queue->writer = writer_open(capture->queue, NULL);
	}
	else
	{
		queue->memory = AllocSetContextCreate(CurrentMemoryContext, "influence queue",
											  ALLOCSET_DEFAULT_SIZES);
		if (rows > BATCH)
			queue->bulk = GetBulkInsertState();
	}
	return true;
}

static void
flush(Queue *queue)
{
	MemoryContext old;

	if (queue->n == 0)
		return;
	old = MemoryContextSwitchTo(queue->memory);
	if (queue->n == 1)
		table_tuple_insert(queue->rel, queue->slot[0], GetCurrentCommandId(true), 0, queue->bulk);
	else
	{
		CHECK_FOR_INTERRUPTS();
		table_multi_insert(queue->rel, queue->slot, queue->n, GetCurrentCommandId(true), 0,
						   queue->bulk);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(queue->memory);
	for (int i = 0; i < queue->n; i++)
		ExecClearTuple(queue->slot[i]);
	queue->n = 0;
}

static void
close_queue(Queue *queue)
{
	if (queue->writer)
	{
		writer_close(queue->writer);
		AtEOXact_GUC(false, queue->settings);
		SetUserIdAndSecContext(queue->user, queue->context);
	}
	flush(queue);
	for (int i = 0; i < queue->made; i++)
		ExecDropSingleTupleTableSlot(queue->slot[i]);
	if (queue->bulk)
		FreeBulkInsertState(queue->bulk);
	if (queue->memory)
		MemoryContextDelete(queue->memory);
	relation_close(queue->rel, NoLock);
}

/* An empty slot for a row. */
static TupleTableSlot *
next_slot(Queue *queue)
{
	TupleTableSlot *slot;

	if (queue->writer)
		return writer_slot(queue->writer);
	if (queue->n == BATCH)
		flush(queue);
	if (queue->n == queue->made)
		queue->slot[queue->made++] = table_slot_create(queue->rel, NULL);
	slot = queue->slot[queue->n];
	memset(slot->tts_isnull, true, RelationGetDescr(queue->rel)->natts * sizeof(bool));
	return slot;
}

/* Put a row of the table in the queue; NULL: something unknown has changed. */
static void
put(Queue *queue, int16 sign, TupleTableSlot *row)
{
	const Capture *capture = queue->capture;
	TupleTableSlot *slot = next_slot(queue);

	slot->tts_values[capture->sign - 1] = Int16GetDatum(sign);
	slot->tts_isnull[capture->sign - 1] = false;
	for (int i = 0; row && i < capture->columns; i++)
	{
		const Mapping *column = &capture->column[i];

		slot->tts_values[column->to - 1] = row->tts_values[column->from - 1];
		slot->tts_isnull[column->to - 1] = row->tts_isnull[column->from - 1];
	}
	if (queue->writer)
		writer_insert(queue->writer);
	else
	{
		ExecStoreVirtualTuple(slot);
		ExecMaterializeSlot(slot);
		queue->n++;
	}
}

/* --- reading ------------------------------------------------------------- */

/* A transition table, being read from its start. */
typedef struct Reading
{
	Tuplestorestate *store;		/* NULL: there is none */
	int			pointer;
	TupleTableSlot *slot;
} Reading;

static Reading
begin_reading(Tuplestorestate *store, Relation rel)
{
	Reading		reading = {store};

	if (store)
	{
		/* others may read it, too */
		reading.pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
		tuplestore_select_read_pointer(store, reading.pointer);
		tuplestore_rescan(store);
		reading.slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	}
	return reading;
}

/* Go to the next row; false at the end. */
static inline bool
read_row(Reading *reading, AttrNumber last)
{
	if (reading->store == NULL)
		return false;
	tuplestore_select_read_pointer(reading->store, reading->pointer);
	if (!tuplestore_gettupleslot(reading->store, true, false, reading->slot))
		return false;
	slot_getsomeattrs(reading->slot, last);
	return true;
}

static void
end_reading(Reading *reading)
{
	if (reading->store)
		ExecDropSingleTupleTableSlot(reading->slot);
}

/* Are the columns that a model reads the same in two rows? */
static bool
same_row(const Capture *capture, const TupleTableSlot *a, const TupleTableSlot *b)
{
	for (int i = 0; i < capture->columns; i++)
	{
		const Mapping *column = &capture->column[i];
		int			at = column->from - 1;

		if (a->tts_isnull[at] != b->tts_isnull[at] ||
			(!a->tts_isnull[at] &&
			 !datum_image_eq(a->tts_values[at], b->tts_values[at], column->byval, column->length)))
			return false;
	}
	return true;
}

/*
 * Put all rows of a statement in the queue.  Old and new rows of an update
 * come in the same order; where they should not (a trigger may have kept a row
 * out of another partition), two that are the same still add up to nothing.
 */
static void
capture_rows(const Capture *capture, const TriggerData *data)
{
	Relation	rel = data->tg_relation;
	Reading		old = begin_reading(data->tg_oldtable, rel);
	Reading		new = begin_reading(data->tg_newtable, rel);
	int64		rows = 0;
	Queue		queue;
	bool		open = false;

	if (old.store)
		rows += tuplestore_tuple_count(old.store);
	if (new.store)
		rows += tuplestore_tuple_count(new.store);
	for (;;)
	{
		bool		was = read_row(&old, capture->last);
		bool		is = read_row(&new, capture->last);

		if (!was && !is)
			break;
		CHECK_FOR_INTERRUPTS();
		if (was && is && same_row(capture, old.slot, new.slot))
			continue;
		if (!open && !open_queue(&queue, capture, rows))
			break;
		open = true;
		if (was)
			put(&queue, -1, old.slot);
		if (is)
			put(&queue, 1, new.slot);
	}
	if (open)
	{
		if (capture->mark)
			put(&queue, QUEUE_UNKNOWN, NULL);
		close_queue(&queue);
	}
	end_reading(&old);
	end_reading(&new);
}

/* Note that nobody knows what has changed. */
static void
capture_unknown(const Capture *capture)
{
	Queue		queue;

	if (capture->sign <= 0)
	{
		warn_lost();			/* or it is not a queue any more */
		return;
	}
	if (!open_queue(&queue, capture, 1))
		return;
	put(&queue, QUEUE_UNKNOWN, NULL);
	close_queue(&queue);
}

/*
 * influence_capture('model')
 *
 * Trigger: note what a statement changed in the queue of a model that is
 * tracked.  Raises an error if it is not called as influence_track makes its
 * triggers.
 */
Datum
influence_capture(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Capture		capture;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) || data->tg_trigger->tgnargs != 1 ||
		(data->tg_oldtable == NULL && (TRIGGER_FIRED_BY_UPDATE(data->tg_event) ||
									   TRIGGER_FIRED_BY_DELETE(data->tg_event))) ||
		(data->tg_newtable == NULL && (TRIGGER_FIRED_BY_UPDATE(data->tg_event) ||
									   TRIGGER_FIRED_BY_INSERT(data->tg_event))))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("influence_capture is not called as a trigger of influence_track"),
				 errhint("Have the triggers made by influence_track.")));
	if (!find_locked_capture(fcinfo, data, &capture))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) || capture.columns == 0)
		capture_unknown(&capture);
	else
		capture_rows(&capture, data);
	return PointerGetDatum(NULL);
}
