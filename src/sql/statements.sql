/*
 * Statements: counters of every statement, their distribution, and reset.
 */

/* whoever owns the schema, or creates in it, could put his own in our place */
DO $$
DECLARE
	stranger pg_catalog.text;
	what pg_catalog.text;
BEGIN
	SELECT
		coalesce(r.rolname::pg_catalog.text, 'PUBLIC'), s.what
	INTO stranger, what
	FROM (
		SELECT n.nspowner AS role, 'belongs to' AS what
		FROM pg_catalog.pg_namespace AS n
		WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@'
		UNION ALL
		SELECT a.grantee, 'is open to'
		FROM pg_catalog.pg_namespace AS n, pg_catalog.aclexplode(n.nspacl) AS a
		WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@' AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
	) AS s
	LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.role
	WHERE r.rolsuper IS NOT TRUE
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'schema "@extschema@" % role "%"', what, stranger
			USING ERRCODE = 'insufficient_privilege',
				HINT = 'Drop the schema, or make it a superuser''s, in which no other role may create objects.';
	END IF;
END
$$;

GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;

CREATE FUNCTION _statements(
	OUT userid oid,
	OUT dbid oid,
	OUT toplevel boolean,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT plans bigint,
	OUT total_plan_time double precision,
	OUT min_plan_time double precision,
	OUT max_plan_time double precision,
	OUT mean_plan_time double precision,
	OUT stddev_plan_time double precision,
	OUT calls bigint,
	OUT total_exec_time double precision,
	OUT min_exec_time double precision,
	OUT max_exec_time double precision,
	OUT mean_exec_time double precision,
	OUT stddev_exec_time double precision,
	OUT p50_exec_time double precision,
	OUT p90_exec_time double precision,
	OUT p95_exec_time double precision,
	OUT p99_exec_time double precision,
	OUT rows bigint,
	OUT shared_blks_hit bigint,
	OUT shared_blks_read bigint,
	OUT shared_blks_dirtied bigint,
	OUT shared_blks_written bigint,
	OUT local_blks_hit bigint,
	OUT local_blks_read bigint,
	OUT local_blks_dirtied bigint,
	OUT local_blks_written bigint,
	OUT temp_blks_read bigint,
	OUT temp_blks_written bigint,
-- @if PG < 17
	OUT blk_read_time double precision,
	OUT blk_write_time double precision,
-- @endif
-- @if PG >= 17
	OUT shared_blk_read_time double precision,
	OUT shared_blk_write_time double precision,
	OUT local_blk_read_time double precision,
	OUT local_blk_write_time double precision,
-- @endif
	OUT temp_blk_read_time double precision,
	OUT temp_blk_write_time double precision,
	OUT wal_records bigint,
	OUT wal_fpi bigint,
	OUT wal_bytes numeric,
-- @if PG >= 18
	OUT wal_buffers_full bigint,
-- @endif
	OUT jit_functions bigint,
	OUT jit_generation_time double precision,
	OUT jit_inlining_count bigint,
	OUT jit_inlining_time double precision,
	OUT jit_optimization_count bigint,
	OUT jit_optimization_time double precision,
	OUT jit_emission_count bigint,
	OUT jit_emission_time double precision,
-- @if PG >= 17
	OUT jit_deform_count bigint,
	OUT jit_deform_time double precision,
-- @endif
-- @if PG >= 18
	OUT parallel_workers_to_launch bigint,
	OUT parallel_workers_launched bigint,
-- @endif
-- @if PG >= 19
	OUT generic_plan_calls bigint,
	OUT custom_plan_calls bigint,
-- @endif
	OUT failures bigint,
	OUT cancels bigint,
	OUT timeouts bigint,
	OUT first_seen timestamptz,
	OUT stats_since timestamptz,
-- @if PG >= 17
	OUT minmax_stats_since timestamptz,
-- @endif
	OUT last_seen timestamptz
)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_statements'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000;

COMMENT ON FUNCTION _statements() IS
'What vitals.statements reads. Texts and identifiers of other roles'' statements are shown to members of pg_read_all_stats only.';

CREATE VIEW statements AS
SELECT
	s.userid,
	r.rolname AS username,
	s.dbid,
	d.datname,
	s.toplevel,
	s.queryid,
	s.fingerprint,
	s.query,
	s.plans,
	s.total_plan_time,
	s.min_plan_time,
	s.max_plan_time,
	s.mean_plan_time,
	s.stddev_plan_time,
	s.calls,
	s.total_exec_time,
	s.min_exec_time,
	s.max_exec_time,
	s.mean_exec_time,
	s.stddev_exec_time,
	s.p50_exec_time,
	s.p90_exec_time,
	s.p95_exec_time,
	s.p99_exec_time,
	s.rows,
	s.shared_blks_hit,
	s.shared_blks_read,
	s.shared_blks_dirtied,
	s.shared_blks_written,
	s.local_blks_hit,
	s.local_blks_read,
	s.local_blks_dirtied,
	s.local_blks_written,
	s.temp_blks_read,
	s.temp_blks_written,
-- @if PG < 17
	s.blk_read_time,
	s.blk_write_time,
-- @endif
-- @if PG >= 17
	s.shared_blk_read_time,
	s.shared_blk_write_time,
	s.local_blk_read_time,
	s.local_blk_write_time,
-- @endif
	s.temp_blk_read_time,
	s.temp_blk_write_time,
	s.wal_records,
	s.wal_fpi,
	s.wal_bytes,
-- @if PG >= 18
	s.wal_buffers_full,
-- @endif
	s.jit_functions,
	s.jit_generation_time,
	s.jit_inlining_count,
	s.jit_inlining_time,
	s.jit_optimization_count,
	s.jit_optimization_time,
	s.jit_emission_count,
	s.jit_emission_time,
-- @if PG >= 17
	s.jit_deform_count,
	s.jit_deform_time,
-- @endif
-- @if PG >= 18
	s.parallel_workers_to_launch,
	s.parallel_workers_launched,
-- @endif
-- @if PG >= 19
	s.generic_plan_calls,
	s.custom_plan_calls,
-- @endif
	s.failures,
	s.cancels,
	s.timeouts,
	s.first_seen,
	s.stats_since,
-- @if PG >= 17
	s.minmax_stats_since,
-- @endif
	s.last_seen
FROM _statements() AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.dbid;

COMMENT ON VIEW statements IS
'Counters of every statement: one row per database, role, fingerprint and toplevel. What is pushed out of the table is added to one row per database, <evicted>, so sums stay exact. Times are in ms.';
COMMENT ON COLUMN statements.username IS
'name of that role; NULL in the row <evicted>, and if the role is gone';
COMMENT ON COLUMN statements.datname IS
'name of that database; NULL if it is gone';
COMMENT ON COLUMN statements.userid IS
'OID of the role that executed the statement; NULL in the row <evicted>';
COMMENT ON COLUMN statements.dbid IS
'OID of the database the statement was executed in';
COMMENT ON COLUMN statements.toplevel IS
'true if the client sent the statement, false if a function or utility statement executed it; NULL in the row <evicted>';
COMMENT ON COLUMN statements.queryid IS
'the server''s identifier of the statement (as in pg_stat_activity), the last seen where several share the fingerprint; NULL where the server gave none, in the row <evicted>, and for statements of other roles without pg_read_all_stats';
COMMENT ON COLUMN statements.fingerprint IS
'identifier made from the normalised text: the same on every server and version; NULL in the row <evicted> and for statements of other roles without pg_read_all_stats';
COMMENT ON COLUMN statements.query IS
'normalised text: constants as parameters, lists squashed, no comments; "<insufficient privilege>" for statements of other roles without pg_read_all_stats; NULL if pg_vitals.text_memory was full';
COMMENT ON COLUMN statements.plans IS
'number of times the statement was planned';
COMMENT ON COLUMN statements.total_plan_time IS
'total time spent planning, in ms';
COMMENT ON COLUMN statements.min_plan_time IS
'shortest planning, in ms; 0 if it was never planned';
COMMENT ON COLUMN statements.max_plan_time IS
'longest planning, in ms; 0 if it was never planned';
COMMENT ON COLUMN statements.mean_plan_time IS
'mean planning time, in ms; 0 if it was never planned';
COMMENT ON COLUMN statements.stddev_plan_time IS
'population standard deviation of planning time, in ms';
COMMENT ON COLUMN statements.calls IS
'number of executions, failed ones included';
COMMENT ON COLUMN statements.total_exec_time IS
'total time spent executing, in ms, failed executions included';
COMMENT ON COLUMN statements.min_exec_time IS
'shortest execution, in ms';
COMMENT ON COLUMN statements.max_exec_time IS
'longest execution, in ms';
COMMENT ON COLUMN statements.mean_exec_time IS
'mean execution time, in ms';
COMMENT ON COLUMN statements.stddev_exec_time IS
'population standard deviation of execution time, in ms';
COMMENT ON COLUMN statements.p50_exec_time IS
'median execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN statements.p90_exec_time IS
'90th percentile of execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN statements.p95_exec_time IS
'95th percentile of execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN statements.p99_exec_time IS
'99th percentile of execution time, in ms, within 5 %; NULL if there were no executions';
COMMENT ON COLUMN statements.rows IS
'total rows retrieved or affected';
COMMENT ON COLUMN statements.shared_blks_hit IS
'total shared blocks found in the cache';
COMMENT ON COLUMN statements.shared_blks_read IS
'total shared blocks read';
COMMENT ON COLUMN statements.shared_blks_dirtied IS
'total shared blocks dirtied';
COMMENT ON COLUMN statements.shared_blks_written IS
'total shared blocks written';
COMMENT ON COLUMN statements.local_blks_hit IS
'total local blocks found in the cache';
COMMENT ON COLUMN statements.local_blks_read IS
'total local blocks read';
COMMENT ON COLUMN statements.local_blks_dirtied IS
'total local blocks dirtied';
COMMENT ON COLUMN statements.local_blks_written IS
'total local blocks written';
COMMENT ON COLUMN statements.temp_blks_read IS
'total temporary blocks read';
COMMENT ON COLUMN statements.temp_blks_written IS
'total temporary blocks written';
-- @if PG < 17
COMMENT ON COLUMN statements.blk_read_time IS
'total time reading shared and local blocks, in ms; 0 unless track_io_timing is on';
COMMENT ON COLUMN statements.blk_write_time IS
'total time writing shared and local blocks, in ms; 0 unless track_io_timing is on';
-- @endif
-- @if PG >= 17
COMMENT ON COLUMN statements.shared_blk_read_time IS
'total time reading shared blocks, in ms; 0 unless track_io_timing is on';
COMMENT ON COLUMN statements.shared_blk_write_time IS
'total time writing shared blocks, in ms; 0 unless track_io_timing is on';
COMMENT ON COLUMN statements.local_blk_read_time IS
'total time reading local blocks, in ms; 0 unless track_io_timing is on';
COMMENT ON COLUMN statements.local_blk_write_time IS
'total time writing local blocks, in ms; 0 unless track_io_timing is on';
-- @endif
COMMENT ON COLUMN statements.temp_blk_read_time IS
'total time reading temporary blocks, in ms; 0 unless track_io_timing is on';
COMMENT ON COLUMN statements.temp_blk_write_time IS
'total time writing temporary blocks, in ms; 0 unless track_io_timing is on';
COMMENT ON COLUMN statements.wal_records IS
'total WAL records generated';
COMMENT ON COLUMN statements.wal_fpi IS
'total full-page images in WAL';
COMMENT ON COLUMN statements.wal_bytes IS
'total WAL generated, in bytes';
-- @if PG >= 18
COMMENT ON COLUMN statements.wal_buffers_full IS
'number of times the WAL buffers became full';
-- @endif
COMMENT ON COLUMN statements.jit_functions IS
'total functions compiled by JIT';
COMMENT ON COLUMN statements.jit_generation_time IS
'total time generating JIT code, in ms';
COMMENT ON COLUMN statements.jit_inlining_count IS
'number of executions in which functions were inlined';
COMMENT ON COLUMN statements.jit_inlining_time IS
'total time inlining functions, in ms';
COMMENT ON COLUMN statements.jit_optimization_count IS
'number of executions that were optimized by JIT';
COMMENT ON COLUMN statements.jit_optimization_time IS
'total time optimizing JIT code, in ms';
COMMENT ON COLUMN statements.jit_emission_count IS
'number of executions for which code was emitted';
COMMENT ON COLUMN statements.jit_emission_time IS
'total time emitting JIT code, in ms';
-- @if PG >= 17
COMMENT ON COLUMN statements.jit_deform_count IS
'number of executions with JIT-compiled tuple deforming';
COMMENT ON COLUMN statements.jit_deform_time IS
'total time compiling tuple deforming, in ms';
-- @endif
-- @if PG >= 18
COMMENT ON COLUMN statements.parallel_workers_to_launch IS
'parallel workers planned to be launched';
COMMENT ON COLUMN statements.parallel_workers_launched IS
'parallel workers actually launched';
-- @endif
-- @if PG >= 19
COMMENT ON COLUMN statements.generic_plan_calls IS
'executions with a generic plan';
COMMENT ON COLUMN statements.custom_plan_calls IS
'executions with a custom plan';
-- @endif
COMMENT ON COLUMN statements.failures IS
'executions that ended in an error, a cancel or a timeout; they count in calls, and their time, rows and blocks in the columns above';
COMMENT ON COLUMN statements.cancels IS
'failures by a cancel request';
COMMENT ON COLUMN statements.timeouts IS
'failures by statement_timeout or lock_timeout';
COMMENT ON COLUMN statements.first_seen IS
'start of the first message that executed or planned it, of those that the row counts';
COMMENT ON COLUMN statements.last_seen IS
'start of the last message that executed or planned it';
COMMENT ON COLUMN statements.stats_since IS
'since when the row is counted: another after the statement was pushed out or reset, never the same twice for one statement; of the row <evicted>, since when there is one';
-- @if PG >= 17
COMMENT ON COLUMN statements.minmax_stats_since IS
'the same as stats_since: minima and maxima are not reset by themselves';
-- @endif

CREATE FUNCTION histogram(
	queryid bigint,
	OUT bucket integer,
	OUT lower_ms double precision,
	OUT upper_ms double precision,
	OUT calls bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_histogram'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 30;

COMMENT ON FUNCTION histogram(bigint) IS
'Distribution of the execution times of a statement, as far as the caller may see it: executions from lower_ms (included) to upper_ms (excluded), buckets without executions left out. An unknown or NULL queryid is an error.';

CREATE FUNCTION reset(
	queryid bigint DEFAULT NULL,
	dbid oid DEFAULT NULL,
	userid oid DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgv_surface_reset'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION reset(bigint, oid, oid) IS
'Forgets the statistics of statements, their resources, plans and windows, findings, errors, waits, samples of sessions, slow executions, misestimates, deadlocks and (without a queryid) routes and transactions that match all arguments that are not NULL; everything without arguments, the load too. Returns how many statements, plans, findings, errors, routes, transactions and deadlocks went. An unknown queryid is an error. Superusers only, unless granted.';

REVOKE ALL ON FUNCTION reset(bigint, oid, oid) FROM PUBLIC;
GRANT SELECT ON statements TO PUBLIC;
