/*-------------------------------------------------------------------------
 *
 * pending.c
 *	  Per-backend counters on their way to the store.
 *
 *	 slot of backend 0                             slot of backend 1
 *	+-----------------------+-------------------+ +-------------------+---
 *	| used | rec | rec | .. | used | rec | ..   | | used | rec | ..   | ..
 *	+-----------------------+-------------------+ +-------------------+---
 *	  part of one kind        part of the next      one lock each slot (own
 *	                                                tranche, own cache line)
 *
 * A record is a key followed by a delta of the kind (or of two kinds, where one
 * counts in more detail what the other counts); of each part "used" records
 * are filled, from the front.  All of a slot is guarded by its lock.
 * The owner takes it at the end of each statement, uncontended; a reader takes
 * it for as long as it moves the slot's records into the store.
 * Because a count is always either in a slot or in the store, and moves
 * between them under the slot's lock, a reader that first collects and then
 * scans sees every execution that had ended before it began, once.
 *
 * A full part sends the record that its hand points at to the store and
 * reuses it.  A slot outlives its backend: the next backend in the same place
 * goes on with it, so nothing is lost at exit and nothing has to be done.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/pg_bitutils.h"
#include "storage/shmem.h"

#include "base/server.h"
#include "collect/pending.h"

#define PGV_PENDING_TRANCHE "pg_vitals_pending"

typedef struct PgvSharedPart
{
	uint32		used;			/* records filled */
	uint32		hand;			/* the next to give way */
	/* tags of the records' keys, then, aligned, the records */
	uint32		tags[FLEXIBLE_ARRAY_MEMBER];
} PgvSharedPart;

static PgvPendingPart *const *parts = NULL;
static int	nparts = 0;
static Size slot_bytes = 0;

static char *slots = NULL;
static LWLockPadded *locks = NULL;

/* this backend's */
static PGV_HOT_DATA LWLock *my_lock = NULL;

void
pgv_pending_also(PgvPendingPart *part, const PgvKind *also)
{
	Assert(also->key_size > part->kind->key_size);
	part->also = also;
}

void
pgv_pending_configure(PgvPendingPart *const *list, int n)
{
	parts = list;
	nparts = n;
	slot_bytes = 0;
	for (int i = 0; i < n; i++)
	{
		PgvPendingPart *part = list[i];

		Assert(part->records > 0 && part->records <= PGV_PENDING_MAX_RECORDS);
		part->key_size = part->also != NULL ? part->also->key_size : part->kind->key_size;
		Assert(part->key_size % sizeof(uint64) == 0);
		part->offset = slot_bytes;
		part->start = MAXALIGN(offsetof(PgvSharedPart, tags) +
							   part->records * sizeof(uint32));
		part->key_room = MAXALIGN(part->key_size);
		part->record_size = part->key_room + MAXALIGN(part->delta_size);
		slot_bytes += CACHELINEALIGN(part->start + part->records * part->record_size);
	}
}

static int
slot_count(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

Size
pgv_pending_shmem_size(void)
{
	return mul_size(slot_count(), slot_bytes);
}

int
pgv_pending_locks(void)
{
	return slot_count();
}

Size
pgv_pending_memory(void)
{
	return pgv_pending_shmem_size();
}

static inline PgvSharedPart *
part_of_slot(const PgvPendingPart *part, int slot)
{
	return (PgvSharedPart *) (slots + slot * slot_bytes + part->offset);
}

void
pgv_pending_shmem_init(void)
{
	bool		found;

	locks = GetNamedLWLockTranche(PGV_PENDING_TRANCHE);
	slots = ShmemInitStruct("pg_vitals pending", pgv_pending_shmem_size(), &found);
	my_lock = NULL;
	for (int i = 0; !found && i < slot_count(); i++)
	{
		for (int p = 0; p < nparts; p++)
			memset(part_of_slot(parts[p], i), 0, offsetof(PgvSharedPart, tags));
	}
}

static inline char *
record_at(const PgvPendingPart *part, PgvSharedPart *shared, uint32 i)
{
	return (char *) shared + part->start + i * part->record_size;
}

static inline void *
delta_of(const PgvPendingPart *part, char *record)
{
	return record + part->key_room;
}

/* Is the record of the part's second kind, too? */
static bool
is_of_both(const PgvPendingPart *part, const char *record)
{
	uint64		last;

	if (part->also == NULL)
		return false;
	memcpy(&last, record + part->key_size - sizeof(last), sizeof(last));
	return last != 0;
}

/* Move a record to the store, or offer it (see store.h); its slot is locked. */
static void
move_record(const PgvPendingPart *part, char *record, bool offer)
{
	void		(*move) (const PgvKind *kind, const void *key, const void *delta) =
		offer ? pgv_store_offer : pgv_store_merge;

	move(part->kind, record, delta_of(part, record));
	if (is_of_both(part, record))
		move(part->also, record, delta_of(part, record));
}

static void
find_my_slot(void)
{
	int			procno = PGV_PROCNO();

	Assert(procno >= 0 && procno < slot_count());
	for (int p = 0; p < nparts; p++)
		parts[p]->mine = part_of_slot(parts[p], procno);
	my_lock = &locks[procno].lock;
}

pg_attribute_hot void
pgv_pending_lock(void)
{
	if (unlikely(my_lock == NULL))
		find_my_slot();
	LWLockAcquire(my_lock, LW_EXCLUSIVE);
}

pg_attribute_hot void
pgv_pending_unlock(void)
{
	LWLockRelease(my_lock);
}

/* A few bits of a key, so that most records need not be looked at. */
static inline uint32
tag_of(const PgvPendingPart *part, const void *key)
{
	Size		key_size = part->key_size;
	const char *p = key;
	uint32		tag = 0;

	for (Size i = 0; i + sizeof(uint32) <= key_size; i += sizeof(uint32))
	{
		uint32		word;

		memcpy(&word, p + i, sizeof(word));
		tag = pg_rotate_left32(tag, 5) ^ word;
	}
	return tag;
}

/* Are two keys equal?  They are whole words, and few: no call for that. */
static inline bool
same_key(const PgvPendingPart *part, const char *a, const char *b)
{
	uint64		different = 0;

	for (Size i = 0; i < part->key_size; i += sizeof(uint64))
	{
		uint64		x;
		uint64		y;

		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		different |= x ^ y;
	}
	return different == 0;
}

/* The record of a key that is not where it was last. */
static pg_noinline void *
look_for(const PgvPendingPart *part, const void *key, uint8 *hint)
{
	PgvSharedPart *mine = part->mine;
	uint32		tag = tag_of(part, key);

	for (uint32 i = 0; i < mine->used; i++)
	{
		char	   *record = record_at(part, mine, i);

		if (mine->tags[i] != tag)
			continue;
		if (same_key(part, record, key))
		{
			*hint = (uint8) i;
			return delta_of(part, record);
		}
	}
	return NULL;
}

pg_attribute_hot void *
pgv_pending_find(const PgvPendingPart *part, const void *key, uint8 *hint)
{
	PgvSharedPart *mine = part->mine;
	char	   *record = record_at(part, mine, *hint);

	if (likely(*hint < mine->used && same_key(part, record, key)))
		return delta_of(part, record);
	return look_for(part, key, hint);
}

void *
pgv_pending_add(const PgvPendingPart *part, const void *key, uint8 *hint)
{
	PgvSharedPart *mine = part->mine;
	uint32		i = mine->used;
	char	   *record;

	if (i < part->records)
		mine->used++;
	else
	{
		i = mine->hand;
		mine->hand = (i + 1) % part->records;
		move_record(part, record_at(part, mine, i), true);
	}
	record = record_at(part, mine, i);
	memset(record, 0, part->record_size);
	memcpy(record, key, part->key_size);
	mine->tags[i] = tag_of(part, key);
	*hint = (uint8) i;
	return delta_of(part, record);
}

void
pgv_pending_spill(const PgvPendingPart *part, void *delta)
{
	move_record(part, (char *) delta - part->key_room, false);
	memset(delta, 0, part->delta_size);
}

/* Move a part's records into the store; its slot is locked. */
static void
collect_part(const PgvPendingPart *part, PgvSharedPart *shared)
{
	for (uint32 r = 0; r < shared->used; r++)
		move_record(part, record_at(part, shared, r), false);
	shared->used = 0;
}

/*
 * Reading "used" without the lock is enough to pass by an empty slot: work
 * that had ended when this read began was written under the lock before its
 * backend went on.
 */
static bool
looks_empty(int slot)
{
	for (int p = 0; p < nparts; p++)
	{
		if (*(volatile uint32 *) &part_of_slot(parts[p], slot)->used != 0)
			return false;
	}
	return true;
}

void
pgv_pending_collect(void)
{
	for (int i = 0; i < slot_count(); i++)
	{
		if (looks_empty(i))
			continue;
		LWLockAcquire(&locks[i].lock, LW_EXCLUSIVE);
		for (int p = 0; p < nparts; p++)
			collect_part(parts[p], part_of_slot(parts[p], i));
		LWLockRelease(&locks[i].lock);
	}
}
