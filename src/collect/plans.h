/*-------------------------------------------------------------------------
 *
 * plans.h
 *	  The kind "plans": executions by statement and plan.
 *
 * Nothing is counted by itself: a pending record is of a statement and a plan,
 * and is merged into both kinds (see collect/pending).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PLANS_H
#define PGV_PLANS_H

#include "postgres.h"

#include "collect/statements.h"

typedef struct PgvPlanCounters
{
	uint64		queryid;		/* the last seen that is not 0 */
	int64		calls;
	PgvTiming	exec;
	int64		rows;
	int64		failures;
	int64		generic;
	int64		custom;
	int64		blocks[PGV_NBLOCKS];
	double		startup_cost;	/* as planned, when it was last seen */
	double		total_cost;
	double		planned_rows;
	TimestampTz first_seen;
	TimestampTz last_seen;
} PgvPlanCounters;

typedef struct PgvPlanEntry
{
	PgvBuckets	buckets;		/* of executions; the tail is theirs */
	TimestampTz stats_since;	/* set by the store */
	uint64		text;			/* to which it holds a reference; 0: to none */
	PgvPlanCounters counters;
} PgvPlanEntry;

extern const PgvKind pgv_kind_plans;

/* Is this the key of a residual entry, "<evicted>"? */
extern bool pgv_plans_is_residual(const void *key);

/* Add one set of counters to another. */
extern void pgv_plans_add(PgvPlanCounters *into, const PgvPlanCounters *from);

/* Add an entry's histogram to an array of PGV_HISTOGRAM_BUCKETS. */
extern void pgv_plans_add_buckets(uint64 *buckets, const PgvPlanEntry *from);

#endif							/* PGV_PLANS_H */
