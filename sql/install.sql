-- The extension as an object: what CREATE EXTENSION installs, and that the
-- statistics do not depend on it.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_vitals;
RESET client_min_messages;

SELECT name, version, superuser, trusted, relocatable, schema, requires
FROM pg_available_extension_versions WHERE name = 'pg_vitals';

-- elsewhere than in its schema it cannot be
CREATE EXTENSION pg_vitals SCHEMA public;
CREATE EXTENSION pg_vitals;
ALTER EXTENSION pg_vitals SET SCHEMA public;

-- everything is in the schema, and everything belongs to the extension
SELECT count(*) AS strangers
FROM (SELECT 'pg_class'::regclass AS class, oid FROM pg_class
	  WHERE relnamespace = 'vitals'::regnamespace AND relkind IN ('r', 'v', 'm', 'f')
	  UNION ALL
	  SELECT 'pg_proc'::regclass, oid FROM pg_proc
	  WHERE pronamespace = 'vitals'::regnamespace) AS o
WHERE NOT EXISTS (SELECT FROM pg_depend AS d
				  WHERE (d.classid, d.objid, d.deptype) = (o.class, o.oid, 'e'));

-- the interface: every view, with every column that is promised
SELECT v.view, c.column_name AS missing
FROM (VALUES
	('statements', 'userid username dbid datname toplevel queryid fingerprint query'
	 ' plans total_plan_time min_plan_time max_plan_time mean_plan_time stddev_plan_time'
	 ' calls total_exec_time min_exec_time max_exec_time mean_exec_time stddev_exec_time'
	 ' p50_exec_time p90_exec_time p95_exec_time p99_exec_time rows'
	 ' failures cancels timeouts first_seen last_seen'),
	('n_plus_one', 'kind confidence datname username application_name'
	 ' queryid fingerprint query parent_queryid parent_fingerprint parent_query'
	 ' link bursts repeats max_repeats avg_repeats distinct_parameters'
	 ' exec_time plan_time wait_time rows shared_blks_hit shared_blks_read'
	 ' wasted_time_low wasted_time_high suggestion first_seen last_seen'),
	('info', 'version stats_reset statements statements_max evictions texts_bytes'
	 ' texts_dropped executions memory_bytes last_persisted')
	) AS v (view, columns),
	regexp_split_to_table(v.columns, ' ') AS c (column_name)
WHERE NOT EXISTS (SELECT FROM information_schema.columns AS i
				  WHERE (i.table_schema, i.table_name, i.column_name) = ('vitals', v.view, c.column_name))
ORDER BY 1, 2;

-- and every column that pg_stat_statements of this server has, with its type
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
RESET client_min_messages;
SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute AS a
WHERE a.attrelid = 'pg_stat_statements'::regclass AND a.attnum > 0
  AND NOT EXISTS (SELECT FROM pg_attribute AS b
				  WHERE b.attrelid = 'vitals.statements'::regclass
					AND (b.attname, b.atttypid) = (a.attname, a.atttypid))
ORDER BY 1;
DROP EXTENSION pg_stat_statements;

-- every view, column and function is described
SELECT c.oid::regclass AS view, a.attname
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'vitals'::regnamespace AND c.relkind = 'v'
  AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
ORDER BY 1, 2;
SELECT oid::regprocedure AS function FROM pg_proc
WHERE pronamespace = 'vitals'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
ORDER BY 1;

-- functions find nothing by way of the caller's search_path
SELECT p.oid::regprocedure AS function
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = 'vitals'::regnamespace AND l.lanname NOT IN ('c', 'internal')
  AND p.prosqlbody IS NULL AND NOT coalesce(p.proconfig::text ~ 'search_path=pg_catalog, pg_temp', false)
ORDER BY 1;

-- nothing is lost by dropping it
SELECT vitals.reset() > 0 AS reset;
SELECT 1 AS before_drop;
DROP EXTENSION pg_vitals;
SELECT 2, 'b' AS without;
CREATE EXTENSION pg_vitals;
SELECT calls, rows, query FROM vitals.statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND query ~ 'before_drop|without|EXTENSION'
ORDER BY query COLLATE "C";
