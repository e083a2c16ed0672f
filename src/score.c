/*
 * score.c
 *	  From influence to scores of 1 to 100, and to percentiles.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <math.h>

#include "radix.h"
#include "score.h"

/*
 * How a mixture counts units.  received, responses and audience are the sums
 * over all users: each part of the mixture gives all users together its share
 * of received, so that influence keeps its unit, one average user's attention.
 */
MixtureUnits
score_units(const Mixture *mixture, double received, double responses, double audience)
{
	MixtureUnits units = {mixture->rank, 0, 0};

	if (responses > 0)
		units.response = mixture->responses * received / responses;
	if (audience > 0)
		units.person = mixture->audience * received / audience;
	return units;
}

/*
 * Influence, rounded to 41 significant bits (a relative 2e-13).
 *
 * The order in which a sum is formed shows in its last bits only.  Without
 * those, users in the same position have the same influence, hence the same
 * percentile, and a refresh that finds nothing new changes nothing.
 */
double
score_settle(double influence)
{
	int			exponent;
	double		fraction = frexp(influence, &exponent);

	return ldexp(nearbyint(ldexp(fraction, 41)), exponent - 41);
}

/*
 * The score of an influence, before it is cut off at SCORE_MOST:
 *
 *		1 + 99 ln(1 + influence / c) / ln(1 + reference / c)
 *
 * Where nobody had any influence when the scale was taken (reference and c
 * are 0) everybody scores 1.
 */
double
score_of(double influence, double reference, double c)
{
	if (!(reference > 0) || !(c > 0))
		return 1;
	return 1 + (SCORE_MOST - 1) * log1p(influence / c) / log1p(reference / c);
}

/*
 * percentile[i]: how many users have less influence than user i, in percent.
 * Of the n nodes only so many are users; the others have no influence.
 * scratch is four arrays of n words.
 */
void
score_percentiles(const double *influence, uint32_t n, uint32_t users, float *percentile,
				  uint64_t *const scratch[4])
{
	uint64_t   *key = scratch[0];
	uint64_t   *user = scratch[1];
	uint32_t	m = 0;
	uint32_t	zero;

	/* most users of most communities have none: they need no sorting */
	for (uint32_t i = 0; i < n; i++)
	{
		percentile[i] = 0;
		if (influence[i] > 0)
		{
			key[m] = radix_from_double(influence[i]);
			user[m] = i;
			m++;
		}
	}
	zero = users - m;
	radix_sort(key, user, scratch[2], scratch[3], m, 64);
	for (uint32_t i = 0, first = 0; i < m; i++)
	{
		if (key[i] != key[first])
			first = i;
		percentile[user[i]] = (float) (100.0 * ((double) zero + first) / users);
	}
}
