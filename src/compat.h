/*
 * compat.h
 *	  What differs between PostgreSQL 14 and 18, in one place: no other file
 *	  looks at PG_VERSION_NUM.
 *
 * Each item lets the other files be written as for the newest version.
 */
#ifndef INFLUENCE_COMPAT_H
#define INFLUENCE_COMPAT_H

#include "postgres.h"

#include <fcntl.h>

#if PG_VERSION_NUM < 140000
#error "influence needs PostgreSQL 14 or newer"
#endif

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* 16 moved the macros of variable-length values out of postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 lets input functions report without throwing; before, they throw */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#else
#define ereturn(escontext, dummy_value, ...) \
	do { \
		(void) (escontext); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#endif

/* 17 knows infinite intervals */
#ifndef INTERVAL_IS_NOEND
#define INTERVAL_IS_NOEND(i)	((void) (i), false)
#define INTERVAL_IS_NOBEGIN(i)	((void) (i), false)
#endif

/* 18 spells it this way, in front of a declaration */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 15 brought this helper of functions that return a set at once */
#if PG_VERSION_NUM < 150000
static inline void
InitMaterializedSRF(FunctionCallInfo fcinfo, bits32 flags)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;

	Assert(flags == 0);
	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (!(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("materialize mode required, but it is not allowed in this context")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult =
		tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
							  false, work_mem);
	rsinfo->setDesc = desc;
	MemoryContextSwitchTo(old);
}
#endif

/*
 * Reading and writing temporary files.  15 took sets of files apart from
 * shared memory, 16 made short reads errors by itself.
 */
#include "storage/buffile.h"
#include "storage/sharedfileset.h"

static inline BufFile *
compat_buffile_create(SharedFileSet *fileset, const char *name)
{
#if PG_VERSION_NUM >= 150000
	return BufFileCreateFileSet(&fileset->fs, name);
#else
	return BufFileCreateShared(fileset, name);
#endif
}

static inline BufFile *
compat_buffile_open(SharedFileSet *fileset, const char *name)
{
#if PG_VERSION_NUM >= 150000
	return BufFileOpenFileSet(&fileset->fs, name, O_RDONLY, false);
#else
	return BufFileOpenShared(fileset, name, O_RDONLY);
#endif
}

static inline void
compat_buffile_export(BufFile *file)
{
#if PG_VERSION_NUM >= 150000
	BufFileExportFileSet(file);
#else
	BufFileExportShared(file);
#endif
}

static inline void
compat_buffile_read(BufFile *file, void *data, size_t size)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, data, size);
#else
	if (BufFileRead(file, data, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file")));
#endif
}

/* The same, but false at the end of the file. */
static inline bool
compat_buffile_read_or_end(BufFile *file, void *data, size_t size)
{
#if PG_VERSION_NUM >= 160000
	return BufFileReadMaybeEOF(file, data, size, true) > 0;
#else
	size_t		n = BufFileRead(file, data, size);

	if (n != 0 && n != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file")));
	return n > 0;
#endif
}

/* 18 has generated columns that are not stored */
#include "catalog/pg_attribute.h"
#include "utils/rel.h"

#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

static inline bool
compat_has_virtual_columns(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return rel->rd_att->constr && rel->rd_att->constr->has_generated_virtual;
#else
	return false;
#endif
}

/* 16 united the checks for ownership and for privileges */
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "utils/acl.h"

static inline bool
compat_table_ownercheck(Oid table, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, table, role);
#else
	return pg_class_ownercheck(table, role);
#endif
}

static inline bool
compat_database_ownercheck(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, role);
#else
	return pg_database_ownercheck(database, role);
#endif
}

static inline AclResult
compat_schema_aclcheck(Oid schema, Oid role, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, mode);
#else
	return pg_namespace_aclcheck(schema, role, mode);
#endif
}

/*
 * An executor state for writing one table: 16 took permissions out of the
 * range table, 18 wants to know which tables are not pruned.  updated are
 * attribute numbers.
 */
#include "access/sysattr.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
#endif

static inline void
compat_init_range_table(EState *estate, Relation rel, Bitmapset *updated)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	Bitmapset  *columns = NULL;
	int			attno = -1;

	while ((attno = bms_next_member(updated, attno)) >= 0)
		columns = bms_add_member(columns, attno - FirstLowInvalidHeapAttributeNumber);
	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(rel);
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
#if PG_VERSION_NUM >= 160000
	{
		List	   *infos = NIL;
		RTEPermissionInfo *info = addRTEPermissionInfo(&infos, rte);

		info->updatedCols = columns;
#if PG_VERSION_NUM >= 180000
		ExecInitRangeTable(estate, list_make1(rte), infos, bms_make_singleton(1));
#else
		ExecInitRangeTable(estate, list_make1(rte), infos);
#endif
	}
#else
	rte->updatedCols = columns;
	ExecInitRangeTable(estate, list_make1(rte));
#endif
}

/* 16 added the result relations */
static inline void
compat_eval_plan_qual_init(EPQState *epq, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	EvalPlanQualInit(epq, estate, NULL, NIL, -1, NIL);
#else
	EvalPlanQualInit(epq, estate, NULL, NIL, -1);
#endif
}

/* 16 added a switch for summarizing indexes */
static inline List *
compat_insert_index_tuples(ResultRelInfo *info, TupleTableSlot *slot, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL, false);
#else
	return ExecInsertIndexTuples(info, slot, estate, false, false, NULL, NIL);
#endif
}

/* The same, for a new version of a row. */
static inline List *
compat_update_index_tuples(ResultRelInfo *info, TupleTableSlot *slot, EState *estate,
						   bool summarizing)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(info, slot, estate, true, false, NULL, NIL, summarizing);
#else
	return ExecInsertIndexTuples(info, slot, estate, true, false, NULL, NIL);
#endif
}

/*
 * Update a row that the active snapshot sees.  *need says whether indexes
 * need entries for the new version, and *summarizing whether only those that
 * summarize do, which 16 knows to be possible.
 */
#include "access/tableam.h"
#include "utils/snapmgr.h"

static inline TM_Result
compat_update(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid,
			  bool *need, bool *summarizing)
{
	TM_FailureData failure;
	LockTupleMode lock;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;
#else
	bool		indexes;
#endif
	TM_Result	result = table_tuple_update(rel, tid, slot, cid, GetActiveSnapshot(), InvalidSnapshot,
											true, &failure, &lock, &indexes);

#if PG_VERSION_NUM >= 160000
	*need = result == TM_Ok && indexes != TU_None;
	*summarizing = indexes == TU_Summarizing;
#else
	*need = result == TM_Ok && indexes;
	*summarizing = false;
#endif
	return result;
}

/* 18 counts what an index scan does */
#include "access/genam.h"

static inline IndexScanDesc
compat_index_beginscan(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/* 15 counts the memory of hash tables in bytes */
#include "executor/nodeHash.h"

static inline size_t
compat_hash_memory_limit(void)
{
#if PG_VERSION_NUM >= 150000
	return get_hash_memory_limit();
#else
	return (size_t) get_hash_mem() * 1024;
#endif
}

/* 18 can leave primary keys that are deferrable out */
#include "utils/relcache.h"

static inline Oid
compat_primary_key(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, false);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

/*
 * Make an index as its table's owner, whoever is the caller, who has seen to
 * it that nobody in the session uses the table.  16 added the partitions that
 * are to follow.
 */
#include "commands/defrem.h"

static inline void
compat_define_index(Oid table, IndexStmt *stmt)
{
#if PG_VERSION_NUM >= 160000
	(void) DefineIndex(table, stmt, InvalidOid, InvalidOid, InvalidOid, -1,
					   false, false, false, false, true);
#else
	(void) DefineIndex(table, stmt, InvalidOid, InvalidOid, InvalidOid,
					   false, false, false, false, true);
#endif
}

/* 16 named this after what it does */
#include "utils/backend_status.h"

static inline PgBackendStatus *
compat_backend_status(int i)
{
#if PG_VERSION_NUM >= 160000
	LocalPgBackendStatus *local = pgstat_get_local_beentry_by_index(i);
#else
	LocalPgBackendStatus *local = pgstat_fetch_stat_local_beentry(i);
#endif

	return local ? &local->backendStatus : NULL;
}

#endif
