# When this fails, a crash costs more statistics than one interval, doubles
# them, or a file that cannot be written or read harms the server or its worker.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(stat);
use Vitals;

my $node = vitals_node('main', conf => [
	'restart_after_crash = on',
	'fsync = on',
	'max_connections = 30',
	'pg_vitals.persist_interval = 1s' ]);
my $stat = $node->data_dir . '/pg_stat';
my $file = "$stat/pg_vitals.stat";
my $deadline = $PostgreSQL::Test::Utils::timeout_default;

sub ask { return $node->safe_psql('postgres', shift); }

sub until_true
{
	my ($what, $true) = @_;

	for (1 .. $deadline * 50)
	{
		return 1 if $true->();
		Time::HiRes::usleep(20000);
	}
	die "timed out: $what";
}

sub until_logged
{
	my ($from, $pattern) = @_;

	return until_true("waiting for $pattern", sub { log_tail($node, $from) =~ $pattern });
}

# What had ended before this is called is on disk when it returns.
sub until_written
{
	my $now = ask('SELECT clock_timestamp()');

	$node->poll_query_until('postgres', qq{SELECT last_persisted >= '$now' FROM vitals.info})
	  or die 'the statistics are not written';
	return;
}

# The worker has tried so often to write: each attempt changes the directory.
sub until_tried
{
	my ($times) = @_;
	my $changed = (stat $stat)[9];

	while ($times > 0)
	{
		until_true('waiting for the worker', sub { (stat $stat)[9] != $changed });
		$changed = (stat $stat)[9];
		$times--;
	}
	return;
}

# The worker, which has no database and so is not in pg_stat_activity.
sub worker
{
	my $found;

	until_true('looking for the worker', sub {
		foreach my $process (glob '/proc/[0-9]*')
		{
			my $line = eval { slurp_file("$process/cmdline") } // '';
			my $state = eval { slurp_file("$process/stat") } // '';

			$found = $process =~ s/.*\///r
			  if $line =~ /pg_vitals worker/ && $state =~ /\) \S ${\ $node->{_pid}} /;
		}
		return $found;
	});
	return $found;
}

# ----- crashes under load ---------------------------------------------------

my $calls = q{SELECT coalesce(sum(calls), 0) FROM vitals.statements WHERE query = 'SELECT $1 AS under_load'};
my $begun = 0;

append_to_file("$PostgreSQL::Test::Utils::tmp_check/load.sql", "SELECT 1 AS under_load;\n");

# Run clients until the server is made to crash; returns how many executions
# were on disk for sure, and how many there were.
sub crash_under_load
{
	my ($crash) = @_;
	my ($out, $err) = ('', '');
	my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-T', 600, '-f',
			"$PostgreSQL::Test::Utils::tmp_check/load.sql", $node->connstr('postgres') ],
		'>', \$out, '2>', \$err);

	$node->poll_query_until('postgres', "SELECT ($calls) > $begun + 1000") or die;
	my $seen = ask($calls);
	until_written();
	$crash->();
	$load->finish;
	$out =~ /number of transactions actually processed: (\d+)/ or die "$out$err";
	return ($seen, $begun + $1);
}

sub kept_after
{
	my ($what, $seen, $all) = @_;

	$node->poll_query_until('postgres', 'SELECT true') or die;
	my $kept = ask($calls);

	cmp_ok($kept, '>=', $seen, "$what: what an interval had passed over is kept");
	# each client may have been ended between its execution and the answer
	cmp_ok($kept, '<=', $all + 4, "$what: nothing is doubled");
	$begun = $kept;
	ask('SELECT 1 AS under_load');
	is(ask($calls), $begun + 1, "$what: and counting goes on");
	$begun++;
	return;
}

# The server is down, but its children may still hold its memory, and its own
# process may not have been waited for.
sub start_again
{
	my ($pid) = @_;

	until_true('waiting for its processes', sub {
		!kill(0, $pid) && !grep { (readlink("$_/cwd") // '') eq $node->data_dir } glob '/proc/[0-9]*';
	});
	$node->start;
	return;
}

my $from = -s $node->logfile;
my @counts = crash_under_load(sub {
	kill 'KILL', ask(q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%AS under_load%' AND pid <> pg_backend_pid() LIMIT 1});
	until_logged($from, qr/all server processes terminated; reinitializing/);
});
kept_after('kill -9 of a backend', @counts);

$from = -s $node->logfile;
@counts = crash_under_load(sub {
	kill 'KILL', worker() or die;
	until_logged($from, qr/all server processes terminated; reinitializing/);
});
kept_after('kill -9 of the worker', @counts);

my $postmaster = $node->{_pid};
@counts = crash_under_load(sub { $node->kill9 });
start_again($postmaster);
kept_after('kill -9 of the postmaster', @counts);

$postmaster = $node->{_pid};
@counts = crash_under_load(sub { $node->stop('immediate') });
start_again($postmaster);
kept_after('an immediate stop', @counts);

# ----- a disk that is full ---------------------------------------------------

# Whatever it is that has no room: the worker can write only so many bytes.
ask(numbered(300, 'WITH q_%d AS (SELECT 1) SELECT FROM q_%d;'));
until_written();
my $worker = worker();
my $whole = slurp_binary($file);
cmp_ok(length($whole), '>', 100_000, 'the file is larger than what will have room');
$from = -s $node->logfile;
system_or_bail('prlimit', "--pid=$worker", '--fsize=100000:');
ask('SELECT 1 AS while_it_is_full');
until_logged($from, qr/could not write statistics file/);
$whole = slurp_binary($file);
until_tried(4);
is(() = log_tail($node, $from) =~ /statistics file/g, 1, 'a full disk is told once, not each time');
like(log_tail($node, $from), qr/LOG:  could not write statistics file "pg_stat\/pg_vitals\.stat\.tmp": File too large/,
	'and why');
ok(slurp_binary($file) eq $whole, 'the last file stays');
until_true('removing the temporary file', sub { !-e "$file.tmp" });
pass('the temporary file does not');
is(ask(q{SELECT calls FROM vitals.statements WHERE query LIKE '% AS while_it_is_full'}), 1, 'counting goes on');
system_or_bail('prlimit', "--pid=$worker", '--fsize=unlimited:');
until_logged($from, qr/LOG:  statistics file "pg_stat\/pg_vitals\.stat" could be written again/);
until_written();
ok(slurp_binary($file) ne $whole, 'with room there is a file again');
is(() = log_tail($node, $from) =~ /statistics file/g, 2, 'which is told, too');
is(worker(), $worker, 'by the same worker');

# ----- an error in the worker -------------------------------------------------

# It has no memory for the copy of a long text.
SKIP:
{
	skip 'the address sanitizer ends a process that has no memory', 2
	  if slurp_file("/proc/$worker/maps") =~ /libasan/;

	my ($size) = slurp_file("/proc/$worker/status") =~ /VmSize:\s+(\d+) kB/;
	$from = -s $node->logfile;
	system_or_bail('prlimit', "--pid=$worker", '--as=' . 1024 * $size / 2 . ':');
	ask(join ' UNION ALL ', ('SELECT ' . join ', ', map { sprintf '1 AS a_name_that_takes_sixty_bytes_of_the_text_of_a_statement_%04d', $_ } 1 .. 1600) x 8);
	until_logged($from, qr/ERROR:  out of memory/);
	system_or_bail('prlimit', "--pid=$worker", '--as=unlimited:');
	until_written();
	is(worker(), $worker, 'a worker without memory goes on when there is some');
	unlike(log_tail($node, $from), qr/background worker "pg_vitals worker"/, 'and has not ended in between');
}

# ----- something else in the place of the file ---------------------------------

foreach my $other ([ 'a directory', sub { mkdir $file }, sub { rmdir $file } ],
	[ 'a pipe', sub { system('mkfifo', $file) == 0 }, sub { unlink $file } ])
{
	my ($what, $make, $remove) = @$other;

	ask('ALTER SYSTEM SET pg_vitals.persist_interval = 0');
	$node->stop;
	unlink $file;
	$make->() or die;
	$from = -s $node->logfile;
	$node->start;
	like(log_tail($node, $from), qr/LOG:  could not open statistics file "pg_stat\/pg_vitals\.stat"/,
		"$what in the file's place is told of");
	ask("SELECT 1 AS with_another");
	is(ask(q{SELECT calls FROM vitals.statements WHERE query LIKE '% AS with_another'}), 1, 'and the server works');
	$node->stop;
	$remove->();
	$node->start;
}

# ----- a file that somebody has made -------------------------------------------

# Tags that are no JSON would make the views fail.
ask(q{/*route='/books'*/ SELECT id FROM (VALUES (1), (2), (3)) AS v (id)});
is(ask(q{SELECT tags FROM vitals.routes WHERE route = '/books'}), '{"route": "/books"}', 'there is a route');
$node->stop;
$whole = slurp_binary($file);
my ($text) = grep { $_->{tag} == 3 && $_->{data} =~ /\/books\n/ } records($whole);
ok($text, 'whose text is in the file');
$whole = with_record($whole, $text, $text->{data} =~ s/\n\{/\n[/r);
spew_binary($file, $whole);
$node->start;
is(ask(q{SELECT count(*), count(tags) FROM vitals.routes}), '1|0', 'tags that are no JSON are left out');
$node->stop;

done_testing();
