/*
 * mixture.h
 *	  What influence is made of.
 */
#ifndef INFLUENCE_MIXTURE_H
#define INFLUENCE_MIXTURE_H

#include "utils/jsonb.h"

#include "score.h"

extern Mixture mixture_from_json(Jsonb *json);

#endif
