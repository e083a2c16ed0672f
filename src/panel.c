/*
 * panel.c
 *	  The users known at some time, and who drew reactions after it.
 *
 * A panel has a cutoff and an end.  Its users are those of all interactions at
 * or before the cutoff that weigh anything, however old.  What predicts is
 * computed by runs of a model, or of variations of it, as of the cutoff; what
 * is to be predicted by a run of what came after the cutoff, up to the end:
 * how many people reacted to each of the users.  Users who come up only there
 * are not in the panel.
 *
 * Each run numbers users in its own way, so runs are joined by user id: the
 * panel's own numbers are places in a table of ids (ids.c), in an arena whose
 * bytes count as used in the runs too.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "panel.h"
#include "refresh.h"
#include "score.h"

/* Ids that are looked up together. */
#define BATCH	1024

struct Panel
{
	Panels	   *panels;
	TimestampTz cutoff;
	IdsShared  *ids_shared;
	Ids		   *ids;
	uint32		base[ID_PARTITIONS + 1];	/* first number of each partition */
	double	   *reactions;
	Truth		truth;
};

/* Begin, in the current memory context. */
void
panels_create(Panels *panels)
{
	memset(panels, 0, sizeof(Panels));
	arena_create(&panels->arena, &panels->control, false, (uint64) maintenance_work_mem * 1024);
}

/* Give all memory back. */
void
panels_free(Panels *panels)
{
	arena_detach(&panels->arena);
}

static void *
allocate(Panels *panels, Size size)
{
	return arena_address(&panels->arena, arena_alloc(&panels->arena, size));
}

/* Where a run's results go. */
typedef struct Taking
{
	Panel	   *panel;
	bool		first;			/* the panel's users are those of this run */
	double	   *column[PANEL_COLUMNS];	/* by number; NULL: not wanted */
} Taking;

/* Number the users of the panel. */
static void
number_users(Panel *panel)
{
	uint32		n = 0;

	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		panel->base[p] = n;
		n += ids_count(panel->ids_shared, p);
	}
	panel->base[ID_PARTITIONS] = n;
}

uint32
panel_users(const Panel *panel)
{
	return panel->base[ID_PARTITIONS];
}

/* Room for a number for each user, all 0. */
double *
panel_column(Panel *panel)
{
	Size		size = panel_users(panel) * sizeof(double);
	double	   *column = allocate(panel->panels, size);

	memset(column, 0, size);
	return column;
}

/* Give that back. */
void
panel_column_free(Panel *panel, double *column)
{
	arena_free(&panel->panels->arena, (ArenaRef) (uintptr_t) column,
			   panel_users(panel) * sizeof(double));
}

/* The ids of n nodes of a partition, from a place on. */
static void
get_ids(Ids *ids, uint32 partition, uint32 place, int n, Id *id)
{
	for (int i = 0; i < n; i++)
		ids_get(ids, partition << NODE_PLACE_BITS | (place + i), &id[i]);
}

/* Consumer of a run: put what is wanted of it where the panel has its users. */
static void
take(void *context, const Model *model, Ids *ids, Blocks *blocks, const Results *results)
{
	Taking	   *taking = context;
	Panel	   *panel = taking->panel;
	const uint32 *base = blocks->shared->base;
	Id			id[BATCH];
	NodeRef		node[BATCH];

	if (taking->first)
	{
		for (int p = 0; p < ID_PARTITIONS; p++)
			for (uint32 from = base[p]; from < base[p + 1]; from += BATCH)
			{
				int			n = Min(BATCH, base[p + 1] - from);

				CHECK_FOR_INTERRUPTS();
				get_ids(ids, p, from - base[p], n, id);
				ids_assign(panel->ids, id, n, node);
			}
		ids_settle(panel->ids);
		number_users(panel);
		panel->reactions = taking->column[PANEL_RESPONSES] = panel_column(panel);
	}
	for (int p = 0; p < ID_PARTITIONS; p++)
		for (uint32 from = base[p]; from < base[p + 1]; from += BATCH)
		{
			int			n = Min(BATCH, base[p + 1] - from);

			CHECK_FOR_INTERRUPTS();
			get_ids(ids, p, from - base[p], n, id);
			ids_find(panel->ids, id, n, node);
			for (int i = 0; i < n; i++)
			{
				uint32		of = blocks->number[from + i];
				uint32		to;

				if (node[i] == NO_NODE)
					continue;
				to = panel->base[NODE_PARTITION(node[i])] + NODE_PLACE(node[i]);
				/* the order of a sum shows in its last bits, but not to users */
				if (taking->column[PANEL_INFLUENCE])
					taking->column[PANEL_INFLUENCE][to] = results->influence[of];
				if (taking->column[PANEL_RESPONSES])
					taking->column[PANEL_RESPONSES][to] = score_settle(results->responses[of]);
				if (taking->column[PANEL_AUDIENCE])
					taking->column[PANEL_AUDIENCE][to] = results->audience[of];
				if (taking->column[PANEL_ACTIVITY])
					taking->column[PANEL_ACTIVITY][to] = score_settle(results->activity[of]);
			}
		}
}

/* Run a variation on what is dated after since, up to as_of. */
static void
run(Taking *taking, const Model *model, TimestampTz since, TimestampTz as_of)
{
	Panels	   *panels = taking->panel->panels;

	refresh_compute(model, since, as_of, arena_used(&panels->arena), take, taking);
	panels->runs++;
}

/*
 * The panel of a model whose users are known at the cutoff and draw reactions
 * after it, up to until.  Raises the errors of a refresh.
 */
Panel *
panel_create(Panels *panels, const Model *model, TimestampTz cutoff, TimestampTz until)
{
	Panel	   *panel = palloc0(sizeof(Panel));
	Taking		users = {.panel = panel, .first = true};
	Taking		outcome = {.panel = panel};
	Model		counting = *model;
	Size		words;

	panel->panels = panels;
	panel->cutoff = cutoff;
	panel->ids_shared = palloc(sizeof(IdsShared));
	ids_init(panel->ids_shared, model->id_type, false);
	panel->ids = ids_attach(panel->ids_shared, &panels->arena);

	/* interactions that count, one by one: nobody's rank matters */
	counting.unweighted = true;
	counting.half_life = 0;
	counting.pair_weight = "linear";
	counting.damping = 0;
	counting.mixture = (Mixture) {.rank = 1};
	run(&users, &counting, DT_NOBEGIN, cutoff);
	outcome.column[PANEL_AUDIENCE] = panel_column(panel);
	run(&outcome, &counting, cutoff, until);

	words = Max(panel_users(panel), 1) * sizeof(uint64);
	if (panel_users(panel) > panels->scratch_users)
	{
		Size		before = panels->scratch_users * sizeof(uint64);

		for (int i = 0; i < 4; i++)
		{
			if (panels->scratch[i])
				arena_free(&panels->arena, (ArenaRef) (uintptr_t) panels->scratch[i], before);
			panels->scratch[i] = NULL;
		}
		panels->scratch_users = panel_users(panel);
		for (int i = 0; i < 4; i++)
			panels->scratch[i] = allocate(panels, words);
	}
	metrics_truth(&panel->truth, outcome.column[PANEL_AUDIENCE], panel_users(panel),
				  allocate(panels, words), panels->scratch);
	return panel;
}

/* How many users drew reactions; if nobody did, there is nothing to predict. */
uint32
panel_drew(const Panel *panel)
{
	return panel->truth.gainers;
}

/* How many interactions each user had received by the cutoff. */
double *
panel_reactions(Panel *panel)
{
	return panel->reactions;
}

/*
 * Run a variation of the panel's model as of the cutoff, and put what is
 * wanted (not NULL) of it in columns: 0 for users it does not know, to whom
 * what is long past has become nothing.
 */
void
panel_run(Panel *panel, const Model *model, double *const column[PANEL_COLUMNS])
{
	Taking		taking = {.panel = panel};

	for (int c = 0; c < PANEL_COLUMNS; c++)
	{
		taking.column[c] = column[c];
		if (column[c])
			memset(column[c], 0, panel_users(panel) * sizeof(double));
	}
	run(&taking, model, DT_NOBEGIN, panel->cutoff);
}

/* How well a column predicts who drew reactions. */
Metrics
panel_measure(Panel *panel, const double *predictor)
{
	return metrics_measure(&panel->truth, predictor, panel->panels->scratch);
}

/* PageRank as in the literature, on a model's pair weights without ageing. */
Model
panel_pagerank(const Model *model)
{
	Model		variation = *model;

	variation.half_life = 0;
	variation.restart = "uniform";
	variation.damping = 0.85;
	variation.max_iterations = Max(model->max_iterations, 1000);
	variation.mixture = (Mixture) {.rank = 1};
	return variation;
}
