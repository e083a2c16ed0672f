/*
 * cascade.c
 *	  How activity spreads in a graph: probabilities.
 *
 * Along an edge (u, v), by which u gives attention to v, it is v who activates
 * u: those who react are influenced by the one they react to.  Two models
 * (Kempe, Kleinberg and Tardos 2003):
 *
 * Independent Cascade: when v becomes active it has one chance to activate
 * each u with an edge (u, v), with the probability of that edge.  Equivalently
 * each edge is live with its probability, independently, and active in the end
 * is whoever reaches a seed along live edges.
 *
 * Linear Threshold: u becomes active when the shares of its attention that go
 * to active nodes add up to a threshold that is uniform on (0, 1].  Equivalently
 * each node has one live edge, drawn by its shares.
 *
 * An edge's share is its weight divided by the sum of the weights of all edges
 * of its source, loops included: attention that u pays to itself goes to
 * nobody else.  A loop activates nobody.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <math.h>

#include "cascade.h"

/* Beyond every jump, so that what is certain happens. */
#define CERTAIN		(RANDOM_EXPONENTIAL_MOST + 1)

/* -ln(1 - probability) */
double
cascade_rate(double probability)
{
	return probability < 1 ? -log1p(-probability) : CERTAIN;
}

/*
 * Set what edges that are all alike need: probability is that of each edge for
 * CASCADE_UNIFORM, and for CASCADE_WEIGHTS if there are no sums.
 */
void
cascade_init(Cascade *cascade, CascadeKind kind, double probability)
{
	cascade->kind = kind;
	cascade->rate = cascade_rate(probability);
	for (int degree = 1; degree < CASCADE_RATES; degree++)
		cascade->rate_of_degree[degree] = cascade_rate(1.0 / degree);
}

/*
 * Make the weights of the edges of nodes low .. high - 1 into sums along each
 * node: of rates, or of shares for CASCADE_THRESHOLD.  To be done once for
 * every node, by anybody.
 */
void
cascade_prepare(const Cascade *cascade, uint32_t low, uint32_t high)
{
	double	   *sum = cascade->sum;

	if (sum == NULL)
		return;
	for (uint32_t v = low; v < high; v++)
	{
		uint64_t	begin = cascade->offset[v];
		uint64_t	end = cascade->offset[v + 1];
		double		greatest = 0;
		double		total = 0;
		double		last = -1;
		double		rate = 0;
		double		so_far = 0;

		/* divided by the greatest, weights can be added up whatever they are */
		for (uint64_t e = begin; e < end; e++)
			if (sum[e] > greatest)
				greatest = sum[e];
		for (uint64_t e = begin; e < end; e++)
			total += sum[e] / greatest;
		for (uint64_t e = begin; e < end; e++)
		{
			/* neighbours often weigh the same, and a logarithm takes time */
			if (sum[e] != last)
			{
				double		share = sum[e] / greatest / total;

				last = sum[e];
				rate = cascade->kind == CASCADE_THRESHOLD ? share :
					cascade_rate(cascade->kind == CASCADE_WEIGHTS ? last : share);
			}
			sum[e] = so_far += rate;
		}
		if (cascade->kind == CASCADE_THRESHOLD && end > begin)
			sum[end - 1] = 1;
	}
}

/* Can anybody but v itself activate v? */
bool
cascade_spreads(const Cascade *cascade, uint32_t v)
{
	uint64_t	begin = cascade->offset[v];
	uint64_t	end = cascade->offset[v + 1];

	if (cascade->kind == CASCADE_UNIFORM && cascade->rate == 0)
		return false;
	return end - begin > 1 || (end - begin == 1 && cascade->column[begin] != v);
}
