/*
 * The server's health: indicators, their limits and states.
 */

CREATE FUNCTION _health_limits(
	OUT place integer,
	OUT indicator text,
	OUT unit text,
	OUT worse text,
	OUT warning double precision,
	OUT critical double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_health_limits'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;

COMMENT ON FUNCTION _health_limits() IS
'The indicators of vitals.health with their limits as pg_vitals.health_limits has them.';

CREATE FUNCTION _health(
	OUT since timestamptz,
	OUT seconds double precision,
	OUT executions bigint,
	OUT failures bigint,
	OUT p95_exec_time double precision,
	OUT p99_exec_time double precision,
	OUT shared_blks_hit bigint,
	OUT shared_blks_read bigint,
	OUT temp_blks_written bigint,
	OUT timed bigint,
	OUT hook_time double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_health'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION _health() IS
'What vitals.health reads of pg_vitals'' own figures.';

CREATE VIEW health AS
WITH own AS MATERIALIZED (
	SELECT
		h.since, h.executions, h.failures, h.p95_exec_time, h.p99_exec_time,
		h.shared_blks_hit, h.shared_blks_hit + h.shared_blks_read AS shared_blks,
		h.temp_blks_written * pg_catalog.current_setting('block_size')::pg_catalog.int8 AS temp_bytes,
		h.seconds, h.timed, h.hook_time,
		CASE WHEN h.since IS NULL THEN CASE WHEN pg_catalog.current_setting('pg_vitals.window_memory') = '0'
			THEN 'pg_vitals.window_memory is 0' ELSE 'no window has ended yet' END END AS none
	FROM _health() AS h
), here AS MATERIALIZED (
	SELECT
		pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS sees,
		pg_catalog.pg_is_in_recovery() AS standby,
		CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
			ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
), sessions AS MATERIALIZED (
	SELECT
		count(*) FILTER (WHERE a.backend_type = 'client backend') AS clients,
		count(*) FILTER (WHERE a.wait_event_type = 'Lock') AS lock_waits,
		count(*) FILTER (WHERE a.state LIKE 'idle in transaction%') AS idle,
		max(pg_catalog.clock_timestamp() - a.state_change)
			FILTER (WHERE a.state LIKE 'idle in transaction%') AS longest_idle,
		max(pg_catalog.clock_timestamp() - a.xact_start)
			FILTER (WHERE a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AS snapshot,
		max(pg_catalog.age(a.backend_xmin)) AS xmin_age
	FROM pg_catalog.pg_stat_activity AS a
	-- the snapshot of a VACUUM holds nothing back
	WHERE a.pid NOT IN (SELECT v.pid FROM pg_catalog.pg_stat_progress_vacuum AS v)
), prepared AS MATERIALIZED (
	SELECT
		max(pg_catalog.clock_timestamp() - p.prepared) AS snapshot, max(pg_catalog.age(p.transaction)) AS xmin_age
	FROM pg_catalog.pg_prepared_xacts AS p
), slots AS MATERIALIZED (
	SELECT
		max(greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))) AS xmin_age
	FROM pg_catalog.pg_replication_slots AS s
), databases AS MATERIALIZED (
	SELECT
		sum(d.deadlocks)::pg_catalog.float8 AS deadlocks,
		sum(d.xact_commit + d.xact_rollback)::pg_catalog.float8 AS transactions,
		max(d.stats_reset) AS since
	FROM pg_catalog.pg_stat_database AS d
), ages AS MATERIALIZED (
	SELECT
		max(pg_catalog.age(d.datfrozenxid)) AS xid, max(pg_catalog.mxid_age(d.datminmxid)) AS multixact
	FROM pg_catalog.pg_database AS d
), tables AS MATERIALIZED (
	SELECT
		count(*) FILTER (WHERE t.dead > t.threshold) AS due,
		max(100 * t.dead / nullif(t.threshold, 0)) AS worst
	FROM (
		SELECT
			pg_catalog.pg_stat_get_dead_tuples(c.oid)::pg_catalog.float8 AS dead,
			least(
				coalesce(o.threshold, pg_catalog.current_setting('autovacuum_vacuum_threshold'))::pg_catalog.float8 +
				coalesce(o.scale_factor, pg_catalog.current_setting('autovacuum_vacuum_scale_factor'))::pg_catalog.float8 *
				greatest(c.reltuples, 0),
				nullif(coalesce(o.max_threshold,
					pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true))::pg_catalog.float8, -1)) AS threshold
		FROM pg_catalog.pg_class AS c
		CROSS JOIN LATERAL (
			SELECT
				max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_threshold') AS threshold,
				max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_scale_factor') AS scale_factor,
				max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_max_threshold') AS max_threshold,
				max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_enabled') AS enabled
			FROM pg_catalog.pg_options_to_table(c.reloptions) AS r
		) AS o
		WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
			AND coalesce(o.enabled::pg_catalog.bool, true)
	) AS t
), senders AS MATERIALIZED (
	SELECT
		max(CASE WHEN r.replay_lsn >= here.lsn THEN 0 ELSE pg_catalog.pg_wal_lsn_diff(here.lsn, r.replay_lsn) END) AS bytes,
		max(CASE WHEN r.replay_lag IS NULL AND r.replay_lsn >= here.lsn THEN interval '0' ELSE r.replay_lag END) AS lag
	FROM pg_catalog.pg_stat_replication AS r, here
), receiver AS MATERIALIZED (
	SELECT
		max(CASE WHEN here.lsn >= w.latest_end_lsn THEN 0 ELSE pg_catalog.pg_wal_lsn_diff(w.latest_end_lsn, here.lsn) END) AS bytes,
		pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp() AS lag
	FROM pg_catalog.pg_stat_wal_receiver AS w, here
), measured (indicator, value, since, reason, description) AS (
	SELECT
		'p95_exec_time', own.p95_exec_time, own.since,
		coalesce(own.none, CASE WHEN own.executions = 0 THEN 'nothing was executed' END),
		'95th percentile of the execution times of all statements that clients sent and that ended in the last 10 minutes, within 5 %'
	FROM own
	UNION ALL
	SELECT
		'p99_exec_time', own.p99_exec_time, own.since,
		coalesce(own.none, CASE WHEN own.executions = 0 THEN 'nothing was executed' END),
		'99th percentile of the execution times of all statements that clients sent and that ended in the last 10 minutes, within 5 %'
	FROM own
	UNION ALL
	SELECT
		'error_rate', 100 * own.failures::pg_catalog.float8 / nullif(own.executions, 0), own.since,
		coalesce(own.none, CASE WHEN own.executions = 0 THEN 'nothing was executed' END),
		'executions that failed, were cancelled or timed out, of all executions of statements that clients sent, in the last 10 minutes'
	FROM own
	UNION ALL
	SELECT
		'cache_hit_ratio', 100 * own.shared_blks_hit::pg_catalog.float8 / nullif(own.shared_blks, 0), own.since,
		coalesce(own.none, CASE WHEN own.shared_blks = 0 THEN 'no block was asked for' END),
		'blocks found in shared buffers, of all blocks of tables and indexes that statements of clients asked for, in the last 10 minutes'
	FROM own
	UNION ALL
	SELECT
		'deadlock_rate', 100 * d.deadlocks / nullif(d.transactions, 0), d.since,
		CASE WHEN d.transactions = 0 THEN 'there was no transaction' END,
		'deadlocks of all databases, of their transactions (pg_stat_database)'
	FROM databases AS d
	UNION ALL
	SELECT
		'connections_used',
		CASE WHEN here.sees THEN 100 * s.clients::pg_catalog.float8 / (
			pg_catalog.current_setting('max_connections')::pg_catalog.int4 -
			pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4 -
			coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int4, 0)) END,
		NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'client connections now, of those that everybody may use: max_connections less what is reserved'
	FROM sessions AS s, here
	UNION ALL
	SELECT
		'lock_waits', CASE WHEN here.sees THEN s.lock_waits END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'processes that wait now for a lock of another (wait_event_type Lock in pg_stat_activity)'
	FROM sessions AS s, here
	UNION ALL
	SELECT
		'longest_lock_wait',
		CASE WHEN here.sees THEN coalesce(1000 * extract(epoch FROM CASE WHEN s.lock_waits > 0 THEN (
			SELECT max(pg_catalog.clock_timestamp() - l.waitstart) FROM pg_catalog.pg_locks AS l WHERE NOT l.granted) END), 0) END,
		NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'how long the longest of these waits has lasted (waitstart in pg_locks); 0 if there is none, or it has only just begun'
	FROM sessions AS s, here
	UNION ALL
	SELECT
		'idle_in_transaction', CASE WHEN here.sees THEN s.idle END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'sessions that are idle in a transaction now, failed transactions included'
	FROM sessions AS s, here
	UNION ALL
	SELECT
		'longest_idle_in_transaction',
		CASE WHEN here.sees THEN coalesce(1000 * extract(epoch FROM s.longest_idle), 0) END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'how long the longest of these has been idle (state_change in pg_stat_activity); 0 if there is none'
	FROM sessions AS s, here
	UNION ALL
	SELECT
		'oldest_snapshot',
		CASE WHEN here.sees THEN coalesce(1000 * extract(epoch FROM greatest(s.snapshot, p.snapshot)), 0) END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'how long ago the oldest transaction began that has a snapshot or has written, or a prepared one was prepared; VACUUM does not count; 0 if there is none'
	FROM sessions AS s, prepared AS p, here
	UNION ALL
	SELECT
		'oldest_xmin',
		CASE WHEN here.sees THEN coalesce(greatest(s.xmin_age, p.xmin_age, r.xmin_age), 0) END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it' END,
		'transactions begun since the oldest that a session, a standby, a replication slot or a prepared transaction still needs; what died since cannot be vacuumed'
	FROM sessions AS s, prepared AS p, slots AS r, here
	UNION ALL
	SELECT
		'temp_spill_rate', own.temp_bytes / nullif(own.seconds, 0), own.since,
		own.none,
		'what statements of clients wrote to temporary files because it exceeded work_mem, over the last 10 minutes'
	FROM own
	UNION ALL
	SELECT
		'autovacuum_due', CASE WHEN NOT here.standby AND c.counts THEN t.due END, NULL,
		CASE WHEN here.standby THEN 'a standby does not count changes: ask its primary'
			WHEN NOT c.counts THEN 'track_counts is off' END,
		'tables of this database with more dead rows than autovacuum tolerates: threshold and scale factor, with their storage parameters'
	FROM tables AS t, here, LATERAL (SELECT pg_catalog.current_setting('track_counts')::pg_catalog.bool AS counts) AS c
	UNION ALL
	SELECT
		'autovacuum_worst', CASE WHEN NOT here.standby AND c.counts THEN coalesce(t.worst, 0) END, NULL,
		CASE WHEN here.standby THEN 'a standby does not count changes: ask its primary'
			WHEN NOT c.counts THEN 'track_counts is off' END,
		'dead rows of the worst table of this database, of those that autovacuum tolerates in it'
	FROM tables AS t, here, LATERAL (SELECT pg_catalog.current_setting('track_counts')::pg_catalog.bool AS counts) AS c
	UNION ALL
	SELECT
		'xid_age', 100 * a.xid::pg_catalog.float8 / pg_catalog.current_setting('autovacuum_freeze_max_age')::pg_catalog.float8, NULL, NULL,
		'age of the oldest unfrozen transaction of all databases, of autovacuum_freeze_max_age, from which on autovacuum freezes by force'
	FROM ages AS a
	UNION ALL
	SELECT
		'multixact_age', 100 * a.multixact::pg_catalog.float8 / pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::pg_catalog.float8, NULL, NULL,
		'age of the oldest multixact of all databases, of autovacuum_multixact_freeze_max_age'
	FROM ages AS a
	UNION ALL
	SELECT
		'replication_lag_bytes',
		CASE WHEN here.sees THEN CASE WHEN here.standby THEN r.bytes ELSE s.bytes END END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it'
			WHEN here.standby AND r.bytes IS NULL THEN 'there is no WAL receiver: WAL comes from the archive or not at all'
			WHEN NOT here.standby AND s.bytes IS NULL THEN 'no standby is connected' END,
		'WAL that has not been replayed: on a primary, by the standby that is furthest behind; on a standby, by itself, of what its sender last told of'
	FROM senders AS s, receiver AS r, here
	UNION ALL
	SELECT
		'replication_lag',
		CASE WHEN here.sees THEN 1000 * extract(epoch FROM
			CASE WHEN NOT here.standby THEN s.lag WHEN r.bytes = 0 THEN interval '0' WHEN r.bytes > 0 THEN r.lag END) END, NULL,
		CASE WHEN NOT here.sees THEN 'only members of pg_read_all_stats may see it'
			WHEN here.standby AND r.bytes IS NULL THEN 'there is no WAL receiver: WAL comes from the archive or not at all'
			WHEN here.standby AND r.bytes > 0 AND r.lag IS NULL THEN 'no transaction has been replayed yet'
			WHEN NOT here.standby AND s.bytes IS NULL THEN 'no standby is connected'
			WHEN NOT here.standby AND s.lag IS NULL THEN 'no standby has told yet' END,
		'the same in time: on a primary, replay_lag in pg_stat_replication; on a standby that is behind, since the last commit that it replayed was made, which is the most it can be'
	FROM senders AS s, receiver AS r, here
	UNION ALL
	SELECT
		'own_overhead', own.hook_time / nullif(own.timed, 0), NULL,
		CASE WHEN own.timed = 0 THEN 'no statement has been timed yet: one of 128 is' END,
		'what pg_vitals itself takes for each statement that a client sends, since the server started or everything was reset (hook_time in vitals.info)'
	FROM own
)
SELECT
	l.indicator,
	m.value::pg_catalog.float8 AS value,
	l.unit,
	l.worse,
	l.warning AS warning_limit,
	l.critical AS critical_limit,
	CASE WHEN m.value IS NULL THEN 'unknown'
		WHEN CASE l.worse WHEN 'above' THEN m.value > l.critical ELSE m.value < l.critical END THEN 'critical'
		WHEN CASE l.worse WHEN 'above' THEN m.value > l.warning ELSE m.value < l.warning END THEN 'warning'
		ELSE 'ok' END AS state,
	m.since,
	m.reason,
	m.description
FROM _health_limits() AS l
JOIN measured AS m ON m.indicator = l.indicator
ORDER BY l.place;

COMMENT ON VIEW health IS
'The server''s health: one row for each indicator, with its value, limits and state. What a role may not see, or the server cannot tell, is NULL, with a reason.';
COMMENT ON COLUMN health.indicator IS
'name of the indicator, as in pg_vitals.health_limits';
COMMENT ON COLUMN health.value IS
'its value, in the unit of the row; NULL if it cannot be told';
COMMENT ON COLUMN health.unit IS
'unit of value and limits: ms, bytes, bytes/s, %, or what is counted';
COMMENT ON COLUMN health.worse IS
'above if it is worse to be above the limits, below if below';
COMMENT ON COLUMN health.warning_limit IS
'limit beyond which the state is warning; NULL if there is none';
COMMENT ON COLUMN health.critical_limit IS
'limit beyond which the state is critical; NULL if there is none';
COMMENT ON COLUMN health.state IS
'ok, warning, critical, or unknown if value is NULL';
COMMENT ON COLUMN health.since IS
'start of the time that the value is over; NULL for values of this moment, and where the server does not tell';
COMMENT ON COLUMN health.reason IS
'why value is NULL; NULL if it is not';
COMMENT ON COLUMN health.description IS
'what the value is and where it comes from';

GRANT SELECT ON health TO PUBLIC;
