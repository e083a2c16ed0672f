/*
 * reclaim.c
 *	  Making room where old versions of rows are.
 *
 * When ages or shares change, a refresh gives nearly every row a new version,
 * and autovacuum looks at a table once a minute at the most: refreshes that
 * follow each other faster would each add a table's worth of pages.  So a
 * refresh vacuums the table before it writes.  What the refresh before has
 * outdated goes then, unless somebody can still see it, and this one's
 * versions take its place: the table stays at about twice its least size.
 *
 * That is VACUUM's own routine, which wants a transaction and a lock that
 * neither readers nor writers notice.  It skips pages where nothing has
 * changed since the last vacuum, so that there is no need to know whether it
 * is worth while.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "compat.h"
#include "reclaim.h"

/*
 * Vacuum a table, without truncating it or freezing early.  Does nothing if
 * the caller does not own it, or somebody else is just doing the like.
 */
void
reclaim(Oid table)
{
	VacuumParams params;
	Relation	rel;

	if (!compat_table_ownercheck(table, GetUserId()) ||
		!ConditionalLockRelationOid(table, ShareUpdateExclusiveLock))
		return;
	rel = try_relation_open(table, NoLock);
	if (rel && rel->rd_rel->relkind == RELKIND_RELATION && !RelationUsesLocalBuffers(rel))
	{
		memset(&params, 0, sizeof(params));
		params.options = VACOPT_VACUUM | VACOPT_PROCESS_TOAST;
		params.freeze_min_age = -1;
		params.freeze_table_age = -1;
		params.multixact_freeze_min_age = -1;
		params.multixact_freeze_table_age = -1;
		params.log_min_duration = -1;
		params.index_cleanup = VACOPTVALUE_ENABLED;
		params.truncate = VACOPTVALUE_DISABLED;
		params.nworkers = -1;
		table_relation_vacuum(rel, &params, NULL);
	}
	if (rel)
		relation_close(rel, NoLock);
	UnlockRelationOid(table, ShareUpdateExclusiveLock);
}
