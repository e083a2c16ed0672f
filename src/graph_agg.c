/*
 * graph_agg.c
 *	  The aggregate influence_graph_agg: rows of interactions to a graph.
 *
 * The state is a builder, which takes rows, and a pile of finished graphs,
 * which takes partial states.  A state is sent from a parallel worker to its
 * leader as a graph value: two or three bytes an edge, against the 16 or 24
 * of the builder.
 */
#include "graph.h"

#include <math.h>

#include "access/xact.h"
#include "graph_build.h"
#include "graph_codec.h"
#include "graph_merge.h"
#include "utils/float.h"
#include "utils/memutils.h"

typedef struct GraphAggState
{
	GraphBuilder builder;
	GraphPile	pile;
	Interval	half_life;		/* of the row before */
	double		half_life_usec;
} GraphAggState;

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static GraphAggState *
new_state(MemoryContext context)
{
	GraphAggState *state = MemoryContextAllocZero(context, sizeof(GraphAggState));

	graph_builder_init(&state->builder, context);
	graph_pile_init(&state->pile, context);
	return state;
}

/*
 * A half-life in microseconds, a month being 30 days and a day 24 hours.
 * Raises ERRCODE_INVALID_PARAMETER_VALUE unless it is positive.
 */
static double
half_life_usec(const Interval *half_life)
{
	double		usec = (half_life->month * (double) DAYS_PER_MONTH + half_life->day) * USECS_PER_DAY +
		half_life->time;

	if (INTERVAL_IS_NOBEGIN(half_life) || !(usec > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half_life must be greater than zero")));
	return INTERVAL_IS_NOEND(half_life) ? get_float8_infinity() : usec;
}

/*
 * 2 ^ -((as_of - at) / half_life): what is left of a weight of 1.  at may be
 * -infinity, which leaves nothing.
 */
static double
remaining(GraphAggState *state, TimestampTz at, const Interval *half_life, TimestampTz as_of)
{
	if (state->half_life_usec == 0 ||
		memcmp(&state->half_life, half_life, sizeof(Interval)) != 0)
	{
		state->half_life_usec = half_life_usec(half_life);
		state->half_life = *half_life;
	}
	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	if (TIMESTAMP_IS_NOBEGIN(at))
		return 0;
	if (TIMESTAMP_IS_NOEND(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("an interaction cannot be dated infinity")));
	/* differences of dates can exceed int64 */
	return exp2(((double) at - (double) as_of) / state->half_life_usec);
}

PG_FUNCTION_INFO_V1(influence_graph_agg_trans);

/*
 * influence_graph_agg_trans(internal, source bigint, target bigint
 *		[, weight float8 [, at timestamptz, half_life interval [, as_of timestamptz]]])
 *
 * A row with a NULL, or whose weight is or decays to 0, contributes nothing.
 */
Datum
influence_graph_agg_trans(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	GraphAggState *state = PG_ARGISNULL(0) ? NULL : (GraphAggState *) PG_GETARG_POINTER(0);
	int			nargs = PG_NARGS() - 1;
	int64		source;
	int64		target;
	double		weight = 1;

	for (int i = 1; i <= nargs; i++)
		if (PG_ARGISNULL(i))
		{
			if (state == NULL)
				PG_RETURN_NULL();
			PG_RETURN_POINTER(state);
		}
	if (state == NULL)
		state = new_state(context);

	source = PG_GETARG_INT64(1);
	target = PG_GETARG_INT64(2);
	if (nargs >= 3)
	{
		weight = PG_GETARG_FLOAT8(3);
		if (!(weight >= 0) || isinf(weight))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid weight %g of edge (%lld, %lld)",
							weight, (long long) source, (long long) target),
					 errhint("Weights must be finite and not negative.")));
	}
	if (nargs >= 5)
	{
		weight *= remaining(state, PG_GETARG_TIMESTAMPTZ(4), PG_GETARG_INTERVAL_P(5),
							nargs >= 6 ? PG_GETARG_TIMESTAMPTZ(6) :
							GetCurrentTransactionStartTimestamp());
		/* not a number is 0 times infinity, of a row that weighs nothing */
		if (isinf(weight))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("weight of edge (%lld, %lld) is out of range",
							(long long) source, (long long) target),
					 errdetail("An interaction later than as_of weighs more the later it is.")));
	}
	if (weight > 0)
		graph_builder_add(&state->builder, source, target, weight);
	PG_RETURN_POINTER(state);
}

/* The graph of a state, in the current memory context; NULL if it has no rows. */
static InfluenceGraph *
state_graph(GraphAggState *state)
{
	InfluenceGraph **value;
	int			count = 0;

	value = palloc((state->pile.count + 1) * sizeof(InfluenceGraph *));
	for (int i = 0; i < state->pile.count; i++)
		value[count++] = state->pile.value[i];
	if (state->builder.used > 0)
		value[count++] = graph_builder_build(&state->builder);
	return count == 0 ? NULL : count == 1 ? value[0] : graph_merge(value, count);
}

PG_FUNCTION_INFO_V1(influence_graph_agg_final);

Datum
influence_graph_agg_final(PG_FUNCTION_ARGS)
{
	InfluenceGraph *graph;

	aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	graph = state_graph((GraphAggState *) PG_GETARG_POINTER(0));
	if (graph == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(graph);
}

PG_FUNCTION_INFO_V1(influence_graph_agg_serialize);

/* influence_graph_agg_serialize(internal): the graph value, empty if there is none. */
Datum
influence_graph_agg_serialize(PG_FUNCTION_ARGS)
{
	InfluenceGraph *graph;
	bytea	   *bytes;

	aggregate_context(fcinfo);
	graph = state_graph((GraphAggState *) PG_GETARG_POINTER(0));
	if (graph == NULL)
	{
		bytes = palloc(VARHDRSZ);
		SET_VARSIZE(bytes, VARHDRSZ);
		PG_RETURN_BYTEA_P(bytes);
	}
	PG_RETURN_BYTEA_P((bytea *) graph);
}

PG_FUNCTION_INFO_V1(influence_graph_agg_deserialize);

Datum
influence_graph_agg_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	GraphAggState *state;

	aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_P(0);
	/* the state lives until it is combined: in the context of the call */
	state = new_state(CurrentMemoryContext);
	if (VARSIZE(bytes) > VARHDRSZ)
		graph_pile_add(&state->pile, graph_check_header((InfluenceGraph *) bytes));
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(influence_graph_agg_combine);

Datum
influence_graph_agg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	GraphAggState *state = PG_ARGISNULL(0) ? NULL : (GraphAggState *) PG_GETARG_POINTER(0);
	GraphAggState *other = PG_ARGISNULL(1) ? NULL : (GraphAggState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = new_state(context);
	for (int i = 0; i < other->pile.count; i++)
		graph_pile_add(&state->pile, other->pile.value[i]);
	if (other->builder.used > 0)
		graph_pile_add(&state->pile, graph_builder_build(&other->builder));
	PG_RETURN_POINTER(state);
}
