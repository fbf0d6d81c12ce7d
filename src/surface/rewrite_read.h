/*-------------------------------------------------------------------------
 *
 * rewrite_read.h
 *	  One SELECT for all values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_REWRITE_READ_H
#define PGV_REWRITE_READ_H

#include "surface/draft.h"

/* Draft each SELECT that does for all keys what the original does for one. */
extern void pgv_rewrite_read(PgvDraft *draft);

/* The one of them that any SELECT has. */
extern void pgv_rewrite_lateral(PgvDraft *draft);

/*
 * Does the statement return rows as they are and in one piece: no aggregates,
 * DISTINCT, window functions or set operations?
 */
extern bool pgv_is_plain_read(const Query *query);

/* Does it return one row at the most for one value of each key? */
extern bool pgv_is_one_row(const PgvDraft *draft);

extern int	pgv_count_outputs(const Query *query);

/*
 * The statement in brackets; if it has an ORDER BY, with a running number as
 * its last column, named "place" then, to be ordered by outside.
 */
extern char *pgv_in_order(const PgvDraft *draft, const PgvQueryShape *shape,
						  const char *sql, char **place);

#endif							/* PGV_REWRITE_READ_H */
