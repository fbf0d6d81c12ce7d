/*-------------------------------------------------------------------------
 *
 * distinct.c
 *	  If this fails, numbers of different things are wrong, or further off
 *	  than promised.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <math.h>

#include "base/distinct.h"

#define RUNS	200
#define STANDARD_ERROR	(1.04 / sqrt(PGV_DISTINCT_REGISTERS))

static void
check_exact(void)
{
	PgvDistinct d = {0};

	CHECK(pgv_distinct_count(&d) == 0);
	for (int i = 0; i < PGV_DISTINCT_EXACT; i++)
	{
		for (int again = 0; again < 3; again++)
			pgv_distinct_add(&d, i);
		CHECKF(pgv_distinct_count(&d) == i + 1, "after %d", i + 1);
	}
	pgv_distinct_add(&d, 0);
	CHECK(pgv_distinct_count(&d) == PGV_DISTINCT_EXACT);
	CHECK(!pgv_distinct_is_sketch(&d));
	pgv_distinct_add(&d, PGV_DISTINCT_EXACT);
	CHECK(pgv_distinct_is_sketch(&d));
	CHECK(pgv_distinct_count(&d) > PGV_DISTINCT_EXACT);
}

/* Not off by more than it says, on average and by far; nor to one side. */
static void
check_error(int n)
{
	double		squares = 0;
	double		sum = 0;

	for (int run = 0; run < RUNS; run++)
	{
		PgvDistinct d = {0};
		double		error;

		for (int i = 0; i < n; i++)
			pgv_distinct_add(&d, pgv_unit_random(UINT64CONST(1) << 52));
		error = pgv_distinct_count(&d) / (double) n - 1;
		CHECKF(fabs(error) < 5 * STANDARD_ERROR, "%d came out as " INT64_FORMAT, n,
			   pgv_distinct_count(&d));
		sum += error;
		squares += error * error;
	}
	CHECKF(sqrt(squares / RUNS) < 1.15 * STANDARD_ERROR, "%d: standard error %g", n,
		   sqrt(squares / RUNS));
	CHECKF(fabs(sum / RUNS) < 0.045, "%d: bias %g", n, sum / RUNS);
}

/* In whatever order and grouping sets are put together, it comes to the same. */
static void
check_merge(int na, int nb, int common)
{
	PgvDistinct a = {0};
	PgvDistinct b = {0};
	PgvDistinct all = {0};
	PgvDistinct ab;
	PgvDistinct ba;

	for (int i = 0; i < na; i++)
		pgv_distinct_add(&a, i);
	for (int i = na - common; i < na - common + nb; i++)
		pgv_distinct_add(&b, i);
	for (int i = na - common + nb - 1; i >= 0; i--)
		pgv_distinct_add(&all, i);
	ab = a;
	pgv_distinct_merge(&ab, &b);
	ba = b;
	pgv_distinct_merge(&ba, &a);
	CHECKF(pgv_distinct_count(&ab) == pgv_distinct_count(&all), "%d and %d", na, nb);
	CHECKF(pgv_distinct_count(&ba) == pgv_distinct_count(&all), "%d and %d", nb, na);
	pgv_distinct_merge(&ab, &ab);
	CHECKF(pgv_distinct_count(&ab) == pgv_distinct_count(&all), "%d and %d, twice", na, nb);
	if (pgv_distinct_is_sketch(&all))
		CHECK(memcmp(&ab, &all, sizeof(all)) == 0 && memcmp(&ba, &all, sizeof(all)) == 0);
}

static void
check_valid(void)
{
	PgvDistinct d = {0};

	CHECK(pgv_distinct_valid(&d));
	for (int i = 0; i < 1000; i++)
		pgv_distinct_add(&d, i);
	CHECK(pgv_distinct_valid(&d));
	d.u.rank[17] = PGV_DISTINCT_MAX_RANK + 1;
	CHECK(!pgv_distinct_valid(&d));
	d.u.rank[17] = 0;
	d.n++;
	CHECK(!pgv_distinct_valid(&d));
	/* the highest there can be */
	memset(&d, 0, sizeof(d));
	d.n = PGV_DISTINCT_EXACT + 1;
	pgv_distinct_sketch(&d, 0);
	CHECK(d.u.rank[0] == PGV_DISTINCT_MAX_RANK);
	pgv_distinct_sketch(&d, PG_UINT32_MAX);
	CHECK(d.u.rank[PGV_DISTINCT_REGISTERS - 1] == 1);
}

void
pgv_unit_distinct(void)
{
	static const int sizes[] = {33, 50, 100, 200, 319, 400, 1000, 10000};

	check_exact();
	for (int i = 0; i < (int) lengthof(sizes); i++)
		check_error(sizes[i]);
	for (int na = 0; na <= 100; na += 4)
	{
		for (int nb = 0; nb <= 100; nb += 4)
		{
			check_merge(na, nb, 0);
			check_merge(na, nb, Min(na, nb) / 2);
			check_merge(na, nb, Min(na, nb));
		}
	}
	check_valid();
}
