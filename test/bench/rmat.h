/*
 * rmat.h
 *	  Rows of an R-MAT graph, one at a time.
 *
 * 2^scale possible users; rows are drawn independently: each picks one quadrant
 * of the adjacency matrix with probabilities .57, .19, .19 and .05, scale times
 * over (Chakrabarti, Zhan and Faloutsos, "R-MAT: a recursive model for graph
 * mining", SDM 2004; parameters of Graph500).  As real logs do, it repeats pairs
 * and has self-interactions.  Weights are uniform in [0.5, 1.5), times uniform
 * over the year 2024, kinds one of four.
 *
 * Random numbers: SplitMix (Steele, Lea and Flood, OOPSLA 2014).
 */
#ifndef RMAT_H
#define RMAT_H

#include <stdint.h>

typedef struct RmatRow
{
	uint64_t	src;			/* 0 .. 2^scale - 1 */
	uint64_t	dst;
	float		weight;
	int64_t		at;				/* microseconds since 2000 */
	int			kind;			/* 0 .. 3 */
} RmatRow;

static inline uint64_t
rmat_random(uint64_t *state)
{
	uint64_t	z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/*
 * The id of a node: sparse, of 63 bits, without collisions.  Xor with a right
 * shift, and multiplication by an odd constant modulo 2^63, are bijections.
 */
static inline uint64_t
rmat_id(uint64_t node)
{
	const uint64_t mask = UINT64_MAX >> 1;

	node = (node * UINT64_C(0xbf58476d1ce4e5b9)) & mask;
	node ^= node >> 30;
	node = (node * UINT64_C(0x94d049bb133111eb)) & mask;
	node ^= node >> 31;
	return node;
}

static inline RmatRow
rmat_row(uint64_t *state, int scale)
{
	/* thresholds of 32 random bits for the first three quadrants */
	const uint32_t a = (uint32_t) (0.57 * 4294967296.0);
	const uint32_t ab = (uint32_t) (0.76 * 4294967296.0);
	const uint32_t abc = (uint32_t) (0.95 * 4294967296.0);
	const uint64_t start = UINT64_C(8766) * 86400 * 1000000;	/* 2024-01-01 */
	const uint64_t year = UINT64_C(366) * 86400 * 1000000;
	RmatRow		row = {0};
	uint64_t	bits = 0;

	for (int level = 0; level < scale; level++)
	{
		uint32_t	r;

		bits = level % 2 ? bits >> 32 : rmat_random(state);
		r = (uint32_t) bits;
		row.src = row.src << 1 | (r >= ab);
		row.dst = row.dst << 1 | ((r >= a && r < ab) || r >= abc);
	}
	bits = rmat_random(state);
	row.weight = 0.5f + (float) (bits >> 40) / 16777216.0f;
	row.kind = (int) (bits & 3);
	row.at = (int64_t) (start + rmat_random(state) % year);
	return row;
}

#endif
