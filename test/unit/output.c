/*-------------------------------------------------------------------------
 *
 * output.c
 *	  If this fails, texts are cut in the middle of something, overrun their
 *	  buffer, or the fingerprint depends on the room there is for the text.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdlib.h>

typedef struct CutCase
{
	int			size;			/* of dst */
	const char *text;
	bool		truncated;
} CutCase;

/* SELECT a, b FROM t WHERE c = $1 */
static const char select_sql[] = "SELECT a, b FROM t WHERE c = 4711 -- comment";
static const CutCase select_cuts[] = {
	{100, "SELECT a, b FROM t WHERE c = $1", false},
	{32, "SELECT a, b FROM t WHERE c = $1", false},
	{31, "SELECT a, b FROM t WHERE c ...", true},
	{30, "SELECT a, b FROM t WHERE ...", true},
	{28, "SELECT a, b FROM t ...", true},
	{20, "SELECT a, b ...", true},
	{16, "SELECT a, b ...", true},
	{15, "SELECT a, ...", true},
	{14, "SELECT a, ...", true},
	{13, "SELECT a ...", true},
	{12, "SELECT ...", true},
	{11, "SELECT ...", true},
	{10, "...", true},
	{5, "...", true},
	{4, "", true},
	{1, "", true}
};

/* What is left out needs no room. */
static const char values_sql[] = "VALUES (1, 'x'), (2, 'y'), (3, 'z') LIMIT 5";
static const CutCase values_cuts[] = {
	{100, "VALUES ($1, $2), ... LIMIT $3", false},
	{30, "VALUES ($1, $2), ... LIMIT $3", false},
	{29, "VALUES ($1, $2), ... ...", true},
	{20, "VALUES ($1, $2) ...", true},
	{12, "VALUES ...", true}
};

static const char list_sql[] = "SELECT a IN (1, 2, 3), 'b'";
static const CutCase list_cuts[] = {
	{29, "SELECT a IN ($1, ...), $2", false},
	{26, "SELECT a IN ($1, ...), $2", false},
	{25, "SELECT a IN ($1, ... ...", true}
};

/* In memory of exactly that size, so that a write outside is noticed. */
static void
check_cuts(const char *sql, const CutCase *cuts, int n)
{
	uint64		fingerprint = pgv_unit_fingerprint(sql);

	for (int i = 0; i < n; i++)
	{
		char	   *dst = malloc(cuts[i].size);
		PgvSqlNormal out;

		pgv_sqltext_normalise(sql, (int) strlen(sql), true, dst, cuts[i].size, &out);
		CHECKF(strcmp(dst, cuts[i].text) == 0 &&
			   out.len == (int) strlen(cuts[i].text) &&
			   out.truncated == cuts[i].truncated,
			   "\n\tsize:     %d\n\texpected: \"%s\"\n\tgot:      \"%s\"%s",
			   cuts[i].size, cuts[i].text, dst, out.truncated ? " (cut)" : "");
		CHECKF(out.fingerprint == fingerprint, "fingerprint changes at size %d",
			   cuts[i].size);
		free(dst);
	}
}

static void
check_no_dst(void)
{
	char		dst[4] = "abc";
	PgvSqlNormal out;

	pgv_sqltext_normalise("SELECT 1", 8, true, NULL, 100, &out);
	CHECK(out.len == 0 && !out.truncated);
	CHECK(out.fingerprint == pgv_unit_fingerprint("SELECT 2"));
	pgv_sqltext_normalise("SELECT 1", 8, true, dst, 0, &out);
	CHECK(out.len == 0 && !out.truncated && strcmp(dst, "abc") == 0);
	pgv_sqltext_normalise("SELECT 1", 8, true, dst, -1, &out);
	CHECK(out.len == 0 && !out.truncated && strcmp(dst, "abc") == 0);
}

/* Only len bytes are the text, and a NUL is one of them. */
static void
check_length(void)
{
	char		dst[100];
	PgvSqlNormal out;
	int			off;
	int			len;

	pgv_sqltext_normalise("SELECT a, 'secret", 8, true, dst, sizeof(dst), &out);
	CHECK(strcmp(dst, "SELECT a") == 0);
	pgv_sqltext_normalise("SELECT a", 0, true, dst, sizeof(dst), &out);
	CHECK(strcmp(dst, "") == 0 && out.len == 0 && !out.truncated);
	pgv_sqltext_normalise("SELECT a", -5, true, dst, sizeof(dst), &out);
	CHECK(strcmp(dst, "") == 0 && out.fingerprint == pgv_unit_fingerprint(""));
	pgv_sqltext_normalise(NULL, 0, true, dst, sizeof(dst), &out);
	CHECK(strcmp(dst, "") == 0 && out.fingerprint == pgv_unit_fingerprint(""));
	CHECK(!pgv_sqltext_inner(NULL, 0, true, &off, &len));
	pgv_sqltext_normalise("SELECT \0a", 9, true, dst, sizeof(dst), &out);
	CHECK(strcmp(dst, "SELECT ?a") == 0 && out.len == 9);
	pgv_sqltext_normalise("\"a\0\0b\" '\0'", 10, true, dst, sizeof(dst), &out);
	CHECK(strcmp(dst, "\"a??b\" $1") == 0 && out.len == 9);
}

void
pgv_unit_output(void)
{
	check_cuts(select_sql, select_cuts, lengthof(select_cuts));
	check_cuts(values_sql, values_cuts, lengthof(values_cuts));
	check_cuts(list_sql, list_cuts, lengthof(list_cuts));
	check_no_dst();
	check_length();
}
