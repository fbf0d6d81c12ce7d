/*
 * Blocking: who waits for whom now.
 */

CREATE FUNCTION _blocking(
	OUT pid integer,
	OUT blocked_by integer[],
	OUT dbid oid,
	OUT userid oid,
	OUT application_name text,
	OUT route text,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT phase text,
	OUT statement_start timestamptz,
	OUT transaction_start timestamptz,
	OUT lock_type text,
	OUT lock_mode text,
	OUT lock_dbid oid,
	OUT lock_relation oid,
	OUT wait_start timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_blocking'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION _blocking() IS
'What vitals.blocking reads. What sessions of other roles execute is shown to members of pg_read_all_stats only.';

CREATE VIEW blocking AS
WITH RECURSIVE process AS MATERIALIZED (
	SELECT * FROM _blocking()
), tree AS (
	SELECT p.pid, p.pid AS root_pid, 0 AS depth, ARRAY[p.pid] AS path
	FROM process AS p
	WHERE p.blocked_by IS NULL
	UNION ALL
	SELECT p.pid, t.root_pid, t.depth OPERATOR(pg_catalog.+) 1, pg_catalog.array_append(t.path, p.pid)
	FROM tree AS t
	JOIN process AS p ON t.pid OPERATOR(pg_catalog.=) ANY (p.blocked_by)
		AND p.pid OPERATOR(pg_catalog.<>) ALL (t.path)
)
SELECT
	t.root_pid,
	t.depth,
	t.path,
	p.pid,
	p.blocked_by,
	p.userid,
	r.rolname AS username,
	p.dbid,
	d.datname,
	p.application_name,
	p.route,
	p.queryid,
	p.fingerprint,
	p.query,
	p.phase,
	p.statement_start,
	p.transaction_start,
	p.lock_type,
	p.lock_mode,
	c.oid::pg_catalog.regclass::pg_catalog.text AS lock_relation,
	pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.wait_start)
		OPERATOR(pg_catalog.*) 1000 AS wait_time
FROM tree AS t
JOIN process AS p ON p.pid OPERATOR(pg_catalog.=) t.pid
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) p.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) p.dbid
LEFT JOIN pg_catalog.pg_database AS here ON here.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.lock_relation
	AND (p.lock_dbid OPERATOR(pg_catalog.=) here.oid OR p.lock_dbid OPERATOR(pg_catalog.=) 0::pg_catalog.oid)
ORDER BY t.path;

COMMENT ON VIEW blocking IS
'Who waits for whom now: trees of the processes that wait for a lock of the lock manager, each below those that it waits for. Takes the lock manager''s locks for a moment if anybody waits, and none if not. What sessions of other roles execute is shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN blocking.root_pid IS
'process at the root of the tree: it waits for nobody';
COMMENT ON COLUMN blocking.depth IS
'0 for the root, 1 for those that wait for it, and so on';
COMMENT ON COLUMN blocking.path IS
'processes from the root to this one; a process that waits for several is there more than once';
COMMENT ON COLUMN blocking.pid IS
'process; 0 stands for prepared transactions';
COMMENT ON COLUMN blocking.blocked_by IS
'processes that it waits for, as pg_blocking_pids tells; NULL for the root';
COMMENT ON COLUMN blocking.userid IS
'role that executes it; NULL for background processes and prepared transactions';
COMMENT ON COLUMN blocking.username IS
'its name; NULL if it is gone, and where userid is NULL';
COMMENT ON COLUMN blocking.dbid IS
'database; NULL for processes that are in none, and prepared transactions';
COMMENT ON COLUMN blocking.datname IS
'its name; NULL where dbid is NULL';
COMMENT ON COLUMN blocking.application_name IS
'application_name of the session; NULL for other roles'' sessions and prepared transactions';
COMMENT ON COLUMN blocking.route IS
'as in vitals.waits; NULL if there is none, and for other roles'' sessions';
COMMENT ON COLUMN blocking.queryid IS
'identifier the server gave the statement; NULL if it gave none, where there is no statement, and for other roles'' sessions';
COMMENT ON COLUMN blocking.fingerprint IS
'identifier made from the normalised text, as in vitals.waits: what it executes, or has executed last in its transaction; NULL if that is not known, and for other roles'' sessions';
COMMENT ON COLUMN blocking.query IS
'normalised text of the statement; NULL if that is not known: before its first execution has ended it is taken from the session''s text, if that is one statement, whole, without backslashes, and no function''s; <insufficient privilege> for other roles'' sessions';
COMMENT ON COLUMN blocking.phase IS
'as in vitals.waits; NULL where there is no statement, and for other roles'' sessions';
COMMENT ON COLUMN blocking.statement_start IS
'when the client''s statement came; NULL where there is none, and for other roles'' sessions';
COMMENT ON COLUMN blocking.transaction_start IS
'when its transaction began; NULL if it is in none, and for other roles'' sessions';
COMMENT ON COLUMN blocking.lock_type IS
'what is locked that it waits for, as locktype in pg_locks; NULL for the root';
COMMENT ON COLUMN blocking.lock_mode IS
'how it wants to lock that, as mode in pg_locks; NULL for the root';
COMMENT ON COLUMN blocking.lock_relation IS
'table or index that it is, or is in, or that the row is in whose last writer''s transaction it waits for; NULL for the root, if it is nothing of a relation, and in another database';
COMMENT ON COLUMN blocking.wait_time IS
'for how long it has been waiting, in ms; NULL for the root, and in the first moment';

GRANT SELECT ON blocking TO PUBLIC;
