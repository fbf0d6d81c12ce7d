/*-------------------------------------------------------------------------
 *
 * deadlocks.h
 *	  The kind "deadlocks": which statements waited for each other in a circle.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_DEADLOCKS_H
#define PGV_DEADLOCKS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "store/store.h"

#define PGV_DEADLOCK_PARTIES PGV_MAX_ENTRY_TEXTS	/* that are kept of one */

typedef struct PgvDeadlockKey
{
	Oid			dbid;			/* of who was cancelled */
	Oid			userid;			/* 0: of several roles */
	uint64		circle;			/* hash of statements and roles; 0 in residuals */
} PgvDeadlockKey;

/* One of those in the circle: it waited for the next, the last for the first. */
typedef struct PgvDeadlockParty
{
	uint64		fingerprint;	/* 0: not known */
	uint64		queryid;		/* the last seen that is not 0 */
	int64		victims;		/* how often it was the one to be cancelled */
	Oid			userid;
	/* the last time: */
	Oid			relation_dbid;	/* 0: shared */
	Oid			relation;		/* that was locked, or the row is of; 0: none */
	uint8		lock_type;		/* a LockTagType */
	uint8		lock_mode;		/* a LOCKMODE; 0: type and mode are not known */
	bool		has_text;		/* holds a reference to the fingerprint's text */
	char		application[NAMEDATALEN];
} PgvDeadlockParty;

/* Both the entry of the store and a delta to it. */
typedef struct PgvDeadlockEntry
{
	int64		deadlocks;
	uint32		parties;		/* in the circle */
	uint32		n;				/* of them in "party" */
	TimestampTz first_seen;
	TimestampTz last_seen;
	TimestampTz stats_since;	/* written by the store; not in a delta */
	PgvDeadlockParty party[PGV_DEADLOCK_PARTIES];
} PgvDeadlockEntry;

extern const PgvKind pgv_kind_deadlocks;

/*
 * Count a deadlock whose parties are filled in, but for "victims" and
 * "has_text"; the first is the one that is cancelled.  Takes locks of store and
 * texts.  Raises nothing, allocates nothing.
 */
extern void pgv_deadlocks_add(Oid dbid, PgvDeadlockEntry *deadlock);

/* Is this the key of a residual entry, "<other>"? */
extern bool pgv_deadlocks_is_residual(const void *key);

#endif							/* PGV_DEADLOCKS_H */
