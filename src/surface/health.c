/*-------------------------------------------------------------------------
 *
 * surface/health.c
 *	  What the view on the server's health reads of us: limits, and sums over
 *	  the last windows.  All else in the view is the server's own figures.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "utils/timestamp.h"

#include "base/histogram.h"
#include "base/limits.h"
#include "collect/overhead.h"
#include "surface/rows.h"
#include "watch/windows.h"

#define PGV_HEALTH_MINUTES 10	/* that rates are over */

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

/* Sums over what clients sent, and the time they are over. */
typedef struct PgvHealthSums
{
	TimestampTz since;			/* 0: there was no window */
	double		seconds;
	PgvWork		activity;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvHealthSums;

/* Residuals, and what is folded, have nested statements in them, too. */
static void
add_window(const PgvWindow *window, const PgvActiveRow *row, void *arg)
{
	PgvHealthSums *sums = arg;

	if (row == NULL)
	{
		if (sums->since == 0)
			sums->since = window->start;
		sums->seconds += (double) (window->end - window->start) / USECS_PER_SEC;
		return;
	}
	if (row->key.toplevel == 0 && row->key.fingerprint != 0)
		return;
	pgv_work_add(&sums->activity, &row->sums, 1);
	pgv_active_row_spread(sums->buckets, row);
}

static double
percentile_ms(const PgvHealthSums *sums, double q)
{
	return pgv_histogram_percentile_us(sums->buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
									   (uint64) sums->activity.calls, q) / 1000.0;
}

static void
set_sums(PgvRows *rows, const PgvHealthSums *sums)
{
	const PgvWork *a = &sums->activity;

	if (sums->since == 0)
		return;
	pgv_row_set(rows, "since", TimestampTzGetDatum(sums->since));
	pgv_row_set(rows, "seconds", Float8GetDatum(sums->seconds));
	pgv_row_set(rows, "executions", Int64GetDatum(a->calls));
	pgv_row_set(rows, "failures", Int64GetDatum(a->failures));
	if (a->calls > 0)
	{
		pgv_row_set(rows, "p95_exec_time", Float8GetDatum(percentile_ms(sums, 0.95)));
		pgv_row_set(rows, "p99_exec_time", Float8GetDatum(percentile_ms(sums, 0.99)));
	}
	pgv_row_set(rows, "shared_blks_hit", Int64GetDatum(a->shared_hit));
	pgv_row_set(rows, "shared_blks_read", Int64GetDatum(a->shared_read));
	pgv_row_set(rows, "temp_blks_written", Int64GetDatum(a->temp_written));
}

Datum
pgv_surface_health(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvHealthSums *sums = palloc0(sizeof(PgvHealthSums));
	PgvOverheadStats overhead;

	pgv_rows_begin(&rows, fcinfo);
	pgv_windows_scan(PGV_WINDOWS_10S,
					 GetCurrentTimestamp() - PGV_HEALTH_MINUTES * 60 * USECS_PER_SEC,
					 add_window, sums);
	set_sums(&rows, sums);
	pgv_overhead_stats(&overhead);
	pgv_row_set(&rows, "timed", Int64GetDatum((int64) overhead.sampled * PGV_OVERHEAD_SHARE));
	pgv_row_set(&rows, "hook_time", Float8GetDatum(overhead.ms));
	pgv_row_emit(&rows);
	return (Datum) 0;
}
