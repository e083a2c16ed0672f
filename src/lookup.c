/*
 * lookup.c
 *	  influence_score: the query path.
 *
 * A call answers from what belongs to the place in the query it is called
 * from.  The first ids that are asked for are looked up in the published
 * table's primary key, one by one, and remembered; when there were as many as
 * the table has pages, the whole table is read, if it fits into work_mem *
 * hash_mem_multiplier (bulk.c): small queries cost a few look-ups, large ones
 * less than a hash join.  Scores by network and topic are kept apart, each
 * facet like a table of its own.
 *
 * What is answered is what the calling query's snapshot sees, whatever has
 * been refreshed since: what is remembered goes with the snapshot it was read
 * under, and is dropped when asked under another (a prepared expression
 * outlives a statement in PL/pgSQL, and a transaction may refresh between two
 * of them).
 *
 * Which tables have a model's scores is known to the session (known.c).
 *
 * Privileges are those of the caller on the published table; where row
 * security applies each id is looked up by a query.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "compat.h"
#include "bulk.h"
#include "ids.h"
#include "known.h"
#include "labels.h"
#include "model.h"
#include "tables.h"

/*
 * Read the whole table after so many look-ups for each of its pages.  A page
 * costs about six of them (some 90 rows at 160 ns against 2.5 us), but queries
 * ask for few users or for most: waiting for break-even helps neither.
 */
#define LOOKUPS_PER_PAGE	1

/*
 * How many rows a network or topic has is not known.  After the first so many
 * look-ups it is read, but given up when it has that many times as many rows;
 * then more look-ups are waited for.  Reading rows by the index costs a fifth
 * of looking them up, so what is given up costs less than the look-ups did.
 */
#define FIRST_FACET_LOOKUPS		128
#define FACET_ROWS_PER_LOOKUP	4

PG_FUNCTION_INFO_V1(influence_score_bigint);
PG_FUNCTION_INFO_V1(influence_score_uuid);
PG_FUNCTION_INFO_V1(influence_score_text);

/* Where scores are: of the whole model, or by network or topic. */
typedef enum LookupTable
{
	LOOKUP_SCORES,
	LOOKUP_NETWORKS,
	LOOKUP_TOPICS
} LookupTable;

#define LOOKUP_TABLES	3

static const struct
{
	ModelTable	table;
	const char *facet;			/* its column of facets, or NULL */
}			lookup_table[LOOKUP_TABLES] = {
	[LOOKUP_SCORES] = {TABLE_SCORES, NULL},
	[LOOKUP_NETWORKS] = {TABLE_NETWORKS, "network"},
	[LOOKUP_TOPICS] = {TABLE_TOPICS, "topic"}
};

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
 * a subtransaction rolled back in between, see known.c.
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

/* What a call site knows of a table, whose columns and index these are. */
typedef struct SiteTable
{
	bool		described;
	bool		row_security;
	SPIPlanPtr	plan;			/* under row security, or NULL */
	Oid			index;			/* primary key, or invalid */
	AttrNumber	facet_attno;	/* 0: there is none */
	AttrNumber	user_attno;
	AttrNumber	score_attno;
	TupleTableSlot *slot;		/* empty between calls */
} SiteTable;

/* Answers for the whole model, or one network or topic. */
typedef struct Place
{
	LookupTable table;
	LabelName	facet;			/* bytes NULL: none */
	answer_hash *answers;
	Size		memory;			/* of answers, about */
	uint64		lookups;
	uint64		read_after;		/* so many; 0: not known yet */
	Bulk	   *bulk;			/* all of it, or NULL */
	bool		bulk_failed;	/* it does not fit */
} Place;

typedef struct PlaceName
{
	LookupTable table;
	LabelName	facet;
} PlaceName;

typedef struct PlaceEntry
{
	PlaceName	name;
	Place	   *place;
	uint32		hash;
	char		status;
} PlaceEntry;

static inline bool
same_name(PlaceName a, PlaceName b)
{
	return a.table == b.table && a.facet.length == b.facet.length &&
		memcmp(a.facet.bytes, b.facet.bytes, a.facet.length) == 0;
}

#define SH_PREFIX			places
#define SH_ELEMENT_TYPE		PlaceEntry
#define SH_KEY_TYPE			PlaceName
#define SH_KEY				name
#define SH_HASH_KEY(tb, key)	\
	(hash_bytes((const unsigned char *) (key).facet.bytes, (key).facet.length) + (key).table)
#define SH_EQUAL(tb, a, b)	same_name(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a)	((a)->hash)
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Bytes that a place takes beside its name, a full hash table included. */
#define PLACE_BYTES	(sizeof(Place) + 3 * sizeof(PlaceEntry))

typedef struct CallSite
{
	MemoryContext context;		/* of the places; a child of the call site's */
	uint64		generation;		/* when model was looked up */
	char	   *name;			/* of the model; NULL: the one meant by that */
	KnownModel	model;
	Oid			user;			/* whose privileges were checked */
	IdType		id_type;
	bool		constant;		/* every call names the same model and facet */
	SiteTable	table[LOOKUP_TABLES];

	/* from here on emptied with context */
	SnapshotMark snapshot;
	places_hash *places;		/* NULL: there are none */
	Place	   *last;			/* used */
	Size		memory;			/* of places, answers and bulks, about */
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
	site->places = NULL;
	site->last = NULL;
	site->memory = 0;
	MemoryContextSwitchTo(old);
}

/* Raise an error unless the caller may read ids and scores of a table. */
static void
check_privileges(Oid table, const char *facet)
{
	const char *const column[] = {"user_id", "score", facet ? facet : "score"};

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

/* Note what look-ups need to know of a table. */
static void
describe_table(FunctionCallInfo fcinfo, CallSite *site, LookupTable which, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	SiteTable  *table = &site->table[which];
	const char *facet = lookup_table[which].facet;
	Oid			key = compat_primary_key(rel);

	check_privileges(RelationGetRelid(rel), facet);
	table->row_security = check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED;
	table->facet_attno = facet ? table_column(rel, facet, TEXTOID) : 0;
	table->user_attno = table_column(rel, "user_id", model_id_type_oid(site->id_type));
	table->score_attno = table_column(rel, "score", FLOAT4OID);
	table->index = InvalidOid;
	if (OidIsValid(key))
	{
		Relation	index = index_open(key, AccessShareLock);
		const int16 *attno = index->rd_index->indkey.values;

		if (facet ? index->rd_index->indnkeyatts == 2 && attno[0] == table->facet_attno &&
			attno[1] == table->user_attno :
			index->rd_index->indnkeyatts == 1 && attno[0] == table->user_attno)
			table->index = key;
		index_close(index, NoLock);
	}
	/* a copy of the descriptor, which no resource owner has to know of */
	table->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(rel)),
										   table_slot_callbacks(rel));
	table->described = true;
	MemoryContextSwitchTo(old);
}

/* Forget what is known of tables. */
static void
forget_tables(CallSite *site)
{
	for (int t = 0; t < LOOKUP_TABLES; t++)
	{
		if (site->table[t].slot)
			ExecDropSingleTupleTableSlot(site->table[t].slot);
		if (site->table[t].plan)
			SPI_freeplan(site->table[t].plan);
		memset(&site->table[t], 0, sizeof(SiteTable));
	}
}

static void
report_no_facets(LookupTable which)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the model has no scores by %s", lookup_table[which].facet),
			 errhint("Name the column of %ss of its interactions by influence_alter_model(..., %s => ...), and refresh it.",
					 lookup_table[which].facet, lookup_table[which].facet)));
}

/*
 * Make the call site ready to answer for a model from one of its tables.
 * Raises an error if there is no such model or table, its ids are of another
 * type, or the caller may not read it.
 */
static void
prepare(FunctionCallInfo fcinfo, CallSite *site, const char *name, IdType id_type,
		LookupTable which)
{
	char	   *copy = name ? MemoryContextStrdup(fcinfo->flinfo->fn_mcxt, name) : NULL;
	bool		same = site->generation == known_generation && site->user == GetUserId() &&
		(name == NULL) == (site->name == NULL) && (name == NULL || strcmp(name, site->name) == 0);
	uint64		before;

	/* what is known of the model's other tables stays true */
	if (!same)
		forget_tables(site);
	do
	{
		KnownModel	model = known_find(fcinfo, copy);
		Relation	rel;

		before = known_generation;
		if (model.id_type != id_type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("user ids of the model are of type %s, not %s",
							format_type_be(model_id_type_oid(model.id_type)),
							format_type_be(model_id_type_oid(id_type))),
					 errhint("Cast the user id to %s.",
							 format_type_be(model_id_type_oid(model.id_type)))));
		if (!OidIsValid(model.table[lookup_table[which].table]))
			report_no_facets(which);
		/* the lock brings invalidations in: perhaps it is another table now */
		rel = try_relation_open(model.table[lookup_table[which].table], AccessShareLock);
		if (known_generation == before)
		{
			tables_check(rel, lookup_table[which].table);
			site->id_type = id_type;
			site->model = model;
			site->user = GetUserId();
			describe_table(fcinfo, site, which, rel);
		}
		if (rel)
			relation_close(rel, NoLock);
	} while (known_generation != before);
	if (site->name)
		pfree(site->name);
	site->name = copy;
	if (!same || site->generation != known_generation)
		site->snapshot.xmin = InvalidTransactionId; /* no snapshot is like that */
	site->generation = known_generation;
}

/* The name of a place's facet as a datum. */
static Datum
facet_datum(const Place *place)
{
	return PointerGetDatum(cstring_to_text_with_len(place->facet.bytes, place->facet.length));
}

/* Look an id up by a query, which row security applies to. */
static bool
score_by_query(CallSite *site, const Place *place, Datum user_id, float *score)
{
	SiteTable  *table = &site->table[place->table];
	const char *facet = lookup_table[place->table].facet;
	Oid			type[] = {model_id_type_oid(site->id_type), TEXTOID};
	Datum		value[] = {user_id, facet ? facet_datum(place) : (Datum) 0};
	bool		found;

	spi_begin();
	if (table->plan == NULL)
	{
		Oid			relid = site->model.table[lookup_table[place->table].table];
		char	   *query = psprintf("SELECT score FROM %s WHERE user_id OPERATOR(pg_catalog.=) $1",
									 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
																get_rel_name(relid)));

		if (facet)
			query = psprintf("%s AND %s OPERATOR(pg_catalog.=) $2", query, facet);
		table->plan = SPI_prepare(query, facet ? 2 : 1, type);
		if (table->plan == NULL || SPI_keepplan(table->plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", query);
	}
	if (SPI_execute_plan(table->plan, value, NULL, true, 1) != SPI_OK_SELECT)
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

/*
 * A scan of the rows of a place, or of one user's if by_user: by the primary
 * key where that serves, else of the table.  score_scan_next puts the next row
 * into the slot.
 */
typedef struct ScoreScan
{
	Relation	index;
	IndexScanDesc index_scan;
	TableScanDesc table_scan;
	ScanKeyData key[2];
} ScoreScan;

static void
score_scan_begin(ScoreScan *scan, CallSite *site, const Place *place, Relation rel,
				 Snapshot snapshot, bool by_user, Datum user_id)
{
	static const RegProcedure equal[] = {F_INT8EQ, F_UUID_EQ, F_TEXTEQ};
	const SiteTable *table = &site->table[place->table];
	TupleDesc	desc = RelationGetDescr(rel);
	int			n = 0;

	scan->index = OidIsValid(table->index) && (by_user || table->facet_attno) ?
		index_open(table->index, AccessShareLock) : NULL;
	if (table->facet_attno)
	{
		ScanKeyEntryInitialize(&scan->key[n], 0, scan->index ? n + 1 : table->facet_attno,
							   BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(desc, table->facet_attno - 1)->attcollation,
							   F_TEXTEQ, facet_datum(place));
		n++;
	}
	if (by_user)
	{
		ScanKeyEntryInitialize(&scan->key[n], 0, scan->index ? n + 1 : table->user_attno,
							   BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(desc, table->user_attno - 1)->attcollation,
							   equal[site->id_type], user_id);
		n++;
	}
	if (scan->index)
	{
		/* an index may have another collation than its column */
		for (int i = 0; i < n; i++)
			scan->key[i].sk_collation = scan->index->rd_indcollation[i];
		scan->index_scan = compat_index_beginscan(rel, scan->index, snapshot, n);
		index_rescan(scan->index_scan, scan->key, n, NULL, 0);
	}
	else
		scan->table_scan = table_beginscan(rel, snapshot, n, n > 0 ? scan->key : NULL);
}

static bool
score_scan_next(ScoreScan *scan, TupleTableSlot *slot)
{
	return scan->index ? index_getnext_slot(scan->index_scan, ForwardScanDirection, slot) :
		table_scan_getnextslot(scan->table_scan, ForwardScanDirection, slot);
}

static void
score_scan_end(ScoreScan *scan, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	if (scan->index)
	{
		index_endscan(scan->index_scan);
		index_close(scan->index, NoLock);
	}
	else
		table_endscan(scan->table_scan);
}

/* Look one id up. */
static bool
score_of_user(CallSite *site, const Place *place, Relation rel, Snapshot snapshot,
			  Datum user_id, float *score)
{
	const SiteTable *table = &site->table[place->table];
	ScoreScan	scan;
	bool		found;

	score_scan_begin(&scan, site, place, rel, snapshot, true, user_id);
	found = score_scan_next(&scan, table->slot);
	if (found)
	{
		bool		isnull;

		*score = DatumGetFloat4(slot_getattr(table->slot, table->score_attno, &isnull));
		found = !isnull;
	}
	score_scan_end(&scan, table->slot);
	return found;
}

/*
 * Read all of a place, if it fits and has no more rows than most; false if it
 * has more.
 */
static bool
read_bulk(CallSite *site, Place *place, Relation rel, Snapshot snapshot, uint64 most)
{
	MemoryContext old = MemoryContextSwitchTo(site->context);
	const SiteTable *table = &site->table[place->table];
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Size		limit = compat_hash_memory_limit();
	Size		others = site->memory - place->memory;
	Bulk	   *bulk = bulk_create(site->id_type, limit > others ? limit - others : 0);
	ScoreScan	scan;
	uint64		rows = 0;
	bool		fits = true;

	score_scan_begin(&scan, site, place, rel, snapshot, false, (Datum) 0);
	while (fits && rows <= most && score_scan_next(&scan, slot))
	{
		Datum		user_id;
		Id			id;

		CHECK_FOR_INTERRUPTS();
		rows++;
		slot_getsomeattrs(slot, Max(table->user_attno, table->score_attno));
		/* the owner may have allowed NULLs; they answer like no row */
		if (slot->tts_isnull[table->user_attno - 1] || slot->tts_isnull[table->score_attno - 1])
			continue;
		user_id = slot->tts_values[table->user_attno - 1];
		if (site->id_type == ID_TEXT)
			user_id = PointerGetDatum(PG_DETOAST_DATUM_PACKED(user_id));
		id = id_from_datum(site->id_type, user_id);
		fits = bulk_add(bulk, &id, DatumGetFloat4(slot->tts_values[table->score_attno - 1]));
	}
	score_scan_end(&scan, slot);
	ExecDropSingleTupleTableSlot(slot);
	if (rows > most)
		bulk_free(bulk);
	else if (fits && bulk_finish(bulk))
	{
		place->bulk = bulk;
		if (place->answers)
			answer_destroy(place->answers);
		place->answers = NULL;
		place->memory = bulk_memory(bulk);
		site->memory = others + place->memory;
	}
	else
	{
		bulk_free(bulk);
		place->bulk_failed = true;
	}
	MemoryContextSwitchTo(old);
	return rows <= most;
}

/* Remember an answer, as long as there is room. */
static void
remember(CallSite *site, Place *place, const Id *id, bool found, float score)
{
	Size		length = site->id_type == ID_BIGINT ? 0 :
		site->id_type == ID_UUID ? UUID_LEN : id->length;
	Answer	   *answer;
	bool		exists;

	/* a hash table of simplehash.h is at times a third full */
	if (site->memory + 3 * sizeof(Answer) + length > compat_hash_memory_limit())
		return;
	if (place->answers == NULL)
	{
		place->answers = answer_create(site->context, 32, &site->id_type);
		site->memory += 64 * sizeof(Answer);
		place->memory += 64 * sizeof(Answer);
	}
	answer = answer_insert(place->answers, *id, &exists);
	if (site->id_type != ID_BIGINT)
	{
		char	   *bytes = MemoryContextAlloc(site->context, length + 1);

		memcpy(bytes, id->value.bytes, length);
		answer->id.value.bytes = bytes;
	}
	answer->found = found;
	answer->score = score;
	site->memory += 3 * sizeof(Answer) + length;
	place->memory += 3 * sizeof(Answer) + length;
}

/*
 * Make a place.  When places alone fill the memory, everything is forgotten:
 * somebody asks for one facet after the other.
 */
static Place *
make_place(CallSite *site, Snapshot snapshot, PlaceName name)
{
	Place	   *place;
	char	   *bytes;
	bool		exists;

	if (site->places && (site->places->members + 1) * PLACE_BYTES > compat_hash_memory_limit())
		restart(site, snapshot);
	if (site->places == NULL)
		site->places = places_create(site->context, 4, NULL);
	bytes = MemoryContextAlloc(site->context, name.facet.length + 1);
	memcpy(bytes, name.facet.bytes, name.facet.length);
	name.facet.bytes = bytes;
	place = MemoryContextAllocZero(site->context, sizeof(Place));
	place->table = name.table;
	place->facet = name.facet;
	site->memory += PLACE_BYTES + name.facet.length;
	places_insert(site->places, name, &exists)->place = place;
	return place;
}

/* The place of a table and facet; found at once if it was the last one used. */
static inline Place *
find_place(CallSite *site, Snapshot snapshot, LookupTable which, LabelName facet)
{
	PlaceName	name = {which, facet};

	if (site->last == NULL || !same_name((PlaceName) {site->last->table, site->last->facet}, name))
	{
		PlaceEntry *entry = site->places ? places_lookup(site->places, name) : NULL;

		site->last = entry ? entry->place : make_place(site, snapshot, name);
	}
	return site->last;
}

/* Read all of a place if so many were looked up that it pays. */
static void
consider_bulk(CallSite *site, Place *place, Relation rel, Snapshot snapshot)
{
	if (place->read_after == 0)
		place->read_after = place->table == LOOKUP_SCORES ?
			Max(1, (uint64) RelationGetNumberOfBlocks(rel) * LOOKUPS_PER_PAGE) : FIRST_FACET_LOOKUPS;
	if (place->bulk_failed || place->lookups < place->read_after)
		return;
	if (!read_bulk(site, place, rel, snapshot, place->table == LOOKUP_SCORES ? UINT64_MAX - 1 :
				   place->lookups * FACET_ROWS_PER_LOOKUP))
		place->read_after *= FACET_ROWS_PER_LOOKUP;
}

/* The score of an id that is not known yet. */
static bool
find_score(FunctionCallInfo fcinfo, CallSite *site, LookupTable which, LabelName facet,
		   Snapshot snapshot, const Id *id, Datum user_id, float *score)
{
	Place	   *place;
	Relation	rel;
	bool		found;

	/* here, too, the lock may bring in that it is another table now */
	while ((rel = try_relation_open(site->model.table[lookup_table[which].table], AccessShareLock)) == NULL ||
		   site->generation != known_generation)
	{
		if (rel)
			relation_close(rel, NoLock);
		prepare(fcinfo, site, site->name ? pstrdup(site->name) : NULL, site->id_type, which);
		restart(site, snapshot);
	}
	place = find_place(site, snapshot, which, facet);
	if (site->table[which].row_security)
	{
		relation_close(rel, NoLock);
		return score_by_query(site, place, user_id, score);
	}
	if (place->bulk == NULL)
		consider_bulk(site, place, rel, snapshot);
	if (place->bulk)
		found = bulk_find(place->bulk, id, score);
	else
	{
		found = score_of_user(site, place, rel, snapshot, user_id, score);
		place->lookups++;
		remember(site, place, id, found, *score);
	}
	relation_close(rel, NoLock);
	return found;
}

/*
 * Are the model's name and the facet's constants of the query?  (A parameter
 * is not: PL/pgSQL evaluates an expression again with other values.)
 */
static bool
is_constant(FunctionCallInfo fcinfo)
{
	Node	   *call = fcinfo->flinfo->fn_expr;

	if (call == NULL || !IsA(call, FuncExpr) || list_length(((FuncExpr *) call)->args) != 4)
		return false;
	for (int i = 1; i < 4; i++)
		if (!IsA(list_nth(((FuncExpr *) call)->args, i), Const))
			return false;
	return true;
}

/*
 * influence_score(user_id, model text, network text, topic text) returns real
 *
 * The published score of a user, in a network or topic if one is named; NULL
 * if there is none.  Raises an error if there is no such model, its ids are of
 * another type, it has no scores by network or topic, both are named, or the
 * caller may not read its scores.
 */
static Datum
score(FunctionCallInfo fcinfo, IdType id_type)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;
	LookupTable which = !PG_ARGISNULL(2) ? LOOKUP_NETWORKS : !PG_ARGISNULL(3) ? LOOKUP_TOPICS :
		LOOKUP_SCORES;
	LabelName	facet = {"", 0};
	Place	   *place;
	Snapshot	snapshot;
	Datum		user_id;
	Id			id;
	float		score = 0;
	bool		constant;
	bool		found;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2) && !PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("there are no scores by network and topic together"),
				 errhint("Ask for one of them, or create a model on a view of one network.")));
	if (site == NULL)
	{
		site = fcinfo->flinfo->fn_extra =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
		site->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "influence scores",
											  ALLOCSET_SMALL_SIZES);
		site->constant = is_constant(fcinfo);
	}
	constant = site->constant && site->generation == known_generation && site->user == GetUserId();
	if (!constant)
	{
		char		name_buffer[NAMEDATALEN];
		char	   *name = NULL;

		if (!PG_ARGISNULL(1))
		{
			/* a name that is too long names no model, and is reported as it is */
			text	   *t = PG_GETARG_TEXT_PP(1);

			name = VARSIZE_ANY_EXHDR(t) < NAMEDATALEN ? name_buffer :
				palloc(VARSIZE_ANY_EXHDR(t) + 1);
			text_to_cstring_buffer(t, name, VARSIZE_ANY_EXHDR(t) + 1);
		}
		if (site->generation != known_generation || site->user != GetUserId() ||
			!site->table[which].described ||
			(name == NULL) != (site->name == NULL) || (name && strcmp(name, site->name) != 0))
			prepare(fcinfo, site, name, id_type, which);
	}
	snapshot = GetActiveSnapshot();
	if (!same_snapshot(&site->snapshot, snapshot))
		restart(site, snapshot);
	place = site->last;
	if (which != LOOKUP_SCORES && (!constant || place == NULL))
	{
		text	   *t = PG_GETARG_TEXT_PP(which == LOOKUP_NETWORKS ? 2 : 3);

		facet = (LabelName) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
		place = find_place(site, snapshot, which, facet);
	}
	else if (place == NULL || (!constant && place->table != which))
		place = find_place(site, snapshot, which, facet);
	facet = place->facet;
	user_id = id_type == ID_TEXT ? PointerGetDatum(PG_GETARG_TEXT_PP(0)) : PG_GETARG_DATUM(0);
	id = id_from_datum(id_type, user_id);
	if (place->bulk)
		found = bulk_find(place->bulk, &id, &score);
	else
	{
		Answer	   *answer = place->answers ? answer_lookup(place->answers, id) : NULL;

		if (answer)
		{
			found = answer->found;
			score = answer->score;
		}
		else
		{
			/* the place may go on the way, and the name with it */
			char	   *bytes = facet.length ? pnstrdup(facet.bytes, facet.length) : "";

			found = find_score(fcinfo, site, which, (LabelName) {bytes, facet.length}, snapshot,
							   &id, user_id, &score);
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
