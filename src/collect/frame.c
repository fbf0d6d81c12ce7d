/*-------------------------------------------------------------------------
 *
 * frame.c
 *	  Frames of queries being executed, and measuring.
 *
 * Frames come from a small static pool (deep recursion takes more from
 * TopMemoryContext) and stand in a list, newest first, where the one asked for
 * is nearly always the first.  A reset callback on the query's own memory
 * context takes a frame back; it also runs when a transaction fails and
 * ExecutorEnd never comes.  By then the plan and the text may be gone, so a
 * frame holds by value whatever counting needs.
 *
 * An execution is published when it is complete, not when its portal is
 * closed: in the extended protocol that happens with the next message, which
 * may be long in coming.  What follows (more fetches of a scrolled cursor) is
 * published as more of the same call.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "executor/execdesc.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/server.h"
#include "collect/errors.h"
#include "collect/frame.h"
#include "collect/newcomers.h"
#include "collect/routes.h"
#include "collect/slow.h"
#include "collect/statements.h"

#define PGV_FRAME_POOL 32
#define PGV_CLOCK_TRIES 5
#define PGV_CLOCK_QUICK_US 3

static PgvFrame pool[PGV_FRAME_POOL];
static int	pool_used = 0;		/* frames of the pool ever handed out */
static PGV_HOT_DATA PgvFrame *free_frames = NULL;
static PGV_HOT_DATA PgvFrame *open_frames = NULL;

static PGV_HOT_DATA instr_time measured_end;
PGV_HOT_DATA TimestampTz pgv_measured = 0;	/* the same as time of day; 0: not asked yet */
static PGV_HOT_DATA const PgvMeasure *innermost = NULL;

static pg_attribute_cold PgvFrame *
allocate_frame(void)
{
	PgvFrame   *frame = MemoryContextAllocExtended(TopMemoryContext, sizeof(PgvFrame),
												   MCXT_ALLOC_NO_OOM);

	if (frame != NULL)
		frame->from_pool = false;
	return frame;
}

static PgvFrame *
take_frame(void)
{
	PgvFrame   *frame = free_frames;

	if (likely(frame != NULL))
	{
		free_frames = frame->next;
		return frame;
	}
	if (pool_used < PGV_FRAME_POOL)
	{
		frame = &pool[pool_used++];
		frame->from_pool = true;
		return frame;
	}
	return allocate_frame();
}

/* The query's memory goes: take the frame out of the list and back. */
static pg_attribute_hot void
close_frame(void *arg)
{
	PgvFrame   *frame = arg;
	PgvFrame  **link = &open_frames;

	if (unlikely(frame->query != NULL))
	{
		frame->statement.source = NULL;
		pgv_frame_publish(frame, NULL, PGV_OUTCOME_DONE);
		frame->query = NULL;
	}
	if (frame->watch.watched)
		pgv_capture_over(&frame->watch.capture);
	while (*link != NULL && *link != frame)
		link = &(*link)->next;
	if (*link == frame)
		*link = frame->next;
	if (unlikely(!frame->from_pool))
	{
		pfree(frame);
		return;
	}
	frame->next = free_frames;
	free_frames = frame;
}

pg_attribute_hot PgvFrame *
pgv_frame_open(QueryDesc *query)
{
	PgvFrame   *frame = take_frame();

	if (unlikely(frame == NULL))
		return NULL;
	frame->query = query;
	frame->running = NULL;
	frame->counted = false;
	frame->published = false;
	frame->leftover = false;
	frame->planned = false;
	frame->slow = NULL;
	frame->plan.planid = 0;
	frame->rows = 0;
	pgv_usage_clear(&frame->usage);
	frame->watch.watched = false;
	frame->callback.func = close_frame;
	frame->callback.arg = frame;
	MemoryContextRegisterResetCallback(query->estate->es_query_cxt,
									   &frame->callback);
	frame->next = open_frames;
	open_frames = frame;
	return frame;
}

pg_attribute_hot PgvFrame *
pgv_frame_of(QueryDesc *query)
{
	PgvFrame   *frame = open_frames;

	while (frame != NULL && frame->query != query)
		frame = frame->next;
	return frame;
}

StaticAssertDecl(offsetof(BufferUsage, shared_blks_hit) == PGV_SHARED_HIT * sizeof(int64) &&
				 offsetof(BufferUsage, local_blks_hit) == PGV_LOCAL_HIT * sizeof(int64) &&
				 offsetof(BufferUsage, temp_blks_written) == PGV_TEMP_WRITTEN * sizeof(int64),
				 "BufferUsage does not begin with its counters in our order");

static inline void
note_counters(PgvMeasure *measure)
{
	memcpy(measure->blocks, &pgBufferUsage, sizeof(measure->blocks));
	measure->wal = pgWalUsage;
	measure->timed = track_io_timing;
	if (unlikely(measure->timed))
		measure->times = pgBufferUsage;
}

pg_attribute_hot void
pgv_measure_begin(PgvMeasure *measure, const PgvStatementRef *statement,
				  QueryDesc *query)
{
	measure->outer = innermost;
	measure->statement = statement;
	measure->query = query;
	innermost = measure;
	pgv_resources_begin(&measure->reading, statement, query);
	note_counters(measure);
	INSTR_TIME_SET_CURRENT(measure->start);
}

static double
ms_between(instr_time start, instr_time end)
{
	INSTR_TIME_SUBTRACT(end, start);
	return INSTR_TIME_GET_MILLISEC(end);
}

static pg_noinline void
add_times(PgvUsage *usage, const BufferUsage *start)
{
	const BufferUsage *end = &pgBufferUsage;

	if (!usage->any_times)
		memset(usage->block_ms, 0, sizeof(usage->block_ms));
	usage->any_times = true;
	usage->block_ms[PGV_SHARED_READ_MS] +=
		ms_between(PGV_SHARED_READ_TIME(start), PGV_SHARED_READ_TIME(end));
	usage->block_ms[PGV_SHARED_WRITE_MS] +=
		ms_between(PGV_SHARED_WRITE_TIME(start), PGV_SHARED_WRITE_TIME(end));
#if PGV_HAS_LOCAL_TIMES
	usage->block_ms[PGV_LOCAL_READ_MS] +=
		ms_between(start->local_blk_read_time, end->local_blk_read_time);
	usage->block_ms[PGV_LOCAL_WRITE_MS] +=
		ms_between(start->local_blk_write_time, end->local_blk_write_time);
#endif
	usage->block_ms[PGV_TEMP_READ_MS] +=
		ms_between(start->temp_blk_read_time, end->temp_blk_read_time);
	usage->block_ms[PGV_TEMP_WRITE_MS] +=
		ms_between(start->temp_blk_write_time, end->temp_blk_write_time);
}

/* Add what was used since; the loops are short and straight on purpose. */
static pg_attribute_hot void
add_blocks(PgvUsage *usage, const PgvMeasure *measure, const int64 *now)
{
	if (!usage->any_blocks)
	{
		usage->any_blocks = true;
		memset(usage->blocks, 0, sizeof(usage->blocks));
		memset(&usage->wal, 0, sizeof(usage->wal));
	}
	for (int i = 0; i < PGV_NBLOCKS; i++)
		usage->blocks[i] += now[i] - measure->blocks[i];
	if (pgWalUsage.wal_bytes != measure->wal.wal_bytes)
		WalUsageAccumDiff(&usage->wal, &pgWalUsage, &measure->wal);
	if (unlikely(measure->timed))
		add_times(usage, &measure->times);
}

/* The kernel was read when this began: what was used goes to the statement. */
static pg_noinline void
end_reading(const PgvMeasure *measure, double ms)
{
	const PgvMeasure *outer = measure->outer;

	while (outer != NULL && outer->statement == NULL)
		outer = outer->outer;
	pgv_resources_end(&measure->reading, measure->statement,
					  outer != NULL ? outer->statement : NULL, measure->query, ms);
}

pg_attribute_hot void
pgv_measure_end(const PgvMeasure *measure, PgvUsage *usage)
{
	instr_time	took;
	double		ms;

	INSTR_TIME_SET_CURRENT(measured_end);
	pgv_measured = 0;
	took = measured_end;
	INSTR_TIME_SUBTRACT(took, measure->start);
	ms = INSTR_TIME_GET_MILLISEC(took);
	usage->time_ms += ms;
	innermost = measure->outer;
	/* a call: unrolled, as it would be, the loop is longer than all else here */
	if (memcmp(measure->blocks, &pgBufferUsage, sizeof(measure->blocks)) != 0 ||
		pgWalUsage.wal_bytes != measure->wal.wal_bytes)
		add_blocks(usage, measure, (const int64 *) &pgBufferUsage);
	if (unlikely(measure->reading.weight != 0))
		end_reading(measure, ms);
	else if (measure->statement != NULL)
		pgv_resources_passed(measure->statement, ms);
}

void
pgv_measure_next(PgvMeasure *measure)
{
	measure->outer = innermost;
	measure->statement = NULL;
	measure->query = NULL;
	measure->reading.weight = 0;
	note_counters(measure);
	measure->start = measured_end;
}

static int64
monotonic_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

/*
 * What to add to the monotonic clock to get the time of day.  The process may
 * lose its processor between looking at one and the other, so of a few tries
 * the quickest counts.
 */
static pg_noinline int64
clock_offset(void)
{
	int64		best = 0;
	int64		quickest = PG_INT64_MAX;

	for (int i = 0; i < PGV_CLOCK_TRIES && quickest > PGV_CLOCK_QUICK_US; i++)
	{
		int64		before = monotonic_us();
		TimestampTz now = GetCurrentTimestamp();
		int64		took = monotonic_us() - before;

		if (took < quickest)
		{
			quickest = took;
			best = now - before - took / 2;
		}
	}
	return best;
}

/*
 * The monotonic clock that durations are taken from is set beside the time of
 * day every PGV_CLOCK_US, which saves a second look at a clock per statement.
 * It must not run ahead by more than a client takes between two statements.
 */
pg_attribute_hot TimestampTz
pgv_measured_read(void)
{
	static PGV_HOT_DATA int64 offset = 0;
	static PGV_HOT_DATA int64 set_at = 0;
	int64		us = (int64) INSTR_TIME_GET_MICROSEC(measured_end);

	/* unsigned: also when the clock was set back, or another chosen */
	if (unlikely((uint64) (us - set_at) > PGV_CLOCK_US))
	{
		offset = clock_offset();
		set_at = us;
	}
	pgv_measured = us + offset;
	return pgv_measured;
}

/* What only the query itself can tell. */
static void
ask_query(PgvExecution *e, QueryDesc *query)
{
	EState	   *estate = query->estate;

	e->jit = estate->es_jit ? &estate->es_jit->instr : NULL;
	e->workers_to_launch = PGV_WORKERS_TO_LAUNCH(estate);
	e->workers_launched = PGV_WORKERS_LAUNCHED(estate);
	e->generic_plan = PGV_PLAN_IS_GENERIC(query->plannedstmt);
}

/* What failed, or took its time, gets a name, if none was given to it before. */
static pg_noinline void
reveal(PgvFrame *frame, PgvOutcome outcome)
{
	double		ms = frame->usage.time_ms + (frame->planned ? frame->plan_ms : 0);

	if (outcome != PGV_OUTCOME_DONE || frame->slow != NULL ||
		(!frame->published && pgv_newcomers_matters(ms)))
		pgv_newcomers_reveal(&frame->statement);
}

pg_attribute_hot void
pgv_frame_publish(PgvFrame *frame, QueryDesc *query, PgvOutcome outcome)
{
	PgvExecution e;

	if (!pgv_frame_is_due(frame))
		return;
	if (unlikely(frame->statement.fingerprint == 0))
		reveal(frame, outcome);
	if (frame->counted)
	{
		e.statement = &frame->statement;
		e.plan = frame->plan.planid != 0 ? &frame->plan : NULL;
		e.usage = &frame->usage;
		e.rows = frame->rows;
		e.outcome = outcome;
		e.again = frame->published;
		e.planned = frame->planned;
		e.plan_ms = frame->plan_ms;
		e.jit = NULL;
		e.workers_to_launch = 0;
		e.workers_launched = 0;
		e.generic_plan = -1;
		if (query != NULL && !frame->published)
			ask_query(&e, query);
		pgv_statements_executed(&e);
		if (unlikely(frame->statement.fingerprint == 0) && !frame->published)
			pgv_newcomers_count();
		if (unlikely(e.statement->route != 0))
			pgv_routes_executed(&e);
		if (unlikely(frame->slow != NULL))
		{
			pgv_slow_executed(&e, frame->slow, frame->slow->record.sqlstate);
			frame->slow = NULL;
		}
	}
	frame->published = true;
	frame->leftover = frame->planned = false;
	frame->rows = 0;
	pgv_usage_clear(&frame->usage);
}

void
pgv_frames_terminated(int sqlstate)
{
	for (PgvFrame *frame = open_frames; frame != NULL; frame = frame->next)
	{
		double		ms;

		if (frame->query == NULL || frame->running == NULL)
			continue;
		pgv_measure_end(frame->running, &frame->usage);
		ms = frame->usage.time_ms;
		frame->leftover = true;
		if (frame->counted && ms > pgv_slow_look_ms)
			frame->slow = pgv_slow_failed(frame->slow, frame->query, &frame->statement, ms, -1, false, sqlstate);
		pgv_frame_publish(frame, NULL, PGV_OUTCOME_FAILED);
		if (frame->counted && sqlstate != 0)
			pgv_errors_failed(&frame->statement, ms, sqlstate);
		frame->query = NULL;
	}
}
