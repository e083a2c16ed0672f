/*
 * pools.h
 *	  Pools of reverse-reachable sets, drawn by all processes.
 */
#ifndef INFLUENCE_POOLS_H
#define INFLUENCE_POOLS_H

#include "crew.h"
#include "rrset.h"

#define POOLS	2

/*
 * The graph by its out-edges (cascade.h), in the crew's arena.  weight and
 * flags are made into other things by pools_prepare.
 */
typedef struct PoolsGraph
{
	uint32		nodes;
	uint64		edges;
	ArenaRef	offset;			/* uint64 [nodes + 1] */
	ArenaRef	column;			/* uint32 [edges] */
	ArenaRef	weight;			/* double [edges]; or ARENA_NONE: all weigh the
								 * same, or weights do not matter */
	ArenaRef	flags;			/* uint8 [nodes] NODE_CANDIDATE or NODE_ACTIVE */
	CascadeKind cascade;
	double		probability;	/* of each edge, where it is the same for all */
} PoolsGraph;

/* A pool, as the leader sees it. */
typedef struct Pool
{
	RRPool		sets;
	uint64		visits;			/* nodes visited to draw them */
} Pool;

/* The leader's side. */
typedef struct Pools
{
	Crew		crew;
	PoolsGraph *graph;			/* to be filled after pools_begin */
	uint32		roots;			/* nodes that sets are drawn for */
	Pool		pool[POOLS];
	struct PoolsShared *shared;
	struct PoolsPart *part;
} Pools;

extern void pools_begin(Pools *pools, int workers);
extern uint64 pools_least_memory(uint32 nodes, int workers);
extern void pools_prepare(Pools *pools, uint64 seed);
extern bool pools_draw(Pools *pools, int which, uint32 batches, uint64 limit);
extern void pools_empty(Pools *pools);
extern void pools_end(Pools *pools);

#endif
