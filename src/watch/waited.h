/*-------------------------------------------------------------------------
 *
 * waited.h
 *	  What statements were seen waiting for since the last window, by the classes
 *	  of wait events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_WAITED_H
#define PGV_WAITED_H

#include "postgres.h"

#include "collect/now.h"
#include "collect/statements.h"

/* Windows of how many lengths there are: each is told by itself. */
#define PGV_WAITED_READERS 2

/* Sums, in ms but for the last. */
typedef enum PgvWaitedPart
{
	PGV_WAITED_CPU,				/* it did not wait */
	PGV_WAITED_LOCK,
	PGV_WAITED_LWLOCK,
	PGV_WAITED_IO,
	PGV_WAITED_IPC,
	PGV_WAITED_CLIENT,
	PGV_WAITED_TIMEOUT,
	PGV_WAITED_OTHER,			/* BufferPin (Buffer from 19 on), Extension, Activity and what is to come */
	PGV_WAITED_IDLE,			/* idle in transaction, whatever the event */
	PGV_WAITED_SQUARES,			/* of what each sample of a wait stands for */
	PGV_WAITED_PARTS
} PgvWaitedPart;

typedef struct PgvWaited
{
	double		part[PGV_WAITED_PARTS];
} PgvWaited;

typedef struct PgvWaitedStatement
{
	PgvStatementKey key;
	uint64		queryid;
	bool		used;			/* is there something in this place? */
	bool		told;			/* for who has taken it; false */
	PgvWaited	waited;
} PgvWaitedStatement;

/* What has been taken: all there was since the last time. */
typedef struct PgvWaitedTable
{
	double		sampled_ms;		/* that was looked at; 0: sampling is off */
	PgvWaited	other;			/* of no statement, or of those without a place */
	uint32		n;				/* places in use */
	PgvWaitedStatement statement[FLEXIBLE_ARRAY_MEMBER];	/* hashed */
} PgvWaitedTable;

extern Size pgv_waited_shmem_size(void);
extern int	pgv_waited_locks(void);

/* The caller holds AddinShmemInitLock. */
extern void pgv_waited_shmem_init(void);

/* ----- the sampler's; each adds under a lock ----- */

extern void pgv_waited_looked(double ms);

/*
 * A statement (fingerprint 0: none) was seen in a phase at a wait event, for so
 * many ms.  Of processes that execute no statements nothing is kept.  Raises
 * nothing.
 */
extern void pgv_waited_add(const PgvStatementKey *key, uint64 queryid,
						   PgvPhase phase, uint32 event, double ms, double squares);

/* ----- the windows' ----- */

/*
 * Take what there is for windows of one length; it begins anew.  Allocates in the
 * current context; may run out of memory.  NULL: nothing is kept.
 */
extern PgvWaitedTable *pgv_waited_take(int reader);

/* A statement's, in what was taken; NULL: there is nothing. */
extern PgvWaitedStatement *pgv_waited_find(PgvWaitedTable *table, const PgvStatementKey *key);

/* The next from *place on, 0 at first; NULL: there is no more. */
extern PgvWaitedStatement *pgv_waited_next(PgvWaitedTable *table, uint32 *place);

extern void pgv_waited_sum(PgvWaited *into, const PgvWaited *from);

/* Without CPU and idle time. */
extern double pgv_waited_total(const PgvWaited *waited);

/* ----- a reset ----- */

/* Does what was seen of this statement go? */
typedef bool (*PgvWaitedMatch) (const PgvWaitedStatement *statement, void *arg);

/*
 * What matches is told as of no statement; with NULL all is forgotten.  Raises
 * nothing.
 */
extern void pgv_waited_forget(PgvWaitedMatch match, void *arg);

#endif							/* PGV_WAITED_H */
