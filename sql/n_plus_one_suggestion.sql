-- vitals.n_plus_one.suggestion: its SQL is executed, with an array of the
-- parent's values, and must give the rows that the single statements give.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA nps;
SET search_path = nps, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE TABLE author (id bigint PRIMARY KEY, name text NOT NULL, code char(6) UNIQUE, slug varchar(20) UNIQUE, mark uuid UNIQUE);
CREATE TABLE book (id int PRIMARY KEY, author_id bigint REFERENCES author, code char(6) REFERENCES author (code),
	price numeric, shop smallint, state text);
CREATE TABLE tag (id int PRIMARY KEY, label text);
CREATE TABLE book_tag (book_id int REFERENCES book, tag_id int REFERENCES tag);
CREATE TABLE stock (shop int, book_id int REFERENCES book, n int, PRIMARY KEY (shop, book_id));
INSERT INTO author SELECT g * 11, 'author ' || g, 'code' || g, 'slug-' || g, md5(g::text)::uuid FROM generate_series(1, 9) AS g;
INSERT INTO book SELECT g, 11 * (1 + g % 9), 'code' || 1 + g % 9, g * 1.25, g % 3, CASE WHEN g % 4 = 0 THEN 'sold' ELSE 'new' END
	FROM generate_series(1, 40) AS g;
INSERT INTO tag SELECT g, 'tag ' || g FROM generate_series(1, 6) AS g;
INSERT INTO book_tag SELECT 1 + g % 40, 1 + g % 6 FROM generate_series(1, 120) AS g;
INSERT INTO stock SELECT s, b, s * b FROM generate_series(1, 2) AS s, generate_series(1, 40) AS b;
CREATE TABLE event (author_id bigint REFERENCES author, n int);
INSERT INTO event SELECT 11 * (1 + g % 9), g FROM generate_series(1, 9000) AS g;
CREATE INDEX ON event (author_id, n);
VACUUM ANALYZE event;
CREATE VIEW new_book AS SELECT * FROM book WHERE state = 'new';

-- A case: the list, and the child with %1$L for its first column, %2$L for the
-- second.  "others" are the suggestion's parameters in their order, with %s for
-- the array; its names and numbers are those of the normalised text.
CREATE TABLE cases (name text PRIMARY KEY, parent text, child text, others text DEFAULT '%s');
INSERT INTO cases VALUES
	('any: key', 'SELECT author_id FROM book WHERE id <= 9', 'SELECT id, name FROM author WHERE id = %1$L'),
	('any: foreign key', 'SELECT id FROM author', 'SELECT id, price FROM book WHERE author_id = %1$L'),
	('any: alias and order', 'SELECT id FROM author', 'SELECT b.* FROM book AS b WHERE b.author_id = %1$L ORDER BY b.price DESC'),
	('any: quoted', 'SELECT id FROM author', 'SELECT "book"."shop", "book"."id" FROM "nps"."book" WHERE "book"."author_id" = %1$L'),
	('any: IN of one', 'SELECT id FROM author', 'SELECT id, shop FROM book WHERE author_id IN (%1$L)'),
	('any: operands turned', 'SELECT id FROM author', 'SELECT id, state FROM book WHERE %1$L = author_id'),
	('any: cast', 'SELECT id FROM author', 'SELECT price FROM book WHERE author_id = %1$L::bigint'),
	('any: narrower cast', 'SELECT id FROM author', 'SELECT shop FROM book WHERE author_id = %1$L::int'),
	('any: char(n)', 'SELECT code FROM author', 'SELECT id, code FROM book WHERE code = %1$L'),
	('any: varchar', 'SELECT slug FROM author', 'SELECT id, name FROM author WHERE slug = %1$L'),
	('any: uuid', 'SELECT mark FROM author', 'SELECT id, name FROM author WHERE mark = %1$L'),
	('any: join', 'SELECT id FROM author', 'SELECT b.id, a.name FROM book b JOIN author a ON a.id = b.author_id WHERE a.id = %1$L'),
	('any: view', 'SELECT id FROM author', 'SELECT id, price FROM new_book WHERE author_id = %1$L'),
	('any: key with limit', 'SELECT author_id FROM book WHERE id <= 9', 'SELECT id, name FROM author WHERE id = %1$L LIMIT 21'),
	('any: key with limit, locked', 'SELECT id FROM author', 'SELECT id, name FROM author WHERE id = %1$L LIMIT 1 FOR UPDATE');
INSERT INTO cases VALUES
	('other constants', 'SELECT id FROM author', 'SELECT id FROM book WHERE state = ''new'' AND author_id = %1$L AND shop < 2', '''new'', %s, 2'),
	('range beside', 'SELECT id FROM author', 'SELECT id FROM book WHERE author_id = %1$L AND price > 10', '%s, 10'),
	('limit', 'SELECT id FROM author', 'SELECT id FROM book WHERE author_id = %1$L ORDER BY id LIMIT 2', '%s, 2'),
	('limit and offset', 'SELECT id FROM author', 'SELECT id FROM book WHERE author_id = %1$L ORDER BY id LIMIT 2 OFFSET 1', '%s, 2, 1'),
	('limit beside char(n)', 'SELECT code FROM author', 'SELECT id FROM book WHERE code = %1$L ORDER BY id LIMIT 2', '%s, 2'),
	('limit over a join', 'SELECT slug FROM author',
	 'SELECT b.id FROM author a JOIN book b ON b.author_id = a.id WHERE a.slug = %1$L ORDER BY b.id LIMIT 2', '%s, 2'),
	('count', 'SELECT id FROM author', 'SELECT count(*) FROM book WHERE author_id = %1$L', '%s'),
	('max', 'SELECT id FROM author', 'SELECT max(price) FROM book WHERE author_id = %1$L', '%s'),
	('max from an index', 'SELECT id FROM author', 'SELECT max(n) FROM event WHERE author_id = %1$L', '%s'),
	('aggregate of a rare name', 'SELECT id FROM author', 'SELECT stddev_pop(price), regr_count(id, shop) FROM book WHERE author_id = %1$L', '%s'),
	('group by', 'SELECT id FROM author', 'SELECT state, sum(price) FROM book WHERE author_id = %1$L GROUP BY state', '%s'),
	('distinct', 'SELECT id FROM author', 'SELECT DISTINCT state FROM book WHERE author_id = %1$L', '%s'),
	('window', 'SELECT id FROM author', 'SELECT id, rank() OVER (ORDER BY price) FROM book WHERE author_id = %1$L', '%s'),
	('exists', 'SELECT id FROM author', 'SELECT 1 AS one FROM book WHERE author_id = %1$L LIMIT 1', '1, %s, 1'),
	('set operation', 'SELECT id FROM author', 'SELECT id FROM book WHERE author_id = %1$L UNION ALL SELECT 0', '%s, 0'),
	('CTE', 'SELECT id FROM author', 'WITH b AS (SELECT * FROM book WHERE author_id = %1$L) SELECT id FROM b', '%s'),
	('many to many', 'SELECT id FROM book WHERE id <= 9', 'SELECT label FROM tag WHERE id IN (SELECT tag_id FROM book_tag WHERE book_id = %1$L)', '%s'),
	('two columns of the parent', 'SELECT shop, book_id FROM stock WHERE book_id <= 9',
	 'SELECT n FROM stock WHERE shop = %1$L AND book_id = %2$L', '%s, %s');

CREATE FUNCTION script(c cases) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	two text := CASE WHEN c.child LIKE '%\%2$L%' THEN 'a, b' ELSE 'a, NULL' END;
BEGIN
	RETURN NEXT format('SET application_name = %L', c.name);
	RETURN NEXT c.parent || ' ORDER BY 1';
	RETURN QUERY EXECUTE format('SELECT format(%L, %s) FROM (%s ORDER BY 1) AS p (%s)', c.child, two, c.parent,
								CASE WHEN two = 'a, b' THEN two ELSE 'a' END);
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
SELECT application_name, repeats, suggestion FROM vitals.n_plus_one
WHERE datname = current_database()
  AND application_name IN ('any: foreign key', 'any: key', 'any: quoted', 'count', 'limit', 'other constants', 'CTE')
ORDER BY application_name COLLATE "C";
\x

-- Execute it, and compare: rows in both, in the singles only, in the batch only.
CREATE FUNCTION as_text(r jsonb) RETURNS text LANGUAGE sql
	RETURN (SELECT string_agg(coalesce(value, 'null'), ', ' ORDER BY key) FROM jsonb_each_text(r));
CREATE FUNCTION compared(c cases, OUT form text, OUT same bigint, OUT missing bigint, OUT surplus bigint)
LANGUAGE plpgsql AS $$
DECLARE
	batch text := substring((SELECT suggestion FROM vitals.n_plus_one
							 WHERE (application_name, kind, datname) = (c.name, 'n_plus_one', current_database()))
							from '^run it once for all rows: (.*?)(?:; or add to the parent.*)?$');
	a text[];
	b text[];
BEGIN
	form := CASE WHEN batch IS NULL THEN 'words' WHEN batch LIKE '%LATERAL%' THEN 'lateral' ELSE 'any' END;
	IF batch IS NULL THEN
		RETURN;
	END IF;
	CREATE TEMP TABLE single (r text);
	EXECUTE format('SELECT array_agg(a), array_agg(b) FROM (SELECT r ->> 0, r ->> 1 FROM
				   (SELECT (SELECT jsonb_agg(value) FROM json_each(to_json(p))) AS r FROM (%s) AS p) AS j) AS p (a, b)',
				   c.parent) INTO a, b;
	FOR i IN 1 .. cardinality(a) LOOP
		EXECUTE format('INSERT INTO single SELECT as_text(to_jsonb(x)) FROM (%s) AS x', format(c.child, a[i], b[i]));
	END LOOP;
	DEALLOCATE ALL;
	EXECUTE 'PREPARE batch AS ' || batch;
	EXECUTE format('CREATE TEMP TABLE batch AS EXECUTE batch(%s)', format(c.others, quote_literal(a), quote_literal(b)));
	SELECT sum(least(coalesce(s.n, 0), coalesce(b.n, 0))),
		sum(greatest(coalesce(s.n, 0) - coalesce(b.n, 0), 0)), sum(greatest(coalesce(b.n, 0) - coalesce(s.n, 0), 0))
	INTO same, missing, surplus
	FROM (SELECT r, count(*) AS n FROM single GROUP BY r) AS s
		FULL JOIN (SELECT as_text(to_jsonb(x) - CASE WHEN form = 'lateral' THEN 'value' ELSE '' END) AS r, count(*) AS n
				   FROM batch AS x GROUP BY 1) AS b USING (r);
	DROP TABLE single, batch;
EXCEPTION WHEN OTHERS THEN
	form := form || ': ' || SQLERRM;
END
$$;
SELECT c.name, r.* FROM cases AS c, compared(c) AS r ORDER BY c.name COLLATE "C";

SET client_min_messages = warning;
DROP SCHEMA nps CASCADE;
