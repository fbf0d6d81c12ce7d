/*-------------------------------------------------------------------------
 *
 * findings.h
 *	  The kind "findings": repeated-statement patterns, added up over bursts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_FINDINGS_H
#define PGV_FINDINGS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "collect/identity.h"
#include "store/store.h"

typedef enum PgvFindingKind
{
	PGV_FINDING_N_PLUS_ONE,
	PGV_FINDING_DUPLICATE
} PgvFindingKind;

/* Ascending: the strongest seen stands. */
typedef enum PgvConfidence
{
	PGV_LIKELY,
	PGV_PROVEN
} PgvConfidence;

typedef struct PgvFindingKey
{
	Oid			dbid;
	Oid			userid;
	uint64		kind;
	uint64		fingerprint;
	uint64		parent_fingerprint; /* 0: no parent */
	uint64		application;	/* hash of the name */
} PgvFindingKey;

/* Which texts an entry (or a delta) holds references to. */
#define PGV_FINDING_TEXT		0x01	/* of the fingerprint */
#define PGV_FINDING_PARENT		0x02	/* of the parent's fingerprint */
#define PGV_FINDING_LINK		0x04
#define PGV_FINDING_SUGGESTION	0x08

/* Both the entry of the store and a delta to it. */
typedef struct PgvFinding
{
	uint64		fingerprint;	/* as in the key, for the texts */
	uint64		parent_fingerprint;
	uint64		queryid;		/* the last seen; 0 where there is none */
	uint64		parent_queryid;
	uint64		link;			/* id of a text, 0: none */
	uint64		suggestion;		/* id of a text, 0: none */
	uint32		texts;			/* PGV_FINDING_... */
	int32		confidence;
	int64		bursts;
	int64		repeats;
	int64		max_repeats;
	int64		distinct;		/* most parameters in one burst */
	int64		rows;
	int64		blocks_hit;
	int64		blocks_read;
	double		exec_ms;
	double		plan_ms;
	double		wait_ms;
	double		min_wait_ms;	/* of single waits; negative: none yet */
	TimestampTz first_seen;
	TimestampTz last_seen;
	char		application[NAMEDATALEN];
} PgvFinding;

extern const PgvKind pgv_kind_findings;

/*
 * Add to a finding of the current role, database and application.  On the
 * first report of a burst, child and parent (NULL: none) bring the texts, and
 * link and suggestion are theirs (NULL: none); later reports pass NULLs.
 * Raises nothing.  Takes locks of store and texts.
 */
extern void pgv_findings_report(PgvFindingKind kind, PgvFinding *delta,
								const PgvStatementRef *child,
								const char *link, const char *suggestion);

/* The names of the enumerations, as the views show them. */
extern const char *pgv_finding_kind_name(uint64 kind);
extern const char *pgv_confidence_name(int32 confidence);

#endif							/* PGV_FINDINGS_H */
