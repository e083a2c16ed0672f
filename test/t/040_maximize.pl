# influence_maximize and influence_spread against the truth: on small random
# graphs all worlds are enumerated and all choices of seeds compared; on larger
# ones the two are held against each other, with any number of workers, where
# reverse-reachable sets are huge, and where memory is short; on real data the
# seeds reach further than others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use List::Util qw(max min sum0);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('maximize', conf => "extra_float_digits = 3\n");

# --- small graphs ---------------------------------------------------------

# Numbers that look random, the same in every run (MINSTD).
my $state = 20250611;

sub random_below
{
	my ($n) = @_;
	$state = $state * 48271 % 2147483647;
	return int($state / 2147483647 * $n);
}

my $N = 6;

# Edges "source target" => weight; few enough for all worlds to be enumerated.
sub random_graph
{
	my ($cascade) = @_;
	my %weight;
	my $edges = 3 + random_below(6);

	for (1 .. $edges)
	{
		# some nodes are more popular than others; now and then a loop
		my ($u, $v) = (random_below($N), min(random_below($N), random_below($N)));
		next if $u == $v && random_below(4) > 0;
		$weight{"$u $v"} = $cascade eq 'weights' ? (1 + random_below(20)) / 20 : 1 + random_below(8);
	}
	return \%weight;
}

# The reach of each node in each world, with the world's probability: a list of
# [ probability, masks by node ].  The target of an edge activates its source.
sub worlds
{
	my ($weight, $cascade, $probability) = @_;
	my (%total, @worlds);

	$total{ (split / /)[0] } += $weight->{$_} for keys %$weight;
	# each is a probability and a list of live edges
	my @drawn = ([ 1, [] ]);
	if ($cascade eq 'threshold')
	{
		for my $u (sort keys %total)
		{
			my @edges = grep { (split / /)[0] == $u } sort keys %$weight;
			@drawn = map { my $d = $_; map { [ $d->[0] * $weight->{$_} / $total{$u}, [ @{ $d->[1] }, $_ ] ] } @edges } @drawn;
		}
	}
	else
	{
		for my $edge (sort keys %$weight)
		{
			my $p =
			    $cascade eq 'uniform' ? $probability
			  : $cascade eq 'weights' ? $weight->{$edge}
			  :                         $weight->{$edge} / $total{ (split / /, $edge)[0] };
			@drawn = map { my $d = $_; grep { $_->[0] > 0 } [ $d->[0] * $p, [ @{ $d->[1] }, $edge ] ], [ $d->[0] * (1 - $p), $d->[1] ] } @drawn;
		}
	}
	for my $d (@drawn)
	{
		my @reach = map { 1 << $_ } 0 .. $N - 1;
		for (1 .. $N)
		{
			for my $edge (@{ $d->[1] })
			{
				my ($u, $v) = split / /, $edge;
				# whoever reaches v reaches u
				for my $s (0 .. $N - 1) { $reach[$s] |= 1 << $u if $reach[$s] & 1 << $v }
			}
		}
		push @worlds, [ $d->[0], \@reach ];
	}
	return \@worlds;
}

my @bits = map { my $m = $_; scalar grep { $m & 1 << $_ } 0 .. $N - 1 } 0 .. 2**$N - 1;

# The expected spread of every set of nodes, by mask.
sub spreads
{
	my ($worlds) = @_;
	my @spread = (0) x 2**$N;

	for my $world (@$worlds)
	{
		my ($p, $reach) = @$world;
		my @union = (0);
		for my $m (1 .. 2**$N - 1)
		{
			my $low = 0;
			$low++ until $m & 1 << $low;
			$union[$m] = $union[ $m & $m - 1 ] | $reach->[$low];
			$spread[$m] += $p * $bits[ $union[$m] ];
		}
	}
	return \@spread;
}

my @cases;
my @cascades = ('weighted', 'uniform', 'weights', 'threshold');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE small (id int PRIMARY KEY, g influence_graph, cascade text, probability float8, seeds int, candidates bigint[],
                    exclude bigint[], costs float8[], budget float8, active bigint[], tried bigint[]);
SQL
my $rows = '';
for my $id (1 .. 1000)
{
	my $cascade = $cascades[ $id % 4 ];
	my $case = { id => $id, cascade => $cascade, k => 1 + random_below(3), exclude => 0, active => 0 };
	my $weight = random_graph($cascade);
	my $probability = $cascade eq 'uniform' ? (1 + random_below(10)) / 10 : undef;

	$case->{spread} = spreads(worlds($weight, $cascade, $probability));
	$case->{tried} = 1 + random_below(2**$N - 1);
	$case->{candidates} = 2**$N - 1;
	if ($id % 5 == 0)
	{
		$case->{exclude} = 1 << random_below($N);
		$case->{candidates} &= ~$case->{exclude};
	}
	if ($id % 7 == 0)
	{
		$case->{active} = 1 << random_below($N);
		$case->{candidates} &= ~$case->{active};
	}
	if ($id % 3 == 0)
	{
		$case->{costs} = [ map { 0.5 + random_below(8) / 2 } 0 .. $N - 1 ];
		$case->{budget} = 1 + random_below(12) / 2;
		# in every other case the budget alone decides
		$case->{k} = $N if $id % 2;
	}
	push @cases, $case;

	my @nodes = map { $_ * 11 - 20 } 0 .. $N - 1;
	my $array = sub { my ($m) = @_; return '{' . join(',', map { $nodes[$_] } grep { $m & 1 << $_ } 0 .. $N - 1) . '}' };
	my $edges = join ',', @nodes, map { my ($u, $v) = split / /; "$nodes[$u]>$nodes[$v]:$weight->{$_}" } sort keys %$weight;
	$rows .= join("\t",
		$id, "{$edges}", $cascade, $probability // '\N', $case->{costs} && $id % 2 ? '\N' : $case->{k},
		$case->{costs} ? $array->(2**$N - 1) : '\N', $case->{exclude} ? $array->($case->{exclude}) : '\N',
		$case->{costs} ? '{' . join(',', @{ $case->{costs} }) . '}' : '\N', $case->{budget} // '\N',
		$case->{active} ? $array->($case->{active}) : '\N', $array->($case->{tried})) . "\n";
}
my $file = $node->basedir . '/small';
append_to_file($file, $rows);
chmod 0644, $file;
$node->safe_psql('postgres', "COPY small FROM '$file'");

my %found;
push @{ $found{ $_->[0] } }, $_ for map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', <<'SQL');
SET max_parallel_maintenance_workers = 0;
SELECT id, (node + 20) / 11, cost, gain, spread, spread_lower, optimum_upper
FROM small, influence_maximize(g, seeds, cascade, probability, candidates => candidates, exclude => exclude,
                               costs => costs, budget => budget, seed => id, active => active)
ORDER BY id, position
SQL
my %simulated = map { my ($id, @rest) = split /\|/; $id => \@rest } split /\n/, $node->safe_psql('postgres', <<'SQL');
SET max_parallel_maintenance_workers = 0;
SELECT id, spread, standard_error FROM small, influence_spread(g, tried, cascade, probability, seed => id)
SQL

# What goes wrong in how many cases, and how far bounds and estimates are off.
my %wrong = map { $_ => 0 } qw(seeds greedy lower upper between cost gain);
my ($least_part, $least_part_costs, $worst, $best) = (1, 1, 0, 0);
my ($gap, $gap_costs, $compared, $with_costs) = (0, 0, 0, 0);
my ($z_sum, $z_squares, $z_most, $z_count) = (0, 0, 0, 0);
for my $case (@cases)
{
	my $spread = $case->{spread};
	my @rows = @{ $found{ $case->{id} } // [] };
	my $costs = $case->{costs} // [ (1) x $N ];
	# beyond what is active already
	my @value = map { $spread->[ $_ | $case->{active} ] - $spread->[ $case->{active} ] } 0 .. 2**$N - 1;
	my @cost = map { my $m = $_; sum0 map { $m & 1 << $_ ? $costs->[$_] : 0 } 0 .. $N - 1 } 0 .. 2**$N - 1;
	my $optimum = sub {
		my ($size, $money) = @_;
		return max map { $value[$_] } grep { !($_ & ~$case->{candidates}) && $bits[$_] <= $size && $cost[$_] <= $money + 1e-9 } 0 .. 2**$N - 1;
	};
	my ($mask, $before) = (0, 0);
	my $budget = $case->{budget} // 1e9;

	# as many as there may be, unless the budget forbids
	my $affordable = grep { $case->{candidates} & 1 << $_ && $costs->[$_] <= $budget } 0 .. $N - 1;
	$wrong{seeds}++ if $case->{costs} ? (@rows == 0) != ($affordable == 0) : @rows != min($case->{k}, $bits[ $case->{candidates} ]);
	next unless @rows;
	for my $i (1 .. @rows)
	{
		my (undef, $seed, $cost, $gain, $estimate, $lower, $upper) = @{ $rows[ $i - 1 ] };
		my $last = $i == @rows;

		$wrong{seeds}++ unless $case->{candidates} & 1 << $seed && !($mask & 1 << $seed);
		$mask |= 1 << $seed;
		$wrong{cost}++ unless $cost == $costs->[$seed];
		$wrong{gain}++ unless abs($estimate - $before - $gain) < 1e-9;
		$wrong{lower}++ if $lower > $value[$mask] + 1e-9;
		$wrong{upper}++ if $upper < $optimum->($last ? $case->{k} : $i, $last ? $budget : $cost[$mask]) - 1e-9;
		$wrong{between}++ if $lower > $estimate || $lower > $upper;
		$worst = max($worst, abs($estimate - $value[$mask]) / $value[$mask]);
		$before = $estimate;
	}
	my (undef, undef, undef, undef, undef, $lower, $upper) = @{ $rows[-1] };
	my $part = $value[$mask] / $optimum->($case->{k}, $budget);
	$wrong{seeds}++ if $cost[$mask] > $budget + 1e-9 || @rows > $case->{k};
	if ($case->{costs}) { $least_part_costs = min($least_part_costs, $part) }
	else { $least_part = min($least_part, $part) }
	$wrong{greedy}++ if $part < ($case->{costs} ? 0.405 : 1 - exp(-1)) - 0.1;
	$best++ if $part > 1 - 1e-9;
	$gap += $upper / $lower - 1;
	$gap_costs += $upper / $lower - 1 if $case->{costs};
	$with_costs++ if $case->{costs};
	$compared++;

	my ($mean, $error) = @{ $simulated{ $case->{id} } };
	my $exact = $spread->[ $case->{tried} ];
	if ($error > 0)
	{
		my $z = ($mean - $exact) / $error;
		$z_sum += $z;
		$z_squares += $z * $z;
		$z_most = max($z_most, abs $z);
		$z_count++;
	}
	else { $wrong{simulated}++ if abs($mean - $exact) > 1e-3 }
}
cmp_ok($compared, '>', 950, 'random graphs have seeds');
is($wrong{$_}, 0, $_ eq 'seeds' ? 'seeds are as many, as cheap and from among whom they should be'
	: $_ eq 'greedy' ? 'seeds reach the part of the optimum that they must'
	: $_ eq 'lower' ? 'the lower bound is never above what seeds reach'
	: $_ eq 'upper' ? 'the upper bound is never below what the best reach'
	: $_ eq 'between' ? 'the lower bound is below the estimate and the upper bound'
	: "$_ of all rows")
  for sort grep { $_ ne 'simulated' } keys %wrong;
is($wrong{simulated} // 0, 0, 'simulations without spread are exact');
my $gap_plain = ($gap - $gap_costs) / ($compared - $with_costs);
cmp_ok($gap_plain, '<', 0.25, sprintf('bounds are close to each other: %.3f', $gap_plain));
cmp_ok($gap_costs / $with_costs, '<', 0.5, sprintf('with costs, too: %.3f', $gap_costs / $with_costs));
cmp_ok($worst, '<', 0.1, sprintf('the estimate is never off by more than %.3f', $worst));
cmp_ok($best / $compared, '>', 0.9, sprintf('%.1f %% of the choices are the best; the worst reach %.3f, or %.3f with costs',
		100 * $best / $compared, $least_part, $least_part_costs));
cmp_ok($z_count, '>', 400, 'simulations differ');
cmp_ok($z_most, '<', 4.5, sprintf('no mean is off by more than %.2f standard errors', $z_most));
cmp_ok(abs($z_sum / sqrt($z_count)), '<', 4, 'means are off to either side');
cmp_ok(abs($z_squares / $z_count - 1), '<', 0.2, sprintf('standard errors are what they should be: %.3f', $z_squares / $z_count));

# --- workers, sentinels, memory -------------------------------------------

make_interactions($node, 'interactions', rows => 60_000, users => 8_000);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE graphs AS
SELECT 'large' AS name, influence_graph_agg(source, target, weight) AS g FROM interactions WHERE source <> target AND weight > 0;
-- everybody reaches most others: sets have thousands of nodes
INSERT INTO graphs
SELECT 'dense', influence_graph_agg(s, t)
FROM (SELECT (n % 30000)::bigint AS s, (30000 * pow((hashint8extended(n, 7) & 1048575) / 1048576.0::float8, 1.5))::bigint AS t
      FROM generate_series(1, 180000) n) e;
SQL

my @calls = (
	[ 'large', 'weighted', 'NULL', 20, '' ],
	[ 'large', 'threshold', 'NULL', 20, '' ],
	[ 'dense', 'uniform', '0.4', 10, ', epsilon => 0.05' ],
	[ 'large', 'weighted', 'NULL', 20, ", candidates => (SELECT array_agg(node ORDER BY node) FROM influence_nodes(g)),
		costs => (SELECT array_agg(1 + in_degree ORDER BY node) FROM influence_nodes(g)), budget => 200" ]);
for my $call (@calls)
{
	my ($name, $cascade, $probability, $seeds, $more) = @$call;
	my $what = "$name, $cascade" . ($more =~ /costs/ ? ', costs' : '');
	my (@answers, @simulations);
	for my $workers (0, 1, 2)
	{
		my ($out, $err);
		$node->psql('postgres', <<"SQL", stdout => \$out, stderr => \$err);
SET max_parallel_maintenance_workers = $workers;
SET client_min_messages = debug1;
SELECT string_agg(m::text, ' ') FROM graphs, influence_maximize(g, $seeds, '$cascade', $probability, seed => 5$more) m WHERE name = '$name';
SQL
		push @answers, $out;
		my ($used, $sentinels) = $err =~ /(\d+) sentinels, (\d+) workers/ ? ($2, $1) : (-1, -1);
		cmp_ok($used, $workers ? '>=' : '==', $workers ? 1 : 0, "$what: $used workers where $workers may be");
		if ($name eq 'dense') { cmp_ok($sentinels, '>=', 1, "$what: sentinels are settled on") }
		else { is($sentinels, 0, "$what: sentinels are not needed") }
		push @simulations, $node->safe_psql('postgres', <<"SQL");
SET max_parallel_maintenance_workers = $workers;
SELECT influence_spread(g, (SELECT array_agg(node) FROM (SELECT * FROM influence_nodes(g) ORDER BY in_degree DESC, node LIMIT 5) n),
                        '$cascade', $probability, simulations => 100, seed => 6) FROM graphs WHERE name = '$name'
SQL
	}
	like($answers[0], qr/^\(1,/, "$what: there is an answer");
	is($answers[$_], $answers[0], "$what: the same with $_ workers") for 1, 2;
	is($simulations[$_], $simulations[0], "$what: simulations are the same with $_ workers") for 1, 2;

	# every row against a simulation of its own
	my $simulations = $name eq 'dense' ? 200 : 1000;
	is( $node->safe_psql('postgres', <<"SQL"), 't', "$what: simulations agree");
SELECT bool_and(s.spread BETWEEN m.spread_lower - 5 * s.standard_error AND m.optimum_upper + 5 * s.standard_error
            AND abs(s.spread - m.spread) <= greatest(5 * s.standard_error, 0.06 * s.spread))
   AND bool_and(m.gain >= 0) AND count(*) >= 4
FROM (SELECT g, m.*, array_agg(node) OVER (ORDER BY position) AS nodes
      FROM graphs, influence_maximize(g, $seeds, '$cascade', $probability, seed => 5$more) m WHERE name = '$name') m,
     influence_spread(g, nodes, '$cascade', $probability, simulations => $simulations) s
WHERE position IN (1, 2, 3, 5, 10, 20)
SQL
}

# With sentinels the choice is as good as the best of other choices.
is( $node->safe_psql('postgres', <<'SQL'), 't', 'sentinels do not spoil the choice');
SELECT c.spread > 0.995 * greatest(d.spread, r.spread)
FROM graphs,
     influence_spread(g, ARRAY(SELECT node FROM influence_maximize(g, 10, 'uniform', 0.4, epsilon => 0.05)), 'uniform', 0.4, simulations => 500) c,
     influence_spread(g, ARRAY(SELECT node FROM influence_nodes(g) ORDER BY in_degree DESC, node LIMIT 10), 'uniform', 0.4, simulations => 500) d,
     influence_spread(g, ARRAY(SELECT node FROM influence_pagerank(g) ORDER BY rank DESC, node LIMIT 10), 'uniform', 0.4, simulations => 500) r
WHERE name = 'dense'
SQL

# What memory does not allow is said, and what is said is true.
{
	my ($out, $err);
	$node->psql('postgres', <<'SQL', stdout => \$out, stderr => \$err);
SET maintenance_work_mem = '4MB';
SELECT string_agg(m::text, ' ') FROM graphs, influence_maximize(g, 20, epsilon => 0.01) m WHERE name = 'large';
SET max_parallel_maintenance_workers = 0;
SELECT max(spread_lower / optimum_upper) < 1 - exp(-1) - 0.01 + 0.3 FROM graphs, influence_maximize(g, 20, epsilon => 0.01) WHERE name = 'large';
SQL
	like($err, qr/WARNING:  "maintenance_work_mem" is too small for epsilon 0.01\nDETAIL:  The seeds are certain to reach [4-9]\d\.\d % of what is possible/, 'a warning says that memory is short');
	is(scalar(() = $err =~ /WARNING/g), 2, 'with workers and without');
	like($out, qr/^\(1,.*\n[tf]$/s, 'there is an answer all the same');
}
{
	my @answers = map { scalar $node->safe_psql('postgres', <<"SQL") } 0 .. 2;
SET client_min_messages = error;
SET maintenance_work_mem = '4MB';
SET max_parallel_maintenance_workers = $_;
SELECT string_agg(m::text, ' ') FROM graphs, influence_maximize(g, 20, epsilon => 0.01) m WHERE name = 'large';
SQL
	is($answers[$_], $answers[0], "where memory is short it is the same with $_ workers") for 1, 2;
}
is( $node->safe_psql('postgres', <<'SQL'), 't', 'the answer is nearly as good');
SET client_min_messages = error;
SET maintenance_work_mem = '4MB';
CREATE TEMP TABLE little AS SELECT array_agg(node) AS nodes FROM graphs, influence_maximize(g, 20, epsilon => 0.01) WHERE name = 'large';
SET maintenance_work_mem = '256MB';
SELECT l.spread > 0.97 * m.spread
FROM graphs, little, influence_spread(g, nodes, simulations => 2000) l,
     LATERAL (SELECT * FROM influence_maximize(g, 20) ORDER BY position DESC LIMIT 1) m
WHERE name = 'large'
SQL
like( statement_error($node, "SET maintenance_work_mem = '1MB'; SELECT count(*) FROM graphs, influence_maximize(g, 20) WHERE name = 'large'"),
	qr/^53400: graph needs about \d+ MB of memory/, 'too little memory for the graph is an error');

# Where there is no shared memory the leader goes on alone.
is( $node->safe_psql('postgres', <<'SQL'), '20', 'no workers to be had');
SET max_parallel_workers = 0;
SELECT count(*) FROM graphs, influence_maximize(g, 20) WHERE name = 'large'
SQL
is( $node->safe_psql('postgres', <<'SQL'), 't', 'in a parallel query it goes on alone');
SET force_parallel_mode = on;
SELECT count(*) = 20 FROM graphs, influence_maximize(g, 20) WHERE name = 'large'
SQL

# A cancel ends it at once.
like( statement_error($node, "SET statement_timeout = '300ms'; SELECT count(*) FROM graphs, influence_maximize(g, 20, epsilon => 0.001) WHERE name = 'large'"),
	qr/^57014:/, 'a timeout ends a choice');
like( statement_error($node, "SET statement_timeout = '300ms'; SELECT spread FROM graphs, influence_spread(g, '{}'::bigint[] || (SELECT array_agg(node) FROM influence_nodes(g)), simulations => 1000000) WHERE name = 'large'"),
	qr/^57014:/, 'a timeout ends simulations');
is(leftovers($node), '', 'nothing is left behind');

# --- real data ------------------------------------------------------------

SKIP:
{
	my $data = $ENV{INFLUENCE_DATA};
	skip 'skipped: INFLUENCE_DATA names no directory of data', 1
	  unless $data && -e "$data/enron/enron_edges.csv" && -e "$data/stackexchange/interactions.csv";
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE enron (sender bigint, recipient bigint, "time" timestamp, kind text, topic3 int, ldc_topic int);
COPY enron FROM '$data/enron/enron_edges.csv' (FORMAT csv, HEADER);
CREATE TABLE stackexchange (network text, actor_id bigint, target_id bigint, kind text, topic text, object_post_id bigint, created_at timestamp);
COPY stackexchange FROM '$data/stackexchange/interactions.csv' (FORMAT csv, HEADER);
INSERT INTO graphs SELECT 'enron', influence_graph_agg(sender, recipient) FROM enron WHERE sender <> recipient;
INSERT INTO graphs SELECT 'stackexchange', influence_graph_agg(actor_id + 1000000000::bigint * length(network), target_id + 1000000000::bigint * length(network))
FROM stackexchange WHERE actor_id <> target_id;
SQL
	for my $name ('enron', 'stackexchange')
	{
		for my $cascade ([ 'weighted', 'NULL' ], [ 'threshold', 'NULL' ], [ 'uniform', '0.03' ])
		{
			my ($chosen, $error, $degree, $rank, $random, $promised) = split /\|/, $node->safe_psql('postgres', <<"SQL");
SELECT c.spread, c.standard_error, d.spread, r.spread, o.spread, m.spread_lower <= c.spread + 4 * c.standard_error AND c.spread <= m.optimum_upper
FROM graphs,
     LATERAL (SELECT array_agg(node) AS nodes, max(spread_lower) AS spread_lower, max(optimum_upper) AS optimum_upper
              FROM influence_maximize(g, 10, '$cascade->[0]', $cascade->[1])) m,
     LATERAL influence_spread(g, m.nodes, '$cascade->[0]', $cascade->[1]) c,
     LATERAL influence_spread(g, ARRAY(SELECT node FROM influence_nodes(g) ORDER BY in_degree DESC, node LIMIT 10), '$cascade->[0]', $cascade->[1]) d,
     LATERAL influence_spread(g, ARRAY(SELECT node FROM influence_pagerank(g) ORDER BY rank DESC, node LIMIT 10), '$cascade->[0]', $cascade->[1]) r,
     LATERAL influence_spread(g, ARRAY(SELECT node FROM influence_nodes(g) ORDER BY hashint8(node), node LIMIT 10), '$cascade->[0]', $cascade->[1]) o
WHERE name = '$name'
SQL
			is($promised, 't', "$name, $cascade->[0]: seeds reach what is promised");
			cmp_ok($chosen, '>', $degree - 3 * $error, "$name, $cascade->[0]: further than those with the largest audience ($degree)");
			cmp_ok($chosen, '>', $rank - 3 * $error, "$name, $cascade->[0]: further than those with the highest PageRank ($rank)");
			cmp_ok($chosen, '>', $random, "$name, $cascade->[0]: further than any others ($random)");
			note("$name, $cascade->[0]: seeds $chosen, audience $degree, PageRank $rank, others $random");
		}
	}
}

finish_cluster($node);
done_testing();
