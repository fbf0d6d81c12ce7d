/*
 * Plans: executions by statement and plan, and changes of plans.
 */

CREATE FUNCTION _plans(
	OUT userid oid,
	OUT dbid oid,
	OUT toplevel boolean,
	OUT queryid bigint,
	OUT fingerprint bigint,
	OUT query text,
	OUT planid bigint,
	OUT plan text,
	OUT plan_json json,
	OUT calls bigint,
	OUT total_exec_time double precision,
	OUT min_exec_time double precision,
	OUT max_exec_time double precision,
	OUT mean_exec_time double precision,
	OUT stddev_exec_time double precision,
	OUT p50_exec_time double precision,
	OUT p90_exec_time double precision,
	OUT p95_exec_time double precision,
	OUT p99_exec_time double precision,
	OUT rows bigint,
	OUT shared_blks_hit bigint,
	OUT shared_blks_read bigint,
	OUT shared_blks_dirtied bigint,
	OUT shared_blks_written bigint,
	OUT local_blks_hit bigint,
	OUT local_blks_read bigint,
	OUT local_blks_dirtied bigint,
	OUT local_blks_written bigint,
	OUT temp_blks_read bigint,
	OUT temp_blks_written bigint,
	OUT failures bigint,
	OUT generic_plan_calls bigint,
	OUT custom_plan_calls bigint,
	OUT startup_cost double precision,
	OUT total_cost double precision,
	OUT planned_rows double precision,
	OUT first_seen timestamptz,
	OUT last_seen timestamptz,
	OUT stats_since timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgv_surface_plans'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000;

COMMENT ON FUNCTION _plans() IS
'What vitals.plans reads. Plans of other roles are shown to members of pg_read_all_stats only.';

CREATE VIEW plans AS
SELECT
	p.userid,
	r.rolname AS username,
	p.dbid,
	d.datname,
	p.toplevel,
	p.queryid,
	p.fingerprint,
	p.query,
	p.planid,
	p.plan,
	p.plan_json,
	p.calls,
	p.total_exec_time,
	p.min_exec_time,
	p.max_exec_time,
	p.mean_exec_time,
	p.stddev_exec_time,
	p.p50_exec_time,
	p.p90_exec_time,
	p.p95_exec_time,
	p.p99_exec_time,
	p.rows,
	p.shared_blks_hit,
	p.shared_blks_read,
	p.shared_blks_dirtied,
	p.shared_blks_written,
	p.local_blks_hit,
	p.local_blks_read,
	p.local_blks_dirtied,
	p.local_blks_written,
	p.temp_blks_read,
	p.temp_blks_written,
	p.failures,
	p.generic_plan_calls,
	p.custom_plan_calls,
	p.startup_cost,
	p.total_cost,
	p.planned_rows,
	p.first_seen,
	p.last_seen,
	p.stats_since
FROM _plans() AS p
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) p.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) p.dbid;

COMMENT ON VIEW plans IS
'Executions by statement and plan, one row per database, role, statement and plan. Utility statements have no plan and are not here. What is pushed out of the table is added to one row per database, <evicted>. Plans of other roles are shown to members of pg_read_all_stats only. Times are in ms.';
COMMENT ON COLUMN plans.userid IS
'role that executed the statement; NULL in the row <evicted>';
COMMENT ON COLUMN plans.username IS
'its name; NULL in the row <evicted>, and if the role is gone';
COMMENT ON COLUMN plans.dbid IS
'database the statement was executed in';
COMMENT ON COLUMN plans.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN plans.toplevel IS
'true if the client sent the statement, false if a function or utility statement executed it; NULL in the row <evicted>';
COMMENT ON COLUMN plans.queryid IS
'the server''s identifier of the statement, the last seen; NULL if the server gave none and in the row <evicted>';
COMMENT ON COLUMN plans.fingerprint IS
'identifier of the statement, as in vitals.statements; NULL in the row <evicted>';
COMMENT ON COLUMN plans.query IS
'normalised text of the statement; NULL if it was pushed out of vitals.statements or could not be kept; <evicted> where the plans pushed out are added up';
COMMENT ON COLUMN plans.planid IS
'identifier of the plan: made from its operators, the names of relations and indexes, the order of joins and the columns in its conditions, and from no constant, cost or OID; NULL in the row <evicted>';
COMMENT ON COLUMN plans.plan IS
'what EXPLAIN (VERBOSE) showed of it when it was first captured, constants as parameters, without output columns; NULL until it was executed twice or for 10 ms, if it is longer than 64 kB, and if pg_vitals.text_memory has no room';
COMMENT ON COLUMN plans.plan_json IS
'the same as EXPLAIN (FORMAT JSON) has it; NULL where plan is';
COMMENT ON COLUMN plans.calls IS
'executions with this plan, failed ones included';
COMMENT ON COLUMN plans.total_exec_time IS
'total time of these executions, in ms';
COMMENT ON COLUMN plans.min_exec_time IS
'shortest execution, in ms';
COMMENT ON COLUMN plans.max_exec_time IS
'longest execution, in ms';
COMMENT ON COLUMN plans.mean_exec_time IS
'mean execution time, in ms';
COMMENT ON COLUMN plans.stddev_exec_time IS
'population standard deviation of execution time, in ms';
COMMENT ON COLUMN plans.p50_exec_time IS
'median execution time, in ms, within 5 %';
COMMENT ON COLUMN plans.p90_exec_time IS
'90th percentile of execution time, in ms, within 5 %';
COMMENT ON COLUMN plans.p95_exec_time IS
'95th percentile of execution time, in ms, within 5 %';
COMMENT ON COLUMN plans.p99_exec_time IS
'99th percentile of execution time, in ms, within 5 %';
COMMENT ON COLUMN plans.rows IS
'total rows retrieved or affected';
COMMENT ON COLUMN plans.shared_blks_hit IS
'total shared blocks found in the cache';
COMMENT ON COLUMN plans.shared_blks_read IS
'total shared blocks read';
COMMENT ON COLUMN plans.shared_blks_dirtied IS
'total shared blocks dirtied';
COMMENT ON COLUMN plans.shared_blks_written IS
'total shared blocks written';
COMMENT ON COLUMN plans.local_blks_hit IS
'total local blocks found in the cache';
COMMENT ON COLUMN plans.local_blks_read IS
'total local blocks read';
COMMENT ON COLUMN plans.local_blks_dirtied IS
'total local blocks dirtied';
COMMENT ON COLUMN plans.local_blks_written IS
'total local blocks written';
COMMENT ON COLUMN plans.temp_blks_read IS
'total temporary blocks read';
COMMENT ON COLUMN plans.temp_blks_written IS
'total temporary blocks written';
COMMENT ON COLUMN plans.failures IS
'executions that ended in an error, a cancel or a timeout; they count in calls';
COMMENT ON COLUMN plans.generic_plan_calls IS
'of these calls, those with a generic plan of a prepared statement; before PostgreSQL 19 known of what clients send only';
COMMENT ON COLUMN plans.custom_plan_calls IS
'of these calls, those with a custom plan, made for their parameters; likewise. Statements that are not prepared are in neither';
COMMENT ON COLUMN plans.startup_cost IS
'planned cost until the first row, at the last execution; NULL in the row <evicted>';
COMMENT ON COLUMN plans.total_cost IS
'planned cost of all rows, at the last execution; NULL in the row <evicted>';
COMMENT ON COLUMN plans.planned_rows IS
'planned number of rows, at the last execution; NULL in the row <evicted>';
COMMENT ON COLUMN plans.first_seen IS
'start of the first message that executed it with this plan, of those that the row counts';
COMMENT ON COLUMN plans.last_seen IS
'start of the last one';
COMMENT ON COLUMN plans.stats_since IS
'since when the row is counted; another after a reset, or after it had been pushed out';

GRANT SELECT ON plans TO PUBLIC;

CREATE VIEW plan_changes AS
WITH p AS MATERIALIZED (
	SELECT *
	FROM (
		SELECT a.*, count(*) OVER (PARTITION BY a.dbid, a.userid, a.toplevel, a.fingerprint) AS plans
		FROM _plans() AS a
		WHERE a.planid IS NOT NULL
	) AS a
	WHERE a.plans > 1
), c AS (
	SELECT
		n.userid, n.dbid, n.toplevel, n.queryid, n.fingerprint, n.query,
		n.first_seen AS changed_at,
		least(o.last_seen, n.first_seen) AS old_last_seen,
		o.planid AS old_planid, n.planid AS new_planid,
		o.plan AS old_plan, n.plan AS new_plan, n.plan_json,
		o.calls AS old_calls, n.calls AS new_calls,
		o.mean_exec_time AS old_mean_exec_time, n.mean_exec_time AS new_mean_exec_time,
		o.p50_exec_time AS old_p50_exec_time, n.p50_exec_time AS new_p50_exec_time,
		o.total_cost AS old_total_cost, n.total_cost AS new_total_cost,
		o.generic_plan_calls + o.custom_plan_calls AS old_cached,
		o.generic_plan_calls AS old_generic,
		n.generic_plan_calls + n.custom_plan_calls AS new_cached,
		n.generic_plan_calls AS new_generic,
		-- variances of the means
		o.stddev_exec_time ^ 2 / greatest(o.calls - 1, 1) AS old_variance,
		n.stddev_exec_time ^ 2 / greatest(n.calls - 1, 1) AS new_variance
	FROM p AS n
	CROSS JOIN LATERAL (
		SELECT *
		FROM p AS b
		WHERE b.dbid = n.dbid AND b.userid = n.userid AND b.toplevel = n.toplevel
			AND b.fingerprint = n.fingerprint AND b.first_seen < n.first_seen
		ORDER BY b.last_seen DESC
		LIMIT 1
	) AS o
	WHERE o.last_seen <= n.first_seen + (n.last_seen - n.first_seen) / 10
), t AS (
	SELECT
		c.*,
		abs(new_mean_exec_time - old_mean_exec_time) /
			sqrt(greatest(old_variance + new_variance, 1e-18)) AS welch,
		-- Welch and Satterthwaite
		greatest(old_variance + new_variance, 1e-18) ^ 2 /
			greatest(old_variance ^ 2 / greatest(old_calls - 1, 1) + new_variance ^ 2 / greatest(new_calls - 1, 1), 1e-40) AS df
	FROM c
), w AS MATERIALIZED (
	SELECT w.*, min(w.window_start) FILTER (WHERE w.resolution = interval '10 s') OVER () AS fine_since
	FROM _windows() AS w
	WHERE EXISTS (SELECT FROM c)
), u AS MATERIALIZED (
	-- what can move a statement to another plan; a minute's windows where those of 10 s do not reach
	SELECT w.dbid, w.query, w.window_start, w.window_end
	FROM w
	WHERE (w.resolution = interval '10 s' OR w.window_end <= w.fine_since)
		AND (w.query ~* '^(create|alter|drop|reindex|cluster|truncate|analyze|vacuum|refresh)\M' OR
			w.query ~* '^(set|reset)\M.*\m(enable_\w+|\w*_cost\w*|work_mem|hash_mem_multiplier|effective_\w+|plan_cache_mode|default_statistics_target|\w+_collapse_limit|geqo\w*|jit\w*|max_parallel\w*|\w*constraint_exclusion|cursor_tuple_fraction|search_path|all)\M')
)
SELECT
	t.userid,
	r.rolname AS username,
	t.dbid,
	d.datname,
	t.toplevel,
	t.queryid,
	t.fingerprint,
	t.query,
	t.changed_at,
	t.old_planid,
	t.new_planid,
	t.old_plan,
	t.new_plan,
	t.old_calls,
	t.new_calls,
	t.old_mean_exec_time,
	t.new_mean_exec_time,
	t.old_p50_exec_time,
	t.new_p50_exec_time,
	t.old_total_cost,
	t.new_total_cost,
	t.new_mean_exec_time / nullif(t.old_mean_exec_time, 0) AS ratio,
	CASE
		WHEN least(t.old_calls, t.new_calls) < 10 THEN 'unclear'
		-- Student's t for 0.9995, by the expansion of Cornish and Fisher (1937)
		WHEN t.welch < 3.2905 + 9.73 / t.df + 26.1 / t.df ^ 2 + 53.1 / t.df ^ 3 THEN 'unclear'
		WHEN t.new_mean_exec_time > 1.25 * t.old_mean_exec_time
			AND t.new_p50_exec_time > 1.1 * t.old_p50_exec_time THEN 'worse'
		WHEN t.new_mean_exec_time * 1.25 < t.old_mean_exec_time
			AND t.new_p50_exec_time * 1.1 < t.old_p50_exec_time THEN 'better'
		ELSE 'unclear'
	END AS verdict,
	CASE
		WHEN t.old_cached > 0 AND t.new_cached > 0 THEN t.old_generic = 0 AND t.new_generic * 2 > t.new_cached
	END AS became_generic,
	CASE
		WHEN d.datname = pg_catalog.current_database() THEN (
			SELECT max(a.at)
			FROM jsonb_path_query(t.plan_json::jsonb, '$.** ? (exists (@."Relation Name"))') AS j (node)
			JOIN pg_catalog.pg_stat_all_tables AS s
				ON s.schemaname = j.node ->> 'Schema' AND s.relname = j.node ->> 'Relation Name'
			CROSS JOIN LATERAL (VALUES (s.last_analyze), (s.last_autoanalyze)) AS a (at)
			WHERE a.at <= t.changed_at)
	END AS analyzed,
	CASE
		WHEN t.changed_at >= (SELECT min(w.window_start) FROM w) THEN ARRAY(
			SELECT u.query
			FROM u
			WHERE u.window_start <= t.changed_at AND u.window_end >= t.old_last_seen
				AND (u.dbid = t.dbid OR u.query ~* '^alter (system|role|user|database)\M')
			GROUP BY u.query
			ORDER BY min(u.window_start), u.query)
	END AS preceded_by,
	CASE
		WHEN pg_catalog.pg_conf_load_time() BETWEEN t.old_last_seen AND t.changed_at THEN pg_catalog.pg_conf_load_time()
	END AS conf_loaded,
	CASE
		WHEN pg_catalog.pg_postmaster_start_time() BETWEEN t.old_last_seen AND t.changed_at
		THEN pg_catalog.pg_postmaster_start_time()
	END AS restarted
FROM t
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = t.userid
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = t.dbid;

COMMENT ON VIEW plan_changes IS
'Statements that moved from one plan to another: one row per change, with what the executions took before and after. Plans that a statement uses by turns are no change. Plans of other roles are shown to members of pg_read_all_stats only. Times are in ms.';
COMMENT ON COLUMN plan_changes.userid IS
'role that executed the statement';
COMMENT ON COLUMN plan_changes.username IS
'its name; NULL if it is gone';
COMMENT ON COLUMN plan_changes.dbid IS
'database the statement was executed in';
COMMENT ON COLUMN plan_changes.datname IS
'its name; NULL if it is gone';
COMMENT ON COLUMN plan_changes.toplevel IS
'true if the client sent the statement, false if a function or utility statement executed it';
COMMENT ON COLUMN plan_changes.queryid IS
'the server''s identifier of the statement, the last seen; NULL if the server gave none';
COMMENT ON COLUMN plan_changes.fingerprint IS
'identifier of the statement, as in vitals.statements';
COMMENT ON COLUMN plan_changes.query IS
'normalised text of the statement; NULL if it was pushed out of vitals.statements or could not be kept';
COMMENT ON COLUMN plan_changes.changed_at IS
'when it was first executed with the new plan';
COMMENT ON COLUMN plan_changes.old_planid IS
'identifier of the plan before, as in vitals.plans: of those it had before, the one used last';
COMMENT ON COLUMN plan_changes.new_planid IS
'identifier of the plan after';
COMMENT ON COLUMN plan_changes.old_plan IS
'the plan before, as in vitals.plans; NULL if it was not captured';
COMMENT ON COLUMN plan_changes.new_plan IS
'the plan after, likewise';
COMMENT ON COLUMN plan_changes.old_calls IS
'executions with the plan before';
COMMENT ON COLUMN plan_changes.new_calls IS
'executions with the plan after';
COMMENT ON COLUMN plan_changes.old_mean_exec_time IS
'mean execution time with the plan before, in ms';
COMMENT ON COLUMN plan_changes.new_mean_exec_time IS
'mean execution time with the plan after, in ms';
COMMENT ON COLUMN plan_changes.old_p50_exec_time IS
'median execution time with the plan before, in ms, within 5 %';
COMMENT ON COLUMN plan_changes.new_p50_exec_time IS
'median execution time with the plan after, in ms, within 5 %';
COMMENT ON COLUMN plan_changes.old_total_cost IS
'planned cost of the plan before, at its last execution';
COMMENT ON COLUMN plan_changes.new_total_cost IS
'planned cost of the plan after, at its last execution';
COMMENT ON COLUMN plan_changes.ratio IS
'mean execution time after, divided by that before; NULL if that is 0';
COMMENT ON COLUMN plan_changes.verdict IS
'worse or better, if both plans were executed 10 times, the means differ by a quarter, the medians by a tenth in the same direction, and Welch''s t test finds less than 1 in 1000 for chance; otherwise unclear';
COMMENT ON COLUMN plan_changes.became_generic IS
'true if the plan before was made for its parameters (custom) and the one after is generic; NULL if the statement was not prepared, or the server does not tell';
COMMENT ON COLUMN plan_changes.analyzed IS
'when a table of the new plan was last analyzed before the change, by ANALYZE or autovacuum; NULL if no such time is known any more, in another database, and without new_plan';
COMMENT ON COLUMN plan_changes.preceded_by IS
'DDL, ANALYZE, VACUUM and changes of settings of the planner that were executed between the last execution with the old plan and the first with the new one, as vitals.windows has them, to its 10 seconds or minute; those that the reader may see; empty if there were none; NULL if the windows do not reach back so far';
COMMENT ON COLUMN plan_changes.conf_loaded IS
'when the server last read its configuration, if that was between these two executions; NULL if it was not';
COMMENT ON COLUMN plan_changes.restarted IS
'when the server last started, maybe as another version, if that was between these two executions; NULL if it was not';

GRANT SELECT ON plan_changes TO PUBLIC;
