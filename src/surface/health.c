/*-------------------------------------------------------------------------
 *
 * surface/health.c
 *	  What the view on the server's health reads of us: limits, and sums over
 *	  the statements.  All else in the view is the server's own figures.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "utils/timestamp.h"

#include "base/histogram.h"
#include "base/limits.h"
#include "collect/overhead.h"
#include "collect/pending.h"
#include "collect/statements.h"
#include "store/store.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_health_limits);
PGV_FUNCTION(pgv_surface_health);

Datum
pgv_surface_health_limits(PG_FUNCTION_ARGS)
{
	PgvRows		rows;

	pgv_rows_begin(&rows, fcinfo);
	for (int i = 0; i < pgv_nindicators; i++)
	{
		const PgvIndicator *indicator = &pgv_indicators[i];

		pgv_row_set(&rows, "place", Int32GetDatum(i));
		pgv_row_set_text(&rows, "indicator", indicator->name);
		pgv_row_set_text(&rows, "unit", indicator->unit);
		pgv_row_set_text(&rows, "worse", indicator->above ? "above" : "below");
		if (!isnan(pgv_limits[i].warning))
			pgv_row_set(&rows, "warning", Float8GetDatum(pgv_limits[i].warning));
		if (!isnan(pgv_limits[i].critical))
			pgv_row_set(&rows, "critical", Float8GetDatum(pgv_limits[i].critical));
		pgv_row_emit(&rows);
	}
	return (Datum) 0;
}

/* Sums over what clients sent. */
typedef struct PgvHealthSums
{
	PgvStatementCounters counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvHealthSums;

static bool
add_statement(const void *key, const void *entry, void *arg)
{
	PgvHealthSums *sums = arg;

	/* with track = all residuals have nested statements in them, too */
	if (((const PgvStatementKey *) key)->toplevel == 0 &&
		!pgv_statements_is_residual(key))
		return true;
	pgv_statements_add(&sums->counters, &((const PgvStatementEntry *) entry)->counters);
	pgv_statements_add_buckets(sums->buckets, entry);
	return true;
}

static double
percentile_ms(const PgvHealthSums *sums, double q)
{
	return pgv_histogram_percentile_us(sums->buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
									   (uint64) sums->counters.calls, q) / 1000.0;
}

static void
set_sums(PgvRows *rows, const PgvHealthSums *sums)
{
	const PgvStatementCounters *c = &sums->counters;

	pgv_row_set(rows, "executions", Int64GetDatum(c->calls));
	pgv_row_set(rows, "failures", Int64GetDatum(c->failures));
	if (c->calls > 0)
	{
		pgv_row_set(rows, "p95_exec_time", Float8GetDatum(percentile_ms(sums, 0.95)));
		pgv_row_set(rows, "p99_exec_time", Float8GetDatum(percentile_ms(sums, 0.99)));
	}
	pgv_row_set(rows, "shared_blks_hit", Int64GetDatum(c->blocks[PGV_SHARED_HIT]));
	pgv_row_set(rows, "shared_blks_read", Int64GetDatum(c->blocks[PGV_SHARED_READ]));
	pgv_row_set(rows, "temp_blks_written", Int64GetDatum(c->blocks[PGV_TEMP_WRITTEN]));
}

Datum
pgv_surface_health(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvHealthSums *sums = palloc0(sizeof(PgvHealthSums));
	PgvOverheadStats overhead;

	pgv_rows_begin(&rows, fcinfo);
	pgv_pending_collect();
	pgv_store_scan(&pgv_kind_statements, add_statement, sums);
	pgv_row_set(&rows, "since", TimestampTzGetDatum(pgv_store_reset_time()));
	set_sums(&rows, sums);
	pgv_overhead_stats(&overhead);
	pgv_row_set(&rows, "timed", Int64GetDatum((int64) overhead.sampled * PGV_OVERHEAD_SHARE));
	pgv_row_set(&rows, "hook_time", Float8GetDatum(overhead.ms));
	pgv_row_emit(&rows);
	return (Datum) 0;
}
