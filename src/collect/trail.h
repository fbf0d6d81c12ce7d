/*-------------------------------------------------------------------------
 *
 * trail.h
 *	  What the sampler has seen of the client's statement that a backend is
 *	  executing, for the backend itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_TRAIL_H
#define PGV_TRAIL_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define PGV_TRAIL_EVENTS 8		/* of one statement that are told apart */

/* Seen at one wait event (the server's number, of this run; 0: CPU). */
typedef struct PgvSeen
{
	uint32		event;
	uint32		samples;
	double		ms;				/* that they stand for */
} PgvSeen;

typedef struct PgvTrail
{
	uint32		n;
	PgvSeen		seen[PGV_TRAIL_EVENTS];
	PgvSeen		others;			/* at further events */
} PgvTrail;

/* Which of a backend's statements: two in sequence differ in one of these. */
typedef struct PgvTrailKey
{
	TimestampTz ended;			/* of the one before */
	TimestampTz since;			/* when its message came */
} PgvTrailKey;

extern Size pgv_trail_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_trail_shmem_init(void);

/*
 * The worker's: process "pid", whose place is "procno", or one that works for it
 * in parallel, was seen at an event, for so many ms, while it executed this
 * statement; run: the changes of its slot of collect/now, which stay as they are
 * while it executes the same one, nested or not.  Takes no lock, raises nothing.
 */
extern void pgv_trail_note(int procno, int pid, const PgvTrailKey *statement,
						   uint32 run, uint32 event, double ms);

/*
 * The backend's own: add to "into" what was seen of the client's statement at
 * hand, unless that has been added already: "last" says what was, and is zero at
 * first.  Returns false if it is not looked at (pg_vitals.sample_interval).
 * Takes no lock, raises nothing.
 */
extern bool pgv_trail_gather(PgvTrail *into, PgvTrailKey *last);

/*
 * Likewise of the nested statement that runs (left: that has just been left), from
 * its beginning, or where it was gone on with.  "last" is 1 at first.  Returns
 * false if it is not looked at, or another that is counted has been executed in it,
 * or is still, whose samples are not its own.
 */
extern bool pgv_trail_gather_nested(PgvTrail *into, uint32 *last,
									uint64 fingerprint, bool left);

#endif							/* PGV_TRAIL_H */
