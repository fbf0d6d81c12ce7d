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
SELECT sum(i.memory_bytes) <= sum(s.size) AS in_shared_memory
FROM vitals.info AS i, (SELECT sum(allocated_size) AS size FROM pg_shmem_allocations WHERE name LIKE 'pg\_vitals%') AS s;

-- what a reset resets
SELECT vitals.reset() > 200 AS reset;
SELECT statements, executions, texts_bytes < 1000 AS texts FROM vitals.info;
SELECT stats_reset <= now() AND stats_reset > now() - interval '1 hour' AS reset,
	   last_persisted IS NULL OR last_persisted <= clock_timestamp() AS persisted
FROM vitals.info;
