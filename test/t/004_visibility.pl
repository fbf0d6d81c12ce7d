# When this fails, finished work is not seen by the next query of another
# session, or dropping and creating the extension loses statistics.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', no_extension => 1);
my $reader;

# What the reader's very next query says of a statement: calls, rows, failures.
sub seen
{
	my ($query) = @_;

	return $reader->query_safe(qq{
		SELECT sum(calls), sum(rows), sum(failures) FROM vitals.statements
		WHERE query = \$q\$$query\$q\$ AND toplevel});
}

# ----- from the start, in every database ----------------------------------

# This ran before there was any extension, and in a database that never has one.
$node->safe_psql('postgres', 'CREATE DATABASE app; CREATE DATABASE bare');
$node->safe_psql('app', 'CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 100) AS g');
$node->safe_psql('bare', 'SELECT 1 AS early');
$node->safe_psql('app', 'SELECT 1 AS early');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_vitals');
my $early = q{SELECT datname, calls FROM vitals.statements
	WHERE query = 'SELECT $1 AS early' ORDER BY datname};
is($node->safe_psql('postgres', $early), "app|1\nbare|1", 'what ran before CREATE EXTENSION is there');
$node->safe_psql('app', 'CREATE EXTENSION pg_vitals');
is($node->safe_psql('app', $early), "app|1\nbare|1", 'in an existing second database too');

my $all = q{SELECT userid, dbid, toplevel, fingerprint, calls, total_exec_time, first_seen
	FROM vitals.statements WHERE datname = 'bare' ORDER BY 1, 2, 3, 4};
my $before = $node->safe_psql('app', $all);
$node->safe_psql('app', 'DROP EXTENSION pg_vitals; CREATE EXTENSION pg_vitals');
is($node->safe_psql('app', $all), $before, 'DROP and CREATE EXTENSION lose nothing');
$node->safe_psql('app', 'DROP EXTENSION pg_vitals');
$node->safe_psql('bare', 'SELECT 1 AS early');
$node->safe_psql('app', 'CREATE EXTENSION pg_vitals');
is($node->safe_psql('app', $early), "app|1\nbare|2", 'nor does what runs in between get lost');

# ----- simple protocol ----------------------------------------------------

$reader = session($node);
my $worker = session($node, 'app');

$worker->query_safe('SELECT id FROM t WHERE id < 6');
is(seen('SELECT id FROM t WHERE id < $1'), '1|5|0', 'the session is idle');
$worker->query_safe('SELECT id FROM t WHERE id < 7');
is(seen('SELECT id FROM t WHERE id < $1'), '2|11|0', 'and once more');
$worker->query_safe('BEGIN');
$worker->query_safe('SELECT id FROM t WHERE id < 8');
is(seen('SELECT id FROM t WHERE id < $1'), '3|18|0', 'idle in transaction');
fails($worker, 'SELECT 1 / (id - 1) FROM t');
is(seen('SELECT $1 / (id - $2) FROM t'), '1|0|1', 'idle in a failed transaction');
$worker->query_safe('ROLLBACK');
is(seen('ROLLBACK'), '1|0|0', 'a utility statement');
$worker->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT id FROM t; FETCH 10 FROM c');
is(seen('FETCH $1 FROM c'), '1|10|0', 'a fetch from an open cursor');
$worker->query_safe('FETCH 20 FROM c');
is(seen('FETCH $1 FROM c'), '2|30|0', 'and the next one');
$worker->query_safe('COMMIT');
$worker->query_safe('SELECT id FROM t WHERE id < 9');
$worker->quit;
$node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'app'}) or die;
is(seen('SELECT id FROM t WHERE id < $1'), '4|26|0', 'the session has ended');

# A running statement is none of the finished ones.
$worker = session($node, 'app');
my $pid = $worker->query_safe('SELECT pg_backend_pid()');
$worker->query_until(qr/started/, "\\echo started\nSELECT pg_sleep(600), 1 AS running;\n");
$node->poll_query_until('postgres',
	qq{SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid}) or die;
my $running = q{SELECT calls, failures, cancels, timeouts FROM vitals.statements
	WHERE query = 'SELECT pg_sleep($1), $2 AS running' AND calls > 0};
is($reader->query_safe($running), '', 'a running statement does not count yet');
$reader->query_safe("SELECT pg_cancel_backend($pid)");
$node->poll_query_until('postgres', qq{SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid}) or die;
is($reader->query_safe($running), '1|1|1|0', 'and counts as a cancelled one');
$worker->quit;

# ----- extended protocol --------------------------------------------------

my $user = $node->safe_psql('postgres', 'SELECT current_user');
my $wire = Vitals::Wire->connect($node, 'app', $user);
my $select = 'SELECT id FROM t WHERE id <= $1::int';

# Results are complete, the portals stay open: no Sync, no next message.
$wire->parse($select, 's')->bind('s', 'p', 3)->execute(0, 'p')->flush;
$wire->until('C');
is(seen($select), '1|3|0', 'a portal that is complete and open');
$wire->bind('s', 'q', 5)->execute(0, 'q')->flush;
$wire->until('C');
is(seen($select), '2|8|0', 'two of them, in a pipeline that goes on');
$wire->sync;
$wire->until('Z');
is(seen($select), '2|8|0', 'the end of the pipeline counts nothing twice');

# Execute with a limit: one execution, whose rows come in portions.
$wire->bind('s', 'r', 10)->execute(4, 'r')->flush;
$wire->until('s');
$wire->execute(4, 'r')->flush;
$wire->until('s');
$wire->execute(4, 'r')->flush;
$wire->until('C');
is(seen($select), '3|18|0', 'a portal read in portions, complete');
$wire->sync;
$wire->until('Z');
is(seen($select), '3|18|0', 'and closed');

$wire->query('BEGIN');
$wire->until('Z');
$wire->bind('s', 'abandoned', 10)->execute(4, 'abandoned')->flush;
$wire->until('s');
$wire->send('C', "Pabandoned\0")->sync;
$wire->until('Z');
is(seen($select), '4|22|0', 'a portal that is closed before its end counts with the rows it gave');
$wire->bind('s', 'left', 10)->execute(4, 'left')->sync;
$wire->until('Z');
$wire->query('ROLLBACK');
$wire->until('Z');
is(seen($select), '5|26|0', 'so does one that a rollback takes away');

# Two portals at once, read in turn.
my $up = 'SELECT id FROM t WHERE id < $1::int ORDER BY id';
my $down = 'SELECT id FROM t WHERE id < $1::int ORDER BY id DESC';
$wire->query('BEGIN');
$wire->until('Z');
$wire->parse($up, 'up')->parse($down, 'down')
  ->bind('up', 'u', 9)->bind('down', 'd', 6)
  ->execute(3, 'u')->execute(3, 'd')->execute(0, 'u')->execute(0, 'd')->sync;
$wire->until('Z');
is(seen($up), '1|8|0', 'portals read in turn: the first');
is(seen($down), '1|5|0', 'portals read in turn: the second');

# Writes are complete when their triggers have run, within Execute.
my $insert = 'INSERT INTO t SELECT $1::int RETURNING id';
$wire->parse($insert, 'i')->bind('i', '', 1000)->execute()->flush;
$wire->until('C');
is(seen($insert), '1|1|0', 'a write with an open portal');
$wire->sync;
$wire->until('Z');
$wire->query('COMMIT');
$wire->until('Z');

# A failure in the middle of a pipeline: what came before it is done, what
# comes after is skipped.
my $fails = 'SELECT 1 / $1::int FROM t WHERE id = 1';
$wire->parse($fails, 'f');
$wire->bind('s', 'a', 2)->execute(0, 'a')->bind('f', 'b', 0)->execute(0, 'b')
  ->bind('s', 'c', 2)->execute(0, 'c')->flush;
$wire->until('E');
is(seen($select), '6|28|0', 'a pipeline that failed: before the failure');
is(seen('SELECT $2 / $1::int FROM t WHERE id = $3'), '1|0|1', 'a pipeline that failed: the failure');
$wire->sync;
$wire->until('Z');
is(seen($select), '6|28|0', 'a pipeline that failed: nothing after it');

# Bind starts the executor, so what is bound and never executed is a call that
# gave no rows, as for pg_stat_statements.
my $idle = 'SELECT id AS never_executed FROM t WHERE id = $1::int';
$wire->parse($idle, 'n')->bind('n', 'n', 1)->sync;
$wire->until('Z');
is(seen('SELECT id AS never_executed FROM t WHERE id = $1::int'), '1|0|0', 'bound, not executed');
$wire->close;

# A portal that is open when the connection goes.
$wire = Vitals::Wire->connect($node, 'app', $user);
my $cut = 'SELECT id AS cut FROM t WHERE id <= $1::int';
$wire->parse($cut, 's')->bind('s', 'p', 10)->execute(4, 'p')->flush;
$wire->until('s');
$wire->{socket}->close;
$node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'wire'}) or die;
is(seen($cut), '1|4|0', 'a portal whose connection broke');

$reader->quit;
$node->stop;
done_testing();
