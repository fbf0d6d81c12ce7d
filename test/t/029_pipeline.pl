# When this fails, statements that a client sends one after the other without
# waiting for answers are taken for a loop, or a loop for such.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Vitals;

my $node = vitals_node('main');
my $user = $node->safe_psql('postgres', 'SELECT current_user');

$node->safe_psql('postgres', q{
	CREATE TABLE author AS SELECT g AS id, 'name ' || g AS name FROM generate_series(1, 100) AS g;
	CREATE TABLE post AS SELECT g AS id, g + 7 AS author_id FROM generate_series(1, 20) AS g;
	ALTER TABLE author ADD PRIMARY KEY (id)});

my $wire = Vitals::Wire->connect($node, 'postgres', $user);
$wire->parse('SELECT author_id FROM post ORDER BY id', 'posts');
$wire->parse('SELECT name FROM author WHERE id = $1', 'author')->sync;
$wire->until('Z');

sub found { return $node->safe_psql('postgres', q{
	SELECT coalesce(string_agg(kind || ' ' || repeats, ', '), 'nothing') FROM vitals.n_plus_one}); }

# The posts, and then the author of each.  The client is slow: it sends one statement
# and takes its time before the next, so the server always waits for it.
sub screen
{
	my ($begin, $commit, $each) = @_;

	$node->safe_psql('postgres', 'SELECT vitals.reset()');
	$begin->();
	$wire->bind('posts', '')->execute(0)->sync;
	$wire->until('Z');
	for my $id (8 .. 27)
	{
		$wire->bind('author', '', $id)->execute(0);
		$each->();
		sleep(0.003);
	}
	$wire->sync;
	$wire->until('Z');
	$commit->();
	return found();
}

sub say_
{
	my ($sql) = @_;
	return sub { $wire->query($sql); $wire->until('Z'); };
}
my $nothing = sub { };
my $sends = sub { $wire->_write($wire->{queue}); $wire->{queue} = ''; };
my $waits = sub { $wire->sync; $wire->until('Z'); };

is(screen($nothing, $nothing, $sends), 'nothing', 'a pipeline of a slow client');
is(screen(say_('BEGIN'), say_('COMMIT'), $sends), 'nothing', '... in a block');
is(screen($nothing, $nothing, $waits), 'n_plus_one 20', 'a loop');
is(screen(say_('BEGIN'), say_('COMMIT'), $waits), 'n_plus_one 20', '... in a block');

# All at once, and a Sync after each: what has been sent before the answer to its
# predecessor did not wait for it.  A write's commit takes its time.
sub at_once
{
	my ($statement) = @_;

	$node->safe_psql('postgres', 'SELECT vitals.reset()');
	$wire->bind('posts', '')->execute(0)->sync;
	$wire->until('Z');
	$wire->bind($statement, '', $_)->execute(0)->{queue} .= pack('aN', 'S', 4) for 8 .. 27;
	$sends->();
	$wire->until('Z') for 8 .. 27;
	return found();
}

$wire->parse("UPDATE author SET name = name || '!' WHERE id = \$1", 'rename')->sync;
$wire->until('Z');
is(at_once('author'), 'nothing', 'lookups sent at once, with a Sync each');
is(at_once('rename'), 'nothing', 'writes sent at once, with a Sync each');

# Without track_activities the server does not notice whether it was idle in between.
say_('SET track_activities = off')->();
is(screen(say_('BEGIN'), say_('COMMIT'), $waits), 'n_plus_one 20', 'a loop in a block without track_activities');

$wire->close;
$node->stop;
done_testing();
