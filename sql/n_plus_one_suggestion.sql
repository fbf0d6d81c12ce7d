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
CREATE TABLE visit (day date PRIMARY KEY, n int);
INSERT INTO visit SELECT date '2024-01-01' + g, g FROM generate_series(1, 9) AS g;
CREATE TABLE plain_stock AS SELECT * FROM stock;
CREATE TABLE part (author_id bigint REFERENCES author, n int) PARTITION BY RANGE (n);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (5);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (5) TO (100);
INSERT INTO part SELECT 11 * (1 + g % 9), g % 20 FROM generate_series(1, 60) AS g;
CREATE TABLE odd ("Author ""ID"" key" bigint REFERENCES author, "limit" int);
INSERT INTO odd SELECT 11 * (1 + g % 9), g FROM generate_series(1, 20) AS g;
CREATE VIEW offer AS SELECT author_id AS writer, price AS cost FROM book WHERE state = 'new';
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
	('any: cast in words', 'SELECT id FROM author', 'SELECT price FROM book WHERE author_id = CAST(%1$L AS bigint)'),
	('any: array of one', 'SELECT id FROM author', 'SELECT id, price FROM book WHERE author_id = ANY (ARRAY[%1$L::bigint])'),
	('any: array', 'SELECT id FROM author', 'SELECT id, price FROM book WHERE author_id = ANY (ARRAY[%1$L]::bigint[])'),
	('any: date', 'SELECT day FROM visit', 'SELECT n FROM visit WHERE day = date %1$L'),
	('any: turned and cast', 'SELECT id FROM author', 'SELECT book.id, book.price FROM book WHERE %1$L::INTEGER = book.author_id'),
	('any: other name in a view', 'SELECT id FROM author', 'SELECT cost FROM offer WHERE writer = %1$L'),
	('any: joined by ON', 'SELECT id FROM author', 'SELECT b.id FROM author a JOIN book b ON b.author_id = a.id AND a.id = %1$L'),
	('any: word that is quoted', 'SELECT id FROM author', 'SELECT "limit" FROM odd WHERE "Author ""ID"" key" = %1$L'),
	('any: outer join', 'SELECT id FROM author', 'SELECT a.name, b.id FROM author a LEFT JOIN book b ON b.author_id = a.id WHERE a.id = %1$L'),
	('any: join', 'SELECT id FROM author', 'SELECT b.id, a.name FROM book b JOIN author a ON a.id = b.author_id WHERE a.id = %1$L'),
	('any: view', 'SELECT id FROM author', 'SELECT id, price FROM new_book WHERE author_id = %1$L'),
	('any: key with limit', 'SELECT author_id FROM book WHERE id <= 9', 'SELECT id, name FROM author WHERE id = %1$L LIMIT 21'),
	('any: key with limit, locked', 'SELECT id FROM author', 'SELECT id, name FROM author WHERE id = %1$L LIMIT 1 FOR UPDATE');
INSERT INTO cases VALUES
	('any: in brackets', 'SELECT id FROM author', 'SELECT id, price FROM book WHERE ((author_id = (%1$L)) AND price > 0)', '%s, 0'),
	('any: column in brackets', 'SELECT id FROM author', 'SELECT id, price FROM book WHERE ((book.author_id) = (%1$L)) AND price > 0', '%s, 0'),
	('any: list beside', 'SELECT id FROM author', 'SELECT id FROM book WHERE author_id = %1$L AND shop IN (0, 2, 5)', '%s, ''{0,2,5}'''),
	('any: list before', 'SELECT id FROM author', 'SELECT id FROM book WHERE shop NOT IN (0, 2, 5) AND author_id = %1$L', '''{0,2,5}'', %s'),
	('any: partitions', 'SELECT id FROM author', 'SELECT n FROM part WHERE author_id = %1$L AND n > 2', '%s, 2'),
	('any: between', 'SELECT id FROM author', 'SELECT id FROM book WHERE price BETWEEN 5 AND 30 AND author_id = %1$L', '5, 30, %s'),
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
	('count, some have none', 'SELECT id FROM author', 'SELECT count(*) AS n FROM book WHERE author_id = %1$L AND price > 42', '%s, 42'),
	('count with order', 'SELECT id FROM author', 'SELECT count(*) FROM book WHERE author_id = %1$L ORDER BY 1', '%s'),
	('count of two', 'SELECT shop, book_id FROM stock WHERE book_id <= 9', 'SELECT count(*) FROM stock WHERE shop = %1$L AND book_id = %2$L', '%s, %s'),
	('sum in an expression', 'SELECT id FROM author', 'SELECT coalesce(sum(price), 0) FROM book WHERE author_id = %1$L', '0, %s'),
	('subquery beside', 'SELECT id FROM author', 'SELECT (SELECT max(price) FROM book WHERE author_id = %1$L) AS top', '%s'),
	('exists', 'SELECT id FROM author', 'SELECT 1 AS one FROM book WHERE author_id = %1$L AND price > 42 LIMIT 1', '%s, 42'),
	('exists, in words', 'SELECT id FROM author', 'SELECT EXISTS (SELECT 1 FROM book WHERE author_id = %1$L AND price > 42) AS "some"', '%s, 42'),
	('exists, in order', 'SELECT id FROM author', 'SELECT 1 FROM book WHERE author_id = %1$L ORDER BY price LIMIT 1', '1, %s, 1'),
	('or beside', 'SELECT id FROM author', 'SELECT id FROM book WHERE (author_id = %1$L AND shop > 0) AND (id > 5 OR shop = 1)', '%s, 0, 5, 1'),
	('in an outer join', 'SELECT id FROM author',
	 'SELECT t.id, b.id AS book FROM author t LEFT JOIN book b ON b.author_id = t.id AND t.id = %1$L WHERE t.id = %1$L', '%s'),
	('type with a length', 'SELECT id FROM author', 'SELECT name::varchar(5) FROM author WHERE id = %1$L::numeric(10, 0)', '%s'),
	('name taken', 'SELECT id FROM author', 'SELECT k.id FROM book AS k WHERE k.author_id = %1$L ORDER BY k.id LIMIT 1', '%s, 1'),
	('set operation', 'SELECT id FROM author', 'SELECT id FROM book WHERE author_id = %1$L UNION ALL SELECT 0', '%s, 0'),
	('CTE', 'SELECT id FROM author', 'WITH b AS (SELECT * FROM book WHERE author_id = %1$L) SELECT id FROM b', '%s'),
	('many to many', 'SELECT id FROM book WHERE id <= 9', 'SELECT label FROM tag WHERE id IN (SELECT tag_id FROM book_tag WHERE book_id = %1$L)', '%s'),
	('two columns, limit', 'SELECT shop, book_id FROM stock WHERE book_id <= 9',
	 'SELECT n FROM stock WHERE shop = %1$L AND book_id = %2$L LIMIT 1', '%s, %s'),
	('two columns, limit, no key', 'SELECT shop, book_id FROM stock WHERE book_id <= 9',
	 'SELECT n FROM plain_stock WHERE shop = %1$L AND book_id = %2$L ORDER BY n LIMIT 1', '%s, %s, 1'),
	('two columns, turned', 'SELECT shop, book_id FROM stock WHERE book_id <= 9',
	 'SELECT s.n FROM stock s WHERE (%1$L::int = s.shop) AND (%2$L = s.book_id AND n > 0)', '%s, %s, 0'),
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
-- The batch may give the keys before each row ("keyed"), or only the keys of
-- which there are rows ("keys").
CREATE FUNCTION batch_of(c cases) RETURNS text LANGUAGE sql
	RETURN substring((SELECT suggestion FROM vitals.n_plus_one
					  WHERE (application_name, kind, datname) = (c.name, 'n_plus_one', current_database()))
					 from '^run it once for all rows: (.*?)(?:; .*)?$');
CREATE FUNCTION unquoted(r text) RETURNS text LANGUAGE sql RETURN replace(r, '"', '');
CREATE FUNCTION compared(c cases, OUT form text, OUT gives text, OUT same bigint, OUT missing bigint, OUT surplus bigint)
LANGUAGE plpgsql SET datestyle = 'ISO' AS $$
DECLARE
	batch text := batch_of(c);
	a text[];
	b text[];
	r record;
	keys text;
BEGIN
	form := CASE WHEN batch IS NULL THEN 'words' WHEN batch LIKE '%LATERAL%' THEN 'lateral'
		WHEN batch LIKE 'SELECT DISTINCT%' THEN 'distinct' WHEN batch LIKE '% GROUP BY %' THEN 'group'
		WHEN batch LIKE '%) IN (SELECT%' THEN 'unnest' ELSE 'any' END;
	IF batch IS NULL THEN
		RETURN;
	END IF;
	CREATE TEMP TABLE single (gives text, r text);
	CREATE TEMP TABLE batch (r text);
	EXECUTE format('SELECT array_agg(a), array_agg(b) FROM (SELECT r ->> 0, r ->> 1 FROM
				   (SELECT (SELECT jsonb_agg(value) FROM json_each(to_json(p))) AS r FROM (%s) AS p) AS j) AS p (a, b)',
				   c.parent) INTO a, b;
	FOR i IN 1 .. cardinality(a) LOOP
		keys := concat_ws(',', a[i], CASE WHEN c.child LIKE '%\%2$L%' THEN b[i] END);
		FOR r IN EXECUTE format(c.child, a[i], b[i]) LOOP
			INSERT INTO single VALUES ('rows', unquoted(r::text)), ('keyed', '(' || keys || ',' || substr(unquoted(r::text), 2));
			IF r::text <> '(f)' THEN
				INSERT INTO single VALUES ('keys', '(' || keys || ')');
			END IF;
		END LOOP;
	END LOOP;
	DEALLOCATE ALL;
	EXECUTE 'PREPARE batch AS ' || batch;
	FOR r IN EXECUTE format('EXECUTE batch(%s)', format(c.others, quote_literal(a), quote_literal(b))) LOOP
		INSERT INTO batch VALUES (unquoted(r::text));
	END LOOP;
	-- of what it may give, what it agrees with best
	SELECT g, sum(least(s, t)) AS agreed, sum(greatest(s - t, 0)), sum(greatest(t - s, 0))
	INTO gives, same, missing, surplus
	FROM (SELECT g, x.r, sum(one), sum(other)
		  FROM (SELECT s.gives, s.r, 1, 0 FROM single AS s
				UNION ALL SELECT g, b.r, 0, 1 FROM batch AS b, unnest('{rows, keyed, keys}'::text[]) AS g) AS x (g, r, one, other)
		  GROUP BY g, x.r) AS counted (g, r, s, t)
	GROUP BY g ORDER BY agreed DESC, g LIMIT 1;
	DROP TABLE single, batch;
EXCEPTION WHEN OTHERS THEN
	form := form || ': ' || SQLERRM;
END
$$;
SELECT c.name, r.* FROM cases AS c, compared(c) AS r ORDER BY c.name COLLATE "C";

-- Links: of keys that both reference a third, with names that need quotes or a
-- schema; and what an ORM, or a missing index, adds to a suggestion.
CREATE SCHEMA "Far";
CREATE TABLE "Far"."Note" ("Id" int PRIMARY KEY, "by" bigint REFERENCES author, "Text" text);
CREATE TABLE "order" ("select" bigint REFERENCES author, note int REFERENCES "Far"."Note");
CREATE TABLE long_log (author bigint, line text);
CREATE TABLE short_log (author bigint, line text);
CREATE TABLE indexed_log (author bigint, line text);
CREATE TABLE sale (shop int, book_id int, price int, FOREIGN KEY (shop, book_id) REFERENCES stock);
CREATE INDEX ON indexed_log (author);
INSERT INTO "Far"."Note" SELECT g, 11 * (1 + g % 9), 'note' FROM generate_series(1, 20) AS g;
INSERT INTO "order" SELECT 11 * (1 + g % 9), g FROM generate_series(1, 20) AS g;
INSERT INTO long_log SELECT g % 100, repeat('x', 200) FROM generate_series(1, 2000) AS g;
INSERT INTO indexed_log SELECT * FROM long_log;
INSERT INTO short_log SELECT * FROM long_log LIMIT 20;
ANALYZE;
CREATE TABLE wanted (LIKE cases INCLUDING DEFAULTS);
INSERT INTO wanted VALUES
	('link: shared key', 'SELECT author_id FROM book WHERE id <= 9', 'SELECT n FROM event WHERE author_id = %1$L LIMIT 2'),
	('link: quotes', 'SELECT "Id" FROM "Far"."Note" WHERE "Id" <= 9', 'SELECT "select" FROM "order" WHERE note = %1$L'),
	('link: quotes, shared', 'SELECT "by" FROM "Far"."Note" WHERE "Id" <= 9', 'SELECT note FROM "order" WHERE "select" = %1$L'),
	('key of two columns', 'SELECT shop, book_id FROM stock WHERE book_id <= 9', 'SELECT price FROM sale WHERE shop = %1$L AND book_id = %2$L'),
	('either column', 'SELECT shop, book_id FROM stock WHERE book_id BETWEEN 3 AND 11', 'SELECT price FROM sale WHERE shop = %2$L OR book_id = %2$L'),
	('insert select', 'SELECT id FROM author', 'INSERT INTO short_log SELECT id, name FROM author WHERE id = %1$L'),
	('index: missing', 'SELECT id FROM author', 'SELECT line FROM long_log WHERE author = %1$L'),
	('index: missing, in a subquery', 'SELECT id FROM author', 'SELECT (SELECT count(*) FROM long_log WHERE author = %1$L)'),
	('index: there', 'SELECT id FROM author', 'SELECT line FROM indexed_log WHERE author = %1$L'),
	('index: small table', 'SELECT id FROM author', 'SELECT line FROM short_log WHERE author = %1$L'),
	('orm: ActiveRecord, one', 'SELECT author_id FROM book WHERE id <= 9', 'SELECT "author".* FROM "author" WHERE "author"."id" = %1$L LIMIT 1'),
	('orm: ActiveRecord, many', 'SELECT id FROM author', 'SELECT "book".* FROM "book" WHERE "book"."author_id" = %1$L'),
	('orm: Django, one', 'SELECT author_id FROM book WHERE id <= 9', 'SELECT "author"."id", "author"."slug" FROM "author" WHERE "author"."id" = %1$L LIMIT 21'),
	('orm: Django, count', 'SELECT id FROM book WHERE id <= 9', 'SELECT COUNT(*) AS "__count" FROM "book_tag" WHERE "book_tag"."book_id" = %1$L'),
	('orm: Django, the same rows again', 'SELECT id FROM author', 'SELECT "author"."id", "author"."code" FROM "author" WHERE "author"."id" = %1$L LIMIT 21'),
	('gunicorn', 'SELECT id FROM author', 'SELECT "book"."state", "book"."price" FROM "book" WHERE "book"."author_id" = %1$L'),
	('orm: none', 'SELECT id FROM author', 'SELECT "book"."price", "book"."shop" FROM "book" WHERE "book"."author_id" = %1$L'),
	('orm: SQLAlchemy, many', 'SELECT id FROM author', 'SELECT book.id AS book_id, book.price AS book_price FROM book WHERE %1$L = book.author_id');
\pset tuples_only on
\set ECHO none
\o /dev/null
SELECT script(ROW (w.*)::cases) FROM wanted AS w ORDER BY name \gexec
\o
\set ECHO all
\pset tuples_only off
RESET application_name;
SELECT w.name, f.link, substring(f.suggestion from '; (in .*|no index .*)$') AS more
FROM wanted AS w JOIN vitals.n_plus_one AS f ON f.application_name = w.name AND f.datname = current_database()
ORDER BY w.name COLLATE "C";

-- A join on one of the columns, or an array for one of the values, would give other rows.
SELECT w.name, f.suggestion
FROM wanted AS w JOIN vitals.n_plus_one AS f ON f.application_name = w.name AND f.datname = current_database()
WHERE w.name IN ('key of two columns', 'either column', 'insert select')
ORDER BY w.name COLLATE "C";

SET client_min_messages = warning;
DROP SCHEMA nps CASCADE;
