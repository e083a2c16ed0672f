/*
 * arena.h
 *	  Memory for the arrays of a refresh: shared with workers, or private.
 */
#ifndef INFLUENCE_ARENA_H
#define INFLUENCE_ARENA_H

#include "port/atomics.h"
#include "utils/dsa.h"

#include "compat.h"

/* Names a piece of memory in every process of a refresh; 0 is none. */
typedef uint64 ArenaRef;

#define ARENA_NONE ((ArenaRef) 0)

/*
 * What the processes share.  Fields that are not said to change are set before
 * any worker starts.
 */
typedef struct ArenaControl
{
	pg_atomic_uint64 used;		/* bytes allocated or reserved now */
	pg_atomic_uint64 peak;		/* the most that it has been */
	pg_atomic_uint64 passing;	/* of used: what only reading needs */
	uint64		limit;			/* bytes that must not be passed */

	/* for the message that they would be; while reading, written by anybody */
	double		part;			/* of the interactions that was read, 0 to 1 */
	uint64		later;			/* bytes that will be needed after reading */
	bool		shared;
	dsa_handle	area;			/* if shared */
} ArenaControl;

/* One process's view of it. */
typedef struct Arena
{
	ArenaControl *control;
	dsa_area   *area;			/* NULL when private */
	MemoryContext context;		/* when private */
} Arena;

extern void arena_create(Arena *arena, ArenaControl *control, bool shared, uint64 limit);
extern void arena_attach(Arena *arena, ArenaControl *control);
extern void arena_detach(Arena *arena);
extern ArenaRef arena_alloc(Arena *arena, Size size);
extern void arena_free(Arena *arena, ArenaRef ref, Size size);
extern void arena_reserve(Arena *arena, Size size);
extern void *arena_grow(Arena *arena, MemoryContext context, void *array, uint64 had,
						uint64 room, Size size);
extern void arena_release(Arena *arena, Size size);
extern bool arena_is_shortage(const ErrorData *error);
pg_noreturn extern void arena_report_limit(uint64 needed, uint64 limit);

static inline void *
arena_address(Arena *arena, ArenaRef ref)
{
	return arena->area ? dsa_get_address(arena->area, (dsa_pointer) ref) : (void *) (uintptr_t) ref;
}

static inline uint64
arena_used(Arena *arena)
{
	return pg_atomic_read_u64(&arena->control->used);
}

#endif
