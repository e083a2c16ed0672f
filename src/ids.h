/*
 * ids.h
 *	  From user ids to dense node numbers.
 */
#ifndef INFLUENCE_IDS_H
#define INFLUENCE_IDS_H

#include "storage/lwlock.h"
#include "utils/uuid.h"

#include "arena.h"

/* The types of user ids. */
typedef enum IdType
{
	ID_BIGINT,
	ID_UUID,
	ID_TEXT
} IdType;

/*
 * One id on its way to its node: its hash, and the value (bigint) or where
 * its bytes are (uuid: 16 of them; text: length of them).
 */
typedef struct Id
{
	uint64		hash;
	union
	{
		int64		number;
		const char *bytes;
	}			value;
	uint32		length;			/* of a text */
} Id;

/*
 * A node while ids are being met: the partition its id belongs to, and its
 * place in order of arrival there.  Sixty-four partitions of at most 2^26.
 */
typedef uint32 NodeRef;

#define ID_PARTITION_BITS	6
#define ID_PARTITIONS		(1 << ID_PARTITION_BITS)
#define NODE_PLACE_BITS		(32 - ID_PARTITION_BITS)
#define NODE_PARTITION(ref)	((ref) >> NODE_PLACE_BITS)
#define NODE_PLACE(ref)		((ref) & ((UINT32_C(1) << NODE_PLACE_BITS) - 1))
#define NO_NODE				UINT32_MAX

#define ID_PARTITION(hash)	((uint32) ((hash) >> (64 - ID_PARTITION_BITS)))

/* Key chunk i holds ID_FIRST_CHUNK << i keys, so this many are enough. */
#define ID_FIRST_CHUNK_BITS	6
#define ID_CHUNKS			(NODE_PLACE_BITS - ID_FIRST_CHUNK_BITS + 1)

typedef struct IdPartition
{
	LWLock		lock;			/* held to add an id; readers need none */
	pg_atomic_uint64 slots;		/* ArenaRef of the IdSlots in force */
	uint32		count;			/* nodes; protected by lock */
	ArenaRef	key[ID_CHUNKS]; /* by place; set under lock, then constant */
	ArenaRef	bytes;			/* text: where the next bytes go, */
	uint32		bytes_left;		/* and how many fit; protected by lock */
} IdPartition;

/* In shared memory when there are workers. */
typedef struct IdsShared
{
	IdType		type;
	bool		locking;		/* several processes */
	IdPartition partition[ID_PARTITIONS];
} IdsShared;

typedef struct Ids Ids;

extern void ids_init(IdsShared *shared, IdType type, bool locking);
extern Ids *ids_attach(IdsShared *shared, Arena *arena);
extern void ids_assign(Ids *ids, const Id *id, int n, NodeRef *node);
extern void ids_find(Ids *ids, const Id *id, int n, NodeRef *node);
extern void ids_settle(Ids *ids);
extern uint32 ids_count(const IdsShared *shared, uint32 partition);
extern void ids_prefetch(Ids *ids, NodeRef node);
extern void ids_get(Ids *ids, NodeRef node, Id *id);
extern void id_set_hash(IdType type, Id *id);
extern Id	id_from_datum(IdType type, Datum value);
extern Datum id_to_datum(IdType type, const Id *id);
extern uint64 id_sort_word(IdType type, const Id *id);

/* Are two ids of a type the same? */
static inline bool
id_equal(IdType type, const Id *a, const Id *b)
{
	if (a->hash != b->hash)
		return false;
	if (type == ID_BIGINT)
		return a->value.number == b->value.number;
	if (type == ID_UUID)
		return memcmp(a->value.bytes, b->value.bytes, UUID_LEN) == 0;
	return a->length == b->length && memcmp(a->value.bytes, b->value.bytes, a->length) == 0;
}

/* The finaliser of MurmurHash3 (Appleby): a bijection of 64-bit words. */
static inline uint64
id_hash_number(int64 number)
{
	uint64		h = (uint64) number;

	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

#endif
