# When this fails, a query with parallel workers is counted more than once, or
# without the work of its workers.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'pg_vitals.track = all',
	'max_worker_processes = 8',
	'max_parallel_workers = 4' ]);

$node->safe_psql('postgres', q{
	CREATE TABLE t (id int, filler text) WITH (parallel_workers = 2);
	INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 20000) AS g;
	CREATE FUNCTION counted() RETURNS bigint LANGUAGE plpgsql
		AS $$ BEGIN RETURN (SELECT count(filler) FROM t WHERE id > 10); END $$;
	VACUUM ANALYZE t});
my $pages = $node->safe_psql('postgres', q{SELECT relpages FROM pg_class WHERE relname = 't'});
my $parallel = q{
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
	SET parallel_leader_participation = off;};

like($node->safe_psql('postgres', "$parallel EXPLAIN (ANALYZE) SELECT count(*) FROM t WHERE id > 100"),
	qr/Workers Launched: 2/, 'there are workers');
$node->safe_psql('postgres', 'SELECT vitals.reset()');

# Calls, rows, and the blocks of the whole table, once.
sub counted
{
	my ($query, $toplevel) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT calls, plans, rows, shared_blks_hit + shared_blks_read BETWEEN $pages AND $pages * 1.5
		FROM vitals.statements WHERE query = \$q\$$query\$q\$ AND toplevel = $toplevel});
}

$node->safe_psql('postgres', "$parallel SELECT count(*) FROM t WHERE id > 1;");
is(counted('SELECT count(*) FROM t WHERE id > $1', 'true'), '1|1|1|t', 'an aggregate');
$node->safe_psql('postgres', "$parallel SELECT id FROM t WHERE id > 5000;");
is(counted('SELECT id FROM t WHERE id > $1', 'true'), '1|1|15000|t', 'rows through a Gather');
$node->safe_psql('postgres', "$parallel SELECT counted();");
is(counted('SELECT counted()', 'true'), '1|1|1|t', 'a function around a parallel query');
is(counted('SELECT (SELECT count(filler) FROM t WHERE id > $1)', 'false'), '1|1|1|t', 'the parallel query in it');
$node->safe_psql('postgres', "$parallel CREATE TABLE made AS SELECT id FROM t WHERE id > 19000;");
is(counted('SELECT id FROM t WHERE id > $1', 'false'), '1|1|1000|t', 'CREATE TABLE AS: the query in it');
$node->safe_psql('postgres', "$parallel EXPLAIN (ANALYZE) SELECT max(id) FROM t;");
is(counted('SELECT max(id) FROM t', 'false'), '1|1|1|t', 'EXPLAIN ANALYZE: the query in it');
$node->safe_psql('postgres', "$parallel PREPARE p AS SELECT min(id) FROM t; EXECUTE p; EXECUTE p;");
is($node->safe_psql('postgres', q{SELECT calls, rows FROM vitals.statements
	WHERE query = 'SELECT min(id) FROM t' AND toplevel}), '2|2', 'prepared');
$node->safe_psql('postgres', "$parallel SET max_parallel_maintenance_workers = 2; CREATE INDEX t_id ON t (id);");
is($node->safe_psql('postgres', q{SELECT calls FROM vitals.statements WHERE query = 'CREATE INDEX t_id ON t (id)' AND toplevel}),
	1, 'a parallel index build');
$node->psql('postgres', "$parallel SELECT sum(1 / (id - 7777)) FROM t;", on_error_stop => 0);
is($node->safe_psql('postgres', q{SELECT calls, failures FROM vitals.statements
	WHERE query = 'SELECT sum($1 / (id - $2)) FROM t'}), '1|1', 'a failure in a worker');
is($node->safe_psql('postgres', q{
	SELECT toplevel, calls, query FROM vitals.statements
	WHERE query ~ ' t( |$)' AND query !~ 'CREATE|EXPLAIN|sum|vitals' AND calls <> 1 AND query !~ 'min'}),
	'', 'nothing else was counted');

$node->stop;
done_testing();
