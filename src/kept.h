/*
 * kept.h
 *	  The graph that a refresh left with its model: reading it.
 */
#ifndef INFLUENCE_KEPT_H
#define INFLUENCE_KEPT_H

#include "keep.h"

/* A node: a row of a partition. */
typedef struct KeptNode
{
	uint32		partition;
	uint32		row;
} KeptNode;

/* Whose voices count, and which parts: those of a facet, or all. */
typedef struct KeptView
{
	bool		facet;
	FacetType	type;
	LabelName	name;
	MixtureUnits units;
	const KeptVoice *voice;		/* of the facet, ascending by number */
	uint32		voices;
} KeptView;

typedef struct Kept Kept;

/*
 * Takes the parts of one pair, n of them, ascending by label: those whose
 * target is the node asked for, or of which was told last.
 */
typedef void (*KeptConsumer) (void *context, KeptNode source, const Part *part, int n);

/*
 * Takes n pairs of a graph that has neither weights nor labels, ascending:
 * slots of their sources, and how often they occurred.
 */
typedef void (*KeptCountConsumer) (void *context, const uint32 *source, const uint32 *count, int n);

extern void kept_report_damaged(const Kept *kept, const char *section);
extern Kept *kept_open(Model *model, int64 run);
extern bool kept_can_open(Model *model, int64 run);
extern const KeptHead *kept_head(const Kept *kept);
extern uint64 kept_head_edges(const KeptHead *head);
extern int64 kept_last_run(Model *model);
extern int64 kept_run_before(const Kept *kept);
extern KeptView kept_view(Kept *kept, const char *network, const char *topic);
extern bool kept_find(Kept *kept, const Id *id, KeptNode *node);
extern void kept_id(Kept *kept, KeptNode node, Id *id);
extern uint32 kept_number(const Kept *kept, KeptNode node);
extern const double *kept_voices(Kept *kept, uint32 partition);
extern const KeptScore *kept_scores(Kept *kept, uint32 partition);
extern double kept_voice(Kept *kept, const KeptView *view, KeptNode node);
extern void kept_row(Kept *kept, KeptNode node, KeptConsumer consumer, void *context);
extern void kept_rows(Kept *kept, void (*row) (void *context, KeptNode node),
					  KeptConsumer consumer, void *context);
extern void kept_partition(Kept *kept, uint32 partition,
						   void (*row) (void *context, KeptNode node),
						   KeptConsumer consumer, KeptCountConsumer counts, void *context);
extern const Part *kept_changes(Kept *kept, uint32 partition, uint64 *n);
extern const LabelText *kept_label(Kept *kept, uint32 label);
extern bool kept_counts(Kept *kept, const KeptView *view, uint32 label);

#endif
