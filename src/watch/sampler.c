/*-------------------------------------------------------------------------
 *
 * sampler.c
 *	  A tick of the worker that looks at what every session is doing.
 *
 * A pass goes over the server's processes (watch/look).  Sessions that are idle
 * are passed by, and so are background processes that wait for work.
 *
 * A sample stands for the time since the pass before.  If that is long because
 * the worker got no processor, or had its own work, most of it belongs to
 * nothing that is seen now; so a sample never stands for more than
 * PGV_LONGEST_PASS intervals, and what is beyond that is nobody's.
 *
 * The first pass of each second is kept sample by sample (watch/history).  Only
 * then, and only for those who wait for a lock of the lock manager, is that one
 * asked who holds it, which takes its locks, as pg_blocking_pids does.
 *
 * What was waited since the last such look is charged to whoever holds the lock
 * and waits for nobody: the root of the chain.
 *
 * Sums are kept in a table in private memory, of fixed size, and brought to
 * the kind "waits" and to the windows' tables (watch/waited) once a second, or
 * earlier when the table is nearly full or a window ends.
 * What was summed up when statistics are reset, less than a second's, is
 * forgotten.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/settings.h"
#include "collect/now.h"
#include "collect/trail.h"
#include "collect/waits.h"
#include "store/store.h"
#include "watch/history.h"
#include "watch/look.h"
#include "watch/sampler.h"
#include "watch/waited.h"

#define PGV_SUMS 2048			/* power of two */
#define PGV_SUMS_FULL (PGV_SUMS * 3 / 4)
#define PGV_MERGE_US INT64CONST(1000000)
#define PGV_LONGEST_PASS 10		/* intervals that a sample can stand for */
#define PGV_ASKED 32			/* waiting processes that are asked about in a second */
#define PGV_CHAIN 16			/* of waiting processes that is followed to its root */
#define PGV_LONGEST_BLOCK_MS 2000.0 /* that a look at blockers can stand for */

/* No padding: compared and hashed bytewise. */
typedef struct PgvSumKey
{
	Oid			dbid;
	Oid			userid;
	uint64		fingerprint;
	uint64		route;
	uint64		application;	/* hash of the name */
	uint32		event;			/* the server's number, of this run */
	uint8		phase;
	uint8		toplevel;		/* 1: the client's own statement */
	uint8		backend;		/* a BackendType */
	uint8		parallel;		/* 1: a parallel worker */
} PgvSumKey;

typedef struct PgvSum
{
	PgvSumKey	key;
	uint64		queryid;
	int64		samples;		/* 0: the place is free */
	double		ms;
	double		squares;
	double		blocked_ms;		/* others waited for it */
	TimestampTz first_seen;
	TimestampTz last_seen;
	char		application[NAMEDATALEN];
} PgvSum;

static PgvSum *sums = NULL;
static int	nsums = 0;

/* What is in which place of them, so that a search stays in the cache; 0: free. */
static uint32 tags[PGV_SUMS];
static double looked_ms = 0;	/* that the passes stand for; not told yet */
static TimestampTz last_pass = 0;
static TimestampTz last_merge = 0;
static uint64 generation;		/* of the store */

/* ----- the sums ----- */

static const char *
backend_name(const PgvSumKey *key)
{
	return key->parallel ? "parallel worker" : GetBackendTypeDesc((BackendType) key->backend);
}

static void
merge_sum(const PgvSum *sum)
{
	PgvWaitKey	key;
	PgvWaitEntry delta;
	const char *type = pgstat_get_wait_event_type(sum->key.event);
	const char *event = pgstat_get_wait_event(sum->key.event);

	memset(&key, 0, sizeof(key));
	memset(&delta, 0, sizeof(delta));
	key.dbid = sum->key.dbid;
	key.userid = sum->key.userid;
	key.fingerprint = sum->key.fingerprint;
	key.route = sum->key.route;
	key.phase = sum->key.phase;
	key.class = PGV_WAIT_CLASS(sum->key.event);
	delta.queryid = sum->queryid;
	delta.samples = sum->samples;
	delta.ms = sum->ms;
	delta.squares = sum->squares;
	delta.blocked_ms = sum->blocked_ms;
	delta.first_seen = sum->first_seen;
	delta.last_seen = sum->last_seen;
	strlcpy(delta.type, type != NULL ? type : "CPU", sizeof(delta.type));
	strlcpy(delta.event, event != NULL ? event : "", sizeof(delta.event));
	strlcpy(delta.backend_type, backend_name(&sum->key), sizeof(delta.backend_type));
	memcpy(delta.application, sum->application, sizeof(delta.application));
	pgv_waits_complete(&key, &delta);
	pgv_store_offer(&pgv_kind_waits, &key, &delta);
}

/* What was seen of a statement goes to the present windows, too. */
static void
tell_windows(const PgvSum *sum)
{
	PgvStatementKey key = {sum->key.dbid, sum->key.userid, sum->key.fingerprint, sum->key.toplevel};

	pgv_waited_add(&key, sum->queryid, (PgvPhase) sum->key.phase, sum->key.event,
				   sum->ms, sum->squares);
}

static void
merge_sums(void)
{
	if (looked_ms > 0)
		pgv_waited_looked(looked_ms);
	looked_ms = 0;
	for (int i = 0; nsums > 0 && i < PGV_SUMS; i++)
	{
		if (tags[i] == 0)
			continue;
		merge_sum(&sums[i]);
		tell_windows(&sums[i]);
		tags[i] = 0;
		sums[i].samples = 0;
	}
	nsums = 0;
}

static void
forget_sums(void)
{
	for (int i = 0; i < PGV_SUMS; i++)
		sums[i].samples = 0;
	memset(tags, 0, sizeof(tags));
	nsums = 0;
	looked_ms = 0;
}

static uint32
tag_of(const PgvSumKey *key)
{
	return hash_bytes((const unsigned char *) key, sizeof(*key)) | 1;
}

/* The sum of a key, which is made if need be: there is room. */
static PgvSum *
sum_of(const PgvSumKey *key)
{
	uint32		tag = tag_of(key);
	uint32		i = tag >> 1;

	while (tags[i & (PGV_SUMS - 1)] != 0 &&
		   (tags[i & (PGV_SUMS - 1)] != tag ||
			memcmp(&sums[i & (PGV_SUMS - 1)].key, key, sizeof(*key)) != 0))
		i++;
	return &sums[i & (PGV_SUMS - 1)];
}

static void
begin_sum(PgvSum *sum, const PgvSumKey *key, const char *application, TimestampTz now)
{
	memset(sum, 0, sizeof(*sum));
	tags[sum - sums] = tag_of(key);
	sum->key = *key;
	strlcpy(sum->application, application, NAMEDATALEN);
	sum->first_seen = now;
	nsums++;
}

/* What only the text tells is what the client has sent. */
static bool
is_toplevel(const PgvSample *s)
{
	return !s->has_statement || s->slot.now.fingerprint == 0 || s->slot.now.toplevel;
}

static void
add_sample(const PgvSample *s, TimestampTz now, double ms)
{
	PgvSumKey	key;
	PgvSum	   *sum;

	memset(&key, 0, sizeof(key));
	key.dbid = s->proc->databaseId;
	key.userid = pgv_look_role(s);
	key.fingerprint = pgv_look_fingerprint(s);
	key.route = s->has_statement ? s->slot.now.route : 0;
	key.application = pgv_waits_application(s->status.application);
	key.event = s->event;
	key.phase = (uint8) s->phase;
	key.toplevel = is_toplevel(s);
	key.backend = (uint8) s->status.type;
	key.parallel = s->parallel;
	sum = sum_of(&key);
	if (sum->samples == 0)
		begin_sum(sum, &key, s->status.application, now);
	sum->samples++;
	sum->ms += ms;
	sum->squares += ms * ms;
	sum->last_seen = now;
	if (s->has_statement && s->slot.now.queryid != 0)
		sum->queryid = s->slot.now.queryid;
	if (nsums >= PGV_SUMS_FULL)
		merge_sums();
}

/* ----- a pass ----- */

/* Of the load only what sessions do is a part. */
static void
add_load(const PgvSample *s, double ms)
{
	if (s->phase == PGV_PHASE_IDLE)
		pgv_history_load(PGV_LOAD_IDLE, ms);
	else if (s->phase != PGV_PHASE_BACKGROUND)
		pgv_history_load(PGV_WAIT_CLASS(s->event) % PGV_LOAD_IDLE, ms);
}

static void
note(const PgvSample *s, TimestampTz now)
{
	PgvActivity *row = pgv_history_note();

	if (row == NULL)
		return;
	memset(row, 0, sizeof(*row));
	row->at = now;
	row->pid = s->pid;
	row->leader_pid = s->parallel && s->has_slot ? s->slot.pid : 0;
	row->parallel = s->parallel;
	row->toplevel = is_toplevel(s);
	row->dbid = s->proc->databaseId;
	row->userid = pgv_look_role(s);
	row->event = s->event;
	row->phase = (uint8) s->phase;
	row->backend = (uint8) s->status.type;
	row->fingerprint = pgv_look_fingerprint(s);
	strlcpy(row->application, s->status.application, NAMEDATALEN);
	if (!s->has_statement)
		return;
	row->queryid = s->slot.now.queryid;
	row->route = s->slot.now.route;
	row->since = s->slot.now.since;
}

static void
set_blockers(PgvActivity *row)
{
	Datum		array = DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(row->pid));
	ArrayType  *pids = DatumGetArrayTypeP(array);
	int			n = ArrayGetNItems(ARR_NDIM(pids), ARR_DIMS(pids));

	row->nblockers = (uint8) Min(n, UINT8_MAX);
	memcpy(row->blockers, ARR_DATA_PTR(pids), Min(n, PGV_BLOCKERS) * sizeof(int));
}

/* The row of a process among those that were noted; NULL: it was idle. */
static const PgvActivity *
noted_row(int pid)
{
	int			n;
	const PgvActivity *rows = pgv_history_noted(&n);

	for (int i = 0; i < n; i++)
	{
		if (rows[i].pid == pid)
			return &rows[i];
	}
	return NULL;
}

/* The process that, in the end, this one waits for; NULL where it is not seen. */
static const PgvActivity *
root_of(const PgvActivity *row)
{
	for (int i = 0; row != NULL && row->nblockers > 0 && i < PGV_CHAIN; i++)
		row = noted_row(row->blockers[0]);
	/* a longer chain, or a deadlock */
	return row != NULL && row->nblockers == 0 ? row : NULL;
}

/* It has been waited for a process that was just seen: so it has a sum. */
static void
charge_root(const PgvActivity *root, double ms)
{
	PgvSumKey	key;
	PgvSum	   *sum;

	memset(&key, 0, sizeof(key));
	key.dbid = root->dbid;
	key.userid = root->userid;
	key.fingerprint = root->fingerprint;
	key.route = root->route;
	key.application = pgv_waits_application(root->application);
	key.event = root->event;
	key.phase = root->phase;
	key.toplevel = root->toplevel;
	key.backend = root->backend;
	key.parallel = root->parallel;
	sum = sum_of(&key);
	if (sum->samples > 0)
		sum->blocked_ms += ms;
}

/* Whom do those wait for who wait?  Each has for so long. */
static void
ask_blockers(double ms)
{
	int			n;
	int			asked = 0;
	PgvActivity *rows = pgv_history_noted(&n);

	for (int i = 0; i < n && asked < PGV_ASKED; i++)
	{
		if (PGV_WAIT_CLASS(rows[i].event) != PGV_CLASS_LOCK)
			continue;
		set_blockers(&rows[i]);
		asked++;
	}
	for (int i = 0; asked > 0 && i < n; i++)
	{
		const PgvActivity *root = rows[i].nblockers > 0 ? root_of(&rows[i]) : NULL;

		if (root != NULL)
			charge_root(root, ms);
	}
}

/* Tell the backend, or its leader, what it was seen at. */
static void
leave_trail(const PgvSample *s, double ms)
{
	PgvTrailKey statement = {s->slot.ended, s->slot.now.since};

	if (s->has_slot && s->phase == PGV_PHASE_EXECUTING)
		pgv_trail_note(s->slot_procno, s->slot.pid, &statement, s->slot.changes, s->event, ms);
}

static void
pass(TimestampTz now, double ms, bool noting)
{
	PgvSample	sample;
	int			procno = 0;

	while (pgv_look_next(&sample, &procno))
	{
		if (!pgv_look_at(&sample))
			continue;
		pgv_look_at_text(&sample);
		add_sample(&sample, now, ms);
		add_load(&sample, ms);
		leave_trail(&sample, ms);
		if (noting)
			note(&sample, now);
	}
}

/* For how long does a sample taken now stand? */
static double
weight(TimestampTz now)
{
	double		interval = pgv_sample_interval_ms;
	double		ms = (now - last_pass) / 1000.0;

	/* the first one; or the clock was set back */
	if (last_pass == 0 || ms <= 0)
		return interval;
	return Min(ms, interval * PGV_LONGEST_PASS);
}

static void
merge_at_exit(int code, Datum arg)
{
	if (code == 0 && generation == pgv_store_generation())
		merge_sums();
}

static void
start(TimestampTz now)
{
	pgv_history_begin();
	sums = MemoryContextAllocZero(TopMemoryContext, PGV_SUMS * sizeof(PgvSum));
	last_merge = now;
	generation = pgv_store_generation();
	before_shmem_exit(merge_at_exit, (Datum) 0);
}

static void
check_reset(void)
{
	if (likely(generation == pgv_store_generation()))
		return;
	generation = pgv_store_generation();
	forget_sums();
	pgv_history_drop();
}

int
pgv_sampler_interval(void)
{
	/* off: once more, to bring away what there is */
	if (pgv_sample_interval_ms == 0)
		return nsums > 0 ? 1 : 0;
	return pgv_sample_interval_ms;
}

void
pgv_sampler_tell(void)
{
	if (sums == NULL)
		return;
	check_reset();
	merge_sums();
}

void
pgv_sampler_tick(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		second;

	if (sums == NULL)
		start(now);
	check_reset();
	second = now - last_merge >= PGV_MERGE_US || now < last_merge;
	if (pgv_sample_interval_ms == 0)
		last_pass = 0;
	else if (pgv_now_statuses() != NULL)
	{
		double		ms = weight(now);

		pgv_history_pass(now, ms);
		pass(now, ms, second);
		looked_ms += ms;
		last_pass = now;
	}
	if (!second && pgv_sample_interval_ms != 0)
		return;
	ask_blockers(Min(Max(now - last_merge, 0) / 1000.0, PGV_LONGEST_BLOCK_MS));
	merge_sums();
	last_merge = now;
	pgv_history_publish();
}
