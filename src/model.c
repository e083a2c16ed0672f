/*
 * model.c
 *	  Models: what is defined, and where that is kept.
 *
 * Definitions are rows of influence_model, a table of the extension that
 * everybody may read and, besides these functions, only the owner of the
 * database may write (so that a dump can be restored).  These functions
 * access it as its owner, by fixed statements; everything else, such as
 * making the tables of a model, happens with the rights of the caller.
 *
 * A model belongs to who owns its published table.  Changing a model, like
 * refreshing it, locks its row to the end of the transaction.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "failure.h"
#include "mixture.h"
#include "model.h"
#include "schedule.h"
#include "tables.h"
#include "track.h"

/* The columns of influence_model in the order in which they are read. */
#define MODEL_COLUMNS \
	"name, interactions, source, target, weight, at, kind, network, topic, " \
	"kind_weights, network_weights, half_life, pair_weight, restart, damping, " \
	"tolerance, max_iterations, topic_parents, keep_graphs, mixture, id_type, scores, " \
	"history, networks, topics, graph, forgotten, is_default, reference, c, runs, " \
	"keep_history, chances, queue, basis, score_tolerance"

/* What lock_default locks, of the catalog. */
#define LOCK_DEFAULT	1

PG_FUNCTION_INFO_V1(influence_drop_model);
PG_FUNCTION_INFO_V1(influence_set_default);
PG_FUNCTION_INFO_V1(influence_model_changed);

/* --- reading models ---------------------------------------------------- */

/* A value of a catalog row, copied into a context; 0 for NULL. */
static Datum
fetch(HeapTuple tuple, int column, MemoryContext context)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Form_pg_attribute att = TupleDescAttr(desc, column - 1);
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	if (!isnull && !att->attbyval)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		value = att->attlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(value)) :
			datumCopy(value, att->attbyval, att->attlen);
		MemoryContextSwitchTo(old);
	}
	return isnull ? (Datum) 0 : value;
}

char *
model_name_or_null(Datum value)
{
	return value == (Datum) 0 ? NULL : NameStr(*DatumGetName(value));
}

/* The seconds of an interval, a day having 24 hours and a month 30 days. */
double
model_interval_seconds(const Interval *interval)
{
	return (double) interval->time / USECS_PER_SEC +
		SECS_PER_DAY * (interval->day + (double) DAYS_PER_MONTH * interval->month);
}

static IdType
id_type_of(Oid type)
{
	switch (type)
	{
		case INT8OID:
			return ID_BIGINT;
		case UUIDOID:
			return ID_UUID;
		default:
			return ID_TEXT;
	}
}

Oid
model_id_type_oid(IdType type)
{
	return type == ID_BIGINT ? INT8OID : type == ID_UUID ? UUIDOID : TEXTOID;
}

/*
 * Find a model by name; NULL is the default one, or the only one there is.
 * With lock, its row is locked until the transaction ends, and what is
 * returned is its newest state; without, what the active snapshot sees.
 * Raises an error if there is no such model, or for NULL if there are several
 * and none is the default.
 */
Model *
model_find(const Catalog *catalog, const char *name, bool lock)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			type[1] = {TEXTOID};
	Datum		value[1] = {name ? CStringGetTextDatum(name) : (Datum) 0};
	char	   *command;
	HeapTuple	row;
	Model	   *model;
	Datum		d;

	/* a lock excludes ORDER BY of what may change: first choose, then lock */
	if (name == NULL)
	{
		spi_begin();
		command = psprintf("SELECT name, is_default FROM %s"
						   " ORDER BY is_default DESC LIMIT 2", catalog->model_name);
		catalog_execute(catalog, !lock, command, 0, NULL, NULL, NULL);
		if (SPI_processed == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("there is no model"),
					 errhint("Create one by influence_create_model.")));
		if (SPI_processed > 1 && !DatumGetBool(fetch(SPI_tuptable->vals[0], 2, context)))
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
					 errmsg("there are several models, and none is the default"),
					 errhint("Name the model, or choose a default by influence_set_default.")));
		value[0] = fetch(SPI_tuptable->vals[0], 1, context);
		name = TextDatumGetCString(value[0]);
		name = MemoryContextStrdup(context, name);
		spi_end();
	}

	spi_begin();
	command = psprintf("SELECT " MODEL_COLUMNS " FROM %s WHERE name OPERATOR(pg_catalog.=) $1%s",
					   catalog->model_name, lock ? " FOR UPDATE" : "");
	catalog_execute(catalog, !lock, command, 1, type, value, NULL);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", name),
				 errhint("The view influence_models lists the models there are.")));
	row = SPI_tuptable->vals[0];
	model = MemoryContextAllocZero(context, sizeof(Model));
	model->name = MemoryContextStrdup(context, name);
	model->interactions = DatumGetObjectId(fetch(row, 2, context));
	model->source = model_name_or_null(fetch(row, 3, context));
	model->target = model_name_or_null(fetch(row, 4, context));
	model->weight = model_name_or_null(fetch(row, 5, context));
	model->at = model_name_or_null(fetch(row, 6, context));
	model->kind = model_name_or_null(fetch(row, 7, context));
	model->network = model_name_or_null(fetch(row, 8, context));
	model->topic = model_name_or_null(fetch(row, 9, context));
	model->kind_weights = (Jsonb *) DatumGetPointer(fetch(row, 10, context));
	model->network_weights = (Jsonb *) DatumGetPointer(fetch(row, 11, context));
	model->half_life_interval = DatumGetIntervalP(fetch(row, 12, context));
	if (model->half_life_interval)
		model->half_life = model_interval_seconds(model->half_life_interval);
	d = fetch(row, 13, context);
	model->pair_weight = MemoryContextStrdup(context, TextDatumGetCString(d));
	d = fetch(row, 14, context);
	model->restart = MemoryContextStrdup(context, TextDatumGetCString(d));
	model->damping = DatumGetFloat8(fetch(row, 15, context));
	model->tolerance = DatumGetFloat8(fetch(row, 16, context));
	model->max_iterations = DatumGetInt32(fetch(row, 17, context));
	model->topic_parents = DatumGetObjectId(fetch(row, 18, context));
	model->keep_graphs = DatumGetInt32(fetch(row, 19, context));
	model->mixture_json = (Jsonb *) DatumGetPointer(fetch(row, 20, context));
	model->mixture = mixture_from_json(model->mixture_json);
	model->id_type = id_type_of(DatumGetObjectId(fetch(row, 21, context)));
	model->scores = DatumGetObjectId(fetch(row, 22, context));
	model->history = DatumGetObjectId(fetch(row, 23, context));
	model->networks = DatumGetObjectId(fetch(row, 24, context));
	model->topics = DatumGetObjectId(fetch(row, 25, context));
	model->graph = DatumGetObjectId(fetch(row, 26, context));
	model->forgotten = DatumGetObjectId(fetch(row, 27, context));
	model->is_default = DatumGetBool(fetch(row, 28, context));
	/* on all platforms that have 8-byte datums, 0 is also what NULL gives */
	model->reference = DatumGetFloat8(fetch(row, 29, context));
	model->c = DatumGetFloat8(fetch(row, 30, context));
	model->runs = DatumGetInt64(fetch(row, 31, context));
	model->keep_history = DatumGetIntervalP(fetch(row, 32, context));
	model->chances = DatumGetObjectId(fetch(row, 33, context));
	model->queue = DatumGetObjectId(fetch(row, 34, context));
	model->basis = model->stored_basis = (uint64) DatumGetInt64(fetch(row, 35, context));
	model->score_tolerance = DatumGetFloat8(fetch(row, 36, context));
	spi_end();
	return model;
}

/*
 * Store what a run leaves with its model: the scale, the number of runs, and
 * what it found the interactions to be.  Triggers on them compare that.
 */
void
model_store_run(const Catalog *catalog, const Model *model)
{
	Oid			type[] = {TEXTOID, INT8OID, FLOAT8OID, FLOAT8OID, INT8OID};
	Datum		value[] = {
		CStringGetTextDatum(model->name), Int64GetDatum(model->runs),
		Float8GetDatum(model->reference), Float8GetDatum(model->c),
		Int64GetDatum((int64) model->basis)
	};
	char		nulls[] = "     ";

	if (!(model->reference > 0))
		nulls[2] = nulls[3] = 'n';
	if (model->basis == 0)
		nulls[4] = 'n';

	spi_begin();
	catalog_execute(catalog, false,
					psprintf("UPDATE %s SET runs = $2, reference = $3, c = $4, basis = $5"
							 " WHERE name OPERATOR(pg_catalog.=) $1", catalog->model_name),
					5, type, value, nulls);
	spi_end();
	if (model->basis != model->stored_basis)
		CacheInvalidateRelcacheByRelid(catalog->model);
}

/* Note with a model which table its learned probabilities are in. */
void
model_store_chances(const Catalog *catalog, const Model *model)
{
	Oid			type[] = {TEXTOID, REGCLASSOID};
	Datum		value[] = {CStringGetTextDatum(model->name), ObjectIdGetDatum(model->chances)};

	spi_begin();
	catalog_execute(catalog, false,
					psprintf("UPDATE %s SET chances = $2 WHERE name OPERATOR(pg_catalog.=) $1",
							 catalog->model_name), 2, type, value, NULL);
	spi_end();
}

/* Raise an error unless the caller owns a model. */
void
model_check_owner(const Model *model)
{
	Oid			table = get_rel_name(model->scores) ? model->scores : model->history;
	bool		mine = get_rel_name(table) ? compat_table_ownercheck(table, GetUserId()) :
		compat_database_ownercheck(MyDatabaseId, GetUserId());

	if (!mine)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", model->name),
				 errdetail("A model belongs to the owner of its table of scores.")));
}

/* --- dropping, and the default ----------------------------------------- */

/*
 * Lock which model is the default, to the end of the transaction, against
 * others that change that.  Taken before any model is locked.
 */
static void
lock_default(const Catalog *catalog)
{
	LockDatabaseObject(RelationRelationId, catalog->model, LOCK_DEFAULT, ExclusiveLock);
}

/*
 * influence_drop_model(name)
 *
 * Forget a model, with its tables and runs and the caller's job for it.
 * Raises an error if the caller does not own it, or if something depends on a
 * table.
 */
Datum
influence_drop_model(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Oid			type[] = {TEXTOID};
	Datum		value[] = {PG_GETARG_DATUM(0)};
	Model	   *model;

	PreventCommandIfReadOnly("influence_drop_model()");
	lock_default(&catalog);
	model = model_find(&catalog, TextDatumGetCString(value[0]), true);
	model_check_owner(model);
	failure_lock(model);
	schedule_forget(model->name);
	spi_begin();
	track_end(&catalog, model);
	tables_drop(model);
	catalog_execute(&catalog, false,
					psprintf("DELETE FROM %s WHERE model OPERATOR(pg_catalog.=) $1", catalog.run_name),
					1, type, value, NULL);
	catalog_execute(&catalog, false,
					psprintf("DELETE FROM %s WHERE model OPERATOR(pg_catalog.=) $1", catalog.scale_name),
					1, type, value, NULL);
	catalog_execute(&catalog, false,
					psprintf("DELETE FROM %s WHERE model OPERATOR(pg_catalog.=) $1", catalog.failure_name),
					1, type, value, NULL);
	catalog_execute(&catalog, false,
					psprintf("DELETE FROM %s WHERE name OPERATOR(pg_catalog.=) $1", catalog.model_name),
					1, type, value, NULL);
	spi_end();
	PG_RETURN_VOID();
}

/* Is there a default model?  Raises an error unless the caller owns it. */
static bool
has_default(const Catalog *catalog, bool lock)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *name = NULL;

	spi_begin();
	catalog_execute(catalog, false,
					psprintf("SELECT name FROM %s WHERE is_default", catalog->model_name),
					0, NULL, NULL, NULL);
	if (SPI_processed > 0)
		name = MemoryContextStrdup(context,
								   TextDatumGetCString(fetch(SPI_tuptable->vals[0], 1, context)));
	spi_end();
	if (name)
		model_check_owner(model_find(catalog, name, lock));
	return name != NULL;
}

/*
 * influence_set_default(model)
 *
 * Make a model the one that is meant where none is named; NULL: none is.
 * Raises an error unless the caller owns it and the one that was it before.
 */
Datum
influence_set_default(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Oid			type[] = {TEXTOID};
	Datum		value[] = {PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0)};

	PreventCommandIfReadOnly("influence_set_default()");
	/* who may not change it is not to hold the lock either */
	if (!PG_ARGISNULL(0))
		model_check_owner(model_find(&catalog, TextDatumGetCString(value[0]), false));
	else if (!has_default(&catalog, false))
		PG_RETURN_VOID();
	lock_default(&catalog);
	if (!PG_ARGISNULL(0))
		(void) model_find(&catalog, TextDatumGetCString(value[0]), true);
	(void) has_default(&catalog, true);
	spi_begin();
	catalog_execute(&catalog, false,
					psprintf("UPDATE %s SET is_default = false WHERE is_default", catalog.model_name),
					0, NULL, NULL, NULL);
	if (!PG_ARGISNULL(0))
		catalog_execute(&catalog, false,
						psprintf("UPDATE %s SET is_default = true WHERE name OPERATOR(pg_catalog.=) $1",
								 catalog.model_name),
						1, type, value, NULL);
	spi_end();
	PG_RETURN_VOID();
}

/*
 * Trigger on influence_model, for each statement: tell all sessions, when the
 * transaction commits, that what they know of models is out of date.
 */
Datum
influence_model_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("influence_model_changed must be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
