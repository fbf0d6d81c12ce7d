/*-------------------------------------------------------------------------
 *
 * routes.c
 *	  The kind "routes": what the places in an application that its comment
 *	  tags name cost together.
 *
 * A route is a set of tags without those that tell one request from another,
 * of one application, role and database.  What a client's statement with tags
 * takes is added to a record of this backend's pending slot, beside that of
 * the statement itself.
 *
 * When the table is full, what leaves is added to a residual entry of its
 * database, as with statements: sums are exact.  Of distinct statements the
 * residual has those of all routes that went there.
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
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"

#include "base/settings.h"
#include "base/tags.h"
#include "collect/routes.h"
#include "collect/tagging.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_NEGLIGIBLE_MS 10.0	/* that so few calls may have taken */
#define PGV_NEGLIGIBLE_CALLS 4

/* ----- adding ----- */

static void
add_times(PgvRouteCounters *into, const PgvRouteCounters *from)
{
	into->total_ms += from->total_ms;
	if (from->calls > 0)
	{
		into->min_ms = into->calls > 0 ? Min(into->min_ms, from->min_ms) : from->min_ms;
		into->max_ms = into->calls > 0 ? Max(into->max_ms, from->max_ms) : from->max_ms;
	}
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	into->last_seen = Max(into->last_seen, from->last_seen);
}

void
pgv_routes_add(PgvRouteCounters *into, const PgvRouteCounters *from)
{
	add_times(into, from);
	into->calls += from->calls;
	into->failures += from->failures;
	into->rows += from->rows;
	into->bursts += from->bursts;
	pgv_distinct_merge(&into->statements, &from->statements);
}

static inline PgvBucketsTail *
tail_of(const PgvRouteEntry *entry)
{
	return pgv_store_tail(&pgv_kind_routes, entry);
}

void
pgv_routes_add_buckets(uint64 *buckets, const PgvRouteEntry *from)
{
	pgv_buckets_sum(buckets, &from->buckets, tail_of(from));
}

/* ----- the kind ----- */

static int
routes_limit(void)
{
	return Max(200, pgv_max_statements / 5);
}

static int
routes_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvRouteEntry *entry = data;
	const PgvRouteDelta *delta = delta_data;

	if (fresh)
		memcpy(entry->application, delta->application, sizeof(entry->application));
	pgv_routes_add(&entry->counters, &delta->counters);
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
routes_texts(const void *key, const void *entry, uint64 *ids)
{
	if (!((const PgvRouteEntry *) entry)->counters.has_text)
		return 0;
	ids[0] = ((const PgvRouteKey *) key)->route;
	return 1;
}

static int
routes_delta_texts(const void *data, uint64 *ids)
{
	const PgvRouteDelta *delta = data;

	if (!delta->counters.has_text)
		return 0;
	ids[0] = delta->route;
	return 1;
}

static void
routes_lose_text(void *entry, uint64 id)
{
	((PgvRouteEntry *) entry)->counters.has_text = false;
}

/* Each doubling of calls, and more so of milliseconds, makes an entry last. */
static int
routes_worth(const void *data)
{
	const PgvRouteCounters *c = &((const PgvRouteEntry *) data)->counters;
	int			calls = pg_leftmost_one_pos64((uint64) Max(c->calls, 1));
	int			ms = pg_leftmost_one_pos64((uint64) Max(Min(c->total_ms, 1e15), 1));

	return Min(UINT8_MAX, calls * 3 + ms * 6);
}

/* Tags that an application makes up anew for each request come to this. */
static bool
routes_negligible(const void *data)
{
	const PgvRouteCounters *c = &((const PgvRouteDelta *) data)->counters;

	return c->calls <= PGV_NEGLIGIBLE_CALLS && c->failures == 0 &&
		c->bursts == 0 && c->total_ms < PGV_NEGLIGIBLE_MS;
}

static void
routes_residual_key(const void *key, void *residual)
{
	PgvRouteKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvRouteKey *) key)->dbid;
}

bool
pgv_routes_is_residual(const void *key)
{
	return ((const PgvRouteKey *) key)->route == 0;
}

static void
routes_absorb(void *data, const void *from, bool fresh)
{
	PgvRouteEntry *residual = data;

	if (from != NULL)
	{
		const PgvRouteEntry *entry = from;

		pgv_routes_add(&residual->counters, &entry->counters);
		pgv_buckets_absorb(&residual->buckets, tail_of(residual),
						   &entry->buckets, tail_of(entry));
	}
	/* a residual is nobody's */
	residual->counters.has_text = false;
	memset(residual->application, 0, sizeof(residual->application));
}

static void
routes_clear(void *data)
{
	PgvRouteEntry *entry = data;

	pgv_buckets_clear_tail(&entry->buckets, tail_of(entry));
	memset(entry, 0, sizeof(PgvRouteEntry));
}

static bool
routes_uses_tail(const void *entry)
{
	return ((const PgvRouteEntry *) entry)->buckets.has_tail;
}

static bool
counters_valid(const PgvRouteCounters *c)
{
	return pgv_sane_bool(&c->has_text) && pgv_sane_count(c->calls) &&
		pgv_sane_count(c->failures) && pgv_sane_count(c->rows) &&
		pgv_sane_count(c->bursts) && pgv_sane_time(c->total_ms) &&
		pgv_sane_time(c->min_ms) && pgv_sane_time(c->max_ms) &&
		pgv_sane_instant(c->first_seen) && pgv_sane_instant(c->last_seen) &&
		pgv_distinct_valid(&c->statements);
}

static bool
routes_valid(const void *key_data, const void *data)
{
	const PgvRouteKey *key = key_data;
	const PgvRouteEntry *entry = data;
	const PgvRouteCounters *c = &entry->counters;

	if (!counters_valid(c) || !pgv_sane_name(entry->application))
		return false;
	if (pgv_routes_is_residual(key) &&
		(key->userid != InvalidOid || key->application != 0 || c->has_text))
		return false;
	return pgv_buckets_valid(&entry->buckets, tail_of(entry), c->calls);
}

/* Its name, or nothing, a newline, and its tags: a view shows them as jsonb. */
bool
pgv_routes_fits(const void *entry, uint64 id, const char *text, int len, int encoding)
{
	const char *newline = memchr(text, '\n', len);

	return encoding == PG_UTF8 && newline != NULL &&
		pgv_tags_is_json(newline + 1, (int) (text + len - (newline + 1)));
}

const PgvKind pgv_kind_routes = {
	.name = "routes",
	.version = 1,
	.key_size = sizeof(PgvRouteKey),
	.entry_size = sizeof(PgvRouteEntry),
	.since_offset = offsetof(PgvRouteEntry, stats_since),
	.tail_size = sizeof(PgvBucketsTail),
	.limit = routes_limit,
	.merge = routes_merge,
	.texts = routes_texts,
	.delta_texts = routes_delta_texts,
	.lose_text = routes_lose_text,
	.worth = routes_worth,
	.negligible = routes_negligible,
	.residual_key = routes_residual_key,
	.is_residual = pgv_routes_is_residual,
	.absorb = routes_absorb,
	.clear = routes_clear,
	.uses_tail = routes_uses_tail,
	.valid = routes_valid,
	.fits = pgv_routes_fits,
};

PgvPendingPart pgv_pending_routes = {
	.kind = &pgv_kind_routes,
	.delta_size = sizeof(PgvRouteDelta),
	.records = 4,
};

/* ----- counting ----- */

/* The hash is made anew if need be. */
const char *
pgv_routes_application(uint64 *hash)
{
	static char last[NAMEDATALEN];
	static uint64 last_hash = 0;
	const char *name = application_name ? application_name : "";

	if (unlikely(last_hash == 0 || strcmp(name, last) != 0))
	{
		strlcpy(last, name, sizeof(last));
		last_hash = hash_bytes_extended((const unsigned char *) name, strlen(name), 0);
		if (last_hash == 0)
			last_hash = 1;
	}
	*hash = last_hash;
	return last;
}

static void
begin_delta(PgvRouteDelta *delta, uint64 route, const char *name, bool has_text)
{
	delta->route = route;
	delta->counters.has_text = has_text;
	delta->counters.first_seen = GetCurrentStatementStartTimestamp();
	strlcpy(delta->application, name, NAMEDATALEN);
}

/*
 * The pending record of a route, made if need be.  Returns with the slot
 * locked.
 */
static PgvRouteDelta *
lock_record(uint64 route, Oid userid)
{
	static uint8 hint;
	PgvRouteKey key;
	PgvRouteDelta *delta;
	const char *name;
	bool		has_text;

	key.dbid = MyDatabaseId;
	key.userid = userid;
	key.route = route;
	name = pgv_routes_application(&key.application);
	pgv_pending_lock();
	delta = pgv_pending_find(&pgv_pending_routes, &key, &hint);
	if (likely(delta != NULL))
		return delta;
	/* storing a text is not for the time of the lock */
	pgv_pending_unlock();
	has_text = pgv_tagging_reference_text(route);
	pgv_pending_lock();
	delta = pgv_pending_add(&pgv_pending_routes, &key, &hint);
	begin_delta(delta, route, name, has_text);
	return delta;
}

/*
 * A record whose bucket can count no more goes to the store first, and takes a
 * new reference to its text.
 */
static inline void
room_in_bucket(PgvRouteDelta *delta, int bucket)
{
	uint64		route = delta->route;
	char		name[NAMEDATALEN];

	if (likely(pgv_buckets_delta_room(&delta->buckets, bucket)))
		return;
	memcpy(name, delta->application, NAMEDATALEN);
	pgv_pending_spill(&pgv_pending_routes, delta);
	begin_delta(delta, route, name, pgv_texts_reference(route));
}

static inline void
count_call(PgvRouteDelta *delta, double ms)
{
	PgvRouteCounters *c = &delta->counters;
	int			bucket = pgv_histogram_bucket(ms * 1000.0);

	room_in_bucket(delta, bucket);
	c->min_ms = c->calls > 0 ? Min(c->min_ms, ms) : ms;
	c->max_ms = c->calls > 0 ? Max(c->max_ms, ms) : ms;
	c->calls++;
	pgv_buckets_delta_add(&delta->buckets, bucket);
}

void
pgv_routes_executed(const PgvExecution *e)
{
	const PgvStatementRef *ref = e->statement;
	PgvRouteDelta *delta = lock_record(ref->route, ref->userid);
	PgvRouteCounters *c = &delta->counters;

	if (!e->again)
	{
		count_call(delta, e->usage->time_ms);
		if (ref->fingerprint != 0)
			pgv_distinct_add(&c->statements, ref->fingerprint);
	}
	c->total_ms += e->usage->time_ms;
	c->rows += e->rows;
	if (unlikely(e->outcome != PGV_OUTCOME_DONE))
		c->failures++;
	c->last_seen = GetCurrentStatementStartTimestamp();
	pgv_pending_unlock();
}

void
pgv_routes_found(const PgvStatementRef *ref)
{
	PgvRouteDelta *delta;

	if (ref->route != 0)
		delta = lock_record(ref->route, ref->userid);
	else if (pgv_tagging_route() != 0)
		delta = lock_record(pgv_tagging_route(), pgv_tagging_userid());
	else
		return;
	delta->counters.bursts++;
	delta->counters.last_seen = GetCurrentStatementStartTimestamp();
	pgv_pending_unlock();
}
