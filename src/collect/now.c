/*-------------------------------------------------------------------------
 *
 * now.c
 *	  What each backend is doing now, for the sampler in the worker.
 *
 *	 header                     slot of process 0        slot of process 1
 *	+------------------------+ +----------------------+ +----------------
 *	| array of the server's  | | changes | pid | db   | | changes | ...
 *	| PgBackendStatus        | | ended   | statement  | |
 *	+------------------------+ +----------------------+ +----------------
 *
 * One line of the cache for each possible process, in the order of the
 * server's own PGPROCs.  Only its backend writes to it, without a lock:
 * "changes" is odd while it does, and the worker takes a copy if "changes" was
 * the same even number before and after (as with the server's status of
 * backends, and collect/across).  A slot outlives its backend; the pid tells
 * whose it is.
 *
 * The statement in it is the innermost one that is counted.  What it displaces
 * stands on the C stack of the hook around it, which puts it back, also when
 * an error passes by.
 *
 * The worker has no entry in the server's array of PgBackendStatus, and no
 * function hands out the array without taking locks; so the first backend says
 * where it is.  Main shared memory lies at the same address in every process.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "storage/shmem.h"

#include "collect/now.h"

#define PGV_NOW_TRIES 20		/* to read a slot that is being written */
#define PGV_NOW_SLOT_SIZE CACHELINEALIGN(sizeof(PgvNowSlot))

StaticAssertDecl(sizeof(PgvNowSlot) <= 64, "a slot does not fit into one line of the cache");

typedef struct PgvSharedNow
{
	PgBackendStatus *statuses;	/* constant once it is set */
} PgvSharedNow;

PGV_HOT_DATA PgvNowSlot *pgv_now_slot = NULL;

static PgvSharedNow *shared = NULL;
static char *slots = NULL;

/* What the transaction's end has interrupted. */
static PGV_HOT_DATA uint8 interrupted = PGV_PHASE_OTHER;

int
pgv_now_slots(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

static Size
slots_offset(void)
{
	return CACHELINEALIGN(sizeof(PgvSharedNow));
}

Size
pgv_now_shmem_size(void)
{
	/* one more, for the place itself may not be aligned so */
	return add_size(slots_offset() + PG_CACHE_LINE_SIZE,
					mul_size(pgv_now_slots(), PGV_NOW_SLOT_SIZE));
}

void
pgv_now_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pg_vitals now", pgv_now_shmem_size(), &found);
	slots = (char *) CACHELINEALIGN((char *) shared + slots_offset());
	pgv_now_slot = NULL;
	if (!found)
		memset(shared, 0, pgv_now_shmem_size());
}

static inline PgvNowSlot *
slot_at(int i)
{
	return (PgvNowSlot *) (slots + i * PGV_NOW_SLOT_SIZE);
}

PgvNowSlot *
pgv_now_claim(void)
{
	int			procno = PGV_PROCNO();
	PgvNowSlot *slot;

	if (slots == NULL || MyBEEntry == NULL || procno < 0 || procno >= pgv_now_slots())
		return NULL;
	slot = slot_at(procno);
	pgv_now_begin_change(slot);
	/* the last owner may have died while it was writing */
	if (slot->changes % 2 == 0)
		slot->changes++;
	slot->pid = MyProcPid;
	slot->dbid = MyDatabaseId;
	slot->ended = 0;
	memset(&slot->now, 0, sizeof(slot->now));
	pgv_now_end_change(slot);
	if (shared->statuses == NULL)
		shared->statuses = PGV_STATUSES();
	pgv_now_slot = slot;
	return slot;
}

void
pgv_now_commit(void)
{
	PgvNowSlot *slot = pgv_now_slot;

	if (slot == NULL)
		return;
	interrupted = slot->now.phase;
	if (interrupted == PGV_PHASE_IDLE || interrupted == PGV_PHASE_EXECUTING)
		slot->now.phase = PGV_PHASE_COMMITTING;
}

void
pgv_now_committed(void)
{
	PgvNowSlot *slot = pgv_now_slot;

	if (slot == NULL)
		return;
	if (slot->now.phase != PGV_PHASE_COMMITTING && slot->now.phase != PGV_PHASE_IDLE)
		return;
	/* a procedure goes on */
	if (unlikely(interrupted == PGV_PHASE_EXECUTING) && slot->now.phase == PGV_PHASE_COMMITTING)
		slot->now.phase = PGV_PHASE_EXECUTING;
	else
		slot->now.phase = PGV_PHASE_OTHER;
}

void
pgv_now_aborted(void)
{
	PgvNowSlot *slot = pgv_now_slot;

	if (slot != NULL && slot->now.phase == PGV_PHASE_COMMITTING)
		slot->now.phase = interrupted;
}

bool
pgv_now_read(int i, int pid, PgvNowSlot *copy)
{
	const PgvNowSlot *slot = slot_at(i);

	for (int tries = 0; tries < PGV_NOW_TRIES; tries++)
	{
		uint32		before = *(const volatile uint32 *) &slot->changes;

		pg_read_barrier();
		if (before % 2 != 0)
			continue;
		memcpy(copy, slot, sizeof(PgvNowSlot));
		pg_read_barrier();
		if (*(const volatile uint32 *) &slot->changes == before)
			return copy->pid == pid;
	}
	return false;
}

PgBackendStatus *
pgv_now_statuses(void)
{
	return shared->statuses;
}

bool
pgv_now_leader(PgvNowSlot *copy)
{
	PGPROC	   *leader = MyProc->lockGroupLeader;

	return leader != NULL && leader != MyProc &&
		pgv_now_read((int) (leader - ProcGlobal->allProcs), leader->pid, copy) &&
		copy->now.fingerprint != 0 && copy->now.phase == PGV_PHASE_EXECUTING;
}
