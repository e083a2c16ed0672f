/*
 * unkeep.c
 *	  Taking a user out of the graphs that are kept with a model (keep.h).
 *
 * What goes is everything that says something about the user: the id, the
 * voices, and all pairs that begin or end there.  What stays is the place,
 * because all others are named by theirs: it gets an id that hashes to another
 * partition, so that nobody who is looked for is found there, and as no pair
 * begins or ends there it never shows.
 *
 * The rows of a graph are taken one by one, and written back where something
 * changed.  Numbers are moved and not computed anew: what is left is what it
 * was, to the bit.
 *
 * A graph that is damaged cannot be trusted to be free of the user after
 * this, and so is deleted as a whole.
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

/* One graph, and whom it is to lose. */
typedef struct Unkeeper
{
	const char *table;			/* qualified and quoted */
	int64		run;
	KeptHead	head;
	const Id   *id;
	uint32		partition;		/* where the user is, */
	uint32		row;
	uint32		slot;			/* (csr_slot) */
	uint32		number;
	StringInfoData pairs;		/* of a row of the graph, being written */
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
		if (head->weighted ? !skip(in, sizeof(double)) : (code & 1) && !get(in, &value))
			return false;
	}
	return true;
}

/* Write edges without the user's; first is the row they start with. */
static Outcome
cut_edges(Unkeeper *u, uint32 partition, uint32 first, Reading in, StringInfo out)
{
	Outcome		outcome = SAME;

	for (uint32 row = first; in.at < in.end; row++)
	{
		uint64		pairs,
					left = 0,
					source = 0,
					before = 0;
		bool		own = partition == u->partition && row == u->row;

		resetStringInfo(&u->pairs);
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
			put(&u->pairs, (source - before - (left > 0)) << 1 | (code & 1));
			appendBinaryStringInfo(&u->pairs, (const char *) parts, in.at - parts);
			before = source;
			left++;
		}
		put(out, left);
		appendBinaryStringInfo(out, u->pairs.data, u->pairs.len);
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

/* Write the voices of a partition, the user's being 0. */
static Outcome
silence(Unkeeper *u, Reading in, StringInfo out)
{
	if (in.end - in.at != (ptrdiff_t) (u->head.count[u->partition] * sizeof(double)))
		return DAMAGED;
	appendBinaryStringInfo(out, (const char *) in.at, in.end - in.at);
	memset(out->data + u->row * sizeof(double), 0, sizeof(double));
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
 * Find the user among the ids of their partition, and write these with nobody
 * instead.  SAME: the graph does not have the user.
 */
static Outcome
replace_id(Unkeeper *u, Reading in, StringInfo out)
{
	IdType		type = u->head.id_type;
	Outcome		outcome = SAME;

	for (uint32 row = 0; row < u->head.count[u->partition]; row++)
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
		outcome = CHANGED;
		u->row = row;
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

/* The keys of the rows that may mention the user beside the id and voice. */
static Key *
list_keys(const Unkeeper *u, uint64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		value[] = {Int64GetDatum(u->run)};
	Key		   *key;

	spi_begin();
	execute(psprintf("SELECT section, facet, partition, \"first\" FROM %s"
					 " WHERE run OPERATOR(pg_catalog.=) $1"
					 " AND (section OPERATOR(pg_catalog.=) 'edges' OR"
					 "  section OPERATOR(pg_catalog.=) ANY (ARRAY['network', 'topic'])"
					 "  AND \"first\" OPERATOR(pg_catalog.>) 0)", u->table),
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

/*
 * Bring one row in line; counts it if that changes it.  Memory is the
 * caller's to free.
 */
static Outcome
cut_row(Unkeeper *u, const Key *key, int64 *changed)
{
	StringInfoData out;
	Reading		in;
	Outcome		outcome;

	CHECK_FOR_INTERRUPTS();
	if (!read_row(u, key, &in))
		return DAMAGED;
	initStringInfo(&out);
	if (strcmp(key->section, "ids") == 0)
		outcome = replace_id(u, in, &out);
	else if (strcmp(key->section, "voices") == 0)
		outcome = silence(u, in, &out);
	else if (strcmp(key->section, "edges") == 0)
		outcome = cut_edges(u, (uint32) key->partition, (uint32) key->first, in, &out);
	else
		outcome = cut_voices(u, in, &out);
	if (outcome == CHANGED)
	{
		write_row(u, key, &out);
		++*changed;
	}
	return outcome;
}

/* Read the head; false if it is not what a refresh writes. */
static bool
read_head(Unkeeper *u, const Model *model)
{
	Key			key = {"head", PointerGetDatum(cstring_to_text("")), 0, 0};
	Reading		in;
	uint64		nodes = 0;

	if (!read_row(u, &key, &in) || in.end - in.at != sizeof(KeptHead))
		return false;
	memcpy(&u->head, in.at, sizeof(KeptHead));
	for (int p = 0; p < ID_PARTITIONS; p++)
		nodes += u->head.count[p];
	return u->head.magic == KEPT_MAGIC && u->head.id_type == model->id_type &&
		nodes == u->head.nodes;
}

/* Take the user out of one graph; DAMAGED if that cannot be done. */
static Outcome
unkeep_run(Unkeeper *u, const Model *model, int64 *changed)
{
	Key			own = {"ids", PointerGetDatum(cstring_to_text("")), 0, 0};
	MemoryContext work;
	MemoryContext old;
	CsrBlock	block = {.lanes = ID_PARTITIONS};
	Key		   *key;
	uint64		n;
	Outcome		outcome;

	if (!read_head(u, model))
		return DAMAGED;
	u->partition = ID_PARTITION(u->id->hash);
	own.partition = (int32) u->partition;
	if (u->head.count[u->partition] == 0)
		return SAME;
	work = AllocSetContextCreate(CurrentMemoryContext, "influence unkeep", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	outcome = cut_row(u, &own, changed);
	if (outcome == CHANGED)
	{
		block.lane = u->partition;
		u->slot = csr_slot(&block, u->row);
		u->number = u->row;
		for (uint32 p = 0; p < u->partition; p++)
			u->number += u->head.count[p];
		own.section = "voices";
		outcome = cut_row(u, &own, changed);
	}
	if (outcome == CHANGED)
	{
		MemoryContextSwitchTo(old);
		initStringInfo(&u->pairs);
		key = list_keys(u, &n);
		MemoryContextSwitchTo(work);
		for (uint64 i = 0; i < n && outcome != DAMAGED; i++)
		{
			MemoryContextReset(work);
			outcome = cut_row(u, &key[i], changed);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return outcome;
}

/*
 * Take a user out of all graphs that are kept with a model, and return how
 * many rows of the table that changed.  The statements are the caller's, with
 * his rights; SPI is not connected.  Raises their errors.
 */
int64
unkeep(const Model *model, const Id *id)
{
	Unkeeper	u = {.id = id};
	MemoryContext context = CurrentMemoryContext;
	int64		changed = 0;
	int64	   *run;
	uint64		n;

	u.table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(model->graph)),
										 get_rel_name(model->graph));
	spi_begin();
	execute(psprintf("SELECT DISTINCT run FROM %s", u.table), 0, NULL, SPI_OK_SELECT);
	n = SPI_processed;
	run = MemoryContextAlloc(context, (n + 1) * sizeof(int64));
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;

		run[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	spi_end();
	for (uint64 i = 0; i < n; i++)
	{
		u.run = run[i];
		if (unkeep_run(&u, model, &changed) == DAMAGED)
		{
			Datum		value[] = {Int64GetDatum(u.run)};

			spi_begin();
			execute(psprintf("DELETE FROM %s WHERE run OPERATOR(pg_catalog.=) $1", u.table),
					1, value, SPI_OK_DELETE);
			changed += (int64) SPI_processed;
			ereport(WARNING,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("graph of run %lld of model \"%s\" was damaged, and is deleted",
							(long long) u.run, model->name)));
			spi_end();
		}
	}
	return changed;
}
