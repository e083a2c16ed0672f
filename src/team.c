/*
 * team.c
 *	  A leader and its parallel workers, doing one task after the other.
 *
 * The one room that knows how many processes take part.  The leader names a
 * task and a number of items; all processes claim items until there are none,
 * and the leader goes on when everybody has finished.  A worker that starts
 * late joins the task under way; one that never starts is not waited for, and
 * without any worker the leader does all items itself by the same code.
 *
 * The barrier's phase is even between tasks and odd while one is done.  Only
 * the leader writes task and items, in even phases; the barrier orders that
 * before the reads of the others.
 *
 * Waiting at the barrier and claiming an item both serve interrupts: a cancel
 * ends the leader at once and its workers with it, and an error in a worker
 * reaches the leader there (HandleParallelMessages).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"

#include "compat.h"
#include "team.h"

#define TASK_DISMISSED	(-1)

#ifdef INFLUENCE_ASSERT
/* Microseconds between two looks of a worker that is late on purpose. */
#define LATE_POLL		200L

/*
 * Any worker may be late.  In builds with assertions all are: each waits for
 * one of the first eight tasks to be under way, which one by its pid, and so
 * all tasks are joined by some worker that has done none before.
 */
static void
be_late(TeamShared *shared)
{
	int			task = MyProcPid % 8;

	for (int i = 0; i < 100 && ((volatile TeamShared *) shared)->task != task; i++)
		pg_usleep(LATE_POLL / 2);
}
#endif

/* Initialise the shared part, before any worker starts. */
void
team_init(TeamShared *shared)
{
	BarrierInit(&shared->barrier, 0);
	shared->task = TASK_DISMISSED;
	shared->items = 0;
	pg_atomic_init_u64(&shared->next, 0);
	pg_atomic_init_u32(&shared->members, 0);
}

/*
 * Become the leader; alone says that no worker will be started.  Workers are
 * launched after that: if one were the first at the barrier it would go from
 * phase to phase by itself, and odd and even would change places.
 */
void
team_lead(Team *team, TeamShared *shared, bool alone, const TeamTask *task, void *state)
{
	team->shared = shared;
	team->task = task;
	team->state = state;
	team->alone = alone;
	team->progress = NULL;
	pg_atomic_fetch_add_u32(&shared->members, 1);
	if (!alone)
		BarrierAttach(&shared->barrier);
}

/* In the leader: no worker could be started. */
void
team_go_alone(Team *team)
{
	BarrierDetach(&team->shared->barrier);
	team->alone = true;
}

/* In the leader: have the team do all items of a task. */
void
team_run(Team *team, int task, uint64 items)
{
	TeamShared *shared = team->shared;

	shared->task = task;
	shared->items = items;
	pg_atomic_write_u64(&shared->next, 0);
	if (team->alone)
	{
		team->task[task] (team);
		return;
	}
	BarrierArriveAndWait(&shared->barrier, PG_WAIT_EXTENSION);
#ifdef INFLUENCE_ASSERT
	pg_usleep(LATE_POLL);		/* for who is late on purpose */
#endif
	team->task[task] (team);
	BarrierArriveAndWait(&shared->barrier, PG_WAIT_EXTENSION);
}

/* In the leader: let the workers go; the team can do no more tasks. */
void
team_dismiss(Team *team)
{
	if (team->alone)
		return;
	team->shared->task = TASK_DISMISSED;
	BarrierArriveAndDetach(&team->shared->barrier);
}

/* In a worker: take part until dismissed. */
void
team_work(Team *team, TeamShared *shared, const TeamTask *task, void *state)
{
	int			phase;

#ifdef INFLUENCE_ASSERT
	be_late(shared);
#endif
	phase = BarrierAttach(&shared->barrier);
	team->shared = shared;
	team->task = task;
	team->state = state;
	team->alone = false;
	team->progress = NULL;
	pg_atomic_fetch_add_u32(&shared->members, 1);
	if (phase % 2 == 0)
		BarrierArriveAndWait(&shared->barrier, PG_WAIT_EXTENSION);
	while (shared->task != TASK_DISMISSED)
	{
		team->task[shared->task] (team);
		BarrierArriveAndWait(&shared->barrier, PG_WAIT_EXTENSION);
		BarrierArriveAndWait(&shared->barrier, PG_WAIT_EXTENSION);
	}
	BarrierDetach(&shared->barrier);
}

/*
 * Claim the next item of the current task; false when there is none left.
 * Also the place where interrupts are served.
 */
bool
team_next(Team *team, uint64 *item)
{
	CHECK_FOR_INTERRUPTS();
	*item = pg_atomic_fetch_add_u64(&team->shared->next, 1);
	if (*item >= team->shared->items)
		return false;
	if (team->progress)
		team->progress((int64) *item);
	return true;
}
