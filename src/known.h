/*
 * known.h
 *	  What a session knows of models.
 */
#ifndef INFLUENCE_KNOWN_H
#define INFLUENCE_KNOWN_H

#include "ids.h"
#include "model.h"
#include "tables.h"

/* A model, under what it was asked for by. */
typedef struct KnownModel
{
	char		name[NAMEDATALEN + 1];	/* hash key: "=" and a name; or empty, for
										 * the model meant by NULL */
	Oid			table[MODEL_TABLES];	/* of scores, by ModelTable; others, and
									 * those it does not have, are invalid */
	IdType		id_type;
} KnownModel;

/* Raised whenever something that was looked up may have changed. */
extern uint64 known_generation;

extern KnownModel known_find(FunctionCallInfo fcinfo, const char *name);
extern void known_register_callbacks(void);

#endif
