/*
 * model.h
 *	  Models: what is defined, and where that is kept.
 */
#ifndef INFLUENCE_MODEL_H
#define INFLUENCE_MODEL_H

#include "utils/jsonb.h"
#include "utils/relcache.h"

#include "ids.h"

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
	double		damping;
	double		tolerance;
	int			max_iterations;
	IdType		id_type;
	Oid			scores;
	Oid			history;
	bool		is_default;
	double		reference;		/* the scale; 0: not taken yet */
	double		c;
	int64		runs;
} Model;

/* The extension's own tables, in the schema it is installed in. */
typedef struct Catalog
{
	Oid			schema;
	Oid			model;			/* influence_model, */
	Oid			owner;			/* its owner, */
	const char *model_name;		/* and its name, qualified and quoted */
	const char *run_name;		/* of influence_run likewise */
} Catalog;

extern void spi_begin(void);
extern void spi_end(void);

extern Catalog catalog_open(FunctionCallInfo fcinfo);
extern void catalog_execute(const Catalog *catalog, bool read_only, const char *command,
							int nargs, Oid *type, Datum *value, const char *nulls);

extern Model *model_find(const Catalog *catalog, const char *name, bool lock);
extern void model_store_run(const Catalog *catalog, const Model *model);
extern void model_check_owner(const Model *model);
extern void model_check_table(Relation rel, const char *what);
extern Oid	model_id_type_oid(IdType type);

#endif
