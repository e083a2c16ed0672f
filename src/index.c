/*
 * index.c
 *	  Making indexes of a table that has just been filled.
 *
 * An index that is made when the rows are in is sorted and written from one
 * end to the other, for a third of what the same entries cost one by one.
 * That suits the first rows of a table, and takes a lock (SHARE) that no
 * reader waits for; later rows find the index there.
 *
 * Who fills a table need not own it.  The index is the owner's, as is every
 * index, in the schema and the tablespace of the table, and named as CREATE
 * INDEX would name it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "index.h"

/* Has a table a btree index of all rows that orders them by a column first? */
bool
index_exists(Relation rel, AttrNumber attno)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;
	bool		found = false;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		found = found ||
			(index->rd_index->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
			 attno > 0 && index->rd_index->indkey.values[0] == attno &&
			 heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL));
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

/*
 * Make an index on columns of a table, a primary key or an ordinary one, with
 * so many workers at most.  Nothing is done if there is one that begins with
 * the first column, or another primary key.  What should be a primary key is
 * an ordinary index if its columns can be NULL now.  Raises an error if the
 * session is using the table: a command that is writing it would not know of
 * the index.
 */
void
index_make(Oid table, const char *const *column, int columns, bool primary, int workers)
{
	Relation	rel = table_open(table, ShareLock);
	AttrNumber	first = get_attnum(table, column[0]);
	Oid			tablespace = rel->rd_rel->reltablespace;
	IndexStmt  *stmt = makeNode(IndexStmt);
	bool		found = (primary && OidIsValid(compat_primary_key(rel))) || index_exists(rel, first);

	if (!found && rel->rd_refcnt != (rel->rd_isnailed ? 2 : 1))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table \"%s\" is being used by active queries in this session",
						RelationGetRelationName(rel)),
				 errdetail("A refresh that fills it makes its indexes."),
				 errhint("Refresh in a statement of its own, without open cursors on the table.")));
	for (int i = 0; i < columns; i++)
	{
		IndexElem  *element = makeNode(IndexElem);
		AttrNumber	attno = get_attnum(table, column[i]);

		element->name = pstrdup(column[i]);
		stmt->indexParams = lappend(stmt->indexParams, element);
		primary = primary && attno > 0 && TupleDescAttr(RelationGetDescr(rel), attno - 1)->attnotnull;
	}
	table_close(rel, NoLock);
	if (!found)
	{
		int			level = NewGUCNestLevel();
		char	   *most = psprintf("%d", Min(workers, max_parallel_maintenance_workers));

		stmt->accessMethod = DEFAULT_INDEX_TYPE;
		stmt->tableSpace = get_tablespace_name(OidIsValid(tablespace) ? tablespace :
											   MyDatabaseTableSpace);
		stmt->unique = stmt->primary = stmt->isconstraint = primary;
		(void) set_config_option("max_parallel_maintenance_workers", most, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		compat_define_index(table, stmt);
		AtEOXact_GUC(true, level);
	}
}
