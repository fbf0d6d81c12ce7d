/*-------------------------------------------------------------------------
 *
 * histogram.c
 *	  If this fails, percentiles are wrong, or further off than promised.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <math.h>
#include <stdlib.h>

#define DAY_US	86400e6

/* (b - a) / (b + a) where b = 1.1 a, and the last bits of the arithmetic */
#define MAX_ERROR	(1.0 / 21.0 + 1e-12)

/* Each bound belongs to one bucket, and each bucket is narrow enough. */
static void
check_bounds(void)
{
	for (int b = 0; b < PGV_HISTOGRAM_BUCKETS; b++)
	{
		double		lower = pgv_histogram_lower_us(b);
		double		upper = pgv_histogram_upper_us(b);
		bool		last = b == PGV_HISTOGRAM_BUCKETS - 1;

		CHECKF(lower < upper, "bucket %d: %g to %g", b, lower, upper);
		CHECKF(pgv_histogram_bucket(lower) == b, "lower bound of %d", b);
		CHECKF(pgv_histogram_bucket(nextafter(upper, 0)) == b,
			   "just below the upper bound of %d", b);
		CHECKF(pgv_histogram_bucket(upper) == (last ? b : b + 1),
			   "upper bound of %d", b);
		CHECKF(pgv_histogram_bucket((lower + upper) / 2) == b,
			   "middle of %d", b);
		CHECKF(upper == pgv_histogram_lower_us(b + 1), "gap above %d", b);
		if (b > 0)
		{
			double		nominal = ldexp(1 + (b - 1) % 10 / 10.0, (b - 1) / 10);

			CHECKF(fabs(lower / nominal - 1) < 1e-15, "lower bound of %d is %.17g",
				   b, lower);
			CHECKF(upper / lower < 1.1 + 1e-12, "bucket %d is too wide", b);
		}
	}
}

static void
check_extremes(void)
{
	int			last = PGV_HISTOGRAM_BUCKETS - 1;

	CHECK(pgv_histogram_bucket(0.0) == 0);
	CHECK(pgv_histogram_bucket(-0.0) == 0);
	CHECK(pgv_histogram_bucket(-1.0) == 0);
	CHECK(pgv_histogram_bucket(-INFINITY) == 0);
	CHECK(pgv_histogram_bucket(NAN) == 0);
	CHECK(pgv_histogram_bucket(5e-324) == 0);
	CHECK(pgv_histogram_bucket(nextafter(1.0, 0)) == 0);
	CHECK(pgv_histogram_bucket(1.0) == 1);
	CHECK(pgv_histogram_bucket(DAY_US) == last);
	CHECK(pgv_histogram_bucket(nextafter(DAY_US, INFINITY)) == last);
	CHECK(pgv_histogram_bucket(365 * DAY_US) == last);
	CHECK(pgv_histogram_bucket(1.7e308) == last);
	CHECK(pgv_histogram_bucket(INFINITY) == last);
	CHECK(pgv_histogram_lower_us(0) == 0.0);
	CHECK(pgv_histogram_upper_us(0) == 1.0);
	CHECK(pgv_histogram_upper_us(last) > DAY_US);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Percentiles of n log-uniform durations against the exact ones. */
static void
check_error(int n)
{
	static const int per_mille[] = {1, 10, 250, 500, 900, 950, 990, 999, 1000};
	uint64		counts[PGV_HISTOGRAM_BUCKETS] = {0};
	double	   *us = malloc(n * sizeof(double));
	int			lo;
	int			hi;

	for (int i = 0; i < n; i++)
	{
		double		unit = (double) pgv_unit_random(UINT64CONST(1) << 40) /
			(double) (UINT64CONST(1) << 40);

		us[i] = exp(unit * log(DAY_US));
		counts[pgv_histogram_bucket(us[i])]++;
	}
	qsort(us, n, sizeof(double), compare_doubles);
	lo = pgv_histogram_bucket(us[0]);
	hi = pgv_histogram_bucket(us[n - 1]);

	for (int i = 0; i < (int) lengthof(per_mille); i++)
	{
		int64		rank = ((int64) per_mille[i] * n + 999) / 1000;
		double		exact = us[rank - 1];
		double		found = pgv_histogram_percentile_us(counts, lo, hi, n,
														per_mille[i] / 1000.0);

		CHECKF(fabs(found / exact - 1) <= MAX_ERROR,
			   "%d of 1000 of %d values: %.3f, exactly %.3f",
			   per_mille[i], n, found, exact);
	}
	free(us);
}

/* With one value in each bucket, the bucket found is the rank. */
static void
check_ranks(void)
{
	uint64		counts[PGV_HISTOGRAM_BUCKETS];

	for (int b = 0; b < PGV_HISTOGRAM_BUCKETS; b++)
		counts[b] = 1;
	for (int n = 1; n < PGV_HISTOGRAM_BUCKETS; n++)
	{
		for (int percent = 1; percent <= 100; percent++)
		{
			int			rank = (percent * n + 99) / 100;
			double		us = pgv_histogram_percentile_us(counts, 1, n, n,
														 percent / 100.0);

			CHECKF(pgv_histogram_bucket(us) == rank,
				   "%d %% of %d values is not value %d", percent, n, rank);
		}
	}
}

/* What is outside the range in use is not read; totals may be off. */
static void
check_range(void)
{
	uint64		counts[PGV_HISTOGRAM_BUCKETS];

	memset(counts, 0x7f, sizeof(counts));
	counts[100] = 3;
	counts[101] = 0;
	counts[102] = 1;
	CHECK(pgv_histogram_bucket(pgv_histogram_percentile_us(counts, 100, 102, 4, 0.5)) == 100);
	CHECK(pgv_histogram_bucket(pgv_histogram_percentile_us(counts, 100, 102, 4, 0.75)) == 100);
	CHECK(pgv_histogram_bucket(pgv_histogram_percentile_us(counts, 100, 102, 4, 0.76)) == 102);
	CHECK(pgv_histogram_bucket(pgv_histogram_percentile_us(counts, 100, 100, 3, 1.0)) == 100);
	CHECK(pgv_histogram_bucket(pgv_histogram_percentile_us(counts, 100, 102, 1000, 0.99)) == 102);
	CHECK(pgv_histogram_percentile_us(counts, 100, 102, 0, 0.5) == 0.0);
	CHECK(pgv_histogram_percentile_us(counts, 0, 0, 5, 0.5) == 0.0);
}

void
pgv_unit_histogram(void)
{
	check_bounds();
	check_extremes();
	check_ranks();
	check_range();
	for (int n = 1; n <= 40; n++)
		check_error(n);
	check_error(1000);
	check_error(100003);
}
