/*
 * refresh.c
 *	  Computing the scores of a model, in one process or several.
 *
 * The flow, stage by stage; each is a task of a team (stages.c), except for
 * the ones in brackets, which the leader does alone:
 *
 *	read		rows become edges between nodes, in buckets (source.c, ids.c,
 *				edges.c)
 *	[number]	all ids are known: the nodes get room (blocks.c), and what
 *				interactions are about is taken apart (labels.c)
 *	count		how many edges each source has
 *	order		the nodes of each partition are numbered
 *	build		each bucket becomes a block of the graph, and is encoded to be
 *				kept (keep.c)
 *	restart		sums of out-weights, and the restart distribution (restart.c)
 *	rank		sweeps until the ranks are found (rank.c)
 *	receive		what everybody receives; the blocks are not needed after
 *	facets		all of this for each network and topic (facets.c)
 *	[score]		influence, scale, scores and percentiles (score.c)
 *	[publish]	the tables (publish.c), and the graph (keep.c)
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
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/dsm.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "increment.h"
#include "progress.h"
#include "publish.h"
#include "refresh.h"
#include "scales.h"
#include "score.h"
#include "stages.h"
#include "stopwatch.h"

/* Edges below which starting workers costs more than it saves. */
#define FEW_EDGES			200000

/* The same of a graph that was kept; tests have smaller ones. */
#ifdef INFLUENCE_ASSERT
#define FEW_PAIRS			1000
#else
#define FEW_PAIRS			FEW_EDGES
#endif

/* A scale that so many users are beyond has lost its top. */
#define BEYOND_SHARE		0.001
#define BEYOND_USERS		10

#define KEY_SHARED	UINT64CONST(0x696e666c00000001)
#define KEY_SCAN	UINT64CONST(0x696e666c00000002)

PGDLLEXPORT void influence_worker_main(dsm_segment *seg, shm_toc *toc);

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
	stages_begin(r, ParallelWorkerNumber + 1, shared_seg);
	team_work(&r->team, &r->shared->team, stage_tasks, r);
	arena_detach(&r->arena);
	dsm_detach(shared_seg);
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
	}
	/* a worker must find its leader there: see team_lead */
	team_lead(&r->team, &r->shared->team, pcxt == NULL, stage_tasks, r);
	if (pcxt)
	{
		LaunchParallelWorkers(pcxt);
		if (pcxt->nworkers_launched == 0)
			team_go_alone(&r->team);
	}
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

static bool
is_logarithmic(const Model *model)
{
	return strcmp(model->pair_weight, "log") == 0;
}

/* From edges in buckets to blocks of the graph. */
static void
build(Refresh *r, const Model *model, Hierarchy *hierarchy)
{
	RefreshShared *shared = r->shared;
	uint32		count[ID_PARTITIONS];

	ids_settle(r->ids);
	progress_phase(PHASE_ORDERING, ID_PARTITIONS);
	for (int p = 0; p < ID_PARTITIONS; p++)
		count[p] = ids_count(&shared->ids, p);
	blocks_init(&shared->blocks, &r->arena, count, false, is_logarithmic(model),
				BYTES_PER_NODE, BYTES_TO_PUBLISH);
	for (int p = 0; p < ID_PARTITIONS; p++)
		shared->blocks.edges_read += edges_count(&shared->edges, p);
	team_run(&r->team, TASK_COUNT, 0);
	team_run(&r->team, TASK_ORDER, ID_PARTITIONS);
	blocks_ordered(r->blocks);
	stages_settle_labels(r, hierarchy);
	progress_phase(PHASE_BUILDING, ID_PARTITIONS);
	team_run(&r->team, TASK_BUILD, ID_PARTITIONS);
}

/* Networks and topics: ranks, scores and the rest. */
static void
solve_facets(Refresh *r, const Model *model, bool rescale)
{
	FacetsShared *shared = &r->shared->facets;
	LabelsShared *labels = &r->shared->labels;

	if (r->facets == NULL || labels->facets == 0)
		return;
	shared->restart = r->shared->restart;
	shared->damping = model->damping;
	shared->tolerance = model->tolerance;
	shared->max_iterations = model->max_iterations;
	shared->mixture = model->mixture;
	shared->rescale = rescale;
	for (uint32 f = 0; f < labels->facets; f++)
	{
		Facet	   *facet = &r->labels->facet[f];

		scales_find(model->scales, facet->type, labels_facet_name(r->labels, f),
					&facet->reference, &facet->c);
	}
	facets_order(r->facets);
	r->team.progress = progress_done;
	progress_phase(PHASE_FACETS, labels->facets);
	team_run(&r->team, TASK_FACETS, labels->facets);
	facets_relate(r->facets);
	r->team.progress = NULL;
}

/* Say which problem a run has that was published. */
static void
review(const Refresh *r, const Model *model, double tolerance, const Run *run)
{
	if (r->beyond > BEYOND_USERS && r->beyond > BEYOND_SHARE * r->users)
		ereport(WARNING,
				(errmsg("%llu users of model \"%s\" are beyond the end of its scale",
						(unsigned long long) r->beyond, model->name),
				 errdetail("They have more influence than anybody had when the scale was taken, and score 100."),
				 errhint("Take the scale anew by influence_rescale.")));
	if (!run->converged)
		ereport(WARNING,
				(errmsg("ranks of model \"%s\" did not converge in %d iterations",
						model->name, run->iterations),
				 errdetail("The last iteration changed them by %g, more than the tolerance of %g.",
						   run->residual, tolerance),
				 errhint("Raise max_iterations or tolerance by influence_alter_model.")));
}

/* Note new scales, and say which facets have a problem. */
static void
review_facets(Refresh *r, const Model *model)
{
	uint32		slow = 0,
				beyond = 0;
	LabelName	name = {NULL, 0};

	if (r->facets == NULL)
		return;
	for (uint32 f = 0; f < r->shared->labels.facets; f++)
	{
		const Facet *facet = &r->labels->facet[f];

		if (facet->scale_taken)
			scales_note(model->scales, facet->type, labels_facet_name(r->labels, f),
						facet->reference, facet->c);
		slow += !facet->converged;
		if (facet->beyond > BEYOND_USERS && facet->beyond > BEYOND_SHARE * facet->nodes)
		{
			beyond++;
			name = labels_facet_name(r->labels, f);
		}
	}
	if (slow > 0)
		ereport(WARNING,
				(errmsg("ranks of %u networks and topics of model \"%s\" did not converge in %d iterations",
						slow, model->name, model->max_iterations),
				 errhint("Raise max_iterations or tolerance by influence_alter_model.")));
	if (beyond > 0)
		ereport(WARNING,
				(errmsg("users of %u networks and topics of model \"%s\" are beyond the end of their scales",
						beyond, model->name),
				 errdetail("One of them is \"%.*s\".", (int) name.length, name.bytes),
				 errhint("Take the scales anew by influence_rescale.")));
}

/*
 * Out-weights are known: count who takes part, and let restarts be listed if
 * not everybody does.
 */
static void
find_users(Refresh *r)
{
	const BlocksShared *blocks = &r->shared->blocks;

	r->users = blocks->nodes;
	if (r->kept == NULL)
		return;
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		const CsrBlock *block = &r->blocks->block[p];

		for (uint32 row = 0; row < block->nrows; row++)
			r->users -= r->out_weight[block->first + row] == 0 &&
				block->offset[row] == block->offset[row + 1];
	}
	if (r->shared->restart != RESTART_UNIFORM)
		return;
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		const CsrBlock *block = &r->blocks->block[p];

		for (uint32 row = 0; row < block->nrows; row++)
			r->restart[block->first + row] = r->out_weight[block->first + row] == 0 &&
				block->offset[row] == block->offset[row + 1] ? 0 : 1.0 / r->users;
	}
}

/*
 * From blocks to what everybody receives; returns whether ranks converged.
 * They begin with those of the last run, if it is an increment to that.
 */
static bool
rank(Refresh *r, const Model *model, double tolerance, Increment *increment)
{
	RefreshShared *shared = r->shared;
	Vectors    *v = &shared->vectors;
	bool		converged;

	(void) restart_named(model->restart, &shared->restart);
	shared->damping = model->damping;
	if (increment)
	{
		v->lists_restart = true;
		v->got = vector(r);
	}
	v->out_weight = vector(r);
	v->restart = vector(r);
	v->rank = vector(r);
	v->share[0] = vector(r);
	v->share[1] = vector(r);
	blocks_resolve(r->blocks);
	v->nchunks = csr_chunks(r->blocks->block, ID_PARTITIONS, NULL);
	v->chunk = arena_alloc(&r->arena, v->nchunks * sizeof(CsrChunk));
	v->partial = arena_alloc(&r->arena, v->nchunks * sizeof(RankPartial));
	v->restart_partial = arena_alloc(&r->arena, v->nchunks * sizeof(RestartPartial));
	(void) csr_chunks(r->blocks->block, ID_PARTITIONS, arena_address(&r->arena, v->chunk));

	progress_phase(PHASE_WEIGHING, 0);
	r->team.progress = NULL;
	stages_resolve(r);
	if (isinf(restart_solve(&r->weighing, stages_weigh, r)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights of all interactions add up to infinity")));
	find_users(r);
	if (increment)
		increment_warm(increment, r);
	progress_phase(PHASE_RANKING, model->max_iterations);
	converged = rank_solve(&r->problem, tolerance, model->max_iterations, stages_step, r);
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
	uint32		users = r->users;
	ArenaRef	word[4] = {vector(r), vector(r), vector(r), vector(r)};
	ArenaRef	floats = arena_alloc(&r->arena, 2 * (Size) n * sizeof(float));
	double	   *influence = stages_received(r);
	float	   *out = arena_address(&r->arena, floats);
	float	   *percentile = out + n;
	uint64	   *const scratch[4] = {
		arena_address(&r->arena, word[0]), arena_address(&r->arena, word[1]),
		arena_address(&r->arena, word[2]), arena_address(&r->arena, word[3])
	};
	const double *responses = stages_responses(r);
	const uint64 *audience = stages_audience(r);
	double		received = 0,
				response = 0,
				people = 0;
	MixtureUnits units;
	double		most = 0,
				sum = 0;
	uint64		beyond = 0;

	for (uint32 i = 0; i < n; i++)
	{
		received += influence[i] * users;
		response += responses[i];
		people += audience[i];
	}
	units = score_units(&model->mixture, received, response, people);
	for (uint32 i = 0; i < n; i++)
	{
		influence[i] = score_settle(units.rank * users * influence[i] + units.response * responses[i] +
									units.person * audience[i]);
		most = Max(most, influence[i]);
		sum += influence[i];
	}
	if ((rescale || !(model->reference > 0)) && most > 0)
	{
		model->reference = most;
		model->c = sum / users / 10;
	}
	for (uint32 i = 0; i < n; i++)
	{
		double		s = score_of(influence[i], model->reference, model->c);

		beyond += influence[i] > model->reference;
		out[i] = (float) Min(s, SCORE_MOST);
	}
	score_percentiles(influence, n, users, percentile, scratch);
	r->beyond = model->reference > 0 ? beyond : 0;
	for (int i = 0; i < lengthof(word); i++)
		arena_free(&r->arena, word[i], (Size) r->shared->blocks.slots * sizeof(double));
	results->influence = influence;
	results->activity = r->out_weight;
	results->responses = responses;
	results->audience = audience;
	results->units = units;
	results->score = out;
	results->percentile = percentile;
	results->users = users;
	results->dangling = r->shared->control.dangling;
}

/* Write the results where users read them. */
static void
publish_run(Refresh *r, const Model *model, const Results *results, uint64 hierarchy, Run *run)
{
	progress_phase(PHASE_PUBLISHING, r->shared->blocks.nodes);
	run->changed = publish(model, r->ids, r->blocks, results, r->labels, run->run, run->as_of,
						   &run->fresh);
	if (OidIsValid(model->graph))
		keep_forget(model, run->run, run->run);
	if (r->keeper)
		keep_publish(r->keeper, model, r->ids, r->blocks, r->labels,
					 stages_shares(r), results, NULL, run->run, run->as_of,
					 run->as_of, hierarchy);
}

/* What is to be done. */
typedef struct Job
{
	bool		rescale;		/* take scales anew */
	bool		incremental;	/* from the last run and the queue */
	uint64		changes;		/* rows of that, then */
	TimestampTz since;			/* rows dated later count, */
	uint64		beside;			/* bytes that the consumer holds already */
	bool		publish;
	ResultsConsumer consumer;	/* who takes the results if not */
	void	   *context;
} Job;

/*
 * One attempt at a refresh, in a memory context of its own.  *writing says,
 * also when it fails, whether it had come to writing.
 */
static void
attempt(Model *model, const Job *job, Run *run, int workers, MemoryContext context,
		volatile bool *writing)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Snapshot	snapshot = GetActiveSnapshot();
	Relation	rel;
	uint64		limit = (uint64) maintenance_work_mem * 1024;
	Refresh    *r = palloc0(sizeof(Refresh));
	Increment  *increment = NULL;
	double		tolerance = job->incremental ? increment_tolerance(model) : model->tolerance;
	Model	   *read = model;	/* whose interactions are read */
	dsm_segment *seg = NULL;
	ParallelContext *pcxt;
	SourceShared *source;
	Hierarchy  *hierarchy = NULL;
	Results		results = {0};
	instr_time	clock;
	bool		read_together;

	stopwatch_lap(&clock);
	if (workers > 0)
		seg = dsm_create(sizeof(RefreshShared), 0);
	r->shared = seg ? dsm_segment_address(seg) :
		MemoryContextAllocHuge(context, sizeof(RefreshShared));
	memset(r->shared, 0, sizeof(RefreshShared));
	source = &r->shared->source;
	r->snapshot = snapshot;
	if (job->incremental)
	{
		increment = increment_begin(r, model, run->as_of, job->changes);
		read = &increment->queue;
	}
	rel = increment ? increment_source(increment) : source_open(model);
	progress_start(model->scores);
	progress_phase(PHASE_READING, (int64) Max(rel->rd_rel->reltuples, 0));
	arena_create(&r->arena, &r->shared->arena, seg != NULL, limit);
	arena_reserve(&r->arena, job->beside);
	source_init(source, &r->arena, read, job->since, run->as_of, rel);
	ids_init(&r->shared->ids, model->id_type, seg != NULL);
	labels_init(&r->shared->labels, seg != NULL);
	edges_init(&r->shared->edges, source->weighted, source->labelled,
			   (limit - job->beside) / 2, seg);
	keep_init(&r->shared->keep,
			  job->publish && OidIsValid(model->graph) && model->keep_graphs > 0 &&
			  (increment == NULL || increment->rebase));
	if (model->topic && OidIsValid(model->topic_parents))
		hierarchy = hierarchy_read(model->topic_parents);
	r->shared->arena.later = source->expected *
		(sizeof(uint32) + (source->weighted ? sizeof(double) : sizeof(uint8)));
	team_init(&r->shared->team);
	stages_begin(r, 0, NULL);

	read_together = !increment && !source->by_query && !RelationUsesLocalBuffers(rel);
	if (increment)
	{
		increment_read(increment, r, rel, hierarchy);
		blocks_init(&r->shared->blocks, &r->arena, r->shared->patch.delta.count, true,
					is_logarithmic(model), BYTES_PER_NODE + sizeof(double),
					BYTES_TO_PUBLISH + INCREMENT_TO_PUBLISH);
		if (kept_head_edges(&increment->head) < FEW_PAIRS)
			workers = 0;
	}
	else if (!read_together)
	{
		/* before any worker: a query may do what parallel mode forbids */
		if (source->by_query)
		{
			source_read_query(source, &r->arena, model, rel, stages_take, r);
			edges_flush(r->edges);
		}
		else
			stages_read_alone(r);
		if (pg_atomic_read_u64(&source->read) < FEW_EDGES)
			workers = 0;
	}
	pcxt = start_workers(r, seg, workers, read_together ? rel : NULL, snapshot);
	if (read_together)
		team_run(&r->team, TASK_READ, 0);
	run->read_ms = stopwatch_lap(&clock);
	r->shared->arena.part = 1;
	r->team.progress = progress_done;

	if (increment)
	{
		progress_phase(PHASE_BUILDING, ID_PARTITIONS);
		increment_build(increment, r, hierarchy);
	}
	else
		build(r, model, hierarchy);
	run->build_ms = stopwatch_lap(&clock);

	run->converged = rank(r, model, tolerance, increment);
	solve_facets(r, model, job->rescale);
	end_workers(r, pcxt);
	run->rank_ms = stopwatch_lap(&clock);

	progress_phase(PHASE_SCORING, 0);
	blocks_free(r->blocks);
	score(r, model, job->rescale, &results);
	run->score_ms = stopwatch_lap(&clock);

	run->interactions = pg_atomic_read_u64(&source->read);
	run->skipped_null = pg_atomic_read_u64(&source->skipped_null);
	run->skipped_self = pg_atomic_read_u64(&source->skipped_self);
	run->skipped_zero = pg_atomic_read_u64(&source->skipped_zero);
	run->skipped_future = pg_atomic_read_u64(&source->skipped_future);
	run->skipped_forgotten = pg_atomic_read_u64(&source->skipped_forgotten);
	run->nodes = r->users;
	run->edges = pg_atomic_read_u64(&r->shared->blocks.edges);
	run->iterations = r->shared->control.iterations;
	run->residual = r->shared->control.residual;
	run->error_bound = run->residual * (increment ? 1 : model->damping) / (1 - model->damping);
	run->workers = pg_atomic_read_u32(&r->shared->team.members) - 1;
	*writing = true;
	if (!job->publish)
		job->consumer(job->context, model, r->ids, r->blocks, &results);
	else if (increment)
		increment_publish(increment, r, &results, run);
	else
		publish_run(r, model, &results, hierarchy_fingerprint(hierarchy), run);
	review(r, model, tolerance, run);
	review_facets(r, model);
	run->publish_ms = stopwatch_lap(&clock);
	progress_end();
	run->peak_memory = pg_atomic_read_u64(&r->shared->arena.peak);

	arena_detach(&r->arena);
	if (seg)
		dsm_detach(seg);
	relation_close(rel, NoLock);
	MemoryContextSwitchTo(old);
}

static MemoryContext
refresh_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "influence refresh", ALLOCSET_DEFAULT_SIZES);
}

/* Is an error one that a full refresh may not meet, when an incremental one did? */
static bool
is_of_increment(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_DATA_CORRUPTED ||
		error->sqlerrcode == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE ||
		error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION;
}

/*
 * An attempt in a subtransaction.  False, with nothing done, if it failed in a
 * way that may_fail says another attempt may not.
 */
static bool
attempt_in_subtransaction(Model *model, const Job *job, Run *run, int workers,
						  bool (*may_fail) (const ErrorData *error))
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext own = refresh_context();
	ResourceOwner owner = CurrentResourceOwner;
	Model		untouched = *model;
	volatile bool writing = false;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		attempt(model, job, run, workers, own, &writing);
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
		if ((writing && !job->incremental) || !may_fail(error))
			ReThrowError(error);
		ereport(DEBUG1,
				(errmsg_internal("refreshing model \"%s\" %s: %s", model->name,
								 arena_is_shortage(error) ? "without workers" : "anew",
								 error->message)));
		FreeErrorData(error);
		*model = untouched;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	MemoryContextDelete(own);
	return done;
}

/* Either of these. */
static bool
is_passing(const ErrorData *error)
{
	return arena_is_shortage(error) || is_of_increment(error);
}

/*
 * Do it, with workers where they help.  False, with nothing done, if it is an
 * increment that need not be done and cannot be.
 */
static bool
run_job(Model *model, const Job *job, bool must, Run *run)
{
	volatile bool writing = false;
	Relation	rel = source_open(model);
	int			workers = wanted_workers(rel);
	MemoryContext own;

	relation_close(rel, NoLock);
	if (workers > 0 &&
		attempt_in_subtransaction(model, job, run, workers, must ? arena_is_shortage : is_passing))
		return true;
	if (!must)
		return attempt_in_subtransaction(model, job, run, 0, is_of_increment);
	own = refresh_context();
	attempt(model, job, run, 0, own, &writing);
	MemoryContextDelete(own);
	return true;
}

/* Make the indexes of tables that had no rows before. */
static void
make_indexes(const Model *model, Run *run)
{
	instr_time	clock;

	if (run->fresh == 0)
		return;
	/* now that there is memory to sort in again */
	stopwatch_lap(&clock);
	publish_indexes(model, run->fresh, run->workers);
	run->publish_ms += stopwatch_lap(&clock);
}

/*
 * Compute the scores of a locked model as of run->as_of, under the active
 * snapshot, and publish them.  Sets the rest of run, and the model's scale if
 * it is taken.  Raises the errors of the stages.
 */
void
refresh(Model *model, bool rescale, Run *run)
{
	Job			job = {.rescale = rescale, .since = DT_NOBEGIN, .publish = true};

	(void) run_job(model, &job, true, run);
	make_indexes(model, run);
}

/*
 * The same from the last run's graph and the queue, which has so many rows;
 * increment_obstacle has found nothing against it.  False, with nothing done,
 * if that turns out to be impossible; must says to raise an error then.
 */
bool
refresh_incrementally(Model *model, uint64 changes, bool must, Run *run)
{
	Job			job = {.incremental = true, .changes = changes, .since = DT_NOBEGIN,
		.publish = true};

	if (!run_job(model, &job, must, run))
		return false;
	make_indexes(model, run);
	return true;
}

/*
 * Compute the scores of a model from what is dated after since and not after
 * as_of, and pass them on instead of publishing them: model may be any
 * variation of one, and is not changed.  beside is how many bytes the consumer
 * holds already; they count against maintenance_work_mem.
 */
void
refresh_compute(const Model *model, TimestampTz since, TimestampTz as_of,
				uint64 beside, ResultsConsumer consumer, void *context)
{
	Model		copy = *model;
	Run			run = {.as_of = as_of};
	Job			job = {.since = since, .beside = beside, .consumer = consumer,
		.context = context};

	/* of the whole graph, on a scale of its own */
	copy.reference = copy.c = 0;
	if (copy.network_weights == NULL)
		copy.network = NULL;
	if (copy.kind_weights == NULL)
		copy.kind = NULL;
	copy.topic = NULL;
	copy.unlabelled = true;
	(void) run_job(&copy, &job, true, &run);
}
