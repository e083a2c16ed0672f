/*
 * graph.c
 *	  Type influence_graph: input and output, operators, what is in a graph.
 */
#include "graph.h"

#include <math.h>

#include "access/htup_details.h"
#include "graph_codec.h"
#include "libpq/pqformat.h"
#include "utils/memutils.h"

/*
 * Raises ERRCODE_CONFIGURATION_LIMIT_EXCEEDED if a graph function is about to
 * allocate more than maintenance_work_mem.
 */
void
graph_require_memory(uint64 bytes)
{
	uint64		limit = (uint64) maintenance_work_mem * 1024;

	if (bytes > limit)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("graph needs about %llu MB of memory, more than \"maintenance_work_mem\" allows",
						(unsigned long long) ((bytes + 1048575) / 1048576)),
				 errdetail("\"maintenance_work_mem\" is %d kB.", maintenance_work_mem),
				 errhint("Raise \"maintenance_work_mem\" for this session, for example by SET maintenance_work_mem = '%lluMB'.",
						 (unsigned long long) ((bytes + 1048575) / 1048576))));
}

PG_FUNCTION_INFO_V1(influence_graph_in);

Datum
influence_graph_in(PG_FUNCTION_ARGS)
{
	InfluenceGraph *graph = graph_from_text(PG_GETARG_CSTRING(0), fcinfo->context);

	if (graph == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(graph);
}

PG_FUNCTION_INFO_V1(influence_graph_out);

Datum
influence_graph_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(graph_to_text(PG_GETARG_INFLUENCE_GRAPH_P(0)));
}

PG_FUNCTION_INFO_V1(influence_graph_recv);

/*
 * The binary form is the stored one with the numbers of the header in network
 * order.  It must be valid in every respect, and canonical; otherwise raises
 * ERRCODE_INVALID_BINARY_REPRESENTATION.
 */
Datum
influence_graph_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buf);
	InfluenceGraph *graph;
	Size		length;
	const char *invalid;

	if (version != GRAPH_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of binary influence_graph value", version)));
	length = buf->len - buf->cursor;
	if (length < GRAPH_HEADER - VARHDRSZ - 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary influence_graph value: it is shorter than its header")));
	graph = palloc(length + VARHDRSZ + 1);
	SET_VARSIZE(graph, length + VARHDRSZ + 1);
	graph->version = version;
	graph->weights = pq_getmsgbyte(buf);
	graph->reserved = pq_getmsgint(buf, 2);
	graph->nodes = pq_getmsgint(buf, 4);
	graph->edges = pq_getmsgint(buf, 4);
	pq_copymsgbytes(buf, (char *) graph->stream, GRAPH_STREAM(graph));
	invalid = graph_invalid(graph);
	if (invalid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary influence_graph value: %s", invalid)));
	PG_RETURN_POINTER(graph);
}

PG_FUNCTION_INFO_V1(influence_graph_send);

Datum
influence_graph_send(PG_FUNCTION_ARGS)
{
	InfluenceGraph *graph = PG_GETARG_INFLUENCE_GRAPH_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, graph->version);
	pq_sendint8(&buf, graph->weights);
	pq_sendint16(&buf, graph->reserved);
	pq_sendint32(&buf, graph->nodes);
	pq_sendint32(&buf, graph->edges);
	pq_sendbytes(&buf, (char *) graph->stream, GRAPH_STREAM(graph));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static bool
graphs_equal(FunctionCallInfo fcinfo)
{
	InfluenceGraph *a = PG_GETARG_INFLUENCE_GRAPH_P(0);
	InfluenceGraph *b = PG_GETARG_INFLUENCE_GRAPH_P(1);
	bool		equal = VARSIZE(a) == VARSIZE(b) &&
		memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) == 0;

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return equal;
}

PG_FUNCTION_INFO_V1(influence_graph_eq);

Datum
influence_graph_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(graphs_equal(fcinfo));
}

PG_FUNCTION_INFO_V1(influence_graph_ne);

Datum
influence_graph_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!graphs_equal(fcinfo));
}

/*
 * The graph with all weights multiplied.  Raises ERRCODE_INVALID_PARAMETER_VALUE
 * unless the factor is finite and positive, and as float8's operator does
 * ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE where a product is infinite or 0.
 */
static InfluenceGraph *
scale(const InfluenceGraph *graph, double factor)
{
	GraphArrays out;
	uint64		weights;
	double	   *weight;

	if (!(factor > 0) || isinf(factor))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a graph cannot be multiplied by %g", factor),
				 errhint("The factor must be finite and greater than 0.")));
	graph_decode(graph, GRAPH_OUT, &out);
	weight = out.weight ? out.weight : &out.equal;
	weights = out.edges == 0 ? 0 : out.weight ? out.edges : 1;
	for (uint64 i = 0; i < weights; i++)
	{
		double		product = weight[i] * factor;

		if (isinf(product) || product == 0)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("weight %g times %g is out of range: %s", weight[i], factor,
							product == 0 ? "underflow" : "overflow")));
		weight[i] = product;
	}
	return graph_encode(&out);
}

PG_FUNCTION_INFO_V1(influence_graph_scale);

Datum
influence_graph_scale(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(scale(PG_GETARG_INFLUENCE_GRAPH_P(0), PG_GETARG_FLOAT8(1)));
}

PG_FUNCTION_INFO_V1(influence_graph_scale_left);

Datum
influence_graph_scale_left(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(scale(PG_GETARG_INFLUENCE_GRAPH_P(1), PG_GETARG_FLOAT8(0)));
}

/* The header of an argument, without fetching the rest of it. */
static InfluenceGraph *
header_of(Datum datum)
{
	return graph_check_header((InfluenceGraph *)
							  PG_DETOAST_DATUM_SLICE(datum, 0, GRAPH_HEADER - VARHDRSZ));
}

PG_FUNCTION_INFO_V1(influence_node_count);

Datum
influence_node_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(header_of(PG_GETARG_DATUM(0))->nodes);
}

PG_FUNCTION_INFO_V1(influence_edge_count);

Datum
influence_edge_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(header_of(PG_GETARG_DATUM(0))->edges);
}

/* Begin reading a graph: its reader, and the ids of its nodes. */
static int64 *
begin_reading(GraphReader *reader, const InfluenceGraph *graph)
{
	int64	   *id = MemoryContextAllocHuge(CurrentMemoryContext,
											(Size) graph->nodes * sizeof(int64));

	graph_reader_init(reader, graph);
	graph_read_ids(reader, id);
	return id;
}

PG_FUNCTION_INFO_V1(influence_total_weight);

Datum
influence_total_weight(PG_FUNCTION_ARGS)
{
	InfluenceGraph *graph = PG_GETARG_INFLUENCE_GRAPH_P(0);
	GraphReader reader;
	double		sum = 0;

	pfree(begin_reading(&reader, graph));
	if (reader.weights == GRAPH_EQUAL)
		sum = reader.equal * graph->edges;
	else
	{
		for (uint32 v = 0; v < reader.nodes; v++)
		{
			CHECK_FOR_INTERRUPTS();
			for (uint32 degree = graph_read_row(&reader); degree > 0; degree--)
			{
				double		weight;

				graph_read_edge(&reader, &weight);
				sum += weight;
			}
		}
		graph_read_end(&reader);
	}
	if (isinf(sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sum of the weights of the graph is out of range")));
	PG_RETURN_FLOAT8(sum);
}

PG_FUNCTION_INFO_V1(influence_edges);

/* influence_edges(influence_graph): (source, target, weight), by source and target. */
Datum
influence_edges(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	InfluenceGraph *graph = PG_GETARG_INFLUENCE_GRAPH_P(0);
	GraphReader reader;
	int64	   *id;

	graph_require_memory((uint64) graph->nodes * sizeof(int64));
	InitMaterializedSRF(fcinfo, 0);
	id = begin_reading(&reader, graph);
	for (uint32 v = 0; v < reader.nodes; v++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 degree = graph_read_row(&reader); degree > 0; degree--)
		{
			Datum		values[3];
			bool		nulls[3] = {false};
			double		weight;

			values[0] = Int64GetDatum(id[v]);
			values[1] = Int64GetDatum(id[graph_read_edge(&reader, &weight)]);
			values[2] = Float8GetDatum(weight);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	graph_read_end(&reader);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(influence_nodes);

/*
 * influence_nodes(influence_graph): (node, in_degree, out_degree, in_weight,
 * out_weight), by node.  A self-loop counts on both sides.
 */
Datum
influence_nodes(PG_FUNCTION_ARGS)
{
	typedef struct Side
	{
		uint32		degree;
		double		weight;
	} Side;
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	InfluenceGraph *graph = PG_GETARG_INFLUENCE_GRAPH_P(0);
	GraphReader reader;
	int64	   *id;
	Side	   *in;
	Side	   *out;
	Size		size = (Size) graph->nodes * sizeof(Side);

	graph_require_memory((uint64) graph->nodes * (sizeof(int64) + 2 * sizeof(Side)));
	InitMaterializedSRF(fcinfo, 0);
	id = begin_reading(&reader, graph);
	in = MemoryContextAllocHuge(CurrentMemoryContext, size);
	out = MemoryContextAllocHuge(CurrentMemoryContext, size);
	memset(in, 0, size);
	memset(out, 0, size);
	for (uint32 v = 0; v < reader.nodes; v++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 degree = graph_read_row(&reader); degree > 0; degree--)
		{
			double		weight;
			uint32		target = graph_read_edge(&reader, &weight);

			out[v].degree++;
			out[v].weight += weight;
			in[target].degree++;
			in[target].weight += weight;
		}
	}
	graph_read_end(&reader);
	for (uint32 v = 0; v < reader.nodes; v++)
	{
		Datum		values[5];
		bool		nulls[5] = {false};

		CHECK_FOR_INTERRUPTS();
		if (isinf(in[v].weight) || isinf(out[v].weight))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("sum of the weights of the edges of node %lld is out of range",
							(long long) id[v])));
		values[0] = Int64GetDatum(id[v]);
		values[1] = Int64GetDatum(in[v].degree);
		values[2] = Int64GetDatum(out[v].degree);
		values[3] = Float8GetDatum(in[v].weight);
		values[4] = Float8GetDatum(out[v].weight);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
