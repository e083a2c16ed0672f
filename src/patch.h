/*
 * patch.h
 *	  A graph that was kept, with what has changed since, made into blocks.
 */
#ifndef INFLUENCE_PATCH_H
#define INFLUENCE_PATCH_H

#include "blocks.h"
#include "delta.h"
#include "kept.h"

/* In shared memory when there are workers. */
typedef struct PatchShared
{
	DeltaShared delta;
	Oid			graph;			/* table that has it, */
	int64		run;			/* its run */
	IdType		id_type;
	char		model[NAMEDATALEN];	/* for messages */
	double		scale;			/* makes x be as of the refresh */
	ArenaRef	label_number;	/* [labels] from their numbers in the graph to
								 * those of this refresh; or none */
	pg_atomic_uint32 imprecise; /* differences that say little */
	ArenaRef	change[ID_PARTITIONS];	/* result: Part, x as of the landmark, of
										 * all that is different from the base */
	uint64		changes[ID_PARTITIONS];
} PatchShared;

/* One process's view. */
typedef struct Patch Patch;

extern Patch *patch_attach(PatchShared *shared, Arena *arena, Kept *kept);
extern void patch_build(Patch *patch, Blocks *blocks, uint32 partition,
						PartConsumer consumer, void *context);

#endif
