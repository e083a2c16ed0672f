/*
 * facets.c
 *	  The graphs of networks and topics, their ranks and scores.
 *
 * When a block of the whole graph is built its parts, each of one pair and one
 * label, are dealt out to the facets of their labels: facets_collect keeps
 * them by block and facet, 16 bytes each.  So what a facet has of a block is
 * in the order of the block's rows, and what it has of all blocks, one after
 * the other, in the order of node numbers: a facet's graph is put together in
 * linear time and needs no sorting but of its users.
 *
 * One process solves a facet (facets_solve), largest facets first; processes
 * work on facets side by side.  What a facet costs depends on its edges and
 * users alone: the arrays over all nodes are left as they were found.
 *
 * Users of a facet are those who have an edge in it, numbered in it in the
 * order of their numbers in the whole graph.  Order and sums do not depend on
 * how many processes there are.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "facets.h"
#include "radix.h"
#include "rank_alone.h"
#include "score.h"

typedef struct FacetEdge
{
	uint32		source;			/* numbers in the whole graph */
	uint32		target;
	double		x;
} FacetEdge;

/* One process's access, in the current memory context, once facets are known. */
Facets *
facets_attach(FacetsShared *shared, Labels *labels, Blocks *blocks)
{
	Facets	   *facets = palloc0(sizeof(Facets));

	facets->shared = shared;
	facets->arena = labels->arena;
	facets->labels = labels;
	facets->blocks = blocks;
	return facets;
}

/* An array of counters, all 0, that stays with the process. */
static uint32 *
counters(Facets *facets, uint32 n)
{
	Size		size = Max(n, 1) * sizeof(uint32);

	arena_reserve(facets->arena, size);
	return MemoryContextAllocExtended(GetMemoryChunkContext(facets), size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* Deal the parts of a block out to the facets of their labels. */
void
facets_collect(Facets *facets, uint32 partition, const Part *part, uint64 n)
{
	const Labels *labels = facets->labels;
	BlocksShared *blocks = facets->blocks->shared;
	Arena	   *arena = facets->arena;
	FacetBlock *block = &facets->shared->block[partition];
	uint32		base = blocks->base[partition];
	uint32	   *facet;
	uint64	   *offset;
	FacetEdge  *edge;
	uint64		sum = 0;

	if (labels->shared->facets == 0)
		return;
	if (facets->count == NULL)
		facets->count = counters(facets, labels->shared->facets);
	for (uint64 i = 0; i < n; i++)
		for (uint32 j = labels->facet_offset[part[i].label];
			 j < labels->facet_offset[part[i].label + 1]; j++)
			facets->count[labels->facet_of[j]]++;
	block->facets = 0;
	for (uint32 f = 0; f < labels->shared->facets; f++)
		block->facets += facets->count[f] > 0;
	block->facet = arena_alloc(arena, block->facets * sizeof(uint32));
	block->offset = arena_alloc(arena, ((Size) block->facets + 1) * sizeof(uint64));
	facet = arena_address(arena, block->facet);
	offset = arena_address(arena, block->offset);
	block->facets = 0;
	for (uint32 f = 0; f < labels->shared->facets; f++)
	{
		uint32		count = facets->count[f];

		if (count == 0)
			continue;
		facet[block->facets] = f;
		offset[block->facets] = sum;
		sum += count;
		pg_atomic_fetch_add_u64(&labels->facet[f].parts, count);
		facets->count[f] = block->facets++;
	}
	offset[block->facets] = sum;
	block->edge = arena_alloc(arena, sum * sizeof(FacetEdge));
	edge = arena_address(arena, block->edge);

	/* offset[i] serves as the place of the next edge of facet i */
	for (uint64 i = 0; i < n; i++)
		for (uint32 j = labels->facet_offset[part[i].label];
			 j < labels->facet_offset[part[i].label + 1]; j++)
		{
			FacetEdge  *to = &edge[offset[facets->count[labels->facet_of[j]]]++];

			to->source = blocks_number_of_slot(blocks, part[i].source);
			to->target = base + part[i].row;
			to->x = part[i].x;
		}
	for (uint32 i = block->facets; i > 0; i--)
		offset[i] = offset[i - 1];
	offset[0] = 0;
	memset(facets->count, 0, labels->shared->facets * sizeof(uint32));
}

/* In the leader, when all blocks are built: say which facets come first. */
void
facets_order(Facets *facets)
{
	const Labels *labels = facets->labels;
	uint32		n = labels->shared->facets;
	uint32	   *order;
	uint64	   *key = MemoryContextAllocHuge(CurrentMemoryContext, 4 * (Size) n * sizeof(uint64) + 1);

	facets->shared->order = arena_alloc(facets->arena, n * sizeof(uint32));
	order = arena_address(facets->arena, facets->shared->order);
	for (uint32 f = 0; f < n; f++)
	{
		key[f] = ~pg_atomic_read_u64(&labels->facet[f].parts);
		(key + n)[f] = f;
	}
	radix_sort(key, key + n, key + 2 * (Size) n, key + 3 * (Size) n, n, 64);
	for (uint32 f = 0; f < n; f++)
		order[f] = (uint32) (key + n)[f];
	pfree(key);
}

/* --- solving one facet --------------------------------------------------- */

/* The graph of a facet, while it is solved. */
typedef struct Solving
{
	uint32		nodes;
	uint32	   *number;			/* [nodes] in the whole graph, ascending */
	uint64		edges;			/* pairs */
	CsrBlock	csr;
	double	   *out_weight;
	double	   *restart;
	double	   *rank;
	double	   *share[2];
	uint64	   *scratch[4];
} Solving;

/* The edges that a facet has of a block; their number is returned. */
static uint64
edges_of(const Facets *facets, int b, uint32 f, const FacetEdge **edge)
{
	const FacetBlock *block = &facets->shared->block[b];
	const uint32 *facet = block->facets ? arena_address(facets->arena, block->facet) : NULL;
	const uint64 *offset;
	uint32		low = 0,
				high = block->facets;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (facet[middle] < f)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == block->facets || facet[low] != f)
		return 0;
	offset = arena_address(facets->arena, block->offset);
	*edge = (const FacetEdge *) arena_address(facets->arena, block->edge) + offset[low];
	return offset[low + 1] - offset[low];
}

/*
 * Number the users of a facet: facets->local becomes their number in it + 1,
 * and so for them only.
 */
static void
number_users(Facets *facets, uint32 f, uint64 edges, Solving *s)
{
	uint32		all = facets->blocks->shared->nodes;
	uint32	   *local = facets->local;
	uint64		most = Min(2 * edges, all);
	uint64	   *met = MemoryContextAllocHuge(CurrentMemoryContext, most * 2 * sizeof(uint64));
	uint32		n = 0;

	for (int b = 0; b < ID_PARTITIONS; b++)
	{
		const FacetEdge *edge;
		uint64		m = edges_of(facets, b, f, &edge);

		for (uint64 i = 0; i < m; i++)
		{
			if (local[edge[i].source] == 0)
				local[met[n++] = edge[i].source] = 1;
			if (local[edge[i].target] == 0)
				local[met[n++] = edge[i].target] = 1;
		}
	}
	radix_sort(met, NULL, met + most, NULL, n, 32);
	s->nodes = n;
	s->number = palloc_extended(Max(n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < n; i++)
	{
		s->number[i] = (uint32) met[i];
		local[met[i]] = i + 1;
	}
	pfree(met);
}

/* Make the edges of a facet into rows, adding up the parts of each pair. */
static void
build_rows(Facets *facets, uint32 f, uint64 edges, Solving *s)
{
	const uint32 *local = facets->local;
	uint64	   *offset = palloc_extended(((Size) s->nodes + 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	uint32	   *column = palloc_extended(edges * sizeof(uint32), MCXT_ALLOC_HUGE);
	double	   *weight = palloc_extended(edges * sizeof(double), MCXT_ALLOC_HUGE);
	uint64		e = 0;
	uint32		row = 0;

	offset[0] = 0;
	for (int b = 0; b < ID_PARTITIONS; b++)
	{
		const FacetEdge *edge;
		uint64		m = edges_of(facets, b, f, &edge);

		for (uint64 i = 0; i < m;)
		{
			uint32		source = edge[i].source;
			uint32		target = edge[i].target;
			double		x = 0;

			while (row < local[target] - 1)
				offset[++row] = e;
			do
				x += edge[i].x;
			while (++i < m && edge[i].source == source && edge[i].target == target);
			column[e] = local[source] - 1;
			weight[e++] = blocks_pair_weight(facets->blocks->shared, x);
		}
		CHECK_FOR_INTERRUPTS();
	}
	while (row < s->nodes)
		offset[++row] = e;
	s->edges = e;
	s->csr = (CsrBlock)
	{
		.nrows = s->nodes, .lanes = 1, .offset = offset, .column = column, .weight = weight
	};
}

/* A RestartRunner. */
static void
run_restart(RestartProblem *problem, RestartStep step, void *context)
{
	if (restart_by_source(step))
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < OUT_SUMS; i++)
			restart_clear(problem, i);
		restart_scatter(problem, step, 0);
	}
	else
		for (size_t i = 0; i < problem->nchunks; i++)
		{
			CHECK_FOR_INTERRUPTS();
			/* the whole graph has been through this, and nothing was infinite */
			(void) restart_chunk(problem, step, i);
		}
}

/* Out-weights, and the restart distribution. */
static void
weigh(const FacetsShared *shared, Solving *s)
{
	RestartControl control;
	RestartProblem problem = {
		.rule = shared->restart,
		.nodes = s->nodes,
		.slots = s->nodes,
		.block = &s->csr,
		.nblocks = 1,
		.nchunks = csr_chunks(&s->csr, 1, NULL),
		.out_weight = s->out_weight,
		.restart = s->restart,
		.work = {s->rank, s->share[0], s->share[1]},
		.control = &control
	};
	CsrChunk   *chunk = palloc((problem.nchunks + 1) * sizeof(CsrChunk));

	(void) csr_chunks(&s->csr, 1, chunk);
	problem.chunk = chunk;
	problem.partial = palloc((problem.nchunks + 1) * sizeof(RestartPartial));
	(void) restart_solve(&problem, run_restart, NULL);
}

/* Ranks; returns where everybody's receipts are. */
static double *
rank(const FacetsShared *shared, Facet *facet, Solving *s)
{
	RankControl control = {0};
	RankProblem problem = {
		.nodes = s->nodes,
		.block = &s->csr,
		.out_weight = s->out_weight,
		.restart = shared->restart == RESTART_UNIFORM ? NULL : s->restart,
		.damping = shared->damping,
		.rank = s->rank,
		.share = {s->share[0], s->share[1]},
		.control = &control
	};
	double	   *received;

	facet->converged = rank_alone(&problem, shared->tolerance, shared->max_iterations, &received);
	return received;
}

/* From receipts to what is published; takes the scale if there is none. */
static void
score(const FacetsShared *shared, Facet *facet, Solving *s, double *influence, FacetRow *row)
{
	uint32		n = s->nodes;
	float	   *percentile = (float *) s->restart;
	double		most = 0,
				sum = 0,
				responses = 0;

	for (uint32 v = 0; v < n; v++)
	{
		row[v].responses = 0;
		for (uint64 e = s->csr.offset[v]; e < s->csr.offset[v + 1]; e++)
			row[v].responses += s->csr.weight[e];
		row[v].audience = (uint32) (s->csr.offset[v + 1] - s->csr.offset[v]);
		sum += influence[v];
		responses += row[v].responses;
	}
	facet->units = score_units(&shared->mixture, sum * n, responses, (double) s->edges);
	sum = 0;
	for (uint32 v = 0; v < n; v++)
	{
		influence[v] = score_settle(facet->units.rank * n * influence[v] +
									facet->units.response * row[v].responses +
									facet->units.person * row[v].audience);
		most = Max(most, influence[v]);
		sum += influence[v];
	}
	if ((shared->rescale || !(facet->reference > 0)) && most > 0)
	{
		facet->reference = most;
		facet->c = sum / n / 10;
		facet->scale_taken = true;
	}
	score_percentiles(influence, n, n, percentile, s->scratch);
	for (uint32 v = 0; v < n; v++)
	{
		double		scored = score_of(influence[v], facet->reference, facet->c);

		facet->beyond += influence[v] > facet->reference;
		row[v].number = s->number[v];
		row[v].influence = influence[v];
		row[v].activity = s->out_weight[v];
		row[v].voice = s->out_weight[v] > 0 ? n * s->rank[v] / s->out_weight[v] : 0;
		row[v].score = (float) Min(scored, SCORE_MOST);
		row[v].percentile = percentile[v];
		row[v].relevance = 0;
	}
	/* ties must be ties in spite of the order of sums */
	for (uint32 v = 0; v < n; v++)
		influence[v] = score_settle(s->out_weight[v]);
	score_percentiles(influence, n, n, percentile, s->scratch);
	for (uint32 v = 0; v < n; v++)
		row[v].enthusiasm = percentile[v];
}

/* Task: the scores of a facet.  Items are facets, in order. */
void
facets_solve(Facets *facets, uint64 item)
{
	FacetsShared *shared = facets->shared;
	Arena	   *arena = facets->arena;
	uint32		f = ((uint32 *) arena_address(arena, shared->order))[item];
	Facet	   *facet = &facets->labels->facet[f];
	uint64		edges = pg_atomic_read_u64(&facet->parts);
	uint64		most = Min(2 * edges, facets->blocks->shared->nodes);
	Size		size = edges * (sizeof(uint32) + sizeof(double)) +
		most * (sizeof(uint32) + sizeof(uint64) * 10);
	MemoryContext context,
				old;
	Solving		s = {0};
	double	   *received;

	if (facets->local == NULL)
		facets->local = counters(facets, facets->blocks->shared->nodes);
	arena_reserve(arena, size);
	context = AllocSetContextCreate(CurrentMemoryContext, "influence facet", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	number_users(facets, f, edges, &s);
	build_rows(facets, f, edges, &s);
#ifdef INFLUENCE_ASSERT
	if (s.csr.offset[s.nodes] != s.edges)
		elog(ERROR, "rows of facet %u are not valid", f);
#endif
	for (uint32 v = 0; v < s.nodes; v++)
		facets->local[s.number[v]] = 0;
	{
		double	  **array[] = {&s.out_weight, &s.restart, &s.rank, &s.share[0], &s.share[1]};
		Size		bytes = Max(s.nodes, 1) * sizeof(double);

		for (int i = 0; i < lengthof(array); i++)
			*array[i] = palloc_extended(bytes, MCXT_ALLOC_HUGE);
		for (int i = 0; i < lengthof(s.scratch); i++)
			s.scratch[i] = palloc_extended(bytes, MCXT_ALLOC_HUGE);
	}
	weigh(shared, &s);
	received = rank(shared, facet, &s);
	facet->nodes = s.nodes;
	facet->rows = arena_alloc(arena, s.nodes * sizeof(FacetRow));
	score(shared, facet, &s, received, arena_address(arena, facet->rows));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	arena_release(arena, size);
}

/*
 * In the leader, when all facets are solved: free their edges, and find how
 * relevant each topic is to each of its users, the part that it has of their
 * influence over all topics.
 */
void
facets_relate(Facets *facets)
{
	const Labels *labels = facets->labels;
	LabelsShared *shared = labels->shared;
	uint32		first = shared->facets_before[FACET_TOPIC];
	Size		size = (Size) facets->blocks->shared->nodes * sizeof(double);
	double	   *sum;

	for (int b = 0; b < ID_PARTITIONS; b++)
	{
		FacetBlock *block = &facets->shared->block[b];

		if (block->facets > 0)
			arena_free(facets->arena, block->edge,
					   ((uint64 *) arena_address(facets->arena, block->offset))[block->facets] *
					   sizeof(FacetEdge));
		block->facets = 0;
	}
	if (first == shared->facets)
		return;
	arena_reserve(facets->arena, size);
	sum = palloc_extended(size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 f = first; f < shared->facets; f++)
	{
		FacetRow   *row = arena_address(facets->arena, labels->facet[f].rows);

		for (uint32 i = 0; i < labels->facet[f].nodes; i++)
			sum[row[i].number] += row[i].influence;
	}
	for (uint32 f = first; f < shared->facets; f++)
	{
		FacetRow   *row = arena_address(facets->arena, labels->facet[f].rows);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < labels->facet[f].nodes; i++)
			if (row[i].influence > 0)
				row[i].relevance = (float) (row[i].influence / sum[row[i].number]);
	}
	pfree(sum);
	arena_release(facets->arena, size);
}
