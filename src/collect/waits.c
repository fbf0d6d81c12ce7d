/*-------------------------------------------------------------------------
 *
 * waits.c
 *	  The kind "waits": where time was seen to go, by statement, phase and
 *	  wait event.
 *
 * The worker's sampler is the only one to add to it, once a second.  An entry
 * has the names of events and processes, and its key a hash of them: numbers
 * would mean something else after the next start.
 *
 * A text is stored by the statement's own entry, and a route's by the route's;
 * ours take references if they are there.  A statement's is not until its first
 * execution ends; the reader finds it then by the fingerprint.
 *
 * When the table is full, what leaves is added to a residual entry of its
 * database and class of events: sums by class are exact.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "common/hashfn.h"

#include "base/settings.h"
#include "collect/waits.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_QUANTILE_95 1.959964	/* of the normal distribution, two-sided */
#define PGV_NEGLIGIBLE_SAMPLES 2

static const char *const phase_names[PGV_NPHASES] = {
	"other", "planning", "executing", "committing", "idle in transaction", "background"
};

const char *
pgv_phase_name(uint32 phase)
{
	return phase < PGV_NPHASES ? phase_names[phase] : NULL;
}

double
pgv_waits_margin(double squares)
{
	return PGV_QUANTILE_95 * sqrt(Max(squares, 0));
}

/* ----- the kind ----- */

static int
waits_limit(void)
{
	return Max(1000, pgv_max_statements);
}

void
pgv_waits_add(PgvWaitEntry *into, const PgvWaitEntry *from)
{
	into->samples += from->samples;
	into->ms += from->ms;
	into->squares += from->squares;
	into->blocked_ms += from->blocked_ms;
	if (from->queryid != 0)
		into->queryid = from->queryid;
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	into->last_seen = Max(into->last_seen, from->last_seen);
}

static void
copy_names(PgvWaitEntry *into, const PgvWaitEntry *from)
{
	memcpy(into->type, from->type, sizeof(into->type));
	memcpy(into->event, from->event, sizeof(into->event));
	memcpy(into->backend_type, from->backend_type, sizeof(into->backend_type));
	memcpy(into->application, from->application, sizeof(into->application));
}

static int
waits_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvWaitEntry *entry = data;
	const PgvWaitEntry *delta = delta_data;
	uint8		twice = entry->texts & delta->texts;
	int			n = 0;

	if (fresh)
		copy_names(entry, delta);
	entry->fingerprint = delta->fingerprint;
	entry->route = delta->route;
	pgv_waits_add(entry, delta);
	entry->texts |= delta->texts;
	if (twice & PGV_WAIT_QUERY)
		surplus[n++] = delta->fingerprint;
	if (twice & PGV_WAIT_ROUTE)
		surplus[n++] = delta->route;
	return n;
}

static int
waits_delta_texts(const void *data, uint64 *ids)
{
	const PgvWaitEntry *entry = data;
	int			n = 0;

	if (entry->texts & PGV_WAIT_QUERY)
		ids[n++] = entry->fingerprint;
	if (entry->texts & PGV_WAIT_ROUTE)
		ids[n++] = entry->route;
	return n;
}

static int
waits_texts(const void *key, const void *data, uint64 *ids)
{
	return waits_delta_texts(data, ids);
}

static void
waits_lose_text(void *data, uint64 id)
{
	PgvWaitEntry *entry = data;

	if (id == entry->fingerprint)
		entry->texts &= ~PGV_WAIT_QUERY;
	if (id == entry->route)
		entry->texts &= ~PGV_WAIT_ROUTE;
}

/* Each doubling of the time makes an entry last. */
static int
waits_worth(const void *data)
{
	const PgvWaitEntry *entry = data;
	int			ms = pg_leftmost_one_pos64((uint64) Max(Min(entry->ms + entry->blocked_ms, 1e15), 1));

	return Min(UINT8_MAX, ms * 5);
}

/* What was only just caught. */
static bool
waits_negligible(const void *data)
{
	const PgvWaitEntry *entry = data;

	return entry->samples <= PGV_NEGLIGIBLE_SAMPLES && entry->blocked_ms == 0;
}

static void
waits_residual_key(const void *key, void *residual)
{
	PgvWaitKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvWaitKey *) key)->dbid;
	r->class = ((const PgvWaitKey *) key)->class;
}

bool
pgv_waits_is_residual(const void *key)
{
	return ((const PgvWaitKey *) key)->what == 0;
}

static void
waits_absorb(void *data, const void *from, bool fresh)
{
	PgvWaitEntry *residual = data;

	if (from != NULL)
	{
		pgv_waits_add(residual, from);
		if (fresh)
			copy_names(residual, from);
	}
	residual->texts = 0;
	residual->fingerprint = residual->route = residual->queryid = 0;
	memset(residual->event, 0, sizeof(residual->event));
	memset(residual->backend_type, 0, sizeof(residual->backend_type));
	memset(residual->application, 0, sizeof(residual->application));
}

static void
waits_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvWaitEntry));
}

uint64
pgv_waits_application(const char *name)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) name, strlen(name), 0);

	return hash != 0 ? hash : 1;
}

static uint64
hash_names(const PgvWaitEntry *entry)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) entry->type,
										   strlen(entry->type), 1);

	hash = hash_bytes_extended((const unsigned char *) entry->event,
							   strlen(entry->event), hash);
	hash = hash_bytes_extended((const unsigned char *) entry->backend_type,
							   strlen(entry->backend_type), hash);
	return hash != 0 ? hash : 1;
}

static bool
figures_valid(const PgvWaitEntry *entry)
{
	return pgv_sane_count(entry->samples) && pgv_sane_time(entry->ms) &&
		pgv_sane_time(entry->blocked_ms) && entry->ms >= 0 && entry->squares >= 0 && entry->squares <= PGV_SANE_SQUARE &&
		pgv_sane_instant(entry->first_seen) && pgv_sane_instant(entry->last_seen) &&
		(entry->texts & ~(PGV_WAIT_QUERY | PGV_WAIT_ROUTE)) == 0 &&
		pgv_sane_string(entry->type, sizeof(entry->type)) &&
		pgv_sane_string(entry->event, sizeof(entry->event)) &&
		pgv_sane_string(entry->backend_type, sizeof(entry->backend_type)) &&
		pgv_sane_string(entry->application, sizeof(entry->application));
}

static bool
waits_valid(const void *key_data, const void *data)
{
	const PgvWaitKey *key = key_data;
	const PgvWaitEntry *entry = data;

	if (!figures_valid(entry) || key->class > UINT8_MAX ||
		key->fingerprint != entry->fingerprint || key->route != entry->route)
		return false;
	if (pgv_waits_is_residual(key))
		return key->userid == InvalidOid && key->fingerprint == 0 && key->route == 0 &&
			key->application == 0 && key->phase == 0 && entry->texts == 0 &&
			entry->event[0] == '\0' && entry->backend_type[0] == '\0' &&
			entry->application[0] == '\0';
	return key->phase < PGV_NPHASES && key->what == hash_names(entry) &&
		key->application == pgv_waits_application(entry->application) &&
		(key->fingerprint != 0 || (entry->texts & PGV_WAIT_QUERY) == 0) &&
		(key->route != 0 || (entry->texts & PGV_WAIT_ROUTE) == 0);
}

const PgvKind pgv_kind_waits = {
	.name = "waits",
	.version = 1,
	.key_size = sizeof(PgvWaitKey),
	.entry_size = sizeof(PgvWaitEntry),
	.since_offset = offsetof(PgvWaitEntry, stats_since),
	.limit = waits_limit,
	.merge = waits_merge,
	.texts = waits_texts,
	.delta_texts = waits_delta_texts,
	.lose_text = waits_lose_text,
	.worth = waits_worth,
	.negligible = waits_negligible,
	.residual_key = waits_residual_key,
	.is_residual = pgv_waits_is_residual,
	.absorb = waits_absorb,
	.clear = waits_clear,
	.valid = waits_valid,
};

/* ----- adding ----- */

void
pgv_waits_complete(PgvWaitKey *key, PgvWaitEntry *delta)
{
	key->application = pgv_waits_application(delta->application);
	key->what = hash_names(delta);
	delta->fingerprint = key->fingerprint;
	delta->route = key->route;
	delta->texts = 0;
	if (key->fingerprint != 0 && pgv_texts_reference(key->fingerprint))
		delta->texts |= PGV_WAIT_QUERY;
	if (key->route != 0 && pgv_texts_reference(key->route))
		delta->texts |= PGV_WAIT_ROUTE;
}
