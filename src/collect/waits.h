/*-------------------------------------------------------------------------
 *
 * waits.h
 *	  The kind "waits": where time was seen to go, by statement, phase and
 *	  wait event.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_WAITS_H
#define PGV_WAITS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "collect/now.h"
#include "store/store.h"

#define PGV_WAIT_TYPE_LEN 16
#define PGV_BACKEND_TYPE_LEN 32

/* In a class of the server's are the events whose number begins with it. */
#define PGV_WAIT_CLASS(event) ((uint8) ((event) >> 24))

typedef struct PgvWaitKey
{
	Oid			dbid;
	Oid			userid;			/* 0: a background process; 0 in residuals */
	uint64		fingerprint;	/* 0: no statement; 0 in residuals */
	uint64		application;	/* hash of the name; 0 in residuals */
	uint64		route;			/* 0: none; 0 in residuals */
	uint64		what;			/* hash of the names below; 0 in residuals */
	uint32		phase;			/* a PgvPhase; 0 in residuals */
	uint32		class;			/* of the wait event; 0: it does not wait */
} PgvWaitKey;

/* Bits of PgvWaitEntry.texts: the references that it holds. */
#define PGV_WAIT_QUERY 1
#define PGV_WAIT_ROUTE 2

/*
 * Both the entry of the store and a delta to it.  Events have names here, not
 * numbers: those of extensions are given anew at each start, and the server's
 * change from version to version.
 */
typedef struct PgvWaitEntry
{
	uint64		fingerprint;	/* as in the key, for the text */
	uint64		route;			/* likewise */
	uint64		queryid;		/* the last seen that is not 0 */
	int64		samples;
	double		ms;				/* that they stand for */
	double		squares;		/* sum of the squares of these, for the margin */
	double		blocked_ms;		/* that others waited for locks, and it was why */
	TimestampTz first_seen;
	TimestampTz last_seen;
	TimestampTz stats_since;	/* written by the store; not in a delta */
	uint8		texts;
	char		type[PGV_WAIT_TYPE_LEN];	/* of the event; stays in residuals */
	char		event[NAMEDATALEN];
	char		backend_type[PGV_BACKEND_TYPE_LEN];
	char		application[NAMEDATALEN];
} PgvWaitEntry;

extern const PgvKind pgv_kind_waits;

/*
 * Fill in the hashes of a key from the names in a delta, what the delta has of
 * the key, and as many references to texts as can be had.  Takes locks of
 * texts.
 */
extern void pgv_waits_complete(PgvWaitKey *key, PgvWaitEntry *delta);

/* As in the key. */
extern uint64 pgv_waits_application(const char *name);

/* Is this the key of a residual entry, "<other>"? */
extern bool pgv_waits_is_residual(const void *key);

/* Add one set of figures to another; the names and texts stay as they are. */
extern void pgv_waits_add(PgvWaitEntry *into, const PgvWaitEntry *from);

/* The name of a phase. */
extern const char *pgv_phase_name(uint32 phase);

/*
 * Half the width of the interval in which the time lies with a probability of
 * 95 %, in ms.  Each sample is taken for an event of a Poisson process that
 * stands for d ms: their sum has the variance sum(d^2).
 */
extern double pgv_waits_margin(double squares);

#endif							/* PGV_WAITS_H */
