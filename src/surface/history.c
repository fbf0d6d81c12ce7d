/*-------------------------------------------------------------------------
 *
 * surface/history.c
 *	  What the views on the load and on samples of sessions read: rights,
 *	  copies, rows.
 *
 * The load is a sum over all sessions, which everybody may see.  A sample is
 * shown to the role it is of and to those who may read all statistics.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "collect/now.h"
#include "collect/waits.h"
#include "store/texts.h"
#include "surface/rows.h"
#include "surface/waits.h"
#include "watch/history.h"

PGV_FUNCTION(pgv_surface_load);
PGV_FUNCTION(pgv_surface_activity);

/* ----- load ----- */

static void
emit_load(PgvRows *rows, const PgvLoadBucket *bucket, int class)
{
	const char *type = pgstat_get_wait_event_type((uint32) class << 24);

	pgv_row_set(rows, "bucket_start", TimestampTzGetDatum(bucket->begin));
	pgv_row_set_text(rows, "state", class == PGV_LOAD_IDLE ? "idle in transaction" : "active");
	if (class != PGV_LOAD_IDLE)
		pgv_row_set_text(rows, "wait_event_type", type != NULL ? type : "CPU");
	pgv_row_set(rows, "sessions", Float8GetDatum(bucket->ms[class] / bucket->covered_ms));
	pgv_row_set(rows, "samples", Int64GetDatum(bucket->passes));
	pgv_row_set(rows, "sampled_time", Float8GetDatum(bucket->covered_ms));
	pgv_row_emit(rows);
}

/* The row of CPU is always there, so that idle times have one. */
static void
show_load(const PgvLoadBucket *bucket, void *arg)
{
	if (bucket->covered_ms <= 0)
		return;
	for (int class = 0; class < PGV_LOAD_CLASSES; class++)
	{
		if (class == 0 || bucket->ms[class] > 0)
			emit_load(arg, bucket, class);
	}
}

Datum
pgv_surface_load(PG_FUNCTION_ARGS)
{
	PgvRows		rows;

	pgv_rows_begin(&rows, fcinfo);
	pgv_history_scan_load(show_load, &rows);
	return (Datum) 0;
}

/* ----- activity ----- */

typedef struct PgvActivityScan
{
	PgvRows		rows;
	MemoryContext row_context;	/* reset after each row */
} PgvActivityScan;

static const PgvField fields[] = {
	{"sampled_at", offsetof(PgvActivity, at), PGV_TIMESTAMPTZ},
	{"statement_start", offsetof(PgvActivity, since), PGV_TIMESTAMPTZ},
	{"queryid", offsetof(PgvActivity, queryid), PGV_UINT64},
	{"fingerprint", offsetof(PgvActivity, fingerprint), PGV_UINT64}
};

static void
set_process(PgvRows *rows, const PgvActivity *a)
{
	pgv_row_set(rows, "pid", Int32GetDatum(a->pid));
	if (a->leader_pid != 0)
		pgv_row_set(rows, "leader_pid", Int32GetDatum(a->leader_pid));
	if (a->dbid != InvalidOid)
		pgv_row_set(rows, "dbid", ObjectIdGetDatum(a->dbid));
	if (a->userid != InvalidOid)
		pgv_row_set(rows, "userid", ObjectIdGetDatum(a->userid));
	if (a->phase != PGV_PHASE_BACKGROUND)
		pgv_row_set_text(rows, "application_name", a->application);
	pgv_row_set_text(rows, "backend_type", a->parallel ? "parallel worker" :
					 GetBackendTypeDesc((BackendType) a->backend));
}

static void
set_blockers(PgvRows *rows, const PgvActivity *a)
{
	Datum		pids[PGV_BLOCKERS];
	int			n = Min(a->nblockers, PGV_BLOCKERS);

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		pids[i] = Int32GetDatum(a->blockers[i]);
	pgv_row_set(rows, "blocked_by",
				PointerGetDatum(construct_array(pids, n, INT4OID, sizeof(int32), true, TYPALIGN_INT)));
}

static void
set_wait(PgvRows *rows, const PgvActivity *a)
{
	const char *type = pgstat_get_wait_event_type(a->event);

	pgv_row_set_text(rows, "phase", pgv_phase_name(a->phase));
	pgv_row_set_text(rows, "wait_event_type", type != NULL ? type : "CPU");
	pgv_row_set_text(rows, "wait_event", pgstat_get_wait_event(a->event));
}

static void
show_activity(const PgvActivity *a, void *arg)
{
	PgvActivityScan *scan = arg;
	MemoryContext old;

	if (!pgv_may_see(a->userid))
		return;
	old = MemoryContextSwitchTo(scan->row_context);
	set_process(&scan->rows, a);
	set_wait(&scan->rows, a);
	set_blockers(&scan->rows, a);
	pgv_row_set_fields(&scan->rows, fields, lengthof(fields), a);
	pgv_set_route(&scan->rows, a->route);
	if (a->fingerprint != 0)
		pgv_row_set_text(&scan->rows, "query", pgv_texts_copy(a->fingerprint));
	pgv_row_emit(&scan->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
}

Datum
pgv_surface_activity(PG_FUNCTION_ARGS)
{
	PgvActivityScan scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_history_scan_activity(show_activity, &scan);
	return (Datum) 0;
}
