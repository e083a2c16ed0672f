-- What a refresh computes, compared with another way to compute it.
SET client_min_messages = warning;
CREATE SCHEMA model_refresh;
SET search_path = model_refresh, public;
\set ECHO none
\i test/sql/include/reference.sql
\set ECHO all

-- By hand: everybody has rank 1/4; 1 gives two thirds of the attention to 2
-- and one third to 3; 2 and 4 give all of it to 3.
CREATE TABLE hand (source int, target int);
INSERT INTO hand VALUES (1, 2), (1, 2), (1, 3), (2, 3), (4, 3);
SELECT influence_create_model('hand', 'hand', pair_weight => 'linear', restart => 'uniform', damping => 0);
SELECT run, model, mode, interactions, skipped, nodes, edges, converged, changed FROM influence_refresh('hand');
SELECT user_id, round(influence::numeric, 11) AS influence, audience, responses, activity, percentile,
	round(score::numeric, 4) = round((1 + 99 * ln(1 + influence / 0.075) / ln(1 + 7.0 / 3 / 0.075))::numeric, 4) AS score_is_right,
	score = 100 AS top
FROM hand_scores ORDER BY user_id;
SELECT round(reference::numeric, 11) AS reference, round(c::numeric, 11) AS c, runs FROM influence_models;

-- Two users who react to each other: damping 1/2 and uniform restart leave
-- each with rank 1/2 and influence 2 * 1/2.
CREATE TABLE two (source int, target int);
INSERT INTO two VALUES (1, 2), (2, 1);
SELECT influence_create_model('two', 'two', restart => 'uniform');
SELECT nodes, edges FROM influence_refresh('two');
SELECT user_id, score, percentile, round(influence::numeric, 11) AS influence, audience,
	responses = ln(2::float8) AS is_ln2 FROM two_scores ORDER BY user_id;

-- Credible restart by hand: 1 and 2 react to 3 once each, 3 to 1.  Activity is
-- ln 2 for all, 3's r is 2 ln 2, 1's is ln 2, 2's is 0.
CREATE TABLE three (source int, target int);
INSERT INTO three VALUES (1, 3), (2, 3), (3, 1);
SELECT influence_create_model('three', 'three', damping => 0);
SELECT nodes, edges FROM influence_refresh('three');
WITH q(user_id, credibility) AS (VALUES (1, 0.02 + 0.98 / 2), (2, 0.02), (3, 0.02 + 0.98 * 2 / 3)),
	rank AS (SELECT user_id, credibility / sum(credibility) OVER () AS rank FROM q)
SELECT s.user_id, round(s.influence::numeric, 10) = round(3 * coalesce(
	(SELECT sum(rank) FROM three t JOIN rank r ON r.user_id = t.source WHERE t.target = s.user_id), 0), 10) AS influence_is_right
FROM three_scores s ORDER BY user_id;

-- Decay: a row one half-life old weighs half, one as old as two a quarter;
-- a month is 30 days and a day 24 hours.
CREATE TABLE aged (source int, target int, at timestamptz);
SET timezone = 'Europe/Berlin';
INSERT INTO aged SELECT age, 100, timestamptz '2024-06-01 12:00+00' - age * interval '1 hour'
FROM unnest('{0, 720, 1440, 2160}'::int[]) age;
SELECT influence_create_model('aged', 'aged', at => 'at', half_life => '1 month', pair_weight => 'linear');
SELECT nodes FROM influence_refresh('aged', as_of => '2024-06-01 12:00+00');
SELECT user_id, activity FROM aged_scores WHERE user_id <> 100 ORDER BY user_id;
SELECT responses FROM aged_scores WHERE user_id = 100;
RESET timezone;
-- as_of is a moment like any other: the youngest row is dated after this one
SELECT nodes, skipped, skipped_future, as_of = '2024-05-31 00:00+00' AS as_asked
FROM influence_refresh('aged', as_of => '2024-05-31 00:00+00');
SELECT user_id, round(log(2, activity::numeric), 6) AS halvings FROM aged_scores WHERE user_id <> 100 ORDER BY user_id;
-- and without an as_of it is the transaction's start
SELECT as_of = now() AS is_now FROM influence_refresh('aged');
-- without half_life nothing decays, but rows of the future still do not count
SELECT influence_alter_model('aged', reset => '{half_life}');
SELECT nodes, skipped_future FROM influence_refresh('aged', as_of => '2024-05-31 00:00+00');
SELECT user_id, activity FROM aged_scores WHERE user_id <> 100 ORDER BY user_id;
SELECT influence_drop_model(name) FROM influence_models;

-- Everything at once, in all combinations: weights of rows, kinds and networks,
-- decay, duplicates, self-interactions, missing values, users without
-- reactions and without reactors.
CREATE TABLE mixed AS
SELECT nullif((23 * noise('source', i) ^ 2)::int, 13)::bigint AS source,
	nullif((29 * noise('target', i) ^ 1.5)::int, 17)::bigint AS target,
	nullif(round((5 * noise('weight', i))::numeric, 1), 4.2) AS weight,
	CASE WHEN noise('at', i) < 0.98 THEN timestamptz '2025-01-01 00:00+00' - noise('at', i) * interval '400 days' END AS at,
	(ARRAY['like', 'reply', 'spam', 'share', NULL])[1 + floor(5 * noise('kind', i))::int] AS kind,
	(ARRAY['a', 'b', NULL])[1 + floor(3 * noise('network', i))::int] AS network
FROM generate_series(1, 400) i;
CREATE FUNCTION check_mixed(INOUT restart text, INOUT pair_weight text, INOUT damping float8, options text,
	OUT users bigint, OUT right_users bigint, OUT scale_is_right boolean, OUT counters_are_right boolean)
LANGUAGE plpgsql AS $$
DECLARE
	run influence_run;
	as_of CONSTANT timestamptz := '2024-12-25 00:00+00';
	found record;
BEGIN
	EXECUTE format('SELECT influence_create_model(''mixed'', ''mixed'', restart => %L, pair_weight => %L, '
		'damping => %s, tolerance => 1e-14%s)', restart, pair_weight, damping, options);
	run := influence_refresh('mixed', as_of => as_of);
	SELECT * INTO found FROM compare('mixed', as_of);
	users := run.nodes;
	right_users := found.published - found.wrong;
	scale_is_right := NOT differs(m.reference, max(r.influence), 1e-9) AND NOT differs(m.c, avg(r.influence) / 10, 1e-9)
		FROM reference_user r, influence_models m GROUP BY m.reference, m.c;
	counters_are_right := run.interactions = 400 AND run.edges = (SELECT count(*) FROM reference_pair)
		AND run.nodes = found.expected AND run.converged AND run.residual <= 1e-14 AND run.changed = run.nodes
		AND run.skipped = 400 - (SELECT count(*) FROM reference_row)
		AND run.skipped = run.skipped_null + run.skipped_self + run.skipped_zero + run.skipped_future
		AND run.read_ms >= 0 AND run.build_ms >= 0 AND run.rank_ms >= 0 AND run.score_ms >= 0 AND run.publish_ms >= 0
		AND run.peak_memory_bytes > 0 AND run.workers = 0 AND run.finished_at >= run.started_at;
	PERFORM influence_drop_model('mixed');
END
$$;
SELECT c.* FROM unnest('{credible, trusted, activity, uniform}'::text[]) restart, unnest('{log, linear}'::text[]) pair_weight,
	unnest('{0, 0.5, 0.85}'::float8[]) damping,
	LATERAL check_mixed(restart, pair_weight, damping, $$, weight => 'weight', at => 'at', kind => 'kind', network => 'network',
		kind_weights => '{"like": 1, "reply": 3.5, "spam": 0}', network_weights => '{"a": 0.25, "c": 9}'$$) c
ORDER BY 1, 2, 3;
SELECT options, c.* FROM (VALUES (''), ($$, weight => 'weight'$$), ($$, at => 'at'$$), ($$, at => 'at', half_life => NULL$$),
		($$, kind => 'kind', kind_weights => '{"like": 0, "share": 1e3}'$$), ($$, kind => 'kind', kind_weights => '{}'$$),
		($$, kind => 'kind', network => 'network'$$), ($$, network => 'network', network_weights => '{"b": 2}'$$),
		($$, at => 'at', half_life => '36 hours', weight => 'weight'$$)) o(options),
	LATERAL check_mixed('credible', 'log', 0.5, options) c;

-- what was skipped, and why: the first reason that applies counts
SELECT influence_create_model('mixed', 'mixed', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"spam": 0}');
SELECT skipped_null = (SELECT count(*) FROM mixed WHERE source IS NULL OR target IS NULL OR weight IS NULL
			OR (at IS NULL AND source <> target)) AS nulls,
	skipped_self = (SELECT count(*) FROM mixed WHERE source = target AND weight IS NOT NULL) AS selves,
	skipped_future = (SELECT count(*) FROM mixed WHERE source <> target AND weight IS NOT NULL AND at > '2024-12-25 00:00+00') AS future,
	skipped_zero = (SELECT count(*) FROM mixed WHERE source <> target AND at <= '2024-12-25 00:00+00'
			AND (weight = 0 OR (kind = 'spam' AND weight IS NOT NULL))) AS zero
FROM influence_refresh('mixed', as_of => '2024-12-25 00:00+00');

-- Rows in another order, or in several pieces, make no difference.
CREATE TABLE shuffled AS SELECT * FROM mixed ORDER BY md5(ctid::text);
SELECT influence_create_model('shuffled', 'shuffled', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"spam": 0}');
SELECT changed > 0 AS changed FROM influence_refresh('shuffled', as_of => '2024-12-25 00:00+00');
SELECT count(*) AS users, count(*) FILTER (WHERE differs(a.influence, b.influence, 1e-12) OR differs(a.responses, b.responses, 1e-12)
	OR differs(a.activity, b.activity, 1e-12) OR a.score <> b.score OR a.percentile <> b.percentile OR a.audience <> b.audience) AS differing
FROM mixed_scores a FULL JOIN shuffled_scores b USING (user_id);

-- Workers make no difference either.
CREATE TABLE larger AS
SELECT (3000 * noise('source', i) ^ 2)::bigint AS source, (3000 * noise('target', i) ^ 2)::bigint AS target,
	noise('weight', i) AS weight
FROM generate_series(1, 20000) i;
SELECT influence_create_model('alone', 'larger', weight => 'weight');
SELECT influence_create_model('together', 'larger', weight => 'weight');
SET max_parallel_maintenance_workers = 0;
SELECT workers FROM influence_refresh('alone');
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
SELECT nodes > 2000 AS many FROM influence_refresh('together');
RESET max_parallel_maintenance_workers;
RESET min_parallel_table_scan_size;
SELECT count(*) FILTER (WHERE differs(a.influence, b.influence, 1e-12) OR differs(a.responses, b.responses, 1e-12)
	OR differs(a.activity, b.activity, 1e-12) OR a.score <> b.score OR a.percentile <> b.percentile OR a.audience <> b.audience) AS differing
FROM alone_scores a FULL JOIN together_scores b USING (user_id);

-- Ranks that do not converge: a warning, and a record of it.
SELECT influence_alter_model('mixed', max_iterations => 1);
\set VERBOSITY terse
SELECT iterations, converged, residual > 1e-8 AS residual_is_large FROM influence_refresh('mixed', as_of => '2024-12-25 00:00+00');
\set VERBOSITY default
SELECT iterations, converged FROM influence_runs WHERE model = 'mixed' ORDER BY run DESC LIMIT 1;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_refresh CASCADE;
