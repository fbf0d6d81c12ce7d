-- vitals.plan_changes: statements that moved to another plan.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE TABLE ware (id int, kind int, name text);
INSERT INTO ware SELECT g, CASE WHEN g <= 3 THEN 1 ELSE 0 END, 'ware ' || g FROM generate_series(1, 50000) AS g;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE FUNCTION do_times(statement text, times int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		EXECUTE format(statement, i);
	END LOOP;
END $$;
CREATE VIEW shown AS
	SELECT old_calls, new_calls, verdict, ratio > 1 AS slower, new_p50_exec_time > old_p50_exec_time AS median_slower,
		new_total_cost > old_total_cost AS costlier, became_generic IS TRUE AS became_generic, analyzed IS NOT NULL AS analyzed,
		substring(old_plan FROM '(Index|Seq|Bitmap)[^\n]* Scan') AS old, substring(new_plan FROM '(Index|Seq|Bitmap)[^\n]* Scan') AS new
	FROM vitals.plan_changes WHERE datname = current_database() AND query ~ 'FROM ware' AND NOT toplevel ORDER BY changed_at;
-- On a machine that stands still for a moment nothing is clear: the steps are tried again.
CREATE PROCEDURE unless_clear(step text) LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM shown WHERE verdict <> 'unclear') THEN
		EXECUTE step;
	END IF;
END $$;
CREATE FUNCTION until_clear(VARIADIC steps text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('CALL unless_clear(%L)', step)
	FROM generate_series(1, 8) AS try, unnest(steps) WITH ORDINALITY AS s (step, n) ORDER BY try, n
$$;
SET pg_vitals.track = 'all';

-- an index comes: better; it goes: worse than it was with the index, and the old plan is not a new one
SELECT vitals.reset() > 0 AS reset;
SELECT do_times('SELECT name FROM ware WHERE id = %s', 12);
SELECT * FROM shown;
CREATE INDEX ware_id ON ware (id);
\set ECHO none
SELECT until_clear('DROP INDEX ware_id', 'SELECT vitals.reset()',
	$$SELECT do_times('SELECT name FROM ware WHERE id = %s', 12)$$, 'CREATE INDEX ware_id ON ware (id)', 'ANALYZE ware',
	$$SELECT do_times('SELECT name FROM ware WHERE id = %s', 20)$$) \gexec
\set ECHO all
SELECT * FROM shown;
SELECT old_planid <> new_planid AS other, changed_at > stats_reset AS later, username = current_user AS mine, query
FROM vitals.plan_changes, vitals.info WHERE query ~ 'name FROM ware' AND NOT toplevel;
-- and what happened between the two: as the windows have it, once they have ended
SELECT vitals.close_window();
SELECT ARRAY(SELECT u FROM unnest(preceded_by) AS u ORDER BY u COLLATE "C") AS preceded_by, conf_loaded, restarted
FROM vitals.plan_changes WHERE query ~ 'name FROM ware' AND NOT toplevel;
SELECT vitals.reset() > 0 AS reset;
DROP INDEX ware_id;
\set ECHO none
SELECT until_clear('CREATE INDEX ware_id ON ware (id)', 'SELECT vitals.reset()',
	$$SELECT do_times('SELECT name FROM ware WHERE id = %s', 20)$$, 'DROP INDEX ware_id',
	$$SELECT do_times('SELECT name FROM ware WHERE id = %s', 12)$$) \gexec
\set ECHO all
SELECT * FROM shown;

-- ANALYZE alone changes it; too few executions are no proof
CREATE INDEX ware_kind ON ware (kind);
CREATE TABLE fresh (id int, ref int);
CREATE INDEX fresh_ref ON fresh (ref);
ALTER TABLE fresh SET (autovacuum_enabled = off);
INSERT INTO fresh SELECT g, 1 FROM generate_series(1, 2000) AS g;
SELECT vitals.reset() > 0 AS reset;
SELECT do_times('SELECT id FROM fresh WHERE ref = 1 AND %s > 0', 9);
ANALYZE fresh;
SELECT do_times('SELECT id FROM fresh WHERE ref = 1 AND %s > 0', 9);
SELECT old_calls, new_calls, verdict, analyzed IS NOT NULL AS analyzed, old_plan <> new_plan AS other
FROM vitals.plan_changes WHERE query ~ 'FROM fresh';

-- the same work by another plan: no verdict
SELECT vitals.reset() > 0 AS reset;
SELECT do_times('SELECT FROM ware WHERE kind = 1 AND %s > 0', 60);
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SELECT do_times('SELECT FROM ware WHERE kind = 1 AND %s > 0', 60);
SELECT count(*), bool_or(verdict = 'worse' AND ratio < 1.25 OR verdict = 'better' AND ratio > 0.8) AS cries_wolf FROM shown JOIN vitals.plan_changes USING (old_calls, verdict);
SELECT vitals.close_window();
SELECT DISTINCT u.query FROM vitals.plan_changes AS p, unnest(p.preceded_by) AS u (query) WHERE p.query ~ 'kind' AND u.query ~ 'indexscan';
RESET enable_indexscan;
RESET enable_indexonlyscan;

-- by turns, by what the parameter selects: two plans, and no change
ANALYZE ware;
SELECT vitals.reset() > 0 AS reset;
SELECT do_times('SELECT name FROM ware WHERE kind = 1 AND %s > 0', 5);
SELECT do_times('SELECT name FROM ware WHERE kind = 0 AND %s > 0', 5);
SELECT do_times('SELECT name FROM ware WHERE kind = 1 AND %s > 0', 5);
SELECT do_times('SELECT name FROM ware WHERE kind = 0 AND %s > 0', 5);
SELECT * FROM shown;
SELECT count(*), sum(calls) FROM vitals.plans WHERE query ~ '^SELECT name FROM ware';
RESET pg_vitals.track;

-- a prepared statement goes generic: whichever the parameter, the plan for most
ALTER TABLE ware ALTER kind SET (n_distinct = 1);
ANALYZE ware;
SELECT vitals.reset() > 0 AS reset;
PREPARE by_kind (int) AS SELECT count(name) FROM ware WHERE kind = $1;
SET plan_cache_mode = force_custom_plan;
EXECUTE by_kind (1);
EXECUTE by_kind (1);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_kind (1);
EXECUTE by_kind (1);
EXECUTE by_kind (1);
RESET plan_cache_mode;
SELECT old_calls, new_calls, verdict, became_generic FROM vitals.plan_changes WHERE query ~ 'FROM ware';
DEALLOCATE by_kind;

DROP FUNCTION until_clear(text[]);
DROP PROCEDURE unless_clear(text);
DROP VIEW shown;
DROP FUNCTION do_times(text, int);
DROP TABLE ware, fresh;
