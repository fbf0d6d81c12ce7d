/*-------------------------------------------------------------------------
 *
 * look.h
 *	  What is a process doing at this moment?
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_LOOK_H
#define PGV_LOOK_H

#include "compat.h"

#include "storage/lock.h"

#include "collect/now.h"

#define PGV_CLASS_LOCK 0x03		/* of wait events: the lock manager's locks */

/* What a process says of itself. */
typedef struct PgvStatus
{
	BackendType type;
	BackendState state;
	TimestampTz activity_start; /* of the client's message at hand */
	TimestampTz xact_start;		/* 0: not in a transaction */
	char		application[NAMEDATALEN];
} PgvStatus;

/* One process at one moment. */
typedef struct PgvSample
{
	PGPROC	   *proc;
	int			procno;
	int			pid;
	uint32		event;
	PgvStatus	status;
	PgvNowSlot	slot;			/* its own, or its leader's, ... */
	bool		has_slot;		/* ... if there is one */
	int			slot_procno;	/* of whom it is */
	bool		parallel;
	PgvPhase	phase;
	bool		has_statement;	/* is it at what the slot names? */
	uint64		by_text;		/* else: the fingerprint that its text has; 0: not asked */
} PgvSample;

/*
 * Fill in a sample of a process, whose first three fields are set.  Returns
 * false if there is nothing to be charged: it is idle, or waits for work; what
 * could be read is filled in all the same.  Takes no lock, raises nothing.
 */
extern bool pgv_look_at(PgvSample *sample);

/*
 * A session that waits for a lock to have its statement analysed, or its cached
 * plan looked at, has met no hook yet, and one of a crowd was left unknown by it:
 * if the sample is of such a one, take the fingerprint from the text that
 * pg_stat_activity shows.  Not if that is cut off, of several statements, or has
 * backslashes, which may be read in two ways.
 * Allocates; raises out of memory.
 */
extern void pgv_look_at_text(PgvSample *sample);

/*
 * The normal form of the client's message, in the encoding of its database, if
 * it is the statement with this fingerprint: for one that nobody has executed
 * to its end before, whose text is not kept yet.  NULL if it is another, as one
 * in a function is, or as above.  Palloc'd; raises out of memory.
 */
extern char *pgv_look_text(const PgvSample *sample, uint64 fingerprint, int *len);

/* The statement it is at, one way or the other; 0: none. */
static inline uint64
pgv_look_fingerprint(const PgvSample *sample)
{
	return sample->has_statement && sample->slot.now.fingerprint != 0 ?
		sample->slot.now.fingerprint : sample->by_text;
}

/* The role that it belongs to; background processes are nobody's. */
extern Oid	pgv_look_role(const PgvSample *sample);

/*
 * The next process from *procno on, for a sample of it; false if there is
 * none.
 */
extern bool pgv_look_next(PgvSample *sample, int *procno);

/*
 * The row that a process waits for while it waits for somebody's transaction: it holds
 * the lock of the row's place meanwhile.  Of these locks, which are those of
 * GetLockStatusData(); NULL if there is none.
 */
extern const LOCKTAG *pgv_look_row(const LockData *locks, int pid);

#endif							/* PGV_LOOK_H */
