/*
 * spread.c
 *	  How far activity spreads from seeds, by simulation.
 *
 * The cascades of cascade.c as they are told, forward in time: whoever becomes
 * active acts once on those who give attention to them.  Nothing is taken over
 * from the drawing of reverse-reachable sets but the random numbers, so that
 * the one can be held against the other.
 *
 * Plain C: nothing here allocates, reports errors or knows PostgreSQL.
 */
#include <string.h>

#include "spread.h"

/*
 * Make weights into probabilities or shares.  greatest is scratch, [nodes];
 * by_source is there unless the kind has no shares.
 */
void
spread_prepare(SpreadModel *model, double *greatest)
{
	double	   *weight = model->by_edge;
	double	   *sum = model->by_source;
	uint64_t	edges = model->nodes == 0 ? 0 : model->offset[model->nodes];

	if (model->kind != CASCADE_WEIGHTED && model->kind != CASCADE_THRESHOLD)
		return;
	for (uint32_t v = 0; v < model->nodes; v++)
		greatest[v] = sum[v] = 0;
	for (uint64_t e = 0; e < edges; e++)
	{
		double		w = weight ? weight[e] : 1;

		if (w > greatest[model->column[e]])
			greatest[model->column[e]] = w;
	}
	/* divided by the greatest, weights can be added up whatever they are */
	for (uint64_t e = 0; e < edges; e++)
		sum[model->column[e]] += (weight ? weight[e] : 1) / greatest[model->column[e]];
	if (weight)
		for (uint64_t e = 0; e < edges; e++)
			weight[e] = weight[e] / greatest[model->column[e]] / sum[model->column[e]];
	for (uint32_t v = 0; v < model->nodes; v++)
		if (sum[v] > 0)
			sum[v] = 1 / sum[v];
}

static inline double
edge_probability(const SpreadModel *model, uint64_t e)
{
	return model->by_edge ? model->by_edge[e] :
		model->by_source ? model->by_source[model->column[e]] : model->probability;
}

/* Simulate once; returns how many nodes become active, seeds included. */
uint32_t
spread_simulate(SpreadState *state, const uint32_t *seed, uint32_t nseeds,
				RandomStream *stream)
{
	const SpreadModel *model = state->model;
	uint32_t	touched;
	uint32_t	active;
	uint32_t	n = 0;

	if (++state->run == UINT32_MAX / 2)
	{
		memset(state->mark, 0, model->nodes * sizeof(uint32_t));
		state->run = 1;
	}
	touched = 2 * state->run;
	active = touched + 1;
	for (uint32_t i = 0; i < nseeds; i++)
		if (state->mark[seed[i]] != active)
		{
			state->mark[seed[i]] = active;
			state->queue[n++] = seed[i];
		}
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	v = state->queue[i];

		state->tries += model->offset[v + 1] - model->offset[v];
		for (uint64_t e = model->offset[v]; e < model->offset[v + 1]; e++)
		{
			uint32_t	u = model->column[e];
			bool		convinced;

			if (state->mark[u] == active)
				continue;
			if (model->kind == CASCADE_THRESHOLD)
			{
				if (state->mark[u] != touched)
				{
					state->mark[u] = touched;
					state->pressure[u] = 0;
					state->threshold[u] = random_unit(stream);
				}
				state->pressure[u] += edge_probability(model, e);
				convinced = state->pressure[u] >= state->threshold[u];
			}
			else
				convinced = random_unit(stream) <= edge_probability(model, e);
			if (convinced)
			{
				state->mark[u] = active;
				state->queue[n++] = u;
			}
		}
	}
	return n;
}
