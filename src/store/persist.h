/*-------------------------------------------------------------------------
 *
 * persist.h
 *	  The statistics file: write it atomically, read what is sound of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PERSIST_H
#define PGV_PERSIST_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define PGV_PERSIST_FILE "pg_stat/pg_vitals.stat"

extern Size pgv_persist_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_persist_shmem_init(void);

/*
 * Write all kinds' entries and their texts to a temporary file and put it in
 * place of the old one.  What is pending must have been collected.  Returns
 * false, with a message in the log, if that failed: the old file stays.
 * Locks one partition, or one text, at a time and none while it writes.
 */
extern bool pgv_persist_write(void);

/*
 * Read the file, if there is one, into the empty store.  A file that is not
 * whole is left out as a whole; of a kind that has changed its form, nothing
 * is taken.  One line in the log tells.  For the postmaster's start.
 */
extern void pgv_persist_read(void);

/* When the file was last written in this server's life; 0: not yet. */
extern TimestampTz pgv_persist_last(void);

#endif							/* PGV_PERSIST_H */
