/*
 * labels.h
 *	  What interactions are about: their kind, network and topics.
 */
#ifndef INFLUENCE_LABELS_H
#define INFLUENCE_LABELS_H

#include "hierarchy.h"
#include "ids.h"
#include "score.h"

/* What one row says. */
typedef struct LabelText
{
	LabelName	kind;
	LabelName	network;
	LabelName  *topic;			/* distinct, ascending by bytes */
	int			topics;
	int			room;			/* for topics */
} LabelText;

/* Networks and topics have graphs, ranks and scores of their own: facets. */
typedef enum FacetType
{
	FACET_NETWORK,
	FACET_TOPIC
} FacetType;

#define FACET_TYPES		2

/* What is published of a user in a facet. */
typedef struct FacetRow
{
	uint32		number;			/* of the node in the whole graph */
	uint32		audience;
	double		influence;
	double		responses;
	double		activity;
	double		voice;			/* see keep.h */
	float		score;
	float		percentile;
	float		relevance;
	float		enthusiasm;
} FacetRow;

typedef struct Facet
{
	FacetType	type;
	ArenaRef	name;			/* bytes, not terminated */
	uint32		length;
	pg_atomic_uint64 parts;		/* see facets.h */
	double		reference;		/* the scale; 0: not taken yet */
	double		c;
	bool		scale_taken;	/* in this run */
	bool		converged;
	MixtureUnits units;
	uint32		beyond;			/* users beyond the reference */
	uint32		nodes;
	ArenaRef	rows;			/* FacetRow[nodes], by ascending number */
} Facet;

/*
 * In shared memory when there are workers.  Labels are numbered when all rows
 * are read, by the hash of what they say; facets by type and name.
 */
typedef struct LabelsShared
{
	IdsShared	ids;			/* of encoded labels */
	uint32		labels;
	uint32		facets;
	uint32		facets_before[FACET_TYPES + 1]; /* of smaller types */
	uint32		base[ID_PARTITIONS];	/* labels in the partitions before */
	ArenaRef	number;			/* [labels] by base + place */
	ArenaRef	node;			/* [labels] NodeRef by number */
	ArenaRef	facet_offset;	/* [labels + 1] */
	ArenaRef	facet_of;		/* facets of label i, ascending: from
								 * facet_offset[i] on */
	ArenaRef	facet;			/* Facet[facets] */
} LabelsShared;

/* One process's view. */
typedef struct Labels
{
	LabelsShared *shared;
	Arena	   *arena;
	Ids		   *ids;
	const uint32 *number;		/* after labels_resolve, as the rest */
	const NodeRef *node;
	const uint32 *facet_offset;
	const uint32 *facet_of;
	Facet	   *facet;
} Labels;

/* Bytes of the shortest label: what label_encode writes for one that says nothing. */
#define LABEL_LEAST_SIZE	(3 * sizeof(uint32))

extern void label_init(LabelText *label);
extern void label_clear_topics(LabelText *label);
extern void label_add_topic(LabelText *label, LabelName topic);
extern Size label_size(const LabelText *label);
extern Id	label_encode(const LabelText *label, char *bytes);
extern const char *label_decode(const char *bytes, const char *end, LabelText *label);

extern void labels_init(LabelsShared *shared, bool locking);
extern Labels *labels_attach(LabelsShared *shared, Arena *arena);
extern NodeRef labels_widen(Labels *labels, Hierarchy *hierarchy, NodeRef node);
extern void labels_settle(Labels *labels, Hierarchy *hierarchy);
extern void labels_resolve(Labels *labels);
extern LabelName labels_facet_name(const Labels *labels, uint32 facet);

static inline uint32
labels_number(const Labels *labels, NodeRef label)
{
	return labels->number[labels->shared->base[NODE_PARTITION(label)] + NODE_PLACE(label)];
}

#endif
