/*-------------------------------------------------------------------------
 *
 * comparisons.c
 *	  Where the text of a statement compares columns with parameters.
 *
 * Each parameter is looked at with what stands around it:
 *
 *	 a.id = $1		$1::int = a.id		a.id = CAST($1 AS int)		a.id = ($1)
 *	 a.id IN ($1)		a.id = ANY ($1)		a.id = ANY (ARRAY[$1])
 *
 * Then around the comparison: it is a conjunct if up to the WHERE of the
 * statement itself, or the ON of an inner join, there is nothing but AND and
 * brackets.  In case of doubt it is none.
 *
 * The planner leaves the names of tables, aliases and columns in its range
 * table; by these a column of the text is told.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "parser/parsetree.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "collect/comparisons.h"

#define PGV_MAX_ADVISED 8192	/* bytes of a text that advice is derived from */

/* ----- words ----- */

static bool
is_any(const PgvTokens *tokens, int i, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (pgv_token_is(tokens, i, *words))
			return true;
	}
	return false;
}

bool
pgv_has_word(const PgvTokens *tokens, int from, int to, const char *const *words)
{
	for (int i = from; i < to; i++)
	{
		if (is_any(tokens, i, words))
			return true;
	}
	return false;
}

int
pgv_find_word(const PgvTokens *tokens, int from, const char *const *words)
{
	for (int i = from; i < tokens->n; i++)
	{
		if (tokens->token[i].depth == 0 && is_any(tokens, i, words))
			return i;
	}
	return tokens->n;
}

/* ----- names ----- */

static bool
is_name(const PgvTokens *tokens, int i)
{
	return i >= 0 && i < tokens->n &&
		(tokens->token[i].type == PGV_TOKEN_WORD ||
		 tokens->token[i].type == PGV_TOKEN_QUOTED);
}

/* The identifier as the catalog has it; NULL: it is written in Unicode. */
static char *
identifier(const PgvTokens *tokens, int i)
{
	const char *start = tokens->sql + tokens->token[i].start;
	int			len = tokens->token[i].end - tokens->token[i].start;
	char	   *name;
	char	   *to;

	if (tokens->token[i].type == PGV_TOKEN_WORD)
		return downcase_truncate_identifier(start, len, false);
	if (*start != '"')
		return NULL;
	name = to = palloc(len);
	for (int j = 1; j < len - 1; j++)
	{
		*to++ = start[j];
		if (start[j] == '"')
			j++;
	}
	*to = '\0';
	truncate_identifier(name, strlen(name), false);
	return name;
}

AttrNumber
pgv_token_attno(const PgvTokens *tokens, int i, Oid relid)
{
	char	   *name = is_name(tokens, i) ? identifier(tokens, i) : NULL;
	AttrNumber	attno = name != NULL ? get_attnum(relid, name) : 0;

	return attno > 0 ? attno : 0;
}

/* Is it in the range table only as a partition, or heir, of another table? */
static bool
is_child(const PlannedStmt *stmt, Index index)
{
	ListCell   *lc;

	foreach(lc, stmt->appendRelations)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, lc);

		if (info->child_relid == index && OidIsValid(info->parent_reloid))
			return true;
	}
	return false;
}

/*
 * Tell the column by its name, and by the table's or alias before it.  Of
 * several tables that have such a column it is none.
 */
static void
resolve(PgvComparisons *all, PgvComparison *c)
{
	const PgvTokens *tokens = &all->tokens;
	char	   *qualifier = NULL;
	ListCell   *lc;

	if (c->column_first < c->column_last)
	{
		qualifier = identifier(tokens, c->column_last - 2);
		if (qualifier == NULL)
			return;
	}
	foreach(lc, all->stmt->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		AttrNumber	attno;

		if (rte->rtekind != RTE_RELATION || rte->relkind == RELKIND_VIEW ||
			rte->eref == NULL ||
			is_child(all->stmt, foreach_current_index(lc) + 1) ||
			(qualifier != NULL && strcmp(rte->eref->aliasname, qualifier) != 0))
			continue;
		attno = pgv_token_attno(tokens, c->column_last, rte->relid);
		if (attno == 0 || (c->relid == rte->relid && c->attno == attno))
			continue;
		if (OidIsValid(c->relid))
		{
			c->relid = InvalidOid;
			return;
		}
		c->relid = rte->relid;
		c->attno = attno;
	}
}

/* What may stand before a condition. */
static const char *const openers[] = {"where", "and", "on", "(", NULL};

/* ----- around a parameter ----- */

/* Take in a cast, a bracket, or what makes an array of one. */
static bool
widen(PgvComparisons *all, PgvComparison *c, int *first, int *last)
{
	const PgvTokens *t = &all->tokens;
	int			end;

	if (pgv_token_is(t, *last + 1, "::") &&
		(end = pgv_token_type_end(t, *last + 2)) > 0)
	{
		c->cast = pgv_tokens_text(t, *last + 2, end);
		*last = end;
		return true;
	}
	if (pgv_token_is(t, *first - 1, "(") && pgv_token_is(t, *first - 2, "cast") &&
		pgv_token_is(t, *last + 1, "as") &&
		(end = pgv_token_type_end(t, *last + 2)) > 0 &&
		pgv_token_is(t, end + 1, ")"))
	{
		c->cast = pgv_tokens_text(t, *last + 2, end);
		*first -= 2;
		*last = end + 1;
		return true;
	}
	if (pgv_token_is(t, *first - 1, "(") && pgv_token_is(t, *last + 1, ")") &&
		!is_name(t, *first - 2))
	{
		(*first)--;
		(*last)++;
		return true;
	}
	return false;
}

/* ARRAY[$1]::bigint[] casts $1 to bigint. */
static void
take_element_cast(const PgvTokens *t, PgvComparison *c, int *last)
{
	int			end = pgv_token_is(t, *last + 1, "::") ? pgv_token_type_end(t, *last + 2) : -1;

	if (end < 0 || !pgv_token_is(t, end, "]") || !pgv_token_is(t, end - 1, "["))
		return;
	c->cast = pgv_tokens_text(t, *last + 2, end - 2);
	*last = end;
}

/* = ANY ($1), where $1 is an array, or ARRAY[$1], where it is none. */
static bool
widen_any(PgvComparisons *all, PgvComparison *c, int *first, int *last)
{
	const PgvTokens *t = &all->tokens;

	c->array = true;
	if (pgv_token_is(t, *first - 1, "[") && pgv_token_is(t, *first - 2, "array") &&
		pgv_token_is(t, *last + 1, "]"))
	{
		c->array = false;
		*first -= 2;
		(*last)++;
		take_element_cast(t, c, last);
	}
	if (!pgv_token_is(t, *first - 1, "(") || !pgv_token_is(t, *last + 1, ")") ||
		(!pgv_token_is(t, *first - 2, "any") && !pgv_token_is(t, *first - 2, "some")))
	{
		c->array = false;
		return false;
	}
	*first -= 2;
	(*last)++;
	return true;
}

/* The column whose last token is i; -1: it is not just a column. */
static int
column_start(const PgvTokens *tokens, int i)
{
	if (!is_name(tokens, i))
		return -1;
	while (pgv_token_is(tokens, i - 1, ".") && is_name(tokens, i - 2))
		i -= 2;
	return i;
}

/* The column, perhaps in brackets of its own, that ends with token i. */
static bool
take_column_before(const PgvTokens *tokens, PgvComparison *c, int i)
{
	int			brackets = 0;

	for (; pgv_token_is(tokens, i, ")"); i--)
		brackets++;
	c->column_last = i;
	c->first = c->column_first = column_start(tokens, i);
	if (c->column_first < 0)
		return false;
	for (; brackets > 0; brackets--)
	{
		if (!pgv_token_is(tokens, c->first - 1, "(") ||
			!is_any(tokens, c->first - 2, openers))
			return false;
		c->first--;
	}
	return true;
}

/* The column that a value, with all that belongs to it, is compared with. */
static bool
take_column(PgvComparisons *all, PgvComparison *c, int first, int last, bool any)
{
	const PgvTokens *t = &all->tokens;

	c->first = first;
	c->last = last;
	if (pgv_token_is(t, first - 1, "="))
		return take_column_before(t, c, first - 2);
	if (!any && pgv_token_is(t, first - 1, "(") && pgv_token_is(t, last + 1, ")") &&
		pgv_token_is(t, first - 2, "in"))
	{
		c->last = last + 1;
		c->column_last = first - 3;
		c->first = c->column_first = column_start(t, first - 3);
		return c->column_first >= 0 && !pgv_token_is(t, first - 3, "not");
	}
	if (any || !pgv_token_is(t, last + 1, "="))
		return false;
	c->column_first = last + 2;
	c->last = c->column_last = pgv_token_name_end(t, last + 2);
	return c->last > 0 && !pgv_token_is(t, c->last + 1, "(");
}

/* ----- around a comparison ----- */

/* What may stand behind a condition. */
static const char *const closers[] = {
	"and", ")", "where", "order", "group", "having", "limit", "offset", "fetch",
	"for", "returning", "inner", "left", "right", "full", "cross", "join",
	"natural", "window", "union", "intersect", "except", NULL
};

/* What makes another thing of the condition it stands in. */
static const char *const spoilers[] = {
	"or", "not", "case", "select", NULL
};

static const char *const clauses[] = {"where", "on", "having", "set", "when", NULL};
static const char *const ends[] = {
	"where", "order", "group", "having", "limit", "offset", "fetch", "for",
	"returning", "inner", "left", "right", "full", "cross", "join", "natural",
	"window", "union", "intersect", "except", "on", NULL
};
static const char *const outer_joins[] = {"left", "right", "full", NULL};

/* Does the AND at i belong to BETWEEN? */
static bool
is_of_between(const PgvTokens *tokens, int i)
{
	int			depth = tokens->token[i].depth;

	while (--i >= 0 && tokens->token[i].depth >= depth)
	{
		if (tokens->token[i].depth > depth)
			continue;
		if (pgv_token_is(tokens, i, "between"))
			return true;
		if (is_any(tokens, i, openers))
			return false;
	}
	return false;
}

static bool
is_condition(const PgvTokens *tokens, int first, int last)
{
	return is_any(tokens, first - 1, openers) &&
		!(pgv_token_is(tokens, first - 1, "and") && is_of_between(tokens, first - 1)) &&
		(last + 1 == tokens->n || is_any(tokens, last + 1, closers));
}

/* Is there a spoiler in [from, to] at this depth?  "is not" and "not in" are none. */
static bool
is_spoiled(const PgvTokens *tokens, int from, int to, int depth)
{
	for (int i = from; i <= to; i++)
	{
		if (tokens->token[i].depth != depth || !is_any(tokens, i, spoilers))
			continue;
		if (pgv_token_is(tokens, i, "not") &&
			(pgv_token_is(tokens, i - 1, "is") || pgv_token_is(tokens, i + 1, "in")))
			continue;
		return true;
	}
	return false;
}

/* Widen [first, last] to the bracket around it, if it is a condition's. */
static bool
leave_bracket(const PgvTokens *tokens, int *first, int *last)
{
	int			depth = tokens->token[*first].depth;

	while (tokens->token[*first].depth >= depth)
		(*first)--;
	*last = pgv_token_close(tokens, *first);
	return !is_spoiled(tokens, *first, *last, depth) &&
		is_condition(tokens, *first, *last);
}

static bool
is_conjunct(const PgvTokens *tokens, int first, int last)
{
	int			clause;
	int			end;

	if (!is_condition(tokens, first, last))
		return false;
	while (tokens->token[first].depth > 0)
	{
		if (!leave_bracket(tokens, &first, &last))
			return false;
	}
	for (clause = first - 1; clause >= 0; clause--)
	{
		if (tokens->token[clause].depth == 0 && is_any(tokens, clause, clauses))
			break;
	}
	end = pgv_find_word(tokens, last + 1, ends);
	if (clause < 0 || is_spoiled(tokens, clause + 1, end - 1, 0))
		return false;
	if (pgv_token_is(tokens, clause, "on"))
		return !pgv_has_word(tokens, 0, tokens->n, outer_joins);
	return pgv_token_is(tokens, clause, "where");
}

/* ----- reading a statement ----- */

/* "SET a = $1, b = $2": what stands behind these is assigned, or a result. */
static const char *const not_compared[] = {"set", "select", ",", NULL};

static bool
read_parameter(PgvComparisons *all, int i)
{
	PgvComparison c = {.param = all->tokens.token[i].param};
	int			first = i;
	int			last = i;
	bool		any;

	while (widen(all, &c, &first, &last))
		;
	any = widen_any(all, &c, &first, &last);
	if (!take_column(all, &c, first, last, any) ||
		is_any(&all->tokens, c.first - 1, not_compared))
		return true;
	if (all->n >= PGV_MAX_COMPARISONS)
		return false;
	c.conjunct = is_conjunct(&all->tokens, c.first, c.last);
	resolve(all, &c);
	all->found[all->n++] = c;
	return true;
}

/*
 * Is a type named whose length was a constant?  The normal form has $n there,
 * which is no length.
 */
static bool
has_lost_length(const PgvTokens *tokens)
{
	for (int i = 0; i < tokens->n; i++)
	{
		int			end;

		if (!pgv_token_is(tokens, i, "::") && !pgv_token_is(tokens, i, "as"))
			continue;
		end = pgv_token_type_end(tokens, i + 1);
		for (int j = i + 1; j <= end; j++)
		{
			if (tokens->token[j].param != 0)
				return true;
		}
	}
	return false;
}

bool
pgv_comparisons_read(PgvComparisons *all, const char *normal,
					 const PlannedStmt *stmt)
{
	const char *reason;

	memset(all, 0, sizeof(*all));
	all->stmt = stmt;
	if (strlen(normal) > PGV_MAX_ADVISED)
		return false;
	all->sql = pgv_sql_acceptable(normal, &reason);
	if (all->sql == NULL || !pgv_tokens_read(&all->tokens, all->sql) ||
		has_lost_length(&all->tokens))
		return false;
	for (int i = 0; i < all->tokens.n; i++)
	{
		if (all->tokens.token[i].param != 0 && !read_parameter(all, i))
			return false;
	}
	return true;
}

PgvComparison *
pgv_comparisons_of(PgvComparisons *all, Oid relid, AttrNumber attno)
{
	PgvComparison *found = NULL;
	int			n = 0;

	for (int i = 0; i < all->n; i++)
	{
		PgvComparison *c = &all->found[i];

		if (c->relid != relid || c->attno != attno)
			continue;
		found = c;
		n++;
	}
	if (n == 0 && all->n == 1 && !OidIsValid(all->found[0].relid))
	{
		found = &all->found[0];
		found->relid = relid;
		found->attno = attno;
		n = 1;
	}
	return n == 1 ? found : NULL;
}

char *
pgv_comparison_column(const PgvComparisons *all, const PgvComparison *c)
{
	return pgv_tokens_text(&all->tokens, c->column_first, c->column_last);
}

char *
pgv_column_type(Oid relid, AttrNumber attno)
{
	Oid			type;
	Oid			base;
	int32		typmod;
	Oid			collation;

	if (!OidIsValid(relid) || get_attname(relid, attno, true) == NULL)
		return NULL;
	get_atttypetypmodcoll(relid, attno, &type, &typmod, &collation);
	base = getBaseType(type);
	/* unnest() goes through all levels of arrays, and takes rows apart */
	if (!OidIsValid(get_array_type(type)) || type_is_rowtype(base) ||
		OidIsValid(get_element_type(base)))
		return NULL;
	/* without length: what is too long must not become equal by being cut */
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN);
}

char *
pgv_comparison_type(const PgvComparison *c)
{
	int			len = c->cast != NULL ? strlen(c->cast) : 0;

	if (len == 0)
		return pgv_column_type(c->relid, c->attno);
	if (!c->array)
		return c->cast;
	if (len > 2 && strcmp(c->cast + len - 2, "[]") == 0)
		return pnstrdup(c->cast, len - 2);
	return NULL;
}
