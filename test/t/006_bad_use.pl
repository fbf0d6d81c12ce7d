# When this fails, wrong use of the library (not preloaded, wrong settings, ids
# that do not exist, reading and resetting under load) harms the server or is
# answered unclearly.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

# What psql says of a statement, with SQLSTATE.
sub said
{
	my ($node, $sql, %params) = @_;
	my ($ret, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$sql", on_error_stop => 0, %params);

	return $err;
}

# ----- not preloaded ------------------------------------------------------

my $node = vitals_node('main', no_extension => 1, conf => [ "shared_preload_libraries = ''" ]);

is($node->psql('postgres', 'CREATE EXTENSION pg_vitals'), 0, 'CREATE EXTENSION works without the library');
my @calls = split /\n/, $node->safe_psql('postgres', q{
	SELECT 'SELECT * FROM vitals.' || relname
	FROM pg_class WHERE relnamespace = 'vitals'::regnamespace AND relkind = 'v'
	UNION ALL
	SELECT format('SELECT * FROM vitals.%I(%s)', proname,
		(SELECT string_agg('NULL::' || format_type(t, NULL), ', ') FROM unnest(proargtypes) AS t))
	FROM pg_proc WHERE pronamespace = 'vitals'::regnamespace
	ORDER BY 1});
cmp_ok(scalar @calls, '>=', 5, 'there are views and functions to call');
foreach my $call (@calls)
{
	like(said($node, $call), qr/ERROR: +55000: pg_vitals must be loaded.*HINT: .*shared_preload_libraries/s,
		"without the library: $call");
}
like(said($node, q{LOAD 'pg_vitals'; SELECT * FROM vitals.info}), qr/ERROR: +55000:/, 'LOAD is too late');
$node->append_conf('postgresql.conf', q{session_preload_libraries = 'pg_vitals'});
$node->restart;
like(said($node, 'SELECT * FROM vitals.info'), qr/ERROR: +55000:/, 'so is session_preload_libraries');
is($node->safe_psql('postgres', 'SELECT 1'), 1, 'and does no harm');

# ----- wrong settings -----------------------------------------------------

$node->append_conf('postgresql.conf',
	qq{session_preload_libraries = ''\nshared_preload_libraries = 'pg_vitals'});
$node->restart;
$node->stop;
my $good = slurp_file($node->data_dir . '/postgresql.conf');
my $set = sub { spew_binary($node->data_dir . '/postgresql.conf', "$good\n$_[0]\n"); };

# PostgreSQL warns of a wrong value of a library's setting, and takes the default.
foreach my $wrong (
	[ 'max_statements', '99', '5000', qr/99 is outside the valid range for parameter "pg_vitals\.max_statements" \(100 \.\. / ],
	[ 'max_statements', 'many', '5000', qr/invalid value for parameter "pg_vitals\.max_statements": "many"/ ],
	[ 'text_memory', '1kB', '16MB', qr/1 kB is outside the valid range for parameter "pg_vitals\.text_memory"/ ],
	[ 'track', 'often', 'top', qr/invalid value for parameter "pg_vitals\.track": "often".*HINT:  Available values: none, top, all/s ],
	[ 'n_plus_one_min_repeats', '1', '5', qr/1 is outside the valid range for parameter "pg_vitals\.n_plus_one_min_repeats" \(2 \.\. 1000\)/ ],
	[ 'n_plus_one_action', 'shout', 'off', qr/invalid value .*Available values: off, log, notice, warning, error/s ],
	[ 'persist_interval', '-1', '1min', qr/-1 s? ?is outside the valid range for parameter "pg_vitals\.persist_interval"/ ])
{
	my ($name, $value, $default, $message) = @$wrong;
	my $offset = -s $node->logfile;

	$set->("pg_vitals.$name = $value");
	$node->start;
	like(log_tail($node, $offset), qr/WARNING: .*$message/s, "$name = $value is warned of");
	is($node->safe_psql('postgres', "SHOW pg_vitals.$name"), $default, "$name = $value: the default is taken");
	$node->stop;
}
my $offset = -s $node->logfile;
$set->('pg_vitals.max_statement = 500');
$node->start;
like(log_tail($node, $offset), qr/WARNING: +invalid configuration parameter name "pg_vitals\.max_statement"/,
	'a misspelt setting is warned of');
$node->stop;
$set->('pg_vitals.max_statements = 200');
$node->start;
like(said($node, 'SET pg_vitals.max_statements = 300'), qr/ERROR: +55P02:/, 'a size cannot be set at run time');
like(said($node, 'SET pg_vitals.track = often'), qr/ERROR: +22023: .*HINT: +Available values: none, top, all/s,
	'a wrong value at run time');
like(said($node, 'SET pg_vitals.nothing = 1'), qr/ERROR: +42602: invalid configuration parameter name "pg_vitals\.nothing"/,
	'a setting that does not exist');

# ----- ids that do not exist ----------------------------------------------

foreach my $wrong (
	[ 'SELECT * FROM vitals.histogram(NULL)', qr/ERROR: +22004: .*HINT/s ],
	[ 'SELECT * FROM vitals.histogram(0)', qr/ERROR: +42704: .*HINT/s ],
	[ 'SELECT * FROM vitals.histogram(4242)', qr/ERROR: +42704: no statement with queryid 4242.*HINT/s ],
	[ 'SELECT vitals.reset(4242)', qr/ERROR: +42704: no statement with queryid 4242.*HINT/s ],
	[ 'SELECT vitals.reset(0)', qr/ERROR: +42704: / ])
{
	like(said($node, $wrong->[0]), $wrong->[1], $wrong->[0]);
}
is($node->safe_psql('postgres', 'SELECT vitals.reset(dbid => 4242), vitals.reset(userid => 4242)'), '0|0',
	'no statistics of a database or role that does not exist');

# ----- read and reset under load ------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY);
	INSERT INTO b SELECT g FROM generate_series(1, 30) AS g;
	INSERT INTO a SELECT g, g FROM generate_series(1, 30) AS g});
my $work = q{
\set n random(1, 2000)
WITH q_:n AS (SELECT 1) SELECT FROM q_:n;
SELECT b FROM a WHERE id < 9;
} . join('', map { "SELECT id FROM b WHERE id = $_;\n" } 1 .. 8);
my $read = q{
SELECT count(*), sum(calls) FROM vitals.statements;
SELECT * FROM vitals.n_plus_one;
SELECT * FROM vitals.info;
SELECT s.calls FROM vitals.statements AS s WHERE queryid IS NOT NULL ORDER BY calls DESC LIMIT 5;
};
my $reset = q{
\set one random(1, 3)
\if :one = 1
SELECT vitals.reset();
\elif :one = 2
SELECT vitals.reset(userid => 10);
\else
SELECT vitals.reset(dbid => oid) FROM pg_database;
\endif
};
$node->pgbench('-n -T 5 -c 6 -j 2', 0, [qr/number of failed transactions: 0|processed/], [qr/^(?!.*(?:error|abort))/s],
	'work, reads and resets at once',
	{ '006_work@6' => $work, '006_read@3' => $read, '006_reset@1' => $reset });
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$node->safe_psql('postgres', 'SELECT vitals.reset()');
$node->safe_psql('postgres', 'SELECT 1 AS afterwards');
is($node->safe_psql('postgres', q{SELECT calls FROM vitals.statements WHERE query = 'SELECT $1 AS afterwards'}), 1,
	'and everything counts afterwards');
cmp_ok($node->safe_psql('postgres', 'SELECT texts_bytes FROM vitals.info'), '<', 3000,
	'no text is left of what was reset');

$node->stop;
done_testing();
