-- The kind "duplicate": the same statement with the same parameters and the
-- same result, with no write to its tables between.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
SELECT vitals.reset() IS NOT NULL AS reset;
CREATE SCHEMA npd;
SET search_path = npd, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE setting (key text PRIMARY KEY, value text, n int);
CREATE TABLE other (id int PRIMARY KEY, value text);
CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY, line text);
INSERT INTO setting SELECT 'key ' || g, 'value ' || g, g FROM generate_series(1, 20) AS g;
INSERT INTO other SELECT g, 'other ' || g FROM generate_series(1, 20) AS g;
CREATE VIEW setting_view AS SELECT key, value FROM setting;
CREATE SEQUENCE counter;
CREATE FUNCTION write_setting() RETURNS int LANGUAGE sql AS 'UPDATE setting SET n = n WHERE key = ''key 1'' RETURNING n';
CREATE FUNCTION shown(OUT application_name text, OUT confidence text, OUT bursts bigint, OUT repeats bigint,
	OUT max_repeats bigint, OUT distinct_parameters bigint, OUT rows bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT application_name, confidence, bursts, repeats, max_repeats, distinct_parameters, rows, query
	FROM vitals.n_plus_one WHERE datname = current_database() AND kind = 'duplicate'
	ORDER BY application_name COLLATE "C", query COLLATE "C"
$$;

-- A case: what is sent, over and over, in one transaction; the statements of a
-- round are separated by semicolons and sent one by one.  %s is the number of
-- the round.
CREATE TABLE cases (name text PRIMARY KEY, found bool, rounds int, round text);
INSERT INTO cases VALUES
	('literal', true, 6, 'SELECT value FROM setting WHERE key = ''key 1'''),
	('parameter', true, 6, 'EXECUTE by_key(''key 1'')'),
	('two sets of parameters', true, 6, 'EXECUTE by_key(''key 1''); EXECUTE by_key(''key 2'')'),
	('no parameters', true, 6, 'SELECT value FROM setting WHERE n < 4'),
	('no rows', true, 6, 'SELECT value FROM setting WHERE key = ''none'''),
	('no columns', true, 6, 'SELECT FROM setting'),
	('many rows', true, 6, 'SELECT a.n FROM setting a, setting b'),
	('view', true, 6, 'SELECT * FROM setting_view'),
	('other statements between', true, 6, 'SELECT n FROM setting; SELECT %s; SHOW work_mem'),
	('another table is written', true, 6, 'SELECT n FROM setting; INSERT INTO log (line) VALUES (''%s'')'),
	('savepoints between', true, 6, 'SAVEPOINT a; SELECT n FROM setting; RELEASE a'),
	('comment differs', true, 6, 'SELECT n FROM setting /* round=''%s'' */'),
	('too few', false, 4, 'SELECT n FROM setting'),
	('parameters differ', false, 20, 'EXECUTE by_key(''key %s'')'),
	('literals differ', false, 20, 'SELECT value FROM setting WHERE n = %s'),
	('its table is written', false, 6, 'SELECT value FROM setting; UPDATE setting SET n = n WHERE key = ''key 1'''),
	('its table is written by a function', false, 6, 'SELECT value FROM setting; SELECT write_setting()'),
	('its table is written by COPY', false, 6, 'SELECT value FROM other; COPY other FROM PROGRAM ''true'''),
	('its view''s table is written', false, 6, 'SELECT * FROM setting_view; UPDATE setting SET n = n WHERE key = ''key 1'''),
	('result differs', false, 6, 'SELECT n, nextval(''counter'') FROM setting'),
	('rows in random order', false, 6, 'SELECT n FROM setting ORDER BY random()'),
	('rows are locked', false, 6, 'SELECT n FROM setting WHERE key = ''key 1'' FOR UPDATE'),
	('job queue', false, 6, 'SELECT n FROM setting WHERE key = ''key 1'' FOR UPDATE SKIP LOCKED'),
	('sequence', false, 6, 'SELECT nextval(''counter'')'),
	('advisory lock', false, 6, 'SELECT pg_try_advisory_lock(n) FROM setting'),
	('health check', false, 6, 'SELECT 1'),
	('catalog', false, 6, 'SELECT relname FROM pg_class WHERE oid = ''pg_class''::regclass'),
	('explained', false, 6, 'EXPLAIN (COSTS off) SELECT n FROM setting'),
	('session begins anew', false, 6, 'SELECT n FROM setting; RESET ALL; SET search_path = npd; SET pg_vitals.n_plus_one_max_gap = ''60s''; SET application_name = ''session begins anew''');
CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT format('SET application_name = %L', c.name);
	RETURN NEXT 'BEGIN';
	RETURN QUERY SELECT replace(statement, '%s', round::text)
		FROM generate_series(1, c.rounds) AS round,
			 regexp_split_to_table(c.round, '; ') WITH ORDINALITY AS s (statement, place)
		ORDER BY round, place;
	RETURN NEXT 'COMMIT';
END
$$;
PREPARE by_key (text) AS SELECT value FROM setting WHERE key = $1;
\pset tuples_only on
\set ECHO none
\o /dev/null
SELECT script(c) FROM cases AS c ORDER BY name \gexec
\o
\set ECHO all
\pset tuples_only off
RESET application_name;
SET search_path = npd, public;
SELECT * FROM shown();
SELECT c.name, c.found, n.query FROM cases AS c
	LEFT JOIN vitals.n_plus_one AS n ON (n.application_name, n.kind, n.datname) = (c.name, 'duplicate', current_database())
WHERE c.found IS DISTINCT FROM (n.kind IS NOT NULL) ORDER BY c.name COLLATE "C";

-- what there is to say about it
SELECT DISTINCT kind, link, parent_queryid, parent_fingerprint, parent_query, suggestion
FROM vitals.n_plus_one WHERE datname = current_database() AND application_name = 'literal';

SET client_min_messages = warning;
DROP SCHEMA npd CASCADE;
