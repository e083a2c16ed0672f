/*
 * search.c
 *	  Looking for the values of a model's parameters that predict best.
 *
 * What is looked for: half-life, damping, the weights of kinds, and what
 * influence is mixed of.  A setting of these has a figure for each window,
 * (Spearman + NDCG) / 2 of its influence (metrics.c), and is worth
 *
 *		mean gain - DOUBT * standard error of the mean gain - penalty,
 *
 * where the gain is how much greater the figure is than that of the model's
 * present values, window by window; and the penalty is PENALTY / n for each
 * factor of two by which half-life or a weight differ from their present values,
 * for DAMPING_UNIT of damping, and for MIXTURE_UNIT of the mixture, n being the
 * number of users who drew reactions in the mean window: like the logarithm of
 * a prior, it weighs less the more there is to learn from.  So the present
 * values are worth 0, what replaces them has to be better in more than a window
 * by chance, and what does not help stays as it is.
 *
 * The search is a pattern search (Hooke and Jeeves 1961) along the axes: go
 * through the parameters one by one, step up, or else down, as long as that
 * makes the setting worth more; halve the steps when no parameter moves.  It
 * is deterministic, finds a maximum from which no step of the smallest size
 * leads up, and ends early when it has spent its runs.
 *
 * Half-life, damping and weights need a run of the engine for each window and
 * step.  Mixtures do not: influence is the sum of three parts, which the last
 * run left, so that trying one is a matter of sorting users.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "mixture.h"
#include "search.h"
#include "source.h"
#include "weights.h"

/* See above.  By rolling trials on four data sets. */
#define DOUBT			0.5
#define PENALTY			0.1
#define DAMPING_UNIT	0.2
#define MIXTURE_UNIT	0.2

/* Ageing or not differs by as much as so many factors of two. */
#define AGEING_DOUBLINGS	3

/* Steps: factors are powers of two with these exponents. */
#define LEVELS			3
static const double factor_step[LEVELS] = {2, 1, 0.5};
static const double damping_step[LEVELS] = {0.2, 0.1, 0.05};
static const double mixture_step[LEVELS] = {0.4, 0.2, 0.1};

/* The part of the mixture that stays with ranks, if it is with them now. */
#define LEAST_RANK		0.5

/* Rounds through all parameters with one size of steps. */
#define MOST_ROUNDS		4

/* A difference that is none. */
#define EPSILON			1e-9

/* A thousandth of what it was, a weight is as good as none. */
#define MOST_DOUBLINGS	10

/* Half-lives that are proposed are within these bounds, in seconds. */
#define HALF_LIFE_LEAST	1.0
#define HALF_LIFE_MOST	(1000.0 * 365 * SECS_PER_DAY)

/* The parameters in the order in which they are moved. */
#define PARAMETER_MIXTURE	0
#define PARAMETER_HALF_LIFE	1
#define PARAMETER_DAMPING	2
#define PARAMETER_KIND		3	/* and following */

/* --- kinds -------------------------------------------------------------- */

typedef struct Finding
{
	const char *name;
	double		weight;
} Finding;

static void
find_weight(void *context, const char *name, uint32 length, double weight)
{
	Finding    *finding = context;

	if (strlen(finding->name) == length && memcmp(finding->name, name, length) == 0)
		finding->weight = weight;
}

/*
 * Find the kinds whose weights are to be looked for, and the present weights:
 * the most frequent ones among the interactions until some time, except for
 * those that the model leaves out.  Read by a query, with the caller's rights.
 */
void
search_kinds(Search *search, TimestampTz until)
{
	MemoryContext context = CurrentMemoryContext;
	const Model *model = search->model;
	Relation	rel;
	Oid			type[] = {TIMESTAMPTZOID};
	Datum		value[] = {TimestampTzGetDatum(until)};

	search->kinds = 0;
	if (model->kind == NULL)
		return;
	rel = source_open(model);
	spi_begin();
	if (SPI_execute_with_args(psprintf("SELECT kind FROM (SELECT CAST(%s AS pg_catalog.text) AS kind,"
									   " CAST(%s AS pg_catalog.timestamptz) AS at FROM %s) i"
									   " WHERE kind IS NOT NULL AND at OPERATOR(pg_catalog.<=) $1"
									   " GROUP BY kind ORDER BY pg_catalog.count(*) DESC, kind COLLATE pg_catalog.\"C\"",
									   quote_identifier(model->kind), quote_identifier(model->at),
									   quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
																  RelationGetRelationName(rel))),
							  1, type, value, NULL, true, SEARCH_KINDS) != SPI_OK_SELECT)
		elog(ERROR, "could not read kinds of interactions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Finding		finding = {SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1), 1};

		if (model->kind_weights)
			weights_each("kind_weights", model->kind_weights, find_weight, &finding);
		if (finding.weight == 0)
			continue;
		search->kind[search->kinds] = MemoryContextStrdup(context, finding.name);
		search->present.weight[search->kinds++] = finding.weight;
	}
	spi_end();
	relation_close(rel, NoLock);
	/* the weight of an only kind is nothing but a scale */
	if (search->kinds == 1)
		search->kinds = 0;
}

/* --- settings and models ------------------------------------------------ */

static double *
mixture_part(Mixture *mixture, int part)
{
	return part == 0 ? &mixture->rank : part == 1 ? &mixture->responses : &mixture->audience;
}

/* A number with two significant digits, rounded to what they are read as. */
static double
two_digits(double x)
{
	double		exponent = floor(log10(x)) - 1;

	return exponent >= 0 ? nearbyint(x / pow(10, exponent)) * pow(10, exponent) :
		nearbyint(x * pow(10, -exponent)) / pow(10, -exponent);
}

/* A half-life that is easy to say. */
static double
plain_half_life(double seconds)
{
	static const double unit[] = {SECS_PER_DAY, SECS_PER_HOUR, SECS_PER_MINUTE, 1};

	seconds = Min(Max(seconds, HALF_LIFE_LEAST), HALF_LIFE_MOST);
	for (int i = 0; i < lengthof(unit); i++)
		if (seconds >= 2 * unit[i] || i == lengthof(unit) - 1)
			return nearbyint(two_digits(seconds / unit[i])) * unit[i];
	return seconds;
}

static Interval *
interval_of(double seconds)
{
	Interval   *interval = palloc0(sizeof(Interval));
	double		days = floor(seconds / SECS_PER_DAY);

	interval->day = (int32) days;
	interval->time = (int64) rint((seconds - days * SECS_PER_DAY) * USECS_PER_SEC);
	return interval;
}

typedef struct Writing
{
	StringInfo	json;
	const Search *search;
} Writing;

static void
write_weight(StringInfo json, const char *name, double weight)
{
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(weight, number);
	appendStringInfoString(json, json->len > 1 ? ", " : "");
	escape_json(json, name);
	appendStringInfo(json, ": %s", number);
}

/* Write the weight of a kind that is not looked for. */
static void
write_other(void *context, const char *name, uint32 length, double weight)
{
	Writing    *writing = context;
	char	   *copy = pnstrdup(name, length);

	for (int k = 0; k < writing->search->kinds; k++)
		if (strcmp(writing->search->kind[k], copy) == 0)
			return;
	write_weight(writing->json, copy, weight);
}

static Jsonb *
jsonb_of(StringInfo json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data)));
}

/* The model with the values of a setting, in the current memory context. */
Model
search_model(const Search *search, const Setting *setting)
{
	const Setting *present = &search->present;
	Model		model = *search->model;
	StringInfoData json;

	model.damping = setting->damping;
	if (setting->half_life != present->half_life)
	{
		model.half_life = setting->half_life;
		model.half_life_interval = setting->half_life > 0 ? interval_of(setting->half_life) : NULL;
	}
	if (memcmp(&setting->mixture, &present->mixture, sizeof(Mixture)) != 0)
	{
		static const char *const part[] = {"rank", "responses", "audience"};
		Mixture		mixture = setting->mixture;

		initStringInfo(&json);
		appendStringInfoChar(&json, '{');
		for (int p = 0; p < 3; p++)
			if (*mixture_part(&mixture, p) > EPSILON)
				write_weight(&json, part[p], nearbyint(*mixture_part(&mixture, p) * 1e4) / 1e4);
		appendStringInfoChar(&json, '}');
		model.mixture_json = jsonb_of(&json);
		model.mixture = mixture_from_json(model.mixture_json);
	}
	if (memcmp(setting->weight, present->weight, search->kinds * sizeof(double)) != 0)
	{
		Writing		writing = {&json, search};

		initStringInfo(&json);
		appendStringInfoChar(&json, '{');
		for (int k = 0; k < search->kinds; k++)
			write_weight(&json, search->kind[k], setting->weight[k]);
		if (model.kind_weights)
			weights_each("kind_weights", model.kind_weights, write_other, &writing);
		appendStringInfoChar(&json, '}');
		model.kind_weights = jsonb_of(&json);
	}
	return model;
}

/* --- what a setting is worth --------------------------------------------- */

static double
doublings(double a, double b)
{
	if ((a > 0) != (b > 0))
		return AGEING_DOUBLINGS;
	return a > 0 ? fabs(log2(a / b)) : 0;
}

/* The penalty of a setting. */
static double
penalty(const Search *search, const Setting *setting)
{
	const Setting *present = &search->present;
	double		units = doublings(setting->half_life, present->half_life) +
		fabs(setting->damping - present->damping) / DAMPING_UNIT +
		(fabs(setting->mixture.rank - present->mixture.rank) +
		 fabs(setting->mixture.responses - present->mixture.responses) +
		 fabs(setting->mixture.audience - present->mixture.audience)) / 2 / MIXTURE_UNIT;

	for (int k = 0; k < search->kinds; k++)
		units += doublings(setting->weight[k], present->weight[k]);
	return PENALTY * units / search->drew;
}

/* The figure of a mixture of parts in a window. */
static double
figure(Search *search, SearchWindow *window, int which, const Mixture *mixture)
{
	double	   *const *part = window->part[which];
	uint32		n = panel_users(window->panel);
	double		sum[3] = {0, 0, 0};
	MixtureUnits units;
	Metrics		metrics;

	for (int p = 0; p < 3; p++)
		for (uint32 i = 0; i < n; i++)
			sum[p] += part[p][i];
	units = score_units(mixture, sum[0], sum[1], sum[2]);
	for (uint32 i = 0; i < n; i++)
		search->mixed[i] = score_settle(units.rank * part[0][i] + units.response * part[1][i] +
										units.person * part[2][i]);
	CHECK_FOR_INTERRUPTS();
	metrics = panel_measure(window->panel, search->mixed);
	/* who says the same of all says nothing */
	return ((isnan(metrics.spearman) ? 0 : metrics.spearman) + metrics.ndcg) / 2;
}

/* What a setting is worth whose parts are there. */
static double
worth(Search *search, const Setting *setting, int which)
{
	double		mean = 0;
	double		squares = 0;

	for (int w = 0; w < search->windows; w++)
	{
		SearchWindow *window = &search->window[w];
		double		gain = figure(search, window, which, &setting->mixture) - window->present;
		double		more = gain - mean;

		/* running mean and sum of squared deviations (Welford 1962) */
		mean += more / (w + 1);
		squares += more * (gain - mean);
	}
	if (search->windows > 1)
		mean -= DOUBT * sqrt(squares / (search->windows - 1) / search->windows);
	return mean - penalty(search, setting);
}

/* Run the engine with a setting for all windows, which leaves its parts. */
static void
run_windows(Search *search, const Setting *setting, int which)
{
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "influence trial",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	Model		model = search_model(search, setting);

	model.mixture = (Mixture) {.rank = 1};
	model.max_iterations = Max(model.max_iterations, 1000);
	for (int w = 0; w < search->windows; w++)
	{
		SearchWindow *window = &search->window[w];
		double	   *const column[PANEL_COLUMNS] = {
			[PANEL_INFLUENCE] = window->part[which][0],
			[PANEL_RESPONSES] = window->part[which][1],
			[PANEL_AUDIENCE] = window->part[which][2]
		};

		panel_run(window->panel, &model, column);
		search->runs++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(own);
}

/* --- moving --------------------------------------------------------------- */

/*
 * Take a setting if it is worth more than the best one, *most.  Runs of the
 * engine are needed unless it differs in its mixture only.
 */
static bool
take_if_better(Search *search, Setting *best, double *most, const Setting *trial, bool run)
{
	int			which = run ? !search->which : search->which;
	double		value;

	if (run)
	{
		if (search->runs + search->windows > search->most_runs)
			return false;
		run_windows(search, trial, which);
	}
	value = worth(search, trial, which);
	if (value <= *most + EPSILON)
		return false;
	*most = value;
	*best = *trial;
	search->which = which;
	return true;
}

/* Move a step's worth of the mixture from one part to another while that helps. */
static bool
move_mixture(Search *search, Setting *best, double *most, int level)
{
	bool		moved = false;

	for (int pair = 0; pair < 9; pair++)
	{
		int			from = pair / 3;
		int			to = pair % 3;

		/* ranks resist bots, which the log may not have seen; that costs nothing */
		double		least = from == 0 ? Min(LEAST_RANK, search->present.mixture.rank) : 0;

		while (from != to && *mixture_part(&best->mixture, from) > least + EPSILON)
		{
			Setting		trial = *best;
			double		mass = Min(mixture_step[level], *mixture_part(&trial.mixture, from) - least);

			*mixture_part(&trial.mixture, from) -= mass;
			*mixture_part(&trial.mixture, to) += mass;
			if (!take_if_better(search, best, most, &trial, false))
				break;
			moved = true;
		}
	}
	return moved;
}

/* A value near the present one is the present one: rounding has moved it. */
static double
snap(double value, double present)
{
	return present > 0 && fabs(log2(value / present)) < factor_step[LEVELS - 1] / 4 ? present : value;
}

/* The setting a step away along a parameter; false: there is none. */
static bool
step(const Search *search, const Setting *from, int parameter, int level, int sign, Setting *to)
{
	double		factor = exp2(sign * factor_step[level]);
	double		present;

	*to = *from;
	if (parameter == PARAMETER_HALF_LIFE)
	{
		to->half_life = snap(plain_half_life(from->half_life * factor), search->present.half_life);
		return from->half_life > 0 && to->half_life != from->half_life;
	}
	if (parameter == PARAMETER_DAMPING)
	{
		to->damping = nearbyint((from->damping + sign * damping_step[level]) * 100) / 100;
		to->damping = Max(0, Min(to->damping, Max(search->damping_most, from->damping)));
		return to->damping != from->damping;
	}
	present = search->present.weight[parameter - PARAMETER_KIND];
	to->weight[parameter - PARAMETER_KIND] =
		snap(two_digits(from->weight[parameter - PARAMETER_KIND] * factor), present);
	return doublings(to->weight[parameter - PARAMETER_KIND], present) <= MOST_DOUBLINGS;
}

/* Begin or stop to age. */
static bool
switch_ageing(Search *search, Setting *best, double *most)
{
	Setting		trial = *best;
	bool		moved = false;

	trial.half_life = 0;
	if (best->half_life > 0)
		return take_if_better(search, best, most, &trial, true);
	for (double part = 1; part <= 256 && search->span > 0; part *= 4)
	{
		trial.half_life = plain_half_life(search->span / part);
		if (take_if_better(search, best, most, &trial, true))
			moved = true;
	}
	return moved;
}

/* Move along a parameter, up or else down, while that helps. */
static bool
move(Search *search, Setting *best, double *most, int parameter, int level)
{
	bool		moved = false;

	if (parameter == PARAMETER_MIXTURE)
		return move_mixture(search, best, most, level);
	for (int sign = 1; sign >= -1 && !moved; sign -= 2)
	{
		Setting		trial;

		while (step(search, best, parameter, level, sign, &trial) &&
			   take_if_better(search, best, most, &trial, true))
			moved = true;
	}
	return moved;
}

/* How many users drew reactions in the mean window. */
double
search_drew(const Search *search)
{
	double		drew = 0;

	for (int w = 0; w < search->windows; w++)
		drew += (double) panel_drew(search->window[w].panel) / search->windows;
	return drew;
}

/*
 * The best setting that is found: the model's present values if none is better.
 * The windows' panels are there; their columns are made here.
 */
Setting
search_best(Search *search)
{
	const Model *model = search->model;
	Setting		best;
	double		most = 0;
	Panel	   *largest = search->window[0].panel;

	search->drew = search_drew(search);
	search->present.half_life = model->half_life;
	search->present.damping = model->damping;
	search->present.mixture = model->mixture;
	best = search->present;
	if (search->drew < SEARCH_LEAST_DREW)
		return best;
	/* a model should converge in the iterations it has */
	search->damping_most = floor(pow(model->tolerance, 1.0 / model->max_iterations) * 100) / 100;
	for (int w = 0; w < search->windows; w++)
	{
		SearchWindow *window = &search->window[w];

		for (int i = 0; i < 6; i++)
			window->part[i / 3][i % 3] = panel_column(window->panel);
		if (panel_users(window->panel) > panel_users(largest))
			largest = window->panel;
	}
	search->mixed = panel_column(largest);
	run_windows(search, &best, search->which);
	for (int w = 0; w < search->windows; w++)
		search->window[w].present = figure(search, &search->window[w], search->which, &best.mixture);
	for (int level = 0; level < LEVELS; level++)
	{
		bool		moved = true;

		for (int round = 0; moved && round < MOST_ROUNDS; round++)
		{
			moved = false;
			for (int p = 0; p < PARAMETER_KIND + search->kinds; p++)
			{
				if (p == PARAMETER_HALF_LIFE && level == 0 && round == 0)
					moved |= switch_ageing(search, &best, &most);
				moved |= move(search, &best, &most, p, level);
			}
		}
	}
	return best;
}
