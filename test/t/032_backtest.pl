# Backtests and calibration: with workers, on a standby, with little memory,
# cancelled; and on real data, where there are some in $INFLUENCE_DATA, with
# tables of the figures in the log of the test.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('backtest', init => { allows_streaming => 1 });
make_interactions($node, 'interactions', rows => 300_000, users => 60_000);
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW seen AS SELECT source, target, weight, at FROM interactions OFFSET 0;
SELECT influence_create_model('model', 'interactions', weight => 'weight', at => 'at', kind => 'kind');
SELECT influence_create_model('seen', 'seen', weight => 'weight', at => 'at');
SQL

# --- generated data ---------------------------------------------------------

my $backtest = "SELECT * FROM influence_backtest('model', '2024-02-01 UTC', '60 days')";
my $alone = $node->safe_psql('postgres', "SET max_parallel_maintenance_workers = 0; $backtest");
like($alone, qr/^score\|\d{5}\|0\.\d+\|0\.\d+\|0\.\d+\n/, 'a backtest');
is($node->safe_psql('postgres', "SET max_parallel_maintenance_workers = 2; $backtest"), $alone, 'the same with workers');
is($node->safe_psql('postgres', "SELECT * FROM influence_backtest('seen', '2024-02-01 UTC', '60 days')"), $alone, 'and of a view');
is(leftovers($node), '', 'nothing is left of it');

my $calibrate = "SELECT section, name, proposed, spearman, ndcg_100 FROM influence_calibrate('model',"
  . " '{2023-12-01 UTC, 2024-02-01 UTC, 2024-04-01 UTC}', '60 days', max_runs => 30)";
my $proposal = $node->safe_psql('postgres', "SET max_parallel_maintenance_workers = 0; $calibrate");
is($node->safe_psql('postgres', $calibrate), $proposal, 'calibrated with workers');

# Users are counted beside what a run needs.
like(statement_error($node, "SET maintenance_work_mem = '8MB'; $backtest"),
	qr/^53400: refresh needs about \d+ MB of memory, more than maintenance_work_mem \(8 MB\)/, 'too little memory');
is($node->safe_psql('postgres', "SET maintenance_work_mem = '32MB'; $backtest"), $alone, 'little memory');

like(statement_error($node, "SET statement_timeout = '2s'; SELECT * FROM influence_calibrate('model', max_runs => 100000)"),
	qr/^57014: canceling statement due to statement timeout/, 'calibration is cancelled');
is(leftovers($node), '', 'nothing is left of it');

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('backtest_standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
is($standby->safe_psql('postgres', $backtest), $alone, 'a standby backtests');
is($standby->safe_psql('postgres', $calibrate), $proposal, 'and calibrates');
like(statement_error($standby, "SELECT * FROM influence_calibrate('model', apply => true)"),
	qr/^25006: cannot execute influence_calibrate\(\) in a read-only transaction/, 'but applies nothing');
finish_cluster($standby);

# A model that somebody alters meanwhile is not altered by what was found.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION slow(timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN $1; END $$;
CREATE VIEW slowly AS SELECT source, target, slow(at) AS at FROM interactions WHERE source % 10 = 0;
SELECT influence_create_model('slowly', 'slowly', at => 'at', half_life => '3000 days');
SQL
my $lock = begin_session($node, 'BEGIN', 'SELECT pg_advisory_xact_lock(1)', 'SELECT pg_sleep(2)', 'COMMIT');
wait_for($node, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted");
my $calibration = begin_session($node,
	"SELECT * FROM influence_calibrate('slowly', '{2023-12-01 UTC, 2024-02-01 UTC, 2024-04-01 UTC}', '60 days', max_runs => 30, apply => true)");
ok(wait_for($node, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), 'calibration reads');
$node->safe_psql('postgres', "SELECT influence_alter_model('slowly', damping => 0.25)");
end_session($lock);
my ($status, $out, $err) = end_session($calibration);
like($err, qr/40001: model "slowly" was altered while it was calibrated/, 'altered meanwhile');
is($node->safe_psql('postgres', "SELECT damping, half_life FROM influence_models WHERE name = 'slowly'"), '0.25|3000 days', 'and left as it is');

# --- real data ----------------------------------------------------------------

SKIP:
{
	my $data = $ENV{INFLUENCE_DATA};
	skip 'skipped: INFLUENCE_DATA names no directory of data', 1
	  unless $data && -e "$data/stackexchange/interactions.csv" && -e "$data/enron/enron_edges.csv" && -e "$data/klout_when_to_post";

	# One row for each event, and no mail of 1979.
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE se_rows (network text, actor_id bigint, target_id bigint, kind text, topic text, object_post_id bigint, created_at timestamp);
COPY se_rows FROM '$data/stackexchange/interactions.csv' (FORMAT csv, HEADER);
CREATE TABLE enron_rows (sender bigint, recipient bigint, "time" timestamp, kind text, topic3 int, ldc_topic int);
COPY enron_rows FROM '$data/enron/enron_edges.csv' (FORMAT csv, HEADER);
CREATE TABLE se AS SELECT DISTINCT network, actor_id AS source, target_id AS target, kind, object_post_id, created_at AS at FROM se_rows;
CREATE VIEW quantumcomputing AS SELECT * FROM se WHERE network = 'quantumcomputing';
CREATE VIEW conlang AS SELECT * FROM se WHERE network = 'conlang';
CREATE VIEW alcohol AS SELECT * FROM se WHERE network = 'alcohol.meta';
CREATE TABLE enron AS SELECT DISTINCT sender AS source, recipient AS target, kind, "time" AS at FROM enron_rows WHERE "time" > '1980-01-01';
CREATE TABLE klout (line text);
CREATE TABLE facebook AS SELECT * FROM klout;
CREATE TABLE twitter AS SELECT * FROM klout;
COPY facebook FROM '$data/klout_when_to_post/user_timestamp_open_set_fb.tsv' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02');
COPY twitter FROM '$data/klout_when_to_post/user_timestamp_open_set_tw.tsv' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02');
CREATE VIEW facebook_reactions AS SELECT split_part(line, E'\\t', 2)::bigint AS source, split_part(line, E'\\t', 1)::bigint AS target,
    to_timestamp(split_part(line, E'\\t', 5)::bigint / 1000.0) AS at FROM facebook WHERE line NOT LIKE '#%';
CREATE VIEW twitter_reactions AS SELECT split_part(line, E'\\t', 2)::bigint AS source, split_part(line, E'\\t', 1)::bigint AS target,
    to_timestamp(split_part(line, E'\\t', 5)::bigint / 1000.0) AS at FROM twitter WHERE line NOT LIKE '#%';
SELECT influence_create_model(name, name::regclass, at => 'at', kind => 'kind') FROM unnest('{quantumcomputing, enron, conlang, alcohol}'::text[]) name;
SELECT influence_create_model(name, (name || '_reactions')::regclass, at => 'at') FROM unnest('{facebook, twitter}'::text[]) name;
SQL

	# Figures of what was published at the cutoff, with the metrics in SQL.
	for my $case ([ 'enron', '2001-09-01 UTC', '60 days' ], [ 'quantumcomputing', '2018-06-15 UTC', '30 days' ])
	{
		my ($model, $cutoff, $horizon) = @$case;
		$node->safe_psql('postgres', "SELECT influence_refresh('$model', as_of => '$cutoff')");
		is($node->safe_psql('postgres', <<"SQL"), 't|t|t|t|t', "$model: figures");
CREATE TEMP TABLE drawn AS
SELECT s.user_id, influence, responses, s.audience, activity,
       (SELECT count(*) FROM $model WHERE target = s.user_id AND source <> target AND at::timestamptz <= '$cutoff') AS reactions,
       (SELECT count(DISTINCT source) FROM $model WHERE target = s.user_id AND source <> target
        AND at::timestamptz > '$cutoff' AND at::timestamptz <= '$cutoff'::timestamptz + '$horizon'::interval) AS drew
FROM ${model}_scores s;
WITH p AS (SELECT predictor, drew, round(value::numeric, 9) AS value FROM drawn,
               LATERAL (VALUES ('score', influence), ('responses', responses), ('audience', audience), ('activity', activity), ('reactions', reactions)) v(predictor, value)),
     r AS (SELECT predictor, drew, rank() OVER v + (count(*) OVER (PARTITION BY predictor, value) - 1) / 2.0 AS rank_value,
               rank() OVER g + (count(*) OVER (PARTITION BY predictor, drew) - 1) / 2.0 AS rank_drew,
               avg(drew) OVER (PARTITION BY predictor, value) AS mean,
               row_number() OVER (PARTITION BY predictor ORDER BY value DESC) AS place, row_number() OVER (PARTITION BY predictor ORDER BY drew DESC) AS best
           FROM p WINDOW v AS (PARTITION BY predictor ORDER BY value), g AS (PARTITION BY predictor ORDER BY drew)),
     m AS (SELECT predictor, count(*) AS users, corr(rank_value, rank_drew) AS spearman,
               sum(mean / log(2, place + 1)) FILTER (WHERE place <= 100) / sum(drew / log(2, best + 1)) FILTER (WHERE best <= 100) AS ndcg
           FROM r GROUP BY predictor)
SELECT string_agg((m.users = b.users AND abs(m.spearman - b.spearman) < 1e-9 AND abs(m.ndcg - b.ndcg_100) < 1e-9)::text::char(1), '|')
FROM m JOIN influence_backtest('$model', '$cutoff', '$horizon') b USING (predictor)
SQL
	}

	# The tables of the README, and more.
	for my $model (qw(quantumcomputing enron conlang alcohol facebook twitter))
	{
		$node->safe_psql('postgres', "CREATE TABLE ${model}_found AS SELECT * FROM influence_calibrate('$model')");
		diag("$model: " . $node->safe_psql('postgres',
			"SELECT string_agg(name || ' ' || coalesce(value || ' -> ' || proposed, value), '; ') FROM ${model}_found WHERE section IN ('parameter', 'search')"));
		diag($node->safe_psql('postgres',
			"SELECT string_agg(format('| %s | %s | %s | %s | %s |', section, name, round(spearman::numeric, 3), round(ndcg_100::numeric, 3), round(precision_100::numeric, 3)), E'\\n')"
			  . " FROM ${model}_found WHERE section IN ('training', 'held out')"));
	}

	# Proposals from several cutoffs each: they help where nothing was learned.
	for my $case ([ 'enron', '{2001-06-01, 2001-07-15, 2001-09-01, 2001-10-15}', 60 ],
		[ 'quantumcomputing', '{2018-06-10, 2018-06-25, 2018-07-10, 2018-07-25}', 15 ])
	{
		my ($model, $cutoffs, $days) = @$case;
		$node->safe_psql('postgres', <<"SQL");
CREATE TABLE ${model}_rolling AS
SELECT held_out, name, c.spearman, c.ndcg_100, c.precision_100 FROM unnest('$cutoffs'::timestamptz[]) held_out,
    influence_calibrate('$model', (SELECT array_agg(held_out - n * interval '$days days') FROM unnest('{0, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5}'::float8[]) n),
        '$days days') c WHERE section = 'held out';
SQL
		diag("$model, means over " . $node->safe_psql('postgres', "SELECT count(DISTINCT held_out) FROM ${model}_rolling") . " cutoffs held out");
		diag($node->safe_psql('postgres', <<"SQL"));
SELECT format('| %s | %s | %s | %s |', name, round(avg(spearman)::numeric, 3), round(avg(ndcg_100)::numeric, 3), round(avg(precision_100)::numeric, 3))
FROM ${model}_rolling GROUP BY name ORDER BY name NOT LIKE 'score%', name
SQL
		is($node->safe_psql('postgres', <<"SQL"), 't|t|t', "$model: proposals beat what the model said, naive predictors, and PageRank by a tenth");
SELECT bool_and(m.figure > o.figure) FILTER (WHERE o.name = 'score'),
       bool_and(m.figure > o.figure) FILTER (WHERE o.name NOT LIKE '%proposed'),
       bool_and(m.figure >= 1.1 * o.figure) FILTER (WHERE o.name = 'pagerank')
FROM (SELECT name, avg(spearman + ndcg_100) AS figure FROM ${model}_rolling GROUP BY name) m,
     (SELECT name, avg(spearman + ndcg_100) AS figure FROM ${model}_rolling GROUP BY name) o
WHERE m.name = 'score, proposed'
SQL
	}
}

finish_cluster($node);
done_testing();
