/*
 * graph_merge.h
 *	  The sum of many stored graphs.
 */
#ifndef INFLUENCE_GRAPH_MERGE_H
#define INFLUENCE_GRAPH_MERGE_H

#include "graph.h"

/*
 * Graphs to be added up, later.  The values are owned by the pile; all its
 * memory is allocated in its context and freed with it.
 */
typedef struct GraphPile
{
	MemoryContext context;
	int			count;
	int			capacity;
	InfluenceGraph **value;		/* [capacity] */
	Size		pending;		/* bytes added since the last merge */
} GraphPile;

extern InfluenceGraph *graph_merge(InfluenceGraph *const *graph, int count);

extern void graph_pile_init(GraphPile *pile, MemoryContext context);
extern void graph_pile_add(GraphPile *pile, const InfluenceGraph *graph);
extern InfluenceGraph *graph_pile_sum(GraphPile *pile);

#endif
