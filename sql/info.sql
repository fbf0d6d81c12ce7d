-- vitals.info: what the extension says of itself.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;

SELECT vitals.reset() > 0 AS reset;
SELECT count(*) AS one_row FROM vitals.info;
SELECT i.version = e.extversion AS same_version,
	   i.statements_max = current_setting('pg_vitals.max_statements')::bigint AS statements_max
FROM vitals.info AS i, pg_extension AS e WHERE e.extname = 'pg_vitals';

-- statements and executions are those of vitals.statements
SELECT vitals.reset() > 0 AS reset;
SELECT 1;
SELECT 2;
SELECT 'a', 3;
SELECT i.executions, i.statements, s.executions AS in_view, s.statements AS rows_in_view
FROM vitals.info AS i, (SELECT sum(calls) AS executions, count(*) AS statements FROM vitals.statements) AS s;

-- memory: what is reserved, whatever is in it
SELECT memory_bytes AS before, texts_bytes AS texts_before FROM vitals.info \gset
DO $$ BEGIN
	FOR i IN 1 .. 200 LOOP
		EXECUTE format('WITH q_%s AS (SELECT 1) SELECT FROM q_%s', i, i);
	END LOOP;
END $$;
SET pg_vitals.track = 'all';
DO $$ BEGIN
	FOR i IN 1 .. 200 LOOP
		EXECUTE format('WITH q_%s AS (SELECT 1) SELECT FROM q_%s', i, i);
	END LOOP;
END $$;
RESET pg_vitals.track;
SELECT memory_bytes = :before AS same, memory_bytes > 1000000 AS real,
	   texts_bytes - :texts_before BETWEEN 200 * 30 AND 200 * 200 AS texts, texts_dropped
FROM vitals.info;
-- all that the server has given, which rounds each piece up to 128 bytes
SELECT s.size - i.memory_bytes BETWEEN 0 AND 128 * s.pieces AS as_announced
FROM vitals.info AS i,
	(SELECT sum(allocated_size) AS size, count(*) AS pieces FROM pg_shmem_allocations WHERE name LIKE 'pg\_vitals%') AS s;

SELECT memory_used_bytes < memory_bytes AS within,
	   memory_used_bytes > texts_bytes + 500 * (statements + findings + routes + errors + waits) AS rows_and_texts
FROM vitals.info;

-- of every 128 statements of the client one is timed, whichever they are
SELECT executions_sampled AS sampled, hook_time AS hook_time, clock_timestamp() AS start FROM vitals.info \gset
\set ECHO none
\o /dev/null
SELECT CASE i % 4 WHEN 1 THEN 'BEGIN' WHEN 2 THEN 'SELECT 1' WHEN 3 THEN 'EXPLAIN SELECT 1' ELSE 'COMMIT' END
FROM generate_series(1, 1280) AS i \gexec
\o
\set ECHO all
SELECT executions_sampled - :sampled BETWEEN 9 AND 11 AS sampled, hook_time > :hook_time AS takes_time,
	   (hook_time - :hook_time) / 128 < extract(epoch FROM clock_timestamp() - :'start') * 1000 AS within_elapsed
FROM vitals.info;

-- what is not counted is not timed, nor is what nested statements take
SET pg_vitals.enabled = off;
SELECT executions_sampled AS sampled, hook_time AS hook_time FROM vitals.info \gset
\set ECHO none
\o /dev/null
SELECT 'SELECT 1' FROM generate_series(1, 300) \gexec
\o
\set ECHO all
SELECT executions_sampled - :sampled AS sampled, hook_time - :hook_time AS hook_time FROM vitals.info;
RESET pg_vitals.enabled;
SELECT executions_sampled AS sampled FROM vitals.info \gset
SET pg_vitals.track = 'all';
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP PERFORM 1; END LOOP; END $$;
RESET pg_vitals.track;
SELECT executions_sampled - :sampled <= 2 AS sampled FROM vitals.info;

-- what a reset resets
SELECT vitals.reset() > 200 AS reset;
SELECT statements, executions, coverage, texts_bytes < 1000 AS texts, executions_sampled <= 1 AS sampled, refused <= evictions AS refused
FROM vitals.info;
SELECT stats_reset <= now() AND stats_reset > now() - interval '1 hour' AS reset,
	   last_persisted IS NULL OR last_persisted <= clock_timestamp() AS persisted
FROM vitals.info;
