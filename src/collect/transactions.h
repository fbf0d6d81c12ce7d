/*-------------------------------------------------------------------------
 *
 * transactions.h
 *	  The kind "transactions": what transactions of several statements cost, by
 *	  the sequence of their statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_TRANSACTIONS_H
#define PGV_TRANSACTIONS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/instrument.h"
#include "nodes/parsenodes.h"

#include "base/shape.h"
#include "collect/buckets.h"
#include "collect/identity.h"
#include "collect/pending.h"
#include "store/store.h"

typedef struct PgvTransactionKey
{
	Oid			dbid;
	Oid			userid;			/* 0 in residuals */
	uint64		application;	/* hash of the name; 0 in residuals */
	uint64		route;			/* of the first statement that has one; 0: none */
	uint64		shape;			/* 0 in residuals */
} PgvTransactionKey;

/* What happened to rows, as far as the client's statements tell. */
typedef enum PgvRowsWere
{
	PGV_ROWS_READ,
	PGV_ROWS_WRITTEN,
	PGV_ROWS_LOCKED,			/* and read, or written */
	PGV_NROWS
} PgvRowsWere;

/* Plain sums unless said otherwise. */
typedef struct PgvTransactionCounters
{
	bool		has_text;		/* holds a reference to the route's text */
	int64		committed;
	int64		rolled_back;
	int64		prepared;
	int64		failures;		/* of those rolled back: not asked for */
	int64		statements;
	int64		max_statements;
	int64		rows[PGV_NROWS];
	int64		wal_records;
	int64		wal_fpi;
	int64		wal_bytes;
	double		total_ms;
	double		min_ms;			/* if there are any */
	double		max_ms;
	double		idle_ms;		/* of total: between its statements */
	double		commit_ms;		/* of total */
	TimestampTz longest;		/* when the one of max_ms began */
	TimestampTz first_seen;
	TimestampTz last_seen;
} PgvTransactionCounters;

/* Its statements, repetitions left out; the shape is their hash. */
typedef struct PgvTransactionSteps
{
	uint64		first[PGV_SHAPE_FIRST];
	uint64		length;
} PgvTransactionSteps;

/* An entry of the store. */
typedef struct PgvTransactionEntry
{
	PgvBuckets	buckets;		/* of durations; the tail is theirs */
	TimestampTz stats_since;	/* written by the store */
	PgvTransactionCounters counters;
	PgvTransactionSteps steps;
	char		application[NAMEDATALEN];
} PgvTransactionEntry;

/* A delta on its way to the store. */
typedef struct PgvTransactionDelta
{
	PgvTransactionCounters counters;
	uint64		route;			/* whose text it holds a reference to */
	PgvTransactionSteps steps;
	char		application[NAMEDATALEN];
	PgvBucketsDelta buckets;
} PgvTransactionDelta;

extern const PgvKind pgv_kind_transactions;
extern PgvPendingPart pgv_pending_transactions;

/*
 * The transaction at hand, for all to see.  Only its backend writes to it; each
 * field is a word, and what "start" says tells which transaction it is of.
 */
typedef struct PgvTransactionNow
{
	int			pid;			/* whose it is; 0: nobody's yet */
	TimestampTz start;			/* as in pg_stat_activity; 0: there is none */
	int64		statements;
	int64		rows[PGV_NROWS];
	int64		idle_us;		/* between its statements so far */
} PgvTransactionNow;

/* What else this backend knows of it. */
typedef struct PgvTransaction
{
	bool		open;
	bool		block;			/* the client has sent BEGIN */
	bool		asked;			/* ... and ROLLBACK */
	bool		chain;			/* its end begins the next */
	bool		missed;			/* not all of it was seen */
	bool		roles;			/* its statements were of several roles */
	Oid			userid;
	uint64		route;
	TimestampTz commit_start;
	WalUsage	wal;			/* when it began */
	PgvTransactionNow *now;		/* in shared memory, or all there is */
	PgvSequence	shape;
} PgvTransaction;

extern PgvTransaction pgv_transaction;

extern Size pgv_transactions_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_transactions_shmem_init(void);

/* ----- what the hooks tell; raises nothing ----- */

/* Private to the inline function below. */
extern void pgv_transactions_next(const PgvStatementRef *ref);

/* The client's next statement, which is counted, begins to execute. */
static inline void
pgv_transactions_statement(const PgvStatementRef *ref)
{
	PgvTransaction *x = &pgv_transaction;

	/* a pipeline of the same statement; its role and route are the same, too */
	if (x->open && pgv_shape_repeats(&x->shape, ref->fingerprint) &&
		likely(x->userid == ref->userid))
		x->now->statements++;
	else
		pgv_transactions_next(ref);
}

/* It has read, written or locked so many rows. */
static inline void
pgv_transactions_rows(PgvRowsWere which, uint64 rows)
{
	if (likely(pgv_transaction.open))
		pgv_transaction.now->rows[which] += (int64) rows;
}

/* Part of the transaction at hand is not looked at: it is not known whole. */
static inline void
pgv_transactions_miss(void)
{
	pgv_transaction.missed = true;
	pgv_transaction.now->start = 0;
}

/* The client sends something, so long after the end of its last statement. */
static inline void
pgv_transactions_idle(int64 us)
{
	if (pgv_transaction.open && us > 0)
		pgv_transaction.now->idle_us += us;
}

/* BEGIN, COMMIT, SAVEPOINT and the like, sent by the client, is to be executed. */
extern void pgv_transactions_control(const TransactionStmt *stmt,
									 const PgvStatementRef *ref);

/*
 * The commit begins.  asked_at: when the COMMIT, or the last statement before it,
 * was done; 0: it is now.  idle_since: it has been idle from then to now; 0: not.
 */
extern void pgv_transactions_committing(TimestampTz asked_at, TimestampTz idle_since);

typedef enum PgvTransactionEnd
{
	PGV_COMMITTED,
	PGV_ROLLED_BACK,
	PGV_PREPARED
} PgvTransactionEnd;

/*
 * The transaction is over: count it, if it was a block or had several statements.
 * Returns the time, or 0 if the clock was not asked.  Takes the lock of the
 * backend's pending slot, and locks of texts.
 */
extern TimestampTz pgv_transactions_ended(PgvTransactionEnd how);

/* It is over, and nobody is to know. */
extern void pgv_transactions_forget(void);

/* ----- readers ----- */

/*
 * Copy what process "pid" says of its transaction that began at "start".  Returns
 * false if it says nothing of that.
 */
extern bool pgv_transactions_read(int slot, int pid, TimestampTz start,
								  PgvTransactionNow *copy);

/* Is this the key of a residual entry, "<other>"? */
extern bool pgv_transactions_is_residual(const void *key);

/* Add one set of counters to another; the text stays where it is. */
extern void pgv_transactions_add(PgvTransactionCounters *into,
								 const PgvTransactionCounters *from);

/* Transactions in a set of counters. */
static inline int64
pgv_transactions_calls(const PgvTransactionCounters *c)
{
	return c->committed + c->rolled_back + c->prepared;
}

/* Add an entry's histogram to an array of PGV_HISTOGRAM_BUCKETS. */
extern void pgv_transactions_add_buckets(uint64 *buckets,
										 const PgvTransactionEntry *from);

#endif							/* PGV_TRANSACTIONS_H */
