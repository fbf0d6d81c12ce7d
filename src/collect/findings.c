/*-------------------------------------------------------------------------
 *
 * findings.c
 *	  The kind "findings": repeated-statement patterns, added up over bursts.
 *
 * A finding is reported to the store when it is made and again with each
 * further repeat, so that a reader sees it while it still goes on.  Findings
 * are few and the statements behind them slow, so they go to the store
 * directly, not through pending.
 *
 * Entry and delta are one structure.  Strings of any length (link,
 * suggestion, the two statements) are texts; the entry holds a reference to
 * each, told by the bits in "texts".  A delta that brings a text the entry
 * already has gives its reference back.
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
#include "collect/findings.h"
#include "collect/links.h"
#include "collect/routes.h"
#include "collect/tagging.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_MANTISSA UINT64CONST(0x000FFFFFFFFFFFFF)
#define PGV_MANTISSA_SQRT2 UINT64CONST(0x0006A09E667F3BCD)	/* of sqrt(2) */
#define PGV_WAIT_FIRST 3		/* the first bucket of waits begins at 2^3 us */

static int
findings_limit(void)
{
	return Max(200, pgv_max_statements / 5);
}

/* ----- tallies ----- */

void
pgv_tally_clear(PgvTally *tally)
{
	memset(tally, 0, sizeof(*tally));
	tally->min_wait_ms = -1;
}

static void
add_tally(PgvTally *into, const PgvTally *from)
{
	into->repeats += from->repeats;
	into->rows += from->rows;
	into->blocks_hit += from->blocks_hit;
	into->blocks_read += from->blocks_read;
	into->exec_ms += from->exec_ms;
	into->plan_ms += from->plan_ms;
	into->wait_ms += from->wait_ms;
	into->lock_ms += from->lock_ms;
	if (from->min_wait_ms >= 0 &&
		(into->min_wait_ms < 0 || from->min_wait_ms < into->min_wait_ms))
		into->min_wait_ms = from->min_wait_ms;
}

void
pgv_tally_add(PgvTally *into, const PgvTally *from)
{
	add_tally(into, from);
	for (int i = 0; i < PGV_WAIT_BUCKETS; i++)
		into->waits[i] = Min(into->waits[i] + from->waits[i], PG_UINT16_MAX);
}

/*
 * Two buckets an octave, from 2^PGV_WAIT_FIRST us on: the exponent tells the
 * octave, the mantissa its half, whose bounds lie at the square root of two.
 */
static int
wait_bucket(double ms)
{
	double		us = ms * 1000.0;
	uint64		bits;
	int			octave;
	int			bucket;

	if (!(us >= 1.0))
		return 0;
	memcpy(&bits, &us, sizeof(bits));
	octave = (int) (bits >> 52) - 1023 - PGV_WAIT_FIRST;
	bucket = octave * 2 + ((bits & PGV_MANTISSA) >= PGV_MANTISSA_SQRT2);
	return Min(Max(bucket, 0), PGV_WAIT_BUCKETS - 1);
}

void
pgv_tally_repeat(PgvTally *tally, double wait_ms, double plan_ms)
{
	int			bucket;

	tally->repeats++;
	tally->wait_ms += wait_ms;
	tally->plan_ms += plan_ms;
	bucket = wait_bucket(wait_ms);
	if (tally->waits[bucket] < PG_UINT16_MAX)
		tally->waits[bucket]++;
	if (tally->min_wait_ms < 0 || wait_ms < tally->min_wait_ms)
		tally->min_wait_ms = wait_ms;
}

void
pgv_tally_usage(PgvTally *tally, const PgvUsage *usage, uint64 rows)
{
	tally->exec_ms += usage->time_ms;
	tally->rows += rows;
	if (usage->any_blocks)
	{
		tally->blocks_hit += usage->blocks[PGV_SHARED_HIT];
		tally->blocks_read += usage->blocks[PGV_SHARED_READ];
	}
}

double
pgv_finding_wait(const PgvFinding *finding, double q)
{
	uint64		total = 0;
	uint64		seen = 0;

	for (int i = 0; i < PGV_WAIT_BUCKETS; i++)
		total += finding->waits[i];
	for (int i = 0; i < PGV_WAIT_BUCKETS && total > 0; i++)
	{
		seen += finding->waits[i];
		/* the geometric middle of the bucket, but not below the least */
		if (seen >= ceil(q * total))
			return Max(ldexp(i % 2 ? 1.681793 : 1.189207, PGV_WAIT_FIRST + i / 2) / 1000.0,
					   finding->tally.min_wait_ms);
	}
	return -1;
}

/* ----- the kind ----- */

static void
add_figures(PgvFinding *into, const PgvFinding *from)
{
	add_tally(&into->tally, &from->tally);
	for (int i = 0; i < PGV_WAIT_BUCKETS; i++)
		into->waits[i] += from->tally.waits[i];
	into->bursts += from->bursts;
	into->max_repeats = Max(into->max_repeats, from->max_repeats);
	into->distinct = Max(into->distinct, from->distinct);
	into->in_transaction += from->in_transaction;
	into->confidence = Max(into->confidence, from->confidence);
	into->last_seen = Max(into->last_seen, from->last_seen);
	into->parent_rows = from->parent_rows;
	into->rows_touched = from->rows_touched;
	into->order = from->order;
	into->lineage = from->lineage;
	into->connections = from->connections;
}

static uint64
text_id(const PgvFinding *finding, uint32 which)
{
	switch (which)
	{
		case PGV_FINDING_TEXT:
			return finding->fingerprint;
		case PGV_FINDING_PARENT:
			return finding->parent_fingerprint;
		case PGV_FINDING_LINK:
			return finding->link;
		case PGV_FINDING_SUGGESTION:
			return finding->suggestion;
		default:
			return finding->tags;
	}
}

/* The entry takes the texts that it lacks; the others are surplus. */
static int
take_texts(PgvFinding *into, const PgvFinding *from, uint64 *surplus)
{
	int			n = 0;

	for (uint32 which = PGV_FINDING_TEXT; which <= PGV_FINDING_TAGS; which <<= 1)
	{
		if (!(from->texts & which))
			continue;
		/* of tags the last stand, of all else the first */
		if (into->texts & which)
			surplus[n++] = text_id(which == PGV_FINDING_TAGS ? into : from, which);
		if (which == PGV_FINDING_TAGS)
			into->tags = from->tags;
		else if (which == PGV_FINDING_LINK && !(into->texts & which))
			into->link = from->link;
		else if (which == PGV_FINDING_SUGGESTION && !(into->texts & which))
			into->suggestion = from->suggestion;
		into->texts |= which;
	}
	return n;
}

static int
findings_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvFinding *entry = data;
	const PgvFinding *delta = delta_data;

	if (fresh)
	{
		entry->fingerprint = delta->fingerprint;
		entry->parent_fingerprint = delta->parent_fingerprint;
		entry->tally.min_wait_ms = -1;
		entry->first_seen = delta->first_seen;
		memcpy(entry->application, delta->application, sizeof(entry->application));
	}
	add_figures(entry, delta);
	if (delta->queryid != 0)
		entry->queryid = delta->queryid;
	if (delta->parent_queryid != 0)
		entry->parent_queryid = delta->parent_queryid;
	return take_texts(entry, delta, surplus);
}

static int
findings_delta_texts(const void *data, uint64 *ids)
{
	const PgvFinding *entry = data;
	int			n = 0;

	for (uint32 which = PGV_FINDING_TEXT; which <= PGV_FINDING_TAGS; which <<= 1)
	{
		if (entry->texts & which)
			ids[n++] = text_id(entry, which);
	}
	return n;
}

static int
findings_texts(const void *key, const void *data, uint64 *ids)
{
	return findings_delta_texts(data, ids);
}

static void
findings_lose_text(void *data, uint64 id)
{
	PgvFinding *entry = data;

	for (uint32 which = PGV_FINDING_TEXT; which <= PGV_FINDING_TAGS; which <<= 1)
	{
		if (text_id(entry, which) == id)
			entry->texts &= ~which;
	}
}

static int
findings_worth(const void *data)
{
	const PgvFinding *entry = data;

	return pg_leftmost_one_pos64((uint64) Max(entry->tally.repeats, 1)) * 3;
}

static void
findings_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvFinding));
}

static bool
tally_valid(const PgvTally *t)
{
	return pgv_sane_count(t->repeats) && pgv_sane_count(t->rows) &&
		pgv_sane_count(t->blocks_hit) && pgv_sane_count(t->blocks_read) &&
		pgv_sane_time(t->exec_ms) && pgv_sane_time(t->plan_ms) &&
		pgv_sane_time(t->wait_ms) && pgv_sane_time(t->lock_ms) &&
		pgv_sane_time(t->min_wait_ms);
}

static bool
evidence_valid(const PgvFinding *f)
{
	return pgv_sane_count(f->parent_rows) && pgv_sane_count(f->rows_touched) &&
		f->order >= PGV_ORDER_NONE && f->order <= PGV_ORDER_MIXED &&
		f->lineage >= PGV_LINK_UNKNOWN && f->lineage <= PGV_LINK_SHARED &&
		pgv_sane_count(f->in_transaction) && f->connections >= 0;
}

static bool
findings_valid(const void *key_data, const void *data)
{
	const PgvFindingKey *key = key_data;
	const PgvFinding *f = data;

	return key->kind < PGV_FINDING_KINDS && f->fingerprint == key->fingerprint &&
		f->parent_fingerprint == key->parent_fingerprint &&
		f->confidence >= PGV_SUSPECTED && f->confidence <= PGV_PROVEN &&
		pgv_sane_count(f->bursts) && pgv_sane_count(f->max_repeats) &&
		pgv_sane_count(f->distinct) && tally_valid(&f->tally) &&
		evidence_valid(f) && pgv_sane_instant(f->first_seen) &&
		pgv_sane_instant(f->last_seen) && pgv_sane_name(f->application);
}

/* Tags are shown as jsonb. */
static bool
findings_fits(const void *data, uint64 id, const char *text, int len, int encoding)
{
	const PgvFinding *entry = data;

	return !(entry->texts & PGV_FINDING_TAGS) || entry->tags != id ||
		(encoding == PG_UTF8 && pgv_tags_is_json(text, len));
}

const PgvKind pgv_kind_findings = {
	.name = "findings",
	.version = 3,
	.key_size = sizeof(PgvFindingKey),
	.entry_size = sizeof(PgvFinding),
	.since_offset = offsetof(PgvFinding, stats_since),
	.limit = findings_limit,
	.merge = findings_merge,
	.texts = findings_texts,
	.delta_texts = findings_delta_texts,
	.lose_text = findings_lose_text,
	.worth = findings_worth,
	.clear = findings_clear,
	.valid = findings_valid,
	.fits = findings_fits,
};

/*
 * Store a string under the hash of its bytes; 0 if that cannot be.  A process
 * without a database brings plain ASCII only.
 */
static uint64
intern_string(const char *s, int encoding)
{
	uint64		id = hash_bytes_extended((const unsigned char *) s,
										 strlen(s), 0x7667);

	if (id == 0)
		id = 1;
	if (pgv_texts_reference(id))
		return id;
	return pgv_texts_intern(id, s, strlen(s), encoding) ? id : 0;
}

/* Store one of the words, if it is there. */
static uint64
bring_words(PgvFinding *delta, const char *words, int encoding, uint32 which)
{
	uint64		id = 0;

	if (words != NULL && *words != '\0')
		id = intern_string(words, encoding);
	if (id != 0)
		delta->texts |= which;
	return id;
}

static void
bring_texts(PgvFinding *delta, const PgvStatementRef *child,
			const PgvFindingWords *words)
{
	int			encoding = GetDatabaseEncoding();

	if (child != NULL ? pgv_identity_reference_text(child) :
		pgv_texts_reference(delta->fingerprint))
		delta->texts |= PGV_FINDING_TEXT;
	if (delta->parent_fingerprint != 0 &&
		pgv_texts_reference(delta->parent_fingerprint))
		delta->texts |= PGV_FINDING_PARENT;
	delta->tags = bring_words(delta, pgv_tagging_json(), PG_UTF8, PGV_FINDING_TAGS);
	if (words == NULL)
		return;
	delta->link = bring_words(delta, words->link, encoding, PGV_FINDING_LINK);
	delta->suggestion = bring_words(delta, words->suggestion, encoding,
									PGV_FINDING_SUGGESTION);
}

/* The key of a delta, which gets the name of the application, too. */
static void
make_key(PgvFindingKey *key, Oid dbid, Oid userid, const char *application,
		 PgvFindingKind kind, PgvFinding *delta)
{
	memset(key, 0, sizeof(*key));
	key->dbid = dbid;
	key->userid = userid;
	key->kind = kind;
	key->fingerprint = delta->fingerprint;
	key->parent_fingerprint = delta->parent_fingerprint;
	key->application = hash_bytes_extended((const unsigned char *) application,
										   strlen(application), 0);
	strlcpy(delta->application, application, NAMEDATALEN);
}

void
pgv_findings_report(PgvFindingKind kind, PgvFinding *delta,
					const PgvStatementRef *child, const PgvFindingWords *words,
					PgvRecent *recent)
{
	PgvFindingKey key;

	make_key(&key, MyDatabaseId, child->userid,
			 application_name ? application_name : "", kind, delta);
	delta->first_seen = delta->last_seen = GetCurrentStatementStartTimestamp();
	if (delta->bursts > 0)
	{
		bring_texts(delta, child, words);
		if (delta->confidence > PGV_SUSPECTED)
			pgv_routes_found(child);
	}
	/* in this order: who finds the burst finds its texts */
	pgv_store_merge(&pgv_kind_findings, &key, delta);
	pgv_recent_add(recent, &key, delta);
}

void
pgv_findings_report_for(Oid dbid, Oid userid, const char *application,
						PgvFindingKind kind, PgvFinding *delta,
						const PgvFindingWords *words)
{
	PgvFindingKey key;
	PgvRecent	recent = {0};

	make_key(&key, dbid, userid, application, kind, delta);
	if (delta->bursts > 0)
		bring_texts(delta, NULL, words);
	pgv_store_merge(&pgv_kind_findings, &key, delta);
	pgv_recent_add(&recent, &key, delta);
}

const char *
pgv_finding_kind_name(uint64 kind)
{
	static const char *const names[PGV_FINDING_KINDS] = {
		[PGV_FINDING_N_PLUS_ONE] = "n_plus_one",
		[PGV_FINDING_DUPLICATE] = "duplicate",
		[PGV_FINDING_WRITE] = "n_plus_one_write",
		[PGV_FINDING_WALK] = "recursive_walk",
		[PGV_FINDING_SPI_LOOP] = "spi_loop",
		[PGV_FINDING_PER_ROW] = "function_per_row",
	};

	return kind < PGV_FINDING_KINDS ? names[kind] : NULL;
}

const char *
pgv_confidence_name(int32 confidence)
{
	switch (confidence)
	{
		case PGV_PROVEN:
			return "proven";
		case PGV_LIKELY:
			return "likely";
		default:
			return "suspected";
	}
}

const char *
pgv_walk_order_name(int32 order)
{
	switch (order)
	{
		case PGV_ORDER_ASCENDING:
			return "ascending";
		case PGV_ORDER_DESCENDING:
			return "descending";
		case PGV_ORDER_MIXED:
			return "mixed";
		default:
			return NULL;
	}
}
