/*-------------------------------------------------------------------------
 *
 * lists.c
 *	  If this fails, one statement with lists of many lengths fills the table,
 *	  or statements that differ in more than that fall together.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

static const NormalCase in_lists[] = {
	{"SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN ($1)"},
	{"SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN ($1, ...)"},
	{"SELECT a FROM t WHERE b in( 'x','y' , 'z' )AND c", "SELECT a FROM t WHERE b in($1, ...)AND c"},
	{"SELECT a FROM t WHERE b NOT IN ($1, $2, $3) AND c = $4 LIMIT 5",
	"SELECT a FROM t WHERE b NOT IN ($1, ...) AND c = $4 LIMIT $5"},
	{"SELECT a FROM t WHERE b IN (1, $1) AND c IN ($2, 5)",
	"SELECT a FROM t WHERE b IN ($3, ...) AND c IN ($2, ...)"},
	{"SELECT a FROM t WHERE b IN (-1, + 2, - /* c */ 3) AND c = 4",
	"SELECT a FROM t WHERE b IN ($1, ...) AND c = $2"},
	{"SELECT a FROM t WHERE b IN ('x'::uuid, 'y'::pg_catalog.uuid, $1::text::\"T\"[])",
	"SELECT a FROM t WHERE b IN ($2, ...)"},
	{"SELECT a FROM t WHERE b IN (1::numeric(10,2), '1'::character varying(5), '1'::double precision)",
	"SELECT a FROM t WHERE b IN ($1, ...)"},
	{"SELECT a FROM t WHERE b IN ('1'::timestamp(3) with time zone, '{}'::int[3][])",
	"SELECT a FROM t WHERE b IN ($1, ...)"},
	{"SELECT a FROM t WHERE b IN (date '2001-01-01', timestamp '2001-01-01')",
	"SELECT a FROM t WHERE b IN ($1, ...)"},
	{"SELECT a FROM t WHERE b IN (NULL, true, 1)", "SELECT a FROM t WHERE b IN ($1, ...)"},
	{"SELECT a FROM t WHERE (b, c) IN ((1, 2), (3, 'x'::text))",
	"SELECT a FROM t WHERE (b, c) IN ($1, ...)"},
	{"SELECT a FROM t WHERE (b, c) IN (ROW(1, 2))", "SELECT a FROM t WHERE (b, c) IN ($1)"},
	{"SELECT a FROM t WHERE (b, c) IN (($2, $3), ($4, $5)) AND d = 5",
	"SELECT a FROM t WHERE (b, c) IN ($2, ...) AND d = $6"},
	{"SELECT a FROM t WHERE b IN (ARRAY[1, 2], ARRAY[3])", "SELECT a FROM t WHERE b IN ($1, ...)"},
	{"SELECT a FROM t WHERE b IN (SELECT c FROM u WHERE d IN (1, 2) AND e = 3)",
	"SELECT a FROM t WHERE b IN (SELECT c FROM u WHERE d IN ($1, ...) AND e = $2)"},
	{"DELETE FROM t WHERE a IN ('x'\n'y', $$z$$, E'\\'', B'1')", "DELETE FROM t WHERE a IN ($1, ...)"}
};

static const NormalCase kept_lists[] = {
	{"SELECT a FROM t WHERE b IN (1, c, 2)", "SELECT a FROM t WHERE b IN ($1, c, $2)"},
	{"SELECT a FROM t WHERE b IN (1, 2 + 3)", "SELECT a FROM t WHERE b IN ($1, $2 + $3)"},
	{"SELECT a FROM t WHERE b IN (f(1), 2)", "SELECT a FROM t WHERE b IN (f($1), $2)"},
	{"SELECT a FROM t WHERE b IN (now(), 2)", "SELECT a FROM t WHERE b IN (now(), $1)"},
	{"SELECT a FROM t WHERE b IN ()", "SELECT a FROM t WHERE b IN ()"},
	{"SELECT a FROM t WHERE b IN (1, )", "SELECT a FROM t WHERE b IN ($1, )"},
	{"SELECT a FROM t WHERE b IN (1, 2", "SELECT a FROM t WHERE b IN ($1, $2"},
	{"SELECT a FROM t WHERE b IN (1, 2]", "SELECT a FROM t WHERE b IN ($1, $2]"},
	{"SELECT a FROM t WHERE b IN (1 2)", "SELECT a FROM t WHERE b IN ($1 $2)"},
	{"SELECT a FROM t WHERE b IN ([1])", "SELECT a FROM t WHERE b IN ([$1])"},
	{"SELECT a FROM t WHERE b IN ('1'::, 2)", "SELECT a FROM t WHERE b IN ($1::, $2)"},
	{"SELECT a FROM t WHERE b IN ('1'::x.5, '1'::x(a), '1'::x[a])",
	"SELECT a FROM t WHERE b IN ($1::x $2, $3::x(a), $4::x[a])"},
	{"SELECT a FROM t WHERE b IN (-'x', - $1, 2)", "SELECT a FROM t WHERE b IN (-$2, - $1, $3)"},
	{"SELECT a FROM t WHERE b IN (((((((1)))))))", "SELECT a FROM t WHERE b IN ((((((($1)))))))"},
	{"SELECT in (1, 2), t.in (1, 2), \"in\" (1, 2), inn (1, 2)",
	"SELECT in ($1, ...), t.in ($2, $3), \"in\" ($4, $5), inn ($6, $7)"},
	{"ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1, NULL)",
	"ALTER TABLE t ATTACH PARTITION p FOR VALUES IN ($1, NULL)"},
	{"ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1, 2)",
	"ALTER TABLE t ATTACH PARTITION p FOR VALUES IN ($1, ...)"}
};

static const NormalCase arrays[] = {
	{"SELECT ARRAY[1]", "SELECT ARRAY[$1]"},
	{"SELECT array [ 1, 2 ]", "SELECT array [$1, ...]"},
	{"SELECT a FROM t WHERE b = ANY (ARRAY[$1, $2]::int[]) AND c = 5",
	"SELECT a FROM t WHERE b = ANY (ARRAY[$1, ...]::int[]) AND c = $3"},
	{"SELECT ARRAY[[1, 2], [3, 4]], ARRAY[ARRAY[1, 2], ARRAY[3, 4]]",
	"SELECT ARRAY[$1, ...], ARRAY[$2, ...]"},
	{"SELECT ARRAY[]::int[], ARRAY[1, a], ARRAY[ARRAY[1, 2], ARRAY[3, a]]",
	"SELECT ARRAY[]::int[], ARRAY[$1, a], ARRAY[ARRAY[$2, ...], ARRAY[$3, a]]"},
	{"SELECT ARRAY(SELECT 1), a[1], ARRAY[1, 2][1]", "SELECT ARRAY(SELECT $1), a[$2], ARRAY[$3, ...][$4]"}
};

static const NormalCase rows[] = {
	{"INSERT INTO t (a, b) VALUES (1, 'x')", "INSERT INTO t (a, b) VALUES ($1, $2)"},
	{"INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'),(3,'z') RETURNING c, 4",
	"INSERT INTO t (a, b) VALUES ($1, $2), ... RETURNING c, $3"},
	{"INSERT INTO t VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT (a) DO UPDATE SET b = 7",
	"INSERT INTO t VALUES ($1, $2), ... ON CONFLICT (a) DO UPDATE SET b = $7"},
	{"INSERT INTO t VALUES (1, DEFAULT, NULL), (2, DEFAULT, 3)",
	"INSERT INTO t VALUES ($1, DEFAULT, $2), ..."},
	{"VALUES (f(1), now()), (F(2), now())", "VALUES (f($1), now()), ..."},
	{"VALUES (1), (a), (b), (b), (2), (3), (4)", "VALUES ($1), (a), (b), ..., ($2), ..."},
	{"VALUES (1, 2), (3, f(4)), (5, f(6)), (7, 8)", "VALUES ($1, $2), ($3, f($4)), ..., ($5, $6)"},
	{"VALUES (1),\n\t(2),\n\t(3)\n ORDER BY 1 LIMIT 4", "VALUES ($1), ... ORDER BY 1 LIMIT $2"},
	{"SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, s), (SELECT 1), (SELECT 1)",
	"SELECT * FROM (VALUES ($1, $2), ...) AS v (n, s), (SELECT $3), (SELECT $4)"},
	{"INSERT INTO t VALUES (ARRAY[1, 2], a IN (1)), (ARRAY[3], a IN (2, 3))",
	"INSERT INTO t VALUES (ARRAY[$1, ...], a IN ($2)), ..."},
	{"VALUES ((SELECT a FROM (VALUES (1), (2)) v), 3), ((SELECT a FROM (VALUES (4)) v), 5) LIMIT 6",
	"VALUES ((SELECT a FROM (VALUES ($1), ...) v), $2), ... LIMIT $3"},
	{"SELECT a FROM t WHERE b IN (VALUES (1), (2)) AND c IN (VALUES (1))",
	"SELECT a FROM t WHERE b IN (VALUES ($1), ...) AND c IN (VALUES ($2))"},
	{"INSERT INTO t DEFAULT VALUES", "INSERT INTO t DEFAULT VALUES"},
	{"VALUES (1), (2", "VALUES ($1), ($2"},
	{"VALUES (1), 2, (3)", "VALUES ($1), $2, ($3)"},
	{"VALUES (1) (2)", "VALUES ($1) ($2)"},
	{"VALUES (1), (2); VALUES (3)", "VALUES ($1), ...; VALUES ($2)"},
	{"SELECT t.values (1), (2)", "SELECT t.values ($1), ($2)"},
	{"DO $$ BEGIN INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (3) $$",
	"DO $$ BEGIN INSERT INTO t VALUES ($1), ...; INSERT INTO u VALUES ($2) $$"}
};

static const SameCase same[] = {
	{{"SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN (1, 2, 3)",
		"SELECT a FROM t WHERE b IN ($1)", "SELECT a FROM t WHERE b IN ($1, 'x'::text, -5)",
		"select a from t where b in((1,2),(3,4))", "SELECT a FROM t WHERE b IN (date '2001-01-01')"}},
	{{"SELECT ARRAY[1]", "SELECT ARRAY[1, 2]", "SELECT ARRAY[$1,$2,$3]", "SELECT ARRAY[[1],[2]]"}},
	{{"INSERT INTO t VALUES (1, 'x')", "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
		"INSERT INTO t VALUES ($1, $2), (3, $3), ($4, NULL);", "insert into T values(1,2),(3,4)"}},
	{{"VALUES (1), (a), (b)", "VALUES (1), (2), (a), (a), (b)"}},
	{{"VALUES ((SELECT a FROM (VALUES (1)) v))", "VALUES ((SELECT a FROM (VALUES (1), (2)) v))",
		"VALUES ((SELECT a FROM (VALUES (1)) v)), ((SELECT a FROM (VALUES (1), (2)) v))"}}
};

/*
 * VALUES in rows of VALUES: rows are compared down to the eighth, and from
 * there on each counts.
 */
static void
check_depth(int depth)
{
	char		one[512] = "SELECT ";
	char		two[512];

	for (int i = 0; i < depth; i++)
		strcat(one, "(VALUES (");
	strcpy(two, one);
	strcat(one, "1");
	strcat(two, "1), (2");
	for (int i = 0; i < depth; i++)
	{
		strcat(one, "))");
		strcat(two, "))");
	}
	CHECKF((pgv_unit_fingerprint(one) == pgv_unit_fingerprint(two)) == (depth <= 8),
		   "rows at depth %d", depth);
}

void
pgv_unit_lists(void)
{
	CHECK_TEXTS(in_lists);
	CHECK_TEXTS(kept_lists);
	CHECK_TEXTS(arrays);
	CHECK_TEXTS(rows);
	CHECK_SAME(same);
	for (int depth = 1; depth < 20; depth++)
		check_depth(depth);
	CHECK_DIFFERENT("SELECT a IN (1)", "SELECT a NOT IN (1)");
	CHECK_DIFFERENT("SELECT a IN (1)", "SELECT a IN (b)");
	CHECK_DIFFERENT("SELECT a IN (1)", "SELECT a IN ()");
	CHECK_DIFFERENT("SELECT a IN (1, 2)", "SELECT a IN (1, b)");
	CHECK_DIFFERENT("VALUES (1)", "VALUES (1, 2)");
	CHECK_DIFFERENT("VALUES (1), (a)", "VALUES (a), (1)");
	CHECK_DIFFERENT("VALUES (1), (f(2))", "VALUES (1), (g(2))");
	CHECK_DIFFERENT("VALUES (1), (a), (1)", "VALUES (1), (a)");
}
