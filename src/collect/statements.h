/*-------------------------------------------------------------------------
 *
 * statements.h
 *	  Per-statement counters, and what this backend knows of statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_STATEMENTS_H
#define PGV_STATEMENTS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "miscadmin.h"

#include "collect/buckets.h"
#include "collect/execution.h"
#include "collect/pending.h"
#include "store/store.h"

typedef struct PgvStatementKey
{
	Oid			dbid;
	Oid			userid;			/* 0 in residuals */
	uint64		fingerprint;	/* 0 in residuals */
	uint64		toplevel;		/* 0 or 1; wide, for there is no padding */
} PgvStatementKey;

/* Of a plan of a statement; also of the pending records of statements. */
typedef struct PgvPlanKey
{
	PgvStatementKey statement;
	uint64		planid;			/* 0: it has none; and in residuals */
} PgvPlanKey;

/* Durations in ms; the sum of squared deviations after Welford (1962). */
typedef struct PgvTiming
{
	double		total;
	double		min;
	double		max;
	double		mean;
	double		sum_var;
} PgvTiming;

/* Order of the JIT phases. */
typedef enum PgvJitPhase
{
	PGV_JIT_GENERATION,			/* counts functions */
	PGV_JIT_INLINING,
	PGV_JIT_OPTIMIZATION,
	PGV_JIT_EMISSION,
	PGV_JIT_DEFORMING,
	PGV_NJIT
} PgvJitPhase;

/*
 * Counters of a statement; plain sums unless said otherwise.  What every
 * statement has stands first; the rest is touched only where "resources"
 * says that there is something.
 */
typedef struct PgvStatementCounters
{
	bool		has_text;		/* holds a reference to the fingerprint's text */
	bool		resources;		/* is anything behind last_seen not zero? */
	uint64		queryid;		/* the last seen that is not 0 */
	int64		plans;
	int64		calls;
	PgvTiming	plan;
	PgvTiming	exec;
	int64		rows;
	int64		failures;
	int64		cancels;
	int64		timeouts;
	TimestampTz first_seen;
	TimestampTz last_seen;
	int64		blocks[PGV_NBLOCKS];
	double		block_ms[PGV_NBLOCKTIMES];
	int64		wal_records;
	int64		wal_fpi;
	uint64		wal_bytes;
	int64		wal_buffers_full;
	int64		jit_count[PGV_NJIT];
	double		jit_ms[PGV_NJIT];
	int64		workers_to_launch;
	int64		workers_launched;
	int64		generic_plans;
	int64		custom_plans;
} PgvStatementCounters;

typedef struct PgvStatementEntry
{
	PgvBuckets	buckets;		/* of executions; the tail is theirs */
	TimestampTz stats_since;	/* set by the store */
	PgvStatementCounters counters;
} PgvStatementEntry;

/*
 * A pending record has every bucket up to 131 ms, and pairs for a few of the others.
 * A record that has no room for a duration must go to the store, whose lock is
 * everybody's; so one that is seldom in the way of another has to have room.
 */
#define PGV_COMMON_BUCKETS (1 + 17 * PGV_HISTOGRAM_PER_OCTAVE)
#define PGV_PENDING_BUCKETS 6

/* What is counted of a plan by itself. */
typedef struct PgvPlanDelta
{
	uint64		text;			/* to which it holds a reference; 0: to none */
	double		startup_cost;	/* planned, when last executed */
	double		total_cost;
	double		rows;
	uint32		generic;		/* executions */
	uint32		custom;
} PgvPlanDelta;

/* A delta on its way to the store. */
typedef struct PgvStatementDelta
{
	uint64		fingerprint;	/* whose text it holds a reference to */
	uint16		end;			/* of what is in use of common */
	uint16		nbuckets;		/* pairs in use */
	uint16		bucket[PGV_PENDING_BUCKETS];
	uint32		count[PGV_PENDING_BUCKETS];
	PgvPlanDelta plan;			/* all zero where there is none */
	PgvStatementCounters counters;	/* the seldom used ones come last */
	uint16		common[PGV_COMMON_BUCKETS];
} PgvStatementDelta;

/* Is the delta so little that a full table may do without? */
extern bool pgv_statements_negligible(const void *delta);

extern const PgvKind pgv_kind_statements;
extern PgvPendingPart pgv_pending_statements;

/* Count one planning, or one execution.  Raises nothing. */
extern void pgv_statements_planned(const PgvStatementRef *ref,
								   const PgvUsage *usage);
extern void pgv_statements_executed(const PgvExecution *execution);

/* Is this the key of a residual entry, "<evicted>"? */
extern bool pgv_statements_is_residual(const void *key);

/* The key of a statement; of one left unknown, the residual's of its database. */
static inline void
pgv_statement_key(PgvStatementKey *key, const PgvStatementRef *ref)
{
	bool		unknown = unlikely(ref->fingerprint == 0);

	key->dbid = MyDatabaseId;
	key->userid = unknown ? InvalidOid : ref->userid;
	key->fingerprint = ref->fingerprint;
	key->toplevel = !unknown && ref->toplevel ? 1 : 0;
}

/* Has it an entry in the store?  Locks one partition, shared. */
extern bool pgv_statements_has(const PgvStatementRef *ref);

/*
 * Join two sets of moments.  n and m are the numbers of durations behind them,
 * both before the join.
 */
extern void pgv_timing_add(PgvTiming *into, int64 n, const PgvTiming *from, int64 m);

/* Add one set of counters to another. */
extern void pgv_statements_add(PgvStatementCounters *into,
							   const PgvStatementCounters *from);

/* Add an entry's histogram to an array of PGV_HISTOGRAM_BUCKETS. */
extern void pgv_statements_add_buckets(uint64 *buckets,
									   const PgvStatementEntry *from);

/* Add a delta's histogram to an entry's. */
extern void pgv_statements_merge_buckets(PgvBuckets *into, PgvBucketsTail *tail,
										 const PgvStatementDelta *delta);

#endif							/* PGV_STATEMENTS_H */
