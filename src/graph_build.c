/*
 * graph_build.c
 *	  From edges in any order to a stored graph.
 *
 * Edges are appended to a buffer.  When it is full it is sorted and parallel
 * edges are combined; where that frees little, it grows instead, and the next
 * attempt is made at four times the size.  Sorting is by radix: ids are
 * mostly small or share their high bytes, and a byte that is the same in all
 * keys costs nothing.
 *
 * Building a value sorts and combines a last time, numbers the nodes by means
 * of a hash table, in order of appearance, sorts them by id, and renames the
 * targets: rows are then complete and in order.  A builder remains valid after
 * it, and more edges can be added.
 *
 * Memory: 16 bytes an edge, 24 with weights, and as much again while sorting.
 */
#include "graph_build.h"

#include "graph_codec.h"
#include "utils/memutils.h"

#define FIRST_CAPACITY	16
#define FIRST_COMBINE	(256 * 1024)
#define SMALL_SORT		64
#define SIGN_BIT		(UINT64CONST(1) << 63)

/* Finalizer of MurmurHash3 (public domain): all bits take part in the low ones. */
static inline uint32
hash_id(uint64 id)
{
	id ^= id >> 33;
	id *= UINT64CONST(0xff51afd7ed558ccd);
	id ^= id >> 33;
	id *= UINT64CONST(0xc4ceb9fe1a85ec53);
	id ^= id >> 33;
	return (uint32) id;
}

typedef struct NodeEntry
{
	uint64		id;
	uint32		number;
	char		status;
} NodeEntry;

#define SH_PREFIX		nodes
#define SH_ELEMENT_TYPE	NodeEntry
#define SH_KEY_TYPE		uint64
#define SH_KEY			id
#define SH_HASH_KEY(table, key)		hash_id(key)
#define SH_EQUAL(table, a, b)		((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

void
graph_builder_init(GraphBuilder *builder, MemoryContext context)
{
	memset(builder, 0, sizeof(*builder));
	builder->context = context;
	builder->combine_at = FIRST_COMBINE;
}

/* Forget all edges and nodes, and release their memory. */
void
graph_builder_reset(GraphBuilder *builder)
{
	if (builder->pair)
		pfree(builder->pair);
	if (builder->weight)
		pfree(builder->weight);
	if (builder->lone)
		pfree(builder->lone);
	graph_builder_init(builder, builder->context);
}

/* From here on weights are stored. */
static void
begin_weights(GraphBuilder *builder)
{
	builder->weight = MemoryContextAllocHuge(builder->context,
											 builder->capacity * sizeof(double));
	for (Size i = 0; i < builder->used; i++)
		builder->weight[i] = 1;
}

/* Insertion sort, stable as the radix sort is. */
static void
sort_few(GraphPair *pair, double *weight, Size n)
{
	for (Size i = 1; i < n; i++)
	{
		GraphPair	p = pair[i];
		double		w = weight ? weight[i] : 0;
		Size		k = i;

		for (; k > 0 && (pair[k - 1].source > p.source ||
						 (pair[k - 1].source == p.source && pair[k - 1].target > p.target)); k--)
		{
			pair[k] = pair[k - 1];
			if (weight)
				weight[k] = weight[k - 1];
		}
		pair[k] = p;
		if (weight)
			weight[k] = w;
	}
}

static inline int
digit(const GraphPair *pair, int pass)
{
	return (pass < 8 ? pair->target >> (8 * pass) : pair->source >> (8 * (pass - 8))) & 0xFF;
}

/*
 * Sort n pairs, with their weights unless those are NULL, by source and then
 * target; equal pairs keep their order.  The arrays have the given capacity
 * and are exchanged for others of the same where that is how it ends.
 */
static void
sort_pairs(GraphPair **pair, double **weight, Size n, Size capacity, MemoryContext context)
{
	GraphPair  *from = *pair;
	double	   *from_weight = *weight;
	GraphPair  *to;
	double	   *to_weight = NULL;
	Size		sorted = 1;
	Size	   *count;

	while (sorted < n && (from[sorted - 1].source < from[sorted].source ||
						  (from[sorted - 1].source == from[sorted].source &&
						   from[sorted - 1].target <= from[sorted].target)))
		sorted++;
	if (sorted >= n)
		return;
	if (n <= SMALL_SORT)
	{
		sort_few(from, from_weight, n);
		return;
	}

	count = palloc0(16 * 256 * sizeof(Size));
	for (Size i = 0; i < n; i++)
		for (int pass = 0; pass < 16; pass++)
			count[pass * 256 + digit(&from[i], pass)]++;
	to = MemoryContextAllocHuge(context, capacity * sizeof(GraphPair));
	if (from_weight)
		to_weight = MemoryContextAllocHuge(context, capacity * sizeof(double));

	for (int pass = 0; pass < 16; pass++)
	{
		Size	   *place = count + pass * 256;
		Size		sum = 0;
		GraphPair  *spare = from;
		double	   *spare_weight = from_weight;

		if (place[digit(&from[0], pass)] == n)
			continue;
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < 256; i++)
		{
			Size		here = place[i];

			place[i] = sum;
			sum += here;
		}
		if (from_weight)
			for (Size i = 0; i < n; i++)
			{
				Size		at = place[digit(&from[i], pass)]++;

				to[at] = from[i];
				to_weight[at] = from_weight[i];
			}
		else
			for (Size i = 0; i < n; i++)
				to[place[digit(&from[i], pass)]++] = from[i];
		from = to;
		to = spare;
		from_weight = to_weight;
		to_weight = spare_weight;
	}
	pfree(count);
	pfree(to);
	if (to_weight)
		pfree(to_weight);
	*pair = from;
	*weight = from_weight;
}

/* Sort the edges and add parallel ones up. */
static void
combine(GraphBuilder *builder)
{
	Size		kept = 0;

	sort_pairs(&builder->pair, &builder->weight, builder->used, builder->capacity,
			   builder->context);
	for (Size i = 0; i < builder->used; i++)
	{
		if (kept > 0 && builder->pair[kept - 1].source == builder->pair[i].source &&
			builder->pair[kept - 1].target == builder->pair[i].target)
		{
			double		sum;

			if (!builder->weight)
				begin_weights(builder);
			sum = builder->weight[kept - 1] + builder->weight[i];
			if (isinf(sum))
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("sum of the weights of edge (%lld, %lld) is out of range",
								(long long) (builder->pair[i].source ^ SIGN_BIT),
								(long long) (builder->pair[i].target ^ SIGN_BIT))));
			builder->weight[kept - 1] = sum;
			continue;
		}
		builder->pair[kept] = builder->pair[i];
		if (builder->weight)
			builder->weight[kept] = builder->weight[i];
		kept++;
	}
	builder->used = kept;
}

/* Make room for one more edge. */
static void
make_room(GraphBuilder *builder)
{
	Size		capacity;

	if (builder->used >= builder->combine_at)
	{
		combine(builder);
		/* even at a byte an edge this would be too large a value */
		if (builder->used > GRAPH_MOST_BYTES)
			graph_too_large(builder->used);
		builder->combine_at = builder->used > builder->combine_at / 4 * 3 ?
			builder->capacity * 4 : Max(builder->capacity, FIRST_COMBINE);
		if (builder->used <= builder->capacity / 4 * 3)
			return;
	}
	capacity = builder->capacity == 0 ? FIRST_CAPACITY : builder->capacity * 2;
	if (builder->pair)
		builder->pair = repalloc_huge(builder->pair, capacity * sizeof(GraphPair));
	else
		builder->pair = MemoryContextAllocHuge(builder->context, capacity * sizeof(GraphPair));
	if (builder->weight)
		builder->weight = repalloc_huge(builder->weight, capacity * sizeof(double));
	builder->capacity = capacity;
}

/* Add an edge; the weight is finite and positive. */
void
graph_builder_add(GraphBuilder *builder, int64 source, int64 target, double weight)
{
	if (builder->used == builder->capacity)
		make_room(builder);
	builder->pair[builder->used].source = (uint64) source ^ SIGN_BIT;
	builder->pair[builder->used].target = (uint64) target ^ SIGN_BIT;
	if (weight != 1 && !builder->weight)
		begin_weights(builder);
	if (builder->weight)
		builder->weight[builder->used] = weight;
	builder->used++;
}

/* Add a node, with or without edges. */
void
graph_builder_add_node(GraphBuilder *builder, int64 node)
{
	if (builder->nlone == builder->lone_capacity)
	{
		Size		capacity = Max(builder->lone_capacity * 2, FIRST_CAPACITY);

		if (builder->lone)
			builder->lone = repalloc_huge(builder->lone, capacity * sizeof(uint64));
		else
			builder->lone = MemoryContextAllocHuge(builder->context, capacity * sizeof(uint64));
		builder->lone_capacity = capacity;
	}
	builder->lone[builder->nlone++] = (uint64) node ^ SIGN_BIT;
}

/* The number of a node; a new one gets the next, and is listed in seen. */
static inline uint32
number_of(nodes_hash *table, GraphPair **seen, Size *capacity, uint64 id)
{
	bool		found;
	NodeEntry  *entry = nodes_insert(table, id, &found);

	if (!found)
	{
		uint32		n = table->members - 1;

		entry->number = n;
		if (n == *capacity)
		{
			*capacity *= 2;
			*seen = repalloc_huge(*seen, *capacity * sizeof(GraphPair));
		}
		(*seen)[n].source = id;
		(*seen)[n].target = n;
		return n;
	}
	return entry->number;
}

/*
 * The graph of all edges and nodes added so far, in the current memory
 * context.  Raises ERRCODE_PROGRAM_LIMIT_EXCEEDED if it is too large, and
 * ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE if parallel edges add up to infinity.
 */
InfluenceGraph *
graph_builder_build(GraphBuilder *builder)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "influence graph",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	GraphArrays out = {0};
	nodes_hash *table;
	GraphPair  *seen;
	double	   *no_weight = NULL;
	Size		capacity = 64;
	uint32	   *rank;
	uint32		source = 0;
	InfluenceGraph *graph;

	if (builder->used > 0)
		combine(builder);
	if (builder->used > GRAPH_MOST_BYTES)
		graph_too_large(builder->used);
	if (builder->nlone > GRAPH_MOST_BYTES)
		graph_too_large(builder->nlone);

	table = nodes_create(work, capacity, NULL);
	seen = MemoryContextAllocHuge(work, capacity * sizeof(GraphPair));
	out.edges = builder->used;
	out.column = MemoryContextAllocHuge(work, out.edges * sizeof(uint32));
	for (Size e = 0; e < builder->used; e++)
	{
		if (e % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (e == 0 || builder->pair[e].source != builder->pair[e - 1].source)
			number_of(table, &seen, &capacity, builder->pair[e].source);
		out.column[e] = number_of(table, &seen, &capacity, builder->pair[e].target);
	}
	for (Size i = 0; i < builder->nlone; i++)
		number_of(table, &seen, &capacity, builder->lone[i]);
	out.nodes = table->members;
	nodes_destroy(table);

	sort_pairs(&seen, &no_weight, out.nodes, capacity, work);
	rank = MemoryContextAllocHuge(work, (Size) out.nodes * sizeof(uint32));
	out.id = MemoryContextAllocHuge(work, (Size) out.nodes * sizeof(int64));
	for (uint32 v = 0; v < out.nodes; v++)
	{
		out.id[v] = (int64) (seen[v].source ^ SIGN_BIT);
		rank[seen[v].target] = v;
	}

	/* both are ascending: nodes, and the sources of the edges */
	out.offset = MemoryContextAllocHuge(work, ((Size) out.nodes + 1) * sizeof(uint64));
	out.offset[0] = 0;
	for (Size e = 0; e < builder->used; e++)
	{
		while (seen[source].source != builder->pair[e].source)
			out.offset[++source] = e;
		out.column[e] = rank[out.column[e]];
	}
	while (source < out.nodes)
		out.offset[++source] = out.edges;

	out.weight = builder->weight;
	out.equal = 1;
	MemoryContextSwitchTo(old);
	graph = graph_encode(&out);
	MemoryContextDelete(work);
	return graph;
}
