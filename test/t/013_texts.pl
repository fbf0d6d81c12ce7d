# When this fails, texts stay in shared memory that nobody refers to any more,
# and it fills up.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [
	"pg_vitals.track = 'none'",
	'pg_vitals.max_statements = 100',
	# what a statement was sampled at keeps its text, too
	'pg_vitals.sample_interval = 0',
	'pg_vitals.persist_interval = 0' ]);

sub texts_bytes { return $node->safe_psql('postgres', 'SELECT texts_bytes FROM vitals.info'); }

$node->safe_psql('postgres', 'SELECT vitals.reset()');
# the reader's own statement, while it runs
my $own = texts_bytes();
is($own, length 'SELECT texts_bytes FROM vitals.info', 'no other text at first');

# What the detector remembers of statements that nobody counts goes with the session.
$node->psql('postgres', join('', map { "SELECT n, 1 / (n - $_) FROM generate_series(1, 99) AS failing_$_ (n);\n" } 1 .. 60),
	on_error_stop => 0);
is(texts_bytes(), $own, 'failed queries give back their texts');
$node->safe_psql('postgres', join('', map {
	"BEGIN; DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 9) AS cursor_$_ (n); FETCH 2 FROM c; COMMIT;\n" } 1 .. 60));
is(texts_bytes(), $own, 'and so do cursors that were never read to the end');
$node->safe_psql('postgres', join('', map { "SELECT n FROM generate_series(1, 9) AS whole_$_ (n);\n" } 1 .. 60));
is(texts_bytes(), $own, 'and results');

# In a full table what runs once gets no entry, and leaves no text.
$node->safe_psql('postgres', "ALTER DATABASE postgres SET pg_vitals.track = 'top'");
$node->safe_psql('postgres', join('', map { "WITH q_$_ AS (SELECT 1) SELECT FROM q_$_;\n" } 1 .. 3000));
my ($texts, $kept) = split /\|/, $node->safe_psql('postgres', q{
	SELECT (SELECT texts_bytes FROM vitals.info),
		sum(octet_length(query)) FILTER (WHERE query <> '<evicted>') FROM vitals.statements});
is($texts, $kept, 'the texts kept are those of the statements kept');

done_testing();
