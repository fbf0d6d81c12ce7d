/*-------------------------------------------------------------------------
 *
 * plans.c
 *	  The kind "plans": executions by statement and plan.
 *
 * Its deltas are those of the kind "statements": what was pending of a
 * statement and one of its plans is merged into both.  What leaves is added to
 * a residual entry of its database, so the sum over all plans is that of all
 * executions that had one.
 *
 * The callbacks run under a partition's lock and touch nothing but their
 * arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "base/settings.h"
#include "collect/plans.h"
#include "collect/plantext.h"
#include "store/sane.h"

static int
plans_limit(void)
{
	return pgv_max_plans;
}

/* What was planned is told by who was seen last. */
static void
add_planned(PgvPlanCounters *into, const PgvPlanCounters *from)
{
	if (from->last_seen < into->last_seen)
		return;
	into->startup_cost = from->startup_cost;
	into->total_cost = from->total_cost;
	into->planned_rows = from->planned_rows;
	into->last_seen = from->last_seen;
	if (from->queryid != 0)
		into->queryid = from->queryid;
}

void
pgv_plans_add(PgvPlanCounters *into, const PgvPlanCounters *from)
{
	pgv_timing_add(&into->exec, into->calls, &from->exec, from->calls);
	into->calls += from->calls;
	into->rows += from->rows;
	into->failures += from->failures;
	into->generic += from->generic;
	into->custom += from->custom;
	for (int i = 0; i < PGV_NBLOCKS; i++)
		into->blocks[i] += from->blocks[i];
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	add_planned(into, from);
}

static inline PgvBucketsTail *
tail_of(const PgvPlanEntry *entry)
{
	return pgv_store_tail(&pgv_kind_plans, entry);
}

void
pgv_plans_add_buckets(uint64 *buckets, const PgvPlanEntry *from)
{
	pgv_buckets_sum(buckets, &from->buckets, tail_of(from));
}

/* What a delta says of the plan. */
static void
counters_of(PgvPlanCounters *c, const PgvStatementDelta *delta)
{
	const PgvStatementCounters *from = &delta->counters;

	c->queryid = from->queryid;
	c->calls = from->calls;
	c->exec = from->exec;
	c->rows = from->rows;
	c->failures = from->failures;
	c->generic = delta->plan.generic;
	c->custom = delta->plan.custom;
	memcpy(c->blocks, from->blocks, sizeof(c->blocks));
	c->startup_cost = delta->plan.startup_cost;
	c->total_cost = delta->plan.total_cost;
	c->planned_rows = delta->plan.rows;
	c->first_seen = from->first_seen;
	c->last_seen = from->last_seen;
}

static int
plans_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvPlanEntry *entry = data;
	const PgvStatementDelta *delta = delta_data;
	PgvPlanCounters counters;

	counters_of(&counters, delta);
	pgv_plans_add(&entry->counters, &counters);
	pgv_statements_merge_buckets(&entry->buckets, tail_of(entry), delta);
	if (delta->plan.text == 0)
		return 0;
	if (entry->text != 0)
	{
		surplus[0] = delta->plan.text;
		return 1;
	}
	entry->text = delta->plan.text;
	return 0;
}

static int
plans_texts(const void *key, const void *entry, uint64 *ids)
{
	ids[0] = ((const PgvPlanEntry *) entry)->text;
	return ids[0] != 0 ? 1 : 0;
}

static int
plans_delta_texts(const void *delta, uint64 *ids)
{
	ids[0] = ((const PgvStatementDelta *) delta)->plan.text;
	return ids[0] != 0 ? 1 : 0;
}

static void
plans_lose_text(void *entry, uint64 id)
{
	((PgvPlanEntry *) entry)->text = 0;
}

/* Each doubling of calls, and more so of milliseconds, makes an entry last. */
static int
plans_worth(const void *data)
{
	const PgvPlanCounters *c = &((const PgvPlanEntry *) data)->counters;
	int			calls = pg_leftmost_one_pos64((uint64) Max(c->calls, 1));
	int			ms = pg_leftmost_one_pos64((uint64) Max(Min(c->exec.total, 1e15), 1));

	return Min(UINT8_MAX, calls * 3 + ms * 6);
}

static void
plans_residual_key(const void *key, void *residual)
{
	PgvPlanKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->statement.dbid = ((const PgvPlanKey *) key)->statement.dbid;
}

bool
pgv_plans_is_residual(const void *key)
{
	return ((const PgvPlanKey *) key)->planid == 0;
}

static void
plans_absorb(void *data, const void *from_data, bool fresh)
{
	PgvPlanEntry *residual = data;
	const PgvPlanEntry *from = from_data;

	if (from != NULL)
	{
		pgv_plans_add(&residual->counters, &from->counters);
		pgv_buckets_absorb(&residual->buckets, tail_of(residual),
						   &from->buckets, tail_of(from));
	}
	residual->text = 0;
	residual->counters.queryid = 0;
	residual->counters.startup_cost = residual->counters.total_cost = 0;
	residual->counters.planned_rows = 0;
}

static void
plans_clear(void *data)
{
	PgvPlanEntry *entry = data;

	pgv_buckets_clear_tail(&entry->buckets, tail_of(entry));
	memset(entry, 0, sizeof(*entry));
}

static bool
plans_uses_tail(const void *entry)
{
	return ((const PgvPlanEntry *) entry)->buckets.has_tail;
}

static bool
counters_valid(const PgvPlanCounters *c)
{
	const double times[] = {c->exec.total, c->exec.min, c->exec.max, c->exec.mean};
	const double planned[] = {c->startup_cost, c->total_cost, c->planned_rows};
	const int64 counts[] = {c->calls, c->rows, c->failures, c->generic, c->custom};

	return pgv_sane_times(times, lengthof(times)) &&
		c->exec.sum_var >= -PGV_SANE_SQUARE && c->exec.sum_var <= PGV_SANE_SQUARE &&
		pgv_sane_times(planned, lengthof(planned)) &&
		pgv_sane_counts(counts, lengthof(counts)) &&
		pgv_sane_counts(c->blocks, PGV_NBLOCKS) &&
		pgv_sane_instant(c->first_seen) && pgv_sane_instant(c->last_seen);
}

static bool
plans_valid(const void *key_data, const void *data)
{
	const PgvPlanKey *key = key_data;
	const PgvStatementKey *s = &key->statement;
	const PgvPlanEntry *entry = data;

	if (s->toplevel > 1 || !counters_valid(&entry->counters))
		return false;
	if (pgv_plans_is_residual(key))
	{
		if (s->userid != InvalidOid || s->fingerprint != 0 || s->toplevel != 0 || entry->text != 0)
			return false;
	}
	else if (s->fingerprint == 0 ||
			 (entry->text != 0 &&
			  entry->text != pgv_plantext_id(s->dbid, s->fingerprint, key->planid)))
		return false;
	return pgv_buckets_valid(&entry->buckets, tail_of(entry), entry->counters.calls);
}

const PgvKind pgv_kind_plans = {
	.name = "plans",
	.version = 1,
	.key_size = sizeof(PgvPlanKey),
	.entry_size = sizeof(PgvPlanEntry),
	.since_offset = offsetof(PgvPlanEntry, stats_since),
	.tail_size = sizeof(PgvBucketsTail),
	.limit = plans_limit,
	.merge = plans_merge,
	.texts = plans_texts,
	.delta_texts = plans_delta_texts,
	.lose_text = plans_lose_text,
	.worth = plans_worth,
	.negligible = pgv_statements_negligible,
	.residual_key = plans_residual_key,
	.is_residual = pgv_plans_is_residual,
	.absorb = plans_absorb,
	.clear = plans_clear,
	.uses_tail = plans_uses_tail,
	.valid = plans_valid,
};
