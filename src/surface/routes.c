/*-------------------------------------------------------------------------
 *
 * surface/routes.c
 *	  What the view on routes reads: rights, copies, rows.
 *
 * A route shows what an application does: it is shown to the role that it
 * belongs to and to those who may read all statistics.  The residual entries
 * of a database, one a partition, are added to one row, which belongs to
 * nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "base/histogram.h"
#include "collect/pending.h"
#include "collect/routes.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"

PGV_FUNCTION(pgv_surface_routes);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvRouteCounters, field), type}

static const PgvField fields[] = {
	COUNTER("calls", calls, PGV_INT64),
	COUNTER("failures", failures, PGV_INT64),
	COUNTER("total_exec_time", total_ms, PGV_FLOAT8),
	COUNTER("rows", rows, PGV_INT64),
	COUNTER("n_plus_one_bursts", bursts, PGV_INT64),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

static void
set_counters(PgvRows *rows, const PgvRouteCounters *c, const uint64 *buckets,
			 TimestampTz stats_since)
{
	double		p95;

	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
	pgv_row_set_fields(rows, fields, lengthof(fields), c);
	pgv_row_set(rows, "statements", Int64GetDatum(pgv_distinct_count(&c->statements)));
	pgv_row_set(rows, "mean_exec_time",
				Float8GetDatum(c->calls > 0 ? c->total_ms / c->calls : 0));
	if (c->calls <= 0)
		return;
	/* not outside what was measured */
	p95 = pgv_histogram_percentile_us(buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
									  (uint64) c->calls, 0.95) / 1000.0;
	pgv_row_set(rows, "p95_exec_time",
				Float8GetDatum(Min(Max(p95, c->min_ms), c->max_ms)));
}

/* A route's text is its name, or nothing, a newline, and its tags. */
static void
set_tags(PgvRows *rows, uint64 route)
{
	char	   *text = pgv_texts_copy(route);
	char	   *newline = text != NULL ? strchr(text, '\n') : NULL;

	if (newline == NULL)
		return;
	*newline = '\0';
	if (*text != '\0')
		pgv_row_set_text(rows, "route", text);
	pgv_row_set(rows, "tags",
				DirectFunctionCall1(jsonb_in, CStringGetDatum(newline + 1)));
}

/* Residuals, added up. */
typedef struct PgvRouteSum
{
	PgvRouteCounters counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvRouteSum;

static void
add_route(void *sum_data, const void *entry_data)
{
	PgvRouteSum *sum = sum_data;
	const PgvRouteEntry *entry = entry_data;

	pgv_routes_add(&sum->counters, &entry->counters);
	pgv_routes_add_buckets(sum->buckets, entry);
}

static void
show_sum(PgvRows *rows, const void *sum_data, TimestampTz stats_since)
{
	const PgvRouteSum *sum = sum_data;

	set_counters(rows, &sum->counters, sum->buckets, stats_since);
}

static void
show_route(PgvRows *rows, const void *key_data, const void *entry_data)
{
	const PgvRouteKey *key = key_data;
	const PgvRouteEntry *entry = entry_data;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};

	pgv_routes_add_buckets(buckets, entry);
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set_text(rows, "application_name", entry->application);
	if (entry->counters.has_text)
		set_tags(rows, key->route);
	set_counters(rows, &entry->counters, buckets, entry->stats_since);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_routes,
	.show = show_route,
	.sum_size = sizeof(PgvRouteSum),
	.add = add_route,
	.show_sum = show_sum,
	.label_column = "route",
	.label = "<other>",
};

Datum
pgv_surface_routes(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
