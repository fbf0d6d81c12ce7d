# When this fails, a server that was copied, restored, upgraded or demoted loses
# its statistics, or a new standby shows those of another as its own.

use strict;
use warnings;

use Cwd;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $mine = q{SELECT coalesce(sum(calls), 0) FROM vitals.statements
	WHERE query = 'SELECT $1 AS on_primary' AND datname = 'shop' AND username = 'clerk'};
my $conf = [ 'pg_vitals.persist_interval = 0', 'wal_log_hints = on', 'wal_keep_size = 1GB' ];
my $primary = vitals_node('primary', init => { allows_streaming => 1 }, conf => $conf);

sub stat_file { my ($node) = @_; return $node->data_dir . '/pg_stat/pg_vitals.stat'; }

# A node that is a copy of the primary's backup.
sub copy_of
{
	my ($name, $backup, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($primary, $backup, %params);
	return $node;
}

$primary->safe_psql('postgres', 'CREATE DATABASE shop; CREATE ROLE clerk LOGIN; GRANT pg_read_all_stats TO clerk');
$primary->safe_psql('shop', "SELECT 1 AS on_primary; SELECT 2 AS on_primary", extra_params => [ '-U', 'clerk' ]);
$primary->restart;
is($primary->safe_psql('postgres', $mine), 2, 'the primary has statistics');

# ----- copies of the whole directory -------------------------------------------

$primary->stop;
$primary->backup_fs_cold('cold');
$primary->start;
my $copy = copy_of('copy', 'cold');
$copy->start;
is($copy->safe_psql('postgres', $mine), 2, 'a copy of a stopped server keeps them');

# It becomes a standby, after a switchover say: they are still its own.
$copy->set_standby_mode;
$copy->restart;
is($copy->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'it is a standby now');
is($copy->safe_psql('postgres', $mine), 2, 'a server that becomes a standby keeps its own');
$copy->stop;

# ----- base backups --------------------------------------------------------------

$primary->backup('base');
my $restored = copy_of('restored', 'base');
$restored->start;
is($restored->safe_psql('postgres', $mine), 2, 'a restored server goes on with those of its backup');
$restored->stop;

my $standby = copy_of('standby', 'base', has_streaming => 1);
ok(-e stat_file($standby), "a new standby has the primary's file");
$standby->start;
is($standby->safe_psql('postgres', $mine), 0, "and does not take the primary's work for its own");
is(() = slurp_file($standby->logfile) =~ /statistics file/g, 1, 'which one line tells');
$standby->stop('immediate');
$standby->start;
is($standby->safe_psql('postgres', $mine), 0, 'nor at its second start');
is($standby->safe_psql('postgres', q{SELECT calls FROM vitals.statements
	WHERE query LIKE 'SELECT coalesce(sum(calls)%'}), 1, 'it counts what it does itself');
my $own = $standby->safe_psql('postgres', 'SELECT count(*) FROM vitals.statements');
$standby->restart;
cmp_ok($standby->safe_psql('postgres', 'SELECT count(*) FROM vitals.statements'), '>=', $own,
	'and keeps it from its first day on');

# ----- pg_rewind --------------------------------------------------------------------

$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
$standby->safe_psql('postgres', 'CHECKPOINT; SELECT 1 AS on_new_primary');
$standby->restart;
$primary->safe_psql('postgres', 'CREATE TABLE diverged ()');
$primary->stop;
command_ok([ 'pg_rewind', '--no-sync', '--source-server=' . $standby->connstr('postgres'),
		'--target-pgdata=' . $primary->data_dir ], 'pg_rewind works');
$primary->append_conf('postgresql.conf', 'port = ' . $primary->port . "\n"
	  . "primary_conninfo = '" . $standby->connstr . "'\n");
$primary->set_standby_mode;
my $from = -s $primary->logfile;
$primary->start;
is($primary->safe_psql('postgres', q{SELECT count(*) FROM vitals.statements WHERE query LIKE '%on_new_primary'}),
	0, "a rewound server does not take the new primary's work for its own");
like(log_tail($primary, $from), qr/LOG:  removed statistics file "pg_stat\/pg_vitals\.stat" of the server this standby was made from/,
	'and says so');
$primary->stop;
$standby->stop;

# ----- pg_upgrade ---------------------------------------------------------------------

my $old = $restored;
my $new = PostgreSQL::Test::Cluster->new('new');
my $bindir = $old->config_data('--bindir');

$new->init;
$new->append_conf('postgresql.conf', join "\n", q{shared_preload_libraries = 'pg_vitals'}, @$conf);
my $file = slurp_binary(stat_file($old));
{
	# it writes where it is
	my $here = getcwd;

	chdir PostgreSQL::Test::Utils::tempdir or die;
	command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir,
			'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade works with the library loaded');
	chdir $here or die;
}
ok(slurp_binary(stat_file($old)) eq $file, "and leaves the old server's statistics as they were");
ok(!-e stat_file($new), 'and has not counted its own statements');
spew_binary(stat_file($new), $file);
$new->start;
is($new->safe_psql('postgres', $mine), 2, 'put into the new data directory, the file is read: databases and roles have kept their OIDs');
is($new->safe_psql('postgres', q{SELECT count(*) FROM vitals.statements WHERE query LIKE '%binary_upgrade%'}), 0,
	'nothing of the upgrade is in it');
$new->stop;

done_testing();
