/*
 * seeds.c
 *	  Whom to seed in a graph that is in an arena, with a certificate.
 *
 * Two pools of reverse-reachable sets are drawn (rrset.c).  Seeds are chosen
 * that hit most sets of the first (cover.c), which also bounds what any seeds
 * can reach.  The second, which the choice knows nothing of, says without bias
 * what the seeds reach.  If that is not close enough to the bound, the pools
 * grow, and the choice is made anew (Tang, Tang, Xiao and Yuan, "Online
 * processing algorithms for influence maximization", SIGMOD 2018: OPIM-C).
 *
 * What is certain.  Sizes of the first pool are powers of two, and the bound
 * from size 2^g is wrong with probability delta / (2 (g + 1)(g + 2)) at most;
 * that from the second pool in round r with delta / (2 r (r + 1)).  These add
 * up to delta: the last row of the result, whenever it comes to that, is right
 * with probability 1 - delta, and so is any other row taken by itself.
 *
 * Nodes that nobody activates are never drawn (pools.c): as seeds they count for
 * themselves, exactly.  Roots come as often as each other: sums of draws without
 * replacement, and of unlike ones, are not further from their mean than those
 * that the bounds are for (Hoeffding 1963, theorem 4).
 *
 * How many sets.  Stopping as soon as epsilon is certified leaves seeds that
 * reach some percent less than they could.  More sets cost little as long as
 * they are few, so the first pool grows to FLOOR_VISITS nodes visited in any
 * case, or FLOOR_HITS for each seed, in proportion to 1 / epsilon^2.
 *
 * Sentinels.  Where sets are large, what is left to find after a few seeds is
 * in few of them.  The first seeds are then settled on, all sets drawn anew,
 * and those that meet such a sentinel are not followed to their end (Guo, Wang,
 * Wei and Chen, "Influence maximization revisited", SIGMOD 2020: HIST).  The
 * bounds hold whatever the sentinels are, for the seeds from the last of them
 * on; what is said of the seeds before stems from the round before.
 *
 * Memory.  Pools and index grow while they fit; all of it is counted in the
 * arena.  A round that does not fit is given up, and the one before counts.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "cover.h"
#include "seeds.h"

/* The greedy algorithm's part of the optimum: 1 - 1 / e. */
#define GREEDY_PART			0.63212055882855767

/*
 * Nodes to visit for the first pool, for epsilon 0.1: measured to leave less
 * than one percent of the spread to be gained by more.
 */
#define FLOOR_VISITS		1000000.0

/* Or sets hit for each seed; more would not tell better which node is best. */
#define FLOOR_HITS			2000.0

/* The second pool begins with one set for so many of the first. */
#define JUDGES				4

/* Visits for the first choice: their mean is known well enough to plan by. */
#define PLAN_VISITS			4096

/* Most batches of a pool: samples are numbered by 32 bits. */
#define MOST_BATCHES		(UINT64CONST(1) << 25)

/* Sets of so many members are large; so many members settle sentinels, */
#define LARGE_SET			256
#define SENTINEL_MEMBERS	1000000

/* if they leave at most such a part of them to be followed. */
#define SENTINEL_LEAVE		16

/* Candidates that are listed at first, beside some for each seed. */
#define LISTED				1024
#define LISTED_PER_SEED		8

/* What a selection goes through. */
typedef struct Selection
{
	Pools	   *pools;
	const SeedsProblem *problem;
	Cover		cover;
	uint32		counted;		/* batches in cover.total */
	CoverChoice choice[2];
	CoverChoice *best;
	uint64	   *first_hits;		/* [seeds] in the second pool */
	uint32		sentinels;
	SeedsRow   *row;			/* [seeds] */
	uint32		rows;
	int			rounds;
} Selection;

/* Memory that counts. */
static void *
take(Selection *s, Size size)
{
	arena_reserve(&s->pools->crew.arena, size);
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(size, 1));
}

static void
give_back(Selection *s, void *what, Size size)
{
	pfree(what);
	arena_release(&s->pools->crew.arena, size);
}

static bool
fits(Selection *s, uint64 size)
{
	return arena_used(&s->pools->crew.arena) + size <= s->problem->memory;
}

/* Bytes that a selection begins with. */
uint64
seeds_least_memory(uint32 nodes, uint32 seeds, bool costs)
{
	uint64		choice = sizeof(uint32) + sizeof(double) * 3 + sizeof(uint64);

	return (uint64) nodes * (sizeof(uint32) * 3 + 1) +
		Min(seeds, nodes) * (choice * (costs ? 2 : 1) + sizeof(uint64) + sizeof(SeedsRow));
}

static void
choice_init(Selection *s, CoverChoice *choice)
{
	Size		k = s->cover.seeds;

	choice->count = 0;
	choice->seed = take(s, k * sizeof(uint32));
	choice->value = take(s, (k + 1) * sizeof(double));
	choice->spent = take(s, (k + 1) * sizeof(double));
	choice->open = take(s, (k + 1) * sizeof(uint64));
	choice->optimum = take(s, (k + 1) * sizeof(double));
}

static void
init(Selection *s, Pools *pools, const SeedsProblem *problem)
{
	Cover	   *cover = &s->cover;
	uint32		n = pools->graph->nodes;
	uint32		candidates = 0;

	memset(s, 0, sizeof(Selection));
	s->pools = pools;
	s->problem = problem;
	cover->nodes = n;
	cover->flags = arena_address(&pools->crew.arena, pools->graph->flags);
	cover->cost = problem->cost;
	cover->budget = problem->cost ? problem->budget : INFINITY;
	for (uint32 v = 0; v < n; v++)
		candidates += cover->flags[v] & NODE_CANDIDATE;
	cover->seeds = Min(problem->seeds, candidates);
	cover_ways(cover, problem->seeds < candidates);
	cover->pool = &pools->pool[0].sets;
	cover->total = take(s, n * sizeof(uint32));
	memset(cover->total, 0, n * sizeof(uint32));
	cover->left = take(s, n * sizeof(uint32));
	cover->place = take(s, n * sizeof(uint32));
	cover->chosen = take(s, n);
	choice_init(s, &s->choice[0]);
	if (problem->cost)
		choice_init(s, &s->choice[1]);
	s->best = &s->choice[0];
	s->first_hits = take(s, (Size) cover->seeds * sizeof(uint64));
	s->row = take(s, (Size) cover->seeds * sizeof(SeedsRow));
}

/* --- choosing ---------------------------------------------------------- */

/* Bytes of the list of so many candidates. */
static Size
list_size(const Selection *s, Size listed)
{
	return (listed + 2) * (sizeof(uint32) + sizeof(double) + sizeof(uint64) * 5 +
						   (s->cover.ways - 1) * sizeof(uint32));
}

/*
 * Choose from the candidates that are listed; false if others would have to
 * be, too.
 *
 * With costs there are several ways to choose, and the best choice counts; one
 * of them begins with the best single candidate.
 */
static bool
choose(Selection *s)
{
	Cover	   *cover = &s->cover;

	if (cover->ways == 1)
		return cover_greedy(cover, 0, s->sentinels, s->sentinels, true, s->best);
	for (int way = 0; way < cover->ways; way++)
	{
		CoverChoice *other = s->best == &s->choice[0] ? &s->choice[1] : &s->choice[0];

		memcpy(other->seed, s->best->seed, s->sentinels * sizeof(uint32));
		CHECK_FOR_INTERRUPTS();
		if (!cover_greedy(cover, way, s->sentinels, s->sentinels, false, other))
			return false;
		if (way == 0 || other->value[other->count] > s->best->value[s->best->count])
			s->best = other;
	}
	return cover_greedy(cover, 0, s->best->count, s->sentinels, true, s->best);
}

/* Choose seeds by the first pool; false if memory does not suffice. */
static bool
choose_seeds(Selection *s)
{
	Cover	   *cover = &s->cover;
	uint32		batches = cover->pool->nbatches;
	uint64		wanted = LISTED + (uint64) LISTED_PER_SEED * cover->seeds;
	Size		samples = Max(rr_samples(cover->pool), 1);
	bool		done = false;
	bool		enough = true;

	cover_count(cover, s->counted);
	s->counted = batches;
	/* in sets: what counts one node is worth as many as are drawn for one */
	cover->sure = s->pools->roots > 0 ? (double) samples / s->pools->roots : 1;
	if (!fits(s, samples))
		return false;
	cover->hit = take(s, samples);
	for (; enough && !done; wanted *= 8)
	{
		Size		listed = cover_plan(cover, Min(wanted, PG_UINT32_MAX));
		Size		size = list_size(s, listed);
		Size		entries;

		CHECK_FOR_INTERRUPTS();
		if (!fits(s, size))
		{
			enough = false;
			break;
		}
		arena_reserve(&s->pools->crew.arena, size);
		cover->node = MemoryContextAllocHuge(CurrentMemoryContext, (listed + 2) * sizeof(uint32));
		cover->worth = MemoryContextAllocHuge(CurrentMemoryContext, (listed + 2) * sizeof(double));
		cover->begin = MemoryContextAllocHuge(CurrentMemoryContext, (listed + 2) * sizeof(uint64));
		for (int i = 0; i < 4; i++)
			cover->scratch[i] = MemoryContextAllocHuge(CurrentMemoryContext,
													   (listed + 2) * sizeof(uint64));
		for (int w = 1; w < cover->ways; w++)
			cover->way[w].order = MemoryContextAllocHuge(CurrentMemoryContext,
														 (listed + 2) * sizeof(uint32));
		entries = cover_list(cover);
		CHECK_FOR_INTERRUPTS();
		Assert(cover->listed == listed);
		enough = fits(s, entries * sizeof(uint32));
		if (enough)
		{
			cover->set = take(s, entries * sizeof(uint32));
			cover_index(cover);
			CHECK_FOR_INTERRUPTS();
			done = choose(s);
			give_back(s, cover->set, entries * sizeof(uint32));
		}
		pfree(cover->node);
		pfree(cover->worth);
		pfree(cover->begin);
		for (int i = 0; i < 4; i++)
			pfree(cover->scratch[i]);
		for (int w = 1; w < cover->ways; w++)
			pfree(cover->way[w].order);
		arena_release(&s->pools->crew.arena, size);
	}
	give_back(s, cover->hit, samples);
	return enough;
}

/* --- what is certain of a choice --------------------------------------- */

/*
 * Make the choice into rows.  Those of seeds before the last sentinel stay,
 * but for the spread: what they had of that of the sentinels' they have.
 */
static void
judge(Selection *s)
{
	const SeedsProblem *problem = s->problem;
	const CoverChoice *best = s->best;
	Cover	   *cover = &s->cover;
	uint32		roots = s->pools->roots;
	double		g = log2(Max(s->pools->pool[0].sets.nbatches, 1) * (double) RR_BATCH);
	double		r = ++s->rounds;
	double		a_upper = log(2 * (g + 1) * (g + 2) / problem->delta);
	double		a_lower = log(2 * r * (r + 1) / problem->delta);
	double		scale[POOLS] = {1, 0};
	double		sure = 0;
	uint64		hits = 0;
	double		before = 0;
	double		most = 0;

	for (uint32 v = 0; v < cover->nodes; v++)
	{
		cover->place[v] = COVER_NONE;
		most += !(cover->flags[v] & NODE_ACTIVE);
	}
	for (uint32 i = 0; i < best->count; i++)
	{
		cover->place[best->seed[i]] = i;
		s->first_hits[i] = 0;
	}
	if (roots > 0)
	{
		for (int pool = 0; pool < POOLS; pool++)
			scale[pool] = (double) roots / rr_samples(&s->pools->pool[pool].sets);
		cover_first_hits(&s->pools->pool[1].sets, cover->place, s->sentinels, s->first_hits);
	}
	for (uint32 i = 0; i < best->count; i++)
	{
		SeedsRow   *row = &s->row[i];
		double		least;

		if (cover->flags[best->seed[i]] & NODE_SURE)
			sure++;
		hits += s->first_hits[i];
		row->node = best->seed[i];
		row->cost = cover->cost ? cover->cost[row->node] : 1;
		if (i + 1 < s->sentinels)
			continue;
		/*
		 * Seeds reach themselves, though somebody active might have done that,
		 * and at most everybody.
		 */
		least = most < cover->nodes ? sure : i + 1;
		if (roots > 0)
		{
			double		spread = sure + scale[1] * hits;

			if (i + 1 == s->sentinels && row->spread > 0)
				for (uint32 j = 0; j < i; j++)
					s->row[j].spread *= spread / row->spread;
			row->spread = Min(Max(spread, least), most);
			row->spread_lower = Max(sure + scale[1] * cover_lower(hits, a_lower), least);
			row->optimum_upper = Min(scale[0] * cover_upper(best->optimum[i + 1], a_upper), most);
		}
		else
		{
			row->spread = row->spread_lower = sure;
			row->optimum_upper = best->optimum[i + 1];
		}
	}
	for (uint32 i = 0; i < best->count; i++)
	{
		SeedsRow   *row = &s->row[i];

		/* what is scaled may have left its bounds */
		row->spread = Min(Max(row->spread, Max(row->spread_lower, before)), most);
		row->gain = row->spread - before;
		before = row->spread;
	}
	s->rows = best->count;
}

/*
 * Is the last choice as good as epsilon says?  Without costs that is a part of
 * the optimum.  With costs there is no such part that can always be had; what
 * can be is that chance takes away no more than epsilon of what is certain.
 * And if all nodes are active already, or nearly, what is left to be gained may
 * be any small number: it is not looked for below epsilon for each seed.
 */
static bool
good_enough(Selection *s)
{
	const SeedsProblem *problem = s->problem;
	const SeedsRow *last = &s->row[s->rows - 1];
	double		in_pool;

	if (last->spread_lower >= (GREEDY_PART - problem->epsilon) * last->optimum_upper ||
		last->optimum_upper - last->spread_lower <= problem->epsilon * s->rows)
		return true;
	if (problem->cost == NULL || s->pools->roots == 0)
		return s->pools->roots == 0;
	in_pool = s->best->optimum[s->rows] * s->pools->roots / rr_samples(&s->pools->pool[0].sets);
	return last->spread_lower * in_pool >= (1 - problem->epsilon) * last->spread * last->optimum_upper;
}

/*
 * Settle on sentinels if sets are large, there are enough of them to tell, and
 * few would have to be followed to their end then.  That must not spoil the
 * choice: b sentinels reach what the greedy algorithm is certain to reach with
 * b seeds, less half an epsilon.
 */
static bool
settle_sentinels(Selection *s)
{
	const SeedsProblem *problem = s->problem;
	Cover	   *cover = &s->cover;
	const SeedsRow *last = &s->row[s->rows - 1];
	uint64		members = cover->members;
	uint8	   *flags = arena_address(&s->pools->crew.arena, s->pools->graph->flags);
	uint32		b = 1;

	if (s->sentinels > 0 || members < LARGE_SET * rr_samples(cover->pool) ||
		members < Min(SENTINEL_MEMBERS, problem->memory / (8 * POOLS * sizeof(uint32))))
		return false;
	while (b < s->rows && s->best->open[b] > members / SENTINEL_LEAVE)
		b++;
	if (b >= s->rows ||
		(problem->cost == NULL &&
		 s->row[b - 1].spread_lower <
		 (1 - pow(1 - 1.0 / cover->seeds, b) - problem->epsilon / 2) * last->optimum_upper))
		return false;
	for (uint32 i = 0; i < b; i++)
		flags[s->best->seed[i]] |= NODE_SENTINEL;
	s->sentinels = b;
	pools_empty(s->pools);
	memset(cover->total, 0, cover->nodes * sizeof(uint32));
	cover->members = 0;
	s->counted = 0;
	return true;
}

/* --- rounds ------------------------------------------------------------ */

/* About how many bytes pools of such sizes take, and a choice from the first. */
static double
planned_size(Selection *s, const uint64 *batches)
{
	const RRPool *sets = &s->pools->pool[0].sets;
	double		members = (double) s->cover.members / sets->nbatches;
	double		batch = sizeof(RRBatch) + sizeof(RRBatch *) + members * sizeof(uint32);

	return batch * (batches[0] + batches[1]) +
		batches[0] * (RR_BATCH + members * sizeof(uint32) * (s->cover.cost ? 1 : 0.5));
}

/* What part the first pool is of the size that it should have in any case. */
static double
floor_part(Selection *s)
{
	double		strict = 0.1 / s->problem->epsilon;
	double		visits = s->pools->pool[0].visits / FLOOR_VISITS;
	double		hits = s->best->value[s->rows] / s->rows / FLOOR_HITS;

	return Max(visits, hits) / (strict * strict);
}

/*
 * How large the pools should be in the next round; false if they are as they
 * should be, or cannot grow.
 */
static bool
plan(Selection *s, bool good, uint64 *batches)
{
	const Pool *pool = s->pools->pool;
	double		floor = floor_part(s);
	uint64		used = arena_used(&s->pools->crew.arena);
	uint64		now[POOLS] = {pool[0].sets.nbatches, pool[1].sets.nbatches};
	double		have;

	if (good && floor >= 1)
		return false;
	batches[0] = now[0];
	batches[1] = now[1];
	if (floor < 1)
	{
		while (batches[0] < MOST_BATCHES && floor / now[0] * batches[0] < 1)
			batches[0] *= 2;
		batches[1] = Max(batches[1], batches[0] / JUDGES);
	}
	else if (now[1] * 2 <= now[0])
		batches[1] = now[0];	/* draws for the choice are worth more */
	else
	{
		batches[0] *= 2;
		batches[1] *= 2;
	}
	have = planned_size(s, now);
	while (Max(batches[0], batches[1]) > MOST_BATCHES ||
		   used + planned_size(s, batches) - have > s->problem->memory)
	{
		if (batches[0] > now[0])
			batches[0] /= 2;
		else if (batches[1] == now[1])
			break;
		batches[1] = Max(batches[1] / 2, now[1]);
	}
	return batches[0] > now[0] || batches[1] > now[1];
}

/*
 * Find seeds.  The result is allocated in the current memory context; raises
 * ERRCODE_CONFIGURATION_LIMIT_EXCEEDED if memory does not suffice for anything.
 */
void
seeds_find(Pools *pools, const SeedsProblem *problem, SeedsResult *result)
{
	Selection	s;
	uint64		batches[POOLS] = {1, 1};
	bool		good = false;

	init(&s, pools, problem);
	memset(result, 0, sizeof(SeedsResult));
	while (s.cover.seeds > 0)
	{
		if (pools->roots > 0 &&
			(!pools_draw(pools, 0, batches[0], problem->memory) ||
			 !pools_draw(pools, 1, batches[1], problem->memory)))
			break;
		if (pools->roots > 0 && pools->pool[0].visits < PLAN_VISITS && s.sentinels == 0)
		{
			/* not worth a choice */
			batches[0] *= 4;
			batches[1] = Max(batches[1], batches[0] / JUDGES);
			continue;
		}
		if (!choose_seeds(&s))
			break;
		judge(&s);
		result->samples[0] = rr_samples(&pools->pool[0].sets);
		result->samples[1] = rr_samples(&pools->pool[1].sets);
		if (s.rows == 0)
			break;
		good = good_enough(&s);
		ereport(DEBUG2,
				(errmsg_internal("round %d: %llu and %llu samples, %llu and %llu visits, %llu members, spread %.1f, at least %.1f of at most %.1f",
								 s.rounds, (unsigned long long) result->samples[0],
								 (unsigned long long) result->samples[1],
								 (unsigned long long) pools->pool[0].visits,
								 (unsigned long long) pools->pool[1].visits,
								 (unsigned long long) s.cover.members,
								 s.row[s.rows - 1].spread, s.row[s.rows - 1].spread_lower,
								 s.row[s.rows - 1].optimum_upper)));
		if (pools->roots == 0)
			break;
		if (!(good && floor_part(&s) >= 1) && settle_sentinels(&s))
			continue;
		if (!plan(&s, good, batches))
			break;
	}
	if (s.rounds == 0 && s.cover.seeds > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("choosing seeds needs more memory than \"maintenance_work_mem\" allows"),
				 errdetail("%llu MB are not enough.",
						   (unsigned long long) (problem->memory / (1024 * 1024))),
				 errhint("Raise \"maintenance_work_mem\" for this session.")));
	result->row = s.row;
	result->count = s.rows;
	result->met = good || s.rows == 0;
	result->sentinels = s.sentinels;
	result->rounds = s.rounds;
	result->memory = pg_atomic_read_u64(&pools->crew.arena.control->peak);
}
