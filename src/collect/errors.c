/*-------------------------------------------------------------------------
 *
 * errors.c
 *	  The kind "errors": failures by statement and SQLSTATE.
 *
 * One error is counted once, at the innermost statement that is counted,
 * wherever it goes from there.  It is seen at several points of its way:
 *
 *	raised	an error context callback sees every message, ERROR or not
 *	failed	the hooks' PG_CATCH, on the way out of each statement
 *	stopped	the subtransaction of a handler is rolled back
 *	arrived	at the client, or at the end of the backend
 *
 * What has been raised may be a mere notice with the code of an error, so it
 * counts only where there surely is an error: at the other three points.
 * There, if something has been raised since the last point, it is a new
 * error; if not, it is the one that is on its way already.  For to raise an
 * error on (ReThrowError: no handler of a block fits, or RAISE; in one) calls
 * no error context callbacks.  So what was stopped has been caught when
 * anything else happens next: another error, or a good end.  (A handler that
 * causes such a notice and raises its error on, to another handler around it,
 * deceives: the notice counts as an error that was caught, too.)
 *
 * Of an error there is never more than one on its way, so all that is known of
 * it is private to the backend and fixed in size.  Errors are rare and cost a
 * thousand times more than what is done here: they go to the store at once,
 * not through pending.  Nothing here allocates: the error may be that there
 * is no memory.
 *
 * A text is stored by the statement's own entry; ours takes a reference if it
 * is there.  Where it is not yet (caught in the statement's first execution),
 * the reader finds it by the fingerprint.
 *
 * When the table is full, what leaves is added to a residual entry of its
 * database: sums are exact.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "utils/timestamp.h"

#include "base/settings.h"
#include "collect/errors.h"
#include "store/sane.h"
#include "store/texts.h"

/* ----- the kind ----- */

static int
errors_limit(void)
{
	return Max(200, pgv_max_statements / 5);
}

void
pgv_errors_add(PgvErrorEntry *into, const PgvErrorEntry *from)
{
	into->failures += from->failures;
	into->caught += from->caught;
	into->lost_ms += from->lost_ms;
	if (from->queryid != 0)
		into->queryid = from->queryid;
	if (from->first_seen != 0 &&
		(into->first_seen == 0 || from->first_seen < into->first_seen))
		into->first_seen = from->first_seen;
	into->last_seen = Max(into->last_seen, from->last_seen);
}

static int
errors_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvErrorEntry *entry = data;
	const PgvErrorEntry *delta = delta_data;

	entry->fingerprint = delta->fingerprint;
	pgv_errors_add(entry, delta);
	if (!delta->has_text)
		return 0;
	if (entry->has_text)
	{
		surplus[0] = delta->fingerprint;
		return 1;
	}
	entry->has_text = true;
	return 0;
}

static int
errors_delta_texts(const void *data, uint64 *ids)
{
	const PgvErrorEntry *entry = data;

	if (!entry->has_text)
		return 0;
	ids[0] = entry->fingerprint;
	return 1;
}

static int
errors_texts(const void *key, const void *data, uint64 *ids)
{
	return errors_delta_texts(data, ids);
}

static void
errors_lose_text(void *entry, uint64 id)
{
	((PgvErrorEntry *) entry)->has_text = false;
}

/* Each doubling of failures, and of milliseconds lost, makes an entry last. */
static int
errors_worth(const void *data)
{
	const PgvErrorEntry *entry = data;
	int			failures = pg_leftmost_one_pos64((uint64) Max(entry->failures, 1));
	int			ms = pg_leftmost_one_pos64((uint64) Max(Min(entry->lost_ms, 1e15), 1));

	return Min(UINT8_MAX, failures * 4 + ms * 2);
}

static void
errors_residual_key(const void *key, void *residual)
{
	PgvErrorKey *r = residual;

	memset(r, 0, sizeof(*r));
	r->dbid = ((const PgvErrorKey *) key)->dbid;
}

bool
pgv_errors_is_residual(const void *key)
{
	return ((const PgvErrorKey *) key)->sqlstate == 0;
}

static void
errors_absorb(void *data, const void *from, bool fresh)
{
	PgvErrorEntry *residual = data;

	if (from != NULL)
		pgv_errors_add(residual, from);
	residual->has_text = false;
	residual->fingerprint = 0;
	residual->queryid = 0;
}

static void
errors_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvErrorEntry));
}

static bool
errors_valid(const void *key, const void *data)
{
	const PgvErrorKey *k = key;
	const PgvErrorEntry *entry = data;

	if (!pgv_sane_bool(&entry->has_text) || !pgv_sane_count(entry->failures) ||
		!pgv_sane_count(entry->caught) || !pgv_sane_time(entry->lost_ms) ||
		!pgv_sane_instant(entry->first_seen) || !pgv_sane_instant(entry->last_seen))
		return false;
	if (pgv_errors_is_residual(k))
		return k->userid == InvalidOid && k->fingerprint == 0 &&
			entry->fingerprint == 0 && !entry->has_text;
	return k->sqlstate <= PG_INT32_MAX && entry->fingerprint == k->fingerprint;
}

const PgvKind pgv_kind_errors = {
	.name = "errors",
	.version = 1,
	.key_size = sizeof(PgvErrorKey),
	.entry_size = sizeof(PgvErrorEntry),
	.since_offset = offsetof(PgvErrorEntry, stats_since),
	.limit = errors_limit,
	.merge = errors_merge,
	.texts = errors_texts,
	.delta_texts = errors_delta_texts,
	.lose_text = errors_lose_text,
	.worth = errors_worth,
	.residual_key = errors_residual_key,
	.is_residual = pgv_errors_is_residual,
	.absorb = errors_absorb,
	.clear = errors_clear,
	.valid = errors_valid,
};

/* ----- an error's way ----- */

PGV_HOT_DATA bool pgv_errors_any = false;

/* The message raised last, if it has not met anybody since. */
static PgvError raised;

/* The error on its way. */
static PgvError current;
static bool counted = false;	/* it is in the store, ... */
static bool stopped = false;	/* a handler has it */
static bool has_key = false;
static PgvErrorKey key;			/* ... or will be, under this */
static uint64 queryid;
static uint64 generation;		/* of the store, when it was counted */

static void
add(int64 failures, int64 caught, double ms)
{
	PgvErrorEntry delta;

	memset(&delta, 0, sizeof(delta));
	delta.fingerprint = key.fingerprint;
	delta.queryid = queryid;
	delta.failures = failures;
	delta.caught = caught;
	delta.lost_ms = ms;
	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	delta.has_text = key.fingerprint != 0 && pgv_texts_reference(key.fingerprint);
	pgv_store_merge(&pgv_kind_errors, &key, &delta);
}

static void
set_key(const PgvStatementRef *ref)
{
	memset(&key, 0, sizeof(key));
	key.dbid = MyDatabaseId;
	key.userid = ref != NULL ? ref->userid : current.userid;
	key.fingerprint = ref != NULL ? ref->fingerprint : 0;
	key.sqlstate = (uint64) current.sqlstate;
	queryid = ref != NULL ? ref->queryid : 0;
	has_key = true;
}

void
pgv_errors_forget(void)
{
	raised.sqlstate = current.sqlstate = 0;
	counted = stopped = has_key = false;
	pgv_errors_any = false;
}

/* Whatever was on its way has ended: where a handler had it, it was caught. */
static void
end_current(void)
{
	if (current.sqlstate != 0 && stopped && has_key &&
		(!counted || generation == pgv_store_generation()))
		add(counted ? 0 : 1, 1, 0);
	current.sqlstate = 0;
	counted = stopped = has_key = false;
}

/* There is an error with this SQLSTATE: is it a new one? */
static void
meet(int sqlstate)
{
	PgvError	now = raised;

	raised.sqlstate = 0;
	/* a notice may have been raised in between */
	if (sqlstate == current.sqlstate && sqlstate != now.sqlstate)
		return;
	end_current();
	current = now;
	if (now.sqlstate != sqlstate)
	{
		current.userid = GetUserId();
		current.text = NULL;
	}
	current.sqlstate = sqlstate;
	pgv_errors_any = true;
}

void
pgv_errors_raised(int sqlstate, const char *text)
{
	raised.sqlstate = sqlstate;
	raised.userid = GetUserId();
	raised.text = text;
	pgv_errors_any = true;
}

void
pgv_errors_failed(const PgvStatementRef *ref, double ms, int sqlstate)
{
	meet(sqlstate);
	stopped = false;
	if (counted)
		return;
	set_key(ref);
	generation = pgv_store_generation();
	add(1, 0, ms);
	counted = true;
}

void
pgv_errors_stopped(const PgvStatementRef *ref)
{
	if (raised.sqlstate != 0)
		meet(raised.sqlstate);
	/* not for an error, then, but for one of the procedural language's own */
	if (current.sqlstate == 0)
		return;
	stopped = true;
	if (!counted && ref != NULL)
		set_key(ref);
}

pg_noinline void
pgv_errors_settle(void)
{
	end_current();
	pgv_errors_forget();
}

const PgvError *
pgv_errors_arrived(void)
{
	if (raised.sqlstate != 0)
		meet(raised.sqlstate);
	stopped = false;
	return current.sqlstate != 0 && !counted ? &current : NULL;
}

void
pgv_errors_unidentified(void)
{
	set_key(NULL);
	add(1, 0, 0);
	counted = true;
}
