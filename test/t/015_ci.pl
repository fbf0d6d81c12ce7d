# When this fails, a test suite is told of N+1 that were not its own, or not told
# of those that were: after a mark, of other sessions, databases and roles, when
# more happened than is kept, and over a restart.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

# the smallest tables: 200 findings, and as many recent bursts
my $node = vitals_node('main', conf => [
	'pg_vitals.max_statements = 100',
	'pg_vitals.persist_interval = 0',
	"pg_vitals.n_plus_one_max_gap = '60s'" ]);

my $books = q{
	CREATE TABLE author (id int PRIMARY KEY, name text);
	CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
	INSERT INTO author SELECT g, 'author ' || g FROM generate_series(1, 40) AS g;
	INSERT INTO book SELECT g, g, 'book ' || g FROM generate_series(1, 40) AS g;
	GRANT SELECT ON author, book TO PUBLIC;
};
my $list = "SELECT id FROM author ORDER BY id;\n";

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION pg_vitals');
$node->safe_psql($_, $books) for 'postgres', 'other';

# The books of the authors FROM to TO, one statement each.
sub loop
{
	my ($from, $to, $columns) = @_;

	return join '', map { sprintf("SELECT %s FROM book WHERE author_id = %d;\n", $columns // 'title', $_) } $from .. $to;
}

sub mark { return $node->safe_psql($_[0] // 'postgres', 'SELECT vitals.mark()'); }

# repeats of what there was since the mark
sub since
{
	my ($mark, $dbname) = @_;

	return $node->safe_psql($dbname // 'postgres',
		"SELECT string_agg(repeats || ' in ' || bursts, ', ' ORDER BY first_seen) FROM vitals.n_plus_one_since($mark)");
}

# ----- sessions -----------------------------------------------------------

my $before = mark();
my $app = session($node);
$app->query($list . loop(1, 4));
is(since($before), '', 'four lookups are no finding');
$app->query(loop(5, 7));
is(since($before), '7 in 1', 'a loop of another session is seen while it goes on');
my $midst = mark();
$app->query(loop(8, 10));
is(since($before), '10 in 1', 'and grows');
is(since($midst), '', 'what little came of it after a mark is nothing by itself');
$app->query(loop(11, 20));
is(since($before), '20 in 1', 'a mark does not cut it for those who look from before');
is(since($midst), '13 in 1', 'after the mark is what came after the mark');

my $after = mark();
is(since($after), '', 'nothing came after the loop');
my @apps = map { session($node) } 1 .. 4;
$_->query($list . loop(1, 10)) for @apps;
is(since($after), '40 in 4', 'bursts of several sessions add up');
is($node->safe_psql('postgres', "SELECT max_repeats, avg_repeats FROM vitals.n_plus_one_since($after)"),
	'10|10', 'and are counted one by one');

# ----- databases and roles ---------------------------------------------------

my $mark = mark();
$node->safe_psql('other', $list . loop(1, 9));
is(since($mark), '', 'what another database does is not seen here');
is(since($mark, 'other'), '9 in 1', 'but there, with a mark from here');

$node->safe_psql('postgres', 'CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; CREATE ROLE reader LOGIN IN ROLE pg_read_all_stats');
$mark = mark();
$node->safe_psql('postgres', $list . loop(1, 6), extra_params => [ '-U', 'one' ]);
for ([ one => 1 ], [ two => 0 ], [ reader => 1 ])
{
	my ($role, $rows) = @$_;

	is($node->safe_psql('postgres', "SELECT count(*) FROM vitals.n_plus_one_since($mark)", extra_params => [ '-U', $role ]),
		$rows, "$role sees $rows");
	my ($status) = $node->psql('postgres', "SELECT vitals.assert_no_n_plus_one($mark)", extra_params => [ '-U', $role ]);
	is($status != 0, $rows == 1, "and the assertion of $role agrees");
}

# ----- a step of a shell script ------------------------------------------------

my @psql = ('psql', '-X', '-d', $node->connstr('postgres'), '-c');
command_ok([ @psql, 'SELECT vitals.assert_no_n_plus_one(' . mark() . ')' ], 'a clean run exits with 0');
command_checks_all([ @psql, "SELECT vitals.assert_no_n_plus_one($mark)" ], 1, [],
	[ qr/ERROR:  1 N\+1 finding: n_plus_one: "SELECT title FROM book WHERE author_id = \$1" repeated 6 times for rows of "SELECT id FROM author ORDER BY id"/,
	  qr/DETAIL: .*; link book\.author_id → author\.id; proven; application "015_ci\.pl"; key n_plus_one:-?\d+:-?\d+/,
	  qr/HINT:  run it once for all rows: SELECT author_id, title FROM book WHERE author_id = ANY\(\$1\)/ ],
	'one with an N+1 exits with 1 and names it');
command_ok([ @psql, "SELECT vitals.assert_no_n_plus_one($mark, '{%FROM book%}')" ], 'unless it is allowed');

# ----- more than an error can name ----------------------------------------------

# Bursts, each in a session of its own as far as the detector can tell.
sub bursts
{
	my ($count, $columns) = @_;

	return join '', ("DISCARD ALL;\n" . $list . loop(1, 5, $columns)) x $count;
}

# Statement N of many.
sub column
{
	my ($n) = @_;

	return join(', ', map { ($n >> $_) & 1 ? 'upper(title)' : 'lower(title)' } 0 .. 7);
}

$mark = mark();
$node->safe_psql('postgres', join('', map { bursts(1, column($_) . ', title' x 200) } 1 .. 30));
my (undef, $out, $err) = $node->psql('postgres', "SELECT vitals.assert_no_n_plus_one($mark)");
like($err, qr/ERROR:  30 N\+1 findings: .*; and 25 more$/m, 'an error names the first few');
like($err, qr/^and 10 more, see vitals\.n_plus_one_since$/m, 'its detail some more');
cmp_ok(length $err, '<', 30_000, 'and is of bounded length');
is($node->safe_psql('postgres', "SELECT count(*) FROM vitals.n_plus_one_since($mark)"), 30, 'all are in the function');

# ----- the ring has wrapped ------------------------------------------------------

$node->safe_psql('postgres', 'SELECT vitals.reset()');
my $old = mark();
$node->safe_psql('postgres', bursts(1));
$mark = mark();
$node->safe_psql('postgres', bursts(150) . bursts(1, 'id'));
is(since($mark), '750 in 150, 5 in 1', 'what fits the ring is exact');
my $exact = mark();
$node->safe_psql('postgres', bursts(60));
is(since($exact), '300 in 60', 'a mark that the ring still reaches is exact');
is(since($mark), '1055 in 211, 5 in 1', 'from before, the findings are those seen after it, with all their figures');
is($node->safe_psql('postgres', qq{
	SELECT string_agg((f.first_seen = v.first_seen)::text, ',')
	FROM vitals.n_plus_one_since($mark) AS f JOIN vitals.n_plus_one AS v USING (kind, fingerprint) WHERE v.datname = current_database()}),
	'true,true', 'since the time that first_seen tells');
is(since($old), '1055 in 211, 5 in 1', 'as are those of an older mark');
$node->safe_psql('postgres', bursts(201));
is(since($exact), '2060 in 412', 'a finding that was not seen since is not shown');

# The table of findings is full, too: who was pushed out of it is still in the ring,
# and its statements, as long as somebody keeps them.
$mark = mark();
$node->safe_psql('postgres', join('', map { bursts(1, column($_)) } 1 .. 190));
is($node->safe_psql('postgres', "SELECT count(*), sum(repeats) FROM vitals.n_plus_one_since($mark)"), '190|950',
	'each of many findings is seen');
$node->safe_psql('postgres', join('', map { bursts(1, column($_) . ', id') } 1 .. 190));
cmp_ok($node->safe_psql('postgres', 'SELECT findings_evicted FROM vitals.info'), '>', 0, 'more than the table holds');
my $full = mark();
$node->safe_psql('postgres', join('', map { bursts(1, column($_) . ', title') } 1 .. 190));
is($node->safe_psql('postgres', "SELECT count(*), sum(repeats) FROM vitals.n_plus_one_since($full)"), '190|950',
	'each is seen though the table of findings is full');

# ----- a burst whose record is overwritten -----------------------------------------

$app->query($list . loop(1, 10, 'title, id'));
$node->safe_psql('postgres', bursts(210));
$midst = mark();
$app->query(loop(11, 20, 'title, id'));
is(since($midst), '10 in 1', 'a burst that goes on after its record is gone gets another');

# ----- many at once ------------------------------------------------------------------

$node->safe_psql('postgres', 'SELECT vitals.reset()');
$mark = mark();
my $script = $node->basedir . '/bursts.sql';
append_to_file($script, bursts(1));
$node->command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-t', 20, '-f', $script, 'postgres' ], 'eight sessions with 20 bursts each');
is(since($mark), '800 in 160', 'lose none and double none');

# ----- a restart -----------------------------------------------------------------------

$mark = mark();
$node->safe_psql('postgres', bursts(1, 'title, id, id'));
$app->quit;
$_->quit for @apps;
$node->restart;
is(since($mark), '5 in 1', 'what came after the mark is known after a restart');
my $fresh = mark();
cmp_ok($fresh, '>', $mark, 'marks go on upwards');
is(since($fresh), '', 'a mark after the restart begins anew');
$node->safe_psql('postgres', bursts(1, 'id'));
is(since($mark), '5 in 1, 5 in 1', 'a mark from before shows both');
is(since($fresh), '5 in 1', 'the new one what came after');
$node->stop('immediate');
$node->start;
is(since($mark), '5 in 1', 'after a crash it shows what had been kept');
$node->safe_psql('postgres', bursts(1, 'id, title'));
is(since($mark), '5 in 1, 5 in 1', 'and what came since');
(my $status, $out, $err) = $node->psql('postgres', "SELECT vitals.assert_no_n_plus_one($mark)");
isnt($status, 0, 'the assertion says so');

# ----- without the library -----------------------------------------------------------------

$node->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
$node->restart;
for ('vitals.mark()', 'vitals.n_plus_one_since(1)', 'vitals.assert_no_n_plus_one()')
{
	($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT $_", on_error_stop => 1);
	like($err, qr/ERROR:  55000: .*\nHINT:  Add pg_vitals to shared_preload_libraries/, "$_ asks for the library");
}

done_testing();
