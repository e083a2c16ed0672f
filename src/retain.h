/*
 * retain.h
 *	  Keeping the history of a model in bounds.
 */
#ifndef INFLUENCE_RETAIN_H
#define INFLUENCE_RETAIN_H

#include "model.h"

extern void retain_prepare(const Model *model);
extern void retain_history(const Model *model, TimestampTz as_of);

#endif
