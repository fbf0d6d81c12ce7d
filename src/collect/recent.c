/*-------------------------------------------------------------------------
 *
 * recent.c
 *	  The last bursts by themselves: a ring of records in shared memory.
 *
 *	 tickets: next = 5                    places: the kind's limit, or 4096
 *	+-----------+-----------+-----------+-----------+----
 *	| 4: number | 1: number | 2: number | 3: number | ...
 *	|    burst  |    burst  |    burst  |    burst  |
 *	|    key    |    key    |    key    |    key    |
 *	|    entry  |    entry  |    entry  |    entry  |
 *	+-----------+-----------+-----------+-----------+----
 *	   lock 0      lock 1      lock 2      lock 3     lock (place % PGV_RECENT_LOCKS)
 *
 * A burst's first report takes a ticket, which is a place, and a number; later
 * ones come back to the place and add to what is there if the number still is
 * the burst's.  So sessions with bursts of their own meet at the counters,
 * which are atomic, and otherwise only by chance, for the time of an addition.
 *
 * Numbers grow with the clock: the next one is the time in microseconds, or
 * one more than the last if that is not less.  So a mark is a number, too,
 * tells when it was taken, and is above those that an earlier server gave,
 * without anything being kept on disk.
 *
 * "marked" is the last mark.  A burst whose record is not above it goes on in
 * a record of its own, under the number where it began: what comes after a
 * mark is never added to what was before.
 *
 * "lost" is the highest number that was overwritten, raised before that
 * happens under the lock of the place; at first, the server's start.  Whoever
 * asks for what came after a mark not below it, and reads it after all the
 * records, has seen them all.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "collect/recent.h"

#define PGV_RECENT_TRANCHE "pg_vitals_recent"
#define PGV_RECENT_LOCKS 32
#define PGV_RECENT_PLACES 4096	/* at the most */

/* Guarded by the lock of its place; behind it, key and entry. */
typedef struct PgvSharedRecord
{
	uint64		number;			/* 0: free */
	uint64		burst;
} PgvSharedRecord;

typedef struct PgvSharedRecent
{
	pg_atomic_uint64 last;		/* number given, or mark taken */
	pg_atomic_uint64 marked;
	pg_atomic_uint64 lost;
	pg_atomic_uint32 next;		/* ticket */
	uint32		places;			/* constant */
} PgvSharedRecent;

static const PgvKind *recent_kind = NULL;

static PgvSharedRecent *shared = NULL;
static char *records = NULL;
static LWLockPadded *locks = NULL;

void
pgv_recent_configure(const PgvKind *kind)
{
	recent_kind = kind;
}

static inline Size
entry_offset(void)
{
	return MAXALIGN(sizeof(PgvSharedRecord)) + MAXALIGN(recent_kind->key_size);
}

static inline Size
record_size(void)
{
	return entry_offset() + MAXALIGN(recent_kind->entry_size);
}

static inline PgvSharedRecord *
record_at(uint32 place)
{
	return (PgvSharedRecord *) (records + place * record_size());
}

static inline void *
key_of(PgvSharedRecord *record)
{
	return (char *) record + MAXALIGN(sizeof(PgvSharedRecord));
}

static inline void *
entry_of(PgvSharedRecord *record)
{
	return (char *) record + entry_offset();
}

static inline LWLock *
lock_of(uint32 place)
{
	return &locks[place % PGV_RECENT_LOCKS].lock;
}

static uint32
place_count(void)
{
	return Min(recent_kind->limit(), PGV_RECENT_PLACES);
}

Size
pgv_recent_shmem_size(void)
{
	return add_size(MAXALIGN(sizeof(PgvSharedRecent)),
					mul_size(place_count(), record_size()));
}

int
pgv_recent_locks(void)
{
	return PGV_RECENT_LOCKS;
}

void
pgv_recent_shmem_init(void)
{
	bool		found;
	uint64		now = (uint64) GetCurrentTimestamp();

	locks = GetNamedLWLockTranche(PGV_RECENT_TRANCHE);
	shared = ShmemInitStruct("pg_vitals recent", pgv_recent_shmem_size(), &found);
	records = (char *) shared + MAXALIGN(sizeof(PgvSharedRecent));
	if (found)
		return;
	pg_atomic_init_u64(&shared->last, now);
	pg_atomic_init_u64(&shared->marked, 0);
	pg_atomic_init_u64(&shared->lost, now);
	pg_atomic_init_u32(&shared->next, 0);
	shared->places = place_count();
	memset(records, 0, shared->places * record_size());
}

/* ----- numbers ----- */

/* Make it at least so much. */
static void
raise_to(pg_atomic_uint64 *value, uint64 least)
{
	uint64		present = pg_atomic_read_u64(value);

	while (present < least &&
		   !pg_atomic_compare_exchange_u64(value, &present, least))
		;
}

static uint64
next_number(void)
{
	uint64		now = (uint64) GetCurrentTimestamp();
	uint64		last = pg_atomic_read_u64(&shared->last);
	uint64		number;

	do
	{
		number = Max(last + 1, now);
	} while (!pg_atomic_compare_exchange_u64(&shared->last, &last, number));
	return number;
}

uint64
pgv_recent_latest(void)
{
	return Max(pg_atomic_read_u64(&shared->last), (uint64) GetCurrentTimestamp());
}

uint64
pgv_recent_mark(void)
{
	uint64		mark = pgv_recent_latest();

	raise_to(&shared->last, mark);
	/* another may have been faster: whatever has a number has it by now */
	mark = pg_atomic_read_u64(&shared->last);
	raise_to(&shared->marked, mark);
	return mark;
}

/* ----- records ----- */

/* Add to an entry; the texts that it had already are nobody's here. */
static void
add_delta(PgvSharedRecord *record, const void *delta, bool fresh)
{
	uint64		surplus[PGV_MAX_ENTRY_TEXTS];

	recent_kind->merge(entry_of(record), delta, fresh, surplus);
}

/* Does the burst have a record that no mark was taken after? */
static bool
add_to_present(const PgvRecent *recent, const void *delta)
{
	PgvSharedRecord *record = record_at(recent->place);
	bool		present;

	LWLockAcquire(lock_of(recent->place), LW_EXCLUSIVE);
	present = record->number == recent->number &&
		recent->number > pg_atomic_read_u64(&shared->marked);
	if (present)
		add_delta(record, delta, false);
	LWLockRelease(lock_of(recent->place));
	return present;
}

void
pgv_recent_add(PgvRecent *recent, const void *key, const void *delta)
{
	PgvSharedRecord *record;

	if (recent->number != 0 && add_to_present(recent, delta))
		return;
	recent->place = pg_atomic_fetch_add_u32(&shared->next, 1) % shared->places;
	recent->number = next_number();
	if (recent->burst == 0)
		recent->burst = recent->number;
	record = record_at(recent->place);
	LWLockAcquire(lock_of(recent->place), LW_EXCLUSIVE);
	raise_to(&shared->lost, record->number);
	record->number = recent->number;
	record->burst = recent->burst;
	memcpy(key_of(record), key, recent_kind->key_size);
	memset(entry_of(record), 0, recent_kind->entry_size);
	add_delta(record, delta, true);
	LWLockRelease(lock_of(recent->place));
}

bool
pgv_recent_scan(uint64 mark, PgvRecentCallback callback, void *arg)
{
	PgvSharedRecord *copy = palloc(record_size());

	for (uint32 place = 0; place < shared->places; place++)
	{
		LWLockAcquire(lock_of(place), LW_SHARED);
		memcpy(copy, record_at(place), record_size());
		LWLockRelease(lock_of(place));
		if (copy->number > mark)
			callback(copy->burst, key_of(copy), entry_of(copy), arg);
	}
	pfree(copy);
	return mark >= pg_atomic_read_u64(&shared->lost);
}

void
pgv_recent_remove(PgvMatchCallback match, void *arg)
{
	for (uint32 place = 0; place < shared->places; place++)
	{
		PgvSharedRecord *record = record_at(place);

		LWLockAcquire(lock_of(place), LW_EXCLUSIVE);
		if (record->number != 0 && match(key_of(record), entry_of(record), arg))
			record->number = 0;
		LWLockRelease(lock_of(place));
	}
}
