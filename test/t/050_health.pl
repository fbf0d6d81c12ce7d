# When this fails, vitals.health does not show what other sessions, standbys and
# tables are known to be like, or vitals.memory what a session is known to take.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('primary', init => { allows_streaming => 1 }, conf => [
	'max_connections = 30', 'superuser_reserved_connections = 5', 'max_prepared_transactions = 2',
	'deadlock_timeout = 10ms' ]);

sub ask { return $node->safe_psql('postgres', shift); }

sub value
{
	my ($indicator, $of, $what) = @_;
	$what //= 'value';
	return ($of // $node)->safe_psql('postgres', "SELECT $what FROM vitals.health WHERE indicator = '$indicator'");
}

sub until_true
{
	my ($sql, $of) = @_;
	($of // $node)->poll_query_until('postgres', $sql) or die "this did not come true: $sql";
	return;
}

ask('CREATE TABLE item (id int PRIMARY KEY, n int); INSERT INTO item SELECT g, 0 FROM generate_series(1, 10) AS g');

# ----- sessions -------------------------------------------------------------

until_true(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'});
is(value('connections_used'), 100 * 1 / 25, 'of 30 connections 5 are reserved; one is in use');
is(value('idle_in_transaction'), 0, 'nobody is idle in a transaction');
is(value('longest_idle_in_transaction'), 0, 'nor has been for long');
is(value('lock_waits'), 0, 'nobody waits');
is(value('longest_lock_wait'), 0, 'nor has for long');
cmp_ok(value('oldest_snapshot'), '<', 60000, 'the oldest snapshot is that of the query itself');

my $holder = session($node);
my $waiter = session($node);
$holder->query_safe('BEGIN; UPDATE item SET n = 1 WHERE id = 1');
my $began = ask('SELECT clock_timestamp()');
$waiter->query_until(qr/waiting/, "\\echo waiting\nUPDATE item SET n = 2 WHERE id = 1;\n\\echo done\n");
until_true(q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '50 ms'});
is(value('connections_used'), 100 * 3 / 25, 'three connections');
is(value('idle_in_transaction'), 1, 'one is idle in a transaction');
is(value('lock_waits'), 1, 'and one waits for it');
my ($idle, $wait, $elapsed) = split /\|/, ask(qq{SELECT i.value, w.value, 1000 * extract(epoch FROM clock_timestamp() - '$began')
	FROM vitals.health AS i, vitals.health AS w
	WHERE i.indicator = 'longest_idle_in_transaction' AND w.indicator = 'longest_lock_wait'});
cmp_ok($wait, '>=', 50, 'it has waited for 50 ms at least');
cmp_ok($wait, '<=', $elapsed, 'and no longer than there was something to wait for');
cmp_ok($idle, '>=', $wait, 'the other has been idle for longer');
is(ask(q{SET pg_vitals.health_limits = 'lock_waits = 0 : 1, longest_lock_wait = 1ms : 50ms';
		SELECT string_agg(state, ' ' ORDER BY indicator) FROM vitals.health WHERE indicator IN ('lock_waits', 'longest_lock_wait')}),
	'warning critical', 'states follow the limits');
$holder->query_safe('COMMIT');
$waiter->query_until(qr/done/, '');
is(value('lock_waits'), 0, 'the wait is over');

# What holds a snapshot for long; a VACUUM does not.
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
until_true(q{SELECT clock_timestamp() - xact_start > interval '100 ms' FROM pg_stat_activity WHERE state = 'idle in transaction'});
ask('INSERT INTO item VALUES (11, 0)');
ask('INSERT INTO item VALUES (12, 0)');
cmp_ok(value('oldest_snapshot'), '>=', 100, 'a snapshot of 100 ms');
is(value('oldest_xmin'), 2, 'two transactions have begun since');
$holder->query_safe('COMMIT');
is(value('oldest_xmin'), 0, 'and without it none');
ask(q{BEGIN; INSERT INTO item VALUES (13, 0); PREPARE TRANSACTION 'p'});
ask('INSERT INTO item VALUES (14, 0)');
until_true(q{SELECT clock_timestamp() - prepared > interval '100 ms' FROM pg_prepared_xacts});
cmp_ok(value('oldest_snapshot'), '>=', 100, 'a prepared transaction counts');
is(value('oldest_xmin'), 2, 'with itself and what came after');
ask(q{ROLLBACK PREPARED 'p'});
# nor can what died be vacuumed while a transaction that has written goes on, with a snapshot or without
$holder->query_safe('BEGIN; INSERT INTO item VALUES (15, 0)');
ask('INSERT INTO item VALUES (16, 0)');
until_true(q{SELECT clock_timestamp() - xact_start > interval '100 ms' FROM pg_stat_activity WHERE state = 'idle in transaction'});
cmp_ok(value('oldest_snapshot'), '>=', 100, 'one that has written counts');
is(value('oldest_xmin'), 2, 'with itself and what came after');
$holder->query_safe('ROLLBACK');

# Deadlocks, of all transactions.
is(value('deadlock_rate'), 0, 'no deadlock yet');
$holder->query_safe('BEGIN; UPDATE item SET n = 1 WHERE id = 1');
$waiter->query_safe('BEGIN; UPDATE item SET n = 1 WHERE id = 2');
$waiter->query_until(qr/waiting/, "\\echo waiting\nUPDATE item SET n = 2 WHERE id = 1;\n\\echo done\n");
until_true(q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted});
$holder->query('UPDATE item SET n = 2 WHERE id = 2');
$waiter->query_until(qr/done/, '');
$_->query('ROLLBACK') foreach $holder, $waiter;
$_->{stderr} = '' foreach $holder, $waiter;
$_->query('SELECT pg_stat_force_next_flush()') foreach $holder, $waiter;
until_true(q{SELECT sum(deadlocks) = 1 FROM pg_stat_database});
my ($rate, $transactions) = split /\|/, ask(q{SELECT h.value, d.n FROM vitals.health AS h,
	(SELECT sum(xact_commit + xact_rollback) AS n FROM pg_stat_database) AS d WHERE h.indicator = 'deadlock_rate'});
cmp_ok(abs($rate * $transactions / 100 - 1), '<', 1e-6, 'one deadlock, of all transactions');

# ----- memory ---------------------------------------------------------------

SKIP:
{
	skip 'there is no /proc here', 11 unless -e '/proc/self/status';
	my $pid = $holder->query_safe('SELECT pg_backend_pid()');

	until_true("SELECT growth_since IS NOT NULL FROM vitals.memory WHERE pid = $pid");
	my $before = ask("SELECT growth_bytes FROM vitals.memory WHERE pid = $pid");
	$holder->query_safe('SET work_mem = \'256MB\'; BEGIN; DECLARE c CURSOR FOR SELECT g, repeat(g::text, 10) FROM generate_series(1, 400000) AS g ORDER BY 2; FETCH 1 FROM c');
	my $after = ask("SELECT growth_bytes FROM vitals.memory WHERE pid = $pid");
	cmp_ok($after - $before, '>', 30e6, 'a session that keeps a sort has grown');
	my ($status) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
	is(ask("SELECT private_bytes FROM vitals.memory WHERE pid = $pid"), $status * 1024, 'as the kernel says');
	# its contexts, though it is idle; nothing of it is in the log
	is(ask("SELECT sum(used_bytes) > 30e6, max(used_bytes) FILTER (WHERE name ~* 'tuple') > 20e6, count(*) = count(DISTINCT name) FROM vitals.memory_contexts($pid)"),
		't|t|t', 'where it keeps the sort');
	is(ask(q{SELECT abs(c.contexts - b.contexts) < 20, c.bytes BETWEEN b.bytes * 0.8 AND b.bytes * 1.2
			FROM (SELECT sum(contexts) AS contexts, sum(total_bytes) AS bytes FROM vitals.memory_contexts(pg_backend_pid())) AS c,
				 (SELECT count(*) AS contexts, sum(total_bytes) AS bytes FROM pg_backend_memory_contexts) AS b}), 't|t', 'of oneself: as the server has it');
	is(ask(q{SELECT bool_and(contexts > 0 AND total_bytes >= used_bytes AND used_bytes >= 0) FROM pg_stat_activity, vitals.memory_contexts(pid)
			WHERE backend_type IN ('checkpointer', 'client backend')}), 't', 'of others, and of processes of the server');
	unlike(slurp_file($node->logfile), qr/level: \d|memory contexts of PID|Grand total/, 'nothing of it is in the log');
	ask("SELECT pg_log_backend_memory_contexts($pid)");
	$node->wait_for_log(qr/logging memory contexts of PID $pid.*Grand total/s);
	my ($ret, $out, $err) = $node->psql('postgres', '\set VERBOSITY sqlstate' . "\nSELECT count(*) FROM vitals.memory_contexts(1)");
	like($err, qr/42704/, 'there must be such a process');
	$holder->query_safe('COMMIT');
	cmp_ok(ask("SELECT growth_bytes FROM vitals.memory WHERE pid = $pid") - $before, '<', 15e6, 'and without it has not');
	is(ask("SELECT state, datname, username FROM vitals.memory WHERE pid = $pid"), 'idle|postgres|postgres', 'whose it is');

	ask('CREATE ROLE plain LOGIN');
	local $ENV{PGUSER} = 'plain';
	is(ask(q{SELECT count(*), bool_and(pid = pg_backend_pid()) FROM vitals.memory}), '1|t', 'a role sees its own session only');
	isnt($node->psql('postgres', 'SELECT count(*) FROM vitals.memory_contexts(pg_backend_pid())'), 0, 'and may not ask for contexts');
}
$_->quit foreach $holder, $waiter;

# ----- standbys -------------------------------------------------------------

is(value('replication_lag_bytes', $node, 'value IS NULL, reason'), 't|no standby is connected', 'without a standby there is no lag');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = off');
$standby->start;
ask('INSERT INTO item VALUES (15, 0)');
$node->wait_for_catchup($standby);
until_true(q{SELECT value = 0 FROM vitals.health WHERE indicator = 'replication_lag_bytes'});
until_true(q{SELECT value = 0 FROM vitals.health WHERE indicator = 'replication_lag_bytes'}, $standby);
is(value('replication_lag', $standby), 0, 'a standby that has replayed all lags by nothing');
is(value('autovacuum_due', $standby, 'value IS NULL, state, reason'), 't|unknown|a standby does not count changes: ask its primary',
	'what a standby does not know');

$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
until_true(q{SELECT pg_get_wal_replay_pause_state() = 'paused'}, $standby);
ask('INSERT INTO item SELECT g FROM generate_series(100, 20000) AS g');
my $lsn = ask('SELECT pg_current_wal_flush_lsn()');
until_true(qq{SELECT latest_end_lsn >= '$lsn' FROM pg_stat_wal_receiver}, $standby);
my ($lag, $exact) = split /\|/, $standby->safe_psql('postgres', q{
	SELECT h.value, pg_wal_lsn_diff(r.latest_end_lsn, pg_last_wal_replay_lsn()) FROM vitals.health AS h, pg_stat_wal_receiver AS r
	WHERE h.indicator = 'replication_lag_bytes'});
cmp_ok($lag, '>', 1e6, 'a standby that does not replay is behind');
is($lag, $exact, 'by what it has received');
cmp_ok(value('replication_lag', $standby), '>', 0, 'and in time');
until_true(qq{SELECT value > 1000000 FROM vitals.health WHERE indicator = 'replication_lag_bytes'});
until_true(qq{SELECT value > 0 FROM vitals.health WHERE indicator = 'replication_lag'});
pass('the primary sees it, in bytes and in time');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$node->wait_for_catchup($standby);
until_true(q{SELECT value = 0 FROM vitals.health WHERE indicator = 'replication_lag_bytes'}, $standby);
pass('and then no more');

$node->stop;
until_true('SELECT count(*) = 0 FROM pg_stat_wal_receiver', $standby);
is(value('replication_lag', $standby, 'state, reason'), 'unknown|there is no WAL receiver: WAL comes from the archive or not at all',
	'without its sender a standby cannot tell');
$standby->stop;
done_testing();
