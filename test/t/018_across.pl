# When this fails, loops that a program spreads over a pool of connections are
# missed, counted wrongly or laid at the wrong statement, or clients without a
# loop are accused because many of them read the same popular rows.

use strict;
use warnings;

use lib 'test/t';
use IO::Select;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();
use Vitals;

my $node = vitals_node('main', conf => [ 'max_connections = 30',
	'pg_vitals.n_plus_one_across_sessions = on' ]);
my $parents = 'SELECT id, author_id FROM posts ORDER BY id LIMIT ';
my $child = 'SELECT * FROM authors WHERE id = $1';

$node->safe_psql('postgres', slurp_file('test/nplusone/schema.sql'));
$node->safe_psql('postgres', 'CREATE ROLE app LOGIN SUPERUSER; ANALYZE');

sub pool
{
	my ($size, $application) = @_;
	my @pool = map { Vitals::Wire->connect($node, 'postgres', 'app') } 1 .. $size;

	for my $wire (@pool)
	{
		$wire->query("SET application_name = '$application'")->until('Z');
		# what a backend needs to know for its first lookup takes its time
		run($wire, $child, 1);
	}
	return @pool;
}

sub send_lookup
{
	my ($wire, $sql, @values) = @_;

	return $wire->parse($sql)->bind('', '', @values)->execute->sync;
}

sub run
{
	my ($wire, $sql, @values) = @_;

	return send_lookup($wire, $sql, @values)->until('Z');
}

# Promise.all: each value goes to the first connection that is free.
sub all
{
	my ($pool, $sql, @values) = @_;
	my @free = @$pool;
	my %busy;

	while (@values || %busy)
	{
		while (@values && @free)
		{
			my $wire = shift @free;

			send_lookup($wire, $sql, shift @values);
			$busy{ $wire->{socket} } = $wire;
		}
		for my $socket (IO::Select->new(map { $_->{socket} } values %busy)->can_read)
		{
			my $wire = delete $busy{$socket};

			$wire->until('Z');
			push @free, $wire;
		}
	}
	return;
}

# The authors of the first posts, in their order.
sub authors
{
	my ($n) = @_;

	return split /\n/, $node->safe_psql('postgres', "SELECT author_id FROM posts ORDER BY id LIMIT $n");
}

sub reset_statistics { return $node->safe_psql('postgres', 'SELECT vitals.reset()'); }

# Nothing for longer than what belongs together may be apart.
sub pause { return Time::HiRes::sleep(0.3); }

my $findings = q{
	SELECT application_name, confidence, repeats, max_repeats, bursts, parent_query,
		evidence ->> 'connections'
	FROM vitals.n_plus_one WHERE kind = 'n_plus_one' AND evidence ? 'connections'
	ORDER BY application_name COLLATE "C", query COLLATE "C"};

# Is this true within some seconds?
sub soon
{
	my ($sql) = @_;

	for (1 .. 50)
	{
		return 1 if $node->safe_psql('postgres', $sql) eq 't';
		Time::HiRes::sleep(0.1);
	}
	return 0;
}

# What is found, when the worker has judged all that came before: in the order in
# which they came, so when it has found this loop.  On a busy machine a loop may be
# torn by a pause, so there are several.
sub found
{
	my @pool = pool(3, 'zz last');
	my $seen = 0;

	for (1 .. 20)
	{
		pause();
		run($pool[0], $parents . 30);
		all([ @pool[ 1, 2 ] ], $child, authors(30));
		last if $seen = soon(q{
			SELECT count(*) = 1 FROM vitals.n_plus_one
			WHERE application_name = 'zz last' AND kind = 'n_plus_one' AND max_repeats = 30});
	}
	die 'the worker does not find the loop of the last pool: ' . $node->safe_psql('postgres', $findings) unless $seen;
	$_->close for @pool;
	return $node->safe_psql('postgres', $findings) =~ s/^zz last.*\n?//mr =~ s/\n$//r;
}

# What CODE leads to; once more where the machine was so busy that a pause has torn
# it apart.
sub found_after
{
	my ($expected, $code) = @_;
	my $found;

	for (1 .. 5)
	{
		reset_statistics();
		$code->();
		$found = found();
		last if $found =~ $expected;
	}
	return $found;
}

# ----- loops ---------------------------------------------------------------

# The scenario of the corpus: think times as recorded.
my ($scenario) = grep { $_->{id} eq 'H01' }
  map { decode_json($_) } split /\n/, slurp_file('test/nplusone/corpus.jsonl');
my $h01 = 'h01|likely|12|12|1|SELECT id,author_id FROM posts ORDER BY id LIMIT $1|4';
is(found_after(qr/^\Q$h01\E$/, sub {
	my @pool = pool(4, 'h01');

	pause();
	for my $event (@{ $scenario->{events} })
	{
		Time::HiRes::sleep($event->{gap_ms} / 1000);
		run($pool[ $event->{session} - 1 ], $event->{sql}, @{ $event->{params} // [] });
	}
	$_->close for @pool;
}), $h01, 'the scenario of the corpus: 12 lookups over 4 connections');

# The parent's own session finds its share, the worker adds the others'.
my $is_parent = 'SELECT id, author_id FROM posts ORDER BY id LIMIT $1';
for my $case ([ 'of 12', 12, 5 ], [ 'of 40', 40, 4 ], [ 'of 200', 200, 4 ])
{
	my ($title, $rows, $size) = @$case;
	my @pool = pool($size, 'loop');
	my $expected = qr/^loop\|\w+\|$rows\|$rows\|1\|\Q$is_parent\E\|$size$/;

	like(found_after($expected, sub {
		pause();
		run($pool[0], $parents . $rows);
		all(\@pool, $child, authors($rows));
	}), $expected, "a loop $title rows over $size connections");
	$_->close for @pool;
}

# Two loops, one after the other, and two children of a row.
{
	my @pool = pool(4, 'twice');
	my $expected = "twice|likely|24|12|2|$is_parent|3\ntwice|proven|24|12|2|$is_parent|3";

	is(found_after(qr/^\Q$expected\E$/, sub {
		for (1 .. 2)
		{
			pause();
			run($pool[0], $parents . 12);
			all([ @pool[ 1 .. 3 ] ], $child, authors(12));
			all([ @pool[ 1 .. 3 ] ], 'SELECT title FROM posts WHERE id = $1', map { 11 * $_ } 1 .. 12);
		}
	}), $expected, 'two children, twice; the one that reads the same column is proven');
	$_->close for @pool;
}
is($node->safe_psql('postgres', q{
	SELECT suggestion, link IS NULL, evidence ->> 'parent_rows', evidence ->> 'lineage'
	FROM vitals.n_plus_one WHERE application_name = 'twice' AND confidence = 'likely'}),
	'run it once for all rows: SELECT * FROM authors WHERE id = ANY($1); the repeats came in parallel over 3 connections|t|12|',
	'what to do instead');

# ----- what is none --------------------------------------------------------

# Many clients read a list and look up its rows, as they like.
reset_statistics();
srand 1;
for my $rows (5, 8, 20)
{
	my @pool = pool(8, "hot $rows");
	my @hot = authors($rows);

	pause();
	for my $round (1 .. 400)
	{
		# some at once, as independent clients are
		my @some = splice @{ [ sort { rand() <=> 0.5 } @pool ] }, 0, 1 + int rand 4;

		for my $wire (@some)
		{
			if (rand() < 0.25) { send_lookup($wire, $parents . $rows) }
			else { send_lookup($wire, $child, $hot[ rand @hot ]) }
		}
		$_->until('Z') for @some;
		Time::HiRes::sleep(0.002) if $round % 10 == 0;
	}
	$_->close for @pool;
}
is(found(), '', 'a busy pool whose clients look up popular rows');

# Pages that are made in parallel, each with less than a loop of its own.
reset_statistics();
{
	my @pool = pool(6, 'pages');
	my @authors = authors(20);

	for my $offset (0, 4, 8)
	{
		pause();
		run($pool[0], $parents . 20);
		run($pool[1], $parents . 20);
		for my $i (0 .. 2)
		{
			send_lookup($pool[0], $child, $authors[ $offset + 2 - $i ]);
			send_lookup($pool[1], $child, $authors[ $offset + $i ]);
			$_->until('Z') for @pool[ 0, 1 ];
		}
		# and one that has its values from elsewhere
		all([ @pool[ 2 .. 5 ] ], $child, @authors[ 19, 3, 11, 0, 7, 15 ]);
	}
	$_->close for @pool;
}
is(found(), '', 'pages in parallel, three lookups each, and lookups of other origin');

# Another program, and another role, have nothing to do with it.
reset_statistics();
{
	my @one = pool(1, 'one');
	my @other = pool(4, 'other');

	pause();
	run($one[0], $parents . 12);
	all(\@other, $child, authors(12));
	$node->safe_psql('postgres', 'CREATE ROLE app2 LOGIN SUPERUSER');
	$_->query('SET ROLE app2')->until('Z') for @other;
	pause();
	run($one[0], $parents . 12);
	$_->query("SET application_name = 'one'")->until('Z') for @other;
	all(\@other, $child, authors(12));
	$_->close for @one, @other;
}
is(found(), '', 'a list of another program, or of another role');

# Switched off: by reload, and nothing is held or found any more.
$node->append_conf('postgresql.conf', 'pg_vitals.n_plus_one_across_sessions = off');
$node->reload;
{
	my @pool = pool(4, 'off');

	$node->poll_query_until('postgres', q{SELECT NOT current_setting('pg_vitals.n_plus_one_across_sessions')::bool});
	reset_statistics();
	$_->query('SELECT 1')->until('Z') for @pool;
	run($pool[0], $parents . 12);
	all([ @pool[ 1 .. 3 ] ], $child, authors(12));
	$node->append_conf('postgresql.conf', 'pg_vitals.n_plus_one_across_sessions = on');
	$node->reload;
	$node->poll_query_until('postgres', q{SELECT current_setting('pg_vitals.n_plus_one_across_sessions')::bool});
	$_->query('SELECT 1')->until('Z') for @pool;
	$_->close for @pool;
}
is(found(), '', 'nothing while it is off');

# The worker has come through all that.
unlike(log_tail($node, 0), qr/background worker.*(exited|terminated)|PANIC|TRAP/, 'the worker has not failed');

done_testing();
