/*-------------------------------------------------------------------------
 *
 * trail.c
 *	  What the sampler has seen of the client's statement that a backend is
 *	  executing, for the backend itself.
 *
 * A place in shared memory for each possible process, in the order of the
 * server's own PGPROCs.  Only the worker writes to it; its backend reads it, at
 * the end of a statement that has taken long.  No lock: "changes" is odd while
 * the worker writes, and a copy counts if it was the same even number before
 * and after, as with collect/now, where the roles are the other way round.
 *
 * A backend's slot of collect/now tells which of its statements a sample is of:
 * the time when its client's last statement ended stays as it is while the next
 * one runs, whatever runs inside it, and so does the time when its message came,
 * which tells a statement behind a failed one, that left no end.  So nothing has
 * to be written for it when a statement begins: the worker begins anew with the
 * first sample that is of another.
 *
 * What runs inside the client's statement is told by the changes of that slot: they
 * go on whenever a statement is entered or left, so as long as they stay as they are, it
 * is one execution.  What is seen of the innermost one is added up by itself, too,
 * and begins anew when another is.  An execution in which others were has had several
 * such stretches, of which only the last is there: its backend knows that, and says
 * nothing.
 *
 * Of each statement so many events are told apart as there is room for; the
 * rest is added up.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/atomics.h"
#include "storage/shmem.h"

#include "base/settings.h"
#include "collect/now.h"
#include "collect/trail.h"

#define PGV_TRAIL_TRIES 100		/* to read what is being written */

typedef struct PgvSharedTrail
{
	uint32		changes;		/* odd while it is being written */
	int			pid;			/* of whom it tells; 0: of nobody yet */
	PgvTrailKey statement;
	PgvTrail	trail;
	uint32		run;			/* changes of the slot: which execution, nested or not */
	PgvTrail	innermost;		/* of it alone */
} PgvSharedTrail;

static PgvSharedTrail *trails = NULL;

Size
pgv_trail_shmem_size(void)
{
	return mul_size(pgv_now_slots(), sizeof(PgvSharedTrail));
}

void
pgv_trail_shmem_init(void)
{
	bool		found;

	trails = ShmemInitStruct("pg_vitals trails", pgv_trail_shmem_size(), &found);
	if (!found)
		memset(trails, 0, pgv_trail_shmem_size());
}

static inline bool
same_statement(const PgvTrailKey *a, const PgvTrailKey *b)
{
	return a->ended == b->ended && a->since == b->since;
}

/* Where samples of an event are counted. */
static PgvSeen *
seen_at(PgvTrail *trail, uint32 event)
{
	for (uint32 i = 0; i < trail->n; i++)
	{
		if (trail->seen[i].event == event)
			return &trail->seen[i];
	}
	if (trail->n == PGV_TRAIL_EVENTS)
		return &trail->others;
	trail->seen[trail->n].event = event;
	return &trail->seen[trail->n++];
}

static void
add_seen(PgvSeen *into, uint32 samples, double ms)
{
	into->samples += samples;
	into->ms += ms;
}

static inline void
change(PgvSharedTrail *place)
{
	pg_write_barrier();
	(*(volatile uint32 *) &place->changes)++;
	pg_write_barrier();
}

void
pgv_trail_note(int procno, int pid, const PgvTrailKey *statement,
			   uint32 run, uint32 event, double ms)
{
	PgvSharedTrail *place = &trails[procno];

	/* a worker may have ended while it was writing */
	if (place->changes % 2 != 0)
		place->changes++;
	change(place);
	if (place->pid != pid || !same_statement(&place->statement, statement))
	{
		memset(&place->trail, 0, sizeof(place->trail));
		memset(&place->innermost, 0, sizeof(place->innermost));
		place->pid = pid;
		place->statement = *statement;
	}
	if (place->run != run)
	{
		memset(&place->innermost, 0, sizeof(place->innermost));
		place->run = run;
	}
	add_seen(seen_at(&place->trail, event), 1, ms);
	add_seen(seen_at(&place->innermost, event), 1, ms);
	change(place);
}

/* A copy that the worker did not write to meanwhile. */
static bool
read_place(const PgvSharedTrail *place, PgvSharedTrail *copy)
{
	for (int tries = 0; tries < PGV_TRAIL_TRIES; tries++)
	{
		uint32		before = *(const volatile uint32 *) &place->changes;

		pg_read_barrier();
		memcpy(copy, place, sizeof(*copy));
		pg_read_barrier();
		if (before % 2 == 0 && *(const volatile uint32 *) &place->changes == before)
			return true;
	}
	return false;
}

static void
add_trail(PgvTrail *into, const PgvTrail *trail)
{
	for (uint32 i = 0; i < trail->n; i++)
	{
		const PgvSeen *seen = &trail->seen[i];

		add_seen(seen_at(into, seen->event), seen->samples, seen->ms);
	}
	add_seen(&into->others, trail->others.samples, trail->others.ms);
}

/* Which statement of the client is at hand?  False: it is not looked at. */
static bool
statement_at_hand(PgvTrailKey *statement)
{
	if (pgv_sample_interval_ms == 0 || pgv_now_slot == NULL || trails == NULL)
		return false;
	statement->ended = pgv_now_slot->ended;
	statement->since = pgv_now_slot->now.since;
	return true;
}

static bool
read_own(PgvSharedTrail *copy, const PgvTrailKey *statement)
{
	return read_place(&trails[PGV_PROCNO()], copy) && copy->pid == MyProcPid &&
		same_statement(&copy->statement, statement);
}

bool
pgv_trail_gather(PgvTrail *into, PgvTrailKey *last)
{
	PgvSharedTrail copy;
	PgvTrailKey now;

	if (!statement_at_hand(&now))
		return false;
	if (same_statement(&now, last))
		return true;
	if (read_own(&copy, &now))
		add_trail(into, &copy.trail);
	*last = now;
	return true;
}

bool
pgv_trail_gather_nested(PgvTrail *into, uint32 *last, uint64 fingerprint, bool left)
{
	PgvSharedTrail copy;
	PgvTrailKey statement;
	uint32		run;

	if (!statement_at_hand(&statement) ||
		(left ? !pgv_now_slot->left_alone :
		 pgv_now_slot->now.resumed || pgv_now_slot->now.fingerprint != fingerprint))
		return false;
	/* to leave it was one change, which is counted twice */
	run = pgv_now_slot->changes - (left ? 2 : 0);
	if (run != *last && read_own(&copy, &statement) && copy.run == run)
		add_trail(into, &copy.innermost);
	*last = run;
	return true;
}
