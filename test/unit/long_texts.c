/*-------------------------------------------------------------------------
 *
 * long_texts.c
 *	  If this fails, some long text takes more than linear time, so that one
 *	  statement can hold a backend for hours.
 *
 * Every piece is repeated to 64 kB behind several beginnings and to 1 MB by
 * itself, some to 10 MB.  The limits on CPU time are some fifty times what is
 * needed; what is quadratic misses them by more, already in the short run.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdlib.h>

#define SHORT_TEXT	(64 * 1024)

/* Sanitizers slow all down; there the point is where it reads and writes. */
#if defined(__SANITIZE_ADDRESS__)
#define LONG_TEXT	(1024 * 1024)
#define LIMIT_US_PER_BYTE 5.0
#else
#define LONG_TEXT	(10 * 1024 * 1024)
#define LIMIT_US_PER_BYTE 1.0
#endif

static const char *const beginnings[] = {
	"", "SELECT a IN (", "SELECT ARRAY[", "VALUES (1), (", "SELECT a ORDER BY ", "DO $$ ",
	"CREATE FUNCTION f() LANGUAGE sql AS $$ ", "CREATE FUNCTION ", "EXPLAIN ", "COPY (",
	"CREATE TABLE t AS SELECT ", "/*", "'", "$a$", "SELECT $1, 2, "
};

static const char *const pieces[] = {
	"(", ")", "[", "]", "()", "((", "'", "''", "'a'", "'a'\n", "'a' --\n", "'a' /* */", "\"", "\"a\"",
	"$", "$$", "$$ ", "$a", "$a$", "$a$ $b", "$1", "$1a ", "$aaaaaaaa", "-", "+", "- ", "+-", "-- \n",
	"--", "@-", "/*", "*/", "/**/", "/* */ ", "/", "*", ";", "; ", ",", ".", "..", ":", "::", "\\",
	"e'", "e'\\", "u&'", "u&'' ", "u&'' uescape ", "u&\"", "n'' ", "b''", "1", "1 ", "1.", "1e", "1_",
	"a", "a ", "a.", "a,", "\xff", "\n", " ", "\x01", "IN (", "IN (1,", "IN (a,", "IN ((1,", "ARRAY[",
	"ARRAY[1,", "ARRAY[[", "ROW(", "IN (ROW(", "(1),", "(a),", "(a),(b),", "VALUES (", "VALUES ((",
	"VALUES (1),", "VALUES (1), (2) ", "VALUES ((1),(2)),", "1,", "-1,", "1::int,", "::int", "::a(1)[]",
	"ORDER BY 1,", "ORDER BY 1 ", "NULL ", "NULL ON ", "IS NOT NULL ", "NOT ", "true,", "DO ", "DO;",
	"DO $$;", "DO $$$$;", "DO LANGUAGE sql ", "LANGUAGE sql ", "CREATE ", "CREATE FUNCTION ",
	"CREATE FUNCTION;", "CREATE OR ", "CREATE TABLE ", "CREATE TABLE a AS ", "CREATE TABLE;", "AS ",
	"AS $$ $$ ", "EXPLAIN ", "EXPLAIN;", "EXPLAIN (", "EXPLAIN () ", "EXPLAIN ANALYZE ", "DECLARE ",
	"DECLARE CURSOR FOR ", "COPY (", "COPY;", "PREPARE a AS ", "with ", "with data ", "with no data ",
	"SAVEPOINT a;", "SAVEPOINT ", "RELEASE savepoint ", "ROLLBACK TO ", "DEALLOCATE prepare "
};

/* Fill size bytes with beginning and then piece again and again. */
static void
fill(char *text, int size, const char *beginning, const char *piece)
{
	int			len = (int) strlen(beginning);
	int			piece_len = (int) strlen(piece);

	memcpy(text, beginning, len);
	for (; len + piece_len <= size; len += piece_len)
		memcpy(text + len, piece, piece_len);
	memset(text + len, ' ', size - len);
}

static bool
check_time(char *text, int size, const char *beginning, const char *piece)
{
	static char dst[8192];
	PgvSqlNormal out;
	PgvSqlNormal alone;
	double		start;
	double		us_per_byte;
	int			off;
	int			len;

	fill(text, size, beginning, piece);
	start = pgv_unit_cpu_seconds();
	pgv_sqltext_normalise(text, size, true, dst, sizeof(dst), &out);
	pgv_sqltext_normalise(text, size, true, NULL, 0, &alone);
	if (pgv_sqltext_inner(text, size, true, &off, &len))
		CHECK(off > 0 && len > 0 && off + len <= size);
	us_per_byte = (pgv_unit_cpu_seconds() - start) * 1e6 / size;

	CHECK(out.len < (int) sizeof(dst) && (int) strlen(dst) == out.len);
	CHECK(out.fingerprint == alone.fingerprint);
	return CHECKF(us_per_byte < LIMIT_US_PER_BYTE, "%.1f us a byte: \"%s%s%s...\"",
				  us_per_byte, beginning, piece, piece);
}

void
pgv_unit_long_texts(void)
{
	char	   *text = malloc(LONG_TEXT);

	for (int i = 0; i < (int) lengthof(pieces); i++)
	{
		bool		fast = true;

		for (int j = 0; j < (int) lengthof(beginnings); j++)
			fast &= check_time(text, SHORT_TEXT, beginnings[j], pieces[i]);
		if (fast)
			check_time(text, i % 10 == 0 ? LONG_TEXT : LONG_TEXT / 10, "", pieces[i]);
	}
	free(text);
}
