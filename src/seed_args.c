/*
 * seed_args.c
 *	  Arguments that functions which look for seeds have in common.
 */
#include "graph_args.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "seed_args.h"

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

/* How many seeds there may be, and what they may cost. */
static void
get_limits(FunctionCallInfo fcinfo, const SeedArguments *argument, SeedsProblem *problem)
{
	problem->seeds = PG_UINT32_MAX;
	if (!PG_ARGISNULL(argument->seeds))
	{
		if (PG_GETARG_INT32(argument->seeds) < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s must be at least 1, not %d", argument->seeds_name,
							PG_GETARG_INT32(argument->seeds))));
		problem->seeds = PG_GETARG_INT32(argument->seeds);
	}
	else if (PG_ARGISNULL(argument->budget))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument->seeds_name),
				 errhint("It can be left to the budget if there is one.")));
	problem->budget = INFINITY;
	if (!PG_ARGISNULL(argument->budget))
	{
		problem->budget = PG_GETARG_FLOAT8(argument->budget);
		if (!(problem->budget >= 0) || isinf(problem->budget))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("budget must be finite and not negative, not %g", problem->budget)));
	}
}

/*
 * What is sought: epsilon, delta, the number of seeds, the budget.  Returns
 * the costs of the candidates; NULL if there are none, and a seed costs 1.
 * Raises an error for values that are not possible, or do not go together.
 */
double *
seed_args_get(FunctionCallInfo fcinfo, const SeedArguments *argument,
			  const SeedCandidates *candidates, SeedsProblem *problem)
{
	Datum	   *value;
	double	   *cost;
	int			count;

	problem->epsilon = get_part(fcinfo, argument->epsilon, "epsilon");
	problem->delta = get_part(fcinfo, argument->delta, "delta");
	problem->memory = (uint64) maintenance_work_mem * 1024;
	get_limits(fcinfo, argument, problem);
	if (PG_ARGISNULL(argument->costs))
	{
		/* each costs 1 */
		if (problem->budget < problem->seeds)
			problem->seeds = (uint32) problem->budget;
		return NULL;
	}
	if (!candidates->given)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("costs cannot be given without candidates"),
				 errhint("The i-th cost is that of the i-th candidate. Pass the nodes that have costs as candidates.")));
	if (PG_ARGISNULL(argument->budget))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("costs cannot be given without a budget"),
				 errhint("Costs have no effect unless there is a budget for them.")));
	value = graph_array_elements(PG_GETARG_ARRAYTYPE_P(argument->costs), "costs", FLOAT8OID, &count);
	if (count != candidates->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("candidates and costs must have the same length"),
				 errdetail("candidates has %d elements, costs has %d.", candidates->count, count)));
	cost = palloc_extended(Max(count, 1) * sizeof(double), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		cost[i] = DatumGetFloat8(value[i]);
		if (!(cost[i] >= 0) || isinf(cost[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid cost %g of candidate %s",
							cost[i], candidates->show(candidates->context, i)),
					 errhint("Costs must be finite and not negative.")));
	}
	return cost;
}

/*
 * Note what the i-th candidate costs, a node whose cost may be known already.
 * Raises an error if that is another.
 */
void
seed_args_set_cost(const SeedCandidates *candidates, int i, double cost, bool known, double *of_node)
{
	if (known && *of_node != cost)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("candidate %s has two costs, %g and %g",
						candidates->show(candidates->context, i), *of_node, cost)));
	*of_node = cost;
}

/* Warn if seeds are not as good as was asked for. */
void
seed_args_review(const SeedsProblem *problem, const SeedsResult *result)
{
	const SeedsRow *last = &result->row[result->count - 1];

	if (!result->met)
		ereport(WARNING,
				(errmsg("\"maintenance_work_mem\" is too small for epsilon %g", problem->epsilon),
				 errdetail("The seeds are certain to reach %.1f %% of what is possible.",
						   100 * last->spread_lower / last->optimum_upper),
				 errhint("Raise \"maintenance_work_mem\" for this session, or epsilon.")));
}
