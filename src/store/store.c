/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The shared aggregate store.
 *
 * For each kind:
 *
 *	+-------+------------+---------+--------+---------+------------------+-------+
 *	| table | partitions | buckets | recent | headers | key+entry [pool] | tails |
 *	+-------+------------+---------+--------+---------+------------------+-------+
 *
 * Entries are slots of one pool, so that the limit is exact for the table as
 * a whole; a slot in use belongs to the partition that its key's hash names,
 * and is linked into one of that partition's buckets.
 *
 * Locks: a partition's lock guards its buckets and the headers and entries
 * linked there.  The pool's spinlock guards the free list, for a few
 * instructions.  Order: locks of pending, then one partition, then the
 * spinlock; a second partition is only ever tried, never waited for.
 *
 * The entry of a free slot is all zero: a kind zeroes what it used when the
 * entry leaves, which for a seldom used statement is a small part of it.
 *
 * Eviction looks at a few entries from where the partition's hand stands,
 * ages them, takes the one that is worth least, and adds it to the
 * partition's residual entry.  Before that, what is offered (not merged) has
 * to pass a door: of a key that is new and whose delta is negligible, a mark
 * is left in "recent", and it gets an entry only if it finds its own mark
 * there.  Marks are overwritten by those of other keys, which is what makes
 * them recent; the idea is that of the doorkeeper of TinyLFU (Einziger,
 * Friedman and Manes, 2017).  There is a reserve of one slot for the first
 * residual of every partition; further ones (of other databases) turn a
 * leaving entry into a residual where it stands.  So there is always room
 * for what leaves, and sums stay exact.
 *
 * The time since when an entry is there is the clock's, but later than that of
 * any entry that its partition has seen, as one key's entries are all in one
 * partition.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/timestamp.h"

#include "store/store.h"
#include "store/texts.h"

#define PGV_STORE_TRANCHE "pg_vitals_store"
#define PGV_MAX_KINDS 16
#define PGV_MAX_PARTITIONS 128
#define PGV_ENTRIES_PER_PARTITION 64	/* at the least, about */
#define PGV_SWEEP 12			/* entries looked at for one eviction */
#define PGV_NONE UINT32_MAX
#define PGV_MARK_SHIFT 16		/* of a hash, to the bits of a mark */

/* One slot's header; guarded by its partition's lock. */
typedef struct PgvSharedHeader
{
	uint32		hash;
	uint32		next;			/* in the bucket, or in the free list */
	uint8		usage;			/* falls as the hand passes, rises with use */
	bool		residual;
} PgvSharedHeader;

/* Guarded by its own lock. */
typedef struct PgvSharedPartition
{
	uint32		hand;			/* bucket where the next sweep begins */
	uint32		entries;		/* residuals included */
	bool		has_residual;
	uint64		evictions;
	uint64		refused;		/* of these, keys that were given no entry */
	TimestampTz latest;			/* since when its youngest entry was there */
} PgvSharedPartition;

typedef struct PgvSharedTable
{
	uint32		limit;
	uint32		pool_size;
	uint32		npartitions;	/* power of two */
	uint32		nbuckets;		/* per partition; power of two */
	slock_t		mutex;			/* guards the three below */
	uint32		free_head;
	uint32		nfree;
	uint32		reserve;		/* free slots kept for first residuals */
} PgvSharedTable;

/* This process's view of one kind's table. */
typedef struct PgvTable
{
	const PgvKind *kind;
	PgvSharedTable *shared;
	PgvSharedPartition *partitions;
	uint32	   *buckets;
	uint16	   *recent;			/* marks, half as many as buckets, or none */
	PgvSharedHeader *headers;
	char	   *slots;
	char	   *tails;
	Size		slot_size;
	LWLockPadded *locks;
} PgvTable;

/* What belongs to the store as a whole. */
typedef struct PgvSharedStore
{
	pg_atomic_uint64 reset_time;	/* a TimestampTz */
	pg_atomic_uint64 generation;	/* number of resets */
} PgvSharedStore;

static PGV_HOT_DATA PgvSharedStore *shared_store = NULL;
static const PgvKind *const *kinds = NULL;
static int	nkinds = 0;
static PgvTable tables[PGV_MAX_KINDS];

void
pgv_store_set_kinds(const PgvKind *const *list, int n)
{
	Assert(n <= PGV_MAX_KINDS);
	kinds = list;
	nkinds = n;
}

int
pgv_store_kinds(const PgvKind *const **list)
{
	*list = kinds;
	return nkinds;
}

static uint32
partition_count(const PgvKind *kind)
{
	uint32		n = 1;
	uint32		limit = kind->limit();

	while (n < PGV_MAX_PARTITIONS && limit / (n * 2) >= PGV_ENTRIES_PER_PARTITION)
		n *= 2;
	return n;
}

static uint32
bucket_count(const PgvKind *kind)
{
	return pg_nextpower2_32(Max(8, kind->limit() / partition_count(kind)));
}

static uint32
pool_size(const PgvKind *kind)
{
	return kind->limit() + (kind->residual_key ? partition_count(kind) : 0);
}

static Size
slot_size(const PgvKind *kind)
{
	return MAXALIGN(kind->key_size) + MAXALIGN(kind->entry_size);
}

/* Marks of keys seen of late, per partition. */
static uint32
mark_count(const PgvKind *kind)
{
	return kind->negligible != NULL ? bucket_count(kind) / 2 : 0;
}

static Size
table_size(const PgvKind *kind)
{
	Size		size = MAXALIGN(sizeof(PgvSharedTable));
	Size		parts = partition_count(kind);
	Size		pool = pool_size(kind);

	size = add_size(size, MAXALIGN(mul_size(parts, sizeof(PgvSharedPartition))));
	size = add_size(size, MAXALIGN(mul_size(parts * bucket_count(kind), sizeof(uint32))));
	size = add_size(size, MAXALIGN(mul_size(parts * mark_count(kind), sizeof(uint16))));
	size = add_size(size, MAXALIGN(mul_size(pool, sizeof(PgvSharedHeader))));
	size = add_size(size, mul_size(pool, slot_size(kind)));
	return add_size(size, mul_size(pool, MAXALIGN(kind->tail_size)));
}

Size
pgv_store_shmem_size(void)
{
	Size		size = MAXALIGN(sizeof(PgvSharedStore));

	for (int i = 0; i < nkinds; i++)
		size = add_size(size, table_size(kinds[i]));
	return size;
}

int
pgv_store_locks(void)
{
	int			n = 0;

	for (int i = 0; i < nkinds; i++)
		n += partition_count(kinds[i]);
	return n;
}

/* Set the pointers of a process's view of a table that stands at "place". */
static void
map_table(PgvTable *table, const PgvKind *kind, char *place, LWLockPadded *locks)
{
	Size		parts = partition_count(kind);

	table->kind = kind;
	table->shared = (PgvSharedTable *) place;
	place += MAXALIGN(sizeof(PgvSharedTable));
	table->partitions = (PgvSharedPartition *) place;
	place += MAXALIGN(parts * sizeof(PgvSharedPartition));
	table->buckets = (uint32 *) place;
	place += MAXALIGN(parts * bucket_count(kind) * sizeof(uint32));
	table->recent = (uint16 *) place;
	place += MAXALIGN(parts * mark_count(kind) * sizeof(uint16));
	table->headers = (PgvSharedHeader *) place;
	place += MAXALIGN(pool_size(kind) * sizeof(PgvSharedHeader));
	table->slots = place;
	table->slot_size = slot_size(kind);
	table->tails = table->slots + pool_size(kind) * table->slot_size;
	table->locks = locks;
}

static void
init_table(PgvTable *table)
{
	PgvSharedTable *shared = table->shared;
	const PgvKind *kind = table->kind;

	shared->limit = kind->limit();
	shared->pool_size = pool_size(kind);
	shared->npartitions = partition_count(kind);
	shared->nbuckets = bucket_count(kind);
	SpinLockInit(&shared->mutex);
	shared->nfree = shared->pool_size;
	shared->reserve = kind->residual_key ? shared->npartitions : 0;
	shared->free_head = 0;
	memset(table->partitions, 0, shared->npartitions * sizeof(PgvSharedPartition));
	memset(table->buckets, 0xFF,
		   (Size) shared->npartitions * shared->nbuckets * sizeof(uint32));
	memset(table->recent, 0,
		   (Size) shared->npartitions * mark_count(kind) * sizeof(uint16));
	memset(table->headers, 0, shared->pool_size * sizeof(PgvSharedHeader));
	memset(table->slots, 0, shared->pool_size *
		   (table->slot_size + MAXALIGN(kind->tail_size)));
	for (uint32 i = 0; i < shared->pool_size; i++)
		table->headers[i].next = i + 1 < shared->pool_size ? i + 1 : PGV_NONE;
}

void
pgv_store_shmem_init(void)
{
	LWLockPadded *locks = GetNamedLWLockTranche(PGV_STORE_TRANCHE);
	bool		found_store;

	shared_store = ShmemInitStruct("pg_vitals store", sizeof(PgvSharedStore),
								   &found_store);
	if (!found_store)
	{
		pg_atomic_init_u64(&shared_store->generation, 0);
		pg_atomic_init_u64(&shared_store->reset_time,
						   (uint64) GetCurrentTimestamp());
	}
	for (int i = 0; i < nkinds; i++)
	{
		bool		found;
		char		name[NAMEDATALEN];
		char	   *place;

		snprintf(name, sizeof(name), "pg_vitals %s", kinds[i]->name);
		place = ShmemInitStruct(name, table_size(kinds[i]), &found);
		map_table(&tables[i], kinds[i], place, locks);
		locks += partition_count(kinds[i]);
		if (!found)
			init_table(&tables[i]);
	}
}

static PgvTable *
table_of(const PgvKind *kind)
{
	for (int i = 0; i < nkinds; i++)
	{
		if (kinds[i] == kind)
			return &tables[i];
	}
	elog(PANIC, "pg_vitals: unknown kind of statistics");
	return NULL;
}

static inline void *
key_at(PgvTable *table, uint32 slot)
{
	return table->slots + slot * table->slot_size;
}

static inline void *
entry_at(PgvTable *table, uint32 slot)
{
	return table->slots + slot * table->slot_size +
		MAXALIGN(table->kind->key_size);
}

void *
pgv_store_tail(const PgvKind *kind, const void *entry)
{
	PgvTable   *table = table_of(kind);
	const char *at = entry;

	if (at >= table->slots && at < table->tails)
		return table->tails + (at - table->slots) / table->slot_size *
			MAXALIGN(kind->tail_size);
	return unconstify(char *, at) + MAXALIGN(kind->entry_size);
}

static inline uint32
hash_key(const PgvKind *kind, const void *key)
{
	return hash_bytes(key, (int) kind->key_size);
}

static inline uint32
partition_of(PgvTable *table, uint32 hash)
{
	return hash & (table->shared->npartitions - 1);
}

static inline uint32 *
bucket_in(PgvTable *table, uint32 partition, uint32 hash)
{
	PgvSharedTable *shared = table->shared;

	return &table->buckets[partition * shared->nbuckets +
						   ((hash >> 8) & (shared->nbuckets - 1))];
}

/* Full is the usual state: a look without the lock is enough to see it. */
static inline bool
is_full(const PgvTable *table)
{
	return *(volatile uint32 *) &table->shared->nfree <=
		*(volatile uint32 *) &table->shared->reserve;
}

/* Take a free slot; those of the reserve are for first residuals only. */
static uint32
take_slot(PgvTable *table, bool for_residual)
{
	PgvSharedTable *shared = table->shared;
	uint32		slot = PGV_NONE;

	if (!for_residual && is_full(table))
		return PGV_NONE;
	SpinLockAcquire(&shared->mutex);
	if (for_residual && shared->reserve > 0)
		shared->reserve--;
	if (shared->nfree > shared->reserve)
	{
		slot = shared->free_head;
		shared->free_head = table->headers[slot].next;
		shared->nfree--;
	}
	SpinLockRelease(&shared->mutex);
	return slot;
}

static void
give_slot(PgvTable *table, uint32 slot, bool first_residual)
{
	PgvSharedTable *shared = table->shared;

	table->kind->clear(entry_at(table, slot));
	SpinLockAcquire(&shared->mutex);
	table->headers[slot].next = shared->free_head;
	shared->free_head = slot;
	shared->nfree++;
	if (first_residual)
		shared->reserve++;
	SpinLockRelease(&shared->mutex);
}

/* Find a key in a given partition, which is locked. */
static uint32
find_slot(PgvTable *table, uint32 partition, const void *key, uint32 hash)
{
	uint32		slot = *bucket_in(table, partition, hash);

	while (slot != PGV_NONE)
	{
		PgvSharedHeader *header = &table->headers[slot];

		if (header->hash == hash &&
			memcmp(key_at(table, slot), key, table->kind->key_size) == 0)
			return slot;
		slot = header->next;
	}
	return PGV_NONE;
}

static void
link_slot(PgvTable *table, uint32 partition, uint32 slot, const void *key,
		  uint32 hash, bool residual)
{
	uint32	   *bucket = bucket_in(table, partition, hash);
	PgvSharedHeader *header = &table->headers[slot];

	memcpy(key_at(table, slot), key, table->kind->key_size);
	header->hash = hash;
	header->usage = 0;
	header->residual = residual;
	header->next = *bucket;
	*bucket = slot;
	table->partitions[partition].entries++;
	if (residual)
		table->partitions[partition].has_residual = true;
}

/* When an entry's life began. */
static inline TimestampTz *
since_of(PgvTable *table, uint32 slot)
{
	return (TimestampTz *) ((char *) entry_at(table, slot) + table->kind->since_offset);
}

/* A slot of a locked partition begins a life of its own. */
static void
begin_life(PgvTable *table, uint32 partition, uint32 slot)
{
	PgvSharedPartition *part = &table->partitions[partition];

	part->latest = Max(part->latest + 1, GetCurrentTimestamp());
	*since_of(table, slot) = part->latest;
}

static void
unlink_slot(PgvTable *table, uint32 partition, uint32 slot)
{
	uint32	   *link = bucket_in(table, partition, table->headers[slot].hash);

	while (*link != slot)
		link = &table->headers[*link].next;
	*link = table->headers[slot].next;
	table->partitions[partition].entries--;
}

/*
 * Choose what leaves a partition: of the next few entries the one with the
 * least use left, ageing all that the hand passes.
 */
static uint32
choose_victim(PgvTable *table, uint32 partition)
{
	PgvSharedPartition *part = &table->partitions[partition];
	uint32		nbuckets = table->shared->nbuckets;
	uint32		victim = PGV_NONE;
	int			seen = 0;

	for (uint32 i = 0; i < nbuckets && seen < PGV_SWEEP; i++)
	{
		uint32		slot;

		slot = table->buckets[partition * nbuckets + part->hand];
		part->hand = (part->hand + 1) & (nbuckets - 1);
		for (; slot != PGV_NONE; slot = table->headers[slot].next)
		{
			PgvSharedHeader *header = &table->headers[slot];

			if (header->residual)
				continue;
			seen++;
			if (victim == PGV_NONE || header->usage < table->headers[victim].usage)
				victim = slot;
			if (header->usage > 0)
				header->usage--;
		}
		if (victim != PGV_NONE && table->headers[victim].usage == 0)
			break;
	}
	return victim;
}

/* Text references given up under a lock, to be returned after it. */
typedef struct PgvGivenUp
{
	int			n;
	uint64		ids[8 * PGV_MAX_ENTRY_TEXTS];
} PgvGivenUp;

static void
give_up_texts(PgvTable *table, uint32 slot, PgvGivenUp *given_up)
{
	if (given_up->n + PGV_MAX_ENTRY_TEXTS <= lengthof(given_up->ids))
		given_up->n += table->kind->texts(key_at(table, slot),
										  entry_at(table, slot),
										  given_up->ids + given_up->n);
}

static void
release_texts(PgvGivenUp *given_up)
{
	for (int i = 0; i < given_up->n; i++)
		pgv_texts_release(given_up->ids[i]);
	given_up->n = 0;
}

/* Some residual of a locked partition, of whatever database; or PGV_NONE. */
static uint32
any_residual(PgvTable *table, uint32 partition)
{
	uint32		nbuckets = table->shared->nbuckets;

	for (uint32 i = 0; i < nbuckets; i++)
	{
		uint32		slot = table->buckets[partition * nbuckets + i];

		for (; slot != PGV_NONE; slot = table->headers[slot].next)
		{
			if (table->headers[slot].residual)
				return slot;
		}
	}
	return PGV_NONE;
}

/*
 * The residual that takes what leaves under "key", made if need be; PGV_NONE
 * where no free slot is left for it.
 */
static uint32
residual_for(PgvTable *table, uint32 partition, const void *key, bool *fresh)
{
	const PgvKind *kind = table->kind;
	char		residual_key[PGV_MAX_KEY_SIZE];
	uint32		hash;
	uint32		slot;

	kind->residual_key(key, residual_key);
	hash = hash_key(kind, residual_key);
	*fresh = false;
	slot = find_slot(table, partition, residual_key, hash);
	if (slot != PGV_NONE)
		return slot;
	if (table->partitions[partition].has_residual)
		return PGV_NONE;
	slot = take_slot(table, true);
	if (slot == PGV_NONE)
		return PGV_NONE;
	link_slot(table, partition, slot, residual_key, hash, true);
	begin_life(table, partition, slot);
	*fresh = true;
	return slot;
}

/* Turn a leaving entry into the residual of its own database. */
static void
become_residual(PgvTable *table, uint32 partition, uint32 slot)
{
	const PgvKind *kind = table->kind;
	char		residual_key[PGV_MAX_KEY_SIZE];

	kind->residual_key(key_at(table, slot), residual_key);
	unlink_slot(table, partition, slot);
	kind->absorb(entry_at(table, slot), NULL, false);
	link_slot(table, partition, slot, residual_key,
			  hash_key(kind, residual_key), true);
	begin_life(table, partition, slot);
}

/*
 * Make one entry of a locked partition leave.  Returns false if there is none
 * that could.  *freed is its slot, cleared, for the caller to use; PGV_NONE
 * where it stays in use as a residual.
 */
static bool
evict_one(PgvTable *table, uint32 partition, PgvGivenUp *given_up, uint32 *freed)
{
	const PgvKind *kind = table->kind;
	uint32		victim = choose_victim(table, partition);
	uint32		residual;
	bool		fresh;

	*freed = PGV_NONE;
	if (victim == PGV_NONE)
		return false;
	table->partitions[partition].evictions++;
	give_up_texts(table, victim, given_up);
	if (kind->residual_key != NULL)
	{
		residual = residual_for(table, partition, key_at(table, victim), &fresh);
		if (residual == PGV_NONE)
		{
			become_residual(table, partition, victim);
			return true;
		}
		kind->absorb(entry_at(table, residual), entry_at(table, victim), fresh);
	}
	unlink_slot(table, partition, victim);
	kind->clear(entry_at(table, victim));
	*freed = victim;
	return true;
}

/* Evict from any other partition that nobody holds at the moment. */
static bool
evict_elsewhere(PgvTable *table, uint32 partition, PgvGivenUp *given_up,
				uint32 *freed)
{
	uint32		n = table->shared->npartitions;

	for (uint32 i = 1; i < n; i++)
	{
		uint32		other = (partition + i) & (n - 1);
		bool		done;

		if (!LWLockConditionalAcquire(&table->locks[other].lock, LW_EXCLUSIVE))
			continue;
		done = evict_one(table, other, given_up, freed);
		LWLockRelease(&table->locks[other].lock);
		if (done)
			return true;
	}
	return false;
}

/* A slot for a new entry of a locked partition, or PGV_NONE. */
static uint32
make_room(PgvTable *table, uint32 partition, PgvGivenUp *given_up)
{
	uint32		slot = take_slot(table, false);

	/* the first eviction may only turn its victim into a residual */
	for (int tries = 0; slot == PGV_NONE && tries < 3; tries++)
	{
		if (!evict_one(table, partition, given_up, &slot) &&
			!evict_elsewhere(table, partition, given_up, &slot))
			break;
	}
	return slot;
}

/* A slot for a new key of a locked partition, which may be a residual's; or PGV_NONE. */
static uint32
slot_for(PgvTable *table, uint32 partition, bool residual, PgvGivenUp *given_up)
{
	if (residual && !table->partitions[partition].has_residual)
		return take_slot(table, true);
	return make_room(table, partition, given_up);
}

/*
 * Is there no free slot for a key that would have to push out another?  Then
 * leave its mark, and say whether it was there already.
 */
static bool
passes_door(PgvTable *table, uint32 partition, uint32 hash)
{
	PgvSharedTable *shared = table->shared;
	uint16		mark = (uint16) (hash >> PGV_MARK_SHIFT) | 1;
	uint16	   *place;

	if (!is_full(table))
		return true;
	place = &table->recent[partition * (shared->nbuckets / 2) +
						   ((hash >> 7) & (shared->nbuckets / 2 - 1))];
	if (*place == mark)
		return true;
	*place = mark;
	return false;
}

/*
 * No entry is to be made: the delta goes straight to the partition's residual
 * of its own database; where there is none yet, to any if it must.  Returns
 * false if it went nowhere.
 */
static bool
merge_into_residual(PgvTable *table, uint32 partition, const void *key,
					const void *delta, bool must, PgvGivenUp *given_up)
{
	const PgvKind *kind = table->kind;
	uint64		surplus[PGV_MAX_ENTRY_TEXTS];
	uint32		slot = PGV_NONE;
	bool		fresh = false;

	if (kind->residual_key != NULL)
		slot = residual_for(table, partition, key, &fresh);
	if (slot == PGV_NONE && !must)
		return false;
	table->partitions[partition].evictions++;
	table->partitions[partition].refused++;
	given_up->n += kind->delta_texts(delta, given_up->ids + given_up->n);
	/* a partition full of residuals of other databases: better there */
	if (slot == PGV_NONE && kind->residual_key != NULL)
		slot = any_residual(table, partition);
	if (slot == PGV_NONE)
		return false;
	kind->merge(entry_at(table, slot), delta, fresh, surplus);
	kind->absorb(entry_at(table, slot), NULL, false);
	return true;
}

static void
merge_locked(PgvTable *table, uint32 partition, const void *key, uint32 hash,
			 const void *delta, bool offered, PgvGivenUp *given_up)
{
	const PgvKind *kind = table->kind;
	uint32		slot = find_slot(table, partition, key, hash);
	bool		fresh = (slot == PGV_NONE);
	PgvSharedHeader *header;

	if (fresh)
	{
		bool		residual = kind->is_residual != NULL && kind->is_residual(key);

		if (offered && !residual && !passes_door(table, partition, hash) &&
			merge_into_residual(table, partition, key, delta, false, given_up))
			return;
		slot = slot_for(table, partition, residual, given_up);
		if (slot == PGV_NONE)
		{
			merge_into_residual(table, partition, key, delta, true, given_up);
			return;
		}
		link_slot(table, partition, slot, key, hash, residual);
		begin_life(table, partition, slot);
	}
	given_up->n += kind->merge(entry_at(table, slot), delta, fresh,
							   given_up->ids + given_up->n);
	header = &table->headers[slot];
	header->usage = (uint8) Max(header->usage, kind->worth(entry_at(table, slot)));
}

static void
merge(const PgvKind *kind, const void *key, const void *delta, bool offered)
{
	PgvTable   *table = table_of(kind);
	uint32		hash = hash_key(kind, key);
	uint32		partition = partition_of(table, hash);
	PgvGivenUp	given_up = {0};

	LWLockAcquire(&table->locks[partition].lock, LW_EXCLUSIVE);
	merge_locked(table, partition, key, hash, delta, offered, &given_up);
	LWLockRelease(&table->locks[partition].lock);
	release_texts(&given_up);
}

void
pgv_store_merge(const PgvKind *kind, const void *key, const void *delta)
{
	merge(kind, key, delta, false);
}

void
pgv_store_offer(const PgvKind *kind, const void *key, const void *delta)
{
	merge(kind, key, delta,
		  kind->negligible != NULL && kind->negligible(delta));
}

bool
pgv_store_is_full(const PgvKind *kind)
{
	return is_full(table_of(kind));
}

bool
pgv_store_has(const PgvKind *kind, const void *key)
{
	PgvTable   *table = table_of(kind);
	uint32		hash = hash_key(kind, key);
	uint32		partition = partition_of(table, hash);
	bool		found;

	LWLockAcquire(&table->locks[partition].lock, LW_SHARED);
	found = find_slot(table, partition, key, hash) != PGV_NONE;
	LWLockRelease(&table->locks[partition].lock);
	return found;
}

/*
 * An entry of a file for which there is no room, or that is there twice: a
 * residual, which every partition had one of.  It was there since the earliest
 * of them.
 */
static void
restore_into_residual(PgvTable *table, uint32 partition, const void *key,
					  const void *entry)
{
	const PgvKind *kind = table->kind;
	bool		fresh = false;
	uint32		residual;
	TimestampTz since;

	if (kind->residual_key == NULL)
		return;
	residual = residual_for(table, partition, key, &fresh);
	if (residual == PGV_NONE)
		residual = any_residual(table, partition);
	if (residual == PGV_NONE)
		return;
	kind->absorb(entry_at(table, residual), entry, fresh);
	memcpy(&since, (const char *) entry + kind->since_offset, sizeof(since));
	if (kind->is_residual(key) && since < *since_of(table, residual))
		*since_of(table, residual) = since;
}

void
pgv_store_restore(const PgvKind *kind, const void *key, const void *entry)
{
	PgvTable   *table = table_of(kind);
	bool		residual = kind->is_residual != NULL && kind->is_residual(key);
	uint32		hash = hash_key(kind, key);
	uint32		partition = partition_of(table, hash);
	PgvGivenUp	given_up = {0};
	uint32		slot = PGV_NONE;

	LWLockAcquire(&table->locks[partition].lock, LW_EXCLUSIVE);
	if (find_slot(table, partition, key, hash) == PGV_NONE)
		slot = slot_for(table, partition, residual, &given_up);
	if (slot != PGV_NONE)
	{
		memcpy(entry_at(table, slot), entry, kind->entry_size);
		if (kind->uses_tail != NULL && kind->uses_tail(entry))
			memcpy(pgv_store_tail(kind, entry_at(table, slot)),
				   pgv_store_tail(kind, entry), kind->tail_size);
		link_slot(table, partition, slot, key, hash, residual);
		table->partitions[partition].latest =
			Max(table->partitions[partition].latest, *since_of(table, slot));
		table->headers[slot].usage = (uint8) kind->worth(entry);
	}
	else
	{
		given_up.n += kind->texts(key, entry, given_up.ids + given_up.n);
		restore_into_residual(table, partition, key, entry);
	}
	LWLockRelease(&table->locks[partition].lock);
	release_texts(&given_up);
}

/* A slot's copy: key and entry, and the tail behind it. */
static Size
copy_size(const PgvTable *table)
{
	return table->slot_size + MAXALIGN(table->kind->tail_size);
}

static void
copy_slot(PgvTable *table, uint32 slot, char *copy)
{
	const PgvKind *kind = table->kind;

	memcpy(copy, key_at(table, slot), table->slot_size);
	if (kind->uses_tail != NULL && kind->uses_tail(entry_at(table, slot)))
		memcpy(copy + table->slot_size,
			   pgv_store_tail(kind, entry_at(table, slot)), kind->tail_size);
}

/* Copy a partition's slots; returns how many fit or are there. */
static uint32
copy_partition(PgvTable *table, uint32 partition, char *copy, uint32 room)
{
	uint32		nbuckets = table->shared->nbuckets;
	uint32		n;

	LWLockAcquire(&table->locks[partition].lock, LW_SHARED);
	n = table->partitions[partition].entries;
	if (n <= room)
	{
		for (uint32 i = 0; i < nbuckets; i++)
		{
			uint32		slot = table->buckets[partition * nbuckets + i];

			for (; slot != PGV_NONE; slot = table->headers[slot].next)
			{
				copy_slot(table, slot, copy);
				copy += copy_size(table);
			}
		}
	}
	LWLockRelease(&table->locks[partition].lock);
	return n;
}

void
pgv_store_scan(const PgvKind *kind, PgvScanCallback callback, void *arg)
{
	PgvTable   *table = table_of(kind);
	Size		size = copy_size(table);
	uint32		room = PGV_ENTRIES_PER_PARTITION * 2;
	char	   *copy = palloc_extended(room * size, MCXT_ALLOC_HUGE);
	bool		more = true;

	for (uint32 p = 0; more && p < table->shared->npartitions; p++)
	{
		uint32		n;

		while ((n = copy_partition(table, p, copy, room)) > room)
		{
			pfree(copy);
			room = n + n / 4;
			copy = palloc_extended(room * size, MCXT_ALLOC_HUGE);
		}
		for (uint32 i = 0; more && i < n; i++)
		{
			char	   *slot = copy + i * size;

			more = callback(slot, slot + MAXALIGN(kind->key_size), arg);
		}
		CHECK_FOR_INTERRUPTS();
	}
	pfree(copy);
}

/*
 * Remove up to a few matching entries of one partition, so that their texts
 * can be released outside the lock.  Returns how many went.
 */
static uint32
remove_some(PgvTable *table, uint32 partition, PgvMatchCallback match,
			void *arg, PgvGivenUp *given_up)
{
	uint32		nbuckets = table->shared->nbuckets;
	uint32		gone = 0;

	for (uint32 i = 0; i < nbuckets; i++)
	{
		uint32		slot = table->buckets[partition * nbuckets + i];

		while (slot != PGV_NONE)
		{
			uint32		next = table->headers[slot].next;

			/* before the question: what matches goes, and is asked once */
			if (given_up->n + PGV_MAX_ENTRY_TEXTS > lengthof(given_up->ids))
				return gone;
			if (match(key_at(table, slot), entry_at(table, slot), arg))
			{
				bool		residual = table->headers[slot].residual;
				bool		last = false;

				give_up_texts(table, slot, given_up);
				unlink_slot(table, partition, slot);
				if (residual)
				{
					last = any_residual(table, partition) == PGV_NONE;
					table->partitions[partition].has_residual = !last;
				}
				give_slot(table, slot, last);
				gone++;
			}
			slot = next;
		}
	}
	return gone;
}

uint64
pgv_store_remove(const PgvKind *kind, PgvMatchCallback match, void *arg)
{
	PgvTable   *table = table_of(kind);
	uint64		total = 0;

	pg_atomic_fetch_add_u64(&shared_store->generation, 1);
	for (uint32 p = 0; p < table->shared->npartitions; p++)
	{
		uint32		gone;

		do
		{
			PgvGivenUp	given_up = {0};

			LWLockAcquire(&table->locks[p].lock, LW_EXCLUSIVE);
			gone = remove_some(table, p, match, arg, &given_up);
			LWLockRelease(&table->locks[p].lock);
			release_texts(&given_up);
			total += gone;
		} while (gone > 0);
	}
	return total;
}

uint64
pgv_store_generation(void)
{
	return pg_atomic_read_u64(&shared_store->generation);
}

TimestampTz
pgv_store_reset_time(void)
{
	return (TimestampTz) pg_atomic_read_u64(&shared_store->reset_time);
}

void
pgv_store_set_reset_time(TimestampTz at)
{
	pg_atomic_write_u64(&shared_store->reset_time, (uint64) at);
}

void
pgv_store_stats(const PgvKind *kind, PgvStoreStats *stats)
{
	PgvTable   *table = table_of(kind);

	memset(stats, 0, sizeof(*stats));
	stats->limit = table->shared->limit;
	stats->memory_bytes = table_size(kind);
	for (uint32 p = 0; p < table->shared->npartitions; p++)
	{
		LWLockAcquire(&table->locks[p].lock, LW_SHARED);
		stats->entries += table->partitions[p].entries;
		stats->evictions += table->partitions[p].evictions;
		stats->refused += table->partitions[p].refused;
		LWLockRelease(&table->locks[p].lock);
	}
	stats->memory_used = stats->entries *
		(sizeof(PgvSharedHeader) + table->slot_size + MAXALIGN(kind->tail_size));
}
