/*
 * Transactions that are going on.
 */

CREATE FUNCTION _transactions_now(
	OUT pid integer,
	OUT dbid oid,
	OUT userid oid,
	OUT application_name text,
	OUT transaction_start timestamptz,
	OUT total_time double precision,
	OUT executing_time double precision,
	OUT idle_time double precision,
	OUT phase text,
	OUT route text,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT statement_start timestamptz,
	OUT statements bigint,
	OUT rows_read bigint,
	OUT rows_written bigint,
	OUT rows_locked bigint,
	OUT xmin_age bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_transactions_now'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;

COMMENT ON FUNCTION _transactions_now() IS
'What vitals.transactions_now reads. What sessions of other roles do is shown to members of pg_read_all_stats only.';

CREATE VIEW transactions_now AS
WITH waiting AS MATERIALIZED (
	SELECT pid, path FROM blocking WHERE depth OPERATOR(pg_catalog.>) 0
)
SELECT
	t.pid,
	t.userid,
	r.rolname AS username,
	t.dbid,
	d.datname,
	t.application_name,
	t.transaction_start,
	t.total_time,
	t.executing_time,
	t.idle_time,
	t.phase,
	t.route,
	t.queryid,
	t.fingerprint,
	t.query,
	t.statement_start,
	t.statements,
	t.rows_read,
	t.rows_written,
	t.rows_locked,
	t.xmin_age,
	(SELECT pg_catalog.count(DISTINCT w.pid) FROM waiting AS w
		WHERE t.pid OPERATOR(pg_catalog.=) ANY (w.path) AND w.pid OPERATOR(pg_catalog.<>) t.pid) AS blocks
FROM _transactions_now() AS t
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) t.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) t.dbid
ORDER BY t.total_time DESC NULLS LAST;

COMMENT ON VIEW transactions_now IS
'Sessions that are in a transaction now, the longest first: since when, how much of that they were idle, what they do and what it holds up. A transaction that an error has aborted is over. Takes the lock manager''s locks for a moment if anybody waits for a lock, and none if not. What sessions of other roles do is shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN transactions_now.pid IS
'process';
COMMENT ON COLUMN transactions_now.userid IS
'role that executes the statement, or has executed the last one';
COMMENT ON COLUMN transactions_now.username IS
'its name; NULL if it is gone';
COMMENT ON COLUMN transactions_now.dbid IS
'database';
COMMENT ON COLUMN transactions_now.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN transactions_now.application_name IS
'application_name of the session; NULL for other roles'' sessions';
COMMENT ON COLUMN transactions_now.transaction_start IS
'when the transaction began, as xact_start in pg_stat_activity; NULL for other roles'' sessions';
COMMENT ON COLUMN transactions_now.total_time IS
'for how long it has been going on, in ms; NULL for other roles'' sessions';
COMMENT ON COLUMN transactions_now.executing_time IS
'of total_time, in ms: what was not idle, the statement at hand included; NULL if the transaction was not seen from its beginning, before its first statement, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.idle_time IS
'of total_time, in ms: between the end of a statement and the arrival of the next message, the present pause included; NULL if the transaction was not seen from its beginning, before its first statement, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.phase IS
'as in vitals.waits; NULL for other roles'' sessions';
COMMENT ON COLUMN transactions_now.route IS
'as in vitals.waits; NULL if there is none, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.queryid IS
'identifier the server gave the statement; NULL if it gave none, where there is no statement, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.fingerprint IS
'identifier made from the normalised text, as in vitals.waits: what it executes, or has executed last in the transaction; NULL if that is not known, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.query IS
'normalised text of the statement; NULL if that is not known: before its first execution has ended it is taken from the session''s text, if that is one statement, whole, without backslashes, and no function''s; <insufficient privilege> for other roles'' sessions';
COMMENT ON COLUMN transactions_now.statement_start IS
'when the client''s statement came; NULL where there is none, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.statements IS
'statements so far, the one at hand included, counted as in vitals.transactions; NULL if the transaction was not seen from its beginning, before its first statement, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.rows_read IS
'rows read so far, counted as in vitals.transactions when a statement has ended; NULL likewise';
COMMENT ON COLUMN transactions_now.rows_written IS
'rows written so far, likewise';
COMMENT ON COLUMN transactions_now.rows_locked IS
'rows locked so far, likewise';
COMMENT ON COLUMN transactions_now.xmin_age IS
'transactions that have begun since the oldest one that its snapshot may have to see, or since itself if it has written and has no snapshot at the moment: what vacuum must keep because of it; NULL if it has neither, and for other roles'' sessions';
COMMENT ON COLUMN transactions_now.blocks IS
'sessions that wait for a lock that it holds, directly or behind others; 0 if there are none';

GRANT SELECT ON transactions_now TO PUBLIC;
