# When this fails, sessions that come and go, are cancelled or terminated leave
# the counters wrong, or the server does not stay up.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'pg_vitals.max_statements = 500',
	'pg_vitals.persist_interval = 1s',
	'max_connections = 40' ]);

sub ask { return $node->safe_psql('postgres', shift); }

ask("CREATE DATABASE $_") foreach 'work', 'churn', 'victim';
$node->safe_psql('work', 'CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 100) AS g');

# A pgbench in the background.
sub bench
{
	my ($database, $options, $script) = @_;
	my $file = $node->basedir . "/$database.sql";
	my $bench = { name => $database, out => '', err => '' };

	spew_binary($file, $script);
	$bench->{run} = IPC::Run::start(
		[ 'pgbench', '-n', split(/ /, $options), '-h', $node->host, '-p', $node->port, '-f', $file, $database ],
		'>', \$bench->{out}, '2>', \$bench->{err});
	return $bench;
}

# ----- everything at once -------------------------------------------------

my @benches = (
	bench('work', '-t 400 -c 6 -j 2', q{
\set n random(1, 1000)
WITH q_:n AS (SELECT 1) SELECT FROM q_:n;
SELECT id FROM t WHERE id <= 3;
BEGIN;
SELECT count(*) FROM t;
END;
}),
	bench('churn', '-C -t 40 -c 4', "SELECT 1 AS hello;\n"));

# Its statements are cancelled at any moment, its attempts are counted by it.
my ($victim_out, $victim_err) = ('', '');
my $attempts = $node->basedir . '/attempts.sql';
spew_binary($attempts, "SELECT pg_sleep(0.02), 1 AS attempt;\n" x 150);
my $victim = IPC::Run::start(
	[ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-d', 'victim', '-f', $attempts ],
	'>', \$victim_out, '2>', \$victim_err);

my ($reads, $cancels) = (0, 0);
while (grep { $_->{run}->pumpable } @benches or $victim->pumpable)
{
	ask('SELECT count(*), sum(calls) FROM vitals.statements; SELECT * FROM vitals.n_plus_one');
	$cancels += ask(q{SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
		WHERE datname = 'victim' AND state = 'active'});
	$reads++;
	foreach my $run ($victim, map { $_->{run} } @benches)
	{
		$run->pump_nb if $run->pumpable;
	}
}
ok($_->{run}->finish, "pgbench in $_->{name} runs to its end") or diag $_->{err} foreach @benches;
ok($victim->finish, 'so does the victim');
cmp_ok($reads, '>', 1, 'there were readers');

# the table's creation, with 100 rows, is in the sums
is(ask(q{SELECT sum(calls), sum(failures), sum(rows) FROM vitals.statements WHERE datname = 'work'}),
	(1 + 6 * 400 * 5) . '|0|' . (100 + 6 * 400 * (1 + 3 + 1)), 'every execution and row is counted');
is(ask(q{SELECT calls FROM vitals.statements WHERE query = 'SELECT $1 AS hello' AND datname = 'churn'}),
	160, 'sessions of one statement leave it behind');

my $errors = () = $victim_err =~ /canceling statement due to user request/g;
cmp_ok($errors, '>', 0, 'statements were cancelled');
# A cancel may also come before the executor starts: then nothing was executed.
my ($done, $failures, $cancelled) = split /\|/, ask(q{
	SELECT calls - failures, failures, cancels FROM vitals.statements
	WHERE query = 'SELECT pg_sleep($1), $2 AS attempt'});
is($done + $errors, 150, 'what was not cancelled is counted');
cmp_ok($failures, '<=', $errors, 'what was cancelled is not counted twice');
cmp_ok($failures, '>', 0, 'but once');
is($cancelled, $failures, 'as cancelled');

# ----- timeouts and terminations ------------------------------------------

$node->psql('victim', q{SET statement_timeout = '20ms';}
	  . 'SELECT pg_sleep(60), 2 AS too_long;' x 5, on_error_stop => 0);
is(ask(q{SELECT calls, failures, timeouts, cancels FROM vitals.statements WHERE query = 'SELECT pg_sleep($1), $2 AS too_long'}),
	'5|5|5|0', 'timeouts');

# Terminate the session that runs this, once it sleeps.
sub terminate_while
{
	my ($sql) = @_;
	my $session = session($node, 'victim');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	$node->poll_query_until('postgres', qq{SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid})
	  or die "it does not sleep: $sql";
	ask("SELECT pg_terminate_backend($pid)");
	$node->poll_query_until('postgres', qq{SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid}) or die;
	$session->{run}->finish;
	return;
}

terminate_while('SELECT pg_sleep(600), 3 AS terminated') foreach 1 .. 3;
is(ask(q{SELECT calls, failures, cancels, timeouts, total_exec_time > 0 FROM vitals.statements
	WHERE query = 'SELECT pg_sleep($1), $2 AS terminated'}),
	'3|3|0|0|t', 'a terminated execution is a failed one, and took its time');
terminate_while('DO $$ BEGIN PERFORM pg_sleep(600); END $$');
is(ask(q{SELECT calls, failures, cancels, timeouts, total_exec_time > 0 FROM vitals.statements
	WHERE query = 'DO $$ BEGIN PERFORM pg_sleep($1); END $$'}),
	'1|1|0|0|t', 'a terminated utility statement too');

# ----- more in one session than its record has room for -------------------

# So often that its fast buckets are full, and with more slow ones than it keeps.
$node->safe_psql('victim', q{SET pg_vitals.track = 'all';
	DO $$ BEGIN
		FOR i IN 1 .. 300000 LOOP PERFORM count(*) FROM (VALUES (i)) AS often; END LOOP;
		FOR i IN 0 .. 9 LOOP PERFORM pg_sleep(0.14 * 1.1 ^ i), 'slow'; END LOOP;
	END $$});
is(ask(q{SELECT s.calls, (SELECT sum(h.calls) FROM vitals.histogram(s.queryid) AS h)
	FROM vitals.statements AS s WHERE query ~ 'AS often$'}),
	'300000|300000', 'each duration of a statement is in its histogram');
is(ask(q{SELECT s.calls, (SELECT sum(h.calls) || '|' || (count(*) > 6) FROM vitals.histogram(s.queryid) AS h)
	FROM vitals.statements AS s WHERE query LIKE 'SELECT pg_sleep(%^%)%' AND NOT toplevel}),
	'10|10|true', 'the long ones, too');

# ----- afterwards ---------------------------------------------------------

my $before = ask(q{SELECT sum(calls), sum(rows), sum(failures) FROM vitals.statements WHERE datname = 'work'});
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$node->restart;
is(ask(q{SELECT sum(calls), sum(rows), sum(failures) FROM vitals.statements WHERE datname = 'work'}), $before,
	'and all of it is there after a restart');

$node->stop;
done_testing();
