/*-------------------------------------------------------------------------
 *
 * frame.h
 *	  What is kept of a query while it is being executed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_FRAME_H
#define PGV_FRAME_H

#include "postgres.h"

#include "executor/execdesc.h"
#include "portability/instr_time.h"
#include "utils/palloc.h"

#include "collect/execution.h"
#include "collect/nplusone.h"
#include "collect/resources.h"

/*
 * One query, from ExecutorStart until its memory goes.  It cannot be kept in
 * a static or on a stack: cursors and portals interleave.
 */
typedef struct PgvFrame
{
	struct PgvFrame *next;		/* open frames newest first, or free ones */
	QueryDesc  *query;			/* NULL when it has ended */
	bool		from_pool;
	bool		counted;		/* goes into the statements */
	bool		published;		/* its call has been counted */
	bool		leftover;		/* something to add since */
	bool		planned;		/* plan_ms is to be counted */
	const struct PgvMeasure *running;	/* while it runs; on the C stack */
	struct PgvSlow *slow;		/* in the query's memory; NULL: it has not taken long */
	MemoryContextCallback callback;
	PgvStatementRef statement;
	PgvPlanRef	plan;			/* valid if planid is not 0 */
	uint64		rows;			/* since it was last published */
	double		plan_ms;
	PgvUsage	usage;			/* likewise, since it was last published */
	PgvWatch	watch;			/* valid if watch.watched */
} PgvFrame;

/*
 * Where measuring began.  Those that are going on are chained, innermost first,
 * on the C stack: whoever begins one ends it, also when an error comes by.
 */
typedef struct PgvMeasure
{
	const struct PgvMeasure *outer;
	const PgvStatementRef *statement;	/* what is measured; NULL: not counted */
	QueryDesc  *query;			/* a run of the executor's; or NULL */
	instr_time	start;
	int64		blocks[PGV_NBLOCKS];
	WalUsage	wal;
	bool		timed;			/* is "times" set? */
	PgvReading	reading;		/* of the kernel, if it is to be read */
	BufferUsage times;			/* the block times at that moment */
} PgvMeasure;

/*
 * A frame for a query that has been started; it lives as long as the query's
 * memory context.  NULL without memory.  Raises nothing.
 */
extern PgvFrame *pgv_frame_open(QueryDesc *query);

/* The frame of a query, or NULL. */
extern PgvFrame *pgv_frame_of(QueryDesc *query);

/*
 * Begin and end measuring; the usage is added to what is there.  By chance the
 * kernel's counters are read, too, and go to the statement's resources: see
 * collect/resources.  Raise nothing.
 */
extern void pgv_measure_begin(PgvMeasure *measure, const PgvStatementRef *statement,
							  QueryDesc *query);
extern void pgv_measure_end(const PgvMeasure *measure, PgvUsage *usage);

/* Begin where measuring last ended. */
extern void pgv_measure_next(PgvMeasure *measure);

/*
 * Count what the frame has gathered, as one call or as more of it.  "query"
 * gives JIT and worker figures, NULL when it is gone.  Raises nothing.
 */
extern void pgv_frame_publish(PgvFrame *frame, QueryDesc *query,
							  PgvOutcome outcome);

/* Is there anything that pgv_frame_publish would count? */
static inline bool
pgv_frame_is_due(const PgvFrame *frame)
{
	return !frame->published || frame->leftover;
}

/*
 * The backend is being terminated, which no PG_TRY sees: count what runs as
 * failed, by an error with this SQLSTATE (0: by none).  Raises nothing.
 */
extern void pgv_frames_terminated(int sqlstate);

/* Private to the inline function below. */
extern TimestampTz pgv_measured;
extern TimestampTz pgv_measured_read(void);

/* The time of day of the last pgv_measure_end. */
static inline TimestampTz
pgv_measured_at(void)
{
	return pgv_measured != 0 ? pgv_measured : pgv_measured_read();
}

#endif							/* PGV_FRAME_H */
