/*
 * N+1 findings.
 */

CREATE FUNCTION _n_plus_one(
	OUT dbid oid,
	OUT userid oid,
	OUT kind text,
	OUT confidence text,
	OUT application_name text,
	OUT tags jsonb,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT parent_queryid bigint,
	OUT parent_fingerprint bigint,
	OUT parent_query text,
	OUT link text,
	OUT bursts bigint,
	OUT repeats bigint,
	OUT max_repeats bigint,
	OUT avg_repeats double precision,
	OUT distinct_parameters bigint,
	OUT exec_time double precision,
	OUT plan_time double precision,
	OUT wait_time double precision,
	OUT p10_wait_time double precision,
	OUT lock_time double precision,
	OUT rows bigint,
	OUT shared_blks_hit bigint,
	OUT shared_blks_read bigint,
	OUT wasted_time_low double precision,
	OUT wasted_time_high double precision,
	OUT suggestion text,
	OUT evidence jsonb,
	OUT stats_since timestamptz,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_findings'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION _n_plus_one() IS
'What vitals.n_plus_one and vitals.n_plus_one_suspected read. Findings of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW n_plus_one AS
SELECT
	f.kind,
	f.confidence,
	d.datname,
	r.rolname AS username,
	f.application_name,
	f.tags,
	f.queryid,
	f.fingerprint,
	f.query,
	f.parent_queryid,
	f.parent_fingerprint,
	f.parent_query,
	f.link,
	f.bursts,
	f.repeats,
	f.max_repeats,
	f.avg_repeats,
	f.distinct_parameters,
	f.exec_time,
	f.plan_time,
	f.wait_time,
	f.p10_wait_time,
	f.lock_time,
	f.rows,
	f.shared_blks_hit,
	f.shared_blks_read,
	f.wasted_time_low,
	f.wasted_time_high,
	f.suggestion,
	f.evidence,
	f.stats_since,
	f.first_seen,
	f.last_seen
FROM _n_plus_one() AS f
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) f.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) f.dbid
WHERE f.confidence OPERATOR(pg_catalog.<>) 'suspected';

COMMENT ON VIEW n_plus_one IS
'Statements repeated where one would do: one row per database, role, application, kind, repeated statement and parent. Times are in ms. Findings of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN n_plus_one.kind IS
'n_plus_one (repeated for the rows of a parent), n_plus_one_write (rows written one by one), duplicate (repeated with the same parameters and the same result), recursive_walk (repeated with a value of its own previous result), spi_loop (repeated by a function, for the rows of its query or in a loop of its own) or function_per_row (repeated by a function or trigger that was called for each row)';
COMMENT ON COLUMN n_plus_one.confidence IS
'proven (the columns are one or linked by foreign keys; the results of a duplicate were compared; a nested statement was seen running), likely (the values agree, in order or nearly all of them; or many different lookups or writes in one transaction) or suspected (nothing but the repeats speaks for it)';
COMMENT ON COLUMN n_plus_one.datname IS
'database; NULL if it is gone';
COMMENT ON COLUMN n_plus_one.username IS
'role; NULL if it is gone';
COMMENT ON COLUMN n_plus_one.application_name IS
'application_name of the session';
COMMENT ON COLUMN n_plus_one.tags IS
'tags of the comments in the repeated statement, of the last burst; NULL where it had none';
COMMENT ON COLUMN n_plus_one.queryid IS
'the repeated statement: the server''s identifier, the last seen; NULL where the server gave none';
COMMENT ON COLUMN n_plus_one.fingerprint IS
'the repeated statement: fingerprint, as in vitals.statements';
COMMENT ON COLUMN n_plus_one.query IS
'the repeated statement: normalised text; NULL if it could not be kept (pg_vitals.text_memory)';
COMMENT ON COLUMN n_plus_one.parent_queryid IS
'the statement whose rows it was repeated for; NULL where there is none';
COMMENT ON COLUMN n_plus_one.parent_fingerprint IS
'fingerprint of that statement; NULL where there is none';
COMMENT ON COLUMN n_plus_one.parent_query IS
'normalised text of that statement; NULL where there is none or it could not be kept (pg_vitals.text_memory)';
COMMENT ON COLUMN n_plus_one.link IS
'how the columns are linked, from the referencing to the referenced one; NULL where unproven';
COMMENT ON COLUMN n_plus_one.bursts IS
'how often it happened';
COMMENT ON COLUMN n_plus_one.repeats IS
'executions of the repeated statement in all bursts';
COMMENT ON COLUMN n_plus_one.max_repeats IS
'most executions in one burst';
COMMENT ON COLUMN n_plus_one.avg_repeats IS
'executions per burst, on average';
COMMENT ON COLUMN n_plus_one.distinct_parameters IS
'different values of the linked parameter (for a duplicate: sets of parameters) in one burst, at the most; exact up to 32; NULL for spi_loop and function_per_row';
COMMENT ON COLUMN n_plus_one.exec_time IS
'time executing the repeats, in ms';
COMMENT ON COLUMN n_plus_one.plan_time IS
'time planning the repeats, in ms';
COMMENT ON COLUMN n_plus_one.wait_time IS
'time between the end of the statement before each repeat and its arrival, in ms: network and client';
COMMENT ON COLUMN n_plus_one.p10_wait_time IS
'wait before a repeat that a tenth of the repeats did not exceed, in ms (to a fifth of it): about what the network takes; NULL where no waits were measured';
COMMENT ON COLUMN n_plus_one.lock_time IS
'time from repeat to repeat while a transaction that had written held its locks, in ms';
COMMENT ON COLUMN n_plus_one.rows IS
'rows that the repeats returned';
COMMENT ON COLUMN n_plus_one.shared_blks_hit IS
'shared blocks that the repeats found in the cache';
COMMENT ON COLUMN n_plus_one.shared_blks_read IS
'shared blocks that the repeats read';
COMMENT ON COLUMN n_plus_one.wasted_time_low IS
'what one batched statement would have saved at the least, in ms: for each repeat but one a burst, the wait of p10_wait_time and its planning';
COMMENT ON COLUMN n_plus_one.wasted_time_high IS
'what it would have saved at the most, in ms: for each repeat but one a burst, its waiting, planning and execution';
COMMENT ON COLUMN n_plus_one.suggestion IS
'what to do, with SQL where it can be derived';
COMMENT ON COLUMN n_plus_one.evidence IS
'why it is said, of the last burst: rows of the parent''s result (parent_rows) and how many of them the repeats touched, in which order; lineage of the columns; how many bursts one transaction held together; how many connections the repeats came over (connections), if more than one; waits in ms';
COMMENT ON COLUMN n_plus_one.stats_since IS
'since when the row is counted: another after it was pushed out or reset, never the same twice for one finding; of n_plus_one_since NULL if it has been pushed out';
COMMENT ON COLUMN n_plus_one.first_seen IS
'when it was first found';
COMMENT ON COLUMN n_plus_one.last_seen IS
'start of the last repeat';

CREATE VIEW n_plus_one_suspected AS
SELECT
	f.kind,
	f.confidence,
	d.datname,
	r.rolname AS username,
	f.application_name,
	f.tags,
	f.queryid,
	f.fingerprint,
	f.query,
	f.parent_queryid,
	f.parent_fingerprint,
	f.parent_query,
	f.link,
	f.bursts,
	f.repeats,
	f.max_repeats,
	f.avg_repeats,
	f.distinct_parameters,
	f.exec_time,
	f.plan_time,
	f.wait_time,
	f.p10_wait_time,
	f.lock_time,
	f.rows,
	f.shared_blks_hit,
	f.shared_blks_read,
	f.wasted_time_low,
	f.wasted_time_high,
	f.suggestion,
	f.evidence,
	f.stats_since,
	f.first_seen,
	f.last_seen
FROM _n_plus_one() AS f
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) f.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) f.dbid
WHERE f.confidence OPERATOR(pg_catalog.=) 'suspected';

COMMENT ON VIEW n_plus_one_suspected IS
'Repeats that nothing but their number speaks against: many lookups or writes in a row, in autocommit, for the rows of no parent. The columns are those of n_plus_one; times are in ms. Findings of other roles are shown to members of pg_read_all_stats only.';

/* its columns mean the same */
DO $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS words
		FROM pg_catalog.pg_attribute AS a
		WHERE a.attrelid = 'n_plus_one'::pg_catalog.regclass AND a.attnum > 0
	LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN n_plus_one_suspected.%I IS %L', c.attname, c.words);
	END LOOP;
END
$$;

GRANT SELECT ON n_plus_one, n_plus_one_suspected TO PUBLIC;
