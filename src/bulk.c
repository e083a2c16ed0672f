/*
 * bulk.c
 *	  A whole table of scores in memory, packed.
 *
 * Made once, then only read: users are sorted by the top bits of the hash of
 * their id into buckets of about ten, one after the other in one array,
 * each a hash and a score side by side.  A look-up goes through one bucket,
 * which is two cache lines or three.  The hash of a bigint is a bijection, so
 * that equal hashes are equal ids: 13 bytes a user, a third of what a hash
 * table takes, and half a million users fit into the default work_mem.  For
 * uuid and text the bytes are kept too and compared.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "bulk.h"
#include "compat.h"

/* On average at least so many users to a bucket, and less than twice. */
#define BUCKET		8

/* Twelve bytes: no two of a million of these should share 16. */
typedef struct __attribute__((packed)) Entry
{
	uint64		hash;
	float		score;
} Entry;

struct Bulk
{
	IdType		type;
	MemoryContext context;
	Size		limit;			/* bytes in all */
	Size		n;
	Size		size;			/* of the arrays by user */
	Entry	   *entry;
	Size	   *bytes_at;		/* where bytes has the id; not for bigint */
	char	   *bytes;			/* texts have their length before them */
	Size		bytes_used;
	Size		bytes_size;
	int			shift;			/* hash >> shift is the bucket */
	uint32	   *first;			/* by bucket, and one more */
};

/* Bytes a user takes in the arrays. */
static inline Size
per_user(const Bulk *bulk)
{
	return sizeof(Entry) + (bulk->type == ID_BIGINT ? 0 : sizeof(Size));
}

/* An empty one, in the current memory context, of so many bytes at most. */
Bulk *
bulk_create(IdType type, Size limit)
{
	Bulk	   *bulk = palloc0(sizeof(Bulk));

	bulk->type = type;
	bulk->context = CurrentMemoryContext;
	bulk->limit = limit;
	return bulk;
}

/* An array as large as size bytes; a new one if there was none. */
static void *
resize(Bulk *bulk, void *array, Size size)
{
	return array ? repalloc_huge(array, size) : MemoryContextAllocHuge(bulk->context, size);
}

/* Make the arrays by user so large. */
static void
resize_users(Bulk *bulk, Size size)
{
	bulk->entry = resize(bulk, bulk->entry, size * sizeof(Entry));
	if (bulk->type != ID_BIGINT)
		bulk->bytes_at = resize(bulk, bulk->bytes_at, size * sizeof(Size));
	bulk->size = size;
}

/* Add a user; false if that would pass the limit. */
bool
bulk_add(Bulk *bulk, const Id *id, float score)
{
	Size		length = bulk->type == ID_BIGINT ? 0 :
		bulk->type == ID_UUID ? UUID_LEN : sizeof(uint32) + id->length;

	if (bulk->n == bulk->size)
	{
		/* grow by little: only pages that are touched are memory */
		Size		room = (bulk->limit - Min(bulk->limit, bulk->bytes_size)) / per_user(bulk);
		Size		size = Min(bulk->size + bulk->size / 4 + 1024, Min(room, NO_NODE - 1));

		if (size <= bulk->n)
			return false;
		resize_users(bulk, size);
	}
	if (bulk->bytes_used + length > bulk->bytes_size)
	{
		Size		size = bulk->bytes_size + bulk->bytes_size / 4 + length + 8192;

		if (bulk->size * per_user(bulk) + size > bulk->limit)
			return false;
		bulk->bytes = resize(bulk, bulk->bytes, size);
		bulk->bytes_size = size;
	}
	bulk->entry[bulk->n] = (Entry) {id->hash, score};
	if (length > 0)
	{
		char	   *to = bulk->bytes + bulk->bytes_used;

		bulk->bytes_at[bulk->n] = bulk->bytes_used;
		if (bulk->type == ID_TEXT)
		{
			memcpy(to, &id->length, sizeof(uint32));
			to += sizeof(uint32);
		}
		memcpy(to, id->value.bytes, length - (to - (bulk->bytes + bulk->bytes_used)));
		bulk->bytes_used += length;
	}
	bulk->n++;
	return true;
}

/*
 * Sort users into buckets, in place: every user that is not in its bucket
 * changes places with one in the bucket it belongs to, until none is left
 * (American flag sort; McIlroy, Bostic, McIlroy 1993).  False if the limit
 * would be passed.
 */
bool
bulk_finish(Bulk *bulk)
{
	int			bits = Max(1, pg_leftmost_one_pos32(Max(bulk->n / BUCKET, 1)));
	uint32		buckets = (uint32) 1 << bits;
	Entry	   *entry;
	uint32	   *first;
	uint32	   *next;			/* by bucket: where the next user goes */

	resize_users(bulk, Max(bulk->n, 1));
	if (bulk->n * per_user(bulk) + bulk->bytes_size + 2 * (Size) buckets * sizeof(uint32) > bulk->limit)
		return false;
	bulk->shift = 64 - bits;
	entry = bulk->entry;
	first = bulk->first =
		MemoryContextAllocExtended(bulk->context, ((Size) buckets + 1) * sizeof(uint32),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	next = MemoryContextAllocHuge(bulk->context, (Size) buckets * sizeof(uint32));
	for (Size i = 0; i < bulk->n; i++)
		first[(entry[i].hash >> bulk->shift) + 1]++;
	for (uint32 b = 0; b < buckets; b++)
	{
		next[b] = first[b];
		first[b + 1] += first[b];
	}
	for (uint32 b = 0; b < buckets; b++)
		while (next[b] < first[b + 1])
		{
			uint32		i = next[b];
			uint32		to = (uint32) (entry[i].hash >> bulk->shift);
			uint32		j = next[to]++;
			Entry		moved = entry[i];

			/* where i is in its bucket already, j is i */
			entry[i] = entry[j];
			entry[j] = moved;
			if (bulk->bytes_at)
			{
				Size		at = bulk->bytes_at[i];

				bulk->bytes_at[i] = bulk->bytes_at[j];
				bulk->bytes_at[j] = at;
			}
		}
	pfree(next);
	return true;
}

/* Does the user at i have this id, the hashes being equal? */
static inline bool
is_user(const Bulk *bulk, Size i, const Id *id)
{
	const char *bytes;
	uint32		length;

	if (bulk->type == ID_BIGINT)
		return true;
	bytes = bulk->bytes + bulk->bytes_at[i];
	if (bulk->type == ID_UUID)
		return memcmp(bytes, id->value.bytes, UUID_LEN) == 0;
	memcpy(&length, bytes, sizeof(uint32));
	return length == id->length && memcmp(bytes + sizeof(uint32), id->value.bytes, length) == 0;
}

/* The score of a user; false if it has none. */
bool
bulk_find(const Bulk *bulk, const Id *id, float *score)
{
	uint32		b = (uint32) (id->hash >> bulk->shift);

	for (uint32 i = bulk->first[b]; i < bulk->first[b + 1]; i++)
		if (bulk->entry[i].hash == id->hash && is_user(bulk, i, id))
		{
			*score = bulk->entry[i].score;
			return true;
		}
	return false;
}

/* Bytes that it takes. */
Size
bulk_memory(const Bulk *bulk)
{
	return bulk->size * per_user(bulk) + bulk->bytes_size +
		(((Size) 1 << (64 - bulk->shift)) + 1) * sizeof(uint32);
}

void
bulk_free(Bulk *bulk)
{
	void	   *array[] = {bulk->entry, bulk->bytes_at, bulk->bytes, bulk->first};

	for (int i = 0; i < lengthof(array); i++)
		if (array[i])
			pfree(array[i]);
	pfree(bulk);
}
