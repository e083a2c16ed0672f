/*
 * lookup.h
 *	  influence_score: the query path.
 */
#ifndef INFLUENCE_LOOKUP_H
#define INFLUENCE_LOOKUP_H

extern void lookup_register_callbacks(void);

#endif
