/*-------------------------------------------------------------------------
 *
 * batch.h
 *	  The text of a SELECT changed to read for many values at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_BATCH_H
#define PGV_BATCH_H

#include "postgres.h"

#include "collect/comparisons.h"
#include "collect/links.h"

/* What a statement gives for each value. */
typedef enum PgvReadKind
{
	PGV_READ_ROWS,				/* rows as they are */
	PGV_READ_COUNT,				/* one row of aggregates */
	PGV_READ_EXISTS,			/* whether there are any */
	PGV_READ_OTHER				/* rows that the others of that value decide on */
} PgvReadKind;

extern PgvReadKind pgv_read_kind(const PgvComparisons *all);

/* Comparisons whose values all come from arrays. */
typedef struct PgvBatchKeys
{
	int			n;
	const PgvComparison *key[PGV_MAX_COMPARISONS];
} PgvBatchKeys;

/*
 * The comparisons whose values change from repeat to repeat: the link's alone,
 * or all that there are.  False: they cannot be told.
 */
extern bool pgv_batch_keys(PgvBatchKeys *keys, PgvComparisons *all,
						   const PgvLinkColumns *link, bool alone);

/*
 * Changes that make the condition "column = ANY($1)", or "(a, b) IN (SELECT
 * * FROM unnest($1, $2))".  False: the statement would not mean the same.
 */
extern bool pgv_batch_match(PgvEdits *edits, const PgvComparisons *all,
							const PgvBatchKeys *keys);

/* The text with the changes, its parameters numbered without gaps. */
extern char *pgv_batch_apply(const PgvEdits *edits, const PgvComparisons *all);

/*
 * The statement for all values of the keys; NULL: it cannot be derived.  kind
 * is its kind, a LIMIT that does nothing left out.
 */
extern char *pgv_batch_read(const PgvComparisons *all, const PgvBatchKeys *keys,
							PgvReadKind *kind);

/*
 * The statement that goes on from each row's link->parent_... by itself; NULL:
 * it cannot be derived.
 */
extern char *pgv_batch_walk(PgvComparisons *all, const PgvLinkColumns *link);

#endif							/* PGV_BATCH_H */
