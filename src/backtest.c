/*
 * backtest.c
 *	  influence_backtest: what scores would have said about what came next.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"

#include "backtest.h"
#include "compat.h"
#include "panel.h"
#include "windows.h"

PG_FUNCTION_INFO_V1(influence_backtest);

/* Without a cutoff, so many of the interactions are before it. */
#define KNOWN_PART	0.7

const char *const predictor_name[PREDICTORS] = {
	[PREDICTOR_SCORE] = "score",
	[PREDICTOR_RESPONSES] = "responses",
	[PREDICTOR_AUDIENCE] = "audience",
	[PREDICTOR_REACTIONS] = "reactions",
	[PREDICTOR_PAGERANK] = "pagerank",
	[PREDICTOR_ACTIVITY] = "activity"
};

/*
 * How well a model's score and the naive predictors order the users of a
 * panel.  One run, and another if PageRank is wanted too.
 */
void
backtest_measure(Panel *panel, const Model *model, bool pagerank, Metrics metrics[PREDICTORS])
{
	double	   *column[PANEL_COLUMNS];

	for (int c = 0; c < PANEL_COLUMNS; c++)
		column[c] = panel_column(panel);
	panel_run(panel, model, column);
	metrics[PREDICTOR_SCORE] = panel_measure(panel, column[PANEL_INFLUENCE]);
	metrics[PREDICTOR_RESPONSES] = panel_measure(panel, column[PANEL_RESPONSES]);
	metrics[PREDICTOR_AUDIENCE] = panel_measure(panel, column[PANEL_AUDIENCE]);
	metrics[PREDICTOR_ACTIVITY] = panel_measure(panel, column[PANEL_ACTIVITY]);
	metrics[PREDICTOR_REACTIONS] = panel_measure(panel, panel_reactions(panel));
	if (pagerank)
	{
		double	   *wanted[PANEL_COLUMNS] = {[PANEL_INFLUENCE] = column[PANEL_INFLUENCE]};
		Model		variation = panel_pagerank(model);

		panel_run(panel, &variation, wanted);
		metrics[PREDICTOR_PAGERANK] = panel_measure(panel, column[PANEL_INFLUENCE]);
	}
	for (int c = 0; c < PANEL_COLUMNS; c++)
		panel_column_free(panel, column[c]);
}

/* A metric for a result; NULL where it is not defined. */
void
backtest_datum(double metric, Datum *value, bool *isnull)
{
	*isnull = isnan(metric);
	*value = Float8GetDatum(metric);
}

/*
 * influence_backtest(model text, cutoff timestamptz, horizon interval)
 * returns table (predictor text, users bigint, spearman float8,
 *				  ndcg_100 float8, precision_100 float8)
 *
 * How well what was known at the cutoff says who draws reactions, by how many
 * people, after it and within the horizon: the model's score, and naive
 * predictors beside it.  Without a cutoff, 70 % of the interactions are before
 * it; without a horizon, it is until now.  Raises an error if there is no such
 * model, its interactions have no times, or the horizon is empty, and the
 * errors of a refresh; but nothing is written, so that reading the
 * interactions is all the caller must be allowed to do.
 */
Datum
influence_backtest(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Catalog		catalog = catalog_open(fcinfo);
	const double part[] = {KNOWN_PART};
	TimestampTz cutoff;
	TimestampTz until;
	Metrics		metrics[PREDICTORS];
	Model	   *model;
	Panels		panels;
	Panel	   *panel;

	InitMaterializedSRF(fcinfo, 0);
	model = model_find(&catalog, PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	windows_require_times(model, "influence_backtest");
	if (PG_ARGISNULL(1))
	{
		windows_quantiles(model, 1, part, &cutoff);
		ereport(NOTICE,
				(errmsg("cutoff is %s", windows_show(cutoff)),
				 errdetail("%g %% of the interactions are not after it.", 100 * KNOWN_PART)));
	}
	else
		cutoff = PG_GETARG_TIMESTAMPTZ(1);
	until = windows_end(cutoff, PG_ARGISNULL(2) ? NULL : PG_GETARG_INTERVAL_P(2));

	panels_create(&panels);
	panel = panel_create(&panels, model, cutoff, until);
	backtest_measure(panel, model, true, metrics);
	for (int p = 0; p < PREDICTORS; p++)
	{
		Datum		value[5] = {CStringGetTextDatum(predictor_name[p]),
		Int64GetDatum(panel_users(panel))};
		bool		isnull[5] = {false};

		backtest_datum(metrics[p].spearman, &value[2], &isnull[2]);
		backtest_datum(metrics[p].ndcg, &value[3], &isnull[3]);
		backtest_datum(metrics[p].precision, &value[4], &isnull[4]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	panels_free(&panels);
	return (Datum) 0;
}
