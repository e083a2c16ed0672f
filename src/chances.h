/*
 * chances.h
 *	  The learned probabilities of a model, as edges of its kept graph.
 */
#ifndef INFLUENCE_CHANCES_H
#define INFLUENCE_CHANCES_H

#include "kept_graph.h"

typedef struct Chances Chances;

extern Chances *chances_read(Model *model, KeptGraph *graph);
extern uint64 chances_size(const Chances *chances);
extern uint64 chances_apply(const Chances *chances, uint32 nodes, uint64 *offset,
							uint32 *column, double *weight);

#endif
