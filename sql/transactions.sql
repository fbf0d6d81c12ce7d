-- When this fails, vitals.transactions counts transactions wrongly: which ones, their
-- sequence of statements, or what they did.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
SET application_name = 'transactions';
CREATE TABLE tx_item (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO tx_item SELECT g, g FROM generate_series(1, 20) AS g;
SELECT vitals.reset() >= 0 AS reset;

-- what is shown of the present test
CREATE VIEW tx AS
SELECT calls, committed AS comm, rolled_back AS back, failures AS fail, prepared AS prep, statements AS stmts,
	max_statements AS most, rows_read AS read, rows_written AS written, rows_locked AS locked, shape_length AS len,
	array_to_string(queries, '; ', '?') AS queries
FROM vitals.transactions
WHERE application_name = 'transactions' AND datname = current_database();

-- a block; statements by themselves are none
SELECT n FROM tx_item WHERE id = 1;
BEGIN;
SELECT n FROM tx_item WHERE id = 1;
UPDATE tx_item SET n = n + 1 WHERE id < 4;
COMMIT;
SELECT * FROM tx;

-- the same shape for a loop of any number of rounds, and inside of another loop
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
SELECT n FROM tx_item WHERE id = 1;
UPDATE tx_item SET n = n + 1 WHERE id = 1;
UPDATE tx_item SET n = n + 1 WHERE id = 2;
SELECT n FROM tx_item WHERE id = 2;
UPDATE tx_item SET n = n + 1 WHERE id = 3;
END;
BEGIN;
SELECT n FROM tx_item WHERE id = 5;
UPDATE tx_item SET n = n + 1 WHERE id = 6;
COMMIT AND CHAIN;
SELECT n FROM tx_item WHERE id = 7;
UPDATE tx_item SET n = n + 1 WHERE id = 8;
ROLLBACK;
SELECT * FROM tx;

-- another order is another shape; a block with nothing in it has one, too
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
UPDATE tx_item SET n = n + 1 WHERE id = 6;
SELECT n FROM tx_item WHERE id = 5;
COMMIT;
BEGIN;
COMMIT;
BEGIN; ROLLBACK;
SELECT * FROM tx ORDER BY len;

-- more statements than are told
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
VALUES (1); SELECT abs(1); SELECT sqrt(1); SELECT ln(1); SELECT exp(0); SELECT ceil(1); SELECT floor(1); SELECT sign(1); SELECT round(1);
COMMIT;
SELECT * FROM tx;
SELECT cardinality(fingerprints), fingerprints[2] = (SELECT fingerprint FROM vitals.statements WHERE query = 'SELECT abs($1)') AS same
FROM vitals.transactions WHERE application_name = 'transactions';

-- savepoints: what was rolled back to was executed; what failed, too
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
UPDATE tx_item SET n = 0 WHERE id = 1;
SAVEPOINT s;
DELETE FROM tx_item WHERE id = 2;
ROLLBACK TO s;
SELECT 1 / (n - n) FROM tx_item WHERE id = 3;
ROLLBACK TO s;
SELECT nothing FROM tx_item;
ROLLBACK TO s;
RELEASE s;
COMMIT;
SELECT * FROM tx;

-- an error ends it; what comes until ROLLBACK is not part of it
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
UPDATE tx_item SET n = 0 WHERE id = 1;
SELECT 1 / (n - n) FROM tx_item WHERE id = 3;
SELECT 1;
ROLLBACK;
BEGIN;
UPDATE tx_item SET n = 0 WHERE id = 1;
SELECT 1 / (n - n) FROM tx_item WHERE id = 3;
COMMIT AND CHAIN;
UPDATE tx_item SET n = 0 WHERE id = 1;
COMMIT;
SELECT * FROM tx ORDER BY len;

-- an error of the commit
SELECT vitals.reset() >= 0 AS reset;
CREATE TABLE tx_deferred (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
INSERT INTO tx_deferred VALUES (1), (1);
COMMIT;
SELECT * FROM tx;

-- several statements in one message
SELECT vitals.reset() >= 0 AS reset;
SELECT 1 AS one\; SELECT abs(2) AS two\; INSERT INTO tx_deferred VALUES (1);
SELECT 1 AS one\; SELECT 2 / 0 AS zero\; INSERT INTO tx_deferred VALUES (2);
SELECT 1 / 0 AS three\; SELECT 2;
SELECT 1 AS one\; COMMIT\; SELECT sign(2) AS two;
SELECT 1 AS one\; BEGIN\; SELECT sqrt(9) AS three\; COMMIT\; SELECT sign(4) AS four;
SELECT * FROM tx ORDER BY queries;

-- rows
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
SELECT count(*) FROM (SELECT id FROM tx_item ORDER BY id LIMIT 5 FOR UPDATE) AS s;
SELECT id FROM tx_item WHERE id <= 3 ORDER BY id FOR UPDATE;
SELECT id FROM tx_item ORDER BY id FOR SHARE LIMIT 2;
DELETE FROM tx_item WHERE id IN (19, 20);
INSERT INTO tx_item VALUES (19, 1), (20, 1) ON CONFLICT (id) DO NOTHING;
CREATE TEMP TABLE tx_copy AS SELECT * FROM tx_item;
COPY tx_copy (id, n) FROM STDIN;
1	2
\.
COPY (SELECT id FROM tx_item WHERE id < 3 ORDER BY id) TO STDOUT;
DECLARE c CURSOR FOR SELECT id FROM tx_item ORDER BY id;
FETCH 2 FROM c;
FETCH 2 FROM c;
COMMIT;
SELECT calls, stmts, read, written, locked, len FROM tx;

-- EXECUTE is what it executes; functions' statements are none of the client's
SELECT vitals.reset() >= 0 AS reset;
CREATE FUNCTION tx_sum() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN (SELECT sum(n) FROM tx_item); END';
PREPARE tx_p AS SELECT n FROM tx_item WHERE id = $1;
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
EXECUTE tx_p (4);
EXECUTE tx_p (5);
SELECT tx_sum() > 0 AS sum;
COMMIT;
SELECT * FROM tx;

-- a procedure's transactions are not blocks
SELECT vitals.reset() >= 0 AS reset;
CREATE PROCEDURE tx_steps() LANGUAGE plpgsql AS 'BEGIN
	FOR i IN 1 .. 3 LOOP UPDATE tx_item SET n = n + 1 WHERE id = i; COMMIT; END LOOP; ROLLBACK; END';
CALL tx_steps();
DO 'BEGIN COMMIT; PERFORM 1; END';
SELECT * FROM tx;

-- parts make up the whole
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
SELECT 1;
SELECT pg_sleep(0.05);
COMMIT;
BEGIN;
SELECT 1;
SELECT pg_sleep(0.02);
ROLLBACK;
SELECT calls, total_time >= 70 AS total, abs(total_time - executing_time - idle_time - commit_time) < 0.001 AS sum,
	executing_time >= 70 AS executing, idle_time BETWEEN 0 AND total_time - 70 AS idle, commit_time > 0 AND commit_time < total_time - 70 AS commit,
	min_time >= 20 AND min_time <= p50_time AND p50_time <= p90_time AND p90_time <= p95_time AND p95_time <= p99_time
		AND p99_time <= max_time AND max_time >= 50 AS percentiles, abs(mean_time - total_time / 2) < 0.001 AS mean,
	max_time_start >= first_seen AND max_time_start + max_time * interval '1 ms' <= last_seen + interval '1 ms' AS longest, last_seen >= first_seen AND last_seen <= now() AS seen
FROM vitals.transactions WHERE application_name = 'transactions';

-- WAL
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
UPDATE tx_item SET n = n + 1;
SELECT count(*) FROM tx_item;
COMMIT;
BEGIN;
SELECT count(*) FROM tx_item;
COMMIT;
SELECT len, wal_records > 20 AS records, wal_bytes > 1000 AS bytes, wal_fpi >= 0 AS fpi FROM tx
JOIN vitals.transactions AS t ON t.shape_length = tx.len AND t.application_name = 'transactions' ORDER BY len;

-- routes: the first statement that has one
SELECT vitals.reset() >= 0 AS reset;
BEGIN;
SELECT n FROM tx_item WHERE id = 1 /*route='first'*/;
UPDATE tx_item SET n = 1 WHERE id = 1 /*route='second'*/;
COMMIT;
BEGIN /*route='begin'*/;
SELECT n FROM tx_item WHERE id = 1 /*route='first'*/;
UPDATE tx_item SET n = 1 WHERE id = 1 /*route='second'*/;
COMMIT;
SELECT route, calls, shape = min(shape) OVER () AS same FROM vitals.transactions WHERE application_name = 'transactions' ORDER BY route;

-- what was not seen from the beginning is not counted; nor with pg_vitals.track = none
SELECT vitals.reset() >= 0 AS reset;
SET pg_vitals.enabled = off;
BEGIN;
SET pg_vitals.enabled = on;
SELECT 1 AS a;
SELECT 1 AS b;
COMMIT;
BEGIN;
SELECT 1 AS a;
SET LOCAL pg_vitals.enabled = off;
COMMIT;
RESET pg_vitals.enabled;
SET pg_vitals.track = none;
BEGIN;
SELECT 1 AS a;
SELECT 1 AS b;
COMMIT;
RESET pg_vitals.track;
SELECT * FROM tx;
BEGIN;
SELECT 1 AS a;
COMMIT;
SELECT * FROM tx;

-- several roles: the session's
SELECT vitals.reset() >= 0 AS reset;
CREATE ROLE tx_role;
BEGIN;
SET LOCAL ROLE tx_role;
SELECT 1 AS a;
COMMIT;
SET ROLE tx_role;
BEGIN;
SELECT 1 AS b;
COMMIT;
RESET ROLE;
SELECT username = session_user AS mine, username = 'tx_role' AS its, calls, statements, shape_length FROM vitals.transactions
WHERE application_name = 'transactions' ORDER BY shape_length DESC;

-- now
BEGIN;
SELECT id FROM tx_item WHERE id <= 3 ORDER BY id FOR UPDATE;
SELECT total_time >= executing_time AND abs(total_time - executing_time - idle_time) < 0.001 AS parts, transaction_start = now() AS start,
	statements, rows_read, rows_written, rows_locked, xmin_age >= 0 AS xmin, blocks, phase, application_name, statement_start >= transaction_start AS since
FROM vitals.transactions_now WHERE pid = pg_backend_pid();
COMMIT;

DROP OWNED BY tx_role;
DROP ROLE tx_role;
DROP VIEW tx;
DROP TABLE tx_item, tx_deferred;
DROP FUNCTION tx_sum();
DROP PROCEDURE tx_steps();
