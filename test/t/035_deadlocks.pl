# When this fails, vitals.deadlocks names the wrong statements, locks or victim, shows
# them to the wrong people, or the client is told something else than the deadlock.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

# only those are victims whose timeout is short
# a locale in which the server speaks another language, made if there is none
my $locales = PostgreSQL::Test::Utils::tempdir;
my $locale = (grep { /^de_DE\.utf-?8$/i } split /\n/, `locale -a 2>/dev/null`)[0];
if (!defined $locale && system("localedef -i de_DE -f UTF-8 $locales/de_DE.UTF-8 >/dev/null 2>&1") == 0)
{
	$locale = 'de_DE.UTF-8';
	$ENV{LOCPATH} = $locales;
}

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [ 'deadlock_timeout = 600s', 'log_min_messages = fatal', 'max_prepared_transactions = 2' ]);

sub ask { return $node->safe_psql('postgres', shift); }

sub named
{
	my ($name, $victim, $db) = @_;
	my $session = session($node, $db);
	$session->query_safe("SET application_name = '$name'");
	$session->query_safe("SET deadlock_timeout = '10ms'") if $victim;
	return $session;
}

# Send a statement that waits, and wait until it does.
sub start { return wait_for_lock($node, @_); }

# What was sent last is done.
sub finish
{
	my ($session) = @_;
	$session->query('SELECT 1');
	my $said = $session->{stderr};
	$session->{stderr} = '';
	return $said;
}

my $shown = q{SELECT participant, participants, deadlocks, application_name, victims, lock_type, lock_mode, coalesce(lock_relation, '-'), query
	FROM vitals.deadlocks ORDER BY first_seen, participant};
sub victim_first
{
	my @rows = sort { (split /\|/, $b)[4] <=> (split /\|/, $a)[4] } split /\n/, ask($shown);
	return join("\n", map { s/^\d+\|//r } @rows);
}

ask(q{CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL); INSERT INTO item SELECT g, g FROM generate_series(1, 10) AS g;
	CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);
	CREATE ROLE plain LOGIN; GRANT ALL ON item, other TO plain; CREATE ROLE stats LOGIN IN ROLE pg_read_all_stats;
	UPDATE item SET n = 0 WHERE id = 100; DELETE FROM other WHERE id = 200});
is(ask('SELECT count(*) FROM vitals.deadlocks'), 0, 'none yet');

# ----- rows, two sessions
my $one = named('one');
my $two = named('two', 1);

sub rows_deadlock
{
	$one->query_safe('BEGIN; UPDATE item SET n = 17 WHERE id = 1');
	$two->query_safe('BEGIN; DELETE FROM other WHERE id = 1');
	start('one', $one, 'DELETE FROM other WHERE id = 1');
	my $said = fails($two, 'UPDATE item SET n = 4711 WHERE id = 1');
	finish($one);
	$one->query_safe('ROLLBACK');
	$two->query_safe('ROLLBACK');
	return $said;
}
like(rows_deadlock(), qr/^[^\n]*ERROR:  deadlock detected\n(?:psql[^\n]*)?DETAIL:  Process \d+ waits for ShareLock/, 'the client is told');
is(victim_first(), "2|1|two|1|transactionid|ShareLock|item|UPDATE item SET n = \$1 WHERE id = \$2\n" .
	'2|1|one|0|transactionid|ShareLock|other|DELETE FROM other WHERE id = $1', 'both statements, the tables of their rows, who was cancelled');
rows_deadlock();
is(ask('SELECT DISTINCT deadlocks, first_seen < last_seen AND last_seen <= now() FROM vitals.deadlocks'), '2|t', 'the same once more');
is(ask('SELECT count(*), sum(victims) FROM vitals.deadlocks'), '2|2', 'is the same row');
ok($node->poll_query_until('postgres', 'SELECT deadlocks = 2 FROM pg_stat_database WHERE datname = current_database()'), 'the server counts as many');
is(ask(q{SELECT count(*) FROM vitals.errors WHERE condition = 'deadlock_detected' AND failures = 2 AND query LIKE 'UPDATE item%'}), 1, 'as an error, too');
is(ask(q{SELECT rolled_back, failures FROM vitals.transactions WHERE application_name = 'two' AND failures > 0}), '2|2', 'as transactions, too');
is(ask(q{SELECT count(*) FROM vitals.deadlocks WHERE query ~ '4711'}), 0, 'no constants');

# ----- rights
{
	local $ENV{PGUSER} = 'plain';
	is($node->safe_psql('postgres', q{SELECT DISTINCT count(*) OVER (), query, fingerprint IS NULL, queryid IS NULL, application_name IS NULL,
			username, lock_type FROM vitals.deadlocks}), '2|<insufficient privilege>|t|t|t|postgres|transactionid', 'other roles see that there was one');
	local $ENV{PGUSER} = 'stats';
	is($node->safe_psql('postgres', q{SELECT count(DISTINCT query) FROM vitals.deadlocks WHERE query LIKE '%item%' OR query LIKE '%other%'}), 2,
		'but for those who may see everything');
}

# ----- tables, of which a statement waits for one before any hook has seen it
ask('SELECT vitals.reset()');
ask('SELECT count(*) FROM other; SELECT n FROM item WHERE id = 1');
$one->query_safe('BEGIN; LOCK TABLE item');
$two->query_safe('BEGIN; LOCK TABLE other');
start('one', $one, 'SELECT count(*) FROM other');
like(fails($two, 'SELECT n FROM item WHERE id = 99'), qr/deadlock detected/, 'tables');
finish($one);
is(victim_first(), "2|1|two|1|relation|AccessShareLock|item|SELECT n FROM item WHERE id = \$1\n" .
	'2|1|one|0|relation|AccessShareLock|other|SELECT count(*) FROM other', 'before parse analysis: by their texts');
$one->query_safe('ROLLBACK');
$two->query_safe('ROLLBACK');

# ----- three sessions, advisory locks, in functions
ask('SELECT vitals.reset()');
ask(q{CREATE FUNCTION take(n int) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(n); END'});
my $three = named('three');
my %session = (one => $one, two => $two, three => $three);
my %lock = (one => 1, two => 2, three => 3);
$session{$_}->query_safe("BEGIN; SELECT pg_advisory_xact_lock($lock{$_})") foreach qw(one two three);
start('one', $one, 'SELECT take(2)');
start('three', $three, 'SELECT take(1) AS a, 1 AS b');
like(fails($two, 'SELECT take(3) IS NULL'), qr/deadlock detected/, 'three');
finish($one);
$_->query_safe('ROLLBACK') foreach ($one, $two);
finish($three);
$three->query_safe('ROLLBACK');
is(victim_first(), join("\n",
		'3|1|two|1|advisory|ExclusiveLock|-|SELECT take($1) IS NULL',
		(map { s/^\d\|//r } grep { !/\|two\|/ } split /\n/, ask($shown)) ), 'the victim of three');
is(ask(q{SELECT string_agg(concat_ws('|', lock_type, lock_mode, query), E'\n' ORDER BY application_name) FROM vitals.deadlocks}), join("\n",
		'advisory|ExclusiveLock|SELECT take($1)', 'advisory|ExclusiveLock|SELECT take($1) AS a, $2 AS b', 'advisory|ExclusiveLock|SELECT take($1) IS NULL'), 'all three');
# one waits for two, two for three, three for one
is(ask(q{SELECT (array_agg(application_name ORDER BY participant) || array_agg(application_name ORDER BY participant))::text ~ 'one,two,three'
	FROM vitals.deadlocks}), 't', 'in their order');

# ----- with pg_vitals.track = all: the statements inside
ask('SELECT vitals.reset()');
$_->query_safe('SET pg_vitals.track = "all"') foreach ($one, $two);
$one->query_safe('BEGIN; SELECT pg_advisory_xact_lock(1)');
$two->query_safe('BEGIN; SELECT pg_advisory_xact_lock(2)');
start('one', $one, 'SELECT take(2)');
like(fails($two, q{DO 'BEGIN PERFORM take(1); EXCEPTION WHEN deadlock_detected THEN RAISE; END'}), qr/deadlock detected/, 'inside');
finish($one);
is(ask('SELECT DISTINCT query, deadlocks FROM vitals.deadlocks'), 'SELECT pg_advisory_xact_lock($1)|1', 'inside of functions, once however often it is raised on');
$_->query_safe('ROLLBACK; RESET pg_vitals.track') foreach ($one, $two);

# ----- caught by a handler
ask('SELECT vitals.reset()');
$one->query_safe('BEGIN; SELECT pg_advisory_xact_lock(1)');
$two->query_safe('BEGIN; SELECT pg_advisory_xact_lock(2)');
start('one', $one, 'SELECT take(2)');
$two->query_safe(q{DO 'BEGIN PERFORM take(1); EXCEPTION WHEN deadlock_detected THEN NULL; END'});
is(ask(q{SELECT sum(victims), max(deadlocks) FROM vitals.deadlocks}), '1|1', 'one that nobody is told of');
$two->query_safe('COMMIT');
finish($one);
$one->query_safe('ROLLBACK');

# ----- what only looks like one
ask('SELECT vitals.reset()');
like(fails($one, q{DO 'BEGIN RAISE deadlock_detected USING DETAIL = $$Process 1 waits for ShareLock on transaction 2; blocked by process 1.$$; END'}),
	qr/ERROR:  deadlock_detected/, 'somebody says so');
is(ask('SELECT count(*) FROM vitals.deadlocks'), 0, 'but there was none');

# ----- somebody who is not looked at
$one->query_safe('BEGIN; SELECT pg_advisory_xact_lock(1)');
$two->query_safe('BEGIN; SELECT pg_advisory_xact_lock(2); SET LOCAL pg_vitals.enabled = off');
start('one', $one, 'SELECT take(2)');
like(fails($two, 'SELECT take(1)'), qr/deadlock detected/, 'switched off');
finish($one);
$_->query_safe('ROLLBACK') foreach ($one, $two);
is(ask('SELECT count(*) FROM vitals.deadlocks'), 0, 'switched off');

# ----- other languages, where the server has them
SKIP:
{
	skip 'there is no German locale', 1 unless defined $locale;
	$two->query_safe("SET lc_messages = '$locale'");
	skip 'the server speaks no German', 1 unless rows_deadlock() =~ /Prozess/;
	is(victim_first(), "2|1|two|1|transactionid|ShareLock|item|UPDATE item SET n = \$1 WHERE id = \$2\n" .
		'2|1|one|0|transactionid|ShareLock|other|DELETE FROM other WHERE id = $1', 'in another language');
	$two->query_safe('RESET lc_messages');
}

# ----- kept over a restart; reset by role and statement
ask('SELECT vitals.reset()');
rows_deadlock();
$_->quit foreach ($one, $two, $three);
$node->restart;
is(ask('SELECT max(deadlocks), count(query), count(DISTINCT query) FROM vitals.deadlocks'), '1|2|2', 'after a restart');
is(ask(q{SELECT vitals.reset(userid => 'plain'::regrole), count(*) FROM vitals.deadlocks}), '0|2', 'another role has none');
ask(q{SELECT vitals.reset(queryid => (SELECT queryid FROM vitals.deadlocks WHERE victims = 0))});
is(ask('SELECT count(*) FROM vitals.deadlocks'), 0, 'a deadlock goes with each of its statements');

# ----- on a standby: advisory locks
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$one = session($standby);
$two = session($standby);
$one->query_safe("SET application_name = 'one'; BEGIN; SELECT pg_advisory_xact_lock(1)");
$two->query_safe("SET application_name = 'two'; SET deadlock_timeout = '10ms'; BEGIN; SELECT pg_advisory_xact_lock(2)");
$one->query_until(qr/started/, "\\echo started\nSELECT pg_advisory_xact_lock(2);\n");
$standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'one' AND wait_event_type = 'Lock'})
  or die 'it does not wait';
like(fails($two, 'SELECT pg_advisory_xact_lock(1), 1'), qr/deadlock detected/, 'on a standby');
is($standby->safe_psql('postgres', q{SELECT application_name, victims, lock_type, query FROM vitals.deadlocks ORDER BY victims}),
	"one|0|advisory|SELECT pg_advisory_xact_lock(\$1)\ntwo|1|advisory|SELECT pg_advisory_xact_lock(\$1), \$2", 'both statements');
$_->quit foreach ($one, $two);
$standby->stop;
$node->stop;
done_testing();
