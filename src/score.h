/*
 * score.h
 *	  From influence to scores of 1 to 100, and to percentiles.
 */
#ifndef INFLUENCE_SCORE_H
#define INFLUENCE_SCORE_H

#include <stdint.h>

#define SCORE_MOST	100.0

extern double score_settle(double influence);
extern double score_of(double influence, double reference, double c);
extern void score_percentiles(const double *influence, uint32_t n, float *percentile,
							  uint64_t *const scratch[4]);

#endif
