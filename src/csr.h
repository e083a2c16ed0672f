/*
 * csr.h
 *	  Compressed sparse rows: the one form of a graph that kernels read.
 *
 * A graph over nodes 0 .. n-1 is an array of blocks.  A block holds the edges
 * of a contiguous range of nodes, so that several processes can build a graph
 * block by block, and release what a block was made from as they go.  For the
 * pull kernels of rank.c row v lists the edges that end in v, and column is
 * where they start; whoever fills the block says which direction it holds.
 *
 * What a kernel reads of the node at the other end of an edge is not indexed
 * by node but by slot: the blocks deal their nodes out to cache lines in
 * turns, eight doubles at a time.  Where each block has its nodes in the order
 * of how often they are read, those read most of all blocks are then side by
 * side, and the hot part of an array is one stretch of it that stays in cache.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#ifndef INFLUENCE_CSR_H
#define INFLUENCE_CSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Weights take one of three forms.  Models without weights and decay have few
 * distinct ones (a pair's weight is a function of how often it occurred): one
 * byte an edge then says which entry of a dictionary applies, which is what a
 * kernel bound by memory bandwidth wants.
 */
typedef struct CsrBlock
{
	uint32_t	first;			/* node that row 0 stands for */
	uint32_t	nrows;
	uint32_t	lane;			/* see csr_slot */
	uint32_t	lanes;			/* 1 for a graph of one block */
	const uint64_t *offset;		/* [nrows + 1], edges of row i are
								 * offset[i] .. offset[i + 1] - 1 */
	const uint32_t *column;		/* slot of the node at the other end, ascending
								 * in a row */
	const double *weight;		/* by edge; or NULL */
	const uint8_t *code;		/* by edge, an index of dictionary; or NULL */
	const double *dictionary;
	/* with neither weight nor code every edge weighs 1 */
} CsrBlock;

/* A range of rows of one block: the unit in which work is handed out. */
typedef struct CsrChunk
{
	uint32_t	block;
	uint32_t	low;			/* first row, within the block */
	uint32_t	high;			/* row after the last */
} CsrChunk;

extern size_t csr_chunks(const CsrBlock *block, size_t nblocks, CsrChunk *chunk);
extern bool csr_valid(const CsrBlock *block, uint32_t nodes, uint32_t slots);

/* Doubles in a cache line. */
#define CSR_LINE	8

/* The slot of a row of a block; that of node v is v if there is one block. */
static inline uint32_t
csr_slot(const CsrBlock *block, uint32_t row)
{
	return (row / CSR_LINE * block->lanes + block->lane) * CSR_LINE + row % CSR_LINE;
}

/* Room for the slots of so many blocks, of at most so many rows each. */
static inline uint64_t
csr_slots(uint32_t lanes, uint32_t nrows)
{
	return ((uint64_t) nrows + CSR_LINE - 1) / CSR_LINE * lanes * CSR_LINE;
}

static inline uint64_t
csr_edges(const CsrBlock *block)
{
	return block->nrows == 0 ? 0 : block->offset[block->nrows];
}

static inline double
csr_weight(const CsrBlock *block, uint64_t edge)
{
	return block->weight ? block->weight[edge] :
		block->code ? block->dictionary[block->code[edge]] : 1.0;
}

#endif
