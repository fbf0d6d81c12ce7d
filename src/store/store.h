/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The shared aggregate store: one mechanism for every kind of statistics.
 *
 * A kind describes itself by a PgvKind; the store gives it fixed shared
 * memory, partitions, eviction, reset, scan and persistence, and never knows
 * what its entries mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_STORE_H
#define PGV_STORE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lwlock.h"

#define PGV_MAX_KEY_SIZE 64
#define PGV_MAX_ENTRY_TEXTS 8

/*
 * A kind of entries.  The callbacks run while the entry's partition is
 * locked, so they must be short, take no lock and raise nothing.
 *
 * Totals survive eviction when residual_key is given: what leaves is added,
 * by absorb, to the residual entry of the same partition whose key
 * residual_key makes; a scan sums the residuals of all partitions.  Without
 * it, what leaves is forgotten (and counted).
 *
 * The store writes into every entry since when it is there.  What leaves and
 * comes back begins again from nothing, with another time: two entries that
 * follow one another under a key never have the same, whatever the clock does.
 * A residual keeps its own, whatever is added to it.  The callbacks neither
 * read nor write it, but for clear.
 */
typedef struct PgvKind
{
	const char *name;			/* in the statistics file */
	uint32		version;		/* of key and entry, in the statistics file */
	Size		key_size;		/* compared and hashed bytewise: no padding */
	Size		entry_size;
	Size		since_offset;	/* in the entry, of a TimestampTz; see below */
	Size		tail_size;		/* of a part that few entries use; 0: none */
	int			(*limit) (void);	/* entries at the most */

	/*
	 * Add a delta to an entry; "fresh" when the entry is new and all zero.
	 * Returns how many text references of the delta the entry did not take
	 * over, with their ids in surplus.
	 */
	int			(*merge) (void *entry, const void *delta, bool fresh,
						  uint64 *surplus);
	/* Ids of the texts that the entry holds a reference to; of a delta. */
	int			(*texts) (const void *key, const void *entry, uint64 *ids);
	int			(*delta_texts) (const void *delta, uint64 *ids);
	/* The text could not be had: the entry is to do without it. */
	void		(*lose_text) (void *entry, uint64 id);
	/*
	 * From 0 (evict first) to 255: how often and how costly it was used, in
	 * passes of the partition's hand that it outlives.
	 */
	int			(*worth) (const void *entry);
	/*
	 * Is the delta so little that, in a full table, it may go straight to the
	 * residual when its key was not seen of late?  NULL: never.
	 */
	bool		(*negligible) (const void *delta);
	/* The key of the residual that takes what leaves; NULL: none. */
	void		(*residual_key) (const void *key, void *residual);
	bool		(*is_residual) (const void *key);
	/* Add a leaving entry (fresh: residual is all zero) to its residual. */
	void		(*absorb) (void *residual, const void *entry, bool fresh);
	/* Zero an entry that leaves and its tail, knowing what of it was used. */
	void		(*clear) (void *entry);
	/* Is its tail in use?  NULL where there is none. */
	bool		(*uses_tail) (const void *entry);
	/*
	 * An entry read from a file, of whatever bytes: can all that is done with
	 * entries be done with it, and nothing fail?
	 */
	bool		(*valid) (const void *key, const void *entry);
	/*
	 * Can a text read from a file be what such an entry knows by that id?
	 * NULL: whatever it is.
	 */
	bool		(*fits) (const void *entry, uint64 id, const char *text, int len,
						 int encoding);
} PgvKind;

typedef struct PgvStoreStats
{
	uint64		entries;
	uint64		limit;
	uint64		evictions;
	uint64		refused;		/* of these, keys that were given no entry */
	uint64		memory_bytes;	/* reserved */
	uint64		memory_used;	/* by entries, with the room of their tails */
} PgvStoreStats;

/*
 * Called by a scan for a private copy of each entry, with no lock held.
 * Return false to end the scan.
 */
typedef bool (*PgvScanCallback) (const void *key, const void *entry, void *arg);

/* Does this entry go?  Called with the partition locked, as above. */
typedef bool (*PgvMatchCallback) (const void *key, const void *entry, void *arg);

/* The list of kinds: to be called once per process, from _PG_init. */
extern void pgv_store_set_kinds(const PgvKind *const *kinds, int n);
extern int	pgv_store_kinds(const PgvKind *const **kinds);

extern Size pgv_store_shmem_size(void);
extern int	pgv_store_locks(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_store_shmem_init(void);

/*
 * Add a delta to the entry of a key (which may be a residual's), making one where
 * there is none, evicting where there is no room.  The delta's text references go to the entry or are
 * given back.  Takes the partition's lock; the caller may hold locks of
 * pending, and none of texts.  Raises nothing.
 */
extern void pgv_store_merge(const PgvKind *kind, const void *key,
							const void *delta);

/*
 * The same for what a backend gives up because it has other work, when no one
 * asks to see it: in a full table a key that is seen for the first time, with
 * a delta that its kind calls negligible, takes no other entry's place; the
 * delta goes to the residual.  So what runs once cannot push out what is used.
 */
extern void pgv_store_offer(const PgvKind *kind, const void *key,
							const void *delta);

/* Is there no free place, so that what is new takes another's?  No lock. */
extern bool pgv_store_is_full(const PgvKind *kind);

/* Has a key an entry?  Locks its partition, shared. */
extern bool pgv_store_has(const PgvKind *kind, const void *key);

/*
 * Put an entry read from a file (with its tail behind it), with the text
 * references it holds.  Where
 * there is no room it is added to its residual, or dropped if its kind has
 * none.
 */
extern void pgv_store_restore(const PgvKind *kind, const void *key,
							  const void *entry);

/*
 * Show every entry to a callback.  A partition is locked, shared, while it is
 * copied, and no longer; what is in one partition is seen at one moment, so
 * that an entry and the residual it may go to are never both seen or both
 * missed.  Raises what the callback raises, and out of memory.
 */
extern void pgv_store_scan(const PgvKind *kind, PgvScanCallback callback,
						   void *arg);

/*
 * The tail of an entry: of one in the table it stands apart, so that entries
 * that do without it lie close together; of a copy, behind the entry.
 */
extern void *pgv_store_tail(const PgvKind *kind, const void *entry);

/*
 * Remove what matches, which is asked once of what goes; returns how many went.
 * Raises nothing.
 */
extern uint64 pgv_store_remove(const PgvKind *kind, PgvMatchCallback match,
							   void *arg);

/* Counts resets, of whatever part: what goes on is to begin anew. */
extern uint64 pgv_store_generation(void);

/* When all statistics were last reset, or first collected. */
extern TimestampTz pgv_store_reset_time(void);
extern void pgv_store_set_reset_time(TimestampTz at);

extern void pgv_store_stats(const PgvKind *kind, PgvStoreStats *stats);

#endif							/* PGV_STORE_H */
