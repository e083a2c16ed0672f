/*
 * team.h
 *	  A leader and its parallel workers, doing one task after the other.
 */
#ifndef INFLUENCE_TEAM_H
#define INFLUENCE_TEAM_H

#include "access/parallel.h"
#include "port/atomics.h"
#include "storage/barrier.h"

/* In shared memory when there are workers. */
typedef struct TeamShared
{
	Barrier		barrier;		/* odd phases: a task is being done */
	int			task;			/* written by the leader in even phases */
	uint64		items;			/* likewise */
	pg_atomic_uint64 next;		/* the next item nobody has claimed */
	pg_atomic_uint32 members;	/* processes that joined, the leader included */
} TeamShared;

/*
 * A task.  Every process of the team calls it once and claims items by
 * team_next until there are none; its result must not depend on who claims
 * which.
 */
struct Team;
typedef void (*TeamTask) (struct Team *team);

/* One process's view of the team. */
typedef struct Team
{
	TeamShared *shared;
	const TeamTask *task;		/* by number, the same in every process */
	void	   *state;			/* for the tasks, this process's own */
	bool		alone;			/* no workers: no barrier is needed */
	void		(*progress) (int64 items);	/* leader: told of items claimed; or NULL */
} Team;

extern void team_init(TeamShared *shared);
extern void team_lead(Team *team, TeamShared *shared, bool alone,
					  const TeamTask *task, void *state);
extern void team_go_alone(Team *team);
extern void team_run(Team *team, int task, uint64 items);
extern void team_dismiss(Team *team);
extern void team_work(Team *team, TeamShared *shared, const TeamTask *task, void *state);
extern bool team_next(Team *team, uint64 *item);

#endif
