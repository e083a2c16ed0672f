# A graph that does not fit into one value.  Needs a build with a lower limit,
# which test/run makes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $limit = $ENV{INFLUENCE_GRAPH_MOST_BYTES};
plan skip_all => 'skipped: the limit of this build is not known' unless $limit;

my $node = start_cluster('limit');

# Weights of their own take 8 bytes an edge, nodes and columns the rest.
my $edges = int($limit / 8 * 0.33);
sub part
{
	my ($n, $salt) = @_;
	return "SELECT influence_graph_agg(n, 1 + n * 7919 % 100003, 1 / (n + $salt)::float8) FROM generate_series(1::bigint, $n) n";
}
sub limit_error
{
	my ($sql) = @_;
	my ($status, $out, $err);
	$status = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

like(limit_error(part(3 * $edges, 0)), qr/ERROR:  54000: graph is too large for one value of type influence_graph.*\n(.*\n)?HINT:  .*influence_create_model/,
	'an aggregate says so, and what to use instead');
$node->safe_psql('postgres', 'CREATE TABLE parts AS ' . part($edges, 0) . ' UNION ALL SELECT influence_graph_agg(-n, n, 1 / n::float8 / 3) '
	  . "FROM generate_series(1::bigint, $edges) n");
is($node->safe_psql('postgres', 'SELECT count(*) FROM parts'), '2', 'what is smaller is a value');
like(limit_error('SELECT influence_edge_count(influence_graph_union(influence_graph_agg)) FROM parts'),
	qr/ERROR:  54000: graph is too large/, 'a union says so');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server lives');

finish_cluster($node);
done_testing();
