/*
 * restart.h
 *	  Where ranks restart: whose attention counts, before anybody's is passed on.
 */
#ifndef INFLUENCE_RESTART_H
#define INFLUENCE_RESTART_H

#include "csr.h"

/* ln 2: the weight of a pair that met once, under logarithmic pair weights */
#define LN2 0.693147180559945309417232121458

typedef enum Restart
{
	RESTART_UNIFORM,
	RESTART_ACTIVITY,
	RESTART_CREDIBLE
} Restart;

extern double restart_weight(Restart restart, double activity, const CsrBlock *block, uint32_t row);

#endif
