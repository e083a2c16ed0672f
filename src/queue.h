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

/*
 * Takes a row of the queue: sign is 1 for one that was inserted, -1 for one
 * that was deleted, or QUEUE_UNKNOWN; the rest is in the slot, in the columns
 * that column[] tells (0: there is none).
 */
typedef void (*QueueConsumer) (void *context, int sign, TupleTableSlot *slot,
							   const AttrNumber *column);

extern void queue_check(const Model *model);
extern QueueContents queue_look(const Model *model, Snapshot snapshot);
extern QueueContents queue_consume(const Model *model, Snapshot snapshot,
								   QueueConsumer consumer, void *context);

#endif
