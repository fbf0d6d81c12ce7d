# When this fails, a constant of some statement (a password, say) can be read in
# the statistics file, in a view or in a message.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'pg_vitals.track = all',
	'pg_vitals.slow_threshold = 0',
	'pg_vitals.slow_log = on',
	'pg_vitals.max_slow_statements = 5000',
	'max_prepared_transactions = 5',
	'log_min_error_statement = panic',
	'compute_query_id = on' ]);

# Statements with secrets: every SECRET becomes a word of its own, by which it
# is looked for afterwards.  Some fail; they are counted too.
my @statements = (
	# roles and connections
	q{CREATE USER u1 PASSWORD 'SECRET'},
	q{CREATE ROLE u2 LOGIN ENCRYPTED PASSWORD 'SECRET' VALID UNTIL '2030-01-01'},
	q{ALTER ROLE u1 PASSWORD 'SECRET'},
	q{ALTER USER u1 WITH ENCRYPTED PASSWORD E'SECRET\\''},
	q{ALTER ROLE u1 PASSWORD U&'SECRET\0041'},
	q{ALTER ROLE u1 PASSWORD $pw$SECRET$pw$},
	q{alter role nobody password 'SECRET'},
	q{ALTER/*'*/ROLE u1/*'*/PASSWORD'SECRET'},
	q{CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'SECRET')},
	q{CREATE USER MAPPING FOR u1 SERVER s OPTIONS (user 'SECRET', password 'SECRET')},
	q{ALTER USER MAPPING FOR u1 SERVER s OPTIONS (SET password 'SECRET')},
	q{ALTER SERVER s OPTIONS (ADD passfile 'SECRET')},
	q{CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere password=SECRET' PUBLICATION p WITH (connect = false)},
	q{ALTER SUBSCRIPTION sub CONNECTION 'host=nowhere password=SECRET'},
	q{ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub},
	q{IMPORT FOREIGN SCHEMA f FROM SERVER s INTO public OPTIONS (key 'SECRET')},

	# programs and files
	q{CREATE TABLE t (id int, name text)},
	q{COPY t FROM PROGRAM 'true SECRET'},
	q{COPY (SELECT 'SECRET') TO PROGRAM 'cat >/dev/null # SECRET'},
	q{COPY t FROM '/nowhere/SECRET' WITH (DELIMITER 'x', NULL 'SECRET')},
	q{COPY t TO STDOUT (FORMAT csv, NULL 'SECRET')},
	q{ALTER SYSTEM SET primary_conninfo = 'password=SECRET'; ALTER SYSTEM RESET primary_conninfo},
	q{LOAD 'SECRET'},

	# settings
	q{SET app.token = 'SECRET'},
	q{SET app.token TO 'SECRET', 'SECRET'},
	q{SET LOCAL app.token = 'SECRET'},
	q{SET SESSION app.token = E'\x41SECRET'},
	q{ALTER ROLE u1 SET app.token = 'SECRET'},
	q{ALTER DATABASE postgres SET app.token = 'SECRET'; ALTER DATABASE postgres RESET ALL},
	q{SELECT set_config('app.token', 'SECRET', false)},
	q{SET TIME ZONE 'SECRET'},
	# a value without quotes is a string constant too
	q{SET app.token = SECRET},
	q{SET app.token TO "SECRET"},
	q{ALTER ROLE u1 SET app.token = SECRET},

	# literals of all kinds
	q{SELECT 'SECRET', 'a''SECRET', N'SECRET', E'a\'SECRET', U&'!0041SECRET' UESCAPE '!'},
	qq{SELECT 'a'\n'SECRET', 'a' -- '\n 'SECRET'},
	q{SELECT $$SECRET$$, $a$ $b$SECRET$b$ $a$, $A1_$SECRET$A1_$},
	q{SELECT text 'SECRET', 'SECRET'::text, cast('SECRET' AS text), "text" 'SECRET'},
	q{SELECT 'C:\', 'SECRET', '\\', 'SECRET\'},
	q{SELECT E'\\', 'SECRET', E'\\\'SECRET'},
	q{SELECT '{"key": "SECRET"}'::jsonb ->> 'SECRET', '<a>SECRET</a>'::text},
	q{SELECT 'SECRET' AS a, 'SECRET' LIKE 'SECRET%' ESCAPE '!'},
	q{SELECT * FROM (VALUES ('SECRET', 1), ('SECRET', 2), ('SECRET', 3)) AS v},
	q{SELECT 'SECRET' IN ('SECRET', 'SECRET'), 'x' = ANY (ARRAY['SECRET', 'SECRET'])},
	q{INSERT INTO t VALUES (1, 'SECRET'), (2, 'SECRET'), (3, lower('SECRET'))},
	q{UPDATE t SET name = 'SECRET' WHERE name = 'SECRET' AND id > 1},
	q{SELECT id FROM t ORDER BY name = 'SECRET', 1},
	q{SELECT '1 day SECRET'::interval},
	q{SELECT 'SECRET'::int},
	q{SELECT repeat('SECRET', 3), '} . 'x' x 100_000 . q{SECRET'},
	q{SELECT } . join(', ', map { "$_ AS column_$_" } 1 .. 3000) . q{, 'SECRET'},

	# comments
	q{SELECT 1 /* SECRET */, 2 /* /* SECRET */ SECRET */ -- SECRET},
	q{/* SECRET */ SELECT 1 AS commented; -- SECRET},
	q{SELECT /* ' */ 'SECRET' /* ' */},
	q{/*+ SECRET */ SELECT 2 AS hinted},

	# definitions
	q{COMMENT ON TABLE t IS 'SECRET'},
	q{CREATE TABLE d (a text DEFAULT 'SECRET' CHECK (a <> 'SECRET')) PARTITION BY LIST (a)},
	q{CREATE TABLE d1 PARTITION OF d FOR VALUES IN ('SECRET', 'SECRET')},
	q{CREATE VIEW v AS SELECT 'SECRET'::text AS a},
	q{CREATE TYPE e AS ENUM ('SECRET', 'SECRET'); ALTER TYPE e ADD VALUE 'SECRET'},
	q{ALTER TYPE e RENAME VALUE 'SECRET' TO 'SECRET'},
	q{CREATE INDEX ON t ((name || 'SECRET')) WHERE name <> 'SECRET'},
	q{CREATE RULE r AS ON INSERT TO d DO INSTEAD NOTIFY n, 'SECRET'},
	q{CREATE POLICY p ON t USING (name = 'SECRET')},
	q{CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION nowhere('SECRET')},
	q{NOTIFY n, 'SECRET'},
	q{SECURITY LABEL ON TABLE t IS 'SECRET'},
	q{BEGIN; PREPARE TRANSACTION 'SECRET'; ROLLBACK PREPARED 'SECRET'},

	# code
	q{DO $$ BEGIN PERFORM 'SECRET'; /* SECRET */ END $$},
	qq{DO \$\$ -- SECRET\nBEGIN EXECUTE 'ALTER ROLE u1 PASSWORD ''SECRET'''; END \$\$},
	q{DO $$ BEGIN EXECUTE format('ALTER ROLE u1 PASSWORD %L', 'SECRET'); END $$},
	q{DO $$ BEGIN EXECUTE 'SELECT $1' USING 'SECRET'; END $$},
	q{DO $$ DECLARE x text := 'SECRET'; BEGIN x := x || 'SECRET'; RAISE LOG 'SQLSTATE'; END $$},
	q{DO $$ BEGIN PERFORM $q$SECRET$q$, E'\'SECRET'; END $$},
	q{DO 'BEGIN PERFORM ''SECRET''; END'},
	q{DO LANGUAGE plpgsql $$ BEGIN PERFORM 'SECRET'; END $$},
	q{DO LANGUAGE nolanguage $$ SECRET $$},
	q{DO $$ SECRET $$ LANGUAGE nolanguage},
	q{CREATE FUNCTION f1() RETURNS text LANGUAGE sql AS $$ SELECT 'SECRET'::text $$},
	q{CREATE FUNCTION f2() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'SECRET'; END $$; SELECT f2()},
	q{CREATE FUNCTION f3() RETURNS text LANGUAGE sql AS 'SELECT ''SECRET''::text'; SELECT f3()},
	q{CREATE FUNCTION f4() RETURNS text LANGUAGE sql RETURN 'SECRET'::text},
	q{CREATE FUNCTION f5(a text DEFAULT 'SECRET') RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'SECRET' || a; END},
	q{CREATE FUNCTION f6() RETURNS int LANGUAGE c AS $$SECRET$$, $$SECRET$$},
	q{CREATE FUNCTION f7() RETURNS int AS $$ SECRET $$ LANGUAGE internal},
	q{CREATE FUNCTION f8() RETURNS text LANGUAGE sql SET app.token = 'SECRET' AS $$ SELECT '' $$},
	q{CREATE PROCEDURE p1(a text) LANGUAGE plpgsql AS $$ BEGIN COMMIT; PERFORM 'SECRET' || a; END $$},
	q{CALL p1('SECRET')},
	q{CALL nowhere('SECRET')},

	# statements around statements
	q{PREPARE q1 AS SELECT 'SECRET'; EXECUTE q1},
	q{PREPARE q2 (text) AS SELECT $1 || 'SECRET'; EXECUTE q2('SECRET')},
	q{EXPLAIN EXECUTE q2('SECRET')},
	q{CREATE TABLE made AS EXECUTE q2('SECRET')},
	q{EXPLAIN (ANALYZE) SELECT 'SECRET' FROM t WHERE name = 'SECRET'},
	q{BEGIN; DECLARE c CURSOR FOR SELECT 'SECRET' AS a; FETCH c; COMMIT},
	q{CREATE TABLE made2 AS SELECT 'SECRET' AS a},
	q{CREATE MATERIALIZED VIEW m AS SELECT 'SECRET' AS a},
	q{SELECT 'SECRET' AS a INTO made3},
	qq{SELECT 'SECRET' AS many \\; SELECT 2, 'SECRET' \\; DELETE FROM t WHERE name = 'SECRET'},

	# what does not parse
	q{SELECT 'SECRET' 'SECRET'},
	q{SELECT SECRET 'x; '; SELECT "SECRET; "; SELECT 1 /* SECRET; */},
	q{SELECT 12SECRET},
	q{SELECT $1SECRET},
	q{SELECT 'SECRET},
	q{SELECT $$SECRET},
	q{ALTER ROLE u1 PASSWORD SECRET},
	q{ALTER ROLE u1 PASWORD 'SECRET'},
	q{SELECT E'\xZZ SECRET', U&'\00 SECRET'},

	# strings in which a backslash escapes, also read under one setting and run under the other
	map({ "SET standard_conforming_strings = off; SET escape_string_warning = off; $_" }
		q{SELECT 'a\'SECRET'},
		q{SELECT 'a\\', 'SECRET'},
		q{ALTER ROLE u1 PASSWORD 'a\'SECRET'},
		q{SELECT "a\" AS x, 'SECRET' AS "\'" FROM (SELECT 1 AS "a\") AS s},
		q{PREPARE q3 AS SELECT 'a\'SECRET'; SET standard_conforming_strings = on; EXECUTE q3},
		qq{SET standard_conforming_strings = on \\; SELECT 'a\\'SECRET'}),
	q{PREPARE q4 AS SELECT 'a\', 'SECRET'; SET standard_conforming_strings = off; EXECUTE q4},
	qq{SET standard_conforming_strings = off \\; SELECT 'a\\', 'SECRET'},
	q{CREATE FUNCTION f9() RETURNS text LANGUAGE plpgsql SET standard_conforming_strings = off
		AS $$ BEGIN RETURN 'a\'SECRET'; END $$; SELECT f9()},

	# psql's variables are text when they get to the server
	qq{\\set secret SECRET\nSELECT :'secret' AS variable},
);

# The words, and which statement each is in.
my %where;
my $word = sub { my $w = sprintf('hunter%03dx', scalar keys %where); $where{$w} = shift; return $w; };
my @filled = map {
	my $statement = $_;
	$statement =~ s/SECRET/$word->($_)/ger;
} @statements;

# A session remembers statements it has seen, so each has one of its own.
cmp_ok(scalar keys %where, '>', 150, 'there are secrets');
$node->psql('postgres', "$_;\n", on_error_stop => 0) foreach @filled;

# What is executed again has its plan captured.
$node->psql('postgres', "$_;\n", on_error_stop => 0) foreach grep { /^(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE)/i } @filled;

# A batch without a transaction of its own and one in another encoding.
my $secret = $word->('latin1');
$node->psql('postgres', "SELECT '\xE4$secret', '$secret' AS latin1",
	on_error_stop => 0, connstr => $node->connstr('postgres') . " client_encoding=latin1");

# ----- the extended protocol ----------------------------------------------

my $user = $node->safe_psql('postgres', 'SELECT current_user');
my $wire = Vitals::Wire->connect($node, 'postgres', $user);
$secret = $word->('bound parameter, and a literal beside it');
$wire->parse("SELECT \$1::text || '$secret'", 'x')->bind('x', '', $secret)->execute->sync;
$wire->until('Z');
$secret = $word->('parameter of a statement that fails');
$wire->parse('SELECT $1::int', 'y')->bind('y', '', $secret)->execute->sync;
$wire->until('E');
$wire->until('Z');
$wire->close;

# ----- messages of the detector -------------------------------------------

# Parent and children carry secrets, in rows and in literals.
my @tokens = map { $word->('N+1') } 1 .. 12;
$node->safe_psql('postgres', "CREATE TABLE key (token text PRIMARY KEY);"
	  . "CREATE TABLE door (token text REFERENCES key, room int);"
	  . join('', map { "INSERT INTO key VALUES ('$_'); INSERT INTO door VALUES ('$_', 1);" } @tokens));
my $messages = '';
foreach my $action ('notice', 'warning', 'error', 'log')
{
	my ($ret, $out, $err) = $node->psql('postgres', "SET pg_vitals.n_plus_one_action = $action;\n"
		  . "SELECT token FROM key WHERE token <> '" . $word->('parent') . "';\n"
		  . join('', map { "SELECT room FROM door WHERE token = '$_';\n" } @tokens),
		on_error_stop => 0);
	$messages .= $err;
}
like($messages, qr/NOTICE.*WARNING.*ERROR/s, 'the detector speaks');
like(slurp_file($node->logfile), qr/LOG: .*SELECT room FROM door WHERE token = \$1/, 'and writes to the log');

# ----- looking for them ---------------------------------------------------

# Everything that can be read: all views, and all functions without arguments.
my $read = $node->safe_psql('postgres', q{
	SELECT format('SELECT %L, to_jsonb(x) FROM vitals.%I AS x;', relname, relname)
	FROM pg_class WHERE relnamespace = 'vitals'::regnamespace AND relkind IN ('v', 'm', 'r')
	UNION ALL
	SELECT format('SELECT %L, to_jsonb(x) FROM vitals.%I() AS x;', proname, proname)
	FROM pg_proc WHERE pronamespace = 'vitals'::regnamespace AND pronargs = 0 AND proretset
	ORDER BY 1});
like($read, qr/statements.*/, 'there are views');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM vitals.plans WHERE plan IS NOT NULL'), '>', 8, 'and plans');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM vitals.slow_statements WHERE rows_counted'), '>', 0, 'and slow statements');
my $shown = $node->safe_psql('postgres', $read);
$node->stop;
my $kept = slurp_binary($node->data_dir . '/pg_stat/pg_vitals.stat');

# These are there, so looking is not in vain.
foreach my $text ('ALTER ROLE u1 PASSWORD $1', 'COPY t FROM PROGRAM $1',
	'CREATE SUBSCRIPTION sub CONNECTION $1 PUBLICATION p WITH (connect = false)',
	'CREATE USER MAPPING FOR u1 SERVER s OPTIONS (user $1, password $2)',
	'SELECT $1 AS variable', 'SELECT room FROM door WHERE token = $1')
{
	cmp_ok(index($shown, $text =~ s/"/\\"/gr), '>', 0, "shown: $text");
	cmp_ok(index($kept, $text), '>', 0, "kept: $text");
}

foreach my $place ([ 'views', $shown ], [ 'the statistics file', $kept ],
	[ 'messages', $messages ], [ 'the log', join '', grep { /repeated|N\+1|slow statement/ } split /^/, slurp_file($node->logfile) ])
{
	my ($name, $bytes) = @$place;
	my @found = grep { $bytes =~ /$_/i } sort keys %where;

	is(scalar @found, 0, "no secret is in $name")
	  or diag join "\n", map { substr("$_ of: $where{$_}", 0, 300) } @found;
}

done_testing();
