/*-------------------------------------------------------------------------
 *
 * resources.c
 *	  The kind "resources": CPU, kernel I/O and memory of statements.
 *
 * To ask the kernel costs more than all else that is done for a statement, so
 * executions are measured by chance.  Whether one is, is decided before it
 * begins, with a probability 1/k; what it used is added k times.  Such a sum has
 * the truth as its expectation, whatever k was, as long as k does not depend on
 * what is about to happen (Horvitz and Thompson, 1952).  The variance of the
 * estimate is the sum of k (k - 1) x^2 over what was measured.
 *
 * k is chosen for each statement so that measuring takes a share of what it
 * takes: 1 where it takes long, up to PGV_MAX_ONE_IN.  It follows the measured
 * executions, downwards at once and upwards slowly.
 *
 * Chance comes cheap: pgv_resources_left holds a random distance to the next
 * measurement, exponential with mean PGV_UNIT.  Each execution takes its
 * statement's share s off it, and is measured when nothing is left.  The
 * exponential distribution has no memory, so the probability is
 * 1 - exp(-s / PGV_UNIT) whatever came before; s is chosen to make it 1/k.  The
 * share stands in this backend's table of identities.
 *
 * Statements inside others are measured by dice of their own.  What they used
 * is added, as "nested", to the statement around them, with their own weight:
 * so total - nested is, in expectation, what a statement used itself, whether
 * its own execution was measured or not.
 *
 * The kernel's sum of CPU time is too coarse for what takes microseconds, and
 * asking for it takes as long.  But it counts context switches: where there was
 * none, the CPU time is the time.
 *
 * Records are added to this backend's pending slot and reach the store with the
 * others.  When the table is full, what leaves is added to the residual of its
 * database.
 *
 * Locks: the pending slot of this backend, for the few lines that add.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "access/xact.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "collect/resources.h"
#include "store/sane.h"

#define PGV_CALIBRATIONS 16
#define PGV_NEGLIGIBLE_MS 10.0	/* that one execution, as weighted, may have taken */
#define PGV_MAX_ONE_IN 1024
#define PGV_UNIT 4096.0			/* of shares, and of the distance that is left */
#define PGV_NEW_ONE_IN 32		/* of statements not met before ... */
#define PGV_NEW_US 1000			/* ... that come sooner than so after another */
#define PGV_US_PER_COST 40.0	/* a guess, rather too high: what a unit of cost takes */
#define PGV_BLOCK_BYTES 512		/* the unit of getrusage(2) */
#define PGV_MIN_MEMORY 8192.0
#define PGV_WITHOUT_LIMIT 2.0	/* percent to go by when there is no limit */
#define PGV_COLD 4				/* what is rare takes so many times what it takes in a loop */

PGV_HOT_DATA int32 pgv_resources_left = 0;

/* What a pair of readings takes; < 0: not known yet. */
static double reading_us = -1;
static double reading_cpu_ms;

/* ----- the kind ----- */

static int
resources_limit(void)
{
	return pgv_max_statements;
}

static void
add_use(PgvResourceUse *into, const PgvResourceUse *from, double weight)
{
	into->elapsed_ms += weight * from->elapsed_ms;
	into->user_ms += weight * from->user_ms;
	into->system_ms += weight * from->system_ms;
	into->read_bytes += weight * from->read_bytes;
	into->written_bytes += weight * from->written_bytes;
	into->major_faults += weight * from->major_faults;
	into->voluntary += weight * from->voluntary;
	into->involuntary += weight * from->involuntary;
}

static void
add_sum(PgvResourceUse *into, const PgvResourceUse *from)
{
	add_use(into, from, 1);
	into->cpu_variance += from->cpu_variance;
}

void
pgv_resources_add(PgvResourceEntry *into, const PgvResourceEntry *from)
{
	if (from->queryid != 0)
		into->queryid = from->queryid;
	into->measured += from->measured;
	into->stand_for += from->stand_for;
	add_sum(&into->total, &from->total);
	add_sum(&into->nested, &from->nested);
	into->workers_cpu_ms += from->workers_cpu_ms;
	into->memory_count += from->memory_count;
	into->memory_bytes += from->memory_bytes;
	into->memory_max = Max(into->memory_max, from->memory_max);
	for (int i = 0; i < PGV_MEMORY_BUCKETS; i++)
		into->memory[i] += Min(from->memory[i], PG_UINT32_MAX - into->memory[i]);
}

static int
resources_merge(void *entry, const void *delta, bool fresh, uint64 *surplus)
{
	pgv_resources_add(entry, delta);
	return 0;
}

static int
no_texts(const void *key, const void *entry, uint64 *ids)
{
	return 0;
}

static int
no_delta_texts(const void *delta, uint64 *ids)
{
	return 0;
}

static int
resources_worth(const void *data)
{
	const PgvResourceUse *use = &((const PgvResourceEntry *) data)->total;
	double		ms = Max(Min(use->elapsed_ms, 1e15), 1);

	return Min(UINT8_MAX, pg_leftmost_one_pos64((uint64) ms) * 6 + 3);
}

static bool
resources_negligible(const void *data)
{
	const PgvResourceEntry *delta = data;

	return delta->measured <= 2 && delta->total.elapsed_ms < PGV_NEGLIGIBLE_MS;
}

static void
resources_residual_key(const void *key, void *residual)
{
	PgvStatementKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvStatementKey *) key)->dbid;
}

bool
pgv_resources_is_residual(const void *key)
{
	return ((const PgvStatementKey *) key)->fingerprint == 0;
}

static void
resources_absorb(void *data, const void *from, bool fresh)
{
	PgvResourceEntry *residual = data;

	if (from != NULL)
		pgv_resources_add(residual, from);
	residual->queryid = 0;
}

static void
resources_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvResourceEntry));
}

static bool
use_valid(const PgvResourceUse *use)
{
	const double *sums = (const double *) use;

	return pgv_sane_times(sums, sizeof(PgvResourceUse) / sizeof(double));
}

static bool
resources_valid(const void *key_data, const void *data)
{
	const PgvStatementKey *key = key_data;
	const PgvResourceEntry *entry = data;

	if (key->toplevel > 1 ||
		(pgv_resources_is_residual(key) && (key->userid != InvalidOid || key->toplevel != 0)))
		return false;
	return pgv_sane_count(entry->measured) && use_valid(&entry->total) &&
		use_valid(&entry->nested) &&
		pgv_sane_time(entry->stand_for) && entry->stand_for >= 0 &&
		pgv_sane_time(entry->workers_cpu_ms) &&
		pgv_sane_time(entry->memory_count) && entry->memory_count >= 0 &&
		pgv_sane_time(entry->memory_bytes) && entry->memory_bytes >= 0 &&
		pgv_sane_time(entry->memory_max) && entry->memory_max >= 0;
}

const PgvKind pgv_kind_resources = {
	.name = "resources",
	.version = 1,
	.key_size = sizeof(PgvStatementKey),
	.entry_size = sizeof(PgvResourceEntry),
	.since_offset = offsetof(PgvResourceEntry, stats_since),
	.limit = resources_limit,
	.merge = resources_merge,
	.texts = no_texts,
	.delta_texts = no_delta_texts,
	.worth = resources_worth,
	.negligible = resources_negligible,
	.residual_key = resources_residual_key,
	.is_residual = pgv_resources_is_residual,
	.absorb = resources_absorb,
	.clear = resources_clear,
	.valid = resources_valid,
};

PgvPendingPart pgv_pending_resources = {
	.kind = &pgv_kind_resources,
	.delta_size = sizeof(PgvResourceEntry),
	.records = 4,
};

/* ----- memory ----- */

static int
memory_bucket(double bytes)
{
	int			bucket = bytes > PGV_MIN_MEMORY ?
		1 + (int) floor(2 * log2(bytes / PGV_MIN_MEMORY)) : 0;

	return Min(bucket, PGV_MEMORY_BUCKETS - 1);
}

double
pgv_resources_memory(const PgvResourceEntry *entry, double q)
{
	uint64		total = 0;
	uint64		seen = 0;
	int			bucket;
	double		middle;

	for (int i = 0; i < PGV_MEMORY_BUCKETS; i++)
		total += entry->memory[i];
	for (bucket = 0; bucket < PGV_MEMORY_BUCKETS - 1; bucket++)
	{
		seen += entry->memory[bucket];
		if (seen >= q * total)
			break;
	}
	/* half an octave: its middle is a quarter of one above its lower bound */
	middle = PGV_MIN_MEMORY * pow(2, (bucket - 0.5) / 2);
	return total > 0 ? Min(middle, entry->memory_max) : 0;
}

/* ----- measuring ----- */

static double
ms_of(const struct timeval *start, const struct timeval *end)
{
	return (end->tv_sec - start->tv_sec) * 1e3 + (end->tv_usec - start->tv_usec) / 1e3;
}

static double
cpu_between(const struct rusage *start, const struct rusage *end)
{
	return ms_of(&start->ru_utime, &end->ru_utime) + ms_of(&start->ru_stime, &end->ru_stime);
}

/* What two readings take: of time, at best; of CPU, on average. */
static void
calibrate(void)
{
	struct rusage first;
	struct rusage last;

	reading_us = 1e6;
	getrusage(RUSAGE_SELF, &first);
	for (int i = 0; i < PGV_CALIBRATIONS; i++)
	{
		instr_time	start;
		instr_time	end;

		INSTR_TIME_SET_CURRENT(start);
		getrusage(RUSAGE_SELF, &last);
		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_SUBTRACT(end, start);
		reading_us = Min(reading_us, 2 * INSTR_TIME_GET_MILLISEC(end) * 1e3);
	}
	reading_cpu_ms = cpu_between(&first, &last) / PGV_CALIBRATIONS;
}

/*
 * Of how many executions is one to be measured if one takes so long?  A quarter
 * of the share that pg_vitals may take at all is for this; planning and
 * execution are measured each by themselves.  Two readings in a loop were 1.35 us
 * where a measurement, with all that is done for it, took 6 to 10 of a session.
 */
static double
one_in(double elapsed_us)
{
	double		percent = pgv_max_overhead > 0 ? pgv_max_overhead : PGV_WITHOUT_LIMIT;
	double		k = PGV_COLD * reading_us / Max(elapsed_us * percent / 100 / 4, 1e-3);

	return Max(Min(k, PGV_MAX_ONE_IN), 1);
}

/* The share with which one in k is measured, and k of a share. */
static uint16
share_of(double k)
{
	double		share = k > 1 ? -log1p(-1 / k) * PGV_UNIT : PG_UINT16_MAX;

	/* what is left of 1 by then is nothing */
	return share >= PGV_SHARE_NEW ? PG_UINT16_MAX : (uint16) Max(share, 1);
}

static double
one_in_share(uint16 share)
{
	return share == PG_UINT16_MAX ? 1 : -1 / expm1(-share / PGV_UNIT);
}

/* The distance to the next measurement. */
static int32
random_distance(void)
{
	double		u = pg_prng_double(&pg_global_prng_state);

	return (int32) Min(-log(1 - u) * PGV_UNIT, PG_INT32_MAX / 2);
}

/*
 * Of how many executions is one to be measured of a statement that is new here?
 * Most are, for who knows what they take; but not where one new statement
 * follows the other.
 */
static double
one_in_new(const PgvStatementRef *ref, QueryDesc *query)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentStatementStartTimestamp();

	if (now - last >= PGV_NEW_US || now < last)
	{
		if (query != NULL)
			last = now;
		return 1;
	}
	if (query != NULL)
		return Min(PGV_NEW_ONE_IN,
				   one_in(query->plannedstmt->planTree->total_cost * PGV_US_PER_COST));
	return ref->optimisable ? PGV_NEW_ONE_IN : 1;
}

/* Comes here by chance, or because the statement is new. */
void
pgv_resources_read(PgvReading *reading, const PgvStatementRef *ref, QueryDesc *query)
{
	double		k;

	pgv_resources_left = random_distance();
	if (unlikely(reading_us < 0))
		calibrate();
	if (*ref->share != PGV_SHARE_NEW)
		k = one_in_share(*ref->share);
	else
	{
		k = one_in_new(ref, query);
		if (query != NULL)
			*ref->share = share_of(k);
		if (pg_prng_double(&pg_global_prng_state) * k >= 1)
			return;
	}
	reading->weight = k;
	getrusage(RUSAGE_SELF, &reading->at);
}

/* The statement takes so long: how often is it to be measured from now on? */
static void
follow(uint16 *share, double elapsed_ms)
{
	double		now = one_in(elapsed_ms * 1e3);
	double		before = *share == PGV_SHARE_NEW ? now : one_in_share(*share);

	*share = share_of(now <= before ? now : before + (now - before) / 4);
}

/*
 * A process that was not switched out has had its processor all the time; for
 * all else the kernel's sum counts, without what it takes to ask for it.
 */
static void
set_cpu(PgvResourceUse *use, const struct rusage *start, const struct rusage *end)
{
	double		measured = cpu_between(start, end);
	double		cpu = use->elapsed_ms;

	if (use->voluntary + use->involuntary > 0)
		cpu = Max(Min(measured - reading_cpu_ms, cpu), 0);
	use->system_ms = measured > 0 ? cpu * ms_of(&start->ru_stime, &end->ru_stime) / measured : 0;
	use->user_ms = cpu - use->system_ms;
}

static void
difference(PgvResourceUse *use, const struct rusage *start, double elapsed_ms)
{
	struct rusage end;

	getrusage(RUSAGE_SELF, &end);
	use->elapsed_ms = elapsed_ms;
	use->cpu_variance = 0;
	use->read_bytes = (double) (end.ru_inblock - start->ru_inblock) * PGV_BLOCK_BYTES;
	use->written_bytes = (double) (end.ru_oublock - start->ru_oublock) * PGV_BLOCK_BYTES;
	use->major_faults = end.ru_majflt - start->ru_majflt;
	use->voluntary = end.ru_nvcsw - start->ru_nvcsw;
	use->involuntary = end.ru_nivcsw - start->ru_nivcsw;
	set_cpu(use, start, &end);
}

static void
add_weighted(PgvResourceUse *into, const PgvResourceUse *use, double weight)
{
	double		cpu = use->user_ms + use->system_ms;

	add_use(into, use, weight);
	into->cpu_variance += weight * (weight - 1) * cpu * cpu;
}

/* The pending record of a statement; the slot is locked. */
static PgvResourceEntry *
record_of(const PgvStatementRef *ref, uint8 *hint)
{
	PgvStatementKey key;
	PgvResourceEntry *record;

	pgv_statement_key(&key, ref);
	record = pgv_pending_find(&pgv_pending_resources, &key, hint);
	if (record == NULL)
		record = pgv_pending_add(&pgv_pending_resources, &key, hint);
	if (ref->fingerprint != 0)
		record->queryid = ref->queryid;
	return record;
}

static void
add_memory(PgvResourceEntry *record, double bytes, double weight)
{
	uint32	   *bucket = &record->memory[memory_bucket(bytes)];
	uint32		count = (uint32) rint(weight);

	record->memory_count += weight;
	record->memory_bytes += weight * bytes;
	record->memory_max = Max(record->memory_max, bytes);
	*bucket += Min(count, PG_UINT32_MAX - *bucket);
}

void
pgv_resources_end(const PgvReading *reading, const PgvStatementRef *ref,
				  const PgvStatementRef *outer, QueryDesc *query, double elapsed_ms)
{
	static uint8 hint = 0;
	static uint8 outer_hint = 0;
	PgvResourceUse use;
	PgvResourceEntry *record;
	Size		bytes = 0;

	difference(&use, &reading->at, elapsed_ms);
	/* plannings are measured as often as executions, whatever they take */
	if (query != NULL || !ref->optimisable)
		follow(ref->share, elapsed_ms);
	if (query != NULL && query->estate != NULL)
		bytes = MemoryContextMemAllocated(query->estate->es_query_cxt, true);
	pgv_pending_lock();
	record = record_of(ref, &hint);
	record->measured++;
	record->stand_for += reading->weight;
	add_weighted(&record->total, &use, reading->weight);
	if (bytes > 0)
		add_memory(record, (double) bytes, reading->weight);
	if (outer != NULL)
		add_weighted(&record_of(outer, &outer_hint)->nested, &use, reading->weight);
	pgv_pending_unlock();
}

void
pgv_resources_worker(const PgvStatementRef *leaders, const struct rusage *start)
{
	static uint8 hint = 0;
	struct rusage end;

	getrusage(RUSAGE_SELF, &end);
	pgv_pending_lock();
	record_of(leaders, &hint)->workers_cpu_ms += cpu_between(start, &end);
	pgv_pending_unlock();
}
