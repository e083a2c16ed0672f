/*
 * influence.c
 *	  What makes the library a module.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
