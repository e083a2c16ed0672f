/*
 * graph_codec.c
 *	  Between the stored form of a graph (see graph.h) and plain arrays.
 *
 * Reading trusts nothing: counts in the header are held against the length of
 * the value before anything is allocated by them, and each number is checked
 * as it is read.  What reading does not check, because no reader depends on
 * it, is that the form is the canonical one; graph_invalid does, for values
 * that come from outside and in builds that check assertions.
 */
#include "graph_codec.h"

#include <float.h>
#include <math.h>

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

void
graph_corrupt(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("influence_graph value is corrupt")));
}

/* Raises ERRCODE_PROGRAM_LIMIT_EXCEEDED: a value of so many bytes cannot be. */
void
graph_too_large(uint64 bytes)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("graph is too large for one value of type influence_graph"),
			 errdetail("It would take %llu bytes; the limit is %llu bytes.",
					   (unsigned long long) bytes, (unsigned long long) GRAPH_MOST_BYTES),
			 errhint("Aggregate parts of it and keep several values, or define a model with influence_create_model, which has no such limit.")));
}

/*
 * The checks that need the header only.  Every node takes two bytes at least
 * and every edge one, so that counts which pass bound what is allocated by
 * them to a small multiple of the value; a slice of a value, which has no
 * stream, passes with any counts.
 */
InfluenceGraph *
graph_check_header(InfluenceGraph *graph)
{
	if (VARSIZE(graph) < GRAPH_HEADER || graph->weights > GRAPH_FLOAT8 ||
		graph->reserved != 0)
		graph_corrupt();
	if (graph->version != GRAPH_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("influence_graph value has version %d, only version %d is supported",
						graph->version, GRAPH_VERSION)));
	return graph;
}

/* Do the counts of the header fit into the stream? */
static bool
counts_fit(const InfluenceGraph *graph)
{
	uint64		least = (uint64) graph->nodes * 2 + graph->edges;

	if (graph->weights == GRAPH_EQUAL)
		least += sizeof(double);
	return least <= GRAPH_STREAM(graph);
}

/* What is to be allocated by the counts of a graph may be. */
void
graph_check_counts(const InfluenceGraph *graph)
{
	if (!counts_fit(graph))
		graph_corrupt();
}

void
graph_reader_init(GraphReader *reader, const InfluenceGraph *graph)
{
	graph_check_counts(graph);
	reader->at = graph->stream;
	reader->end = graph->stream + GRAPH_STREAM(graph);
	reader->weights = graph->weights;
	reader->equal = 0;
	reader->nodes = graph->nodes;
	reader->edges_left = graph->edges;
	reader->row_left = 0;
	reader->target = -1;
	if (graph->weights == GRAPH_EQUAL)
	{
		reader->equal = graph_read_float8(reader->at);
		reader->at += sizeof(double);
	}
}

/* The ids of all nodes, ascending: the first thing to be read. */
void
graph_read_ids(GraphReader *reader, int64 *id)
{
	for (uint32 v = 0; v < reader->nodes; v++)
	{
		uint64		code = graph_read_varint(reader);

		if (v == 0)
			id[v] = (int64) (code >> 1 ^ -(code & 1));
		else
		{
			/* modulo 2^64 the distance to the greatest id is what it is */
			if (code >= (uint64) PG_INT64_MAX - (uint64) id[v - 1])
				graph_corrupt();
			id[v] = (int64) ((uint64) id[v - 1] + code + 1);
		}
	}
}

/* Bytes that graph_decode is going to allocate. */
uint64
graph_arrays_size(const InfluenceGraph *graph)
{
	return (uint64) graph->nodes * (sizeof(int64) + sizeof(uint64)) +
		(uint64) graph->edges *
		(sizeof(uint32) + (graph->weights == GRAPH_EQUAL ? 0 : sizeof(double)));
}

/* Decode into arrays allocated in the current memory context. */
void
graph_decode(const InfluenceGraph *graph, GraphDirection direction, GraphArrays *arrays)
{
	MemoryContext context = CurrentMemoryContext;

	graph_check_counts(graph);
	arrays->id = MemoryContextAllocHuge(context, (Size) graph->nodes * sizeof(int64));
	arrays->offset = MemoryContextAllocHuge(context, ((Size) graph->nodes + 1) * sizeof(uint64));
	arrays->column = MemoryContextAllocHuge(context, (Size) graph->edges * sizeof(uint32));
	arrays->weight = graph->weights == GRAPH_EQUAL ? NULL :
		MemoryContextAllocHuge(context, (Size) graph->edges * sizeof(double));
	graph_decode_into(graph, direction, arrays);
}

/*
 * Decode into the arrays that are there, of the sizes that the header of the
 * graph says; weights into none if there is none.  In-edges take a second
 * reading: the first counts them by target.
 */
void
graph_decode_into(const InfluenceGraph *graph, GraphDirection direction, GraphArrays *arrays)
{
	uint32		n = graph->nodes;
	GraphReader reader;
	uint64	   *next;

	graph_reader_init(&reader, graph);
	arrays->nodes = n;
	arrays->edges = graph->edges;
	arrays->equal = reader.equal;
	graph_read_ids(&reader, arrays->id);
	if (direction == GRAPH_IN)
	{
		GraphReader count = reader;

		memset(arrays->offset, 0, ((Size) n + 1) * sizeof(uint64));
		for (uint32 v = 0; v < n; v++)
		{
			uint32		degree = graph_read_row(&count);
			double		weight;

			CHECK_FOR_INTERRUPTS();
			while (degree-- > 0)
				arrays->offset[graph_read_edge(&count, &weight) + 1]++;
		}
		for (uint32 v = 0; v < n; v++)
			arrays->offset[v + 1] += arrays->offset[v];
	}
	else
		arrays->offset[0] = 0;

	/*
	 * Placing the in-edges moves offset[v] to the end of row v, that is to
	 * where row v + 1 began; afterwards everything is moved up by one.
	 */
	next = arrays->offset;
	for (uint32 v = 0; v < n; v++)
	{
		uint32		degree = graph_read_row(&reader);
		uint64		out = next[v];
		double		weight;

		CHECK_FOR_INTERRUPTS();
		if (direction == GRAPH_OUT)
			next[v + 1] = out + degree;
		while (degree-- > 0)
		{
			uint32		target = graph_read_edge(&reader, &weight);
			uint64		e = direction == GRAPH_OUT ? out++ : next[target]++;

			arrays->column[e] = direction == GRAPH_OUT ? target : v;
			if (arrays->weight)
				arrays->weight[e] = weight;
		}
	}
	graph_read_end(&reader);
	if (direction == GRAPH_IN)
	{
		memmove(arrays->offset + 1, arrays->offset, (Size) n * sizeof(uint64));
		arrays->offset[0] = 0;
	}
}

/* Signed to unsigned, small numbers of either sign to small ones. */
static inline uint64
zigzag(int64 value)
{
	return value < 0 ? ~((uint64) value << 1) : (uint64) value << 1;
}

static inline int
varint_size(uint64 value)
{
	return pg_leftmost_one_pos64(value | 1) / 7 + 1;
}

static inline uint8 *
put_float8(uint8 *at, double value)
{
	uint64		bits;

	memcpy(&bits, &value, sizeof(bits));
	bits = pg_hton64(bits);
	memcpy(at, &bits, sizeof(bits));
	return at + sizeof(bits);
}

static inline uint8 *
put_float4(uint8 *at, float value)
{
	uint32		bits;

	memcpy(&bits, &value, sizeof(bits));
	bits = pg_hton32(bits);
	memcpy(at, &bits, sizeof(bits));
	return at + sizeof(bits);
}

static inline bool
is_integer(double weight)
{
	return weight >= 1 && weight <= GRAPH_MAX_INTEGER && weight == floor(weight);
}

static inline bool
is_float4(double weight)
{
	/* beyond what float4 holds the conversion would be undefined */
	return weight <= FLT_MAX && (double) (float) weight == weight;
}

/* Which classes hold all weights seen so far. */
typedef struct WeightClasses
{
	uint64		seen;
	double		first;
	bool		equal;
	bool		integer;
	bool		float4;
} WeightClasses;

static inline void
classify(WeightClasses *classes, double weight)
{
	if (classes->seen++ == 0)
	{
		classes->first = weight;
		classes->equal = classes->integer = classes->float4 = true;
	}
	if (weight != classes->first)
		classes->equal = false;
	if (classes->integer && !is_integer(weight))
		classes->integer = false;
	if (classes->float4 && !is_float4(weight))
		classes->float4 = false;
}

static inline GraphWeights
first_class(const WeightClasses *classes)
{
	return classes->seen == 0 || classes->equal ? GRAPH_EQUAL :
		classes->integer ? GRAPH_INTEGER :
		classes->float4 ? GRAPH_FLOAT4 : GRAPH_FLOAT8;
}

/*
 * Encode a graph given by its out-edges, in the current memory context.
 * Raises ERRCODE_PROGRAM_LIMIT_EXCEEDED if it does not fit into one value.
 */
InfluenceGraph *
graph_encode(const GraphArrays *out)
{
	WeightClasses classes = {0};
	GraphWeights weights = GRAPH_EQUAL;
	double		equal = out->edges == 0 ? 1 : out->equal;
	uint64		size;
	InfluenceGraph *graph;
	uint8	   *at;

	if (out->weight)
	{
		for (uint64 e = 0; e < out->edges; e++)
			classify(&classes, out->weight[e]);
		weights = first_class(&classes);
		if (out->edges > 0)
			equal = classes.first;
	}

	size = GRAPH_HEADER;
	size += weights == GRAPH_EQUAL ? sizeof(double) :
		weights == GRAPH_FLOAT4 ? out->edges * sizeof(float) :
		weights == GRAPH_FLOAT8 ? out->edges * sizeof(double) : 0;
	for (uint32 v = 0; v < out->nodes; v++)
	{
		uint32		least = 0;

		CHECK_FOR_INTERRUPTS();
		size += varint_size(v == 0 ? zigzag(out->id[0]) :
							(uint64) out->id[v] - (uint64) out->id[v - 1] - 1);
		size += varint_size(out->offset[v + 1] - out->offset[v]);
		for (uint64 e = out->offset[v]; e < out->offset[v + 1]; e++)
		{
			size += varint_size(out->column[e] - least);
			least = out->column[e] + 1;
			if (weights == GRAPH_INTEGER)
				size += varint_size((uint64) out->weight[e]);
		}
	}
	if (size > GRAPH_MOST_BYTES)
		graph_too_large(size);

	graph = palloc(size);
	SET_VARSIZE(graph, size);
	graph->version = GRAPH_VERSION;
	graph->weights = weights;
	graph->reserved = 0;
	graph->nodes = out->nodes;
	graph->edges = (uint32) out->edges;
	at = graph->stream;
	if (weights == GRAPH_EQUAL)
		at = put_float8(at, equal);
	for (uint32 v = 0; v < out->nodes; v++)
		at = varint_put(at, v == 0 ? zigzag(out->id[0]) :
						(uint64) out->id[v] - (uint64) out->id[v - 1] - 1);
	for (uint32 v = 0; v < out->nodes; v++)
	{
		uint32		least = 0;

		CHECK_FOR_INTERRUPTS();
		at = varint_put(at, out->offset[v + 1] - out->offset[v]);
		for (uint64 e = out->offset[v]; e < out->offset[v + 1]; e++)
		{
			at = varint_put(at, out->column[e] - least);
			least = out->column[e] + 1;
			switch (weights)
			{
				case GRAPH_EQUAL:
					break;
				case GRAPH_INTEGER:
					at = varint_put(at, (uint64) out->weight[e]);
					break;
				case GRAPH_FLOAT4:
					at = put_float4(at, (float) out->weight[e]);
					break;
				case GRAPH_FLOAT8:
					at = put_float8(at, out->weight[e]);
					break;
			}
		}
	}
	Assert(at == (uint8 *) graph + size);
	AssertGraph(graph);
	return graph;
}

/* A varint of at most 64 bits and not longer than needed; false if it is not. */
static bool
strict_varint(const uint8 **at, const uint8 *end, uint64 *value)
{
	*value = 0;
	for (int i = 0; i < 10 && *at < end; i++)
	{
		uint8		byte = *(*at)++;

		if (i == 9 && byte > 1)
			return false;
		*value |= (uint64) (byte & 0x7F) << (7 * i);
		if (byte < 0x80)
			return byte != 0 || i == 0;
	}
	return false;
}

/*
 * The invariants of a stored graph, those of its canonical form included.
 * Returns what is wrong, or NULL.  Does not raise anything but interrupts.
 */
const char *
graph_invalid(const InfluenceGraph *graph)
{
	const char *cut = "it ends early or holds a malformed number";
	const uint8 *at = graph->stream;
	const uint8 *end = (const uint8 *) graph + VARSIZE(graph);
	WeightClasses classes = {0};
	uint64		edges = 0;
	uint64		value;
	double		weight = 1;
	int64		id = 0;

	if (VARSIZE(graph) < GRAPH_HEADER)
		return "it is shorter than its header";
	if (graph->version != GRAPH_VERSION)
		return "its version is unknown";
	if (graph->weights > GRAPH_FLOAT8)
		return "its weight class is unknown";
	if (graph->reserved != 0)
		return "reserved bits are set";
	if (!counts_fit(graph))
		return "it is too short for its counts";

	if (graph->weights == GRAPH_EQUAL)
	{
		weight = graph_read_float8(at);
		at += sizeof(double);
		if (!(weight > 0) || isinf(weight))
			return "a weight is not finite and positive";
		if (graph->edges == 0 && weight != 1)
			return "it is not in canonical form";
	}
	for (uint32 v = 0; v < graph->nodes; v++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!strict_varint(&at, end, &value))
			return cut;
		if (v == 0)
			id = (int64) (value >> 1 ^ -(value & 1));
		else if (value >= (uint64) PG_INT64_MAX - (uint64) id)
			return "a node is beyond the range of bigint";
		else
			id = (int64) ((uint64) id + value + 1);
	}
	for (uint32 v = 0; v < graph->nodes; v++)
	{
		uint64		least = 0;
		uint64		degree;

		CHECK_FOR_INTERRUPTS();
		if (!strict_varint(&at, end, &degree))
			return cut;
		edges += degree;
		if (degree > graph->nodes || edges > graph->edges)
			return "a node has too many edges";
		for (; degree > 0; degree--)
		{
			if (!strict_varint(&at, end, &value))
				return cut;
			if (value >= graph->nodes - least)
				return "an edge ends in no node";
			least += value + 1;
			switch ((GraphWeights) graph->weights)
			{
				case GRAPH_EQUAL:
					continue;
				case GRAPH_INTEGER:
					if (!strict_varint(&at, end, &value))
						return cut;
					if (value > (uint64) GRAPH_MAX_INTEGER)
						return "a weight is out of range";
					weight = value;
					break;
				case GRAPH_FLOAT4:
					if (end - at < (ptrdiff_t) sizeof(float))
						return cut;
					weight = graph_read_float4(at);
					at += sizeof(float);
					break;
				case GRAPH_FLOAT8:
					if (end - at < (ptrdiff_t) sizeof(double))
						return cut;
					weight = graph_read_float8(at);
					at += sizeof(double);
					break;
			}
			if (!(weight > 0) || isinf(weight))
				return "a weight is not finite and positive";
			classify(&classes, weight);
		}
	}
	if (edges != graph->edges)
		return "its edges are not as many as it says";
	if (at != end)
		return "it goes on after its last edge";
	if (graph->weights != first_class(&classes))
		return "it is not in canonical form";
	return NULL;
}

#if defined(USE_ASSERT_CHECKING) || defined(INFLUENCE_ASSERT)
void
graph_assert(const InfluenceGraph *graph)
{
	const char *what = graph_invalid(graph);

	if (what)
		elog(PANIC, "influence_graph value breaks an invariant: %s", what);
}
#endif
