/*
 * rank_alone.c
 *	  Ranks of a graph of one block, by one process.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "rank_alone.h"

/* A RankRunner. */
static void
run(RankProblem *problem, RankStep step, void *context)
{
	for (size_t i = 0; i < problem->nchunks; i++)
	{
		CHECK_FOR_INTERRUPTS();
		rank_chunk(problem, step, i, NULL);
	}
}

/*
 * Solve a problem whose block is one, and whose chunks and partial sums this
 * provides.  If received is not NULL it is set to where everybody's receipts
 * are (RANK_RECEIVED): the array of shares that is not in use.  Returns
 * whether ranks converged.
 */
bool
rank_alone(RankProblem *problem, double tolerance, int max_iterations, double **received)
{
	CsrChunk   *chunk;
	bool		converged;

	problem->nchunks = csr_chunks(problem->block, 1, NULL);
	chunk = palloc((problem->nchunks + 1) * sizeof(CsrChunk));
	(void) csr_chunks(problem->block, 1, chunk);
	problem->chunk = chunk;
	problem->partial = palloc((problem->nchunks + 1) * sizeof(RankPartial));
	converged = rank_solve(problem, tolerance, max_iterations, run, NULL);
	if (received)
	{
		*received = problem->share[(problem->control->iterations + 1) % 2];
		for (size_t i = 0; i < problem->nchunks; i++)
			rank_chunk(problem, RANK_RECEIVED, i, *received);
	}
	return converged;
}
