/*
 * maximize.c
 *	  influence_maximize: whom to seed in a graph value.
 *
 * Arguments and rows; what is between is in seeds.c.
 */
#include "graph_args.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "seed_args.h"
#include "stopwatch.h"

/* The arguments, by number. */
enum
{
	ARG_GRAPH,
	ARG_SEEDS,
	ARG_CASCADE,
	ARG_PROBABILITY,
	ARG_EPSILON,
	ARG_DELTA,
	ARG_CANDIDATES,
	ARG_EXCLUDE,
	ARG_COSTS,
	ARG_BUDGET,
	ARG_SEED,
	ARG_ACTIVE
};

#define COLUMNS	7

/* A list of nodes; NULL: not given. */
typedef struct NodeList
{
	Datum	   *node;
	int			count;
} NodeList;

typedef struct Maximize
{
	/* what is asked for */
	const InfluenceGraph *graph;
	GraphCascade cascade;
	SeedsProblem problem;
	uint64		seed;
	NodeList	candidates;
	NodeList	exclude;
	NodeList	active;
	SeedCandidates described;	/* the candidates */
	double	   *cost;			/* of candidates; or NULL */

	/* what was found, in context */
	MemoryContext context;
	SeedsResult result;
	int64	   *id;				/* of the rows' nodes */
} Maximize;

static NodeList
get_list(FunctionCallInfo fcinfo, int argument, const char *name)
{
	NodeList	list = {NULL, 0};

	if (!PG_ARGISNULL(argument))
		list.node = graph_array_elements(PG_GETARG_ARRAYTYPE_P(argument), name, INT8OID, &list.count);
	return list;
}

static char *
show_candidate(void *context, int i)
{
	return psprintf("%lld", (long long) DatumGetInt64(((Maximize *) context)->candidates.node[i]));
}

/*
 * What each node is.  Nodes that are not in the graph nobody reacts to, and
 * they are left out.
 */
static void
set_flags(const Maximize *m, const int64 *id, uint32 nodes, uint8 *flags, double *cost)
{
	uint32		v;

	memset(flags, m->candidates.node ? 0 : NODE_CANDIDATE, nodes);
	for (int i = 0; i < m->candidates.count; i++)
	{
		if (!graph_find_node(id, nodes, DatumGetInt64(m->candidates.node[i]), &v))
			continue;
		if (cost)
			seed_args_set_cost(&m->described, i, m->cost[i], flags[v] & NODE_CANDIDATE, &cost[v]);
		flags[v] |= NODE_CANDIDATE;
	}
	for (int i = 0; i < m->exclude.count; i++)
		if (graph_find_node(id, nodes, DatumGetInt64(m->exclude.node[i]), &v))
			flags[v] &= ~NODE_CANDIDATE;
	for (int i = 0; i < m->active.count; i++)
		if (graph_find_node(id, nodes, DatumGetInt64(m->active.node[i]), &v))
			flags[v] = NODE_ACTIVE;
}

/* A CrewJob: decode the graph to where workers see it, and find seeds. */
static void
maximize(void *argument, int workers)
{
	Maximize   *m = argument;
	const InfluenceGraph *graph = m->graph;
	uint32		n = graph->nodes;
	bool		weighs = graph_cascade_weighs(&m->cascade, graph);
	Pools		pools;
	PoolsGraph *to;
	GraphArrays out;
	uint8	   *flags;
	double	   *cost = NULL;
	SeedsResult result;
	instr_time	clock;
	double		decode_ms,
				prepare_ms,
				find_ms;

	INSTR_TIME_SET_CURRENT(clock);
	pools_begin(&pools, workers);
	to = pools.graph;
	to->nodes = n;
	to->edges = graph->edges;
	to->offset = arena_alloc(&pools.crew.arena, ((Size) n + 1) * sizeof(uint64));
	to->column = arena_alloc(&pools.crew.arena, (Size) graph->edges * sizeof(uint32));
	to->weight = !weighs ? ARENA_NONE :
		arena_alloc(&pools.crew.arena, (Size) graph->edges * sizeof(double));
	to->flags = arena_alloc(&pools.crew.arena, n);
	arena_reserve(&pools.crew.arena, (Size) n * sizeof(int64));
	out.id = MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(int64));
	out.offset = arena_address(&pools.crew.arena, to->offset);
	out.column = arena_address(&pools.crew.arena, to->column);
	out.weight = weighs ? arena_address(&pools.crew.arena, to->weight) : NULL;
	flags = arena_address(&pools.crew.arena, to->flags);
	graph_decode_into(graph, GRAPH_OUT, &out);
	graph_check_cascade(&m->cascade, GRAPH_OUT, &out);
	to->cascade = m->cascade.kind;
	to->probability = m->cascade.probability;
	if (m->cost)
	{
		arena_reserve(&pools.crew.arena, (Size) n * sizeof(double));
		cost = MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(double));
	}
	set_flags(m, out.id, n, flags, cost);
	m->problem.cost = cost;
	decode_ms = stopwatch_lap(&clock);

	pools_prepare(&pools, m->seed);
	prepare_ms = stopwatch_lap(&clock);
	seeds_find(&pools, &m->problem, &result);
	find_ms = stopwatch_lap(&clock);
	ereport(DEBUG1,
			(errmsg_internal("influence_maximize: decode %.1f ms, prepare %.1f ms, find %.1f ms; %llu and %llu samples, %d rounds, %u sentinels, %u workers, %llu kB",
							 decode_ms, prepare_ms, find_ms,
							 (unsigned long long) result.samples[0],
							 (unsigned long long) result.samples[1],
							 result.rounds, result.sentinels,
							 pg_atomic_read_u32(&pools.crew.shared->team.members) - 1,
							 (unsigned long long) result.memory / 1024)));

	m->result = result;
	m->result.row = MemoryContextAllocHuge(m->context, Max((Size) result.count * sizeof(SeedsRow), 1));
	memcpy(m->result.row, result.row, (Size) result.count * sizeof(SeedsRow));
	m->id = MemoryContextAllocHuge(m->context, Max((Size) result.count * sizeof(int64), 1));
	for (uint32 i = 0; i < result.count; i++)
		m->id[i] = out.id[result.row[i].node];
	pools_end(&pools);
}

PG_FUNCTION_INFO_V1(influence_maximize);

/*
 * influence_maximize(influence_graph, seeds int, cascade text,
 *		probability float8, epsilon float8, delta float8, candidates bigint[],
 *		exclude bigint[], costs float8[], budget float8, seed bigint,
 *		active bigint[]):
 * (position, node, cost, gain, spread, spread_lower, optimum_upper).
 *
 * Along an edge (source, target) it is the target who activates the source.
 * Seeds are in the order of their choice; spread is the expected number of
 * nodes that the first ones activate, themselves included, beyond what those
 * active already do; gain is what the last of them adds.  Warns if epsilon
 * could not be had.
 */
Datum
influence_maximize(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	static const SeedArguments argument = {
		.seeds = ARG_SEEDS, .seeds_name = "seeds", .epsilon = ARG_EPSILON, .delta = ARG_DELTA,
		.costs = ARG_COSTS, .budget = ARG_BUDGET
	};
	Maximize	m = {0};
	int			workers = crew_workers();

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARG_GRAPH))
		PG_RETURN_NULL();
	m.cascade = graph_get_cascade(fcinfo, ARG_CASCADE, ARG_PROBABILITY, false);
	m.candidates = get_list(fcinfo, ARG_CANDIDATES, "candidates");
	m.exclude = get_list(fcinfo, ARG_EXCLUDE, "exclude");
	m.active = get_list(fcinfo, ARG_ACTIVE, "active");
	m.described = (SeedCandidates) {m.candidates.node != NULL, m.candidates.count, show_candidate, &m};
	m.cost = seed_args_get(fcinfo, &argument, &m.described, &m.problem);
	m.seed = PG_ARGISNULL(ARG_SEED) ? 0 : (uint64) PG_GETARG_INT64(ARG_SEED);
	m.context = CurrentMemoryContext;
	m.graph = PG_GETARG_INFLUENCE_GRAPH_P(ARG_GRAPH);
	graph_check_counts(m.graph);
	/* the graph, what a node is, and what seeds_find begins with */
	graph_require_memory(graph_arrays_size(m.graph) + (uint64) m.graph->nodes *
						 (1 + (m.cost ? sizeof(double) : 0)) +
						 pools_least_memory(m.graph->nodes, workers) +
						 seeds_least_memory(m.graph->nodes, m.problem.seeds, m.cost != NULL));
	if (m.graph->nodes == 0 || m.problem.seeds == 0)
		PG_RETURN_NULL();

	crew_run(maximize, &m, workers);
	seed_args_review(&m.problem, &m.result);
	for (uint32 i = 0; i < m.result.count; i++)
	{
		const SeedsRow *row = &m.result.row[i];
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {false};

		values[0] = Int32GetDatum(i + 1);
		values[1] = Int64GetDatum(m.id[i]);
		values[2] = Float8GetDatum(row->cost);
		values[3] = Float8GetDatum(row->gain);
		values[4] = Float8GetDatum(row->spread);
		values[5] = Float8GetDatum(row->spread_lower);
		values[6] = Float8GetDatum(row->optimum_upper);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
