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
#include "utils/memutils.h"

#include "base/histogram.h"
#include "collect/pending.h"
#include "collect/routes.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"

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

/* The residual of one database, added up over the partitions. */
typedef struct PgvResidual
{
	struct PgvResidual *next;
	Oid			dbid;
	TimestampTz stats_since;	/* of the oldest */
	PgvRouteCounters counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvResidual;

typedef struct PgvRouteScan
{
	PgvRows		rows;
	PgvResidual *residuals;
	MemoryContext row_context;	/* reset after each row */
	MemoryContext residual_context;
} PgvRouteScan;

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

static void
keep_residual(PgvRouteScan *scan, const PgvRouteKey *key,
			  const PgvRouteEntry *entry)
{
	PgvResidual *r;

	for (r = scan->residuals; r != NULL; r = r->next)
	{
		if (r->dbid == key->dbid)
			break;
	}
	if (r == NULL)
	{
		r = MemoryContextAllocZero(scan->residual_context, sizeof(PgvResidual));
		r->dbid = key->dbid;
		r->stats_since = entry->stats_since;
		r->next = scan->residuals;
		scan->residuals = r;
	}
	r->stats_since = Min(r->stats_since, entry->stats_since);
	pgv_routes_add(&r->counters, &entry->counters);
	pgv_routes_add_buckets(r->buckets, entry);
}

static bool
show_route(const void *key_data, const void *entry_data, void *arg)
{
	PgvRouteScan *scan = arg;
	const PgvRouteKey *key = key_data;
	const PgvRouteEntry *entry = entry_data;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};
	PgvRows    *rows = &scan->rows;
	MemoryContext old;

	/* a residual belongs to no role, so only some may see it */
	if (!pgv_may_see(key->userid))
		return true;
	if (pgv_routes_is_residual(key))
	{
		keep_residual(scan, key, entry);
		return true;
	}
	old = MemoryContextSwitchTo(scan->row_context);
	pgv_routes_add_buckets(buckets, entry);
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set_text(rows, "application_name", entry->application);
	if (entry->counters.has_text)
		set_tags(rows, key->route);
	set_counters(rows, &entry->counters, buckets, entry->stats_since);
	pgv_row_emit(rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
	return true;
}

Datum
pgv_surface_routes(PG_FUNCTION_ARGS)
{
	PgvRouteScan scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.residuals = NULL;
	scan.residual_context = CurrentMemoryContext;
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_pending_collect();
	pgv_store_scan(&pgv_kind_routes, show_route, &scan);
	for (PgvResidual *r = scan.residuals; r != NULL; r = r->next)
	{
		pgv_row_set(&scan.rows, "dbid", ObjectIdGetDatum(r->dbid));
		pgv_row_set_text(&scan.rows, "route", "<other>");
		set_counters(&scan.rows, &r->counters, r->buckets, r->stats_since);
		pgv_row_emit(&scan.rows);
	}
	return (Datum) 0;
}
