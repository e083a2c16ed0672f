/*
 * keep.c
 *	  The graph that a refresh leaves with its model: writing it.
 *
 * Who builds a block of the graph encodes its parts at once, into a temporary
 * file: what is kept must not take memory from the graph that is ranked.  The
 * leader copies the files to the model's table when scores are published, and
 * adds the ids and voices.
 *
 * The edges of a row, in a row's data:
 *
 *	varint		pairs that end in it, for each row from "first" on; then for
 *				each pair, sources ascending,
 *	varint		(slot of the source - that of the pair before, or 0, - 1 but for
 *				the first) * 2, + 1 if there is more than one part or a part that
 *				does not count 1;
 *	varint		in the latter case the number of parts; and of each part
 *	varint		its label, if labels are kept,
 *	varint		if weighted, how many interactions it is of,
 *	varint or double	its x, if weighted, or if it is not 1.
 *
 * The changes of a partition, in a row's data, by row, source and label
 * ascending; of each
 *
 *	varint		its row - that of the one before, or 0,
 *	varint		the slot of the source - that of the one before, if that is of
 *				the same row, or 0,
 *	varint		its label, if labels are kept,
 *	varint		if weighted, of how many interactions it is now instead,
 *	varint or double	and what its x is; 0 if there is no such part.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "keep.h"
#include "scales.h"
#include "varint.h"
#include "writer.h"

/* Labels in a row of the table; voices of a facet in one. */
#define KEPT_LABELS		4096
#define KEPT_VOICES		65536

/* Rows that are written together: data of up to 64 KB each wait for that. */
#define FLUSH_ROWS		16

struct Keeper
{
	KeepShared *shared;
	EdgesShared *edges;
	Arena	   *arena;
	MemoryContext context;
	BufFile    *file[ID_PARTITIONS];	/* without workers */
	uint8	   *data;			/* being encoded */
	Size		used;
	Size		size;
};

/* What stands before the data of a row in a file. */
typedef struct FileRow
{
	uint32		first;
	uint32		length;
} FileRow;

/* Set the shared part up, before any worker starts. */
void
keep_init(KeepShared *shared, bool keep)
{
	shared->keep = keep;
	pg_atomic_init_u64(&shared->files, 0);
}

/* One process's part, in the current memory context; NULL if nothing is kept. */
Keeper *
keep_attach(KeepShared *shared, Edges *edges, Arena *arena)
{
	Keeper	   *keeper;

	if (!shared->keep)
		return NULL;
	keeper = palloc0(sizeof(Keeper));
	keeper->shared = shared;
	keeper->edges = edges_info(edges);
	keeper->arena = arena;
	keeper->context = CurrentMemoryContext;
	return keeper;
}

/* --- encoding ------------------------------------------------------------ */

static void
need(Keeper *keeper, Size bytes)
{
	if (likely(keeper->used + bytes <= keeper->size))
		return;
	arena_reserve(keeper->arena, keeper->size + 2 * KEPT_ROW);
	keeper->size = 2 * (keeper->size + KEPT_ROW);
	keeper->data = keeper->data ? repalloc_huge(keeper->data, keeper->size) :
		MemoryContextAllocHuge(keeper->context, keeper->size);
}

static void
put(Keeper *keeper, uint64 value)
{
	need(keeper, VARINT_MOST);
	keeper->used = varint_put(keeper->data + keeper->used, value) - keeper->data;
}

static void
put_part(Keeper *keeper, const Part *part, bool counted)
{
	if (keeper->edges->labelled)
		put(keeper, part->label);
	if (keeper->edges->weighted)
	{
		put(keeper, part->rows);
		need(keeper, sizeof(double));
		memcpy(keeper->data + keeper->used, &part->x, sizeof(double));
		keeper->used += sizeof(double);
	}
	else if (counted)
		put(keeper, (uint64) part->x);
}

static void
write_row(Keeper *keeper, BufFile *file, uint32 first)
{
	FileRow		row = {first, (uint32) keeper->used};

	if (keeper->used > MaxAllocSize / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many users reacted to one for the graph to be kept"),
				 errhint("Do not keep graphs: influence_alter_model(..., keep_graphs => 0).")));
	BufFileWrite(file, &row, sizeof(row));
	BufFileWrite(file, keeper->data, keeper->used);
	keeper->used = 0;
}

static void
file_name(char *name, uint32 partition)
{
	snprintf(name, MAXPGPATH, "graph.%u", partition);
}

/* Encode the parts of a block of so many rows into its file. */
void
keep_block(Keeper *keeper, uint32 partition, uint32 nrows, const Part *part, uint64 n)
{
	BufFile    *file;
	char		name[MAXPGPATH];
	uint64		i = 0;
	uint32		first = 0;

	file_name(name, partition);
	file = keeper->edges->shared ? compat_buffile_create(&keeper->edges->fileset, name) :
		BufFileCreateTemp(false);
	for (uint32 row = 0; row < nrows; row++)
	{
		uint64		pairs = 0;
		uint32		before = 0;

		for (uint64 j = i; j < n && part[j].row == row; j++)
			pairs += j == i || part[j].source != part[j - 1].source;
		put(keeper, pairs);
		for (uint64 pair = 0; pair < pairs; pair++)
		{
			uint32		source = part[i].source;
			uint64		parts = 1;
			bool		plain;

			while (i + parts < n && part[i + parts].row == row && part[i + parts].source == source)
				parts++;
			plain = parts == 1 && (keeper->edges->weighted || part[i].x == 1);
			put(keeper, (uint64) (source - before - (pair > 0)) << 1 | !plain);
			before = source;
			if (!plain)
				put(keeper, parts);
			for (; parts > 0; parts--)
				put_part(keeper, &part[i++], !plain);
		}
		if (keeper->used >= KEPT_ROW || row + 1 == nrows)
		{
			write_row(keeper, file, first);
			first = row + 1;
		}
	}
	if (keeper->edges->shared)
	{
		compat_buffile_export(file);
		BufFileClose(file);
	}
	else
		keeper->file[partition] = file;
	pg_atomic_fetch_or_u64(&keeper->shared->files, UINT64CONST(1) << partition);
}

/* --- publishing ---------------------------------------------------------- */

/* The table being written. */
typedef struct GraphTable
{
	Writer	   *writer;
	AttrNumber	run,
				section,
				facet,
				partition,
				first,
				data;
	int64		this_run;
	int			rows;			/* not flushed */
} GraphTable;

static void
put_row(GraphTable *table, const char *section, LabelName facet, uint32 partition,
		uint32 first, const void *data, Size length)
{
	TupleTableSlot *slot = writer_slot(table->writer);
	bytea	   *bytes = palloc(VARHDRSZ + length);

#define SET(column, value) \
	(slot->tts_values[(column) - 1] = (value), slot->tts_isnull[(column) - 1] = false)
	SET_VARSIZE(bytes, VARHDRSZ + length);
	memcpy(VARDATA(bytes), data, length);
	SET(table->run, Int64GetDatum(table->this_run));
	SET(table->section, CStringGetTextDatum(section));
	SET(table->facet, PointerGetDatum(cstring_to_text_with_len(facet.bytes, facet.length)));
	SET(table->partition, Int32GetDatum((int32) partition));
	SET(table->first, Int32GetDatum((int32) first));
	SET(table->data, PointerGetDatum(bytes));
#undef SET
	writer_insert(table->writer);
	pfree(bytes);
	if (++table->rows % FLUSH_ROWS == 0)
		writer_flush(table->writer);
	CHECK_FOR_INTERRUPTS();
}

static const LabelName no_facet = {"", 0};

/* Append an id. */
static void
put_id(StringInfo data, IdType type, const Id *id)
{
	switch (type)
	{
		case ID_BIGINT:
			appendBinaryStringInfo(data, (char *) &id->value.number, sizeof(int64));
			break;
		case ID_UUID:
			appendBinaryStringInfo(data, id->value.bytes, UUID_LEN);
			break;
		case ID_TEXT:
			appendBinaryStringInfo(data, (char *) &id->length, sizeof(uint32));
			appendBinaryStringInfo(data, id->value.bytes, id->length);
			break;
	}
}

/* The ids of the nodes of a partition, in order. */
static void
publish_ids(GraphTable *table, const Model *model, Ids *ids, const Blocks *blocks, uint32 p,
			NodeRef *node_of)
{
	uint32		base = blocks->shared->base[p];
	uint32		n = blocks->shared->base[p + 1] - base;
	StringInfoData data;

	for (uint32 i = 0; i < n; i++)
		node_of[blocks->number[base + i] - base] = p << NODE_PLACE_BITS | i;
	initStringInfo(&data);
	for (uint32 i = 0; i < n; i++)
	{
		Id			id;

		ids_get(ids, node_of[i], &id);
		put_id(&data, model->id_type, &id);
	}
	put_row(table, "ids", no_facet, p, 0, data.data, data.len);
	pfree(data.data);
}

/* The voices of the nodes of a partition; share is rank / activity by slot. */
static void
publish_voices(GraphTable *table, const Blocks *blocks, uint32 p, const double *share,
			   uint32 users, double *voice)
{
	CsrBlock	block = {.lane = p, .lanes = ID_PARTITIONS};
	uint32		n = blocks->shared->base[p + 1] - blocks->shared->base[p];

	for (uint32 i = 0; i < n; i++)
		voice[i] = share[csr_slot(&block, i)] * users;
	put_row(table, "voices", no_facet, p, 0, voice, n * sizeof(double));
}

/*
 * What is published of the nodes of a partition: as published says by number,
 * or if that is NULL, all results.
 */
static void
publish_scores(GraphTable *table, const Blocks *blocks, uint32 p, const Results *results,
			   const KeptScore *published, KeptScore *score)
{
	uint32		base = blocks->shared->base[p];
	uint32		n = blocks->shared->base[p + 1] - base;

	for (uint32 i = 0; i < n; i++)
		score[i] = published ? published[base + i] :
			(KeptScore) {results->score[base + i], results->percentile[base + i]};
	put_row(table, "scores", no_facet, p, 0, score, n * sizeof(KeptScore));
}

/* What was encoded of a partition. */
static void
publish_edges(GraphTable *table, Keeper *keeper, uint32 p)
{
	BufFile    *file = keeper->file[p];
	FileRow		row;
	char	   *data = NULL;
	uint32		size = 0;

	if (!(pg_atomic_read_u64(&keeper->shared->files) >> p & 1))
		return;
	if (keeper->edges->shared)
	{
		char		name[MAXPGPATH];

		file_name(name, p);
		file = compat_buffile_open(&keeper->edges->fileset, name);
	}
	else if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file")));
	while (compat_buffile_read_or_end(file, &row, sizeof(row)))
	{
		if (row.length > size)
		{
			if (data)
				pfree(data);
			size = row.length;
			data = palloc(size);
		}
		compat_buffile_read(file, data, row.length);
		put_row(table, "edges", no_facet, p, row.first, data, row.length);
	}
	BufFileClose(file);
	keeper->file[p] = NULL;
}

/*
 * What labels say, with all their topics: those from a number on.
 * label_number gives their numbers in labels; NULL: they are the same.
 */
static void
publish_labels(GraphTable *table, Labels *labels, const uint32 *label_number, uint32 from, uint32 n)
{
	StringInfoData data;
	uint32		first = from;

	initStringInfo(&data);
	for (uint32 i = from; i < n; i++)
	{
		Id			id;

		ids_get(labels->ids, labels->node[label_number ? label_number[i] : i], &id);
		appendBinaryStringInfo(&data, id.value.bytes, id.length);
		if (i + 1 - first == KEPT_LABELS || i + 1 == n)
		{
			put_row(table, "labels", no_facet, 0, first, data.data, data.len);
			resetStringInfo(&data);
			first = i + 1;
		}
	}
	pfree(data.data);
}

/* The voices in a facet. */
static void
publish_facet(GraphTable *table, Labels *labels, uint32 f)
{
	const Facet *facet = &labels->facet[f];
	const FacetRow *row = arena_address(labels->arena, facet->rows);
	const char *section = facet_type_name[facet->type];
	KeptVoice  *voice = palloc(KEPT_VOICES * sizeof(KeptVoice));
	uint32		n = 0,
				rows = 0;

	put_row(table, section, labels_facet_name(labels, f), 0, rows++, &facet->units,
			sizeof(MixtureUnits));

	for (uint32 i = 0; i <= facet->nodes; i++)
	{
		if (n == KEPT_VOICES || (i == facet->nodes && n > 0))
		{
			put_row(table, section, labels_facet_name(labels, f), 0, rows++, voice,
					n * sizeof(KeptVoice));
			n = 0;
		}
		if (i < facet->nodes && row[i].voice > 0)
			voice[n++] = (KeptVoice) {row[i].number, 0, row[i].voice};
	}
	pfree(voice);
}

/* Open the table, to write the graph of a run. */
static GraphTable
open_table(const Model *model, int64 run)
{
	GraphTable	table = {.this_run = run};

	table.writer = writer_open(model->graph, NULL);
	table.run = writer_column(table.writer, "run", INT8OID);
	table.section = writer_column(table.writer, "section", TEXTOID);
	table.facet = writer_column(table.writer, "facet", TEXTOID);
	table.partition = writer_column(table.writer, "partition", INT4OID);
	table.first = writer_column(table.writer, "first", INT4OID);
	table.data = writer_column(table.writer, "data", BYTEAOID);
	return table;
}

/*
 * The runs that graphs of runs after "old" are based on, and base.  A head that
 * is damaged tells of none.
 */
static ArrayType *
bases_needed(const char *table, int64 old, int64 base)
{
	Oid			type[] = {INT8OID};
	Datum		value[] = {Int64GetDatum(old)};
	Datum	   *needed;
	int			n = 0;

	if (SPI_execute_with_args(psprintf("SELECT CAST(data AS pg_catalog.bytea) FROM %s"
									   " WHERE section OPERATOR(pg_catalog.=) 'head'"
									   " AND run OPERATOR(pg_catalog.>) $1", table),
							  1, type, value, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read graphs");
	needed = palloc((SPI_processed + 1) * sizeof(Datum));
	needed[n++] = Int64GetDatum(base);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		data = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(data);
		KeptHead	head;

		if (isnull || VARSIZE_ANY_EXHDR(bytes) != sizeof(head))
			continue;
		memcpy(&head, VARDATA_ANY(bytes), sizeof(head));
		if (head.magic == KEPT_MAGIC)
			needed[n++] = Int64GetDatum(head.base);
	}
	return construct_array(needed, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/*
 * Delete the graphs of runs too old to be kept beside that of a run, whose base
 * is given (the run itself if it has no other).  Of a base that is too old but
 * needed stays what others need of it: it has no head then, and is not kept
 * for itself.
 */
void
keep_forget(const Model *model, int64 run, int64 base)
{
	Oid			type[] = {INT8OID, INT8ARRAYOID};
	Datum		value[] = {Int64GetDatum(run - model->keep_graphs), 0};
	char	   *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(model->graph)),
												   get_rel_name(model->graph));

	spi_begin();
	value[1] = PointerGetDatum(bases_needed(table, run - model->keep_graphs, base));
	if (SPI_execute_with_args(psprintf("DELETE FROM %s WHERE run OPERATOR(pg_catalog.<=) $1"
									   " AND NOT (run OPERATOR(pg_catalog.=) ANY ($2) AND"
									   " section OPERATOR(pg_catalog.=) ANY (ARRAY['ids', 'labels', 'edges']))",
									   table),
							  2, type, value, NULL, false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete old graphs");
	spi_end();
}

/*
 * In the leader, when workers are gone: write the graph of a run to the
 * model's table.  share is rank / activity, by slot.
 */
void
keep_publish(Keeper *keeper, const Model *model, Ids *ids, const Blocks *blocks,
			 Labels *labels, const double *share, const Results *results,
			 const KeptScore *published, int64 run, TimestampTz as_of, TimestampTz published_at,
			 uint64 hierarchy)
{
	GraphTable	table;
	KeptHead	head = {
		.magic = KEPT_MAGIC,
		.id_type = model->id_type,
		.weighted = keeper->edges->weighted,
		.labelled = keeper->edges->labelled,
		.logarithmic = blocks->shared->logarithmic,
		.base = run,
		.as_of = as_of,
		.landmark = as_of,
		.published = published_at,
		.scale = 1,
		.hierarchy = hierarchy,
		.units = results->units,
		.users = results->users,
		.dangling = results->dangling,
		.nodes = blocks->shared->nodes,
		.labels = labels ? labels->shared->labels : 0,
		.base_labels = labels ? labels->shared->labels : 0
	};
	uint32		most = 0;
	Size		size;
	void	   *scratch;

	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		head.count[p] = head.base_count[p] = blocks->shared->base[p + 1] - blocks->shared->base[p];
		head.pairs[p] = blocks->shared->pairs[p];
		most = Max(most, head.count[p]);
	}
	size = most * sizeof(double);
	arena_reserve(keeper->arena, size);
	scratch = palloc_extended(Max(size, 1), MCXT_ALLOC_HUGE);
	table = open_table(model, run);
	put_row(&table, "head", no_facet, 0, 0, &head, sizeof(head));
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		if (head.count[p] == 0)
			continue;
		publish_ids(&table, model, ids, blocks, p, scratch);
		publish_voices(&table, blocks, p, share, results->users, scratch);
		publish_scores(&table, blocks, p, results, published, scratch);
		publish_edges(&table, keeper, p);
	}
	if (labels)
	{
		publish_labels(&table, labels, NULL, 0, head.labels);
		for (uint32 f = 0; f < labels->shared->facets; f++)
			publish_facet(&table, labels, f);
	}
	writer_close(table.writer);
	pfree(scratch);
	arena_release(keeper->arena, size);
}

/* The ids of the nodes of a partition that the base does not have. */
static void
publish_new_ids(GraphTable *table, const KeptHead *head, const KeptChanges *changes, uint32 p)
{
	StringInfoData data;

	initStringInfo(&data);
	for (uint32 row = head->base_count[p]; row < head->count[p]; row++)
	{
		Id			id;

		changes->user(changes->context, p, row, &id);
		put_id(&data, head->id_type, &id);
	}
	if (head->base_count[p] < head->count[p])
		put_row(table, "ids", no_facet, p, head->base_count[p], data.data, data.len);
	pfree(data.data);
}

/* The parts of a partition that are not what they are in the base. */
static void
publish_changes(GraphTable *table, Arena *arena, const KeptHead *head,
				const KeptChanges *changes, uint32 p)
{
	const Part *change = changes->change[p];
	uint64		n = changes->changes[p];
	Size		size = n * (4 * VARINT_MOST + sizeof(double));
	uint8	   *data;
	uint8	   *to;
	uint32		row = 0;
	uint32		source = 0;

	if (n == 0)
		return;
	arena_reserve(arena, size);
	to = data = palloc_extended(size, MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < n; i++)
	{
		if (change[i].row != row)
			source = 0;
		to = varint_put(to, change[i].row - row);
		to = varint_put(to, change[i].source - source);
		row = change[i].row;
		source = change[i].source;
		if (head->labelled)
			to = varint_put(to, change[i].label);
		if (head->weighted)
		{
			to = varint_put(to, change[i].rows);
			memcpy(to, &change[i].x, sizeof(double));
			to += sizeof(double);
		}
		else
			to = varint_put(to, (uint64) change[i].x);
	}
	put_row(table, "changes", no_facet, p, 0, data, to - data);
	pfree(data);
	arena_release(arena, size);
}

/*
 * In the leader, when workers are gone: write the graph of an incremental run,
 * by what is different from its base.  head says all but what follows from
 * blocks, labels and results; share is rank / activity, by slot.
 */
void
keep_publish_changes(const KeptHead *before, const KeptChanges *changes, const Model *model,
					 const Blocks *blocks, Labels *labels, const double *share,
					 const Results *results, int64 run)
{
	GraphTable	table = open_table(model, run);
	KeptHead	head = *before;
	Size		size = 0;
	void	   *scratch;

	head.units = results->units;
	head.users = results->users;
	head.dangling = results->dangling;
	head.changes = 0;
	head.nodes = blocks->shared->nodes;
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		head.count[p] = blocks->shared->base[p + 1] - blocks->shared->base[p];
		head.pairs[p] = blocks->shared->pairs[p];
		head.changes += changes->changes[p];
		size = Max(size, head.count[p] * sizeof(double));
	}
	arena_reserve(blocks->arena, size);
	scratch = palloc_extended(Max(size, 1), MCXT_ALLOC_HUGE);
	put_row(&table, "head", no_facet, 0, 0, &head, sizeof(head));
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		if (head.count[p] == 0)
			continue;
		publish_new_ids(&table, &head, changes, p);
		publish_voices(&table, blocks, p, share, head.users, scratch);
		publish_scores(&table, blocks, p, results, changes->published, scratch);
		publish_changes(&table, blocks->arena, &head, changes, p);
	}
	if (labels)
	{
		publish_labels(&table, labels, changes->label_number, head.base_labels, head.labels);
		for (uint32 f = 0; f < labels->shared->facets; f++)
			publish_facet(&table, labels, f);
	}
	writer_close(table.writer);
	pfree(scratch);
	arena_release(blocks->arena, size);
}
