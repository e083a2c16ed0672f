/*
 * edges.c
 *	  The edges of a graph on their way from the rows to its blocks.
 *
 * While rows are read their edges go into buckets, one for each partition of
 * ids, by target: a bucket is later made into one block of the graph by one
 * process, without looking at the others (blocks.c), and is small enough to be
 * sorted in cache.
 *
 * A process fills a chunk of memory for each bucket and hangs full ones into
 * the bucket's list.  When the refresh has used its share of memory
 * (spill_above) it writes full chunks to a temporary file of its own for the
 * bucket instead, and goes on with the same chunk.  So what must fit into
 * memory is the finished graph, not the rows it is made from.
 *
 * Beside that each process counts how many edges each source has: the nodes
 * of a partition are numbered in descending order of that count.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"
#include "edges.h"

/*
 * A chunk has room for an eighth of the edges that went before it: so little
 * of a chunk is ever empty, and large buckets are in few large pieces, which
 * go back to the system when they are freed.
 */
#define FIRST_CHUNK_EDGES	128
#define MOST_CHUNK_EDGES	65536
#define CHUNK_SHARE			8

typedef struct EdgeChunk
{
	ArenaRef	next;
	uint32		count;
	uint32		capacity;
	uint64		edge[FLEXIBLE_ARRAY_MEMBER];	/* and capacity weights after
												 * them, if weighted, and
												 * labels, if labelled */
} EdgeChunk;

#define CHUNK_WEIGHTS(chunk)	((float8 *) ((chunk)->edge + (chunk)->capacity))
#define CHUNK_LABELS(chunk, weighted) \
	((NodeRef *) ((chunk)->edge + (Size) (chunk)->capacity * ((weighted) ? 2 : 1)))

struct Edges
{
	EdgesShared *shared;
	Arena	   *arena;
	int			member;
	MemoryContext context;		/* of files and counts */
	EdgeChunk  *chunk[ID_PARTITIONS];	/* being filled, or NULL */
	ArenaRef	ref[ID_PARTITIONS];
	BufFile    *file[ID_PARTITIONS];	/* of this process, or NULL */
	uint64		published[ID_PARTITIONS];	/* edges, by this process, in chunks */
	uint64		spilled_edges[ID_PARTITIONS];	/* and in file */

	/* edges by source, by place in each partition */
	uint32	   *out_count[ID_PARTITIONS];
	uint32		out_capacity[ID_PARTITIONS];
};

static inline Size
chunk_size(const EdgesShared *shared, uint32 capacity)
{
	return offsetof(EdgeChunk, edge) +
		(Size) capacity * (sizeof(uint64) + (shared->weighted ? sizeof(float8) : 0) +
						   (shared->labelled ? sizeof(NodeRef) : 0));
}

/* Set the shared part up; seg is NULL without workers. */
void
edges_init(EdgesShared *shared, bool weighted, bool labelled, uint64 spill_above,
		   dsm_segment *seg)
{
	memset(shared, 0, sizeof(EdgesShared));
	shared->weighted = weighted;
	shared->labelled = labelled;
	shared->shared = seg != NULL;
	shared->spill_above = spill_above;
	if (seg)
		SharedFileSetInit(&shared->fileset, seg);
	for (int b = 0; b < ID_PARTITIONS; b++)
		LWLockInitialize(&shared->bucket[b].lock, LWTRANCHE_PARALLEL_HASH_JOIN);
}

/*
 * One process's access to the edges, in the current memory context.  The
 * leader passes no segment, a worker its own.
 */
Edges *
edges_attach(EdgesShared *shared, Arena *arena, int member, dsm_segment *seg)
{
	Edges	   *edges = palloc0(sizeof(Edges));

	edges->shared = shared;
	edges->arena = arena;
	edges->member = member;
	edges->context = CurrentMemoryContext;
	if (seg)
		SharedFileSetAttach(&shared->fileset, seg);
	return edges;
}

static void
file_name(char *name, int member, uint32 bucket)
{
	snprintf(name, MAXPGPATH, "edges.%d.%u", member, bucket);
}

/* Write a chunk to this process's file of the bucket, and empty it. */
static void
spill(Edges *edges, uint32 b)
{
	EdgeChunk  *chunk = edges->chunk[b];

	if (edges->file[b] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(edges->context);

		if (edges->shared->shared)
		{
			char		name[MAXPGPATH];

			file_name(name, edges->member, b);
			edges->file[b] = compat_buffile_create(&edges->shared->fileset, name);
		}
		else
			edges->file[b] = BufFileCreateTemp(false);
		MemoryContextSwitchTo(old);
		edges->shared->spilled[edges->member] |= UINT64CONST(1) << b;
	}
	BufFileWrite(edges->file[b], &chunk->count, sizeof(chunk->count));
	BufFileWrite(edges->file[b], chunk->edge, chunk->count * sizeof(uint64));
	if (edges->shared->weighted)
		BufFileWrite(edges->file[b], CHUNK_WEIGHTS(chunk), chunk->count * sizeof(float8));
	if (edges->shared->labelled)
		BufFileWrite(edges->file[b], CHUNK_LABELS(chunk, edges->shared->weighted),
					 chunk->count * sizeof(NodeRef));
	edges->spilled_edges[b] += chunk->count;
	chunk->count = 0;
}

/* Hang the chunk being filled into its bucket's list. */
static void
publish_chunk(Edges *edges, uint32 b)
{
	EdgeBucket *bucket = &edges->shared->bucket[b];
	EdgeChunk  *chunk = edges->chunk[b];

	LWLockAcquire(&bucket->lock, LW_EXCLUSIVE);
	chunk->next = bucket->chunks;
	bucket->chunks = edges->ref[b];
	bucket->edges += chunk->count;
	LWLockRelease(&bucket->lock);
	edges->published[b] += chunk->count;
	edges->chunk[b] = NULL;
}

/* Make room in the chunk of a bucket; returns the chunk to fill. */
static EdgeChunk *
next_chunk(Edges *edges, uint32 b)
{
	EdgesShared *shared = edges->shared;
	EdgeChunk  *chunk = edges->chunk[b];
	uint32		capacity = (uint32) Max(FIRST_CHUNK_EDGES,
										Min(edges->published[b] / CHUNK_SHARE, MOST_CHUNK_EDGES));

	if (chunk && arena_used(edges->arena) + chunk_size(shared, capacity) > shared->spill_above)
	{
		spill(edges, b);
		return chunk;
	}
	if (chunk)
		publish_chunk(edges, b);
	edges->ref[b] = arena_alloc(edges->arena, chunk_size(shared, capacity));
	pg_atomic_fetch_add_u64(&edges->arena->control->passing, chunk_size(shared, capacity));
	chunk = edges->chunk[b] = arena_address(edges->arena, edges->ref[b]);
	chunk->count = 0;
	chunk->capacity = capacity;
	return chunk;
}

/* Make room to count the edges of a source. */
static void
extend_out_counts(Edges *edges, uint32 p, uint32 place)
{
	uint32		old = edges->out_capacity[p];
	uint32		new = Max(256, old);

	while (new <= place)
		new *= 2;
	arena_reserve(edges->arena, (Size) (new - old) * sizeof(uint32));
	pg_atomic_fetch_add_u64(&edges->arena->control->passing, (Size) (new - old) * sizeof(uint32));
	edges->out_count[p] = old == 0 ?
		MemoryContextAllocHuge(edges->context, (Size) new * sizeof(uint32)) :
		repalloc_huge(edges->out_count[p], (Size) new * sizeof(uint32));
	memset(edges->out_count[p] + old, 0, (Size) (new - old) * sizeof(uint32));
	edges->out_capacity[p] = new;
}

/* Add n edges; weight and label are not looked at unless edges have them. */
void
edges_append(Edges *edges, const NodeRef *source, const NodeRef *target,
			 const float8 *weight, const NodeRef *label, int n)
{
	bool		weighted = edges->shared->weighted;
	bool		labelled = edges->shared->labelled;

	for (int i = 0; i < n; i++)
	{
		uint32		b = NODE_PARTITION(target[i]);
		uint32		p = NODE_PARTITION(source[i]);
		uint32		place = NODE_PLACE(source[i]);
		EdgeChunk  *chunk = edges->chunk[b];

		if (unlikely(chunk == NULL || chunk->count == chunk->capacity))
			chunk = next_chunk(edges, b);
		chunk->edge[chunk->count] = EDGE(target[i], source[i]);
		if (weighted)
			CHUNK_WEIGHTS(chunk)[chunk->count] = weight[i];
		if (labelled)
			CHUNK_LABELS(chunk, weighted)[chunk->count] = label[i];
		chunk->count++;
		if (unlikely(place >= edges->out_capacity[p]))
			extend_out_counts(edges, p, place);
		edges->out_count[p][place]++;
	}
}

/* This process adds no more: let the others have what it has. */
void
edges_flush(Edges *edges)
{
	for (int b = 0; b < ID_PARTITIONS; b++)
	{
		if (edges->chunk[b])
			publish_chunk(edges, b);
		if (edges->file[b])
		{
			EdgeBucket *bucket = &edges->shared->bucket[b];

			if (edges->shared->shared)
			{
				compat_buffile_export(edges->file[b]);
				BufFileClose(edges->file[b]);
				edges->file[b] = NULL;
			}
			LWLockAcquire(&bucket->lock, LW_EXCLUSIVE);
			bucket->edges += edges->spilled_edges[b];
			LWLockRelease(&bucket->lock);
		}
	}
}

/* The shared part. */
EdgesShared *
edges_info(Edges *edges)
{
	return edges->shared;
}

/* Number of edges of a bucket, once all processes have flushed. */
uint64
edges_count(const EdgesShared *shared, uint32 bucket)
{
	return shared->bucket[bucket].edges;
}

/* Read what is in a file of a bucket; returns how many edges. */
static uint64
take_file(Edges *edges, BufFile *file, uint64 *edge, float8 *weight, NodeRef *label)
{
	uint64		n = 0;
	uint32		count;

	while (compat_buffile_read_or_end(file, &count, sizeof(count)))
	{
		compat_buffile_read(file, edge + n, count * sizeof(uint64));
		if (edges->shared->weighted)
			compat_buffile_read(file, weight + n, count * sizeof(float8));
		if (edges->shared->labelled)
			compat_buffile_read(file, label + n, count * sizeof(NodeRef));
		n += count;
	}
	return n;
}

/*
 * Move all edges of a bucket, edges_count of them, into arrays of the caller,
 * and free where they were.  weight and label may be NULL when edges have
 * none.
 */
void
edges_take(Edges *edges, uint32 b, uint64 *edge, float8 *weight, NodeRef *label)
{
	EdgesShared *shared = edges->shared;
	EdgeBucket *bucket = &shared->bucket[b];
	ArenaRef	ref = bucket->chunks;
	uint64		n = 0;

	bucket->chunks = ARENA_NONE;
	while (ref != ARENA_NONE)
	{
		EdgeChunk  *chunk = arena_address(edges->arena, ref);
		ArenaRef	next = chunk->next;

		memcpy(edge + n, chunk->edge, chunk->count * sizeof(uint64));
		if (shared->weighted)
			memcpy(weight + n, CHUNK_WEIGHTS(chunk), chunk->count * sizeof(float8));
		if (shared->labelled)
			memcpy(label + n, CHUNK_LABELS(chunk, shared->weighted),
				   chunk->count * sizeof(NodeRef));
		n += chunk->count;
		arena_free(edges->arena, ref, chunk_size(shared, chunk->capacity));
		ref = next;
	}
	if (!shared->shared)
	{
		if (edges->file[b])
		{
			if (BufFileSeek(edges->file[b], 0, 0, SEEK_SET) != 0)
				ereport(ERROR,
						(errcode_for_file_access(),
						 errmsg("could not rewind temporary file")));
			n += take_file(edges, edges->file[b], edge + n, weight ? weight + n : NULL,
						   label ? label + n : NULL);
			BufFileClose(edges->file[b]);
			edges->file[b] = NULL;
		}
	}
	else
		for (int m = 0; m < EDGES_MEMBERS; m++)
			if (shared->spilled[m] & UINT64CONST(1) << b)
			{
				char		name[MAXPGPATH];
				BufFile    *file;

				file_name(name, m, b);
				file = compat_buffile_open(&shared->fileset, name);
				n += take_file(edges, file, edge + n, weight ? weight + n : NULL,
						   label ? label + n : NULL);
				BufFileClose(file);
			}
	if (n != bucket->edges)
		elog(ERROR, "bucket %u has " UINT64_FORMAT " edges, expected " UINT64_FORMAT,
			 b, n, bucket->edges);
}

/* This process's counts of edges by source, for n places of a partition. */
const uint32 *
edges_out_counts(Edges *edges, uint32 partition, uint32 *n)
{
	*n = edges->out_capacity[partition];
	return edges->out_count[partition];
}

/* Free the counts. */
void
edges_forget_out_counts(Edges *edges)
{
	for (int p = 0; p < ID_PARTITIONS; p++)
		if (edges->out_count[p])
		{
			pfree(edges->out_count[p]);
			arena_release(edges->arena, (Size) edges->out_capacity[p] * sizeof(uint32));
			edges->out_count[p] = NULL;
			edges->out_capacity[p] = 0;
		}
}
