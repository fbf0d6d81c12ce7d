/*-------------------------------------------------------------------------
 *
 * contexts.c
 *	  The memory contexts of another process, on demand.
 *
 * The server has a signal that makes a process log its memory contexts, at once,
 * also when it is idle.  We send it, after having written to shared memory whom we
 * ask.  That process comes by here, by emit_log_hook, as it is about to log; it
 * adds up its contexts by name and writes the sums to shared memory; the lines
 * meant for the log are kept out of it.  So a statement's way has nothing to do
 * with it.
 *
 * Only names of contexts are told.  What identifies one of many (the text of a
 * plan's query) may have constants in it.
 *
 * One question at a time.  The lock guards all of the shared structure; who asks
 * holds it for a few stores, who answers for a copy.  A question that nobody took
 * back (its session was terminated) gives way after some seconds.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "watch/contexts.h"

#define PGV_CONTEXTS_TRANCHE "pg_vitals_contexts"
#define PGV_CONTEXTS_WAIT_MS 10000
#define PGV_CONTEXTS_POLL_MS 5

typedef struct PgvSharedContexts
{
	int			pid;			/* who is asked; 0: nobody */
	bool		answered;
	TimestampTz asked_at;
	int			n;
	PgvContextSum sums[PGV_CONTEXT_NAMES + 1];
} PgvSharedContexts;

static PgvSharedContexts *shared = NULL;
static LWLock *lock = NULL;

/* Are the lines that follow in the log of contexts that we asked for? */
static bool answering = false;

Size
pgv_contexts_shmem_size(void)
{
	return sizeof(PgvSharedContexts);
}

int
pgv_contexts_locks(void)
{
	return 1;
}

void
pgv_contexts_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche(PGV_CONTEXTS_TRANCHE)->lock;
	shared = ShmemInitStruct("pg_vitals contexts", pgv_contexts_shmem_size(), &found);
	if (!found)
		memset(shared, 0, sizeof(PgvSharedContexts));
}

/* ----- the answer ----- */

/* The sum of a name, made if need be; the last is of all further names. */
static PgvContextSum *
sum_of(PgvContextSum *sums, int *n, const char *name)
{
	for (int i = 0; i < *n; i++)
	{
		if (strncmp(sums[i].name, name, NAMEDATALEN - 1) == 0)
			return &sums[i];
	}
	if (*n >= PGV_CONTEXT_NAMES)
	{
		*n = PGV_CONTEXT_NAMES + 1;
		name = "<other>";
	}
	else
		(*n)++;
	strlcpy(sums[*n - 1].name, name, NAMEDATALEN);
	return &sums[*n - 1];
}

static MemoryContext
next_context(MemoryContext context)
{
	if (context->firstchild != NULL)
		return context->firstchild;
	while (context != NULL && context->nextchild == NULL)
		context = context->parent;
	return context != NULL ? context->nextchild : NULL;
}

static void
answer(void)
{
	static PgvContextSum sums[PGV_CONTEXT_NAMES + 1];
	int			n = 0;

	memset(sums, 0, sizeof(sums));
	for (MemoryContext c = TopMemoryContext; c != NULL; c = next_context(c))
	{
		MemoryContextCounters counters = {0};
		PgvContextSum *sum = sum_of(sums, &n, c->name);

		c->methods->stats(c, NULL, NULL, &counters, false);
		sum->contexts++;
		sum->total_bytes += counters.totalspace;
		sum->free_bytes += counters.freespace;
	}
	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (shared->pid == MyProcPid)
	{
		memcpy(shared->sums, sums, sizeof(sums));
		shared->n = n;
		shared->answered = true;
	}
	LWLockRelease(lock);
}

static bool
begins_with(const char *text, const char *start)
{
	return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

void
pgv_contexts_at_log(ErrorData *edata)
{
	if (edata->elevel != LOG_SERVER_ONLY || shared == NULL)
		return;
	if (begins_with(edata->message_id, "logging memory contexts of PID"))
	{
		/* nobody but who asks us writes our number there */
		answering = shared->pid == MyProcPid && !shared->answered;
		if (answering)
			answer();
	}
	else if (!begins_with(edata->message_id, "level: ") &&
			 !begins_with(edata->message_id, "Grand total: "))
		answering = false;
	if (answering)
		edata->output_to_server = false;
}

/* ----- the question ----- */

static void
rest(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 PGV_CONTEXTS_POLL_MS, pgv_wait_event("PgVitalsContexts"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Write down whom we ask, unless somebody else asks at present. */
static bool
try_to_ask(int pid)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		mine = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (shared->pid == 0 ||
		TimestampDifferenceExceeds(shared->asked_at, now, 2 * PGV_CONTEXTS_WAIT_MS))
	{
		mine = true;
		shared->pid = pid;
		shared->asked_at = now;
		shared->answered = false;
	}
	LWLockRelease(lock);
	return mine;
}

static int
take_answer(PgvContextSum *sums)
{
	int			n = -1;

	LWLockAcquire(lock, LW_SHARED);
	if (shared->answered)
	{
		n = shared->n;
		memcpy(sums, shared->sums, sizeof(shared->sums));
	}
	LWLockRelease(lock);
	return n;
}

static void
no_answer(int pid)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("process %d did not tell its memory contexts within %d seconds",
					pid, PGV_CONTEXTS_WAIT_MS / 1000),
			 errhint("It may be where it cannot be interrupted, or not log messages of level LOG (log_min_messages).")));
}

static int
wait_for_answer(int pid, PgvContextSum *sums)
{
	TimestampTz start = GetCurrentTimestamp();
	int			n;

	(void) DirectFunctionCall1(pg_log_backend_memory_contexts, Int32GetDatum(pid));
	while ((n = take_answer(sums)) < 0)
	{
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), PGV_CONTEXTS_WAIT_MS))
			no_answer(pid);
		rest();
	}
	return n;
}

int
pgv_contexts_ask(int pid, PgvContextSum *sums)
{
	volatile int n = 0;

	if (BackendPidGetProc(pid) == NULL && AuxiliaryPidGetProc(pid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no process of this server has the ID %d", pid),
				 errhint("See vitals.memory for the processes that there are.")));
	while (!try_to_ask(pid))
		rest();
	PG_TRY();
	{
		n = wait_for_answer(pid, sums);
	}
	PG_FINALLY();
	{
		LWLockAcquire(lock, LW_EXCLUSIVE);
		shared->pid = 0;
		LWLockRelease(lock);
	}
	PG_END_TRY();
	return n;
}
