/*-------------------------------------------------------------------------
 *
 * nodes.h
 *	  The kind "misestimates": plan nodes whose estimates were far off.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_NODES_H
#define PGV_NODES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/execdesc.h"

#include "collect/identity.h"
#include "store/store.h"

#define PGV_NODE_TYPE_LEN 32

/* Stored in the statistics file: the numbers stay. */
typedef enum PgvDirection
{
	PGV_UNDERESTIMATED = 1,
	PGV_OVERESTIMATED = 2
} PgvDirection;

typedef struct PgvMisestimateKey
{
	Oid			dbid;
	Oid			userid;
	uint64		fingerprint;
	uint64		planid;
	uint32		node;			/* its number in the plan */
	uint32		direction;		/* a PgvDirection */
} PgvMisestimateKey;

/* Rows of a node, per loop. */
typedef struct PgvEstimate
{
	double		estimated;
	double		actual;
	double		factor;
	double		loops;
} PgvEstimate;

/* Both the entry of the store and a delta to it. */
typedef struct PgvMisestimate
{
	uint64		queryid;		/* the last seen that is not 0 */
	uint64		relation;		/* text to which it holds a reference; 0: none */
	int64		seen;
	PgvEstimate last;
	PgvEstimate worst;
	bool		inherited;		/* when it was last seen */
	TimestampTz first_seen;
	TimestampTz last_seen;
	TimestampTz stats_since;	/* written by the store; not in a delta */
	char		node_type[PGV_NODE_TYPE_LEN];
} PgvMisestimate;

extern const PgvKind pgv_kind_misestimates;

/* The rows of its nodes were counted, by us or by somebody else. */
extern bool pgv_nodes_counted(QueryDesc *query);

/*
 * A query whose rows were counted has run to its end: note the nodes whose
 * estimates were far off.  Returns whether there were any.  May raise a cancel and
 * nothing else.  Takes locks of store and texts.
 */
extern bool pgv_nodes_judge(QueryDesc *query, const PgvStatementRef *ref, uint64 planid);

#endif							/* PGV_NODES_H */
