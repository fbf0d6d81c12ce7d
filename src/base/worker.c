/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The background worker.
 *
 * One process, without a database, on primaries and standbys.  It sleeps on
 * its latch until the next tick is due.  The list of ticks is set by _PG_init,
 * hence there in every process, also where processes are not forked.
 *
 * A tick runs in a memory context of its own.  One that raises an error is
 * logged and rests for a while; the worker and the other ticks go on.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/worker.h"

#define PGV_WORKER_MAX_SLEEP_MS 10000
#define PGV_WORKER_MAX_TICKS 8
#define PGV_WORKER_PAUSE_MS 10000	/* for a tick that failed */

static const PgvTick *ticks = NULL;
static int	nticks = 0;

void
pgv_worker_register(const PgvTick *list, int n)
{
	BackgroundWorker worker;

	Assert(n <= PGV_WORKER_MAX_TICKS);
	ticks = list;
	nticks = n;
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "pg_vitals", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "pgv_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "pg_vitals worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "pg_vitals worker", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* Run one; returns whether it came to its end. */
static bool
run_tick(const PgvTick *tick, MemoryContext context)
{
	volatile bool done = false;

	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		tick->run();
		done = true;
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error_context_stack = NULL;
		EmitErrorReport();
		LWLockReleaseAll();
		AtEOXact_Files(false);
		FlushErrorState();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(context);
	return done;
}

/*
 * Run what is due; returns how long to sleep.  "last" is when each began last,
 * so that what is kept every so often is never older than that.
 */
static long
run_due(TimestampTz *last, MemoryContext context)
{
	long		sleep_ms = PGV_WORKER_MAX_SLEEP_MS;

	for (int i = 0; i < nticks; i++)
	{
		int			interval = ticks[i].interval_ms();
		TimestampTz now = GetCurrentTimestamp();
		int64		left;

		if (interval <= 0)
			continue;
		left = interval - (now - last[i]) / 1000;
		if (left <= 0)
		{
			last[i] = now;
			if (!run_tick(&ticks[i], context))
				last[i] += Max(0, PGV_WORKER_PAUSE_MS - interval) * INT64CONST(1000);
			left = interval - (GetCurrentTimestamp() - last[i]) / 1000;
		}
		sleep_ms = (long) Min(sleep_ms, Max(left, 0));
	}
	return sleep_ms;
}

void
pgv_worker_main(Datum arg)
{
	TimestampTz last[PGV_WORKER_MAX_TICKS];
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "pg_vitals tick",
												  ALLOCSET_DEFAULT_SIZES);

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	for (int i = 0; i < PGV_WORKER_MAX_TICKS; i++)
		last[i] = GetCurrentTimestamp();
	while (!ShutdownRequestPending)
	{
		long		sleep_ms = run_due(last, context);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 sleep_ms, pgv_wait_event("PgVitalsWorker"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	/* not 0, after which the postmaster would not start it again */
	proc_exit(1);
}
