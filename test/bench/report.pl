#!/usr/bin/perl
# Turns the driver's samples into the table that test/bench/run prints, and, with
# --gate, into a verdict.
#
#	report.pl [--gate] samples
#
# A sample is a line "case start round turn variant statements cpu_ns wall_ns".
# Of the turns of a round the best counts: what disturbs a measurement only ever
# adds to it.  "Added" is the difference to the bare server within a round; of the
# rounds of one start the median counts, of the starts the mean.  All rounds of a
# start share its luck (where the processes lie in memory), so the starts are what
# tells how sure the figure is: their lowest and highest are printed, and the
# tolerance of the gate comes from the scatter between them.

use strict;
use warnings;

# The limits: added by pg_vitals, as a multiple of what pg_stat_statements adds,
# and the throughput it may cost.
my $MAX_MULTIPLE = 2;
my $MAX_LOSS = 0.10;
my %MULTIPLE_GATED = map { $_ => 1 } qw(select1_pipelined point_simple point_batched plpgsql_nested);
my %LOSS_GATED = map { $_ => 1 } qw(churn_30000);
my %LOSS_SHOWN = (%LOSS_GATED, map { $_ => 1 } qw(clients_8 clients_32 reader_8));

my $gate = @ARGV && $ARGV[0] eq '--gate' ? shift : '';
my (@cases, %best);
read_samples(shift // die "usage: report.pl [--gate] samples\n");

print <<'END';
CPU time of the backend and wall time per statement, in microseconds; added to the
bare server's CPU time: the mean of the starts, and the lowest and highest of them.
"again" is a second bare server: what it adds is the error of the measurement.

END
my $ROW = "%-18s %-6s %10s %10s %23s %7s %10s %8s\n";
printf $ROW, 'case', '', 'CPU', 'added', 'lowest .. highest', 'ratio', 'wall', 'on/pgss';
print_case($_) for @cases;
exit($gate ? verdict() : 0);

sub read_samples
{
	my ($file) = @_;
	open(my $in, '<', $file) or die "$file: $!\n";
	while (<$in>)
	{
		my ($case, $start, $round, undef, $variant, $n, $cpu, $wall) = split;
		push @cases, $case unless $best{$case};
		my $of = $best{$case}{$start}{$round}{$variant} //= {};
		lower($of, cpu => $cpu / $n / 1000);
		lower($of, wall => $wall / $n / 1000);
	}
	die "$file: no samples\n" unless @cases;
	return;
}

sub lower
{
	my ($of, $what, $value) = @_;
	$of->{$what} = $value if !defined $of->{$what} || $value < $of->{$what};
	return;
}

# per_start CASE, SUB: what SUB makes of a round, the median of each start.
# SUB gets the round's { variant => { cpu, wall } }.
sub per_start
{
	my ($case, $sub) = @_;
	return map { median(map { $sub->($_) } values %$_) } values %{ $best{$case} };
}

sub median
{
	my @v = sort { $a <=> $b } @_;
	return @v % 2 ? $v[ $#v / 2 ] : ($v[ @v / 2 - 1 ] + $v[ @v / 2 ]) / 2;
}

sub mean
{
	my $sum = 0;
	$sum += $_ for @_;
	return $sum / @_;
}

# How far from the true mean the mean of these may well be to one side: further only
# one time in twenty (Student's t).  undef where there is but one value.
sub tolerance
{
	return undef if @_ < 2;
	my @t = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83);
	my $mean = mean(@_);
	my $squares = 0;
	$squares += ($_ - $mean)**2 for @_;
	return ($t[ @_ - 2 ] // 1.8) * sqrt($squares / (@_ - 1) / @_);
}

sub variants
{
	my ($case) = @_;
	my ($start) = values %{ $best{$case} };
	my ($round) = values %$start;
	return grep { $round->{$_} } qw(none again off blind on across pgss kcache set pgsm);
}

sub has
{
	my ($case, @wanted) = @_;
	my %there = map { $_ => 1 } variants($case);
	return !grep { !$there{$_} } @wanted;
}

sub added
{
	my ($case, $variant) = @_;
	return per_start($case, sub { $_[0]{$variant}{cpu} - $_[0]{none}{cpu} });
}

sub loss
{
	my ($case, $variant) = @_;
	return per_start($case, sub { 1 - $_[0]{none}{wall} / $_[0]{$variant}{wall} });
}

# A time in microseconds, as exact as times of the size of $like need.
sub us
{
	my ($value, $sign, $like) = @_;
	return sprintf abs($like // $value) < 1000 ? "%$sign.3f" : "%$sign.0f", $value;
}

sub print_case
{
	my ($case) = @_;
	my $title = $case;
	for my $variant (variants($case))
	{
		my $cpu = mean(per_start($case, sub { $_[0]{$variant}{cpu} }));
		my $wall = mean(per_start($case, sub { $_[0]{$variant}{wall} }));
		my @compared = $variant ne 'none' && has($case, 'none') ? compared($case, $variant, $cpu) : ('') x 4;
		my $row = sprintf $ROW, $title, $variant, us($cpu, ''), @compared[ 0 .. 2 ], us($wall, ''), $compared[3];
		print $row =~ s/ +$//r;
		$title = '';
	}
	print_throughput($case) if $LOSS_SHOWN{$case} && has($case, 'none');
	print "\n";
	return;
}

# The columns added, lowest .. highest, ratio and on/pgss.
sub compared
{
	my ($case, $variant, $cpu) = @_;
	my @added = sort { $a <=> $b } added($case, $variant);
	return (us(mean(@added), '+', $cpu),
		us($added[0], '+', $cpu) . ' .. ' . us($added[-1], '+', $cpu),
		sprintf('%.3f', mean(per_start($case, sub { $_[0]{$variant}{cpu} / $_[0]{none}{cpu} }))),
		$variant eq 'on' && has($case, 'pgss') ? multiple(@added, $case) : '');
}

# on/pgss, unless what pg_stat_statements adds is lost in the noise.
sub multiple
{
	my $case = pop;
	my @pgss = added($case, 'pgss');
	return '?' if mean(@pgss) <= (tolerance(@pgss) // 0);
	return sprintf '%.2f', mean(@_) / mean(@pgss);
}

sub print_throughput
{
	my ($case) = @_;
	my @parts = sprintf "none %.0f/s", mean(per_start($case, sub { 1e6 / $_[0]{none}{wall} }));
	push @parts, sprintf "%s %+.1f %%", $_, -100 * mean(loss($case, $_))
		for grep { $_ ne 'none' } variants($case);
	print ' ' x 19, 'throughput: ', join(', ', @parts), "\n";
	return;
}

# The gate, over those of its cases that were measured.  A figure passes that is
# over its limit by no more than the tolerance, if the tolerance is less than what
# pg_stat_statements adds, or half the loss allowed.
sub verdict
{
	my @gated = grep { $MULTIPLE_GATED{$_} || $LOSS_GATED{$_} } @cases;
	my $worst = @gated ? 0 : 2;
	for my $case (@gated)
	{
		my $result = !has($case, qw(none on pgss)) ? not_measured($case)
			: $MULTIPLE_GATED{$case} ? judge_multiple($case) : judge_loss($case);
		$worst = $result if $result == 1 || $worst == 0;
	}
	print $worst == 0 ? "gate: passed\n" : $worst == 1 ? "gate: FAILED\n" : "gate: cannot tell\n";
	return $worst;
}

sub not_measured
{
	my ($case) = @_;
	print "gate: $case was not measured with none, on and pgss\n";
	return 2;
}

sub judge_multiple
{
	my ($case) = @_;
	my $pgss = mean(added($case, 'pgss'));
	my @excess = per_start($case, sub {
		my ($r) = @_;
		my $base = $r->{none}{cpu};
		return ($r->{on}{cpu} - $base) - $MAX_MULTIPLE * ($r->{pgss}{cpu} - $base);
	});
	my $limit = $MAX_MULTIPLE * $pgss;
	return judge($case, mean(@excess), tolerance(@excess), $pgss, sprintf
		'adds %s us, may add %s (%d x pg_stat_statements)',
		us(mean(added($case, 'on')), ''), us($limit, ''), $MAX_MULTIPLE);
}

sub judge_loss
{
	my ($case) = @_;
	my @loss = loss($case, 'on');
	return judge($case, mean(@loss) - $MAX_LOSS, tolerance(@loss), $MAX_LOSS / 2, sprintf
		'loses %.1f %% of throughput, may lose %.0f %%', 100 * mean(@loss), 100 * $MAX_LOSS);
}

# 0 within the limit, 1 beyond it by more than the tolerance, 2 cannot tell: the
# limit lies within the tolerance, and the tolerance is too large to shrug at that.
sub judge
{
	my ($case, $excess, $tolerance, $usable, $what) = @_;
	my $result = !defined $tolerance ? 2
		: $excess > $tolerance ? 1
		: $tolerance > $usable && $excess > -$tolerance ? 2
		: 0;
	my $shown = !defined $tolerance ? 'unknown after one start'
		: $what =~ /%/ ? sprintf('%.1f %%', 100 * $tolerance)
		: us($tolerance, '') . ' us';
	printf "gate: %-18s %s: %s; tolerance %s\n", $case, $what,
		('good', 'TOO MUCH', 'too noisy to tell')[$result], $shown;
	return $result;
}
