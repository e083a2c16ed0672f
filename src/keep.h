/*
 * keep.h
 *	  The graph that a refresh leaves with its model.
 *
 * A model's table of graphs, <model>_graph, holds the graphs of its last runs
 * in rows of these sections, each row a part of what the section holds:
 *
 *	head	KeptHead
 *	ids		user ids by node; a row for each partition.  One that hashes to
 *			another partition is nobody's: who was there is forgotten
 *	voices	what a user gives for each unit of pair weight: N rank / activity,
 *			a double for each node; a row for each partition
 *	scores	KeptScore of each node, what is published; a row for each partition
 *	edges	parts of pairs by target, see keep.c; rows of about KEPT_ROW bytes
 *	labels	what label numbers mean (labels.h), with all topics that count;
 *			"first" is the number of the first one in a row
 *	network, topic
 *			voices in a facet: MixtureUnits in the first row; in each of the rest
 *			KeptVoice of users who have one, ascending by number
 *
 * A node is a row of a partition, and numbers count the rows of all
 * partitions; edges name the source by its slot (csr_slot, with ID_PARTITIONS
 * lanes).
 *
 * A refresh that reads everything leaves all of that.  An incremental one says
 * only what is different from the graph of an earlier run, its base, whose
 * rows stay in the table for as long as they are needed.  Such a graph has the
 * head, voices, scores, networks and topics as above, and
 *
 *	ids		those of nodes that the base does not have, which follow its own: a
 *			row for each partition that has any, "first" being the row of the
 *			first one
 *	changes	parts that are not what they are in the base, see keep.c; a row for
 *			each partition that has any
 *	labels	those that the base does not have, which follow its own
 *
 * A node that neither reacts to anybody nor is reacted to takes no part: it is
 * there because somebody was, and counts nowhere.
 *
 * The influence of v is the sum, over the people u who reacted to v, of
 *
 *		(units.rank * voice(u) + units.response) * pair weight(u, v) + units.person
 *
 * The x of a part is as of the head's landmark, which is that of the base; as
 * of the run it is head.scale times that (forward decay: Cormode, Shkapenyuk,
 * Srivastava and Xu 2009).
 */
#ifndef INFLUENCE_KEEP_H
#define INFLUENCE_KEEP_H

#include "datatype/timestamp.h"

#include "blocks.h"
#include "facets.h"
#include "model.h"
#include "publish.h"

#define KEPT_MAGIC	0x696e6632	/* also tells the order of bytes */

typedef struct KeptHead
{
	uint32		magic;
	uint8		id_type;
	uint8		weighted;		/* 1: x is a double, 0: it is a count */
	uint8		labelled;		/* 0 or 1, like the next */
	uint8		logarithmic;
	int64		base;			/* run; the graph's own: it is told in full */
	TimestampTz as_of;
	TimestampTz landmark;
	TimestampTz published;		/* as of when all scores were last published */
	double		scale;			/* 2 ^ -((as_of - landmark) / half life) */
	uint64		hierarchy;		/* fingerprint of how topics are part of others */
	MixtureUnits units;
	uint32		users;			/* nodes that take part */
	uint32		nodes;
	uint32		labels;
	uint32		base_labels;	/* of them, the base's */
	uint32		count[ID_PARTITIONS];	/* nodes */
	uint32		base_count[ID_PARTITIONS];	/* of them, the base's */
	uint64		pairs[ID_PARTITIONS];	/* by the target's partition */
	double		dangling;		/* rank of nodes that react to nobody */
	uint64		changes;		/* parts that are not what they are in the base */
} KeptHead;

typedef struct KeptVoice
{
	uint32		number;
	uint32		zero;
	double		voice;
} KeptVoice;

/* Both 0 where nothing is published. */
typedef struct KeptScore
{
	float		score;
	float		percentile;
} KeptScore;

/* What the graph of an incremental refresh has beside that of its base. */
typedef struct KeptChanges
{
	const Part *change[ID_PARTITIONS];	/* by row, source and label */
	uint64		changes[ID_PARTITIONS];
	const uint32 *label_number; /* in labels, by number in the graph */
	const KeptScore *published; /* by number */
	void		(*user) (void *context, uint32 partition, uint32 row, Id *id);
	void	   *context;		/* for user, which tells ids */
} KeptChanges;

/* Rows are cut when they reach so many bytes. */
#define KEPT_ROW	65536

/* In shared memory when there are workers. */
typedef struct KeepShared
{
	bool		keep;
	pg_atomic_uint64 files;		/* partitions that have a file, a bit each */
} KeepShared;

/* One process's view. */
typedef struct Keeper Keeper;

extern void keep_init(KeepShared *shared, bool keep);
extern Keeper *keep_attach(KeepShared *shared, Edges *edges, Arena *arena);
extern void keep_block(Keeper *keeper, uint32 partition, uint32 nrows, const Part *part, uint64 n);
extern void keep_forget(const Model *model, int64 run, int64 base);
extern void keep_publish(Keeper *keeper, const Model *model, Ids *ids, const Blocks *blocks,
						 Labels *labels, const double *share, const Results *results,
						 const KeptScore *published, int64 run, TimestampTz as_of,
						 TimestampTz published_at, uint64 hierarchy);
extern void keep_publish_changes(const KeptHead *head, const KeptChanges *changes,
								 const Model *model, const Blocks *blocks, Labels *labels,
								 const double *share, const Results *results, int64 run);

#endif
