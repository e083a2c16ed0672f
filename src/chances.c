/*
 * chances.c
 *	  The learned probabilities of a model, as edges of its kept graph.
 *
 * Rows of the table of probabilities name users by their ids.  To find the
 * nodes that these are, all ids of the graph are put into an open-addressing
 * hash table of node numbers, which lives while the rows are read.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "chances.h"
#include "compat.h"
#include "graph.h"
#include "tables.h"

/* Rows fetched at a time. */
#define FETCH	4096

struct Chances
{
	uint64		count;
	uint64		room;
	uint32	   *source;			/* node numbers */
	uint32	   *target;
	double	   *probability;
};

#define CHANCE_BYTES	(2 * sizeof(uint32) + sizeof(double))

/* The nodes of a graph by their ids. */
typedef struct Finder
{
	KeptGraph  *graph;
	IdType		type;
	uint32		mask;
	uint32	   *slot;			/* node + 1; 0: free */
} Finder;

static Finder
make_finder(KeptGraph *graph)
{
	Finder		finder = {.graph = graph, .type = kept_head(graph->kept)->id_type};
	uint64		slots = pg_nextpower2_64(Max(16, (uint64) graph->nodes * 2));

	graph_require_memory(kept_graph_size(graph) + slots * sizeof(uint32));
	finder.mask = (uint32) (slots - 1);
	finder.slot = palloc_extended(slots * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 v = 0; v < graph->nodes; v++)
	{
		Id			id;
		uint32		i;

		if (v % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		kept_id(graph->kept, graph->node[v], &id);
		id_set_hash(finder.type, &id);
		for (i = id.hash & finder.mask; finder.slot[i] != 0; i = (i + 1) & finder.mask)
			;
		finder.slot[i] = v + 1;
	}
	return finder;
}

/* The node of a user; KEPT_NOBODY if they are not in the graph. */
static uint32
find(const Finder *finder, Datum value)
{
	Id			id = id_from_datum(finder->type, finder->type == ID_TEXT ?
								   PointerGetDatum(PG_DETOAST_DATUM_PACKED(value)) : value);

	for (uint32 i = id.hash & finder->mask; finder->slot[i] != 0; i = (i + 1) & finder->mask)
	{
		uint32		v = finder->slot[i] - 1;
		Id			at;

		kept_id(finder->graph->kept, finder->graph->node[v], &at);
		at.hash = id.hash;
		if (id_equal(finder->type, &at, &id))
			return v;
	}
	return KEPT_NOBODY;
}

static void
add(Chances *chances, uint32 source, uint32 target, double probability, uint64 taken)
{
	if (chances->count == chances->room)
	{
		chances->room *= 2;
		graph_require_memory(taken + chances->room * CHANCE_BYTES);
		chances->source = repalloc_huge(chances->source, chances->room * sizeof(uint32));
		chances->target = repalloc_huge(chances->target, chances->room * sizeof(uint32));
		chances->probability = repalloc_huge(chances->probability, chances->room * sizeof(double));
	}
	chances->source[chances->count] = source;
	chances->target[chances->count] = target;
	chances->probability[chances->count++] = probability;
}

/* The query of a model's table, with the caller's rights. */
static char *
make_query(Model *model)
{
	Relation	rel;
	char	   *query;

	if (!OidIsValid(model->chances))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no learned probabilities", model->name),
				 errhint("Learn them by influence_learn.")));
	rel = try_relation_open(model->chances, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of learned probabilities of model \"%s\" does not exist any more",
						model->name),
				 errhint("Learn them anew by influence_learn.")));
	tables_check(rel, TABLE_CHANCES);
	query = psprintf("SELECT source, target, probability FROM %s",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)));
	relation_close(rel, NoLock);
	return query;
}

/*
 * Read the learned probabilities of a model, in the current memory context:
 * those between nodes of a kept graph.  Raises an error if none were learned,
 * the caller may not read them, one of them is none, or they do not fit.
 */
Chances *
chances_read(Model *model, KeptGraph *graph)
{
	char	   *query = make_query(model);
	MemoryContext context = CurrentMemoryContext;
	Chances    *chances = palloc0(sizeof(Chances));
	Finder		finder = make_finder(graph);
	uint64		taken = kept_graph_size(graph) + ((uint64) finder.mask + 1) * sizeof(uint32);
	Portal		portal;

	chances->room = 1024;
	chances->source = palloc(chances->room * sizeof(uint32));
	chances->target = palloc(chances->room * sizeof(uint32));
	chances->probability = palloc(chances->room * sizeof(double));
	spi_begin();
	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		value[3];
			uint32		source,
						target;
			double		probability;

			for (int column = 0; column < lengthof(value); column++)
			{
				bool		isnull;

				value[column] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
											  column + 1, &isnull);
				if (isnull || SPI_gettypeid(SPI_tuptable->tupdesc, column + 1) !=
					(column == 2 ? FLOAT8OID : model_id_type_oid(model->id_type)))
					ereport(ERROR,
							(errcode(ERRCODE_DATA_EXCEPTION),
							 errmsg("the table of learned probabilities of model \"%s\" is damaged", model->name),
							 errhint("Drop the table, and learn anew by influence_learn.")));
			}
			probability = DatumGetFloat8(value[2]);
			if (!(probability > 0 && probability <= 1))
				ereport(ERROR,
						(errcode(ERRCODE_DATA_EXCEPTION),
						 errmsg("learned probability %g of model \"%s\" is out of range", probability, model->name),
						 errhint("Learn anew by influence_learn.")));
			source = find(&finder, value[0]);
			target = find(&finder, value[1]);
			if (source == KEPT_NOBODY || target == KEPT_NOBODY || source == target)
				continue;
			MemoryContextSwitchTo(context);
			add(chances, source, target, probability, taken);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	spi_end();
	pfree(finder.slot);
	return chances;
}

/* Bytes that they take. */
uint64
chances_size(const Chances *chances)
{
	return chances->room * CHANCE_BYTES;
}

/*
 * Put probabilities in the place of the weights of a graph by out-edges, whose
 * columns ascend in each row, and take the edges out that have none.  Returns
 * how many are left.
 */
uint64
chances_apply(const Chances *chances, uint32 nodes, uint64 *offset, uint32 *column, double *weight)
{
	uint64		left = 0;
	uint64		begin = 0;

	memset(weight, 0, offset[nodes] * sizeof(double));
	for (uint64 i = 0; i < chances->count; i++)
	{
		uint64		low = offset[chances->source[i]];
		uint64		end = offset[chances->source[i] + 1];
		uint64		high = end;

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		while (low < high)
		{
			uint64		middle = low + (high - low) / 2;

			if (column[middle] < chances->target[i])
				low = middle + 1;
			else
				high = middle;
		}
		if (low < end && column[low] == chances->target[i])
			weight[low] = chances->probability[i];
	}
	for (uint32 v = 0; v < nodes; v++)
	{
		uint64		end = offset[v + 1];

		for (uint64 e = begin; e < end; e++)
			if (weight[e] > 0)
			{
				column[left] = column[e];
				weight[left++] = weight[e];
			}
		begin = end;
		offset[v + 1] = left;
	}
	return left;
}
