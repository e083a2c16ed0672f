/*
 * stages.c
 *	  The stages of a refresh that all its processes do together.
 *
 * Each is a task of a team (team.c).  refresh.c says what follows what, and
 * does in the leader alone what lies between.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "progress.h"
#include "stages.h"

/* Prepare a process for the tasks; a worker says where its shared memory is. */
void
stages_begin(Refresh *r, int member, dsm_segment *worker_seg)
{
	r->ids = ids_attach(&r->shared->ids, &r->arena);
	r->edges = edges_attach(&r->shared->edges, &r->arena, member, worker_seg);
	if (r->shared->source.labelled)
		r->labels = labels_attach(&r->shared->labels, &r->arena);
	r->keeper = keep_attach(&r->shared->keep, r->edges, &r->arena);
}

/* --- reading ----------------------------------------------------------- */

/* Take a batch of interactions that count. */
void
stages_take(void *context, const SourceBatch *batch)
{
	Refresh    *r = context;
	int			n = batch->n;

	if (n > r->nodes_size)
	{
		MemoryContext to = GetMemoryChunkContext(r);

		r->source_node = MemoryContextAlloc(to, n * sizeof(NodeRef));
		r->target_node = MemoryContextAlloc(to, n * sizeof(NodeRef));
		r->label_node = MemoryContextAlloc(to, n * sizeof(NodeRef));
		r->nodes_size = n;
	}
	ids_assign(r->ids, batch->source, n, r->source_node);
	ids_assign(r->ids, batch->target, n, r->target_node);
	if (batch->label)
		ids_assign(r->labels->ids, batch->label, n, r->label_node);
	edges_append(r->edges, r->source_node, r->target_node, batch->weight, r->label_node, n);
}

/* Task: read this process's part of the interactions. */
static void
task_read(Team *team)
{
	Refresh    *r = team->state;
	Relation	rel = table_open(r->shared->source.relation, AccessShareLock);
	TableScanDesc scan = r->scan ? table_beginscan_parallel(rel, r->scan) :
		table_beginscan(rel, r->snapshot, 0, NULL);

	source_read_table(&r->shared->source, &r->arena, rel, scan, stages_take, r);
	table_endscan(scan);
	table_close(rel, NoLock);
	edges_flush(r->edges);
}

/* In the leader: read all interactions by a table scan, without workers. */
void
stages_read_alone(Refresh *r)
{
	r->team.state = r;
	task_read(&r->team);
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

/* In the leader: take apart what interactions are about. */
void
stages_settle_labels(Refresh *r, Hierarchy *hierarchy)
{
	if (r->labels)
		labels_settle(r->labels, hierarchy);
}

/* Labels are numbered: resolve them, and the facets, in this process. */
static void
need_facets(Refresh *r)
{
	if (r->labels == NULL || r->facets)
		return;
	need_blocks(r);
	labels_resolve(r->labels);
	r->facets = facets_attach(&r->shared->facets, r->labels, r->blocks);
}

/* The parts of a block go to the facets and to what is kept. */
static void
take_parts(void *context, uint32 partition, const Part *part, uint64 n)
{
	Refresh    *r = context;
	BlocksShared *blocks = &r->shared->blocks;

	if (r->facets)
		facets_collect(r->facets, partition, part, n);
	if (r->keeper)
		keep_block(r->keeper, partition,
				   blocks->base[partition + 1] - blocks->base[partition], part, n);
}

/* Task: make buckets into blocks.  Items are partitions. */
static void
task_build(Team *team)
{
	Refresh    *r = team->state;
	uint64		partition;

	need_blocks(r);
	need_facets(r);
	while (team_next(team, &partition))
		blocks_build(r->blocks, r->edges, r->labels, (uint32) partition,
					 r->facets || r->keeper ? take_parts : NULL, r);
}

/*
 * Task: make partitions of the graph that was kept into blocks.  Items are
 * partitions.
 */
static void
task_patch(Team *team)
{
	Refresh    *r = team->state;
	uint64		partition;

	need_blocks(r);
	need_facets(r);
	if (r->patch == NULL)
		r->patch = patch_attach(&r->shared->patch, &r->arena, r->kept);
	while (team_next(team, &partition))
		patch_build(r->patch, r->blocks, (uint32) partition,
					r->facets || r->keeper ? take_parts : NULL, r);
}

/* Task: ranks and scores of networks and topics.  Items are these. */
static void
task_facets(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_facets(r);
	while (team_next(team, &i))
		facets_solve(r->facets, i);
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
	problem->restart = shared->restart == RESTART_UNIFORM && !v->lists_restart ? NULL : r->restart;
	problem->damping = shared->damping;
	problem->rank = arena_address(&r->arena, v->rank);
	problem->share[0] = arena_address(&r->arena, v->share[0]);
	problem->share[1] = arena_address(&r->arena, v->share[1]);
	if (v->got != ARENA_NONE)
		problem->got = arena_address(&r->arena, v->got);
	problem->partial = arena_address(&r->arena, v->partial);
	problem->control = &shared->control;
	r->weighing = (RestartProblem)
	{
		.rule = shared->restart,
		.nodes = problem->nodes,
		.slots = shared->blocks.slots,
		.block = problem->block,
		.nblocks = ID_PARTITIONS,
		.chunk = problem->chunk,
		.nchunks = problem->nchunks,
		.out_weight = r->out_weight,
		.restart = r->restart,
		.work = {problem->rank, problem->share[0], problem->share[1]},
		.partial = arena_address(&r->arena, v->restart_partial),
		.control = &shared->restart_control
	};
	r->has_vectors = true;
}

static void
report_infinite(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("weights of the interactions of one user add up to infinity"),
			 errhint("Scale the weights down; only their proportions matter much.")));
}

/* Task: add weights up by source.  Items are the arrays to add them up in. */
static void
task_scatter(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
	{
		restart_clear(&r->weighing, (uint32) i);
		for (uint32 b = (uint32) i; b < ID_PARTITIONS; b += OUT_SUMS)
		{
			CHECK_FOR_INTERRUPTS();
			restart_scatter(&r->weighing, r->shared->restart_step, b);
		}
	}
}

/* Task: another step towards out-weights and where to restart.  Items are chunks. */
static void
task_restart(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
		if (!restart_chunk(&r->weighing, r->shared->restart_step, i))
			report_infinite();
}

/*
 * Where everybody's receipts go: the array of shares not in use, unless sweeps
 * note them.
 */
double *
stages_received(Refresh *r)
{
	return r->problem.got ? r->problem.got :
		r->problem.share[(r->shared->control.iterations + 1) % 2];
}

/* The shares that receipts come from, when ranks are found. */
const double *
stages_shares(const Refresh *r)
{
	return r->problem.share[(r->shared->control.iterations + (r->problem.got != NULL)) % 2];
}

/* Task: a step of the rank kernel.  Items are chunks. */
static void
task_rank(Team *team)
{
	Refresh    *r = team->state;
	uint64		i;

	need_vectors(r);
	while (team_next(team, &i))
		rank_chunk(&r->problem, r->shared->step, i, stages_received(r));
}

/* Where task_receive leaves what it finds: ranks are not needed any more. */
double *
stages_responses(Refresh *r)
{
	return r->problem.rank;
}

uint64 *
stages_audience(Refresh *r)
{
	return (uint64 *) r->restart;
}

/*
 * Task: what everybody receives from the final ranks, unless the last sweep
 * has told, how many people react to them and with what pair weights.  Items
 * are chunks.
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

		if (r->problem.got == NULL)
			rank_chunk(&r->problem, RANK_RECEIVED, i, stages_received(r));
		for (uint32 row = chunk->low; row < chunk->high; row++)
		{
			double		sum = 0;

			for (uint64 e = block->offset[row]; e < block->offset[row + 1]; e++)
				sum += csr_weight(block, e);
			if (isinf(sum))
				report_infinite();
			stages_responses(r)[block->first + row] = sum;
			stages_audience(r)[block->first + row] = block->offset[row + 1] - block->offset[row];
		}
	}
}

const TeamTask stage_tasks[TASKS] = {
	[TASK_READ] = task_read,
	[TASK_COUNT] = task_count,
	[TASK_ORDER] = task_order,
	[TASK_BUILD] = task_build,
	[TASK_PATCH] = task_patch,
	[TASK_SCATTER] = task_scatter,
	[TASK_RESTART] = task_restart,
	[TASK_RANK] = task_rank,
	[TASK_RECEIVE] = task_receive,
	[TASK_FACETS] = task_facets
};

/* In the leader: make ready for restart_solve. */
void
stages_resolve(Refresh *r)
{
	need_vectors(r);
}

/* Have the team do a step of the restart distribution: a RestartRunner. */
void
stages_weigh(RestartProblem *problem, RestartStep step, void *context)
{
	Refresh    *r = context;

	r->shared->restart_step = step;
	if (step == TRUST_OUT)
		progress_phase(PHASE_TRUST, TRUST_STAGES * TRUST_SWEEPS);
	else if (step == RESTART_OUT_CAPPED)
		progress_phase(PHASE_WEIGHING, 0);
	else
		progress_done(problem->control->sweeps);
	team_run(&r->team, restart_by_source(step) ? TASK_SCATTER : TASK_RESTART,
			 restart_by_source(step) ? OUT_SUMS : problem->nchunks);
}

/* Have the team do a step for all chunks: a RankRunner. */
void
stages_step(RankProblem *problem, RankStep step, void *context)
{
	Refresh    *r = context;

	r->shared->step = step;
	progress_done(problem->control->iterations);
	team_run(&r->team, TASK_RANK, problem->nchunks);
}
