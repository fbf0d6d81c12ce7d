/*-------------------------------------------------------------------------
 *
 * variables.c
 *	  Variables of functions in the texts of their statements.
 *
 * In "SELECT name INTO n FROM authors WHERE id = a" of a PL/pgSQL function,
 * and in a body of LANGUAGE sql with named arguments, a parameter is written
 * as a name, which the text alone does not tell from a column.  Parse analysis
 * does: such a name has become a Param that points to a place where there is
 * no "$".  These places are remembered, and literals put there before the text
 * is normalised, so that it gets the normal form of the same statement sent by
 * a client:
 *
 *	 SELECT name FROM authors WHERE id = r.author_id
 *	 SELECT name FROM authors WHERE id = ''			-> id = $1
 *
 * An expression of PL/pgSQL that reads tables (IF EXISTS (SELECT ...), or an
 * assignment) is executed as a query, too: it gets its SELECT.
 *
 * Remembered is what this backend parsed last, up to PGV_NAMED_BYTES: of
 * statements with two variables about 1000.  Whatever is forgotten and not
 * parsed again, nor known to collect/identity any more, is normalised with
 * the names that it has.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "nodes/nodeFuncs.h"
#include "utils/memutils.h"

#include "collect/values.h"
#include "collect/variables.h"

#define PGV_NAMED_SETS 256		/* power of two */
#define PGV_NAMED_WAYS 4
#define PGV_NAMED_BYTES (64 * 1024)
#define PGV_SPANS 64			/* further variables keep their names */

/* A piece of a text. */
typedef struct PgvSpan
{
	int32		offset;
	uint16		length;
	bool		select;			/* it becomes SELECT, not a literal */
} PgvSpan;

typedef struct PgvNamed
{
	uint64		queryid;
	uint64		text;			/* a hash of it */
	int			nspans;
	PgvSpan		spans[FLEXIBLE_ARRAY_MEMBER];
} PgvNamed;

/* What a walk through a query gathers. */
typedef struct PgvNames
{
	const char *text;			/* of the statement */
	int			len;
	int			start;			/* where it begins in the source */
	int			n;
	PgvSpan		spans[PGV_SPANS];
} PgvNames;

static PgvNamed **named = NULL; /* PGV_NAMED_SETS x PGV_NAMED_WAYS */
static Size named_bytes = 0;
static int	hand = 0;			/* the next to be forgotten */

/* ----- reading names ----- */

static inline bool
begins_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		(c & 0x80) != 0;
}

static inline bool
continues_name(char c)
{
	return begins_name(c) || (c >= '0' && c <= '9') || c == '$';
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r' || *p == '\f'))
		p++;
	return p;
}

/* The end of an identifier that begins at p; p itself if none does. */
static const char *
skip_name(const char *p, const char *end)
{
	if (p + 2 < end && (*p == 'u' || *p == 'U') && p[1] == '&' && p[2] == '"')
		p += 2;
	if (p < end && *p == '"')
	{
		for (p++; p < end; p++)
		{
			if (*p != '"')
				continue;
			if (p + 1 == end || p[1] != '"')
				return p + 1;
			p++;
		}
		return end;
	}
	if (p < end && begins_name(*p))
		while (p < end && continues_name(*p))
			p++;
	return p;
}

/* The end of "a", "a.b" or "a.b.c" that begins at p. */
static const char *
skip_qualified(const char *p, const char *end)
{
	const char *last = skip_name(p, end);

	while (last > p)
	{
		const char *dot = skip_blanks(last, end);
		const char *next;

		if (dot == end || *dot != '.')
			break;
		dot = skip_blanks(dot + 1, end);
		next = skip_name(dot, end);
		if (next == dot)
			break;
		last = next;
	}
	return last;
}

/* ----- finding them ----- */

static void
add_name(PgvNames *names, const Param *param)
{
	int			offset = param->location - names->start;
	const char *end = names->text + names->len;
	const char *last;
	int			i;

	if (offset < 0 || offset >= names->len || names->n >= PGV_SPANS)
		return;
	last = skip_qualified(names->text + offset, end);
	if (last == names->text + offset || last - names->text - offset > PG_UINT16_MAX)
		return;
	/* in order of their places; one place may have several Params */
	for (i = names->n; i > 0 && names->spans[i - 1].offset >= offset; i--)
	{
		if (names->spans[i - 1].offset == offset)
			return;
	}
	memmove(&names->spans[i + 1], &names->spans[i], (names->n - i) * sizeof(PgvSpan));
	names->spans[i].offset = offset;
	names->spans[i].length = last - names->text - offset;
	names->spans[i].select = false;
	names->n++;
}

static bool
find_names(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
	{
		if (((Param *) node)->paramkind == PARAM_EXTERN)
			add_name(context, (Param *) node);
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, find_names, context, 0);
	return expression_tree_walker(node, find_names, context);
}

/* Is it an expression of PL/pgSQL rather than a statement? */
static bool
is_expression(const Query *query, const char *text, int len)
{
	static const char *const words[] = {"select", "values", "with", "table"};
	const char *end = text + len;
	const char *word = skip_blanks(text, end);
	int			length = skip_name(word, end) - word;

	if (query->commandType != CMD_SELECT || query->jointree->fromlist != NIL ||
		list_length(query->targetList) != 1)
		return false;
	for (int i = 0; i < lengthof(words); i++)
	{
		if (length == (int) strlen(words[i]) &&
			pg_strncasecmp(word, words[i], length) == 0)
			return false;
	}
	/* not a comment: those may stand before either */
	return length > 0 || (word < end && strchr("-/", *word) == NULL);
}

/* How much of an expression is "target :="; 0 if it is no assignment. */
static int
assignment(const char *text, int len)
{
	const char *end = text + len;
	int			depth = 0;

	for (const char *p = skip_blanks(text, end); p < end; p++)
	{
		if (*p == '[')
			depth++;
		else if (*p == ']')
			depth--;
		else if (depth == 0 && *p == ':')
			return p + 1 < end && p[1] == '=' ? p + 2 - text : 0;
		else if (depth == 0 && *p == '"')
			p = skip_name(p, end) - 1;
		else if (depth == 0 && !continues_name(*p) && *p != '.' &&
				 skip_blanks(p, p + 1) == p)
			return 0;
	}
	return 0;
}

/* An expression gets its SELECT, in the place of the target of an assignment. */
static void
add_select(PgvNames *names)
{
	int			length = assignment(names->text, names->len);
	int			n = 0;

	if (names->n == PGV_SPANS || length > PG_UINT16_MAX)
		return;
	for (int i = 0; i < names->n; i++)
	{
		if (names->spans[i].offset >= length)
			names->spans[n++] = names->spans[i];
	}
	memmove(&names->spans[1], &names->spans[0], n * sizeof(PgvSpan));
	names->spans[0].offset = 0;
	names->spans[0].length = length;
	names->spans[0].select = true;
	names->n = n + 1;
}

/* ----- remembering them ----- */

static inline PgvNamed **
named_set(uint64 queryid)
{
	return &named[((queryid ^ (queryid >> 32)) & (PGV_NAMED_SETS - 1)) * PGV_NAMED_WAYS];
}

static inline Size
named_size(int nspans)
{
	return offsetof(PgvNamed, spans) + nspans * sizeof(PgvSpan);
}

static void
forget_named(PgvNamed **place)
{
	if (*place == NULL)
		return;
	named_bytes -= named_size((*place)->nspans);
	pfree(*place);
	*place = NULL;
}

static PgvNamed **
find_named(uint64 queryid, const char *text, int len)
{
	PgvNamed  **set = named_set(queryid);

	for (int i = 0; i < PGV_NAMED_WAYS; i++)
	{
		if (set[i] != NULL && set[i]->queryid == queryid &&
			set[i]->text == pgv_bytes_mix(queryid, text, len))
			return &set[i];
	}
	return NULL;
}

static void
remember(uint64 queryid, const PgvNames *names)
{
	PgvNamed  **place;
	PgvNamed   *entry;
	Size		size = named_size(names->n);

	if (named == NULL)
		named = MemoryContextAllocExtended(TopMemoryContext, PGV_NAMED_SETS *
										   PGV_NAMED_WAYS * sizeof(PgvNamed *),
										   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	if (named == NULL)
		return;
	place = find_named(queryid, names->text, names->len);
	if (place != NULL)
		forget_named(place);
	if (names->n == 0)
		return;
	entry = MemoryContextAllocExtended(TopMemoryContext, size, MCXT_ALLOC_NO_OOM);
	if (entry == NULL)
		return;
	while (named_bytes + size > PGV_NAMED_BYTES)
	{
		forget_named(&named[hand]);
		hand = (hand + 1) % (PGV_NAMED_SETS * PGV_NAMED_WAYS);
	}
	place = named_set(queryid);
	for (int i = 1; i < PGV_NAMED_WAYS && *place != NULL; i++)
		place++;
	forget_named(place);
	entry->queryid = queryid;
	entry->text = pgv_bytes_mix(queryid, names->text, names->len);
	entry->nspans = names->n;
	memcpy(entry->spans, names->spans, names->n * sizeof(PgvSpan));
	*place = entry;
	named_bytes += size;
}

/* What of a utility statement can name variables, or NULL. */
static Node *
inside_utility(Node *utility)
{
	switch (nodeTag(utility))
	{
		case T_CreateTableAsStmt:
			return ((CreateTableAsStmt *) utility)->query;
		case T_DeclareCursorStmt:
			return ((DeclareCursorStmt *) utility)->query;
		case T_ExplainStmt:
			return ((ExplainStmt *) utility)->query;
		case T_CallStmt:
			return (Node *) ((CallStmt *) utility)->funcexpr;
		default:
			return NULL;
	}
}

/* PL/pgSQL evaluates simple expressions by itself: they are no statements. */
static bool
is_simple(const Query *query, bool expression)
{
	return expression && query->rtable == NIL && !query->hasSubLinks;
}

void
pgv_variables_note(const ParseState *pstate, Query *query)
{
	PgvNames	names;
	Node	   *tree = (Node *) query;
	bool		expression;

	if (pstate->p_sourcetext == NULL)
		return;
	names.n = 0;
	names.start = Max(query->stmt_location, 0);
	names.text = pstate->p_sourcetext + names.start;
	names.len = query->stmt_len > 0 ? query->stmt_len : (int) strlen(names.text);
	if (query->utilityStmt != NULL)
		tree = inside_utility(query->utilityStmt);
	expression = query->utilityStmt == NULL &&
		is_expression(query, names.text, names.len);
	if (tree == NULL || is_simple(query, expression))
		return;
	find_names(tree, &names);
	if (expression)
		add_select(&names);
	if (names.n == 0 && named == NULL)
		return;
	remember(PGV_QUERYID(query->queryId), &names);
	/* the query inside has an id of its own, or none */
	if (IsA(tree, Query) && tree != (Node *) query)
		remember(PGV_QUERYID(((Query *) tree)->queryId), &names);
}

/* ----- putting literals in their place ----- */

static char *
put(char *to, const char *from, int len)
{
	memcpy(to, from, len);
	return to + len;
}

char *
pgv_variables_replace(uint64 queryid, const char *text, int len, int *result_len)
{
	PgvNamed  **place = named != NULL ? find_named(queryid, text, len) : NULL;
	PgvNamed   *entry;
	char	   *result;
	char	   *to;
	int			done = 0;

	if (place == NULL)
		return NULL;
	entry = *place;
	result = MemoryContextAllocExtended(TopMemoryContext, len + entry->nspans * 8,
										MCXT_ALLOC_NO_OOM);
	if (result == NULL)
		return NULL;
	to = result;
	for (int i = 0; i < entry->nspans; i++)
	{
		const PgvSpan *span = &entry->spans[i];

		to = put(to, text + done, span->offset - done);
		if (to > result && continues_name(to[-1]))
			*to++ = ' ';
		to = span->select ? put(to, "SELECT ", 7) : put(to, "''", 2);
		done = span->offset + span->length;
	}
	to = put(to, text + done, len - done);
	*result_len = to - result;
	return result;
}
