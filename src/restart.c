/*
 * restart.c
 *	  Where ranks restart: whose attention counts, before anybody's is passed on.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include "restart.h"

/* Credibility of somebody whom nobody reacted to. */
#define LEAST_CREDIBILITY	0.02

/*
 * How much a user's reactions count: 0.02 + 0.98 r / (r + ln 2),
 * where r is the sum of min(pair weight, ln 2) over who reacted to the user.
 */
static double
credibility(double r)
{
	return LEAST_CREDIBILITY + (1 - LEAST_CREDIBILITY) * (r / (r + LN2));
}

/*
 * What the restart distribution is proportional to for the user whose
 * in-edges are a row of a block: 1, their activity (the sum of their
 * out-weights), or activity * credibility.
 */
double
restart_weight(Restart restart, double activity, const CsrBlock *block, uint32_t row)
{
	double		capped = 0;

	if (restart == RESTART_UNIFORM)
		return 1;
	if (restart == RESTART_ACTIVITY)
		return activity;
	for (uint64_t e = block->offset[row]; e < block->offset[row + 1]; e++)
	{
		double		weight = csr_weight(block, e);

		capped += weight < LN2 ? weight : LN2;
	}
	return activity * credibility(capped);
}
