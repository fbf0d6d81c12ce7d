/*-------------------------------------------------------------------------
 *
 * nodes.c
 *	  The kind "misestimates": plan nodes whose estimates were far off.
 *
 * Estimated and actual rows are compared as EXPLAIN shows them: of one loop, on
 * average, and in parallel parts of a plan of one process.  An estimate is off
 * by a factor; no rows count as one.
 *
 * What is not an estimate's fault:
 *
 *	- A node that was never executed says nothing, nor do those below it.
 *	- A node that was not run to its end (by LIMIT, EXISTS, a join that needs one
 *	  match, a merge join whose other side ended) may have had more rows to
 *	  come.  It is only ever underestimated.  What stands below a node that reads
 *	  all its input before it returns anything (a sort, a hash) was run to its
 *	  end, whatever is above.  A LIMIT that came to the end of its input stopped
 *	  nobody.
 *	- The inner side of a merge join is read again where the outer one has equal
 *	  rows, and these rows are counted again.
 *	- A plan for more workers than could be had was not the plan that ran.
 *	- Nodes that return no rows by design (INSERT and the like, bitmaps combined) or
 *	  whose rows are those of the one below (the hash of a hash join).
 *
 * A bad estimate goes up the tree; of a node with an input that is off in the
 * same direction it is said that it may be inherited.
 *
 * The walk looks at the executor's memory only; names of relations, which take
 * the catalog, are looked up for what is found, in a subtransaction (see
 * collect/plantext).  No counter is touched: whoever else reads them, finds them as
 * they were.
 *
 * When the table is full, the node that was seen least gives way.  There is no
 * residual: a sum over nodes of different plans says nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "collect/nodes.h"
#include "collect/planid.h"
#include "collect/plantext.h"
#include "collect/suspects.h"
#include "store/sane.h"
#include "store/texts.h"

#define PGV_MAX_OFF 32			/* nodes of one execution that are noted */

/* ----- the kind ----- */

static int
misestimates_limit(void)
{
	return Max(200, pgv_max_statements / 5);
}

static void
add_misestimate(PgvMisestimate *into, const PgvMisestimate *from, bool fresh)
{
	into->seen += from->seen;
	if (from->queryid != 0)
		into->queryid = from->queryid;
	if (fresh || from->last_seen >= into->last_seen)
	{
		into->last = from->last;
		into->inherited = from->inherited;
		into->last_seen = from->last_seen;
		memcpy(into->node_type, from->node_type, sizeof(into->node_type));
	}
	if (fresh || from->worst.factor > into->worst.factor)
		into->worst = from->worst;
	if (fresh || from->first_seen < into->first_seen)
		into->first_seen = from->first_seen;
}

static int
misestimates_merge(void *data, const void *delta_data, bool fresh, uint64 *surplus)
{
	PgvMisestimate *entry = data;
	const PgvMisestimate *delta = delta_data;

	add_misestimate(entry, delta, fresh);
	if (delta->relation == 0)
		return 0;
	if (entry->relation != 0)
	{
		surplus[0] = delta->relation;
		return 1;
	}
	entry->relation = delta->relation;
	return 0;
}

static int
misestimates_delta_texts(const void *data, uint64 *ids)
{
	ids[0] = ((const PgvMisestimate *) data)->relation;
	return ids[0] != 0 ? 1 : 0;
}

static int
misestimates_texts(const void *key, const void *data, uint64 *ids)
{
	return misestimates_delta_texts(data, ids);
}

static void
misestimates_lose_text(void *entry, uint64 id)
{
	((PgvMisestimate *) entry)->relation = 0;
}

/* Each doubling of sightings, and of the factor, makes an entry last. */
static int
misestimates_worth(const void *data)
{
	const PgvMisestimate *entry = data;
	int			seen = pg_leftmost_one_pos64((uint64) Max(entry->seen, 1));
	int			factor = pg_leftmost_one_pos64((uint64) Max(Min(entry->worst.factor, 1e15), 1));

	return Min(UINT8_MAX, seen * 4 + factor * 2);
}

static void
misestimates_clear(void *entry)
{
	memset(entry, 0, sizeof(PgvMisestimate));
}

static bool
estimate_valid(const PgvEstimate *e)
{
	const double figures[] = {e->estimated, e->actual, e->factor, e->loops};

	return pgv_sane_times(figures, lengthof(figures));
}

static bool
misestimates_valid(const void *key_data, const void *data)
{
	const PgvMisestimateKey *key = key_data;
	const PgvMisestimate *entry = data;

	return key->fingerprint != 0 && key->planid != 0 &&
		(key->direction == PGV_UNDERESTIMATED || key->direction == PGV_OVERESTIMATED) &&
		key->node <= PG_INT32_MAX &&
		pgv_sane_bool(&entry->inherited) && pgv_sane_count(entry->seen) &&
		estimate_valid(&entry->last) && estimate_valid(&entry->worst) &&
		pgv_sane_instant(entry->first_seen) && pgv_sane_instant(entry->last_seen) &&
		pgv_sane_string(entry->node_type, sizeof(entry->node_type));
}

const PgvKind pgv_kind_misestimates = {
	.name = "misestimates",
	.version = 1,
	.key_size = sizeof(PgvMisestimateKey),
	.entry_size = sizeof(PgvMisestimate),
	.since_offset = offsetof(PgvMisestimate, stats_since),
	.limit = misestimates_limit,
	.merge = misestimates_merge,
	.texts = misestimates_texts,
	.delta_texts = misestimates_delta_texts,
	.lose_text = misestimates_lose_text,
	.worth = misestimates_worth,
	.clear = misestimates_clear,
	.valid = misestimates_valid,
};

/* ----- the walk ----- */

typedef struct PgvOff
{
	PlanState  *node;
	PgvDirection direction;
	bool		inherited;
	PgvEstimate estimate;
} PgvOff;

typedef struct PgvJudge
{
	const PgvStatementRef *ref;
	uint64		planid;
	int			n;
	PgvOff		off[PGV_MAX_OFF];
} PgvJudge;

/* What a node's surroundings leave of its counts. */
typedef struct PgvRun
{
	bool		stopped;		/* it may not have been run to its end */
	bool		repeated;		/* its rows may count several times */
} PgvRun;

static int	judge_node(PgvJudge *j, PlanState *node, PgvRun run);

bool
pgv_nodes_counted(QueryDesc *query)
{
	return query->planstate != NULL && query->planstate->instrument != NULL;
}

/* Loops, the one that is not closed included. */
static inline double
loops_of(const PlanState *node)
{
	return node->instrument->nloops + (node->instrument->running ? 1 : 0);
}

static inline double
rows_of(const PlanState *node)
{
	return node->instrument->ntuples + node->instrument->tuplecount;
}

static bool
has_estimate(const PlanState *node)
{
	switch (nodeTag(node))
	{
		case T_ModifyTableState:
		case T_BitmapAndState:
		case T_BitmapOrState:
		case T_HashState:
			return false;
		default:
			return node->plan->plan_rows > 0;
	}
}

/* Did a LIMIT come to the end of its input? */
static bool
is_exhausted(const PlanState *node)
{
	const LimitState *limit = (const LimitState *) node;

	/* empty: there was no row, or none was asked for */
	return loops_of(node) == 1 &&
		(limit->lstate == LIMIT_SUBPLANEOF ||
		 (limit->lstate == LIMIT_EMPTY && (limit->noCount || limit->count > 0)));
}

static bool
needs_one_match(const PlanState *join)
{
	const Join *plan = (const Join *) join->plan;

	return plan->inner_unique || plan->jointype == JOIN_SEMI || plan->jointype == JOIN_ANTI;
}

/* A hash join with an empty hash table does not go on with the other side. */
static bool
is_hash_empty(const PlanState *join)
{
	const PlanState *hash = innerPlanState(join);

	return hash->instrument == NULL || rows_of(hash) == 0;
}

static bool
reads_all(const PlanState *node)
{
	switch (nodeTag(node))
	{
		case T_SortState:
		case T_HashState:
		case T_ModifyTableState:
		case T_BitmapHeapScanState:
		case T_BitmapAndState:
		case T_BitmapOrState:
			return true;
		case T_AggState:
			return ((const Agg *) node->plan)->aggstrategy == AGG_PLAIN ||
				((const Agg *) node->plan)->aggstrategy == AGG_HASHED;
		default:
			return false;
	}
}

/* Were there fewer workers than the plan was made for? */
static bool
lacks_workers(const PlanState *node)
{
	if (IsA(node, GatherState))
		return ((const GatherState *) node)->nworkers_launched < ((const Gather *) node->plan)->num_workers;
	if (IsA(node, GatherMergeState))
		return ((const GatherMergeState *) node)->nworkers_launched < ((const GatherMerge *) node->plan)->num_workers;
	return false;
}

static int
judge_array(PgvJudge *j, PlanState **nodes, int n, PgvRun run)
{
	int			off = 0;

	for (int i = 0; i < n; i++)
		off |= judge_node(j, nodes[i], run);
	return off;
}

static int
judge_custom(PgvJudge *j, List *nodes)
{
	PgvRun		run = {true, true};
	int			off = 0;
	ListCell *lc;

	foreach(lc, nodes)
		off |= judge_node(j, lfirst(lc), run);
	return off;
}

/* Inputs that are not the left and the right one. */
static int
judge_others(PgvJudge *j, PlanState *node, PgvRun run)
{
	switch (nodeTag(node))
	{
		case T_AppendState:
			return judge_array(j, ((AppendState *) node)->appendplans,
							   ((AppendState *) node)->as_nplans, run);
		case T_MergeAppendState:
			return judge_array(j, ((MergeAppendState *) node)->mergeplans,
							   ((MergeAppendState *) node)->ms_nplans, run);
		case T_BitmapAndState:
			return judge_array(j, ((BitmapAndState *) node)->bitmapplans,
							   ((BitmapAndState *) node)->nplans, run);
		case T_BitmapOrState:
			return judge_array(j, ((BitmapOrState *) node)->bitmapplans,
							   ((BitmapOrState *) node)->nplans, run);
		case T_SubqueryScanState:
			return judge_node(j, ((SubqueryScanState *) node)->subplan, run);
		case T_CustomScanState:
			return judge_custom(j, ((CustomScanState *) node)->custom_ps);
		default:
			return 0;
	}
}

static int
judge_inputs(PgvJudge *j, PlanState *node, PgvRun run)
{
	PgvRun		outer = {run.stopped && !reads_all(node), false};
	PgvRun		inner = outer;

	switch (nodeTag(node))
	{
		case T_LimitState:
			outer.stopped = !is_exhausted(node);
			break;
		case T_WindowAggState:
			outer.stopped |= ((const WindowAgg *) node->plan)->runCondition != NIL;
			break;
		case T_NestLoopState:
			inner.stopped |= needs_one_match(node);
			break;
		case T_HashJoinState:
			outer.stopped |= is_hash_empty(node);
			break;
		case T_MergeJoinState:
			outer.stopped = inner.stopped = inner.repeated = true;
			break;
		default:
			break;
	}
	return judge_others(j, node, outer) |
		judge_node(j, outerPlanState(node), outer) |
		judge_node(j, innerPlanState(node), inner);
}

/* Subqueries in expressions are inputs of nobody. */
static void
judge_subplans(PgvJudge *j, List *subplans)
{
	ListCell *lc;

	foreach(lc, subplans)
	{
		SubPlanState *state = lfirst(lc);
		const SubPlan *plan = state->subplan;
		PgvRun		run = {!plan->useHashTable && plan->subLinkType != EXPR_SUBLINK &&
		plan->subLinkType != ARRAY_SUBLINK && plan->subLinkType != ROWCOMPARE_SUBLINK, false};

		judge_node(j, state->planstate, run);
	}
}

static void
note_off(PgvJudge *j, PlanState *node, const PgvEstimate *estimate,
		 PgvDirection direction, bool inherited)
{
	PgvOff	   *off;

	if (j->n == PGV_MAX_OFF)
		return;
	off = &j->off[j->n++];
	off->node = node;
	off->direction = direction;
	off->inherited = inherited;
	off->estimate = *estimate;
}

/*
 * Judge a node and what is below it.  Returns the directions, as bits, in which
 * it is off; where it has no estimate of its own, in which its inputs are.
 */
static int
judge_node(PgvJudge *j, PlanState *node, PgvRun run)
{
	PgvEstimate e;
	PgvDirection direction;
	int			below;

	if (node == NULL || node->instrument == NULL || loops_of(node) <= 0 ||
		lacks_workers(node) || stack_is_too_deep())
		return 0;
	judge_subplans(j, node->initPlan);
	judge_subplans(j, node->subPlan);
	below = judge_inputs(j, node, run);
	if (!has_estimate(node) || run.repeated)
		return below;
	e.loops = loops_of(node);
	e.estimated = node->plan->plan_rows;
	e.actual = rows_of(node) / e.loops;
	e.factor = pgv_off_factor(e.estimated, e.actual);
	direction = e.actual > e.estimated ? PGV_UNDERESTIMATED : PGV_OVERESTIMATED;
	if (e.factor < PGV_OFF_FACTOR || (run.stopped && direction == PGV_OVERESTIMATED))
		return 0;
	note_off(j, node, &e, direction, (below & direction) != 0);
	return direction;
}

/* ----- what is said of a node ----- */

/* As EXPLAIN calls it. */
static void
set_type(char *type, const Plan *plan)
{
	static const char *const others[][2] = {
		{"NestLoop", "Nested Loop"}, {"Agg", "Aggregate"}, {"Material", "Materialize"},
		{"CteScan", "CTE Scan"}
	};
	const char *name = pgv_planid_operator(plan);
	int			len = 0;

	for (int i = 0; i < lengthof(others); i++)
	{
		if (strcmp(name, others[i][0]) == 0)
		{
			strlcpy(type, others[i][1], PGV_NODE_TYPE_LEN);
			return;
		}
	}
	for (const char *p = name; *p != '\0' && len < PGV_NODE_TYPE_LEN - 2; p++)
	{
		if (p > name && *p >= 'A' && *p <= 'Z')
			type[len++] = ' ';
		type[len++] = *p;
	}
	type[len] = '\0';
}

/* What it scans; NULL if that is no relation. */
static Relation
relation_of(PlanState *node)
{
	switch (nodeTag(node))
	{
		case T_BitmapIndexScanState:
			return ((BitmapIndexScanState *) node)->biss_RelationDesc;
		case T_SeqScanState:
		case T_SampleScanState:
		case T_IndexScanState:
		case T_IndexOnlyScanState:
		case T_BitmapHeapScanState:
		case T_TidScanState:
		case T_TidRangeScanState:
		case T_ForeignScanState:
			return ((ScanState *) node)->ss_currentRelation;
		default:
			return NULL;
	}
}

/* Take a reference to its name; returns the id, 0 where there is none. */
static uint64
name_relation(PlanState *node)
{
	Relation	relation = relation_of(node);
	char	   *schema;
	char	   *name;
	uint64		id;
	int			len;

	if (relation == NULL)
		return 0;
	schema = get_namespace_name(RelationGetNamespace(relation));
	name = quote_qualified_identifier(schema, RelationGetRelationName(relation));
	len = (int) strlen(name);
	id = hash_bytes_extended((const unsigned char *) name, len, MyDatabaseId);
	if (pgv_texts_reference(id) || pgv_texts_intern(id, name, len, GetDatabaseEncoding()))
		return id;
	return 0;
}

static void
store_off(const PgvJudge *j, const PgvOff *off)
{
	PgvMisestimateKey key;
	PgvMisestimate delta;

	memset(&key, 0, sizeof(key));
	memset(&delta, 0, sizeof(delta));
	key.dbid = MyDatabaseId;
	key.userid = j->ref->userid;
	key.fingerprint = j->ref->fingerprint;
	key.planid = j->planid;
	key.node = (uint32) off->node->plan->plan_node_id;
	key.direction = off->direction;
	delta.queryid = j->ref->queryid;
	delta.seen = 1;
	delta.last = delta.worst = off->estimate;
	delta.inherited = off->inherited;
	delta.first_seen = delta.last_seen = GetCurrentTimestamp();
	set_type(delta.node_type, off->node->plan);
	delta.relation = name_relation(off->node);
	pgv_store_merge(&pgv_kind_misestimates, &key, &delta);
}

static bool
store_all(void *arg)
{
	const PgvJudge *j = arg;

	for (int i = 0; i < j->n; i++)
		store_off(j, &j->off[i]);
	return true;
}

bool
pgv_nodes_judge(QueryDesc *query, const PgvStatementRef *ref, uint64 planid)
{
	PgvJudge	j;
	PgvRun		run = {false, false};

	j.ref = ref;
	j.planid = planid;
	j.n = 0;
	judge_node(&j, query->planstate, run);
	if (j.n > 0)
		pgv_plantext_guard(store_all, &j);
	return j.n > 0;
}
