# When this fails, a crowd of statements that come once costs their texts and the
# places of others, loses executions, or hides what is no trifle: what fails,
# takes long, is repeated, or is known to other sessions.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	'pg_vitals.max_statements = 1000',
	'pg_vitals.sample_interval = 0',
	'pg_vitals.persist_interval = 0' ]);

sub ask { return $node->safe_psql('postgres', shift); }
sub info { return ask("SELECT $_[0] FROM vitals.info"); }
sub calls { return ask(qq{SELECT coalesce(sum(calls), 0) FROM vitals.statements WHERE query = '$_[0]'}); }

$node->safe_psql('postgres', 'CREATE DATABASE app');

# crowd NAME, N: that many statements, each another.
sub crowd
{
	my ($name, $n) = @_;
	return join '', map { "WITH ${name}_$_ AS (SELECT 1) SELECT FROM ${name}_$_;\n" } 1 .. $n;
}

my $app = qq{SELECT coalesce(sum(calls), 0) FROM vitals.statements WHERE datname = 'app'};

# A table with places left takes all.
ask('SELECT vitals.reset()');
$node->safe_psql('app', crowd('few', 100));
is(info('unidentified'), 0, 'with places left each is identified');
is(ask(q{SELECT count(*) FROM vitals.statements WHERE query LIKE 'WITH few%'}), 100, '... and has a row');
is(ask($app), 100, 'all are counted');

# A full one does without most of what comes once, and counts it.  (256 texts are
# looked at whatever happens, and twenty more a second.)
$node->safe_psql('app', 'SELECT 1, 1 AS regular;' x 50);
$node->safe_psql('app', crowd('many', 20000));
my $unidentified = info('unidentified');
cmp_ok($unidentified, '>', 10000, 'of a crowd most are not looked at');
cmp_ok($unidentified, '<=', 20000 - 256 - 850, '... beyond what a session may have looked at');
is(ask($app), 20150, 'all are counted');
is(ask(q{SELECT sum(plans) FROM vitals.statements WHERE datname = 'app'}), 20150, '... with their planning');
is(calls('SELECT $1, $2 AS regular'), 50, 'the crowd pushes out nothing that is used');
is(ask(q{SELECT count(*) FROM vitals.statements WHERE datname = 'app' AND query = '<evicted>'}), 1,
	'there is one row <evicted>');
is(ask(q{SELECT count(*) FROM vitals.statements
		WHERE query = '<evicted>' AND (userid IS NOT NULL OR toplevel IS NOT NULL
			OR queryid IS NOT NULL OR fingerprint IS NOT NULL)}), 0, '... and it is nobody\'s');

# What comes in the crowd's session, behind it.
sub behind
{
	my ($sql, %more) = @_;
	my ($out, $err) = ('', '');
	$node->psql('app', crowd($more{crowd} // 'behind', 3000) . $sql, on_error_stop => 0,
		stdout => \$out, stderr => \$err);
	return;
}
my $sum = ask($app);
behind('SELECT 1 AS repeated;' x 20);
# the first was one of the crowd, unless the session might have looked at one more just then
like(calls('SELECT $1 AS repeated'), qr/^(19|20)$/, 'what is repeated is identified from the second time on');
is(ask($app), $sum += 3020, 'all are counted');

behind('SELECT 1, pg_sleep(0.05) AS slow;');
is(calls('SELECT $1, pg_sleep($2) AS slow'), 1, 'what takes long is identified');
behind('SELECT 1 / (random() * 0)::int AS fails;');
is(ask(q{SELECT sum(calls)::text || '|' || sum(failures) FROM vitals.statements WHERE query LIKE '%AS fails'}),
	'1|1', 'what fails is identified');
is(ask(q{SELECT sum(failures) FROM vitals.errors WHERE query LIKE '%AS fails' AND sqlstate = '22012'}), 1,
	'... and its error is its own');
behind(join('', map { 'SELECT 1 / (random() * 0)::int AS failed' . ', 1' x $_ . ';' } 1 .. 20));
$node->safe_psql('app', crowd('later', 250)) for 1 .. 2;
is(ask(q{SELECT count(*) FROM vitals.statements WHERE query LIKE '%AS failed,%' AND failures = 1}), 20,
	'... and what has failed gives way later than what has not');
behind('SELECT 1 / 0 AS cannot_be_planned;');
is(ask(q{SELECT sum(failures) FROM vitals.statements WHERE query LIKE '%AS cannot_be_planned'}), 1,
	'what fails in planning is identified');
behind('SELECT 1, 1 AS regular;');
is(calls('SELECT $1, $2 AS regular'), 51, 'what another session has met is identified at once');
behind('SET application_name = \'one\'; SET application_name = \'two\';');
is(calls('SET application_name = $1'), 2, 'utility statements are identified');
behind('CREATE TABLE never (a int); DROP TABLE never;');
is(calls('CREATE TABLE never (a int)'), 1, '... also new ones');
is(ask($app), $sum += 7 * 3000 + 20 + 2 * 250 + 8, 'all are counted');

# Others are not part of the crowd.
$node->safe_psql('app', 'SELECT 1 AS new_here');
is(calls('SELECT $1 AS new_here'), 1, 'another session has its new statements identified');

# Who is to be told of N+1 patterns is looked at.
$unidentified = info('unidentified');
$node->safe_psql('app', "SET pg_vitals.n_plus_one_action = 'notice';" . crowd('told', 3000));
is(info('unidentified'), $unidentified, 'with n_plus_one_action everything is identified');

# An N+1 behind a crowd: its parent was met before.
$node->safe_psql('app', q{
	CREATE TABLE a AS SELECT g AS id FROM generate_series(1, 20) g;
	CREATE TABLE b AS SELECT g AS id, g AS a_id FROM generate_series(1, 20) g;});
$node->safe_psql('app', q{SELECT id FROM a ORDER BY id;} x 3);
behind(q{SELECT id FROM a ORDER BY id;} . join('', map { "SELECT id FROM b WHERE a_id = $_;" } 1 .. 20));
is(ask(q{SELECT kind, query, parent_query FROM vitals.n_plus_one WHERE datname = 'app'}),
	'n_plus_one|SELECT id FROM b WHERE a_id = $1|SELECT id FROM a ORDER BY id', 'an N+1 behind the crowd is found');

# One that is slow, and is not done when its transaction fails: its text is gone by then.
# It may be without one, but not with another's.
{
	my $wire = Vitals::Wire->connect($node, 'app', ask('SELECT current_user'));

	$wire->query($_)->until('Z') for "SET pg_vitals.slow_threshold = '5ms'", 'BEGIN';
	$wire->query($_)->until('Z') for split /\n/, crowd('portal', 2000);
	$wire->parse('SELECT g, pg_sleep(0.01) AS left_open FROM generate_series(1, 5) AS g');
	$wire->bind('', 'p')->execute(2, 'p')->flush;
	$wire->until('s');
	$wire->sync->until('Z');
	$wire->query('SELECT 1 / 0');
	eval { $wire->until('Z') };
	$wire->close;
	is(ask(q{SELECT count(*) FROM vitals.slow_statements WHERE datname = 'app' AND rows = 2}), 1,
		'a slow portal of a transaction that failed is recorded');
	# others may be slow, too, on a slow machine
	is(ask(q{SELECT count(*) FROM vitals.slow_statements WHERE rows = 2 AND query NOT LIKE '%pg_sleep%'}), 0,
		'... not under the text of another');
}

$sum = ask($app);
$node->restart;
is(ask($app), $sum, 'all survive a restart');

$node->stop;
done_testing();
