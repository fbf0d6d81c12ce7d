/*-------------------------------------------------------------------------
 *
 * walks.c
 *	  Statements repeated with a value of their own previous result: a tree
 *	  or a list, walked one row at a time.
 *
 *	 SELECT id, parent_id FROM categories WHERE id = 30		-> (30, 29)
 *	 SELECT id, parent_id FROM categories WHERE id = 29		-> (29, 28)
 *	 ...
 *
 * Of each of the statements executed last the first row of its result is
 * remembered, as hashes.  The next execution is a step if a value it compares
 * with stands in that row (and it is not executed with the same values again:
 * that would be a repeat, no step).  Results of several rows stand among the
 * producers; those of a walk are kept side by side, so that a tree walked
 * breadth first is seen as well.
 *
 * It is a finding when at least PGV_STEPS_SHARE of the executions are steps,
 * along the same columns and never to the same value, and the columns are
 * linked by a foreign key (proven), or nearly all are steps from the one row
 * just before (likely).
 *
 * A statement whose executions do not look like steps is looked at only now
 * and then, for this stands in the way of every repeated lookup.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "nodes/plannodes.h"

#include "base/settings.h"
#include "collect/suggest.h"
#include "collect/tell.h"
#include "collect/walks.h"
#include "store/texts.h"

#define PGV_WALKS 8
#define PGV_WALK_HITS 32
#define PGV_PATIENCE 4			/* executions that are no step before ... */
#define PGV_PEEK 8				/* ... only every eighth is looked at */
#define PGV_STEPS_SHARE 0.6
#define PGV_STEPS_LIKELY 0.9
#define PGV_ALONE_MIN 6			/* executions outside a transaction */
#define PGV_ALONE_LONG 10		/* so many that they may falter */
#define PGV_WALK_VALUES 16

typedef struct PgvStepWalk
{
	uint64		serial;			/* 0: free */
	uint64		fingerprint;
	int64		executions;		/* of the walk, the first included */
	int64		hits;			/* executions that are steps */
	int64		immediate;		/* and follow from the one just before */
	int64		misses;			/* in a row, while there is no walk */
	int64		again;			/* executions for a value that was there before */
	int64		loose;			/* steps with a sign of another request between */
	uint64		breaks;			/* clock of such signs at the last execution */
	uint32		lxid;			/* transaction block of all; 0: none */
	bool		astray;			/* steps follow different columns */
	bool		crowded;		/* a step follows a result of several rows */
	uint32		values[PGV_WALK_VALUES];	/* hashes of the last ones */
	bool		finding;
	bool		reported;
	PgvRecent	recent;
	PgvConfidence confidence;
	PgvLinkColumns link;
	TimestampTz last;
	uint64		last_key;		/* of the last execution */
	uint64		last_result;	/* serial of the last execution's result */
	uint64		last_rows;		/* its rows */
	int			ncolumns;		/* of the last result; 0: it had no rows */
	PgvColumn	columns[PGV_RESULT_COLUMNS];
	uint32		hashes[PGV_RESULT_COLUMNS];
	PgvTally	tally;
} PgvStepWalk;

static PgvStepWalk walks[PGV_WALKS];
static uint64 looked_for[PGV_WALKS];	/* their fingerprints, close together */

static PgvStepWalk *
find_walk(uint64 fingerprint)
{
	for (int i = 0; i < PGV_WALKS; i++)
	{
		if (looked_for[i] == fingerprint && walks[i].serial != 0)
			return &walks[i];
	}
	return NULL;
}

/* Is its next execution to be looked at? */
static bool
is_looked_at(const PgvStepWalk *w)
{
	return w->misses < PGV_PATIENCE || (w->misses & (PGV_PEEK - 1)) == 0;
}

bool
pgv_walks_wants(uint64 fingerprint, const PgvArrival *arrival)
{
	PgvStepWalk *w = find_walk(fingerprint);

	return w != NULL && pgv_is_alive(w->last, arrival) &&
		is_looked_at(w);
}

/* The walk begins (anew) with this execution. */
static void
begin_walk(PgvStepWalk *w)
{
	int64		misses = w->misses;

	w->serial = pgv_producers_tick();
	w->executions = 1;
	w->hits = w->immediate = w->again = w->loose = 0;
	w->astray = w->crowded = false;
	w->breaks = pgv_signs.breaks;
	w->lxid = pgv_block_lxid();
	memset(w->values, 0, sizeof(w->values));
	w->misses = misses + 1;
	w->finding = w->reported = false;
	memset(&w->link, 0, sizeof(w->link));
	pgv_tally_clear(&w->tally);
}

/* A place for a new statement: a free one, or the one used longest ago. */
static PgvStepWalk *
new_walk(uint64 fingerprint)
{
	PgvStepWalk *w = &walks[0];

	for (int i = 1; i < PGV_WALKS && w->serial != 0; i++)
	{
		if (walks[i].serial == 0 || walks[i].last < w->last)
			w = &walks[i];
	}
	w->fingerprint = looked_for[w - walks] = fingerprint;
	w->misses = 0;
	w->ncolumns = 0;
	w->last_key = 0;
	begin_walk(w);
	w->misses = 0;
	return w;
}

/* A value found in a column: is that a step, and which link does it follow? */
static bool
is_step(const PgvPredicate *p, const PgvColumn *column, PgvLinkColumns *link)
{
	if (column->family != p->family)
		return false;
	link->type = pgv_link_type(p->relid, p->attno, column->relid, column->attno);
	link->child_relid = p->relid;
	link->child_attno = p->attno;
	link->parent_relid = column->relid;
	link->parent_attno = column->attno;
	return true;
}

/* Does the value stand in the row before? */
static bool
follows_row(const PgvStepWalk *w, const PgvPredicate *p, PgvLinkColumns *link)
{
	uint32		hash = p->hash != 0 ? p->hash : 1;

	for (int c = 0; c < w->ncolumns; c++)
	{
		if (w->hashes[c] == hash && is_step(p, &w->columns[c], link))
			return true;
	}
	return false;
}

/* Does it stand in another row of its results? */
static bool
follows_result(const PgvStepWalk *w, const PgvPredicate *p,
			   PgvLinkColumns *link, bool *immediate)
{
	PgvHit		hits[PGV_WALK_HITS];
	int			n = pgv_producers_find(p, hits, PGV_WALK_HITS);
	bool		found = false;

	for (int i = 0; i < n && !*immediate; i++)
	{
		PgvResult  *r = pgv_producers_result(hits[i].result);

		/* in the same column it is one that was there before */
		if (r->fingerprint != w->fingerprint ||
			(r->columns[hits[i].column].relid == p->relid &&
			 r->columns[hits[i].column].attno == p->attno) ||
			!is_step(p, &r->columns[hits[i].column], link))
			continue;
		found = true;
		*immediate = (r->serial == w->last_result);
	}
	return found;
}

static bool
follows(const PgvStepWalk *w, const PgvPredicate *predicates, int n,
		PgvLinkColumns *link, uint32 *value, bool *immediate)
{
	*immediate = false;
	for (int i = 0; i < n; i++)
	{
		if (predicates[i].relid < FirstNormalObjectId)
			continue;
		*value = predicates[i].hash;
		if (follows_row(w, &predicates[i], link))
		{
			*immediate = true;
			return true;
		}
		if (follows_result(w, &predicates[i], link, immediate))
			return true;
	}
	return false;
}

/* A step to this value, along these columns. */
static void
count_step(PgvStepWalk *w, const PgvLinkColumns *link, uint32 value, bool immediate)
{
	for (int i = 0; i < PGV_WALK_VALUES; i++)
	{
		if (w->values[i] == value)
		{
			w->again++;
			break;
		}
	}
	w->values[w->hits % PGV_WALK_VALUES] = value;
	if (w->hits > 0 && (link->child_relid != w->link.child_relid ||
						link->child_attno != w->link.child_attno ||
						link->parent_relid != w->link.parent_relid ||
						link->parent_attno != w->link.parent_attno))
		w->astray = true;
	w->crowded |= (w->last_rows != 1);
	w->link = *link;
	w->hits++;
	w->immediate += immediate;
	w->misses = 0;
}

/*
 * Is it a finding?  Sets its confidence.  Who walks goes one way and does not
 * come back; outside a transaction, where the steps may be several clients',
 * nearly every one has to follow from the one before.
 */
static bool
is_finding(PgvStepWalk *w)
{
	int64		steps = w->executions - 1;
	bool		proven = (w->link.type >= PGV_LINK_SAME);

	if (w->executions < pgv_n_plus_one_min_repeats ||
		w->hits < steps * PGV_STEPS_SHARE || w->astray || w->again * 10 > steps)
		return false;
	w->confidence = proven ? PGV_PROVEN : PGV_LIKELY;
	if (!proven && (w->crowded || w->immediate < steps * PGV_STEPS_LIKELY))
		return false;
	if (w->lxid != 0)
		return true;
	if (w->loose * 2 > steps)
		return false;
	return (w->executions >= PGV_ALONE_MIN && w->immediate == steps) ||
		(w->executions >= PGV_ALONE_LONG &&
		 Max(w->immediate / PGV_STEPS_SHARE, w->hits / PGV_STEPS_LIKELY) >= steps);
}

uint64
pgv_walks_step(PgvWalkWatch *watch, uint64 fingerprint,
			   const PgvPredicate *predicates, int npredicates,
			   const PgvArrival *arrival)
{
	PgvStepWalk *w = find_walk(fingerprint);
	PgvLinkColumns link;
	uint32		value;
	bool		immediate;

	if (w == NULL)
		w = new_walk(fingerprint);
	/* what did not wait for the result before cannot have its values */
	else if (!pgv_is_alive(w->last, arrival) || pgv_did_not_wait(arrival) ||
			 w->last_key == watch->key)
		begin_walk(w);
	else if (follows(w, predicates, npredicates, &link, &value, &immediate))
	{
		w->executions++;
		count_step(w, &link, value, immediate);
	}
	else if (w->hits == 0 || w->hits < w->executions * PGV_STEPS_SHARE)
		begin_walk(w);
	else
		w->executions++;
	if (w->executions > 1)
	{
		w->loose += (w->breaks != pgv_signs.breaks);
		if (w->lxid != pgv_block_lxid())
			w->lxid = 0;
	}
	watch->walk = (int) (w - walks);
	watch->serial = w->serial;
	pgv_tally_repeat(&w->tally, arrival->wait_ms, arrival->plan_ms);
	if (!w->finding && is_finding(w))
		w->finding = watch->tell = true;
	return w->hits > 0 ? w->serial : 0;
}

bool
pgv_walks_found(const PgvWalkWatch *watch)
{
	const PgvStepWalk *w = &walks[watch->walk];

	return watch->serial != 0 && w->serial == watch->serial && w->finding;
}

/* ----- reporting ----- */

static void
describe_walk(const PgvStepWalk *w, QueryDesc *query, PgvFindingWords *words)
{
	StringInfoData link;
	StringInfoData suggestion;

	initStringInfo(&link);
	initStringInfo(&suggestion);
	pgv_link_text(&link, &w->link);
	pgv_suggest_walk(&suggestion, pgv_texts_copy(w->fingerprint),
					 query->plannedstmt, &w->link);
	words->link = link.data;
	words->suggestion = suggestion.data;
}

static void
report_walk(PgvStepWalk *w, QueryDesc *query, const PgvStatementRef *ref)
{
	PgvFinding	delta;
	PgvFindingWords words;
	bool		first = !w->reported;

	memset(&delta, 0, sizeof(delta));
	delta.fingerprint = w->fingerprint;
	delta.queryid = ref->queryid;
	delta.confidence = w->confidence;
	delta.bursts = first ? 1 : 0;
	delta.max_repeats = w->executions;
	delta.distinct = w->executions;
	delta.lineage = w->link.type;
	delta.tally = w->tally;
	if (first)
		describe_walk(w, query, &words);
	pgv_findings_report(PGV_FINDING_WALK, &delta, ref, first ? &words : NULL,
						&w->recent);
	w->reported = true;
	pgv_tally_clear(&w->tally);
}

void
pgv_walks_run(PgvWalkWatch *watch, QueryDesc *query, const PgvStatementRef *ref)
{
	PgvStepWalk *w = &walks[watch->walk];

	if (!watch->tell || !pgv_walks_found(watch) ||
		pgv_n_plus_one_action == PGV_ACTION_OFF)
		return;
	watch->tell = false;
	report_walk(w, query, ref);
	pgv_tell(PGV_FINDING_WALK, w->fingerprint, w->executions, 0);
}

/* The first row is what the next step may follow. */
static void
keep_row(PgvStepWalk *w, const PgvCapture *capture)
{
	w->ncolumns = capture->rows > 0 ? capture->shape->ncolumns : 0;
	w->last_result = capture->serial;
	w->last_rows = capture->rows;
	/* after the sign that it may have been itself */
	w->breaks = pgv_signs.breaks;
	memcpy(w->columns, capture->shape->column, sizeof(w->columns));
	memcpy(w->hashes, capture->first, sizeof(w->hashes));
}

void
pgv_walks_ran(PgvWalkWatch *watch, QueryDesc *query, const PgvStatementRef *ref,
			  const PgvArrival *arrival, const PgvCapture *capture,
			  const PgvUsage *usage, uint64 rows, TimestampTz now)
{
	PgvStepWalk *w = find_walk(ref->fingerprint);

	if (w == NULL)
		w = new_walk(ref->fingerprint);
	w->last = now;
	w->last_key = watch->key;
	if (watch->serial == 0)
	{
		/* not looked at: it may be where a walk begins, if the next one is */
		w->misses++;
		if (!is_looked_at(w))
			return;
		keep_row(w, capture);
		w->misses--;
		begin_walk(w);
		pgv_tally_repeat(&w->tally, arrival->wait_ms, arrival->plan_ms);
		pgv_tally_usage(&w->tally, usage, rows);
		return;
	}
	keep_row(w, capture);
	if (w->serial != watch->serial)
		return;
	pgv_tally_usage(&w->tally, usage, rows);
	if (w->finding)
		report_walk(w, query, ref);
}

void
pgv_walks_forget(void)
{
	for (int i = 0; i < PGV_WALKS; i++)
		walks[i].serial = 0;
}
