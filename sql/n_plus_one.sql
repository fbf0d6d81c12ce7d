-- vitals.n_plus_one: every type of key, every way two columns are linked, and
-- every column of the view.  psql sends each statement by itself: \gexec sends
-- the list and then a child for each of its rows.  An application_name of its
-- own keeps each case apart.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA np;
SET search_path = np, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE FUNCTION shown(application text, OUT application_name text, OUT kind text,
	OUT confidence text, OUT link text, OUT repeats bigint, OUT parent_query text, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT application_name, kind, confidence, link, repeats, parent_query, query
	FROM vitals.n_plus_one WHERE datname = current_database() AND application_name LIKE application
	ORDER BY application_name COLLATE "C", kind, query COLLATE "C", parent_query COLLATE "C"
$$;

-- a parent and a child for every type of key, of eight rows each; "sent" is how
-- the client writes the key, "param" the type it declares
CREATE TABLE types (name text PRIMARY KEY, type text, key text, sent text, param text);
INSERT INTO types VALUES
	('int2', 'smallint', 'g * 101', 'id', 'int'),
	('int4', 'int', 'g * 100003', 'id', 'bigint'),
	('int8', 'bigint', 'g * 10000000019', 'id', 'bigint'),
	('uuid', 'uuid', 'md5(g::text)', 'upper(id::text)', 'uuid'),
	('text', 'text', '''key '' || g', 'id', 'text'),
	('varchar', 'varchar(20)', '''key '' || g', 'id', 'text'),
	('char', 'char(10)', '''key '' || g', 'rtrim(id)', 'char(10)'),
	('numeric', 'numeric', 'g * 1.50', 'trim_scale(id)', 'numeric'),
	('date', 'date', '''2026-01-01''::date + g', 'to_char(id, ''YYYYMMDD'')', 'date'),
	('timestamp', 'timestamp', '''2026-01-01''::timestamp + g * ''1 hour''::interval', 'id', 'timestamp'),
	('timestamptz', 'timestamptz', '''2026-01-01 00:00+00''::timestamptz + g * ''1 hour''::interval',
	 'id AT TIME ZONE ''UTC'' || ''+00''', 'timestamptz'),
	('domain', 'order_no', 'g * 7', 'id', 'order_no');
CREATE DOMAIN order_no AS bigint CHECK (VALUE > 0);
CREATE FUNCTION make(t types) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE p_%s (id %s PRIMARY KEY, n int)', t.name, t.type);
	EXECUTE format('CREATE TABLE c_%1$s (p_id %2$s REFERENCES p_%1$s, note text)', t.name, t.type);
	EXECUTE format('INSERT INTO p_%s SELECT (%s)::%s, g FROM generate_series(1, 8) AS g', t.name, t.key, t.type);
	EXECUTE format('INSERT INTO c_%1$s SELECT id, ''note '' || n FROM p_%1$s', t.name);
END
$$;
CREATE FUNCTION script(t types, protocol text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	child text := format('SELECT note FROM c_%s WHERE p_id = ', t.name);
	call text := child || '%L';
BEGIN
	RETURN NEXT format('SET application_name = %L', protocol || ' ' || t.name);
	IF protocol = 'parameter' THEN
		RETURN NEXT format('PREPARE child_%s(%s) AS %s$1', t.name, t.param, child);
		call := format('EXECUTE child_%s(%%L)', t.name);
	END IF;
	RETURN NEXT format('SELECT id, n FROM p_%s ORDER BY n', t.name);
	RETURN QUERY EXECUTE format('SELECT format(%L, %s) FROM p_%s ORDER BY n', call, t.sent, t.name);
END
$$;
SELECT count(make(t)) FROM types AS t;
\pset tuples_only on
\set ECHO none
\o /dev/null
SELECT script(t, 'literal') FROM types AS t ORDER BY name \gexec
SELECT script(t, 'parameter') FROM types AS t ORDER BY name \gexec
\o
\set ECHO all
\pset tuples_only off
RESET application_name;
SELECT application_name, kind, confidence, link, repeats FROM shown('literal %');
SELECT application_name, kind, confidence, link, repeats FROM shown('parameter %');
SELECT parent_query, query FROM shown('% int8');

-- every column, after the same case a second time
SET application_name = 'twice';
SELECT id, n FROM p_int8 ORDER BY n;
SELECT format('SELECT note FROM c_int8 WHERE p_id = %s', id) FROM p_int8 ORDER BY n \gexec
SELECT id, n FROM p_int8 ORDER BY n LIMIT 6;
SELECT id, n FROM p_int8 ORDER BY n;
SELECT format('SELECT note FROM c_int8 WHERE p_id = %s', id) FROM p_int8 ORDER BY n LIMIT 6 \gexec
RESET application_name;
\x
SELECT n.kind, n.confidence, n.datname = current_database() AS datname, n.username = current_user AS username,
	n.application_name, n.queryid = s.queryid AS queryid, n.fingerprint = s.fingerprint AS fingerprint, n.query,
	n.parent_queryid = p.queryid AS parent_queryid, n.parent_fingerprint = p.fingerprint AS parent_fingerprint,
	n.parent_query, n.link, n.bursts, n.repeats, n.max_repeats, n.avg_repeats, n.distinct_parameters,
	n.exec_time > 0 AS exec_time, n.plan_time > 0 AS plan_time, n.wait_time > 0 AS wait_time, n.rows,
	n.shared_blks_hit + n.shared_blks_read > 0 AS blocks, n.wasted_time_low > 0 AS wasted_time_low,
	n.wasted_time_high > n.wasted_time_low AS wasted_time_high,
	n.wasted_time_high < n.exec_time + n.plan_time + n.wait_time AS wasted_less_than_all,
	n.suggestion, n.first_seen < n.last_seen AND n.last_seen <= now() AS seen
FROM vitals.n_plus_one AS n
	JOIN vitals.statements AS s ON (s.query, s.dbid, s.toplevel) = (n.query, (SELECT oid FROM pg_database WHERE datname = n.datname), true)
	JOIN vitals.statements AS p ON (p.query, p.dbid, p.toplevel) = (n.parent_query, (SELECT oid FROM pg_database WHERE datname = n.datname), true)
WHERE n.application_name = 'twice'
ORDER BY n.parent_query COLLATE "C";
\x

-- how columns are linked
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
CREATE TABLE award (id int PRIMARY KEY, author_id int REFERENCES author, year int);
CREATE TABLE shelf (id int PRIMARY KEY, book int);
CREATE TABLE "Odd Name" ("Author" int REFERENCES author);
INSERT INTO author SELECT g * 11, 'author ' || g FROM generate_series(1, 8) AS g;
INSERT INTO book SELECT g * 13, g * 11, 'book ' || g FROM generate_series(1, 8) AS g;
INSERT INTO award SELECT g * 17, g * 11, 2000 + g FROM generate_series(1, 8) AS g;
INSERT INTO shelf SELECT g, g * 13 FROM generate_series(1, 8) AS g;
INSERT INTO "Odd Name" SELECT id FROM author;
CREATE VIEW titles AS SELECT id AS book, title FROM book;
CREATE TABLE cases (name text PRIMARY KEY, parent text, child text, of text);
INSERT INTO cases VALUES
	('1 child references parent', 'SELECT id, name FROM author ORDER BY id', 'SELECT title FROM book WHERE author_id = %s', 'id'),
	('2 parent references child', 'SELECT id, author_id FROM book ORDER BY id', 'SELECT name FROM author WHERE id = %s', 'author_id'),
	('3 the same column', 'SELECT id FROM book ORDER BY id', 'SELECT title FROM book WHERE id = %s', 'id'),
	('4 a key they share', 'SELECT author_id FROM book ORDER BY author_id', 'SELECT year FROM award WHERE author_id = %s', 'author_id'),
	('5 no key: unproven', 'SELECT book FROM shelf ORDER BY id', 'SELECT title FROM book WHERE id = %s', 'book'),
	('6 parent is a view: unproven', 'SELECT book FROM titles ORDER BY book', 'SELECT title FROM book WHERE id = %s', 'book'),
	('7 child is a view', 'SELECT id FROM book ORDER BY id', 'SELECT title FROM titles WHERE book = %s', 'id'),
	('8 names to be quoted', 'SELECT id FROM author ORDER BY id', 'SELECT FROM "Odd Name" WHERE "Author" = %s', 'id'),
	('9 no parent', 'BEGIN', 'SELECT name FROM author WHERE id = %s', 'generate_series(11, 11 * 12, 11)');
CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT format('SET application_name = %L', c.name);
	RETURN NEXT c.parent;
	IF c.parent = 'BEGIN' THEN
		RETURN QUERY EXECUTE format('SELECT format(%L, %s)', c.child, c.of);
		RETURN NEXT 'COMMIT';
	ELSE
		RETURN QUERY EXECUTE format('SELECT format(%L, %s) FROM (%s) AS p', c.child, c.of, c.parent);
	END IF;
END
$$;
\pset tuples_only on
\set ECHO none
\o /dev/null
SELECT script(c) FROM cases AS c ORDER BY name \gexec
\o
\set ECHO all
\pset tuples_only off
RESET application_name;
SELECT * FROM shown('_ %');

-- names are written as the session that saw them would
SET search_path = public;
SET application_name = 'schema';
SELECT id FROM np.author ORDER BY id;
SELECT format('SELECT title FROM np.book WHERE author_id = %s', id) FROM np.author ORDER BY id \gexec
RESET application_name;
SELECT link FROM np.shown('schema');

SET client_min_messages = warning;
DROP SCHEMA np CASCADE;
