/*
 * forget.c
 *	  influence_forget: a user leaves a model.
 *
 * Klout made profiles of people who had never joined; here somebody who asks
 * for it is left alone.  Their rows go from all tables of the model, they go
 * from the graphs that are kept (unkeep.c), and their id goes on the model's
 * list of those whom refreshes leave out (forgotten.c).  The list has to hold
 * the id: without it the next refresh would make a profile again.
 *
 * The model is locked and its row written, so that a refresh which began
 * before is waited for, one that begins after sees the list, and one whose
 * snapshot is older (REPEATABLE READ) fails.  Everything is done by statements
 * with the rights of the caller, which are checked before.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "people.h"
#include "tables.h"
#include "unkeep.h"

PG_FUNCTION_INFO_V1(influence_forget);

/* What a caller must be allowed to do with each table. */
static const AclMode needed[MODEL_TABLES] = {
	[TABLE_SCORES] = ACL_SELECT | ACL_DELETE,
	[TABLE_HISTORY] = ACL_SELECT | ACL_DELETE,
	[TABLE_NETWORKS] = ACL_SELECT | ACL_DELETE,
	[TABLE_TOPICS] = ACL_SELECT | ACL_DELETE,
	[TABLE_GRAPH] = ACL_SELECT | ACL_UPDATE | ACL_DELETE,
	[TABLE_CHANCES] = ACL_SELECT | ACL_DELETE,
	[TABLE_FORGOTTEN] = ACL_SELECT | ACL_INSERT,
	[TABLE_QUEUE] = ACL_SELECT | ACL_DELETE
};

/*
 * The name of a table, qualified and quoted; it is locked for writing.  Raises
 * an error if it does not exist any more, or the caller may not do with it
 * what is needed, or not with all of its rows.
 */
static char *
open_table(Model *model, ModelTable table)
{
	Oid			relid = *tables_oid(model, table);
	Relation	rel = try_relation_open(relid, RowExclusiveLock);
	char	   *name;

	tables_check(rel, table);
	if (pg_class_aclmask(relid, GetUserId(), needed[table], ACLMASK_ALL) != needed[table])
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(rel));
	tables_check_rows(rel);
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
	relation_close(rel, NoLock);
	return name;
}

/* Execute a statement about a user; returns how many rows it did or found. */
static int64
execute(const char *command, IdType id_type, Datum user_id, int expected)
{
	Oid			type[] = {model_id_type_oid(id_type)};
	int			status = SPI_execute_with_args(command, 1, type, &user_id, NULL, false, 0);

	if (status != expected)
		elog(ERROR, "could not execute \"%s\": %s", command, SPI_result_code_string(status));
	return (int64) SPI_processed;
}

/* What tells the rows of a table that are about a user, $1. */
static const char *
condition_on(ModelTable table, IdType id_type)
{
	const char *type = format_type_be_qualified(model_id_type_oid(id_type));

	switch (table)
	{
		case TABLE_CHANCES:
			return "source OPERATOR(pg_catalog.=) $1 OR target OPERATOR(pg_catalog.=) $1";
		case TABLE_QUEUE:		/* ids have the types of the interactions */
			return psprintf("CAST(source AS %s) OPERATOR(pg_catalog.=) $1"
							" OR CAST(target AS %s) OPERATOR(pg_catalog.=) $1", type, type);
		default:
			return "user_id OPERATOR(pg_catalog.=) $1";
	}
}

/* Delete a user's rows of a table; returns how many there were. */
static int64
delete_rows(ModelTable which, const char *table, IdType id_type, Datum user_id)
{
	const char *condition = condition_on(which, id_type);
	int64		rows = execute(psprintf("DELETE FROM %s WHERE %s", table, condition),
							   id_type, user_id, SPI_OK_DELETE);

	if (execute(psprintf("SELECT FROM %s WHERE %s LIMIT 1", table, condition),
				id_type, user_id, SPI_OK_SELECT) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("rows of table %s were not deleted", table),
				 errdetail("A trigger or rule of the table kept them."),
				 errhint("Remove it, and try again.")));
	return rows;
}

/*
 * influence_forget(user_id, model text) returns table (relation regclass, rows bigint)
 *
 * Remove a user from a model, now and for good: from all tables of scores and
 * the history, and from the graphs that are kept; refreshes leave out what
 * the user did and received from now on.  The scores of others stay as they
 * are until the next one.  A row of the result for each table: how many rows
 * were deleted, or of the table of graphs, changed.  Raises an error if
 * user_id is NULL or not of the model's type, there is no such model, or the
 * caller may not do that.
 */
Datum
influence_forget(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Catalog		catalog = catalog_open(fcinfo);
	char	   *table[MODEL_TABLES] = {NULL};
	Model	   *model;
	Datum		user_id;
	Id			user;

	PreventCommandIfReadOnly("influence_forget()");
	PreventCommandIfParallelMode("influence_forget()");
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be NULL")));
	model = model_find(&catalog, people_text(fcinfo, 1), true);
	user = people_user(model, fcinfo);
	user_id = id_to_datum(model->id_type, &user);
	for (int t = 0; t < MODEL_TABLES; t++)
		if (OidIsValid(*tables_oid(model, t)))
			table[t] = open_table(model, t);

	/* who was waited for has committed just now: see what they did */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	spi_begin();
	(void) execute(psprintf("INSERT INTO %s (user_id) VALUES ($1) ON CONFLICT DO NOTHING",
							table[TABLE_FORGOTTEN]),
				   model->id_type, user_id, SPI_OK_INSERT);
	if (execute(psprintf("SELECT FROM %s WHERE user_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
						 table[TABLE_FORGOTTEN]),
				model->id_type, user_id, SPI_OK_SELECT) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("no row was inserted into table %s", table[TABLE_FORGOTTEN]),
				 errdetail("A trigger or rule of the table kept it out."),
				 errhint("Remove it, and try again.")));
	spi_end();
	for (int t = 0; t < MODEL_TABLES; t++)
	{
		Datum		value[2];
		bool		isnull[2] = {false};
		int64		rows;

		if (table[t] == NULL || t == TABLE_FORGOTTEN)
			continue;
		if (t == TABLE_GRAPH)
			rows = unkeep(model, &user);
		else
		{
			spi_begin();
			rows = delete_rows(t, table[t], model->id_type, user_id);
			spi_end();
		}
		value[0] = ObjectIdGetDatum(*tables_oid(model, t));
		value[1] = Int64GetDatum(rows);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	model->basis = 0;			/* what others did with the user is in no queue */
	model_store_run(&catalog, model);
	PopActiveSnapshot();
	return (Datum) 0;
}
