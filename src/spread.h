/*
 * spread.h
 *	  How far activity spreads from seeds, by simulation.
 */
#ifndef INFLUENCE_SPREAD_H
#define INFLUENCE_SPREAD_H

#include "cascade.h"

/*
 * The graph by its in-edges: the row of v lists who may be activated by v.
 * After spread_prepare the probability, or share, of an edge is in by_edge, or
 * if that is NULL in by_source, or if that is NULL too, it is the same for all.
 */
typedef struct SpreadModel
{
	CascadeKind kind;
	uint32_t	nodes;
	const uint64_t *offset;		/* [nodes + 1] */
	const uint32_t *column;		/* [edges] sources */
	double	   *by_edge;		/* [edges] weights at first */
	double	   *by_source;		/* [nodes] */
	double		probability;
} SpreadModel;

/* One process's means of simulating. */
typedef struct SpreadState
{
	const SpreadModel *model;
	uint32_t   *mark;			/* [nodes] 2 run: touched, 2 run + 1: active */
	uint32_t	run;
	uint32_t   *queue;			/* [nodes] who is active */
	double	   *pressure;		/* [nodes] threshold: attention that goes to */
	double	   *threshold;		/* [nodes] active nodes, and how much it takes */
	uint64_t	tries;			/* edges looked at, in all runs */
} SpreadState;

extern void spread_prepare(SpreadModel *model, double *greatest);
extern uint32_t spread_simulate(SpreadState *state, const uint32_t *seed, uint32_t nseeds,
								RandomStream *stream);

#endif
