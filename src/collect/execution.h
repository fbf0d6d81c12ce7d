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
#include "collect/planid.h"

/* How an execution ended. */
typedef enum PgvOutcome
{
	PGV_OUTCOME_DONE,
	PGV_OUTCOME_FAILED,			/* an error */
	PGV_OUTCOME_CANCELLED,		/* by a person or a program */
	PGV_OUTCOME_TIMED_OUT		/* statement_timeout or lock_timeout */
} PgvOutcome;

/* The block counters, in the order in which BufferUsage begins. */
typedef enum PgvBlocks
{
	PGV_SHARED_HIT,
	PGV_SHARED_READ,
	PGV_SHARED_DIRTIED,
	PGV_SHARED_WRITTEN,
	PGV_LOCAL_HIT,
	PGV_LOCAL_READ,
	PGV_LOCAL_DIRTIED,
	PGV_LOCAL_WRITTEN,
	PGV_TEMP_READ,
	PGV_TEMP_WRITTEN,
	PGV_NBLOCKS
} PgvBlocks;

/* Order of the block times, ms. */
typedef enum PgvBlockTimes
{
	PGV_SHARED_READ_MS,
	PGV_SHARED_WRITE_MS,
	PGV_LOCAL_READ_MS,
	PGV_LOCAL_WRITE_MS,
	PGV_TEMP_READ_MS,
	PGV_TEMP_WRITE_MS,
	PGV_NBLOCKTIMES
} PgvBlockTimes;

/*
 * What it used: differences over the measured time.  Most statements of the
 * fastest kind use no blocks and no WAL: those fields are not even zeroed.
 * Kept small, for every statement touches it: the block times, which only
 * track_io_timing fills, stand at the end.
 */
typedef struct PgvUsage
{
	double		time_ms;
	bool		any_blocks;		/* are blocks and wal set? */
	bool		any_times;		/* are block_ms? */
	int64		blocks[PGV_NBLOCKS];
	WalUsage	wal;
	double		block_ms[PGV_NBLOCKTIMES];
} PgvUsage;

static inline void
pgv_usage_clear(PgvUsage *usage)
{
	usage->time_ms = 0;
	usage->any_blocks = usage->any_times = false;
}

/* Blocks of one kind that it used. */
static inline int64
pgv_usage_blocks(const PgvUsage *usage, PgvBlocks which)
{
	return usage->any_blocks ? usage->blocks[which] : 0;
}

typedef struct PgvExecution
{
	const PgvStatementRef *statement;
	PgvPlanRef *plan;			/* or NULL: it has none */
	const PgvUsage *usage;
	uint64		rows;
	PgvOutcome	outcome;
	bool		again;			/* more of an execution already counted */
	bool		planned;		/* it was planned for this execution ... */
	double		plan_ms;		/* ... for so long, without using blocks */
	const JitInstrumentation *jit;	/* or NULL */
	int			workers_to_launch;
	int			workers_launched;
	int			generic_plan;	/* 1, 0, or -1: not known */
} PgvExecution;

#endif							/* PGV_EXECUTION_H */
