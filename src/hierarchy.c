/*
 * hierarchy.c
 *	  Topics that are parts of wider topics.
 *
 * A table of rows (topic, parent) says which topics an interaction counts for
 * besides its own: all that can be reached from it by parents.  A topic may
 * have several parents, parents may form cycles, and neither side has to occur
 * anywhere else.  The wider topics of each topic that is asked for are found
 * once, by a search from it.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "catalog.h"
#include "hierarchy.h"

typedef struct Topic
{
	LabelName	name;
	struct Topic **parent;
	int			parents;
	LabelName  *ancestor;		/* NULL: not asked for yet */
	int			ancestors;
	uint32		visit;			/* last search that came by */
} Topic;

typedef struct TopicEntry
{
	LabelName	name;
	Topic	   *topic;
	char		status;
} TopicEntry;

#define SH_PREFIX			topics
#define SH_ELEMENT_TYPE		TopicEntry
#define SH_KEY_TYPE			LabelName
#define SH_KEY				name
#define SH_HASH_KEY(tb, key)	hash_bytes((const unsigned char *) (key).bytes, (key).length)
#define SH_EQUAL(tb, a, b)	(label_name_compare(&(a), &(b)) == 0)
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct Hierarchy
{
	MemoryContext context;
	topics_hash *topics;
	uint64		fingerprint;	/* sum over the rows that it was read from */
	uint32		visits;
	Topic	  **queue;			/* has room for all topics */
};

/*
 * Raise an error unless a relation has columns topic and parent of a type of
 * strings that the caller may read.
 */
void
hierarchy_check(Oid table)
{
	static const char *const column[] = {"topic", "parent"};
	char	   *name = get_rel_name(table);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of topics and their parents does not exist"),
				 errhint("Name another, or take it away, by influence_alter_model.")));
	switch (get_rel_relkind(table))
	{
		case RELKIND_RELATION:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_PARTITIONED_TABLE:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a table or view", name)));
	}
	for (int i = 0; i < lengthof(column); i++)
	{
		AttrNumber	attno = get_attnum(table, column[i]);
		char		category = TYPCATEGORY_INVALID;
		bool		preferred;

		if (attno > 0)
			get_type_category_preferred(getBaseType(get_atttype(table, attno)), &category, &preferred);
		if (category != TYPCATEGORY_STRING)
			ereport(ERROR,
					(errcode(attno > 0 ? ERRCODE_DATATYPE_MISMATCH : ERRCODE_UNDEFINED_COLUMN),
					 errmsg("relation \"%s\" has no column \"%s\" of type text", name, column[i]),
					 errhint("Topics and their parents are read from columns named topic and parent.")));
		if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
			pg_attribute_aclcheck(table, attno, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(table)), name);
	}
}

/* The topic of a name; made if there is none. */
static Topic *
topic_of(Hierarchy *hierarchy, LabelName name)
{
	TopicEntry *entry = topics_lookup(hierarchy->topics, name);
	MemoryContext old;
	bool		found;
	char	   *bytes;

	if (entry)
		return entry->topic;
	old = MemoryContextSwitchTo(hierarchy->context);
	bytes = palloc(name.length + 1);
	memcpy(bytes, name.bytes, name.length);
	name.bytes = bytes;
	entry = topics_insert(hierarchy->topics, name, &found);
	entry->topic = palloc0(sizeof(Topic));
	entry->topic->name = name;
	MemoryContextSwitchTo(old);
	return entry->topic;
}

static void
add_parent(Hierarchy *hierarchy, Topic *topic, Topic *parent)
{
	int			n = topic->parents;

	if ((n & (n - 1)) == 0)		/* a power of two: full */
	{
		Size		size = Max(1, 2 * n) * sizeof(Topic *);

		topic->parent = n == 0 ? MemoryContextAlloc(hierarchy->context, size) :
			repalloc(topic->parent, size);
	}
	topic->parent[topic->parents++] = parent;
}

/*
 * Read a table of topics and their parents, under the active snapshot and
 * with the caller's rights, into the current memory context.  Rows with a
 * NULL say nothing.
 */
Hierarchy *
hierarchy_read(Oid table)
{
	Hierarchy  *hierarchy = palloc0(sizeof(Hierarchy));
	char	   *query;
	Portal		portal;

	hierarchy_check(table);
	hierarchy->context = CurrentMemoryContext;
	hierarchy->topics = topics_create(CurrentMemoryContext, 256, NULL);
	spi_begin();
	query = psprintf("SELECT CAST(topic AS pg_catalog.text), CAST(parent AS pg_catalog.text) FROM %s"
					 " WHERE topic IS NOT NULL AND parent IS NOT NULL",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
												get_rel_name(table)));
	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 1000);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			LabelName	name[2];
			Topic	   *topic[2];

			for (int column = 0; column < 2; column++)
			{
				bool		isnull;
				text	   *value = DatumGetTextPP(SPI_getbinval(SPI_tuptable->vals[i],
																 SPI_tuptable->tupdesc,
																 column + 1, &isnull));

				name[column] = (LabelName) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
				topic[column] = topic_of(hierarchy, name[column]);
			}
			add_parent(hierarchy, topic[0], topic[1]);
			hierarchy->fingerprint +=
				hash_combine64(hash_bytes_extended((const unsigned char *) name[0].bytes,
												   name[0].length, 0),
							   hash_bytes_extended((const unsigned char *) name[1].bytes,
												   name[1].length, 1));
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	spi_end();
	hierarchy->queue = MemoryContextAllocHuge(hierarchy->context,
											  (Size) (hierarchy->topics->members + 1) * sizeof(Topic *));
	return hierarchy;
}

/* What tells it from others, most probably: a number not 0; 0 for none at all. */
uint64
hierarchy_fingerprint(const Hierarchy *hierarchy)
{
	return hierarchy == NULL ? 0 : Max(hierarchy->fingerprint, 1);
}

/*
 * All topics wider than a topic, itself left out.  *n is how many; they stay
 * valid as long as the hierarchy.
 */
const LabelName *
hierarchy_ancestors(Hierarchy *hierarchy, LabelName name, int *n)
{
	TopicEntry *entry = topics_lookup(hierarchy->topics, name);
	Topic	   *topic = entry ? entry->topic : NULL;
	uint32		visit;
	int			reached = 0;

	*n = 0;
	if (topic == NULL || topic->parents == 0)
		return NULL;
	if (topic->ancestor == NULL)
	{
		visit = ++hierarchy->visits;
		topic->visit = visit;
		hierarchy->queue[reached++] = topic;
		for (int at = 0; at < reached; at++)
			for (int p = 0; p < hierarchy->queue[at]->parents; p++)
			{
				Topic	   *parent = hierarchy->queue[at]->parent[p];

				if (parent->visit == visit)
					continue;
				parent->visit = visit;
				hierarchy->queue[reached++] = parent;
			}
		topic->ancestors = reached - 1;
		topic->ancestor = MemoryContextAlloc(hierarchy->context, reached * sizeof(LabelName));
		for (int i = 1; i < reached; i++)
			topic->ancestor[i - 1] = hierarchy->queue[i]->name;
	}
	*n = topic->ancestors;
	return topic->ancestor;
}
