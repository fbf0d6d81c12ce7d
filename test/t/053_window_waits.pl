# When this fails, the waits in the windows of the last hours are not what sessions
# waited for: in the wrong window, class or statement, lost or there twice, where there
# are more statements than room, or statistics are reset.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use Vitals;

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [ 'pg_vitals.persist_interval = 0' ]);

# Who asks is not counted.
sub ask
{
	my ($sql, $of) = @_;
	local $ENV{PGOPTIONS} = '-c pg_vitals.enabled=off';
	return ($of // $node)->safe_psql('postgres', $sql);
}

sub until_waits
{
	my ($event, $count) = @_;
	$node->poll_query_until('postgres', qq{SELECT count(*) = $count FROM pg_stat_activity WHERE wait_event = '$event'})
	  or die "nobody waits for $event";
	return;
}

# Send a statement and do not wait for its end.
sub start
{
	my ($session, $sql) = @_;
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	return;
}

sub setting
{
	my ($name, $value) = @_;
	ask($_) foreach "ALTER SYSTEM SET $name = $value", 'SELECT pg_reload_conf()';
	$node->poll_query_until('postgres', "SELECT setting = '$value' FROM pg_settings WHERE name = '$name'") or die;
	# the worker's own reload: a pass with the new interval
	sleep(0.3);
	return;
}

# Within what a machine that stands still now and then leaves of it.
sub about
{
	my ($ms, $truth, $what) = @_;
	cmp_ok($ms, '<', $truth * 1.1 + 120, "$what: not more than there was");
	cmp_ok($ms, '>', $truth * 0.6 - 50, "$what: most of it");
	return;
}

my @classes = qw(lock lwlock io ipc client timeout other_wait);

# The windows and vitals.waits are made of the same samples: what each class has had
# since the reset is equal.  Sampling is off.
sub compare
{
	my ($what) = @_;
	my %truth = map { $_ => 0 } @classes, 'not_waiting', 'idle_in_transaction';
	my %column = (Lock => 'lock', LWLock => 'lwlock', IO => 'io', IPC => 'ipc', Client => 'client', Timeout => 'timeout', CPU => 'not_waiting');

	foreach my $row (split /\n/, ask(q{SELECT coalesce(phase, ''), wait_event_type, wait_time FROM vitals.waits WHERE phase IS DISTINCT FROM 'background'}))
	{
		my ($phase, $class, $ms) = split /\|/, $row;
		# which phase a row <other> is of is not known: there must be none
		$phase ne '' or die 'vitals.waits was full';
		$truth{$phase eq 'idle in transaction' ? $phase =~ s/ /_/gr : $column{$class} // 'other_wait'} += $ms;
	}
	foreach my $resolution ('10s', '1min')
	{
		my @told = split /\|/, ask("SELECT @{[ join ', ', map { qq{sum(${_}_time)} } sort keys %truth ]} FROM vitals.windows WHERE resolution = '$resolution'");
		my @wrong = grep { my $name = $_; abs((shift @told || 0) - $truth{$name}) > 1e-6 * (1 + $truth{$name}) } sort keys %truth;
		is("@wrong", '', "$what: windows of $resolution have what vitals.waits has");
	}
	is(ask(qq{SELECT count(*) FROM vitals.windows WHERE abs(wait_time - (@{[ join ' + ', map { "${_}_time" } @classes ]})) > 0.001
			OR least(wait_time_margin, not_waiting_time, idle_in_transaction_time, @{[ join ', ', map { "${_}_time" } @classes ]}) < 0}), 0,
		"$what: the parts are the sum");
	is(ask(q{SELECT count(*) FROM vitals.windows WHERE wait_time_margin > 1.96 * wait_time OR (wait_time > 0) <> (wait_time_margin > 0)
			OR sampled_time > 1000 * extract(epoch FROM window_end - window_start) + 200}), 0, "$what: as large as can be");
	return;
}

ask(q{CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL); INSERT INTO item VALUES (1, 0);
	CREATE FUNCTION sleep_inside() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1) AS inside; END $$});

# ----- known truth ----------------------------------------------------------

my %session = map { $_ => session($node) } qw(holder waiter sleeper sleeper2 nested);
$session{nested}->query_safe(q{SET pg_vitals.track = 'all'});
ask('SELECT vitals.reset()');
ask('SELECT vitals.close_window()');
$session{holder}->query_safe('BEGIN; UPDATE item SET n = 1 WHERE id = 1 RETURNING n AS held');
my $t0 = time;
start($session{waiter}, 'UPDATE item SET n = 2 WHERE id = 1');
until_waits('transactionid', 1);
start($session{$_}, 'SELECT pg_sleep(3)') foreach qw(sleeper sleeper2);
start($session{nested}, 'SELECT sleep_inside()');
until_waits('PgSleep', 3);
my $t1 = time;
sleep(1);
ask('SELECT vitals.close_window()');
my $first = (time - $t1) * 1000;
my $first_most = (time - $t0) * 1000;

my $row = q{SELECT %s FROM vitals.windows WHERE resolution = '%s' AND query = '%s' ORDER BY window_start};
my $update = 'UPDATE item SET n = $1 WHERE id = $2';
my $held = 'UPDATE item SET n = $1 WHERE id = $2 RETURNING n AS held';
my $slept = 'SELECT pg_sleep($1)';
foreach my $resolution ('10s', '1min')
{
	is(ask(qq{SELECT calls, query, lwlock_time + ipc_time + client_time + timeout_time + idle_in_transaction_time
			FROM vitals.windows WHERE resolution = '$resolution' AND lock_time > 0}), "0|$update|0",
		"$resolution: who still waits for a lock has a row");
	my $ms = ask(qq{SELECT sum(lock_time) FROM vitals.windows WHERE resolution = '$resolution'});
	cmp_ok($ms, '<', $first_most * 1.1 + 50, 'not more than there was');
	cmp_ok($ms, '>', $first * 0.6 - 50, 'most of it');
	$ms = ask(qq{SELECT sum(timeout_time) FROM vitals.windows WHERE resolution = '$resolution' AND toplevel});
	cmp_ok($ms, '<', 2 * $first_most * 1.1 + 50, 'so do sleepers: together, not more than there was');
	cmp_ok($ms, '>', 2 * $first * 0.6 - 50, 'most of it');
}
until_waits('PgSleep', 0);
$session{holder}->query_safe('COMMIT');
my $all = (time - $t0) * 1000;
$session{waiter}->query_safe('SELECT 1');
ask('SELECT vitals.close_window()');
foreach my $resolution ('10s', '1min')
{
	is(ask(sprintf $row, 'calls, lock_time > 0, timeout_time', $resolution, $update), "0|t|0\n1|t|0",
		"$resolution: a statement is in the window of its waits, and in that of its end");
	my $truth = ask("SELECT sum(total_exec_time) FROM vitals.statements WHERE query = '$update'");
	about(ask(sprintf($row, 'sum(lock_time) OVER ()', $resolution, $update) . ' LIMIT 1'), $truth, 'a lock');
	$truth = ask("SELECT sum(total_exec_time) FROM vitals.statements WHERE query = '$slept'");
	about(ask(sprintf($row, 'sum(timeout_time) OVER ()', $resolution, $slept) . ' LIMIT 1'), $truth, 'sleep');
	about(ask(sprintf($row, 'sum(idle_in_transaction_time) OVER ()', $resolution, $held) . ' LIMIT 1'), $all, 'idle in a transaction');
	is(ask(sprintf($row, 'sum(wait_time) OVER ()', $resolution, $held) . ' LIMIT 1') < 50, 1, 'which is no wait');
}
is(ask(q{SELECT DISTINCT toplevel, query FROM vitals.windows WHERE timeout_time > 300 AND query ~ 'inside'}),
	'f|SELECT pg_sleep($1) AS inside', 'a nested statement has its own waits');
my $n = session($node);
$n->query_safe('SELECT pg_sleep(0.5)');
ask('SELECT vitals.close_window()');
setting('pg_vitals.sample_interval', 0);
ask('SELECT vitals.close_window()');
compare('known truth');
$n->quit;

# ----- off ------------------------------------------------------------------

$session{sleeper}->query_safe('SELECT pg_sleep(0.5) AS unseen');
ask('SELECT vitals.close_window()');
is(ask(q{SELECT calls, wait_time, wait_time_margin, lock_time, timeout_time, not_waiting_time, idle_in_transaction_time, sampled_time
		FROM vitals.windows WHERE resolution = '10s' AND query ~ 'unseen'}), '1|||||||0', 'without samples nothing is told of waits');

# ----- more statements than room --------------------------------------------

# The long one comes first, and others that are sampled once, more than there are
# places; what is idle in transactions is of many, too.
setting('pg_vitals.sample_interval', 1);
my $places = ask(q{SELECT count(*) FROM pg_shmem_allocations WHERE name = 'pg_vitals waited'});
is($places, 1, 'a table of a fixed size');
my $memory = ask('SELECT memory_bytes FROM vitals.info');
ask('SELECT vitals.reset()');
ask('SELECT vitals.close_window()');
my $many = join '', map { "WITH w$_ AS (SELECT pg_sleep(0.002)) SELECT FROM w$_;\n" } 1 .. 2500;
$node->safe_psql('postgres', "SELECT pg_sleep(1.5) AS long;\n$many");
setting('pg_vitals.sample_interval', 0);
ask('SELECT vitals.close_window()');
is(ask('SELECT memory_bytes FROM vitals.info'), $memory, 'thousands of statements take no more');
cmp_ok(ask(q{SELECT max(n) FROM (SELECT count(*) AS n FROM vitals.windows GROUP BY resolution, window_start) AS w}), '<', 300,
	'a window has room for so many');
compare('many statements');
my $long = 'SELECT pg_sleep($1) AS long';
foreach my $resolution ('10s', '1min')
{
	my $truth = ask("SELECT sum(total_exec_time) FROM vitals.statements WHERE query = '$long'");
	about(ask(sprintf($row, 'sum(timeout_time) OVER ()', $resolution, $long) . ' LIMIT 1'), $truth, "$resolution: what is long keeps its place");
	cmp_ok(ask(sprintf($row, 'sum(timeout_time) OVER ()', $resolution, '<other>') . ' LIMIT 1'), '>', 1000, 'the others are in one row');
}

# ----- a reset of a part ----------------------------------------------------

setting('pg_vitals.sample_interval', 10);
ask('CREATE DATABASE app');
ask('SELECT vitals.reset()');
ask('SELECT vitals.close_window()');
$session{sleeper}->query_safe('SELECT pg_sleep(1) AS here');
$node->safe_psql('app', 'SELECT pg_sleep(1) AS there');
# what is not in the worker's second yet would be forgotten
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM vitals.waits WHERE query ~ 'AS (t?here)' AND wait_time > 500}) or die;
ask(q{SELECT vitals.reset(dbid => oid) FROM pg_database WHERE datname = 'app'});
ask('SELECT vitals.close_window()');
is(ask(q{SELECT datname, query, calls, timeout_time > 500 FROM vitals.windows WHERE resolution = '10s' AND wait_time > 100 ORDER BY datname}),
	"postgres|SELECT pg_sleep(\$1) AS here|1|t\n|<other>|1|t", 'it is of no statement any more');

# ----- a standby ------------------------------------------------------------

$_->quit foreach values %session;
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', 'SELECT pg_sleep(1) AS standby');
ask('SELECT vitals.close_window()', $standby);
about(ask(q{SELECT sum(timeout_time) FROM vitals.windows WHERE resolution = '1min' AND query = 'SELECT pg_sleep($1) AS standby'}, $standby), 1000, 'on a standby');
$standby->stop;
$node->stop;
done_testing();
