/*-------------------------------------------------------------------------
 *
 * random_texts.c
 *	  If this fails, some text, sane or not, makes the functions read or write
 *	  where they must not, shows a literal, or gets another fingerprint for
 *	  white space, comments, letter case or the room for its normal form.
 *
 * The seed is fixed: what failed fails again.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TEXT	2048

/* What literals contain; no other token does. */
#define SECRET		"secret"
#define NUMBER		"31415926"

static const char *const words[] = {
	"SELECT", "FROM", "WHERE", "AND", "a", "b1", "t", "x_y$z", "\xc3\xa9t\xc3\xa9", "IN", "NOT",
	"VALUES", "ARRAY", "ORDER BY", "GROUP BY", "IS", "NULL", "TRUE", "AS", "ON", "LIMIT", "ROW",
	"INTERVAL", "DATE", "CASE", "WHEN", "THEN", "END", "ALL", "UNION", "DEFAULT", "e", "n", "u"
};

static const char *const symbols[] = {
	"(", ")", "(", ")", "(", ")", "[", "]", ",", ",", ",", ".", ":", "::", ":=", "..", "=>", "=",
	"<", ">", "<=", "<>", "!=", "+", "-", "-", "*", "/", "->>", "@>", "?|", "||", "~", "&", "|-",
	"{", "}", "\\", ";"
};

static const char *const others[] = {"\"a\"", "\"A b\"\"c\"", "u&\"x\"", "$1", "$12", "$3"};

/* With standard_conforming_strings, in any mode, and without it. */
static const char *const literals[] = {
	"'" SECRET "'", "''", "'" SECRET "'''", "E'\\'" SECRET "'", "e'" SECRET "\\\\'",
	"B'" SECRET "'", "x'" SECRET "'", "N'" SECRET "'", "U&'" SECRET "'",
	"u&'" SECRET "' UESCAPE '!'", "$$" SECRET "$$", "$q$" SECRET "$$" SECRET "$q$",
	"'a'\n'" SECRET "'", "'a' -- c\n\t'" SECRET "'", NUMBER, NUMBER "." NUMBER, "1." NUMBER "e-5",
	"." NUMBER, "0x" NUMBER, NUMBER "_" NUMBER, NUMBER "abc", "$7" SECRET, "1", "2", "10"
};
static const char *const new_literals[] = {"'" SECRET "\\'", "N'\\'"};
static const char *const old_literals[] = {"'\\'" SECRET "'", "n'" SECRET "\\\\'", "'\\''"};

static const char *const spaces[] = {
	" ", "  ", "\t", "\n", "\r\n", " \f\v ", "/**/", "/* it's */", " /* /* \" */ $$ */ ",
	"-- it's $$\n", "--\r", "\n/* c */ -- c\n"
};

#define ANY_OF(list) ((list)[pgv_unit_random(lengthof(list))])

typedef struct Text
{
	char		bytes[MAX_TEXT];
	int			len;
} Text;

static void
append(Text *text, const char *bytes)
{
	int			len = (int) strlen(bytes);

	Assert(text->len + len <= MAX_TEXT);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

/* White space or a comment; behind an operator that must not be part of it. */
static void
append_space(Text *text)
{
	if (text->len > 0 && strchr("+-*/<>=~!@#%^&|`?", text->bytes[text->len - 1]) != NULL)
		append(text, " ");
	append(text, ANY_OF(spaces));
}

static const char *
random_literal(bool std_strings)
{
	if (pgv_unit_random(6) > 0)
		return ANY_OF(literals);
	return std_strings ? ANY_OF(new_literals) : ANY_OF(old_literals);
}

/* A token; *is_literal is whether it is one. */
static const char *
random_token(bool std_strings, bool *is_literal)
{
	int			kind = (int) pgv_unit_random(10);

	*is_literal = kind >= 7;
	if (kind < 4)
		return ANY_OF(words);
	if (kind < 6)
		return ANY_OF(symbols);
	if (kind < 7)
		return ANY_OF(others);
	return random_literal(std_strings);
}

/* --- any bytes at all --- */

/* A copy of exactly that size, so that reading or writing past it is noticed. */
static char *
exactly(const char *bytes, int len)
{
	char	   *copy = malloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

static void
check_safe(const Text *text, bool std_strings)
{
	char	   *sql = exactly(text->bytes, text->len);
	int			size = (int) (pgv_unit_random(3) > 0 ? pgv_unit_random(40) : 4 * MAX_TEXT);
	char	   *dst = malloc(size > 0 ? size : 1);
	PgvSqlNormal out;
	PgvSqlNormal alone;
	int			off;
	int			len;

	pgv_sqltext_normalise(sql, text->len, std_strings, dst, size, &out);
	pgv_sqltext_normalise(sql, text->len, std_strings, NULL, 0, &alone);
	CHECKF(out.fingerprint == alone.fingerprint && out.fingerprint != 0,
		   "fingerprint depends on dst: %.*s", text->len, text->bytes);
	if (size > 0)
		CHECKF(out.len < size && dst[out.len] == '\0' && (int) strlen(dst) == out.len,
			   "wrong length: %.*s", text->len, text->bytes);
	if (size > 2 * MAX_TEXT)
		CHECKF(!out.truncated, "cut: %.*s", text->len, text->bytes);

	if (pgv_sqltext_inner(sql, text->len, std_strings, &off, &len))
	{
		CHECKF(off > 0 && len > 0 && off + len <= text->len, "inner outside: %.*s",
			   text->len, text->bytes);
		pgv_sqltext_normalise(sql + off, len, std_strings, dst, size, &out);
	}
	free(dst);
	free(sql);
}

static void
check_random_bytes(void)
{
	static const char special[] = "'\"$()[],;:.-/*\\+\n eEuU&xX1a\0\xff";
	static const char *const starts[] = {
		"", "", "DO $$", "CREATE FUNCTION f() LANGUAGE sql AS $a$", "EXPLAIN (", "COPY (",
		"CREATE TABLE t AS ", "DECLARE c CURSOR FOR ", "VALUES (1),(", "SELECT 1 IN (",
		"SELECT ARRAY[", "SAVEPOINT ", "ROLLBACK TO ", "DEALLOCATE "
	};

	for (int i = 0; i < 100000; i++)
	{
		Text		text = {.len = 0};
		int			n = (int) pgv_unit_random(80);
		bool		any = pgv_unit_random(4) == 0;

		append(&text, ANY_OF(starts));
		while (n-- > 0)
			text.bytes[text.len++] = any ? (char) pgv_unit_random(256) :
				special[pgv_unit_random(sizeof(special) - 1)];
		check_safe(&text, pgv_unit_random(2) == 0);
	}
}

/* --- sane texts --- */

/* No literal shows, also where the text is cut off. */
static void
check_no_leak(void)
{
	static const char *const starts[] = {
		"", "DO $b$ ", "CREATE FUNCTION f() LANGUAGE plpgsql AS $b$ ", "CREATE FUNCTION f() AS $b$ ",
		"EXPLAIN ", "ALTER ROLE x ", "SET x = ", "DECLARE c CURSOR FOR "
	};
	char		dst[4 * MAX_TEXT];
	PgvSqlNormal out;

	for (int i = 0; i < 100000; i++)
	{
		Text		text = {.len = 0};
		bool		std_strings = pgv_unit_random(2) == 0;
		bool		is_literal = false;
		int			n = (int) pgv_unit_random(20);

		append(&text, ANY_OF(starts));
		while (n-- > 0)
		{
			/* parted, or a new line could make two strings one */
			if (is_literal)
				append(&text, ", ");
			append(&text, random_token(std_strings, &is_literal));
			append(&text, " ");
			if (pgv_unit_random(3) == 0)
				append_space(&text);
		}
		append(&text, " $b$");
		if (pgv_unit_random(2) == 0)
			text.len = (int) pgv_unit_random(text.len + 1);

		check_safe(&text, std_strings);
		pgv_sqltext_normalise(text.bytes, text.len, std_strings, dst, sizeof(dst), &out);
		CHECKF(strstr(dst, "secret") == NULL && strstr(dst, "31415") == NULL,
			   "a literal shows:\n\t%.*s\n\t%s", text.len, text.bytes, dst);
	}
}

/* Append the token with its letters in random case, if it is a word. */
static void
append_in_any_case(Text *text, const char *token)
{
	int			start = text->len;

	append(text, token);
	if (!isalpha((unsigned char) token[0]) || strpbrk(token, "'\"") != NULL)
		return;
	for (int i = start; i < text->len; i++)
	{
		if (pgv_unit_random(2) == 0)
			text->bytes[i] = (char) toupper((unsigned char) text->bytes[i]);
		else
			text->bytes[i] = (char) tolower((unsigned char) text->bytes[i]);
	}
}

/* White space, comments and letter case make no difference. */
static void
check_spaces_and_case(void)
{
	PgvSqlNormal plain;
	PgvSqlNormal other;

	for (int i = 0; i < 50000; i++)
	{
		Text		text = {.len = 0};
		Text		variant = {.len = 0};
		int			n = (int) pgv_unit_random(20);
		bool		after_literal = false;

		append_space(&variant);
		while (n-- > 0)
		{
			bool		is_literal;
			const char *token = random_token(true, &is_literal);

			/* a new line between two would make them one */
			if (is_literal && after_literal)
				continue;
			after_literal = is_literal;
			append(&text, token);
			append(&text, " ");
			append_in_any_case(&variant, token);
			append_space(&variant);
			append_space(&variant);
		}
		pgv_sqltext_normalise(text.bytes, text.len, true, NULL, 0, &plain);
		pgv_sqltext_normalise(variant.bytes, variant.len, true, NULL, 0, &other);
		CHECKF(plain.fingerprint == other.fingerprint, "different fingerprints:\n\t%.*s\n\t%.*s",
			   text.len, text.bytes, variant.len, variant.bytes);
	}
}

/* A normal form is its own normal form, unless something was left out of it. */
static void
check_stable(void)
{
	char		once[4 * MAX_TEXT];
	char		twice[4 * MAX_TEXT];
	PgvSqlNormal first;
	PgvSqlNormal second;

	for (int i = 0; i < 50000; i++)
	{
		Text		text = {.len = 0};
		int			n = (int) pgv_unit_random(20);
		bool		is_literal;

		while (n-- > 0)
		{
			append(&text, random_token(true, &is_literal));
			if (pgv_unit_random(2) == 0)
				append_space(&text);
		}
		pgv_sqltext_normalise(text.bytes, text.len, true, once, sizeof(once), &first);
		if (strstr(once, "...") != NULL)
			continue;
		pgv_sqltext_normalise(once, first.len, true, twice, sizeof(twice), &second);
		CHECKF(strcmp(once, twice) == 0 && first.fingerprint == second.fingerprint,
			   "not stable:\n\t%.*s\n\t%s\n\t%s", text.len, text.bytes, once, twice);
	}
}

void
pgv_unit_random_texts(void)
{
	check_random_bytes();
	check_no_leak();
	check_spaces_and_case();
	check_stable();
}
