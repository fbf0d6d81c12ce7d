/*-------------------------------------------------------------------------
 *
 * now.h
 *	  What each backend is doing now, for the sampler in the worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_NOW_H
#define PGV_NOW_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "utils/backend_status.h"

#include "base/settings.h"
#include "collect/identity.h"

/* Stored in the statistics file: the numbers stay. */
typedef enum PgvPhase
{
	PGV_PHASE_OTHER,			/* no statement, or what is around one */
	PGV_PHASE_PLANNING,
	PGV_PHASE_EXECUTING,
	PGV_PHASE_COMMITTING,
	PGV_PHASE_IDLE,				/* done; the transaction goes on, maybe */
	PGV_PHASE_BACKGROUND,		/* a process that executes no statements */
	PGV_NPHASES
} PgvPhase;

/* The statement at hand, or the last one. */
typedef struct PgvNow
{
	uint64		fingerprint;	/* 0: none */
	uint64		queryid;
	uint64		route;			/* of the client's statement; 0: none */
	TimestampTz since;			/* when the client's statement came */
	Oid			userid;
	uint8		phase;			/* a PgvPhase */
	bool		toplevel;
	bool		resumed;		/* another has been in its place meanwhile */
} PgvNow;

/* One line of the cache for each backend; it alone writes to it. */
typedef struct PgvNowSlot
{
	uint32		changes;		/* odd while it is being written */
	int			pid;			/* whose it is; 0: nobody's yet */
	Oid			dbid;
	bool		left_alone;		/* what a nested one was when it was left: not resumed */
	TimestampTz ended;			/* the client's last statement */
	PgvNow		now;
} PgvNowSlot;

/* What a statement displaces; on the C stack. */
typedef struct PgvNowOuter
{
	bool		entered;
	bool		nested;
	PgvNow		now;			/* if nested */
} PgvNowOuter;

/* This backend's, once it was asked for. */
extern PgvNowSlot *pgv_now_slot;

extern Size pgv_now_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_now_shmem_init(void);

/* ----- what the owner writes; raises nothing, takes no lock ----- */

extern PgvNowSlot *pgv_now_claim(void);

static inline void
pgv_now_begin_change(PgvNowSlot *slot)
{
	(*(volatile uint32 *) &slot->changes)++;
	pg_write_barrier();
}

static inline void
pgv_now_end_change(PgvNowSlot *slot)
{
	pg_write_barrier();
	(*(volatile uint32 *) &slot->changes)++;
}

/*
 * A statement that is counted enters a phase.  nested: something else goes on
 * afterwards; else it stays the last one until the next.
 */
static inline void
pgv_now_enter(PgvNowOuter *outer, const PgvStatementRef *ref, PgvPhase phase,
			  TimestampTz since, bool nested)
{
	PgvNowSlot *slot = pgv_now_slot;

	outer->entered = false;
	if (pgv_sample_interval_ms == 0)
		return;
	if (unlikely(slot == NULL))
	{
		slot = pgv_now_claim();
		if (slot == NULL)
			return;
	}
	outer->entered = true;
	outer->nested = nested;
	if (nested)
		outer->now = slot->now;
	pgv_now_begin_change(slot);
	slot->now.fingerprint = ref->fingerprint;
	slot->now.queryid = ref->queryid;
	/* nested statements have no route of their own */
	if (ref->route != 0 || !nested)
		slot->now.route = ref->route;
	slot->now.since = since;
	slot->now.userid = ref->userid;
	slot->now.phase = phase;
	slot->now.toplevel = ref->toplevel;
	slot->now.resumed = false;
	pgv_now_end_change(slot);
}

/* It leaves it, well or by an error. */
static inline void
pgv_now_leave(const PgvNowOuter *outer)
{
	PgvNowSlot *slot = pgv_now_slot;

	if (!outer->entered)
		return;
	/* one byte: there is nothing that it could disagree with */
	if (likely(!outer->nested))
	{
		slot->now.phase = PGV_PHASE_IDLE;
		return;
	}
	slot->left_alone = !slot->now.resumed;
	pgv_now_begin_change(slot);
	slot->now = outer->now;
	slot->now.resumed = true;
	pgv_now_end_change(slot);
}

/* The client's statement has ended at this time. */
static inline void
pgv_now_ended(TimestampTz at)
{
	if (likely(pgv_now_slot != NULL))
		pgv_now_slot->ended = at;
}

/*
 * A transaction commits, or prepares to: the statement executed last is what
 * takes the time.  It has, or is rolled back instead.
 */
extern void pgv_now_commit(void);
extern void pgv_now_committed(void);
extern void pgv_now_aborted(void);

/* ----- what the worker reads ----- */

extern int	pgv_now_slots(void);

/*
 * Copy a backend's slot.  Returns false if it is not this process's, or if its
 * owner keeps writing.
 */
extern bool pgv_now_read(int slot, int pid, PgvNowSlot *copy);

/*
 * The slot of the leader of this parallel worker.  Returns false if it cannot be
 * read, or does not tell of a statement being executed: what is not counted leaves
 * the last one there.
 */
extern bool pgv_now_leader(PgvNowSlot *copy);

/*
 * The server's own array of what backends do, as PGV_STATUS_OF wants it; NULL
 * until a first backend has told where it is.
 */
extern PgBackendStatus *pgv_now_statuses(void);

#endif							/* PGV_NOW_H */
