/*
 * unkeep.h
 *	  Taking a user out of the graphs that are kept with a model.
 */
#ifndef INFLUENCE_UNKEEP_H
#define INFLUENCE_UNKEEP_H

#include "model.h"

extern int64 unkeep(const Model *model, const Id *id);

#endif
