/*
 * backtest.h
 *	  What scores would have said about what came next.
 */
#ifndef INFLUENCE_BACKTEST_H
#define INFLUENCE_BACKTEST_H

#include "panel.h"

/* What may predict who draws reactions; all but the score are naive. */
typedef enum Predictor
{
	PREDICTOR_SCORE,
	PREDICTOR_RESPONSES,		/* pair weights received, as they age */
	PREDICTOR_AUDIENCE,			/* people who reacted */
	PREDICTOR_REACTIONS,		/* interactions received */
	PREDICTOR_PAGERANK,			/* panel_pagerank */
	PREDICTOR_ACTIVITY,			/* pair weights given */
	PREDICTORS
} Predictor;

extern const char *const predictor_name[PREDICTORS];

extern void backtest_measure(Panel *panel, const Model *model, bool pagerank,
							 Metrics metrics[PREDICTORS]);
extern void backtest_datum(double metric, Datum *value, bool *isnull);

#endif
