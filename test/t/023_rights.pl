# When this fails, a role sees what is another's, or does not see what it may;
# or there is a view, a column or a function of which nobody has said who may
# see it or call it.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [ 'pg_vitals.n_plus_one_max_gap = 60s' ]);

sub ask { return $node->safe_psql('postgres', shift); }

# A query of a role, by a login of its own.
sub ask_as
{
	my ($role, $sql) = @_;
	local $ENV{PGUSER} = $role;

	return $node->safe_psql('postgres', $sql);
}

# SQLSTATE and message of what a role may not do.
sub error_as
{
	my ($role, $sql) = @_;
	local $ENV{PGUSER} = $role;
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 0);

	return $err =~ /ERROR:\s+(.*)/ ? $1 : "no error: $out";
}

# ----- who there is, and what they do ---------------------------------------

# alice is a member of the group; holder of noinherit could take on a role that sees all.
$node->safe_psql('postgres', <<'END');
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE grp LOGIN ROLE alice;
CREATE ROLE plain LOGIN;
CREATE ROLE stats LOGIN IN ROLE pg_read_all_stats;
CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
CREATE ROLE noinherit LOGIN NOINHERIT IN ROLE pg_read_all_stats;
CREATE TABLE author (id int PRIMARY KEY, name text);
CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author, title text);
CREATE TABLE log (id int, note text);
INSERT INTO author SELECT g * 7, 'author ' || g FROM generate_series(1, 12) AS g;
INSERT INTO book SELECT g * 13, g * 7, 'book ' || g FROM generate_series(1, 12) AS g;
GRANT SELECT ON author, book TO PUBLIC;
GRANT INSERT ON log TO PUBLIC;
END
ask('SELECT vitals.reset()');
foreach my $role ('alice', 'bob', 'grp')
{
	ask_as($role, join("\n", "SET application_name = 'app_$role';",
		# a finding with parent, link, tags and suggestion
		"SELECT id, name AS of_$role FROM author ORDER BY id /*controller='list_$role'*/;",
		(map { "SELECT title AS of_$role FROM book WHERE author_id = " . 7 * $_ . " /*controller='list_$role'*/;" } 1 .. 12)));
	# an error
	like(error_as($role, "SELECT 1 / (id - id) AS of_$role FROM author;"), qr/^22012/, "$role: an error");
	# a transaction
	ask_as($role, "SET application_name = 'app_$role'; BEGIN; SELECT name AS of_$role FROM author /*controller='block_$role'*/; COMMIT");
	# a wait
	ask_as($role, "SET application_name = 'app_$role'; SELECT pg_sleep(2.2) AS of_$role /*controller='wait_$role'*/");
	# and a finding that is only suspected, which takes a steady pace
	my $suspected = 0;
	for (my $end = time + $PostgreSQL::Test::Utils::timeout_default; !$suspected && time < $end;)
	{
		ask_as($role, join("\n", "SET application_name = 'app_$role';",
			map { "INSERT INTO log (id, note) VALUES ($_, 'of_$role') /*controller='log_$role'*/;" } 1 .. 60));
		$suspected = ask("SELECT count(*) FROM vitals.n_plus_one_suspected WHERE username = '$role'");
	}
}

# what reading the views takes is not to be seen in them
ask(q{ALTER SYSTEM SET pg_vitals.sample_interval = 0});
ask('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM vitals.waits WHERE last_seen > clock_timestamp() - interval '1.5 s'})
  or die 'sampling goes on';

my @all = ('alice', 'bob', 'grp');
my %sees = (	# whose
	postgres => \@all, stats => \@all, monitor => \@all,
	alice => [ 'alice', 'grp' ], bob => ['bob'], grp => ['grp'], plain => [], noinherit => []);

# ----- views, row by row and column by column -------------------------------

# Of each view: which columns tell rows apart and what others see of a row, if
# they see it at all.  "text" has all columns that could hold somebody's text.
my %views = (
	statements => {
		key => "concat_ws('|', username, stats_since, first_seen, total_exec_time, total_plan_time)",
		text => [qw(username datname query)],
		of_others => { queryid => undef, fingerprint => undef, query => '<insufficient privilege>' },
	},
	resources => {
		key => "concat_ws('|', username, fingerprint, toplevel)", text => [qw(username datname query)] },
	plans => {
		key => "concat_ws('|', username, fingerprint, toplevel, planid)",
		text => [qw(username datname query plan plan_json)] },
	# it reads what statements, resources and waits read: see 033_statement_time.pl
	statement_time => { text => [qw(username datname query)], public => 1 },
	# it reads what plans reads: see sql/plan_changes.sql
	plan_changes => { text => [qw(username datname query preceded_by old_plan new_plan verdict)], public => 1 },
	# who sees values of parameters, and misestimates: sql/slow_statements.sql, sql/misestimates.sql
	slow_statements => {
		key => "concat_ws('|', username, started_at)",
		text => [qw(username datname application_name route query sqlstate waits parameters parameter_values plan plan_json)] },
	misestimates => { text => [qw(username datname query node_type relation direction)], public => 1 },
	n_plus_one => {
		text => [qw(kind confidence datname username application_name tags query parent_query link suggestion evidence)],
	},
	n_plus_one_suspected => {
		text => [qw(kind confidence datname username application_name tags query parent_query link suggestion evidence)],
	},
	routes => { text => [qw(datname username application_name tags route)] },
	transactions => { text => [qw(username datname application_name route fingerprints queries)] },
	# their rows, and what of them may be seen: 034_transactions.pl and 035_deadlocks.pl
	transactions_now => { text => [qw(username datname application_name phase route query)], public => 1 },
	deadlocks => { text => [qw(username datname application_name query lock_type lock_mode lock_relation)], public => 1 },
	errors => { text => [qw(username datname sqlstate condition query)] },
	# its rows, and what of them may be seen: 032_blocking.pl
	blocking => { text => [qw(username datname application_name route query phase lock_type lock_mode lock_relation path blocked_by)], public => 1 },
	load => { text => [qw(state wait_event_type)], public => 1 },
	activity => { text => [qw(username datname application_name backend_type route query phase wait_event_type wait_event blocked_by)] },
	waits => { text => [qw(username datname application_name backend_type route query phase wait_event_type wait_event)] },
	info => { text => ['version'], public => 1 },
	# of others it tells how many there are, and nothing to who may not know: see sql/health.sql
	health => { text => [qw(indicator unit worse state reason description)], public => 1 },
	# it has the readings of this test itself: see t/052_windows.pl
	windows => { text => [qw(resolution username datname query)], public => 1 },
	# each reading here has a session of its own: see t/050_health.pl
	memory => { text => [qw(backend_type username datname application_name state)], public => 1 },
);
is_deeply([ split /\n/, ask(q{SELECT relname FROM pg_class WHERE relnamespace = 'vitals'::regnamespace
		AND relkind NOT IN ('i', 'c', 't') ORDER BY 1}) ], [ sort keys %views ],
	'the views are those that are tested here');
foreach my $view (sort keys %views)
{
	is_deeply([ sort split /\n/, ask(qq{SELECT attname FROM pg_attribute
			WHERE attrelid = 'vitals.$view'::regclass AND attnum > 0 AND NOT attisdropped
			AND atttypid::regtype::text NOT IN ('bigint', 'integer', 'oid', 'boolean', 'double precision',
				'numeric', 'timestamp with time zone')}) ], [ sort @{ $views{$view}{text} } ],
		"$view: the columns with texts are known");
}

# Rows of a view that belong to one of the three, as JSON by column.
sub rows_of
{
	my ($role, $view) = @_;
	my $key = $views{$view}{key} // "concat_ws('|', username, to_jsonb(v)::text)";
	my %rows;

	foreach (split /\n/, ask_as($role, qq{
		SELECT r.n, c.key, c.value FROM (
			SELECT $key AS n, to_jsonb(v) AS row FROM vitals.$view AS v WHERE username IN ('alice', 'bob', 'grp')) AS r,
			jsonb_each(r.row) AS c}))
	{
		my ($owner, $rest) = /^(\w+)\|(.*)$/;
		my ($value, $column, @key) = reverse split /\|/, $rest, -1;
		die "cannot read this: $_" unless defined $column;
		$rows{ join '|', $owner, reverse @key }{$column} = $value;
	}
	return \%rows;
}

# Values may contain the separator: then JSON's escape for it is to be used.
my $everything = {};
foreach my $view (grep { !$views{$_}{public} } sort keys %views)
{
	$everything->{$view} = rows_of('postgres', $view);
	my %owners = map { /^(\w+)/; $1 => 1 } keys %{ $everything->{$view} };
	is_deeply([ sort keys %owners ], \@all, "$view: each of the three has something in it");
}
foreach my $role (sort keys %sees)
{
	my %own = map { $_ => 1 } @{ $sees{$role} };

	foreach my $view (grep { !$views{$_}{public} } sort keys %views)
	{
		my $others = $views{$view}{of_others};
		my %expected;

		foreach my $n (keys %{ $everything->{$view} })
		{
			my ($owner) = $n =~ /^(\w+)/;
			my %row = %{ $everything->{$view}{$n} };

			# the rows of what this test itself reads are not the same twice
			next if $own{$owner} ? 0 : !$others;
			if (!$own{$owner})
			{
				$row{$_} = defined $others->{$_} ? "\"$others->{$_}\"" : 'null' foreach keys %$others;
			}
			$expected{$n} = \%row;
		}
		my $rows = rows_of($role, $view);
		# what the readings here executed came later
		if ($views{$view}{key})
		{
			delete @$rows{ grep { !$everything->{$view}{$_} } keys %$rows };
		}
		is_deeply($rows, \%expected, "$role: vitals.$view, every row and column");
	}
	like(ask_as($role, 'SELECT to_jsonb(i) FROM vitals.info AS i'), qr/"executions": [0-9]+/, "$role: vitals.info");
}

# ----- functions ------------------------------------------------------------

# Who may execute: everybody, or the owner.
my %functions = (
	'_activity()' => 'everybody', '_blocking()' => 'everybody', '_deadlocks()' => 'everybody', '_errors()' => 'everybody', '_health()' => 'everybody', '_health_limits()' => 'everybody', '_info()' => 'everybody', '_load()' => 'everybody', '_memory()' => 'everybody', '_misestimates()' => 'everybody', '_n_plus_one()' => 'everybody', '_plans()' => 'everybody', '_resources()' => 'everybody', '_routes()' => 'everybody', '_slow_statements()' => 'everybody', '_statements()' => 'everybody', '_transactions()' => 'everybody', '_transactions_now()' => 'everybody', '_waits()' => 'everybody', '_windows()' => 'everybody',
	'assert_no_n_plus_one(bigint,text[])' => 'everybody',
	'close_window()' => 'owner',
	'histogram(bigint)' => 'everybody',
	'mark()' => 'everybody',
	'memory_contexts(integer)' => 'owner',
	'n_plus_one_since(bigint)' => 'everybody',
	'reset(bigint,oid,oid)' => 'owner',
	'rewrite(bigint,bigint,integer[])' => 'everybody',
);
is_deeply({ map { split /\|/ } split /\n/, ask(q{
		SELECT regexp_replace(p.oid::regprocedure::text, '^vitals\.', ''),
			CASE WHEN has_function_privilege('plain', p.oid, 'EXECUTE') THEN 'everybody' ELSE 'owner' END
		FROM pg_proc AS p WHERE pronamespace = 'vitals'::regnamespace}) }, \%functions,
	'who may execute which function');
is(ask(q{SELECT count(*) FROM pg_proc AS p, aclexplode(p.proacl) AS a
		WHERE pronamespace = 'vitals'::regnamespace AND a.grantee NOT IN (0, p.proowner)}), 0,
	'nothing is granted to anybody in particular');
is(ask(q{SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE pronamespace = 'vitals'::regnamespace
		AND prosecdef AND NOT coalesce(proconfig::text ~ 'search_path=pg_catalog, pg_temp', false)}), '',
	'no function has its owner\'s rights and the caller\'s search_path');
is(ask(q{SELECT string_agg(oid::regclass::text || ': ' || a.privilege_type, ', ')
		FROM pg_class AS c, aclexplode(c.relacl) AS a
		WHERE relnamespace = 'vitals'::regnamespace AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'}), '',
	'views are to be read only');
is(ask(q{SELECT has_schema_privilege('plain', 'vitals', 'USAGE'), has_schema_privilege('plain', 'vitals', 'CREATE')}), 't|f',
	'the schema is to be used only');
is(ask(q{SELECT count(*) FROM pg_language AS l JOIN pg_proc AS p ON p.prolang = l.oid
		WHERE pronamespace = 'vitals'::regnamespace AND lanname NOT IN ('c', 'internal')}), 0,
	'every function is written in C');

# What the views read shows no more than they do.
is(ask_as('plain', q{SELECT count(*), count(queryid), count(fingerprint), count(nullif(query, '<insufficient privilege>'))
		FROM vitals._statements() WHERE userid IN ('alice'::regrole, 'bob'::regrole)}) =~ s/^[1-9]\d*/n/r, 'n|0|0|0',
	'_statements() hides the same');
is(ask_as('plain', q{SELECT (SELECT count(*) FROM vitals._n_plus_one()), (SELECT count(*) FROM vitals._routes()),
		(SELECT count(*) FROM vitals._errors()), (SELECT count(*) FROM vitals._waits() WHERE userid IS DISTINCT FROM 'plain'::regrole),
		(SELECT count(*) FROM vitals._activity() WHERE userid IS DISTINCT FROM 'plain'::regrole)}), '0|0|0|0|0',
	'_n_plus_one(), _routes(), _errors(), _waits() and _activity() show nothing of others');

# With the identifiers of others one gets nothing either, nor whether there is such a thing.
my %bobs = map { split /\|/ } split /\n/, ask(q{
	SELECT * FROM (SELECT 'queryid' AS what, queryid AS id FROM vitals.statements WHERE username = 'bob' AND query ~ 'title'
	UNION ALL SELECT 'fingerprint', fingerprint FROM vitals.statements WHERE username = 'bob' AND query ~ 'title') AS s});
foreach my $role (sort keys %sees)
{
	my $sees = grep { $_ eq 'bob' } @{ $sees{$role} };
	my $histogram = "SELECT sum(calls) FROM vitals.histogram($bobs{queryid})";
	my $rewrite = "SELECT count(statement) > 0 FROM vitals.rewrite($bobs{fingerprint})";

	if ($sees)
	{
		is(ask_as($role, $rewrite), 't', "$role: rewrite of bob's statement");
	}
	else
	{
		is(error_as($role, $rewrite), "42704: no statement with fingerprint $bobs{fingerprint}", "$role: no rewrite of bob's statement");
		is(error_as($role, $rewrite =~ s/-?\d+\)/1)/r), '42704: no statement with fingerprint 1', "$role: as if there were none");
	}
	# the same queryid may be others', too: one sees one's own part
	my $calls = 12 * @{ $sees{$role} };
	if ($calls)
	{
		is(ask_as($role, $histogram), $calls, "$role: histogram of what may be seen");
	}
	else
	{
		is(error_as($role, $histogram), "42704: no statement with queryid $bobs{queryid}", "$role: no histogram");
	}

	my $since = ask_as($role, q{SELECT DISTINCT username FROM vitals.n_plus_one_since(0) ORDER BY 1});
	is($since, join("\n", sort @{ $sees{$role} }), "$role: n_plus_one_since");
	like(ask_as($role, 'SELECT vitals.mark()'), qr/^[1-9]\d*$/, "$role: a mark is a number");
	local $ENV{PGUSER} = $role;
	my ($ret, $out, $err) = $node->psql('postgres', 'SELECT vitals.assert_no_n_plus_one()');
	my %named = map { $_ => 1 } $err =~ /of_(\w+)/g;
	is_deeply([ sort keys %named ], [ sort @{ $sees{$role} } ], "$role: assert_no_n_plus_one names what may be seen");
	isnt($ret, 0, "$role: and fails") if @{ $sees{$role} };
	is($ret, 0, "$role: and has nothing to say") unless @{ $sees{$role} };
}

# A reset is for superusers, and for whom it is granted to.
like(error_as($_, 'SELECT vitals.reset()'), qr/^42501: permission denied for function reset/, "$_ may not reset")
  foreach grep { $_ ne 'postgres' } sort keys %sees;
like(error_as('alice', q{SELECT vitals.reset(userid => 'alice'::regrole)}), qr/^42501/, 'not one\'s own statistics either');
ask('GRANT EXECUTE ON FUNCTION vitals.reset TO plain');
cmp_ok(ask_as('plain', q{SELECT vitals.reset(userid => 'bob'::regrole)}), '>', 0, 'unless it is granted');
is(ask(q{SELECT count(*) FROM vitals.n_plus_one WHERE username = 'bob'}), 0, 'then it does what it says');

# The statistics file has texts in it.
like(error_as('monitor', q{SELECT pg_read_file('pg_stat/pg_vitals.stat')}), qr/^42501/, 'the file is not to be read');
is(sprintf('%o', (stat $node->data_dir . '/pg_stat')[2] & 0077), '0', 'nor the directory that it is in');

$node->stop;
done_testing();
