# When this fails, vitals.transactions takes time for idle that was not or the other way
# round, loses transactions, shows them to the wrong people, or vitals.transactions_now
# does not tell what is going on.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use Vitals;

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [ 'max_prepared_transactions = 2' ]);

sub ask { return $node->safe_psql('postgres', shift); }

sub named
{
	my ($name, @more) = @_;
	my $session = session($node, 'postgres', @more);
	$session->query_safe("SET application_name = '$name'");
	return $session;
}

# What there is of an application.
sub of
{
	my ($name, $columns) = @_;
	return ask("SELECT $columns FROM vitals.transactions WHERE application_name = '$name' ORDER BY shape_length, calls");
}

ask(q{CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL); INSERT INTO item SELECT g, g FROM generate_series(1, 1000) AS g;
	CREATE TABLE slow (id int); CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
	CREATE ROLE plain LOGIN; GRANT ALL ON item TO plain; CREATE ROLE stats LOGIN IN ROLE pg_read_all_stats});

# ----- where the time goes: parts that are known
my $one = named('parts');
$one->query_safe('BEGIN');
usleep(400_000);
$one->query_safe('SELECT pg_sleep(0.2)');
usleep(100_000);
$one->query_safe('INSERT INTO slow VALUES (1)');
$one->query_safe('COMMIT');
is(of('parts', 'calls, statements, committed'), '1|2|1', 'one transaction');
my ($executing, $idle, $commit, $total) = split /\|/, of('parts', 'executing_time, idle_time, commit_time, total_time');
cmp_ok($idle, '>=', 500, 'idle between statements');
cmp_ok($idle, '<', $total - 490, 'and only there');
cmp_ok($executing, '>=', 200, 'executing');
cmp_ok($executing, '<', $total - 790, 'and only what it executed');
cmp_ok($commit, '>=', 300, 'in the commit: the deferred trigger');
cmp_ok($commit, '<', $total - 690, 'and only there');
cmp_ok(abs($total - $executing - $idle - $commit), '<', 0.001, 'that is all');

# what a savepoint rescues: the failed statements took time, the client did in between
ask('SELECT vitals.reset()');
$one->query_safe('BEGIN');
$one->query_safe('SAVEPOINT s');
fails($one, 'SELECT pg_sleep(0.3), 1 / (SELECT 0 FROM pg_sleep(0.01))');
$one->query_safe('ROLLBACK TO s');
usleep(300_000);
fails($one, 'SELECT nothing');
$one->query_safe('ROLLBACK TO s');
$one->query_safe('COMMIT');
($executing, $idle, $total) = split /\|/, of('parts', 'executing_time, idle_time, total_time');
cmp_ok($idle, '>=', 300, 'idle before a statement that does not parse');
cmp_ok($idle, '<', $total - 9, 'a failed statement was not idle');

# an error ends it at once
ask('SELECT vitals.reset()');
$one->query_safe('BEGIN');
fails($one, 'SELECT 1 / 0');
usleep(300_000);
$one->query_safe('ROLLBACK');
is(of('parts', 'calls, rolled_back, failures, total_time < 300'), '1|1|1|t', 'what comes after an error is not part of it');

# ----- pipelines
ask('SELECT vitals.reset()');
my $wire = Vitals::Wire->connect($node, 'postgres', ask('SELECT current_user'));
sub pipeline
{
	my ($sync, @statements) = @_;
	foreach my $sql (@statements)
	{
		$wire->parse($sql)->bind('', '')->execute;
	}
	if ($sync eq 'late')
	{
		$wire->flush;
		$wire->until('C') foreach @statements;
		usleep(200_000);
	}
	$wire->sync;
	$wire->until('Z');
	return;
}
pipeline('', 'SELECT 1');
pipeline('', 'SELECT 1', 'SELECT 1');
pipeline('', ('SELECT n FROM item WHERE id = 1') x 3, 'SELECT count(*) FROM item');
pipeline('', 'BEGIN', 'SELECT 1', 'COMMIT', 'SELECT 1');
is(of('wire', 'calls, committed, statements, rows_read, shape_length, total_time < 5000'), "2|2|3|3|1|t\n1|1|4|4|2|t",
	'statements before one Sync; one by itself is none');
ask('SELECT vitals.reset()');
pipeline('late', 'SELECT 1', 'SELECT 1');
is(of('wire', 'calls, idle_time >= 200, commit_time < 200'), '1|t|t', 'waiting for the Sync is idle');
# rows that are fetched in pieces are of one statement
ask('SELECT vitals.reset()');
$wire->query('BEGIN')->until('Z');
$wire->parse('SELECT id FROM item ORDER BY id LIMIT 10 FOR UPDATE')->bind('', 'p')->execute(4, 'p')->execute(4, 'p')->execute(4, 'p');
$wire->sync;
$wire->until('Z');
$wire->query('COMMIT')->until('Z');
is(of('wire', 'statements, rows_read, rows_locked, shape_length'), '1|10|10|1', 'a portal in pieces');
$wire->close;

# ----- how it may end
ask('SELECT vitals.reset()');
$one->query_safe(q{BEGIN; UPDATE item SET n = 1 WHERE id = 1; PREPARE TRANSACTION 'p'});
$one->query_safe(q{COMMIT PREPARED 'p'});
is(of('parts', 'calls, committed, rolled_back, prepared'), '1|0|0|1', 'PREPARE TRANSACTION');

foreach my $how ('idle', 'busy', 'gone')
{
	my $session = named($how, on_error_die => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_safe('BEGIN; UPDATE item SET n = 1 WHERE id = 2');
	usleep(100_000);
	if ($how eq 'busy')
	{
		$session->query_until(qr/started/, "\\echo started\nSELECT pg_sleep(600);\n");
		$node->poll_query_until('postgres', qq{SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid}) or die;
	}
	if ($how eq 'gone') { $session->quit; }
	else { ask("SELECT pg_terminate_backend($pid, 60000)"); }
	$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM vitals.transactions WHERE application_name = '$how'}) or die "$how: not counted";
	is(of($how, 'calls, rolled_back, failures, statements, rows_written, idle_time >= 100'),
		'1|1|1|' . ($how eq 'busy' ? 2 : 1) . '|1|t', "ended while $how: rolled back, idle until then");
}

# ----- what goes on now
my $two = named('two');
my %pid = (one => $one->query_safe('SELECT pg_backend_pid()'), two => $two->query_safe('SELECT pg_backend_pid()'));
is(ask(qq{SELECT count(*) FROM vitals.transactions_now WHERE pid IN ($pid{one}, $pid{two})}), 0, 'in no transaction');
# who has gone leaves no trace, whatever places in memory the next ones get
my @gone = map { named("gone$_") } 1 .. 3;
$_->quit foreach @gone;
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'gone_'}) or die;
is(ask(q{SELECT count(*) FROM vitals.transactions_now WHERE pid <> pg_backend_pid()}), 0, 'sessions that have ended are in no transaction');
$one->query_safe('BEGIN');
$one->query_safe('SELECT id FROM item WHERE id <= 3 ORDER BY id FOR UPDATE');
$one->query_safe('UPDATE item SET n = 5 WHERE id = 1');
usleep(300_000);
$two->query_until(qr/started/, "\\echo started\nBEGIN; UPDATE item SET n = 6 WHERE id = 1;\n");
$node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM vitals.blocking') or die 'it does not wait';
my $now = 'SELECT application_name, phase, statements, rows_read, rows_written, rows_locked, blocks, query FROM vitals.transactions_now WHERE pid =';
is(ask("$now $pid{one}"), 'parts|idle in transaction|2|3|1|4|1|UPDATE item SET n = $1 WHERE id = $2', 'idle, and blocks another');
is(ask("$now $pid{two}"), 'two|executing|1|0|0|0|0|UPDATE item SET n = $1 WHERE id = $2', 'that executes and waits');
is(ask(qq{SELECT idle_time >= 300, total_time >= 300, abs(total_time - idle_time - executing_time) < 0.001, transaction_start < statement_start
	FROM vitals.transactions_now WHERE pid = $pid{one}}), 't|t|t|t', 'its time');
is(ask(qq{SELECT idle_time < 300 FROM vitals.transactions_now WHERE pid = $pid{two}}), 't', 'the other one was not idle');
is(ask(q{SELECT pid FROM vitals.transactions_now LIMIT 1}), $pid{one}, 'the longest first');
{
	local $ENV{PGUSER} = 'plain';
	is($node->safe_psql('postgres', qq{SELECT query, total_time IS NULL, application_name IS NULL, fingerprint IS NULL, transaction_start IS NULL,
			statements IS NULL, phase IS NULL, xmin_age IS NULL, blocks FROM vitals.transactions_now WHERE pid = $pid{one}}),
		'<insufficient privilege>|t|t|t|t|t|t|t|1', 'other roles see that it blocks, not what with');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM vitals.transactions'), 0, 'other roles see nothing');
	$node->safe_psql('postgres', 'BEGIN; SELECT 1; COMMIT');
	is($node->safe_psql('postgres', 'SELECT calls, username FROM vitals.transactions'), '1|plain', 'but their own');
	local $ENV{PGUSER} = 'stats';
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM vitals.transactions'), '>', 3, 'who may see everything');
	is($node->safe_psql('postgres', "$now $pid{one}"), 'parts|idle in transaction|2|3|1|4|1|UPDATE item SET n = $1 WHERE id = $2', 'sees what goes on, too');
}
$one->query_safe('COMMIT');
$two->query('SELECT 1');
$two->{stderr} = '';
$two->query_safe('COMMIT');
# a snapshot that holds vacuum up
$one->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
ask('UPDATE item SET n = n WHERE id = 9') foreach 1 .. 5;
cmp_ok(ask(qq{SELECT xmin_age FROM vitals.transactions_now WHERE pid = $pid{one}}), '>=', 5, 'xmin_age');
$one->query_safe('COMMIT');
# so does one that has written, also between its statements, when it has no snapshot
$one->query_safe('BEGIN; UPDATE item SET n = n WHERE id = 8');
ask('UPDATE item SET n = n WHERE id = 9') foreach 1 .. 5;
cmp_ok(ask(qq{SELECT xmin_age FROM vitals.transactions_now WHERE pid = $pid{one}}), '>=', 6, 'xmin_age without a snapshot');
$one->query_safe('COMMIT');

# ----- many shapes: nothing is lost, the sums are exact, what is used stays
$node->append_conf('postgresql.conf', 'pg_vitals.max_statements = 100');
$_->quit foreach ($one, $two);
$node->restart;
ask('SELECT vitals.reset()');
ask('CREATE TABLE t' . $_ . ' ()') foreach 1 .. 12;
ask('SELECT vitals.reset()');
my $script = '';
my $statements = 0;
foreach my $i (1 .. 1500)
{
	my @steps = map { 1 + int($i / 12**$_) % 12 } 0 .. 2;
	$script .= 'BEGIN; ' . join('', map { "SELECT FROM t$_; " } @steps) . ($i % 5 == 0 ? "ROLLBACK;\n" : "COMMIT;\n");
	$script .= "BEGIN; SELECT 1; SELECT n FROM item WHERE id = 1; COMMIT;\n" if $i % 3 == 0;
	$statements += 3 + ($i % 3 == 0 ? 2 : 0);
}
ask("SET application_name = 'many';\n$script");
is(ask(q{SELECT sum(calls), sum(committed), sum(rolled_back), sum(statements), count(*) <= 200 + 16
	FROM vitals.transactions WHERE datname = 'postgres' AND application_name IN ('many', '<other>')}), "2000|1700|300|$statements|t", 'sums are exact');
is(ask(q{SELECT calls FROM vitals.transactions WHERE application_name = 'many' AND queries[2] = 'SELECT n FROM item WHERE id = $1'}), 500, 'what is used stays');
is(ask(q{SELECT count(*), bool_and(shape IS NULL AND fingerprints IS NULL AND calls > 0 AND p95_time <= max_time) FROM vitals.transactions WHERE application_name = '<other>'}),
	'1|t', 'the rest is one row');
cmp_ok(ask('SELECT transactions_evicted FROM vitals.info'), '>', 0, 'and told');
is(ask('SELECT transactions <= transactions_max + 16, transactions_max FROM vitals.info'), 't|200', 'it has its limit');

# ----- kept over a restart; on a standby
my $sums = q{SELECT sum(calls), sum(statements) FROM vitals.transactions WHERE application_name IN ('many', '<other>')};
$node->restart;
is(ask($sums), "2000|$statements", 'after a restart');
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', q{SET application_name = 'reader'; BEGIN; SELECT n FROM item WHERE id = 1; SELECT n FROM item WHERE id = 2; COMMIT; BEGIN; SELECT 1; ROLLBACK});
is($standby->safe_psql('postgres', q{SELECT calls, committed, rolled_back, statements, rows_read, wal_bytes FROM vitals.transactions WHERE application_name = 'reader' ORDER BY statements}),
	"1|0|1|1|1|0\n1|1|0|2|2|0", 'a standby has its own');
is($standby->safe_psql('postgres', q{SELECT statements, xmin_age >= 0, blocks FROM vitals.transactions_now WHERE pid = pg_backend_pid()}), '1|t|0', 'and tells what goes on');
$standby->stop;
$node->stop;
done_testing();
