-- What a model's log says about its parameters.
SET client_min_messages = warning;
CREATE SCHEMA calibrate;
SET search_path = calibrate, public;
SET timezone = 'UTC';
SET intervalstyle = postgres;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\set ECHO all

-- A year of reactions to 200 people.  Replies go to whom they always went to.
-- Likes go to others, but come only after the first ten days of a month: who
-- draws reactions in these ten days depends on earlier replies alone.
CREATE TABLE planted AS
SELECT 1000 + (400 * noise('source', i))::int AS source, (200 * noise('target', i) ^ 3)::int AS target,
	'reply' AS kind, timestamptz '2025-01-01' - noise('at', i) * interval '366 days' AS at
FROM generate_series(1, 4000) i
UNION ALL
SELECT 1000 + (400 * noise('fan', i))::int, 200 - (200 * noise('liked', i) ^ 3)::int, 'like',
	date_trunc('month', timestamptz '2025-01-01' - noise('like', i) * interval '366 days') + interval '10 days' + noise('hour', i) * interval '18 days'
FROM generate_series(1, 8000) i;
SELECT influence_create_model('planted', 'planted', at => 'at', kind => 'kind', half_life => NULL,
	kind_weights => '{"reply": 1, "other": 0.3}');
CREATE TEMP TABLE definition AS SELECT * FROM influence_models;
CREATE TEMP TABLE found AS
SELECT * FROM influence_calibrate('planted', '{2024-07-01, 2024-08-01, 2024-09-01, 2024-11-01}', '10 days', max_runs => 150);
-- the shape
SELECT section, name, value IS NOT NULL AS value, proposed IS NOT NULL AS proposed, spearman IS NOT NULL AS spearman,
	ndcg_100 BETWEEN 0 AND 1 AS ndcg_100, precision_100 BETWEEN 0 AND 1 AS precision_100 FROM found;
SELECT name, value FROM found WHERE section = 'search' AND name <> 'runs' OR section = 'parameter' ORDER BY section, name;
SELECT value::int BETWEEN 20 AND 150 + 4 * 5 AS runs FROM found WHERE name = 'runs';
-- Likes count less, what is not in the log as it did, and that helps where
-- nothing was learned.
SELECT (proposed::jsonb ->> 'reply')::float8 / (proposed::jsonb ->> 'like')::float8 > 10 AS likes_count_less,
	proposed::jsonb ->> 'other' AS other FROM found WHERE name = 'kind_weights';
SELECT section, max(spearman) FILTER (WHERE name = 'score, proposed') - max(spearman) FILTER (WHERE name = 'score') > 0 AS spearman_gains,
	max(ndcg_100) FILTER (WHERE name = 'score, proposed') - max(ndcg_100) FILTER (WHERE name = 'score') > 0.1 AS ndcg_gains,
	max((spearman + ndcg_100) / 2) FILTER (WHERE name = 'score, proposed')
		>= 1.1 * max((spearman + ndcg_100) / 2) FILTER (WHERE name = 'pagerank') AS beats_pagerank
FROM found WHERE section IN ('training', 'held out') GROUP BY section ORDER BY section;
-- The figures are those of backtests: of the model as it is,
SELECT section, count(*) AS same FROM (
	SELECT 'held out' AS section, b.* FROM influence_backtest('planted', '2024-11-01', '10 days') b
	UNION ALL
	SELECT 'training', predictor, 0, avg(spearman), avg(ndcg_100), avg(precision_100)
	FROM unnest('{2024-07-01, 2024-08-01, 2024-09-01}'::timestamptz[]) cutoff, influence_backtest('planted', cutoff, '10 days')
	GROUP BY predictor) b JOIN found f USING (section)
WHERE f.name = predictor AND abs(f.spearman - b.spearman) + abs(f.ndcg_100 - b.ndcg_100) + abs(f.precision_100 - b.precision_100) < 1e-12
GROUP BY section ORDER BY section;
-- and nothing has changed.
SELECT count(*) AS unchanged FROM (SELECT * FROM definition INTERSECT SELECT * FROM influence_models) d;

-- The same again finds the same, and applied it is what the model says.
CREATE TEMP TABLE applied AS
SELECT * FROM influence_calibrate('planted', '{2024-11-01, 2024-08-01, 2024-07-01, 2024-09-01}', '10 days', max_runs => 150, apply => true);
SELECT name, value FROM (SELECT section, name, value FROM applied EXCEPT SELECT section, name, value FROM found) d;
SELECT count(*) FROM (SELECT name, proposed, spearman, ndcg_100, precision_100 FROM applied
	EXCEPT SELECT name, proposed, spearman, ndcg_100, precision_100 FROM found) d;
SELECT a.name, a.proposed = m.now AS is_now FROM applied a JOIN (
	SELECT p.* FROM influence_models, LATERAL (VALUES ('half_life', coalesce(half_life::text, 'none')), ('damping', damping::text),
		('mixture', coalesce(mixture::text, '{"rank": 1}')), ('kind_weights', kind_weights::text)) p(name, now)) m USING (name);
SELECT count(*) AS same FROM influence_backtest('planted', '2024-11-01', '10 days') b JOIN applied f ON section = 'held out'
	AND f.name = predictor || ', proposed' AND abs(f.spearman - b.spearman) + abs(f.ndcg_100 - b.ndcg_100) < 1e-12;
-- what has nothing to do with it stays
SELECT count(*) FROM (SELECT interactions, source, target, weight, at, kind, pair_weight, restart, tolerance, max_iterations, runs FROM definition
	INTERSECT SELECT interactions, source, target, weight, at, kind, pair_weight, restart, tolerance, max_iterations, runs FROM influence_models) d;

-- Forty weeks; who is popular changes every two.
CREATE TABLE fleeting AS
SELECT 1000 + (400 * noise('fan', i))::int AS source,
	(200 * noise('turn', 1000 * (97 * noise('one', i) ^ 3)::int + days::int / 14))::int AS target,
	timestamptz '2025-01-01' - days * interval '1 day' AS at
FROM generate_series(1, 8000) i, LATERAL (SELECT 280 * noise('day', i) AS days) d;
SELECT influence_create_model('fleeting', 'fleeting', at => 'at', half_life => '400 days');
CREATE TEMP TABLE recent AS
SELECT * FROM influence_calibrate('fleeting', '{2024-06-25, 2024-07-23, 2024-08-20, 2024-09-17, 2024-10-15}', '7 days', max_runs => 200);
SELECT proposed::interval < '60 days' AS shorter FROM recent WHERE name = 'half_life';
SELECT count(*) FROM recent WHERE name = 'kind_weights';
SELECT section, max(spearman) FILTER (WHERE name = 'score, proposed') - max(spearman) FILTER (WHERE name = 'score') > 0 AS spearman_gains,
	max(ndcg_100) FILTER (WHERE name = 'score, proposed') - max(ndcg_100) FILTER (WHERE name = 'score') > 0.1 AS ndcg_gains
FROM recent WHERE section IN ('training', 'held out') GROUP BY section ORDER BY section;
-- Without ageing it begins to age.
SELECT influence_alter_model('fleeting', reset => '{half_life}');
SELECT value, proposed::interval < '60 days' AS ages
FROM influence_calibrate('fleeting', '{2024-06-25, 2024-07-23, 2024-08-20, 2024-09-17, 2024-10-15}', '7 days', max_runs => 200) WHERE name = 'half_life';
-- Without runs of the engine there is no more than another mixture.
SELECT influence_alter_model('fleeting', half_life => '400 days');
SELECT name, value = proposed AS same
FROM influence_calibrate('fleeting', '{2024-07-23, 2024-08-20, 2024-10-15}', '7 days', max_runs => 0)
WHERE section = 'parameter' AND name <> 'mixture';

-- Cutoffs and horizon are chosen where they are not given: what is learned
-- from is over at the cutoff that is held out.
SELECT name, value FROM influence_calibrate('fleeting', max_runs => 0) WHERE section = 'search' AND name <> 'runs';
SELECT name, value FROM influence_calibrate('fleeting', horizon => '1 month', max_runs => 0) WHERE section = 'search' AND name <> 'runs';
SELECT name, value FROM influence_calibrate('fleeting', '{2024-07-01, 2024-08-01}', max_runs => 0) WHERE section = 'search' AND name <> 'runs';

-- What is proposed is not applied if it does worse where nothing was learned:
-- then likes are what is to be predicted.
CREATE TABLE turned AS SELECT * FROM planted WHERE at < '2024-11-01' UNION ALL
SELECT source, target, kind, at - interval '10 days' FROM planted WHERE kind = 'like' AND at >= '2024-11-01';
SELECT influence_create_model('turned', 'turned', at => 'at', kind => 'kind', half_life => NULL);
CREATE TEMP TABLE turned_before AS SELECT * FROM influence_models WHERE name = 'turned';
SELECT section, name, value FROM influence_calibrate('turned', '{2024-07-01, 2024-08-01, 2024-09-01, 2024-11-01}', '10 days',
	max_runs => 100, apply => true) WHERE name = 'applied';
SELECT count(*) AS unchanged FROM (SELECT * FROM turned_before INTERSECT SELECT * FROM influence_models) d;

-- Too few to learn from.
CREATE TABLE small AS SELECT * FROM fleeting WHERE source < 1100 AND target < 30;
SELECT influence_create_model('small', 'small', at => 'at');
SELECT name, value = proposed AS same FROM influence_calibrate('small', '{2024-07-01, 2024-08-01}', '5 days') WHERE section = 'parameter';

-- Who may do what.
CREATE ROLE regress_influence_calibrate;
GRANT USAGE ON SCHEMA calibrate TO regress_influence_calibrate;
SET ROLE regress_influence_calibrate;
SELECT error_of($$SELECT influence_calibrate('fleeting', max_runs => 0)$$);
RESET ROLE;
GRANT SELECT ON fleeting TO regress_influence_calibrate;
SET ROLE regress_influence_calibrate;
SELECT count(*) FROM influence_calibrate('fleeting', max_runs => 0);
SELECT error_of($$SELECT influence_calibrate('fleeting', max_runs => 0, apply => true)$$);
RESET ROLE;
BEGIN READ ONLY;
SELECT count(*) FROM influence_calibrate('fleeting', max_runs => 0);
SELECT influence_calibrate('fleeting', apply => true);
ROLLBACK;

-- What is wrong with it.
SELECT error_of($$SELECT influence_calibrate('nobody')$$);
SELECT error_of($$SELECT influence_calibrate()$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01, NULL}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01, infinity}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01, 2024-07-01 00:00}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01, 2024-07-20}', '20 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01, 2024-07-20}', '0')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', horizon => '-7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', horizon => '400 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2014-07-01, 2024-07-20}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', '{2024-07-01, 2034-07-20}', '7 days')$$);
SELECT error_of($$SELECT influence_calibrate('fleeting', max_runs => -1)$$);
SELECT influence_create_model('timeless', 'fleeting');
SELECT error_of($$SELECT influence_calibrate('timeless')$$);

SELECT count(influence_drop_model(name)::text) FROM influence_models;
DROP SCHEMA calibrate CASCADE;
DROP ROLE regress_influence_calibrate;
