/*
 * hierarchy.h
 *	  Topics that are parts of wider topics.
 */
#ifndef INFLUENCE_HIERARCHY_H
#define INFLUENCE_HIERARCHY_H

#include "postgres.h"

/* Bytes of a name, not terminated; bytes NULL: none. */
typedef struct LabelName
{
	const char *bytes;
	uint32		length;
} LabelName;

static inline int
label_name_compare(const LabelName *a, const LabelName *b)
{
	int			order = memcmp(a->bytes, b->bytes, Min(a->length, b->length));

	return order != 0 ? order : a->length < b->length ? -1 : a->length > b->length;
}

typedef struct Hierarchy Hierarchy;

extern void hierarchy_check(Oid table);
extern Hierarchy *hierarchy_read(Oid table);
extern uint64 hierarchy_fingerprint(const Hierarchy *hierarchy);
extern const LabelName *hierarchy_ancestors(Hierarchy *hierarchy, LabelName topic, int *n);

#endif
