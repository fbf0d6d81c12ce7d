/*-------------------------------------------------------------------------
 *
 * rewrite_write.c
 *	  One INSERT, UPDATE or DELETE for all values.
 *
 *	delete_any, update_any		WHERE id = ANY ($1)
 *	delete_using, update_from	... USING or FROM unnest($1, $2) AS k(v1, v2)
 *								WHERE id = k.v2
 *	insert_unnest				INSERT ... SELECT k.v1, k.v2 FROM unnest($1, $2)
 *	copy						COPY t (a, b) FROM STDIN
 *
 * A loop of writes sees what its earlier passes wrote, one statement does not;
 * so what reads the table that it writes is left alone, and so is an UPDATE
 * that assigns all it searches by.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "surface/rewrite_read.h"
#include "surface/rewrite_write.h"

/* ----- whether ----- */

static bool
is_where_current_of(const Query *query)
{
	return query->jointree != NULL && query->jointree->quals != NULL &&
		IsA(query->jointree->quals, CurrentOfExpr);
}

/* The conditions, and all subqueries, that decide on the rows. */
static char *
volatile_condition(const Query *query)
{
	return pgv_query_obstacle(list_make2(query->jointree, query->cteList));
}

/* Is it an INSERT of one row of VALUES? */
static bool
is_insert_values(const Query *query)
{
	/* one row is not a VALUES list to analysis: it is the target list */
	return query->commandType == CMD_INSERT && query->jointree != NULL &&
		query->jointree->fromlist == NIL && query->rtable != NIL;
}

char *
pgv_write_obstacle(const Query *query, List *queries)
{
	const RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
	char	   *obstacle = volatile_condition(query);

	if (obstacle != NULL)
		return obstacle;
	if (query->commandType == CMD_INSERT && !is_insert_values(query))
		return "it is not an INSERT of VALUES";
	if (query->hasModifyingCTE)
		return "it writes to several tables";
	if (is_where_current_of(query))
		return "it goes by the position of a cursor";
	if (list_length(queries) != 1)
		return "a rule makes other statements of it";
	if (pgv_query_reads(query, target->relid) > 1)
		return "it reads the table that it writes, so each repeat may depend on the one before";
	return NULL;
}

Bitmapset *
pgv_written_params(const PgvQueryShape *shape)
{
	const Query *query = shape->query;

	if (query->commandType == CMD_UPDATE || is_insert_values(query))
		return pgv_params_in((Node *) query->targetList);
	return NULL;
}

/* ----- pieces ----- */

/* The name by which the statement knows its table. */
static const char *
target_alias(const Query *query)
{
	return quote_identifier(rt_fetch(query->resultRelation, query->rtable)->eref->aliasname);
}

/* RETURNING * is to mean the columns of the table, not those of unnest(). */
static void
edit_returning(const PgvDraft *draft, PgvEdits *edits)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	int			i = pgv_token_find(tokens, 0, 0, "returning");

	for (; i < tokens->n; i++)
	{
		const PgvToken *t = &tokens->token[i];

		if (t->depth == 0 && pgv_token_is(tokens, i, "*") &&
			(pgv_token_is(tokens, i - 1, "returning") || pgv_token_is(tokens, i - 1, ",")))
			pgv_edit_add(edits, t->start, t->start,
						 psprintf("%s.", target_alias(draft->shape->query)));
	}
}

/* Is it still the same kind of statement on the same table and columns? */
static bool
writes_the_same(const PgvQueryShape *shape, const Query *query)
{
	const Query *q = shape->query;

	return q->commandType == query->commandType &&
		rt_fetch(q->resultRelation, q->rtable)->relid ==
		rt_fetch(query->resultRelation, query->rtable)->relid &&
		list_length(q->returningList) == list_length(query->returningList);
}

static void
keep_write(PgvDraft *draft, const char *method, const char *sql, const char *note)
{
	PgvQueryShape *shape = pgv_draft_shape(draft, sql);

	if (shape == NULL)
		return;
	if (!writes_the_same(shape, draft->shape->query))
		pgv_draft_fail(draft, "its clauses cannot be told");
	else
		pgv_draft_keep(draft, method, shape, note);
}

/* ----- UPDATE and DELETE ----- */

/* Is the column assigned by this UPDATE? */
static bool
is_assigned(const Query *query, const Var *column)
{
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		const TargetEntry *target = lfirst(lc);

		if (!target->resjunk && column->varno == query->resultRelation &&
			target->resno == column->varattno)
			return true;
	}
	return false;
}

/*
 * The columns whose values must differ for each row to be met by one element
 * only: those that are searched by and not assigned.  NULL: none.
 */
static char *
searched_by(const PgvDraft *draft)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < draft->nkeys; i++)
	{
		PgvEquality *condition = pgv_queryshape_condition(draft->shape, draft->keys[i].param);

		if (condition != NULL && condition->column != NULL &&
			!is_assigned(draft->shape->query, condition->column))
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
							 pgv_draft_column(draft, condition));
	}
	return buf.len > 0 ? buf.data : NULL;
}

/* WHERE id = ANY ($1): one key, which decides on the rows and nothing else. */
static bool
write_any(PgvDraft *draft)
{
	PgvEquality *condition;
	PgvEdits	edits = {0};
	bool		delete = draft->shape->query->commandType == CMD_DELETE;

	condition = draft->nkeys == 1 ?
		pgv_queryshape_condition(draft->shape, draft->keys[0].param) : NULL;
	if (condition == NULL || condition->column == NULL ||
		!pgv_draft_edit_any(draft, &edits, condition))
		return false;
	if (searched_by(draft) == NULL)
		return false;
	keep_write(draft, delete ? "delete_any" : "update_any", pgv_draft_apply(draft, &edits),
			   delete ? "removes the rows of all values" :
			   "changes the rows of all values, each once however often its value is in the array");
	return true;
}

/* Put unnest() in front of what FROM or USING has, or make that clause. */
static bool
edit_source(const PgvDraft *draft, PgvEdits *edits, const char *clause)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	int			where = pgv_token_find(tokens, 0, 0, "where");
	int			set = pgv_token_find(tokens, 0, 0,
									 strcmp(clause, "FROM") == 0 ? "set" : "from");
	int			present = pgv_token_find(tokens, set + 1, 0,
										 strcmp(clause, "FROM") == 0 ? "from" : "using");
	char	   *source = psprintf("%s AS %s", pgv_draft_unnest(draft),
								  pgv_draft_alias(draft, false));

	while (present < where && pgv_token_is(tokens, present - 1, "distinct"))
		present = pgv_token_find(tokens, present + 1, 0, "from");
	if (where >= tokens->n || set >= where)
		return false;
	if (present < where)
		pgv_edit_add(edits, tokens->token[present].end, tokens->token[present].end,
					 psprintf(" %s,", source));
	else
		pgv_edit_add(edits, tokens->token[where].start, tokens->token[where].start,
					 psprintf("%s %s ", clause, source));
	return true;
}

static const char *
update_note(const PgvDraft *draft)
{
	if (draft->shape->query->commandType == CMD_DELETE)
		return "removes the rows of all elements";
	return psprintf("changes the rows of all elements; no two elements may have the same %s, for the second would not be applied",
					searched_by(draft));
}

static void
write_joined(PgvDraft *draft)
{
	bool		delete = draft->shape->query->commandType == CMD_DELETE;
	PgvEdits	edits = {0};

	if (searched_by(draft) == NULL)
	{
		pgv_draft_fail(draft, delete ? "it has no condition column = $n" :
					   "it assigns all that it searches by, or searches by nothing: each repeat may depend on the one before");
		return;
	}
	pgv_draft_edit_params(draft, &edits, 0, draft->shape->tokens.n, true);
	edit_returning(draft, &edits);
	if (!edit_source(draft, &edits, delete ? "USING" : "FROM"))
		pgv_draft_fail(draft, "its clauses cannot be told");
	else
		keep_write(draft, delete ? "delete_using" : "update_from",
				   pgv_draft_apply(draft, &edits), update_note(draft));
}

/* ----- INSERT ----- */

/* The text of INSERT ... (columns) ... VALUES (items), as tokens. */
typedef struct PgvInsert
{
	int			table;			/* first token of the table's name */
	int			columns;		/* opening bracket; 0: there is no list */
	int			values;			/* VALUES */
	int			close;			/* closing bracket of the items */
} PgvInsert;

static bool
read_insert(const PgvTokens *tokens, PgvInsert *in)
{
	int			i = pgv_token_find(tokens, 0, 0, "into");

	in->table = i + 1;
	in->values = pgv_token_find(tokens, i, 0, "values");
	if (in->values + 1 >= tokens->n || !pgv_token_is(tokens, in->values + 1, "("))
		return false;
	in->close = pgv_token_close(tokens, in->values + 1);
	in->columns = pgv_token_find(tokens, i, 0, "(");
	if (in->columns > in->values)
		in->columns = 0;
	return pgv_token_name_end(tokens, in->table) >= 0;
}

/* The tokens of the n-th item between brackets (from 0); false: there is none. */
static bool
item_of(const PgvTokens *tokens, int open, int n, int *first, int *last)
{
	int			close = pgv_token_close(tokens, open);
	int			depth = tokens->token[open].depth + 1;

	*first = open + 1;
	while (n > 0)
	{
		int			comma = pgv_token_find(tokens, *first, depth, ",");

		if (comma >= close)
			return false;
		*first = comma + 1;
		n--;
	}
	*last = Min(pgv_token_find(tokens, *first, depth, ","), close) - 1;
	return *first <= *last;
}

/* The text from one token to another with the draft's parameters. */
static char *
with_keys(const PgvDraft *draft, int first, int last)
{
	const PgvToken *t = draft->shape->tokens.token;
	PgvEdits	edits = {0};
	StringInfoData buf;

	initStringInfo(&buf);
	pgv_draft_edit_params(draft, &edits, first, last + 1, true);
	pgv_edits_apply(&buf, &edits, draft->shape->sql, t[first].start, t[last].end);
	return buf.data;
}

/*
 * Go through columns and items: what is inserted, and into which columns.  A
 * DEFAULT is what a column gets that is not named.
 */
static bool
list_items(const PgvDraft *draft, const PgvInsert *in, StringInfo columns, StringInfo items,
		   bool *bare)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	int			first;
	int			last;

	*bare = true;
	for (int n = 0; item_of(tokens, in->values + 1, n, &first, &last); n++)
	{
		int			column_first;
		int			column_last;

		if (pgv_token_is(tokens, first, "default") && first == last)
		{
			if (in->columns == 0)
				return false;
			continue;
		}
		*bare &= (first == last && tokens->token[first].param > 0);
		appendStringInfo(items, "%s%s", items->len > 0 ? ", " : "",
						 with_keys(draft, first, last));
		if (in->columns == 0)
			continue;
		if (!item_of(tokens, in->columns, n, &column_first, &column_last))
			return false;
		appendStringInfo(columns, "%s%s", columns->len > 0 ? ", " : "",
						 pgv_tokens_text(tokens, column_first, column_last));
	}
	return items->len > 0;
}

/* The column that gets a parameter as it is; NULL: none does. */
static char *
inserted_column(const PgvQueryShape *shape, int param)
{
	ListCell   *lc;

	foreach(lc, shape->query->targetList)
	{
		const TargetEntry *target = lfirst(lc);
		Node	   *node = strip_implicit_coercions((Node *) target->expr);

		if (IsA(node, Param) && ((Param *) node)->paramid == param)
			return psprintf("EXCLUDED.%s", quote_identifier(target->resname));
	}
	return NULL;
}

/* What stands behind VALUES: there a key is only to be had as EXCLUDED. */
static char *
insert_tail(PgvDraft *draft, const PgvInsert *in)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	int			returning = pgv_token_find(tokens, in->close, 0, "returning");
	PgvEdits	edits = {0};
	StringInfoData buf;

	initStringInfo(&buf);
	if (in->close + 1 >= tokens->n)
		return buf.data;
	pgv_draft_edit_params(draft, &edits, in->close + 1, tokens->n, false);
	for (int i = in->close + 1; i < tokens->n; i++)
	{
		const PgvToken *t = &tokens->token[i];
		char	   *excluded;

		if (t->param == 0 || pgv_draft_key(draft, t->param) == NULL)
			continue;
		excluded = i < returning ? inserted_column(draft->shape, t->param) : NULL;
		if (excluded == NULL)
			return NULL;
		pgv_edit_add(&edits, t->start, t->end, excluded);
	}
	appendStringInfoChar(&buf, ' ');
	pgv_edits_apply(&buf, &edits, draft->shape->sql, tokens->token[in->close + 1].start,
					tokens->token[tokens->n - 1].end);
	return buf.data;
}

static const char *
insert_note(const PgvDraft *draft)
{
	const OnConflictExpr *conflict = draft->shape->query->onConflict;

	if (conflict != NULL && conflict->action == ONCONFLICT_UPDATE)
		return "inserts a row for each element of the arrays; no two of them may be in conflict with the same row";
	return "inserts a row for each element of the arrays, in their order";
}

/* May rows be copied into the table without anybody noticing a difference? */
static bool
can_copy(const PgvDraft *draft)
{
	const Query *query = draft->shape->query;
	const RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
	Relation	rel;
	bool		plain;

	if (query->onConflict != NULL || query->returningList != NIL || query->cteList != NIL ||
		(target->relkind != RELKIND_RELATION && target->relkind != RELKIND_PARTITIONED_TABLE))
		return false;
	rel = try_table_open(target->relid, AccessShareLock);
	if (rel == NULL)
		return false;
	plain = rel->rd_rules == NULL && !rel->rd_rel->relrowsecurity;
	table_close(rel, NoLock);
	return plain;
}

/* The columns that an INSERT without a list of them has values for. */
static char *
columns_of(const Query *query)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, query->targetList)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 quote_identifier(((TargetEntry *) lfirst(lc))->resname));
	return buf.data;
}

/* COPY cannot be planned; its table and columns are those of a valid INSERT. */
static void
add_copy(PgvDraft *draft, const PgvInsert *in, const char *columns)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	PgvRewriting *result = palloc0(sizeof(PgvRewriting));
	int			end = pgv_token_name_end(tokens, in->table);

	result->method = "copy";
	result->statement = psprintf("COPY %s (%s) FROM STDIN",
								 pgv_tokens_text(tokens, in->table, end),
								 *columns != '\0' ? columns : columns_of(draft->shape->query));
	result->note = "is fastest for many rows; they are sent as data, in the order of the columns, not as parameters";
	draft->results = lappend(draft->results, result);
}

static void
write_insert(PgvDraft *draft)
{
	const PgvTokens *tokens = &draft->shape->tokens;
	const PgvToken *t = tokens->token;
	PgvInsert	in;
	PgvEdits	edits = {0};
	StringInfoData columns;
	StringInfoData items;
	StringInfoData buf;
	char	   *tail;
	bool		bare;
	int			n = list_length(draft->results);

	initStringInfo(&columns);
	initStringInfo(&items);
	if (!read_insert(tokens, &in) ||
		!list_items(draft, &in, &columns, &items, &bare))
	{
		pgv_draft_fail(draft, "it has DEFAULT and names no columns");
		return;
	}
	tail = insert_tail(draft, &in);
	if (tail == NULL)
	{
		pgv_draft_fail(draft, "what follows VALUES uses a value that is not inserted as it is");
		return;
	}
	initStringInfo(&buf);
	pgv_draft_edit_params(draft, &edits, 0, in.values, false);
	if (in.columns > 0)
		pgv_edit_add(&edits, t[in.columns].end,
					 t[pgv_token_close(tokens, in.columns)].start, columns.data);
	pgv_edits_apply(&buf, &edits, draft->shape->sql, 0, t[in.values].start);
	appendStringInfo(&buf, "SELECT %s FROM %s WITH ORDINALITY AS %s ORDER BY %s.%s%s",
					 items.data, pgv_draft_unnest(draft), pgv_draft_alias(draft, true),
					 draft->alias, draft->ord, tail);
	keep_write(draft, "insert_unnest", buf.data, insert_note(draft));
	if (list_length(draft->results) > n && bare && can_copy(draft))
		add_copy(draft, &in, columns.data);
}

void
pgv_rewrite_copy(PgvDraft *draft)
{
	PgvInsert	in;
	StringInfoData columns;
	StringInfoData items;
	bool		bare;

	initStringInfo(&columns);
	initStringInfo(&items);
	if (draft->shape->query->commandType == CMD_INSERT &&
		read_insert(&draft->shape->tokens, &in) &&
		list_items(draft, &in, &columns, &items, &bare) && bare && can_copy(draft))
		add_copy(draft, &in, columns.data);
}

void
pgv_rewrite_write(PgvDraft *draft)
{
	if (draft->shape->query->commandType == CMD_INSERT)
		write_insert(draft);
	else if (!write_any(draft))
		write_joined(draft);
}
