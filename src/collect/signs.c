/*-------------------------------------------------------------------------
 *
 * signs.c
 *	  What tells one request of a client from the next, and old from new.
 *
 * On a backend that many clients share, one request follows the other without
 * a word.  Signs of a new one are a pause, and a statement that belongs to no
 * loop and comes with other parameters than before.  A few of those are
 * remembered.
 *
 * Writes are remembered by table, in a small table of clocks where one may
 * stand for another: then something is taken to be written that was not,
 * which costs a finding and makes no false one.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/xact.h"
#include "nodes/plannodes.h"

#include "base/server.h"
#include "base/settings.h"
#include "collect/signs.h"

#define PGV_PAUSE_SHARE 50		/* part of max_gap that is a pause: 5 ms */
#define PGV_WAITS 8				/* power of two */
#define PGV_WAY_SHARE 4			/* part of max_gap that the way may take */
#define PGV_PIPELINED_MS 0.02	/* what comes sooner did not wait */
#define PGV_AHEAD_MS 0.25		/* what had come by then is looked at by then */
#define PGV_STRAYS 16
#define PGV_CHANGES 16			/* remembered of each */
#define PGV_REQUEST 3			/* statements of a request, about */
#define PGV_ELSEWHERE 3			/* requests in step for each whose sign is seen */
#define PGV_WRITTEN 32			/* power of two */

PGV_HOT_DATA PgvSigns pgv_signs;

static float recent_waits[PGV_WAITS];	/* of this client, ms */
static PGV_HOT_DATA int next_wait = 0;
static uint64 stray_fingerprints[PGV_STRAYS];
static struct
{
	uint64		key;			/* with its parameters */
	uint64		last;			/* when it came last */
	uint64		in_step;		/* when it came right after itself, with another key */
	uint64		changed[PGV_CHANGES];	/* when its key was another, at last */
	int			next;
}			strays[PGV_STRAYS];
static int	next_stray = 0;

static uint64 written[PGV_WRITTEN]; /* clocks, by table */
static uint64 write_clock = 1;
static uint64 all_written = 0;	/* clock of the last write to who knows what */

/* About what the way to the client and back takes: the least of the last waits. */
static pg_noinline double
way_ms(void)
{
	float		least = recent_waits[0];

	for (int i = 1; i < PGV_WAITS; i++)
		least = Min(least, recent_waits[i]);
	return Min(least, (double) pgv_n_plus_one_max_gap_ms / PGV_WAY_SHARE);
}

/*
 * A pause: the client thought for longer than it takes there and back.  A
 * loop may do that as well, but then it does not look like anything else.
 */
void
pgv_signs_pause(const PgvArrival *arrival)
{
	double		least = (double) pgv_n_plus_one_max_gap_ms / PGV_PAUSE_SHARE;

	if (arrival->wait_ms <= 0)
		return;
	pgv_signs.waits += !pgv_did_not_wait(arrival);
	if (arrival->wait_ms > least && arrival->wait_ms > least + 2 * way_ms())
	{
		pgv_signs.breaks++;
		pgv_signs.pauses++;
	}
	recent_waits[next_wait++ & (PGV_WAITS - 1)] = (float) arrival->wait_ms;
}

/* The place of a stray; known: has it been there? */
static int
stray_of(uint64 fingerprint, bool *known)
{
	int			place = next_stray;

	for (int i = 0; i < PGV_STRAYS; i++)
	{
		*known = (stray_fingerprints[i] == fingerprint);
		if (*known)
			return i;
	}
	memset(&strays[place], 0, sizeof(strays[0]));
	stray_fingerprints[place] = fingerprint;
	next_stray = (next_stray + 1) % PGV_STRAYS;
	return place;
}

void
pgv_signs_stray(uint64 fingerprint, uint64 key, bool other)
{
	bool		known;
	int			i = stray_of(fingerprint, &known);

	if (known ? strays[i].key != key : other)
	{
		pgv_signs.breaks++;
		pgv_signs.requests++;
		if (strays[i].last + 1 == pgv_signs.statements)
			strays[i].in_step = pgv_signs.statements;
		strays[i].changed[strays[i].next] = pgv_signs.statements;
		strays[i].next = (strays[i].next + 1) % PGV_CHANGES;
	}
	strays[i].key = key;
	strays[i].last = pgv_signs.statements;
}

/* Did it happen since the first of some repeats, or some statements before it? */
static bool
is_around(uint64 statement, uint64 first, int64 repeats)
{
	return statement != 0 && statement + PGV_REQUEST * repeats >= first;
}

/*
 * Of requests in step on several backends, each statement may come on another
 * one: this backend then sees the signs of a part of them.
 */
bool
pgv_signs_explain(uint64 first, int64 repeats)
{
	for (int i = 0; i < PGV_STRAYS; i++)
	{
		int64		changes = 0;

		for (int j = 0; j < PGV_CHANGES; j++)
			changes += is_around(strays[i].changed[j], first, repeats);
		if (is_around(strays[i].in_step, first, repeats))
			changes *= PGV_ELSEWHERE;
		if (changes >= Min(repeats - 2, PGV_CHANGES))
			return true;
	}
	return false;
}

void
pgv_signs_forget(void)
{
	memset(stray_fingerprints, 0, sizeof(stray_fingerprints));
	memset(strays, 0, sizeof(strays));
}

uint32
pgv_block_lxid(void)
{
	return IsTransactionBlock() ? PGV_LXID() : 0;
}

bool
pgv_is_alive(TimestampTz last, const PgvArrival *arrival)
{
	return arrival->at - last <= (int64) pgv_n_plus_one_max_gap_ms * 1000;
}

bool
pgv_did_not_wait(const PgvArrival *arrival)
{
	return arrival->pipelined || arrival->wait_ms <= 0 ||
		(arrival->queued && arrival->wait_ms < PGV_PIPELINED_MS) ||
		(arrival->ahead && arrival->wait_ms < PGV_AHEAD_MS);
}

void
pgv_signs_wrote(QueryDesc *query)
{
	ListCell   *lc;

	write_clock++;
	foreach(lc, query->plannedstmt->relationOids)
		written[lfirst_oid(lc) & (PGV_WRITTEN - 1)] = write_clock;
}

void
pgv_signs_wrote_unknown(void)
{
	all_written = ++write_clock;
}

uint64
pgv_write_clock(void)
{
	return write_clock;
}

bool
pgv_written_since(QueryDesc *query, uint64 clock)
{
	ListCell   *lc;

	if (all_written > clock)
		return true;
	foreach(lc, query->plannedstmt->relationOids)
	{
		if (written[lfirst_oid(lc) & (PGV_WRITTEN - 1)] > clock)
			return true;
	}
	return false;
}
