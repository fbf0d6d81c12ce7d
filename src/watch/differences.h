/*-------------------------------------------------------------------------
 *
 * differences.h
 *	  What was active since one last looked: differences of the counters of
 *	  statements, exact whatever is evicted or reset meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_DIFFERENCES_H
#define PGV_DIFFERENCES_H

#include "postgres.h"

#include "collect/statements.h"
#include "watch/waited.h"

/* What is told of a statement for some time. */
typedef struct PgvWork
{
	int64		calls;
	int64		failures;
	int64		rows;
	double		plan_ms;
	double		exec_ms;
	int64		shared_hit;
	int64		shared_read;
	int64		temp_read;
	int64		temp_written;
	int64		bursts;			/* of N+1, likely or proven */
} PgvWork;

/*
 * Behind it stand what was waited, where there is something; the counts of its
 * histogram, not empty; the numbers of these buckets; and the PgvWaitedParts.
 */
typedef struct PgvActiveRow
{
	PgvStatementKey key;		/* all zero: what has no row of its own */
	uint64		queryid;
	PgvWork		sums;
	uint32		nbuckets;
	uint32		nparts;
	double		part[FLEXIBLE_ARRAY_MEMBER];
} PgvActiveRow;

/* What the counters were when one last looked; private to a process. */
typedef struct PgvDifferences PgvDifferences;

typedef struct PgvActiveRows
{
	int			n;
	PgvActiveRow **row;
	double		sampled_ms;		/* that the waits are of */
	/* activity that belongs to none of them, with a dense histogram */
	PgvWork		other;
	PgvWaited	other_waited;
	uint64		other_buckets[PGV_HISTOGRAM_BUCKETS];
} PgvActiveRows;

extern Size pgv_differences_shmem_size(void);
extern int	pgv_differences_locks(void);

/* The caller holds AddinShmemInitLock. */
extern void pgv_differences_shmem_init(void);

/*
 * A look at nothing: the first one to come only sees how things stand.  "reader"
 * is which of the tables of watch/waited is its own.
 */
extern PgvDifferences *pgv_differences_create(MemoryContext context, int reader);

/*
 * Keep resets away, from a look to where what it found is written to: a lock,
 * shared.  A tick that fails releases it with all others.
 */
extern void pgv_differences_hold(void);
extern void pgv_differences_release(void);

/*
 * What was active since the last look; NULL at the first, and at the one after
 * a look that failed.  All of it, once: the sum over the rows and "other" is what
 * the sum over the table of statements has grown, but that activity of what was
 * reset by itself is in "other", and what was before a reset of everything is
 * nowhere.  Between pgv_differences_hold and _release.  Allocates in the current
 * context; may run out of memory.  Takes locks of pending and store.
 */
extern PgvActiveRows *pgv_differences_take(PgvDifferences *d);

/* A row's size; that of the largest. */
extern Size pgv_active_row_size(const PgvActiveRow *row);
extern Size pgv_active_row_most(void);

/* Its histogram added to a dense one; what was waited, likewise. */
extern void pgv_active_row_spread(uint64 *buckets, const PgvActiveRow *row);
extern void pgv_active_row_spread_waited(PgvWaited *waited, const PgvActiveRow *row);

/* A row made of sums, waits (NULL: none) and a dense histogram. */
extern PgvActiveRow *pgv_active_row_make(const PgvStatementKey *key,
										 uint64 queryid,
										 const PgvWork *sums,
										 const PgvWaited *waited,
										 const uint64 *buckets);

/* Add (sign 1) or subtract (-1). */
extern void pgv_work_add(PgvWork *into, const PgvWork *from, int sign);

/*
 * A reset: between begin and end, which hold our lock, each statement's entry
 * that goes is to be told, once, unless everything goes.  These raise nothing.
 */
extern void pgv_differences_reset_begin(bool everything);
extern void pgv_differences_reset_entry(const PgvStatementEntry *entry);
extern void pgv_differences_reset_end(void);

#endif							/* PGV_DIFFERENCES_H */
