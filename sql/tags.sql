-- Tags of comments: which are read, from which part of a text, and what a change
-- of them means to the detector.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA tg;
SET search_path = tg, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
INSERT INTO author SELECT g, 'author ' || g FROM generate_series(1, 6) AS g;
INSERT INTO book SELECT g, g, 'book ' || g FROM generate_series(1, 6) AS g;
CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT 1 /*controller='inside'*/);
END $$;
SET application_name = 'tg';

-- what frameworks write
SELECT 1 AS a /*action='index',application='Blog',controller='posts'*/;
/*action='index',application='Blog',controller='posts'*/ SELECT 1 AS b;
SELECT 1 AS c /*action:show,application:Blog,controller:posts*/;
SELECT 1 AS d /*application:BCX,controller:messages,action:show,line:file:12:in 'x'*/ /*annotated*/;
SELECT 1 AS e /*controller='polls',db_driver='django.db.backends.postgresql',framework='django%3A4.2',route='%5Epolls%2F%24',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/;
SELECT 1 AS f /* traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 */;
SELECT 1 AS g /*job='Import%20it%27s'*/;
SELECT 1 AS h /*path='/a?b=c',request_id='17'*/;
-- prose is no tag, nor is an optimizer hint
SELECT 1 AS i /* a = b: this is how it is */;
SELECT 1 AS j /*+ controller='hint' */;
SELECT '/*controller=''string''*/' AS k;
SELECT route, tags, calls FROM vitals.routes WHERE application_name = 'tg' ORDER BY route, tags::text;

-- of several statements in one string each has its own; a function's have none
SELECT vitals.reset() > 0 AS reset;
SELECT 1 AS a /*controller='first'*/ \; SELECT 2 AS a /*controller='second'*/ \; SELECT 3 AS a;
SELECT one() AS one /*controller='outside'*/;
SELECT one() AS one;
SELECT route, calls FROM vitals.routes WHERE application_name = 'tg' ORDER BY route;

-- EXECUTE has its own, or else those of PREPARE
SELECT vitals.reset() > 0 AS reset;
PREPARE prepared AS SELECT 1 AS p /*controller='prepare'*/;
EXECUTE prepared;
EXECUTE prepared /*controller='execute'*/;
EXECUTE prepared;
PREPARE untagged AS SELECT 1 AS p;
EXECUTE untagged /*controller='execute'*/;
EXECUTE untagged;
PREPARE broken AS SELECT 1 / $1 AS p /*controller='prepare'*/;
EXECUTE broken(0);
SELECT 1 AS after;
DEALLOCATE ALL;
SELECT route, calls, failures FROM vitals.routes WHERE application_name = 'tg' ORDER BY route;

-- utility statements, cursors, and what fails in the planner
SELECT vitals.reset() > 0 AS reset;
BEGIN /*controller='block'*/;
DECLARE c CURSOR FOR SELECT id FROM author ORDER BY id /*controller='cursor'*/;
FETCH 2 FROM c /*controller='fetch'*/;
FETCH 2 FROM c;
COMMIT;
SELECT 1 / 0 /*controller='planner'*/;
CREATE TEMP TABLE t AS SELECT 1 AS x /*controller='utility'*/;
CREATE TEMP TABLE t AS SELECT 1 AS x /*controller='utility'*/;
SELECT route, calls, failures, rows FROM vitals.routes WHERE application_name = 'tg' ORDER BY route;

-- a finding has the tags of its last burst, without ids of requests
SELECT vitals.reset() > 0 AS reset;
\set ECHO none
\o /dev/null
SELECT id FROM author ORDER BY id /*controller='list',traceparent='00-00000000000000000000000000000001-0000000000000001-01'*/;
SELECT format('SELECT title FROM book WHERE author_id = %s /*action=''index'',controller=''books'',traceparent=''00-00000000000000000000000000000001-00000000000000%s-01''*/', id, 10 + id) FROM author ORDER BY id \gexec
\o
\set ECHO all
SELECT kind, confidence, repeats, bursts, tags, query FROM vitals.n_plus_one WHERE application_name = 'tg';
SELECT route, calls, statements, n_plus_one_bursts FROM vitals.routes WHERE application_name = 'tg' ORDER BY route;

-- another trace is another request: what was going on is over
SELECT vitals.reset() > 0 AS reset;
\set ECHO none
\o /dev/null
SELECT id FROM author ORDER BY id /*traceparent='00-00000000000000000000000000000001-0000000000000001-01'*/;
SELECT format('SELECT title FROM book WHERE author_id = %s /*traceparent=''00-0000000000000000000000000000000%s-0000000000000001-01''*/', id, 1 + id / 4) FROM author ORDER BY id \gexec
\o
\set ECHO all
SELECT kind, repeats, tags FROM vitals.n_plus_one WHERE application_name = 'tg';
-- the same trace, and no tags at all in between, are not
\set ECHO none
\o /dev/null
SELECT id FROM author ORDER BY id /*traceparent='00-00000000000000000000000000000001-0000000000000001-01'*/;
SELECT format('SELECT title FROM book WHERE author_id = %s %s', id,
	CASE WHEN id % 2 = 0 THEN '/*traceparent=''00-00000000000000000000000000000001-0000000000000002-01''*/' END)
FROM author ORDER BY id \gexec
\o
\set ECHO all
SELECT kind, repeats, tags FROM vitals.n_plus_one WHERE application_name = 'tg';

-- what a function does is its caller's, whoever owns the function
SELECT vitals.reset() > 0 AS reset;
CREATE ROLE regress_tg_owner;
GRANT USAGE ON SCHEMA tg TO regress_tg_owner;
GRANT SELECT ON book TO regress_tg_owner;
CREATE FUNCTION titles() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
	t text;
BEGIN
	FOR i IN 1 .. 6 LOOP
		SELECT title INTO t FROM tg.book WHERE author_id = i;
	END LOOP;
END $$;
ALTER FUNCTION titles() OWNER TO regress_tg_owner;
SELECT titles() /*controller='caller',request_id='1'*/;
SELECT kind, username, repeats, tags, query FROM vitals.n_plus_one WHERE application_name = 'tg';
SELECT route, username = current_user AS mine, calls, statements, n_plus_one_bursts FROM vitals.routes WHERE application_name = 'tg';

RESET application_name;
SET client_min_messages = warning;
DROP SCHEMA tg CASCADE;
DROP ROLE regress_tg_owner;
