/*
 * people.h
 *	  Arguments and results that are users of a model.
 */
#ifndef INFLUENCE_PEOPLE_H
#define INFLUENCE_PEOPLE_H

#include "model.h"

extern Id	people_user(const Model *model, FunctionCallInfo fcinfo);
extern Id  *people_from_array(const Model *model, Datum array, const char *argument, uint32 *n);
extern char *people_text(FunctionCallInfo fcinfo, int argument);
extern Model *people_model(FunctionCallInfo fcinfo, int argument);

/* Scores of a few people, as they are published. */
typedef struct PersonScore
{
	bool		known;
	float		score;
	float		relevance;		/* in a topic */
} PersonScore;

extern PersonScore *people_scores(Model *model, const char *network, const char *topic,
								  const Id *person, uint32 n);

#endif
