-- Refresh after refresh: what is written, what is recorded, and the scale.
SET client_min_messages = warning;
CREATE SCHEMA model_changes;
SET search_path = model_changes, public;
\set ECHO none
\i test/sql/include/reference.sql
\set ECHO all

CREATE TABLE log (source int, target int);
INSERT INTO log SELECT (40 * noise('source', i) ^ 2)::int, (40 * noise('target', i) ^ 2)::int FROM generate_series(1, 300) i;
SELECT influence_create_model('m', 'log', tolerance => 1e-14);

-- The first refresh: everybody is new, and in the history.
SELECT run, changed = nodes AS all_changed FROM influence_refresh();
SELECT * FROM compare('m') WHERE (published = expected AND wrong = 0) IS NOT TRUE;
SELECT count(*) FILTER (WHERE h.score = s.score AND h.run = 1 AND h.at = r.as_of) = count(*) AS all_recorded
FROM m_scores s FULL JOIN m_history h USING (user_id), influence_runs r;

-- Once more: nothing changed, and no row is touched.
CREATE TABLE before AS SELECT s.*, s.ctid AS place FROM m_scores s;
SELECT run, changed FROM influence_refresh();
SELECT count(*) AS touched FROM m_scores s JOIN before b USING (user_id) WHERE s.ctid <> b.place;
SELECT count(*) AS rows_of_second_run FROM m_history WHERE run = 2;
SELECT count(*) AS differing FROM (SELECT user_id, score, percentile, influence, audience, responses, activity FROM m_scores
	EXCEPT SELECT user_id, score, percentile, influence, audience, responses, activity FROM before) d;

-- New rows, new users, and some who vanish: the scale stays.
CREATE TABLE scale AS SELECT reference, c FROM influence_models;
DELETE FROM log WHERE 3 IN (source, target) OR 7 IN (source, target);
INSERT INTO log SELECT 100 + i, 5 FROM generate_series(1, 5) i;
INSERT INTO log SELECT 9, 100 + i FROM generate_series(1, 5) i;
SELECT run, changed FROM influence_refresh() \gset
SELECT :run AS run, :changed = count(*) AS changed_is_right
FROM m_scores s FULL JOIN before b USING (user_id) WHERE s.score IS DISTINCT FROM b.score;
SELECT * FROM compare('m') WHERE (published = expected AND wrong = 0) IS NOT TRUE;
SELECT m.reference = s.reference AND m.c = s.c AS scale_stayed, runs FROM influence_models m, scale s;
SELECT user_id FROM m_scores WHERE user_id IN (3, 7, 101, 105) ORDER BY user_id;
SELECT count(*) AS of_the_vanished FROM m_history WHERE user_id IN (3, 7);

-- The history has what is 0.01 or more away from what it had.
CREATE FUNCTION history_is_right() RETURNS TABLE (changes bigint, recorded bigint, missing bigint, needless bigint)
LANGUAGE sql AS $$
	WITH last AS (SELECT DISTINCT ON (user_id) user_id, score AS recorded FROM m_history
			WHERE run < (SELECT runs FROM influence_models) ORDER BY user_id, run DESC),
		this AS (SELECT user_id, score FROM m_history WHERE run = (SELECT runs FROM influence_models)),
		b AS (SELECT s.user_id, s.score, h.score AS written, l.recorded,
				(l.recorded IS NULL OR abs(s.score::float8 - l.recorded::float8) >= 0.01) AS notable
			FROM m_scores s LEFT JOIN last l USING (user_id) LEFT JOIN this h USING (user_id))
	SELECT count(*) FILTER (WHERE notable), count(written), count(*) FILTER (WHERE notable AND written IS DISTINCT FROM score),
		count(*) FILTER (WHERE NOT notable AND written IS NOT NULL)
	FROM b
$$;
SELECT changes = recorded AS as_many, changes > 10 AS many, missing, needless FROM history_is_right();

-- Small changes are not recorded one by one, but once they add up.
CREATE TABLE small (source int, target int, weight float8);
INSERT INTO small VALUES (1, 2, 1), (1, 3, 1);
SELECT influence_create_model('small', 'small', weight => 'weight', pair_weight => 'linear', restart => 'uniform', damping => 0);
SELECT run FROM influence_refresh('small');
DO $$
BEGIN
	FOR i IN 1..40 LOOP
		UPDATE small SET weight = weight + 0.0003 WHERE source = 1 AND target = 3;
		PERFORM influence_refresh('small');
	END LOOP;
END
$$;
-- recorded some times, but not every time, and never 0.02 behind
SELECT count(*) BETWEEN 15 AND 25 AS some, min(abs(score - before)) >= 0.01 AS notable, max(abs(score - before)) < 0.02 AS in_time
FROM (SELECT score, run, lag(score) OVER (ORDER BY run) AS before FROM small_history WHERE user_id = 2) h WHERE run > 1;
SELECT count(*) AS behind FROM small_scores s
WHERE abs(score - (SELECT score FROM small_history h WHERE h.user_id = s.user_id ORDER BY run DESC LIMIT 1)) >= 0.01;
SELECT influence_drop_model('small');

-- A user who vanishes and comes back is new again.
INSERT INTO log VALUES (7, 5), (5, 7);
SELECT run FROM influence_refresh();
SELECT count(*) AS runs_of_7 FROM m_history WHERE user_id = 7;

-- A new scale: the greatest influence scores 100 again.
INSERT INTO log SELECT i, 5 FROM generate_series(1, 60) i;
SELECT run, mode FROM influence_refresh();
SELECT score, influence > (SELECT reference FROM scale) AS beyond FROM m_scores WHERE user_id = 5;
SELECT count(*) AS at_the_top FROM m_scores WHERE score = 100;
SELECT run, mode, model FROM influence_rescale();
SELECT m.reference = max(influence) AS reference_is_right, NOT differs(m.c, avg(influence) / 10, 1e-9) AS c_is_right,
	m.reference > s.reference AS grew
FROM influence_models m, m_scores, scale s GROUP BY m.reference, m.c, s.reference;
SELECT * FROM compare('m') WHERE (published = expected AND wrong = 0) IS NOT TRUE;
SELECT score FROM m_scores ORDER BY influence DESC LIMIT 1;
SELECT changes = recorded AS as_many, missing, needless FROM history_is_right();
SELECT run, mode FROM influence_runs WHERE model = 'm' ORDER BY run DESC LIMIT 3;

-- All rows vanish, and come back: scores go, the scale and the history stay.
CREATE TABLE kept AS SELECT * FROM log;
CREATE TABLE old AS SELECT user_id, score FROM m_scores;
DELETE FROM log;
SELECT interactions, nodes, edges, converged, changed = (SELECT count(*) FROM old) AS all_went FROM influence_refresh();
SELECT count(*) FROM m_scores;
SELECT count(*) > 0 AS history, reference > 0 AS scale FROM m_history, influence_models GROUP BY reference;
INSERT INTO log SELECT * FROM kept;
SELECT changed = nodes AS all_new FROM influence_refresh();
SELECT count(*) AS differing FROM m_scores s FULL JOIN old o USING (user_id) WHERE s.score IS DISTINCT FROM o.score;

-- Too many at the top: no word at ten of them, a warning at eleven.
CREATE TABLE top (source int, target int);
INSERT INTO top SELECT i, j FROM generate_series(1, 30) i, generate_series(101, 112) j WHERE i % 12 = j % 12 OR j = 101;
SELECT influence_create_model('top', 'top');
\set VERBOSITY terse
SELECT run FROM influence_refresh('top');
-- one user more for each of them and many for nobody: all can be beyond
TRUNCATE top;
INSERT INTO top SELECT 1000 * j + i, j FROM generate_series(101, 110) j, generate_series(1, 100) i;
INSERT INTO top SELECT -i, i FROM generate_series(1, 9) i;
UPDATE influence_model SET reference = 2, c = 0.1 WHERE name = 'top';
SELECT run FROM influence_refresh('top');
SELECT count(*) FROM top_scores WHERE score = 100;
INSERT INTO top SELECT 1000 * j + i, j FROM generate_series(111, 111) j, generate_series(1, 100) i;
SELECT run FROM influence_refresh('top');
SELECT count(*) FROM top_scores WHERE score = 100;
-- eleven of more than eleven thousand are less than 0.1 %
INSERT INTO top SELECT 1, -100 - i FROM generate_series(1, 11000) i;
SELECT run FROM influence_refresh('top');
UPDATE influence_model SET reference = (SELECT min(influence) / 2 FROM (SELECT influence FROM top_scores ORDER BY 1 DESC LIMIT 11) t)
WHERE name = 'top';
SELECT run FROM influence_refresh('top');
SELECT count(*) FROM top_scores WHERE score = 100;
\set VERBOSITY default

-- A refresh that is rolled back leaves nothing, and its number is used again.
SELECT influence_drop_model('top');
CREATE TABLE now_published AS SELECT * FROM m_scores;
SELECT runs AS runs_before FROM influence_models \gset
BEGIN;
INSERT INTO log SELECT 500, i FROM generate_series(1, 20) i;
SAVEPOINT a;
SELECT changed > 0 AS changed FROM influence_refresh();
ROLLBACK TO a;
SELECT count(*) AS differing FROM (SELECT * FROM m_scores EXCEPT SELECT * FROM now_published) d;
SELECT changed > 0 AS changed, run = :runs_before + 1 AS next FROM influence_refresh();
-- twice in one transaction
SELECT changed, run = :runs_before + 2 AS next FROM influence_refresh();
ROLLBACK;
SELECT count(*) AS differing FROM (SELECT * FROM m_scores EXCEPT SELECT * FROM now_published) d;
SELECT runs = :runs_before AS same, (SELECT max(run) FROM influence_runs) = :runs_before AS same_there FROM influence_models;
-- and in one statement: the second finds what the first has done
INSERT INTO log VALUES (600, 5);
SELECT (a).changed > 0 AS first, (b).changed AS second
FROM (SELECT influence_refresh(as_of => '2025-01-01') AS a, influence_refresh(as_of => '2025-01-01') AS b) x;

SELECT influence_drop_model(name) FROM influence_models;
SELECT count(*) FROM influence_runs;
DROP SCHEMA model_changes CASCADE;
