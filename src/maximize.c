/*
 * maximize.c
 *	  influence_maximize: whom to seed in a graph value.
 *
 * Arguments and rows; what is between is in seeds.c.
 */
#include "graph_args.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "seeds.h"

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
	Datum	   *cost;			/* of candidates; or NULL */

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

static double
get_part(FunctionCallInfo fcinfo, int argument, const char *name)
{
	double		value;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	value = PG_GETARG_FLOAT8(argument);
	if (!(value > 0 && value < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 0 and 1, not %g", name, value)));
	return value;
}

/* Costs and budget, and how many seeds they leave. */
static void
get_limits(FunctionCallInfo fcinfo, Maximize *m)
{
	SeedsProblem *problem = &m->problem;

	problem->seeds = PG_UINT32_MAX;
	if (!PG_ARGISNULL(ARG_SEEDS))
	{
		if (PG_GETARG_INT32(ARG_SEEDS) < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("seeds must be at least 1, not %d", PG_GETARG_INT32(ARG_SEEDS))));
		problem->seeds = PG_GETARG_INT32(ARG_SEEDS);
	}
	else if (PG_ARGISNULL(ARG_BUDGET))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("seeds must not be null"),
				 errhint("It can be left to the budget if there is one.")));

	problem->budget = INFINITY;
	if (!PG_ARGISNULL(ARG_BUDGET))
	{
		problem->budget = PG_GETARG_FLOAT8(ARG_BUDGET);
		if (!(problem->budget >= 0) || isinf(problem->budget))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("budget must be finite and not negative, not %g", problem->budget)));
	}
	if (PG_ARGISNULL(ARG_COSTS))
	{
		/* each costs 1 */
		if (problem->budget < problem->seeds)
			problem->seeds = (uint32) problem->budget;
		return;
	}

	if (m->candidates.node == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("costs cannot be given without candidates"),
				 errhint("The i-th cost is that of the i-th candidate. Pass the nodes that have costs as candidates.")));
	if (PG_ARGISNULL(ARG_BUDGET))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("costs cannot be given without a budget"),
				 errhint("Costs have no effect unless there is a budget for them.")));
	{
		int			count;

		m->cost = graph_array_elements(PG_GETARG_ARRAYTYPE_P(ARG_COSTS), "costs", FLOAT8OID, &count);
		if (count != m->candidates.count)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("candidates and costs must have the same length"),
					 errdetail("candidates has %d elements, costs has %d.", m->candidates.count, count)));
	}
	for (int i = 0; i < m->candidates.count; i++)
	{
		double		cost = DatumGetFloat8(m->cost[i]);

		if (!(cost >= 0) || isinf(cost))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid cost %g of candidate %lld",
							cost, (long long) DatumGetInt64(m->candidates.node[i])),
					 errhint("Costs must be finite and not negative.")));
	}
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
		{
			double		c = DatumGetFloat8(m->cost[i]);

			if ((flags[v] & NODE_CANDIDATE) && cost[v] != c)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("candidate %lld has two costs, %g and %g",
								(long long) id[v], cost[v], c)));
			cost[v] = c;
		}
		flags[v] |= NODE_CANDIDATE;
	}
	for (int i = 0; i < m->exclude.count; i++)
		if (graph_find_node(id, nodes, DatumGetInt64(m->exclude.node[i]), &v))
			flags[v] &= ~NODE_CANDIDATE;
	for (int i = 0; i < m->active.count; i++)
		if (graph_find_node(id, nodes, DatumGetInt64(m->active.node[i]), &v))
			flags[v] = NODE_ACTIVE;
}

static double
lap(instr_time *since)
{
	instr_time	now,
				spent;

	INSTR_TIME_SET_CURRENT(now);
	spent = now;
	INSTR_TIME_SUBTRACT(spent, *since);
	*since = now;
	return INSTR_TIME_GET_MILLISEC(spent);
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
	decode_ms = lap(&clock);

	pools_prepare(&pools, m->seed);
	prepare_ms = lap(&clock);
	seeds_find(&pools, &m->problem, &result);
	find_ms = lap(&clock);
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
	Maximize	m = {0};
	int			workers = crew_workers();

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARG_GRAPH))
		PG_RETURN_NULL();
	m.cascade = graph_get_cascade(fcinfo, ARG_CASCADE, ARG_PROBABILITY);
	m.problem.epsilon = get_part(fcinfo, ARG_EPSILON, "epsilon");
	m.problem.delta = get_part(fcinfo, ARG_DELTA, "delta");
	m.problem.memory = (uint64) maintenance_work_mem * 1024;
	m.candidates = get_list(fcinfo, ARG_CANDIDATES, "candidates");
	m.exclude = get_list(fcinfo, ARG_EXCLUDE, "exclude");
	m.active = get_list(fcinfo, ARG_ACTIVE, "active");
	get_limits(fcinfo, &m);
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
	if (!m.result.met)
	{
		const SeedsRow *last = &m.result.row[m.result.count - 1];

		ereport(WARNING,
				(errmsg("\"maintenance_work_mem\" is too small for epsilon %g", m.problem.epsilon),
				 errdetail("The seeds are certain to reach %.1f %% of what is possible.",
						   100 * last->spread_lower / last->optimum_upper),
				 errhint("Raise \"maintenance_work_mem\" for this session, or epsilon.")));
	}
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
