/*
 * kept.c
 *	  The graph that a refresh left with its model: opening it, and reading who
 *	  is in it, what they give, and what labels say.
 *
 * Rows of the model's table of graphs are fetched as they are needed, by
 * queries with the rights of the caller and under the active snapshot, and
 * stay in the memory context in which the graph was opened.  What they hold
 * may be damaged or made up: everything is checked before it is believed.
 *
 * Of a graph that is told by its differences from that of another run, its
 * base, ids and labels are those of the base followed by its own; kept_edges.c
 * reads the pairs.
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
#include "kept_data.h"
#include "scales.h"
#include "tables.h"

/* Raise the error that a section is not as refreshes write it. */
void
kept_report_damaged(const Kept *kept, const char *section)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("graph of model \"%s\" is damaged", kept->model->name),
			 errdetail("Section \"%s\" of run %lld is not what a refresh writes.",
					   section, (long long) kept->run),
			 errhint("Refresh the model.")));
}

/*
 * Fetch rows of a section of a run: all in the order of "first", or if last,
 * the last one that starts at or before first.  Returns how many there are, in
 * the graph's memory context.
 */
static int
fetch(Kept *kept, int64 run, const char *section, LabelName facet, uint32 partition,
	  uint32 first, bool last, KeptData **data)
{
	Oid			type[] = {INT8OID, TEXTOID, TEXTOID, INT4OID, INT4OID};
	Datum		value[] = {
		Int64GetDatum(run), CStringGetTextDatum(section),
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
	*data = MemoryContextAlloc(kept->context, (n + 1) * sizeof(KeptData));
	for (int i = 0; i < n; i++)
	{
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		datum = SPI_getbinval(SPI_tuptable->vals[i], desc, 1, &isnull);
		MemoryContext old = MemoryContextSwitchTo(kept->context);
		bytea	   *bytes;

		if (isnull)
			kept_report_damaged(kept, section);
		bytes = DatumGetByteaPCopy(datum);
		MemoryContextSwitchTo(old);
		(*data)[i].bytes = (uint8 *) VARDATA(bytes);
		(*data)[i].length = VARSIZE(bytes) - VARHDRSZ;
		(*data)[i].first = (uint32) DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], desc, 2, &isnull));
	}
	spi_end();
	pfree(query);
	return n;
}

/* Fetch all rows of a section of a run, in the order of "first". */
int
kept_fetch(Kept *kept, int64 run, const char *section, LabelName facet, uint32 partition,
		   KeptData **data)
{
	return fetch(kept, run, section, facet, partition, 0, false, data);
}

/* Fetch the last row that starts at or before first; returns 0 if none does. */
int
kept_fetch_last(Kept *kept, int64 run, const char *section, uint32 partition, uint32 first,
				KeptData **data)
{
	return fetch(kept, run, section, kept_no_facet, partition, first, true, data);
}

/* Free what a row holds. */
void
kept_data_free(KeptData *data)
{
	pfree((char *) data->bytes - VARHDRSZ);
	data->bytes = NULL;
}

/*
 * Fetch a section of a partition that is one row, which starts at first, of so
 * many bytes (SIZE_MAX: any number).
 */
static KeptData
fetch_one(Kept *kept, int64 run, const char *section, uint32 partition, uint32 first,
		  Size length)
{
	KeptData   *data;
	KeptData	one;

	if (fetch(kept, run, section, kept_no_facet, partition, 0, false, &data) != 1 ||
		data->first != first || (length != SIZE_MAX && data->length != length))
		kept_report_damaged(kept, section);
	one = *data;
	pfree(data);
	return one;
}

/*
 * The last run before a run whose graph is kept; 0 if there is none.  One that
 * is there only for others that are based on it has no head.
 */
static int64
last_run(const char *table, int64 before)
{
	Oid			type[] = {INT8OID};
	Datum		value[] = {Int64GetDatum(before)};
	int64		run = 0;

	spi_begin();
	if (SPI_execute_with_args(psprintf("SELECT CAST(run AS pg_catalog.int8) FROM %s WHERE run OPERATOR(pg_catalog.<) $1"
									   " AND section OPERATOR(pg_catalog.=) 'head'"
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

/* Pairs of a partition: room for more is not asked for. */
#define MOST_PAIRS	(UINT64CONST(1) << 40)

/*
 * Is a head such as refreshes of a model write?  Also sets the numbers of the
 * first nodes of the partitions.
 */
static bool
valid_head(const Model *model, int64 run, const KeptHead *head, uint32 *number)
{
	uint64		nodes = 0;

	if (head->magic != KEPT_MAGIC || head->id_type != model->id_type ||
		head->weighted > 1 || head->labelled > 1 || head->logarithmic > 1 ||
		head->base < 1 || head->base > run || head->landmark > head->as_of || head->published > head->as_of ||
		!(head->scale > 0 && head->scale <= 1) || !valid_units(&head->units) ||
		!(head->dangling >= 0 && head->dangling < 2) || head->changes > MOST_PAIRS ||
		head->base_labels > head->labels || head->users > head->nodes)
		return false;
	/* one that is told in full is its own base */
	if (head->base == run && (head->scale != 1 || head->base_labels != head->labels))
		return false;
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		if (head->base_count[p] > head->count[p] || head->pairs[p] > MOST_PAIRS ||
			(head->base == run && head->base_count[p] != head->count[p]))
			return false;
		number[p] = (uint32) nodes;
		nodes += head->count[p];
		if (nodes >= NO_NODE)
			return false;
	}
	number[ID_PARTITIONS] = (uint32) nodes;
	return nodes == head->nodes;
}

/* The name of the table of graphs, qualified and quoted; it is locked for reading. */
static const char *
open_table(Model *model)
{
	Relation	rel = OidIsValid(model->graph) ? try_relation_open(model->graph, AccessShareLock) : NULL;
	const char *name;

	tables_check(rel, TABLE_GRAPH);
	name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
	relation_close(rel, NoLock);
	return name;
}

/* Take a head over; false if it is damaged. */
static bool
take_head(Kept *kept, const KeptData *data)
{
	if (data->length != sizeof(KeptHead))
		return false;
	memcpy(&kept->head, data->bytes, sizeof(KeptHead));
	return valid_head(kept->model, kept->run, &kept->head, kept->number);
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
	KeptData   *data;

	kept->table = open_table(model);
	kept->model = model;
	kept->context = CurrentMemoryContext;
	kept->run = run;
	if (run == 0)
		kept->run = last_run(kept->table, PG_INT64_MAX);
	if (kept->run == 0 || kept_fetch(kept, kept->run, "head", kept_no_facet, 0, &data) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 kept->run == 0 ? errmsg("no graph of model \"%s\" is kept", model->name) :
				 errmsg("no graph of run %lld of model \"%s\" is kept", (long long) kept->run, model->name),
				 model->keep_graphs == 0 ?
				 errhint("Have graphs kept by influence_alter_model(..., keep_graphs => 2), and refresh the model.") :
				 kept->run == 0 ? errhint("Refresh the model.") :
				 errhint("The graphs of the last %d runs are kept: see keep_graphs of influence_alter_model.",
						 model->keep_graphs)));
	if (!take_head(kept, data))
		kept_report_damaged(kept, "head");
	return kept;
}

/* Can the graph of a run be opened?  Its rows may be damaged all the same. */
bool
kept_can_open(Model *model, int64 run)
{
	Kept		kept = {.model = model, .context = CurrentMemoryContext, .run = run};
	KeptData   *data;

	kept.table = open_table(model);
	return kept_fetch(&kept, run, "head", kept_no_facet, 0, &data) == 1 && take_head(&kept, data);
}

const KeptHead *
kept_head(const Kept *kept)
{
	return &kept->head;
}

/* How many pairs a graph has. */
uint64
kept_head_edges(const KeptHead *head)
{
	uint64		sum = 0;

	for (int p = 0; p < ID_PARTITIONS; p++)
		sum += head->pairs[p];
	return sum;
}

/* The last run of a model whose graph is kept; 0 if there is none. */
int64
kept_last_run(Model *model)
{
	return last_run(open_table(model), PG_INT64_MAX);
}

/* The run before it whose graph is kept, too; 0 if there is none. */
int64
kept_run_before(const Kept *kept)
{
	return last_run(kept->table, kept->run);
}

/* --- ids and voices ------------------------------------------------------ */

/*
 * Fetch the ids of a partition that has any: those of the base, and behind them
 * the graph's own.
 */
static void
need_ids(Kept *kept, uint32 p)
{
	uint32		n = kept->head.count[p];
	uint32		in_base = kept->head.base_count[p];
	Size		size = kept->head.id_type == ID_BIGINT ? sizeof(int64) : UUID_LEN;
	KeptData	ids;
	Size		base_length = 0;

	if (kept->ids[p])
		return;
	if (in_base > 0)
		ids = fetch_one(kept, kept->head.base, "ids", p, 0, SIZE_MAX);
	else
		ids = fetch_one(kept, kept->run, "ids", p, 0, SIZE_MAX);
	if (in_base > 0 && in_base < n)
	{
		KeptData	own = fetch_one(kept, kept->run, "ids", p, in_base, SIZE_MAX);
		uint8	   *both = MemoryContextAllocHuge(kept->context, ids.length + own.length + 1);

		base_length = ids.length;
		memcpy(both, ids.bytes, ids.length);
		memcpy(both + ids.length, own.bytes, own.length);
		kept_data_free(&ids);
		kept_data_free(&own);
		ids.bytes = both;
		ids.length = base_length + own.length;
	}
	if (kept->head.id_type == ID_TEXT)
	{
		uint32	   *start = MemoryContextAllocHuge(kept->context, (Size) n * sizeof(uint32));
		Size		at = 0;

		for (uint32 i = 0; i < n; i++)
		{
			uint32		length;

			if (ids.length - at < sizeof(length) ||
				(base_length > 0 && i == in_base && at != base_length))
				kept_report_damaged(kept, "ids");
			start[i] = (uint32) at;
			memcpy(&length, ids.bytes + at, sizeof(length));
			at += sizeof(length);
			if (ids.length - at < length)
				kept_report_damaged(kept, "ids");
			at += length;
		}
		if (at != ids.length)
			kept_report_damaged(kept, "ids");
		kept->text[p] = start;
	}
	else if (ids.length != (Size) n * size ||
			 (base_length > 0 && base_length != (Size) in_base * size))
		kept_report_damaged(kept, "ids");
	kept->ids[p] = ids.bytes;
}

/* The id of a node; bytes stay with the graph.  The hash is not set. */
void
kept_id(Kept *kept, KeptNode node, Id *id)
{
	const uint8 *ids;

	need_ids(kept, node.partition);
	ids = kept->ids[node.partition];
	memset(id, 0, sizeof(Id));
	switch ((IdType) kept->head.id_type)
	{
		case ID_BIGINT:
			memcpy(&id->value.number, ids + (Size) node.row * sizeof(int64), sizeof(int64));
			break;
		case ID_UUID:
			id->value.bytes = (const char *) ids + (Size) node.row * UUID_LEN;
			break;
		case ID_TEXT:
			{
				const uint8 *at = ids + kept->text[node.partition][node.row];

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
	return kept->number[node.partition] + node.row;
}

/*
 * All of the graph, or a network or topic of it, which is empty if there is
 * none of that name.  Raises an error if both are asked for.
 */
KeptView
kept_view(Kept *kept, const char *network, const char *topic)
{
	KeptView	view = {0};
	KeptData   *data;
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
	n = kept_fetch(kept, kept->run, facet_type_name[view.type], view.name, 0, &data);
	memset(&view.units, 0, sizeof(MixtureUnits));
	if (n > 0 && data[0].length != sizeof(MixtureUnits))
		kept_report_damaged(kept, facet_type_name[view.type]);
	if (n > 0)
		memcpy(&view.units, data[0].bytes, sizeof(MixtureUnits));
	if (!valid_units(&view.units))
		kept_report_damaged(kept, facet_type_name[view.type]);
	for (int i = 1; i < n; i++)
	{
		if (data[i].length % sizeof(KeptVoice) != 0)
			kept_report_damaged(kept, facet_type_name[view.type]);
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

/* Fetch an array that has so many bytes for each node of a partition. */
static void *
fetch_array(Kept *kept, const char *section, uint32 p, Size size)
{
	Size		length = (Size) kept->head.count[p] * size;
	void	   *array = MemoryContextAllocHuge(kept->context, length + 1);

	if (length > 0)
	{
		KeptData	data = fetch_one(kept, kept->run, section, p, 0, length);

		memcpy(array, data.bytes, length);
		kept_data_free(&data);
	}
	return array;
}

/* What each node of a partition gives for each unit of pair weight, by row. */
const double *
kept_voices(Kept *kept, uint32 partition)
{
	double	   *voice;

	if (kept->voices[partition])
		return kept->voices[partition];
	voice = fetch_array(kept, "voices", partition, sizeof(double));
	for (uint32 i = 0; i < kept->head.count[partition]; i++)
		if (!(voice[i] >= 0) || isinf(voice[i]))
			kept_report_damaged(kept, "voices");
	return kept->voices[partition] = voice;
}

/* What is published of each node of a partition, by row. */
const KeptScore *
kept_scores(Kept *kept, uint32 partition)
{
	KeptScore  *score;

	if (kept->scores[partition])
		return kept->scores[partition];
	score = fetch_array(kept, "scores", partition, sizeof(KeptScore));
	for (uint32 i = 0; i < kept->head.count[partition]; i++)
		if (!(score[i].score >= 0 && score[i].score <= 100) ||
			!(score[i].percentile >= 0 && score[i].percentile <= 100))
			kept_report_damaged(kept, "scores");
	return kept->scores[partition] = score;
}

/* What a node gives for each unit of pair weight; 0 if it gives nothing. */
double
kept_voice(Kept *kept, const KeptView *view, KeptNode node)
{
	uint32		number = kept_number(kept, node);
	uint32		low = 0,
				high = view->voices;
	double		voice;

	if (!view->facet)
		return kept_voices(kept, node.partition)[node.row];
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (view->voice[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == view->voices || view->voice[low].number != number)
		return 0;
	voice = view->voice[low].voice;
	if (!(voice >= 0) || isinf(voice))
		kept_report_damaged(kept, facet_type_name[view->type]);
	return voice;
}

/* --- labels -------------------------------------------------------------- */

/*
 * Read the labels of a run, with numbers from first on; there must be n.
 * Names point into what is fetched.
 */
static void
read_labels(Kept *kept, int64 run, uint32 first, uint32 n)
{
	KeptData   *data;
	int			rows = kept_fetch(kept, run, "labels", kept_no_facet, 0, &data);
	uint32		label = first;
	Size		length = 0;

	/* believe no number of labels that there is no room for */
	for (int i = 0; i < rows; i++)
		length += data[i].length;
	if (n > length / LABEL_LEAST_SIZE)
		kept_report_damaged(kept, "labels");
	length = ((Size) first + n + 1) * sizeof(LabelText);
	kept->label = kept->label ? repalloc_huge(kept->label, length) :
		MemoryContextAllocHuge(kept->context, length);
	for (int i = 0; i < rows; i++)
	{
		const char *at = (const char *) data[i].bytes;
		const char *end = at + data[i].length;

		if (data[i].first != label)
			kept_report_damaged(kept, "labels");
		while (at != NULL && at < end && label - first < n)
		{
			label_init(&kept->label[label]);
			at = label_decode(at, end, &kept->label[label]);
			label++;
		}
		if (at != end)
			kept_report_damaged(kept, "labels");
	}
	if (label - first != n)
		kept_report_damaged(kept, "labels");
	pfree(data);
}

/* Read all labels: the base's, and behind them the graph's own. */
static void
need_labels(Kept *kept)
{
	const KeptHead *head = &kept->head;
	MemoryContext old;

	if (kept->labels_read == head->labels)
		return;
	old = MemoryContextSwitchTo(kept->context);
	if (head->base_labels > 0)
		read_labels(kept, head->base, 0, head->base_labels);
	if (head->labels > head->base_labels)
		read_labels(kept, kept->run, head->base_labels, head->labels - head->base_labels);
	kept->labels_read = head->labels;
	MemoryContextSwitchTo(old);
}

/* What a label says. */
const LabelText *
kept_label(Kept *kept, uint32 label)
{
	need_labels(kept);
	if (label >= kept->labels_read)
		kept_report_damaged(kept, "edges");
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
