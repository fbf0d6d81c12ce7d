# When this fails, a program that reads vitals.statements now and then and takes
# differences gets wrong ones, or executions are lost with a restart, a reset of
# something else, a dropped database or a dropped role.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'pg_vitals.max_statements = 200',
	'pg_vitals.persist_interval = 0' ]);

sub ask { return $node->safe_psql('postgres', shift); }

ask("CREATE DATABASE $_") foreach 'app', 'churn', 'doomed';
ask("CREATE ROLE $_ LOGIN") foreach 'leaver', 'stayer';

# Wait until so many sessions wait for an advisory lock.
sub blocked
{
	my ($sessions) = @_;

	$node->poll_query_until('postgres',
		q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, $sessions)
	  or die "nobody waits for the lock";
	return;
}

# ----- one life after another ---------------------------------------------

# Within one message of the client everything has one time of arrival, so that
# first_seen cannot tell a statement's rows apart.
my $life = q{SELECT calls, first_seen, stats_since FROM vitals.statements
	WHERE query = 'SELECT count(*) AS twice' AND datname = 'app' AND NOT toplevel};
{
	my $holder = session($node, 'app');
	my $worker = session($node, 'app');

	$holder->query_safe('SELECT pg_advisory_lock(1), pg_advisory_lock(2)');
	$worker->query_safe('SET pg_vitals.track = "all"');
	$worker->query_until(qr/started/, q{\echo started
		DO $$ BEGIN
			FOR i IN 1 .. 10 LOOP EXECUTE 'SELECT count(*) AS twice'; END LOOP;
			PERFORM pg_advisory_lock(1);
			FOR i IN 1 .. 4000 LOOP
				EXECUTE format('WITH q_%s AS (SELECT 1) SELECT 1 FROM q_%s', i / 2, i / 2);
			END LOOP;
			PERFORM pg_advisory_lock(2);
			FOR i IN 1 .. 3 LOOP EXECUTE 'SELECT count(*) AS twice'; END LOOP;
		END $$;
	});
	blocked(1);
	my ($calls, $first_seen, $since) = split /\|/, ask($life);
	is($calls, 10, 'a statement of a function');
	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	$node->poll_query_until('postgres',
		q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 2}, '1') or die;
	is(ask($life), '', 'is pushed out');
	$holder->query_safe('SELECT pg_advisory_unlock(2)');
	$worker->query_safe('SELECT 1');
	my ($calls_then, $first_then, $since_then) = split /\|/, ask($life);
	is($calls_then, 3, 'and begins again from nothing');
	is($first_then, $first_seen, 'with the same first_seen, as its message is the same');
	cmp_ok($since_then, 'gt', $since, 'but a later stats_since');
	$_->quit foreach $worker, $holder;
}

# What began earlier may end later: that changes first_seen, not stats_since.
{
	my $seen = q{SELECT calls, first_seen, stats_since FROM vitals.statements
		WHERE query = 'CALL wait_for($1)'};
	my ($holder, $early, $late) = map { session($node, 'app') } 1 .. 3;

	$holder->query_safe('CREATE PROCEDURE wait_for(integer) LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock($1) $$');
	$holder->query_safe('SELECT pg_advisory_lock(3)');
	$early->query_until(qr/started/, "\\echo started\nCALL wait_for(3);\n");
	blocked(1);
	$late->query_safe('CALL wait_for(4)');
	my ($calls, $first_seen, $since) = split /\|/, ask($seen);
	is($calls, 1, 'what began last has ended first');
	$holder->query_safe('SELECT pg_advisory_unlock(3)');
	$early->query_safe('SELECT 1');
	my ($calls_then, $first_then, $since_then) = split /\|/, ask($seen);
	is($calls_then, 2, 'the other ends, too');
	cmp_ok($first_then, 'lt', $first_seen, 'first_seen is of the one that began first');
	is($since_then, $since, 'stats_since stays');
	$_->quit foreach $holder, $early, $late;
}

# Routes and findings have it as well.
{
	my $work = join "\n", 'SELECT id FROM parent ORDER BY id;',
	  map { "SELECT note FROM child WHERE parent = $_ /*controller='c'*/;" } 1 .. 12;
	my $since = q{SELECT string_agg(stats_since::text, ',' ORDER BY stats_since) FROM (
		SELECT stats_since FROM vitals.n_plus_one WHERE link ~ 'parent'
		UNION ALL SELECT stats_since FROM vitals.routes WHERE route = 'c') AS s};

	$node->safe_psql('app', q{
		CREATE TABLE parent AS SELECT g AS id FROM generate_series(1, 12) AS g;
		ALTER TABLE parent ADD PRIMARY KEY (id);
		CREATE TABLE child (parent integer REFERENCES parent, note text);
		ALTER DATABASE app SET pg_vitals.n_plus_one_max_gap = '60s'});
	$node->safe_psql('app', $work);
	my $first = ask($since);
	like($first, qr/^.+,.+$/, 'a route and a finding');
	$node->safe_psql('app', $work);
	is(ask($since), $first, 'both go on');
	ask('SELECT vitals.reset()');
	is(ask($since), '', 'are reset');
	$node->safe_psql('app', $work);
	cmp_ok(ask($since), 'gt', $first =~ s/.*,//r, 'and begin again later');
}

# ----- a collector --------------------------------------------------------

# Eight sessions execute 4,000 statements in a table for 200, as two roles in two
# databases; meanwhile a collector reads and adds up differences, as docs/views.md
# tells it to.
my $script = $node->basedir . '/churn.sql';
my ($transactions, $clients) = (1500, 4);
spew_binary($script, q{
\set n random(1, 4000)
\set m random(1, 150)
WITH q_:n AS (SELECT 1) SELECT FROM q_:n;
WITH r_:m AS (SELECT generate_series(1, 2)) SELECT FROM r_:m;
SELECT 1 AS favourite;
});
sub churn
{
	my ($database, $role) = @_;
	my %bench = (out => '', err => '');

	$bench{run} = IPC::Run::start(
		[ 'pgbench', '-n', '-t', $transactions, '-c', $clients, '-h', $node->host, '-p', $node->port,
			'-U', $role, '-f', $script, $database ], '>', \$bench{out}, '2>', \$bench{err});
	return \%bench;
}

# One reading: rows by identity, calls of <evicted> and in all by database.
sub reading
{
	my ($session) = @_;
	my %reading = (rows => {}, evicted => {}, since => {}, sum => {});

	foreach (split /\n/, $session->query_safe(q{
		SELECT dbid, userid, toplevel, fingerprint, stats_since, calls, rows FROM vitals.statements
		WHERE datname IN ('churn', 'doomed')}))
	{
		my ($dbid, $userid, $toplevel, $fingerprint, $since, $calls, $rows) = split /\|/;

		$reading{sum}{$dbid} += $calls;
		$reading{total} += $rows;
		if ($fingerprint eq '')
		{
			@{ $reading{evicted}{$dbid} }{qw(calls since)} = ($calls, $since);
			next;
		}
		my $key = "$dbid|$userid|$toplevel|$fingerprint";
		die "two rows for one statement: $key" if $reading{rows}{$key};
		$reading{rows}{$key} = { dbid => $dbid, calls => $calls, since => $since };
	}
	return \%reading;
}

# What a collector adds to its figures, from one reading to the next; counts
# what it cannot be: counters that fall, an identity that comes back.
my (%lives, %wrong, $collected);
sub collect
{
	my ($old, $new) = @_;
	my %gone;		# calls of rows that were pushed out, by database

	foreach my $key (keys %{ $new->{rows} })
	{
		my ($row, $before) = ($new->{rows}{$key}, $old->{rows}{$key});

		if ($before && $before->{since} eq $row->{since})
		{
			$wrong{'calls fell'}++ if $row->{calls} < $before->{calls};
			$collected += $row->{calls} - $before->{calls};
			next;
		}
		$wrong{'a life came back'}++ if $lives{$key}{ $row->{since} }++;
		$collected += $row->{calls};
	}
	foreach my $key (keys %{ $old->{rows} })
	{
		my ($row, $after) = ($old->{rows}{$key}, $new->{rows}{$key});

		$gone{ $row->{dbid} } += $row->{calls}
		  unless $after && $after->{since} eq $row->{since};
	}
	foreach my $dbid (keys %{ $new->{sum} })
	{
		my ($evicted, $before) = ($new->{evicted}{$dbid}, $old->{evicted}{$dbid});
		my $more = ($evicted ? $evicted->{calls} : 0) - ($before ? $before->{calls} : 0) - ($gone{$dbid} // 0);

		$wrong{'less was evicted than left'}++ if $more < 0;
		$wrong{'<evicted> began again'}++ if $before && $before->{since} ne $evicted->{since};
		$wrong{'a sum fell'}++ if $new->{sum}{$dbid} < ($old->{sum}{$dbid} // 0);
		$collected += $more;
	}
	return;
}

my $reader = session($node);
my $last = reading($reader);
$collected = 0;
$collected += $_ foreach values %{ $last->{sum} };
my ($readings, $left) = (0, 0);
my @benches = (churn('churn', 'leaver'), churn('doomed', 'stayer'));
while (grep { $_->{run}->pumpable } @benches)
{
	my $now = reading($reader);

	collect($last, $now);
	$left += grep { !$now->{rows}{$_} } keys %{ $last->{rows} };
	$last = $now;
	$readings++;
	foreach (@benches) { $_->{run}->pump_nb if $_->{run}->pumpable }
}
ok($_->{run}->finish, 'pgbench runs to its end') or diag $_->{err} foreach @benches;
my $now = reading($reader);
collect($last, $now);
cmp_ok($readings, '>', 5, 'the collector read meanwhile');
cmp_ok($left, '>', 100, 'rows left from one reading to the next');
is_deeply(\%wrong, {}, 'no counter ever falls, and no row comes back as the one it was');

# pgbench is told to execute three statements a transaction, none besides (-n).
my $truth = 2 * $clients * $transactions * 3;
is($collected, $truth, 'the differences add up to what was executed');
is($now->{total}, 2 * $clients * $transactions * 4, 'and so do the rows of the last reading');

# ----- a restart ----------------------------------------------------------

my $everything = q{SELECT dbid, userid, toplevel, fingerprint, stats_since, calls, rows FROM vitals.statements
	WHERE dbid <> (SELECT oid FROM pg_database WHERE datname = 'postgres')
	ORDER BY dbid, userid, toplevel, fingerprint, stats_since};
my $before = ask($everything);
$reader->quit;
$node->restart;
is(ask($everything), $before, 'after a restart every row is what it was, also <evicted>');

# ----- what is reset, and what is not -------------------------------------

sub sum_of { return ask("SELECT sum(calls), sum(rows) FROM vitals.statements WHERE datname = '$_[0]'"); }
my ($calls, $rows) = split /\|/, sum_of('churn');
my ($queryid, $its_calls, $its_rows, $its_since) = split /\|/, ask(q{
	SELECT queryid, calls, rows, stats_since FROM vitals.statements
	WHERE query = 'SELECT $1 AS favourite' AND datname = 'churn'});
is($its_calls, $clients * $transactions, 'the favourite was never pushed out');
is(ask(qq{SELECT vitals.reset($queryid, (SELECT oid FROM pg_database WHERE datname = 'churn'))}), 1,
	'it is reset in one database');
is(sum_of('churn'), ($calls - $its_calls) . '|' . ($rows - $its_rows), 'and exactly that is missing in the sums');
is(sum_of('doomed'), "$calls|$rows", 'nothing is in the other database');
$node->safe_psql('churn', 'SELECT 1 AS favourite');
is(ask(qq{SELECT calls, stats_since > '$its_since' FROM vitals.statements
	WHERE query = 'SELECT \$1 AS favourite' AND datname = 'churn' AND userid = 'leaver'::regrole}), '', 'not for the role that executed it');
is(ask(qq{SELECT calls, stats_since > '$its_since' FROM vitals.statements
	WHERE query = 'SELECT \$1 AS favourite' AND datname = 'churn'}), '1|t', 'it begins again');

# ----- what is dropped ----------------------------------------------------

my $doomed = ask(q{SELECT oid FROM pg_database WHERE datname = 'doomed'});
$before = ask("SELECT sum(calls), sum(rows) FROM vitals.statements WHERE dbid = $doomed");
ask('DROP DATABASE doomed');
is(ask("SELECT sum(calls), sum(rows), count(datname) FROM vitals.statements WHERE dbid = $doomed"),
	"$before|0", 'DROP DATABASE: its rows stay, without a name');

my $leaver = ask(q{SELECT 'leaver'::regrole::oid});
# one row at least that nothing pushes out
$node->safe_psql('churn', 'SET ROLE leaver;' . 'SELECT 1 AS of_the_leaver;' x 200);
my $its = "SELECT count(*) > 0, count(username) FROM vitals.statements WHERE userid = $leaver";
$before = sum_of('churn');
is(ask($its =~ s/username/nullif(username, 'leaver')/r), 't|0', 'the rows of a role');
$node->safe_psql('postgres', 'DROP ROLE leaver');
is(ask($its), 't|0', 'DROP ROLE: its rows stay, without a name');
is(sum_of('churn'), $before, 'and so do the sums');

$node->restart;
is(ask($its), 't|0', 'after a restart as well');
is(sum_of('churn'), $before, 'as the sums');
my $others = q{SELECT sum(calls), sum(rows) FROM vitals.statements WHERE datname = 'churn'};
$before = ask($others);
my $count = ask("SELECT count(*) FROM vitals.statements WHERE dbid = $doomed");
cmp_ok(ask("SELECT vitals.reset(dbid => $doomed)"), '>=', $count, 'a dropped database can be reset');
is(ask("SELECT count(*) FROM vitals.statements WHERE dbid = $doomed"), 0, 'it is gone');
is(ask($others), $before, 'and nothing else');

# ----- a crash ------------------------------------------------------------

# The file of the last shutdown: fewer calls, but the same lives.
$node->restart;
my $crashed = q{SELECT calls, stats_since FROM vitals.statements
	WHERE query = 'SELECT $1 AS favourite' AND datname = 'churn'};
$before = ask($crashed);
$node->safe_psql('churn', 'SELECT 1 AS favourite');
$node->stop('immediate');
$node->start;
is(ask($crashed), $before, 'after a crash a row goes on from the last file');

$node->stop;
done_testing();
