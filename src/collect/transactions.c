/*-------------------------------------------------------------------------
 *
 * transactions.c
 *	  The kind "transactions": what transactions of several statements cost, by
 *	  the sequence of their statements.
 *
 * Counted are the blocks between a client's BEGIN and its end, and transactions
 * of several statements without one: a message of several statements, or a
 * pipeline before its Sync.  A single statement in a transaction of its own is
 * counted as a statement already; it costs a few stores here, and so does one of
 * a procedure's transactions.
 *
 * A transaction's time is divided without a remainder:
 *
 *	 arrival of BEGIN                                      committed
 *	 |                                                             |
 *	 | BEGIN |.....| statement |..| statement |...| COMMIT |=======|
 *	 executing idle  executing       executing    executing  commit
 *
 * Idle is from the end of a statement to the arrival of the next message, and is
 * added up as messages arrive; commit, from the end of COMMIT to where it is
 * durable and visible, deferred triggers included.  All else is executing:
 * parsing, planning, executing, answering.  A transaction that an error aborts
 * is over with that; what the client does before its ROLLBACK is not in it.
 *
 * What it has done so far stands in a place in shared memory, written by its
 * backend alone without a lock, for who wants to know what is going on.  The
 * sums reach the kind by a record of the backend's pending slot, once at the
 * transaction's end.
 *
 *	 places		one for each possible process: PgvTransactionNow
 *	 kind		an entry for each database, role, application, route, shape
 *
 * When the table is full, what leaves is added to a residual entry of its
 * database: sums are exact.
 *
 * Locks: the pending slot of this backend, for the few lines that add.  What runs
 * in the store's callbacks runs under a partition's lock and touches nothing but
 * its arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/server.h"
#include "base/settings.h"
#include "collect/now.h"
#include "collect/routes.h"
#include "collect/transactions.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_NEGLIGIBLE_MS 10.0	/* that so few transactions may have taken */
#define PGV_NEGLIGIBLE_CALLS 4
#define PGV_PLACE_SIZE CACHELINEALIGN(sizeof(PgvTransactionNow))

/* Where there is no place in shared memory. */
static PgvTransactionNow nowhere;

PGV_HOT_DATA PgvTransaction pgv_transaction = {.now = &nowhere};

static char *places = NULL;
static TimestampTz last_end = 0;	/* of a transaction that was counted */

/* ----- adding ----- */

static void
add_times(PgvTransactionCounters *into, const PgvTransactionCounters *from)
{
	int64		n = pgv_transactions_calls(into);

	into->total_ms += from->total_ms;
	into->idle_ms += from->idle_ms;
	into->commit_ms += from->commit_ms;
	if (pgv_transactions_calls(from) == 0)
		return;
	into->min_ms = n > 0 ? Min(into->min_ms, from->min_ms) : from->min_ms;
	if (n == 0 || from->max_ms > into->max_ms)
	{
		into->max_ms = from->max_ms;
		into->longest = from->longest;
	}
}

void
pgv_transactions_add(PgvTransactionCounters *into, const PgvTransactionCounters *from)
{
	add_times(into, from);
	into->committed += from->committed;
	into->rolled_back += from->rolled_back;
	into->prepared += from->prepared;
	into->failures += from->failures;
	into->statements += from->statements;
	into->max_statements = Max(into->max_statements, from->max_statements);
	for (int i = 0; i < PGV_NROWS; i++)
		into->rows[i] += from->rows[i];
	into->wal_records += from->wal_records;
	into->wal_fpi += from->wal_fpi;
	into->wal_bytes += from->wal_bytes;
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	into->last_seen = Max(into->last_seen, from->last_seen);
}

static inline PgvBucketsTail *
tail_of(const PgvTransactionEntry *entry)
{
	return pgv_store_tail(&pgv_kind_transactions, entry);
}

void
pgv_transactions_add_buckets(uint64 *buckets, const PgvTransactionEntry *from)
{
	pgv_buckets_sum(buckets, &from->buckets, tail_of(from));
}

/* ----- the kind ----- */

static int
transactions_limit(void)
{
	return Max(200, pgv_max_statements / 5);
}

static int
transactions_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvTransactionEntry *entry = data;
	const PgvTransactionDelta *delta = delta_data;

	if (fresh)
	{
		memcpy(entry->application, delta->application, sizeof(entry->application));
		entry->steps = delta->steps;
	}
	pgv_transactions_add(&entry->counters, &delta->counters);
	pgv_buckets_merge(&entry->buckets, tail_of(entry), &delta->buckets);
	if (!delta->counters.has_text)
		return 0;
	if (entry->counters.has_text)
	{
		surplus[0] = delta->route;
		return 1;
	}
	entry->counters.has_text = true;
	return 0;
}

static int
transactions_texts(const void *key, const void *entry, uint64 *ids)
{
	if (!((const PgvTransactionEntry *) entry)->counters.has_text)
		return 0;
	ids[0] = ((const PgvTransactionKey *) key)->route;
	return 1;
}

static int
transactions_delta_texts(const void *data, uint64 *ids)
{
	const PgvTransactionDelta *delta = data;

	if (!delta->counters.has_text)
		return 0;
	ids[0] = delta->route;
	return 1;
}

static void
transactions_lose_text(void *entry, uint64 id)
{
	((PgvTransactionEntry *) entry)->counters.has_text = false;
}

/* Each doubling of calls, and more so of milliseconds, makes an entry last. */
static int
transactions_worth(const void *data)
{
	const PgvTransactionCounters *c = &((const PgvTransactionEntry *) data)->counters;
	int			calls = pg_leftmost_one_pos64((uint64) Max(pgv_transactions_calls(c), 1));
	int			ms = pg_leftmost_one_pos64((uint64) Max(Min(c->total_ms, 1e15), 1));

	return Min(UINT8_MAX, calls * 3 + ms * 6);
}

/* Sequences that somebody makes up by hand come to this. */
static bool
transactions_negligible(const void *data)
{
	const PgvTransactionCounters *c = &((const PgvTransactionDelta *) data)->counters;

	return pgv_transactions_calls(c) <= PGV_NEGLIGIBLE_CALLS &&
		c->failures == 0 && c->total_ms < PGV_NEGLIGIBLE_MS;
}

static void
transactions_residual_key(const void *key, void *residual)
{
	PgvTransactionKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvTransactionKey *) key)->dbid;
}

bool
pgv_transactions_is_residual(const void *key)
{
	return ((const PgvTransactionKey *) key)->shape == 0;
}

static void
transactions_absorb(void *data, const void *from, bool fresh)
{
	PgvTransactionEntry *residual = data;

	if (from != NULL)
	{
		const PgvTransactionEntry *entry = from;

		pgv_transactions_add(&residual->counters, &entry->counters);
		pgv_buckets_absorb(&residual->buckets, tail_of(residual),
						   &entry->buckets, tail_of(entry));
	}
	/* a residual is nobody's */
	residual->counters.has_text = false;
	memset(&residual->steps, 0, sizeof(residual->steps));
	memset(residual->application, 0, sizeof(residual->application));
}

static void
transactions_clear(void *data)
{
	PgvTransactionEntry *entry = data;

	pgv_buckets_clear_tail(&entry->buckets, tail_of(entry));
	memset(entry, 0, sizeof(PgvTransactionEntry));
}

static bool
transactions_uses_tail(const void *entry)
{
	return ((const PgvTransactionEntry *) entry)->buckets.has_tail;
}

static bool
counters_valid(const PgvTransactionCounters *c)
{
	return pgv_sane_bool(&c->has_text) && pgv_sane_count(c->committed) &&
		pgv_sane_count(c->rolled_back) && pgv_sane_count(c->prepared) &&
		pgv_sane_count(c->failures) && pgv_sane_count(c->statements) &&
		pgv_sane_count(c->max_statements) && pgv_sane_counts(c->rows, PGV_NROWS) &&
		pgv_sane_count(c->wal_records) && pgv_sane_count(c->wal_fpi) &&
		pgv_sane_count(c->wal_bytes) && pgv_sane_time(c->total_ms) &&
		pgv_sane_time(c->min_ms) && pgv_sane_time(c->max_ms) &&
		pgv_sane_time(c->idle_ms) && pgv_sane_time(c->commit_ms) &&
		pgv_sane_instant(c->longest) && pgv_sane_instant(c->first_seen) &&
		pgv_sane_instant(c->last_seen);
}

static bool
transactions_valid(const void *key_data, const void *data)
{
	const PgvTransactionKey *key = key_data;
	const PgvTransactionEntry *entry = data;
	const PgvTransactionCounters *c = &entry->counters;

	if (!counters_valid(c) || !pgv_sane_name(entry->application) ||
		entry->steps.length > PG_UINT32_MAX || (key->route == 0 && c->has_text))
		return false;
	if (pgv_transactions_is_residual(key) &&
		(key->userid != InvalidOid || key->application != 0 || key->route != 0))
		return false;
	return pgv_buckets_valid(&entry->buckets, tail_of(entry), pgv_transactions_calls(c));
}

const PgvKind pgv_kind_transactions = {
	.name = "transactions",
	.version = 1,
	.key_size = sizeof(PgvTransactionKey),
	.entry_size = sizeof(PgvTransactionEntry),
	.since_offset = offsetof(PgvTransactionEntry, stats_since),
	.tail_size = sizeof(PgvBucketsTail),
	.limit = transactions_limit,
	.merge = transactions_merge,
	.texts = transactions_texts,
	.delta_texts = transactions_delta_texts,
	.lose_text = transactions_lose_text,
	.worth = transactions_worth,
	.negligible = transactions_negligible,
	.residual_key = transactions_residual_key,
	.is_residual = pgv_transactions_is_residual,
	.absorb = transactions_absorb,
	.clear = transactions_clear,
	.uses_tail = transactions_uses_tail,
	.valid = transactions_valid,
	.fits = pgv_routes_fits,
};

PgvPendingPart pgv_pending_transactions = {
	.kind = &pgv_kind_transactions,
	.delta_size = sizeof(PgvTransactionDelta),
	.records = 4,
};

/* ----- the places ----- */

Size
pgv_transactions_shmem_size(void)
{
	/* one more, for the place itself may not be aligned so */
	return add_size(PG_CACHE_LINE_SIZE, mul_size(pgv_now_slots(), PGV_PLACE_SIZE));
}

void
pgv_transactions_shmem_init(void)
{
	bool		found;
	char	   *start = ShmemInitStruct("pg_vitals transactions now",
										pgv_transactions_shmem_size(), &found);

	if (!found)
		memset(start, 0, pgv_transactions_shmem_size());
	places = (char *) CACHELINEALIGN(start);
	pgv_transaction.now = &nowhere;
}

static inline PgvTransactionNow *
place_at(int i)
{
	return (PgvTransactionNow *) (places + i * PGV_PLACE_SIZE);
}

/* Once per backend: take the place of its process. */
static void
find_place(void)
{
	static int	tried = 0;
	int			procno = PGV_PROCNO();

	if (tried == MyProcPid || places == NULL || procno < 0 || procno >= pgv_now_slots())
		return;
	tried = MyProcPid;
	pgv_transaction.now = place_at(procno);
	pgv_transaction.now->start = 0;
	pg_write_barrier();
	pgv_transaction.now->pid = MyProcPid;
}

bool
pgv_transactions_read(int slot, int pid, TimestampTz start, PgvTransactionNow *copy)
{
	const PgvTransactionNow *place = place_at(slot);

	*copy = *(const volatile PgvTransactionNow *) place;
	pg_read_barrier();
	return start != 0 && copy->pid == pid && copy->start == start &&
		*(const volatile TimestampTz *) &place->start == start;
}

/* ----- a transaction's way ----- */

static pg_attribute_hot void
begin(const PgvStatementRef *ref)
{
	PgvTransaction *x = &pgv_transaction;
	PgvTransactionNow *now;

	if (unlikely(x->now == &nowhere))
		find_place();
	now = x->now;
	now->start = 0;
	pg_write_barrier();
	now->statements = 0;
	memset(now->rows, 0, sizeof(now->rows));
	now->idle_us = 0;
	pg_write_barrier();
	now->start = x->missed ? 0 : GetCurrentTransactionStartTimestamp();
	x->open = true;
	x->block = x->chain;
	x->asked = x->chain = x->roles = false;
	x->userid = ref->userid;
	x->route = 0;
	x->commit_start = 0;
	x->wal = pgWalUsage;
	pgv_shape_begin(&x->shape);
}

/* Whose it is, and where in a program: what the first statement to tell says. */
static inline void
note_origin(const PgvStatementRef *ref)
{
	PgvTransaction *x = &pgv_transaction;

	if (!x->open)
		begin(ref);
	if (unlikely(ref->userid != x->userid))
		x->roles = true;
	if (x->route == 0)
		x->route = ref->route;
}

pg_attribute_hot void
pgv_transactions_next(const PgvStatementRef *ref)
{
	note_origin(ref);
	pgv_transaction.now->statements++;
	pgv_shape_add(&pgv_transaction.shape, ref->fingerprint);
}

void
pgv_transactions_control(const TransactionStmt *stmt, const PgvStatementRef *ref)
{
	PgvTransaction *x = &pgv_transaction;

	switch (stmt->kind)
	{
		case TRANS_STMT_BEGIN:
		case TRANS_STMT_START:
			note_origin(ref);
			x->block = true;
			break;
		case TRANS_STMT_COMMIT:
		case TRANS_STMT_ROLLBACK:
		case TRANS_STMT_PREPARE:
			/* after an error it is over already; but another may follow on it */
			if (!x->open && IsAbortedTransactionBlockState())
			{
				x->chain = stmt->chain;
				return;
			}
			if (x->open || x->chain)
				note_origin(ref);
			x->asked = (stmt->kind == TRANS_STMT_ROLLBACK);
			x->chain = stmt->chain;
			break;
		default:
			break;
	}
}

/* Is it one that is counted? */
static inline bool
counts(const PgvTransaction *x)
{
	return !x->missed && (x->block || x->now->statements > 1);
}

pg_attribute_hot void
pgv_transactions_committing(TimestampTz asked_at, TimestampTz idle_since)
{
	PgvTransaction *x = &pgv_transaction;

	if (likely(!x->open || !counts(x)))
		return;
	x->commit_start = asked_at != 0 ? asked_at : GetCurrentTimestamp();
	if (idle_since != 0)
		pgv_transactions_idle(x->commit_start - idle_since);
}

static inline void
close_transaction(void)
{
	pgv_transaction.open = pgv_transaction.missed = false;
	pgv_transaction.now->start = 0;
}

void
pgv_transactions_forget(void)
{
	close_transaction();
	pgv_transaction.chain = false;
}

static void
begin_delta(PgvTransactionDelta *delta, uint64 route, const char *application,
			const PgvTransactionSteps *steps, bool has_text)
{
	delta->route = route;
	delta->counters.has_text = has_text;
	delta->steps = *steps;
	strlcpy(delta->application, application, NAMEDATALEN);
}

static void
set_steps(PgvTransactionSteps *steps, const PgvSequence *shape)
{
	memset(steps, 0, sizeof(*steps));
	steps->length = shape->length;
	memcpy(steps->first, shape->first,
		   Min(shape->length, PGV_SHAPE_FIRST) * sizeof(steps->first[0]));
}

/*
 * The pending record for a transaction, made if need be.  Returns with the slot
 * locked.
 */
static PgvTransactionDelta *
lock_record(const PgvTransaction *x)
{
	static uint8 hint;
	PgvTransactionKey key;
	PgvTransactionDelta *delta;
	PgvTransactionSteps steps;
	const char *application;
	bool		has_text;

	key.dbid = MyDatabaseId;
	/* of several roles: theirs who could take on each of them */
	key.userid = x->roles ? GetSessionUserId() : x->userid;
	key.route = x->route;
	key.shape = x->shape.hash;
	application = pgv_routes_application(&key.application);
	pgv_pending_lock();
	delta = pgv_pending_find(&pgv_pending_transactions, &key, &hint);
	if (likely(delta != NULL))
		return delta;
	/* a text is not to be looked for while it is locked */
	pgv_pending_unlock();
	has_text = x->route != 0 && pgv_texts_reference(x->route);
	set_steps(&steps, &x->shape);
	pgv_pending_lock();
	delta = pgv_pending_add(&pgv_pending_transactions, &key, &hint);
	begin_delta(delta, x->route, application, &steps, has_text);
	return delta;
}

/* A bucket of the record can count no more: what is in it goes to the store. */
static void
spill(PgvTransactionDelta *delta)
{
	PgvTransactionSteps steps = delta->steps;
	uint64		route = delta->route;
	char		application[NAMEDATALEN];

	memcpy(application, delta->application, NAMEDATALEN);
	pgv_pending_spill(&pgv_pending_transactions, delta);
	begin_delta(delta, route, application, &steps,
				route != 0 && pgv_texts_reference(route));
}

static void
set_times(PgvTransactionCounters *c, const PgvTransaction *x, TimestampTz now)
{
	/* one that follows at once on another seems to begin with that one's COMMIT */
	TimestampTz start = Max(x->now->start, last_end);
	int64		total = Max(now - start, 0);
	int64		commit = x->commit_start != 0 ? Max(now - x->commit_start, 0) : 0;

	commit = Min(commit, total);
	c->total_ms = c->min_ms = c->max_ms = total / 1000.0;
	c->commit_ms = commit / 1000.0;
	c->idle_ms = Min(x->now->idle_us, total - commit) / 1000.0;
	c->longest = c->first_seen = start;
	c->last_seen = now;
}

static void
set_counters(PgvTransactionCounters *c, const PgvTransaction *x, PgvTransactionEnd how)
{
	c->committed = (how == PGV_COMMITTED);
	c->rolled_back = (how == PGV_ROLLED_BACK);
	c->prepared = (how == PGV_PREPARED);
	c->failures = (how == PGV_ROLLED_BACK && !x->asked);
	c->statements = c->max_statements = x->now->statements;
	memcpy(c->rows, x->now->rows, sizeof(c->rows));
	c->wal_records = pgWalUsage.wal_records - x->wal.wal_records;
	c->wal_fpi = pgWalUsage.wal_fpi - x->wal.wal_fpi;
	c->wal_bytes = (int64) (pgWalUsage.wal_bytes - x->wal.wal_bytes);
}

static void
publish(const PgvTransaction *x, PgvTransactionEnd how, TimestampTz now)
{
	PgvTransactionCounters c = {0};
	PgvTransactionDelta *delta;
	int			bucket;

	set_counters(&c, x, how);
	set_times(&c, x, now);
	bucket = pgv_histogram_bucket(c.total_ms * 1000.0);
	delta = lock_record(x);
	if (unlikely(!pgv_buckets_delta_room(&delta->buckets, bucket)))
		spill(delta);
	pgv_transactions_add(&delta->counters, &c);
	pgv_buckets_delta_add(&delta->buckets, bucket);
	pgv_pending_unlock();
}

TimestampTz
pgv_transactions_ended(PgvTransactionEnd how)
{
	PgvTransaction *x = &pgv_transaction;
	TimestampTz now = 0;

	if (unlikely(x->open && counts(x)))
	{
		now = GetCurrentTimestamp();
		publish(x, how, now);
		last_end = now;
		/* an error, or COMMIT of what an error has aborted, chains nothing */
		if (how == PGV_ROLLED_BACK && !x->asked)
			x->chain = false;
	}
	close_transaction();
	return now;
}
