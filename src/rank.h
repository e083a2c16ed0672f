/*
 * rank.h
 *	  PageRank with a restart distribution, as sweeps over ranges of rows.
 */
#ifndef INFLUENCE_RANK_H
#define INFLUENCE_RANK_H

#include "csr.h"

/* What one chunk adds to the sums over all nodes. */
typedef struct RankPartial
{
	double		residual;		/* sum of |new rank - old rank| */
	double		dangling;		/* rank of nodes without out-edges */
	double		mass;			/* sum of ranks */
} RankPartial;

/* Between two sweeps: written by rank_solve, read by all. */
typedef struct RankControl
{
	double		dangling;		/* of the current ranks */
	double		residual;		/* L1 change of the last sweep */
	double		mass;			/* sum of the current ranks */
	int			iterations;		/* sweeps done */
} RankControl;

typedef struct RankProblem
{
	uint32_t	nodes;
	const CsrBlock *block;		/* rows are in-edges */
	const CsrChunk *chunk;
	size_t		nchunks;
	const double *out_weight;	/* [nodes] sum of out-weights; 0 where a node
								 * has no out-edges; 1 / out_weight must not
								 * overflow */
	const double *restart;		/* [nodes] q, sums to 1; or NULL: 1 / nodes */
	double		damping;		/* d */
	bool		warm;			/* begin from ranks near the solution: rank,
								 * share[0] and control->dangling have them */
	double	   *rank;			/* [nodes] x */
	double	   *share[2];		/* [slots] x / out-weight, of the current
								 * ranks in share[iterations % 2] */
	double	   *got;			/* [nodes] or NULL: what everybody received in
								 * the last sweep, from the ranks before it,
								 * whose shares are in the other array */
	RankPartial *partial;		/* [nchunks] */
	RankControl *control;
} RankProblem;

/* What rank_chunk does with the rows of a chunk. */
typedef enum RankStep
{
	RANK_START,					/* x = q */
	RANK_SWEEP,					/* one Jacobi sweep */
	RANK_RECEIVED				/* received[v] = sum of x(u) a(u, v) */
} RankStep;

/*
 * Runs rank_chunk(problem, step, i, received) for every chunk i once, in any
 * order and by any number of processes, and returns when all are done.
 */
typedef void (*RankRunner) (RankProblem *problem, RankStep step, void *context);

extern void rank_chunk(const RankProblem *problem, RankStep step, size_t chunk,
					   double *received);
extern bool rank_solve(RankProblem *problem, double tolerance, int max_iterations,
					   RankRunner run, void *context);

#endif
