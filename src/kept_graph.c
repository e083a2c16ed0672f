/*
 * kept_graph.c
 *	  A kept graph, or a network or topic of it, as rows for kernels.
 *
 * The kept rows are read twice: once to count, and once to fill arrays that
 * the caller provides, where workers may see them too.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "graph.h"
#include "kept_graph.h"

/* Reading all rows. */
typedef struct Reading
{
	KeptGraph  *graph;
	uint32		target;			/* number in the whole graph */
	const uint64 *offset;		/* by node: where its edges start */
	uint64	   *next;			/* where its next edge goes; or NULL: by target,
								 * as they come */
	uint64		edges;
	uint32	   *column;
	double	   *weight;			/* or NULL */
} Reading;

static void
take_row(void *context, KeptNode node)
{
	Reading    *reading = context;

	reading->target = kept_number(reading->graph->kept, node);
}

/* What the parts of a pair that count add up to; 0 if none does. */
static double
sum_parts(const KeptGraph *graph, const Part *part, int n)
{
	double		x = 0;

	for (int i = 0; i < n; i++)
		if (kept_counts(graph->kept, graph->view, part[i].label))
			x += part[i].x;
	return x;
}

/* First reading: who takes part, with how many edges. */
static void
count_pair(void *context, KeptNode source, const Part *part, int n)
{
	Reading    *reading = context;
	KeptGraph  *graph = reading->graph;
	uint32		number = kept_number(graph->kept, source);

	if (sum_parts(graph, part, n) == 0)
		return;
	graph->out_degree[number]++;
	graph->in_degree[reading->target]++;
	graph->edges++;
}

/* Bytes that a graph of so many nodes takes while it is open. */
static uint64
open_size(uint32 nodes)
{
	return (uint64) nodes * (sizeof(uint32) + 2 * sizeof(uint64) + sizeof(KeptNode));
}

/*
 * Read who takes part in a view of a kept graph, in the current memory
 * context.  Raises an error if that would take more than maintenance_work_mem.
 */
KeptGraph *
kept_graph_open(Kept *kept, const KeptView *view)
{
	const KeptHead *head = kept_head(kept);
	KeptGraph  *graph = palloc0(sizeof(KeptGraph));
	Reading		reading = {.graph = graph};
	uint32		number = 0;
	Size		degrees = Max(head->nodes, 1) * sizeof(uint64);

	graph_require_memory(open_size(head->nodes));
	graph->kept = kept;
	graph->view = view;
	graph->in_degree = palloc_extended(degrees, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	graph->out_degree = palloc_extended(degrees, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	graph->local = palloc_extended(Max(head->nodes, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	graph->node = palloc_extended(Max(head->nodes, 1) * sizeof(KeptNode), MCXT_ALLOC_HUGE);
	kept_rows(kept, take_row, count_pair, &reading);
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 row = 0; row < head->count[p]; row++, number++)
		{
			uint64		in = graph->in_degree[number];
			uint64		out = graph->out_degree[number];

			graph->local[number] = 0;
			if (in == 0 && out == 0)
				continue;
			graph->node[graph->nodes] = (KeptNode) {p, row};
			graph->in_degree[graph->nodes] = in;
			graph->out_degree[graph->nodes] = out;
			graph->local[number] = ++graph->nodes;
		}
	return graph;
}

/* Bytes that it takes already. */
uint64
kept_graph_size(const KeptGraph *graph)
{
	return open_size(kept_head(graph->kept)->nodes);
}

/*
 * Second reading: put the edge where it belongs.  There must be the edges that
 * were counted: row security may show other rows than before.
 */
static void
fill_pair(void *context, KeptNode source, const Part *part, int n)
{
	Reading    *reading = context;
	KeptGraph  *graph = reading->graph;
	double		x = sum_parts(graph, part, n);
	uint32		from = graph->local[kept_number(graph->kept, source)] - 1;
	uint32		to = graph->local[reading->target] - 1;
	uint64		e;

	if (x == 0)
		return;
	if (from == KEPT_NOBODY || to == KEPT_NOBODY ||
		(reading->next ? reading->next[from] == reading->offset[from + 1] :
		 reading->edges == reading->offset[to + 1]))
		kept_report_damaged(graph->kept, "edges");
	e = reading->next ? reading->next[from]++ : reading->edges;
	reading->edges++;
	reading->column[e] = reading->next ? to : from;
	if (reading->weight)
		reading->weight[e] = kept_head(graph->kept)->logarithmic ? log1p(x) : x;
}

/* After the second reading: was there everything that was counted? */
static void
check_all(const Reading *reading)
{
	if (reading->edges != reading->graph->edges)
		kept_report_damaged(reading->graph->kept, "edges");
}

/* Offsets from degrees. */
static void
add_up(const uint64 *degree, uint32 nodes, uint64 *offset)
{
	offset[0] = 0;
	for (uint32 v = 0; v < nodes; v++)
		offset[v + 1] = offset[v] + degree[v];
}

/*
 * Rows by target: offset has nodes + 1 elements, column (sources, in no
 * particular order) and weight (pair weights; or NULL) one for each edge.
 */
void
kept_graph_in(KeptGraph *graph, uint64 *offset, uint32 *column, double *weight)
{
	Reading		reading = {.graph = graph, .offset = offset, .column = column, .weight = weight};

	add_up(graph->in_degree, graph->nodes, offset);
	kept_rows(graph->kept, take_row, fill_pair, &reading);
	check_all(&reading);
}

/* The same by source, with targets in ascending order. */
void
kept_graph_out(KeptGraph *graph, uint64 *offset, uint32 *column, double *weight)
{
	Reading		reading = {.graph = graph, .offset = offset, .column = column, .weight = weight};

	add_up(graph->out_degree, graph->nodes, offset);
	reading.next = palloc_extended(Max(graph->nodes, 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	memcpy(reading.next, offset, graph->nodes * sizeof(uint64));
	kept_rows(graph->kept, take_row, fill_pair, &reading);
	check_all(&reading);
	pfree(reading.next);
}

/* Order of ids by partition and hash, for kept_graph_find_all. */
typedef struct Wanted
{
	uint64		hash;
	uint32		at;
} Wanted;

static int
compare_wanted(const void *a, const void *b)
{
	const Wanted *one = a;
	const Wanted *other = b;

	if (one->hash != other->hash)
		return one->hash < other->hash ? -1 : 1;
	return one->at < other->at ? -1 : one->at > other->at;
}

/*
 * The numbers of n users, KEPT_NOBODY for those who take no part: each
 * partition of ids is gone through once, however many are looked for.
 */
uint32 *
kept_graph_find_all(KeptGraph *graph, const Id *id, uint32 n)
{
	const KeptHead *head = kept_head(graph->kept);
	uint32	   *found = palloc_extended(Max(n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	Wanted	   *wanted = palloc_extended(Max(n, 1) * sizeof(Wanted), MCXT_ALLOC_HUGE);
	uint32		start = 0;

	for (uint32 i = 0; i < n; i++)
	{
		found[i] = KEPT_NOBODY;
		wanted[i] = (Wanted) {id[i].hash, i};
	}
	qsort(wanted, n, sizeof(Wanted), compare_wanted);
	for (uint32 p = 0; p < ID_PARTITIONS && start < n; p++)
	{
		uint32		end = start;

		while (end < n && ID_PARTITION(wanted[end].hash) == p)
			end++;
		for (uint32 row = 0; end > start && row < head->count[p]; row++)
		{
			Id			at;
			uint32		low = start,
						high = end;

			if (row % 4096 == 0)
				CHECK_FOR_INTERRUPTS();
			kept_id(graph->kept, (KeptNode) {p, row}, &at);
			id_set_hash(head->id_type, &at);
			while (low < high)
			{
				uint32		middle = low + (high - low) / 2;

				if (wanted[middle].hash < at.hash)
					low = middle + 1;
				else
					high = middle;
			}
			for (; low < end && wanted[low].hash == at.hash; low++)
				if (id_equal(head->id_type, &id[wanted[low].at], &at))
				{
					uint32		local = graph->local[kept_number(graph->kept, (KeptNode) {p, row})];

					found[wanted[low].at] = local == 0 ? KEPT_NOBODY : local - 1;
				}
		}
		start = end;
	}
	pfree(wanted);
	return found;
}
