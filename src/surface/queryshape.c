/*-------------------------------------------------------------------------
 *
 * queryshape.c
 *	  What a statement does with its parameters, as parse analysis tells.
 *
 * A walk over the analysed query finds each "column = $n", at whatever depth,
 * in whatever order of operands, under casts that nobody wrote, as = ANY, and
 * notes which of them are conditions of the top query that every row must
 * meet.  A column is followed through views, subqueries and joins to its
 * table, where keys are known.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "surface/queryshape.h"

/* ----- where a column comes from ----- */

#define MAX_STEPS 32			/* through views of views */

static bool var_origin(const Query *query, const Var *var, int steps,
					   Oid *relid, AttrNumber *attno);

/* The origin of an expression of a query's own level. */
static bool
expression_origin(const Query *query, Node *node, int steps,
				  Oid *relid, AttrNumber *attno)
{
	node = node != NULL ? strip_implicit_coercions(node) : NULL;
	return node != NULL && IsA(node, Var) && ((Var *) node)->varlevelsup == 0 &&
		var_origin(query, (Var *) node, steps, relid, attno);
}

static bool
output_origin(const Query *query, AttrNumber resno, int steps,
			  Oid *relid, AttrNumber *attno)
{
	TargetEntry *target;

	if (query->setOperations != NULL)
		return false;
	target = get_tle_by_resno(query->targetList, resno);
	return target != NULL &&
		expression_origin(query, (Node *) target->expr, steps, relid, attno);
}

/* The query of a CTE of this query's own; NULL: it is of one further out. */
static Query *
cte_query(const Query *query, const RangeTblEntry *rte)
{
	ListCell   *lc;

	foreach(lc, query->cteList)
	{
		CommonTableExpr *cte = lfirst(lc);

		if (rte->ctelevelsup == 0 && strcmp(cte->ctename, rte->ctename) == 0)
			return IsA(cte->ctequery, Query) ? (Query *) cte->ctequery : NULL;
	}
	return NULL;
}

static bool
var_origin(const Query *query, const Var *var, int steps,
		   Oid *relid, AttrNumber *attno)
{
	RangeTblEntry *rte;
	bool		found = false;

	if (steps <= 0 || var->varno <= 0 || var->varno > list_length(query->rtable) ||
		var->varattno <= 0)
		return false;
	rte = rt_fetch(var->varno, query->rtable);
	if (rte->rtekind == RTE_SUBQUERY)
		return output_origin(rte->subquery, var->varattno, steps - 1, relid, attno);
	if (rte->rtekind == RTE_CTE)
	{
		Query	   *cte = cte_query(query, rte);

		return cte != NULL && cte->commandType == CMD_SELECT &&
			output_origin(cte, var->varattno, steps - 1, relid, attno);
	}
	if (rte->rtekind == RTE_JOIN && var->varattno <= list_length(rte->joinaliasvars))
		return expression_origin(query, list_nth(rte->joinaliasvars, var->varattno - 1),
								 steps - 1, relid, attno);
	if (var->varattno <= list_length(PGV_GROUP_EXPRESSIONS(rte)))
		return expression_origin(query, list_nth(PGV_GROUP_EXPRESSIONS(rte), var->varattno - 1),
								 steps - 1, relid, attno);
	if (rte->rtekind != RTE_RELATION)
		return false;
	if (rte->relkind == RELKIND_VIEW)
	{
		Relation	view = try_relation_open(rte->relid, AccessShareLock);

		if (view == NULL)
			return false;
		found = output_origin(get_view_query(view), var->varattno, steps - 1,
							  relid, attno);
		relation_close(view, NoLock);
		return found;
	}
	*relid = rte->relid;
	*attno = var->varattno;
	return true;
}

bool
pgv_query_origin(const Query *query, const TargetEntry *target,
				 Oid *relid, AttrNumber *attno)
{
	return expression_origin(query, (Node *) target->expr, MAX_STEPS, relid, attno);
}

char *
pgv_column_text(Oid relid, AttrNumber attno)
{
	char	   *table = OidIsValid(relid) ? get_rel_name(relid) : NULL;
	char	   *column = OidIsValid(relid) ? get_attname(relid, attno, true) : NULL;

	if (table == NULL || column == NULL)
		return NULL;
	return psprintf("%s.%s", quote_identifier(table), quote_identifier(column));
}

/* ----- parameters ----- */

typedef struct PgvParamWalk
{
	Bitmapset  *all;
	Bitmapset  *in_limit;
} PgvParamWalk;

static bool
param_walker(Node *node, void *arg)
{
	PgvParamWalk *walk = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Param))
	{
		Param	   *param = (Param *) node;

		if (param->paramkind == PARAM_EXTERN && param->paramid > 0)
			walk->all = bms_add_member(walk->all, param->paramid);
		return false;
	}
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		walk->in_limit = bms_add_members(walk->in_limit,
										 pgv_params_in(query->limitCount));
		walk->in_limit = bms_add_members(walk->in_limit,
										 pgv_params_in(query->limitOffset));
		return query_tree_walker(query, param_walker, arg, 0);
	}
	return expression_tree_walker(node, param_walker, arg);
}

Bitmapset *
pgv_params_in(const Node *node)
{
	PgvParamWalk walk = {0};

	(void) param_walker(unconstify(Node *, node), &walk);
	return walk.all;
}

/* ----- comparisons ----- */

typedef struct PgvEqualityWalk
{
	List	   *queries;		/* being walked, the innermost first */
	List	   *conditions;		/* nodes, of the outermost */
	List	   *found;
} PgvEqualityWalk;

/* The conditions joined by AND below a node. */
static List *
conditions_of(Node *node, List *list)
{
	if (node == NULL)
		return list;
	if (IsA(node, BoolExpr) && ((BoolExpr *) node)->boolop == AND_EXPR)
	{
		ListCell   *lc;

		foreach(lc, ((BoolExpr *) node)->args)
			list = conditions_of(lfirst(lc), list);
		return list;
	}
	return lappend(list, node);
}

static bool
is_equality(Oid opno, Node *left)
{
	Oid			type = exprType(left);

	return op_mergejoinable(opno, type) || op_hashjoinable(opno, type);
}

static Param *
as_param(Node *node)
{
	Param	   *param;

	node = strip_implicit_coercions(node);
	if (!IsA(node, Param))
		return NULL;
	param = (Param *) node;
	return param->paramkind == PARAM_EXTERN ? param : NULL;
}

/* A parameter that is an array, or the only element of one. */
static Param *
as_array_param(Node *node, bool *array)
{
	node = strip_implicit_coercions(node);
	*array = !IsA(node, ArrayExpr);
	if (*array)
		return as_param(node);
	if (list_length(((ArrayExpr *) node)->elements) != 1)
		return NULL;
	return as_param(linitial(((ArrayExpr *) node)->elements));
}

static void
note_equality(PgvEqualityWalk *walk, Node *comparison, Node *side, Param *param,
			  bool array, Oid opno, Oid collation)
{
	PgvEquality *equality;
	Node	   *stripped = strip_implicit_coercions(side);

	if (!IsA(stripped, Var) && !contain_var_clause(stripped))
		return;
	equality = palloc0(sizeof(PgvEquality));
	equality->param = param->paramid;
	equality->array = array;
	equality->conjunct = list_member_ptr(walk->conditions, comparison);
	equality->type = array ? get_element_type(param->paramtype) : param->paramtype;
	equality->opno = opno;
	equality->collation = collation;
	if (IsA(stripped, Var))
	{
		Var		   *var = (Var *) stripped;

		if (equality->conjunct && var->varlevelsup == 0)
		{
			equality->column = var;
			while (IsA(side, RelabelType))
				side = (Node *) ((RelabelType *) side)->arg;
			equality->exact = (side == stripped);
		}
		if (var->varlevelsup < list_length(walk->queries))
			(void) var_origin(list_nth(walk->queries, var->varlevelsup), var,
							  MAX_STEPS, &equality->relid, &equality->attno);
	}
	walk->found = lappend(walk->found, equality);
}

static void
note_operator(PgvEqualityWalk *walk, OpExpr *op)
{
	Node	   *left;
	Node	   *right;

	if (list_length(op->args) != 2)
		return;
	left = linitial(op->args);
	right = lsecond(op->args);
	if (!is_equality(op->opno, left))
		return;
	if (as_param(right) != NULL)
		note_equality(walk, (Node *) op, left, as_param(right), false,
					  op->opno, op->inputcollid);
	else if (as_param(left) != NULL)
		note_equality(walk, (Node *) op, right, as_param(left), false,
					  op->opno, op->inputcollid);
}

static void
note_any(PgvEqualityWalk *walk, ScalarArrayOpExpr *op)
{
	Node	   *left = linitial(op->args);
	bool		array;
	Param	   *param = as_array_param(lsecond(op->args), &array);

	if (op->useOr && param != NULL && is_equality(op->opno, left))
		note_equality(walk, (Node *) op, left, param, array,
					  op->opno, op->inputcollid);
}

static bool
equality_walker(Node *node, void *arg)
{
	PgvEqualityWalk *walk = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		List	   *outer = walk->queries;

		walk->queries = lcons(node, list_copy(outer));
		(void) query_tree_walker((Query *) node, equality_walker, arg, 0);
		walk->queries = outer;
		return false;
	}
	if (IsA(node, OpExpr))
		note_operator(walk, (OpExpr *) node);
	else if (IsA(node, ScalarArrayOpExpr))
		note_any(walk, (ScalarArrayOpExpr *) node);
	return expression_tree_walker(node, equality_walker, arg);
}

PgvQueryShape *
pgv_queryshape_from_query(const char *sql, const Query *query, Oid *types, int ntypes)
{
	PgvQueryShape *shape = palloc0(sizeof(PgvQueryShape));
	PgvEqualityWalk equalities = {0};
	PgvParamWalk params = {0};

	shape->sql = sql;
	shape->query = query;
	shape->types = types;
	shape->ntypes = ntypes;
	if (query->jointree != NULL)
		equalities.conditions = conditions_of(query->jointree->quals, NIL);
	(void) equality_walker(unconstify(Node *, (const Node *) query), &equalities);
	shape->equalities = equalities.found;
	(void) param_walker(unconstify(Node *, (const Node *) query), &params);
	shape->params = params.all;
	shape->limit_params = params.in_limit;
	if (!pgv_tokens_read(&shape->tokens, sql))
		return NULL;
	return shape;
}

PgvQueryShape *
pgv_queryshape_analyse(const char *sql, char **reason)
{
	Oid		   *types;
	int			ntypes;
	Query	   *query = pgv_sandbox_analyse(sql, &types, &ntypes, reason);
	PgvQueryShape *shape;

	if (query == NULL)
		return NULL;
	for (int i = 0; i < ntypes; i++)
	{
		/* what may be anything, the server takes as text */
		if (types[i] == UNKNOWNOID)
			types[i] = TEXTOID;
		else if (OidIsValid(types[i]) && get_typtype(types[i]) == TYPTYPE_PSEUDO)
		{
			*reason = psprintf("$%d stands for rows, or a list of rows, which no parameter can", i + 1);
			return NULL;
		}
	}
	shape = pgv_queryshape_from_query(sql, query, types, ntypes);
	if (shape == NULL)
		*reason = "its stored text is not whole";
	return shape;
}

PgvEquality *
pgv_queryshape_condition(const PgvQueryShape *shape, int param)
{
	PgvEquality *found = NULL;
	ListCell   *lc;

	foreach(lc, shape->equalities)
	{
		PgvEquality *equality = lfirst(lc);

		if (equality->param != param)
			continue;
		if (found != NULL || !equality->conjunct)
			return NULL;
		found = equality;
	}
	return found;
}

/* ----- obstacles ----- */

static bool
is_volatile(Oid funcid, void *arg)
{
	if (func_volatile(funcid) != PROVOLATILE_VOLATILE)
		return false;
	*(Oid *) arg = funcid;
	return true;
}

static bool
obstacle_walker(Node *node, void *arg)
{
	char	  **obstacle = arg;
	Oid			function = InvalidOid;

	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_volatile, &function))
	{
		char	   *name = get_func_name(function);

		*obstacle = psprintf("it calls a volatile function, %s()",
							 name != NULL ? name : "dropped meanwhile");
		return true;
	}
	if (IsA(node, NextValueExpr))
	{
		*obstacle = "it draws from a sequence";
		return true;
	}
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		if (query->rowMarks != NIL)
			*obstacle = "it locks the rows (FOR UPDATE or FOR SHARE)";
		else if (query->commandType != CMD_SELECT)
			*obstacle = "it writes";
		if (*obstacle != NULL)
			return true;
		return query_tree_walker(query, obstacle_walker, arg, 0);
	}
	return expression_tree_walker(node, obstacle_walker, arg);
}

char *
pgv_query_obstacle(List *queries)
{
	char	   *obstacle = NULL;
	ListCell   *lc;

	foreach(lc, queries)
	{
		if (obstacle_walker(lfirst(lc), &obstacle))
			return obstacle;
	}
	return NULL;
}

typedef struct PgvReadsWalk
{
	Oid			relid;
	int			n;
} PgvReadsWalk;

static bool
reads_walker(Node *node, void *arg)
{
	PgvReadsWalk *walk = arg;

	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		/* EXCLUDED has the table's columns, as a composite type */
		if (rte->rtekind == RTE_RELATION && rte->relid == walk->relid &&
			rte->relkind != RELKIND_COMPOSITE_TYPE)
			walk->n++;
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, reads_walker, arg,
								 QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, reads_walker, arg);
}

int
pgv_query_reads(const Query *query, Oid relid)
{
	PgvReadsWalk walk = {relid, 0};

	(void) reads_walker(unconstify(Node *, (const Node *) query), &walk);
	return walk.n;
}

/* ----- uniqueness ----- */

/* Is the column of a unique index held by one of the comparisons? */
static bool
is_held(Relation index, int column, List *equalities)
{
	ListCell   *lc;

	foreach(lc, equalities)
	{
		PgvEquality *equality = lfirst(lc);

		if (equality->attno == index->rd_index->indkey.values[column] &&
			op_in_opfamily(equality->opno, index->rd_opfamily[column]) &&
			(!OidIsValid(index->rd_indcollation[column]) ||
			 index->rd_indcollation[column] == equality->collation))
			return true;
	}
	return false;
}

static bool
index_makes_unique(Oid indexid, List *equalities)
{
	Relation	index = index_open(indexid, AccessShareLock);
	Form_pg_index form = index->rd_index;
	bool		unique;

	unique = form->indisunique && form->indisvalid && form->indimmediate &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
	for (int i = 0; unique && i < form->indnkeyatts; i++)
		unique = is_held(index, i, equalities);
	index_close(index, AccessShareLock);
	return unique;
}

/* The one table of a query, a real one; NULL: it is not of that kind. */
static RangeTblEntry *
only_table(const Query *query)
{
	RangeTblEntry *rte;
	RangeTblRef *ref;

	if (query->jointree == NULL || list_length(query->jointree->fromlist) != 1 ||
		!IsA(linitial(query->jointree->fromlist), RangeTblRef))
		return NULL;
	ref = linitial(query->jointree->fromlist);
	rte = rt_fetch(ref->rtindex, query->rtable);
	if (rte->rtekind != RTE_RELATION ||
		(rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_PARTITIONED_TABLE))
		return NULL;
	return rte;
}

bool
pgv_queryshape_is_unique(const PgvQueryShape *shape, List *equalities)
{
	RangeTblEntry *rte = only_table(shape->query);
	Relation	rel;
	bool		unique = false;
	ListCell   *lc;

	/* what inherits from a table has indexes of its own */
	if (rte == NULL || equalities == NIL ||
		(rte->relkind == RELKIND_RELATION && rte->inh && has_subclass(rte->relid)))
		return false;
	foreach(lc, equalities)
	{
		if (((PgvEquality *) lfirst(lc))->column == NULL)
			return false;
	}
	rel = try_table_open(rte->relid, AccessShareLock);
	if (rel == NULL)
		return false;
	foreach(lc, RelationGetIndexList(rel))
	{
		if (index_makes_unique(lfirst_oid(lc), equalities))
		{
			unique = true;
			break;
		}
	}
	table_close(rel, NoLock);
	return unique;
}
