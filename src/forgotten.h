/*
 * forgotten.h
 *	  Who asked to be forgotten.
 */
#ifndef INFLUENCE_FORGOTTEN_H
#define INFLUENCE_FORGOTTEN_H

#include "model.h"

typedef struct ForgottenEntry
{
	uint64		hash;
	int64		value;			/* a number, or where the bytes of another id
								 * are, from the start of the set */
	uint32		length;			/* of a text */
	bool		used;
} ForgottenEntry;

/*
 * A set of ids: one piece of arena memory, an open-addressing hash table with
 * the bytes of ids behind it, that refers to itself by offsets only.
 */
typedef struct ForgottenSet
{
	IdType		type;
	uint64		mask;
	ForgottenEntry entry[FLEXIBLE_ARRAY_MEMBER];
} ForgottenSet;

extern char *forgotten_table(const Model *model);
extern uint64 forgotten_fingerprint(const Model *model);
extern ArenaRef forgotten_build(Arena *arena, Model *model);

/* Is an id, with its hash, in the set? */
static inline bool
forgotten_has(const ForgottenSet *set, const Id *id)
{
	for (uint64 i = id->hash & set->mask; set->entry[i].used; i = (i + 1) & set->mask)
	{
		const ForgottenEntry *entry = &set->entry[i];
		Id			other = {.hash = entry->hash, .length = entry->length};

		if (set->type == ID_BIGINT)
			other.value.number = entry->value;
		else
			other.value.bytes = (const char *) set + entry->value;
		if (id_equal(set->type, &other, id))
			return true;
	}
	return false;
}

#endif
