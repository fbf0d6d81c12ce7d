/*-------------------------------------------------------------------------
 *
 * slow.c
 *	  Slow executions one by one: a ring, and lines in the server's log.
 *
 *	 tickets: next = 5					 places: max_slow_statements
 *	+-----------+-----------+-----------+-----------+
 *	| record 5	| record 2	| record 3	| record 4	|
 *	+-----------+-----------+-----------+-----------+
 *	   lock 0		lock 1		lock 2		lock 3		(place % PGV_SLOW_LOCKS)
 *
 * Whoever ends a slow execution takes a ticket, an atomic counter, which is the
 * record's number and its place; what was there is overwritten.  So the ring has
 * the last ones, and a record's number tells whether it still is the one that was
 * looked for.  A lock is held for the copying of a record.
 *
 * A record holds references to its texts: those of the statement, its route and
 * its plan are shared with whoever else has them; a plan with the rows that were
 * counted in this execution, and values of parameters, are of this record alone,
 * under ids made of its number.  They are kept as long as half of the memory for
 * texts is free.  What was overwritten or forgotten gives its references back
 * when the lock is released.  Nothing of this is in the statistics file.
 *
 * What can be known only while the query lasts is gathered in the query's own
 * memory, once it has taken PGV_LOOK_MS (settings.c): what the sampler saw,
 * for the next statement makes it begin anew, and the parameters.  What looks at
 * the catalog or calls functions of types is done at the end of a run that was
 * well, in a subtransaction (see collect/plantext); of what failed, lengths are
 * not known.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/detoast.h"
#include "common/hashfn.h"
#include "common/string.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/execnodes.h"
#include "nodes/params.h"
#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "collect/plantext.h"
#include "collect/slow.h"
#include "collect/tagging.h"
#include "store/texts.h"

#define PGV_SLOW_TRANCHE "pg_vitals_slow"
#define PGV_SLOW_LOCKS 16
#define PGV_SLOW_VALUE_BYTES 256	/* of one parameter's value */

typedef struct PgvSharedSlow
{
	pg_atomic_uint64 next;		/* ticket */
	uint32		places;			/* constant */
	PgvSlowRecord records[FLEXIBLE_ARRAY_MEMBER];
} PgvSharedSlow;

static PgvSharedSlow *shared = NULL;
static LWLockPadded *locks = NULL;

Size
pgv_slow_shmem_size(void)
{
	return add_size(offsetof(PgvSharedSlow, records),
					mul_size(pgv_max_slow_statements, sizeof(PgvSlowRecord)));
}

int
pgv_slow_locks(void)
{
	return PGV_SLOW_LOCKS;
}

void
pgv_slow_shmem_init(void)
{
	bool		found;

	locks = GetNamedLWLockTranche(PGV_SLOW_TRANCHE);
	shared = ShmemInitStruct("pg_vitals slow", pgv_slow_shmem_size(), &found);
	if (found)
		return;
	memset(shared, 0, pgv_slow_shmem_size());
	pg_atomic_init_u64(&shared->next, 0);
	shared->places = (uint32) pgv_max_slow_statements;
}

static inline LWLock *
lock_of(uint64 place)
{
	return &locks[place % PGV_SLOW_LOCKS].lock;
}

/* ----- texts ----- */

static void
release_texts(const PgvSlowRecord *r)
{
	if (r->texts & PGV_SLOW_QUERY)
		pgv_texts_release(r->fingerprint);
	if (r->texts & PGV_SLOW_ROUTE)
		pgv_texts_release(r->route);
	if (r->texts & PGV_SLOW_PLAN)
		pgv_texts_release(r->plan_text);
	if (r->texts & PGV_SLOW_VALUES)
		pgv_texts_release(r->values_text);
}

/* An id that no other text has: of this process, at this time, for this purpose. */
static uint64
own_id(uint64 purpose)
{
	static uint64 counter = 0;
	uint64		what[4] = {(uint64) MyProcPid, (uint64) GetCurrentTimestamp(), ++counter, purpose};
	uint64		id = hash_bytes_extended((const unsigned char *) what, sizeof(what), 0);

	return id != 0 ? id : 1;
}

/* Keep a text that is of one record alone; returns its id, 0 where there is no room. */
static uint64
keep_own(uint64 purpose, const char *text, int len)
{
	PgvTextsStats stats;
	uint64		id = own_id(purpose);

	pgv_texts_stats(&stats);
	if (stats.bytes + len > (uint64) pgv_text_memory_kb * 1024 / 2 || len > pgv_texts_max_length())
		return 0;
	return pgv_texts_intern(id, text, len, GetDatabaseEncoding()) ? id : 0;
}

/* ----- what is gathered while a query lasts ----- */

/* Types are known without a look at anything; a function's variables are not read. */
static void
note_parameters(PgvSlowRecord *r, ParamListInfo params)
{
	r->nparameters = -1;
	if (params == NULL || params->paramFetch != NULL || params->numParams == 0)
		return;
	r->nparameters = params->numParams;
	for (int i = 0; i < Min(params->numParams, PGV_SLOW_PARAMETERS); i++)
	{
		r->parameters[i].type = params->params[i].ptype;
		r->parameters[i].length = params->params[i].isnull ?
			PGV_SLOW_NO_LENGTH : PGV_SLOW_UNKNOWN_LENGTH;
	}
}

/*
 * What the sampler saw.  What has been executed in parts, as a cursor, has it of each
 * part; where one is missing, nothing is told.
 */
static void
gather_trail(PgvSlow *slow, const PgvStatementRef *ref, bool left)
{
	PgvTrail   *trail = &slow->record.trail;
	bool		known = ref->toplevel ? pgv_trail_gather(trail, &slow->gathered) :
		pgv_trail_gather_nested(trail, &slow->run, ref->fingerprint, left);

	slow->torn = !ref->toplevel && (slow->torn || !known);
	slow->record.looked_at = known && !slow->torn;
}

PgvSlow *
pgv_slow_gather(PgvSlow *slow, QueryDesc *query, const PgvStatementRef *ref,
				double ms, double plan_ms, bool left)
{
	if (slow == NULL)
	{
		slow = MemoryContextAllocExtended(query->estate->es_query_cxt, sizeof(PgvSlow),
										  MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
		if (slow == NULL)
			return NULL;
		slow->record.began = GetCurrentTimestamp() - (TimestampTz) (ms * 1000);
		slow->record.plan_ms = ref->toplevel ? plan_ms : -1;
		slow->run = 1;
		note_parameters(&slow->record, query->params);
	}
	gather_trail(slow, ref, left);
	return slow;
}

PgvSlow *
pgv_slow_failed(PgvSlow *slow, QueryDesc *query, const PgvStatementRef *ref,
				double ms, double plan_ms, bool left, int sqlstate)
{
	slow = pgv_slow_gather(slow, query, ref, ms, plan_ms, left);
	if (slow != NULL)
		slow->record.sqlstate = sqlstate;
	return slow;
}

static int32
length_of(const ParamExternData *param)
{
	int16		len = get_typlen(param->ptype);

	if (len > 0)
		return len;
	if (len == -1)
		return (int32) (toast_raw_datum_size(param->value) - VARHDRSZ);
	return (int32) strlen(DatumGetCString(param->value));
}

static void
measure_parameters(PgvSlowRecord *r, ParamListInfo params)
{
	for (int i = 0; i < Min(r->nparameters, PGV_SLOW_PARAMETERS); i++)
	{
		if (!params->params[i].isnull && OidIsValid(params->params[i].ptype))
			r->parameters[i].length = length_of(&params->params[i]);
	}
}

static void
keep_values(PgvSlowRecord *r, ParamListInfo params)
{
	char	   *values;

	if (!pgv_slow_parameters || r->nparameters <= 0 || (r->texts & PGV_SLOW_VALUES))
		return;
	values = BuildParamLogString(params, NULL, PGV_SLOW_VALUE_BYTES);
	if (values == NULL)
		return;
	r->values_text = keep_own(PGV_SLOW_VALUES, values, (int) strlen(values));
	if (r->values_text != 0)
		r->texts |= PGV_SLOW_VALUES;
}

static void
keep_plan(PgvSlowRecord *r, QueryDesc *query)
{
	StringInfo	plan;

	if (r->texts & PGV_SLOW_PLAN)
		return;
	plan = pgv_plantext_explain(query, true);
	if (plan == NULL)
		return;
	r->plan_text = keep_own(PGV_SLOW_PLAN, plan->data, plan->len);
	if (r->plan_text == 0)
		return;
	r->texts |= PGV_SLOW_PLAN;
	r->rows_counted = true;
}

typedef struct PgvDescribe
{
	PgvSlowRecord *record;
	QueryDesc  *query;
	bool		rows_counted;
} PgvDescribe;

/* May raise anything; what was kept until then is noted in the record. */
static bool
describe(void *arg)
{
	PgvDescribe *d = arg;

	if (d->record->nparameters > 0)
	{
		measure_parameters(d->record, d->query->params);
		keep_values(d->record, d->query->params);
	}
	if (d->rows_counted)
		keep_plan(d->record, d->query);
	return true;
}

void
pgv_slow_describe(PgvSlow *slow, QueryDesc *query, bool rows_counted)
{
	PgvDescribe d = {&slow->record, query, rows_counted};

	if (slow->record.nparameters > 0 || rows_counted)
		pgv_plantext_guard(describe, &d);
}

/* ----- the log ----- */

static void
append_string(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(out, ", \"%s\": ", key);
	escape_json(out, value);
}

static void
append_id(StringInfo out, const char *key, uint64 id)
{
	if (id != 0)
		appendStringInfo(out, ", \"%s\": " INT64_FORMAT, key, (int64) id);
}

static void
append_seen(StringInfo out, const PgvSeen *seen, bool others)
{
	const char *type = others ? NULL : pgstat_get_wait_event_type(seen->event);
	const char *event = others ? NULL : pgstat_get_wait_event(seen->event);

	if (out->data[out->len - 1] != '[')
		appendStringInfoString(out, ", ");
	appendStringInfoString(out, "{\"wait_event_type\": ");
	escape_json(out, others ? "<other>" : type != NULL ? type : "CPU");
	append_string(out, "wait_event", event);
	appendStringInfo(out, ", \"samples\": %u, \"wait_time\": %.3f}", seen->samples, seen->ms);
}

void
pgv_slow_write_trail(StringInfo out, const PgvTrail *trail)
{
	bool		shown[PGV_TRAIL_EVENTS] = {false};

	appendStringInfoChar(out, '[');
	for (uint32 n = 0; n < trail->n; n++)
	{
		uint32		most = 0;

		while (shown[most])
			most++;
		for (uint32 i = most + 1; i < trail->n; i++)
		{
			if (!shown[i] && trail->seen[i].ms > trail->seen[most].ms)
				most = i;
		}
		shown[most] = true;
		append_seen(out, &trail->seen[most], false);
	}
	if (trail->others.samples > 0)
		append_seen(out, &trail->others, true);
	appendStringInfoChar(out, ']');
}

static void
append_parameters(StringInfo out, const PgvSlowRecord *r)
{
	if (r->nparameters <= 0)
		return;
	appendStringInfoString(out, ", \"parameters\": [");
	for (int i = 0; i < Min(r->nparameters, PGV_SLOW_PARAMETERS); i++)
	{
		appendStringInfo(out, "%s{\"type_oid\": %u", i > 0 ? ", " : "", r->parameters[i].type);
		if (r->parameters[i].length >= 0)
			appendStringInfo(out, ", \"length\": %d", r->parameters[i].length);
		appendStringInfo(out, ", \"null\": %s}",
						 r->parameters[i].length == PGV_SLOW_NO_LENGTH ? "true" : "false");
	}
	appendStringInfoChar(out, ']');
}

static void
append_figures(StringInfo out, const PgvSlowRecord *r)
{
	appendStringInfo(out, ", \"exec_time\": %.3f", r->exec_ms);
	if (r->plan_ms >= 0)
		appendStringInfo(out, ", \"plan_time\": %.3f", r->plan_ms);
	appendStringInfo(out, ", \"rows\": " UINT64_FORMAT, r->rows);
	appendStringInfo(out, ", \"shared_blks_hit\": " INT64_FORMAT ", \"shared_blks_read\": " INT64_FORMAT,
					 r->blocks[PGV_SHARED_HIT], r->blocks[PGV_SHARED_READ]);
	appendStringInfo(out, ", \"shared_blks_dirtied\": " INT64_FORMAT ", \"shared_blks_written\": " INT64_FORMAT,
					 r->blocks[PGV_SHARED_DIRTIED], r->blocks[PGV_SHARED_WRITTEN]);
	appendStringInfo(out, ", \"temp_blks_read\": " INT64_FORMAT ", \"temp_blks_written\": " INT64_FORMAT,
					 r->blocks[PGV_TEMP_READ], r->blocks[PGV_TEMP_WRITTEN]);
	appendStringInfo(out, ", \"wal_bytes\": " UINT64_FORMAT, r->wal_bytes);
}

/* A text as it is in this database's encoding, which it was written in here. */
static const char *
text_of(const PgvSlowRecord *r, uint8 which, uint64 id)
{
	int			len;
	int			encoding;
	char	   *text = (r->texts & which) ? pgv_texts_copy_raw(id, &len, &encoding) : NULL;

	return text != NULL && (encoding == GetDatabaseEncoding() || pg_is_ascii(text)) ? text : NULL;
}

static const char *
route_name(const PgvSlowRecord *r)
{
	const char *text = text_of(r, PGV_SLOW_ROUTE, r->route);
	int			len = text != NULL ? (int) strcspn(text, "\n") : 0;

	return len > 0 ? pnstrdup(text, len) : NULL;
}

/* The line; may raise out of memory. */
static char *
make_line(const PgvSlowRecord *r)
{
	StringInfoData out;
	const char *plan = text_of(r, PGV_SLOW_PLAN, r->plan_text);

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"started_at\": ");
	escape_json(&out, timestamptz_to_str(r->began));
	appendStringInfo(&out, ", \"pid\": %d, \"dbid\": %u, \"userid\": %u", r->pid, r->dbid, r->userid);
	append_string(&out, "application_name", r->application);
	append_string(&out, "route", route_name(r));
	appendStringInfo(&out, ", \"toplevel\": %s", r->toplevel ? "true" : "false");
	append_id(&out, "queryid", r->queryid);
	append_id(&out, "fingerprint", r->fingerprint);
	append_id(&out, "planid", r->planid);
	append_figures(&out, r);
	if (r->sqlstate != 0)
		append_string(&out, "sqlstate", unpack_sql_state(r->sqlstate));
	if (r->looked_at)
	{
		appendStringInfoString(&out, ", \"waits\": ");
		pgv_slow_write_trail(&out, &r->trail);
	}
	append_parameters(&out, r);
	append_string(&out, "query", text_of(r, PGV_SLOW_QUERY, r->fingerprint));
	if (plan != NULL)
		appendStringInfo(&out, ", \"rows_counted\": %s, \"plan\": %s", r->rows_counted ? "true" : "false", plan);
	appendStringInfoChar(&out, '}');
	return out.data;
}

static void
write_line(const PgvSlowRecord *r)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals slow statement",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	ereport(LOG_SERVER_ONLY,
			(errmsg("slow statement: %s", make_line(r)),
			 errhidestmt(true), errhidecontext(true)));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * Log it.  Where memory is short, that is left alone.  An error that is on its way
 * must stay the one at hand, so nothing is caught then.  To log is to check for
 * interrupts: a cancel waits, so that it is neither lost here nor takes the place of
 * that error.
 */
static void
log_record(const PgvSlowRecord *r)
{
	MemoryContext old = CurrentMemoryContext;
	uint32		held = InterruptHoldoffCount;

	HOLD_INTERRUPTS();
	if (r->sqlstate != 0)
	{
		if (ERRCODE_TO_CATEGORY(r->sqlstate) !=
			ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES))
			write_line(r);
		RESUME_INTERRUPTS();
		return;
	}
	PG_TRY();
	{
		write_line(r);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		FlushErrorState();
	}
	PG_END_TRY();
	/* an error has set it to 0 */
	InterruptHoldoffCount = held;
}

/* ----- recording ----- */

/* Put it into the ring, which takes over its references. */
static void
push(PgvSlowRecord *r)
{
	PgvSlowRecord *place;
	PgvSlowRecord displaced;
	uint64		ticket = pg_atomic_fetch_add_u64(&shared->next, 1);
	uint64		at;

	if (shared->places == 0)
	{
		release_texts(r);
		return;
	}
	r->number = ticket + 1;
	at = ticket % shared->places;
	place = &shared->records[at];
	LWLockAcquire(lock_of(at), LW_EXCLUSIVE);
	/* whoever had the place before may be late, but then it is his that goes */
	if (place->number < r->number)
	{
		displaced = *place;
		*place = *r;
	}
	else
		displaced = *r;
	LWLockRelease(lock_of(at));
	if (displaced.number != 0)
		release_texts(&displaced);
}

static void
refer_to_texts(PgvSlowRecord *r, const PgvExecution *e)
{
	if (pgv_identity_reference_text(e->statement))
		r->texts |= PGV_SLOW_QUERY;
	if (r->route != 0 && pgv_tagging_reference_text(r->route))
		r->texts |= PGV_SLOW_ROUTE;
	if ((r->texts & PGV_SLOW_PLAN) || e->plan == NULL)
		return;
	r->plan_text = pgv_plantext_reference(e->plan, r->fingerprint);
	if (r->plan_text != 0)
		r->texts |= PGV_SLOW_PLAN;
}

static void
fill(PgvSlowRecord *r, const PgvExecution *e)
{
	const PgvStatementRef *ref = e->statement;

	r->ended = GetCurrentTimestamp();
	r->fingerprint = ref->fingerprint;
	r->queryid = ref->queryid;
	r->planid = e->plan != NULL ? e->plan->planid : 0;
	/* nested statements have no route of their own */
	r->route = ref->route != 0 || ref->toplevel ? ref->route : pgv_tagging_route();
	r->exec_ms = e->usage->time_ms;
	if (e->planned)
		r->plan_ms = e->plan_ms;
	r->rows = e->rows;
	for (int i = 0; i < PGV_NBLOCKS; i++)
		r->blocks[i] = pgv_usage_blocks(e->usage, i);
	r->wal_bytes = e->usage->any_blocks ? e->usage->wal.wal_bytes : 0;
	r->pid = MyProcPid;
	r->dbid = MyDatabaseId;
	r->userid = ref->userid;
	r->toplevel = ref->toplevel;
	strlcpy(r->application, application_name != NULL ? application_name : "", NAMEDATALEN);
	refer_to_texts(r, e);
}

/* What is no query has no plan and no parameters, and nobody gathered for it. */
static void
begin_record(PgvSlowRecord *r, const PgvExecution *e)
{
	PgvTrailKey none = {0};
	uint32		no_run = 1;

	memset(r, 0, sizeof(*r));
	r->began = GetCurrentTimestamp() - (TimestampTz) (e->usage->time_ms * 1000);
	r->plan_ms = -1;
	r->nparameters = -1;
	r->looked_at = e->statement->toplevel ? pgv_trail_gather(&r->trail, &none) :
		pgv_trail_gather_nested(&r->trail, &no_run, e->statement->fingerprint, true);
}

void
pgv_slow_executed(const PgvExecution *e, PgvSlow *slow, int sqlstate)
{
	PgvSlowRecord record;

	if (!pgv_slow_is(e->usage->time_ms))
	{
		if (slow != NULL)
			release_texts(&slow->record);
		return;
	}
	if (slow != NULL)
		record = slow->record;
	else
		begin_record(&record, e);
	record.sqlstate = sqlstate;
	fill(&record, e);
	if (pgv_slow_log)
		log_record(&record);
	push(&record);
}

/* ----- readers' ----- */

int
pgv_slow_room(void)
{
	return (int) shared->places;
}

uint64
pgv_slow_recorded(void)
{
	return pg_atomic_read_u64(&shared->next);
}

void
pgv_slow_scan(PgvSlowCallback callback, void *arg)
{
	uint64		end = pgv_slow_recorded();
	uint64		begin = end > shared->places ? end - shared->places : 0;

	for (uint64 ticket = begin; ticket < end; ticket++)
	{
		uint64		at = ticket % shared->places;
		PgvSlowRecord copy;

		LWLockAcquire(lock_of(at), LW_SHARED);
		copy = shared->records[at];
		LWLockRelease(lock_of(at));
		if (copy.number == ticket + 1)
			callback(&copy, arg);
	}
}

uint64
pgv_slow_remove(PgvSlowMatch match, void *arg)
{
	uint64		gone = 0;

	for (uint64 at = 0; at < shared->places; at++)
	{
		PgvSlowRecord *place = &shared->records[at];
		PgvSlowRecord removed;

		removed.number = 0;
		LWLockAcquire(lock_of(at), LW_EXCLUSIVE);
		if (place->number != 0 && match(place, arg))
		{
			removed = *place;
			place->number = 0;
		}
		LWLockRelease(lock_of(at));
		if (removed.number == 0)
			continue;
		release_texts(&removed);
		gone++;
	}
	return gone;
}
