/*
 * Deadlocks: which statements have waited for each other.
 */

CREATE FUNCTION _deadlocks(
	OUT dbid oid,
	OUT deadlock bigint,
	OUT deadlocks bigint,
	OUT participants integer,
	OUT participant integer,
	OUT userid oid,
	OUT application_name text,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT victims bigint,
	OUT lock_type text,
	OUT lock_mode text,
	OUT lock_dbid oid,
	OUT lock_relation oid,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_deadlocks'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION _deadlocks() IS
'What vitals.deadlocks reads. What other roles executed is shown to members of pg_read_all_stats only.';

CREATE VIEW deadlocks AS
SELECT
	k.deadlock,
	k.dbid,
	d.datname,
	k.deadlocks,
	k.participants,
	k.participant,
	k.userid,
	r.rolname AS username,
	k.application_name,
	k.queryid,
	k.fingerprint,
	k.query,
	k.victims,
	k.lock_type,
	k.lock_mode,
	c.oid::pg_catalog.regclass::pg_catalog.text AS lock_relation,
	k.first_seen,
	k.last_seen,
	k.stats_since
FROM _deadlocks() AS k
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) k.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) k.dbid
LEFT JOIN pg_catalog.pg_database AS here ON here.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) k.lock_relation
	AND (k.lock_dbid OPERATOR(pg_catalog.=) here.oid OR k.lock_dbid OPERATOR(pg_catalog.=) 0::pg_catalog.oid);

COMMENT ON VIEW deadlocks IS
'Which statements have waited for each other in a circle, until the server cancelled one: a row for each statement in it. Deadlocks of the same statements and roles in the same order are one. What other roles executed is shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN deadlocks.deadlock IS
'identifier of the circle of statements and roles; NULL in the row <other>';
COMMENT ON COLUMN deadlocks.dbid IS
'database of the session that was cancelled';
COMMENT ON COLUMN deadlocks.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN deadlocks.deadlocks IS
'how often these statements, executed as these roles, have waited for each other';
COMMENT ON COLUMN deadlocks.participants IS
'sessions in the circle; 1 if the others could not be told from the message; NULL in the row <other>';
COMMENT ON COLUMN deadlocks.participant IS
'place in the circle: each waited for the next one, the last for the first; of more than 8 the first 8 are told; NULL in the row <other>';
COMMENT ON COLUMN deadlocks.userid IS
'role that executed the statement; NULL if it is not known, and in the row <other>';
COMMENT ON COLUMN deadlocks.username IS
'its name; NULL if it is gone, and where userid is NULL';
COMMENT ON COLUMN deadlocks.application_name IS
'application_name of the session, the last time; NULL for other roles'' statements, and in the row <other>';
COMMENT ON COLUMN deadlocks.queryid IS
'identifier the server gave the statement, the last seen; NULL if it gave none, for other roles'' statements, and in the row <other>';
COMMENT ON COLUMN deadlocks.fingerprint IS
'identifier made from the normalised text, as in vitals.statements: the innermost statement that is counted (pg_vitals.track); NULL if it is not known, for other roles'' statements, and in the row <other>';
COMMENT ON COLUMN deadlocks.query IS
'normalised text of the statement; NULL if it is not known or could not be kept (pg_vitals.text_memory); <insufficient privilege> for other roles'' statements; <other> where what was pushed out of the table is added up';
COMMENT ON COLUMN deadlocks.victims IS
'how often it was this statement that the server cancelled; NULL in the row <other>';
COMMENT ON COLUMN deadlocks.lock_type IS
'what it waited to lock, as locktype in pg_locks, the last time; NULL if it is not known, and in the row <other>';
COMMENT ON COLUMN deadlocks.lock_mode IS
'how it wanted to lock that, as mode in pg_locks, the last time; NULL where lock_type is NULL';
COMMENT ON COLUMN deadlocks.lock_relation IS
'table or index that it is, or that the row is in which it waited for; NULL if it is nothing of a relation, in another database, if the relation is gone, and in the row <other>';
COMMENT ON COLUMN deadlocks.first_seen IS
'when it first happened';
COMMENT ON COLUMN deadlocks.last_seen IS
'when it happened last';
COMMENT ON COLUMN deadlocks.stats_since IS
'since when the row is counted: another after it was pushed out or reset, never the same twice for one row';

GRANT SELECT ON deadlocks TO PUBLIC;
