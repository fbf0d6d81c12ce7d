/*-------------------------------------------------------------------------
 *
 * brake.h
 *	  Where pg_vitals takes more of a session than it may, the detector
 *	  watches a share of the statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_BRAKE_H
#define PGV_BRAKE_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/settings.h"

typedef struct PgvBrakeStats
{
	uint64		unwatched;		/* statements that were passed by */
	TimestampTz last;			/* when a brake was last applied; 0: never */
} PgvBrakeStats;

/* Are the client's statements passed by at present?  Set by pgv_brake_turn. */
extern bool pgv_brake_passing;

/* Does the detector look at what this session does? */
static inline bool
pgv_detects(void)
{
	return pgv_n_plus_one && !pgv_brake_passing;
}

extern Size pgv_brake_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_brake_shmem_init(void);

/*
 * To be called after every so many ("statements") of a client's statements,
 * with what our own code took for them and a reading of the monotonic clock,
 * both in ns.  Returns true when watching begins or ends: what the detector has
 * going on is then to be forgotten.  Raises nothing, takes no lock.
 */
extern bool pgv_brake_turn(int statements, int64 own_ns, int64 now_ns);

/* Since the server started, or since the last pgv_brake_reset. */
extern void pgv_brake_stats(PgvBrakeStats *stats);
extern void pgv_brake_reset(void);

#endif							/* PGV_BRAKE_H */
