/*
 * kept_data.h
 *	  The inside of a kept graph that is being read: what kept.c, which opens it
 *	  and says who is in it, and kept_edges.c, which reads the pairs, share.
 */
#ifndef INFLUENCE_KEPT_DATA_H
#define INFLUENCE_KEPT_DATA_H

#include "kept.h"

/* A row of the table: what it holds. */
typedef struct KeptData
{
	const uint8 *bytes;
	Size		length;
	uint32		first;
} KeptData;

/* Room for the parts of a pair. */
typedef struct KeptParts
{
	Part	   *part;
	uint64		room;
} KeptParts;

/* By partition what is fetched when it is needed: NULL is not yet. */
struct Kept
{
	Model	   *model;
	MemoryContext context;
	const char *table;			/* qualified and quoted */
	int64		run;
	KeptHead	head;
	uint32		number[ID_PARTITIONS + 1];	/* of each partition's first node */
	const uint8 *ids[ID_PARTITIONS];
	uint32	   *text[ID_PARTITIONS];	/* where each id starts, if text */
	const double *voices[ID_PARTITIONS];
	const KeptScore *scores[ID_PARTITIONS];
	const Part *change[ID_PARTITIONS];
	uint64		changes[ID_PARTITIONS];
	uint32		labels_read;	/* all labels, once one is asked for */
	LabelText  *label;
	KeptParts	pair;			/* as the base has it */
	KeptParts	merged;			/* as it is after changes */
};

static const LabelName kept_no_facet = {"", 0};

extern int	kept_fetch(Kept *kept, int64 run, const char *section, LabelName facet,
					   uint32 partition, KeptData **data);
extern int	kept_fetch_last(Kept *kept, int64 run, const char *section, uint32 partition,
							uint32 first, KeptData **data);
extern void kept_data_free(KeptData *data);

#endif
