/*-------------------------------------------------------------------------
 *
 * buckets.c
 *	  The histogram of an entry of the store.
 *
 * Owns nothing: the functions touch what they are given, under whatever lock
 * the caller holds for it.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "collect/buckets.h"
#include "store/sane.h"

static void
add_to_tail(PgvBuckets *into, PgvBucketsTail *tail, uint16 bucket, uint64 count)
{
	tail->count[bucket] += count;
	into->low = Min(into->low, bucket);
	into->high = Max(into->high, bucket);
}

/* The pairs are full: they move to the tail. */
static void
use_tail(PgvBuckets *into, PgvBucketsTail *tail)
{
	into->has_tail = true;
	into->low = into->high = into->bucket[0];
	for (int i = 0; i < into->n; i++)
		add_to_tail(into, tail, into->bucket[i], into->count[i]);
	into->n = 0;
}

void
pgv_buckets_add(PgvBuckets *into, PgvBucketsTail *tail, uint16 bucket, uint64 count)
{
	if (!into->has_tail)
	{
		for (int i = 0; i < into->n; i++)
		{
			if (into->bucket[i] == bucket)
			{
				into->count[i] += count;
				return;
			}
		}
		if (into->n < PGV_OWN_BUCKETS)
		{
			into->bucket[into->n] = bucket;
			into->count[into->n++] = count;
			return;
		}
		use_tail(into, tail);
	}
	add_to_tail(into, tail, bucket, count);
}

void
pgv_buckets_merge(PgvBuckets *into, PgvBucketsTail *tail, const PgvBucketsDelta *delta)
{
	for (int i = delta->low; delta->used && i <= delta->high; i++)
	{
		if (delta->count[i] != 0)
			pgv_buckets_add(into, tail, (uint16) i, delta->count[i]);
	}
}

void
pgv_buckets_absorb(PgvBuckets *into, PgvBucketsTail *tail,
				   const PgvBuckets *from, const PgvBucketsTail *from_tail)
{
	if (from->has_tail)
	{
		for (int i = from->low; i <= from->high; i++)
		{
			if (from_tail->count[i] != 0)
				pgv_buckets_add(into, tail, (uint16) i, from_tail->count[i]);
		}
	}
	for (int i = 0; i < from->n; i++)
		pgv_buckets_add(into, tail, from->bucket[i], from->count[i]);
}

void
pgv_buckets_sum(uint64 *counts, const PgvBuckets *from, const PgvBucketsTail *tail)
{
	if (from->has_tail)
	{
		for (int i = from->low; i <= from->high; i++)
			counts[i] += tail->count[i];
	}
	for (int i = 0; i < from->n; i++)
		counts[from->bucket[i]] += from->count[i];
}

void
pgv_buckets_clear_tail(const PgvBuckets *buckets, PgvBucketsTail *tail)
{
	if (buckets->has_tail)
		memset(&tail->count[buckets->low], 0,
			   (buckets->high - buckets->low + 1) * sizeof(uint64));
}

/* So many less are left; false if it is more than that. */
static inline bool
spend(int64 *left, uint64 count)
{
	if (count > (uint64) *left)
		return false;
	*left -= (int64) count;
	return true;
}

static bool
pairs_valid(const PgvBuckets *buckets, int64 left)
{
	if (buckets->n > PGV_OWN_BUCKETS)
		return false;
	for (int i = 0; i < buckets->n; i++)
	{
		if (buckets->bucket[i] >= PGV_HISTOGRAM_BUCKETS ||
			!spend(&left, buckets->count[i]))
			return false;
	}
	return true;
}

bool
pgv_buckets_valid(const PgvBuckets *buckets, const PgvBucketsTail *tail,
				  int64 durations)
{
	if (durations < 0 || !pgv_sane_bool(&buckets->has_tail))
		return false;
	if (!buckets->has_tail)
		return pairs_valid(buckets, durations);
	if (buckets->n > 0 || buckets->low > buckets->high ||
		buckets->high >= PGV_HISTOGRAM_BUCKETS)
		return false;
	/* nothing outside the range: it would outlive the entry */
	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
	{
		bool		inside = i >= buckets->low && i <= buckets->high;

		if (inside ? !spend(&durations, tail->count[i]) : tail->count[i] != 0)
			return false;
	}
	return true;
}
