/*
 * pools.c
 *	  Pools of reverse-reachable sets, drawn by all processes.
 *
 * The graph, what is drawn by and the sets are in the arena of a crew
 * (crew.c); what a process needs to draw sets is its own.  Sets are drawn in
 * batches, which a process draws in private memory and then copies to shared
 * memory, into a slab of its own.
 *
 * Sample i of a pool is drawn with random numbers of its own, so a pool is the
 * same whoever draws which batch.  So is what happens when memory is too
 * small: the bytes of all batches of a task together decide, not which of them
 * were drawn first.
 *
 * Nodes that nobody activates are never a root: they are active if they are a
 * seed, and that is that.  The other roots come in a random order, over and
 * over, each as often as the others, give or take one.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pools.h"

/* Rows that a process prepares at a time. */
#define PREPARE_ROWS		4096

/* Edges to be prepared that are worth starting workers for. */
#define LAUNCH_EDGES		2000000

/* Nodes to be visited that are, some 20 milliseconds. */
#ifdef INFLUENCE_ASSERT
#define LAUNCH_VISITS		0
#else
#define LAUNCH_VISITS		400000.0
#endif

/* Batches are kept in pieces of memory of this size, or larger ones. */
#define SLAB				(64 * 1024)

/* Random streams. */
enum
{
	STREAM_ORDER,				/* of roots, one for each pool */
	STREAM_SAMPLES = STREAM_ORDER + POOLS	/* likewise */
};

/* What is known of a batch; written by who draws it. */
typedef struct BatchEntry
{
	ArenaRef	batch;			/* RRBatch */
	uint32		hits;			/* sets with a sentinel */
	uint64		visits;			/* nodes visited to draw it */
} BatchEntry;

/* Pieces of memory are chained. */
typedef struct Slab
{
	ArenaRef	next;
	Size		size;
} Slab;

/*
 * In shared memory when there are workers.  What is not atomic is written by
 * the leader between tasks.
 */
typedef struct PoolsShared
{
	CrewShared	crew;
	PoolsGraph	graph;
	uint64		seed;
	bool		any_active;
	uint32		roots;
	ArenaRef	root[POOLS];	/* uint32 [roots] in the order of being drawn */

	/* of the current task */
	int			pool;
	int			generation;		/* how often pools were emptied */
	uint32		first;			/* batch that item 0 stands for */
	ArenaRef	entry;			/* BatchEntry by item */
	uint64		room;			/* bytes that batches of the task may take */
	pg_atomic_uint64 taken;		/* bytes that they do */
	pg_atomic_uint64 slabs;		/* ArenaRef of the slab made last */
} PoolsShared;

/* A process's part. */
typedef struct PoolsPart
{
	PoolsShared *shared;
	Arena	   *arena;
	bool		ready;			/* what follows is set */
	Cascade		cascade;
	RRSampler	sampler;
	RRBatch    *batch;			/* being drawn */
	uint32		batch_size;		/* members that it has room for */
	ArenaRef	slab;			/* room for the next batch */
	Size		slab_left;
	int			generation;		/* of the pools that the slab belongs to */
} PoolsPart;

enum
{
	TASK_PREPARE,
	TASK_DRAW
};

/* --- what all processes do --------------------------------------------- */

/* Resolve the graph in this process. */
static void
need_cascade(PoolsPart *part)
{
	PoolsGraph *graph = &part->shared->graph;
	Cascade    *cascade = &part->cascade;

	if (cascade->offset)
		return;
	cascade->nodes = graph->nodes;
	cascade->offset = arena_address(part->arena, graph->offset);
	cascade->column = arena_address(part->arena, graph->column);
	cascade->sum = graph->weight == ARENA_NONE ? NULL : arena_address(part->arena, graph->weight);
	cascade_init(cascade, graph->cascade, graph->probability);
}

static void
need_sampler(PoolsPart *part)
{
	RRSampler  *sampler = &part->sampler;
	Size		size = (Size) part->shared->graph.nodes * sizeof(uint32);

	if (part->ready)
		return;
	need_cascade(part);
	sampler->cascade = &part->cascade;
	sampler->flags = arena_address(part->arena, part->shared->graph.flags);
	sampler->any_active = part->shared->any_active;
	sampler->seen = MemoryContextAllocExtended(CurrentMemoryContext, size,
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	sampler->member = MemoryContextAllocHuge(CurrentMemoryContext, size);
	part->batch_size = RR_BATCH * 16;
	part->batch = palloc(sizeof(RRBatch) + part->batch_size * sizeof(uint32));
	part->ready = true;
}

/* Task: make weights into what is drawn by.  Items are ranges of nodes. */
static void
task_prepare(Team *team)
{
	PoolsPart  *part = team->state;
	uint64		item;

	need_cascade(part);
	while (team_next(team, &item))
	{
		uint32		low = item * PREPARE_ROWS;

		cascade_prepare(&part->cascade, low, Min(low + PREPARE_ROWS, part->cascade.nodes));
	}
}

/* Draw a batch into part->batch. */
static void
draw(PoolsPart *part, uint32 b, BatchEntry *entry)
{
	PoolsShared *shared = part->shared;
	RRSampler  *sampler = &part->sampler;
	const uint32 *root = arena_address(part->arena, shared->root[shared->pool]);
	uint32		n = 0;

	entry->hits = 0;
	entry->visits = 0;
	for (uint32 s = 0; s < RR_BATCH; s++)
	{
		uint64		i = (uint64) b * RR_BATCH + s;
		RandomStream stream = random_stream(shared->seed, STREAM_SAMPLES + shared->pool, i);
		RRResult	result;

		CHECK_FOR_INTERRUPTS();
		part->batch->begin[s] = n;
		result = rr_sample(sampler, &stream, root[i % shared->roots]);
		entry->visits += sampler->count;
		if (result == RR_HIT)
			entry->hits++;
		if (result != RR_OPEN)
			continue;
		if (sampler->count > part->batch_size - n)
		{
			part->batch_size = Max(part->batch_size, n + sampler->count) * 2;
			part->batch = repalloc_huge(part->batch, sizeof(RRBatch) +
										(Size) part->batch_size * sizeof(uint32));
		}
		n += rr_candidates(sampler, part->batch->member + n);
	}
	part->batch->begin[RR_BATCH] = n;
}

/* Keep part->batch. */
static ArenaRef
keep(PoolsPart *part, Size size)
{
	PoolsShared *shared = part->shared;
	ArenaRef	ref;

	if (size > part->slab_left)
	{
		Size		slab_size = Max(SLAB, sizeof(Slab) + size);
		Slab	   *slab;
		uint64		next = pg_atomic_read_u64(&shared->slabs);

		part->slab = arena_alloc(part->arena, slab_size);
		slab = arena_address(part->arena, part->slab);
		slab->size = slab_size;
		slab->next = next;
		while (!pg_atomic_compare_exchange_u64(&shared->slabs, &next, part->slab))
			slab->next = next;
		part->slab += sizeof(Slab);
		part->slab_left = slab_size - sizeof(Slab);
	}
	ref = part->slab;
	memcpy(arena_address(part->arena, ref), part->batch, size);
	part->slab += size;
	part->slab_left -= size;
	return ref;
}

/*
 * Task: draw batches.  Items are batches.  When they take more than there is
 * room for, none counts, and the rest is not drawn.
 */
static void
task_draw(Team *team)
{
	PoolsPart  *part = team->state;
	PoolsShared *shared = part->shared;
	BatchEntry *entry;
	uint64		item;

	need_sampler(part);
	entry = arena_address(part->arena, shared->entry);
	if (part->generation != shared->generation)
	{
		part->generation = shared->generation;
		part->slab_left = 0;	/* the slab is gone */
	}
	while (team_next(team, &item))
	{
		uint32		b = shared->first + item;
		Size		size;

		if (pg_atomic_read_u64(&shared->taken) > shared->room)
			continue;
		draw(part, b, &entry[item]);
		size = sizeof(RRBatch) + part->batch->begin[RR_BATCH] * sizeof(uint32);
		if (pg_atomic_add_fetch_u64(&shared->taken, size) <= shared->room)
			entry[item].batch = keep(part, size);
	}
}

static const TeamTask pools_tasks[] = {
	[TASK_PREPARE] = task_prepare,
	[TASK_DRAW] = task_draw
};

static void *
join(CrewShared *shared, Arena *arena)
{
	PoolsPart  *part = palloc0(sizeof(PoolsPart));

	part->shared = (PoolsShared *) shared;
	part->arena = arena;
	return part;
}

PGDLLEXPORT void influence_pools_worker(dsm_segment *seg, shm_toc *toc);

void
influence_pools_worker(dsm_segment *seg, shm_toc *toc)
{
	crew_work(seg, toc, pools_tasks, join);
}

/* --- what the leader does ---------------------------------------------- */

/* Begin; the graph is to be filled then. */
void
pools_begin(Pools *pools, int workers)
{
	memset(pools, 0, sizeof(Pools));
	pools->part = palloc0(sizeof(PoolsPart));
	crew_begin(&pools->crew, sizeof(PoolsShared), workers, "influence_pools_worker", pools_tasks,
			   pools->part);
	pools->shared = (PoolsShared *) pools->crew.shared;
	pools->graph = &pools->shared->graph;
	pools->part->shared = pools->shared;
	pools->part->arena = &pools->crew.arena;
	pg_atomic_init_u64(&pools->shared->taken, 0);
	pg_atomic_init_u64(&pools->shared->slabs, ARENA_NONE);
}

void
pools_end(Pools *pools)
{
	crew_end(&pools->crew);
}

/*
 * Bytes that processes take to draw: whom they have seen, and who is a member.
 * Two workers always count, for what fits into memory not to depend on whether
 * there are any.
 */
static uint64
drawing_memory(uint32 nodes, int workers)
{
	return (uint64) nodes * 2 * sizeof(uint32) * (Max(workers, 2) + 1);
}

/* Bytes that are needed beside the graph for any sets to be drawn. */
uint64
pools_least_memory(uint32 nodes, int workers)
{
	return (uint64) nodes * sizeof(uint32) * POOLS + drawing_memory(nodes, workers);
}

/*
 * Prepare the filled graph: sets NODE_SURE among its flags.
 */
void
pools_prepare(Pools *pools, uint64 seed)
{
	PoolsShared *shared = pools->shared;
	PoolsGraph *graph = pools->graph;
	Arena	   *arena = &pools->crew.arena;
	uint8	   *flags = arena_address(arena, graph->flags);
	Size		size = (Size) graph->nodes * sizeof(uint32);

	shared->seed = seed;
	if (graph->weight != ARENA_NONE && graph->edges >= LAUNCH_EDGES)
		crew_launch(&pools->crew);
	if (graph->weight != ARENA_NONE)
		team_run(&pools->crew.team, TASK_PREPARE,
				 ((uint64) graph->nodes + PREPARE_ROWS - 1) / PREPARE_ROWS);
	need_cascade(pools->part);

	shared->root[0] = arena_alloc(arena, size);
	shared->root[1] = arena_alloc(arena, size);
	for (uint32 v = 0; v < graph->nodes; v++)
	{
		if (flags[v] & NODE_ACTIVE)
			shared->any_active = true;
		else if (cascade_spreads(&pools->part->cascade, v))
			((uint32 *) arena_address(arena, shared->root[0]))[shared->roots++] = v;
		else
			flags[v] |= NODE_SURE;
	}
	memcpy(arena_address(arena, shared->root[1]), arena_address(arena, shared->root[0]),
		   shared->roots * sizeof(uint32));
	for (int pool = 0; pool < POOLS; pool++)
	{
		uint32	   *root = arena_address(arena, shared->root[pool]);
		RandomStream stream = random_stream(seed, STREAM_ORDER + pool, 0);

		/* Fisher and Yates */
		for (uint32 i = shared->roots; i > 1; i--)
		{
			uint32		j = random_below(&stream, i);
			uint32		v = root[j];

			root[j] = root[i - 1];
			root[i - 1] = v;
		}
	}
	pools->roots = shared->roots;
	arena_reserve(arena, drawing_memory(graph->nodes, pools->crew.workers));
}

/*
 * Let a pool grow to so many batches.  Returns false, the pool being of no use
 * any more, if that would make the crew's memory exceed the limit.
 */
bool
pools_draw(Pools *pools, int which, uint32 batches, uint64 limit)
{
	PoolsShared *shared = pools->shared;
	Arena	   *arena = &pools->crew.arena;
	Pool	   *pool = &pools->pool[which];
	RRPool	   *sets = &pool->sets;
	uint32		from = sets->nbatches;
	double		visits = (double) (batches - from) *
		(from > 0 ? (double) pool->visits / from : RR_BATCH);
	ArenaRef	entry;
	BatchEntry *entries;
	uint64		used;

	if (batches <= from)
		return true;
	if (visits >= LAUNCH_VISITS)
		crew_launch(&pools->crew);
	used = arena_used(arena) + (uint64) (batches - from) * sizeof(BatchEntry) +
		(uint64) batches * sizeof(RRBatch *);
	if (used > limit)
		return false;
	entry = arena_alloc(arena, (Size) (batches - from) * sizeof(BatchEntry));
	entries = arena_address(arena, entry);
	shared->pool = which;
	shared->first = from;
	shared->entry = entry;
	shared->room = limit - used;
	pg_atomic_write_u64(&shared->taken, 0);
	team_run(&pools->crew.team, TASK_DRAW, batches - from);
	if (pg_atomic_read_u64(&shared->taken) > shared->room)
		return false;

	arena_reserve(arena, (Size) (batches - from) * sizeof(RRBatch *));
	sets->batch = sets->batch == NULL ?
		MemoryContextAllocHuge(CurrentMemoryContext, batches * sizeof(RRBatch *)) :
		repalloc_huge(sets->batch, batches * sizeof(RRBatch *));
	for (uint32 b = from; b < batches; b++)
	{
		sets->batch[b] = arena_address(arena, entries[b - from].batch);
		sets->hits += entries[b - from].hits;
		pool->visits += entries[b - from].visits;
	}
	sets->nbatches = batches;
	arena_free(arena, entry, (Size) (batches - from) * sizeof(BatchEntry));
	return true;
}

/* Forget all sets. */
void
pools_empty(Pools *pools)
{
	PoolsShared *shared = pools->shared;
	Arena	   *arena = &pools->crew.arena;
	ArenaRef	ref = pg_atomic_read_u64(&shared->slabs);

	while (ref != ARENA_NONE)
	{
		Slab		slab = *(Slab *) arena_address(arena, ref);

		arena_free(arena, ref, slab.size);
		ref = slab.next;
	}
	pg_atomic_write_u64(&shared->slabs, ARENA_NONE);
	shared->generation++;
	for (int which = 0; which < POOLS; which++)
	{
		Pool	   *pool = &pools->pool[which];

		arena_release(arena, (Size) pool->sets.nbatches * sizeof(RRBatch *));
		if (pool->sets.batch)
			pfree(pool->sets.batch);
		memset(pool, 0, sizeof(Pool));
	}
}
