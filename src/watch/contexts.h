/*-------------------------------------------------------------------------
 *
 * contexts.h
 *	  The memory contexts of another process, on demand.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_CONTEXTS_H
#define PGV_CONTEXTS_H

#include "postgres.h"

#define PGV_CONTEXT_NAMES 64	/* at the most; what is beyond is one more */

/* All contexts of one name. */
typedef struct PgvContextSum
{
	char		name[NAMEDATALEN];
	int64		contexts;
	int64		total_bytes;
	int64		free_bytes;
} PgvContextSum;

extern Size pgv_contexts_shmem_size(void);
extern int	pgv_contexts_locks(void);

/* The caller holds AddinShmemInitLock. */
extern void pgv_contexts_shmem_init(void);

/*
 * Ask a process for its contexts, and wait for the answer; returns how many sums
 * it has, in an array of PGV_CONTEXT_NAMES + 1.  Raises an error if there is no
 * such process, or it does not answer within some seconds.
 */
extern int	pgv_contexts_ask(int pid, PgvContextSum *sums);

/*
 * A message is about to be logged.  If it is the server's answer to a signal that
 * was sent for our sake, write the answer where it is waited for, and keep the
 * message out of the log.  Raises nothing.
 */
extern void pgv_contexts_at_log(ErrorData *edata);

#endif							/* PGV_CONTEXTS_H */
