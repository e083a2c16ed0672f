/*
 * patch.c
 *	  A graph that was kept, with what has changed since, made into blocks.
 *
 * A partition of the graph is decoded row by row; where something has changed
 * (delta.c) the parts of a pair are merged with it.  Both come in the same
 * order, and what comes out is in the order of blocks: nothing is sorted.
 *
 * A part of which interactions are taken away is the difference of two sums,
 * and how many are left says whether there still is one.  Without weights that
 * is exact.  With weights, rounding is some parts in 1e15 of what the sums
 * were: where so little is left of them that it matters (IMPRECISE), all
 * interactions are to be read again.  (What is lost in several refreshes that
 * each leave a little more than that adds up until then.)
 *
 * Memory: the block, as blocks.c says, and 24 bytes for each part that somebody
 * takes or that differs from the base.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "patch.h"

/* Less than that of all that was there, added or taken away is not known well. */
#define IMPRECISE	1e-5

struct Patch
{
	PatchShared *shared;
	Arena	   *arena;
	Kept	   *kept;
	const uint32 *label_number;
	bool		weighted;
	MemoryContext context;

	/* the block being made */
	Blocks	   *blocks;
	uint32		partition;
	bool		wanted;			/* parts are */
	int64		row;			/* at hand; -1: before the first */
	const DeltaPart *delta;		/* what is not merged yet */
	const DeltaPart *delta_end;
	BlockRefs  *refs;
	uint64	   *offset;
	uint32	   *column;
	uint8	   *code;			/* NULL: weights are too many */
	double	   *weight;			/* NULL: codes do */
	uint64		pairs;
	Part	   *part;			/* that somebody takes */
	uint64		parts;
	uint64		parts_room;
	Part	   *touched;		/* with x as of the landmark */
	uint64		n_touched;
	uint64		touched_room;
	Part	   *merged;			/* of one pair */
	int			merged_room;
};

/* One process's access, in the current memory context; kept may be NULL. */
Patch *
patch_attach(PatchShared *shared, Arena *arena, Kept *kept)
{
	Patch	   *patch = palloc0(sizeof(Patch));

	patch->shared = shared;
	patch->arena = arena;
	patch->context = CurrentMemoryContext;
	if (kept == NULL)
	{
		Model	   *model = palloc0(sizeof(Model));

		model->name = shared->model;
		model->graph = shared->graph;
		model->id_type = shared->id_type;
		kept = kept_open(model, shared->run);
	}
	patch->kept = kept;
	patch->weighted = kept_head(kept)->weighted;
	if (shared->label_number != ARENA_NONE)
		patch->label_number = arena_address(arena, shared->label_number);
	return patch;
}

/* Give an array back. */
static void
drop(Patch *patch, void *array, uint64 room, Size size)
{
	if (array == NULL)
		return;
	pfree(array);
	arena_release(patch->arena, room * size);
}

/* Make room for weights; for codes, if so few are expected. */
static void
make_weights(Patch *patch, bool codes)
{
	BlockRefs  *refs = patch->refs;

	if (codes)
	{
		refs->code = arena_alloc(patch->arena, refs->room);
		patch->code = arena_address(patch->arena, refs->code);
	}
	else
	{
		refs->weight = arena_alloc(patch->arena, refs->room * sizeof(double));
		patch->weight = arena_address(patch->arena, refs->weight);
	}
}

/* Too many distinct weights for a byte: spell them out. */
static void
spell_out(Patch *patch)
{
	const double *dictionary = arena_address(patch->arena, patch->blocks->shared->dictionary);

	make_weights(patch, false);
	for (uint64 i = 0; i < patch->pairs; i++)
		patch->weight[i] = dictionary[patch->code[i]];
	arena_free(patch->arena, patch->refs->code, patch->refs->room);
	patch->refs->code = ARENA_NONE;
	patch->code = NULL;
}

/* A pair joins the row at hand; x is as of the refresh. */
static inline void
put_pair(Patch *patch, uint32 source, double x)
{
	if (unlikely(patch->pairs == patch->refs->room))
		kept_report_damaged(patch->kept, "edges");
	if (unlikely(patch->code && x > BLOCK_CODES))
		spell_out(patch);
	patch->column[patch->pairs] = source;
	if (patch->code)
		patch->code[patch->pairs] = (uint8) (x - 1);
	else
	{
		if (unlikely(isinf(x)))
			blocks_report_infinite_pair();
		patch->weight[patch->pairs] = blocks_pair_weight(patch->blocks->shared, x);
	}
	patch->pairs++;
}

/* Order by label. */
static int
compare_labels(const void *a, const void *b)
{
	uint32		one = ((const Part *) a)->label;
	uint32		other = ((const Part *) b)->label;

	return one < other ? -1 : one > other;
}

/* Parts of a pair go to who takes them, ascending by label. */
static void
put_parts(Patch *patch, uint32 source, const Part *part, int n)
{
	double		scale = patch->shared->scale;
	uint64		first = patch->parts;
	uint64		last;

	if (patch->parts + n > patch->parts_room)
	{
		uint64		room = 2 * (patch->parts + n) + 1024;

		patch->part = arena_grow(patch->arena, patch->context, patch->part, patch->parts_room, room, sizeof(Part));
		patch->parts_room = room;
	}
	for (int i = 0; i < n; i++)
	{
		Part	   *to = &patch->part[patch->parts];

		to->row = (uint32) patch->row;
		to->source = source;
		to->label = patch->label_number ? patch->label_number[part[i].label] : 0;
		to->rows = part[i].rows;
		to->x = part[i].x * scale;
		patch->parts += to->x >= LEAST_WEIGHT;
	}
	if (patch->parts <= first + 1)
		return;
	qsort(patch->part + first, patch->parts - first, sizeof(Part), compare_labels);
	last = first;
	for (uint64 i = first + 1; i < patch->parts; i++)
		if (patch->part[i].label == patch->part[last].label)
		{
			patch->part[last].rows += patch->part[i].rows;
			patch->part[last].x += patch->part[i].x;
		}
		else
			patch->part[++last] = patch->part[i];
	patch->parts = last + 1;
}

/* A pair of n parts, ascending by label: all that there is of it. */
static inline void
take_pair(Patch *patch, uint32 source, const Part *part, int n)
{
	double		x = 0;

	for (int i = 0; i < n; i++)
	{
		double		now = part[i].x * patch->shared->scale;

		x += now >= LEAST_WEIGHT ? now : 0;
	}
	if (x == 0)
		return;
	put_pair(patch, source, x);
	if (patch->wanted)
		put_parts(patch, source, part, n);
}

/* The queue and the graph contradict each other. */
static void
report_contradiction(const Patch *patch)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("changes of the interactions of model \"%s\" do not fit its graph",
					patch->shared->model),
			 errdetail("More interactions of a pair were deleted than there were."),
			 errhint("Refresh in mode \"full\".")));
}

/* Change a part; x is 0 if there is no such part any more. */
static void
settle(Patch *patch, Part *part, const DeltaPart *delta)
{
	int64		rows = part->rows + delta->rows;
	double		gross = part->x + delta->gross;

	if (rows < 0)
		report_contradiction(patch);
	part->rows = (uint32) Min(rows, UINT32_MAX);
	part->x = rows == 0 ? 0 : part->x + delta->x;
	/* something was taken away, and what is left is not known well */
	if (patch->weighted && rows > 0 && delta->x != delta->gross && !(part->x >= IMPRECISE * gross))
	{
		pg_atomic_write_u32(&patch->shared->imprecise, 1);
		part->x = 0;
	}
}

/* Note a part that is not what it was. */
static void
touch(Patch *patch, const DeltaPart *delta, const Part *part)
{
	if (patch->n_touched == patch->touched_room)
	{
		uint64		room = 2 * patch->touched_room + 64;

		patch->touched = arena_grow(patch->arena, patch->context, patch->touched, patch->touched_room, room, sizeof(Part));
		patch->touched_room = room;
	}
	patch->touched[patch->n_touched++] = (Part)
	{
		delta->row, delta->source, delta->label, part->rows, part->x
	};
}

/* Merge what has changed of the next pair with the n parts that it had, ascending. */
static void
merge_pair(Patch *patch, uint32 source, const Part *part, int n)
{
	const DeltaPart *delta = patch->delta;
	int			changes = 0;
	int			k = 0;

	while (delta + changes < patch->delta_end && delta[changes].row == patch->row &&
		   delta[changes].source == source)
		changes++;
	if (n + changes > patch->merged_room)
	{
		int			room = 2 * (n + changes);

		patch->merged = arena_grow(patch->arena, patch->context, patch->merged, patch->merged_room, room, sizeof(Part));
		patch->merged_room = room;
	}
	for (int i = 0, j = 0; i < n || j < changes;)
	{
		Part	   *to = &patch->merged[k];

		if (j == changes || (i < n && part[i].label < delta[j].label))
			*to = part[i++];
		else
		{
			bool		both = i < n && part[i].label == delta[j].label;

			*to = both ? part[i] : (Part) {.label = delta[j].label};
			settle(patch, to, &delta[j]);
			touch(patch, &delta[j], to);
			i += both;
			j++;
		}
		k += to->x > 0;
	}
	patch->delta += changes;
	take_pair(patch, source, patch->merged, k);
}

/* What has changed in the row at hand, of sources before one, is new. */
static void
take_new_pairs(Patch *patch, uint32 source)
{
	while (patch->delta < patch->delta_end && patch->delta->row == patch->row &&
		   patch->delta->source < source)
		merge_pair(patch, patch->delta->source, NULL, 0);
}

/* Go on to a row. */
static void
next_row(Patch *patch, uint32 row)
{
	if (patch->row >= 0)
		take_new_pairs(patch, UINT32_MAX);
	patch->row = row;
	patch->offset[row] = patch->pairs;
}

/* A row of the graph comes. */
static void
take_kept_row(void *context, KeptNode node)
{
	next_row(context, node.row);
}

/* A pair of the graph comes. */
static void
take_kept_pair(void *context, KeptNode node, const Part *part, int n)
{
	Patch	   *patch = context;
	uint32		source = part->source;

	if (likely(patch->delta == patch->delta_end || patch->delta->row != patch->row))
	{
		take_pair(patch, source, part, n);
		return;
	}
	take_new_pairs(patch, source);
	if (patch->delta < patch->delta_end && patch->delta->row == patch->row &&
		patch->delta->source == source)
		merge_pair(patch, source, part, n);
	else
		take_pair(patch, source, part, n);
}

/* Pairs of a graph without weights and labels come, all of one row. */
static void
take_counts(void *context, const uint32 *source, const uint32 *count, int n)
{
	Patch	   *patch = context;
	uint32		most = 0;

	for (int i = 0; i < n; i++)
		most = Max(most, count[i]);
	if (patch->wanted || most > BLOCK_CODES || patch->code == NULL ||
		(patch->delta < patch->delta_end && patch->delta->row == patch->row))
	{
		for (int i = 0; i < n; i++)
		{
			Part		part = {(uint32) patch->row, source[i], 0, count[i], count[i]};

			/* which node the source is says its slot */
			take_kept_pair(patch, (KeptNode) {0, 0}, &part, 1);
		}
		return;
	}
	if (n > patch->refs->room - patch->pairs)
		kept_report_damaged(patch->kept, "edges");
	memcpy(patch->column + patch->pairs, source, n * sizeof(uint32));
	for (int i = 0; i < n; i++)
		patch->code[patch->pairs + i] = (uint8) (count[i] - 1);
	patch->pairs += n;
}

static int
compare_parts(const Part *a, const Part *b)
{
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return a->label < b->label ? -1 : a->label > b->label;
}

/* What is different from the base: what was, but for what is touched now, and that. */
static void
publish_changes(Patch *patch)
{
	PatchShared *shared = patch->shared;
	uint32		p = patch->partition;
	uint64		n;
	const Part *old = kept_changes(patch->kept, p, &n);
	Part	   *to;
	uint64		k = 0;

	shared->change[p] = arena_alloc(patch->arena, (n + patch->n_touched) * sizeof(Part));
	to = arena_address(patch->arena, shared->change[p]);
	for (uint64 i = 0, j = 0; i < n || j < patch->n_touched;)
	{
		int			order = i == n ? 1 : j == patch->n_touched ? -1 :
			compare_parts(&old[i], &patch->touched[j]);

		to[k++] = order < 0 ? old[i] : patch->touched[j];
		i += order <= 0;
		j += order >= 0;
	}
	shared->changes[p] = k;
}

/*
 * Make a partition into its block, and pass its parts on, if there is a
 * consumer.  Raises an error if the graph is damaged or does not fit what has
 * changed, the weights of a pair add up to infinity, or memory does not
 * suffice.
 */
void
patch_build(Patch *patch, Blocks *blocks, uint32 partition, PartConsumer consumer, void *context)
{
	BlocksShared *shared = blocks->shared;
	BlockRefs  *refs = &shared->block[partition];
	const DeltaShared *delta = &patch->shared->delta;
	uint32		nrows = shared->base[partition + 1] - shared->base[partition];

	if (nrows == 0)
		return;
	patch->blocks = blocks;
	patch->partition = partition;
	patch->wanted = consumer != NULL;
	patch->row = -1;
	patch->pairs = 0;
	patch->parts = patch->parts_room = 0;
	patch->n_touched = patch->touched_room = 0;
	patch->code = NULL;
	patch->weight = NULL;
	patch->part = patch->touched = NULL;
	patch->delta = patch->delta_end = NULL;
	if (delta->parts[partition] > 0)
	{
		patch->delta = arena_address(patch->arena, delta->part[partition]);
		patch->delta_end = patch->delta + delta->parts[partition];
	}
	refs->offset = arena_alloc(patch->arena, ((Size) nrows + 1) * sizeof(uint64));
	patch->offset = arena_address(patch->arena, refs->offset);
	patch->refs = refs;
	refs->room = kept_head(patch->kept)->pairs[partition] + delta->parts[partition];
	refs->column = arena_alloc(patch->arena, refs->room * sizeof(uint32));
	patch->column = arena_address(patch->arena, refs->column);
	make_weights(patch, !patch->weighted);

	kept_partition(patch->kept, partition, take_kept_row, take_kept_pair, take_counts, patch);
	for (uint32 row = kept_head(patch->kept)->count[partition]; row < nrows; row++)
		next_row(patch, row);
	take_new_pairs(patch, UINT32_MAX);
	patch->offset[nrows] = patch->pairs;
	if (patch->delta != patch->delta_end)
		elog(ERROR, "changes of a graph are not in order");

	if (consumer)
		consumer(context, partition, patch->part, patch->parts);
	drop(patch, patch->part, patch->parts_room, sizeof(Part));
	publish_changes(patch);
	drop(patch, patch->touched, patch->touched_room, sizeof(Part));
	shared->pairs[partition] = patch->pairs;
	pg_atomic_fetch_add_u64(&shared->edges, patch->pairs);
}
