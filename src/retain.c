/*
 * retain.c
 *	  Keeping the history of a model in bounds.
 *
 * A model can say for how long rows of its history are kept.  A refresh then
 * deletes the older ones, by an ordinary DELETE with the caller's rights:
 * readers do not notice, triggers fire, and vacuum makes room for new rows.
 *
 * They are found by a btree index on their time, which the model gets when it
 * is told to keep its history for some time only.  The rows of a run have one
 * time, and later runs usually have later ones, so entries go to its right
 * end and share their keys: the index is small and costs little to maintain.
 * (A BRIN index would not do.  Once vacuum has made room, new rows lie among
 * the ones deleted, the ranges of all blocks reach back to the oldest row they
 * ever held, and every look reads the whole table.)
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "index.h"
#include "retain.h"
#include "tables.h"

/* Can old rows of a history be found by an index? */
static bool
has_index(Relation history)
{
	return index_exists(history, get_attnum(RelationGetRelid(history), "at"));
}

static char *
qualified_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

/*
 * See to it that old rows of a model's history can be found, if that is
 * wanted.  Raises an error if the caller does not own the history.
 */
void
retain_prepare(const Model *model)
{
	Relation	history;
	char	   *command = NULL;

	if (model->keep_history == NULL)
		return;
	history = try_relation_open(model->history, AccessShareLock);
	tables_check(history, TABLE_HISTORY);
	if (!has_index(history))
		command = psprintf("CREATE INDEX ON %s (\"at\")", qualified_name(history));
	relation_close(history, NoLock);
	if (command == NULL)
		return;
	spi_begin();
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute \"%s\"", command);
	spi_end();
}

/*
 * Delete the rows of a model's history that are older than it says, counted
 * from a run's time; from now, if that time is yet to come.  The tables of the
 * model are locked for writing.
 */
void
retain_history(const Model *model, TimestampTz as_of)
{
	TimestampTz now = Min(as_of, GetCurrentTransactionStartTimestamp());
	Oid			type[] = {TIMESTAMPTZOID};
	Datum		value[1];
	Relation	history;
	bool		indexed;
	char	   *command;
	int			nest;

	if (model->keep_history == NULL)
		return;
	/* beyond the beginning of time nothing is older; months vary by a day or two */
	if (model_interval_seconds(model->keep_history) * 1.04 + SECS_PER_DAY * 4 >
		((double) now - MIN_TIMESTAMP) / USECS_PER_SEC)
		return;
	value[0] = DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now),
								   IntervalPGetDatum(model->keep_history));
	history = relation_open(model->history, NoLock);
	command = psprintf("DELETE FROM ONLY %s WHERE \"at\" OPERATOR(pg_catalog.<) $1",
					   qualified_name(history));
	indexed = has_index(history);
	relation_close(history, NoLock);

	/* the planner may never have seen the table; it is not to read it all */
	nest = NewGUCNestLevel();
	if (indexed)
		(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	spi_begin();
	if (SPI_execute_with_args(command, 1, type, value, NULL, false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not execute \"%s\"", command);
	spi_end();
	AtEOXact_GUC(true, nest);
}
