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

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "collect/waits.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"
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
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ),
	COUNTER("stats_since", stats_since, PGV_TIMESTAMPTZ)
};

/* The residual of one database and class, added up over the partitions. */
typedef struct PgvResidual
{
	struct PgvResidual *next;
	Oid			dbid;
	PgvWaitEntry sum;
} PgvResidual;

typedef struct PgvWaitScan
{
	PgvRows		rows;
	PgvResidual *residuals;
	MemoryContext row_context;	/* reset after each row */
	MemoryContext residual_context;
} PgvWaitScan;

static void
keep_residual(PgvWaitScan *scan, Oid dbid, const PgvWaitEntry *entry)
{
	PgvResidual *r = scan->residuals;

	while (r != NULL && (r->dbid != dbid || strcmp(r->sum.type, entry->type) != 0))
		r = r->next;
	if (r == NULL)
	{
		r = MemoryContextAllocZero(scan->residual_context, sizeof(PgvResidual));
		r->dbid = dbid;
		r->sum.stats_since = entry->stats_since;
		memcpy(r->sum.type, entry->type, sizeof(entry->type));
		r->next = scan->residuals;
		scan->residuals = r;
	}
	r->sum.stats_since = Min(r->sum.stats_since, entry->stats_since);
	pgv_waits_add(&r->sum, entry);
}

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

static bool
show_wait(const void *key_data, const void *entry_data, void *arg)
{
	PgvWaitScan *scan = arg;
	const PgvWaitKey *key = key_data;
	const PgvWaitEntry *entry = entry_data;
	MemoryContext old;

	if (!pgv_may_see(key->userid))
		return true;
	if (pgv_waits_is_residual(key))
	{
		keep_residual(scan, key->dbid, entry);
		return true;
	}
	old = MemoryContextSwitchTo(scan->row_context);
	set_identity(&scan->rows, key, entry);
	set_figures(&scan->rows, entry);
	pgv_row_emit(&scan->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
	return true;
}

Datum
pgv_surface_waits(PG_FUNCTION_ARGS)
{
	PgvWaitScan scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.residuals = NULL;
	scan.residual_context = CurrentMemoryContext;
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_store_scan(&pgv_kind_waits, show_wait, &scan);
	for (PgvResidual *r = scan.residuals; r != NULL; r = r->next)
	{
		if (r->dbid != InvalidOid)
			pgv_row_set(&scan.rows, "dbid", ObjectIdGetDatum(r->dbid));
		pgv_row_set_text(&scan.rows, "query", "<other>");
		set_figures(&scan.rows, &r->sum);
		pgv_row_emit(&scan.rows);
	}
	return (Datum) 0;
}
