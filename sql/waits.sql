-- vitals.waits: where time goes, by statement, phase and wait event.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_wa_one;
CREATE ROLE regress_wa_two;
CREATE ROLE regress_wa_reader IN ROLE pg_read_all_stats;
SET application_name = 'regress waits';
-- until the worker has brought what it has seen by now: it has, when it brings this
CREATE PROCEDURE arrive() LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
BEGIN
	WHILE NOT EXISTS (SELECT FROM vitals.waits WHERE last_seen > start) LOOP
		IF clock_timestamp() > start + interval '60 s' THEN
			RAISE EXCEPTION 'nothing comes to vitals.waits';
		END IF;
	END LOOP;
END $$;
CREATE FUNCTION burn(seconds float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + seconds * interval '1 s';
BEGIN
	WHILE clock_timestamp() < deadline LOOP
	END LOOP;
END $$;
CREATE VIEW shown AS
	SELECT query, phase, wait_event_type, wait_event, backend_type, application_name
	FROM vitals.waits
	WHERE datname = current_database() AND username = current_user AND phase <> 'other'
		AND query !~ 'vitals|arrive' AND samples >= 5
	ORDER BY query COLLATE "C", phase, wait_event COLLATE "C";

-- a sleeper: the time of vitals.statements, and not more
SELECT vitals.reset() > 0 AS reset;
SELECT pg_sleep(0.4);
CALL arrive();
SELECT * FROM shown WHERE query ~ 'pg_sleep';
SELECT w.queryid = s.queryid AS queryid, w.userid = s.userid AS userid, w.dbid = s.dbid AS dbid,
	w.wait_time > 150 AND w.wait_time < s.total_exec_time + 110 AS time,
	w.wait_time_margin BETWEEN 1.959 * w.wait_time / sqrt(w.samples) AND 1.96 * w.wait_time AS margin,
	w.first_seen < w.last_seen AND w.stats_since <= w.last_seen + interval '2 s' AS seen
FROM vitals.waits AS w JOIN vitals.statements AS s USING (fingerprint)
WHERE w.query = 'SELECT pg_sleep($1)' AND w.wait_event = 'PgSleep' AND s.toplevel;

-- what burns CPU waits for nothing
SELECT burn(0.4);
CALL arrive();
SELECT * FROM shown WHERE query ~ 'burn';

-- idle in a transaction: of the statement before; idle without one: not at all
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SELECT 'last', 1 AS one;
\! sleep 0.4
CALL arrive();
COMMIT;
\! sleep 0.2
SELECT * FROM shown WHERE phase = 'idle in transaction' OR query = 'COMMIT';

-- nested: the innermost that is counted
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN PERFORM pg_sleep(0.4); END $$;
CALL arrive();
SELECT query, phase, wait_event FROM shown WHERE wait_event = 'PgSleep';
SET pg_vitals.track = 'all';
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN PERFORM pg_sleep(0.4); PERFORM burn(0.4); END $$;
RESET pg_vitals.track;
CALL arrive();
SELECT query, phase, wait_event_type FROM shown WHERE query ~ '^DO|pg_sleep|burn';
-- after it, also after an error, it is the one around it again
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.track = 'all';
DO $$
DECLARE
	deadline timestamptz;
BEGIN
	BEGIN
		PERFORM 1 / count(*) FROM pg_class WHERE oid = 0;
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
	deadline := clock_timestamp() + interval '0.4 s';
	WHILE clock_timestamp() < deadline LOOP
	END LOOP;
END $$;
RESET pg_vitals.track;
CALL arrive();
SELECT query, phase, wait_event_type FROM shown WHERE query ~ '^DO|count';
-- an error at the top leaves nothing behind
SELECT vitals.reset() > 0 AS reset;
SELECT 1 / count(*) FROM pg_class WHERE oid = 0;
SELECT burn(0.3);
CALL arrive();
SELECT query, phase, wait_event_type FROM shown WHERE query ~ 'burn|count';

-- none is counted: no statement, but the time
SET pg_vitals.track = 'none';
SELECT vitals.reset() > 0 AS reset;
SELECT pg_sleep(0.4);
RESET pg_vitals.track;
CALL arrive();
SELECT fingerprint, queryid, query, phase, wait_event, wait_time > 150 AS time
FROM vitals.waits WHERE wait_event = 'PgSleep' AND username = current_user AND datname = current_database();

-- planning
CREATE FUNCTION slow_constant() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN 1; END $$;
SELECT vitals.reset() > 0 AS reset;
SELECT slow_constant() AS planned;
CALL arrive();
SELECT query, phase, wait_event FROM shown WHERE query ~ 'planned';

-- routes
SELECT vitals.reset() > 0 AS reset;
SELECT pg_sleep(0.3) AS routed /*controller='orders',action='index'*/;
CALL arrive();
SELECT query, route, wait_event FROM vitals.waits WHERE query ~ 'routed' AND wait_event = 'PgSleep';

-- rights
SELECT vitals.reset() > 0 AS reset;
SET ROLE regress_wa_one;
SELECT pg_sleep(0.3) AS one;
RESET ROLE;
CALL arrive();
SET ROLE regress_wa_one;
SELECT query, wait_event FROM vitals.waits WHERE wait_event = 'PgSleep';
SELECT count(*) AS others FROM vitals.waits WHERE username IS DISTINCT FROM 'regress_wa_one';
SET ROLE regress_wa_two;
SELECT count(*) AS others FROM vitals.waits WHERE query ~ 'one' OR username IS DISTINCT FROM 'regress_wa_two';
SET ROLE regress_wa_reader;
SELECT query, wait_event FROM vitals.waits WHERE query ~ 'AS one';
RESET ROLE;

-- a reset of one statement leaves the others
SELECT burn(0.3);
CALL arrive();
SELECT vitals.reset((SELECT queryid FROM vitals.waits WHERE query = 'SELECT pg_sleep($1) AS one' AND wait_event = 'PgSleep')) AS reset;
SELECT query FROM vitals.waits WHERE query ~ 'AS one|burn' AND samples >= 5;

RESET application_name;
DROP VIEW shown;
DROP PROCEDURE arrive;
DROP FUNCTION burn, slow_constant;
DROP ROLE regress_wa_one, regress_wa_two, regress_wa_reader;
