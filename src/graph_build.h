/*
 * graph_build.h
 *	  From edges in any order to a stored graph.
 */
#ifndef INFLUENCE_GRAPH_BUILD_H
#define INFLUENCE_GRAPH_BUILD_H

#include "graph.h"

/*
 * Ids as unsigned numbers of the same order.  All memory of a builder is
 * allocated in its context and freed with it.
 */
typedef struct GraphPair
{
	uint64		source;
	uint64		target;
} GraphPair;

typedef struct GraphBuilder
{
	MemoryContext context;
	Size		used;
	Size		capacity;
	Size		combine_at;		/* number of edges to combine parallel ones at */
	GraphPair  *pair;			/* [capacity] */
	double	   *weight;			/* [capacity], or NULL as long as all are 1 */
	uint64	   *lone;			/* nodes on their own; they may have edges too */
	Size		nlone;
	Size		lone_capacity;
} GraphBuilder;

extern void graph_builder_init(GraphBuilder *builder, MemoryContext context);
extern void graph_builder_add(GraphBuilder *builder, int64 source, int64 target,
							  double weight);
extern void graph_builder_add_node(GraphBuilder *builder, int64 node);
extern InfluenceGraph *graph_builder_build(GraphBuilder *builder);
extern void graph_builder_reset(GraphBuilder *builder);

#endif
