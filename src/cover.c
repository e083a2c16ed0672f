/*
 * cover.c
 *	  Seeds that hit most sets: greedy choice, and bounds on the best choice.
 *
 * The number of sets that seeds hit is a monotone submodular function F.
 * Taking again and again the candidate that adds most reaches 1 - 1/e of the
 * best that as many seeds can do (Nemhauser, Wolsey and Fisher 1978).  With
 * costs and a budget, taking the one that adds most for its cost is no worse
 * than 0.405 of the best, or else the best single candidate is (Tang et al.,
 * "Revisiting modified greedy algorithm for monotone submodular maximization
 * with a knapsack constraint", 2021).  Where the number of seeds is limited as
 * well, neither may be good, and further ways measure candidates by their part
 * of both limits.  The caller tries them all.
 *
 * What is good about a graph shows in a bound of its own (Leskovec et al. 2007;
 * Tang et al., "Online processing algorithms for influence maximization",
 * SIGMOD 2018): for any S, and the best seeds O,
 *
 *		F(O) <= F(S) + sum over O of what each adds to S
 *
 * where the sum is at most that of the fractional knapsack that fits a limit, be
 * that the number of seeds, the budget, or both measured together.  The least
 * over these and the S that a choice goes through is the bound.
 *
 * Most nodes are in few sets and never come near to being chosen.  Only those
 * listed have an index of their sets; whether that was enough is known in the
 * end, and if it was not, the caller lists more.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <math.h>
#include <string.h>

#include "cover.h"
#include "radix.h"

/* Bounds are taken after about so many of the choices. */
#define BOUND_STAGES	32

/* Worths by order of magnitude: below 1, and eight steps to a power of two. */
#define STEPS		(1 + 8 * 33)

static inline uint32_t
step_of(double worth)
{
	int			exponent;
	double		fraction;

	if (worth < 1)
		return 0;
	fraction = frexp(worth, &exponent);		/* 0.5 to 1 */
	return 1 + (uint32_t) ((exponent - 1) * 8 + (int) ((fraction - 0.5) * 16));
}

/* The least worth of a step. */
static inline double
step_begin(uint32_t step)
{
	return step == 0 ? 0 : ldexp(0.5 + (step - 1) % 8 / 16.0, (int) (step - 1) / 8 + 1);
}

static inline double
size_of(const Cover *cover, const CoverWay *way, uint32_t v)
{
	return way->by_count + (way->by_cost > 0 ? way->by_cost * cover->cost[v] : 0);
}

/* What a gain is for its size; no gain is nothing, even if it is free. */
static inline double
ratio_of(double gain, double size)
{
	return gain > 0 ? gain / size : 0;
}

static inline double
worth_of(const Cover *cover, uint32_t v, const uint32_t *sets)
{
	return sets[v] + (cover->flags[v] & NODE_SURE ? cover->sure : 0);
}

/*
 * The ways to choose: by gain, and with costs by gain for the cost, and, if the
 * number of seeds matters too, by gain for the part of both limits, one of them
 * being up to twice as scarce as the other.
 */
void
cover_ways(Cover *cover, bool count_matters)
{
	cover->ways = 0;
	cover->way[cover->ways++] = (CoverWay) {0, 1, NULL};
	if (cover->cost)
		cover->way[cover->ways++] = (CoverWay) {1, 0, NULL};
	if (cover->cost && count_matters && cover->budget > 0)
		for (int scarce = -1; scarce <= 1; scarce++)
			cover->way[cover->ways++] = (CoverWay) {
			ldexp(1, scarce) / cover->budget, 1.0 / cover->seeds, NULL
		};
}

/* Add the batches from a number on to total and members. */
void
cover_count(Cover *cover, uint32_t from_batch)
{
	for (uint32_t b = from_batch; b < cover->pool->nbatches; b++)
	{
		const RRBatch *batch = cover->pool->batch[b];
		uint32_t	n = batch->begin[RR_BATCH];

		for (uint32_t i = 0; i < n; i++)
			cover->total[batch->member[i]]++;
		cover->members += n;
	}
}

/*
 * Decide what to list: about as many candidates as wanted, those that are
 * worth most; all if there are costs.  Returns how many that will be.
 */
uint32_t
cover_plan(Cover *cover, uint32_t wanted)
{
	uint32_t	steps[STEPS] = {0};
	uint32_t	candidates = 0;
	uint32_t	step = STEPS - 1;
	uint32_t	listed;

	for (uint32_t v = 0; v < cover->nodes; v++)
		if (cover->flags[v] & NODE_CANDIDATE)
		{
			steps[step_of(worth_of(cover, v, cover->total))]++;
			candidates++;
		}
	cover->rest = 0;
	if (cover->cost || wanted >= candidates)
		return candidates;
	listed = steps[step];
	while (listed < wanted)
		listed += steps[--step];
	cover->rest = step_begin(step);
	return listed;
}

/*
 * Make the list planned.  Returns how many entries the index will have.
 */
uint64_t
cover_list(Cover *cover)
{
	uint64_t	entries = 0;
	uint32_t	n = 0;

	for (uint32_t v = cover->nodes; v-- > 0;)
	{
		double		worth;

		cover->place[v] = COVER_NONE;
		if (!(cover->flags[v] & NODE_CANDIDATE) ||
			(worth = worth_of(cover, v, cover->total)) < cover->rest)
			continue;
		cover->scratch[0][n] = radix_from_double(worth);
		cover->scratch[1][n++] = v;
	}
	cover->listed = n;
	/* ascending, and so from its end descending; of equals the first node */
	radix_sort(cover->scratch[0], cover->scratch[1], cover->scratch[2], cover->scratch[3], n, 64);
	for (uint32_t p = 0; p < n; p++)
	{
		uint32_t	v = (uint32_t) cover->scratch[1][n - 1 - p];

		cover->node[p] = v;
		cover->worth[p] = worth_of(cover, v, cover->total);
		cover->place[v] = p;
		cover->begin[p] = entries;
		entries += cover->total[v];
	}
	cover->begin[n] = entries;
	for (int w = 1; w < cover->ways; w++)
	{
		const CoverWay *way = &cover->way[w];

		for (uint32_t i = 0; i < n; i++)
		{
			uint32_t	p = n - 1 - i;

			double		ratio = ratio_of(cover->worth[p], size_of(cover, way, cover->node[p]));

			cover->scratch[0][i] = radix_from_double(ratio);
			cover->scratch[1][i] = p;
		}
		radix_sort(cover->scratch[0], cover->scratch[1], cover->scratch[2], cover->scratch[3], n, 64);
		for (uint32_t i = 0; i < n; i++)
			way->order[i] = (uint32_t) cover->scratch[1][n - 1 - i];
	}
	return entries;
}

/* Index the sets of the nodes listed. */
void
cover_index(Cover *cover)
{
	const RRPool *pool = cover->pool;

	for (uint32_t b = 0; b < pool->nbatches; b++)
	{
		const RRBatch *batch = pool->batch[b];

		for (uint32_t s = 0; s < RR_BATCH; s++)
			for (uint32_t i = batch->begin[s]; i < batch->begin[s + 1]; i++)
			{
				uint32_t	p = cover->place[batch->member[i]];

				if (p != COVER_NONE)
					cover->set[cover->begin[p]++] = b * RR_BATCH + s;
			}
	}
	/* each begin has moved to where the next was */
	memmove(cover->begin + 1, cover->begin, cover->listed * sizeof(uint64_t));
	cover->begin[0] = 0;
}

/* --- a heap, with the greatest key on top ------------------------------ */

/* Of equal keys the lesser item comes first, for ties to be settled. */
typedef struct Heap
{
	double	   *key;
	uint32_t   *item;
	uint32_t	n;
} Heap;

static inline bool
before(double key, uint32_t item, double other_key, uint32_t other_item)
{
	return key > other_key || (key == other_key && item < other_item);
}

/* Put an item where the top was, and let it sink to where it belongs. */
static void
heap_replace(Heap *heap, double key, uint32_t item)
{
	uint32_t	i = 0;

	for (;;)
	{
		uint32_t	child = 2 * i + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n && before(heap->key[child + 1], heap->item[child + 1],
										  heap->key[child], heap->item[child]))
			child++;
		if (before(key, item, heap->key[child], heap->item[child]))
			break;
		heap->key[i] = heap->key[child];
		heap->item[i] = heap->item[child];
		i = child;
	}
	heap->key[i] = key;
	heap->item[i] = item;
}

static void
heap_drop(Heap *heap)
{
	heap->n--;
	if (heap->n > 0)
		heap_replace(heap, heap->key[heap->n], heap->item[heap->n]);
}

static void
heap_add(Heap *heap, double key, uint32_t item)
{
	uint32_t	i = heap->n++;

	while (i > 0 && before(key, item, heap->key[(i - 1) / 2], heap->item[(i - 1) / 2]))
	{
		heap->key[i] = heap->key[(i - 1) / 2];
		heap->item[i] = heap->item[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap->key[i] = key;
	heap->item[i] = item;
}

/* An empty heap, in memory that choosing and bounding do not share. */
static Heap
heap_in(const Cover *cover, int which)
{
	return (Heap)
	{
		(double *) cover->scratch[which], (uint32_t *) cover->scratch[which + 1], 0
	};
}

/* --- bounds ------------------------------------------------------------ */

/* What the candidate at a place would add. */
static inline double
gain_of(const Cover *cover, uint32_t p)
{
	uint32_t	v = cover->node[p];

	return cover->chosen[v] ? 0 : worth_of(cover, v, cover->left);
}

/*
 * The candidates that add most for what they take up, descending: as many as
 * fill the capacity.  Returns how many are in top.
 */
static uint32_t
greatest(const Cover *cover, const CoverWay *way, double capacity, uint32_t **top)
{
	Heap		heap = heap_in(cover, 2);
	double		used = 0;
	uint32_t	found;

	/* the least on top, that is the greatest negative */
	for (uint32_t i = 0; i < cover->listed; i++)
	{
		uint32_t	p = way->order ? way->order[i] : i;
		double		size = size_of(cover, way, cover->node[p]);
		double		key;

		/* gains only shrink: nobody further on can come in */
		if (used >= capacity && heap.n > 0 && ratio_of(cover->worth[p], size) <= -heap.key[0])
			break;
		key = ratio_of(gain_of(cover, p), size);
		if (key <= 0 || (cover->cost && cover->cost[cover->node[p]] > cover->budget))
			continue;
		heap_add(&heap, -key, p);
		used += size;
		while (heap.n > 1)
		{
			double		least = size_of(cover, way, cover->node[heap.item[0]]);

			if (used - least < capacity)
				break;
			used -= least;
			heap_drop(&heap);
		}
	}
	found = heap.n;
	while (heap.n > 0)
	{
		uint32_t	p = heap.item[0];

		heap_drop(&heap);
		heap.item[heap.n] = p;
	}
	*top = heap.item;
	return found;
}

/*
 * Lower the bounds by what is known after some choices, worth value: row i is
 * for at most i seeds that cost at most spent[i]; the last for the limits of
 * the problem.
 */
static void
bound(const Cover *cover, const CoverWay *way, double value, CoverChoice *choice)
{
	double		limit = way->by_count * cover->seeds +
		(way->by_cost > 0 ? way->by_cost * cover->budget : 0);
	uint32_t   *top;
	uint32_t	found = greatest(cover, way, limit, &top);
	uint32_t	i = 0;
	double		used = 0;
	double		sum = value;

	for (uint32_t row = 1; row <= choice->count; row++)
	{
		double		capacity = row == choice->count ? limit :
			way->by_cost * choice->spent[row] + way->by_count * row;
		double		part = 0;

		for (; i < found; i++)
		{
			double		size = size_of(cover, way, cover->node[top[i]]);
			double		gain = gain_of(cover, top[i]);

			/* who is not listed may be worth rest */
			if (gain < cover->rest)
				break;
			if (used + size > capacity)
			{
				part = gain * ((capacity - used) / size);
				break;
			}
			sum += gain;
			used += size;
		}
		if (cover->rest > 0 && used < capacity && (i == found || gain_of(cover, top[i]) < cover->rest))
			part = (capacity - used) * cover->rest;
		if (sum + part < choice->optimum[row])
			choice->optimum[row] = sum + part;
	}
}

/* --- choosing ---------------------------------------------------------- */

/* A seed hits all sets it is in. */
static void
choose(Cover *cover, uint32_t v, uint64_t *open)
{
	uint32_t	p = cover->place[v];

	cover->chosen[v] = 1;
	if (p == COVER_NONE)
		return;
	for (uint64_t e = cover->begin[p]; e < cover->begin[p + 1]; e++)
	{
		uint32_t	s = cover->set[e];
		const RRBatch *batch = cover->pool->batch[s / RR_BATCH];

		if (cover->hit[s])
			continue;
		cover->hit[s] = 1;
		for (uint32_t i = batch->begin[s % RR_BATCH]; i < batch->begin[s % RR_BATCH + 1]; i++)
			cover->left[batch->member[i]]--;
		*open -= batch->begin[s % RR_BATCH + 1] - batch->begin[s % RR_BATCH];
	}
}

/*
 * The affordable candidate that adds most, in one way, taken off the
 * heap; COVER_NONE if there is none.  Keys are brought up to date as they come
 * to the top: values only shrink (Minoux 1978).
 */
static uint32_t
take_best(const Cover *cover, const CoverWay *way, double budget, Heap *heap)
{
	while (heap->n > 0)
	{
		uint32_t	p = heap->item[0];
		uint32_t	v = cover->node[p];
		double		key = ratio_of(gain_of(cover, p), size_of(cover, way, v));

		if (cover->chosen[v] || (cover->cost && cover->cost[v] > budget))
			heap_drop(heap);
		else if (key < heap->key[0])
			heap_replace(heap, key, p);
		else
		{
			heap_drop(heap);
			return p;
		}
	}
	return COVER_NONE;
}

/*
 * Choose seeds: those given, which choice has already, and then the best one
 * by one in one of the ways.  The first of those given are
 * sentinels: sets that they hit are empty in the pool and counted in its hits.
 *
 * If bounds are wanted, all seeds are given, or there are no costs: row i of
 * choice->optimum becomes a bound on the value of any i candidates that cost at
 * most what the first i seeds do; the last row is for the limits of the problem.
 *
 * Returns false if a candidate that is not listed may have been better.
 */
bool
cover_greedy(Cover *cover, int by, uint32_t given, uint32_t sentinels,
			 bool bounds, CoverChoice *choice)
{
	const CoverWay *way = &cover->way[by];
	Heap		heap = heap_in(cover, 0);
	uint64_t	open = cover->members;
	uint64_t	stage = 0;
	double		value = cover->pool->hits;

	memcpy(cover->left, cover->total, cover->nodes * sizeof(uint32_t));
	memset(cover->hit, 0, rr_samples(cover->pool));
	memset(cover->chosen, 0, cover->nodes);
	for (uint32_t i = 0; i < cover->listed; i++)
	{
		uint32_t	p = way->order ? way->order[i] : i;

		/* in descending order they are a heap */
		heap.item[i] = p;
		heap.key[i] = ratio_of(cover->worth[p], size_of(cover, way, cover->node[p]));
	}
	heap.n = cover->listed;
	choice->count = cover->cost == NULL ? cover->seeds : given;
	if (bounds)
		for (uint32_t i = 0; i <= choice->count; i++)
			choice->optimum[i] = INFINITY;
	choice->spent[0] = 0;

	for (uint32_t i = 0;; i++)
	{
		uint32_t	v;

		choice->value[i] = value;
		choice->open[i] = open;
		if (bounds && i >= sentinels &&
			(i == choice->count || i == sentinels ||
			 (uint64_t) i * BOUND_STAGES >= stage * choice->count))
		{
			for (int w = 0; w < cover->ways; w++)
				bound(cover, &cover->way[w], value, choice);
			stage++;
		}
		if (i == cover->seeds || (bounds && i == choice->count))
		{
			choice->count = i;
			return true;
		}
		if (i < given)
			v = choice->seed[i];
		else
		{
			uint32_t	p = take_best(cover, way, cover->budget - choice->spent[i], &heap);

			/* a budget is not spent on what adds nothing */
			if (cover->rest > 0 && (p == COVER_NONE || gain_of(cover, p) < cover->rest))
				return false;
			if (p == COVER_NONE || (cover->cost && gain_of(cover, p) <= 0))
			{
				choice->count = i;
				return true;
			}
			v = cover->node[p];
		}
		choice->seed[i] = v;
		choice->spent[i + 1] = choice->spent[i] + (cover->cost ? cover->cost[v] : 1);
		value += worth_of(cover, v, cover->left);
		choose(cover, v, &open);
	}
}

/* --- the other pool ---------------------------------------------------- */

/*
 * count[i]: the sets of a pool that seed i hits and none before it.  position
 * has the number of each seed by node, and COVER_NONE for others; sets with a
 * sentinel count for the last of these.
 */
void
cover_first_hits(const RRPool *pool, const uint32_t *position, uint32_t sentinels,
				 uint64_t *count)
{
	if (sentinels > 0)
		count[sentinels - 1] += pool->hits;
	for (uint32_t b = 0; b < pool->nbatches; b++)
	{
		const RRBatch *batch = pool->batch[b];

		for (uint32_t s = 0; s < RR_BATCH; s++)
		{
			uint32_t	first = COVER_NONE;

			for (uint32_t i = batch->begin[s]; i < batch->begin[s + 1]; i++)
				if (position[batch->member[i]] < first)
					first = position[batch->member[i]];
			if (first != COVER_NONE)
				count[first]++;
		}
	}
}

/*
 * Of independent draws some seeds hit so many: bounds on the expected number,
 * each wrong with probability exp(-a) at most (Tang et al. 2018, equations 5
 * and 13 with the sums of the draws in place of their means).  The upper one
 * holds with an upper bound in place of the number.
 */
double
cover_lower(double hits, double a)
{
	double		root = sqrt(hits + 2 * a / 9) - sqrt(a / 2);
	double		bound = root > 0 ? root * root - a / 18 : 0;

	return bound > 0 ? bound : 0;
}

double
cover_upper(double hits, double a)
{
	double		root = sqrt(hits + a / 2) + sqrt(a / 2);

	return root * root;
}
