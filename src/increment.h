/*
 * increment.h
 *	  Incremental refreshes: from the graph that the last one kept, and the
 *	  changes in the queue.
 */
#ifndef INFLUENCE_INCREMENT_H
#define INFLUENCE_INCREMENT_H

#include "hierarchy.h"
#include "refresh.h"
#include "stages.h"

/* Bytes of a node, beside what full refreshes need, to publish: increment.c. */
#define INCREMENT_TO_PUBLISH	(sizeof(KeptScore) + sizeof(Due))

/* One incremental refresh. */
typedef struct Increment
{
	Model	   *model;
	Model		queue;			/* the model's interactions are its queue */
	TimestampTz as_of;
	KeptHead	head;			/* of the graph that it begins with */
	Delta	   *delta;
	bool		rebase;			/* leaves a graph that is told in full */
	bool		interned;		/* users are known by their ids */
} Increment;

extern const char *increment_obstacle(Model *model, TimestampTz as_of, uint64 basis,
									  uint64 *changes);
extern bool increment_pays(Model *model, uint64 changes);
extern Increment *increment_begin(Refresh *refresh, Model *model, TimestampTz as_of,
								  uint64 changes);
extern Relation increment_source(Increment *increment);
extern void increment_read(Increment *increment, Refresh *refresh, Relation rel,
						   Hierarchy *hierarchy);
extern void increment_build(Increment *increment, Refresh *refresh, Hierarchy *hierarchy);
extern double increment_tolerance(const Model *model);
extern void increment_warm(Increment *increment, Refresh *refresh);
extern void increment_publish(Increment *increment, Refresh *refresh, const Results *results,
							  Run *run);

#endif
