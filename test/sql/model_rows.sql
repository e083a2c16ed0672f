-- Rows that do not count, rows that cannot be, and no rows at all.
SET client_min_messages = warning;
CREATE SCHEMA model_rows;
SET search_path = model_rows, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all

-- nothing
CREATE TABLE log (source bigint, target bigint, weight float8, at timestamptz, kind text);
SELECT influence_create_model('m', 'log', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"no": 0, "big": 1e308}');
SELECT influence_score(1);
SELECT interactions, skipped, nodes, edges, converged, residual, changed FROM influence_refresh();
SELECT count(*) FROM m_scores;
SELECT influence_score(1), reference, c, runs FROM influence_models;
SELECT mode, nodes FROM influence_rescale();

-- nothing that counts
INSERT INTO log VALUES
	(NULL, 1, 1, '2024-01-01', 'like'), (1, NULL, 1, '2024-01-01', 'like'), (NULL, NULL, 1, '2024-01-01', 'like'),
	(1, 2, NULL, '2024-01-01', 'like'), (1, 2, 1, NULL, 'like'),
	(1, 1, 1, '2024-01-01', 'like'), (1, 1, 0, '2024-01-01', 'no'), (2, 2, 1, '2100-01-01', 'like'),
	(1, 2, 1, '2100-01-01', 'like'), (1, 2, 0, '2100-01-01', 'no'), (1, 2, 1, 'infinity', 'like'),
	(1, 2, 0, '2024-01-01', 'like'), (1, 2, -0.0, '2024-01-01', 'like'), (1, 2, 1, '2024-01-01', 'no'), (1, 2, 1, '-infinity', 'like'),
	(1, 2, 1, '4000-01-01 BC', 'like');
SELECT interactions, skipped, skipped_null, skipped_self, skipped_future, skipped_zero, nodes, edges
FROM influence_refresh(as_of => '2025-01-01');
SELECT count(*) FROM m_scores;
-- without half_life even rows from the beginning of time count
SELECT influence_alter_model('m', reset => '{half_life}');
SELECT interactions, skipped, skipped_null, skipped_self, skipped_future, skipped_zero, nodes, edges
FROM influence_refresh(as_of => '2025-01-01');
-- the scale was not taken while nobody had influence
SELECT reference > 0 AS taken FROM influence_models;
SELECT count(*), min(round(activity::numeric, 12)) = round(ln(3.0), 12) AS twice FROM m_scores WHERE user_id = 1;

-- one row
TRUNCATE log;
INSERT INTO log VALUES (1, 2, 0.5, '2024-01-01', 'unheard of');
SELECT nodes, edges, skipped FROM influence_refresh();
SELECT user_id, score, audience FROM m_scores ORDER BY user_id;
-- dated exactly as_of
SELECT nodes, edges, skipped FROM influence_refresh(as_of => '2024-01-01');
SELECT nodes, edges, skipped FROM influence_refresh(as_of => timestamptz '2024-01-01' - interval '1 microsecond');
SELECT nodes FROM influence_refresh();

-- the same row a thousand times is one pair
INSERT INTO log SELECT 1, 2, 0.5, '2024-01-01', 'like' FROM generate_series(1, 999);
SELECT interactions, nodes, edges FROM influence_refresh();
SELECT user_id, score, audience, round(responses::numeric, 12) = round(CASE user_id WHEN 2 THEN ln(501.0) ELSE 0 END, 12) AS responses_right FROM m_scores ORDER BY user_id;

-- What cannot be: the refresh stops and names the row, and nothing has changed.
CREATE TABLE published AS SELECT * FROM m_scores;
SELECT runs FROM influence_models \gset before_
CREATE FUNCTION refused(bad_row text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	what text;
BEGIN
	EXECUTE 'INSERT INTO log VALUES ' || bad_row;
	what := error_of('SELECT influence_refresh()');
	RAISE EXCEPTION '%', what;
EXCEPTION WHEN raise_exception THEN
	RETURN SQLERRM;
END
$$;
\pset format unaligned
\pset tuples_only
SELECT refused($$ (3, 4, -1, '2024-01-01', 'like') $$);
SELECT refused($$ (3, 4, -1e-300, '2024-01-01', 'like') $$);
SELECT refused($$ (-3, 4, 'NaN', '2024-01-01', 'like') $$);
SELECT refused($$ (3, 4, 'infinity', '2024-01-01', 'like') $$);
SELECT refused($$ (3, 4, '-infinity', '2024-01-01', 'like') $$);
-- not even in a row that would not count
SELECT refused($$ (3, 3, -2, '2024-01-01', 'like') $$);
SELECT refused($$ (3, 4, -2, '2100-01-01', 'like') $$);
SELECT refused($$ (3, 4, -2, NULL, 'like') $$);
SELECT refused($$ (3, 4, -2, '2024-01-01', 'no') $$);
-- but without ids there is nothing to name
SELECT refused($$ (NULL, 4, -2, '2024-01-01', 'like') $$);
-- too large, alone and together
SELECT refused($$ (3, 4, 1e10, '2024-01-01', 'big') $$);
SELECT refused($$ (3, 4, 1.7e308, '2024-01-01', 'like'), (3, 4, 1.7e308, '2024-01-01', 'like') $$);
SELECT influence_alter_model('m', pair_weight => 'linear');
SELECT refused($$ (3, 4, 1.7e308, '2024-01-01', 'like'), (3, 5, 1.7e308, '2024-01-01', 'like') $$);
SELECT influence_alter_model('m', pair_weight => 'log');
\pset tuples_only off
\pset format aligned
SELECT count(*) AS differing FROM (SELECT * FROM m_scores EXCEPT SELECT * FROM published) d;
SELECT runs = :before_runs AS no_run, (SELECT max(run) FROM influence_runs) = :before_runs AS none_recorded FROM influence_models;

-- Large but possible: sums stay finite, and ranks sum to 1.
SELECT influence_drop_model('m');
TRUNCATE log;
INSERT INTO log(source, target, weight) VALUES (1, 2, 1e150), (2, 3, 1e-100), (3, 1, 1e150), (4, 1, 1);
SELECT influence_create_model('m', 'log', weight => 'weight', pair_weight => 'linear', tolerance => 1e-14);
SELECT nodes, edges, converged FROM influence_refresh();
SELECT * FROM compare('m');

-- Extremes of ids.
TRUNCATE log;
INSERT INTO log(source, target, weight) VALUES (9223372036854775807, -9223372036854775808, 1), (0, 9223372036854775807, 1),
	(-1, 0, 1), (4294967296, 0, 1);
SELECT nodes, edges FROM influence_refresh();
SELECT * FROM compare('m');
SELECT influence_score(9223372036854775807) > 1 AS max, influence_score(-9223372036854775808) > 1 AS min, influence_score(-1) AS minus_one;

-- All react to one, one reacts to all, and a chain.
TRUNCATE log;
INSERT INTO log(source, target, weight) SELECT i, 0, 1 FROM generate_series(1, 25) i;
SELECT nodes, edges FROM influence_refresh();
SELECT * FROM compare('m');
TRUNCATE log;
INSERT INTO log(source, target, weight) SELECT 0, i, i FROM generate_series(1, 25) i;
SELECT nodes, edges FROM influence_refresh();
SELECT * FROM compare('m');
TRUNCATE log;
INSERT INTO log(source, target, weight) SELECT i, i + 1, i FROM generate_series(1, 25) i;
SELECT nodes, edges FROM influence_refresh();
SELECT * FROM compare('m');
-- two parts that know nothing of each other
INSERT INTO log(source, target, weight) SELECT 100 + i, 101 + (i + 1) % 5, 1 FROM generate_series(1, 5) i;
SELECT nodes, edges FROM influence_refresh();
SELECT * FROM compare('m');

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_rows CASCADE;
