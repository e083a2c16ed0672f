/*
 * locks.c
 *	  Locking what a run reads, before its snapshot is taken.
 *
 * A command that rewrites a table, such as ALTER TABLE ... TYPE, leaves rows
 * that only snapshots from after it see.  A query locks its tables when it is
 * parsed and takes the snapshot after that, so that waiting for such a command
 * does not make it read an empty table.  A run has to do the same, or it would
 * publish that there is nobody.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"

#include "locks.h"

static void lock_relation(Oid relid);

/*
 * Lock the relations that a query names, but for the view, *context, that it
 * is of: before 16 it names that, too.
 */
static bool
lock_named(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		if (rte->rtekind == RTE_RELATION && rte->relid != *(Oid *) context)
			lock_relation(rte->relid);
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, lock_named, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, lock_named, context);
}

/*
 * Lock a relation with its partitions or children; of a view, all that it
 * reads.  One that does not exist any more is for others to report.
 */
static void
lock_relation(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	check_stack_depth();
	if (rel == NULL)
		return;
	if (rel->rd_rel->relkind == RELKIND_VIEW)
		(void) lock_named((Node *) get_view_query(rel), &relid);
	else if (rel->rd_rel->relhassubclass)
		(void) find_all_inheritors(relid, AccessShareLock, NULL);
	relation_close(rel, NoLock);
}

/* Lock what a run of a model reads, to the end of the transaction. */
void
locks_take(const Model *model)
{
	lock_relation(model->interactions);
	if (OidIsValid(model->topic_parents))
		lock_relation(model->topic_parents);
	lock_relation(model->forgotten);
}
