# When this fails, what a slow execution waited for is another's, a role's threshold
# does not hold, the ring loses what is new or keeps what is old, the log line is no
# JSON, rows are counted wrongly in parallel, or a standby or restart breaks it.

use strict;
use warnings;

use lib 'test/t';
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Vitals;

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [
	'pg_vitals.max_slow_statements = 20',
	'pg_vitals.persist_interval = 0',
	'max_parallel_workers_per_gather = 0',
	'max_connections = 30',
	'max_worker_processes = 16',
	'jit = off' ]);

sub ask { return $node->safe_psql('postgres', shift); }

sub named
{
	my ($name, $on) = @_;
	my $session = session($on // $node);
	$session->query_safe("SET application_name = '$name'");
	return $session;
}

# Send a statement that waits for a lock, and wait until it does.
sub start { return wait_for_lock($node, @_); }

sub finish
{
	my ($session) = @_;
	$session->query('SELECT 1');
	$session->{stderr} = '';
	return;
}

# Rows "wait_event_type|wait_event|ms" of the executions of an application, the first
# wait of each.
sub mostly
{
	my ($application) = @_;
	return ask(qq{SELECT waits -> 0 ->> 'wait_event_type', waits -> 0 ->> 'wait_event', round((waits -> 0 ->> 'wait_time')::numeric),
		round(exec_time::numeric) FROM vitals.slow_statements WHERE application_name = '$application' ORDER BY ended_at});
}

ask(q{
	CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL);
	INSERT INTO item SELECT g, g FROM generate_series(1, 100) AS g;
	CREATE ROLE fast LOGIN; CREATE ROLE slow LOGIN; CREATE ROLE never LOGIN;
	ALTER ROLE slow SET pg_vitals.slow_threshold = '0';
	ALTER ROLE never SET pg_vitals.slow_threshold = '-1';
	GRANT SELECT ON item TO PUBLIC});

# ----- waits of that very execution -----------------------------------------

my $holder = named('holder');
my $waiter = named('waiter');
$waiter->query_safe(q{SET pg_vitals.slow_threshold = '500ms'});
# before it, in the same session: nothing of this may show up
$waiter->query_safe('SELECT pg_sleep(0.3)') foreach 1 .. 2;
$holder->query_safe('BEGIN; UPDATE item SET n = 0 WHERE id = 1');
start('waiter', $waiter, 'UPDATE item SET n = 1 WHERE id = 1');
sleep(1);
$holder->query_safe('COMMIT');
finish($waiter);
is(ask(q{SELECT count(*), string_agg(query, ';') FROM vitals.slow_statements WHERE application_name = 'waiter'}),
	'1|UPDATE item SET n = $1 WHERE id = $2', 'the one that waited, and no other');
my ($type, $event, $ms, $took) = split /\|/, mostly('waiter');
is("$type|$event", 'Lock|transactionid', 'a lock waiter waited for its lock');
cmp_ok($took, '>', 900, 'it took what it waited');
cmp_ok($ms, '>', 0.5 * $took, 'nearly all of the time');
cmp_ok($ms, '<', 1.1 * $took + 120, 'and not more than there was');
is(ask(q{SELECT count(*) FROM vitals.slow_statements AS s, json_array_elements(waits) AS w
	WHERE application_name = 'waiter' AND w ->> 'wait_event' = 'PgSleep'}), 0, 'nothing of the statements before it');
# sleeping, then locking, in one statement
$holder->query_safe('BEGIN; UPDATE item SET n = 0 WHERE id = 2');
$waiter->query_safe(q{SET application_name = 'both'});
$waiter->query_until(qr/started/, "\\echo started\nSELECT pg_sleep(0.5), id FROM item WHERE id = 2 FOR UPDATE;\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'both' AND wait_event = 'transactionid'}) or die;
sleep(0.3);
$holder->query_safe('COMMIT');
finish($waiter);
is(ask(q{SELECT string_agg(w ->> 'wait_event', ',' ORDER BY w ->> 'wait_event') FROM vitals.slow_statements, json_array_elements(waits) AS w
	WHERE application_name = 'both' AND (w ->> 'wait_time')::float > 150}), 'PgSleep,transactionid', 'both of the waits of one execution');
# one that fails: the statement behind it has nothing of its waits
$waiter->query_safe(q{SET application_name = 'fails'});
$waiter->query(q{SET lock_timeout = 700});
$holder->query_safe('BEGIN; UPDATE item SET n = 0 WHERE id = 3');
$waiter->query('UPDATE item SET n = 1 WHERE id = 3');
like($waiter->{stderr}, qr/lock timeout/, 'a statement runs into its lock_timeout');
$waiter->{stderr} = '';
$waiter->query_safe('SELECT pg_sleep(0.6)');
$holder->query_safe('COMMIT');
is(ask(q{SELECT sqlstate, waits -> 0 ->> 'wait_event', query FROM vitals.slow_statements WHERE application_name = 'fails' ORDER BY ended_at}),
	"55P03|transactionid|UPDATE item SET n = \$1 WHERE id = \$2\n|PgSleep|SELECT pg_sleep(\$1)", 'and is recorded with its SQLSTATE and wait');
# inside functions: each execution has its own, however often its statement has been run
# in the same one of the client; so have those that fail, are told in parts (a cursor), or are no queries
ask(q{
	CREATE FUNCTION naps() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE r record;
	BEGIN
		FOR i IN 1 .. 2 LOOP PERFORM pg_sleep(i * 0.4) AS nap; END LOOP;
		UPDATE item SET n = 7 WHERE id = 4;
		FOR r IN SELECT g AS part, pg_sleep(0.05) FROM generate_series(1, 12) AS g LOOP PERFORM pg_sleep(0.01) AS between; END LOOP;
		BEGIN
			SET LOCAL lock_timeout = 400; PERFORM n FROM item WHERE id = 5 FOR UPDATE;
		EXCEPTION WHEN lock_not_available THEN NULL;
		END;
		LOCK TABLE other_item;
	END $$;
	CREATE TABLE other_item (id int);
	CREATE FUNCTION calls_naps() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM naps() AS calling; END $$});
$holder->query_safe('BEGIN; UPDATE item SET n = 0 WHERE id IN (4, 5)');
my $other = named('other');
$other->query_safe('BEGIN; LOCK TABLE other_item');
my $nested = named('nested');
$nested->query_safe(q{SET pg_vitals.track = 'all'; SET pg_vitals.slow_threshold = 200});
start('nested', $nested, 'SELECT calls_naps()');
sleep(0.3);
$holder->query_safe('ROLLBACK; BEGIN; UPDATE item SET n = 0 WHERE id = 5');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'nested' AND wait_event = 'relation'}) or die;
sleep(0.3);
$other->query_safe('ROLLBACK');
finish($nested);
$holder->query_safe('ROLLBACK');
$other->quit;
my @inside = map { [ split /\|/ ] } split /\n/, ask(q{SELECT query, waits IS NULL, waits -> 0 ->> 'wait_event', exec_time,
		waits -> 0 ->> 'wait_time' FROM vitals.slow_statements WHERE application_name = 'nested' AND NOT toplevel ORDER BY ended_at});
is(join("\n", map { "$$_[0]|$$_[1]|" . ($$_[2] // '') } @inside), join("\n",
	('SELECT pg_sleep($1 * $2) AS nap|f|PgSleep') x 2,
	'UPDATE item SET n = $1 WHERE id = $2|f|transactionid', 'SELECT g AS part, pg_sleep($1) FROM generate_series($2, $3) AS g|f|PgSleep',
	'SELECT n FROM item WHERE id = $1 FOR UPDATE|f|transactionid', 'LOCK TABLE other_item|f|relation', 'SELECT naps() AS calling|t|'),
	'executions inside functions have their own waits; of one in which others were executed they are not known');
foreach my $row (grep { $$_[1] eq 'f' } @inside)
{
	cmp_ok($$row[4], '<', $$row[3] * 1.1 + 50, "$$row[0]: not more than there was, $$row[3] ms");
	cmp_ok($$row[4], '>', $$row[3] * 0.6 - 50, 'most of it');
}
is(ask(q{SELECT count(*) FROM vitals.slow_statements, json_array_elements(waits) AS w
	WHERE application_name = 'nested' AND NOT toplevel AND w ->> 'wait_event' <> waits -> 0 ->> 'wait_event' AND (w ->> 'wait_time')::float > 100}), 0,
	'and nothing of the others\'');
$nested->quit;
# a terminated session
my $victim = named('victim');
$victim->query_safe(q{SET pg_vitals.slow_threshold = '100ms'});
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
$victim->query_until(qr/started/, "\\echo started\nSELECT count(*), pg_sleep(60) FROM item;\n");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'victim' AND wait_event = 'PgSleep'}) or die;
sleep(0.3);
ask("SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM vitals.slow_statements WHERE application_name = 'victim'})
  or die 'a terminated execution is not recorded';
is(ask(q{SELECT sqlstate, query FROM vitals.slow_statements WHERE application_name = 'victim'}), '57P01|SELECT count(*), pg_sleep($1) FROM item',
	'an execution that was terminated');
$victim->{run}->finish;

# ----- the extended protocol ------------------------------------------------

my $wire = Vitals::Wire->connect($node, 'postgres', 'slow');
$wire->parse('SELECT id, pg_sleep(0.1) FROM item WHERE id <= $1::int AND $2::text <> $3::text', 's')
  ->bind('s', '', 3, 'a', 'secret')->execute(2)->flush;
$wire->until('sC');
$wire->execute(0)->sync;
$wire->until('Z');
$wire->close;
is(ask(q{SELECT rows, exec_time > 250, json_array_length(parameters), parameters -> 2 ->> 'length', waits -> 0 ->> 'wait_event', parameter_values
	FROM vitals.slow_statements WHERE application_name = 'wire'}), '3|t|3|6|PgSleep|', 'a portal executed in two parts is one execution');

# ----- thresholds of roles --------------------------------------------------

sub as_role
{
	my ($role, $sql) = @_;
	local $ENV{PGUSER} = $role;
	return $node->safe_psql('postgres', $sql);
}

ask('SELECT vitals.reset()');
foreach my $role (qw(fast slow never))
{
	as_role($role, 'SELECT count(*) FROM item WHERE n = 7');
}
is(ask(q{SELECT username, query FROM vitals.slow_statements}), 'slow|SELECT count(*) FROM item WHERE n = $1', 'a threshold of a role holds for it alone');
ask(q{ALTER DATABASE postgres SET pg_vitals.slow_threshold = 0});
as_role($_, 'SELECT count(*) FROM item WHERE n = 8') foreach qw(fast slow never);
ask(q{ALTER DATABASE postgres RESET pg_vitals.slow_threshold});
is(ask(q{SELECT username, count(*) FROM vitals.slow_statements WHERE query ~ 'FROM item' AND username <> 'postgres' GROUP BY 1 ORDER BY 1}), "fast|1\nslow|2",
	'one of a database, where the role has none');
is(as_role('fast', q{SELECT DISTINCT username FROM vitals.slow_statements}), 'fast', 'each sees its own');

# ----- the ring -------------------------------------------------------------

ask('SELECT vitals.reset()');
as_role('slow', numbered(50, 'SELECT %d AS n FROM item LIMIT 1;') =~ s/AS n/AS q/gr . numbered(3, 'SELECT id FROM item LIMIT 1%d;'));
is(ask(q{SELECT count(*), count(*) FILTER (WHERE rows > 10) FROM vitals.slow_statements}), '20|3', 'the ring has the last ones');
is(ask(q{SELECT slow_statements > 53, slow_statements_max FROM vitals.info}), 't|20', 'vitals.info tells how many there were');
is(ask(q{SELECT string_agg(rows::text, ',' ORDER BY ended_at) FROM vitals.slow_statements WHERE rows > 10}), '11,12,13', 'in their order');
# texts that only the ring refers to go with their record
ask(q{SET pg_vitals.slow_threshold = 0; SET pg_vitals.slow_parameters = on; PREPARE p (text) AS SELECT count(*) FROM item WHERE id::text = $1;
} . join('', map { "EXECUTE p (repeat('x', 200));\n" } 1 .. 10));
my $with = ask('SELECT texts_bytes FROM vitals.info');
is(ask(q{SELECT count(*) FROM vitals.slow_statements WHERE length(parameter_values) > 200}), 10, 'values are kept');
as_role('slow', numbered(20, 'SELECT %d AS q FROM item LIMIT 1;'));
cmp_ok(ask('SELECT texts_bytes FROM vitals.info'), '<', $with - 2000, 'and go with their rows');
is(ask(q{SELECT count(parameter_values) FROM vitals.slow_statements}), 0, 'all of them');
# many sessions at once
my @sessions = map { session($node) } 1 .. 8;
$_->query_until(qr/started/, "\\echo started\n\\o /dev/null\nSET pg_vitals.slow_threshold = 0;\n" . "SELECT count(*) FROM item;\n" x 200 . "\\o\n") foreach @sessions;
finish($_) foreach @sessions;
is(ask(q{SELECT count(*), count(query) FROM vitals.slow_statements}), '20|20', 'sessions that push each other out of the ring');
$_->quit foreach @sessions;
ask('SELECT vitals.reset()');
is(ask('SELECT count(*) FROM vitals.slow_statements'), 0, 'a reset empties it');
cmp_ok(ask(q{SELECT texts_bytes FROM vitals.info}), '<', 3000, 'and no text is left over');

# ----- the log --------------------------------------------------------------

my $offset = -s $node->logfile;
ask(q{SET pg_vitals.slow_threshold = 0; SET pg_vitals.slow_log = on; SET pg_vitals.slow_parameters = on; SET application_name = 'with "quotes"';
	PREPARE q (text, int) AS SELECT count(*), 'constant' FROM item WHERE id::text = $1 AND n > $2;
	EXECUTE q ('hidden', 5); EXECUTE q ('hidden', 5)});
$node->psql('postgres', q{SET pg_vitals.slow_threshold = 0; SET pg_vitals.slow_log = on; SELECT 1 / (n - n), 'constant' FROM item});
my @lines = log_tail($node, $offset) =~ /LOG:  slow statement: (\{.*\})$/mg;
my @objects = map { decode_json($_) } @lines;
my ($object) = grep { ($_->{query} // '') =~ /id::text/ && $_->{rows_counted} } @objects;
ok($object, 'the log has a line of it');
is($object->{application_name}, 'with "quotes"', 'strings are escaped');
is_deeply($object->{parameters}, [ { type_oid => 25, length => 6, null => JSON::PP::false }, { type_oid => 23, length => 4, null => JSON::PP::false } ],
	'types and lengths of parameters');
is($object->{plan}[0]{Plan}{'Node Type'}, 'Aggregate', 'the plan');
cmp_ok($object->{plan}[0]{Plan}{Plans}[0]{'Actual Rows'}, '==', 0, 'with rows that were counted');
cmp_ok($object->{exec_time}, '>', 0, 'the time');
my ($failed) = grep { defined $_->{sqlstate} } @objects;
is($failed->{sqlstate} . $failed->{query}, '22012SELECT $1 / (n - n), $2 FROM item', 'what failed');
unlike(join("\n", @lines), qr/hidden|constant/, 'no value and no constant');
my %column = map { $_ => 1 } split /\n/, ask(q{SELECT attname FROM pg_attribute WHERE attrelid = 'vitals.slow_statements'::regclass AND attnum > 0});
is(join(' ', grep { !$column{$_} } sort keys %{ { map { %$_ } @objects } }), '', 'by the names that the view has');
$offset = -s $node->logfile;
ask(q{SET pg_vitals.slow_threshold = 0; SELECT count(*) FROM item});
unlike(log_tail($node, $offset), qr/slow statement/, 'and nothing if it is not switched on');

# ----- rows in parallel -----------------------------------------------------

ask('SELECT vitals.reset()');
ask(q{CREATE TABLE many AS SELECT g AS id, g % 100 AS a, g % 100 AS b FROM generate_series(1, 30000) AS g; ANALYZE many;
	ALTER TABLE many SET (parallel_workers = 2)});
my $parallel = q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
	SET pg_vitals.slow_threshold = 0; SET parallel_leader_participation = off;};
ask(qq{$parallel SELECT count(*) FROM many WHERE a = 5 AND b = 5; SELECT count(*) FROM many WHERE a = 6 AND b = 6});
is(ask(q{SELECT node_type, relation, direction, round(estimated_rows), actual_rows, loops FROM vitals.misestimates WHERE NOT inherited}),
	'Seq Scan|public.many|underestimated|2|150|2', 'rows of a parallel scan are per process, of all processes');
like(ask(q{SELECT plan FROM vitals.slow_statements WHERE rows_counted AND query ~ 'many'}), qr/Parallel Seq Scan on public.many .*actual rows=150(\.00)? loops=2/,
	'as in the plan');
ask(qq{$parallel SELECT vitals.reset(); SET max_parallel_workers = 0; SELECT count(*) FROM many WHERE a = 5 AND b = 5; SELECT count(*) FROM many WHERE a = 6 AND b = 6});
is(ask(q{SELECT count(*) FROM vitals.misestimates WHERE node_type ~ 'Scan'}), 0, 'without the workers that it was planned for it is not judged');

# ----- beside others who count ----------------------------------------------

foreach my $analyze ('off', 'on')
{
	$offset = -s $node->logfile;
	ask(qq{LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = $analyze; SET auto_explain.log_timing = off;
		SET pg_vitals.slow_threshold = 0; SELECT count(*) AS $_ FROM many WHERE a = 5 AND b = 5; SELECT count(*) AS $_ FROM many WHERE a = 5 AND b = 5})
	  foreach 'explained';
	my @plans = log_tail($node, $offset) =~ /(Seq Scan on many .*)/g;
	is(scalar @plans, 2, "auto_explain with log_analyze $analyze logs both executions");
	is(scalar(grep { /actual rows=300(\.00)? loops=1/ } @plans), $analyze eq 'on' ? 2 : 0, 'with its own counts, and no others');
}

# ----- restarts, standbys ---------------------------------------------------

my $misestimates = q{SELECT to_jsonb(m) FROM vitals.misestimates AS m ORDER BY fingerprint, planid, node};
my $before = ask($misestimates);
like($before, qr/public\.many/, 'there are misestimates');
$node->restart;
is(ask($misestimates), $before, 'a restart keeps every column of them');
is(ask('SELECT count(*) FROM vitals.slow_statements'), 0, 'the ring begins anew');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', q{SELECT vitals.reset(); SET pg_vitals.slow_threshold = 0; SET pg_vitals.slow_parameters = on;
	PREPARE p (int) AS SELECT count(*), pg_sleep(0.1) FROM many WHERE a = $1 AND b = $1; EXECUTE p (1); EXECUTE p (2)});
is($standby->safe_psql('postgres', q{SELECT parameter_values, rows_counted, waits -> 0 ->> 'wait_event', plan ~ 'actual rows=300' FROM vitals.slow_statements
	WHERE query ~ 'many' ORDER BY ended_at}), "\$1 = '1'|f|PgSleep|f\n\$1 = '2'|t|PgSleep|t", 'a standby records its own');
is($standby->safe_psql('postgres', q{SELECT node_type, relation, actual_rows FROM vitals.misestimates WHERE NOT inherited}), 'Seq Scan|public.many|300', 'and finds misestimates');
$standby->stop;
# a crash
ask(q{SET pg_vitals.slow_threshold = 0; SELECT count(*) FROM item});
$node->stop('immediate');
$node->start;
is(ask('SELECT count(*) FROM vitals.slow_statements'), 0, 'a crash empties the ring');
ask(q{SET pg_vitals.slow_threshold = 0; SELECT count(*) FROM item});
is(ask(q{SELECT count(*) FROM vitals.slow_statements WHERE query ~ 'count'}), 1, 'which goes on');
# without room for any
$node->append_conf('postgresql.conf', 'pg_vitals.max_slow_statements = 0');
$node->restart;
$offset = -s $node->logfile;
ask(q{SET pg_vitals.slow_threshold = 0; SET pg_vitals.slow_log = on; SET pg_vitals.slow_parameters = on; SELECT count(*) FROM item; SELECT count(*) FROM item});
is(ask('SELECT count(*) FROM vitals.slow_statements'), 0, 'a ring without room keeps nothing');
like(log_tail($node, $offset), qr/slow statement: /, 'but there is the log');
unlike(slurp_file($node->logfile), qr/WARNING|leak|PANIC|terminated by signal/, 'nothing is wrong in the log');

$holder->quit if $holder->{run}->pumpable;
done_testing();
