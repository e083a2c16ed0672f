/*
 * graph.h
 *	  The graph value, SQL type influence_graph, as it is stored.
 *
 * A value is this header and a stream of bytes that means the same on every
 * machine:
 *
 *	weight		only if all edges weigh the same: that weight, a float8
 *	nodes		the smallest id, zigzag-coded; then for each further node,
 *				ascending, its distance from the one before less 1
 *	rows		for each node its out-degree; then its targets as indexes into
 *				the nodes, ascending: the first as it is, each further one as
 *				its distance from the one before less 1; each followed by the
 *				weight of the edge unless all weigh the same
 *
 * Numbers are varints (seven bits a byte, least significant first, the high
 * bit says that more follow, never longer than needed); float4 and float8 are
 * IEEE, most significant byte first.
 *
 * The weight class is the first of GraphWeights that holds all weights
 * exactly, and the weight of a graph without edges is 1.  A graph therefore
 * has one stored form only: equal graphs are equal byte for byte.
 */
#ifndef INFLUENCE_GRAPH_H
#define INFLUENCE_GRAPH_H

#include "compat.h"

typedef enum GraphWeights
{
	GRAPH_EQUAL,				/* all the same */
	GRAPH_INTEGER,				/* integers of 1 to 2^53, as varints */
	GRAPH_FLOAT4,
	GRAPH_FLOAT8
} GraphWeights;

#define GRAPH_VERSION		1
#define GRAPH_MAX_INTEGER	9007199254740992.0	/* 2^53 */

/* Bytes of one value at the most; tests set it lower. */
#ifndef GRAPH_MOST_BYTES
#define GRAPH_MOST_BYTES	MaxAllocSize
#endif

typedef struct InfluenceGraph
{
	int32		vl_len_;		/* varlena header, do not touch */
	uint8		version;
	uint8		weights;		/* GraphWeights */
	uint16		reserved;		/* zero */
	uint32		nodes;
	uint32		edges;
	uint8		stream[FLEXIBLE_ARRAY_MEMBER];
} InfluenceGraph;

#define GRAPH_HEADER		offsetof(InfluenceGraph, stream)
#define GRAPH_STREAM(g)		(VARSIZE(g) - GRAPH_HEADER)

#define DatumGetInfluenceGraphP(d) \
	graph_check_header((InfluenceGraph *) PG_DETOAST_DATUM(d))
#define PG_GETARG_INFLUENCE_GRAPH_P(n) \
	DatumGetInfluenceGraphP(PG_GETARG_DATUM(n))

extern InfluenceGraph *graph_check_header(InfluenceGraph *graph);
extern void graph_require_memory(uint64 bytes);

/* graph_text.c */
extern InfluenceGraph *graph_from_text(const char *text, Node *escontext);
extern char *graph_to_text(const InfluenceGraph *graph);

#endif
