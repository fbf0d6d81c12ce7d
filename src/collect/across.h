/*-------------------------------------------------------------------------
 *
 * across.h
 *	  What sessions tell each other of their results and lookups.
 *
 * A program that loads the rows of a result's children in parallel spreads
 * them over a pool of connections: no backend sees enough of it.  With
 * pg_vitals.n_plus_one_across_sessions each backend puts its last results and
 * point lookups where the background worker can read them, which looks at all
 * of them together (collect/across_judge).
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ACROSS_H
#define PGV_ACROSS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "collect/execution.h"
#include "collect/producers.h"
#include "collect/signs.h"

#define PGV_ACROSS_LOOKUPS 64	/* of a slot; power of two */
#define PGV_ACROSS_RESULTS 4
#define PGV_ACROSS_CELLS 256	/* hashes of one result */
#define PGV_ACROSS_PREDICATES 3

/* A point lookup: an execution of a SELECT with "column = value". */
typedef struct PgvLookup
{
	uint64		fingerprint;
	uint64		queryid;
	TimestampTz begin;			/* its arrival */
	float		exec_ms;
	float		plan_ms;
	float		wait_ms;		/* since the end of what this session did before */
	uint32		rows;
	uint32		blocks_hit;
	uint32		blocks_read;
	PgvPredicate predicates[PGV_ACROSS_PREDICATES];
	uint8		npredicates;
	bool		pipelined;
	bool		explained;		/* by a finding of its own session */
} PgvLookup;

/* A result of several rows, column after column. */
typedef struct PgvSharedResult
{
	uint64		fingerprint;
	uint64		queryid;
	uint64		rows;			/* in all */
	TimestampTz begin;			/* arrival of the statement */
	TimestampTz end;
	bool		looked_up;		/* by a point lookup */
	int			sampled;		/* rows remembered */
	int			ncolumns;
	PgvColumn	columns[PGV_RESULT_COLUMNS];
	uint32		hashes[PGV_ACROSS_CELLS];	/* columns * sampled */
} PgvSharedResult;

/* Whose results and lookups they are, without padding. */
typedef struct PgvGroup
{
	Oid			dbid;
	Oid			userid;
	uint64		address;		/* hash of the client's */
	char		application[NAMEDATALEN];
} PgvGroup;

typedef struct PgvSharer
{
	PgvGroup	group;
	uint64		first_lookup;	/* its first one in the slot */
	uint64		first_result;
} PgvSharer;

/* What one backend tells. */
typedef struct PgvAcrossSlot
{
	uint32		changes;		/* odd while it is being written */
	uint64		heard;			/* lookups the worker has read; it writes this */
	uint64		lookups;		/* ever written to this slot; ring */
	uint64		results;		/* likewise */
	PgvSharer	sharers[2];		/* who writes now, and who did before */
	PgvSharedResult result[PGV_ACROSS_RESULTS];
	PgvLookup	lookup[PGV_ACROSS_LOOKUPS];
} PgvAcrossSlot;

/* What is kept of a lookup while it runs; part of the detector's watch. */
typedef struct PgvAcrossWatch
{
	int			npredicates;	/* 0: not to be told */
	PgvPredicate predicates[PGV_ACROSS_PREDICATES];
} PgvAcrossWatch;

extern Size pgv_across_shmem_size(void);

/* The caller holds AddinShmemInitLock.  Draws the key of all hashes. */
extern void pgv_across_shmem_init(void);

/* ----- what backends tell; raises nothing, takes no lock ----- */

/* A SELECT with these predicates is about to run. */
extern void pgv_across_note(PgvAcrossWatch *watch, const PgvPredicate *predicates,
							int n);

/* It has run.  explained: a finding of this session has it already. */
extern void pgv_across_lookup(const PgvAcrossWatch *watch,
							  const PgvStatementRef *ref,
							  const PgvArrival *arrival, const PgvUsage *usage,
							  uint64 rows, bool explained);

/* A result of several rows is complete. */
extern void pgv_across_result(const PgvResult *result,
							  const PgvStatementRef *ref,
							  const PgvArrival *arrival, TimestampTz end,
							  bool looked_up);

/* The last n lookups of a statement turn out to be part of a finding. */
extern void pgv_across_explained(uint64 fingerprint, int64 n);

/* ----- what the worker reads ----- */

extern int	pgv_across_slots(void);

/* Wake this process when a slot fills up, from now on. */
extern void pgv_across_attend(void);

/* Has one filled up since then? */
extern bool pgv_across_hurries(void);

/*
 * Copy a slot if it has changed since *changes, which is kept up to date.
 * Returns false if it has not, or if its owner keeps writing: later, then.
 */
extern bool pgv_across_read(int slot, uint32 *changes, PgvAcrossSlot *copy);

/* Is a lookup, by its number, by now known to be part of a finding? */
extern bool pgv_across_is_explained(int slot, uint64 number);

#endif							/* PGV_ACROSS_H */
