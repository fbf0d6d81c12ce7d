# When this fails, vitals.blocking does not tell who waits for whom, tells it to the
# wrong people, or what others waited is charged to the wrong statement.

use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Vitals;

my $node = vitals_node('main', conf => [ 'max_prepared_transactions = 2' ]);

sub ask { return $node->safe_psql('postgres', shift); }

sub named
{
	my ($name) = @_;
	my $session = session($node);
	$session->query_safe("SET application_name = '$name'");
	return $session;
}

# Send a statement that waits, and wait until it does.
sub start { return wait_for_lock($node, @_); }

sub finish
{
	my ($session) = @_;
	$session->query('SELECT 1');
	$session->{stderr} = '';
	return;
}

ask(q{CREATE TABLE item (id int PRIMARY KEY, n int NOT NULL); INSERT INTO item SELECT g, g FROM generate_series(1, 10) AS g;
	CREATE ROLE plain LOGIN; GRANT SELECT ON item TO plain; CREATE ROLE stats LOGIN IN ROLE pg_read_all_stats});
my %session = map { $_ => named($_) } qw(root first second third);
my %pid = map { $_ => $session{$_}->query_safe('SELECT pg_backend_pid()') } keys %session;

is(ask('SELECT count(*) FROM vitals.blocking'), 0, 'nobody waits');
# nobody has executed them before, so their texts are not kept yet
$session{root}->query_safe('BEGIN; UPDATE item SET n = 1 WHERE id = 1');
start('first', $session{first}, 'UPDATE item SET n = 2 WHERE id = 1');
$session{second}->query_safe('BEGIN');
start('second', $session{second}, 'LOCK TABLE item IN EXCLUSIVE MODE');

start('third', $session{third}, 'DELETE FROM item WHERE id = 3');

my $tree = q{SELECT depth, application_name, query, phase, lock_type, lock_mode, lock_relation
	FROM vitals.blocking WHERE path = ARRAY[%s] };
sub at { return ask(sprintf $tree, join ',', map { $pid{$_} } @_); }
is(at('root'), '0|root|UPDATE item SET n = $1 WHERE id = $2|idle in transaction|||', 'the root waits for nobody');
is(at('root', 'first'), '1|first|UPDATE item SET n = $1 WHERE id = $2|executing|transactionid|ShareLock|item',
	'one waits for its transaction, because of a row of this table');
is(at('root', 'second'), '1|second|LOCK TABLE item IN EXCLUSIVE MODE|executing|relation|ExclusiveLock|item',
	'another for the table');
is(at('root', 'first', 'second'), '2|second|LOCK TABLE item IN EXCLUSIVE MODE|executing|relation|ExclusiveLock|item',
	'for the first, too');
is(at('root', 'second', 'third'), '2|third|DELETE FROM item WHERE id = $1|other|relation|RowExclusiveLock|item', 'and one behind it in the queue');
is(ask('SELECT count(*), count(DISTINCT root_pid), bool_and(root_pid = path[1]), bool_and(pid = path[depth + 1]),
		bool_and((blocked_by IS NULL) = (depth = 0)), bool_and((wait_time IS NULL) = (depth = 0)) FROM vitals.blocking'), '6|1|t|t|t|t',
	'each path once');
is(ask(qq{SELECT blocked_by = ARRAY[$pid{second}] FROM vitals.blocking WHERE pid = $pid{third} LIMIT 1}), 't', 'blocked_by');
cmp_ok(ask('SELECT max(wait_time) FROM vitals.blocking'), '<', 1000 * $PostgreSQL::Test::Utils::timeout_default, 'for how long');
is(ask(q{SELECT count(*) FROM vitals.blocking WHERE transaction_start > clock_timestamp() OR statement_start < transaction_start - interval '1 s'}), 0,
	'since when');

# rights
{
	local $ENV{PGUSER} = 'plain';
	is($node->safe_psql('postgres', q{SELECT count(*), count(pid), count(nullif(query, '<insufficient privilege>')), count(fingerprint),
			count(queryid), count(application_name), count(phase), count(statement_start), count(transaction_start), count(route) FROM vitals.blocking}),
		'6|6|0|0|0|0|0|0|0|0', 'other roles see who waits, but not what with');
	local $ENV{PGUSER} = 'stats';
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT application_name) FROM vitals.blocking'), '6|4',
		'but for those who may see everything');
}

# over time: all that is waited is the root's
$node->poll_query_until('postgres', q{SELECT coalesce(sum(blocked_time), 0) > 6000 FROM vitals.waits, pg_sleep(0.1)})
  or die 'nothing is charged';
is(ask(q{SELECT string_agg(DISTINCT concat_ws('|', application_name, phase, query), ';') FROM vitals.waits WHERE blocked_time > 0}),
	'root|idle in transaction|UPDATE item SET n = $1 WHERE id = $2', 'what others waited is charged to the root');
my ($blocked, $waited) = split /\|/, ask(q{SELECT sum(blocked_time), sum(wait_time) FILTER (WHERE wait_event_type = 'Lock') FROM vitals.waits});
cmp_ok($blocked, '<', $waited + 6000, 'not more than they waited');
cmp_ok($blocked, '>', 0.5 * $waited - 3000, 'and most of it');

# the reader itself is what they wait for
is((split /\n/, $session{root}->query_safe('SELECT pid = pg_backend_pid() FROM vitals.blocking WHERE depth = 0'))[0], 't', 'a root sees itself');
$session{root}->query_safe('COMMIT');
finish($session{first});
finish($session{second});
$session{second}->query_safe('COMMIT');
finish($session{third});
is(ask('SELECT count(*) FROM vitals.blocking'), 0, 'all is over');

# a prepared transaction; and a lock that an idle session keeps
$session{root}->query_safe(q{BEGIN; UPDATE item SET n = 1 WHERE id = 1; PREPARE TRANSACTION 'kept'});
start('first', $session{first}, 'UPDATE item SET n = 2 WHERE id = 1');
is(ask('SELECT depth, pid = 0, application_name, blocked_by FROM vitals.blocking ORDER BY depth'), "0|t||\n1|f|first|{0}", 'a prepared transaction is 0');
$session{root}->query_safe(q{COMMIT PREPARED 'kept'});
finish($session{first});
$session{root}->query_safe('SELECT pg_advisory_lock(1)');
start('first', $session{first}, 'SELECT pg_advisory_lock(1)');
is(ask('SELECT depth, pid, lock_type, query IS NULL FROM vitals.blocking ORDER BY depth'),
	"0|$pid{root}||t\n1|$pid{first}|advisory|f", 'a session that is idle and keeps a lock');
$session{root}->query_safe('SELECT pg_advisory_unlock(1)');
finish($session{first});
$_->quit foreach values %session;
$node->stop;
done_testing();
