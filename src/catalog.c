/*
 * catalog.c
 *	  The extension's own tables, and statements on them.
 *
 * They are accessed as their owner, by fixed statements in which all names
 * and operators are qualified.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "catalog.h"
#include "compat.h"

/* The extension's tables, found by the schema of the function called. */
Catalog
catalog_open(FunctionCallInfo fcinfo)
{
	return catalog_open_schema(get_func_namespace(fcinfo->flinfo->fn_oid));
}

/* The extension's tables in a schema. */
Catalog
catalog_open_schema(Oid schema_oid)
{
	Catalog		catalog;
	HeapTuple	tuple;
	char	   *schema = get_namespace_name(schema_oid);

	catalog.schema = schema_oid;
	catalog.model = get_relname_relid("influence_model", schema_oid);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(catalog.model));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"influence_model\" of extension \"influence\" does not exist")));
	catalog.owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	catalog.model_name = quote_qualified_identifier(schema, "influence_model");
	catalog.run_name = quote_qualified_identifier(schema, "influence_run");
	catalog.scale_name = quote_qualified_identifier(schema, "influence_scale");
	catalog.failure_name = quote_qualified_identifier(schema, "influence_failure");
	return catalog;
}

/*
 * Execute a fixed statement on the extension's tables as their owner.  SPI is
 * connected; its result is SPI_tuptable.
 */
void
catalog_execute(const Catalog *catalog, bool read_only, const char *command,
				int nargs, Oid *type, Datum *value, const char *nulls)
{
	Oid			user;
	int			context;
	int			status;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(catalog->owner, context | SECURITY_LOCAL_USERID_CHANGE);
	status = SPI_execute_with_args(command, nargs, type, value, nulls, read_only, 0);
	SetUserIdAndSecContext(user, context);
	if (status < 0)
		elog(ERROR, "could not execute \"%s\": %s", command, SPI_result_code_string(status));
}

/* Connect to SPI. */
void
spi_begin(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* Leave SPI, and free what was allocated since spi_begin. */
void
spi_end(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}
