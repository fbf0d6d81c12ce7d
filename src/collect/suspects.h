/*-------------------------------------------------------------------------
 *
 * suspects.h
 *	  Which executions have the rows of their plan's nodes counted?
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SUSPECTS_H
#define PGV_SUSPECTS_H

#include "postgres.h"

#include "executor/execdesc.h"

#define PGV_SUSPECTS 1024		/* power of two */
#define PGV_OFF_FACTOR 10.0		/* from here on an estimate is far off */

/* A place for the statements whose fingerprints end alike. */
typedef struct PgvSuspect
{
	uint64		fingerprint;	/* of the suspect; 0: there is none */
	uint32		left;			/* executions until the next that is counted */
} PgvSuspect;

/* Shared; no lock, see suspects.c. */
extern PgvSuspect *pgv_suspects;

extern Size pgv_suspects_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_suspects_shmem_init(void);

static inline PgvSuspect *
pgv_suspects_place(uint64 fingerprint)
{
	return &pgv_suspects[fingerprint & (PGV_SUSPECTS - 1)];
}

/* Private to the inline function below. */
extern bool pgv_suspects_turn(PgvSuspect *place);

/*
 * A statement is about to be started: are the rows of its nodes to be counted?
 * Of a suspect's executions, one of a fixed number are; of others', none.
 */
static inline bool
pgv_suspects_due(uint64 fingerprint)
{
	PgvSuspect *place = pgv_suspects_place(fingerprint);

	return unlikely(place->fingerprint == fingerprint) && pgv_suspects_turn(place);
}

/*
 * Does a query that is being executed read a large table to the end, to filter it?
 * Raises nothing.
 */
extern bool pgv_suspects_filters(QueryDesc *query);

/* A statement gives reason to be suspected. */
extern void pgv_suspects_mark(uint64 fingerprint);

/* Nobody is suspected any more. */
extern void pgv_suspects_reset(void);

/*
 * How far off is an estimate, as a factor of at least 1?  No rows count as one, for
 * the planner never estimates less.
 */
static inline double
pgv_off_factor(double estimated, double actual)
{
	double		e = Max(estimated, 1);
	double		a = Max(actual, 1);

	return a > e ? a / e : e / a;
}

#endif							/* PGV_SUSPECTS_H */
