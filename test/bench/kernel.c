/*
 * kernel.c
 *	  Times the rank kernel on an R-MAT graph, without PostgreSQL.
 *
 * usage: kernel SCALE EDGE_FACTOR SEED ROUNDS
 *
 * The same graph is swept over in several ways, taking turns:
 *
 *		plain			a textbook pull loop, nodes in the order in which they
 *						first appear, pairs without weights
 *		plain_weighted	the same with a double for each pair
 *		rank			rank_chunk, nodes ordered as blocks.c does, no weights
 *		rank_code		the same with weights by dictionary, as the engine has
 *						them when interactions have none
 *		rank_double		the same with a double for each pair
 *
 * Prints lines "way nanoseconds", of processor time per pair and sweep, for
 * every round.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/rank.h"
#include "rmat.h"

#define PARTITIONS	64
#define CODES		256
#define SWEEPS		3			/* in a row, in each round */
#define DAMPING		0.5

typedef struct Place
{
	uint64_t	hash;
	uint32_t	out_count;
	uint32_t	node;
} Place;

typedef struct Graph
{
	uint32_t	nodes;
	uint32_t	slots;
	uint64_t	pairs;
	uint64_t   *offset;			/* [nodes + 1] */
	uint32_t   *column;
	uint32_t   *count;			/* by pair: how often it occurs */
	double	   *weight;			/* by pair: ln(1 + count) */
	double	   *out_weight[2];	/* by node: number of pairs, sum of weights */
} Graph;

static void *
allocate(size_t size)
{
	void	   *p = calloc(1, size + 1);

	if (p == NULL)
	{
		fprintf(stderr, "kernel: out of memory\n");
		exit(1);
	}
	return p;
}

/* Processor time: what else the machine does should not count. */
static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

/* Stable counting sort of the edges by key, a node. */
static void
sort_edges(uint32_t *key, uint32_t *other, uint64_t m, uint32_t nodes)
{
	uint64_t   *start = allocate((nodes + 1) * sizeof(uint64_t));
	uint32_t   *new_key = allocate(m * sizeof(uint32_t));
	uint32_t   *new_other = allocate(m * sizeof(uint32_t));

	for (uint64_t i = 0; i < m; i++)
		start[key[i] + 1]++;
	for (uint32_t v = 0; v < nodes; v++)
		start[v + 1] += start[v];
	for (uint64_t i = 0; i < m; i++)
	{
		uint64_t	to = start[key[i]]++;

		new_key[to] = key[i];
		new_other[to] = other[i];
	}
	memcpy(key, new_key, m * sizeof(uint32_t));
	memcpy(other, new_other, m * sizeof(uint32_t));
	free(start);
	free(new_key);
	free(new_other);
}

/*
 * The graph of the edges between the nodes of place: row number[v] is that of
 * node v, and columns say slot[v].
 */
static Graph
build(const uint32_t *src, const uint32_t *dst, uint64_t m, const Place *place, uint32_t nodes,
	  const uint32_t *number, const uint32_t *slot, uint32_t slots)
{
	Graph		g = {nodes, slots};
	uint32_t   *at_slot = allocate(slots * sizeof(uint32_t));
	uint32_t   *source = allocate(m * sizeof(uint32_t));
	uint32_t   *target = allocate(m * sizeof(uint32_t));
	uint32_t	row = 0;

	for (uint64_t i = 0; i < m; i++)
	{
		source[i] = slot[src[i]];
		target[i] = number[dst[i]];
	}
	sort_edges(source, target, m, slots);
	sort_edges(target, source, m, nodes);
	g.offset = allocate((nodes + 1) * sizeof(uint64_t));
	g.count = allocate(m * sizeof(uint32_t));
	for (uint64_t i = 0; i < m; i++)
	{
		while (row < target[i])
			g.offset[++row] = g.pairs;
		if (g.pairs == g.offset[row] || source[g.pairs - 1] != source[i])
			source[g.pairs++] = source[i];
		g.count[g.pairs - 1]++;
	}
	while (row < nodes)
		g.offset[++row] = g.pairs;
	free(target);
	g.column = source;
	g.weight = allocate(g.pairs * sizeof(double));
	g.out_weight[0] = allocate(nodes * sizeof(double));
	g.out_weight[1] = allocate(nodes * sizeof(double));
	for (uint32_t i = 0; i < nodes; i++)
		at_slot[slot[place[i].node]] = number[place[i].node];
	for (uint64_t e = 0; e < g.pairs; e++)
	{
		g.weight[e] = log1p(g.count[e]);
		g.out_weight[0][at_slot[g.column[e]]]++;
		g.out_weight[1][at_slot[g.column[e]]] += g.weight[e];
	}
	free(at_slot);
	return g;
}

/* --- the plain loop ------------------------------------------------------- */

typedef struct Plain
{
	const Graph *g;
	const double *weight;		/* or NULL */
	const double *out_weight;
	double	   *rank;
	double	   *share;
	double	   *next;
	double		dangling;
} Plain;

static void
plain_start(Plain *p)
{
	uint32_t	n = p->g->nodes;

	p->dangling = 0;
	for (uint32_t v = 0; v < n; v++)
	{
		p->rank[v] = 1.0 / n;
		p->share[v] = p->out_weight[v] > 0 ? p->rank[v] / p->out_weight[v] : 0;
		p->dangling += p->out_weight[v] > 0 ? 0 : p->rank[v];
	}
}

static double
plain_sweep(Plain *p)
{
	const Graph *g = p->g;
	double	   *share = p->share;
	double		restart = (DAMPING * p->dangling + 1 - DAMPING) / g->nodes;
	double		dangling = 0,
				residual = 0;

	for (uint32_t v = 0; v < g->nodes; v++)
	{
		double		got = 0;
		double		x;

		if (p->weight)
			for (uint64_t e = g->offset[v]; e < g->offset[v + 1]; e++)
				got += p->weight[e] * share[g->column[e]];
		else
			for (uint64_t e = g->offset[v]; e < g->offset[v + 1]; e++)
				got += share[g->column[e]];
		x = DAMPING * got + restart;
		residual += fabs(x - p->rank[v]);
		p->rank[v] = x;
		if (p->out_weight[v] > 0)
			p->next[v] = x / p->out_weight[v];
		else
			dangling += x;
	}
	p->dangling = dangling;
	p->share = p->next;
	p->next = share;
	return residual;
}

static Plain
plain_init(const Graph *g, int weighted)
{
	Plain		p = {g, weighted ? g->weight : NULL, g->out_weight[weighted]};

	p.rank = allocate(g->nodes * sizeof(double));
	p.share = allocate(g->nodes * sizeof(double));
	p.next = allocate(g->nodes * sizeof(double));
	return p;
}

static double
plain_time(Plain *p)
{
	double		start;

	plain_start(p);
	start = now();
	for (int i = 0; i < SWEEPS; i++)
		(void) plain_sweep(p);
	return now() - start;
}

/* --- rank.c --------------------------------------------------------------- */

typedef enum Form
{
	NO_WEIGHTS,
	BY_CODE,
	BY_DOUBLE
} Form;

static RankProblem
rank_init(const Graph *g, const uint32_t *base, Form form)
{
	RankProblem p = {g->nodes};
	CsrBlock   *block = allocate(PARTITIONS * sizeof(CsrBlock));
	CsrChunk   *chunk;
	double	   *dictionary = allocate(CODES * sizeof(double));
	double	   *restart = allocate(g->nodes * sizeof(double));

	for (int i = 0; i < CODES; i++)
		dictionary[i] = log1p(i + 1);
	for (int b = 0; b < PARTITIONS; b++)
	{
		uint64_t	first = g->offset[base[b]];
		uint64_t	pairs = g->offset[base[b + 1]] - first;
		uint64_t   *offset;
		uint32_t	most = 0;

		block[b].first = base[b];
		block[b].nrows = base[b + 1] - base[b];
		block[b].lane = b;
		block[b].lanes = PARTITIONS;
		block[b].offset = offset = allocate((block[b].nrows + 1) * sizeof(uint64_t));
		for (uint32_t i = 0; i <= block[b].nrows; i++)
			offset[i] = g->offset[base[b] + i] - first;
		block[b].column = g->column + first;
		for (uint64_t e = 0; e < pairs; e++)
			most = g->count[first + e] > most ? g->count[first + e] : most;
		if (form == BY_CODE && most <= CODES)
		{
			uint8_t    *code = allocate(pairs);

			for (uint64_t e = 0; e < pairs; e++)
				code[e] = (uint8_t) (g->count[first + e] - 1);
			block[b].code = code;
			block[b].dictionary = dictionary;
		}
		else if (form != NO_WEIGHTS)
			block[b].weight = g->weight + first;
		if (!csr_valid(&block[b], g->nodes, g->slots))
		{
			fprintf(stderr, "kernel: block %d is not valid\n", b);
			exit(1);
		}
	}
	for (uint32_t v = 0; v < g->nodes; v++)
		restart[v] = 1.0 / g->nodes;
	p.block = block;
	p.nchunks = csr_chunks(block, PARTITIONS, NULL);
	p.chunk = chunk = allocate(p.nchunks * sizeof(CsrChunk));
	(void) csr_chunks(block, PARTITIONS, chunk);
	p.out_weight = g->out_weight[form != NO_WEIGHTS];
	p.restart = restart;
	p.damping = DAMPING;
	p.rank = allocate(g->nodes * sizeof(double));
	p.share[0] = allocate(g->slots * sizeof(double));
	p.share[1] = allocate(g->slots * sizeof(double));
	p.partial = allocate(p.nchunks * sizeof(RankPartial));
	p.control = allocate(sizeof(RankControl));
	return p;
}

/* Adds the time of sweeps to *context. */
static void
run(RankProblem *problem, RankStep step, void *context)
{
	double		start = now();

	for (size_t i = 0; i < problem->nchunks; i++)
		rank_chunk(problem, step, i, NULL);
	if (step == RANK_SWEEP)
		*(double *) context += now() - start;
}

static double
rank_time(RankProblem *problem)
{
	double		time = 0;

	(void) rank_solve(problem, 0, SWEEPS, run, &time);
	return time;
}

/* --- the numbers of nodes ------------------------------------------------- */

/* As ids.h has it. */
static uint64_t
hash_id(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

/* By partition, then descending number of rows as a source, then hash. */
static int
compare_places(const void *a, const void *b)
{
	const Place *x = a;
	const Place *y = b;

	if (x->hash >> 58 != y->hash >> 58)
		return x->hash >> 58 < y->hash >> 58 ? -1 : 1;
	if (x->out_count != y->out_count)
		return x->out_count > y->out_count ? -1 : 1;
	return (uint32_t) x->hash < (uint32_t) y->hash ? -1 : 1;
}

int
main(int argc, char **argv)
{
	uint32_t   *src,
			   *dst,
			   *appeared,
			   *ordered,
			   *slot,
				base[PARTITIONS + 1] = {0};
	uint64_t	rows,
				m = 0,
				state;
	uint32_t	nodes = 0,
				most = 0;
	int			scale,
				rounds;
	Place	   *place;
	Graph		by_appearance,
				by_degree;
	Plain		plain,
				plain_weighted;
	RankProblem rank,
				rank_code,
				rank_double;

	if (argc != 5 || (scale = atoi(argv[1])) < 1 || scale > 30 || atoi(argv[2]) < 1 ||
		(rounds = atoi(argv[4])) < 1)
	{
		fprintf(stderr, "usage: kernel SCALE EDGE_FACTOR SEED ROUNDS\n");
		return 2;
	}
	rows = (uint64_t) atoi(argv[2]) << scale;
	state = strtoull(argv[3], NULL, 10);

	src = allocate(rows * sizeof(uint32_t));
	dst = allocate(rows * sizeof(uint32_t));
	appeared = allocate(sizeof(uint32_t) << scale);
	ordered = allocate(sizeof(uint32_t) << scale);
	place = allocate(sizeof(Place) << scale);
	memset(appeared, 0xff, sizeof(uint32_t) << scale);
	while (rows-- > 0)
	{
		RmatRow		row = rmat_row(&state, scale);
		uint32_t	end[2] = {(uint32_t) row.src, (uint32_t) row.dst};

		if (row.src == row.dst)
			continue;
		for (int i = 0; i < 2; i++)
			if (appeared[end[i]] == UINT32_MAX)
			{
				place[nodes] = (Place) {hash_id(rmat_id(end[i])), 0, end[i]};
				appeared[end[i]] = nodes++;
			}
		place[appeared[end[0]]].out_count++;
		src[m] = end[0];
		dst[m++] = end[1];
	}
	qsort(place, nodes, sizeof(Place), compare_places);
	for (uint32_t i = 0; i < nodes; i++)
	{
		ordered[place[i].node] = i;
		base[(place[i].hash >> 58) + 1]++;
	}
	for (int p = 0; p < PARTITIONS; p++)
		base[p + 1] += base[p];
	slot = allocate(sizeof(uint32_t) << scale);
	for (uint32_t i = 0; i < nodes; i++)
	{
		uint32_t	p = place[i].hash >> 58;
		CsrBlock	block = {.lane = p, .lanes = PARTITIONS};

		slot[place[i].node] = csr_slot(&block, i - base[p]);
		most = i - base[p] + 1 > most ? i - base[p] + 1 : most;
	}
	by_appearance = build(src, dst, m, place, nodes, appeared, appeared, nodes);
	by_degree = build(src, dst, m, place, nodes, ordered, slot, csr_slots(PARTITIONS, most));
	free(src);
	free(dst);

	plain = plain_init(&by_appearance, 0);
	plain_weighted = plain_init(&by_appearance, 1);
	rank = rank_init(&by_degree, base, NO_WEIGHTS);
	rank_code = rank_init(&by_degree, base, BY_CODE);
	rank_double = rank_init(&by_degree, base, BY_DOUBLE);
	for (int round = 0; round <= rounds; round++)
	{
		double		per = (double) by_degree.pairs * SWEEPS;
		double		time[] = {
			plain_time(&plain) / per, rank_time(&rank) / per, plain_time(&plain_weighted) / per,
			rank_time(&rank_code) / per, rank_time(&rank_double) / per
		};

		/* the first one warms up */
		if (round > 0)
			printf("plain %.4f\nrank %.4f\nplain_weighted %.4f\nrank_code %.4f\nrank_double %.4f\n",
				   time[0], time[1], time[2], time[3], time[4]);
	}

	/* All weighted ways must agree. */
	for (uint32_t i = 0; i < nodes; i++)
	{
		double		x = plain_weighted.rank[appeared[place[i].node]];

		if (fabs(rank_code.rank[i] - x) > 1e-9 * x || fabs(rank_double.rank[i] - x) > 1e-9 * x)
		{
			fprintf(stderr, "kernel: ranks differ\n");
			return 1;
		}
	}
	return 0;
}
