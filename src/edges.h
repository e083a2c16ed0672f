/*
 * edges.h
 *	  The edges of a graph on their way from the rows to its blocks.
 */
#ifndef INFLUENCE_EDGES_H
#define INFLUENCE_EDGES_H

#include "storage/buffile.h"
#include "storage/sharedfileset.h"

#include "ids.h"

/* More processes than that never take part in a refresh. */
#define EDGES_MEMBERS	64

/*
 * An edge: which place of its partition the target has, and the source; its
 * weight and its label (labels.h), if rows have any at all, lie apart.
 */
#define EDGE(target, source)	((uint64) NODE_PLACE(target) << 32 | (source))
#define EDGE_TARGET_PLACE(edge) ((uint32) ((edge) >> 32))
#define EDGE_SOURCE(edge)		((NodeRef) (edge))

/* The edges into the nodes of one partition. */
typedef struct EdgeBucket
{
	LWLock		lock;
	ArenaRef	chunks;			/* list; protected by lock */
	uint64		edges;			/* in chunks and files; protected by lock */
} EdgeBucket;

/* In shared memory when there are workers. */
typedef struct EdgesShared
{
	bool		weighted;		/* else every edge weighs 1 */
	bool		labelled;
	bool		shared;
	uint64		spill_above;	/* arena use above which edges go to files */
	SharedFileSet fileset;		/* if shared */
	uint64		spilled[EDGES_MEMBERS]; /* by member, a bit for each bucket it
										 * has a file of; each member writes
										 * its own */
	EdgeBucket	bucket[ID_PARTITIONS];
} EdgesShared;

typedef struct Edges Edges;

extern void edges_init(EdgesShared *shared, bool weighted, bool labelled,
					   uint64 spill_above, dsm_segment *seg);
extern Edges *edges_attach(EdgesShared *shared, Arena *arena, int member, dsm_segment *seg);
extern void edges_append(Edges *edges, const NodeRef *source, const NodeRef *target,
						 const float8 *weight, const NodeRef *label, int n);
extern void edges_flush(Edges *edges);
extern EdgesShared *edges_info(Edges *edges);
extern uint64 edges_count(const EdgesShared *shared, uint32 bucket);
extern void edges_take(Edges *edges, uint32 bucket, uint64 *edge, float8 *weight,
					   NodeRef *label);
extern const uint32 *edges_out_counts(Edges *edges, uint32 partition, uint32 *n);
extern void edges_forget_out_counts(Edges *edges);

#endif
