/*-------------------------------------------------------------------------
 *
 * surface/slow.c
 *	  What the view on slow executions reads: rights, copies, rows.
 *
 * An execution is shown to the role that did it and to those who may read all
 * statistics; values of its parameters only to superusers and to that role, for
 * they are data, and not statistics.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/planjson.h"
#include "collect/slow.h"
#include "store/texts.h"
#include "surface/plantree.h"
#include "surface/rows.h"
#include "surface/waits.h"

PGV_FUNCTION(pgv_surface_slow_statements);

typedef struct PgvSlowScan
{
	PgvRows		rows;
	MemoryContext row_context;	/* reset after each row */
} PgvSlowScan;

#define COUNTER(name, field, type) \
	{name, offsetof(PgvSlowRecord, field), type}

static const PgvField fields[] = {
	COUNTER("started_at", began, PGV_TIMESTAMPTZ),
	COUNTER("ended_at", ended, PGV_TIMESTAMPTZ),
	COUNTER("queryid", queryid, PGV_UINT64),
	COUNTER("fingerprint", fingerprint, PGV_UINT64),
	COUNTER("planid", planid, PGV_UINT64),
	COUNTER("exec_time", exec_ms, PGV_FLOAT8),
	COUNTER("rows", rows, PGV_INT64),
	COUNTER("shared_blks_hit", blocks[PGV_SHARED_HIT], PGV_INT64),
	COUNTER("shared_blks_read", blocks[PGV_SHARED_READ], PGV_INT64),
	COUNTER("shared_blks_dirtied", blocks[PGV_SHARED_DIRTIED], PGV_INT64),
	COUNTER("shared_blks_written", blocks[PGV_SHARED_WRITTEN], PGV_INT64),
	COUNTER("temp_blks_read", blocks[PGV_TEMP_READ], PGV_INT64),
	COUNTER("temp_blks_written", blocks[PGV_TEMP_WRITTEN], PGV_INT64)
};

/*
 * A type by name.  Those of other databases have no name here; but the server's
 * own have the same number in all.
 */
static char *
type_name(const PgvSlowRecord *r, Oid type)
{
	char	   *name = NULL;

	if (r->dbid == MyDatabaseId || type < FirstGenbkiObjectId)
		name = format_type_extended(type, -1, FORMAT_TYPE_INVALID_AS_NULL);
	return name != NULL ? name : psprintf("%u", type);
}

static void
set_parameters(PgvRows *rows, const PgvSlowRecord *r)
{
	StringInfoData out;

	if (r->nparameters <= 0)
		return;
	initStringInfo(&out);
	for (int i = 0; i < Min(r->nparameters, PGV_SLOW_PARAMETERS); i++)
	{
		const PgvSlowParameter *p = &r->parameters[i];

		appendStringInfoString(&out, i == 0 ? "[{\"type\": " : ", {\"type\": ");
		escape_json(&out, type_name(r, p->type));
		if (p->length >= 0)
			appendStringInfo(&out, ", \"length\": %d", p->length);
		appendStringInfo(&out, ", \"null\": %s}", p->length == PGV_SLOW_NO_LENGTH ? "true" : "false");
	}
	appendStringInfoChar(&out, ']');
	pgv_row_set_text(rows, "parameters", out.data);
	pgv_row_set(rows, "parameter_count", Int32GetDatum(r->nparameters));
}

static void
set_values(PgvRows *rows, const PgvSlowRecord *r)
{
	if ((r->texts & PGV_SLOW_VALUES) &&
		(superuser() || has_privs_of_role(GetUserId(), r->userid)))
		pgv_row_set_text(rows, "parameter_values", pgv_texts_copy(r->values_text));
}

static void
set_plan(PgvRows *rows, const PgvSlowRecord *r)
{
	char	   *text = (r->texts & PGV_SLOW_PLAN) ? pgv_texts_copy(r->plan_text) : NULL;
	PgvJson    *json = text != NULL ? pgv_planjson_read(text, (int) strlen(text)) : NULL;

	if (json == NULL)
		return;
	pgv_row_set_text(rows, "plan", pgv_plantree_text(json));
	pgv_row_set_text(rows, "plan_json", text);
	pgv_row_set(rows, "rows_counted", BoolGetDatum(r->rows_counted));
}

static void
set_waits(PgvRows *rows, const PgvSlowRecord *r)
{
	StringInfoData out;

	if (!r->looked_at)
		return;
	initStringInfo(&out);
	pgv_slow_write_trail(&out, &r->trail);
	pgv_row_set_text(rows, "waits", out.data);
}

static void
set_figures(PgvRows *rows, const PgvSlowRecord *r)
{
	char		wal_bytes[32];

	pgv_row_set_fields(rows, fields, lengthof(fields), r);
	if (r->plan_ms >= 0)
		pgv_row_set(rows, "plan_time", Float8GetDatum(r->plan_ms));
	if (r->sqlstate != 0)
		pgv_row_set_text(rows, "sqlstate", unpack_sql_state(r->sqlstate));
	snprintf(wal_bytes, sizeof(wal_bytes), UINT64_FORMAT, r->wal_bytes);
	pgv_row_set(rows, "wal_bytes",
				DirectFunctionCall3(numeric_in, CStringGetDatum(wal_bytes),
									ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static void
show_slow(const PgvSlowRecord *r, void *arg)
{
	PgvSlowScan *scan = arg;
	PgvRows    *rows = &scan->rows;
	MemoryContext old;

	if (!pgv_may_see(r->userid))
		return;
	old = MemoryContextSwitchTo(scan->row_context);
	pgv_row_set(rows, "pid", Int32GetDatum(r->pid));
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(r->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(r->userid));
	pgv_row_set_text(rows, "application_name", r->application);
	pgv_row_set(rows, "toplevel", BoolGetDatum(r->toplevel));
	pgv_set_route(rows, r->route);
	/* where the record has no reference, the statement's own may keep the text */
	pgv_row_set_text(rows, "query", pgv_texts_copy(r->fingerprint));
	set_figures(rows, r);
	set_waits(rows, r);
	set_parameters(rows, r);
	set_values(rows, r);
	set_plan(rows, r);
	pgv_row_emit(rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
}

Datum
pgv_surface_slow_statements(PG_FUNCTION_ARGS)
{
	PgvSlowScan scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_slow_scan(show_slow, &scan);
	return (Datum) 0;
}
