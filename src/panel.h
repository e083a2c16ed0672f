/*
 * panel.h
 *	  The users known at some time, and who drew reactions after it.
 */
#ifndef INFLUENCE_PANEL_H
#define INFLUENCE_PANEL_H

#include "metrics.h"
#include "model.h"

typedef struct Panel Panel;

/* What a run finds out of users. */
typedef enum PanelColumn
{
	PANEL_INFLUENCE,
	PANEL_RESPONSES,
	PANEL_AUDIENCE,
	PANEL_ACTIVITY,
	PANEL_COLUMNS
} PanelColumn;

/* The memory of panels, counted against maintenance_work_mem, and their runs. */
typedef struct Panels
{
	Arena		arena;
	ArenaControl control;
	uint64	   *scratch[4];		/* for metrics, of so many users */
	uint32		scratch_users;
	int			runs;
} Panels;

extern void panels_create(Panels *panels);
extern void panels_free(Panels *panels);
extern Panel *panel_create(Panels *panels, const Model *model, TimestampTz cutoff,
						   TimestampTz until);
extern uint32 panel_users(const Panel *panel);
extern uint32 panel_drew(const Panel *panel);
extern double *panel_column(Panel *panel);
extern void panel_column_free(Panel *panel, double *column);
extern double *panel_reactions(Panel *panel);
extern void panel_run(Panel *panel, const Model *model, double *const column[PANEL_COLUMNS]);
extern Metrics panel_measure(Panel *panel, const double *predictor);
extern Model panel_pagerank(const Model *model);

#endif
