/*
 * delta.c
 *	  What has changed since a graph was kept.
 *
 * The rows of a model's queue, each one that was inserted or deleted, add up
 * to a change of x for each pair of users and label.  Users whom the graph
 * has are found by going through its ids once; the others become nodes after
 * those it has, in the order in which they are met.
 *
 * Memory: up to 48 bytes for each row of the queue while it is read, 24 more
 * while it is sorted, and 40 for each change; and what the ids and labels in
 * them take.  All of it is the leader's.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "delta.h"

/* Ids of the graph that are looked for together. */
#define BATCH	64

/* A row of the queue. */
typedef struct Row
{
	NodeRef		source;
	NodeRef		target;
	uint32		label;
	double		x;				/* with the sign */
} Row;

/* The same as a change of a part of a partition: ready to be sorted. */
typedef struct Entry
{
	uint32		row;			/* of the target */
	uint32		number;			/* of the row of the queue */
	uint64		part;			/* slot of the source << 32 | label */
	double		x;
} Entry;

struct Delta
{
	DeltaShared *shared;
	Arena	   *arena;
	Kept	   *kept;
	Labels	   *labels;			/* or NULL */
	Hierarchy  *hierarchy;		/* or NULL */
	IdsShared  *ids_shared;		/* of users in the queue */
	Ids		   *ids;
	NodeRef    *source;			/* of a batch */
	NodeRef    *target;
	NodeRef    *batch_label;
	int			batch_room;

	Row		   *row;
	uint64		rows;
	uint64		room;

	uint32	   *row_of[ID_PARTITIONS];	/* by place in ids */
	uint32	   *fresh[ID_PARTITIONS];	/* places of new users, in order */

	uint32		n_labels;		/* those of the graph, and new ones */
	uint32		label_room;
	NodeRef    *label;			/* by number of the graph: in labels->ids */
	uint32	   *number_of[ID_PARTITIONS];	/* by place there + 1; 0: none yet */
	uint32		number_room[ID_PARTITIONS];
};

/* Where the number of a label, given its node in labels->ids, is noted. */
static uint32 *
number_at(Delta *delta, NodeRef node)
{
	uint32		p = NODE_PARTITION(node);
	uint32		place = NODE_PLACE(node);

	if (place >= delta->number_room[p])
	{
		uint32		room = Max(2 * place, 16);

		delta->number_of[p] = arena_grow(delta->arena, GetMemoryChunkContext(delta),
										delta->number_of[p], delta->number_room[p], room,
										sizeof(uint32));
		memset(delta->number_of[p] + delta->number_room[p], 0,
			   (room - delta->number_room[p]) * sizeof(uint32));
		delta->number_room[p] = room;
	}
	return &delta->number_of[p][place];
}

/* Give a label the next number. */
static uint32
add_label(Delta *delta, NodeRef node)
{
	if (delta->n_labels == delta->label_room)
	{
		uint32		room = Max(2 * delta->label_room, 64);

		delta->label = arena_grow(delta->arena, GetMemoryChunkContext(delta), delta->label,
								 delta->label_room, room, sizeof(NodeRef));
		delta->label_room = room;
	}
	delta->label[delta->n_labels] = node;
	*number_at(delta, node) = ++delta->n_labels;
	return delta->n_labels - 1;
}

/*
 * The number of a label of a row, given its node: labels of the graph have all
 * topics that count.
 */
static uint32
number_label(Delta *delta, NodeRef node)
{
	NodeRef		wide;
	uint32		number = *number_at(delta, node);

	if (number != 0)
		return number - 1;
	wide = labels_widen(delta->labels, delta->hierarchy, node);
	number = *number_at(delta, wide);
	if (number == 0)
		number = add_label(delta, wide) + 1;
	*number_at(delta, node) = number;
	return number - 1;
}

/* The labels of the graph join labels, which has none yet, in their order. */
static void
take_labels(Delta *delta)
{
	uint32		n = kept_head(delta->kept)->labels;
	char	   *bytes = NULL;
	Size		size = 0;

	for (uint32 i = 0; i < n; i++)
	{
		const LabelText *text = kept_label(delta->kept, i);
		Size		length = label_size(text);
		NodeRef		node;
		Id			id;

		if (length > size)
		{
			bytes = bytes ? repalloc_huge(bytes, length) : palloc_extended(length, MCXT_ALLOC_HUGE);
			size = length;
		}
		id = label_encode(text, bytes);
		ids_assign(delta->labels->ids, &id, 1, &node);
		(void) add_label(delta, node);
	}
	if (bytes)
		pfree(bytes);
}

/*
 * Begin, in the current memory context.  labels is empty, or NULL if
 * interactions have none; what the graph says of labels is put there.
 * hierarchy, of topics, may be NULL.
 */
Delta *
delta_begin(DeltaShared *shared, Arena *arena, Kept *kept, Labels *labels,
			Hierarchy *hierarchy)
{
	Delta	   *delta = palloc0(sizeof(Delta));

	delta->shared = shared;
	delta->arena = arena;
	delta->kept = kept;
	delta->labels = labels;
	delta->hierarchy = hierarchy;
	delta->ids_shared = palloc(sizeof(IdsShared));
	ids_init(delta->ids_shared, kept_head(kept)->id_type, false);
	delta->ids = ids_attach(delta->ids_shared, arena);
	memset(shared, 0, sizeof(DeltaShared));
	if (labels)
		take_labels(delta);
	return delta;
}

/* Take a batch of rows of the queue: a SourceConsumer. */
void
delta_take(void *context, const SourceBatch *batch)
{
	Delta	   *delta = context;
	MemoryContext own = GetMemoryChunkContext(delta);

	if (batch->n > delta->batch_room)
	{
		delta->source = MemoryContextAlloc(own, batch->n * sizeof(NodeRef));
		delta->target = MemoryContextAlloc(own, batch->n * sizeof(NodeRef));
		delta->batch_label = MemoryContextAlloc(own, batch->n * sizeof(NodeRef));
		delta->batch_room = batch->n;
	}
	if (delta->rows + batch->n > delta->room)
	{
		uint64		room = Max(2 * delta->room, Max(batch->n, 1024));

		delta->row = arena_grow(delta->arena, own, delta->row, delta->room, room, sizeof(Row));
		delta->room = room;
	}
	if (delta->rows + batch->n > UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many changes for an incremental refresh"),
				 errhint("Refresh in mode \"full\".")));
	ids_assign(delta->ids, batch->source, batch->n, delta->source);
	ids_assign(delta->ids, batch->target, batch->n, delta->target);
	if (batch->label)
		ids_assign(delta->labels->ids, batch->label, batch->n, delta->batch_label);
	for (int i = 0; i < batch->n; i++)
	{
		double		x = batch->weight ? batch->weight[i] : 1;
		Row		   *row = &delta->row[delta->rows];

		row->source = delta->source[i];
		row->target = delta->target[i];
		row->label = batch->label ? number_label(delta, delta->batch_label[i]) : 0;
		delta->rows++;
		row->x = batch->sign[i] > 0 ? x : -x;
	}
}

/* --- settling ------------------------------------------------------------ */

/* Find the users of a partition among those that the graph has; number the rest. */
static void
find_users(Delta *delta, uint32 p)
{
	const KeptHead *head = kept_head(delta->kept);
	uint32		n = ids_count(delta->ids_shared, p);
	uint32		count = head->count[p];
	uint32	   *row_of;
	uint32	   *fresh;

	delta->shared->count[p] = count;
	if (n == 0)
		return;
	row_of = arena_grow(delta->arena, CurrentMemoryContext, NULL, 0, n, sizeof(uint32));
	fresh = arena_grow(delta->arena, CurrentMemoryContext, NULL, 0, n, sizeof(uint32));
	memset(row_of, 0xff, n * sizeof(uint32));
	for (uint32 row = 0; row < count;)
	{
		Id			id[BATCH];
		uint32		at[BATCH];
		NodeRef		node[BATCH];
		int			k = 0;

		CHECK_FOR_INTERRUPTS();
		for (; row < count && k < BATCH; row++)
		{
			kept_id(delta->kept, (KeptNode) {p, row}, &id[k]);
			id_set_hash(head->id_type, &id[k]);
			at[k] = row;
			/* elsewhere is nobody: keep.h */
			k += ID_PARTITION(id[k].hash) == p;
		}
		ids_find(delta->ids, id, k, node);
		for (int i = 0; i < k; i++)
			if (node[i] != NO_NODE)
				row_of[NODE_PLACE(node[i])] = at[i];
	}
	for (uint32 place = 0; place < n; place++)
		if (row_of[place] == UINT32_MAX)
		{
			fresh[delta->shared->count[p] - count] = place;
			row_of[place] = delta->shared->count[p]++;
		}
	delta->row_of[p] = row_of;
	delta->fresh[p] = fresh;
}

static uint32
slot_of(const Delta *delta, NodeRef node)
{
	CsrBlock	block = {.lane = NODE_PARTITION(node), .lanes = ID_PARTITIONS};

	return csr_slot(&block, delta->row_of[block.lane][NODE_PLACE(node)]);
}

static int
compare_entries(const void *a, const void *b)
{
	const Entry *one = a;
	const Entry *other = b;

	if (one->row != other->row)
		return one->row < other->row ? -1 : 1;
	if (one->part != other->part)
		return one->part < other->part ? -1 : 1;
	return one->number < other->number ? -1 : one->number > other->number;
}

/* Make sorted entries of a partition, n of them, into its changes. */
static void
add_up(Delta *delta, uint32 p, const Entry *entry, uint64 n)
{
	DeltaShared *shared = delta->shared;
	DeltaPart  *part;
	uint64		k = 0;

	if (n == 0)
		return;
	shared->part[p] = arena_alloc(delta->arena, n * sizeof(DeltaPart));
	part = arena_address(delta->arena, shared->part[p]);
	for (uint64 i = 0; i < n; i++)
	{
		if (i == 0 || entry[i].row != entry[i - 1].row || entry[i].part != entry[i - 1].part)
			part[k++] = (DeltaPart)
		{
			.row = entry[i].row,
			.source = (uint32) (entry[i].part >> 32),
			.label = (uint32) entry[i].part
		};
		part[k - 1].rows += entry[i].x > 0 ? 1 : -1;
		part[k - 1].x += entry[i].x;
		part[k - 1].gross += fabs(entry[i].x);
	}
	shared->parts[p] = k;
}

/*
 * All rows are there: add them up.  scale is what an x of the graph is to be
 * multiplied by to be as of the refresh.
 */
void
delta_settle(Delta *delta, double scale)
{
	uint64		n = delta->rows;
	Entry	   *entry = arena_grow(delta->arena, CurrentMemoryContext, NULL, 0, n + 1, sizeof(Entry));
	uint64		end[ID_PARTITIONS + 1] = {0};

	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		find_users(delta, p);
	/* dealt out to partitions, as they come, and sorted there */
	for (uint64 i = 0; i < n; i++)
		end[NODE_PARTITION(delta->row[i].target) + 1]++;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		end[p + 1] += end[p];
	for (uint64 i = 0; i < n; i++)
	{
		const Row  *row = &delta->row[i];
		uint32		p = NODE_PARTITION(row->target);
		Entry	   *to = &entry[end[p]++];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		to->row = delta->row_of[p][NODE_PLACE(row->target)];
		to->number = (uint32) i;
		to->part = (uint64) slot_of(delta, row->source) << 32 | row->label;
		to->x = row->x / scale;
	}
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
	{
		uint64		first = p == 0 ? 0 : end[p - 1];

		CHECK_FOR_INTERRUPTS();
		qsort(entry + first, end[p] - first, sizeof(Entry), compare_entries);
		add_up(delta, p, entry + first, end[p] - first);
	}
	pfree(entry);
	arena_release(delta->arena, (n + 1) * sizeof(Entry));
	if (delta->row)
		pfree(delta->row);
	arena_release(delta->arena, delta->room * sizeof(Row));
	delta->row = NULL;
	delta->room = 0;
}

/* --- afterwards ---------------------------------------------------------- */

/* The id of a node, one that the graph has or not. */
void
delta_id(Delta *delta, uint32 partition, uint32 row, Id *id)
{
	uint32		kept = kept_head(delta->kept)->count[partition];

	if (row < kept)
	{
		kept_id(delta->kept, (KeptNode) {partition, row}, id);
		id_set_hash(kept_head(delta->kept)->id_type, id);
	}
	else
		ids_get(delta->ids, partition << NODE_PLACE_BITS | delta->fresh[partition][row - kept], id);
}

/* How many labels there are, those of the graph included. */
uint32
delta_labels(const Delta *delta)
{
	return delta->n_labels;
}

/* The node of a label among labels->ids. */
NodeRef
delta_label(const Delta *delta, uint32 label)
{
	return delta->label[label];
}
