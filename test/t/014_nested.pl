# When this fails, a long loop in a function is not seen while it runs, a
# cancelled or terminated one loses what it did, a statement with variables is
# another one in another session, or a parallel query is disturbed.

use strict;
use warnings;

use lib 'test/t';
use Vitals;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = vitals_node('nested', conf => [ "pg_vitals.track = 'top'" ]);

$node->safe_psql('postgres', q{
	CREATE TABLE author (id int PRIMARY KEY, name text);
	INSERT INTO author SELECT g, 'author ' || g FROM generate_series(1, 500) AS g;
	CREATE TABLE gate (open int);
	CREATE FUNCTION name_of(a int) RETURNS text LANGUAGE plpgsql STABLE AS $$
	DECLARE n text; BEGIN SELECT name INTO n FROM author WHERE id = a; RETURN n; END $$;
	CREATE FUNCTION same_name_of(b int) RETURNS text LANGUAGE sql STABLE AS 'SELECT name FROM author WHERE id = b';
	CREATE FUNCTION parallel_name_of(a int) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
	DECLARE n text; BEGIN SELECT name INTO n FROM author WHERE id = a; RETURN n; END $$;
	-- n lookups, then a wait for the lock, then as many again
	CREATE FUNCTION long_loop(n int) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE t text;
	BEGIN
		FOR i IN 1 .. n LOOP SELECT name INTO t FROM author WHERE id = i; END LOOP;
		PERFORM pg_advisory_xact_lock(1);
		FOR i IN 1 .. n LOOP SELECT name INTO t FROM author WHERE id = i; END LOOP;
		RETURN n;
	END $$;
	ANALYZE author;
});

sub finding
{
	my ($name) = @_;

	return $node->safe_psql('postgres',
		"SELECT kind, repeats, bursts, query FROM vitals.n_plus_one WHERE application_name = '$name' ORDER BY 1, 4");
}

sub waits_for_lock
{
	my ($name) = @_;

	return $node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$name' AND wait_event_type = 'Lock'");
}

my $lookup = 'SELECT name FROM author WHERE id = $1';

# --- seen while it runs, with exact totals in the end

my $guard = session($node);
my $worker = session($node);
$guard->query_safe('SELECT pg_advisory_lock(1)');
$worker->query_safe("SET application_name = 'long'");
$worker->query_until(qr/started/, "\\echo started\nSELECT long_loop(40);\n");
ok(waits_for_lock('long'), 'the loop is half way');
is(finding('long'), "spi_loop|40|1|$lookup", 'reported in doublings while it runs');
$guard->query_safe('SELECT pg_advisory_unlock(1)');
$worker->query_safe('SELECT 1');
is(finding('long'), "spi_loop|80|1|$lookup", 'exact when it has ended, one burst for both loops');

# --- a second is long

$guard->query_safe('SELECT pg_advisory_lock(1)');
$worker->query_safe("SET application_name = 'slow'");
$worker->query_safe(q{
	CREATE FUNCTION slow_loop(n int) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE t text;
	BEGIN
		FOR i IN 1 .. n LOOP SELECT name INTO t FROM author WHERE id = i AND pg_sleep(0.21) IS NOT NULL; END LOOP;
		PERFORM pg_advisory_xact_lock(1);
		RETURN n;
	END $$});
$worker->query_until(qr/started/, "\\echo started\nSELECT slow_loop(11);\n");
ok(waits_for_lock('slow'), 'the slow loop is through');
like(finding('slow'), qr/^spi_loop\|(?:[6-9]|10|11)\|1\|/, 'reported after a second, doubled or not');
$guard->query_safe('SELECT pg_advisory_unlock(1)');
$worker->query_safe('SELECT 1');
like(finding('slow'), qr/^spi_loop\|11\|1\|/, 'exact when it has ended');

# --- cancelled, terminated

$guard->query_safe('SELECT pg_advisory_lock(1)');
for my $way ('cancel', 'terminate')
{
	$worker->query_safe("SET application_name = '$way'");
	$worker->query_until(qr/started/, "\\echo started\nSELECT long_loop(47);\n");
	ok(waits_for_lock($way), "$way: half way");
	$node->safe_psql('postgres',
		"SELECT pg_${way}_backend(pid) FROM pg_stat_activity WHERE application_name = '$way'");
	ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM vitals.n_plus_one WHERE application_name = '$way' AND repeats = 47"),
		"$way: all that was executed is counted");
	# its error, if it is still there to have one
	$worker->query('SELECT 1') if $way eq 'cancel';
	$worker->{stderr} = '';
	is(finding($way), "spi_loop|47|1|$lookup", "$way: once");
}
$worker->{run}->finish;
$guard->quit;

# --- one statement, whichever variable and whichever session

for my $order ([ 'name_of', 'same_name_of' ], [ 'same_name_of', 'name_of' ])
{
	for my $track ('top', 'all')
	{
		$node->safe_psql('postgres', join ";\n",
			"SET pg_vitals.track = '$track'", "SET application_name = 'order'",
			map { "SELECT $_(id) FROM author WHERE id <= 9" } @$order);
	}
}
is($node->safe_psql('postgres',
		q{SELECT count(DISTINCT fingerprint), sum(repeats) FROM vitals.n_plus_one WHERE application_name = 'order'}),
	'1|72', 'the same statement in every session');

# what was known is pushed out by 6,000 other statements, and by as many with variables
my $many = $node->safe_psql('postgres', q{
	SET pg_vitals.track = 'all';
	SET application_name = 'evicted';
	SELECT name_of(id) FROM author WHERE id <= 6;
	DO $$ BEGIN
		FOR i IN 1 .. 6000 LOOP EXECUTE format('SELECT id AS c%s FROM author WHERE id = 1', i); END LOOP;
	END $$;
	SELECT name_of(id) FROM author WHERE id <= 6;
	SELECT same_name_of(id) FROM author WHERE id <= 6;
	SELECT count(DISTINCT fingerprint), sum(repeats) FROM vitals.n_plus_one
	WHERE application_name = 'evicted' AND query LIKE 'SELECT name FROM author%';
});
like($many, qr/^1\|18$/m, 'still the same after 6,000 others');

# --- parallel workers

my $parallel = $node->safe_psql('postgres', q{
	SET application_name = 'parallel';
	SET parallel_setup_cost = 0;
	SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0;
	SET max_parallel_workers_per_gather = 2;
	SET parallel_leader_participation = off;
	SELECT count(*) FROM author WHERE parallel_name_of(id) = 'author 3';
	SET parallel_leader_participation = on;
	SELECT count(*) FROM author WHERE parallel_name_of(id) = 'author 3';
	SELECT count(*) <= 1, coalesce(sum(repeats), 0) <= 500 FROM vitals.n_plus_one WHERE application_name = 'parallel';
});
like($parallel, qr/^1\n1\nt\|t$/m, 'a parallel query: at most what the leader did');

$node->stop;
ok(!grep(/PANIC|TRAP|terminated by signal|leak/, split(/\n/, slurp_file($node->logfile))),
	'no crash, no leak');

done_testing();
