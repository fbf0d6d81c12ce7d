/*-------------------------------------------------------------------------
 *
 * overhead.h
 *	  How long our own code takes, measured at a share of the statements.
 *
 * Of every PGV_OVERHEAD_SHARE statements that a client sends in a session one
 * is timed.  While it is, a watch runs in our hooks and stands in what they
 * call, so that what is summed is ours alone.  For all others each hook looks
 * at one flag.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_OVERHEAD_H
#define PGV_OVERHEAD_H

#include "postgres.h"

#define PGV_OVERHEAD_SHARE 128

typedef struct PgvOverheadStats
{
	uint64		sampled;		/* statements that were timed */
	double		ms;				/* estimate for all statements */
} PgvOverheadStats;

/* Is the client's present statement timed?  Does the watch run? */
extern bool pgv_overhead_timing;
extern bool pgv_overhead_running;

/* Private to the inline function below. */
extern uint32 pgv_overhead_countdown;
extern void pgv_overhead_turn(void);

extern Size pgv_overhead_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_overhead_shmem_init(void);

/*
 * A statement of the client begins: the last one is timed no longer.  If this
 * one is, the watch runs on return.  None of these functions raises anything.
 */
static inline void
pgv_overhead_arrival(void)
{
	if (unlikely(--pgv_overhead_countdown == 0))
		pgv_overhead_turn();
}

/* Start the watch, unless it runs. */
extern void pgv_overhead_start(void);

/* Stop it, if it runs, and add what it shows to the sum. */
extern void pgv_overhead_stop(void);

/* An error has left the code that was being timed. */
static inline void
pgv_overhead_drop(void)
{
	pgv_overhead_running = false;
}

/* Since the server started, or since the last pgv_overhead_reset. */
extern void pgv_overhead_stats(PgvOverheadStats *stats);
extern void pgv_overhead_reset(void);

#endif							/* PGV_OVERHEAD_H */
