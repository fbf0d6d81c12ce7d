-- Statements that functions, triggers and DO blocks repeat: spi_loop and
-- function_per_row; and what looks like them and is not reported.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
CREATE SCHEMA nl;
SET search_path = nl, public;
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author ON DELETE CASCADE, title text);
CREATE TABLE log (what text);
CREATE TABLE job (id int PRIMARY KEY, state text);
CREATE TABLE part (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (10) TO (1000);
INSERT INTO author SELECT g * 7, 'author ' || g FROM generate_series(1, 50) AS g;
INSERT INTO book SELECT g, 7 * (1 + g * 13 % 50), 'book ' || g FROM generate_series(1, 200) AS g;
ANALYZE author, book, part;

CREATE FUNCTION name_of(a int) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE n text;
BEGIN SELECT name INTO n FROM author WHERE id = a; RETURN n; END $$;
CREATE FUNCTION sql_name_of(a int) RETURNS text LANGUAGE sql STABLE AS $$
SELECT name FROM author WHERE id = sql_name_of.a $$;
CREATE FUNCTION indirect(a int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN PERFORM name_of(a); RETURN a; END $$;
CREATE FUNCTION counting(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN FOR i IN 1 .. n LOOP SELECT name INTO t FROM author WHERE id = i; END LOOP; RETURN n; END $$;
CREATE FUNCTION recursive(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
	SELECT name INTO t FROM author WHERE id = n;
	IF n > 1 THEN PERFORM recursive(n - 1); END IF;
	RETURN n;
END $$;
CREATE FUNCTION looping(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; t text;
BEGIN
	FOR r IN SELECT author_id FROM book ORDER BY id LIMIT n LOOP
		SELECT name INTO t FROM author WHERE id = r.author_id;
	END LOOP;
	RETURN n;
END $$;
CREATE FUNCTION loop_in_loop() RETURNS int LANGUAGE plpgsql AS $$
DECLARE a record; b record; t text;
BEGIN
	FOR a IN SELECT id FROM author ORDER BY id LIMIT 6 LOOP
		FOR b IN SELECT id, title FROM book WHERE author_id = a.id LOOP
			SELECT what INTO t FROM log WHERE what = b.title;
		END LOOP;
	END LOOP;
	RETURN 1;
END $$;
CREATE FUNCTION with_cursor() RETURNS int LANGUAGE plpgsql AS $$
DECLARE c CURSOR FOR SELECT author_id FROM book ORDER BY id LIMIT 8; a int; t text;
BEGIN
	OPEN c;
	LOOP
		FETCH c INTO a;
		EXIT WHEN NOT FOUND;
		t := (SELECT name FROM author WHERE id = a);
	END LOOP;
	CLOSE c;
	RETURN 1;
END $$;
CREATE FUNCTION catching() RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; t text;
BEGIN
	FOR r IN SELECT id, author_id FROM book ORDER BY id LIMIT 9 LOOP
		BEGIN
			SELECT name INTO t FROM author WHERE id = r.author_id;
			t := 1 / (r.id % 2);
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
	RETURN 1;
END $$;
CREATE FUNCTION writing() RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	FOR r IN SELECT title FROM book ORDER BY id LIMIT 12 LOOP INSERT INTO log VALUES (r.title); END LOOP;
	RETURN 1;
END $$;
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$
DECLARE r record; t text;
BEGIN
	FOR r IN SELECT author_id FROM book ORDER BY id LIMIT 11 LOOP
		SELECT name INTO t FROM author WHERE id = r.author_id;
		COMMIT;
	END LOOP;
END $$;
CREATE FUNCTION asking() RETURNS int LANGUAGE plpgsql AS $$
DECLARE n int := 0;
BEGIN
	FOR i IN 1 .. 7 LOOP
		IF EXISTS (SELECT FROM book WHERE id = i) THEN n := n + 1; END IF;
	END LOOP;
	RETURN n;
END $$;

-- Each case runs under a name of its own.
CREATE FUNCTION shown(OUT "case" text, OUT kind text, OUT n bigint, OUT bursts bigint, OUT rows bigint, OUT query text, OUT parent text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT substr(application_name, 4), kind, repeats, bursts, rows, query, left(parent_query, 60)
	FROM vitals.n_plus_one WHERE application_name LIKE 'nl %' AND datname = current_database()
	ORDER BY first_seen, application_name, query COLLATE "C"
$$;
\pset format unaligned
\pset tuples_only on

-- functions called for each row
SET application_name = 'nl select list';
SELECT id, name_of(author_id) FROM book ORDER BY id LIMIT 25 \g /dev/null
SET application_name = 'nl language sql';
SELECT sql_name_of(author_id) FROM book ORDER BY id LIMIT 7 \g /dev/null
SET application_name = 'nl where';
SELECT count(*) FROM book WHERE name_of(author_id) = 'author 3' \g /dev/null
SET application_name = 'nl lateral';
SELECT count(n) FROM book, LATERAL name_of(author_id) AS n WHERE id <= 30 \g /dev/null
SET application_name = 'nl through another';
SELECT indirect(author_id) FROM book LIMIT 9 \g /dev/null
SET application_name = 'nl no table';
SELECT name_of(g) FROM generate_series(1, 20) AS g \g /dev/null
SET application_name = 'nl table as';
CREATE TEMPORARY TABLE made AS SELECT name_of(author_id) FROM book LIMIT 6;
SET application_name = 'nl copy to';
COPY (SELECT name_of(author_id) FROM book LIMIT 6) TO STDOUT \g /dev/null
SET application_name = 'nl cursor';
BEGIN;
DECLARE c CURSOR FOR SELECT name_of(author_id) FROM book;
FETCH 6 FROM c \g /dev/null
FETCH 7 FROM c \g /dev/null
COMMIT;
SET application_name = 'nl failed';
SELECT name_of(author_id), 1 / (8 - id) FROM book ORDER BY id \g /dev/null
SELECT * FROM shown();

-- loops in functions
SELECT vitals.reset() > 0;
SET application_name = 'nl loop';
SELECT looping(30) \g /dev/null
SELECT looping(10) \g /dev/null
SET application_name = 'nl loop in loop';
SELECT loop_in_loop() \g /dev/null
SET application_name = 'nl explicit cursor';
SELECT with_cursor() \g /dev/null
SET application_name = 'nl counting';
SELECT counting(30) \g /dev/null
SET application_name = 'nl counting for one row';
SELECT counting(6) FROM book WHERE id = 1 \g /dev/null
SET application_name = 'nl counting for each row';
SELECT counting(6) FROM book LIMIT 4 \g /dev/null
SET application_name = 'nl recursive';
SELECT recursive(30) \g /dev/null
SET application_name = 'nl exceptions';
SELECT catching() \g /dev/null
SET application_name = 'nl writes';
SELECT writing() \g /dev/null
SET application_name = 'nl do';
DO $$ DECLARE t text; BEGIN FOR i IN 1 .. 10 LOOP EXECUTE 'SELECT name FROM author WHERE id = $1' INTO t USING i; END LOOP; END $$;
SET application_name = 'nl commit';
CALL committing();
SET application_name = 'nl if';
SELECT asking() \g /dev/null
SELECT * FROM shown();

-- triggers
SELECT vitals.reset() > 0;
CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN SELECT name INTO NEW.note FROM author WHERE id = NEW.id; RETURN NEW; END $$;
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log VALUES (NEW.note); RETURN NULL; END $$;
CREATE FUNCTION after_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO log SELECT note FROM added; RETURN NULL; END $$;
CREATE FUNCTION loop_after_statement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	FOR r IN SELECT id FROM added LOOP PERFORM FROM author WHERE id = r.id; END LOOP;
	RETURN NULL;
END $$;
CREATE TRIGGER b BEFORE INSERT OR UPDATE ON part FOR EACH ROW EXECUTE FUNCTION before_row();
CREATE TRIGGER a AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION after_row();
SET application_name = 'nl rows of partitions';
INSERT INTO part SELECT g FROM generate_series(1, 20) AS g;
SET application_name = 'nl update';
UPDATE part SET note = NULL WHERE id <= 15;
SET application_name = 'nl copy from';
COPY part (id) FROM stdin;
101
102
103
104
105
106
107
108
\.
SET application_name = 'nl single rows in a loop';
DO $$ BEGIN FOR i IN 201 .. 207 LOOP INSERT INTO part VALUES (i); END LOOP; END $$;
SELECT * FROM shown();
SELECT vitals.reset() > 0;
DROP TRIGGER b ON part;
DROP TRIGGER a ON part;
CREATE TRIGGER a AFTER INSERT ON part REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION after_statement();
SET application_name = 'nl once for a statement';
INSERT INTO part SELECT g FROM generate_series(301, 320) AS g;
DROP TRIGGER a ON part;
CREATE TRIGGER a AFTER INSERT ON part REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION loop_after_statement();
SET application_name = 'nl loop in it';
INSERT INTO part SELECT g FROM generate_series(401, 420) AS g;
DROP TRIGGER a ON part;
SELECT * FROM shown();

-- not reported
SELECT vitals.reset() > 0;
SET application_name = 'nl too few';
SELECT name_of(author_id) FROM book ORDER BY id LIMIT 4 \g /dev/null
SELECT looping(4) \g /dev/null
SET application_name = 'nl foreign keys';
INSERT INTO book SELECT g, 7, 'new' FROM generate_series(1001, 1030) AS g;
UPDATE book SET author_id = 14 WHERE id > 1000;
BEGIN;
DELETE FROM author;
ROLLBACK;
SET application_name = 'nl expressions';
DO $$ DECLARE x int; BEGIN FOR i IN 1 .. 9 LOOP x := i + 1; PERFORM i, now(); SELECT i INTO x; END LOOP; END $$;
SET application_name = 'nl catalogs';
DO $$ BEGIN FOR i IN 1 .. 9 LOOP PERFORM FROM pg_class WHERE oid = i; END LOOP; END $$;
SET application_name = 'nl ourselves';
DO $$ BEGIN FOR i IN 1 .. 9 LOOP PERFORM FROM vitals.statements; END LOOP; END $$;
SET application_name = 'nl queue';
DO $$ BEGIN FOR i IN 1 .. 9 LOOP PERFORM FROM job WHERE state = 'new' LIMIT 1 FOR UPDATE SKIP LOCKED; END LOOP; END $$;
SET application_name = 'nl batches';
INSERT INTO job SELECT g, 'new' FROM generate_series(1, 600) AS g;
DO $$ BEGIN FOR i IN 0 .. 5 LOOP DELETE FROM job WHERE id BETWEEN i * 100 + 1 AND i * 100 + 100; END LOOP; END $$;
SET application_name = 'nl explain';
EXPLAIN (ANALYZE, FORMAT json) SELECT name_of(author_id) FROM book \g /dev/null
SET application_name = 'nl planner';
CREATE FUNCTION folded() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN counting(9); END $$;
EXPLAIN (FORMAT json) SELECT folded() \g /dev/null
SET application_name = 'nl polling';
SET pg_vitals.n_plus_one_max_gap = '10ms';
DO $$ BEGIN FOR i IN 1 .. 6 LOOP PERFORM FROM job WHERE id = 1; PERFORM pg_sleep(0.02); END LOOP; END $$;
RESET pg_vitals.n_plus_one_max_gap;
SET application_name = 'nl off';
SET pg_vitals.n_plus_one = off;
SELECT looping(10) \g /dev/null
RESET pg_vitals.n_plus_one;
SET application_name = 'nl other calls';
SELECT name_of(7) \g /dev/null
SELECT name_of(7) \g /dev/null
SELECT name_of(7) \g /dev/null
SELECT name_of(7) \g /dev/null
SELECT name_of(7) \g /dev/null
SELECT name_of(7) \g /dev/null
SELECT * FROM shown();

-- whose: the role that executes
SELECT vitals.reset() > 0;
CREATE ROLE regress_nl;
GRANT USAGE ON SCHEMA nl TO regress_nl;
GRANT SELECT ON author TO regress_nl;
CREATE FUNCTION defined(a int) RETURNS text SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT name FROM nl.author WHERE id = a); END $$;
ALTER FUNCTION defined OWNER TO regress_nl;
SET application_name = 'nl security definer';
SELECT defined(author_id) FROM book LIMIT 8 \g /dev/null
SELECT username, kind, repeats, query FROM vitals.n_plus_one WHERE application_name = 'nl security definer';

-- counting nested statements as well changes nothing
SELECT vitals.reset() > 0;
SET pg_vitals.track = 'all';
SET application_name = 'nl track all';
SELECT id, name_of(author_id) FROM book ORDER BY id LIMIT 25 \g /dev/null
SELECT looping(30) \g /dev/null
SELECT loop_in_loop() \g /dev/null
CALL committing();
SET pg_vitals.track = 'none';
SET application_name = 'nl track none';
SELECT id, name_of(author_id) FROM book ORDER BY id LIMIT 25 \g /dev/null
SELECT looping(30) \g /dev/null
RESET pg_vitals.track;
SELECT * FROM shown();

-- a variable is a parameter: the same statement sent by a client
SELECT vitals.reset() > 0;
SET application_name = 'nl same';
SELECT name_of(author_id) FROM book LIMIT 6 \g /dev/null
SELECT name FROM author WHERE id = 7 \g /dev/null
SELECT f.kind, s.query FROM vitals.statements s JOIN vitals.n_plus_one f USING (fingerprint) WHERE f.application_name = 'nl same';

-- what is measured, and the advice
SELECT confidence, link IS NULL, exec_time > 0, wait_time, p10_wait_time IS NULL, distinct_parameters IS NULL,
	avg_repeats, max_repeats, rows, shared_blks_hit >= 6, evidence
FROM vitals.n_plus_one WHERE application_name = 'nl same';
SET application_name = 'nl advice';
SELECT looping(6), writing(), counting(6) \g /dev/null
SELECT name_of(author_id) FROM book LIMIT 6 \g /dev/null
CREATE TRIGGER b BEFORE UPDATE ON part FOR EACH ROW EXECUTE FUNCTION before_row();
UPDATE part SET note = NULL WHERE id <= 7;
SELECT kind, query, suggestion FROM vitals.n_plus_one WHERE application_name = 'nl advice' ORDER BY kind, query COLLATE "C", suggestion COLLATE "C";

-- n_plus_one_action
SET client_min_messages = notice;
SET pg_vitals.n_plus_one_action = notice;
SET application_name = 'nl notice';
SELECT looping(10) \g /dev/null
SELECT id, name_of(author_id) FROM book ORDER BY id LIMIT 6 \g /dev/null
SET pg_vitals.n_plus_one_action = error;
SELECT looping(10) \g /dev/null
-- caught, the loop goes on
DO $$ BEGIN
	FOR i IN 1 .. 8 LOOP
		BEGIN PERFORM FROM author WHERE id = i; EXCEPTION WHEN SQLSTATE 'VT001' THEN RAISE NOTICE 'caught %', i; END;
	END LOOP;
END $$;
RESET pg_vitals.n_plus_one_action;
SELECT * FROM shown() WHERE "case" = 'notice';

SET client_min_messages = warning;
RESET application_name;
DROP SCHEMA nl CASCADE;
DROP ROLE regress_nl;
