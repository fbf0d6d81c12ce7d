# What the TAP tests share: nodes with the library loaded, sessions that sit
# idle, and a client that speaks the extended protocol message by message.

package Vitals;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(vitals_node session wait_for_lock fails numbered log_tail slurp_binary spew_binary
  records with_record);

# A started node with pg_vitals preloaded and its extension in the database
# postgres.  "conf" lines come last, so they win; "init" goes to init().
sub vitals_node
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $params{init} // {} });
	$node->append_conf('postgresql.conf', join "\n",
		q{shared_preload_libraries = 'pg_vitals'},
		'log_statement = none',
		'autovacuum = off',
		'wal_sender_timeout = 0', # a machine that stands still for a minute is no lost standby
		@{ $params{conf} // [] });
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_vitals')
	  unless $params{no_extension};
	return $node;
}

# A session that stays open; a failing query does not end it.
sub session
{
	my ($node, $dbname, %params) = @_;

	return $node->background_psql($dbname // 'postgres',
		on_error_stop => 0, %params);
}

# In the session of the application NAME, send a statement that waits for a lock, and
# wait until it does.
sub wait_for_lock
{
	my ($node, $name, $session, $sql) = @_;

	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_activity
		WHERE application_name = '$name' AND state = 'active' AND wait_event_type = 'Lock'})
	  or die "$name does not wait";
	return;
}

# Run what must fail in a session; returns what was said.
sub fails
{
	my ($session, $sql) = @_;

	$session->query($sql);
	my $said = $session->{stderr};
	$session->{stderr} = '';
	$said ne '' or die "this did not fail: $sql";
	return $said;
}

# sprintf(FORMAT, n) for n = 1 .. COUNT, one a line.
sub numbered
{
	my ($count, $format) = @_;

	return join('', map { sprintf("$format\n", ($_) x ($format =~ tr/%//)) } 1 .. $count);
}

# What the server has logged since OFFSET.
sub log_tail
{
	my ($node, $offset) = @_;

	return slurp_file($node->logfile, $offset);
}

sub slurp_binary
{
	my ($path) = @_;

	open my $file, '<:raw', $path or die "could not open $path: $!";
	local $/;
	my $bytes = <$file>;
	close $file;
	return $bytes;
}

sub spew_binary
{
	my ($path, $bytes) = @_;

	open my $file, '>:raw', $path or die "could not create $path: $!";
	print $file $bytes;
	close $file or die "could not write $path: $!";
	return;
}

# ----- the statistics file --------------------------------------------------

# CRC-32C, to give a record that was changed on purpose its checksums.
sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xFFFFFFFF;

	foreach my $byte (unpack 'C*', $bytes)
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? ($crc >> 1) ^ 0x82F63B78 : $crc >> 1 for 1 .. 8;
	}
	return $crc ^ 0xFFFFFFFF;
}

# The records of a file (see src/store/statfile.c): the place of each, its tag and
# its bytes.
sub records
{
	my ($bytes) = @_;
	my @records;

	for (my $at = 0; $at < length($bytes);)
	{
		my ($marker, $crc, $stamp, $tag, $number, $len) = unpack 'a4 L Q L L L', substr($bytes, $at, 28);
		push @records, { at => $at, tag => $tag, data => substr($bytes, $at + 32, $len) };
		$at += 32 + $len;
	}
	return @records;
}

# The same file with other bytes in a record, or another tag, and the right
# checksums.
sub with_record
{
	my ($bytes, $record, $data, $tag) = @_;
	my $head = substr($bytes, $record->{at} + 8, 24);

	substr($head, 8, 4) = pack('L', $tag) if defined $tag;
	substr($head, 20, 4) = pack('L', crc32c($data));
	substr($bytes, $record->{at}, 32 + length($data)) =
	  substr($bytes, $record->{at}, 4) . pack('L', crc32c($head)) . $head . $data;
	return $bytes;
}

# ----- the wire ------------------------------------------------------------

# A connection whose every message is ours: what libpq would send at once, in
# an order or at a moment of its own, is sent when the test says so.
package Vitals::Wire;

use strict;
use warnings;

use PostgreSQL::Test::Utils;

sub connect
{
	my ($class, $node, $dbname, $user) = @_;
	my $self = bless {
		socket => $node->raw_connect(),
		input => '',
		columns => undef,
	}, $class;
	my $parameters = "user\0$user\0database\0$dbname\0application_name\0wire\0\0";

	$self->{socket}->autoflush(1);
	$self->_write(pack('NN', 8 + length($parameters), 196608) . $parameters);
	$self->until('Z');
	return $self;
}

sub _write
{
	my ($self, $bytes) = @_;

	$self->{socket}->syswrite($bytes) == length($bytes)
	  or die "could not send: $!";
	return;
}

# One message of the client's, sent with those queued before it by queue().
sub send
{
	my ($self, $type, $body) = @_;

	$self->queue($type, $body);
	$self->_write($self->{queue});
	$self->{queue} = '';
	return $self;
}

sub queue
{
	my ($self, $type, $body) = @_;

	$body //= '';
	$self->{queue} .= pack('aN', $type, 4 + length($body)) . $body;
	return $self;
}

sub query   { my ($self, $sql) = @_; return $self->send('Q', "$sql\0"); }
sub parse   { my ($self, $sql, $name) = @_; return $self->queue('P', ($name // '') . "\0$sql\0" . pack('n', 0)); }
sub execute { my ($self, $rows, $portal) = @_; return $self->queue('E', ($portal // '') . "\0" . pack('N', $rows // 0)); }
sub flush   { my ($self) = @_; return $self->send('H'); }
sub sync    { my ($self) = @_; return $self->send('S'); }

# Bind the statement NAME to the portal PORTAL, all parameters as text.
sub bind
{
	my ($self, $name, $portal, @values) = @_;

	return $self->queue('B', "$portal\0$name\0" . pack('n n', 0, scalar @values)
		  . join('', map { pack('N/a*', $_) } @values) . pack('n', 0));
}

# Read messages up to the first of one of the given types, or an error where
# none is asked for; returns [type, body] of each.
sub until
{
	my ($self, $types) = @_;
	my @messages;

	while (1)
	{
		my ($type, $body) = $self->_message();

		push @messages, [ $type, $body ];
		return @messages if index($types, $type) >= 0;
		die "the server said: " . ($body =~ s/\0/ /gr) if $type eq 'E';
	}
}

sub _message
{
	my ($self) = @_;
	my $head = $self->_read(5);
	my ($type, $length) = unpack('aN', $head);

	return ($type, $self->_read($length - 4));
}

sub _read
{
	my ($self, $length) = @_;

	while (length($self->{input}) < $length)
	{
		my $ready = '';

		vec($ready, fileno($self->{socket}), 1) = 1;
		select($ready, undef, undef, $PostgreSQL::Test::Utils::timeout_default)
		  or die "no answer from the server";
		$self->{socket}->sysread($self->{input}, 65536, length($self->{input}))
		  or die "the server closed the connection";
	}
	return substr($self->{input}, 0, $length, '');
}

sub close
{
	my ($self) = @_;

	$self->send('X');
	return $self->{socket}->close;
}

1;
