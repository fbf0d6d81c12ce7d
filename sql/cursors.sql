-- Cursors: one execution each, whose rows are those of all fetches.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
SET pg_vitals.track = 'all';
CREATE TABLE item AS SELECT g AS id FROM generate_series(1, 100) AS g;
CREATE FUNCTION pg_temp.shown(OUT toplevel boolean, OUT calls bigint, OUT rows bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT toplevel, calls, rows, query FROM vitals.statements
	WHERE datname = current_database() AND query !~ 'vitals|pg_temp|^(BEGIN|COMMIT|ROLLBACK)$' AND calls > 0
	ORDER BY query COLLATE "C", toplevel
$$;

-- fetched in portions
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id;
FETCH 2 FROM c;
FETCH 3 FROM c;
FETCH NEXT FROM c;
MOVE 4 IN c;
CLOSE c;
COMMIT;
SELECT * FROM pg_temp.shown();

-- to the end and beyond it
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS few FROM item WHERE id < 4 ORDER BY id;
FETCH 3 FROM c;
FETCH ALL FROM c;
FETCH ALL FROM c;
COMMIT;
SELECT * FROM pg_temp.shown();

-- back and forth
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id AS scrolled FROM item WHERE id < 10 ORDER BY id;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH FORWARD 4 FROM c;
COMMIT;
SELECT calls, rows, query FROM pg_temp.shown() WHERE NOT toplevel;

-- two in turn
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE a CURSOR FOR SELECT id AS a FROM item ORDER BY id;
DECLARE b CURSOR FOR SELECT id AS b, 1 FROM item ORDER BY id DESC;
FETCH 2 FROM a;
FETCH 1 FROM b;
FETCH 1 FROM a;
FETCH 3 FROM b;
CLOSE a;
FETCH 1 FROM b;
COMMIT;
SELECT calls, rows, query FROM pg_temp.shown() WHERE NOT toplevel;

-- left open at the end of the transaction, rolled back, failed
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS left_open FROM item ORDER BY id;
FETCH 2 FROM c;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS rolled_back FROM item ORDER BY id LIMIT 50;
FETCH 3 FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT 1 / (id - 3) AS fails FROM item ORDER BY id;
FETCH 2 FROM c;
FETCH 2 FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS never_fetched FROM item;
COMMIT;
SELECT s.toplevel, s.calls, s.rows, v.failures, s.query
FROM pg_temp.shown() AS s JOIN vitals.statements AS v USING (toplevel, query)
WHERE NOT s.toplevel OR v.failures > 0
ORDER BY s.query COLLATE "C";

-- held beyond its transaction
SELECT vitals.reset() > 0 AS reset;
DECLARE held CURSOR WITH HOLD FOR SELECT id AS held FROM item ORDER BY id;
FETCH 2 FROM held;
FETCH 3 FROM held;
CLOSE held;
SELECT toplevel, calls, query FROM pg_temp.shown();

-- in PL/pgSQL, which reads in portions of its own
SELECT vitals.reset() > 0 AS reset;
DO $$
DECLARE r record; c CURSOR FOR SELECT id AS explicit FROM item WHERE id < 30; n int := 0;
BEGIN
	FOR r IN SELECT id AS in_loop FROM item WHERE id <= 75 LOOP n := n + 1; END LOOP;
	FOR r IN SELECT id AS left_early, 1 FROM item LOOP EXIT; END LOOP;
	OPEN c; FETCH c INTO r; FETCH c INTO r; CLOSE c;
END $$;
SELECT calls, rows, query FROM pg_temp.shown() WHERE query ~ '^SELECT id';

-- the current row of one
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c CURSOR FOR SELECT id AS current_row FROM item FOR UPDATE;
FETCH c;
UPDATE item SET id = -id WHERE CURRENT OF c;
COMMIT;
SELECT * FROM pg_temp.shown();

-- top: only what the client sends
SET pg_vitals.track = 'top';
SELECT vitals.reset() > 0 AS reset;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id;
FETCH 2 FROM c;
COMMIT;
SELECT * FROM pg_temp.shown();

DROP TABLE item;
