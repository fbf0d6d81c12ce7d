/*-------------------------------------------------------------------------
 *
 * recent.h
 *	  The last bursts by themselves, so that what came after a mark can be
 *	  told from what was before.
 *
 * The store has sums since the last reset.  Beside it a ring of records keeps
 * each burst's own part of them for as long as it lasts.  A sequence that
 * grows with the clock orders records and marks: whatever was reported after
 * a mark was taken is in records of a higher number.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_RECENT_H
#define PGV_RECENT_H

#include "postgres.h"

#include "store/store.h"

/* Where a burst's record is: kept by who reports it, all zero at first. */
typedef struct PgvRecent
{
	uint64		burst;			/* number of the burst's first record; 0: none */
	uint64		number;			/* of the present one */
	uint32		place;
} PgvRecent;

/* The kind whose deltas are recorded. */
extern void pgv_recent_configure(const PgvKind *kind);

extern Size pgv_recent_shmem_size(void);
extern int	pgv_recent_locks(void);

/* The caller holds AddinShmemInitLock. */
extern void pgv_recent_shmem_init(void);

/*
 * Add a delta to the record of its burst.  A new record is made for a new
 * burst, for one whose record is gone, and for one that goes on after a mark.
 * References to texts are not counted here: the ids are kept for what they are
 * worth.  Takes a lock of this unit; the caller may hold any but these.
 * Raises nothing.
 */
extern void pgv_recent_add(PgvRecent *recent, const void *key,
						   const void *delta);

/*
 * Take a mark: a number above those of all records that exist, and below
 * those of whatever is reported when this has returned.  It is not below any
 * mark taken before, by this server or, as far as its clock is right, by an
 * earlier one.  Takes no lock.
 */
extern uint64 pgv_recent_mark(void);

/* The highest mark that can have been taken by now. */
extern uint64 pgv_recent_latest(void);

/*
 * Called for a private copy of each record, with no lock held; "burst" is
 * where the burst began, before the mark or after it.
 */
typedef void (*PgvRecentCallback) (uint64 burst, const void *key,
								   const void *entry, void *arg);

/*
 * Show every record made after a mark, in no order.  Returns whether that is
 * all there was: false if records made after the mark were overwritten, or if
 * the server was started after it.  Raises what the callback raises, and out
 * of memory.
 */
extern bool pgv_recent_scan(uint64 mark, PgvRecentCallback callback, void *arg);

/* Forget what matches.  The callback is called with a lock held. */
extern void pgv_recent_remove(PgvMatchCallback match, void *arg);

#endif							/* PGV_RECENT_H */
