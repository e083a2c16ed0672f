/*
 * ids.c
 *	  From user ids to dense node numbers.
 *
 * Every interaction needs two look-ups of ids spread over the whole id space,
 * each of which would be a cache miss or two of about 100 ns.  So look-ups
 * come in batches: one pass over a batch hashes and prefetches the slots, the
 * next finds the candidates and prefetches their keys, the third compares.
 * The misses of a batch overlap, and an id costs about 6 ns.
 *
 * The ids are spread over partitions by the top bits of their hash.  A
 * partition is an open-addressing table (linear probing) of eight-byte slots,
 * each a 32-bit tag, which also says where probing starts, and a place; the
 * keys lie apart, by place, in chunks that never move.
 *
 * Readers take no lock.  A slot goes from empty to used once, after its key
 * is in place (write barrier), and is read whole.  Growing a table makes a new
 * one and leaves the old one to those who still read it: whatever they miss
 * there, they look for again under the lock before they add it.  Old tables
 * add up to less than the final one, and go when all ids are known.
 *
 * Only adding an id takes its partition's lock; once most users are known
 * that is rare.  In which order ids are added, and so their places, depends
 * on the order of rows and of processes: see blocks.c for what is done about
 * that.
 *
 * Text ids are equal when their bytes are.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "compat.h"
#include "ids.h"
#include "radix.h"

/* Prefetch so many look-ups together: enough to hide the misses, few enough
 * for what was prefetched to stay in the first-level cache. */
#define GROUP			128

#define FIRST_SLOTS		128
#define BYTES_CHUNK		8192

typedef struct IdSlots
{
	uint64		mask;			/* number of slots - 1 */
	ArenaRef	older;			/* the table this one replaced */
	uint64		slot[FLEXIBLE_ARRAY_MEMBER];	/* tag << 32 | place + 1; 0 is
												 * empty */
} IdSlots;

/* This process's addresses of a partition. */
typedef struct Local
{
	ArenaRef	ref;			/* of slots */
	volatile IdSlots *slots;
	char	   *key[ID_CHUNKS]; /* NULL: not resolved yet */
} Local;

struct Ids
{
	IdsShared  *shared;
	Arena	   *arena;
	Size		key_size;
	Local		local[ID_PARTITIONS];
};

/* A text's key: where its bytes are. */
typedef struct TextKey
{
	ArenaRef	bytes;
	uint32		length;
} TextKey;

#define SLOT_TAG(hash)		((uint32) ((hash) >> 20))
#define SLOT(tag, place)	(((uint64) (tag)) << 32 | ((place) + 1))

/* The top bits chose the partition; take the start from the tag's low ones. */
#define SLOT_START(tag, mask)	((tag) & (mask))

/* Set the shared part up, before any worker starts. */
void
ids_init(IdsShared *shared, IdType type, bool locking)
{
	memset(shared, 0, sizeof(IdsShared));
	shared->type = type;
	shared->locking = locking;
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		LWLockInitialize(&shared->partition[p].lock, LWTRANCHE_PARALLEL_HASH_JOIN);
		pg_atomic_init_u64(&shared->partition[p].slots, ARENA_NONE);
	}
}

/* One process's access to the ids, in the current memory context. */
Ids *
ids_attach(IdsShared *shared, Arena *arena)
{
	Ids		   *ids = palloc0(sizeof(Ids));

	ids->shared = shared;
	ids->arena = arena;
	ids->key_size = shared->type == ID_BIGINT ? sizeof(int64) :
		shared->type == ID_UUID ? UUID_LEN : sizeof(TextKey);
	return ids;
}

/* Number of nodes of a partition; exact when nobody adds any. */
uint32
ids_count(const IdsShared *shared, uint32 partition)
{
	return shared->partition[partition].count;
}

/* This process's view of a partition's table, brought up to date. */
static inline volatile IdSlots *
current_slots(Ids *ids, uint32 p)
{
	Local	   *local = &ids->local[p];
	ArenaRef	ref = pg_atomic_read_u64(&ids->shared->partition[p].slots);

	if (local->ref != ref)
	{
		pg_read_barrier();
		local->slots = arena_address(ids->arena, ref);
		local->ref = ref;
	}
	return local->slots;
}

/* Address of the key at a place of a partition. */
static inline char *
key_address(Ids *ids, uint32 p, uint32 place)
{
	/* chunk i starts at place (2^i - 1) * 2^ID_FIRST_CHUNK_BITS */
	uint32		above = place + (1 << ID_FIRST_CHUNK_BITS);
	int			chunk = pg_leftmost_one_pos32(above) - ID_FIRST_CHUNK_BITS;
	char	   *start = ids->local[p].key[chunk];

	if (unlikely(start == NULL))
		start = ids->local[p].key[chunk] =
			arena_address(ids->arena, ids->shared->partition[p].key[chunk]);
	return start + (above - ((Size) 1 << (chunk + ID_FIRST_CHUNK_BITS))) * ids->key_size;
}

static inline bool
key_equal(Ids *ids, const char *key, const Id *id)
{
	switch (ids->shared->type)
	{
		case ID_BIGINT:
			return *(const int64 *) key == id->value.number;
		case ID_UUID:
			return memcmp(key, id->value.bytes, UUID_LEN) == 0;
		case ID_TEXT:
			{
				const TextKey *text = (const TextKey *) key;

				return text->length == id->length &&
					memcmp(arena_address(ids->arena, text->bytes), id->value.bytes, id->length) == 0;
			}
	}
	return false;
}

/*
 * Look an id up from a given position on.  Returns its place, or NO_NODE and
 * in *at the empty slot where the search ended.
 */
static uint32
probe(Ids *ids, uint32 p, volatile IdSlots *slots, const Id *id, uint64 *at)
{
	uint32		tag = SLOT_TAG(id->hash);
	uint64		i = SLOT_START(tag, slots->mask);
	uint64		slot;

	while ((slot = slots->slot[i]) != 0)
	{
		pg_read_barrier();
		if ((uint32) (slot >> 32) == tag &&
			key_equal(ids, key_address(ids, p, (uint32) slot - 1), id))
			return (uint32) slot - 1;
		i = (i + 1) & slots->mask;
	}
	*at = i;
	return NO_NODE;
}

static Size
slots_size(uint64 slots)
{
	return offsetof(IdSlots, slot) + slots * sizeof(uint64);
}

/* Free the tables that one has replaced, which nobody reads any more. */
static void
free_older(Ids *ids, IdSlots *slots)
{
	ArenaRef	ref = slots->older;

	slots->older = ARENA_NONE;
	while (ref != ARENA_NONE)
	{
		IdSlots    *old = arena_address(ids->arena, ref);
		ArenaRef	older = old->older;

		arena_free(ids->arena, ref, slots_size(old->mask + 1));
		ref = older;
	}
}

/* In the leader, while nobody adds ids: free what only adding needed. */
void
ids_settle(Ids *ids)
{
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		ArenaRef	ref = pg_atomic_read_u64(&ids->shared->partition[p].slots);

		if (ref != ARENA_NONE)
			free_older(ids, arena_address(ids->arena, ref));
	}
}

/* Replace a partition's table by one twice as large.  The lock is held. */
static volatile IdSlots *
grow(Ids *ids, uint32 p)
{
	IdPartition *part = &ids->shared->partition[p];
	ArenaRef	old_ref = pg_atomic_read_u64(&part->slots);
	volatile IdSlots *old = old_ref == ARENA_NONE ? NULL : current_slots(ids, p);
	uint64		size = old ? (old->mask + 1) * 2 : FIRST_SLOTS;
	ArenaRef	ref = arena_alloc(ids->arena, slots_size(size));
	IdSlots    *slots = arena_address(ids->arena, ref);

	slots->mask = size - 1;
	slots->older = old_ref;
	memset(slots->slot, 0, size * sizeof(uint64));
	for (uint64 i = 0; old && i <= old->mask; i++)
	{
		uint64		slot = old->slot[i];
		uint64		to = SLOT_START((uint32) (slot >> 32), slots->mask);

		if (slot == 0)
			continue;
		while (slots->slot[to] != 0)
			to = (to + 1) & slots->mask;
		slots->slot[to] = slot;
	}
	pg_write_barrier();
	pg_atomic_write_u64(&part->slots, ref);
	current_slots(ids, p);
	if (!ids->shared->locking)
		free_older(ids, slots);
	return ids->local[p].slots;
}

/* Store an id as the key at a new place.  The lock is held. */
static void
store_key(Ids *ids, uint32 p, uint32 place, const Id *id)
{
	IdPartition *part = &ids->shared->partition[p];
	uint32		above = place + (1 << ID_FIRST_CHUNK_BITS);
	int			chunk = pg_leftmost_one_pos32(above) - ID_FIRST_CHUNK_BITS;
	char	   *key;

	if (part->key[chunk] == ARENA_NONE)
		part->key[chunk] = arena_alloc(ids->arena,
									   ids->key_size << (chunk + ID_FIRST_CHUNK_BITS));
	key = key_address(ids, p, place);
	switch (ids->shared->type)
	{
		case ID_BIGINT:
			*(int64 *) key = id->value.number;
			break;
		case ID_UUID:
			memcpy(key, id->value.bytes, UUID_LEN);
			break;
		case ID_TEXT:
			{
				TextKey    *text = (TextKey *) key;

				if (part->bytes == ARENA_NONE || id->length > part->bytes_left)
				{
					part->bytes_left = Max(BYTES_CHUNK, id->length);
					part->bytes = arena_alloc(ids->arena, part->bytes_left);
				}
				text->bytes = part->bytes;
				text->length = id->length;
				memcpy(arena_address(ids->arena, text->bytes), id->value.bytes, id->length);
				part->bytes += id->length;
				part->bytes_left -= id->length;
			}
			break;
	}
}

/* The place of an id that was not found without the lock; adds it if new. */
static uint32
add(Ids *ids, const Id *id)
{
	uint32		p = ID_PARTITION(id->hash);
	IdPartition *part = &ids->shared->partition[p];
	volatile IdSlots *slots;
	uint64		at = 0;
	uint32		place;

	if (ids->shared->locking)
		LWLockAcquire(&part->lock, LW_EXCLUSIVE);
	slots = pg_atomic_read_u64(&part->slots) == ARENA_NONE ? grow(ids, p) : current_slots(ids, p);
	place = probe(ids, p, slots, id, &at);
	if (place == NO_NODE)
	{
		place = part->count;
		if (place >= NODE_PLACE(UINT32_MAX))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many distinct user ids: at most about %llu are supported",
							(unsigned long long) UINT32_MAX)));
		if (place >= (slots->mask + 1) / 4 * 3)
		{
			slots = grow(ids, p);
			(void) probe(ids, p, slots, id, &at);
		}
		store_key(ids, p, place, id);
		part->count = place + 1;
		pg_write_barrier();
		slots->slot[at] = SLOT(SLOT_TAG(id->hash), place);
	}
	if (ids->shared->locking)
		LWLockRelease(&part->lock);
	return place;
}

/* Look n <= GROUP ids up; those not known get NO_NODE. */
static void
find_group(Ids *ids, const Id *id, int n, NodeRef *node)
{
	for (int i = 0; i < n; i++)
	{
		uint32		p = ID_PARTITION(id[i].hash);
		volatile IdSlots *slots;

		if (pg_atomic_read_u64(&ids->shared->partition[p].slots) == ARENA_NONE)
			continue;
		slots = current_slots(ids, p);
		__builtin_prefetch((const void *) &slots->slot[SLOT_START(SLOT_TAG(id[i].hash), slots->mask)]);
	}
	for (int i = 0; i < n; i++)
	{
		uint32		p = ID_PARTITION(id[i].hash);
		uint32		tag = SLOT_TAG(id[i].hash);
		volatile IdSlots *slots = ids->local[p].slots;
		uint64		at,
					slot;

		node[i] = NO_NODE;
		if (slots == NULL)
			continue;
		at = SLOT_START(tag, slots->mask);
		while ((slot = slots->slot[at]) != 0 && (uint32) (slot >> 32) != tag)
			at = (at + 1) & slots->mask;
		if (slot == 0)
			continue;
		pg_read_barrier();
		node[i] = (uint32) slot - 1;
		__builtin_prefetch(key_address(ids, p, node[i]));
	}
	for (int i = 0; i < n; i++)
	{
		uint32		p = ID_PARTITION(id[i].hash);
		uint64		at;

		if (node[i] == NO_NODE)
			continue;
		if (unlikely(!key_equal(ids, key_address(ids, p, node[i]), &id[i])))
			node[i] = probe(ids, p, ids->local[p].slots, &id[i], &at);
		if (node[i] != NO_NODE)
			node[i] |= p << NODE_PLACE_BITS;
	}
}

/*
 * The nodes of n ids, NO_NODE for ids that have none.
 */
void
ids_find(Ids *ids, const Id *id, int n, NodeRef *node)
{
	for (int i = 0; i < n; i += GROUP)
		find_group(ids, id + i, Min(GROUP, n - i), node + i);
}

/*
 * The nodes of n ids; ids that are new get a node.  Raises an error when
 * there are too many, or too little memory.
 */
void
ids_assign(Ids *ids, const Id *id, int n, NodeRef *node)
{
	for (int i = 0; i < n; i += GROUP)
	{
		int			end = Min(i + GROUP, n);

		find_group(ids, id + i, end - i, node + i);
		for (int j = i; j < end; j++)
			if (unlikely(node[j] == NO_NODE))
				node[j] = add(ids, &id[j]) | ID_PARTITION(id[j].hash) << NODE_PLACE_BITS;
	}
}

/* The hash of an id whose value, and length if it is a text, are set. */
void
id_set_hash(IdType type, Id *id)
{
	if (type == ID_BIGINT)
		id->hash = id_hash_number(id->value.number);
	else
		id->hash = hash_bytes_extended((const unsigned char *) id->value.bytes,
									   type == ID_UUID ? UUID_LEN : id->length, 0);
}

/* Have the id of a node fetched into the cache. */
void
ids_prefetch(Ids *ids, NodeRef node)
{
	__builtin_prefetch(key_address(ids, NODE_PARTITION(node), NODE_PLACE(node)));
}

/* The id of a node, with its hash.  Bytes stay valid as long as the arena. */
void
ids_get(Ids *ids, NodeRef node, Id *id)
{
	char	   *key = key_address(ids, NODE_PARTITION(node), NODE_PLACE(node));

	switch (ids->shared->type)
	{
		case ID_BIGINT:
			id->value.number = *(int64 *) key;
			break;
		case ID_UUID:
			id->value.bytes = key;
			break;
		case ID_TEXT:
			id->value.bytes = arena_address(ids->arena, ((TextKey *) key)->bytes);
			id->length = ((TextKey *) key)->length;
			break;
	}
	id_set_hash(ids->shared->type, id);
}

/* An id from a datum of its type, text not toasted; points into the datum. */
Id
id_from_datum(IdType type, Datum value)
{
	Id			id = {0};

	switch (type)
	{
		case ID_BIGINT:
			id.value.number = DatumGetInt64(value);
			break;
		case ID_UUID:
			id.value.bytes = (const char *) DatumGetUUIDP(value)->data;
			break;
		case ID_TEXT:
			id.value.bytes = VARDATA_ANY(DatumGetPointer(value));
			id.length = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
			break;
	}
	id_set_hash(type, &id);
	return id;
}

/* The datum of an id, in the current memory context or pointing at the id. */
Datum
id_to_datum(IdType type, const Id *id)
{
	switch (type)
	{
		case ID_BIGINT:
			return Int64GetDatum(id->value.number);
		case ID_UUID:
			return PointerGetDatum(id->value.bytes);
		case ID_TEXT:
			return PointerGetDatum(cstring_to_text_with_len(id->value.bytes, id->length));
	}
	return (Datum) 0;
}

/*
 * A word that orders ids about as an index does, for work that goes through
 * one from left to right.  Texts go by their first bytes: where a collation
 * orders them in another way that is only less helpful.
 */
uint64
id_sort_word(IdType type, const Id *id)
{
	uint64		word = 0;

	if (type == ID_BIGINT)
		return radix_from_int64(id->value.number);
	memcpy(&word, id->value.bytes, type == ID_UUID ? 8 : Min(8, id->length));
	return pg_ntoh64(word);
}
