/*
 * explain.c
 *	  influence_explain, influence_changes and influence_history: who makes a
 *	  user's influence, and who changed it.
 *
 * The influence of v is the sum over the people u who react to v of
 * voice(u) * w(u, v), where w is the pair weight of x, the weight of all that
 * u did to v, and voice(u) = N rank(u) / activity(u); or of a mixture of that
 * with w(u, v) and 1 (keep.h).  What belongs to one network and kind is that part of it that x has: exactly, the parts
 * add up to the whole.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "kept.h"
#include "people.h"
#include "tables.h"

PG_FUNCTION_INFO_V1(influence_explain);
PG_FUNCTION_INFO_V1(influence_changes);
PG_FUNCTION_INFO_V1(influence_history);

/* What one supporter gives by one network and kind, in two runs. */
typedef struct CauseKey
{
	Id			supporter;
	LabelName	network;
	LabelName	kind;
} CauseKey;

typedef struct Cause
{
	CauseKey	key;
	double		influence[2];
	char		status;
} Cause;

/* Are two names the same, or both none? */
static bool
same_name(const LabelName *a, const LabelName *b)
{
	return (a->bytes == NULL) == (b->bytes == NULL) && a->length == b->length &&
		(a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

static inline bool
same_cause(IdType type, const CauseKey *a, const CauseKey *b)
{
	return id_equal(type, &a->supporter, &b->supporter) &&
		same_name(&a->network, &b->network) && same_name(&a->kind, &b->kind);
}

static inline uint32
hash_cause(const CauseKey *key)
{
	return hash_combine(hash_combine((uint32) key->supporter.hash,
									 hash_bytes((const unsigned char *) key->network.bytes,
												key->network.length)),
						hash_bytes((const unsigned char *) key->kind.bytes, key->kind.length));
}

#define SH_PREFIX			causes
#define SH_ELEMENT_TYPE		Cause
#define SH_KEY_TYPE			CauseKey
#define SH_KEY				key
#define SH_HASH_KEY(tb, key)	hash_cause(&(key))
#define SH_EQUAL(tb, a, b)	same_cause(*(IdType *) (tb)->private_data, &(a), &(b))
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Finding the causes of a user's influence. */
typedef struct Explaining
{
	Kept	   *kept;
	KeptView	view;
	causes_hash *causes;
	int			which;			/* of the two runs */
} Explaining;

/* Take what one supporter did. */
static void
take_pair(void *context, KeptNode source, const Part *part, int n)
{
	Explaining *e = context;
	const KeptHead *head = kept_head(e->kept);
	double		x = 0;
	double		weight;
	double		influence;
	Id			supporter;

	for (int i = 0; i < n; i++)
		if (kept_counts(e->kept, &e->view, part[i].label))
			x += part[i].x;
	if (x == 0)
		return;
	weight = head->logarithmic ? log1p(x) : x;
	influence = (e->view.units.rank * kept_voice(e->kept, &e->view, source) +
				 e->view.units.response) * weight + e->view.units.person;
	kept_id(e->kept, source, &supporter);
	id_set_hash(head->id_type, &supporter);
	for (int i = 0; i < n; i++)
	{
		CauseKey	key = {.supporter = supporter, .network = {NULL, 0}, .kind = {NULL, 0}};
		Cause	   *cause;
		bool		found;

		if (!kept_counts(e->kept, &e->view, part[i].label))
			continue;
		if (head->labelled)
		{
			const LabelText *label = kept_label(e->kept, part[i].label);

			key.network = label->network;
			key.kind = label->kind;
		}
		cause = causes_insert(e->causes, key, &found);
		if (!found)
			cause->influence[0] = cause->influence[1] = 0;
		cause->influence[e->which] += influence * (part[i].x / x);
	}
}

/* Add the causes of a user's influence in a run, as the first or second of two. */
static void
explain(causes_hash *causes, int which, Kept *kept, const char *network, const char *topic,
		const Id *user)
{
	Explaining	e = {.kept = kept, .causes = causes, .which = which};
	KeptNode	node;

	e.view = kept_view(kept, network, topic);
	if (kept_find(kept, user, &node))
		kept_row(kept, node, take_pair, &e);
}

/* Larger effects first; the rest only makes the order the same every time. */
static int
compare_causes(const void *a, const void *b)
{
	const Cause *one = *(Cause *const *) a;
	const Cause *other = *(Cause *const *) b;
	double		effect = fabs(one->influence[1] - one->influence[0]);
	double		other_effect = fabs(other->influence[1] - other->influence[0]);

	if (effect != other_effect)
		return effect > other_effect ? -1 : 1;
	if (one->key.supporter.hash != other->key.supporter.hash)
		return one->key.supporter.hash < other->key.supporter.hash ? -1 : 1;
	return hash_cause(&one->key) < hash_cause(&other->key) ? -1 :
		hash_cause(&one->key) > hash_cause(&other->key);
}

/* The causes in order; *n is how many. */
static Cause **
sort_causes(causes_hash *causes, int *n)
{
	Cause	  **list = palloc_extended((Size) (causes->members + 1) * sizeof(Cause *), MCXT_ALLOC_HUGE);
	causes_iterator i;
	Cause	   *cause;

	*n = 0;
	causes_start_iterate(causes, &i);
	while ((cause = causes_iterate(causes, &i)) != NULL)
		list[(*n)++] = cause;
	qsort(list, *n, sizeof(Cause *), compare_causes);
	return list;
}

/* The arguments that these functions share: user_id, model. */
static Model *
model_and_user(FunctionCallInfo fcinfo, Id *user)
{
	Model	   *model = people_model(fcinfo, 1);

	*user = people_user(model, fcinfo);
	return model;
}

static void
name_datum(LabelName name, Datum *value, bool *isnull)
{
	*isnull = name.bytes == NULL;
	if (name.bytes)
		*value = PointerGetDatum(cstring_to_text_with_len(name.bytes, name.length));
}

/*
 * influence_explain(user_id, model text, network text, topic text, run bigint)
 * returns table (network, kind, supporter, influence, share)
 *
 * Who makes a user's influence, in the whole model or in one network or topic,
 * as of a run whose graph is kept, the last one if NULL: largest first, in the
 * units of influence, which they add up to.  No rows for a user who has none.
 * Raises an error if there is no such model or graph, or the caller may not
 * read it.
 */
Datum
influence_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Model	   *model;
	Id			user;
	Kept	   *kept;
	causes_hash *causes;
	Cause	  **list;
	double		sum = 0;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	model = model_and_user(fcinfo, &user);
	kept = kept_open(model, PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4));
	causes = causes_create(CurrentMemoryContext, 64, &model->id_type);
	explain(causes, 1, kept, people_text(fcinfo, 2), people_text(fcinfo, 3), &user);
	list = sort_causes(causes, &n);
	for (int i = 0; i < n; i++)
		sum += list[i]->influence[1];
	for (int i = 0; i < n; i++)
	{
		Datum		value[5] = {0};
		bool		isnull[5] = {0};

		name_datum(list[i]->key.network, &value[0], &isnull[0]);
		name_datum(list[i]->key.kind, &value[1], &isnull[1]);
		value[2] = id_to_datum(model->id_type, &list[i]->key.supporter);
		value[3] = Float8GetDatum(list[i]->influence[1]);
		value[4] = Float8GetDatum(sum > 0 ? list[i]->influence[1] / sum : 0);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	return (Datum) 0;
}

/*
 * influence_changes(user_id, model text, network text, topic text,
 *					 from_run bigint, to_run bigint)
 * returns table (network, kind, supporter, before, after, change)
 *
 * Who changed a user's influence between two runs whose graphs are kept:
 * largest changes first, causes that are as they were left out.  to_run NULL
 * is the last one, from_run NULL the one kept before it; no rows if there is
 * none.  Raises the errors of influence_explain.
 */
Datum
influence_changes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Model	   *model;
	Id			user;
	Kept	   *kept[2];
	int64		from;
	causes_hash *causes;
	Cause	  **list;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	model = model_and_user(fcinfo, &user);
	kept[1] = kept_open(model, PG_ARGISNULL(5) ? 0 : PG_GETARG_INT64(5));
	from = PG_ARGISNULL(4) ? kept_run_before(kept[1]) : PG_GETARG_INT64(4);
	if (from == 0)
		return (Datum) 0;
	kept[0] = kept_open(model, from);
	causes = causes_create(CurrentMemoryContext, 64, &model->id_type);
	for (int which = 0; which < 2; which++)
		explain(causes, which, kept[which], people_text(fcinfo, 2), people_text(fcinfo, 3), &user);
	list = sort_causes(causes, &n);
	for (int i = 0; i < n; i++)
	{
		const double *influence = list[i]->influence;
		Datum		value[6] = {0};
		bool		isnull[6] = {0};

		if (influence[0] == influence[1])
			continue;
		name_datum(list[i]->key.network, &value[0], &isnull[0]);
		name_datum(list[i]->key.kind, &value[1], &isnull[1]);
		value[2] = id_to_datum(model->id_type, &list[i]->key.supporter);
		value[3] = Float8GetDatum(influence[0]);
		value[4] = Float8GetDatum(influence[1]);
		value[5] = Float8GetDatum(influence[1] - influence[0]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	return (Datum) 0;
}

static void
append_name(StringInfo json, const char *key, LabelName name)
{
	appendStringInfo(json, ", \"%s\": ", key);
	if (name.bytes)
		escape_json(json, pnstrdup(name.bytes, name.length));
	else
		appendStringInfoString(json, "null");
}

/* The causes of a change that had the largest effects, at most so many. */
static Datum
causes_json(Model *model, const Id *user, int64 from, int64 to, int most)
{
	causes_hash *causes = causes_create(CurrentMemoryContext, 64, &model->id_type);
	const int64 run[2] = {from, to};
	StringInfoData json;
	Cause	  **list;
	int			n;
	Oid			output;
	bool		varlena;

	for (int which = 0; which < 2; which++)
		explain(causes, which, kept_open(model, run[which]), NULL, NULL, user);
	list = sort_causes(causes, &n);
	getTypeOutputInfo(model_id_type_oid(model->id_type), &output, &varlena);
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < n && i < most && list[i]->influence[0] != list[i]->influence[1]; i++)
	{
		char	   *id = OidOutputFunctionCall(output, id_to_datum(model->id_type,
																   &list[i]->key.supporter));

		appendStringInfo(&json, "%s{\"supporter\": ", i ? ", " : "");
		if (model->id_type == ID_BIGINT)
			appendStringInfoString(&json, id);
		else
			escape_json(&json, id);
		append_name(&json, "network", list[i]->key.network);
		append_name(&json, "kind", list[i]->key.kind);
		appendStringInfo(&json, ", \"before\": %.6g, \"after\": %.6g}",
						 list[i]->influence[0], list[i]->influence[1]);
	}
	appendStringInfoChar(&json, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/*
 * influence_history(user_id, model text, causes int)
 * returns table (run, at, score, change, causes)
 *
 * The scores of a user over runs, as the model's history has them, and who
 * changed each: the causes with the largest effects, where graphs are kept of
 * the run and of one in which the score still was what it was before.  Raises
 * an error if there is no such model, or the caller may not read its tables.
 */
Datum
influence_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Model	   *model;
	Id			user;
	Oid			type[1];
	Datum		key[1];
	int			most = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	Relation	rel;
	char	   *table[2];
	uint64		n;
	struct
	{
		int64		run;
		int64		from;		/* 0: no graph is kept */
		Datum		at;
		float4		score;
	}		   *row;
	MemoryContext context = CurrentMemoryContext;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	model = model_and_user(fcinfo, &user);
	for (int t = 0; t < 2; t++)
	{
		ModelTable	which = t == 0 ? TABLE_HISTORY : TABLE_GRAPH;

		rel = try_relation_open(*tables_oid(model, which), AccessShareLock);
		tables_check(rel, which);
		table[t] = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											  RelationGetRelationName(rel));
		relation_close(rel, NoLock);
	}
	type[0] = model_id_type_oid(model->id_type);
	key[0] = id_to_datum(model->id_type, &user);
	spi_begin();
	if (SPI_execute_with_args(most <= 0 ?
							  psprintf("SELECT CAST(run AS pg_catalog.int8), CAST(at AS pg_catalog.timestamptz),"
									   " CAST(score AS pg_catalog.float4), CAST(NULL AS pg_catalog.int8) FROM %s"
									   " WHERE user_id OPERATOR(pg_catalog.=) $1 ORDER BY run", table[0]) :
							  psprintf("SELECT CAST(h.run AS pg_catalog.int8), CAST(h.at AS pg_catalog.timestamptz),"
									   " CAST(h.score AS pg_catalog.float4),"
									   " (SELECT CAST(pg_catalog.min(g.run) AS pg_catalog.int8) FROM %2$s g"
									   "  WHERE g.section OPERATOR(pg_catalog.=) 'head'"
									   "  AND g.run OPERATOR(pg_catalog.>=) h.before"
									   "  AND g.run OPERATOR(pg_catalog.<) h.run"
									   "  AND EXISTS (SELECT FROM %2$s t"
									   "   WHERE t.section OPERATOR(pg_catalog.=) 'head'"
									   "   AND t.run OPERATOR(pg_catalog.=) h.run))"
									   " FROM (SELECT run, at, score, pg_catalog.lag(run) OVER (ORDER BY run) AS before"
									   "  FROM %1$s WHERE user_id OPERATOR(pg_catalog.=) $1) h ORDER BY h.run",
									   table[0], table[1]),
							  1, type, key, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read history");
	n = SPI_processed;
	row = MemoryContextAllocZero(context, (n + 1) * sizeof(*row));
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		row[i].run = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		row[i].at = SPI_getbinval(tuple, desc, 2, &isnull);
		row[i].score = DatumGetFloat4(SPI_getbinval(tuple, desc, 3, &isnull));
		row[i].from = DatumGetInt64(SPI_getbinval(tuple, desc, 4, &isnull));
		if (isnull)
			row[i].from = 0;
	}
	spi_end();
	for (uint64 i = 0; i < n; i++)
	{
		Datum		value[5] = {0};
		bool		isnull[5] = {0};

		value[0] = Int64GetDatum(row[i].run);
		value[1] = row[i].at;
		value[2] = Float4GetDatum(row[i].score);
		isnull[3] = i == 0;
		if (i > 0)
			value[3] = Float4GetDatum(row[i].score - row[i - 1].score);
		isnull[4] = row[i].from == 0;
		if (row[i].from != 0)
			value[4] = causes_json(model, &user, row[i].from, row[i].run, most);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	return (Datum) 0;
}
