/*
 * labels.c
 *	  What interactions are about: their kind, network and topics.
 *
 * While rows are read, what a row says of kind, network and topics is one
 * string of bytes, and what is noted with its edge is the number of that
 * string, found as user ids are (ids.c).  When all rows are read each distinct
 * label gets the topics that are wider than its own, those that then say the
 * same get the same number, and each is taken apart once: into its facets,
 * which are its network and its topics.  So neither a topic array nor a
 * hierarchy of topics costs more for each row than a look-up.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "labels.h"
#include "radix.h"

#define NO_NAME		UINT32_MAX

/* --- one label ---------------------------------------------------------- */

/* Set up in the current memory context, saying nothing. */
void
label_init(LabelText *label)
{
	memset(label, 0, sizeof(LabelText));
	label->room = 16;
	label->topic = palloc(label->room * sizeof(LabelName));
}

void
label_clear_topics(LabelText *label)
{
	label->topics = 0;
}

/* Add a topic, unless it is there. */
void
label_add_topic(LabelText *label, LabelName topic)
{
	int			at = label->topics;

	while (at > 0)
	{
		int			order = label_name_compare(&label->topic[at - 1], &topic);

		if (order == 0)
			return;
		if (order < 0)
			break;
		at--;
	}
	if (label->topics == label->room)
	{
		label->room *= 2;
		label->topic = repalloc(label->topic, label->room * sizeof(LabelName));
	}
	memmove(label->topic + at + 1, label->topic + at, (label->topics - at) * sizeof(LabelName));
	label->topic[at] = topic;
	label->topics++;
}

/* Bytes that label_encode writes. */
Size
label_size(const LabelText *label)
{
	Size		size = 3 * sizeof(uint32) + label->kind.length + label->network.length;

	for (int i = 0; i < label->topics; i++)
		size += sizeof(uint32) + label->topic[i].length;
	return size;
}

static char *
put_name(char *to, const LabelName *name)
{
	uint32		length = name->bytes ? name->length : NO_NAME;

	memcpy(to, &length, sizeof(length));
	to += sizeof(length);
	if (name->bytes)
		memcpy(to, name->bytes, name->length);
	return to + (name->bytes ? name->length : 0);
}

/*
 * Write a label to bytes, label_size of them, and return it as an id of type
 * text: lengths and bytes of kind, network and each topic, with the number of
 * topics before those.
 */
Id
label_encode(const LabelText *label, char *bytes)
{
	Id			id = {0};
	char	   *to = bytes;
	uint32		topics = label->topics;

	to = put_name(to, &label->kind);
	to = put_name(to, &label->network);
	memcpy(to, &topics, sizeof(topics));
	to += sizeof(topics);
	for (int i = 0; i < label->topics; i++)
		to = put_name(to, &label->topic[i]);
	id.value.bytes = bytes;
	id.length = to - bytes;
	id.hash = hash_bytes_extended((unsigned char *) bytes, id.length, 0);
	return id;
}

/* Read a name; returns where the next is, or NULL if bytes do not suffice. */
static const char *
get_name(const char *from, const char *end, LabelName *name)
{
	uint32		length;

	if (end - from < (ptrdiff_t) sizeof(length))
		return NULL;
	memcpy(&length, from, sizeof(length));
	from += sizeof(length);
	*name = (LabelName) {NULL, 0};
	if (length == NO_NAME)
		return from;
	if (end - from < (ptrdiff_t) length)
		return NULL;
	*name = (LabelName) {from, length};
	return from + length;
}

/*
 * Read what label_encode wrote; names point into the bytes.  Returns where it
 * ends, or NULL if that is not before end.
 */
const char *
label_decode(const char *bytes, const char *end, LabelText *label)
{
	uint32		topics;

	label_clear_topics(label);
	if ((bytes = get_name(bytes, end, &label->kind)) == NULL ||
		(bytes = get_name(bytes, end, &label->network)) == NULL ||
		end - bytes < (ptrdiff_t) sizeof(topics))
		return NULL;
	memcpy(&topics, bytes, sizeof(topics));
	bytes += sizeof(topics);
	for (uint32 i = 0; i < topics; i++)
	{
		LabelName	topic;

		if ((bytes = get_name(bytes, end, &topic)) == NULL || topic.bytes == NULL)
			return NULL;
		label_add_topic(label, topic);
	}
	return bytes;
}

/* --- all labels ---------------------------------------------------------- */

/* Set the shared part up, before any worker starts. */
void
labels_init(LabelsShared *shared, bool locking)
{
	memset(shared, 0, sizeof(LabelsShared));
	ids_init(&shared->ids, ID_TEXT, locking);
}

/* One process's access, in the current memory context. */
Labels *
labels_attach(LabelsShared *shared, Arena *arena)
{
	Labels	   *labels = palloc0(sizeof(Labels));

	labels->shared = shared;
	labels->arena = arena;
	labels->ids = ids_attach(&shared->ids, arena);
	return labels;
}

/* A facet that was met. */
typedef struct MetFacet
{
	LabelName	name;
	uint32		met;			/* in which order */
	char		status;
} MetFacet;

#define SH_PREFIX			met
#define SH_ELEMENT_TYPE		MetFacet
#define SH_KEY_TYPE			LabelName
#define SH_KEY				name
#define SH_HASH_KEY(tb, key)	hash_bytes((const unsigned char *) (key).bytes, (key).length)
#define SH_EQUAL(tb, a, b)	(label_name_compare(&(a), &(b)) == 0)
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The same, to be sorted. */
typedef struct SortedFacet
{
	FacetType	type;
	LabelName	name;
	uint32		met;
} SortedFacet;

static int
compare_facets(const void *a, const void *b)
{
	const SortedFacet *one = a;
	const SortedFacet *other = b;

	if (one->type != other->type)
		return one->type < other->type ? -1 : 1;
	return label_name_compare(&one->name, &other->name);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32		one = *(const uint32 *) a;
	uint32		other = *(const uint32 *) b;

	return one < other ? -1 : one > other;
}

/* Facets that labels_settle comes to know, and which label has which. */
typedef struct Settling
{
	met_hash   *met[FACET_TYPES];
	SortedFacet *facet;			/* in the order they are met, at first */
	uint32		facets;
	uint32		facet_room;
	uint32	   *of;				/* facets of all labels */
	Size		used;
	Size		room;
} Settling;

/* The label under way has a facet. */
static void
meet(Settling *s, FacetType type, LabelName name)
{
	bool		found;
	MetFacet   *met = met_insert(s->met[type], name, &found);

	if (!found)
	{
		met->met = s->facets;
		if (s->facets == s->facet_room)
		{
			s->facet_room *= 2;
			s->facet = repalloc_huge(s->facet, s->facet_room * sizeof(SortedFacet));
		}
		s->facet[s->facets] = (SortedFacet) {type, name, s->facets};
		s->facets++;
	}
	if (s->used == s->room)
	{
		s->room *= 2;
		s->of = repalloc_huge(s->of, s->room * sizeof(uint32));
	}
	s->of[s->used++] = met->met;
}

/*
 * The node of a label with all topics wider than its own added, which may have
 * been new; node itself if there is none to add.  hierarchy may be NULL.
 */
NodeRef
labels_widen(Labels *labels, Hierarchy *hierarchy, NodeRef node)
{
	LabelText	own;
	LabelText	text;
	Id			id;

	if (hierarchy == NULL)
		return node;
	ids_get(labels->ids, node, &id);
	label_init(&own);
	label_init(&text);
	if (label_decode(id.value.bytes, id.value.bytes + id.length, &own) == NULL ||
		label_decode(id.value.bytes, id.value.bytes + id.length, &text) == NULL)
		elog(ERROR, "label cannot be read");
	for (int i = 0; i < own.topics; i++)
	{
		int			n;
		const LabelName *ancestor = hierarchy_ancestors(hierarchy, own.topic[i], &n);

		for (int j = 0; j < n; j++)
			label_add_topic(&text, ancestor[j]);
	}
	if (text.topics > own.topics)
	{
		char	   *bytes = palloc_extended(label_size(&text), MCXT_ALLOC_HUGE);

		id = label_encode(&text, bytes);
		ids_assign(labels->ids, &id, 1, &node);
		pfree(bytes);
	}
	pfree(own.topic);
	pfree(text.topic);
	return node;
}

/* Widen all labels; returns what they become, by partition and place. */
static NodeRef *
widen_all(Labels *labels, Hierarchy *hierarchy, const uint32 *count)
{
	uint64		n = 0;
	NodeRef    *wide;

	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		n += count[p];
	arena_reserve(labels->arena, n * sizeof(NodeRef));
	wide = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(NodeRef) + 1);
	n = 0;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 i = 0; i < count[p]; i++)
		{
			if (n % 1024 == 0)
				CHECK_FOR_INTERRUPTS();
			wide[n++] = labels_widen(labels, hierarchy, p << NODE_PLACE_BITS | i);
		}
	return wide;
}

/*
 * Number the labels by their hashes; returns their nodes by number.  Those that
 * count for the same topics have the same number.
 */
static NodeRef *
number_labels(Labels *labels, Hierarchy *hierarchy)
{
	LabelsShared *shared = labels->shared;
	Arena	   *arena = labels->arena;
	uint32		count[ID_PARTITIONS];
	uint64		had = 0;
	uint32		all = 0;
	uint32		n = 0;
	uint32	   *number;
	NodeRef    *node;
	NodeRef    *wide;
	uint64	   *key;

	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		count[p] = ids_count(&shared->ids, p);
		had += count[p];
	}
	wide = widen_all(labels, hierarchy, count);
	for (int p = 0; p < ID_PARTITIONS; p++)
	{
		shared->base[p] = all;
		all += ids_count(&shared->ids, p);
	}
	arena_reserve(arena, 4 * (Size) all * sizeof(uint64));
	key = MemoryContextAllocHuge(CurrentMemoryContext, 4 * (Size) all * sizeof(uint64) + 1);
	had = 0;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 i = 0; i < ids_count(&shared->ids, p); i++)
		{
			NodeRef		this = p << NODE_PLACE_BITS | i;
			Id			id;

			/* what came by widening is wide */
			if (i < count[p] && wide[had++] != this)
				continue;
			ids_get(labels->ids, this, &id);
			key[n] = id.hash;
			(key + all)[n] = this;
			n++;
		}
	radix_sort(key, key + all, key + 2 * (Size) all, key + 3 * (Size) all, n, 64);
	shared->labels = n;
	shared->number = arena_alloc(arena, all * sizeof(uint32));
	shared->node = arena_alloc(arena, n * sizeof(NodeRef));
	labels->number = number = arena_address(arena, shared->number);
	node = arena_address(arena, shared->node);
	for (uint32 i = 0; i < n; i++)
	{
		node[i] = (NodeRef) (key + all)[i];
		number[shared->base[NODE_PARTITION(node[i])] + NODE_PLACE(node[i])] = i;
	}
	had = 0;
	for (uint32 p = 0; p < ID_PARTITIONS; p++)
		for (uint32 i = 0; i < count[p]; i++)
			number[shared->base[p] + i] = labels_number(labels, wide[had++]);
	pfree(key);
	pfree(wide);
	arena_release(arena, 4 * (Size) all * sizeof(uint64) + had * sizeof(NodeRef));
	return node;
}

/*
 * In the leader, when all rows are read: number the labels and find their
 * facets.  hierarchy says what topics are parts of; or NULL.
 */
void
labels_settle(Labels *labels, Hierarchy *hierarchy)
{
	LabelsShared *shared = labels->shared;
	Arena	   *arena = labels->arena;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "influence labels",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	NodeRef    *node = number_labels(labels, hierarchy);
	uint32	   *offset;
	uint32	   *of;
	Facet	   *facet;
	uint32	   *sorted;
	Settling	s = {.facet_room = 64, .room = 1024};
	LabelText	label;

	ids_settle(labels->ids);
	label_init(&label);
	for (int t = 0; t < FACET_TYPES; t++)
		s.met[t] = met_create(context, 64, NULL);
	s.facet = palloc(s.facet_room * sizeof(SortedFacet));
	s.of = palloc(s.room * sizeof(uint32));
	shared->facet_offset = arena_alloc(arena, ((Size) shared->labels + 1) * sizeof(uint32));
	offset = arena_address(arena, shared->facet_offset);
	for (uint32 i = 0; i < shared->labels; i++)
	{
		Id			id;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		offset[i] = (uint32) s.used;
		ids_get(labels->ids, node[i], &id);
		if (label_decode(id.value.bytes, id.value.bytes + id.length, &label) == NULL)
			elog(ERROR, "label cannot be read");
		if (label.network.bytes)
			meet(&s, FACET_NETWORK, label.network);
		for (int t = 0; t < label.topics; t++)
			meet(&s, FACET_TOPIC, label.topic[t]);
		if (s.used > UINT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many distinct combinations of kind, network and topics")));
	}
	offset[shared->labels] = (uint32) s.used;

	/* number facets by type and name */
	qsort(s.facet, s.facets, sizeof(SortedFacet), compare_facets);
	shared->facets = s.facets;
	shared->facet = arena_alloc(arena, s.facets * sizeof(Facet));
	facet = arena_address(arena, shared->facet);
	sorted = palloc(s.facets * sizeof(uint32) + 1);
	for (uint32 f = 0; f < s.facets; f++)
	{
		const SortedFacet *from = &s.facet[f];

		sorted[from->met] = f;
		memset(&facet[f], 0, sizeof(Facet));
		facet[f].type = from->type;
		facet[f].length = from->name.length;
		pg_atomic_init_u64(&facet[f].parts, 0);
		facet[f].name = arena_alloc(arena, from->name.length);
		memcpy(arena_address(arena, facet[f].name), from->name.bytes, from->name.length);
		shared->facets_before[facet[f].type + 1]++;
	}
	for (int t = 0; t < FACET_TYPES; t++)
		shared->facets_before[t + 1] += shared->facets_before[t];
	shared->facet_of = arena_alloc(arena, s.used * sizeof(uint32));
	of = arena_address(arena, shared->facet_of);
	for (Size i = 0; i < s.used; i++)
		of[i] = sorted[s.of[i]];

	for (uint32 i = 0; i < shared->labels; i++)
		qsort(of + offset[i], offset[i + 1] - offset[i], sizeof(uint32), compare_numbers);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Resolve what labels_settle made in this process. */
void
labels_resolve(Labels *labels)
{
	LabelsShared *shared = labels->shared;
	Arena	   *arena = labels->arena;

	labels->number = arena_address(arena, shared->number);
	labels->node = arena_address(arena, shared->node);
	labels->facet_offset = arena_address(arena, shared->facet_offset);
	labels->facet_of = arena_address(arena, shared->facet_of);
	labels->facet = arena_address(arena, shared->facet);
}

LabelName
labels_facet_name(const Labels *labels, uint32 facet)
{
	return (LabelName) {
		arena_address(labels->arena, labels->facet[facet].name), labels->facet[facet].length
	};
}
