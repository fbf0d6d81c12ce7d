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

#include "collect/execution.h"
#include "collect/recent.h"
#include "store/store.h"

typedef enum PgvFindingKind
{
	PGV_FINDING_N_PLUS_ONE,
	PGV_FINDING_DUPLICATE,
	PGV_FINDING_WRITE,			/* n_plus_one_write */
	PGV_FINDING_WALK,			/* recursive_walk */
	PGV_FINDING_SPI_LOOP,
	PGV_FINDING_PER_ROW			/* function_per_row */
} PgvFindingKind;

#define PGV_FINDING_KINDS (PGV_FINDING_PER_ROW + 1)

/* Ascending: the strongest seen stands. */
typedef enum PgvConfidence
{
	PGV_SUSPECTED,
	PGV_LIKELY,
	PGV_PROVEN
} PgvConfidence;

/* In which order the rows of the parent were walked. */
typedef enum PgvWalkOrder
{
	PGV_ORDER_NONE,				/* there are no rows, or none was known */
	PGV_ORDER_ASCENDING,
	PGV_ORDER_DESCENDING,
	PGV_ORDER_MIXED
} PgvWalkOrder;

/*
 * Waits are counted by halves of octaves, from below 11 us to above 370 ms, so
 * that their percentiles can be told.
 */
#define PGV_WAIT_BUCKETS 32

/* What repeats add up to; of a burst, what was not reported yet. */
typedef struct PgvTally
{
	int64		repeats;
	int64		rows;
	int64		blocks_hit;
	int64		blocks_read;
	double		exec_ms;
	double		plan_ms;
	double		wait_ms;
	double		lock_ms;		/* from repeat to repeat, in a transaction that wrote */
	double		min_wait_ms;	/* of single waits; negative: none yet */
	uint16		waits[PGV_WAIT_BUCKETS];
} PgvTally;

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
#define PGV_FINDING_TAGS		0x10

/* Both the entry of the store and a delta to it. */
typedef struct PgvFinding
{
	uint64		fingerprint;	/* as in the key, for the texts */
	uint64		parent_fingerprint;
	uint64		queryid;		/* the last seen; 0 where there is none */
	uint64		parent_queryid;
	uint64		link;			/* id of a text, 0: none */
	uint64		suggestion;		/* id of a text, 0: none */
	uint64		tags;			/* likewise: JSON, of the last burst */
	uint32		texts;			/* PGV_FINDING_... */
	int32		confidence;
	int64		bursts;
	int64		max_repeats;
	int64		distinct;		/* most parameters in one burst */
	PgvTally	tally;			/* its waits: of a delta only */
	uint32		waits[PGV_WAIT_BUCKETS];	/* of an entry only */
	/* evidence, of the last burst */
	int64		parent_rows;	/* rows of the parent's result; 0: no parent */
	int64		rows_touched;	/* distinct rows of it credited */
	int32		order;			/* PgvWalkOrder */
	int32		lineage;		/* PgvLinkType */
	int64		in_transaction; /* bursts that one transaction held together */
	int32		connections;	/* that the repeats came over; 0: one */
	TimestampTz stats_since;	/* of an entry only; set by the store */
	TimestampTz first_seen;
	TimestampTz last_seen;
	char		application[NAMEDATALEN];
} PgvFinding;

extern const PgvKind pgv_kind_findings;

/* What the first report of a burst says in words; NULL: nothing. */
typedef struct PgvFindingWords
{
	const char *link;
	const char *suggestion;
} PgvFindingWords;

/*
 * Add to a finding of the current role, database and application.  On the
 * first report of a burst (delta->bursts > 0), child and parent bring their
 * texts, "words" and the client's tags come with it; later reports pass NULL.
 * "recent" belongs to the burst, all zero at first.  Raises nothing.  Takes
 * locks of pending, store, texts and recent, one after the other.
 */
extern void pgv_findings_report(PgvFindingKind kind, PgvFinding *delta,
								const PgvStatementRef *child,
								const PgvFindingWords *words,
								PgvRecent *recent);

/*
 * The same for another session: delta says when it was first and last seen.
 * For who has no session itself.
 */
extern void pgv_findings_report_for(Oid dbid, Oid userid, const char *application,
									PgvFindingKind kind, PgvFinding *delta,
									const PgvFindingWords *words);

/* An empty tally. */
extern void pgv_tally_clear(PgvTally *tally);

/* Count one repeat that came after so long a wait. */
extern void pgv_tally_repeat(PgvTally *tally, double wait_ms, double plan_ms);

/* Add what one execution used. */
extern void pgv_tally_usage(PgvTally *tally, const PgvUsage *usage, uint64 rows);

/* Add all that was counted there. */
extern void pgv_tally_add(PgvTally *into, const PgvTally *from);

/*
 * The wait that a share q of an entry's waits did not exceed, in ms, to a
 * fifth of it (nearest rank); negative where there were none.
 */
extern double pgv_finding_wait(const PgvFinding *finding, double q);

/* The names of the enumerations, as the views show them. */
extern const char *pgv_finding_kind_name(uint64 kind);
extern const char *pgv_confidence_name(int32 confidence);
extern const char *pgv_walk_order_name(int32 order);

#endif							/* PGV_FINDINGS_H */
