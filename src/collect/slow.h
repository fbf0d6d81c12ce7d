/*-------------------------------------------------------------------------
 *
 * slow.h
 *	  Slow executions one by one: a ring, and lines in the server's log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SLOW_H
#define PGV_SLOW_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/execdesc.h"
#include "lib/stringinfo.h"

#include "base/settings.h"
#include "collect/execution.h"
#include "collect/trail.h"

#define PGV_SLOW_PARAMETERS 32	/* that are told of */
#define PGV_SLOW_NO_LENGTH (-1) /* NULL */
#define PGV_SLOW_UNKNOWN_LENGTH (-2)

/* Bits of PgvSlowRecord.texts: the references that it holds. */
#define PGV_SLOW_QUERY 1		/* fingerprint */
#define PGV_SLOW_ROUTE 2		/* route */
#define PGV_SLOW_PLAN 4			/* plan_text */
#define PGV_SLOW_VALUES 8		/* values_text */

typedef struct PgvSlowParameter
{
	Oid			type;
	int32		length;			/* bytes, or one of the above */
} PgvSlowParameter;

/* One execution. */
typedef struct PgvSlowRecord
{
	uint64		number;			/* in the order of their ends, from 1 on; 0: none */
	TimestampTz began;
	TimestampTz ended;
	uint64		fingerprint;
	uint64		queryid;
	uint64		planid;			/* 0: none */
	uint64		route;			/* 0: none */
	uint64		plan_text;
	uint64		values_text;
	double		exec_ms;
	double		plan_ms;		/* negative: not known */
	uint64		rows;
	int64		blocks[PGV_NBLOCKS];
	uint64		wal_bytes;
	int			pid;
	Oid			dbid;
	Oid			userid;
	int			sqlstate;		/* 0: it did not fail */
	bool		toplevel;
	bool		rows_counted;	/* the plan is its own, with actual rows */
	bool		looked_at;		/* by the sampler: the trail is valid */
	uint8		texts;
	int			nparameters;	/* -1: none are known */
	PgvSlowParameter parameters[PGV_SLOW_PARAMETERS];
	PgvTrail	trail;
	char		application[NAMEDATALEN];
} PgvSlowRecord;

/* Of a query that is being executed, and has taken long enough to be looked at. */
typedef struct PgvSlow
{
	PgvSlowRecord record;
	PgvTrailKey gathered;
	uint32		run;			/* of a nested one, that was gathered last */
	bool		torn;			/* not all of its waits are known */
} PgvSlow;

extern Size pgv_slow_shmem_size(void);
extern int	pgv_slow_locks(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_slow_shmem_init(void);

/* Is an execution of so many ms one to be recorded? */
static inline bool
pgv_slow_is(double ms)
{
	return pgv_slow_threshold_ms >= 0 && ms >= pgv_slow_threshold_ms;
}

/*
 * A query has been run (further), and has taken so many ms by now: gather what is
 * known only while it lasts, in memory of its own.  plan_ms: of the client's
 * statement; negative if it is not known.  left: collect/now has been told that it
 * is not executing any more.  Returns that memory, NULL without any.  Raises
 * nothing; takes no lock.
 */
extern PgvSlow *pgv_slow_gather(PgvSlow *slow, QueryDesc *query, const PgvStatementRef *ref,
								double ms, double plan_ms, bool left);

/* Likewise, of one that has failed, by an error with this SQLSTATE. */
extern PgvSlow *pgv_slow_failed(PgvSlow *slow, QueryDesc *query, const PgvStatementRef *ref,
								double ms, double plan_ms, bool left, int sqlstate);

/*
 * Likewise, when it has run to its end, what may take time and memory: the lengths
 * of its parameters and, if it is slow, their values and the plan with the rows that
 * were counted.  May raise a cancel and nothing else.  Takes locks of texts.
 */
extern void pgv_slow_describe(PgvSlow *slow, QueryDesc *query, bool rows_counted);

/*
 * An execution is counted: if it is slow, record it, and log it.  slow: what was
 * gathered; NULL of a statement that is no query.  sqlstate: of the error
 * that ended it; 0: none.  Raises nothing; takes a lock of this unit and locks of
 * texts.
 */
extern void pgv_slow_executed(const PgvExecution *e, PgvSlow *slow, int sqlstate);

/* What the sampler saw as a JSON array, what took most first.  Raises out of memory. */
extern void pgv_slow_write_trail(StringInfo out, const PgvTrail *trail);

/* ----- readers' ----- */

/* Called for a private copy of a record, with no lock held. */
typedef void (*PgvSlowCallback) (const PgvSlowRecord *record, void *arg);

/* Show every record, the oldest first.  Raises what the callback raises. */
extern void pgv_slow_scan(PgvSlowCallback callback, void *arg);

/* Executions recorded since the server started, and room for how many. */
extern uint64 pgv_slow_recorded(void);
extern int	pgv_slow_room(void);

typedef bool (*PgvSlowMatch) (const PgvSlowRecord *record, void *arg);

/*
 * Forget what matches; returns how many went.  The callback is called with a
 * lock held.
 */
extern uint64 pgv_slow_remove(PgvSlowMatch match, void *arg);

#endif							/* PGV_SLOW_H */
