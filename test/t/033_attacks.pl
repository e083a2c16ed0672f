# What accounts made or bought to react to somebody gain that user's score, by
# rule.  The community is made up (community.sql); gains are means over three
# users around the median of responses, on the scale of the community without
# the attack.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('attacks', conf => "fsync = off\nmax_parallel_maintenance_workers = 0\n");
my %rule = (
	classic => "restart => 'uniform', damping => 0.85",
	counting => q(mixture => '{"responses": 1}'),
	credible => '',
	trusted => "restart => 'trusted'");
my @rules = sort keys %rule;

$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../sql/include/community.sql"));
$node->safe_psql('postgres', <<'SQL');
SELECT community('events');
ALTER TABLE events ADD COLUMN weight float8 DEFAULT 1;
CREATE TABLE person AS
SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM (SELECT source AS id FROM events UNION SELECT target FROM events) p;
CREATE TABLE reaction (source bigint, target bigint, times float8);

-- Reactions of some accounts to the next k, round.
CREATE FUNCTION ring(account bigint[], k int, times float8) RETURNS void LANGUAGE sql AS $$
INSERT INTO reaction SELECT account[i + 1], account[(i + j) % cardinality(account) + 1], times
FROM generate_series(0, cardinality(account) - 1) i, generate_series(1, least(k, cardinality(account) - 1)) j
$$;

-- Make the reactions of an attack by n accounts in favour of a target.  Bots
-- have ids from 100000 on.
CREATE FUNCTION attack(kind text, n int, target bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	bot CONSTANT bigint[] := ARRAY(SELECT 100000 + i FROM generate_series(0, n - 1) i);
	real CONSTANT bigint[] := ARRAY(SELECT id FROM person WHERE id <> target ORDER BY id);
	m CONSTANT bigint := cardinality(real);
	leaders CONSTANT int := greatest(1, n / 10);
	times CONSTANT float8 := CASE WHEN kind = 'Gx' THEN 10000 ELSE 1 END;
BEGIN
	TRUNCATE reaction;
	IF kind IN ('A', 'B5', 'B20', 'Loop', 'D10', 'Gx') THEN
		INSERT INTO reaction SELECT b, target, times FROM unnest(bot) b;
	END IF;
	CASE kind
		WHEN 'A', 'Gx' THEN NULL;
		WHEN 'B5' THEN PERFORM ring(bot, 5, 1);
		WHEN 'B20' THEN PERFORM ring(bot, 20, 1);
		WHEN 'Loop' THEN	-- leaders and their bots, 100 reactions each way
			INSERT INTO reaction SELECT CASE way WHEN 0 THEN bot[i] ELSE bot[l] END, CASE way WHEN 0 THEN bot[l] ELSE bot[i] END, 100
			FROM generate_series(leaders + 1, n) i, LATERAL (SELECT (i - leaders - 1) % leaders + 1) x(l), generate_series(0, 1) way;
		WHEN 'C20' THEN		-- real accounts, the target among them
			PERFORM ring(target || ARRAY(SELECT DISTINCT real[j * 7919 % m + 1] FROM generate_series(1::bigint, n - 1) j ORDER BY 1), 20, 1);
		WHEN 'D10' THEN		-- one bot in ten is reacted to
			INSERT INTO reaction SELECT real[(j * 7919 + 13) % m + 1], bot[j + 1], 1 FROM generate_series(0::bigint, greatest(1, n / 10) - 1) j;
		WHEN 'R' THEN		-- real people
			INSERT INTO reaction SELECT real[j * 7919 % m + 1], target, 1 FROM generate_series(0::bigint, n - 1) j;
		WHEN 'E1' THEN INSERT INTO reaction VALUES (0, target, 1);
		WHEN 'F' THEN INSERT INTO reaction VALUES (bot[1], target, 10000);
		WHEN 'F2' THEN INSERT INTO reaction VALUES (real[4242 % m + 1], target, 10000);
	END CASE;
END
$$;

-- The mean gain by rule.
CREATE FUNCTION gain(kind text, n int, rules text[], targets bigint[], OUT rule text, OUT gain float8) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	who bigint;
	model text;
BEGIN
	CREATE TEMP TABLE gained (rule text, gain float8) ON COMMIT DROP;
	FOREACH who IN ARRAY targets LOOP
		PERFORM attack(kind, n, who);
		INSERT INTO events (source, target, at, weight) SELECT r.source, r.target, '2025-01-01 UTC', times FROM reaction r;
		FOREACH model IN ARRAY rules LOOP
			PERFORM influence_refresh(model, as_of => '2025-01-01 UTC');
			INSERT INTO gained SELECT model, influence_score(who, model) - score FROM clean c WHERE c.rule = model AND user_id = who;
		END LOOP;
		DELETE FROM events WHERE at = '2025-01-01 UTC';
	END LOOP;
	RETURN QUERY SELECT g.rule, avg(g.gain) FROM gained g GROUP BY 1;
END
$$;
CREATE TABLE clean (rule text, user_id bigint, score real);
SQL
for my $rule (@rules)
{
	my $arguments = $rule{$rule} ? ", $rule{$rule}" : '';
	$node->safe_psql('postgres', <<"SQL");
SELECT influence_create_model('$rule', 'events', at => 'at', weight => 'weight', keep_graphs => 0$arguments);
SELECT influence_refresh('$rule', as_of => '2025-01-01 UTC');
INSERT INTO clean SELECT '$rule', user_id, score FROM ${rule}_scores;
SQL
}

my $targets = $node->safe_psql('postgres', <<'SQL');
SELECT array_agg(user_id ORDER BY place) FROM (
	SELECT user_id, row_number() OVER (ORDER BY responses) - 1 - count(*) OVER () / 2 AS place
	FROM trusted_scores WHERE responses > 0) s
WHERE place IN (-2, 0, 2)
SQL
is($targets, '{2970,1808,3532}', 'the users around the median of responses');

my %gain;
sub measure
{
	my ($kind, $n) = @_;
	for (split /\n/, $node->safe_psql('postgres', sprintf("SELECT * FROM gain('%s', %d, '{%s}', '%s')", $kind, $n, join(',', @rules), $targets)))
	{
		my ($rule, $gain) = split /\|/;
		$gain{$kind}{$n}{$rule} = $gain;
	}
	note(sprintf('%-5s %4d: %s', $kind, $n, join(', ', map { sprintf('%s %.1f', $_, $gain{$kind}{$n}{$_}) } @rules)));
	return;
}
for my $kind ('A', 'B5', 'B20', 'Loop', 'C20', 'D10', 'Gx', 'R')
{
	measure($kind, $_) for 10, 100, 1000;
}
measure($_, 1) for 'E1', 'F', 'F2';

# What 'trusted' promises for 10, 100 and 1,000 accounts; undef: nothing.
my %most = (A => [ 1, 2, 6 ], B5 => [ 1, 5, undef ], B20 => [ 1, 9, undef ], Loop => [ 1, 4, 35 ], Gx => [ 1, 2, 8 ]);
for my $kind (sort keys %most)
{
	my @n = (10, 100, 1000);
	for my $i (grep { defined $most{$kind}[$_] } 0 .. 2)
	{
		cmp_ok($gain{$kind}{ $n[$i] }{trusted}, '<=', $most{$kind}[$i], "trusted: $n[$i] accounts, attack $kind");
	}
}
cmp_ok($gain{E1}{1}{trusted}, '<=', 11, 'trusted: one reaction of the most popular');
cmp_ok($gain{F}{1}{trusted}, '<=', 1, 'trusted: 10,000 reactions of a new account');
cmp_ok($gain{F2}{1}{trusted}, '<=', 7, 'trusted: 10,000 reactions of somebody real');
for my $kind ('A', 'B5', 'B20', 'Loop', 'Gx')
{
	cmp_ok($gain{$kind}{10}{trusted}, '<', $gain{R}{10}{trusted} - 2, "trusted: 10 real people count more than 10 of attack $kind");
	cmp_ok($gain{$kind}{100}{trusted}, '<', $gain{R}{100}{trusted} - 25, "trusted: 100 real people count more than 100 of attack $kind");
}

# What 'credible' promises, and where neither resists: real accounts that
# react to each other, and bots with reactions bought for them.
cmp_ok($gain{A}{10}{credible}, '<=', 2, 'credible: 10 new accounts');
cmp_ok($gain{A}{100}{credible}, '<=', 9, 'credible: 100 new accounts');
cmp_ok($gain{A}{1000}{credible}, '<=', 35, 'credible: 1,000 new accounts');
cmp_ok($gain{F}{1}{credible}, '<=', 3, 'credible: 10,000 reactions of a new account');
cmp_ok($gain{E1}{1}{credible}, '<=', 11, 'credible: one reaction of the most popular');
cmp_ok($gain{B5}{100}{credible}, '>', 40, 'credible: does not resist accounts that react to each other');
cmp_ok($gain{C20}{100}{trusted}, '>', 20, 'trusted: does not resist real accounts that agree to react to each other');
cmp_ok($gain{D10}{1000}{trusted}, '>', 30, 'trusted: does not resist where a tenth of the reactions is bought');

# Against the rules that look at no credibility.
for my $other ('classic', 'counting')
{
	for my $kind ('A', 'Gx')
	{
		cmp_ok($gain{$kind}{$_}{credible}, '<', $gain{$kind}{$_}{$other}, "$_ accounts, attack $kind: credible gives less than $other")
		  for 10, 100, 1000;
	}
	for my $kind ('A', 'B5', 'B20', 'Loop', 'Gx')
	{
		cmp_ok($gain{$kind}{$_}{trusted}, '<', $gain{$kind}{$_}{$other} / 4, "$_ accounts, attack $kind: trusted gives less than a quarter of $other")
		  for 10, 100;
	}
}

finish_cluster($node);
done_testing();
