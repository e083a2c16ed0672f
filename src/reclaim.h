/*
 * reclaim.h
 *	  Making room where old versions of rows are.
 */
#ifndef INFLUENCE_RECLAIM_H
#define INFLUENCE_RECLAIM_H

extern void reclaim(Oid table);

#endif
