# Models of real interactions, compared with a computation of its own: weights
# and sums by joins and aggregates, ranks by power iteration here.  The data
# are read from $INFLUENCE_DATA.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{INFLUENCE_DATA};
plan skip_all => 'skipped: INFLUENCE_DATA names no directory of data'
  unless $data && -e "$data/stackexchange/interactions.csv" && -e "$data/enron/enron_edges.csv" && -e "$data/twitch_ES/ES_edges.csv";

my $node = start_cluster('real', conf => "extra_float_digits = 3\n");
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE stackexchange (network text, actor_id bigint, target_id bigint, kind text, topic text, object_post_id bigint, created_at timestamp);
COPY stackexchange FROM '$data/stackexchange/interactions.csv' (FORMAT csv, HEADER);
CREATE TABLE stackexchange_users (network text, user_id bigint, account_id bigint, reputation int, created_at timestamp, views int, up int, down int);
COPY stackexchange_users FROM '$data/stackexchange/users.csv' (FORMAT csv, HEADER);
CREATE TABLE enron (sender bigint, recipient bigint, "time" timestamp, kind text, topic3 int, ldc_topic int);
COPY enron FROM '$data/enron/enron_edges.csv' (FORMAT csv, HEADER);
CREATE TABLE twitch ("from" int, "to" int);
COPY twitch FROM '$data/twitch_ES/ES_edges.csv' (FORMAT csv, HEADER);

-- Users of different networks have the same numbers: either the network becomes
-- part of the id, or accounts stand for them.
CREATE TABLE se_text AS
    SELECT network || ':' || actor_id AS source, network || ':' || target_id AS target, kind, network, topic, created_at FROM stackexchange;
CREATE VIEW se_account AS
    SELECT a.account_id AS source, t.account_id AS target, i.kind, i.network, i.topic, i.created_at
    FROM stackexchange i
    JOIN stackexchange_users a ON (a.network, a.user_id) = (i.network, i.actor_id)
    JOIN stackexchange_users t ON (t.network, t.user_id) = (i.network, i.target_id);
CREATE TABLE se_uuid AS
    SELECT md5(network || ':' || actor_id)::uuid AS source, md5(network || ':' || target_id)::uuid AS target, kind, created_at FROM stackexchange;
CREATE VIEW mutual AS SELECT "from" AS source, "to" AS target FROM twitch UNION ALL SELECT "to", "from" FROM twitch;
SQL

is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE actor_id = target_id) FROM stackexchange'), '16467|3637', 'Stack Exchange is what it should be');
is($node->safe_psql('postgres', 'SELECT count(*) FROM se_account'), '16467', 'everybody is in users.csv by network and user_id');
is( $node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE sender = recipient), count(*) FILTER (WHERE "time" < \'1980-01-01\') FROM enron'),
	'125409|16483|174', 'Enron is what it should be');

# A model's arguments; and the same said in SQL: weight of a row, its time, the
# half-life in seconds.
my @models = (
	{
		name => 'se_log', relation => 'se_text', source => 'source', target => 'target', at => 'created_at',
		arguments => "at => 'created_at', kind => 'kind', network => 'network', topic => 'topic', half_life => '120 days',
			kind_weights => '{\"answer\": 3, \"accept\": 2.5, \"favorite\": 0.5, \"bounty\": 0}', network_weights => '{\"conlang\": 0.25}'",
		weight => "CASE kind WHEN 'answer' THEN 3 WHEN 'accept' THEN 2.5 WHEN 'favorite' THEN 0.5 WHEN 'bounty' THEN 0 ELSE 1 END
			* CASE network WHEN 'conlang' THEN 0.25 ELSE 1 END",
		half_life => 120 * 86400, as_of => '2018-11-15 UTC', restart => 'credible', damping => 0.5, pair => 'log' },
	{
		name => 'se_linear', relation => 'se_account', source => 'source', target => 'target', at => 'created_at',
		arguments => "at => 'created_at', kind => 'kind', half_life => '1 mon 12 hours', kind_weights => '{\"comment\": 0.1}'",
		weight => "CASE kind WHEN 'comment' THEN 0.1 ELSE 1 END",
		half_life => 30.5 * 86400, as_of => '2019-06-01 UTC', restart => 'activity', damping => 0.85, pair => 'linear' },
	{
		name => 'se_plain', relation => 'se_uuid', source => 'source', target => 'target', at => 'created_at',
		arguments => "at => 'created_at', half_life => NULL", weight => '1',
		half_life => 0, as_of => '2018-08-01 UTC', restart => 'uniform', damping => 0.85, pair => 'log' },
	{
		name => 'enron_log', relation => 'enron', source => 'sender', target => 'recipient', at => '"time"',
		arguments => "at => 'time', kind => 'kind', kind_weights => '{\"cc\": 0.5, \"bcc\": 0.25}'",
		weight => "CASE kind WHEN 'cc' THEN 0.5 WHEN 'bcc' THEN 0.25 ELSE 1 END",
		half_life => 90 * 86400, as_of => '2001-10-01 UTC', restart => 'credible', damping => 0.5, pair => 'log' },
	{
		name => 'enron_linear', relation => 'enron', source => 'sender', target => 'recipient', at => "'2000-01-01'::timestamp",
		arguments => '', weight => '1', half_life => 0, as_of => '2001-10-01 UTC', restart => 'credible', damping => 0.85, pair => 'linear' },
	{
		name => 'enron_weight', relation => 'enron', source => 'sender', target => 'recipient', at => "'2000-01-01'::timestamp",
		arguments => "weight => 'topic3'", weight => 'topic3', half_life => 0, as_of => '2001-10-01 UTC', restart => 'activity', damping => 0.3, pair => 'log' },
	{
		name => 'twitch_log', relation => 'mutual', source => 'source', target => 'target', at => "'2000-01-01'::timestamp",
		arguments => '', weight => '1', half_life => 0, as_of => '2001-10-01 UTC', restart => 'credible', damping => 0.5, pair => 'log' });

for my $m (@models)
{
	compare($m);
}

sub compare
{
	my ($m) = @_;
	my $name = $m->{name};

	$node->safe_psql('postgres', <<"SQL");
SELECT influence_create_model('$name', '$m->{relation}', source => '${\unquoted($m->{source})}', target => '${\unquoted($m->{target})}',
    ${\($m->{arguments} ? "$m->{arguments}," : '')} pair_weight => '$m->{pair}', restart => '$m->{restart}', damping => $m->{damping},
    tolerance => 1e-15, max_iterations => 1000);
SELECT influence_refresh('$name', as_of => '$m->{as_of}');

CREATE TEMP TABLE rows AS
SELECT $m->{source} AS s, $m->{target} AS t, ($m->{weight})::float8 AS w, $m->{at} AT TIME ZONE 'UTC' AS at FROM $m->{relation};
CREATE TEMP TABLE sums AS
SELECT s, t, sum(w * CASE WHEN $m->{half_life} = 0 THEN 1
                          ELSE power(2::float8, -extract(epoch FROM '$m->{as_of}'::timestamptz - at)::float8 / nullif($m->{half_life}, 0)) END) AS x
FROM rows WHERE s <> t AND at <= '$m->{as_of}' AND w > 0 GROUP BY s, t;
-- ln(1 + x) loses digits where x is small
CREATE TABLE ${name}_pairs AS
SELECT s, t, CASE WHEN '$m->{pair}' = 'linear' THEN x WHEN x < 1e-4 THEN x - x * x / 2 + x * x * x / 3 - x * x * x * x / 4
                  ELSE ln(1 + x) END AS w FROM sums;
CREATE TABLE ${name}_users AS
SELECT row_number() OVER () - 1 AS n, u AS user_id, coalesce(audience, 0) AS audience, coalesce(responses, 0) AS responses,
       coalesce(credit, 0) AS credit, coalesce(activity, 0) AS activity
FROM (SELECT s AS u FROM ${name}_pairs UNION SELECT t FROM ${name}_pairs) u
LEFT JOIN (SELECT t AS u, count(*) AS audience, sum(w) AS responses, sum(least(w, ln(2::float8))) AS credit FROM ${name}_pairs GROUP BY t) r USING (u)
LEFT JOIN (SELECT s AS u, sum(w) AS activity FROM ${name}_pairs GROUP BY s) a USING (u);
CREATE TABLE ${name}_counts AS
SELECT count(*) AS rows, count(*) FILTER (WHERE s IS NULL OR t IS NULL) AS nulls, count(*) FILTER (WHERE s = t) AS self,
       count(*) FILTER (WHERE s <> t AND at > '$m->{as_of}') AS future,
       count(*) FILTER (WHERE s <> t AND at <= '$m->{as_of}' AND w = 0) AS zero FROM rows;
SQL

	is( $node->safe_psql('postgres', <<"SQL"), 't', "$name: counters");
SELECT (r.interactions, r.skipped_null, r.skipped_self, r.skipped_future, r.skipped_zero) = (c.rows, c.nulls, c.self, c.future, c.zero)
   AND r.skipped = c.nulls + c.self + c.future + c.zero
   AND r.nodes = (SELECT count(*) FROM ${name}_users) AND r.edges = (SELECT count(*) FROM ${name}_pairs) AND r.converged
   AND r.changed = r.nodes AND r.nodes = (SELECT count(*) FROM ${name}_history)
FROM influence_runs r, ${name}_counts c WHERE model = '$name'
SQL
	is( $node->safe_psql('postgres', <<"SQL"), '0|t', "$name: audience, responses and activity of all users");
SELECT count(*) FILTER (WHERE s.user_id IS NULL OR u.user_id IS NULL OR s.audience <> u.audience
                           OR abs(s.responses - u.responses) > 1e-9 * u.responses OR abs(s.activity - u.activity) > 1e-9 * u.activity),
       count(*) > 100
FROM ${name}_scores s FULL JOIN ${name}_users u USING (user_id)
SQL

	# Ranks: power iteration to the last digit.
	my @users = map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres',
		"SELECT n, credit, u.activity, coalesce(influence, -1) FROM ${name}_users u LEFT JOIN ${name}_scores USING (user_id) ORDER BY n");
	my @pairs = map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres',
		"SELECT a.n, b.n, p.w / a.activity FROM ${name}_pairs p JOIN ${name}_users a ON p.s = a.user_id JOIN ${name}_users b ON p.t = b.user_id");
	my $n = @users;
	my @q = map {
		my (undef, $credit, $activity) = @$_;
		$m->{restart} eq 'uniform' ? 1 : $activity * ($m->{restart} eq 'credible' ? 0.02 + 0.98 * $credit / ($credit + log(2)) : 1)
	} @users;
	my $sum = 0;
	$sum += $_ for @q;
	$_ /= $sum for @q;
	my @dangling = grep { $users[$_][2] == 0 } 0 .. $n - 1;
	my @x = @q;
	my @received;
	for my $iteration (1 .. 500)
	{
		@received = (0) x $n;
		$received[ $_->[1] ] += $x[ $_->[0] ] * $_->[2] for @pairs;
		my ($lost, $change) = (0, 0);
		$lost += $x[$_] for @dangling;
		for my $v (0 .. $n - 1)
		{
			my $new = $m->{damping} * ($received[$v] + $lost * $q[$v]) + (1 - $m->{damping}) * $q[$v];
			$change += abs($new - $x[$v]);
			$x[$v] = $new;
		}
		last if $change < 1e-15;
	}
	my $rank_sum = 0;
	$rank_sum += $_ for @x;
	cmp_ok(abs($rank_sum - 1), '<', 1e-12, "$name: ranks sum to 1");
	my $wrong = 0;
	for my $v (0 .. $n - 1)
	{
		my $influence = $n * $received[$v];
		$wrong++ unless abs($users[$v][3] - $influence) <= 1e-9 * $influence + 1e-10;
	}
	is($wrong, 0, "$name: influence of all $n users");

	# What follows from influence.
	is( $node->safe_psql('postgres', <<"SQL"), '0|0|t', "$name: scores, percentiles and the scale");
SELECT count(*) FILTER (WHERE abs(score - least(100, 1 + 99 * ln(1 + s.influence / m.c) / ln(1 + m.reference / m.c))) > 7.7e-6
                           OR score < 1 OR score > 100 OR (audience = 0) <> (s.influence = 0) OR (audience = 0 AND score <> 1)),
       count(*) FILTER (WHERE percentile <> (100.0::float8 * (place - 1) / m.users)::real),
       bool_and(m.reference = m.most AND abs(m.c - m.mean / 10) < 1e-12 * m.c)
FROM (SELECT *, rank() OVER (ORDER BY influence) AS place FROM ${name}_scores) s,
     (SELECT reference, c, most, mean, users FROM influence_models,
             (SELECT max(influence) AS most, avg(influence) AS mean, count(*) AS users FROM ${name}_scores) t WHERE name = '$name') m
SQL
	is( $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE influence_score(user_id, '$name') IS DISTINCT FROM score) FROM ${name}_scores"),
		'0', "$name: influence_score");
}

sub unquoted
{
	my ($name) = @_;
	$name =~ s/"//g;
	return $name;
}

# A mail that was sent later does not count, and a year later everybody's
# reactions have aged alike: shares, and so scores, are the same.
is( $node->safe_psql('postgres', <<'SQL'), 't', 'decay ages all alike');
SELECT influence_create_model('aged', 'enron', source => 'sender', target => 'recipient', at => 'time', pair_weight => 'linear',
    restart => 'activity', tolerance => 1e-14, max_iterations => 1000) AS scores \gset
SELECT run FROM influence_refresh('aged', as_of => '2003-01-01 UTC') \gset
CREATE TABLE before AS TABLE aged_scores;
SELECT run FROM influence_refresh('aged', as_of => '2004-01-01 UTC') \gset
SELECT bool_and(abs(a.influence - b.influence) <= 1e-9 * b.influence + 1e-10 AND abs(a.score - b.score) < 1e-5
                AND abs(a.activity - b.activity * power(2::float8, -365 / 90.0)) <= 1e-9 * a.activity)
FROM aged_scores a FULL JOIN before b USING (user_id)
SQL

finish_cluster($node);
done_testing();
