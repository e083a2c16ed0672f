/*
 * restart.h
 *	  Where ranks restart: whose attention counts, before anybody's is passed on.
 */
#ifndef INFLUENCE_RESTART_H
#define INFLUENCE_RESTART_H

#include "csr.h"

/* ln 2: the weight of a pair that met once, under logarithmic pair weights */
#define LN2 0.693147180559945309417232121458

/* Arrays in which out-weights are added up side by side. */
#define OUT_SUMS		3

/* Trust is handed on in so many stages of so many sweeps. */
#define TRUST_STAGES	8
#define TRUST_SWEEPS	4

typedef enum Restart
{
	RESTART_UNIFORM,
	RESTART_ACTIVITY,
	RESTART_CREDIBLE,
	RESTART_TRUSTED
} Restart;

/* What one chunk adds to the sums over all nodes; what they are, the step says. */
#define RESTART_PARTS	4

typedef struct RestartPartial
{
	double		sum[RESTART_PARTS];
} RestartPartial;

/* Between two steps: written by restart_solve, read by all. */
typedef struct RestartControl
{
	double		total;			/* what shares are to be divided by */
	double		users;			/* nodes that have edges */
	double		dangling;		/* trust of nodes that hand none on */
	double		stranger;		/* what somebody without credibility counts */
	double		average;		/* activity of the average node that has any */
	double		untrusted;		/* how much credibility counts without trust */
	int			sweep;			/* of the present stage, done */
	int			sweeps;			/* of all stages, done */
} RestartControl;

typedef struct RestartProblem
{
	Restart		rule;
	uint32_t	nodes;
	uint64_t	slots;
	const CsrBlock *block;		/* rows are in-edges */
	uint32_t	nblocks;
	const CsrChunk *chunk;
	size_t		nchunks;
	double	   *out_weight;		/* [nodes] result: sum of out-weights */
	double	   *restart;		/* [nodes] result: q; till then see restart.c */
	double	   *work[OUT_SUMS]; /* [slots] */
	RestartPartial *partial;	/* [nchunks] */
	RestartControl *control;
} RestartProblem;

/* The first three add up by source; their items are OUT_SUMS arrays, i with
 * every OUT_SUMS-th block from i on.  The items of the others are chunks. */
typedef enum RestartStep
{
	RESTART_OUT,				/* all weights */
	RESTART_OUT_REACTING,		/* of edges to nodes with out-edges */
	RESTART_OUT_CAPPED,			/* all, none above a limit */
	RESTART_WEIGH,				/* out-weights; and q by the simple rules */
	TRUST_OUT,					/* what trust is divided by */
	TRUST_START,				/* of a stage */
	TRUST_SWEEP,
	TRUST_RECEIVE,				/* the stage's last sweep */
	TRUST_SETTLE,				/* likewise of the last stage: trust */
	TRUST_CREDIT,				/* what counts of activity, and credibility */
	TRUST_COVER,				/* how much of both is trusted */
	TRUST_WEIGH,				/* q */
	RESTART_NORMALISE			/* q sums to 1 */
} RestartStep;

static inline bool
restart_by_source(RestartStep step)
{
	return step <= RESTART_OUT_CAPPED;
}

/*
 * Does a step for all its items, each once, in any order and by any number of
 * processes, and returns when all are done: restart_clear and restart_scatter
 * for the steps that add up by source, restart_chunk for the others.
 */
typedef void (*RestartRunner) (RestartProblem *problem, RestartStep step, void *context);

extern bool restart_named(const char *name, Restart *rule);
extern void restart_clear(const RestartProblem *problem, uint32_t item);
extern void restart_scatter(const RestartProblem *problem, RestartStep step, uint32_t block);
extern bool restart_chunk(const RestartProblem *problem, RestartStep step, size_t chunk);
extern double restart_solve(RestartProblem *problem, RestartRunner run, void *context);

#endif
