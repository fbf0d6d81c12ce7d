/*-------------------------------------------------------------------------
 *
 * rewrite_join.c
 *	  One SELECT for a parent's rows and those that belong to them.
 *
 * Of two plain reads of one table each, a plain join is made, clause by
 * clause:
 *
 *	parent	SELECT title FROM posts p WHERE published ORDER BY id
 *	child	SELECT name FROM authors WHERE id = $1
 *
 *			SELECT p.title, authors.name
 *			FROM posts p JOIN authors ON authors.id = p.author_id
 *			WHERE p.published ORDER BY p.id
 *
 * Of all others, one of two subqueries:
 *
 *			SELECT p.*, x.* FROM (parent) AS p CROSS JOIN LATERAL (child) AS x
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "parser/scansup.h"
#include "utils/builtins.h"

#include "collect/suggest.h"
#include "surface/rewrite_join.h"
#include "surface/rewrite_read.h"

/* ----- which columns belong together ----- */

/*
 * How closely are these columns linked, in the way that is wanted (NULL: any)?
 * 0: not at all.  A reference is closer than being the same column, which a
 * table that refers to itself has, too.
 */
static int
closeness(const PgvEquality *equality, Oid relid, AttrNumber attno, const char *wanted)
{
	PgvLinkColumns link = {PGV_LINK_NONE, equality->relid, equality->attno, relid, attno};
	StringInfoData text;

	link.type = pgv_link_type(link.child_relid, link.child_attno, relid, attno);
	if (link.type != PGV_LINK_NONE && wanted != NULL)
	{
		initStringInfo(&text);
		pgv_link_text(&text, &link);
		return strcmp(text.data, wanted) == 0 ? 3 : 0;
	}
	switch (link.type)
	{
		case PGV_LINK_CHILD_REFERENCES:
		case PGV_LINK_PARENT_REFERENCES:
			return 3;
		case PGV_LINK_SAME:
			return 2;
		case PGV_LINK_SHARED:
			return 1;
		default:
			return 0;
	}
}

/*
 * The one output column of the parent that is linked to the equality's column
 * most closely; NULL: there is none, or there are several.
 */
static const TargetEntry *
linked_output(const PgvQueryShape *parent, const PgvEquality *equality, const char *wanted)
{
	const TargetEntry *found = NULL;
	Oid			found_relid = InvalidOid;
	AttrNumber	found_attno = 0;
	int			closest = 0;
	bool		several = false;
	ListCell   *lc;

	foreach(lc, parent->query->targetList)
	{
		const TargetEntry *target = lfirst(lc);
		Oid			relid;
		AttrNumber	attno;
		int			close;

		if (target->resjunk || !pgv_query_origin(parent->query, target, &relid, &attno))
			continue;
		close = closeness(equality, relid, attno, wanted);
		if (close < closest || close == 0)
			continue;
		several = (close == closest && !(relid == found_relid && attno == found_attno));
		if (close > closest)
		{
			found = target;
			found_relid = relid;
			found_attno = attno;
		}
		closest = close;
	}
	return several ? NULL : found;
}

/* The same for a parameter: by the first of its comparisons that has one. */
static const TargetEntry *
parameter_source(const PgvQueryShape *shape, const PgvQueryShape *parent, int param,
				 const char *wanted)
{
	const TargetEntry *target;
	ListCell   *lc;

	foreach(lc, shape->equalities)
	{
		const PgvEquality *equality = lfirst(lc);

		if (equality->param != param || !OidIsValid(equality->relid))
			continue;
		target = linked_output(parent, equality, wanted);
		if (target != NULL)
			return target;
	}
	return NULL;
}

Bitmapset *
pgv_join_keys(const PgvQueryShape *shape, const PgvQueryShape *parent, const char *link)
{
	Bitmapset  *keys = NULL;
	int			param = -1;

	/* of a key of several columns a finding names one, hence any will do, too */
	while ((param = bms_next_member(shape->params, param)) >= 0)
	{
		if (parameter_source(shape, parent, param, NULL) != NULL ||
			(link != NULL && parameter_source(shape, parent, param, link) != NULL))
			keys = bms_add_member(keys, param);
	}
	return keys;
}

static const TargetEntry *
key_source(const PgvDraft *draft, const PgvKey *key, const char *link)
{
	const TargetEntry *target = parameter_source(draft->shape, draft->parent,
												 key->param, link);

	if (target == NULL)
		target = parameter_source(draft->shape, draft->parent, key->param, NULL);
	return target;
}

/* Changes that put the parent's columns for the keys of the child's text. */
static void
edit_keys(const PgvDraft *draft, PgvEdits *edits, const PgvKey *key, const char *column)
{
	const PgvTokens *tokens = &draft->shape->tokens;

	for (int i = 0; i < tokens->n; i++)
	{
		if (tokens->token[i].param == key->param)
			pgv_edit_add(edits, tokens->token[i].start, tokens->token[i].end,
						 key->array ? psprintf("ARRAY[%s]", column) : column);
	}
}

static void
edit_parent(const PgvDraft *draft, PgvEdits *edits)
{
	const PgvTokens *tokens = &draft->parent->tokens;

	for (int i = 0; i < tokens->n; i++)
	{
		int			param = tokens->token[i].param;

		if (param > 0 && param <= draft->parent->ntypes)
			pgv_edit_add(edits, tokens->token[i].start, tokens->token[i].end,
						 psprintf("$%d", draft->parent_number[param]));
	}
}

/* ----- the plain join ----- */

/* The clauses of a SELECT: each begins with this token and ends before the next. */
typedef struct PgvClauses
{
	int			from;
	int			where;
	int			order;
	int			limit;
	int			n;
} PgvClauses;

static PgvClauses
find_clauses(const PgvTokens *tokens)
{
	PgvClauses	c;

	c.n = tokens->n;
	c.limit = Min(pgv_token_find(tokens, 0, 0, "limit"),
				  pgv_token_find(tokens, 0, 0, "fetch"));
	c.from = pgv_token_find(tokens, 0, 0, "from");
	c.order = Min(pgv_token_find(tokens, c.from, 0, "order"), c.limit);
	c.where = Min(pgv_token_find(tokens, c.from, 0, "where"), c.order);
	return c;
}

/* The one range table entry of a plain read of one; NULL: it is not such. */
static RangeTblEntry *
only_source(const PgvQueryShape *shape)
{
	const Query *query = shape->query;
	RangeTblEntry *rte;

	if (!pgv_is_plain_read(query) || query->hasSubLinks || query->cteList != NIL ||
		query->hasTargetSRFs || query->limitOffset != NULL ||
		list_length(query->rtable) != 1 ||
		!IsA(linitial(query->jointree->fromlist), RangeTblRef) ||
		!pgv_token_is(&shape->tokens, 0, "select"))
		return NULL;
	rte = linitial(query->rtable);
	return rte->rtekind == RTE_RELATION ? rte : NULL;
}

typedef struct PgvQualifyWalk
{
	const PgvTokens *tokens;
	PgvEdits   *edits;
	Bitmapset  *done;
	const char *alias;
} PgvQualifyWalk;

static void
qualify_token(PgvQualifyWalk *walk, int i)
{
	const PgvToken *t = &walk->tokens->token[i];

	if (bms_is_member(i, walk->done) || pgv_token_is(walk->tokens, i + 1, "."))
		return;
	walk->done = bms_add_member(walk->done, i);
	pgv_edit_add(walk->edits, t->start, t->start, psprintf("%s.", walk->alias));
}

static bool
qualify_walker(Node *node, void *arg)
{
	PgvQualifyWalk *walk = arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		int			i = var->location >= 0 ? pgv_token_at(walk->tokens, var->location) : -1;

		/* a whole row is named by its table already */
		if (i >= 0 && var->varattno != 0)
			qualify_token(walk, i);
		return false;
	}
	return expression_tree_walker(node, qualify_walker, arg);
}

/* A word of the text as the name that it stands for. */
static char *
name_of(const PgvTokens *tokens, int i)
{
	const PgvToken *t = &tokens->token[i];

	if (t->type == PGV_TOKEN_QUOTED)
		return pnstrdup(tokens->sql + t->start + 1, t->end - t->start - 2);
	return downcase_truncate_identifier(tokens->sql + t->start, t->end - t->start, false);
}

/*
 * ORDER BY names output columns; where the name is that of a column of the
 * table as well, and it is that column, qualify it.
 */
static void
qualify_order(PgvQualifyWalk *walk, const PgvQueryShape *shape, const RangeTblEntry *rte,
			  int order, int end)
{
	for (int i = order + 2; i < end; i++)
	{
		const PgvToken *t = &walk->tokens->token[i];
		ListCell   *lc;

		if (t->depth != 0 || (t->type != PGV_TOKEN_WORD && t->type != PGV_TOKEN_QUOTED) ||
			!(i == order + 2 || pgv_token_is(walk->tokens, i - 1, ",")))
			continue;
		foreach(lc, shape->query->targetList)
		{
			const TargetEntry *target = lfirst(lc);
			const Var  *var = (const Var *) target->expr;

			if (target->resname != NULL && IsA(var, Var) && var->varattno > 0 &&
				strcmp(target->resname, name_of(walk->tokens, i)) == 0 &&
				strcmp(target->resname, strVal(list_nth(rte->eref->colnames, var->varattno - 1))) == 0)
			{
				qualify_token(walk, i);
				break;
			}
		}
	}
}

static void
qualify(const PgvQueryShape *shape, const RangeTblEntry *rte, const PgvClauses *c,
		PgvEdits *edits)
{
	PgvQualifyWalk walk = {&shape->tokens, edits, NULL,
	quote_identifier(rte->eref->aliasname)};

	(void) expression_tree_walker((Node *) shape->query->targetList, qualify_walker, &walk);
	(void) qualify_walker(shape->query->jointree->quals, &walk);
	if (c->order < c->limit)
		qualify_order(&walk, shape, rte, c->order, c->limit);
}

/* Append a clause's text without its first "skip" words. */
static void
append_clause(StringInfo buf, const PgvQueryShape *shape, const PgvEdits *edits,
			  const char *before, int from, int skip, int to)
{
	const PgvToken *t = shape->tokens.token;

	if (from + skip >= to)
		return;
	appendStringInfoString(buf, before);
	pgv_edits_apply(buf, edits, shape->sql, t[from + skip].start, t[to - 1].end);
}

/* Does ORDER BY number the output columns? */
static bool
orders_by_number(const PgvTokens *tokens, const PgvClauses *c)
{
	for (int i = c->order; i < c->limit; i++)
	{
		if (tokens->token[i].type == PGV_TOKEN_NUMBER)
			return true;
	}
	return false;
}

static char *
plain_join(const PgvDraft *draft, const RangeTblEntry *child_rte,
		   const RangeTblEntry *parent_rte, const char *link)
{
	const PgvQueryShape *child = draft->shape;
	const PgvQueryShape *parent = draft->parent;
	PgvClauses	c = find_clauses(&child->tokens);
	PgvClauses	p = find_clauses(&parent->tokens);
	PgvEdits	child_edits = {0};
	PgvEdits	parent_edits = {0};
	bool		ordered = c.order < c.limit && !pgv_is_one_row(draft);
	StringInfoData buf;

	if (c.where >= c.order || (ordered && orders_by_number(&child->tokens, &c)))
		return NULL;
	pgv_draft_edit_params(draft, &child_edits, 0, child->tokens.n, false);
	for (int i = 0; i < draft->nkeys; i++)
	{
		const TargetEntry *target = key_source(draft, &draft->keys[i], link);
		const Var  *var = (const Var *) target->expr;

		if (!IsA(var, Var))
			return NULL;
		edit_keys(draft, &child_edits, &draft->keys[i],
				  psprintf("%s.%s", quote_identifier(parent_rte->eref->aliasname),
						   quote_identifier(strVal(list_nth(parent_rte->eref->colnames,
															var->varattno - 1)))));
	}
	edit_parent(draft, &parent_edits);
	qualify(child, child_rte, &c, &child_edits);
	qualify(parent, parent_rte, &p, &parent_edits);
	initStringInfo(&buf);
	append_clause(&buf, parent, &parent_edits, "SELECT ", 0, 1, p.from);
	append_clause(&buf, child, &child_edits, ", ", 0, 1, c.from);
	append_clause(&buf, parent, &parent_edits, " FROM ", p.from, 1, p.where);
	append_clause(&buf, child, &child_edits, " JOIN ", c.from, 1, c.where);
	append_clause(&buf, child, &child_edits, " ON ", c.where, 1, c.order);
	append_clause(&buf, parent, &parent_edits, " WHERE ", p.where, 1, p.order);
	append_clause(&buf, parent, &parent_edits, " ORDER BY ", p.order, 2, p.limit);
	if (ordered)
		append_clause(&buf, child, &child_edits,
					  p.order < p.limit ? ", " : " ORDER BY ", c.order, 2, c.limit);
	return buf.data;
}

static bool
draft_plain_join(PgvDraft *draft, const char *link, const char *note)
{
	RangeTblEntry *child_rte = only_source(draft->shape);
	RangeTblEntry *parent_rte = only_source(draft->parent);
	PgvQueryShape *shape;
	char	   *sql;

	if (child_rte == NULL || parent_rte == NULL || draft->parent->query->limitCount != NULL ||
		(draft->shape->query->limitCount != NULL && !pgv_is_one_row(draft)) ||
		strcmp(child_rte->eref->aliasname, parent_rte->eref->aliasname) == 0)
		return false;
	sql = plain_join(draft, child_rte, parent_rte, link);
	shape = sql != NULL ? pgv_draft_shape(draft, sql) : NULL;
	return shape != NULL && list_length(shape->query->rtable) == 3 &&
		pgv_count_outputs(shape->query) == pgv_count_outputs(draft->shape->query) +
		pgv_count_outputs(draft->parent->query) &&
		pgv_draft_keep(draft, "join", shape, note);
}

/* ----- the join of subqueries ----- */

static void
draft_lateral_join(PgvDraft *draft, const char *link, const char *note)
{
	char	   *p = pgv_draft_name(draft, "p");
	char	   *x = pgv_draft_name(draft, "x");
	PgvEdits	child_edits = {0};
	PgvEdits	parent_edits = {0};
	char	   *parent_place;
	char	   *child_place = NULL;
	StringInfoData buf;
	char	   *parent;
	char	   *child;
	PgvQueryShape *shape;

	edit_parent(draft, &parent_edits);
	pgv_draft_edit_params(draft, &child_edits, 0, draft->shape->tokens.n, false);
	for (int i = 0; i < draft->nkeys; i++)
		edit_keys(draft, &child_edits, &draft->keys[i],
				  psprintf("%s.%s", p,
						   quote_identifier(key_source(draft, &draft->keys[i], link)->resname)));
	initStringInfo(&buf);
	pgv_edits_apply(&buf, &parent_edits, draft->parent->sql, 0, strlen(draft->parent->sql));
	parent = pgv_in_order(draft, draft->parent, buf.data, &parent_place);
	child = pgv_draft_apply(draft, &child_edits);
	child = pgv_is_one_row(draft) ? psprintf("(%s)", child) :
		pgv_in_order(draft, draft->shape, child, &child_place);
	initStringInfo(&buf);
	appendStringInfo(&buf, "SELECT %s.*, %s.* FROM %s AS %s CROSS JOIN LATERAL %s AS %s",
					 p, x, parent, p, child, x);
	if (parent_place != NULL)
		appendStringInfo(&buf, " ORDER BY %s.%s", p, parent_place);
	if (child_place != NULL)
		appendStringInfo(&buf, "%s%s.%s", parent_place != NULL ? ", " : " ORDER BY ",
						 x, child_place);
	shape = pgv_draft_shape(draft, buf.data);
	if (shape != NULL)
		pgv_draft_keep(draft, "join", shape, note);
}

void
pgv_rewrite_join(PgvDraft *draft, PgvQueryShape *parent, const char *link)
{
	const char *note = "returns the parent's columns and then the statement's, a row for each pair; a LEFT JOIN keeps the parent's rows that have none";

	pgv_draft_add_parent(draft, parent);
	if (!draft_plain_join(draft, link, note))
		draft_lateral_join(draft, link, note);
}
