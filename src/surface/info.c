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
#include "collect/errors.h"
#include "collect/findings.h"
#include "collect/nplusone.h"
#include "collect/pending.h"
#include "collect/recent.h"
#include "collect/routes.h"
#include "collect/statements.h"
#include "store/persist.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_info);

static bool
add_calls(const void *key, const void *entry, void *arg)
{
	*(int64 *) arg += ((const PgvStatementEntry *) entry)->counters.calls;
	return true;
}

static void
set_store(PgvRows *rows)
{
	PgvStoreStats statements;
	PgvStoreStats findings;
	PgvStoreStats routes;
	PgvStoreStats errors;
	PgvTextsStats texts;
	int64		executions = 0;

	pgv_pending_collect();
	pgv_store_scan(&pgv_kind_statements, add_calls, &executions);
	pgv_store_stats(&pgv_kind_statements, &statements);
	pgv_store_stats(&pgv_kind_findings, &findings);
	pgv_store_stats(&pgv_kind_routes, &routes);
	pgv_store_stats(&pgv_kind_errors, &errors);
	pgv_texts_stats(&texts);
	pgv_row_set(rows, "statements", Int64GetDatum((int64) statements.entries));
	pgv_row_set(rows, "statements_max", Int64GetDatum((int64) statements.limit));
	pgv_row_set(rows, "evictions", Int64GetDatum((int64) statements.evictions));
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
	pgv_row_set(rows, "executions", Int64GetDatum(executions));
	pgv_row_set(rows, "memory_bytes",
				Int64GetDatum((int64) (statements.memory_bytes + findings.memory_bytes +
									   routes.memory_bytes + errors.memory_bytes +
									   pgv_pending_memory() +
									   pgv_recent_shmem_size() +
									   pgv_across_shmem_size() +
									   pgv_texts_shmem_size())));
}

Datum
pgv_surface_info(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	TimestampTz last;

	pgv_rows_begin(&rows, fcinfo);
	pgv_row_set_text(&rows, "version", PGV_VERSION);
	pgv_row_set(&rows, "stats_reset", TimestampTzGetDatum(pgv_store_reset_time()));
	set_store(&rows);
	last = pgv_persist_last();
	if (last != 0)
		pgv_row_set(&rows, "last_persisted", TimestampTzGetDatum(last));
	pgv_row_emit(&rows);
	return (Datum) 0;
}
