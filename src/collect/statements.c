/*-------------------------------------------------------------------------
 *
 * statements.c
 *	  Per-statement counters: the kind "statements", and how an execution is
 *	  added to this backend's pending record of its statement.
 *
 * A record holds plain sums, the moments of the durations, and the part of the
 * histogram that most need; the store's entry has room for the whole.  Records
 * are added to entries, and entries that leave to residuals, by the same
 * functions, so that sums agree whatever way a count took.
 *
 * Locks: the pending slot of this backend, for the few lines that add.
 * Everything here that runs in the store's callbacks runs under a partition's
 * lock and touches nothing but its arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "access/xact.h"
#include "utils/timestamp.h"

#include "base/server.h"
#include "base/settings.h"
#include "collect/plantext.h"
#include "collect/statements.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_NEGLIGIBLE_MS 10.0	/* that one execution may have taken */
#define PGV_FAILURE_WORTH 12	/* as four milliseconds, or sixteen calls */

/* ----- adding ----- */

/* Chan, Golub and LeVeque (1979). */
void
pgv_timing_add(PgvTiming *into, int64 n, const PgvTiming *from, int64 m)
{
	double		delta;

	/* without a count it is the rest of an execution counted before */
	if (m == 0)
	{
		into->total += from->total;
		return;
	}
	if (n == 0)
	{
		double		rest = into->total;

		*into = *from;
		into->total += rest;
		return;
	}
	delta = from->mean - into->mean;
	into->total += from->total;
	into->min = Min(into->min, from->min);
	into->max = Max(into->max, from->max);
	into->mean += delta * m / (double) (n + m);
	into->sum_var += from->sum_var + delta * delta * ((double) n * m / (double) (n + m));
}

/* Add one duration: Welford (1962).  n counts it already. */
static inline void
add_duration(PgvTiming *into, int64 n, double ms)
{
	double		old_mean = into->mean;

	into->total += ms;
	if (unlikely(n == 1))
	{
		into->min = into->max = into->mean = ms;
		return;
	}
	into->min = Min(into->min, ms);
	into->max = Max(into->max, ms);
	into->mean += (ms - old_mean) / n;
	into->sum_var += (ms - old_mean) * (ms - into->mean);
}

static void
add_times_seen(PgvStatementCounters *into, const PgvStatementCounters *from)
{
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	into->last_seen = Max(into->last_seen, from->last_seen);
}

static void
add_resources(PgvStatementCounters *into, const PgvStatementCounters *from)
{
	for (int i = 0; i < PGV_NBLOCKS; i++)
		into->blocks[i] += from->blocks[i];
	for (int i = 0; i < PGV_NBLOCKTIMES; i++)
		into->block_ms[i] += from->block_ms[i];
	for (int i = 0; i < PGV_NJIT; i++)
	{
		into->jit_count[i] += from->jit_count[i];
		into->jit_ms[i] += from->jit_ms[i];
	}
	into->wal_records += from->wal_records;
	into->wal_fpi += from->wal_fpi;
	into->wal_bytes += from->wal_bytes;
	into->wal_buffers_full += from->wal_buffers_full;
	into->workers_to_launch += from->workers_to_launch;
	into->workers_launched += from->workers_launched;
	into->generic_plans += from->generic_plans;
	into->custom_plans += from->custom_plans;
}

void
pgv_statements_add(PgvStatementCounters *into, const PgvStatementCounters *from)
{
	pgv_timing_add(&into->plan, into->plans, &from->plan, from->plans);
	pgv_timing_add(&into->exec, into->calls, &from->exec, from->calls);
	into->plans += from->plans;
	into->calls += from->calls;
	into->rows += from->rows;
	into->failures += from->failures;
	into->cancels += from->cancels;
	into->timeouts += from->timeouts;
	add_times_seen(into, from);
	if (from->resources)
	{
		into->resources = true;
		add_resources(into, from);
	}
}

static inline PgvBucketsTail *
tail_of(const PgvStatementEntry *entry)
{
	return pgv_store_tail(&pgv_kind_statements, entry);
}

void
pgv_statements_add_buckets(uint64 *buckets, const PgvStatementEntry *from)
{
	pgv_buckets_sum(buckets, &from->buckets, tail_of(from));
}

void
pgv_statements_merge_buckets(PgvBuckets *into, PgvBucketsTail *tail,
							 const PgvStatementDelta *delta)
{
	for (int i = 0; i < delta->end; i++)
	{
		if (delta->common[i] != 0)
			pgv_buckets_add(into, tail, (uint16) i, delta->common[i]);
	}
	for (int i = 0; i < delta->nbuckets; i++)
		pgv_buckets_add(into, tail, delta->bucket[i], delta->count[i]);
}

/* ----- the kind ----- */

static int
statements_limit(void)
{
	return pgv_max_statements;
}

static int
statements_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvStatementEntry *entry = data;
	const PgvStatementDelta *delta = delta_data;
	PgvBucketsTail *tail = tail_of(entry);

	pgv_statements_add(&entry->counters, &delta->counters);
	if (delta->counters.queryid != 0)
		entry->counters.queryid = delta->counters.queryid;
	pgv_statements_merge_buckets(&entry->buckets, tail, delta);
	if (!delta->counters.has_text)
		return 0;
	if (entry->counters.has_text)
	{
		surplus[0] = delta->fingerprint;
		return 1;
	}
	entry->counters.has_text = true;
	return 0;
}

static int
statements_texts(const void *key, const void *entry, uint64 *ids)
{
	if (!((const PgvStatementEntry *) entry)->counters.has_text)
		return 0;
	ids[0] = ((const PgvStatementKey *) key)->fingerprint;
	return 1;
}

static int
statements_delta_texts(const void *data, uint64 *ids)
{
	const PgvStatementDelta *delta = data;

	if (!delta->counters.has_text)
		return 0;
	ids[0] = delta->fingerprint;
	return 1;
}

static void
statements_lose_text(void *entry, uint64 id)
{
	((PgvStatementEntry *) entry)->counters.has_text = false;
}

/*
 * Each doubling of calls, and more so of milliseconds, makes an entry last; and that
 * it has failed.
 */
static int
statements_worth(const void *data)
{
	const PgvStatementCounters *c = &((const PgvStatementEntry *) data)->counters;
	int			calls = pg_leftmost_one_pos64((uint64) Max(c->calls, 1));
	int			ms = pg_leftmost_one_pos64((uint64) Max(Min(c->exec.total, 1e15), 1));

	return Min(UINT8_MAX, calls * 3 + ms * 6 + (c->failures > 0 ? PGV_FAILURE_WORTH : 0));
}

bool
pgv_statements_negligible(const void *data)
{
	const PgvStatementCounters *c = &((const PgvStatementDelta *) data)->counters;

	return c->calls <= 1 && c->plans <= 1 && c->failures == 0 &&
		c->exec.total + c->plan.total < PGV_NEGLIGIBLE_MS;
}

static void
statements_residual_key(const void *key, void *residual)
{
	PgvStatementKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvStatementKey *) key)->dbid;
}

bool
pgv_statements_is_residual(const void *key)
{
	return ((const PgvStatementKey *) key)->fingerprint == 0;
}

static void
statements_absorb(void *data, const void *from, bool fresh)
{
	PgvStatementEntry *residual = data;

	if (from != NULL)
	{
		const PgvStatementEntry *entry = from;

		pgv_statements_add(&residual->counters, &entry->counters);
		pgv_buckets_absorb(&residual->buckets, tail_of(residual),
						   &entry->buckets, tail_of(entry));
	}
	/* a residual is no statement */
	residual->counters.queryid = 0;
	residual->counters.has_text = false;
}

static void
statements_clear(void *data)
{
	PgvStatementEntry *entry = data;

	pgv_buckets_clear_tail(&entry->buckets, tail_of(entry));
	memset(entry, 0, entry->counters.resources ? sizeof(PgvStatementEntry) :
		   offsetof(PgvStatementEntry, counters.blocks));
}

static bool
statements_uses_tail(const void *entry)
{
	return ((const PgvStatementEntry *) entry)->buckets.has_tail;
}

static bool
any_resources(const PgvStatementCounters *c)
{
	static const PgvStatementCounters none;
	Size		start = offsetof(PgvStatementCounters, blocks);

	return memcmp((const char *) c + start, (const char *) &none + start,
				  sizeof(none) - start) != 0;
}

static bool
timing_valid(const PgvTiming *t)
{
	return pgv_sane_time(t->total) && pgv_sane_time(t->min) &&
		pgv_sane_time(t->max) && pgv_sane_time(t->mean) &&
		fabs(t->sum_var) <= PGV_SANE_SQUARE;
}

static bool
resources_valid(const PgvStatementCounters *c)
{
	return pgv_sane_counts(c->blocks, PGV_NBLOCKS) &&
		pgv_sane_times(c->block_ms, PGV_NBLOCKTIMES) &&
		pgv_sane_count(c->wal_records) && pgv_sane_count(c->wal_fpi) &&
		pgv_sane_count((int64) c->wal_bytes) && pgv_sane_count(c->wal_buffers_full) &&
		pgv_sane_counts(c->jit_count, PGV_NJIT) && pgv_sane_times(c->jit_ms, PGV_NJIT) &&
		pgv_sane_count(c->workers_to_launch) && pgv_sane_count(c->workers_launched) &&
		pgv_sane_count(c->generic_plans) && pgv_sane_count(c->custom_plans);
}

static bool
counters_valid(const PgvStatementCounters *c)
{
	return pgv_sane_bool(&c->has_text) && pgv_sane_bool(&c->resources) &&
		pgv_sane_count(c->plans) && pgv_sane_count(c->calls) &&
		pgv_sane_count(c->rows) && pgv_sane_count(c->failures) &&
		pgv_sane_count(c->cancels) && pgv_sane_count(c->timeouts) &&
		timing_valid(&c->plan) && timing_valid(&c->exec) &&
		pgv_sane_instant(c->first_seen) && pgv_sane_instant(c->last_seen) &&
		(c->resources ? resources_valid(c) : !any_resources(c));
}

static bool
statements_valid(const void *key_data, const void *data)
{
	const PgvStatementKey *key = key_data;
	const PgvStatementEntry *entry = data;
	const PgvStatementCounters *c = &entry->counters;

	if (key->toplevel > 1 || !counters_valid(c))
		return false;
	if (pgv_statements_is_residual(key) &&
		(key->userid != InvalidOid || key->toplevel != 0 || c->has_text))
		return false;
	return pgv_buckets_valid(&entry->buckets, tail_of(entry), c->calls);
}

const PgvKind pgv_kind_statements = {
	.name = "statements",
	.version = 1,
	.key_size = sizeof(PgvStatementKey),
	.entry_size = sizeof(PgvStatementEntry),
	.since_offset = offsetof(PgvStatementEntry, stats_since),
	.tail_size = sizeof(PgvBucketsTail),
	.limit = statements_limit,
	.merge = statements_merge,
	.texts = statements_texts,
	.delta_texts = statements_delta_texts,
	.lose_text = statements_lose_text,
	.worth = statements_worth,
	.negligible = pgv_statements_negligible,
	.residual_key = statements_residual_key,
	.is_residual = pgv_statements_is_residual,
	.absorb = statements_absorb,
	.clear = statements_clear,
	.uses_tail = statements_uses_tail,
	.valid = statements_valid,
};

PGV_HOT_DATA PgvPendingPart pgv_pending_statements = {
	.kind = &pgv_kind_statements,
	.delta_size = sizeof(PgvStatementDelta),
	.records = 32,
};

/* ----- counting ----- */

bool
pgv_statements_has(const PgvStatementRef *ref)
{
	PgvStatementKey key;

	pgv_statement_key(&key, ref);
	return pgv_store_has(&pgv_kind_statements, &key);
}

/*
 * There is no record yet: make one.  Normalising and storing a text is not for the
 * time of the lock.
 */
static pg_noinline PgvStatementDelta *
relock_new_record(const PgvPlanKey *key, const PgvStatementRef *ref, PgvPlanRef *plan)
{
	PgvStatementDelta *delta;
	bool		has_text;
	uint64		plan_text;

	pgv_pending_unlock();
	has_text = pgv_identity_reference_text(ref);
	plan_text = plan != NULL ? pgv_plantext_reference(plan, ref->fingerprint) : 0;
	pgv_pending_lock();
	delta = pgv_pending_add(&pgv_pending_statements, key, ref->hint);
	delta->fingerprint = ref->fingerprint;
	delta->counters.has_text = has_text;
	delta->plan.text = plan_text;
	delta->counters.first_seen = GetCurrentStatementStartTimestamp();
	return delta;
}

/*
 * The pending record of a statement and its plan (or NULL), made if need be.
 * Returns with the slot locked.
 */
static pg_attribute_hot PgvStatementDelta *
lock_record(const PgvStatementRef *ref, PgvPlanRef *plan)
{
	PgvPlanKey	key;
	PgvStatementDelta *delta;

	pgv_statement_key(&key.statement, ref);
	key.planid = plan != NULL ? plan->planid : 0;
	pgv_pending_lock();
	delta = pgv_pending_find(&pgv_pending_statements, &key, ref->hint);
	return likely(delta != NULL) ? delta : relock_new_record(&key, ref, plan);
}

static inline void
note_seen(PgvStatementDelta *delta, const PgvStatementRef *ref)
{
	if (likely(ref->fingerprint != 0))
		delta->counters.queryid = ref->queryid;
	delta->counters.last_seen = GetCurrentStatementStartTimestamp();
}

static inline void
add_usage(PgvStatementCounters *c, const PgvUsage *usage)
{
	if (!usage->any_blocks)
		return;
	c->resources = true;
	for (int i = 0; i < PGV_NBLOCKS; i++)
		c->blocks[i] += usage->blocks[i];
	if (usage->wal.wal_bytes != 0)
	{
		c->wal_records += usage->wal.wal_records;
		c->wal_fpi += usage->wal.wal_fpi;
		c->wal_bytes += usage->wal.wal_bytes;
		c->wal_buffers_full += PGV_WAL_BUFFERS_FULL(&usage->wal);
	}
	if (likely(!usage->any_times))
		return;
	for (int i = 0; i < PGV_NBLOCKTIMES; i++)
		c->block_ms[i] += usage->block_ms[i];
}

static pg_noinline void
add_jit(PgvStatementCounters *c, const JitInstrumentation *jit)
{
	c->resources = true;
	c->jit_count[PGV_JIT_GENERATION] += jit->created_functions;
	c->jit_ms[PGV_JIT_GENERATION] += INSTR_TIME_GET_MILLISEC(jit->generation_counter);
	c->jit_ms[PGV_JIT_INLINING] += INSTR_TIME_GET_MILLISEC(jit->inlining_counter);
	c->jit_ms[PGV_JIT_OPTIMIZATION] += INSTR_TIME_GET_MILLISEC(jit->optimization_counter);
	c->jit_ms[PGV_JIT_EMISSION] += INSTR_TIME_GET_MILLISEC(jit->emission_counter);
	if (!INSTR_TIME_IS_ZERO(jit->inlining_counter))
		c->jit_count[PGV_JIT_INLINING]++;
	if (!INSTR_TIME_IS_ZERO(jit->optimization_counter))
		c->jit_count[PGV_JIT_OPTIMIZATION]++;
	if (!INSTR_TIME_IS_ZERO(jit->emission_counter))
		c->jit_count[PGV_JIT_EMISSION]++;
#if PGV_HAS_JIT_DEFORM
	c->jit_ms[PGV_JIT_DEFORMING] += INSTR_TIME_GET_MILLISEC(PGV_JIT_DEFORM(jit));
	if (!INSTR_TIME_IS_ZERO(PGV_JIT_DEFORM(jit)))
		c->jit_count[PGV_JIT_DEFORMING]++;
#endif
}

static pg_noinline void
add_outcome(PgvStatementCounters *c, PgvOutcome outcome)
{
	c->failures++;
	if (outcome == PGV_OUTCOME_CANCELLED)
		c->cancels++;
	else if (outcome == PGV_OUTCOME_TIMED_OUT)
		c->timeouts++;
}

/* Has the record room for one more of these durations? */
static inline bool
has_room(const PgvStatementDelta *delta, uint16 bucket)
{
	if (likely(bucket < PGV_COMMON_BUCKETS))
		return delta->common[bucket] < PG_UINT16_MAX;
	if (delta->nbuckets < PGV_PENDING_BUCKETS)
		return true;
	for (int i = 0; i < delta->nbuckets; i++)
	{
		if (delta->bucket[i] == bucket)
			return true;
	}
	return false;
}

/* With no room the record goes to the store first, and refers to its texts anew. */
static pg_noinline void
spill(PgvStatementDelta *delta, const PgvStatementRef *ref, PgvPlanRef *plan)
{
	pgv_pending_spill(&pgv_pending_statements, delta);
	delta->fingerprint = ref->fingerprint;
	delta->counters.has_text = ref->fingerprint != 0 && pgv_texts_reference(ref->fingerprint);
	if (plan != NULL)
		delta->plan.text = pgv_plantext_reference(plan, ref->fingerprint);
	delta->counters.first_seen = GetCurrentStatementStartTimestamp();
}

static inline void
make_room(PgvStatementDelta *delta, const PgvStatementRef *ref, PgvPlanRef *plan,
		  uint16 bucket)
{
	if (unlikely(!has_room(delta, bucket)))
		spill(delta, ref, plan);
}

/* Count a duration in the record's buckets; make_room has been called. */
static inline void
add_bucket(PgvStatementDelta *delta, uint16 bucket)
{
	if (likely(bucket < PGV_COMMON_BUCKETS))
	{
		delta->common[bucket]++;
		delta->end = Max(delta->end, bucket + 1);
		return;
	}
	for (int i = 0; i < delta->nbuckets; i++)
	{
		if (delta->bucket[i] == bucket)
		{
			delta->count[i]++;
			return;
		}
	}
	Assert(delta->nbuckets < PGV_PENDING_BUCKETS);
	delta->bucket[delta->nbuckets] = bucket;
	delta->count[delta->nbuckets++] = 1;
}

static inline void
note_plan(PgvPlanDelta *delta, PgvPlanRef *plan, uint64 fingerprint, bool again)
{
	/* the record may be older than the text */
	if (unlikely(plan->captured) && delta->text == 0)
		delta->text = pgv_plantext_reference(plan, fingerprint);
	delta->startup_cost = plan->startup_cost;
	delta->total_cost = plan->total_cost;
	delta->rows = plan->rows;
	if (plan->generic < 0 || again)
		return;
	delta->generic += plan->generic;
	delta->custom += 1 - plan->generic;
}

void
pgv_statements_planned(const PgvStatementRef *ref, const PgvUsage *usage)
{
	PgvStatementDelta *delta = lock_record(ref, NULL);
	PgvStatementCounters *c = &delta->counters;

	note_seen(delta, ref);
	c->plans++;
	add_duration(&c->plan, c->plans, usage->time_ms);
	add_usage(c, usage);
	pgv_pending_unlock();
}

pg_attribute_hot void
pgv_statements_executed(const PgvExecution *e)
{
	const PgvStatementRef *ref = e->statement;
	PgvStatementDelta *delta = lock_record(ref, e->plan);
	PgvStatementCounters *c = &delta->counters;
	uint16		bucket = (uint16) pgv_histogram_bucket(e->usage->time_ms * 1000.0);

	make_room(delta, ref, e->plan, bucket);
	note_seen(delta, ref);
	if (e->plan != NULL)
		note_plan(&delta->plan, e->plan, ref->fingerprint, e->again);
	if (unlikely(e->again))
		c->exec.total += e->usage->time_ms;
	else
	{
		c->calls++;
		add_duration(&c->exec, c->calls, e->usage->time_ms);
		add_bucket(delta, bucket);
		if (e->generic_plan >= 0)
		{
			c->resources = true;
			c->generic_plans += e->generic_plan;
			c->custom_plans += 1 - e->generic_plan;
		}
	}
	if (e->planned)
	{
		c->plans++;
		add_duration(&c->plan, c->plans, e->plan_ms);
	}
	c->rows += e->rows;
	add_usage(c, e->usage);
	if (unlikely(e->jit != NULL) && e->jit->created_functions > 0)
		add_jit(c, e->jit);
	if (unlikely(e->outcome != PGV_OUTCOME_DONE))
		add_outcome(c, e->outcome);
	if (unlikely(e->workers_to_launch > 0))
	{
		c->resources = true;
		c->workers_to_launch += e->workers_to_launch;
		c->workers_launched += e->workers_launched;
	}
	pgv_pending_unlock();
}
