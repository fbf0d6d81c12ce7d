/*-------------------------------------------------------------------------
 *
 * execution.h
 *	  PgvExecution: what one execution (or planning) tells the collectors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_EXECUTION_H
#define PGV_EXECUTION_H

#include "postgres.h"

#include "executor/instrument.h"
#include "jit/jit.h"

#include "collect/identity.h"

/* How an execution ended. */
typedef enum PgvOutcome
{
	PGV_OUTCOME_DONE,
	PGV_OUTCOME_FAILED,			/* an error */
	PGV_OUTCOME_CANCELLED,		/* by a person or a program */
	PGV_OUTCOME_TIMED_OUT		/* statement_timeout or lock_timeout */
} PgvOutcome;

/*
 * What it used: differences over the measured time.  Most statements of the
 * fastest kind use no blocks and no WAL: those fields are not even zeroed.
 */
typedef struct PgvUsage
{
	double		time_ms;
	bool		any_buffers;	/* are buffers and wal set? */
	BufferUsage buffers;
	WalUsage	wal;
} PgvUsage;

static inline void
pgv_usage_clear(PgvUsage *usage)
{
	usage->time_ms = 0;
	usage->any_buffers = false;
}

typedef struct PgvExecution
{
	const PgvStatementRef *statement;
	const PgvUsage *usage;
	uint64		rows;
	PgvOutcome	outcome;
	bool		again;			/* more of an execution already counted */
	const JitInstrumentation *jit;	/* or NULL */
	int			workers_to_launch;
	int			workers_launched;
	int			generic_plan;	/* 1, 0, or -1: not known */
} PgvExecution;

#endif							/* PGV_EXECUTION_H */
