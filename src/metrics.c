/*
 * metrics.c
 *	  How well one order of users predicts another.
 *
 * Users who have the same value share the places that they take together; no
 * order among them is made up.  So nothing here depends on how users are
 * numbered.
 *
 *	Spearman	the correlation of average ranks (Kendall and Gibbons, "Rank
 *				correlation methods", 1990, section 3.8): of n users who share
 *				the places i .. j, everybody has rank (i + j) / 2.
 *	NDCG		DCG / DCG of the best order, DCG being the sum over the first
 *				places k of gain / log2(k + 1) (Jarvelin and Kekalainen 2002,
 *				with the discount of Burges et al. 2005 and the gain itself, not
 *				a power of it), each user having the mean gain of those they
 *				share places with (McSherry and Najork 2008, section 2.6): what
 *				is expected of them in random order.
 *	precision	of those at the head by the predictor, which part is at the
 *				head by gain; in expectation, where either end of a head falls
 *				among users who share places.  Users without gain are not at
 *				the head by gain.
 *
 * The head is METRICS_HEAD users, or all if there are fewer.  Sums are taken
 * over groups of users with the same value, in the order of values; in a group
 * they are sums of integers, which are exact.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <math.h>
#include <stddef.h>

#include "metrics.h"
#include "radix.h"

/*
 * Sort users by value, ascending: scratch[0] has the keys then, and
 * scratch[1] the users.
 */
static void
sort_users(const double *value, uint32_t n, uint64_t *const scratch[4])
{
	for (uint32_t i = 0; i < n; i++)
	{
		scratch[0][i] = radix_from_double(value[i]);
		scratch[1][i] = i;
	}
	radix_sort(scratch[0], scratch[1], scratch[2], scratch[3], n, 64);
}

/* The first of the group of equal keys that ends before end. */
static uint32_t
group_start(const uint64_t *key, uint32_t end)
{
	uint32_t	start = end - 1;

	while (start > 0 && key[start - 1] == key[end - 1])
		start--;
	return start;
}

/* What a unit of gain counts in all of the places from..to, from 0, at the head. */
static double
discount(uint32_t from, uint32_t to, uint32_t head)
{
	double		sum = 0;

	for (uint32_t place = from; place < to && place < head; place++)
		sum += 1 / log2(place + 2.0);
	return sum;
}

static uint32_t
head_size(uint32_t n)
{
	return n < METRICS_HEAD ? n : METRICS_HEAD;
}

/* Twice a rank, less that of the middle: a whole number. */
static double
centred(uint64_t rank, uint32_t n)
{
	return (double) rank - ((double) n + 1);
}

/*
 * Prepare to compare predictors with gains, which are not negative.  rank is
 * room for n; it and gain are referred to by truth.  scratch is four arrays of
 * n words.
 */
void
metrics_truth(Truth *truth, const double *gain, uint32_t n, uint64_t *rank,
			  uint64_t *const scratch[4])
{
	uint32_t	head = head_size(n);

	*truth = (Truth) {.n = n, .gain = gain, .rank = rank};
	sort_users(gain, n, scratch);
	for (uint32_t end = n; end > 0;)
	{
		uint32_t	start = group_start(scratch[0], end);
		uint32_t	size = end - start;
		uint32_t	place = n - end;
		uint64_t	twice = (uint64_t) start + 1 + end;
		double		value = gain[scratch[1][start]];

		for (uint32_t i = start; i < end; i++)
			rank[scratch[1][i]] = twice;
		truth->gainers += value > 0 ? size : 0;
		truth->spread += size * centred(twice, n) * centred(twice, n);
		truth->ideal += value * discount(place, place + size, head);
		if (place < head)
		{
			truth->last = value;
			truth->last_part = place + size <= head ? 1 : (double) (head - place) / size;
		}
		end = start;
	}
}

/*
 * How well a predictor, not negative, orders users as truth says.  A metric is
 * NaN where all have the same gain or the same prediction (Spearman), or
 * nobody has any gain (the others).
 */
Metrics
metrics_measure(const Truth *truth, const double *predictor, uint64_t *const scratch[4])
{
	uint32_t	n = truth->n;
	uint32_t	head = head_size(n);
	double		spread = 0;
	double		product = 0;
	double		dcg = 0;
	double		hits = 0;
	Metrics		metrics = {NAN, NAN, NAN};

	sort_users(predictor, n, scratch);
	for (uint32_t end = n; end > 0;)
	{
		uint32_t	start = group_start(scratch[0], end);
		uint32_t	size = end - start;
		uint32_t	place = n - end;
		double		here = centred((uint64_t) start + 1 + end, n);
		double		ranks = 0;
		double		gains = 0;
		uint32_t	above = 0;
		uint32_t	last = 0;

		for (uint32_t i = start; i < end; i++)
		{
			uint64_t	user = scratch[1][i];
			double		gain = truth->gain[user];

			ranks += centred(truth->rank[user], n);
			gains += gain;
			above += gain > truth->last;
			last += gain == truth->last && gain > 0;
		}
		spread += size * here * here;
		product += here * ranks;
		if (place < head)
		{
			uint32_t	counted = place + size <= head ? size : head - place;

			dcg += gains / size * discount(place, place + size, head);
			hits += (above + last * truth->last_part) * counted / size;
		}
		end = start;
	}
	if (spread > 0 && truth->spread > 0)
		metrics.spearman = fmax(-1, fmin(1, product / sqrt(spread * truth->spread)));
	if (truth->ideal > 0)
	{
		metrics.ndcg = dcg / truth->ideal;
		metrics.precision = hits / head;
	}
	return metrics;
}
