/*
 * increment.c
 *	  Incremental refreshes: from the graph that the last one kept, and the
 *	  changes in the queue.
 *
 * What a full refresh finds out by reading all interactions is known already:
 * the graph is kept (keep.h), and the queue tells what has changed since
 * (track.c).  So the read and build stages of refresh.c are replaced by
 *
 *	queue		its rows become changes of pairs (delta.c)
 *	patch		each partition of the graph is decoded, with these changes, into
 *				a block (patch.c)
 *
 * and the rest is as ever, over the whole graph in memory, but that ranks are
 * found from the last ones in a few sweeps.  They are iterated until they are
 * known to be near the exact ones (ERROR_BOUND), whatever they were before, so
 * that errors do not add up.  (Methods that push changes along edges do not pay: a
 * user's share of all attention, hence everybody's rank, changes with every
 * interaction of anybody, so that an L1 error of 1e-6 needs all nodes; and
 * sweeps over compressed rows cost less than finding those of a few.)
 *
 * What ages does so by a common factor: x of parts stay as they were as of the
 * graph's landmark, and only rows of the queue are divided by the factor since
 * (forward decay).  Pair weights are taken of what they are as of the refresh.
 *
 * Then the rows of users are published whose score or percentile is off by
 * more than the model's tolerance, who had a part in what changed, or who are
 * at the end of the scale or beyond, where the score tells nothing: everybody
 * else's score drifts a little with the attention that there is in all, and to
 * write that down costs more than all the rest.  Everything is published when
 * time has made responses and activity differ by more than a hundredth since
 * that was last done; networks and topics always are.
 *
 * The graph that is left says what is different from its base, until that has
 * become too much; then it is told in full again.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "increment.h"
#include "publish.h"
#include "queue.h"

/* Changes for each edge above which reading everything costs less. */
#define BREAK_EVEN		0.25

/* A graph is told in full again when that part of its edges differs from its base, */
#define REBASE_SHARE	(1.0 / 32)

/* or when x would be divided by less than that. */
#define REBASE_SCALE	1e-6

/* With a smaller factor what is new could not be told. */
#define LEAST_SCALE		1e-200

/* Everything is published again when so many half-lives have passed, */
#define AGED			(1.0 / 64)

/* When that part of all users is due a scan costs less than look-ups. */
#define MANY_DUE		(1.0 / 4)

/* L1 distance of ranks from the exact ones. */
#define ERROR_BOUND		2e-7

/* Bytes that an id takes, about. */
#define ID_SIZE			16

/* Percentiles may be off by so many times what scores may be off by. */
#define PERCENTILES		2

/*
 * FEW_CHANGES	so few are never too many
 * REBASE_LEAST	but not for fewer changes than these is a graph told in full
 * FEW_USERS	in graphs of so few users everything that differs is published
 * FEW_DUE		so few rows are always looked up
 *
 * In builds with assertions they are such that tests meet both sides.
 */
#ifdef INFLUENCE_ASSERT
#define FEW_CHANGES		20
#define REBASE_LEAST	250
#define FEW_USERS		500
#define FEW_DUE			60
#else
#define FEW_CHANGES		1000
#define REBASE_LEAST	10000
#define FEW_USERS		50000
#define FEW_DUE			1000
#endif

/* --- whether ------------------------------------------------------------- */

/* What x of a graph is to be multiplied by, to be as of a time. */
static double
scale_of(const Model *model, const KeptHead *head, TimestampTz as_of)
{
	if (model->at == NULL || !(model->half_life > 0))
		return 1;
	return exp2(((double) head->landmark - (double) as_of) / USECS_PER_SEC / model->half_life);
}

/*
 * Why a refresh of a tracked model as of a time cannot be incremental; NULL if
 * it can.  basis is what the interactions are now (track.h); *changes is set to
 * how many rows the queue has.
 */
const char *
increment_obstacle(Model *model, TimestampTz as_of, uint64 basis, uint64 *changes)
{
	const KeptHead *head;
	Hierarchy  *hierarchy = NULL;
	QueueContents contents;
	int64		last;

	if (model->basis == 0 || model->runs == 0)
		return "No full refresh was made since changes are captured, or the model or its users were changed.";
	if (basis != model->basis)
		return "Tables of the interactions were changed in ways that are not captured.";
	contents = queue_look(model, GetActiveSnapshot());
	*changes = contents.rows;
	if (contents.unknown > 0)
		return "Interactions were truncated, or changed in a way that could not be captured.";
	if (!OidIsValid(model->graph) || model->keep_graphs == 0)
		return "The graph of the last refresh was not kept.";
	last = kept_last_run(model);
	if (last != model->runs)
		return "The graph of the last refresh was not kept.";
	if (!kept_can_open(model, last))
		return "The graph of the last refresh is damaged.";
	head = kept_head(kept_open(model, last));
	if (model->at && as_of < head->as_of)
		return "The last refresh was as of a later time.";
	if (model->topic && OidIsValid(model->topic_parents))
		hierarchy = hierarchy_read(model->topic_parents);
	if (hierarchy_fingerprint(hierarchy) != head->hierarchy)
		return "Topics are parts of other topics than they were.";
	if (!(scale_of(model, head, as_of) >= LEAST_SCALE))
		return "Interactions have aged too much since.";
	return NULL;
}

/* Is the graph to be told in full again, after so many changes more? */
static bool
is_far_from_base(const KeptHead *head, uint64 changes)
{
	return changes + head->changes > Max(REBASE_LEAST, REBASE_SHARE * kept_head_edges(head));
}

/*
 * Does it cost less than a full refresh, in the long run?  Labels that no
 * interaction has any more stay with a graph until everything is read.
 */
bool
increment_pays(Model *model, uint64 changes)
{
	const KeptHead *head = kept_head(kept_open(model, model->runs));

	return changes <= Max(FEW_CHANGES, BREAK_EVEN * kept_head_edges(head)) &&
		!(head->labelled && is_far_from_base(head, changes));
}

/* --- reading ------------------------------------------------------------- */

/* The model that has a model's queue for its interactions. */
static Model
queue_model(const Model *model)
{
	Model		queue = *model;

#define COLUMN(column, name)	queue.column = model->column ? pstrdup(name) : NULL
	queue.interactions = model->queue;
	COLUMN(source, queue_column_name[QUEUE_SOURCE]);
	COLUMN(target, queue_column_name[QUEUE_TARGET]);
	COLUMN(weight, queue_column_name[QUEUE_WEIGHT]);
	COLUMN(at, queue_column_name[QUEUE_AT]);
	COLUMN(kind, queue_column_name[QUEUE_KIND]);
	COLUMN(network, queue_column_name[QUEUE_NETWORK]);
	COLUMN(topic, queue_column_name[QUEUE_TOPIC]);
#undef COLUMN
	return queue;
}

/*
 * Begin, in the current memory context: open the graph of the last run.
 * changes is how many rows the queue has.
 */
Increment *
increment_begin(Refresh *r, Model *model, TimestampTz as_of, uint64 changes)
{
	Increment  *inc = palloc0(sizeof(Increment));
	PatchShared *patch = &r->shared->patch;

	inc->model = model;
	inc->queue = queue_model(model);
	inc->as_of = as_of;
	r->kept = kept_open(model, model->runs);
	inc->head = *kept_head(r->kept);
	patch->graph = model->graph;
	patch->run = model->runs;
	patch->id_type = model->id_type;
	strlcpy(patch->model, model->name, NAMEDATALEN);
	patch->scale = scale_of(model, &inc->head, as_of);
	pg_atomic_init_u32(&patch->imprecise, 0);
	inc->rebase = is_far_from_base(&inc->head, changes) || patch->scale < REBASE_SCALE;
	return inc;
}

/* Open the queue, for it to be read as interactions. */
Relation
increment_source(Increment *inc)
{
	Model		copy = *inc->model;

	/* whoever refreshes must be allowed to read what the queue is about */
	source_check(&copy);
	return source_open(&inc->queue);
}

/*
 * Read the queue; r->shared->source is prepared for that.  The nodes are known
 * then.
 */
void
increment_read(Increment *inc, Refresh *r, Relation rel, Hierarchy *hierarchy)
{
	SourceShared *source = &r->shared->source;

	if (inc->head.weighted != source->weighted || inc->head.labelled != source->labelled ||
		inc->head.logarithmic != (strcmp(inc->model->pair_weight, "log") == 0))
		kept_report_damaged(r->kept, "head");
	/* what is held of the graph: ids, voices, scores and changes */
	arena_reserve(&r->arena, inc->head.nodes * (ID_SIZE + sizeof(double) + sizeof(KeptScore)) +
				  inc->head.changes * sizeof(Part));
	source->sign.attno = get_attnum(RelationGetRelid(rel), "sign");
	source->sign.format = SOURCE_INT2;
	inc->delta = delta_begin(&r->shared->patch.delta, &r->arena, r->kept, r->labels, hierarchy);
	if (source->by_query)
		source_read_query(source, &r->arena, &inc->queue, rel, delta_take, inc->delta);
	else
	{
		TableScanDesc scan = table_beginscan(rel, r->snapshot, 0, NULL);

		source_read_table(source, &r->arena, rel, scan, delta_take, inc->delta);
		table_endscan(scan);
	}
	delta_settle(inc->delta, r->shared->patch.scale);
}

/* Raise an error if the blocks will not fit: how many pairs there are is known. */
static void
check_room(const Increment *inc, Refresh *r)
{
	const BlocksShared *blocks = &r->shared->blocks;
	uint64		limit = r->arena.control->limit;
	uint64		needed = blocks->beside + kept_head_edges(&inc->head) *
		(sizeof(uint32) + (inc->head.weighted ? sizeof(double) : 1));

	if (needed > limit)
		arena_report_limit(needed, limit);
}

/* In the leader, with its team: from the graph and what has changed to blocks. */
void
increment_build(Increment *inc, Refresh *r, Hierarchy *hierarchy)
{
	PatchShared *patch = &r->shared->patch;

	r->blocks = blocks_attach(&r->shared->blocks, &r->arena);
	stages_settle_labels(r, hierarchy);
	if (r->labels)
	{
		uint32		n = delta_labels(inc->delta);
		uint32	   *number;

		labels_resolve(r->labels);
		patch->label_number = arena_alloc(&r->arena, n * sizeof(uint32));
		number = arena_address(&r->arena, patch->label_number);
		for (uint32 i = 0; i < n; i++)
			number[i] = labels_number(r->labels, delta_label(inc->delta, i));
	}
	check_room(inc, r);
	team_run(&r->team, TASK_PATCH, ID_PARTITIONS);
	if (pg_atomic_read_u32(&patch->imprecise))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("weights of model \"%s\" differ too much for an incremental refresh",
						inc->model->name),
				 errdetail("Of some pair, interactions were deleted that weigh 100000 times more than those that are left."),
				 errhint("Refresh in mode \"full\".")));
}

/*
 * The L1 change of ranks by a sweep that ends them: the ranks before it, which
 * are published (RankProblem.got), are not further than ERROR_BOUND from the
 * solution then.
 */
double
increment_tolerance(const Model *model)
{
	return Max(model->tolerance, ERROR_BOUND * (1 - model->damping));
}

/*
 * Begin ranks with the ones that the last run found: voices are N rank /
 * activity.  Users who had no rank to give begin with that of a restart.
 * Restarts are known, and rank_solve is to follow.
 */
void
increment_warm(Increment *inc, Refresh *r)
{
	RankProblem *problem = &r->problem;
	const BlocksShared *blocks = &r->shared->blocks;
	double	   *share = problem->share[0];
	double		sum = 0;
	double		factor;

	memset(share, 0, (Size) blocks->slots * sizeof(double));
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		const double *voice = kept_voices(r->kept, p);
		CsrBlock	block = {.lane = p, .lanes = ID_PARTITIONS};

		CHECK_FOR_INTERRUPTS();
		for (uint32 v = blocks->base[p]; v < blocks->base[p + 1]; v++)
		{
			uint32		row = v - blocks->base[p];
			double		out = problem->out_weight[v];
			double		rank = 0;

			if (out > 0)
			{
				/* what a voice gives for each unit of pair weight; no rank is more than 1 */
				if (row < inc->head.count[p] && voice[row] > 0)
					rank = Min(voice[row] / Max(inc->head.users, 1) * out, 1);
				else
					rank = problem->restart[v];
				share[csr_slot(&block, row)] = rank / out;
			}
			problem->rank[v] = rank;
			sum += rank;
		}
	}
	/*
	 * Those who react have what those who do not leave them.  What these have
	 * each is not known, and begins as 0: the first sweep tells.
	 */
	factor = sum > 0 ? Max(1 - inc->head.dangling, 0) / sum : 0;
	for (uint64 slot = 0; slot < blocks->slots; slot++)
		share[slot] *= factor;
	for (uint32 v = 0; v < blocks->nodes; v++)
		problem->rank[v] *= factor;
	problem->control->dangling = 1 - factor * sum;
	problem->warm = true;
}

/* --- publishing ---------------------------------------------------------- */

/*
 * Every user gets the node, and the number, that the blocks have them at;
 * once.
 */
static void
intern_ids(Increment *inc, Refresh *r)
{
	const BlocksShared *blocks = &r->shared->blocks;

	if (inc->interned)
		return;
	inc->interned = true;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 row = 0; row < blocks->base[p + 1] - blocks->base[p]; row++)
		{
			Id			id;
			NodeRef		node;

			if (row % 4096 == 0)
				CHECK_FOR_INTERRUPTS();
			delta_id(inc->delta, p, row, &id);
			ids_assign(r->ids, &id, 1, &node);
			if (node != (p << NODE_PLACE_BITS | row))
				kept_report_damaged(r->kept, "ids");
		}
	ids_settle(r->ids);
}

/* Note who had a part in what changed, a bit for each number. */
static uint64 *
find_touched(Refresh *r)
{
	const BlocksShared *blocks = &r->shared->blocks;
	const DeltaShared *delta = &r->shared->patch.delta;
	uint64	   *touched = palloc0((blocks->nodes / 64 + 1) * sizeof(uint64));

	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		const DeltaPart *part = delta->parts[p] == 0 ? NULL :
			arena_address(&r->arena, delta->part[p]);

		for (uint64 i = 0; i < delta->parts[p]; i++)
		{
			uint32		source = blocks_number_of_slot(blocks, part[i].source);
			uint32		target = blocks->base[p] + part[i].row;

			touched[source / 64] |= UINT64CONST(1) << source % 64;
			touched[target / 64] |= UINT64CONST(1) << target % 64;
		}
	}
	return touched;
}

/* What of a node's results is kept when they are published. */
static KeptScore
result_of(const Results *results, uint32 number)
{
	return results_absent(results, number) ? (KeptScore) {0, 0} :
		(KeptScore) {results->score[number], results->percentile[number]};
}

/*
 * Whose rows are due, ascending by number; published[] becomes what is
 * published when they are written.
 */
static Due *
find_due(const Increment *inc, Refresh *r, const Results *results, KeptScore *published,
		 uint32 *n)
{
	const BlocksShared *blocks = &r->shared->blocks;
	const uint64 *touched = find_touched(r);
	double		tolerance = results->users > FEW_USERS ? inc->model->score_tolerance : 0;
	Due		   *due = palloc_extended((blocks->nodes + 1) * sizeof(Due), MCXT_ALLOC_HUGE);

	*n = 0;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		const KeptScore *old = kept_scores(r->kept, p);

		CHECK_FOR_INTERRUPTS();
		for (uint32 v = blocks->base[p]; v < blocks->base[p + 1]; v++)
		{
			uint32		row = v - blocks->base[p];
			KeptScore	was = row < inc->head.count[p] ? old[row] : (KeptScore) {0, 0};
			KeptScore	is = result_of(results, v);
			double		change = Max(fabs((double) is.score - was.score),
									 fabs((double) is.percentile - was.percentile) / PERCENTILES);

			published[v] = was;
			/* of who is beyond the scale the score does not tell */
			if (change > tolerance || is.score >= SCORE_MOST ||
				(touched[v / 64] >> v % 64 & 1))
			{
				due[(*n)++] = (Due) {v, results_absent(results, v)};
				published[v] = is;
			}
		}
	}
	return due;
}

/* The same as a bit for each node. */
static uint64 *
due_bits(const Due *due, uint32 n, uint32 nodes)
{
	uint64	   *bits = palloc_extended((nodes / 64 + 1) * sizeof(uint64),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i < n; i++)
		bits[due[i].number / 64] |= UINT64CONST(1) << due[i].number % 64;
	return bits;
}

/* Has so much time passed that everything is to be published? */
static bool
has_aged(const Increment *inc)
{
	return inc->model->at && inc->model->half_life > 0 &&
		(double) (inc->as_of - inc->head.published) / USECS_PER_SEC > AGED * inc->model->half_life;
}

/* The id of a node, for what is kept. */
static void
id_of(void *context, uint32 partition, uint32 row, Id *id)
{
	delta_id(((Increment *) context)->delta, partition, row, id);
}

/* Leave a graph that says what is different from its base. */
static void
keep_changes(Increment *inc, Refresh *r, const KeptHead *head, const Results *results,
			 const KeptScore *published, const Run *run)
{
	const PatchShared *patch = &r->shared->patch;
	KeptChanges changes = {.published = published, .user = id_of, .context = inc};

	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		changes.changes[p] = patch->changes[p];
		if (patch->change[p] != ARENA_NONE)
			changes.change[p] = arena_address(&r->arena, patch->change[p]);
	}
	if (patch->label_number != ARENA_NONE)
		changes.label_number = arena_address(&r->arena, patch->label_number);
	keep_publish_changes(head, &changes, inc->model, r->blocks, r->labels,
						 stages_shares(r), results, run->run);
}

/* The id of a node, by number. */
static void
user_of(void *context, uint32 number, Id *id)
{
	void	  **both = context;
	Increment  *inc = both[0];
	Refresh    *r = both[1];
	const uint32 *base = r->shared->blocks.base;
	uint32		p = 0;

	for (uint32 step = ID_PARTITIONS / 2; step > 0; step /= 2)
		if (base[p + step] <= number)
			p += step;
	delta_id(inc->delta, p, number - base[p], id);
}

/*
 * Write what differs where users read it, and the graph.  results are by
 * number; sets what run says of that.
 */
void
increment_publish(Increment *inc, Refresh *r, const Results *results, Run *run)
{
	const BlocksShared *blocks = &r->shared->blocks;
	Model	   *model = inc->model;
	Size		size = (blocks->nodes + 1) * INCREMENT_TO_PUBLISH;
	KeptScore  *published;
	Results		due_results = *results;
	KeptHead	head = inc->head;

	arena_reserve(&r->arena, size);
	published = palloc_extended((blocks->nodes + 1) * sizeof(KeptScore), MCXT_ALLOC_HUGE);
	if (has_aged(inc))
	{
		intern_ids(inc, r);
		run->changed = publish(model, r->ids, r->blocks, results, r->labels, run->run, run->as_of,
							   &run->fresh);
		for (uint32 v = 0; v < blocks->nodes; v++)
			published[v] = result_of(results, v);
		head.published = inc->as_of;
	}
	else
	{
		uint32		n;
		Due		   *due = find_due(inc, r, results, published, &n);
		void	   *context[] = {inc, r};

		run->changed = -1;
		if (!OidIsValid(model->networks) && !OidIsValid(model->topics) &&
			n <= Max(FEW_DUE, MANY_DUE * results->users))
			run->changed = publish_some(model, results, due, n, user_of, context, run->run,
										run->as_of, &r->arena);
		if (run->changed < 0)
		{
			intern_ids(inc, r);
			due_results.due = due_bits(due, n, blocks->nodes);
			run->changed = publish(model, r->ids, r->blocks, &due_results, r->labels, run->run,
								   run->as_of, &run->fresh);
		}
		pfree(due);
	}
	keep_forget(model, run->run, inc->rebase ? run->run : head.base);
	if (inc->rebase)
	{
		intern_ids(inc, r);
		keep_publish(r->keeper, model, r->ids, r->blocks, r->labels, stages_shares(r), results,
					 published, run->run, run->as_of, Min(head.published, run->as_of),
					 head.hierarchy);
	}
	else
	{
		head.as_of = Max(inc->as_of, head.as_of);
		head.scale = r->shared->patch.scale;
		head.labels = r->labels ? delta_labels(inc->delta) : 0;
		keep_changes(inc, r, &head, results, published, run);
	}
	pfree(published);
	arena_release(&r->arena, size);
}
