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
 * place of the old one.  What is pending must have been collected, which began
 * at the given time.  Returns false if that failed: the old file stays; the
 * first failure in a row is logged.  Locks one partition, or one text, at a time and none while it
 * writes.  Raises out of memory.
 */
extern bool pgv_persist_write(TimestampTz collected);

/* The part of it that fills an open file.  Returns 0, or an errno. */
extern int	pgv_persist_put(FILE *file);

/*
 * Read the file, if there is one, into the empty store: what is sound of it.
 * What is not, one line in the log tells.  For the postmaster's start, before
 * there is any other process.  Raises nothing: a server starts, whatever the
 * file is.
 */
extern void pgv_persist_read(void);

/* What became of a file. */
typedef struct PgvRestored
{
	bool		is_ours;		/* is it a statistics file that can be read? */
	bool		cut_short;		/* is its end missing? */
	uint64		entries;		/* taken */
	uint64		lost;			/* records that are missing, damaged or no use */
	uint64		left_out;		/* entries in a form that is not known here */
	uint64		skipped;		/* bytes that belong to no sound record */
} PgvRestored;

/*
 * The part of it that takes the bytes of a file, whatever they are.  Raises
 * out of memory.
 */
extern void pgv_persist_restore(const char *data, Size len, PgvRestored *done);

/*
 * What was counted by this time is in the file last written in this server's
 * life; 0: none was.
 */
extern TimestampTz pgv_persist_last(void);

#endif							/* PGV_PERSIST_H */
