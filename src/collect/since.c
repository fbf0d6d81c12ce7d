/*-------------------------------------------------------------------------
 *
 * since.c
 *	  Findings since a mark: the last bursts, added up by finding.
 *
 * All in the memory of the reader.  The records of the ring are copied and
 * sorted by finding and burst: a burst that went on over marks has several.
 * They are added to one figure for the finding, as the store would have done.
 * What words belong to it is found by a scan of the store; that goes the other
 * way round, too, when the ring does not reach back to the mark.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "base/settings.h"
#include "collect/since.h"

/* What the ring has of one burst, after the mark, at one time. */
typedef struct PgvPart
{
	PgvFindingKey key;
	uint64		burst;
	PgvFinding	figures;
} PgvPart;

/* One finding. */
typedef struct PgvSince
{
	PgvFindingKey key;
	PgvFinding	finding;
	bool		shown;
} PgvSince;

typedef struct PgvSinceScan
{
	Oid			dbid;
	uint64		mark;
	bool		complete;		/* is all that came after the mark in the
								 * ring? */
	PgvPart    *parts;
	int			nparts;
	int			room;
	PgvSince   *found;			/* ascending by key */
	int			nfound;
	PgvScanCallback callback;
	void	   *arg;
} PgvSinceScan;

/* ----- from parts to findings ----- */

static void
keep_part(uint64 burst, const void *key, const void *entry, void *arg)
{
	PgvSinceScan *scan = arg;
	PgvPart    *part;

	if (((const PgvFindingKey *) key)->dbid != scan->dbid)
		return;
	if (scan->nparts == scan->room)
	{
		scan->room *= 2;
		scan->parts = repalloc(scan->parts, scan->room * sizeof(PgvPart));
	}
	part = &scan->parts[scan->nparts++];
	memcpy(&part->key, key, sizeof(PgvFindingKey));
	part->burst = burst;
	memcpy(&part->figures, entry, sizeof(PgvFinding));
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(PgvFindingKey));
}

/* Of one finding, as the bursts came. */
static int
compare_parts(const void *a_data, const void *b_data)
{
	const PgvPart *a = a_data;
	const PgvPart *b = b_data;
	int			order = compare_keys(&a->key, &b->key);

	if (order != 0)
		return order;
	if (a->burst != b->burst)
		return a->burst < b->burst ? -1 : 1;
	return a->figures.first_seen < b->figures.first_seen ? -1 :
		a->figures.first_seen > b->figures.first_seen;
}

/* Add what is an entry by itself: its waits are where a delta has none. */
static void
add_part(PgvFinding *into, const PgvFinding *part, bool fresh)
{
	PgvFinding	delta = *part;
	uint64		surplus[PGV_MAX_ENTRY_TEXTS];

	memset(delta.tally.waits, 0, sizeof(delta.tally.waits));
	pgv_kind_findings.merge(into, &delta, fresh, surplus);
	for (int i = 0; i < PGV_WAIT_BUCKETS; i++)
		into->waits[i] += part->waits[i];
	into->first_seen = Min(into->first_seen, part->first_seen);
}

/*
 * A burst that began before the mark counts as one by itself if it went on
 * for long enough to be one.
 */
static bool
cut_burst(PgvFinding *burst)
{
	if (burst->tally.repeats < pgv_n_plus_one_min_repeats)
		return false;
	burst->bursts = 1;
	burst->max_repeats = burst->tally.repeats;
	burst->distinct = Min(burst->distinct, burst->tally.repeats);
	return true;
}

/* Add up n parts of one burst; false: it does not count. */
static bool
sum_burst(PgvFinding *burst, const PgvPart *parts, int n, uint64 mark)
{
	memset(burst, 0, sizeof(*burst));
	for (int i = 0; i < n; i++)
		add_part(burst, &parts[i].figures, i == 0);
	return parts[0].burst > mark || cut_burst(burst);
}

/* Add up n parts of one finding; false: none of its bursts counts. */
static bool
sum_finding(PgvSince *since, const PgvPart *parts, int n, uint64 mark)
{
	int64		counted = 0;

	memset(since, 0, sizeof(*since));
	since->key = parts[0].key;
	for (int i = 0, next; i < n; i = next)
	{
		PgvFinding	burst;

		for (next = i + 1; next < n && parts[next].burst == parts[i].burst; next++)
			;
		if (sum_burst(&burst, &parts[i], next - i, mark))
			add_part(&since->finding, &burst, counted++ == 0);
	}

	/*
	 * A duplicate with several sets of parameters is one burst, whose sets
	 * come as bursts of their own; some may be from before the mark.
	 */
	if (since->key.kind == PGV_FINDING_DUPLICATE)
		since->finding.distinct = Min(since->finding.distinct, counted);
	since->finding.bursts = Max(since->finding.bursts, 1);
	/* statements keep their texts in other tables as well */
	since->finding.texts |= PGV_FINDING_TEXT | PGV_FINDING_PARENT;
	return counted > 0;
}

static void
sum_parts(PgvSinceScan *scan)
{
	const PgvPart *parts = scan->parts;

	qsort(scan->parts, scan->nparts, sizeof(PgvPart), compare_parts);
	scan->found = palloc(Max(scan->nparts, 1) * sizeof(PgvSince));
	for (int i = 0, next; i < scan->nparts; i = next)
	{
		for (next = i + 1; next < scan->nparts; next++)
		{
			if (compare_keys(&parts[next].key, &parts[i].key) != 0)
				break;
		}
		if (sum_finding(&scan->found[scan->nfound], &parts[i], next - i, scan->mark))
			scan->nfound++;
	}
}

/* ----- with the store ----- */

/* Of the same finding, what only the store has. */
static void
take_words(PgvFinding *finding, const PgvFinding *entry)
{
	finding->stats_since = entry->stats_since;
	finding->texts = entry->texts;
	finding->link = entry->link;
	finding->suggestion = entry->suggestion;
	finding->tags = entry->tags;
}

static bool
match_entry(const void *key, const void *entry_data, void *arg)
{
	PgvSinceScan *scan = arg;
	const PgvFinding *entry = entry_data;
	PgvSince   *since;

	if (((const PgvFindingKey *) key)->dbid != scan->dbid)
		return true;
	since = bsearch(key, scan->found, scan->nfound, sizeof(PgvSince), compare_keys);
	if (!scan->complete && entry->last_seen >= (TimestampTz) scan->mark)
	{
		if (since != NULL)
			since->shown = true;
		scan->callback(key, entry, scan->arg);
	}
	else if (since != NULL)
		take_words(&since->finding, entry);
	return true;
}

void
pgv_since_scan(Oid dbid, uint64 mark, PgvScanCallback callback, void *arg)
{
	PgvSinceScan scan = {.dbid = dbid,.mark = mark,.callback = callback,.arg = arg};

	scan.room = 64;
	scan.parts = palloc(scan.room * sizeof(PgvPart));
	scan.complete = pgv_recent_scan(mark, keep_part, &scan);
	sum_parts(&scan);
	pgv_store_scan(&pgv_kind_findings, match_entry, &scan);
	for (int i = 0; i < scan.nfound; i++)
	{
		if (!scan.found[i].shown)
			callback(&scan.found[i].key, &scan.found[i].finding, arg);
	}
	pfree(scan.parts);
	pfree(scan.found);
}
