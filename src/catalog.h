/*
 * catalog.h
 *	  The extension's own tables, and statements on them.
 */
#ifndef INFLUENCE_CATALOG_H
#define INFLUENCE_CATALOG_H

#include "fmgr.h"

/* The extension's own tables, in the schema it is installed in. */
typedef struct Catalog
{
	Oid			schema;			/* it, */
	Oid			model;			/* influence_model, */
	Oid			owner;			/* its owner, */
	const char *model_name;		/* and its name, qualified and quoted */
	const char *run_name;		/* of influence_run likewise, */
	const char *scale_name;		/* of influence_scale, */
	const char *failure_name;	/* and of influence_failure */
} Catalog;

extern Catalog catalog_open(FunctionCallInfo fcinfo);
extern Catalog catalog_open_schema(Oid schema);
extern void catalog_execute(const Catalog *catalog, bool read_only, const char *command,
							int nargs, Oid *type, Datum *value, const char *nulls);

/* SPI, with errors raised; catalog_execute wants it. */
extern void spi_begin(void);
extern void spi_end(void);

#endif
