-- Who sees whose findings.  A finding shows statements and names of tables, so
-- the findings of other roles are not shown at all without pg_read_all_stats.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE SCHEMA npr;
SET search_path = npr, public;
SET pg_vitals.n_plus_one_max_gap = '60s';
CREATE ROLE regress_npr_one;
CREATE ROLE regress_npr_two;
CREATE ROLE regress_npr_reader IN ROLE pg_read_all_stats;
CREATE ROLE regress_npr_member IN ROLE regress_npr_one;
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
INSERT INTO author SELECT g, 'author ' || g FROM generate_series(1, 6) AS g;
INSERT INTO book SELECT g, g, 'book ' || g FROM generate_series(1, 6) AS g;
GRANT USAGE ON SCHEMA npr TO PUBLIC;
GRANT SELECT ON author, book TO PUBLIC;
\pset tuples_only on
\set ECHO none
\o /dev/null
SET application_name = 'npr';
SET ROLE regress_npr_one;
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec
SET ROLE regress_npr_two;
SELECT id FROM author ORDER BY id;
SELECT format('SELECT title FROM book WHERE author_id = %s', id) FROM author ORDER BY id \gexec
-- half by one, half by the other: none
SET ROLE regress_npr_one;
SELECT id FROM author ORDER BY id;
SELECT format('SELECT upper(title) FROM book WHERE author_id = %s', id) FROM author WHERE id <= 3 ORDER BY id \gexec
SET ROLE regress_npr_two;
SELECT format('SELECT upper(title) FROM book WHERE author_id = %s', id) FROM author WHERE id > 3 ORDER BY id \gexec
RESET ROLE;
RESET application_name;
\o
\set ECHO all
\pset tuples_only off
CREATE VIEW shown AS
	SELECT username, kind, link, repeats, query IS NOT NULL AS query, parent_query IS NOT NULL AS parent_query,
		suggestion IS NOT NULL AS suggestion
	FROM vitals.n_plus_one WHERE application_name = 'npr' AND datname = current_database()
	ORDER BY username;
ALTER VIEW shown SET (security_invoker = true);
GRANT SELECT ON shown TO PUBLIC;
SELECT * FROM shown;
SET ROLE regress_npr_one;
SELECT * FROM shown;
SET ROLE regress_npr_two;
SELECT * FROM shown;
SET ROLE regress_npr_member;
SELECT * FROM shown;
SET ROLE regress_npr_reader;
SELECT * FROM shown;
RESET ROLE;

-- a role that is gone has no name; its findings stay for who may see all
SET client_min_messages = warning;
DROP SCHEMA npr CASCADE;
DROP ROLE regress_npr_member, regress_npr_one;
SELECT username, kind, repeats FROM vitals.n_plus_one
WHERE application_name = 'npr' AND datname = current_database() ORDER BY username;
SET ROLE regress_npr_two;
SELECT username, kind, repeats FROM vitals.n_plus_one
WHERE application_name = 'npr' AND datname = current_database() ORDER BY username;
RESET ROLE;
DROP ROLE regress_npr_two, regress_npr_reader;
