/*
 * blocks.h
 *	  Numbering the nodes of a graph, and making its edges into blocks.
 */
#ifndef INFLUENCE_BLOCKS_H
#define INFLUENCE_BLOCKS_H

#include "csr.h"
#include "edges.h"
#include "ids.h"

/* ln 2: the weight of a pair that met once, under logarithmic pair weights */
#define LN2 0.693147180559945309417232121458

typedef struct BlockRefs
{
	ArenaRef	offset;
	ArenaRef	column;
	ArenaRef	weight;
	ArenaRef	code;
} BlockRefs;

/* In shared memory when there are workers. */
typedef struct BlocksShared
{
	bool		logarithmic;	/* a pair weighs ln(1 + x), else x */
	uint32		nodes;
	uint32		slots;			/* see csr_slot */
	uint32		base[ID_PARTITIONS + 1];	/* first number of each partition */
	uint64		beside;			/* bytes that will be needed beside blocks */
	uint64		edges_read;		/* in all buckets */
	ArenaRef	out_count;		/* [nodes] edges by source, by base + place */
	ArenaRef	number;			/* [nodes] number by base + place */
	ArenaRef	dictionary;		/* pair weight of 1 .. 256 unit edges */
	pg_atomic_uint64 edges;		/* pairs in the blocks built */
	pg_atomic_uint64 bytes;		/* in the blocks built, */
	pg_atomic_uint64 edges_built;	/* and edges of the buckets they are from */
	BlockRefs	block[ID_PARTITIONS];	/* each written by who builds it */
} BlocksShared;

/* One process's view. */
typedef struct Blocks
{
	BlocksShared *shared;
	Arena	   *arena;
	uint32	   *out_count;
	uint32	   *number;
	CsrBlock	block[ID_PARTITIONS];	/* after blocks_resolve */
} Blocks;

extern void blocks_init(BlocksShared *shared, Arena *arena, const IdsShared *ids,
						const EdgesShared *edges, bool logarithmic, uint32 per_node,
						uint32 per_node_after);
extern Blocks *blocks_attach(BlocksShared *shared, Arena *arena);
extern void blocks_count_sources(Blocks *blocks, Edges *edges);
extern void blocks_order(Blocks *blocks, Ids *ids, uint32 partition);
extern void blocks_ordered(Blocks *blocks);
extern void blocks_build(Blocks *blocks, Edges *edges, uint32 partition);
extern void blocks_resolve(Blocks *blocks);
extern void blocks_free(Blocks *blocks);

/* The number of a node: that of its row, counted through all blocks. */
static inline uint32
blocks_number(const Blocks *blocks, NodeRef node)
{
	return blocks->number[blocks->shared->base[NODE_PARTITION(node)] + NODE_PLACE(node)];
}

#endif
