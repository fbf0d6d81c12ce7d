-- vitals.slow_statements: executions over pg_vitals.slow_threshold, one by one.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_slow_one;
CREATE ROLE regress_slow_two;
CREATE ROLE regress_slow_reader IN ROLE pg_read_all_stats;
CREATE TABLE slow_item (id int PRIMARY KEY, kind int, name text);
INSERT INTO slow_item SELECT g, g % 10, 'item ' || g FROM generate_series(1, 1000) AS g;
ANALYZE slow_item;
GRANT SELECT ON slow_item TO regress_slow_one, regress_slow_two;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE VIEW slow AS
	SELECT * FROM vitals.slow_statements WHERE datname = current_database() AND pid = pg_backend_pid();
GRANT SELECT ON slow TO PUBLIC;

-- nothing is slow by itself
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM slow_item WHERE kind = 3;
SELECT count(*) FROM slow;
-- -1: nothing at all; 0: everything, utility statements included
SET pg_vitals.slow_threshold = -1;
SELECT pg_sleep(0.02);
SELECT count(*) FROM slow;
SET pg_vitals.slow_threshold = 0;
/*controller='items',action='index'*/ SELECT name FROM slow_item WHERE kind = 3 AND id < 50;
SELECT name FROM slow_item WHERE kind = 4 AND id < 30;
CREATE TABLE slow_new AS SELECT * FROM slow_item;
UPDATE slow_new SET kind = kind + 1 WHERE id <= 100;
SELECT 1 / (kind - kind) AS fails FROM slow_item;
DROP TABLE slow_missing;
SET pg_vitals.slow_threshold = -1;
SELECT query, rows, sqlstate, route, toplevel, planid IS NOT NULL AS has_plan, plan_time IS NOT NULL AS has_plan_time
FROM slow ORDER BY ended_at;
-- in the order of their ends; each took the time from its start to its end
SELECT count(*), bool_and(started_at <= ended_at) AS ends,
	bool_and(abs(extract(epoch FROM ended_at - started_at) * 1000 - exec_time) < 100) AS times,
	bool_and(exec_time >= 0 AND coalesce(plan_time, 0) >= 0) AS sane,
	bool_and(shared_blks_hit + shared_blks_read > 0) FILTER (WHERE query ~ 'UPDATE|FROM slow_item WHERE') AS blocks,
	bool_and(wal_bytes > 0) FILTER (WHERE query ~ 'UPDATE') AS wal,
	bool_and(wal_bytes = 0) FILTER (WHERE query ~ '^SELECT') AS no_wal,
	bool_and(username = current_user AND application_name = current_setting('application_name')) AS mine
FROM slow;
-- they are the same as in the other views
SELECT count(*) AS same FROM slow AS s JOIN vitals.statements AS t USING (dbid, userid, fingerprint, queryid, toplevel, query)
WHERE s.query ~ 'UPDATE' AND t.calls = 1 AND abs(t.total_exec_time - s.exec_time) < 0.001 AND t.rows = s.rows
  -- which have the blocks of its planning, too
  AND t.shared_blks_hit + t.shared_blks_read >= s.shared_blks_hit + s.shared_blks_read
  AND t.shared_blks_dirtied >= s.shared_blks_dirtied AND t.wal_bytes >= s.wal_bytes;
SELECT count(*) AS same FROM slow AS s JOIN vitals.plans AS p USING (dbid, userid, fingerprint, planid)
WHERE s.query ~ 'UPDATE' AND s.plan = p.plan AND NOT s.rows_counted;

-- the second execution of what was slow has its rows counted, and no constants are in its plan
CREATE FUNCTION bare(plan text) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(regexp_replace(plan, '  \(cost=[0-9.]+ rows=[0-9]+ width=[0-9]+\)|\s+Index Searches: 1', '', 'g'), 'rows=([0-9]+)\.00', 'rows=\1', 'g') $$;
SELECT rows_counted, bare(plan) FROM slow WHERE query ~ 'name FROM slow_item' ORDER BY ended_at;
SELECT plan_json -> 0 -> 'Plan' ->> 'Node Type' AS node, (plan_json -> 0 -> 'Plan' ->> 'Actual Rows')::float AS actual
FROM slow WHERE rows_counted AND query ~ 'name FROM slow_item';

-- parameters: types and lengths; values if a superuser has switched that on
SELECT vitals.reset() > 0 AS reset;
PREPARE by_name (int, text, numeric, text) AS
	SELECT count(*) FROM slow_item WHERE id > $1 AND name <> $2 AND id <> $3 AND name <> coalesce($4, '');
SET pg_vitals.slow_threshold = 0;
EXECUTE by_name (5, 'a secret', 1.5, NULL);
SET pg_vitals.slow_parameters = on;
EXECUTE by_name (5, 'a secret', 1.5, NULL);
SET pg_vitals.slow_parameters = off;
SET pg_vitals.slow_threshold = -1;
SELECT parameter_count, parameters, parameter_values FROM slow WHERE query ~ 'name' ORDER BY ended_at;
SELECT count(*) AS leaks FROM slow WHERE (to_jsonb(slow) - 'parameter_values')::text ~ 'secret';
DEALLOCATE by_name;

-- nested statements, if they are counted
SELECT vitals.reset() > 0 AS reset;
CREATE FUNCTION slow_nested(i int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM slow_item WHERE kind = i);
END $$;
SET pg_vitals.track = 'all';
SET pg_vitals.slow_threshold = 0;
/*controller='nested',action='run'*/ SELECT slow_nested(5);
SET pg_vitals.slow_threshold = -1;
RESET pg_vitals.track;
SELECT query, toplevel, route, plan_time IS NULL AS no_plan_time, waits IS NULL AS no_waits
FROM slow WHERE query ~ 'slow_nested|kind' ORDER BY ended_at;

-- cursors are one execution, recorded at their end
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SET LOCAL pg_vitals.track = 'all';
SET LOCAL pg_vitals.slow_threshold = 0;
DECLARE c CURSOR FOR SELECT id FROM slow_item ORDER BY id;
FETCH 2 FROM c;
FETCH 3 FROM c;
CLOSE c;
COMMIT;
SELECT query, rows FROM slow WHERE query ~ 'ORDER BY id' OR query ~ '^FETCH' ORDER BY rows DESC, query COLLATE "C";

-- what was waited for
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.slow_threshold = 100;
SELECT pg_sleep(0.3);
SET pg_vitals.slow_threshold = -1;
SELECT w ->> 'wait_event_type' AS type, w ->> 'wait_event' AS event, (w ->> 'samples')::int > 0 AS samples,
	(w ->> 'wait_time')::float BETWEEN 50 AND 1000 AS time
FROM slow, json_array_elements(waits) WITH ORDINALITY AS e (w, n) WHERE query = 'SELECT pg_sleep($1)' AND n = 1;

-- who may see it: the role, and members of pg_read_all_stats; values not the latter
SELECT vitals.reset() > 0 AS reset;
SET ROLE regress_slow_one;
SET pg_vitals.slow_threshold = 0;
SET pg_vitals.slow_parameters = on;
RESET ROLE;
SET pg_vitals.slow_threshold = 0;
SET pg_vitals.slow_parameters = on;
PREPARE one (text) AS SELECT count(*) FROM slow_item WHERE name = $1;
SET ROLE regress_slow_one;
EXECUTE one ('private');
RESET ROLE;
SET pg_vitals.slow_threshold = -1;
SET pg_vitals.slow_parameters = off;
SET ROLE regress_slow_one;
SELECT query, parameter_values FROM slow;
SET ROLE regress_slow_two;
SELECT query, parameter_values FROM slow;
SELECT count(*) FROM vitals._slow_statements();
SET ROLE regress_slow_reader;
SELECT query, parameter_values FROM slow WHERE username = 'regress_slow_one';
RESET ROLE;
SELECT query, parameter_values FROM slow WHERE username = 'regress_slow_one';
DEALLOCATE one;

-- resets: by statement, by role, all
SET pg_vitals.slow_threshold = 0;
SELECT count(*) AS one FROM slow_item;
SELECT count(*) AS two FROM slow_item WHERE id = 3;
SET pg_vitals.slow_threshold = -1;
SELECT queryid FROM slow WHERE query ~ 'AS one' \gset
SELECT vitals.reset(:queryid) > 0 AS reset;
SELECT query FROM slow WHERE query ~ 'count' ORDER BY ended_at;
SELECT vitals.reset(userid => 'regress_slow_one'::regrole) > 0 AS reset;
SELECT query FROM slow WHERE query ~ 'count' ORDER BY ended_at;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM slow;

RESET pg_vitals.slow_threshold;
DROP FUNCTION slow_nested, bare;
DROP VIEW slow;
DROP TABLE slow_item, slow_new;
DROP ROLE regress_slow_one, regress_slow_two, regress_slow_reader;
