-- Test suites: marks, findings since a mark, and the assertion that there are none.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA ci;
SET search_path = ci, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
SET application_name = 'ci';
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
INSERT INTO author SELECT g, 'author ' || g FROM generate_series(1, 30) AS g;
INSERT INTO book SELECT g, g, 'book ' || g FROM generate_series(1, 30) AS g;
CREATE VIEW loops AS
	SELECT n, format('SELECT name FROM author WHERE id = %s', n) AS authors,
		format('SELECT title FROM book WHERE author_id = %s', n) AS books,
		'SELECT count(*) FROM book' AS same
	FROM generate_series(1, 30) AS n;
\pset tuples_only on

-- nothing yet
SELECT vitals.mark() AS before \gset
SELECT vitals.mark() AS again \gset
SELECT :again > :before;
SELECT count(*) FROM vitals.n_plus_one_since(:before);
SELECT vitals.assert_no_n_plus_one(:before) IS NOT NULL;

-- a loop over rows, and the same statement over and over
\o /dev/null
\set ECHO none
SELECT id, author_id FROM book ORDER BY id LIMIT 8;
SELECT authors FROM loops WHERE n <= 8 ORDER BY n \gexec
SELECT vitals.mark() AS between \gset
SELECT same FROM loops WHERE n <= 6 \gexec
\set ECHO all
\o
SELECT vitals.mark() AS after \gset
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, link, query FROM vitals.n_plus_one_since(:before) ORDER BY first_seen;
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, link, query FROM vitals.n_plus_one_since(:between) ORDER BY first_seen;
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, link, query FROM vitals.n_plus_one_since(:after) ORDER BY first_seen;
SELECT vitals.assert_no_n_plus_one(:after) IS NOT NULL;

-- every column as the view has it, while nothing came before or after
SELECT count(*) FROM (
	SELECT * FROM vitals.n_plus_one WHERE application_name = 'ci' AND datname = current_database()
	EXCEPT SELECT * FROM vitals.n_plus_one_since(:before)) AS missing;
SELECT count(*) FROM (
	SELECT * FROM vitals.n_plus_one WHERE datname = current_database()
	EXCEPT SELECT * FROM vitals.n_plus_one_since(NULL)) AS missing;
SELECT count(*) FROM (
	SELECT * FROM vitals.n_plus_one_since(NULL)
	EXCEPT SELECT * FROM vitals.n_plus_one WHERE datname = current_database()) AS surplus;

-- what the assertion says
SELECT vitals.assert_no_n_plus_one(:before);
\echo :LAST_ERROR_SQLSTATE
SELECT vitals.assert_no_n_plus_one(since => :between);

-- what is allowed: a pattern for kind, statement, parent, link or key
\set VERBOSITY terse
SELECT vitals.assert_no_n_plus_one(:before, '{}');
SELECT vitals.assert_no_n_plus_one(:before, NULL);
SELECT vitals.assert_no_n_plus_one(:before, '{duplicate}');
SELECT vitals.assert_no_n_plus_one(:before, '{n_plus_one}');
SELECT vitals.assert_no_n_plus_one(:before, '{duplicate,n_plus_one}') IS NOT NULL;
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['duplicate', '%FROM author WHERE id = $1']) IS NOT NULL;
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['duplicate', 'SELECT id, author_id FROM book%']) IS NOT NULL;
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['duplicate', 'book.author_id → author.id']) IS NOT NULL;
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['%FROM book%']) IS NOT NULL;
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['', 'FROM book', '%SELECT \%%', 'duplicate:%']);

-- a baseline: the keys of what is known, whatever its figures
CREATE TABLE baseline AS
	SELECT kind, fingerprint, parent_fingerprint, query FROM vitals.n_plus_one_since(:before);
SELECT vitals.assert_no_n_plus_one(:before,
	ARRAY(SELECT format('%s:%s:%s', kind, fingerprint, coalesce(parent_fingerprint, 0)) FROM baseline)) IS NOT NULL;

-- a loop under way at the mark counts with what comes after, if that is a loop by itself
\o /dev/null
\set ECHO none
SELECT id, name FROM author ORDER BY id;
SELECT books FROM loops WHERE n <= 7 ORDER BY n \gexec
SELECT vitals.mark() AS midst \gset
SELECT books FROM loops WHERE n BETWEEN 8 AND 11 ORDER BY n \gexec
\set ECHO all
\o
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, query FROM vitals.n_plus_one_since(:after) ORDER BY first_seen;
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, query FROM vitals.n_plus_one_since(:midst) ORDER BY first_seen;
\o /dev/null
\set ECHO none
SELECT vitals.mark() AS late \gset
SELECT books FROM loops WHERE n BETWEEN 12 AND 13 ORDER BY n \gexec
\set ECHO all
\o
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, query FROM vitals.n_plus_one_since(:after) ORDER BY first_seen;
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, query FROM vitals.n_plus_one_since(:midst) ORDER BY first_seen;
SELECT kind, bursts, repeats, max_repeats, distinct_parameters, query FROM vitals.n_plus_one_since(:late) ORDER BY first_seen;
SELECT vitals.assert_no_n_plus_one(:late) IS NOT NULL;

-- invalid arguments
\set VERBOSITY default
SELECT vitals.assert_no_n_plus_one(9223372036854775807);
SELECT vitals.assert_no_n_plus_one(-1);
SELECT count(*) FROM vitals.n_plus_one_since(9223372036854775807);
SELECT vitals.assert_no_n_plus_one(:before, '{duplicate,NULL}');
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['%\']);
SELECT vitals.assert_no_n_plus_one(:before, ARRAY['\\', '%']) IS NOT NULL;
-- an assertion that nothing can fail is none
SET pg_vitals.n_plus_one = off;
SELECT vitals.assert_no_n_plus_one();
RESET pg_vitals.n_plus_one;

-- everybody may, and sees his own
CREATE ROLE regress_ci;
SET ROLE regress_ci;
SELECT vitals.mark() > :late;
SELECT count(*) FROM vitals.n_plus_one_since(:before);
SELECT vitals.assert_no_n_plus_one() IS NOT NULL;
RESET ROLE;
GRANT pg_read_all_stats TO regress_ci;
SET ROLE regress_ci;
SELECT count(*) FROM vitals.n_plus_one_since(:before);
RESET ROLE;

-- what a session looks for does not depend on what stands in its way
CREATE FUNCTION ci.never(text, text) RETURNS boolean RETURN false;
CREATE OPERATOR ci.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = ci.never);
SET search_path = ci, pg_catalog;
SELECT vitals.assert_no_n_plus_one(:before, '{%}') IS NOT NULL;
SET search_path = ci, public;

-- what is reset is forgotten here, too
SELECT vitals.reset(dbid => oid) > 0 FROM pg_database WHERE datname = current_database();
SELECT count(*) FROM vitals.n_plus_one_since(:before);
SELECT vitals.assert_no_n_plus_one() IS NOT NULL;
SET client_min_messages = warning;
DROP SCHEMA ci CASCADE;
DROP ROLE regress_ci;
