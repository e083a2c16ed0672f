/*
 * seed_args.h
 *	  Arguments that functions which look for seeds have in common.
 */
#ifndef INFLUENCE_SEED_ARGS_H
#define INFLUENCE_SEED_ARGS_H

#include "seeds.h"

/* Which argument is what, by number. */
typedef struct SeedArguments
{
	int			seeds;
	const char *seeds_name;
	int			epsilon;
	int			delta;
	int			costs;
	int			budget;
} SeedArguments;

/* The candidates; count says nothing unless some are given. */
typedef struct SeedCandidates
{
	bool		given;
	int			count;
	char	   *(*show) (void *context, int i); /* the i-th, for messages */
	void	   *context;
} SeedCandidates;

extern double *seed_args_get(FunctionCallInfo fcinfo, const SeedArguments *argument,
							 const SeedCandidates *candidates, SeedsProblem *problem);
extern void seed_args_set_cost(const SeedCandidates *candidates, int i, double cost,
							   bool known, double *of_node);
extern void seed_args_review(const SeedsProblem *problem, const SeedsResult *result);

#endif
