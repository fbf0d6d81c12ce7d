/*-------------------------------------------------------------------------
 *
 * surface/misestimates.c
 *	  What the view on misestimates reads: rights, copies, rows.
 *
 * A node is shown to the role whose execution it is of and to those who may
 * read all statistics.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"

#include "collect/nodes.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"

PGV_FUNCTION(pgv_surface_misestimates);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvMisestimate, field), type}

static const PgvField fields[] = {
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("seen", seen, PGV_INT64),
	COUNTER("estimated_rows", last.estimated, PGV_FLOAT8),
	COUNTER("actual_rows", last.actual, PGV_FLOAT8),
	COUNTER("factor", last.factor, PGV_FLOAT8),
	COUNTER("loops", last.loops, PGV_FLOAT8),
	COUNTER("worst_estimated_rows", worst.estimated, PGV_FLOAT8),
	COUNTER("worst_actual_rows", worst.actual, PGV_FLOAT8),
	COUNTER("worst_factor", worst.factor, PGV_FLOAT8),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ),
	COUNTER("stats_since", stats_since, PGV_TIMESTAMPTZ)
};

static void
show_misestimate(PgvRows *rows, const void *key_data, const void *data)
{
	const PgvMisestimateKey *key = key_data;
	const PgvMisestimate *entry = data;

	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set(rows, "fingerprint", Int64GetDatum((int64) key->fingerprint));
	pgv_row_set(rows, "planid", Int64GetDatum((int64) key->planid));
	pgv_row_set(rows, "node", Int32GetDatum((int32) key->node));
	pgv_row_set_text(rows, "direction", key->direction == PGV_UNDERESTIMATED ?
					 "underestimated" : "overestimated");
	/* the statement's own entry keeps it */
	pgv_row_set_text(rows, "query", pgv_texts_copy(key->fingerprint));
	pgv_row_set_text(rows, "node_type", entry->node_type);
	if (entry->relation != 0)
		pgv_row_set_text(rows, "relation", pgv_texts_copy(entry->relation));
	pgv_row_set(rows, "inherited", BoolGetDatum(entry->inherited));
	pgv_row_set_fields(rows, fields, lengthof(fields), entry);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_misestimates,
	.show = show_misestimate,
};

Datum
pgv_surface_misestimates(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}
