-- Percentiles and vitals.histogram(): the distribution of execution times.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;

SELECT vitals.reset() > 0 AS reset;
-- 50 executions of 2 ms, 8 of 20 ms, 2 of 100 ms, and how long they took at the most
CREATE TABLE took (ms float8);
SET pg_vitals.track = 'all';
DO $$ DECLARE took float8[]; started timestamptz; BEGIN
	FOR i IN 1 .. 60 LOOP
		started = clock_timestamp();
		PERFORM pg_sleep(CASE WHEN i <= 50 THEN 0.002 WHEN i <= 58 THEN 0.02 ELSE 0.1 END);
		took[i] = extract(epoch FROM clock_timestamp() - started) * 1000;
	END LOOP;
	INSERT INTO took SELECT unnest(took);
END $$;
RESET pg_vitals.track;
SELECT queryid FROM vitals.statements
WHERE query ~ '^SELECT pg_sleep' AND NOT toplevel AND datname = current_database() \gset

-- A sleep is never shorter, and on a busy machine longer.
SELECT calls, p50_exec_time BETWEEN 1.9 AND 1.05 * p[1] AS p50, p90_exec_time BETWEEN 19 AND 1.05 * p[2] AS p90,
	   p95_exec_time BETWEEN 19 AND 1.05 * p[3] AS p95, p99_exec_time BETWEEN 95 AND 1.05 * p[4] AS p99,
	   p50_exec_time >= min_exec_time AND p50_exec_time <= p90_exec_time
	   AND p90_exec_time <= p95_exec_time AND p95_exec_time <= p99_exec_time
	   AND p99_exec_time <= max_exec_time AS in_order
FROM vitals.statements,
	 (SELECT percentile_disc(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms) AS p FROM took) AS took
WHERE queryid = :queryid;
DROP TABLE took;

-- all executions are in it, in order, each bucket next to the last or further up
SELECT sum(calls) AS calls, count(*) BETWEEN 3 AND 60 AS buckets,
	   bool_and(lower_ms < upper_ms) AS bounds, bool_and(calls > 0) AS none_empty,
	   bool_and(upper_ms / lower_ms <= 1.1000001) AS fine
FROM vitals.histogram(:queryid);
SELECT bool_and(bucket > before_bucket AND lower_ms >= before_upper) AS ascending
FROM (SELECT bucket, lower_ms, lag(bucket) OVER w AS before_bucket, lag(upper_ms) OVER w AS before_upper
	  FROM vitals.histogram(:queryid) WINDOW w AS (ORDER BY bucket)) AS h;

-- the extremes and the percentiles of the view are in buckets of theirs
SELECT bool_or(s.min_exec_time >= h.lower_ms AND s.min_exec_time < h.upper_ms) AS min,
	   bool_or(s.max_exec_time >= h.lower_ms AND s.max_exec_time < h.upper_ms) AS max,
	   bool_or(s.p50_exec_time >= h.lower_ms AND s.p50_exec_time < h.upper_ms) AS p50,
	   bool_or(s.p99_exec_time >= h.lower_ms AND s.p99_exec_time <= h.upper_ms) AS p99
FROM vitals.statements AS s, vitals.histogram(:queryid) AS h
WHERE s.queryid = :queryid;

-- the percentile of the view is what the buckets say: nearest rank, within 5 %
WITH h AS (SELECT *, sum(calls) OVER (ORDER BY bucket) AS seen, sum(calls) OVER () AS total
		   FROM vitals.histogram(:queryid)),
	 b AS (SELECT q, min(lower_ms) AS lower_ms, min(upper_ms) AS upper_ms
		   FROM h, (VALUES (0.5), (0.9), (0.95), (0.99)) AS p (q)
		   WHERE seen >= ceil(q * total) GROUP BY q)
SELECT b.q, v.value BETWEEN b.lower_ms AND b.upper_ms AS agrees
FROM b, vitals.statements AS s,
	 LATERAL (VALUES (0.5, s.p50_exec_time), (0.9, s.p90_exec_time),
			  (0.95, s.p95_exec_time), (0.99, s.p99_exec_time)) AS v (q, value)
WHERE s.queryid = :queryid AND v.q = b.q ORDER BY b.q;

-- the buckets as they are: ten to each doubling, from 1 us on, the first below it
SELECT vitals.reset() > 0 AS reset;
CREATE TABLE bound AS
SELECT bucket, lower_ms, upper_ms
FROM vitals.statements AS s, vitals.histogram(s.queryid)
WHERE s.queryid IS NOT NULL LIMIT 0;
DO $$ DECLARE q bigint; BEGIN
	FOR i IN 1 .. 20 LOOP
		PERFORM count(*) FROM generate_series(1, 10 * i * i);
	END LOOP;
	FOR q IN SELECT queryid FROM vitals.statements WHERE queryid IS NOT NULL AND calls > 0 LOOP
		INSERT INTO bound SELECT bucket, lower_ms, upper_ms FROM vitals.histogram(q);
	END LOOP;
END $$;
SELECT count(*) > 0 AS some,
	   bool_and(bucket BETWEEN 0 AND 363) AS numbers,
	   bool_and(abs(lower_ms - CASE WHEN bucket = 0 THEN 0
				ELSE 0.001 * 2 ^ ((bucket - 1) / 10) * (1 + (bucket - 1) % 10 / 10.0) END)
				<= 1e-9 * lower_ms) AS lower,
	   bool_and(abs(upper_ms - 0.001 * 2 ^ (bucket / 10) * (1 + bucket % 10 / 10.0)) <= 1e-9 * upper_ms) AS upper
FROM bound;
DROP TABLE bound;

-- one execution is all percentiles at once
SELECT vitals.reset() > 0 AS reset;
SELECT pg_sleep(0.003), 'once';
SELECT calls, min_exec_time = max_exec_time AS one,
	   p50_exec_time = min_exec_time AND p99_exec_time = min_exec_time AS exact, stddev_exec_time
FROM vitals.statements WHERE query = 'SELECT pg_sleep($1), $2';

-- planned and not executed: no percentiles
SELECT calls, plans, p50_exec_time, p99_exec_time FROM vitals.statements
WHERE query ~ '^SELECT calls, plans, p50_exec_time' AND calls = 0;

-- all roles and databases of a queryid are in one histogram
SELECT vitals.reset() > 0 AS reset;
CREATE ROLE vitals_second;
SELECT 'shared', 1, 2.0;
SET ROLE vitals_second;
SELECT 'shared', 1, 2.0;
SELECT 'shared', 1, 2.0;
RESET ROLE;
SELECT count(*) AS rows, sum(s.calls) AS calls, max(h.calls) AS in_histogram
FROM vitals.statements AS s,
	 LATERAL (SELECT sum(h.calls) AS calls FROM vitals.histogram(s.queryid) AS h) AS h
WHERE s.query = 'SELECT $1, $2, $3';
DROP ROLE vitals_second;

-- no such statement
SELECT * FROM vitals.histogram(NULL);
SELECT * FROM vitals.histogram(42);
SELECT * FROM vitals.histogram(0);
