# When this fails, time goes to the wrong statement, phase or wait event in
# vitals.waits, or more of it than there was; what takes several sessions, a restart
# or a standby.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use Vitals;

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [
	'pg_vitals.max_statements = 1000',
	'max_parallel_workers_per_gather = 2',
	'track_activity_query_size = 4096' ]);

sub ask { return $node->safe_psql('postgres', shift); }

# Forget everything, and wait until the sampler has noticed.
sub begin
{
	ask('SELECT vitals.reset()');
	return time;
}

# Wait until all that has been seen by now is in the view.
sub arrive
{
	my ($on) = @_;
	$on //= $node;
	my $now = $on->safe_psql('postgres', 'SELECT clock_timestamp()');
	$on->poll_query_until('postgres', qq{SELECT max(last_seen) > '$now' FROM vitals.waits, pg_sleep(0.1)})
	  or die 'nothing comes to vitals.waits';
	return;
}

# Rows "phase|wait_event_type|wait_event|query" of an application that were seen for
# more than 50 ms, in this order.
sub seen
{
	my ($application) = @_;
	return ask(qq{SELECT phase, wait_event_type, wait_event, query FROM vitals.waits
		WHERE application_name = '$application' AND wait_time > 50 ORDER BY 1, 2, 3, 4});
}

sub wait_ms
{
	my ($application, $condition) = @_;
	return ask(qq{SELECT coalesce(sum(wait_time), 0) FROM vitals.waits
		WHERE application_name = '$application' AND $condition});
}

sub named
{
	my ($name, $on) = @_;
	my $session = session($on // $node);
	$session->query_safe("SET application_name = '$name'");
	return $session;
}

# Send a statement and do not wait for its end.
sub start
{
	my ($session, $sql) = @_;
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	return;
}

sub finish
{
	my ($session) = @_;
	$session->query('SELECT 1');
	$session->{stderr} = '';
	return;
}

# Wait until sessions of this name wait for this.
sub until_waits
{
	my ($name, $event, $count) = @_;
	$count //= 1;
	$node->poll_query_until('postgres', qq{SELECT count(*) = $count FROM pg_stat_activity
		WHERE application_name = '$name' AND wait_event = '$event'})
	  or die "$name does not wait for $event";
	return;
}

# The sums must be right within what a machine that stands still now and then leaves
# of them: never more than there was, and most of it.
sub about
{
	my ($ms, $truth, $what) = @_;
	cmp_ok($ms, '<', $truth * 1.1 + 120, "$what: not more than there was");
	cmp_ok($ms, '>', $truth * 0.6 - 50, "$what: most of it");
	return;
}

$node->safe_psql('postgres', q{
	CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL);
	INSERT INTO item SELECT g, g FROM generate_series(1, 100) AS g;
	CREATE FUNCTION burn(seconds float8) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE deadline timestamptz := clock_timestamp() + seconds * interval '1 s';
	BEGIN
		WHILE clock_timestamp() < deadline LOOP END LOOP;
	END $$});

# ----- known truth, all at once ---------------------------------------------

my %session = map { $_ => named($_) } qw(sleeper holder waiter burner idle analyser);

begin();
my $t0 = time;
$session{holder}->query_safe('BEGIN; UPDATE item SET n = 0 WHERE id = 1');
my $locked = time;
start($session{waiter}, 'UPDATE item SET n = 1 WHERE id = 1');
start($session{sleeper}, 'SELECT pg_sleep(2)');
start($session{burner}, 'SELECT burn(1.5)');
$session{idle}->query_safe('SELECT 1');
sleep(2);
$session{holder}->query_safe('COMMIT');
my $held = (time - $locked) * 1000;
finish($session{$_}) foreach qw(waiter sleeper burner);
my $all = (time - $t0) * 1000;
arrive();

is(seen('sleeper'), 'executing|Timeout|PgSleep|SELECT pg_sleep($1)', 'a sleeper sleeps');
is(seen('holder'), 'idle in transaction|Client|ClientRead|UPDATE item SET n = $1 WHERE id = $2',
	'who is idle in a transaction is so behind its last statement');
is(seen('waiter'), 'executing|Lock|transactionid|UPDATE item SET n = $1 WHERE id = $2', 'who waits for a row lock');
is(seen('burner'), 'executing|CPU||SELECT burn($1)', 'who burns CPU waits for nothing');
is(seen('idle'), '', 'who is idle is not seen');
foreach my $name (qw(sleeper burner waiter))
{
	my $truth = ask(qq{SELECT max(s.total_exec_time) FROM vitals.statements AS s WHERE s.fingerprint =
		(SELECT fingerprint FROM vitals.waits WHERE application_name = '$name' ORDER BY wait_time DESC LIMIT 1)});
	# the holder's update is of the same statement, and short
	about(wait_ms($name, 'true'), $truth, $name);
}
about(wait_ms('holder', q{phase = 'idle in transaction'}), $held, 'holder');
is(ask(q{SELECT bool_and(wait_time_margin BETWEEN 0.9 * 1.96 * wait_time / sqrt(samples) AND 1.96 * wait_time)
	FROM vitals.waits WHERE samples > 20}), 't', 'the margin is that of so many samples');
cmp_ok(ask(q{SELECT max(wait_time) FROM vitals.waits}), '<', $all + 200, 'no row has more time than has passed');

# the same, second by second
my %pid = map { $_ => $session{$_}->query_safe('SELECT pg_backend_pid()') } qw(holder waiter);
is(ask(q{SELECT DISTINCT phase, wait_event, query, pid, blocked_by FROM vitals.activity WHERE application_name = 'waiter'}),
	"executing|transactionid|UPDATE item SET n = \$1 WHERE id = \$2|$pid{waiter}|{$pid{holder}}", 'vitals.activity: a waiter, and for whom');
is(ask(q{SELECT DISTINCT phase, wait_event_type, query, pid, blocked_by IS NULL FROM vitals.activity WHERE application_name = 'holder'}),
	"idle in transaction|Client|UPDATE item SET n = \$1 WHERE id = \$2|$pid{holder}|t", 'the one it waits for');
cmp_ok(ask(q{SELECT count(*) FROM vitals.activity WHERE application_name = 'sleeper' AND statement_start BETWEEN sampled_at - interval '3 s' AND sampled_at}),
	'>=', 1, 'a sleeper, once a second');
cmp_ok(ask(q{SELECT count(DISTINCT sampled_at) - 2 FROM vitals.activity}), '<=', (time - $t0), 'not oftener');
is(ask(q{SELECT count(*) FROM vitals.activity WHERE application_name = 'idle'}), 0, 'idle sessions are not in it');

# ----- what is around statements ---------------------------------------------

# waiting for a lock before there is a plan: the text tells
begin();
$session{holder}->query_safe('BEGIN; LOCK TABLE item');
$session{analyser}->query_safe('SELECT 42 AS before');
start($session{analyser}, 'SELECT max(n) FROM item');
until_waits('analyser', 'relation');
sleep(0.5);
$session{holder}->query_safe('COMMIT');
finish($session{analyser});
arrive();
is(seen('analyser'), 'other|Lock|relation|SELECT max(n) FROM item', 'before a hook has met it: by its text');
is(ask(q{SELECT count(DISTINCT w.fingerprint) FROM vitals.waits AS w JOIN vitals.statements AS s USING (dbid, userid, fingerprint)
		WHERE w.application_name = 'analyser' AND w.phase = 'other' AND w.wait_event = 'relation'}), 1, 'as in vitals.statements');
# not of two, or of what is cut off
foreach my $two ('SELECT 1; SELECT min(n) FROM item', 'SELECT min(n) FROM item WHERE ' . join(' AND ', map { "id <> $_" } 1 .. 500))
{
	begin();
	$session{holder}->query_safe('BEGIN; LOCK TABLE item');
	start($session{analyser}, $two =~ s/;/\\;/r);
	until_waits('analyser', 'relation');
	sleep(0.3);
	$session{holder}->query_safe('COMMIT');
	finish($session{analyser});
	arrive();
	is(ask(q{SELECT DISTINCT coalesce(query, '-') FROM vitals.waits WHERE application_name = 'analyser' AND wait_event = 'relation'}),
		$two =~ /;/ ? 'SELECT $1' : '-', 'but not if it is not whole, or behind another');
}

# commit
begin();
ask(q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'});
ask('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', q{SELECT setting = 'nobody' FROM pg_settings WHERE name = 'synchronous_standby_names'}) or die;
my $alone = named('alone');
my $block = named('block');
my $procedure = named('procedure');
$block->query_safe('BEGIN; INSERT INTO item VALUES (1001, 1)');
ask(q{SET synchronous_commit = local; CREATE PROCEDURE halfway() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO item VALUES (1002, 1); COMMIT; PERFORM pg_sleep(0.3); END $$});
start($alone, 'INSERT INTO item VALUES (1000, 1)');
start($block, 'COMMIT');
start($procedure, 'CALL halfway()');
until_waits($_, 'SyncRep') foreach qw(alone block procedure);
sleep(0.5);
ask('ALTER SYSTEM RESET synchronous_standby_names');
ask('SELECT pg_reload_conf()');
finish($_) foreach $alone, $block, $procedure;
arrive();
is(seen('alone'), 'committing|IPC|SyncRep|INSERT INTO item VALUES ($1, $2)', 'the commit of a statement by itself');
is(ask(q{SELECT phase, wait_event, query FROM vitals.waits WHERE application_name = 'block' AND phase = 'committing'}),
	'committing|SyncRep|COMMIT', 'the commit of a block');
is(seen('procedure'), "committing|IPC|SyncRep|CALL halfway()\nexecuting|Timeout|PgSleep|CALL halfway()", 'a commit in a procedure, which goes on');
$_->quit foreach $alone, $block, $procedure;

# ----- parallel workers ------------------------------------------------------

begin();
my $leader = named('leader');
$leader->query_safe(q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
	SET parallel_leader_participation = off;
	CREATE TABLE big AS SELECT g FROM generate_series(1, 20000) AS g; ALTER TABLE big SET (parallel_workers = 2);
	CREATE FUNCTION slowly(int) RETURNS int PARALLEL SAFE LANGUAGE plpgsql AS $$ BEGIN IF $1 % 400 = 0 THEN PERFORM pg_sleep(0.02); END IF; RETURN $1; END $$});
begin();
$leader->query_safe('SELECT count(slowly(g)) FROM big');
arrive();
is(ask(q{SELECT DISTINCT query FROM vitals.waits WHERE backend_type = 'parallel worker' AND wait_event = 'PgSleep'}),
	'SELECT count(slowly(g)) FROM big', "a parallel worker's time is its leader's statement's");
$leader->quit;

# ----- bounded ---------------------------------------------------------------

# more different statements than the table has room for
begin();
ask(q{ALTER SYSTEM SET pg_vitals.sample_interval = '1ms'});
ask('SELECT pg_reload_conf()');
my $before = ask(q{SELECT memory_bytes FROM vitals.info});
my $many = join '', map { "SELECT pg_sleep(0.002) AS a, $_ + " . join(' + ', (1) x ($_ % 50 + 1)) . " AS " . "x$_, now() AS y$_;\n" } 1 .. 3000;
$many =~ s/now\(\) AS y(\d+)/"b$1"()/g;
ask(join '', map { "CREATE FUNCTION \"b$_\"() RETURNS int LANGUAGE sql AS 'SELECT 1';\n" } 1 .. 3000);
$node->safe_psql('postgres', "SET application_name = 'many';\n$many");
ask('ALTER SYSTEM RESET pg_vitals.sample_interval');
ask('SELECT pg_reload_conf()');
arrive();
is(ask(q{SELECT memory_bytes FROM vitals.info}), $before, 'thousands of statements take no more memory');
cmp_ok(ask('SELECT count(*) FROM vitals.waits'), '<=', 1100, 'nor more rows than there is room for');
cmp_ok(ask(q{SELECT count(*) FROM vitals.waits WHERE query = '<other>' AND wait_event_type = 'Timeout' AND datname = 'postgres'}),
	'==', 1, 'what is pushed out is in a row of its class');
about(ask(q{SELECT sum(wait_time) FROM vitals.waits WHERE wait_event_type = 'Timeout'}),
	ask(q{SELECT sum(total_exec_time) FROM vitals.statements WHERE query ~ 'pg_sleep|evicted'}), 'the sum is still right');

# ----- off and on ------------------------------------------------------------

ask(q{ALTER SYSTEM SET pg_vitals.sample_interval = 0});
ask('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', q{SELECT setting = '0' FROM pg_settings WHERE name = 'pg_vitals.sample_interval'}) or die;
$session{sleeper}->query_safe('SELECT 1');
sleep(0.3);		# the worker's own reload

# both are made of the same samples
is(ask(q{SELECT string_agg(wait_event_type, ',' ORDER BY wait_event_type) FROM (
		SELECT coalesce(wait_event_type, 'idle') AS wait_event_type, sum(sessions * sampled_time) AS ms FROM vitals.load GROUP BY 1) AS l
	FULL JOIN (
		SELECT CASE WHEN phase = 'idle in transaction' THEN 'idle' ELSE wait_event_type END AS wait_event_type, sum(wait_time) AS ms
		FROM vitals.waits WHERE phase IS DISTINCT FROM 'background' GROUP BY 1) AS w USING (wait_event_type)
	WHERE abs(coalesce(l.ms, 0) - coalesce(w.ms, 0)) > 100}), '', 'vitals.load has the sums of vitals.waits');
is(ask(q{SELECT bool_and(sampled_time BETWEEN 0 AND 10100), bool_and(sessions >= 0), count(*) = count(DISTINCT (bucket_start, state, wait_event_type)),
		bool_and(extract(epoch FROM bucket_start)::numeric % 10 = 0) FROM vitals.load}), 't|t|t|t', 'in buckets of ten seconds');
begin();
$session{sleeper}->query_safe('SELECT pg_sleep(1.5)');
is(ask('SELECT (SELECT count(*) FROM vitals.waits), (SELECT count(*) FROM vitals.activity), (SELECT count(*) FROM vitals.load)'),
	'0|0|0', 'sample_interval = 0: nothing is seen, after a reset');
start($session{sleeper}, 'SELECT pg_sleep(1.5), 1');
ask('ALTER SYSTEM RESET pg_vitals.sample_interval');
ask('SELECT pg_reload_conf()');
finish($session{sleeper});
$session{sleeper}->query_safe('SELECT pg_sleep(0.3)');
arrive();
is(ask(q{SELECT query FROM vitals.waits WHERE application_name = 'sleeper' AND wait_event = 'PgSleep' AND phase = 'executing'}),
	'SELECT pg_sleep($1)', 'on again: the next statement is');

# a name that is changed in the middle of a session
$session{sleeper}->query_safe(q{SET application_name = 'renamed'});
$session{sleeper}->query_safe('SELECT pg_sleep(0.3)');
arrive();
is(seen('renamed'), 'executing|Timeout|PgSleep|SELECT pg_sleep($1)', 'another application_name');

# track_activities off: what the server says of states is not needed
$session{idle}->query_safe('SET track_activities = off');
$session{idle}->query_safe('SELECT pg_sleep(0.3)');
$session{idle}->query_safe('BEGIN; SELECT 1');
sleep(0.3);
$session{idle}->query_safe('COMMIT');
sleep(0.3);
arrive();
is(seen('idle'), "executing|Timeout|PgSleep|SELECT pg_sleep(\$1)\nidle in transaction|Client|ClientRead|SELECT \$1",
	'without track_activities');

# background processes
ask(q{CHECKPOINT});
is(ask(q{SELECT count(*) FROM vitals.waits WHERE phase = 'background' AND
	(userid IS NOT NULL OR fingerprint IS NOT NULL OR wait_event_type = 'Activity' OR application_name IS NOT NULL)}), 0,
	'background processes have no role and no statement');

# ----- restart, standby ------------------------------------------------------

my $rows = q{SELECT round(sum(wait_time)) FROM vitals.waits WHERE application_name = 'renamed'};
my $kept = ask($rows);
$_->quit foreach values %session;
$node->restart;
is(ask($rows), $kept, 'a restart keeps it');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM vitals.waits WHERE application_name = \'renamed\''), 0,
	"a standby does not take over the primary's");
my $reader = named('reader', $standby);
$reader->query_safe('SELECT pg_sleep(0.5)');
arrive($standby);
is($standby->safe_psql('postgres', q{SELECT phase, wait_event, query FROM vitals.waits
		WHERE application_name = 'reader' AND wait_time > 100}), 'executing|PgSleep|SELECT pg_sleep($1)',
	'and samples its own sessions');
$reader->quit;
$standby->stop;
$node->stop;
done_testing();
