/*
 * publish_some.c
 *	  Writing scores where users read them: those of some users.
 *
 * Who knows whose results are others than what was published need not have
 * the whole table scanned, as publish.c does for everybody.  Each user is
 * looked up by the primary key, in about the order of its entries, so that a
 * page of the index, and as a rule of the table, serves all users who are on
 * it.  What happens to a row that is found, or to be made, is in published.c.
 *
 * Rows are looked up under the active snapshot, which sees nothing that is
 * written here: every user has the row that the run before left, whatever has
 * been done for others.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "progress.h"
#include "publish.h"
#include "published.h"
#include "radix.h"

/* Rows that are brought in line before memory is freed. */
#define BATCH			64

/*
 * Has an index an entry for each row that any snapshot of this transaction
 * sees?  Not if it is younger than a snapshot, and was made over rows that
 * had been changed in place (see README.HOT in the server's sources).
 */
static bool
is_complete(Relation index)
{
	return index->rd_index->indisvalid && index->rd_index->indisready &&
		(!index->rd_index->indcheckxmin ||
		 TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							   TransactionXmin));
}

/*
 * The primary key of a model's scores, locked, if users can be looked up by
 * it: ids must be equal there when their bytes are, and unique at all times.
 * A primary key has no predicate, no expressions, and the order that is the
 * default of its columns' types.
 */
static Oid
find_key(const Model *model)
{
	Relation	rel = table_open(model->scores, RowExclusiveLock);
	Oid			key = compat_primary_key(rel);
	bool		serves = false;

	if (OidIsValid(key))
	{
		Relation	index = index_open(key, AccessShareLock);
		Form_pg_index form = index->rd_index;
		AttrNumber	attno = get_attnum(model->scores, "user_id");

		serves = index->rd_rel->relam == BTREE_AM_OID && form->indimmediate &&
			form->indnkeyatts == 1 && attno > 0 && form->indkey.values[0] == attno &&
			(!OidIsValid(index->rd_indcollation[0]) ||
			 get_collation_isdeterministic(index->rd_indcollation[0])) &&
			is_complete(index);
		index_close(index, NoLock);
	}
	table_close(rel, NoLock);
	return serves ? key : InvalidOid;
}

/* In builds with assertions: nobody is due twice. */
static void
check_due(const Due *due, uint32 n)
{
#ifdef INFLUENCE_ASSERT
	for (uint32 i = 1; i < n; i++)
		if (due[i - 1].number >= due[i].number)
			elog(ERROR, "users that are due are not ascending");
#endif
}

/*
 * Bring the rows of n users in line, ascending by number, in the table of the
 * scores of the whole graph: those of a run that shows the state of a time.
 * user gives the id of a node, whose bytes must stay valid until it is called
 * again; the hash need not be set.  Results are read of users who are not gone
 * only.  Returns how many scores changed, appeared or went; or -1, with
 * nothing written, if users cannot be looked up, because the table has no
 * primary key that serves for that: then publish() must do it.
 *
 * Takes 32 bytes of the arena for each user.  Raises the errors of publish().
 */
int64
publish_some(const Model *model, const Results *results, const Due *due, uint32 n,
			 void (*user) (void *context, uint32 number, Id *id), void *context,
			 int64 run, TimestampTz at, Arena *arena)
{
	static const RegProcedure equal[] = {F_INT8EQ, F_UUID_EQ, F_TEXTEQ};
	Oid			key = find_key(model);
	Size		size = 4 * (Size) n * sizeof(uint64);
	MemoryContext batch;
	ArenaRef	order;
	uint64	   *word;
	uint64	   *place;
	Published	table;
	Recorder	recorder;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *old;
	TupleTableSlot *new;
	int64		changed = 0;

	if (!OidIsValid(key))
		return -1;
	check_due(due, n);
	order = arena_alloc(arena, size);
	word = arena_address(arena, order);
	place = word + n;
	for (uint32 i = 0; i < n; i++)
	{
		Id			id;

		if (i % BATCH == 0)
			CHECK_FOR_INTERRUPTS();
		user(context, due[i].number, &id);
		word[i] = id_sort_word(model->id_type, &id);
		place[i] = i;
	}
	radix_sort(word, place, word + 2 * (Size) n, word + 3 * (Size) n, n, 64);

	recorder_open(&recorder, model, run, at);
	published_open(&table, model, model->scores, NULL);
	old = writer_make_slot(table.writer);
	new = writer_make_slot(table.writer);
	index = index_open(key, NoLock);
	scan = compat_index_beginscan(writer_relation(table.writer), index, GetActiveSnapshot(), 1);
	batch = AllocSetContextCreate(CurrentMemoryContext, "influence publish",
								  ALLOCSET_DEFAULT_SIZES);
	for (uint32 i = 0; i < n; i++)
	{
		const Due  *d = &due[place[i]];
		ScanKeyData equals;
		PublishedRow row = {0};
		MemoryContext before;
		Datum		user_id;
		Id			id;
		bool		found;

		if (i % BATCH == 0)
		{
			CHECK_FOR_INTERRUPTS();
			MemoryContextReset(batch);
			progress_done(i);
		}
		user(context, d->number, &id);
		before = MemoryContextSwitchTo(batch);
		user_id = id_to_datum(model->id_type, &id);
		MemoryContextSwitchTo(before);
		/* not in the memory of the batch: the scan keeps what it allocates */
		ScanKeyEntryInitialize(&equals, 0, 1, BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[0], equal[model->id_type], user_id);
		index_rescan(scan, &equals, 1, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, old);
		MemoryContextSwitchTo(batch);
		if (!d->gone)
			row = published_result(results, d->number);
		if (found && d->gone)
		{
			writer_delete(table.writer, old);
			changed++;
		}
		else if (found)
		{
			slot_getallattrs(old);
			changed += published_renew(&table, &recorder, old, new, &row);
		}
		else if (!d->gone)
		{
			published_insert(&table, &recorder, user_id, (Datum) 0, &row);
			changed++;
		}
		ExecClearTuple(old);
		MemoryContextSwitchTo(before);
	}
	progress_done(n);
	index_endscan(scan);
	index_close(index, NoLock);
	ExecDropSingleTupleTableSlot(new);
	ExecDropSingleTupleTableSlot(old);
	writer_close(table.writer);
	writer_close(recorder.writer);
	MemoryContextDelete(batch);
	arena_free(arena, order, size);
	return changed;
}
