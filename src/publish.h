/*
 * publish.h
 *	  Writing scores where users read them.
 */
#ifndef INFLUENCE_PUBLISH_H
#define INFLUENCE_PUBLISH_H

#include "blocks.h"
#include "labels.h"
#include "model.h"
#include "score.h"

/* The results of a refresh, by number of node. */
typedef struct Results
{
	const double *influence;
	const double *activity;
	const double *responses;
	const uint64 *audience;
	const float *score;
	const float *percentile;
	MixtureUnits units;
} Results;

extern void publish_check(Model *model);
extern int64 publish(const Model *model, Ids *ids, Blocks *blocks, const Results *results,
					 const Labels *labels, int64 run, TimestampTz at, uint32 *fresh);
extern void publish_indexes(const Model *model, uint32 fresh, int workers);

#endif
