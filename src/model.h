/*
 * model.h
 *	  Models: what is defined, and where that is kept.
 */
#ifndef INFLUENCE_MODEL_H
#define INFLUENCE_MODEL_H

#include "utils/jsonb.h"
#include "utils/relcache.h"

#include "catalog.h"
#include "ids.h"
#include "score.h"

/* A row of influence_model. */
typedef struct Model
{
	char	   *name;
	Oid			interactions;
	char	   *source;			/* columns of interactions; NULL: none */
	char	   *target;
	char	   *weight;
	char	   *at;
	char	   *kind;
	char	   *network;
	char	   *topic;
	Jsonb	   *kind_weights;	/* or NULL */
	Jsonb	   *network_weights;
	Interval   *half_life_interval; /* or NULL */
	double		half_life;		/* the same in seconds; 0: no decay */
	char	   *pair_weight;
	char	   *restart;
	Jsonb	   *mixture_json;	/* or NULL */
	Mixture		mixture;
	double		damping;
	double		tolerance;
	int			max_iterations;
	Oid			topic_parents;	/* or invalid */
	int			keep_graphs;	/* of so many runs */
	double		score_tolerance;	/* of incremental refreshes */
	IdType		id_type;
	Oid			scores;
	Oid			history;
	Oid			networks;		/* invalid: interactions have none */
	Oid			topics;
	Oid			graph;
	Oid			chances;		/* invalid: none were learned yet */
	Oid			forgotten;
	Oid			queue;			/* invalid: changes are not captured */
	bool		is_default;
	double		reference;		/* the scale; 0: not taken yet */
	double		c;
	int64		runs;
	Interval   *keep_history;	/* or NULL: for ever */
	uint64		basis;			/* see track.c; 0: a full refresh is needed */
	uint64		stored_basis;	/* the same as it was when this was read */
	struct Scales *scales;		/* of networks and topics, while it is run */

	/* of variations that are only computed */
	bool		unweighted;		/* interactions that count weigh 1 each */
	bool		unlabelled;		/* what they are about only weighs */
} Model;

extern Model *model_find(const Catalog *catalog, const char *name, bool lock);
extern void model_store_chances(const Catalog *catalog, const Model *model);
extern void model_store_run(const Catalog *catalog, const Model *model);
extern void model_check_owner(const Model *model);
extern char *model_name_or_null(Datum value);
extern double model_interval_seconds(const Interval *interval);
extern void model_change(const Catalog *catalog, Model *model);
extern Oid	model_id_type_oid(IdType type);

#endif
