/*
 * graph_args.h
 *	  Arguments that functions on graph values have in common.
 */
#ifndef INFLUENCE_GRAPH_ARGS_H
#define INFLUENCE_GRAPH_ARGS_H

#include "cascade.h"
#include "graph_codec.h"
#include "utils/array.h"

extern Datum *graph_array_elements(ArrayType *array, const char *name, Oid type, int *count);
extern bool graph_find_node(const int64 *id, uint32 nodes, int64 node, uint32 *index);

/* How activity spreads, as the user says it. */
typedef struct GraphCascade
{
	CascadeKind kind;
	double		probability;	/* of each edge, where it is the same for all */
	bool		learned;		/* probabilities of a model, as weights */
} GraphCascade;

extern GraphCascade graph_get_cascade(FunctionCallInfo fcinfo, int cascade, int probability, bool of_model);
extern bool graph_cascade_weighs(const GraphCascade *cascade, const InfluenceGraph *graph);
extern void graph_check_cascade(GraphCascade *cascade, GraphDirection direction,
								const GraphArrays *arrays);

#endif
