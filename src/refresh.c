/*
 * refresh.c
 *	  Computing the scores of a model, in one process or several.
 *
 * The flow, stage by stage; each is a task of a team (team.c), except for the
 * ones in brackets, which the leader does alone:
 *
 *	read		rows become edges between nodes, in buckets (source.c, ids.c,
 *				edges.c)
 *	[number]	all ids are known: the nodes get room (blocks.c)
 *	count		how many edges each source has
 *	order		the nodes of each partition are numbered
 *	build		each bucket becomes a block of the graph
 *	out			sums of out-weights
 *	restart		the restart distribution, not yet normalised
 *	normalise	the restart distribution
 *	rank		sweeps until the ranks are found (rank.c)
 *	receive		what everybody receives; the blocks are not needed after
 *	[score]		influence, scale, scores and percentiles (score.c)
 *	[publish]	the tables (publish.c)
 *
 * Memory.  With workers the state (RefreshShared) is a dynamic shared memory
 * segment of its own, and the arrays are in a DSA area; both are the leader's
 * resources and go with them.  Without, both are private.  The workers are
 * gone before anything is written.
 *
 * If shared memory runs out on the way (a container's /dev/shm may have 64
 * MB), the attempt is rolled back and the refresh done again in private
 * memory, by one process.
 *
 * Results do not depend on the number of processes: see blocks.c for the
 * numbering of nodes, csr.c for how sums are cut; the sums of out-weights are
 * kept in OUT_SUMS arrays whatever the number of processes.
 */
#include "postgres.h"

#include <math.h>

#include "access/parallel.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "storage/dsm.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "blocks.h"
#include "compat.h"
#include "progress.h"
#include "publish.h"
#include "rank.h"
#include "reclaim.h"
#include "refresh.h"
#include "score.h"
#include "source.h"
#include "team.h"

/* Arrays in which out-weights are added up side by side: see out_sum. */
#define OUT_SUMS		3

/* Bytes a node takes while ranking beside its row of a block: see Vectors. */
#define BYTES_PER_NODE	(sizeof(double) * 5)

/* Credibility of somebody whom nobody reacted to. */
#define LEAST_CREDIBILITY	0.02

/* Edges below which starting workers costs more than it saves. */
#define FEW_EDGES			200000

/* A scale that so many users are beyond has lost its top. */
#define BEYOND_SHARE		0.001
#define BEYOND_USERS		10

#define KEY_SHARED	UINT64CONST(0x696e666c00000001)
#define KEY_SCAN	UINT64CONST(0x696e666c00000002)

typedef enum Restart
{
	RESTART_UNIFORM,
	RESTART_ACTIVITY,
	RESTART_CREDIBLE
} Restart;

/*
 * Arrays over the nodes, by number; shares are by slot (csr.h).  Memory is short while the blocks are
 * there too, so arrays serve twice: for partial sums of out-weights before
 * the ranks are found (out_sum), and for what is published of a user after
 * (task_receive).
 */
typedef struct Vectors
{
	ArenaRef	out_weight;
	ArenaRef	restart;
	ArenaRef	rank;
	ArenaRef	share[2];
	ArenaRef	chunk;			/* by chunk */
	ArenaRef	partial;
	uint64		nchunks;
} Vectors;

/* In shared memory when there are workers. */
typedef struct RefreshShared
{
	TeamShared	team;
	ArenaControl arena;
	SourceShared source;
	IdsShared	ids;
	EdgesShared edges;
	BlocksShared blocks;
	Vectors		vectors;		/* written by the leader between tasks, */
	Restart		restart;		/* and so are these */
	double		restart_sum;
	double		damping;
	RankStep	step;
	RankControl control;
} RefreshShared;

/*
 * One process's part in a refresh.  A worker may join at any task, so each
 * task sees to what it needs (need_blocks, need_vectors).
 */
typedef struct Refresh
{
	RefreshShared *shared;
	Team		team;
	Arena		arena;
	Ids		   *ids;
	Edges	   *edges;
	Blocks	   *blocks;			/* once nodes are numbered */
	bool		has_vectors;	/* blocks and problem are resolved */
	RankProblem problem;
	double	   *out_weight;
	double	   *restart;
	ParallelTableScanDesc scan; /* NULL: the leader reads alone */
	Snapshot	snapshot;		/* leader, when it reads alone */

	/* of the batch being read */
	NodeRef    *source_node;
	NodeRef    *target_node;
	int			nodes_size;
} Refresh;

PGDLLEXPORT void influence_worker_main(dsm_segment *seg, shm_toc *toc);

/* --- reading ----------------------------------------------------------- */

/* Take a batch of interactions that count. */
static void
take_interactions(void *context, const Id *source, const Id *target, const float8 *weight, int n)
{
	Refresh    *r = context;

	if (n > r->nodes_size)
	{
		MemoryContext to = GetMemoryChunkContext(r);

		r->source_node = MemoryContextAlloc(to, n * sizeof(NodeRef));
		r->target_node = MemoryContextAlloc(to, n * sizeof(NodeRef));
		r->nodes_size = n;
	}
	ids_assign(r->ids, source, n, r->source_node);
	ids_assign(r->ids, target, n, r->target_node);
	edges_append(r->edges, r->source_node, r->target_node, weight, n);
}

/* Task: read this process's part of the interactions. */
static void
task_read(Team *team)
{
	Refresh    *r = team->state;
	Relation	rel = table_open(r->shared->source.relation, AccessShareLock);
	TableScanDesc scan = r->scan ? table_beginscan_parallel(rel, r->scan) :
		table_beginscan(rel, r->snapshot, 0, NULL);

	source_read_table(&r->shared->source, &r->arena, rel, scan, take_interactions, r);
	table_endscan(scan);
	table_close(rel, NoLock);
	edges_flush(r->edges);
}

/* --- building ---------------------------------------------------------- */

/* Task: this process's counts of edges by source join the others'. */
static void
task_count(Team *team)
{
	Refresh    *r = team->state;

	r->blocks = blocks_attach(&r->shared->blocks, &r->arena);
	blocks_count_sources(r->blocks, r->edges);
}

static void
need_blocks(Refresh *r)
{
	if (r->blocks == NULL)
		r->blocks = blocks_attach(&r->shared->blocks, &r->arena);
}

/* Task: number the nodes.  Items are partitions. */
static void
task_order(Team *team)
{
	Refresh    *r = team->state;
	uint64		partition;

	need_blocks(r);
	while (team_next(team, &partition))
		blocks_order(r->blocks, r->ids, (uint32) partition);
}

/* Task: make buckets into blocks.  Items are partitions. */
static void
task_build(Team *team)
{
	Refresh    *r = team->state;
	uint64		partition;

	need_blocks(r);
	while (team_next(team, &partition))
		blocks_build(r->blocks, r->edges, (uint32) partition);
}

/* --- ranking ----------------------------------------------------------- */

/* Resolve the blocks and vectors in this process. */
static void
need_vectors(Refresh *r)
{
	RefreshShared *shared = r->shared;
	Vectors    *v = &shared->vectors;
	RankProblem *problem = &r->problem;

	if (r->has_vectors)
		return;
	need_blocks(r);
	blocks_resolve(r->blocks);
	r->out_weight = arena_address(&r->arena, v->out_weight);
	r->restart = arena_address(&r->arena, v->restart);
	problem->nodes = shared->blocks.nodes;
	problem->block = r->blocks->block;
	problem->chunk = arena_address(&r->arena, v->chunk);
	problem->nchunks = v->nchunks;
	problem->out_weight = r->out_weight;
	problem->restart = shared->restart == RESTART_UNIFORM ? NULL : r->restart;
	problem->damping = shared->damping;
	problem->rank = arena_address(&r->arena, v->rank);
	problem->share[0] = arena_address(&r->arena, v->share[0]);
	problem->share[1] = arena_address(&r->arena, v->share[1]);
	problem->partial = arena_address(&r->arena, v->partial);
	problem->control = &shared->control;
	r->has_vectors = true;
}

/*
 * The arrays in which out-weights are added up, by slot: those that the ranks
 * use later on.
 */
static double *
out_sum(Refresh *r, uint64 i)
{
	switch (i)
	{
		case 0:
			return r->problem.rank;
		case 1:
			return r->problem.share[0];
		default:
			return r->problem.share[1];
	}
}

/* Task: add up out-weights.  Items are the arrays: i takes every i-th block. */
static void
task_out(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
	{
		double	   *sum = out_sum(r, i);

		memset(sum, 0, (Size) r->shared->blocks.slots * sizeof(double));
		for (int b = (int) i; b < ID_PARTITIONS; b += OUT_SUMS)
		{
			const CsrBlock *block = &r->blocks->block[b];
			uint64		edges = csr_edges(block);

			CHECK_FOR_INTERRUPTS();
			if (block->code)
				for (uint64 e = 0; e < edges; e++)
					sum[block->column[e]] += block->dictionary[block->code[e]];
			else
				for (uint64 e = 0; e < edges; e++)
					sum[block->column[e]] += block->weight[e];
		}
	}
}

/*
 * How much a user's reactions count: 0.02 + 0.98 r / (r + ln 2),
 * where r is the sum of min(pair weight, ln 2) over who reacted to the user.
 */
static double
credibility(double r)
{
	return LEAST_CREDIBILITY + (1 - LEAST_CREDIBILITY) * (r / (r + LN2));
}

static void
report_infinite(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("weights of the interactions of one user add up to infinity"),
			 errhint("Scale the weights down; only their proportions matter much.")));
}

/* Task: out-weights, and where to restart.  Items are chunks. */
static void
task_restart(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
	{
		const CsrChunk *chunk = &r->problem.chunk[i];
		const CsrBlock *block = &r->blocks->block[chunk->block];
		double		mass = 0;

		for (uint32 row = chunk->low; row < chunk->high; row++)
		{
			uint32		v = block->first + row;
			uint32		slot = csr_slot(block, row);
			double		activity = 0;
			double		capped = 0;
			double		q;

			for (uint64 e = block->offset[row]; e < block->offset[row + 1]; e++)
				capped += Min(csr_weight(block, e), LN2);
			for (int s = 0; s < OUT_SUMS; s++)
				activity += out_sum(r, s)[slot];
			if (isinf(activity))
				report_infinite();
			r->out_weight[v] = activity;
			q = activity;
			if (r->shared->restart == RESTART_CREDIBLE)
				q *= credibility(capped);
			r->restart[v] = q;
			mass += q;
		}
		r->problem.partial[i].mass = mass;
	}
}

/* Task: make the restart distribution sum to 1.  Items are chunks. */
static void
task_normalise(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
	{
		const CsrChunk *chunk = &r->problem.chunk[i];
		uint32		first = r->blocks->block[chunk->block].first;

		for (uint32 v = first + chunk->low; v < first + chunk->high; v++)
			r->restart[v] /= r->shared->restart_sum;
	}
}

/* Where everybody's receipts go: the array of shares not in use. */
static double *
received(Refresh *r)
{
	return r->problem.share[(r->shared->control.iterations + 1) % 2];
}

/* Task: a step of the rank kernel.  Items are chunks. */
static void
task_rank(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
		rank_chunk(&r->problem, r->shared->step, i, received(r));
}

/* Where task_receive leaves what it finds: ranks are not needed any more. */
static double *
responses(Refresh *r)
{
	return r->problem.rank;
}

static uint64 *
audience(Refresh *r)
{
	return (uint64 *) r->restart;
}

/*
 * Task: what everybody receives from the final ranks, how many people react
 * to them and with what pair weights.  Items are chunks.
 */
static void
task_receive(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
	{
		const CsrChunk *chunk = &r->problem.chunk[i];
		const CsrBlock *block = &r->blocks->block[chunk->block];

		rank_chunk(&r->problem, RANK_RECEIVED, i, received(r));
		for (uint32 row = chunk->low; row < chunk->high; row++)
		{
			double		sum = 0;

			for (uint64 e = block->offset[row]; e < block->offset[row + 1]; e++)
				sum += csr_weight(block, e);
			if (isinf(sum))
				report_infinite();
			responses(r)[block->first + row] = sum;
			audience(r)[block->first + row] = block->offset[row + 1] - block->offset[row];
		}
	}
}

enum
{
	TASK_READ,
	TASK_COUNT,
	TASK_ORDER,
	TASK_BUILD,
	TASK_OUT,
	TASK_RESTART,
	TASK_NORMALISE,
	TASK_RANK,
	TASK_RECEIVE
};

static const TeamTask tasks[] = {
	[TASK_READ] = task_read,
	[TASK_COUNT] = task_count,
	[TASK_ORDER] = task_order,
	[TASK_BUILD] = task_build,
	[TASK_OUT] = task_out,
	[TASK_RESTART] = task_restart,
	[TASK_NORMALISE] = task_normalise,
	[TASK_RANK] = task_rank,
	[TASK_RECEIVE] = task_receive
};

/* Have the team do a step for all chunks. */
static void
run_step(RankProblem *problem, RankStep step, void *context)
{
	Refresh    *r = context;

	r->shared->step = step;
	progress_done(problem->control->iterations);
	team_run(&r->team, TASK_RANK, problem->nchunks);
}

/* --- the leader -------------------------------------------------------- */

static void
begin_member(Refresh *r, int member, dsm_segment *worker_seg)
{
	r->ids = ids_attach(&r->shared->ids, &r->arena);
	r->edges = edges_attach(&r->shared->edges, &r->arena, member, worker_seg);
}

/* A worker's life: join the team, do its tasks. */
void
influence_worker_main(dsm_segment *seg, shm_toc *toc)
{
	dsm_handle *handle = shm_toc_lookup(toc, KEY_SHARED, false);
	dsm_segment *shared_seg = dsm_attach(*handle);
	Refresh    *r = palloc0(sizeof(Refresh));

	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	if (shared_seg == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map dynamic shared memory segment")));
	r->shared = dsm_segment_address(shared_seg);
	r->scan = shm_toc_lookup(toc, KEY_SCAN, true);
	arena_attach(&r->arena, &r->shared->arena);
	begin_member(r, ParallelWorkerNumber + 1, shared_seg);
	team_work(&r->team, &r->shared->team, tasks, r);
	arena_detach(&r->arena);
	dsm_detach(shared_seg);
}

/* Milliseconds since *since, which becomes now. */
static double
lap(instr_time *since)
{
	instr_time	now,
				spent;

	INSTR_TIME_SET_CURRENT(now);
	spent = now;
	INSTR_TIME_SUBTRACT(spent, *since);
	*since = now;
	return INSTR_TIME_GET_MILLISEC(spent);
}

/*
 * How many workers a refresh should ask for: as for building an index on the
 * interactions, where their size is known.
 */
static int
wanted_workers(Relation rel)
{
	int			most = Min(Min(max_parallel_maintenance_workers, max_parallel_workers),
						   EDGES_MEMBERS - 1);
	int			workers = 1;

	if (most <= 0)
		return 0;
	if (rel->rd_rel->relkind != RELKIND_RELATION)
		return most;
	if (RelationGetNumberOfBlocks(rel) < (BlockNumber) min_parallel_table_scan_size)
		return 0;
	for (double blocks = Max(min_parallel_table_scan_size, 1) * 3.0;
		 blocks <= RelationGetNumberOfBlocks(rel) && workers < most; blocks *= 3)
		workers++;
	return workers;
}

/* Start workers, and lead them. */
static ParallelContext *
start_workers(Refresh *r, dsm_segment *seg, int workers, Relation rel, Snapshot snapshot)
{
	ParallelContext *pcxt = NULL;

	if (workers > 0)
	{
		dsm_handle *handle;
		Size		scan_size = 0;

		EnterParallelMode();
		pcxt = CreateParallelContext("influence", "influence_worker_main", workers);
		shm_toc_estimate_chunk(&pcxt->estimator, sizeof(dsm_handle));
		shm_toc_estimate_keys(&pcxt->estimator, 1);
		if (rel)
		{
			scan_size = table_parallelscan_estimate(rel, snapshot);
			shm_toc_estimate_chunk(&pcxt->estimator, scan_size);
			shm_toc_estimate_keys(&pcxt->estimator, 1);
		}
		InitializeParallelDSM(pcxt);
		handle = shm_toc_allocate(pcxt->toc, sizeof(dsm_handle));
		*handle = dsm_segment_handle(seg);
		shm_toc_insert(pcxt->toc, KEY_SHARED, handle);
		if (rel)
		{
			r->scan = shm_toc_allocate(pcxt->toc, scan_size);
			table_parallelscan_initialize(rel, r->scan, snapshot);
			shm_toc_insert(pcxt->toc, KEY_SCAN, r->scan);
		}
		LaunchParallelWorkers(pcxt);
	}
	team_lead(&r->team, &r->shared->team, pcxt == NULL || pcxt->nworkers_launched == 0, tasks, r);
	return pcxt;
}

/* Let the workers go. */
static void
end_workers(Refresh *r, ParallelContext *pcxt)
{
	team_dismiss(&r->team);
	if (pcxt == NULL)
		return;
	WaitForParallelWorkersToFinish(pcxt);
	DestroyParallelContext(pcxt);
	ExitParallelMode();
}

/* Room for a double for each node, by number or by slot. */
static ArenaRef
vector(Refresh *r)
{
	return arena_alloc(&r->arena, (Size) r->shared->blocks.slots * sizeof(double));
}

/* From edges in buckets to blocks of the graph. */
static void
build(Refresh *r, const Model *model)
{
	RefreshShared *shared = r->shared;

	ids_settle(r->ids);
	progress_phase(PHASE_ORDERING, ID_PARTITIONS);
	blocks_init(&shared->blocks, &r->arena, &shared->ids, &shared->edges,
				strcmp(model->pair_weight, "log") == 0, BYTES_PER_NODE);
	team_run(&r->team, TASK_COUNT, 0);
	team_run(&r->team, TASK_ORDER, ID_PARTITIONS);
	blocks_ordered(r->blocks);
	progress_phase(PHASE_BUILDING, ID_PARTITIONS);
	team_run(&r->team, TASK_BUILD, ID_PARTITIONS);
}

/* From blocks to what everybody receives; returns whether ranks converged. */
static bool
rank(Refresh *r, const Model *model)
{
	RefreshShared *shared = r->shared;
	Vectors    *v = &shared->vectors;
	bool		converged;

	shared->restart = strcmp(model->restart, "uniform") == 0 ? RESTART_UNIFORM :
		strcmp(model->restart, "activity") == 0 ? RESTART_ACTIVITY : RESTART_CREDIBLE;
	shared->damping = model->damping;
	v->out_weight = vector(r);
	v->restart = vector(r);
	v->rank = vector(r);
	v->share[0] = vector(r);
	v->share[1] = vector(r);
	blocks_resolve(r->blocks);
	v->nchunks = csr_chunks(r->blocks->block, ID_PARTITIONS, NULL);
	v->chunk = arena_alloc(&r->arena, v->nchunks * sizeof(CsrChunk));
	v->partial = arena_alloc(&r->arena, v->nchunks * sizeof(RankPartial));
	(void) csr_chunks(r->blocks->block, ID_PARTITIONS, arena_address(&r->arena, v->chunk));

	progress_phase(PHASE_WEIGHING, 0);
	team_run(&r->team, TASK_OUT, OUT_SUMS);
	team_run(&r->team, TASK_RESTART, v->nchunks);
	shared->restart_sum = 0;
	for (uint64 i = 0; i < v->nchunks; i++)
		shared->restart_sum += r->problem.partial[i].mass;
	if (isinf(shared->restart_sum))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights of all interactions add up to infinity")));
	if (shared->restart != RESTART_UNIFORM)
		team_run(&r->team, TASK_NORMALISE, v->nchunks);
	r->team.progress = NULL;
	progress_phase(PHASE_RANKING, model->max_iterations);
	converged = rank_solve(&r->problem, model->tolerance, model->max_iterations, run_step, r);
	team_run(&r->team, TASK_RECEIVE, v->nchunks);
	return converged;
}

/*
 * From what everybody receives to scores.  Takes the scale if the model has
 * none, or rescale says so.
 */
static void
score(Refresh *r, Model *model, bool rescale, Results *results)
{
	uint32		n = r->shared->blocks.nodes;
	ArenaRef	word[3] = {vector(r), vector(r), vector(r)};
	ArenaRef	floats = arena_alloc(&r->arena, 2 * (Size) n * sizeof(float));
	double	   *influence = received(r);
	float	   *out = arena_address(&r->arena, floats);
	float	   *percentile = out + n;
	uint64	   *const scratch[4] = {
		arena_address(&r->arena, word[0]), arena_address(&r->arena, word[1]),
		arena_address(&r->arena, word[2]),
		(uint64 *) r->problem.share[r->shared->control.iterations % 2]
	};
	double		most = 0,
				sum = 0;
	uint64		beyond = 0;

	for (uint32 i = 0; i < n; i++)
	{
		influence[i] = score_settle(influence[i] * n);
		most = Max(most, influence[i]);
		sum += influence[i];
	}
	if ((rescale || !(model->reference > 0)) && most > 0)
	{
		model->reference = most;
		model->c = sum / n / 10;
	}
	for (uint32 i = 0; i < n; i++)
	{
		double		s = score_of(influence[i], model->reference, model->c);

		beyond += influence[i] > model->reference;
		out[i] = (float) Min(s, SCORE_MOST);
	}
	score_percentiles(influence, n, percentile, scratch);
	if (model->reference > 0 && beyond > BEYOND_USERS && beyond > BEYOND_SHARE * n)
		ereport(WARNING,
				(errmsg("%llu users of model \"%s\" are beyond the end of its scale",
						(unsigned long long) beyond, model->name),
				 errdetail("They have more influence than anybody had when the scale was taken, and score 100."),
				 errhint("Take the scale anew by influence_rescale.")));
	for (int i = 0; i < lengthof(word); i++)
		arena_free(&r->arena, word[i], (Size) r->shared->blocks.slots * sizeof(double));
	results->influence = influence;
	results->activity = r->out_weight;
	results->responses = responses(r);
	results->audience = audience(r);
	results->score = out;
	results->percentile = percentile;
}

/*
 * One attempt at a refresh.  *writing says, also when it fails, whether it
 * had come to writing.
 */
static void
attempt(Model *model, bool rescale, Run *run, int workers, volatile bool *writing)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "influence refresh",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Snapshot	snapshot = GetActiveSnapshot();
	Relation	rel = source_open(model);
	uint64		limit = (uint64) maintenance_work_mem * 1024;
	Refresh    *r = palloc0(sizeof(Refresh));
	dsm_segment *seg = NULL;
	ParallelContext *pcxt;
	SourceShared *source;
	Results		results = {0};
	instr_time	clock;
	bool		read_together;

	lap(&clock);
	if (workers > 0)
		seg = dsm_create(sizeof(RefreshShared), 0);
	r->shared = seg ? dsm_segment_address(seg) :
		MemoryContextAllocHuge(context, sizeof(RefreshShared));
	memset(r->shared, 0, sizeof(RefreshShared));
	source = &r->shared->source;
	progress_start(model->scores);
	progress_phase(PHASE_READING, (int64) Max(rel->rd_rel->reltuples, 0));
	arena_create(&r->arena, &r->shared->arena, seg != NULL, limit);
	source_init(source, &r->arena, model, run->as_of, rel);
	ids_init(&r->shared->ids, model->id_type, seg != NULL);
	edges_init(&r->shared->edges, source->weighted, limit / 2, seg);
	r->shared->arena.later = source->expected *
		(sizeof(uint32) + (source->weighted ? sizeof(double) : sizeof(uint8)));
	team_init(&r->shared->team);
	begin_member(r, 0, NULL);

	r->snapshot = snapshot;
	read_together = !source->by_query && !RelationUsesLocalBuffers(rel);
	if (!read_together)
	{
		/* before any worker: a query may do what parallel mode forbids */
		if (source->by_query)
		{
			source_read_query(source, &r->arena, model, rel, take_interactions, r);
			edges_flush(r->edges);
		}
		else
		{
			r->team.state = r;
			task_read(&r->team);
		}
		if (pg_atomic_read_u64(&source->read) < FEW_EDGES)
			workers = 0;
	}
	pcxt = start_workers(r, seg, workers, read_together ? rel : NULL, snapshot);
	if (read_together)
		team_run(&r->team, TASK_READ, 0);
	run->read_ms = lap(&clock);
	r->shared->arena.part = 1;
	r->team.progress = progress_done;

	build(r, model);
	run->build_ms = lap(&clock);

	run->converged = rank(r, model);
	end_workers(r, pcxt);
	run->rank_ms = lap(&clock);

	progress_phase(PHASE_SCORING, 0);
	blocks_free(r->blocks);
	score(r, model, rescale, &results);
	run->score_ms = lap(&clock);

	run->interactions = pg_atomic_read_u64(&source->read);
	run->skipped_null = pg_atomic_read_u64(&source->skipped_null);
	run->skipped_self = pg_atomic_read_u64(&source->skipped_self);
	run->skipped_zero = pg_atomic_read_u64(&source->skipped_zero);
	run->skipped_future = pg_atomic_read_u64(&source->skipped_future);
	run->nodes = r->shared->blocks.nodes;
	run->edges = pg_atomic_read_u64(&r->shared->blocks.edges);
	run->iterations = r->shared->control.iterations;
	run->residual = r->shared->control.residual;
	run->workers = pg_atomic_read_u32(&r->shared->team.members) - 1;
	if (!run->converged)
		ereport(WARNING,
				(errmsg("ranks of model \"%s\" did not converge in %d iterations",
						model->name, run->iterations),
				 errdetail("The last iteration changed them by %g, more than the tolerance of %g.",
						   run->residual, model->tolerance),
				 errhint("Raise max_iterations or tolerance by influence_alter_model.")));

	*writing = true;
	reclaim(model->scores);
	progress_start(model->scores);	/* vacuum shows its own */
	progress_phase(PHASE_PUBLISHING, r->shared->blocks.nodes);
	run->changed = publish(model, r->ids, r->blocks, &results, run->run, run->as_of);
	run->publish_ms = lap(&clock);
	progress_end();
	run->peak_memory = pg_atomic_read_u64(&r->shared->arena.peak);

	arena_detach(&r->arena);
	if (seg)
		dsm_detach(seg);
	relation_close(rel, NoLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Was shared memory what an error was about? */
static bool
is_memory_error(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		error->sqlerrcode == ERRCODE_DISK_FULL ||
		error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES;
}

/*
 * An attempt with workers, in a subtransaction.  False, with nothing done, if
 * shared memory ran out.
 */
static bool
attempt_with_workers(Model *model, bool rescale, Run *run, int workers)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Model		untouched = *model;
	volatile bool writing = false;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		attempt(model, rescale, run, workers, &writing);
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
		CurrentResourceOwner = owner;
		if (writing || !is_memory_error(error))
			ReThrowError(error);
		ereport(DEBUG1,
				(errmsg_internal("refreshing model \"%s\" without workers: %s",
								 model->name, error->message)));
		FreeErrorData(error);
		*model = untouched;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
}

/*
 * Compute the scores of a locked model as of run->as_of, under the active
 * snapshot, and publish them.  Sets the rest of run, and the model's scale if
 * it is taken.  Raises the errors of the stages.
 */
void
refresh(Model *model, bool rescale, Run *run)
{
	volatile bool writing = false;
	Relation	rel;
	int			workers;

	publish_check(model);
	rel = source_open(model);
	workers = wanted_workers(rel);
	relation_close(rel, NoLock);
	if (workers == 0 || !attempt_with_workers(model, rescale, run, workers))
		attempt(model, rescale, run, 0, &writing);
}
