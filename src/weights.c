/*
 * weights.c
 *	  Weights by name: of kinds and of networks.
 *
 * A model gives them as a JSON object, {"like": 1, "reply": 3}.  For reading
 * they become one piece of arena memory, an open-addressing hash table with
 * the names behind it, that refers to itself by offsets only: all processes
 * read the same copy.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/numeric.h"

#include "compat.h"
#include "weights.h"

typedef struct WeightEntry
{
	uint32		hash;
	uint32		length;
	uint32		offset;			/* of the name, from the table's start; 0: free */
	double		weight;
} WeightEntry;

struct WeightTable
{
	uint32		mask;
	WeightEntry entry[FLEXIBLE_ARRAY_MEMBER];
};

/* Call back with every name and weight of an object; raises an error unless
 * all weights are finite numbers that are not negative. */
void
weights_each(const char *argument, Jsonb *weights, WeightConsumer callback, void *context)
{
	JsonbIterator *it = JsonbIteratorInit(&weights->root);
	JsonbValue	v;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(weights))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON object", argument),
				 errhint("For example: {\"like\": 1, \"reply\": 3}.")));
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		JsonbValue	name = v;
		double		weight = -1;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &v, true);
		if (v.type == jbvNumeric)
			weight = DatumGetFloat8(DirectFunctionCall1(numeric_float8,
														NumericGetDatum(v.val.numeric)));
		if (!(weight >= 0) || isinf(weight))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s: weight of \"%.*s\" must be a finite number that is not negative",
							argument, name.val.string.len, name.val.string.val)));
		if (callback)
			callback(context, name.val.string.val, name.val.string.len, weight);
	}
}

/* Raise an error unless weights is what a model accepts. */
void
weights_check(const char *argument, Jsonb *weights)
{
	weights_each(argument, weights, NULL, NULL);
}

typedef struct Sizes
{
	uint32		names;
	Size		bytes;
} Sizes;

static void
measure(void *context, const char *name, uint32 length, double weight)
{
	Sizes	   *sizes = context;

	sizes->names++;
	sizes->bytes += length;
}

typedef struct Filling
{
	WeightTable *table;
	uint32		offset;			/* where the next name goes */
} Filling;

static uint32
name_hash(const char *name, uint32 length)
{
	return hash_bytes((const unsigned char *) name, length);
}

static void
fill(void *context, const char *name, uint32 length, double weight)
{
	Filling    *filling = context;
	WeightTable *table = filling->table;
	uint32		hash = name_hash(name, length);
	uint32		i = hash & table->mask;

	while (table->entry[i].offset != 0)
		i = (i + 1) & table->mask;
	table->entry[i] = (WeightEntry) {hash, length, filling->offset, weight};
	memcpy((char *) table + filling->offset, name, length);
	filling->offset += length;
}

/* The table of the weights, in arena memory. */
ArenaRef
weights_build(Arena *arena, Jsonb *weights)
{
	Sizes		sizes = {0, 0};
	Filling		filling;
	uint32		slots;
	Size		head;
	ArenaRef	ref;

	weights_each("weights", weights, measure, &sizes);
	slots = pg_nextpower2_32(Max(4, sizes.names * 2));
	head = offsetof(WeightTable, entry) + slots * sizeof(WeightEntry);
	ref = arena_alloc(arena, head + sizes.bytes);
	filling.table = arena_address(arena, ref);
	filling.offset = head;
	memset(filling.table, 0, head);
	filling.table->mask = slots - 1;
	weights_each("weights", weights, fill, &filling);
	return ref;
}

/* The weight of a name; 1 for a name without one. */
double
weights_find(const WeightTable *table, const char *name, uint32 length)
{
	uint32		hash = name_hash(name, length);

	for (uint32 i = hash & table->mask; table->entry[i].offset != 0; i = (i + 1) & table->mask)
	{
		const WeightEntry *entry = &table->entry[i];

		if (entry->hash == hash && entry->length == length &&
			memcmp((const char *) table + entry->offset, name, length) == 0)
			return entry->weight;
	}
	return 1;
}
