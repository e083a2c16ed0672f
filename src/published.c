/*
 * published.c
 *	  A table of scores, row by row.
 *
 * What every way of publishing does to a row: it is rewritten if it is not
 * what it should be, and it keeps what other columns the owner gave it.
 *
 * The history gets a row for a user when the score is 0.01 or more away from
 * the one last recorded there, which the published row remembers: a slow
 * drift is recorded too, once it adds up.  Only the table of the whole graph
 * has a history.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "published.h"

/* A change of a score that is worth a row of history. */
#define NOTABLE			0.01

/*
 * Open a table of scores for writing; facet is what its column of facets is
 * called, NULL for the table of the whole graph.  Raises the errors of
 * writer_open, and one if it lacks a column.  The caller closes the writer.
 */
void
published_open(Published *table, const Model *model, Oid relid, const char *facet)
{
	Oid			id_type = model_id_type_oid(model->id_type);
	bool		topics = facet && strcmp(facet, "topic") == 0;
	Bitmapset  *updated = NULL;
	static const char *const changing[] = {
		"score", "percentile", "influence", "audience", "responses", "activity",
		"relevance", "engagement", "enthusiasm", "recorded"
	};

	memset(table, 0, sizeof(Published));
	for (int i = 0; i < lengthof(changing); i++)
	{
		AttrNumber	attno = get_attnum(relid, changing[i]);

		if (attno > 0)
			updated = bms_add_member(updated, attno);
	}
	table->writer = writer_open(relid, updated);
#define COLUMN(name, type)	(table->name = writer_column(table->writer, #name, (type)))
	if (facet)
		table->facet = writer_column(table->writer, facet, TEXTOID);
	else
		COLUMN(recorded, FLOAT4OID);
	COLUMN(user_id, id_type);
	COLUMN(score, FLOAT4OID);
	COLUMN(percentile, FLOAT4OID);
	COLUMN(influence, FLOAT8OID);
	COLUMN(audience, INT8OID);
	COLUMN(responses, FLOAT8OID);
	COLUMN(activity, FLOAT8OID);
	if (topics)
	{
		COLUMN(relevance, FLOAT4OID);
		COLUMN(engagement, FLOAT4OID);
		COLUMN(enthusiasm, FLOAT4OID);
	}
#undef COLUMN
}

/*
 * Open a model's history for what a run as of a time records.  Errors and
 * closing are those of published_open.
 */
void
recorder_open(Recorder *recorder, const Model *model, int64 run, TimestampTz at)
{
	recorder->writer = writer_open(model->history, NULL);
	recorder->this_run = run;
	recorder->as_of = at;
	recorder->user_id = writer_column(recorder->writer, "user_id",
									  model_id_type_oid(model->id_type));
	recorder->run = writer_column(recorder->writer, "run", INT8OID);
	recorder->at = writer_column(recorder->writer, "at", TIMESTAMPTZOID);
	recorder->score = writer_column(recorder->writer, "score", FLOAT4OID);
}

/* Fill columns of a slot. */
static inline void
set(TupleTableSlot *slot, AttrNumber attno, Datum value)
{
	slot->tts_values[attno - 1] = value;
	slot->tts_isnull[attno - 1] = false;
}

static void
set_row(const Published *table, TupleTableSlot *slot, const PublishedRow *row)
{
	set(slot, table->score, Float4GetDatum(row->score));
	set(slot, table->percentile, Float4GetDatum(row->percentile));
	set(slot, table->influence, Float8GetDatum(row->influence));
	set(slot, table->audience, Int64GetDatum(row->audience));
	set(slot, table->responses, Float8GetDatum(row->responses));
	set(slot, table->activity, Float8GetDatum(row->activity));
	if (table->relevance == 0)
		return;
	set(slot, table->relevance, Float4GetDatum(row->relevance));
	set(slot, table->engagement, Float4GetDatum(row->engagement));
	set(slot, table->enthusiasm, Float4GetDatum(row->enthusiasm));
}

/* Add a row to the history, and note in a new published row that it is there. */
static void
record(const Published *table, const Recorder *recorder, TupleTableSlot *new, Datum user_id,
	   float score)
{
	TupleTableSlot *slot = writer_slot(recorder->writer);

	set(slot, recorder->user_id, user_id);
	set(slot, recorder->run, Int64GetDatum(recorder->this_run));
	set(slot, recorder->at, TimestampTzGetDatum(recorder->as_of));
	set(slot, recorder->score, Float4GetDatum(score));
	writer_insert(recorder->writer);
	set(new, table->recorded, Float4GetDatum(score));
}

#define IS(slot, attno, type, value) \
	(!SLOT_IS_NULL(slot, attno) && DatumGet##type(SLOT_VALUE(slot, attno)) == (value))

/* Is the published row what it should be? */
static bool
is_current(const Published *table, TupleTableSlot *old, const PublishedRow *row)
{
	return IS(old, table->score, Float4, row->score) &&
		IS(old, table->percentile, Float4, row->percentile) &&
		IS(old, table->influence, Float8, row->influence) &&
		IS(old, table->audience, Int64, row->audience) &&
		IS(old, table->responses, Float8, row->responses) &&
		IS(old, table->activity, Float8, row->activity) &&
		(table->relevance == 0 ||
		 (IS(old, table->relevance, Float4, row->relevance) &&
		  IS(old, table->engagement, Float4, row->engagement) &&
		  IS(old, table->enthusiasm, Float4, row->enthusiasm)));
}

/*
 * Bring a published row in line.  old has all its attributes; new is a slot of
 * the table to make it anew in.  Returns whether the score is another.  A row
 * can be renewed or deleted once only while the writer is open.
 */
bool
published_renew(const Published *table, const Recorder *recorder, TupleTableSlot *old,
				TupleTableSlot *new, const PublishedRow *row)
{
	int			natts = old->tts_tupleDescriptor->natts;
	bool		changed;

	if (is_current(table, old, row))
		return false;
	ExecClearTuple(new);
	memcpy(new->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(new->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	set_row(table, new, row);
	changed = !IS(old, table->score, Float4, row->score);
	if (table->recorded != 0 &&
		(SLOT_IS_NULL(old, table->recorded) ||
		 fabs((double) DatumGetFloat4(SLOT_VALUE(old, table->recorded)) - row->score) >= NOTABLE))
		record(table, recorder, new, SLOT_VALUE(old, table->user_id), row->score);
	ExecStoreVirtualTuple(new);
	writer_update(table->writer, old, new);
	return changed;
}

/* Insert the row of a user who has none; facet is the name of the facet. */
void
published_insert(const Published *table, const Recorder *recorder, Datum user_id, Datum facet,
				 const PublishedRow *row)
{
	TupleTableSlot *slot = writer_slot(table->writer);

	set(slot, table->user_id, user_id);
	set_row(table, slot, row);
	if (table->facet != 0)
		set(slot, table->facet, facet);
	if (table->recorded != 0)
		record(table, recorder, slot, user_id, row->score);
	writer_insert(table->writer);
}
