/*
 * weights.h
 *	  Weights by name: of kinds and of networks.
 */
#ifndef INFLUENCE_WEIGHTS_H
#define INFLUENCE_WEIGHTS_H

#include "utils/jsonb.h"

#include "arena.h"

typedef struct WeightTable WeightTable;

/* Takes a name and its weight. */
typedef void (*WeightConsumer) (void *context, const char *name, uint32 length, double weight);

extern void weights_each(const char *argument, Jsonb *weights, WeightConsumer callback, void *context);
extern void weights_check(const char *argument, Jsonb *weights);
extern ArenaRef weights_build(Arena *arena, Jsonb *weights);
extern double weights_find(const WeightTable *table, const char *name, uint32 length);

#endif
