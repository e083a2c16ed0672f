/*
 * graph_codec.h
 *	  Between the stored form of a graph and plain arrays.
 */
#ifndef INFLUENCE_GRAPH_CODEC_H
#define INFLUENCE_GRAPH_CODEC_H

#include "graph.h"

#include <math.h>

#include "csr.h"
#include "port/pg_bswap.h"
#include "varint.h"

/*
 * Reads a stored graph from front to back: all nodes, then row by row.  Every
 * read is checked against the end of the value and the counts of its header;
 * a value that breaks them raises ERRCODE_DATA_CORRUPTED.
 */
typedef struct GraphReader
{
	const uint8 *at;
	const uint8 *end;
	GraphWeights weights;
	double		equal;			/* weight of all edges, if GRAPH_EQUAL */
	uint32		nodes;
	uint32		edges_left;		/* in rows not begun */
	uint32		row_left;		/* in the current row */
	int64		target;			/* of the edge read last, -1 before any */
} GraphReader;

/*
 * A graph as arrays, in one allocation each.  Rows are the out-edges or the
 * in-edges of nodes 0 .. nodes - 1, which stand for the ids in id, ascending.
 */
typedef struct GraphArrays
{
	uint32		nodes;
	uint64		edges;
	int64	   *id;				/* [nodes] */
	uint64	   *offset;			/* [nodes + 1] */
	uint32	   *column;			/* [edges] ascending in a row */
	double	   *weight;			/* [edges], or NULL: each weighs equal */
	double		equal;
} GraphArrays;

typedef enum GraphDirection
{
	GRAPH_OUT,					/* row v: where edges from v go */
	GRAPH_IN					/* row v: where edges to v come from */
} GraphDirection;

pg_noreturn extern void graph_corrupt(void);
pg_noreturn extern void graph_too_large(uint64 bytes);

extern void graph_reader_init(GraphReader *reader, const InfluenceGraph *graph);
extern void graph_read_ids(GraphReader *reader, int64 *id);
extern void graph_check_counts(const InfluenceGraph *graph);
extern uint64 graph_arrays_size(const InfluenceGraph *graph);
extern void graph_decode(const InfluenceGraph *graph, GraphDirection direction,
						 GraphArrays *arrays);
extern void graph_decode_into(const InfluenceGraph *graph, GraphDirection direction,
							  GraphArrays *arrays);
extern InfluenceGraph *graph_encode(const GraphArrays *out);
extern const char *graph_invalid(const InfluenceGraph *graph);

/* At every boundary in builds that check assertions. */
#if defined(USE_ASSERT_CHECKING) || defined(INFLUENCE_ASSERT)
extern void graph_assert(const InfluenceGraph *graph);
#define AssertGraph(graph)	graph_assert(graph)
#else
#define AssertGraph(graph)	((void) 0)
#endif

/* All nodes of a graph as one block of csr.h. */
static inline CsrBlock
graph_block(const GraphArrays *arrays)
{
	return (CsrBlock)
	{
		.first = 0, .nrows = arrays->nodes, .lane = 0, .lanes = 1,
			.offset = arrays->offset,
			.column = arrays->column, .weight = arrays->weight
	};
}

static inline uint64
graph_read_varint(GraphReader *reader)
{
	uint64		value = 0;

	reader->at = varint_get(reader->at, reader->end, &value);
	if (reader->at == NULL)
		graph_corrupt();
	return value;
}

static inline double
graph_read_float4(const uint8 *at)
{
	uint32		bits;
	float		value;

	memcpy(&bits, at, sizeof(bits));
	bits = pg_ntoh32(bits);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline double
graph_read_float8(const uint8 *at)
{
	uint64		bits;
	double		value;

	memcpy(&bits, at, sizeof(bits));
	bits = pg_ntoh64(bits);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Begin the next row, whatever is left of the current one having been read. */
static inline uint32
graph_read_row(GraphReader *reader)
{
	uint64		degree = graph_read_varint(reader);

	if (degree > reader->edges_left || reader->row_left != 0)
		graph_corrupt();
	reader->edges_left -= degree;
	reader->row_left = degree;
	reader->target = -1;
	return degree;
}

/* The next edge of the current row: its target, and its weight. */
static inline uint32
graph_read_edge(GraphReader *reader, double *weight)
{
	uint64		gap = graph_read_varint(reader);

	if (reader->row_left == 0 || gap >= reader->nodes - (reader->target + 1))
		graph_corrupt();
	reader->row_left--;
	reader->target += gap + 1;
	switch (reader->weights)
	{
		case GRAPH_EQUAL:
			*weight = reader->equal;
			break;
		case GRAPH_INTEGER:
			*weight = graph_read_varint(reader);
			break;
		case GRAPH_FLOAT4:
			if (reader->end - reader->at < (ptrdiff_t) sizeof(float))
				graph_corrupt();
			*weight = graph_read_float4(reader->at);
			reader->at += sizeof(float);
			break;
		case GRAPH_FLOAT8:
			if (reader->end - reader->at < (ptrdiff_t) sizeof(double))
				graph_corrupt();
			*weight = graph_read_float8(reader->at);
			reader->at += sizeof(double);
			break;
	}
	if (!(*weight > 0) || isinf(*weight))
		graph_corrupt();
	return (uint32) reader->target;
}

/* After the last row: nothing may be left. */
static inline void
graph_read_end(const GraphReader *reader)
{
	if (reader->edges_left != 0 || reader->row_left != 0 || reader->at != reader->end)
		graph_corrupt();
}

#endif
