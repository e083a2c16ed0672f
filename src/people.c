/*
 * people.c
 *	  Arguments and results that are users of a model.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "people.h"
#include "tables.h"

/*
 * The user whom the first argument of a function names, not NULL.  Raises an
 * error unless it is of the type of the model's ids.
 */
Id
people_user(const Model *model, FunctionCallInfo fcinfo)
{
	Oid			wanted = model_id_type_oid(model->id_type);
	Oid		   *type;
	int			n;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &type, &n);
	if (type[0] != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("user ids of the model are of type %s, not %s",
						format_type_be(wanted), format_type_be(type[0])),
				 errhint("Cast the user id to %s.", format_type_be(wanted))));
	return id_from_datum(model->id_type, model->id_type == ID_TEXT ?
						 PointerGetDatum(PG_GETARG_TEXT_PP(0)) : PG_GETARG_DATUM(0));
}

/* A text argument; NULL if it is. */
char *
people_text(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/* The model that a text argument names. */
Model *
people_model(FunctionCallInfo fcinfo, int argument)
{
	Catalog		catalog = catalog_open(fcinfo);

	return model_find(&catalog, people_text(fcinfo, argument), false);
}

/*
 * The ids in an array, NULLs left out; *n is how many.  Raises an error unless
 * they are of the model's type.
 */
Id *
people_from_array(const Model *model, Datum array, const char *argument, uint32 *n)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	Oid			type = ARR_ELEMTYPE(a);
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *value;
	bool	   *isnull;
	int			count;
	Id		   *id;

	if (type != model_id_type_oid(model->id_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s are of type %s, but user ids of model \"%s\" of type %s", argument,
						format_type_be(type), model->name,
						format_type_be(model_id_type_oid(model->id_type))),
				 errhint("Cast them to %s[].", format_type_be(model_id_type_oid(model->id_type)))));
	get_typlenbyvalalign(type, &length, &by_value, &align);
	deconstruct_array(a, type, length, by_value, align, &value, &isnull, &count);
	id = palloc_extended(Max(count, 1) * sizeof(Id), MCXT_ALLOC_HUGE);
	*n = 0;
	for (int i = 0; i < count; i++)
		if (!isnull[i])
			id[(*n)++] = id_from_datum(model->id_type, model->id_type == ID_TEXT ?
									   PointerGetDatum(PG_DETOAST_DATUM_PACKED(value[i])) : value[i]);
	return id;
}

/*
 * The published scores of n people, in the whole model or a network or topic,
 * with the caller's rights.
 */
PersonScore *
people_scores(Model *model, const char *network, const char *topic, const Id *person, uint32 n)
{
	PersonScore *scores = palloc0(Max(n, 1) * sizeof(PersonScore));
	ModelTable	which = network ? TABLE_NETWORKS : topic ? TABLE_TOPICS : TABLE_SCORES;
	Relation	rel = try_relation_open(*tables_oid(model, which), AccessShareLock);
	Oid			type[] = {model_id_type_oid(model->id_type), TEXTOID};
	Datum		value[] = {(Datum) 0, (Datum) 0};
	char	   *query;
	SPIPlanPtr	plan;

	tables_check(rel, which);
	query = psprintf("SELECT CAST(score AS pg_catalog.float4), CAST(%s AS pg_catalog.float4) FROM %s WHERE user_id OPERATOR(pg_catalog.=) $1%s",
					 topic ? "relevance" : "NULL",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)),
					 network ? " AND network OPERATOR(pg_catalog.=) $2" :
					 topic ? " AND topic OPERATOR(pg_catalog.=) $2" : "");
	relation_close(rel, NoLock);
	if (network || topic)
		value[1] = CStringGetTextDatum(network ? network : topic);
	spi_begin();
	plan = SPI_prepare(query, network || topic ? 2 : 1, type);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\"", query);
	for (uint32 i = 0; i < n; i++)
	{
		bool		isnull;

		value[0] = id_to_datum(model->id_type, &person[i]);
		if (SPI_execute_plan(plan, value, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not look up a score");
		if (SPI_processed == 0)
			continue;
		scores[i].score = DatumGetFloat4(SPI_getbinval(SPI_tuptable->vals[0],
													   SPI_tuptable->tupdesc, 1, &isnull));
		scores[i].known = !isnull;
		scores[i].relevance = DatumGetFloat4(SPI_getbinval(SPI_tuptable->vals[0],
														   SPI_tuptable->tupdesc, 2, &isnull));
		SPI_freetuptable(SPI_tuptable);
	}
	spi_end();
	return scores;
}
