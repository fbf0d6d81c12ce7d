/*
 * The last hours: what was active, window by window.
 */

CREATE FUNCTION _windows(
	OUT resolution interval,
	OUT window_start timestamptz,
	OUT window_end timestamptz,
	OUT userid oid,
	OUT dbid oid,
	OUT toplevel boolean,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT calls bigint,
	OUT failures bigint,
	OUT rows bigint,
	OUT total_plan_time double precision,
	OUT total_exec_time double precision,
	OUT mean_exec_time double precision,
	OUT p50_exec_time double precision,
	OUT p95_exec_time double precision,
	OUT p99_exec_time double precision,
	OUT shared_blks_hit bigint,
	OUT shared_blks_read bigint,
	OUT temp_blks_read bigint,
	OUT temp_blks_written bigint,
	OUT n_plus_one_bursts bigint,
	OUT wait_time double precision,
	OUT wait_time_margin double precision,
	OUT lock_time double precision,
	OUT lwlock_time double precision,
	OUT io_time double precision,
	OUT ipc_time double precision,
	OUT client_time double precision,
	OUT timeout_time double precision,
	OUT other_wait_time double precision,
	OUT not_waiting_time double precision,
	OUT idle_in_transaction_time double precision,
	OUT sampled_time double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_windows'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10000;

COMMENT ON FUNCTION _windows() IS
'What vitals.windows reads. Texts and identifiers of other roles'' statements are shown to members of pg_read_all_stats only.';

CREATE VIEW windows AS
SELECT
	w.resolution,
	w.window_start,
	w.window_end,
	w.userid,
	r.rolname AS username,
	w.dbid,
	d.datname,
	w.toplevel,
	w.queryid,
	w.fingerprint,
	w.query,
	w.calls,
	w.failures,
	w.rows,
	w.total_plan_time,
	w.total_exec_time,
	w.mean_exec_time,
	w.p50_exec_time,
	w.p95_exec_time,
	w.p99_exec_time,
	w.shared_blks_hit,
	w.shared_blks_read,
	w.temp_blks_read,
	w.temp_blks_written,
	w.n_plus_one_bursts,
	w.wait_time,
	w.wait_time_margin,
	w.lock_time,
	w.lwlock_time,
	w.io_time,
	w.ipc_time,
	w.client_time,
	w.timeout_time,
	w.other_wait_time,
	w.not_waiting_time,
	w.idle_in_transaction_time,
	w.sampled_time
FROM _windows() AS w
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = w.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = w.dbid;

COMMENT ON VIEW windows IS
'What was active in each 10 seconds of the last hour, and in each minute of the last six: one row per window and statement that did something or was seen by the sampler. What has no row of its own is in one row per window, <other>, so sums stay exact. Times are in ms.';
COMMENT ON COLUMN windows.resolution IS
'nominal length of the window: 10 seconds or a minute; the same activity is in windows of both, so sum up one of them';
COMMENT ON COLUMN windows.window_start IS
'when the window began';
COMMENT ON COLUMN windows.window_end IS
'when it ended';
COMMENT ON COLUMN windows.userid IS
'OID of the role that executed the statement; NULL in the row <other>';
COMMENT ON COLUMN windows.username IS
'name of that role; NULL in the row <other>, and if the role is gone';
COMMENT ON COLUMN windows.dbid IS
'OID of the database the statement was executed in; NULL in the row <other>';
COMMENT ON COLUMN windows.datname IS
'name of that database; NULL in the row <other>, and if it is gone';
COMMENT ON COLUMN windows.toplevel IS
'true if the client sent the statement, false if a function or utility statement executed it; NULL in the row <other>';
COMMENT ON COLUMN windows.queryid IS
'the server''s identifier of the statement, as in vitals.statements; NULL where the server gave none, in the row <other>, and for statements of other roles without pg_read_all_stats';
COMMENT ON COLUMN windows.fingerprint IS
'identifier made from the normalised text, as in vitals.statements; NULL in the row <other> and for statements of other roles without pg_read_all_stats';
COMMENT ON COLUMN windows.query IS
'normalised text; "<insufficient privilege>" for statements of other roles without pg_read_all_stats; NULL if the text is not kept any more, as the statement was pushed out of the table since';
COMMENT ON COLUMN windows.calls IS
'number of executions that ended in the window, failed ones included';
COMMENT ON COLUMN windows.failures IS
'of these, executions that ended in an error, a cancel or a timeout';
COMMENT ON COLUMN windows.rows IS
'total rows retrieved or affected by them';
COMMENT ON COLUMN windows.total_plan_time IS
'total time spent planning, in ms';
COMMENT ON COLUMN windows.total_exec_time IS
'total time spent executing, in ms, of the executions that ended in the window';
COMMENT ON COLUMN windows.mean_exec_time IS
'mean execution time, in ms; NULL if there were no executions';
COMMENT ON COLUMN windows.p50_exec_time IS
'median execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN windows.p95_exec_time IS
'95th percentile of execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN windows.p99_exec_time IS
'99th percentile of execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN windows.shared_blks_hit IS
'total shared blocks found in the cache';
COMMENT ON COLUMN windows.shared_blks_read IS
'total shared blocks read';
COMMENT ON COLUMN windows.temp_blks_read IS
'total temporary blocks read';
COMMENT ON COLUMN windows.temp_blks_written IS
'total temporary blocks written';
COMMENT ON COLUMN windows.n_plus_one_bursts IS
'bursts of N+1 (proven or likely) in which the statement was repeated that were found in the window';
COMMENT ON COLUMN windows.wait_time IS
'time in which it was seen waiting, in ms, also in executions that did not end in the window: estimated from samples, the sum of the seven columns behind the next; with parallel workers; NULL if nothing was sampled in the window (pg_vitals.sample_interval)';
COMMENT ON COLUMN windows.wait_time_margin IS
'wait_time is exact to plus or minus this, with a probability of 95 %, in ms; NULL where it is';
COMMENT ON COLUMN windows.lock_time IS
'of it, for heavyweight locks, in ms; NULL where wait_time is';
COMMENT ON COLUMN windows.lwlock_time IS
'of it, for lightweight locks, in ms; NULL where wait_time is';
COMMENT ON COLUMN windows.io_time IS
'of it, for reading and writing files, in ms; NULL where wait_time is';
COMMENT ON COLUMN windows.ipc_time IS
'of it, for other processes, such as parallel workers, in ms; NULL where wait_time is';
COMMENT ON COLUMN windows.client_time IS
'of it, for the client to take rows or send data, in ms; NULL where wait_time is';
COMMENT ON COLUMN windows.timeout_time IS
'of it, sleeping, in ms; NULL where wait_time is';
COMMENT ON COLUMN windows.other_wait_time IS
'of it, all other waits, in ms: BufferPin (Buffer from 19 on), Extension, Activity; NULL where wait_time is';
COMMENT ON COLUMN windows.not_waiting_time IS
'time in which it was seen and did not wait, in ms: on a processor, or waiting for one (CPU in vitals.waits); NULL where wait_time is';
COMMENT ON COLUMN windows.idle_in_transaction_time IS
'time for which sessions were idle in a transaction behind it, in ms, not in wait_time; NULL where wait_time is';
COMMENT ON COLUMN windows.sampled_time IS
'time of the window in which sessions were looked at, in ms; 0 if sampling was off';

GRANT SELECT ON windows TO PUBLIC;

CREATE FUNCTION close_window()
RETURNS void
AS 'MODULE_PATHNAME', 'pgv_surface_close_window'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION close_window() IS
'Ends the present windows of vitals.windows now, so that they have all that has ended by then, and waits until they are there.';

REVOKE EXECUTE ON FUNCTION close_window() FROM PUBLIC;
