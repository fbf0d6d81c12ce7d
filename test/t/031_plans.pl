# When this fails, a plan has another id after a restart, on a standby, in a copy
# of the database or with another partition, or counts of plans are lost.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', init => { allows_streaming => 1 }, conf => [
	'pg_vitals.persist_interval = 0',
	'pg_vitals.max_plans = 200',
	'max_parallel_workers_per_gather = 0',
	'jit = off' ]);

my $schema = q{
	CREATE TABLE ware (gone int, id int, kind int, name text);
	INSERT INTO ware SELECT 0, g, g % 100, 'ware ' || g FROM generate_series(1, 20000) AS g;
	ALTER TABLE ware DROP COLUMN gone;
	CREATE INDEX ware_id ON ware (id);
	CREATE INDEX ware_kind ON ware (kind, name);
	CREATE TABLE sale (day int, ware int, price int) PARTITION BY RANGE (day);
	CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (0) TO (10);
	CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM (10) TO (20);
	CREATE TABLE sale_3 PARTITION OF sale FOR VALUES FROM (20) TO (30);
	CREATE INDEX sale_ware ON sale (ware);
	INSERT INTO sale SELECT g % 30, g, g FROM generate_series(1, 30000) AS g;
	ANALYZE};
my @statements = (
	'SELECT name FROM ware WHERE id = %d',
	'SELECT count(*) FROM ware WHERE kind < %d AND name > \'ware\'',
	'SELECT a.name FROM ware AS a JOIN ware AS b ON a.id = b.kind WHERE b.id < %d ORDER BY a.name',
	'SELECT kind, max(name) FROM ware WHERE id <> %d GROUP BY kind HAVING count(*) > 1',
	'SELECT id, (SELECT max(b.id) FROM ware AS b WHERE b.kind = a.id) FROM ware AS a WHERE a.id < %d',
	'SELECT price FROM sale WHERE ware = %d',
	'UPDATE ware SET name = name WHERE id = %d');

# The ids of their plans, of executions in this database.
sub ids
{
	my ($on, $dbname) = @_;

	return $on->safe_psql('postgres', qq{
		SELECT query, planid FROM vitals.plans
		WHERE datname = '$dbname' AND query ~ '^(SELECT|UPDATE).*(ware|sale)' ORDER BY 1, 2});
}

sub run_all
{
	my ($on, $dbname, @what) = @_;

	$on->safe_psql($dbname, join '', map { my $s = $_; map { sprintf "$s;\n", $_ } 3, 7 } @what);
}

# ----- restarts, copies, standbys -----------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('one', $schema);
run_all($node, 'one', @statements);
my $ids = ids($node, 'one');
is(scalar(split /\n/, $ids), scalar @statements, 'each statement has one plan');
my $all = q{SELECT to_jsonb(p) FROM vitals.plans AS p WHERE datname = 'one' ORDER BY fingerprint, planid};
my $before = $node->safe_psql('postgres', $all);
like($before, qr/Index Cond/, 'there are plans');
unlike($before, qr/"plan": null, "rows"[^\n]*FROM sale/, 'of each');
$node->restart;
is($node->safe_psql('postgres', $all), $before, 'a restart keeps every column of every plan');
run_all($node, 'one', @statements);
is(ids($node, 'one'), $ids, 'and a plan has the same id as before');
is($node->safe_psql('postgres', q{SELECT DISTINCT calls FROM vitals.plans WHERE datname = 'one' AND query ~ '(FROM|UPDATE) (ware|sale)'}),
	'4', 'so its executions go on in one row');

# other OIDs, no dropped column, partitions in another order
my $dump = $node->data_dir . '/../one.sql';
command_ok([ 'pg_dump', '-d', $node->connstr('one'), '-f', $dump ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE two');
command_ok([ 'psql', '-Xq', '-d', $node->connstr('two'), '-f', $dump ], 'restore');
$node->safe_psql('two', 'ANALYZE');
run_all($node, 'two', @statements);
is(ids($node, 'two'), $ids, 'in a copy made by dump and restore the ids are the same');

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my @reading = grep { /^SELECT/ } @statements;
run_all($standby, 'one', @reading);
is(ids($standby, 'one'), join("\n", grep { /^SELECT/ } split /\n/, $ids), 'and on a standby');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM vitals.plans WHERE datname = 'one' AND query ~ '^SELECT.*FROM (ware|sale)' AND plan IS NULL}),
	'0', 'which captures plans, too');
$standby->stop;

# ----- partitions ---------------------------------------------------------

sub plans_of
{
	my ($pattern) = @_;
	return $node->safe_psql('postgres',
		qq{SELECT count(DISTINCT planid), sum(calls) FROM vitals.plans WHERE datname = 'one' AND query ~ '$pattern'});
}

my $by_day = 'SELECT price FROM sale WHERE ware = 5 AND day BETWEEN %d AND %d';
$node->safe_psql('one', join '', map { sprintf "$by_day;\n", @$_ } [ 1, 2 ], [ 21, 22 ], [ 5, 15 ], [ 1, 29 ]);
is(plans_of('ware = \$1 AND day BETWEEN'), '1|4', 'whichever partitions are read: one plan');
$node->safe_psql('one', 'CREATE TABLE sale_4 PARTITION OF sale FOR VALUES FROM (30) TO (40);'
	  . 'INSERT INTO sale SELECT 30 + g % 10, g, g FROM generate_series(1, 10000) AS g; ANALYZE sale');
$node->safe_psql('one', sprintf "$by_day;\n", 1, 39);
is(plans_of('ware = \$1 AND day BETWEEN'), '1|5', 'likewise when there are more of them');
$node->safe_psql('one', 'DROP INDEX sale_ware; CREATE INDEX one_of_them ON sale_1 (ware); CREATE INDEX another ON sale_2 (ware)');
$node->safe_psql('one', join '', map { sprintf "$by_day;\n", @$_ } [ 1, 2 ], [ 11, 12 ], [ 1, 11 ]);
is(plans_of('ware = \$1 AND day BETWEEN'), '1|8', 'an index by another name is the same, on partitions');
$node->safe_psql('one', sprintf "$by_day;\n", 1, 39);
is(plans_of('ware = \$1 AND day BETWEEN'), '2|9', 'read in different manners: another plan');
$node->safe_psql('one', sprintf("$by_day;\n", 15, 35) . sprintf "$by_day;\n", 5, 25);
is(plans_of('ware = \$1 AND day BETWEEN'), '2|11', 'which is a set of them, not a list');
$node->safe_psql('one', sprintf "$by_day;\n", 31, 32);
is(plans_of('ware = \$1 AND day BETWEEN'), '3|12', 'one manner by itself: a third');

# ----- sessions -----------------------------------------------------------

my $first = session($node, 'one');
my $second = session($node, 'one');
$first->query_safe('SELECT id AS once FROM ware WHERE id = 1');
is($node->safe_psql('postgres', q{SELECT plan IS NULL FROM vitals.plans WHERE query ~ 'once'}), 't',
	'what was executed once is not captured');
$second->query_safe('SELECT id AS once FROM ware WHERE id = 2');
is($node->safe_psql('postgres', q{SELECT calls, plan ~ 'Index' FROM vitals.plans WHERE query ~ 'once'}), '2|t',
	'twice, be it in different sessions, it is');
$first->query_safe('SELECT name, pg_sleep(0.02) FROM ware WHERE id = 4');
is($node->safe_psql('postgres', q{SELECT calls, plan ~ 'Index' FROM vitals.plans WHERE query ~ 'pg_sleep'}), '1|t',
	'a slow one at once');
# prepared: the session goes on with its plan for the statement, and counts it
$first->query_safe('PREPARE p (int) AS SELECT id AS prepared FROM ware WHERE id = $1');
$first->query_safe('EXECUTE p (1)') foreach 1 .. 8;
is($node->safe_psql('postgres', q{SELECT calls, custom_plan_calls, generic_plan_calls FROM vitals.plans WHERE query ~ 'prepared'}),
	'8|5|3', 'generic and custom plans of one shape are one');
# in a transaction that goes on, in one that fails, and in a cursor
$first->query_safe($_) foreach 'BEGIN', 'DECLARE c CURSOR FOR SELECT id AS cursor FROM ware WHERE id < 5', 'FETCH 2 FROM c',
  'SAVEPOINT s', 'SELECT id, name, 1 FROM ware WHERE id = 2', 'SELECT id, name, 1 FROM ware WHERE id = 3', 'ROLLBACK TO s',
  'FETCH 2 FROM c', 'SELECT id, name, 1 FROM ware WHERE id = 4', 'COMMIT';
is($node->safe_psql('postgres', q{SELECT calls, plan IS NOT NULL FROM vitals.plans WHERE query ~ 'SELECT id, name'}), '3|t',
	'a capture in a transaction leaves it as it is');
# parallel
$node->safe_psql('one', q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SELECT count(*) AS many FROM ware WHERE name <> 'x'; SELECT count(*) AS many FROM ware WHERE name <> 'y'});
is($node->safe_psql('postgres', q{SELECT calls, plan ~ 'Workers Planned: [12]', plan ~ 'Parallel Seq Scan' FROM vitals.plans WHERE query ~ 'many'}), '2|t|t',
	'parallel plans, counted by their leader');

# ----- what happened around a change ----------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE moved');
$node->safe_psql('moved', $schema);
run_all($node, 'moved', $statements[0]);
$node->restart;
$node->safe_psql('moved', 'DROP INDEX ware_id; ANALYZE ware');
run_all($node, 'moved', $statements[0]);
$node->safe_psql('postgres', 'SELECT vitals.close_window()');
is($node->safe_psql('postgres', q{SELECT restarted = pg_postmaster_start_time(), conf_loaded <= changed_at, 'DROP INDEX ware_id' = ANY (preceded_by),
		'ANALYZE ware' = ANY (preceded_by) FROM vitals.plan_changes WHERE datname = 'moved' AND query = 'SELECT name FROM ware WHERE id = $1'}),
	't|t|t|t', 'a restart between two plans, and an index that was dropped');

# ----- a table that is full ----------------------------------------------

my $sums = q{SELECT sum(calls), sum(rows), round(sum(total_exec_time)::numeric, 3), sum(failures) FROM vitals.%s WHERE datname = 'three'%s};
$node->safe_psql('postgres', 'CREATE DATABASE three');
$node->safe_psql('three', numbered(500, 'WITH q_%d AS (SELECT FROM pg_am LIMIT 1) SELECT FROM q_%d;')) foreach 1, 2;
$node->psql('three', 'SELECT 1 / (random() * 0)::int FROM pg_am');
my $of_plans = $node->safe_psql('postgres', sprintf $sums, 'plans', '');
is($of_plans, $node->safe_psql('postgres', sprintf $sums, 'statements', ' AND total_plan_time > 0'), 'what is pushed out is added up');
like($of_plans, qr/^1001\|1000\|.*\|1$/, 'and all is there');
is($node->safe_psql('postgres', q{SELECT plans <= plans_max + 16, plans_max, plans_evicted > 300 FROM vitals.info}), 't|200|t', 'vitals.info tells');
$node->restart;
is($node->safe_psql('postgres', sprintf $sums, 'plans', ''), $of_plans, 'also after a restart');
$first->quit;
$second->quit;
unlike(slurp_file($node->logfile), qr/WARNING|leak|PANIC|terminated by signal/, 'nothing is wrong in the log');

done_testing();
