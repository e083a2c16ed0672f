/*
 * bulk.h
 *	  A whole table of scores in memory, packed.
 */
#ifndef INFLUENCE_BULK_H
#define INFLUENCE_BULK_H

#include "ids.h"

typedef struct Bulk Bulk;

extern Bulk *bulk_create(IdType type, Size limit);
extern bool bulk_add(Bulk *bulk, const Id *id, float score);
extern bool bulk_finish(Bulk *bulk);
extern bool bulk_find(const Bulk *bulk, const Id *id, float *score);
extern Size bulk_memory(const Bulk *bulk);
extern void bulk_free(Bulk *bulk);

#endif
