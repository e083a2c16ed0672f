/*
 * restart.c
 *	  Where ranks restart: whose attention counts, before anybody's is passed on.
 *
 * The restart distribution q of rank.c is, by rule, proportional to
 *
 *		uniform		1
 *		activity	the sum of a node's out-weights
 *		credible	activity * (0.02 + 0.98 c), where c = r / (r + ln 2) and r
 *					is the sum of min(weight, ln 2) over a node's in-edges
 *		trusted		A (f + (1 - f) min(c, phi + (1 - phi) trust))
 *
 * The last is for communities in which accounts react to each other in order
 * to be credible.  With reactors being the nodes that have out-edges, of the
 * weight w to anybody:
 *
 *		A		what counts of activity: the sum of min(w, ln 4) over out-edges
 *		f		what a stranger counts, 1 / (1 + n), where n is the sum of c
 *				over reactors: one n-th of a credible person or so
 *		trust	is handed on by attention in 8 stages, among reactors.  A
 *				stage is PageRank of damping 0.95, three sweeps of it from its
 *				restart distribution p and one more, of the mean of the last
 *				two, whose result t has the average 1 over all users.  p is
 *				uniform over reactors in the first stage, then proportional to
 *				m sqrt(m) with m = min(t, 10) of the stage before.  After the
 *				last trust is t / (t + 0.1).
 *		phi		min(1, ((1 - v) / v)^4): how far credibility counts without
 *				trust, where trust does not cover the network.  v is the part
 *				of A c, summed over reactors, that remains when each is
 *				multiplied by trust; or of min(A, average A) c, if that is more.
 *
 * Users are the nodes that have edges.
 *
 * Why it is so: accounts that react to each other alone keep each others' c
 * whatever one computes from c.  The power 3/2 makes a group that receives
 * less than the average from elsewhere lose faster in every stage; the limit
 * of 10 keeps anybody from collecting all of it, and small communities alive.
 * The mean of two sweeps is there for stars, which swing with their parity.
 *
 * Sums over all nodes are kept per chunk and added in the order of chunks, as
 * in rank.c.
 *
 * Memory: the trusted rule needs no more arrays than the others.  restart has
 * the divisor of a node's trust while that is handed on, then trust, then q.
 * work[0] has p, by node; work[1] and work[2] what a node hands on for every
 * unit of weight, by slot; and after that work[0] A and work[1] c, by slot.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <math.h>
#include <string.h>

#include "pull.h"
#include "restart.h"

/* Credibility of somebody whom nobody reacted to, by the credible rule. */
#define LEAST_CREDIBILITY	0.02

/* What counts of a pair's weight as activity, by the trusted rule: ln 4. */
#define ACTIVE_MOST			(2 * LN2)

#define TRUST_DAMPING		0.95
#define TRUST_MOST			10.0	/* of the average, as a start of the next stage */
#define TRUST_HALF			0.1		/* of the average: trust is 1/2 */

/* Find a rule by its name; false if there is none of that name. */
bool
restart_named(const char *name, Restart *rule)
{
	static const char *const names[] = {
		[RESTART_UNIFORM] = "uniform",
		[RESTART_ACTIVITY] = "activity",
		[RESTART_CREDIBLE] = "credible",
		[RESTART_TRUSTED] = "trusted"
	};

	for (int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
		{
			*rule = (Restart) i;
			return true;
		}
	return false;
}

/* Credibility, 0 to 1, of the node whose in-edges are a row. */
static double
credibility(const CsrBlock *block, uint32_t row)
{
	double		r = 0;

	for (uint64_t e = block->offset[row]; e < block->offset[row + 1]; e++)
	{
		double		weight = csr_weight(block, e);

		r += weight < LN2 ? weight : LN2;
	}
	return r / (r + LN2);
}

/* What q is proportional to by the rules that need no sums over all nodes. */
static double
simple_weight(Restart rule, double activity, const CsrBlock *block, uint32_t row)
{
	if (rule == RESTART_UNIFORM)
		return 1;
	if (rule == RESTART_ACTIVITY)
		return activity;
	return activity * (LEAST_CREDIBILITY + (1 - LEAST_CREDIBILITY) * credibility(block, row));
}

/* --- sums by source ------------------------------------------------------ */

/* Make an array ready for restart_scatter of its blocks. */
void
restart_clear(const RestartProblem *problem, uint32_t item)
{
	memset(problem->work[item], 0, problem->slots * sizeof(double));
}

/* Add the weights of a block's edges up by source, in the array that it is for. */
void
restart_scatter(const RestartProblem *problem, RestartStep step, uint32_t number)
{
	const CsrBlock block = problem->block[number];
	double	   *sum = problem->work[number % OUT_SUMS];
	uint64_t	edges = csr_edges(&block);

	if (step == RESTART_OUT_CAPPED)
		for (uint64_t e = 0; e < edges; e++)
		{
			double		weight = csr_weight(&block, e);

			sum[block.column[e]] += weight < ACTIVE_MOST ? weight : ACTIVE_MOST;
		}
	else if (step == RESTART_OUT_REACTING)
	{
		for (uint32_t row = 0; row < block.nrows; row++)
			if (problem->out_weight[block.first + row] > 0)
				for (uint64_t e = block.offset[row]; e < block.offset[row + 1]; e++)
					sum[block.column[e]] += csr_weight(&block, e);
	}
	else if (block.code)
		for (uint64_t e = 0; e < edges; e++)
			sum[block.column[e]] += block.dictionary[block.code[e]];
	else
		for (uint64_t e = 0; e < edges; e++)
			sum[block.column[e]] += csr_weight(&block, e);
}

/* What has been added up for a slot. */
static double
scattered(const RestartProblem *problem, uint32_t slot)
{
	double		sum = 0;

	for (int i = 0; i < OUT_SUMS; i++)
		sum += problem->work[i][slot];
	return sum;
}

/* --- steps over chunks --------------------------------------------------- */

/* What the start of the next stage is proportional to for a node. */
static double
next_start(double t)
{
	double		m = t < TRUST_MOST ? t : TRUST_MOST;

	return m * sqrt(m);
}

/* RESTART_WEIGH.  Sums: q; reactors; users.  False: an out-weight is infinite. */
static bool
weigh_chunk(const RestartProblem *problem, const CsrChunk *range, RestartPartial *sum)
{
	const CsrBlock *block = &problem->block[range->block];

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block->first + row;
		double		activity = scattered(problem, csr_slot(block, row));

		if (isinf(activity))
			return false;
		problem->out_weight[v] = activity;
		if (problem->rule != RESTART_TRUSTED)
		{
			problem->restart[v] = simple_weight(problem->rule, activity, block, row);
			sum->sum[0] += problem->restart[v];
		}
		sum->sum[1] += activity > 0;
		sum->sum[2] += activity > 0 || block->offset[row + 1] > block->offset[row];
	}
	return true;
}

/* TRUST_START.  Sums: dangling. */
static void
start_chunk(const RestartProblem *problem, const CsrChunk *range, RestartPartial *sum)
{
	const CsrBlock *block = &problem->block[range->block];
	double	   *start = problem->work[0];
	double	   *share = problem->work[1];
	bool		first = problem->control->sweeps == 0;

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block->first + row;
		double		divisor = problem->restart[v];
		double		p = problem->out_weight[v] > 0 ?
			(first ? 1 : start[v]) / problem->control->total : 0;

		start[v] = p;
		share[csr_slot(block, row)] = divisor > 0 ? p / divisor : 0;
		if (!(divisor > 0))
			sum->sum[0] += p;
	}
}

/*
 * TRUST_SWEEP.  Sums: dangling.  The third of a stage leaves the mean of what
 * its result and the second's hand on.
 */
static void
sweep_chunk(const RestartProblem *problem, const CsrChunk *range, RestartPartial *sum)
{
	const CsrBlock block = problem->block[range->block];
	const RestartControl *control = problem->control;
	const double *start = problem->work[0];
	const double *share = problem->work[1 + control->sweep % 2];
	double	   *next = problem->work[1 + (control->sweep + 1) % 2];
	double		again = TRUST_DAMPING * control->dangling + (1 - TRUST_DAMPING);
	bool		last = control->sweep == TRUST_SWEEPS - 2;

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block.first + row;
		uint32_t	slot = csr_slot(&block, row);
		double		divisor = problem->restart[v];
		double		x;

		if (!(problem->out_weight[v] > 0))
		{
			next[slot] = 0;
			continue;
		}
		x = TRUST_DAMPING * pull(&block, block.offset[row], block.offset[row + 1], share) +
			again * start[v];
		if (!(divisor > 0))
		{
			next[slot] = 0;
			sum->sum[0] += x;
		}
		else
			next[slot] = last ? (x / divisor + share[slot]) / 2 : x / divisor;
	}
}

/* TRUST_RECEIVE and TRUST_SETTLE.  Sums: what the next start is proportional to. */
static void
receive_chunk(const RestartProblem *problem, RestartStep step, const CsrChunk *range,
			  RestartPartial *sum)
{
	const CsrBlock block = problem->block[range->block];
	const double *share = problem->work[1 + (TRUST_SWEEPS - 1) % 2];

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block.first + row;
		double		t = 0;

		if (problem->out_weight[v] > 0)
			t = problem->control->users * pull(&block, block.offset[row], block.offset[row + 1], share);
		if (step == TRUST_SETTLE)
			problem->restart[v] = t / (t + TRUST_HALF);
		else
		{
			problem->work[0][v] = next_start(t);
			sum->sum[0] += problem->work[0][v];
		}
	}
}

/* TRUST_CREDIT.  Sums: c over reactors; A. */
static void
credit_chunk(const RestartProblem *problem, const CsrChunk *range, RestartPartial *sum)
{
	const CsrBlock *block = &problem->block[range->block];

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	slot = csr_slot(block, row);
		double		active = scattered(problem, slot);
		double		c = active > 0 ? credibility(block, row) : 0;

		problem->work[0][slot] = active;
		problem->work[1][slot] = c;
		sum->sum[0] += c;
		sum->sum[1] += active;
	}
}

/* TRUST_COVER.  Sums: A c, A c trust; the same of min(A, average). */
static void
cover_chunk(const RestartProblem *problem, const CsrChunk *range, RestartPartial *sum)
{
	const CsrBlock *block = &problem->block[range->block];
	double		average = problem->control->average;

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	slot = csr_slot(block, row);
		double		active = problem->work[0][slot];
		double		c = problem->work[1][slot];
		double		trust = problem->restart[block->first + row];
		double		all = active * c;
		double		limited = (active < average ? active : average) * c;

		sum->sum[0] += all;
		sum->sum[1] += all * trust;
		sum->sum[2] += limited;
		sum->sum[3] += limited * trust;
	}
}

/* TRUST_WEIGH.  Sums: q. */
static void
trusted_chunk(const RestartProblem *problem, const CsrChunk *range, RestartPartial *sum)
{
	const CsrBlock *block = &problem->block[range->block];
	const RestartControl *control = problem->control;

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block->first + row;
		uint32_t	slot = csr_slot(block, row);
		double		active = problem->work[0][slot];
		double		c = problem->work[1][slot];
		double		most = control->untrusted + (1 - control->untrusted) * problem->restart[v];

		problem->restart[v] = active *
			(control->stranger + (1 - control->stranger) * (c < most ? c : most));
		sum->sum[0] += problem->restart[v];
	}
}

/* TRUST_OUT and RESTART_NORMALISE. */
static void
divide_chunk(const RestartProblem *problem, RestartStep step, const CsrChunk *range)
{
	const CsrBlock *block = &problem->block[range->block];

	for (uint32_t row = range->low; row < range->high; row++)
	{
		uint32_t	v = block->first + row;

		if (step == TRUST_OUT)
			problem->restart[v] = scattered(problem, csr_slot(block, row));
		else
			problem->restart[v] /= problem->control->total;
	}
}

/*
 * Do a step for the rows of one chunk.  False if a node's out-weight is
 * infinite, of which nothing can be computed.
 */
bool
restart_chunk(const RestartProblem *problem, RestartStep step, size_t chunk)
{
	const CsrChunk *range = &problem->chunk[chunk];
	RestartPartial sum = {{0}};
	bool		finite = true;

	switch (step)
	{
		case RESTART_WEIGH:
			finite = weigh_chunk(problem, range, &sum);
			break;
		case TRUST_START:
			start_chunk(problem, range, &sum);
			break;
		case TRUST_SWEEP:
			sweep_chunk(problem, range, &sum);
			break;
		case TRUST_RECEIVE:
		case TRUST_SETTLE:
			receive_chunk(problem, step, range, &sum);
			break;
		case TRUST_CREDIT:
			credit_chunk(problem, range, &sum);
			break;
		case TRUST_COVER:
			cover_chunk(problem, range, &sum);
			break;
		case TRUST_WEIGH:
			trusted_chunk(problem, range, &sum);
			break;
		default:
			divide_chunk(problem, step, range);
	}
	problem->partial[chunk] = sum;
	return finite;
}

/* --- all steps ----------------------------------------------------------- */

/* A sum over all nodes of the last step, in chunk order. */
static double
total(const RestartProblem *problem, int part)
{
	double		sum = 0;

	for (size_t i = 0; i < problem->nchunks; i++)
		sum += problem->partial[i].sum[part];
	return sum;
}

/*
 * Hand trust on.  If nobody who reacts is reacted to by somebody who does,
 * there is none to hand on: then trust is 0 after the first stage, and would
 * be after the others.
 */
static void
solve_trust(RestartProblem *problem, double reactors, RestartRunner run, void *context)
{
	RestartControl *control = problem->control;
	int			stage = 0;

	run(problem, RESTART_OUT_REACTING, context);
	run(problem, TRUST_OUT, context);
	control->total = reactors;
	do
	{
		control->sweep = 0;
		run(problem, TRUST_START, context);
		control->dangling = total(problem, 0);
		while (control->sweep < TRUST_SWEEPS - 1)
		{
			run(problem, TRUST_SWEEP, context);
			control->dangling = total(problem, 0);
			control->sweep++;
			control->sweeps++;
		}
		if (++stage < TRUST_STAGES)
		{
			run(problem, TRUST_RECEIVE, context);
			control->total = total(problem, 0);
			control->sweeps++;
		}
	} while (stage < TRUST_STAGES && control->total > 0);
	run(problem, TRUST_SETTLE, context);
	control->sweeps++;
}

/* How far credibility counts without trust, of what trust covers: phi of v. */
static double
untrusted(double v)
{
	double		ratio;

	if (!(v > 0))
		return 1;
	ratio = (1 - v) / v;
	ratio *= ratio;
	ratio *= ratio;
	return ratio < 1 ? ratio : 1;
}

/* Weigh by the trusted rule, once out-weights are there. */
static void
solve_trusted(RestartProblem *problem, double reactors, RestartRunner run, void *context)
{
	RestartControl *control = problem->control;
	double		sum[RESTART_PARTS];
	double		all,
				limited;

	solve_trust(problem, reactors, run, context);
	run(problem, RESTART_OUT_CAPPED, context);
	run(problem, TRUST_CREDIT, context);
	control->stranger = 1 / (1 + total(problem, 0));
	control->average = total(problem, 1) / reactors;
	run(problem, TRUST_COVER, context);
	for (int i = 0; i < RESTART_PARTS; i++)
		sum[i] = total(problem, i);
	all = sum[0] > 0 ? sum[1] / sum[0] : 0;
	limited = sum[2] > 0 ? sum[3] / sum[2] : 0;
	control->untrusted = untrusted(all > limited ? all : limited);
	run(problem, TRUST_WEIGH, context);
}

/*
 * Find out-weights and q.  Returns the sum of q before it was made 1: if that
 * is infinite q is of no use; if it is 0, as nobody reacts, so is q.  By the
 * uniform rule it is the number of nodes, and q is left as it is: who knows the
 * rule needs no array for it.
 */
double
restart_solve(RestartProblem *problem, RestartRunner run, void *context)
{
	RestartControl *control = problem->control;
	double		reactors;

	memset(control, 0, sizeof(RestartControl));
	run(problem, RESTART_OUT, context);
	run(problem, RESTART_WEIGH, context);
	reactors = total(problem, 1);
	control->users = total(problem, 2);
	if (problem->rule == RESTART_TRUSTED && reactors > 0)
		solve_trusted(problem, reactors, run, context);
	control->total = total(problem, 0);
	if (problem->rule != RESTART_UNIFORM && control->total > 0 && !isinf(control->total))
		run(problem, RESTART_NORMALISE, context);
	return control->total;
}
