/*-------------------------------------------------------------------------
 *
 * errors.h
 *	  The kind "errors": failures by statement and SQLSTATE.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ERRORS_H
#define PGV_ERRORS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "collect/identity.h"
#include "store/store.h"

typedef struct PgvErrorKey
{
	Oid			dbid;
	Oid			userid;			/* 0 in residuals */
	uint64		fingerprint;	/* 0: there was no statement yet, and in
								 * residuals */
	uint64		sqlstate;		/* as errcode() has it; 0 in residuals */
} PgvErrorKey;

/* Both the entry of the store and a delta to it; plain sums. */
typedef struct PgvErrorEntry
{
	bool		has_text;		/* holds a reference to the fingerprint's text */
	uint64		fingerprint;	/* as in the key, for the text */
	uint64		queryid;		/* the last seen that is not 0 */
	int64		failures;
	int64		caught;
	double		lost_ms;
	TimestampTz first_seen;
	TimestampTz last_seen;
	TimestampTz stats_since;	/* written by the store; not in a delta */
} PgvErrorEntry;

extern const PgvKind pgv_kind_errors;

/* An error that nobody has counted yet. */
typedef struct PgvError
{
	int			sqlstate;		/* as errcode() has it; 0: there is none */
	Oid			userid;			/* whose it is */
	const char *text;			/* debug_query_string, then; not a copy */
} PgvError;

/* Is anything known of an error?  Read by those who have no time. */
extern bool pgv_errors_any;

/*
 * A message with the SQLSTATE of an error is about to be raised; whether it
 * is one shows later.  To be called from an error context callback: touches
 * nothing but memory of its own.
 */
extern void pgv_errors_raised(int sqlstate, const char *text);

/*
 * An execution that is counted fails by an error with this SQLSTATE, after
 * so many ms.  Counted unless the same error was, on a statement further in.
 * Raises nothing, allocates nothing.  Takes locks of store and texts.
 */
extern void pgv_errors_failed(const PgvStatementRef *ref, double ms,
							  int sqlstate);

/*
 * A handler has the error and rolls its subtransaction back.  Unless the
 * error is raised on, it was caught, in this statement (NULL: in one that is
 * not counted).  Likewise.
 */
extern void pgv_errors_stopped(const PgvStatementRef *ref);

/*
 * A statement of the client, or a transaction, has come to a good end: what
 * was stopped was caught, and nothing is on its way.  Likewise.
 */
extern void pgv_errors_settle(void);

/*
 * An error has come to the end of its way, the client, or (if fatal) of the
 * backend.  Returns it if it has not been counted: the caller does it, by
 * pgv_errors_failed or by the next.  Otherwise NULL.  Likewise.
 */
extern const PgvError *pgv_errors_arrived(void);

/* Count what that returned, for no statement.  Likewise. */
extern void pgv_errors_unidentified(void);

/* Forget what is on its way. */
extern void pgv_errors_forget(void);

/* Is this the key of a residual entry, "<other>"? */
extern bool pgv_errors_is_residual(const void *key);

/* Add one set of counters to another; the text stays where it is. */
extern void pgv_errors_add(PgvErrorEntry *into, const PgvErrorEntry *from);

#endif							/* PGV_ERRORS_H */
