/*
 * graph_union.c
 *	  Adding graph values: g + g, and the aggregate influence_graph_union.
 *
 * The state of the aggregate is a graph value, so that its parts can be sent
 * anywhere and be added by the same function.  Within one process it is an
 * expanded object around a pile of values, which are merged when someone asks
 * for the sum: a union of many graphs costs about one merge of all, not one
 * encoding per row.
 *
 * An expanded object is made in an aggregate's memory only, and only the
 * aggregate has a read-write pointer to it.  Asking for its flat form merges
 * the pile and keeps the sum, which changes how the value is held and not
 * which value it is; a read-only pointer allows that.
 */
#include "graph.h"
#include "graph_codec.h"
#include "graph_merge.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#define EXPANDED_MAGIC	0x696E6667

typedef struct ExpandedGraph
{
	ExpandedObjectHeader header;
	int			magic;
	GraphPile	pile;
} ExpandedGraph;

static Size
expanded_size(ExpandedObjectHeader *header)
{
	return VARSIZE(graph_pile_sum(&((ExpandedGraph *) header)->pile));
}

static void
expanded_flatten(ExpandedObjectHeader *header, void *result, Size allocated_size)
{
	memcpy(result, graph_pile_sum(&((ExpandedGraph *) header)->pile), allocated_size);
}

static const ExpandedObjectMethods expanded_methods = {
	expanded_size, expanded_flatten
};

/* The graph behind a read-write pointer to one of ours; NULL if it is none. */
static ExpandedGraph *
expanded_graph(Datum datum)
{
	ExpandedGraph *expanded;

	if (!VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(datum)))
		return NULL;
	expanded = (ExpandedGraph *) DatumGetEOHP(datum);
	return expanded->header.eoh_methods == &expanded_methods &&
		expanded->magic == EXPANDED_MAGIC ? expanded : NULL;
}

/* A new one, of one value, below the memory context of an aggregate. */
static ExpandedGraph *
new_expanded_graph(MemoryContext aggregate, const InfluenceGraph *graph)
{
	MemoryContext context = AllocSetContextCreate(aggregate, "influence graph union",
												  ALLOCSET_START_SMALL_SIZES);
	ExpandedGraph *expanded = MemoryContextAllocZero(context, sizeof(ExpandedGraph));

	EOH_init_header(&expanded->header, &expanded_methods, context);
	expanded->magic = EXPANDED_MAGIC;
	graph_pile_init(&expanded->pile, context);
	graph_pile_add(&expanded->pile, graph);
	return expanded;
}

PG_FUNCTION_INFO_V1(influence_graph_add);

/*
 * influence_graph_add(influence_graph, influence_graph): the nodes and edges
 * of both, weights of edges that both have added up.
 */
Datum
influence_graph_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggregate;
	InfluenceGraph *graph[2];

	if (AggCheckCallContext(fcinfo, &aggregate))
	{
		ExpandedGraph *state = expanded_graph(PG_GETARG_DATUM(0));

		if (state == NULL)
			state = new_expanded_graph(aggregate, PG_GETARG_INFLUENCE_GRAPH_P(0));
		graph_pile_add(&state->pile, PG_GETARG_INFLUENCE_GRAPH_P(1));
		PG_RETURN_DATUM(EOHPGetRWDatum(&state->header));
	}
	graph[0] = PG_GETARG_INFLUENCE_GRAPH_P(0);
	graph[1] = PG_GETARG_INFLUENCE_GRAPH_P(1);
	PG_RETURN_POINTER(graph_merge(graph, 2));
}
