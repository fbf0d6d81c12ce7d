/*-------------------------------------------------------------------------
 *
 * inner.c
 *	  If this fails, cursors, CREATE TABLE AS and the like get no fingerprint
 *	  of the query in them, or a wrong one; or an error is counted on another
 *	  statement of its string.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

/* A statement, and the one in it or NULL. */
static const NormalCase cases[] = {
	{"EXPLAIN SELECT 1", "SELECT 1"},
	{"explain analyze select 1 ;", "select 1"},
	{"EXPLAIN ANALYZE VERBOSE SELECT 1 -- c", "SELECT 1"},
	{"EXPLAIN (ANALYZE, BUFFERS off, FORMAT 'json') UPDATE t SET a = 1", "UPDATE t SET a = 1"},
	{"EXPLAIN (SELECT 1)", "(SELECT 1)"},
	{"EXPLAIN ANALYZE ((SELECT 1) UNION (SELECT 2))", "((SELECT 1) UNION (SELECT 2))"},
	{"EXPLAIN (COSTS off) (SELECT 1)", "(SELECT 1)"},
	{"EXPLAIN MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
	"MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE"},
	{"EXPLAIN WITH x AS (SELECT 1) TABLE x", "WITH x AS (SELECT 1) TABLE x"},
	{"/* c */ EXPLAIN /* c */ VALUES (1), (2) /* c */", "VALUES (1), (2)"},
	{"; EXPLAIN TABLE t;;", "TABLE t"},
	{"EXPLAIN EXECUTE p (1)", NULL},
	{"EXPLAIN REFRESH MATERIALIZED VIEW v", NULL},
	{"EXPLAIN", NULL},
	{"EXPLAIN (ANALYZE", NULL},

	{"DECLARE c CURSOR FOR SELECT 1", "SELECT 1"},
	{"DECLARE \"c 1\" BINARY INSENSITIVE NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM t FOR UPDATE",
	"SELECT a FROM t FOR UPDATE"},
	{"DECLARE cursor CURSOR WITHOUT HOLD FOR (SELECT 1)", "(SELECT 1)"},
	{"DECLARE c CURSOR", NULL},

	{"CREATE TABLE t AS SELECT 1", "SELECT 1"},
	{"CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1 WITH NO DATA", "SELECT 1"},
	{"CREATE GLOBAL TEMPORARY TABLE IF NOT EXISTS s.t (a, b) USING heap WITH (fillfactor = 50) AS "
		"WITH x AS (SELECT 1) SELECT * FROM x with data ;",
	"WITH x AS (SELECT 1) SELECT * FROM x"},
	{"CREATE UNLOGGED TABLE t TABLESPACE x AS VALUES (1)", "VALUES (1)"},
	{"CREATE TABLE t AS SELECT a FROM data WITH NO DATA", "SELECT a FROM data"},
	{"CREATE TABLE t AS SELECT data FROM no data", "SELECT data FROM no data"},
	{"CREATE TABLE t AS EXECUTE p", NULL},
	{"CREATE TABLE t (a int GENERATED ALWAYS AS (b + 1) STORED)", NULL},
	{"CREATE TABLE t (LIKE u)", NULL},
	{"CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1 WITH NO DATA", "SELECT 1"},
	{"CREATE VIEW v AS SELECT 1", NULL},
	{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", NULL},
	{"CREATE INDEX i ON t (a)", NULL},

	{"COPY (SELECT 1) TO STDOUT", "SELECT 1"},
	{"COPY ( /* c */ DELETE FROM t RETURNING (a) ) TO 'x' (FORMAT csv)", "DELETE FROM t RETURNING (a)"},
	{"COPY t TO STDOUT", NULL},
	{"COPY t (a) FROM STDIN", NULL},

	{"PREPARE p AS SELECT 1", "SELECT 1"},
	{"PREPARE p (int, text) AS INSERT INTO t VALUES ($1, $2);", "INSERT INTO t VALUES ($1, $2)"},
	{"PREPARE TRANSACTION 'x'", NULL},

	{"EXPLAIN CREATE TABLE t AS SELECT 1 WITH DATA", "SELECT 1"},
	{"EXPLAIN (ANALYZE) CREATE MATERIALIZED VIEW v AS SELECT ')'", "SELECT ')'"},
	{"EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT 1", "SELECT 1"},
	{"EXPLAIN EXPLAIN EXPLAIN SELECT 1", "SELECT 1"},

	{"SELECT 1", NULL},
	{"SELECT 1 INTO t", NULL},
	{"WITH x AS (SELECT 1) SELECT 1", NULL},
	{"DO $$ EXPLAIN SELECT 1 $$", NULL},
	{"EXPLAIN; SELECT 1", NULL},
	{"CREATE TABLE t; SELECT 1 AS a", NULL},
	{"'EXPLAIN' SELECT 1", NULL},
	{"\"explain\" SELECT 1", NULL},
	{"", NULL}
};

static void
check_inner(bool std_strings, const NormalCase *c)
{
	int			off = -1;
	int			len = -1;
	bool		found = pgv_sqltext_inner(c->sql, (int) strlen(c->sql), std_strings,
										  &off, &len);

	if (c->text == NULL)
		CHECKF(!found && off == -1 && len == -1, "something in: %s", c->sql);
	else if (CHECKF(found, "nothing in: %s", c->sql))
		CHECKF(len == (int) strlen(c->text) && memcmp(c->sql + off, c->text, len) == 0,
			   "\n\tstatement: %s\n\texpected:  %s\n\tgot:       %.*s",
			   c->sql, c->text, len, c->sql + off);
}

/* A string of statements, and the first of them or NULL. */
static const NormalCase firsts[] = {
	{"SELECT 1", "SELECT 1"},
	{" ; /* c */; SELECT 1 /* c */ ; SELECT 2", "SELECT 1"},
	{"SELECT ';' || $$;$$ || \";\" -- ;\n; SELECT 2", "SELECT ';' || $$;$$ || \";\""},
	{"DO $$ BEGIN; END $$; SELECT 2", "DO $$ BEGIN; END $$"},
	{"DO $$ BEGIN PERFORM 1; PERFORM 2; END $$", "DO $$ BEGIN PERFORM 1; PERFORM 2; END $$"},
	{"SELECT 'open; SELECT 2", "SELECT 'open; SELECT 2"},
	{"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2 $$;",
	"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2 $$"},
	{"(SELECT 1) UNION SELECT 2;", "(SELECT 1) UNION SELECT 2"},
	{";", NULL},
	{" -- SELECT 1", NULL},
	{"", NULL}
};

static void
check_first(const NormalCase *c)
{
	int			off = -1;
	int			len = -1;
	bool		found = pgv_sqltext_first(c->sql, (int) strlen(c->sql), true, &off, &len);

	if (c->text == NULL)
		CHECKF(!found && off == -1 && len == -1, "a statement in: %s", c->sql);
	else if (CHECKF(found, "no statement in: %s", c->sql))
		CHECKF(len == (int) strlen(c->text) && memcmp(c->sql + off, c->text, len) == 0,
			   "\n\tstring:   %s\n\texpected: %s\n\tgot:      %.*s",
			   c->sql, c->text, len, c->sql + off);
}

void
pgv_unit_inner(void)
{
	static const NormalCase old = {"COPY (SELECT 'a\\'), (') TO 'x'", "SELECT 'a\\'), ('"};
	static const NormalCase new = {"COPY (SELECT 'a\\') TO 'x'", "SELECT 'a\\'"};

	for (int i = 0; i < (int) lengthof(cases); i++)
		check_inner(true, &cases[i]);
	check_inner(false, &old);
	check_inner(true, &new);
	for (int i = 0; i < (int) lengthof(firsts); i++)
		check_first(&firsts[i]);
}
