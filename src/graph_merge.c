/*
 * graph_merge.c
 *	  The sum of many stored graphs.
 *
 * Merging: the sorted node ids of all inputs are united; every input then has
 * an ascending map from its own node numbers to those of the result, so that
 * its rows, read once from front to back, are in the right order already.  A
 * row of the result that only one input has is copied through the map; one
 * that several have is gathered and merged pairwise.  Nothing is sorted.
 *
 * A pile collects values and merges them when there are many or they are
 * large, but only those at its end that are together as large as the one
 * before them: adding up k equal graphs reads each about log k times at worst,
 * and just once if they are few.
 */
#include "graph_merge.h"

#include <math.h>

#include "graph_codec.h"
#include "utils/memutils.h"

#define PILE_COUNT		256
#define PILE_BYTES		((Size) 256 * 1024 * 1024)

/* An edge of the row in work, as the result numbers nodes. */
typedef struct RowEdge
{
	uint32		target;
	double		weight;
} RowEdge;

/* A growing array of edges in order: the columns and weights of the result. */
typedef struct EdgeOutput
{
	GraphArrays *out;
	Size		capacity;
} EdgeOutput;

/* Memory of merge_rows, reused from row to row. */
typedef struct RowWork
{
	RowEdge    *edge[2];		/* [edges], the second one for merging into */
	Size		edges;
	Size	   *start[2];		/* [number of inputs + 1] where runs begin */
} RowWork;

/*
 * Unite ascending arrays of ids: run i is id[start[i]] .. id[start[i + 1] - 1].
 * Merges neighbours, and again their results, between two arrays of the given
 * total length.  Returns the array that the result is in.
 */
static int64 *
unite_ids(int64 *id, int64 *spare, Size *start, int count, Size *length)
{
	while (count > 1)
	{
		Size		to = 0;
		int			runs = 0;
		int64	   *swap = id;

		for (int i = 0; i < count; i += 2)
		{
			Size		a = start[i];
			Size		a_end = start[i + 1];
			Size		b = a_end;
			Size		b_end = i + 1 < count ? start[i + 2] : a_end;

			CHECK_FOR_INTERRUPTS();
			start[runs++] = to;
			while (a < a_end && b < b_end)
			{
				int64		x = id[a];
				int64		y = id[b];

				spare[to++] = x < y ? x : y;
				a += x <= y;
				b += y <= x;
			}
			while (a < a_end)
				spare[to++] = id[a++];
			while (b < b_end)
				spare[to++] = id[b++];
		}
		start[runs] = to;
		count = runs;
		id = spare;
		spare = swap;
	}
	*length = start[1] - start[0];
	return id;
}

/* Where each of the ids is in all, both ascending. */
static void
map_ids(const int64 *id, uint32 n, const int64 *all, Size length, uint32 *map)
{
	Size		at = 0;

	for (uint32 v = 0; v < n; v++)
	{
		Size		step = 1;
		Size		high;

		/* gallop, then halve: cheap for near and for far ones */
		while (at + step < length && all[at + step] <= id[v])
		{
			at += step;
			step *= 2;
		}
		high = Min(at + step, length);
		while (high - at > 1)
		{
			Size		middle = at + (high - at) / 2;

			if (all[middle] <= id[v])
				at = middle;
			else
				high = middle;
		}
		map[v] = (uint32) at;
	}
}

static inline void
put_edge(EdgeOutput *output, uint32 target, double weight)
{
	GraphArrays *out = output->out;

	if (out->edges == output->capacity)
	{
		output->capacity *= 2;
		out->column = repalloc_huge(out->column, output->capacity * sizeof(uint32));
		out->weight = repalloc_huge(out->weight, output->capacity * sizeof(double));
	}
	out->column[out->edges] = target;
	out->weight[out->edges] = weight;
	out->edges++;
}

/*
 * Merge runs of edges, each ascending by target, into one.  Of equal targets
 * the weights add up, always in the same order.  Returns which of work->edge
 * holds the result, and its length.
 */
static int
merge_rows(RowWork *work, int count, Size *length)
{
	int			side = 0;

	while (count > 1)
	{
		const RowEdge *from = work->edge[side];
		const Size *start = work->start[side];
		RowEdge    *to = work->edge[!side];
		Size	   *to_start = work->start[!side];
		Size		n = 0;
		int			runs = 0;

		for (int i = 0; i < count; i += 2)
		{
			Size		a = start[i];
			Size		a_end = start[i + 1];
			Size		b = a_end;
			Size		b_end = i + 1 < count ? start[i + 2] : a_end;

			to_start[runs++] = n;
			while (a < a_end && b < b_end)
			{
				if (from[a].target < from[b].target)
					to[n++] = from[a++];
				else if (from[a].target > from[b].target)
					to[n++] = from[b++];
				else
				{
					to[n] = from[a++];
					to[n++].weight += from[b++].weight;
				}
			}
			while (a < a_end)
				to[n++] = from[a++];
			while (b < b_end)
				to[n++] = from[b++];
		}
		to_start[runs] = n;
		count = runs;
		side = !side;
	}
	*length = work->start[side][1];
	return side;
}

/*
 * The row that several inputs have: their rows together.  id is for errors.
 */
static void
put_merged_row(EdgeOutput *output, RowWork *work, GraphReader *reader,
			   uint32 *const *map, const uint32 *input, int count,
			   const int64 *id, uint32 source)
{
	Size		n = 0;
	int			side;

	for (int i = 0; i < count; i++)
	{
		GraphReader *from = &reader[input[i]];
		uint32		degree = graph_read_row(from);

		work->start[0][i] = n;
		if (n + degree > work->edges)
		{
			work->edges = Max(n + degree, work->edges * 2);
			work->edge[0] = repalloc_huge(work->edge[0], work->edges * sizeof(RowEdge));
			work->edge[1] = repalloc_huge(work->edge[1], work->edges * sizeof(RowEdge));
		}
		for (; degree > 0; degree--, n++)
		{
			double		weight;

			work->edge[0][n].target = map[input[i]][graph_read_edge(from, &weight)];
			work->edge[0][n].weight = weight;
		}
	}
	work->start[0][count] = n;
	side = merge_rows(work, count, &n);
	for (Size i = 0; i < n; i++)
	{
		const RowEdge *edge = &work->edge[side][i];

		if (isinf(edge->weight))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("sum of the weights of edge (%lld, %lld) is out of range",
							(long long) id[source], (long long) id[edge->target])));
		put_edge(output, edge->target, edge->weight);
	}
}

/*
 * The sum of so many graphs, at least one, in the current memory context.
 *
 * Memory: 24 bytes a node of each input, 12 to 24 an edge of the result.
 * Raises ERRCODE_PROGRAM_LIMIT_EXCEEDED if the sum is too large for a value,
 * ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE if weights add up to infinity.
 */
InfluenceGraph *
graph_merge(InfluenceGraph *const *graph, int count)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "influence graph sum",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	GraphReader *reader = palloc(count * sizeof(GraphReader));
	uint32	  **map = palloc(count * sizeof(uint32 *));
	Size	   *start = palloc((count + 1) * sizeof(Size));
	Size	   *run = palloc((count + 1) * sizeof(Size));
	GraphArrays out = {0};
	EdgeOutput	output = {.out = &out};
	RowWork		rows;
	int64	   *id;
	int64	   *spare[2];
	uint32	   *numbers;
	uint64	   *place;
	uint32	   *input;
	Size		total = 0;
	Size		length;
	InfluenceGraph *sum;

	for (int i = 0; i < count; i++)
	{
		AssertGraph(graph[i]);
		graph_reader_init(&reader[i], graph[i]);
		start[i] = total;
		total += graph[i]->nodes;
		output.capacity = Max(output.capacity, graph[i]->edges);
	}
	start[count] = total;

	/* nodes: id has those of all inputs, out.id those of the result */
	id = MemoryContextAllocHuge(work, total * sizeof(int64));
	spare[0] = MemoryContextAllocHuge(work, total * sizeof(int64));
	spare[1] = MemoryContextAllocHuge(work, total * sizeof(int64));
	for (int i = 0; i < count; i++)
		graph_read_ids(&reader[i], id + start[i]);
	memcpy(spare[0], id, total * sizeof(int64));
	memcpy(run, start, (count + 1) * sizeof(Size));
	out.id = unite_ids(spare[0], spare[1], run, count, &length);
	pfree(out.id == spare[0] ? spare[1] : spare[0]);
	if (length > GRAPH_MOST_BYTES)
		graph_too_large(length);
	out.nodes = length;
	numbers = MemoryContextAllocHuge(work, total * sizeof(uint32));
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		map[i] = numbers + start[i];
		map_ids(id + start[i], graph[i]->nodes, out.id, length, map[i]);
	}
	pfree(id);

	/* which inputs have a node: input[place[v]] .. input[place[v + 1] - 1] */
	place = MemoryContextAllocHuge(work, (length + 2) * sizeof(uint64));
	memset(place, 0, (length + 2) * sizeof(uint64));
	for (Size i = 0; i < total; i++)
		place[numbers[i] + 2]++;
	for (Size v = 0; v < length; v++)
		place[v + 2] += place[v + 1];
	input = MemoryContextAllocHuge(work, total * sizeof(uint32));
	for (int i = 0; i < count; i++)
		for (uint32 v = 0; v < graph[i]->nodes; v++)
			input[place[map[i][v] + 1]++] = i;

	output.capacity = Max(output.capacity, 64);
	out.offset = MemoryContextAllocHuge(work, (length + 1) * sizeof(uint64));
	out.column = MemoryContextAllocHuge(work, output.capacity * sizeof(uint32));
	out.weight = MemoryContextAllocHuge(work, output.capacity * sizeof(double));
	rows.edges = 1024;
	rows.edge[0] = palloc(rows.edges * sizeof(RowEdge));
	rows.edge[1] = palloc(rows.edges * sizeof(RowEdge));
	rows.start[0] = palloc((count + 1) * sizeof(Size));
	rows.start[1] = palloc((count + 1) * sizeof(Size));
	for (uint32 v = 0; v < out.nodes; v++)
	{
		int			inputs = place[v + 1] - place[v];

		CHECK_FOR_INTERRUPTS();
		out.offset[v] = out.edges;
		if (inputs == 1)
		{
			GraphReader *from = &reader[input[place[v]]];
			const uint32 *renamed = map[input[place[v]]];

			for (uint32 degree = graph_read_row(from); degree > 0; degree--)
			{
				double		weight;
				uint32		target = renamed[graph_read_edge(from, &weight)];

				put_edge(&output, target, weight);
			}
		}
		else
			put_merged_row(&output, &rows, reader, map, input + place[v], inputs,
						   out.id, v);
	}
	out.offset[out.nodes] = out.edges;
	for (int i = 0; i < count; i++)
		graph_read_end(&reader[i]);
	if (out.edges > GRAPH_MOST_BYTES)
		graph_too_large(out.edges);

	MemoryContextSwitchTo(old);
	sum = graph_encode(&out);
	MemoryContextDelete(work);
	return sum;
}

void
graph_pile_init(GraphPile *pile, MemoryContext context)
{
	memset(pile, 0, sizeof(*pile));
	pile->context = context;
}

/* Replace the values from the first'th on by their sum. */
static void
merge_tail(GraphPile *pile, int first)
{
	MemoryContext old = MemoryContextSwitchTo(pile->context);
	InfluenceGraph *sum = graph_merge(pile->value + first, pile->count - first);

	MemoryContextSwitchTo(old);
	for (int i = first; i < pile->count; i++)
		pfree(pile->value[i]);
	pile->value[first] = sum;
	pile->count = first + 1;
}

/* Add a graph; it is copied. */
void
graph_pile_add(GraphPile *pile, const InfluenceGraph *graph)
{
	Size		size = VARSIZE(graph);
	InfluenceGraph *copy = MemoryContextAlloc(pile->context, size);

	memcpy(copy, graph, size);
	if (pile->count == pile->capacity)
	{
		int			capacity = Max(pile->capacity * 2, 4);

		if (pile->value)
			pile->value = repalloc(pile->value, capacity * sizeof(InfluenceGraph *));
		else
			pile->value = MemoryContextAlloc(pile->context,
											 capacity * sizeof(InfluenceGraph *));
		pile->capacity = capacity;
	}
	pile->value[pile->count++] = copy;
	pile->pending += size;

	if (pile->count >= PILE_COUNT || pile->pending >= PILE_BYTES)
	{
		int			first = pile->count - 1;
		Size		tail = size;

		/*
		 * The longest tail whose first value is no larger than the others
		 * together; equal ones go in one step.
		 */
		for (int i = pile->count - 2; i >= 0; i--)
		{
			if (VARSIZE(pile->value[i]) <= tail)
				first = i;
			tail += VARSIZE(pile->value[i]);
		}
		if (first < pile->count - 1)
			merge_tail(pile, first);
		pile->pending = 0;
	}
}

/*
 * The sum of all values, at least one.  It belongs to the pile, which holds
 * it instead of what it is the sum of.
 */
InfluenceGraph *
graph_pile_sum(GraphPile *pile)
{
	if (pile->count > 1)
		merge_tail(pile, 0);
	pile->pending = 0;
	return pile->value[0];
}
