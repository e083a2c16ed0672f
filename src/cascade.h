/*
 * cascade.h
 *	  How activity spreads in a graph: probabilities, and drawing live edges.
 */
#ifndef INFLUENCE_CASCADE_H
#define INFLUENCE_CASCADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

typedef enum CascadeKind
{
	CASCADE_WEIGHTED,			/* Independent Cascade; probability of an edge:
								 * its share of its source's out-weights */
	CASCADE_UNIFORM,			/* the same for all edges */
	CASCADE_WEIGHTS,			/* its weight */
	CASCADE_THRESHOLD			/* Linear Threshold with attention shares */
} CascadeKind;

/* Degrees for which the rate of an edge among equals is in a table. */
#define CASCADE_RATES	256

/*
 * The graph by out-edges, prepared for drawing.  Nodes are 0 .. nodes - 1;
 * the edges of node v are offset[v] .. offset[v + 1] - 1, in any order.
 */
typedef struct Cascade
{
	CascadeKind kind;
	uint32_t	nodes;
	const uint64_t *offset;
	const uint32_t *column;		/* where an edge ends */
	double	   *sum;			/* [edges] weights, made into sums by
								 * cascade_prepare; NULL: all weigh the same */
	double		rate;			/* of any edge, if the same for all */
	double		rate_of_degree[CASCADE_RATES];
} Cascade;

extern double cascade_rate(double probability);
extern void cascade_init(Cascade *cascade, CascadeKind kind, double probability);
extern void cascade_prepare(const Cascade *cascade, uint32_t low, uint32_t high);
extern bool cascade_spreads(const Cascade *cascade, uint32_t v);

/* The rate of an edge of a node with so many, if they are alike. */
static inline double
cascade_equal_rate(const Cascade *cascade, uint64_t degree)
{
	if (cascade->kind != CASCADE_WEIGHTED)
		return cascade->rate;
	return degree < CASCADE_RATES ? cascade->rate_of_degree[degree] :
		cascade_rate(1.0 / (double) degree);
}

/*
 * The first edge of low .. high - 1 whose sum is at least x; there is one.
 * Sums rise from before the first to that of the last.  Where edges are alike
 * the place can be guessed, and the search widens from there: in the row of a
 * hub every step of a bisection would have to wait for memory.
 */
static inline uint64_t
cascade_find(const double *sum, uint64_t low, uint64_t high, double x, double before, double last)
{
	if (high - low > 16 && last > before)
	{
		double		part = (x - before) / (last - before);
		uint64_t	guess = low + (uint64_t) (part * (double) (high - 1 - low));
		uint64_t	step = 8;

		if (sum[guess] < x)
		{
			low = guess + 1;
			while (high - low > step && sum[low + step - 1] < x)
			{
				low += step;
				step *= 4;
			}
			if (high - low > step)
				high = low + step;
		}
		else
		{
			high = guess + 1;
			while (high - low > step && sum[high - step - 1] >= x)
			{
				high -= step;
				step *= 4;
			}
			if (high - low > step)
				low = high - step;
		}
	}
	while (high - low > 8)
	{
		uint64_t	middle = low + (high - low) / 2;

		if (sum[middle - 1] >= x)
			high = middle;
		else
			low = middle;
	}
	while (sum[low] < x)
		low++;
	return low;
}

/*
 * Threshold: the one edge of node v that is live.  v has edges.
 */
static inline uint64_t
cascade_draw_one(const Cascade *cascade, uint32_t v, RandomStream *stream)
{
	uint64_t	low = cascade->offset[v];
	uint64_t	high = cascade->offset[v + 1];

	if (high - low == 1)
		return low;
	if (cascade->sum == NULL)
		return low + random_below(stream, (uint32_t) (high - low));
	return cascade_find(cascade->sum, low, high, random_unit(stream), 0, 1);
}

/*
 * Independent Cascade: runs the statement for each live edge of node v, with
 * the edge's number in e.
 *
 * Lay the edges out on a line, each as long as its rate.  The points of a
 * Poisson process on that line hit an edge of rate -ln(1 - p) with probability
 * p, and edges independently.  So a jump of exponential length from the end of
 * the last live edge finds the next, and a node costs as many jumps as it has
 * live edges, and one more, whatever its degree.
 */
#define CASCADE_FOR_EACH_LIVE(cascade, v, stream, e, statement) \
	do { \
		uint64_t	low_ = (cascade)->offset[v]; \
		uint64_t	high_ = (cascade)->offset[(v) + 1]; \
\
		if (low_ == high_) \
			break; \
		if ((cascade)->sum == NULL) \
		{ \
			double		rate_ = cascade_equal_rate(cascade, high_ - low_); \
\
			for (uint64_t e = low_; e < high_; e++) \
			{ \
				if (rate_ < RANDOM_EXPONENTIAL_MOST) \
				{ \
					double		jump_ = random_exponential(stream) / rate_; \
\
					if (!(jump_ < (double) (high_ - e))) \
						break; \
					e += (uint64_t) jump_; \
				} \
				statement; \
			} \
		} \
		else \
		{ \
			double		end_ = (cascade)->sum[high_ - 1]; \
			double		before_ = 0; \
			double		x_ = random_exponential(stream); \
\
			for (uint64_t e = low_; x_ <= end_; e++) \
			{ \
				e = cascade_find((cascade)->sum, e, high_, x_, before_, end_); \
				statement; \
				before_ = (cascade)->sum[e]; \
				x_ = before_ + random_exponential(stream); \
				if (e + 1 == high_) \
					break; \
			} \
		} \
	} while (0)

#endif
