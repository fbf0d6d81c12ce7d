/*-------------------------------------------------------------------------
 *
 * surface/plans.c
 *	  What the views on plans read: rights, copies, rows.
 *
 * A plan is shown to the role whose executions are counted there and to those
 * who may read all statistics.  The residual entries of a database, one a
 * partition, are added to one row, which belongs to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/planjson.h"
#include "collect/pending.h"
#include "collect/plans.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/plantree.h"
#include "surface/scan.h"

PGV_FUNCTION(pgv_surface_plans);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvPlanCounters, field), type}

static const PgvField fields[] = {
	COUNTER("calls", calls, PGV_INT64),
	COUNTER("total_exec_time", exec.total, PGV_FLOAT8),
	COUNTER("min_exec_time", exec.min, PGV_FLOAT8),
	COUNTER("max_exec_time", exec.max, PGV_FLOAT8),
	COUNTER("rows", rows, PGV_INT64),
	COUNTER("failures", failures, PGV_INT64),
	COUNTER("generic_plan_calls", generic, PGV_INT64),
	COUNTER("custom_plan_calls", custom, PGV_INT64),
	COUNTER("shared_blks_hit", blocks[PGV_SHARED_HIT], PGV_INT64),
	COUNTER("shared_blks_read", blocks[PGV_SHARED_READ], PGV_INT64),
	COUNTER("shared_blks_dirtied", blocks[PGV_SHARED_DIRTIED], PGV_INT64),
	COUNTER("shared_blks_written", blocks[PGV_SHARED_WRITTEN], PGV_INT64),
	COUNTER("local_blks_hit", blocks[PGV_LOCAL_HIT], PGV_INT64),
	COUNTER("local_blks_read", blocks[PGV_LOCAL_READ], PGV_INT64),
	COUNTER("local_blks_dirtied", blocks[PGV_LOCAL_DIRTIED], PGV_INT64),
	COUNTER("local_blks_written", blocks[PGV_LOCAL_WRITTEN], PGV_INT64),
	COUNTER("temp_blks_read", blocks[PGV_TEMP_READ], PGV_INT64),
	COUNTER("temp_blks_written", blocks[PGV_TEMP_WRITTEN], PGV_INT64),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

/* Of a plan, not of what was added up. */
static const PgvField planned[] = {
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("startup_cost", startup_cost, PGV_FLOAT8),
	COUNTER("total_cost", total_cost, PGV_FLOAT8),
	COUNTER("planned_rows", planned_rows, PGV_FLOAT8)
};

static void
set_percentile(PgvRows *rows, const char *name, const PgvPlanCounters *c,
			   const uint64 *buckets, double q)
{
	double		ms;

	ms = pgv_histogram_percentile_us(buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
									 (uint64) c->calls, q) / 1000.0;
	pgv_row_set(rows, name, Float8GetDatum(Min(Max(ms, c->exec.min), c->exec.max)));
}

static void
set_counters(PgvRows *rows, const PgvPlanCounters *c, const uint64 *buckets,
			 TimestampTz stats_since)
{
	double		mean = c->calls > 0 ? c->exec.total / c->calls : 0;
	double		stddev = c->calls > 1 ? sqrt(Max(c->exec.sum_var, 0) / c->calls) : 0;

	pgv_row_set_fields(rows, fields, lengthof(fields), c);
	pgv_row_set(rows, "mean_exec_time", Float8GetDatum(mean));
	pgv_row_set(rows, "stddev_exec_time", Float8GetDatum(stddev));
	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
	if (c->calls <= 0)
		return;
	set_percentile(rows, "p50_exec_time", c, buckets, 0.50);
	set_percentile(rows, "p90_exec_time", c, buckets, 0.90);
	set_percentile(rows, "p95_exec_time", c, buckets, 0.95);
	set_percentile(rows, "p99_exec_time", c, buckets, 0.99);
}

/* The plan in both forms; what is not JSON (it may come from a file) in none. */
static void
set_text(PgvRows *rows, uint64 id)
{
	char	   *text = id != 0 ? pgv_texts_copy(id) : NULL;
	PgvJson    *json = text != NULL ? pgv_planjson_read(text, (int) strlen(text)) : NULL;

	if (json == NULL)
		return;
	pgv_row_set_text(rows, "plan", pgv_plantree_text(json));
	pgv_row_set_text(rows, "plan_json", text);
}

static void
set_identity(PgvRows *rows, const PgvPlanKey *key, const PgvPlanEntry *entry)
{
	const PgvStatementKey *s = &key->statement;

	pgv_row_set(rows, "dbid", ObjectIdGetDatum(s->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(s->userid));
	pgv_row_set(rows, "toplevel", BoolGetDatum(s->toplevel != 0));
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) s->fingerprint));
	pgv_row_set(rows, "planid", Int64GetDatum((int64) key->planid));
	/* the statement's own entry keeps it */
	pgv_row_set_text(rows, "query", pgv_texts_copy(s->fingerprint));
	set_text(rows, entry->text);
	pgv_row_set_fields(rows, planned, lengthof(planned), &entry->counters);
}

/* Residuals, added up. */
typedef struct PgvPlanSum
{
	PgvPlanCounters counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvPlanSum;

static void
add_plan(void *sum_data, const void *entry_data)
{
	PgvPlanSum *sum = sum_data;
	const PgvPlanEntry *entry = entry_data;

	pgv_plans_add(&sum->counters, &entry->counters);
	pgv_plans_add_buckets(sum->buckets, entry);
}

static void
show_sum(PgvRows *rows, const void *sum_data, TimestampTz stats_since)
{
	const PgvPlanSum *sum = sum_data;

	set_counters(rows, &sum->counters, sum->buckets, stats_since);
}

static void
show_plan(PgvRows *rows, const void *key, const void *entry_data)
{
	const PgvPlanEntry *entry = entry_data;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};

	pgv_plans_add_buckets(buckets, entry);
	set_identity(rows, key, entry);
	set_counters(rows, &entry->counters, buckets, entry->stats_since);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_plans,
	.show = show_plan,
	.sum_size = sizeof(PgvPlanSum),
	.add = add_plan,
	.show_sum = show_sum,
	.label_column = "query",
	.label = "<evicted>",
};

Datum
pgv_surface_plans(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
