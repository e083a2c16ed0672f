/*
 * lookup.c
 *	  influence_score: the query path.
 *
 * A call answers from what belongs to the place in the query it is called
 * from.  The first ids that are asked for are looked up in the published
 * table's primary key, one by one, and remembered; when there were as many as
 * the table has pages, the whole table is read, if it fits into work_mem *
 * hash_mem_multiplier (bulk.c): small queries cost a few look-ups, large ones
 * less than a hash join.
 *
 * What is answered is what the calling query's snapshot sees, whatever has
 * been refreshed since: what is remembered goes with the snapshot it was read
 * under, and is dropped when asked under another (a prepared expression
 * outlives a statement in PL/pgSQL, and a transaction may refresh between two
 * of them).
 *
 * Which table a model has is kept for the session, until influence_model or
 * one of the tables changes (relcache invalidation).
 *
 * Privileges are those of the caller on the published table; where row
 * security applies each id is looked up by a query.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "compat.h"
#include "bulk.h"
#include "ids.h"
#include "lookup.h"
#include "model.h"
#include "tables.h"

/*
 * Read the whole table after so many look-ups for each of its pages.  A page
 * costs about six of them (some 90 rows at 160 ns against 2.5 us), but queries
 * ask for few users or for most: waiting for break-even helps neither.
 */
#define LOOKUPS_PER_PAGE	1

PG_FUNCTION_INFO_V1(influence_score_bigint);
PG_FUNCTION_INFO_V1(influence_score_uuid);
PG_FUNCTION_INFO_V1(influence_score_text);

/* --- what the session knows of models ----------------------------------- */

/* A model, under what it was asked for by. */
typedef struct KnownModel
{
	char		name[NAMEDATALEN + 1];	/* hash key: "=" and a name; or empty, for
										 * the model meant by NULL */
	Oid			scores;
	IdType		id_type;
} KnownModel;

static HTAB *known_models = NULL;
static Oid	model_catalog = InvalidOid;

/* Raised whenever something that was looked up may have changed. */
static uint64 generation = 1;

static void
forget_models(void)
{
	generation++;
	if (known_models)
		hash_destroy(known_models);
	known_models = NULL;
}

/* The definition of some relation changed: is it one we know of? */
static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	KnownModel *known;
	bool		ours = relid == InvalidOid || relid == model_catalog;

	if (known_models)
	{
		hash_seq_init(&status, known_models);
		while ((known = hash_seq_search(&status)) != NULL)
			ours = ours || known->scores == relid;
	}
	if (ours)
		forget_models();
}

/* What a subtransaction wrote may have been read under this snapshot. */
static void
subtransaction_ended(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_models();
}

/* Called once in each process. */
void
lookup_register_callbacks(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	RegisterSubXactCallback(subtransaction_ended, NULL);
}

/*
 * A model by name, or the one meant by NULL; raises model_find's errors.
 *
 * Definitions are read as of now, as those of relations are, whatever the
 * calling query's snapshot: what is kept must not be older than the last
 * invalidation.  In parallel mode there is no such snapshot, and nothing is
 * kept.
 */
static KnownModel
find_model(FunctionCallInfo fcinfo, const char *name)
{
	char		key[NAMEDATALEN + 1] = {0};
	bool		parallel = IsInParallelMode();
	KnownModel *known;
	KnownModel	result = {{0}};
	uint64		before;

	/* influence_model has no names that do not fit */
	if (name)
		snprintf(key, sizeof(key), "=%s", name);
	if (known_models && (known = hash_search(known_models, key, HASH_FIND, NULL)) != NULL)
		return *known;

	do
	{
		Catalog		catalog = catalog_open(fcinfo);
		Model	   *model;

		before = generation;
		model_catalog = catalog.model;
		if (!parallel)
			PushActiveSnapshot(GetLatestSnapshot());
		model = model_find(&catalog, name, false);
		if (!parallel)
			PopActiveSnapshot();
		result.scores = model->scores;
		result.id_type = model->id_type;
	} while (generation != before);
	memcpy(result.name, key, sizeof(key));
	if (parallel)
		return result;
	if (known_models == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(key);
		control.entrysize = sizeof(KnownModel);
		known_models = hash_create("influence models", 16, &control, HASH_ELEM | HASH_STRINGS);
	}
	*(KnownModel *) hash_search(known_models, key, HASH_ENTER, NULL) = result;
	return result;
}

/* --- what one call site knows of scores ---------------------------------- */

/* An answer to an id that was asked for. */
typedef struct Answer
{
	Id			id;
	float		score;
	bool		found;			/* else the user has no score */
	char		status;
} Answer;

#define SH_PREFIX			answer
#define SH_ELEMENT_TYPE		Answer
#define SH_KEY_TYPE			Id
#define SH_KEY				id
#define SH_HASH_KEY(tb, key)	((uint32) (key).hash)
#define SH_EQUAL(tb, a, b)	id_equal(*(IdType *) (tb)->private_data, &(a), &(b))
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * What tells two snapshots apart.  Equal ones see the same rows, but for what
 * a subtransaction rolled back in between, see subtransaction_ended.
 */
typedef struct SnapshotMark
{
	TransactionId xmin;
	TransactionId xmax;
	CommandId	curcid;
	uint32		xcnt;
	int32		subxcnt;
	TransactionId *xip;
	TransactionId *subxip;
} SnapshotMark;

typedef struct CallSite
{
	MemoryContext context;		/* of the answers; a child of the call site's */
	uint64		generation;		/* when model was looked up */
	char	   *name;			/* of the model; NULL: the one meant by that */
	KnownModel	model;
	Oid			user;			/* whose privileges were checked */
	bool		row_security;
	IdType		id_type;
	bool		name_constant;	/* every call names the same model */
	SPIPlanPtr	plan;			/* under row security, or NULL */
	Oid			index;			/* primary key of the table, or invalid */
	AttrNumber	user_attno;		/* columns of the table */
	AttrNumber	score_attno;
	TupleTableSlot *slot;		/* of the table; empty between calls */

	/* from here on emptied with context */
	SnapshotMark snapshot;
	answer_hash *answers;
	Size		memory;			/* of answers, about */
	BlockNumber pages;			/* of the table */
	uint64		lookups;
	Bulk	   *bulk;			/* the whole table, or NULL */
	bool		bulk_failed;	/* it does not fit */
} CallSite;

static bool
same_snapshot(const SnapshotMark *mark, Snapshot snapshot)
{
	return mark->xmin == snapshot->xmin && mark->xmax == snapshot->xmax &&
		mark->curcid == snapshot->curcid && mark->xcnt == snapshot->xcnt &&
		mark->subxcnt == snapshot->subxcnt &&
		(snapshot->xcnt == 0 ||
		 memcmp(mark->xip, snapshot->xip, snapshot->xcnt * sizeof(TransactionId)) == 0) &&
		(snapshot->subxcnt <= 0 ||
		 memcmp(mark->subxip, snapshot->subxip, snapshot->subxcnt * sizeof(TransactionId)) == 0);
}

/* Forget all answers; the next ones are read under the given snapshot. */
static void
restart(CallSite *site, Snapshot snapshot)
{
	MemoryContext old;
	Size		xips = snapshot->xcnt * sizeof(TransactionId);
	Size		subxips = Max(snapshot->subxcnt, 0) * sizeof(TransactionId);

	MemoryContextReset(site->context);
	old = MemoryContextSwitchTo(site->context);
	site->snapshot.xmin = snapshot->xmin;
	site->snapshot.xmax = snapshot->xmax;
	site->snapshot.curcid = snapshot->curcid;
	site->snapshot.xcnt = snapshot->xcnt;
	site->snapshot.subxcnt = snapshot->subxcnt;
	site->snapshot.xip = palloc(xips + 1);
	site->snapshot.subxip = palloc(subxips + 1);
	if (xips > 0)
		memcpy(site->snapshot.xip, snapshot->xip, xips);
	if (subxips > 0)
		memcpy(site->snapshot.subxip, snapshot->subxip, subxips);
	site->answers = NULL;
	site->memory = 0;
	site->pages = 0;
	site->lookups = 0;
	site->bulk = NULL;
	site->bulk_failed = false;
	MemoryContextSwitchTo(old);
}

/* Raise an error unless the caller may read user ids and scores of a table. */
static void
check_privileges(Oid table)
{
	static const char *const column[] = {"user_id", "score"};

	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	for (int i = 0; i < lengthof(column); i++)
	{
		AttrNumber	attno = get_attnum(table, column[i]);

		if (attno == InvalidAttrNumber ||
			pg_attribute_aclcheck(table, attno, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	}
}

/* The column of the published table with a name and type. */
static AttrNumber
table_column(Relation rel, const char *name, Oid type)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), name);

	if (attno <= 0 || TupleDescAttr(RelationGetDescr(rel), attno - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(attno <= 0 ? ERRCODE_UNDEFINED_COLUMN : ERRCODE_DATATYPE_MISMATCH),
				 errmsg("table \"%s\" has no column \"%s\" of type %s",
						RelationGetRelationName(rel), name, format_type_be(type)),
				 errhint("Restore the column, or drop the model and create it anew.")));
	return attno;
}

/* Note what look-ups need to know of the table. */
static void
describe_table(FunctionCallInfo fcinfo, CallSite *site, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	Oid			key = compat_primary_key(rel);

	site->user_attno = table_column(rel, "user_id", model_id_type_oid(site->id_type));
	site->score_attno = table_column(rel, "score", FLOAT4OID);
	site->index = InvalidOid;
	if (OidIsValid(key))
	{
		Relation	index = index_open(key, AccessShareLock);

		if (index->rd_index->indnkeyatts == 1 && index->rd_index->indkey.values[0] == site->user_attno)
			site->index = key;
		index_close(index, NoLock);
	}
	if (site->slot)
		ExecDropSingleTupleTableSlot(site->slot);
	/* a copy of the descriptor, which no resource owner has to know of */
	site->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(rel)),
										  table_slot_callbacks(rel));
	MemoryContextSwitchTo(old);
}

/*
 * Make the call site ready to answer for a model.  Raises an error if there
 * is no such model or table, its ids are of another type, or the caller may
 * not read it.
 */
static void
prepare(FunctionCallInfo fcinfo, CallSite *site, const char *name, IdType id_type)
{
	uint64		before;

	do
	{
		KnownModel	model = find_model(fcinfo, name);
		Relation	rel;

		before = generation;
		if (model.id_type != id_type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("user ids of the model are of type %s, not %s",
							format_type_be(model_id_type_oid(model.id_type)),
							format_type_be(model_id_type_oid(id_type))),
					 errhint("Cast the user id to %s.",
							 format_type_be(model_id_type_oid(model.id_type)))));
		/* the lock brings invalidations in: perhaps it is another table now */
		rel = try_relation_open(model.scores, AccessShareLock);
		if (generation == before)
		{
			tables_check(rel, TABLE_SCORES);
			check_privileges(model.scores);
			site->id_type = id_type;
			site->model = model;
			site->user = GetUserId();
			site->row_security = check_enable_rls(model.scores, InvalidOid, true) == RLS_ENABLED;
			describe_table(fcinfo, site, rel);
		}
		if (rel)
			relation_close(rel, NoLock);
	} while (generation != before);
	if (site->name)
		pfree(site->name);
	site->name = name ? MemoryContextStrdup(fcinfo->flinfo->fn_mcxt, name) : NULL;
	if (site->plan)
		SPI_freeplan(site->plan);
	site->plan = NULL;
	site->snapshot.xmin = InvalidTransactionId; /* no snapshot is like that */
	site->generation = generation;
}

/* Look an id up by a query, which row security applies to. */
static bool
score_by_query(CallSite *site, Datum user_id, float *score)
{
	Oid			type[] = {model_id_type_oid(site->id_type)};
	bool		found;

	spi_begin();
	if (site->plan == NULL)
	{
		Oid			table = site->model.scores;
		char	   *query = psprintf("SELECT score FROM %s WHERE user_id OPERATOR(pg_catalog.=) $1",
									 quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
																get_rel_name(table)));

		site->plan = SPI_prepare(query, 1, type);
		if (site->plan == NULL || SPI_keepplan(site->plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", query);
	}
	if (SPI_execute_plan(site->plan, &user_id, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look up a score");
	found = SPI_processed > 0;
	if (found)
	{
		bool		isnull;

		*score = DatumGetFloat4(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		found = !isnull;
	}
	spi_end();
	return found;
}

/* Look an id up in the table, by its primary key if it has one. */
static bool
score_by_index(CallSite *site, Relation rel, Snapshot snapshot, Datum user_id, float *score)
{
	static const RegProcedure equal[] = {F_INT8EQ, F_UUID_EQ, F_TEXTEQ};
	Relation	index = OidIsValid(site->index) ? index_open(site->index, AccessShareLock) : NULL;
	TupleTableSlot *slot = site->slot;
	ScanKeyData key;
	bool		found = false;
	bool		isnull;

	ScanKeyEntryInitialize(&key, 0, index ? 1 : site->user_attno, BTEqualStrategyNumber, InvalidOid,
						   index ? index->rd_indcollation[0] :
						   TupleDescAttr(RelationGetDescr(rel), site->user_attno - 1)->attcollation,
						   equal[site->id_type], user_id);
	if (index)
	{
		IndexScanDesc scan = compat_index_beginscan(rel, index, snapshot, 1);

		index_rescan(scan, &key, 1, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, slot);
		if (found)
		{
			*score = DatumGetFloat4(slot_getattr(slot, site->score_attno, &isnull));
			found = !isnull;
		}
		ExecClearTuple(slot);
		index_endscan(scan);
		index_close(index, NoLock);
	}
	else
	{
		TableScanDesc scan = table_beginscan(rel, snapshot, 1, &key);

		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
		if (found)
		{
			*score = DatumGetFloat4(slot_getattr(slot, site->score_attno, &isnull));
			found = !isnull;
		}
		ExecClearTuple(slot);
		table_endscan(scan);
	}
	return found;
}

/* Read the whole table, if it fits. */
static void
read_bulk(CallSite *site, Relation rel, Snapshot snapshot)
{
	MemoryContext old = MemoryContextSwitchTo(site->context);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Bulk	   *bulk = bulk_create(site->id_type, compat_hash_memory_limit());
	bool		fits = true;

	while (fits && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		Datum		user_id;
		Id			id;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, Max(site->user_attno, site->score_attno));
		/* the owner may have allowed NULLs; they answer like no row */
		if (slot->tts_isnull[site->user_attno - 1] || slot->tts_isnull[site->score_attno - 1])
			continue;
		user_id = slot->tts_values[site->user_attno - 1];
		if (site->id_type == ID_TEXT)
			user_id = PointerGetDatum(PG_DETOAST_DATUM_PACKED(user_id));
		id = id_from_datum(site->id_type, user_id);
		fits = bulk_add(bulk, &id, DatumGetFloat4(slot->tts_values[site->score_attno - 1]));
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	if (fits && bulk_finish(bulk))
	{
		site->bulk = bulk;
		site->answers = NULL;
	}
	else
	{
		bulk_free(bulk);
		site->bulk_failed = true;
	}
	MemoryContextSwitchTo(old);
}

/* Remember an answer, as long as there is room. */
static void
remember(CallSite *site, const Id *id, bool found, float score)
{
	Size		length = site->id_type == ID_BIGINT ? 0 :
		site->id_type == ID_UUID ? UUID_LEN : id->length;
	Answer	   *answer;
	bool		exists;

	/* a hash table of simplehash.h is at times a third full */
	if (site->memory + 3 * sizeof(Answer) + length > compat_hash_memory_limit())
		return;
	if (site->answers == NULL)
	{
		site->answers = answer_create(site->context, 32, &site->id_type);
		site->memory = 64 * sizeof(Answer);
	}
	answer = answer_insert(site->answers, *id, &exists);
	if (site->id_type != ID_BIGINT)
	{
		char	   *bytes = MemoryContextAlloc(site->context, length + 1);

		memcpy(bytes, id->value.bytes, length);
		answer->id.value.bytes = bytes;
	}
	answer->found = found;
	answer->score = score;
	site->memory += 3 * sizeof(Answer) + length;
}

/* The score of an id that is not known yet. */
static bool
find_score(FunctionCallInfo fcinfo, CallSite *site, Snapshot snapshot, const Id *id,
		   Datum user_id, float *score)
{
	Relation	rel;
	bool		found;

	/* here, too, the lock may bring in that it is another table now */
	while ((rel = try_relation_open(site->model.scores, AccessShareLock)) == NULL ||
		   site->generation != generation)
	{
		if (rel)
			relation_close(rel, NoLock);
		prepare(fcinfo, site, site->name ? pstrdup(site->name) : NULL, site->id_type);
		restart(site, snapshot);
		if (site->row_security)
			return score_by_query(site, user_id, score);
	}
	if (site->pages == 0)
		site->pages = Max(1, RelationGetNumberOfBlocks(rel));
	if (!site->bulk_failed && site->lookups >= (uint64) site->pages * LOOKUPS_PER_PAGE)
		read_bulk(site, rel, snapshot);
	if (site->bulk)
		found = bulk_find(site->bulk, id, score);
	else
	{
		found = score_by_index(site, rel, snapshot, user_id, score);
		site->lookups++;
		remember(site, id, found, *score);
	}
	relation_close(rel, NoLock);
	return found;
}

/*
 * Is the model's name a constant of the query?  (A parameter is not: PL/pgSQL
 * evaluates an expression again with other values.)
 */
static bool
model_is_constant(FunctionCallInfo fcinfo)
{
	Node	   *call = fcinfo->flinfo->fn_expr;

	return call && IsA(call, FuncExpr) && list_length(((FuncExpr *) call)->args) > 1 &&
		IsA(lsecond(((FuncExpr *) call)->args), Const);
}

/*
 * influence_score(user_id, model text, network text, topic text) returns real
 *
 * The published score of a user; NULL if there is none.  Raises an error if
 * there is no such model, its ids are of another type, it has no scores by
 * network or topic, or the caller may not read its scores.
 */
static Datum
score(FunctionCallInfo fcinfo, IdType id_type)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;
	char		name_buffer[NAMEDATALEN];
	char	   *name = NULL;
	Snapshot	snapshot;
	Datum		user_id;
	Id			id;
	float		score = 0;
	bool		constant;
	bool		found;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2) || !PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("models have no scores by %s", PG_ARGISNULL(2) ? "topic" : "network"),
				 errhint("Ask for the overall score, or create a model on a view of one %s.",
						 PG_ARGISNULL(2) ? "topic" : "network")));
	constant = site != NULL && site->name_constant && site->generation == generation &&
		site->user == GetUserId();
	if (!constant && !PG_ARGISNULL(1))
	{
		/* a name that is too long names no model, and is reported as it is */
		text	   *t = PG_GETARG_TEXT_PP(1);

		name = VARSIZE_ANY_EXHDR(t) < NAMEDATALEN ? name_buffer : palloc(VARSIZE_ANY_EXHDR(t) + 1);
		text_to_cstring_buffer(t, name, VARSIZE_ANY_EXHDR(t) + 1);
	}
	if (site == NULL)
	{
		site = fcinfo->flinfo->fn_extra =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
		site->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "influence scores",
											  ALLOCSET_SMALL_SIZES);
		site->name_constant = model_is_constant(fcinfo);
	}
	if (!constant &&
		(site->generation != generation || site->user != GetUserId() ||
		 (name == NULL) != (site->name == NULL) || (name && strcmp(name, site->name) != 0)))
		prepare(fcinfo, site, name, id_type);
	user_id = id_type == ID_TEXT ? PointerGetDatum(PG_GETARG_TEXT_PP(0)) : PG_GETARG_DATUM(0);
	if (site->row_security)
		found = score_by_query(site, user_id, &score);
	else
	{
		snapshot = GetActiveSnapshot();
		if (!same_snapshot(&site->snapshot, snapshot))
			restart(site, snapshot);
		id = id_from_datum(id_type, user_id);
		if (site->bulk)
			found = bulk_find(site->bulk, &id, &score);
		else
		{
			Answer	   *answer = site->answers ? answer_lookup(site->answers, id) : NULL;

			if (answer)
			{
				found = answer->found;
				score = answer->score;
			}
			else
				found = find_score(fcinfo, site, snapshot, &id, user_id, &score);
		}
	}
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT4(score);
}

Datum
influence_score_bigint(PG_FUNCTION_ARGS)
{
	return score(fcinfo, ID_BIGINT);
}

Datum
influence_score_uuid(PG_FUNCTION_ARGS)
{
	return score(fcinfo, ID_UUID);
}

Datum
influence_score_text(PG_FUNCTION_ARGS)
{
	return score(fcinfo, ID_TEXT);
}
