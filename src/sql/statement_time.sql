/*
 * One sum: elapsed = CPU + waits + unexplained.
 */

CREATE VIEW statement_time AS
WITH s AS MATERIALIZED (
	SELECT dbid, userid, fingerprint, max(queryid) AS queryid, max(query) AS query,
		   sum(calls)::bigint AS calls, sum(total_plan_time + total_exec_time) AS ms
	FROM _statements()
	WHERE fingerprint IS NOT NULL
	GROUP BY dbid, userid, fingerprint
), r AS MATERIALIZED (
	SELECT dbid, userid, fingerprint, sum(self_cpu_time) AS cpu_ms,
		   sum(elapsed_time - self_elapsed_time) AS nested_ms,
		   sum(self_cpu_time_margin ^ 2) AS margin2,
		   sum(measured) / nullif(sum(measured_of), 0) AS share
	FROM _resources()
	WHERE fingerprint IS NOT NULL
	GROUP BY dbid, userid, fingerprint
), w AS MATERIALIZED (
	-- what parallel workers wait for is beside the statement's own time
	SELECT dbid, userid, fingerprint,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type = 'Lock'), 0) AS lock_ms,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type = 'LWLock'), 0) AS lwlock_ms,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type = 'IO'), 0) AS io_ms,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type = 'IPC'), 0) AS ipc_ms,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type = 'Client'), 0) AS client_ms,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type = 'Timeout'), 0) AS timeout_ms,
		   coalesce(sum(wait_time) FILTER (WHERE wait_event_type
				NOT IN ('Lock', 'LWLock', 'IO', 'IPC', 'Client', 'Timeout')), 0) AS other_ms,
		   sum(wait_time) AS ms, sum(wait_time_margin ^ 2) AS margin2
	FROM _waits()
	WHERE fingerprint IS NOT NULL AND phase IN ('planning', 'executing')
		AND wait_event_type <> 'CPU' AND backend_type <> 'parallel worker'
	GROUP BY dbid, userid, fingerprint
)
SELECT
	s.userid,
	a.rolname AS username,
	s.dbid,
	d.datname,
	s.queryid,
	s.fingerprint,
	s.query,
	s.calls,
	-- to the nanosecond; what is behind that is the noise of adding up
	round((s.ms - coalesce(r.nested_ms, 0)) * 1e6) / 1e6 AS elapsed_time,
	round(r.cpu_ms * 1e6) / 1e6 AS cpu_time,
	round(coalesce(w.lock_ms, 0) * 1e6) / 1e6 AS lock_time,
	round(coalesce(w.lwlock_ms, 0) * 1e6) / 1e6 AS lwlock_time,
	round(coalesce(w.io_ms, 0) * 1e6) / 1e6 AS io_time,
	round(coalesce(w.ipc_ms, 0) * 1e6) / 1e6 AS ipc_time,
	round(coalesce(w.client_ms, 0) * 1e6) / 1e6 AS client_time,
	round(coalesce(w.timeout_ms, 0) * 1e6) / 1e6 AS timeout_time,
	round(coalesce(w.other_ms, 0) * 1e6) / 1e6 AS other_wait_time,
	round((s.ms - coalesce(r.nested_ms, 0) - r.cpu_ms - coalesce(w.ms, 0)) * 1e6) / 1e6 + 0.0 AS unexplained_time,
	round(sqrt(r.margin2 + coalesce(w.margin2, 0)) * 1e6) / 1e6 AS unexplained_time_margin,
	r.share AS measured_share
FROM s
LEFT JOIN r USING (dbid, userid, fingerprint)
LEFT JOIN w USING (dbid, userid, fingerprint)
LEFT JOIN pg_catalog.pg_roles AS a ON a.oid OPERATOR(pg_catalog.=) s.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.dbid;

COMMENT ON VIEW statement_time IS
'Where the time of statements goes: elapsed_time = cpu_time + the waits + unexplained_time, one row per database, role and statement. Of vitals.statements, vitals.resources and vitals.waits, which see from the last reset on. Statements of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN statement_time.userid IS
'role that executed the statement';
COMMENT ON COLUMN statement_time.username IS
'its name; NULL if it is gone';
COMMENT ON COLUMN statement_time.dbid IS
'database the statement was executed in';
COMMENT ON COLUMN statement_time.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN statement_time.queryid IS
'identifier the server gave the statement, the last seen; NULL if it gave none';
COMMENT ON COLUMN statement_time.fingerprint IS
'identifier made from the normalised text, as in vitals.statements';
COMMENT ON COLUMN statement_time.query IS
'normalised text of the statement; NULL if it could not be kept (pg_vitals.text_memory)';
COMMENT ON COLUMN statement_time.calls IS
'executions, failed ones included';
COMMENT ON COLUMN statement_time.elapsed_time IS
'time of planning and executing, without that of nested statements that are counted (pg_vitals.track = all), in ms; exact, but for a statement with nested ones: theirs is estimated, as in vitals.resources';
COMMENT ON COLUMN statement_time.cpu_time IS
'CPU time of that, in ms, estimated from the executions measured (vitals.resources); NULL if none was';
COMMENT ON COLUMN statement_time.lock_time IS
'waiting for heavyweight locks, in ms, sampled';
COMMENT ON COLUMN statement_time.lwlock_time IS
'waiting for lightweight locks, in ms, sampled';
COMMENT ON COLUMN statement_time.io_time IS
'waiting for reading and writing files, in ms, sampled';
COMMENT ON COLUMN statement_time.ipc_time IS
'waiting for other processes, such as parallel workers, in ms, sampled';
COMMENT ON COLUMN statement_time.client_time IS
'waiting for the client to take rows or send data, in ms, sampled';
COMMENT ON COLUMN statement_time.timeout_time IS
'sleeping, in ms, sampled';
COMMENT ON COLUMN statement_time.other_wait_time IS
'all other waits, in ms, sampled: BufferPin (Buffer from 19 on), Extension, Activity';
COMMENT ON COLUMN statement_time.unexplained_time IS
'elapsed_time without all of these, in ms: waiting for a processor, waits that PostgreSQL does not tell of, and the error; may be below 0; NULL if cpu_time is';
COMMENT ON COLUMN statement_time.unexplained_time_margin IS
'the parts are exact to plus or minus this, taken together, with a probability of 95 %, in ms; NULL if cpu_time is';
COMMENT ON COLUMN statement_time.measured_share IS
'share of the executions and plannings, from 0 to 1, that cpu_time is from; NULL if cpu_time is';

GRANT SELECT ON statement_time TO PUBLIC;
