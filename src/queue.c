/*
 * queue.c
 *	  The queue of a tracked model: taking changes from it.
 *
 * A refresh takes what its snapshot sees, and deletes just that, in its own
 * transaction.  What commits later stays for the next one, whatever its place
 * in the table; if the refresh fails, all of it stays.  Refreshes of a model
 * wait for each other (its row is locked), so that nobody else takes the same.
 *
 * The snapshot must be the one that the refresh reads under.  That rules out a
 * DELETE statement, which would have a newer one.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "queue.h"
#include "tables.h"

/*
 * Open the queue of a model, under RowExclusiveLock.  Raises an error if it
 * does not exist any more, or the caller may not take changes from it.
 */
static Relation
open_queue(const Model *model)
{
	Relation	rel = try_relation_open(model->queue, RowExclusiveLock);
	AclMode		needed = ACL_SELECT | ACL_DELETE;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the queue of model \"%s\" does not exist any more", model->name),
				 errhint("Have changes captured again by influence_track, or no more by influence_untrack.")));
	tables_check(rel, TABLE_QUEUE);
	if (pg_class_aclmask(model->queue, GetUserId(), needed, ACLMASK_ALL) != needed)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(rel));
	tables_check_rows(rel);
	return rel;
}

/* The column of signs of a queue that is open. */
static AttrNumber
sign_column(const Model *model, Relation rel)
{
	AttrNumber	attno = track_sign(model);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"sign\" of type smallint",
						RelationGetRelationName(rel)),
				 errhint("Begin anew by influence_untrack and influence_track.")));
	return attno;
}

/* Raise the errors of open_queue; the lock stays. */
void
queue_check(const Model *model)
{
	Relation	rel = open_queue(model);

	(void) sign_column(model, rel);
	relation_close(rel, NoLock);
}

/* What a snapshot sees of a queue.  Raises the errors of queue_check. */
QueueContents
queue_look(const Model *model, Snapshot snapshot)
{
	Relation	rel = open_queue(model);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc desc = table_beginscan(rel, snapshot, 0, NULL);
	AttrNumber	sign = sign_column(model, rel);
	QueueContents contents = {0, 0};

	while (table_scan_getnextslot(desc, ForwardScanDirection, slot))
	{
		bool		isnull;
		int			value = DatumGetInt16(slot_getattr(slot, sign, &isnull));

		CHECK_FOR_INTERRUPTS();
		contents.rows++;
		contents.unknown += isnull || value == QUEUE_UNKNOWN;
	}
	table_endscan(desc);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(rel, NoLock);
	return contents;
}

/*
 * Take from a queue what a snapshot sees, but for rows that are dated after
 * as_of: a refresh as of then leaves them out, and they count in a later one.
 * (Where times have another type than timestamptz these are taken, too.)
 * Returns what is left.  Raises the errors of queue_check.
 */
QueueRest
queue_take(const Model *model, Snapshot snapshot, TimestampTz as_of)
{
	Relation	rel = open_queue(model);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc desc = table_beginscan(rel, snapshot, 0, NULL);
	CommandId	cid = GetCurrentCommandId(true);
	AttrNumber	sign = sign_column(model, rel);
	AttrNumber	at = model->at ? get_attnum(model->queue, queue_column_name[QUEUE_AT]) :
		InvalidAttrNumber;
	QueueRest	rest = {0, 0};

	if (at > 0 && get_atttype(model->queue, at) != TIMESTAMPTZOID)
		at = InvalidAttrNumber;
	while (table_scan_getnextslot(desc, ForwardScanDirection, slot))
	{
		TM_FailureData failure;

		CHECK_FOR_INTERRUPTS();
		if (at > 0)
		{
			bool		isnull;
			TimestampTz dated = DatumGetTimestampTz(slot_getattr(slot, at, &isnull));

			if (!isnull && dated > as_of)
			{
				rest.rows++;
				rest.sum += DatumGetInt16(slot_getattr(slot, sign, &isnull));
				continue;
			}
		}
		if (table_tuple_delete(rel, &slot->tts_tid, cid, snapshot, InvalidSnapshot, true,
							   &failure, false) != TM_Ok)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update"),
					 errdetail("A row of table \"%s\" was changed meanwhile.",
							   RelationGetRelationName(rel))));
	}
	table_endscan(desc);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(rel, NoLock);
	return rest;
}
