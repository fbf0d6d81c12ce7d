-- vitals.misestimates: nodes whose estimates were far off, where rows were counted.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_off_one;
CREATE ROLE regress_off_reader IN ROLE pg_read_all_stats;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET enable_memoize = off;
-- a and b are always the same, which the planner does not know: it expects 1 row of 10000, and there are 100
CREATE TABLE off_item (id int PRIMARY KEY, a int, b int, name text);
INSERT INTO off_item SELECT g, g % 100, g % 100, 'item ' || g FROM generate_series(1, 10000) AS g;
CREATE TABLE off_few (id int PRIMARY KEY, item int);
INSERT INTO off_few SELECT g, g FROM generate_series(1, 100) AS g;
CREATE INDEX off_a ON off_item (a);
ANALYZE off_item, off_few;
GRANT SELECT ON off_item TO regress_off_one;
CREATE VIEW off AS
	SELECT query, node_type, relation, direction, round(estimated_rows) AS estimated, actual_rows AS actual, seen, inherited
	FROM vitals.misestimates WHERE datname = current_database() ORDER BY first_seen, node;

-- every statement is slow, and so suspected: its second execution is counted
SET pg_vitals.slow_threshold = 0;
SET enable_bitmapscan = off;
SET enable_indexscan = off;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM off_item WHERE a = 5 AND b = 5;
SELECT count(*) FROM off;
SELECT count(*) FROM off_item WHERE a = 6 AND b = 6;
SELECT * FROM off;
-- the other direction: of an expression nothing is known, it expects 50 rows
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM off_item WHERE a + b = 1000;
SELECT count(*) FROM off_item WHERE a + b = 1001;
SELECT * FROM off;
SELECT factor, worst_factor, worst_estimated_rows, worst_actual_rows, loops, m.first_seen = m.last_seen AS once, m.stats_since IS NOT NULL AS since,
	m.username = current_user AS mine, p.calls
FROM vitals.misestimates AS m JOIN vitals.plans AS p USING (dbid, userid, fingerprint, planid, query);
-- what is right is not there
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM off_item WHERE a = 5;
SELECT count(*) FROM off_item WHERE a = 6;
SELECT * FROM off;

-- LIMIT stops a scan early, which is nobody's fault
SELECT vitals.reset() > 0 AS reset;
SELECT id FROM off_item WHERE a < 50 LIMIT 2;
SELECT id FROM off_item WHERE a < 50 LIMIT 2;
SELECT * FROM off;
-- unless there were more rows than expected by then
SELECT id FROM off_item WHERE a = 5 AND b = 5 LIMIT 20 \g /dev/null
SELECT id FROM off_item WHERE a = 6 AND b = 6 LIMIT 20 \g /dev/null
SELECT * FROM off;
-- or it came to the end of them
SELECT vitals.reset() > 0 AS reset;
SELECT id FROM off_item WHERE a + b = 1000 LIMIT 45;
SELECT id FROM off_item WHERE a + b = 1001 LIMIT 45;
SELECT * FROM off;
-- what is sorted first was read to its end
SELECT vitals.reset() > 0 AS reset;
SELECT id FROM off_item WHERE a = 5 AND b = 5 ORDER BY name LIMIT 1;
SELECT id FROM off_item WHERE a = 6 AND b = 6 ORDER BY name LIMIT 1;
SELECT * FROM off;
-- EXISTS stops it, too
SELECT vitals.reset() > 0 AS reset;
SELECT EXISTS (SELECT FROM off_item WHERE a < 50);
SELECT EXISTS (SELECT FROM off_item WHERE a < 40);
SELECT * FROM off;
-- a part that is never executed says nothing
RESET enable_indexscan;
RESET enable_bitmapscan;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM off_few AS f JOIN off_item AS i ON i.a = f.item WHERE f.id + f.item = 1000;
SELECT count(*) FROM off_few AS f JOIN off_item AS i ON i.a = f.item WHERE f.id + f.item = 1000;
SELECT * FROM off;
-- estimates of the inner side of a loop are of each of its loops
SELECT count(*) FROM off_few AS f JOIN off_item AS i ON i.a = f.item WHERE f.id < 50;
SELECT count(*) FROM off_few AS f JOIN off_item AS i ON i.a = f.item WHERE f.id < 50;
SELECT * FROM off;
-- a bad estimate goes up
SELECT vitals.reset() > 0 AS reset;
SELECT count(f.*) FROM off_item AS i JOIN off_few AS f ON f.id = i.id % 100 + 1 WHERE i.a = 5 AND i.b = 5;
SELECT count(f.*) FROM off_item AS i JOIN off_few AS f ON f.id = i.id % 100 + 1 WHERE i.a = 6 AND i.b = 6;
SELECT node_type, relation, direction, actual, inherited FROM off WHERE node_type !~ 'Bitmap';
-- rows of the inner side of a merge join count as often as they are read
RESET enable_mergejoin;
SET enable_nestloop = off;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM off_item AS x JOIN off_few AS f ON x.a = f.id;
SELECT count(*) FROM off_item AS x JOIN off_few AS f ON x.a = f.id;
SELECT * FROM off;
RESET enable_nestloop;
RESET enable_hashjoin;
-- what is not run to its end is not judged
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id FROM off_item WHERE a + b = 100;
FETCH 1 FROM c \g /dev/null
CLOSE c;
DECLARE c NO SCROLL CURSOR FOR SELECT id FROM off_item WHERE a + b = 100;
FETCH 1 FROM c \g /dev/null
CLOSE c;
COMMIT;
SELECT * FROM off;

-- of a suspect, one of 32 executions is counted
SELECT vitals.reset() > 0 AS reset;
DO $$
BEGIN
	PERFORM set_config('pg_vitals.track', 'all', true);
	FOR i IN 1 .. 66 LOOP
		EXECUTE 'SELECT count(*) AS often FROM off_item WHERE a = 5 AND b = 5';
	END LOOP;
END $$;
SELECT query, seen FROM off WHERE node_type ~ 'Bitmap Heap|Seq';
-- but nothing with pg_vitals.count_rows off
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.count_rows = off;
SELECT count(*) AS off FROM off_item WHERE a = 5 AND b = 5;
SELECT count(*) AS off FROM off_item WHERE a = 6 AND b = 6;
SELECT * FROM off;
RESET pg_vitals.count_rows;
-- EXPLAIN ANALYZE has its own counts, which are used, and are as they would be
SET pg_vitals.track = 'all';
CREATE FUNCTION off_explained() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT id FROM off_item WHERE a + b = 1000 LOOP
		RETURN NEXT regexp_replace(line, '0\.00', '0');
	END LOOP;
END $$;
SELECT off_explained();
SELECT query ~ 'a [+] b' AS mine, node_type, actual FROM off;
DROP FUNCTION off_explained();
RESET pg_vitals.track;

-- reasons: without one, nothing is counted
SET pg_vitals.slow_threshold = -1;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM off_item WHERE a = 5 AND b = 5;
SELECT count(*) FROM off_item WHERE a = 5 AND b = 5;
SELECT count(*) FROM off_item WHERE a = 5 AND b = 5;
SELECT * FROM off;
-- more rows than planned
SELECT id FROM off_item, pg_sleep(0.02) WHERE a = 5 AND b = 5 \g /dev/null
SELECT id FROM off_item, pg_sleep(0.02) WHERE a = 5 AND b = 5 \g /dev/null
SELECT DISTINCT query FROM off;
-- temporary files
SELECT vitals.reset() > 0 AS reset;
SET work_mem = '64kB';
SELECT count(*) FROM (SELECT * FROM off_item WHERE a + b = b + a ORDER BY name OFFSET 0) AS s, pg_sleep(0.02);
SELECT count(*) FROM (SELECT * FROM off_item WHERE a + b = b + a ORDER BY name OFFSET 0) AS s, pg_sleep(0.02);
SELECT node_type, actual FROM off WHERE NOT inherited;
RESET work_mem;
-- a large table that is read to its end, to be filtered
SELECT vitals.reset() > 0 AS reset;
CREATE TABLE off_large AS SELECT g AS id, g % 100 AS a, g % 100 AS b, repeat('x', 800) AS pad FROM generate_series(1, 10000) AS g;
ANALYZE off_large;
SELECT count(*) FROM off_large, pg_sleep(0.02) WHERE a = 5 AND b = 5;
SELECT count(*) FROM off_large, pg_sleep(0.02) WHERE a = 6 AND b = 6;
SELECT node_type, relation, direction, actual FROM off;

-- who may see it
SELECT vitals.reset() > 0 AS reset;
GRANT SELECT ON off_large TO regress_off_one;
SET ROLE regress_off_one;
SELECT count(*) FROM off_large, pg_sleep(0.02) WHERE a = 5 AND b = 5;
SELECT count(*) FROM off_large, pg_sleep(0.02) WHERE a = 6 AND b = 6;
SELECT username, relation FROM vitals.misestimates ORDER BY relation;
RESET ROLE;
SELECT count(*) FROM off_large, pg_sleep(0.02) WHERE a + b = 1000;
SELECT count(*) FROM off_large, pg_sleep(0.02) WHERE a + b = 1000;
SET ROLE regress_off_one;
SELECT username, direction FROM vitals.misestimates;
SET ROLE regress_off_reader;
SELECT username <> 'regress_off_one' AS others, direction FROM vitals.misestimates ORDER BY 1;
RESET ROLE;
-- resets, and what vitals.info tells
SELECT misestimates, misestimates_max >= 200 AS max, misestimates_evicted FROM vitals.info;
SELECT vitals.reset(userid => 'regress_off_one'::regrole) > 0 AS reset;
SELECT direction FROM vitals.misestimates;
SELECT DISTINCT queryid FROM vitals.misestimates \gset
SELECT vitals.reset(:queryid) > 0 AS reset;
SELECT direction FROM vitals.misestimates;

RESET pg_vitals.slow_threshold;
DROP VIEW off;
DROP TABLE off_item, off_few, off_large;
DROP ROLE regress_off_one, regress_off_reader;
