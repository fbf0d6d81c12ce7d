/*-------------------------------------------------------------------------
 *
 * routes.h
 *	  The kind "routes": what the places in an application that its comment
 *	  tags name cost together.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ROUTES_H
#define PGV_ROUTES_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/distinct.h"
#include "collect/buckets.h"
#include "collect/execution.h"
#include "collect/pending.h"
#include "store/store.h"

typedef struct PgvRouteKey
{
	Oid			dbid;
	Oid			userid;			/* 0 in residuals */
	uint64		application;	/* hash of the name; 0 in residuals */
	uint64		route;			/* PgvStatementRef.route; 0 in residuals */
} PgvRouteKey;

/* Plain sums unless said otherwise. */
typedef struct PgvRouteCounters
{
	bool		has_text;		/* holds a reference to the route's text */
	int64		calls;
	int64		failures;
	int64		rows;
	int64		bursts;			/* of findings that are not just suspected */
	double		total_ms;
	double		min_ms;			/* of calls, if there are any */
	double		max_ms;
	TimestampTz first_seen;
	TimestampTz last_seen;
	PgvDistinct statements;		/* fingerprints */
} PgvRouteCounters;

/* An entry of the store. */
typedef struct PgvRouteEntry
{
	PgvBuckets	buckets;		/* of calls; the tail is theirs */
	TimestampTz stats_since;	/* set by the store */
	PgvRouteCounters counters;
	char		application[NAMEDATALEN];
} PgvRouteEntry;

/*
 * A delta on its way to the store.  A route's statements take very different
 * times: it has all buckets.
 */
typedef struct PgvRouteDelta
{
	PgvRouteCounters counters;
	uint64		route;			/* whose text it holds a reference to */
	char		application[NAMEDATALEN];
	PgvBucketsDelta buckets;
} PgvRouteDelta;

extern const PgvKind pgv_kind_routes;
extern PgvPendingPart pgv_pending_routes;

/* Count an execution whose statement has a route.  Raises nothing. */
extern void pgv_routes_executed(const PgvExecution *execution);

/*
 * Something was found in a statement: count it under its route, if it has one,
 * or else (it is nested) under that of the client's present statement.  Raises
 * nothing.  The caller holds no lock of pending.
 */
extern void pgv_routes_found(const PgvStatementRef *ref);

/*
 * The name of the session's application, good until the next call, and a hash of
 * it that is never 0.
 */
extern const char *pgv_routes_application(uint64 *hash);

/* Can this, from a file, be the text of a route?  As PgvKind.fits. */
extern bool pgv_routes_fits(const void *entry, uint64 id, const char *text, int len,
							int encoding);

/* Is this the key of a residual entry, "<other>"? */
extern bool pgv_routes_is_residual(const void *key);

/* Add one set of counters to another; the text stays where it is. */
extern void pgv_routes_add(PgvRouteCounters *into, const PgvRouteCounters *from);

/* Add an entry's histogram to an array of PGV_HISTOGRAM_BUCKETS. */
extern void pgv_routes_add_buckets(uint64 *buckets, const PgvRouteEntry *from);

#endif							/* PGV_ROUTES_H */
