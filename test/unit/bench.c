/*-------------------------------------------------------------------------
 *
 * bench.c
 *	  What the pure functions cost: nanoseconds a call, best of several runs.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#define RUNS		7
#define CALLS		200000

static const char *const statements[] = {
	"SELECT 1",
	"SELECT a, b FROM items WHERE owner_id = 4711 AND state = 'x'",
	"SELECT \"authors\".* FROM \"authors\" WHERE \"authors\".\"id\" = $1 LIMIT $2",
	"UPDATE accounts SET balance = balance - 100 WHERE id = 17 /* c='x' */",
	"SELECT id FROM t WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)",
	"INSERT INTO t (a, b) VALUES (1, 'one'), (2, 'two'), (3, 'three')",
	"WITH q_some_long_name_12345 AS (SELECT 1) SELECT FROM q_some_long_name_12345",
	"SELECT a1_0.id, a1_0.name, b1_0.id, b1_0.title FROM authors a1_0 LEFT JOIN "
	"books b1_0 ON a1_0.id = b1_0.author_id WHERE a1_0.name LIKE 'A%' AND "
	"b1_0.published > '2001-01-01' GROUP BY 1, 2 ORDER BY a1_0.name DESC LIMIT 20"
};

/* so that the compiler cannot leave the work out */
static volatile uint64 sink;

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static double
time_normalise(const char *sql, char *dst, int dst_size)
{
	int			len = (int) strlen(sql);
	double		best = 1e18;

	for (int run = 0; run < RUNS; run++)
	{
		double		start = now_ns();
		double		ns;

		for (int i = 0; i < CALLS; i++)
		{
			PgvSqlNormal out;

			pgv_sqltext_normalise(sql, len, true, dst, dst_size, &out);
			sink += out.fingerprint;
		}
		ns = (now_ns() - start) / CALLS;
		best = Min(best, ns);
	}
	return best;
}

static double
time_bucket(void)
{
	double		best = 1e18;

	for (int run = 0; run < RUNS; run++)
	{
		double		start = now_ns();
		double		ns;
		double		us = 0.5;

		for (int i = 0; i < CALLS; i++)
		{
			sink += pgv_histogram_bucket(us);
			us = us < 1e11 ? us * 1.01 : 0.5;
		}
		ns = (now_ns() - start) / CALLS;
		best = Min(best, ns);
	}
	return best;
}

void
pgv_unit_bench(void)
{
	char		dst[4096];

	printf("ns text and fingerprint | ns fingerprint alone | bytes | statement\n");
	for (int i = 0; i < (int) lengthof(statements); i++)
		printf("%8.0f %8.0f %6d  %.60s\n",
			   time_normalise(statements[i], dst, sizeof(dst)),
			   time_normalise(statements[i], NULL, 0),
			   (int) strlen(statements[i]), statements[i]);
	printf("%8.1f ns histogram bucket\n", time_bucket());
}
