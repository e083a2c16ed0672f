/*
 * campaign.c
 *	  influence_campaign: whom to invite.
 *
 * The seeds of maximize.c, sought in the graph that the last refresh kept with
 * its model: the cascade is that of attention shares (or any other), over the
 * whole graph or over a network or topic, whose users are then all that count.
 * Learned probabilities take the place of the pair weights: a pair of the graph
 * that has none is left out.
 */
#include "graph_args.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "chances.h"
#include "kept_graph.h"
#include "people.h"
#include "seed_args.h"

PG_FUNCTION_INFO_V1(influence_campaign);
PG_FUNCTION_INFO_V1(influence_campaign_key);

/* The arguments, by number; with a key, those from topic on are one further. */
enum
{
	ARG_MODEL,
	ARG_SIZE,
	ARG_TOPIC,
	ARG_NETWORK,
	ARG_BUDGET,
	ARG_CANDIDATES,
	ARG_COSTS,
	ARG_EXCLUDE,
	ARG_CASCADE,
	ARG_PROBABILITY,
	ARG_EPSILON,
	ARG_DELTA,
	ARG_SEED
};

#define COLUMNS		9

/* A list of users, and which nodes they are; or KEPT_NOBODY. */
typedef struct UserList
{
	bool		given;
	Id		   *id;
	uint32	   *node;
	uint32		count;
} UserList;

typedef struct Campaign
{
	Model	   *model;
	KeptGraph  *graph;
	GraphCascade cascade;
	SeedsProblem problem;
	uint64		seed;
	UserList	candidates;
	UserList	exclude;
	SeedCandidates described;	/* the candidates */
	double	   *cost;			/* of candidates; or NULL */
	Chances    *chances;		/* probabilities; NULL: the cascade has its own */

	/* what was found, in context */
	MemoryContext context;
	SeedsResult result;
} Campaign;

static UserList
get_list(FunctionCallInfo fcinfo, int argument, const char *name, const Campaign *c)
{
	UserList	list = {.given = !PG_ARGISNULL(argument)};

	if (list.given)
	{
		list.id = people_from_array(c->model, PG_GETARG_DATUM(argument), name, &list.count);
		list.node = kept_graph_find_all(c->graph, list.id, list.count);
	}
	return list;
}

static char *
show_candidate(void *context, int i)
{
	Campaign   *c = context;
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(model_id_type_oid(c->model->id_type), &output, &varlena);
	return OidOutputFunctionCall(output, id_to_datum(c->model->id_type, &c->candidates.id[i]));
}

/* What each node is: who is invited already is active. */
static void
set_flags(const Campaign *c, uint8 *flags, double *cost)
{
	memset(flags, c->candidates.given ? 0 : NODE_CANDIDATE, c->graph->nodes);
	for (uint32 i = 0; i < c->candidates.count; i++)
	{
		uint32		v = c->candidates.node[i];

		if (v == KEPT_NOBODY)
			continue;
		if (cost)
			seed_args_set_cost(&c->described, i, c->cost[i], flags[v] & NODE_CANDIDATE, &cost[v]);
		flags[v] |= NODE_CANDIDATE;
	}
	for (uint32 i = 0; i < c->exclude.count; i++)
		if (c->exclude.node[i] != KEPT_NOBODY)
			flags[c->exclude.node[i]] = NODE_ACTIVE;
}

/* A CrewJob: read the graph to where workers see it, and find seeds. */
static void
find(void *argument, int workers)
{
	Campaign   *c = argument;
	KeptGraph  *graph = c->graph;
	uint32		n = graph->nodes;
	Pools		pools;
	PoolsGraph *to;
	Arena	   *arena;
	double	   *cost = NULL;
	SeedsResult result;

	pools_begin(&pools, workers);
	arena = &pools.crew.arena;
	arena_reserve(arena, kept_graph_size(graph));
	to = pools.graph;
	to->nodes = n;
	to->edges = graph->edges;
	to->cascade = c->cascade.kind;
	to->probability = c->cascade.probability;
	to->offset = arena_alloc(arena, ((Size) n + 1) * sizeof(uint64));
	to->column = arena_alloc(arena, graph->edges * sizeof(uint32));
	to->weight = c->cascade.kind == CASCADE_UNIFORM ? ARENA_NONE :
		arena_alloc(arena, graph->edges * sizeof(double));
	to->flags = arena_alloc(arena, n);
	if (c->cost)
	{
		arena_reserve(arena, (Size) n * sizeof(double));
		cost = MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(double));
	}
	kept_graph_out(graph, arena_address(arena, to->offset), arena_address(arena, to->column),
				   to->weight == ARENA_NONE ? NULL : arena_address(arena, to->weight));
	if (c->chances)
	{
		arena_reserve(arena, chances_size(c->chances));
		to->edges = chances_apply(c->chances, n, arena_address(arena, to->offset),
								  arena_address(arena, to->column),
								  arena_address(arena, to->weight));
	}
	set_flags(c, arena_address(arena, to->flags), cost);
	c->problem.cost = cost;
	pools_prepare(&pools, c->seed);
	seeds_find(&pools, &c->problem, &result);
	c->result = result;
	c->result.row = MemoryContextAllocHuge(c->context, Max((Size) result.count * sizeof(SeedsRow), 1));
	memcpy(c->result.row, result.row, (Size) result.count * sizeof(SeedsRow));
	pools_end(&pools);
}

/*
 * influence_campaign(model text, size int, topic text, network text,
 *		budget float8, candidates bigint[], costs float8[], exclude bigint[],
 *		cascade text, probability float8, epsilon float8, delta float8,
 *		seed bigint)
 * influence_campaign(model text, size int, key uuid or text, topic text, ...)
 * returns table (position, user_id, score, relevance, cost, gain, spread,
 *				  spread_lower, optimum_upper)
 *
 * Whom to invite, the most useful first: score and relevance as published, and
 * what influence_maximize says of seeds.  Those in exclude are invited already:
 * they are not chosen, and whom they reach does not count as gained.  key says
 * by its type of which type user ids are.  Raises the errors of influence_maximize, and
 * those of a model without a graph.
 */
static Datum
campaign(FunctionCallInfo fcinfo, int key)
{
	const SeedArguments argument = {
		.seeds = ARG_SIZE, .seeds_name = "size", .epsilon = ARG_EPSILON + key,
		.delta = ARG_DELTA + key, .costs = ARG_COSTS + key, .budget = ARG_BUDGET + key
	};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *network = people_text(fcinfo, ARG_NETWORK + key);
	char	   *topic = people_text(fcinfo, ARG_TOPIC + key);
	int			workers = crew_workers();
	Campaign	c = {0};
	Kept	   *kept;
	KeptView	view;
	Id		   *found;
	PersonScore *scores;

	InitMaterializedSRF(fcinfo, 0);
	c.model = people_model(fcinfo, ARG_MODEL);
	if (TupleDescAttr(rsinfo->setDesc, 1)->atttypid != model_id_type_oid(c.model->id_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("user ids of model \"%s\" are of type %s", c.model->name,
						format_type_be(model_id_type_oid(c.model->id_type))),
				 errhint("Say so by the type of key: key => NULL::%s.", format_type_be(model_id_type_oid(c.model->id_type)))));
	c.cascade = graph_get_cascade(fcinfo, ARG_CASCADE + key, ARG_PROBABILITY + key, true);
	kept = kept_open(c.model, 0);
	view = kept_view(kept, network, topic);
	c.graph = kept_graph_open(kept, &view);
	if (c.cascade.learned)
		c.chances = chances_read(c.model, c.graph);
	c.candidates = get_list(fcinfo, ARG_CANDIDATES + key, "candidates", &c);
	c.exclude = get_list(fcinfo, ARG_EXCLUDE + key, "exclude", &c);
	c.described = (SeedCandidates) {c.candidates.given, (int) c.candidates.count, show_candidate, &c};
	c.cost = seed_args_get(fcinfo, &argument, &c.described, &c.problem);
	c.seed = PG_ARGISNULL(ARG_SEED + key) ? 0 : (uint64) PG_GETARG_INT64(ARG_SEED + key);
	c.context = CurrentMemoryContext;
	if (c.graph->nodes == 0 || c.problem.seeds == 0)
		return (Datum) 0;
	graph_require_memory(kept_graph_size(c.graph) + (c.chances ? chances_size(c.chances) : 0) +
						 c.graph->nodes * (sizeof(uint64) + 1 + (c.cost ? sizeof(double) : 0)) +
						 c.graph->edges * (sizeof(uint32) + sizeof(double)) +
						 pools_least_memory(c.graph->nodes, workers) +
						 seeds_least_memory(c.graph->nodes, c.problem.seeds, c.cost != NULL));
	crew_run(find, &c, workers);
	if (c.result.count == 0)
		return (Datum) 0;
	seed_args_review(&c.problem, &c.result);

	found = palloc0(c.result.count * sizeof(Id));
	for (uint32 i = 0; i < c.result.count; i++)
		kept_id(kept, c.graph->node[c.result.row[i].node], &found[i]);
	scores = people_scores(c.model, network, topic, found, c.result.count);
	for (uint32 i = 0; i < c.result.count; i++)
	{
		const SeedsRow *row = &c.result.row[i];
		Datum		value[COLUMNS];
		bool		isnull[COLUMNS] = {false};

		value[0] = Int32GetDatum((int32) i + 1);
		value[1] = id_to_datum(c.model->id_type, &found[i]);
		value[2] = Float4GetDatum(scores[i].score);
		isnull[2] = !scores[i].known;
		value[3] = Float4GetDatum(scores[i].relevance);
		isnull[3] = topic == NULL || !scores[i].known;
		value[4] = Float8GetDatum(row->cost);
		value[5] = Float8GetDatum(row->gain);
		value[6] = Float8GetDatum(row->spread);
		value[7] = Float8GetDatum(row->spread_lower);
		value[8] = Float8GetDatum(row->optimum_upper);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	return (Datum) 0;
}

Datum
influence_campaign(PG_FUNCTION_ARGS)
{
	return campaign(fcinfo, 0);
}

Datum
influence_campaign_key(PG_FUNCTION_ARGS)
{
	return campaign(fcinfo, 1);
}
