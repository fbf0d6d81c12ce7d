/*-------------------------------------------------------------------------
 *
 * brake.c
 *	  The brake: above pg_vitals.max_overhead, less is looked at.
 *
 * Counting is never braked: calls, times, rows and failures stay exact.  What
 * can be sampled is the detector's work.  It needs statements in a row, so it
 * is sampled in stretches: of a cycle of turns the first PGV_BRAKE_STRETCH are
 * watched and the rest are passed by.
 *
 *	level 0		everything is watched
 *	level 1		a quarter
 *	level 2		a sixteenth
 *
 * Each backend judges for itself, by what its own code took in the samples of
 * collect/overhead, as a share of the time that went by, the client's included.
 * A period is PGV_BRAKE_PERIOD_NS or more; PGV_BRAKE_PATIENCE periods above the
 * limit in a row raise the level, as many below half of it lower it.  So what
 * is short, a test or a burst, is watched whatever it takes, and one sample
 * that another process interrupted decides nothing.
 *
 * A session that wants to be told of what it does (n_plus_one_action) is never
 * braked.
 *
 * State is private to the backend; what vitals.info shows are two atomic
 * counters in shared memory, written at most once a turn.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "collect/brake.h"

#define PGV_BRAKE_PERIOD_NS INT64CONST(1000000000)
#define PGV_BRAKE_PATIENCE 10	/* periods */
#define PGV_BRAKE_LEVELS 2
#define PGV_BRAKE_STRETCH 2		/* turns */
#define PGV_BRAKE_CYCLE(level) (PGV_BRAKE_STRETCH << (2 * (level)))
#define PGV_BRAKE_MIN_TURNS 8	/* in a period, to tell by */

typedef struct PgvSharedBrake
{
	pg_atomic_uint64 unwatched;
	pg_atomic_uint64 last;		/* a TimestampTz */
} PgvSharedBrake;

static PgvSharedBrake *shared = NULL;

PGV_HOT_DATA bool pgv_brake_passing = false;

/* this backend's */
static int	level = 0;
static int	turn = 0;			/* of the cycle */
static int	over = 0;			/* periods in a row above the limit ... */
static int	under = 0;			/* ... below half of it */
static int64 period_start = 0;
static int64 period_own = 0;
static int	period_turns = 0;

Size
pgv_brake_shmem_size(void)
{
	return sizeof(PgvSharedBrake);
}

void
pgv_brake_shmem_init(void)
{
	bool		found;

	shared = ShmemInitStruct("pg_vitals brake", pgv_brake_shmem_size(), &found);
	if (found)
		return;
	pg_atomic_init_u64(&shared->unwatched, 0);
	pg_atomic_init_u64(&shared->last, 0);
}

static void
set_level(int to)
{
	level = to;
	turn = over = under = 0;
	if (level > 0)
		pg_atomic_write_u64(&shared->last, (uint64) GetCurrentTimestamp());
}

/* Is there a limit, and anything that can be left out? */
static bool
can_brake(void)
{
	return pgv_max_overhead > 0 && pgv_n_plus_one &&
		pgv_n_plus_one_action == PGV_ACTION_OFF;
}

/* A period is over; "percent" is our share of it. */
static void
judge(double percent)
{
	bool		is_over = can_brake() && percent > pgv_max_overhead;
	bool		is_under = !can_brake() || percent < pgv_max_overhead / 2;

	over = is_over ? over + 1 : 0;
	under = is_under ? under + 1 : 0;
	if (over >= PGV_BRAKE_PATIENCE && level < PGV_BRAKE_LEVELS)
		set_level(level + 1);
	else if (under >= PGV_BRAKE_PATIENCE && level > 0)
		set_level(level - 1);
}

static void
add_to_period(int64 own_ns, int64 now_ns)
{
	int64		passed = now_ns - period_start;

	if (period_start != 0)
	{
		period_own += own_ns;
		period_turns++;
		if (passed < PGV_BRAKE_PERIOD_NS)
			return;
		judge(period_turns < PGV_BRAKE_MIN_TURNS ? 0 : 100.0 * period_own / passed);
	}
	period_start = now_ns;
	period_own = 0;
	period_turns = 0;
}

bool
pgv_brake_turn(int statements, int64 own_ns, int64 now_ns)
{
	bool		passing = false;
	bool		changes;

	if (pgv_brake_passing)
		pg_atomic_fetch_add_u64(&shared->unwatched, statements);
	add_to_period(own_ns, now_ns);
	if (level > 0)
	{
		passing = turn >= PGV_BRAKE_STRETCH && can_brake();
		turn = (turn + 1) % PGV_BRAKE_CYCLE(level);
	}
	changes = passing != pgv_brake_passing;
	pgv_brake_passing = passing;
	return changes;
}

void
pgv_brake_stats(PgvBrakeStats *stats)
{
	stats->unwatched = pg_atomic_read_u64(&shared->unwatched);
	stats->last = (TimestampTz) pg_atomic_read_u64(&shared->last);
}

void
pgv_brake_reset(void)
{
	pg_atomic_write_u64(&shared->unwatched, 0);
	pg_atomic_write_u64(&shared->last, 0);
}
