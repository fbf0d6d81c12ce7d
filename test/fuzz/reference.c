/*-------------------------------------------------------------------------
 *
 * reference.c
 *	  The rules of the server's scan.l written a second time, to have something
 *	  to compare with; and what else the targets share.
 *
 * Not fast, and with no regard to what the units under test do.  Where the
 * versions of PostgreSQL differ, the text is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

void
pgv_fuzz_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

void
pgv_fuzz_tell(const char *name, const char *bytes, int len)
{
	fprintf(stderr, "%s: [%.*s]\n", name, len, bytes);
}

char *
pgv_fuzz_exactly(const char *bytes, int len)
{
	char	   *copy = malloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

bool
pgv_fuzz_is_utf8(const char *bytes, int len)
{
	const uint8 *p = (const uint8 *) bytes;
	const uint8 *end = p + len;

	while (p < end)
	{
		int			more = *p < 0x80 ? 0 : *p >= 0xF0 ? 3 : *p >= 0xE0 ? 2 : 1;
		uint32		c = more == 0 ? *p : *p & (0x3F >> more);
		uint32		least = more == 0 ? 0 : more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;

		if ((*p >= 0x80 && *p < 0xC0) || *p >= 0xF8 || end - p <= more)
			return false;
		for (int i = 1; i <= more; i++)
		{
			if ((p[i] & 0xC0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3F);
		}
		if (c < least || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
			return false;
		p += more + 1;
	}
	return true;
}

bool
pgv_fuzz_contains(const char *bytes, int len, const char *part)
{
	int			part_len = (int) strlen(part);

	for (int i = 0; i + part_len <= len; i++)
	{
		if (memcmp(bytes + i, part, part_len) == 0)
			return true;
	}
	return false;
}

bool
pgv_ref_is(const char *sql, const RefToken *t, const char *word)
{
	int			len = (int) strlen(word);

	if (t->type != REF_WORD || t->end - t->start != len)
		return false;
	for (int i = 0; i < len; i++)
	{
		char		c = sql[t->start + i];

		if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != word[i])
			return false;
	}
	return true;
}

/* ----- the scanner ----- */

/* The text as the functions below see it: a NUL behind its end, as none is in it. */
typedef struct Scan
{
	const char *sql;
	int			len;
	bool		std_strings;
} Scan;

static char
at(const Scan *s, int i)
{
	return i < s->len ? s->sql[i] : '\0';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8) c >= 0x80;
}

static bool
is_one_of(char c, const char *chars)
{
	return c != '\0' && strchr(chars, c) != NULL;
}

static int
line_end(const Scan *s, int i)
{
	while (i < s->len && s->sql[i] != '\n' && s->sql[i] != '\r')
		i++;
	return i;
}

/* One past a comment in slashes and stars; -1: it is open. */
static int
comment_end(const Scan *s, int i)
{
	int			depth = 1;

	for (i += 2; i < s->len;)
	{
		if (at(s, i) == '/' && at(s, i + 1) == '*')
		{
			depth++;
			i += 2;
		}
		else if (at(s, i) == '*' && at(s, i + 1) == '/')
		{
			i += 2;
			if (--depth == 0)
				return i;
		}
		else
			i++;
	}
	return -1;
}

/* Where the string closed before i goes on: at a quote behind a line's end; or -1. */
static int
continuation(const Scan *s, int i)
{
	bool		newline = false;

	for (; i < s->len; i++)
	{
		char		c = s->sql[i];

		if (c == '\'')
			return newline ? i : -1;
		if (c == '-' && at(s, i + 1) == '-')
		{
			i = line_end(s, i);
			c = at(s, i);
		}
		if (c == '\n' || c == '\r')
			newline = true;
		else if (!is_one_of(c, " \t\f"))
			return -1;
	}
	return -1;
}

typedef enum Escapes
{
	NO_ESCAPES,					/* not even a doubled quote */
	DOUBLED,
	BACKSLASHES
} Escapes;

/* One past the string whose opening quote is at i; -1: it is open. */
static int
string_end(const Scan *s, int i, Escapes escapes)
{
	for (i++; i < s->len; i++)
	{
		int			next;

		if (s->sql[i] == '\\' && escapes == BACKSLASHES)
			i++;
		else if (s->sql[i] == '\'')
		{
			if (at(s, i + 1) == '\'' && escapes != NO_ESCAPES)
			{
				i++;
				continue;
			}
			next = continuation(s, i + 1);
			if (next < 0)
				return i + 1;
			i = next;
		}
	}
	return -1;
}

static Escapes
plain_escapes(const Scan *s)
{
	return s->std_strings ? DOUBLED : BACKSLASHES;
}

static int
quoted_end(const Scan *s, int i)
{
	int			start = i;

	for (i++; i < s->len; i++)
	{
		if (s->sql[i] != '"')
			continue;
		if (at(s, i + 1) != '"')
			return i == start + 1 ? -1 : i + 1; /* "" is an error */
		i++;
	}
	return -1;
}

/* One past the string in dollars that begins at i; -1: none does, or it is open. */
static int
dollar_end(const Scan *s, int i)
{
	int			start = i;
	int			tag_len;

	i++;
	if (is_word_start(at(s, i)))
	{
		while (is_word_start(at(s, i)) || is_digit(at(s, i)))
			i++;
	}
	if (at(s, i) != '$')
		return -1;
	tag_len = ++i - start;
	for (; i + tag_len <= s->len; i++)
	{
		if (memcmp(s->sql + i, s->sql + start, tag_len) == 0)
			return i + tag_len;
	}
	return -1;
}

static int
number_end(const Scan *s, int i)
{
	while (is_digit(at(s, i)))
		i++;
	if (at(s, i) == '.' && at(s, i + 1) != '.')
	{
		i++;
		while (is_digit(at(s, i)))
			i++;
	}
	if (is_one_of(at(s, i), "eE"))
	{
		i++;
		if (is_one_of(at(s, i), "+-"))
			i++;
		if (!is_digit(at(s, i)))
			return -1;
		while (is_digit(at(s, i)))
			i++;
	}
	return is_word_start(at(s, i)) || at(s, i) == '$' ? -1 : i;
}

static int
param_end(const Scan *s, int i)
{
	int			start = i;

	for (i++; is_digit(at(s, i));)
		i++;
	return i - start > 6 || is_word_start(at(s, i)) || at(s, i) == '$' ? -1 : i;
}

static int
operator_end(const Scan *s, int i)
{
	int			start = i;
	bool		special = false;

	for (; is_one_of(at(s, i), "~!@#^&|`?+-*/%<>="); i++)
	{
		if (i > start && ((at(s, i) == '/' && at(s, i + 1) == '*') ||
						  (at(s, i) == '-' && at(s, i + 1) == '-')))
			break;
		special |= is_one_of(at(s, i), "~!@#^&|`?%");
	}
	while (!special && i > start + 1 && is_one_of(at(s, i - 1), "+-"))
		i--;
	return i - start < 64 ? i : -1;
}

static int
word_or_string_end(const Scan *s, int i, RefType *type)
{
	char		c = at(s, i);

	*type = REF_STRING;
	if (is_one_of(c, "eE") && at(s, i + 1) == '\'')
		return string_end(s, i + 1, BACKSLASHES);
	if (is_one_of(c, "bBxX") && at(s, i + 1) == '\'')
		return string_end(s, i + 1, NO_ESCAPES);
	if (is_one_of(c, "nN") && at(s, i + 1) == '\'')
		return string_end(s, i + 1, plain_escapes(s));
	if (is_one_of(c, "uU") && at(s, i + 1) == '&' && at(s, i + 2) == '\'')
		return s->std_strings ? string_end(s, i + 2, DOUBLED) : -1;
	if (is_one_of(c, "uU") && at(s, i + 1) == '&' && at(s, i + 2) == '"')
	{
		*type = REF_QUOTED;
		return quoted_end(s, i + 2);
	}
	*type = REF_WORD;
	while (is_word_start(at(s, i)) || is_digit(at(s, i)) || at(s, i) == '$')
		i++;
	return i;
}

/* One past the token at i, and its type; -1: the text is refused. */
static int
token_end(const Scan *s, int i, RefType *type)
{
	char		c = s->sql[i];

	if (is_one_of(c, " \t\n\r\f"))
	{
		*type = REF_SPACE;
		while (is_one_of(at(s, i), " \t\n\r\f"))
			i++;
		return i;
	}
	*type = REF_COMMENT;
	if (c == '-' && at(s, i + 1) == '-')
		return line_end(s, i);
	if (c == '/' && at(s, i + 1) == '*')
		return comment_end(s, i);
	if (is_word_start(c))
		return word_or_string_end(s, i, type);
	*type = REF_STRING;
	if (c == '\'')
		return string_end(s, i, plain_escapes(s));
	*type = REF_QUOTED;
	if (c == '"')
		return quoted_end(s, i);
	*type = REF_PARAM;
	if (c == '$' && is_digit(at(s, i + 1)))
		return param_end(s, i);
	*type = REF_DOLLAR;
	if (c == '$')
		return dollar_end(s, i);
	*type = REF_NUMBER;
	if (is_digit(c) || (c == '.' && is_digit(at(s, i + 1))))
		return number_end(s, i);
	*type = REF_OPERATOR;
	if (is_one_of(c, "~!@#^&|`?+-*/%<>="))
		return operator_end(s, i);
	*type = REF_SYMBOL;
	if (c == ':' && is_one_of(at(s, i + 1), ":="))
		return i + 2;
	if (c == '.' && at(s, i + 1) == '.')
		return i + 2;
	return is_one_of(c, "()[],.;:") ? i + 1 : -1;
}

bool
pgv_ref_scan(const char *sql, int len, bool std_strings, RefToken *tokens, int *n)
{
	Scan		s = {sql, len, std_strings};
	int			i = 0;

	*n = 0;
	if (memchr(sql, '\0', len) != NULL)
		return false;
	while (i < len)
	{
		RefToken   *t = &tokens[*n];

		if (++*n > REF_MAX_TOKENS)
			return false;
		t->start = i;
		i = token_end(&s, i, &t->type);
		if (i < 0 || i > len)
			return false;
		t->end = i;
	}
	return true;
}
