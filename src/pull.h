/*
 * pull.h
 *	  What a row of a graph receives: the inner loop of all sweeps.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#ifndef INFLUENCE_PULL_H
#define INFLUENCE_PULL_H

#include "csr.h"

/*
 * Sum of weight * share over the edges of a row.  Two sums that take turns
 * hide the latency of the addition, without a rest of the row to branch on:
 * most rows are short, and a branch that is guessed wrong costs as much as
 * five edges.
 */
#define PULL(weight_of_edge) \
	for (; e < end; e++) \
	{ \
		double		sum = one + (weight_of_edge) * share[column[e]]; \
 \
		one = other; \
		other = sum; \
	}

static inline double
pull(const CsrBlock *block, uint64_t e, uint64_t end, const double *share)
{
	const uint32_t *column = block->column;
	double		one = 0;
	double		other = 0;

	if (block->weight)
	{
		const double *weight = block->weight;

		PULL(weight[e]);
	}
	else if (block->code)
	{
		const uint8_t *code = block->code;
		const double *dictionary = block->dictionary;

		PULL(dictionary[code[e]]);
	}
	else
		PULL(1.0);
	return one + other;
}

#endif
