/*
 * What was going on of late: the load, and samples of sessions.
 */

CREATE FUNCTION _load(
	OUT bucket_start timestamptz,
	OUT state text,
	OUT wait_event_type text,
	OUT sessions double precision,
	OUT samples bigint,
	OUT sampled_time double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_load'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 5000;

COMMENT ON FUNCTION _load() IS
'What vitals.load reads.';

CREATE VIEW load AS
SELECT
	l.bucket_start,
	l.state,
	l.wait_event_type,
	l.sessions,
	l.samples,
	l.sampled_time
FROM _load() AS l;

COMMENT ON VIEW load IS
'How many sessions were busy, and what with: one row for each 10 seconds of the last six hours and class of wait events, sampled every pg_vitals.sample_interval. Of the whole server, since its start. Everybody may read it.';
COMMENT ON COLUMN load.bucket_start IS
'when these 10 seconds began';
COMMENT ON COLUMN load.state IS
'active, or idle in transaction';
COMMENT ON COLUMN load.wait_event_type IS
'class of the wait event as in vitals.waits; CPU, of which there is always a row, where sessions did not wait; NULL where they were idle in a transaction';
COMMENT ON COLUMN load.sessions IS
'average number of sessions, parallel workers included and background processes not';
COMMENT ON COLUMN load.samples IS
'how often was looked, in these 10 seconds';
COMMENT ON COLUMN load.sampled_time IS
'time that this stands for, in ms: less than 10000 where the server was not up, sampling was off or the worker got no processor';

GRANT SELECT ON load TO PUBLIC;

CREATE FUNCTION _activity(
	OUT sampled_at timestamptz,
	OUT pid integer,
	OUT leader_pid integer,
	OUT dbid oid,
	OUT userid oid,
	OUT application_name text,
	OUT backend_type text,
	OUT route text,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT statement_start timestamptz,
	OUT phase text,
	OUT wait_event_type text,
	OUT wait_event text,
	OUT blocked_by integer[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_activity'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 5000;

COMMENT ON FUNCTION _activity() IS
'What vitals.activity reads. Samples of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW activity AS
SELECT
	a.sampled_at,
	a.pid,
	a.leader_pid,
	a.userid,
	r.rolname AS username,
	a.dbid,
	d.datname,
	a.application_name,
	a.backend_type,
	a.route,
	a.queryid,
	a.fingerprint,
	a.query,
	a.statement_start,
	a.phase,
	a.wait_event_type,
	a.wait_event,
	a.blocked_by
FROM _activity() AS a
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) a.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) a.dbid;

COMMENT ON VIEW activity IS
'Sessions that were not idle, once a second: the last 8192 samples, since the start of the server. Samples of other roles, and of background processes, are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN activity.sampled_at IS
'when it was looked; the same for all samples of a second';
COMMENT ON COLUMN activity.pid IS
'process';
COMMENT ON COLUMN activity.leader_pid IS
'of a parallel worker, the process that it works for; NULL for others';
COMMENT ON COLUMN activity.userid IS
'role that executed it; NULL for background processes';
COMMENT ON COLUMN activity.username IS
'its name; NULL if it is gone, and where userid is NULL';
COMMENT ON COLUMN activity.dbid IS
'database; NULL for processes that are in none';
COMMENT ON COLUMN activity.datname IS
'its name; NULL if it is gone, and where dbid is NULL';
COMMENT ON COLUMN activity.application_name IS
'application_name of the session; NULL for background processes';
COMMENT ON COLUMN activity.backend_type IS
'kind of process, as in vitals.waits';
COMMENT ON COLUMN activity.route IS
'as in vitals.waits; NULL if there is none';
COMMENT ON COLUMN activity.queryid IS
'identifier the server gave the statement; NULL if it gave none or there was no statement';
COMMENT ON COLUMN activity.fingerprint IS
'identifier made from the normalised text, as in vitals.waits; NULL if there was no statement';
COMMENT ON COLUMN activity.query IS
'normalised text of the statement; NULL if there was none, before its first execution has ended, or if it is no longer kept';
COMMENT ON COLUMN activity.statement_start IS
'when the client''s statement came, in which this one was executed; NULL if there was none';
COMMENT ON COLUMN activity.phase IS
'as in vitals.waits';
COMMENT ON COLUMN activity.wait_event_type IS
'as in vitals.waits: class of the wait event, or CPU';
COMMENT ON COLUMN activity.wait_event IS
'wait event as in pg_stat_activity; NULL where the type is CPU';
COMMENT ON COLUMN activity.blocked_by IS
'processes that it waited for to get a lock, as pg_blocking_pids tells them, four at the most; 0 stands for a prepared transaction; NULL if it did not wait for one, or, of more than 32 that did, was not asked about';

GRANT SELECT ON activity TO PUBLIC;
