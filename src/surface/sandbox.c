/*-------------------------------------------------------------------------
 *
 * sandbox.c
 *	  Parsing and planning statements that somebody else may have written.
 *
 * Two levels of subtransactions:
 *
 *	sandbox		read only, as the statement's role; always rolled back, so that
 *				no lock on a table outlives it
 *	attempt		inside, one for each step that may fail
 *
 * The planner is called past planner_hook: what is tried out here is nobody's
 * statement, and must not appear in statistics, our own or another module's.
 *
 * A statement's names are looked up along the caller's search_path, in the
 * caller's database: there they may be another's than when it was executed.  So
 * nothing that somebody wrote may run, whoever it belongs to: while the sandbox
 * lasts, hooks refuse functions that are not written in C and every statement,
 * and for planning the role is one without rights.  (This is the one place
 * beside hooks.c that assigns hooks, as they are there for nothing else.)  What
 * needs more than that to be planned is not planned.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "surface/sandbox.h"

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* End a subtransaction of ours, undoing it, in PG_CATCH or out of it. */
static void
roll_back(MemoryContext context, ResourceOwner owner)
{
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* The error being handled, which is over with that. */
static ErrorData *
take_error(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	return error;
}

/* ----- nobody's code runs ----- */

static bool guarding = false;
static needs_fmgr_hook_type prev_needs_fmgr = NULL;
static fmgr_hook_type prev_fmgr = NULL;
static ExecutorStart_hook_type prev_ExecutorStart = NULL;
static ProcessUtility_hook_type prev_ProcessUtility = NULL;

/* Only a superuser can have made a function in C. */
static bool
is_in_c(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			language = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		language = ((Form_pg_proc) GETSTRUCT(tuple))->prolang;
		ReleaseSysCache(tuple);
	}
	return language == INTERNALlanguageId || language == ClanguageId;
}

/* Is the function to be announced?  Then it is not inlined either. */
static bool
announce(Oid function)
{
	return !is_in_c(function) || (prev_needs_fmgr && prev_needs_fmgr(function));
}

static void
refuse_function(FmgrHookEventType event, FmgrInfo *flinfo, Datum *private)
{
	if (event == FHET_START && !is_in_c(flinfo->fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("it would call the function %s", get_func_name(flinfo->fn_oid))));
	if (prev_fmgr)
		prev_fmgr(event, flinfo, private);
}

static void
refuse_query(QueryDesc *queryDesc, int eflags)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("it would execute a query")));
}

static void
refuse_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			   ProcessUtilityContext context, ParamListInfo params,
			   QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	refuse_query(NULL, 0);
}

static void
guard(void)
{
	Assert(!guarding);
	guarding = true;
	prev_needs_fmgr = needs_fmgr_hook;
	needs_fmgr_hook = announce;
	prev_fmgr = fmgr_hook;
	fmgr_hook = refuse_function;
	prev_ExecutorStart = ExecutorStart_hook;
	ExecutorStart_hook = refuse_query;
	prev_ProcessUtility = ProcessUtility_hook;
	ProcessUtility_hook = refuse_utility;
}

static void
unguard(void)
{
	needs_fmgr_hook = prev_needs_fmgr;
	fmgr_hook = prev_fmgr;
	ExecutorStart_hook = prev_ExecutorStart;
	ProcessUtility_hook = prev_ProcessUtility;
	guarding = false;
}

/* ----- the sandbox ----- */

static void
become(Oid userid)
{
	Oid			present;
	int			sec_context;

	set_local("transaction_read_only", "on");
	set_local("client_min_messages", "error");
	if (!OidIsValid(userid))
		return;
	GetUserIdAndSecContext(&present, &sec_context);
	SetUserIdAndSecContext(userid, sec_context | SECURITY_RESTRICTED_OPERATION);
}

void
pgv_sandbox_run(Oid userid,
				void (*function) (const PgvSandbox *sandbox, void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	PgvSandbox	sandbox = {userid};

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	guard();
	PG_TRY();
	{
		become(userid);
		function(&sandbox, arg);
		unguard();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		unguard();
		error = take_error(context);
		/* whoever catches it counts on finding his own subtransaction */
		roll_back(context, owner);
		ReThrowError(error);
	}
	PG_END_TRY();
	roll_back(context, owner);
}

/* ----- attempts ----- */

typedef struct PgvAttempt
{
	void		(*step) (struct PgvAttempt *attempt);
	const char *sql;
	const Query *query;			/* to be planned */
	Oid		   *types;
	int			ntypes;
	bool		fixed;			/* are the types given? */
	void	   *result;
	int			sqlerrcode;		/* why it failed */
} PgvAttempt;

/* Errors that say nothing of the statement. */
static bool
is_not_of_statement(int sqlerrcode)
{
	return ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		(ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES &&
		 sqlerrcode != ERRCODE_STATEMENT_TOO_COMPLEX);
}

/* Run a step; returns NULL or why it failed. */
static char *
attempt(PgvAttempt *a)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *volatile message = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		a->step(a);
		/* keep the locks: what was found must stay so until the sandbox ends */
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error = take_error(context);

		roll_back(context, owner);
		if (is_not_of_statement(error->sqlerrcode))
			ReThrowError(error);
		a->sqlerrcode = error->sqlerrcode;
		message = error->message != NULL ? error->message : "unknown error";
	}
	PG_END_TRY();
	return message;
}

/* Is this an alternative that the grammar has, and analysis can look at? */
static RawStmt *
parse_one(const char *sql)
{
	List	   *raw = raw_parser(sql, RAW_PARSE_DEFAULT);

	if (list_length(raw) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("it is not one statement")));
	return linitial_node(RawStmt, raw);
}

static void
step_analyse(PgvAttempt *a)
{
	RawStmt    *raw = parse_one(a->sql);

	switch (nodeTag(raw->stmt))
	{
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
			break;
		default:
			/* not even analysed: some do something there already */
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("it is not a SELECT, INSERT, UPDATE or DELETE")));
	}
	if (a->fixed)
		a->result = parse_analyze_fixedparams(raw, a->sql, a->types, a->ntypes, NULL);
	else
		a->result = parse_analyze_varparams(raw, a->sql, &a->types, &a->ntypes, NULL);
}

static Query *
run_analyse(PgvAttempt *a, char **message)
{
	a->step = step_analyse;
	*message = attempt(a);
	return *message == NULL ? a->result : NULL;
}

Query *
pgv_sandbox_analyse(const char *sql, Oid **types, int *ntypes, char **message)
{
	PgvAttempt	a = {.sql = sql};
	Query	   *query = run_analyse(&a, message);

	*types = a.types;
	*ntypes = a.ntypes;
	return query;
}

Query *
pgv_sandbox_analyse_fixed(const char *sql, const Oid *types, int ntypes,
						  char **message)
{
	PgvAttempt	a = {.sql = sql,.types = unconstify(Oid *, types),
	.ntypes = ntypes,.fixed = true};

	return run_analyse(&a, message);
}

static void
step_rewrite(PgvAttempt *a)
{
	a->result = QueryRewrite(copyObject(unconstify(Query *, a->query)));
}

/* As a role that may do nothing that matters; the end of a failed step undoes it. */
static void
step_plan(PgvAttempt *a)
{
	Oid			role;
	int			sec_context;
	ListCell   *lc;

	GetUserIdAndSecContext(&role, &sec_context);
	SetUserIdAndSecContext(ROLE_PG_READ_ALL_SETTINGS, sec_context);
	foreach(lc, (List *) a->result)
	{
		Query	   *query = lfirst_node(Query, lc);

		if (query->commandType != CMD_UTILITY)
			(void) PGV_STANDARD_PLANNER(copyObject(query), a->sql,
										CURSOR_OPT_PARALLEL_OK, NULL);
	}
	SetUserIdAndSecContext(role, sec_context);
}

/*
 * Says the error that the statement could not be planned by a role without
 * rights (nor a user mapping), rather than that it is wrong?
 */
static bool
lacks_rights(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE ||
		sqlerrcode == ERRCODE_UNDEFINED_OBJECT;
}

List *
pgv_sandbox_rewrite(const Query *query, const char *sql, char **message)
{
	PgvAttempt	a = {.sql = sql,.query = query,.step = step_rewrite};

	*message = attempt(&a);
	if (*message == NULL && a.result == NULL)
		*message = "a rule turns it into nothing";
	return *message == NULL ? a.result : NIL;
}

bool
pgv_sandbox_plan(const PgvSandbox *sandbox, const Query *query,
				 const char *sql, char **unplanned, char **message)
{
	PgvAttempt	a = {.sql = sql,.step = step_plan};

	*unplanned = NULL;
	a.result = pgv_sandbox_rewrite(query, sql, message);
	if (a.result == NULL)
		return false;
	if (!OidIsValid(sandbox->userid))
	{
		*unplanned = "it is another role's statement";
		return true;
	}
	*message = attempt(&a);
	if (*message != NULL && lacks_rights(a.sqlerrcode))
	{
		*unplanned = *message;
		*message = NULL;
	}
	return *message == NULL;
}
