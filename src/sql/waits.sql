/*
 * Waits: where time was seen to go.
 */

CREATE FUNCTION _waits(
	OUT dbid oid,
	OUT userid oid,
	OUT application_name text,
	OUT backend_type text,
	OUT route text,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT phase text,
	OUT wait_event_type text,
	OUT wait_event text,
	OUT samples bigint,
	OUT wait_time double precision,
	OUT wait_time_margin double precision,
	OUT blocked_time double precision,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_waits'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000;

COMMENT ON FUNCTION _waits() IS
'What vitals.waits reads. What other roles were seen at is shown to members of pg_read_all_stats only.';

CREATE VIEW waits AS
SELECT
	w.userid,
	r.rolname AS username,
	w.dbid,
	d.datname,
	w.application_name,
	w.backend_type,
	w.route,
	w.queryid,
	w.fingerprint,
	w.query,
	w.phase,
	w.wait_event_type,
	w.wait_event,
	w.samples,
	w.wait_time,
	w.wait_time_margin,
	w.blocked_time,
	w.first_seen,
	w.last_seen,
	w.stats_since
FROM _waits() AS w
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) w.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) w.dbid;

COMMENT ON VIEW waits IS
'Where time was seen to go, sampled every pg_vitals.sample_interval: one row per database, role, application, kind of process, route, statement, phase and wait event. Up to one second old. What other roles were seen at is shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN waits.userid IS
'role that executed it; NULL for background processes and in rows <other>';
COMMENT ON COLUMN waits.username IS
'its name; NULL if it is gone, and where userid is NULL';
COMMENT ON COLUMN waits.dbid IS
'database; NULL for processes that are in none';
COMMENT ON COLUMN waits.datname IS
'its name; NULL if it is gone, and where dbid is NULL';
COMMENT ON COLUMN waits.application_name IS
'application_name of the session; NULL for background processes and in rows <other>';
COMMENT ON COLUMN waits.backend_type IS
'kind of process, as in pg_stat_activity, but parallel worker or background worker for those that have a name of their own there; NULL in rows <other>';
COMMENT ON COLUMN waits.route IS
'best of the comment tags of the client''s statement that tell a place in its program, as in vitals.routes; NULL if there is none, while a statement is planned, and in rows <other>';
COMMENT ON COLUMN waits.queryid IS
'identifier the server gave the statement, the last seen; NULL if it gave none or there was no statement';
COMMENT ON COLUMN waits.fingerprint IS
'identifier made from the normalised text, as in vitals.statements: the innermost statement that is counted (pg_vitals.track); for a parallel worker its leader''s; NULL if there was none, and in rows <other>';
COMMENT ON COLUMN waits.query IS
'normalised text of the statement; NULL if there was none, before its first execution has ended, or if it could not be kept (pg_vitals.text_memory); <other> where what was pushed out of the table is added up';
COMMENT ON COLUMN waits.phase IS
'planning, executing, committing (the end of the transaction that the statement ends), idle in transaction (what the client did after the statement), other (what is around statements: parsing, analysing, waiting for locks in doing so, answering), background (processes that execute none); NULL in rows <other>';
COMMENT ON COLUMN waits.wait_event_type IS
'class of the wait event as in pg_stat_activity; CPU where the process did not wait: it ran, waited for a processor, or was in the kernel where the server does not tell of it';
COMMENT ON COLUMN waits.wait_event IS
'wait event as in pg_stat_activity; NULL where the type is CPU, and in rows <other>';
COMMENT ON COLUMN waits.samples IS
'how often it was seen';
COMMENT ON COLUMN waits.wait_time IS
'time that these samples stand for, in ms: each for the time since the pass before it';
COMMENT ON COLUMN waits.wait_time_margin IS
'the true time lies within wait_time plus or minus this with a probability of 95 %, in ms; 1.96 times the square root of the sum of the squares of the times of the samples, as if each came independently of the others (Poisson): for long waits the error is smaller';
COMMENT ON COLUMN waits.blocked_time IS
'time that other sessions waited for locks which this kept from them, directly or through others that waited, in ms; looked at once a second';
COMMENT ON COLUMN waits.first_seen IS
'when it was first seen';
COMMENT ON COLUMN waits.last_seen IS
'when it was last seen';
COMMENT ON COLUMN waits.stats_since IS
'since when the row is counted; another after a reset, or after it had been pushed out';

GRANT SELECT ON waits TO PUBLIC;
