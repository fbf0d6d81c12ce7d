/*-------------------------------------------------------------------------
 *
 * differences.c
 *	  What was active since one last looked.
 *
 * Who looks keeps, in private memory, what each statement's counters were: at
 * most as many as the table holds.  An entry is known by its key and by since
 * when it is there, which the store never gives twice under one key.  So
 *
 *	  a life that was known		its counters less what they were
 *	  a new life				its counters
 *	  the residuals, all of them	what they have grown, less what was known of
 *							the lives that are gone, for those were added to
 *							them whole
 *
 * A life can also have gone by a reset, and then nothing was added to a
 * residual.  So a reset adds up what it removes ("forgotten"), residuals
 * included, and the growth of that counts as growth of the residuals.  The lock
 * keeps a reset from going on while the table is scanned, and what was found is
 * written to its place: an entry has either been removed and added up, or neither.  After a reset of everything
 * whatever was known is void, and all lives are new.
 *
 * All of this is a sum that stays exact: entries move between the table and the
 * residuals within a partition, which a scan sees at one moment.
 *
 * What was waited (watch/waited) is no difference: it is taken as it is, and joined
 * to the rows.
 *
 * N+1 bursts are counted the same way, but findings have no residuals: those of
 * a finding that was pushed out before it was looked at are missing.
 *
 * Memory: shared, what resets removed, guarded by the one lock.  Private, a hash
 * table each of statements and findings, the histograms in it sparse.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "collect/findings.h"
#include "collect/pending.h"
#include "store/store.h"
#include "watch/differences.h"

#define PGV_DIFFERENCES_TRANCHE "pg_vitals_differences"

/* Sums with a histogram. */
typedef struct PgvTotal
{
	PgvWork		sums;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvTotal;

typedef struct PgvSharedForgotten
{
	uint64		epoch;			/* number of resets of everything */
	PgvTotal	total;			/* removed by others since then */
} PgvSharedForgotten;

typedef struct PgvBucketCount
{
	uint64		count;
	uint16		bucket;
} PgvBucketCount;

/* What was known of one life of a statement. */
typedef struct PgvKnownStatement
{
	PgvStatementKey key;
	TimestampTz since;
	uint64		look;			/* the last that has seen it */
	PgvWork		sums;
	uint16		nbuckets;
	uint16		room;
	PgvBucketCount *buckets;
} PgvKnownStatement;

typedef struct PgvKnownFinding
{
	PgvFindingKey key;
	TimestampTz since;
	uint64		look;
	int64		bursts;
} PgvKnownFinding;

/* Bursts since the last look, by the statement that was repeated. */
typedef struct PgvBursts
{
	PgvStatementKey key;
	uint64		queryid;
	int64		bursts;
	bool		told;
} PgvBursts;

struct PgvDifferences
{
	int			reader;			/* of watch/waited */
	MemoryContext parent;
	MemoryContext context;		/* of all below */
	HTAB	   *statements;
	HTAB	   *findings;
	bool		valid;
	uint64		look;			/* number of the present one */
	uint64		epoch;
	PgvTotal	residuals;
	PgvTotal	forgotten;
};

/* One look at the table. */
typedef struct PgvLook
{
	PgvDifferences *d;
	PgvActiveRows *rows;
	int			room;
	HTAB	   *bursts;
	PgvWaitedTable *waited;		/* NULL: there is none */
	PgvTotal	residuals;
} PgvLook;

static PgvSharedForgotten *shared = NULL;
static LWLock *lock = NULL;

Size
pgv_differences_shmem_size(void)
{
	return sizeof(PgvSharedForgotten);
}

int
pgv_differences_locks(void)
{
	return 1;
}

void
pgv_differences_shmem_init(void)
{
	bool		found;

	lock = &GetNamedLWLockTranche(PGV_DIFFERENCES_TRANCHE)->lock;
	shared = ShmemInitStruct("pg_vitals differences", pgv_differences_shmem_size(), &found);
	if (!found)
		memset(shared, 0, pgv_differences_shmem_size());
}

/* ----- sums ----- */

void
pgv_work_add(PgvWork *into, const PgvWork *from, int sign)
{
	into->calls += sign * from->calls;
	into->failures += sign * from->failures;
	into->rows += sign * from->rows;
	into->plan_ms += sign * from->plan_ms;
	into->exec_ms += sign * from->exec_ms;
	into->shared_hit += sign * from->shared_hit;
	into->shared_read += sign * from->shared_read;
	into->temp_read += sign * from->temp_read;
	into->temp_written += sign * from->temp_written;
	into->bursts += sign * from->bursts;
}

static void
work_of(const PgvStatementEntry *entry, PgvWork *sums)
{
	const PgvStatementCounters *c = &entry->counters;

	sums->calls = c->calls;
	sums->failures = c->failures;
	sums->rows = c->rows;
	sums->plan_ms = c->plan.total;
	sums->exec_ms = c->exec.total;
	sums->shared_hit = c->blocks[PGV_SHARED_HIT];
	sums->shared_read = c->blocks[PGV_SHARED_READ];
	sums->temp_read = c->blocks[PGV_TEMP_READ];
	sums->temp_written = c->blocks[PGV_TEMP_WRITTEN];
	sums->bursts = 0;
}

static void
add_entry(PgvTotal *into, const PgvStatementEntry *entry)
{
	PgvWork		sums;

	work_of(entry, &sums);
	pgv_work_add(&into->sums, &sums, 1);
	pgv_statements_add_buckets(into->buckets, entry);
}

/* What a total has grown is added to what has no row, and the old one renewed. */
static void
add_growth(PgvActiveRows *rows, PgvTotal *old, const PgvTotal *now)
{
	pgv_work_add(&rows->other, &now->sums, 1);
	pgv_work_add(&rows->other, &old->sums, -1);
	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
		rows->other_buckets[i] += now->buckets[i] - old->buckets[i];
	*old = *now;
}

/* A life that is gone is in the residuals, or was forgotten, as a whole. */
static void
subtract_known(PgvActiveRows *rows, const PgvKnownStatement *known)
{
	pgv_work_add(&rows->other, &known->sums, -1);
	for (int i = 0; i < known->nbuckets; i++)
		rows->other_buckets[known->buckets[i].bucket] -= known->buckets[i].count;
}

/* ----- rows ----- */

static Size
row_size(uint32 nparts, uint32 nbuckets)
{
	return MAXALIGN(offsetof(PgvActiveRow, part) + nparts * (sizeof(double) + sizeof(uint8)) +
					nbuckets * (sizeof(uint32) + sizeof(uint16)));
}

Size
pgv_active_row_size(const PgvActiveRow *row)
{
	return row_size(row->nparts, row->nbuckets);
}

Size
pgv_active_row_most(void)
{
	return row_size(PGV_WAITED_PARTS, PGV_HISTOGRAM_BUCKETS);
}

/* What stands behind a row. */
static uint32 *
row_counts(const PgvActiveRow *row)
{
	return (uint32 *) (row->part + row->nparts);
}

static uint16 *
row_buckets(const PgvActiveRow *row)
{
	return (uint16 *) (row_counts(row) + row->nbuckets);
}

static uint8 *
row_parts(const PgvActiveRow *row)
{
	return (uint8 *) (row_buckets(row) + row->nbuckets);
}

void
pgv_active_row_spread(uint64 *buckets, const PgvActiveRow *row)
{
	const uint32 *count = row_counts(row);
	const uint16 *bucket = row_buckets(row);

	for (uint32 i = 0; i < row->nbuckets; i++)
		buckets[bucket[i]] += count[i];
}

void
pgv_active_row_spread_waited(PgvWaited *waited, const PgvActiveRow *row)
{
	const uint8 *part = row_parts(row);

	for (uint32 i = 0; i < row->nparts; i++)
		waited->part[part[i]] += row->part[i];
}

static void
set_buckets(PgvActiveRow *row, const uint64 *buckets)
{
	uint32	   *count = row_counts(row);
	uint16	   *bucket = row_buckets(row);

	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
	{
		if (buckets[i] == 0)
			continue;
		*count++ = (uint32) Min(buckets[i], PG_UINT32_MAX);
		*bucket++ = (uint16) i;
	}
}

static void
set_parts(PgvActiveRow *row, const PgvWaited *waited)
{
	uint8	   *part = row_parts(row);
	uint32		n = 0;

	for (int i = 0; n < row->nparts; i++)
	{
		if (waited->part[i] == 0)
			continue;
		row->part[n] = waited->part[i];
		part[n++] = (uint8) i;
	}
}

PgvActiveRow *
pgv_active_row_make(const PgvStatementKey *key, uint64 queryid, const PgvWork *sums,
					const PgvWaited *waited, const uint64 *buckets)
{
	uint32		nbuckets = 0;
	uint32		nparts = 0;
	PgvActiveRow *row;

	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
		nbuckets += buckets[i] != 0;
	for (int i = 0; waited != NULL && i < PGV_WAITED_PARTS; i++)
		nparts += waited->part[i] != 0;
	row = palloc0(row_size(nparts, nbuckets));
	row->key = *key;
	row->queryid = queryid;
	row->sums = *sums;
	row->nbuckets = nbuckets;
	row->nparts = nparts;
	set_buckets(row, buckets);
	set_parts(row, waited);
	return row;
}

static void
add_row(PgvLook *look, PgvActiveRow *row)
{
	PgvActiveRows *rows = look->rows;

	if (rows->n == look->room)
	{
		look->room *= 2;
		rows->row = repalloc_huge(rows->row, look->room * sizeof(PgvActiveRow *));
	}
	rows->row[rows->n++] = row;
}

/* ----- what is known ----- */

static HTAB *
make_hash(const char *name, Size key_size, Size entry_size, MemoryContext context)
{
	HASHCTL		ctl = {0};

	ctl.keysize = key_size;
	ctl.entrysize = entry_size;
	ctl.hcxt = context;
	return hash_create(name, 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
know_nothing(PgvDifferences *d)
{
	if (d->context != NULL)
		MemoryContextDelete(d->context);
	d->context = AllocSetContextCreate(d->parent, "pg_vitals differences",
									   ALLOCSET_DEFAULT_SIZES);
	d->statements = make_hash("pg_vitals known statements", sizeof(PgvStatementKey),
							  sizeof(PgvKnownStatement), d->context);
	d->findings = make_hash("pg_vitals known findings", sizeof(PgvFindingKey),
							sizeof(PgvKnownFinding), d->context);
	memset(&d->residuals, 0, sizeof(d->residuals));
	memset(&d->forgotten, 0, sizeof(d->forgotten));
}

PgvDifferences *
pgv_differences_create(MemoryContext context, int reader)
{
	PgvDifferences *d = MemoryContextAllocZero(context, sizeof(PgvDifferences));

	d->reader = reader;
	d->parent = context;
	return d;
}

/* Remember a dense histogram. */
static void
know_buckets(PgvDifferences *d, PgvKnownStatement *known, const uint64 *buckets)
{
	int			n = 0;

	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
		n += buckets[i] != 0;
	if (n > known->room)
	{
		int			room = Min(n + n / 2, PGV_HISTOGRAM_BUCKETS);
		PgvBucketCount *made = MemoryContextAlloc(d->context,
												  room * sizeof(PgvBucketCount));

		if (known->buckets != NULL)
			pfree(known->buckets);
		known->buckets = made;
		known->room = (uint16) room;
	}
	known->nbuckets = 0;
	for (int i = 0; i < PGV_HISTOGRAM_BUCKETS; i++)
	{
		if (buckets[i] == 0)
			continue;
		known->buckets[known->nbuckets].bucket = (uint16) i;
		known->buckets[known->nbuckets++].count = buckets[i];
	}
}

/*
 * What is known of an entry's life; where nothing is, a life of its own with
 * nothing in it.  What was known of an earlier one is settled.
 */
static PgvKnownStatement *
known_life(PgvLook *look, const PgvStatementKey *key, TimestampTz since)
{
	bool		found;
	PgvKnownStatement *known = hash_search(look->d->statements, key, HASH_ENTER, &found);

	if (!found)
	{
		known->nbuckets = known->room = 0;
		known->buckets = NULL;
	}
	else if (known->since != since)
		subtract_known(look->rows, known);
	if (!found || known->since != since)
	{
		memset(&known->sums, 0, sizeof(known->sums));
		known->nbuckets = 0;
		known->since = since;
	}
	known->look = look->d->look;
	return known;
}

/* ----- a look ----- */

/* N+1 bursts of this statement since the last look. */
static int64
take_bursts(PgvLook *look, const PgvStatementKey *key)
{
	PgvBursts  *b = hash_search(look->bursts, key, HASH_FIND, NULL);

	if (b == NULL)
		return 0;
	b->told = true;
	return b->bursts;
}

/* What this statement was seen waiting for since; NULL: nothing. */
static const PgvWaited *
take_waited(PgvLook *look, const PgvStatementKey *key)
{
	PgvWaitedStatement *s = look->waited != NULL ? pgv_waited_find(look->waited, key) : NULL;

	if (s == NULL)
		return NULL;
	s->told = true;
	return &s->waited;
}

static bool
look_at_statement(const void *key, const void *data, void *arg)
{
	PgvLook    *look = arg;
	const PgvStatementEntry *entry = data;
	PgvKnownStatement *known;
	PgvWork		now;
	PgvWork		sums;
	const PgvWaited *waited;
	uint64		dense[PGV_HISTOGRAM_BUCKETS] = {0};

	if (pgv_statements_is_residual(key))
	{
		add_entry(&look->residuals, entry);
		return true;
	}
	known = known_life(look, key, entry->stats_since);
	work_of(entry, &now);
	sums = now;
	pgv_work_add(&sums, &known->sums, -1);
	sums.bursts = take_bursts(look, key);
	waited = take_waited(look, key);
	if (memcmp(&now, &known->sums, sizeof(now)) == 0 && sums.bursts == 0 && waited == NULL)
		return true;
	known->sums = now;
	pgv_statements_add_buckets(dense, entry);
	for (int i = 0; i < known->nbuckets; i++)
		dense[known->buckets[i].bucket] -= known->buckets[i].count;
	add_row(look, pgv_active_row_make(key, entry->counters.queryid, &sums, waited, dense));
	for (int i = 0; i < known->nbuckets; i++)
		dense[known->buckets[i].bucket] += known->buckets[i].count;
	know_buckets(look->d, known, dense);
	return true;
}

static bool
look_at_finding(const void *key_data, const void *data, void *arg)
{
	PgvLook    *look = arg;
	const PgvFindingKey *key = key_data;
	const PgvFinding *finding = data;
	PgvStatementKey of = {key->dbid, key->userid, key->fingerprint,
	key->kind < PGV_FINDING_SPI_LOOP};
	bool		found;
	PgvKnownFinding *known = hash_search(look->d->findings, key, HASH_ENTER, &found);
	int64		bursts = finding->bursts;
	PgvBursts  *b;

	if (found && known->since == finding->stats_since)
		bursts -= known->bursts;
	known->since = finding->stats_since;
	known->bursts = finding->bursts;
	known->look = look->d->look;
	if (bursts <= 0 || finding->confidence == PGV_SUSPECTED)
		return true;
	b = hash_search(look->bursts, &of, HASH_ENTER, &found);
	if (!found)
	{
		b->bursts = 0;
		b->told = false;
		b->queryid = finding->queryid;
	}
	b->bursts += bursts;
	return true;
}

/* Lives and findings that were not seen are gone. */
static void
settle_gone(PgvLook *look)
{
	HASH_SEQ_STATUS seq;
	PgvKnownStatement *known;
	PgvKnownFinding *finding;

	hash_seq_init(&seq, look->d->statements);
	while ((known = hash_seq_search(&seq)) != NULL)
	{
		if (known->look == look->d->look)
			continue;
		subtract_known(look->rows, known);
		if (known->buckets != NULL)
			pfree(known->buckets);
		hash_search(look->d->statements, &known->key, HASH_REMOVE, NULL);
	}
	hash_seq_init(&seq, look->d->findings);
	while ((finding = hash_seq_search(&seq)) != NULL)
	{
		if (finding->look != look->d->look)
			hash_search(look->d->findings, &finding->key, HASH_REMOVE, NULL);
	}
}

/* Bursts of statements that did nothing else, or have no entry any more. */
static void
tell_other_bursts(PgvLook *look)
{
	static const uint64 none[PGV_HISTOGRAM_BUCKETS];
	HASH_SEQ_STATUS seq;
	PgvBursts  *b;

	hash_seq_init(&seq, look->bursts);
	while ((b = hash_seq_search(&seq)) != NULL)
	{
		PgvWork		sums = {0};

		if (b->told)
			continue;
		sums.bursts = b->bursts;
		add_row(look, pgv_active_row_make(&b->key, b->queryid, &sums,
										  take_waited(look, &b->key), none));
	}
}

/* Waits of statements that have not ended once, or have no entry any more. */
static void
tell_other_waits(PgvLook *look)
{
	static const uint64 none[PGV_HISTOGRAM_BUCKETS];
	static const PgvWork nothing;
	static const PgvWaited nowhere;
	PgvWaitedStatement *s;
	uint32		place = 0;

	if (look->waited == NULL)
		return;
	look->rows->sampled_ms = look->waited->sampled_ms;
	look->rows->other_waited = look->waited->other;
	while ((s = pgv_waited_next(look->waited, &place)) != NULL)
	{
		if (!s->told && memcmp(&s->waited, &nowhere, sizeof(nowhere)) != 0)
			add_row(look, pgv_active_row_make(&s->key, s->queryid, &nothing, &s->waited, none));
	}
}

/* Times are sums of many in another order each time: a trace may be left of 0. */
static void
round_off(PgvWork *sums)
{
	sums->plan_ms = Max(sums->plan_ms, 0);
	sums->exec_ms = Max(sums->exec_ms, 0);
}

void
pgv_differences_hold(void)
{
	LWLockAcquire(lock, LW_SHARED);
}

void
pgv_differences_release(void)
{
	LWLockRelease(lock);
}

PgvActiveRows *
pgv_differences_take(PgvDifferences *d)
{
	PgvLook    *look = palloc0(sizeof(PgvLook));
	bool		valid = d->valid;

	look->d = d;
	look->room = 64;
	look->rows = palloc0(sizeof(PgvActiveRows));
	look->rows->row = palloc(look->room * sizeof(PgvActiveRow *));
	look->bursts = make_hash("pg_vitals bursts", sizeof(PgvStatementKey),
							 sizeof(PgvBursts), CurrentMemoryContext);
	look->waited = pgv_waited_take(d->reader);
	d->valid = false;
	d->look++;
	pgv_pending_collect();
	if (!valid || d->epoch != shared->epoch)
	{
		know_nothing(d);
		d->epoch = shared->epoch;
	}
	pgv_store_scan(&pgv_kind_findings, look_at_finding, look);
	pgv_store_scan(&pgv_kind_statements, look_at_statement, look);
	add_growth(look->rows, &d->forgotten, &shared->total);
	add_growth(look->rows, &d->residuals, &look->residuals);
	settle_gone(look);
	tell_other_bursts(look);
	tell_other_waits(look);
	round_off(&look->rows->other);
	d->valid = true;
	return valid ? look->rows : NULL;
}

/* ----- resets ----- */

void
pgv_differences_reset_begin(bool everything)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (!everything)
		return;
	shared->epoch++;
	memset(&shared->total, 0, sizeof(shared->total));
}

void
pgv_differences_reset_entry(const PgvStatementEntry *entry)
{
	add_entry(&shared->total, entry);
}

void
pgv_differences_reset_end(void)
{
	LWLockRelease(lock);
}
