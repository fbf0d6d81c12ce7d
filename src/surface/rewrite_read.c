/*-------------------------------------------------------------------------
 *
 * rewrite_read.c
 *	  One SELECT for all values.
 *
 *	any_array	SELECT ... WHERE author_id = ANY ($1)
 *				for rows as they are, one key; the key is added to what is
 *				selected, so that rows can be told apart
 *	group_by	SELECT k.v1, coalesce(x.c1, 0) FROM unnest($1) k LEFT JOIN
 *				(SELECT count(*), author_id ... GROUP BY author_id) x ...
 *				for aggregates over all rows of one key
 *	lateral		SELECT k.ord, k.v1, x.* FROM unnest($1, $2) k
 *				CROSS JOIN LATERAL (the statement, with k.v1 for its $n) x
 *				for every SELECT
 *
 * Their order is that of preference.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_aggregate.h"
#include "catalog/pg_namespace.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "surface/rewrite_read.h"

bool
pgv_is_plain_read(const Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL &&
		!query->hasAggs && !query->hasWindowFuncs && query->distinctClause == NIL &&
		query->groupClause == NIL && query->groupingSets == NIL &&
		query->havingQual == NULL && query->jointree != NULL &&
		query->jointree->fromlist != NIL;
}

/* The conditions of all keys, if each is one; NIL: not so. */
static List *
key_conditions(const PgvDraft *draft)
{
	List	   *conditions = NIL;

	for (int i = 0; i < draft->nkeys; i++)
	{
		PgvEquality *condition = pgv_queryshape_condition(draft->shape, draft->keys[i].param);

		if (condition == NULL)
			return NIL;
		conditions = lappend(conditions, condition);
	}
	return conditions;
}

bool
pgv_is_one_row(const PgvDraft *draft)
{
	const Query *query = draft->shape->query;

	if (query->setOperations == NULL && query->hasAggs && query->groupClause == NIL &&
		query->groupingSets == NIL)
		return true;
	return pgv_is_plain_read(query) && !query->hasTargetSRFs &&
		pgv_queryshape_is_unique(draft->shape, key_conditions(draft));
}

/* Take LIMIT away: the last clause, as nothing is locked. */
static void
edit_limit(const PgvDraft *draft, PgvEdits *edits)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	int			limit = Min(pgv_token_find(tokens, 0, 0, "limit"),
							pgv_token_find(tokens, 0, 0, "fetch"));

	if (limit > 0 && limit < tokens->n)
		pgv_edit_add(edits, tokens->token[limit - 1].end,
					 tokens->token[tokens->n - 1].end, "");
}

/* Drop changes in what another change takes away. */
static void
drop_edits_from(PgvEdits *edits, int start)
{
	int			n = 0;

	for (int i = 0; i < edits->n; i++)
	{
		if (edits->edit[i].start < start)
			edits->edit[n++] = edits->edit[i];
	}
	edits->n = n;
}

/* Take LIMIT away, with the changes that are in it. */
static void
replace_limit(const PgvDraft *draft, PgvEdits *edits)
{
	PgvEdits	limit = {0};

	edit_limit(draft, &limit);
	if (limit.n == 0)
		return;
	drop_edits_from(edits, limit.edit[0].start);
	pgv_edit_add(edits, limit.edit[0].start, limit.edit[0].end, "");
}

/* Where the outermost SELECT's list ends: its FROM; n: not found. */
static int
from_token(const PgvTokens *tokens)
{
	int			from = pgv_token_find(tokens, 0, 0, "select");

	while (from < tokens->n)
	{
		from = pgv_token_find(tokens, from + 1, 0, "from");
		if (!pgv_token_is(tokens, from - 1, "distinct"))
			break;
	}
	return from;
}

/* The output column that is the condition's column as it is; NULL: none. */
static const TargetEntry *
output_of(const Query *query, const Var *column)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		const TargetEntry *target = lfirst(lc);
		const Var  *var = (const Var *) target->expr;

		if (!target->resjunk && IsA(var, Var) && var->varlevelsup == 0 &&
			var->varno == column->varno && var->varattno == column->varattno)
			return target;
	}
	return NULL;
}

int
pgv_count_outputs(const Query *query)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, query->targetList)
		n += ((TargetEntry *) lfirst(lc))->resjunk ? 0 : 1;
	return n;
}

/* ----- = ANY ----- */

/* Does the draft compare the same column with the array? */
static bool
compares_with_array(const PgvQueryShape *shape, const Var *column)
{
	PgvEquality *found = pgv_queryshape_condition(shape, 1);

	return found != NULL && found->array && found->column != NULL &&
		found->column->varno == column->varno &&
		found->column->varattno == column->varattno;
}

/* Add the key to what is selected; returns the name it has there. */
static const char *
add_output(const PgvDraft *draft, PgvEdits *edits, const PgvEquality *condition)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	const TargetEntry *target = output_of(draft->shape->query, condition->column);
	int			from = from_token(tokens);
	char	   *name;

	if (target != NULL)
		return quote_identifier(target->resname);
	if (from >= tokens->n)
		return NULL;
	name = pgv_draft_name(draft, "key");
	pgv_edit_add(edits, tokens->token[from - 1].end, tokens->token[from - 1].end,
				 psprintf(", %s AS %s", pgv_draft_column(draft, condition), name));
	return name;
}

static const char *
any_note(const PgvDraft *draft, const char *column, bool limit, bool added)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "returns the rows of all values together, each once however often its value is in the array; tell them apart by their column %s%s",
					 column, added ? ", which is added at the end" : "");
	if (limit)
		appendStringInfoString(&buf, "; LIMIT is left out, there is one row for a value at the most");
	if (draft->shape->query->sortClause != NIL)
		appendStringInfoString(&buf, "; ORDER BY orders all of them, and so those of each value");
	return buf.data;
}

static void
rewrite_any(PgvDraft *draft)
{
	const Query *query = draft->shape->query;
	bool		limit = query->limitCount != NULL;
	PgvEquality *condition;
	PgvEdits	edits = {0};
	PgvQueryShape *shape;
	const char *column;
	bool		added;

	if (draft->nkeys != 1 || !pgv_is_plain_read(query) || query->limitOffset != NULL ||
		(limit && !pgv_is_one_row(draft)))
		return;
	condition = pgv_queryshape_condition(draft->shape, draft->keys[0].param);
	if (condition == NULL || condition->column == NULL ||
		!pgv_draft_edit_any(draft, &edits, condition))
		return;
	if (limit)
		replace_limit(draft, &edits);
	added = output_of(query, condition->column) == NULL;
	column = add_output(draft, &edits, condition);
	if (column == NULL)
		return;
	shape = pgv_draft_shape(draft, pgv_draft_apply(draft, &edits));
	if (shape == NULL || !compares_with_array(shape, condition->column) ||
		pgv_count_outputs(shape->query) != pgv_count_outputs(query) + (added ? 1 : 0))
		return;
	pgv_draft_keep(draft, "any_array", shape, any_note(draft, column, limit, added));
}

/* ----- GROUP BY ----- */

/*
 * What a core aggregate gives where there are no rows: "0" for a count, "" for
 * NULL; NULL: we do not know.
 */
static const char *
of_no_rows(const TargetEntry *target)
{
	const Aggref *aggregate = (const Aggref *) target->expr;
	char	   *name;

	if (!IsA(aggregate, Aggref) || aggregate->agglevelsup != 0 ||
		aggregate->aggkind != AGGKIND_NORMAL ||
		get_func_namespace(aggregate->aggfnoid) != PG_CATALOG_NAMESPACE)
		return NULL;
	name = get_func_name(aggregate->aggfnoid);
	return name != NULL && (strcmp(name, "count") == 0 || strcmp(name, "regr_count") == 0) ?
		"0" : "";
}

/* The select list that puts zeros where the LEFT JOIN finds nothing. */
static char *
zero_filled(const PgvDraft *draft, const char *x)
{
	StringInfoData buf;
	int			n = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, draft->shape->query->targetList)
	{
		const TargetEntry *target = lfirst(lc);
		const char *empty = of_no_rows(target);

		if (target->resjunk || empty == NULL)
			return NULL;
		n++;
		appendStringInfo(&buf, *empty != '\0' ? ", coalesce(%s.c%d, %s)" : ", %s.c%d",
						 x, n, empty);
		appendStringInfo(&buf, " AS %s", quote_identifier(target->resname));
	}
	return n > 0 ? buf.data : NULL;
}

/* "x(c1, c2, key)". */
static char *
group_alias(const PgvDraft *draft, const char *x)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s(", x);
	for (int n = 1; n <= pgv_count_outputs(draft->shape->query); n++)
		appendStringInfo(&buf, "c%d, ", n);
	appendStringInfoString(&buf, "key)");
	return buf.data;
}

static bool
can_group(const PgvDraft *draft, const PgvEquality *condition)
{
	const Query *query = draft->shape->query;

	return query->hasAggs && !query->hasTargetSRFs && query->groupClause == NIL &&
		query->groupingSets == NIL && query->havingQual == NULL &&
		!query->hasWindowFuncs && query->distinctClause == NIL &&
		query->sortClause == NIL && query->limitCount == NULL &&
		query->limitOffset == NULL && query->setOperations == NULL &&
		condition != NULL && condition->exact && !condition->array &&
	/* values that the comparison takes for one must be one group */
		(!OidIsValid(condition->collation) ||
		 condition->collation == condition->column->varcollid);
}

static void
rewrite_group(PgvDraft *draft)
{
	PgvEquality *condition;
	const PgvTokens *tokens = &draft->shape->tokens;
	PgvEdits	edits = {0};
	char	   *x = pgv_draft_name(draft, "x");
	char	   *list;
	char	   *column;
	PgvQueryShape *shape;
	int			from = from_token(tokens);

	condition = draft->nkeys == 1 ?
		pgv_queryshape_condition(draft->shape, draft->keys[0].param) : NULL;
	if (!can_group(draft, condition) || from >= tokens->n ||
		!pgv_draft_edit_any(draft, &edits, condition))
		return;
	list = zero_filled(draft, x);
	column = pgv_draft_column(draft, condition);
	if (list == NULL || column == NULL)
		return;
	pgv_edit_add(&edits, tokens->token[from - 1].end, tokens->token[from - 1].end,
				 psprintf(", %s", column));
	pgv_edit_add(&edits, tokens->token[tokens->n - 1].end, tokens->token[tokens->n - 1].end,
				 psprintf(" GROUP BY %s", column));
	shape = pgv_draft_shape(draft,
							psprintf("SELECT %s%s FROM %s WITH ORDINALITY AS %s LEFT JOIN (%s) AS %s ON %s.key = %s ORDER BY %s.%s",
									 pgv_draft_columns(draft), list,
									 pgv_draft_unnest(draft), pgv_draft_alias(draft, true),
									 pgv_draft_apply(draft, &edits), group_alias(draft, x),
									 x, pgv_draft_columns(draft), draft->alias, draft->ord));
	if (shape != NULL &&
		pgv_count_outputs(shape->query) == pgv_count_outputs(draft->shape->query) + 1)
		pgv_draft_keep(draft, "group_by", shape,
					   "returns one row for each element of the array, in its order, with zeros where there is nothing to count");
}

/* ----- LATERAL ----- */

char *
pgv_in_order(const PgvDraft *draft, const PgvQueryShape *shape, const char *sql, char **place)
{
	*place = NULL;
	if (shape->query->sortClause == NIL)
		return psprintf("(%s)", sql);
	*place = pgv_draft_name(draft, "place");
	return psprintf("(SELECT o.*, row_number() OVER () AS %s FROM (%s) AS o)", *place, sql);
}

void
pgv_rewrite_lateral(PgvDraft *draft)
{
	PgvEdits	edits = {0};
	char	   *x = pgv_draft_name(draft, "x");
	char	   *place = NULL;
	char	   *child;
	PgvQueryShape *shape;
	int			outputs = pgv_count_outputs(draft->shape->query);

	pgv_draft_edit_params(draft, &edits, 0, draft->shape->tokens.n, true);
	child = pgv_draft_apply(draft, &edits);
	child = pgv_is_one_row(draft) ? psprintf("(%s)", child) :
		pgv_in_order(draft, draft->shape, child, &place);
	shape = pgv_draft_shape(draft,
							psprintf("SELECT %s.%s, %s, %s.* FROM %s WITH ORDINALITY AS %s CROSS JOIN LATERAL %s AS %s ORDER BY %s.%s%s%s%s",
									 draft->alias, draft->ord, pgv_draft_columns(draft), x,
									 pgv_draft_unnest(draft), pgv_draft_alias(draft, true),
									 child, x, draft->alias, draft->ord,
									 place != NULL ? ", " : "", place != NULL ? x : "",
									 place != NULL ? psprintf(".%s", place) : ""));
	if (shape == NULL)
		return;
	if (pgv_count_outputs(shape->query) != 1 + draft->nkeys + outputs + (place != NULL ? 1 : 0))
		pgv_draft_fail(draft, "its columns cannot be told");
	else
		pgv_draft_keep(draft, "lateral", shape,
					   psprintf("returns the statement's rows for each element of the %s, in %s order, with the element's number first and its value%s next; LEFT JOIN LATERAL (...) ON true keeps elements without rows",
								draft->nkeys > 1 ? "arrays" : "array",
								draft->nkeys > 1 ? "their" : "its",
								draft->nkeys > 1 ? "s" : ""));
}

void
pgv_rewrite_read(PgvDraft *draft)
{
	rewrite_any(draft);
	rewrite_group(draft);
	pgv_rewrite_lateral(draft);
}
