/*
 * score.h
 *	  From influence to scores of 1 to 100, and to percentiles.
 */
#ifndef INFLUENCE_SCORE_H
#define INFLUENCE_SCORE_H

#include <stdint.h>

#define SCORE_MOST	100.0

/*
 * What influence is made of: parts that sum to 1, of what a user receives from
 * ranks, of pair weights received, and of the number of people who reacted.
 */
typedef struct Mixture
{
	double		rank;
	double		responses;
	double		audience;
} Mixture;

/* The same by unit: of influence by rank, of pair weight, and of person. */
typedef struct MixtureUnits
{
	double		rank;
	double		response;
	double		person;
} MixtureUnits;

extern MixtureUnits score_units(const Mixture *mixture, double received, double responses,
								double audience);
extern double score_settle(double influence);
extern double score_of(double influence, double reference, double c);
extern void score_percentiles(const double *influence, uint32_t n, uint32_t users,
							  float *percentile, uint64_t *const scratch[4]);

#endif
