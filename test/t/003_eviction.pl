# When this fails, a full table of statements loses executions, pushes out what
# is used most, or grows beyond what was reserved for it.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'pg_vitals.max_statements = 1000',
	'pg_vitals.persist_interval = 0' ]);

sub ask { return $node->safe_psql('postgres', shift); }

# Nobody but the work itself may be counted in these databases.
ask("CREATE DATABASE $_") foreach map { "app$_" } 1 .. 5;

my $sums = q{
	SELECT sum(calls), sum(rows), sum(plans), sum(failures)
	FROM vitals.statements WHERE datname = '%s'};
my $evicted = q{
	SELECT count(*) FROM vitals.statements
	WHERE datname = '%s' AND query = '<evicted>' AND queryid IS NULL
	  AND userid IS NULL AND fingerprint IS NULL};
my $memory = ask('SELECT memory_bytes FROM vitals.info');

# The rows of the table as a whole: of each database its statements, and one
# residual row at the most.
sub check_size
{
	my ($what) = @_;

	cmp_ok(ask(q{SELECT count(*) FROM vitals.statements WHERE query IS DISTINCT FROM '<evicted>'}),
		'<=', 1000, "$what: no more than 1000 statements");
	is(ask(q{SELECT coalesce(max(n), 1) FROM (SELECT count(*) AS n FROM vitals.statements
			WHERE query = '<evicted>' GROUP BY dbid) AS s}), 1,
		"$what: one row <evicted> per database");
	is(ask('SELECT memory_bytes FROM vitals.info'), $memory, "$what: the memory is what it was");
	return;
}

# ----- one session --------------------------------------------------------

# The favourite is used now and then: its next use is never further away than a
# quarter of the table.  The slow one is used once, and costs as much as all of
# the others of a while together.
my $favourite = 'SELECT 1 AS favourite;';
$node->safe_psql('app1', $favourite x 20 . 'SELECT 1, pg_sleep(0.5) AS slow;' . join('', map {
		my $from = $_ * 250;
		"$favourite\n" . join('', map { "WITH q_$_ AS (SELECT $_) SELECT FROM q_$_;\n" }
			  $from + 1 .. $from + 250)
	} 0 .. 15));
is(ask(q{SELECT calls FROM vitals.statements WHERE query = 'SELECT $1, pg_sleep($2) AS slow'}),
	1, 'an expensive statement outlives 4,000 cheap ones');
$node->safe_psql('app1', join('', map {
		my $from = $_ * 250;
		"$favourite\n" . join('', map { "WITH q_$_ AS (SELECT $_) SELECT FROM q_$_;\n" }
			  $from + 1 .. $from + 250)
	} 16 .. 199));

is(ask(sprintf $sums, 'app1'), '50221|50221|50221|0',
	'50,000 distinct statements: every execution, row and planning is found again');
is(ask(sprintf $evicted, 'app1'), 1, 'those pushed out are in the row <evicted>');
check_size('one session');
is(ask(q{SELECT calls FROM vitals.statements WHERE query = 'SELECT $1 AS favourite' AND datname = 'app1'}),
	220, 'a statement in frequent use is never pushed out');
cmp_ok(ask('SELECT evictions FROM vitals.info'), '>=', 49000, 'evictions are counted');
cmp_ok(ask('SELECT refused FROM vitals.info'), '>=', 40000, 'most of them never had a row');
is(ask('SELECT refused <= evictions AND memory_used_bytes < memory_bytes FROM vitals.info'), 't',
	'they are among the evictions; a full table is within its memory');
is(ask(q{SELECT i.executions = s.calls, round(i.coverage * i.executions) = s.calls - s.evicted, i.coverage < 0.1
		FROM vitals.info AS i, (SELECT sum(calls) AS calls, sum(calls) FILTER (WHERE query = '<evicted>') AS evicted
			FROM vitals.statements) AS s}), 't|t|t', 'coverage tells the share that is not in <evicted>');
is(ask(q{SELECT sum(h.calls) = s.calls
		FROM vitals.statements AS s, vitals.histogram(s.queryid) AS h
		WHERE s.query = 'SELECT $1 AS favourite' GROUP BY s.calls}), 't',
	'its histogram is complete');
is(ask(q{SELECT min_exec_time <= p50_exec_time AND p50_exec_time <= p99_exec_time
			AND p99_exec_time <= max_exec_time
			AND abs(mean_exec_time * calls - total_exec_time) < 0.001 * total_exec_time
		FROM vitals.statements WHERE query = '<evicted>' AND datname = 'app1'}), 't',
	'the row <evicted> has a distribution of its own');

# ----- eight at once ------------------------------------------------------

# A favourite is one that has been used already: whoever comes first may be
# pushed out again after one call, like any other that was called once.
$node->safe_psql('app2', 'SELECT 2 AS favourite;' x 20);
my %scripts = ('003_distinct' => q{
\set n random(1, 30000)
WITH q_some_long_name_:n AS (SELECT 1) SELECT FROM q_some_long_name_:n;
SELECT 2 AS favourite;
});
$node->pgbench('-n -t 1500 -c 8 -j 2 app2', 0, [qr/12000\/12000/], [qr/^/],
	'eight clients', \%scripts);
is(ask(sprintf $sums, 'app2'), '24020|24020|24020|0', 'eight clients: nothing is lost');
check_size('eight clients');
is(ask(q{SELECT calls FROM vitals.statements WHERE query = 'SELECT $1 AS favourite' AND datname = 'app2'}),
	12020, 'eight clients: the favourite stays');

# ----- several databases at once ------------------------------------------

my @benches = map {
	IPC::Run::start([ 'pgbench', '-n', '-t', 1500, '-c', 2, '-h', $node->host,
		'-p', $node->port, '-f', $node->basedir . '/003_distinct', $_ ],
		'>', \my $out, '2>', \my $err)
} 'app3', 'app4', 'app5';
# someone reads meanwhile, which moves what is pending
my $reads = 0;
while (grep { $_->pumpable } @benches)
{
	ask('SELECT count(*) FROM vitals.statements');
	$reads++;
	$_->pump_nb foreach grep { $_->pumpable } @benches;
}
ok($_->finish, 'pgbench') foreach @benches;
cmp_ok($reads, '>', 0, 'the view was read meanwhile');
is(ask(sprintf $sums, $_), '6000|6000|6000|0', "several databases: nothing of $_ is lost")
  foreach 'app3', 'app4', 'app5';
is(ask(sprintf $evicted, $_), 1, "several databases: $_ has its row <evicted>")
  foreach 'app1', 'app2', 'app3', 'app4', 'app5';
check_size('several databases');

# ----- texts --------------------------------------------------------------

# Texts are counted references: with the last statement its text must go.
cmp_ok(ask('SELECT texts_bytes FROM vitals.info'), '<', 1000 * 200,
	'texts of what was pushed out are gone');
ask('SELECT vitals.reset()');
cmp_ok(ask('SELECT texts_bytes FROM vitals.info'), '<', 3000,
	'after a reset only the texts of the statements since are there');
is(ask('SELECT texts_dropped FROM vitals.info'), 0, 'none was dropped for want of memory');

# A small memory for large texts: they are dropped, the counts stay.
ask(q{ALTER SYSTEM SET pg_vitals.text_memory = '1MB'});
$node->restart;
ask('SELECT vitals.reset()');
$node->safe_psql('app1', join('', map {
		"WITH q_$_ AS (SELECT 1) SELECT " . join(',', map { "1 AS c$_" } 1 .. 1000)
		  . " FROM q_$_;\n" } 1 .. 400));
is(ask(sprintf $sums, 'app1'), '400|400|400|0', 'without room for texts everything is counted');
cmp_ok(ask('SELECT texts_dropped FROM vitals.info'), '>', 0, 'texts dropped are counted');
cmp_ok(ask('SELECT texts_bytes FROM vitals.info'), '<=', 1024 * 1024, 'texts keep within their memory');
cmp_ok(ask(q{SELECT count(*) FROM vitals.statements
		WHERE datname = 'app1' AND query IS NULL AND fingerprint IS NOT NULL}), '>', 0,
	'a statement whose text was dropped shows none');
ask('SELECT vitals.reset()');
$node->safe_psql('app1', 'SELECT 3 AS afterwards');
is(ask(q{SELECT calls FROM vitals.statements WHERE query = 'SELECT $1 AS afterwards'}), 1,
	'and after a reset there is room again');

# ----- private memory -----------------------------------------------------

my $session = session($node, 'app1');
my $used = q{SELECT sum(used_bytes) FROM pg_backend_memory_contexts
	WHERE name = 'TopMemoryContext'};
$session->query_safe("WITH w_$_ AS (SELECT 1) SELECT FROM w_$_;") foreach 1 .. 20;
my $before = $session->query_safe($used);
$session->query_safe(join "\n", map { "WITH v_$_ AS (SELECT 1) SELECT FROM v_$_;" } 1 .. 5000);
my $after = $session->query_safe($used);
cmp_ok($after - $before, '<', 16 * 1024, 'a session that runs 5,000 distinct statements does not grow');
$session->quit;

$node->stop;
done_testing();
