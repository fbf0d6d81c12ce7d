# When this fails, pg_vitals counts other executions, rows, blocks or WAL than
# pg_stat_statements does for the same work, or the two disturb each other.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $schema = q{
	CREATE TABLE item (id int PRIMARY KEY, grp int, name text, amount numeric);
	INSERT INTO item SELECT g, g % 10, 'item ' || g, g FROM generate_series(1, 3000) AS g;
	CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item ON DELETE CASCADE);
	INSERT INTO part SELECT g, g FROM generate_series(1, 500) AS g;
	CREATE TABLE log (id serial, what text);
	CREATE VIEW cheap AS SELECT id, name FROM item WHERE amount < 100;
	CREATE RULE cheap_delete AS ON DELETE TO cheap DO INSTEAD
		(INSERT INTO log (what) VALUES ('cheap'); DELETE FROM part WHERE id = old.id);
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO log (what) VALUES (TG_OP); RETURN NULL; END $$;
	CREATE TRIGGER touch AFTER UPDATE ON item FOR EACH STATEMENT EXECUTE FUNCTION touch();
	CREATE FUNCTION sql_sum(g int) RETURNS numeric LANGUAGE sql VOLATILE
		AS $$ SELECT sum(amount) FROM item WHERE grp = g $$;
	CREATE FUNCTION loop_batch() RETURNS int LANGUAGE plpgsql AS $$
		DECLARE r record; n int := 0;
		BEGIN FOR r IN SELECT id AS batch FROM item WHERE id <= 137 LOOP n := n + 1; END LOOP;
		RETURN n; END $$;
	CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$
		BEGIN PERFORM count(*) FROM part WHERE id < n;
		RETURN CASE WHEN n > 0 THEN deep(n - 1) ELSE 0 END; END $$;
	CREATE FUNCTION swallow() RETURNS int LANGUAGE plpgsql AS $$
		BEGIN PERFORM 10 / (id - 1) FROM part AS failing WHERE id < 3; RETURN 1;
		EXCEPTION WHEN division_by_zero THEN RETURN 2; END $$;
	CREATE FUNCTION as_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER VOLATILE
		AS $$ SELECT count(*) FROM part WHERE id > 7 $$;
	CREATE PROCEDURE step(n int) LANGUAGE plpgsql AS $$
		BEGIN FOR i IN 1 .. n LOOP INSERT INTO log (what) VALUES ('step' || i); COMMIT; END LOOP; END $$;
	GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
	GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC;
	VACUUM ANALYZE;
};

my $workload = q{
	SELECT count(*) FROM item;
	SELECT name FROM item WHERE id = 17;
	SELECT name FROM item WHERE id = 18;
	SELECT id FROM item WHERE id IN (1, 2, 3);
	SELECT id FROM item WHERE id IN (4, 5, 6, 7, 8);
	SELECT 1 AS one \; SELECT id FROM part WHERE id < 4 \; SELECT name, 2 FROM item WHERE id = 9;
	INSERT INTO log (what) VALUES ('a'), ('b'), ('c');
	INSERT INTO log (what) VALUES ('a'), ('b'), ('c'), ('d');
	INSERT INTO log (what) SELECT name FROM item WHERE id < 50 RETURNING id;
	UPDATE item SET amount = amount + 1 WHERE grp = 3;
	DELETE FROM item WHERE id BETWEEN 100 AND 105;
	DELETE FROM cheap WHERE id = 42;
	WITH gone AS (DELETE FROM log WHERE what = 'b' RETURNING id) SELECT count(*) FROM gone;
	MERGE INTO part AS p USING item AS i ON p.id = i.id
		WHEN MATCHED AND i.grp = 5 THEN DELETE WHEN MATCHED THEN DO NOTHING;

	SELECT sql_sum(id) FROM part WHERE id < 6;
	SELECT deep(4);
	SELECT loop_batch();
	SELECT swallow();
	SELECT as_owner();
	DO $$ BEGIN FOR i IN 1 .. 20 LOOP PERFORM name FROM item WHERE id = i; END LOOP; END $$;
	DO $$ BEGIN EXECUTE format('SELECT %L::text', 'dynamic'); END $$;
	CALL step(7);

	PREPARE by_id (int) AS SELECT grp, amount FROM item WHERE id = $1;
	EXECUTE by_id(1); EXECUTE by_id(2); EXECUTE by_id(3); EXECUTE by_id(4);
	EXECUTE by_id(5); EXECUTE by_id(6); EXECUTE by_id(7); EXECUTE by_id(8);
	PREPARE add (text) AS INSERT INTO log (what) VALUES ($1);
	EXECUTE add('x'); EXECUTE add('y');
	EXPLAIN (COSTS OFF) EXECUTE by_id(9);

	BEGIN;
	DECLARE c SCROLL CURSOR FOR SELECT id FROM part ORDER BY id;
	FETCH 10 FROM c; FETCH 5 FROM c; FETCH BACKWARD 3 FROM c; MOVE 2 IN c; CLOSE c;
	SAVEPOINT s; INSERT INTO log (what) VALUES ('undone'); ROLLBACK TO s; RELEASE s;
	COMMIT;

	CREATE TABLE copied AS SELECT * FROM item WHERE grp < 4;
	SELECT * INTO into_copied FROM item WHERE grp = 4;
	CREATE MATERIALIZED VIEW per_grp AS SELECT grp, sum(amount) FROM item GROUP BY grp;
	REFRESH MATERIALIZED VIEW per_grp;
	CREATE INDEX copied_grp ON copied (grp);
	COPY copied TO STDOUT;
	COPY (SELECT id FROM item WHERE id < 30) TO STDOUT;
	COPY log (what) FROM STDIN;
one
two
three
\.
	EXPLAIN (COSTS OFF) SELECT amount FROM item WHERE grp = 6;
	EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT grp FROM item WHERE amount = 6;
	EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) UPDATE part SET item = item WHERE id < 20;
	VACUUM copied; ANALYZE copied; TRUNCATE copied; DROP TABLE into_copied;
	ALTER TABLE copied ADD COLUMN extra int; CREATE SEQUENCE seq;
	BEGIN; LOCK TABLE copied; ROLLBACK;

	SET work_mem = '64kB';
	SELECT count(*) FROM (SELECT name FROM item ORDER BY name, amount OFFSET 0) AS sorted;
	RESET work_mem;
	CREATE TEMP TABLE local (id int, filler text);
	INSERT INTO local SELECT g, repeat('x', 500) FROM generate_series(1, 3000) AS g;
	SELECT count(*) FROM local WHERE id % 3 = 0;
	SET jit_above_cost = 0;
	SELECT sum(amount * 2) FROM item WHERE amount > 3;
	RESET jit_above_cost;
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0;
	SELECT count(*), max(name) FROM item WHERE name LIKE 'item 1%';
	RESET ALL;
	SELECT pg_sleep(0.2);

	SELECT name FROM item AS failing WHERE 1 / (id - 2) > 0 AND id < 4;
	SELECT nothing FROM nowhere;
	INSERT INTO part VALUES (1, 1);
	SAVEPOINT nowhere;
	SHOW work_mem;
};

my $script = q{
\set id random(1, 90)
SELECT name FROM item WHERE id = :id;
UPDATE part SET item = item WHERE id = :id;
BEGIN;
INSERT INTO log (what) VALUES ('pgbench');
SELECT count(*) FROM part WHERE id < :id;
END;
};

my $pipeline = q{
\startpipeline
SELECT grp FROM item WHERE id = 5;
SELECT amount FROM item WHERE id = 6;
SELECT id FROM part WHERE id < 20;
\endpipeline
};

# Both views are copied at rest, then compared as lists of (statement, column,
# value).  A row of theirs belongs to the row of ours with its queryid; where
# several of their rows are one of ours, to the one with the same text once
# lists and constants are taken out of both.
my $compare = q{
	CREATE SCHEMA frozen;
	CREATE TABLE frozen.theirs AS
		SELECT * FROM pg_stat_statements WHERE dbid IN (SELECT oid FROM pg_database WHERE datname ~ '^app');
	CREATE TABLE frozen.ours AS
		SELECT * FROM vitals.statements WHERE datname ~ '^app';
	CREATE FUNCTION frozen.bare(query text) RETURNS text
	RETURN regexp_replace(regexp_replace(regexp_replace(regexp_replace(query,
		'^prepare .* as |(?<=^savepoint) \S+$', '', 'i'),
		'''[^'']*''|\$\d+|\m\d+\M', '?', 'g'),
		'(\?|\(\?\))(\s*,\s*(\?|\(\?\)|/\*, \.\.\. \*/|\.\.\.))+', '\1', 'g'),
		' /\*, \.\.\. \*/|^\s+|;?\s*$', '', 'g');

	CREATE TABLE frozen.map AS
	SELECT t.userid, t.dbid, t.toplevel, t.queryid, coalesce(
		(SELECT min(fingerprint) FROM frozen.ours AS o
		 WHERE (o.userid, o.dbid, o.toplevel, o.queryid) = (t.userid, t.dbid, t.toplevel, t.queryid)),
		(SELECT min(fingerprint) FROM frozen.ours AS o
		 WHERE (o.userid, o.dbid, o.toplevel) = (t.userid, t.dbid, t.toplevel)
		   AND frozen.bare(o.query) = frozen.bare(t.query))) AS fingerprint
	FROM frozen.theirs AS t;

	CREATE TABLE frozen.columns AS
	SELECT attname::text AS name, atttypid <> 'float8'::regtype AS exact
	FROM pg_attribute
	WHERE attrelid = 'frozen.theirs'::regclass AND attnum > 0
	  AND atttypid IN ('int8'::regtype, 'numeric'::regtype, 'float8'::regtype)
	  AND attname !~ '^(queryid$|min_|max_|mean_|stddev_)';

	CREATE TABLE frozen.compared AS
	WITH theirs AS (
		SELECT m.userid, m.dbid, m.toplevel, m.fingerprint, c.name, sum(v.value::numeric) AS value
		FROM frozen.theirs AS t JOIN frozen.map AS m USING (userid, dbid, toplevel, queryid),
			 jsonb_each_text(to_jsonb(t)) AS v JOIN frozen.columns AS c ON c.name = v.key
		GROUP BY 1, 2, 3, 4, 5
	), ours AS (
		-- failed executions count with us alone
		SELECT o.userid, o.dbid, o.toplevel, o.fingerprint, c.name, o.failures, o.queryid, o.query,
			   v.value::numeric - CASE c.name WHEN 'calls' THEN o.failures ELSE 0 END AS value
		FROM frozen.ours AS o,
			 jsonb_each_text(to_jsonb(o)) AS v JOIN frozen.columns AS c ON c.name = v.key
	)
	SELECT c.name, c.exact, o.query, toplevel, o.queryid, failures,
		   o.value AS ours, t.value AS theirs
	FROM ours AS o FULL JOIN theirs AS t USING (userid, dbid, toplevel, fingerprint, name)
		 JOIN frozen.columns AS c USING (name)
};

foreach my $order ('pg_vitals,pg_stat_statements', 'pg_stat_statements,pg_vitals')
{
	my $node = vitals_node($order =~ s/,.*//r, conf => [
		"shared_preload_libraries = '$order'",
		'pg_vitals.track = all',
		'pg_stat_statements.track = all',
		'pg_stat_statements.track_planning = on',
		'track_io_timing = on' ]);
	my $ask = sub { return $node->safe_psql('postgres', shift) };
	my $is_15 = $ask->(q{SELECT current_setting('server_version_num')::int < 160000}) eq 't';

	$ask->('CREATE EXTENSION pg_stat_statements; CREATE ROLE clerk LOGIN; CREATE ROLE other;'
		  . 'GRANT other TO clerk');
	foreach my $app ('app1', 'app2')
	{
		$ask->("CREATE DATABASE $app");
		$node->safe_psql($app, $schema . ($is_15 ? '' : 'GRANT CREATE ON SCHEMA public TO PUBLIC;'));
	}
	$ask->('SELECT pg_stat_statements_reset(); SELECT vitals.reset()');

	# ----- the work, in two databases, by two roles, in all protocols -----
	$node->psql('app1', $workload, on_error_stop => 0);
	$node->psql('app2', $workload, on_error_stop => 0);
	$node->psql('app1', q{
		SELECT name FROM item WHERE id = 19; SELECT as_owner();
		SET ROLE other; SELECT name FROM item WHERE id = 20; SELECT as_owner();
		SELECT deep(2); RESET ROLE; SELECT name FROM item WHERE id = 20;},
		extra_params => [ '-U', 'clerk' ]);
	foreach my $protocol ('simple', 'extended', 'prepared')
	{
		$node->pgbench("-n -t 25 -c 4 -M $protocol app1", 0, [qr/100\/100/], [qr/^/],
			"$order: pgbench, $protocol", { "$order-$protocol" => $script });
	}
	# nobody sends this one otherwise
	$node->pgbench('-n -t 25 -c 2 -M prepared app2', 0, [qr/50\/50/], [qr/^/],
		"$order: pgbench, a transaction given up", { "$order-abort" => "BEGIN;\nABORT;\n" });
	$node->pgbench('-n -t 30 -c 2 -M extended app2', 0, [qr/60\/60/], [qr/^/],
		"$order: pgbench, pipeline", { "$order-pipeline" => $pipeline });

	# ----- both counted the same -----------------------------------------
	$ask->($compare);
	cmp_ok($ask->('SELECT count(*) FROM frozen.theirs'), '>', 150, "$order: there is much to compare");
	is($ask->(q{
		SELECT t.toplevel, t.calls, t.query FROM frozen.theirs AS t
			JOIN frozen.map AS m USING (userid, dbid, toplevel, queryid)
		WHERE m.fingerprint IS NULL
		  -- SET ROLE: theirs is charged to the new role, ours to the one who said it
		  AND t.query !~ '^(SET|RESET) ROLE' ORDER BY 3}),
		'', "$order: every statement of theirs is one of ours");
	is($ask->(q{
		SELECT DISTINCT toplevel, query FROM frozen.compared
		WHERE theirs IS NULL
		  -- only failed, or without the server's queryid (inside DECLARE and CREATE TABLE AS on 15)
		  AND failures = 0 AND queryid IS NOT NULL
		  AND query !~ '^(SET|RESET) ROLE'
		  -- from 16 on two spellings have one queryid, under which they have both
		  AND NOT (query IN ('END', 'COMMIT', 'ABORT', 'ROLLBACK')
				   AND current_setting('server_version_num')::int >= 160000) ORDER BY 2}),
		'', "$order: and every one of ours is theirs, but where they do not look");
	is($ask->(q{
		SELECT name, ours, theirs, toplevel, query FROM frozen.compared
		WHERE exact AND theirs IS NOT NULL AND ours <> theirs
		  -- failed executions have rows and blocks too, which they do not count
		  AND (failures = 0 OR name IN ('calls', 'plans'))
		  -- they forget which statement it is when a prepared utility statement is executed again
		  AND query NOT IN ('BEGIN', 'END', 'ABORT')
		  AND NOT (query IN ('COMMIT', 'ROLLBACK') AND current_setting('server_version_num')::int >= 160000)
		  -- on 15 they count the rows of the last fetch only
		  AND NOT (name = 'rows' AND query ~ 'batch' AND current_setting('server_version_num')::int < 160000)
		ORDER BY query, name}),
		'', "$order: counts agree to the last row, block and byte");
	is($ask->(q{
		SELECT calls FROM frozen.ours WHERE query = 'END' AND datname = 'app1'}),
		300, "$order: all executions of a prepared utility statement");
	is($ask->(q{
		SELECT calls, queryid IS NOT NULL FROM frozen.ours WHERE query = 'ABORT' AND datname = 'app2'}),
		'50|t', "$order: of which its queryid is known, although they hide it from the second execution on");
	is($ask->(q{
		SELECT sum(ours) FROM frozen.compared
		WHERE name = 'rows' AND query = 'SELECT id AS batch FROM item WHERE id <= $1'}),
		2 * 131, "$order: all rows of a loop over a query");
	is($ask->(q{
		SELECT name, ours, theirs, toplevel, query FROM frozen.compared
		WHERE NOT exact AND name ~ '^(jit|.*blk)' AND theirs IS NOT NULL AND failures = 0
		  AND abs(ours - theirs) > 0.001 * (1 + theirs)
		ORDER BY query, name}),
		'', "$order: times of I/O and JIT agree");
	# A process may lose its processor between their clock and ours.
	is($ask->(q{
		SELECT name, ours, theirs, toplevel, query FROM frozen.compared
		WHERE name IN ('total_exec_time', 'total_plan_time') AND theirs IS NOT NULL
		  AND failures = 0 AND abs(ours - theirs) > 100 + theirs * 0.2
		ORDER BY query, name}),
		'', "$order: times of execution and planning are about the same");
	is($ask->(q{
		SELECT count(*) FROM frozen.compared AS slept
		WHERE name = 'total_exec_time' AND query = 'SELECT pg_sleep($1)'
		  AND least(ours, theirs) BETWEEN 200 AND 1000 AND abs(ours - theirs) < 100}),
		2, "$order: a sleep takes its time with both");

	# ----- what only we count ---------------------------------------------
	is($ask->(q{
		SELECT calls, failures, toplevel, query FROM frozen.ours
		WHERE failures > 0 AND datname = 'app1' ORDER BY query COLLATE "C"}),
		join("\n",
			'1|1|t|INSERT INTO part VALUES ($1, $2)',
			'2|1|t|SAVEPOINT $1',
			'1|1|f|SELECT $1 / (id - $2) FROM part AS failing WHERE id < $3',
			'1|1|t|SELECT name FROM item AS failing WHERE $1 / (id - $2) > $3 AND id < $4'),
		"$order: failed executions");
	is($ask->(q{
		SELECT calls, rows, toplevel FROM frozen.ours
		WHERE query = 'SELECT id FROM part ORDER BY id' AND datname = 'app1'}),
		'1|20|f', "$order: the query of a cursor, with the rows of all fetches");
	$node->stop;
}

done_testing();
