-- pg_vitals.n_plus_one_action: what the session that makes an N+1 is told.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA npa;
SET search_path = npa, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
INSERT INTO author SELECT g, 'author ' || g FROM generate_series(1, 6) AS g;
INSERT INTO book SELECT g, g, 'book ' || g FROM generate_series(1, 6) AS g;
CREATE FUNCTION calls(like_query text, OUT calls bigint, OUT failures bigint) LANGUAGE sql AS $$
	SELECT sum(calls), sum(failures) FROM vitals.statements WHERE datname = current_database() AND query LIKE like_query
$$;
\pset tuples_only on

-- off: nothing
SHOW pg_vitals.n_plus_one_action;
SET application_name = 'npa off';
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec

-- log: nothing reaches the client, whatever it wants to see
SET pg_vitals.n_plus_one_action = log;
SET application_name = 'npa log';
SET client_min_messages = log;
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec
RESET client_min_messages;

-- notice: once a burst, at the repeat that makes the finding
SET pg_vitals.n_plus_one_action = notice;
SET application_name = 'npa notice';
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec

-- warning, and the messages of the other patterns
SET pg_vitals.n_plus_one_action = warning;
SET application_name = 'npa warning';
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec
SET application_name = 'npa run';
BEGIN;
SELECT format('SELECT title FROM book WHERE id = %s', g) FROM generate_series(1, 10) AS g \gexec
COMMIT;
SET application_name = 'npa repeat';
SELECT format('SELECT count(*) FROM book /* %s */', g) FROM generate_series(1, 6) AS g \gexec
-- a long statement is cut, between two characters
SET application_name = 'npa long';
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title, id AS "' || repeat('ä', 31) || '"' || repeat(', id AS "' || repeat('ä', 31) || '"', 5) ||
			  ' FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec

-- error: the statement that crosses the threshold fails, those after it do not
SET pg_vitals.n_plus_one_action = error;
SET application_name = 'npa error';
\set VERBOSITY sqlstate
SELECT id FROM author ORDER BY id;
SELECT format('SELECT upper(title) FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec
\set VERBOSITY default
SELECT id FROM author ORDER BY id;
SELECT format('SELECT upper(title) FROM book WHERE author_id = %s', id) FROM author ORDER BY id LIMIT 4 \gexec
SELECT upper(title) FROM book WHERE author_id = 5;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM calls('SELECT upper(title)%');

-- with parameters, and a transaction that goes on from a savepoint
SET application_name = 'npa savepoint';
PREPARE child (int) AS SELECT lower(title) FROM book WHERE author_id = $1;
BEGIN;
SELECT id FROM author ORDER BY id;
SELECT format('EXECUTE child(%s)', id) FROM author ORDER BY id LIMIT 4 \gexec
SAVEPOINT s;
EXECUTE child(5);
SELECT 'not reached';
ROLLBACK TO s;
EXECUTE child(5);
EXECUTE child(6);
COMMIT;
SELECT count(*) FROM book;

-- duplicate
SET application_name = 'npa duplicate';
SELECT format('SELECT max(title) FROM book /* %s */', g) FROM generate_series(1, 4) AS g \gexec
SELECT max(title) FROM book /* 5 */;
\echo :LAST_ERROR_SQLSTATE
SELECT max(title) FROM book /* 6 */;

-- everybody may choose, and nothing else
SET pg_vitals.n_plus_one_action = panic;
CREATE ROLE regress_npa;
SET ROLE regress_npa;
SET pg_vitals.n_plus_one_action = warning;
RESET ROLE;
DROP ROLE regress_npa;

-- all of them were recorded, told or not
RESET application_name;
RESET pg_vitals.n_plus_one_action;
SELECT application_name, kind, bursts, repeats, query FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name LIKE 'npa %'
ORDER BY application_name COLLATE "C", kind, query COLLATE "C";

SET client_min_messages = warning;
DROP SCHEMA npa CASCADE;
