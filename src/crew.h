/*
 * crew.h
 *	  Memory and processes of a function: private and alone, or shared with
 *	  parallel workers.
 */
#ifndef INFLUENCE_CREW_H
#define INFLUENCE_CREW_H

#include "arena.h"
#include "storage/dsm.h"
#include "team.h"

/* What the processes share begins with this. */
typedef struct CrewShared
{
	TeamShared	team;
	ArenaControl arena;
} CrewShared;

typedef struct Crew
{
	CrewShared *shared;
	Team		team;
	Arena		arena;
	int			workers;		/* that may be asked for */

	/* leader only */
	const char *worker_main;
	dsm_segment *segment;		/* of *shared; NULL: private */
	ParallelContext *context;	/* once workers were asked for */
} Crew;

/* Makes a worker's state for its tasks. */
typedef void *(*CrewJoin) (CrewShared *shared, Arena *arena);

typedef void (*CrewJob) (void *argument, int workers);

extern int	crew_workers(void);
extern void crew_run(CrewJob job, void *argument, int workers);
extern void crew_begin(Crew *crew, Size shared_size, int workers, const char *worker_main,
					   const TeamTask *task, void *state);
extern void crew_launch(Crew *crew);
extern void crew_end(Crew *crew);
extern void crew_work(dsm_segment *seg, shm_toc *toc, const TeamTask *task, CrewJoin join);

#endif
