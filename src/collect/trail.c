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
pgv_trail_note(int procno, int pid, const PgvTrailKey *statement, uint32 event, double ms)
{
	PgvSharedTrail *place = &trails[procno];

	/* a worker may have ended while it was writing */
	if (place->changes % 2 != 0)
		place->changes++;
	change(place);
	if (place->pid != pid || !same_statement(&place->statement, statement))
	{
		memset(&place->trail, 0, sizeof(place->trail));
		place->pid = pid;
		place->statement = *statement;
	}
	add_seen(seen_at(&place->trail, event), 1, ms);
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

bool
pgv_trail_gather(PgvTrail *into, PgvTrailKey *last)
{
	PgvSharedTrail copy;
	PgvTrailKey now;

	if (pgv_sample_interval_ms == 0 || pgv_now_slot == NULL || trails == NULL)
		return false;
	now.ended = pgv_now_slot->ended;
	now.since = pgv_now_slot->now.since;
	if (same_statement(&now, last) || !read_place(&trails[PGV_PROCNO()], &copy))
		return true;
	*last = now;
	if (copy.pid != MyProcPid || !same_statement(&copy.statement, &now))
		return true;
	for (uint32 i = 0; i < copy.trail.n; i++)
	{
		const PgvSeen *seen = &copy.trail.seen[i];

		add_seen(seen_at(into, seen->event), seen->samples, seen->ms);
	}
	add_seen(&into->others, copy.trail.others.samples, copy.trail.others.ms);
	return true;
}
