/*-------------------------------------------------------------------------
 *
 * rewrite_write.h
 *	  One INSERT, UPDATE or DELETE for all values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_REWRITE_WRITE_H
#define PGV_REWRITE_WRITE_H

#include "surface/draft.h"

/*
 * Why a writing statement cannot be drafted, whatever its keys; NULL: it can.
 * queries are what rewriting makes of it.
 */
extern char *pgv_write_obstacle(const Query *query, List *queries);

/* The parameters that are written: assigned by UPDATE, or in INSERT's VALUES. */
extern Bitmapset *pgv_written_params(const PgvQueryShape *shape);

/* Draft each statement that does for all keys what the original does for one. */
extern void pgv_rewrite_write(PgvDraft *draft);

/* Draft COPY alone, for an INSERT that has values which unnest() cannot have. */
extern void pgv_rewrite_copy(PgvDraft *draft);

#endif							/* PGV_REWRITE_WRITE_H */
