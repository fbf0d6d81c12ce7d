/*-------------------------------------------------------------------------
 *
 * loops.h
 *	  Statements repeated one row at a time for the rows of no known parent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_LOOPS_H
#define PGV_LOOPS_H

#include "postgres.h"

#include "executor/execdesc.h"

#include "collect/findings.h"
#include "collect/signs.h"
#include "collect/values.h"

/* What one execution knows of the loop it is counted to; zero: of none. */
typedef struct PgvLoopWatch
{
	int			loop;			/* index, while that has this serial */
	uint64		serial;
	bool		tell;			/* it makes a finding: to be told when it runs */
} PgvLoopWatch;

/* The client's next statement is on its way, whatever it is, after so long a wait. */
extern void pgv_loops_step(uint64 fingerprint, double wait_ms);

/* The client begins a transaction, after so long a wait. */
extern void pgv_loops_begin(double wait_ms);

/* It asks for the end of that, after so long. */
extern void pgv_loops_commit(double wait_ms);

/* Something came between that no loop of lookups has in it. */
extern void pgv_loops_interrupt(void);

/* A statement of another sort than a loop over rows: DDL, bulk loading. */
extern void pgv_loops_break(void);

/*
 * Count a statement to its loop: a write of single rows, or a lookup that no
 * result explains.  key: the statement with its parameters.  Needs the query's
 * transaction, for the columns are read from the plan when a finding is made.
 */
extern void pgv_loops_count(PgvLoopWatch *watch, QueryDesc *query,
							uint64 fingerprint, uint64 key,
							const PgvArrival *arrival);

/*
 * The same, at a glance, for one more lookup of a loop that is known to be one:
 * its parameters are not looked at.
 */
extern void pgv_loops_glance(PgvLoopWatch *watch, uint64 fingerprint,
							 const PgvArrival *arrival);

/* It is about to run: reports and tells of a finding just made; may raise. */
extern void pgv_loops_run(PgvLoopWatch *watch, QueryDesc *query,
						  const PgvStatementRef *ref);

/* It has run to its end. */
extern void pgv_loops_ran(PgvLoopWatch *watch, QueryDesc *query,
						  const PgvStatementRef *ref, const PgvUsage *usage,
						  uint64 rows, TimestampTz now);

/* Has a loop of this statement been reported, that still goes on? */
extern bool pgv_loops_reported(uint64 fingerprint, const PgvArrival *arrival);

/* The statement is explained otherwise: there is no loop of it. */
extern void pgv_loops_drop(uint64 fingerprint);

extern void pgv_loops_forget(void);

#endif							/* PGV_LOOPS_H */
