/*-------------------------------------------------------------------------
 *
 * plantext.c
 *	  What EXPLAIN says of a plan, captured once for a statement and plan.
 *
 * Kept is EXPLAIN (VERBOSE, FORMAT JSON) of the plan that is being executed,
 * without constants and without what its nodes return; the text form is made
 * of it for whoever reads it.  Kept with the texts of statements, it takes no
 * more than their memory has to spare: it is not offered when three quarters
 * of that are in use.
 *
 * When.  To explain a plan takes much longer than to execute a short
 * statement, so what runs once only is not explained unless it takes
 * PGV_LONG_MS, or is slow by pg_vitals.slow_threshold.  Of what is new, a mark is left in shared memory; a backend to
 * which it is new and that finds the mark, or comes to it again itself,
 * captures it before it runs: so a statement that never ends has its plan
 * shown, if it has been tried before.  Marks are overwritten by those of other
 * plans, and written without a lock: a mark lost is one more execution to
 * wait for.
 *
 * How not to harm the query.  ExplainPrintPlan deparses expressions: it calls
 * output functions of types, looks at catalogs whose objects nobody has locked
 * (a function may be dropped meanwhile), has foreign data wrappers explain
 * themselves, and needs memory.  All of these may raise an error.  An error
 * may leave locks, buffers and cache entries held, and nothing but the end of a
 * subtransaction gives them back; to catch it without one would be wrong, and
 * to let it be would fail a query that has nothing wrong.  So a capture is a
 * subtransaction of its own, as a procedural language's handler is: it has no
 * transaction id, and takes two microseconds, once for a plan.  Whatever is
 * raised in it is forgotten, and the plan is not tried again in this session;
 * but a cancel is the client's or the server's and is raised on.  Where a
 * subtransaction cannot be, in parallel mode or without a transaction, nothing
 * is captured.  All that is allocated goes with a context of its own.
 *
 * Made later, by planning the text once more in the reader's session, it
 * would be another plan: of other parameters, settings, statistics, rights.
 *
 * A text just captured is referred to by this backend, until the pending
 * record that is made at the end of the execution takes the reference over.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/planjson.h"
#include "base/settings.h"
#include "collect/plantext.h"
#include "store/texts.h"

#define PGV_MARKS 4096			/* power of two */
#define PGV_LONG_MS 10.0		/* an execution worth an EXPLAIN at once */
#define PGV_MAX_PLAN_TEXT (64 * 1024)

/* Shared; no lock, see above. */
static uint32 *marks = NULL;

bool		pgv_plantext_capturing = false;
static uint64 held = 0;			/* a text that this backend refers to */

Size
pgv_plantext_shmem_size(void)
{
	return PGV_MARKS * sizeof(uint32);
}

void
pgv_plantext_shmem_init(void)
{
	bool		found;

	marks = ShmemInitStruct("pg_vitals plans seen", pgv_plantext_shmem_size(), &found);
	if (!found)
		memset(marks, 0, pgv_plantext_shmem_size());
}

/* Leave a plan's mark; was it there already? */
static bool
leave_mark(uint64 id)
{
	uint32	   *place = &marks[id & (PGV_MARKS - 1)];
	uint32		mark = (uint32) (id >> 32) | 1;

	if (*place == mark)
		return true;
	*place = mark;
	return false;
}

static bool
is_there(uint64 id)
{
	if (!pgv_texts_reference(id))
		return false;
	pgv_texts_release(id);
	return true;
}

static bool
is_room(void)
{
	PgvTextsStats stats;

	pgv_texts_stats(&stats);
	return stats.bytes < (uint64) pgv_text_memory_kb * 1024 / 4 * 3;
}

/* ----- capturing ----- */

StringInfo
pgv_plantext_explain(QueryDesc *query, bool actual)
{
	ExplainState *es = NewExplainState();
	PgvJson    *json;
	StringInfo	kept;

	es->format = EXPLAIN_FORMAT_JSON;
	es->verbose = true;
	es->costs = true;
	es->analyze = actual;
	ExplainBeginOutput(es);
	ExplainOpenGroup("Query", NULL, true, es);
	ExplainPrintPlan(es, query);
	ExplainCloseGroup("Query", NULL, true, es);
	ExplainEndOutput(es);
	json = pgv_planjson_read(es->str->data, es->str->len);
	if (json == NULL)
		return NULL;
	pgv_planjson_mask(json);
	kept = makeStringInfo();
	pgv_planjson_write(json, kept);
	return kept->len <= Min(PGV_MAX_PLAN_TEXT, pgv_texts_max_length()) ? kept : NULL;
}

typedef struct PgvCapture
{
	uint64		id;
	QueryDesc  *query;
} PgvCapture;

/* Explain and keep; false if it is never to be had. */
static bool
explain_and_keep(void *arg)
{
	const PgvCapture *capture = arg;
	StringInfo	kept = pgv_plantext_explain(capture->query, false);

	if (kept == NULL)
		return false;
	pgv_plantext_forget();
	if (pgv_texts_intern(capture->id, kept->data, kept->len, GetDatabaseEncoding()))
		held = capture->id;
	return true;
}

/* In memory that is given back at once; on an error, with the caller's. */
static bool
do_work(PgvGuarded work, void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals plan",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		done = work(arg);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return done;
}

/* An error in the capture; one that is not its own is raised on. */
static void
give_up(MemoryContext context, ResourceOwner owner)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	pgv_plantext_capturing = false;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
		ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
		ReThrowError(error);
	FreeErrorData(error);
}

static bool
is_possible(void)
{
	return IsTransactionState() && !IsInParallelMode() && !pgv_plantext_capturing;
}

bool
pgv_plantext_guard(PgvGuarded work, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	if (!is_possible())
		return false;
	BeginInternalSubTransaction(NULL);
	pgv_plantext_capturing = true;
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		done = do_work(work, arg);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		give_up(context, owner);
		done = false;
	}
	PG_END_TRY();
	pgv_plantext_capturing = false;
	return done;
}

static PgvPlanText
capture(uint64 id, QueryDesc *query)
{
	PgvCapture	what = {id, query};

	return pgv_plantext_guard(explain_and_keep, &what) ? PGV_PLANTEXT_DONE : PGV_PLANTEXT_NEVER;
}

static void
try_to_capture(PgvPlanRef *plan, uint64 id, QueryDesc *query)
{
	if (!is_possible())
		return;
	if (is_there(id))
		pgv_planid_set_text(plan, PGV_PLANTEXT_DONE);
	else
	{
		pgv_planid_set_text(plan, is_room() ? capture(id, query) : PGV_PLANTEXT_NEVER);
		plan->captured = (held == id);
	}
}

pg_noinline void
pgv_plantext_started(PgvPlanRef *plan, const PgvStatementRef *ref, QueryDesc *query)
{
	uint64		id = pgv_plantext_id(MyDatabaseId, ref->fingerprint, plan->planid);

	if (plan->text == PGV_PLANTEXT_WANTED || leave_mark(id))
		try_to_capture(plan, id, query);
	else if (is_there(id))
		pgv_planid_set_text(plan, PGV_PLANTEXT_DONE);
	else
		pgv_planid_set_text(plan, PGV_PLANTEXT_WANTED);
}

void
pgv_plantext_ran(PgvPlanRef *plan, const PgvStatementRef *ref, QueryDesc *query, double ms,
				 bool wanted)
{
	if (ms < PGV_LONG_MS && !wanted)
		return;
	try_to_capture(plan, pgv_plantext_id(MyDatabaseId, ref->fingerprint, plan->planid),
				   query);
}

uint64
pgv_plantext_reference(PgvPlanRef *plan, uint64 fingerprint)
{
	uint64		id = pgv_plantext_id(MyDatabaseId, fingerprint, plan->planid);

	plan->captured = false;
	if (held == id)
	{
		held = 0;
		return id;
	}
	if (pgv_texts_reference(id))
		return id;
	/* it went with the last who referred to it: look again, next time */
	if (plan->text == PGV_PLANTEXT_DONE)
		pgv_planid_set_text(plan, PGV_PLANTEXT_UNKNOWN);
	return 0;
}

void
pgv_plantext_forget(void)
{
	if (held != 0)
		pgv_texts_release(held);
	held = 0;
}
