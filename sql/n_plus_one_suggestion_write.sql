-- vitals.n_plus_one.suggestion for loops of writes and for walks: its SQL is
-- executed, and must leave, or give, what the single statements do.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA npw;
SET search_path = npw, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE item (id bigint PRIMARY KEY, shop int NOT NULL DEFAULT 7, name varchar(30), made date, feel mood, price numeric, tags text[],
	UNIQUE (shop, name));

-- A case: rows of up to three values, and the statement with %1$L to %3$L for
-- them.  "args" are the suggestion's parameters in their order, %1$L to %3$L
-- being the arrays then.
CREATE TABLE cases (name text PRIMARY KEY, child text, args text);
INSERT INTO cases VALUES
	('insert', 'INSERT INTO item (id, name, made) VALUES (%1$L, %2$L, %3$L)', '%1$L, %2$L, %3$L'),
	('insert, casts', 'INSERT INTO npw.item AS i (id, "name", price) VALUES (%1$L::INTEGER, %2$L::VARCHAR, 1.50) RETURNING i.id', '%1$L, %2$L, array_fill(1.50, ARRAY[20])'),
	('insert, default', 'INSERT INTO item (id, shop, name) VALUES (%1$L, DEFAULT, %2$L)', '%1$L, %2$L'),
	('insert, computed', 'INSERT INTO item (id, made, name) VALUES (%1$L, CURRENT_DATE, %2$L)', '%1$L, %2$L'),
	('insert, no columns', 'INSERT INTO item VALUES (%1$L, 1, %2$L, %3$L)', '%1$L, array_fill(1, ARRAY[20]), %2$L, %3$L'),
	('insert, enum', 'INSERT INTO item (id, feel, name) VALUES (%1$L, ''wild'', %2$L)', '%1$L, array_fill(''wild''::mood, ARRAY[20]), %2$L'),
	('insert, conflict', 'INSERT INTO item (id, name) VALUES (%1$L, %2$L) ON CONFLICT (id) DO UPDATE SET name = excluded.name', '%1$L, %2$L'),
	('insert, array column', 'INSERT INTO item (id, tags) VALUES (%1$L, ''{a,b}'')', NULL),
	('insert, expression', 'INSERT INTO item (id, name) VALUES (%1$L, lower(%2$L))', NULL),
	('update', 'UPDATE item SET name = %2$L WHERE id = %1$L', '%2$L, %1$L'),
	('update, more', 'UPDATE "npw"."item" AS t SET made = %3$L::date, shop = t.shop, name = %2$L WHERE t.id = %1$L AND t.shop = 7 RETURNING *', '%3$L, %2$L, %1$L, array_fill(7, ARRAY[20])'),
	('update, sum', 'UPDATE item SET shop = item.shop + 1, made = %3$L WHERE id = %1$L', 'array_fill(1, ARRAY[20]), %3$L, %1$L'),
	('update, brackets', 'UPDATE item SET name = (%2$L) WHERE (id) = (%1$L)', '%2$L, %1$L'),
	('update, expression', 'UPDATE item SET name = upper(%2$L) WHERE id = %1$L', NULL),
	('delete', 'DELETE FROM item WHERE id = %1$L', '%1$L'),
	('delete, two', 'DELETE FROM item WHERE shop = 7 AND name = %2$L', 'array_fill(7, ARRAY[20]), %2$L'),
	('delete, returning', 'DELETE FROM item AS i WHERE (%1$L = i.id) RETURNING i.name', '%1$L');
CREATE VIEW vals AS SELECT g * 3 AS a, 'name ' || g AS b, date '2024-01-01' + g AS c FROM generate_series(1, 20) AS g;

CREATE FUNCTION prepare_item(c cases) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE item;
	INSERT INTO item (id, name, made) SELECT g, 'old ' || g, '2023-01-01' FROM generate_series(1, 60) AS g
		WHERE c.name !~ '^insert' OR (c.name = 'insert, conflict' AND g % 2 = 0);
	IF c.name = 'delete, two' THEN
		UPDATE item SET name = 'name ' || id;
	END IF;
	RETURN NULL;
END
$$;
CREATE TABLE expected (LIKE item);
ALTER TABLE expected ADD COLUMN case_name text, ALTER COLUMN id DROP NOT NULL, ALTER COLUMN shop DROP NOT NULL;
CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT format('SELECT prepare_item(c) FROM cases AS c WHERE name = %L', c.name);
	RETURN NEXT format('SET application_name = %L', c.name);
	RETURN NEXT 'BEGIN';
	RETURN QUERY EXECUTE format('SELECT format(%L, a, b, c) FROM vals', c.child);
	RETURN NEXT 'COMMIT';
	RETURN NEXT format('INSERT INTO expected SELECT *, %L FROM item', c.name);
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
\x
SELECT application_name, kind, suggestion FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name IN (SELECT name FROM cases)
ORDER BY application_name COLLATE "C";
\x

CREATE FUNCTION compared(c cases, OUT form text, OUT same bigint, OUT missing bigint, OUT surplus bigint)
LANGUAGE plpgsql AS $$
DECLARE
	batch text := substring((SELECT suggestion FROM vitals.n_plus_one
							 WHERE (application_name, kind, datname) = (c.name, 'n_plus_one_write', current_database()))
							from '^run it once for all rows(?:, each key once)?: (.*?)(?:; .*)?$');
	v record;
BEGIN
	form := CASE WHEN batch IS NULL THEN 'words' WHEN batch LIKE '%unnest%' THEN 'unnest' ELSE 'any' END;
	IF batch IS NULL THEN
		RETURN;
	END IF;
	PERFORM prepare_item(c);
	SELECT array_agg(a) AS a, array_agg(b) AS b, array_agg(vals.c) AS c INTO v FROM vals;
	DEALLOCATE ALL;
	EXECUTE 'PREPARE batch AS ' || batch;
	EXECUTE format('EXECUTE batch(%s)', format(c.args, v.a, v.b, v.c));
	SELECT count(*) FILTER (WHERE x.s AND x.b), count(*) FILTER (WHERE NOT x.b), count(*) FILTER (WHERE NOT x.s)
	INTO same, missing, surplus
	FROM (SELECT e.r IS NOT NULL, i.r IS NOT NULL
		  FROM (SELECT (id, shop, name, made, feel, price, tags)::text FROM expected WHERE case_name = c.name) AS e (r)
		  FULL JOIN (SELECT (id, shop, name, made, feel, price, tags)::text FROM item) AS i (r) USING (r)) AS x (s, b);
EXCEPTION WHEN OTHERS THEN
	form := form || ': ' || SQLERRM;
END
$$;
SELECT c.name, r.* FROM cases AS c, compared(c) AS r ORDER BY c.name COLLATE "C";

-- In a transaction each: one is the least.
TRUNCATE item;
INSERT INTO item (id) SELECT g FROM generate_series(1, 40) AS g;
SET application_name = 'autocommit';
\pset tuples_only on
\o /dev/null
SELECT id, name FROM item ORDER BY id LIMIT 12;
SELECT format('UPDATE item SET name = %L WHERE id = %s', id, id) FROM generate_series(1, 12) AS id \gexec
\o
\pset tuples_only off
RESET application_name;
SELECT substring(suggestion from '; (at the least, .*)$') AS least FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name = 'autocommit';

-- Walks: up to the root, and down to the first child; as such, and with names,
-- limits and conditions around them.
CREATE TABLE node (id int PRIMARY KEY, parent_id int REFERENCES node, name text);
CREATE TABLE "Step" ("Id" int PRIMARY KEY, "Next one" int, "Note" json);
INSERT INTO node SELECT g, nullif(g / 2, 0), 'node ' || g FROM generate_series(1, 5000) AS g;
INSERT INTO "Step" SELECT g, g + 2, '{}' FROM generate_series(1, 30) AS g;
CREATE TABLE walks (name text PRIMARY KEY, start int, next text, child text);
INSERT INTO walks VALUES
	('up', 4801, 'parent_id', 'SELECT id, parent_id, name FROM node WHERE id = %s'),
	('up, limit', 4802, 'parent_id', 'SELECT "node".* FROM "node" WHERE "node"."id" = %s LIMIT 1'),
	('up, turned', 4803, 'parent', 'SELECT n.parent_id AS parent FROM node AS n WHERE %s::int = n.id AND n.name <> ''x'''),
	('down', 1, 'id', 'SELECT id, name FROM node WHERE parent_id = %s ORDER BY id LIMIT 1'),
	('along, quotes', 1, 'Next one', 'SELECT "Next one", "Note" FROM "Step" WHERE "Id" = %s');
-- One step at a time, as a program would.
CREATE FUNCTION steps(w walks) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	at text := w.start;
BEGIN
	RETURN NEXT format('SET application_name = %L', w.name);
	WHILE at IS NOT NULL LOOP
		RETURN NEXT format(w.child, at);
		EXECUTE format('SELECT max(to_jsonb(s) ->> %L) FROM (%s) AS s', w.next, format(w.child, at)) INTO at;
	END LOOP;
END
$$;
\pset tuples_only on
\set ECHO none
\o /dev/null
SELECT steps(w) FROM walks AS w ORDER BY name \gexec
\o
\set ECHO all
\pset tuples_only off
RESET application_name;
\x
SELECT application_name, kind, link, suggestion FROM vitals.n_plus_one
WHERE datname = current_database() AND application_name IN (SELECT name FROM walks)
ORDER BY application_name COLLATE "C";
\x
CREATE FUNCTION walked(w walks, OUT rows bigint, OUT missing bigint, OUT surplus bigint) LANGUAGE plpgsql AS $$
DECLARE
	walk text := substring((SELECT suggestion FROM vitals.n_plus_one
							WHERE (application_name, kind, datname) = (w.name, 'recursive_walk', current_database()))
						   from ': (WITH RECURSIVE .*?)(?:; .*)?$');
	step text;
	r record;
BEGIN
	CREATE TEMP TABLE single (r text);
	CREATE TEMP TABLE batch (r text);
	FOR step IN SELECT s FROM steps(w) AS s WHERE s NOT LIKE 'SET %' LOOP
		FOR r IN EXECUTE step LOOP
			INSERT INTO single VALUES (r::text);
		END LOOP;
	END LOOP;
	DEALLOCATE ALL;
	EXECUTE 'PREPARE walk AS ' || walk;
	FOR r IN EXECUTE format('EXECUTE walk(%s%s)', w.start, CASE WHEN w.name IN ('up, turned') THEN ', ''x''' WHEN w.name = 'down' THEN ', 1' END) LOOP
		INSERT INTO batch VALUES (r::text);
	END LOOP;
	SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM (TABLE single EXCEPT ALL TABLE batch) AS x),
		(SELECT count(*) FROM (TABLE batch EXCEPT ALL TABLE single) AS x)
	INTO rows, missing, surplus;
	DROP TABLE single, batch;
END
$$;
SELECT w.name, r.* FROM walks AS w, walked(w) AS r ORDER BY w.name COLLATE "C";

SET client_min_messages = warning;
DROP SCHEMA npw CASCADE;
