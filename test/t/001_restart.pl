# When this fails, statistics are lost or changed by a restart or a crash, or a
# damaged statistics file keeps the server from starting.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'restart_after_crash = on',
	'pg_vitals.persist_interval = 0',
	'pg_vitals.max_statements = 1000',
	'pg_vitals.max_plans = 100' ]);
my $file = $node->data_dir . '/pg_stat/pg_vitals.stat';

# Everything there is to know of what ran in the databases that hold still.
my $all = q{
	SELECT to_jsonb(s) - 'datname'
	FROM vitals.statements AS s
	WHERE datname LIKE 'app_'
	ORDER BY datname, fingerprint NULLS FIRST, toplevel};
my $findings = q{
	SELECT to_jsonb(f) FROM vitals.n_plus_one AS f ORDER BY fingerprint, kind};
my $sums = q{
	SELECT datname, sum(calls), sum(plans), sum(rows), sum(failures),
		   sum(shared_blks_hit), sum(wal_records), sum(wal_bytes),
		   round(sum(total_exec_time)::numeric, 3)
	FROM vitals.statements
	WHERE datname LIKE 'app_'
	GROUP BY datname ORDER BY datname};

sub ask { return $node->safe_psql('postgres', shift); }

# ----- a clean restart ----------------------------------------------------

foreach my $app (1 .. 3)
{
	$node->safe_psql('postgres', "CREATE DATABASE app$app");
	$node->safe_psql("app$app", q{CREATE TABLE author (id int PRIMARY KEY, name text);
		INSERT INTO author SELECT g, 'n' || g FROM generate_series(1, 20) AS g});
	$node->safe_psql("app$app", numbered(200, 'WITH q_%d AS (SELECT 1) SELECT FROM q_%d;'));
	$node->psql("app$app", 'SELECT 1 / 0');
}
$node->safe_psql('app1', 'SELECT id FROM author ORDER BY id;' . "\n"
	  . numbered(20, 'SELECT name FROM author WHERE id = %d;'));

my $before = ask($all);
my $before_findings = ask($findings);
my $before_sums = ask($sums);
my $before_reset = ask('SELECT stats_reset FROM vitals.info');

like($before, qr/SELECT name FROM author WHERE id = \$1/, 'there is something to keep');
isnt($before_findings, '', 'there is a finding to keep');
$node->restart;
is(ask($all), $before, 'a clean restart keeps every column of every statement');
is(ask($findings), $before_findings, 'and every column of every finding');
is(ask('SELECT stats_reset FROM vitals.info'), $before_reset, 'and the time of the last reset');

$node->safe_psql('app1', 'SELECT name FROM author WHERE id = 1');
is(ask(q{SELECT calls FROM vitals.statements
	WHERE query = 'SELECT name FROM author WHERE id = $1' AND datname = 'app1'}),
	21, 'counting goes on where it stopped');

# ----- a crash ------------------------------------------------------------

$before = ask($all);
ask(q{ALTER SYSTEM SET pg_vitals.persist_interval = '1s'});
$node->reload;
# the write that is waited for must have begun after the last of the work
$node->poll_query_until('postgres', q{SELECT last_persisted IS NOT NULL FROM vitals.info})
  or die 'the statistics are not written';
my $written = ask('SELECT last_persisted FROM vitals.info');
$node->poll_query_until('postgres',
	qq{SELECT last_persisted > '$written' FROM vitals.info}) or die;
$node->stop('immediate');
$node->start;
is(ask($all), $before, 'a crash of the server keeps what was written');

ask(q{ALTER SYSTEM SET pg_vitals.persist_interval = 0});
$node->restart;
# Its processes were killed wherever they were, with locks and half done: what is
# in shared memory then must be left alone.
$written = slurp_binary($file);
$node->safe_psql('app2', 'SELECT 1 AS before_immediate_stop');
$node->stop('immediate');
ok(slurp_binary($file) eq $written, 'an immediate stop writes nothing');
$node->start;
$before = ask($all);
my $offset = -s $node->logfile;
$node->safe_psql('app2', 'SELECT 1 AS after_the_last_write');
my $victim = session($node, 'app2');
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $pid;
$node->wait_for_log(qr/all server processes terminated; reinitializing/, $offset);
$node->poll_query_until('postgres', 'SELECT true') or die;
$victim->{run}->finish;
unlike(ask($all), qr/after_the_last_write/, 'what came after the last write is lost in a crash');
is(ask($all), $before, 'a crash of a backend keeps what was written');
$node->safe_psql('app2', 'SELECT 1 AS after_the_crash');
is(ask(q{SELECT calls FROM vitals.statements WHERE query LIKE '% AS after_the_crash' AND datname = 'app2'}),
	1, 'and counting goes on');

# ----- another size -------------------------------------------------------

$before_sums = ask($sums);
foreach my $max (100, 5000)
{
	ask("ALTER SYSTEM SET pg_vitals.max_statements = $max");
	$node->restart;
	is(ask($sums), $before_sums, "all sums are kept with max_statements = $max");
	cmp_ok(ask('SELECT count(*) FROM vitals.statements'), '<=', $max + 4, "$max rows at the most");
}
ask(q{ALTER SYSTEM SET pg_vitals.text_memory = '1MB'});
$node->restart;
is(ask($sums), $before_sums, 'all sums are kept with another text_memory');

# ----- damaged files ------------------------------------------------------

# Start with this in the file's place: the server is up, says one line of it,
# and counts.
sub starts_with
{
	my ($what, $bytes, $message) = @_;

	$node->stop;
	spew_binary($file, $bytes);
	my $from = -s $node->logfile;
	$node->start;
	my @lines = grep { /statistics file/ } split /\n/, log_tail($node, $from);
	is(scalar @lines, 1, "$what: one line in the log") or diag explain \@lines;
	like($lines[0] // '', $message, "$what: which says it");
	is($node->safe_psql('app3', 'SELECT 1 AS after_damage'), 1, "$what: the server works");
	is(ask(q{SELECT calls FROM vitals.statements WHERE query LIKE '% AS after_damage'}), 1,
		"$what: and counts from the start");
	return;
}

$node->stop;
my $whole = slurp_binary($file);
$node->start;
my $invalid = qr/LOG:  ignoring invalid statistics file "pg_stat\/pg_vitals\.stat"/;
my $damaged = qr/LOG:  statistics file "pg_stat\/pg_vitals\.stat" is damaged/;
my $cut = qr/LOG:  statistics file "pg_stat\/pg_vitals\.stat" is cut short/;
my @records = records($whole);
# the tag of the records that are no texts and take the most bytes
my (%tags, %bytes);
foreach my $record (grep { $_->{tag} != 3 } @records)
{
	$tags{ $record->{tag} }++;
	$bytes{ $record->{tag} } += length $record->{data};
}
my ($statements) = sort { $bytes{$b} <=> $bytes{$a} } keys %tags;

my $whole_sums = $sums =~ s/WHERE/WHERE query NOT LIKE '%after_damage' AND/r;

$before_sums = ask($whole_sums);
starts_with('an empty file', '', $invalid);
starts_with('one byte', substr($whole, 0, 1), $invalid);
starts_with('a foreign file', "PGDMP\n" x 1000, $invalid);
starts_with('a file of another format',
	with_record(with_record($whole, $records[0], pack('Q Q', 99, 0)), $records[-1], pack('Q Q', 99, 0)), $invalid);
starts_with('half a file', substr($whole, 0, length($whole) / 2), $cut);
starts_with('a file but its last byte', substr($whole, 0, -1), qr/$cut \(entries kept: \d+, records lost: 0\)/);
is(ask($whole_sums), $before_sums, 'of which nothing is lost');
starts_with('a file with something behind it', $whole . 'x' x 100, qr/$damaged \(entries kept: \d+, records lost: 0\)/);
is(ask($whole_sums), $before_sums, 'of which nothing is lost');

# One statement's record is damaged: it is missing, and it alone.
my ($fingerprint, $dbid) = split /\|/, ask(q{
	SELECT fingerprint, dbid FROM vitals._statements()
	WHERE query LIKE 'SELECT name FROM author%' AND dbid = (SELECT oid FROM pg_database WHERE datname = 'app1')});
my ($one) = grep { $_->{tag} == $statements && $_->{data} =~ /^\Q${\ pack('L L q', $dbid, 10, $fingerprint)}\E/ } @records;
my $others = $all =~ s/WHERE/WHERE NOT (datname = 'app1' AND fingerprint = $fingerprint) AND query NOT LIKE '%after_damage' AND/r;

ok($one, 'the record of a statement is in the file');
$before = ask($others);
starts_with('a flipped bit in a statement', do {
		my $bytes = $whole;
		substr($bytes, $one->{at} + 100, 1) ^= "\x10";
		$bytes;
	}, qr/$damaged \(entries kept: \d+, records lost: 1\)/);
is(ask($others), $before, 'all others are as they were');
is(ask(qq{SELECT count(*) FROM vitals.statements WHERE datname = 'app1' AND fingerprint = $fingerprint}), 0,
	'and that one is gone');
starts_with('a statement that was never executed so often', do {
		my $data = $one->{data};
		substr($data, 24) =~ s/\x01\0{7}/\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF/g;
		with_record($whole, $one, $data);
	}, qr/$damaged \(entries kept: \d+, records lost: 1\)/);
is(ask($others), $before, 'all others are as they were');
starts_with('statistics of another version', do {
		my $bytes = $whole;
		$bytes = with_record($bytes, $_, $_->{data}, 0x80000001) foreach grep { $_->{tag} == $statements } @records;
		$bytes;
	}, qr/LOG:  statistics file "pg_stat\/pg_vitals\.stat": $tags{$statements} entries of another version left out/);

# What a writer that crashed left behind does not matter.
$node->stop;
spew_binary($file, $whole);
spew_binary("$file.tmp", 'half');
$node->start;
is(ask($whole_sums), $before_sums, 'a left-over temporary file is passed by');
ok(!-e "$file.tmp", 'and gone');

# ----- a file that cannot be written --------------------------------------

$before = ask($all);
mkdir "$file.tmp" or die "$!";
$offset = -s $node->logfile;
$node->stop;
like(log_tail($node, $offset), qr/LOG:  could not write statistics file/,
	'a failure to write is logged');
rmdir "$file.tmp" or die "$!";
$node->start;
is(ask($all), $before, 'and leaves the last file as it was');
$node->stop;

done_testing();
