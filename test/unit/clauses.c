/*-------------------------------------------------------------------------
 *
 * clauses.c
 *	  If this fails, ORDER BY 1 and ORDER BY 2 fall together, or values in
 *	  their neighbourhood show.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include <stdio.h>

static const NormalCase positions[] = {
	{"SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 1"},
	{"SELECT a FROM t ORDER BY 1;", "SELECT a FROM t ORDER BY 1"},
	{"SELECT a FROM t ORDER BY 1 -- c", "SELECT a FROM t ORDER BY 1"},
	{"SELECT a FROM t order  by/**/1", "SELECT a FROM t order by 1"},
	{"SELECT a FROM t ORDER BY 1 DESC NULLS LAST, 2, b, 3 ASC LIMIT 5",
	"SELECT a FROM t ORDER BY 1 DESC NULLS LAST, 2, b, 3 ASC LIMIT $1"},
	{"SELECT a FROM t ORDER BY 2 USING >, 1", "SELECT a FROM t ORDER BY 2 USING >, 1"},
	{"SELECT a, count(*) FROM t GROUP BY 1 HAVING count(*) > 5 ORDER BY 2 FOR UPDATE",
	"SELECT a, count(*) FROM t GROUP BY 1 HAVING count(*) > $1 ORDER BY 2 FOR UPDATE"},
	{"SELECT a FROM t GROUP BY DISTINCT 1, 2", "SELECT a FROM t GROUP BY DISTINCT 1, 2"},
	{"SELECT a FROM t GROUP BY ALL 1", "SELECT a FROM t GROUP BY ALL 1"},
	{"SELECT a FROM t GROUP BY 1, ROLLUP (2, 3), f(4, 5), 6",
	"SELECT a FROM t GROUP BY 1, ROLLUP ($1, $2), f($3, $4), 6"},
	{"SELECT a FROM (SELECT b FROM u ORDER BY 1, 2) v WHERE c IN (d, 1) GROUP BY 1",
	"SELECT a FROM (SELECT b FROM u ORDER BY 1, 2) v WHERE c IN (d, $1) GROUP BY 1"},
	{"SELECT array_agg(a ORDER BY 1, 2), rank() OVER (PARTITION BY 1 ORDER BY 1 ROWS 5 PRECEDING)",
	"SELECT array_agg(a ORDER BY 1, 2), rank() OVER (PARTITION BY $1 ORDER BY 1 ROWS $2 PRECEDING)"},
	{"SELECT 1 UNION SELECT 2 ORDER BY 1 OFFSET 3",
	"SELECT $1 UNION SELECT $2 ORDER BY 1 OFFSET $3"},
	{"INSERT INTO t SELECT a FROM u GROUP BY 1 ON CONFLICT DO NOTHING",
	"INSERT INTO t SELECT a FROM u GROUP BY 1 ON CONFLICT DO NOTHING"},
	{"DO $$ BEGIN FOR r IN SELECT a FROM t ORDER BY 1 LOOP x := 5; END LOOP; END $$",
	"DO $$ BEGIN FOR r IN SELECT a FROM t ORDER BY 1 LOOP x := $1; END LOOP; END $$"}
};

static const NormalCase values[] = {
	{"SELECT a FROM t ORDER BY 1 + 1, 2 - 1, -1", "SELECT a FROM t ORDER BY $1 + $2, $3 - $4, $5"},
	{"SELECT a FROM t ORDER BY 1::int, 1.5, 0x1, 'x', (1), 1 COLLATE \"C\"",
	"SELECT a FROM t ORDER BY $1::int, $2, $3, $4, ($5), $6 COLLATE \"C\""},
	{"SELECT a FROM t ORDER BY 9999, 10000", "SELECT a FROM t ORDER BY 9999, $1"},
	{"SELECT a FROM t ORDER BY b = 1, c[1], c[2, 3], CASE WHEN d THEN 1 ELSE 2 END, 3",
	"SELECT a FROM t ORDER BY b = $1, c[$2], c[$3, $4], CASE WHEN d THEN $5 ELSE $6 END, 3"},
	{"SELECT a FROM t ORDER BY b LIMIT 1, 2", "SELECT a FROM t ORDER BY b LIMIT $1, $2"},
	{"SELECT a FROM t GROUP BY 1 UNION SELECT 1, 2", "SELECT a FROM t GROUP BY 1 UNION SELECT $1, $2"},
	{"INSERT INTO t SELECT a FROM u ORDER BY 1 RETURNING 1, 2",
	"INSERT INTO t SELECT a FROM u ORDER BY 1 RETURNING $1, $2"},
	{"INSERT INTO t SELECT a FROM u ORDER BY 1 ON CONFLICT (b) DO UPDATE SET c = 1, d = 2",
	"INSERT INTO t SELECT a FROM u ORDER BY 1 ON CONFLICT (b) DO UPDATE SET c = $1, d = $2"},
	{"SELECT a ORDER BY 1 ON b, 2", "SELECT a ORDER BY 1 ON b, $1"},
	{"SELECT a, 1 FROM t WHERE b = 1", "SELECT a, $1 FROM t WHERE b = $2"},
	{"SELECT (SELECT a ORDER BY 1), 2", "SELECT (SELECT a ORDER BY 1), $1"},
	{"SELECT a ORDER BY 1; SELECT 2, 3", "SELECT a ORDER BY 1; SELECT $1, $2"},
	{"SELECT \"order\" by, 1", "SELECT \"order\" by, $1"},
	{"SELECT t.order by, 1", "SELECT t.order by, $1"},
	{"SELECT rank() OVER (PARTITION BY 1, 2)", "SELECT rank() OVER (PARTITION BY $1, $2)"},
	{"CREATE SEQUENCE s INCREMENT BY 2 START 5", "CREATE SEQUENCE s INCREMENT BY $1 START $2"}
};

/* Too deep to remember the clause: the doubt goes against the number. */
static void
check_depth(int depth, const char *shown)
{
	char		open[128] = "";
	char		closed[128] = "";
	char		sql[512];
	char		text[512];

	memset(open, '(', depth);
	memset(closed, ')', depth);
	snprintf(sql, sizeof(sql), "%sSELECT a ORDER BY 1%s ORDER BY 2", open, closed);
	snprintf(text, sizeof(text), "%sSELECT a ORDER BY %s%s ORDER BY 2", open, shown, closed);
	pgv_unit_check_text(__FILE__, __LINE__, true, sql, text);
}

void
pgv_unit_clauses(void)
{
	CHECK_TEXTS(positions);
	CHECK_TEXTS(values);
	check_depth(1, "1");
	check_depth(63, "1");
	check_depth(64, "$1");
	check_depth(100, "$1");
	CHECK_DIFFERENT("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 2");
	CHECK_DIFFERENT("SELECT a FROM t GROUP BY 1", "SELECT a FROM t GROUP BY $1");
	CHECK_DIFFERENT("SELECT a FROM t ORDER BY 1", "SELECT a FROM t ORDER BY 1 DESC");
}
