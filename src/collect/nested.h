/*-------------------------------------------------------------------------
 *
 * nested.h
 *	  Statements that functions repeat: spi_loop and function_per_row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_NESTED_H
#define PGV_NESTED_H

#include "postgres.h"

#include "executor/execdesc.h"
#include "nodes/plannodes.h"
#include "portability/instr_time.h"
#include "tcop/pquery.h"

#include "collect/brake.h"

typedef enum PgvScopeKind
{
	PGV_SCOPE_RUN,				/* ExecutorRun */
	PGV_SCOPE_FINISH,			/* ExecutorFinish: triggers */
	PGV_SCOPE_UTILITY,
	PGV_SCOPE_PLANNER
} PgvScopeKind;

/*
 * What statements can run inside of; on the C stack, innermost first.  Entered
 * and left around PG_TRY.
 */
typedef struct PgvScope
{
	struct PgvScope *outer;
	uint64		serial;			/* of this entering */
	uint64		id;				/* of its statement; 0: not asked for yet */
	QueryDesc  *query;			/* RUN and FINISH */
	PgvScopeKind kind;
	/* UTILITY: */
	NodeTag		tag;
	int			location;
	int			length;
	const char *source;
	uint64		queryid;
} PgvScope;

/* Read and written by the inline functions below, and by nested.c. */
extern PgvScope *pgv_scope;		/* the innermost */
extern uint64 pgv_scope_serial; /* the last given */
extern uint64 pgv_scope_top;	/* what the client's statement began with */
extern bool pgv_nested_pending; /* is there anything to be flushed? */

/* All that is known of the client's statement goes to the store. */
extern void pgv_nested_flush(void);

static inline void
pgv_scope_enter(PgvScope *scope, PgvScopeKind kind, QueryDesc *query)
{
	scope->outer = pgv_scope;
	scope->serial = ++pgv_scope_serial;
	scope->id = 0;
	scope->query = query;
	scope->kind = kind;
	/* the triggers of a statement belong to it */
	if (scope->outer == NULL && kind != PGV_SCOPE_FINISH)
		pgv_scope_top = scope->serial;
	pgv_scope = scope;
}

/* pstmt may go while the scope lasts; source may not. */
static inline void
pgv_scope_enter_utility(PgvScope *scope, const PlannedStmt *pstmt,
						const char *source)
{
	pgv_scope_enter(scope, PGV_SCOPE_UTILITY, NULL);
	scope->tag = nodeTag(pstmt->utilityStmt);
	scope->queryid = (uint64) pstmt->queryId;
	scope->source = source;
	scope->location = pstmt->stmt_location;
	scope->length = pstmt->stmt_len;
}

static inline void
pgv_scope_leave(PgvScope *scope)
{
	pgv_scope = scope->outer;
	if (unlikely(pgv_nested_pending) && pgv_scope == NULL)
		pgv_nested_flush();
}

struct PgvRepeat;

/* One run of a nested statement, from before to after. */
typedef struct PgvNested
{
	struct PgvRepeat *repeat;	/* NULL: not counted */
	uint64		serial;			/* its, then */
	bool		timed;
	instr_time	start;
	int64		blocks_hit;
	int64		blocks_read;
} PgvNested;

/* What the two below are for; the first sets all of "nested". */
extern void pgv_nested_start(PgvNested *nested, QueryDesc *query, bool measured);
extern void pgv_nested_ran(PgvNested *nested, QueryDesc *query, double time_ms);
extern void pgv_nested_fetched(PgvNested *nested, QueryDesc *query);

/*
 * A query is about to run in pgv_scope.  measured: the caller will tell its
 * time.  If this makes a finding, tells the session as n_plus_one_action asks:
 * may raise ERROR VT001.  What has no tables is an expression of PL/pgSQL, and
 * gets no further than this.
 */
static inline void
pgv_nested_begin(PgvNested *nested, QueryDesc *query, bool measured)
{
	nested->repeat = NULL;
	if (pgv_scope != NULL && pgv_detects() &&
		(query->plannedstmt->relationOids != NIL || query->already_executed ||
		 query->operation != CMD_SELECT))
		pgv_nested_start(nested, query, measured);
}

/*
 * It has run, to its end or for some rows of a cursor; time_ms: negative if
 * not measured.  Raises nothing.
 */
static inline void
pgv_nested_end(PgvNested *nested, QueryDesc *query, uint64 count, double time_ms)
{
	if (nested->repeat != NULL)
		pgv_nested_ran(nested, query, time_ms);
	if (count != 0 && pgv_scope != NULL && pgv_detects() &&
		ActivePortal != NULL && ActivePortal->queryDesc == query)
		pgv_nested_fetched(nested, query);
}

#endif							/* PGV_NESTED_H */
