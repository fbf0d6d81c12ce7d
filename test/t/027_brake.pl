# When this fails, pg_vitals goes on to take more of a session than it may, or what it
# leaves out then is more than looking for patterns: counts are lost, a session that
# asks to be told is not watched, or a short burst is missed.

use strict;
use warnings;

use lib 'test/t';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => ['pg_vitals.persist_interval = 0']);
my @cases = qw(braked unlimited told);

sub ask { return $node->safe_psql('postgres', shift); }

ask("CREATE DATABASE $_; ALTER DATABASE $_ SET pg_vitals.max_overhead = 0.001") foreach @cases;
ask('ALTER DATABASE unlimited SET pg_vitals.max_overhead = 0');
ask('ALTER DATABASE told SET pg_vitals.n_plus_one_action = log');
foreach my $case (@cases) {
	$node->safe_psql($case, q{
		CREATE EXTENSION pg_vitals;
		CREATE TABLE parent (id int PRIMARY KEY);
		CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent);
		INSERT INTO parent SELECT generate_series(1, 9);
		INSERT INTO child SELECT g, g FROM generate_series(1, 9) AS g});
}
my $script = $PostgreSQL::Test::Utils::tmp_check . '/lookup.sql';
PostgreSQL::Test::Utils::append_to_file($script, "\\set id random(1, 9)\nSELECT * FROM child WHERE id = :id\n");

# A session without a pause, long enough for the brake's patience; returns, by
# database, how many statements it sent.
sub load
{
	my ($databases) = @_;
	my %out = map { $_ => '' } @$databases;
	my @runs = map {
		IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-T', '13', '-M', 'prepared', '-f', $script, $_ ],
			'>', \$out{$_}, '2>', \my $errors)
	} @$databases;
	$_->finish or die 'pgbench failed' foreach @runs;
	return map { $_ => ($out{$_} =~ /transactions actually processed: (\d+)/)[0] } @$databases;
}

local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;

ask('SELECT vitals.reset()');
my %sent = load([qw(unlimited told)]);
is(ask('SELECT statements_unwatched, last_braked IS NULL FROM vitals.info'), '0|t',
	'without a limit, or where the session is to be told, everything is watched');
# a machine that stands still meanwhile tries its patience anew: again, then
my $unwatched = 0;
for (1 .. 8)
{
	my %more = load(['braked']);
	$sent{braked} += $more{braked};
	$unwatched = ask('SELECT statements_unwatched FROM vitals.info');
	last if $unwatched > 0;
}
cmp_ok($unwatched, '>', 0, 'above the limit not everything is watched');
cmp_ok($unwatched, '<', $sent{braked}, '... nor is nothing');
is($unwatched % 128, 0, '... in whole turns');
is(ask('SELECT last_braked BETWEEN stats_reset AND now() FROM vitals.info'), 't', '... and it says when');
foreach my $case (@cases) {
	is(ask(qq{SELECT sum(calls) FROM vitals.statements WHERE datname = '$case' AND query LIKE '%child WHERE id%'}),
		$sent{$case}, "$case: every call is counted");
}

# ----- a new session is watched from the beginning, whatever it takes -------

$node->safe_psql('braked', join(';', 'SELECT id FROM parent ORDER BY id',
	map { "SELECT * FROM child WHERE parent_id = $_" } 1 .. 9));
is(ask(q{SELECT repeats FROM vitals.n_plus_one WHERE datname = 'braked' AND kind = 'n_plus_one'}), '9',
	'a burst is found where the limit is far too low');

foreach my $limit ('101', '-1', "'much'") {
	like(fails(session($node), "SET pg_vitals.max_overhead = $limit"), qr/pg_vitals\.max_overhead/,
		"a limit of $limit is refused");
}

done_testing();
