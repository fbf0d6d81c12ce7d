-- vitals.reset(): forgetting everything, or what matches.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE vitals_one;
CREATE ROLE vitals_two;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent int REFERENCES parent);
INSERT INTO parent SELECT g FROM generate_series(1, 12) AS g;
GRANT SELECT ON parent, child TO vitals_one, vitals_two;
CREATE FUNCTION pg_temp.shown(OUT username name, OUT calls bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT nullif(username, current_user), calls, query FROM vitals.statements
	WHERE datname = current_database() AND query ~ '^SELECT \$1 (AS [abc]|\+)'
	ORDER BY query COLLATE "C", username
$$;
-- The same work of three roles.
\set work 'SELECT 1 AS a; SELECT \'x\' AS b; SELECT \'x\' AS b; SELECT 1 + 1 AS c;'

SELECT vitals.reset() > 0 AS reset;
:work
SET ROLE vitals_one;
:work
SET ROLE vitals_two;
:work
RESET ROLE;
SELECT * FROM pg_temp.shown();

-- a statement, of all roles
SELECT DISTINCT queryid FROM vitals.statements WHERE query = 'SELECT $1 AS b' \gset
SELECT vitals.reset(:queryid);
SELECT * FROM pg_temp.shown();
-- it is gone, so it is not known any more
\set VERBOSITY sqlstate
SELECT vitals.reset(:queryid);

-- a role, in all databases
SELECT vitals.reset(userid => 'vitals_one'::regrole) > 0 AS reset;
SELECT * FROM pg_temp.shown();

-- a statement of one role in one database
SELECT DISTINCT queryid FROM vitals.statements WHERE query = 'SELECT $1 AS a' \gset
SELECT vitals.reset(:queryid, oid, 'vitals_two'::regrole) FROM pg_database WHERE datname = current_database();
SELECT vitals.reset(:queryid, oid, 'vitals_two'::regrole) FROM pg_database WHERE datname = 'template1';
\set VERBOSITY default
SELECT * FROM pg_temp.shown();

-- counting goes on, from nothing
SET ROLE vitals_two;
:work
RESET ROLE;
SELECT * FROM pg_temp.shown();

-- another database, a role that does not exist, a NULL: nothing and everything
SELECT vitals.reset(dbid => 4200000000), vitals.reset(userid => 4200000000);
SELECT count(*) > 3 AS still_there FROM vitals.statements;
SELECT vitals.reset(dbid => oid) > 0 AS reset FROM pg_database WHERE datname = current_database();
SELECT * FROM pg_temp.shown();
SELECT vitals.reset(NULL, NULL, NULL) > 0 AS reset;

-- findings go with their statement, or with everything
\o /dev/null
SELECT id FROM parent ORDER BY id;
SELECT id FROM child WHERE parent = 1;
SELECT id FROM child WHERE parent = 2;
SELECT id FROM child WHERE parent = 3;
SELECT id FROM child WHERE parent = 4;
SELECT id FROM child WHERE parent = 5;
SELECT id FROM child WHERE parent = 6;
SELECT id FROM child WHERE parent = 7;
\o
SELECT kind, repeats, query FROM vitals.n_plus_one WHERE datname = current_database();
SELECT queryid FROM vitals.n_plus_one WHERE datname = current_database() \gset
-- the statement and its finding
SELECT vitals.reset(:queryid);
SELECT count(*) FROM vitals.n_plus_one;
SELECT count(*) FROM vitals.statements WHERE query = 'SELECT id FROM child WHERE parent = $1';

-- only a reset of everything is one in vitals.info
SELECT stats_reset FROM vitals.info \gset
SELECT vitals.reset(userid => 'vitals_two'::regrole) >= 0 AS reset;
SELECT stats_reset = :'stats_reset' AS same FROM vitals.info;
SELECT vitals.reset() > 0 AS reset;
SELECT stats_reset > :'stats_reset' AS later, stats_reset <= clock_timestamp() AS past FROM vitals.info;
-- no database and no role have the OID 0: any
SELECT stats_reset FROM vitals.info \gset
SELECT vitals.reset(dbid => 0, userid => 0) > 0 AS reset;
SELECT stats_reset > :'stats_reset' AS later FROM vitals.info;
SELECT executions, statements FROM vitals.info;

-- what began before a reset and ends after it counts
DO $$ BEGIN PERFORM vitals.reset(); END $$;
SELECT calls, query FROM vitals.statements WHERE query ~ '^DO' ORDER BY query COLLATE "C";

-- zero is no identifier of anything
SELECT vitals.reset(0);
SELECT count(*) > 0 AS still_there FROM vitals.statements;

DROP TABLE child, parent;
DROP ROLE vitals_one, vitals_two;
