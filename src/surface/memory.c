/*-------------------------------------------------------------------------
 *
 * surface/memory.c
 *	  What the view on the processes' memory reads, and their contexts.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/backend_status.h"
#include "utils/timestamp.h"

#include "surface/rows.h"
#include "watch/contexts.h"
#include "watch/memory.h"

PGV_FUNCTION(pgv_surface_memory);
PGV_FUNCTION(pgv_surface_memory_contexts);

static void
set_memory(PgvRows *rows, const PgBackendStatus *process)
{
	PgvProcessMemory m;
	int64		growth;
	TimestampTz growth_since;

	if (!pgv_memory_of(process->st_procpid, process->st_proc_start_timestamp,
					   &m, &growth, &growth_since))
		return;
	pgv_row_set(rows, "resident_bytes", Int64GetDatum(m.resident));
	pgv_row_set(rows, "private_bytes", Int64GetDatum(m.private));
	pgv_row_set(rows, "swapped_bytes", Int64GetDatum(m.swapped));
	pgv_row_set(rows, "peak_resident_bytes", Int64GetDatum(m.peak_resident));
	pgv_row_set(rows, "growth_bytes", Int64GetDatum(growth));
	pgv_row_set(rows, "growth_since", TimestampTzGetDatum(growth_since));
}

Datum
pgv_surface_memory(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	int			n = pgstat_fetch_stat_numbackends();

	pgv_rows_begin(&rows, fcinfo);
	for (int i = 1; i <= n; i++)
	{
		LocalPgBackendStatus *local = PGV_LOCAL_BEENTRY(i);

		if (local == NULL || local->backendStatus.st_procpid == 0 ||
			!pgv_may_see(local->backendStatus.st_userid))
			continue;
		pgv_row_set(&rows, "pid", Int32GetDatum(local->backendStatus.st_procpid));
		set_memory(&rows, &local->backendStatus);
		pgv_row_emit(&rows);
	}
	return (Datum) 0;
}

Datum
pgv_surface_memory_contexts(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvContextSum sums[PGV_CONTEXT_NAMES + 1];
	int			n;

	pgv_rows_begin(&rows, fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("pid must not be null"),
				 errhint("Take a pid from vitals.memory.")));
	n = pgv_contexts_ask(PG_GETARG_INT32(0), sums);
	for (int i = 0; i < n; i++)
	{
		pgv_row_set_text(&rows, "name", sums[i].name);
		pgv_row_set(&rows, "contexts", Int64GetDatum(sums[i].contexts));
		pgv_row_set(&rows, "total_bytes", Int64GetDatum(sums[i].total_bytes));
		pgv_row_set(&rows, "used_bytes",
					Int64GetDatum(sums[i].total_bytes - sums[i].free_bytes));
		pgv_row_emit(&rows);
	}
	return (Datum) 0;
}
