/*-------------------------------------------------------------------------
 *
 * statfile.c
 *	  Fuzz target: any bytes as a statistics file.  What is taken in of them is
 *	  worked with as the server would (see test/unit/statfile_target.c).
 *
 * Checksums stop nearly every change, so most inputs get the right ones again
 * after they were changed: what is behind them has to bear it, too.
 *
 * With a name in PGV_STATFILE_SAMPLE, a file as the server writes it is written
 * there, for the corpus.
 *
 *-------------------------------------------------------------------------
 */
#include "../unit/statfile.h"

#include <stdio.h>
#include <stdlib.h>

#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "collect/findings.h"
#include "collect/routes.h"
#include "collect/statements.h"
#include "store/texts.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);
extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size,
									  unsigned int seed);

/* For the units' stand-in for pg_strong_random(). */
uint64
pgv_unit_random(uint64 below)
{
	static uint64 state = 1;

	state = state * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (state >> 33) % below;
}

/* ----- a sample ----- */

static bool
has_text(uint64 id, const char *text, int encoding)
{
	return pgv_texts_intern(id, text, (int) strlen(text), encoding);
}

static void
put_statement(uint64 fingerprint, int calls)
{
	PgvStatementKey key = {5, 10, fingerprint, 1};

	for (int i = 0; i < calls; i++)
	{
		PgvStatementDelta delta = {.fingerprint = fingerprint,.nbuckets = 1,.count = {1}};
		PgvStatementCounters *c = &delta.counters;

		delta.bucket[0] = (uint16) i;
		c->calls = c->rows = 1;
		c->exec.total = c->exec.min = c->exec.max = c->exec.mean = i;
		c->first_seen = c->last_seen = GetCurrentTimestamp();
		c->resources = calls > 9;
		c->has_text = has_text(fingerprint, "SELECT name FROM author WHERE id = $1", PG_UTF8);
		pgv_store_merge(&pgv_kind_statements, &key, &delta);
	}
}

static void
put_finding(void)
{
	PgvFindingKey key = {5, 10, PGV_FINDING_N_PLUS_ONE, 1, 2, 99};
	PgvFinding	delta = {.fingerprint = 1,.parent_fingerprint = 2,.tags = 1003,
		.confidence = PGV_PROVEN,.bursts = 1,.max_repeats = 12,.distinct = 12,
	.parent_rows = 20,.application = "shop"};

	pgv_tally_clear(&delta.tally);
	pgv_tally_repeat(&delta.tally, 0.25, 0.1);
	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	if (has_text(1003, "{\"controller\": \"a\"}", PG_LATIN1))
		delta.texts |= PGV_FINDING_TAGS;
	if (pgv_texts_reference(1))
		delta.texts |= PGV_FINDING_TEXT;
	pgv_store_merge(&pgv_kind_findings, &key, &delta);
}

static void
put_route(void)
{
	PgvRouteKey key = {5, 10, 99, 501};
	PgvRouteDelta *delta = calloc(1, sizeof(PgvRouteDelta));
	PgvRouteCounters *c = &delta->counters;

	delta->route = 501;
	strcpy(delta->application, "shop");
	c->calls = 1;
	c->total_ms = c->max_ms = 3;
	c->first_seen = c->last_seen = GetCurrentTimestamp();
	pgv_buckets_delta_add(&delta->buckets, 0);
	pgv_distinct_add(&c->statements, 7);
	c->has_text = has_text(501, "/x\n{\"route\": \"/x\"}", PG_UTF8);
	pgv_store_merge(&pgv_kind_routes, &key, delta);
	free(delta);
}

static void
write_sample(const char *name)
{
	FILE	   *file = fopen(name, "wb");

	put_statement(1, 2);
	put_statement(2, 12);
	put_finding();
	put_route();
	if (file == NULL || pgv_persist_put(file) != 0 || fclose(file) != 0)
		abort();
	pgv_statfile_empty();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pgv_statfile_prepare();
	if (getenv("PGV_STATFILE_SAMPLE") != NULL)
		write_sample(getenv("PGV_STATFILE_SAMPLE"));
	return 0;
}

/* ----- changes ----- */

/* Give every record whose length can be its own the checksums it ought to have. */
static void
reseal(uint8 *data, size_t size)
{
	PgvRecordHead marker;
	PgvRecordHead head;

	pgv_statfile_seal(&marker, 0, 0, 0, NULL, 0);
	for (size_t at = 0; at + sizeof(head) <= size;)
	{
		PgvFilePart part = {.data = data + at + sizeof(head)};

		memcpy(&head, data + at, sizeof(head));
		if (head.marker != marker.marker || head.len > size - at - sizeof(head))
		{
			at++;
			continue;
		}
		part.len = head.len;
		pgv_statfile_seal(&head, head.stamp, head.number, head.tag, &part, 1);
		memcpy(data + at, &head, sizeof(head));
		at += sizeof(head) + head.len;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned int seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	if (seed % 8 != 0)
		reseal(data, size);
	return size;
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	return pgv_statfile_target(data, size);
}
