/*-------------------------------------------------------------------------
 *
 * pending.h
 *	  Counters of this backend that are not yet in the store.
 *
 * Each backend owns one slot of a few records in shared memory.  It adds to
 * them under the slot's lock, which nobody else takes but a reader, for the
 * time of moving them into the store: so a statement's end costs no lock that
 * another backend's statements can hold, and readers see all finished work.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PENDING_H
#define PGV_PENDING_H

#include "postgres.h"

#include "store/store.h"

/* Records of a slot. */
#define PGV_PENDING_RECORDS 32

/* The kind whose deltas are collected, and the size of one delta. */
extern void pgv_pending_configure(const PgvKind *kind, Size delta_size);

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
extern void *pgv_pending_find(const void *key, uint8 *hint);

/*
 * A new record, all zero, for a key that pgv_pending_find did not find; moves
 * the oldest record to the store when the slot is full.  The slot must be
 * locked.
 */
extern void *pgv_pending_add(const void *key, uint8 *hint);

/* Move one record to the store at once: it has no room for what comes. */
extern void pgv_pending_spill(void *record);

/*
 * Move what every backend has pending into the store.  Locks one slot at a
 * time.  Readers call it first; raises nothing.
 */
extern void pgv_pending_collect(void);

/* Shared memory used, in bytes. */
extern Size pgv_pending_memory(void);

#endif							/* PGV_PENDING_H */
