/*-------------------------------------------------------------------------
 *
 * surface/waits.c
 *	  What the view on waits reads: rights, copies, rows.
 *
 * What a session was seen at is shown to the role it did it as and to those
 * who may read all statistics.  Background processes and the residual entries
 * belong to nobody.  The latter, one a partition, database and class of events,
 * are added to one row each.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/htup_details.h"
#include "catalog/pg_database.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "collect/waits.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"
#include "surface/waits.h"

PGV_FUNCTION(pgv_surface_waits);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvWaitEntry, field), type}

static const PgvField fields[] = {
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("samples", samples, PGV_INT64),
	COUNTER("wait_time", ms, PGV_FLOAT8),
	COUNTER("blocked_time", blocked_ms, PGV_FLOAT8),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

/* A name that is not empty. */
static void
set_name(PgvRows *rows, const char *column, const char *name)
{
	if (*name != '\0')
		pgv_row_set_text(rows, column, name);
}

/* The route's text is its name, or nothing, a newline, and its tags. */
void
pgv_set_route(PgvRows *rows, uint64 route)
{
	char	   *text = route != 0 ? pgv_texts_copy(route) : NULL;
	char	   *newline = text != NULL ? strchr(text, '\n') : NULL;

	if (newline == NULL)
		return;
	*newline = '\0';
	set_name(rows, "route", text);
}

static int
encoding_of(Oid dbid)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(dbid));
	int			encoding = PG_SQL_ASCII;

	if (HeapTupleIsValid(tuple))
	{
		encoding = ((Form_pg_database) GETSTRUCT(tuple))->encoding;
		ReleaseSysCache(tuple);
	}
	return encoding;
}

/* What has not been executed before is in no store yet. */
static char *
text_of(const PgvSample *s, uint64 fingerprint)
{
	char	   *text = pgv_texts_copy(fingerprint);
	int			len;

	if (text != NULL)
		return text;
	text = pgv_look_text(s, fingerprint, &len);
	return text != NULL ? pgv_texts_convert(text, len, encoding_of(s->proc->databaseId)) : NULL;
}

/* The caller may see it. */
void
pgv_set_statement(PgvRows *rows, const PgvSample *s)
{
	const PgvNow *now = &s->slot.now;
	uint64		fingerprint = pgv_look_fingerprint(s);

	if (fingerprint == 0)
		return;
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) fingerprint));
	pgv_row_set_text(rows, "query", text_of(s, fingerprint));
	if (!s->has_statement)
	{
		pgv_row_set(rows, "statement_start", TimestampTzGetDatum(s->status.activity_start));
		return;
	}
	pgv_set_route(rows, now->route);
	if (now->queryid != 0)
		pgv_row_set(rows, "queryid", Int64GetDatum((int64) now->queryid));
	pgv_row_set(rows, "statement_start", TimestampTzGetDatum(now->since));
}

static void
set_figures(PgvRows *rows, const PgvWaitEntry *entry)
{
	pgv_row_set_text(rows, "wait_event_type", entry->type);
	pgv_row_set_fields(rows, fields, lengthof(fields), entry);
	pgv_row_set(rows, "wait_time_margin", Float8GetDatum(pgv_waits_margin(entry->squares)));
}

static void
set_identity(PgvRows *rows, const PgvWaitKey *key, const PgvWaitEntry *entry)
{
	if (key->dbid != InvalidOid)
		pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	if (key->userid != InvalidOid)
		pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	if (key->phase != PGV_PHASE_BACKGROUND)
		pgv_row_set_text(rows, "application_name", entry->application);
	pgv_row_set_text(rows, "backend_type", entry->backend_type);
	pgv_row_set_text(rows, "phase", pgv_phase_name(key->phase));
	set_name(rows, "wait_event", entry->event);
	pgv_set_route(rows, key->route);
	if (key->fingerprint == 0)
		return;
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) key->fingerprint));
	/* where the entry has no reference, the statement's own may keep the text */
	pgv_row_set_text(rows, "query", pgv_texts_copy(key->fingerprint));
}

static void
show_sum(PgvRows *rows, const void *sum, TimestampTz stats_since)
{
	set_figures(rows, sum);
	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
}

static void
show_wait(PgvRows *rows, const void *key, const void *entry)
{
	set_identity(rows, key, entry);
	show_sum(rows, entry, ((const PgvWaitEntry *) entry)->stats_since);
}

static const char *
class_of(const void *entry)
{
	return ((const PgvWaitEntry *) entry)->type;
}

static void
add_wait(void *sum, const void *entry)
{
	strlcpy(((PgvWaitEntry *) sum)->type, class_of(entry), PGV_WAIT_TYPE_LEN);
	pgv_waits_add(sum, entry);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_waits,
	.show = show_wait,
	.sum_size = sizeof(PgvWaitEntry),
	.add = add_wait,
	.show_sum = show_sum,
	.class = class_of,
	.label_column = "query",
	.label = "<other>",
};

Datum
pgv_surface_waits(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
