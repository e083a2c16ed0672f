/*
 * tables.c
 *	  The tables that a model publishes in.
 *
 * They are ordinary tables of the caller's, named after the model.  Which they
 * are is told by influence_model; they may be renamed and moved.  Statements
 * here run with the rights of the caller; SPI is connected.
 *
 * Indexes other than the primary key of scores are made when there are rows:
 * publish.c.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "compat.h"
#include "tables.h"

/* Columns of every table of scores. */
#define SCORE_COLUMNS \
	" score pg_catalog.float4 NOT NULL," \
	" percentile pg_catalog.float4 NOT NULL," \
	" influence pg_catalog.float8 NOT NULL," \
	" audience pg_catalog.int8 NOT NULL," \
	" responses pg_catalog.float8 NOT NULL," \
	" activity pg_catalog.float8 NOT NULL"

static const struct
{
	const char *column;			/* of influence_model */
	const char *suffix;			/* to the model's name */
	const char *what;			/* it holds, for messages */
	const char *columns;		/* %s or %1$s: the type of user ids */
	const char *mark[2];		/* columns that it is known by */
	const char *comment;		/* %s: the model */
}			table_kind[MODEL_TABLES] = {
	[TABLE_SCORES] = {
		"scores", "_scores", "scores",
		"user_id %s PRIMARY KEY," SCORE_COLUMNS ", recorded pg_catalog.float4",
		{"user_id", "score"},
		"influence model %s: scores of 1 to 100, as of its last refresh"
	},
	[TABLE_HISTORY] = {
		"history", "_history", "history",
		"user_id %s NOT NULL, run pg_catalog.int8 NOT NULL, at pg_catalog.timestamptz NOT NULL,"
		" score pg_catalog.float4 NOT NULL",
		{"user_id", "score"},
		"influence model %s: scores when they changed by 0.01 or more"
	},
	[TABLE_NETWORKS] = {
		"networks", "_networks", "scores by network",
		"network pg_catalog.text NOT NULL, user_id %s NOT NULL," SCORE_COLUMNS,
		{"network", "user_id"},
		"influence model %s: scores in each network, as of its last refresh"
	},
	[TABLE_TOPICS] = {
		"topics", "_topics", "scores by topic",
		"topic pg_catalog.text NOT NULL, user_id %s NOT NULL," SCORE_COLUMNS ","
		" relevance pg_catalog.float4 NOT NULL,"
		" engagement pg_catalog.float4 NOT NULL,"
		" enthusiasm pg_catalog.float4 NOT NULL",
		{"topic", "user_id"},
		"influence model %s: scores in each topic, as of its last refresh"
	},
	[TABLE_GRAPH] = {
		"graph", "_graph", "graphs",
		"run pg_catalog.int8, section pg_catalog.text, facet pg_catalog.text,"
		" partition pg_catalog.int4, \"first\" pg_catalog.int4,"
		" data pg_catalog.bytea NOT NULL,"
		" PRIMARY KEY (run, section, facet, partition, \"first\")",
		{"section", "data"},
		"influence model %s: graphs of its last runs, which its scores are explained from"
	},
	[TABLE_CHANCES] = {
		"chances", "_chances", "learned probabilities",
		"source %1$s NOT NULL, target %1$s NOT NULL,"
		" probability pg_catalog.float8 NOT NULL"
		" CHECK (probability OPERATOR(pg_catalog.>) 0 AND probability OPERATOR(pg_catalog.<) 1),"
		" trials pg_catalog.int8 NOT NULL, successes pg_catalog.float8 NOT NULL,"
		" PRIMARY KEY (target, source)",
		{"source", "probability"},
		"influence model %s: how likely sources react to targets, as it was learned last"
	},
	[TABLE_FORGOTTEN] = {
		"forgotten", "_leavers", "forgotten users",
		"user_id %s PRIMARY KEY, at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()",
		{"user_id", "at"},
		"influence model %s: users whom refreshes leave out, since they asked to be forgotten"
	},
	[TABLE_QUEUE] = {
		"queue", "_queue", "changes",
		NULL,					/* as the interactions have them: track.c */
		{"sign", "source"},
		"influence model %s: changes of its interactions that no refresh has read yet"
	}
};

/* Models whose names are too long for this one are refused. */
#define LONGEST_SUFFIX	"_networks"

/* Raise an error if a model's name is too long for its tables. */
void
tables_check_name(const Model *model)
{
	if (strlen(model->name) + strlen(LONGEST_SUFFIX) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for a model", model->name),
				 errdetail("It may have %d bytes, because tables are named after it.",
						   (int) (NAMEDATALEN - 1 - strlen(LONGEST_SUFFIX)))));
}

/* Where a model notes a table of its own. */
Oid *
tables_oid(Model *model, ModelTable table)
{
	switch (table)
	{
		case TABLE_SCORES:
			return &model->scores;
		case TABLE_HISTORY:
			return &model->history;
		case TABLE_NETWORKS:
			return &model->networks;
		case TABLE_TOPICS:
			return &model->topics;
		case TABLE_GRAPH:
			return &model->graph;
		case TABLE_CHANCES:
			return &model->chances;
		case TABLE_FORGOTTEN:
			return &model->forgotten;
		case TABLE_QUEUE:
			break;
	}
	return &model->queue;
}

/* The column of influence_model that does. */
const char *
tables_column(ModelTable table)
{
	return table_kind[table].column;
}

/*
 * Raise an error unless a table of a model, opened as rel, is one: NULL says
 * that it does not exist any more.  what is kept there is for the message.
 */
void
tables_check(Relation rel, ModelTable table)
{
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of %s of the model does not exist any more",
						table_kind[table].what),
				 errhint("Drop the model by influence_drop_model, and create it anew.")));
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an ordinary table", RelationGetRelationName(rel)),
				 errdetail("A model has ordinary tables.")));
}

/*
 * Raise an error if row security would hide rows of a table of a model from
 * the caller.
 */
void
tables_check_rows(Relation rel)
{
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security of table \"%s\" would hide rows",
						RelationGetRelationName(rel)),
				 errhint("Do this as a role that bypasses row security, such as the table's owner.")));
}

static void
execute(const char *command)
{
	if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute \"%s\"", command);
}

/*
 * Create one table of a model in a schema, with such columns; NULL: those that
 * tables of its kind always have.
 */
static void
create(Model *model, ModelTable table, Oid schema, const char *columns)
{
	/* for a suffix that is longer yet, the model's name is cut */
	char	   *name = makeObjectName(model->name, NULL, table_kind[table].suffix + 1);
	const char *qualified = quote_qualified_identifier(get_namespace_name(schema), name);

	if (columns == NULL)
		columns = psprintf(table_kind[table].columns,
						   format_type_be_qualified(model_id_type_oid(model->id_type)));
	if (get_relname_relid(name, schema) != InvalidOid)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", name),
				 errdetail("A model makes tables named after itself."),
				 errhint("Rename or drop the relation, or choose another name or schema for the model.")));
	/* most rows are rewritten at a time, and room is wanted before the next */
	execute(psprintf("CREATE TABLE %s (%s) WITH (autovacuum_vacuum_scale_factor = 0.05,"
					 " autovacuum_vacuum_cost_delay = 0)", qualified, columns));
	execute(psprintf("COMMENT ON TABLE %s IS %s", qualified,
					 quote_literal_cstr(psprintf(table_kind[table].comment, model->name))));
	if (table == TABLE_GRAPH)	/* it is compact already */
		execute(psprintf("ALTER TABLE %s ALTER COLUMN data SET STORAGE EXTERNAL", qualified));
	*tables_oid(model, table) = get_relname_relid(name, schema);
}

/* Does a model as it is defined want a table? */
static bool
wanted(const Model *model, ModelTable table)
{
	switch (table)
	{
		case TABLE_NETWORKS:
			return model->network != NULL;
		case TABLE_TOPICS:
			return model->topic != NULL;
		case TABLE_CHANCES:
			return OidIsValid(model->chances);
		case TABLE_QUEUE:		/* made apart */
			return OidIsValid(model->queue);
		default:
			return true;
	}
}

/* Create the tables of a model in a schema, and note them with it. */
void
tables_create(Model *model, Oid schema)
{
	for (int t = 0; t < MODEL_TABLES; t++)
		if (wanted(model, t))
			create(model, t, schema, NULL);
}

/*
 * Drop a table of a model, if it is still there.  Raises an error if the
 * caller does not own it, something depends on it, or it looks like a table
 * of something else.
 */
void
tables_remove(Model *model, ModelTable table)
{
	Oid			relid = *tables_oid(model, table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessExclusiveLock) : NULL;
	char	   *name;

	*tables_oid(model, table) = InvalidOid;
	if (rel == NULL)
		return;
	if (rel->rd_rel->relkind != RELKIND_RELATION ||
		get_attnum(relid, table_kind[table].mark[0]) <= 0 ||
		get_attnum(relid, table_kind[table].mark[1]) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table of a model", RelationGetRelationName(rel)),
				 errhint("Restore its columns %s and %s, or drop it yourself before.",
						 table_kind[table].mark[0], table_kind[table].mark[1])));
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
	relation_close(rel, NoLock);
	execute(psprintf("DROP TABLE %s", name));
}

/*
 * Create one more table of a model, beside its scores; columns are as for
 * create.
 */
void
tables_add(Model *model, ModelTable table, const char *columns)
{
	Oid			schema = get_rel_namespace(model->scores);

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of scores of the model does not exist any more"),
				 errhint("Drop the model by influence_drop_model, and create it anew.")));
	create(model, table, schema, columns);
}

/*
 * Bring the tables of a model that was changed in line: those it did not need
 * before are made beside its scores, those it does not need any more dropped.
 */
void
tables_adapt(Model *model)
{
	for (int t = 0; t < MODEL_TABLES; t++)
	{
		if (!wanted(model, t))
			tables_remove(model, t);
		else if (!OidIsValid(*tables_oid(model, t)))
			tables_add(model, t, NULL);
	}
}

/* Drop the tables of a model. */
void
tables_drop(Model *model)
{
	for (int t = 0; t < MODEL_TABLES; t++)
		tables_remove(model, t);
}
