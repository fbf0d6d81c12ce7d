/*-------------------------------------------------------------------------
 *
 * surface/transactions.c
 *	  What the views on transactions read: rights, copies, rows.
 *
 * A transaction shows what an application does: it is shown to the role that it
 * belongs to and to those who may read all statistics.  The residual entries of a
 * database, one a partition, are added to one row, which belongs to nobody.
 *
 * Of what goes on now everybody may see which session is in a transaction; all
 * else, its role and those who may read all statistics.  Processes are looked at
 * without a lock (watch/look); only the next transaction id, asked for once, has
 * one.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/histogram.h"
#include "collect/transactions.h"
#include "collect/waits.h"
#include "store/store.h"
#include "store/texts.h"
#include "surface/scan.h"
#include "surface/waits.h"
#include "watch/look.h"

PGV_FUNCTION(pgv_surface_transactions);
PGV_FUNCTION(pgv_surface_transactions_now);

#define COUNTER(name, field, type) \
	{name, offsetof(PgvTransactionCounters, field), type}

static const PgvField fields[] = {
	COUNTER("committed", committed, PGV_INT64),
	COUNTER("rolled_back", rolled_back, PGV_INT64),
	COUNTER("failures", failures, PGV_INT64),
	COUNTER("prepared", prepared, PGV_INT64),
	COUNTER("total_time", total_ms, PGV_FLOAT8),
	COUNTER("idle_time", idle_ms, PGV_FLOAT8),
	COUNTER("commit_time", commit_ms, PGV_FLOAT8),
	COUNTER("min_time", min_ms, PGV_FLOAT8),
	COUNTER("max_time", max_ms, PGV_FLOAT8),
	COUNTER("max_time_start", longest, PGV_TIMESTAMPTZ),
	COUNTER("statements", statements, PGV_INT64),
	COUNTER("max_statements", max_statements, PGV_INT64),
	COUNTER("rows_read", rows[PGV_ROWS_READ], PGV_INT64),
	COUNTER("rows_written", rows[PGV_ROWS_WRITTEN], PGV_INT64),
	COUNTER("rows_locked", rows[PGV_ROWS_LOCKED], PGV_INT64),
	COUNTER("wal_records", wal_records, PGV_INT64),
	COUNTER("wal_fpi", wal_fpi, PGV_INT64),
	COUNTER("wal_bytes", wal_bytes, PGV_INT64),
	COUNTER("first_seen", first_seen, PGV_TIMESTAMPTZ),
	COUNTER("last_seen", last_seen, PGV_TIMESTAMPTZ)
};

/* ----- the sums ----- */

static void
set_percentile(PgvRows *rows, const char *column, const PgvTransactionCounters *c,
			   const uint64 *buckets, double q)
{
	double		ms = pgv_histogram_percentile_us(buckets, 0, PGV_HISTOGRAM_BUCKETS - 1,
												 (uint64) pgv_transactions_calls(c), q) / 1000.0;

	/* not outside what was measured */
	pgv_row_set(rows, column, Float8GetDatum(Min(Max(ms, c->min_ms), c->max_ms)));
}

static void
set_counters(PgvRows *rows, const PgvTransactionCounters *c, const uint64 *buckets,
			 TimestampTz stats_since)
{
	int64		calls = pgv_transactions_calls(c);

	pgv_row_set_fields(rows, fields, lengthof(fields), c);
	pgv_row_set(rows, "stats_since", TimestampTzGetDatum(stats_since));
	pgv_row_set(rows, "calls", Int64GetDatum(calls));
	pgv_row_set(rows, "mean_time", Float8GetDatum(calls > 0 ? c->total_ms / calls : 0));
	pgv_row_set(rows, "executing_time",
				Float8GetDatum(c->total_ms - c->idle_ms - c->commit_ms));
	set_percentile(rows, "p50_time", c, buckets, 0.50);
	set_percentile(rows, "p90_time", c, buckets, 0.90);
	set_percentile(rows, "p95_time", c, buckets, 0.95);
	set_percentile(rows, "p99_time", c, buckets, 0.99);
}

/* The statements of which the shape is made, and their texts where they are kept. */
static void
set_steps(PgvRows *rows, const PgvTransactionSteps *steps)
{
	int			n = (int) Min(steps->length, PGV_SHAPE_FIRST);
	int			lower = 1;
	Datum		fingerprints[PGV_SHAPE_FIRST];
	Datum		texts[PGV_SHAPE_FIRST];
	bool		unnamed[PGV_SHAPE_FIRST];
	bool		nulls[PGV_SHAPE_FIRST];

	for (int i = 0; i < n; i++)
	{
		uint64		fingerprint = steps->first[i];
		char	   *text = fingerprint != 0 ? pgv_texts_copy(fingerprint) : NULL;

		fingerprints[i] = Int64GetDatum((int64) fingerprint);
		unnamed[i] = (fingerprint == 0);
		nulls[i] = (text == NULL);
		texts[i] = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
	}
	pgv_row_set(rows, "shape_length", Int64GetDatum((int64) steps->length));
	pgv_row_set(rows, "fingerprints",
				PointerGetDatum(construct_md_array(fingerprints, unnamed, 1, &n, &lower, INT8OID,
												   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	pgv_row_set(rows, "queries",
				PointerGetDatum(construct_md_array(texts, nulls, 1, &n, &lower, TEXTOID,
												   -1, false, TYPALIGN_INT)));
}

/* Residuals, added up. */
typedef struct PgvTransactionSum
{
	PgvTransactionCounters counters;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS];
} PgvTransactionSum;

static void
add_transaction(void *sum_data, const void *entry_data)
{
	PgvTransactionSum *sum = sum_data;
	const PgvTransactionEntry *entry = entry_data;

	pgv_transactions_add(&sum->counters, &entry->counters);
	pgv_transactions_add_buckets(sum->buckets, entry);
}

static void
show_sum(PgvRows *rows, const void *sum_data, TimestampTz stats_since)
{
	const PgvTransactionSum *sum = sum_data;

	set_counters(rows, &sum->counters, sum->buckets, stats_since);
}

static void
show_transaction(PgvRows *rows, const void *key_data, const void *entry_data)
{
	const PgvTransactionKey *key = key_data;
	const PgvTransactionEntry *entry = entry_data;
	uint64		buckets[PGV_HISTOGRAM_BUCKETS] = {0};

	pgv_transactions_add_buckets(buckets, entry);
	pgv_row_set(rows, "dbid", ObjectIdGetDatum(key->dbid));
	pgv_row_set(rows, "userid", ObjectIdGetDatum(key->userid));
	pgv_row_set_text(rows, "application_name", entry->application);
	pgv_row_set(rows, "shape", Int64GetDatum((int64) key->shape));
	pgv_set_route(rows, key->route);
	set_steps(rows, &entry->steps);
	set_counters(rows, &entry->counters, buckets, entry->stats_since);
}

static const PgvSurface surface = {
	.kind = &pgv_kind_transactions,
	.show = show_transaction,
	.sum_size = sizeof(PgvTransactionSum),
	.add = add_transaction,
	.show_sum = show_sum,
	.label_column = "application_name",
	.label = "<other>",
};

Datum
pgv_surface_transactions(PG_FUNCTION_ARGS)
{
	pgv_surface_scan(fcinfo, &surface);
	return (Datum) 0;
}

/* ----- what goes on ----- */

/* The parts of the time so far; "idle" if it waits for its client at present. */
static void
set_progress(PgvRows *rows, const PgvSample *s, const PgvTransactionNow *x, TimestampTz now)
{
	double		total = Max(now - x->start, 0) / 1000.0;
	double		idle = x->idle_us / 1000.0;

	if (s->phase == PGV_PHASE_IDLE && s->slot.ended >= x->start)
		idle += Max(now - s->slot.ended, 0) / 1000.0;
	idle = Min(idle, total);
	pgv_row_set(rows, "idle_time", Float8GetDatum(idle));
	pgv_row_set(rows, "executing_time", Float8GetDatum(total - idle));
	pgv_row_set(rows, "statements", Int64GetDatum(x->statements));
	pgv_row_set(rows, "rows_read", Int64GetDatum(x->rows[PGV_ROWS_READ]));
	pgv_row_set(rows, "rows_written", Int64GetDatum(x->rows[PGV_ROWS_WRITTEN]));
	pgv_row_set(rows, "rows_locked", Int64GetDatum(x->rows[PGV_ROWS_LOCKED]));
}

/*
 * The oldest transaction that VACUUM has to mind because of a process: of its
 * snapshot, or, between the statements of READ COMMITTED, itself.
 */
static TransactionId
horizon_of(const PGPROC *proc)
{
	TransactionId xmin = *(const volatile TransactionId *) &proc->xmin;
	TransactionId xid = *(const volatile TransactionId *) &proc->xid;

	if (!TransactionIdIsNormal(xmin))
		return xid;
	return TransactionIdIsNormal(xid) && TransactionIdPrecedes(xid, xmin) ? xid : xmin;
}

static void
set_details(PgvRows *rows, const PgvSample *s, TransactionId horizon, TransactionId next,
			TimestampTz now)
{
	PgvTransactionNow x;

	pgv_row_set_text(rows, "application_name", s->status.application);
	pgv_row_set_text(rows, "phase", pgv_phase_name(s->phase));
	pgv_row_set(rows, "transaction_start", TimestampTzGetDatum(s->status.xact_start));
	pgv_row_set(rows, "total_time",
				Float8GetDatum(Max(now - s->status.xact_start, 0) / 1000.0));
	if (TransactionIdIsNormal(horizon))
		pgv_row_set(rows, "xmin_age", Int64GetDatum((int64) (int32) (next - horizon)));
	if (s->has_slot &&
		pgv_transactions_read(s->procno, s->pid, s->status.xact_start, &x))
		set_progress(rows, s, &x, now);
	pgv_set_statement(rows, s);
}

Datum
pgv_surface_transactions_now(PG_FUNCTION_ARGS)
{
	PgvRows		rows;
	PgvSample	sample;
	int			procno = 0;
	TransactionId next;
	TimestampTz now = GetCurrentTimestamp();

	pgv_rows_begin(&rows, fcinfo);
	next = ReadNextTransactionId();
	while (pgv_look_next(&sample, &procno))
	{
		TransactionId horizon = horizon_of(sample.proc);
		Oid			userid;

		pgv_look_at(&sample);
		if (sample.status.xact_start == 0 || sample.phase == PGV_PHASE_BACKGROUND || sample.parallel)
			continue;
		pgv_look_at_text(&sample);
		userid = pgv_look_role(&sample);
		pgv_row_set(&rows, "pid", Int32GetDatum(sample.pid));
		pgv_row_set(&rows, "dbid", ObjectIdGetDatum(sample.proc->databaseId));
		pgv_row_set(&rows, "userid", ObjectIdGetDatum(userid));
		if (pgv_may_see(userid))
			set_details(&rows, &sample, horizon, next, now);
		else
			pgv_row_set_text(&rows, "query", "<insufficient privilege>");
		pgv_row_emit(&rows);
	}
	return (Datum) 0;
}
