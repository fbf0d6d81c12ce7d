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

#include "base/conditions.h"
#include "collect/errors.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"

PGV_FUNCTION(pgv_surface_errors);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvErrorEntry, field), type}

static const PgvField fields[] = {
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("failures", failures, PGV_INT64),
	COUNTER("caught", caught, PGV_INT64),
	COUNTER("time_lost", lost_ms, PGV_FLOAT8),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

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

static void
show_sum(PgvRows *rows, const void *sum, TimestampTz stats_since)
{
	pgv_row_set_fields(rows, fields, lengthof(fields), sum);
	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
}

static void
show_error(PgvRows *rows, const void *key, const void *entry)
{
	set_identity(rows, key);
	show_sum(rows, entry, ((const PgvErrorEntry *) entry)->stats_since);
}

static void
add_error(void *sum, const void *entry)
{
	pgv_errors_add(sum, entry);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_errors,
	.show = show_error,
	.sum_size = sizeof(PgvErrorEntry),
	.add = add_error,
	.show_sum = show_sum,
	.label_column = "query",
	.label = "<other>",
};

Datum
pgv_surface_errors(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
