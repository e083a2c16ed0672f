/*
 * source.c
 *	  Reading interactions.
 *
 * A plain table whose columns have types that need no conversion worth the
 * name is read by a table scan, which several processes can share.  Anything
 * else is read by a query in the leader: views, partitioned and foreign
 * tables, inheritance, row security that applies to the caller, and columns
 * that need a cast.  Both hand their rows to the same code, which decides
 * what a row weighs and whether it counts, and passes those that do on in
 * batches.
 *
 * A row weighs weight * weight of its kind * weight of its network *
 * 2 ^ -(age / half life).  It is skipped, and counted as such, if an id, the
 * weight or the time is NULL, if source and target are the same, if it is
 * dated after as_of, if it weighs nothing, or if source or target asked to be
 * forgotten.
 *
 * Everything happens with the rights of the caller: the query by itself, the
 * table scan because the same privileges are checked before.
 */
#include "postgres.h"

#include <math.h>

#include "access/parallel.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "compat.h"
#include "forgotten.h"
#include "labels.h"
#include "progress.h"
#include "source.h"
#include "weights.h"

#define BATCH			1024
#define BATCH_BYTES		(64 * 1024)

/* What a column is for. */
typedef enum Role
{
	ROLE_ID,
	ROLE_WEIGHT,
	ROLE_AT,
	ROLE_NAME,					/* kind, network */
	ROLE_NAMES					/* topic: text or text[] */
} Role;

/* One process's reading. */
typedef struct Reader
{
	DestReceiver pub;			/* first: by query this is the receiver */
	SourceShared *shared;
	SourceConsumer consumer;
	void	   *context;
	AttrNumber	last_attno;
	SourceColumn source,
				target,
				weight,
				at,
				kind,
				network,
				topic,
				sign;
	const WeightTable *kind_weights;
	const WeightTable *network_weights;
	const ForgottenSet *forgotten;	/* NULL: nobody */
	MemoryContext row_context;	/* for what conversions allocate */
	bool		leader;			/* who reports progress */
	ArenaControl *arena;		/* told how far reading is */
	uint64		read,
				skipped_null,
				skipped_self,
				skipped_future,
				skipped_zero,
				skipped_forgotten;

	/* the batch */
	int			n;
	Id			source_id[BATCH];
	Id			target_id[BATCH];
	Id			label_id[BATCH];
	float8		row_weight[BATCH];
	int16		row_sign[BATCH];
	LabelText	label;			/* of the row */
	char	   *bytes;			/* of the ids in the batch */
	Size		bytes_used;
	Size		bytes_size;
} Reader;

/*
 * Which format a column of a type has in a role; SOURCE_CAST if it must be
 * cast, SOURCE_NONE if it cannot serve.
 */
static SourceFormat
format_of(Role role, Oid type, IdType *id_type)
{
	Oid			base = getBaseType(type);
	char		category;
	bool		preferred;

	switch (base)
	{
		case INT2OID:
			if (role == ROLE_ID)
				*id_type = ID_BIGINT;
			if (role == ROLE_ID || role == ROLE_WEIGHT)
				return SOURCE_INT2;
			break;
		case INT4OID:
			if (role == ROLE_ID)
				*id_type = ID_BIGINT;
			if (role == ROLE_ID || role == ROLE_WEIGHT)
				return SOURCE_INT4;
			break;
		case INT8OID:
			if (role == ROLE_ID)
				*id_type = ID_BIGINT;
			if (role == ROLE_ID || role == ROLE_WEIGHT)
				return SOURCE_INT8;
			break;
		case FLOAT4OID:
			if (role == ROLE_WEIGHT)
				return SOURCE_FLOAT4;
			break;
		case FLOAT8OID:
			if (role == ROLE_WEIGHT)
				return SOURCE_FLOAT8;
			break;
		case NUMERICOID:
			if (role == ROLE_WEIGHT)
				return SOURCE_NUMERIC;
			break;
		case UUIDOID:
			if (role == ROLE_ID)
			{
				*id_type = ID_UUID;
				return SOURCE_UUID;
			}
			break;
		case TEXTOID:
		case VARCHAROID:
			if (role == ROLE_ID)
				*id_type = ID_TEXT;
			if (role == ROLE_ID || role == ROLE_NAME || role == ROLE_NAMES)
				return SOURCE_TEXT;
			break;
		case TIMESTAMPTZOID:
			if (role == ROLE_AT)
				return SOURCE_TIMESTAMPTZ;
			break;
		case TIMESTAMPOID:
		case DATEOID:
			if (role == ROLE_AT)
				return SOURCE_CAST;
			break;
		case TEXTARRAYOID:
		case VARCHARARRAYOID:
			if (role == ROLE_NAMES)
				return SOURCE_TEXT_ARRAY;
			break;
	}
	if (role == ROLE_NAMES && OidIsValid(get_element_type(base)))
		return format_of(ROLE_NAME, get_element_type(base), id_type) == SOURCE_NONE ?
			SOURCE_NONE : SOURCE_CAST_ARRAY;
	get_type_category_preferred(base, &category, &preferred);
	switch (role)
	{
		case ROLE_ID:
			*id_type = ID_TEXT;
			return category == TYPCATEGORY_STRING ? SOURCE_CAST : SOURCE_NONE;
		case ROLE_NAME:
		case ROLE_NAMES:
			if (category == TYPCATEGORY_STRING || category == TYPCATEGORY_ENUM ||
				category == TYPCATEGORY_NUMERIC || category == TYPCATEGORY_BOOLEAN ||
				base == CHAROID)
				return SOURCE_CAST;
			break;
		default:
			break;
	}
	return SOURCE_NONE;
}

/*
 * Find a column of the interactions and say how it is read.  Raises an error
 * if there is no such column or it cannot serve in the role.
 */
static SourceColumn
find_column(const Model *model, const char *argument, const char *name, Role role,
			IdType *id_type)
{
	SourceColumn column = {InvalidAttrNumber, SOURCE_NONE};
	Oid			type;

	if (name == NULL)
		return column;
	column.attno = get_attnum(model->interactions, name);
	if (column.attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, get_rel_name(model->interactions)),
				 errdetail("Model \"%s\" takes its %s from there.", model->name, argument),
				 errhint("Name the column by the argument \"%s\" of influence_create_model or influence_alter_model.",
						 argument)));
	type = get_atttype(model->interactions, column.attno);
	column.format = column.attno < 0 ? SOURCE_NONE : format_of(role, type, id_type);
	if (column.format == SOURCE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" has type %s, which cannot be the %s of a model",
						name, get_rel_name(model->interactions), format_type_be(type), argument),
				 role == ROLE_ID ?
				 errhint("User ids are bigint, uuid or text; smallint, integer, varchar and citext are converted.") :
				 role == ROLE_WEIGHT ? errhint("Weights are numbers.") :
				 role == ROLE_AT ? errhint("Times are timestamps or dates.") :
				 errhint("Names are text.")));
	return column;
}

/* Raise an error unless the caller may read a column. */
static void
check_privilege(const Model *model, AttrNumber attno)
{
	if (attno != InvalidAttrNumber &&
		pg_attribute_aclcheck(model->interactions, attno, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV,
					   get_relkind_objtype(get_rel_relkind(model->interactions)),
					   get_rel_name(model->interactions));
}

typedef struct Columns
{
	SourceColumn source,
				target,
				weight,
				at,
				kind,
				network,
				topic;
	IdType		id_type;
} Columns;

/*
 * Open the interactions of a model, under AccessShareLock.  Raises an error
 * if they do not exist any more, or are no relation that has rows.
 */
Relation
source_open(const Model *model)
{
	Relation	rel = try_relation_open(model->interactions, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the interactions of model \"%s\" do not exist any more", model->name),
				 errhint("Name another table by influence_alter_model, or drop the model by influence_drop_model.")));
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_PARTITIONED_TABLE:
			return rel;
	}
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a table or view", RelationGetRelationName(rel))));
}

/*
 * Look all columns of a model up in its open interactions, with the errors of
 * find_column, and check that the caller may read them.
 */
static Columns
find_columns(const Model *model)
{
	Columns		c;
	IdType		target_type = ID_BIGINT,
				none;

	c.id_type = ID_BIGINT;
	c.source = find_column(model, "source", model->source, ROLE_ID, &c.id_type);
	c.target = find_column(model, "target", model->target, ROLE_ID, &target_type);
	if (c.id_type != target_type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns \"%s\" and \"%s\" of relation \"%s\" hold different types of user ids: %s and %s",
						model->source, model->target, get_rel_name(model->interactions),
						format_type_be(get_atttype(model->interactions, c.source.attno)),
						format_type_be(get_atttype(model->interactions, c.target.attno))),
				 errhint("Cast one of them in a view, and create the model on the view.")));
	c.weight = find_column(model, "weight", model->weight, ROLE_WEIGHT, &none);
	c.at = find_column(model, "at", model->at, ROLE_AT, &none);
	c.kind = find_column(model, "kind", model->kind, ROLE_NAME, &none);
	c.network = find_column(model, "network", model->network, ROLE_NAME, &none);
	c.topic = find_column(model, "topic", model->topic, ROLE_NAMES, &none);
	if (pg_class_aclcheck(model->interactions, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
	{
		check_privilege(model, c.source.attno);
		check_privilege(model, c.target.attno);
		check_privilege(model, c.weight.attno);
		check_privilege(model, c.at.attno);
		check_privilege(model, c.kind.attno);
		check_privilege(model, c.network.attno);
		check_privilege(model, c.topic.attno);
	}
	return c;
}

/*
 * Check that a model's interactions can be read as it says, and set its
 * id_type.  Raises an error if the relation or a column does not exist, is of
 * the wrong kind or type, or may not be read by the caller.
 */
void
source_check(Model *model)
{
	Relation	rel = source_open(model);

	model->id_type = find_columns(model).id_type;
	relation_close(rel, NoLock);
}

static bool
needs_cast(const SourceColumn *column)
{
	return column->format == SOURCE_CAST || column->format == SOURCE_CAST_ARRAY;
}

/*
 * Prepare to read the interactions of a model, rel, dated after since, which
 * may be -infinity for all, and not after as_of, the time that they age to.
 * Raises the errors of source_check, and one if the type of the ids has changed.
 */
void
source_init(SourceShared *shared, Arena *arena, Model *model, TimestampTz since,
			TimestampTz as_of, Relation rel)
{
	Columns		c = find_columns(model);

	if (c.id_type != model->id_type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("user ids of relation \"%s\" are not of type %s any more, as model \"%s\" expects",
						RelationGetRelationName(rel),
						format_type_be(model_id_type_oid(model->id_type)), model->name),
				 errhint("Drop the model and create it anew.")));
	memset(shared, 0, sizeof(SourceShared));
	shared->relation = model->interactions;
	shared->id_type = c.id_type;
	shared->source = c.source;
	shared->target = c.target;
	shared->weight = c.weight;
	shared->since = since;
	shared->as_of = as_of;
	if (model->at)
	{
		shared->at = c.at;
		shared->half_life = model->half_life;
	}
	shared->kind = c.kind;
	if (model->kind && model->kind_weights)
		shared->kind_weights = weights_build(arena, model->kind_weights);
	shared->network = c.network;
	if (model->network && model->network_weights)
		shared->network_weights = weights_build(arena, model->network_weights);
	shared->topic = c.topic;
	shared->forgotten = forgotten_build(arena, model);
	shared->labelled = !model->unlabelled && (model->kind || model->network || model->topic);
	shared->expected = Max(rel->rd_rel->reltuples, 0);
	shared->unweighted = model->unweighted;
	shared->weighted = !shared->unweighted &&
		(model->weight || shared->kind_weights || shared->network_weights ||
		 shared->half_life > 0);
	shared->by_query =
		rel->rd_rel->relkind != RELKIND_RELATION ||
		rel->rd_rel->relhassubclass ||
		check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED ||
		compat_has_virtual_columns(rel) ||
		needs_cast(&shared->source) || needs_cast(&shared->target) ||
		needs_cast(&shared->at) || needs_cast(&shared->kind) || needs_cast(&shared->network) ||
		needs_cast(&shared->topic);
	pg_atomic_init_u64(&shared->read, 0);
	pg_atomic_init_u64(&shared->skipped_null, 0);
	pg_atomic_init_u64(&shared->skipped_self, 0);
	pg_atomic_init_u64(&shared->skipped_future, 0);
	pg_atomic_init_u64(&shared->skipped_zero, 0);
	pg_atomic_init_u64(&shared->skipped_forgotten, 0);
}

/* Pass the batch on and start a new one. */
static void
pass_on(Reader *reader)
{
	SourceBatch batch = {
		.n = reader->n,
		.source = reader->source_id,
		.target = reader->target_id,
		.weight = reader->shared->weighted ? reader->row_weight : NULL,
		.label = reader->shared->labelled ? reader->label_id : NULL,
		.sign = reader->sign.attno ? reader->row_sign : NULL
	};

	if (batch.n > 0)
		reader->consumer(reader->context, &batch);
	reader->n = 0;
	reader->bytes_used = 0;
}

/* The same when no row is at hand, whose values must survive. */
static void
flush(Reader *reader)
{
	pass_on(reader);
	MemoryContextReset(reader->row_context);
}

/* Make room for so many bytes with the batch, which may be passed on before. */
static inline void
need_bytes(Reader *reader, Size length)
{
	if (likely(reader->bytes_used + length <= reader->bytes_size))
		return;
	pass_on(reader);
	if (length > reader->bytes_size)
	{
		reader->bytes = repalloc_huge(reader->bytes, length);
		reader->bytes_size = length;
	}
}

/* Read an id; one of bytes stays where it is. */
static inline Id
read_id(const Reader *reader, SourceFormat format, Datum value)
{
	switch (format)
	{
		case SOURCE_INT2:
			return id_from_datum(ID_BIGINT, Int64GetDatum(DatumGetInt16(value)));
		case SOURCE_INT4:
			return id_from_datum(ID_BIGINT, Int64GetDatum(DatumGetInt32(value)));
		case SOURCE_TEXT:
			return id_from_datum(ID_TEXT, PointerGetDatum(PG_DETOAST_DATUM_PACKED(value)));
		default:
			return id_from_datum(reader->shared->id_type, value);
	}
}

/* Keep an id's bytes with the batch, which has room for them. */
static inline void
keep_id(Reader *reader, Id *id)
{
	memcpy(reader->bytes + reader->bytes_used, id->value.bytes, id->length);
	id->value.bytes = reader->bytes + reader->bytes_used;
	reader->bytes_used += id->length;
}

/* Describe an id for a message. */
static char *
show_id(const Reader *reader, const Id *id)
{
	IdType		type = reader->shared->id_type;
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(model_id_type_oid(type), &output, &varlena);
	return OidOutputFunctionCall(output, id_to_datum(type, id));
}

static void
report_weight(const Reader *reader, const Id *source, const Id *target, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("interaction from %s to %s has %s",
					show_id(reader, source), show_id(reader, target), what),
			 errdetail("Weights must be finite and not negative."),
			 errhint("Correct the row, or create the model on a view that leaves it out.")));
}

/* A weight column's value. */
static inline double
read_weight(SourceFormat format, Datum value)
{
	switch (format)
	{
		case SOURCE_INT2:
			return DatumGetInt16(value);
		case SOURCE_INT4:
			return DatumGetInt32(value);
		case SOURCE_INT8:
			return (double) DatumGetInt64(value);
		case SOURCE_FLOAT4:
			return DatumGetFloat4(value);
		case SOURCE_NUMERIC:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
		default:
			return DatumGetFloat8(value);
	}
}

/* The name that a datum of type text is. */
static inline LabelName
name_of(Datum value)
{
	text	   *name = PG_DETOAST_DATUM_PACKED(value);

	return (LabelName) {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)};
}

/* Note the topics of a row: a text, or an array of them, NULLs left out. */
static void
take_topics(LabelText *label, SourceFormat format, Datum value)
{
	ArrayType  *array;
	bits8	   *nulls;
	char	   *element;
	int			n;

	label_clear_topics(label);
	if (format != SOURCE_TEXT_ARRAY)
	{
		label_add_topic(label, name_of(value));
		return;
	}
	array = DatumGetArrayTypeP(value);
	n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	nulls = ARR_NULLBITMAP(array);
	element = ARR_DATA_PTR(array);
	for (int i = 0; i < n; i++)
	{
		if (nulls && !(nulls[i / 8] & 1 << i % 8))
			continue;
		label_add_topic(label, name_of(PointerGetDatum(element)));
		element = att_addlength_pointer(element, -1, element);
		element = (char *) att_align_nominal(element, TYPALIGN_INT);
	}
}

/* Value and nullness of a column of the row in slot. */
#define VALUE(slot, column)		((slot)->tts_values[(column).attno - 1])
#define IS_NULL(slot, column)	((slot)->tts_isnull[(column).attno - 1])

/* Take one row. */
static void
take_row(Reader *reader, TupleTableSlot *slot)
{
	SourceShared *shared = reader->shared;
	Id			source,
				target;
	double		weight = 1;
	Size		bytes = 0;
	MemoryContext old;

	slot_getsomeattrs(slot, reader->last_attno);
	reader->read++;
	if (unlikely(reader->read % BATCH == 0))
	{
		uint64		read = pg_atomic_add_fetch_u64(&shared->read, BATCH);

		CHECK_FOR_INTERRUPTS();
		if (reader->leader)
			progress_done((int64) read);
		if (shared->expected > 0)
			reader->arena->part = Min(read / shared->expected, 1.0);
	}
	if (IS_NULL(slot, reader->source) || IS_NULL(slot, reader->target))
	{
		reader->skipped_null++;
		return;
	}
	old = MemoryContextSwitchTo(reader->row_context);
	source = read_id(reader, reader->source.format, VALUE(slot, reader->source));
	target = read_id(reader, reader->target.format, VALUE(slot, reader->target));
	if (unlikely(reader->forgotten != NULL) &&
		(forgotten_has(reader->forgotten, &source) || forgotten_has(reader->forgotten, &target)))
	{
		reader->skipped_forgotten++;
		goto done;
	}
	if (reader->weight.attno)
	{
		if (IS_NULL(slot, reader->weight))
		{
			reader->skipped_null++;
			goto done;
		}
		weight = read_weight(reader->weight.format, VALUE(slot, reader->weight));
		if (unlikely(!(weight >= 0) || isinf(weight)))
			report_weight(reader, &source, &target, psprintf("weight %g", weight));
	}
	if (id_equal(shared->id_type, &source, &target))
	{
		reader->skipped_self++;
		goto done;
	}
	if (reader->at.attno)
	{
		TimestampTz at;

		if (IS_NULL(slot, reader->at))
		{
			reader->skipped_null++;
			goto done;
		}
		at = DatumGetTimestampTz(VALUE(slot, reader->at));
		if (at > shared->as_of || (at <= shared->since && !TIMESTAMP_IS_NOBEGIN(shared->since)))
		{
			reader->skipped_future++;
			goto done;
		}
		if (shared->half_life > 0)
			weight *= TIMESTAMP_IS_NOBEGIN(at) ? 0 :
				exp2(((double) at - (double) shared->as_of) / USECS_PER_SEC / shared->half_life);
	}
	reader->label.kind = reader->label.network = (LabelName) {NULL, 0};
	if (reader->kind.attno && !IS_NULL(slot, reader->kind))
	{
		LabelName  *kind = &reader->label.kind;

		*kind = name_of(VALUE(slot, reader->kind));
		if (reader->kind_weights)
			weight *= weights_find(reader->kind_weights, kind->bytes, kind->length);
	}
	if (reader->network.attno && !IS_NULL(slot, reader->network))
	{
		LabelName  *network = &reader->label.network;

		*network = name_of(VALUE(slot, reader->network));
		if (reader->network_weights)
			weight *= weights_find(reader->network_weights, network->bytes, network->length);
	}
	if (weight < LEAST_WEIGHT)
	{
		reader->skipped_zero++;
		goto done;
	}
	if (unlikely(isinf(weight)))
		report_weight(reader, &source, &target, "a weight that multiplies up to infinity");
	if (shared->unweighted)
		weight = 1;

	if (shared->labelled)
	{
		if (reader->topic.attno && !IS_NULL(slot, reader->topic))
			take_topics(&reader->label, reader->topic.format, VALUE(slot, reader->topic));
		else
			label_clear_topics(&reader->label);
		bytes = label_size(&reader->label);
	}
	if (shared->id_type == ID_UUID)
		source.length = target.length = UUID_LEN;
	if (shared->id_type != ID_BIGINT)
		bytes += (Size) source.length + target.length;
	need_bytes(reader, bytes);
	if (shared->id_type != ID_BIGINT)
	{
		keep_id(reader, &source);
		keep_id(reader, &target);
	}
	if (shared->labelled)
	{
		Id		   *label = &reader->label_id[reader->n];

		*label = label_encode(&reader->label, reader->bytes + reader->bytes_used);
		reader->bytes_used += label->length;
	}
	reader->source_id[reader->n] = source;
	reader->target_id[reader->n] = target;
	reader->row_weight[reader->n] = weight;
	if (reader->sign.attno)
		reader->row_sign[reader->n] = DatumGetInt16(VALUE(slot, reader->sign));
	if (++reader->n == BATCH)
		flush(reader);
done:
	MemoryContextSwitchTo(old);
}

/* A reader in the current memory context. */
static Reader *
begin(SourceShared *shared, Arena *arena, SourceConsumer consumer, void *context)
{
	Reader	   *reader = palloc0(sizeof(Reader));

	reader->shared = shared;
	reader->consumer = consumer;
	reader->context = context;
	reader->leader = !IsParallelWorker();
	reader->arena = arena->control;
	reader->source = shared->source;
	reader->target = shared->target;
	reader->weight = shared->weight;
	reader->at = shared->at;
	reader->kind = shared->kind;
	reader->network = shared->network;
	reader->topic = shared->topic;
	reader->sign = shared->sign;
	label_init(&reader->label);
	if (shared->kind_weights)
		reader->kind_weights = arena_address(arena, shared->kind_weights);
	if (shared->network_weights)
		reader->network_weights = arena_address(arena, shared->network_weights);
	if (shared->forgotten)
		reader->forgotten = arena_address(arena, shared->forgotten);
	reader->row_context = AllocSetContextCreate(CurrentMemoryContext, "influence row",
												ALLOCSET_SMALL_SIZES);
	reader->bytes_size = shared->id_type == ID_BIGINT && !shared->labelled ? 0 : BATCH_BYTES;
	reader->bytes = palloc(reader->bytes_size + 1);
	return reader;
}

/* Pass the rest on, and add up what was read and skipped. */
static void
end(Reader *reader)
{
	SourceShared *shared = reader->shared;

	flush(reader);
	pg_atomic_fetch_add_u64(&shared->read, reader->read % BATCH);
	pg_atomic_fetch_add_u64(&shared->skipped_null, reader->skipped_null);
	pg_atomic_fetch_add_u64(&shared->skipped_self, reader->skipped_self);
	pg_atomic_fetch_add_u64(&shared->skipped_future, reader->skipped_future);
	pg_atomic_fetch_add_u64(&shared->skipped_zero, reader->skipped_zero);
	pg_atomic_fetch_add_u64(&shared->skipped_forgotten, reader->skipped_forgotten);
}

/*
 * Read by table scan: this process's part of it, if it is a parallel one.
 * Raises an error for a row whose weight is negative, NaN or infinite.
 */
void
source_read_table(SourceShared *shared, Arena *arena, Relation rel, TableScanDesc scan,
				  SourceConsumer consumer, void *context)
{
	Reader	   *reader = begin(shared, arena, consumer, context);
	TupleTableSlot *slot = table_slot_create(rel, NULL);

	reader->last_attno = Max(Max(Max(reader->source.attno, reader->target.attno),
								 Max(reader->weight.attno, reader->at.attno)),
							 Max(Max(reader->kind.attno, reader->network.attno),
								 Max(reader->topic.attno, reader->sign.attno)));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		take_row(reader, slot);
	ExecDropSingleTupleTableSlot(slot);
	end(reader);
}

/* The receiver of the query's rows. */
static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	take_row((Reader *) self, slot);
	return true;
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
}

static void
receiver_end(DestReceiver *self)
{
}

/* Add a column, cast, to a select list; returns how it is read there. */
static SourceColumn
select_column(StringInfo query, int *n, const char *name, bool wanted,
			  const char *type, SourceFormat format)
{
	SourceColumn column = {InvalidAttrNumber, SOURCE_NONE};

	if (!wanted)
		return column;
	appendStringInfo(query, "%sCAST(%s AS pg_catalog.%s)", *n ? ", " : "",
					 quote_identifier(name), type);
	column.attno = ++*n;
	column.format = format;
	return column;
}

/*
 * Read by a query under the active snapshot, in the leader.  Raises what the
 * query raises, and the errors of source_read_table.
 */
void
source_read_query(SourceShared *shared, Arena *arena, const Model *model, Relation rel,
				  SourceConsumer consumer, void *context)
{
	static const char *const id_cast[] = {"int8", "uuid", "text"};
	static const SourceFormat id_format[] = {SOURCE_INT8, SOURCE_UUID, SOURCE_TEXT};
	Reader	   *reader = begin(shared, arena, consumer, context);
	SPIExecuteOptions options = {0};
	StringInfoData query;
	IdType		id = shared->id_type;
	int			n = 0;
	int			status;

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT ");
	reader->source = select_column(&query, &n, model->source, true, id_cast[id], id_format[id]);
	reader->target = select_column(&query, &n, model->target, true, id_cast[id], id_format[id]);
	reader->weight = select_column(&query, &n, model->weight, shared->weight.attno != 0,
								   "float8", SOURCE_FLOAT8);
	reader->at = select_column(&query, &n, model->at, shared->at.attno != 0,
							   "timestamptz", SOURCE_TIMESTAMPTZ);
	reader->kind = select_column(&query, &n, model->kind, shared->kind.attno != 0,
								 "text", SOURCE_TEXT);
	reader->network = select_column(&query, &n, model->network, shared->network.attno != 0,
									"text", SOURCE_TEXT);
	reader->topic = shared->topic.format == SOURCE_TEXT_ARRAY ||
		shared->topic.format == SOURCE_CAST_ARRAY ?
		select_column(&query, &n, model->topic, true, "text[]", SOURCE_TEXT_ARRAY) :
		select_column(&query, &n, model->topic, shared->topic.attno != 0, "text", SOURCE_TEXT);
	reader->sign = select_column(&query, &n, "sign", shared->sign.attno != 0, "int2", SOURCE_INT2);
	reader->last_attno = n;
	appendStringInfo(&query, " FROM %s",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)));
	reader->pub.receiveSlot = receive;
	reader->pub.rStartup = receiver_startup;
	reader->pub.rShutdown = receiver_end;
	reader->pub.rDestroy = receiver_end;
	reader->pub.mydest = DestTuplestore;	/* DestNone is no SELECT to SPI */

	spi_begin();
	options.read_only = true;
	options.dest = &reader->pub;
	status = SPI_execute_extended(query.data, &options);
	if (status != SPI_OK_SELECT)
		elog(ERROR, "could not read interactions: %s", SPI_result_code_string(status));
	end(reader);
	spi_end();
}
