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
	uint32		users;			/* nodes that take part */
	double		dangling;		/* rank of those who react to nobody */
	const uint64 *due;			/* whose rows are to be brought in line in the
								 * table of the whole graph, a bit each; or
								 * NULL: everybody's */
} Results;

/* Does a node take no part? */
static inline bool
results_absent(const Results *results, uint32 number)
{
	return results->audience[number] == 0 && results->activity[number] == 0;
}

/* A user whose row is to be brought in line. */
typedef struct Due
{
	uint32		number;			/* of the node; results are by number */
	bool		gone;			/* takes no part any more: the row goes */
} Due;

extern void publish_check(Model *model);
extern int64 publish(const Model *model, Ids *ids, Blocks *blocks, const Results *results,
					 const Labels *labels, int64 run, TimestampTz at, uint32 *fresh);
extern int64 publish_some(const Model *model, const Results *results, const Due *due, uint32 n,
						  void (*user) (void *context, uint32 number, Id *id), void *context,
						  int64 run, TimestampTz at, Arena *arena);
extern void publish_indexes(const Model *model, uint32 fresh, int workers);

#endif
