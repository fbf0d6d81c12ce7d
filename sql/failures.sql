-- Failures: executions that ended in an error are executions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE TABLE item (id int PRIMARY KEY, name text CHECK (name <> 'bad'));
INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 10) AS g;
CREATE FUNCTION pg_temp.shown(OUT toplevel boolean, OUT calls bigint, OUT failures bigint, OUT cancels bigint,
	OUT timeouts bigint, OUT rows bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT toplevel, calls, failures, cancels, timeouts, rows, query FROM vitals.statements
	WHERE datname = current_database() AND query !~ 'vitals|pg_temp' AND calls > 0
	ORDER BY query COLLATE "C", toplevel
$$;

-- while executing, beside executions that went well
SELECT vitals.reset() > 0 AS reset;
SELECT 10 / (id - 20) FROM item WHERE id = 1;
SELECT 10 / (id - 2) FROM item WHERE id = 2;
SELECT 10 / (id - 3) FROM item WHERE id = 3;
INSERT INTO item VALUES (1, 'twice');
INSERT INTO item VALUES (11, 'bad');
INSERT INTO item VALUES (11, 'good');
UPDATE item SET name = 'bad' WHERE id < 4;
SELECT * FROM pg_temp.shown();

-- before there is anything to execute: what does not parse, what is not there
SELECT vitals.reset() > 0 AS reset;
SELEC 1;
SELECT nothing FROM item;
SELECT 1 FROM nowhere;
SELECT * FROM pg_temp.shown();

-- planning that fails is an execution that failed
SELECT vitals.reset() > 0 AS reset;
SELECT 1 / 0 AS folded;
SELECT plans, s.* FROM pg_temp.shown() AS s JOIN vitals.statements USING (toplevel, query);

-- no permission
SELECT vitals.reset() > 0 AS reset;
CREATE ROLE vitals_denied;
SET ROLE vitals_denied;
SELECT name FROM item;
RESET ROLE;
DROP ROLE vitals_denied;
SELECT calls, failures, query FROM pg_temp.shown() WHERE query ~ 'FROM item';

-- utility statements
SELECT vitals.reset() > 0 AS reset;
DROP TABLE nowhere;
CREATE TABLE item (id int);
SAVEPOINT outside;
VACUUM nowhere;
SELECT * FROM pg_temp.shown();

-- a failed transaction: what is refused in it was not executed
SELECT vitals.reset() > 0 AS reset;
BEGIN;
SELECT 10 / (id - 4) FROM item WHERE id = 4;
SELECT name FROM item WHERE id = 5;
ROLLBACK;
SELECT * FROM pg_temp.shown();

-- a string of several: those behind the failure are not executed
SELECT vitals.reset() > 0 AS reset;
SELECT 'first', name FROM item WHERE id = 1 \; SELECT 10 / (id - 6) FROM item \; SELECT 'third', id, name FROM item;
SELECT * FROM pg_temp.shown();

-- the statements around and inside
SET pg_vitals.track = 'all';
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN PERFORM id FROM item WHERE 10 / (id - 7) > 0; END $$;
DO $$ BEGIN
	PERFORM name FROM item WHERE 10 / (id - 8) > 0;
EXCEPTION WHEN division_by_zero THEN
	PERFORM id, name FROM item WHERE id = 8;
END $$;
SELECT * FROM pg_temp.shown();
RESET pg_vitals.track;

-- an error raised on purpose, and one from a trigger
SELECT vitals.reset() > 0 AS reset;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse AFTER DELETE ON item FOR EACH STATEMENT EXECUTE FUNCTION refuse();
DELETE FROM item WHERE id = 9;
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION refuse();
BEGIN;
UPDATE item SET id = id WHERE id = 1;
COMMIT;
SELECT * FROM pg_temp.shown() WHERE query !~ 'CREATE';
-- at the end of the statement's own transaction: still one call
SELECT vitals.reset() > 0 AS reset;
UPDATE item SET id = id WHERE id = 2;
UPDATE item SET name = name WHERE id = 2 \; SELECT nothing;
SELECT * FROM pg_temp.shown();
SELECT query, total_exec_time > max_exec_time AS commit_time, wal_records > 0 AS wal
FROM vitals.statements WHERE failures > 0 AND datname = current_database();
DROP TRIGGER refuse ON item;
DROP TRIGGER later ON item;

-- what is not logged, and what the client is not told
SELECT vitals.reset() > 0 AS reset;
SET log_min_messages = panic;
SELECT 10 / (id - 5) FROM item WHERE id = 5;
RESET log_min_messages;
DO $$ BEGIN PERFORM id / 0 FROM item; EXCEPTION WHEN OTHERS THEN NULL; END $$;
SET pg_vitals.track = 'all';
DO $$ BEGIN PERFORM id / 0 FROM item; EXCEPTION WHEN OTHERS THEN NULL; END $$;
RESET pg_vitals.track;
SELECT * FROM pg_temp.shown() WHERE query !~ 'SET';

-- parameters that cannot be read
SELECT vitals.reset() > 0 AS reset;
SELECT name FROM item WHERE id = 'six';
SELECT * FROM pg_temp.shown();

-- timeouts, with their time
SELECT vitals.reset() > 0 AS reset;
SET statement_timeout = '50ms';
SELECT pg_sleep(60);
SELECT pg_sleep(0);
DO $$ BEGIN PERFORM pg_sleep(60); END $$;
RESET statement_timeout;
SELECT toplevel, calls, failures, cancels, timeouts, query FROM pg_temp.shown();
SELECT query, total_exec_time BETWEEN 45 AND 5000 AS took, max_exec_time BETWEEN 45 AND 5000 AS longest, p99_exec_time > 40 AS in_histogram
FROM vitals.statements WHERE timeouts > 0 AND datname = current_database() ORDER BY query COLLATE "C";

-- the work of a failed execution is in its counters
SELECT vitals.reset() > 0 AS reset;
CREATE TABLE big AS SELECT g AS id, repeat('x', 500) AS filler FROM generate_series(1, 1000) AS g;
SELECT count(filler), sum(1 / (id - 1000)) FROM big;
INSERT INTO big SELECT id, CASE WHEN id = 900 THEN (1 / (id - 900))::text ELSE filler END FROM big;
SELECT query, calls, failures,
	   shared_blks_hit + shared_blks_read >= pg_relation_size('big') / 8192 / 3 AS blocks,
	   wal_records > 500 AS wal
FROM vitals.statements WHERE failures > 0 AND datname = current_database() ORDER BY query COLLATE "C";

DROP TABLE item, big;
DROP FUNCTION refuse;
