/*
 * graph_spread.c
 *	  influence_spread: how far activity spreads from seeds in a graph value.
 *
 * Simulation i has random numbers of its own and leaves its result at place i,
 * so the answer does not depend on which process does which.
 */
#include "graph_args.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "crew.h"
#include "spread.h"

/* Simulations that a process does at a time. */
#define AT_A_TIME		8

/* Edges to be looked at that are worth starting workers for, some 20 ms. */
#ifdef INFLUENCE_ASSERT
#define LAUNCH_TRIES	0
#else
#define LAUNCH_TRIES	5000000.0
#endif

/* Random streams; those of pools.c have smaller numbers. */
#define STREAM_SIMULATIONS	1000

enum
{
	ARG_GRAPH,
	ARG_SEEDS,
	ARG_CASCADE,
	ARG_PROBABILITY,
	ARG_SIMULATIONS,
	ARG_SEED
};

/*
 * In shared memory when there are workers; written by the leader between
 * tasks, but for what results are.
 */
typedef struct SpreadShared
{
	CrewShared	crew;
	CascadeKind kind;
	uint32		nodes;
	double		probability;
	ArenaRef	offset;			/* see SpreadModel */
	ArenaRef	column;
	ArenaRef	by_edge;
	ArenaRef	by_source;
	ArenaRef	seed;			/* uint32 [seeds] */
	uint32		seeds;
	uint64		random;			/* seed of random numbers */
	uint32		first;			/* simulation that item 0 begins with, */
	uint32		end;			/* and where the last item ends */
	ArenaRef	result;			/* uint32 [simulations] */
} SpreadShared;

/* A process's part. */
typedef struct SpreadPart
{
	SpreadShared *shared;
	Arena	   *arena;
	SpreadModel model;
	SpreadState state;
} SpreadPart;

/* What is asked for, and found. */
typedef struct Spread
{
	const InfluenceGraph *graph;
	GraphCascade cascade;
	Datum	   *seed;
	int			seeds;
	uint32		simulations;
	uint64		random;
	double		mean;
	double		error;			/* NaN after one simulation */
} Spread;

static bool
has_shares(CascadeKind kind)
{
	return kind == CASCADE_WEIGHTED || kind == CASCADE_THRESHOLD;
}

/* Bytes that a process needs for itself. */
static Size
state_size(CascadeKind kind, uint32 nodes)
{
	return (Size) nodes * (2 * sizeof(uint32) + (kind == CASCADE_THRESHOLD ? 2 * sizeof(double) : 0));
}

static void *
address_or_null(Arena *arena, ArenaRef ref)
{
	return ref == ARENA_NONE ? NULL : arena_address(arena, ref);
}

/* Resolve the graph in this process. */
static void
need_model(SpreadPart *part)
{
	SpreadShared *shared = part->shared;
	SpreadModel *model = &part->model;

	if (model->offset)
		return;
	model->kind = shared->kind;
	model->nodes = shared->nodes;
	model->offset = arena_address(part->arena, shared->offset);
	model->column = arena_address(part->arena, shared->column);
	model->by_edge = address_or_null(part->arena, shared->by_edge);
	model->by_source = address_or_null(part->arena, shared->by_source);
	model->probability = shared->probability;
}

static void
need_state(SpreadPart *part)
{
	SpreadState *state = &part->state;
	Size		n = part->shared->nodes;

	if (state->model)
		return;
	need_model(part);
	state->mark = MemoryContextAllocExtended(CurrentMemoryContext, n * sizeof(uint32),
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	state->queue = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(uint32));
	if (part->shared->kind == CASCADE_THRESHOLD)
	{
		state->pressure = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(double));
		state->threshold = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(double));
	}
	state->model = &part->model;
}

/* Task: simulate.  Items are AT_A_TIME simulations. */
static void
task_simulate(Team *team)
{
	SpreadPart *part = team->state;
	SpreadShared *shared = part->shared;
	const uint32 *seed;
	uint32	   *result;
	uint64		item;

	need_state(part);
	seed = arena_address(part->arena, shared->seed);
	result = arena_address(part->arena, shared->result);
	while (team_next(team, &item))
	{
		uint64		begin = shared->first + item * AT_A_TIME;

		for (uint64 i = begin; i < Min(begin + AT_A_TIME, shared->end); i++)
		{
			RandomStream stream = random_stream(shared->random, STREAM_SIMULATIONS, i);

			CHECK_FOR_INTERRUPTS();
			result[i] = spread_simulate(&part->state, seed, shared->seeds, &stream);
		}
	}
}

static const TeamTask spread_tasks[] = {task_simulate};

static void *
join(CrewShared *shared, Arena *arena)
{
	SpreadPart *part = palloc0(sizeof(SpreadPart));

	part->shared = (SpreadShared *) shared;
	part->arena = arena;
	return part;
}

PGDLLEXPORT void influence_spread_worker(dsm_segment *seg, shm_toc *toc);

void
influence_spread_worker(dsm_segment *seg, shm_toc *toc)
{
	crew_work(seg, toc, spread_tasks, join);
}

/* Decode the graph to where workers see it, as in-edges. */
static void
decode(Spread *spread, SpreadShared *shared, Arena *arena)
{
	const InfluenceGraph *graph = spread->graph;
	Size		n = graph->nodes;
	GraphArrays in;
	uint32	   *seed;

	shared->nodes = graph->nodes;
	shared->offset = arena_alloc(arena, (n + 1) * sizeof(uint64));
	shared->column = arena_alloc(arena, (Size) graph->edges * sizeof(uint32));
	if (graph_cascade_weighs(&spread->cascade, graph))
		shared->by_edge = arena_alloc(arena, (Size) graph->edges * sizeof(double));
	if (has_shares(spread->cascade.kind))
		shared->by_source = arena_alloc(arena, n * sizeof(double));
	in.id = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(int64));
	in.offset = arena_address(arena, shared->offset);
	in.column = arena_address(arena, shared->column);
	in.weight = address_or_null(arena, shared->by_edge);
	graph_decode_into(graph, GRAPH_IN, &in);
	graph_check_cascade(&spread->cascade, GRAPH_IN, &in);
	shared->kind = spread->cascade.kind;
	shared->probability = spread->cascade.probability;

	shared->seed = arena_alloc(arena, (Size) spread->seeds * sizeof(uint32));
	shared->seeds = spread->seeds;
	seed = arena_address(arena, shared->seed);
	for (int i = 0; i < spread->seeds; i++)
		if (!graph_find_node(in.id, in.nodes, DatumGetInt64(spread->seed[i]), &seed[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("seed %lld is not in the graph",
							(long long) DatumGetInt64(spread->seed[i]))));
	pfree(in.id);
}

/* Mean of the results, and its standard error. */
static void
summarise(Spread *spread, const uint32 *result)
{
	double		n = spread->simulations;
	double		sum = 0;
	double		squares = 0;

	for (uint32 i = 0; i < spread->simulations; i++)
		sum += result[i];
	spread->mean = sum / n;
	for (uint32 i = 0; i < spread->simulations; i++)
		squares += (result[i] - spread->mean) * (result[i] - spread->mean);
	spread->error = spread->simulations > 1 ? sqrt(squares / (n - 1) / n) : NAN;
}

/* A CrewJob. */
static void
simulate(void *argument, int workers)
{
	Spread	   *spread = argument;
	SpreadPart	part = {0};
	Crew		crew;
	SpreadShared *shared;
	double	   *scratch;

	crew_begin(&crew, sizeof(SpreadShared), workers, "influence_spread_worker", spread_tasks, &part);
	shared = (SpreadShared *) crew.shared;
	part.shared = shared;
	part.arena = &crew.arena;
	decode(spread, shared, &crew.arena);
	need_model(&part);
	scratch = MemoryContextAllocHuge(CurrentMemoryContext, (Size) shared->nodes * sizeof(double));
	spread_prepare(&part.model, scratch);
	pfree(scratch);
	shared->random = spread->random;
	shared->result = arena_alloc(&crew.arena, (Size) spread->simulations * sizeof(uint32));

	/* the first ones tell what the others will take */
	shared->end = Min(spread->simulations, AT_A_TIME);
	team_run(&crew.team, 0, 1);
	if (shared->end < spread->simulations)
	{
		if ((double) part.state.tries / shared->end * spread->simulations >= LAUNCH_TRIES)
			crew_launch(&crew);
		shared->first = shared->end;
		shared->end = spread->simulations;
		team_run(&crew.team, 0, ((uint64) shared->end - shared->first + AT_A_TIME - 1) / AT_A_TIME);
	}
	summarise(spread, arena_address(&crew.arena, shared->result));
	ereport(DEBUG1,
			(errmsg_internal("influence_spread: %u workers",
							 pg_atomic_read_u32(&shared->crew.team.members) - 1)));
	crew_end(&crew);
}

PG_FUNCTION_INFO_V1(influence_spread);

/*
 * influence_spread(influence_graph, seeds bigint[], cascade text,
 *		probability float8, simulations int, seed bigint):
 * (spread, standard_error, simulations).
 *
 * The mean number of nodes that become active, seeds included; standard_error
 * is NULL after one simulation.  Along an edge (source, target) it is the
 * target who activates the source.
 */
Datum
influence_spread(PG_FUNCTION_ARGS)
{
	Spread		spread = {0};
	int			workers = crew_workers();
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	if (PG_ARGISNULL(ARG_GRAPH) || PG_ARGISNULL(ARG_SEEDS))
		PG_RETURN_NULL();
	spread.cascade = graph_get_cascade(fcinfo, ARG_CASCADE, ARG_PROBABILITY, false);
	spread.seed = graph_array_elements(PG_GETARG_ARRAYTYPE_P(ARG_SEEDS), "seeds", INT8OID,
									   &spread.seeds);
	if (PG_ARGISNULL(ARG_SIMULATIONS))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("simulations must not be null")));
	if (PG_GETARG_INT32(ARG_SIMULATIONS) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("simulations must be at least 1, not %d", PG_GETARG_INT32(ARG_SIMULATIONS))));
	spread.simulations = PG_GETARG_INT32(ARG_SIMULATIONS);
	spread.random = PG_ARGISNULL(ARG_SEED) ? 0 : (uint64) PG_GETARG_INT64(ARG_SEED);
	spread.graph = PG_GETARG_INFLUENCE_GRAPH_P(ARG_GRAPH);
	graph_check_counts(spread.graph);
	graph_require_memory(graph_arrays_size(spread.graph) +
						 (uint64) spread.graph->nodes * 2 * sizeof(double) +
						 state_size(spread.cascade.kind, spread.graph->nodes) * (workers + 1) +
						 (uint64) spread.simulations * sizeof(uint32));

	crew_run(simulate, &spread, workers);
	values[0] = Float8GetDatum(spread.mean);
	values[1] = Float8GetDatum(spread.error);
	nulls[1] = isnan(spread.error);
	values[2] = Int64GetDatum(spread.simulations);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
