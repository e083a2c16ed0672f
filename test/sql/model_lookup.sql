-- influence_score, wherever it is called from.
SET client_min_messages = warning;
CREATE SCHEMA model_lookup;
SET search_path = model_lookup, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all

CREATE TABLE log AS SELECT (3000 * noise('source', i) ^ 2)::bigint AS source, (3000 * noise('target', i) ^ 2)::bigint AS target
FROM generate_series(1, 6000) i;
SELECT influence_create_model('m', 'log');
SELECT nodes > 1500 AS many FROM influence_refresh();

-- no user, or none of that name
SELECT influence_score(NULL::bigint), influence_score(-1), influence_score(NULL::text), influence_score(NULL::uuid, 'no such model');
-- few users, many, all, and some who are not there
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score(user_id) IS DISTINCT FROM score) AS differing
FROM (SELECT * FROM m_scores ORDER BY user_id LIMIT 5) s;
SELECT count(*) > 1500 AS many, count(*) FILTER (WHERE influence_score(user_id) IS DISTINCT FROM score) AS differing FROM m_scores;
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score(i) IS DISTINCT FROM s.score) AS differing
FROM generate_series(-2000, 6000) i LEFT JOIN m_scores s ON s.user_id = i;
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score(i % 3) IS DISTINCT FROM s.score) AS differing
FROM generate_series(0, 9999) i LEFT JOIN m_scores s ON s.user_id = i % 3;
-- with so little memory that not all scores fit
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score(i) IS DISTINCT FROM s.score) AS differing
FROM generate_series(-2000, 6000) i LEFT JOIN m_scores s ON s.user_id = i;
RESET work_mem;
RESET hash_mem_multiplier;

-- in WHERE, ORDER BY, GROUP BY, joins, aggregates, window functions, DML
CREATE TABLE contact (id int PRIMARY KEY, user_id int, score real);
INSERT INTO contact SELECT i, i * 7 % 4000 FROM generate_series(1, 4000) i;
SELECT count(*) = (SELECT count(*) FROM contact JOIN m_scores s USING (user_id) WHERE s.score > 20) AS same
FROM contact WHERE influence_score(user_id) > 20;
SELECT (SELECT array_agg(id) FROM (SELECT id FROM contact ORDER BY influence_score(user_id) DESC NULLS LAST, id LIMIT 20) a) =
	(SELECT array_agg(id) FROM (SELECT id FROM contact c LEFT JOIN m_scores s USING (user_id) ORDER BY s.score DESC NULLS LAST, id LIMIT 20) b) AS same;
SELECT max(influence_score(user_id)) AS most, count(influence_score(user_id)) = (SELECT count(*) FROM contact JOIN m_scores USING (user_id)) AS same FROM contact;
UPDATE contact SET score = influence_score(user_id);
SELECT count(*) AS differing FROM contact c LEFT JOIN m_scores s USING (user_id) WHERE c.score IS DISTINCT FROM s.score;
CREATE VIEW scored AS SELECT id, influence_score(user_id) AS score FROM contact;
SELECT count(*) AS differing FROM scored JOIN contact c USING (id) WHERE scored.score IS DISTINCT FROM c.score;
-- the model may be another for each row
SELECT influence_create_model('n', 'log', restart => 'uniform', damping => 0.85);
SELECT nodes > 1500 AS many FROM influence_refresh('n');
SELECT count(*) FILTER (WHERE influence_score(user_id, CASE WHEN user_id % 2 = 0 THEN 'm' ELSE 'n' END)
		IS DISTINCT FROM CASE WHEN user_id % 2 = 0 THEN m.score ELSE n.score END) AS differing,
	count(*) FILTER (WHERE m.score IS DISTINCT FROM n.score) > 100 AS they_differ
FROM m_scores m FULL JOIN n_scores n USING (user_id);
SELECT influence_drop_model('n');

-- in parallel workers
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION plan_has(node text, query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line LIKE '%' || node || '%' THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END
$$;
ANALYZE contact;
SELECT plan_has('Partial Aggregate', 'SELECT count(*) FROM contact WHERE influence_score(user_id) IS NOT DISTINCT FROM score') AS in_workers;
SELECT count(*) AS same FROM contact WHERE influence_score(user_id) IS NOT DISTINCT FROM score;
SELECT count(*) AS same FROM contact WHERE influence_score(user_id, 'm') IS NOT DISTINCT FROM score;
SELECT error_of('SELECT count(*) FROM contact WHERE influence_score(user_id::text) > 1');
-- what this transaction refreshed is seen there as well
BEGIN;
DELETE FROM log WHERE source % 2 = 0;
SELECT changed > 0 AS changed FROM influence_refresh();
SELECT count(*) FILTER (WHERE influence_score(user_id) IS DISTINCT FROM s.score) AS differing
FROM contact c LEFT JOIN m_scores s USING (user_id);
SELECT count(*) < 4000 AS fewer FROM contact WHERE influence_score(user_id) IS NOT DISTINCT FROM score;
ROLLBACK;
SELECT count(*) AS same FROM contact WHERE influence_score(user_id) IS NOT DISTINCT FROM score;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- Refreshed between two calls: each statement of a function sees what there is.
CREATE FUNCTION loop_is_current(rounds int, OUT right_answers int, OUT different_answers int) LANGUAGE plpgsql AS $$
DECLARE
	answer real;
	answers real[];
BEGIN
	right_answers := 0;
	FOR i IN 1..rounds LOOP
		IF i % 3 = 0 THEN
			INSERT INTO log SELECT -j, 1 FROM generate_series(i * 100, i * 100 + 9) j;
			PERFORM influence_refresh('m');
		ELSIF i % 7 = 0 THEN
			BEGIN
				DELETE FROM log WHERE target = 1;
				PERFORM influence_refresh('m');
				answer := influence_score(1);
				IF answer IS NOT DISTINCT FROM (SELECT score FROM m_scores WHERE user_id = 1) THEN
					right_answers := right_answers + 1;
				END IF;
				RAISE EXCEPTION USING ERRCODE = 'ZZ999';
			EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
				NULL;
			END;
		END IF;
		answer := influence_score(1);
		answers := answers || answer;
		IF answer IS NOT DISTINCT FROM (SELECT score FROM m_scores WHERE user_id = 1) THEN
			right_answers := right_answers + 1;
		END IF;
	END LOOP;
	SELECT count(DISTINCT a) INTO different_answers FROM unnest(answers) a;
END
$$;
-- 20 rounds, and 2 answers within what is rolled back
BEGIN;
SELECT * FROM loop_is_current(20);
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM loop_is_current(20);
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM loop_is_current(20);
ROLLBACK;
-- one statement sees one state, the one before it
BEGIN;
UPDATE log SET target = 1 WHERE target = 2;
SELECT score AS one FROM m_scores WHERE user_id = 1 \gset
CREATE FUNCTION refreshed() RETURNS real LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM influence_refresh('m'); RETURN influence_score(1); END $$;
SELECT before = :one::real AS before, now <> before AS now_differs, after = before AS same
FROM (SELECT influence_score(1) AS before, refreshed() AS now, influence_score(1) AS after OFFSET 0) x;
SELECT influence_score(1) = (SELECT score FROM m_scores WHERE user_id = 1) AS right_afterwards;
ROLLBACK;

-- after ROLLBACK TO SAVEPOINT
BEGIN;
SELECT influence_score(1) = :one::real AS same;
SAVEPOINT a;
DELETE FROM log WHERE target <> 1;
SELECT changed > 0 AS changed FROM influence_refresh();
SELECT influence_score(1) = :one::real AS same, influence_score(1) = (SELECT score FROM m_scores WHERE user_id = 1) AS right;
ROLLBACK TO a;
SELECT influence_score(1) = :one::real AS same;
COMMIT;

-- a cursor sees what there was when it was opened
BEGIN;
DECLARE old CURSOR FOR SELECT influence_score(i) IS NOT DISTINCT FROM (SELECT score FROM contact WHERE user_id = i LIMIT 1) AS as_before
	FROM unnest('{1, 2, 3, 4, 5, 6}'::int[]) i;
FETCH 2 FROM old;
DELETE FROM log WHERE source % 3 > 0;
SELECT changed > 100 AS changed FROM influence_refresh();
SELECT influence_score(1) <> :one::real AS differs;
FETCH 2 FROM old;
SELECT influence_drop_model('m') \g /dev/null
ROLLBACK;

-- prepared statements, with a plan of their own and a generic one
PREPARE look(bigint) AS SELECT influence_score($1) IS NOT DISTINCT FROM (SELECT score FROM m_scores WHERE user_id = $1) AS same;
SET plan_cache_mode = force_generic_plan;
EXECUTE look(1);
BEGIN;
DELETE FROM log WHERE source % 3 > 0;
SELECT changed > 100 AS changed FROM influence_refresh();
EXECUTE look(1);
ROLLBACK;
EXECUTE look(1);
RESET plan_cache_mode;
EXECUTE look(2);
-- a plan outlives its model, and finds the next one
SELECT influence_drop_model('m');
SELECT error_of('EXECUTE look(1)');
SELECT influence_create_model('next', 'log');
SELECT nodes > 1500 AS many FROM influence_refresh();
PREPARE next(bigint) AS SELECT influence_score($1) = (SELECT score FROM next_scores WHERE user_id = $1) AS same;
EXECUTE next(1);
SELECT influence_create_model('another', 'log');
SELECT error_of('EXECUTE next(1)');
SELECT influence_set_default('next');
EXECUTE next(1);
SELECT influence_set_default('another');
SELECT influence_score(1);
SELECT influence_drop_model('another');
EXECUTE next(1);

-- the empty name is no model's, also when the only one was asked for before
SELECT influence_score(1) > 1 AS found;
SELECT error_of('SELECT influence_score(1, '''')');
SELECT error_of('SELECT count(influence_score(1, n)) FROM (VALUES (NULL), ('''')) v(n)');

-- without the primary key, and with another
BEGIN;
ALTER TABLE next_scores DROP CONSTRAINT next_scores_pkey;
SELECT count(*) AS differing FROM next_scores WHERE user_id < 10 AND influence_score(user_id) IS DISTINCT FROM score;
SELECT influence_score(-1);
SELECT changed FROM influence_refresh();
ALTER TABLE next_scores ADD PRIMARY KEY (audience, user_id);
SELECT count(*) AS differing FROM next_scores WHERE user_id < 10 AND influence_score(user_id) IS DISTINCT FROM score;
ALTER TABLE next_scores DROP CONSTRAINT next_scores_pkey, ADD PRIMARY KEY (user_id) INCLUDE (score);
SELECT count(*) AS differing FROM next_scores WHERE user_id < 10 AND influence_score(user_id) IS DISTINCT FROM score;
ROLLBACK;
-- a score that somebody made NULL is NULL
BEGIN;
ALTER TABLE next_scores ALTER score DROP NOT NULL;
UPDATE next_scores SET score = NULL WHERE user_id < 100;
SELECT influence_score(1);
SELECT count(influence_score(user_id)) = count(score) AS same FROM next_scores;
ROLLBACK;

-- uuid and text, few and all
CREATE TABLE log_uuid AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target FROM log;
CREATE TABLE log_text AS SELECT 'user ' || source AS source, 'user ' || target AS target FROM log;
SELECT influence_create_model('uuids', 'log_uuid'), influence_create_model('texts', 'log_text');
SELECT nodes > 1500 AS many FROM influence_refresh('uuids');
SELECT nodes > 1500 AS many FROM influence_refresh('texts');
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score(md5(i::text)::uuid, 'uuids') IS DISTINCT FROM s.score) AS differing
FROM generate_series(-1000, 5000) i LEFT JOIN uuids_scores s ON s.user_id = md5(i::text)::uuid;
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score('user ' || i, 'texts') IS DISTINCT FROM s.score) AS differing
FROM generate_series(-1000, 5000) i LEFT JOIN texts_scores s ON s.user_id = 'user ' || i;
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score(md5(i::text)::uuid, 'uuids') IS DISTINCT FROM s.score) AS differing
FROM generate_series(-1000, 5000) i LEFT JOIN uuids_scores s ON s.user_id = md5(i::text)::uuid;
SELECT count(*) AS users, count(*) FILTER (WHERE influence_score('user ' || i, 'texts') IS DISTINCT FROM s.score) AS differing
FROM generate_series(-1000, 5000) i LEFT JOIN texts_scores s ON s.user_id = 'user ' || i;
RESET work_mem;
RESET hash_mem_multiplier;
SELECT influence_score('user 1', 'texts') = influence_score('user 1'::varchar, 'texts') AS varchar,
	influence_score(' user 1', 'texts') AS other, influence_score('', 'texts') AS empty, influence_score('USER 1', 'texts') AS upper;

-- more models than one of every kind at a time
SELECT count(*) FILTER (WHERE influence_score(user_id, 'next') IS NULL) AS nulls,
	count(*) FILTER (WHERE influence_score(md5(user_id::text)::uuid, 'uuids') IS DISTINCT FROM influence_score('user ' || user_id, 'texts')) AS differing
FROM next_scores;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_lookup CASCADE;
