-- vitals.memory: what the kernel says of each process.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;

-- one row for each process that pg_stat_activity shows
SELECT count(*) AS processes_without FROM pg_stat_activity AS a LEFT JOIN vitals.memory AS m USING (pid) WHERE m.pid IS NULL;
SELECT backend_type, username = current_user AS me, datname = current_database() AS here, state, application_name,
	   private_bytes > 100000 AS private, resident_bytes >= private_bytes AS resident,
	   peak_resident_bytes >= resident_bytes - 1048576 AS peak, swapped_bytes >= 0 AS swapped,
	   growth_since BETWEEN backend_start AND clock_timestamp() AS since
FROM vitals.memory WHERE pid = pg_backend_pid();

-- the server's own processes are nobody's
SELECT count(*) AS processes, count(username) AS username, count(datname) AS datname, count(application_name) AS application, count(state) AS state
FROM vitals.memory WHERE backend_type IN ('checkpointer', 'walwriter');

-- 32 MB more, of which there are some copies meanwhile, and less again
SELECT private_bytes + swapped_bytes AS private, growth_bytes AS growth FROM vitals.memory WHERE pid = pg_backend_pid() \gset
CREATE FUNCTION grown(size int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	block text := repeat('x', size);
	grown bigint;
BEGIN
	SELECT growth_bytes INTO grown FROM vitals.memory WHERE pid = pg_backend_pid() AND length(block) > 0;
	RETURN grown;
END $$;
SELECT (grown(32 * 1024 * 1024) - :growth) / 1048576 BETWEEN 30 AND 120 AS grown;
SELECT (growth_bytes - :growth) / 1048576 BETWEEN -10 AND 15 AS shrunk, growth_bytes - :growth = private_bytes + swapped_bytes - :private AS sum, peak_resident_bytes - resident_bytes > 20 * 1048576 AS peak
FROM vitals.memory WHERE pid = pg_backend_pid();
DROP FUNCTION grown;

-- a role sees its own
CREATE ROLE regress_me_plain;
CREATE ROLE regress_me_stats IN ROLE pg_read_all_stats;
SET ROLE regress_me_plain;
SELECT count(*) FROM vitals.memory;
SET ROLE regress_me_stats;
SELECT count(*) > 1 AS all FROM vitals.memory;
RESET ROLE;
DROP ROLE regress_me_plain, regress_me_stats;
