/*
 * unkeep.c
 *	  Taking a user out of the graphs that are kept with a model (keep.h).
 *
 * What goes is everything that says something about the user: the id, the
 * voices and scores, and all pairs that begin or end there.  What stays is the
 * place, because all others are named by theirs: it gets an id that hashes to
 * another partition, so that nobody who is looked for is found there, and as
 * no pair begins or ends there it never shows.
 *
 * Graphs are taken by families: those that are based on the same one, and that
 * itself, or what is left of it once it is too old to be kept.  A user is among
 * the ids of the base, and then in the same place of every graph of the family;
 * or among those that a graph has beyond these, at a place of its own.
 *
 * The rows of the table are taken one by one, and written back where something
 * changed.  Numbers are moved and not computed anew: what is left is what it
 * was, to the bit.
 *
 * A graph that is damaged cannot be trusted to be free of the user after
 * this, and so its family is deleted as a whole.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "keep.h"
#include "unkeep.h"
#include "varint.h"

/* A run that the table has rows of. */
typedef struct Graph
{
	int64		run;
	int64		family;			/* its base; or itself if no head says so */
	bool		head;			/* has one */
	bool		valid;			/* such as refreshes write */
	bool		base_only;		/* no rows but those that others are based on */
	KeptHead	read;			/* the head */
} Graph;

/* Graphs, and whom they are to lose. */
typedef struct Unkeeper
{
	const char *table;			/* qualified and quoted */
	const Id   *id;
	uint32		partition;		/* where the user is, */
	int64		run;			/* in this one */
	KeptHead	head;			/* (its head, or that of one based on it) */
	uint32		ids;			/* how many a row of ids is to have */
	uint32		found;			/* at which of them the user was */
	uint32		row;			/* of the user, */
	uint32		slot;			/* (csr_slot) */
	uint32		number;
} Unkeeper;

/* Bytes being read. */
typedef struct Reading
{
	const uint8 *at;
	const uint8 *end;
} Reading;

/* What became of a row of the table. */
typedef enum Outcome
{
	SAME,
	CHANGED,
	DAMAGED
} Outcome;

static bool
get(Reading *in, uint64 *value)
{
	const uint8 *after = varint_get(in->at, in->end, value);

	if (after == NULL)
		return false;
	in->at = after;
	return true;
}

static bool
skip(Reading *in, Size bytes)
{
	if ((Size) (in->end - in->at) < bytes)
		return false;
	in->at += bytes;
	return true;
}

static void
put(StringInfo out, uint64 value)
{
	uint8		byte[VARINT_MOST];

	appendBinaryStringInfo(out, (char *) byte, varint_put(byte, value) - byte);
}

/* Skip what stands behind the code of a pair: its parts. */
static bool
skip_parts(const KeptHead *head, Reading *in, uint64 code)
{
	uint64		parts = 1,
				value;

	if ((code & 1) && !get(in, &parts))
		return false;
	for (; parts > 0; parts--)
	{
		if (head->labelled && !get(in, &value))
			return false;
		if ((head->weighted || (code & 1)) && !get(in, &value))
			return false;
		if (head->weighted && !skip(in, sizeof(double)))
			return false;
	}
	return true;
}

/* Write edges without the user's; first is the row they start with. */
static Outcome
cut_edges(Unkeeper *u, uint32 partition, uint32 first, Reading in, StringInfo out)
{
	Outcome		outcome = SAME;
	StringInfoData pairs_left;	/* of a row of the graph */

	initStringInfo(&pairs_left);
	for (uint32 row = first; in.at < in.end; row++)
	{
		uint64		pairs,
					left = 0,
					source = 0,
					before = 0;
		bool		own = partition == u->partition && row == u->row;

		resetStringInfo(&pairs_left);
		if (!get(&in, &pairs))
			return DAMAGED;
		for (uint64 pair = 0; pair < pairs; pair++)
		{
			uint64		code;
			const uint8 *parts;

			if (!get(&in, &code))
				return DAMAGED;
			source += (code >> 1) + (pair > 0);
			parts = in.at;
			if (!skip_parts(&u->head, &in, code))
				return DAMAGED;
			if (own || source == u->slot)
			{
				outcome = CHANGED;
				continue;
			}
			put(&pairs_left, (source - before - (left > 0)) << 1 | (code & 1));
			appendBinaryStringInfo(&pairs_left, (const char *) parts, in.at - parts);
			before = source;
			left++;
		}
		put(out, left);
		appendBinaryStringInfo(out, pairs_left.data, pairs_left.len);
	}
	return outcome;
}

/* Write voices of a facet without the user's. */
static Outcome
cut_voices(Unkeeper *u, Reading in, StringInfo out)
{
	Outcome		outcome = SAME;
	KeptVoice	voice;

	while (in.at < in.end)
	{
		const uint8 *at = in.at;

		if (!skip(&in, sizeof(voice)))
			return DAMAGED;
		memcpy(&voice, at, sizeof(voice));
		if (voice.number == u->number)
			outcome = CHANGED;
		else
			appendBinaryStringInfo(out, (const char *) at, sizeof(voice));
	}
	return outcome;
}

/* Write changes without the user's. */
static Outcome
cut_changes(Unkeeper *u, uint32 partition, Reading in, StringInfo out)
{
	Outcome		outcome = SAME;
	uint64		row = 0,
				source = 0,
				row_before = 0,
				source_before = 0;

	while (in.at < in.end)
	{
		uint64		delta;
		const uint8 *rest;

		if (!get(&in, &delta))
			return DAMAGED;
		row += delta;
		if (delta > 0)
			source = 0;
		if (!get(&in, &delta))
			return DAMAGED;
		source += delta;
		rest = in.at;
		if (u->head.labelled && !get(&in, &delta))
			return DAMAGED;
		if (!get(&in, &delta) || (u->head.weighted && !skip(&in, sizeof(double))))
			return DAMAGED;
		if ((partition == u->partition && row == u->row) || source == u->slot)
		{
			outcome = CHANGED;
			continue;
		}
		put(out, row - row_before);
		put(out, source - (row == row_before ? source_before : 0));
		appendBinaryStringInfo(out, (const char *) rest, in.at - rest);
		row_before = row;
		source_before = source;
	}
	return outcome;
}

/* Write an array of so many bytes for each node of a partition, the user's 0. */
static Outcome
blank(Unkeeper *u, Size size, Reading in, StringInfo out)
{
	if ((Size) (in.end - in.at) != u->head.count[u->partition] * size)
		return DAMAGED;
	appendBinaryStringInfo(out, (const char *) in.at, in.end - in.at);
	memset(out->data + u->row * size, 0, size);
	return CHANGED;
}

/*
 * Append an id to a row of ids: the i-th of a series, of which the first that
 * hashes to another partition stands for nobody.
 */
static uint32
put_nobody(IdType type, uint32 i, StringInfo out)
{
	char		bytes[UUID_LEN] = {0};
	Id			nobody = {0};

	switch (type)
	{
		case ID_BIGINT:
			nobody.value.number = i;
			appendBinaryStringInfo(out, (char *) &nobody.value.number, sizeof(int64));
			break;
		case ID_UUID:
			memcpy(bytes, &i, sizeof(i));
			nobody.value.bytes = bytes;
			appendBinaryStringInfo(out, bytes, UUID_LEN);
			break;
		case ID_TEXT:
			nobody.length = snprintf(bytes, sizeof(bytes), "%u", i);
			nobody.value.bytes = bytes;
			appendBinaryStringInfo(out, (char *) &nobody.length, sizeof(uint32));
			appendBinaryStringInfo(out, bytes, nobody.length);
			break;
	}
	id_set_hash(type, &nobody);
	return ID_PARTITION(nobody.hash);
}

/*
 * Find the user among the ids in a row of their partition, and write these with
 * nobody instead.  SAME: the user is not there.
 */
static Outcome
replace_id(Unkeeper *u, Reading in, StringInfo out)
{
	IdType		type = u->head.id_type;
	Outcome		outcome = SAME;

	for (uint32 n = 0; n < u->ids; n++)
	{
		const uint8 *at = in.at;
		Id			id = {.hash = u->id->hash};

		if (type == ID_TEXT)
		{
			if (!skip(&in, sizeof(uint32)))
				return DAMAGED;
			memcpy(&id.length, at, sizeof(uint32));
		}
		id.value.bytes = (const char *) in.at;
		if (!skip(&in, type == ID_BIGINT ? sizeof(int64) : type == ID_UUID ? UUID_LEN : id.length))
			return DAMAGED;
		if (type == ID_BIGINT)
			memcpy(&id.value.number, at, sizeof(int64));
		if (!id_equal(type, &id, u->id))
		{
			appendBinaryStringInfo(out, (const char *) at, in.at - at);
			continue;
		}
		if (outcome == CHANGED)
			return DAMAGED;		/* nobody is there twice */
		outcome = CHANGED;
		u->found = n;
		for (uint32 i = 0;; i++)
		{
			int			length = out->len;

			if (put_nobody(type, i, out) != u->partition)
				break;
			out->len = length;
		}
	}
	return in.at == in.end ? outcome : DAMAGED;
}

/* --- the table ----------------------------------------------------------- */

/* The key of a row, without the run. */
typedef struct Key
{
	char	   *section;
	Datum		facet;
	int32		partition;
	int32		first;
} Key;

static void
execute(const char *command, int nargs, Datum *value, int expected)
{
	static Oid	type[] = {INT8OID, TEXTOID, TEXTOID, INT4OID, INT4OID, BYTEAOID};
	int			status = SPI_execute_with_args(command, nargs, type, value, NULL, false, 0);

	if (status != expected)
		elog(ERROR, "could not execute \"%s\": %s", command, SPI_result_code_string(status));
}

#define WHERE_KEY \
	" WHERE run OPERATOR(pg_catalog.=) $1 AND section OPERATOR(pg_catalog.=) $2" \
	" AND facet OPERATOR(pg_catalog.=) $3 AND partition OPERATOR(pg_catalog.=) $4" \
	" AND \"first\" OPERATOR(pg_catalog.=) $5"

/* What a row holds, in the current memory context; false if there is not one. */
static bool
read_row(const Unkeeper *u, const Key *key, Reading *in)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		value[] = {
		Int64GetDatum(u->run), CStringGetTextDatum(key->section), key->facet,
		Int32GetDatum(key->partition), Int32GetDatum(key->first)
	};
	bool		isnull = true;

	spi_begin();
	execute(psprintf("SELECT data FROM %s" WHERE_KEY, u->table), 5, value, SPI_OK_SELECT);
	if (SPI_processed == 1)
	{
		Datum		data = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
		{
			MemoryContext old = MemoryContextSwitchTo(context);
			bytea	   *bytes = DatumGetByteaPCopy(data);

			in->at = (uint8 *) VARDATA(bytes);
			in->end = in->at + VARSIZE(bytes) - VARHDRSZ;
			MemoryContextSwitchTo(old);
		}
	}
	spi_end();
	return !isnull;
}

static void
write_row(const Unkeeper *u, const Key *key, StringInfo out)
{
	bytea	   *bytes = palloc(VARHDRSZ + out->len);
	Datum		value[] = {
		Int64GetDatum(u->run), CStringGetTextDatum(key->section), key->facet,
		Int32GetDatum(key->partition), Int32GetDatum(key->first), PointerGetDatum(bytes)
	};

	SET_VARSIZE(bytes, VARHDRSZ + out->len);
	memcpy(VARDATA(bytes), out->data, out->len);
	spi_begin();
	execute(psprintf("UPDATE %s SET data = $6" WHERE_KEY, u->table), 6, value, SPI_OK_UPDATE);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a row of table %s was not changed", u->table),
				 errdetail("A trigger or rule of the table kept a user in the graph."),
				 errhint("Remove it, or delete the rows of the table.")));
	spi_end();
}

/*
 * The keys of the rows of some sections that may mention the user: not the
 * first one of a facet, which holds no voices.
 */
static Key *
list_keys(const Unkeeper *u, const char *sections, uint64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		value[] = {Int64GetDatum(u->run)};
	Key		   *key;

	spi_begin();
	execute(psprintf("SELECT section, facet, partition, \"first\" FROM %s"
					 " WHERE run OPERATOR(pg_catalog.=) $1"
					 " AND section OPERATOR(pg_catalog.=) ANY (ARRAY[%s])"
					 " AND (section OPERATOR(pg_catalog.=) ANY (ARRAY['edges', 'changes'])"
					 "  OR \"first\" OPERATOR(pg_catalog.>) 0)", u->table, sections),
			1, value, SPI_OK_SELECT);
	*n = SPI_processed;
	key = MemoryContextAllocHuge(context, (*n + 1) * sizeof(Key));
	for (uint64 i = 0; i < *n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext old;
		bool		isnull;

		key[i].section = MemoryContextStrdup(context, SPI_getvalue(tuple, desc, 1));
		key[i].facet = SPI_getbinval(tuple, desc, 2, &isnull);
		old = MemoryContextSwitchTo(context);
		key[i].facet = PointerGetDatum(DatumGetTextPCopy(key[i].facet));
		MemoryContextSwitchTo(old);
		key[i].partition = DatumGetInt32(SPI_getbinval(tuple, desc, 3, &isnull));
		key[i].first = DatumGetInt32(SPI_getbinval(tuple, desc, 4, &isnull));
	}
	spi_end();
	return key;
}

/* Bring one row in line; counts it if that changes it. */
static Outcome
cut_row(Unkeeper *u, const Key *key, int64 *changed)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(old, "influence unkeep row", ALLOCSET_DEFAULT_SIZES);
	Outcome		outcome;
	StringInfoData out;
	Reading		in;

	CHECK_FOR_INTERRUPTS();
	MemoryContextSwitchTo(work);
	initStringInfo(&out);
	if (!read_row(u, key, &in))
		outcome = DAMAGED;
	else if (strcmp(key->section, "ids") == 0)
		outcome = replace_id(u, in, &out);
	else if (strcmp(key->section, "voices") == 0)
		outcome = blank(u, sizeof(double), in, &out);
	else if (strcmp(key->section, "scores") == 0)
		outcome = blank(u, sizeof(KeptScore), in, &out);
	else if (strcmp(key->section, "edges") == 0)
		outcome = cut_edges(u, (uint32) key->partition, (uint32) key->first, in, &out);
	else if (strcmp(key->section, "changes") == 0)
		outcome = cut_changes(u, (uint32) key->partition, in, &out);
	else
		outcome = cut_voices(u, in, &out);
	if (outcome == CHANGED)
	{
		write_row(u, key, &out);
		++*changed;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return outcome;
}

/* Cut a row that a partition has one of. */
static Outcome
cut_one(Unkeeper *u, const char *section, uint32 first, int64 *changed)
{
	Key			key = {
		(char *) section, PointerGetDatum(cstring_to_text("")),
		(int32) u->partition, (int32) first
	};

	return cut_row(u, &key, changed);
}

/* Cut all rows of some sections. */
static Outcome
cut_rows(Unkeeper *u, const char *sections, int64 *changed)
{
	uint64		n;
	Key		   *key = list_keys(u, sections, &n);

	for (uint64 i = 0; i < n; i++)
		if (cut_row(u, &key[i], changed) == DAMAGED)
			return DAMAGED;
	return SAME;
}

/* Read the head of a graph, and tell its family. */
static void
read_head(Unkeeper *u, const Model *model, Graph *graph)
{
	Key			key = {"head", PointerGetDatum(cstring_to_text("")), 0, 0};
	Reading		in;
	uint64		nodes = 0;

	graph->family = graph->run;
	graph->valid = false;
	u->run = graph->run;
	if (!graph->head || !read_row(u, &key, &in) || in.end - in.at != sizeof(KeptHead))
		return;
	memcpy(&graph->read, in.at, sizeof(KeptHead));
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		if (graph->read.base_count[p] > graph->read.count[p])
			return;
		nodes += graph->read.count[p];
	}
	graph->valid = graph->read.magic == KEPT_MAGIC && graph->read.id_type == model->id_type &&
		nodes == graph->read.nodes && graph->read.base <= graph->run &&
		(graph->read.base < graph->run ||
		 memcmp(graph->read.count, graph->read.base_count, sizeof(graph->read.count)) == 0);
	if (graph->valid)
		graph->family = graph->read.base;
}

/* Can the graphs of a family be what refreshes left? */
static bool
valid_family(const Graph *graph, uint64 n)
{
	const KeptHead *first = NULL;
	bool		base = false;

	for (uint64 i = 0; i < n; i++)
	{
		const KeptHead *head = &graph[i].read;

		CHECK_FOR_INTERRUPTS();
		base |= graph[i].run == graph->family;
		if (!graph[i].valid)
		{
			/* what is left of a base that is too old */
			if (graph[i].head || !graph[i].base_only)
				return false;
			continue;
		}
		if (first == NULL)
			first = head;
		if (head->weighted != first->weighted || head->labelled != first->labelled ||
			memcmp(head->base_count, first->base_count, sizeof(head->base_count)) != 0)
			return false;
	}
	return base && first != NULL;
}

/* Take the user, whose row is known, out of what a graph has of its own. */
static Outcome
unkeep_graph(Unkeeper *u, int64 *changed)
{
	if (cut_one(u, "voices", 0, changed) == DAMAGED ||
		cut_one(u, "scores", 0, changed) == DAMAGED)
		return DAMAGED;
	return cut_rows(u, "'changes', 'network', 'topic'", changed);
}

/* The user is in this row. */
static void
found_in_row(Unkeeper *u, uint32 row)
{
	CsrBlock	block = {.lane = u->partition, .lanes = ID_PARTITIONS};

	u->row = row;
	u->slot = csr_slot(&block, row);
	u->number = row;
	for (uint32 p = 0; p < u->partition; p++)
		u->number += u->head.count[p];
}

/* Take the user out of a family of graphs; DAMAGED if that cannot be done. */
static Outcome
unkeep_family(Unkeeper *u, const Graph *graph, uint64 n, int64 *changed)
{
	Outcome		in_base = SAME;
	uint32		base_row = 0;
	uint32		base_count;

	if (!valid_family(graph, n))
		return DAMAGED;
	for (uint64 i = 0; i < n; i++)
		if (graph[i].valid)
			u->head = graph[i].read;
	u->run = graph->family;
	base_count = u->head.base_count[u->partition];
	if (base_count > 0)
	{
		u->ids = base_count;
		in_base = cut_one(u, "ids", 0, changed);
		base_row = u->found;
	}
	if (in_base == DAMAGED)
		return DAMAGED;
	if (in_base == CHANGED)
	{
		found_in_row(u, base_row);
		if (cut_rows(u, "'edges'", changed) == DAMAGED)
			return DAMAGED;
	}
	for (uint64 i = 0; i < n; i++)
	{
		Outcome		own = SAME;

		if (!graph[i].valid)
			continue;
		u->run = graph[i].run;
		u->head = graph[i].read;
		u->ids = u->head.count[u->partition] - base_count;
		if (u->ids > 0)
			own = cut_one(u, "ids", base_count, changed);
		if (own == DAMAGED || (own == CHANGED && in_base == CHANGED))
			return DAMAGED;
		if (own == SAME && in_base == SAME)
			continue;
		found_in_row(u, own == CHANGED ? base_count + u->found : base_row);
		if (unkeep_graph(u, changed) == DAMAGED)
			return DAMAGED;
	}
	return CHANGED;
}

/* Delete a family of graphs. */
static void
delete_family(const Unkeeper *u, const Model *model, const Graph *graph, uint64 n,
			  int64 *changed)
{
	for (uint64 i = 0; i < n; i++)
	{
		Datum		value[] = {Int64GetDatum(graph[i].run)};

		spi_begin();
		execute(psprintf("DELETE FROM %s WHERE run OPERATOR(pg_catalog.=) $1", u->table),
				1, value, SPI_OK_DELETE);
		*changed += (int64) SPI_processed;
		spi_end();
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("graph of run %lld of model \"%s\" was damaged, and is deleted",
						(long long) graph[i].run, model->name),
				 graph[i].run != graph[i].family ?
				 errdetail("It is based on that of run %lld.", (long long) graph[i].family) : 0));
	}
}

/* Order of families, and in a family of runs. */
static int
compare_graphs(const void *a, const void *b)
{
	const Graph *one = a;
	const Graph *other = b;

	if (one->family != other->family)
		return one->family < other->family ? -1 : 1;
	return one->run < other->run ? -1 : one->run > other->run;
}

/* What the table has rows of, by family. */
static Graph *
list_graphs(Unkeeper *u, const Model *model, uint64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext work;
	Graph	   *graph;

	spi_begin();
	execute(psprintf("SELECT run, pg_catalog.bool_or(section OPERATOR(pg_catalog.=) 'head'),"
					 " pg_catalog.bool_and(section OPERATOR(pg_catalog.=) ANY (ARRAY['ids', 'labels', 'edges']))"
					 " FROM %s GROUP BY run", u->table), 0, NULL, SPI_OK_SELECT);
	*n = SPI_processed;
	graph = MemoryContextAllocHuge(context, (*n + 1) * sizeof(Graph));
	for (uint64 i = 0; i < *n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		graph[i].run = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		graph[i].head = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));
		graph[i].base_only = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	spi_end();
	work = AllocSetContextCreate(context, "influence unkeep head", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(work);
	for (uint64 i = 0; i < *n; i++)
	{
		MemoryContextReset(work);
		read_head(u, model, &graph[i]);
	}
	MemoryContextSwitchTo(context);
	MemoryContextDelete(work);
	qsort(graph, *n, sizeof(Graph), compare_graphs);
	return graph;
}

/*
 * Take a user out of all graphs that are kept with a model, and return how
 * many rows of the table that changed.  The statements are the caller's, with
 * his rights; SPI is not connected.  Raises their errors.
 */
int64
unkeep(const Model *model, const Id *id)
{
	Unkeeper	u = {.id = id, .partition = ID_PARTITION(id->hash)};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(context, "influence unkeep family",
											   ALLOCSET_DEFAULT_SIZES);
	int64		changed = 0;
	Graph	   *graph;
	uint64		n;
	uint64		next;

	u.table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(model->graph)),
										 get_rel_name(model->graph));
	graph = list_graphs(&u, model, &n);
	MemoryContextSwitchTo(work);
	for (uint64 i = 0; i < n; i = next)
	{
		next = i + 1;
		while (next < n && graph[next].family == graph[i].family)
			next++;
		MemoryContextReset(work);
		if (unkeep_family(&u, &graph[i], next - i, &changed) == DAMAGED)
			delete_family(&u, model, &graph[i], next - i, &changed);
	}
	MemoryContextSwitchTo(context);
	MemoryContextDelete(work);
	return changed;
}
