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

#include "access/xact.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"

#include "base/settings.h"
#include "collect/findings.h"
#include "store/texts.h"

static int
findings_limit(void)
{
	return Max(200, pgv_max_statements / 5);
}

static void
add_figures(PgvFinding *into, const PgvFinding *from)
{
	into->bursts += from->bursts;
	into->repeats += from->repeats;
	into->max_repeats = Max(into->max_repeats, from->max_repeats);
	into->distinct = Max(into->distinct, from->distinct);
	into->rows += from->rows;
	into->blocks_hit += from->blocks_hit;
	into->blocks_read += from->blocks_read;
	into->exec_ms += from->exec_ms;
	into->plan_ms += from->plan_ms;
	into->wait_ms += from->wait_ms;
	if (from->min_wait_ms >= 0 &&
		(into->min_wait_ms < 0 || from->min_wait_ms < into->min_wait_ms))
		into->min_wait_ms = from->min_wait_ms;
	into->confidence = Max(into->confidence, from->confidence);
	into->last_seen = Max(into->last_seen, from->last_seen);
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
		default:
			return finding->suggestion;
	}
}

/* The entry takes the texts that it lacks; the others are surplus. */
static int
take_texts(PgvFinding *into, const PgvFinding *from, uint64 *surplus)
{
	int			n = 0;

	for (uint32 which = PGV_FINDING_TEXT; which <= PGV_FINDING_SUGGESTION; which <<= 1)
	{
		if (!(from->texts & which))
			continue;
		if (into->texts & which)
		{
			surplus[n++] = text_id(from, which);
			continue;
		}
		into->texts |= which;
		if (which == PGV_FINDING_LINK)
			into->link = from->link;
		else if (which == PGV_FINDING_SUGGESTION)
			into->suggestion = from->suggestion;
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
		entry->min_wait_ms = -1;
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
findings_texts(const void *key, const void *data, uint64 *ids)
{
	const PgvFinding *entry = data;
	int			n = 0;

	for (uint32 which = PGV_FINDING_TEXT; which <= PGV_FINDING_SUGGESTION; which <<= 1)
	{
		if (entry->texts & which)
			ids[n++] = text_id(entry, which);
	}
	return n;
}

static void
findings_lose_text(void *data, uint64 id)
{
	PgvFinding *entry = data;

	for (uint32 which = PGV_FINDING_TEXT; which <= PGV_FINDING_SUGGESTION; which <<= 1)
	{
		if (text_id(entry, which) == id)
			entry->texts &= ~which;
	}
}

static int
findings_worth(const void *data)
{
	const PgvFinding *entry = data;

	return pg_leftmost_one_pos64((uint64) Max(entry->repeats, 1)) * 3;
}

static void
findings_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvFinding));
}

static bool
findings_valid(const void *key, const void *data)
{
	const PgvFinding *entry = data;

	return entry->repeats >= 0 && entry->bursts >= 0 &&
		((const PgvFindingKey *) key)->kind <= PGV_FINDING_DUPLICATE &&
		entry->confidence >= PGV_LIKELY && entry->confidence <= PGV_PROVEN &&
		memchr(entry->application, '\0', NAMEDATALEN) != NULL;
}

const PgvKind pgv_kind_findings = {
	.name = "findings",
	.version = 1,
	.key_size = sizeof(PgvFindingKey),
	.entry_size = sizeof(PgvFinding),
	.limit = findings_limit,
	.merge = findings_merge,
	.texts = findings_texts,
	.lose_text = findings_lose_text,
	.worth = findings_worth,
	.clear = findings_clear,
	.valid = findings_valid,
};

/* Store a string under the hash of its bytes; 0 if that cannot be. */
static uint64
intern_string(const char *s)
{
	uint64		id = hash_bytes_extended((const unsigned char *) s,
										 strlen(s), 0x7667);

	if (id == 0)
		id = 1;
	if (pgv_texts_reference(id))
		return id;
	return pgv_texts_intern(id, s, strlen(s), GetDatabaseEncoding()) ? id : 0;
}

static void
bring_texts(PgvFinding *delta, const PgvStatementRef *child,
			const char *link, const char *suggestion)
{
	if (pgv_identity_reference_text(child))
		delta->texts |= PGV_FINDING_TEXT;
	if (delta->parent_fingerprint != 0 &&
		pgv_texts_reference(delta->parent_fingerprint))
		delta->texts |= PGV_FINDING_PARENT;
	if (link != NULL && *link != '\0' && (delta->link = intern_string(link)) != 0)
		delta->texts |= PGV_FINDING_LINK;
	if (suggestion != NULL && (delta->suggestion = intern_string(suggestion)) != 0)
		delta->texts |= PGV_FINDING_SUGGESTION;
}

void
pgv_findings_report(PgvFindingKind kind, PgvFinding *delta,
					const PgvStatementRef *child,
					const char *link, const char *suggestion)
{
	PgvFindingKey key;
	const char *application = application_name ? application_name : "";

	memset(&key, 0, sizeof(key));
	key.dbid = MyDatabaseId;
	key.userid = child->userid;
	key.kind = kind;
	key.fingerprint = delta->fingerprint;
	key.parent_fingerprint = delta->parent_fingerprint;
	key.application = hash_bytes_extended((const unsigned char *) application,
										  strlen(application), 0);
	strlcpy(delta->application, application, NAMEDATALEN);
	delta->first_seen = delta->last_seen = GetCurrentStatementStartTimestamp();
	if (delta->bursts > 0)
		bring_texts(delta, child, link, suggestion);
	pgv_store_merge(&pgv_kind_findings, &key, delta);
}

const char *
pgv_finding_kind_name(uint64 kind)
{
	return kind == PGV_FINDING_DUPLICATE ? "duplicate" : "n_plus_one";
}

const char *
pgv_confidence_name(int32 confidence)
{
	return confidence == PGV_PROVEN ? "proven" : "likely";
}
