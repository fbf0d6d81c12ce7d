/*
 * Slow executions one by one, and estimates that were far off.
 */

CREATE FUNCTION _slow_statements(
	OUT started_at timestamptz,
	OUT ended_at timestamptz,
	OUT pid integer,
	OUT userid oid,
	OUT dbid oid,
	OUT application_name text,
	OUT route text,
	OUT toplevel boolean,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT planid bigint,
	OUT query text,
	OUT exec_time double precision,
	OUT plan_time double precision,
	OUT rows bigint,
	OUT shared_blks_hit bigint,
	OUT shared_blks_read bigint,
	OUT shared_blks_dirtied bigint,
	OUT shared_blks_written bigint,
	OUT temp_blks_read bigint,
	OUT temp_blks_written bigint,
	OUT wal_bytes numeric,
	OUT sqlstate text,
	OUT waits json,
	OUT parameter_count integer,
	OUT parameters json,
	OUT parameter_values text,
	OUT rows_counted boolean,
	OUT plan text,
	OUT plan_json json)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_slow_statements'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 500;

COMMENT ON FUNCTION _slow_statements() IS
'What vitals.slow_statements reads. Executions of other roles are shown to members of pg_read_all_stats only, values of parameters to superusers and the role that executed the statement.';

CREATE VIEW slow_statements AS
SELECT
	s.started_at,
	s.ended_at,
	s.pid,
	s.userid,
	r.rolname AS username,
	s.dbid,
	d.datname,
	s.application_name,
	s.route,
	s.toplevel,
	s.queryid,
	s.fingerprint,
	s.planid,
	s.query,
	s.exec_time,
	s.plan_time,
	s.rows,
	s.shared_blks_hit,
	s.shared_blks_read,
	s.shared_blks_dirtied,
	s.shared_blks_written,
	s.temp_blks_read,
	s.temp_blks_written,
	s.wal_bytes,
	s.sqlstate,
	s.waits,
	s.parameter_count,
	s.parameters,
	s.parameter_values,
	s.rows_counted,
	s.plan,
	s.plan_json
FROM _slow_statements() AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.dbid;

COMMENT ON VIEW slow_statements IS
'Executions that took pg_vitals.slow_threshold or longer, one row each: the last pg_vitals.max_slow_statements, since the start of the server. Those of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN slow_statements.started_at IS
'when the execution began';
COMMENT ON COLUMN slow_statements.ended_at IS
'when it had ended';
COMMENT ON COLUMN slow_statements.pid IS
'process of the session';
COMMENT ON COLUMN slow_statements.userid IS
'role that executed it';
COMMENT ON COLUMN slow_statements.username IS
'its name; NULL if it is gone';
COMMENT ON COLUMN slow_statements.dbid IS
'database';
COMMENT ON COLUMN slow_statements.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN slow_statements.application_name IS
'application_name of the session';
COMMENT ON COLUMN slow_statements.route IS
'place in the application, from the tags in a comment; of a statement inside a function, that of the client''s statement; NULL if there is none';
COMMENT ON COLUMN slow_statements.toplevel IS
'whether a client sent it; false for what ran inside a function';
COMMENT ON COLUMN slow_statements.queryid IS
'identifier the server gave the statement; NULL if it gave none';
COMMENT ON COLUMN slow_statements.fingerprint IS
'identifier made from the normalised text, as in vitals.statements; NULL if it was left unidentified in a full table, with pg_vitals.slow_threshold = 0';
COMMENT ON COLUMN slow_statements.planid IS
'identifier of the plan, as in vitals.plans; NULL for utility statements, for what reads no table, and with pg_vitals.track_plans off';
COMMENT ON COLUMN slow_statements.query IS
'normalised text of the statement; NULL if it could not be kept (pg_vitals.text_memory)';
COMMENT ON COLUMN slow_statements.exec_time IS
'time of the execution, in ms';
COMMENT ON COLUMN slow_statements.plan_time IS
'time of its planning, in ms; 0 if it was prepared; NULL for utility statements and statements inside functions';
COMMENT ON COLUMN slow_statements.rows IS
'rows retrieved or affected';
COMMENT ON COLUMN slow_statements.shared_blks_hit IS
'shared blocks found in the cache';
COMMENT ON COLUMN slow_statements.shared_blks_read IS
'shared blocks read';
COMMENT ON COLUMN slow_statements.shared_blks_dirtied IS
'shared blocks dirtied';
COMMENT ON COLUMN slow_statements.shared_blks_written IS
'shared blocks written';
COMMENT ON COLUMN slow_statements.temp_blks_read IS
'temporary blocks read';
COMMENT ON COLUMN slow_statements.temp_blks_written IS
'temporary blocks written';
COMMENT ON COLUMN slow_statements.wal_bytes IS
'WAL generated, in bytes';
COMMENT ON COLUMN slow_statements.sqlstate IS
'of the error that ended it; NULL if it did not fail';
COMMENT ON COLUMN slow_statements.waits IS
'what this execution was seen at by the sampler, an array of objects with wait_event_type, wait_event, samples and wait_time in ms, what took most first; CPU where it did not wait; parallel workers included; NULL with pg_vitals.sample_interval = 0, and for statements inside functions in which others were executed';
COMMENT ON COLUMN slow_statements.parameter_count IS
'number of parameters that the client gave; NULL if there are none';
COMMENT ON COLUMN slow_statements.parameters IS
'the first 32 of them, an array of objects with type, length in bytes, and null; length is missing for nulls and where the execution failed; NULL if there are none';
COMMENT ON COLUMN slow_statements.parameter_values IS
'their values, cut at 256 bytes each; NULL unless pg_vitals.slow_parameters is on, where the execution failed, and for all but superusers and the role that executed it';
COMMENT ON COLUMN slow_statements.rows_counted IS
'whether the plan is of this very execution, with the rows that its nodes had; NULL without a plan';
COMMENT ON COLUMN slow_statements.plan IS
'its plan, as in vitals.plans; NULL if there is none, or if it could not be kept';
COMMENT ON COLUMN slow_statements.plan_json IS
'the same as JSON';

GRANT SELECT ON slow_statements TO PUBLIC;

CREATE FUNCTION _misestimates(
	OUT userid oid,
	OUT dbid oid,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT planid bigint,
	OUT query text,
	OUT node integer,
	OUT node_type text,
	OUT relation text,
	OUT direction text,
	OUT estimated_rows double precision,
	OUT actual_rows double precision,
	OUT factor double precision,
	OUT loops double precision,
	OUT seen bigint,
	OUT worst_estimated_rows double precision,
	OUT worst_actual_rows double precision,
	OUT worst_factor double precision,
	OUT inherited boolean,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_misestimates'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION _misestimates() IS
'What vitals.misestimates reads. Statements of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW misestimates AS
SELECT
	m.userid,
	r.rolname AS username,
	m.dbid,
	d.datname,
	m.queryid,
	m.fingerprint,
	m.planid,
	m.query,
	m.node,
	m.node_type,
	m.relation,
	m.direction,
	m.estimated_rows,
	m.actual_rows,
	m.factor,
	m.loops,
	m.seen,
	m.worst_estimated_rows,
	m.worst_actual_rows,
	m.worst_factor,
	m.inherited,
	m.first_seen,
	m.last_seen,
	m.stats_since
FROM _misestimates() AS m
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) m.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) m.dbid;

COMMENT ON VIEW misestimates IS
'Plan nodes that had ten times as many rows as the planner estimated, or a tenth, one row per database, role, statement, plan, node and direction. Found in those executions whose rows were counted (pg_vitals.count_rows). Those of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN misestimates.userid IS
'role that executed the statement';
COMMENT ON COLUMN misestimates.username IS
'its name; NULL if it is gone';
COMMENT ON COLUMN misestimates.dbid IS
'database';
COMMENT ON COLUMN misestimates.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN misestimates.queryid IS
'identifier the server gave the statement, the last seen; NULL if it gave none';
COMMENT ON COLUMN misestimates.fingerprint IS
'identifier made from the normalised text, as in vitals.statements';
COMMENT ON COLUMN misestimates.planid IS
'identifier of the plan, as in vitals.plans';
COMMENT ON COLUMN misestimates.query IS
'normalised text of the statement; NULL if it is no longer kept';
COMMENT ON COLUMN misestimates.node IS
'number that the planner gave the node, which tells nodes of one plan apart';
COMMENT ON COLUMN misestimates.node_type IS
'kind of node, as EXPLAIN calls it';
COMMENT ON COLUMN misestimates.relation IS
'table that it scans, with its schema; the index of a Bitmap Index Scan; NULL for other nodes, and if the name could not be kept (pg_vitals.text_memory)';
COMMENT ON COLUMN misestimates.direction IS
'underestimated (there were more rows) or overestimated (fewer)';
COMMENT ON COLUMN misestimates.estimated_rows IS
'rows that the planner expected, per loop, when it was last seen';
COMMENT ON COLUMN misestimates.actual_rows IS
'rows that there were, per loop and on average, likewise';
COMMENT ON COLUMN misestimates.factor IS
'how many times more, or less; no rows count as one';
COMMENT ON COLUMN misestimates.loops IS
'how often the node was executed, likewise';
COMMENT ON COLUMN misestimates.seen IS
'executions in which it was off, of those whose rows were counted';
COMMENT ON COLUMN misestimates.worst_estimated_rows IS
'rows that the planner expected when it was off most';
COMMENT ON COLUMN misestimates.worst_actual_rows IS
'rows that there were then';
COMMENT ON COLUMN misestimates.worst_factor IS
'factor then';
COMMENT ON COLUMN misestimates.inherited IS
'whether, when it was last seen, a node that it reads was off in the same direction, so that it may be but the consequence';
COMMENT ON COLUMN misestimates.first_seen IS
'when this row was begun';
COMMENT ON COLUMN misestimates.last_seen IS
'when it was last seen';
COMMENT ON COLUMN misestimates.stats_since IS
'since when the row is counted; another after a reset, or after it had been pushed out';

GRANT SELECT ON misestimates TO PUBLIC;
