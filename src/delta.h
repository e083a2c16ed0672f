/*
 * delta.h
 *	  What has changed since a graph was kept.
 */
#ifndef INFLUENCE_DELTA_H
#define INFLUENCE_DELTA_H

#include "kept.h"
#include "labels.h"
#include "source.h"

/*
 * By how much the interactions of a pair with one label changed: x, and the
 * sum of the amounts that it is made of, whatever their sign, both as of the
 * landmark of the graph.
 */
typedef struct DeltaPart
{
	uint32		row;			/* of the target in its partition */
	uint32		source;			/* slot */
	uint32		label;			/* as the graph numbers it, or after all of those */
	int64		rows;			/* more than before, or fewer */
	double		x;
	double		gross;
} DeltaPart;

/* In shared memory when there are workers. */
typedef struct DeltaShared
{
	uint32		count[ID_PARTITIONS];	/* nodes, with those that are new */
	ArenaRef	part[ID_PARTITIONS];	/* DeltaPart, by row, source and label */
	uint64		parts[ID_PARTITIONS];
} DeltaShared;

typedef struct Delta Delta;

extern Delta *delta_begin(DeltaShared *shared, Arena *arena, Kept *kept, Labels *labels,
						  Hierarchy *hierarchy);
extern void delta_take(void *delta, const SourceBatch *batch);
extern void delta_settle(Delta *delta, double scale);
extern void delta_id(Delta *delta, uint32 partition, uint32 row, Id *id);
extern uint32 delta_labels(const Delta *delta);
extern NodeRef delta_label(const Delta *delta, uint32 label);

#endif
