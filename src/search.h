/*
 * search.h
 *	  Looking for the values of a model's parameters that predict best.
 */
#ifndef INFLUENCE_SEARCH_H
#define INFLUENCE_SEARCH_H

#include "panel.h"

/* Weights of more kinds than that are not looked for. */
#define SEARCH_KINDS	16

/* What is looked for. */
typedef struct Setting
{
	double		half_life;		/* seconds; 0: no decay */
	double		damping;
	Mixture		mixture;
	double		weight[SEARCH_KINDS];
} Setting;

/* One window to learn from. */
typedef struct SearchWindow
{
	Panel	   *panel;
	double	   *part[2][3];		/* what influence is mixed of: see evaluate() */
	double		present;		/* figure of the present values */
} SearchWindow;

typedef struct Search
{
	Panels	   *panels;
	const Model *model;
	int			kinds;
	char	   *kind[SEARCH_KINDS];
	double		span;			/* seconds from the first to the last row */
	int			windows;
	SearchWindow *window;
	int			most_runs;		/* of the engine, in the search itself */
	int			runs;
	Setting		present;

	/* while searching */
	double	   *mixed;			/* influence of the users of a window */
	int			which;			/* of the parts: those of the best setting */
	double		damping_most;
	double		drew;			/* users who drew reactions, in the mean window */
} Search;

/*
 * With fewer users who drew reactions in the mean window, what seems to predict
 * is chance: by rolling trials, proposals made things worse.
 */
#define SEARCH_LEAST_DREW	30

extern double search_drew(const Search *search);
extern void search_kinds(Search *search, TimestampTz until);
extern Setting search_best(Search *search);
extern Model search_model(const Search *search, const Setting *setting);

#endif
