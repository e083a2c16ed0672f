-- Topics that are parts of wider topics: an interaction counts for all topics
-- that its own are parts of.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_hierarchy;
SET search_path = model_hierarchy, public;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\i test/sql/include/facets.sql
\set ECHO all

-- By hand: cats and dogs are pets; cats are animals by two ways.
CREATE TABLE hand (source int, target int, topic text);
INSERT INTO hand VALUES (1, 2, 'cats'), (3, 2, 'dogs'), (1, 3, 'pets'), (2, 3, 'unknown');
CREATE TABLE hand_wider (topic text, parent text);
INSERT INTO hand_wider VALUES ('cats', 'pets'), ('cats', 'felines'), ('felines', 'animals'), ('dogs', 'pets'), ('pets', 'animals'), ('fish', 'animals');
SELECT influence_create_model('hand', 'hand', topic => 'topic', topic_parents => 'hand_wider', pair_weight => 'linear', restart => 'uniform', damping => 0);
SELECT nodes, edges FROM influence_refresh('hand');
SELECT topic, user_id, round(influence::numeric, 9) AS influence, audience, round(relevance::numeric, 6) AS relevance FROM hand_topics WHERE audience > 0 ORDER BY 1, 2;
-- the overall graph counts each interaction once
SELECT user_id, audience, responses FROM hand_scores ORDER BY 1;
-- an interaction's own labels and the wider ones explain a wider topic
SELECT supporter, influence, share FROM influence_explain(2, 'hand', topic => 'pets') ORDER BY 1;
SELECT supporter, influence, share FROM influence_explain(2, 'hand', topic => 'felines') ORDER BY 1;
SELECT influence_drop_model('hand');

-- Several parents, cycles, chains, rows twice, parents of themselves, empty
-- names, names that occur nowhere else.
CREATE TABLE wider (id serial, topic varchar(100), note text, parent name);
INSERT INTO wider (topic, parent) VALUES ('a', 'b'), ('b', 'c'), ('c', 'a'), ('c', 'out of the circle'),
	('d', 'd'), ('d', 'e'), ('d', 'e'), ('e', NULL), (NULL, 'e'), (NULL, NULL), ('', 'of nothing'), ('nothing', ''), ('x', ''), ('x', 'a'), ('x', 'd'),
	('who', 'where'), ('where', 'who'), ('Größe', '東京 🎉'), ('東京 🎉', 'it''s {"wide"} \');
INSERT INTO wider (topic, parent) SELECT CASE WHEN i = 1 THEN 'deep' ELSE 'chain ' || i END, 'chain ' || i + 1 FROM generate_series(1, 40) i;
CREATE TABLE log AS
SELECT (17 * noise('source', i) ^ 2)::bigint AS source, (19 * noise('target', i) ^ 1.5)::bigint AS target,
	(ARRAY['a', 'b', 'd', '', 'x', 'Größe', 'deep', 'unknown', NULL])[1 + floor(9 * noise('topic', i))::int] AS topic,
	(ARRAY['{a}', '{x,deep}', '{d,e,d}', '{c,NULL,""}', '{Größe,unknown}', '{}', NULL])[1 + floor(7 * noise('topics', i))::int]::text[] AS topics
FROM generate_series(1, 300) i;
-- the same in SQL
CREATE FUNCTION with_wider(topics text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
	WITH RECURSIVE w(topic) AS (
		SELECT DISTINCT t COLLATE "C" FROM unnest(topics) t WHERE t IS NOT NULL
		UNION SELECT wider.parent::text COLLATE "C" FROM w JOIN wider ON wider.topic COLLATE "C" = w.topic WHERE wider.parent IS NOT NULL)
	SELECT coalesce(array_agg(topic::text), '{}') FROM w $$;
SELECT with_wider('{a,unknown}'), cardinality(with_wider('{deep}'));
CREATE TABLE log_wide AS SELECT *, with_wider(ARRAY[topic]) AS topic_wide, with_wider(topics) AS topics_wide FROM log;
SELECT influence_create_model('one', 'log_wide', topic => 'topic', topic_parents => 'wider'),
	influence_create_model('one_wide', 'log_wide', topic => 'topic_wide'),
	influence_create_model('many', 'log_wide', topic => 'topics', topic_parents => 'wider'),
	influence_create_model('many_wide', 'log_wide', topic => 'topics_wide');
SELECT count(*) FROM influence_models m, LATERAL influence_refresh(m.name) r;
SELECT count(DISTINCT topic), differing('one_topics', 'one_wide_topics', 'topic') FROM one_topics;
SELECT count(DISTINCT topic), differing('many_topics', 'many_wide_topics', 'topic') FROM many_topics;
SELECT differing('one_scores', 'one_wide_scores'), differing('many_scores', 'many_wide_scores');
SELECT * FROM compare_facets('many', now(), 'topics_wide');
SELECT wrong_topic_columns('many_topics');

-- It is read anew by each refresh.
SELECT nodes, changed FROM influence_refresh('many');
INSERT INTO wider (topic, parent) VALUES ('unknown', 'deep');
UPDATE log_wide SET topics_wide = with_wider(topics);
SELECT nodes, changed FROM influence_refresh('many');
SELECT changed FROM influence_refresh('many_wide');
SELECT differing('many_topics', 'many_wide_topics', 'topic');
-- another relation, a view too; none
CREATE VIEW upwards AS SELECT 'above' AS parent, 'a'::char(5) AS topic UNION ALL SELECT 'above', 'x';
SELECT influence_alter_model('many', topic_parents => 'upwards');
SELECT topic_parents FROM influence_models WHERE name = 'many';
SELECT changed FROM influence_refresh('many');
SELECT string_agg(DISTINCT topic, ' ' ORDER BY topic) FROM many_topics;
SELECT (SELECT count(*) FROM many_topics WHERE topic = 'above') > 5 AS counts_for_it;
SELECT influence_alter_model('many', reset => '{topic_parents}');
SELECT topic_parents FROM influence_models WHERE name = 'many';
SELECT changed FROM influence_refresh('many');
SELECT string_agg(DISTINCT topic, ' ' ORDER BY topic) FROM many_topics;
-- an empty one
CREATE TABLE empty (topic text, parent text);
SELECT influence_alter_model('many', topic_parents => 'empty');
SELECT changed FROM influence_refresh('many');
SELECT string_agg(DISTINCT topic, ' ' ORDER BY topic) FROM many_topics;

-- Tables that cannot serve, and privileges.
CREATE TABLE no_parent (topic text);
CREATE TABLE numbers (topic int, parent int);
CREATE TABLE texts (topic text, parent text);
CREATE INDEX ON texts (topic, parent);
CREATE TYPE pair AS (topic text, parent text);
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics', topic_parents => 'no_parent') $$);
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics', topic_parents => 'numbers') $$);
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic_parents => 'wider') $$);
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics', topic_parents => 'wider_id_seq') $$);
SELECT left(error_of($$ SELECT influence_create_model('an index', 'log', topic => 'topics', topic_parents => 'texts_topic_parent_idx') $$), 5);
SELECT left(error_of($$ SELECT influence_create_model('a type', 'log', topic => 'topics', topic_parents => 'pair') $$), 5);
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics', topic_parents => 4711) $$);
SELECT error_of($$ SELECT influence_alter_model('many', reset => '{topic}') $$);
SELECT error_of($$ SELECT influence_alter_model('many', topic_parents => 'no_parent') $$);
SELECT topic_parents, topic FROM influence_models WHERE name = 'many';
DROP TABLE empty;
SELECT error_of($$ SELECT influence_refresh('many') $$);
SELECT error_of($$ SELECT influence_alter_model('many', damping => 0.4) $$);
SELECT error_of($$ SELECT influence_alter_model('many', reset => '{topic_parents}') $$);
SELECT error_of($$ SELECT influence_refresh('many') $$);
CREATE ROLE regress_influence_hierarchy;
GRANT ALL ON SCHEMA model_hierarchy TO regress_influence_hierarchy;
GRANT SELECT ON log TO regress_influence_hierarchy;
GRANT SELECT (topic) ON wider TO regress_influence_hierarchy;
SET ROLE regress_influence_hierarchy;
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics', topic_parents => 'wider') $$);
RESET ROLE;
GRANT SELECT (parent) ON wider TO regress_influence_hierarchy;
SET ROLE regress_influence_hierarchy;
SELECT influence_create_model('m', 'log', topic => 'topics', topic_parents => 'wider');
SELECT error_of($$ SELECT influence_refresh('m') $$);
RESET ROLE;
REVOKE SELECT (topic) ON wider FROM regress_influence_hierarchy;
SET ROLE regress_influence_hierarchy;
SELECT error_of($$ SELECT influence_refresh('m') $$);
RESET ROLE;
-- row security hides parents
GRANT SELECT ON wider TO regress_influence_hierarchy;
ALTER TABLE wider ENABLE ROW LEVEL SECURITY;
CREATE POLICY chains ON wider USING (parent LIKE 'chain%');
SET ROLE regress_influence_hierarchy;
SELECT changed FROM influence_refresh('m');
SELECT count(DISTINCT topic) AS topics, string_agg(DISTINCT topic, ' ') FILTER (WHERE topic !~ 'chain') FROM m_topics;
RESET ROLE;

-- Many topics, each with many wider ones: 400 topics in a line.
CREATE TABLE line AS SELECT 't' || i AS topic, 't' || i + 1 AS parent FROM generate_series(1, 400) i;
CREATE TABLE line_log AS SELECT i AS source, i + 1 AS target, 't' || i AS topic FROM generate_series(1, 400) i;
SELECT influence_create_model('line', 'line_log', topic => 'topic', topic_parents => 'line', keep_graphs => 0);
SELECT edges FROM influence_refresh('line');
SELECT count(*) AS topics, count(*) FILTER (WHERE audience <> least(substr(topic, 2)::int, 400)) AS wrong
FROM (SELECT topic, sum(audience) AS audience FROM line_topics GROUP BY 1) t;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_hierarchy CASCADE;
DROP ROLE regress_influence_hierarchy;
