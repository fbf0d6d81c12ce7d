-- pg_vitals.track: what the client sends, and what runs inside it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_vitals;
RESET client_min_messages;
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT g, 'item ' || g FROM generate_series(1, 50) AS g;
CREATE TABLE log (what text);
CREATE FUNCTION pg_temp.shown(OUT toplevel boolean, OUT calls bigint, OUT rows bigint, OUT query text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT toplevel, calls, rows, query FROM vitals.statements
	WHERE datname = current_database() AND query !~ 'vitals|pg_temp|^c :=' AND calls > 0
	ORDER BY query COLLATE "C", toplevel
$$;
CREATE FUNCTION in_plpgsql(n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE c bigint;
BEGIN
	SELECT count(*) INTO c FROM item WHERE id < n;
	IF n > 10 THEN
		c := c + in_plpgsql(n - 10);
	END IF;
	RETURN c;
END $$;
-- volatile, so that it is not put into the query around it
CREATE FUNCTION in_sql(n int) RETURNS SETOF text LANGUAGE sql VOLATILE AS $$
	INSERT INTO log VALUES ('in_sql');
	SELECT name FROM item WHERE id <= n ORDER BY id;
$$;
CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE item SET name = NEW.what WHERE id = 1; RETURN NEW; END $$;
CREATE PROCEDURE in_call(n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		DELETE FROM item WHERE id = 40 + i;
		COMMIT;
	END LOOP;
END $$;

-- top, the default: what the client sends
SHOW pg_vitals.track;
SELECT vitals.reset() > 0 AS reset;
SELECT in_plpgsql(20);
SELECT * FROM in_sql(2);
CALL in_call(2);
DO $$ BEGIN PERFORM name FROM item WHERE id = 3; END $$;
SELECT * FROM pg_temp.shown();

-- all: also what is inside, under the same text once for each level
SET pg_vitals.track = 'all';
SELECT vitals.reset() > 0 AS reset;
SELECT in_plpgsql(30);
SELECT * FROM in_sql(2);
CALL in_call(3);
DO $$ BEGIN FOR i IN 1 .. 4 LOOP PERFORM name FROM item WHERE id = i; END LOOP; END $$;
SELECT name FROM item WHERE id = 5;
DO $$ BEGIN EXECUTE 'SELECT name FROM item WHERE id = $1' USING 6; END $$;
SELECT * FROM pg_temp.shown();

-- triggers
SELECT vitals.reset() > 0 AS reset;
CREATE TRIGGER on_insert BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION on_insert();
INSERT INTO log VALUES ('one'), ('two');
SELECT * FROM pg_temp.shown() WHERE query !~ 'CREATE';
DROP TRIGGER on_insert ON log;

-- utility statements around a query
SELECT vitals.reset() > 0 AS reset;
CREATE TABLE made AS SELECT id FROM item WHERE id <= 7;
SELECT * FROM pg_temp.shown();
SELECT vitals.reset() > 0 AS reset;
CREATE MATERIALIZED VIEW mat AS SELECT id, name FROM item WHERE id <= 8;
SELECT toplevel, calls, rows, query FROM pg_temp.shown();
SELECT vitals.reset() > 0 AS reset;
COPY (SELECT name FROM item WHERE id BETWEEN 2 AND 3 ORDER BY id) TO STDOUT;
SELECT * FROM pg_temp.shown();
SELECT vitals.reset() > 0 AS reset;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF, FORMAT json) SELECT name AS explained FROM item WHERE id = 4 \g /dev/null
SELECT * FROM pg_temp.shown();
SELECT vitals.reset() > 0 AS reset;
PREPARE p AS SELECT count(*) AS prepared FROM item;
EXECUTE p;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF, FORMAT json) EXECUTE p \g /dev/null
SELECT * FROM pg_temp.shown();
DEALLOCATE p;

-- a failure inside, swallowed or not, does not disturb the levels
SELECT vitals.reset() > 0 AS reset;
DO $$ BEGIN
	BEGIN PERFORM 1 / (id - 1) FROM item; EXCEPTION WHEN division_by_zero THEN NULL; END;
	PERFORM id FROM item WHERE id = 9;
END $$;
DO $$ BEGIN PERFORM 2 / (id - 2), id FROM item; END $$;
SELECT id FROM item WHERE id = 9;
SELECT * FROM pg_temp.shown();

-- what the planner runs is inside, too
SELECT vitals.reset() > 0 AS reset;
CREATE FUNCTION folded() RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT count(*) AS in_planner FROM item); END $$;
SELECT folded() > 0 AS folded;
SELECT toplevel, calls, query FROM pg_temp.shown() WHERE query ~ 'in_planner|SELECT folded' AND query !~ 'CREATE';

-- none: nothing
SET pg_vitals.track = 'none';
SELECT vitals.reset() > 0 AS reset;
SELECT in_plpgsql(20);
DO $$ BEGIN PERFORM name FROM item WHERE id = 3; END $$;
VACUUM item;
SELECT count(*) FROM vitals.statements WHERE datname = current_database();

-- the setting may change in the middle of a statement
SELECT vitals.reset() >= 0 AS reset;
DO $$ BEGIN
	PERFORM id FROM item WHERE id = 1;
	PERFORM set_config('pg_vitals.track', 'all', false);
	PERFORM name FROM item WHERE id = 2;
END $$;
SELECT * FROM pg_temp.shown();
RESET pg_vitals.track;

DROP MATERIALIZED VIEW mat;
DROP TABLE item, log, made;
DROP FUNCTION in_plpgsql, in_sql, on_insert, folded;
DROP PROCEDURE in_call;
