/*
 * source.h
 *	  Reading interactions.
 */
#ifndef INFLUENCE_SOURCE_H
#define INFLUENCE_SOURCE_H

#include "access/relscan.h"
#include "utils/relcache.h"

#include "model.h"

/*
 * A row that weighs less counts as weighing nothing: it keeps sums of weights
 * where their reciprocals are finite.
 */
#define LEAST_WEIGHT	1e-290

/* How a column's value becomes what is wanted of it. */
typedef enum SourceFormat
{
	SOURCE_NONE,				/* there is no such column */
	SOURCE_INT2,
	SOURCE_INT4,
	SOURCE_INT8,
	SOURCE_FLOAT4,
	SOURCE_FLOAT8,
	SOURCE_NUMERIC,
	SOURCE_TIMESTAMPTZ,
	SOURCE_UUID,
	SOURCE_TEXT,
	SOURCE_TEXT_ARRAY,
	SOURCE_CAST,				/* needs a cast: only a query can do that */
	SOURCE_CAST_ARRAY			/* the same, to an array */
} SourceFormat;

typedef struct SourceColumn
{
	AttrNumber	attno;
	SourceFormat format;
} SourceColumn;

/*
 * What is to be read.  In shared memory when there are workers; constant once
 * they start, except for the counters.
 */
typedef struct SourceShared
{
	Oid			relation;
	bool		by_query;		/* else by table scan */
	IdType		id_type;
	SourceColumn source;
	SourceColumn target;
	SourceColumn weight;
	SourceColumn at;
	SourceColumn kind;
	SourceColumn network;
	SourceColumn topic;
	SourceColumn sign;			/* of a queue: see queue.h */
	bool		weighted;		/* some row may weigh other than 1 */
	bool		unweighted;		/* rows that weigh anything weigh 1 */
	bool		labelled;		/* rows have a kind, network or topics to note */
	double		expected;		/* rows, as of the last ANALYZE; 0: not known */
	double		half_life;		/* seconds; 0: no decay */
	TimestampTz since;			/* rows dated later count, */
	TimestampTz as_of;			/* up to then */
	ArenaRef	kind_weights;	/* WeightTable, or none */
	ArenaRef	network_weights;
	ArenaRef	forgotten;		/* ForgottenSet, or none */
	pg_atomic_uint64 read;
	pg_atomic_uint64 skipped_null;
	pg_atomic_uint64 skipped_self;
	pg_atomic_uint64 skipped_future;
	pg_atomic_uint64 skipped_zero;
	pg_atomic_uint64 skipped_forgotten;
} SourceShared;

/* Interactions that count. */
typedef struct SourceBatch
{
	int			n;
	const Id   *source;
	const Id   *target;
	const float8 *weight;		/* NULL: all weigh 1 */
	const Id   *label;			/* as label_encode makes them; or NULL */
	const int16 *sign;			/* 1: it is one, -1: it was one; or NULL */
} SourceBatch;

typedef void (*SourceConsumer) (void *context, const SourceBatch *batch);

extern Relation source_open(const Model *model);
extern void source_check(Model *model);
extern void source_init(SourceShared *shared, Arena *arena, Model *model, TimestampTz since,
						TimestampTz as_of, Relation rel);
extern void source_read_table(SourceShared *shared, Arena *arena, Relation rel,
							  TableScanDesc scan, SourceConsumer consumer, void *context);
extern void source_read_query(SourceShared *shared, Arena *arena, const Model *model,
							  Relation rel, SourceConsumer consumer, void *context);

#endif
