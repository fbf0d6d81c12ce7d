/*-------------------------------------------------------------------------
 *
 * surface/info.c
 *	  What the view on pg_vitals itself reads.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "collect/across.h"
#include "collect/brake.h"
#include "collect/errors.h"
#include "collect/findings.h"
#include "collect/nplusone.h"
#include "collect/overhead.h"
#include "collect/pending.h"
#include "collect/recent.h"
#include "collect/resources.h"
#include "collect/routes.h"
#include "collect/statements.h"
#include "store/persist.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_info);

/* Executions, and how many of them are in rows <evicted>. */
typedef struct PgvCoverage
{
	int64		executions;
	int64		evicted;
} PgvCoverage;

static bool
add_calls(const void *key, const void *entry, void *arg)
{
	PgvCoverage *c = arg;
	int64		calls = ((const PgvStatementEntry *) entry)->counters.calls;

	c->executions += calls;
	if (pgv_statements_is_residual(key))
		c->evicted += calls;
	return true;
}

static void
set_executions(PgvRows *rows)
{
	PgvCoverage c = {0};
	PgvOverheadStats overhead;

	pgv_store_scan(&pgv_kind_statements, add_calls, &c);
	pgv_row_set(rows, "executions", Int64GetDatum(c.executions));
	if (c.executions > 0)
		pgv_row_set(rows, "coverage",
					Float8GetDatum(1 - (double) c.evicted / c.executions));
	pgv_overhead_stats(&overhead);
	pgv_row_set(rows, "executions_sampled", Int64GetDatum((int64) overhead.sampled));
	pgv_row_set(rows, "hook_time", Float8GetDatum(overhead.ms));
}

static void
set_brake(PgvRows *rows)
{
	PgvBrakeStats brake;

	pgv_brake_stats(&brake);
	pgv_row_set(rows, "statements_unwatched", Int64GetDatum((int64) brake.unwatched));
	if (brake.last != 0)
		pgv_row_set(rows, "last_braked", TimestampTzGetDatum(brake.last));
}

static void
set_store(PgvRows *rows)
{
	PgvStoreStats statements;
	PgvStoreStats findings;
	PgvStoreStats routes;
	PgvStoreStats errors;
	PgvStoreStats resources;
	PgvTextsStats texts;

	pgv_store_stats(&pgv_kind_statements, &statements);
	pgv_store_stats(&pgv_kind_findings, &findings);
	pgv_store_stats(&pgv_kind_routes, &routes);
	pgv_store_stats(&pgv_kind_errors, &errors);
	pgv_store_stats(&pgv_kind_resources, &resources);
	pgv_texts_stats(&texts);
	pgv_row_set(rows, "statements", Int64GetDatum((int64) statements.entries));
	pgv_row_set(rows, "statements_max", Int64GetDatum((int64) statements.limit));
	pgv_row_set(rows, "evictions", Int64GetDatum((int64) statements.evictions));
	pgv_row_set(rows, "refused", Int64GetDatum((int64) statements.refused));
	pgv_row_set(rows, "findings", Int64GetDatum((int64) findings.entries));
	pgv_row_set(rows, "findings_max", Int64GetDatum((int64) findings.limit));
	pgv_row_set(rows, "findings_evicted", Int64GetDatum((int64) findings.evictions));
	pgv_row_set(rows, "routes", Int64GetDatum((int64) routes.entries));
	pgv_row_set(rows, "routes_max", Int64GetDatum((int64) routes.limit));
	pgv_row_set(rows, "routes_evicted", Int64GetDatum((int64) routes.evictions));
	pgv_row_set(rows, "errors", Int64GetDatum((int64) errors.entries));
	pgv_row_set(rows, "errors_max", Int64GetDatum((int64) errors.limit));
	pgv_row_set(rows, "errors_evicted", Int64GetDatum((int64) errors.evictions));
	pgv_row_set(rows, "texts_bytes", Int64GetDatum((int64) texts.bytes));
	pgv_row_set(rows, "texts_dropped", Int64GetDatum((int64) texts.dropped));
	pgv_row_set(rows, "memory_bytes",
				Int64GetDatum((int64) (statements.memory_bytes + findings.memory_bytes +
									   routes.memory_bytes + errors.memory_bytes +
									   resources.memory_bytes +
									   pgv_pending_memory() +
									   pgv_recent_shmem_size() +
									   pgv_across_shmem_size() +
									   pgv_overhead_shmem_size() +
									   pgv_brake_shmem_size() +
									   pgv_texts_shmem_size())));
	pgv_row_set(rows, "memory_used_bytes",
				Int64GetDatum((int64) (statements.memory_used + findings.memory_used +
									   routes.memory_used + errors.memory_used +
									   resources.memory_used +
									   texts.bytes)));
}

Datum
pgv_surface_info(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	TimestampTz last;

	pgv_rows_begin(&rows, fcinfo);
	pgv_row_set_text(&rows, "version", PGV_VERSION);
	pgv_row_set(&rows, "stats_reset", TimestampTzGetDatum(pgv_store_reset_time()));
	pgv_pending_collect();
	set_executions(&rows);
	set_brake(&rows);
	set_store(&rows);
	last = pgv_persist_last();
	if (last != 0)
		pgv_row_set(&rows, "last_persisted", TimestampTzGetDatum(last));
	pgv_row_emit(&rows);
	return (Datum) 0;
}
