/*-------------------------------------------------------------------------
 *
 * buckets.h
 *	  The histogram of an entry of the store.
 *
 * Most entries need few buckets: those stand in the entry as pairs.  One whose
 * times have varied more takes into use an array in its tail (see store.h),
 * which the caller passes along; where the tail is not in use it is all zero.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_BUCKETS_H
#define PGV_BUCKETS_H

#include "postgres.h"

#include "base/histogram.h"

/* Pairs that an entry keeps by itself. */
#define PGV_OWN_BUCKETS 6

/* All zero: empty. */
typedef struct PgvBuckets
{
	bool		has_tail;
	uint8		n;				/* pairs in use; 0 when the tail is */
	uint16		low;			/* range in use of the tail */
	uint16		high;
	uint16		bucket[PGV_OWN_BUCKETS];
	uint64		count[PGV_OWN_BUCKETS];
} PgvBuckets;

typedef struct PgvBucketsTail
{
	uint64		count[PGV_HISTOGRAM_BUCKETS];
} PgvBucketsTail;

/*
 * A histogram on its way to the store, with all buckets.  All zero: empty.
 */
typedef struct PgvBucketsDelta
{
	bool		used;
	uint16		low;			/* range in use, if used */
	uint16		high;
	uint16		count[PGV_HISTOGRAM_BUCKETS];
} PgvBucketsDelta;

/* Has the bucket room for one more?  If not, the delta has to go first. */
static inline bool
pgv_buckets_delta_room(const PgvBucketsDelta *delta, int bucket)
{
	return delta->count[bucket] < PG_UINT16_MAX;
}

/* Count a duration in a bucket that has room. */
static inline void
pgv_buckets_delta_add(PgvBucketsDelta *delta, int bucket)
{
	delta->low = delta->used ? Min(delta->low, bucket) : bucket;
	delta->high = delta->used ? Max(delta->high, bucket) : bucket;
	delta->used = true;
	delta->count[bucket]++;
}

/* Add it to an entry's. */
extern void pgv_buckets_merge(PgvBuckets *into, PgvBucketsTail *tail,
							  const PgvBucketsDelta *delta);

/* Count so many durations in a bucket. */
extern void pgv_buckets_add(PgvBuckets *into, PgvBucketsTail *tail,
							uint16 bucket, uint64 count);

/* Add one histogram to another. */
extern void pgv_buckets_absorb(PgvBuckets *into, PgvBucketsTail *tail,
							   const PgvBuckets *from,
							   const PgvBucketsTail *from_tail);

/* Add it to an array of PGV_HISTOGRAM_BUCKETS. */
extern void pgv_buckets_sum(uint64 *counts, const PgvBuckets *from,
							const PgvBucketsTail *tail);

/* Zero what was used of the tail. */
extern void pgv_buckets_clear_tail(const PgvBuckets *buckets,
								   PgvBucketsTail *tail);

/*
 * Is it one that can be added to and cleared, with no more in it than so many
 * durations?  (From a file it may be not.)
 */
extern bool pgv_buckets_valid(const PgvBuckets *buckets,
							  const PgvBucketsTail *tail, int64 durations);

#endif							/* PGV_BUCKETS_H */
