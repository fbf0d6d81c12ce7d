# When this fails, the parts of vitals.statement_time are not where the time went:
# computing, sleeping, waiting for a lock and waiting for the client, of which it is
# known here how much there was.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Vitals;

my $node = vitals_node('main', conf => [
	'max_parallel_workers_per_gather = 0', 'jit = off', 'pg_vitals.persist_interval = 0' ]);

sub ask { return $node->safe_psql('postgres', shift); }

# Seconds that a process has spent on a processor, as the kernel counts.
sub cpu_of
{
	my ($pid) = @_;
	return (split / /, slurp_file("/proc/$pid/schedstat"))[0] / 1e9;
}

# Wait until all that has been seen by now is in vitals.waits.
sub arrive
{
	my $now = ask('SELECT clock_timestamp()');
	$node->poll_query_until('postgres', qq{SELECT max(last_seen) > '$now' FROM vitals.waits, pg_sleep(0.1)})
	  or die 'nothing comes to vitals.waits';
	return;
}

sub columns_of
{
	my ($pattern, @columns) = @_;
	my @values = split /\|/, ask(qq{SELECT @{[ join ', ', map { "round($_)" } @columns ]} FROM vitals.statement_time WHERE query ~ '$pattern'});
	return map { $columns[$_] => $values[$_] } 0 .. $#columns;
}

my @parts = qw(cpu_time lock_time lwlock_time io_time ipc_time client_time timeout_time other_wait_time unexplained_time);

ask('CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 0)');
ask('SELECT vitals.reset()');

# ----- what it is known of ------------------------------------------------

my $burner = session($node);
my $pid = $burner->query_safe('SELECT pg_backend_pid()');
my $before = cpu_of($pid);
$burner->query_safe('SELECT sum(sqrt(g)) AS burner FROM generate_series(1, 4000000) AS g') foreach 1 .. 3;
my $burnt = 1000 * (cpu_of($pid) - $before);

my $sleeper = session($node);
$sleeper->query_safe('SELECT pg_sleep(1.5) AS sleeper');

my $holder = session($node);
$holder->query_safe('BEGIN; UPDATE t SET n = 1 WHERE id = 1');
my $waiter = session($node);
$waiter->query_until(qr/started/, "\\echo started\nUPDATE t SET n = n + 2 WHERE id = 1;\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'})
  or die 'nobody waits';
my $waits = time;
$sleeper->query_safe('SELECT pg_sleep(1.5) AS sleeper');
my $waited = 1000 * (time - $waits);
$holder->query_safe('COMMIT');
$waiter->query_safe('SELECT 1');
arrive();

# ----- and what is told ---------------------------------------------------

my %burner = columns_of('AS burner', 'elapsed_time', @parts);
cmp_ok(abs($burner{cpu_time} - $burnt), '<', 0.1 * $burnt + 5, "computing: as the kernel says, $burnt ms");
cmp_ok($burner{cpu_time} + $burner{unexplained_time} + $burner{io_time}, '>', 0.9 * $burner{elapsed_time},
	'... the rest is waiting for a processor');

my %sleeper = columns_of('AS sleeper', 'elapsed_time', @parts);
cmp_ok(abs($sleeper{timeout_time} - 3000), '<', 300, "sleeping: 3000 ms, told: $sleeper{timeout_time}");
cmp_ok($sleeper{cpu_time}, '<', 150, '... without a processor');

my %waiter = columns_of('UPDATE t SET n = n', 'elapsed_time', @parts);
cmp_ok(abs($waiter{lock_time} - $waiter{elapsed_time}), '<', 0.1 * $waiter{elapsed_time} + 20,
	"waiting for a lock: told $waiter{lock_time} of $waiter{elapsed_time} ms");
cmp_ok($waiter{elapsed_time}, '>=', int(0.95 * $waited), '... which is what it took');

foreach my $statement (\%burner, \%sleeper, \%waiter)
{
	my $sum = 0;
	$sum += $statement->{$_} foreach @parts;
	cmp_ok(abs($sum - $statement->{elapsed_time}), '<=', @parts, 'the parts add up');
}
is(ask(q{SELECT count(*) FROM vitals.statement_time WHERE
		abs(elapsed_time - cpu_time - lock_time - lwlock_time - io_time - ipc_time - client_time
			- timeout_time - other_wait_time - unexplained_time) > 0.001 OR unexplained_time_margin < 0 OR measured_share NOT BETWEEN 0 AND 1}),
	'0', 'so they do for each statement');
is(ask(q{SELECT count(*) FROM vitals.statement_time, LATERAL (VALUES (elapsed_time), (cpu_time), (lock_time), (lwlock_time), (io_time),
			(ipc_time), (client_time), (timeout_time), (other_wait_time), (unexplained_time), (unexplained_time_margin)) AS part (ms)
		WHERE ms <> round(ms::numeric, 6)::float8 OR other_wait_time < 0}), '0', 'without the noise of adding up');

# ----- nested statements have their own time --------------------------------

ask(q{CREATE FUNCTION outer_one() RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_sleep(1) AS nested_sleeper FROM t; END $$});
ask('SELECT vitals.reset()');
ask("SET pg_vitals.track = 'all'; SELECT outer_one()");
arrive();
my %outer = columns_of('^SELECT outer_one', 'elapsed_time', 'timeout_time');
my %inner = columns_of('AS nested_sleeper', 'elapsed_time', 'timeout_time');
cmp_ok($outer{elapsed_time}, '<', 200, 'the caller has little left');
cmp_ok($inner{elapsed_time}, '>=', 1000, 'the nested statement has the time');
cmp_ok(abs($inner{timeout_time} - 1000), '<', 200, '... and the wait');

# ----- rights -------------------------------------------------------------

ask('CREATE ROLE plain LOGIN');
{
	local $ENV{PGUSER} = 'plain';
	is($node->safe_psql('postgres', q{SELECT count(*) FROM vitals.statement_time WHERE username <> 'plain'}), '0',
		'nothing of other roles');
}

done_testing();
