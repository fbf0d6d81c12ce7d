/*-------------------------------------------------------------------------
 *
 * surface/resources.c
 *	  What the view on resources reads: rights, copies, rows.
 *
 * What a statement used is shown to the role that executed it and to those who
 * may read all statistics.  The residual entries of a database, one a
 * partition, are added to one row, which belongs to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "utils/builtins.h"

#include "collect/resources.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"

PGV_FUNCTION(pgv_surface_resources);

#define PGV_95_PERCENT 1.96		/* standard deviations on each side */

#define COUNTER(name, field, type) \
	{name, offsetof(PgvResourceEntry, field), type}

static const PgvField fields[] = {
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("measured", measured, PGV_INT64),
	COUNTER("measured_of", stand_for, PGV_FLOAT8),
	COUNTER("elapsed_time", total.elapsed_ms, PGV_FLOAT8),
	COUNTER("user_time", total.user_ms, PGV_FLOAT8),
	COUNTER("system_time", total.system_ms, PGV_FLOAT8),
	COUNTER("workers_cpu_time", workers_cpu_ms, PGV_FLOAT8),
	COUNTER("read_bytes", total.read_bytes, PGV_FLOAT8),
	COUNTER("written_bytes", total.written_bytes, PGV_FLOAT8),
	COUNTER("major_faults", total.major_faults, PGV_FLOAT8),
	COUNTER("voluntary_switches", total.voluntary, PGV_FLOAT8),
	COUNTER("involuntary_switches", total.involuntary, PGV_FLOAT8)
};

static void
set_memory(PgvRows *rows, const PgvResourceEntry *entry)
{
	if (entry->memory_count <= 0)
		return;
	pgv_row_set(rows, "mean_memory_bytes", Float8GetDatum(entry->memory_bytes / entry->memory_count));
	pgv_row_set(rows, "max_memory_bytes", Float8GetDatum(entry->memory_max));
	pgv_row_set(rows, "p50_memory_bytes", Float8GetDatum(pgv_resources_memory(entry, 0.50)));
	pgv_row_set(rows, "p95_memory_bytes", Float8GetDatum(pgv_resources_memory(entry, 0.95)));
	pgv_row_set(rows, "p99_memory_bytes", Float8GetDatum(pgv_resources_memory(entry, 0.99)));
}

static void
set_figures(PgvRows *rows, const PgvResourceEntry *entry)
{
	double		total = entry->total.user_ms + entry->total.system_ms;
	double		nested = entry->nested.user_ms + entry->nested.system_ms;

	pgv_row_set_fields(rows, fields, lengthof(fields), entry);
	pgv_row_set(rows, "cpu_time", Float8GetDatum(total));
	pgv_row_set(rows, "cpu_time_margin",
				Float8GetDatum(PGV_95_PERCENT * sqrt(Max(entry->total.cpu_variance, 0))));
	pgv_row_set(rows, "self_elapsed_time",
				Float8GetDatum(entry->total.elapsed_ms - entry->nested.elapsed_ms));
	pgv_row_set(rows, "self_cpu_time", Float8GetDatum(total - nested));
	pgv_row_set(rows, "self_cpu_time_margin",
				Float8GetDatum(PGV_95_PERCENT * sqrt(Max(entry->total.cpu_variance +
														 entry->nested.cpu_variance, 0))));
	pgv_row_set(rows, "self_read_bytes",
				Float8GetDatum(entry->total.read_bytes - entry->nested.read_bytes));
	pgv_row_set(rows, "self_written_bytes",
				Float8GetDatum(entry->total.written_bytes - entry->nested.written_bytes));
	set_memory(rows, entry);
}

static void
show_sum(PgvRows *rows, const void *sum, TimestampTz stats_since)
{
	set_figures(rows, sum);
	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
}

static void
show_resources(PgvRows *rows, const void *key_data, const void *entry)
{
	const PgvStatementKey *key = key_data;

	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set(rows, "toplevel", BoolGetDatum(key->toplevel != 0));
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) key->fingerprint));
	/* the statement's own entry keeps the text */
	pgv_row_set_text(rows, "query", pgv_texts_copy(key->fingerprint));
	show_sum(rows, entry, ((const PgvResourceEntry *) entry)->stats_since);
}

static void
add_resources(void *sum, const void *entry)
{
	pgv_resources_add(sum, entry);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_resources,
	.show = show_resources,
	.sum_size = sizeof(PgvResourceEntry),
	.add = add_resources,
	.show_sum = show_sum,
	.label_column = "query",
	.label = "<evicted>",
};

Datum
pgv_surface_resources(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
