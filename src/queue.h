/*
 * queue.h
 *	  The queue of a tracked model: taking changes from it.
 */
#ifndef INFLUENCE_QUEUE_H
#define INFLUENCE_QUEUE_H

#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "track.h"

/* What a queue holds. */
typedef struct QueueContents
{
	int64		rows;
	int64		unknown;		/* of them, signs of changes nobody knows */
} QueueContents;

/* What was left in a queue, as it is dated later. */
typedef struct QueueRest
{
	int64		rows;
	int64		sum;			/* of their signs */
} QueueRest;

extern void queue_check(const Model *model);
extern QueueContents queue_look(const Model *model, Snapshot snapshot);
extern QueueRest queue_take(const Model *model, Snapshot snapshot, TimestampTz as_of);

#endif
