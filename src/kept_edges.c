/*
 * kept_edges.c
 *	  The graph that a refresh left with its model: reading the pairs.
 *
 * The parts of pairs are those of the base, with some replaced by the graph's
 * changes (keep.c says how both are written).  Rows of the base are decoded
 * pair by pair; where a row has changes, which are in the same order, both are
 * merged on the way to the consumer.  A graph that is told in full is its own
 * base and has no changes.
 *
 * Every byte may be damaged or made up, and is checked before it is believed.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "csr.h"
#include "kept.h"
#include "kept_data.h"
#include "varint.h"

/* The node that has a slot; its row is to be checked. */
static inline KeptNode
node_of_slot(uint64 slot)
{
	return (KeptNode) {
		.partition = slot / CSR_LINE % ID_PARTITIONS,
		.row = (uint32) (slot / (CSR_LINE * ID_PARTITIONS) * CSR_LINE + slot % CSR_LINE)
	};
}

static inline const uint8 *
get(const Kept *kept, const char *section, const uint8 *at, const uint8 *end, uint64 *value)
{
	/* most numbers are one byte */
	if (likely(at < end && *at < 0x80))
	{
		*value = *at;
		return at + 1;
	}
	*value = 0;
	if ((at = varint_get(at, end, value)) == NULL)
		kept_report_damaged(kept, section);
	return at;
}

static inline const uint8 *
get_double(const Kept *kept, const char *section, const uint8 *at, const uint8 *end, double *x)
{
	if (end - at < (ptrdiff_t) sizeof(double))
		kept_report_damaged(kept, section);
	memcpy(x, at, sizeof(double));
	return at + sizeof(double);
}

/*
 * The same, where numbers are as often two bytes as one: which it is decides
 * no branch.
 */
static inline const uint8 *
get_code(const Kept *kept, const uint8 *at, const uint8 *end, uint64 *value)
{
	if (likely(end - at >= 2))
	{
		uint32		low = at[0];
		uint32		high = at[1];
		uint32		more = low >> 7;

		if (likely((low & high & 0x80) == 0))
		{
			*value = (low & 0x7f) | ((high & (0 - more)) << 7);
			return at + 1 + more;
		}
	}
	return get(kept, "edges", at, end, value);
}

/* Make room for n parts. */
static void
need_parts(Kept *kept, KeptParts *parts, uint64 n)
{
	if (n <= parts->room)
		return;
	n = Max(n + n / 2, 16);
	parts->part = parts->part ? repalloc_huge(parts->part, n * sizeof(Part)) :
		MemoryContextAllocHuge(kept->context, n * sizeof(Part));
	parts->room = n;
}

/* --- changes ------------------------------------------------------------- */

/* Decode the changes of a partition; returns how many there are. */
static uint64
decode_changes(Kept *kept, uint32 partition, const KeptData *data, KeptParts *changes)
{
	const KeptHead *head = &kept->head;
	const uint8 *at = data->bytes;
	const uint8 *end = at + data->length;
	uint64		n = 0;
	uint64		row = 0,
				source = 0;

	while (at < end)
	{
		Part	   *part;
		uint64		delta,
					label = 0,
					count;
		KeptNode	node;

		if (n % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		need_parts(kept, changes, n + 1);
		part = &changes->part[n];
		at = get(kept, "changes", at, end, &delta);
		if (delta > 0)
			source = 0;
		/* neither is so great that a sum that is checked could wrap */
		if (delta > UINT32_MAX || (row += delta) >= head->count[partition])
			kept_report_damaged(kept, "changes");
		at = get(kept, "changes", at, end, &delta);
		if (delta > UINT32_MAX || (source += delta) >= NO_NODE)
			kept_report_damaged(kept, "changes");
		node = node_of_slot(source);
		if (node.row >= head->count[node.partition])
			kept_report_damaged(kept, "changes");
		if (head->labelled)
		{
			at = get(kept, "changes", at, end, &label);
			if (label >= head->labels)
				kept_report_damaged(kept, "changes");
		}
		part->row = (uint32) row;
		part->source = (uint32) source;
		part->label = (uint32) label;
		at = get(kept, "changes", at, end, &count);
		part->rows = (uint32) Min(count, UINT32_MAX);
		part->x = (double) count;
		if (head->weighted)
			at = get_double(kept, "changes", at, end, &part->x);
		if (!(part->x >= 0) || isinf(part->x) || (part->x > 0) != (count > 0))
			kept_report_damaged(kept, "changes");
		if (n > 0 && part->row == part[-1].row && part->source == part[-1].source &&
			part->label <= part[-1].label)
			kept_report_damaged(kept, "changes");
		n++;
	}
	return n;
}

/*
 * The changes of a partition, n of them, ascending by row, source and label: x
 * is what a part has now instead of what it has in the base, as of the
 * landmark; 0 if it is no more.
 */
const Part *
kept_changes(Kept *kept, uint32 partition, uint64 *n)
{
	if (kept->change[partition] == NULL)
	{
		KeptParts	changes = {NULL, 0};
		KeptData   *data;
		int			rows;

		need_parts(kept, &changes, 1);
		if (kept->head.base != kept->run)
		{
			rows = kept_fetch(kept, kept->run, "changes", kept_no_facet, partition, &data);
			if (rows > 1 || (rows == 1 && data->first != 0))
				kept_report_damaged(kept, "changes");
			if (rows == 1)
			{
				kept->changes[partition] = decode_changes(kept, partition, data, &changes);
				kept_data_free(data);
			}
			pfree(data);
		}
		kept->change[partition] = changes.part;
	}
	*n = kept->changes[partition];
	return kept->change[partition];
}

/* --- rows ---------------------------------------------------------------- */

/* Reading the pairs that end in a node, as the base has them. */
typedef struct Row
{
	Kept	   *kept;
	KeptNode	node;
	double		scale;			/* that all x are multiplied by */
	const uint8 *at;
	const uint8 *end;
	uint64		source;			/* slot; of the pair before, or - 1 */
} Row;

/* Read parts that are told with their number; returns that. */
static pg_noinline uint64
get_parts(Kept *kept, const Row *row, const uint8 **at)
{
	const KeptHead *head = &kept->head;
	const uint8 *end = row->end;
	uint64		parts;

	*at = get(kept, "edges", *at, end, &parts);
	if (parts == 0 || parts > (uint64) (end - *at) || (parts > 1 && !head->labelled))
		kept_report_damaged(kept, "edges");
	need_parts(kept, &kept->pair, parts);
	for (uint64 i = 0; i < parts; i++)
	{
		Part	   *part = &kept->pair.part[i];
		uint64		value = 0;

		if (head->labelled)
			*at = get(kept, "edges", *at, end, &value);
		if (head->labelled &&
			(value >= head->base_labels || (i > 0 && value <= part[-1].label)))
			kept_report_damaged(kept, "edges");
		part->row = row->node.row;
		part->source = (uint32) row->source;
		part->label = (uint32) value;
		*at = get(kept, "edges", *at, end, &value);
		part->rows = (uint32) Min(value, UINT32_MAX);
		part->x = (double) value;
		if (head->weighted)
			*at = get_double(kept, "edges", *at, end, &part->x);
		if (value == 0 || !(part->x > 0) || isinf(part->x))
			kept_report_damaged(kept, "edges");
		part->x *= row->scale;
	}
	return parts;
}

/* Read a pair into kept->pair; returns its number of parts. */
static uint64
get_pair(Kept *kept, Row *row, KeptNode *source)
{
	const KeptHead *head = &kept->head;
	Part	   *part = kept->pair.part;
	const uint8 *at = row->at;
	uint64		n = 1;
	uint64		code;

	at = get(kept, "edges", at, row->end, &code);
	row->source += (code >> 1) + 1;
	*source = node_of_slot(row->source);
	if (unlikely(row->source >= NO_NODE || source->row >= head->base_count[source->partition]))
		kept_report_damaged(kept, "edges");
	if (code & 1)
		n = get_parts(kept, row, &at);
	else
	{
		uint64		label = 0;

		if (head->labelled)
		{
			at = get(kept, "edges", at, row->end, &label);
			if (label >= head->base_labels)
				kept_report_damaged(kept, "edges");
		}
		part->row = row->node.row;
		part->source = (uint32) row->source;
		part->label = (uint32) label;
		part->rows = 1;
		part->x = row->scale;
		if (head->weighted)
		{
			uint64		rows;

			at = get(kept, "edges", at, row->end, &rows);
			part->rows = (uint32) Min(rows, UINT32_MAX);
			at = get_double(kept, "edges", at, row->end, &part->x);
			if (rows == 0 || !(part->x > 0) || isinf(part->x))
				kept_report_damaged(kept, "edges");
			part->x *= row->scale;
		}
	}
	row->at = at;
	return n;
}

/*
 * Pass on what a pair is after changes, m of them, to its n parts; nothing if
 * none is left.
 */
static void
pass_merged(Kept *kept, double scale, const Part *part, uint64 n, const Part *change, uint64 m,
			KeptConsumer consumer, void *context)
{
	Part	   *merged;
	uint64		parts = 0;
	uint64		i = 0;

	need_parts(kept, &kept->merged, n + m);
	merged = kept->merged.part;
	for (uint64 j = 0; j < m; j++)
	{
		while (i < n && part[i].label < change[j].label)
			merged[parts++] = part[i++];
		if (i < n && part[i].label == change[j].label)
			i++;
		if (change[j].x > 0)
		{
			merged[parts] = change[j];
			merged[parts++].x *= scale;
		}
	}
	while (i < n)
		merged[parts++] = part[i++];
	if (parts > 0)
		consumer(context, node_of_slot(merged->source), merged, (int) parts);
}

/* How many of so many changes are of the same pair as the first. */
static uint64
same_pair(const Part *change, uint64 changes)
{
	uint64		m = 1;

	while (m < changes && change[m].source == change->source)
		m++;
	return m;
}

/*
 * Pass on the pairs of a row that has changes; its pairs in the base are so
 * many.  Returns where the next row of the base starts.
 */
static pg_noinline const uint8 *
pass_changed(Row row, uint64 pairs, const Part *change, uint64 changes,
			 KeptConsumer consumer, void *context)
{
	Kept	   *kept = row.kept;

	for (; pairs > 0; pairs--)
	{
		KeptNode	source;
		uint64		n = get_pair(kept, &row, &source);

		while (changes > 0 && change->source < row.source)
		{
			uint64		m = same_pair(change, changes);

			pass_merged(kept, row.scale, NULL, 0, change, m, consumer, context);
			change += m;
			changes -= m;
		}
		if (changes > 0 && change->source == row.source)
		{
			uint64		m = same_pair(change, changes);

			pass_merged(kept, row.scale, kept->pair.part, n, change, m, consumer, context);
			change += m;
			changes -= m;
		}
		else
			consumer(context, source, kept->pair.part, (int) n);
	}
	while (changes > 0)
	{
		uint64		m = same_pair(change, changes);

		pass_merged(kept, row.scale, NULL, 0, change, m, consumer, context);
		change += m;
		changes -= m;
	}
	return row.at;
}

/* Pairs that are passed on together. */
#define COUNTS	256

/*
 * Read so many pairs of a row without changes of a graph that has neither
 * weights nor labels, the case that is to be fast, and pass them on together
 * if there is who takes them so.
 */
static const uint8 *
pass_counts(const Row *row, uint64 pairs, KeptConsumer consumer, KeptCountConsumer counts,
			void *context)
{
	const Kept *kept = row->kept;
	const uint32 *base_count = kept->head.base_count;
	const uint8 *at = row->at;
	const uint8 *end = row->end;
	uint64		slot = UINT64_MAX;
	uint32		source[COUNTS];
	uint32		count[COUNTS];

	while (pairs > 0)
	{
		int			n = (int) Min(pairs, COUNTS);

		for (int i = 0; i < n; i++)
		{
			KeptNode	node;
			uint64		code;

			at = get_code(kept, at, end, &code);
			slot += (code >> 1) + 1;
			node = node_of_slot(slot);
			if (unlikely(slot >= NO_NODE || node.row >= base_count[node.partition]))
				kept_report_damaged(kept, "edges");
			source[i] = (uint32) slot;
			count[i] = 1;
			if (code & 1)
			{
				uint64		parts;
				uint64		more;

				at = get(kept, "edges", at, end, &parts);
				at = get(kept, "edges", at, end, &more);
				if (parts != 1 || more == 0 || more > UINT32_MAX)
					kept_report_damaged(kept, "edges");
				count[i] = (uint32) more;
			}
		}
		if (counts)
			counts(context, source, count, n);
		else
			for (int i = 0; i < n; i++)
			{
				Part		part = {row->node.row, source[i], 0, count[i], count[i] * row->scale};

				consumer(context, node_of_slot(source[i]), &part, 1);
			}
		pairs -= n;
	}
	return at;
}

/*
 * Pass on the pairs that end in a node of the base, with so many changes; with
 * no consumer they are only read.  Returns where the next row starts.
 */
static const uint8 *
pass_row(Kept *kept, KeptNode node, double scale, const uint8 *at, const uint8 *end,
		 const Part *change, uint64 changes, KeptConsumer consumer, KeptCountConsumer counts,
		 void *context)
{
	Row			row = {kept, node, scale, .end = end, .source = UINT64_MAX};
	uint64		pairs;

	row.at = get(kept, "edges", at, end, &pairs);
	/* each takes a byte at least */
	if (pairs > (uint64) (end - row.at))
		kept_report_damaged(kept, "edges");
	if (changes > 0)
		return pass_changed(row, pairs, change, changes, consumer, context);
	if (consumer && !kept->head.labelled && !kept->head.weighted)
		return pass_counts(&row, pairs, consumer, counts, context);
	for (; pairs > 0; pairs--)
	{
		KeptNode	source;
		uint64		n = get_pair(kept, &row, &source);

		if (consumer)
			consumer(context, source, kept->pair.part, (int) n);
	}
	return row.at;
}

/* Pass on the pairs of a node that the base does not have. */
static void
pass_new_row(Kept *kept, KeptNode node, double scale, const Part *change, uint64 changes,
			 KeptConsumer consumer, void *context)
{
	Row			row = {kept, node, scale, NULL, NULL, UINT64_MAX};

	(void) pass_changed(row, 0, change, changes, consumer, context);
}

/* How many of so many changes are of a row; they start with its, if any. */
static uint64
changes_of_row(const Part *change, uint64 changes, uint32 row)
{
	uint64		n = 0;

	while (n < changes && change[n].row == row)
		n++;
	return n;
}

/* Pass the pairs that end in a node on, as of the run. */
void
kept_row(Kept *kept, KeptNode node, KeptConsumer consumer, void *context)
{
	const KeptHead *head = &kept->head;
	uint64		changes;
	const Part *change = kept_changes(kept, node.partition, &changes);
	uint64		low = 0,
				high = changes;
	const uint8 *at;
	const uint8 *end;
	KeptData   *data;

	while (low < high)
	{
		uint64		middle = low + (high - low) / 2;

		if (change[middle].row < node.row)
			low = middle + 1;
		else
			high = middle;
	}
	change += low;
	changes = changes_of_row(change, changes - low, node.row);
	if (node.row >= head->base_count[node.partition])
	{
		pass_new_row(kept, node, head->scale, change, changes, consumer, context);
		return;
	}
	if (kept_fetch_last(kept, head->base, "edges", node.partition, node.row, &data) != 1 ||
		data->first > node.row)
		kept_report_damaged(kept, "edges");
	need_parts(kept, &kept->pair, 1);
	at = data->bytes;
	end = at + data->length;
	for (uint32 row = data->first; row < node.row; row++)
		at = pass_row(kept, (KeptNode) {node.partition, row}, 1, at, end, NULL, 0, NULL, NULL, NULL);
	(void) pass_row(kept, node, head->scale, at, end, change, changes, consumer, NULL, context);
	kept_data_free(data);
	pfree(data);
}

/* Pass the rows of a partition on, with all x multiplied by scale. */
static void
pass_partition(Kept *kept, uint32 partition, double scale,
			   void (*row) (void *context, KeptNode node),
			   KeptConsumer consumer, KeptCountConsumer counts, void *context)
{
	const KeptHead *head = &kept->head;
	uint32		in_base = head->base_count[partition];
	KeptNode	node = {partition, 0};
	uint64		changes;
	const Part *change = kept_changes(kept, partition, &changes);
	uint64		n;

	if (in_base > 0)
	{
		KeptData   *data;
		int			rows = kept_fetch(kept, head->base, "edges", kept_no_facet, partition, &data);

		need_parts(kept, &kept->pair, 1);
		for (int i = 0; i < rows; i++)
		{
			const uint8 *at = data[i].bytes;
			const uint8 *end = at + data[i].length;

			CHECK_FOR_INTERRUPTS();
			if (data[i].first != node.row)
				kept_report_damaged(kept, "edges");
			while (at < end && node.row < in_base)
			{
				row(context, node);
				n = changes_of_row(change, changes, node.row);
				at = pass_row(kept, node, scale, at, end, change, n, consumer, counts, context);
				change += n;
				changes -= n;
				node.row++;
			}
			if (at != end)
				kept_report_damaged(kept, "edges");
			kept_data_free(&data[i]);
		}
		if (node.row != in_base)
			kept_report_damaged(kept, "edges");
		pfree(data);
	}
	for (; node.row < head->count[partition]; node.row++)
	{
		if (node.row % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		row(context, node);
		n = changes_of_row(change, changes, node.row);
		pass_new_row(kept, node, scale, change, n, consumer, context);
		change += n;
		changes -= n;
	}
}

/*
 * Pass the rows of a partition on, ascending: row is told of each, consumer of
 * the pairs that end in it.  Their x is as of the head's landmark.  counts, if
 * it is not NULL, takes pairs instead where it can: of a row either does, but
 * for pairs of graphs without labels and weights that have changed.
 */
void
kept_partition(Kept *kept, uint32 partition, void (*row) (void *context, KeptNode node),
			   KeptConsumer consumer, KeptCountConsumer counts, void *context)
{
	pass_partition(kept, partition, 1, row, consumer, counts, context);
}

/* The same of all partitions, ascending by number; x is as of the run. */
void
kept_rows(Kept *kept, void (*row) (void *context, KeptNode node),
		  KeptConsumer consumer, void *context)
{
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		pass_partition(kept, p, kept->head.scale, row, consumer, NULL, context);
}
