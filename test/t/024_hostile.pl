# When this fails, a role that may create objects gets a superuser, or another
# role, to run its code by reading our views or calling our functions.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [ q{pg_vitals.track = 'all'} ]);

sub ask { return $node->safe_psql('postgres', shift); }

$node->safe_psql('postgres', <<'END');
CREATE ROLE mallory LOGIN;
CREATE ROLE alice LOGIN;
GRANT CREATE ON SCHEMA public TO PUBLIC;
GRANT CREATE ON DATABASE postgres TO mallory;
CREATE SCHEMA app;
CREATE TABLE app.orders (id integer PRIMARY KEY, total numeric);
INSERT INTO app.orders SELECT g, g FROM generate_series(1, 20) AS g;
GRANT USAGE ON SCHEMA app TO alice;
GRANT SELECT ON app.orders TO alice;
END

# What mallory's code does when somebody runs it: it says who it was, and takes
# what it can get.
my $payload = q{
	BEGIN
		RAISE LOG 'mallory runs as %', current_user;
		BEGIN
			EXECUTE 'ALTER ROLE mallory SUPERUSER';
		EXCEPTION WHEN OTHERS THEN
			RAISE LOG 'mallory got: %', SQLERRM;
		END;
		%s
	END};

sub payload { return $payload =~ s/%s\n/$_[0]\n/r; }

# Statements of mallory's own, each by itself.
sub as_mallory
{
	$node->safe_psql('postgres', join(";\n", 'SET ROLE mallory', @_) . ';');
	return;
}

as_mallory('CREATE FUNCTION public.steal() RETURNS integer VOLATILE LANGUAGE plpgsql AS $$' . payload('RETURN 1;') . '$$',
	# an immutable function may call it
	'CREATE FUNCTION public.evil(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM public.steal(); RETURN $1; END $$',
	'CREATE FUNCTION public.evil_sql(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS $$ SELECT public.steal() $$');

# Nobody but mallory ran any of it, or nobody at all; nobody took anything.
sub harmless
{
	my ($offset, $name) = @_;
	my @ran = grep { !/as mallory/ } log_tail($node, $offset) =~ /(mallory runs as \w+)/g;

	is_deeply(\@ran, [], $name);
	is(ask(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 'f', "$name: and mallory is no superuser");
	return;
}

# ----- what the attack does where there is no defence ----------------------

{
	my $offset = -s $node->logfile;

	ask('SELECT public.evil(1)');
	like(log_tail($node, $offset), qr/mallory runs as postgres/, 'the payload runs');
	is(ask(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'}), 't', 'and takes what it can get');
	ask('ALTER ROLE mallory NOSUPERUSER');
}

# ----- names that our views and functions might look up --------------------

my @types = qw(oid text name bigint integer boolean jsonb numeric timestamptz float8 regclass);
as_mallory(
	(map { "CREATE FUNCTION public.$_(numeric, integer) RETURNS numeric LANGUAGE plpgsql AS \$\$" . payload('RETURN 1;') . '$$' }
		qw(round trunc)),
	(map { my $type = $_; map { "CREATE FUNCTION public.$_(a $type, b $type) RETURNS boolean LANGUAGE plpgsql AS \$\$" . payload('RETURN true;') . '$$',
		} "eq_$type" } @types),
	(map { my $type = $_; map { "CREATE OPERATOR public.$_ (FUNCTION = public.eq_$type, LEFTARG = $type, RIGHTARG = $type)" }
		'=', '<>', '~~', '<', '>' } @types),
	(map { my $function = $_; map { "CREATE FUNCTION public.$function($_) RETURNS text LANGUAGE plpgsql AS \$\$" . payload("RETURN 'x';") . '$$' }
		qw(oid text bigint jsonb) } qw(format quote_ident pg_get_userbyid to_jsonb jsonb_in has_role count)),
	'CREATE TYPE public.text AS ENUM (\'a\')', 'CREATE TYPE public.oid AS ENUM (\'a\')',
	(map { "CREATE VIEW public.$_ AS SELECT public.steal() AS oid, 'x'::pg_catalog.name AS rolname, 'x'::pg_catalog.name AS datname" }
		qw(pg_roles pg_database pg_authid statements n_plus_one routes info)));

# Findings and routes to be read, so that every column has something in it.
$node->safe_psql('postgres', join("\n", 'SET search_path = app;', "SET application_name = 'loop';",
	'SELECT id FROM orders ORDER BY id;',
	map { "SELECT total FROM orders WHERE id = $_ /*action='index'*/;" } 1 .. 12));

my @views = split /\n/, ask(q{SELECT c.oid::regclass FROM pg_class AS c
	WHERE relnamespace = 'vitals'::regnamespace AND relkind = 'v' ORDER BY 1});
my @functions = split /\n/, ask(q{SELECT proname FROM pg_proc
	WHERE pronamespace = 'vitals'::regnamespace AND proname !~ '^_' ORDER BY 1});
my ($orders) = split /\n/, ask(q{SELECT fingerprint FROM vitals.statements
	WHERE query = 'SELECT total FROM orders WHERE id = $1'});
my %calls = (
	assert_no_n_plus_one => q{SELECT vitals.assert_no_n_plus_one(NULL, '{%}')},
	close_window => 'SELECT vitals.close_window()',
	histogram => 'SELECT * FROM vitals.histogram((SELECT queryid FROM vitals.statements WHERE fingerprint OPERATOR(pg_catalog.=) ' . $orders . ' LIMIT 1))',
	mark => 'SELECT vitals.mark()',
	memory_contexts => 'SELECT count(*) FROM vitals.memory_contexts(pg_catalog.pg_backend_pid())',
	n_plus_one_since => 'SELECT * FROM vitals.n_plus_one_since(0)',
	reset => 'SELECT vitals.reset(NULL, 4200000000)',
	rewrite => "SELECT * FROM vitals.rewrite($orders)");
is_deeply([ sort keys %calls ], \@functions, 'every function is called below');

foreach my $path ('public, pg_catalog', '"$user", public', 'public, vitals, pg_catalog', 'vitals, public')
{
	my $offset = -s $node->logfile;

	$node->safe_psql('postgres', "SET search_path = $path; TABLE $_") foreach @views;
	$node->safe_psql('postgres', "SET search_path = $path; $calls{$_}") foreach sort keys %calls;
	harmless($offset, "with search_path = $path");
}

# ----- planning, on behalf of a superuser -----------------------------------

# A superuser executed it in the schema app.  Along the search path that he has
# when he calls vitals.rewrite, its names are mallory's.
sub orders_is
{
	my ($view) = @_;

	my $kind = ask(q{SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END FROM pg_class
		WHERE relname = 'orders' AND relnamespace = 'public'::regnamespace});

	ask("DROP $kind public.orders") if $kind ne '';
	as_mallory($view);
	return;
}

my %traps = (
	'a function in a view' => 'CREATE VIEW public.orders AS SELECT 1 AS id, public.evil(1)::numeric AS total',
	'a function that is inlined' => 'CREATE VIEW public.orders AS SELECT 1 AS id, public.evil_sql(1)::numeric AS total',
	'a function in a condition' => 'CREATE VIEW public.orders AS SELECT id, total FROM app_orders() WHERE public.evil(1) = 1',
	'a constraint' => 'CREATE TABLE public.orders (id integer PRIMARY KEY, total numeric, CHECK (id > public.evil(0)))',
	'an index' => 'CREATE TABLE public.orders (id integer PRIMARY KEY, total numeric); INSERT INTO public.orders VALUES (1, 1);'
		. 'CREATE INDEX ON public.orders (id) WHERE id > public.evil(0)',
	'a query that a function of PostgreSQL runs' => 'CREATE VIEW public.stolen AS SELECT public.steal() AS x;'
		. q{CREATE VIEW public.orders AS SELECT g AS id, g::numeric AS total FROM generate_series(1, 10) AS g
			WHERE g::pg_catalog.text <> table_to_xml('public.stolen'::regclass, true, true, '')::pg_catalog.text});
as_mallory('CREATE FUNCTION app_orders(OUT id integer, OUT total numeric) RETURNS SETOF record STABLE LANGUAGE sql AS $$ SELECT 1, 1.0 $$');

foreach my $trap (sort keys %traps)
{
	orders_is($traps{$trap});
	my $offset = -s $node->logfile;

	isnt(ask("SELECT string_agg(method, ',') FROM vitals.rewrite($orders)"), '', "$trap: there is an answer");
	harmless($offset, $trap);
}

# ----- planning, on behalf of another role ----------------------------------

$node->safe_psql('postgres', 'SET ROLE alice; SET search_path = app; SELECT total + 2 FROM orders WHERE id = 3');
my $alices = ask(q{SELECT fingerprint FROM vitals.statements WHERE query = 'SELECT total + $1 FROM orders WHERE id = $2'});
orders_is($traps{'a function in a view'});
{
	my $offset = -s $node->logfile;

	ask("SELECT * FROM vitals.rewrite($alices)");
	harmless($offset, "planning another role's statement");
	local $ENV{PGUSER} = 'alice';
	ask("SELECT * FROM vitals.rewrite($alices)");
	harmless($offset, "planning one's own statement");
	is(() = log_tail($node, $offset) =~ /mallory runs as/g, 0, 'nothing runs at all');
}

# ----- the schema itself ------------------------------------------------------

# Who owns the schema could put something in the place of what is in it.
ask('CREATE DATABASE other');
ask('GRANT CREATE ON DATABASE other TO mallory');
$node->safe_psql('other', 'SET ROLE mallory; CREATE SCHEMA vitals');
my ($ret, $out, $err) = $node->psql('other', '\set VERBOSITY verbose' . "\n" . 'CREATE EXTENSION pg_vitals');
isnt($ret, 0, 'the extension is not installed into a schema that another role owns');
like($err, qr/42501: schema "vitals" belongs to role "mallory".*HINT:/s, 'and says why');
$node->safe_psql('other', 'DROP SCHEMA vitals; CREATE SCHEMA vitals; GRANT CREATE ON SCHEMA vitals TO mallory');
($ret, $out, $err) = $node->psql('other', '\set VERBOSITY verbose' . "\n" . 'CREATE EXTENSION pg_vitals');
like($err, qr/42501: schema "vitals" is open to role "mallory".*HINT:/s, 'nor into one that others may create in');
$node->safe_psql('other', 'REVOKE CREATE ON SCHEMA vitals FROM mallory; CREATE EXTENSION pg_vitals');
is($node->safe_psql('other', q{SELECT has_schema_privilege('mallory', 'vitals', 'CREATE')}), 'f', 'nobody else may create in ours');

$node->stop;
done_testing();
