/*-------------------------------------------------------------------------
 *
 * waited.c
 *	  What statements were seen waiting for since the last window, by the classes
 *	  of wait events.
 *
 * A table in shared memory for windows of each length: open addressing, so many
 * places that windows, which show those with most time, have far less room.  The
 * sampler adds to all of them once a second, the end of a window takes one and
 * leaves it empty, and a reset moves what it removes to "other".  The one lock is
 * for the three of them; no session takes it for anything else.
 *
 * Where a table is three quarters full, statements with less than the mean are
 * added to "other", which has what belongs to no statement, too.  So sums are
 * exact, and what takes long keeps its place, however many there are.
 *
 * Nothing of this outlives the server.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "storage/shmem.h"
#include "utils/wait_event.h"

#include "base/settings.h"
#include "collect/waits.h"
#include "watch/waited.h"

#define PGV_WAITED_TRANCHE "pg_vitals_waited"
#define PGV_WAITED_LEAST 1024	/* places */
#define PGV_WAITED_KB_PER_PLACE 30	/* of memory for windows: four for each of their rows */

static char *tables = NULL;
static LWLock *lock = NULL;

/* A power of two; 0: there are no windows. */
static uint32
places(void)
{
	if (pgv_window_memory_kb == 0)
		return 0;
	return pg_nextpower2_32(Max(PGV_WAITED_LEAST, pgv_window_memory_kb / PGV_WAITED_KB_PER_PLACE));
}

static Size
table_size(void)
{
	return MAXALIGN(offsetof(PgvWaitedTable, statement) +
					(Size) places() * sizeof(PgvWaitedStatement));
}

Size
pgv_waited_shmem_size(void)
{
	return mul_size(PGV_WAITED_READERS, table_size());
}

int
pgv_waited_locks(void)
{
	return 1;
}

void
pgv_waited_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche(PGV_WAITED_TRANCHE)->lock;
	tables = ShmemInitStruct("pg_vitals waited", pgv_waited_shmem_size(), &found);
	if (!found)
		memset(tables, 0, pgv_waited_shmem_size());
}

static PgvWaitedTable *
table_of(int reader)
{
	return (PgvWaitedTable *) (tables + reader * table_size());
}

/* ----- sums ----- */

void
pgv_waited_sum(PgvWaited *into, const PgvWaited *from)
{
	for (int i = 0; i < PGV_WAITED_PARTS; i++)
		into->part[i] += from->part[i];
}

double
pgv_waited_total(const PgvWaited *waited)
{
	double		ms = 0;

	for (int i = PGV_WAITED_LOCK; i <= PGV_WAITED_OTHER; i++)
		ms += waited->part[i];
	return ms;
}

static PgvWaitedPart
part_of(PgvPhase phase, uint32 event)
{
	if (phase == PGV_PHASE_IDLE)
		return PGV_WAITED_IDLE;
	switch (event & 0xFF000000)
	{
		case 0:
			return PGV_WAITED_CPU;
		case PG_WAIT_LOCK:
			return PGV_WAITED_LOCK;
		case PG_WAIT_LWLOCK:
			return PGV_WAITED_LWLOCK;
		case PG_WAIT_IO:
			return PGV_WAITED_IO;
		case PG_WAIT_IPC:
			return PGV_WAITED_IPC;
		case PG_WAIT_CLIENT:
			return PGV_WAITED_CLIENT;
		case PG_WAIT_TIMEOUT:
			return PGV_WAITED_TIMEOUT;
	}
	return PGV_WAITED_OTHER;
}

/* ----- a table ----- */

/* Where a statement is, or would be: there is always a free place. */
static PgvWaitedStatement *
place_of(PgvWaitedTable *table, const PgvStatementKey *key)
{
	uint32		mask = places() - 1;
	uint32		i = hash_bytes((const unsigned char *) key, sizeof(*key));

	while (table->statement[i & mask].used &&
		   memcmp(&table->statement[i & mask].key, key, sizeof(*key)) != 0)
		i++;
	return &table->statement[i & mask];
}

/* Of all that was seen of it, idle or not. */
static double
weight(const PgvWaited *waited)
{
	return pgv_waited_total(waited) + waited->part[PGV_WAITED_CPU] + waited->part[PGV_WAITED_IDLE];
}

static double
mean_weight(const PgvWaitedTable *table)
{
	double		ms = 0;

	for (uint32 i = 0; i < places(); i++)
	{
		if (table->statement[i].used)
			ms += weight(&table->statement[i].waited);
	}
	return ms / table->n;
}

/*
 * Make room: who has less than the mean goes, or half of them if all are alike.
 * Returns false if there is no memory to do it in.
 */
static bool
fold(PgvWaitedTable *table)
{
	PgvWaitedTable *old = palloc_extended(table_size(), MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	double		mean = mean_weight(table);
	uint32		room = table->n / 2;

	if (old == NULL)
		return false;
	memcpy(old, table, table_size());
	memset(table->statement, 0, places() * sizeof(PgvWaitedStatement));
	table->n = 0;
	for (uint32 i = 0; i < places(); i++)
	{
		const PgvWaitedStatement *s = &old->statement[i];

		if (!s->used)
			continue;
		if (weight(&s->waited) < mean || table->n == room)
			pgv_waited_sum(&table->other, &s->waited);
		else
		{
			*place_of(table, &s->key) = *s;
			table->n++;
		}
	}
	pfree(old);
	return true;
}

static void
add_to_table(PgvWaitedTable *table, const PgvStatementKey *key, uint64 queryid,
			 const PgvWaited *waited)
{
	PgvWaitedStatement *s;

	if (key->fingerprint == 0 || (table->n >= places() / 4 * 3 && !fold(table)))
	{
		pgv_waited_sum(&table->other, waited);
		return;
	}
	s = place_of(table, key);
	if (!s->used)
	{
		memset(s, 0, sizeof(*s));
		s->used = true;
		s->key = *key;
		table->n++;
	}
	if (queryid != 0)
		s->queryid = queryid;
	pgv_waited_sum(&s->waited, waited);
}

/* ----- the sampler's ----- */

void
pgv_waited_looked(double ms)
{
	if (places() == 0)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PGV_WAITED_READERS; i++)
		table_of(i)->sampled_ms += ms;
	LWLockRelease(lock);
}

void
pgv_waited_add(const PgvStatementKey *key, uint64 queryid, PgvPhase phase,
			   uint32 event, double ms, double squares)
{
	PgvWaited	waited = {0};
	PgvWaitedPart part = part_of(phase, event);

	if (places() == 0 || phase == PGV_PHASE_BACKGROUND)
		return;
	waited.part[part] = ms;
	if (part != PGV_WAITED_CPU && part != PGV_WAITED_IDLE)
		waited.part[PGV_WAITED_SQUARES] = squares;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PGV_WAITED_READERS; i++)
		add_to_table(table_of(i), key, queryid, &waited);
	LWLockRelease(lock);
}

/* ----- the windows' ----- */

PgvWaitedTable *
pgv_waited_take(int reader)
{
	PgvWaitedTable *copy;

	if (places() == 0)
		return NULL;
	copy = palloc_extended(table_size(), MCXT_ALLOC_HUGE);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	memcpy(copy, table_of(reader), table_size());
	memset(table_of(reader), 0, table_size());
	LWLockRelease(lock);
	return copy;
}

PgvWaitedStatement *
pgv_waited_find(PgvWaitedTable *table, const PgvStatementKey *key)
{
	PgvWaitedStatement *s = place_of(table, key);

	return s->used ? s : NULL;
}

PgvWaitedStatement *
pgv_waited_next(PgvWaitedTable *table, uint32 *place)
{
	while (*place < places())
	{
		PgvWaitedStatement *s = &table->statement[(*place)++];

		if (s->used)
			return s;
	}
	return NULL;
}

/* ----- a reset ----- */

/* The place stays, with nothing in it: what is behind it must be found. */
static void
forget_some(PgvWaitedTable *table, PgvWaitedMatch match, void *arg)
{
	for (uint32 i = 0; i < places(); i++)
	{
		PgvWaitedStatement *s = &table->statement[i];

		if (!s->used || !match(s, arg))
			continue;
		pgv_waited_sum(&table->other, &s->waited);
		memset(&s->waited, 0, sizeof(s->waited));
	}
}

void
pgv_waited_forget(PgvWaitedMatch match, void *arg)
{
	if (places() == 0)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PGV_WAITED_READERS; i++)
	{
		if (match == NULL)
			memset(table_of(i), 0, table_size());
		else
			forget_some(table_of(i), match, arg);
	}
	LWLockRelease(lock);
}
