/*-------------------------------------------------------------------------
 *
 * plantree.h
 *	  A plan's JSON in the words of EXPLAIN's text form.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PLANTREE_H
#define PGV_PLANTREE_H

#include "postgres.h"

#include "base/planjson.h"

/*
 * The text form of EXPLAIN (FORMAT JSON); NULL if it is not of that form.
 * Allocated in the current memory context.
 */
extern char *pgv_plantree_text(const PgvJson *json);

#endif							/* PGV_PLANTREE_H */
