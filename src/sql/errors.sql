/*
 * Errors: what failed, by statement and SQLSTATE.
 */

CREATE FUNCTION _errors(
	OUT dbid oid,
	OUT userid oid,
	OUT sqlstate text,
	OUT condition text,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT failures bigint,
	OUT caught bigint,
	OUT time_lost double precision,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_errors'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION _errors() IS
'What vitals.errors reads. Errors of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW errors AS
SELECT
	e.userid,
	r.rolname AS username,
	e.dbid,
	d.datname,
	e.sqlstate,
	e.condition,
	e.queryid,
	e.fingerprint,
	e.query,
	e.failures,
	e.caught,
	e.time_lost,
	e.first_seen,
	e.last_seen,
	e.stats_since
FROM _errors() AS e
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) e.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) e.dbid;

COMMENT ON VIEW errors IS
'What failed, one row per database, role, statement and SQLSTATE. Each error counts once, on the innermost statement it happened to that is counted (pg_vitals.track). Errors that came before there was a statement (syntax errors, unknown tables) are in a row without one, per database, role and SQLSTATE. Errors of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN errors.userid IS
'role that had the error; NULL in the row <other>';
COMMENT ON COLUMN errors.username IS
'its name; NULL if it is gone, and in the row <other>';
COMMENT ON COLUMN errors.dbid IS
'database the error happened in';
COMMENT ON COLUMN errors.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN errors.sqlstate IS
'SQLSTATE, five characters; NULL in the row <other>';
COMMENT ON COLUMN errors.condition IS
'the name that PL/pgSQL has for it, such as unique_violation; NULL if PostgreSQL does not define it, and in the row <other>';
COMMENT ON COLUMN errors.queryid IS
'identifier the server gave the statement, the last seen; NULL if it gave none or there was no statement yet';
COMMENT ON COLUMN errors.fingerprint IS
'identifier made from the normalised text, as in vitals.statements; NULL if there was no statement yet, and in the row <other>';
COMMENT ON COLUMN errors.query IS
'normalised text of the statement; NULL if there was no statement yet or if it could not be kept (pg_vitals.text_memory); <other> where what was pushed out of the table is added up';
COMMENT ON COLUMN errors.failures IS
'errors';
COMMENT ON COLUMN errors.caught IS
'of these, caught by an exception handler, so that the client was not told';
COMMENT ON COLUMN errors.time_lost IS
'time of the executions that these errors ended, in ms; errors that were caught inside a statement, which went on, add nothing unless the statement that failed in it is counted by itself (pg_vitals.track = all)';
COMMENT ON COLUMN errors.first_seen IS
'when this row was begun';
COMMENT ON COLUMN errors.last_seen IS
'when the last of these errors was counted';
COMMENT ON COLUMN errors.stats_since IS
'since when the row is counted; another after a reset, or after it had been pushed out';

GRANT SELECT ON errors TO PUBLIC;
