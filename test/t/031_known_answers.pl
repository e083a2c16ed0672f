# influence_pagerank against published answers: LDBC Graphalytics, networkx and
# igraph.  They are read from $INFLUENCE_DATA.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = ($ENV{INFLUENCE_DATA} // '') . '/known_answers/cases_dev.json';
plan skip_all => 'skipped: INFLUENCE_DATA has no known answers' unless $ENV{INFLUENCE_DATA} && -e $file;

my $node = start_cluster('known');
my $cases = decode_json(slurp_file($file));
my ($compared, $unfit) = (0, 0);

for my $case (@$cases)
{
	next unless $case->{algorithm} eq 'pagerank';
	my $params = $case->{params};

	# Nodes that are not distinct numbers get numbers of their own.
	my $n = 0;
	my %number = map { ref_text($_) => 1000 + $n++ } @{ $case->{nodes} };

	if (ref $params->{dangling})
	{
		# In influence_pagerank the rank of nodes without out-edges goes where a restart goes.
		$unfit++;
		note("$case->{id} does not fit: dangling nodes have a distribution of their own");
		next;
	}

	my @edges = map { [ $number{ ref_text($_->[0]) }, $number{ ref_text($_->[1]) }, $_->[2] ] } @{ $case->{edges} };
	my $graph = "SELECT influence_graph_agg(source, target, weight) + '{" . join(', ', sort values %number) . "}' AS g FROM (VALUES "
	  . join(', ', map { "($_->[0]::bigint, $_->[1]::bigint, $_->[2]::float8)" } @edges) . ') e (source, target, weight)';
	my @arguments = ('g', "damping => $params->{damping}");
	if (my $restart = $params->{personalization})
	{
		my @nodes = sort keys %$restart;
		push @arguments, 'restart => ARRAY[' . join(', ', map { node_number(\%number, $_) } @nodes) . ']::bigint[]';
		push @arguments, 'restart_weight => ARRAY[' . join(', ', map { $restart->{$_} } @nodes) . ']::float8[]';
	}
	push @arguments, $params->{iterations} ? "tolerance => 0, max_iterations => $params->{iterations}" : 'tolerance => 1e-14, max_iterations => 1000';

	my ($out, $err);
	my $status = $node->psql('postgres',
		"SELECT node, rank FROM ($graph) _, influence_pagerank(" . join(', ', @arguments) . ')', stdout => \$out, stderr => \$err);
	is($status, 0, "$case->{id}: no error") or diag($err);
	if ($params->{iterations}) { like($err, qr/did not converge/, "$case->{id}: $params->{iterations} iterations") }
	else { is($err, '', "$case->{id}: converged") }
	my %rank = map { split /\|/ } split /\n/, $out;
	is(scalar keys %rank, scalar @{ $case->{nodes} }, "$case->{id}: all nodes have a rank");

	my $sum = 0;
	$sum += $_ for values %rank;
	cmp_ok(abs($sum - 1), '<', 1e-12, "$case->{id}: ranks sum to 1");

	my $tolerance = $case->{published_tolerance};
	for my $answers ('expected', 'reference')
	{
		my $worst = 0;
		for my $node (keys %{ $case->{$answers} })
		{
			my $expected = $case->{$answers}{$node};
			my $difference = abs($rank{ node_number(\%number, $node) } - $expected);
			my $allowed = $answers eq 'reference' ? 1e-9
			  : $tolerance =~ /^relative ([0-9.e-]+)/ ? $1 * $expected
			  : $tolerance =~ /^6 / ? 1e-6 * ($expected < 0.1 ? 0.1 : 1)
			  : $tolerance;
			$worst = $difference / $allowed if $difference / $allowed > $worst;
		}
		cmp_ok($worst, '<=', 1.0001, "$case->{id}: $answers ranks, $tolerance");
	}
	$compared++;
}
cmp_ok($compared, '>=', 15, "$compared cases were compared");
is($unfit, 1, 'one case does not fit');

# One case has a node '3' beside the number 3, and means the former in its answers.
sub ref_text
{
	my ($node) = @_;
	return encode_json([$node]);
}

sub node_number
{
	my ($number, $name) = @_;
	return $number->{"[\"$name\"]"} // $number->{"[$name]"};
}

finish_cluster($node);
done_testing();
