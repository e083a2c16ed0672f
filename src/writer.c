/*
 * writer.c
 *	  Writing rows of an ordinary table, in bulk.
 *
 * What INSERT, UPDATE and DELETE would do to a table that the caller may
 * write, without a plan for each row: new rows go in by the thousand
 * (table_multi_insert), changed ones one by one.  Indexes, constraints,
 * defaults, generated columns and row triggers that the owner added to the
 * table are honoured; a table with row triggers or generated columns takes
 * the slower way for its new rows too.
 *
 * Entries of one index can be put off until all rows are in, and then be made
 * in the order of the index.  When many rows come in another order than the
 * index's that saves half of the time that all indexes take: the tree is
 * filled from left to right instead of all over.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "radix.h"
#include "writer.h"

#define BATCH	1000

struct Writer
{
	Relation	rel;
	MemoryContext context;
	TupleDesc	desc;			/* of the slots */
	EState	   *estate;
	ResultRelInfo *info;
	EPQState	epq;
	bool		one_by_one;		/* triggers, generated columns, a partition */
	BulkInsertState bulk;
	ExprState **defaults;		/* by attribute; NULL: none */
	int			deferred;		/* place of the index whose entries are put
								 * off, among the table's; -1: none */
	AttrNumber	deferred_attno; /* what it is on */
	uint64	   *entry;			/* [deferred_size] keys, then as many tuple
								 * identifiers, and spare room for both */
	Size		deferred_n;
	Size		deferred_size;
	int			n;				/* slots filled */
	int			made;			/* slots made */
	TupleTableSlot *locked;		/* for lock_row, or NULL */
	TupleTableSlot *slot[BATCH];
};

/* Has the caller the privileges to read and write a whole table? */
static bool
has_privileges(Relation rel)
{
	AclMode		needed = ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE;

	return pg_class_aclmask(RelationGetRelid(rel), GetUserId(), needed, ACLMASK_ALL) == needed;
}

/* Would writer_check let the caller write a table? */
bool
writer_allowed(Relation rel)
{
	return has_privileges(rel) &&
		check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED;
}

/*
 * Raise an error unless the caller has the privileges to read and write a
 * whole table, and row security leaves them all rows.
 */
void
writer_check(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);

	if (!has_privileges(rel))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(rel));
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security of table \"%s\" would hide rows from the refresh",
						RelationGetRelationName(rel)),
				 errhint("Refresh as a role that bypasses row security, such as the table's owner.")));
}

/*
 * Open a table for writing, under RowExclusiveLock.  updated has the
 * attributes (by number, plain) that updates may change: indexes on others
 * then know that an update only brings another version of the row.  Raises
 * the errors of writer_check.
 */
Writer *
writer_open(Oid relid, Bitmapset *updated)
{
	Writer	   *writer = palloc0(sizeof(Writer));
	Relation	rel = table_open(relid, RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);

	writer_check(rel);
	writer->rel = rel;
	writer->context = CurrentMemoryContext;
	writer->desc = CreateTupleDescCopyConstr(desc);
	writer->estate = CreateExecutorState();
	writer->info = makeNode(ResultRelInfo);
	compat_init_range_table(writer->estate, rel, updated);
	InitResultRelInfo(writer->info, rel, 1, NULL, 0);
	ExecOpenIndices(writer->info, false);
	writer->estate->es_output_cid = GetCurrentCommandId(true);
	compat_eval_plan_qual_init(&writer->epq, writer->estate);
	writer->bulk = GetBulkInsertState();
	writer->deferred = -1;
	writer->one_by_one = rel->trigdesc != NULL || rel->rd_rel->relispartition;
	writer->defaults = palloc0(desc->natts * sizeof(ExprState *));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Expr	   *expr;

		if (att->attgenerated)
			writer->one_by_one = true;
		else if (!att->attisdropped &&
				 (expr = (Expr *) build_column_default(rel, i + 1)) != NULL)
			writer->defaults[i] = ExecPrepareExpr(expr, writer->estate);
	}
	AfterTriggerBeginQuery();
	return writer;
}

Relation
writer_relation(Writer *writer)
{
	return writer->rel;
}

/*
 * A slot for a row of the table, in the current memory context, until
 * writer_close.  It does not pin the relation's descriptor: the more slots do
 * that, the longer the server takes for each pin, and it takes one for every
 * key that it finds to be unique.
 */
TupleTableSlot *
writer_make_slot(Writer *writer)
{
	return MakeSingleTupleTableSlot(writer->desc, table_slot_callbacks(writer->rel));
}

/*
 * The number of a column.  Raises an error if the table has none of that name
 * and type.
 */
AttrNumber
writer_column(Writer *writer, const char *name, Oid type)
{
	Oid			relid = RelationGetRelid(writer->rel);
	AttrNumber	attno = get_attnum(relid, name);

	if (attno <= 0 || get_atttype(relid, attno) != type)
		ereport(ERROR,
				(errcode(attno <= 0 ? ERRCODE_UNDEFINED_COLUMN : ERRCODE_DATATYPE_MISMATCH),
				 errmsg("table \"%s\" has no column \"%s\" of type %s",
						RelationGetRelationName(writer->rel), name, format_type_be(type)),
				 errdetail("It is needed to publish scores."),
				 errhint("Restore the column, or drop the model and create it anew.")));
	return attno;
}

/*
 * Put entries off for the index on a float4 column, for so many new and
 * changed rows at most, if there is such an index and nothing is in the way.
 * entry has room for them (WRITER_ENTRY_SIZE), until writer_close.
 */
void
writer_defer_index(Writer *writer, AttrNumber attno, uint64 *entry, Size rows)
{
	if (writer->one_by_one || rows == 0)
		return;
	for (int i = 0; i < writer->info->ri_NumIndices; i++)
	{
		IndexInfo  *info = writer->info->ri_IndexRelationInfo[i];

		if (info->ii_NumIndexAttrs == 1 && info->ii_IndexAttrNumbers[0] == attno &&
			info->ii_Predicate == NIL && !info->ii_Unique && info->ii_ExclusionOps == NULL &&
			info->ii_ReadyForInserts)
		{
			writer->deferred = i;
			writer->deferred_attno = attno;
			writer->deferred_size = rows;
			writer->entry = entry;
			info->ii_ReadyForInserts = false;
			return;
		}
	}
}

/* Note the index entry of a new version of a row. */
static void
defer_entry(Writer *writer, TupleTableSlot *slot)
{
	union
	{
		float4		value;
		uint32		word;
	}			u;
	bool		isnull;

	if (writer->deferred_n >= writer->deferred_size)
		elog(ERROR, "more rows of table \"%s\" are written than there is room for",
			 RelationGetRelationName(writer->rel));
	u.value = DatumGetFloat4(slot_getattr(slot, writer->deferred_attno, &isnull));
	/* floats that are not negative order like their words */
	writer->entry[writer->deferred_n] = (uint64) u.word << 1 | isnull;
	writer->entry[writer->deferred_size + writer->deferred_n] =
		(uint64) ItemPointerGetBlockNumber(&slot->tts_tid) << 16 |
		ItemPointerGetOffsetNumber(&slot->tts_tid);
	writer->deferred_n++;
}

/* Make the index entries that were put off, in the order of the index. */
static void
insert_deferred(Writer *writer)
{
	IndexInfo  *info;
	Relation	index;
	uint64	   *key = writer->entry;
	uint64	   *tid = writer->entry + writer->deferred_size;

	if (writer->deferred < 0)
		return;
	info = writer->info->ri_IndexRelationInfo[writer->deferred];
	index = writer->info->ri_IndexRelationDescs[writer->deferred];
	info->ii_ReadyForInserts = true;
	radix_sort(key, tid, tid + writer->deferred_size, tid + 2 * writer->deferred_size,
			   writer->deferred_n, 33);
	for (Size i = 0; i < writer->deferred_n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
		union
		{
			float4		value;
			uint32		word;
		}			u = {.word = (uint32) (key[i] >> 1)};
		Datum		value = Float4GetDatum(u.value);
		bool		isnull = key[i] & 1;
		ItemPointerData at;

		if (i % BATCH == 0)
			CHECK_FOR_INTERRUPTS();
		ItemPointerSet(&at, (BlockNumber) (tid[i] >> 16), (OffsetNumber) (tid[i] & 0xffff));
		index_insert(index, &value, &isnull, &at, writer->rel, UNIQUE_CHECK_NO, false, info);
		MemoryContextSwitchTo(old);
		ResetPerTupleExprContext(writer->estate);
	}
}

/* Write the rows gathered so far; it is done anyway from time to time. */
void
writer_flush(Writer *writer)
{
	EState	   *estate = writer->estate;

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; writer->one_by_one && i < writer->n; i++)
	{
		ExecSimpleRelationInsert(writer->info, estate, writer->slot[i]);
		ResetPerTupleExprContext(estate);
	}
	if (!writer->one_by_one && writer->n > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));

		table_multi_insert(writer->rel, writer->slot, writer->n, estate->es_output_cid, 0,
						   writer->bulk);
		MemoryContextSwitchTo(old);
		for (int i = 0; i < writer->n; i++)
		{
			if (writer->deferred >= 0)
				defer_entry(writer, writer->slot[i]);
			if (writer->info->ri_NumIndices > 0)
				list_free(compat_insert_index_tuples(writer->info, writer->slot[i], estate));
			ResetPerTupleExprContext(estate);
		}
	}
	for (int i = 0; i < writer->n; i++)
		ExecClearTuple(writer->slot[i]);
	writer->n = 0;
}

/*
 * An empty slot for a new row, with defaults set.  The caller fills it in and
 * calls writer_insert; values must stay valid until then only.
 */
TupleTableSlot *
writer_slot(Writer *writer)
{
	int			natts = RelationGetDescr(writer->rel)->natts;
	TupleTableSlot *slot;

	if (writer->n == BATCH)
		writer_flush(writer);
	if (writer->n == writer->made)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->context);

		writer->slot[writer->made++] = writer_make_slot(writer);
		MemoryContextSwitchTo(old);
	}
	slot = writer->slot[writer->n];
	ExecClearTuple(slot);
	slot->tts_tableOid = RelationGetRelid(writer->rel);
	for (int i = 0; i < natts; i++)
	{
		slot->tts_isnull[i] = true;
		if (writer->defaults[i])
			slot->tts_values[i] = ExecEvalExprSwitchContext(writer->defaults[i],
															GetPerTupleExprContext(writer->estate),
															&slot->tts_isnull[i]);
	}
	return slot;
}

/* Insert the row in the slot that writer_slot gave. */
void
writer_insert(Writer *writer)
{
	TupleTableSlot *slot = writer->slot[writer->n];

	ExecStoreVirtualTuple(slot);
	/* as long as values need not be taken out of a tuple */
	if (!writer->one_by_one && RelationGetDescr(writer->rel)->constr)
		ExecConstraints(writer->info, slot, writer->estate);
	ExecMaterializeSlot(slot);
	ResetPerTupleExprContext(writer->estate);
	writer->n++;
}

/* Raise an error if another transaction changed a row since it was scanned. */
static void
check_unchanged(Writer *writer, TM_Result result)
{
	if (result != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errdetail("A row of table \"%s\" was changed meanwhile.",
						   RelationGetRelationName(writer->rel))));
}

/*
 * Lock the row that a slot was scanned from, for the executor, which would
 * otherwise look for what to do about a concurrent update in a plan that is
 * not there.
 */
static void
lock_row(Writer *writer, TupleTableSlot *slot)
{
	TM_FailureData failure;
	TM_Result	result;

	if (writer->locked == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(writer->context);

		writer->locked = writer_make_slot(writer);
		MemoryContextSwitchTo(old);
	}
	result = table_tuple_lock(writer->rel, &slot->tts_tid, GetActiveSnapshot(), writer->locked,
							  writer->estate->es_output_cid, LockTupleExclusive, LockWaitBlock,
							  0, &failure);
	ExecClearTuple(writer->locked);
	check_unchanged(writer, result);
}

/*
 * Replace the row that old was scanned from by new, a slot of the table.
 * Raises an error if another transaction has changed the row since.
 */
void
writer_update(Writer *writer, TupleTableSlot *old, TupleTableSlot *new)
{
	if (writer->one_by_one)
	{
		lock_row(writer, old);
		ExecSimpleRelationUpdate(writer->info, writer->estate, &writer->epq, old, new);
	}
	else
	{
		EState	   *estate = writer->estate;
		bool		indexes,
					summarizing;

		if (RelationGetDescr(writer->rel)->constr)
			ExecConstraints(writer->info, new, estate);
		check_unchanged(writer, compat_update(writer->rel, &old->tts_tid, new,
											  estate->es_output_cid, &indexes, &summarizing));
		if (indexes)
		{
			if (writer->deferred >= 0 && !summarizing)
				defer_entry(writer, new);
			list_free(compat_update_index_tuples(writer->info, new, estate, summarizing));
		}
	}
	ResetPerTupleExprContext(writer->estate);
}

/* Delete the row that old was scanned from; errors like writer_update. */
void
writer_delete(Writer *writer, TupleTableSlot *old)
{
	lock_row(writer, old);
	ExecSimpleRelationDelete(writer->info, writer->estate, &writer->epq, old);
	ResetPerTupleExprContext(writer->estate);
}

/* Write what is left, fire triggers, and close the table; the lock stays. */
void
writer_close(Writer *writer)
{
	writer_flush(writer);
	insert_deferred(writer);
	AfterTriggerEndQuery(writer->estate);
	for (int i = 0; i < writer->made; i++)
		ExecDropSingleTupleTableSlot(writer->slot[i]);
	if (writer->locked)
		ExecDropSingleTupleTableSlot(writer->locked);
	FreeBulkInsertState(writer->bulk);
	EvalPlanQualEnd(&writer->epq);
	ExecCloseIndices(writer->info);
	ExecCloseResultRelations(writer->estate);	/* those that triggers opened */
	ExecResetTupleTable(writer->estate->es_tupleTable, false);
	FreeExecutorState(writer->estate);
	FreeTupleDesc(writer->desc);
	table_close(writer->rel, NoLock);
	pfree(writer);
}
