-- vitals.plans: executions by statement and plan.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_plan_one;
CREATE ROLE regress_plan_reader IN ROLE pg_read_all_stats;
CREATE TABLE ware (id int, kind int, name text, flag boolean);
INSERT INTO ware SELECT g, g % 100, 'ware ' || g, g % 2 = 0 FROM generate_series(1, 10000) AS g;
ANALYZE ware;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
-- without what differs from version to version and from machine to machine
CREATE FUNCTION bare(plan text) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(regexp_replace(plan, '  \(cost=[0-9.]+ rows=[0-9]+ width=[0-9]+\)', '', 'g'), 'cost=\S+ rows=\S+', 'cost', 'g') $$;
CREATE VIEW shown AS
	SELECT calls, rows, bare(plan) AS plan FROM vitals.plans
	WHERE datname = current_database() AND query ~ 'ware' ORDER BY first_seen, plan COLLATE "C";

-- an index comes and goes: one statement, two plans; the first comes back under its own id
SELECT vitals.reset() > 0 AS reset;
SELECT count(name) FROM ware WHERE id = 1;
SELECT count(name) FROM ware WHERE id = 2;
CREATE INDEX ware_id ON ware (id);
SELECT count(name) FROM ware WHERE id = 3;
SELECT count(name) FROM ware WHERE id = 4;
SELECT count(name) FROM ware WHERE id = 5;
DROP INDEX ware_id;
SELECT count(name) FROM ware WHERE id = 6;
SELECT * FROM shown;
SELECT s.query, s.calls, p.calls AS by_plan, abs(s.total_exec_time - p.total_exec_time) < 0.001 AS time,
	s.rows = p.rows AS rows, s.shared_blks_hit + s.shared_blks_read >= p.blocks AND p.blocks > 0 AS blocks,
	s.min_exec_time = p.min_exec_time AS min, s.max_exec_time = p.max_exec_time AS max
FROM vitals.statements AS s JOIN (
	SELECT fingerprint, sum(calls) AS calls, sum(total_exec_time) AS total_exec_time, sum(rows) AS rows,
		sum(shared_blks_hit + shared_blks_read) AS blocks, min(min_exec_time) AS min_exec_time, max(max_exec_time) AS max_exec_time
	FROM vitals.plans GROUP BY 1) AS p USING (fingerprint)
WHERE s.query ~ 'ware';
-- what is planned is of the last execution
SELECT planned_rows, total_cost > startup_cost AS cost, first_seen <= last_seen AS seen, stats_since IS NOT NULL AS since,
	p50_exec_time BETWEEN min_exec_time AND max_exec_time AS p50, failures, username = current_user AS mine, toplevel
FROM vitals.plans WHERE query ~ 'ware';

-- settings
CREATE INDEX ware_id ON ware (id);
SELECT vitals.reset() > 0 AS reset;
SELECT id, kind FROM ware WHERE id < 20;
SET enable_indexscan = off;
SELECT id, kind FROM ware WHERE id < 10;
SET enable_bitmapscan = off;
SELECT id, kind FROM ware WHERE id < 5;
RESET enable_indexscan;
RESET enable_bitmapscan;
SELECT count(DISTINCT planid) AS plans, sum(calls) FROM vitals.plans WHERE query ~ 'ware';

-- constants, lists and the order of conditions are no other plan
SELECT vitals.reset() > 0 AS reset;
SELECT name FROM ware WHERE id IN (1) AND flag AND kind > 50;
SELECT name FROM ware WHERE id IN (1, 2, 3) AND flag AND kind > 1;
SELECT name FROM ware WHERE id IN (4, 5) AND flag AND kind > 100;
SELECT * FROM shown;

-- generic and custom plans are one plan
SELECT vitals.reset() > 0 AS reset;
PREPARE by_id (int) AS SELECT kind FROM ware WHERE id = $1;
SET plan_cache_mode = force_custom_plan;
EXECUTE by_id (1);
EXECUTE by_id (2);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_id (3);
EXECUTE by_id (4);
EXECUTE by_id (5);
RESET plan_cache_mode;
SELECT calls, generic_plan_calls, custom_plan_calls, bare(plan) FROM vitals.plans WHERE query ~ 'ware';
DEALLOCATE by_id;

-- every kind of node that is easy to have, and each shows what EXPLAIN shows
CREATE FUNCTION explained(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	lines text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE) ' || statement LOOP
		IF line !~ '^\s*(Output|Query Identifier):' THEN
			lines := lines || line || E'\n';
		END IF;
	END LOOP;
	RETURN rtrim(lines, E'\n');
END $$;
-- (19 shows other estimates of Memoize in its text form than in JSON)
SET enable_memoize = off;
SELECT statement AS explained, bare(explained(statement)) AS plan INTO TEMP wanted FROM (VALUES
	('SELECT kind, count(*) FROM ware GROUP BY kind HAVING count(*) > kind'),
	('SELECT a.name FROM ware AS a JOIN ware AS b ON a.kind = b.id WHERE b.flag'),
	('SELECT a.name FROM ware AS a LEFT JOIN ware AS b USING (id, kind) WHERE b.id IS NULL ORDER BY a.kind DESC, a.name'),
	('SELECT DISTINCT kind FROM ware UNION ALL SELECT id FROM ware ORDER BY kind'),
	('SELECT id FROM ware INTERSECT SELECT kind FROM ware'),
	('WITH w AS MATERIALIZED (SELECT id, kind FROM ware) SELECT a.id, b.kind FROM w AS a, w AS b WHERE a.id = b.kind'),
	('SELECT name, row_number() OVER (PARTITION BY kind ORDER BY name) FROM ware AS "odd name"'),
	('SELECT name FROM ware AS a WHERE EXISTS (SELECT FROM ware AS b WHERE b.kind = a.id)'),
	('SELECT max(id) FROM ware')) AS v (statement);
SELECT vitals.reset() > 0 AS reset;
CREATE FUNCTION run(statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN EXECUTE statement LOOP
	END LOOP;
END $$;
SET pg_vitals.track = 'all';
SELECT run(explained), run(explained) FROM wanted \g /dev/null
RESET pg_vitals.track;
SELECT w.explained, p.calls, bare(p.plan) = w.plan AS same,
	CASE WHEN bare(p.plan) IS DISTINCT FROM w.plan THEN format(E'%s\n--\n%s', w.plan, bare(p.plan)) END AS otherwise
FROM wanted AS w LEFT JOIN vitals.plans AS p ON p.query = w.explained ORDER BY w.explained COLLATE "C";
SELECT bool_and(json_typeof(plan_json -> 0 -> 'Plan') = 'object') AS json,
	bool_and(plan_json -> 0 -> 'Plan' ->> 'Total Cost' = substring(plan FROM 'cost=[0-9.]+\.\.([0-9]+\.[0-9]+) ')) AS cost
FROM vitals.plans WHERE plan IS NOT NULL;

-- no constant in it, whatever it looks like
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.track = 'all';
SELECT run(s), run(s) FROM unnest(ARRAY[
	$q$SELECT 'hunter1' FROM ware WHERE name = 'hunter2' OR name LIKE 'hunter3''%' OR name < E'hunter4\n  ->  Seq Scan on ware  (cost=hunter5'$q$,
	$q$SELECT name FROM ware WHERE id = ANY ('{31337, 31338}') AND kind <> 31339 ORDER BY name || 'hunter6', id + 31340 LIMIT 31341$q$,
	$q$SELECT name FROM ware TABLESAMPLE bernoulli (31.342) REPEATABLE (31343)$q$,
	$q$SELECT a.name FROM ware AS a, LATERAL (SELECT max(id) AS id FROM ware AS b WHERE b.id = 31346 AND b.name > a.name || 'hunter7') AS c, generate_series(31344, 31345) AS g WHERE c.id > g$q$,
	$q$SELECT * FROM (VALUES ('hunter8', 1), ('hunter9', 2)) AS v (a, b) JOIN ware ON ware.id = b AND a <> 'hunter10'$q$,
	$q$SELECT count(*) FILTER (WHERE name = 'hunter11') FROM ware GROUP BY name = 'hunter12', flag = true HAVING max(name) > 'hunter13'$q$]) AS s \g /dev/null
RESET pg_vitals.track;
SELECT count(*) FILTER (WHERE plan IS NOT NULL AND calls = 2) AS captured,
	count(*) FILTER (WHERE plan ~ 'hunter|313[34]\d|31\.342' OR plan_json::text ~ 'hunter|313[34]\d|31\.342') AS told
FROM vitals.plans WHERE query ~ 'ware' AND NOT toplevel;
SELECT bare(plan) FROM vitals.plans WHERE query ~ '^SELECT \$1 FROM ware' AND NOT toplevel;

-- EXPLAIN executes nothing, utility statements have no plan, failures count
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.track = 'all';
EXPLAIN (COSTS OFF) SELECT id FROM ware WHERE id = 1;
RESET pg_vitals.track;
VACUUM ware;
SELECT 1 / (id - 7) AS ware FROM ware WHERE id IN (7);
SELECT query, calls, failures FROM vitals.plans WHERE query ~ 'ware' AND query !~ 'vitals';

-- a plan that cannot be explained: the query does not notice, nor is it an error of anybody
SET client_min_messages = warning;
CREATE TYPE mute;
CREATE FUNCTION mute_in(cstring) RETURNS mute LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION mute_out(mute) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'shell_out';
CREATE TYPE mute (INPUT = mute_in, OUTPUT = mute_out, LIKE = int4);
RESET client_min_messages;
CREATE FUNCTION is_fine(mute) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
SELECT vitals.reset() > 0 AS reset;
\set VERBOSITY terse
EXPLAIN (COSTS OFF) SELECT count(*) AS ware FROM ware WHERE id < 5 AND is_fine('1');
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SELECT count(*) AS ware FROM ware WHERE id < 5 AND is_fine('1');
SELECT count(*) AS ware FROM ware WHERE id < 5 AND is_fine('2');
SAVEPOINT s;
SELECT count(*) AS ware FROM ware WHERE id < 5 AND is_fine('3');
ROLLBACK TO s;
SELECT count(*) AS ware FROM ware WHERE id < 5 AND is_fine('4');
COMMIT;
SELECT calls, rows, failures, plan FROM vitals.plans WHERE query ~ 'is_fine';
SELECT count(*) FROM vitals.errors;
\set VERBOSITY default

-- off and on
SET pg_vitals.track_plans = off;
SELECT vitals.reset() > 0 AS reset;
SELECT name FROM ware WHERE id = 1;
SELECT count(*) FROM vitals.plans;
SELECT calls FROM vitals.statements WHERE query ~ 'FROM ware';
RESET pg_vitals.track_plans;

-- rights
GRANT SELECT ON ware TO regress_plan_one;
SELECT vitals.reset() > 0 AS reset;
SELECT name FROM ware WHERE id = 1;
SET ROLE regress_plan_one;
SELECT name FROM ware WHERE id = 1;
SELECT username, query, calls FROM vitals.plans WHERE query ~ 'FROM ware';
SELECT count(*) FROM vitals.plan_changes;
SET ROLE regress_plan_reader;
SELECT username = 'regress_plan_one' AS ones, query, calls FROM vitals.plans WHERE query ~ 'FROM ware' ORDER BY 1;
RESET ROLE;

-- resets: of a role, a statement, a database
SELECT vitals.reset(userid => oid) > 0 AS reset FROM pg_roles WHERE rolname = 'regress_plan_one';
SELECT count(*) FROM vitals.plans WHERE username = 'regress_plan_one';
SELECT vitals.reset(queryid) AS gone FROM vitals.plans WHERE query = 'SELECT name FROM ware WHERE id = $1';
SELECT count(*) FROM vitals.plans WHERE query = 'SELECT name FROM ware WHERE id = $1';
SELECT plans > 0 AS some, plans_max, plans_evicted FROM vitals.info;
SELECT vitals.reset(dbid => oid) > 0 AS reset FROM pg_database WHERE datname = current_database();
SELECT count(*) FROM vitals.plans WHERE datname = current_database() AND query ~ 'ware';

DROP VIEW shown;
DROP FUNCTION bare, explained, run, is_fine;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP TYPE mute CASCADE;
DROP TABLE ware;
DROP ROLE regress_plan_one, regress_plan_reader;
