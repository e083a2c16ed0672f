/*
 * writer.h
 *	  Writing rows of an ordinary table, in bulk.
 */
#ifndef INFLUENCE_WRITER_H
#define INFLUENCE_WRITER_H

#include "access/heapam.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

typedef struct Writer Writer;

/* Bytes that writer_defer_index needs for each row. */
#define WRITER_ENTRY_SIZE	(4 * sizeof(uint64))

extern bool writer_allowed(Relation rel);
extern void writer_check(Relation rel);
extern Writer *writer_open(Oid relid, Bitmapset *updated);
extern Relation writer_relation(Writer *writer);
extern TupleTableSlot *writer_make_slot(Writer *writer);
extern AttrNumber writer_column(Writer *writer, const char *name, Oid type);
extern void writer_defer_index(Writer *writer, AttrNumber attno, uint64 *entry, Size rows);
extern TupleTableSlot *writer_slot(Writer *writer);
extern void writer_insert(Writer *writer);
extern void writer_flush(Writer *writer);
extern void writer_update(Writer *writer, TupleTableSlot *old, TupleTableSlot *new);
extern void writer_delete(Writer *writer, TupleTableSlot *old);
extern void writer_close(Writer *writer);

#endif
