/*-------------------------------------------------------------------------
 *
 * pending.c
 *	  Per-backend counters on their way to the store.
 *
 *	 slot of backend 0            slot of backend 1
 *	+------+-----+-----+----+    +------+-----+----
 *	| used | rec | rec | .. |    | used | rec | ...
 *	+------+-----+-----+----+    +------+-----+----
 *	  one lock each (own tranche, own cache line)
 *
 * A record is a key followed by a delta of the kind; "used" records are
 * filled, from the front.  All of a slot is guarded by its lock.  The owner
 * takes it at the end of each statement, uncontended; a reader takes it for
 * as long as it moves at most PGV_PENDING_RECORDS records into the store.
 * Because a count is always either in a slot or in the store, and moves
 * between them under the slot's lock, a reader that first collects and then
 * scans sees every execution that had ended before it began, once.
 *
 * A full slot sends the record that the hand points at to the store and
 * reuses it.  A slot outlives its backend: the next backend in the same place
 * goes on with it, so nothing is lost at exit and nothing has to be done.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "port/pg_bitutils.h"
#include "storage/shmem.h"

#include "collect/pending.h"

#define PGV_PENDING_TRANCHE "pg_vitals_pending"

typedef struct PgvSharedSlot
{
	uint32		used;			/* records filled */
	uint32		hand;			/* the next to give way */
	uint32		tags[PGV_PENDING_RECORDS];	/* of the records' keys */
	char		records[FLEXIBLE_ARRAY_MEMBER];
} PgvSharedSlot;

static const PgvKind *pending_kind = NULL;
static Size delta_size = 0;

static char *slots = NULL;
static LWLockPadded *locks = NULL;

/* this backend's */
static PgvSharedSlot *my_slot = NULL;
static LWLock *my_lock = NULL;

void
pgv_pending_configure(const PgvKind *kind, Size size)
{
	pending_kind = kind;
	delta_size = size;
}

static int
slot_count(void)
{
	return MaxBackends + NUM_AUXILIARY_PROCS;
}

static inline Size
record_size(void)
{
	return MAXALIGN(pending_kind->key_size) + MAXALIGN(delta_size);
}

static Size
slot_size(void)
{
	return CACHELINEALIGN(offsetof(PgvSharedSlot, records) +
						  PGV_PENDING_RECORDS * record_size());
}

Size
pgv_pending_shmem_size(void)
{
	return mul_size(slot_count(), slot_size());
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

void
pgv_pending_shmem_init(void)
{
	bool		found;

	locks = GetNamedLWLockTranche(PGV_PENDING_TRANCHE);
	slots = ShmemInitStruct("pg_vitals pending", pgv_pending_shmem_size(), &found);
	my_slot = NULL;
	if (found)
		return;
	for (int i = 0; i < slot_count(); i++)
	{
		PgvSharedSlot *slot = (PgvSharedSlot *) (slots + i * slot_size());

		slot->used = 0;
		slot->hand = 0;
	}
}

static inline char *
record_at(PgvSharedSlot *slot, uint32 i)
{
	return slot->records + i * record_size();
}

static inline void *
delta_of(char *record)
{
	return record + MAXALIGN(pending_kind->key_size);
}

static void
find_my_slot(void)
{
	int			procno = PGV_PROCNO();

	Assert(procno >= 0 && procno < slot_count());
	my_slot = (PgvSharedSlot *) (slots + procno * slot_size());
	my_lock = &locks[procno].lock;
}

void
pgv_pending_lock(void)
{
	if (unlikely(my_slot == NULL))
		find_my_slot();
	LWLockAcquire(my_lock, LW_EXCLUSIVE);
}

void
pgv_pending_unlock(void)
{
	LWLockRelease(my_lock);
}

/* A few bits of a key, so that most records need not be looked at. */
static inline uint32
tag_of(const void *key)
{
	const char *p = key;
	uint32		tag = 0;

	for (Size i = 0; i + sizeof(uint32) <= pending_kind->key_size; i += sizeof(uint32))
	{
		uint32		word;

		memcpy(&word, p + i, sizeof(word));
		tag = pg_rotate_left32(tag, 5) ^ word;
	}
	return tag;
}

void *
pgv_pending_find(const void *key, uint8 *hint)
{
	Size		key_size = pending_kind->key_size;
	char	   *record = record_at(my_slot, *hint);
	uint32		tag;

	if (likely(*hint < my_slot->used && memcmp(record, key, key_size) == 0))
		return delta_of(record);
	tag = tag_of(key);
	for (uint32 i = 0; i < my_slot->used; i++)
	{
		if (my_slot->tags[i] != tag)
			continue;
		record = record_at(my_slot, i);
		if (memcmp(record, key, key_size) == 0)
		{
			*hint = (uint8) i;
			return delta_of(record);
		}
	}
	return NULL;
}

void *
pgv_pending_add(const void *key, uint8 *hint)
{
	uint32		i = my_slot->used;
	char	   *record;

	if (i < PGV_PENDING_RECORDS)
		my_slot->used++;
	else
	{
		i = my_slot->hand;
		my_slot->hand = (i + 1) % PGV_PENDING_RECORDS;
		record = record_at(my_slot, i);
		pgv_store_offer(pending_kind, record, delta_of(record));
	}
	record = record_at(my_slot, i);
	memset(record, 0, record_size());
	memcpy(record, key, pending_kind->key_size);
	my_slot->tags[i] = tag_of(key);
	*hint = (uint8) i;
	return delta_of(record);
}

void
pgv_pending_spill(void *delta)
{
	char	   *record = (char *) delta - MAXALIGN(pending_kind->key_size);

	pgv_store_merge(pending_kind, record, delta);
	memset(delta, 0, delta_size);
}

void
pgv_pending_collect(void)
{
	for (int i = 0; i < slot_count(); i++)
	{
		PgvSharedSlot *slot = (PgvSharedSlot *) (slots + i * slot_size());

		/*
		 * Reading "used" without the lock is enough to pass by an empty slot:
		 * work that had ended when this read began was written under the lock
		 * before its backend went on.
		 */
		if (*(volatile uint32 *) &slot->used == 0)
			continue;
		LWLockAcquire(&locks[i].lock, LW_EXCLUSIVE);
		for (uint32 r = 0; r < slot->used; r++)
		{
			char	   *record = record_at(slot, r);

			pgv_store_merge(pending_kind, record, delta_of(record));
		}
		slot->used = 0;
		LWLockRelease(&locks[i].lock);
	}
}
