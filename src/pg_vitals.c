/*-------------------------------------------------------------------------
 *
 * pg_vitals.c
 *	  The module: what there is, and in which order it is set up.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "base/worker.h"
#include "collect/across.h"
#include "collect/across_judge.h"
#include "collect/brake.h"
#include "collect/deadlocks.h"
#include "collect/errors.h"
#include "collect/findings.h"
#include "collect/nodes.h"
#include "collect/now.h"
#include "collect/newcomers.h"
#include "collect/overhead.h"
#include "collect/pending.h"
#include "collect/plans.h"
#include "collect/plantext.h"
#include "collect/recent.h"
#include "collect/resources.h"
#include "collect/routes.h"
#include "collect/slow.h"
#include "collect/statements.h"
#include "collect/transactions.h"
#include "collect/suspects.h"
#include "collect/trail.h"
#include "collect/waits.h"
#include "hooks.h"
#include "store/persist.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"
#include "watch/history.h"
#include "watch/sampler.h"
#include "watch/differences.h"
#include "watch/contexts.h"
#include "watch/memory.h"
#include "watch/waited.h"
#include "watch/windows.h"

PGV_MODULE_MAGIC("pg_vitals", PGV_VERSION);

static const PgvKind *const kinds[] = {
	&pgv_kind_statements,
	&pgv_kind_findings,
	&pgv_kind_routes,
	&pgv_kind_transactions,
	&pgv_kind_errors,
	&pgv_kind_deadlocks,
	&pgv_kind_resources,
	&pgv_kind_waits,
	&pgv_kind_plans,
	&pgv_kind_misestimates,
};

/* Those that are counted at a statement's, or a transaction's, end. */
static PgvPendingPart *const pending[] = {
	&pgv_pending_statements,
	&pgv_pending_routes,
	&pgv_pending_transactions,
	&pgv_pending_resources,
};

static shmem_request_hook_type prev_shmem_request = NULL;
static shmem_startup_hook_type prev_shmem_startup = NULL;

/* What each unit that has shared memory wants of it. */
static Size (*const memory_sizes[]) (void) = {
	pgv_store_shmem_size,
	pgv_texts_shmem_size,
	pgv_pending_shmem_size,
	pgv_recent_shmem_size,
	pgv_across_shmem_size,
	pgv_newcomers_shmem_size,
	pgv_overhead_shmem_size,
	pgv_plantext_shmem_size,
	pgv_brake_shmem_size,
	pgv_memory_shmem_size,
	pgv_contexts_shmem_size,
	pgv_waited_shmem_size,
	pgv_differences_shmem_size,
	pgv_windows_shmem_size,
	pgv_persist_shmem_size,
	pgv_now_shmem_size,
	pgv_transactions_shmem_size,
	pgv_trail_shmem_size,
	pgv_slow_shmem_size,
	pgv_suspects_shmem_size,
	pgv_history_shmem_size,
};

static void
request_memory(void)
{
	if (prev_shmem_request)
		prev_shmem_request();
	for (int i = 0; i < lengthof(memory_sizes); i++)
		RequestAddinShmemSpace(memory_sizes[i] ());
	RequestNamedLWLockTranche("pg_vitals_store", pgv_store_locks());
	RequestNamedLWLockTranche("pg_vitals_texts", pgv_texts_locks());
	RequestNamedLWLockTranche("pg_vitals_pending", pgv_pending_locks());
	RequestNamedLWLockTranche("pg_vitals_recent", pgv_recent_locks());
	RequestNamedLWLockTranche("pg_vitals_history", pgv_history_locks());
	RequestNamedLWLockTranche("pg_vitals_memory", pgv_memory_locks());
	RequestNamedLWLockTranche("pg_vitals_contexts", pgv_contexts_locks());
	RequestNamedLWLockTranche("pg_vitals_waited", pgv_waited_locks());
	RequestNamedLWLockTranche("pg_vitals_differences", pgv_differences_locks());
	RequestNamedLWLockTranche("pg_vitals_windows", pgv_windows_locks());
	RequestNamedLWLockTranche("pg_vitals_slow", pgv_slow_locks());
}

/*
 * Has the server been shut down, not stopped at once?  An immediate stop kills
 * the children with whatever locks they hold, and exits with 0 all the same;
 * the control file tells.
 */
static bool
was_shut_down(void)
{
	bool		sound;
	ControlFileData *control = get_controlfile(DataDir, &sound);

	return sound && (control->state == DB_SHUTDOWNED ||
					 control->state == DB_SHUTDOWNED_IN_RECOVERY);
}

static void
keep(void)
{
	TimestampTz start = GetCurrentTimestamp();

	pgv_pending_collect();
	pgv_persist_write(start);
}

/* The postmaster ends, after all its children: keep the statistics. */
static void
write_at_exit(int code, Datum arg)
{
	if (code == 0 && was_shut_down())
		keep();
}

static void
startup_memory(void)
{
	if (prev_shmem_startup)
		prev_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	pgv_texts_shmem_init();
	pgv_store_shmem_init();
	pgv_pending_shmem_init();
	pgv_recent_shmem_init();
	pgv_across_shmem_init();
	pgv_newcomers_shmem_init();
	pgv_overhead_shmem_init();
	pgv_brake_shmem_init();
	pgv_now_shmem_init();
	pgv_transactions_shmem_init();
	pgv_trail_shmem_init();
	pgv_slow_shmem_init();
	pgv_suspects_shmem_init();
	pgv_history_shmem_init();
	pgv_memory_shmem_init();
	pgv_contexts_shmem_init();
	pgv_waited_shmem_init();
	pgv_differences_shmem_init();
	pgv_windows_shmem_init();
	pgv_plantext_shmem_init();
	pgv_persist_shmem_init();
	LWLockRelease(AddinShmemInitLock);
	pgv_surface_set_loaded();
	if (IsUnderPostmaster)
		return;
	on_shmem_exit(write_at_exit, (Datum) 0);
	pgv_persist_read();
}

/* ----- ticks of the worker ----- */

static int
persist_interval(void)
{
	return pgv_persist_interval_s * 1000;
}

static const PgvTick ticks[] = {
	{"persist", persist_interval, keep},
	{"across sessions", pgv_across_interval, pgv_across_tick},
	{"sample", pgv_sampler_interval, pgv_sampler_tick},
	{"memory", pgv_memory_interval, pgv_memory_tick},
	{"windows", pgv_windows_interval, pgv_windows_tick},
};

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	pgv_settings_define();
	/* pg_upgrade's own statements are nobody's work, and its server no place for it */
	if (IsBinaryUpgrade)
		return;
	pgv_store_set_kinds(kinds, lengthof(kinds));
	pgv_pending_also(&pgv_pending_statements, &pgv_kind_plans);
	pgv_pending_configure(pending, lengthof(pending));
	pgv_recent_configure(&pgv_kind_findings);
	prev_shmem_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	prev_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_memory;
	pgv_worker_register(ticks, lengthof(ticks));
	pgv_hooks_install();
}
