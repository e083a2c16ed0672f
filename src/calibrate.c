/*
 * calibrate.c
 *	  influence_calibrate: the values of a model's parameters that predict best.
 *
 * The log itself says what predicts who draws reactions: look back from
 * several cutoffs, and compare what was known then with what came after, within
 * a horizon.  The last cutoff is held out: nothing is learned from what came
 * after it, so that its figures say what to expect of the proposal.  What the
 * proposal is learned from (search.c) is over by then.
 *
 * Nothing is locked or written, unless the proposal is to be applied: then the
 * model is altered as by influence_alter_model, if its definition still is the
 * one that the proposal improves on.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "backtest.h"
#include "compat.h"
#include "search.h"
#include "windows.h"

PG_FUNCTION_INFO_V1(influence_calibrate);

/* Cutoffs to learn from, where none are given, and how many horizons apart. */
#define WINDOWS			9
#define SPACING			0.5

/*
 * The parts of the interactions that are known a horizon before the first of
 * them, at least, and at the one that is held out.
 */
#define FIRST_PART		0.2
#define HELD_OUT_PART	0.8

/* Of the result. */
#define COLUMNS			7

typedef struct Calibration
{
	ReturnSetInfo *rsinfo;
	Model	   *model;
	int			n;				/* cutoffs, the last of them held out */
	TimestampTz *cutoff;
	Interval   *horizon;
	double		span;			/* seconds */
} Calibration;

static void
add_row(Calibration *c, const char *section, const char *name, const char *value,
		const char *proposed, const Metrics *metrics)
{
	Datum		datum[COLUMNS] = {CStringGetTextDatum(section), CStringGetTextDatum(name)};
	bool		isnull[COLUMNS] = {false, false, true, true, true, true, true};

	if (value)
		datum[2] = CStringGetTextDatum(value);
	if (proposed)
		datum[3] = CStringGetTextDatum(proposed);
	isnull[2] = value == NULL;
	isnull[3] = proposed == NULL;
	if (metrics)
	{
		backtest_datum(metrics->spearman, &datum[4], &isnull[4]);
		backtest_datum(metrics->ndcg, &datum[5], &isnull[5]);
		backtest_datum(metrics->precision, &datum[6], &isnull[6]);
	}
	tuplestore_putvalues(c->rsinfo->setResult, c->rsinfo->setDesc, datum, isnull);
}

/* --- windows ------------------------------------------------------------- */

static int
compare_times(const void *a, const void *b)
{
	TimestampTz one = *(const TimestampTz *) a;
	TimestampTz other = *(const TimestampTz *) b;

	return one < other ? -1 : one > other;
}

/* Take the cutoffs that are given, in order. */
static void
take_cutoffs(Calibration *c, ArrayType *array)
{
	Datum	   *element;
	bool	   *isnull;

	deconstruct_array(array, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &element, &isnull, &c->n);
	c->cutoff = palloc(Max(c->n, 1) * sizeof(TimestampTz));
	for (int i = 0; i < c->n; i++)
	{
		if (isnull[i] || TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(element[i])))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cutoffs must be finite and not NULL")));
		c->cutoff[i] = DatumGetTimestampTz(element[i]);
	}
	qsort(c->cutoff, c->n, sizeof(TimestampTz), compare_times);
	for (int i = 1; i < c->n; i++)
		if (c->cutoff[i] == c->cutoff[i - 1])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cutoff %s is given twice", windows_show(c->cutoff[i]))));
	if (c->n < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at least two cutoffs are needed"),
				 errdetail("The last one is held out, and the others are learned from.")));
}

/* So many microseconds, in whole hours or days if they are many. */
static Interval *
plain_interval(double usecs)
{
	Interval   *interval = palloc0(sizeof(Interval));

	if (usecs >= 10.0 * USECS_PER_DAY)
		interval->day = (int32) Min(usecs / USECS_PER_DAY, 1e9);
	else if (usecs >= 10.0 * USECS_PER_HOUR)
		interval->time = (int64) (usecs / USECS_PER_HOUR) * USECS_PER_HOUR;
	else
		interval->time = (int64) usecs;
	return interval;
}

static TimestampTz
minus(TimestampTz time, const Interval *interval, double times)
{
	Datum		product = DirectFunctionCall2(interval_mul, IntervalPGetDatum(interval),
											  Float8GetDatum(times));

	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
												   TimestampTzGetDatum(time), product));
}

/*
 * Choose the horizon and the cutoffs that are not given: one that is held out,
 * and others before it, each half a horizon after the one before.
 */
static void
choose_windows(Calibration *c)
{
	const double part[] = {0, FIRST_PART, HELD_OUT_PART, 1};
	TimestampTz time[lengthof(part)];
	TimestampTz held_out;

	windows_quantiles(c->model, lengthof(part), part, time);
	c->span = (double) (time[3] - time[0]) / USECS_PER_SEC;
	if (c->cutoff)
	{
		if (c->horizon == NULL)
			c->horizon = plain_interval((double) (c->cutoff[c->n - 1] - c->cutoff[c->n - 2]));
		return;
	}
	if (c->horizon == NULL)
	{
		held_out = time[2];
		c->horizon = plain_interval(Min((double) (time[3] - time[2]),
										(double) (time[2] - time[1]) / (2 + (WINDOWS - 1) * SPACING)));
	}
	else
		held_out = minus(time[3], c->horizon, 1);
	c->cutoff = palloc((WINDOWS + 1) * sizeof(TimestampTz));
	for (int i = 0; i < WINDOWS; i++)
	{
		TimestampTz cutoff = minus(held_out, c->horizon, 1 + (WINDOWS - 1 - i) * SPACING);

		/* the first ones may be before anything is known */
		if (cutoff >= time[0] && cutoff < held_out)
			c->cutoff[c->n++] = cutoff;
	}
	c->cutoff[c->n++] = held_out;
	if (c->n < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("interactions of model \"%s\" are not from times enough to calibrate it",
						c->model->name),
				 errdetail("They are from %s to %s.", windows_show(time[0]), windows_show(time[3])),
				 errhint("They should be from several times the horizon.")));
}

/* --- figures -------------------------------------------------------------- */

/* Means over windows; of a metric, where it is defined. */
typedef struct Means
{
	Metrics		sum[PREDICTORS];
	int			n[PREDICTORS][3];
} Means;

static void
add_metric(double *sum, int *n, double metric)
{
	if (isnan(metric))
		return;
	*sum += metric;
	++*n;
}

static void
add_metrics(Means *means, const Metrics metrics[PREDICTORS])
{
	for (int p = 0; p < PREDICTORS; p++)
	{
		add_metric(&means->sum[p].spearman, &means->n[p][0], metrics[p].spearman);
		add_metric(&means->sum[p].ndcg, &means->n[p][1], metrics[p].ndcg);
		add_metric(&means->sum[p].precision, &means->n[p][2], metrics[p].precision);
	}
}

static Metrics
mean(const Means *means, Predictor p)
{
	const Metrics *sum = &means->sum[p];
	const int  *n = means->n[p];

	return (Metrics) {
		n[0] ? sum->spearman / n[0] : NAN,
		n[1] ? sum->ndcg / n[1] : NAN,
		n[2] ? sum->precision / n[2] : NAN
	};
}

/*
 * Add the figures of some panels: of the score as it is and as proposed, and
 * of the naive predictors.  Returns by how much the proposal is better.
 */
static double
add_figures(Calibration *c, const char *section, Panel **panel, int n, const Model *proposed)
{
	Means		before = {0};
	Means		after = {0};
	Metrics		metrics[PREDICTORS];
	Metrics		m[2];

	for (int i = 0; i < n; i++)
	{
		backtest_measure(panel[i], c->model, true, metrics);
		add_metrics(&before, metrics);
		backtest_measure(panel[i], proposed, false, metrics);
		metrics[PREDICTOR_PAGERANK] = (Metrics) {NAN, NAN, NAN};
		add_metrics(&after, metrics);
	}
	m[0] = mean(&before, PREDICTOR_SCORE);
	add_row(c, section, "score", NULL, NULL, &m[0]);
	m[1] = mean(&after, PREDICTOR_SCORE);
	add_row(c, section, "score, proposed", NULL, NULL, &m[1]);
	for (int p = PREDICTOR_SCORE + 1; p < PREDICTORS; p++)
	{
		Metrics		naive = mean(&before, p);

		add_row(c, section, predictor_name[p], NULL, NULL, &naive);
		if (p == PREDICTOR_RESPONSES)
		{
			naive = mean(&after, p);
			add_row(c, section, "responses, proposed", NULL, NULL, &naive);
		}
	}
	for (int i = 0; i < 2; i++)
		if (isnan(m[i].spearman))
			m[i].spearman = 0;
	return m[1].spearman + m[1].ndcg - m[0].spearman - m[0].ndcg;
}

/* --- parameters ----------------------------------------------------------- */

static char *
show_half_life(const Model *model)
{
	return model->half_life_interval == NULL ? "none" :
		DatumGetCString(DirectFunctionCall1(interval_out,
											IntervalPGetDatum(model->half_life_interval)));
}

static char *
show_json(Jsonb *json, char *none)
{
	return json == NULL ? none :
		JsonbToCString(NULL, &json->root, VARSIZE_ANY_EXHDR(json));
}

static bool
same_json(const Jsonb *a, const Jsonb *b)
{
	return a == b || (a && b && VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0);
}

static void
add_parameters(Calibration *c, const Model *proposed)
{
	Model	   *model = c->model;

	add_row(c, "parameter", "half_life", show_half_life(model), show_half_life(proposed), NULL);
	add_row(c, "parameter", "damping", psprintf("%g", model->damping),
			psprintf("%g", proposed->damping), NULL);
	add_row(c, "parameter", "mixture", show_json(model->mixture_json, "{\"rank\": 1}"),
			show_json(proposed->mixture_json, "{\"rank\": 1}"), NULL);
	if (model->kind)
		add_row(c, "parameter", "kind_weights", show_json(model->kind_weights, "{}"),
				show_json(proposed->kind_weights, "{}"), NULL);
}

/* Alter the model, if it still is what was calibrated. */
static void
apply_proposal(const Catalog *catalog, const Model *calibrated, const Model *proposed)
{
	Model	   *model = model_find(catalog, calibrated->name, true);

	model_check_owner(model);
	if (model->interactions != calibrated->interactions || model->half_life != calibrated->half_life ||
		model->damping != calibrated->damping ||
		!same_json(model->mixture_json, calibrated->mixture_json) ||
		!same_json(model->kind_weights, calibrated->kind_weights) ||
		strcmp(model->pair_weight, calibrated->pair_weight) != 0 ||
		strcmp(model->restart, calibrated->restart) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("model \"%s\" was altered while it was calibrated", model->name),
				 errhint("Calibrate it again.")));
	model->half_life = proposed->half_life;
	model->half_life_interval = proposed->half_life_interval;
	model->damping = proposed->damping;
	model->mixture_json = proposed->mixture_json;
	model->kind_weights = proposed->kind_weights;
	model_change(catalog, model);
}

/*
 * influence_calibrate(model text, cutoffs timestamptz[], horizon interval,
 *					   max_runs int, apply boolean)
 * returns table (section text, name text, value text, proposed text,
 *				  spearman float8, ndcg_100 float8, precision_100 float8)
 *
 * Propose values for half_life, damping, mixture and kind_weights of a model
 * that predict best who draws reactions within the horizon after each of the
 * cutoffs but the last one, and show how well they do there and after the last
 * one, beside the values that the model has, and naive predictors.  The search
 * for them spends max_runs runs of the engine.  If apply is true the model
 * gets the proposed values, unless they did worse after the last cutoff.
 * Raises an error for a model or cutoffs that are not possible, if nobody drew
 * reactions after them, if apply is true and the caller does not own the
 * model, and the errors of a refresh.
 */
Datum
influence_calibrate(PG_FUNCTION_ARGS)
{
	Calibration c = {.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo};
	Catalog		catalog = catalog_open(fcinfo);
	bool		apply = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	bool		applied = false;
	Panels		panels;
	Panel	  **panel;
	Panel	   *held_out;
	Search		search = {.panels = &panels, .most_runs = PG_ARGISNULL(3) ? INT_MAX : PG_GETARG_INT32(3)};
	TimestampTz last;
	Setting		best;
	Model		proposed;
	StringInfoData cutoffs;
	double		gain;

	InitMaterializedSRF(fcinfo, 0);
	if (apply)
		PreventCommandIfReadOnly("influence_calibrate()");
	c.model = model_find(&catalog, PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	if (apply)
		model_check_owner(c.model);
	windows_require_times(c.model, "influence_calibrate");
	if (search.most_runs < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_runs must not be negative")));
	if (!PG_ARGISNULL(1))
		take_cutoffs(&c, PG_GETARG_ARRAYTYPE_P(1));
	if (!PG_ARGISNULL(2))
	{
		c.horizon = PG_GETARG_INTERVAL_P(2);
		(void) windows_end(GetCurrentTransactionStartTimestamp(), c.horizon);
	}
	choose_windows(&c);

	/* panels in which nobody drew anything say nothing */
	panels_create(&panels);
	last = c.cutoff[c.n - 1];
	panel = palloc(c.n * sizeof(Panel *));
	search.window = palloc0(c.n * sizeof(SearchWindow));
	initStringInfo(&cutoffs);
	for (int i = 0; i < c.n - 1; i++)
	{
		TimestampTz end = windows_end(c.cutoff[i], c.horizon);

		if (end > last)
		{
			if (!PG_ARGISNULL(1))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("horizon after cutoff %s does not end by the last cutoff, %s",
								windows_show(c.cutoff[i]), windows_show(last)),
						 errdetail("The last cutoff is held out: what is learned from must be over by then.")));
			end = last;			/* clocks have changed */
		}
		panel[search.windows] = panel_create(&panels, c.model, c.cutoff[i], end);
		if (panel_drew(panel[search.windows]) == 0)
			continue;
		appendStringInfo(&cutoffs, "%s%s", search.windows ? ", " : "", windows_show(c.cutoff[i]));
		search.window[search.windows].panel = panel[search.windows];
		search.windows++;
	}
	held_out = panel_create(&panels, c.model, last, windows_end(last, c.horizon));
	if (search.windows == 0 || panel_drew(held_out) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nobody who was known drew reactions after %s",
						search.windows == 0 ? "any cutoff to learn from" : "the cutoff that is held out"),
				 errhint("Choose other cutoffs or a longer horizon.")));

	search.model = c.model;
	search.span = c.span;
	if (search_drew(&search) < SEARCH_LEAST_DREW)
		ereport(WARNING,
				(errmsg("too few users drew reactions to calibrate model \"%s\"", c.model->name),
				 errdetail("%.0f of those who were known did so within the horizon after a cutoff, in the mean; at least %d are needed.",
						   search_drew(&search), SEARCH_LEAST_DREW),
				 errhint("Choose later cutoffs or a longer horizon.")));
	search_kinds(&search, last);
	best = search_best(&search);
	proposed = search_model(&search, &best);

	add_parameters(&c, &proposed);
	(void) add_figures(&c, "training", panel, search.windows, &proposed);
	gain = add_figures(&c, "held out", &held_out, 1, &proposed);
	if (apply && gain < 0)
		ereport(WARNING,
				(errmsg("model \"%s\" is not altered", c.model->name),
				 errdetail("What is proposed predicts worse than what the model says, after the cutoff that was held out.")));
	else if (apply && memcmp(&best, &search.present, sizeof(Setting)) != 0)
	{
		apply_proposal(&catalog, c.model, &proposed);
		applied = true;
	}
	add_row(&c, "search", "cutoffs", cutoffs.data, NULL, NULL);
	add_row(&c, "search", "held-out cutoff", windows_show(last), NULL, NULL);
	add_row(&c, "search", "horizon",
			DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(c.horizon))), NULL, NULL);
	add_row(&c, "search", "runs", psprintf("%d", panels.runs), NULL, NULL);
	add_row(&c, "search", "applied", applied ? "true" : "false", NULL, NULL);
	panels_free(&panels);
	return (Datum) 0;
}
