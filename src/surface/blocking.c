/*-------------------------------------------------------------------------
 *
 * surface/blocking.c
 *	  What the view on who waits for whom reads: the processes that wait for a
 *	  lock, and those that they wait for.
 *
 * A look at every process's wait event, without a lock, shows whether anybody
 * waits at all.  Only then is the lock manager asked, for each that does: that
 * takes its locks, as pg_blocking_pids does, and as pg_locks does if it is a row
 * that is waited for.
 *
 * That a process waits, for which and for what lock, everybody may see, as in
 * pg_locks; what it executes, its role and those who may read all statistics.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "collect/waits.h"
#include "store/texts.h"
#include "surface/rows.h"
#include "surface/waits.h"
#include "watch/look.h"

PGV_FUNCTION(pgv_surface_blocking);

/* A process, and whether it stands in the result. */
typedef struct PgvInvolved
{
	PgvSample	sample;
	ArrayType  *blockers;		/* NULL: it does not wait */
	bool		shown;
} PgvInvolved;

static int *
pids_of(ArrayType *array, int *n)
{
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (int *) ARR_DATA_PTR(array);
}

/* Look at everybody, who waits and who does not. */
static PgvInvolved *
look_at_all(int *n)
{
	PgvInvolved *all = palloc0(pgv_now_slots() * sizeof(PgvInvolved));
	int			procno = 0;

	*n = 0;
	while (pgv_look_next(&all[*n].sample, &procno))
	{
		pgv_look_at(&all[*n].sample);
		pgv_look_at_text(&all[(*n)++].sample);
	}
	return all;
}

static void
set_relation(PgvRows *rows, const LOCKTAG *tag)
{
	if (tag == NULL)
		return;
	pgv_row_set(rows, "lock_dbid", ObjectIdGetDatum((Oid) tag->locktag_field1));
	pgv_row_set(rows, "lock_relation", ObjectIdGetDatum((Oid) tag->locktag_field2));
}

/* What a process waits for, as the lock manager has it; "all" locks are asked for once. */
static void
set_lock(PgvRows *rows, PGPROC *proc, int pid, const LockData **all)
{
	BlockedProcsData *data = GetBlockerStatusData(pid);
	TimestampTz start = (TimestampTz) pg_atomic_read_u64(&proc->waitStart);

	if (start != 0)
		pgv_row_set(rows, "wait_start", TimestampTzGetDatum(start));

	for (int i = 0; i < data->nlocks; i++)
	{
		const LockInstanceData *lock = &data->locks[i];
		LockTagType type = (LockTagType) lock->locktag.locktag_type;

		if (lock->pid != pid || lock->waitLockMode == NoLock)
			continue;
		pgv_row_set_text(rows, "lock_type", type <= LOCKTAG_LAST_TYPE ? LockTagTypeNames[type] : "unknown");
		pgv_row_set_text(rows, "lock_mode", GetLockmodeName(lock->locktag.locktag_lockmethodid, lock->waitLockMode));
		if (type <= LOCKTAG_TUPLE)
			set_relation(rows, &lock->locktag);
		else if (type == LOCKTAG_TRANSACTION)
		{
			if (*all == NULL)
				*all = GetLockStatusData();
			set_relation(rows, pgv_look_row(*all, pid));
		}
		return;
	}
}

static void
set_details(PgvRows *rows, const PgvSample *s)
{
	pgv_row_set_text(rows, "application_name", s->status.application);
	if (s->status.xact_start != 0)
		pgv_row_set(rows, "transaction_start", TimestampTzGetDatum(s->status.xact_start));
	if (pgv_look_fingerprint(s) != 0)
		pgv_row_set_text(rows, "phase", pgv_phase_name(s->phase));
	pgv_set_statement(rows, s);
}

static void
emit_process(PgvRows *rows, PgvInvolved *p, const LockData **locks)
{
	const PgvSample *s = &p->sample;
	Oid			userid = pgv_look_role(s);

	p->shown = true;
	pgv_row_set(rows, "pid", Int32GetDatum(s->pid));
	if (s->proc->databaseId != InvalidOid)
		pgv_row_set(rows, "dbid", ObjectIdGetDatum(s->proc->databaseId));
	if (userid != InvalidOid)
		pgv_row_set(rows, "userid", ObjectIdGetDatum(userid));
	if (pgv_may_see(userid))
		set_details(rows, s);
	else
		pgv_row_set_text(rows, "query", "<insufficient privilege>");
	if (p->blockers != NULL)
	{
		pgv_row_set(rows, "blocked_by", PointerGetDatum(p->blockers));
		set_lock(rows, s->proc, s->pid, locks);
	}
	pgv_row_emit(rows);
}

/* Ask for whom the waiting wait.  Returns whether there are any. */
static bool
ask_blockers(PgvInvolved *all, int n)
{
	bool		any = false;

	for (int i = 0; i < n; i++)
	{
		ArrayType  *blockers;
		int			count;

		if (PGV_WAIT_CLASS(all[i].sample.event) != PGV_CLASS_LOCK)
			continue;
		blockers = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids,
														  Int32GetDatum(all[i].sample.pid)));
		pids_of(blockers, &count);
		if (count == 0)
			continue;
		all[i].blockers = blockers;
		any = true;
	}
	return any;
}

/* Show the process with this pid, unless it is shown already. */
static void
emit_blocker(PgvRows *rows, PgvInvolved *all, int n, int pid)
{
	for (int i = 0; i < n; i++)
	{
		if (all[i].sample.pid == pid && !all[i].shown && all[i].blockers == NULL)
			emit_process(rows, &all[i], NULL);
	}
}

Datum
pgv_surface_blocking(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvInvolved *all;
	int			n;
	bool		prepared = false;
	const LockData *locks = NULL;

	pgv_rows_begin(&rows, fcinfo);
	all = look_at_all(&n);
	if (!ask_blockers(all, n))
		return (Datum) 0;
	for (int i = 0; i < n; i++)
	{
		int			count = 0;
		int		   *pids = all[i].blockers != NULL ? pids_of(all[i].blockers, &count) : NULL;

		if (pids != NULL)
			emit_process(&rows, &all[i], &locks);
		for (int k = 0; k < count; k++)
		{
			prepared |= (pids[k] == 0);
			emit_blocker(&rows, all, n, pids[k]);
		}
	}
	if (prepared)
	{
		pgv_row_set(&rows, "pid", Int32GetDatum(0));
		pgv_row_emit(&rows);
	}
	return (Datum) 0;
}
