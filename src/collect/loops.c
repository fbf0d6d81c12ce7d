/*-------------------------------------------------------------------------
 *
 * loops.c
 *	  Statements repeated one row at a time for the rows of no known parent.
 *
 * Two sorts: writes (a row is written at a time, wherever its values come
 * from) and lookups (the values came from outside the database, or from a
 * result not remembered).  A loop is one statement; what is asked of it
 * depends on how its repeats are held together:
 *
 *	 one transaction		writes: at least min_repeats, with no more than
 *							PGV_CYCLE other statements between two of them;
 *							lookups: at least PGV_RUN_MIN different ones,
 *							nothing between
 *	 a transaction each		writes: at least PGV_RUN_MIN, each in a block of
 *							its own with at most one other statement, at a
 *							steady pace
 *	 none (autocommit)		the same, but only suspected; lookups, too
 *
 * A steady pace is that of a program that does nothing else: what comes with
 * requests or messages comes irregularly.  Measured from repeat to repeat, for
 * the pauses within a cycle may differ.
 *
 * Nothing that looks at a job queue is a loop, nor what did not wait for the
 * answers (pipelines, several statements in one message), nor what stands
 * between statements that define tables or load them, as in migrations.
 *
 * The last statements of the client stand in a ring, from which it is read
 * what came between two repeats.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "nodes/plannodes.h"

#include "base/server.h"
#include "base/settings.h"
#include "collect/loops.h"
#include "collect/routine.h"
#include "collect/suggest.h"
#include "collect/tell.h"
#include "store/texts.h"

#define PGV_LOOPS 16
#define PGV_LOOP_VALUES 16		/* different keys remembered */
#define PGV_STEPS 16			/* power of two */
#define PGV_CYCLE 3				/* other statements in one cycle */
#define PGV_CYCLE_ACROSS 2
#define PGV_BLOCK 2				/* statements of a block of its own */
#define PGV_BLOCKS 4			/* power of two */
#define PGV_INTERVALS 16		/* power of two */
#define PGV_RUN_MIN 10
#define PGV_EACH_REPORTED 128
#define PGV_ROUTINE_REPORTED 64
#define PGV_STEADY 2.0			/* upper to lower quartile of the intervals */
#define PGV_PACE_MS 20.0
#define PGV_REST_SHARE 4		/* wait before a block, to that in it */
#define PGV_REST_MS 0.5
#define PGV_PACE_READS_MS 60.0

/*
 * Most statements are not repeated, so what the first execution needs stands
 * together, and the rest is set when there is a second.
 */
typedef struct PgvLoop
{
	uint64		serial;			/* 0: free */
	uint64		fingerprint;
	bool		writes;
	bool		inserts;
	bool		within;			/* one transaction holds all repeats */
	bool		alone;			/* each in a block of its own */
	bool		finding;
	bool		reported;
	uint32		lxid;			/* at the last repeat; 0: in no block */
	int64		repeats;
	int64		next_verdict;	/* repeats at which to look again */
	uint64		step;			/* clocks at the last repeat */
	uint64		interrupts;
	uint64		breaks;
	uint64		queues;
	uint64		pause_clock;
	uint64		waits;
	TimestampTz last_at;		/* arrival of the last repeat */
	TimestampTz last;			/* its end, as far as known */
	uint32		first_key;
	float		first_wait_ms;
	float		first_plan_ms;
	float		first_exec_ms;
	uint32		first_rows;
	uint32		first_hit;
	uint32		first_read;
	/* from the second on: */
	PgvRecent	recent;
	PgvConfidence confidence;
	int64		next_report;	/* as next_verdict, to report what is suspected */
	int64		distinct;		/* different keys, as far as remembered */
	int64		bad;			/* steps that are not like a loop's */
	int64		pipelined;
	int64		pauses;
	float		intervals[PGV_INTERVALS];	/* the last, from repeat to repeat, ms */
	uint32		keys[PGV_LOOP_VALUES];
	PgvTally	tally;
} PgvLoop;

/* A transaction, and how many statements it has had. */
typedef struct PgvBlock
{
	uint32		lxid;
	uint32		steps;
} PgvBlock;

static PgvLoop loops[PGV_LOOPS];
static uint64 looked_for[PGV_LOOPS];	/* their fingerprints, close together */
static uint64 steps[PGV_STEPS]; /* fingerprints of the last statements */
static PGV_HOT_DATA uint64 step_clock = 0;
static PgvBlock blocks[PGV_BLOCKS]; /* the last transactions */
static PGV_HOT_DATA uint64 block = 0;
static uint64 interrupts = 0;
static uint64 breaks = 0;
static double begin_wait_ms = 0;	/* before the last BEGIN */
static double block_wait_ms = 0;	/* the longest in its transaction, ... */
static double last_block_wait_ms = 0;	/* ... and in the one before */
static uint64 next_serial = 1;

void
pgv_loops_step(uint64 fingerprint, double wait_ms)
{
	uint32		lxid = PGV_LXID();

	block_wait_ms = Max(block_wait_ms, wait_ms);
	steps[++step_clock & (PGV_STEPS - 1)] = fingerprint;
	if (blocks[block & (PGV_BLOCKS - 1)].lxid != lxid)
	{
		block++;
		blocks[block & (PGV_BLOCKS - 1)].lxid = lxid;
		blocks[block & (PGV_BLOCKS - 1)].steps = 0;
	}
	blocks[block & (PGV_BLOCKS - 1)].steps++;
}

void
pgv_loops_begin(double wait_ms)
{
	begin_wait_ms = wait_ms;
	last_block_wait_ms = block_wait_ms;
	block_wait_ms = 0;
}

void
pgv_loops_commit(double wait_ms)
{
	block_wait_ms = Max(block_wait_ms, wait_ms);
}

void
pgv_loops_interrupt(void)
{
	interrupts++;
}

void
pgv_loops_break(void)
{
	breaks++;
}

static PgvLoop *
find_loop(uint64 fingerprint)
{
	for (int i = 0; i < PGV_LOOPS; i++)
	{
		if (looked_for[i] == fingerprint && loops[i].serial != 0)
			return &loops[i];
	}
	return NULL;
}

/* A place for a new loop: a free one, or the one that was repeated longest ago. */
static PgvLoop *
choose_loop(void)
{
	PgvLoop    *oldest = &loops[0];

	for (int i = 0; i < PGV_LOOPS; i++)
	{
		if (loops[i].serial == 0)
			return &loops[i];
		if (loops[i].last_at < oldest->last_at)
			oldest = &loops[i];
	}
	return oldest;
}

static void
begin_loop(PgvLoop *l, QueryDesc *query, uint64 fingerprint)
{
	memset(l, 0, offsetof(PgvLoop, recent));
	l->serial = next_serial++;
	l->fingerprint = looked_for[l - loops] = fingerprint;
	l->writes = (query->operation != CMD_SELECT);
	l->inserts = (query->operation == CMD_INSERT);
	l->next_verdict = pgv_n_plus_one_min_repeats;
}

/* There is a second: what the first was counts as well. */
static void
go_on(PgvLoop *l)
{
	memset(&l->recent, 0, offsetof(PgvLoop, intervals) - offsetof(PgvLoop, recent));
	pgv_tally_clear(&l->tally);
	pgv_tally_repeat(&l->tally, l->first_wait_ms, l->first_plan_ms);
	l->tally.exec_ms = l->first_exec_ms;
	l->tally.rows = l->first_rows;
	l->tally.blocks_hit = l->first_hit;
	l->tally.blocks_read = l->first_read;
	l->keys[0] = l->first_key;
	l->distinct = 1;
}

/* ----- what lies between two repeats ----- */

/*
 * Had the transaction few statements by now?  One that is too long ago to tell
 * had not.
 */
static bool
is_small(uint32 lxid)
{
	for (int i = 0; i < PGV_BLOCKS; i++)
	{
		if (blocks[i].lxid == lxid)
			return blocks[i].steps <= PGV_BLOCK;
	}
	return false;
}

/* Different statements since a step, up to "most" + 1. */
static int
different_since(uint64 step, int most)
{
	uint64		found[PGV_CYCLE + 1];
	int			n = 0;

	if (step_clock - step > PGV_STEPS)
		return most + 1;
	for (uint64 c = step + 1; c < step_clock && n <= most; c++)
	{
		uint64		fingerprint = steps[c & (PGV_STEPS - 1)];
		bool		known = false;

		for (int i = 0; i < n; i++)
			known |= (found[i] == fingerprint);
		if (!known)
			found[n++] = fingerprint;
	}
	return n;
}

/* Does this repeat follow the last one as in a loop? */
static bool
follows(const PgvLoop *l, bool within)
{
	int			cycle = within ? PGV_CYCLE : PGV_CYCLE_ACROSS;

	if (l->queues != pgv_signs.queues || l->breaks != breaks)
		return false;
	if (!l->writes)
		return l->step + 1 == step_clock && l->interrupts == interrupts;
	return different_since(l->step, cycle) <= cycle;
}

/*
 * How is this repeat held together with the last?  Sets "within" and "alone";
 * returns false if it is not.
 */
static bool
holds_together(const PgvLoop *l, uint32 lxid, bool *within, bool *alone)
{
	*within = (lxid != 0 && lxid == l->lxid);
	*alone = (lxid != 0 && l->lxid != 0 && !*within &&
			  is_small(lxid) && is_small(l->lxid));
	if (l->repeats == 1)
		return *within || *alone || (lxid == 0 && l->lxid == 0);
	return *within == l->within && *alone == l->alone &&
		(*within || *alone || (lxid == 0 && l->lxid == 0));
}

/* ----- counting ----- */

/* Different keys: exactly while there is room, then all that are not the last. */
static void
count_key(PgvLoop *l, uint64 key)
{
	if (l->distinct >= PGV_LOOP_VALUES)
	{
		l->distinct += (l->keys[0] != (uint32) key);
		l->keys[0] = (uint32) key;
		return;
	}
	for (int i = 0; i < l->distinct; i++)
	{
		if (l->keys[i] == (uint32) key)
			return;
	}
	l->keys[l->distinct++] = (uint32) key;
}

/* The interval since the last repeat. */
static void
count_interval(PgvLoop *l, const PgvArrival *arrival)
{
	double		ms = (arrival->at - l->last_at) / 1000.0;

	l->intervals[l->repeats & (PGV_INTERVALS - 1)] = (float) ms;

	/*
	 * Who comes with a request takes longer before its transaction than in
	 * it, where the statement may have come together with its BEGIN.
	 */
	l->pauses += (l->pause_clock != pgv_signs.pauses) ||
		(l->alone && begin_wait_ms >
		 PGV_REST_SHARE * Max(block_wait_ms, last_block_wait_ms) + PGV_REST_MS);
	l->pipelined += (l->waits == pgv_signs.waits);
	if (l->within && TransactionIdIsValid(GetTopTransactionIdIfAny()))
		l->tally.lock_ms += ms;
}

static void
count_repeat(PgvLoop *l, uint64 key, const PgvArrival *arrival)
{
	if (++l->repeats == 1)
	{
		l->first_key = (uint32) key;
		l->first_wait_ms = (float) arrival->wait_ms;
		l->first_plan_ms = (float) arrival->plan_ms;
	}
	else
	{
		if (l->repeats == 2)
			go_on(l);
		count_key(l, key);
		count_interval(l, arrival);
		pgv_tally_repeat(&l->tally, arrival->wait_ms, arrival->plan_ms);
	}
	l->lxid = pgv_block_lxid();
	l->step = step_clock;
	l->interrupts = interrupts;
	l->breaks = breaks;
	l->queues = pgv_signs.queues;
	l->pause_clock = pgv_signs.pauses;
	l->waits = pgv_signs.waits;
	l->last_at = l->last = arrival->at;
}

/* Is the loop over, so that this repeat begins another? */
static bool
is_over(PgvLoop *l, const PgvArrival *arrival)
{
	bool		within;
	bool		alone;

	if (!pgv_is_alive(l->last, arrival) ||
		!holds_together(l, pgv_block_lxid(), &within, &alone))
		return true;
	l->within = within;
	l->alone = alone;
	if (follows(l, within))
		return false;
	/* a loop may falter now and then, once it is one */
	if (!l->writes || l->repeats < pgv_n_plus_one_min_repeats)
		return true;
	return ++l->bad * 5 > l->repeats;
}

/* ----- verdicts ----- */

/*
 * Do the repeats come at a steady pace?  By quartiles: the first round of a
 * loop may take ten times as long as the others.
 */
static bool
is_steady(const PgvLoop *l, double pace)
{
	float		sorted[PGV_INTERVALS];
	int			n = 0;

	for (int64 i = Max(2, l->repeats - PGV_INTERVALS + 1); i <= l->repeats; i++)
	{
		float		ms = l->intervals[i & (PGV_INTERVALS - 1)];
		int			at = n++;

		for (; at > 0 && sorted[at - 1] > ms; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = ms;
	}
	return n >= 4 && sorted[n / 2] < pace &&
		sorted[n * 3 / 4] < sorted[n / 4] * PGV_STEADY;
}

/* Is it a finding?  Sets its confidence. */
static bool
is_finding(PgvLoop *l)
{
	int			min = pgv_n_plus_one_min_repeats;
	int64		different = l->inserts ? l->repeats : l->distinct;

	if (l->pipelined * 5 >= (l->repeats - 1) * 3)
		return false;
	l->confidence = PGV_LIKELY;
	if (l->within)
		return different >= (l->writes ? min : Max(PGV_RUN_MIN, min));
	if (different < Max(PGV_RUN_MIN, min) || different * 5 < l->repeats * 4)
		return false;
	if (!l->alone || !l->writes)
		l->confidence = PGV_SUSPECTED;
	return l->pauses * 5 <= l->repeats &&
		is_steady(l, l->writes ? PGV_PACE_MS : PGV_PACE_READS_MS);
}

/* Its first predicate on a table of the application; false: there is none. */
static bool
find_column(QueryDesc *query, PgvLinkColumns *link)
{
	PgvPredicate predicates[PGV_MAX_PREDICATES];
	int			n = pgv_values_own_predicates(query, predicates);

	memset(link, 0, sizeof(*link));
	for (int i = 0; i < n; i++)
	{
		if (predicates[i].relid < FirstNormalObjectId)
			continue;
		link->child_relid = predicates[i].relid;
		link->child_attno = predicates[i].attno;
		return true;
	}
	return false;
}

void
pgv_loops_count(PgvLoopWatch *watch, QueryDesc *query, uint64 fingerprint,
				uint64 key, const PgvArrival *arrival)
{
	PgvLoop    *l = find_loop(fingerprint);
	PgvLinkColumns link;

	if (l == NULL)
	{
		l = choose_loop();
		begin_loop(l, query, fingerprint);
	}
	else if (is_over(l, arrival))
		begin_loop(l, query, fingerprint);
	count_repeat(l, key, arrival);
	watch->loop = (int) (l - loops);
	watch->serial = l->serial;
	if (l->finding || l->repeats < l->next_verdict)
		return;
	if (!is_finding(l))
	{
		/* not every time, of what is repeated for long */
		l->next_verdict = l->repeats + l->repeats / 8 + 1;
		return;
	}
	/* a repeat of what is no lookup is no N+1 */
	if (!l->inserts && !find_column(query, &link))
	{
		l->serial = watch->serial = 0;
		return;
	}
	l->finding = watch->tell = true;
}

void
pgv_loops_glance(PgvLoopWatch *watch, uint64 fingerprint, const PgvArrival *arrival)
{
	PgvLoop    *l = find_loop(fingerprint);

	if (l == NULL || !l->finding || !pgv_is_alive(l->last, arrival))
		return;
	l->repeats++;
	l->last_at = l->last = arrival->at;
	pgv_tally_repeat(&l->tally, arrival->wait_ms, arrival->plan_ms);
	watch->loop = (int) (l - loops);
	watch->serial = l->serial;
}

/* ----- reporting ----- */

static void
describe_loop(const PgvLoop *l, QueryDesc *query, PgvFindingWords *words)
{
	char	   *child = pgv_texts_copy(l->fingerprint);
	PgvLinkColumns link;
	StringInfoData suggestion;

	initStringInfo(&suggestion);
	find_column(query, &link);
	if (l->writes)
		pgv_suggest_write(&suggestion, child, query->plannedstmt, &link,
						  false, l->within);
	else
		pgv_suggest_run(&suggestion, child, query->plannedstmt, &link);
	words->link = NULL;
	words->suggestion = suggestion.data;
}

static PgvFindingKind
kind_of(const PgvLoop *l)
{
	return l->writes ? PGV_FINDING_WRITE : PGV_FINDING_N_PLUS_ONE;
}

static void
report_loop(PgvLoop *l, QueryDesc *query, const PgvStatementRef *ref)
{
	PgvFinding	delta;
	PgvFindingWords words;
	bool		first = !l->reported;

	memset(&delta, 0, sizeof(delta));
	delta.fingerprint = l->fingerprint;
	delta.queryid = ref->queryid;
	delta.confidence = l->confidence;
	delta.bursts = first ? 1 : 0;
	delta.in_transaction = (first && l->within) ? 1 : 0;
	delta.max_repeats = l->repeats;
	delta.distinct = l->distinct;
	delta.tally = l->tally;
	if (first)
		describe_loop(l, query, &words);
	pgv_findings_report(kind_of(l), &delta, ref, first ? &words : NULL,
						&l->recent);
	l->reported = true;
	pgv_tally_clear(&l->tally);
}

static PgvLoop *
watched(const PgvLoopWatch *watch)
{
	PgvLoop    *l = &loops[watch->loop];

	return watch->serial != 0 && l->serial == watch->serial ? l : NULL;
}

void
pgv_loops_run(PgvLoopWatch *watch, QueryDesc *query, const PgvStatementRef *ref)
{
	PgvLoop    *l = watched(watch);

	if (!watch->tell || l == NULL || l->confidence == PGV_SUSPECTED ||
		pgv_n_plus_one_action == PGV_ACTION_OFF)
		return;
	watch->tell = false;
	report_loop(l, query, ref);
	pgv_tell(kind_of(l), l->fingerprint, l->repeats, 0);
}

/*
 * What is only suspected may be anybody's hot path: in the end not each repeat is
 * reported by itself, and of a routine, of which a part is looked at, few are.
 */
static int64
next_report(const PgvLoop *l)
{
	if (pgv_routine_is_old(l->fingerprint))
		return l->repeats + PGV_ROUTINE_REPORTED;
	return l->repeats + (l->repeats < PGV_EACH_REPORTED ? 1 : l->repeats / 8);
}

void
pgv_loops_ran(PgvLoopWatch *watch, QueryDesc *query, const PgvStatementRef *ref,
			  const PgvUsage *usage, uint64 rows, TimestampTz now)
{
	PgvLoop    *l = watched(watch);

	if (l == NULL)
		return;
	l->last = now;
	if (l->repeats == 1)
	{
		l->first_exec_ms = (float) usage->time_ms;
		l->first_rows = (uint32) rows;
		l->first_hit = (uint32) pgv_usage_blocks(usage, PGV_SHARED_HIT);
		l->first_read = (uint32) pgv_usage_blocks(usage, PGV_SHARED_READ);
		return;
	}
	pgv_tally_usage(&l->tally, usage, rows);
	if (!l->finding)
		return;
	if (l->confidence == PGV_SUSPECTED && l->reported &&
		l->repeats < l->next_report)
		return;
	l->next_report = next_report(l);
	report_loop(l, query, ref);
}

bool
pgv_loops_reported(uint64 fingerprint, const PgvArrival *arrival)
{
	PgvLoop    *l = find_loop(fingerprint);

	return l != NULL && l->reported && pgv_is_alive(l->last, arrival);
}

void
pgv_loops_drop(uint64 fingerprint)
{
	PgvLoop    *l = find_loop(fingerprint);

	if (l != NULL)
		l->serial = 0;
}

void
pgv_loops_forget(void)
{
	for (int i = 0; i < PGV_LOOPS; i++)
		loops[i].serial = 0;
}
