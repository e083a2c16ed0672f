/*
 * influencers.c
 *	  influence_influencers_of: who has the attention of a segment.
 *
 * PageRank over attention shares that restarts in the segment (personalised
 * PageRank; Haveliwala 2002): the walk starts with one of the people of the
 * segment, all the same, goes on to whom they react to with probability d, and
 * so on.  What a user receives on the way is the attention that the segment
 * gives them, directly or through those it gives attention to.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "graph.h"
#include "kept_graph.h"
#include "people.h"
#include "radix.h"
#include "rank_alone.h"

PG_FUNCTION_INFO_V1(influence_influencers_of);

/* The arguments, by number. */
enum
{
	ARG_MODEL,
	ARG_USERS,
	ARG_SIZE,
	ARG_NETWORK,
	ARG_TOPIC,
	ARG_DAMPING
};

#define COLUMNS		5

/* Bytes for each node and edge while ranks are found. */
#define NODE_BYTES	(sizeof(uint64) + 6 * sizeof(double) + 1)
#define EDGE_BYTES	(sizeof(uint32) + sizeof(double))

/* A graph by its in-edges, and the shares of attention in it. */
typedef struct Attention
{
	CsrBlock	csr;
	double	   *out_weight;
	double	   *restart;
	double	   *received;
} Attention;

static void *
allocate(Size n, Size size)
{
	return palloc_extended(Max(n, 1) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* What everybody receives from a restart distribution. */
static void
receive(const Model *model, double damping, uint32 nodes, Attention *a)
{
	RankControl control = {0};
	RankProblem problem = {
		.nodes = nodes,
		.block = &a->csr,
		.out_weight = a->out_weight,
		.restart = a->restart,
		.damping = damping,
		.rank = allocate(nodes, sizeof(double)),
		.share = {allocate(nodes, sizeof(double)), allocate(nodes, sizeof(double))},
		.control = &control
	};

	if (!rank_alone(&problem, model->tolerance, model->max_iterations, &a->received))
		ereport(WARNING,
				(errmsg("ranks did not converge in %d iterations", model->max_iterations),
				 errdetail("The last iteration changed them by %g, more than the tolerance of %g.",
						   control.residual, model->tolerance),
				 errhint("Raise max_iterations or tolerance by influence_alter_model.")));
}

/*
 * influence_influencers_of(model text, users anyarray, size int, network text,
 *							topic text, damping float8)
 * returns table (position, user_id, attention, direct, score)
 *
 * Those who have most of the attention of a segment, in the whole model or a
 * network or topic: the part of all attention that starts with the segment,
 * how many of the segment reacted to them, and their published score.  Users
 * of the segment who take no part do not count.  damping NULL is the model's.
 * Raises an error if there is no such model, no graph is kept, ids are of
 * another type, size or damping is out of range, the caller may not read the
 * tables, or memory does not suffice.
 */
Datum
influence_influencers_of(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *network = people_text(fcinfo, ARG_NETWORK);
	char	   *topic = people_text(fcinfo, ARG_TOPIC);
	Model	   *model;
	double		damping;
	KeptView	view;
	Kept	   *kept;
	KeptGraph  *graph;
	Attention	a = {0};
	Id		   *user;
	uint32	   *member;
	bool	   *in_segment;
	uint32		n,
				members = 0;
	uint64	   *offset;
	uint32	   *column;
	double	   *weight;
	uint64	   *key;
	uint64	   *place;
	double		sum = 0;
	uint32		size;
	Id		   *found;
	PersonScore *scores;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARG_USERS))
		return (Datum) 0;
	model = people_model(fcinfo, ARG_MODEL);
	if (PG_ARGISNULL(ARG_SIZE) || PG_GETARG_INT32(ARG_SIZE) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("size must be at least 1")));
	size = PG_GETARG_INT32(ARG_SIZE);
	damping = PG_ARGISNULL(ARG_DAMPING) ? model->damping : PG_GETARG_FLOAT8(ARG_DAMPING);
	if (!(damping >= 0 && damping < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("damping %g is out of range", damping),
				 errhint("It is at least 0 and less than 1.")));
	user = people_from_array(model, PG_GETARG_DATUM(ARG_USERS), "users", &n);
	kept = kept_open(model, 0);
	view = kept_view(kept, network, topic);
	graph = kept_graph_open(kept, &view);
	graph_require_memory(kept_graph_size(graph) + graph->nodes * NODE_BYTES +
						 graph->edges * EDGE_BYTES);

	member = kept_graph_find_all(graph, user, n);
	in_segment = allocate(graph->nodes, sizeof(bool));
	for (uint32 i = 0; i < n; i++)
		if (member[i] != KEPT_NOBODY && !in_segment[member[i]])
		{
			in_segment[member[i]] = true;
			members++;
		}
	if (members == 0)
		return (Datum) 0;
	offset = allocate((Size) graph->nodes + 1, sizeof(uint64));
	column = allocate(graph->edges, sizeof(uint32));
	weight = allocate(graph->edges, sizeof(double));
	kept_graph_in(graph, offset, column, weight);
	a.csr = (CsrBlock) {
		.nrows = graph->nodes, .lanes = 1, .offset = offset, .column = column, .weight = weight
	};
	a.out_weight = allocate(graph->nodes, sizeof(double));
	a.restart = allocate(graph->nodes, sizeof(double));
	for (uint64 e = 0; e < graph->edges; e++)
		a.out_weight[column[e]] += weight[e];
	for (uint32 v = 0; v < graph->nodes; v++)
		a.restart[v] = in_segment[v] ? 1.0 / members : 0;
	receive(model, damping, graph->nodes, &a);

	key = allocate(4 * (Size) graph->nodes, sizeof(uint64));
	place = key + graph->nodes;
	for (uint32 v = 0; v < graph->nodes; v++)
	{
		sum += a.received[v];
		key[v] = ~radix_from_double(a.received[v]);
		place[v] = v;
	}
	radix_sort(key, place, key + 2 * (Size) graph->nodes, key + 3 * (Size) graph->nodes,
			   graph->nodes, 64);
	for (n = 0; n < size && n < graph->nodes && a.received[place[n]] > 0; n++)
		;
	found = palloc0(Max(n, 1) * sizeof(Id));
	for (uint32 i = 0; i < n; i++)
		kept_id(kept, graph->node[place[i]], &found[i]);
	scores = people_scores(model, network, topic, found, n);
	for (uint32 i = 0; i < n; i++)
	{
		uint32		v = (uint32) place[i];
		Datum		value[COLUMNS] = {0};
		bool		isnull[COLUMNS] = {0};
		int64		direct = 0;

		for (uint64 e = offset[v]; e < offset[v + 1]; e++)
			direct += in_segment[column[e]];
		value[0] = Int32GetDatum((int32) i + 1);
		value[1] = id_to_datum(model->id_type, &found[i]);
		value[2] = Float8GetDatum(a.received[v] / sum);
		value[3] = Int64GetDatum(direct);
		value[4] = Float4GetDatum(scores[i].score);
		isnull[4] = !scores[i].known;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	return (Datum) 0;
}
