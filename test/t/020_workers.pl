# A refresh gives the same result whatever the number of workers, the order of
# rows, the kind of relation and the type of ids.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('workers');
make_interactions($node, 'interactions', rows => 150_000, users => 20_000);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE shuffled AS SELECT * FROM interactions ORDER BY hashfloat8(weight), hashint8(target), at;
CREATE TABLE backwards AS SELECT * FROM interactions ORDER BY at DESC, source, target;
CREATE TABLE texts AS SELECT 'user ' || source AS source, 'user ' || target AS target, weight, at, kind FROM interactions;
CREATE TABLE uuids AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target, weight, at, kind FROM interactions;
CREATE VIEW seen AS SELECT target, kind, at, weight, source FROM interactions OFFSET 0;
CREATE TABLE parts (LIKE interactions) PARTITION BY LIST (kind);
CREATE TABLE parts_like PARTITION OF parts FOR VALUES IN ('like');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT * FROM interactions;
SQL

my $refresh = "influence_refresh('%s', as_of => '2024-06-01 UTC')";

# Create a model, refresh it with some workers; returns the run's workers.
sub run_model
{
	my ($model, $relation, $workers, $arguments) = @_;
	$node->safe_psql('postgres', "SELECT influence_create_model('$model', '$relation'$arguments)");
	return refresh_model($model, $workers);
}

sub refresh_model
{
	my ($model, $workers) = @_;
	return $node->safe_psql('postgres', sprintf(<<"SQL", $model));
SET max_parallel_maintenance_workers = $workers;
SELECT workers FROM $refresh;
SQL
}

# Greatest relative difference of two models' tables in anything computed.
sub difference
{
	my ($one, $two, $id) = @_;
	$id //= 'user_id';
	return $node->safe_psql('postgres', <<"SQL");
SELECT count(*) FILTER (WHERE a.user_id IS NULL OR b.user_id IS NULL OR a.audience <> b.audience) + coalesce(max(greatest(
         abs(a.influence - b.influence) / nullif(greatest(a.influence, b.influence), 0),
         abs(a.responses - b.responses) / nullif(greatest(a.responses, b.responses), 0),
         abs(a.activity - b.activity) / nullif(greatest(a.activity, b.activity), 0))), 0) <= 1e-12
   AND max(abs(a.score - b.score)) < 1e-5
FROM (SELECT *, $id AS id FROM ${one}_scores) a FULL JOIN ${two}_scores b ON a.id = b.user_id
SQL
}

# Without weights every digit is the same.

run_model('m0', 'interactions', 0, '');
my $digest = table_digest($node, 'm0_scores');
like($digest, qr/^1\d{4} /, 'all users have a score');
is($node->safe_psql('postgres', 'SELECT workers FROM influence_runs'), '0', 'no workers where none are allowed');
for my $workers (1, 2, 4)
{
	my $used = run_model("m$workers", 'interactions', $workers, '');
	cmp_ok($used, '>=', 1, "workers take part if $workers are allowed");
	cmp_ok($used, '<=', $workers, "no more than $workers workers");
	is(table_digest($node, "m${workers}_scores"), $digest, "same scores with $workers workers");
}
for my $relation ('shuffled', 'backwards', 'seen', 'parts')
{
	for my $workers (0, 2)
	{
		run_model("$relation$workers", $relation, $workers, '');
		is(table_digest($node, "$relation${workers}_scores"), $digest,
			"same scores from $relation with $workers workers");
	}
}
for my $workers (4, 0)
{
	refresh_model('m0', $workers);
	is($node->safe_psql('postgres', "SELECT changed FROM influence_runs WHERE model = 'm0' ORDER BY run DESC LIMIT 1"),
		'0', "a refresh that finds nothing new changes nothing, with $workers workers");
}

# The columns of a run that do not depend on workers.
is( $node->safe_psql('postgres', <<'SQL'), '1', 'all runs agree on what they did');
SELECT count(DISTINCT (interactions, skipped, skipped_null, skipped_self, skipped_zero, skipped_future, nodes, edges,
                       iterations, residual, converged)) FROM influence_runs
SQL
is( $node->safe_psql('postgres', <<'SQL'), 't', 'they agree with a count');
SELECT (r.interactions, r.skipped_null, r.skipped_self, r.edges) =
       (SELECT count(*), count(*) FILTER (WHERE source IS NULL OR target IS NULL), count(*) FILTER (WHERE source = target),
               count(DISTINCT (source, target)) FILTER (WHERE source <> target) FROM interactions)
FROM influence_runs r WHERE model = 'm0' AND run = 1
SQL

# Ids of other types.

for my $workers (0, 2)
{
	run_model("texts$workers", 'texts', $workers, '');
	is(difference('m0', "texts$workers", "'user ' || user_id"), 't', "same scores for text ids with $workers workers");
	run_model("uuids$workers", 'uuids', $workers, '');
	is(difference('m0', "uuids$workers", 'md5(user_id::text)::uuid'), 't', "same scores for uuids with $workers workers");
}
is(table_digest($node, 'texts0_scores'), table_digest($node, 'texts2_scores'), 'text ids: every digit');
is(table_digest($node, 'uuids0_scores'), table_digest($node, 'uuids2_scores'), 'uuids: every digit');

# With weights and decay the order in which parallel edges are added shows in
# the last bits.

my $weights = ", weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{\"reply\": 3, \"share\": 0.5}', half_life => '30 days'";
run_model('w0', 'interactions', 0, $weights);
for my $relation ('interactions', 'shuffled', 'seen', 'parts')
{
	for my $workers (0, 1, 4)
	{
		run_model("w_$relation$workers", $relation, $workers, $weights);
		is(difference('w0', "w_$relation$workers"), 't', "weights: same scores from $relation with $workers workers");
	}
}
run_model("w_texts2", 'texts', 2, $weights);
is(difference('w0', 'w_texts2', "'user ' || user_id"), 't', 'weights: same scores for text ids');

for my $restart ('activity', 'uniform', 'trusted')
{
	for my $workers (0, 2)
	{
		run_model("$restart$workers", 'interactions', $workers, ", restart => '$restart', pair_weight => 'linear', damping => 0.85");
	}
	is(table_digest($node, "${restart}0_scores"), table_digest($node, "${restart}2_scores"), "restart '$restart': every digit");
}

# Where workers cannot be had the leader does everything.

$node->safe_psql('postgres', "SELECT influence_create_model('temporary', 'interactions')");
is( $node->safe_psql('postgres', <<'SQL'), '0', 'no workers where max_parallel_workers is 0');
SET max_parallel_maintenance_workers = 4;
SET max_parallel_workers = 0;
SELECT workers FROM influence_refresh('temporary');
SQL
is(table_digest($node, 'temporary_scores'), $digest, 'same scores');
$node->safe_psql('postgres', <<'SQL');
CREATE TEMP TABLE own AS SELECT * FROM interactions;
SELECT influence_alter_model('temporary', interactions => 'own');
SELECT 1 / (changed = 0)::int FROM influence_refresh('temporary');
SQL
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
is(refresh_model('m1', 4), '0', 'no workers where max_worker_processes is 0');
is(table_digest($node, 'm1_scores'), $digest, 'same scores');
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
cmp_ok(refresh_model('m1', 4), '<=', 1, 'at most one where max_worker_processes is 1');
is(table_digest($node, 'm1_scores'), $digest, 'same scores');

# Odd graphs.

for my $workers (0, 2)
{
	is( $node->safe_psql('postgres', <<"SQL"), "0|0\n1|0\n2|1", "empty, only skipped, and one pair, with $workers workers");
SET max_parallel_maintenance_workers = $workers;
CREATE TABLE few$workers (source bigint, target bigint);
DO \$\$ BEGIN PERFORM influence_create_model('few$workers', 'few$workers'); END \$\$;
SELECT interactions, nodes / 2 FROM influence_refresh('few$workers');
INSERT INTO few$workers VALUES (1, 1);
SELECT interactions, nodes / 2 FROM influence_refresh('few$workers');
INSERT INTO few$workers VALUES (1, 2);
SELECT interactions, nodes / 2 FROM influence_refresh('few$workers');
SQL
	is($node->safe_psql('postgres', "SELECT user_id, score, audience, activity = ln(2::float8) FROM few${workers}_scores ORDER BY 1"),
		"1|1|0|t\n2|100|1|f", 'one pair');
}
is(leftovers($node), '', 'nothing is left behind');

finish_cluster($node);
done_testing();
