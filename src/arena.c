/*
 * arena.c
 *	  Memory for the arrays of a refresh: shared with workers, or private.
 *
 * A refresh in one process takes its memory from a memory context, one with
 * workers from a DSA area.  The code that builds graphs sees neither: it holds
 * references, which mean the same in every process, and resolves them to
 * addresses where it works.  Both kinds vanish with the refresh, also when it
 * fails: the context with its parent, the area with its resource owner.
 *
 * Every byte is counted against one limit, maintenance_work_mem, including
 * what a process takes for itself for a while (arena_reserve).  Bookkeeping of
 * the allocators themselves is not counted.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

#include "arena.h"

/*
 * Set up in the leader.  A shared arena raises an error when the system has
 * no (or not enough) dynamic shared memory.
 */
void
arena_create(Arena *arena, ArenaControl *control, bool shared, uint64 limit)
{
	pg_atomic_init_u64(&control->used, 0);
	pg_atomic_init_u64(&control->peak, 0);
	pg_atomic_init_u64(&control->passing, 0);
	control->part = 1;
	control->later = 0;
	control->limit = limit;
	control->shared = shared;
	arena->control = control;
	arena->area = NULL;
	arena->context = NULL;
	if (shared)
	{
		arena->area = dsa_create(LWTRANCHE_PARALLEL_QUERY_DSA);
		control->area = dsa_get_handle(arena->area);
	}
	else
		arena->context = AllocSetContextCreate(CurrentMemoryContext, "influence refresh",
											   ALLOCSET_DEFAULT_SIZES);
}

/* Set up in a worker. */
void
arena_attach(Arena *arena, ArenaControl *control)
{
	arena->control = control;
	arena->context = NULL;
	arena->area = dsa_attach(control->area);
}

/* Give all memory back; shared memory when the last process has done so. */
void
arena_detach(Arena *arena)
{
	if (arena->area)
		dsa_detach(arena->area);
	else
		MemoryContextDelete(arena->context);
}

/* Is a want of shared memory what an error is about? */
bool
arena_is_shortage(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		error->sqlerrcode == ERRCODE_DISK_FULL ||
		error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES;
}

/* Raise the error for a refresh that would need so many bytes. */
void
arena_report_limit(uint64 needed, uint64 limit)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("refresh needs about %llu MB of memory, more than maintenance_work_mem (%llu MB)",
					(unsigned long long) ((needed + 1024 * 1024 - 1) / (1024 * 1024)),
					(unsigned long long) (limit / (1024 * 1024))),
			 errhint("Raise \"maintenance_work_mem\" for this session and refresh again.")));
}

/* Raise it for so many bytes being needed now, on the way to more. */
static void
report_used(ArenaControl *control, uint64 used)
{
	uint64		passing = Min(pg_atomic_read_u64(&control->passing), used);
	uint64		needed = used;

	if (control->part > 0 && control->part < 1)
		needed = Max(used, (used - passing) / control->part + control->later);
	arena_report_limit(needed, control->limit);
}

/*
 * Count size bytes that the calling process allocates in its own way.
 * Raises an error if they would pass the limit.
 */
void
arena_reserve(Arena *arena, Size size)
{
	ArenaControl *control = arena->control;
	uint64		used = pg_atomic_add_fetch_u64(&control->used, size);
	uint64		peak = pg_atomic_read_u64(&control->peak);

	if (used > control->limit)
	{
		pg_atomic_sub_fetch_u64(&control->used, size);
		report_used(control, used);
	}
	while (used > peak && !pg_atomic_compare_exchange_u64(&control->peak, &peak, used))
		;
}

/*
 * Let a private array that has room for so many elements (0: it is NULL) have
 * room for more; made in a memory context, and counted.
 */
void *
arena_grow(Arena *arena, MemoryContext context, void *array, uint64 had, uint64 room, Size size)
{
	arena_reserve(arena, (room - had) * size);
	return array ? repalloc_huge(array, Max(room * size, 1)) :
		MemoryContextAllocHuge(context, Max(room * size, 1));
}

/* Stop counting what arena_reserve counted. */
void
arena_release(Arena *arena, Size size)
{
	pg_atomic_sub_fetch_u64(&arena->control->used, size);
}

/*
 * Allocate size bytes, aligned for any type, not zeroed.  Raises an error if
 * they would pass the limit or cannot be had.
 */
ArenaRef
arena_alloc(Arena *arena, Size size)
{
	if (size == 0)
		size = 1;
	arena_reserve(arena, size);
	if (arena->area)
		return (ArenaRef) dsa_allocate_extended(arena->area, size, DSA_ALLOC_HUGE);
	return (ArenaRef) (uintptr_t) MemoryContextAllocHuge(arena->context, size);
}

/* Free what arena_alloc gave for the same size. */
void
arena_free(Arena *arena, ArenaRef ref, Size size)
{
	if (ref == ARENA_NONE)
		return;
	if (arena->area)
		dsa_free(arena->area, (dsa_pointer) ref);
	else
		pfree((void *) (uintptr_t) ref);
	arena_release(arena, size == 0 ? 1 : size);
}
