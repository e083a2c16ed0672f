-- What scores as of a cutoff say about who draws reactions after it.
SET client_min_messages = warning;
CREATE SCHEMA backtest;
SET search_path = backtest, public;
SET timezone = 'UTC';
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\set ECHO all

-- The three metrics in SQL, of what is in predicted.  Who share places (p or g
-- is the same) share the ranks, the gains and the chance to be at the head.
CREATE TEMP TABLE predicted (p numeric, g numeric);
CREATE FUNCTION metrics(OUT users bigint, OUT spearman float8, OUT ndcg_100 float8, OUT precision_100 float8)
LANGUAGE sql AS $$
	SELECT count(*), corr(rank_p, rank_g),
		sum(mean / log(2, place + 1)) FILTER (WHERE place <= 100) / nullif(sum(g / log(2, best + 1)) FILTER (WHERE best <= 100), 0),
		CASE WHEN sum(g) > 0 THEN
			sum(greatest(0, least(1, (101 - first_p)::float8 / size_p)) * greatest(0, least(1, (101 - first_g)::float8 / size_g)) * (g > 0)::int)
			/ least(100, count(*)) END
	FROM (
		SELECT p, g, rank() OVER (ORDER BY p) + (count(*) OVER (PARTITION BY p) - 1) / 2.0 AS rank_p,
			rank() OVER (ORDER BY g) + (count(*) OVER (PARTITION BY g) - 1) / 2.0 AS rank_g,
			row_number() OVER (ORDER BY p DESC) AS place, row_number() OVER (ORDER BY g DESC) AS best,
			avg(g) OVER (PARTITION BY p) AS mean,
			rank() OVER (ORDER BY p DESC) AS first_p, count(*) OVER (PARTITION BY p) AS size_p,
			rank() OVER (ORDER BY g DESC) AS first_g, count(*) OVER (PARTITION BY g) AS size_g
		FROM predicted) r
$$;

-- By hand: four users, the order is right but for the last two.  DCG is
-- 3 + 2/log2(3) + 0 + 1/log2(5), at best 3 + 2/log2(3) + 1/2.
INSERT INTO predicted VALUES (9, 3), (5, 2), (4, 0), (1, 1);
SELECT users, round(spearman::numeric, 12) AS spearman,
	round(ndcg_100::numeric, 12) = round(((3 + 2 / log(2, 3) + 1 / log(2, 5)) / (3 + 2 / log(2, 3) + 0.5))::numeric, 12) AS ndcg_is_right,
	precision_100 FROM metrics();
CREATE TABLE four (source int, target int, at timestamptz);
INSERT INTO four SELECT s, t, '2025-01-01' FROM (VALUES (1, 9), (5, 8), (4, 7), (1, 6)) c(n, t), generate_series(100, 99 + n) s;
INSERT INTO four SELECT s, t, '2025-01-03' FROM (VALUES (3, 8), (2, 7), (1, 9)) c(n, t), generate_series(1, n) s;
DELETE FROM four WHERE target = 6;
SELECT influence_create_model('four', 'four', at => 'at');
-- only the targets and those who reacted to them are known: 100 to 104
SELECT predictor, users, round(spearman::numeric, 10) AS spearman, round(ndcg_100::numeric, 10) AS ndcg_100, precision_100
FROM influence_backtest('four', '2025-01-02', '2 days');

-- All predictors and metrics by another way: a model that has everything, and
-- more users than the head of an order has room for.
CREATE TABLE mixed AS
SELECT nullif((160 * noise('source', i) ^ 2)::int, 13)::bigint AS source,
	nullif((170 * noise('target', i) ^ 1.5)::int, 17)::bigint AS target,
	nullif(round((5 * noise('weight', i))::numeric, 1), 4.2) AS weight,
	CASE WHEN noise('at', i) < 0.98 THEN timestamptz '2025-01-01' - noise('at', i) * interval '400 days' END AS at,
	(ARRAY['like', 'reply', 'spam', 'share', NULL])[1 + floor(5 * noise('kind', i))::int] AS kind,
	(ARRAY['a', 'b', NULL])[1 + floor(3 * noise('network', i))::int] AS network
FROM generate_series(1, 1500) i;
SELECT count(*) > 10 AS loops FROM mixed WHERE source = target;

-- Leaves in expected what influence_backtest should return.
CREATE TEMP TABLE expected (predictor text, users bigint, spearman float8, ndcg_100 float8, precision_100 float8);
CREATE FUNCTION predict(predictor text) RETURNS void LANGUAGE sql AS
$$ INSERT INTO expected SELECT predictor, * FROM metrics() $$;
CREATE FUNCTION expect(model text, cutoff timestamptz, until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	m influence_models;
	received float8;
BEGIN
	SELECT * INTO STRICT m FROM influence_models WHERE name = model;
	DROP TABLE IF EXISTS pg_temp.row_known, pg_temp.user_known, pg_temp.drawn, pg_temp.scored;
	TRUNCATE expected;
	-- every row that counts
	EXECUTE format('CREATE TEMP TABLE row_known AS SELECT source::text, target::text, at FROM %s
		WHERE source <> target AND at IS NOT NULL AND %s * coalesce((%L::jsonb ->> %s)::float8, 1) * coalesce((%L::jsonb ->> %s)::float8, 1) > 0',
		m.interactions, coalesce(quote_ident(m.weight), '1'), m.kind_weights, coalesce(quote_ident(m.kind), 'NULL'),
		m.network_weights, coalesce(quote_ident(m.network), 'NULL'));
	CREATE TEMP TABLE user_known AS
		SELECT u AS user_id, count(*) FILTER (WHERE u = target) AS reactions
		FROM row_known, unnest(ARRAY[source, target]) u WHERE at <= cutoff GROUP BY 1;
	CREATE TEMP TABLE drawn AS
		SELECT k.user_id, k.reactions, count(DISTINCT r.source) AS drew
		FROM user_known k LEFT JOIN row_known r ON r.target = k.user_id AND r.at > cutoff AND r.at <= until GROUP BY 1, 2;

	TRUNCATE predicted; INSERT INTO predicted SELECT reactions, drew FROM drawn;
	PERFORM predict('reactions');
	PERFORM reference(model, cutoff);
	SELECT sum(influence) INTO received FROM reference_user;
	CREATE TEMP TABLE scored AS
		SELECT d.drew, coalesce(r.responses, 0) AS responses, coalesce(r.audience, 0) AS audience, coalesce(r.activity, 0) AS activity,
			coalesce((weight.rank * influence + weight.responses * received * r.responses / sum(r.responses) OVER ()
				+ weight.audience * received * r.audience / sum(r.audience) OVER ()) / (weight.rank + weight.responses + weight.audience), 0) AS influence
		FROM drawn d LEFT JOIN reference_user r USING (user_id),
			(SELECT coalesce((m.mixture ->> 'rank')::float8, (m.mixture IS NULL)::int) AS rank,
				coalesce((m.mixture ->> 'responses')::float8, 0) AS responses,
				coalesce((m.mixture ->> 'audience')::float8, 0) AS audience) weight;
	TRUNCATE predicted; INSERT INTO predicted SELECT round(influence::numeric, 9), drew FROM scored;
	PERFORM predict('score');
	TRUNCATE predicted; INSERT INTO predicted SELECT round(responses::numeric, 9), drew FROM scored;
	PERFORM predict('responses');
	TRUNCATE predicted; INSERT INTO predicted SELECT audience, drew FROM scored;
	PERFORM predict('audience');
	TRUNCATE predicted; INSERT INTO predicted SELECT round(activity::numeric, 9), drew FROM scored;
	PERFORM predict('activity');
	-- another model is PageRank: that of the first, without ageing
	PERFORM influence_alter_model('plain', interactions => m.interactions, source => m.source, target => m.target,
		weight => m.weight, at => m.at, kind => m.kind, network => m.network, kind_weights => m.kind_weights,
		network_weights => m.network_weights, pair_weight => m.pair_weight,
		reset => '{weight, kind, network, kind_weights, network_weights}');
	PERFORM reference('plain', cutoff);
	TRUNCATE predicted;
	INSERT INTO predicted SELECT round(coalesce(influence, 0)::numeric, 9), drew FROM drawn LEFT JOIN reference_user USING (user_id);
	PERFORM predict('pagerank');
END
$$;
SELECT influence_create_model('plain', 'mixed', at => 'at', half_life => NULL, restart => 'uniform', damping => 0.85);
-- How many rows are right; and something to see that there is something to compare.
CREATE FUNCTION check_backtest(model text, cutoff timestamptz, horizon interval,
	OUT right_rows bigint, OUT users bigint, OUT spearman_of_score numeric, OUT lowest numeric, OUT highest numeric)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM expect(model, cutoff, cutoff + horizon);
	SELECT count(*) FILTER (WHERE b.users = e.users AND abs(b.spearman - e.spearman) < 1e-9
			AND abs(b.ndcg_100 - e.ndcg_100) < 1e-9 AND abs(b.precision_100 - e.precision_100) < 1e-9),
		min(b.users), max(round(b.spearman::numeric, 4)) FILTER (WHERE predictor = 'score'),
		round(min(b.precision_100)::numeric, 4), round(max(b.precision_100)::numeric, 4)
	INTO right_rows, users, spearman_of_score, lowest, highest
	FROM influence_backtest(model, cutoff, horizon) b JOIN expected e USING (predictor);
END
$$;
SELECT influence_create_model('log', 'mixed', weight => 'weight', at => 'at', kind => 'kind', network => 'network',
	kind_weights => '{"spam": 0, "reply": 2.5}', network_weights => '{"b": 0.5}', half_life => '60 days',
	tolerance => 1e-14, max_iterations => 1000);
SELECT * FROM check_backtest('log', '2024-09-01', '60 days');
SELECT influence_create_model('linear', 'mixed', at => 'at', pair_weight => 'linear', restart => 'activity', damping => 0.7,
	half_life => '20 days', mixture => '{"rank": 2, "responses": 1, "audience": 0.5}', tolerance => 1e-14, max_iterations => 1000);
SELECT * FROM check_backtest('linear', '2024-07-01', '100 years');
-- a mixture of none but the audience, and a cutoff when few are known
SELECT influence_alter_model('linear', mixture => '{"audience": 3}');
SELECT * FROM check_backtest('linear', '2024-01-15', '1 month');
-- so short a half-life that what is old has become nothing: known all the same
SELECT influence_alter_model('linear', half_life => '1 hour', reset => '{mixture}');
SELECT nodes < 168 AS fewer FROM influence_refresh('linear', as_of => '2024-09-01');
SELECT predictor, users FROM influence_backtest('linear', '2024-09-01', '60 days');

-- Ids of other types are the same users.
CREATE VIEW mixed_text AS SELECT 'user ' || source AS source, 'user ' || target AS target, at FROM mixed;
CREATE VIEW mixed_uuid AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target, at FROM mixed;
SELECT influence_create_model(name, ('mixed_' || name)::regclass, at => 'at') FROM unnest('{text, uuid}'::text[]) name;
SELECT influence_create_model('number', 'mixed', at => 'at');
SELECT count(*), sum(count) AS same FROM (
	SELECT count(*) FROM unnest('{number, text, uuid}'::text[]) name, influence_backtest(name, '2024-09-01', '60 days') b
	GROUP BY predictor, users, round(spearman::numeric, 12), round(ndcg_100::numeric, 12), round(precision_100::numeric, 12)) s;

-- What comes after the cutoff is no part of what predicts, not even ids: here
-- new people react to new people, and everybody does after the horizon.
CREATE TABLE grown AS SELECT * FROM mixed;
SELECT influence_create_model('grown', 'grown', at => 'at');
CREATE TEMP TABLE before AS SELECT * FROM influence_backtest('grown', '2024-09-01', '60 days');
INSERT INTO grown SELECT 1000 + i, 2000 + i % 7, 5, '2024-09-02', 'like', 'a' FROM generate_series(1, 100) i;
INSERT INTO grown SELECT i, 50, 5, '2024-11-01', 'like', 'a' FROM generate_series(-100, 100) i;
SELECT count(*) AS unchanged FROM influence_backtest('grown', '2024-09-01', '60 days')
NATURAL JOIN before;
-- New people who react to somebody known are part of what comes after only:
-- with all of that in one number, what predicts shows in its sum.
CREATE TABLE after (source int, target int, at timestamptz);
INSERT INTO after VALUES (1, 2, '2025-01-01'), (3, 2, '2025-01-01'), (1, 3, '2025-01-02'), (4, 1, '2025-01-02');
SELECT influence_create_model('after', 'after', at => 'at');
INSERT INTO after SELECT i, 3, '2025-01-02 00:00:00.000001' FROM generate_series(10, 30) i;
SELECT predictor, users, round(ndcg_100::numeric, 6) AS ndcg_100 FROM influence_backtest('after', '2025-01-02', '1 us');
UPDATE after SET source = source + 1000 WHERE source >= 10;
SELECT predictor, users, round(ndcg_100::numeric, 6) AS ndcg_100 FROM influence_backtest('after', '2025-01-02', '1 day');
-- a row at the cutoff is known, one a microsecond later is not
SELECT DISTINCT users FROM influence_backtest('after', '2025-01-01 23:59:59.999999', '1 day');
SELECT DISTINCT users FROM influence_backtest('after', '2025-01-02 00:00:00.000001', '1 day');

-- Nothing to predict, and nothing to predict from.
SELECT * FROM influence_backtest('after', '2025-02-01', '1 day');
SELECT * FROM influence_backtest('after', '2024-02-01', '10 years');
-- All alike: a ring that goes on as it did, and a ring that does not.
CREATE TABLE ring AS SELECT i AS source, i % 150 + 1 AS target, day::timestamptz AS at
FROM generate_series(1, 150) i, unnest('{2025-01-01, 2025-01-03}'::date[]) day;
SELECT influence_create_model('ring', 'ring', at => 'at');
SELECT predictor, users, spearman, round(ndcg_100::numeric, 12) AS ndcg_100, round(precision_100::numeric, 12) AS precision_100
FROM influence_backtest('ring', '2025-01-02', '2 days');
DELETE FROM ring WHERE at > '2025-01-02' AND target <> 150;
-- each has a chance of 2/3 to be at the head: a hundredth of that is 1/150
SELECT predictor, spearman, round(ndcg_100::numeric, 12) = round((SELECT sum(1 / log(2, 1 + i)) / 150 FROM generate_series(1, 100) i), 12) AS ndcg_is_right,
	round(precision_100::numeric, 12) AS precision_100 FROM influence_backtest('ring', '2025-01-02', '2 days');
-- Two users, and one who reacts to nobody but themselves.
CREATE TABLE pair (source int, target int, at timestamptz);
INSERT INTO pair VALUES (1, 2, '2025-01-01'), (3, 3, '2025-01-01'), (1, 2, '2025-01-03'), (2, 2, '2025-01-03');
SELECT influence_create_model('pair', 'pair', at => 'at');
SELECT * FROM influence_backtest('pair', '2025-01-02', '2 days');
DELETE FROM pair WHERE source <> target;
SELECT predictor, users, spearman FROM influence_backtest('pair', '2025-01-02', '2 days');

-- Without a cutoff 70 % of the interactions are known; without a horizon it is until now.
SET client_min_messages = notice;
SELECT users FROM influence_backtest('number') LIMIT 1;
SET client_min_messages = warning;
SELECT count(*) AS same FROM influence_backtest('number', horizon => NULL) a
NATURAL JOIN influence_backtest('number', (SELECT percentile_disc(0.7) WITHIN GROUP (ORDER BY at) FROM mixed), '300 years') b;
-- times that need a cast
CREATE VIEW mixed_date AS SELECT source, target, at::date AS day FROM mixed;
SELECT influence_create_model('dated', 'mixed_date', at => 'day');
SELECT count(*) AS same FROM influence_backtest('dated', '2024-09-01') a
NATURAL JOIN influence_backtest('dated', '2024-09-01', '400 days') b;

-- It only reads.
BEGIN READ ONLY;
SELECT count(*) FROM influence_backtest('number', '2024-09-01', '60 days');
COMMIT;
SELECT sum(runs) AS runs, count(*) FILTER (WHERE reference IS NOT NULL) AS scales FROM influence_models;
CREATE ROLE regress_influence_backtest;
GRANT USAGE ON SCHEMA backtest TO regress_influence_backtest;
GRANT SELECT (source, target) ON mixed TO regress_influence_backtest;
SET ROLE regress_influence_backtest;
SELECT error_of($$SELECT influence_backtest('number', '2024-09-01', '60 days')$$);
SELECT error_of($$SELECT influence_backtest('number')$$);
RESET ROLE;
GRANT SELECT (at) ON mixed TO regress_influence_backtest;
SET ROLE regress_influence_backtest;
SELECT count(*) FROM influence_backtest('number', '2024-09-01', '60 days');
RESET ROLE;

-- What is wrong with it.
SELECT error_of($$SELECT influence_backtest('nobody', '2024-09-01', '60 days')$$);
SELECT error_of($$SELECT influence_backtest(NULL, '2024-09-01', '60 days')$$);
SELECT influence_create_model('timeless', 'mixed');
SELECT error_of($$SELECT influence_backtest('timeless', '2024-09-01', '60 days')$$);
SELECT error_of($$SELECT influence_backtest('number', 'infinity', '60 days')$$);
SELECT error_of($$SELECT influence_backtest('number', '-infinity')$$);
SELECT error_of($$SELECT influence_backtest('number', '2024-09-01', '0')$$);
SELECT error_of($$SELECT influence_backtest('number', '2024-09-01', '-1 day')$$);
SELECT error_of($$SELECT influence_backtest('number', '2024-09-01', '1 month -31 days')$$);
SELECT error_of($$SELECT influence_backtest('number', '2024-09-01', '300000 years')$$);
SELECT error_of($$SELECT influence_backtest('number', '4000-01-01')$$) ~ 'cutoff 4000-01-01 00:00:00(\+00| UTC) is not in the past' AS future;
CREATE TABLE empty (source int, target int, at timestamptz);
INSERT INTO empty VALUES (1, 2, '4000-01-01'), (1, 2, NULL), (1, 2, '-infinity');
SELECT influence_create_model('empty', 'empty', at => 'at');
SELECT error_of($$SELECT influence_backtest('empty')$$);
INSERT INTO mixed VALUES (1, 2, -1, '2024-01-01');
SELECT error_of($$SELECT influence_backtest('log', '2024-09-01', '60 days')$$);
DROP TABLE pair;
SELECT error_of($$SELECT influence_backtest('pair')$$);

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA backtest CASCADE;
DROP ROLE regress_influence_backtest;
