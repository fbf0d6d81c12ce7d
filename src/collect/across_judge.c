/*-------------------------------------------------------------------------
 *
 * across_judge.c
 *	  Finds N+1 whose repeats are spread over several sessions.
 *
 * In the background worker alone, which keeps what sessions told (see
 * collect/across) for some seconds in memory of its own:
 *
 *	 results   posts: rows 0 1 2 3 4 ...	(session 1)
 *	 lookups   authors 7   (session 2)  ->	row 0
 *	 by time   authors 13  (session 3)  ->	row 1
 *			   authors 4   (session 1)  ->	row 2
 *
 * A fan-out is one child statement followed over one result, by the values of
 * one predicate in one column.  Only sessions of one group count together:
 * the same database, role, application_name and client address.  A fan-out is
 * judged when its lookups have paused for max_gap, in step with those of other
 * results that the same lookups may be for.
 *
 * In a busy pool many clients read a list and look up its popular rows, and
 * over time all rows of any list are looked up.  What tells is that a loop
 * reads each row once, in order, and is over.  So a fan-out is a finding if
 * most of the child's executions meanwhile belong to it, and if it would be
 * too much of a coincidence in random lookups of the same rows
 *
 *	 - that none was read twice, where each is as likely as the other,
 *	 - that they came in the order they did,
 *	 - and that they came together, with nothing around them.
 *
 * What a session's own detector explains is not told again; where that session
 * is the parent's, its repeats are part of the same burst.  Each lookup is
 * credited once, to the fan-out that is the least of a coincidence.
 *
 * The catalog is out of reach here, so foreign keys are not known: findings
 * are likely, or proven where parent and child name one column.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "collect/across.h"
#include "collect/across_judge.h"
#include "collect/chance.h"
#include "collect/findings.h"
#include "collect/suggest.h"
#include "store/store.h"
#include "store/texts.h"

#define PGV_IDLE_MS 200			/* between looks, while nothing hurries */
#define PGV_HURRY_MS 4
#define PGV_LATE_US 50000		/* what a session tells may come so late */
#define PGV_STEP_US 50000		/* results are looked at in such steps */
#define PGV_AHEAD_US 50000		/* lookups may begin before their parent */
#define PGV_GAP_MAX_MS 1000
#define PGV_LONGEST_US 5000000	/* of one burst, from the parent's end */
#define PGV_HORIZON_US 8000000

#define PGV_HEARD_LOOKUPS 4096
#define PGV_HEARD_RESULTS 512
#define PGV_GROUPS 256
#define PGV_FANOUTS 12			/* of one result */
#define PGV_MEMBERS 1024		/* of one fan-out */
#define PGV_FILTER_BITS 4096	/* power of two */

#define PGV_COINCIDENCE 1e-6	/* what is less likely is none */
#define PGV_ALONE_MIN 1e-3		/* what standing alone can say at most */

typedef struct PgvHeardLookup
{
	PgvLookup	lookup;
	uint64		group;
	uint64		number;			/* in its slot */
	int			slot;
	bool		credited;
} PgvHeardLookup;

typedef struct PgvHeardResult
{
	PgvSharedResult result;
	uint64		group;
	int			slot;
	TimestampTz look;			/* when to judge it */
} PgvHeardResult;

typedef struct PgvHeardGroup
{
	uint64		id;				/* hash of the group; 0: free */
	PgvGroup	group;
} PgvHeardGroup;

typedef struct PgvFanout
{
	uint64		fingerprint;	/* of the child */
	Oid			relid;			/* its predicate's column */
	AttrNumber	attno;
	int			column;			/* of the result */
	int			n;				/* rows credited; the first members */
	int			members;		/* with those beyond the remembered rows */
	int			member[PGV_MEMBERS];	/* indexes of lookups, ascending */
	int			row[PGV_ACROSS_CELLS];	/* of the first n */
	uint64		touched[PGV_ACROSS_CELLS / 64];
	bool		closed;			/* a pause has ended it */
	TimestampTz first;
	TimestampTz last;			/* of the credited */
	TimestampTz end;			/* of all members */
	/* verdict */
	int			strangers;		/* other executions of the child meanwhile */
	int64		before_us;		/* from the last stranger before it, */
	int64		after_us;		/* and to the first after it */
	bool		same_column;
	double		chance;
	bool		accepted;
} PgvFanout;

/* A result that makes a finding, as things stand. */
typedef struct PgvClaim
{
	int			result;
	bool		same_column;
	double		chance;
} PgvClaim;

/* All that the worker remembers, while the setting is on. */
typedef struct PgvHearing
{
	TimestampTz since;			/* what began earlier is not heard */
	uint64		generation;		/* of the statistics */
	uint32	   *changes;		/* of each slot, as last read */
	uint64	   *next_lookup;
	TimestampTz *last_end;		/* of the last result heard */
	PgvHeardGroup groups[PGV_GROUPS];
	int			next_group;
	int			nlookups;
	int			nfresh;
	int			nresults;
	int			nfanouts;
	PgvHeardLookup lookups[PGV_HEARD_LOOKUPS];	/* by begin */
	PgvHeardLookup fresh[PGV_HEARD_LOOKUPS];
	PgvHeardResult results[PGV_HEARD_RESULTS];
	PgvClaim	claims[PGV_HEARD_RESULTS];
	PgvFanout	fanouts[PGV_FANOUTS];
	uint64		filter[PGV_FILTER_BITS / 64];	/* of one result's hashes */
	PgvAcrossSlot copy;
} PgvHearing;

static MemoryContext context = NULL;
static PgvHearing *h = NULL;

static inline int64
gap_us(void)
{
	return (int64) Min(pgv_n_plus_one_max_gap_ms, PGV_GAP_MAX_MS) * 1000;
}

/* When has a fan-out that ended then paused for long enough? */
static inline TimestampTz
quiet_from(TimestampTz end)
{
	return end + gap_us() + PGV_LATE_US;
}

/* ----- hearing what sessions told ----- */

static void
start_hearing(void)
{
	MemoryContext old;
	PgvHearing *fresh;

	/* left by an attempt for which there was no memory */
	if (context != NULL)
		MemoryContextDelete(context);
	context = AllocSetContextCreate(TopMemoryContext, "pg_vitals across sessions",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	fresh = palloc0(sizeof(PgvHearing));
	fresh->changes = palloc0(pgv_across_slots() * sizeof(uint32));
	fresh->next_lookup = palloc0(pgv_across_slots() * sizeof(uint64));
	fresh->last_end = palloc0(pgv_across_slots() * sizeof(TimestampTz));
	MemoryContextSwitchTo(old);
	fresh->since = GetCurrentTimestamp();
	fresh->generation = pgv_store_generation();
	h = fresh;
}

static void
stop_hearing(void)
{
	MemoryContextDelete(context);
	context = NULL;
	h = NULL;
}

/* A reset: what was before is forgotten. */
static void
check_reset(void)
{
	if (h->generation == pgv_store_generation())
		return;
	h->generation = pgv_store_generation();
	h->since = pgv_store_reset_time();
	h->nlookups = h->nresults = 0;
}

static uint64
group_of(const PgvGroup *group)
{
	uint64		id = pgv_bytes_mix(1, (const char *) group, sizeof(*group)) | 1;

	for (int i = 0; i < PGV_GROUPS; i++)
	{
		if (h->groups[i].id == id)
			return id;
	}
	h->groups[h->next_group].id = id;
	h->groups[h->next_group].group = *group;
	h->next_group = (h->next_group + 1) % PGV_GROUPS;
	return id;
}

static const PgvGroup *
group_by_id(uint64 id)
{
	for (int i = 0; i < PGV_GROUPS; i++)
	{
		if (h->groups[i].id == id)
			return &h->groups[i].group;
	}
	return NULL;
}

/* Whose a lookup, or a result, of the copied slot is; 0: too long ago to tell. */
static uint64
group_of_lookup(uint64 number)
{
	for (int i = 0; i < 2; i++)
	{
		if (number >= h->copy.sharers[i].first_lookup)
			return group_of(&h->copy.sharers[i].group);
	}
	return 0;
}

static uint64
group_of_result(uint64 number)
{
	for (int i = 0; i < 2; i++)
	{
		if (number >= h->copy.sharers[i].first_result)
			return group_of(&h->copy.sharers[i].group);
	}
	return 0;
}

static void
hear_lookups(int slot)
{
	const PgvAcrossSlot *copy = &h->copy;
	uint64		oldest = copy->lookups - Min(copy->lookups, PGV_ACROSS_LOOKUPS);
	uint64		from = Max(h->next_lookup[slot], oldest);

	for (uint64 i = from; i < copy->lookups && h->nfresh < PGV_HEARD_LOOKUPS; i++)
	{
		const PgvLookup *lookup = &copy->lookup[i % PGV_ACROSS_LOOKUPS];
		PgvHeardLookup *heard = &h->fresh[h->nfresh];

		if (lookup->begin < h->since)
			continue;
		heard->lookup = *lookup;
		heard->group = group_of_lookup(i);
		heard->number = i;
		heard->slot = slot;
		heard->credited = false;
		h->nfresh++;
	}
	h->next_lookup[slot] = copy->lookups;
}

/* A place for one more result: the oldest gives way. */
static PgvHeardResult *
place_for_result(void)
{
	int			oldest = 0;

	if (h->nresults < PGV_HEARD_RESULTS)
		return &h->results[h->nresults++];
	for (int i = 1; i < h->nresults; i++)
	{
		if (h->results[i].result.end < h->results[oldest].result.end)
			oldest = i;
	}
	return &h->results[oldest];
}

static void
hear_results(int slot)
{
	const PgvAcrossSlot *copy = &h->copy;
	uint64		oldest = copy->results - Min(copy->results, PGV_ACROSS_RESULTS);
	TimestampTz last = h->last_end[slot];

	for (uint64 i = oldest; i < copy->results; i++)
	{
		const PgvSharedResult *result = &copy->result[i % PGV_ACROSS_RESULTS];
		PgvHeardResult *heard;

		if (result->end <= last || result->begin < h->since)
			continue;
		heard = place_for_result();
		heard->result = *result;
		heard->group = group_of_result(i);
		heard->slot = slot;
		heard->look = quiet_from(result->end);
		h->last_end[slot] = Max(h->last_end[slot], result->end);
	}
}

static int
compare_begin(const void *a, const void *b)
{
	TimestampTz ta = ((const PgvHeardLookup *) a)->lookup.begin;
	TimestampTz tb = ((const PgvHeardLookup *) b)->lookup.begin;

	return ta < tb ? -1 : ta > tb;
}

/* The first lookup that began then or later. */
static int
lookup_from(TimestampTz begin)
{
	int			low = 0;
	int			high = h->nlookups;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (h->lookups[middle].lookup.begin < begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Forget old lookups, and put the new ones among the others. */
static void
sort_in(TimestampTz now)
{
	int			gone = Max(lookup_from(now - PGV_HORIZON_US),
						   h->nlookups + h->nfresh - PGV_HEARD_LOOKUPS);
	int			old;
	int			fresh = h->nfresh;

	gone = Min(gone, h->nlookups);
	old = h->nlookups - gone;
	memmove(h->lookups, &h->lookups[gone], old * sizeof(PgvHeardLookup));
	h->nlookups = old + fresh;
	qsort(h->fresh, fresh, sizeof(PgvHeardLookup), compare_begin);
	for (int at = h->nlookups - 1; fresh > 0; at--)
	{
		if (old > 0 && compare_begin(&h->lookups[old - 1], &h->fresh[fresh - 1]) > 0)
			h->lookups[at] = h->lookups[--old];
		else
			h->lookups[at] = h->fresh[--fresh];
	}
}

static void
hear(TimestampTz now)
{
	h->nfresh = 0;
	for (int i = 0; i < pgv_across_slots(); i++)
	{
		if (!pgv_across_read(i, &h->changes[i], &h->copy))
			continue;
		hear_lookups(i);
		hear_results(i);
	}
	sort_in(now);
}

/* ----- following a statement over a result ----- */

static void
make_filter(const PgvSharedResult *r)
{
	memset(h->filter, 0, sizeof(h->filter));
	for (int i = 0; i < r->ncolumns * r->sampled; i++)
		h->filter[r->hashes[i] % PGV_FILTER_BITS / 64] |=
			UINT64CONST(1) << (r->hashes[i] % 64);
}

static inline bool
passes_filter(uint32 hash)
{
	return (h->filter[hash % PGV_FILTER_BITS / 64] >> (hash % 64)) & 1;
}

static inline bool
is_touched(const PgvFanout *f, int row)
{
	return (f->touched[row / 64] >> (row % 64)) & 1;
}

/*
 * Is the lookup to be left aside: of another group, credited already, or known
 * to its own session, which is not the result's, as part of a finding?
 */
static bool
is_aside(PgvHeardLookup *l, const PgvHeardResult *res)
{
	if (l->group != res->group || l->credited)
		return true;
	if (!l->lookup.explained)
		l->lookup.explained = pgv_across_is_explained(l->slot, l->number);
	return l->lookup.explained && l->slot != res->slot;
}

/* The fan-out of a lookup's predicate over a column; NULL: it begins none. */
static PgvFanout *
fanout_for(const PgvHeardResult *res, const PgvLookup *l,
		   const PgvPredicate *p, int column)
{
	PgvFanout  *f;

	for (int i = 0; i < h->nfanouts; i++)
	{
		f = &h->fanouts[i];
		if (f->fingerprint == l->fingerprint && f->column == column &&
			f->relid == p->relid && f->attno == p->attno)
			return f;
	}
	if (h->nfanouts >= PGV_FANOUTS || l->begin > res->result.end + gap_us())
		return NULL;
	f = &h->fanouts[h->nfanouts++];
	memset(f, 0, sizeof(*f));
	f->fingerprint = l->fingerprint;
	f->column = column;
	f->relid = p->relid;
	f->attno = p->attno;
	f->first = f->last = l->begin;
	f->same_column = p->relid != InvalidOid &&
		p->relid == res->result.columns[column].relid &&
		p->attno == res->result.columns[column].attno;
	return f;
}

/* Credit a lookup to the first row left that has its value, if there is one. */
static void
follow(const PgvHeardResult *res, int lookup, const PgvPredicate *p, int column)
{
	const PgvSharedResult *r = &res->result;
	const PgvLookup *l = &h->lookups[lookup].lookup;
	const uint32 *hashes = &r->hashes[column * r->sampled];
	PgvFanout  *f = NULL;

	for (int row = 0; row < r->sampled; row++)
	{
		if (hashes[row] != p->hash)
			continue;
		if (f == NULL)
			f = fanout_for(res, l, p, column);
		if (f == NULL || f->closed)
			return;
		if (l->begin > f->last + gap_us())
		{
			f->closed = true;
			return;
		}
		if (is_touched(f, row))
			continue;
		f->touched[row / 64] |= UINT64CONST(1) << (row % 64);
		f->member[f->n] = lookup;
		f->row[f->n++] = row;
		f->last = l->begin;
		return;
	}
}

static void
find_fanouts(const PgvHeardResult *res)
{
	const PgvSharedResult *r = &res->result;

	h->nfanouts = 0;
	make_filter(r);
	for (int i = lookup_from(r->begin - PGV_AHEAD_US); i < h->nlookups; i++)
	{
		const PgvLookup *l = &h->lookups[i].lookup;

		if (l->begin > r->end + PGV_LONGEST_US)
			return;
		if (l->fingerprint == r->fingerprint || is_aside(&h->lookups[i], res))
			continue;
		for (int p = 0; p < l->npredicates; p++)
		{
			if (!passes_filter(l->predicates[p].hash))
				continue;
			for (int c = 0; c < r->ncolumns; c++)
			{
				if (r->columns[c].family == l->predicates[p].family)
					follow(res, i, &l->predicates[p], c);
			}
		}
	}
}

/* ----- verdicts ----- */

static int
count_rows(const PgvSharedResult *r, int column, uint32 hash)
{
	int			n = 0;

	for (int row = 0; row < r->sampled; row++)
		n += (r->hashes[column * r->sampled + row] == hash);
	return n;
}

/* Rows that have a value in the column at all. */
static inline int
rows_with_value(const PgvSharedResult *r, int column)
{
	return r->sampled - count_rows(r, column, 0);
}

/*
 * The chance that as many random lookups of the remembered rows never ask for a
 * row too often: a value may come as often as rows have it.
 */
static double
chance_unrepeated(const PgvSharedResult *r, const PgvFanout *f, int *distinct)
{
	const uint32 *hashes = &r->hashes[f->column * r->sampled];
	double		all = rows_with_value(r, f->column);
	double		left = all;
	double		chance = 1;

	*distinct = 0;
	for (int i = 0; i < f->n; i++)
	{
		int			had = 0;	/* rows of this value, it and earlier ones */
		int			rows = count_rows(r, f->column, hashes[f->row[i]]);

		chance *= left / all;
		for (int j = 0; j <= i; j++)
			had += (hashes[f->row[j]] == hashes[f->row[i]]);
		if (had == rows)
			left -= rows;
		*distinct += (had == 1);
	}
	return chance;
}

/* Sessions that the members came from; *waited: how many were not pipelined. */
static int
count_sessions(const PgvFanout *f, int *waited, int *unexplained)
{
	int			sessions = 0;

	*waited = *unexplained = 0;
	for (int i = 0; i < f->members; i++)
	{
		const PgvHeardLookup *l = &h->lookups[f->member[i]];
		bool		seen = false;

		*waited += !l->lookup.pipelined;
		*unexplained += !l->lookup.explained;
		for (int j = 0; j < i && !seen; j++)
			seen = (h->lookups[f->member[j]].slot == l->slot);
		sessions += !seen;
	}
	return sessions;
}

/*
 * Does a lookup that no remembered row explains go on with rows beyond those?
 * The remembered ones must have been used, and it must come behind them.
 */
static bool
goes_beyond(const PgvHeardResult *res, const PgvFanout *f, const PgvLookup *l)
{
	const PgvSharedResult *r = &res->result;
	int64		hidden = (int64) r->rows - r->sampled;

	if (f->members - f->n >= hidden || f->members >= PGV_MEMBERS ||
		f->n * 10 < rows_with_value(r, f->column) * 8 ||
		l->begin < h->lookups[f->member[f->n / 2]].lookup.begin ||
		l->begin > f->end + gap_us())
		return false;
	for (int p = 0; p < l->npredicates; p++)
	{
		if (l->predicates[p].relid == f->relid && l->predicates[p].attno == f->attno)
			return count_rows(r, f->column, l->predicates[p].hash) == 0;
	}
	return false;
}

/* Look at the child's other executions, before, between and after. */
static void
look_around(const PgvHeardResult *res, PgvFanout *f)
{
	int			next = 0;		/* member */
	int			later = 0;		/* strangers behind the end, so far */

	f->members = f->n;
	f->end = f->last;
	f->first = h->lookups[f->member[0]].lookup.begin;
	f->strangers = 0;
	f->before_us = f->after_us = gap_us();
	for (int i = lookup_from(f->first - gap_us()); i < h->nlookups; i++)
	{
		PgvHeardLookup *l = &h->lookups[i];
		TimestampTz begin = l->lookup.begin;

		if (begin > f->end + gap_us())
			return;
		if (next < f->n && f->member[next] == i)
			next++;
		else if (l->lookup.fingerprint != f->fingerprint || is_aside(l, res))
			continue;
		else if (goes_beyond(res, f, &l->lookup))
		{
			f->member[f->members++] = i;
			f->end = Max(f->end, begin);
			f->strangers += later;
			later = 0;
			f->after_us = gap_us();
		}
		else if (begin < f->first)
			f->before_us = f->first - begin;
		else if (begin <= f->end)
			f->strangers++;
		else if (later++ == 0)
			f->after_us = begin - f->end;
	}
}

/*
 * How much less of a coincidence it is for standing alone: the chance that all
 * the others fall between the first and the last, were they spread evenly.
 * People do not come evenly: it says no more than so much.
 */
static double
chance_alone(const PgvFanout *f)
{
	double		span = (double) (f->end - f->first);
	double		around = span + f->before_us + f->after_us;

	return Max(pow(span / Max(around, 1.0), f->members - 1), PGV_ALONE_MIN);
}

/* Nearly all rows, or in their order? */
static bool
covers_or_walks(const PgvSharedResult *r, const PgvFanout *f)
{
	return f->n * 10 >= rows_with_value(r, f->column) * 8 ||
		pgv_steps_up(f->row, f->n) * 10 >= (f->n - 1) * 8;
}

/* Is the fan-out a finding? */
static void
judge_fanout(const PgvHeardResult *res, PgvFanout *f)
{
	const PgvSharedResult *r = &res->result;
	int			distinct;
	int			waited;
	int			unexplained;

	f->accepted = false;
	f->end = f->last;
	/* most of it behind the beginning of the parent, whatever the clocks say */
	if (f->n < pgv_n_plus_one_min_repeats || !covers_or_walks(r, f) ||
		h->lookups[f->member[f->n / 2]].lookup.begin < r->begin)
		return;
	look_around(res, f);
	if (f->members * 10 < (f->members + f->strangers) * 8 ||
		count_sessions(f, &waited, &unexplained) < 2 ||
		waited * 5 < f->members ||
		unexplained < 2 || unexplained * (f->strangers > 0 ? 4 : 10) < f->members)
		return;
	f->chance = chance_unrepeated(r, f, &distinct) *
		pgv_chance_ordered(f->row, f->n) * chance_alone(f) *
		pgv_chance_choices(f->n + f->strangers, f->strangers);
	f->accepted = distinct >= pgv_n_plus_one_min_repeats &&
		f->chance <= PGV_COINCIDENCE;
}

/* Has it been going on for as long as is waited for an end? */
static inline bool
is_long(const PgvHeardResult *res, TimestampTz now)
{
	return now >= res->result.end + PGV_LONGEST_US;
}

static bool
is_better(const PgvFanout *a, const PgvFanout *b)
{
	if (a->same_column != b->same_column)
		return a->same_column;
	return a->chance < b->chance;
}

/* Of the fan-outs of one child the best stands. */
static void
keep_best(void)
{
	for (int i = 0; i < h->nfanouts; i++)
	{
		for (int j = 0; j < h->nfanouts && h->fanouts[i].accepted; j++)
		{
			PgvFanout  *other = &h->fanouts[j];

			if (j == i || !other->accepted ||
				other->fingerprint != h->fanouts[i].fingerprint)
				continue;
			if (is_better(other, &h->fanouts[i]) ||
				(j < i && !is_better(&h->fanouts[i], other)))
				h->fanouts[i].accepted = false;
		}
	}
}

/*
 * All findings that a result makes, of what is over by now; returns the best,
 * or NULL.
 */
static const PgvFanout *
judge_result(const PgvHeardResult *res, TimestampTz now)
{
	const PgvFanout *best = NULL;

	find_fanouts(res);
	for (int i = 0; i < h->nfanouts; i++)
		judge_fanout(res, &h->fanouts[i]);
	keep_best();
	for (int i = 0; i < h->nfanouts; i++)
	{
		if (quiet_from(h->fanouts[i].end) > now && !is_long(res, now))
			h->fanouts[i].accepted = false;
	}
	for (int i = 0; i < h->nfanouts; i++)
	{
		if (h->fanouts[i].accepted &&
			(best == NULL || is_better(&h->fanouts[i], best)))
			best = &h->fanouts[i];
	}
	return best;
}

/* ----- reporting ----- */

/*
 * What a member waited for: not the time that its session was idle before the
 * parent was read.
 */
static double
wait_of(const PgvHeardResult *res, const PgvLookup *l)
{
	return Min(l->wait_ms, (l->begin - res->result.end) / 1000.0);
}

static void
add_member(PgvTally *tally, const PgvHeardResult *res, const PgvLookup *l)
{
	if (l->begin >= res->result.end)
		pgv_tally_repeat(tally, wait_of(res, l), l->plan_ms);
	else
	{
		tally->repeats++;
		tally->plan_ms += l->plan_ms;
	}
	tally->exec_ms += l->exec_ms;
	tally->rows += l->rows;
	tally->blocks_hit += l->blocks_hit;
	tally->blocks_read += l->blocks_read;
}

static int32
walk_order(const PgvFanout *f)
{
	int			up = pgv_steps_up(f->row, f->n);

	if (up == f->n - 1)
		return PGV_ORDER_ASCENDING;
	return up == 0 ? PGV_ORDER_DESCENDING : PGV_ORDER_MIXED;
}

/* Credit the members, and count those that their own session has not told. */
static void
credit_members(const PgvHeardResult *res, const PgvFanout *f, PgvFinding *delta)
{
	delta->bursts = 1;
	pgv_tally_clear(&delta->tally);
	for (int i = 0; i < f->members; i++)
	{
		PgvHeardLookup *l = &h->lookups[f->member[i]];

		l->credited = true;
		delta->queryid = l->lookup.queryid;
		if (l->lookup.explained)
			delta->bursts = 0;
		else
			add_member(&delta->tally, res, &l->lookup);
	}
}

static void
report_fanout(const PgvHeardResult *res, const PgvFanout *f)
{
	const PgvSharedResult *r = &res->result;
	const PgvGroup *group = group_by_id(res->group);
	PgvFinding	delta;
	PgvFindingWords words;
	StringInfoData suggestion;
	int			waited;
	int			unexplained;
	int			distinct;

	if (group == NULL)
		return;
	memset(&delta, 0, sizeof(delta));
	credit_members(res, f, &delta);
	delta.fingerprint = f->fingerprint;
	delta.parent_fingerprint = r->fingerprint;
	delta.parent_queryid = r->queryid;
	delta.confidence = f->same_column ? PGV_PROVEN : PGV_LIKELY;
	delta.max_repeats = f->members;
	(void) chance_unrepeated(r, f, &distinct);
	delta.distinct = distinct + f->members - f->n;
	delta.parent_rows = (int64) r->rows;
	delta.rows_touched = f->members;
	delta.order = walk_order(f);
	delta.lineage = f->same_column ? PGV_LINK_SAME : PGV_LINK_NONE;
	delta.connections = count_sessions(f, &waited, &unexplained);
	delta.first_seen = h->lookups[f->member[0]].lookup.begin;
	delta.last_seen = f->end;
	initStringInfo(&suggestion);
	pgv_suggest_parallel(&suggestion, pgv_texts_copy(f->fingerprint),
						 delta.connections);
	memset(&words, 0, sizeof(words));
	words.suggestion = suggestion.data;
	pgv_findings_report_for(group->dbid, group->userid, group->application,
							PGV_FINDING_N_PLUS_ONE, &delta, &words);
}

/* ----- the tick ----- */

static int
compare_claims(const void *a, const void *b)
{
	const PgvClaim *ca = a;
	const PgvClaim *cb = b;

	if (ca->same_column != cb->same_column)
		return ca->same_column ? -1 : 1;
	if (ca->chance != cb->chance)
		return ca->chance < cb->chance ? -1 : 1;
	return ca->result - cb->result;
}

/*
 * When the result just judged is to be looked at again: as soon as one of the
 * fan-outs that still go on may be over; 0: there is none.
 */
static TimestampTz
next_look(const PgvHeardResult *res, TimestampTz now)
{
	TimestampTz next = 0;

	for (int i = 0; i < h->nfanouts && !is_long(res, now); i++)
	{
		TimestampTz quiet = quiet_from(h->fanouts[i].end);

		if (h->fanouts[i].n >= 2 && quiet > now && (next == 0 || quiet < next))
			next = quiet;
	}
	return next == 0 ? 0 : (next / PGV_STEP_US + 1) * PGV_STEP_US;
}

/*
 * Judge what is due, and claim what makes a finding.  Results with fan-outs
 * that go on are looked at again; others are done with (look 0).
 */
static int
claim(TimestampTz now)
{
	int			n = 0;

	for (int i = 0; i < h->nresults; i++)
	{
		PgvHeardResult *res = &h->results[i];
		const PgvFanout *best;

		if (res->look > now)
			continue;
		best = judge_result(res, now);
		res->look = next_look(res, now);
		if (best == NULL)
			continue;
		h->claims[n].result = i;
		h->claims[n].same_column = best->same_column;
		h->claims[n++].chance = best->chance;
	}
	return n;
}

/* Grant claims, the surest first, each as far as others have left it lookups. */
static void
grant(int nclaims, TimestampTz now)
{
	qsort(h->claims, nclaims, sizeof(PgvClaim), compare_claims);
	for (int i = 0; i < nclaims; i++)
	{
		const PgvHeardResult *res = &h->results[h->claims[i].result];

		if (judge_result(res, now) == NULL)
			continue;
		for (int f = 0; f < h->nfanouts; f++)
		{
			if (h->fanouts[f].accepted)
				report_fanout(res, &h->fanouts[f]);
		}
	}
}

static void
forget_judged(void)
{
	int			n = 0;

	for (int i = 0; i < h->nresults; i++)
	{
		if (h->results[i].look == 0)
			continue;
		if (n != i)
			h->results[n] = h->results[i];
		n++;
	}
	h->nresults = n;
}

int
pgv_across_interval(void)
{
	if (!pgv_n_plus_one_across_sessions)
		return h != NULL ? 1 : 0;
	return pgv_across_hurries() ? PGV_HURRY_MS : PGV_IDLE_MS;
}

void
pgv_across_tick(void)
{
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext scratch;
	MemoryContext old;

	if (!pgv_n_plus_one_across_sessions)
	{
		stop_hearing();
		return;
	}
	if (h == NULL)
		start_hearing();
	pgv_across_attend();
	check_reset();
	hear(now);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals across tick",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	grant(claim(now), now);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	forget_judged();
}
