/*-------------------------------------------------------------------------
 *
 * nplusone.c
 *	  The detector of repeated-statement patterns.
 *
 * N+1 is defined as fan-out of one parent execution: distinct rows of its
 * result whose values reappear, one by one, in the predicate of a child.  It
 * needs no request or transaction boundary, so it holds with pooled
 * connections and in autocommit.
 *
 *	 parent	 SELECT .. FROM posts			rows 0 1 2 3 4 ...
 *	 child	 .. FROM authors WHERE id = 98		 ^ credited to row 0
 *	 child	 .. FROM authors WHERE id = 189		   ^ row 1
 *
 * A burst is one child statement credited to one group of rows: those of one
 * result, or, where the parent itself is a repeat, those of all results of
 * the parent's own burst (chains and nested loops).  When enough distinct
 * rows are credited the burst becomes a finding if
 *
 *	 - the columns are one, or linked by foreign keys (proven), or
 *	 - the rows were walked in order from one end, or nearly all were
 *	   (likely): coincidences of small numbers do not look like that.
 *
 * On a backend shared by many clients, a list and lookups that others make of
 * its rows look much the same.  What tells is what lies between the repeats:
 * pauses, and statements that belong to no loop and come with new parameters
 * each time (collect/signs).  Where most repeats have such signs
 * between them and no transaction holds them together, only proven columns
 * and rows strictly in order make a finding, or all rows strictly in order by
 * values that are no small numbers.
 *
 * What no result explains is looked at by others: loops without a parent
 * (collect/loops), walks along a statement's own results (collect/walks),
 * repeats with the same parameters (collect/duplicates).  What is spread over
 * several sessions is found elsewhere: they tell each other (collect/across).
 *
 * All state is private to the backend, of fixed size and forgotten after
 * n_plus_one_max_gap without a statement.  A finding goes to the store as soon
 * as it is made, and with each further repeat.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"
#include "tcop/cmdtag.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

#include "base/server.h"
#include "base/settings.h"
#include "collect/across.h"
#include "collect/duplicates.h"
#include "collect/findings.h"
#include "collect/loops.h"
#include "collect/nplusone.h"
#include "collect/routine.h"
#include "collect/signs.h"
#include "collect/suggest.h"
#include "collect/tell.h"
#include "collect/walks.h"
#include "store/texts.h"

#define PGV_BURSTS 40
#define PGV_CANDIDATES 24
#define PGV_HITS 160
#define PGV_BURST_VALUES 32
#define PGV_UNPROVEN_MIN 6		/* different values outside a transaction */
#define PGV_MONOTONOUS 256		/* lookups that nothing else comes between */
#define PGV_QUIET_MIN 8			/* rows that need not be in strict order */
#define PGV_CONSTANT_ROWS 3
#define PGV_DISTURBED_MIN 6		/* rows in order that outweigh signs of others */
#define PGV_DISTURBED_ALL 10	/* without a link: all of so many rows */



typedef struct PgvBurst
{
	uint64		serial;			/* 0: free */
	uint64		fingerprint;	/* of the child */
	uint64		group;			/* whose rows; see group_of */
	uint64		result;			/* serial of the result that "touched" is of */
	uint64		root;			/* the burst that the parent is a repeat of */
	uint64		parent_fingerprint;
	uint64		parent_queryid;
	uint64		touched[PGV_RESULT_MAX_ROWS / 64];
	PgvLinkColumns link;
	int			fanout;			/* distinct rows credited */
	int			last_row;		/* of the present result; -1: none yet */
	int			min_row;
	int			max_row;
	int			ascending;		/* steps up, and down, within results */
	int			descending;
	int			walked_rows;	/* rows up to the last credited, and all */
	int			walked_back;	/* rows from the first credited on, */
	int			sampled_rows;	/* rows remembered, of earlier results */
	int			results;		/* of its group, that rows were credited of */
	bool		sampled_all;	/* and those were all there were */
	int			pipelined;		/* repeats that did not wait */
	uint64		waits;			/* clock of such waits at the last credit */
	int64		repeats;
	int			distinct;		/* different values of the linked predicate */
	uint32		values[PGV_BURST_VALUES];
	uint32		other_hash;		/* of the other predicates, at first */
	bool		other_varies;
	bool		compound;		/* more than one value comes from the row */
	int64		keyed;			/* repeats of which that is known by links */
	bool		telling;		/* the values are no small numbers */
	bool		writes;			/* the child is a write */
	int			missed;			/* executions between that no result explains */
	int			again;			/* repeats for a value whose rows were credited */
	int			loose;			/* steps with a sign of another request between */
	uint64		breaks;			/* clock of such signs at the last credit */
	uint32		lxid;			/* transaction block of all repeats; 0: none */
	bool		finding;
	bool		reported;
	PgvRecent	recent;
	PgvConfidence confidence;
	uint64		last_serial;	/* clock of the last credit */
	TimestampTz last;			/* end of the last repeat */
	PgvTally	tally;
} PgvBurst;

/* A place of the rows that a value may have come from. */
typedef struct PgvCandidate
{
	int			result;
	int			column;
	int			predicate;
	int			hits;
	int			row;			/* the first not yet credited, or -1 */
	bool		compound;		/* another value comes from the row, too ... */
	bool		keyed;			/* ... by a link of its own */
	PgvLinkType link;
	PgvBurst   *burst;			/* or NULL: none yet */
} PgvCandidate;

/* A statement on its way through linking. */
typedef struct PgvChild
{
	const PgvStatementRef *ref;
	const PgvArrival *arrival;
	bool		writes;
	bool		inserts;
	PgvPredicate predicates[PGV_MAX_PREDICATES];
	int			npredicates;
	PgvCandidate candidates[PGV_CANDIDATES];
	int			ncandidates;
} PgvChild;

static PgvBurst *bursts = NULL; /* PGV_BURSTS, allocated with the first */
static PGV_HOT_DATA Oid last_userid = InvalidOid;
static char last_application[NAMEDATALEN];
static PGV_HOT_DATA uint64 last_generation = 0;	/* of the statistics: a reset ends it */
static bool anything = false;	/* is there something to forget? */

/* ----- sessions ----- */

void
pgv_nplusone_forget(void)
{
	if (!anything)
		return;
	pgv_producers_clear();
	if (bursts != NULL)
		memset(bursts, 0, PGV_BURSTS * sizeof(PgvBurst));
	pgv_duplicates_forget();
	pgv_loops_forget();
	pgv_walks_forget();
	pgv_signs_forget();
	anything = false;
}

static pg_noinline void
begin_session(const PgvStatementRef *ref, const char *application)
{
	pgv_nplusone_forget();
	last_userid = ref->userid;
	last_generation = pgv_store_generation();
	strlcpy(last_application, application, NAMEDATALEN);
}

/* What ends all that is going on: idleness, another role or name, a reset. */
static inline void
check_session(const PgvStatementRef *ref, const PgvArrival *arrival)
{
	const char *application = application_name ? application_name : "";

	if (arrival->wait_ms > pgv_n_plus_one_max_gap_ms ||
		ref->userid != last_userid || pgv_store_generation() != last_generation ||
		strncmp(application, last_application, NAMEDATALEN - 1) != 0)
		begin_session(ref, application);
}

/* Does the client's command define something, or load rows in bulk? */
static bool
is_no_loop(void)
{
	CommandTag	tag = ActivePortal != NULL ? ActivePortal->commandTag : CMDTAG_UNKNOWN;

	return tag == CMDTAG_COPY || tag == CMDTAG_TRUNCATE_TABLE ||
		command_tag_event_trigger_ok(tag);
}

void
pgv_nplusone_interrupt(bool may_write)
{
	pgv_loops_interrupt();
	if (may_write && is_no_loop())
		pgv_loops_break();
	if (may_write)
		pgv_signs_wrote_unknown();
}

void
pgv_nplusone_wrote(QueryDesc *query)
{
	pgv_loops_interrupt();
	pgv_signs_wrote(query);
}

/* ----- bursts ----- */

/*
 * The rows that count together: those of one result, or, where the result is
 * itself a repeat, of all results of the burst it belongs to.
 */
static uint64
group_of(const PgvResult *r)
{
	return r->burst != 0 ? ~r->burst : r->serial;
}

/*
 * The burst of a child that takes the values of one predicate from a group of
 * rows.
 */
static PgvBurst *
find_burst(uint64 fingerprint, uint64 group, const PgvPredicate *predicate)
{
	for (int i = 0; bursts != NULL && i < PGV_BURSTS; i++)
	{
		PgvBurst   *b = &bursts[i];

		if (b->serial == 0 || b->group != group || b->fingerprint != fingerprint)
			continue;
		if (b->link.child_relid == predicate->relid &&
			b->link.child_attno == predicate->attno)
			return b;
	}
	return NULL;
}

static PgvBurst *
burst_by_serial(uint64 serial)
{
	for (int i = 0; bursts != NULL && serial != 0 && i < PGV_BURSTS; i++)
	{
		if (bursts[i].serial == serial)
			return &bursts[i];
	}
	return NULL;
}

/* A fresh burst, in place of the one credited longest ago. */
static PgvBurst *
new_burst(uint64 fingerprint, uint64 group)
{
	PgvBurst   *b;

	if (bursts == NULL)
		bursts = MemoryContextAllocExtended(TopMemoryContext,
											PGV_BURSTS * sizeof(PgvBurst),
											MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (bursts == NULL)
		return NULL;
	b = &bursts[0];
	for (int i = 1; i < PGV_BURSTS && b->serial != 0; i++)
	{
		if (bursts[i].serial == 0 || bursts[i].last_serial < b->last_serial)
			b = &bursts[i];
	}
	memset(b, 0, sizeof(*b));
	b->serial = pgv_producers_tick();
	b->fingerprint = fingerprint;
	b->group = group;
	b->last_row = -1;
	pgv_tally_clear(&b->tally);
	return b;
}

static inline bool
is_touched(const PgvBurst *b, const PgvResult *r, int row)
{
	if (b == NULL || b->result != r->serial)
		return false;
	return (b->touched[row / 64] >> (row % 64)) & 1;
}

/* ----- linking a value to a row ----- */

static PgvCandidate *
candidate_for(PgvChild *child, const PgvHit *hit, int predicate)
{
	PgvCandidate *c;
	PgvResult  *r = pgv_producers_result(hit->result);

	for (int i = child->ncandidates - 1; i >= 0; i--)
	{
		c = &child->candidates[i];
		if (c->result == hit->result && c->column == hit->column &&
			c->predicate == predicate)
			return c;
	}
	if (child->ncandidates >= PGV_CANDIDATES)
		return NULL;
	c = &child->candidates[child->ncandidates++];
	c->result = hit->result;
	c->column = hit->column;
	c->predicate = predicate;
	c->hits = 0;
	c->row = -1;
	c->compound = child->predicates[predicate].either;
	c->keyed = false;
	c->link = PGV_LINK_UNKNOWN;
	c->burst = find_burst(child->ref->fingerprint, group_of(r),
						  &child->predicates[predicate]);
	return c;
}

/* Could rows of this result be the reason for the child? */
static bool
is_eligible(const PgvChild *child, const PgvResult *r)
{
	if (r->fingerprint == child->ref->fingerprint ||
		!pgv_is_alive(r->active, child->arrival))
		return false;
	/* of a single row nothing can be repeated, unless such rows add up */
	return r->burst != 0 || r->growing || r->rows > 1;
}

static void
gather_candidates(PgvChild *child, int predicate)
{
	PgvHit		hits[PGV_HITS];
	int			n;

	n = pgv_producers_find(&child->predicates[predicate], hits, PGV_HITS);
	for (int i = 0; i < n; i++)
	{
		PgvResult  *r = pgv_producers_result(hits[i].result);
		PgvCandidate *c;

		if (!is_eligible(child, r))
			continue;
		c = candidate_for(child, &hits[i], predicate);
		if (c == NULL)
			continue;
		c->hits++;
		if (!is_touched(c->burst, r, hits[i].row) &&
			(c->row < 0 || hits[i].row < c->row))
			c->row = hits[i].row;
	}
}

static void
find_links(PgvChild *child)
{
	for (int i = 0; i < child->ncandidates; i++)
	{
		PgvCandidate *c = &child->candidates[i];
		PgvPredicate *p = &child->predicates[c->predicate];
		PgvColumn  *column = &pgv_producers_result(c->result)->columns[c->column];

		c->link = pgv_link_type(p->relid, p->attno, column->relid, column->attno);
	}
}

/*
 * Did this child's last repeat go to this candidate's burst, after every
 * result in question was there?  Then it goes on there.
 */
static bool
is_going_on(const PgvChild *child, const PgvCandidate *c)
{
	if (c->burst == NULL)
		return false;
	for (int i = 0; i < child->ncandidates; i++)
	{
		const PgvCandidate *other = &child->candidates[i];

		if (pgv_producers_result(other->result)->serial > c->burst->last_serial ||
			(other->burst != NULL && other->burst->last_serial > c->burst->last_serial))
			return false;
	}
	return true;
}

/* Which of two candidates is the better origin?  True: a. */
static bool
is_better(const PgvChild *child, const PgvCandidate *a, const PgvCandidate *b)
{
	const PgvResult *ra = pgv_producers_result(a->result);
	const PgvResult *rb = pgv_producers_result(b->result);
	bool		a_linked = a->link >= PGV_LINK_SAME;
	bool		b_linked = b->link >= PGV_LINK_SAME;
	bool		a_on;
	bool		b_on;

	if (a_linked != b_linked)
		return a_linked;
	/* two that reference a third have less to do with each other */
	if (a_linked && (a->link == PGV_LINK_SHARED) != (b->link == PGV_LINK_SHARED))
		return b->link == PGV_LINK_SHARED;
	if ((a->row >= 0) != (b->row >= 0))
		return a->row >= 0;
	a_on = is_going_on(child, a);
	b_on = is_going_on(child, b);
	if (a_on != b_on)
		return a_on;
	if (a->result == b->result)
		return a->hits < b->hits;
	/* the list itself rather than a single row that it led to */
	if ((ra->rows == 1) != (rb->rows == 1))
		return ra->rows != 1;
	return ra->serial > rb->serial;
}

/*
 * Can this candidate be the origin?  A single row, or one of the values to be
 * inserted, only where the columns are known to be linked; and no rows where a later single-row result that is no
 * repeat has the value as well: then that one led to the child, as when many
 * clients share a backend.
 */
static bool
is_acceptable(const PgvChild *child, const PgvCandidate *c)
{
	const PgvResult *r = pgv_producers_result(c->result);

	if (c->link < PGV_LINK_SAME &&
		(child->inserts || (r->rows <= 1 && !r->growing)))
		return false;
	/* a column that is the same in all rows tells no row from another */
	if (r->sampled >= PGV_CONSTANT_ROWS && c->hits >= r->sampled)
		return false;
	return !pgv_producers_absorbed(&child->predicates[c->predicate],
								   &r->columns[c->column], r->serial,
								   child->ref->fingerprint);
}

/* Do two values of the child come from one row, as far as can be told? */
static bool
share_row(const PgvChild *child, const PgvCandidate *c, const PgvCandidate *other)
{
	return c->row >= 0 && other->row == c->row &&
		is_acceptable(child, c) && is_acceptable(child, other);
}

/*
 * Does another value of the child come from the same result, as with a key of
 * several columns?  Asked of all candidates, for one of its columns may be the
 * same in all rows.
 */
static void
find_compounds(PgvChild *child)
{
	for (int i = 0; i < child->ncandidates; i++)
	{
		PgvCandidate *c = &child->candidates[i];

		for (int j = 0; j < child->ncandidates; j++)
		{
			const PgvCandidate *other = &child->candidates[j];

			if (other->result != c->result ||
				child->predicates[other->predicate].hash ==
				child->predicates[c->predicate].hash)
				continue;
			c->keyed |= (other->link >= PGV_LINK_SAME);
			c->compound |= c->keyed || share_row(child, c, other);
		}
	}
}

/* All acceptable candidates, the best first. */
static void
find_candidates(PgvChild *child)
{
	int			n = 0;

	for (int i = 0; i < child->npredicates; i++)
		gather_candidates(child, i);
	find_links(child);
	find_compounds(child);
	for (int i = 0; i < child->ncandidates; i++)
	{
		if (is_acceptable(child, &child->candidates[i]))
			child->candidates[n++] = child->candidates[i];
	}
	child->ncandidates = n;
	for (int i = 1; i < n; i++)
	{
		PgvCandidate c = child->candidates[i];
		int			at = i;

		for (; at > 0 && is_better(child, &c, &child->candidates[at - 1]); at--)
			child->candidates[at] = child->candidates[at - 1];
		child->candidates[at] = c;
	}
}

/* ----- crediting ----- */

static void
describe_burst(PgvBurst *b, const PgvChild *child, const PgvCandidate *c)
{
	PgvResult  *r = pgv_producers_result(c->result);
	const PgvPredicate *p = &child->predicates[c->predicate];

	b->parent_fingerprint = r->fingerprint;
	b->parent_queryid = r->queryid;
	b->root = r->burst;
	b->writes = child->writes;
	b->telling = (p->family != PGV_FAMILY_INTEGER && p->family != PGV_FAMILY_ENUM);
	b->link.type = c->link;
	b->link.child_relid = p->relid;
	b->link.child_attno = p->attno;
	b->link.parent_relid = r->columns[c->column].relid;
	b->link.parent_attno = r->columns[c->column].attno;
}

/*
 * A hash of the predicates beside the linked one (-1: none).  One with the
 * same value follows from it, by a join.
 */
static uint32
other_predicates(const PgvChild *child, int linked)
{
	uint32		sum = 0;

	for (int i = 0; i < child->npredicates; i++)
	{
		if (linked < 0 ||
			child->predicates[i].hash != child->predicates[linked].hash)
			sum = sum * 31 + child->predicates[i].hash;
	}
	return sum;
}

/*
 * Count the different values, exactly while there is room for them.  Returns
 * whether this one is new.
 */
static bool
count_value(PgvBurst *b, uint32 value)
{
	for (int i = 0; i < Min(b->distinct, PGV_BURST_VALUES); i++)
	{
		if (b->values[i] == value)
			return false;
	}
	if (b->distinct < PGV_BURST_VALUES)
		b->values[b->distinct] = value;
	b->distinct++;
	return true;
}

/* Note the values of a repeat; returns whether the linked one is new. */
static bool
note_values(PgvBurst *b, const PgvChild *child, const PgvCandidate *c)
{
	uint32		other = other_predicates(child, c->predicate);

	if (b->repeats == 0)
		b->other_hash = other;
	b->other_varies |= (other != b->other_hash);
	b->compound |= c->compound;
	b->keyed += c->keyed;
	return count_value(b, child->predicates[c->predicate].hash);
}

/* The burst goes on to another result of its group. */
static void
next_result(PgvBurst *b, const PgvResult *r, int row)
{
	const PgvResult *before = pgv_producers_by_serial(b->result);

	if (before != NULL)
	{
		b->walked_rows += b->max_row + 1;
		b->walked_back += before->sampled - b->min_row;
		b->sampled_rows += before->sampled;
		b->sampled_all &= before->rows <= (uint64) before->sampled;
	}
	else
		b->sampled_all = (b->result == 0);
	b->results++;
	memset(b->touched, 0, sizeof(b->touched));
	b->result = r->serial;
	b->last_row = -1;
	b->min_row = b->max_row = row;
}

static void
touch_row(PgvBurst *b, const PgvResult *r, int row)
{
	if (b->result != r->serial)
		next_result(b, r, row);
	b->touched[row / 64] |= UINT64CONST(1) << (row % 64);
	b->fanout++;
	if (b->last_row >= 0 && row > b->last_row)
		b->ascending++;
	else if (b->last_row >= 0)
		b->descending++;
	b->last_row = row;
	b->min_row = Min(b->min_row, row);
	b->max_row = Max(b->max_row, row);
}

static void
count_repeat(PgvBurst *b, const PgvArrival *arrival)
{
	if (b->repeats == 0)
		b->lxid = pgv_block_lxid();
	else
	{
		b->loose += (b->breaks != pgv_signs.breaks);
		if (b->lxid != pgv_block_lxid())
			b->lxid = 0;
		else if (b->lxid != 0 && TransactionIdIsValid(GetTopTransactionIdIfAny()))
			b->tally.lock_ms += (arrival->at - b->last) / 1000.0;
	}
	b->breaks = pgv_signs.breaks;
	b->repeats++;
	b->last_serial = pgv_producers_tick();
	b->last = arrival->at;
	if (b->repeats > 1 && b->waits == pgv_signs.waits)
		b->pipelined++;
	b->waits = pgv_signs.waits;
	pgv_tally_repeat(&b->tally, arrival->wait_ms, arrival->plan_ms);
}

static PgvBurst *
credit(PgvChild *child, PgvCandidate *c)
{
	PgvResult  *r = pgv_producers_result(c->result);
	PgvBurst   *b = c->burst;
	bool		known;

	if (b == NULL)
	{
		b = new_burst(child->ref->fingerprint, group_of(r));
		if (b == NULL)
			return NULL;
		describe_burst(b, child, c);
		c->burst = b;
	}
	known = !note_values(b, child, c);
	if (c->row >= 0)
		touch_row(b, r, c->row);
	else if (known)
		b->again++;
	count_repeat(b, child->arrival);
	pgv_producers_touch(r, child->arrival->at);
	return b;
}

/* The finding that the child goes on with: one with a row left, if any. */
static PgvCandidate *
going_finding(PgvChild *child)
{
	PgvCandidate *found = NULL;

	for (int i = 0; i < child->ncandidates; i++)
	{
		PgvCandidate *c = &child->candidates[i];

		if (c->burst == NULL || !c->burst->finding)
			continue;
		if (c->row >= 0)
			return c;
		if (found == NULL)
			found = c;
	}
	/* a row read again, unless there is another origin with rows left */
	for (int i = 0; found != NULL && i < child->ncandidates; i++)
	{
		if (child->candidates[i].row >= 0)
			return NULL;
	}
	return found;
}

static bool
is_credited(const PgvWatch *watch, const PgvBurst *b)
{
	for (int i = 0; i < watch->ncredits; i++)
	{
		if (watch->credits[i].serial == b->serial)
			return true;
	}
	return false;
}

static void
add_credit(PgvWatch *watch, const PgvBurst *b)
{
	if (b == NULL || watch->ncredits >= PGV_WATCH_CREDITS)
		return;
	watch->credits[watch->ncredits].burst = (int) (b - bursts);
	watch->credits[watch->ncredits].serial = b->serial;
	watch->ncredits++;
}

/*
 * Credit the child to the finding it goes on with, or else to each of the few
 * origins that are possible: which it was will show when one makes a finding.
 */
static void
credit_candidates(PgvWatch *watch, PgvChild *child)
{
	PgvCandidate *going = going_finding(child);

	if (going != NULL)
	{
		add_credit(watch, credit(child, going));
		return;
	}
	for (int i = 0; i < child->ncandidates; i++)
	{
		PgvCandidate *c = &child->candidates[i];

		if (watch->ncredits >= PGV_WATCH_CREDITS)
			return;
		/* a burst is made by the first credit and may be another one's too */
		if (c->burst == NULL)
			c->burst = find_burst(child->ref->fingerprint,
								  group_of(pgv_producers_result(c->result)),
								  &child->predicates[c->predicate]);
		if (c->burst != NULL ? is_credited(watch, c->burst) : c->row < 0)
			continue;
		add_credit(watch, credit(child, c));
	}
}

/*
 * A value that is in no remembered row: where a burst of this statement walks
 * a result longer than what is remembered of it, it goes on there.
 */
static PgvBurst *
credit_beyond_sample(PgvChild *child)
{
	for (int i = 0; bursts != NULL && i < PGV_BURSTS; i++)
	{
		PgvBurst   *b = &bursts[i];
		PgvResult  *r;

		if (b->serial == 0 || !b->finding ||
			b->fingerprint != child->ref->fingerprint ||
			!pgv_is_alive(b->last, child->arrival) ||
			child->predicates[0].relid != b->link.child_relid)
			continue;
		r = pgv_producers_by_serial(b->result);
		if (r == NULL || r->rows <= (uint64) r->sampled ||
			b->repeats >= (int64) r->rows)
			continue;
		count_value(b, child->predicates[0].hash);
		count_repeat(b, child->arrival);
		return b;
	}
	return NULL;
}

/* ----- verdicts ----- */

/* Were the rows walked in order from one end, or nearly all of them? */
static bool
is_walk(const PgvBurst *b)
{
	PgvResult  *r = pgv_producers_by_serial(b->result);
	int			steps = b->ascending + b->descending;

	if (r == NULL)
		return false;
	if (b->sampled_all && r->rows <= (uint64) r->sampled &&
		b->fanout * 100 >= (b->sampled_rows + r->sampled) * 95)
		return true;
	if (steps == 0)
		return false;
	if (b->ascending * 10 >= steps * 8)
		return b->fanout * 2 >= b->walked_rows + b->max_row + 1;
	if (b->descending * 10 >= steps * 8)
		return b->fanout * 2 >= b->walked_back + r->sampled - b->min_row;
	return false;
}

/*
 * Rows of the present result that any child was repeated for: rows may go to
 * different statements, by their type.
 */
static int
rows_used(const PgvBurst *b)
{
	int			n = 0;

	for (int word = 0; word < PGV_RESULT_MAX_ROWS / 64; word++)
	{
		uint64		used = 0;

		for (int i = 0; i < PGV_BURSTS; i++)
		{
			if (bursts[i].serial != 0 && bursts[i].result == b->result)
				used |= bursts[i].touched[word];
		}
		n += pg_popcount64(used);
	}
	return n;
}

/* Of the rows passed in the direction of the walk, how many percent were used? */
static int
coverage(const PgvBurst *b)
{
	const PgvResult *r = pgv_producers_by_serial(b->result);
	int			passed = b->walked_rows + b->max_row + 1;
	int			own = 0;

	if (b->descending > b->ascending)
		passed = b->walked_back + (r != NULL ? r->sampled : b->max_row + 1) - b->min_row;
	for (int word = 0; word < PGV_RESULT_MAX_ROWS / 64; word++)
		own += pg_popcount64(b->touched[word]);
	return (b->fanout - own + rows_used(b)) * 100 / Max(passed, 1);
}

/* Were the rows walked one after the other, from one end, none left out? */
static bool
walks_all(const PgvBurst *b)
{
	return Min(b->ascending, b->descending) == 0 && coverage(b) >= 100;
}

/*
 * Outside a transaction the repeats may be other people's, who open what a
 * list shows.  Few rows then have to come in strict order, with few left out;
 * of values that many rows have, nearly all.
 */
static bool
is_quiet_walk(const PgvBurst *b)
{
	int			wrong = Min(b->ascending, b->descending);

	if (walks_all(b))
		return true;
	if (b->distinct * 2 < b->fanout)
		return wrong * 10 <= b->fanout && coverage(b) >= 90;
	if (b->fanout < PGV_QUIET_MIN)
		return wrong == 0 && coverage(b) >= 70;
	return is_walk(b);
}

/*
 * Where there are signs of other requests between most repeats, only rows
 * strictly in order make a walk.
 */
static bool
is_strict_walk(const PgvBurst *b)
{
	int			steps = b->ascending + b->descending;
	int			wrong = Min(b->ascending, b->descending);

	if (b->fanout < PGV_DISTURBED_MIN || wrong * 10 > (b->fanout < 10 ? 0 : steps))
		return false;
	return is_quiet_walk(b);
}

/*
 * Every row strictly in order, by different values that are no small numbers:
 * that the loop itself writes something between is as good an explanation of
 * the signs as any.
 */
static bool
is_telling_walk(const PgvBurst *b)
{
	return b->telling && b->root == 0 && b->distinct == b->fanout &&
		b->fanout >= Max(PGV_DISTURBED_ALL, pgv_n_plus_one_min_repeats) && walks_all(b);
}

/*
 * Outside a transaction the rows of several results add up only along a
 * finding, or along rows that were walked one after the other.
 */
static bool
adds_up(const PgvBurst *b, bool disturbed)
{
	const PgvBurst *root = burst_by_serial(b->root);

	if (root == NULL)
		return false;
	return root->finding ||
		(!disturbed && !root->writes && root->fanout > 2 && root->again == 0 &&
		 walks_all(root));
}

/*
 * Did the statement come with many values that are in no result?  Then it is
 * used by others, too, and only row after row tells the loop.
 */
static bool
misses_much(const PgvBurst *b)
{
	return b->missed * 4 > b->repeats &&
		(b->fanout < PGV_QUIET_MIN || !walks_all(b));
}

/*
 * Different keys that the child was repeated for: of one with several columns,
 * one column may be the same again and again.
 */
static int
different_keys(const PgvBurst *b)
{
	return b->keyed * 2 > b->repeats ? Max(b->distinct, b->fanout) : b->distinct;
}

/* Is the burst a finding?  Sets its confidence. */
static bool
is_finding(PgvBurst *b)
{
	int			min = pgv_n_plus_one_min_repeats;
	bool		proven = (b->link.type >= PGV_LINK_SAME);
	bool		disturbed;
	bool		summed;

	if (b->pipelined * 5 >= (b->repeats - 1) * 3)
		return false;
	/* a value that hardly changes, while others do, leads nowhere */
	if (b->fanout < min || different_keys(b) == 1 ||
		(b->other_varies && different_keys(b) * 2 < b->repeats))
		return false;
	b->confidence = proven ? PGV_PROVEN : PGV_LIKELY;
	if (b->lxid != 0)
		return proven || is_walk(b);
	/* one client's? it reads a row once, and in order, or all of them */
	disturbed = (b->loose * 2 > b->repeats - 1) || (b->other_varies && !b->compound);
	if (b->again * 5 > b->repeats || misses_much(b))
		return false;
	summed = (b->root != 0 && adds_up(b, disturbed));
	if (b->root != 0 && b->results > 1 && !summed)
		return false;
	if (disturbed)
		return proven ? (summed || is_strict_walk(b)) : is_telling_walk(b);

	/*
	 * nor does a column of few values, or two that reference a third, prove
	 * much
	 */
	if (b->link.type == PGV_LINK_SHARED &&
		(b->fanout < PGV_QUIET_MIN || b->distinct < PGV_UNPROVEN_MIN))
		return false;
	if (b->link.type == PGV_LINK_SAME && b->distinct < b->fanout &&
		b->distinct < PGV_UNPROVEN_MIN)
		return false;
	if (!proven)
		return b->distinct >= (walks_all(b) ? min : Max(min, PGV_UNPROVEN_MIN)) &&
			is_quiet_walk(b);
	return is_quiet_walk(b);
}

/*
 * What was repeated for the rows of another group before that turned out to be
 * this burst's belongs to it, unless it is a finding of its own.
 */
static void
take_over(PgvBurst *b)
{
	for (int i = 0; i < PGV_BURSTS; i++)
	{
		PgvBurst   *o = &bursts[i];

		if (o == b || o->serial == 0 || o->reported || o->group != b->group ||
			(!b->reported && o->last_serial > b->last_serial) ||
			o->fingerprint != b->fingerprint ||
			o->link.child_relid != b->link.child_relid ||
			o->link.child_attno != b->link.child_attno)
			continue;
		b->fanout += o->fanout;
		b->repeats += o->repeats;
		b->distinct += o->distinct;
		b->pipelined += o->pipelined;
		pgv_tally_add(&b->tally, &o->tally);
		pgv_producers_relabel(o->serial, b->serial);
		o->serial = 0;
	}
}

/*
 * One of the origins followed has made a finding: the others were wrong.
 * Results that were taken for repeats of theirs are its repeats.
 */
static void
settle_on(const PgvWatch *watch, PgvBurst *winner)
{
	bool		any = false;

	for (int i = 0; i < PGV_BURSTS; i++)
	{
		PgvBurst   *b = &bursts[i];

		if (b->serial == 0 || b == winner || b->finding ||
			b->fingerprint != winner->fingerprint)
			continue;
		pgv_producers_relabel(b->serial, winner->serial);
		for (int j = 0; j < PGV_BURSTS; j++)
		{
			if (bursts[j].group == ~b->serial)
				bursts[j].group = ~winner->serial;
			if (bursts[j].root == b->serial)
				bursts[j].root = winner->serial;
		}
		b->serial = 0;
		any = true;
	}
	for (int i = 0; any && i < PGV_BURSTS; i++)
	{
		if (bursts[i].serial != 0 && bursts[i].group == ~winner->serial)
			take_over(&bursts[i]);
	}
}

/*
 * Which of the bursts credited makes a finding now?  One that walks the rows
 * rather than another, and then the best, which comes first; -1: none.
 */
static int
winner_of(const PgvWatch *watch)
{
	int			winner = -1;

	for (int i = 0; i < watch->ncredits; i++)
	{
		PgvBurst   *b = &bursts[watch->credits[i].burst];

		if (b->finding || !is_finding(b))
			continue;
		if (is_walk(b))
			return i;
		if (winner < 0)
			winner = i;
	}
	return winner;
}

static void
judge(PgvWatch *watch, const PgvChild *child)
{
	PgvBurst   *b;
	int			winner;

	/* what was reported as a loop goes on as one */
	if (pgv_loops_reported(child->ref->fingerprint, child->arrival))
		return;
	winner = winner_of(watch);
	if (winner < 0)
		return;
	b = &bursts[watch->credits[winner].burst];
	b->finding = watch->tell = true;
	if (pgv_n_plus_one_across_sessions)
		pgv_across_explained(b->fingerprint, b->repeats - 1);
	settle_on(watch, b);
	pgv_loops_drop(b->fingerprint);
	watch->credits[0] = watch->credits[winner];
	watch->ncredits = 1;
}

/* ----- reporting ----- */

/* Link and advice of a burst, for its first report. */
static void
describe_finding(const PgvBurst *b, QueryDesc *query, PgvFindingWords *words)
{
	StringInfoData link;
	StringInfoData suggestion;

	initStringInfo(&link);
	initStringInfo(&suggestion);
	pgv_link_text(&link, &b->link);
	if (b->writes)
		pgv_suggest_write(&suggestion, pgv_texts_copy(b->fingerprint),
						  query->plannedstmt, &b->link,
						  !b->other_varies && !b->compound, b->lxid != 0);
	else
		pgv_suggest_batch(&suggestion, pgv_texts_copy(b->fingerprint),
						  query->plannedstmt, &b->link,
						  !b->other_varies && !b->compound);
	words->link = link.data;
	words->suggestion = suggestion.data;
}

static int32
walk_order(const PgvBurst *b)
{
	if (b->ascending + b->descending == 0)
		return PGV_ORDER_NONE;
	if (b->descending == 0)
		return PGV_ORDER_ASCENDING;
	return b->ascending == 0 ? PGV_ORDER_DESCENDING : PGV_ORDER_MIXED;
}

/* Rows of the results it went through, as far as they are remembered. */
static void
set_evidence(PgvFinding *delta, const PgvBurst *b)
{
	const PgvResult *r = pgv_producers_by_serial(b->result);

	if (b->parent_fingerprint != 0 && r != NULL)
	{
		delta->parent_rows = b->sampled_rows + (int64) r->rows;
		delta->rows_touched = b->fanout;
	}
	delta->order = walk_order(b);
	delta->lineage = b->link.type;
}

static PgvFindingKind
kind_of(const PgvBurst *b)
{
	return b->writes ? PGV_FINDING_WRITE : PGV_FINDING_N_PLUS_ONE;
}

static void
report_burst(PgvBurst *b, QueryDesc *query, const PgvStatementRef *ref)
{
	PgvFinding	delta;
	PgvFindingWords words;
	bool		first = !b->reported;

	memset(&delta, 0, sizeof(delta));
	delta.fingerprint = b->fingerprint;
	delta.parent_fingerprint = b->parent_fingerprint;
	delta.queryid = ref->queryid;
	delta.parent_queryid = b->parent_queryid;
	delta.confidence = b->confidence;
	delta.bursts = first ? 1 : 0;
	delta.in_transaction = (first && b->lxid != 0) ? 1 : 0;
	delta.max_repeats = b->repeats;
	delta.distinct = different_keys(b);
	delta.tally = b->tally;
	set_evidence(&delta, b);
	if (first)
		describe_finding(b, query, &words);
	pgv_findings_report(kind_of(b), &delta, ref, first ? &words : NULL,
						&b->recent);
	b->reported = true;
	pgv_tally_clear(&b->tally);
}

/* ----- the way of a statement ----- */

/*
 * Does the query read a table of the application, without locking rows?
 * relationOids would not do: each constant of type oid or regclass is there,
 * as when the catalogs are asked for a table.
 */
static bool
reads_tables(QueryDesc *query)
{
	ListCell   *lc;

	if (query->plannedstmt->rowMarks != NIL)
		return false;
	foreach(lc, query->plannedstmt->rtable)
	{
		const RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		/* a view is a subquery */
		if ((rte->rtekind == RTE_RELATION || rte->rtekind == RTE_SUBQUERY) &&
			rte->relid >= FirstNormalObjectId)
			return true;
	}
	return false;
}

/* A job queue takes whatever is free: nothing repeats there. */
static bool
skips_locked(QueryDesc *query)
{
	ListCell   *lc;

	foreach(lc, query->plannedstmt->rowMarks)
	{
		if (lfirst_node(PlanRowMark, lc)->waitPolicy == LockWaitSkip)
			return true;
	}
	return false;
}

/* Leave out what is known by catalog columns: drivers look there. */
static void
drop_catalog_predicates(PgvChild *child)
{
	int			n = 0;

	for (int i = 0; i < child->npredicates; i++)
	{
		if (child->predicates[i].relid >= FirstNormalObjectId)
			child->predicates[n++] = child->predicates[i];
	}
	child->npredicates = n;
}

/* Does a write change a row at a time, as far as its plan tells? */
static bool
writes_a_row(QueryDesc *query)
{
	Plan	   *source = outerPlan(query->plannedstmt->planTree);

	switch (query->operation)
	{
		case CMD_INSERT:
			return source != NULL && IsA(source, Result) && outerPlan(source) == NULL;
		case CMD_UPDATE:
		case CMD_DELETE:
			return true;
		default:
			return false;
	}
}

/* A statement that no result explains: whose loop would that be? */
static void
count_miss(uint64 fingerprint)
{
	for (int i = 0; bursts != NULL && i < PGV_BURSTS; i++)
	{
		if (bursts[i].serial != 0 && bursts[i].fingerprint == fingerprint)
			bursts[i].missed++;
	}
}

/* Find whose rows the statement is repeated for, if any. */
static void
attribute(PgvWatch *watch, PgvChild *child)
{
	find_candidates(child);
	if (child->ncandidates > 0)
		credit_candidates(watch, child);
	else
		add_credit(watch, credit_beyond_sample(child));
	if (watch->ncredits > 0)
		judge(watch, child);
	else
		count_miss(child->ref->fingerprint);
}

/* Is what the statement was credited to a finding? */
static bool
is_explained(const PgvWatch *watch)
{
	return watch->ncredits > 0 && bursts[watch->credits[0].burst].finding;
}

/*
 * The first repeat for the rows of a result: was it the only one for those of
 * an execution of the parent before?  Then somebody looks at a list, and at
 * one row of it, again and again.
 */
static const PgvBurst *
only_one_before(const PgvBurst *b)
{
	for (int i = 0; i < PGV_BURSTS; i++)
	{
		const PgvBurst *o = &bursts[i];

		if (o != b && o->serial != 0 && o->repeats == 1 &&
			o->fingerprint == b->fingerprint && o->group != b->group &&
			o->parent_fingerprint == b->parent_fingerprint &&
			o->link.child_relid == b->link.child_relid &&
			o->link.child_attno == b->link.child_attno)
			return o;
	}
	return NULL;
}

/*
 * Does nothing speak for a loop that the statement would belong to?  other: it
 * came with other values before.
 */
static bool
leads_nowhere(const PgvWatch *watch, bool *other)
{
	*other = false;
	for (int i = 0; i < watch->ncredits; i++)
	{
		const PgvBurst *b = &bursts[watch->credits[i].burst];
		const PgvBurst *before = NULL;

		if (b->finding || b->distinct > 1 ||
			(b->repeats == 1 && (before = only_one_before(b)) == NULL))
			return false;
		*other |= (before != NULL && before->values[0] != b->values[0]);
	}
	return true;
}

/*
 * Of a statement that no result explains: is it a step of a walk, or one of a
 * loop?
 */
static void
follow_loops(PgvWatch *watch, QueryDesc *query, const PgvChild *child,
			 uint64 key, bool known)
{
	bool		reads = (query->operation == CMD_SELECT);
	uint64		walk = 0;

	if (reads && known && child->npredicates > 0)
		walk = pgv_walks_step(&watch->walk, child->ref->fingerprint,
							  child->predicates, child->npredicates,
							  child->arrival);
	if (walk != 0)
		pgv_routine_wake(child->ref->fingerprint);
	if (walk != 0 && watch->ncredits == 0)
		watch->capture.burst = walk;
	if (walk != 0 || (reads && (watch->ncredits > 0 || child->ncandidates > 0)) ||
		(known && child->npredicates == 0 && query->operation != CMD_INSERT))
		return;
	if (reads ? reads_tables(query) : writes_a_row(query))
		pgv_loops_count(&watch->loop, query, child->ref->fingerprint, key,
						child->arrival);
}

/*
 * One lookup after the other of the same statement, hundreds of them, outside
 * a transaction and for the rows of no result: so long as that goes on, only
 * every fourth stretch of them is looked at for more than its number.
 */
static bool
is_monotonous(const PgvStatementRef *ref, bool reads)
{
	static PGV_HOT_DATA uint64 fingerprint = 0;
	static PGV_HOT_DATA uint32 run = 0;

	if (fingerprint != ref->fingerprint || !reads || pgv_producers_any() ||
		IsTransactionBlock())
	{
		fingerprint = ref->fingerprint;
		run = 0;
		return false;
	}
	return ++run > PGV_MONOTONOUS && run % PGV_MONOTONOUS >= PGV_MONOTONOUS / 4;
}

/* A statement that may be a repeat. */
static pg_attribute_hot void
follow_child(PgvWatch *watch, QueryDesc *query, const PgvStatementRef *ref)
{
	bool		reads = (query->operation == CMD_SELECT);
	bool		across = reads && unlikely(pgv_n_plus_one_across_sessions);
	bool		known;
	bool		other;
	uint64		key;
	PgvChild	child;

	if (is_monotonous(ref, reads) && !across)
	{
		pgv_loops_glance(&watch->loop, ref->fingerprint, &watch->arrival);
		return;
	}
	key = ref->fingerprint ^ pgv_values_parameters(query);
	pgv_loops_step(ref->fingerprint, watch->arrival.wait_ms);
	watch->walk.key = key;
	child.ref = ref;
	child.arrival = &watch->arrival;
	child.writes = !reads;
	child.inserts = (query->operation == CMD_INSERT);
	child.ncandidates = child.npredicates = 0;

	/*
	 * predicates cost a walk over the plan: only where they can tell
	 * something
	 */
	known = pgv_producers_any() ||
		(reads && (IsTransactionBlock() || pgv_walks_wants(ref->fingerprint, child.arrival)));
	if (known || across)
	{
		child.npredicates = pgv_values_predicates(query, child.predicates);
		drop_catalog_predicates(&child);
	}
	if (across)
		pgv_across_note(&watch->across, child.predicates, child.npredicates);
	if (child.npredicates > 0 && pgv_producers_any())
		attribute(watch, &child);
	if (watch->ncredits > 0)
		watch->capture.burst = watch->credits[0].serial;
	if (!is_explained(watch))
		follow_loops(watch, query, &child, key, known);
	if (leads_nowhere(watch, &other))
		pgv_signs_stray(ref->fingerprint, key, other);
	if (reads && reads_tables(query))
		watch->capture.want_checksum = pgv_duplicates_start(&watch->same, query,
															ref->fingerprint, key,
															&watch->arrival);
	if (watch->capture.want_checksum)
		pgv_routine_wake(ref->fingerprint);
}

/*
 * Is it a lookup that nothing known can be the reason for, of a statement for
 * which there never was any?
 */
static bool
is_routine(QueryDesc *query, const PgvStatementRef *ref)
{
	return query->operation == CMD_SELECT && !pgv_producers_any() &&
		!pgv_n_plus_one_across_sessions &&
		pgv_n_plus_one_action == PGV_ACTION_OFF && !IsTransactionBlock() &&
		pgv_is_lookup(query) && pgv_routine_passes(ref->fingerprint);
}

/* It is not, or something may follow from its rows. */
static pg_noinline pg_attribute_hot void
start_watch(PgvWatch *watch, QueryDesc *query, const PgvStatementRef *ref,
			const PgvArrival *arrival, bool child, bool text_kept)
{
	pgv_watch_clear(watch);
	if (skips_locked(query))
	{
		/* it is no repeat, but what follows may be for its rows */
		pgv_signs.queues++;
		pgv_loops_interrupt();
		child = false;
	}
	watch->watched = true;
	watch->same.place = -1;
	watch->arrival = *arrival;
	watch->capture.fingerprint = ref->fingerprint;
	watch->capture.queryid = ref->queryid;
	anything = true;
	pgv_shape_of(query, ref->queryid, &watch->capture);
	if (!text_kept && watch->capture.shape->ncolumns > 0)
		watch->capture.holds_text = pgv_identity_reference_text(ref);
	if (child)
		follow_child(watch, query, ref);
}

void
pgv_nplusone_start(PgvWatch *watch, QueryDesc *query, const PgvStatementRef *ref,
				   const PgvArrival *arrival, bool child, bool text_kept)
{
	check_session(ref, arrival);
	pgv_signs.statements++;
	if (child && is_routine(query, ref))
		pgv_loops_step(ref->fingerprint, arrival->wait_ms);
	else
		start_watch(watch, query, ref, arrival, child, text_kept);
}

/* A burst that the execution was credited to; NULL if it is gone. */
static PgvBurst *
credited(const PgvWatch *watch, int i)
{
	PgvBurst   *b;

	if (i >= watch->ncredits || bursts == NULL)
		return NULL;
	b = &bursts[watch->credits[i].burst];
	return b->serial == watch->credits[i].serial ? b : NULL;
}

pg_noinline pg_attribute_hot DestReceiver *
pgv_nplusone_run(PgvWatch *watch, QueryDesc *query, const PgvStatementRef *ref,
				 bool growing)
{
	PgvBurst   *b;

	if (watch->tell && pgv_n_plus_one_action != PGV_ACTION_OFF &&
		(b = credited(watch, 0)) != NULL)
	{
		watch->tell = false;
		report_burst(b, query, ref);
		pgv_tell(kind_of(b), b->fingerprint, b->repeats, b->parent_fingerprint);
	}
	pgv_walks_run(&watch->walk, query, ref);
	pgv_loops_run(&watch->loop, query, ref);
	if (watch->capture.shape->ncolumns == 0 && !watch->capture.want_checksum)
		return query->dest;
	return pgv_capture_begin(&watch->capture, query->dest, growing);
}

/* Keep alive what a repeat belongs to, up to the outermost loop. */
static void
refresh(PgvBurst *b, TimestampTz now)
{
	for (int depth = 0; b != NULL && depth < 8; depth++)
	{
		PgvResult  *r = pgv_producers_by_serial(b->result);

		b->last = now;
		if (r != NULL)
			pgv_producers_touch(r, now);
		b = burst_by_serial(b->root);
	}
}

/* Let other sessions know of a finished SELECT. */
static void
tell_others(const PgvWatch *watch, const PgvStatementRef *ref,
			const PgvUsage *usage, uint64 rows, TimestampTz now)
{
	const PgvResult *result = NULL;

	if (watch->capture.serial != 0 && watch->capture.result >= 0)
		result = pgv_producers_by_serial(watch->capture.serial);
	if (watch->across.npredicates > 0)
		pgv_across_lookup(&watch->across, ref, &watch->arrival, usage, rows,
						  is_explained(watch));
	if (result != NULL)
		pgv_across_result(result, ref, &watch->arrival, now,
						  watch->across.npredicates > 0);
}

pg_noinline pg_attribute_hot void
pgv_nplusone_ran(PgvWatch *watch, QueryDesc *query, const PgvStatementRef *ref,
				 const PgvUsage *usage, uint64 rows, TimestampTz now,
				 bool complete)
{
	if (watch->capture.serial != 0)
	{
		watch->capture.growing &= !complete;
		/* what is fetched by name is fetched on, a single row at first */
		if (watch->capture.growing && ActivePortal != NULL && *ActivePortal->name != '\0')
			pgv_capture_grow(&watch->capture);
		pgv_capture_end(&watch->capture, now);
	}
	for (int i = 0; i < watch->ncredits; i++)
	{
		PgvBurst   *b = credited(watch, i);

		if (b == NULL)
			continue;
		refresh(b, now);
		if (complete)
			pgv_tally_usage(&b->tally, usage, rows);
		if (b->finding)
			report_burst(b, query, ref);
	}
	if (!complete)
		return;
	if (unlikely(pgv_n_plus_one_across_sessions) && query->operation == CMD_SELECT)
		tell_others(watch, ref, usage, rows, now);
	pgv_loops_ran(&watch->loop, query, ref, usage, rows, now);
	if (query->operation == CMD_SELECT && watch->capture.shape->ncolumns > 0 &&
		watch->same.place >= 0)
		pgv_walks_ran(&watch->walk, query, ref, &watch->arrival, &watch->capture,
					  usage, rows, now);
	if (watch->same.place >= 0)
		pgv_duplicates_end(&watch->same, query, ref, &watch->arrival,
						   &watch->capture, usage, rows, now);
}
