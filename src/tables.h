/*
 * tables.h
 *	  The tables that a model publishes in.
 */
#ifndef INFLUENCE_TABLES_H
#define INFLUENCE_TABLES_H

#include "model.h"

typedef enum ModelTable
{
	TABLE_SCORES,
	TABLE_HISTORY,
	TABLE_NETWORKS,
	TABLE_TOPICS,
	TABLE_GRAPH,
	TABLE_CHANCES,				/* made when chances are learned first */
	TABLE_FORGOTTEN,
	TABLE_QUEUE					/* made when changes are captured first */
} ModelTable;

#define MODEL_TABLES	8

extern void tables_check_name(const Model *model);
extern void tables_create(Model *model, Oid schema);
extern void tables_add(Model *model, ModelTable table, const char *columns);
extern void tables_adapt(Model *model);
extern void tables_drop(Model *model);
extern void tables_remove(Model *model, ModelTable table);
extern Oid *tables_oid(Model *model, ModelTable table);
extern const char *tables_column(ModelTable table);
extern void tables_check(Relation rel, ModelTable table);
extern void tables_check_rows(Relation rel);

#endif
