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
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "failure.h"
#include "hierarchy.h"
#include "mixture.h"
#include "model.h"
#include "restart.h"
#include "retain.h"
#include "schedule.h"
#include "source.h"
#include "tables.h"
#include "track.h"
#include "weights.h"

/* Arguments of influence_create_model, in order; alter has the same. */
typedef enum Argument
{
	ARG_NAME,
	ARG_INTERACTIONS,
	ARG_SOURCE,
	ARG_TARGET,
	ARG_WEIGHT,
	ARG_AT,
	ARG_KIND,
	ARG_NETWORK,
	ARG_TOPIC,
	ARG_KIND_WEIGHTS,
	ARG_NETWORK_WEIGHTS,
	ARG_HALF_LIFE,
	ARG_PAIR_WEIGHT,
	ARG_RESTART,
	ARG_DAMPING,
	ARG_TOLERANCE,
	ARG_MAX_ITERATIONS,
	ARG_TOPIC_PARENTS,
	ARG_KEEP_GRAPHS,
	ARG_MIXTURE,
	ARG_KEEP_HISTORY,
	ARGUMENTS,
	ARG_RESET = ARGUMENTS		/* of alter */
} Argument;

/* Column of influence_model, its type, and whether it may be NULL. */
static const struct
{
	const char *name;
	Oid			type;
	bool		optional;
}			argument[ARGUMENTS] = {
	[ARG_NAME] = {"name", TEXTOID, false},
	[ARG_INTERACTIONS] = {"interactions", REGCLASSOID, false},
	[ARG_SOURCE] = {"source", NAMEOID, false},
	[ARG_TARGET] = {"target", NAMEOID, false},
	[ARG_WEIGHT] = {"weight", NAMEOID, true},
	[ARG_AT] = {"at", NAMEOID, true},
	[ARG_KIND] = {"kind", NAMEOID, true},
	[ARG_NETWORK] = {"network", NAMEOID, true},
	[ARG_TOPIC] = {"topic", NAMEOID, true},
	[ARG_KIND_WEIGHTS] = {"kind_weights", JSONBOID, true},
	[ARG_NETWORK_WEIGHTS] = {"network_weights", JSONBOID, true},
	[ARG_HALF_LIFE] = {"half_life", INTERVALOID, true},
	[ARG_PAIR_WEIGHT] = {"pair_weight", TEXTOID, false},
	[ARG_RESTART] = {"restart", TEXTOID, false},
	[ARG_DAMPING] = {"damping", FLOAT8OID, false},
	[ARG_TOLERANCE] = {"tolerance", FLOAT8OID, false},
	[ARG_MAX_ITERATIONS] = {"max_iterations", INT4OID, false},
	[ARG_TOPIC_PARENTS] = {"topic_parents", REGCLASSOID, true},
	[ARG_KEEP_GRAPHS] = {"keep_graphs", INT4OID, false},
	[ARG_MIXTURE] = {"mixture", JSONBOID, true},
	[ARG_KEEP_HISTORY] = {"keep_history", INTERVALOID, true},
};

/* The columns of influence_model in the order in which they are read. */
#define MODEL_COLUMNS \
	"name, interactions, source, target, weight, at, kind, network, topic, " \
	"kind_weights, network_weights, half_life, pair_weight, restart, damping, " \
	"tolerance, max_iterations, topic_parents, keep_graphs, mixture, id_type, scores, " \
	"history, networks, topics, graph, forgotten, is_default, reference, c, runs, " \
	"keep_history, chances, queue, basis"

/* Graphs of more runs than that are not kept. */
#define MOST_GRAPHS		1000

/* What lock_default locks, of the catalog. */
#define LOCK_DEFAULT	1

PG_FUNCTION_INFO_V1(influence_create_model);
PG_FUNCTION_INFO_V1(influence_alter_model);
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

static char *
name_or_null(Datum value)
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
	model->source = name_or_null(fetch(row, 3, context));
	model->target = name_or_null(fetch(row, 4, context));
	model->weight = name_or_null(fetch(row, 5, context));
	model->at = name_or_null(fetch(row, 6, context));
	model->kind = name_or_null(fetch(row, 7, context));
	model->network = name_or_null(fetch(row, 8, context));
	model->topic = name_or_null(fetch(row, 9, context));
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

/* --- defining models --------------------------------------------------- */

/* Raise an error unless what a model says is possible. */
static void
validate(const Model *model)
{
	Restart		rule;

	if (strcmp(model->pair_weight, "log") != 0 && strcmp(model->pair_weight, "linear") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid pair_weight \"%s\"", model->pair_weight),
				 errhint("It is \"log\" or \"linear\".")));
	if (!restart_named(model->restart, &rule))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid restart \"%s\"", model->restart),
				 errhint("It is \"credible\", \"trusted\", \"activity\" or \"uniform\".")));
	if (!(model->damping >= 0 && model->damping < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("damping %g is out of range", model->damping),
				 errhint("It is at least 0 and less than 1.")));
	if (!(model->tolerance > 0) || isinf(model->tolerance))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tolerance %g is out of range", model->tolerance),
				 errhint("It is greater than 0 and finite.")));
	if (model->max_iterations < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_iterations %d is out of range", model->max_iterations),
				 errhint("It is at least 1.")));
	if (model->half_life_interval && !(model->half_life > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half_life must be greater than 0"),
				 errhint("Without half_life (NULL) interactions do not age.")));
	if (model->keep_history && !(model_interval_seconds(model->keep_history) > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep_history must be greater than 0"),
				 errhint("Without keep_history (NULL) the history is kept for ever.")));
	if (model->kind_weights)
	{
		weights_check("kind_weights", model->kind_weights);
		if (model->kind == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("kind_weights need a column of kinds"),
					 errhint("Name it by the argument \"kind\".")));
	}
	if (OidIsValid(model->topic_parents))
	{
		hierarchy_check(model->topic_parents);
		if (model->topic == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("topic_parents need a column of topics"),
					 errhint("Name it by the argument \"topic\".")));
	}
	if (model->keep_graphs < 0 || model->keep_graphs > MOST_GRAPHS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep_graphs %d is out of range", model->keep_graphs),
				 errhint("It is the number of runs whose graphs are kept, 0 to %d.", MOST_GRAPHS)));
	(void) mixture_from_json(model->mixture_json);
	if (model->network_weights)
	{
		weights_check("network_weights", model->network_weights);
		if (model->network == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("network_weights need a column of networks"),
					 errhint("Name it by the argument \"network\".")));
	}
}

/* Set what an argument (not NULL) says of a model. */
static void
set_argument(Model *model, Argument a, Datum value)
{
	switch (a)
	{
		case ARG_NAME:
			model->name = TextDatumGetCString(value);
			break;
		case ARG_INTERACTIONS:
			model->interactions = DatumGetObjectId(value);
			break;
		case ARG_SOURCE:
			model->source = name_or_null(value);
			break;
		case ARG_TARGET:
			model->target = name_or_null(value);
			break;
		case ARG_WEIGHT:
			model->weight = name_or_null(value);
			break;
		case ARG_AT:
			model->at = name_or_null(value);
			break;
		case ARG_KIND:
			model->kind = name_or_null(value);
			break;
		case ARG_NETWORK:
			model->network = name_or_null(value);
			break;
		case ARG_TOPIC:
			model->topic = name_or_null(value);
			break;
		case ARG_KIND_WEIGHTS:
			model->kind_weights = DatumGetJsonbP(value);
			break;
		case ARG_NETWORK_WEIGHTS:
			model->network_weights = DatumGetJsonbP(value);
			break;
		case ARG_HALF_LIFE:
			model->half_life_interval = DatumGetIntervalP(value);
			model->half_life = model_interval_seconds(model->half_life_interval);
			break;
		case ARG_PAIR_WEIGHT:
			model->pair_weight = TextDatumGetCString(value);
			break;
		case ARG_RESTART:
			model->restart = TextDatumGetCString(value);
			break;
		case ARG_DAMPING:
			model->damping = DatumGetFloat8(value);
			break;
		case ARG_TOLERANCE:
			model->tolerance = DatumGetFloat8(value);
			break;
		case ARG_MAX_ITERATIONS:
			model->max_iterations = DatumGetInt32(value);
			break;
		case ARG_TOPIC_PARENTS:
			model->topic_parents = DatumGetObjectId(value);
			break;
		case ARG_KEEP_GRAPHS:
			model->keep_graphs = DatumGetInt32(value);
			break;
		case ARG_MIXTURE:
			model->mixture_json = DatumGetJsonbP(value);
			break;
		case ARG_KEEP_HISTORY:
			model->keep_history = DatumGetIntervalP(value);
			break;
		case ARGUMENTS:
			break;
	}
}

/* Take an optional argument away from a model. */
static void
reset_argument(Model *model, Argument a)
{
	switch (a)
	{
		case ARG_WEIGHT:
			model->weight = NULL;
			break;
		case ARG_AT:
			model->at = NULL;
			break;
		case ARG_KIND:
			model->kind = NULL;
			break;
		case ARG_NETWORK:
			model->network = NULL;
			break;
		case ARG_TOPIC:
			model->topic = NULL;
			break;
		case ARG_KIND_WEIGHTS:
			model->kind_weights = NULL;
			break;
		case ARG_NETWORK_WEIGHTS:
			model->network_weights = NULL;
			break;
		case ARG_HALF_LIFE:
			model->half_life_interval = NULL;
			model->half_life = 0;
			break;
		case ARG_TOPIC_PARENTS:
			model->topic_parents = InvalidOid;
			break;
		case ARG_MIXTURE:
			model->mixture_json = NULL;
			break;
		case ARG_KEEP_HISTORY:
			model->keep_history = NULL;
			break;
		default:
			break;
	}
}

/* The values of a model for the columns of argument[]; nulls has 'n' or ' '. */
static void
model_values(const Model *model, Datum *value, char *nulls)
{
#define NAME(n) ((n) ? DirectFunctionCall1(namein, CStringGetDatum(n)) : (Datum) 0)
	value[ARG_NAME] = CStringGetTextDatum(model->name);
	value[ARG_INTERACTIONS] = ObjectIdGetDatum(model->interactions);
	value[ARG_SOURCE] = NAME(model->source);
	value[ARG_TARGET] = NAME(model->target);
	value[ARG_WEIGHT] = NAME(model->weight);
	value[ARG_AT] = NAME(model->at);
	value[ARG_KIND] = NAME(model->kind);
	value[ARG_NETWORK] = NAME(model->network);
	value[ARG_TOPIC] = NAME(model->topic);
	value[ARG_KIND_WEIGHTS] = PointerGetDatum(model->kind_weights);
	value[ARG_NETWORK_WEIGHTS] = PointerGetDatum(model->network_weights);
	value[ARG_HALF_LIFE] = PointerGetDatum(model->half_life_interval);
	value[ARG_PAIR_WEIGHT] = CStringGetTextDatum(model->pair_weight);
	value[ARG_RESTART] = CStringGetTextDatum(model->restart);
	for (int a = 0; a < ARG_DAMPING; a++)
		nulls[a] = value[a] == (Datum) 0 ? 'n' : ' ';
	value[ARG_DAMPING] = Float8GetDatum(model->damping);
	value[ARG_TOLERANCE] = Float8GetDatum(model->tolerance);
	value[ARG_MAX_ITERATIONS] = Int32GetDatum(model->max_iterations);
	value[ARG_TOPIC_PARENTS] = ObjectIdGetDatum(model->topic_parents);
	value[ARG_KEEP_GRAPHS] = Int32GetDatum(model->keep_graphs);
	for (int a = ARG_DAMPING; a < ARGUMENTS; a++)
		nulls[a] = ' ';
	value[ARG_MIXTURE] = PointerGetDatum(model->mixture_json);
	if (!OidIsValid(model->topic_parents))
		nulls[ARG_TOPIC_PARENTS] = 'n';
	if (model->mixture_json == NULL)
		nulls[ARG_MIXTURE] = 'n';
	value[ARG_KEEP_HISTORY] = PointerGetDatum(model->keep_history);
	if (model->keep_history == NULL)
		nulls[ARG_KEEP_HISTORY] = 'n';
#undef NAME
}

/* "$1, $2, ..." up to n. */
static char *
parameters(int n)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 1; i <= n; i++)
		appendStringInfo(&list, "%s$%d", i > 1 ? ", " : "", i);
	return list.data;
}

/* Add names, types and values of the columns that name a model's tables. */
static void
table_values(Model *model, StringInfo columns, Oid *type, Datum *value, char *nulls)
{
	for (int t = 0; t < MODEL_TABLES; t++)
	{
		Oid			table = *tables_oid(model, t);

		appendStringInfo(columns, ", %s", tables_column(t));
		type[t] = REGCLASSOID;
		value[t] = ObjectIdGetDatum(table);
		nulls[t] = OidIsValid(table) ? ' ' : 'n';
	}
	nulls[MODEL_TABLES] = '\0';
}

/*
 * influence_create_model(name, interactions, ...) returns regclass
 *
 * Define a model and make its tables, in the current schema and owned by the
 * caller.  Returns the table of scores.  Raises an error for arguments that
 * are not possible, a name that is taken, and the errors of source_check.
 */
Datum
influence_create_model(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Model	   *model = palloc0(sizeof(Model));
	Oid			type[ARGUMENTS + MODEL_TABLES + 1];
	Datum		value[ARGUMENTS + MODEL_TABLES + 1];
	char		nulls[ARGUMENTS + MODEL_TABLES + 2];
	StringInfoData columns;
	List	   *path;
	Oid			schema;

	PreventCommandIfReadOnly("influence_create_model()");
	for (int a = 0; a < ARGUMENTS; a++)
	{
		type[a] = argument[a].type;
		if (!PG_ARGISNULL(a))
			set_argument(model, a, PG_GETARG_DATUM(a));
		else if (!argument[a].optional)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s of a model must not be NULL", argument[a].name)));
	}
	if (model->name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name of a model must not be empty")));
	tables_check_name(model);
	validate(model);
	source_check(model);

	spi_begin();
	catalog_execute(&catalog, false,
					psprintf("SELECT 1 FROM %s WHERE name OPERATOR(pg_catalog.=) $1",
							 catalog.model_name),
					1, type, (Datum[]) {CStringGetTextDatum(model->name)}, NULL);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", model->name),
				 errhint("Change it by influence_alter_model, or drop it by influence_drop_model.")));

	path = fetch_search_path(false);
	if (path == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("no schema has been selected to create in")));
	schema = linitial_oid(path);
	if (isAnyTempNamespace(schema))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("a model cannot have temporary tables"),
				 errhint("Put a permanent schema first in search_path.")));
	tables_create(model, schema);
	retain_prepare(model);

	model_values(model, value, nulls);
	initStringInfo(&columns);
	for (int a = 0; a < ARGUMENTS; a++)
		appendStringInfo(&columns, "%s, ", argument[a].name);
	appendStringInfoString(&columns, "id_type");
	type[ARGUMENTS] = REGTYPEOID;
	value[ARGUMENTS] = ObjectIdGetDatum(model_id_type_oid(model->id_type));
	nulls[ARGUMENTS] = ' ';
	table_values(model, &columns, type + ARGUMENTS + 1, value + ARGUMENTS + 1, nulls + ARGUMENTS + 1);
	catalog_execute(&catalog, false,
					psprintf("INSERT INTO %s (%s) VALUES (%s)", catalog.model_name, columns.data,
							 parameters(lengthof(value))),
					lengthof(value), type, value, nulls);
	spi_end();
	PG_RETURN_OID(model->scores);
}

/*
 * Store what a locked model says now, with the tables that it needs.  Raises
 * an error if that is not possible, or the ids would be of another type, and
 * the errors of source_check.
 */
void
model_change(const Catalog *catalog, Model *model)
{
	const Model *before = model_find(catalog, model->name, false);
	Oid			type[ARGUMENTS + MODEL_TABLES];
	Datum		value[ARGUMENTS + MODEL_TABLES];
	char		nulls[ARGUMENTS + MODEL_TABLES + 1];
	StringInfoData columns;

	validate(model);
	source_check(model);
	if (model->id_type != before->id_type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("user ids of model \"%s\" are of type %s, not %s", model->name,
						format_type_be(model_id_type_oid(before->id_type)),
						format_type_be(model_id_type_oid(model->id_type))),
				 errhint("Create another model.")));
	retain_prepare(model);

	spi_begin();
	tables_adapt(model);
	track_adapt(catalog, before, model);
	model_values(model, value, nulls);
	initStringInfo(&columns);
	for (int a = 0; a < ARGUMENTS; a++)
	{
		type[a] = argument[a].type;
		appendStringInfo(&columns, "%s%s", a ? ", " : "", argument[a].name);
	}
	table_values(model, &columns, type + ARGUMENTS, value + ARGUMENTS, nulls + ARGUMENTS);
	catalog_execute(catalog, false,
					psprintf("UPDATE %s SET (%s) = ROW (%s), basis = NULL WHERE name OPERATOR(pg_catalog.=) $1",
							 catalog->model_name, columns.data, parameters(lengthof(value))),
					lengthof(value), type, value, nulls);
	spi_end();
}

/* The argument of a name that reset may take away. */
static Argument
resettable(const char *name)
{
	for (int a = 0; a < ARGUMENTS; a++)
		if (argument[a].optional && strcmp(argument[a].name, name) == 0)
			return a;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is nothing that reset can take away from a model", name),
			 errhint("It can be weight, at, kind, network, topic, kind_weights, network_weights, half_life, topic_parents, mixture or keep_history.")));
}

/*
 * influence_alter_model(name, ..., reset text[])
 *
 * Change what a model says: arguments that are NULL stay as they are, those
 * that reset lists become NULL.  Published scores change with the next
 * refresh.  Raises the errors of influence_create_model, and one if the ids
 * would be of another type.
 */
Datum
influence_alter_model(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Model	   *model;

	PreventCommandIfReadOnly("influence_alter_model()");
	if (PG_ARGISNULL(ARG_NAME))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("name of a model must not be NULL")));
	model = model_find(&catalog, text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)), true);
	model_check_owner(model);
	if (!PG_ARGISNULL(ARG_RESET))
	{
		Datum	   *name;
		bool	   *isnull;
		int			n;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_RESET), TEXTOID, -1, false, TYPALIGN_INT,
						  &name, &isnull, &n);
		for (int i = 0; i < n; i++)
			if (!isnull[i])
				reset_argument(model, resettable(TextDatumGetCString(name[i])));
	}
	for (int a = ARG_INTERACTIONS; a < ARGUMENTS; a++)
		if (!PG_ARGISNULL(a))
			set_argument(model, a, PG_GETARG_DATUM(a));
	model_change(&catalog, model);
	PG_RETURN_VOID();
}

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
