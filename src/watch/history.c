/*-------------------------------------------------------------------------
 *
 * history.c
 *	  What the sampler saw of late: the load in buckets of time, and single
 *	  samples of sessions.
 *
 * Two rings of fixed size in shared memory.  A bucket of the load stands at a
 * place that follows from its time; a sample's number says where it stands, and
 * whether it has been overwritten.
 *
 * One lock guards all of it.  The worker takes it once a second, to bring what
 * it has gathered in private memory; readers, shared, while they copy some
 * rows.  No session takes it for anything else.
 *
 * Nothing of this outlives the server.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

#include "watch/history.h"

#define PGV_HISTORY_TRANCHE "pg_vitals_history"
#define PGV_LOAD_US INT64CONST(10000000)
#define PGV_LOAD_BUCKETS 2160	/* six hours */
#define PGV_ACTIVITY_ROWS 8192
#define PGV_ACTIVITY_NOTED 1024 /* of one pass */
#define PGV_COPY_ROWS 64		/* under the lock at a time */

typedef struct PgvSharedHistory
{
	uint64		rows;			/* of samples, ever written */
	PgvLoadBucket load[PGV_LOAD_BUCKETS];
	PgvActivity activity[PGV_ACTIVITY_ROWS];
} PgvSharedHistory;

static PgvSharedHistory *shared = NULL;
static LWLock *lock = NULL;

/* The worker's: what is not published yet. */
static PgvLoadBucket current;
static PgvActivity *noted = NULL;
static int	nnoted = 0;

Size
pgv_history_shmem_size(void)
{
	return sizeof(PgvSharedHistory);
}

int
pgv_history_locks(void)
{
	return 1;
}

void
pgv_history_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche(PGV_HISTORY_TRANCHE)->lock;
	shared = ShmemInitStruct("pg_vitals history", pgv_history_shmem_size(), &found);
	if (!found)
		memset(shared, 0, sizeof(*shared));
}

/* ----- the sampler's ----- */

void
pgv_history_begin(void)
{
	noted = MemoryContextAlloc(TopMemoryContext, PGV_ACTIVITY_NOTED * sizeof(PgvActivity));
}

/* Add what was gathered to its bucket, which may have another time's in it. */
static void
publish_load(void)
{
	PgvLoadBucket *bucket = &shared->load[(uint64) (current.begin / PGV_LOAD_US) % PGV_LOAD_BUCKETS];

	if (bucket->begin != current.begin)
	{
		*bucket = current;
		return;
	}
	bucket->passes += current.passes;
	bucket->covered_ms += current.covered_ms;
	for (int i = 0; i < PGV_LOAD_CLASSES; i++)
		bucket->ms[i] += current.ms[i];
}

void
pgv_history_publish(void)
{
	if (current.begin == 0 && nnoted == 0)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (current.begin != 0)
		publish_load();
	for (int i = 0; i < nnoted; i++)
	{
		noted[i].number = ++shared->rows;
		shared->activity[noted[i].number % PGV_ACTIVITY_ROWS] = noted[i];
	}
	LWLockRelease(lock);
	pgv_history_drop();
}

void
pgv_history_drop(void)
{
	memset(&current, 0, sizeof(current));
	nnoted = 0;
}

void
pgv_history_pass(TimestampTz now, double ms)
{
	TimestampTz begin = now - now % PGV_LOAD_US;

	if (current.begin != begin)
		pgv_history_publish();
	current.begin = begin;
	current.passes++;
	current.covered_ms += ms;
}

void
pgv_history_load(int class, double ms)
{
	current.ms[class] += ms;
}

PgvActivity *
pgv_history_note(void)
{
	return nnoted < PGV_ACTIVITY_NOTED ? &noted[nnoted++] : NULL;
}

PgvActivity *
pgv_history_noted(int *n)
{
	*n = nnoted;
	return noted;
}

/* ----- readers' ----- */

void
pgv_history_scan_load(PgvLoadCallback callback, void *arg)
{
	PgvLoadBucket *copy = palloc(sizeof(shared->load));
	int			oldest = 0;

	for (int i = 0; i < PGV_LOAD_BUCKETS; i += PGV_COPY_ROWS)
	{
		int			n = Min(PGV_COPY_ROWS, PGV_LOAD_BUCKETS - i);

		LWLockAcquire(lock, LW_SHARED);
		memcpy(&copy[i], &shared->load[i], n * sizeof(PgvLoadBucket));
		LWLockRelease(lock);
	}
	/* behind the latest one comes the oldest */
	for (int i = 0; i < PGV_LOAD_BUCKETS; i++)
	{
		if (copy[i].begin > copy[oldest].begin)
			oldest = i;
	}
	for (int i = 1; i <= PGV_LOAD_BUCKETS; i++)
	{
		const PgvLoadBucket *bucket = &copy[(oldest + i) % PGV_LOAD_BUCKETS];

		if (bucket->begin != 0)
			callback(bucket, arg);
	}
	pfree(copy);
}

void
pgv_history_scan_activity(PgvActivityCallback callback, void *arg)
{
	PgvActivity copy[PGV_COPY_ROWS];
	uint64		end = 0;
	uint64		next = 1;
	int			n;

	do
	{
		LWLockAcquire(lock, LW_SHARED);
		/* what comes later is for the next reader */
		if (end == 0)
			end = shared->rows;
		if (shared->rows >= PGV_ACTIVITY_ROWS)
			next = Max(next, shared->rows - PGV_ACTIVITY_ROWS + 1);
		for (n = 0; n < PGV_COPY_ROWS && next <= end; n++)
			copy[n] = shared->activity[next++ % PGV_ACTIVITY_ROWS];
		LWLockRelease(lock);
		for (int i = 0; i < n; i++)
		{
			if (copy[i].at != 0)
				callback(&copy[i], arg);
		}
	} while (n > 0);
}

/* ----- reset ----- */

void
pgv_history_remove(PgvActivityMatch match, void *arg)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < PGV_ACTIVITY_ROWS; i++)
	{
		if (shared->activity[i].at != 0 && match(&shared->activity[i], arg))
			shared->activity[i].at = 0;
	}
	LWLockRelease(lock);
}

void
pgv_history_reset_load(void)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	memset(shared->load, 0, sizeof(shared->load));
	LWLockRelease(lock);
}
