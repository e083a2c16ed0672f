/*
 * weights.h
 *	  Weights by name: of kinds and of networks.
 */
#ifndef INFLUENCE_WEIGHTS_H
#define INFLUENCE_WEIGHTS_H

#include "utils/jsonb.h"

#include "arena.h"

typedef struct WeightTable WeightTable;

extern void weights_check(const char *argument, Jsonb *weights);
extern ArenaRef weights_build(Arena *arena, Jsonb *weights);
extern double weights_find(const WeightTable *table, const char *name, uint32 length);

#endif
