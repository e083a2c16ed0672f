/*
 * seeds.h
 *	  Whom to seed, with a certificate.
 */
#ifndef INFLUENCE_SEEDS_H
#define INFLUENCE_SEEDS_H

#include "pools.h"

/*
 * What is sought.  The spread of seeds is the expected number of nodes that
 * become active by them, themselves included, beyond those that do by the
 * nodes that are active already.
 */
typedef struct SeedsProblem
{
	uint32		seeds;			/* at most */
	const double *cost;			/* [nodes] 0 or more; or NULL: none, no budget */
	double		budget;			/* of all seeds together */
	double		epsilon;
	double		delta;
	uint64		memory;			/* bytes, for all processes */
} SeedsProblem;

/* A seed, and what is known of the seeds up to it. */
typedef struct SeedsRow
{
	uint32		node;
	double		cost;
	double		gain;
	double		spread;
	double		spread_lower;
	double		optimum_upper;
} SeedsRow;

typedef struct SeedsResult
{
	SeedsRow   *row;
	uint32		count;
	bool		met;			/* is it as good as epsilon says? */
	uint64		samples[POOLS];
	uint32		sentinels;
	int			rounds;
	uint64		memory;			/* most bytes at a time */
} SeedsResult;

extern uint64 seeds_least_memory(uint32 nodes, uint32 seeds, bool costs);
extern void seeds_find(Pools *pools, const SeedsProblem *problem, SeedsResult *result);

#endif
