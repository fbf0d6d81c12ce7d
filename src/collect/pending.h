/*-------------------------------------------------------------------------
 *
 * pending.h
 *	  Counters of this backend that are not yet in the store.
 *
 * Each backend owns one slot in shared memory, with a few records of each of
 * the kinds that are counted at a statement's end.  It adds to them under the
 * slot's lock, which nobody else takes but a reader, for the time of moving
 * them into the store: so a statement's end costs no lock that another
 * backend's statements can hold, and readers see all finished work.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PENDING_H
#define PGV_PENDING_H

#include "postgres.h"

#include "store/store.h"

#define PGV_PENDING_MAX_RECORDS 255 /* of one kind: hints are bytes */

/*
 * The part of every slot that holds the records of one kind.  The unit that
 * owns the kind defines it, with the first three fields set.
 */
typedef struct PgvPendingPart
{
	const PgvKind *kind;
	Size		delta_size;
	uint32		records;
	/* set by pgv_pending_also */
	const PgvKind *also;
	/* private to pending.c */
	Size		key_size;
	Size		offset;			/* in a slot */
	Size		start;			/* of the records, in the part */
	Size		key_room;
	Size		record_size;
	struct PgvSharedPart *mine; /* this backend's, once the slot was locked */
} PgvPendingPart;

/*
 * The records of a part are of a second kind, too: their key is that one's, of
 * which the first kind's key is the beginning, and what is moved to the store
 * is merged into both.  Records whose key ends with 0 are of the first alone.
 * To be called before pgv_pending_configure.
 */
extern void pgv_pending_also(PgvPendingPart *part, const PgvKind *also);

/* The parts of a slot: to be called once per process, from _PG_init. */
extern void pgv_pending_configure(PgvPendingPart *const *parts, int n);

extern Size pgv_pending_shmem_size(void);
extern int	pgv_pending_locks(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_pending_shmem_init(void);

/*
 * Lock this backend's slot.  Until pgv_pending_unlock nothing may raise an
 * error and no lock of texts may be held.
 */
extern void pgv_pending_lock(void);
extern void pgv_pending_unlock(void);

/*
 * The record of a key, or NULL.  The hint is the caller's memory of where it
 * was last; it is kept up to date.  The slot must be locked.
 */
extern void *pgv_pending_find(const PgvPendingPart *part, const void *key,
							  uint8 *hint);

/*
 * A new record, all zero, for a key that pgv_pending_find did not find; moves
 * the oldest record to the store when the part is full.  The slot must be
 * locked.
 */
extern void *pgv_pending_add(const PgvPendingPart *part, const void *key,
							 uint8 *hint);

/*
 * Move one record to the store at once, for it has no room for what comes, and
 * zero it.  The slot must be locked.
 */
extern void pgv_pending_spill(const PgvPendingPart *part, void *delta);

/*
 * Move what every backend has pending into the store.  Locks one slot at a
 * time.  Readers call it first; raises nothing.
 */
extern void pgv_pending_collect(void);

/* Shared memory used, in bytes. */
extern Size pgv_pending_memory(void);

#endif							/* PGV_PENDING_H */
