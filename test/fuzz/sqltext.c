/*-------------------------------------------------------------------------
 *
 * sqltext.c
 *	  Fuzz target: any bytes as the text of a statement, in both readings of
 *	  strings.
 *
 * What sqltext.h promises of any bytes: nothing outside is read or written, the
 * room for the normal form changes neither it nor the fingerprint, what is cut
 * is a beginning.  Of a text that the server's scanner accepts (reference.c):
 *
 *	- other bytes in its literals, or other blanks and comments, change nothing:
 *	  no byte of a literal gets out;
 *	- its normal form is its own normal form;
 *	- letter case does not change the fingerprint.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "base/sqltext.h"

#define MAX_TEXT	8192

/* Of a text: a literal can become "$" and ten digits. */
#define ROOM(len)	(16 * (len) + 64)

/* ----- of any bytes ----- */

typedef struct Normal
{
	PgvSqlNormal out;
	char	   *text;
} Normal;

static Normal
normalise(const char *sql, int len, bool std_strings, int size)
{
	Normal		n = {.text = malloc(size > 0 ? size : 1)};

	pgv_sqltext_normalise(sql, len, std_strings, n.text, size, &n.out);
	FUZZ_CHECK(n.out.fingerprint != 0);
	if (size <= 0)
		FUZZ_CHECK(n.out.len == 0 && !n.out.truncated);
	else
		FUZZ_CHECK(n.out.len < size && (int) strlen(n.text) == n.out.len);
	return n;
}

/* Cut to a size: the beginning of the whole, and " ..." behind it. */
static void
check_cut(const char *sql, int len, bool std_strings, const Normal *whole, int size)
{
	Normal		cut = normalise(sql, len, std_strings, size);
	int			kept = cut.out.len - 4;

	FUZZ_CHECK(cut.out.fingerprint == whole->out.fingerprint);
	if (size > whole->out.len)
		FUZZ_CHECK(!cut.out.truncated && strcmp(cut.text, whole->text) == 0);
	else if (size > 0)
	{
		FUZZ_CHECK(cut.out.truncated);
		/* cut to nothing there is no blank before the dots */
		if (cut.out.len == 0 || strcmp(cut.text, "...") == 0)
			;
		else
			FUZZ_CHECK(kept > 0 && strcmp(cut.text + kept, " ...") == 0 &&
					   memcmp(cut.text, whole->text, kept) == 0);
	}
	free(cut.text);
}

static void
check_inner(const char *sql, int len, bool std_strings)
{
	int			off = -1;
	int			inner_len = -1;
	int			off2;
	int			len2;
	char	   *inner;
	Normal		n;

	if (!pgv_sqltext_inner(sql, len, std_strings, &off, &inner_len))
	{
		FUZZ_CHECK(off == -1 && inner_len == -1);
		return;
	}
	FUZZ_CHECK(off > 0 && inner_len > 0 && off <= len - inner_len);
	inner = pgv_fuzz_exactly(sql + off, inner_len);
	/* the innermost counts, so there is none in it */
	FUZZ_CHECK(!pgv_sqltext_inner(inner, inner_len, std_strings, &off2, &len2));
	n = normalise(inner, inner_len, std_strings, 2 * inner_len);
	free(n.text);
	free(inner);
}

/* ----- of texts that the scanner accepts ----- */

static RefToken tokens[REF_MAX_TOKENS + 1];
static int	n_tokens;

static bool
has_word(const char *sql, const char *word)
{
	for (int i = 0; i < n_tokens; i++)
	{
		if (pgv_ref_is(sql, &tokens[i], word))
			return true;
	}
	return false;
}

static bool
has_type(RefType type)
{
	for (int i = 0; i < n_tokens; i++)
	{
		if (tokens[i].type == type)
			return true;
	}
	return false;
}

/*
 * Could a string in dollars be code?  And the language, which decides, be in a
 * string?
 */
static bool
may_have_body(const char *sql)
{
	return has_type(REF_DOLLAR) &&
		(has_word(sql, "do") || has_word(sql, "create") || has_word(sql, "language"));
}

/* Other letters in strings and digits in numbers, of which none means anything. */
static void
change_literals(char *sql)
{
	for (int i = 0; i < n_tokens; i++)
	{
		const RefToken *t = &tokens[i];
		char	   *first = sql + t->start;
		char	   *last = sql + t->end - 1;

		if (t->type == REF_STRING)
			first = memchr(first, '\'', t->end - t->start);
		else if (t->type == REF_DOLLAR)
		{
			first = memchr(first + 1, '$', t->end - t->start - 1);
			last -= first - (sql + t->start);
		}
		else if (t->type != REF_NUMBER || t->end - t->start < 5)
			continue;
		for (char *p = first; p <= last; p++)
		{
			if (t->type == REF_NUMBER ? (*p >= '1' && *p <= '8') :
				(*p >= 'g' && *p <= 'y' && p[-1] != '\\'))
				(*p)++;
			else if (t->type != REF_NUMBER && *p == 'z' && p[-1] != '\\')
				*p = 'g';
		}
	}
}

static void
check_literals(const char *sql, int len, bool std_strings, const Normal *whole)
{
	char	   *other;
	Normal		n;

	if (may_have_body(sql))
		return;
	other = pgv_fuzz_exactly(sql, len);
	change_literals(other);
	n = normalise(other, len, std_strings, ROOM(len));
	if (strcmp(n.text, whole->text) != 0 || n.out.fingerprint != whole->out.fingerprint)
	{
		pgv_fuzz_tell("with one literal", whole->text, whole->out.len);
		pgv_fuzz_tell("with another", n.text, n.out.len);
		pgv_fuzz_broken(__FILE__, __LINE__, "literals make no difference");
	}
	free(n.text);
	free(other);
}

/* Each run of blanks and comments replaced by one that hides a quote. */
static void
check_blanks(const char *sql, int len, bool std_strings, const Normal *whole)
{
	static const char blank[] = " /*'*/ ";
	char	   *other = malloc(len + n_tokens * sizeof(blank) + 1);
	int			other_len = 0;
	Normal		n;

	for (int i = 0; i < n_tokens; i++)
	{
		const RefToken *t = &tokens[i];
		bool		is_blank = t->type <= REF_COMMENT;

		if (is_blank && i > 0 && tokens[i - 1].type <= REF_COMMENT)
			continue;
		memcpy(other + other_len, is_blank ? blank : sql + t->start,
			   is_blank ? sizeof(blank) - 1 : t->end - t->start);
		other_len += is_blank ? sizeof(blank) - 1 : t->end - t->start;
	}
	n = normalise(other, other_len, std_strings, ROOM(other_len));
	if (strcmp(n.text, whole->text) != 0 || n.out.fingerprint != whole->out.fingerprint)
	{
		pgv_fuzz_tell("with its blanks", whole->text, whole->out.len);
		pgv_fuzz_tell("with others", n.text, n.out.len);
		pgv_fuzz_broken(__FILE__, __LINE__, "blanks make no difference");
	}
	free(n.text);
	free(other);
}

static void
check_case(const char *sql, int len, bool std_strings, const Normal *whole)
{
	char	   *other = pgv_fuzz_exactly(sql, len);
	PgvSqlNormal out;

	for (int i = 0; i < n_tokens; i++)
	{
		if (tokens[i].type != REF_WORD)
			continue;
		for (char *p = other + tokens[i].start; p < other + tokens[i].end; p++)
		{
			if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))
				*p ^= 0x20;
		}
	}
	pgv_sqltext_normalise(other, len, std_strings, NULL, 0, &out);
	FUZZ_CHECK(out.fingerprint == whole->out.fingerprint);
	free(other);
}

/*
 * A normal form is its own, unless something was left out of it, or what is
 * code by a language that was a string.
 */
static void
check_stable(const char *sql, bool std_strings, const Normal *whole)
{
	Normal		n;

	if (strstr(whole->text, "...") != NULL || may_have_body(sql))
		return;
	n = normalise(whole->text, whole->out.len, std_strings, ROOM(whole->out.len));
	if (strcmp(n.text, whole->text) != 0 || n.out.fingerprint != whole->out.fingerprint)
	{
		pgv_fuzz_tell("once", whole->text, whole->out.len);
		pgv_fuzz_tell("twice", n.text, n.out.len);
		pgv_fuzz_broken(__FILE__, __LINE__, "the normal form is stable");
	}
	free(n.text);
}

static void
check_reading(const char *sql, int len, bool std_strings)
{
	Normal		whole = normalise(sql, len, std_strings, ROOM(len));
	PgvSqlNormal alone;
	int			n = whole.out.len;

	FUZZ_CHECK(!whole.out.truncated);
	if (pgv_fuzz_is_utf8(sql, len))
		FUZZ_CHECK(pgv_fuzz_is_utf8(whole.text, n));
	pgv_sqltext_normalise(sql, len, std_strings, NULL, 0, &alone);
	FUZZ_CHECK(alone.fingerprint == whole.out.fingerprint);
	/* other sizes for each text, but always the same */
	check_cut(sql, len, std_strings, &whole, alone.fingerprint % 12);
	check_cut(sql, len, std_strings, &whole, alone.fingerprint / 16 % (n + 1));
	check_cut(sql, len, std_strings, &whole, n + (alone.fingerprint & 1));
	check_inner(sql, len, std_strings);

	if (pgv_ref_scan(sql, len, std_strings, tokens, &n_tokens))
	{
		check_literals(sql, len, std_strings, &whole);
		check_blanks(sql, len, std_strings, &whole);
		check_case(sql, len, std_strings, &whole);
		check_stable(sql, std_strings, &whole);
	}
	free(whole.text);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	char	   *sql;

	if (size > MAX_TEXT)
		return -1;
	sql = pgv_fuzz_exactly((const char *) data, (int) size);
	check_reading(sql, (int) size, true);
	check_reading(sql, (int) size, false);
	free(sql);
	return 0;
}
