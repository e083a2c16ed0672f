/*
 * rank.c
 *	  PageRank with a restart distribution, as sweeps over ranges of rows.
 *
 * The vector x over the nodes is the solution of
 *
 *		x = d (P'x + D(x) q) + (1 - d) q,		sum(x) = 1
 *
 * where P(u,v) = w(u,v) / sum of w(u,.) is the share of u's attention that
 * goes to v, D(x) is the rank of the nodes without out-edges ("dangling":
 * they restart at once), q is the restart distribution and 0 <= d <= 1 the
 * damping (Page, Brin, Motwani, Winograd 1999; Langville and Meyer 2004,
 * section 3, with the dangling vector equal to the personalisation vector).
 *
 * Jacobi (power) iteration, from x = q or an older solution.  Every sweep maps
 * vectors of sum 1 to vectors of sum 1 and shrinks the L1 distance of any two
 * of them by d at least, so that after a sweep with L1 change r the distance to
 * the solution is at most r d / (1 - d), and before it was at most r / (1 - d).
 * Gauss-Seidel was measured to need more sweeps once dangling nodes are
 * accounted for.
 *
 * A sweep pulls: row v adds up what it gets and is written by one process
 * only.  The sums over all nodes are kept per chunk and added in the order of
 * chunks, hence do not depend on who did which chunk.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <math.h>

#include "pull.h"
#include "rank.h"

/*
 * Do a step for the rows of one chunk.  received, by node, is the output of
 * RANK_RECEIVED and not used by the others.
 */
void
rank_chunk(const RankProblem *problem, RankStep step, size_t chunk, double *received)
{
	const CsrChunk *range = &problem->chunk[chunk];
	const CsrBlock block = problem->block[range->block];
	const RankControl *control = problem->control;
	const double *share = problem->share[control->iterations % 2];
	double	   *next = problem->share[(control->iterations + (step == RANK_SWEEP)) % 2];
	const double *restart = problem->restart;
	const double *out_weight = problem->out_weight;
	double	   *rank = problem->rank;
	double		q = 1.0 / problem->nodes;
	double		d = problem->damping;
	double		again = d * control->dangling + (1 - d);
	RankPartial sum = {0, 0, 0};

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block.first + row;
		uint32_t	slot = csr_slot(&block, row);
		double		x;

		if (restart)
			q = restart[v];
		if (step == RANK_START)
			x = q;
		else
		{
			double		got = pull(&block, block.offset[row], block.offset[row + 1], share);

			if (step == RANK_RECEIVED)
			{
				received[v] = got;
				continue;
			}
			if (problem->got)
				problem->got[v] = got;
			x = d * got + again * q;
			sum.residual += fabs(x - rank[v]);
		}
		rank[v] = x;
		sum.mass += x;
		if (out_weight[v] > 0)
			next[slot] = x / out_weight[v];
		else
		{
			next[slot] = 0;
			sum.dangling += x;
		}
	}
	if (step != RANK_RECEIVED)
		problem->partial[chunk] = sum;
}

/* Add the partial sums of a step up, in chunk order. */
static void
add_up(RankProblem *problem)
{
	RankControl *control = problem->control;
	RankPartial sum = {0, 0, 0};

	for (size_t i = 0; i < problem->nchunks; i++)
	{
		sum.residual += problem->partial[i].residual;
		sum.dangling += problem->partial[i].dangling;
		sum.mass += problem->partial[i].mass;
	}
	control->residual = sum.residual;
	control->dangling = sum.dangling;
	control->mass = sum.mass;
}

/*
 * Solve, from q, or from near the solution if the problem says so: sweep until
 * the L1 change of a whole sweep is at most tolerance, or max_iterations sweeps
 * are done.  Returns whether the former; problem->rank and problem->control
 * have the result either way.
 */
bool
rank_solve(RankProblem *problem, double tolerance, int max_iterations,
		   RankRunner run, void *context)
{
	RankControl *control = problem->control;

	control->iterations = 0;
	if (!problem->warm)
	{
		run(problem, RANK_START, context);
		add_up(problem);
	}
	control->residual = INFINITY;
	while (control->iterations < max_iterations && !(control->residual <= tolerance))
	{
		run(problem, RANK_SWEEP, context);
		add_up(problem);
		control->iterations++;
	}
	return control->residual <= tolerance;
}
