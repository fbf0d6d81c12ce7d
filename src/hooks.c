/*-------------------------------------------------------------------------
 *
 * hooks.c
 *	  The only place that assigns PostgreSQL's hooks: before, chain, after.
 *
 * What a hook knows of "now" is what holds for the whole session: the depth
 * of nesting, the utility statement that encloses us, and when the client's
 * message came.  Depth and utility change only around PG_TRY; whatever belongs
 * to one query is in its frame.
 *
 * Counting follows pg_stat_statements, so that the two agree: EXECUTE is
 * charged to the statement it executes, a utility statement's own nested
 * statements are one level down.  It differs where that one loses work:
 * failed executions count, a cursor's fetches add up, and what runs inside the
 * planner is nested.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "commands/dbcommands.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "base/server.h"
#include "base/settings.h"
#include "base/sqltext.h"
#include "collect/brake.h"
#include "collect/errors.h"
#include "collect/frame.h"
#include "collect/identity.h"
#include "collect/nested.h"
#include "collect/newcomers.h"
#include "collect/nodes.h"
#include "collect/nplusone.h"
#include "collect/now.h"
#include "collect/overhead.h"
#include "collect/planid.h"
#include "collect/plantext.h"
#include "collect/routes.h"
#include "collect/slow.h"
#include "collect/statements.h"
#include "collect/suspects.h"
#include "collect/tagging.h"
#include "collect/transactions.h"
#include "collect/variables.h"
#include "watch/circle.h"
#include "watch/contexts.h"
#include "hooks.h"

/* The utility statement being executed, innermost first; on the C stack. */
typedef struct PgvUtility
{
	struct PgvUtility *outer;
	const char *source;
	int			location;
	int			length;
	bool		declares_cursor;	/* DECLARE CURSOR sent by the client */
	const PgvStatementRef *counted; /* NULL: it is not */
	PgvMeasure	measure;
	PgvUsage   *usage;
	PgvScope	scope;
} PgvUtility;

/* A planner at work. */
typedef struct PgvPlanning
{
	PgvScope	scope;
	PgvStatementRef *counted;	/* NULL: it is not */
} PgvPlanning;

/* The client's last statement; it is over, but its transaction may not be. */
typedef struct PgvDone
{
	TimestampTz message;		/* when the message came that executed it */
	const char *source;			/* where it stands in what the client sent */
	int			location;
	int			length;
	bool		open;			/* counted, and nothing was committed since */
	bool		ends;			/* it is a COMMIT or the like */
	bool		measured;
	PgvStatementRef statement;	/* if open */
	PgvMeasure	measure;		/* from its end on, if measured */
} PgvDone;

static PGV_HOT_DATA post_parse_analyze_hook_type prev_post_parse_analyze = NULL;
static PGV_HOT_DATA planner_hook_type prev_planner = NULL;
static PGV_HOT_DATA ExecutorStart_hook_type prev_ExecutorStart = NULL;
static PGV_HOT_DATA ExecutorRun_hook_type prev_ExecutorRun = NULL;
static PGV_HOT_DATA ExecutorFinish_hook_type prev_ExecutorFinish = NULL;
static PGV_HOT_DATA ExecutorEnd_hook_type prev_ExecutorEnd = NULL;
static ProcessUtility_hook_type prev_ProcessUtility = NULL;
static emit_log_hook_type prev_emit_log = NULL;

static PGV_HOT_DATA int level = 0;			/* depth: 0 for what the client sends */
static PGV_HOT_DATA PgvUtility *utility = NULL;
static PGV_HOT_DATA PgvArrival arrival;		/* of the client's present statement */
static PGV_HOT_DATA TimestampTz arrived = 0; /* when the last one came */
static PGV_HOT_DATA TimestampTz last_end = 0;	/* of its last one */
static PGV_HOT_DATA TimestampTz portal_end = 0;	/* likewise, but of none in a commit */
static PGV_HOT_DATA bool more_sent = false;	/* was there more to read at that end? */
static PGV_HOT_DATA bool more_after_commit = false; /* and when it was committed? */
static PGV_HOT_DATA PgvDone done;
static PGV_HOT_DATA bool in_block = false;	/* between the client's BEGIN and its end */
/*
 * The client's statement planned last.  While "waiting" it is not counted yet;
 * its identity stands until the next one is planned.
 */
static PGV_HOT_DATA struct
{
	bool		waiting;
	PgvStatementRef statement;
	PgvUsage	usage;
}			planned;
static PGV_HOT_DATA bool execute = false;	/* inside an EXECUTE sent by the client ... */
static PGV_HOT_DATA uint64 execute_route = 0;	/* ... with this route */

/* ----- what the client is doing ----- */

static void watch_exit(void);
static void count_planned(bool source_is_there);
static void watch_errors(void);

/*
 * Has the client asked for no answer (by Sync, or a simple query) since the last
 * statement?  Outside of a block that statement's transaction then goes on.  In one
 * the server has not been idle: with its first message after a Sync it adds up
 * for how long it was.
 */
static inline bool
is_pipelined(void)
{
	static PGV_HOT_DATA PgStat_Counter idle = 0;

	if (likely(!in_block))
		return (MyXactFlags & XACT_FLAGS_PIPELINING) != 0;
	if (idle == pgStatTransactionIdleTime)
		return pgstat_track_activities;
	idle = pgStatTransactionIdleTime;
	return false;
}

/* A message came: the first of Parse, Bind, Execute or Query counts. */
static inline void
note_arrival(void)
{
	if (level > 0 || arrival.at != 0)
		return;
	pgv_overhead_arrival();
	watch_exit();
	if (unlikely(planned.waiting))
		count_planned(false);
	arrival.at = arrived = GetCurrentStatementStartTimestamp();
	arrival.plan_ms = 0;
	arrival.wait_ms = 0;
	arrival.queued = more_sent;
	arrival.ahead = more_after_commit;
	arrival.pipelined = is_pipelined();
	if (last_end != 0 && arrival.at > last_end)
	{
		arrival.wait_ms = (arrival.at - last_end) / 1000.0;
		pgv_transactions_idle(arrival.at - last_end);
	}
	pgv_signs_pause(&arrival);
}

/* Is the time of this hook to be taken?  Of a nested statement's it is not. */
static inline bool
is_timed(void)
{
	return unlikely(pgv_overhead_timing) && level == 0;
}

/* What the commit runs has no portal: the client's statement was done before. */
static inline void
note_last_end(TimestampTz now)
{
	last_end = now;
	if (likely(ActivePortal != NULL))
		portal_end = now;
	pgv_now_ended(now);
}

/* Its statement is done. */
static inline void
note_end(TimestampTz now)
{
	if (level > 0)
		return;
	arrival.at = 0;
	note_last_end(now);
	more_sent = PGV_MORE_SENT();
	more_after_commit = false;
	if (unlikely(pgv_errors_any))
		pgv_errors_settle();
}

/* What the client sent is done, not what its commit runs: that has no portal. */
static inline bool
is_clients(void)
{
	return level == 0 && ActivePortal != NULL;
}

static inline void
note_place(const char *source, int location, int length)
{
	done.message = GetCurrentStatementStartTimestamp();
	done.source = source;
	done.location = location;
	done.length = length;
}

/*
 * A statement that is counted is done: what its commit may still have to say
 * is to be charged to it.
 */
static inline void
note_done(const PgvStatementRef *ref, bool ends)
{
	if (!is_clients())
		return;
	done.open = true;
	done.ends = ends;
	done.measured = false;
	done.statement = *ref;
	note_place(ref->source, ref->location, ref->length);
}

/* It has written, or ends a transaction: blocks and WAL are measured, too. */
static inline void
note_done_measured(void)
{
	if (!is_clients() || !done.open)
		return;
	done.measured = true;
	pgv_measure_next(&done.measure);
}

static inline bool
is_counted(void)
{
	return pgv_track == PGV_TRACK_ALL ||
		(pgv_track == PGV_TRACK_TOP && level == 0);
}

/* Are we to look at this process's statements at all? */
static inline bool
is_on(void)
{
	return pgv_enabled && !IsParallelWorker() &&
		!pgv_settings_ignores(application_name);
}

/* A transaction was committed, or prepared. */
static pg_attribute_hot void
end_well(void)
{
	arrival.at = 0;
	in_block = false;
	if (unlikely(pgv_errors_any))
		pgv_errors_settle();
	done.open = false;
	watch_errors();
}

/*
 * The end of the transaction was asked for with the client's last statement, but in
 * a pipeline with its Sync, for which it has waited, and in a procedure now.
 */
static void
note_commit(void)
{
	if (likely(!pgv_transaction.open))
		return;
	if (level > 0)
		pgv_transactions_committing(0, 0);
	else if (!pgv_transaction.block && (MyXactFlags & XACT_FLAGS_PIPELINING) != 0)
		pgv_transactions_committing(0, portal_end);
	else
		pgv_transactions_committing(portal_end, 0);
}

/* A transaction is over; returns when, if the clock was asked. */
static pg_attribute_hot TimestampTz
count_transaction(PgvTransactionEnd how)
{
	if (likely(is_on()))
		return pgv_transactions_ended(how);
	pgv_transactions_forget();
	return 0;
}

static void
at_prepare(void)
{
	pgv_now_committed();
	count_transaction(PGV_PREPARED);
	end_well();
}

static void
at_abort(void)
{
	pgv_now_aborted();
	count_transaction(PGV_ROLLED_BACK);
	pgv_overhead_drop();
	arrival.at = 0;
	in_block = false;
	more_after_commit = false;
}

/* Another event than a commit. */
static pg_noinline void
at_other_event(XactEvent event)
{
	if (event == XACT_EVENT_PRE_PREPARE)
	{
		pgv_now_commit();
		note_commit();
	}
	else if (event == XACT_EVENT_PREPARE)
		at_prepare();
	else if (event == XACT_EVENT_ABORT)
		at_abort();
}

/* It is committed. */
static inline void
at_commit(void)
{
	TimestampTz end;

	pgv_now_committed();
	end = count_transaction(PGV_COMMITTED);
	if (level == 0 && unlikely(TransactionIdIsValid(GetTopTransactionIdIfAny())))
		last_end = Max(last_end, end != 0 ? end : GetCurrentTransactionStopTimestamp());
	/* outside of a block the Sync that it comes with has been read */
	more_after_commit = !in_block && PGV_MORE_AFTER_SYNC();
	end_well();
}

/*
 * A transaction is over.  What was announced and not executed is forgotten,
 * and a commit's time on disk is the server's, not the client's.
 */
static pg_attribute_hot void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
	{
		pgv_now_commit();
		note_commit();
	}
	else if (event == XACT_EVENT_COMMIT)
		at_commit();
	else
		at_other_event(event);
}

/* Count an execution that has no frame: utilities, and what never started. */
static void
count_execution(const PgvStatementRef *ref, const PgvUsage *usage, uint64 rows,
				PgvOutcome outcome, bool again, int sqlstate)
{
	PgvExecution e;

	memset(&e, 0, sizeof(e));
	e.statement = ref;
	e.usage = usage;
	e.rows = rows;
	e.outcome = outcome;
	e.again = again;
	e.generic_plan = -1;
	pgv_statements_executed(&e);
	if (ref->route != 0)
		pgv_routes_executed(&e);
	if (unlikely(usage->time_ms > pgv_slow_look_ms))
		pgv_slow_executed(&e, NULL, sqlstate);
}

/*
 * The planning of a client's statement is counted together with its execution,
 * which follows at once as a rule.  Here is counted what was not executed.
 */
static pg_noinline void
count_planned(bool source_is_there)
{
	planned.waiting = false;
	if (!source_is_there)
		planned.statement.source = NULL;
	pgv_statements_planned(&planned.statement, &planned.usage);
}

/*
 * Is this the statement that was planned last?  Then who it is is known.  If
 * not, that one is counted.
 */
static inline bool
is_planned(uint64 queryid, QueryDesc *queryDesc)
{
	const PgvStatementRef *ref = &planned.statement;

	if (likely(ref->queryid == queryid && ref->source == queryDesc->sourceText &&
			   ref->location == queryDesc->plannedstmt->stmt_location && level == 0 &&
			   ref->length == queryDesc->plannedstmt->stmt_len &&
			   ref->userid == GetUserId()))
		return true;
	count_planned(true);
	return false;
}

/* Likewise one that failed, by an error with this SQLSTATE (0: by none). */
static pg_attribute_cold void
count_failure(const PgvStatementRef *ref, const PgvUsage *usage, int sqlstate,
			  PgvOutcome outcome, bool again)
{
	count_execution(ref, usage, 0, outcome, again, sqlstate);
	if (sqlstate != 0)
		pgv_errors_failed(ref, usage->time_ms, sqlstate);
}

static void charge_error(const PgvError *error, bool fatal);

/* The backend ends: count what it was doing, if it was terminated. */
static void
at_backend_exit(int code, Datum arg)
{
	const PgvError *error = code != 0 ? pgv_errors_arrived() : NULL;
	int			sqlstate = error != NULL ? error->sqlstate : 0;

	if (planned.waiting)
		count_planned(false);
	if (debug_query_string == NULL)
		pgv_transactions_idle(GetCurrentTimestamp() - last_end);
	pgv_frames_terminated(sqlstate);
	pgv_plantext_forget();
	pgv_nested_flush();
	for (PgvUtility *u = utility; u != NULL; u = u->outer)
	{
		if (u->counted == NULL)
			continue;
		pgv_measure_end(&u->measure, u->usage);
		count_failure(u->counted, u->usage, sqlstate, PGV_OUTCOME_FAILED, false);
	}
	utility = NULL;
	error = code != 0 ? pgv_errors_arrived() : NULL;
	if (error != NULL && level == 0 && is_on())
		charge_error(error, true);
	pgv_errors_forget();
}

/* Once per backend: be told of its end before it gives up its transaction. */
static void
watch_exit(void)
{
	static PGV_HOT_DATA bool watching = false;

	if (likely(watching))
		return;
	before_shmem_exit(at_backend_exit, (Datum) 0);
	watching = true;
}

/*
 * A statement, if it is counted (not NULL), is at work now.  The client's own
 * stays the last one afterwards, what runs inside it or in its commit does not.
 */
static inline void
enter_phase(PgvNowOuter *outer, const PgvStatementRef *counted, PgvPhase phase)
{
	outer->entered = false;
	/* there is none behind the end of a statement: its triggers, its commit */
	if (counted != NULL)
		pgv_now_enter(outer, counted, phase,
					  likely(arrival.at != 0) ? arrival.at : GetCurrentStatementStartTimestamp(),
					  !is_clients());
}

/* ----- which statement ----- */

/*
 * Describe a statement and have it identified.  A statement inside a utility
 * statement carries no place of its own: it is within that one's.
 */
static pg_attribute_hot void
describe(PgvStatementRef *ref, uint64 queryid, const char *source,
		 int location, int length, bool optimisable)
{
	ref->queryid = queryid;
	ref->source = source;
	ref->location = location;
	ref->length = length;
	if (unlikely(utility != NULL) && location <= 0 && length <= 0 &&
		utility->source == source && optimisable)
	{
		ref->location = utility->location;
		ref->length = utility->length;
	}
	ref->optimisable = optimisable;
	ref->toplevel = (level == 0);
	ref->userid = GetUserId();
	pgv_newcomers_or_known(ref);
}

/* Is it a named prepared statement that the client executes? */
static inline bool
is_prepared(void)
{
	return ActivePortal != NULL && ActivePortal->prepStmtName != NULL;
}

/*
 * Take note of the tags of what the client sends; returns its route.  If they
 * tell of another request, what the detector has going on is over.
 */
static pg_attribute_hot uint64
note_tags(const char *source, int location, int length, bool frozen)
{
	bool		new_request;
	uint64		route;

	if (level > 0)
		return 0;
	route = pgv_tagging_note(source, location, length, frozen, &new_request);
	if (unlikely(new_request) && pgv_detects())
		pgv_nplusone_forget();
	return route;
}

/*
 * The same for a query.  Of a named prepared statement the text is that of its
 * Parse message or PREPARE; but EXECUTE has a text of its own.
 */
static pg_attribute_hot uint64
note_query_tags(QueryDesc *queryDesc)
{
	if (unlikely(execute) && level == 0 && execute_route != 0)
		return execute_route;
	return note_tags(queryDesc->sourceText,
					 queryDesc->plannedstmt->stmt_location,
					 queryDesc->plannedstmt->stmt_len,
					 execute || is_prepared());
}

/* Was it this timeout, running since the statement came, that struck? */
static pg_attribute_cold bool
timed_out(TimeoutId id, int setting)
{
	TimestampTz finish;

	if (setting <= 0)
		return false;
	finish = get_timeout_finish_time(id);
	return finish > GetCurrentStatementStartTimestamp() &&
		finish <= GetCurrentTimestamp();
}

/* How does an error with this SQLSTATE end the execution? */
static pg_attribute_cold PgvOutcome
outcome_of(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_QUERY_CANCELED:
			return timed_out(STATEMENT_TIMEOUT, StatementTimeout) ?
				PGV_OUTCOME_TIMED_OUT : PGV_OUTCOME_CANCELLED;
		case ERRCODE_LOCK_NOT_AVAILABLE:
			return timed_out(LOCK_TIMEOUT, LockTimeout) ?
				PGV_OUTCOME_TIMED_OUT : PGV_OUTCOME_FAILED;
		default:
			return PGV_OUTCOME_FAILED;
	}
}

/* Count an execution without a frame that the error at hand has ended. */
static pg_attribute_cold void
count_error(const PgvStatementRef *ref, const PgvUsage *usage)
{
	int			sqlstate = geterrcode();

	count_failure(ref, usage, sqlstate, outcome_of(sqlstate), false);
}

#define PGV_UTILITY_ARGS \
	PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, \
	ProcessUtilityContext context, ParamListInfo params, \
	QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc
#define PGV_UTILITY_PASS \
	pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc

static void pgv_ProcessUtility(PGV_UTILITY_ARGS);

/* ----- parse analysis ----- */

static pg_attribute_hot void
pgv_post_parse_analyze(ParseState *pstate, Query *query, PgvJumbleState *jstate)
{
	/* whether we are on or not: fingerprints must not depend on it */
	if (unlikely(pgv_variables_possible(pstate)))
		pgv_variables_note(pstate, query);
	if (is_on())
	{
		note_arrival();
		if (unlikely(pgv_newcomers_crowd))
			pgv_newcomers_expect(PGV_QUERYID(query->queryId));
		/*
		 * Who stands before us in ProcessUtility may hide the queryid there, and
		 * who stands behind us may do so in a cached plan, for all times but the first.
		 */
		if (unlikely(query->utilityStmt != NULL) && query->queryId != 0 &&
			(ProcessUtility_hook != pgv_ProcessUtility || prev_ProcessUtility != NULL) &&
			is_counted() &&
			pstate->p_sourcetext != NULL)
			pgv_identity_note_utility(pstate->p_sourcetext,
									  query->stmt_location, query->stmt_len,
									  PGV_QUERYID(query->queryId));
		if (unlikely(pgv_overhead_running))
			pgv_overhead_stop();
	}
	if (prev_post_parse_analyze)
		prev_post_parse_analyze(pstate, query, jstate);
}

/* ----- planning ----- */

static PlannedStmt *
next_planner(PGV_PLANNER_ARGS)
{
	if (prev_planner)
		return prev_planner(PGV_PLANNER_PASS);
	return standard_planner(PGV_PLANNER_PASS);
}

/* In what is called the watch on our own code stands; so in those below. */
static pg_noinline pg_attribute_cold PlannedStmt *
unwatched_planner(PGV_PLANNER_ARGS)
{
	PlannedStmt *result;

	pgv_overhead_stop();
	result = next_planner(PGV_PLANNER_PASS);
	pgv_overhead_start();
	return result;
}

static inline PlannedStmt *
call_planner(PGV_PLANNER_ARGS)
{
	if (unlikely(pgv_overhead_running))
		return unwatched_planner(PGV_PLANNER_PASS);
	return next_planner(PGV_PLANNER_PASS);
}

/* Planning failed: that is how the execution ended. */
static pg_attribute_cold void
planner_failed(PgvPlanning *self, const PgvMeasure *measure, PgvUsage *usage,
			   const PgvNowOuter *outer)
{
	PgvStatementRef *ref = self->counted;

	pgv_scope_leave(&self->scope);
	pgv_measure_end(measure, usage);
	pgv_now_leave(outer);
	if (ref == NULL)
		return;
	ref->route = note_tags(ref->source, ref->location, ref->length, true);
	pgv_newcomers_reveal(ref);
	count_error(ref, usage);
}

static pg_attribute_hot PlannedStmt *
measured_planner(PgvStatementRef *ref, PgvUsage *usage, bool counted,
				 PGV_PLANNER_ARGS)
{
	PlannedStmt *result;
	PgvMeasure	measure;
	PgvPlanning self;
	PgvNowOuter outer;

	self.counted = counted ? ref : NULL;
	pgv_usage_clear(usage);
	pgv_measure_begin(&measure, self.counted, NULL);
	enter_phase(&outer, self.counted, PGV_PHASE_PLANNING);
	pgv_scope_enter(&self.scope, PGV_SCOPE_PLANNER, NULL);
	level++;
	PG_TRY();
	{
		result = call_planner(PGV_PLANNER_PASS);
	}
	PG_CATCH();
	{
		level--;
		planner_failed(&self, &measure, usage, &outer);
		PG_RE_THROW();
	}
	PG_END_TRY();
	level--;
	pgv_scope_leave(&self.scope);
	pgv_measure_end(&measure, usage);
	pgv_now_leave(&outer);
	return result;
}

/* A client's statement: its planning waits to be counted with its execution. */
static pg_attribute_hot PlannedStmt *
client_planner(bool counted, PGV_PLANNER_ARGS)
{
	PlannedStmt *result;

	if (unlikely(planned.waiting))
		count_planned(true);
	if (counted)
		describe(&planned.statement, PGV_QUERYID(parse->queryId), query_string,
				 parse->stmt_location, parse->stmt_len, true);
	result = measured_planner(&planned.statement, &planned.usage, counted,
							  PGV_PLANNER_PASS);
	arrival.plan_ms += planned.usage.time_ms;
	planned.waiting = counted;
	/* as a rule it finds all it reads in caches */
	if (unlikely(planned.usage.any_blocks) && planned.waiting)
		count_planned(true);
	return result;
}

static pg_noinline pg_attribute_cold PlannedStmt *
timed_planner(bool counted, PGV_PLANNER_ARGS)
{
	PlannedStmt *result;

	pgv_overhead_start();
	result = client_planner(counted, PGV_PLANNER_PASS);
	pgv_overhead_stop();
	return result;
}

/* A statement inside another: its execution, if there is one, is counted by itself. */
static pg_noinline PlannedStmt *
nested_planner(bool counted, PGV_PLANNER_ARGS)
{
	PlannedStmt *result;
	PgvStatementRef ref;
	PgvUsage	usage;

	if (counted)
		describe(&ref, PGV_QUERYID(parse->queryId), query_string,
				 parse->stmt_location, parse->stmt_len, true);
	result = measured_planner(&ref, &usage, counted, PGV_PLANNER_PASS);
	if (counted)
		pgv_statements_planned(&ref, &usage);
	return result;
}

/* Not on: no more than to go on.  So those below. */
static pg_noinline pg_attribute_cold PlannedStmt *
pass_planner(PGV_PLANNER_ARGS)
{
	return next_planner(PGV_PLANNER_PASS);
}

static pg_attribute_hot PlannedStmt *
pgv_planner(PGV_PLANNER_ARGS)
{
	bool		counted;

	if (unlikely(!is_on() || query_string == NULL))
		return pass_planner(PGV_PLANNER_PASS);
	note_arrival();
	counted = is_counted();
	if (unlikely(level > 0))
		return nested_planner(counted, PGV_PLANNER_PASS);
	if (is_timed())
		return timed_planner(counted, PGV_PLANNER_PASS);
	return client_planner(counted, PGV_PLANNER_PASS);
}

/* ----- execution ----- */

static void
next_start(QueryDesc *queryDesc, int eflags)
{
	if (prev_ExecutorStart)
		prev_ExecutorStart(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);
}

static pg_noinline pg_attribute_cold void
pass_start(QueryDesc *queryDesc, int eflags)
{
	next_start(queryDesc, eflags);
}

static pg_noinline pg_attribute_cold void
unwatched_start(QueryDesc *queryDesc, int eflags)
{
	pgv_overhead_stop();
	next_start(queryDesc, eflags);
	pgv_overhead_start();
}

static inline void
call_start(QueryDesc *queryDesc, int eflags)
{
	if (unlikely(pgv_overhead_running))
		unwatched_start(queryDesc, eflags);
	else
		next_start(queryDesc, eflags);
}

/* Is a relation only named, as in currval('sequence'::regclass)? */
static bool
reads_nothing(const PlannedStmt *plan)
{
	ListCell   *lc;

	foreach(lc, plan->rtable)
	{
		if (lfirst_node(RangeTblEntry, lc)->rtekind != RTE_RESULT)
			return false;
	}
	return true;
}

/* Does the client read or write rows, so that the detector should see it? */
static pg_attribute_hot bool
is_watched(QueryDesc *queryDesc, int eflags)
{
	if (!pgv_detects() || (eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0)
		return false;
	if (queryDesc->operation != CMD_SELECT)
		return level == 0;
	/* what neither reads a table nor calls a set-returning function */
	if (IsA(queryDesc->plannedstmt->planTree, Result) &&
		(queryDesc->plannedstmt->relationOids == NIL ||
		 reads_nothing(queryDesc->plannedstmt)))
		return false;
	return level == 0 ||
		(level == 1 && utility != NULL && utility->declares_cursor);
}

static void
describe_query(PgvStatementRef *ref, QueryDesc *queryDesc)
{
	describe(ref, PGV_QUERYID(queryDesc->plannedstmt->queryId),
			 queryDesc->sourceText, queryDesc->plannedstmt->stmt_location,
			 queryDesc->plannedstmt->stmt_len, true);
}

/*
 * Is this a plan of the cache, and a generic one?  Before 19 only the client's
 * portal can tell: a generic plan has a reference by its source, besides.
 */
static int
is_generic(QueryDesc *queryDesc)
{
	int			told = PGV_PLAN_IS_GENERIC(queryDesc->plannedstmt);
	CachedPlan *plan = level == 0 && ActivePortal != NULL ? ActivePortal->cplan : NULL;

	if (told >= 0 || plan == NULL ||
		!list_member_ptr(plan->stmt_list, queryDesc->plannedstmt))
		return told;
	return plan->refcount > 1 ? 1 : 0;
}

/* What is the plan of a query that was started? */
static pg_attribute_hot void
note_plan(PgvFrame *frame, QueryDesc *queryDesc)
{
	pgv_planid_identify(&frame->plan, frame->statement.fingerprint, queryDesc->plannedstmt);
	frame->plan.generic = is_generic(queryDesc);
	if (unlikely(frame->plan.text < PGV_PLANTEXT_DONE))
		pgv_plantext_started(&frame->plan, &frame->statement, queryDesc);
}

/* A started query gets its frame. */
static pg_attribute_hot void
open_frame(QueryDesc *queryDesc, int eflags, const PgvStatementRef *ref,
		   bool counted, bool watched)
{
	PgvFrame   *frame = pgv_frame_open(queryDesc);

	if (unlikely(frame == NULL))
		return;
	frame->counted = counted;
	frame->statement = *ref;
	if (planned.waiting && counted && level == 0)
	{
		frame->planned = true;
		frame->plan_ms = planned.usage.time_ms;
		planned.waiting = false;
	}
	/* without a table there is nothing to choose from */
	if (pgv_track_plans && counted && ref->fingerprint != 0 && (eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0 &&
		queryDesc->plannedstmt->relationOids != NIL)
		note_plan(frame, queryDesc);
	if (watched)
		pgv_nplusone_start(&frame->watch, queryDesc, &frame->statement, &arrival,
						   level == 0, counted);
}

/*
 * An execution that ended in an error; "measure" if it was being measured, "outer" if
 * it was at work.
 */
static pg_attribute_cold void
run_failed(PgvFrame *frame, const PgvMeasure *measure, const PgvNowOuter *outer,
		   QueryDesc *queryDesc)
{
	int			sqlstate = geterrcode();
	double		ms;

	if (outer != NULL)
		pgv_now_leave(outer);
	if (measure != NULL)
		pgv_measure_end(measure, &frame->usage);
	ms = frame->usage.time_ms;
	frame->running = NULL;
	frame->leftover = true;
	if (frame->counted && ms > pgv_slow_look_ms)
		frame->slow = pgv_slow_failed(frame->slow, queryDesc, &frame->statement, ms,
									  arrival.plan_ms, true, sqlstate);
	pgv_frame_publish(frame, queryDesc, outcome_of(sqlstate));
	if (frame->counted)
		pgv_errors_failed(&frame->statement, ms, sqlstate);
	frame->query = NULL;
	arrival.at = 0;
}

/*
 * Have the rows of its nodes counted?  Not of a cursor that can go back: what it
 * returns twice would count twice.
 */
static pg_noinline void
count_nodes(QueryDesc *queryDesc, int eflags)
{
	if (pgv_track_plans &&
		(eflags & (EXEC_FLAG_EXPLAIN_ONLY | EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD)) == 0)
		queryDesc->instrument_options |= INSTRUMENT_ROWS;
}

/* It failed to start: a denied permission, say. */
static pg_attribute_cold void
start_failed(QueryDesc *queryDesc, PgvStatementRef *ref, bool counted)
{
	PgvFrame   *frame = pgv_frame_of(queryDesc);

	if (frame != NULL)
		run_failed(frame, NULL, NULL, queryDesc);
	else if (counted)
	{
		PgvUsage	usage;

		pgv_usage_clear(&usage);
		pgv_newcomers_reveal(ref);
		count_error(ref, &usage);
	}
	arrival.at = 0;
}

/* Start, and count a failure to. */
static pg_attribute_hot void
start_counted(QueryDesc *queryDesc, int eflags, PgvStatementRef *ref,
			  bool counted, bool watched)
{
	if (counted && unlikely(pgv_suspects_due(ref->fingerprint)))
		count_nodes(queryDesc, eflags);
	PG_TRY();
	{
		call_start(queryDesc, eflags);
		open_frame(queryDesc, eflags, ref, counted, watched);
	}
	PG_CATCH();
	{
		start_failed(queryDesc, ref, counted);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static pg_attribute_always_inline void
start_on(QueryDesc *queryDesc, int eflags)
{
	PgvStatementRef ref;
	bool		counted;
	bool		watched;

	counted = is_counted();
	watched = is_watched(queryDesc, eflags);
	if (unlikely((!counted && !watched) || queryDesc->sourceText == NULL))
	{
		call_start(queryDesc, eflags);
		return;
	}
	if (planned.waiting &&
		is_planned(PGV_QUERYID(queryDesc->plannedstmt->queryId), queryDesc))
		ref = planned.statement;
	else
		describe_query(&ref, queryDesc);
	ref.route = note_query_tags(queryDesc);
	watched = watched && ref.fingerprint != 0;
	if (counted && is_clients())
		pgv_transactions_statement(&ref);
	start_counted(queryDesc, eflags, &ref, counted, watched);
}

/* By itself, as the two like it below: inline they would be in the others' way. */
static pg_noinline pg_attribute_cold void
start_timed(QueryDesc *queryDesc, int eflags)
{
	pgv_overhead_start();
	start_on(queryDesc, eflags);
	pgv_overhead_stop();
}

static pg_attribute_hot void
pgv_ExecutorStart(QueryDesc *queryDesc, int eflags)
{
	if (unlikely(!is_on()))
	{
		pass_start(queryDesc, eflags);
		return;
	}
	note_arrival();
	if (is_timed())
		start_timed(queryDesc, eflags);
	else
		start_on(queryDesc, eflags);
}

static void
next_run(PGV_RUN_ARGS)
{
	if (prev_ExecutorRun)
		prev_ExecutorRun(PGV_RUN_PASS);
	else
		standard_ExecutorRun(PGV_RUN_PASS);
}

static pg_noinline pg_attribute_cold void
unwatched_run(PGV_RUN_ARGS)
{
	pgv_overhead_stop();
	next_run(PGV_RUN_PASS);
	pgv_overhead_start();
}

static inline void
call_run(PGV_RUN_ARGS)
{
	if (unlikely(pgv_overhead_running))
		unwatched_run(PGV_RUN_PASS);
	else
		next_run(PGV_RUN_PASS);
}

/* May more of the result be asked for?  FETCH 0 goes nowhere. */
static inline bool
is_in_parts(ScanDirection direction, uint64 count)
{
	return count != 0 || ScanDirectionIsNoMovement(direction);
}

/* Has this run reached the end of the result? */
static inline bool
is_complete(QueryDesc *queryDesc, ScanDirection direction, uint64 count)
{
	return !is_in_parts(direction, count) || queryDesc->estate->es_processed < count;
}

/* Does anything of the query's own work remain for ExecutorFinish? */
static inline bool
finishes_later(QueryDesc *queryDesc)
{
	return queryDesc->operation != CMD_SELECT ||
		queryDesc->plannedstmt->hasModifyingCTE;
}

/*
 * Is a query that has run to its end, and taken long, a reason to count rows next
 * time?  How many rows it returned is known without that.
 */
static pg_attribute_cold bool
is_suspicious(const PgvFrame *frame, QueryDesc *queryDesc)
{
	return pgv_slow_is(frame->usage.time_ms) ||
		pgv_suspects_filters(queryDesc) ||
		pgv_usage_blocks(&frame->usage, PGV_TEMP_WRITTEN) > 0 ||
		(queryDesc->operation == CMD_SELECT &&
		 pgv_off_factor(frame->plan.rows, (double) frame->rows) >= PGV_OFF_FACTOR);
}

/* It has taken long: look at it while it lasts. */
static pg_attribute_cold void
look_at(PgvFrame *frame, QueryDesc *queryDesc, bool complete)
{
	double		ms = frame->usage.time_ms;
	bool		goes_back = (queryDesc->estate->es_top_eflags &
							 (EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD)) != 0;
	bool		rows_counted = complete && !goes_back && !frame->published &&
		frame->plan.planid != 0 && pgv_nodes_counted(queryDesc);

	if (!frame->counted)
		return;
	if (frame->plan.planid != 0 && frame->plan.text < PGV_PLANTEXT_DONE)
		pgv_plantext_ran(&frame->plan, &frame->statement, queryDesc, ms, pgv_slow_is(ms));
	if (rows_counted && pgv_nodes_judge(queryDesc, &frame->statement, frame->plan.planid) &&
		pgv_count_rows)
		pgv_suspects_mark(frame->statement.fingerprint);
	frame->slow = pgv_slow_gather(frame->slow, queryDesc, &frame->statement, ms,
								  arrival.plan_ms, false);
	if (frame->slow != NULL && pgv_slow_is(ms))
		pgv_slow_describe(frame->slow, queryDesc, rows_counted);
	if (complete && pgv_count_rows && frame->plan.planid != 0 && is_suspicious(frame, queryDesc))
		pgv_suspects_mark(frame->statement.fingerprint);
}

/* The part of a run that may raise: the query, and what the detector says. */
static pg_attribute_hot void
run_watched(PgvFrame *frame, PgvMeasure *measure, volatile bool *measuring,
			PgvScope *scope, PGV_RUN_ARGS)
{
	PgvNested	nested;
	double		before = frame->usage.time_ms;
	bool		complete;

	pgv_nested_begin(&nested, queryDesc, true);
	if (frame->watch.watched)
		queryDesc->dest = pgv_nplusone_run(&frame->watch, queryDesc,
										   &frame->statement,
										   is_in_parts(direction, count));
	pgv_measure_begin(measure, frame->counted ? &frame->statement : NULL, queryDesc);
	frame->running = measure;
	*measuring = true;
	pgv_scope_enter(scope, PGV_SCOPE_RUN, queryDesc);
	call_run(PGV_RUN_PASS);
	pgv_scope_leave(scope);
	pgv_measure_end(measure, &frame->usage);
	*measuring = false;
	pgv_nested_end(&nested, queryDesc, count, frame->usage.time_ms - before);
	frame->running = NULL;
	frame->rows += queryDesc->estate->es_processed;
	frame->leftover = true;
	if (unlikely(frame->usage.time_ms > pgv_slow_look_ms))
		look_at(frame, queryDesc, is_complete(queryDesc, direction, count));
	if (!frame->watch.watched)
		return;
	complete = is_complete(queryDesc, direction, count);
	pgv_nplusone_ran(&frame->watch, queryDesc, &frame->statement,
					 &frame->usage, frame->rows, pgv_measured_at(), complete);
}

/* Does each row of the result come from locking one? */
static pg_attribute_cold bool
locks_rows(const Plan *plan)
{
	if (IsA(plan, Limit))
		plan = plan->lefttree;
	return IsA(plan, LockRows);
}

/* What the client's query has done with rows, for its transaction. */
static inline void
note_rows(QueryDesc *queryDesc)
{
	uint64		rows = queryDesc->estate->es_processed;
	bool		reads = queryDesc->operation == CMD_SELECT;

	if (rows == 0 || !is_clients())
		return;
	pgv_transactions_rows(reads ? PGV_ROWS_READ : PGV_ROWS_WRITTEN, rows);
	if (reads ? unlikely(queryDesc->plannedstmt->rowMarks != NIL) &&
		locks_rows(queryDesc->plannedstmt->planTree) :
		queryDesc->operation == CMD_UPDATE || queryDesc->operation == CMD_DELETE)
		pgv_transactions_rows(PGV_ROWS_LOCKED, rows);
}

static pg_attribute_hot void
run_frame(PgvFrame *frame, PGV_RUN_ARGS)
{
	DestReceiver *dest = queryDesc->dest;
	PgvMeasure	measure;
	volatile bool measuring = false;
	PgvScope	scope;
	PgvScope   *outer = pgv_scope;
	PgvNowOuter now;

	enter_phase(&now, frame->counted ? &frame->statement : NULL, PGV_PHASE_EXECUTING);
	level++;
	PG_TRY();
	{
		run_watched(frame, &measure, &measuring, &scope, PGV_RUN_PASS);
		queryDesc->dest = dest;
	}
	PG_CATCH();
	{
		level--;
		if (pgv_scope != outer)
			pgv_scope_leave(&scope);
		queryDesc->dest = dest;
		if (measuring)
			frame->rows += queryDesc->estate->es_processed;
		run_failed(frame, measuring ? &measure : NULL, &now, queryDesc);
		PG_RE_THROW();
	}
	PG_END_TRY();
	level--;
	pgv_now_leave(&now);
	if (is_complete(queryDesc, direction, count) && !finishes_later(queryDesc))
		pgv_frame_publish(frame, queryDesc, PGV_OUTCOME_DONE);
	if (level == 0)
	{
		note_end(pgv_measured_at());
		if (frame->counted)
		{
			note_done(&frame->statement, false);
			note_rows(queryDesc);
		}
	}
}

/* A query without a frame: nested, or with pg_vitals.track = none. */
static pg_attribute_hot void
run_uncounted(PGV_RUN_ARGS)
{
	PgvNested	nested;
	PgvScope	scope;

	pgv_nested_begin(&nested, queryDesc, false);
	pgv_scope_enter(&scope, PGV_SCOPE_RUN, queryDesc);
	level++;
	PG_TRY();
	{
		call_run(PGV_RUN_PASS);
	}
	PG_FINALLY();
	{
		level--;
		pgv_scope_leave(&scope);
	}
	PG_END_TRY();
	pgv_nested_end(&nested, queryDesc, count, -1);
}

static pg_attribute_always_inline void
run_on(PGV_RUN_ARGS)
{
	PgvFrame   *frame;

	if (pgv_detects() && finishes_later(queryDesc))
		pgv_nplusone_wrote(queryDesc);
	frame = pgv_frame_of(queryDesc);
	if (frame != NULL)
	{
		run_frame(frame, PGV_RUN_PASS);
		return;
	}
	run_uncounted(PGV_RUN_PASS);
}

/*
 * A parallel worker runs its share of a query; whose, its leader's slot tells.
 * What its functions execute is in it.
 */
static pg_attribute_cold void
run_in_worker(PGV_RUN_ARGS)
{
	PgvNowSlot	leader;
	PgvStatementRef ref;
	struct rusage start;

	if (level > 0 || !pgv_track_resources || !pgv_now_leader(&leader))
	{
		next_run(PGV_RUN_PASS);
		return;
	}
	memset(&ref, 0, sizeof(ref));
	ref.fingerprint = leader.now.fingerprint;
	ref.queryid = leader.now.queryid;
	ref.userid = leader.now.userid;
	ref.toplevel = leader.now.toplevel;
	getrusage(RUSAGE_SELF, &start);
	level++;
	PG_TRY();
	{
		next_run(PGV_RUN_PASS);
	}
	PG_FINALLY();
	{
		level--;
		pgv_resources_worker(&ref, &start);
	}
	PG_END_TRY();
}

static pg_noinline pg_attribute_cold void
run_timed(PGV_RUN_ARGS)
{
	pgv_overhead_start();
	run_on(PGV_RUN_PASS);
	pgv_overhead_stop();
}

static pg_noinline pg_attribute_cold void
pass_run(PGV_RUN_ARGS)
{
	if (IsParallelWorker() && pgv_enabled)
		run_in_worker(PGV_RUN_PASS);
	else
		next_run(PGV_RUN_PASS);
}

static pg_attribute_hot void
pgv_ExecutorRun(PGV_RUN_ARGS)
{
	if (unlikely(!is_on()))
		pass_run(PGV_RUN_PASS);
	else if (is_timed())
		run_timed(PGV_RUN_PASS);
	else
		run_on(PGV_RUN_PASS);
}

static void
next_finish(QueryDesc *queryDesc)
{
	if (prev_ExecutorFinish)
		prev_ExecutorFinish(queryDesc);
	else
		standard_ExecutorFinish(queryDesc);
}

static pg_noinline pg_attribute_cold void
unwatched_finish(QueryDesc *queryDesc)
{
	pgv_overhead_stop();
	next_finish(queryDesc);
	pgv_overhead_start();
}

static inline void
call_finish(QueryDesc *queryDesc)
{
	if (unlikely(pgv_overhead_running))
		unwatched_finish(queryDesc);
	else
		next_finish(queryDesc);
}

/* Without a frame, triggers still run one level down. */
static pg_attribute_cold void
finish_uncounted(QueryDesc *queryDesc)
{
	PgvScope	scope;

	pgv_scope_enter(&scope, PGV_SCOPE_FINISH, queryDesc);
	level++;
	PG_TRY();
	{
		call_finish(queryDesc);
	}
	PG_CATCH();
	{
		level--;
		pgv_scope_leave(&scope);
		arrival.at = 0;
		PG_RE_THROW();
	}
	PG_END_TRY();
	level--;
	pgv_scope_leave(&scope);
}

static pg_attribute_hot void
finish_frame(PgvFrame *frame, QueryDesc *queryDesc)
{
	PgvMeasure	measure;
	PgvScope	scope;
	PgvNowOuter now;

	enter_phase(&now, frame->counted ? &frame->statement : NULL, PGV_PHASE_EXECUTING);
	pgv_measure_begin(&measure, frame->counted ? &frame->statement : NULL, NULL);
	frame->running = &measure;
	pgv_scope_enter(&scope, PGV_SCOPE_FINISH, queryDesc);
	level++;
	PG_TRY();
	{
		call_finish(queryDesc);
	}
	PG_CATCH();
	{
		level--;
		pgv_scope_leave(&scope);
		run_failed(frame, &measure, &now, queryDesc);
		PG_RE_THROW();
	}
	PG_END_TRY();
	level--;
	pgv_scope_leave(&scope);
	pgv_now_leave(&now);
	frame->running = NULL;
	pgv_measure_end(&measure, &frame->usage);
	if (unlikely(frame->usage.time_ms > pgv_slow_look_ms) && frame->counted)
		frame->slow = pgv_slow_gather(frame->slow, queryDesc, &frame->statement,
									  frame->usage.time_ms, arrival.plan_ms, true);
	pgv_frame_publish(frame, queryDesc, PGV_OUTCOME_DONE);
	if (level == 0)
		note_last_end(pgv_measured_at());
	if (frame->counted)
		note_done_measured();
}

static void
finish_on(QueryDesc *queryDesc)
{
	PgvFrame   *frame = pgv_frame_of(queryDesc);

	if (frame != NULL)
		finish_frame(frame, queryDesc);
	else
		finish_uncounted(queryDesc);
}

static pg_noinline void
finish_writing(QueryDesc *queryDesc)
{
	if (unlikely(!is_on()))
		next_finish(queryDesc);
	else if (is_timed())
	{
		pgv_overhead_start();
		finish_on(queryDesc);
		pgv_overhead_stop();
	}
	else
		finish_on(queryDesc);
}

static pg_attribute_hot void
pgv_ExecutorFinish(QueryDesc *queryDesc)
{
	/* without writes there are no triggers to run */
	if (finishes_later(queryDesc))
		finish_writing(queryDesc);
	else
		next_finish(queryDesc);
}

static pg_attribute_always_inline void
end_on(QueryDesc *queryDesc)
{
	PgvFrame   *frame = pgv_frame_of(queryDesc);

	if (frame == NULL)
		return;
	if (unlikely(pgv_frame_is_due(frame)))
		pgv_frame_publish(frame, queryDesc, PGV_OUTCOME_DONE);
	frame->query = NULL;
}

static pg_noinline pg_attribute_cold void
end_timed(QueryDesc *queryDesc)
{
	pgv_overhead_start();
	end_on(queryDesc);
	pgv_overhead_stop();
}

static pg_attribute_hot void
pgv_ExecutorEnd(QueryDesc *queryDesc)
{
	if (is_timed() && is_on())
		end_timed(queryDesc);
	else
		end_on(queryDesc);
	if (prev_ExecutorEnd)
		prev_ExecutorEnd(queryDesc);
	else
		standard_ExecutorEnd(queryDesc);
}

/* ----- utility statements ----- */

static void
next_utility(PGV_UTILITY_ARGS)
{
	if (prev_ProcessUtility)
		prev_ProcessUtility(PGV_UTILITY_PASS);
	else
		standard_ProcessUtility(PGV_UTILITY_PASS);
}

static void
call_utility(PGV_UTILITY_ARGS)
{
	if (likely(!pgv_overhead_running))
	{
		next_utility(PGV_UTILITY_PASS);
		return;
	}
	pgv_overhead_stop();
	next_utility(PGV_UTILITY_PASS);
	pgv_overhead_start();
}

/* Rows that a utility statement retrieved or changed, as pg_stat_statements. */
static uint64
utility_rows(const QueryCompletion *qc)
{
	if (qc == NULL)
		return 0;
	switch (qc->commandTag)
	{
		case CMDTAG_COPY:
		case CMDTAG_FETCH:
		case CMDTAG_SELECT:
		case CMDTAG_REFRESH_MATERIALIZED_VIEW:
			return qc->nprocessed;
		default:
			return 0;
	}
}

/* Does it write the rows that it is said to have processed, or read them? */
static PgvRowsWere
utility_does(Node *parsetree)
{
	if (IsA(parsetree, FetchStmt))
		return PGV_ROWS_READ;
	return IsA(parsetree, CopyStmt) && !((CopyStmt *) parsetree)->is_from ?
		PGV_ROWS_READ : PGV_ROWS_WRITTEN;
}

/* What a utility statement means to what the detector has going on. */
static void
tell_detector(Node *parsetree)
{
	switch (nodeTag(parsetree))
	{
		case T_DiscardStmt:
			if (((DiscardStmt *) parsetree)->target == DISCARD_ALL)
				pgv_nplusone_forget();
			break;
		case T_VariableSetStmt:
			if (((VariableSetStmt *) parsetree)->kind == VAR_RESET_ALL)
				pgv_nplusone_forget();
			break;
		case T_TransactionStmt:
			if (((TransactionStmt *) parsetree)->kind == TRANS_STMT_BEGIN ||
				((TransactionStmt *) parsetree)->kind == TRANS_STMT_START)
			{
				in_block = true;
				pgv_loops_begin(arrival.wait_ms);
			}
			else if (((TransactionStmt *) parsetree)->kind == TRANS_STMT_COMMIT)
				pgv_loops_commit(arrival.wait_ms);
			pgv_nplusone_interrupt(false);
			break;
		case T_FetchStmt:
		case T_DeclareCursorStmt:
		case T_ClosePortalStmt:
		case T_PrepareStmt:
		case T_ExecuteStmt:
		case T_DeallocateStmt:
		case T_VariableShowStmt:
		case T_ExplainStmt:
			if (level == 0 && !IsA(parsetree, ExecuteStmt))
				pgv_nplusone_interrupt(false);
			break;
		default:
			pgv_nplusone_interrupt(true);
			break;
	}
}

/* Execute one level down, measured; counts a failure. */
static void
utility_inside(PgvUtility *self, const PgvStatementRef *ref, PgvUsage *usage,
			   PGV_UTILITY_ARGS)
{
	PgvNowOuter now;

	self->counted = ref;
	self->usage = usage;
	enter_phase(&now, ref, PGV_PHASE_EXECUTING);
	pgv_measure_begin(&self->measure, ref, NULL);
	pgv_scope_enter_utility(&self->scope, pstmt, queryString);
	level++;
	utility = self;
	PG_TRY();
	{
		call_utility(PGV_UTILITY_PASS);
	}
	PG_CATCH();
	{
		level--;
		pgv_scope_leave(&self->scope);
		pgv_now_leave(&now);
		utility = self->outer;
		pgv_measure_end(&self->measure, usage);
		if (ref != NULL)
			count_error(ref, usage);
		arrival.at = 0;
		PG_RE_THROW();
	}
	PG_END_TRY();
	level--;
	pgv_scope_leave(&self->scope);
	pgv_now_leave(&now);
	utility = self->outer;
	pgv_measure_end(&self->measure, usage);
}

static void
utility_on(uint64 route, PGV_UTILITY_ARGS)
{
	PgvStatementRef ref;
	PgvUtility	self;
	PgvUsage	usage;
	bool		counted = is_counted();
	bool		ends = IsA(pstmt->utilityStmt, TransactionStmt);
	PgvRowsWere does;

	/* pstmt may be gone afterwards: COMMIT frees it */
	self.outer = utility;
	self.source = queryString;
	self.location = pstmt->stmt_location;
	self.length = pstmt->stmt_len;
	self.declares_cursor = level == 0 && IsA(pstmt->utilityStmt, DeclareCursorStmt);
	pgv_usage_clear(&usage);
	if (counted)
		describe(&ref, PGV_QUERYID(pstmt->queryId), queryString,
				 pstmt->stmt_location, pstmt->stmt_len, false);
	ref.route = route;
	if (counted && is_clients())
	{
		if (ends)
			pgv_transactions_control((TransactionStmt *) pstmt->utilityStmt, &ref);
		else
			pgv_transactions_statement(&ref);
	}
	does = utility_does(pstmt->utilityStmt);
	utility_inside(&self, counted ? &ref : NULL, &usage, PGV_UTILITY_PASS);
	if (counted)
	{
		count_execution(&ref, &usage, utility_rows(qc), PGV_OUTCOME_DONE, false, 0);
		if (is_clients())
			pgv_transactions_rows(does, utility_rows(qc));
	}
	if (level == 0)
		note_end(pgv_measured_at());
	if (counted)
	{
		note_done(&ref, ends);
		note_done_measured();
	}
}

/* EXECUTE is counted by what it executes, under its own tags if it has any. */
static void
execute_on(uint64 route, PGV_UTILITY_ARGS)
{
	execute = true;
	execute_route = route;
	PG_TRY();
	{
		call_utility(PGV_UTILITY_PASS);
	}
	PG_FINALLY();
	{
		execute = false;
	}
	PG_END_TRY();
}

static void
dispatch_utility(PGV_UTILITY_ARGS)
{
	int			location = pstmt->stmt_location;
	int			length = pstmt->stmt_len;
	uint64		route;

	if (pgv_n_plus_one)
		tell_detector(pstmt->utilityStmt);
	route = note_tags(queryString, pstmt->stmt_location, pstmt->stmt_len,
					  is_prepared());
	if (PGV_UTILITY_COUNTS(pstmt->utilityStmt))
		utility_on(route, PGV_UTILITY_PASS);
	else if (level == 0 && IsA(pstmt->utilityStmt, ExecuteStmt))
		execute_on(route, PGV_UTILITY_PASS);
	else
		call_utility(PGV_UTILITY_PASS);
	/* pstmt may be gone; EXECUTE stands elsewhere than what it executes */
	if (is_clients())
		note_place(queryString, location, length);
}

static void
pgv_ProcessUtility(PGV_UTILITY_ARGS)
{
	if (!is_on())
	{
		pgv_transactions_miss();
		next_utility(PGV_UTILITY_PASS);
		return;
	}
	note_arrival();
	if (is_timed())
	{
		pgv_overhead_start();
		dispatch_utility(PGV_UTILITY_PASS);
		pgv_overhead_stop();
	}
	else
		dispatch_utility(PGV_UTILITY_PASS);
}

/* ----- errors ----- */

static void note_raised(void *arg);
static void at_next_message(void *arg);

static ErrorContextCallback witness = {.callback = note_raised};
static MemoryContextCallback next_message = {.func = at_next_message};
static bool awaits_message = false;

/*
 * A callback at the bottom of the error context stack sees every message that
 * is raised, wherever that is, whether it is logged or not and who handles it.
 * It stays there until an error reaches PostgresMain, which empties the stack.
 */
static void
watch_errors(void)
{
	if (unlikely(error_context_stack == NULL))
		error_context_stack = &witness;
}

/* Is this the SQLSTATE of an error, not of a notice or a warning? */
static inline bool
is_failure(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category != ERRCODE_SUCCESSFUL_COMPLETION &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_WARNING) &&
		category != ERRCODE_TO_CATEGORY(ERRCODE_NO_DATA);
}

/*
 * An error in a message that no hook has seen, for it does not parse: it was idle
 * until it came.
 */
static void
note_unseen_arrival(void)
{
	TimestampTz at = GetCurrentStatementStartTimestamp();

	if (level > 0 || at == arrived || debug_query_string == NULL)
		return;
	arrived = at;
	pgv_transactions_idle(at - last_end);
}

static void
note_raised(void *arg)
{
	int			sqlstate = geterrcode();

	if (pgv_plantext_capturing || !is_failure(sqlstate))
		return;
	note_unseen_arrival();
	if (unlikely(sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED) && is_on())
		pgv_circle_raised();
	pgv_errors_raised(sqlstate, debug_query_string);
	if (awaits_message || MessageContext == NULL)
		return;
	MemoryContextRegisterResetCallback(MessageContext, &next_message);
	awaits_message = true;
}

/*
 * PostgresMain clears the last message's memory, to wait for the next message.
 * If the stack of error contexts is empty, an error came this far: of those
 * no hook tells, when they come before or behind a statement's execution.
 */
static void
at_next_message(void *arg)
{
	awaits_message = false;
	if (error_context_stack == NULL)
	{
		const PgvError *error = pgv_errors_arrived();

		if (error != NULL && level == 0 && is_on() && pgv_track != PGV_TRACK_NONE)
			charge_error(error, false);
		/* a savepoint's transaction goes on: its statement was done now */
		if (pgv_transaction.open)
			last_end = GetCurrentTimestamp();
		watch_errors();
	}
	pgv_errors_forget();
}

/* Does another statement follow in what the client has sent? */
static bool
more_follows(void)
{
	const char *rest = done.source + Max(done.location, 0) + done.length;
	int			start;
	int			length;

	return done.length > 0 &&
		pgv_sqltext_first(rest, strlen(rest), PGV_STANDARD_STRINGS(), &start, &length);
}

/*
 * Did the error come when the client's last statement was done, from the same
 * message and with nothing behind it?  Then it is from the commit: a deferred
 * constraint, say, or a serialization failure.
 */
static bool
is_from_commit(const PgvError *error)
{
	return done.open && done.message == GetCurrentStatementStartTimestamp() &&
		(done.ends || done.source != error->text || !more_follows());
}

/* The statement was counted when it was done; now it has failed after all. */
static pg_attribute_cold void
charge_to_done(const PgvError *error)
{
	PgvUsage	usage;

	pgv_usage_clear(&usage);
	if (done.measured)
		pgv_measure_end(&done.measure, &usage);
	else
		usage.time_ms = Max(GetCurrentTimestamp() - last_end, 0) / 1000.0;
	done.open = false;
	done.statement.source = NULL;
	count_failure(&done.statement, &usage, error->sqlstate,
				  outcome_of(error->sqlstate), true);
}

/*
 * Is it something that has happened to a statement, and not what is wrong with
 * the statement itself, or with where it was sent?
 */
static bool
befalls(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION):
		case ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK):
		case ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES):
		case ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED):
		case ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE):
		case ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION):
		case ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR):
			return true;
		default:
			return false;
	}
}

/*
 * A statement that waited for a lock to be analysed, or one whose parameters
 * cannot be read, has not met a hook.  Its text tells which it is: the next in
 * the client's string.
 */
static pg_attribute_cold void
charge_to_text(const PgvError *error)
{
	const char *text = error->text;
	TimestampTz from = GetCurrentStatementStartTimestamp();
	PgvStatementRef ref;
	PgvUsage	usage;
	int			start;
	int			length;

	if (done.source == text && done.message == from)
	{
		text += Max(done.location, 0) + done.length;
		from = last_end;
	}
	if (!pgv_sqltext_first(text, strlen(text), PGV_STANDARD_STRINGS(), &start, &length))
	{
		pgv_errors_unidentified();
		return;
	}
	describe(&ref, 0, text, start, length, false);
	ref.userid = error->userid;
	ref.route = note_tags(ref.source, ref.location, ref.length, is_prepared());
	pgv_usage_clear(&usage);
	usage.time_ms = Max(GetCurrentTimestamp() - from, 0) / 1000.0;
	count_failure(&ref, &usage, error->sqlstate, outcome_of(error->sqlstate), false);
}

/*
 * An error that no execution was charged with.  A session that is ended while
 * it sits idle loses nothing, unless it sits in a transaction too long.
 */
static pg_attribute_cold void
charge_error(const PgvError *error, bool fatal)
{
	if (fatal && error->text == NULL)
	{
		if (ERRCODE_TO_CATEGORY(error->sqlstate) ==
			ERRCODE_TO_CATEGORY(ERRCODE_INVALID_TRANSACTION_STATE))
			pgv_errors_unidentified();
	}
	else if (is_from_commit(error))
		charge_to_done(error);
	else if (error->text != NULL && befalls(error->sqlstate))
		charge_to_text(error);
	else
		pgv_errors_unidentified();
}

/* The innermost statement that is counted and being executed; or NULL. */
static const PgvStatementRef *
enclosing_statement(void)
{
	for (PgvScope *scope = pgv_scope; scope != NULL; scope = scope->outer)
	{
		const PgvStatementRef *ref = NULL;
		PgvFrame   *frame;

		switch (scope->kind)
		{
			case PGV_SCOPE_RUN:
			case PGV_SCOPE_FINISH:
				frame = pgv_frame_of(scope->query);
				ref = frame != NULL && frame->counted ? &frame->statement : NULL;
				break;
			case PGV_SCOPE_UTILITY:
				ref = ((PgvUtility *) ((char *) scope - offsetof(PgvUtility, scope)))->counted;
				break;
			case PGV_SCOPE_PLANNER:
				ref = ((PgvPlanning *) scope)->counted;
				break;
		}
		if (ref != NULL)
			return ref;
	}
	/* what runs in a commit is of the statement that commits */
	return level == 0 && done.open ? &done.statement : NULL;
}

/*
 * A subtransaction is rolled back.  A handler does that with a function around
 * it; the client's ROLLBACK TO has nothing, nor has PostgresMain.
 */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine,
					  SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	pgv_overhead_drop();
	if (pgv_plantext_capturing || !pgv_errors_any || !is_on())
		return;
	if (level > 0 || (error_context_stack != NULL && error_context_stack != &witness))
		pgv_errors_stopped(enclosing_statement());
}

/* Somebody may have asked this process for its memory contexts. */
static void
at_log(ErrorData *edata)
{
	pgv_contexts_at_log(edata);
	if (prev_emit_log)
		prev_emit_log(edata);
}

void
pgv_hooks_install(void)
{
	prev_emit_log = emit_log_hook;
	emit_log_hook = at_log;
	prev_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = pgv_post_parse_analyze;
	prev_planner = planner_hook;
	planner_hook = pgv_planner;
	prev_ExecutorStart = ExecutorStart_hook;
	ExecutorStart_hook = pgv_ExecutorStart;
	prev_ExecutorRun = ExecutorRun_hook;
	ExecutorRun_hook = pgv_ExecutorRun;
	prev_ExecutorFinish = ExecutorFinish_hook;
	ExecutorFinish_hook = pgv_ExecutorFinish;
	prev_ExecutorEnd = ExecutorEnd_hook;
	ExecutorEnd_hook = pgv_ExecutorEnd;
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = pgv_ProcessUtility;
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
