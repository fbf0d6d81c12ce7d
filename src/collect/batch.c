/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  The text of a SELECT changed to read for many values at once.
 *
 *	 rows			SELECT b.* FROM b WHERE a_id = $1
 *					SELECT b.* FROM b WHERE a_id = ANY($1)
 *	 aggregates		SELECT count(*) FROM b WHERE a_id = $1
 *					SELECT a_id, count(*) FROM b WHERE a_id = ANY($1) GROUP BY a_id
 *	 existence		SELECT 1 FROM b WHERE a_id = $1 LIMIT 1
 *					SELECT DISTINCT a_id FROM b WHERE a_id = ANY($1)
 *	 all else		SELECT k.value, x.* FROM unnest($1::bigint[]) AS k(value)
 *					CROSS JOIN LATERAL (SELECT ... WHERE a_id = k.value ...) AS x
 *
 * The first three only where the comparison is a conjunct (see comparisons.c)
 * of a statement that has nothing else that would see the rows of other values:
 * told by words of the text and by nodes of the plan.  The last is right for
 * every SELECT.
 *
 * Column names are as written in the text; so is all that is not changed.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "collect/batch.h"

/* ----- what a statement does ----- */

/* Words by which a statement is more than a selection of rows. */
static const char *const breaks_any[] = {
	"limit", "offset", "fetch", "group", "having", "distinct", "union",
	"intersect", "except", "with", "over", "window", "select", NULL
};
static const char *const limits[] = {"limit", "offset", "fetch", NULL};
static const char *const writes[] = {
	"insert", "update", "delete", "merge", "into", NULL
};
static const char *const orders[] = {"order", "for", NULL};
static const char *const locks[] = {"for", NULL};
static const char *const extremes[] = {"max", "min", NULL};

/* Does the plan put rows together, so that one for all values would differ? */
static bool
combines_rows(const Plan *plan)
{
	if (plan == NULL)
		return false;
	switch (nodeTag(plan))
	{
		case T_Agg:
		case T_Group:
		case T_WindowAgg:
		case T_Unique:
		case T_SetOp:
		case T_RecursiveUnion:
			return true;
		default:
			return combines_rows(plan->lefttree) || combines_rows(plan->righttree);
	}
}

/* The tokens up to a LIMIT clause that ends the statement; all if it has none. */
static int
before_limit(const PgvTokens *tokens)
{
	return pgv_find_word(tokens, 1, limits);
}

/* "max(n)", which the planner may answer from an index, without an Agg. */
static bool
is_extreme(const PgvComparisons *all)
{
	const PgvTokens *tokens = &all->tokens;
	int			close;

	if (!IsA(all->stmt->planTree, Result) || !pgv_has_word(tokens, 1, 2, extremes) ||
		!pgv_token_is(tokens, 2, "("))
		return false;
	close = pgv_token_close(tokens, 2);
	if (pgv_token_is(tokens, close + 1, "as"))
		close += 2;
	return pgv_token_is(tokens, close + 1, "from");
}

static bool
is_aggregate(const PgvComparisons *all)
{
	const Plan *plan = all->stmt->planTree;

	if (pgv_has_word(&all->tokens, 1, all->tokens.n, breaks_any) ||
		pgv_find_word(&all->tokens, 1, orders) < all->tokens.n)
		return false;
	if (IsA(plan, Agg))
		return ((const Agg *) plan)->numCols == 0 &&
			((const Agg *) plan)->groupingSets == NIL;
	return is_extreme(all);
}

/* "SELECT $1 AS one FROM": the token of FROM; 0: it is not that. */
static int
after_constant(const PgvTokens *tokens, int select)
{
	int			i = select + 2;

	if (!pgv_token_is(tokens, select, "select") || i >= tokens->n ||
		tokens->token[select + 1].param == 0)
		return 0;
	if (pgv_token_is(tokens, i, "as"))
		i += 2;
	return pgv_token_is(tokens, i, "from") ? i : 0;
}

/* SELECT EXISTS (SELECT ...): the token of the inner SELECT; 0: it is not that. */
static int
inner_select(const PgvTokens *tokens)
{
	int			close;

	if (!pgv_token_is(tokens, 1, "exists") || !pgv_token_is(tokens, 2, "(") ||
		!pgv_token_is(tokens, 3, "select"))
		return 0;
	close = pgv_token_close(tokens, 2);
	if (pgv_token_is(tokens, close + 1, "as"))
		close += 2;
	return close + 1 == tokens->n ? 3 : 0;
}

static bool
is_existence(const PgvComparisons *all)
{
	const PgvTokens *tokens = &all->tokens;
	int			limit = before_limit(tokens);

	return after_constant(tokens, 0) > 0 && limit < tokens->n &&
		pgv_token_is(tokens, limit, "limit") && limit + 2 == tokens->n &&
		!pgv_has_word(tokens, 1, limit, breaks_any) &&
		pgv_find_word(tokens, 1, orders) == tokens->n;
}

PgvReadKind
pgv_read_kind(const PgvComparisons *all)
{
	if (is_aggregate(all))
		return PGV_READ_COUNT;
	if (is_existence(all) || inner_select(&all->tokens) > 0)
		return PGV_READ_EXISTS;
	if (pgv_has_word(&all->tokens, 1, all->tokens.n, breaks_any) ||
		combines_rows(all->stmt->planTree) || all->stmt->subplans != NIL)
		return PGV_READ_OTHER;
	return PGV_READ_ROWS;
}

/* ----- keys ----- */

static bool
add_key(PgvBatchKeys *keys, const PgvComparison *c)
{
	for (int i = 0; i < keys->n; i++)
	{
		if (keys->key[i]->param == c->param)
			return true;
	}
	if (pgv_comparison_type(c) == NULL)
		return false;
	keys->key[keys->n++] = c;
	return true;
}

bool
pgv_batch_keys(PgvBatchKeys *keys, PgvComparisons *all,
			   const PgvLinkColumns *link, bool alone)
{
	PgvComparison *c;

	keys->n = 0;
	if (alone)
	{
		c = pgv_comparisons_of(all, link->child_relid, link->child_attno);
		return c != NULL && add_key(keys, c);
	}
	/* others change with it: whichever do, all from arrays is right */
	for (int i = 0; i < all->n; i++)
	{
		if (!add_key(keys, &all->found[i]))
			return false;
	}
	return keys->n > 1;
}

/* What a client cannot tell the rows of one value by, if it is not read. */
static char *
key_columns(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < keys->n; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 pgv_comparison_column(all, keys->key[i]));
	return buf.data;
}

/* "unnest($1::bigint[], $2::text[])" */
static char *
unnest_keys(const PgvBatchKeys *keys)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "unnest(");
	for (int i = 0; i < keys->n; i++)
		appendStringInfo(&buf, "%s$%d::%s[]", i > 0 ? ", " : "", keys->key[i]->param,
						 pgv_comparison_type(keys->key[i]));
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static void
edit_tokens(PgvEdits *edits, const PgvTokens *tokens, int first, int last,
			const char *text)
{
	pgv_edit_add(edits, tokens->token[first].start, tokens->token[last].end, text);
}

/* Take a comparison out, with the AND before it. */
static bool
drop_comparison(PgvEdits *edits, const PgvTokens *tokens, const PgvComparison *c)
{
	if (!pgv_token_is(tokens, c->first - 1, "and"))
		return false;
	pgv_edit_add(edits, tokens->token[c->first - 2].end,
				 tokens->token[c->last].end, "");
	return true;
}

static bool
match_several(PgvEdits *edits, const PgvComparisons *all, const PgvBatchKeys *keys)
{
	const PgvComparison *first = keys->key[0];

	/*
	 * The first makes place for all of them, and keeps its place.  The others
	 * go, each with the AND before it.
	 */
	edit_tokens(edits, &all->tokens, first->first, first->last,
				psprintf("(%s) IN (SELECT * FROM %s)", key_columns(all, keys),
						 unnest_keys(keys)));
	for (int i = 1; i < keys->n; i++)
	{
		if (!drop_comparison(edits, &all->tokens, keys->key[i]))
			return false;
	}
	return true;
}

bool
pgv_batch_match(PgvEdits *edits, const PgvComparisons *all, const PgvBatchKeys *keys)
{
	const PgvComparison *c = keys->key[0];

	for (int i = 0; i < keys->n; i++)
	{
		if (!keys->key[i]->conjunct ||
			pgv_tokens_count_param(&all->tokens, keys->key[i]->param, NULL) != 1)
			return false;
	}
	if (keys->n > 1)
		return match_several(edits, all, keys);
	if (!c->array)
		edit_tokens(edits, &all->tokens, c->first, c->last,
					psprintf("%s = ANY($%d%s%s%s)", pgv_comparison_column(all, c), c->param,
							 c->cast != NULL ? "::" : "", c->cast != NULL ? c->cast : "",
							 c->cast != NULL ? "[]" : ""));
	return true;
}

/* ----- the text ----- */

char *
pgv_batch_apply(const PgvEdits *edits, const PgvComparisons *all)
{
	StringInfoData buf;

	initStringInfo(&buf);
	pgv_edits_apply(&buf, edits, all->sql, 0, strlen(all->sql));
	return pgv_sql_renumber(buf.data);
}

/* Does a row of the result tell the column's value? */
static bool
is_read(const PgvComparisons *all, const PgvComparison *c)
{
	char	   *name = get_attname(c->relid, c->attno, true);
	ListCell   *lc;

	foreach(lc, all->stmt->planTree->targetlist)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		if (target->resjunk)
			continue;
		if (target->resorigtbl == c->relid && target->resorigcol == c->attno)
			return true;
		/* the columns of a view are its own */
		if (OidIsValid(target->resorigtbl) && name != NULL &&
			get_rel_relkind(target->resorigtbl) == RELKIND_VIEW &&
			strcmp(name, get_attname(target->resorigtbl, target->resorigcol, false)) == 0)
			return true;
	}
	return false;
}

/* Read the keys, too, where they are not. */
static bool
read_keys(PgvEdits *edits, const PgvComparisons *all, const PgvBatchKeys *keys)
{
	const PgvTokens *tokens = &all->tokens;
	PgvBatchKeys missing = {0};

	for (int i = 0; i < keys->n; i++)
	{
		if (!is_read(all, keys->key[i]))
			missing.key[missing.n++] = keys->key[i];
	}
	if (missing.n == 0)
		return true;
	if (pgv_token_is(tokens, 1, "all") || pgv_token_is(tokens, 1, "from"))
		return false;
	pgv_edit_add(edits, tokens->token[0].end, tokens->token[0].end,
				 psprintf(" %s,", key_columns(all, &missing)));
	return true;
}

static char *
rows_of_all(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	PgvEdits	edits = {0};

	if (!read_keys(&edits, all, keys) || !pgv_batch_match(&edits, all, keys))
		return NULL;
	return pgv_batch_apply(&edits, all);
}

static char *
aggregates_of_all(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	const PgvTokens *tokens = &all->tokens;
	PgvEdits	edits = {0};
	char	   *columns = key_columns(all, keys);
	int			end = strlen(all->sql);

	if (!pgv_batch_match(&edits, all, keys))
		return NULL;
	pgv_edit_add(&edits, tokens->token[0].end, tokens->token[0].end,
				 psprintf(" %s,", columns));
	pgv_edit_add(&edits, end, end, psprintf(" GROUP BY %s", columns));
	return pgv_batch_apply(&edits, all);
}

/* The inner statement of SELECT EXISTS (...), by itself. */
static bool
take_inner(PgvComparisons *inner, const PgvComparisons *all)
{
	const PgvTokens *tokens = &all->tokens;
	int			close = pgv_token_close(tokens, 2);
	char	   *sql = pgv_tokens_text(tokens, 3, close - 1);
	int			limit;

	if (!pgv_comparisons_read(inner, sql, all->stmt))
		return false;
	limit = before_limit(&inner->tokens);
	return !pgv_has_word(&inner->tokens, 1, limit, breaks_any) &&
		pgv_find_word(&inner->tokens, 1, orders) == inner->tokens.n;
}

static char *
existence_of_all(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	const PgvTokens *tokens = &all->tokens;
	PgvEdits	edits = {0};
	int			from = pgv_token_find(tokens, 1, 0, "from");
	int			limit = before_limit(tokens);

	if (from == tokens->n || !pgv_batch_match(&edits, all, keys))
		return NULL;
	edit_tokens(&edits, tokens, 1, from - 1,
				psprintf("DISTINCT %s", key_columns(all, keys)));
	if (limit < tokens->n)
		pgv_edit_add(&edits, tokens->token[limit - 1].end, strlen(all->sql), "");
	return pgv_batch_apply(&edits, all);
}

static char *
inner_existence_of_all(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	PgvComparisons inner;
	PgvBatchKeys inner_keys = {0};

	if (!take_inner(&inner, all))
		return NULL;
	for (int i = 0; i < keys->n; i++)
	{
		for (int j = 0; j < inner.n; j++)
		{
			if (inner.found[j].param == keys->key[i]->param)
				inner_keys.key[inner_keys.n++] = &inner.found[j];
		}
	}
	return inner_keys.n == keys->n ? existence_of_all(&inner, &inner_keys) : NULL;
}

/* ----- in general ----- */

/* Put an expression in the place of a parameter, wherever it stands. */
static void
replace_parameter(PgvEdits *edits, const PgvComparisons *all,
				  const PgvComparison *c, const char *value)
{
	const PgvTokens *tokens = &all->tokens;

	if (c->array)
	{
		edit_tokens(edits, tokens, c->first, c->last,
					psprintf("%s = %s", pgv_comparison_column(all, c), value));
		return;
	}
	for (int i = 0; i < tokens->n; i++)
	{
		if (tokens->token[i].param == c->param)
			edit_tokens(edits, tokens, i, i, value);
	}
}

static bool
can_replace(const PgvComparisons *all, const PgvComparison *c)
{
	return !c->array || pgv_tokens_count_param(&all->tokens, c->param, NULL) == 1;
}

static char *
each_of_all(const PgvComparisons *all, const PgvBatchKeys *keys)
{
	PgvEdits	edits = {0};
	StringInfoData buf;
	char	   *k = pgv_tokens_new_name(&all->tokens, "k");

	initStringInfo(&buf);
	appendStringInfo(&buf, keys->n > 1 ? "SELECT %s.*, x.* FROM %s AS %s(" :
					 "SELECT %s.value, x.* FROM %s AS %s(", k, unnest_keys(keys), k);
	for (int i = 0; i < keys->n; i++)
	{
		char	   *name = keys->n > 1 ? psprintf("value%d", i + 1) : pstrdup("value");

		if (!can_replace(all, keys->key[i]))
			return NULL;
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", name);
		replace_parameter(&edits, all, keys->key[i], psprintf("%s.%s", k, name));
	}
	appendStringInfoString(&buf, ") CROSS JOIN LATERAL (");
	pgv_edits_apply(&buf, &edits, all->sql, 0, strlen(all->sql));
	appendStringInfoString(&buf, ") AS x");
	return pgv_sql_renumber(buf.data);
}

/*
 * The statement without a LIMIT that does nothing, because there is one row at
 * most for each value.
 */
static bool
without_limit(PgvComparisons *changed, const PgvComparisons *all,
			  const PgvBatchKeys *keys)
{
	const PgvTokens *tokens = &all->tokens;
	int			limit = before_limit(tokens);
	int			lock = pgv_find_word(tokens, limit, locks);
	AttrNumber	attnos[PGV_MAX_COMPARISONS];
	PgvEdits	edits = {0};
	StringInfoData buf;

	if (limit == tokens->n || list_length(all->stmt->rtable) != 1 ||
		all->stmt->subplans != NIL)
		return false;
	for (int i = 0; i < keys->n; i++)
		attnos[i] = keys->key[i]->conjunct ? keys->key[i]->attno : 0;
	if (!pgv_is_unique(keys->key[0]->relid, attnos, keys->n))
		return false;
	pgv_edit_add(&edits, tokens->token[limit - 1].end,
				 lock < tokens->n ? tokens->token[lock - 1].end : strlen(all->sql), "");
	initStringInfo(&buf);
	pgv_edits_apply(&buf, &edits, all->sql, 0, strlen(all->sql));
	return pgv_comparisons_read(changed, buf.data, all->stmt);
}

/* The same keys of a text that was changed elsewhere. */
static bool
find_again(PgvBatchKeys *keys, const PgvComparisons *all, const PgvBatchKeys *before)
{
	keys->n = 0;
	for (int i = 0; i < before->n; i++)
	{
		for (int j = 0; j < all->n; j++)
		{
			if (all->found[j].param == before->key[i]->param)
				keys->key[keys->n++] = &all->found[j];
		}
	}
	return keys->n == before->n;
}

static char *
read_all(const PgvComparisons *all, const PgvBatchKeys *keys, PgvReadKind *kind)
{
	char	   *sql = NULL;

	*kind = pgv_read_kind(all);
	switch (*kind)
	{
		case PGV_READ_ROWS:
			sql = rows_of_all(all, keys);
			break;
		case PGV_READ_COUNT:
			sql = aggregates_of_all(all, keys);
			break;
		case PGV_READ_EXISTS:
			sql = inner_select(&all->tokens) > 0 ?
				inner_existence_of_all(all, keys) : existence_of_all(all, keys);
			break;
		case PGV_READ_OTHER:
			break;
	}
	return sql != NULL ? sql : each_of_all(all, keys);
}

/* Is it nothing but a SELECT?  The UPDATE of FOR UPDATE is no writing. */
static bool
only_reads(const PgvTokens *tokens)
{
	if (!pgv_token_is(tokens, 0, "select") && !pgv_token_is(tokens, 0, "with"))
		return false;
	for (int i = 1; i < tokens->n; i++)
	{
		if (pgv_has_word(tokens, i, i + 1, writes) &&
			!pgv_token_is(tokens, i - 1, "for") && !pgv_token_is(tokens, i - 1, "key"))
			return false;
	}
	return true;
}

char *
pgv_batch_read(const PgvComparisons *all, const PgvBatchKeys *keys,
			   PgvReadKind *kind)
{
	PgvComparisons changed;
	PgvBatchKeys again;

	if (!only_reads(&all->tokens))
		return NULL;
	if (pgv_token_is(&all->tokens, 0, "select") &&
		without_limit(&changed, all, keys) && find_again(&again, &changed, keys))
		return read_all(&changed, &again, kind);
	return read_all(all, keys, kind);
}

/* ----- walks ----- */

/* The output column that is this column; NULL: none, or its name is not unique. */
static char *
output_name(const PlannedStmt *stmt, Oid relid, AttrNumber attno)
{
	char	   *name = NULL;
	int			n = 0;
	ListCell   *lc;

	foreach(lc, stmt->planTree->targetlist)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		if (!target->resjunk && target->resorigtbl == relid &&
			target->resorigcol == attno)
			name = target->resname;
	}
	foreach(lc, stmt->planTree->targetlist)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		n += (!target->resjunk && name != NULL && target->resname != NULL &&
			  strcmp(target->resname, name) == 0);
	}
	return n == 1 ? name : NULL;
}

/* Can UNION find rows that were there before, so that a circle ends? */
static const char *
union_of(const PlannedStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->planTree->targetlist)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);
		TypeCacheEntry *type;

		if (target->resjunk)
			continue;
		type = lookup_type_cache(exprType((Node *) target->expr), TYPECACHE_HASH_PROC);
		if (!OidIsValid(type->hash_proc))
			return "UNION ALL";
	}
	return "UNION";
}

static char *
walk_all(const PgvComparisons *all, const PgvComparison *c, const char *output)
{
	const PgvTokens *tokens = &all->tokens;
	bool		simple = !pgv_has_word(tokens, 1, tokens->n, breaks_any) &&
		pgv_find_word(tokens, 1, orders) == tokens->n;
	char	   *w = pgv_tokens_new_name(tokens, "w");
	PgvEdits	edits = {0};
	StringInfoData buf;

	replace_parameter(&edits, all, c, psprintf("%s.%s", w, quote_identifier(output)));
	initStringInfo(&buf);
	appendStringInfo(&buf, "WITH RECURSIVE %s AS (%s%s%s %s SELECT x.* FROM %s CROSS JOIN LATERAL (",
					 w, simple ? "" : "(", all->sql, simple ? "" : ")",
					 union_of(all->stmt), w);
	pgv_edits_apply(&buf, &edits, all->sql, 0, strlen(all->sql));
	appendStringInfo(&buf, ") AS x) SELECT * FROM %s", w);
	return pgv_sql_renumber(buf.data);
}

char *
pgv_batch_walk(PgvComparisons *all, const PgvLinkColumns *link)
{
	PgvBatchKeys keys;
	PgvComparisons changed;
	PgvBatchKeys again;
	char	   *output = output_name(all->stmt, link->parent_relid, link->parent_attno);

	if (output == NULL || !only_reads(&all->tokens) ||
		pgv_find_word(&all->tokens, 0, locks) < all->tokens.n ||
		!pgv_batch_keys(&keys, all, link, true) || !can_replace(all, keys.key[0]))
		return NULL;
	if (without_limit(&changed, all, &keys) && find_again(&again, &changed, &keys))
		return walk_all(&changed, again.key[0], output);
	return walk_all(all, keys.key[0], output);
}
