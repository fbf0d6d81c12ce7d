/*
 * Transactions: what sequences of statements cost, and what goes on now.
 */

CREATE FUNCTION _transactions(
	OUT dbid oid,
	OUT userid oid,
	OUT application_name text,
	OUT route text,
	OUT shape bigint,
	OUT shape_length bigint,
	OUT fingerprints bigint[],
	OUT queries text[],
	OUT calls bigint,
	OUT committed bigint,
	OUT rolled_back bigint,
	OUT failures bigint,
	OUT prepared bigint,
	OUT total_time double precision,
	OUT min_time double precision,
	OUT max_time double precision,
	OUT mean_time double precision,
	OUT p50_time double precision,
	OUT p90_time double precision,
	OUT p95_time double precision,
	OUT p99_time double precision,
	OUT max_time_start timestamptz,
	OUT executing_time double precision,
	OUT idle_time double precision,
	OUT commit_time double precision,
	OUT statements bigint,
	OUT max_statements bigint,
	OUT rows_read bigint,
	OUT rows_written bigint,
	OUT rows_locked bigint,
	OUT wal_records bigint,
	OUT wal_fpi bigint,
	OUT wal_bytes bigint,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_transactions'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION _transactions() IS
'What vitals.transactions reads. Transactions of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW transactions AS
SELECT
	t.userid,
	r.rolname AS username,
	t.dbid,
	d.datname,
	t.application_name,
	t.route,
	t.shape,
	t.shape_length,
	t.fingerprints,
	t.queries,
	t.calls,
	t.committed,
	t.rolled_back,
	t.failures,
	t.prepared,
	t.total_time,
	t.min_time,
	t.max_time,
	t.mean_time,
	t.p50_time,
	t.p90_time,
	t.p95_time,
	t.p99_time,
	t.max_time_start,
	t.executing_time,
	t.idle_time,
	t.commit_time,
	t.statements,
	t.max_statements,
	t.rows_read,
	t.rows_written,
	t.rows_locked,
	t.wal_records,
	t.wal_fpi,
	t.wal_bytes,
	t.first_seen,
	t.last_seen,
	t.stats_since
FROM _transactions() AS t
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) t.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) t.dbid;

COMMENT ON VIEW transactions IS
'What transactions cost, one row per database, role, application, route and sequence of statements: blocks (BEGIN ... COMMIT), and transactions of several statements without one (a message of several statements, a pipeline before its Sync). A single statement outside of a block is in vitals.statements only. Times are in ms. Transactions of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN transactions.userid IS
'role that executed it; where its statements were executed as several roles, the one that the session was opened as (session_user); NULL in the row <other>';
COMMENT ON COLUMN transactions.username IS
'its name; NULL if it is gone, and in the row <other>';
COMMENT ON COLUMN transactions.dbid IS
'database';
COMMENT ON COLUMN transactions.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN transactions.application_name IS
'application_name of the sessions, at the end of the transaction; <other> where what was pushed out of the table is added up';
COMMENT ON COLUMN transactions.route IS
'as in vitals.waits: of the first of its statements that has one, BEGIN included; NULL if none has, if it could not be kept (pg_vitals.text_memory), and in the row <other>';
COMMENT ON COLUMN transactions.shape IS
'identifier of the sequence of its statements: a hash of their fingerprints in their order, repetitions left out; NULL in the row <other>';
COMMENT ON COLUMN transactions.shape_length IS
'statements in that sequence; NULL in the row <other>';
COMMENT ON COLUMN transactions.fingerprints IS
'the first 8 of them, as in vitals.statements; an element is NULL for statements that came once in a crowd and were given no name; NULL in the row <other>';
COMMENT ON COLUMN transactions.queries IS
'their normalised texts; an element is NULL where no row of vitals.statements keeps the text any more; NULL in the row <other>';
COMMENT ON COLUMN transactions.calls IS
'transactions: committed, rolled back and prepared';
COMMENT ON COLUMN transactions.committed IS
'transactions that were committed';
COMMENT ON COLUMN transactions.rolled_back IS
'transactions that were rolled back, for whatever reason';
COMMENT ON COLUMN transactions.failures IS
'of these, those that the client did not ask to roll back: an error, a cancel, a timeout, the end of the session';
COMMENT ON COLUMN transactions.prepared IS
'transactions that ended with PREPARE TRANSACTION; what becomes of them, COMMIT PREPARED or ROLLBACK PREPARED, is not counted here';
COMMENT ON COLUMN transactions.total_time IS
'total time of the transactions, in ms: from the arrival of the first statement, BEGIN as a rule, to the end of the commit, or to the rollback; executing_time + idle_time + commit_time';
COMMENT ON COLUMN transactions.min_time IS
'time of the shortest, in ms';
COMMENT ON COLUMN transactions.max_time IS
'time of the longest, in ms';
COMMENT ON COLUMN transactions.mean_time IS
'mean time, in ms';
COMMENT ON COLUMN transactions.p50_time IS
'time that half of the transactions did not exceed, in ms (to 5 %)';
COMMENT ON COLUMN transactions.p90_time IS
'time that 90 % of the transactions did not exceed, in ms (to 5 %)';
COMMENT ON COLUMN transactions.p95_time IS
'time that 95 % of the transactions did not exceed, in ms (to 5 %)';
COMMENT ON COLUMN transactions.p99_time IS
'time that 99 % of the transactions did not exceed, in ms (to 5 %)';
COMMENT ON COLUMN transactions.max_time_start IS
'when the longest began';
COMMENT ON COLUMN transactions.executing_time IS
'of total_time, in ms: the server was at work on a statement, from the arrival of the message to the end of its execution, waiting for locks and the like included';
COMMENT ON COLUMN transactions.idle_time IS
'of total_time, in ms: between the end of a statement and the arrival of the next message: the client had the word, and the transaction kept its locks and its snapshot';
COMMENT ON COLUMN transactions.commit_time IS
'of total_time, in ms: from the end of COMMIT, PREPARE TRANSACTION or, without such, the last statement to when it was done: deferred triggers and constraints, writing WAL to disk, waiting for standbys';
COMMENT ON COLUMN transactions.statements IS
'statements that clients sent in these transactions and that began to execute, without BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their like';
COMMENT ON COLUMN transactions.max_statements IS
'most statements in one of them';
COMMENT ON COLUMN transactions.rows_read IS
'rows returned by SELECT, by FETCH and by COPY TO';
COMMENT ON COLUMN transactions.rows_written IS
'rows inserted, updated, deleted, merged, loaded by COPY FROM or stored by CREATE TABLE AS and REFRESH MATERIALIZED VIEW';
COMMENT ON COLUMN transactions.rows_locked IS
'of the rows read and written: those returned by SELECT ... FOR UPDATE or SHARE, and those changed by UPDATE and DELETE; not those locked by functions, foreign keys, subqueries, MERGE and INSERT ... ON CONFLICT';
COMMENT ON COLUMN transactions.wal_records IS
'WAL records written, those of the commit included';
COMMENT ON COLUMN transactions.wal_fpi IS
'WAL full page images written';
COMMENT ON COLUMN transactions.wal_bytes IS
'WAL written, in bytes';
COMMENT ON COLUMN transactions.first_seen IS
'when the first transaction in this row began';
COMMENT ON COLUMN transactions.last_seen IS
'when the last one ended';
COMMENT ON COLUMN transactions.stats_since IS
'since when the row is counted: another after it was pushed out or reset, never the same twice for one row';

GRANT SELECT ON transactions TO PUBLIC;
