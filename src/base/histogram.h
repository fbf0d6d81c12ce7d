/*-------------------------------------------------------------------------
 *
 * histogram.h
 *	  Log-linear histogram of durations: pure, inline, O(1).
 *
 * The bucketing of HdrHistogram, whose error bound DDSketch states: every
 * octave of the value (a power of two of microseconds) is cut linearly into
 * the same number of buckets, ten here, so that the bounds of a bucket are
 * never further apart than 1 : 1.1.  A percentile is answered with
 * 2ab / (a + b), the harmonic mean of its bucket's bounds a and b, which is
 * off by at most (b - a) / (b + a), that is 1 / 21 = 4.77 %, whichever value
 * of the bucket was the true one.
 *
 *	  bucket	from (us)		to (us)
 *		   0	0				1
 *		   1	1				1.1			octave 0
 *		   2	1.1				1.2
 *		 ...
 *		  10	1.9				2
 *		  11	2				2.2			octave 1
 *		 ...
 *		 363	1.2 * 2^36		1.3 * 2^36	22.9 h to 24.8 h, and all above
 *
 * The bucket is read from the bits of the double: the exponent is the octave,
 * and ten times the mantissa, shifted, is the place in it.  There is no
 * logarithm, no search and no table.  The bounds are computed the same way
 * back, as the smallest double that belongs to the bucket, so that
 * pgv_histogram_bucket() and the bounds agree to the last bit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_HISTOGRAM_H
#define PGV_HISTOGRAM_H

#include <string.h>

/* Buckets an octave is cut into; 1 / (2 * 10 + 1) is the error bound. */
#define PGV_HISTOGRAM_PER_OCTAVE	10

/*
 * One bucket below 1 us, 36 whole octaves (to 2^36 us = 19.1 h), and the
 * three buckets of the next that reach beyond a day.
 */
#define PGV_HISTOGRAM_BUCKETS		(1 + 36 * PGV_HISTOGRAM_PER_OCTAVE + 3)

#define PGV_HISTOGRAM_MANTISSA_BITS 52
#define PGV_HISTOGRAM_EXPONENT_BIAS 1023

/*
 * The least duration, in microseconds, that belongs to the bucket.  Takes
 * 0 to PGV_HISTOGRAM_BUCKETS; the latter gives the last bucket's upper bound.
 */
static inline double
pgv_histogram_lower_us(int bucket)
{
	uint64		octave;
	uint64		part;
	uint64		bits;
	double		us;

	if (bucket <= 0)
		return 0.0;
	octave = (uint64) (bucket - 1) / PGV_HISTOGRAM_PER_OCTAVE;
	part = (uint64) (bucket - 1) % PGV_HISTOGRAM_PER_OCTAVE;

	/* rounded up: the mantissa just below still belongs to the bucket below */
	bits = ((part << PGV_HISTOGRAM_MANTISSA_BITS) + PGV_HISTOGRAM_PER_OCTAVE - 1) /
		PGV_HISTOGRAM_PER_OCTAVE;
	bits |= (octave + PGV_HISTOGRAM_EXPONENT_BIAS) << PGV_HISTOGRAM_MANTISSA_BITS;
	memcpy(&us, &bits, sizeof(us));
	return us;
}

/*
 * The least duration, in microseconds, that is above the bucket.  The last
 * bucket has no end; the bound given for it is the nominal one.
 */
static inline double
pgv_histogram_upper_us(int bucket)
{
	return pgv_histogram_lower_us(bucket + 1);
}

/*
 * The bucket of a duration in microseconds, 0 to PGV_HISTOGRAM_BUCKETS - 1.
 * What is below 1 us, negative or not a number goes to the first, and a day
 * or more (from 22.9 h on) to the last.
 */
static inline int
pgv_histogram_bucket(double us)
{
	uint64		bits;
	uint64		part;
	int			octave;
	int			bucket;

	if (!(us >= 1.0))
		return 0;
	memcpy(&bits, &us, sizeof(bits));
	octave = (int) (bits >> PGV_HISTOGRAM_MANTISSA_BITS) - PGV_HISTOGRAM_EXPONENT_BIAS;
	part = bits & ((UINT64CONST(1) << PGV_HISTOGRAM_MANTISSA_BITS) - 1);
	part = (part * PGV_HISTOGRAM_PER_OCTAVE) >> PGV_HISTOGRAM_MANTISSA_BITS;
	bucket = 1 + octave * PGV_HISTOGRAM_PER_OCTAVE + (int) part;
	return bucket < PGV_HISTOGRAM_BUCKETS ? bucket : PGV_HISTOGRAM_BUCKETS - 1;
}

/*
 * The value of the given quantile (0 < q <= 1) by nearest rank: the smallest
 * value that at least q of all values do not exceed, as 2ab / (a + b) of its
 * bucket; 0 for the first bucket, and when total is 0.
 *
 * counts is indexed by bucket; only lo to hi, both included, are read: the
 * range in use.  total is the sum of those counts; if it is more than that,
 * as a reader beside a writer may find it, the answer is at most bucket hi's.
 *
 * The caller, who knows the extremes, clamps the result to them, which makes
 * it exact where all values are equal and closes the open ends.
 */
static inline double
pgv_histogram_percentile_us(const uint64 *counts, int lo, int hi,
							uint64 total, double q)
{
	double		exact_rank = q * (double) total;
	uint64		rank = (uint64) exact_rank;
	uint64		seen = 0;
	int			bucket;
	double		lower;
	double		upper;

	if (total == 0)
		return 0.0;

	/* round up, but not for an error in the last bits of q * total */
	if (exact_rank - (double) rank > exact_rank * 1e-12)
		rank++;

	for (bucket = lo; bucket < hi; bucket++)
	{
		seen += counts[bucket];
		if (seen >= rank)
			break;
	}
	lower = pgv_histogram_lower_us(bucket);
	upper = pgv_histogram_upper_us(bucket);
	return 2.0 * lower * upper / (lower + upper);
}

#endif							/* PGV_HISTOGRAM_H */
