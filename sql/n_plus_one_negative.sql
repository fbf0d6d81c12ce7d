-- Traffic that repeats statements for good reason: no finding of any kind.
-- max_gap is long, so nothing is silent for being slow.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA npn;
SET search_path = npn, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE country (id int PRIMARY KEY, name text);
CREATE TABLE customer (id int PRIMARY KEY, country_id int REFERENCES country, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer, day date, total int);
CREATE TABLE item (id int PRIMARY KEY, order_id int REFERENCES orders, n int);
CREATE TABLE job (id int PRIMARY KEY, state text);
INSERT INTO country SELECT g, 'country ' || g FROM generate_series(1, 8) AS g;
INSERT INTO customer SELECT g * 3, 1 + g % 8, 'customer ' || g FROM generate_series(1, 100) AS g;
INSERT INTO orders SELECT g * 7, 3 * (1 + g % 100), '2026-01-01'::date + g, g FROM generate_series(1, 200) AS g;
INSERT INTO item SELECT g, 7 * (1 + g % 200), g FROM generate_series(1, 600) AS g;
INSERT INTO job SELECT g, 'ready' FROM generate_series(1, 20) AS g;

-- A case: statements separated by semicolons, for each number from 1 to rounds.
-- {e} is replaced by the value of the expression e, in which n is the number.
CREATE TABLE cases (name text PRIMARY KEY, rounds int, round text);
INSERT INTO cases VALUES
	('pages by offset', 12, 'SELECT id, total FROM orders ORDER BY id LIMIT 10 OFFSET {n * 10}'),
	('pages by key', 12, 'SELECT id, total FROM orders WHERE id > {n * 70} ORDER BY id LIMIT 10'),
	('pages by key of one customer', 12, 'SELECT id, total FROM orders WHERE customer_id = 3 AND id > {n * 70} ORDER BY id LIMIT 10'),
	('pages with a count', 8, 'SELECT id, customer_id FROM orders ORDER BY id LIMIT 10 OFFSET {n * 10}; SELECT count(*) FROM orders WHERE total > {n}'),
	('batches by IN', 8, 'SELECT id, customer_id FROM orders ORDER BY id LIMIT 3 OFFSET {n * 3}; SELECT * FROM customer WHERE id IN ({n * 3}, {n * 3 + 3}, {n * 3 + 6})'),
	('one list, batches by IN', 8, '{CASE n WHEN 1 THEN ''SELECT id FROM customer ORDER BY id'' ELSE format(''SELECT * FROM orders WHERE customer_id IN (%s, %s)'', n * 6, n * 6 + 3) END}'),
	('one list, batches by ANY', 8, '{CASE n WHEN 1 THEN ''SELECT id FROM customer ORDER BY id'' ELSE format(''SELECT * FROM orders WHERE customer_id = ANY (ARRAY[%s, %s])'', n * 6, n * 6 + 3) END}'),
	('preloaded, list after list', 8, 'SELECT id, customer_id FROM orders ORDER BY id LIMIT 5 OFFSET {n * 5}; SELECT * FROM customer WHERE id IN (3, 6, 9, {n * 3}); SELECT * FROM item WHERE order_id IN (7, 14, {n * 7})'),
	('list, one detail', 12, 'SELECT id, total FROM orders ORDER BY id LIMIT 20 OFFSET {n}; SELECT * FROM item WHERE order_id = {n * 7 + 7}'),
	('list, four details', 5, 'SELECT id, total FROM orders ORDER BY id LIMIT 20 OFFSET {n * 20}; {(SELECT string_agg(format(''SELECT * FROM item WHERE order_id = %s'', (n * 20 + g) * 7), ''; '') FROM generate_series(1, 4) AS g)}'),
	('detail page', 1, 'SELECT * FROM orders WHERE id = 70; SELECT * FROM customer WHERE id = 33; SELECT * FROM country WHERE id = 4; SELECT * FROM item WHERE order_id = 70; SELECT count(*) FROM orders WHERE customer_id = 33; SELECT sum(total) FROM orders WHERE customer_id = 33'),
	('detail pages of many', 20, 'SELECT * FROM orders WHERE id = {n * 49 % 1400 + 7}; SELECT * FROM customer WHERE id = {3 * (n * 37 % 100 + 1)}'),
	('lookups without a list', 20, 'SELECT name FROM customer WHERE id = {n * 3}'),
	('one row each', 20, 'SELECT id, customer_id FROM orders WHERE id = {n * 7}; SELECT name FROM customer WHERE id = {3 * (1 + n % 100)}'),
	('report', 1, 'SELECT count(*) FROM orders; SELECT sum(total) FROM orders; SELECT min(day) FROM orders; SELECT max(day) FROM orders; SELECT avg(total) FROM orders; SELECT count(DISTINCT customer_id) FROM orders'),
	('ranges of a list', 8, '{CASE n WHEN 1 THEN ''SELECT id, day FROM orders ORDER BY id'' ELSE format(''SELECT sum(total) FROM orders WHERE day >= %L AND day < %L'', ''2026-01-01''::date + n, ''2026-01-02''::date + n) END}'),
	('one customer, days by range', 8, '{CASE n WHEN 1 THEN ''SELECT id, customer_id FROM orders WHERE customer_id = 3 ORDER BY id'' ELSE format(''SELECT sum(total) FROM orders WHERE customer_id = 3 AND day >= %L'', ''2026-01-01''::date + n) END}'),
	('search as you type', 8, 'SELECT id, name FROM customer WHERE name LIKE ''{left(''customer 1'', n + 2)}%'' ORDER BY id LIMIT 10'),
	('numbers that agree by chance', 8, '{CASE n WHEN 1 THEN ''SELECT id, total FROM orders ORDER BY id LIMIT 60'' ELSE format(''SELECT * FROM job WHERE id = %s'', (array[19, 3, 12, 7, 16, 1, 10])[n - 1]) END}'),
	('catalog of a driver', 12, '{CASE n WHEN 1 THEN ''SELECT oid, relname FROM pg_class ORDER BY oid'' ELSE format(''SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum = 1'', (SELECT oid FROM pg_class ORDER BY oid OFFSET n LIMIT 1)) END}'),
	('job queue', 12, 'BEGIN; SELECT id FROM job WHERE state = ''ready'' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED; UPDATE job SET state = ''done {n}'' WHERE id = {n}; COMMIT'),
	('job queue, empty', 12, 'SELECT id FROM job WHERE state = ''none'' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED'),
	('read what was written', 12, 'UPDATE job SET state = ''x'' WHERE id = 1; SELECT state FROM job WHERE id = 1'),
	('inserts', 12, 'INSERT INTO job VALUES ({100 + n}, ''new'')'),
	('inserts of many', 6, 'INSERT INTO job SELECT g, ''new'' FROM generate_series({n * 1000}, {n * 1000 + 9}) AS g'),
	('sequences', 12, 'SELECT nextval(''counter'')'),
	('advisory locks', 12, 'SELECT pg_advisory_xact_lock({n})'),
	('pool', 12, 'SELECT 1; SHOW transaction_isolation; SET work_mem = ''4MB''; RESET work_mem'),
	('prepared and dropped', 8, 'PREPARE p AS SELECT name FROM customer WHERE id = $1; EXECUTE p({n * 3}); DEALLOCATE p'),
	('cursor', 1, 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM customer ORDER BY id; FETCH 10 FROM c; FETCH 10 FROM c; FETCH 10 FROM c; FETCH 10 FROM c; FETCH 10 FROM c; FETCH 10 FROM c; COMMIT'),
	('retries', 4, 'BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT total FROM orders WHERE id = 7; ROLLBACK'),
	('wrong column of the list', 10, '{CASE n WHEN 1 THEN ''SELECT id, name FROM customer ORDER BY id'' ELSE format(''SELECT id FROM orders WHERE id = %s'', (n * n * 91) % 1400) END}');
CREATE SEQUENCE counter;
CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	text text;
	expression text;
	result text;
BEGIN
	RETURN NEXT format('SET application_name = %L', 'npn ' || c.name);
	FOR n IN 1 .. c.rounds LOOP
		text := c.round;
		LOOP
			expression := substring(text from '{([^}]*)}');
			EXIT WHEN expression IS NULL;
			EXECUTE format('SELECT (%s)::text FROM (VALUES (%s)) AS v (n)', expression, n) INTO result;
			text := replace(text, '{' || expression || '}', result);
		END LOOP;
		RETURN QUERY SELECT regexp_split_to_table(text, '; ');
	END LOOP;
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
SELECT application_name, kind, confidence, repeats, query, parent_query FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name LIKE 'npn %'
ORDER BY application_name COLLATE "C", kind, query COLLATE "C";

-- and the statements were sent: the least often sent of each case
SELECT count(*), sum(calls) FROM vitals.statements
WHERE datname = current_database() AND query IN (
	'SELECT id, total FROM orders ORDER BY id LIMIT $1 OFFSET $2',
	'SELECT name FROM customer WHERE id = $1',
	'SELECT * FROM item WHERE order_id = $1',
	'SELECT id FROM job WHERE state = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED');

SET client_min_messages = warning;
DROP SCHEMA npn CASCADE;
