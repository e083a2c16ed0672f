/*
 * index.h
 *	  Making indexes of a table that has just been filled.
 */
#ifndef INFLUENCE_INDEX_H
#define INFLUENCE_INDEX_H

#include "utils/relcache.h"

extern bool index_exists(Relation rel, AttrNumber attno);
extern void index_make(Oid table, const char *const *column, int columns, bool primary,
					   int workers);

#endif
