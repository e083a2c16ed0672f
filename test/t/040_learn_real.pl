# Probabilities learned from real interactions, against what came later.  The
# data are read from $INFLUENCE_DATA.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{INFLUENCE_DATA};
plan skip_all => 'skipped: INFLUENCE_DATA names no directory of data'
  unless $data && -e "$data/stackexchange/interactions.csv" && -e "$data/enron/enron_edges.csv";

my $node = start_cluster('learn_real');
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE stackexchange (network text, actor_id bigint, target_id bigint, kind text, topic text, object_post_id bigint, created_at timestamp);
COPY stackexchange FROM '$data/stackexchange/interactions.csv' (FORMAT csv, HEADER);
CREATE VIEW se AS SELECT network || ':' || actor_id AS source, network || ':' || target_id AS target, created_at AS at FROM stackexchange;
CREATE TABLE enron (sender bigint, recipient bigint, "time" timestamp, kind text, topic3 int, ldc_topic int);
COPY enron FROM '$data/enron/enron_edges.csv' (FORMAT csv, HEADER);
SELECT influence_create_model('enron', 'enron', source => 'sender', target => 'recipient', at => 'time');
SELECT influence_create_model('se', 'se', at => 'at');
SQL

# Model, cutoff, horizon; and whether the Brier score is better than that of the
# mean by so much for certain: where a company is about to fall, who wrote to
# whom changes faster than that.
my @splits = (
	[ 'enron', '2001-01-01 UTC', '6 mons', 1 ],
	[ 'enron', '2001-07-01 UTC', '6 mons', 0 ],
	[ 'se',    '2018-07-01 UTC', '6 mons', 1 ]);

for my $split (@splits)
{
	my ($model, $cutoff, $horizon, $better) = @$split;

	for my $delay ('1 day', '7 days')
	{
		for my $credit ('bernoulli', 'partial')
		{
			my $name = "$model from $cutoff, $delay, $credit";
			my @rows = map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres',
				"SELECT coalesce(bin, 0), pairs, trials, predicted, observed, brier, base_brier, log_loss, base_log_loss
				 FROM influence_calibration('$model', '$cutoff', '$horizon', '$delay', '$credit', 5)");
			my $all = $rows[-1];
			my $sum = 0;

			note(sprintf('%-45s %6s %7s %9s %9s %9s %9s %9s %9s', $name, qw(pairs trials predicted observed brier base log-loss base)));
			note(sprintf('%45s %6d %7d %9.4f %9.4f %9.5f %9.5f %9.5f %9.5f', $_->[0] || 'all', @$_[ 1 .. 8 ])) for @rows;
			$sum += $_->[2] for @rows[ 0 .. $#rows - 1 ];
			is($sum, $all->[2], "$name: each trial is in a bin");
			cmp_ok($all->[7], '<', $all->[8], "$name: log loss is less than the mean's");
			cmp_ok($all->[5], '<', $all->[6], "$name: Brier score is less than the mean's") if $better;
			cmp_ok($rows[-2][4], '>', 2 * $rows[0][4], "$name: who is said to react more does");
			# within a factor: people change
			cmp_ok($all->[3], '<', 2 * $all->[4], "$name: not said to react much more than they do");
			cmp_ok($all->[3], '>', $all->[4] / 2, "$name: nor much less");
		}
	}
}

# A campaign on them.
is($node->safe_psql('postgres', <<'SQL'), 't|t', 'seeds of a campaign by learned probabilities reach as many as simulated');
SELECT influence_refresh('enron') IS NULL AS refreshed, influence_learn('enron') IS NULL AS learned \gset
SELECT array_agg(user_id ORDER BY position) AS seeds, max(spread) AS spread FROM influence_campaign('enron', 5, cascade => 'learned', epsilon => 0.05) \gset
SELECT abs(:spread - s.spread) < 5 * s.standard_error + 0.03 * s.spread, s.spread > 5
FROM (SELECT influence_graph_agg(source, target, probability) AS g FROM enron_chances) c, influence_spread(g, :'seeds', 'weights') s
SQL

finish_cluster($node);
done_testing();
