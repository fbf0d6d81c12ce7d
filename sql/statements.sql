-- vitals.statements: which executions are counted, and what of them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE TABLE item (id int PRIMARY KEY, grp int, name text);
CREATE FUNCTION pg_temp.shown(OUT calls bigint, OUT plans bigint, OUT rows bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT calls, plans, rows, query FROM vitals.statements
	WHERE datname = current_database() AND toplevel AND query !~ 'vitals|pg_temp'
	ORDER BY query COLLATE "C"
$$;

-- reading and writing
SELECT vitals.reset() > 0 AS reset;
INSERT INTO item SELECT g, g % 10, 'item ' || g FROM generate_series(1, 100) AS g;
INSERT INTO item VALUES (101, 1, 'a'), (102, 2, 'b') RETURNING id;
INSERT INTO item VALUES (101, 1, 'a') ON CONFLICT DO NOTHING;
SELECT count(*) FROM item;
SELECT name FROM item WHERE id = 1;
SELECT name FROM item WHERE id = 2;
SELECT name FROM item WHERE id = 1000;
UPDATE item SET name = 'x' WHERE grp = 3;
DELETE FROM item WHERE id > 95;
MERGE INTO item AS i USING generate_series(1, 5) AS g ON i.id = g
	WHEN MATCHED AND g = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET name = 'merged' WHEN NOT MATCHED THEN DO NOTHING;
WITH d AS (DELETE FROM item WHERE id < 5 RETURNING id) SELECT id FROM d ORDER BY id;
TABLE item LIMIT 0;
VALUES (1), (2);
SELECT * FROM pg_temp.shown();

-- utility statements
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SAVEPOINT one;
ROLLBACK TO one;
RELEASE one;
COMMIT;
CREATE TABLE other AS SELECT * FROM item WHERE id <= 10;
SELECT * INTO another FROM item WHERE id <= 8;
CREATE MATERIALIZED VIEW mat AS SELECT grp FROM item GROUP BY grp;
REFRESH MATERIALIZED VIEW mat;
COPY (SELECT id FROM item WHERE id < 8 ORDER BY id) TO STDOUT;
COPY other (id, name) FROM STDIN;
1000	a
1001	b
\.
ALTER TABLE other ADD COLUMN extra int;
TRUNCATE other;
ANALYZE item;
SET work_mem = '4MB';
SHOW work_mem;
RESET work_mem;
DROP TABLE other, another;
SELECT * FROM pg_temp.shown();

-- prepared statements: charged to what they execute
SELECT vitals.reset() > 0 AS reset;
PREPARE by_id (int) AS SELECT name FROM item WHERE id = $1;
EXECUTE by_id(10);
EXECUTE by_id(11);
PREPARE rename (int, text) AS UPDATE item SET name = $2 WHERE id = $1;
EXECUTE rename(10, 'ten');
SELECT calls, rows, query FROM pg_temp.shown();
-- once the plan is a generic one, it is not made again
SET plan_cache_mode = force_generic_plan;
PREPARE generic (int) AS SELECT id FROM item WHERE grp = $1 ORDER BY id;
EXECUTE generic(3);
EXECUTE generic(4);
EXECUTE generic(5);
RESET plan_cache_mode;
SELECT calls, plans, rows, query FROM pg_temp.shown() WHERE query ~ 'grp';

-- several in one string: each has its own text
SELECT vitals.reset() > 0 AS reset;
SELECT 1 AS one \; SELECT 'two', 2 \; DELETE FROM item WHERE id = -1;
SELECT 1 + 1 AS one /* ; */ \; ; SELECT grp FROM item WHERE id = 20 -- the end
;
SELECT * FROM pg_temp.shown();

-- who and where
SELECT vitals.reset() > 0 AS reset;
CREATE ROLE vitals_other;
GRANT SELECT ON item TO vitals_other;
SELECT count(id) FROM item;
SET ROLE vitals_other;
SELECT count(id) FROM item;
SELECT count(id) FROM item;
RESET ROLE;
SELECT calls, username = current_user AS mine, userid = username::regrole AS same_role,
	   datname = current_database() AS here, toplevel
FROM vitals.statements WHERE query = 'SELECT count(id) FROM item' ORDER BY calls;
DROP OWNED BY vitals_other;
DROP ROLE vitals_other;
-- of a role that is gone the statistics stay
SELECT calls, username = current_user AS mine FROM vitals.statements WHERE query = 'SELECT count(id) FROM item' ORDER BY calls;

-- the server's identifier is the one of pg_stat_activity
SELECT vitals.reset() > 0 AS reset;
SELECT query_id AS activity_id FROM pg_stat_activity WHERE pid = pg_backend_pid() \gset
SELECT queryid = :activity_id AS same FROM vitals.statements WHERE query ~ '^SELECT query_id AS';
-- without it there is still a fingerprint, the same one
SELECT fingerprint AS with_id FROM vitals.statements WHERE query ~ '^SELECT query_id AS' \gset
SET compute_query_id = off;
SELECT vitals.reset() > 0 AS reset;
SELECT query_id AS activity_id FROM pg_stat_activity WHERE pid = pg_backend_pid() \gset
SELECT 'no id' AS without_id;
SELECT 'no id' AS without_id;
SELECT calls, queryid, query FROM vitals.statements WHERE query ~ 'without_id';
SELECT fingerprint = :with_id AS same FROM vitals.statements WHERE query ~ '^SELECT query_id AS';
RESET compute_query_id;

-- times
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN PERFORM pg_sleep(0.01); END $$;
SELECT pg_sleep(0.1);
SELECT pg_sleep(0.2);
SELECT pg_sleep(0.1);
SELECT calls,
	   total_exec_time BETWEEN 400 AND 4000 AS total,
	   min_exec_time BETWEEN 100 AND 1000 AS min,
	   max_exec_time BETWEEN 200 AND 2000 AS max,
	   abs(mean_exec_time - total_exec_time / 3) < 0.001 AS mean,
	   stddev_exec_time BETWEEN 10 AND 1000 AS stddev,
	   min_exec_time <= p50_exec_time AND p50_exec_time <= p90_exec_time
	   AND p90_exec_time <= p95_exec_time AND p95_exec_time <= p99_exec_time
	   AND p99_exec_time <= max_exec_time AS percentiles,
	   plans, total_plan_time > 0 AS planned, min_plan_time <= mean_plan_time AND mean_plan_time <= max_plan_time AS plan_times
FROM vitals.statements WHERE query = 'SELECT pg_sleep($1)' AND toplevel;
BEGIN;
SELECT 'seen' AS seen;
SELECT first_seen BETWEEN now() AND clock_timestamp() AS first, last_seen >= first_seen AS last
FROM vitals.statements WHERE query = 'SELECT $1 AS seen';
SELECT 'seen' AS seen;
SELECT last_seen > first_seen AS later FROM vitals.statements WHERE query = 'SELECT $1 AS seen';
COMMIT;

-- blocks and WAL
SELECT vitals.reset() > 0 AS reset;
CREATE TABLE block (id int, filler text);
INSERT INTO block SELECT g, repeat('x', 1000) FROM generate_series(1, 1000) AS g;
SELECT count(*) FROM block;
SELECT count(*) FROM block;
CREATE TEMP TABLE local_block AS SELECT * FROM block;
SELECT count(filler) FROM local_block;
SET work_mem = '64kB';
SELECT count(*) FROM (SELECT filler FROM block ORDER BY filler, id OFFSET 0) AS sorted;
RESET work_mem;
SELECT s.query,
	   s.shared_blks_hit + s.shared_blks_read >= 2 * pg_relation_size('block') / 8192 AS scanned
FROM vitals.statements AS s
WHERE s.query = 'SELECT count(*) FROM block';
SELECT wal_records >= 1000 AS records, wal_bytes > 1000000 AS bytes, shared_blks_dirtied > 100 AS dirtied
FROM vitals.statements WHERE query ~ '^INSERT INTO block';
SELECT local_blks_hit + local_blks_read >= pg_relation_size('local_block') / 8192 AS local, shared_blks_dirtied
FROM vitals.statements WHERE query = 'SELECT count(filler) FROM local_block';
SELECT temp_blks_written > 0 AS written, temp_blks_read > 0 AS read
FROM vitals.statements WHERE query ~ 'AS sorted$';
SELECT 'nothing' AS nothing;
SELECT wal_records, wal_fpi, wal_bytes, temp_blks_written, local_blks_hit
FROM vitals.statements WHERE query = 'SELECT $1 AS nothing';

-- to the nanosecond, without the noise of adding up
SELECT count(*) >= 50 AS many, count(*) FILTER (WHERE ms <> round(ms::numeric, 6)::double precision) AS noise
FROM (SELECT unnest(ARRAY[total_exec_time, mean_exec_time, stddev_exec_time, p95_exec_time, total_plan_time]) AS ms
	  FROM vitals.statements WHERE calls > 0) AS s;

DROP MATERIALIZED VIEW mat;
DROP TABLE item, block, local_block;
