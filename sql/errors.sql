-- vitals.errors: what failed, by statement and SQLSTATE.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE ROLE regress_er_one;
CREATE ROLE regress_er_two;
CREATE ROLE regress_er_reader IN ROLE pg_read_all_stats;
CREATE TABLE item (id int PRIMARY KEY, name text CHECK (name <> 'bad'));
INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 10) AS g;
CREATE VIEW shown AS
	SELECT sqlstate, condition, failures, caught, time_lost > 0 AS lost, fingerprint IS NOT NULL AS identified, query
	FROM vitals.errors WHERE datname = current_database() ORDER BY query COLLATE "C" NULLS FIRST, sqlstate COLLATE "C";
\set VERBOSITY sqlstate

-- on the statement that failed: executing, planning, starting, utility statements
SELECT vitals.reset() > 0 AS reset;
SELECT 10 / (id - 2) FROM item WHERE id = 2;
SELECT 10 / (id - 3) FROM item WHERE id = 3;
SELECT 1 / 0 AS folded;
INSERT INTO item VALUES (1, 'twice');
INSERT INTO item VALUES (11, 'bad');
DROP TABLE nowhere;
VACUUM nowhere;
SET ROLE regress_er_one;
SELECT name FROM item;
RESET ROLE;
SELECT * FROM shown;
-- they agree with the failures of vitals.statements
SELECT s.query, s.failures = e.failures AS failures, abs(s.total_exec_time - e.time_lost) < 0.001 AS time
FROM vitals.statements AS s JOIN (SELECT fingerprint, sum(failures) AS failures, sum(time_lost) AS time_lost FROM vitals.errors GROUP BY 1) AS e USING (fingerprint)
WHERE s.query ~ 'item' AND s.calls = s.failures ORDER BY s.query COLLATE "C";

-- before there is a statement
SELECT vitals.reset() > 0 AS reset;
SELEC 1;
SELEC 2;
SELECT nothing FROM item;
SELECT 1 FROM nowhere;
SELECT 'first' \; SELECT nothing FROM item;
SELECT 'never' \; SELEC 3;
SET ROLE regress_er_one;
SELEC 4;
RESET ROLE;
SELECT username = current_user AS mine, s.sqlstate, s.condition, s.failures, s.queryid, s.query, s.time_lost
FROM vitals.errors AS s ORDER BY sqlstate COLLATE "C", username = current_user;

-- a failed transaction refuses each statement
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SELECT 10 / (id - 4) FROM item WHERE id = 4;
SELECT name FROM item;
SELECT name FROM item;
SELEC 5;
ROLLBACK;
SELECT name FROM item WHERE id = 5;
SELECT * FROM shown;

-- whatever is logged
SELECT vitals.reset() > 0 AS reset;
SET log_min_messages = panic;
SET client_min_messages = error;
SELECT 10 / (id - 2) FROM item;
SELEC 6;
RESET client_min_messages;
RESET log_min_messages;
SELECT * FROM shown;

-- the text is in order, the data is not: counted on the statement, whose text tells which
SELECT vitals.reset() > 0 AS reset;
SELECT name FROM item WHERE id = 'one';
SELECT name FROM item WHERE id = 'two';
SELECT 1 \; SELECT id FROM item WHERE id = 'three' \; SELECT 3;
BEGIN \; COMMIT \; SELECT id, name FROM item WHERE id = 'four' \; SELECT 4;
PREPARE q (int) AS SELECT id FROM item WHERE id = $1 \; EXECUTE q ('five') \; SELECT 5;
DEALLOCATE q;
SELECT * FROM shown;
SELECT query, calls, failures FROM vitals.statements WHERE failures > 0 ORDER BY query COLLATE "C";

-- at the end of the transaction, by itself and by COMMIT
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM count(*) FROM item;
	RAISE EXCEPTION 'refused' USING ERRCODE = 'V0001';
END $$;
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT vitals.reset() > 0 AS reset;
UPDATE item SET id = id WHERE id = 1;
BEGIN;
UPDATE item SET name = name WHERE id = 2;
COMMIT;
UPDATE item SET name = 'x' \; SELECT nothing;
PREPARE p AS UPDATE item SET id = id WHERE id = 1;
EXECUTE p;
EXECUTE p \; SELECT nothing;
SELECT * FROM shown;
SELECT query, calls, failures, rows, shared_blks_hit > 0 AS blocks FROM vitals.statements WHERE failures > 0 ORDER BY query COLLATE "C";
DROP TRIGGER later ON item;
DEALLOCATE p;

-- caught
CREATE FUNCTION divide(a int, b int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RETURN a / b;
EXCEPTION WHEN division_by_zero THEN
	RETURN NULL;
END $$;
SELECT vitals.reset() > 0 AS reset;
SELECT divide(1, 0), divide(1, 1), divide(2, 0);
-- while it is planned
CREATE FUNCTION constant() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 1 / 0;
EXCEPTION WHEN division_by_zero THEN
	RETURN 1;
END $$;
SELECT constant() AS folded;
DO $$
BEGIN
	INSERT INTO item VALUES (1, 'twice');
EXCEPTION WHEN OTHERS THEN
	RAISE DEBUG 'caught';
END $$;
DO $$
BEGIN
	BEGIN
		INSERT INTO item VALUES (1, 'twice again');
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
EXCEPTION WHEN unique_violation THEN
	NULL;
END $$;
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			RAISE EXCEPTION 'number %', i USING ERRCODE = 'V0002';
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT * FROM shown;

-- not caught after all: no handler fits, raised on, and another error in the handler
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN RAISE EXCEPTION 'a' USING ERRCODE = 'V0003'; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
DO $$ BEGIN RAISE EXCEPTION 'b' USING ERRCODE = 'V0004'; EXCEPTION WHEN OTHERS THEN RAISE; END $$;
DO $$ BEGIN RAISE EXCEPTION 'c' USING ERRCODE = 'V0005'; EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'd' USING ERRCODE = 'V0006'; END $$;
DO $$ BEGIN RAISE EXCEPTION 'e' USING ERRCODE = 'V0007'; EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'f' USING ERRCODE = 'V0007'; END $$;
SELECT * FROM shown;

-- the end of a transaction whose trigger catches one (026_errors.pl has that of a block)
CREATE FUNCTION careful() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'g' USING ERRCODE = 'V0008';
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION careful();
SELECT vitals.reset() > 0 AS reset;
UPDATE item SET name = name WHERE id = 3;
SELECT * FROM shown;
DROP TRIGGER later ON item;

-- rolling back to a savepoint catches nothing
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SAVEPOINT s;
SELECT 10 / (id - 2) FROM item WHERE id = 2;
ROLLBACK TO s;
SAVEPOINT t;
ROLLBACK TO t;
COMMIT;
SELECT * FROM shown;

-- seen by the next statement of the same transaction; and a notice with the code of an error is none
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SELECT divide(1, 0);
DO $$ BEGIN RAISE DEBUG 'notice' USING ERRCODE = '22012'; RAISE INFO 'told' USING ERRCODE = '22012'; END $$;
SELECT * FROM shown;
ROLLBACK;
SELECT * FROM shown;

-- with the statements inside
SET pg_vitals.track = 'all';
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN PERFORM id FROM item WHERE 10 / (id - 7) > 0; END $$;
DO $$ BEGIN PERFORM name FROM item WHERE 10 / (id - 8) > 0; EXCEPTION WHEN OTHERS THEN NULL; END $$;
SELECT * FROM shown;
SET pg_vitals.track = 'none';
SELEC 7;
SELECT 10 / (id - 2) FROM item;
RESET pg_vitals.track;
SELECT sum(failures) FROM vitals.errors;

-- timeouts
SELECT vitals.reset() > 0 AS reset;
SET statement_timeout = '50ms';
SELECT pg_sleep(60);
RESET statement_timeout;
SELECT sqlstate, condition, failures, caught, time_lost BETWEEN 45 AND 5000 AS lost, query FROM vitals.errors;

-- the names of the server
CREATE TEMP TABLE condition AS
	SELECT w[1] AS sqlstate, w[2] AS name
	FROM (SELECT regexp_match(line, '^([0-9A-Z]{5})\s+E\s+\S+\s+(\w+)$') AS w
		  FROM pg_config, regexp_split_to_table(pg_read_file(setting || '/errcodes.txt'), '\n') AS line
		  WHERE pg_config.name = 'SHAREDIR') AS l
	WHERE w IS NOT NULL;
SELECT count(*) > 200 AS many FROM condition;
SELECT vitals.reset() > 0 AS reset;
DO $$
DECLARE
	code text;
BEGIN
	FOR code IN SELECT sqlstate FROM condition LOOP
		BEGIN
			RAISE EXCEPTION USING ERRCODE = code;
		EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT c.sqlstate, c.name, e.condition, e.failures, e.caught
FROM (SELECT * FROM vitals.errors WHERE query LIKE 'DO %') AS e FULL JOIN condition AS c USING (sqlstate)
WHERE c.name IS DISTINCT FROM e.condition OR (e.failures, e.caught) IS DISTINCT FROM (1, 1);

-- rights
SELECT vitals.reset() > 0 AS reset;
GRANT SELECT ON item TO regress_er_one, regress_er_two;
ALTER VIEW shown SET (security_invoker = true);
GRANT SELECT ON shown TO PUBLIC;
SET ROLE regress_er_one;
SELECT 10 / (id - 1) FROM item;
SET ROLE regress_er_two;
SELECT 10 / (id - 2) FROM item;
SELEC 8;
SELECT sqlstate, failures, query FROM shown;
SET ROLE regress_er_one;
SELECT sqlstate, failures, query FROM shown;
SET ROLE regress_er_reader;
SELECT sqlstate, failures, query FROM shown;
RESET ROLE;

-- resets: of a role, a statement, a database, all
SELECT vitals.reset(userid => oid) > 0 AS reset FROM pg_roles WHERE rolname = 'regress_er_two';
SELECT username, sqlstate, failures FROM vitals.errors;
SELECT vitals.reset(queryid) > 0 AS reset FROM vitals.errors;
SELECT count(*) FROM vitals.errors;
SELEC 9;
SELECT vitals.reset(dbid => oid) > 0 AS reset FROM pg_database WHERE datname = 'template1';
SELECT errors, errors_max, errors_evicted FROM vitals.info;
SELECT vitals.reset(dbid => oid) > 0 AS reset FROM pg_database WHERE datname = current_database();
SELECT errors FROM vitals.info;
SELEC 10;
SELECT vitals.reset() > 0 AS reset;
SELECT errors FROM vitals.info;

\set VERBOSITY default
DROP VIEW shown;
DROP FUNCTION refuse, divide, constant, careful;
DROP TABLE item;
DROP ROLE regress_er_one, regress_er_two, regress_er_reader;
