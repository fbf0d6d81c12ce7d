# When this fails, a hot standby does not count its own work, or loses what it
# counted when it is restarted or promoted.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $primary = vitals_node('primary', init => { allows_streaming => 1 },
	conf => [ 'pg_vitals.persist_interval = 1s' ]);
$primary->safe_psql('postgres', q{
	CREATE TABLE author (id int PRIMARY KEY); CREATE TABLE book (id int, author int REFERENCES author);
	INSERT INTO author SELECT g FROM generate_series(1, 20) AS g;
	INSERT INTO book SELECT g, g FROM generate_series(1, 20) AS g;
	SELECT 1 AS on_primary});
$primary->poll_query_until('postgres', q{SELECT last_persisted IS NOT NULL FROM vitals.info}) or die;
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

my $calls = sub {
	my ($node, $query) = @_;
	return $node->safe_psql('postgres',
		qq{SELECT coalesce(sum(calls), 0) FROM vitals.statements WHERE query = \$q\$$query\$q\$});
};

is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'the standby is one');
is($calls->($standby, 'SELECT pg_is_in_recovery()'), 1, 'it counts its own work from the start');
is($calls->($standby, 'SELECT $1 AS on_primary'), 0, "and does not take over the primary's");
is($calls->($primary, 'SELECT $1 AS on_primary'), 1, 'which is on the primary');
$standby->safe_psql('postgres', "SELECT id FROM author;\n" . numbered(12, 'SELECT id FROM book WHERE author = %d;'));
is($standby->safe_psql('postgres', q{SELECT kind, bursts, repeats FROM vitals.n_plus_one}),
	'n_plus_one|1|12', 'the detector works there');
is($standby->psql('postgres', 'CREATE TABLE x (id int)'), 3, 'a write fails there');
is($standby->safe_psql('postgres', q{SELECT calls, failures FROM vitals.statements WHERE query = 'CREATE TABLE x (id int)'}),
	'1|1', 'and is counted as failed');

$standby->restart;
is($calls->($standby, 'SELECT id FROM book WHERE author = $1'), 12, 'a restart keeps its statistics');
my $since = $standby->safe_psql('postgres', 'SELECT now()');
$standby->poll_query_until('postgres', qq{SELECT last_persisted > '$since' FROM vitals.info})
  or die 'a standby does not write its statistics';
$standby->stop('immediate');
$standby->start;
is($calls->($standby, 'SELECT id FROM book WHERE author = $1'), 12, 'so does a crash');

my $open = session($standby);
$open->query_safe('SELECT id FROM book WHERE author = 1');
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
is($calls->($standby, 'SELECT id FROM book WHERE author = $1'), 13, 'promotion keeps them');
$open->query_safe('SELECT id FROM book WHERE author = 2');
$standby->safe_psql('postgres', 'CREATE TABLE x (id int)');
is($calls->($standby, 'SELECT id FROM book WHERE author = $1'), 14, 'open sessions go on counting');
is($calls->($standby, 'CREATE TABLE x (id int)'), 2, 'writes count now');
cmp_ok($standby->safe_psql('postgres', 'SELECT vitals.reset()'), '>', 3, 'a reset works');
$open->quit;
$standby->restart;
is($calls->($standby, 'CREATE TABLE x (id int)'), 0, 'and stays after a restart');
is($calls->($primary, 'SELECT id FROM book WHERE author = $1'), 0, 'none of it is on the primary');

$standby->stop;
$primary->stop;
done_testing();
