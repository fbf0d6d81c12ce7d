# When this fails, a statement's text in one database's encoding makes the views
# unreadable in another database, or shows there as something else.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', init => { extra => [ '--encoding=UTF8', '--locale=C' ] },
	conf => [ q{pg_vitals.n_plus_one_max_gap = '60s'} ]);
my %encoding = (u8 => 'UTF8', l1 => 'LATIN1', jp => 'EUC_JP', sa => 'SQL_ASCII');

foreach my $db (sort keys %encoding)
{
	$node->safe_psql('postgres',
		"CREATE DATABASE $db ENCODING '$encoding{$db}' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($db, 'CREATE EXTENSION pg_vitals; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int);'
		  . 'INSERT INTO a SELECT generate_series(1, 9)');
}

# Each runs an N+1 of one's own, with a name in the bytes of its encoding.
my %bytes = (u8 => "\xE2\x82\xAC", l1 => "caf\xE9", jp => "\xC6\xFC", sa => "\xFF\xFE");
foreach my $db (sort keys %bytes)
{
	my $name = qq{"$bytes{$db}"};

	local $ENV{PGCLIENTENCODING} = $encoding{$db};
	$node->safe_psql($db, join "\n", "SELECT id AS $name FROM a;",
		map { "SELECT a AS $name FROM b WHERE a = $_;" } 1 .. 8);
}

# The name as UTF-8, as each database can show it; of others it is enough that
# their rows are there.
my %utf8 = (u8 => "\xE2\x82\xAC", l1 => "caf\xC3\xA9", jp => "\xE6\x97\xA5");
foreach my $db (sort keys %encoding)
{
	local $ENV{PGCLIENTENCODING} = $db eq 'sa' ? 'SQL_ASCII' : 'UTF8';
	my ($ret, $out, $err) = $node->psql($db, q{
		SELECT datname, calls FROM vitals.statements
		WHERE query LIKE 'SELECT a AS "%' OR (query IS NULL AND calls = 8) ORDER BY datname});
	is($err, '', "$encoding{$db}: vitals.statements can be read");
	is($out, "jp|8\nl1|8\nsa|8\nu8|8", "$encoding{$db}: and has every row");
	($ret, $out, $err) = $node->psql($db, 'SELECT datname, repeats FROM vitals.n_plus_one ORDER BY datname');
	is($err, '', "$encoding{$db}: vitals.n_plus_one can be read");
	is($out, "jp|8\nl1|8\nsa|8\nu8|8", "$encoding{$db}: and has every row");

	($ret, $out, $err) = $node->psql($db, qq{SELECT query FROM vitals.statements
		WHERE datname = '$db' AND query LIKE 'SELECT a AS "%'});
	my $expected = $db eq 'sa' ? $bytes{sa} : $utf8{$db};
	is($out, qq{SELECT a AS "$expected" FROM b WHERE a = \$1}, "$encoding{$db}: its own texts are as they were");
}

# Where there is a conversion, it is made.
{
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	foreach my $from ('l1', 'jp')
	{
		my ($ret, $out, $err) = $node->psql('u8', qq{SELECT query FROM vitals.statements
			WHERE datname = '$from' AND query LIKE 'SELECT a AS "%'});
		is($out, qq{SELECT a AS "$utf8{$from}" FROM b WHERE a = \$1}, "$encoding{$from} is shown in UTF8");
	}
}

# They all survive a restart.
$node->restart;
{
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	my ($ret, $out, $err) = $node->psql('l1', q{SELECT query FROM vitals.statements
		WHERE datname = 'l1' AND query LIKE 'SELECT a AS "%'});
	is($out, qq{SELECT a AS "$utf8{l1}" FROM b WHERE a = \$1}, 'and after a restart');
}

$node->stop;
done_testing();
