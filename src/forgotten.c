/*
 * forgotten.c
 *	  Who asked to be forgotten: the list as a refresh reads it.
 *
 * A model's table <model>_leavers has a row for each of them.  All processes
 * of a refresh look users up in one copy of it, a set in arena memory; where
 * the table has no rows there is no set, and reading pays for one comparison
 * with NULL a row.
 *
 * A list that cannot be read in full is an error: to leave a part of it out
 * would publish people who left.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "forgotten.h"
#include "tables.h"

/* What the list takes. */
typedef struct Sizes
{
	uint64		ids;
	Size		bytes;
	uint64		sum;			/* of what ids hash to, whatever their order */
} Sizes;

/* Bytes behind the table that an id of a type needs. */
static Size
id_bytes(IdType type, const Id *id)
{
	return type == ID_BIGINT ? 0 : type == ID_UUID ? UUID_LEN : id->length;
}

static void
add(ForgottenSet *set, const Id *id, Size *offset)
{
	uint64		i = id->hash & set->mask;
	Size		bytes = id_bytes(set->type, id);

	while (set->entry[i].used)
		i = (i + 1) & set->mask;
	set->entry[i].used = true;
	set->entry[i].hash = id->hash;
	set->entry[i].length = id->length;
	if (set->type == ID_BIGINT)
		set->entry[i].value = id->value.number;
	else
	{
		set->entry[i].value = (int64) *offset;
		memcpy((char *) set + *offset, id->value.bytes, bytes);
	}
	*offset += bytes;
}

/*
 * Read the list under the active snapshot: what it takes, or into a set that
 * has room for it, behind whose table is *offset.
 */
static Sizes
read_list(Relation rel, AttrNumber attno, IdType type, ForgottenSet *set, Size *offset)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "influence forgotten",
											  ALLOCSET_SMALL_SIZES);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	Sizes		sizes = {0, 0, 0};

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(row);
		bool		isnull;
		Datum		value = slot_getattr(slot, attno, &isnull);

		CHECK_FOR_INTERRUPTS();
		if (!isnull)
		{
			Id			id = id_from_datum(type, type == ID_TEXT ?
										   PointerGetDatum(PG_DETOAST_DATUM_PACKED(value)) : value);

			sizes.ids++;
			sizes.bytes += id_bytes(type, &id);
			sizes.sum += hash_bytes_uint32_extended((uint32) id.hash, id.hash >> 32);
			if (set)
				add(set, &id, offset);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row);
	return sizes;
}

/*
 * The table of the users who asked a model to forget them, qualified and
 * quoted; NULL if nobody ever did.  Raises an error if there is no such table.
 */
char *
forgotten_table(const Model *model)
{
	Relation	rel = try_relation_open(model->forgotten, AccessShareLock);
	char	   *name = NULL;

	tables_check(rel, TABLE_FORGOTTEN);
	if (RelationGetNumberOfBlocks(rel) > 0)
		name = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
										  RelationGetRelationName(rel));
	relation_close(rel, NoLock);
	return name;
}

/*
 * Open the list of those who asked a model to forget them, *attno being its
 * column of ids; NULL if nobody did.  Raises an error if somebody did and the
 * caller may not read the list, or it does not exist any more.
 */
static Relation
open_list(const Model *model, AttrNumber *attno)
{
	Relation	rel = try_relation_open(model->forgotten, AccessShareLock);
	Oid			id_type = model_id_type_oid(model->id_type);

	tables_check(rel, TABLE_FORGOTTEN);
	*attno = get_attnum(model->forgotten, "user_id");
	if (*attno <= 0 || get_atttype(model->forgotten, *attno) != id_type)
		ereport(ERROR,
				(errcode(*attno <= 0 ? ERRCODE_UNDEFINED_COLUMN : ERRCODE_DATATYPE_MISMATCH),
				 errmsg("table \"%s\" has no column \"user_id\" of type %s",
						RelationGetRelationName(rel), format_type_be(id_type)),
				 errdetail("It says who is not to have scores."),
				 errhint("Restore the column.")));
	/* who may not read the list may know that nobody was ever on it */
	if (RelationGetNumberOfBlocks(rel) == 0)
	{
		relation_close(rel, NoLock);
		return NULL;
	}
	if (pg_class_aclcheck(model->forgotten, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck(model->forgotten, *attno, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(rel));
	tables_check_rows(rel);
	return rel;
}

/*
 * A fingerprint of the list that the active snapshot sees, whatever the order
 * of its rows; 0 if it is empty.  Raises the errors of forgotten_build.
 */
uint64
forgotten_fingerprint(const Model *model)
{
	AttrNumber	attno;
	Relation	rel = open_list(model, &attno);
	Sizes		sizes;

	if (rel == NULL)
		return 0;
	sizes = read_list(rel, attno, model->id_type, NULL, NULL);
	relation_close(rel, NoLock);
	return sizes.sum + sizes.ids;
}

/*
 * The set of the users who asked a model to forget them, in arena memory; none
 * if nobody did.  Raises the errors of open_list.
 */
ArenaRef
forgotten_build(Arena *arena, Model *model)
{
	AttrNumber	attno;
	Relation	rel = open_list(model, &attno);
	Sizes		sizes;
	ArenaRef	ref = ARENA_NONE;

	if (rel == NULL)
		return ARENA_NONE;
	sizes = read_list(rel, attno, model->id_type, NULL, NULL);
	if (sizes.ids > 0)
	{
		uint64		slots = pg_nextpower2_64(Max(4, sizes.ids * 2));
		Size		offset = offsetof(ForgottenSet, entry) + slots * sizeof(ForgottenEntry);
		ForgottenSet *set;

		ref = arena_alloc(arena, offset + sizes.bytes);
		set = arena_address(arena, ref);
		memset(set, 0, offset);
		set->type = model->id_type;
		set->mask = slots - 1;
		(void) read_list(rel, attno, model->id_type, set, &offset);
	}
	relation_close(rel, NoLock);
	return ref;
}
