-- vitals.health: indicators, limits and states; who sees what.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;

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
