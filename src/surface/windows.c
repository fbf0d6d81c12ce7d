/*-------------------------------------------------------------------------
 *
 * surface/windows.c
 *	  What the view on the last hours reads, and the end of a window on demand.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/histogram.h"
#include "collect/waits.h"
#include "store/texts.h"
#include "surface/rows.h"
#include "watch/windows.h"

PGV_FUNCTION(pgv_surface_windows);
PGV_FUNCTION(pgv_surface_close_window);

typedef struct PgvWindowRows
{
	PgvRows		rows;
	MemoryContext row_context;	/* reset after each row */
} PgvWindowRows;

#define SUM(name, field, type) \
	{name, offsetof(PgvWork, field), type}

static const PgvField fields[] = {
	SUM("calls", calls, PGV_INT64),
	SUM("failures", failures, PGV_INT64),
	SUM("rows", rows, PGV_INT64),
	SUM("total_plan_time", plan_ms, PGV_FLOAT8),
	SUM("total_exec_time", exec_ms, PGV_FLOAT8),
	SUM("shared_blks_hit", shared_hit, PGV_INT64),
	SUM("shared_blks_read", shared_read, PGV_INT64),
	SUM("temp_blks_read", temp_read, PGV_INT64),
	SUM("temp_blks_written", temp_written, PGV_INT64),
	SUM("n_plus_one_bursts", bursts, PGV_INT64),
};

#define PART(name, number) \
	{name, offsetof(PgvWaited, part[number]), PGV_FLOAT8}

static const PgvField waited_fields[] = {
	PART("lock_time", PGV_WAITED_LOCK),
	PART("lwlock_time", PGV_WAITED_LWLOCK),
	PART("io_time", PGV_WAITED_IO),
	PART("ipc_time", PGV_WAITED_IPC),
	PART("client_time", PGV_WAITED_CLIENT),
	PART("timeout_time", PGV_WAITED_TIMEOUT),
	PART("other_wait_time", PGV_WAITED_OTHER),
	PART("not_waiting_time", PGV_WAITED_CPU),
	PART("idle_in_transaction_time", PGV_WAITED_IDLE),
};

static void
set_window(PgvRows *rows, const PgvWindow *window)
{
	Interval   *resolution = palloc0(sizeof(Interval));

	resolution->time = window->seconds * USECS_PER_SEC;
	pgv_row_set(rows, "resolution", IntervalPGetDatum(resolution));
	pgv_row_set(rows, "window_start", TimestampTzGetDatum(window->start));
	pgv_row_set(rows, "window_end", TimestampTzGetDatum(window->end));
	pgv_row_set(rows, "sampled_time", Float8GetDatum(window->sampled_ms));
}

static void
set_identity(PgvRows *rows, const PgvActiveRow *row)
{
	if (row->key.fingerprint == 0)
	{
		pgv_row_set_text(rows, "query", "<other>");
		return;
	}
	pgv_row_set(rows, "userid", ObjectIdGetDatum(row->key.userid));
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(row->key.dbid));
	pgv_row_set(rows, "toplevel", BoolGetDatum(row->key.toplevel != 0));
	if (!pgv_may_see(row->key.userid))
	{
		pgv_row_set_text(rows, "query", "<insufficient privilege>");
		return;
	}
	if (row->queryid != 0)
		pgv_row_set(rows, "queryid", Int64GetDatum((int64) row->queryid));
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) row->key.fingerprint));
	pgv_row_set_text(rows, "query", pgv_texts_copy(row->key.fingerprint));
}

static void
set_waited(PgvRows *rows, const PgvActiveRow *row)
{
	PgvWaited	waited = {0};

	pgv_active_row_spread_waited(&waited, row);
	pgv_row_set(rows, "wait_time", Float8GetDatum(pgv_waited_total(&waited)));
	pgv_row_set(rows, "wait_time_margin",
				Float8GetDatum(pgv_waits_margin(waited.part[PGV_WAITED_SQUARES])));
	pgv_row_set_fields(rows, waited_fields, lengthof(waited_fields), &waited);
}

static void
set_percentile(PgvRows *rows, const char *name, const uint64 *buckets,
			   int64 calls, double q)
{
	double		us = pgv_histogram_percentile_us(buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
												 (uint64) calls, q);

	pgv_row_set(rows, name, Float8GetDatum(us / 1000.0));
}

static void
show_row(const PgvWindow *window, const PgvActiveRow *row, void *arg)
{
	PgvWindowRows *w = arg;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};
	MemoryContext old;

	if (row == NULL)
		return;
	old = MemoryContextSwitchTo(w->row_context);
	set_window(&w->rows, window);
	set_identity(&w->rows, row);
	pgv_row_set_fields(&w->rows, fields, lengthof(fields), &row->sums);
	if (window->sampled_ms > 0)
		set_waited(&w->rows, row);
	if (row->sums.calls > 0)
	{
		pgv_active_row_spread(buckets, row);
		pgv_row_set(&w->rows, "mean_exec_time",
					Float8GetDatum(row->sums.exec_ms / row->sums.calls));
		set_percentile(&w->rows, "p50_exec_time", buckets, row->sums.calls, 0.50);
		set_percentile(&w->rows, "p95_exec_time", buckets, row->sums.calls, 0.95);
		set_percentile(&w->rows, "p99_exec_time", buckets, row->sums.calls, 0.99);
	}
	pgv_row_emit(&w->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(w->row_context);
}

Datum
pgv_surface_windows(PG_FUNCTION_ARGS)
{
	PgvWindowRows w;

	pgv_rows_begin(&w.rows, fcinfo);
	w.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
										  ALLOCSET_DEFAULT_SIZES);
	for (int r = 0; r < PGV_RESOLUTIONS; r++)
		pgv_windows_scan(r, PG_INT64_MIN, show_row, &w);
	return (Datum) 0;
}

Datum
pgv_surface_close_window(PG_FUNCTION_ARGS)
{
	pgv_require_preload();
	pgv_windows_close();
	PG_RETURN_VOID();
}
