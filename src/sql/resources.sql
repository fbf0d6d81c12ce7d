/*
 * Resources: CPU, kernel I/O and memory of statements, from a sample.
 */

CREATE FUNCTION _resources(
	OUT dbid oid,
	OUT userid oid,
	OUT toplevel boolean,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT measured bigint,
	OUT measured_of double precision,
	OUT elapsed_time double precision,
	OUT cpu_time double precision,
	OUT cpu_time_margin double precision,
	OUT user_time double precision,
	OUT system_time double precision,
	OUT self_elapsed_time double precision,
	OUT self_cpu_time double precision,
	OUT self_cpu_time_margin double precision,
	OUT workers_cpu_time double precision,
	OUT read_bytes double precision,
	OUT written_bytes double precision,
	OUT self_read_bytes double precision,
	OUT self_written_bytes double precision,
	OUT major_faults double precision,
	OUT voluntary_switches double precision,
	OUT involuntary_switches double precision,
	OUT mean_memory_bytes double precision,
	OUT max_memory_bytes double precision,
	OUT p50_memory_bytes double precision,
	OUT p95_memory_bytes double precision,
	OUT p99_memory_bytes double precision,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_resources'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000;

COMMENT ON FUNCTION _resources() IS
'What vitals.resources reads. Statements of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW resources AS
SELECT
	s.userid,
	r.rolname AS username,
	s.dbid,
	d.datname,
	s.toplevel,
	s.queryid,
	s.fingerprint,
	s.query,
	s.measured,
	s.measured_of,
	s.elapsed_time,
	s.cpu_time,
	s.cpu_time_margin,
	s.user_time,
	s.system_time,
	s.self_elapsed_time,
	s.self_cpu_time,
	s.self_cpu_time_margin,
	s.workers_cpu_time,
	s.read_bytes,
	s.written_bytes,
	s.self_read_bytes,
	s.self_written_bytes,
	s.major_faults,
	s.voluntary_switches,
	s.involuntary_switches,
	s.mean_memory_bytes,
	s.max_memory_bytes,
	s.p50_memory_bytes,
	s.p95_memory_bytes,
	s.p99_memory_bytes,
	s.stats_since
FROM _resources() AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.dbid;

COMMENT ON VIEW resources IS
'CPU, kernel I/O and memory of statements, one row per database, role, statement and level, estimated without bias from a sample of the executions: what takes long is measured each time, what is short more seldom (pg_vitals.track_resources, pg_vitals.max_overhead). Statements of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN resources.userid IS
'role that executed the statement; NULL in the row <evicted>';
COMMENT ON COLUMN resources.username IS
'its name; NULL if it is gone, and in the row <evicted>';
COMMENT ON COLUMN resources.dbid IS
'database the statement was executed in';
COMMENT ON COLUMN resources.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN resources.toplevel IS
'true: a client sent the statement; NULL in the row <evicted>';
COMMENT ON COLUMN resources.queryid IS
'identifier the server gave the statement, the last seen; NULL if it gave none, and in the row <evicted>';
COMMENT ON COLUMN resources.fingerprint IS
'identifier made from the normalised text, as in vitals.statements; NULL in the row <evicted>';
COMMENT ON COLUMN resources.query IS
'normalised text of the statement; NULL if it could not be kept (pg_vitals.text_memory) or the statement was pushed out of vitals.statements; <evicted> where what was pushed out is added up';
COMMENT ON COLUMN resources.measured IS
'executions and plannings that were measured';
COMMENT ON COLUMN resources.measured_of IS
'executions and plannings that they stand for, an estimate; the share measured is measured / measured_of';
COMMENT ON COLUMN resources.elapsed_time IS
'time of planning and executing all of these, in ms, estimated from the measured ones';
COMMENT ON COLUMN resources.cpu_time IS
'CPU time of them, user and system, nested statements included, in ms, estimated from the measured ones';
COMMENT ON COLUMN resources.cpu_time_margin IS
'half the width of the 95 % confidence interval of cpu_time, in ms; 0 if all were measured';
COMMENT ON COLUMN resources.user_time IS
'of cpu_time, spent in user mode, in ms; the kernel divides by samples of its own';
COMMENT ON COLUMN resources.system_time IS
'of cpu_time, spent in the kernel, in ms; likewise';
COMMENT ON COLUMN resources.self_elapsed_time IS
'elapsed_time without that of nested statements that are counted (pg_vitals.track = all), in ms';
COMMENT ON COLUMN resources.self_cpu_time IS
'cpu_time without that of nested statements that are counted (pg_vitals.track = all), in ms';
COMMENT ON COLUMN resources.self_cpu_time_margin IS
'half the width of the 95 % confidence interval of self_cpu_time, in ms';
COMMENT ON COLUMN resources.workers_cpu_time IS
'CPU time of parallel workers for it, in ms, of every execution, beside cpu_time; while pg_vitals.sample_interval is 0 it is not known, and nothing is added';
COMMENT ON COLUMN resources.read_bytes IS
'bytes that the kernel read from storage for them, estimated from the measured ones; what it had in its cache is not in it';
COMMENT ON COLUMN resources.written_bytes IS
'bytes that they gave the kernel to write to storage, likewise';
COMMENT ON COLUMN resources.self_read_bytes IS
'read_bytes without that of nested statements that are counted, in bytes';
COMMENT ON COLUMN resources.self_written_bytes IS
'written_bytes without that of nested statements that are counted, in bytes';
COMMENT ON COLUMN resources.major_faults IS
'page faults that needed the disk, likewise an estimate';
COMMENT ON COLUMN resources.voluntary_switches IS
'context switches because of waiting, likewise an estimate';
COMMENT ON COLUMN resources.involuntary_switches IS
'context switches because the processor was taken away, likewise an estimate';
COMMENT ON COLUMN resources.mean_memory_bytes IS
'memory that an execution held when it had made its last row, mean, in bytes; NULL for what the executor does not run, such as most utility statements';
COMMENT ON COLUMN resources.max_memory_bytes IS
'the most that one of the measured executions held, in bytes; NULL likewise';
COMMENT ON COLUMN resources.p50_memory_bytes IS
'median of that memory, in bytes, within 19 %; NULL likewise';
COMMENT ON COLUMN resources.p95_memory_bytes IS
'its 95th percentile, in bytes, within 19 %; NULL likewise';
COMMENT ON COLUMN resources.p99_memory_bytes IS
'its 99th percentile, in bytes, within 19 %; NULL likewise';
COMMENT ON COLUMN resources.stats_since IS
'since when the row is counted; another after a reset, or after it had been pushed out';

GRANT SELECT ON resources TO PUBLIC;
