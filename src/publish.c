/*
 * publish.c
 *	  Writing scores where users read them.
 *
 * The one room that writes.  The published table is brought in line with the
 * results by ordinary row versions: one scan of it finds rows that changed
 * (updated), users that are gone (deleted) and, by what is left over, users
 * that are new (inserted, in the order of their ids).  Rows that are as they
 * should be are not touched.  Readers therefore wait for nothing, and see
 * with any snapshot all old rows or all new ones.
 *
 * The history gets a row for a user when the score is 0.01 or more away from
 * the one last recorded there, which the published row remembers: a slow
 * drift is recorded too, once it adds up.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "port/pg_bswap.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "progress.h"
#include "publish.h"
#include "radix.h"
#include "writer.h"

/* Rows of the published table that are looked up together. */
#define BATCH			256

/* A change of a score that is worth a row of history. */
#define NOTABLE			0.01

typedef struct Publisher
{
	const Model *model;
	Ids		   *ids;
	Blocks	   *blocks;
	const Results *results;
	int64		run;
	TimestampTz at;
	int64		changed;		/* scores */

	Writer	   *scores;
	AttrNumber	user_id,
				score,
				percentile,
				influence,
				audience,
				responses,
				activity,
				recorded;

	Writer	   *history;
	AttrNumber	history_user_id,
				history_run,
				history_at,
				history_score;
	int64		done;			/* users */
	MemoryContext context;		/* of one batch */
} Publisher;

/* What is published of a user. */
typedef struct Row
{
	float		score;
	float		percentile;
	double		influence;
	int64		audience;
	double		responses;
	double		activity;
} Row;

/*
 * Lock the tables of a model for writing, and raise an error if one does not
 * exist any more or the caller may not write it.
 */
void
publish_check(const Model *model)
{
	Oid			table[] = {model->scores, model->history};

	for (int i = 0; i < lengthof(table); i++)
	{
		Relation	rel = try_relation_open(table[i], RowExclusiveLock);

		model_check_table(rel, i == 0 ? "scores" : "history");
		writer_check(rel);
		relation_close(rel, NoLock);
	}
}

static Row
row_of(Publisher *pub, NodeRef node)
{
	uint32		number = blocks_number(pub->blocks, node);
	Row			r;

	r.score = pub->results->score[number];
	r.percentile = pub->results->percentile[number];
	r.influence = pub->results->influence[number];
	r.responses = pub->results->responses[number];
	r.activity = pub->results->activity[number];
	r.audience = pub->results->audience[number];
	return r;
}

static void
open_tables(Publisher *pub)
{
	Oid			id_type = model_id_type_oid(pub->model->id_type);
	Bitmapset  *updated = NULL;
	static const char *const changing[] = {
		"score", "percentile", "influence", "audience", "responses", "activity", "recorded"
	};

	for (int i = 0; i < lengthof(changing); i++)
	{
		AttrNumber	attno = get_attnum(pub->model->scores, changing[i]);

		if (attno > 0)
			updated = bms_add_member(updated, attno);
	}
	pub->scores = writer_open(pub->model->scores, updated);
	pub->user_id = writer_column(pub->scores, "user_id", id_type);
	pub->score = writer_column(pub->scores, "score", FLOAT4OID);
	pub->percentile = writer_column(pub->scores, "percentile", FLOAT4OID);
	pub->influence = writer_column(pub->scores, "influence", FLOAT8OID);
	pub->audience = writer_column(pub->scores, "audience", INT8OID);
	pub->responses = writer_column(pub->scores, "responses", FLOAT8OID);
	pub->activity = writer_column(pub->scores, "activity", FLOAT8OID);
	pub->recorded = writer_column(pub->scores, "recorded", FLOAT4OID);
	pub->history = writer_open(pub->model->history, NULL);
	pub->history_user_id = writer_column(pub->history, "user_id", id_type);
	pub->history_run = writer_column(pub->history, "run", INT8OID);
	pub->history_at = writer_column(pub->history, "at", TIMESTAMPTZOID);
	pub->history_score = writer_column(pub->history, "score", FLOAT4OID);
}

/* Fill columns of a slot. */
static inline void
set(TupleTableSlot *slot, AttrNumber attno, Datum value)
{
	slot->tts_values[attno - 1] = value;
	slot->tts_isnull[attno - 1] = false;
}

static void
set_row(Publisher *pub, TupleTableSlot *slot, const Row *row)
{
	set(slot, pub->score, Float4GetDatum(row->score));
	set(slot, pub->percentile, Float4GetDatum(row->percentile));
	set(slot, pub->influence, Float8GetDatum(row->influence));
	set(slot, pub->audience, Int64GetDatum(row->audience));
	set(slot, pub->responses, Float8GetDatum(row->responses));
	set(slot, pub->activity, Float8GetDatum(row->activity));
}

static void
record(Publisher *pub, Datum user_id, float score)
{
	TupleTableSlot *slot = writer_slot(pub->history);

	set(slot, pub->history_user_id, user_id);
	set(slot, pub->history_run, Int64GetDatum(pub->run));
	set(slot, pub->history_at, TimestampTzGetDatum(pub->at));
	set(slot, pub->history_score, Float4GetDatum(score));
	writer_insert(pub->history);
}

#define VALUE(slot, attno)		((slot)->tts_values[(attno) - 1])
#define IS_NULL(slot, attno)	((slot)->tts_isnull[(attno) - 1])

/* Is the published row what it should be? */
static bool
is_current(Publisher *pub, TupleTableSlot *old, const Row *row)
{
	return !IS_NULL(old, pub->score) && !IS_NULL(old, pub->percentile) &&
		!IS_NULL(old, pub->influence) && !IS_NULL(old, pub->audience) &&
		!IS_NULL(old, pub->responses) && !IS_NULL(old, pub->activity) &&
		DatumGetFloat4(VALUE(old, pub->score)) == row->score &&
		DatumGetFloat4(VALUE(old, pub->percentile)) == row->percentile &&
		DatumGetFloat8(VALUE(old, pub->influence)) == row->influence &&
		DatumGetInt64(VALUE(old, pub->audience)) == row->audience &&
		DatumGetFloat8(VALUE(old, pub->responses)) == row->responses &&
		DatumGetFloat8(VALUE(old, pub->activity)) == row->activity;
}

/* Bring the published row of a node in line. */
static void
renew(Publisher *pub, TupleTableSlot *old, TupleTableSlot *new, NodeRef node)
{
	Row			row = row_of(pub, node);
	int			natts = old->tts_tupleDescriptor->natts;

	if (IS_NULL(old, pub->score) || DatumGetFloat4(VALUE(old, pub->score)) != row.score)
		pub->changed++;
	else if (is_current(pub, old, &row))
		return;
	ExecClearTuple(new);
	memcpy(new->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(new->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	set_row(pub, new, &row);
	if (IS_NULL(old, pub->recorded) ||
		fabs((double) DatumGetFloat4(VALUE(old, pub->recorded)) - row.score) >= NOTABLE)
	{
		record(pub, VALUE(old, pub->user_id), row.score);
		set(new, pub->recorded, Float4GetDatum(row.score));
	}
	ExecStoreVirtualTuple(new);
	writer_update(pub->scores, old, new);
}

/*
 * Go through the published rows; sets a bit of seen for every node that has
 * one, by base + place.
 */
static void
renew_all(Publisher *pub, uint64 *seen)
{
	Relation	rel = writer_relation(pub->scores);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *new = table_slot_create(rel, NULL);
	TupleTableSlot *old[BATCH];
	Id			id[BATCH];
	NodeRef		node[BATCH];
	int			n;

	for (int i = 0; i < BATCH; i++)
		old[i] = table_slot_create(rel, NULL);
	do
	{
		MemoryContext context = MemoryContextSwitchTo(pub->context);

		CHECK_FOR_INTERRUPTS();
		for (n = 0; n < BATCH && table_scan_getnextslot(scan, ForwardScanDirection, old[n]); n++)
		{
			Datum		user_id;

			slot_getallattrs(old[n]);
			if (IS_NULL(old[n], pub->user_id))
			{
				/* only without a primary key: nobody's row goes */
				writer_delete(pub->scores, old[n--]);
				continue;
			}
			user_id = VALUE(old[n], pub->user_id);
			if (pub->model->id_type == ID_TEXT)
				user_id = PointerGetDatum(PG_DETOAST_DATUM_PACKED(user_id));
			id[n] = id_from_datum(pub->model->id_type, user_id);
		}
		ids_find(pub->ids, id, n, node);
		for (int i = 0; i < n; i++)
		{
			uint32		at = node[i] == NO_NODE ? 0 :
				pub->blocks->shared->base[NODE_PARTITION(node[i])] + NODE_PLACE(node[i]);

			/* a second row of a user, too, there can be only without one */
			if (node[i] == NO_NODE || seen[at / 64] >> at % 64 & 1)
			{
				writer_delete(pub->scores, old[i]);
				pub->changed++;
				continue;
			}
			seen[at / 64] |= UINT64CONST(1) << at % 64;
			renew(pub, old[i], new, node[i]);
		}
		progress_done(pub->done += n);
		MemoryContextSwitchTo(context);
		MemoryContextReset(pub->context);
	} while (n == BATCH);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(new);
	for (int i = 0; i < BATCH; i++)
		ExecDropSingleTupleTableSlot(old[i]);
}

/*
 * A word to sort new users by, so that they go into the index from left to
 * right.  Texts sort by their first bytes: where a collation orders them in
 * another way that is only less helpful.
 */
static uint64
sort_word(IdType type, const Id *id)
{
	uint64		word = 0;

	if (type == ID_BIGINT)
		return radix_from_int64(id->value.number);
	memcpy(&word, id->value.bytes, type == ID_UUID ? 8 : Min(8, id->length));
	return pg_ntoh64(word);
}

/* Insert the rows of nodes that have none. */
static void
insert_new(Publisher *pub, const uint64 *seen)
{
	BlocksShared *shared = pub->blocks->shared;
	IdType		type = pub->model->id_type;
	uint32		n = shared->nodes;
	uint64	   *key,
			   *node;
	uint32		m = 0;
	Size		size;
	ArenaRef	ref;

	for (uint32 i = 0; i < n; i++)
		m += !(seen[i / 64] >> i % 64 & 1);
	if (m == 0)
		return;
	size = 4 * (Size) m * sizeof(uint64);
	ref = arena_alloc(pub->blocks->arena, size);
	key = arena_address(pub->blocks->arena, ref);
	node = key + m;
	m = 0;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 i = shared->base[p]; i < shared->base[p + 1]; i++)
			if (!(seen[i / 64] >> i % 64 & 1))
			{
				Id			id;

				node[m] = p << NODE_PLACE_BITS | (i - shared->base[p]);
				ids_get(pub->ids, (NodeRef) node[m], &id);
				key[m] = sort_word(type, &id);
				m++;
			}
	radix_sort(key, node, key + 2 * (Size) m, key + 3 * (Size) m, m, 64);
	for (uint32 i = 0; i < m; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(pub->context);
		Row			row = row_of(pub, (NodeRef) node[i]);
		TupleTableSlot *slot = writer_slot(pub->scores);
		Id			id;
		Datum		user_id;

		ids_get(pub->ids, (NodeRef) node[i], &id);
		user_id = id_to_datum(type, &id);
		set(slot, pub->user_id, user_id);
		set_row(pub, slot, &row);
		set(slot, pub->recorded, Float4GetDatum(row.score));
		writer_insert(pub->scores);
		record(pub, user_id, row.score);
		pub->changed++;
		if (++pub->done % BATCH == 0)
			progress_done(pub->done);
		MemoryContextSwitchTo(old);
		MemoryContextReset(pub->context);
	}
	arena_free(pub->blocks->arena, ref, size);
}

/*
 * Publish the results of a run that shows the state of a time.  Returns the number of scores that changed, appeared or went.
 * Raises an error if the caller may not write the tables, or if they were
 * dropped or lost a column.
 */
int64
publish(const Model *model, Ids *ids, Blocks *blocks, const Results *results,
		int64 run, TimestampTz at)
{
	Publisher	pub = {0};
	Arena	   *arena = blocks->arena;
	uint32		n = blocks->shared->nodes;
	Size		seen_size = ((Size) n / 64 + 1) * sizeof(uint64);
	Size		entry_size = WRITER_ENTRY_SIZE * (Size) n;
	ArenaRef	seen = arena_alloc(arena, seen_size);
	ArenaRef	entry = arena_alloc(arena, entry_size);

	pub.model = model;
	pub.ids = ids;
	pub.blocks = blocks;
	pub.results = results;
	pub.run = run;
	pub.at = at;
	open_tables(&pub);
	pub.context = AllocSetContextCreate(CurrentMemoryContext, "influence publish",
										ALLOCSET_DEFAULT_SIZES);
	memset(arena_address(arena, seen), 0, seen_size);
	/* every user's row may be changed or new, and be so only once */
	writer_defer_index(pub.scores, pub.score, arena_address(arena, entry), n);
	renew_all(&pub, arena_address(arena, seen));
	insert_new(&pub, arena_address(arena, seen));
	writer_close(pub.history);
	writer_close(pub.scores);
	arena_free(arena, entry, entry_size);
	arena_free(arena, seen, seen_size);
	MemoryContextDelete(pub.context);
	return pub.changed;
}
