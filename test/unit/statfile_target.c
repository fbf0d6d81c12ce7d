/*-------------------------------------------------------------------------
 *
 * statfile_target.c
 *	  Takes any bytes as a statistics file, and does with what is taken in
 *	  what the server would do with it: look at every figure, show every text,
 *	  evict, add up, reset.  Whatever a later reader relies on must hold.
 *
 * pgv_statfile_target() is what a fuzzer wants to call.
 *
 *-------------------------------------------------------------------------
 */
#include "statfile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"

#include "collect/deadlocks.h"
#include "collect/errors.h"
#include "collect/findings.h"
#include "collect/nodes.h"
#include "collect/plans.h"
#include "collect/plantext.h"
#include "collect/resources.h"
#include "collect/routes.h"
#include "collect/statements.h"
#include "collect/transactions.h"
#include "collect/waits.h"
#include "store/texts.h"

#define MUST(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static const PgvKind *const kinds[] = {
	&pgv_kind_statements,
	&pgv_kind_findings,
	&pgv_kind_routes,
	&pgv_kind_transactions,
	&pgv_kind_errors,
	&pgv_kind_deadlocks,
	&pgv_kind_resources,
	&pgv_kind_waits,
	&pgv_kind_plans,
	&pgv_kind_misestimates,
};

void
pgv_statfile_prepare(void)
{
	static bool done = false;

	if (done)
		return;
	done = true;
	pgv_store_set_kinds(kinds, lengthof(kinds));
	pgv_store_shmem_init();
}

/* ----- what is done with entries ----- */

static void
look_at_times(TimestampTz first, TimestampTz last)
{
	MUST(IS_VALID_TIMESTAMP(first) && IS_VALID_TIMESTAMP(last));
}

static void
look_at_buckets(const uint64 *buckets, int64 calls)
{
	uint64		sum = 0;
	double		us;

	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
		sum += buckets[i];
	MUST(calls >= 0 && sum <= (uint64) calls);
	us = pgv_histogram_percentile_us(buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
									 (uint64) calls, 0.95);
	MUST(isfinite(us) && us >= 0);
}

static void
look_at_text(uint64 id, bool json)
{
	int			len;
	int			encoding;
	char	   *text = pgv_texts_copy_raw(id, &len, &encoding);

	MUST(text != NULL && strlen(text) == len);
	MUST(PG_VALID_BE_ENCODING(encoding));
	MUST(!json || (encoding == PG_UTF8 && pgv_tags_is_json(text, len)));
	pfree(text);
}

static void
look_at_statement(const PgvStatementKey *key, const PgvStatementEntry *entry)
{
	const PgvStatementCounters *c = &entry->counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};
	const PgvTiming *timings[] = {&c->plan, &c->exec};

	pgv_statements_add_buckets(buckets, entry);
	look_at_buckets(buckets, c->calls);
	look_at_times(c->first_seen, c->last_seen);
	MUST(c->calls >= 0 && c->plans >= 0 && c->rows >= 0 && c->failures >= 0);
	for (int i = 0; i < (int) lengthof(timings); i++)
	{
		MUST(isfinite(timings[i]->total) && isfinite(timings[i]->sum_var));
		MUST(isfinite(timings[i]->min) && isfinite(timings[i]->max));
		MUST(isfinite(timings[i]->mean));
	}
	for (int i = 0; i < PGV_NBLOCKTIMES; i++)
		MUST(isfinite(c->block_ms[i]));
	if (c->has_text)
		look_at_text(key->fingerprint, false);
}

static void
look_at_finding(const PgvFindingKey *key, const PgvFinding *f)
{
	MUST(pgv_finding_kind_name(key->kind) != NULL);
	MUST(pgv_confidence_name(f->confidence) != NULL);
	pgv_walk_order_name(f->order);
	MUST(isfinite(pgv_finding_wait(f, 0.1)) && isfinite(pgv_finding_wait(f, 0.9)));
	MUST(isfinite(f->tally.wait_ms + f->tally.plan_ms + f->tally.exec_ms));
	MUST(isfinite(f->tally.lock_ms) && isfinite(f->tally.min_wait_ms));
	MUST(strlen(f->application) < NAMEDATALEN);
	look_at_times(f->first_seen, f->last_seen);
	if (f->texts & PGV_FINDING_TEXT)
		look_at_text(f->fingerprint, false);
	if (f->texts & PGV_FINDING_PARENT)
		look_at_text(f->parent_fingerprint, false);
	if (f->texts & PGV_FINDING_LINK)
		look_at_text(f->link, false);
	if (f->texts & PGV_FINDING_SUGGESTION)
		look_at_text(f->suggestion, false);
	if (f->texts & PGV_FINDING_TAGS)
		look_at_text(f->tags, true);
}

static void
look_at_route(const PgvRouteKey *key, const PgvRouteEntry *entry)
{
	const PgvRouteCounters *c = &entry->counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};

	pgv_routes_add_buckets(buckets, entry);
	look_at_buckets(buckets, c->calls);
	look_at_times(c->first_seen, c->last_seen);
	MUST(pgv_distinct_count(&c->statements) >= 0);
	MUST(isfinite(c->total_ms) && isfinite(c->min_ms) && isfinite(c->max_ms));
	MUST(strlen(entry->application) < NAMEDATALEN);
	if (c->has_text)
		look_at_text(key->route, false);
}

static void
look_at_transaction(const PgvTransactionKey *key, const PgvTransactionEntry *entry)
{
	const PgvTransactionCounters *c = &entry->counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};

	pgv_transactions_add_buckets(buckets, entry);
	look_at_buckets(buckets, pgv_transactions_calls(c));
	look_at_times(c->first_seen, c->last_seen);
	look_at_times(c->longest, c->longest);
	MUST(isfinite(c->total_ms - c->idle_ms - c->commit_ms));
	MUST(isfinite(c->min_ms) && isfinite(c->max_ms));
	MUST(entry->steps.length <= PG_UINT32_MAX);
	MUST(strlen(entry->application) < NAMEDATALEN);
	if (c->has_text)
		look_at_text(key->route, false);
}

static void
look_at_error(const PgvErrorKey *key, const PgvErrorEntry *entry)
{
	MUST(isfinite(entry->lost_ms));
	look_at_times(entry->first_seen, entry->last_seen);
	if (entry->has_text)
		look_at_text(key->fingerprint, false);
}

static void
look_at_deadlock(const PgvDeadlockEntry *entry)
{
	MUST(entry->n <= PGV_DEADLOCK_PARTIES && entry->n <= entry->parties);
	MUST(entry->deadlocks >= 0);
	look_at_times(entry->first_seen, entry->last_seen);
	for (uint32 i = 0; i < entry->n; i++)
	{
		const PgvDeadlockParty *party = &entry->party[i];

		MUST(strlen(party->application) < NAMEDATALEN && party->victims >= 0);
		if (party->has_text)
			look_at_text(party->fingerprint, false);
	}
}

static void
look_at_resources(const PgvResourceEntry *entry)
{
	const double *sums = (const double *) &entry->total;

	for (int i = 0; i < (int) (2 * sizeof(PgvResourceUse) / sizeof(double)); i++)
		MUST(isfinite(sums[i]));
	MUST(isfinite(entry->workers_cpu_ms));
	MUST(isfinite(entry->memory_count + entry->memory_bytes + entry->memory_max));
	for (double q = 0.5; q <= 1; q += 0.25)
		MUST(pgv_resources_memory(entry, q) >= 0 &&
			 pgv_resources_memory(entry, q) <= entry->memory_max);
}

static void
look_at_wait(const PgvWaitKey *key, const PgvWaitEntry *entry)
{
	MUST(isfinite(entry->ms) && isfinite(entry->blocked_ms) && isfinite(pgv_waits_margin(entry->squares)));
	MUST(entry->samples >= 0 && pgv_phase_name(key->phase) != NULL);
	MUST(strlen(entry->type) < PGV_WAIT_TYPE_LEN && strlen(entry->event) < NAMEDATALEN);
	MUST(strlen(entry->backend_type) < PGV_BACKEND_TYPE_LEN);
	MUST(strlen(entry->application) < NAMEDATALEN);
	look_at_times(entry->first_seen, entry->last_seen);
	if (entry->texts & PGV_WAIT_QUERY)
		look_at_text(key->fingerprint, false);
	if (entry->texts & PGV_WAIT_ROUTE)
		look_at_text(key->route, false);
}

static void
look_at_plan(const PgvPlanKey *key, const PgvPlanEntry *entry)
{
	const PgvPlanCounters *c = &entry->counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};
	uint64		sum = 0;

	MUST(isfinite(c->exec.total) && isfinite(c->total_cost) && isfinite(c->planned_rows));
	look_at_times(c->first_seen, c->last_seen);
	pgv_plans_add_buckets(buckets, entry);
	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
		sum += buckets[i];
	MUST(sum <= (uint64) c->calls);
	if (entry->text == 0)
		return;
	MUST(entry->text == pgv_plantext_id(key->statement.dbid, key->statement.fingerprint,
										key->planid));
	look_at_text(entry->text, false);
}

static void
look_at_misestimate(const PgvMisestimateKey *key, const PgvMisestimate *entry)
{
	const PgvEstimate *estimates[] = {&entry->last, &entry->worst};

	MUST(key->direction == PGV_UNDERESTIMATED || key->direction == PGV_OVERESTIMATED);
	for (int i = 0; i < (int) lengthof(estimates); i++)
	{
		MUST(isfinite(estimates[i]->estimated + estimates[i]->actual));
		MUST(isfinite(estimates[i]->factor + estimates[i]->loops));
	}
	MUST(entry->seen >= 0 && strlen(entry->node_type) < PGV_NODE_TYPE_LEN);
	look_at_times(entry->first_seen, entry->last_seen);
	if (entry->relation != 0)
		look_at_text(entry->relation, false);
}

typedef struct Look
{
	const PgvKind *kind;
	StatfileEntries *entries;
} Look;

static bool
look_at(const void *key, const void *entry, void *arg)
{
	Look	   *look = arg;
	const PgvKind *kind = look->kind;
	StatfileEntries *e = look->entries;
	uint64		hash;

	MUST(kind->worth(entry) >= 0 && kind->worth(entry) <= UINT8_MAX);
	if (kind == &pgv_kind_statements)
	{
		look_at_statement(key, entry);
		e->calls += ((const PgvStatementEntry *) entry)->counters.calls;
	}
	else if (kind == &pgv_kind_findings)
		look_at_finding(key, entry);
	else if (kind == &pgv_kind_transactions)
		look_at_transaction(key, entry);
	else if (kind == &pgv_kind_errors)
		look_at_error(key, entry);
	else if (kind == &pgv_kind_deadlocks)
		look_at_deadlock(entry);
	else if (kind == &pgv_kind_plans)
		look_at_plan(key, entry);
	else if (kind == &pgv_kind_resources)
		look_at_resources(entry);
	else if (kind == &pgv_kind_misestimates)
		look_at_misestimate(key, entry);
	else if (kind == &pgv_kind_waits)
		look_at_wait(key, entry);
	else
		look_at_route(key, entry);
	hash = hash_bytes_extended(key, (int) kind->key_size, 1);
	hash ^= hash_bytes_extended(entry, (int) kind->entry_size, hash);
	if (kind->uses_tail != NULL && kind->uses_tail(entry))
		hash ^= hash_bytes_extended(pgv_store_tail(kind, entry), (int) kind->tail_size, hash);
	MUST(e->n < (int) lengthof(e->hash));
	e->hash[e->n++] = hash;
	return true;
}

static void
look_at_all(StatfileEntries *entries)
{
	Look		look = {.entries = entries};

	entries->n = 0;
	entries->calls = 0;
	for (int k = 0; k < (int) lengthof(kinds); k++)
	{
		look.kind = kinds[k];
		pgv_store_scan(kinds[k], look_at, &look);
	}
}

/* ----- what is done with the table ----- */

/* More statements come than there is room for. */
#define PUSHED	120

static void
push_out(void)
{
	for (int i = 0; i < PUSHED; i++)
	{
		PgvStatementKey key = {1, 2, pgv_unit_random(PG_UINT64_MAX) | 1, 1};
		PgvStatementDelta delta = {.nbuckets = 1,.bucket = {5},.count = {1}};

		delta.counters.calls = 1;
		delta.counters.exec.total = 1e6;
		pgv_store_merge(&pgv_kind_statements, &key, &delta);
	}
}

static bool
everything(const void *key, const void *entry, void *arg)
{
	return true;
}

void
pgv_statfile_empty(void)
{
	PgvStoreStats stats;
	PgvTextsStats texts;

	for (int k = 0; k < (int) lengthof(kinds); k++)
	{
		pgv_store_remove(kinds[k], everything, NULL);
		pgv_store_stats(kinds[k], &stats);
		MUST(stats.entries == 0);
	}
	/* every reference was given back */
	pgv_texts_stats(&texts);
	MUST(texts.texts == 0);
}

void
pgv_statfile_take(const char *data, Size len, PgvRestored *done,
				  StatfileEntries *entries)
{
	pgv_statfile_prepare();
	pgv_persist_restore(data, len, done);
	look_at_all(entries);
	pgv_statfile_empty();
	MUST(IS_VALID_TIMESTAMP(pgv_store_reset_time()));
}

int
pgv_statfile_target(const uint8_t *data, size_t size)
{
	PgvRestored done;
	StatfileEntries entries;
	StatfileEntries after;

	pgv_statfile_prepare();
	pgv_persist_restore((const char *) data, size, &done);
	look_at_all(&entries);
	MUST(done.is_ours || entries.n == 0);
	MUST((uint64) entries.n <= done.entries);
	push_out();
	look_at_all(&after);
	/* nothing is lost, whatever was taken in */
	MUST(after.calls == entries.calls + PUSHED);
	pgv_statfile_empty();
	return 0;
}

