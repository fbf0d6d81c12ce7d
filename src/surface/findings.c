/*-------------------------------------------------------------------------
 *
 * surface/findings.c
 *	  What the view on N+1 findings reads: rights, copies, rows.
 *
 * A finding shows two statements and their tables: it is shown to the role
 * that it belongs to and to those who may read all statistics, and to nobody
 * else.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "collect/findings.h"
#include "collect/pending.h"
#include "collect/links.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/findings.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_findings);

#define FINDING(name, field, type) {name, offsetof(PgvFinding, field), type}

static const PgvField fields[] = {
	FINDING("queryid", queryid, PGV_UINT64),
	FINDING("fingerprint", fingerprint, PGV_UINT64),
	FINDING("parent_queryid", parent_queryid, PGV_UINT64),
	FINDING("parent_fingerprint", parent_fingerprint, PGV_UINT64),
	FINDING("bursts", bursts, PGV_INT64),
	FINDING("repeats", tally.repeats, PGV_INT64),
	FINDING("max_repeats", max_repeats, PGV_INT64),
	FINDING("exec_time", tally.exec_ms, PGV_FLOAT8),
	FINDING("plan_time", tally.plan_ms, PGV_FLOAT8),
	FINDING("wait_time", tally.wait_ms, PGV_FLOAT8),
	FINDING("rows", tally.rows, PGV_INT64),
	FINDING("lock_time", tally.lock_ms, PGV_FLOAT8),
	FINDING("shared_blks_hit", tally.blocks_hit, PGV_INT64),
	FINDING("shared_blks_read", tally.blocks_read, PGV_INT64),
	FINDING("stats_since", stats_since, PGV_TIMESTAMPTZ),
	FINDING("first_seen", first_seen, PGV_TIMESTAMPTZ),
	FINDING("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

typedef struct PgvFindingScan
{
	PgvRows		rows;
	MemoryContext row_context;
} PgvFindingScan;

/*
 * What one statement in the place of each burst's repeats would have saved:
 * at the least the usual wait and the planning, at the most all of the
 * waiting, planning and execution, of all repeats but one a burst.
 */
static void
set_waste(PgvRows *rows, const PgvFinding *f)
{
	const PgvTally *t = &f->tally;
	double		usual = Max(pgv_finding_wait(f, 0.1), 0);
	double		saved = (double) (t->repeats - f->bursts);
	double		share;

	if (t->repeats <= 0 || saved < 0)
		return;
	share = saved / t->repeats;
	pgv_row_set(rows, "wasted_time_low",
				Float8GetDatum(Min(saved * usual, share * t->wait_ms) + share * t->plan_ms));
	pgv_row_set(rows, "wasted_time_high",
				Float8GetDatum(share * (t->wait_ms + t->plan_ms + t->exec_ms)));
}

static void
set_waits(PgvRows *rows, const PgvFinding *f)
{
	double		p10 = pgv_finding_wait(f, 0.1);

	if (p10 >= 0)
		pgv_row_set(rows, "p10_wait_time", Float8GetDatum(p10));
}

static void
set_jsonb(PgvRows *rows, const char *name, char *json)
{
	if (json != NULL)
		pgv_row_set(rows, name, DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/* Why we say so, as of the last burst. */
static void
set_evidence(PgvRows *rows, const PgvFinding *f)
{
	StringInfoData buf;
	const char *order = pgv_walk_order_name(f->order);
	const char *lineage = pgv_link_type_name(f->lineage);

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"in_transaction\": " INT64_FORMAT, f->in_transaction);
	if (f->parent_rows > 0)
		appendStringInfo(&buf, ", \"parent_rows\": " INT64_FORMAT
						 ", \"rows_touched\": " INT64_FORMAT,
						 f->parent_rows, f->rows_touched);
	if (order != NULL)
		appendStringInfo(&buf, ", \"order\": \"%s\"", order);
	if (lineage != NULL)
		appendStringInfo(&buf, ", \"lineage\": \"%s\"", lineage);
	if (f->connections > 1)
		appendStringInfo(&buf, ", \"connections\": %d", f->connections);
	if (f->tally.min_wait_ms >= 0)
		appendStringInfo(&buf, ", \"min_wait_ms\": %.3f, \"p10_wait_ms\": %.3f, \"p90_wait_ms\": %.3f",
						 f->tally.min_wait_ms, pgv_finding_wait(f, 0.1),
						 pgv_finding_wait(f, 0.9));
	appendStringInfoChar(&buf, '}');
	set_jsonb(rows, "evidence", buf.data);
}

static void
set_texts(PgvRows *rows, const PgvFinding *f)
{
	if (f->texts & PGV_FINDING_TEXT)
		pgv_row_set_text(rows, "query", pgv_texts_copy(f->fingerprint));
	if (f->texts & PGV_FINDING_PARENT)
		pgv_row_set_text(rows, "parent_query", pgv_texts_copy(f->parent_fingerprint));
	if (f->texts & PGV_FINDING_LINK)
		pgv_row_set_text(rows, "link", pgv_texts_copy(f->link));
	if (f->texts & PGV_FINDING_TAGS)
		set_jsonb(rows, "tags", pgv_texts_copy(f->tags));
	if (f->texts & PGV_FINDING_SUGGESTION)
		pgv_row_set_text(rows, "suggestion", pgv_texts_copy(f->suggestion));
}

void
pgv_finding_row(PgvRows *rows, const PgvFindingKey *key, const PgvFinding *f)
{
	pgv_row_set_text(rows, "kind", pgv_finding_kind_name(key->kind));
	pgv_row_set_text(rows, "confidence", pgv_confidence_name(f->confidence));
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set_text(rows, "application_name", f->application);
	pgv_row_set_fields(rows, fields, lengthof(fields), f);
	if (f->bursts > 0)
		pgv_row_set(rows, "avg_repeats", Float8GetDatum((double) f->tally.repeats / f->bursts));
	/* not known of nested statements */
	if (f->distinct > 0)
		pgv_row_set(rows, "distinct_parameters", Int64GetDatum(f->distinct));
	set_texts(rows, f);
	set_waste(rows, f);
	set_waits(rows, f);
	set_evidence(rows, f);
}

static bool
show_finding(const void *key_data, const void *entry, void *arg)
{
	PgvFindingScan *scan = arg;
	const PgvFindingKey *key = key_data;
	MemoryContext old;

	if (!pgv_may_see(key->userid))
		return true;
	old = MemoryContextSwitchTo(scan->row_context);
	pgv_finding_row(&scan->rows, key, entry);
	pgv_row_emit(&scan->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
	return true;
}

Datum
pgv_surface_findings(PG_FUNCTION_ARGS)
{
	PgvFindingScan scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_store_scan(&pgv_kind_findings, show_finding, &scan);
	return (Datum) 0;
}
