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
#include "collect/newcomers.h"
#include "collect/nplusone.h"
#include "collect/now.h"
#include "collect/overhead.h"
#include "collect/pending.h"
#include "collect/plans.h"
#include "collect/plantext.h"
#include "collect/recent.h"
#include "collect/resources.h"
#include "collect/routes.h"
#include "collect/slow.h"
#include "collect/statements.h"
#include "collect/suspects.h"
#include "collect/trail.h"
#include "collect/transactions.h"
#include "collect/waits.h"
#include "store/persist.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"
#include "watch/history.h"
#include "watch/differences.h"
#include "watch/contexts.h"
#include "watch/memory.h"
#include "watch/waited.h"
#include "watch/windows.h"

PGV_FUNCTION(pgv_surface_info);

/* Shared memory that is not of a kind of the store. */
static Size (*const other_memory[]) (void) = {
	pgv_pending_memory,
	pgv_plantext_shmem_size,
	pgv_recent_shmem_size,
	pgv_across_shmem_size,
	pgv_newcomers_shmem_size,
	pgv_transactions_shmem_size,
	pgv_persist_shmem_size,
	pgv_overhead_shmem_size,
	pgv_brake_shmem_size,
	pgv_texts_shmem_size,
	pgv_now_shmem_size,
	pgv_trail_shmem_size,
	pgv_slow_shmem_size,
	pgv_suspects_shmem_size,
	pgv_history_shmem_size,
	pgv_memory_shmem_size,
	pgv_contexts_shmem_size,
	pgv_waited_shmem_size,
	pgv_differences_shmem_size,
	pgv_windows_shmem_size,
};

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
set_slow(PgvRows *rows)
{
	pgv_row_set(rows, "slow_statements", Int64GetDatum((int64) pgv_slow_recorded()));
	pgv_row_set(rows, "slow_statements_max", Int64GetDatum(pgv_slow_room()));
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

/* The columns of one kind: its rows, their limit, and what was pushed out. */
static void
set_kind(PgvRows *rows, const PgvKind *kind, const char *evicted)
{
	PgvStoreStats stats;
	uint64		unidentified = 0;

	pgv_store_stats(kind, &stats);
	if (kind == &pgv_kind_statements)
	{
		unidentified = pgv_newcomers_unidentified();
		pgv_row_set(rows, "unidentified", Int64GetDatum((int64) unidentified));
		pgv_row_set(rows, "refused", Int64GetDatum((int64) (stats.refused + unidentified)));
	}
	pgv_row_set(rows, kind->name, Int64GetDatum((int64) stats.entries));
	pgv_row_set(rows, psprintf("%s_max", kind->name), Int64GetDatum((int64) stats.limit));
	pgv_row_set(rows, evicted != NULL ? evicted : psprintf("%s_evicted", kind->name),
				Int64GetDatum((int64) (stats.evictions + unidentified)));
}

static void
set_store(PgvRows *rows)
{
	const PgvKind *const *kinds;
	int			n = pgv_store_kinds(&kinds);
	PgvTextsStats texts;
	Size		reserved = 0;
	Size		used = 0;

	for (int i = 0; i < n; i++)
	{
		PgvStoreStats stats;

		pgv_store_stats(kinds[i], &stats);
		reserved += stats.memory_bytes;
		used += stats.memory_used;
		set_kind(rows, kinds[i], kinds[i] == &pgv_kind_statements ? "evictions" : NULL);
	}
	for (int i = 0; i < lengthof(other_memory); i++)
		reserved += other_memory[i] ();
	pgv_texts_stats(&texts);
	pgv_row_set(rows, "texts_bytes", Int64GetDatum((int64) texts.bytes));
	pgv_row_set(rows, "texts_dropped", Int64GetDatum((int64) texts.dropped));
	pgv_row_set(rows, "memory_bytes", Int64GetDatum((int64) reserved));
	pgv_row_set(rows, "memory_used_bytes", Int64GetDatum((int64) (used + texts.bytes)));
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
	set_slow(&rows);
	set_store(&rows);
	last = pgv_persist_last();
	if (last != 0)
		pgv_row_set(&rows, "last_persisted", TimestampTzGetDatum(last));
	pgv_row_emit(&rows);
	return (Datum) 0;
}
