/*
 * published.h
 *	  A table of scores, row by row.
 */
#ifndef INFLUENCE_PUBLISHED_H
#define INFLUENCE_PUBLISHED_H

#include "model.h"
#include "publish.h"
#include "writer.h"

/* A table of scores, open for writing. */
typedef struct Published
{
	Writer	   *writer;
	AttrNumber	facet,			/* columns; 0: there is none */
				user_id,
				score,
				percentile,
				influence,
				audience,
				responses,
				activity,
				relevance,
				engagement,
				enthusiasm,
				recorded;
} Published;

/* The history of scores, open for what one run records. */
typedef struct Recorder
{
	Writer	   *writer;
	int64		this_run;
	TimestampTz as_of;
	AttrNumber	user_id,		/* columns */
				run,
				at,
				score;
} Recorder;

/* What is published of a user. */
typedef struct PublishedRow
{
	float		score;
	float		percentile;
	double		influence;
	int64		audience;
	double		responses;
	double		activity;
	float		relevance;		/* by topic, like those that follow */
	float		engagement;
	float		enthusiasm;
} PublishedRow;

/* A column of a slot that slot_getallattrs was called for. */
#define SLOT_VALUE(slot, attno)		((slot)->tts_values[(attno) - 1])
#define SLOT_IS_NULL(slot, attno)	((slot)->tts_isnull[(attno) - 1])

extern void published_open(Published *table, const Model *model, Oid relid, const char *facet);
extern bool published_renew(const Published *table, const Recorder *recorder,
							TupleTableSlot *old, TupleTableSlot *new, const PublishedRow *row);
extern void published_insert(const Published *table, const Recorder *recorder, Datum user_id,
							 Datum facet, const PublishedRow *row);
extern void recorder_open(Recorder *recorder, const Model *model, int64 run, TimestampTz at);

/* What is to be published of a user, by number, in the table of the whole graph. */
static inline PublishedRow
published_result(const Results *results, uint32 number)
{
	PublishedRow row = {0};

	row.score = results->score[number];
	row.percentile = results->percentile[number];
	row.influence = results->influence[number];
	row.responses = results->responses[number];
	row.activity = results->activity[number];
	row.audience = results->audience[number];
	return row;
}

#endif
