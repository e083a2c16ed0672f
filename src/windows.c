/*
 * windows.c
 *	  Times to look back from, and what comes after them.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "source.h"
#include "windows.h"

/* Raise an error unless a model knows when interactions were. */
void
windows_require_times(const Model *model, const char *function)
{
	if (model->at == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("interactions of model \"%s\" have no times", model->name),
				 errdetail("%s compares what was known at some time with what came after it.", function),
				 errhint("Name the column of times by the argument \"at\" of influence_alter_model.")));
}

/*
 * The times that the given parts (0 to 1, n of them) of a model's interactions
 * until now are not after.  Read by a query, with the caller's rights.  Raises
 * an error if there are no interactions with a time until now.
 */
void
windows_quantiles(const Model *model, int n, const double *part, TimestampTz *time)
{
	Relation	rel = source_open(model);
	Oid			type[] = {FLOAT8ARRAYOID, TIMESTAMPTZOID};
	Datum		value[2];
	Datum	   *element = palloc(n * sizeof(Datum));
	ArrayType  *array;
	bool		isnull;
	Datum		found;
	int			m;

	for (int i = 0; i < n; i++)
		element[i] = Float8GetDatum(part[i]);
	array = construct_array(element, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	value[0] = PointerGetDatum(array);
	value[1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	spi_begin();
	if (SPI_execute_with_args(psprintf("SELECT pg_catalog.percentile_disc($1) WITHIN GROUP (ORDER BY at)"
									   " FROM (SELECT CAST(%s AS pg_catalog.timestamptz) AS at FROM %s) i"
									   " WHERE at OPERATOR(pg_catalog.<=) $2 AND pg_catalog.isfinite(at)",
									   quote_identifier(model->at),
									   quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
																  RelationGetRelationName(rel))),
							  2, type, value, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read times of interactions");
	found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no interactions until now", model->name),
				 errhint("There must be some to choose a cutoff from.")));
	deconstruct_array(DatumGetArrayTypeP(found), TIMESTAMPTZOID, sizeof(TimestampTz),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &element, NULL, &m);
	Assert(m == n);
	for (int i = 0; i < n; i++)
		time[i] = DatumGetTimestampTz(element[i]);
	spi_end();
	relation_close(rel, NoLock);
}

/*
 * The end of a horizon after a cutoff, by the calendar; NULL is until now.
 * Raises an error unless the cutoff is finite and the end is after it.
 */
TimestampTz
windows_end(TimestampTz cutoff, Interval *horizon)
{
	TimestampTz end = GetCurrentTransactionStartTimestamp();

	if (TIMESTAMP_NOT_FINITE(cutoff))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cutoff must be finite")));
	if (horizon)
		end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													  TimestampTzGetDatum(cutoff),
													  IntervalPGetDatum(horizon)));
	else if (end <= cutoff)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cutoff %s is not in the past", windows_show(cutoff)),
				 errhint("Without horizon, what came after the cutoff until now is looked at.")));
	if (end <= cutoff)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("horizon must be greater than 0")));
	return end;
}

/* A time for a message. */
char *
windows_show(TimestampTz time)
{
	return pstrdup(timestamptz_to_str(time));
}
