/*-------------------------------------------------------------------------
 *
 * nested.c
 *	  Statements that functions repeat: spi_loop and function_per_row.
 *
 * What runs inside another statement is watched whatever pg_vitals.track says.
 * While the client's statement runs, a small table counts, for each nested
 * statement and what it runs inside of, the executions:
 *
 *	 SELECT f()						the client's		scope
 *	   SELECT .. FROM posts			a FOR loop's query	open in that scope
 *	   SELECT .. FROM authors ..	30 times			repeat of the open query
 *
 *	 SELECT g(id) FROM posts		the client's		scope
 *	   SELECT .. FROM authors ..	25 times			repeat of the scope
 *
 * A scope is a run of the executor, its triggers (ExecutorFinish), or a
 * utility statement; scopes are on the C stack.  A query is open in a scope
 * from its first fetch, as PL/pgSQL does it for a loop or a cursor, until its
 * memory goes.  Scopes that only call functions (SELECT f()) are passed over.
 *
 * At n_plus_one_min_repeats a statement that reads or writes tables of the
 * application makes a finding.  Which, is told by what changed between the
 * executions:
 *
 *	 another row of the same run of the scope		function_per_row
 *	 nothing, while a query was open				spi_loop of that query
 *	 nothing										spi_loop of the scope
 *	 another run of the scope, or of the open query	then that one is repeated
 *													too: look further out
 *
 * The row of a scope is what the expression contexts of its nodes point to.
 *
 * Reported are the first n_plus_one_min_repeats executions when they are seen,
 * the others in doublings or after a second, and the rest when the client's
 * statement ends, in whichever way.  Time is taken of the first
 * PGV_TIMED_FIRST executions and of slow ones, of the others of one in eight,
 * which then counts for those before it; everything else is exact.
 *
 * All of it is private, static and of fixed size.  When the table is full, what
 * was executed least is forgotten, and findings are never.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "tcop/dest.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"

#include "base/settings.h"
#include "collect/findings.h"
#include "collect/nested.h"
#include "collect/tell.h"
#include "store/store.h"
#include "store/texts.h"

#define PGV_REPEATS 32			/* power of two, at most the bits of "going" */
#define PGV_PROBES 8
#define PGV_OPENS 32
#define PGV_TIMED_FIRST 16
#define PGV_SLOW_MS 0.02		/* beside which a look at the clock is nothing */
#define PGV_REPORT_MS 1000.0
#define PGV_EVIDENCE_MAX 32		/* executions that are looked at closely */
#define PGV_BATCH_ROWS 100		/* what writes as many at once is a batch */

typedef enum PgvVerdict
{
	PGV_UNDECIDED,
	PGV_IGNORED,
	PGV_FOUND
} PgvVerdict;

/* Executions of one statement inside of one other. */
typedef struct PgvRepeat
{
	uint64		top;			/* in this statement of the client */
	uint64		serial;
	uint64		id;
	uint64		cause;			/* id of what it runs inside of */
	Oid			userid;
	PgvVerdict	verdict;
	int64		executions;
	/* not reported yet */
	int64		rows;
	int64		blocks_hit;
	int64		blocks_read;
	double		ms;
	/* time */
	int			skip;			/* executions not to be timed */
	int64		timed_at;		/* the last that was */
	instr_time	first;			/* start of the first execution */
	/* evidence, until there is a verdict */
	uint64		instance;		/* serial of the scope or open query */
	uint64		row;			/* of the scope */
	int			same;			/* executions with nothing changed before */
	int			moved;			/* with another row */
	int			jumped;			/* with another instance */
	/* of a finding */
	PgvFindingKind kind;
	PgvStatementRef statement;
	uint64		parent_fingerprint;
	uint64		parent_queryid;
	const char *suggestion;
	bool		one_transaction;
	bool		holds_text;		/* a reference, while this may be reported */
	bool		holds_parent;
	uint64		generation;		/* of the statistics */
	PgvRecent	recent;
	int64		reported;		/* executions */
	int64		next_report;
	instr_time	reported_at;
} PgvRepeat;

/* A query with rows being fetched. */
typedef struct PgvOpen
{
	bool		used;
	QueryDesc  *query;			/* NULL: its rows were put aside at a COMMIT */
	uint64		scope;			/* serial of the scope it was last fetched in */
	uint64		serial;
	uint64		fetched;		/* when, as a serial */
	uint64		id;
	PgvRepeat  *repeat;			/* that it is an execution of, */
	uint64		repeat_serial;	/* while that is its serial */
	bool		kept;			/* stays when the query goes: these are set */
	bool		holds_text;
	uint64		fingerprint;
	uint64		queryid;
	MemoryContextCallback callback;
} PgvOpen;

/* What something runs inside of: a scope, or a query that is open in it. */
typedef struct PgvCause
{
	PgvScope   *scope;
	PgvOpen    *open;
} PgvCause;

PGV_HOT_DATA PgvScope *pgv_scope = NULL;
PGV_HOT_DATA uint64 pgv_scope_serial = 0;
PGV_HOT_DATA uint64 pgv_scope_top = 0;
PGV_HOT_DATA bool pgv_nested_pending = false;

static PgvRepeat repeats[PGV_REPEATS];
static uint64 going = 0;		/* a bit for each that has something to flush */
static PgvOpen opens[PGV_OPENS];
static int	opens_used = 0;
static uint64 next_serial = 1;

/* ----- statements ----- */

/* A query inside a utility statement has its place from that. */
static void
describe_query(PgvStatementRef *ref, const QueryDesc *query,
			   const PgvScope *around)
{
	const PlannedStmt *stmt = query->plannedstmt;

	memset(ref, 0, sizeof(*ref));
	ref->queryid = PGV_QUERYID(stmt->queryId);
	ref->source = query->sourceText;
	ref->location = stmt->stmt_location;
	ref->length = stmt->stmt_len;
	if (ref->location <= 0 && ref->length <= 0 && around != NULL &&
		around->kind == PGV_SCOPE_UTILITY && around->source == ref->source)
	{
		ref->location = around->location;
		ref->length = around->length;
	}
	ref->optimisable = true;
	ref->toplevel = (around == NULL);
	ref->userid = GetUserId();
}

static void
describe_scope(PgvStatementRef *ref, const PgvScope *scope)
{
	if (scope->query != NULL)
	{
		describe_query(ref, scope->query, scope->outer);
		return;
	}
	memset(ref, 0, sizeof(*ref));
	ref->queryid = scope->queryid;
	ref->source = scope->source;
	ref->location = scope->location;
	ref->length = scope->length;
	ref->toplevel = (scope->outer == NULL);
	ref->userid = GetUserId();
}

/* What tells a query from others here; 0: it has no text. */
static uint64
query_id(const QueryDesc *query)
{
	PgvStatementRef ref;

	if (likely(query->plannedstmt->queryId != 0))
		return PGV_QUERYID(query->plannedstmt->queryId);
	if (query->sourceText == NULL || *query->sourceText == '\0')
		return 0;
	describe_query(&ref, query, pgv_scope);
	pgv_identify(&ref);
	return ref.fingerprint;
}

static uint64
scope_id(PgvScope *scope)
{
	if (scope->id == 0 && scope->query != NULL)
		scope->id = query_id(scope->query);
	else if (scope->id == 0)
		scope->id = scope->queryid;
	if (scope->id == 0)
		scope->id = 1;
	return scope->id;
}

/* ----- open queries ----- */

static void
free_open(PgvOpen *open)
{
	if (open->holds_text)
		pgv_texts_release(open->fingerprint);
	open->used = false;
	opens_used--;
}

/* The query's memory goes. */
static void
close_open(void *arg)
{
	PgvOpen    *open = arg;

	open->query = NULL;
	if (!open->kept)
		free_open(open);
}

/* The query in this scope that was fetched from last, before "fetched". */
static PgvOpen *
newest_open(const PgvScope *scope, uint64 fetched)
{
	PgvOpen    *found = NULL;
	int			left = opens_used;

	for (int i = 0; left > 0; i++)
	{
		PgvOpen    *open = &opens[i];

		if (!open->used)
			continue;
		left--;
		if (open->scope == scope->serial && open->fetched < fetched &&
			(found == NULL || open->fetched > found->fetched))
			found = open;
	}
	return found;
}

static PgvOpen *
open_of(const QueryDesc *query)
{
	for (int i = 0, left = opens_used; left > 0; i++)
	{
		if (!opens[i].used)
			continue;
		if (opens[i].query == query)
			return &opens[i];
		left--;
	}
	return NULL;
}

static bool
is_entered(uint64 serial)
{
	const PgvScope *scope = pgv_scope;

	while (scope != NULL && scope->serial != serial)
		scope = scope->outer;
	return scope != NULL;
}

/* What was kept for a loop goes when its scope is left. */
static void
drop_kept(void)
{
	for (int i = 0; i < PGV_OPENS; i++)
	{
		if (opens[i].used && opens[i].query == NULL && !is_entered(opens[i].scope))
			free_open(&opens[i]);
	}
}

static PgvOpen *
new_open(void)
{
	if (opens_used == PGV_OPENS)
		drop_kept();
	for (int i = 0; i < PGV_OPENS; i++)
	{
		if (opens[i].used)
			continue;
		memset(&opens[i], 0, sizeof(PgvOpen));
		opens[i].used = true;
		opens_used++;
		return &opens[i];
	}
	return NULL;
}

/* Some rows of a query were fetched. */
static void
note_fetch(QueryDesc *query, PgvRepeat *repeat)
{
	PgvOpen    *open = open_of(query);

	if (open == NULL)
	{
		open = new_open();
		if (open == NULL)
			return;
		open->query = query;
		open->serial = next_serial++;
		open->id = query_id(query);
		open->repeat = repeat;
		open->repeat_serial = repeat != NULL ? repeat->serial : 0;
		open->callback.func = close_open;
		open->callback.arg = open;
		MemoryContextRegisterResetCallback(query->estate->es_query_cxt,
										   &open->callback);
	}
	open->scope = pgv_scope->serial;
	open->fetched = next_serial++;
}

/*
 * A COMMIT in the loop puts the rest of the rows aside and ends the query: the
 * loop goes on without it.
 */
static void
keep_open(PgvOpen *open)
{
	PgvStatementRef ref;

	if (open->kept)
		return;
	describe_query(&ref, open->query, NULL);
	pgv_identify(&ref);
	open->fingerprint = ref.fingerprint;
	open->queryid = ref.queryid;
	open->holds_text = pgv_identity_reference_text(&ref);
	open->kept = true;
	pgv_nested_pending = true;
}

/* ----- causes ----- */

static bool
calls_procedure(const PgvScope *scope)
{
	return scope->kind == PGV_SCOPE_UTILITY &&
		(scope->tag == T_CallStmt || scope->tag == T_DoStmt);
}

/* Is what encloses this only a utility statement made for it, or nothing? */
static bool
is_outermost(const PgvScope *scope)
{
	return scope->outer == NULL ||
		(scope->outer->kind == PGV_SCOPE_UTILITY && !calls_procedure(scope->outer));
}

/* Does it no more than call functions, once each? */
static inline bool
is_call(const PgvScope *scope)
{
	const PlannedStmt *stmt;
	const Plan *plan;

	if (scope->kind != PGV_SCOPE_RUN)
		return calls_procedure(scope);
	stmt = scope->query->plannedstmt;
	plan = stmt->planTree;
	if (stmt->relationOids != NIL || stmt->commandType != CMD_SELECT)
		return false;
	if (IsA(plan, ProjectSet))
		plan = plan->lefttree;
	return IsA(plan, Result) && plan->lefttree == NULL;
}

/* The cause at this scope or, if it is a call, further out. */
static bool
cause_from(PgvCause *cause, PgvScope *scope)
{
	for (; scope != NULL; scope = scope->outer)
	{
		cause->scope = scope;
		cause->open = opens_used > 0 ? newest_open(scope, PG_UINT64_MAX) : NULL;
		if (cause->open != NULL)
			return true;
		if (scope->kind == PGV_SCOPE_PLANNER)
			return false;
		if (is_call(scope) && !is_outermost(scope))
			continue;
		/* of other utility statements only COPY fires triggers */
		return scope->kind != PGV_SCOPE_UTILITY || calls_procedure(scope) ||
			scope->tag == T_CopyStmt;
	}
	return false;
}

static bool
next_cause(PgvCause *cause)
{
	PgvScope   *scope = cause->scope;

	if (cause->open == NULL)
		return !is_outermost(scope) && cause_from(cause, scope->outer);
	cause->open = newest_open(scope, cause->open->fetched);
	if (cause->open != NULL)
		return true;
	if (is_call(scope) && !is_outermost(scope))
		return cause_from(cause, scope->outer);
	return scope->kind != PGV_SCOPE_UTILITY || calls_procedure(scope) ||
		scope->tag == T_CopyStmt;
}

/* Triggers of the application: BEFORE, or else AFTER, each row. */
static bool
relations_have_row_triggers(List *relations, bool before)
{
	ListCell   *lc;

	foreach(lc, relations)
	{
		TriggerDesc *triggers = ((ResultRelInfo *) lfirst(lc))->ri_TrigDesc;

		for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		{
			Trigger    *t = &triggers->triggers[i];

			if (TRIGGER_FOR_ROW(t->tgtype) && !TRIGGER_FOR_AFTER(t->tgtype) == before &&
				t->tgfoid >= FirstNormalObjectId)
				return true;
		}
	}
	return false;
}

static bool
has_row_triggers(const QueryDesc *query, bool before)
{
	return relations_have_row_triggers(query->estate->es_opened_result_relations, before) ||
		relations_have_row_triggers(query->estate->es_tuple_routing_result_relations, before);
}

static bool
fires_for_rows(const PgvScope *scope)
{
	return scope->query->estate->es_processed > 1 &&
		has_row_triggers(scope->query, false);
}

static bool
expects_rows(PlanState *node, void *context)
{
	if (node->plan->plan_rows > 1)
		return true;
	return planstate_tree_walker(node, expects_rows, context);
}

/* Does the scope go over more than one row? */
static bool
has_rows(const PgvScope *scope)
{
	return scope->query->estate->es_processed > 1 ||
		(scope->query->planstate != NULL && expects_rows(scope->query->planstate, NULL));
}

/* ----- evidence ----- */

static uint64
mix_slot(uint64 sum, const TupleTableSlot *slot)
{
	if (slot == NULL || TTS_EMPTY(slot))
		return sum;
	sum = (sum ^ ItemPointerGetOffsetNumberNoCheck(&slot->tts_tid) ^
		   ((uint64) ItemPointerGetBlockNumberNoCheck(&slot->tts_tid) << 16)) *
		UINT64CONST(0x9E3779B97F4A7C15);
	if (slot->tts_nvalid > 0)
		sum = (sum ^ slot->tts_values[0] ^ slot->tts_values[slot->tts_nvalid - 1]) *
			UINT64CONST(0x9E3779B97F4A7C15);
	return sum ^ (sum >> 29);
}

static bool
mix_row(PlanState *node, void *context)
{
	const ExprContext *econtext = node->ps_ExprContext;
	uint64	   *sum = context;

	if (econtext != NULL)
	{
		*sum = mix_slot(*sum, econtext->ecxt_scantuple);
		*sum = mix_slot(*sum, econtext->ecxt_innertuple);
		*sum = mix_slot(*sum, econtext->ecxt_outertuple);
	}
	return planstate_tree_walker(node, mix_row, context);
}

/* A number that changes when the query goes on to another row. */
static uint64
present_row(const QueryDesc *query)
{
	uint64		sum = query->estate->es_processed;

	if (query->planstate != NULL)
		mix_row(query->planstate, &sum);
	return sum;
}

static void
gather_evidence(PgvRepeat *r, const PgvCause *cause)
{
	uint64		instance = cause->open != NULL ? cause->open->serial : cause->scope->serial;
	uint64		row = 0;

	if (r->moved > 0 || r->executions > PGV_EVIDENCE_MAX)
		return;
	if (cause->open == NULL && cause->scope->kind == PGV_SCOPE_RUN)
		row = present_row(cause->scope->query);
	if (r->executions == 1)
		INSTR_TIME_SET_CURRENT(r->first);
	else if (instance != r->instance)
		r->jumped++;
	else if (row != r->row)
		r->moved++;
	else
		r->same++;
	r->instance = instance;
	r->row = row;
}

/* ----- verdicts ----- */

/* What enforces foreign keys, as PostgreSQL writes it. */
static bool
is_ri_query(const char *text)
{
	static const char *const begins[] = {"SELECT 1 FROM ", "DELETE FROM ", "UPDATE "};

	for (int i = 0; i < lengthof(begins); i++)
	{
		const char *p = text + strlen(begins[i]);

		if (strncmp(text, begins[i], strlen(begins[i])) != 0)
			continue;
		if (strncmp(p, "ONLY ", 5) == 0)
			p += 5;
		if (*p == '"' || strncmp(p, "(SELECT \"", 9) == 0)
			return strstr(p, " OPERATOR(") != NULL;
	}
	return false;
}

/* Are all of its tables PostgreSQL's or ours? */
static bool
is_about_system(const PlannedStmt *stmt)
{
	Oid			ours = get_namespace_oid("vitals", true);
	ListCell   *lc;

	/* in relationOids would be constants of type oid and regclass, too */
	foreach(lc, stmt->rtable)
	{
		const RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if ((rte->rtekind == RTE_RELATION || rte->rtekind == RTE_SUBQUERY) &&
			rte->relid >= FirstNormalObjectId &&
			(!OidIsValid(ours) || get_rel_namespace(rte->relid) != ours))
			return false;
	}
	return true;
}

/* A job queue takes whatever is free: nothing repeats there. */
static bool
skips_locked(const PlannedStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->rowMarks)
	{
		if (lfirst_node(PlanRowMark, lc)->waitPolicy == LockWaitSkip)
			return true;
	}
	return false;
}

/* Is it planned, explained, or installed what runs? */
static bool
is_rehearsal(void)
{
	if (creating_extension)
		return true;
	for (const PgvScope *scope = pgv_scope; scope != NULL; scope = scope->outer)
	{
		if (scope->kind == PGV_SCOPE_PLANNER ||
			(scope->kind == PGV_SCOPE_UTILITY && scope->tag == T_ExplainStmt))
			return true;
	}
	return false;
}

/* Does so much time pass from one to the next that it must be waiting? */
static bool
is_polling(const PgvRepeat *r)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, r->first);
	return INSTR_TIME_GET_MILLISEC(now) - r->ms >
		(double) pgv_n_plus_one_max_gap_ms * (r->executions - 1);
}

static bool
is_harmless(const PgvRepeat *r, const QueryDesc *query)
{
	const PlannedStmt *stmt = query->plannedstmt;

	return (stmt->commandType != CMD_SELECT &&
			r->rows >= PGV_BATCH_ROWS * (r->executions - 1)) ||
		is_polling(r) || is_rehearsal() || skips_locked(stmt) ||
		is_ri_query(query->sourceText) || is_about_system(stmt);
}

/* The kind by what changed; false: neither, it is another one's repetition. */
static bool
kind_by_evidence(const PgvRepeat *r, const PgvCause *cause, PgvFindingKind *kind)
{
	const PgvScope *scope = cause->scope;
	bool		per_row = cause->open == NULL &&
	((scope->kind == PGV_SCOPE_RUN && r->moved > 0) ||
	 (scope->kind == PGV_SCOPE_FINISH && fires_for_rows(scope)) ||
	 (scope->kind == PGV_SCOPE_UTILITY && scope->tag == T_CopyStmt));

	*kind = per_row ? PGV_FINDING_PER_ROW : PGV_FINDING_SPI_LOOP;
	return per_row || r->same > 0;
}

/* The kind of a cause further out, by what it is; false: it is not it. */
static bool
kind_by_nature(const PgvCause *cause, PgvFindingKind *kind)
{
	const PgvScope *scope = cause->scope;
	bool		per_row = cause->open == NULL &&
	((scope->kind == PGV_SCOPE_RUN && has_rows(scope)) ||
	 (scope->kind == PGV_SCOPE_FINISH && fires_for_rows(scope)) ||
	 (scope->kind == PGV_SCOPE_UTILITY && scope->tag == T_CopyStmt));

	*kind = per_row ? PGV_FINDING_PER_ROW : PGV_FINDING_SPI_LOOP;
	return per_row || cause->open != NULL || is_outermost(scope);
}

/* Follow the causes outward to the one that makes the repeats. */
static bool
find_kind(const PgvRepeat *r, PgvCause *cause, PgvFindingKind *kind)
{
	if (kind_by_evidence(r, cause, kind))
		return true;
	while (next_cause(cause))
	{
		if (kind_by_nature(cause, kind))
			return true;
	}
	return false;
}

/* ----- reporting ----- */

static inline void
set_going(const PgvRepeat *r)
{
	going |= UINT64CONST(1) << (r - repeats);
	pgv_nested_pending = true;
}

static const char *
advice(PgvFindingKind kind, const QueryDesc *query, const PgvCause *cause)
{
	bool		writes = query->plannedstmt->commandType != CMD_SELECT;

	if (kind == PGV_FINDING_SPI_LOOP)
	{
		if (writes)
			return "write all rows with one statement: INSERT ... SELECT, UPDATE ... FROM or DELETE ... USING, with the query of the loop as its source";
		if (cause->open != NULL)
			return "join the tables in the query of the loop, or fetch the rows for all values in one statement before it (= ANY of an array)";
		return "fetch the rows for all values in one statement instead of the loop: a join, or = ANY of an array";
	}
	if (cause->scope->kind == PGV_SCOPE_RUN &&
		!(cause->scope->query->operation != CMD_SELECT &&
		  has_row_triggers(cause->scope->query, true)))
		return "join the tables in the query that calls the function (JOIN, or LEFT JOIN LATERAL), or make it a set-returning function, LANGUAGE sql STABLE, called in FROM, which the planner can put in its place";
	return "do the work for all rows at once: a trigger AFTER ... FOR EACH STATEMENT with transition tables (REFERENCING NEW TABLE AS ...), or a join in the statement that writes";
}

/*
 * Is this the first report of the finding during the client's statement?  The
 * same text with other variables counts by itself, but is the same finding:
 * "executions" gives those of all.
 */
static bool
is_first_report(const PgvRepeat *r, int64 *executions)
{
	bool		first = true;

	*executions = 0;
	for (uint64 left = going; left != 0; left &= left - 1)
	{
		const PgvRepeat *other = &repeats[pg_rightmost_one_pos64(left)];

		if (other->statement.fingerprint != r->statement.fingerprint ||
			other->parent_fingerprint != r->parent_fingerprint ||
			other->kind != r->kind || other->userid != r->userid)
			continue;
		*executions += other->executions;
		if (other->reported > 0 && other->generation == pgv_store_generation())
			first = false;
	}
	return first;
}

static void
report(PgvRepeat *r)
{
	PgvFinding	delta;
	PgvFindingWords words = {.suggestion = r->suggestion};
	int64		executions;
	bool		first = is_first_report(r, &executions);

	memset(&delta, 0, sizeof(delta));
	pgv_tally_clear(&delta.tally);
	delta.fingerprint = r->statement.fingerprint;
	delta.queryid = r->statement.queryid;
	delta.parent_fingerprint = r->parent_fingerprint;
	delta.parent_queryid = r->parent_queryid;
	delta.confidence = PGV_PROVEN;
	delta.bursts = first ? 1 : 0;
	delta.in_transaction = first && r->one_transaction ? 1 : 0;
	delta.max_repeats = executions;
	delta.tally.repeats = r->executions - r->reported;
	delta.tally.rows = r->rows;
	delta.tally.blocks_hit = r->blocks_hit;
	delta.tally.blocks_read = r->blocks_read;
	delta.tally.exec_ms = r->ms;
	pgv_findings_report(r->kind, &delta, &r->statement, first ? &words : NULL,
						&r->recent);
	r->generation = pgv_store_generation();
	r->reported = r->executions;
	r->next_report = r->executions * 2;
	r->rows = r->blocks_hit = r->blocks_read = 0;
	r->ms = 0;
}

/* Identify the statement and its cause; keep their texts while it goes on. */
static void
identify(PgvRepeat *r, QueryDesc *query, const PgvCause *cause)
{
	PgvStatementRef parent;

	describe_query(&r->statement, query, pgv_scope);
	pgv_identify(&r->statement);
	r->holds_text = pgv_identity_reference_text(&r->statement);
	r->statement.source = NULL;
	if (cause->open != NULL && cause->open->kept)
	{
		r->parent_fingerprint = cause->open->fingerprint;
		r->parent_queryid = cause->open->queryid;
		r->holds_parent = pgv_texts_reference(r->parent_fingerprint);
		return;
	}
	if (cause->open != NULL)
		describe_query(&parent, cause->open->query, cause->scope);
	else
		describe_scope(&parent, cause->scope);
	pgv_identify(&parent);
	r->parent_fingerprint = parent.fingerprint;
	r->parent_queryid = parent.queryid;
	r->holds_parent = pgv_identity_reference_text(&parent);
}

/* Only a CALL or DO of the client itself can end transactions inside. */
static bool
in_one_transaction(void)
{
	const PgvScope *scope = pgv_scope;

	while (scope->outer != NULL)
		scope = scope->outer;
	return !calls_procedure(scope);
}

static void
decide(PgvRepeat *r, QueryDesc *query, PgvCause *cause)
{
	r->verdict = PGV_IGNORED;
	if (is_harmless(r, query) || !find_kind(r, cause, &r->kind))
		return;
	identify(r, query, cause);
	r->verdict = PGV_FOUND;
	r->suggestion = advice(r->kind, query, cause);
	r->one_transaction = in_one_transaction();
	INSTR_TIME_SET_CURRENT(r->reported_at);
	set_going(r);
	report(r);
	pgv_tell(r->kind, r->statement.fingerprint, r->executions, r->parent_fingerprint);
}

static void
report_some(PgvRepeat *r, const instr_time *now)
{
	instr_time	since = *now;

	INSTR_TIME_SUBTRACT(since, r->reported_at);
	if (r->executions < r->next_report &&
		INSTR_TIME_GET_MILLISEC(since) < PGV_REPORT_MS)
		return;
	report(r);
	r->reported_at = *now;
}

void
pgv_nested_flush(void)
{
	for (uint64 left = going; left != 0; left &= left - 1)
	{
		PgvRepeat  *r = &repeats[pg_rightmost_one_pos64(left)];

		if (r->executions > r->reported || r->ms > 0 || r->rows > 0)
			report(r);
		if (r->holds_text)
			pgv_texts_release(r->statement.fingerprint);
		if (r->holds_parent)
			pgv_texts_release(r->parent_fingerprint);
		r->holds_text = r->holds_parent = false;
	}
	going = 0;
	drop_kept();
	pgv_nested_pending = false;
}

/* ----- counting ----- */

static PgvRepeat *
find_repeat(uint64 id, uint64 cause, Oid userid)
{
	uint64		hash = (id ^ cause * 31 ^ userid) * UINT64CONST(0x9E3779B97F4A7C15);
	PgvRepeat  *victim = NULL;

	hash >>= 32;
	for (int i = 0; i < PGV_PROBES; i++)
	{
		PgvRepeat  *r = &repeats[(hash + i) & (PGV_REPEATS - 1)];

		if (r->top == pgv_scope_top && r->id == id && r->cause == cause &&
			r->userid == userid)
			return r;
		if (victim != NULL && victim->top != pgv_scope_top)
			continue;
		if (r->top != pgv_scope_top ||
			(r->verdict != PGV_FOUND &&
			 (victim == NULL || r->executions < victim->executions)))
			victim = r;
	}
	if (victim == NULL)
		return NULL;
	memset(victim, 0, sizeof(*victim));
	victim->top = pgv_scope_top;
	victim->serial = next_serial++;
	victim->id = id;
	victim->cause = cause;
	victim->userid = userid;
	return victim;
}

/* A further execution, or NULL where it does not count. */
static PgvRepeat *
count_execution(QueryDesc *query)
{
	PgvCause	cause;
	PgvRepeat  *r;
	uint64		id;

	if (!cause_from(&cause, pgv_scope))
		return NULL;
	id = query_id(query);
	if (id == 0)
		return NULL;
	r = find_repeat(id, cause.open != NULL ? cause.open->id : scope_id(cause.scope),
					GetUserId());
	if (r == NULL || r->verdict == PGV_IGNORED)
		return NULL;
	r->executions++;
	if (r->verdict == PGV_FOUND)
		set_going(r);
	else
	{
		gather_evidence(r, &cause);
		if (r->executions >= pgv_n_plus_one_min_repeats)
			decide(r, query, &cause);
	}
	return r;
}

/* What goes on with a query that was started before belongs to its execution. */
static PgvRepeat *
continue_execution(QueryDesc *query)
{
	PgvOpen    *open = opens_used > 0 ? open_of(query) : NULL;

	if (open == NULL)
		return NULL;
	if (query->dest->mydest == DestTuplestore)
		keep_open(open);
	if (open->repeat != NULL && open->repeat->serial == open->repeat_serial &&
		open->repeat->top == pgv_scope_top)
		return open->repeat;
	return NULL;
}

void
pgv_nested_start(PgvNested *nested, QueryDesc *query, bool measured)
{
	bool		again = query->already_executed;
	PgvRepeat  *r = again ? continue_execution(query) : count_execution(query);

	nested->repeat = r;
	if (r == NULL)
		return;
	nested->serial = r->serial;
	nested->blocks_hit = pgBufferUsage.shared_blks_hit;
	nested->blocks_read = pgBufferUsage.shared_blks_read;
	nested->timed = !measured && (again || r->skip == 0);
	if (nested->timed)
		INSTR_TIME_SET_CURRENT(nested->start);
	else if (!measured)
		r->skip--;
}

/* Add a time taken; it stands for the executions before it that were not timed. */
static void
add_time(PgvRepeat *r, double ms)
{
	r->ms += ms * Max(r->executions - r->timed_at, 1);
	r->timed_at = r->executions;
	if (r->executions < PGV_TIMED_FIRST || ms > PGV_SLOW_MS)
		r->skip = 0;
	else
		r->skip = (uint32) (r->executions * 2654435761U) >> 28;
}

/* Should the clock be looked at, for a report, though it was not timed here? */
static bool
is_time_to_look(const PgvRepeat *r, double time_ms)
{
	return r->executions >= r->next_report ||
		time_ms > PGV_SLOW_MS || (time_ms >= 0 && r->executions % 16 == 0);
}

static void
add_run(PgvNested *nested, QueryDesc *query, double time_ms)
{
	PgvRepeat  *r = nested->repeat;
	instr_time	now;
	instr_time	took;

	r->rows += query->estate->es_processed;
	r->blocks_hit += pgBufferUsage.shared_blks_hit - nested->blocks_hit;
	r->blocks_read += pgBufferUsage.shared_blks_read - nested->blocks_read;
	if (time_ms >= 0)
		r->ms += time_ms;
	if (!nested->timed &&
		(r->verdict != PGV_FOUND || !is_time_to_look(r, time_ms)))
		return;
	INSTR_TIME_SET_CURRENT(now);
	if (nested->timed)
	{
		took = now;
		INSTR_TIME_SUBTRACT(took, nested->start);
		add_time(r, INSTR_TIME_GET_MILLISEC(took));
	}
	if (r->verdict == PGV_FOUND)
		report_some(r, &now);
}

pg_noinline void
pgv_nested_ran(PgvNested *nested, QueryDesc *query, double time_ms)
{
	/* a statement of its own inside may have taken its place in the table */
	if (nested->repeat->serial == nested->serial)
		add_run(nested, query, time_ms);
	else
		nested->repeat = NULL;
}

pg_noinline void
pgv_nested_fetched(PgvNested *nested, QueryDesc *query)
{
	/* a loop of PL/pgSQL, not the client's cursor */
	if (query->operation == CMD_SELECT && query->dest->mydest == DestSPI)
		note_fetch(query, nested->repeat);
}
