/*-------------------------------------------------------------------------
 *
 * surface/errors.c
 *	  What the view on errors reads: rights, copies, rows.
 *
 * An error is shown to the role that had it and to those who may read all
 * statistics.  The residual entries of a database, one a partition, are added
 * to one row, which belongs to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/conditions.h"
#include "collect/errors.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/rows.h"

PGV_FUNCTION(pgv_surface_errors);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvErrorEntry, field), type}

static const PgvField fields[] = {
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("failures", failures, PGV_INT64),
	COUNTER("caught", caught, PGV_INT64),
	COUNTER("time_lost", lost_ms, PGV_FLOAT8),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ),
	COUNTER("stats_since", stats_since, PGV_TIMESTAMPTZ)
};

/* The residual of one database, added up over the partitions. */
typedef struct PgvResidual
{
	struct PgvResidual *next;
	Oid			dbid;
	PgvErrorEntry sum;
} PgvResidual;

typedef struct PgvErrorScan
{
	PgvRows		rows;
	PgvResidual *residuals;
	MemoryContext row_context;	/* reset after each row */
	MemoryContext residual_context;
} PgvErrorScan;

static void
keep_residual(PgvErrorScan *scan, Oid dbid, const PgvErrorEntry *entry)
{
	PgvResidual *r = scan->residuals;

	while (r != NULL && r->dbid != dbid)
		r = r->next;
	if (r == NULL)
	{
		r = MemoryContextAllocZero(scan->residual_context, sizeof(PgvResidual));
		r->dbid = dbid;
		r->sum.stats_since = entry->stats_since;
		r->next = scan->residuals;
		scan->residuals = r;
	}
	r->sum.stats_since = Min(r->sum.stats_since, entry->stats_since);
	pgv_errors_add(&r->sum, entry);
}

static void
set_identity(PgvRows *rows, const PgvErrorKey *key)
{
	const char *sqlstate = unpack_sql_state((int) key->sqlstate);

	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set_text(rows, "sqlstate", sqlstate);
	pgv_row_set_text(rows, "condition", pgv_condition_name(sqlstate));
	if (key->fingerprint == 0)
		return;
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) key->fingerprint));
	/* where the entry has no reference, the statement's own may keep the text */
	pgv_row_set_text(rows, "query", pgv_texts_copy(key->fingerprint));
}

static bool
show_error(const void *key_data, const void *entry, void *arg)
{
	PgvErrorScan *scan = arg;
	const PgvErrorKey *key = key_data;
	MemoryContext old;

	/* a residual belongs to no role, so only some may see it */
	if (!pgv_may_see(key->userid))
		return true;
	if (pgv_errors_is_residual(key))
	{
		keep_residual(scan, key->dbid, entry);
		return true;
	}
	old = MemoryContextSwitchTo(scan->row_context);
	set_identity(&scan->rows, key);
	pgv_row_set_fields(&scan->rows, fields, lengthof(fields), entry);
	pgv_row_emit(&scan->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
	return true;
}

Datum
pgv_surface_errors(PG_FUNCTION_ARGS)
{
	PgvErrorScan scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.residuals = NULL;
	scan.residual_context = CurrentMemoryContext;
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_store_scan(&pgv_kind_errors, show_error, &scan);
	for (PgvResidual *r = scan.residuals; r != NULL; r = r->next)
	{
		pgv_row_set(&scan.rows, "dbid", ObjectIdGetDatum(r->dbid));
		pgv_row_set_text(&scan.rows, "query", "<other>");
		pgv_row_set_fields(&scan.rows, fields, lengthof(fields), &r->sum);
		pgv_row_emit(&scan.rows);
	}
	return (Datum) 0;
}
