/*
 * learn.c
 *	  influence_learn, influence_calibration: how likely a source reacts.
 *
 * The static models of A. Goyal, F. Bonchi and L. Lakshmanan, "Learning
 * influence probabilities in social networks" (WSDM 2010), sections 4.1 and
 * 4.3: of the times that v did something after u had a tie to v, the share in
 * which u followed within a delay (Bernoulli); or with each action of u shared
 * out among those it may have followed (partial credit).  There is a log of
 * reactions here, but none of what was reacted to, so it is said with these:
 *
 *	window		a length of time, the delay; they are counted from 1970 (UTC)
 *	active		v is, in a window, if v reacts to anybody or anybody reacts to v
 *	tie			u has one to v from the window of u's first reaction to v on;
 *				that window is no evidence, as there would be no pair without it
 *	trial		of a pair (u, v): a later window in which v is active, be it not
 *				for u alone.  A window in which all that is known of v is that
 *				u reacted says nothing about how often u does not.
 *	success		a trial in which u reacted to v: 1, or with partial credit
 *				1 / number of users that u reacted to in this window
 *
 * The probability of a pair is (successes + strength mean) / (trials +
 * strength): where data are few, it is near the mean of all.  The mean has half
 * a success and half a failure added, so that it is never 0 or 1.  strength is
 * how many trials the mean is worth, variance within pairs / variance between
 * pairs, by moments: H. Buehlmann and E. Straub, "Glaubwuerdigkeit fuer
 * Schadensaetze" (1970); for successes of 1 the moments of a beta-binomial,
 * J. Kleinman, "Proportions with extraneous variance" (1973).  It is at least 1,
 * and at most the number of all trials, which it also is if pairs differ no
 * more than by chance.
 *
 * All of it is computed by one query over the interactions, with the caller's
 * rights.  Trials of a pair are not made one by one: they are the windows in
 * which v is active after the first of the pair, less those that u alone makes
 * so; the query sorts the log a few times, however many pairs share a target.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "forgotten.h"
#include "people.h"
#include "source.h"
#include "tables.h"
#include "weights.h"

PG_FUNCTION_INFO_V1(influence_learn);
PG_FUNCTION_INFO_V1(influence_calibration);

/* Parameters of the query. */
enum
{
	PARAM_DELAY,				/* $1: seconds of a window */
	PARAM_UNTIL,				/* $2: later rows are not learned from, */
	PARAM_LAST,					/* $3: nor are windows after this one: they are */
	PARAM_END,					/* $4: held out, up to before this one */
	PARAM_PARTIAL,				/* $5: partial credit? */
	PARAM_KINDS,				/* $6: names that weigh nothing */
	PARAM_NETWORKS,				/* $7 */
	PARAM_BINS,					/* $8 */
	PARAMS
};

static Oid	param_type[PARAMS] = {
	FLOAT8OID, TIMESTAMPTZOID, FLOAT8OID, FLOAT8OID, BOOLOID, TEXTARRAYOID, TEXTARRAYOID, INT4OID
};

/* What is asked for. */
typedef struct Learning
{
	Model	   *model;
	char	   *delay_text;		/* for messages */
	Datum		value[PARAMS];
} Learning;

/*
 * Operators of the query, whoever has others of these names: written so, all
 * have the same precedence, hence the parentheses.
 */
#define OP(a, operator, b)	"(" a " OPERATOR(pg_catalog." operator ") " b ")"
#define ADD(a, b)	OP(a, "+", b)
#define SUB(a, b)	OP(a, "-", b)
#define MUL(a, b)	OP(a, "*", b)
#define DIV(a, b)	OP(a, "/", b)
#define EQ(a, b)	OP(a, "=", b)
#define NE(a, b)	OP(a, "<>", b)
#define LE(a, b)	OP(a, "<=", b)
#define LT(a, b)	OP(a, "<", b)
#define GT(a, b)	OP(a, ">", b)
#define FLOAT(a)	"CAST(" a " AS pg_catalog.float8)"
#define SUM(a)		"pg_catalog.sum(" a ")"
#define COUNT(a)	"pg_catalog.count(*) FILTER (WHERE " a ")"
#define SUM_IF(condition, a)	"COALESCE(" SUM(a) " FILTER (WHERE " condition "), 0)"

/* Reactions that are successes of trials that are learned from, or held out. */
#define LEARNED		"NOT held AND " GT("w", "first")
#define SUCCESS		"NOT alone AND " LEARNED
#define LATER		"NOT alone AND held"

/*
 * The query, from the table "log" of distinct (source, target, w) on, w being
 * a window.  Windows up to $3 are learned from; "later" counts trials held out.
 */
static const char evidence[] =
", tally AS ("
"SELECT source, target, w,"
" pg_catalog.min(w) OVER (PARTITION BY source, target) AS first,"
" pg_catalog.count(*) OVER (PARTITION BY target, w) AS sources,"
" pg_catalog.count(*) OVER (PARTITION BY source, w) AS targets FROM log)"
", active AS ("
"SELECT person, w, pg_catalog.bool_or(acted) AS acted,"
" pg_catalog.row_number() OVER (PARTITION BY person ORDER BY w) AS place FROM ("
"SELECT source AS person, w, true AS acted FROM log"
" UNION ALL SELECT target, w, false FROM log) both_sides GROUP BY person, w)"
", span AS ("
"SELECT person, " COUNT(LE("w", "$3")) " AS learned, " COUNT(GT("w", "$3")) " AS later"
" FROM active GROUP BY person)"
", reaction AS ("
"SELECT t.source, t.target, t.w, t.first, a.place, s.learned, s.later,"
" " GT("t.w", "$3") " AS held, " EQ("t.sources", "1") " AND NOT a.acted AS alone,"
" CASE WHEN $5 THEN " DIV(FLOAT("1"), FLOAT("t.targets")) " ELSE 1 END AS credit"
" FROM tally t JOIN active a ON " EQ("a.person", "t.target") " AND " EQ("a.w", "t.w")
" JOIN span s ON " EQ("s.person", "t.target")
" WHERE " LE("t.first", "$3") ")"
", evidence AS MATERIALIZED ("
"SELECT source, target,"
" " SUB(SUB("pg_catalog.min(learned)", "pg_catalog.min(place)"), COUNT("alone AND " LEARNED)) " AS trials,"
" " SUM_IF(SUCCESS, "credit") " AS successes,"
" " SUM_IF(SUCCESS, MUL("credit", "credit")) " AS squares,"
" " SUB("pg_catalog.min(later)", COUNT("alone AND held")) " AS later,"
" " SUM_IF(LATER, "credit") " AS later_successes,"
" " SUM_IF(LATER, MUL("credit", "credit")) " AS later_squares"
" FROM reaction GROUP BY source, target)"
/* n: all trials; k: successes; g: pairs that had a trial */
", total AS ("
"SELECT pg_catalog.count(*) AS pairs, " FLOAT("COALESCE(" SUM("trials") ", 0)") " AS n,"
" COALESCE(" SUM("successes") ", 0) AS k,"
" " SUM(MUL(FLOAT("trials"), FLOAT("trials"))) " AS n_squares,"
" " FLOAT(COUNT(GT("trials", "0"))) " AS g,"
" " SUM("squares") " AS squares,"
" " SUM("CASE WHEN " GT("trials", "0") " THEN "
		DIV(MUL("successes", "successes"), FLOAT("trials")) " END") " AS explained FROM evidence)"
/* variance of one trial within a pair, and of the probabilities of pairs */
", variance AS ("
"SELECT pairs, n, k, " DIV(ADD("k", "0.5"), ADD("n", "1")) " AS mean, within,"
" CASE WHEN " GT("g", "1") " THEN "
DIV(SUB(SUB("explained", DIV(MUL("k", "k"), "n")), MUL(SUB("g", "1"), "within")),
	SUB("n", DIV("n_squares", "n"))) " END AS between"
" FROM total, LATERAL (SELECT CASE WHEN " GT("n", "g") " THEN "
DIV(SUB("squares", "explained"), SUB("n", "g")) " END AS within) w)"
", prior AS MATERIALIZED ("
"SELECT pairs, n, k, mean, CASE WHEN " GT("between", "0")
" THEN GREATEST(1, LEAST(n, " DIV("within", "between") ")) ELSE GREATEST(1, n) END AS strength"
" FROM variance)"
", chance AS MATERIALIZED ("
"SELECT e.source, e.target, e.trials, e.successes, e.later, e.later_successes, e.later_squares, p.mean,"
" " DIV(ADD("e.successes", MUL("p.strength", "p.mean")), ADD(FLOAT("e.trials"), "p.strength"))
" AS probability FROM evidence e CROSS JOIN prior p)";

/* What influence_learn does with it; %1$s: the table. */
static const char store[] =
", gone AS ("
"DELETE FROM %1$s c WHERE NOT EXISTS (SELECT FROM evidence e"
" WHERE " EQ("e.source", "c.source") " AND " EQ("e.target", "c.target") "))"
", put AS ("
"INSERT INTO %1$s AS c (source, target, probability, trials, successes)"
" SELECT source, target, probability, trials, successes FROM chance ORDER BY target, source"
" ON CONFLICT (target, source) DO UPDATE"
" SET probability = excluded.probability, trials = excluded.trials, successes = excluded.successes"
" WHERE " NE("c.probability", "excluded.probability") " OR " NE("c.trials", "excluded.trials")
" OR " NE("c.successes", "excluded.successes") ")"
" SELECT pairs, CAST(n AS pg_catalog.int8), k, CASE WHEN " GT("n", "0") " THEN mean END,"
" CASE WHEN " GT("n", "0") " THEN strength END FROM prior";

/* Losses of saying x of n trials with successes c, squares q. */
#define BRIER(x)	SUM(ADD(SUB(MUL("n", MUL(x, x)), MUL("2", MUL(x, "c"))), "q"))
#define LOG_LOSS(x) \
	SUB("0", SUM(ADD(MUL("c", "pg_catalog.ln(" x ")"), MUL(SUB("n", "c"), "pg_catalog.ln(" SUB("1", x) ")"))))

/*
 * What influence_calibration does: bins of about as many trials held out, in
 * the order of probability; pairs of the same probability are not parted.  The
 * loss of saying x where c happens is (x - c)^2 (Brier), or
 * -c ln x - (1 - c) ln(1 - x).
 */
static const char compare[] =
", placed AS ("
"SELECT " FLOAT("later") " AS n, later_successes AS c, later_squares AS q, probability AS p, mean AS m,"
" " SUM("later") " OVER (ORDER BY probability) AS upto,"
" " SUM("later") " OVER (PARTITION BY probability) AS peers,"
" " SUM("later") " OVER () AS everything FROM chance WHERE " GT("later", "0") ")"
", binned AS ("
"SELECT n, c, q, p, m, LEAST($8, " ADD("1", "CAST(pg_catalog.floor("
DIV(MUL(SUB("upto", DIV("peers", "2")), "$8"), "everything") ") AS pg_catalog.int4)") ") AS bin"
" FROM placed)"
", summed AS ("
"SELECT bin, pg_catalog.count(*) AS pairs, " SUM("n") " AS n, " SUM("c") " AS c,"
" " SUM(MUL("n", "p")) " AS expected,"
" " BRIER("p") " AS brier, " BRIER("m") " AS base_brier,"
" " LOG_LOSS("p") " AS log_loss, " LOG_LOSS("m") " AS base_log_loss"
" FROM binned GROUP BY GROUPING SETS ((bin), ()))"
" SELECT s.bin, s.pairs, COALESCE(CAST(s.n AS pg_catalog.int8), 0),"
" " DIV("s.expected", "s.n") ", " DIV("s.c", "s.n") ","
" " DIV("s.brier", "s.n") ", " DIV("s.base_brier", "s.n") ","
" " DIV("s.log_loss", "s.n") ", " DIV("s.base_log_loss", "s.n") ","
/* not for the user: was there anything to learn from? */
" r.pairs, r.n FROM summed s CROSS JOIN prior r ORDER BY s.bin NULLS LAST";

/* The columns of the latter that are not for the user. */
#define CALIBRATION_COLUMNS	9

/* Takes names that weigh nothing. */
typedef struct Nothings
{
	ArrayBuildState *array;
} Nothings;

static void
take_nothing(void *context, const char *name, uint32 length, double weight)
{
	Nothings   *nothings = context;

	if (weight == 0)
		nothings->array = accumArrayResult(nothings->array,
										   PointerGetDatum(cstring_to_text_with_len(name, length)),
										   false, TEXTOID, CurrentMemoryContext);
}

/* An array of the names that weigh nothing. */
static Datum
names_of_nothing(const char *argument, Jsonb *weights)
{
	Nothings	nothings = {NULL};

	if (weights)
		weights_each(argument, weights, take_nothing, &nothings);
	return nothings.array ? makeArrayResult(nothings.array, CurrentMemoryContext) :
		PointerGetDatum(construct_empty_array(TEXTOID));
}

/* Seconds since 1970, as date_part('epoch', at) has them. */
static double
epoch_of(TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		return TIMESTAMP_IS_NOEND(at) ? get_float8_infinity() : -get_float8_infinity();
	return ((double) (at - SetEpochTimestamp())) / 1000000.0;
}

static double
get_delay(FunctionCallInfo fcinfo, int argument, Learning *learning)
{
	Interval   *delay;
	double		seconds;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("delay must not be null")));
	delay = PG_GETARG_INTERVAL_P(argument);
	seconds = model_interval_seconds(delay);
	learning->delay_text = DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(delay)));
	if (!(seconds > 0) || INTERVAL_IS_NOEND(delay) || INTERVAL_IS_NOBEGIN(delay))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("delay must be greater than 0 and finite, not %s", learning->delay_text),
				 errhint("It is how long after a target became active a reaction may come, for example \"1 day\".")));
	return seconds;
}

static bool
get_credit(FunctionCallInfo fcinfo, int argument)
{
	char	   *credit = people_text(fcinfo, argument);

	if (credit == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("credit must not be null")));
	if (strcmp(credit, "partial") != 0 && strcmp(credit, "bernoulli") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no credit \"%s\"", credit),
				 errhint("It is \"partial\" or \"bernoulli\".")));
	return strcmp(credit, "partial") == 0;
}

/* What both functions are told: a model, and arguments by their numbers. */
static Learning
begin(FunctionCallInfo fcinfo, const Catalog *catalog, bool lock, int delay, int credit)
{
	Learning	learning = {0};
	Model	   *model = model_find(catalog, people_text(fcinfo, 0), lock);
	IdType		id_type = model->id_type;

	learning.model = model;
	if (model->at == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" does not say when interactions happened", model->name),
				 errdetail("Probabilities are learned from who reacted when."),
				 errhint("Name the column of times: influence_alter_model(..., at => ...).")));
	source_check(model);
	if (model->id_type != id_type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("user ids of the interactions are not of type %s any more, as model \"%s\" expects",
						format_type_be(model_id_type_oid(id_type)), model->name),
				 errhint("Drop the model and create it anew.")));
	learning.value[PARAM_DELAY] = Float8GetDatum(get_delay(fcinfo, delay, &learning));
	learning.value[PARAM_PARTIAL] = BoolGetDatum(get_credit(fcinfo, credit));
	learning.value[PARAM_KINDS] = names_of_nothing("kind_weights", model->kind_weights);
	learning.value[PARAM_NETWORKS] = names_of_nothing("network_weights", model->network_weights);
	learning.value[PARAM_BINS] = Int32GetDatum(1);
	return learning;
}

/* Add that a column, if there is one, has no name that weighs nothing. */
static void
add_names(StringInfo query, const char *column, int param)
{
	if (column)
		appendStringInfo(query, " AND (%s IS NULL OR CAST(%s AS pg_catalog.text) COLLATE pg_catalog.\"C\""
						 " OPERATOR(pg_catalog.<>) ALL ($%d))",
						 quote_identifier(column), quote_identifier(column), param + 1);
}

/*
 * The query up to the probabilities, "chance".  A table called log has each
 * source, target and window once, of the interactions that count.
 */
static void
make_query(const Learning *learning, StringInfo query)
{
	const Model *model = learning->model;
	Relation	rel = source_open(model);
	const char *collate = model->id_type == ID_TEXT ? " COLLATE pg_catalog.\"C\"" : "";
	const char *type = format_type_be_qualified(model_id_type_oid(model->id_type));
	const char *at = quote_identifier(model->at);
	const char *forgotten = forgotten_table(model);

	initStringInfo(query);
	appendStringInfo(query,
					 "WITH log AS MATERIALIZED (SELECT source, target, w FROM ("
					 "SELECT CAST(%s AS %s)%s AS source, CAST(%s AS %s)%s AS target, CAST(%s AS pg_catalog.timestamptz) AS at,"
					 " pg_catalog.floor(pg_catalog.date_part('epoch', CAST(%s AS pg_catalog.timestamptz))"
					 " OPERATOR(pg_catalog./) $1) AS w FROM %s",
					 quote_identifier(model->source), type, collate,
					 quote_identifier(model->target), type, collate, at, at,
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)));
	/* an infinite time is in no window */
	appendStringInfo(query, " WHERE pg_catalog.isfinite(CAST(%s AS pg_catalog.timestamptz))", at);
	if (model->weight)
		appendStringInfo(query, " AND CAST(%s AS pg_catalog.float8) OPERATOR(pg_catalog.>) 0",
						 quote_identifier(model->weight));
	add_names(query, model->kind, PARAM_KINDS);
	add_names(query, model->network, PARAM_NETWORKS);
	appendStringInfoString(query, ") interaction WHERE source OPERATOR(pg_catalog.<>) target");
	if (forgotten)
		appendStringInfo(query, " AND NOT EXISTS (SELECT FROM %s f"
						 " WHERE f.user_id%s OPERATOR(pg_catalog.=) source"
						 " OR f.user_id%s OPERATOR(pg_catalog.=) target)",
						 forgotten, collate, collate);
	appendStringInfoString(query,
						   " AND (at OPERATOR(pg_catalog.<=) $2 OR w OPERATOR(pg_catalog.>) $3)"
						   " AND w OPERATOR(pg_catalog.<) $4"
						   " GROUP BY source, target, w)");
	appendStringInfoString(query, evidence);
	relation_close(rel, NoLock);
}

/* Raise an error if n trials are too few to learn anything of pairs. */
static void
check_trials(const Learning *learning, int64 pairs, double n)
{
	if (pairs > 0 && n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the interactions of model \"%s\" are too few to learn probabilities from",
						learning->model->name),
				 errdetail("In windows of %s nobody was active again after somebody had reacted to them.",
						   learning->delay_text),
				 errhint("Try a shorter delay.")));
}

static int64
get_int64(int row, int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull));
}

/* Make the table of probabilities of a model unless it is there. */
static char *
prepare_table(const Catalog *catalog, Model *model)
{
	Relation	rel = OidIsValid(model->chances) ? try_relation_open(model->chances, RowExclusiveLock) : NULL;
	char	   *name;

	if (rel == NULL)
	{
		model_check_owner(model);
		spi_begin();
		tables_add(model, TABLE_CHANCES, NULL);
		spi_end();
		model_store_chances(catalog, model);
		rel = relation_open(model->chances, RowExclusiveLock);
	}
	tables_check(rel, TABLE_CHANCES);
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security of table \"%s\" applies to who learns", RelationGetRelationName(rel)),
				 errdetail("Rows that cannot be seen could not be replaced."),
				 errhint("Let the owner of the table learn, or drop its policies.")));
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
	relation_close(rel, NoLock);
	return name;
}

/*
 * Execute the query.  Of what is made on the way the planner knows little, and
 * a loop in a loop over all of it would never end: it is told not to.  As the
 * one that joins a single row is then thought to be dear, it would also compile
 * all expressions, which takes longer than most logs do.
 */
static void
execute(Learning *learning, const char *query, bool read_only)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_execute_with_args(query, PARAMS, param_type, learning->value, NULL, read_only, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not learn probabilities");
	AtEOXact_GUC(true, level);
}

/*
 * influence_learn(model text, delay interval, credit text, until timestamptz)
 * returns (pairs, trials, successes, mean, strength)
 *
 * Learn how likely each source reacts to a target, and replace the model's
 * table of probabilities by that; rows later than until (now) do not count.
 * Raises an error if the model has no times, there is nothing to learn from, or
 * the caller may not read the interactions or write the table.
 */
Datum
influence_learn(PG_FUNCTION_ARGS)
{
	Catalog		catalog = catalog_open(fcinfo);
	Learning	learning;
	TupleDesc	desc;
	StringInfoData query;
	Datum		value[5];
	bool		isnull[5];
	char	   *table;

	PreventCommandIfReadOnly("influence_learn()");
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	learning = begin(fcinfo, &catalog, true, 1, 2);
	learning.value[PARAM_UNTIL] = PG_ARGISNULL(3) ?
		TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()) : PG_GETARG_DATUM(3);
	learning.value[PARAM_LAST] = Float8GetDatum(get_float8_infinity());
	learning.value[PARAM_END] = Float8GetDatum(get_float8_infinity());
	table = prepare_table(&catalog, learning.model);
	make_query(&learning, &query);
	appendStringInfo(&query, store, table);
	spi_begin();
	execute(&learning, query.data, false);
	check_trials(&learning, get_int64(0, 1), get_int64(0, 2));
	for (int i = 0; i < lengthof(value); i++)
	{
		value[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &isnull[i]);
		if (!isnull[i])
			value[i] = SPI_datumTransfer(value[i], FLOAT8PASSBYVAL, sizeof(int64));
	}
	spi_end();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), value, isnull)));
}

/*
 * influence_calibration(model text, cutoff timestamptz, horizon interval,
 *		delay interval, credit text, bins int)
 * returns table (bin, pairs, trials, predicted, observed, brier, base_brier,
 *				  log_loss, base_log_loss)
 *
 * Probabilities learned up to cutoff against what happened in the whole windows
 * between then and the horizon: by bins of probability, and in all (bin NULL).
 * The base is the mean learned, said of every pair.  Nothing is stored.  Raises
 * the errors of influence_learn.
 */
Datum
influence_calibration(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Catalog		catalog = catalog_open(fcinfo);
	Learning	learning;
	StringInfoData query;
	TimestampTz cutoff;
	TimestampTz end = DT_NOEND;
	double		delay;
	int32		bins = PG_ARGISNULL(5) ? 0 : PG_GETARG_INT32(5);

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cutoff must not be null")));
	cutoff = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(cutoff))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cutoff must be finite")));
	if (bins < 1 || bins > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bins must be between 1 and 1000")));
	if (!PG_ARGISNULL(2))
	{
		end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													  TimestampTzGetDatum(cutoff), PG_GETARG_DATUM(2)));
		if (end <= cutoff)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("horizon must be greater than 0")));
	}
	learning = begin(fcinfo, &catalog, false, 3, 4);
	delay = DatumGetFloat8(learning.value[PARAM_DELAY]);
	learning.value[PARAM_UNTIL] = TimestampTzGetDatum(cutoff);
	learning.value[PARAM_LAST] = Float8GetDatum(ceil(epoch_of(cutoff) / delay) - 1);
	learning.value[PARAM_END] = Float8GetDatum(floor(epoch_of(end) / delay));
	learning.value[PARAM_BINS] = Int32GetDatum(bins);
	make_query(&learning, &query);
	appendStringInfoString(&query, compare);
	spi_begin();
	execute(&learning, query.data, true);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Datum		value[CALIBRATION_COLUMNS + 2];
		bool		isnull[CALIBRATION_COLUMNS + 2];

		for (int i = 0; i < lengthof(value); i++)
			value[i] = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i + 1, &isnull[i]);
		check_trials(&learning, DatumGetInt64(value[CALIBRATION_COLUMNS]),
					 DatumGetFloat8(value[CALIBRATION_COLUMNS + 1]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, value, isnull);
	}
	spi_end();
	return (Datum) 0;
}
