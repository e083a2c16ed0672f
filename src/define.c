/*
 * define.c
 *	  influence_create_model and influence_alter_model: defining models.
 *
 * A definition is checked as a whole before it is stored, against the
 * interactions as they are with the rights of the caller.  The tables of the
 * model are made, or brought in line, at the same time.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "hierarchy.h"
#include "mixture.h"
#include "model.h"
#include "restart.h"
#include "retain.h"
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
	ARG_SCORE_TOLERANCE,
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
	[ARG_SCORE_TOLERANCE] = {"score_tolerance", FLOAT8OID, false},
};

/* Graphs of more runs than that are not kept. */
#define MOST_GRAPHS		1000

PG_FUNCTION_INFO_V1(influence_create_model);
PG_FUNCTION_INFO_V1(influence_alter_model);

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
	if (!(model->score_tolerance >= 0) || model->score_tolerance > SCORE_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("score_tolerance %g is out of range", model->score_tolerance),
				 errhint("It is between 0 and 100.")));
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
			model->source = model_name_or_null(value);
			break;
		case ARG_TARGET:
			model->target = model_name_or_null(value);
			break;
		case ARG_WEIGHT:
			model->weight = model_name_or_null(value);
			break;
		case ARG_AT:
			model->at = model_name_or_null(value);
			break;
		case ARG_KIND:
			model->kind = model_name_or_null(value);
			break;
		case ARG_NETWORK:
			model->network = model_name_or_null(value);
			break;
		case ARG_TOPIC:
			model->topic = model_name_or_null(value);
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
		case ARG_SCORE_TOLERANCE:
			model->score_tolerance = DatumGetFloat8(value);
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
	value[ARG_SCORE_TOLERANCE] = Float8GetDatum(model->score_tolerance);
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
