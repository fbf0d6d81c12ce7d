-- Rows written one at a time, and trees walked one row at a time.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA npl;
SET search_path = npl, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE author (id bigint PRIMARY KEY, name text);
CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author ON DELETE CASCADE, title text);
CREATE TABLE tag (id bigint PRIMARY KEY, name text UNIQUE);
CREATE TABLE log (id int, note text);
CREATE TABLE node (id int PRIMARY KEY, parent_id int REFERENCES node, name text);
CREATE TABLE page (token uuid PRIMARY KEY, following uuid, body text);
INSERT INTO author SELECT g * 91 + 7, 'author ' || g FROM generate_series(1, 12) AS g;
INSERT INTO book SELECT g * 17, (1 + g % 12) * 91 + 7, 'book ' || g FROM generate_series(1, 60) AS g;
INSERT INTO node SELECT g, nullif(g - 1, 0), 'node ' || g FROM generate_series(1, 40) AS g;
INSERT INTO node SELECT 100 + g, 1 + g / 4, 'leaf ' || g FROM generate_series(1, 40) AS g;
INSERT INTO page SELECT md5(g::text)::uuid, md5((g + 1)::text)::uuid, 'page ' || g FROM generate_series(1, 30) AS g;
ANALYZE author, book, tag, node, page;

-- A case: statements separated by semicolons, for each number from 1 to rounds,
-- between first and last.  {e} is replaced by the value of the expression e, in
-- which n is the number.
CREATE TABLE cases (name text PRIMARY KEY, rounds int, first text, round text, last text);
INSERT INTO cases VALUES
	-- for the rows of a parent
	('a list updated', 12, 'SELECT id, name FROM author ORDER BY id', 'UPDATE author SET name = ''x{n}'' WHERE id = {n * 91 + 7}', NULL),
	('a list updated in one transaction', 12, 'BEGIN; SELECT id, name FROM author ORDER BY id', 'UPDATE author SET name = ''y{n}'' WHERE id = {n * 91 + 7} RETURNING name', 'COMMIT'),
	('a list deleted', 8, 'SELECT id, title FROM book WHERE id <= 136 ORDER BY id', 'DELETE FROM book WHERE id = {n * 17}', NULL),
	('children updated', 12, 'SELECT id, name FROM author ORDER BY id', 'UPDATE book SET title = ''z{n}'' WHERE author_id = {n * 91 + 7}', NULL),
	('children inserted', 9, 'SELECT id, name FROM author ORDER BY id', 'INSERT INTO book (id, author_id, title) VALUES ({2000 + n}, {n * 91 + 7}, ''new'')', NULL),
	('read, changed and written', 8, 'SELECT id FROM author ORDER BY id', 'SELECT name FROM author WHERE id = {n * 91 + 7}; UPDATE author SET name = ''w{n}'' WHERE id = {n * 91 + 7}', NULL),
	-- in one transaction, for no parent
	('inserts', 8, 'BEGIN', 'INSERT INTO log VALUES ({n}, ''inserts'')', 'COMMIT'),
	('inserts of the same', 8, 'BEGIN', 'INSERT INTO log VALUES (1, ''same'')', 'COMMIT'),
	('updates', 7, 'BEGIN', 'UPDATE log SET note = ''updates'' WHERE id = {n}', 'COMMIT'),
	('get or create', 7, 'BEGIN', 'SELECT id FROM tag WHERE name = ''g{n}''; SAVEPOINT s; INSERT INTO tag VALUES ({n}, ''g{n}''); RELEASE SAVEPOINT s', 'COMMIT'),
	('two in turn', 6, 'BEGIN', 'INSERT INTO author VALUES ({5000 + n}, ''two''); INSERT INTO book VALUES ({5000 + n}, {5000 + n}, ''two'')', 'COMMIT'),
	-- walks
	('up a tree', 12, 'SELECT 1', 'SELECT id, parent_id, name FROM node WHERE id = {31 - n}', NULL),
	('down a tree', 10, 'SELECT 1', 'SELECT id, name FROM node WHERE parent_id = {n}', NULL),
	('along a list', 9, 'SELECT 1', 'SELECT following, body FROM page WHERE token = ''{md5(n::text)::uuid}''', NULL),
	-- nothing
	('none: few', 4, 'BEGIN', 'INSERT INTO log VALUES ({n}, ''few'')', 'COMMIT'),
	('none: batches', 8, 'BEGIN', 'INSERT INTO log VALUES ({n}, ''batch''), ({n + 1}, ''batch'')', 'COMMIT'),
	('none: set-based', 8, 'BEGIN', 'INSERT INTO log SELECT g, ''set'' FROM generate_series(1, {n}) AS g', 'COMMIT'),
	('none: one counter', 12, 'BEGIN', 'UPDATE log SET id = id + 1 WHERE note = ''counter''', 'COMMIT'),
	('none: a transaction of many things', 6, 'BEGIN', 'INSERT INTO log VALUES ({n}, ''many''); SELECT max(id) FROM book WHERE id < {n}; SELECT min(id) FROM book WHERE id > {n}; SELECT max(id) FROM tag WHERE id < {n}; SELECT min(id) FROM tag WHERE id > {n}', 'COMMIT'),
	('none: a queue', 9, NULL, 'BEGIN; SELECT id FROM tag ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED; DELETE FROM log WHERE id = {n + 700}; COMMIT', NULL),
	('none: some of a tree', 9, NULL, 'SELECT id, parent_id, name FROM node WHERE id = {1 + n * 37 % 40}; SELECT count(*) FROM page', NULL);
CREATE FUNCTION filled(text text, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	expression text;
	result text;
BEGIN
	LOOP
		expression := substring(text from '{([^}]*)}');
		EXIT WHEN expression IS NULL;
		EXECUTE format('SELECT (%s)::text FROM (VALUES (%s)) AS v (n)', expression, n) INTO result;
		text := replace(text, '{' || expression || '}', result);
	END LOOP;
	RETURN text;
END
$$;
CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('SET application_name = %L', 'npl ' || c.name)
	UNION ALL SELECT regexp_split_to_table(c.first, '; ')
	UNION ALL (SELECT s.s FROM generate_series(1, c.rounds) AS n, regexp_split_to_table(filled(c.round, n), '; ') WITH ORDINALITY AS s (s, at) ORDER BY n, s.at)
	UNION ALL SELECT regexp_split_to_table(c.last, '; ')
$$;
\pset tuples_only on
\set ECHO none
\o /dev/null
SELECT script(c) FROM cases AS c ORDER BY name \gexec
\o
\set ECHO all
\pset tuples_only off
-- several statements in one message have saved the way already
SET application_name = 'npl none: one message';
BEGIN \; INSERT INTO log VALUES (1, 'm') \; INSERT INTO log VALUES (2, 'm') \; INSERT INTO log VALUES (3, 'm') \; INSERT INTO log VALUES (4, 'm') \; INSERT INTO log VALUES (5, 'm') \; INSERT INTO log VALUES (6, 'm') \; COMMIT;
RESET application_name;
SELECT substr(application_name, 5) AS name, kind, confidence, repeats, distinct_parameters AS "distinct",
	evidence ->> 'in_transaction' AS tx, link
FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name LIKE 'npl %'
ORDER BY application_name COLLATE "C", kind, query COLLATE "C";
SELECT substr(application_name, 5) AS name, query, parent_query FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name LIKE 'npl %'
ORDER BY application_name COLLATE "C", kind, query COLLATE "C";

-- time under locks
SELECT substr(application_name, 5) AS name, lock_time > 0 AS locked
FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name IN ('npl inserts', 'npl a list updated')
ORDER BY application_name COLLATE "C";

-- told at once
SET pg_vitals.n_plus_one_action = 'error';
SET application_name = 'npl told';
BEGIN;
INSERT INTO log VALUES (1, 'told');
INSERT INTO log VALUES (2, 'told');
INSERT INTO log VALUES (3, 'told');
INSERT INTO log VALUES (4, 'told');
INSERT INTO log VALUES (5, 'told');
ROLLBACK;
\echo :LAST_ERROR_SQLSTATE
SELECT id, parent_id FROM node WHERE id = 30;
SELECT id, parent_id FROM node WHERE id = 29;
SELECT id, parent_id FROM node WHERE id = 28;
SELECT id, parent_id FROM node WHERE id = 27;
SELECT id, parent_id FROM node WHERE id = 26;
SELECT id, parent_id FROM node WHERE id = 25;
RESET pg_vitals.n_plus_one_action;
RESET application_name;
SET client_min_messages = warning;
DROP SCHEMA npl CASCADE;
