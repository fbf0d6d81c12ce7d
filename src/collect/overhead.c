/*-------------------------------------------------------------------------
 *
 * overhead.c
 *	  The sum of what our own code takes, and which statements are timed.
 *
 * Which one of every PGV_OVERHEAD_SHARE is chosen at random: programs repeat
 * themselves, and many sessions send only a few statements.  So each statement
 * has the same chance, and what it took times PGV_OVERHEAD_SHARE is, in the
 * long run, what all took.
 *
 * A look at the clock takes about as long as our work in one hook.  So its time
 * is found out once per backend, and subtracted; a single difference may then
 * be negative, and is added as such.
 *
 * The sum is a pair of atomic counters in shared memory, of fixed size, added to
 * a few times for a statement that is timed.  No locks.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/pg_prng.h"
#include "port/atomics.h"
#include "portability/instr_time.h"
#include "storage/shmem.h"

#include "collect/brake.h"
#include "collect/nplusone.h"
#include "collect/overhead.h"

#define PGV_OVERHEAD_TRIES 32
#define PGV_OVERHEAD_BELIEVED_NS INT64CONST(100000)

typedef struct PgvSharedOverhead
{
	pg_atomic_uint64 sampled;
	pg_atomic_uint64 ns;		/* an int64 */
} PgvSharedOverhead;

static PgvSharedOverhead *shared = NULL;

PGV_HOT_DATA bool pgv_overhead_timing = false;
PGV_HOT_DATA bool pgv_overhead_running = false;
PGV_HOT_DATA uint32 pgv_overhead_countdown = 1;

static bool chosen = false;		/* does the countdown lead to a sample? */
static instr_time started;
static int64 clock_ns = -1;		/* of two looks at the clock, the time between */
static int64 sample_ns = 0;		/* what our code took in the present sample */

Size
pgv_overhead_shmem_size(void)
{
	return sizeof(PgvSharedOverhead);
}

void
pgv_overhead_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pg_vitals overhead", pgv_overhead_shmem_size(), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->sampled, 0);
	pg_atomic_init_u64(&shared->ns, 0);
}

static int64
ns_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return (int64) (INSTR_TIME_GET_MILLISEC(now) * 1e6);
}

/* The quickest of some tries counts: the processor may be lost in between. */
static void
time_clock(void)
{
	clock_ns = PG_INT64_MAX;
	for (int i = 0; i < PGV_OVERHEAD_TRIES; i++)
	{
		instr_time	start;
		int64		took;

		INSTR_TIME_SET_CURRENT(start);
		took = ns_since(start);
		clock_ns = Min(clock_ns, took);
	}
}

/* How many statements on is the next to be timed?  One in each row of them. */
static uint32
next_distance(void)
{
	static uint32 rest = 0;		/* of the row in which the last one was */
	uint32		place = pg_prng_uint32(&pg_global_prng_state) % PGV_OVERHEAD_SHARE;
	uint32		distance = rest + place + 1;

	rest = PGV_OVERHEAD_SHARE - 1 - place;
	return distance;
}

/*
 * Each sample stands for a row of statements.  A process that was interrupted
 * shows a time that is not ours; the brake is to be slow to believe it.
 */
static void
tell_brake(void)
{
	int64		own_ns = Min(sample_ns, PGV_OVERHEAD_BELIEVED_NS) * PGV_OVERHEAD_SHARE;

	sample_ns = 0;
	if (pgv_brake_turn(PGV_OVERHEAD_SHARE, own_ns,
					   (int64) (INSTR_TIME_GET_MILLISEC(started) * 1e6)))
		pgv_nplusone_forget();
}

/*
 * The countdown has come to 0: at the chosen statement, or, to choose the next,
 * at the one behind it and at the backend's first.
 */
void
pgv_overhead_turn(void)
{
	pgv_overhead_timing = pgv_overhead_running = false;
	if (!chosen)
	{
		uint32		distance = next_distance();

		if (distance > 1)
		{
			chosen = true;
			pgv_overhead_countdown = distance - 1;
			return;
		}
	}
	chosen = false;
	pgv_overhead_countdown = 1;
	if (unlikely(clock_ns < 0))
		time_clock();
	pg_atomic_fetch_add_u64(&shared->sampled, 1);
	pgv_overhead_timing = true;
	pgv_overhead_start();
	tell_brake();
}

void
pgv_overhead_start(void)
{
	if (pgv_overhead_running)
		return;
	pgv_overhead_running = true;
	INSTR_TIME_SET_CURRENT(started);
}

void
pgv_overhead_stop(void)
{
	int64		took;

	if (!pgv_overhead_running)
		return;
	took = ns_since(started) - clock_ns;
	pgv_overhead_running = false;
	sample_ns += took;
	pg_atomic_fetch_add_u64(&shared->ns, (uint64) took);
}

void
pgv_overhead_stats(PgvOverheadStats *stats)
{
	int64		ns = (int64) pg_atomic_read_u64(&shared->ns);

	stats->sampled = pg_atomic_read_u64(&shared->sampled);
	stats->ms = (double) Max(ns, 0) * PGV_OVERHEAD_SHARE / 1e6;
}

void
pgv_overhead_reset(void)
{
	pg_atomic_write_u64(&shared->sampled, 0);
	pg_atomic_write_u64(&shared->ns, 0);
}
