/*
 * blocks.h
 *	  Numbering the nodes of a graph, and making its edges into blocks.
 */
#ifndef INFLUENCE_BLOCKS_H
#define INFLUENCE_BLOCKS_H

#include "csr.h"
#include "edges.h"
#include "ids.h"
#include "labels.h"

/*
 * A pair's interactions of one label, as of the time of the refresh: a pair's
 * parts add up to x, of which the pair weight is a function.
 */
typedef struct Part
{
	uint32		row;			/* of the target in its block */
	uint32		source;			/* slot */
	uint32		label;			/* number; 0 where there are no labels */
	uint32		rows;			/* that add up to x */
	double		x;
} Part;

/*
 * Takes all parts of a block, ascending by row, source and label; the block
 * itself is there.
 */
typedef void (*PartConsumer) (void *context, uint32 partition, const Part *part, uint64 n);

/* Weights that a byte can tell apart: see CsrBlock. */
#define BLOCK_CODES	256

typedef struct BlockRefs
{
	ArenaRef	offset;
	ArenaRef	column;
	ArenaRef	weight;
	ArenaRef	code;
	uint64		room;			/* pairs that the last three have room for */
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
	uint64		pairs[ID_PARTITIONS];	/* each written by who builds it, */
	BlockRefs	block[ID_PARTITIONS];	/* and so are these */
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

extern void blocks_init(BlocksShared *shared, Arena *arena, const uint32 *count, bool ordered,
						bool logarithmic, uint32 per_node, uint32 per_node_after);
extern Blocks *blocks_attach(BlocksShared *shared, Arena *arena);
extern void blocks_count_sources(Blocks *blocks, Edges *edges);
extern void blocks_order(Blocks *blocks, Ids *ids, uint32 partition);
extern void blocks_ordered(Blocks *blocks);
pg_noreturn extern void blocks_report_infinite_pair(void);
extern double blocks_pair_weight(const BlocksShared *shared, double x);
extern void blocks_build(Blocks *blocks, Edges *edges, const Labels *labels, uint32 partition,
						 PartConsumer consumer, void *context);
extern void blocks_resolve(Blocks *blocks);
extern void blocks_free(Blocks *blocks);

/* The number of a node: that of its row, counted through all blocks. */
static inline uint32
blocks_number(const Blocks *blocks, NodeRef node)
{
	return blocks->number[blocks->shared->base[NODE_PARTITION(node)] + NODE_PLACE(node)];
}

/* The number of the node at a slot. */
static inline uint32
blocks_number_of_slot(const BlocksShared *shared, uint32 slot)
{
	uint32		p = slot / CSR_LINE % ID_PARTITIONS;

	return shared->base[p] + slot / (CSR_LINE * ID_PARTITIONS) * CSR_LINE + slot % CSR_LINE;
}

/* Have it fetched into the cache. */
static inline void
blocks_prefetch_number(const Blocks *blocks, NodeRef node)
{
	__builtin_prefetch(&blocks->number[blocks->shared->base[NODE_PARTITION(node)] + NODE_PLACE(node)]);
}

#endif
