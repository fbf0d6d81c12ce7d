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
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

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
	PG_TRY();
	{
		become(userid);
		function(&sandbox, arg);
	}
	PG_CATCH();
	{
		ErrorData  *error = take_error(context);

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
	bool		plan;			/* or only rewrite? */
	void	   *result;
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
step_plan(PgvAttempt *a)
{
	List	   *queries = QueryRewrite(copyObject(unconstify(Query *, a->query)));
	ListCell   *lc;

	if (a->plan)
	{
		foreach(lc, queries)
		{
			Query	   *query = lfirst_node(Query, lc);

			if (query->commandType != CMD_UTILITY)
				(void) PGV_STANDARD_PLANNER(copyObject(query), a->sql,
											CURSOR_OPT_PARALLEL_OK, NULL);
		}
	}
	a->result = queries;
}

List *
pgv_sandbox_plan(const PgvSandbox *sandbox, const Query *query,
				 const char *sql, bool plan, char **message)
{
	PgvAttempt	a = {.sql = sql,.query = query};

	a.step = step_plan;
	a.plan = plan && OidIsValid(sandbox->userid);
	*message = attempt(&a);
	if (*message == NULL && a.result == NULL)
		*message = "a rule turns it into nothing";
	return *message == NULL ? a.result : NIL;
}
