-- Fingerprints: what falls together under one, and what does not.
--
-- A session takes a queryid it knows for the statement it knows, so where the
-- server gives two of the statements below one queryid, they run without.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE TABLE item (id int, grp int, name text);
CREATE SCHEMA vitals_fp;
CREATE TABLE vitals_fp.item (LIKE item);
SET compute_query_id = off;
CREATE FUNCTION pg_temp.shown(OUT calls bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT calls, query FROM vitals.statements
	WHERE datname = current_database() AND toplevel AND query !~ 'vitals\.|pg_temp'
	ORDER BY query COLLATE "C"
$$;
\pset footer off
\o /dev/null

-- constants, of every type
SELECT vitals.reset();
SELECT name FROM item WHERE id = 1;
SELECT name FROM item WHERE id = 22222;
SELECT name FROM item WHERE id = -3;
SELECT name FROM item WHERE id = '4';
SELECT name FROM item WHERE id = 5.5e0;
SELECT name FROM item WHERE id = NULL;
SELECT name FROM item WHERE grp IS NULL;
SELECT name FROM item WHERE grp IS NOT NULL;
SELECT name FROM item WHERE name = 'a';
SELECT name FROM item WHERE name = E'a\nb';
SELECT name FROM item WHERE name = $tag$it's$tag$;
SELECT name FROM item WHERE name = U&'\0041';
SELECT name FROM item WHERE name = N'b';
SELECT name FROM item WHERE name = 'continued'
	' on the next line';
SELECT true AS flag;
SELECT false AS flag;
\o
SELECT * FROM pg_temp.shown();
\o /dev/null

-- parameters are not told from constants
SELECT vitals.reset();
PREPARE p (int) AS SELECT name FROM item WHERE id = $1;
EXECUTE p(1);
SELECT name FROM item WHERE id = 1;
\o
SELECT * FROM pg_temp.shown();
\o /dev/null
DEALLOCATE p;

-- white space, comments, letter case, semicolons
SELECT vitals.reset();
SELECT name FROM item WHERE id = 1;
select   NAME from Item
	where id=2;
/* before */ SELECT name /* within /* nested */ */ FROM item -- to the end
	WHERE id = 3 /* after */;
SELECT name FROM item WHERE id = 4 ; ;
\o
SELECT * FROM pg_temp.shown();
\o /dev/null

-- lists of any length
SELECT vitals.reset();
SELECT id FROM item WHERE id IN (1);
SELECT id FROM item WHERE id IN (1, 2);
SELECT id FROM item WHERE id IN (1, 2, 3, -4, 5, 6, 7, 8, 9, 10);
SELECT id FROM item WHERE id IN ('1'::int, 2, 3);
SELECT id FROM item WHERE id NOT IN (1, 2);
SELECT id FROM item WHERE id = ANY (ARRAY[1]);
SELECT id FROM item WHERE id = ANY (ARRAY[1, 2, 3]);
SELECT id FROM item WHERE id = ANY ('{1,2,3}');
SELECT id FROM item WHERE (id, grp) IN ((1, 2));
SELECT id FROM item WHERE (id, grp) IN ((1, 2), (3, 4), (5, 6));
SELECT id FROM item WHERE id IN (1, grp);
SELECT id FROM item WHERE id IN (1, 2, grp);
SELECT id FROM item WHERE id IN (SELECT 1);
SELECT coalesce(grp, 1) FROM item;
SELECT coalesce(grp, 1, 2) FROM item;
SELECT greatest(1, 2), greatest(1, 2, 3);
\o
SELECT * FROM pg_temp.shown();
\o /dev/null

-- rows
SELECT vitals.reset();
INSERT INTO item VALUES (1, 2, 'a');
INSERT INTO item VALUES (1, 2, 'a'), (3, 4, 'b');
INSERT INTO item VALUES (1, 2, 'a'), (3, 4, NULL), (5, 6, 'c'), (-7, 8, lower('D'));
INSERT INTO item VALUES (1, 2, DEFAULT), (3, 4, DEFAULT);
INSERT INTO item (id) VALUES (1), (2), (3);
INSERT INTO item (id) VALUES (1);
INSERT INTO item (id, grp) VALUES (1, 2);
INSERT INTO item (id) SELECT v FROM (VALUES (1), (2)) AS w (v);
INSERT INTO item (id) SELECT v FROM (VALUES (1), (2), (3)) AS w (v);
VALUES (1, 'a'), (2, 'b');
VALUES (1, 'a');
\o
SELECT * FROM pg_temp.shown();
\o /dev/null

-- numbers that name a column stay
SELECT vitals.reset();
SELECT id, grp FROM item ORDER BY 1;
SELECT id, grp FROM item ORDER BY 2;
SELECT id, grp FROM item ORDER BY 2 DESC, 1;
SELECT grp, count(*) FROM item GROUP BY 1;
SELECT grp + 1, count(*) FROM item GROUP BY grp + 1 ORDER BY grp + 1;
SELECT grp + 1, count(*) FROM item GROUP BY grp + 2, grp ORDER BY grp + 2;
SELECT id FROM item LIMIT 5;
SELECT id FROM item LIMIT 6 OFFSET 7;
\o
SELECT * FROM pg_temp.shown();
\o /dev/null

-- what makes another statement
SELECT vitals.reset();
SELECT id FROM item;
SELECT id FROM vitals_fp.item;
SELECT id FROM public.item;
SELECT item.id FROM item;
SELECT id AS name FROM item;
SELECT id AS "Name" FROM item;
SELECT id AS NAME FROM item;
SELECT DISTINCT id FROM item;
SELECT id FROM item FOR UPDATE;
SELECT id FROM ONLY item;
SELECT id FROM item WHERE grp < 1;
SELECT id FROM item WHERE grp <= 1;
SELECT id FROM item WHERE grp <> 1;
SELECT id FROM item WHERE grp != 1;
SET search_path = vitals_fp;
SELECT id FROM item;
RESET search_path;
\o
SELECT * FROM pg_temp.shown() WHERE query !~ 'search_path';
\o /dev/null

-- utility statements
SELECT vitals.reset();
SET work_mem = '5MB';
SET work_mem = 6000;
SET work_mem TO '7MB';
RESET work_mem;
BEGIN;
SAVEPOINT one;
SAVEPOINT two;
ROLLBACK TO SAVEPOINT two;
RELEASE one;
COMMIT;
CREATE TABLE vitals_fp.a (id int DEFAULT 5);
CREATE TABLE vitals_fp.b (id int DEFAULT 5);
COMMENT ON TABLE item IS 'a';
COMMENT ON TABLE item IS 'another';
DO $$ BEGIN PERFORM 1; END $$;
DO $$ BEGIN PERFORM 2; /* comment */ END $$;
DO $body$ BEGIN PERFORM 3; END $body$;
DO 'BEGIN PERFORM 4; END';
EXPLAIN SELECT id FROM item WHERE id = 1;
EXPLAIN SELECT id FROM item WHERE id = 2;
EXPLAIN (COSTS OFF) SELECT id FROM item WHERE id = 2;
\o
SELECT * FROM pg_temp.shown();

-- The fingerprint is a promise: the same on every server.
SELECT vitals.reset() > 0 AS reset;
\o /dev/null
SELECT 1 AS promise;
SELECT id FROM item WHERE id IN (1, 2, 3) AND name = 'x' ORDER BY 1;
INSERT INTO item (id, name) VALUES (1, 'a'), (2, 'b');
BEGIN;
COMMIT;
\o
SELECT fingerprint, query FROM vitals.statements
WHERE datname = current_database() AND query !~ 'vitals' ORDER BY query COLLATE "C";

-- A statement has the same one with the server's identifier and without.
SET compute_query_id = on;
\o /dev/null
SELECT 1 AS promise;
SELECT id FROM item WHERE id IN (1, 2, 3) AND name = 'x' ORDER BY 1;
SELECT id FROM item WHERE id IN (1, 2, 3, 4, 5) AND name = 'x' ORDER BY 1;
INSERT INTO item (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
BEGIN;
COMMIT;
\o
SELECT calls, fingerprint, queryid IS NOT NULL AS has_id, query FROM vitals.statements
WHERE datname = current_database() AND query !~ 'vitals' ORDER BY query COLLATE "C";

DROP TABLE vitals_fp.item, vitals_fp.a, vitals_fp.b;
DROP SCHEMA vitals_fp;
DROP TABLE item;
