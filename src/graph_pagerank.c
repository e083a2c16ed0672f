/*
 * graph_pagerank.c
 *	  influence_pagerank: PageRank of a graph value.
 *
 * The value is decoded to in-edges and solved by rank.c, serially; see there
 * for the equation.  All memory is below the context of the call.
 *
 * Weights may be anything from the smallest to the largest float8.  Where
 * they are far from 1 the out-edges of each source are first multiplied by a
 * power of two of its own, which leaves its attention shares what they are,
 * so that neither a sum of weights nor its reciprocal overflows.  Sums of
 * weights are compensated (Neumaier 1974), for the shares of a source to add
 * up to 1 however many they are.
 */
#include "graph.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "graph_args.h"
#include "rank_alone.h"
#include "utils/memutils.h"

/* Weights within these bounds need no scaling: 2^32 of them do no harm. */
#define PLAIN_WEIGHT_MIN	0x1p-400
#define PLAIN_WEIGHT_MAX	0x1p400

typedef struct PageRankOptions
{
	double		damping;
	double		tolerance;
	int			max_iterations;
} PageRankOptions;

static double *
new_vector(uint32 n)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, (Size) n * sizeof(double));
}

/* Add x to *sum; what rounding loses is collected in *lost. */
static inline void
add_compensated(double *sum, double *lost, double x)
{
	double		total = *sum + x;

	*lost += fabs(*sum) >= fabs(x) ? (*sum - total) + x : (x - total) + *sum;
	*sum = total;
}

/*
 * Multiply the out-weights of each node by a power of two that brings the
 * greatest to between 1/2 and 1.
 */
static void
scale_weights(GraphArrays *in)
{
	int		   *exponent = MemoryContextAllocHuge(CurrentMemoryContext,
												  (Size) in->nodes * sizeof(int));

	for (uint32 v = 0; v < in->nodes; v++)
		exponent[v] = INT_MIN;
	for (uint64 e = 0; e < in->edges; e++)
	{
		int			own;

		frexp(in->weight[e], &own);
		exponent[in->column[e]] = Max(exponent[in->column[e]], own);
	}
	for (uint64 e = 0; e < in->edges; e++)
	{
		double		scaled = ldexp(in->weight[e], -exponent[in->column[e]]);

		/* a share too small to be told from none must stay an edge */
		in->weight[e] = Max(scaled, DBL_MIN);
	}
	pfree(exponent);
}

/* Sum of out-weights by node; equal weights count as 1. */
static double *
out_weights(GraphArrays *in)
{
	double	   *sum = new_vector(in->nodes);
	double	   *lost = new_vector(in->nodes);
	double		least = 1;
	double		greatest = 1;

	if (in->weight)
	{
		for (uint64 e = 0; e < in->edges; e++)
		{
			least = Min(least, in->weight[e]);
			greatest = Max(greatest, in->weight[e]);
		}
		if (least < PLAIN_WEIGHT_MIN || greatest > PLAIN_WEIGHT_MAX)
			scale_weights(in);
	}

	for (uint32 v = 0; v < in->nodes; v++)
		sum[v] = lost[v] = 0;
	for (uint32 v = 0; v < in->nodes; v++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint64 e = in->offset[v]; e < in->offset[v + 1]; e++)
			add_compensated(&sum[in->column[e]], &lost[in->column[e]],
							in->weight ? in->weight[e] : 1);
	}
	for (uint32 v = 0; v < in->nodes; v++)
		sum[v] += lost[v];
	pfree(lost);
	return sum;
}

/* Divide a vector that is not all 0 by its sum. */
static void
normalize(double *x, uint32 n)
{
	double		sum = 0;
	double		lost = 0;

	for (uint32 v = 0; v < n; v++)
		add_compensated(&sum, &lost, x[v]);
	sum += lost;
	for (uint32 v = 0; v < n; v++)
		x[v] /= sum;
}

/* Where a restart node is; raises ERRCODE_INVALID_PARAMETER_VALUE. */
static uint32
find_node(const GraphArrays *graph, int64 node)
{
	uint32		index;

	if (!graph_find_node(graph->id, graph->nodes, node, &index))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("restart node %lld is not in the graph", (long long) node)));
	return index;
}

/*
 * The restart distribution q: weights, equal if not given, added up by node
 * and divided by their sum.
 */
static double *
restart_distribution(const GraphArrays *graph, ArrayType *nodes, ArrayType *weights)
{
	double	   *q = new_vector(graph->nodes);
	int			count;
	int			weight_count;
	Datum	   *node = graph_array_elements(nodes, "restart", INT8OID, &count);
	Datum	   *weight = NULL;
	double		greatest = 0;
	int			exponent;

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("restart must name at least one node"),
				 errhint("Leave it out, or pass NULL, to restart at all nodes alike.")));
	if (weights)
	{
		weight = graph_array_elements(weights, "restart_weight", FLOAT8OID, &weight_count);
		if (weight_count != count)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("restart and restart_weight must have the same length"),
					 errdetail("restart has %d elements, restart_weight has %d.",
							   count, weight_count)));
		for (int i = 0; i < count; i++)
		{
			double		w = DatumGetFloat8(weight[i]);

			if (!(w >= 0) || isinf(w))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("invalid restart weight %g of node %lld",
								w, (long long) DatumGetInt64(node[i])),
						 errhint("Weights must be finite and not negative.")));
			greatest = Max(greatest, w);
		}
		if (greatest == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("restart weights must not all be 0")));
		frexp(greatest, &exponent);
	}

	for (uint32 v = 0; v < graph->nodes; v++)
		q[v] = 0;
	for (int i = 0; i < count; i++)
		q[find_node(graph, DatumGetInt64(node[i]))] +=
			weight ? ldexp(DatumGetFloat8(weight[i]), -exponent) : 1;
	normalize(q, graph->nodes);
	return q;
}

/*
 * The ranks of a graph of one node at least; they sum to 1.  Warns if they
 * did not converge.
 */
static double *
pagerank(GraphArrays *in, const double *restart, const PageRankOptions *options)
{
	RankControl control;
	RankProblem problem = {0};
	CsrBlock	block;

	problem.out_weight = out_weights(in);
	block = graph_block(in);
#ifdef USE_ASSERT_CHECKING
	Assert(csr_valid(&block, in->nodes, in->nodes));
#endif
	problem.nodes = in->nodes;
	problem.block = &block;
	problem.restart = restart;
	problem.damping = options->damping;
	problem.rank = new_vector(in->nodes);
	problem.share[0] = new_vector(in->nodes);
	problem.share[1] = new_vector(in->nodes);
	problem.control = &control;

	if (!rank_alone(&problem, options->tolerance, options->max_iterations, NULL))
		ereport(WARNING,
				(errmsg("PageRank did not converge: residual %.3g after %d iterations, tolerance %.3g",
						control.residual, control.iterations, options->tolerance),
				 errhint("Raise max_iterations or tolerance, or lower damping.")));
	normalize(problem.rank, in->nodes);
	return problem.rank;
}

static void
get_options(FunctionCallInfo fcinfo, PageRankOptions *options)
{
	static const char *const name[] = {"damping", "tolerance", "max_iterations"};

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i + 1))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", name[i])));
	options->damping = PG_GETARG_FLOAT8(1);
	options->tolerance = PG_GETARG_FLOAT8(2);
	options->max_iterations = PG_GETARG_INT32(3);
	if (!(options->damping >= 0 && options->damping <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("damping must be between 0 and 1, not %g", options->damping)));
	if (!(options->tolerance >= 0) || isinf(options->tolerance))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tolerance must be finite and not negative, not %g",
						options->tolerance)));
	if (options->max_iterations < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_iterations must be at least 1, not %d", options->max_iterations)));
	if (PG_ARGISNULL(4) && !PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("restart_weight cannot be given without restart")));
}

PG_FUNCTION_INFO_V1(influence_pagerank);

/*
 * influence_pagerank(influence_graph, damping float8, tolerance float8,
 *		max_iterations int, restart bigint[], restart_weight float8[]):
 * (node, rank), by node.
 */
Datum
influence_pagerank(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PageRankOptions options;
	InfluenceGraph *graph;
	GraphArrays in;
	double	   *restart = NULL;
	double	   *rank;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	get_options(fcinfo, &options);
	graph = PG_GETARG_INFLUENCE_GRAPH_P(0);
	/* out-weights, their errors or exponents, rank, two shares, restart */
	graph_require_memory(graph_arrays_size(graph) +
						 (uint64) graph->nodes * 6 * sizeof(double));
	graph_decode(graph, GRAPH_IN, &in);
	if (!PG_ARGISNULL(4))
		restart = restart_distribution(&in, PG_GETARG_ARRAYTYPE_P(4),
									   PG_ARGISNULL(5) ? NULL : PG_GETARG_ARRAYTYPE_P(5));
	if (in.nodes == 0)
		PG_RETURN_NULL();

	rank = pagerank(&in, restart, &options);
	for (uint32 v = 0; v < in.nodes; v++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int64GetDatum(in.id[v]);
		values[1] = Float8GetDatum(rank[v]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
