/*-------------------------------------------------------------------------
 *
 * batchwrite.h
 *	  The text of INSERT, UPDATE and DELETE changed to write many rows at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_BATCHWRITE_H
#define PGV_BATCHWRITE_H

#include "postgres.h"

#include "collect/batch.h"

/* What a derived INSERT is, apart from its text. */
typedef struct PgvBatchInsert
{
	char	   *sql;			/* NULL: it cannot be derived */
	char	   *copy;			/* the COPY that would do as well, or NULL */
	bool		on_conflict;
} PgvBatchInsert;

/* INSERT of one row of VALUES, as INSERT of a SELECT from arrays. */
extern void pgv_batch_insert(PgvBatchInsert *insert, const PgvComparisons *all,
							 Oid relid);

/* UPDATE by keys, with these and what is set from arrays; NULL: not derived. */
extern char *pgv_batch_update(const PgvComparisons *all, Oid relid);

/* DELETE by keys; NULL: it cannot be derived. */
extern char *pgv_batch_delete(const PgvComparisons *all, const PgvBatchKeys *keys);

#endif							/* PGV_BATCHWRITE_H */
