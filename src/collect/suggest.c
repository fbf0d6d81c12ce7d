/*-------------------------------------------------------------------------
 *
 * suggest.c
 *	  What to do about a repeated statement, with SQL where it can be derived.
 *
 * Advice has up to four parts, joined by "; ":
 *
 *	 the statement for all values	run it once for all rows: SELECT ...
 *	 the join						or add to the parent: JOIN ...
 *	 the remedy of the ORM			in Django: select_related
 *	 a missing index				index ...: CREATE INDEX CONCURRENTLY ...
 *
 * Where the first cannot be derived from the text (see batch.c, batchwrite.c),
 * words stand in for it.  No advice is better than a wrong one: a part that is
 * not sure is left out.
 *
 * Runs when a finding is made, not for every repeat.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "collect/batchwrite.h"
#include "collect/orm.h"
#include "collect/suggest.h"

#define PGV_SMALL_TABLE 8		/* pages that are read as fast without an index */

/* ----- missing indexes ----- */

typedef struct PgvScanSearch
{
	const PlannedStmt *stmt;
	Oid			relid;
	AttrNumber	attno;
} PgvScanSearch;

static bool
compares_column(List *quals, Index scanrelid, AttrNumber attno)
{
	ListCell   *lc;

	foreach(lc, quals)
	{
		Node	   *clause = lfirst(lc);
		ListCell   *arg;
		List	   *args;

		if (IsA(clause, OpExpr))
			args = ((OpExpr *) clause)->args;
		else if (IsA(clause, ScalarArrayOpExpr))
			args = ((ScalarArrayOpExpr *) clause)->args;
		else
			continue;
		foreach(arg, args)
		{
			Node	   *node = lfirst(arg);

			while (IsA(node, RelabelType))
				node = (Node *) ((RelabelType *) node)->arg;
			if (IsA(node, Var) && ((Var *) node)->varno == scanrelid &&
				((Var *) node)->varattno == attno)
				return true;
		}
	}
	return false;
}

static bool search_scan(const PgvScanSearch *search, const Plan *plan);

static bool
search_scans(const PgvScanSearch *search, List *plans)
{
	ListCell   *lc;

	foreach(lc, plans)
	{
		if (search_scan(search, lfirst(lc)))
			return true;
	}
	return false;
}

/* Is the table read from end to end for rows that have the column's value? */
static bool
search_scan(const PgvScanSearch *search, const Plan *plan)
{
	if (plan == NULL)
		return false;
	check_stack_depth();
	switch (nodeTag(plan))
	{
		case T_SeqScan:
			{
				Index		scanrelid = ((const Scan *) plan)->scanrelid;

				return rt_fetch(scanrelid, search->stmt->rtable)->relid == search->relid &&
					compares_column(plan->qual, scanrelid, search->attno);
			}
		case T_SubqueryScan:
			return search_scan(search, ((const SubqueryScan *) plan)->subplan);
		case T_Append:
			return search_scans(search, ((const Append *) plan)->appendplans);
		case T_MergeAppend:
			return search_scans(search, ((const MergeAppend *) plan)->mergeplans);
		default:
			return search_scan(search, plan->lefttree) ||
				search_scan(search, plan->righttree);
	}
}

static bool
is_large(Oid relid)
{
	Relation	rel = pgv_glance_at(relid);
	bool		large;

	if (rel == NULL)
		return false;
	large = rel->rd_rel->relkind == RELKIND_RELATION &&
		RelationGetNumberOfBlocks(rel) > PGV_SMALL_TABLE;
	relation_close(rel, AccessShareLock);
	return large;
}

static void
append_index(StringInfo buf, const PlannedStmt *stmt, const PgvLinkColumns *link)
{
	PgvScanSearch search = {stmt, link->child_relid, link->child_attno};
	char	   *column;

	if (!OidIsValid(link->child_relid) ||
		(!search_scan(&search, stmt->planTree) && !search_scans(&search, stmt->subplans)) ||
		!is_large(link->child_relid) ||
		pgv_has_index(link->child_relid, link->child_attno))
		return;
	column = get_attname(link->child_relid, link->child_attno, true);
	if (column == NULL)
		return;
	appendStringInfoString(buf, "; no index leads to its rows: CREATE INDEX CONCURRENTLY ON ");
	pgv_append_relation(buf, link->child_relid);
	appendStringInfo(buf, " (%s)", quote_identifier(column));
}

/* ----- remedies of ORMs ----- */

/* The LIMIT of a plan if it is a constant; otherwise -1. */
static long
constant_limit(const PlannedStmt *stmt)
{
	const Plan *plan = stmt->planTree;
	const Const *limit;

	if (IsA(plan, LockRows))
		plan = plan->lefttree;
	if (!IsA(plan, Limit) || ((const Limit *) plan)->limitCount == NULL ||
		!IsA(((const Limit *) plan)->limitCount, Const))
		return -1;
	limit = (const Const *) ((const Limit *) plan)->limitCount;
	if (limit->constisnull || limit->consttype != INT8OID)
		return -1;
	/* long may have 32 bits */
	return (long) Min(DatumGetInt64(limit->constvalue), PG_INT32_MAX);
}

/*
 * The remedy for rows loaded one by one; NULL: there is none, for they are
 * the parent's own rows, read again.
 */
static const char *
orm_loading(const PgvOrm *orm, const PlannedStmt *stmt, const PgvLinkColumns *link)
{
	AttrNumber	attno = link->child_attno;

	if (link->type == PGV_LINK_SAME && list_length(stmt->rtable) == 1)
		return NULL;
	if (link->type == PGV_LINK_PARENT_REFERENCES ||
		pgv_is_unique(link->child_relid, &attno, 1))
		return orm->one;
	return orm->many;
}

static void
append_orm(StringInfo buf, const char *child, const PlannedStmt *stmt,
		   const PgvLinkColumns *link, PgvReadKind kind)
{
	const PgvOrm *orm = child != NULL ?
		pgv_orm_of(child, application_name, constant_limit(stmt)) : NULL;
	const char *remedy = NULL;

	if (orm == NULL)
		return;
	if (stmt->commandType == CMD_INSERT)
		remedy = orm->insert;
	else if (stmt->commandType == CMD_SELECT && kind == PGV_READ_COUNT)
		remedy = orm->count;
	else if (stmt->commandType == CMD_SELECT && kind != PGV_READ_EXISTS)
		remedy = orm_loading(orm, stmt, link);
	if (remedy != NULL)
		appendStringInfo(buf, "; in %s: %s", orm->name, remedy);
}

/* ----- reads ----- */

static void
append_join(StringInfo buf, const PgvLinkColumns *link)
{
	int			start = buf->len;

	if (link->type < PGV_LINK_SAME || link->child_relid == link->parent_relid)
		return;
	appendStringInfoString(buf, "; or add to the parent: JOIN ");
	if (!pgv_append_relation(buf, link->child_relid))
		goto gone;
	appendStringInfoString(buf, " ON ");
	if (!pgv_append_column(buf, link->child_relid, link->child_attno))
		goto gone;
	appendStringInfoString(buf, " = ");
	if (pgv_append_column(buf, link->parent_relid, link->parent_attno))
		return;
gone:
	/* dropped meanwhile */
	buf->len = start;
	buf->data[start] = '\0';
}

/* The statement for all values, or words; returns what it gives for each. */
static PgvReadKind
append_read(StringInfo buf, const char *child, const PlannedStmt *stmt,
			const PgvLinkColumns *link, bool alone, const char *what)
{
	PgvComparisons all;
	PgvBatchKeys keys;
	PgvReadKind kind = PGV_READ_OTHER;
	char	   *sql = NULL;

	if (child != NULL && OidIsValid(link->child_relid) &&
		pgv_comparisons_read(&all, child, stmt))
	{
		kind = pgv_read_kind(&all);
		alone |= (all.n == 1);
		if (pgv_batch_keys(&keys, &all, link, alone))
			sql = pgv_batch_read(&all, &keys, &kind);
	}
	if (sql != NULL)
		appendStringInfo(buf, "run it once for all %s: %s", what, sql);
	else
		appendStringInfoString(buf, "fetch the rows for all values in one statement, with a join or = ANY of an array");
	return kind;
}

void
pgv_suggest_batch(StringInfo buf, const char *child, const PlannedStmt *stmt,
				  const PgvLinkColumns *link, bool alone)
{
	PgvReadKind kind = append_read(buf, child, stmt, link, alone, "rows");

	/* on one column only: of a key of several that would be other rows */
	if (kind == PGV_READ_ROWS && alone)
		append_join(buf, link);
	append_orm(buf, child, stmt, link, kind);
	append_index(buf, stmt, link);
}

void
pgv_suggest_run(StringInfo buf, const char *child, const PlannedStmt *stmt,
				const PgvLinkColumns *link)
{
	PgvComparisons all;

	/* which of several values change is not known: take them all from arrays */
	append_read(buf, child, stmt, link, false, "values");
	if (child != NULL && pgv_comparisons_read(&all, child, stmt) && all.n == 1)
		append_index(buf, stmt, link);
}

void
pgv_suggest_walk(StringInfo buf, const char *child, const PlannedStmt *stmt,
				 const PgvLinkColumns *link)
{
	PgvComparisons all;
	char	   *sql = NULL;
	int			start;

	if (child != NULL && OidIsValid(link->child_relid) &&
		pgv_comparisons_read(&all, child, stmt))
		sql = pgv_batch_walk(&all, link);
	appendStringInfoString(buf, "walk all steps in one statement");
	if (sql != NULL)
		appendStringInfo(buf, ", from the first value on: %s", sql);
	else
	{
		appendStringInfoString(buf, ", WITH RECURSIVE");
		start = buf->len;
		appendStringInfoString(buf, ", from ");
		if (pgv_append_column(buf, link->parent_relid, link->parent_attno))
			appendStringInfoString(buf, " to ");
		if (!pgv_append_column(buf, link->child_relid, link->child_attno))
		{
			buf->len = start;
			buf->data[start] = '\0';
		}
	}
	append_index(buf, stmt, link);
}

/* ----- writes ----- */

static Oid
written_table(const PlannedStmt *stmt)
{
	Index		relation;

	if (!IsA(stmt->planTree, ModifyTable))
		return InvalidOid;
	/* the partitioned table, not the partitions */
	relation = ((const ModifyTable *) stmt->planTree)->nominalRelation;
	return rt_fetch(relation, stmt->rtable)->relid;
}

static void
append_insert(StringInfo buf, PgvComparisons *all, const PlannedStmt *stmt)
{
	const Plan *source = outerPlan(stmt->planTree);
	Oid			relid = written_table(stmt);
	PgvBatchInsert insert = {0};

	/* of rows that are in tables already */
	if (source != NULL && (!IsA(source, Result) || outerPlan(source) != NULL))
	{
		appendStringInfoString(buf, "insert all rows with one INSERT ... SELECT, with a join or = ANY of an array");
		return;
	}
	if (all != NULL)
		pgv_batch_insert(&insert, all, relid);
	if (insert.sql == NULL)
	{
		appendStringInfoString(buf, "insert all rows with one statement: VALUES with several rows, or COPY");
		return;
	}
	appendStringInfo(buf, "run it once for all rows: %s", insert.sql);
	if (insert.on_conflict)
		appendStringInfoString(buf, "; with DO UPDATE, give each key once");
	if (insert.copy != NULL)
		appendStringInfo(buf, "; or VALUES with several rows, or %s", insert.copy);
	else
		appendStringInfoString(buf, "; or VALUES with several rows");
}

static void
append_update(StringInfo buf, PgvComparisons *all, Oid relid)
{
	char	   *sql = all != NULL ? pgv_batch_update(all, relid) : NULL;

	if (sql != NULL)
		appendStringInfo(buf, "run it once for all rows, each key once: %s", sql);
	else
		appendStringInfoString(buf, "update all rows with one statement: UPDATE ... FROM unnest of arrays of the keys and the new values");
}

static void
append_delete(StringInfo buf, PgvComparisons *all, const PgvLinkColumns *link,
			  bool alone)
{
	PgvLinkColumns own = *link;
	PgvBatchKeys keys;
	char	   *sql = NULL;

	/* the link may be missing; there is only one column that it can be of */
	if (all != NULL && all->n == 1)
	{
		alone = true;
		own.child_relid = all->found[0].relid;
		own.child_attno = all->found[0].attno;
	}
	if (all != NULL && pgv_batch_keys(&keys, all, &own, alone))
		sql = pgv_batch_delete(all, &keys);
	if (sql != NULL)
		appendStringInfo(buf, "run it once for all rows: %s", sql);
	else
		appendStringInfoString(buf, "delete all rows with one statement, with = ANY of an array");
}

void
pgv_suggest_write(StringInfo buf, const char *child, const PlannedStmt *stmt,
				  const PgvLinkColumns *link, bool alone, bool one_transaction)
{
	PgvComparisons comparisons;
	PgvComparisons *all = NULL;
	bool		linked = link->type != PGV_LINK_UNKNOWN;

	if (child != NULL && pgv_comparisons_read(&comparisons, child, stmt))
		all = &comparisons;
	if (stmt->commandType == CMD_INSERT)
		append_insert(buf, all, stmt);
	else if (stmt->commandType == CMD_UPDATE)
		append_update(buf, all, written_table(stmt));
	else if (stmt->commandType == CMD_DELETE)
		append_delete(buf, all, link, alone && linked);
	else
		appendStringInfoString(buf, "write all rows with one statement");
	if (!one_transaction)
		appendStringInfoString(buf, "; at the least, write them in one transaction: each COMMIT waits for the disk");
	append_orm(buf, child, stmt, link, PGV_READ_OTHER);
	if (linked || (all != NULL && all->n == 1))
		append_index(buf, stmt, link);
}

/* ----- duplicates ----- */

/*
 * The only parameter of a simple lookup, compared by "="; -1: it is none.  Its
 * plan is not there to ask, so nothing but columns, tables and comparisons may
 * stand in it: no function, no subquery, nothing that counts rows or chooses
 * among them.
 */
static int
only_key(const PgvTokens *tokens)
{
	static const char *const others[] = {
		"limit", "offset", "fetch", "for", "group", "having", "distinct", "union",
		"intersect", "except", "window", "or", "not", "case", "left", "right",
		"full", NULL
	};
	int			key = -1;

	for (int i = 0; i < tokens->n; i++)
	{
		if (tokens->token[i].param == 0)
			continue;
		if (key >= 0)
			return -1;
		key = i;
	}
	if (key < 0 || !pgv_token_is(tokens, 0, "select") ||
		!pgv_token_is(tokens, key - 1, "=") || pgv_token_is(tokens, key + 1, "::") ||
		pgv_token_find(tokens, 0, 0, "(") < tokens->n ||
		pgv_has_word(tokens, 1, tokens->n, others))
		return -1;
	return key;
}

void
pgv_suggest_parallel(StringInfo buf, const char *child, int connections)
{
	PgvTokens	tokens;
	int			key = -1;

	if (child != NULL && pg_is_ascii(child) && pgv_tokens_read(&tokens, child))
		key = only_key(&tokens);
	if (key >= 0)
		appendStringInfo(buf, "run it once for all rows: %.*sANY($%d)%s",
						 tokens.token[key].start, child, tokens.token[key].param,
						 child + tokens.token[key].end);
	else
		appendStringInfoString(buf, "fetch the rows for all values in one statement, with a join or = ANY of an array");
	appendStringInfo(buf, "; the repeats came in parallel over %d connections",
					 connections);
}

void
pgv_suggest_duplicate(StringInfo buf)
{
	appendStringInfoString(buf, "keep the result: the same statement with the same parameters returned the same rows each time");
}
