-- The settings of the detector: when it looks, at whom, and how closely.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA nps;
SET search_path = nps, public;
SELECT name, setting, unit, min_val, max_val, context FROM pg_settings WHERE name LIKE 'pg\_vitals.n\_plus\_one%' ORDER BY name;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
INSERT INTO author SELECT g * 7, 'author ' || g FROM generate_series(1, 300) AS g;
INSERT INTO book SELECT g, g * 7, 'book ' || g FROM generate_series(1, 300) AS g;
CREATE FUNCTION shown(OUT application_name text, OUT kind text, OUT repeats bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT application_name, kind, repeats, query FROM vitals.n_plus_one
	WHERE datname = current_database() AND application_name LIKE 'nps %'
	ORDER BY application_name COLLATE "C", kind, query COLLATE "C"
$$;

-- A case: settings, rows of the list, children.
CREATE TABLE cases (name text PRIMARY KEY, before text, listed int, children int, after text);
INSERT INTO cases VALUES
	('01 default, 4 of 4', NULL, 4, 4, NULL),
	('02 default, 5 of 5', NULL, 5, 5, NULL),
	('03 min_repeats 2, 1 of 5', 'SET pg_vitals.n_plus_one_min_repeats = 2', 5, 1, 'RESET pg_vitals.n_plus_one_min_repeats'),
	('04 min_repeats 2, 2 of 2', 'SET pg_vitals.n_plus_one_min_repeats = 2', 2, 2, 'RESET pg_vitals.n_plus_one_min_repeats'),
	('05 min_repeats 20, 19 of 50', 'SET pg_vitals.n_plus_one_min_repeats = 20', 50, 19, 'RESET pg_vitals.n_plus_one_min_repeats'),
	('06 min_repeats 20, 20 of 50', 'SET pg_vitals.n_plus_one_min_repeats = 20', 50, 20, 'RESET pg_vitals.n_plus_one_min_repeats'),
	('07 n_plus_one off', 'SET pg_vitals.n_plus_one = off', 8, 8, 'RESET pg_vitals.n_plus_one'),
	('08 enabled off', 'SET pg_vitals.enabled = off', 8, 8, 'RESET pg_vitals.enabled'),
	('09 track none', 'SET pg_vitals.track = none', 8, 8, 'RESET pg_vitals.track'),
	('10 track all', 'SET pg_vitals.track = "all"', 8, 8, 'RESET pg_vitals.track'),
	('11 another is ignored', 'SET pg_vitals.ignore_applications = ''psql, nps 1''', 8, 8, 'RESET pg_vitals.ignore_applications'),
	('12 ignored', 'SET pg_vitals.ignore_applications = ''psql, nps 12 ignored ,x''', 8, 8, 'RESET pg_vitals.ignore_applications'),
	('13 a list longer than the sample', NULL, 300, 300, NULL),
	('14 sample_rows 8', 'SET pg_vitals.n_plus_one_sample_rows = 8', 300, 300, 'RESET pg_vitals.n_plus_one_sample_rows'),
	('15 sample_rows 256', 'SET pg_vitals.n_plus_one_sample_rows = 256', 300, 300, 'RESET pg_vitals.n_plus_one_sample_rows');
CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT format('SET application_name = %L', 'nps ' || c.name);
	RETURN NEXT c.before;
	RETURN NEXT format('SELECT id FROM author ORDER BY id LIMIT %s', c.listed);
	RETURN QUERY SELECT format('SELECT title FROM book WHERE author_id = %s', g * 7) FROM generate_series(1, c.children) AS g;
	RETURN NEXT c.after;
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
SELECT * FROM shown();

-- another name, or another role, and what went before is forgotten
SELECT vitals.reset() > 0 AS reset;
\pset tuples_only on
SET application_name = 'nps z';
SELECT id FROM author ORDER BY id LIMIT 8;
SELECT format('SELECT title FROM book WHERE author_id = %s', g * 7) FROM generate_series(1, 4) AS g \gexec
SET application_name = 'nps other';
SELECT name FROM author WHERE id = 7;
SET application_name = 'nps z';
SELECT format('SELECT title FROM book WHERE author_id = %s', g * 7) FROM generate_series(5, 8) AS g \gexec
\pset tuples_only off
SELECT * FROM shown();

-- who may set what
CREATE ROLE regress_nps;
SET ROLE regress_nps;
SET pg_vitals.n_plus_one_min_repeats = 3;
SET pg_vitals.n_plus_one_sample_rows = 8;
SET pg_vitals.n_plus_one = off;
SET pg_vitals.enabled = off;
SET pg_vitals.ignore_applications = 'x';
RESET ROLE;
SET pg_vitals.n_plus_one_min_repeats = 1;
SET pg_vitals.n_plus_one_sample_rows = 257;
-- from 16 on, the message has units
\set VERBOSITY sqlstate
SET pg_vitals.n_plus_one_max_gap = '2min';
\set VERBOSITY default
SET pg_vitals.n_plus_two = 1;
DROP ROLE regress_nps;

SET client_min_messages = warning;
DROP SCHEMA nps CASCADE;
