# When this fails, what an application says in comments is attributed to the wrong
# place or lost, a request's end is not seen, or a comment does harm.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', init => { extra => [ '--encoding=UTF8', '--locale=C' ] }, conf => [
	'pg_vitals.max_statements = 1000',
	'pg_vitals.n_plus_one_max_gap = 60s',
	'pg_vitals.persist_interval = 0' ]);

sub ask { return $node->safe_psql('postgres', shift); }
sub reset_all { ask('SELECT vitals.reset()'); return; }
sub routes
{
	my ($columns) = @_;
	return ask("SELECT $columns FROM vitals.routes WHERE datname = 'app' ORDER BY 1, 2");
}

ask('CREATE DATABASE app');
$node->safe_psql('app', q{
	CREATE EXTENSION pg_vitals;
	CREATE TABLE author (id int PRIMARY KEY);
	CREATE TABLE book (id int PRIMARY KEY, author_id int REFERENCES author);
	INSERT INTO author SELECT generate_series(1, 9);
	INSERT INTO book SELECT g, g FROM generate_series(1, 9) AS g;
	CREATE INDEX ON book (author_id)});

sub trace { return sprintf q{traceparent='00-%032x-%016x-01'}, @_; }

# ----- what drivers send ---------------------------------------------------

my $user = ask('SELECT current_user');
my $wire = Vitals::Wire->connect($node, 'app', $user);
reset_all();
$wire->query($_) && $wire->until('Z') foreach (
	# Rails, before and behind, old and new
	q{SELECT 1 /*action='index',application='Blog',controller='posts'*/},
	q{/*action='index',application='Blog',controller='posts'*/ SELECT 1},
	q{SELECT 1 /*action:index,application:Blog,controller:posts*/},
	# Marginalia with an annotation
	q{SELECT 1 /*application:Blog,controller:posts,action:index*/ /*slow one*/},
	# sqlcommenter: Python before the semicolon, others behind it; percent signs doubled
	q{SELECT 1 /*controller='polls',route='%2Fpolls%2F'*/;},
	q{SELECT 1; /*controller='polls',route='%2Fpolls%2F'*/},
	qq{SELECT 1;\n/*controller='polls',route='%%2Fpolls%%2F'*/;\n},
	# Prisma: nothing but the request
	q{SELECT 1 /* traceparent=00-} . '0' x 31 . '1-' . '0' x 15 . q{1-01 */},
	# several statements in one string
	q{/*controller='one'*/ SELECT 1; SELECT 2; SELECT 3 /*controller='three'*/; /*controller='nobody'*/ SELECT 4},
	q{SELECT 1; -- controller='line'});
is(routes('route, calls'), "/polls/|3\nnobody|1\none|1\nposts#index|4\nthree|1",
	'tags as frameworks and drivers write them');

# ----- the extended protocol -----------------------------------------------

# A loop over a parent's rows, the statement for each row sent by "each".
sub lookups
{
	my ($wire, $first, $last, $each) = @_;

	foreach my $id ($first .. $last)
	{
		$each->($id);
		$wire->sync;
		$wire->until('Z');
	}
	return;
}

sub list
{
	my ($wire, $comment) = @_;

	$wire->parse("SELECT id FROM author ORDER BY id /*$comment*/")->bind('', '')->execute->sync;
	$wire->until('Z');
	return;
}

my $child = 'SELECT id FROM book WHERE author_id = $1';
my $found = q{SELECT kind, repeats, tags FROM vitals.n_plus_one WHERE datname = 'app'};

# prepared in an earlier request, with its comment
reset_all();
$wire->parse("$child /*controller='books'," . trace(1, 1) . '*/', 'child')->sync;
$wire->until('Z');
list($wire, "controller='list'," . trace(2, 1));
lookups($wire, 1, 9, sub { $wire->bind('child', '', shift)->execute });
is(ask($found), 'n_plus_one|9|{"controller": "books"}',
	'a named statement keeps its tags, and its trace ends nothing');
is(routes('route, calls, statements, n_plus_one_bursts'), "books|9|1|1\nlist|1|1|0",
	'its executions and the finding are in its route');

reset_all();
list($wire, trace(3, 1));
lookups($wire, 1, 9, sub {
		$wire->parse("$child /*controller='books'," . trace($_[0] < 5 ? 3 : 4, $_[0]) . '*/')
		  ->bind('', '', $_[0])->execute });
is(ask($found), '', 'another trace ends a burst');

reset_all();
list($wire, trace(5, 1));
lookups($wire, 1, 9, sub {
		$wire->parse("$child /*controller='books'," . trace(5, $_[0]) . '*/')
		  ->bind('', '', $_[0])->execute });
is(ask($found), 'n_plus_one|9|{"controller": "books"}', 'another span of the same trace does not');

# Portals side by side: what is fetched belongs to whom it was bound for.
reset_all();
$wire->query('BEGIN');
$wire->until('Z');
$wire->parse(q{SELECT id FROM author /*controller='left'*/})->bind('', 'left')->execute(2, 'left')
  ->parse(q{SELECT author.id FROM author, book /*controller='right'*/})->bind('', 'right')->execute(2, 'right')
  ->execute(3, 'left')->execute(0, 'right')->sync;
$wire->until('Z');
$wire->query('COMMIT');
$wire->until('Z');
is($node->safe_psql('app', q{SELECT route, calls FROM vitals.routes ORDER BY 1}), "left|1\nright|1",
	'portals side by side: calls');
is(routes('route, rows'), "left|5\nright|81", 'portals side by side: rows');

# Visible while the session idles in its transaction, before its Sync.
reset_all();
$wire->query('BEGIN');
$wire->until('Z');
$wire->parse(q{SELECT 1 /*controller='idle'*/})->bind('', '')->execute->flush;
$wire->until('C');
is(routes('route, calls'), 'idle|1', 'visible as soon as the statement has ended');
$wire->sync;
$wire->until('Z');
$wire->query('ROLLBACK');
$wire->until('Z');
$wire->close;

# ----- comments that mean no good ------------------------------------------

my $quoted = q{\'} x 50;
my %hostile = (
	'ten megabytes of comment' => q{SELECT 1 /*} . 'x' x 10_000_000 . q{,controller='a'*/},
	'ten megabytes of blanks' => 'SELECT 1;' . ' ' x 10_000_000 . q{/*controller='a'*/},
	'ten megabytes of semicolons' => 'SELECT 1' . ';' x 10_000_000 . q{/*controller='a'*/},
	'ten megabytes between comments' =>
	  q{/*controller='long'*/ SELECT '} . 'x' x 10_000_000 . q{' /*action='far'*/},
	'deeply nested' => 'SELECT 1 ' . '/*' x 2000 . q{controller='a'} . '*/' x 2000,
	'a thousand comments' => 'SELECT 1 ' . q{/*controller='thousand'*/} x 1000,
	'a thousand pairs' => 'SELECT 1 /*' . join(',', map { "k$_='v$_'" } 1 .. 1000) . '*/',
	'quotes without end' => qq{SELECT 1 /*controller='$quoted*/},
	'no end of the pair' => q{SELECT 1 /*controller=*/},
	'encoded zero, newline and quote' => q{SELECT 1 /*controller='%00%0a%22%5c%27'*/},
	'half an encoding' => q{SELECT 1 /*controller='%e2%8',action='%zz%'*/},
	'what JSON escapes' => q{SELECT 1 /*controller='"%5Cu0000%5C',action='\\ud800'*/},
	'unlike an accepted text' => q{/*controller='a'*/},
	'nothing' => '',
	'unbalanced, and so not accepted' => q{SELECT 1 /* /*controller='a'*/},
);
reset_all();
foreach my $what (sort keys %hostile)
{
	my $session = Vitals::Wire->connect($node, 'app', $user);

	$session->query($hostile{$what});
	$session->until('Z') if ($session->until('EZ'))[-1][0] eq 'E';
	$session->query('SELECT 1');
	ok($session->until('Z'), "survived: $what");
	$session->close;
}
is(ask(q{SELECT count(*) FROM vitals.routes WHERE jsonb_typeof(tags) <> 'object'}), 0,
	'the view can be read afterwards');
is(routes(q{coalesce(tags ->> 'controller', '-'), coalesce(tags ->> 'action', '-'), calls}), join("\n",
		'"\u0000\|\ud800|1', '?%8|%zz%|1', '??"' . q{\'|-|1}, 'a|-|2', 'long|far|1', 'thousand|-|1'),
	'and what can be read in them has been read');
is(ask(q{SELECT max(octet_length(tags::text)) < 4096 FROM vitals.routes}), 't', 'tags are cut');

# Bytes of an encoding, in the text itself and percent-encoded, in databases of
# other encodings; each is to be read everywhere.
my %encoding = (u8 => 'UTF8', l1 => 'LATIN1', jp => 'EUC_JP', sa => 'SQL_ASCII');
my %bytes = (u8 => "\xE2\x82\xAC", l1 => "\xE9", jp => "\xC6\xFC", sa => "\xFF\xFE\x80");
reset_all();
foreach my $db (sort keys %encoding)
{
	local $ENV{PGCLIENTENCODING} = $encoding{$db};
	ask("CREATE DATABASE $db ENCODING '$encoding{$db}' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($db, 'CREATE EXTENSION pg_vitals; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a);'
		  . 'INSERT INTO a SELECT generate_series(1, 9)');
	$node->safe_psql($db, join "\n", 'SELECT id FROM a;',
		map { "SELECT a FROM b WHERE a = $_ /*action='$bytes{$db}',controller='caf%C3%A9%E2%82%AC%ff'*/;" } 1 .. 8);
}
foreach my $db (sort keys %encoding)
{
	local $ENV{PGCLIENTENCODING} = $db eq 'sa' ? 'SQL_ASCII' : 'UTF8';
	my $cafe = { u8 => "caf\xC3\xA9\xE2\x82\xAC?", l1 => "caf\xC3\xA9??", jp => "caf\xC3\xA9??",
		sa => "caf\xC3\xA9\xE2\x82\xAC?" }->{$db};
	foreach my $view ('routes', 'n_plus_one')
	{
		my ($ret, $out, $err) = $node->psql($db,
			"SELECT datname, tags ->> 'controller' FROM vitals.$view WHERE datname IN ('u8', 'l1', 'jp', 'sa') ORDER BY 1");
		is($err, '', "$encoding{$db}: vitals.$view can be read");
		is($out, join("\n", map { "$_|$cafe" } sort keys %encoding),
			"$encoding{$db}: and has every row");
	}
	my ($ret, $out, $err) = $node->psql($db, "SELECT tags ->> 'action' FROM vitals.routes WHERE datname = 'u8'");
	is($out, $db =~ /u8|sa/ ? $bytes{u8} : '?', "$encoding{$db}: bytes of UTF-8");
}

# ----- a full table --------------------------------------------------------

# 200 routes fit; one of them is in steady use, and one took long.
reset_all();
ask('CREATE DATABASE many');
my $memory = ask('SELECT memory_bytes FROM vitals.info');
my $sums = q{SELECT sum(calls), sum(rows), sum(failures), count(*) <= 201, count(*) FILTER (WHERE route = '<other>')
	FROM vitals.routes WHERE datname = 'many'};
$node->psql('many', q{SELECT pg_sleep(0.5) /*controller='slow'*/;} . join('', map {
		my $n = $_;
		q{SELECT 1 /*controller='favourite'*/;} . join('', map { "SELECT g FROM generate_series(1, 2) AS g /*page='$n-$_'*/;\n" } 1 .. 50)
		  . "SELECT 1 / (g - 1) FROM generate_series(1, 2) AS g /*page='$n-0'*/;\n"
	} 1 .. 200), on_error_stop => 0);
is(ask($sums), '10401|20201|200|t|1', 'ten thousand routes: nothing is lost');
is(ask(q{SELECT route, calls FROM vitals.routes WHERE route IN ('favourite', 'slow') ORDER BY 1}),
	"favourite|200\nslow|1", 'what is used often or long stays');
is(ask(q{SELECT username IS NULL, application_name IS NULL, tags IS NULL, statements, p95_exec_time > 0
		FROM vitals.routes WHERE route = '<other>'}), 't|t|t|2|t', 'the rest is one row');
is(ask('SELECT routes <= routes_max + 16, routes_max, routes_evicted > 9000 FROM vitals.info'), 't|200|t',
	'vitals.info tells');
is(ask('SELECT memory_bytes FROM vitals.info'), $memory, 'the memory is what it was');
ask('CREATE ROLE nobody');
is(ask(q{SET ROLE nobody; SELECT count(*) FROM vitals.routes}), 0, 'the rest is for those who may see all');

# Eight at once.
$node->pgbench('-n -t 500 -c 8 -j 2 many', 0, [qr/4000\/4000/], [qr/^/], 'eight clients', { '016_pages' => q{
\set n random(1, 1000)
SELECT 1 /*page='eight-:n'*/;
}});
is(ask($sums), '14401|24201|200|t|1', 'eight clients: nothing is lost');

# ----- a restart -----------------------------------------------------------

reset_all();
$node->safe_psql('app', q{SELECT 1 /*controller='kept'*/; SELECT 2 /*controller='kept'*/; SELECT 'x' /*controller='kept'*/});
my $kept = q{route, tags, calls, rows, statements, first_seen, total_exec_time, p95_exec_time};
my $before = routes($kept);
like($before, qr/^kept\|\{"controller": "kept"\}\|3\|3\|/, 'before a restart');
$node->restart;
is(routes($kept), $before, 'a restart keeps routes');
$node->safe_psql('app', q{SELECT 3 /*controller='kept'*/});
is(routes('route, calls'), 'kept|4', 'and they go on');

# ----- private memory ------------------------------------------------------

my $session = session($node, 'app');
my $used = q{SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext'};
$session->query_safe("SELECT 1 /*controller='c$_'*/") foreach 1 .. 20;
my $bytes = $session->query_safe($used);
$session->query_safe(join "\n", map { "SELECT 1 /*controller='d$_'*/;" } 1 .. 5000);
cmp_ok($session->query_safe($used) - $bytes, '<', 16 * 1024, 'a session with 5,000 routes does not grow');
$session->quit;

$node->stop;
done_testing();
