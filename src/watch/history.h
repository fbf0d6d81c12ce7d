/*-------------------------------------------------------------------------
 *
 * history.h
 *	  What the sampler saw of late: the load in buckets of time, and single
 *	  samples of sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_HISTORY_H
#define PGV_HISTORY_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define PGV_LOAD_CLASSES 17		/* of wait events, by number; 0: CPU */
#define PGV_LOAD_IDLE 16		/* idle in transaction, whatever the event */
#define PGV_BLOCKERS 4			/* of a waiting process that are remembered */

/* What sessions did in PGV_LOAD_US from "begin" on. */
typedef struct PgvLoadBucket
{
	TimestampTz begin;			/* 0: nothing yet */
	int64		passes;
	double		covered_ms;		/* that the passes stand for */
	double		ms[PGV_LOAD_CLASSES];	/* of all sessions together */
} PgvLoadBucket;

/* One session at one moment. */
typedef struct PgvActivity
{
	uint64		number;			/* of the row, from 1 on; ring */
	TimestampTz at;				/* 0: forgotten */
	TimestampTz since;			/* when the client's statement came; 0: no one knows */
	uint64		fingerprint;
	uint64		queryid;
	uint64		route;
	int			pid;
	int			leader_pid;		/* of a parallel worker; else 0 */
	Oid			dbid;
	Oid			userid;
	uint32		event;			/* the server's number, of this run */
	uint8		phase;			/* a PgvPhase */
	uint8		backend;		/* a BackendType */
	uint8		parallel:1;		/* a parallel worker */
	uint8		toplevel:1;		/* of the statement: the client's own */
	uint8		nblockers;		/* all of them; 0 if it was not asked */
	int			blockers[PGV_BLOCKERS]; /* pids; 0: a prepared transaction */
	char		application[NAMEDATALEN];
} PgvActivity;

extern Size pgv_history_shmem_size(void);
extern int	pgv_history_locks(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_history_shmem_init(void);

/* ----- the sampler's; the first raises out of memory ----- */

/* To be called once, before the others. */
extern void pgv_history_begin(void);

/* A pass begins, which stands for so many ms.  Publishes what is of before. */
extern void pgv_history_pass(TimestampTz now, double ms);

/* In it, a session was seen at this class of wait events. */
extern void pgv_history_load(int class, double ms);

/*
 * A sample for the ring; the next publish brings it there.  Returns where it
 * stands until then; NULL if there are too many.
 */
extern PgvActivity *pgv_history_note(void);

/* Those that are noted, in order; for their blockers to be filled in. */
extern PgvActivity *pgv_history_noted(int *n);

/* Bring all to shared memory.  Takes the lock. */
extern void pgv_history_publish(void);

/* What is not published is forgotten: the statistics were reset. */
extern void pgv_history_drop(void);

/* ----- readers'; take the lock, shared, for a few rows at a time ----- */

typedef void (*PgvLoadCallback) (const PgvLoadBucket *bucket, void *arg);
typedef void (*PgvActivityCallback) (const PgvActivity *row, void *arg);

/* Show everything, the oldest first.  Raises what the callback raises. */
extern void pgv_history_scan_load(PgvLoadCallback callback, void *arg);
extern void pgv_history_scan_activity(PgvActivityCallback callback, void *arg);

/* ----- reset ----- */

typedef bool (*PgvActivityMatch) (const PgvActivity *row, void *arg);

/* Forget the samples that match; and all the load. */
extern void pgv_history_remove(PgvActivityMatch match, void *arg);
extern void pgv_history_reset_load(void);

#endif							/* PGV_HISTORY_H */
