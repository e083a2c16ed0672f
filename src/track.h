/*
 * track.h
 *	  Tracking: having the changes of interactions captured.
 */
#ifndef INFLUENCE_TRACK_H
#define INFLUENCE_TRACK_H

#include "model.h"

/* The columns of interactions that a queue has, in order. */
typedef enum QueueColumn
{
	QUEUE_SOURCE,
	QUEUE_TARGET,
	QUEUE_WEIGHT,
	QUEUE_AT,
	QUEUE_KIND,
	QUEUE_NETWORK,
	QUEUE_TOPIC
} QueueColumn;

#define QUEUE_COLUMNS	7

/* What they are called there, and in influence_model. */
extern const char *const queue_column_name[QUEUE_COLUMNS];

/* sign of a row that stands for changes nobody knows: all may be different. */
#define QUEUE_UNKNOWN	0

extern const char *track_column(const Model *model, QueueColumn column);
extern bool track_map(const Model *model, QueueColumn column, Oid relid, AttrNumber *from,
					  AttrNumber *to);
extern AttrNumber track_sign(const Model *model);
extern void track_adapt(const Catalog *catalog, const Model *before, Model *model);
extern void track_end(const Catalog *catalog, Model *model);
extern uint64 track_basis(const Catalog *catalog, Model *model, char **problem);
extern bool track_same_tables(const Catalog *catalog, const Model *model, uint64 basis);
extern char *track_trigger_name(const char *model, char event);

#endif
