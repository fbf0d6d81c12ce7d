# When this fails, a cancel, a timeout or a termination at some moment of a
# statement, or want of memory, leaves a lock held, a count wrong or the server
# down, or fails a statement that would have succeeded.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

# Everything as small as it can be, and the detector at its most talkative.
my $node = vitals_node('main', conf => [
	'pg_vitals.max_statements = 100',
	'pg_vitals.text_memory = 1MB',
	'pg_vitals.persist_interval = 1s',
	'pg_vitals.n_plus_one_min_repeats = 2',
	'pg_vitals.n_plus_one_across_sessions = on',
	'max_connections = 25',
	'superuser_reserved_connections = 3' ]);

sub ask { return $node->safe_psql('postgres', shift); }

ask('CREATE DATABASE victim');
ask('CREATE DATABASE reader');
$node->safe_psql('victim', q{
	CREATE TABLE t AS SELECT g AS id, g % 7 AS n FROM generate_series(1, 300) AS g;
	CREATE TABLE log (id integer, note text);
	CREATE FUNCTION looping(integer) RETURNS integer LANGUAGE plpgsql AS $$
	DECLARE x integer;
	BEGIN
		FOR i IN 1 .. $1 LOOP
			BEGIN
				SELECT n INTO x FROM t WHERE id = i;
				IF i % 5 = 0 THEN PERFORM 1 / 0; END IF;
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
		END LOOP;
		RETURN x;
	END $$});
$node->safe_psql('reader', 'CREATE EXTENSION pg_vitals');
my $user = ask('SELECT current_user');
ask('SELECT vitals.reset()');

# ----- victims ----------------------------------------------------------------

# A statement of some sort; rand() of each process begins elsewhere.
sub some_statement
{
	my ($n) = @_;
	my $which = int rand 12;
	my $id = int rand 1000000;

	return 'SELECT count(*) FROM t, t AS u WHERE t.n = u.n' if $which < 3;
	return "SELECT n FROM t WHERE id = " . $n % 300 if $which < 5;
	return "INSERT INTO log VALUES ($id, 'x')" if $which < 6;
	return 'SELECT looping(' . int(rand 40) . ')' if $which < 7;
	return "WITH q_$id AS (SELECT 1) SELECT " . join(',', map { "1 AS c$_" } 1 .. int rand 900) . " FROM q_$id" if $which < 8;
	return 'DO $$ BEGIN PERFORM looping(20); END $$' if $which < 9;
	return 'SET statement_timeout = ' . int(rand 8) if $which < 10;
	return "SELECT id /*controller='c$id'*/ FROM t ORDER BY id LIMIT 20" if $which < 11;
	return 'SELECT * FROM t WHERE n = (SELECT n / (n - n) FROM t WHERE id = 3)';
}

# One session after another, until so many statements are done; prints how many
# succeeded and how many failed as they can, and what failed otherwise.
sub suffer
{
	my ($seed, $statements, $database, $statement, $out) = @_;
	my ($done, $failed, $lost, %unexpected) = (0, 0, 0);
	my $wire;

	srand($seed);
	for (my $n = 0; $n < $statements;)
	{
		# terminated: there is nobody to talk to
		my $ok = eval {
			$wire //= Vitals::Wire->connect($node, $database, $user);
			$wire->query($statement->($n));
			while (1)
			{
				my $message = ($wire->until('CEZ'))[-1];
				my ($type, $body) = @$message;
				last if $type eq 'Z';
				$done++ if $type eq 'C';
				next if $type ne 'E';
				my ($code) = $body =~ /\0C(\w{5})\0/;
				$failed++;
				$unexpected{$body}++ unless $code =~ /^(57014|22012|57P01)$/;
				die 'terminated' if $code eq '57P01';
			}
			$n++;
			1;
		};
		next if $ok;
		$lost++;
		$wire = undef;
	}
	open my $file, '>', $out or die $!;
	print $file "$done $failed $lost\n", map { (s/[\0\n]/ /gr) . "\n" } keys %unexpected;
	close $file;
	return;
}

my @processes;

# When the test dies they would go on forever, and prove wait for them.
END
{
	my $status = $?;

	kill 'KILL', map { $_->{pid} } grep { !$_->{ended} } @processes;
	$? = $status;
}

sub start
{
	my ($name, @args) = @_;
	my $out = $node->basedir . "/$name.out";
	my $pid = fork // die "could not fork: $!";

	if ($pid == 0)
	{
		eval { suffer(@args, $out); 1 } or print STDERR $@;
		# nothing of this process's end is the test's
		require POSIX;
		POSIX::_exit(0);
	}
	push @processes, { pid => $pid, out => $out };
	return;
}

start("victim$_", $_, 900, 'victim', \&some_statement) foreach 1 .. 6;
start("reader$_", $_, 60, 'reader', sub { return (
	'SELECT count(*), sum(calls) FROM vitals.statements',
	'SELECT count(*) FROM vitals.n_plus_one',
	'TABLE vitals.info',
	'SELECT count(*) FROM vitals.n_plus_one_since(0)',
	'SELECT count(*) FROM vitals.routes')[ $_[0] % 5 ] }) foreach 1 .. 2;

# Whoever is at work is cancelled, and now and then terminated.
my $hammer = session($node);
# that a session has ended meanwhile is nothing to warn of
$hammer->query_safe("SET client_min_messages = 'error'");
my ($rounds, $cancels, $terminations) = (0, 0, 0);
while (grep { !$_->{ended} } @processes)
{
	$rounds++;
	$cancels += $hammer->query_safe(q{SELECT count(pg_cancel_backend(pid)) FROM
		(SELECT pid FROM pg_stat_activity WHERE datname IN ('victim', 'reader') AND state = 'active'
		 ORDER BY random() LIMIT 2) AS s});
	$terminations += $hammer->query_safe(q{SELECT count(pg_terminate_backend(pid)) FROM
		(SELECT pid FROM pg_stat_activity WHERE datname IN ('victim', 'reader')
		 ORDER BY random() LIMIT 1) AS s}) if $rounds % 40 == 0;
	foreach (@processes)
	{
		$_->{ended} //= 1 if waitpid($_->{pid}, 1) == $_->{pid};
	}
}
$hammer->quit;

# ----- truth --------------------------------------------------------------------

my ($done, $failed, $lost, @unexpected) = (0, 0, 0);
foreach (grep { $_->{out} =~ /victim/ } @processes)
{
	my ($counts, @others) = split /\n/, slurp_file($_->{out});
	my ($d, $f, $l) = split / /, $counts;

	$done += $d;
	$failed += $f;
	$lost += $l;
	push @unexpected, @others;
}
cmp_ok($cancels, '>', 20, "cancels were sent ($cancels)");
cmp_ok($terminations, '>', 0, "and terminations ($terminations, $lost of them noticed)");
is_deeply(\@unexpected, [], 'no statement failed but of a cancel, a timeout, a termination or by itself');
cmp_ok($failed, '>', 100, "statements failed ($failed)");
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'victim'}) or die;

# What ends before the planner or the executor has begun is not executed.
my ($succeeded, $failures) = split /\|/, ask(q{SELECT sum(calls - failures), sum(failures)
	FROM vitals.statements WHERE datname = 'victim'});
is($succeeded, $done, 'what succeeded is counted, and once');
cmp_ok($failures, '<=', $failed, 'what failed is not counted twice');
cmp_ok($failures, '>', 0, 'but once');
is(ask(q{SELECT count(*) FROM vitals.statements WHERE failures < cancels + timeouts OR calls < failures
	OR calls < 0 OR rows < 0}), 0, 'no count contradicts another');

# ----- nothing is left behind ------------------------------------------------------

# Every backend that there can be has a slot, whatever went on there before.
my @connections = map { Vitals::Wire->connect($node, 'victim', $user) } 1 .. 20;
$_->query('SELECT n AS every_slot FROM t LIMIT 1') foreach @connections;
$_->until('Z') foreach @connections;
is(ask(q{SELECT calls, rows FROM vitals.statements WHERE query = 'SELECT n AS every_slot FROM t LIMIT $1'}), '20|20',
	'as many sessions as there is room for');
$_->close foreach @connections;
is(ask('SELECT vitals.assert_no_n_plus_one(vitals.mark()) IS NULL'), 'f', 'functions answer');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|WARNING|leak|not owned|lock .* is not held/,
	'the server has nothing to complain of');

my $sums = q{SELECT sum(calls), sum(rows), sum(failures), count(*) FROM vitals.statements WHERE datname = 'victim'};
my $before = ask($sums);
$node->restart;
is(ask($sums), $before, 'all of it is there after a restart');

$node->stop;
done_testing();
