/*-------------------------------------------------------------------------
 *
 * windows.c
 *	  The last hours: what was active in each 10 seconds, and each minute.
 *
 * Two rings in shared memory, one for each resolution, of places of one size:
 *
 *	  number | start | end | nrows | used | row | row | ...
 *
 * The worker's tick takes the differences since the last (watch/differences) and
 * writes them into the place that is next: rows packed one behind the other, each
 * with the histogram's buckets that it used.  What was not active has no row; a
 * window in which nothing was has none at all, but is there.  Where the rows
 * exceed the place, those with the least time (of executions that ended, or seen by the
 * sampler) are folded into one with an empty
 * key, "<other>"; there also goes what has no row in the table of statements any
 * more.  So sums over a window are exact.
 *
 * Each ring has a lock.  The worker holds it for the copying of one window into
 * its place, and a reader, shared, for the copying of one window out of it:
 * some microseconds.  A reader that is overtaken finds another number in the
 * place, and passes it by.
 *
 * A window is the time between two looks of the same worker.  If it is new, or a
 * look failed, the next only sees how things stand: there is a gap then, and never
 * a window with more in it than happened.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "watch/sampler.h"
#include "watch/windows.h"

#define PGV_WINDOWS_TRANCHE "pg_vitals_windows"
#define PGV_WINDOWS_LEAST 4096	/* bytes of a place; "<other>" needs 2.4 kB */
#define PGV_WINDOWS_WAIT_S 60	/* for the worker, by pgv_windows_close */
#define PGV_WINDOWS_POLL_MS 5
#define PGV_WINDOWS_SLACK_MS 500	/* that a tick may come early */

/* Nominal length of a window, and how many are kept: one hour, six hours. */
static const struct
{
	int			seconds;
	int			count;
}			resolutions[PGV_RESOLUTIONS] = {
	{10, 360},
	{60, 360}
};

typedef struct PgvSharedWindow
{
	uint64		number;			/* from 1 on; 0: there is none */
	TimestampTz start;
	TimestampTz end;
	double		sampled_ms;		/* that the waits are of */
	uint32		nrows;
	uint32		used;			/* bytes of rows */
	char		rows[FLEXIBLE_ARRAY_MEMBER];
} PgvSharedWindow;

/* The places follow it, those of one ring after those of the other. */
typedef struct PgvSharedWindows
{
	pg_atomic_uint64 requested; /* numbers of requests to end the windows */
	pg_atomic_uint64 done;
	Latch	   *worker;			/* NULL: there was none yet */
	uint64		written[PGV_RESOLUTIONS];	/* the ring's lock */
} PgvSharedWindows;

StaticAssertDecl(PGV_RESOLUTIONS <= PGV_WAITED_READERS, "windows of each length need waits of their own");

static PgvSharedWindows *shared = NULL;
static LWLockPadded *locks = NULL;

/* the worker's */
static PgvDifferences *differences[PGV_RESOLUTIONS];
static TimestampTz began[PGV_RESOLUTIONS];

static int
place_count(void)
{
	int			n = 0;

	for (int i = 0; i < PGV_RESOLUTIONS; i++)
		n += resolutions[i].count;
	return n;
}

/* Bytes of a place; 0: there are no windows. */
static Size
place_size(void)
{
	Size		size = (Size) pgv_window_memory_kb * 1024 / place_count();

	if (pgv_window_memory_kb == 0)
		return 0;
	return Max(MAXALIGN_DOWN(size), PGV_WINDOWS_LEAST);
}

/* Bytes of a place that rows can take. */
static Size
row_room(void)
{
	return place_size() - offsetof(PgvSharedWindow, rows);
}

Size
pgv_windows_shmem_size(void)
{
	return add_size(MAXALIGN(sizeof(PgvSharedWindows)),
					mul_size(place_count(), place_size()));
}

int
pgv_windows_locks(void)
{
	return PGV_RESOLUTIONS;
}

/* The place of a window; numbers begin with 1. */
static PgvSharedWindow *
place_of(PgvResolution resolution, uint64 number)
{
	Size		place = (number - 1) % resolutions[resolution].count;

	for (int i = 0; i < resolution; i++)
		place += resolutions[i].count;
	return (PgvSharedWindow *) ((char *) shared + MAXALIGN(sizeof(PgvSharedWindows)) +
								place * place_size());
}

void
pgv_windows_shmem_init(void)
{
	bool		found;

	locks = GetNamedLWLockTranche(PGV_WINDOWS_TRANCHE);
	shared = ShmemInitStruct("pg_vitals windows", pgv_windows_shmem_size(), &found);
	if (found)
		return;
	memset(shared, 0, pgv_windows_shmem_size());
	pg_atomic_init_u64(&shared->requested, 0);
	pg_atomic_init_u64(&shared->done, 0);
}

/* ----- writing ----- */

/* Its time: what has ended, or what was seen, which may not have ended. */
static double
weight(const PgvActiveRow *row)
{
	PgvWaited	waited = {0};

	pgv_active_row_spread_waited(&waited, row);
	return Max(row->sums.exec_ms + row->sums.plan_ms,
			   pgv_waited_total(&waited) + waited.part[PGV_WAITED_CPU] + waited.part[PGV_WAITED_IDLE]);
}

/* More time first, then more calls. */
static int
by_weight(const void *a, const void *b)
{
	const PgvActiveRow *x = *(PgvActiveRow *const *) a;
	const PgvActiveRow *y = *(PgvActiveRow *const *) b;
	double		x_ms = weight(x);
	double		y_ms = weight(y);

	if (x_ms != y_ms)
		return x_ms > y_ms ? -1 : 1;
	return x->sums.calls > y->sums.calls ? -1 : x->sums.calls < y->sums.calls;
}

/*
 * The rows that have no room of their own are added to "other", which then has a
 * row itself: the last.  Returns the bytes of all that stay.
 */
static Size
fold(PgvActiveRows *rows)
{
	static const PgvWork nothing;
	static const PgvWaited nowhere;
	static const PgvStatementKey nobody;
	Size		room = row_room() - pgv_active_row_most();
	Size		used = 0;
	int			kept = 0;
	PgvActiveRow *other;

	qsort(rows->row, rows->n, sizeof(PgvActiveRow *), by_weight);
	for (int i = 0; i < rows->n; i++)
	{
		PgvActiveRow *row = rows->row[i];
		Size		size = pgv_active_row_size(row);

		if (used + size > room)
		{
			pgv_work_add(&rows->other, &row->sums, 1);
			pgv_active_row_spread_waited(&rows->other_waited, row);
			pgv_active_row_spread(rows->other_buckets, row);
			continue;
		}
		used += size;
		rows->row[kept++] = row;
	}
	rows->n = kept;
	if (memcmp(&rows->other, &nothing, sizeof(nothing)) == 0 &&
		memcmp(&rows->other_waited, &nowhere, sizeof(nowhere)) == 0)
		return used;
	other = pgv_active_row_make(&nobody, 0, &rows->other, &rows->other_waited, rows->other_buckets);
	if (rows->n > 0)
		rows->row = repalloc_huge(rows->row, (rows->n + 1) * sizeof(PgvActiveRow *));
	rows->row[rows->n++] = other;
	return used + pgv_active_row_size(other);
}

static void
write_window(PgvResolution resolution, TimestampTz start, TimestampTz end,
			 PgvActiveRows *rows)
{
	Size		used = fold(rows);
	PgvSharedWindow *place;
	char	   *at;

	LWLockAcquire(&locks[resolution].lock, LW_EXCLUSIVE);
	place = place_of(resolution, ++shared->written[resolution]);
	place->number = shared->written[resolution];
	place->start = start;
	place->end = end;
	place->sampled_ms = rows->sampled_ms;
	place->nrows = rows->n;
	place->used = (uint32) used;
	at = place->rows;
	for (int i = 0; i < rows->n; i++)
	{
		Size		size = pgv_active_row_size(rows->row[i]);

		memcpy(at, rows->row[i], size);
		at += size;
	}
	LWLockRelease(&locks[resolution].lock);
}

/* ----- the worker's tick ----- */

static void
end_window(PgvResolution resolution)
{
	TimestampTz now;
	PgvActiveRows *rows;

	if (differences[resolution] == NULL)
		differences[resolution] = pgv_differences_create(TopMemoryContext, resolution);
	pgv_differences_hold();
	now = GetCurrentTimestamp();
	rows = pgv_differences_take(differences[resolution]);
	if (rows != NULL)
		write_window(resolution, began[resolution], now, rows);
	pgv_differences_release();
	began[resolution] = now;
}

int
pgv_windows_interval(void)
{
	if (place_size() == 0)
		return 0;
	/* at once: to see how things stand at the start, and on demand */
	if (differences[PGV_WINDOWS_10S] == NULL ||
		pg_atomic_read_u64(&shared->requested) != pg_atomic_read_u64(&shared->done))
		return 1;
	return resolutions[PGV_WINDOWS_10S].seconds * 1000;
}

void
pgv_windows_tick(void)
{
	uint64		requested = pg_atomic_read_u64(&shared->requested);
	bool		asked = requested != pg_atomic_read_u64(&shared->done);

	shared->worker = MyLatch;
	pgv_sampler_tell();
	for (int i = 0; i < PGV_RESOLUTIONS; i++)
	{
		int			due_ms = resolutions[i].seconds * 1000 - PGV_WINDOWS_SLACK_MS;

		if (asked || differences[i] == NULL ||
			TimestampDifferenceExceeds(began[i], GetCurrentTimestamp(), due_ms))
			end_window(i);
	}
	pg_atomic_write_u64(&shared->done, requested);
}

static bool
is_done(uint64 request)
{
	return pg_atomic_read_u64(&shared->done) >= request;
}

void
pgv_windows_close(void)
{
	TimestampTz start = GetCurrentTimestamp();
	uint64		request;

	if (place_size() == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are no windows"),
				 errhint("Set \"pg_vitals.window_memory\" to more than 0.")));
	request = pg_atomic_add_fetch_u64(&shared->requested, 1);
	while (!is_done(request))
	{
		if (shared->worker != NULL)
			SetLatch(shared->worker);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 PGV_WINDOWS_POLL_MS, pgv_wait_event("PgVitalsWindows"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (!is_done(request) &&
			TimestampDifferenceExceeds(start, GetCurrentTimestamp(),
									   PGV_WINDOWS_WAIT_S * 1000))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the background worker of pg_vitals did not end the windows within %d seconds",
							PGV_WINDOWS_WAIT_S),
					 errhint("See the server's log.")));
	}
}

/* ----- reading ----- */

/* Copy a window, unless it is not that one any more. */
static bool
copy_window(PgvResolution resolution, uint64 number, PgvSharedWindow *copy)
{
	PgvSharedWindow *place = place_of(resolution, number);
	bool		there;

	LWLockAcquire(&locks[resolution].lock, LW_SHARED);
	there = place->number == number;
	if (there)
		memcpy(copy, place, offsetof(PgvSharedWindow, rows) + place->used);
	LWLockRelease(&locks[resolution].lock);
	return there;
}

void
pgv_windows_scan(PgvResolution resolution, TimestampTz after,
				 PgvWindowCallback callback, void *arg)
{
	PgvSharedWindow *copy;
	uint64		last;
	uint64		number = 1;

	if (place_size() == 0)
		return;
	copy = palloc(place_size());
	LWLockAcquire(&locks[resolution].lock, LW_SHARED);
	last = shared->written[resolution];
	LWLockRelease(&locks[resolution].lock);
	if (last > resolutions[resolution].count)
		number = last - resolutions[resolution].count + 1;
	for (; number <= last; number++)
	{
		PgvWindow	window;
		char	   *at = copy->rows;

		if (!copy_window(resolution, number, copy) || copy->end <= after)
			continue;
		window.seconds = resolutions[resolution].seconds;
		window.start = copy->start;
		window.end = copy->end;
		window.sampled_ms = copy->sampled_ms;
		window.nrows = copy->nrows;
		callback(&window, NULL, arg);
		for (uint32 i = 0; i < copy->nrows; i++)
		{
			callback(&window, (PgvActiveRow *) at, arg);
			at += pgv_active_row_size((PgvActiveRow *) at);
		}
		CHECK_FOR_INTERRUPTS();
	}
	pfree(copy);
}

/* ----- resets ----- */

/* Close up the rows that stay.  The ring is locked. */
static void
remove_rows(PgvSharedWindow *place, PgvWindowMatch match, void *arg)
{
	char	   *from = place->rows;
	char	   *to = place->rows;
	char	   *end = from + place->used;

	while (from < end)
	{
		PgvActiveRow *row = (PgvActiveRow *) from;
		Size		size = pgv_active_row_size(row);

		if (match(row, arg))
			place->nrows--;
		else
		{
			memmove(to, from, size);
			to += size;
		}
		from += size;
	}
	place->used = (uint32) (to - place->rows);
}

void
pgv_windows_remove(PgvWindowMatch match, void *arg)
{
	if (place_size() == 0)
		return;
	for (int r = 0; r < PGV_RESOLUTIONS; r++)
	{
		for (int i = 1; i <= resolutions[r].count; i++)
		{
			PgvSharedWindow *place = place_of(r, i);

			LWLockAcquire(&locks[r].lock, LW_EXCLUSIVE);
			if (match == NULL)
				place->number = 0;
			else if (place->number != 0)
				remove_rows(place, match, arg);
			LWLockRelease(&locks[r].lock);
		}
	}
}
