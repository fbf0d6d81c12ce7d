/*-------------------------------------------------------------------------
 *
 * walks.h
 *	  Statements repeated with a value of their own previous result.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_WALKS_H
#define PGV_WALKS_H

#include "postgres.h"

#include "executor/execdesc.h"

#include "collect/findings.h"
#include "collect/producers.h"
#include "collect/signs.h"
#include "collect/values.h"

/* What one execution knows of the walk it belongs to; zero: of none. */
typedef struct PgvWalkWatch
{
	int			walk;			/* index, while that has this serial */
	uint64		serial;
	bool		tell;			/* it makes a finding: to be told when it runs */
	uint64		key;			/* the statement with its parameters */
} PgvWalkWatch;

/*
 * Is it worth knowing the predicates of this statement?  So when it was
 * executed a moment ago, with a result.
 */
extern bool pgv_walks_wants(uint64 fingerprint, const PgvArrival *arrival);

/*
 * Count a statement (watch->key is set) as a step: does one of its predicates
 * have a value of its previous result?  Returns the serial of the walk it goes on with, whose
 * results are to be kept side by side, or 0.  May read the catalog, and raise
 * what that raises.
 */
extern uint64 pgv_walks_step(PgvWalkWatch *watch, uint64 fingerprint,
							 const PgvPredicate *predicates, int npredicates,
							 const PgvArrival *arrival);

/* Is the walk that this execution belongs to a finding? */
extern bool pgv_walks_found(const PgvWalkWatch *watch);

/* It is about to run: reports and tells of a finding just made; may raise. */
extern void pgv_walks_run(PgvWalkWatch *watch, QueryDesc *query,
						  const PgvStatementRef *ref);

/* It has run to its end; the capture has looked at its rows. */
extern void pgv_walks_ran(PgvWalkWatch *watch, QueryDesc *query,
						  const PgvStatementRef *ref, const PgvArrival *arrival,
						  const PgvCapture *capture, const PgvUsage *usage,
						  uint64 rows, TimestampTz now);

extern void pgv_walks_forget(void);

#endif							/* PGV_WALKS_H */
