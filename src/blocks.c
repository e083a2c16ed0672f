/*
 * blocks.c
 *	  Numbering the nodes of a graph, and making its edges into blocks.
 *
 * When all rows are read every process knows, for the rows it read, how many
 * edges each source has.  These counts are added up, and the nodes of each
 * partition are numbered in descending order of them (ties by hash): a rank
 * kernel reads the shares of the sources, and so finds the ones it reads most
 * side by side (csr.h, about slots).  Partition p has the numbers base[p] ..
 * base[p + 1] - 1, and its nodes are the rows of block p.  The numbers depend
 * on the set of edges only, not on the order of rows or on processes.
 *
 * A block is made from a bucket of edges by sorting it by (target, source) in
 * linear time and adding parallel edges up; then the pair weight is taken.
 * Buckets are freed as blocks are made.
 *
 * Memory, per pair: 4 bytes for the column and 8 for the weight, or 1 where
 * weights are a function of how often the pair occurred, at most 256 times in
 * the whole block.  While a block is made, 16 bytes (32 if weighted) for each
 * edge of the bucket, a sixty-fourth of all.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "blocks.h"
#include "compat.h"
#include "radix.h"

/*
 * From this part of all edges on, the blocks built from them are taken to say
 * what all will need; but not to be wrong by more than a tenth.
 */
#define PROJECT_FROM	0.125
#define PROJECT_SAFETY	0.9

/* What a pair weighs whose interactions add up to x. */
double
blocks_pair_weight(const BlocksShared *shared, double x)
{
	return shared->logarithmic ? log1p(x) : x;
}

/*
 * Set up in the leader once all nodes are known, count[p] of them in
 * partition p, which keep their order if ordered says so.  per_node is what
 * the caller will need for each node beside the blocks, in bytes,
 * per_node_after what it will need on top when the blocks are freed; raises an
 * error at once if that cannot fit.
 */
void
blocks_init(BlocksShared *shared, Arena *arena, const uint32 *count, bool ordered,
			bool logarithmic, uint32 per_node, uint32 per_node_after)
{
	uint64		nodes = 0;
	uint32		most = 0;
	double	   *dictionary;

	memset(shared, 0, sizeof(BlocksShared));
	shared->logarithmic = logarithmic;
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		shared->base[p] = (uint32) nodes;
		nodes += count[p];
		most = Max(most, count[p]);
		if (csr_slots(ID_PARTITIONS, most) >= NO_NODE)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many distinct user ids: at most about %llu are supported",
							(unsigned long long) UINT32_MAX)));
	}
	shared->base[ID_PARTITIONS] = shared->nodes = (uint32) nodes;
	shared->slots = (uint32) csr_slots(ID_PARTITIONS, most);
	/* what is used now, but the edges, stays until the blocks are done with */
	shared->beside = arena_used(arena) - pg_atomic_read_u64(&arena->control->passing) +
		nodes * sizeof(uint32) + shared->slots * (uint64) per_node;
	if (shared->beside + nodes * per_node_after > arena->control->limit)
		arena_report_limit(shared->beside + nodes * per_node_after, arena->control->limit);
	pg_atomic_init_u64(&shared->edges, 0);
	pg_atomic_init_u64(&shared->bytes, 0);
	pg_atomic_init_u64(&shared->edges_built, 0);
	shared->number = arena_alloc(arena, nodes * sizeof(uint32));
	if (ordered)
	{
		uint32	   *number = arena_address(arena, shared->number);

		for (uint32 i = 0; i < nodes; i++)
			number[i] = i;
	}
	else
	{
		shared->out_count = arena_alloc(arena, nodes * sizeof(uint32));
		memset(arena_address(arena, shared->out_count), 0, nodes * sizeof(uint32));
	}
	shared->dictionary = arena_alloc(arena, BLOCK_CODES * sizeof(double));
	dictionary = arena_address(arena, shared->dictionary);
	for (int i = 0; i < BLOCK_CODES; i++)
		dictionary[i] = blocks_pair_weight(shared, i + 1);
}

/* One process's access, in the current memory context. */
Blocks *
blocks_attach(BlocksShared *shared, Arena *arena)
{
	Blocks	   *blocks = palloc0(sizeof(Blocks));

	blocks->shared = shared;
	blocks->arena = arena;
	blocks->number = arena_address(arena, shared->number);
	if (shared->out_count != ARENA_NONE)
		blocks->out_count = arena_address(arena, shared->out_count);
	return blocks;
}

/* Add what this process counted to the counts of edges by source. */
void
blocks_count_sources(Blocks *blocks, Edges *edges)
{
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		uint32		base = blocks->shared->base[p];
		uint32		places = blocks->shared->base[p + 1] - base;
		uint32		n;
		const uint32 *count = edges_out_counts(edges, p, &n);

		for (uint32 i = 0; i < Min(n, places); i++)
			if (count[i] != 0)
				pg_atomic_fetch_add_u32((pg_atomic_uint32 *) &blocks->out_count[base + i],
										count[i]);
	}
	edges_forget_out_counts(edges);
}

/* Number the nodes of a partition. */
void
blocks_order(Blocks *blocks, Ids *ids, uint32 partition)
{
	uint32		base = blocks->shared->base[partition];
	uint32		n = blocks->shared->base[partition + 1] - base;
	Size		size = 4 * (Size) n * sizeof(uint64);
	uint64	   *key,
			   *place;

	if (n == 0)
		return;
	arena_reserve(blocks->arena, size);
	key = MemoryContextAllocHuge(CurrentMemoryContext, size);
	place = key + n;
	for (uint32 i = 0; i < n; i++)
	{
		Id			id;

		ids_get(ids, partition << NODE_PLACE_BITS | i, &id);
		key[i] = (uint64) ~blocks->out_count[base + i] << 32 | (uint32) id.hash;
		place[i] = i;
	}
	radix_sort(key, place, key + 2 * (Size) n, key + 3 * (Size) n, n, 64);
	for (uint32 i = 0; i < n; i++)
		blocks->number[base + place[i]] = base + i;
	pfree(key);
	arena_release(blocks->arena, size);
}

/* In the leader: all partitions are numbered, their counts can go. */
void
blocks_ordered(Blocks *blocks)
{
	arena_free(blocks->arena, blocks->shared->out_count,
			   (Size) blocks->shared->nodes * sizeof(uint32));
	blocks->shared->out_count = ARENA_NONE;
	blocks->out_count = NULL;
}

/*
 * A block of so many bytes was built from a bucket of so many edges.  Once
 * enough are, raise the error that all will not fit, if so, with what they
 * would need.
 */
static void
check_projection(Blocks *blocks, Size block_bytes, uint64 bucket_edges)
{
	BlocksShared *shared = blocks->shared;
	double		bytes = pg_atomic_add_fetch_u64(&shared->bytes, block_bytes);
	double		part = (double) pg_atomic_add_fetch_u64(&shared->edges_built, bucket_edges) /
		shared->edges_read;
	double		limit = blocks->arena->control->limit;

	if (part >= PROJECT_FROM && bytes / part * PROJECT_SAFETY + shared->beside > limit)
		arena_report_limit(bytes / part + shared->beside, limit);
}

/* The slot of a node, see csr_slot. */
static inline uint32
source_slot(const Blocks *blocks, NodeRef node)
{
	uint32		p = NODE_PARTITION(node);
	CsrBlock	block = {.lane = p, .lanes = ID_PARTITIONS};

	return csr_slot(&block, blocks_number(blocks, node) - blocks->shared->base[p]);
}

/* Order of parts of one pair: by label, then as they came. */
static int
compare_payloads(const void *a, const void *b)
{
	uint64		one = *(const uint64 *) a;
	uint64		other = *(const uint64 *) b;

	return one < other ? -1 : one > other;
}

/* Raise the error for such a pair. */
void
blocks_report_infinite_pair(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("weights of the interactions of one pair of users add up to infinity")));
}

/*
 * Make the bucket of a partition into its block, and pass its parts on, if
 * there is a consumer.  Raises an error when the weights of a pair add up to
 * infinity, or memory does not suffice.
 */
void
blocks_build(Blocks *blocks, Edges *edges, const Labels *labels, uint32 partition,
			 PartConsumer consumer, void *context)
{
	BlocksShared *shared = blocks->shared;
	Arena	   *arena = blocks->arena;
	BlockRefs  *refs = &shared->block[partition];
	EdgesShared *edges_shared = edges_info(edges);
	bool		weighted = edges_shared->weighted;
	bool		payloads = weighted || labels;
	uint32		base = shared->base[partition];
	uint32		nrows = shared->base[partition + 1] - base;
	uint64		m = edges_count(edges_shared, partition);
	int			source_bits = pg_leftmost_one_pos32(Max(shared->slots, 1)) + 1;
	int			row_bits = pg_leftmost_one_pos32(Max(nrows, 1)) + 1;
	Size		scratch = m * (sizeof(uint64) * (payloads ? 4 : 2) +
							   (labels && weighted ? sizeof(double) : 0) +
							   (labels ? sizeof(NodeRef) : 0));
	Size		parts_size = 0;
	Size		bytes = ((Size) nrows + 1) * sizeof(uint64);
	uint64		pairs = 0,
				parts = 0,
				most = 0,
				e = 0;
	uint64	   *key;
	uint64	   *payload;		/* weights; or, with labels, number of the label
								 * << 32 | where the weight is */
	double	   *weight;
	NodeRef    *label = NULL;
	Part	   *part = NULL;
	uint64	   *offset;
	uint32	   *column;
	double	   *out_weight = NULL;
	uint8	   *out_code = NULL;
	uint32		row = 0;

	if (nrows == 0)
		return;
	arena_reserve(arena, scratch);
	key = MemoryContextAllocHuge(CurrentMemoryContext, scratch + 1);
	payload = payloads ? key + 2 * m : NULL;
	weight = !weighted ? NULL : labels ? (double *) (key + 4 * m) : (double *) payload;
	if (labels)
	{
		label = (NodeRef *) (key + (weighted ? 5 : 4) * m);
		if (m > UINT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many interactions with a kind, network or topic")));
	}
	edges_take(edges, partition, key, weight, label);
	for (uint64 i = 0; i < m; i++)
	{
		uint32		target = blocks->number[base + EDGE_TARGET_PLACE(key[i])] - base;

		key[i] = (uint64) target << source_bits | source_slot(blocks, EDGE_SOURCE(key[i]));
		if (labels)
			payload[i] = (uint64) labels_number(labels, label[i]) << 32 | i;
	}
	CHECK_FOR_INTERRUPTS();
	radix_sort(key, payload, key + m, payloads ? key + 3 * m : NULL, m, source_bits + row_bits);
	CHECK_FOR_INTERRUPTS();

	for (uint64 i = 0, start = 0; i < m; i++)
		if (i + 1 == m || key[i + 1] != key[i])
		{
			if (labels)
			{
				if (i > start)
					qsort(payload + start, i + 1 - start, sizeof(uint64), compare_payloads);
				for (uint64 j = start; j < i; j++)
					parts += payload[j] >> 32 != payload[j + 1] >> 32;
			}
			parts++;
			pairs++;
			most = Max(most, i + 1 - start);
			start = i + 1;
		}
	if (consumer)
	{
		parts_size = parts * sizeof(Part);
		arena_reserve(arena, parts_size);
		part = MemoryContextAllocHuge(CurrentMemoryContext, parts_size + 1);
	}
	refs->offset = arena_alloc(arena, ((Size) nrows + 1) * sizeof(uint64));
	refs->column = arena_alloc(arena, pairs * sizeof(uint32));
	bytes += pairs * sizeof(uint32);
	offset = arena_address(arena, refs->offset);
	column = arena_address(arena, refs->column);
	if (!weighted && most <= BLOCK_CODES)
	{
		refs->code = arena_alloc(arena, pairs);
		out_code = arena_address(arena, refs->code);
		bytes += pairs;
	}
	else
	{
		refs->weight = arena_alloc(arena, pairs * sizeof(double));
		out_weight = arena_address(arena, refs->weight);
		bytes += pairs * sizeof(double);
	}
	offset[0] = 0;
	parts = 0;
	for (uint64 i = 0; i < m;)
	{
		uint32		target = (uint32) (key[i] >> source_bits);
		uint32		source = (uint32) (key[i] & ((UINT64CONST(1) << source_bits) - 1));
		uint64		start = i;
		double		x = 0;

		while (row < target)
			offset[++row] = e;
		do
		{
			uint64		first = i;
			double		sum = 0;

			do
				sum += !weighted ? 1 : labels ? weight[(uint32) payload[i]] : weight[i];
			while (++i < m && key[i] == key[start] &&
				   (!labels || payload[i] >> 32 == payload[first] >> 32));
			if (part)
			{
				part[parts].row = target;
				part[parts].source = source;
				part[parts].label = labels ? (uint32) (payload[first] >> 32) : 0;
				part[parts].rows = (uint32) Min(i - first, UINT32_MAX);
				part[parts].x = sum;
				parts++;
			}
			x += sum;
		} while (i < m && key[i] == key[start]);
		if (isinf(x))
			blocks_report_infinite_pair();
		column[e] = source;
		if (out_code)
			out_code[e] = (uint8) (i - start - 1);
		else
			out_weight[e] = blocks_pair_weight(shared, x);
		e++;
	}
	while (row < nrows)
		offset[++row] = e;
	pfree(key);
	arena_release(arena, scratch);
	if (part)
	{
		consumer(context, partition, part, parts);
		pfree(part);
		arena_release(arena, parts_size);
	}
	refs->room = shared->pairs[partition] = pairs;
	pg_atomic_fetch_add_u64(&shared->edges, pairs);
	check_projection(blocks, bytes, m);
}

/* Once all blocks are built: this process's addresses of them. */
void
blocks_resolve(Blocks *blocks)
{
	BlocksShared *shared = blocks->shared;
	Arena	   *arena = blocks->arena;

	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		BlockRefs  *refs = &shared->block[p];
		CsrBlock   *block = &blocks->block[p];

		memset(block, 0, sizeof(CsrBlock));
		block->first = shared->base[p];
		block->nrows = shared->base[p + 1] - shared->base[p];
		block->lane = p;
		block->lanes = ID_PARTITIONS;
		if (block->nrows == 0)
			continue;
		block->offset = arena_address(arena, refs->offset);
		block->column = arena_address(arena, refs->column);
		if (refs->weight != ARENA_NONE)
			block->weight = arena_address(arena, refs->weight);
		if (refs->code != ARENA_NONE)
		{
			block->code = arena_address(arena, refs->code);
			block->dictionary = arena_address(arena, shared->dictionary);
		}
#ifdef INFLUENCE_ASSERT
		if (!csr_valid(block, shared->nodes, shared->slots))
			elog(ERROR, "block %d is not valid", p);
#endif
	}
}

/* In the leader, when no process needs the blocks any more: free them. */
void
blocks_free(Blocks *blocks)
{
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		BlockRefs  *refs = &blocks->shared->block[p];
		CsrBlock   *block = &blocks->block[p];

		if (block->nrows > 0)
		{
			arena_free(blocks->arena, refs->column, refs->room * sizeof(uint32));
			arena_free(blocks->arena, refs->weight, refs->room * sizeof(double));
			arena_free(blocks->arena, refs->code, refs->room);
			arena_free(blocks->arena, refs->offset, ((Size) block->nrows + 1) * sizeof(uint64));
		}
		memset(refs, 0, sizeof(BlockRefs));
		memset(block, 0, sizeof(CsrBlock));
	}
}
