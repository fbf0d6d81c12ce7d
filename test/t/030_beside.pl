# When this fails, pg_vitals and an extension that uses the same hooks disturb each
# other: one of them counts, plans, logs or allows something else than it does when
# it is alone, in one order of loading at least.
#
# The extensions are contrib's and those that the distribution has (test/setup
# installs them); one that is not there is skipped.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $libdir = `$ENV{PG_CONFIG} --pkglibdir`;
my $log_offset;
my $node;
chomp $libdir;

# Each: the library, what it is set to, the extensions that go with it, the database
# where they are created, and what it did, told so that it can be compared.
my @others = (
	{
		library => 'pg_stat_statements',
		conf => ['pg_stat_statements.track = all', 'pg_stat_statements.track_planning = on'],
		probe => q{SELECT query, toplevel, calls, rows, plans FROM pg_stat_statements
			WHERE userid = 'tester'::regrole ORDER BY query COLLATE "C", toplevel, calls, rows, plans},
	},
	{
		library => 'auto_explain',
		conf => ['auto_explain.log_min_duration = 0', 'auto_explain.log_analyze = on',
			'auto_explain.log_nested_statements = on', 'auto_explain.log_buffers = on'],
		extension => '',
		log => qr/ tester .*duration: [^\n]* plan:/,
	},
	{
		library => 'pg_stat_kcache',
		probe => q{SELECT count(*) FROM pg_stat_kcache() WHERE userid = 'tester'::regrole},
	},
	{
		library => 'pg_qualstats',
		conf => ['pg_qualstats.sample_rate = 1'],
		probe => q{SELECT left(opno::regoperator::text, 30), eval_type, sum(occurences), sum(nbfiltered)
			FROM pg_qualstats WHERE userid = 'tester'::regrole GROUP BY 1, 2 ORDER BY 1, 2},
	},
	{
		library => 'pg_wait_sampling',
		probe => q{SELECT count(*) > 0 FROM pg_wait_sampling_current},
	},
	{
		library => 'pg_stat_plans',
		probe => q{SELECT sum(calls) FROM pg_stat_plans WHERE userid = 'tester'::regrole},
	},
	{
		library => 'powa',
		conf => ['powa.frequency = -1'],
		database => 'powa',
		needs => ['btree_gist', 'pg_stat_statements'],
		probe => q{SELECT powa_take_snapshot()},
	},
	{
		library => 'pgaudit',
		conf => [q{pgaudit.log = 'all'}],
		log => qr/ tester .*AUDIT: /,
	},
	{
		library => 'pg_hint_plan',
		probe => q{/*+ SeqScan(item) */ EXPLAIN (COSTS OFF) SELECT name FROM item WHERE id = 17},
	},
	{
		# auto_explain beside pg_stat_statements looks at what a plain EXPLAIN planned, too late
		library => 'hypopg',
		probe => q{SET auto_explain.log_min_duration = -1;
			SELECT 1 FROM hypopg_create_index('CREATE INDEX ON item (name)');
			SET enable_seqscan = off;
			SELECT count(*) FROM item WHERE name = 'item 3';
			EXPLAIN (COSTS OFF) SELECT * FROM item WHERE name = 'item 3'},
	},
	{
		library => 'plpgsql_check',
		conf => ['plpgsql_check.profiler = on'],
		probe => q{SELECT plpgsql_profiler_reset('total(int)'); SELECT total(5);
			SELECT lineno, exec_stmts FROM plpgsql_profiler_function_statements_tb('total(int)');
			SELECT plpgsql_check_function('bad()')},
	},
	{
		# preloaded, 4.2.1 keeps those before it from getting shared memory
		library => 'plprofiler',
		preload => 0,
		probe => q{LOAD 'plprofiler'; SELECT pl_profiler_set_enabled_local(true); SELECT total(3);
			SELECT line_number, exec_count FROM pl_profiler_linestats_local() WHERE exec_count > 0 ORDER BY 1},
	},
	{ library => 'plugin_debugger', extension => 'pldbgapi', probe => q{SELECT count(*) FROM pldbg_get_proxy_info()} },
	{
		library => 'set_user',
		probe => q{SELECT set_user('tester'); SELECT current_user; SELECT reset_user()},
	},
	{
		library => 'pgextwlist',
		conf => [q{extwlist.extensions = 'pageinspect'}],
		extension => '',
		probe => q{SET ROLE tester; CREATE EXTENSION pageinspect; RESET ROLE;
			SELECT extname FROM pg_extension WHERE extname = 'pageinspect'; DROP EXTENSION pageinspect},
	},
	{
		library => 'credcheck',
		conf => ['credcheck.password_min_length = 9'],
		refuses => q{CREATE ROLE short_one PASSWORD 'eight888'},
	},
	{
		library => 'pg_cron',
		conf => [q{cron.database_name = 'postgres'}, 'cron.use_background_workers = on'],
		wait => q{DELETE FROM cron.job_run_details;
			SELECT cron.schedule('often', every, 'SELECT 4711 AS by_cron') FROM every},
		# before 1.5 there was nothing shorter than a minute, which we do not wait for
		until => q{SELECT every = '* * * * *' FROM every
			UNION ALL SELECT true FROM cron.job_run_details WHERE status = 'succeeded' ORDER BY 1 DESC LIMIT 1},
		probe => q{SELECT cron.unschedule('often'); SELECT count(*) FROM cron.job},
	},
	{
		# with plpgsql_check before it the server does not start, whoever else is there
		library => 'pglogical',
		apart => 1,
		conf => ['wal_level = logical', 'track_commit_timestamp = on'],
		database => 'pglogical',
		probe => q{SELECT 1 FROM pglogical.create_node('here', 'dbname=pglogical');
			SELECT pglogical.replicate_ddl_command('CREATE TABLE public.told (id int PRIMARY KEY)');
			SELECT pglogical.replication_set_add_all_tables('default', '{public}');
			DROP TABLE told CASCADE; SELECT pglogical.drop_node('here')},
	},
	{
		# its INSERT crashes beside one of the others, whoever else is there (18)
		library => 'timescaledb',
		apart => 1,
		conf => ['timescaledb.telemetry_level = off'],
		database => 'timescaledb',
		probe => q{CREATE TABLE metric (at timestamptz NOT NULL, v int);
			SELECT 1 FROM create_hypertable('metric', 'at');
			INSERT INTO metric SELECT '2024-01-01Z'::timestamptz + g * interval '1 day', g FROM generate_series(1, 30) AS g;
			SELECT count(*), sum(v) FROM metric WHERE at > '2024-01-10Z';
			SELECT count(*) FROM show_chunks('metric'); DROP TABLE metric},
	},
);

my $schema = q{
	CREATE ROLE tester LOGIN;
	CREATE TABLE item (id int PRIMARY KEY, grp int, name text);
	INSERT INTO item SELECT g, g % 10, 'item ' || g FROM generate_series(1, 3000) AS g;
	CREATE TABLE part (id int PRIMARY KEY, item int);
	INSERT INTO part SELECT g, g % 100 FROM generate_series(1, 400) AS g;
	CREATE INDEX ON part (item);
	CREATE TABLE author (id int PRIMARY KEY, n int);
	INSERT INTO author SELECT g * 7919 % 10007, g FROM generate_series(1, 40) AS g;
	CREATE TABLE post (id int PRIMARY KEY, author int REFERENCES author);
	INSERT INTO post SELECT a.n * 10 + g, a.id FROM author AS a, generate_series(1, 3) AS g;
	CREATE TABLE log (id serial, what text);
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO log (what) VALUES (TG_OP); RETURN NULL; END $$;
	CREATE TRIGGER touch AFTER UPDATE ON item FOR EACH STATEMENT EXECUTE FUNCTION touch();
	CREATE FUNCTION total(n int) RETURNS bigint LANGUAGE plpgsql AS $$
		DECLARE r record; t bigint := 0; c bigint;
		BEGIN
			FOR r IN SELECT id FROM item WHERE id <= n LOOP
				SELECT count(*) INTO c FROM part WHERE item = r.id;
				t := t + c;
			END LOOP;
			RETURN t;
		END $$;
	CREATE FUNCTION swallow() RETURNS int LANGUAGE plpgsql AS $$
		BEGIN PERFORM 10 / (id - 1) FROM part AS failing WHERE id < 3; RETURN 1;
		EXCEPTION WHEN division_by_zero THEN RETURN 2; END $$;
	CREATE FUNCTION bad() RETURNS int LANGUAGE plpgsql AS $$
		BEGIN RETURN (SELECT no_such_column FROM item); END $$;
	CREATE PROCEDURE step(n int) LANGUAGE plpgsql AS $$
		BEGIN FOR i IN 1 .. n LOOP INSERT INTO log (what) VALUES ('step' || i); COMMIT; END LOOP; END $$;
	CREATE VIEW every AS
		SELECT CASE WHEN substring(extversion FROM '^[0-9]+[.][0-9]+')::numeric >= 1.5
			THEN '1 seconds' ELSE '* * * * *' END AS every
		FROM pg_extension WHERE extname = 'pg_cron';
	GRANT ALL ON ALL TABLES IN SCHEMA public TO tester;
	GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO tester;
	GRANT CREATE ON DATABASE postgres TO tester;
	VACUUM ANALYZE;
};

my $workload = q{
	SELECT count(*) FROM item;
	SELECT id FROM item WHERE id IN (1, 2, 3);
	SELECT 1 AS one \; SELECT id FROM part WHERE id < 4 \; SELECT name, 2 FROM item WHERE id = 9;
	INSERT INTO log (what) VALUES ('a'), ('b'), ('c');
	INSERT INTO log (what) SELECT name FROM item WHERE id < 50 RETURNING id;
	UPDATE item SET name = name WHERE grp = 3;
	SELECT total(6);
	SELECT swallow();
	CALL step(3);
	DO $$ BEGIN PERFORM count(*) FROM part WHERE id < 10; END $$;
	SELECT 1 / 0;
	SELECT nothing FROM nowhere;
	SELEC 1;
	INSERT INTO item (id) VALUES (1);
	SET statement_timeout = '50ms';
	SELECT pg_sleep(30);
	RESET statement_timeout;
	BEGIN;
	DECLARE a CURSOR FOR SELECT id FROM item ORDER BY id;
	DECLARE b SCROLL CURSOR WITH HOLD FOR SELECT id FROM part ORDER BY id;
	FETCH 3 FROM a;
	FETCH 2 FROM b;
	FETCH 3 FROM a;
	FETCH BACKWARD 1 FROM b;
	CLOSE a;
	SAVEPOINT s;
	SELECT 2 / 0;
	ROLLBACK TO s;
	COMMIT;
	FETCH 4 FROM b;
	CLOSE b;
	EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM part WHERE id < 5;
	EXPLAIN SELECT id FROM part WHERE id < 5;
	PREPARE p (int) AS SELECT name FROM item WHERE id = $1;
	EXECUTE p (1);
	EXECUTE p (2);
	DEALLOCATE p;
	CREATE TEMP TABLE made AS SELECT id, grp FROM item WHERE id < 100;
	COPY (SELECT id FROM made) TO STDOUT;
	CREATE MATERIALIZED VIEW pg_temp_like AS SELECT 1;
	/*+ SeqScan(item) */ SELECT name FROM item WHERE id = 18;
	SET parallel_setup_cost = 0;
	SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0;
	SET max_parallel_workers_per_gather = 2;
	SELECT grp, count(*) FROM item GROUP BY grp ORDER BY grp;
	EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(id) FROM item;
	BEGIN;
	SELECT id FROM author WHERE n <= 8 ORDER BY n;
} . join('', map { "SELECT id FROM post WHERE author = $_;\n" } map { $_ * 7919 % 10007 } 1 .. 8) . "COMMIT;\n";

my $counted = q{
	SELECT query, toplevel, calls, rows, failures, timeouts, plans FROM vitals.statements
	WHERE username = 'tester' ORDER BY query COLLATE "C", toplevel, calls, rows, failures, plans};
my $found = q{
	SELECT kind, confidence, link, bursts, repeats, query FROM vitals.n_plus_one
	WHERE username = 'tester' ORDER BY kind, query COLLATE "C"};

my @present = grep { -e "$libdir/$_->{library}.so" } @others;
my %told;

# A server of its own for each set of libraries: some extensions cannot stay behind in
# a database when their library is not loaded.
sub prepare_node
{
	my ($name) = @_;

	$node->stop if $node;
	$node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', join "\n",
		'log_statement = none', 'autovacuum = off', 'max_worker_processes = 20',
		q{log_line_prefix = '%m [%p] %u '}, 'compute_query_id = on', 'track_io_timing = on',
		q{include_if_exists 'libraries.conf'}, '');
	$node->start;
	$node->safe_psql('postgres', $schema);
	$node->safe_psql('postgres', "CREATE DATABASE $_")
	  for grep { defined } map { $_->{database} } @present;
	return;
}

# Restart the server with these libraries, ours by its name, and their extensions.
sub load
{
	my @libraries = @_;
	my @ours = grep { $_ eq 'pg_vitals' } @libraries;
	my @loaded = grep { my $other = $_; grep { $_ eq $other->{library} } @libraries } @present;
	my @late = map { $_->{library} } grep { defined $_->{preload} } @loaded;
	my @preloaded = grep { my $library = $_; !grep { $_ eq $library } @late } @libraries;
	my $conf = join "\n", q{shared_preload_libraries = '} . join(', ', @preloaded) . q{'},
	  (map { @{ $_->{conf} // [] } } @loaded),
	  @ours ? ('pg_vitals.track = all', q{pg_vitals.n_plus_one_max_gap = '60s'}) : (), '';

	$node->stop;
	spew_binary($node->data_dir . '/libraries.conf', $conf);
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS pg_vitals') if @ours;
	create($_) for @loaded;
	return @loaded;
}

sub create
{
	my ($other) = @_;

	$node->safe_psql($other->{database} // 'postgres', "CREATE EXTENSION IF NOT EXISTS $_")
	  for grep { $_ ne '' } @{ $other->{needs} // [] }, $other->{extension} // $other->{library};
	return;
}

# The workload with these libraries; what each of them tells is kept under the label.
sub observe
{
	my ($label, @libraries) = @_;
	my @loaded = load(@libraries);
	my $ours = grep { $_ eq 'pg_vitals' } @libraries;

	$node->safe_psql('postgres', 'SELECT vitals.reset()') if $ours;
	for my $other (@loaded)
	{
		$node->safe_psql('postgres', "SELECT $other->{library}_reset()")
		  if $other->{library} =~ /^pg_(stat_statements|stat_kcache|qualstats)$/;
	}
	$log_offset = -s $node->logfile;
	my ($status, $out, $err) = $node->psql('postgres', $workload, on_error_stop => 0,
		extra_params => [ '-U', 'tester' ]);
	is($status, 0, "$label: the session lives to its end");
	$told{$label}{errors} = join "\n", grep { !/NOTICE/ } $err =~ /^.*ERROR: .*$/mg;
	if ($ours)
	{
		$told{$label}{counted} = $node->safe_psql('postgres', $counted);
		$told{$label}{found} = $node->safe_psql('postgres', $found);
	}
	$told{$label}{ $_->{library} } = ask($_) for @loaded;
	unlike(log_tail($node, 0), qr/PANIC:|was terminated by signal|TRAP:/, "$label: nothing crashed");
	return;
}

# These without us, before us and behind us: all tell the same.
sub compare
{
	my ($label, @with) = @_;
	my @names = map { $_->{library} } @with;

	return if !@names;
	observe("$label, without", @names);
	observe("$label, first", 'pg_vitals', @names);
	observe("$label, last", @names, 'pg_vitals');
	for my $order ("$label, first", "$label, last")
	{
		is($told{$order}{$_}, $told{alone}{$_}, "$order: pg_vitals tells the same as alone: $_")
		  for 'errors', 'counted', 'found';
		is($told{$order}{$_}, $told{"$label, without"}{$_}, "$order: $_ tells the same as without us")
		  for @names;
	}
	return;
}

sub ask
{
	my ($other) = @_;
	my $database = $other->{database} // 'postgres';

	if ($other->{log})
	{
		my @lines = log_tail($node, $log_offset) =~ /$other->{log}/g;
		return scalar @lines;
	}
	if ($other->{refuses})
	{
		my ($status, $out, $err) = $node->psql($database, $other->{refuses});
		return $err;
	}
	if ($other->{wait})
	{
		$node->safe_psql($database, $other->{wait});
		$node->poll_query_until($database, $other->{until})
		  or return "$other->{library} did not come to: $other->{until}";
	}
	my ($status, $out, $err) = $node->psql($database, $other->{probe});
	return "$out\n$err" =~ s/<\d+>/<number>/gr;
}

prepare_node('together');
observe('alone', 'pg_vitals');
like($told{alone}{counted}, qr/\|t\|1\|/, 'there is something to compare');
like($told{alone}{found}, qr/^n_plus_one\|proven\|post\.author → author\.id\|1\|8\|/m, 'an N+1 was found');
compare('together', grep { !$_->{apart} } @present);
for my $other (grep { $_->{apart} } @present)
{
	prepare_node($other->{library});
	compare($other->{library}, $other);
}
for my $other (@others)
{
	next if grep { $_ eq $other } @present;
  SKIP: { skip "$other->{library} is not installed", 1; }
}
if ($ENV{PGV_SHOW})
{
	for my $label (sort keys %told)
	{
		note("--- $label: $_\n$told{$label}{$_}") for sort keys %{ $told{$label} };
	}
}

$node->stop;
done_testing();
