-- influence_score by network and topic, wherever it is called from.
SET client_min_messages = warning;
CREATE SCHEMA model_facet_lookup;
SET search_path = model_facet_lookup, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all

-- Networks of about 2,000 users and of a handful; topics with odd names: of
-- nothing, of quotes, ones that others begin with, and a long one.
CREATE TABLE name (number int, network text, topic text);
INSERT INTO name VALUES (0, 'forum', 'film'), (1, 'forum', ''), (2, 'photo', 'it''s "odd"'), (3, 'photo', 'Film'), (4, 'forum', 'film '),
	(5, '', E'new\nline'), (6, 'NULL', 'ünïcödé 例'), (7, 'forum', repeat('long ', 600)), (8, NULL, 'fil'), (9, 'forum', NULL);
CREATE TABLE log AS
SELECT (3000 * noise('source', i) ^ 2)::bigint AS source, (3000 * noise('target', i) ^ 2)::bigint AS target, n.network, n.topic
FROM generate_series(1, 12000) i JOIN name n ON number = least(9, floor(-3 * ln(noise('name', i))))::int;
SELECT influence_create_model('m', 'log', network => 'network', topic => 'topic');
SELECT nodes > 2000 AS many FROM influence_refresh();
SELECT network, count(*) > 700 AS large FROM m_networks GROUP BY network ORDER BY network COLLATE "C";
SELECT left(topic, 12) AS topic, length(topic), count(*) > 700 AS large FROM m_topics GROUP BY topic ORDER BY topic COLLATE "C";

-- nobody, nowhere, no such user
SELECT influence_score(NULL::bigint, network => 'forum'), influence_score(NULL::bigint, topic => 'film');
SELECT influence_score(-1, network => 'forum'), influence_score(-1, topic => 'film');
SELECT influence_score(1, network => 'no such'), influence_score(1, topic => 'no such'), influence_score(1, topic => 'forum'), influence_score(1, network => 'film');
SELECT influence_score(1, 'm', NULL, NULL) = influence_score(1) AS overall;
SELECT error_of($$SELECT influence_score(1, 'm', 'forum', 'film')$$);
SELECT error_of($$SELECT influence_score(1, 'no such', 'forum')$$);
SELECT error_of($$SELECT influence_score('1'::text, 'm', 'forum')$$);

-- All rows, whoever is in other facets only, facets for each row another, in
-- any order: constant, from the row, and each facet by one constant.
SELECT count(*) AS rows, count(*) FILTER (WHERE influence_score(user_id, 'm', network) IS DISTINCT FROM score) AS differing FROM m_networks \gset networks_
SELECT count(*) AS rows, count(*) FILTER (WHERE influence_score(user_id, 'm', topic => topic) IS DISTINCT FROM score) AS differing FROM m_topics \gset topics_
SELECT :networks_rows = (SELECT count(*) FROM m_networks) AS networks, :networks_differing AS differing,
	:topics_rows = (SELECT count(*) FROM m_topics) AS topics, :topics_differing AS differing;
SELECT count(*) > 10000 AS many, count(*) FILTER (WHERE influence_score(user_id, topic => topic) IS DISTINCT FROM score) AS differing
FROM (SELECT u.user_id, f.topic, t.score FROM m_scores u CROSS JOIN (SELECT DISTINCT topic FROM m_topics) f LEFT JOIN m_topics t USING (user_id, topic)
	ORDER BY md5(u.user_id || f.topic)) s;
SELECT count(*) FILTER (WHERE influence_score(i, network => 'forum') IS DISTINCT FROM n.score) AS forum, count(n.score) > 700 AS large
FROM generate_series(-2000, 6000) i LEFT JOIN m_networks n ON n.user_id = i AND n.network = 'forum';
SELECT count(*) FILTER (WHERE influence_score(i, topic => '') IS DISTINCT FROM t.score) AS empty, count(t.score) > 700 AS large
FROM generate_series(-2000, 6000) i LEFT JOIN m_topics t ON t.user_id = i AND t.topic = '';
-- a facet that is given up at first: it has more rows than four times 128, and
-- four times 512, before it is read as a whole; and few users again and again
SELECT count(*) AS asked, count(*) FILTER (WHERE influence_score(user_id, topic => 'film') IS DISTINCT FROM t.score) AS differing
FROM unnest('{100,127,128,129,130,511,512,513,1000,2100}'::int[]) n, LATERAL (SELECT n AS site, user_id FROM m_scores ORDER BY md5(user_id::text) LIMIT n) u
	LEFT JOIN m_topics t USING (user_id) WHERE coalesce(t.topic, 'film') = 'film';
SELECT count(*) AS asked, count(*) FILTER (WHERE influence_score(i % 3, network => 'photo') IS DISTINCT FROM n.score) AS differing
FROM generate_series(0, 9999) i LEFT JOIN m_networks n ON n.user_id = i % 3 AND n.network = 'photo';
-- network, topic and none in turn at one place, models too
CREATE VIEW asked AS SELECT u.user_id, (u.user_id + k) % 3 AS what, s.score, n.network, n.score AS by_network, t.topic, t.score AS by_topic
FROM m_scores u CROSS JOIN generate_series(0, 2) k JOIN m_scores s USING (user_id) LEFT JOIN m_networks n ON n.user_id = u.user_id AND n.network = 'forum'
	LEFT JOIN m_topics t ON t.user_id = u.user_id AND t.topic = 'it''s "odd"';
SELECT count(*) > 6000 AS many, count(*) FILTER (WHERE influence_score(user_id, CASE WHEN user_id % 2 = 0 THEN 'm' END, CASE what WHEN 1 THEN 'forum' END, CASE what WHEN 2 THEN 'it''s "odd"' END)
	IS DISTINCT FROM CASE what WHEN 0 THEN score WHEN 1 THEN by_network ELSE by_topic END) AS differing FROM asked;

-- with so little memory that not all scores fit, nor all answers
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT count(*) FILTER (WHERE influence_score(user_id, 'm', topic => topic) IS DISTINCT FROM score) AS differing FROM (SELECT * FROM m_topics ORDER BY md5(user_id || topic)) s;
SELECT count(*) FILTER (WHERE influence_score(i, network => 'forum') IS DISTINCT FROM n.score) AS differing
FROM generate_series(-2000, 6000) i LEFT JOIN m_networks n ON n.user_id = i AND n.network = 'forum';
SELECT count(*) FILTER (WHERE influence_score(user_id, NULL, CASE what WHEN 1 THEN 'forum' END, CASE what WHEN 2 THEN 'it''s "odd"' END)
	IS DISTINCT FROM CASE what WHEN 0 THEN score WHEN 1 THEN by_network ELSE by_topic END) AS differing FROM asked;
-- more topics, most of them not there, than there is memory to tell apart
SELECT count(*) FILTER (WHERE a.score IS DISTINCT FROM t.score) AS differing, count(t.score) > 1000 AS many
FROM (SELECT i, CASE WHEN i % 2 = 0 THEN 'none ' || i ELSE 'film' END AS topic, i % 50 AS user_id FROM generate_series(1, 10000) i) x
	CROSS JOIN LATERAL (SELECT influence_score(user_id, topic => x.topic) AS score OFFSET 0) a LEFT JOIN m_topics t USING (user_id, topic);
RESET work_mem;
RESET hash_mem_multiplier;
DROP VIEW asked;

-- in parallel workers
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ANALYZE m_topics;
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
SELECT plan_has('Partial Aggregate', 'SELECT count(*) FROM m_topics WHERE influence_score(user_id, topic => topic) = score') AS in_workers;
SELECT count(*) = :topics_rows AS same FROM m_topics WHERE influence_score(user_id, topic => topic) = score;
SELECT count(*) > 0 AS some FROM m_topics WHERE topic = 'film' AND influence_score(user_id, topic => 'film') = score;
SELECT count(*) AS differing FROM m_topics WHERE topic = 'film' AND influence_score(user_id, topic => 'film') IS DISTINCT FROM score;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- prepared statements, with a plan of their own and a generic one
PREPARE look(bigint, text, text) AS SELECT influence_score($1, 'm', $2, $3) IS NOT DISTINCT FROM
	CASE WHEN $2 IS NOT NULL THEN (SELECT score FROM m_networks WHERE user_id = $1 AND network = $2)
		WHEN $3 IS NOT NULL THEN (SELECT score FROM m_topics WHERE user_id = $1 AND topic = $3)
		ELSE (SELECT score FROM m_scores WHERE user_id = $1) END AS same;
EXECUTE look(1, 'forum', NULL);
SET plan_cache_mode = force_generic_plan;
EXECUTE look(1, 'forum', NULL);
EXECUTE look(1, NULL, 'film ');
EXECUTE look(1, NULL, NULL);
EXECUTE look(1, NULL, 'Film');
BEGIN;
DELETE FROM log WHERE source % 3 > 0;
SELECT changed > 100 AS changed FROM influence_refresh();
EXECUTE look(1, 'forum', NULL);
EXECUTE look(1, NULL, 'film');
ROLLBACK;
EXECUTE look(1, NULL, 'film');
RESET plan_cache_mode;

-- Refreshed between two calls: each statement of a function sees what there
-- is, whatever the isolation level, by network and topic in turn; also what a
-- subtransaction refreshed that is rolled back.
CREATE FUNCTION loop_is_current(rounds int, OUT right_answers int, OUT different_answers int) LANGUAGE plpgsql AS $$
DECLARE
	answer real;
	answers real[];
	a_network text;
	a_topic text;
BEGIN
	right_answers := 0;
	FOR i IN 1..rounds LOOP
		IF i % 3 = 0 THEN
			INSERT INTO log SELECT -j, 1, 'forum', 'film' FROM generate_series(i * 100, i * 100 + 9) j;
			PERFORM influence_refresh('m');
		ELSIF i % 7 = 0 THEN
			BEGIN
				DELETE FROM log WHERE target = 1;
				PERFORM influence_refresh('m');
				answer := influence_score(1, topic => 'film');
				IF answer IS NOT DISTINCT FROM (SELECT score FROM m_topics WHERE user_id = 1 AND topic = 'film') THEN
					right_answers := right_answers + 1;
				END IF;
				RAISE EXCEPTION USING ERRCODE = 'ZZ999';
			EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
				NULL;
			END;
		END IF;
		answer := influence_score(1, topic => 'film');
		answers := answers || answer;
		IF answer IS NOT DISTINCT FROM (SELECT score FROM m_topics WHERE user_id = 1 AND topic = 'film') THEN
			right_answers := right_answers + 1;
		END IF;
		FOR place IN 0..2 LOOP
			a_network := CASE place WHEN 0 THEN 'forum' END;
			a_topic := CASE place WHEN 1 THEN 'film' END;
			IF (influence_score(1, 'm', a_network, a_topic) IS NOT DISTINCT FROM CASE place
				WHEN 0 THEN (SELECT score FROM m_networks WHERE user_id = 1 AND network = 'forum')
				WHEN 1 THEN (SELECT score FROM m_topics WHERE user_id = 1 AND topic = 'film')
				ELSE (SELECT score FROM m_scores WHERE user_id = 1) END) THEN
				right_answers := right_answers + 1;
			END IF;
		END LOOP;
	END LOOP;
	SELECT count(DISTINCT a) INTO different_answers FROM unnest(answers) a;
END
$$;
-- 8 rounds of 4 answers, and one within what is rolled back
BEGIN;
SELECT * FROM loop_is_current(8);
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM loop_is_current(8);
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM loop_is_current(8);
ROLLBACK;
-- after ROLLBACK TO SAVEPOINT, and in a cursor that was opened before
SELECT score AS one FROM m_topics WHERE user_id = 1 AND topic = 'film' \gset
BEGIN;
DECLARE old CURSOR FOR SELECT influence_score(i, topic => 'film') = (:one)::real AS as_before FROM unnest('{1,1,1,1}'::int[]) i;
FETCH 1 FROM old;
SAVEPOINT a;
UPDATE log SET target = 1 WHERE target < 50;
SELECT changed > 0 AS changed FROM influence_refresh();
SELECT influence_score(1, topic => 'film') <> :one::real AS differs;
FETCH 2 FROM old;
ROLLBACK TO a;
SELECT influence_score(1, topic => 'film') = :one::real AS same;
COMMIT;

-- Tables renamed, moved, without their keys, or with others.
BEGIN;
ALTER TABLE m_topics RENAME TO renamed;
ALTER TABLE m_networks SET SCHEMA public;
SELECT influence_score(1, topic => 'film') = :one::real AS same, influence_score(1, network => 'forum') IS NOT NULL AS found;
ROLLBACK;
CREATE FUNCTION differing_topics() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FILTER (WHERE influence_score(user_id, topic => topic) IS DISTINCT FROM score) + coalesce(influence_score(-1, topic => 'film'), 0)::int
	FROM m_topics WHERE user_id < 10 $$;
CREATE FUNCTION has_key() RETURNS boolean LANGUAGE sql AS $$ SELECT count(*) > 0 FROM pg_index WHERE indrelid = 'm_topics'::regclass AND indisprimary $$;
SELECT has_key(), differing_topics();
BEGIN;
DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE m_topics DROP CONSTRAINT %I', conname) FROM pg_constraint WHERE conrelid = 'm_topics'::regclass AND contype = 'p'); END $$;
SELECT has_key(), differing_topics();
SELECT changed FROM influence_refresh();
SELECT differing_topics();
ALTER TABLE m_topics ADD CONSTRAINT k PRIMARY KEY (user_id, topic);
SELECT has_key(), differing_topics();
ALTER TABLE m_topics DROP CONSTRAINT k, ADD CONSTRAINT k PRIMARY KEY (topic, user_id) INCLUDE (score);
SELECT differing_topics();
SELECT count(*) FILTER (WHERE influence_score(user_id, topic => topic) IS DISTINCT FROM score) AS differing FROM m_topics;
ALTER TABLE m_topics DROP CONSTRAINT k, ADD CONSTRAINT k PRIMARY KEY (topic, user_id) DEFERRABLE;
SELECT differing_topics();
ROLLBACK;
-- columns dropped and added, in another order and of another collation
BEGIN;
ALTER TABLE m_topics DROP COLUMN percentile;
ALTER TABLE m_topics ADD COLUMN remark text DEFAULT 'x';
SELECT differing_topics();
ALTER TABLE m_topics ALTER COLUMN topic TYPE text COLLATE "C";
SELECT has_key(), differing_topics();
ALTER TABLE m_topics ALTER score DROP NOT NULL;
UPDATE m_topics SET score = NULL WHERE user_id = 1;
SELECT differing_topics(), influence_score(1, topic => 'film');
ROLLBACK;
SELECT error_of(c || '; SELECT influence_score(1, topic => ''film'')') FROM unnest(ARRAY[
	'ALTER TABLE m_topics RENAME topic TO subject', 'ALTER TABLE m_topics ALTER topic TYPE varchar', 'ALTER TABLE m_topics ALTER score TYPE float8',
	'ALTER TABLE m_topics DROP COLUMN user_id', 'DROP TABLE m_topics', 'ALTER TABLE m_topics DROP COLUMN score; ALTER TABLE m_topics ADD score text']) c;
SELECT influence_score(1, topic => 'film') = :one::real AS same;
-- dropped, and replaced by another of the name
BEGIN;
CREATE TABLE copy AS TABLE m_topics;
DROP TABLE m_topics;
ALTER TABLE copy RENAME TO m_topics;
SELECT error_of($$SELECT influence_score(1, topic => 'film')$$);
SELECT influence_score(1, network => 'forum') IS NOT NULL AS networks_are_there;
ROLLBACK;

-- Models without networks or topics, with them since, and not any more.
SELECT influence_create_model('plain', 'log');
SELECT nodes > 2000 AS many FROM influence_refresh('plain');
SELECT influence_score(1, 'plain') IS NOT NULL AS found;
SELECT error_of($$SELECT influence_score(1, 'plain', network => 'forum')$$);
SELECT error_of($$SELECT influence_score(1, 'plain', topic => 'film')$$);
PREPARE plain AS SELECT influence_score(1, 'plain', topic => 'film') IS NOT NULL AS found;
SELECT influence_alter_model('plain', topic => 'topic');
EXECUTE plain;
SELECT nodes > 2000 AS many FROM influence_refresh('plain');
EXECUTE plain;
SELECT error_of($$SELECT influence_score(1, 'plain', network => 'forum')$$);
SELECT influence_alter_model('plain', reset => '{topic}');
SELECT error_of('EXECUTE plain');
SELECT influence_score(1, 'plain') IS NOT NULL AS found;
SELECT influence_drop_model('plain');
SELECT error_of('EXECUTE plain');

-- Rights: SELECT on the columns that are read, of the table that is asked.
CREATE ROLE regress_influence_reader;
GRANT USAGE ON SCHEMA model_facet_lookup TO regress_influence_reader;
CREATE FUNCTION tried() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	command text;
	answer text;
	answers text;
BEGIN
	FOREACH command IN ARRAY ARRAY['influence_score(1)', 'influence_score(1, network => ''forum'')', 'influence_score(1, topic => ''film'')'] LOOP
		BEGIN
			SET LOCAL ROLE regress_influence_reader;
			EXECUTE 'SELECT CASE WHEN ' || command || ' > 0 THEN ''found'' END' INTO answer;
		EXCEPTION WHEN insufficient_privilege THEN
			answer := SQLERRM;
		END;
		RESET ROLE;
		answers := concat_ws('; ', answers, coalesce(answer, 'nothing'));
	END LOOP;
	RETURN answers;
END
$$;
SELECT tried();
GRANT SELECT ON m_scores TO regress_influence_reader;
SELECT tried();
GRANT SELECT (user_id, score) ON m_networks TO regress_influence_reader;
GRANT SELECT (user_id, score, topic) ON m_topics TO regress_influence_reader;
SELECT tried();
GRANT SELECT (network) ON m_networks TO regress_influence_reader;
REVOKE SELECT ON m_scores FROM regress_influence_reader;
SELECT tried();
-- at one place as two roles: what one looked up the other does not get
CREATE FUNCTION as_two(OUT owner real, OUT reader text, OUT owner_again real) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			IF i = 2 THEN SET LOCAL ROLE regress_influence_reader; END IF;
			owner_again := influence_score(1, topic => 'film');
			IF i = 1 THEN owner := owner_again; ELSIF i = 2 THEN reader := owner_again; END IF;
		EXCEPTION WHEN insufficient_privilege THEN
			reader := SQLERRM;
		END;
		RESET ROLE;
	END LOOP;
END
$$;
SELECT owner = :one::real AS owner, reader = owner::text AS reader, owner_again = :one::real AS owner_again FROM as_two();
REVOKE SELECT (topic) ON m_topics FROM regress_influence_reader;
SELECT owner = :one::real AS owner, reader, owner_again = :one::real AS owner_again FROM as_two();
GRANT SELECT ON m_topics, m_networks, m_scores TO regress_influence_reader;

-- Row security: by topic, and by user.
CREATE POLICY no_film ON m_topics USING (topic <> 'film' AND user_id > 5);
ALTER TABLE m_topics ENABLE ROW LEVEL SECURITY;
SELECT tried();
SET ROLE regress_influence_reader;
SELECT count(*) FILTER (WHERE influence_score(i, topic => name) IS DISTINCT FROM s.score) AS differing, count(s.score) > 1000 AS many, count(*) FILTER (WHERE s.score IS NULL) > 1000 AS hidden
FROM generate_series(0, 3000) i CROSS JOIN (VALUES ('film'), (''), ('fil')) f (name) LEFT JOIN m_topics s ON s.user_id = i AND s.topic = f.name;
SELECT count(influence_score(i, network => 'forum')) > 700 AS networks_are_open FROM generate_series(0, 3000) i;
SET row_security = off;
SELECT influence_score(1, topic => 'film');
RESET row_security;
RESET ROLE;
SELECT owner = :one::real AS owner, reader, owner_again = :one::real AS owner_again FROM as_two();
SELECT count(*) FILTER (WHERE influence_score(user_id, topic => topic) IS DISTINCT FROM score) AS differing FROM m_topics;
ALTER TABLE m_topics FORCE ROW LEVEL SECURITY;
SELECT influence_score(1, topic => 'film') = :one::real AS superusers_see_all;
ALTER TABLE m_topics DISABLE ROW LEVEL SECURITY;
SELECT tried();
DROP OWNED BY regress_influence_reader;
DROP ROLE regress_influence_reader;

-- uuid and text
CREATE TABLE log_uuid AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target, network, topic FROM log;
CREATE TABLE log_text AS SELECT 'user ' || source AS source, 'user ' || target AS target, network, topic FROM log;
SELECT influence_create_model('uuids', 'log_uuid', network => 'network', topic => 'topic'), influence_create_model('texts', 'log_text', network => 'network', topic => 'topic');
SELECT nodes > 2000 AS many FROM influence_refresh('uuids');
SELECT nodes > 2000 AS many FROM influence_refresh('texts');
CREATE FUNCTION differing_ids() RETURNS TABLE (network_uuid bigint, topic_uuid bigint, network_text bigint, topic_text bigint) LANGUAGE sql AS $$
	SELECT (SELECT count(*) FILTER (WHERE influence_score(user_id, 'uuids', network) IS DISTINCT FROM score) FROM uuids_networks),
		(SELECT count(*) FILTER (WHERE influence_score(md5(i::text)::uuid, 'uuids', topic => 'film') IS DISTINCT FROM s.score)
			FROM generate_series(-1000, 4000) i LEFT JOIN uuids_topics s ON s.user_id = md5(i::text)::uuid AND topic = 'film'),
		(SELECT count(*) FILTER (WHERE influence_score(user_id, 'texts', network) IS DISTINCT FROM score) FROM texts_networks),
		(SELECT count(*) FILTER (WHERE influence_score('user ' || i, 'texts', topic => '') IS DISTINCT FROM s.score)
			FROM generate_series(-1000, 4000) i LEFT JOIN texts_topics s ON s.user_id = 'user ' || i AND topic = '')
$$;
SELECT * FROM differing_ids();
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT * FROM differing_ids();
RESET work_mem;
RESET hash_mem_multiplier;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_facet_lookup CASCADE;
