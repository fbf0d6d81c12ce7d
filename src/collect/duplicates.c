/*-------------------------------------------------------------------------
 *
 * duplicates.c
 *	  Statements repeated with the same parameters and the same result, while
 *	  nothing was written to their tables: the first would have done.
 *
 * A set-associative table of the last executions, by statement and parameters.
 * Most are never seen again and cost no more than a line of it.  From the
 * second time on the result is summed up, and the sums are compared.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"

#include "base/settings.h"
#include "collect/duplicates.h"
#include "collect/suggest.h"
#include "collect/tell.h"

#define PGV_SAME_SETS 16		/* power of two */
#define PGV_SAME_WAYS 4
#define PGV_SAMES (PGV_SAME_SETS * PGV_SAME_WAYS)
#define PGV_DUPLICATE_GAP_MS 60.0

/*
 * Statements with one set of parameters each, and when they were seen last: a
 * line of the cache, and for most that come no more of it is looked at.
 */
typedef struct PgvSeenSet
{
	uint64		keys[PGV_SAME_WAYS];
	TimestampTz lasts[PGV_SAME_WAYS];
} PgvSeenSet;

/* What is kept of one: most are never seen again, and cost no more than this. */
typedef struct PgvSeen
{
	uint64		clock;			/* of writes, when it was first seen */
	uint64		statement;		/* clock of statements at the first time */
	bool		same;			/* is there a PgvSame of it? */
	float		exec_ms;		/* of the first time, for the tally */
	float		plan_ms;
	float		wait_ms;
	uint32		rows;
	uint32		hit;
	uint32		read;
} PgvSeen;

/* One that was seen again.  Stands at the same index as its PgvSeen. */
typedef struct PgvSame
{
	uint64		serial;			/* 0: free */
	uint64		fingerprint;
	uint64		checksum;
	uint64		rows;
	int64		count;			/* executions, the first included */
	int64		slow;			/* gaps too long for a burst */
	int64		loose;			/* steps with a sign of another request between */
	uint64		first;			/* clock of statements at the first time */
	uint64		breaks;			/* clocks of such signs, at the last time */
	uint64		requests;
	uint32		lxid;			/* transaction block; 0: none */
	bool		reported;
	PgvRecent	recent;
	PgvTally	tally;
} PgvSame;

static PgvSeenSet seen_sets[PGV_SAME_SETS] pg_attribute_aligned(PG_CACHE_LINE_SIZE);
static PgvSeen seen[PGV_SAMES];
static PgvSame sames[PGV_SAMES];
static uint64 next_serial = 1;

static inline uint64 *
key_at(int place)
{
	return &seen_sets[place / PGV_SAME_WAYS].keys[place % PGV_SAME_WAYS];
}

static inline TimestampTz *
last_at(int place)
{
	return &seen_sets[place / PGV_SAME_WAYS].lasts[place % PGV_SAME_WAYS];
}

/* The place of a key in its set, or the one used longest ago. */
static int
place_of(uint64 key)
{
	int			n = (int) ((key ^ (key >> 17)) & (PGV_SAME_SETS - 1));
	const PgvSeenSet *set = &seen_sets[n];
	int			oldest = 0;

	for (int i = 0; i < PGV_SAME_WAYS; i++)
	{
		if (set->keys[i] == key)
			return n * PGV_SAME_WAYS + i;
		if (set->lasts[i] < set->lasts[oldest])
			oldest = i;
	}
	return n * PGV_SAME_WAYS + oldest;
}

/* It is seen for the second time: what the first took counts as well. */
static void
begin_same(PgvSame *s, const PgvSeen *first, uint64 fingerprint)
{
	memset(s, 0, sizeof(*s));
	s->serial = next_serial++;
	s->fingerprint = fingerprint;
	s->first = first->statement;
	s->count = 1;
	pgv_tally_clear(&s->tally);
	pgv_tally_repeat(&s->tally, first->wait_ms, first->plan_ms);
	s->tally.exec_ms = first->exec_ms;
	s->tally.rows = first->rows;
	s->tally.blocks_hit = first->hit;
	s->tally.blocks_read = first->read;
}

/* The first time is over. */
static void
note_first(PgvSeen *s, const PgvArrival *arrival, const PgvUsage *usage, uint64 rows)
{
	s->exec_ms = usage->time_ms;
	s->plan_ms = arrival->plan_ms;
	s->wait_ms = arrival->wait_ms;
	s->rows = rows;
	s->hit = pgv_usage_blocks(usage, PGV_SHARED_HIT);
	s->read = pgv_usage_blocks(usage, PGV_SHARED_READ);
}

/*
 * A duplicate is one request's: it does not go on in another transaction
 * block, nor, once reported, behind a sign of another request.
 */
static bool
is_another_request(const PgvSame *s)
{
	if (s->serial == 0)
		return false;
	return s->lxid != pgv_block_lxid() ||
		(s->lxid == 0 && s->reported && s->requests != pgv_signs.requests);
}

/* What is seen once only has no PgvSame, and none is looked at. */
static void
drop_same(int place)
{
	if (seen[place].same)
		sames[place].serial = 0;
	seen[place].same = false;
}

bool
pgv_duplicates_start(PgvSameWatch *watch, QueryDesc *query, uint64 fingerprint,
					 uint64 key, const PgvArrival *arrival)
{
	int			i = place_of(key);
	PgvSame    *s = &sames[i];

	watch->place = i;
	if (*key_at(i) != key || !pgv_is_alive(*last_at(i), arrival) ||
		pgv_written_since(query, seen[i].clock) || is_another_request(s))
	{
		*key_at(i) = key;
		seen[i].clock = pgv_write_clock();
		seen[i].statement = pgv_signs.statements;
		*last_at(i) = arrival->at;
		drop_same(i);
		return false;
	}
	if (s->serial == 0)
	{
		begin_same(s, &seen[i], fingerprint);
		seen[i].same = true;
		s->lxid = pgv_block_lxid();
	}
	else if (s->breaks != pgv_signs.breaks)
		s->loose++;
	s->breaks = pgv_signs.breaks;
	s->requests = pgv_signs.requests;
	if (arrival->at - *last_at(i) > (int64) (PGV_DUPLICATE_GAP_MS * 1000))
		s->slow++;
	s->count++;
	watch->serial = s->serial;
	return true;
}

/* How many sets of parameters of this statement are reported by now? */
static int
reported_sames(uint64 fingerprint)
{
	int			n = 0;

	for (int i = 0; i < PGV_SAMES; i++)
	{
		if (sames[i].serial != 0 && sames[i].reported &&
			sames[i].fingerprint == fingerprint)
			n++;
	}
	return n;
}

static void
report_same(PgvSame *s, const PgvStatementRef *ref)
{
	PgvFinding	delta;
	PgvFindingWords words = {NULL};
	StringInfoData suggestion;
	int			others = reported_sames(s->fingerprint);

	memset(&delta, 0, sizeof(delta));
	delta.fingerprint = s->fingerprint;
	delta.queryid = ref->queryid;
	delta.confidence = PGV_PROVEN;
	delta.bursts = others == 0 ? 1 : 0;
	delta.max_repeats = s->count;
	delta.distinct = s->reported ? others : others + 1;
	delta.tally = s->tally;
	initStringInfo(&suggestion);
	if (others == 0)
		pgv_suggest_duplicate(&suggestion);
	words.suggestion = suggestion.data;
	pgv_findings_report(PGV_FINDING_DUPLICATE, &delta, ref, &words, &s->recent);
	s->reported = true;
	pgv_tally_clear(&s->tally);
}

/* Is the result the one that came before?  The first was not looked at. */
static bool
same_result(PgvSame *s, const PgvCapture *capture)
{
	if (s->count == 2)
	{
		s->rows = capture->rows;
		s->checksum = capture->checksum;
	}
	return capture->rows == s->rows && capture->checksum == s->checksum;
}

static void
forget_same(int place)
{
	drop_same(place);
	*key_at(place) = 0;
}

void
pgv_duplicates_end(const PgvSameWatch *watch, QueryDesc *query,
				   const PgvStatementRef *ref, const PgvArrival *arrival,
				   const PgvCapture *capture, const PgvUsage *usage,
				   uint64 rows, TimestampTz now)
{
	PgvSame    *s = &sames[watch->place];
	bool		made;

	/* the place may be another's by now, if cursors interleave */
	*last_at(watch->place) = now;
	if (watch->serial == 0)
	{
		note_first(&seen[watch->place], arrival, usage, rows);
		return;
	}
	if (s->serial != watch->serial)
		return;
	pgv_tally_repeat(&s->tally, arrival->wait_ms, arrival->plan_ms);
	pgv_tally_usage(&s->tally, usage, rows);
	if (!same_result(s, capture))
	{
		forget_same(watch->place);
		return;
	}
	if (s->count < pgv_n_plus_one_min_repeats || s->slow * 2 >= s->count ||
		(s->lxid == 0 && s->loose * 2 >= s->count - 1))
		return;
	made = !s->reported;
	if (made && s->lxid == 0 && pgv_signs_explain(s->first, s->count))
		return;
	if (made && contain_volatile_functions((Node *) query->plannedstmt->planTree->targetlist))
		return;
	report_same(s, ref);
	if (made)
		pgv_tell(PGV_FINDING_DUPLICATE, s->fingerprint, s->count, 0);
}

void
pgv_duplicates_forget(void)
{
	memset(seen_sets, 0, sizeof(seen_sets));
	memset(seen, 0, sizeof(seen));
	memset(sames, 0, sizeof(sames));
}
