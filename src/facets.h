/*
 * facets.h
 *	  The graphs of networks and topics, their ranks and scores.
 */
#ifndef INFLUENCE_FACETS_H
#define INFLUENCE_FACETS_H

#include "blocks.h"
#include "labels.h"
#include "restart.h"
#include "score.h"

/* Parts of a facet that come from one block of the whole graph. */
typedef struct FacetBlock
{
	uint32		facets;			/* that have any */
	ArenaRef	facet;			/* [facets], ascending */
	ArenaRef	offset;			/* [facets + 1] */
	ArenaRef	edge;			/* FacetEdge[offset[facets]] */
} FacetBlock;

/* In shared memory when there are workers. */
typedef struct FacetsShared
{
	Restart		restart;		/* parameters, as for the whole graph */
	double		damping;
	double		tolerance;
	int			max_iterations;
	Mixture		mixture;
	bool		rescale;
	ArenaRef	order;			/* [facets], largest first */
	FacetBlock	block[ID_PARTITIONS];	/* each written by who builds it */
} FacetsShared;

/* One process's view. */
typedef struct Facets
{
	FacetsShared *shared;
	Arena	   *arena;
	Labels	   *labels;
	Blocks	   *blocks;
	uint32	   *count;			/* [facets] all 0 between calls */
	uint32	   *local;			/* [nodes] likewise */
} Facets;

extern Facets *facets_attach(FacetsShared *shared, Labels *labels, Blocks *blocks);
extern void facets_collect(Facets *facets, uint32 partition, const Part *part, uint64 n);
extern void facets_order(Facets *facets);
extern void facets_solve(Facets *facets, uint64 item);
extern void facets_relate(Facets *facets);

#endif
