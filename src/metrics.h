/*
 * metrics.h
 *	  How well one order of users predicts another.
 */
#ifndef INFLUENCE_METRICS_H
#define INFLUENCE_METRICS_H

#include <stdint.h>

/* How many users at the head of an order NDCG and precision look at. */
#define METRICS_HEAD	100

/* What was to be predicted of n users. */
typedef struct Truth
{
	uint32_t	n;
	uint32_t	gainers;		/* users with any gain */
	const double *gain;			/* by user; not negative */
	const uint64_t *rank;		/* by user: twice the average rank by gain */
	double		spread;			/* sum of squares of rank - (n + 1) */
	double		ideal;			/* DCG of the best order */
	double		last;			/* the least gain at the head, */
	double		last_part;		/* and which part of those who have it is there */
} Truth;

/* NaN: not defined. */
typedef struct Metrics
{
	double		spearman;
	double		ndcg;
	double		precision;
} Metrics;

extern void metrics_truth(Truth *truth, const double *gain, uint32_t n, uint64_t *rank,
						  uint64_t *const scratch[4]);
extern Metrics metrics_measure(const Truth *truth, const double *predictor,
							   uint64_t *const scratch[4]);

#endif
