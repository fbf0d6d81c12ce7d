-- Who sees what: one's own, and with pg_read_all_stats everybody's.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE vitals_alice;
CREATE ROLE vitals_bob;
CREATE ROLE vitals_monitor IN ROLE pg_monitor;
CREATE ROLE vitals_stats IN ROLE pg_read_all_stats;
CREATE ROLE vitals_noinherit NOINHERIT IN ROLE pg_read_all_stats;
CREATE ROLE vitals_group ROLE vitals_alice;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent int REFERENCES parent);
INSERT INTO parent SELECT g FROM generate_series(1, 12) AS g;
GRANT SELECT ON parent, child TO PUBLIC;

-- everybody may look: nothing has to be granted
SELECT vitals.reset() > 0 AS reset;
SET ROLE vitals_bob;
SELECT 'of bob', 1 AS a;
SELECT 'of bob', 1 AS a;
\o /dev/null
SELECT id FROM parent ORDER BY id;
SELECT id FROM child WHERE parent = 1;
SELECT id FROM child WHERE parent = 2;
SELECT id FROM child WHERE parent = 3;
SELECT id FROM child WHERE parent = 4;
SELECT id FROM child WHERE parent = 5;
SELECT id FROM child WHERE parent = 6;
\o
SET ROLE vitals_group;
SELECT 'of the group', 1 AS b, 2 AS c;
SET ROLE vitals_alice;
SELECT 'of alice', 1 AS d, 2 AS e, 3 AS f;

-- alice: her own and her group's; of bob's the counters
SELECT username, calls, rows, query FROM vitals.statements
WHERE username ~ '^vitals_' AND query !~ 'vitals' AND query ~ 'AS a|AS b|AS d|insufficient' AND calls = 2
   OR query ~ 'AS [bd]' AND query !~ 'vitals'
ORDER BY username, query COLLATE "C";
-- column by column: what of bob's most used statement is there to see
SELECT c.key AS shown_of_others
FROM vitals.statements AS s, jsonb_each(to_jsonb(s)) AS c
WHERE s.username = 'vitals_bob' AND s.calls = 6 AND c.value <> 'null'
  AND c.key !~ '_time$|blk|wal|jit|parallel|plan|since'
ORDER BY c.key COLLATE "C";
SELECT count(*) AS with_identity FROM vitals.statements
WHERE username = 'vitals_bob' AND (queryid IS NOT NULL OR fingerprint IS NOT NULL OR query <> '<insufficient privilege>');
SELECT count(*) AS findings FROM vitals.n_plus_one;

-- bob: his own, and his finding
SET ROLE vitals_bob;
SELECT calls, query FROM vitals.statements
WHERE username = 'vitals_bob' AND query !~ 'vitals|insufficient' ORDER BY query COLLATE "C";
SELECT username, kind, repeats, query FROM vitals.n_plus_one;
SELECT count(*) > 0 AS some, bool_and(query = '<insufficient privilege>') AS hidden FROM vitals.statements WHERE username <> 'vitals_bob';
SELECT queryid FROM vitals.statements WHERE query = 'SELECT $1, $2 AS a' \gset
SELECT sum(calls) FROM vitals.histogram(:queryid);

-- whoever reads all statistics: everything
SET ROLE vitals_stats;
SELECT bool_and(query <> '<insufficient privilege>') AS all_shown FROM vitals.statements;
SELECT username, repeats FROM vitals.n_plus_one;
SELECT sum(calls) FROM vitals.histogram(:queryid);
SET ROLE vitals_monitor;
SELECT bool_and(query <> '<insufficient privilege>') AS all_shown FROM vitals.statements;
SELECT username, repeats FROM vitals.n_plus_one;
-- a membership that is not inherited gives nothing until it is taken on
SET ROLE vitals_noinherit;
SELECT bool_or(query = '<insufficient privilege>') AS hidden FROM vitals.statements;
SELECT count(*) FROM vitals.n_plus_one;

-- others' distribution is not told, nor whether there is such a statement
SET ROLE vitals_alice;
\set VERBOSITY sqlstate
SELECT sum(calls) FROM vitals.histogram(:queryid);
\set VERBOSITY default

-- vitals.info is everybody's
SELECT version, statements > 0 AS statements, executions > 0 AS executions FROM vitals.info;

-- to reset is not
SELECT vitals.reset();
SELECT vitals.reset(userid => 'vitals_alice'::regrole);
SET ROLE vitals_monitor;
SELECT vitals.reset();
RESET ROLE;
GRANT EXECUTE ON FUNCTION vitals.reset TO vitals_alice;
SET ROLE vitals_alice;
SELECT vitals.reset(userid => 'vitals_bob'::regrole) > 0 AS reset;
RESET ROLE;
SELECT count(*) FROM vitals.statements WHERE username = 'vitals_bob';
REVOKE EXECUTE ON FUNCTION vitals.reset FROM vitals_alice;

-- a function of one who may see all shows it to its caller
CREATE FUNCTION vitals_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER
	AS $$ SELECT count(*) FROM vitals.statements WHERE query = '<insufficient privilege>' $$;
SET ROLE vitals_bob;
SELECT vitals_all() AS hidden;
SELECT count(*) > 0 AS hidden FROM vitals.statements WHERE query = '<insufficient privilege>';

-- settings that steer collection are a superuser's, those of one's own warnings are one's own
SET pg_vitals.enabled = off;
SET pg_vitals.track = 'none';
SET pg_vitals.n_plus_one = off;
SET pg_vitals.ignore_applications = 'mine';
SET pg_vitals.n_plus_one_action = 'notice';
RESET pg_vitals.n_plus_one_action;

RESET ROLE;
DROP FUNCTION vitals_all;
DROP TABLE child, parent;
DROP ROLE vitals_alice, vitals_bob, vitals_monitor, vitals_stats, vitals_noinherit, vitals_group;
