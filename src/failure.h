/*
 * failure.h
 *	  A record of runs that failed.
 */
#ifndef INFLUENCE_FAILURE_H
#define INFLUENCE_FAILURE_H

#include "refresh.h"

extern void failure_record(const Catalog *catalog, const Model *model, const Run *run,
						   const ErrorData *error);
extern void failure_lock(const Model *model);

#endif
