/*
 * kept.c
 *	  The graph that a refresh left with its model: reading it.
 *
 * Rows of the model's table of graphs are fetched as they are needed, by
 * queries with the rights of the caller and under the active snapshot, and
 * stay in the memory context in which the graph was opened.  What they hold
 * may be damaged or made up: everything is checked before it is believed.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "kept.h"
#include "scales.h"
#include "tables.h"
#include "varint.h"

/* A row of the table: what it holds. */
typedef struct Data
{
	const uint8 *bytes;
	Size		length;
	uint32		first;
} Data;

struct Kept
{
	Model	   *model;
	MemoryContext context;
	const char *table;			/* qualified and quoted */
	int64		run;
	KeptHead	head;
	uint32		base[ID_PARTITIONS + 1];
	Data		ids[ID_PARTITIONS]; /* bytes NULL: not fetched yet */
	uint32	   *text[ID_PARTITIONS];	/* where each id starts, if text */
	const double *voice[ID_PARTITIONS];
	uint32		labels_read;	/* all labels, once one is asked for */
	LabelText  *label;
	Part	   *part;			/* of a pair */
	int			part_room;
};

static void
report_damaged(const Kept *kept, const char *section)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("graph of model \"%s\" is damaged", kept->model->name),
			 errdetail("Section \"%s\" of run %lld is not what a refresh writes.",
					   section, (long long) kept->run),
			 errhint("Refresh the model.")));
}

/* The same for those who read what is in the rows. */
void
kept_report_damaged(const Kept *kept, const char *section)
{
	report_damaged(kept, section);
}

/*
 * Fetch rows of a section in the order of "first", at most so many of them;
 * last says that the last one that starts at or before first is wanted.
 * Returns how many there are, in the graph's memory context.
 */
static int
fetch(Kept *kept, const char *section, LabelName facet, uint32 partition, uint32 first,
	  bool last, Data **data)
{
	Oid			type[] = {INT8OID, TEXTOID, TEXTOID, INT4OID, INT4OID};
	Datum		value[] = {
		Int64GetDatum(kept->run), CStringGetTextDatum(section),
		PointerGetDatum(cstring_to_text_with_len(facet.bytes, facet.length)),
		Int32GetDatum((int32) partition), Int32GetDatum((int32) first)
	};
	char	   *query = psprintf("SELECT CAST(data AS pg_catalog.bytea), CAST(\"first\" AS pg_catalog.int4) FROM %s"
								 " WHERE run OPERATOR(pg_catalog.=) $1"
								 " AND section OPERATOR(pg_catalog.=) $2"
								 " AND facet OPERATOR(pg_catalog.=) $3"
								 " AND partition OPERATOR(pg_catalog.=) $4%s",
								 kept->table, last ?
								 " AND \"first\" OPERATOR(pg_catalog.<=) $5"
								 " ORDER BY \"first\" DESC LIMIT 1" : " ORDER BY \"first\"");
	int			n;

	spi_begin();
	if (SPI_execute_with_args(query, last ? 5 : 4, type, value, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read graph");
	n = (int) SPI_processed;
	*data = MemoryContextAlloc(kept->context, (n + 1) * sizeof(Data));
	for (int i = 0; i < n; i++)
	{
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		datum = SPI_getbinval(SPI_tuptable->vals[i], desc, 1, &isnull);
		MemoryContext old = MemoryContextSwitchTo(kept->context);
		bytea	   *bytes;

		if (isnull)
			report_damaged(kept, section);
		bytes = DatumGetByteaPCopy(datum);
		MemoryContextSwitchTo(old);
		(*data)[i].bytes = (uint8 *) VARDATA(bytes);
		(*data)[i].length = VARSIZE(bytes) - VARHDRSZ;
		(*data)[i].first = (uint32) DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], desc, 2, &isnull));
	}
	spi_end();
	return n;
}

static const LabelName no_facet = {"", 0};

/* The last run before a run whose graph a table has; 0 if there is none. */
static int64
last_run(const char *table, int64 before)
{
	Oid			type[] = {INT8OID};
	Datum		value[] = {Int64GetDatum(before)};
	int64		run = 0;

	spi_begin();
	if (SPI_execute_with_args(psprintf("SELECT CAST(run AS pg_catalog.int8) FROM %s WHERE run OPERATOR(pg_catalog.<) $1"
									   " ORDER BY run DESC LIMIT 1", table),
							  1, type, value, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read graph");
	if (SPI_processed > 0)
	{
		bool		isnull;

		run = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	}
	spi_end();
	return run;
}

/* Are the units of a mixture such as refreshes write? */
static bool
valid_units(const MixtureUnits *units)
{
	return units->rank >= 0 && units->rank <= 1 &&
		units->response >= 0 && !isinf(units->response) &&
		units->person >= 0 && !isinf(units->person);
}

/*
 * Open the graph of a run of a model; 0 is the last one, and what is opened
 * goes with the current memory context.  Raises an error if there is no such
 * graph or the caller may not read it.
 */
Kept *
kept_open(Model *model, int64 run)
{
	Kept	   *kept = palloc0(sizeof(Kept));
	Relation	rel = OidIsValid(model->graph) ? try_relation_open(model->graph, AccessShareLock) : NULL;
	Data	   *data;
	uint64		nodes = 0;

	tables_check(rel, TABLE_GRAPH);
	kept->table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
											 RelationGetRelationName(rel));
	relation_close(rel, NoLock);
	kept->model = model;
	kept->context = CurrentMemoryContext;
	kept->run = run;
	if (run == 0)
		kept->run = last_run(kept->table, PG_INT64_MAX);
	if (kept->run == 0 || fetch(kept, "head", no_facet, 0, 0, false, &data) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 kept->run == 0 ? errmsg("no graph of model \"%s\" is kept", model->name) :
				 errmsg("no graph of run %lld of model \"%s\" is kept", (long long) kept->run, model->name),
				 model->keep_graphs == 0 ?
				 errhint("Have graphs kept by influence_alter_model(..., keep_graphs => 2), and refresh the model.") :
				 kept->run == 0 ? errhint("Refresh the model.") :
				 errhint("The graphs of the last %d runs are kept: see keep_graphs of influence_alter_model.",
						 model->keep_graphs)));
	if (data->length != sizeof(KeptHead))
		report_damaged(kept, "head");
	memcpy(&kept->head, data->bytes, sizeof(KeptHead));
	if (kept->head.magic != KEPT_MAGIC || kept->head.id_type != model->id_type ||
		kept->head.weighted > 1 || kept->head.labelled > 1 || kept->head.logarithmic > 1 ||
		!valid_units(&kept->head.units))
		report_damaged(kept, "head");
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		kept->base[p] = (uint32) nodes;
		nodes += kept->head.count[p];
		if (nodes >= NO_NODE)
			report_damaged(kept, "head");
	}
	kept->base[ID_PARTITIONS] = (uint32) nodes;
	if (nodes != kept->head.nodes)
		report_damaged(kept, "head");
	return kept;
}

const KeptHead *
kept_head(const Kept *kept)
{
	return &kept->head;
}

/* The run before it whose graph is kept, too; 0 if there is none. */
int64
kept_run_before(const Kept *kept)
{
	return last_run(kept->table, kept->run);
}

/* --- ids and voices ------------------------------------------------------ */

/* Fetch the ids of a partition that has any. */
static void
need_ids(Kept *kept, uint32 p)
{
	uint32		n = kept->head.count[p];
	Data	   *data;

	if (kept->ids[p].bytes)
		return;
	if (fetch(kept, "ids", no_facet, p, 0, false, &data) != 1)
		report_damaged(kept, "ids");
	if (kept->head.id_type == ID_TEXT)
	{
		uint32	   *start = MemoryContextAllocHuge(kept->context, (Size) n * sizeof(uint32));
		Size		at = 0;

		for (uint32 i = 0; i < n; i++)
		{
			uint32		length;

			if (data->length - at < sizeof(length))
				report_damaged(kept, "ids");
			start[i] = (uint32) at;
			memcpy(&length, data->bytes + at, sizeof(length));
			at += sizeof(length);
			if (data->length - at < length)
				report_damaged(kept, "ids");
			at += length;
		}
		kept->text[p] = start;
	}
	else if (data->length != (Size) n * (kept->head.id_type == ID_BIGINT ? sizeof(int64) : UUID_LEN))
		report_damaged(kept, "ids");
	kept->ids[p] = *data;
}

/* The id of a node; bytes stay with the graph.  The hash is not set. */
void
kept_id(Kept *kept, KeptNode node, Id *id)
{
	const Data *ids = &kept->ids[node.partition];

	need_ids(kept, node.partition);
	memset(id, 0, sizeof(Id));
	switch ((IdType) kept->head.id_type)
	{
		case ID_BIGINT:
			memcpy(&id->value.number, ids->bytes + (Size) node.row * sizeof(int64), sizeof(int64));
			break;
		case ID_UUID:
			id->value.bytes = (const char *) ids->bytes + (Size) node.row * UUID_LEN;
			break;
		case ID_TEXT:
			{
				const uint8 *at = ids->bytes + kept->text[node.partition][node.row];

				memcpy(&id->length, at, sizeof(uint32));
				id->value.bytes = (const char *) at + sizeof(uint32);
			}
			break;
	}
}

/* The node of an id; false if it has none. */
bool
kept_find(Kept *kept, const Id *id, KeptNode *node)
{
	uint32		p = ID_PARTITION(id->hash);

	if (kept->head.count[p] == 0)
		return false;
	node->partition = p;
	for (node->row = 0; node->row < kept->head.count[p]; node->row++)
	{
		Id			at;

		kept_id(kept, *node, &at);
		at.hash = id->hash;
		if (id_equal(kept->head.id_type, &at, id))
			return true;
	}
	return false;
}

uint32
kept_number(const Kept *kept, KeptNode node)
{
	return kept->base[node.partition] + node.row;
}

/*
 * All of the graph, or a network or topic of it, which is empty if there is
 * none of that name.  Raises an error if both are asked for.
 */
KeptView
kept_view(Kept *kept, const char *network, const char *topic)
{
	KeptView	view = {0};
	Data	   *data;
	int			n;
	Size		length = 0;
	char	   *bytes;

	view.units = kept->head.units;
	if (network == NULL && topic == NULL)
		return view;
	if (network && topic)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("there are no scores by network and topic together"),
				 errhint("Ask for one of them.")));
	view.facet = true;
	view.type = network ? FACET_NETWORK : FACET_TOPIC;
	view.name.bytes = network ? network : topic;
	view.name.length = strlen(view.name.bytes);
	n = fetch(kept, facet_type_name[view.type], view.name, 0, 0, false, &data);
	memset(&view.units, 0, sizeof(MixtureUnits));
	if (n > 0 && data[0].length != sizeof(MixtureUnits))
		report_damaged(kept, facet_type_name[view.type]);
	if (n > 0)
		memcpy(&view.units, data[0].bytes, sizeof(MixtureUnits));
	if (!valid_units(&view.units))
		report_damaged(kept, facet_type_name[view.type]);
	for (int i = 1; i < n; i++)
	{
		if (data[i].length % sizeof(KeptVoice) != 0)
			report_damaged(kept, facet_type_name[view.type]);
		length += data[i].length;
	}
	bytes = MemoryContextAllocHuge(kept->context, length + 1);
	length = 0;
	for (int i = 1; i < n; i++)
	{
		memcpy(bytes + length, data[i].bytes, data[i].length);
		length += data[i].length;
	}
	view.voice = (KeptVoice *) bytes;
	view.voices = (uint32) (length / sizeof(KeptVoice));
	return view;
}

/* What a node gives for each unit of pair weight; 0 if it gives nothing. */
double
kept_voice(Kept *kept, const KeptView *view, KeptNode node)
{
	double		voice = 0;

	if (view->facet)
	{
		uint32		number = kept_number(kept, node);
		uint32		low = 0,
					high = view->voices;

		while (low < high)
		{
			uint32		middle = low + (high - low) / 2;

			if (view->voice[middle].number < number)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < view->voices && view->voice[low].number == number)
			voice = view->voice[low].voice;
	}
	else
	{
		uint32		p = node.partition;

		if (kept->voice[p] == NULL)
		{
			Data	   *data;
			double	   *copy;

			if (fetch(kept, "voices", no_facet, p, 0, false, &data) != 1 ||
				data->length != (Size) kept->head.count[p] * sizeof(double))
				report_damaged(kept, "voices");
			copy = MemoryContextAllocHuge(kept->context, data->length);
			memcpy(copy, data->bytes, data->length);
			kept->voice[p] = copy;
		}
		voice = kept->voice[p][node.row];
	}
	if (!(voice >= 0) || isinf(voice))
		report_damaged(kept, "voices");
	return voice;
}

/* --- labels -------------------------------------------------------------- */

/* Read all labels. */
static void
read_labels(Kept *kept)
{
	MemoryContext old = MemoryContextSwitchTo(kept->context);
	Data	   *data;
	int			n = fetch(kept, "labels", no_facet, 0, 0, false, &data);
	uint32		label = 0;
	Size		length = 0;

	/* believe no number of labels that there is no room for */
	for (int i = 0; i < n; i++)
		length += data[i].length;
	if (kept->head.labels > length / LABEL_LEAST_SIZE)
		report_damaged(kept, "labels");
	kept->label = MemoryContextAllocHuge(kept->context,
										 ((Size) kept->head.labels + 1) * sizeof(LabelText));
	for (int i = 0; i < n; i++)
	{
		const char *at = (const char *) data[i].bytes;
		const char *end = at + data[i].length;

		while (at != NULL && at < end && label < kept->head.labels)
		{
			label_init(&kept->label[label]);
			at = label_decode(at, end, &kept->label[label]);
			label++;
		}
		if (at != end)
			report_damaged(kept, "labels");
	}
	if (label != kept->head.labels)
		report_damaged(kept, "labels");
	kept->labels_read = label;
	MemoryContextSwitchTo(old);
}

/* What a label says. */
const LabelText *
kept_label(Kept *kept, uint32 label)
{
	if (kept->label == NULL)
		read_labels(kept);
	if (label >= kept->labels_read)
		report_damaged(kept, "edges");
	return &kept->label[label];
}

/* Do parts with a label count in a view? */
bool
kept_counts(Kept *kept, const KeptView *view, uint32 label)
{
	const LabelText *text;

	if (!view->facet)
		return true;
	if (!kept->head.labelled)
		return false;
	text = kept_label(kept, label);
	if (view->type == FACET_NETWORK)
		return text->network.bytes && text->network.length == view->name.length &&
			memcmp(text->network.bytes, view->name.bytes, view->name.length) == 0;
	for (int i = 0; i < text->topics; i++)
		if (text->topic[i].length == view->name.length &&
			memcmp(text->topic[i].bytes, view->name.bytes, view->name.length) == 0)
			return true;
	return false;
}

/* --- edges --------------------------------------------------------------- */

static uint64
get(Kept *kept, const uint8 **at, const uint8 *end)
{
	uint64		value = 0;

	if ((*at = varint_get(*at, end, &value)) == NULL)
		report_damaged(kept, "edges");
	return value;
}

/* Read one part that counts, or one that counts 1. */
static void
get_part(Kept *kept, const uint8 **at, const uint8 *end, bool counted, Part *part)
{
	uint64		label = kept->head.labelled ? get(kept, at, end) : 0;

	part->label = (uint32) Min(label, UINT32_MAX);
	if (kept->head.weighted)
	{
		if (end - *at < (ptrdiff_t) sizeof(double))
			report_damaged(kept, "edges");
		memcpy(&part->x, *at, sizeof(double));
		*at += sizeof(double);
	}
	else
		part->x = counted ? (double) get(kept, at, end) : 1;
	if (!(part->x > 0) || isinf(part->x))
		report_damaged(kept, "edges");
}

/* Read the pairs of a row; returns where the next row starts. */
static const uint8 *
get_row(Kept *kept, const uint8 *at, const uint8 *end, KeptConsumer consumer, void *context)
{
	uint64		pairs = get(kept, &at, end);
	uint64		source = 0;

	for (uint64 pair = 0; pair < pairs; pair++)
	{
		uint64		code = get(kept, &at, end);
		uint64		parts = 1;
		KeptNode	node;

		source += (code >> 1) + (pair > 0);
		if (code & 1)
		{
			parts = get(kept, &at, end);
			if (parts == 0 || parts > (uint64) (end - at))
				report_damaged(kept, "edges");
		}
		if (parts > (uint64) kept->part_room)
		{
			kept->part_room = (int) Max(parts, 16);
			kept->part = kept->part ?
				repalloc_huge(kept->part, kept->part_room * sizeof(Part)) :
				MemoryContextAlloc(kept->context, kept->part_room * sizeof(Part));
		}
		node.partition = source / CSR_LINE % ID_PARTITIONS;
		node.row = (uint32) (source / (CSR_LINE * ID_PARTITIONS) * CSR_LINE + source % CSR_LINE);
		if (source >= NO_NODE || node.row >= kept->head.count[node.partition])
			report_damaged(kept, "edges");
		for (uint64 i = 0; i < parts; i++)
			get_part(kept, &at, end, code & 1, &kept->part[i]);
		if (consumer)
			consumer(context, node, kept->part, (int) parts);
	}
	return at;
}

/* Pass the pairs that end in a node on. */
void
kept_row(Kept *kept, KeptNode node, KeptConsumer consumer, void *context)
{
	const uint8 *at;
	const uint8 *end;
	Data	   *data;

	if (fetch(kept, "edges", no_facet, node.partition, node.row, true, &data) != 1 ||
		data->first > node.row)
		report_damaged(kept, "edges");
	at = data->bytes;
	end = at + data->length;
	for (uint32 row = data->first; row < node.row; row++)
		at = get_row(kept, at, end, NULL, NULL);
	(void) get_row(kept, at, end, consumer, context);
	pfree((char *) data->bytes - VARHDRSZ);
	pfree(data);
}

/*
 * Pass all rows on, ascending by number: row is told of each, consumer of the
 * pairs that end in it.
 */
void
kept_rows(Kept *kept, void (*row) (void *context, KeptNode node),
		  KeptConsumer consumer, void *context)
{
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		Data	   *data;
		int			n;
		KeptNode	node = {p, 0};

		if (kept->head.count[p] == 0)
			continue;
		n = fetch(kept, "edges", no_facet, p, 0, false, &data);
		for (int i = 0; i < n; i++)
		{
			const uint8 *at = data[i].bytes;
			const uint8 *end = at + data[i].length;

			CHECK_FOR_INTERRUPTS();
			if (data[i].first != node.row)
				report_damaged(kept, "edges");
			while (at < end && node.row < kept->head.count[p])
			{
				row(context, node);
				at = get_row(kept, at, end, consumer, context);
				node.row++;
			}
			if (at != end)
				report_damaged(kept, "edges");
			pfree((char *) data[i].bytes - VARHDRSZ);
		}
		if (node.row != kept->head.count[p])
			report_damaged(kept, "edges");
		pfree(data);
	}
}
