/*
 * Routes: what places in applications cost, by the tags in their statements'
 * comments.
 */

CREATE FUNCTION _routes(
	OUT dbid oid,
	OUT userid oid,
	OUT application_name text,
	OUT tags jsonb,
	OUT route text,
	OUT calls bigint,
	OUT failures bigint,
	OUT total_exec_time double precision,
	OUT mean_exec_time double precision,
	OUT p95_exec_time double precision,
	OUT rows bigint,
	OUT statements bigint,
	OUT n_plus_one_bursts bigint,
	OUT stats_since timestamptz,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_routes'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION _routes() IS
'What vitals.routes reads. Routes of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW routes AS
SELECT
	d.datname,
	r.rolname AS username,
	t.application_name,
	t.tags,
	t.route,
	t.calls,
	t.failures,
	t.total_exec_time,
	t.mean_exec_time,
	t.p95_exec_time,
	t.rows,
	t.statements,
	t.n_plus_one_bursts,
	t.stats_since,
	t.first_seen,
	t.last_seen
FROM _routes() AS t
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) t.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) t.dbid;

COMMENT ON VIEW routes IS
'What places in applications cost: the statements that clients sent with the same tags in their comments, one row per database, role, application and set of tags. Statements without tags are in no row. Times are in ms. Routes of other roles are shown to members of pg_read_all_stats only.';
COMMENT ON COLUMN routes.datname IS
'database; NULL if it is gone';
COMMENT ON COLUMN routes.username IS
'role; NULL if it is gone, and in the row <other>';
COMMENT ON COLUMN routes.application_name IS
'application_name of the sessions; NULL in the row <other>';
COMMENT ON COLUMN routes.tags IS
'tags of the statements'' comments without those that tell one request from another (ids of traces, spans, requests, jobs, users and the like); NULL in the row <other> and if they could not be kept (pg_vitals.text_memory)';
COMMENT ON COLUMN routes.route IS
'the best of these tags: route, controller#action, job, endpoint, path of an URL, action, controller or operation; NULL if there is none of them and where tags is NULL, but <other> where what was pushed out of the table is added up';
COMMENT ON COLUMN routes.calls IS
'executions of statements with these tags, failed ones included';
COMMENT ON COLUMN routes.failures IS
'executions that ended in an error, a cancel or a timeout; they count in calls, and their time and rows in the columns below';
COMMENT ON COLUMN routes.total_exec_time IS
'total time executing the statements, in ms';
COMMENT ON COLUMN routes.mean_exec_time IS
'mean time of one execution, in ms; 0 without calls';
COMMENT ON COLUMN routes.p95_exec_time IS
'time that 95 % of the executions did not exceed, in ms (to 5 %); NULL without calls';
COMMENT ON COLUMN routes.rows IS
'rows retrieved or changed';
COMMENT ON COLUMN routes.statements IS
'different statements (fingerprints): exact up to 32, an estimate with a standard error of 10 % beyond';
COMMENT ON COLUMN routes.n_plus_one_bursts IS
'bursts that were found under these tags, of whatever kind vitals.n_plus_one has';
COMMENT ON COLUMN routes.stats_since IS
'since when the row is counted: another after it was pushed out or reset, never the same twice for one route';
COMMENT ON COLUMN routes.first_seen IS
'when the first of the statements that the row counts began';
COMMENT ON COLUMN routes.last_seen IS
'start of the last statement';

GRANT SELECT ON routes TO PUBLIC;
