/*
 * refresh.h
 *	  Computing the scores of a model, in one process or several.
 */
#ifndef INFLUENCE_REFRESH_H
#define INFLUENCE_REFRESH_H

#include "model.h"
#include "publish.h"

/* What a refresh did: the columns of influence_run. */
typedef struct Run
{
	int64		run;
	const char *mode;
	TimestampTz started_at;
	TimestampTz finished_at;
	TimestampTz as_of;
	int64		interactions;
	int64		skipped_null;
	int64		skipped_self;
	int64		skipped_zero;
	int64		skipped_future;
	int64		skipped_forgotten;
	int64		nodes;
	int64		edges;
	int			iterations;
	double		residual;
	double		error_bound;	/* L1 distance of ranks from the solution, at most */
	bool		converged;
	int64		changed;
	int64		peak_memory;
	int			workers;
	double		read_ms;
	double		build_ms;
	double		rank_ms;
	double		score_ms;
	double		publish_ms;
	uint32		fresh;			/* tables whose indexes are still to be made */
} Run;

/* Takes the results of a model that is computed and not published. */
typedef void (*ResultsConsumer) (void *context, const Model *model, Ids *ids,
								 Blocks *blocks, const Results *results);

extern void refresh(Model *model, bool rescale, Run *run);
extern bool refresh_incrementally(Model *model, uint64 changes, bool must, Run *run);
extern void refresh_compute(const Model *model, TimestampTz since, TimestampTz as_of,
							uint64 beside, ResultsConsumer consumer, void *context);

#endif
