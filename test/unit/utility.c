/*-------------------------------------------------------------------------
 *
 * utility.c
 *	  If this fails, passwords and other secrets of utility statements show,
 *	  the names that drivers make up fill the table, or the bodies of DO and of
 *	  functions leak or fall together.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

static const NormalCase secrets[] = {
	{"ALTER ROLE x PASSWORD 'secret'", "ALTER ROLE x PASSWORD $1"},
	{"CREATE USER x WITH ENCRYPTED PASSWORD 'secret' CONNECTION LIMIT 5 VALID UNTIL 'infinity'",
	"CREATE USER x WITH ENCRYPTED PASSWORD $1 CONNECTION LIMIT $2 VALID UNTIL $3"},
	{"COPY t FROM PROGRAM 'curl secret' WITH (FORMAT csv, DELIMITER ',', HEADER true)",
	"COPY t FROM PROGRAM $1 WITH (FORMAT csv, DELIMITER $2, HEADER true)"},
	{"CREATE SUBSCRIPTION s CONNECTION 'password=secret' PUBLICATION p",
	"CREATE SUBSCRIPTION s CONNECTION $1 PUBLICATION p"},
	{"CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'bob', password 'secret')",
	"CREATE USER MAPPING FOR u SERVER s OPTIONS (user $1, password $2)"},
	{"SET x.password = 'secret'", "SET x.password = $1"},
	{"SET x TO 5, 'y', z", "SET x TO $1, $2, z"},
	{"SET x.password = secret", "SET x.password = $1"},
	{"SET LOCAL x.a.\"B\" TO \"Secret\", other", "SET LOCAL x.a.\"B\" TO $1, $2"},
	{"SET x.password TO DEFAULT", "SET x.password TO DEFAULT"},
	{"ALTER ROLE u SET x.token = hunter2; SET search_path = a, b",
	"ALTER ROLE u SET x.token = $1; SET search_path = a, b"},
	{"COMMENT ON TABLE t IS 'secret'", "COMMENT ON TABLE t IS $1"},
	{"COMMENT ON TABLE t IS NULL", "COMMENT ON TABLE t IS NULL"},
	{"NOTIFY c, 'secret'", "NOTIFY c, $1"},
	{"PREPARE TRANSACTION 'secret'", "PREPARE TRANSACTION $1"},
	{"COMMIT PREPARED 'secret'", "COMMIT PREPARED $1"},
	{"EXECUTE p (1, 'secret')", "EXECUTE p ($1, $2)"},
	{"PREPARE p (int) AS SELECT $1 + 5", "PREPARE p (int) AS SELECT $1 + $2"},
	{"CREATE TYPE e AS ENUM ('a', 'b')", "CREATE TYPE e AS ENUM ($1, $2)"},
	{"FETCH 5 FROM c", "FETCH $1 FROM c"},
	{"FETCH FORWARD ALL FROM c", "FETCH FORWARD ALL FROM c"}
};

static const NormalCase names[] = {
	{"SAVEPOINT s1", "SAVEPOINT $1"},
	{"savepoint \"S 1\";", "savepoint $1"},
	{"RELEASE s1", "RELEASE $1"},
	{"RELEASE SAVEPOINT s1", "RELEASE SAVEPOINT $1"},
	{"RELEASE SAVEPOINT \"s1\"", "RELEASE SAVEPOINT $1"},
	{"ROLLBACK TO s1", "ROLLBACK TO $1"},
	{"ROLLBACK TO SAVEPOINT s1 -- c", "ROLLBACK TO SAVEPOINT $1"},
	{"ROLLBACK WORK TO s1", "ROLLBACK WORK TO $1"},
	{"ROLLBACK TRANSACTION TO SAVEPOINT s1", "ROLLBACK TRANSACTION TO SAVEPOINT $1"},
	{"DEALLOCATE p1", "DEALLOCATE $1"},
	{"DEALLOCATE PREPARE \"p 1\"", "DEALLOCATE PREPARE $1"},
	{"DEALLOCATE \"all\"", "DEALLOCATE $1"},
	{"SAVEPOINT savepoint", "SAVEPOINT $1"},
	{"DEALLOCATE prepare", "DEALLOCATE $1"},
	{"SAVEPOINT a; RELEASE a; SELECT a", "SAVEPOINT $1; RELEASE $2; SELECT a"},
	{"DEALLOCATE ALL", "DEALLOCATE ALL"},
	{"DEALLOCATE PREPARE all", "DEALLOCATE PREPARE all"},
	{"ROLLBACK", "ROLLBACK"},
	{"ROLLBACK WORK AND NO CHAIN", "ROLLBACK WORK AND NO CHAIN"},
	{"ROLLBACK PREPARED 'x'", "ROLLBACK PREPARED $1"},
	{"LISTEN s1", "LISTEN s1"},
	{"release > release_date", "release > release_date"},
	{"release and ready", "release and ready"}
};

static const NormalCase blocks[] = {
	{"DO $$ BEGIN PERFORM f(5, 'x'); END $$", "DO $$ BEGIN PERFORM f($1, $2); END $$"},
	{"DO $$BEGIN NULL;END;$$;", "DO $$BEGIN NULL;END;$$"},
	{"DO $x$ -- c 'x'\nBEGIN RAISE NOTICE '%', $$secret$$; END $x$ LANGUAGE plpgsql",
	"DO $$ BEGIN RAISE NOTICE $1, $2; END $$ LANGUAGE plpgsql"},
	{"DO LANGUAGE PLpgSQL $$ BEGIN x := -5; END $$", "DO LANGUAGE PLpgSQL $$ BEGIN x := $1; END $$"},
	{"DO LANGUAGE 'plpgsql' $$ BEGIN x := true; END $$", "DO LANGUAGE $1 $$ BEGIN x := true; END $$"},
	{"DO LANGUAGE \"plpgsql\" $$ a $$", "DO LANGUAGE \"plpgsql\" $$ a $$"},
	{"DO $$ secret $$ LANGUAGE plpython3u", "DO $1 LANGUAGE plpython3u"},
	{"DO LANGUAGE 'plperl' $$ secret $$", "DO LANGUAGE $1 $2"},
	{"DO LANGUAGE plpgsql $$ secret $$ LANGUAGE plperl", "DO LANGUAGE plpgsql $1 LANGUAGE plperl"},
	{"DO LANGUAGE plperl $$ secret $$ LANGUAGE plpgsql", "DO LANGUAGE plperl $1 LANGUAGE plpgsql"},
	{"DO LANGUAGE $$plpgsql$$ $$ secret $$", "DO LANGUAGE $1 $2"},
	{"DO 'BEGIN PERFORM secret(); END'", "DO $1"},
	{"DO $$ BEGIN x := 'secret; END $$", "DO $$ BEGIN x := $1$$"},
	{"DO $$ BEGIN x := \"secret; END $$", "DO $$ BEGIN x := $1$$"},
	{"DO $$ BEGIN x := 1; /* secret $$", "DO $$ BEGIN x := $1; $$"},
	{"DO $$ BEGIN x := 1; -- secret $$", "DO $$ BEGIN x := $1; $$"},
	{"DO $a$ BEGIN x := $b$ secret $a$", "DO $$ BEGIN x := $1$$"},
	{"DO $$ SELECT (1 $$", "DO $$ SELECT ($1 $$"},
	{"DO $$ secret", "DO $1"},
	{"DO $$$$", "DO $$$$"},
	{"DO $$ x $$; SELECT $$secret$$", "DO $$ x $$; SELECT $1"},
	{"DO $$ SELECT $2 + 5 $$", "DO $$ SELECT $2 + $3 $$"}
};

static const NormalCase functions[] = {
	{"CREATE FUNCTION f(a int DEFAULT 3) RETURNS int AS $$ SELECT $1 + 5 $$ LANGUAGE sql",
	"CREATE FUNCTION f(a int DEFAULT $2) RETURNS int AS $$ SELECT $1 + $3 $$ LANGUAGE sql"},
	{"CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql COST 5 AS $x$ BEGIN x := 'y'; END $x$",
	"CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql COST $1 AS $$ BEGIN x := $2; END $$"},
	{"CREATE PROCEDURE p() AS $$ BEGIN COMMIT; END $$ LANGUAGE 'plpgsql' SET x = 'y'",
	"CREATE PROCEDURE p() AS $$ BEGIN COMMIT; END $$ LANGUAGE $1 SET x = $2"},
	{"CREATE FUNCTION f() RETURNS int AS $$ secret $$", "CREATE FUNCTION f() RETURNS int AS $1"},
	{"CREATE FUNCTION f() RETURNS int AS $$ secret $$ LANGUAGE plperl",
	"CREATE FUNCTION f() RETURNS int AS $1 LANGUAGE plperl"},
	{"CREATE FUNCTION f() RETURNS int LANGUAGE c AS $$secret$$, $$f$$",
	"CREATE FUNCTION f() RETURNS int LANGUAGE c AS $1, $2"},
	{"CREATE FUNCTION f() RETURNS int AS 'SELECT secret' LANGUAGE sql",
	"CREATE FUNCTION f() RETURNS int AS $1 LANGUAGE sql"},
	{"CREATE FUNCTION f(language sql, a text DEFAULT $$secret$$) RETURNS int AS $$ secret $$",
	"CREATE FUNCTION f(language sql, a text DEFAULT $1) RETURNS int AS $2"},
	{"CREATE FUNCTION f(a text DEFAULT $$secret$$) RETURNS int LANGUAGE sql AS $$ SELECT 5 $$",
	"CREATE FUNCTION f(a text DEFAULT $1) RETURNS int LANGUAGE sql AS $$ SELECT $2 $$"},
	{"CREATE FUNCTION f(a int DEFAULT CAST($$1$$ AS int)) RETURNS int LANGUAGE sql RETURN a + 5",
	"CREATE FUNCTION f(a int DEFAULT CAST($1 AS int)) RETURNS int LANGUAGE sql RETURN a + $2"},
	{"CREATE FUNCTION f(a text DEFAULT CAST(b AS $$secret$$)) RETURNS int LANGUAGE sql RETURN 5",
	"CREATE FUNCTION f(a text DEFAULT CAST(b AS $1)) RETURNS int LANGUAGE sql RETURN $2"},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 'x'; END",
	"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT $1; SELECT $2; END"},
	{"CREATE VIEW v AS SELECT $$secret$$ LANGUAGE sql", "CREATE VIEW v AS SELECT $1 LANGUAGE sql"},
	{"SELECT 1 AS $$secret$$ LANGUAGE sql", "SELECT $1 AS $2 LANGUAGE sql"}
};

static const SameCase same[] = {
	{{"SAVEPOINT a", "SAVEPOINT b", "savepoint \"c d\"", "SAVEPOINT a;"}},
	{{"RELEASE SAVEPOINT a", "release savepoint b"}},
	{{"ROLLBACK TO SAVEPOINT a", "ROLLBACK TO SAVEPOINT b"}},
	{{"DEALLOCATE a", "DEALLOCATE \"pdo_stmt_00000001\""}},
	{{"FETCH 5 FROM c", "FETCH -10 FROM c"}},
	{{"DO $$ BEGIN x := 1; END $$", "DO $b$ BEGIN\n x := 'y'; /* c */ END $b$"}},
	{{"CREATE USER u PASSWORD 'a'", "CREATE USER u PASSWORD 'b'"}}
};

void
pgv_unit_utility(void)
{
	CHECK_TEXTS(secrets);
	CHECK_TEXTS(names);
	CHECK_TEXTS(blocks);
	CHECK_TEXTS(functions);
	CHECK_SAME(same);
	CHECK_DIFFERENT("DO $$ BEGIN PERFORM f(1); END $$", "DO $$ BEGIN PERFORM g(1); END $$");
	CHECK_DIFFERENT("RELEASE a", "RELEASE SAVEPOINT a");
	CHECK_DIFFERENT("DEALLOCATE a", "DEALLOCATE ALL");
	CHECK_DIFFERENT("SAVEPOINT a", "RELEASE a");
	CHECK_DIFFERENT("CALL p(NULL)", "CALL p(1)");
}
