/*
 * influence.c
 *	  What makes the library a module.
 */
#include "postgres.h"

#include "fmgr.h"

#include "known.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

/* Called once in each process that loads the library. */
void
_PG_init(void)
{
	known_register_callbacks();
}
