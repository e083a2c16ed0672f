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
 *	edges	parts of pairs by target, see keep.c; rows of about KEPT_ROW bytes
 *	labels	what label numbers mean (labels.h), with all topics that count
 *	network, topic
 *			voices in a facet: MixtureUnits in the first row; in each of the rest
 *			KeptVoice of users who have one, ascending by number
 *
 * A node is a row of a partition, and numbers count the rows of all
 * partitions; edges name the source by its slot (csr_slot, with ID_PARTITIONS
 * lanes).
 *
 * The influence of v is the sum, over the people u who reacted to v, of
 *
 *		(units.rank * voice(u) + units.response) * pair weight(u, v) + units.person
 */
#ifndef INFLUENCE_KEEP_H
#define INFLUENCE_KEEP_H

#include "blocks.h"
#include "facets.h"
#include "model.h"

#define KEPT_MAGIC	0x696e6631	/* also tells the order of bytes */

typedef struct KeptHead
{
	uint32		magic;
	uint8		id_type;
	uint8		weighted;		/* 1: x is a double, 0: it is a count */
	uint8		labelled;		/* 0 or 1, like the next */
	uint8		logarithmic;
	uint32		nodes;
	uint32		labels;
	MixtureUnits units;
	uint32		count[ID_PARTITIONS];	/* nodes */
} KeptHead;

typedef struct KeptVoice
{
	uint32		number;
	uint32		zero;
	double		voice;
} KeptVoice;

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
extern void keep_forget(const Model *model, int64 run);
extern void keep_publish(Keeper *keeper, const Model *model, Ids *ids, const Blocks *blocks,
						 Labels *labels, const double *share, const MixtureUnits *units, int64 run);

#endif
