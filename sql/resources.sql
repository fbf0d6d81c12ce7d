-- vitals.resources: CPU, kernel I/O and memory of statements.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_rs_one;
CREATE ROLE regress_rs_two;
CREATE ROLE regress_rs_reader IN ROLE pg_read_all_stats;
CREATE TABLE rs_big AS SELECT g AS id, md5(g::text) AS name FROM generate_series(1, 50000) AS g;
ANALYZE rs_big;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE VIEW rs_shown AS
	SELECT * FROM vitals.resources WHERE datname = current_database() AND toplevel;

-- what takes long is measured each time; then the sums are of all there was
SET pg_vitals.max_overhead = 100;
SELECT count(*) FROM (SELECT name FROM rs_big ORDER BY name OFFSET 0) AS sorted;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM (SELECT name FROM rs_big ORDER BY name OFFSET 0) AS sorted;
SELECT count(*) FROM (SELECT name FROM rs_big ORDER BY name OFFSET 0) AS sorted;
SELECT count(*) FROM (SELECT name FROM rs_big ORDER BY name OFFSET 0) AS sorted;
SELECT r.measured = s.calls + s.plans AS all_measured, r.measured = r.measured_of AS exact, r.cpu_time_margin,
	   abs(r.elapsed_time - s.total_plan_time - s.total_exec_time) < 0.001 AS elapsed,
	   r.cpu_time BETWEEN 1 AND r.elapsed_time * 1.000001 AS cpu, abs(r.cpu_time - r.user_time - r.system_time) < 0.001 AS split,
	   r.self_cpu_time = r.cpu_time AS self
FROM rs_shown AS r JOIN vitals.statements AS s USING (dbid, userid, fingerprint, toplevel)
WHERE r.query ~ '^SELECT count.*FROM rs_big';

-- memory: of the sort, which has all rows in memory or less than work_mem
SELECT mean_memory_bytes BETWEEN 100000 AND max_memory_bytes AS mean, max_memory_bytes < 64 * 1024 * 1024 AS max,
	   p50_memory_bytes BETWEEN mean_memory_bytes / 1.2 AND mean_memory_bytes * 1.2 AS p50, p99_memory_bytes <= max_memory_bytes AS p99
FROM rs_shown WHERE query ~ '^SELECT count.*FROM rs_big';
SELECT vitals.reset() > 0 AS reset;
SELECT 1 AS little;
SET work_mem = '64MB';
SELECT count(*) FROM (SELECT name FROM rs_big ORDER BY name OFFSET 0) AS sorted;
RESET work_mem;
SELECT (SELECT max_memory_bytes FROM rs_shown WHERE query ~ '^SELECT count.*FROM rs_big') > 3000000 AS sorts_in_memory,
	   (SELECT max_memory_bytes FROM rs_shown WHERE query ~ '^SELECT .1 AS little') < 100000 AS holds_little;

-- waiting is no work
SELECT vitals.reset() > 0 AS reset;
SELECT pg_sleep(0.2);
SELECT elapsed_time BETWEEN 200 AND 5000 AS elapsed, cpu_time < 50 AS idle, voluntary_switches > 0 AS waits
FROM rs_shown WHERE query ~ 'pg_sleep';

-- a failed execution has used what it has used
SELECT vitals.reset() > 0 AS reset;
SELECT sum(1 / (id - 40000)) FROM rs_big;
SELECT measured >= 1 AS measured, elapsed_time > 0 AS elapsed, cpu_time > 0 AS cpu FROM rs_shown WHERE query ~ 'sum';

-- nested statements: what they take is not their caller's own
SET pg_vitals.track = 'all';
CREATE FUNCTION rs_outer() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT count(*) FROM (SELECT name FROM rs_big ORDER BY name COLLATE "C" OFFSET 0) AS s); END $$;
SELECT rs_outer();
SELECT vitals.reset() > 0 AS reset;
SELECT rs_outer();
SELECT o.cpu_time >= i.cpu_time AS total, o.self_cpu_time < o.cpu_time / 2 AS self, i.self_cpu_time = i.cpu_time AS inner_self,
	   o.elapsed_time >= i.elapsed_time AS elapsed, o.self_elapsed_time < o.elapsed_time / 2 AS self_elapsed
FROM vitals.resources AS o, vitals.resources AS i
WHERE o.query ~ '^SELECT rs_outer' AND NOT i.toplevel AND i.query ~ 'rs_big';
RESET pg_vitals.track;

-- what is short is measured by chance, and the estimate is not far off
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.max_overhead = 2;
SET pg_vitals.track = 'all';
DO $$ BEGIN FOR i IN 1..30000 LOOP PERFORM FROM rs_big WHERE id = i LIMIT 0; END LOOP; END $$;
RESET pg_vitals.track;
SELECT r.measured < 10000 AS sampled, r.measured_of / (s.calls + s.plans) BETWEEN 0.5 AND 2 AS estimate,
	   r.cpu_time <= r.elapsed_time * 1.000001 AS cpu, r.cpu_time_margin > 0 AS margin
FROM vitals.resources AS r JOIN vitals.statements AS s USING (dbid, userid, fingerprint, toplevel)
WHERE r.query ~ 'LIMIT' AND NOT r.toplevel;
RESET pg_vitals.max_overhead;

-- parallel workers: their CPU time is beside the leader's
SELECT vitals.reset() > 0 AS reset;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT sum(length(repeat(name, 20))) AS parallel FROM rs_big;
SELECT workers_cpu_time > 1 AS workers, cpu_time <= elapsed_time * 1.000001 AS cpu
FROM rs_shown WHERE query ~ '^SELECT sum.* AS parallel';
SET max_parallel_workers_per_gather = 0;

-- nor are they charged to what their leader did before, when it does what is not counted
SELECT vitals.reset() > 0 AS reset;
SET max_parallel_workers_per_gather = 2;
SET pg_vitals.track = 'none';
SELECT sum(length(repeat(name, 20))) AS parallel FROM rs_big;
RESET pg_vitals.track;
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM vitals.resources WHERE workers_cpu_time > 0;

-- off, nothing is measured
SELECT vitals.reset() > 0 AS reset;
SET pg_vitals.track_resources = off;
SELECT count(*) FROM rs_big;
RESET pg_vitals.track_resources;
SELECT count(*) FROM rs_shown WHERE query ~ 'count.*FROM rs_big';

-- a role sees its own
SET pg_vitals.max_overhead = 100;
GRANT SELECT ON rs_big TO regress_rs_one, regress_rs_two;
SELECT vitals.reset() > 0 AS reset;
SET ROLE regress_rs_one;
SELECT count(*) AS one FROM rs_big;
SELECT count(*) FROM vitals.resources WHERE query ~ ' one ';
SELECT count(*) FROM vitals.resources WHERE username IS DISTINCT FROM current_user;
SET ROLE regress_rs_two;
SELECT count(*) FROM vitals.resources WHERE query ~ ' one ';
SET ROLE regress_rs_reader;
SELECT username, count(*) FROM vitals.resources WHERE query ~ ' one FROM' GROUP BY 1;
RESET ROLE;
RESET pg_vitals.max_overhead;

-- they go with their statement
SELECT vitals.reset(queryid) AS gone FROM rs_shown WHERE query ~ ' one FROM';
SELECT count(*) FROM rs_shown WHERE query ~ ' one FROM';
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) FROM vitals.resources WHERE query ~ 'rs_big';

DROP VIEW rs_shown;
DROP FUNCTION rs_outer();
DROP TABLE rs_big;
DROP ROLE regress_rs_one;
DROP ROLE regress_rs_two;
DROP ROLE regress_rs_reader;
