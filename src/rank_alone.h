/*
 * rank_alone.h
 *	  Ranks of a graph of one block, by one process.
 */
#ifndef INFLUENCE_RANK_ALONE_H
#define INFLUENCE_RANK_ALONE_H

#include "rank.h"

extern bool rank_alone(RankProblem *problem, double tolerance, int max_iterations,
					   double **received);

#endif
