# When this fails, the windows of the last hours are not what happened: something
# is missing in them or there twice, when statements are pushed out of the table,
# statistics are reset, or the worker begins anew; or a role sees another's.

use strict;
use warnings;

use lib 'test/t';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();
use Vitals;

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [
	'pg_vitals.max_statements = 500', 'pg_vitals.persist_interval = 0', 'pg_vitals.n_plus_one_max_gap = 60s',
	'restart_after_crash = on' ]);

# Who asks is not counted: only the work itself is.
sub ask
{
	my ($sql, $of) = @_;
	local $ENV{PGOPTIONS} = '-c pg_vitals.enabled=off';
	return ($of // $node)->safe_psql('postgres', $sql);
}

sub until_true
{
	my ($sql, $of) = @_;
	local $ENV{PGOPTIONS} = '-c pg_vitals.enabled=off';
	($of // $node)->poll_query_until('postgres', $sql) or die "this did not come true: $sql";
	return;
}

# A psql that runs this while the test goes on.
sub in_background
{
	my ($db, $sql) = @_;
	my $file = $node->basedir . '/work' . int(rand(1e9)) . '.sql';

	spew_binary($file, $sql);
	return IPC::Run::start([ 'psql', '-XqAt', '-o', '/dev/null', '-d', $node->connstr($db), '-f', $file ], '>', \my $out, '2>', \my $err);
}

sub worker
{
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	my ($pid) = grep { (eval { slurp_file("/proc/$_/cmdline") } // '') =~ /pg_vitals worker/ }
	  split / /, slurp_file("/proc/$postmaster/task/$postmaster/children");
	return $pid;
}

ask("CREATE DATABASE $_") foreach 'app1', 'app2';
my $counts = join(', ', map { "sum($_)" }
	  qw(calls failures rows shared_blks_hit shared_blks_read temp_blks_read temp_blks_written));

# Sums over all windows of either resolution, and over the table of statements.
# Times are added up in another order, so they may differ in the last digits.
sub compare
{
	my ($what) = @_;

	ask('SELECT vitals.close_window()');
	my $statements = ask("SELECT $counts FROM vitals.statements");
	is(ask("SELECT $counts FROM vitals.windows WHERE resolution = '10s'"), $statements,
		"$what: windows of 10 s have what the statements have");
	is(ask("SELECT $counts FROM vitals.windows WHERE resolution = '1min'"), $statements,
		"$what: those of a minute, too");
	foreach my $time ('total_exec_time', 'total_plan_time')
	{
		is(ask(qq{SELECT count(*) FROM (SELECT sum($time) AS ms FROM vitals.windows GROUP BY resolution) AS w,
				(SELECT sum($time) AS ms FROM vitals.statements) AS s WHERE abs(w.ms - s.ms) <= 0.001 + s.ms / 1e6}), 2,
			"$what: $time");
	}
	is(ask(q{SELECT count(*) FROM vitals.windows WHERE least(calls, failures, rows, total_exec_time, total_plan_time,
			shared_blks_hit, shared_blks_read, temp_blks_read, temp_blks_written, n_plus_one_bursts) < 0}), 0,
		"$what: nothing is negative");
	return;
}

# ----- what a window has in it ----------------------------------------------

until_true(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'});
$node->safe_psql('app1', q{
	CREATE TABLE author (id int PRIMARY KEY, name text); CREATE TABLE book (id int, author int REFERENCES author);
	INSERT INTO author SELECT g, 'a' FROM generate_series(1, 20) AS g;
	INSERT INTO book SELECT g, g FROM generate_series(1, 20) AS g});
ask('SELECT vitals.close_window()');
ask('SELECT vitals.reset()');
is(ask('SELECT count(*) FROM vitals.windows'), 0, 'a reset removes all windows');
my $began = ask('SELECT clock_timestamp()');
$node->safe_psql('app1', "SELECT 1 AS a;\n" x 7 . 'SELECT 1 AS a, pg_sleep(0.2)');
$node->psql('app1', 'SELECT 1 / (id - id) FROM author');
ask('SELECT vitals.close_window()');
my $ended = ask('SELECT clock_timestamp()');
my $shown = q{SELECT query, calls, failures, rows, toplevel, username, datname FROM vitals.windows
	WHERE resolution = '%s' AND calls > 0 ORDER BY query COLLATE "C"};
my $expected = join("\n", 'SELECT $1 / (id - id) FROM author|1|1|0|t|postgres|app1',
	'SELECT $1 AS a|7|0|7|t|postgres|app1', 'SELECT $1 AS a, pg_sleep($2)|1|0|1|t|postgres|app1');
is(ask(sprintf $shown, '10s'), $expected, 'what was executed is in the window');
is(ask(sprintf $shown, '1min'), $expected, 'and in that of the minute');
is(ask(q{SELECT count(*) FROM vitals.windows AS w JOIN vitals.statements AS s
		USING (userid, dbid, toplevel, queryid, fingerprint, query, calls, rows, failures)
		WHERE abs(w.mean_exec_time - s.mean_exec_time) < 0.0001 AND w.p50_exec_time BETWEEN s.p50_exec_time * 0.95 - 0.001 AND s.p50_exec_time * 1.06 + 0.001
		AND w.p99_exec_time BETWEEN s.p99_exec_time * 0.95 - 0.001 AND s.p99_exec_time * 1.06 + 0.001}), 6, 'as in the statements, percentiles, too');
is(ask(q{SELECT bool_and(p95_exec_time BETWEEN 190 AND 2000) FROM vitals.windows WHERE query ~ 'pg_sleep'}), 't', 'and as is known of it');
is(ask(qq{SELECT bool_and(window_end BETWEEN '$began' AND '$ended' AND window_start < window_end) FROM vitals.windows}), 't',
	'when it was');
ask('SELECT vitals.close_window()');
is(ask(sprintf $shown, '10s'), $expected, 'what was not active again is in no further window');
$node->safe_psql('app1', "SELECT 1 AS a;\n" x 3);
ask('SELECT vitals.close_window()');
is(ask(q{SELECT string_agg(calls::text, ' ' ORDER BY window_start) FROM vitals.windows
		WHERE query = 'SELECT $1 AS a' AND resolution = '10s'}), '7 3', 'what was is there with what was new');
is(ask(q{SELECT count(*) FROM (SELECT window_start - lag(window_end) OVER (PARTITION BY resolution ORDER BY window_start) AS gap
		FROM (SELECT DISTINCT resolution, window_start, window_end FROM vitals.windows) AS w) AS g WHERE gap < interval '0'}), 0,
	'windows do not overlap');

# N+1
$node->safe_psql('app1', "SELECT id FROM author;\n" . numbered(12, 'SELECT id FROM book WHERE author = %d;'));
ask('SELECT vitals.close_window()');
is(ask(q{SELECT calls, n_plus_one_bursts FROM vitals.windows WHERE resolution = '10s' AND query = 'SELECT id FROM book WHERE author = $1'}),
	'12|1', 'an N+1 is seen in its window');
is(ask(q{SELECT sum(n_plus_one_bursts) FROM vitals.windows WHERE resolution = '1min'}), 1, 'once');
compare('one by one');

# ----- a full table ---------------------------------------------------------

# Four sessions with 6,000 statements each that nobody repeats, and one that they
# all do, while windows are ended as fast as it goes.
my @work = map {
	my $db = $_ % 2 ? 'app1' : 'app2';
	my $sql = join('', map { "WITH q_$_ AS (SELECT $_) SELECT FROM q_$_;\n" . ($_ % 5 ? '' : "SELECT 1 AS common;\n") } $_ * 6000 + 1 .. $_ * 6000 + 6000);
	in_background($db, $sql);
} 1 .. 4;
my $ends = 0;
while (grep { $_->pumpable } @work)
{
	$_->pump_nb foreach grep { $_->pumpable } @work;
	ask('SELECT vitals.close_window()');
	$ends++;
}
$_->finish foreach @work;
cmp_ok($ends, '>', 3, 'windows were ended meanwhile');
cmp_ok(ask('SELECT evictions FROM vitals.info'), '>', 5000, 'and statements pushed out');
compare('a full table');
is(ask(q{SELECT sum(calls) FROM vitals.windows WHERE resolution = '10s'}), 7 + 1 + 1 + 3 + 13 + 4 * 7200, 'that is all that was executed');
is(ask(q{SELECT count(*) FROM vitals.windows WHERE query = '<other>' AND (userid, dbid, toplevel, queryid, fingerprint) IS NOT NULL}), 0,
	'what has no row of its own is nobody\'s');
is(ask(q{SELECT max(n) FROM (SELECT count(*) AS n FROM vitals.windows WHERE query = '<other>' GROUP BY resolution, window_start) AS w}), 1,
	'and one row in each window');

# ----- more active statements than a window has room for --------------------

ask('SELECT vitals.reset()');
$node->safe_psql('app1', join('', map { "WITH r_$_ AS (SELECT $_) SELECT FROM r_$_;\nWITH r_$_ AS (SELECT $_) SELECT FROM r_$_;\n" } 1 .. 400)
	  . 'SELECT 2 AS b, pg_sleep(0.1)');
compare('more statements than room');
is(ask(q{SELECT count(*) FROM vitals.windows WHERE query = '<other>' AND calls > 100}), 2, 'the small ones are folded');
is(ask(q{SELECT count(*) FROM vitals.windows WHERE query ~ 'pg_sleep'}), 2, 'the slow one is not');

# ----- resets ---------------------------------------------------------------

# Of everything, at any moment.
my $job = in_background('app2', "SELECT 1 AS during;\n" x 3000);
while ($job->pumpable)
{
	$job->pump_nb;
	ask('SELECT vitals.reset()');
	ask('SELECT vitals.close_window()') if rand() < 0.5;
}
$job->finish;
$node->safe_psql('app2', "SELECT 1 AS after;\n" x 5);
compare('resets meanwhile');

# Of a part: it is forgotten in the windows, too; what was not in one yet is in none of its own.
ask('SELECT vitals.reset()');
$node->safe_psql('app1', "SELECT 1 AS one;\n" x 5);
$node->safe_psql('app2', "SELECT 1, 2 AS two;\n" x 6);
ask('SELECT vitals.close_window()');
$node->safe_psql('app1', "SELECT 1 AS one;\n" x 4);
ask(q{SELECT vitals.reset(dbid => oid) FROM pg_database WHERE datname = 'app1'});
$node->safe_psql('app1', "SELECT 1 AS one;\n" x 3);
ask('SELECT vitals.close_window()');
is(ask(q{SELECT query, calls FROM vitals.windows WHERE resolution = '10s' AND calls > 0 ORDER BY window_start, query COLLATE "C"}),
	join("\n", 'SELECT $1, $2 AS two|6', '<other>|4', 'SELECT $1 AS one|3'), 'a reset of one database');
is(ask(q{SELECT vitals.reset(queryid => (SELECT queryid FROM vitals.statements WHERE query = 'SELECT $1, $2 AS two'))}), 1, 'of one statement');
is(ask(q{SELECT query, calls FROM vitals.windows WHERE resolution = '1min' AND calls > 0 ORDER BY window_start, query COLLATE "C"}),
	join("\n", '<other>|4', 'SELECT $1 AS one|3'), 'it is gone');

# ----- rights ---------------------------------------------------------------

ask('CREATE ROLE plain LOGIN; CREATE ROLE stats LOGIN IN ROLE pg_read_all_stats');
{
	local $ENV{PGUSER} = 'plain';
	$node->safe_psql('app2', 'SELECT 1 AS mine');
}
ask('SELECT vitals.close_window()');
my $rights = q{SELECT string_agg(DISTINCT query, ', '), count(*) FILTER (WHERE queryid IS NULL OR fingerprint IS NULL) FROM vitals.windows
	WHERE query <> '<other>' AND resolution = '10s'};
{
	local $ENV{PGUSER} = 'plain';
	is($node->safe_psql('postgres', $rights), '<insufficient privilege>, SELECT $1 AS mine|1', 'a role sees its own');
	isnt($node->psql('postgres', 'SELECT vitals.close_window()'), 0, 'and may not end windows');
	local $ENV{PGUSER} = 'stats';
	is($node->safe_psql('postgres', $rights), 'SELECT $1 AS mine, SELECT $1 AS one|0', 'who reads all statistics sees all');
}

# ----- beginning anew -------------------------------------------------------

# The worker is killed, and with it the server begins anew.
my $began_at = ask('SELECT pg_postmaster_start_time()');
my $worker = worker();
{
	my $session = session($node);
	kill 'KILL', $worker;
	$session->{run}->finish;
	until_true('SELECT true');
	ask('SELECT vitals.close_window()');
	is(ask('SELECT count(*) FROM vitals.windows'), 0, 'after a crash there are no windows');
	$node->safe_psql('app2', "SELECT 1 AS afterwards;\n" x 9);
	ask('SELECT vitals.close_window()');
	is(ask(q{SELECT calls FROM vitals.windows WHERE resolution = '10s' AND query = 'SELECT $1 AS afterwards'}), 9, 'a new worker goes on');
	is(ask(q{SELECT sum(calls) FROM vitals.windows WHERE resolution = '10s'}), 9, 'with what came since');
	is(ask('SELECT pg_postmaster_start_time()'), $began_at, 'the postmaster is the same');
}

# A restart: windows are of the server's run, and what statements had is no activity.
$node->restart;
ask('SELECT vitals.close_window()');
is(ask(q{SELECT count(*) FROM vitals.windows}), 0, 'a restart begins with no windows, and what was kept is not in one');

# ----- a standby ------------------------------------------------------------

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$standby->safe_psql('app1', "SELECT 1 AS there;\n" x 4);
ask('SELECT vitals.close_window()', $standby);
is(ask(q{SELECT calls FROM vitals.windows WHERE resolution = '10s' AND query = 'SELECT $1 AS there'}, $standby), 4, 'a standby has windows of its own');
$standby->stop;

# Windows end by themselves, too.
$node->safe_psql('app1', 'SELECT 1 AS itself');
until_true(q{SELECT count(*) = 1 FROM vitals.windows WHERE query = 'SELECT $1 AS itself' AND resolution = '10s'});
is(ask(q{SELECT extract(epoch FROM window_end - window_start) BETWEEN 9 AND 60 FROM vitals.windows
		WHERE query = 'SELECT $1 AS itself' AND resolution = '10s'}), 't', 'after ten seconds');

# The worker may be ended by hand, or by who takes it for a session.
$worker = worker();
kill 'TERM', $worker;
my $another;
for (my $end = time + $PostgreSQL::Test::Utils::timeout_default; time < $end; Time::HiRes::sleep(0.1))
{
	$another = worker();
	last if $another && $another != $worker;
}
ok($another && $another != $worker, 'a worker that was ended comes back');
$node->safe_psql('app1', 'SELECT 1 AS again');
ask('SELECT vitals.close_window()');
is(ask(q{SELECT calls FROM vitals.windows WHERE query = 'SELECT $1 AS again' AND resolution = '10s'}), 1, 'and does its work');

ask('ALTER SYSTEM SET pg_vitals.window_memory = 0');
$node->restart;
is($node->psql('postgres', 'SELECT vitals.close_window()'), 3, 'without memory there are no windows');
is(ask('SELECT count(*) FROM vitals.windows'), 0, 'and none is shown');
$node->stop;
done_testing();
