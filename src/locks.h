/*
 * locks.h
 *	  Locking what a run reads, before its snapshot is taken.
 */
#ifndef INFLUENCE_LOCKS_H
#define INFLUENCE_LOCKS_H

#include "model.h"

extern void locks_take(const Model *model);

#endif
