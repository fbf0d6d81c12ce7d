-- vitals.health: indicators, limits and states; who sees what.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;

-- with a window to look at
SELECT vitals.close_window();
SELECT vitals.close_window();
SELECT indicator, unit, worse, warning_limit, critical_limit FROM vitals.health;
-- a value, or why there is none
SELECT indicator FROM vitals.health WHERE (value IS NULL) <> (reason IS NOT NULL) OR (value IS NULL) <> (state = 'unknown');
SELECT indicator, reason FROM vitals.health
WHERE value IS NULL AND indicator NOT IN ('own_overhead', 'cache_hit_ratio');

-- limits: of those that are named, the others keep theirs
SET pg_vitals.health_limits = 'p95_exec_time = 10ms : 2s, cache_hit_ratio=90:, error_rate = :50 ,replication_lag_bytes=1MB:1GB, lock_waits=:';
SELECT indicator, warning_limit, critical_limit FROM vitals.health
WHERE indicator IN ('p95_exec_time', 'p99_exec_time', 'cache_hit_ratio', 'error_rate', 'replication_lag_bytes', 'lock_waits');

-- states: connections_used is above 0, and not above 100
SET pg_vitals.health_limits = 'connections_used = 100 : 100';
SELECT state, value > 0 AS some FROM vitals.health WHERE indicator = 'connections_used';
SET pg_vitals.health_limits = 'connections_used = 0 : 100';
SELECT state FROM vitals.health WHERE indicator = 'connections_used';
SET pg_vitals.health_limits = 'connections_used = 0 : 0';
SELECT state FROM vitals.health WHERE indicator = 'connections_used';
SET pg_vitals.health_limits = 'connections_used = :';
SELECT state FROM vitals.health WHERE indicator = 'connections_used';

-- what is wrong in it is told
\set VERBOSITY default
SET pg_vitals.health_limits = 'nonsense = 1 : 2';
SET pg_vitals.health_limits = 'error_rate';
SET pg_vitals.health_limits = 'error_rate = 5';
SET pg_vitals.health_limits = 'error_rate = 5 : 10 : 20';
SET pg_vitals.health_limits = 'error_rate = 5ms : 10';
SET pg_vitals.health_limits = 'error_rate = -1 : 10';
SET pg_vitals.health_limits = 'error_rate = 1 : inf';
SET pg_vitals.health_limits = 'error_rate = 10 : 5';
SET pg_vitals.health_limits = 'cache_hit_ratio = 80 : 95';
SET pg_vitals.health_limits = 'error_rate = 1 : 2, , lock_waits = 1 : 2';
SET pg_vitals.health_limits = '  ';
SELECT count(*) FROM vitals.health;
RESET pg_vitals.health_limits;

-- rates are over the last windows: ten executions, of which two fail and one takes long; and a sort that spills
SET work_mem = '64kB';
SELECT vitals.reset() > 0 AS reset;
SELECT 1 / (g - 1) FROM generate_series(1, 1) AS g;
SELECT 1 / (g - 1) FROM generate_series(1, 1) AS g;
SELECT pg_sleep(0.3);
SELECT count(*) FROM (SELECT g FROM generate_series(1, 20000) AS g ORDER BY -g OFFSET 0) AS s;
SELECT count(*) FROM pg_class WHERE oid = 1259;
SELECT count(*) FROM pg_class WHERE oid = 1259;
SELECT count(*) FROM pg_class WHERE oid = 1259;
SELECT count(*) FROM pg_class WHERE oid = 1259;
SELECT count(*) FROM pg_class WHERE oid = 1259;
SELECT vitals.close_window();
SELECT value, unit, reason FROM vitals.health WHERE indicator = 'error_rate';
SELECT indicator, value BETWEEN 285 AND 5000 AS as_known FROM vitals.health WHERE indicator LIKE 'p9%';
SELECT abs(h.value - w.hits) < 0.0001 AS hit_ratio, h.since = w.since AS since
FROM vitals.health AS h, (SELECT 100.0 * sum(shared_blks_hit) / sum(shared_blks_hit + shared_blks_read) AS hits, min(window_start) AS since
						  FROM vitals.windows WHERE resolution = '10s') AS w
WHERE indicator = 'cache_hit_ratio';
SELECT abs(h.value - w.rate) < 0.0001 * w.rate AS spill_rate, w.blocks BETWEEN 20 AND 200 AS blocks
FROM vitals.health AS h, (SELECT sum(temp_blks_written) * current_setting('block_size')::int / extract(epoch FROM max(window_end) - min(window_start)) AS rate,
								 sum(temp_blks_written) AS blocks
						  FROM vitals.windows WHERE resolution = '10s') AS w
WHERE indicator = 'temp_spill_rate';
RESET work_mem;

-- dead rows: 50 and a fifth of the rows are tolerated, or what the table says
CREATE TABLE dead (id int) WITH (autovacuum_enabled = true, autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0.5);
CREATE TABLE ignored (id int) WITH (autovacuum_enabled = false);
INSERT INTO dead SELECT g FROM generate_series(1, 1000) AS g;
INSERT INTO ignored SELECT g FROM generate_series(1, 10000) AS g;
ANALYZE dead, ignored;
BEGIN;
DELETE FROM dead WHERE id <= 900;
DELETE FROM ignored;
COMMIT;
SELECT pg_stat_force_next_flush();
SELECT indicator, value, state FROM vitals.health WHERE indicator LIKE 'autovacuum%';
DROP TABLE dead, ignored;

-- a role without rights: what it may see, and why not the rest
CREATE ROLE regress_he_plain;
CREATE ROLE regress_he_stats IN ROLE pg_read_all_stats;
SET ROLE regress_he_plain;
SELECT indicator, value, state, reason FROM vitals.health WHERE reason ~ 'pg_read_all_stats';
SELECT count(*) FROM vitals.health WHERE value IS NOT NULL AND indicator IN ('p95_exec_time', 'error_rate', 'xid_age', 'autovacuum_due');
SET pg_vitals.health_limits = 'xid_age = 0 : 1000';
SELECT warning_limit, critical_limit FROM vitals.health WHERE indicator = 'xid_age';
RESET pg_vitals.health_limits;
SET ROLE regress_he_stats;
SELECT indicator FROM vitals.health WHERE reason ~ 'pg_read_all_stats';
RESET ROLE;
DROP ROLE regress_he_plain, regress_he_stats;
