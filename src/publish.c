/*
 * publish.c
 *	  Writing scores where users read them: everybody's.
 *
 * The published table is brought in line with the results by ordinary row
 * versions: one scan of it finds rows that changed (updated), users that are
 * gone (deleted) and, by what is left over, users that are new (inserted, in
 * the order of their ids).  Rows that are as they should be are not touched.
 * Readers therefore wait for nothing, and see with any snapshot all old rows
 * or all new ones.  What happens to a row is in published.c; the rows of some
 * users alone are published by publish_some.c.
 *
 * The tables of networks and topics are brought in line in the same way.  A
 * row of a table belongs to a group, the whole graph or a facet, and has a
 * place in it: the user's number, or where the facet has the user.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "index.h"
#include "progress.h"
#include "publish.h"
#include "published.h"
#include "radix.h"
#include "scales.h"
#include "tables.h"

/* Rows of the published table that are looked up together. */
#define BATCH			64

/* New users whose results are fetched together. */
#define AHEAD			32

/* A table of scores. */
typedef struct Table
{
	Published	published;
	uint32		first;			/* facets whose rows it has; none: it has the */
	uint32		last;			/* rows of the whole graph */
	uint64	   *before;			/* [last - first + 1] rows of the facets before */
	uint64		rows;
	uint64	   *seen;			/* bits of rows that are published */
} Table;

typedef struct Publisher
{
	const Model *model;
	Ids		   *ids;
	Blocks	   *blocks;
	const Labels *labels;		/* or NULL */
	const Results *results;
	int64		run;
	NodeRef    *node;			/* by number */
	int64		changed;		/* scores of the whole graph */
	uint32		fresh;			/* tables that had no rows ever before, a bit each */
	int64		done;			/* users, in all tables */
	MemoryContext context;		/* of one batch */
	Recorder	history;
} Publisher;

/* A group, and a place in it. */
typedef struct Place
{
	uint32		facet;			/* or NO_FACET */
	uint32		place;
} Place;

#define NO_FACET	UINT32_MAX

/*
 * Lock the tables that a refresh writes, and raise an error if one does not
 * exist any more or the caller may not write it.  Who may publish scores may
 * lack the privilege to keep the graph: that is left out then, with a warning.
 */
void
publish_check(Model *model)
{
	for (int t = 0; t < MODEL_TABLES; t++)
	{
		Oid			table = *tables_oid(model, t);
		Relation	rel;

		/* these are not written here */
		if (!OidIsValid(table) || t == TABLE_CHANCES || t == TABLE_FORGOTTEN ||
			t == TABLE_QUEUE)
			continue;
		rel = try_relation_open(table, RowExclusiveLock);
		tables_check(rel, t);
		if (t != TABLE_GRAPH)
			writer_check(rel);
		else if (!writer_allowed(rel))
		{
			if (model->keep_graphs > 0)
				ereport(WARNING,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("the graph of model \"%s\" is not kept", model->name),
						 errdetail("Permission denied for table \"%s\".", RelationGetRelationName(rel)),
						 errhint("Without it scores of this run cannot be explained. Grant SELECT, INSERT, UPDATE and DELETE on the table, or set keep_graphs to 0.")));
			model->graph = InvalidOid;
		}
		relation_close(rel, NoLock);
	}
}

static const FacetRow *
facet_rows(const Publisher *pub, uint32 facet)
{
	return arena_address(pub->blocks->arena, pub->labels->facet[facet].rows);
}

static PublishedRow
row_of(const Publisher *pub, Place at)
{
	PublishedRow r = {0};
	const FacetRow *row;

	if (at.facet == NO_FACET)
		return published_result(pub->results, at.place);
	row = &facet_rows(pub, at.facet)[at.place];
	r.score = row->score;
	r.percentile = row->percentile;
	r.influence = row->influence;
	r.responses = row->responses;
	r.activity = row->activity;
	r.audience = row->audience;
	r.relevance = row->relevance;
	r.engagement = row->audience > 0 ? (float) (row->responses / row->audience) : 0;
	r.enthusiasm = row->enthusiasm;
	return r;
}

/* The bit of a row of a table. */
static inline uint64
bit_of(const Table *table, Place at)
{
	return at.facet == NO_FACET ? at.place : table->before[at.facet - table->first] + at.place;
}

/* Which of a table's facets has a name; NO_FACET if none. */
static uint32
find_facet(const Publisher *pub, const Table *table, LabelName name)
{
	uint32		low = table->first,
				high = table->last;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		LabelName	at = labels_facet_name(pub->labels, middle);

		if (label_name_compare(&at, &name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < table->last)
	{
		LabelName	at = labels_facet_name(pub->labels, low);

		if (label_name_compare(&at, &name) == 0)
			return low;
	}
	return NO_FACET;
}

/*
 * Have the rows of some places fetched into the cache: users who are next to
 * each other in a table are far from each other in the results.  (Inline,
 * because gcc takes calls of a function that only prefetches for useless.)
 */
static pg_attribute_always_inline void
prefetch_rows(const Publisher *pub, const Place *at, int n)
{
	const Results *results = pub->results;

	for (int i = 0; i < n; i++)
	{
		uint32		place = at[i].place;

		if (at[i].facet != NO_FACET)
			__builtin_prefetch(&facet_rows(pub, at[i].facet)[place]);
		else
		{
			__builtin_prefetch(&results->score[place]);
			__builtin_prefetch(&results->percentile[place]);
			__builtin_prefetch(&results->influence[place]);
			__builtin_prefetch(&results->responses[place]);
			__builtin_prefetch(&results->activity[place]);
			__builtin_prefetch(&results->audience[place]);
		}
	}
}

/* Where a table has a node; false if nowhere. */
static bool
find_place(const Publisher *pub, const Table *table, uint32 facet, NodeRef node, Place *at)
{
	uint32		number;
	const FacetRow *row;
	uint32		low = 0,
				high;

	if (node == NO_NODE)
		return false;
	number = blocks_number(pub->blocks, node);
	*at = (Place) {NO_FACET, number};
	if (table->published.facet == 0)
		return !results_absent(pub->results, number);
	if (facet == NO_FACET)
		return false;
	row = facet_rows(pub, facet);
	high = pub->labels->facet[facet].nodes;
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (row[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	*at = (Place) {facet, low};
	return low < pub->labels->facet[facet].nodes && row[low].number == number;
}

/* Note whether a table has never had rows, but for runs that failed. */
static void
note_fresh(Publisher *pub, ModelTable table, Writer *writer)
{
	if (pub->run == 1 || RelationGetNumberOfBlocks(writer_relation(writer)) == 0)
		pub->fresh |= 1 << table;
}

/* The facet of a published row, given that of the row before. */
static uint32
facet_of(const Publisher *pub, const Table *table, TupleTableSlot *old, uint32 before)
{
	text	   *value;
	LabelName	name;

	if (table->published.facet == 0 || SLOT_IS_NULL(old, table->published.facet))
		return NO_FACET;
	value = DatumGetTextPP(SLOT_VALUE(old, table->published.facet));
	name = (LabelName) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	if (before != NO_FACET)
	{
		LabelName	at = labels_facet_name(pub->labels, before);

		if (at.length == name.length && memcmp(at.bytes, name.bytes, name.length) == 0)
			return before;
	}
	return find_facet(pub, table, name);
}

/* Go through the published rows of a table, and note which there are. */
static void
renew_all(Publisher *pub, Table *table)
{
	Relation	rel = writer_relation(table->published.writer);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *new = writer_make_slot(table->published.writer);
	TupleTableSlot *old[BATCH];
	Id			id[BATCH];
	NodeRef		node[BATCH];
	uint32		facet[BATCH];
	Place		at[BATCH];
	bool		wanted[BATCH];
	uint32		last = NO_FACET;
	int			n;

	for (int i = 0; i < BATCH; i++)
		old[i] = writer_make_slot(table->published.writer);
	do
	{
		MemoryContext context = MemoryContextSwitchTo(pub->context);

		CHECK_FOR_INTERRUPTS();
		for (n = 0; n < BATCH && table_scan_getnextslot(scan, ForwardScanDirection, old[n]); n++)
		{
			Datum		user_id;

			slot_getallattrs(old[n]);
			if (SLOT_IS_NULL(old[n], table->published.user_id))
			{
				/* only without a primary key: nobody's row goes */
				writer_delete(table->published.writer, old[n--]);
				continue;
			}
			user_id = SLOT_VALUE(old[n], table->published.user_id);
			if (pub->model->id_type == ID_TEXT)
				user_id = PointerGetDatum(PG_DETOAST_DATUM_PACKED(user_id));
			id[n] = id_from_datum(pub->model->id_type, user_id);
			facet[n] = facet_of(pub, table, old[n], last);
			if (facet[n] != NO_FACET)
				last = facet[n];
		}
		ids_find(pub->ids, id, n, node);
		for (int i = 0; i < n; i++)
			if (node[i] != NO_NODE)
				blocks_prefetch_number(pub->blocks, node[i]);
		for (int i = 0; i < n; i++)
		{
			wanted[i] = find_place(pub, table, facet[i], node[i], &at[i]);
			if (!wanted[i])
				at[i] = (Place) {NO_FACET, 0};
		}
		prefetch_rows(pub, at, n);
		for (int i = 0; i < n; i++)
		{
			uint64		bit = wanted[i] ? bit_of(table, at[i]) : 0;
			PublishedRow row;

			/* a second row of a user, too, there can be only without one */
			if (!wanted[i] || table->seen[bit / 64] >> bit % 64 & 1)
			{
				writer_delete(table->published.writer, old[i]);
				pub->changed += table->published.facet == 0;
				continue;
			}
			table->seen[bit / 64] |= UINT64CONST(1) << bit % 64;
			if (table->published.facet == 0 && pub->results->due &&
				!(pub->results->due[bit / 64] >> bit % 64 & 1))
				continue;
			row = row_of(pub, at[i]);
			if (published_renew(&table->published, &pub->history, old[i], new, &row))
				pub->changed += table->published.facet == 0;
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

/* Insert those rows of a group of n that are not published. */
static void
insert_new(Publisher *pub, const Table *table, uint32 facet, uint32 n)
{
	IdType		type = pub->model->id_type;
	const FacetRow *facet_row = facet == NO_FACET ? NULL : facet_rows(pub, facet);
	Datum		facet_name = (Datum) 0;
	uint64	   *key,
			   *place;
	uint32		m = 0;
	Size		size;
	ArenaRef	ref;

#define SEEN(i) \
	(table->seen[bit_of(table, (Place) {facet, (i)}) / 64] >> \
	 bit_of(table, (Place) {facet, (i)}) % 64 & 1)
#define NODE(i)	pub->node[facet_row ? facet_row[i].number : (i)]

	for (uint32 i = 0; i < n; i++)
		m += !SEEN(i);
	if (m == 0)
		return;
	size = 4 * (Size) m * sizeof(uint64);
	ref = arena_alloc(pub->blocks->arena, size);
	key = arena_address(pub->blocks->arena, ref);
	place = key + m;
	m = 0;
	for (uint32 i = 0; i < n; i++)
		if (!SEEN(i))
		{
			Id			id;

			ids_get(pub->ids, NODE(i), &id);
			key[m] = id_sort_word(type, &id);
			place[m++] = i;
		}
	radix_sort(key, place, key + 2 * (Size) m, key + 3 * (Size) m, m, 64);
	if (facet_row)
	{
		LabelName	name = labels_facet_name(pub->labels, facet);

		facet_name = PointerGetDatum(cstring_to_text_with_len(name.bytes, name.length));
	}
	for (uint32 i = 0; i < m; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(pub->context);
		PublishedRow row;
		Id			id;

		if (i % AHEAD == 0)
		{
			Place		next[AHEAD];
			int			k = Min(AHEAD, m - i);

			for (int j = 0; j < k; j++)
			{
				next[j] = (Place) {facet, (uint32) place[i + j]};
				ids_prefetch(pub->ids, NODE(place[i + j]));
			}
			prefetch_rows(pub, next, k);
		}
		row = row_of(pub, (Place) {facet, (uint32) place[i]});
		ids_get(pub->ids, NODE(place[i]), &id);
		published_insert(&table->published, &pub->history, id_to_datum(type, &id), facet_name,
						 &row);
		pub->changed += facet_row == NULL;
		if (++pub->done % BATCH == 0)
			progress_done(pub->done);
		MemoryContextSwitchTo(old);
		MemoryContextReset(pub->context);
	}
	if (facet_row)
		pfree(DatumGetPointer(facet_name));
	arena_free(pub->blocks->arena, ref, size);
#undef SEEN
#undef NODE
}

/* Bring a table in line. */
static void
publish_table(Publisher *pub, Table *table)
{
	Arena	   *arena = pub->blocks->arena;
	Size		seen_size = (table->rows / 64 + 1) * sizeof(uint64);
	Size		entry_size = WRITER_ENTRY_SIZE * table->rows;
	ArenaRef	seen = arena_alloc(arena, seen_size);
	ArenaRef	entry = ARENA_NONE;

	table->seen = arena_address(arena, seen);
	memset(table->seen, 0, seen_size);
	if (table->published.facet == 0)
	{
		/* nothing is to be inserted for who takes no part */
		for (uint64 i = 0; i < table->rows; i++)
			table->seen[i / 64] |= (uint64) results_absent(pub->results, (uint32) i) << i % 64;
		/* every user's row may be changed or new, and be so only once */
		entry = arena_alloc(arena, entry_size);
		writer_defer_index(table->published.writer, table->published.score,
						   arena_address(arena, entry), table->rows);
	}
	renew_all(pub, table);
	if (table->published.facet == 0)
		insert_new(pub, table, NO_FACET, (uint32) table->rows);
	for (uint32 f = table->first; f < table->last; f++)
		insert_new(pub, table, f, pub->labels->facet[f].nodes);
	writer_close(table->published.writer);
	if (entry != ARENA_NONE)
		arena_free(arena, entry, entry_size);
	arena_free(arena, seen, seen_size);
}

/* Bring the table of the networks or topics in line. */
static void
publish_facets(Publisher *pub, FacetType type, Oid relid)
{
	Table		table = {0};

	if (!OidIsValid(relid))
		return;
	published_open(&table.published, pub->model, relid, facet_type_name[type]);
	note_fresh(pub, type == FACET_NETWORK ? TABLE_NETWORKS : TABLE_TOPICS, table.published.writer);
	if (pub->labels)
	{
		table.first = pub->labels->shared->facets_before[type];
		table.last = pub->labels->shared->facets_before[type + 1];
	}
	table.before = palloc((table.last - table.first + 1) * sizeof(uint64));
	for (uint32 f = table.first; f < table.last; f++)
	{
		table.before[f - table.first] = table.rows;
		table.rows += pub->labels->facet[f].nodes;
	}
	publish_table(pub, &table);
	pfree(table.before);
}

/*
 * Publish the results of a run that shows the state of a time.  labels, if
 * there are any, have the results of networks and topics.  Returns the number
 * of scores that changed, appeared or went, in the table of the whole graph,
 * and in *fresh which tables had never had rows, for publish_indexes.
 * Raises an error if the caller may not write the tables, or if they were
 * dropped or lost a column.
 */
int64
publish(const Model *model, Ids *ids, Blocks *blocks, const Results *results,
		const Labels *labels, int64 run, TimestampTz at, uint32 *fresh)
{
	Publisher	pub = {0};
	Table		table = {0};
	Arena	   *arena = blocks->arena;
	uint32		n = blocks->shared->nodes;
	Size		node_size = (Size) n * sizeof(NodeRef);
	ArenaRef	node = arena_alloc(arena, node_size);

	pub.model = model;
	pub.ids = ids;
	pub.blocks = blocks;
	pub.labels = labels;
	pub.results = results;
	pub.run = run;
	pub.node = arena_address(arena, node);
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 i = blocks->shared->base[p]; i < blocks->shared->base[p + 1]; i++)
			pub.node[blocks->number[i]] = p << NODE_PLACE_BITS | (i - blocks->shared->base[p]);
	pub.context = AllocSetContextCreate(CurrentMemoryContext, "influence publish",
										ALLOCSET_DEFAULT_SIZES);
	recorder_open(&pub.history, model, run, at);
	note_fresh(&pub, TABLE_HISTORY, pub.history.writer);
	published_open(&table.published, model, model->scores, NULL);
	note_fresh(&pub, TABLE_SCORES, table.published.writer);
	table.rows = n;
	publish_table(&pub, &table);
	writer_close(pub.history.writer);
	publish_facets(&pub, FACET_NETWORK, model->networks);
	publish_facets(&pub, FACET_TOPIC, model->topics);
	arena_free(arena, node, node_size);
	MemoryContextDelete(pub.context);
	*fresh = pub.fresh;
	return pub.changed;
}

/*
 * Make the indexes of a model's tables that are not there before the first
 * rows are: of those that were fresh, with so many workers at most.  The
 * server reports the progress of that.  Raises the errors of index_make.
 */
void
publish_indexes(const Model *model, uint32 fresh, int workers)
{
	static const char *const score[] = {"score"};
	static const char *const user_run[] = {"user_id", "run"};
	static const char *const network_user[] = {"network", "user_id"};
	static const char *const topic_user[] = {"topic", "user_id"};

	if (fresh & 1 << TABLE_SCORES)
		index_make(model->scores, score, lengthof(score), false, workers);
	if (fresh & 1 << TABLE_HISTORY)
		index_make(model->history, user_run, lengthof(user_run), true, workers);
	if (fresh & 1 << TABLE_NETWORKS)
		index_make(model->networks, network_user, lengthof(network_user), true, workers);
	if (fresh & 1 << TABLE_TOPICS)
		index_make(model->topics, topic_user, lengthof(topic_user), true, workers);
}
