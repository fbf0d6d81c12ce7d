/*-------------------------------------------------------------------------
 *
 * sqledit.c
 *	  Changing the text of a statement in normal form.
 *
 * The normal form has single blanks, no comments and no literals, so a lexer
 * needs to know little: words, quoted identifiers, $n, the numbers that stay,
 * operators, and brackets.  It must agree with the server's scanner on where a
 * token ends; what comes of the changes is checked by the parser anyway.
 *
 * An array of tokens, in order, each with its place in the text and the number
 * of brackets open around it (a bracket has the depth of what it stands in):
 *
 *	SELECT	lower	(	a	)	FROM	t
 *	0		0		0	1	0	0		0
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/keywords.h"
#include "common/kwlookup.h"
#include "nodes/bitmapset.h"

#include "base/sqledit.h"

#define OPERATOR_CHARS "~!@#^&|`?+-*/%<>="

static inline bool
is_word_start(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_word_char(char c)
{
	return is_word_start(c) || is_digit(c) || c == '$';
}

/* ----- lexer ----- */

/* One past a quoted identifier whose opening quote is at p; NULL: it is open. */
static const char *
skip_quoted(const char *p)
{
	for (p++; *p != '\0'; p++)
	{
		if (*p != '"')
			continue;
		if (p[1] != '"')
			return p + 1;
		p++;
	}
	return NULL;
}

/*
 * One past an operator.  It does not end in + or - unless it contains a
 * character that no operator of standard SQL has.
 */
static const char *
skip_operator(const char *p)
{
	int			len = strspn(p, OPERATOR_CHARS);
	bool		special = false;

	for (int i = 0; i < len; i++)
		special |= strchr("~!@#^&|`?%", p[i]) != NULL;
	while (!special && len > 1 && (p[len - 1] == '+' || p[len - 1] == '-'))
		len--;
	return p + len;
}

/* Read the token at p; returns one past it, NULL: it is none. */
static const char *
read_token(PgvToken *t, const char *p)
{
	t->param = 0;
	if ((*p == 'U' || *p == 'u') && p[1] == '&' && p[2] == '"')
		p += 2;
	if (*p == '"')
	{
		t->type = PGV_TOKEN_QUOTED;
		return skip_quoted(p);
	}
	if (is_word_start(*p))
	{
		t->type = PGV_TOKEN_WORD;
		while (is_word_char(*p))
			p++;
		return p;
	}
	if (*p == '$' && is_digit(p[1]))
	{
		t->type = PGV_TOKEN_PARAM;
		t->param = atoi(p + 1);
		for (p++; is_digit(*p);)
			p++;
		return t->param > 0 && t->param <= 65535 ? p : NULL;
	}
	if (is_digit(*p))
	{
		t->type = PGV_TOKEN_NUMBER;
		while (is_word_char(*p))
			p++;
		return p;
	}
	if (strchr(OPERATOR_CHARS, *p) != NULL)
	{
		t->type = PGV_TOKEN_OPERATOR;
		return skip_operator(p);
	}
	t->type = PGV_TOKEN_SYMBOL;
	if (strncmp(p, "...", 3) == 0)
		return p + 3;
	if (strncmp(p, "::", 2) == 0 || strncmp(p, ":=", 2) == 0)
		return p + 2;
	return strchr("()[],.:", *p) != NULL ? p + 1 : NULL;
}

bool
pgv_tokens_read(PgvTokens *tokens, const char *sql)
{
	int			depth = 0;
	const char *p = sql;

	tokens->sql = sql;
	tokens->n = 0;
	tokens->token = palloc_extended((strlen(sql) + 1) * sizeof(PgvToken),
									MCXT_ALLOC_HUGE);
	for (;;)
	{
		PgvToken   *t = &tokens->token[tokens->n];
		const char *start;

		while (*p == ' ')
			p++;
		if (*p == '\0')
			return depth == 0 && tokens->n > 0;
		start = p;
		p = read_token(t, p);
		if (p == NULL)
			return false;
		t->start = start - sql;
		t->end = p - sql;
		if (*start == ')' || *start == ']')
			depth--;
		if (depth < 0)
			return false;
		t->depth = depth;
		if (*start == '(' || *start == '[')
			depth++;
		tokens->n++;
	}
}

/* ----- finding ----- */

bool
pgv_token_is(const PgvTokens *tokens, int i, const char *what)
{
	const PgvToken *t;

	if (i < 0 || i >= tokens->n)
		return false;
	t = &tokens->token[i];
	if (t->type == PGV_TOKEN_QUOTED || t->type == PGV_TOKEN_PARAM)
		return false;
	return t->end - t->start == strlen(what) &&
		pg_strncasecmp(tokens->sql + t->start, what, t->end - t->start) == 0;
}

static bool
token_is_any(const PgvTokens *tokens, int i, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (pgv_token_is(tokens, i, *words))
			return true;
	}
	return false;
}

int
pgv_token_find(const PgvTokens *tokens, int from, int depth, const char *what)
{
	for (int i = from; i < tokens->n; i++)
	{
		if (tokens->token[i].depth == depth && pgv_token_is(tokens, i, what))
			return i;
	}
	return tokens->n;
}

int
pgv_token_at(const PgvTokens *tokens, int offset)
{
	int			low = 0;
	int			high = tokens->n - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;

		if (tokens->token[mid].start == offset)
			return mid;
		if (tokens->token[mid].start < offset)
			low = mid + 1;
		else
			high = mid - 1;
	}
	return -1;
}

int
pgv_token_close(const PgvTokens *tokens, int i)
{
	int			depth = tokens->token[i].depth;

	for (i++; i < tokens->n; i++)
	{
		if (tokens->token[i].depth == depth)
			return i;
	}
	return tokens->n;
}

static bool
is_name(const PgvTokens *tokens, int i)
{
	return i >= 0 && i < tokens->n &&
		(tokens->token[i].type == PGV_TOKEN_WORD ||
		 tokens->token[i].type == PGV_TOKEN_QUOTED);
}

int
pgv_token_name_end(const PgvTokens *tokens, int i)
{
	if (!is_name(tokens, i))
		return -1;
	while (pgv_token_is(tokens, i + 1, ".") && is_name(tokens, i + 2))
		i += 2;
	return i;
}

static const char *const zoned[] = {"timestamp", "time", NULL};
static const char *const varying[] = {"character", "char", "nchar", "bit", NULL};
static const char *const interval_fields[] = {
	"year", "month", "day", "hour", "minute", "second", NULL
};

/* The last token of "day to second" behind token i, or i. */
static int
skip_interval_fields(const PgvTokens *tokens, int i)
{
	if (!token_is_any(tokens, i + 1, interval_fields))
		return i;
	i++;
	if (pgv_token_is(tokens, i + 1, "to") &&
		token_is_any(tokens, i + 2, interval_fields))
		i += 2;
	return i;
}

int
pgv_token_type_end(const PgvTokens *tokens, int i)
{
	int			first;

	if (pgv_token_is(tokens, i, "national"))
		i++;
	first = i;
	i = pgv_token_name_end(tokens, i);
	if (i < 0)
		return -1;
	if (pgv_token_is(tokens, first, "double") && pgv_token_is(tokens, i + 1, "precision"))
		i++;
	if (token_is_any(tokens, first, varying) && pgv_token_is(tokens, i + 1, "varying"))
		i++;
	if (pgv_token_is(tokens, i + 1, "("))
		i = pgv_token_close(tokens, i + 1);
	if (token_is_any(tokens, first, zoned) &&
		(pgv_token_is(tokens, i + 1, "with") || pgv_token_is(tokens, i + 1, "without")) &&
		pgv_token_is(tokens, i + 2, "time") && pgv_token_is(tokens, i + 3, "zone"))
		i += 3;
	if (pgv_token_is(tokens, first, "interval"))
		i = skip_interval_fields(tokens, i);
	while (pgv_token_is(tokens, i + 1, "["))
		i = pgv_token_close(tokens, i + 1);
	return i < tokens->n ? i : -1;
}

char *
pgv_tokens_text(const PgvTokens *tokens, int from, int to)
{
	return pnstrdup(tokens->sql + tokens->token[from].start,
					tokens->token[to].end - tokens->token[from].start);
}

int
pgv_tokens_count_param(const PgvTokens *tokens, int param, int *last)
{
	int			n = 0;

	for (int i = 0; i < tokens->n; i++)
	{
		if (tokens->token[i].param != param)
			continue;
		n++;
		if (last != NULL)
			*last = i;
	}
	return n;
}

/* Does the name occur, in quotes or not? */
static bool
has_name(const PgvTokens *tokens, const char *name)
{
	for (int i = 0; i < tokens->n; i++)
	{
		const PgvToken *t = &tokens->token[i];
		int			quote = (t->type == PGV_TOKEN_QUOTED) ? 1 : 0;

		if ((quote || t->type == PGV_TOKEN_WORD) &&
			t->end - t->start - 2 * quote == strlen(name) &&
			pg_strncasecmp(tokens->sql + t->start + quote, name, strlen(name)) == 0)
			return true;
	}
	return false;
}

char *
pgv_tokens_new_name(const PgvTokens *tokens, const char *stem)
{
	char	   *name = pstrdup(stem);

	for (int i = 1; has_name(tokens, name); i++)
		name = psprintf("%s_%d", stem, i);
	return name;
}

/* ----- changes ----- */

void
pgv_edit_add(PgvEdits *edits, int start, int end, const char *text)
{
	int			i;

	if (edits->n == edits->allocated)
	{
		edits->allocated = edits->n * 2 + 8;
		if (edits->edit == NULL)
			edits->edit = palloc(edits->allocated * sizeof(PgvEdit));
		else
			edits->edit = repalloc(edits->edit, edits->allocated * sizeof(PgvEdit));
	}
	/* kept in order; of those at one place the first comes first */
	for (i = edits->n++; i > 0 && edits->edit[i - 1].start > start; i--)
		edits->edit[i] = edits->edit[i - 1];
	edits->edit[i] = (PgvEdit)
	{
		start, end, text
	};
}

void
pgv_edits_apply(StringInfo buf, const PgvEdits *edits, const char *sql,
				int from, int to)
{
	for (int i = 0; i < edits->n; i++)
	{
		const PgvEdit *e = &edits->edit[i];

		if (e->start < from || e->end > to)
			continue;
		appendBinaryStringInfo(buf, sql + from, e->start - from);
		appendStringInfoString(buf, e->text);
		from = e->end;
	}
	appendBinaryStringInfo(buf, sql + from, to - from);
}

/* ----- from the normal form to what the parser accepts ----- */

/* Words of the grammar that are types when they stand before a literal. */
static const char *const type_words[] = {
	"interval", "timestamp", "time", "boolean", "bigint", "int", "integer",
	"smallint", "numeric", "decimal", "dec", "real", "float", "char",
	"character", "varchar", "nchar", "bit", "varying", "precision",
	"text", "json", "name", "xml", NULL
};

/*
 * Where does the type begin whose last token is i, and behind which a literal
 * stands?  -1: this is no type.
 */
static int
typed_literal_start(const PgvTokens *tokens, int i)
{
	const PgvToken *t;
	int			first;

	if (!is_name(tokens, i))
		return -1;
	t = &tokens->token[i];
	if (pgv_token_is(tokens, i, "zone"))
	{
		first = i - 3;
		return token_is_any(tokens, first, zoned) &&
			pgv_token_type_end(tokens, first) == i ? first : -1;
	}
	if (t->type == PGV_TOKEN_WORD && !token_is_any(tokens, i, type_words))
	{
		char	   *word = pnstrdup(tokens->sql + t->start, t->end - t->start);

		if (ScanKeywordLookup(word, &ScanKeywords) >= 0)
			return -1;
	}
	first = i;
	if (pgv_token_is(tokens, i, "varying") || pgv_token_is(tokens, i, "precision"))
		first--;
	while (pgv_token_is(tokens, first - 1, ".") && is_name(tokens, first - 2))
		first -= 2;
	return first;
}

static void
accept_typed_literal(const PgvTokens *tokens, int i, PgvEdits *edits)
{
	int			first = typed_literal_start(tokens, i - 1);
	int			last = i;
	char	   *type;

	if (first < 0)
		return;
	type = pgv_tokens_text(tokens, first, i - 1);
	if (pgv_token_is(tokens, i - 1, "interval"))
		last = skip_interval_fields(tokens, i);
	if (last == i)
		type = psprintf("CAST($%d AS %s)", tokens->token[i].param, type);
	else
		type = psprintf("CAST($%d::text AS %s %s)", tokens->token[i].param,
						type, pgv_tokens_text(tokens, i + 1, last));
	pgv_edit_add(edits, tokens->token[first].start, tokens->token[last].end, type);
}

/* Does token i close the first row of VALUES? */
static bool
is_row_of_values(const PgvTokens *tokens, int i)
{
	int			depth = tokens->token[i].depth;

	if (!pgv_token_is(tokens, i, ")"))
		return false;
	while (--i > 0 && tokens->token[i].depth != depth)
		;
	return pgv_token_is(tokens, i, "(") && pgv_token_is(tokens, i - 1, "values");
}

/* A list that stands for several: its "..." is token i, and the last in its brackets. */
static bool
accept_list(const PgvTokens *tokens, int i, PgvEdits *edits)
{
	const PgvToken *t = tokens->token;
	char	   *param;
	bool		array;

	if (i < 2 || !pgv_token_is(tokens, i - 1, ","))
		return false;
	if (is_row_of_values(tokens, i - 2))
	{
		pgv_edit_add(edits, t[i - 1].start, t[i].end, "");
		return true;
	}
	array = pgv_token_is(tokens, i - 3, "[");
	if (t[i - 2].param == 0 || !pgv_token_is(tokens, i + 1, array ? "]" : ")"))
		return false;
	param = psprintf("$%d", t[i - 2].param);
	if (array && pgv_token_is(tokens, i - 4, "array"))
		pgv_edit_add(edits, t[i - 4].start, t[i + 1].end, param);
	else if (pgv_token_is(tokens, i - 3, "(") && pgv_token_is(tokens, i - 4, "in"))
	{
		bool		not = pgv_token_is(tokens, i - 5, "not");

		pgv_edit_add(edits, t[not ? i - 5 : i - 4].start, t[i + 1].end,
					 psprintf(not ? "<> ALL (%s)" : "= ANY (%s)", param));
	}
	else
		return false;
	return true;
}

char *
pgv_sql_acceptable(const char *normal, const char **reason)
{
	PgvTokens	tokens;
	PgvEdits	edits = {0};
	StringInfoData buf;

	if (!pgv_tokens_read(&tokens, normal))
	{
		*reason = "its stored text is not whole";
		return NULL;
	}
	for (int i = 0; i < tokens.n; i++)
	{
		if (pgv_token_is(&tokens, i, "..."))
		{
			if (!accept_list(&tokens, i, &edits))
			{
				*reason = "its stored text is not whole";
				return NULL;
			}
		}
		else if (tokens.token[i].type == PGV_TOKEN_PARAM)
			accept_typed_literal(&tokens, i, &edits);
	}
	initStringInfo(&buf);
	pgv_edits_apply(&buf, &edits, normal, 0, strlen(normal));
	return buf.data;
}

char *
pgv_sql_renumber(const char *sql)
{
	PgvTokens	tokens;
	PgvEdits	edits = {0};
	Bitmapset  *used = NULL;
	StringInfoData buf;

	if (!pgv_tokens_read(&tokens, sql))
		return pstrdup(sql);
	for (int i = 0; i < tokens.n; i++)
	{
		if (tokens.token[i].param != 0)
			used = bms_add_member(used, tokens.token[i].param);
	}
	for (int i = 0; i < tokens.n; i++)
	{
		const PgvToken *t = &tokens.token[i];

		if (t->param != 0)
			pgv_edit_add(&edits, t->start, t->end,
						 psprintf("$%d", bms_member_index(used, t->param) + 1));
	}
	initStringInfo(&buf);
	pgv_edits_apply(&buf, &edits, sql, 0, strlen(sql));
	return buf.data;
}
