/*
 * kept_graph.h
 *	  A kept graph, or a network or topic of it, as rows for kernels.
 */
#ifndef INFLUENCE_KEPT_GRAPH_H
#define INFLUENCE_KEPT_GRAPH_H

#include "kept.h"

/*
 * Its nodes are those that take part in the view, numbered in the order of
 * their numbers in the whole graph.
 */
typedef struct KeptGraph
{
	Kept	   *kept;
	const KeptView *view;
	uint32		nodes;
	uint64		edges;
	uint32	   *local;			/* by number in the whole graph: number here + 1;
								 * 0: takes no part */
	KeptNode   *node;			/* [nodes] */
	uint64	   *in_degree;		/* [nodes] */
	uint64	   *out_degree;
} KeptGraph;

#define KEPT_NOBODY	UINT32_MAX

extern KeptGraph *kept_graph_open(Kept *kept, const KeptView *view);
extern uint64 kept_graph_size(const KeptGraph *graph);
extern void kept_graph_in(KeptGraph *graph, uint64 *offset, uint32 *column, double *weight);
extern void kept_graph_out(KeptGraph *graph, uint64 *offset, uint32 *column, double *weight);
extern uint32 *kept_graph_find_all(KeptGraph *graph, const Id *id, uint32 n);

#endif
