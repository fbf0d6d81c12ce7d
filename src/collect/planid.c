/*-------------------------------------------------------------------------
 *
 * planid.c
 *	  Which plan is this?  An identity of plan trees.
 *
 * Two hashes.  The quick one is taken at every execution: of the tree's shape,
 * by OIDs and the lengths of lists of conditions.  Of one statement, two plans
 * that differ in their conditions differ in one of these, for the statement
 * says what the conditions are, and the plan where they are checked.  A table,
 * private to the backend and of fixed size, maps it, with the statement, to the
 * other: the plan's id, which takes names and expressions.  What is pushed out
 * is made once more; nothing depends on what is remembered.
 *
 * A plan may be new in each backend, so its id takes few looks at the catalog:
 * names of relations come from the cache entries that the query holds open,
 * names of columns from the range table.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "collect/planid.h"

#define PGV_PLANS 2048			/* power of two */
#define PGV_MIX UINT64CONST(0x9E3779B97F4A7C15)
#define PGV_MAX_DEPTH 200		/* of what is followed, one from another */

/* Hashes of what has no name. */
#define PGV_NO_PLAN UINT64CONST(0x6E6F6E65)
#define PGV_CONSTANT UINT64CONST(0x636F6E73)
#define PGV_EXEC_PARAM UINT64CONST(0x65786563)
#define PGV_SUBPLAN UINT64CONST(0x73756270)
#define PGV_EXPRESSION UINT64CONST(0x65787072)

typedef struct PgvKnownPlan
{
	uint64		key;			/* quick hash and statement; 0: free */
	uint64		planid;
	uint8		text;			/* a PgvPlanText */
} PgvKnownPlan;

static PgvKnownPlan known[PGV_PLANS];

static inline uint64
mix(uint64 h, uint64 value)
{
	h = (h ^ value) * PGV_MIX;
	return h ^ (h >> 32);
}

/* ----- the quick hash ----- */

static uint64 quick_plan(uint64 h, const Plan *plan, const PlannedStmt *stmt);

static inline uint64
quick_relation(uint64 h, const Plan *plan, const PlannedStmt *stmt)
{
	Index		relid = ((const Scan *) plan)->scanrelid;

	return relid == 0 ? h : mix(h, rt_fetch(relid, stmt->rtable)->relid);
}

static uint64
quick_list(uint64 h, List *plans, const PlannedStmt *stmt)
{
	ListCell *lc;

	foreach(lc, plans)
		h = quick_plan(h, lfirst(lc), stmt);
	return mix(h, list_length(plans));
}

static uint64
quick_columns(uint64 h, int n, const AttrNumber *columns)
{
	for (int i = 0; i < n; i++)
		h = mix(h, (uint64) (columns[i] + 1));
	return h;
}

static uint64
quick_join(uint64 h, const Plan *plan)
{
	h = mix(h, ((const Join *) plan)->jointype);
	h = mix(h, list_length(((const Join *) plan)->joinqual));
	if (IsA(plan, HashJoin))
		h = mix(h, list_length(((const HashJoin *) plan)->hashclauses));
	else if (IsA(plan, MergeJoin))
		h = mix(h, list_length(((const MergeJoin *) plan)->mergeclauses));
	return h;
}

static uint64
quick_index(uint64 h, Oid index, ScanDirection direction, List *quals)
{
	return mix(h, ((uint64) index << 32) + ((uint64) (direction + 1) << 16) + list_length(quals));
}

/* What a node of this kind has that others have not; of the most frequent, see below. */
static pg_noinline uint64
quick_others(uint64 h, const Plan *plan, const PlannedStmt *stmt)
{
	switch (nodeTag(plan))
	{
		case T_SampleScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_BitmapHeapScan:
			return quick_relation(h, plan, stmt);
		case T_IndexOnlyScan:
			return quick_index(h, ((const IndexOnlyScan *) plan)->indexid,
							   ((const IndexOnlyScan *) plan)->indexorderdir,
							   ((const IndexOnlyScan *) plan)->indexqual);
		case T_BitmapIndexScan:
			return quick_index(h, ((const BitmapIndexScan *) plan)->indexid,
							   NoMovementScanDirection,
							   ((const BitmapIndexScan *) plan)->indexqual);
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return quick_join(h, plan);
		case T_Sort:
		case T_IncrementalSort:
			return quick_columns(h, ((const Sort *) plan)->numCols,
								 ((const Sort *) plan)->sortColIdx);
		case T_Agg:
			h = mix(h, ((const Agg *) plan)->aggstrategy * 64 + ((const Agg *) plan)->aggsplit);
			return quick_columns(h, ((const Agg *) plan)->numCols,
								 ((const Agg *) plan)->grpColIdx);
		case T_SetOp:
			return mix(h, ((const SetOp *) plan)->strategy);
		case T_Append:
			return quick_list(h, ((const Append *) plan)->appendplans, stmt);
		case T_MergeAppend:
			return quick_list(h, ((const MergeAppend *) plan)->mergeplans, stmt);
		case T_BitmapAnd:
			return quick_list(h, ((const BitmapAnd *) plan)->bitmapplans, stmt);
		case T_BitmapOr:
			return quick_list(h, ((const BitmapOr *) plan)->bitmapplans, stmt);
		case T_SubqueryScan:
			return quick_plan(h, ((const SubqueryScan *) plan)->subplan, stmt);
		case T_ForeignScan:
			h = mix(h, bms_hash_value(((const ForeignScan *) plan)->fs_relids));
			return quick_relation(h, plan, stmt);
		case T_CustomScan:
			h = quick_list(h, ((const CustomScan *) plan)->custom_plans, stmt);
			return quick_relation(h, plan, stmt);
		default:
			return h;
	}
}

static inline uint64
quick_details(uint64 h, const Plan *plan, const PlannedStmt *stmt)
{
	if (IsA(plan, IndexScan))
	{
		const IndexScan *scan = (const IndexScan *) plan;

		h = quick_index(h, scan->indexid, scan->indexorderdir, scan->indexqual);
		return mix(h, list_length(scan->indexorderby));
	}
	if (IsA(plan, SeqScan))
		return quick_relation(h, plan, stmt);
	return quick_others(h, plan, stmt);
}

static pg_attribute_hot uint64
quick_plan(uint64 h, const Plan *plan, const PlannedStmt *stmt)
{
	if (plan == NULL)
		return mix(h, PGV_NO_PLAN);
	h = mix(h, ((uint64) nodeTag(plan) << 32) + ((uint64) plan->parallel_aware << 31) +
			list_length(plan->qual));
	h = quick_details(h, plan, stmt);
	if (plan->lefttree == NULL && plan->righttree == NULL)
		return h;
	h = quick_plan(h, plan->lefttree, stmt);
	return quick_plan(h, plan->righttree, stmt);
}

static inline uint64
quick_hash(uint64 fingerprint, const PlannedStmt *stmt)
{
	uint64		h = quick_plan(fingerprint, stmt->planTree, stmt);

	if (unlikely(stmt->subplans != NIL))
		h = quick_list(h, stmt->subplans, stmt);
	return h | 1;
}

/* ----- the id: names ----- */

typedef struct PgvNaming
{
	const PlannedStmt *stmt;
	Index	   *parent;			/* of range table entries; 0: none */
	Oid			last;			/* the relation named last, ... */
	uint64		last_name;		/* ... and its name's hash */
} PgvNaming;

static uint64 name_plan(PgvNaming *n, const Plan *plan);

/* FNV-1a. */
static uint64
name_string(uint64 h, const char *name)
{
	uint64		sum = UINT64CONST(14695981039346656037);

	for (const char *p = name; *p != '\0'; p++)
		sum = (sum ^ (unsigned char) *p) * UINT64CONST(1099511628211);
	return mix(h, sum);
}

static uint64
name_namespace(uint64 h, Oid namespace)
{
	char	   *name;

	if (isAnyTempNamespace(namespace))
		return name_string(h, "pg_temp");
	name = get_namespace_name(namespace);
	return name != NULL ? name_string(h, name) : h;
}

/* Schema and name of a relation of which a lock is held. */
static uint64
name_relation(PgvNaming *n, Oid relid)
{
	Relation	rel;

	if (n->last == relid)
		return n->last_name;
	n->last = relid;
	n->last_name = 0;
	rel = RelationIdGetRelation(relid);
	if (RelationIsValid(rel))
	{
		n->last_name = name_namespace(0, RelationGetNamespace(rel));
		n->last_name = name_string(n->last_name, RelationGetRelationName(rel));
		RelationClose(rel);
	}
	return n->last_name;
}

static RangeTblEntry *
entry_of(const PgvNaming *n, Index relid)
{
	if (relid == 0 || relid > list_length(n->stmt->rtable))
		return NULL;
	return rt_fetch(relid, n->stmt->rtable);
}

/* The root of a partition or child; itself, if it is none. */
static Index
root_of(const PgvNaming *n, Index relid)
{
	for (int depth = 0; depth < PGV_MAX_DEPTH && n->parent[relid] != 0; depth++)
		relid = n->parent[relid];
	return relid;
}

/* Note the parents that are relations, not parts of a UNION. */
static void
note_parents(PgvNaming *n)
{
	int			size = list_length(n->stmt->rtable) + 1;
	ListCell   *lc;

	n->parent = palloc0(size * sizeof(Index));
	foreach(lc, n->stmt->appendRelations)
	{
		AppendRelInfo *info = lfirst(lc);
		RangeTblEntry *rte = entry_of(n, info->parent_relid);

		if (rte != NULL && rte->rtekind == RTE_RELATION && info->child_relid < size)
			n->parent[info->child_relid] = info->parent_relid;
	}
}

/* The name of what a node scans. */
static uint64
name_scanned(PgvNaming *n, uint64 h, Index relid)
{
	RangeTblEntry *rte = entry_of(n, relid);

	if (rte == NULL)
		return h;
	switch (rte->rtekind)
	{
		case RTE_RELATION:
			return mix(h, name_relation(n, entry_of(n, root_of(n, relid))->relid));
		case RTE_CTE:
			return name_string(h, rte->ctename);
		default:
			return h;
	}
}

/* An index of a partition: by its columns, for its name is one of many. */
static uint64
name_columns(uint64 h, Relation index)
{
	Relation	heap = RelationIdGetRelation(index->rd_index->indrelid);

	if (!RelationIsValid(heap))
		return h;
	h = mix(h, index->rd_rel->relam);
	for (int i = 0; i < index->rd_index->indnatts; i++)
	{
		AttrNumber	attno = index->rd_index->indkey.values[i];

		if (attno > 0 && attno <= RelationGetNumberOfAttributes(heap))
			h = name_string(h, NameStr(TupleDescAttr(RelationGetDescr(heap), attno - 1)->attname));
		else
			h = mix(h, PGV_EXPRESSION);
	}
	RelationClose(heap);
	return h;
}

static uint64
name_index(PgvNaming *n, uint64 h, Index relid, Oid indexid)
{
	Relation	index;

	if (relid == 0 || root_of(n, relid) == relid)
		return mix(h, name_relation(n, indexid));
	index = RelationIdGetRelation(indexid);
	if (!RelationIsValid(index))
		return h;
	h = name_columns(h, index);
	RelationClose(index);
	return h;
}

/* ----- the id: expressions ----- */

/* What is known of an expression while it is gone through. */
typedef struct PgvShape
{
	PgvNaming  *n;
	const Plan *plan;			/* that it belongs to */
	int			depth;
	uint64		h;
	bool		varies;			/* is there anything but constants in it? */
} PgvShape;

static bool shape_walker(Node *node, void *arg);

/* The input that a reference to OUTER or INNER means, as EXPLAIN finds it. */
static const Plan *
input_of(const Plan *plan, int varno)
{
	if (varno == INNER_VAR)
		return plan->righttree;
	switch (nodeTag(plan))
	{
		case T_Append:
			return linitial(((const Append *) plan)->appendplans);
		case T_MergeAppend:
			return linitial(((const MergeAppend *) plan)->mergeplans);
		case T_SubqueryScan:
			return ((const SubqueryScan *) plan)->subplan;
		case T_CustomScan:
			return ((const CustomScan *) plan)->custom_plans != NIL ?
				linitial(((const CustomScan *) plan)->custom_plans) : plan->lefttree;
		default:
			return plan->lefttree;
	}
}

static List *
own_list(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_IndexOnlyScan:
			return ((const IndexOnlyScan *) plan)->indextlist;
		case T_ForeignScan:
			return ((const ForeignScan *) plan)->fdw_scan_tlist;
		case T_CustomScan:
			return ((const CustomScan *) plan)->custom_scan_tlist;
		default:
			return NIL;
	}
}

static void
shape_column_of(PgvShape *s, const Plan *plan, List *list, int column)
{
	PgvShape	inner = *s;

	s->varies = true;
	if (plan == NULL || column < 1 || column > list_length(list) || s->depth >= PGV_MAX_DEPTH ||
		stack_is_too_deep())
	{
		s->h = mix(s->h, PGV_EXPRESSION);
		return;
	}
	inner.plan = plan;
	inner.depth++;
	shape_walker((Node *) ((TargetEntry *) list_nth(list, column - 1))->expr, &inner);
	s->h = inner.h;
}

static void
shape_var(PgvShape *s, const Var *var)
{
	RangeTblEntry *rte;

	s->varies = true;
	if (var->varno == OUTER_VAR || var->varno == INNER_VAR)
	{
		const Plan *input = input_of(s->plan, var->varno);

		shape_column_of(s, input, input != NULL ? input->targetlist : NIL, var->varattno);
		return;
	}
	if (var->varno == INDEX_VAR)
	{
		shape_column_of(s, s->plan, own_list(s->plan), var->varattno);
		return;
	}
	rte = var->varno > 0 ? entry_of(s->n, var->varno) : NULL;
	if (rte != NULL && rte->eref != NULL && var->varattno > 0 &&
		var->varattno <= list_length(rte->eref->colnames))
		s->h = name_string(s->h, strVal(list_nth(rte->eref->colnames, var->varattno - 1)));
	else
		s->h = mix(s->h, (uint64) (int64) var->varattno);
}

/* What an expression is, apart from what it is applied to. */
static uint64
shape_head(const Node *node, bool *varies)
{
	char	   *name = NULL;

	switch (nodeTag(node))
	{
		case T_OpExpr:
			name = get_opname(((const OpExpr *) node)->opno);
			break;
		case T_ScalarArrayOpExpr:
			name = get_opname(((const ScalarArrayOpExpr *) node)->opno);
			if (name != NULL && !((const ScalarArrayOpExpr *) node)->useOr)
				return name_string(PGV_EXPRESSION, name);
			break;
		case T_FuncExpr:
			name = get_func_name(((const FuncExpr *) node)->funcid);
			break;
		case T_Aggref:
			name = get_func_name(((const Aggref *) node)->aggfnoid);
			*varies = true;
			break;
		case T_BoolExpr:
			return mix(PGV_EXPRESSION, ((const BoolExpr *) node)->boolop);
		case T_NullTest:
			return mix(PGV_EXPRESSION, 8 + ((const NullTest *) node)->nulltesttype);
		case T_BooleanTest:
			return mix(PGV_EXPRESSION, 16 + ((const BooleanTest *) node)->booltesttype);
		case T_WindowFunc:
		case T_CurrentOfExpr:
			*varies = true;
			break;
		default:
			break;
	}
	return name != NULL ? name_string(0, name) : PGV_EXPRESSION;
}

/* Add an expression's shape; one without columns is a constant. */
static bool
shape_walker(Node *node, void *arg)
{
	PgvShape   *s = arg;
	PgvShape	inner = *s;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
			shape_var(s, (const Var *) node);
			return false;
		case T_Param:
			if (((const Param *) node)->paramkind == PARAM_EXEC)
			{
				s->varies = true;
				s->h = mix(s->h, PGV_EXEC_PARAM);
			}
			else
				s->h = mix(s->h, PGV_CONSTANT);
			return false;
		case T_Const:
			s->h = mix(s->h, PGV_CONSTANT);
			return false;
		case T_SubPlan:
		case T_AlternativeSubPlan:
			s->varies = true;
			s->h = mix(s->h, PGV_SUBPLAN);
			return false;
		case T_RelabelType:
			return shape_walker((Node *) ((RelabelType *) node)->arg, arg);
		case T_CollateExpr:
			return shape_walker((Node *) ((CollateExpr *) node)->arg, arg);
		case T_List:
			return expression_tree_walker(node, shape_walker, arg);
		default:
			break;
	}
	inner.varies = false;
	inner.h = shape_head(node, &inner.varies);
	if (!stack_is_too_deep())
		expression_tree_walker(node, shape_walker, &inner);
	s->h = mix(s->h, inner.varies ? inner.h : PGV_CONSTANT);
	s->varies |= inner.varies;
	return false;
}

/* Conditions that all must hold: in any order. */
static uint64
name_conditions(PgvNaming *n, uint64 h, const Plan *plan, List *conditions)
{
	ListCell *lc;
	uint64		sum = 0;

	foreach(lc, conditions)
	{
		PgvShape	s = {n, plan, 0, 0, false};

		shape_walker(lfirst(lc), &s);
		sum += s.h;
	}
	return mix(h, sum);
}

/* Columns of the input, by their place in it. */
static uint64
name_keys(PgvNaming *n, uint64 h, const Plan *plan, int count, const AttrNumber *columns)
{
	const Plan *input = input_of(plan, OUTER_VAR);

	for (int i = 0; i < count; i++)
	{
		PgvShape	s = {n, plan, 0, 0, false};

		shape_column_of(&s, input, input != NULL ? input->targetlist : NIL, columns[i]);
		h = mix(h, s.h);
	}
	return mix(h, count);
}

/* ----- the id: nodes ----- */

/* Names and not the tags' numbers, which every version has others of. */
const char *
pgv_planid_operator(const Plan *plan)
{
	switch (nodeTag(plan))
	{
#define NAME(x) case T_##x: return #x
			NAME(Result);
			NAME(ProjectSet);
			NAME(ModifyTable);
			NAME(Append);
			NAME(MergeAppend);
			NAME(RecursiveUnion);
			NAME(BitmapAnd);
			NAME(BitmapOr);
			NAME(SeqScan);
			NAME(SampleScan);
			NAME(IndexScan);
			NAME(IndexOnlyScan);
			NAME(BitmapIndexScan);
			NAME(BitmapHeapScan);
			NAME(TidScan);
			NAME(TidRangeScan);
			NAME(SubqueryScan);
			NAME(FunctionScan);
			NAME(ValuesScan);
			NAME(TableFuncScan);
			NAME(CteScan);
			NAME(NamedTuplestoreScan);
			NAME(WorkTableScan);
			NAME(ForeignScan);
			NAME(CustomScan);
			NAME(NestLoop);
			NAME(MergeJoin);
			NAME(HashJoin);
			NAME(Material);
			NAME(Memoize);
			NAME(Sort);
			NAME(IncrementalSort);
			NAME(Group);
			NAME(Agg);
			NAME(WindowAgg);
			NAME(Unique);
			NAME(Gather);
			NAME(GatherMerge);
			NAME(Hash);
			NAME(SetOp);
			NAME(LockRows);
			NAME(Limit);
#undef NAME
		default:
			return "?";
	}
}

/* All the relations of what is pushed down as one. */
static uint64
name_relations(PgvNaming *n, uint64 h, Bitmapset *relids)
{
	int			relid = -1;

	while ((relid = bms_next_member(relids, relid)) >= 0)
		h = name_scanned(n, h, (Index) relid);
	return h;
}

static uint64
name_list(PgvNaming *n, uint64 h, List *plans)
{
	ListCell *lc;

	foreach(lc, plans)
		h = mix(h, name_plan(n, lfirst(lc)));
	return mix(h, list_length(plans));
}

static uint64
name_join(PgvNaming *n, uint64 h, const Plan *plan)
{
	h = mix(h, ((const Join *) plan)->jointype);
	h = name_conditions(n, h, plan, ((const Join *) plan)->joinqual);
	if (IsA(plan, HashJoin))
		h = name_conditions(n, h, plan, ((const HashJoin *) plan)->hashclauses);
	else if (IsA(plan, MergeJoin))
		h = name_conditions(n, h, plan, ((const MergeJoin *) plan)->mergeclauses);
	return h;
}

static uint64
name_index_scan(PgvNaming *n, uint64 h, const IndexScan *scan)
{
	h = name_index(n, h, scan->scan.scanrelid, scan->indexid);
	h = mix(h, (uint64) (scan->indexorderdir + 1));
	h = name_conditions(n, h, &scan->scan.plan, scan->indexqualorig);
	return name_conditions(n, h, &scan->scan.plan, scan->indexorderbyorig);
}

static uint64
name_index_only_scan(PgvNaming *n, uint64 h, const IndexOnlyScan *scan)
{
	h = name_index(n, h, scan->scan.scanrelid, scan->indexid);
	h = mix(h, (uint64) (scan->indexorderdir + 1));
	return name_conditions(n, h, &scan->scan.plan, scan->indexqual);
}

static uint64
name_agg(PgvNaming *n, uint64 h, const Agg *agg)
{
	h = mix(h, agg->aggstrategy * 64 + agg->aggsplit);
	return name_keys(n, h, &agg->plan, agg->numCols, agg->grpColIdx);
}

static uint64
name_modify(PgvNaming *n, uint64 h, const ModifyTable *modify)
{
	h = mix(h, modify->operation * 8 + modify->onConflictAction);
	return name_scanned(n, h, modify->nominalRelation);
}

static uint64
name_functions(uint64 h, List *functions)
{
	ListCell   *lc;

	foreach(lc, functions)
	{
		Node	   *call = ((RangeTblFunction *) lfirst(lc))->funcexpr;
		char	   *name = NULL;

		if (call != NULL && IsA(call, FuncExpr))
			name = get_func_name(((FuncExpr *) call)->funcid);
		if (name != NULL)
			h = name_string(h, name);
	}
	return h;
}

/* Scans by what they scan, and with what conditions of their own. */
static uint64
name_scan(PgvNaming *n, uint64 h, const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			return name_index_scan(n, h, (const IndexScan *) plan);
		case T_IndexOnlyScan:
			return name_index_only_scan(n, h, (const IndexOnlyScan *) plan);
		case T_BitmapIndexScan:
			h = name_index(n, h, ((const Scan *) plan)->scanrelid,
						   ((const BitmapIndexScan *) plan)->indexid);
			return name_conditions(n, h, plan, ((const BitmapIndexScan *) plan)->indexqualorig);
		case T_TidScan:
			return name_conditions(n, h, plan, ((const TidScan *) plan)->tidquals);
		case T_TidRangeScan:
			return name_conditions(n, h, plan, ((const TidRangeScan *) plan)->tidrangequals);
		case T_FunctionScan:
			return name_functions(h, ((const FunctionScan *) plan)->functions);
		case T_SubqueryScan:
			return mix(h, name_plan(n, ((const SubqueryScan *) plan)->subplan));
		case T_ForeignScan:
			h = mix(h, ((const ForeignScan *) plan)->operation);
			return name_relations(n, h, ((const ForeignScan *) plan)->fs_relids);
		case T_CustomScan:
			h = name_string(h, ((const CustomScan *) plan)->methods->CustomName);
			h = name_relations(n, h, ((const CustomScan *) plan)->custom_relids);
			return name_list(n, h, ((const CustomScan *) plan)->custom_plans);
		default:
			return h;
	}
}

static bool
is_scan(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapIndexScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_CteScan:
		case T_ForeignScan:
		case T_CustomScan:
			return true;
		default:
			return false;
	}
}

static uint64
name_details(PgvNaming *n, uint64 h, const Plan *plan)
{
	if (is_scan(plan))
		return name_scan(n, name_scanned(n, h, ((const Scan *) plan)->scanrelid), plan);
	switch (nodeTag(plan))
	{
		case T_Result:
			return name_conditions(n, h, plan, (List *) ((const Result *) plan)->resconstantqual);
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return name_join(n, h, plan);
		case T_Sort:
		case T_IncrementalSort:
			return name_keys(n, h, plan, ((const Sort *) plan)->numCols,
							 ((const Sort *) plan)->sortColIdx);
		case T_Group:
			return name_keys(n, h, plan, ((const Group *) plan)->numCols,
							 ((const Group *) plan)->grpColIdx);
		case T_Agg:
			return name_agg(n, h, (const Agg *) plan);
		case T_SetOp:
			return mix(h, ((const SetOp *) plan)->cmd * 8 + ((const SetOp *) plan)->strategy);
		case T_ModifyTable:
			return name_modify(n, h, (const ModifyTable *) plan);
		case T_Append:
			return name_list(n, h, ((const Append *) plan)->appendplans);
		case T_MergeAppend:
			return name_list(n, h, ((const MergeAppend *) plan)->mergeplans);
		case T_BitmapAnd:
			return name_list(n, h, ((const BitmapAnd *) plan)->bitmapplans);
		case T_BitmapOr:
			return name_list(n, h, ((const BitmapOr *) plan)->bitmapplans);
		default:
			return h;
	}
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Are these the relations that partitions, or children, stand for? */
static bool
are_parents(const PgvNaming *n, Bitmapset *relids)
{
	int			relid = -1;

	while ((relid = bms_next_member(relids, relid)) >= 0)
	{
		RangeTblEntry *rte = entry_of(n, (Index) relid);

		if (rte == NULL || rte->rtekind != RTE_RELATION)
			return false;
	}
	return !bms_is_empty(relids);
}

/* The plans for partitions as a set; one that stands for all, by itself. */
static uint64
name_partitions(PgvNaming *n, uint64 h, List *plans)
{
	int			count = list_length(plans);
	uint64	   *hashes = palloc(count * sizeof(uint64));
	ListCell *lc;
	int			different = 0;

	foreach(lc, plans)
		hashes[foreach_current_index(lc)] = name_plan(n, lfirst(lc));
	qsort(hashes, count, sizeof(uint64), compare_hashes);
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || hashes[i] != hashes[i - 1])
			hashes[different++] = hashes[i];
	}
	if (different == 1)
		return hashes[0];
	for (int i = 0; i < different; i++)
		h = mix(h, hashes[i]);
	return h;
}

static uint64
name_plan(PgvNaming *n, const Plan *plan)
{
	uint64		h;

	if (plan == NULL || stack_is_too_deep())
		return PGV_NO_PLAN;
	h = name_string(plan->parallel_aware ? 1 : 0, pgv_planid_operator(plan));
	if (IsA(plan, Append) && ((const Append *) plan)->appendplans != NIL &&
		are_parents(n, ((const Append *) plan)->apprelids))
		return name_partitions(n, h, ((const Append *) plan)->appendplans);
	if (IsA(plan, MergeAppend) && ((const MergeAppend *) plan)->mergeplans != NIL &&
		are_parents(n, ((const MergeAppend *) plan)->apprelids))
		return name_partitions(n, h, ((const MergeAppend *) plan)->mergeplans);
	h = name_conditions(n, h, plan, plan->qual);
	h = name_details(n, h, plan);
	h = mix(h, name_plan(n, plan->lefttree));
	return mix(h, name_plan(n, plan->righttree));
}

/* A plan's id; in memory that is given back at once. */
static uint64
make_id(const PlannedStmt *stmt)
{
	PgvNaming	n = {.stmt = stmt};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_vitals plan id",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		h;

	note_parents(&n);
	h = name_plan(&n, stmt->planTree);
	if (stmt->subplans != NIL)
		h = name_list(&n, h, stmt->subplans);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return h != 0 ? h : 1;
}

/* ----- what is known ----- */

/* A new plan takes the first of its two places; who was there, the other. */
static PgvKnownPlan *
add_known(uint64 key, uint64 planid)
{
	uint32		i = (key >> 32) & (PGV_PLANS - 1);
	PgvKnownPlan *plan = &known[i];

	if (plan->key != 0)
		known[i ^ 1] = *plan;
	plan->key = key;
	plan->planid = planid;
	plan->text = PGV_PLANTEXT_UNKNOWN;
	return plan;
}

static inline PgvKnownPlan *
find_known(uint64 key)
{
	uint32		i = (key >> 32) & (PGV_PLANS - 1);

	if (likely(known[i].key == key))
		return &known[i];
	return known[i ^ 1].key == key ? &known[i ^ 1] : NULL;
}

void
pgv_planid_identify(PgvPlanRef *ref, uint64 fingerprint, const PlannedStmt *stmt)
{
	const Plan *plan = stmt->planTree;
	uint64		key = quick_hash(fingerprint, stmt);

	ref->startup_cost = plan->startup_cost;
	ref->total_cost = plan->total_cost;
	ref->rows = plan->plan_rows;
	ref->captured = false;
	ref->known = find_known(key);
	if (unlikely(ref->known == NULL))
		ref->known = add_known(key, make_id(stmt));
	ref->planid = ref->known->planid;
	ref->text = ref->known->text;
}

void
pgv_planid_set_text(PgvPlanRef *ref, PgvPlanText text)
{
	ref->text = text;
	/* another plan may have taken its place since */
	if (ref->known->planid == ref->planid)
		ref->known->text = text;
}
