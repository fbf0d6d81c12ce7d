/*-------------------------------------------------------------------------
 *
 * deadlocks.c
 *	  The kind "deadlocks": which statements waited for each other in a circle.
 *
 * An entry is a circle of statements and the roles that executed them, in the order in
 * which they waited: each for the next, the last for the first.  Where a circle begins is
 * chance, so it is turned until it begins with the least; where that leaves a choice, with
 * the one that was cancelled.  Of locks and applications it has the last.
 *
 * Deadlocks are rare and have cost a second: they go to the store at once.
 *
 * When the table is full, what leaves is added to a residual entry of its
 * database: the number of deadlocks is exact.
 *
 * Locks: what runs in the store's callbacks runs under a partition's lock and
 * touches nothing but its arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "storage/lock.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "collect/deadlocks.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_DEADLOCKS_MIN 100

/* ----- the kind ----- */

static int
deadlocks_limit(void)
{
	return Max(PGV_DEADLOCKS_MIN, pgv_max_statements / 50);
}

static void
add_counts(PgvDeadlockEntry *into, const PgvDeadlockEntry *from)
{
	into->deadlocks += from->deadlocks;
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	into->last_seen = Max(into->last_seen, from->last_seen);
}

/* The last time counts; but the text and the counter stay. */
static void
renew_party(PgvDeadlockParty *into, const PgvDeadlockParty *from)
{
	PgvDeadlockParty old = *into;

	*into = *from;
	into->victims += old.victims;
	into->has_text |= old.has_text;
	if (into->queryid == 0)
		into->queryid = old.queryid;
}

static int
deadlocks_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvDeadlockEntry *entry = data;
	const PgvDeadlockEntry *delta = delta_data;
	int			n = 0;

	add_counts(entry, delta);
	entry->parties = delta->parties;
	entry->n = delta->n;
	for (uint32 i = 0; i < delta->n; i++)
	{
		if (entry->party[i].has_text && delta->party[i].has_text)
			surplus[n++] = delta->party[i].fingerprint;
		renew_party(&entry->party[i], &delta->party[i]);
	}
	return n;
}

static int
deadlocks_delta_texts(const void *data, uint64 *ids)
{
	const PgvDeadlockEntry *entry = data;
	int			n = 0;

	for (uint32 i = 0; i < entry->n; i++)
	{
		if (entry->party[i].has_text)
			ids[n++] = entry->party[i].fingerprint;
	}
	return n;
}

static int
deadlocks_texts(const void *key, const void *data, uint64 *ids)
{
	return deadlocks_delta_texts(data, ids);
}

static void
deadlocks_lose_text(void *data, uint64 id)
{
	PgvDeadlockEntry *entry = data;

	for (uint32 i = 0; i < entry->n; i++)
	{
		if (entry->party[i].fingerprint == id)
			entry->party[i].has_text = false;
	}
}

/* Each doubling makes an entry last. */
static int
deadlocks_worth(const void *data)
{
	const PgvDeadlockEntry *entry = data;

	return Min(UINT8_MAX, 4 * pg_leftmost_one_pos64((uint64) Max(entry->deadlocks, 1)));
}

static void
deadlocks_residual_key(const void *key, void *residual)
{
	PgvDeadlockKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvDeadlockKey *) key)->dbid;
}

bool
pgv_deadlocks_is_residual(const void *key)
{
	return ((const PgvDeadlockKey *) key)->circle == 0;
}

static void
deadlocks_absorb(void *data, const void *from, bool fresh)
{
	PgvDeadlockEntry *residual = data;

	if (from != NULL)
		add_counts(residual, from);
	residual->parties = residual->n = 0;
	memset(residual->party, 0, sizeof(residual->party));
}

static void
deadlocks_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvDeadlockEntry));
}

static bool
party_valid(const PgvDeadlockParty *party)
{
	return pgv_sane_bool(&party->has_text) && pgv_sane_count(party->victims) &&
		(party->fingerprint != 0 || !party->has_text) &&
		party->lock_mode <= MaxLockMode && pgv_sane_name(party->application);
}

static bool
deadlocks_valid(const void *key_data, const void *data)
{
	const PgvDeadlockKey *key = key_data;
	const PgvDeadlockEntry *entry = data;

	if (!pgv_sane_count(entry->deadlocks) || !pgv_sane_instant(entry->first_seen) ||
		!pgv_sane_instant(entry->last_seen) || key->userid != InvalidOid)
		return false;
	if (pgv_deadlocks_is_residual(key))
		return entry->n == 0 && entry->parties == 0;
	if (entry->n == 0 || entry->n > PGV_DEADLOCK_PARTIES || entry->n > entry->parties ||
		entry->parties > PG_INT32_MAX)
		return false;
	for (uint32 i = 0; i < entry->n; i++)
	{
		if (!party_valid(&entry->party[i]))
			return false;
	}
	return true;
}

const PgvKind pgv_kind_deadlocks = {
	.name = "deadlocks",
	.version = 1,
	.key_size = sizeof(PgvDeadlockKey),
	.entry_size = sizeof(PgvDeadlockEntry),
	.since_offset = offsetof(PgvDeadlockEntry, stats_since),
	.limit = deadlocks_limit,
	.merge = deadlocks_merge,
	.texts = deadlocks_texts,
	.delta_texts = deadlocks_delta_texts,
	.lose_text = deadlocks_lose_text,
	.worth = deadlocks_worth,
	.residual_key = deadlocks_residual_key,
	.is_residual = pgv_deadlocks_is_residual,
	.absorb = deadlocks_absorb,
	.clear = deadlocks_clear,
	.valid = deadlocks_valid,
};

/* ----- adding ----- */

static int
compare_parties(const PgvDeadlockParty *a, const PgvDeadlockParty *b)
{
	if (a->fingerprint != b->fingerprint)
		return a->fingerprint < b->fingerprint ? -1 : 1;
	if (a->userid != b->userid)
		return a->userid < b->userid ? -1 : 1;
	return 0;
}

/* Is the circle less if it begins at "a" than at "b"? */
static bool
is_less(const PgvDeadlockEntry *d, uint32 a, uint32 b)
{
	for (uint32 i = 0; i < d->n; i++)
	{
		int			order = compare_parties(&d->party[(a + i) % d->n],
											&d->party[(b + i) % d->n]);

		if (order != 0)
			return order < 0;
	}
	return false;
}

/* Turn the circle.  One of which not all is known begins where it does. */
static void
turn(PgvDeadlockEntry *d)
{
	PgvDeadlockEntry from = *d;
	uint32		start = 0;

	for (uint32 i = 1; i < d->n; i++)
	{
		if (d->n == d->parties && is_less(d, i, start))
			start = i;
	}
	for (uint32 i = 0; i < d->n; i++)
		d->party[i] = from.party[(start + i) % d->n];
}

static uint64
hash_circle(const PgvDeadlockEntry *d)
{
	uint64		hash = d->parties;

	for (uint32 i = 0; i < d->n; i++)
	{
		hash = hash_combine64(hash, d->party[i].fingerprint);
		hash = hash_combine64(hash, d->party[i].userid);
	}
	return hash != 0 ? hash : 1;
}

void
pgv_deadlocks_add(Oid dbid, PgvDeadlockEntry *deadlock)
{
	PgvDeadlockKey key;

	deadlock->party[0].victims = 1;
	deadlock->deadlocks = 1;
	deadlock->first_seen = deadlock->last_seen = GetCurrentTimestamp();
	turn(deadlock);
	for (uint32 i = 0; i < deadlock->n; i++)
	{
		PgvDeadlockParty *party = &deadlock->party[i];

		party->has_text = party->fingerprint != 0 && pgv_texts_reference(party->fingerprint);
	}
	memset(&key, 0, sizeof(key));
	key.dbid = dbid;
	key.circle = hash_circle(deadlock);
	pgv_store_merge(&pgv_kind_deadlocks, &key, deadlock);
}
