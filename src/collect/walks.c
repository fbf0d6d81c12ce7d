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
 * with stands in that row, in another column than the one it is compared with
 * (that would be a repeat, no step).  Results of several rows stand among the
 * producers; those of a walk are kept side by side, so that a tree walked
 * breadth first is seen as well.
 *
 * It is a finding when at least PGV_STEPS_SHARE of the executions are steps,
 * and the columns are linked by a foreign key (proven), or nearly all are
 * steps from the execution just before (likely).
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

typedef struct PgvStepWalk
{
	uint64		serial;			/* 0: free */
	uint64		fingerprint;
	int64		executions;		/* of the walk, the first included */
	int64		hits;			/* executions that are steps */
	int64		immediate;		/* and follow from the one just before */
	int64		misses;			/* in a row, while there is no walk */
	bool		finding;
	bool		reported;
	PgvConfidence confidence;
	PgvLinkColumns link;
	TimestampTz last;
	uint64		last_result;	/* serial of the last execution's result */
	int			ncolumns;		/* of the last result; 0: it had no rows */
	PgvColumn	columns[PGV_RESULT_COLUMNS];
	uint32		hashes[PGV_RESULT_COLUMNS];
	PgvTally	tally;
} PgvStepWalk;

static PgvStepWalk walks[PGV_WALKS];

static PgvStepWalk *
find_walk(uint64 fingerprint)
{
	for (int i = 0; i < PGV_WALKS; i++)
	{
		if (walks[i].fingerprint == fingerprint && walks[i].serial != 0)
			return &walks[i];
	}
	return NULL;
}

bool
pgv_walks_wants(uint64 fingerprint, const PgvArrival *arrival)
{
	PgvStepWalk *w = find_walk(fingerprint);

	return w != NULL && pgv_is_alive(w->last, arrival) &&
		(w->misses < PGV_PATIENCE || (w->misses & (PGV_PEEK - 1)) == 0);
}

/* The walk begins (anew) with this execution. */
static void
begin_walk(PgvStepWalk *w)
{
	int64		misses = w->misses;

	w->serial = pgv_producers_tick();
	w->executions = 1;
	w->hits = w->immediate = 0;
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
	w->fingerprint = fingerprint;
	w->misses = 0;
	w->ncolumns = 0;
	begin_walk(w);
	w->misses = 0;
	return w;
}

/* A value found in a column: is that a step, and which link does it follow? */
static bool
is_step(const PgvPredicate *p, const PgvColumn *column, PgvLinkColumns *link)
{
	if (column->family != p->family ||
		(column->relid == p->relid && column->attno == p->attno))
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

		if (r->fingerprint != w->fingerprint ||
			!is_step(p, &r->columns[hits[i].column], link))
			continue;
		found = true;
		*immediate = (r->serial == w->last_result);
	}
	return found;
}

static bool
follows(const PgvStepWalk *w, const PgvPredicate *predicates, int n,
		PgvLinkColumns *link, bool *immediate)
{
	*immediate = false;
	for (int i = 0; i < n; i++)
	{
		if (predicates[i].relid < FirstNormalObjectId)
			continue;
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

/* Is it a finding?  Sets its confidence. */
static bool
is_finding(PgvStepWalk *w)
{
	int64		steps = w->executions - 1;

	if (w->executions < pgv_n_plus_one_min_repeats ||
		w->hits < steps * PGV_STEPS_SHARE)
		return false;
	w->confidence = w->link.type > PGV_LINK_SAME ? PGV_PROVEN : PGV_LIKELY;
	return w->confidence == PGV_PROVEN || w->immediate >= steps * PGV_STEPS_LIKELY;
}

uint64
pgv_walks_step(PgvWalkWatch *watch, uint64 fingerprint,
			   const PgvPredicate *predicates, int npredicates,
			   const PgvArrival *arrival)
{
	PgvStepWalk *w = find_walk(fingerprint);
	PgvLinkColumns link;
	bool		immediate;

	if (w == NULL)
		w = new_walk(fingerprint);
	else if (!pgv_is_alive(w->last, arrival))
		begin_walk(w);
	else if (follows(w, predicates, npredicates, &link, &immediate))
	{
		w->executions++;
		w->hits++;
		w->immediate += immediate;
		w->misses = 0;
		if (link.type >= w->link.type)
			w->link = link;
	}
	else if (w->hits == 0 || w->hits < w->executions * PGV_STEPS_SHARE)
		begin_walk(w);
	else
		w->executions++;
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
	words->tags = NULL;
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
	pgv_findings_report(PGV_FINDING_WALK, &delta, ref, first ? &words : NULL);
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
	w->ncolumns = capture->rows > 0 ? capture->shape.ncolumns : 0;
	w->last_result = capture->serial;
	memcpy(w->columns, capture->shape.column, sizeof(w->columns));
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
	keep_row(w, capture);
	if (watch->serial == 0)
	{
		/* not looked at: it may be where a walk begins */
		begin_walk(w);
		pgv_tally_repeat(&w->tally, arrival->wait_ms, arrival->plan_ms);
		pgv_tally_usage(&w->tally, usage, rows);
		return;
	}
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

Size
pgv_walks_memory(void)
{
	return sizeof(walks);
}
