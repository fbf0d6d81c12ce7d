/*-------------------------------------------------------------------------
 *
 * surface/statements.c
 *	  What the views on statements read: rights, copies, rows.
 *
 * A reader first collects what all backends have pending, then scans.  The
 * residual entries of a database, one a partition, are added to one row.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "base/histogram.h"
#include "collect/brake.h"
#include "collect/deadlocks.h"
#include "collect/errors.h"
#include "collect/findings.h"
#include "collect/nodes.h"
#include "collect/overhead.h"
#include "collect/pending.h"
#include "collect/resources.h"
#include "collect/plans.h"
#include "collect/routes.h"
#include "collect/slow.h"
#include "collect/statements.h"
#include "collect/transactions.h"
#include "collect/suspects.h"
#include "collect/waits.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"
#include "watch/history.h"
#include "watch/differences.h"
#include "watch/windows.h"

PGV_FUNCTION(pgv_surface_statements);
PGV_FUNCTION(pgv_surface_histogram);
PGV_FUNCTION(pgv_surface_reset);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvStatementCounters, field), type}

static const PgvField fields[] = {
	COUNTER("plans", plans, PGV_INT64),
	COUNTER("total_plan_time", plan.total, PGV_FLOAT8),
	COUNTER("min_plan_time", plan.min, PGV_FLOAT8),
	COUNTER("max_plan_time", plan.max, PGV_FLOAT8),
	COUNTER("calls", calls, PGV_INT64),
	COUNTER("total_exec_time", exec.total, PGV_FLOAT8),
	COUNTER("min_exec_time", exec.min, PGV_FLOAT8),
	COUNTER("max_exec_time", exec.max, PGV_FLOAT8),
	COUNTER("rows", rows, PGV_INT64),
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
	COUNTER("blk_read_time", block_ms[PGV_SHARED_READ_MS], PGV_FLOAT8),
	COUNTER("blk_write_time", block_ms[PGV_SHARED_WRITE_MS], PGV_FLOAT8),
	COUNTER("shared_blk_read_time", block_ms[PGV_SHARED_READ_MS], PGV_FLOAT8),
	COUNTER("shared_blk_write_time", block_ms[PGV_SHARED_WRITE_MS], PGV_FLOAT8),
	COUNTER("local_blk_read_time", block_ms[PGV_LOCAL_READ_MS], PGV_FLOAT8),
	COUNTER("local_blk_write_time", block_ms[PGV_LOCAL_WRITE_MS], PGV_FLOAT8),
	COUNTER("temp_blk_read_time", block_ms[PGV_TEMP_READ_MS], PGV_FLOAT8),
	COUNTER("temp_blk_write_time", block_ms[PGV_TEMP_WRITE_MS], PGV_FLOAT8),
	COUNTER("wal_records", wal_records, PGV_INT64),
	COUNTER("wal_fpi", wal_fpi, PGV_INT64),
	COUNTER("wal_buffers_full", wal_buffers_full, PGV_INT64),
	COUNTER("jit_functions", jit_count[PGV_JIT_GENERATION], PGV_INT64),
	COUNTER("jit_generation_time", jit_ms[PGV_JIT_GENERATION], PGV_FLOAT8),
	COUNTER("jit_inlining_count", jit_count[PGV_JIT_INLINING], PGV_INT64),
	COUNTER("jit_inlining_time", jit_ms[PGV_JIT_INLINING], PGV_FLOAT8),
	COUNTER("jit_optimization_count", jit_count[PGV_JIT_OPTIMIZATION], PGV_INT64),
	COUNTER("jit_optimization_time", jit_ms[PGV_JIT_OPTIMIZATION], PGV_FLOAT8),
	COUNTER("jit_emission_count", jit_count[PGV_JIT_EMISSION], PGV_INT64),
	COUNTER("jit_emission_time", jit_ms[PGV_JIT_EMISSION], PGV_FLOAT8),
	COUNTER("jit_deform_count", jit_count[PGV_JIT_DEFORMING], PGV_INT64),
	COUNTER("jit_deform_time", jit_ms[PGV_JIT_DEFORMING], PGV_FLOAT8),
	COUNTER("parallel_workers_to_launch", workers_to_launch, PGV_INT64),
	COUNTER("parallel_workers_launched", workers_launched, PGV_INT64),
	COUNTER("generic_plan_calls", generic_plans, PGV_INT64),
	COUNTER("custom_plan_calls", custom_plans, PGV_INT64),
	COUNTER("failures", failures, PGV_INT64),
	COUNTER("cancels", cancels, PGV_INT64),
	COUNTER("timeouts", timeouts, PGV_INT64),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

static void
set_moments(PgvRows *rows, const char *mean_name, const char *stddev_name,
			const PgvTiming *timing, int64 n)
{
	double		mean = n > 0 ? timing->total / n : 0;
	double		stddev = n > 1 ? sqrt(Max(timing->sum_var, 0) / n) : 0;

	pgv_row_set(rows, mean_name, Float8GetDatum(mean));
	pgv_row_set(rows, stddev_name, Float8GetDatum(stddev));
}

/* A percentile in ms: of the histogram, but not outside what was measured. */
static double
percentile(const PgvStatementCounters *c, const uint64 *buckets, double q)
{
	double		ms;

	ms = pgv_histogram_percentile_us(buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
									 (uint64) c->calls, q) / 1000.0;
	return Min(Max(ms, c->exec.min), c->exec.max);
}

static void
set_percentiles(PgvRows *rows, const PgvStatementCounters *c, const uint64 *buckets)
{
	if (c->calls <= 0)
		return;
	pgv_row_set(rows, "p50_exec_time", Float8GetDatum(percentile(c, buckets, 0.50)));
	pgv_row_set(rows, "p90_exec_time", Float8GetDatum(percentile(c, buckets, 0.90)));
	pgv_row_set(rows, "p95_exec_time", Float8GetDatum(percentile(c, buckets, 0.95)));
	pgv_row_set(rows, "p99_exec_time", Float8GetDatum(percentile(c, buckets, 0.99)));
}

static void
set_counters(PgvRows *rows, const PgvStatementCounters *c, const uint64 *buckets,
			 TimestampTz stats_since)
{
	char		wal_bytes[32];

	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
	pgv_row_set(rows, "minmax_stats_since", TimestampTzGetDatum(stats_since));
	pgv_row_set_fields(rows, fields, lengthof(fields), c);
	set_moments(rows, "mean_plan_time", "stddev_plan_time", &c->plan, c->plans);
	set_moments(rows, "mean_exec_time", "stddev_exec_time", &c->exec, c->calls);
	set_percentiles(rows, c, buckets);
	snprintf(wal_bytes, sizeof(wal_bytes), UINT64_FORMAT, c->wal_bytes);
	pgv_row_set(rows, "wal_bytes",
				DirectFunctionCall3(numeric_in, CStringGetDatum(wal_bytes),
									ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static void
set_identity(PgvRows *rows, const PgvStatementKey *key,
			 const PgvStatementEntry *entry)
{
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "toplevel", BoolGetDatum(key->toplevel != 0));
	if (!pgv_may_see(key->userid))
	{
		pgv_row_set_text(rows, "query", "<insufficient privilege>");
		return;
	}
	if (entry->counters.queryid != 0)
		pgv_row_set(rows, "queryid", Int64GetDatum((int64) entry->counters.queryid));
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) key->fingerprint));
	if (entry->counters.has_text)
		pgv_row_set_text(rows, "query", pgv_texts_copy(key->fingerprint));
}

/* Residuals, added up. */
typedef struct PgvStatementSum
{
	PgvStatementCounters counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvStatementSum;

static void
add_statement(void *sum_data, const void *entry_data)
{
	PgvStatementSum *sum = sum_data;
	const PgvStatementEntry *entry = entry_data;

	pgv_statements_add(&sum->counters, &entry->counters);
	pgv_statements_add_buckets(sum->buckets, entry);
}

static void
show_sum(PgvRows *rows, const void *sum_data, TimestampTz stats_since)
{
	const PgvStatementSum *sum = sum_data;

	set_counters(rows, &sum->counters, sum->buckets, stats_since);
}

static void
show_statement(PgvRows *rows, const void *key, const void *entry_data)
{
	const PgvStatementEntry *entry = entry_data;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};

	pgv_statements_add_buckets(buckets, entry);
	set_identity(rows, key, entry);
	set_counters(rows, &entry->counters, buckets, entry->stats_since);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_statements,
	.shows_others = true,
	.show = show_statement,
	.sum_size = sizeof(PgvStatementSum),
	.add = add_statement,
	.show_sum = show_sum,
	.label_column = "query",
	.label = "<evicted>",
};

Datum
pgv_surface_statements(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}

/* ----- the histogram of a statement ----- */

typedef struct PgvHistogramScan
{
	uint64		queryid;
	bool		found;			/* an entry that may be seen */
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvHistogramScan;

static bool
add_to_histogram(const void *key, const void *data, void *arg)
{
	PgvHistogramScan *scan = arg;
	const PgvStatementEntry *entry = data;

	if (entry->counters.queryid != scan->queryid || scan->queryid == 0 ||
		!pgv_may_see(((const PgvStatementKey *) key)->userid))
		return true;
	scan->found = true;
	pgv_statements_add_buckets(scan->buckets, entry);
	return true;
}

static void
unknown_queryid(int64 queryid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("no statement with queryid " INT64_FORMAT, queryid),
			 errhint("See vitals.statements for the statements that are known.")));
}

Datum
pgv_surface_histogram(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvHistogramScan *scan = palloc0(sizeof(PgvHistogramScan));

	pgv_rows_begin(&rows, fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("queryid must not be null"),
				 errhint("Take a queryid from vitals.statements.")));
	scan->queryid = (uint64) PG_GETARG_INT64(0);
	pgv_pending_collect();
	pgv_store_scan(&pgv_kind_statements, add_to_histogram, scan);
	if (!scan->found)
		unknown_queryid(PG_GETARG_INT64(0));
	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
	{
		if (scan->buckets[i] == 0)
			continue;
		pgv_row_set(&rows, "bucket", Int32GetDatum(i));
		pgv_row_set(&rows, "lower_ms", Float8GetDatum(pgv_histogram_lower_us(i) / 1000.0));
		pgv_row_set(&rows, "upper_ms", Float8GetDatum(pgv_histogram_upper_us(i) / 1000.0));
		pgv_row_set(&rows, "calls", Int64GetDatum((int64) scan->buckets[i]));
		pgv_row_emit(&rows);
	}
	return (Datum) 0;
}

/* ----- reset ----- */

typedef struct PgvResetArgs
{
	bool		any_queryid;
	uint64		queryid;
	Oid			dbid;			/* 0: any */
	Oid			userid;			/* 0: any */
} PgvResetArgs;

static bool
is_everything(const PgvResetArgs *want)
{
	return want->any_queryid && want->dbid == InvalidOid && want->userid == InvalidOid;
}

/* Is what belongs to a role in a database, and is of this statement, to go? */
static bool
is_wanted(const PgvResetArgs *want, Oid dbid, Oid userid, uint64 queryid)
{
	return (want->any_queryid || (want->queryid != 0 && queryid == want->queryid)) &&
		(want->dbid == InvalidOid || dbid == want->dbid) &&
		(want->userid == InvalidOid || userid == want->userid);
}

static bool
owner_wanted(const PgvResetArgs *want, const void *key, uint64 queryid)
{
	PgvOwner	owner;

	memcpy(&owner, key, sizeof(owner));
	return is_wanted(want, owner.dbid, owner.userid, queryid);
}

/* It tells the windows what goes by itself. */
static bool
statement_matches(const void *key, const void *entry, void *arg)
{
	if (!owner_wanted(arg, key, ((const PgvStatementEntry *) entry)->counters.queryid))
		return false;
	if (!is_everything(arg))
		pgv_differences_reset_entry(entry);
	return true;
}

/* "<other>" of a window is of all databases and roles: it goes with all. */
static bool
window_row_matches(const PgvActiveRow *row, void *arg)
{
	return row->key.fingerprint != 0 &&
		is_wanted(arg, row->key.dbid, row->key.userid, row->queryid);
}

static bool
waited_matches(const PgvWaitedStatement *statement, void *arg)
{
	return is_wanted(arg, statement->key.dbid, statement->key.userid, statement->queryid);
}

static bool
finding_matches(const void *key, const void *entry, void *arg)
{
	return owner_wanted(arg, key, ((const PgvFinding *) entry)->queryid);
}

/* Routes are of many statements: they go with a database, a role or all.  So are transactions. */
static bool
route_matches(const void *key, const void *entry, void *arg)
{
	return ((const PgvResetArgs *) arg)->any_queryid && owner_wanted(arg, key, 0);
}

static bool
error_matches(const void *key, const void *entry, void *arg)
{
	return owner_wanted(arg, key, ((const PgvErrorEntry *) entry)->queryid);
}

/* Deadlocks are of several roles and statements: they go with each of them. */
static bool
deadlock_matches(const void *key, const void *data, void *arg)
{
	const PgvDeadlockEntry *entry = data;
	Oid			dbid = ((const PgvDeadlockKey *) key)->dbid;

	for (uint32 i = 0; i < entry->n; i++)
	{
		if (is_wanted(arg, dbid, entry->party[i].userid, entry->party[i].queryid))
			return true;
	}
	return entry->n == 0 && is_wanted(arg, dbid, InvalidOid, 0);
}

static bool
resources_match(const void *key, const void *entry, void *arg)
{
	return owner_wanted(arg, key, ((const PgvResourceEntry *) entry)->queryid);
}

static bool
plan_matches(const void *key, const void *entry, void *arg)
{
	return owner_wanted(arg, key, ((const PgvPlanEntry *) entry)->counters.queryid);
}

static bool
wait_matches(const void *key, const void *entry, void *arg)
{
	return owner_wanted(arg, key, ((const PgvWaitEntry *) entry)->queryid);
}

static bool
activity_matches(const PgvActivity *row, void *arg)
{
	return is_wanted(arg, row->dbid, row->userid, row->queryid);
}

static bool
misestimate_matches(const void *key, const void *entry, void *arg)
{
	return owner_wanted(arg, key, ((const PgvMisestimate *) entry)->queryid);
}

static bool
slow_matches(const PgvSlowRecord *record, void *arg)
{
	return is_wanted(arg, record->dbid, record->userid, record->queryid);
}

Datum
pgv_surface_reset(PG_FUNCTION_ARGS)
{
	PgvResetArgs want = {PG_ARGISNULL(0), 0, InvalidOid, InvalidOid};
	uint64		gone;
	uint64		sampled;

	pgv_require_preload();
	if (!PG_ARGISNULL(0))
		want.queryid = (uint64) PG_GETARG_INT64(0);
	if (!PG_ARGISNULL(1))
		want.dbid = PG_GETARG_OID(1);
	if (!PG_ARGISNULL(2))
		want.userid = PG_GETARG_OID(2);
	pgv_pending_collect();
	pgv_differences_reset_begin(is_everything(&want));
	gone = pgv_store_remove(&pgv_kind_statements, statement_matches, &want);
	pgv_windows_remove(is_everything(&want) ? NULL : window_row_matches, &want);
	pgv_waited_forget(is_everything(&want) ? NULL : waited_matches, &want);
	pgv_differences_reset_end();
	gone += pgv_store_remove(&pgv_kind_findings, finding_matches, &want);
	gone += pgv_store_remove(&pgv_kind_routes, route_matches, &want);
	gone += pgv_store_remove(&pgv_kind_transactions, route_matches, &want);
	gone += pgv_store_remove(&pgv_kind_errors, error_matches, &want);
	gone += pgv_store_remove(&pgv_kind_deadlocks, deadlock_matches, &want);
	/* they go with their statements, and count as one with them */
	pgv_store_remove(&pgv_kind_resources, resources_match, &want);
	gone += pgv_store_remove(&pgv_kind_plans, plan_matches, &want);
	pgv_recent_remove(finding_matches, &want);
	/* how many of these there are is chance */
	sampled = pgv_store_remove(&pgv_kind_waits, wait_matches, &want);
	pgv_history_remove(activity_matches, &want);
	sampled += pgv_store_remove(&pgv_kind_misestimates, misestimate_matches, &want);
	sampled += pgv_slow_remove(slow_matches, &want);
	if (!PG_ARGISNULL(0) && gone + sampled == 0)
		unknown_queryid(PG_GETARG_INT64(0));
	if (is_everything(&want))
	{
		pgv_store_set_reset_time(GetCurrentTimestamp());
		pgv_overhead_reset();
		pgv_brake_reset();
		pgv_history_reset_load();
		pgv_suspects_reset();
	}
	PG_RETURN_INT64((int64) gone);
}
