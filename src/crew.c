/*
 * crew.c
 *	  Memory and processes of a function: private and alone, or shared with
 *	  parallel workers.
 *
 * A function that may have workers puts what they need into an arena (arena.c)
 * that they can see, and has a team (team.c) do its work.  It begins alone,
 * and asks for workers when it knows that the work is worth it.  Its own
 * struct, which begins with CrewShared, is a segment of shared memory.  Without
 * workers all of that is private memory, and the code is the same.
 *
 * Workers stay until crew_end.  Nothing may be written to the database from
 * crew_launch until then.
 *
 * If shared memory runs out on the way (a container's /dev/shm may have 64
 * MB), the attempt is rolled back, and the job done again without workers.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "crew.h"

#define KEY_SHARED	UINT64CONST(0x696e666c00000001)

/* How many workers a function may ask for now. */
int
crew_workers(void)
{
	if (IsInParallelMode() || IsParallelWorker())
		return 0;
	return Max(Min(max_parallel_maintenance_workers, max_parallel_workers), 0);
}

static MemoryContext
job_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "influence job", ALLOCSET_DEFAULT_SIZES);
}

/*
 * Run a job with workers, or if that ends for want of shared memory, or none
 * may be asked for, without.  The job is told how many it may ask for, and
 * works in a memory context of its own, deleted when it ends.
 */
void
crew_run(CrewJob job, void *argument, int workers)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext own = job_context();
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	if (workers > 0)
	{
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(own);
		PG_TRY();
		{
			job(argument, workers);
			ReleaseCurrentSubTransaction();
			done = true;
		}
		PG_CATCH();
		{
			ErrorData  *error;

			MemoryContextSwitchTo(context);
			error = CopyErrorData();
			FlushErrorState();
			RollbackAndReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(context);
			CurrentResourceOwner = owner;
			if (!arena_is_shortage(error))
				ReThrowError(error);
			ereport(DEBUG1,
					(errmsg_internal("going on without workers: %s", error->message)));
			FreeErrorData(error);
			MemoryContextReset(own);
		}
		PG_END_TRY();
		CurrentResourceOwner = owner;
	}
	if (!done)
	{
		MemoryContextSwitchTo(own);
		job(argument, 0);
	}
	MemoryContextSwitchTo(context);
	MemoryContextDelete(own);
}

/*
 * Begin in the leader, alone: make the shared struct, zeroed, and the arena.
 * Tasks are called with state.
 */
void
crew_begin(Crew *crew, Size shared_size, int workers, const char *worker_main,
		   const TeamTask *task, void *state)
{
	memset(crew, 0, sizeof(Crew));
	crew->workers = workers;
	crew->worker_main = worker_main;
	if (workers > 0)
		crew->segment = dsm_create(shared_size, 0);
	crew->shared = crew->segment ? dsm_segment_address(crew->segment) :
		MemoryContextAllocHuge(CurrentMemoryContext, shared_size);
	memset(crew->shared, 0, shared_size);
	/* limits are seen to by who allocates: see there */
	arena_create(&crew->arena, &crew->shared->arena, crew->segment != NULL, PG_UINT64_MAX);
	team_init(&crew->shared->team);
	team_lead(&crew->team, &crew->shared->team, true, task, state);
}

/*
 * Ask for the workers, if there may be any and they were not asked for yet.
 * All that they need to join is in shared memory.
 */
void
crew_launch(Crew *crew)
{
	dsm_handle *handle;

	if (crew->segment == NULL || crew->context)
		return;
	EnterParallelMode();
	crew->context = CreateParallelContext("influence", crew->worker_main, crew->workers);
	shm_toc_estimate_chunk(&crew->context->estimator, sizeof(dsm_handle));
	shm_toc_estimate_keys(&crew->context->estimator, 1);
	InitializeParallelDSM(crew->context);
	handle = shm_toc_allocate(crew->context->toc, sizeof(dsm_handle));
	*handle = dsm_segment_handle(crew->segment);
	shm_toc_insert(crew->context->toc, KEY_SHARED, handle);
	/* the leader is there before any worker: who comes first waits */
	team_init(crew->team.shared);
	team_lead(&crew->team, crew->team.shared, false, crew->team.task, crew->team.state);
	LaunchParallelWorkers(crew->context);
	if (crew->context->nworkers_launched == 0)
	{
		team_dismiss(&crew->team);
		crew->team.alone = true;
	}
}

/* Let the workers go, and give all memory back. */
void
crew_end(Crew *crew)
{
	if (crew->context)
	{
		team_dismiss(&crew->team);
		WaitForParallelWorkersToFinish(crew->context);
		DestroyParallelContext(crew->context);
		ExitParallelMode();
	}
	arena_detach(&crew->arena);
	if (crew->segment)
		dsm_detach(crew->segment);
	else
		pfree(crew->shared);
}

/* A worker's life: join, do tasks. */
void
crew_work(dsm_segment *seg, shm_toc *toc, const TeamTask *task, CrewJoin join)
{
	dsm_handle *handle = shm_toc_lookup(toc, KEY_SHARED, false);
	dsm_segment *segment = dsm_attach(*handle);
	CrewShared *shared;
	Arena		arena;
	Team		team;

	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	if (segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map dynamic shared memory segment")));
	shared = dsm_segment_address(segment);
	arena_attach(&arena, &shared->arena);
	team_work(&team, &shared->team, task, join(shared, &arena));
	arena_detach(&arena);
	dsm_detach(segment);
}
