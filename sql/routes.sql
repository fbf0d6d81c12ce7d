-- vitals.routes: counters, who may see them, and what a reset does to them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_rt_one;
CREATE ROLE regress_rt_two;
CREATE ROLE regress_rt_reader IN ROLE pg_read_all_stats;
CREATE ROLE regress_rt_member IN ROLE regress_rt_one;
SELECT vitals.reset() > 0 AS reset;
SET application_name = 'rt';

-- counters
SELECT g FROM generate_series(1, 7) AS g /*controller='a'*/;
SELECT g FROM generate_series(1, 5) AS g /*controller='a'*/;
SELECT pg_sleep(0.02) /*controller='a'*/;
SELECT 1 / (g - 3) AS x FROM generate_series(1, 5) AS g /*controller='a'*/;
SET statement_timeout = 20;
SELECT pg_sleep(60) /*controller='a'*/;
RESET statement_timeout;
SELECT 'no tags' AS untagged, g FROM generate_series(1, 2) AS g;
SELECT datname = current_database() AS here, username = current_user AS mine, application_name, tags, route,
	calls, failures, rows, statements, n_plus_one_bursts AS bursts,
	total_exec_time BETWEEN 40 AND 60000 AS total, abs(mean_exec_time * calls - total_exec_time) < 0.001 AS mean,
	p95_exec_time BETWEEN 20 AND total_exec_time AS p95,
	first_seen < last_seen AND last_seen <= clock_timestamp() AS seen
FROM vitals.routes;
-- they agree with those of statements
SELECT r.calls = s.calls AS calls, r.failures = s.failures AS failures, r.rows = s.rows AS rows,
	r.statements = s.statements AS statements, abs(r.total - s.total) < 0.001 AS total
FROM (SELECT sum(calls) AS calls, sum(failures) AS failures, sum(rows) AS rows, sum(statements) AS statements,
		sum(total_exec_time) AS total FROM vitals.routes) AS r,
	(SELECT sum(calls) AS calls, sum(failures) AS failures, sum(rows) AS rows, count(*) AS statements,
		sum(total_exec_time) AS total
	 FROM vitals.statements WHERE query ~ 'generate_series|pg_sleep' AND query !~ 'untagged') AS s;

-- one row for each application and set of tags, in whatever order they are written
SELECT 1 /*controller='b',action='x'*/;
SELECT 1 /*action='x',controller='b'*/;
SELECT 1 /*action='y',controller='b'*/;
SET application_name = 'rt2';
SELECT 1 /*action='x',controller='b'*/;
SET application_name = 'rt';
SELECT application_name, route, calls, statements FROM vitals.routes WHERE route LIKE 'b%' ORDER BY 1, 2;

-- statements are counted exactly up to 32, and about beyond
\set ECHO none
\o /dev/null
SELECT format('WITH q_%1$s AS (SELECT 1) SELECT FROM q_%1$s /*controller=''exact''*/', g % 32) FROM generate_series(1, 96) AS g \gexec
SELECT format('WITH q_%1$s AS (SELECT 1) SELECT FROM q_%1$s /*controller=''about''*/', g % 400) FROM generate_series(1, 800) AS g \gexec
\o
\set ECHO all
SELECT route, calls, statements FROM vitals.routes WHERE route = 'exact';
SELECT route, calls, statements BETWEEN 280 AND 520 AS about FROM vitals.routes WHERE route = 'about';

-- nested statements belong to no route, whatever is tracked; "none" counts nothing
SET pg_vitals.track = 'all';
DO $$ BEGIN PERFORM 1 /*controller='nested'*/; END /*controller='block'*/ $$ /*controller='do'*/;
SET pg_vitals.track = 'none';
SELECT 1 /*controller='none'*/;
RESET pg_vitals.track;
SELECT route, calls, statements FROM vitals.routes WHERE route IN ('nested', 'block', 'do', 'none');

-- rights
SET ROLE regress_rt_one;
SELECT 1 /*controller='one'*/;
SET ROLE regress_rt_two;
SELECT 1 /*controller='two'*/;
RESET ROLE;
CREATE VIEW shown AS SELECT username, route, calls FROM vitals.routes WHERE username LIKE 'regress_rt%';
ALTER VIEW shown SET (security_invoker = true);
GRANT SELECT ON shown TO PUBLIC;
SELECT * FROM shown ORDER BY 1;
SET ROLE regress_rt_one;
SELECT * FROM shown ORDER BY 1;
SET ROLE regress_rt_two;
SELECT * FROM shown ORDER BY 1;
SET ROLE regress_rt_member;
SELECT * FROM shown ORDER BY 1;
SET ROLE regress_rt_reader;
SELECT * FROM shown ORDER BY 1;
RESET ROLE;

-- resets: of a role, a database, a statement, all
SELECT vitals.reset(userid => oid) > 0 AS reset FROM pg_roles WHERE rolname = 'regress_rt_two';
SELECT * FROM shown ORDER BY 1;
SELECT vitals.reset(dbid => oid) > 0 AS reset FROM pg_database WHERE datname = 'template1';
SELECT count(*) > 4 AS rest FROM vitals.routes;
SELECT vitals.reset(queryid) > 0 AS reset FROM vitals.statements WHERE query LIKE 'SELECT $1 AS untagged%';
SELECT count(*) > 4 AS rest FROM vitals.routes;
SELECT vitals.reset(dbid => oid) > 0 AS reset FROM pg_database WHERE datname = current_database();
SELECT count(*) AS rest FROM vitals.routes;
SELECT 1 /*controller='again'*/;
SELECT routes, routes_max, routes_evicted FROM vitals.info;
SELECT vitals.reset() > 0 AS reset;
SELECT count(*) AS rest FROM vitals.routes;
SELECT routes FROM vitals.info;

RESET application_name;
DROP VIEW shown;
DROP ROLE regress_rt_member, regress_rt_one, regress_rt_two, regress_rt_reader;
