/*-------------------------------------------------------------------------
 *
 * literals.c
 *	  If this fails, values stay in normal forms, or words that are no values
 *	  vanish from them; or parameters get wrong numbers or signs.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

static const NormalCase verbatim[] = {
	{"SELECT \"authors\".* FROM \"authors\" WHERE \"authors\".\"id\" = $1 LIMIT $2",
	"SELECT \"authors\".* FROM \"authors\" WHERE \"authors\".\"id\" = $1 LIMIT $2"},
	{"select a1_0.id,a1_0.name from authors a1_0 where a1_0.id=$1",
	"select a1_0.id,a1_0.name from authors a1_0 where a1_0.id=$1"},
	{"SELECT * FROM posts WHERE created_at<=$1 AND  x->>'k'  = 'v' ;",
	"SELECT * FROM posts WHERE created_at<=$1 AND x->>$2 = $3"},
	{"SELECT\n\tauthors.id AS authors_id \nFROM authors \nWHERE authors.id = $1::INTEGER",
	"SELECT authors.id AS authors_id FROM authors WHERE authors.id = $1::INTEGER"},
	{"SELECT a;;", "SELECT a"},
	{" ; SELECT a ; ; -- c\n ; ", "SELECT a"},
	{"SELECT 1 ;; SELECT 2;", "SELECT $1 ; SELECT $2"}
};

static const NormalCase values[] = {
	{"SELECT true, FALSE, NULL", "SELECT $1, $2, $3"},
	{"SELECT a IS NULL, b IS NOT NULL, c IS TRUE, d IS NOT FALSE",
	"SELECT a IS NULL, b IS NOT NULL, c IS TRUE, d IS NOT FALSE"},
	{"SELECT a IS DISTINCT FROM NULL, b IS NOT DISTINCT FROM true",
	"SELECT a IS DISTINCT FROM $1, b IS NOT DISTINCT FROM $2"},
	{"SELECT a = NULL, NULL::text, CAST(NULL AS int), NOT true, NOT NULL",
	"SELECT a = $1, $2::text, CAST($3 AS int), NOT $4, NOT NULL"},
	{"SELECT a FROM t LEFT JOIN LATERAL f(t) ON true WHERE b",
	"SELECT a FROM t LEFT JOIN LATERAL f(t) ON $1 WHERE b"},
	{"SELECT 1 AS true, t.null, \"null\", nullable, NULLIF(a, 5)",
	"SELECT $1 AS true, t.null, \"null\", nullable, NULLIF(a, $2)"},
	{"SELECT json_object('a': null NULL ON NULL), json_array(1 ABSENT ON NULL)",
	"SELECT json_object($1: $2 NULL ON NULL), json_array($3 ABSENT ON NULL)"},
	{"SELECT json_value(x, '$.a' NULL ON EMPTY DEFAULT 5 ON ERROR)",
	"SELECT json_value(x, $1 NULL ON EMPTY DEFAULT $2 ON ERROR)"},
	{"SELECT json_exists(x, '$.a' FALSE ON ERROR)",
	"SELECT json_exists(x, $1 FALSE ON ERROR)"},
	{"SELECT * FROM XMLTABLE('/x' PASSING d COLUMNS a int NOT NULL, b text DEFAULT 'x')",
	"SELECT * FROM XMLTABLE($1 PASSING d COLUMNS a int NOT NULL, b text DEFAULT $2)"},
	{"SELECT a FROM t ORDER BY b NULLS FIRST", "SELECT a FROM t ORDER BY b NULLS FIRST"},
	{"UPDATE t SET a = NULL, b = DEFAULT, c = current_date WHERE d = true",
	"UPDATE t SET a = $1, b = DEFAULT, c = current_date WHERE d = $2"},
	{"MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 5",
	"MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = $1"},
	{"(SELECT NULL)", "(SELECT $1)"},
	{"x IS NULL OR x = NULL", "x IS NULL OR x = $1"}
};

static const NormalCase utility_values[] = {
	{"CREATE TABLE t (a int NOT NULL DEFAULT NULL, b bool DEFAULT true)",
	"CREATE TABLE t (a int NOT NULL DEFAULT NULL, b bool DEFAULT true)"},
	{"SET enable_seqscan = false", "SET enable_seqscan = false"},
	{"CALL p(NULL, 5)", "CALL p(NULL, $1)"},
	{"CREATE TABLE t AS SELECT NULL AS a, true AS b",
	"CREATE TABLE t AS SELECT $1 AS a, $2 AS b"},
	{"EXPLAIN (ANALYZE true) SELECT a = true", "EXPLAIN (ANALYZE true) SELECT a = $1"},
	{"DECLARE c CURSOR FOR SELECT NULL", "DECLARE c CURSOR FOR SELECT $1"},
	{"COPY (SELECT NULL) TO STDOUT (FORMAT csv, HEADER true)",
	"COPY (SELECT $1) TO STDOUT (FORMAT csv, HEADER $2)"},
	{"CREATE VIEW v AS SELECT NULL AS a, 5 AS b", "CREATE VIEW v AS SELECT NULL AS a, $1 AS b"}
};

static const NormalCase signs[] = {
	{"SELECT -5, (-5), a[-1], a[1:-2], f(-1, -2)", "SELECT $1, ($2), a[$3], a[$4:$5], f($6, $7)"},
	{"SELECT 5-3, 5 -3, 5 - 3, 5 - -3", "SELECT $1-$2, $3 -$4, $5 - $6, $7 - $8"},
	{"SELECT a-5, a -5, \"a\" -5, $1-5, f(a)-5, a[1]-5, 'x'-5",
	"SELECT a-$2, a -$3, \"a\" -$4, $1-$5, f(a)-$6, a[$7]-$8, $9-$10"},
	{"SELECT - 5, + 5, -.5, - a", "SELECT $1, $2, $3, - a"},
	{"SELECT - - 5, a - + 5", "SELECT - $1, a - $2"},
	{"SELECT -/* c */5, - -- c\n 5", "SELECT $1, $2"},
	{"SELECT a WHERE b BETWEEN -5 AND -3 OR b IN (c, -2) LIMIT -1 OFFSET -1",
	"SELECT a WHERE b BETWEEN $1 AND $2 OR b IN (c, $3) LIMIT $4 OFFSET $5"},
	{"SELECT CASE WHEN -1 = a THEN -2 ELSE -3 END -4",
	"SELECT CASE WHEN $1 = a THEN $2 ELSE $3 END -$4"},
	{"SELECT NULL -5, current_date -5", "SELECT $1 -$2, current_date -$3"},
	{"SELECT increment -5, minvalue -5", "SELECT increment -$1, minvalue -$2"},
	{"SELECT -'5', - $1", "SELECT -$2, - $1"},
	{"FETCH -5 FROM c", "FETCH $1 FROM c"},
	{"FETCH ABSOLUTE -5 FROM c", "FETCH ABSOLUTE $1 FROM c"},
	{"MOVE BACKWARD -5 IN c", "MOVE BACKWARD $1 IN c"},
	{"SET TIME ZONE -7", "SET TIME ZONE $1"},
	{"CREATE SEQUENCE s INCREMENT -1 MINVALUE -9 START WITH -1",
	"CREATE SEQUENCE s INCREMENT $1 MINVALUE $2 START WITH $3"},
	{"CREATE TABLE t (a int CHECK (a -5 > 0))", "CREATE TABLE t (a int CHECK (a -$1 > $2))"}
};

static const NormalCase numbering[] = {
	{"SELECT 'a', $2, 'b', $1, 5", "SELECT $3, $2, $4, $1, $5"},
	{"SELECT 'costs $500', \"$600\", /* $700 */ a$800, $$ $900 $$, 5, -- $1000",
	"SELECT $1, \"$600\", a$800, $2, $3,"},
	{"SELECT 5 WHERE a = $1", "SELECT $2 WHERE a = $1"},
	{"SELECT 5, $999999999", "SELECT $1000000000, $999999999"},
	{"SELECT $0, 5", "SELECT $0, $1"},
	{"SELECT $007, 5", "SELECT $007, $8"}
};

static const NormalCase typed[] = {
	{"SELECT interval '1 day', date '2020-01-01', interval(3) '1', '5'::numeric(10,2)",
	"SELECT interval $1, date $2, interval($3) $4, $5::numeric($6,$7)"},
	{"SELECT timestamp with time zone '2020-01-01', time '1:00'",
	"SELECT timestamp with time zone $1, time $2"},
	{"SELECT * FROM t TABLESAMPLE system (5) REPEATABLE (7) FETCH FIRST 5 ROWS ONLY",
	"SELECT * FROM t TABLESAMPLE system ($1) REPEATABLE ($2) FETCH FIRST $3 ROWS ONLY"},
	{"SELECT extract(epoch FROM interval '5'), position('a' IN b), 'a' LIKE 'b' ESCAPE '!'",
	"SELECT extract(epoch FROM interval $1), position($2 IN b), $3 LIKE $4 ESCAPE $5"}
};

void
pgv_unit_literals(void)
{
	CHECK_TEXTS(verbatim);
	CHECK_TEXTS(values);
	CHECK_TEXTS(utility_values);
	CHECK_TEXTS(signs);
	CHECK_TEXTS(numbering);
	CHECK_TEXTS(typed);
}
