/*-------------------------------------------------------------------------
 *
 * nplusone.h
 *	  The detector of repeated-statement patterns.
 *
 * It is told of every statement that the client sends, in order: when it
 * starts, when it runs, when it has run.  It finds statements that are
 * repeated for the rows of an earlier result, and asks those units that know
 * other patterns.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_NPLUSONE_H
#define PGV_NPLUSONE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/execdesc.h"

#include "collect/across.h"
#include "collect/execution.h"
#include "collect/duplicates.h"
#include "collect/loops.h"
#include "collect/producers.h"
#include "collect/signs.h"
#include "collect/walks.h"

#define PGV_WATCH_CREDITS 4

/* What the detector keeps of one execution; part of its frame, zero at first. */
typedef struct PgvWatch
{
	bool		watched;
	bool		tell;			/* it makes a finding: to be told when it runs */
	int			ncredits;		/* bursts it was credited to, the best first */
	struct
	{
		int			burst;		/* index, while that is its serial */
		uint64		serial;
	}			credits[PGV_WATCH_CREDITS];
	PgvSameWatch same;
	PgvLoopWatch loop;
	PgvWalkWatch walk;
	PgvAcrossWatch across;
	PgvArrival	arrival;
	PgvCapture	capture;
} PgvWatch;

/* The state before pgv_nplusone_start; the rest of it is set when needed. */
static inline void
pgv_watch_clear(PgvWatch *watch)
{
	watch->watched = false;
	watch->tell = false;
	watch->ncredits = 0;
	watch->same.serial = 0;
	watch->loop.serial = 0;
	watch->loop.loop = 0;
	watch->loop.tell = false;
	watch->walk.serial = 0;
	watch->walk.walk = 0;
	watch->walk.tell = false;
	watch->across.npredicates = 0;
	watch->capture.serial = 0;
	watch->capture.burst = 0;
	watch->capture.rows = 0;
	watch->capture.want_checksum = false;
	watch->capture.growing = false;
	watch->capture.holds_text = false;
	watch->capture.known = NULL;
}

/*
 * A client's statement was started.  child: it may be a repeat (not so: a
 * cursor, which is not executed yet).
 * text_kept: the statistics of statements hold its text.  Needs the transaction of the query.
 * May raise what reading the catalog raises.
 */
extern void pgv_nplusone_start(PgvWatch *watch, QueryDesc *query,
							   const PgvStatementRef *ref,
							   const PgvArrival *arrival, bool child,
							   bool text_kept);

/*
 * It is about to run, wholly or (growing) in part.  Returns the receiver that
 * its rows are to be sent to.  Tells the session of a finding just made, as
 * n_plus_one_action asks: may raise ERROR VT001.
 */
extern DestReceiver *pgv_nplusone_run(PgvWatch *watch, QueryDesc *query,
									  const PgvStatementRef *ref, bool growing);

/*
 * It has run until now, using so much and giving so many rows in all its runs
 * so far.  "complete": to its end.  May tell, and raise, as above.
 */
extern void pgv_nplusone_ran(PgvWatch *watch, QueryDesc *query,
							 const PgvStatementRef *ref, const PgvUsage *usage,
							 uint64 rows, TimestampTz now, bool complete);

/* The statement writes to tables. */
extern void pgv_nplusone_wrote(QueryDesc *query);

/* Another statement of the client: whatever ran uninterrupted is over. */
extern void pgv_nplusone_interrupt(bool may_write);

/* The session begins anew (DISCARD ALL): forget all that is going on. */
extern void pgv_nplusone_forget(void);

#endif							/* PGV_NPLUSONE_H */
