/*-------------------------------------------------------------------------
 *
 * surface/scan.c
 *	  A view's rows from a kind of the store.
 *
 * An entry is shown to the role it belongs to and to those who may read all
 * statistics, or to all where its surface hides by itself what others may not
 * see.  The residual entries of a database, one a partition, are added to one
 * row, which belongs to nobody: where entries are hidden, only those who may
 * read everything see it.
 *
 * The store calls back without a lock, with copies.  All memory is the
 * caller's transaction's.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "collect/pending.h"
#include "surface/scan.h"

/* The residual of one database, added up over the partitions. */
typedef struct PgvResidual
{
	struct PgvResidual *next;
	Oid			dbid;
	const char *class;
	TimestampTz stats_since;	/* of the oldest */
	void	   *sum;
} PgvResidual;

typedef struct PgvScan
{
	const PgvSurface *surface;
	PgvRows		rows;
	PgvResidual *residuals;
	MemoryContext context;		/* of the residuals */
	MemoryContext row_context;	/* reset after each row */
} PgvScan;

static TimestampTz
since_of(const PgvScan *scan, const void *entry)
{
	TimestampTz since;

	memcpy(&since, (const char *) entry + scan->surface->kind->since_offset, sizeof(since));
	return since;
}

static PgvResidual *
residual_of(PgvScan *scan, Oid dbid, const char *class)
{
	PgvResidual *r;

	for (r = scan->residuals; r != NULL; r = r->next)
	{
		if (r->dbid == dbid && strcmp(r->class, class) == 0)
			return r;
	}
	r = MemoryContextAlloc(scan->context, sizeof(PgvResidual));
	r->dbid = dbid;
	r->class = MemoryContextStrdup(scan->context, class);
	r->stats_since = DT_NOEND;
	r->sum = MemoryContextAllocZero(scan->context, scan->surface->sum_size);
	r->next = scan->residuals;
	scan->residuals = r;
	return r;
}

static void
keep_residual(PgvScan *scan, Oid dbid, const void *entry)
{
	const PgvSurface *s = scan->surface;
	PgvResidual *r = residual_of(scan, dbid, s->class != NULL ? s->class(entry) : "");

	r->stats_since = Min(r->stats_since, since_of(scan, entry));
	s->add(r->sum, entry);
}

static bool
show_entry(const void *key, const void *entry, void *arg)
{
	PgvScan    *scan = arg;
	const PgvSurface *s = scan->surface;
	PgvOwner	owner;
	MemoryContext old;

	memcpy(&owner, key, sizeof(owner));
	if (!s->shows_others && !pgv_may_see(owner.userid))
		return true;
	if (s->kind->is_residual != NULL && s->kind->is_residual(key))
	{
		keep_residual(scan, owner.dbid, entry);
		return true;
	}
	old = MemoryContextSwitchTo(scan->row_context);
	s->show(&scan->rows, key, entry);
	pgv_row_emit(&scan->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
	return true;
}

static void
show_residual(PgvScan *scan, const PgvResidual *r)
{
	const PgvSurface *s = scan->surface;
	MemoryContext old = MemoryContextSwitchTo(scan->row_context);

	if (OidIsValid(r->dbid))
		pgv_row_set(&scan->rows, "dbid", ObjectIdGetDatum(r->dbid));
	pgv_row_set_text(&scan->rows, s->label_column, s->label);
	s->show_sum(&scan->rows, r->sum, r->stats_since);
	pgv_row_emit(&scan->rows);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scan->row_context);
}

void
pgv_surface_scan(FunctionCallInfo fcinfo, const PgvSurface *surface)
{
	PgvScan		scan;

	pgv_rows_begin(&scan.rows, fcinfo);
	scan.surface = surface;
	scan.residuals = NULL;
	scan.context = CurrentMemoryContext;
	scan.row_context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals row",
											 ALLOCSET_DEFAULT_SIZES);
	pgv_pending_collect();
	pgv_store_scan(surface->kind, show_entry, &scan);
	for (PgvResidual *r = scan.residuals; r != NULL; r = r->next)
		show_residual(&scan, r);
}
