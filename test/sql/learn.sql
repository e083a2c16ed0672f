-- Learned probabilities: what influence_learn finds, and how well it predicts.
SET client_min_messages = warning;
CREATE SCHEMA learn;
SET search_path = learn, public;
SET timezone = 'UTC';
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all
\pset format unaligned
\pset tuples_only

-- A log by hand, in windows of a day.  10 is active on days 1 to 5, and acts
-- on 2 and 5; 11 is active on 2, 4 and 5, and never acts.
CREATE TABLE hand (source bigint, target bigint, at timestamptz);
CREATE FUNCTION day(n int) RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '2024-01-01 12:00' + n * interval '1 day' $$;
INSERT INTO hand SELECT s, t, day(d) FROM (VALUES (1, 10, 1), (2, 10, 1), (1, 10, 2), (10, 11, 2), (2, 10, 3),
	(1, 10, 4), (1, 11, 4), (2, 10, 4), (10, 11, 5)) v(s, t, d);
SELECT influence_create_model('h', 'hand', at => 'at');
-- (1, 10): trials on 2 (success), 3, 4 (success; partial credit 1/2, as 1 reacted to 11 too), 5.
-- (2, 10): trials on 2, 4 (success), 5; on 3 nothing but this reaction is known of 10.
-- (1, 11): a trial on 5.  (10, 11): a trial on 4; on 5 nothing else is known of 11.
-- Bernoulli: 9 trials, 3 successes, mean 3.5 / 10.  Pairs differ less than by chance
-- (4/3 - 9/9 - 3 (3 - 4/3) / (9 - 4) < 0), so the mean is worth 9 trials.
SELECT * FROM influence_learn('h', credit => 'bernoulli');
SELECT source, target, trials, successes, differs(probability, (successes + 9 * 0.35) / (trials + 9), 1e-12) FROM h_chances ORDER BY 1, 2;
-- Partial: 2.5 successes, mean 3 / 10.
SELECT * FROM influence_learn('h');
SELECT source, target, trials, successes, differs(probability, (successes + 9 * 0.3) / (trials + 9), 1e-12) FROM h_chances ORDER BY 1, 2;
-- Of the windows of 5 days, counted from 1970, one has day 1 and the next the others: a trial, and a success,
-- of the pairs of day 1.
SELECT day(3)::date - date '1970-01-01' AS days, (day(3)::date - date '1970-01-01') / 5 AS of_day_3, (day(4)::date - date '1970-01-01') / 5 AS of_day_4;
SELECT * FROM influence_learn('h', '5 days', 'bernoulli');
SELECT source, target, trials, successes FROM h_chances ORDER BY 1, 2;
-- Only what happened until then: (1, 10) on 2 and 3, (2, 10) on 2.
SELECT pairs, trials, successes, mean FROM influence_learn('h', '1 day', 'bernoulli', until => day(3));
SELECT source, target, trials, successes FROM h_chances ORDER BY 1, 2;

-- What does not count: NULLs, oneself, an infinite time, kinds and networks and rows that weigh nothing.
CREATE TABLE dirty AS SELECT source, target, at, 1 AS weight, 'like' AS kind, NULL AS network FROM hand;
INSERT INTO dirty VALUES (NULL, 10, day(3), 1), (1, NULL, day(3), 1), (1, 10, NULL, 1), (10, 10, day(3), 1), (1, 10, 'infinity', 1),
	(1, 10, '-infinity', 1), (1, 10, day(3), 0), (1, 10, day(3), NULL), (1, 10, now() + interval '1 day', 1);
INSERT INTO dirty VALUES (1, 10, day(3), 1, 'view', NULL), (1, 10, day(3), 1, 'like', 'Bot''s "net"'), (1, 10, day(3), 1, NULL, 'Bot''s "net"');
SELECT count(*) FROM dirty;
SELECT influence_create_model('d', 'dirty', at => 'at', weight => 'weight', kind => 'kind', network => 'network',
	kind_weights => '{"view": 0, "like": 0.5}', network_weights => '{"Bot''s \"net\"": 0}');
SELECT * FROM influence_learn('d', credit => 'bernoulli');
SELECT * FROM influence_learn('h', credit => 'bernoulli');
SELECT count(*) FROM (TABLE d_chances EXCEPT TABLE h_chances) x;
SELECT count(*) FROM d_chances;

-- Pairs that differ: 6, 1 and 3 of 8 trials; the fourth has no trial.
-- explained = 36/8 + 1/8 + 9/8 = 5.75, within = (10 - 5.75) / 21 = 17/84,
-- between = (5.75 - 100/24 - 2 * 17/84) / (24 - 192/24) = 33/448, strength = 272/99; mean 10.5 / 25.
CREATE TABLE apart (source bigint, target bigint, at date);
INSERT INTO apart SELECT 20, 21, day(d) FROM generate_series(1, 9) d;
INSERT INTO apart SELECT s, 20, day(d) FROM (VALUES (1, '{1,2,3,4,7,8,9}'::int[]), (2, '{1,5}'), (3, '{1,3,5,7}')) v(s, ds), unnest(ds) d;
SELECT influence_create_model('a', 'apart', at => 'at');
SELECT pairs, trials, successes, mean, differs(strength, 272 / 99.0, 1e-12) FROM influence_learn('a', credit => 'bernoulli');
SELECT source, trials, successes, differs(probability, (successes + 272 / 99.0 * 0.42) / (trials + 272 / 99.0), 1e-12) FROM a_chances ORDER BY source;
-- 8, 0 and 3 of 8: the mean would be worth 15/41 of a trial, and is worth one
DELETE FROM apart WHERE source IN (1, 2);
INSERT INTO apart SELECT 1, 20, day(d) FROM generate_series(1, 9) d UNION ALL SELECT 2, 20, day(1);
SELECT * FROM influence_learn('a', credit => 'bernoulli');
SELECT source, trials, successes, differs(probability, (successes + 0.46) / (trials + 1), 1e-12) FROM a_chances ORDER BY source;

-- The same, trial by trial, for any log; ids as text.
CREATE FUNCTION trials(log regclass, delay interval, credit text, until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS pg_temp.reaction, pg_temp.presence, pg_temp.trial;
	EXECUTE format($sql$ CREATE TEMP TABLE reaction AS
		SELECT DISTINCT source::text, target::text, floor(extract(epoch FROM at) / extract(epoch FROM %L::interval))::int AS w
		FROM %s WHERE source <> target AND at <= %L $sql$, delay, log, until);
	CREATE TEMP TABLE presence AS SELECT source AS who, source AS cause, w FROM reaction UNION SELECT target, source, w FROM reaction;
	CREATE TEMP TABLE trial AS
	SELECT p.source, p.target, x.w, CASE WHEN r.w IS NULL THEN 0 WHEN credit = 'bernoulli' THEN 1
		ELSE 1.0 / (SELECT count(*) FROM reaction o WHERE o.source = r.source AND o.w = r.w) END AS success
	FROM (SELECT source, target, min(w) AS first FROM reaction GROUP BY 1, 2) p
		JOIN (SELECT DISTINCT who, w FROM presence) x ON x.who = p.target AND x.w > p.first
		LEFT JOIN reaction r ON r.source = p.source AND r.target = p.target AND r.w = x.w
	WHERE EXISTS (SELECT FROM presence o WHERE o.who = p.target AND o.w = x.w AND o.cause <> p.source);
END
$$;
CREATE FUNCTION learned(chances regclass, OUT pairs bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS pg_temp.pair, pg_temp.expected;
	CREATE TEMP TABLE pair AS
	SELECT source, target, count(t.w)::float8 AS n, coalesce(sum(success), 0)::float8 AS k, sum((success - mean) ^ 2)::float8 AS spread
	FROM (SELECT DISTINCT source, target FROM reaction) p
		LEFT JOIN (SELECT *, avg(success) OVER (PARTITION BY source, target) AS mean FROM trial) t USING (source, target)
	GROUP BY 1, 2;
	CREATE TEMP TABLE expected AS
	WITH one AS (SELECT sum(spread) / (sum(n) - count(*)) AS within, sum(k) / sum(n) AS m, count(*) AS g, sum(n) AS n, sum(k) AS k,
			sum(n) - sum(n * n) / sum(n) AS scale FROM pair WHERE n > 0),
		two AS (SELECT (SELECT sum(n * (k / n - m) ^ 2) FROM pair WHERE n > 0) - (g - 1) * within AS excess, * FROM one),
		three AS (SELECT (k + 0.5) / (n + 1) AS mean, CASE WHEN excess > 0 THEN greatest(1, least(n, within * scale / excess)) ELSE n END AS s FROM two)
	SELECT source, target, n, pair.k, (pair.k + s * mean) / (n + s) AS p, mean, s FROM pair, three;
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE e.source IS NULL OR c.source IS NULL OR e.n <> c.trials OR differs(c.successes, e.k, 1e-9)
			OR differs(c.probability, e.p, 1e-9))
		FROM expected e FULL JOIN (SELECT source::text, target::text, probability, trials, successes FROM %s) c USING (source, target)', chances) INTO pairs, wrong;
END
$$;
SELECT trials('hand', '1 day', 'partial', 'infinity'), learned('h_chances');
SELECT influence_learn('h') IS NOT NULL, learned('h_chances');

-- A made-up log.  Nobody sees when 12 targets post, on about every second of
-- 400 days; 15 sources react to a post with probabilities between 0.02 and 0.6.
CREATE TABLE planted AS SELECT u, v, 0.02 + 0.58 * noise('p', u * 100 + v) ^ 3 AS p FROM generate_series(1, 15) u, generate_series(101, 112) v;
CREATE TABLE posts AS SELECT v, d, day(d) AS at FROM generate_series(101, 112) v, generate_series(1, 400) d WHERE noise('post', v * 1000 + d) < 0.5;
CREATE TABLE log AS
	SELECT u AS source, v AS target, at + noise('time', (v * 1000 + d) * 100 + u) * interval '10 hours' AS at,
		CASE WHEN noise('network', v) < 0.5 THEN 'a' ELSE 'b' END AS network
	FROM planted JOIN posts USING (v) WHERE noise('react', (v * 1000 + d) * 100 + u) < p;
SELECT influence_create_model('m', 'log', at => 'at', network => 'network', half_life => NULL);
SELECT pairs FROM influence_learn('m', credit => 'bernoulli');
SELECT trials('log', '1 day', 'bernoulli', now());
SELECT * FROM learned('m_chances');
-- What was planted is found, within what chance allows: squared standard
-- errors sum to the number of pairs, and none is far off.
SELECT abs(sum(z * z) - count(*)) < 4 * sqrt(2 * count(*)) AS together, max(abs(z)) < 4.5 AS each, abs(avg(z)) < 4 / sqrt(count(*)) AS unbiased, avg(trials) > 150 AS many
FROM (SELECT (successes - trials * p) / sqrt(trials * p * (1 - p)) AS z, trials FROM m_chances JOIN planted ON (u, v) = (source, target)) s;
-- So it is where a target has two sources, and most posts leave no trace.  Were all windows in which
-- a target drew a reaction trials, probabilities would seem larger than they are.
CREATE TABLE quiet AS SELECT u, v, 0.05 + 0.3 * noise('quiet', u) AS p FROM generate_series(1, 120) u, LATERAL (SELECT 201 + u / 2 AS v) t;
CREATE TABLE quiet_log AS
	SELECT u AS source, v AS target, day(d) AS at FROM quiet, generate_series(1, 500) d
	WHERE noise('quiet post', v * 1000 + d) < 0.5 AND noise('quiet react', u * 1000 + d) < p;
SELECT influence_create_model('q', 'quiet_log', at => 'at');
SELECT trials > 2000 FROM influence_learn('q', credit => 'bernoulli');
SELECT abs(avg((successes - trials * p) / sqrt(trials * p * (1 - p)))) < 4 / sqrt(count(*)) AS unbiased
FROM q_chances JOIN quiet ON (u, v) = (source, target) WHERE trials > 0;
SELECT avg((k - n * p) / sqrt(n * p * (1 - p))) > 10 / sqrt(count(*)) AS biased FROM quiet JOIN
	(SELECT source AS u, count(*) AS k FROM quiet_log GROUP BY 1) k USING (u) JOIN
	(SELECT target AS v, count(DISTINCT at) AS n FROM quiet_log GROUP BY 1) n USING (v);
-- Where data are few the mean helps: of a month, what is learned is nearer to
-- what was planted than shares of successes are.
SELECT pairs, strength > 1 AND strength < trials FROM influence_learn('m', credit => 'bernoulli', until => day(30));
SELECT avg((probability - p) ^ 2) < 0.8 * avg((successes / trials - p) ^ 2), bool_and(probability > 0 AND probability < 1)
FROM m_chances JOIN planted ON (u, v) = (source, target) WHERE trials > 0;
-- Each lies between its share and the mean, at the mean if it has no trial.
SELECT bool_and(CASE WHEN trials = 0 THEN NOT differs(probability, m, 1e-12)
	ELSE probability BETWEEN least(successes / trials, m) - 1e-12 AND greatest(successes / trials, m) + 1e-12 END)
FROM m_chances, (SELECT (sum(successes) + 0.5) / (sum(trials) + 1) AS m FROM m_chances) t;
-- credit shared out
SELECT influence_learn('m', '1 day', 'partial') IS NOT NULL, trials('log', '1 day', 'partial', now());
SELECT * FROM learned('m_chances');
SELECT influence_learn('m', '36:30:00', 'partial', day(200)) IS NOT NULL, trials('log', '36:30:00', 'partial', day(200));
SELECT * FROM learned('m_chances');

-- Ids that are uuid, and text that a collation would take for the same.
CREATE TABLE log_uuid AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target, at::timestamp FROM log WHERE at < day(60);
CREATE TABLE log_text AS SELECT CASE WHEN source % 2 = 0 THEN 'Ann' ELSE 'ann' END || source / 2 AS source, target || ' "x''' AS target, at::date FROM log WHERE at < day(60);
SELECT influence_create_model('u', 'log_uuid', at => 'at'), influence_create_model('t', 'log_text', at => 'at');
SELECT influence_learn('u') IS NOT NULL, trials('log_uuid', '1 day', 'partial', now());
SELECT * FROM learned('u_chances');
SELECT influence_learn('t', '2 days') IS NOT NULL, trials('log_text', '2 days', 'partial', now());
SELECT * FROM learned('t_chances');
\d u_chances

-- Calibration: what was learned until day 300 against the hundred days after.
CREATE TABLE before AS TABLE m_chances;
CREATE TABLE calibration AS SELECT * FROM influence_calibration('m', day(300), '100 days', credit => 'bernoulli');
SELECT count(bin), sum(trials) FILTER (WHERE bin IS NOT NULL) = sum(trials) FILTER (WHERE bin IS NULL) AS all_trials,
	sum(pairs) FILTER (WHERE bin IS NULL) AS pairs, bool_and(abs(predicted - observed) < 4.5 * sqrt(predicted * (1 - predicted) / trials)) AS calibrated,
	corr(predicted, observed) FILTER (WHERE bin IS NOT NULL) > 0.98 AS together
FROM calibration;
SELECT brier < 0.95 * base_brier, log_loss < 0.95 * base_log_loss FROM calibration WHERE bin IS NULL;
SELECT count(*) FROM (TABLE before EXCEPT TABLE m_chances) x;
-- trial by trial: day 300 ended before its window did
SELECT trials('log', '1 day', 'bernoulli', day(300)), (learned('m_chances')).pairs;
ALTER TABLE expected RENAME TO known;
SELECT trials('log', '1 day', 'bernoulli', day(401));
SELECT count(DISTINCT (source, target)) = c.pairs, count(*) = c.trials, NOT differs(avg(p), predicted, 1e-9), NOT differs(avg(success), observed, 1e-9),
	NOT differs(avg((p - success) ^ 2), brier, 1e-9), NOT differs(avg((mean - success) ^ 2), base_brier, 1e-9),
	NOT differs(-avg(success * ln(p) + (1 - success) * ln(1 - p)), log_loss, 1e-9),
	NOT differs(-avg(success * ln(mean) + (1 - success) * ln(1 - mean)), base_log_loss, 1e-9)
FROM trial JOIN known USING (source, target), calibration c
WHERE bin IS NULL AND w > floor(extract(epoch FROM day(300)) / 86400) AND w < floor(extract(epoch FROM day(400)) / 86400)
GROUP BY c.pairs, c.trials, predicted, observed, brier, base_brier, log_loss, base_log_loss;
-- a cutoff between two windows, partial credit
SELECT count(bin), max(trials) FROM influence_calibration('m', '2024-06-01', '10 days', bins => 3);
SELECT trials('log', '1 day', 'partial', '2024-06-10 23:59:59');
SELECT count(*) FROM trial JOIN (SELECT source, target, min(w) AS first FROM reaction GROUP BY 1, 2) p USING (source, target)
WHERE w >= date '2024-06-01' - date '1970-01-01' AND first < date '2024-06-01' - date '1970-01-01';
-- nothing held out, or a horizon of less than a window
SELECT * FROM influence_calibration('m', '2030-01-01');
SELECT * FROM influence_calibration('m', day(300), '1 hour');
-- without a horizon all that is there
SELECT c.trials = b.trials FROM influence_calibration('m', day(300), credit => 'bernoulli', bins => 1) c, influence_calibration('m', day(300), '200 days', credit => 'bernoulli') b
WHERE c.bin IS NULL AND b.bin IS NULL;

-- A campaign by what was learned is one on the graph of these probabilities.
SELECT error_of($$ SELECT * FROM influence_campaign('m', 2, cascade => 'learned') $$);
SELECT nodes FROM influence_refresh('m');
SELECT influence_learn('m', credit => 'bernoulli') IS NOT NULL;
SELECT influence_graph_agg(source, target, probability) AS g, influence_graph_agg(source, target, probability) FILTER (WHERE source + target <> 110) AS without FROM m_chances \gset
CREATE FUNCTION same_campaign(g influence_graph, campaign text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	seeds bigint[];
	reached float8;
	best float8;
	s record;
BEGIN
	EXECUTE format('SELECT array_agg(user_id ORDER BY position), max(spread) FROM (%s) c', campaign) INTO seeds, reached;
	SELECT * INTO s FROM influence_spread(g, seeds, 'weights', simulations => 20000);
	SELECT max(spread) INTO best FROM influence_maximize(g, cardinality(seeds), 'weights', epsilon => 0.02);
	RETURN format('%s seeds, as simulated: %s, as maximized: %s', cardinality(seeds),
		abs(reached - s.spread) < 5 * s.standard_error + 0.02 * reached, abs(reached - best) < 0.04 * best);
END
$$;
SELECT same_campaign(:'g', $$ SELECT * FROM influence_campaign('m', 3, cascade => 'learned', epsilon => 0.02) $$);
-- exactly, where all probabilities are: one reached by one of them with probability p
SELECT position, user_id, abs(spread - (1 + sum)) < 0.05 * spread FROM influence_campaign('m', 1, cascade => 'learned', epsilon => 0.02)
	JOIN (SELECT target, sum(probability) FROM m_chances GROUP BY 1) t ON target = user_id;
SELECT user_id = (SELECT target FROM m_chances GROUP BY 1 ORDER BY sum(probability) DESC LIMIT 1) FROM influence_campaign('m', 1, cascade => 'learned', epsilon => 0.02);
-- an edge that was not learned is none; nor is one that the graph does not have
DELETE FROM m_chances WHERE source + target = 110;
INSERT INTO m_chances VALUES (101, 1, 0.99, 1, 1), (999, 101, 0.99, 1, 1);
SELECT same_campaign(:'without', $$ SELECT * FROM influence_campaign('m', 3, cascade => 'learned', epsilon => 0.02) $$);
-- a network: its pairs alone
SELECT influence_learn('m', credit => 'bernoulli') IS NOT NULL;
SELECT count(*) FROM m_chances WHERE source + target = 110 OR source > 100;
SELECT influence_graph_agg(source, target, probability) AS g FROM m_chances WHERE (source, target) IN (SELECT source, target FROM log WHERE network = 'b') \gset
SELECT same_campaign(:'g', $$ SELECT * FROM influence_campaign('m', 2, network => 'b', cascade => 'learned', epsilon => 0.02) $$);
SELECT user_id IN (105, 106) FROM influence_campaign('m', 1, cascade => 'learned', candidates => '{105,106}');
-- ids of other types
SELECT influence_refresh('u') IS NOT NULL, influence_refresh('t') IS NOT NULL;
SELECT sum > 0.95 * max(sum) OVER () FROM (SELECT target, sum(probability) FROM u_chances GROUP BY 1) s
	LEFT JOIN influence_campaign('u', 1, key => NULL::uuid, cascade => 'learned', epsilon => 0.02) ON user_id = target ORDER BY position LIMIT 1;
SELECT sum > 0.95 * max(sum) OVER () FROM (SELECT target, sum(probability) FROM t_chances GROUP BY 1) s
	LEFT JOIN influence_campaign('t', 1, key => NULL::influence_text_id, cascade => 'learned', epsilon => 0.02) ON user_id = target ORDER BY position LIMIT 1;

-- Errors.
SELECT error_of($$ SELECT * FROM influence_maximize('{1>2:0.5}', 1, 'learned') $$);
SELECT error_of($$ SELECT * FROM influence_spread('{1>2:0.5}', '{2}', 'learned') $$);
SELECT error_of($$ SELECT * FROM influence_maximize('{1>2:0.5}', 1, 'taught') $$);
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'taught') $$);
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'weights') $$);
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'learned', probability => 0.1) $$);
SELECT error_of($$ SELECT influence_learn('nobody') $$);
SELECT error_of($$ SELECT influence_learn() $$);
SELECT error_of(format('SELECT influence_learn(''m'', %s)', a)) FROM unnest('{NULL::interval,"interval ''0''","interval ''-1 day''","credit => NULL","credit => ''full''"}'::text[]) a;
SELECT error_of(format('SELECT influence_calibration(''m'', %s)', a)) FROM unnest('{NULL::timestamptz,"''infinity''","day(9), ''0 days''","day(9), bins => 0","day(9), bins => 1001","day(9), bins => NULL","day(9), credit => ''''","''2020-01-01''"}'::text[]) a;
CREATE VIEW timeless AS SELECT source, target FROM log;
SELECT influence_create_model('n', 'timeless');
SELECT error_of($$ SELECT influence_learn('n') $$);
SELECT error_of($$ SELECT influence_calibration('n', day(9)) $$);
SELECT influence_refresh('n') IS NOT NULL;
SELECT error_of($$ SELECT influence_campaign('n', 1, cascade => 'learned') $$);
-- nobody is seen twice: what was learned before stays
SELECT influence_alter_model('h', interactions => 'log');
SELECT count(*) FROM h_chances;
SELECT error_of($$ SELECT influence_learn('h', '1000 years') $$);
SELECT error_of($$ SELECT influence_calibration('h', day(9), delay => '1000 years') $$);
SELECT count(*) FROM h_chances;
-- no interaction at all
SELECT * FROM influence_learn('h', until => '2000-01-01');
SELECT count(*) FROM h_chances;
SELECT * FROM influence_calibration('h', '2000-01-01', '1 day');
-- tables that are not what they were
ALTER TABLE m_chances DROP CONSTRAINT m_chances_probability_check;
UPDATE m_chances SET probability = 'NaN' WHERE source = 1 AND target = 101;
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'learned') $$);
ALTER TABLE m_chances ALTER probability DROP NOT NULL;
UPDATE m_chances SET probability = NULL WHERE source = 1 AND target = 101;
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'learned') $$);
SELECT influence_learn('m') IS NOT NULL;
ALTER TABLE m_chances ALTER source TYPE text;
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'learned') $$);
DROP TABLE m_chances;
SELECT error_of($$ SELECT * FROM influence_campaign('m', 1, cascade => 'learned') $$);
SELECT nodes FROM influence_refresh('m');
SELECT influence_learn('m') IS NOT NULL;
SELECT position FROM influence_campaign('m', 1, cascade => 'learned');
-- what cannot be made says so, and is made later
CREATE TABLE n_chances ();
SELECT influence_alter_model('n', interactions => 'log', at => 'at');
SELECT error_of($$ SELECT influence_learn('n') $$);
SELECT chances FROM influence_models WHERE name = 'n';
DROP TABLE n_chances;
SELECT influence_learn('n') IS NOT NULL;
SELECT chances FROM influence_models WHERE name = 'n';
-- a change of the model keeps them, and it is dropped with them
SELECT influence_alter_model('n', reset => '{at}');
SELECT count(*) > 0 FROM n_chances;
SELECT influence_drop_model('n');
SELECT to_regclass('n_chances');
BEGIN READ ONLY;
SELECT error_of($$ SELECT influence_learn('m') $$);
SELECT count(*) FROM influence_calibration('m', day(9));
ROLLBACK;

-- Everything with the caller's rights.
CREATE ROLE regress_influence_teacher;
CREATE ROLE regress_influence_pupil;
GRANT USAGE, CREATE ON SCHEMA learn TO regress_influence_teacher;
GRANT USAGE ON SCHEMA learn TO regress_influence_pupil;
ALTER TABLE log OWNER TO regress_influence_teacher;
SET ROLE regress_influence_teacher;
SELECT influence_create_model('own', 'log', at => 'at');
SET ROLE regress_influence_pupil;
SELECT error_of($$ SELECT influence_learn('own') $$);
SELECT error_of($$ SELECT influence_calibration('own', day(300)) $$);
RESET ROLE;
GRANT SELECT ON log TO regress_influence_pupil;
SET ROLE regress_influence_pupil;
SELECT error_of($$ SELECT influence_learn('own') $$);
SELECT count(*) FROM influence_calibration('own', day(300));
SET ROLE regress_influence_teacher;
SELECT influence_learn('own') IS NOT NULL, influence_refresh('own') IS NOT NULL;
SET ROLE regress_influence_pupil;
SELECT error_of($$ SELECT influence_learn('own') $$);
RESET ROLE;
GRANT SELECT ON own_scores, own_graph TO regress_influence_pupil;
SET ROLE regress_influence_pupil;
SELECT error_of($$ SELECT influence_campaign('own', 1, cascade => 'learned') $$);
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON own_chances TO regress_influence_pupil;
SET ROLE regress_influence_pupil;
SELECT error_of($$ SELECT influence_campaign('own', 1, cascade => 'learned') $$);
SELECT influence_learn('own') IS NOT NULL;
-- rows that cannot be seen cannot be replaced; what is not seen is not learned from
RESET ROLE;
ALTER TABLE own_chances ENABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_pupil;
SELECT error_of($$ SELECT influence_learn('own') $$);
RESET ROLE;
ALTER TABLE own_chances DISABLE ROW LEVEL SECURITY;
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON log FOR SELECT TO regress_influence_pupil USING (source < 5);
SET ROLE regress_influence_pupil;
SELECT influence_learn('own') IS NOT NULL;
SELECT max(source) FROM own_chances;
RESET ROLE;
-- operators of the same names that come first have no say
CREATE FUNCTION never(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called'; END $$;
CREATE FUNCTION never(float8, float8) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called'; END $$;
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = never);
CREATE OPERATOR <> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = never);
CREATE OPERATOR > (LEFTARG = float8, RIGHTARG = float8, FUNCTION = never);
CREATE OPERATOR <= (LEFTARG = float8, RIGHTARG = float8, FUNCTION = never);
CREATE FUNCTION floor(float8) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called'; END $$;
SET search_path = learn, pg_catalog, public;
SELECT influence_learn('own') IS NOT NULL;
SELECT count(*) FROM influence_calibration('own', '2024-06-01');
SELECT count(*) FROM influence_campaign('own', 2, cascade => 'learned');
RESET search_path;
SET search_path = public;
DO $$ BEGIN PERFORM influence_drop_model(name) FROM influence_models; END $$;
DROP SCHEMA learn CASCADE;
DROP ROLE regress_influence_teacher, regress_influence_pupil;
