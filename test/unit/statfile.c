/*-------------------------------------------------------------------------
 *
 * statfile.c
 *	  If this fails, damage to a statistics file costs more than what is
 *	  damaged, or a file can make the server fail.
 *
 *-------------------------------------------------------------------------
 */
#include "statfile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

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

#define MAX_RECORDS 200

/* A file as it is written, and where its records are. */
typedef struct Sample
{
	char	   *data;
	Size		len;
	int			n;
	Size		start[MAX_RECORDS + 1];
	uint32		tag[MAX_RECORDS];
	int			nentries;
	int			ntexts;
	StatfileEntries entries;
} Sample;

static const char tags[] = "{\"controller\": \"a \\\"b\\\" \\\\ c\", \"route\": \"/\xc3\xa4\"}";
static const char route[] = "/x\n{\"route\": \"/x\"}";

/* ----- a sample ----- */

static bool
has_text(uint64 id, const char *text, int encoding)
{
	return pgv_texts_intern(id, text, (int) strlen(text), encoding);
}

static void
put_statement(uint64 fingerprint, int calls, bool resources)
{
	PgvStatementKey key = {5, fingerprint == 0 ? 0 : 10, fingerprint, fingerprint != 0};

	for (int i = 0; i < calls; i++)
	{
		PgvStatementDelta delta = {.fingerprint = fingerprint,.nbuckets = 1,.count = {1}};
		PgvStatementCounters *c = &delta.counters;

		delta.bucket[0] = (uint16) (i % 20);
		c->queryid = fingerprint != 0 ? fingerprint * 3 : 0;
		c->calls = c->plans = c->rows = 1;
		c->exec.total = c->exec.min = c->exec.max = c->exec.mean = i;
		c->first_seen = c->last_seen = GetCurrentTimestamp() + i;
		c->resources = resources;
		c->blocks[PGV_SHARED_HIT] = resources ? 7 : 0;
		c->block_ms[PGV_TEMP_WRITE_MS] = resources ? 0.5 : 0;
		c->has_text = fingerprint != 0 &&
			has_text(fingerprint, "SELECT name FROM author WHERE id = $1", PG_UTF8);
		pgv_store_merge(&pgv_kind_statements, &key, &delta);
	}
}

static void
put_finding(uint64 fingerprint, uint64 parent)
{
	PgvFindingKey key = {5, 10, PGV_FINDING_N_PLUS_ONE, fingerprint, parent, 99};
	PgvFinding	delta = {.fingerprint = fingerprint,.parent_fingerprint = parent,
		.queryid = 4,.link = 1001,.suggestion = 1002,.tags = 1003,
		.confidence = PGV_PROVEN,.bursts = 1,.max_repeats = 12,.distinct = 12,
		.parent_rows = 20,.rows_touched = 12,.order = PGV_ORDER_ASCENDING,
		.lineage = 2,.in_transaction = 1,
	.application = "shop"};

	pgv_tally_clear(&delta.tally);
	for (int i = 0; i < 12; i++)
		pgv_tally_repeat(&delta.tally, 0.25 * i, 0.1);
	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	if (has_text(1001, "book.author → author.id", PG_UTF8))
		delta.texts |= PGV_FINDING_LINK;
	if (has_text(1002, "load them at once", PG_LATIN1))
		delta.texts |= PGV_FINDING_SUGGESTION;
	if (has_text(1003, tags, PG_UTF8))
		delta.texts |= PGV_FINDING_TAGS;
	if (pgv_texts_reference(fingerprint))
		delta.texts |= PGV_FINDING_TEXT;
	pgv_store_merge(&pgv_kind_findings, &key, &delta);
}

static void
put_route(uint64 id, int calls)
{
	PgvRouteKey key = {5, 10, 99, id};
	PgvRouteDelta *delta = calloc(1, sizeof(PgvRouteDelta));
	PgvRouteCounters *c = &delta->counters;

	delta->route = id;
	strcpy(delta->application, "shop");
	c->calls = calls;
	c->total_ms = c->max_ms = calls;
	c->first_seen = c->last_seen = GetCurrentTimestamp();
	for (int i = 0; i < calls; i++)
	{
		pgv_buckets_delta_add(&delta->buckets, i);
		pgv_distinct_add(&c->statements, i);
	}
	c->has_text = has_text(id, route, PG_UTF8);
	pgv_store_merge(&pgv_kind_routes, &key, delta);
	free(delta);
}

static void
put_transaction(uint64 shape, uint64 route_id, int calls)
{
	PgvTransactionKey key = {5, shape == 0 ? 0 : 10, shape == 0 ? 0 : 99, route_id, shape};
	PgvTransactionDelta *delta = calloc(1, sizeof(PgvTransactionDelta));
	PgvTransactionCounters *c = &delta->counters;

	delta->route = route_id;
	if (shape != 0)
		strcpy(delta->application, "shop");
	delta->steps.length = shape != 0 ? 3 : 0;
	delta->steps.first[0] = shape;
	c->committed = calls - 2;
	c->rolled_back = c->prepared = 1;
	c->statements = 3 * calls;
	c->total_ms = c->max_ms = calls;
	c->idle_ms = 1.5;
	c->longest = c->first_seen = c->last_seen = GetCurrentTimestamp();
	for (int i = 0; i < calls; i++)
		pgv_buckets_delta_add(&delta->buckets, i);
	c->has_text = route_id != 0 && pgv_texts_reference(route_id);
	pgv_store_merge(&pgv_kind_transactions, &key, delta);
	free(delta);
}

static void
put_error(uint64 fingerprint, int sqlstate)
{
	PgvErrorKey key = {5, 10, fingerprint, sqlstate};
	PgvErrorEntry delta = {.fingerprint = fingerprint,.queryid = fingerprint * 3,
	.failures = 2,.caught = 1,.lost_ms = 1.5};

	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	delta.has_text = fingerprint != 0 && pgv_texts_reference(fingerprint);
	pgv_store_merge(&pgv_kind_errors, &key, &delta);
}

static void
put_deadlock(uint64 one, uint64 other)
{
	PgvDeadlockEntry d = {.parties = 2,.n = 2};

	for (int i = 0; i < 2; i++)
	{
		d.party[i].fingerprint = i == 0 ? one : other;
		d.party[i].userid = 10;
		d.party[i].lock_mode = 5;
		strcpy(d.party[i].application, "shop");
	}
	pgv_deadlocks_add(5, &d);
}

static void
put_resources(uint64 fingerprint)
{
	PgvStatementKey key = {5, 10, fingerprint, 1};
	PgvResourceEntry delta = {.queryid = fingerprint * 3,.measured = 2,.stand_for = 9,
	.memory_count = 9,.memory_bytes = 9e5,.memory_max = 2e5};

	delta.total.elapsed_ms = 3;
	delta.total.user_ms = 2;
	delta.nested.user_ms = 1;
	delta.memory[7] = 9;
	pgv_store_merge(&pgv_kind_resources, &key, &delta);
}

static void
put_wait(uint64 fingerprint, uint64 route_id, const char *type, const char *event)
{
	PgvWaitKey	key = {.dbid = 5,.userid = 10,.fingerprint = fingerprint,.route = route_id,
	.phase = PGV_PHASE_EXECUTING,.class = 3};
	PgvWaitEntry delta = {.queryid = fingerprint * 3,.samples = 7,.ms = 70.5,
	.squares = 710,.blocked_ms = 12};

	strcpy(delta.type, type);
	strcpy(delta.event, event);
	strcpy(delta.backend_type, "client backend");
	strcpy(delta.application, "shop");
	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	pgv_waits_complete(&key, &delta);
	pgv_store_merge(&pgv_kind_waits, &key, &delta);
}

/* A residual, "<other>". */
static void
put_other_waits(void)
{
	PgvWaitKey	key = {.dbid = 5,.class = 3};
	PgvWaitEntry delta = {.samples = 7,.ms = 70.5,.squares = 710};

	strcpy(delta.type, "Lock");
	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	pgv_store_merge(&pgv_kind_waits, &key, &delta);
}

static void
put_plan(uint64 fingerprint, uint64 planid, int calls)
{
	PgvPlanKey	key = {{5, planid == 0 ? 0 : 10, fingerprint, planid != 0}, planid};

	for (int i = 0; i < calls; i++)
	{
		PgvStatementDelta delta = {.fingerprint = fingerprint,.nbuckets = 1,.count = {1}};
		PgvStatementCounters *c = &delta.counters;

		delta.bucket[0] = (uint16) (i % 20);
		c->calls = c->rows = 1;
		c->exec.total = c->exec.min = c->exec.max = c->exec.mean = i;
		c->first_seen = c->last_seen = GetCurrentTimestamp() + i;
		c->resources = true;
		c->blocks[PGV_SHARED_HIT] = 7;
		delta.plan.total_cost = 12.5;
		delta.plan.rows = 3;
		delta.plan.generic = 1;
		if (planid != 0 &&
			has_text(pgv_plantext_id(5, fingerprint, planid),
					 "[{\"Plan\":{\"Node Type\":\"Result\"}}]", PG_UTF8))
			delta.plan.text = pgv_plantext_id(5, fingerprint, planid);
		pgv_store_merge(&pgv_kind_plans, &key, &delta);
	}
}

static void
put_misestimate(uint64 fingerprint, uint64 relation, PgvDirection direction)
{
	PgvMisestimateKey key = {5, 10, fingerprint, 71, 3, direction};
	PgvMisestimate delta = {.queryid = fingerprint * 3,.seen = 2,
		.last = {1, 100, 100, 1},.worst = {1, 500.5, 500.5, 2},.inherited = true,
	.node_type = "Seq Scan"};

	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	if (relation != 0 && has_text(relation, "public.author", PG_UTF8))
		delta.relation = relation;
	pgv_store_merge(&pgv_kind_misestimates, &key, &delta);
}

/* Write what is in the store, and find its records. */
static void
write_sample(Sample *s)
{
	FILE	   *file = tmpfile();

	memset(s, 0, sizeof(*s));
	CHECK(file != NULL && pgv_persist_put(file) == 0);
	s->len = (Size) ftell(file);
	s->data = malloc(s->len);
	rewind(file);
	CHECK(fread(s->data, 1, s->len, file) == s->len);
	fclose(file);
	for (Size at = 0; at < s->len; s->n++)
	{
		PgvRecordHead head;

		memcpy(&head, s->data + at, sizeof(head));
		s->start[s->n] = at;
		s->tag[s->n] = head.tag;
		s->nentries += head.tag >= PGV_TAG_KIND;
		s->ntexts += head.tag == PGV_TAG_TEXT;
		at += sizeof(head) + head.len;
		s->start[s->n + 1] = at;
	}
	pgv_statfile_empty();
}

/* The same, and see that it can be read. */
static void
make_sample(Sample *s)
{
	PgvRestored done;

	write_sample(s);
	pgv_statfile_take(s->data, s->len, &done, &s->entries);
	CHECK(done.is_ours && !done.cut_short && done.lost == 0 && done.skipped == 0);
	CHECK(done.entries == s->nentries && s->entries.n == s->nentries);
}

static void
fill_and_sample(Sample *s)
{
	pgv_statfile_prepare();
	put_statement(1, 3, false);
	put_statement(2, 30, true);
	put_statement(0, 40, true);	/* <evicted> */
	put_finding(1, 2);
	put_finding(2, 0);
	put_route(501, 4);
	put_route(502, 60);
	put_transaction(901, 501, 4);
	put_transaction(902, 0, 60);
	put_transaction(0, 0, 5);	/* <other> */
	put_error(1, 130);
	put_error(0, 67);
	put_deadlock(1, 2);
	put_deadlock(2, 2);
	put_plan(1, 71, 3);
	put_plan(2, 72, 30);
	put_plan(0, 0, 40);
	put_resources(1);
	put_wait(1, 501, "Lock", "transactionid");
	put_wait(0, 0, "CPU", "");
	put_other_waits();
	put_misestimate(1, 2001, PGV_UNDERESTIMATED);
	put_misestimate(2, 0, PGV_OVERESTIMATED);
	make_sample(s);
}

/* ----- damage ----- */

/*
 * Every byte, in the optimised program; with sanitizers, which take three times as
 * long, every fifth.
 */
#if defined(__SANITIZE_ADDRESS__)
#define STEP 5
#else
#define STEP 1
#endif

static int
record_of(const Sample *s, Size at)
{
	int			k = 0;

	while (s->start[k + 1] <= at)
		k++;
	return k;
}

static bool
is_in(uint64 hash, const StatfileEntries *entries)
{
	for (int i = 0; i < entries->n; i++)
	{
		if (entries->hash[i] == hash)
			return true;
	}
	return false;
}

/* Nothing is lost but, at the most, the record; and it is told. */
static void
check_loss(const Sample *s, int record, const char *data, Size len, const char *what, Size at)
{
	PgvRestored done;
	StatfileEntries entries;
	bool		entry = s->tag[record] >= PGV_TAG_KIND;
	bool		last = s->tag[record] == PGV_TAG_LAST;
	int			same = 0;

	pgv_statfile_take(data, len, &done, &entries);
	for (int i = 0; i < entries.n; i++)
		same += is_in(entries.hash[i], &s->entries);
	CHECKF(done.is_ours && done.entries == s->nentries - entry &&
		   entries.n == done.entries, "%s at %zu: " UINT64_FORMAT " of %d entries", what, at,
		   done.entries, s->nentries);
	/* entries are as they were, unless it was their text */
	CHECKF(same == entries.n || s->tag[record] == PGV_TAG_TEXT, "%s at %zu: changed", what, at);
	CHECKF(done.cut_short == last && done.skipped > 0 && done.left_out == 0 &&
		   done.lost == (entry || s->tag[record] == PGV_TAG_TEXT), "%s at %zu: told " UINT64_FORMAT, what,
		   at, done.lost);
}

static void
check_flips(const Sample *s)
{
	char	   *data = malloc(s->len);

	memcpy(data, s->data, s->len);
	for (Size at = 0; at < s->len; at += STEP)
	{
		data[at] ^= 1 + (char) pgv_unit_random(255);
		check_loss(s, record_of(s, at), data, s->len, "flip", at);
		data[at] = s->data[at];
	}
	free(data);
}

static void
check_shifts(const Sample *s)
{
	for (Size at = 0; at < s->len; at += STEP)
	{
		/* of exactly their size, so that what is read behind them is noticed */
		char	   *less = malloc(s->len - 1);
		char	   *more = malloc(s->len + 1);

		memcpy(less, s->data, at);
		memcpy(less + at, s->data + at + 1, s->len - at - 1);
		check_loss(s, record_of(s, at), less, s->len - 1, "a byte less", at);
		free(less);
		memcpy(more, s->data, at);
		more[at] = s->data[at] ^ 0x55;
		memcpy(more + at + 1, s->data + at, s->len - at);
		/* between two records nothing is hurt */
		if (s->start[record_of(s, at)] != at)
			check_loss(s, record_of(s, at), more, s->len + 1, "a byte more", at);
		free(more);
	}
}

static void
check_cuts(const Sample *s)
{
	for (Size len = 0; len < s->len; len += STEP)
	{
		PgvRestored done;
		StatfileEntries entries;
		char	   *data = malloc(len + 1);
		int			whole = 0;

		memcpy(data, s->data, len);
		for (int k = 0; k < s->n; k++)
			whole += s->start[k + 1] <= len && s->tag[k] >= PGV_TAG_KIND;
		pgv_statfile_take(data, len, &done, &entries);
		CHECKF(done.is_ours == (len >= s->start[1]), "cut at %zu", len);
		CHECKF(done.entries == whole && entries.n == whole, "cut at %zu: " UINT64_FORMAT " of %d", len,
			   done.entries, whole);
		CHECKF(done.cut_short == done.is_ours, "cut at %zu is not told", len);
		free(data);
	}
}

/* What other writes have left, in front of it and behind. */
static void
check_mixtures(const Sample *a, const Sample *b)
{
	Size		len = a->len + b->len;
	char	   *data = malloc(len);
	PgvRestored done;
	StatfileEntries entries;

	memcpy(data, a->data, a->len);
	memcpy(data + a->len, b->data, b->len);
	pgv_statfile_take(data, len, &done, &entries);
	CHECK(done.entries == a->nentries && entries.calls == a->entries.calls);
	CHECK(done.skipped == b->len && done.lost == 0 && !done.cut_short);
	/* twice the same */
	memcpy(data + a->len, a->data, Min(a->len, b->len));
	pgv_statfile_take(data, len, &done, &entries);
	CHECK(done.entries == a->nentries && entries.calls == a->entries.calls);
	/* the first half of one, the second of the other */
	for (int k = 1; k < Min(a->n, b->n); k++)
	{
		memcpy(data, a->data, a->start[k]);
		memcpy(data + a->start[k], b->data + b->start[k], b->len - b->start[k]);
		pgv_statfile_take(data, a->start[k] + b->len - b->start[k], &done, &entries);
		CHECK(done.cut_short && done.entries <= a->nentries);
		for (int i = 0; i < entries.n && k > a->nentries + a->ntexts; i++)
			CHECK(is_in(entries.hash[i], &a->entries));
	}
	/* the last two records change places: the one in front is late */
	memcpy(data, a->data, a->start[1]);
	memcpy(data + a->start[1], a->data + a->start[2], a->start[3] - a->start[2]);
	memcpy(data + a->start[1] + a->start[3] - a->start[2], a->data + a->start[1], a->start[2] - a->start[1]);
	memcpy(data + a->start[3], a->data + a->start[3], a->len - a->start[3]);
	pgv_statfile_take(data, a->len, &done, &entries);
	CHECK(done.lost == 1 && done.entries == a->nentries - 1);
	free(data);
}

/* A client's text cannot pose as a record, also when its own is damaged. */
static void
check_forgery(const Sample *a)
{
	char		text[1024] = "SELECT 1 /*";
	PgvStatementKey key = {5, 10, 700, 1};
	PgvStatementDelta delta = {.fingerprint = 700};
	Size		forged = 0;
	PgvRestored done;
	StatfileEntries entries;
	Sample		s;

	/* without bytes 0 they are no text, but somebody may write such a file */
	for (int k = 1; k < a->n && forged == 0; k++)
	{
		Size		len = a->start[k + 1] - a->start[k];

		if (a->tag[k] >= PGV_TAG_KIND && len < sizeof(text) - 20)
			memcpy(text + 11, a->data + a->start[k], forged = len);
	}
	CHECK(forged > 0);
	delta.counters.has_text = pgv_texts_intern(700, text, 11 + (int) forged, PG_UTF8);
	pgv_store_merge(&pgv_kind_statements, &key, &delta);
	write_sample(&s);
	for (int k = 0; k < s.n; k++)
	{
		if (s.tag[k] != PGV_TAG_TEXT)
			continue;
		s.data[s.start[k] + sizeof(PgvRecordHead)] ^= 1;
		pgv_statfile_take(s.data, s.len, &done, &entries);
		CHECK(done.entries == 1 && entries.n == 1);
	}
	free(s.data);
}

/* ----- files that somebody has made ----- */

/* Give a record of the sample that was changed its checksums. */
static void
reseal(const Sample *s, int record, char *data)
{
	Size		at = s->start[record];
	PgvRecordHead head;
	PgvFilePart part;

	memcpy(&head, data + at, sizeof(head));
	part.data = data + at + sizeof(head);
	part.len = s->start[record + 1] - at - sizeof(head);
	pgv_statfile_seal(&head, head.stamp, head.number, head.tag, &part, 1);
	memcpy(data + at, &head, sizeof(head));
}

/* Any value in any place of a record, with the right checksum. */
static void
check_values(const Sample *s)
{
	static const uint64 values[] = {
		PG_UINT64_MAX, PG_INT64_MAX, UINT64CONST(1) << 63,
		UINT64CONST(0x7FF0000000000000),	/* infinite */
		UINT64CONST(0xFFF8000000000001),	/* no number */
		UINT64CONST(0x7FEFFFFFFFFFFFFF), UINT64CONST(0x0200020002000202),
		UINT64CONST(0x016C016B016C016B)
	};
	static const Size sizes[] = {1, 8};
	char	   *data = malloc(s->len);
	uint64		tried = 0;

	memcpy(data, s->data, s->len);
	for (int k = 0; k < s->n; k++)
	{
		Size		begin = s->start[k] + sizeof(PgvRecordHead);

		for (Size at = begin; at < s->start[k + 1]; at += STEP)
		{
			for (int i = 0; i < (int) (lengthof(values) * lengthof(sizes)); i++)
			{
				Size		size = sizes[i % lengthof(sizes)];

				/* one byte: of so many values, each place gets one */
				if (size == 1 ? i / lengthof(sizes) != at % lengthof(values) :
					(at - begin) % size != 0 || at + size > s->start[k + 1])
					continue;
				memcpy(data + at, &values[i / lengthof(sizes)], size);
				reseal(s, k, data);
				pgv_statfile_target((uint8_t *) data, s->len);
				memcpy(data + at, s->data + at, size);
				tried++;
			}
		}
		memcpy(data + s->start[k], s->data + s->start[k], sizeof(PgvRecordHead));
	}
	CHECK(tried > s->len / STEP);
	free(data);
}

static void
check_random(const Sample *s)
{
	char	   *data = malloc(s->len);

	for (int run = 0; run < 3000; run++)
	{
		int			n = 1 + (int) pgv_unit_random(20);
		Size		len = pgv_unit_random(4) == 0 ? pgv_unit_random(s->len + 1) : s->len;
		char	   *cut;

		memcpy(data, s->data, s->len);
		while (n-- > 0)
		{
			Size		at = pgv_unit_random(s->len);

			data[at] = (char) pgv_unit_random(256);
			/* often with the right checksum, so that it gets further */
			if (at >= s->start[record_of(s, at)] + sizeof(PgvRecordHead) && n % 8 != 0)
				reseal(s, record_of(s, at), data);
		}
		cut = malloc(len + 1);
		memcpy(cut, data, len);
		pgv_statfile_target((uint8_t *) cut, len);
		free(cut);
		CHECK(true);
	}
	free(data);
}

static void
check_json(void)
{
	static const char *const good[] = {"{}", "{\"a\": \"\"}", tags,
	"{\"a\": \"b\", \"c\": \"}\"}", "{\"\\\"\": \"\\\\\"}"};
	static const char *const bad[] = {"", "{", "{}}", "[]", "{\"a\": \"b\"", "{\"a\":\"b\"}",
		"{\"a\": \"b\",}", "{\"a\": \"b\", }", "{\"a\": \"\n\"}", "{\"a\": \"\\x\"}", "{\"a\": \"\\\"}",
	"{\"a\": 1}", "{\"a\": \"b\" }", "{a: \"b\"}", "{\"a\"}", "{\"a\": \"b\"}\n"};

	for (int i = 0; i < (int) lengthof(good); i++)
		CHECKF(pgv_tags_is_json(good[i], (int) strlen(good[i])), "%s", good[i]);
	for (int i = 0; i < (int) lengthof(bad); i++)
		CHECKF(!pgv_tags_is_json(bad[i], (int) strlen(bad[i])), "%s", bad[i]);
}

void
pgv_unit_statfile(void)
{
	Sample		a;
	Sample		b;

	check_json();
	fill_and_sample(&a);
	put_statement(3, 9, true);
	put_statement(4, 5, false);
	put_route(503, 3);
	make_sample(&b);
	check_flips(&a);
	check_shifts(&a);
	check_cuts(&a);
	check_mixtures(&a, &b);
	check_mixtures(&b, &a);
	check_forgery(&a);
	check_values(&a);
	check_random(&a);
	free(a.data);
	free(b.data);
}
