-- The tables of networks and topics: what a refresh writes there, what users
-- do to them, and how they come and go.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_facet_tables;
SET search_path = model_facet_tables, public;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\i test/sql/include/facets.sql
\set ECHO all

CREATE TABLE log AS
SELECT (17 * noise('source', i) ^ 2)::bigint AS source, (19 * noise('target', i) ^ 1.5)::bigint AS target,
	(ARRAY['x', 'y', 'z'])[1 + floor(3 * noise('network', i) ^ 2)::int] AS network,
	(ARRAY['{cats}', '{cats,dogs}', '{birds}', '{}'])[1 + floor(4 * noise('topics', i))::int]::text[] AS topics,
	timestamptz '2025-01-01 00:00+00' - noise('at', i) * interval '100 days' AS at
FROM generate_series(1, 300) i;
SELECT influence_create_model('m', 'log', network => 'network', topic => 'topics');
\d m_networks
\d m_topics
SELECT obj_description('m_networks'::regclass), obj_description('m_topics'::regclass);
SELECT changed, nodes FROM influence_refresh('m');
CREATE FUNCTION versions() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(md5(t::text), ' ') FROM (
		SELECT string_agg(n.ctid || ' ' || n.xmin || n::text, '|' ORDER BY n.ctid) FROM m_networks n
		UNION ALL SELECT string_agg(n.ctid || ' ' || n.xmin || n::text, '|' ORDER BY n.ctid) FROM m_topics n) t $$;

-- A refresh that finds nothing new writes nothing there.
CREATE TABLE before AS SELECT versions() AS v;
CREATE TABLE scale_before AS SELECT s.*, s.xmin AS x FROM influence_scale s;
SELECT changed FROM influence_refresh('m');
SELECT versions() = v AS same FROM before;
SELECT count(*) AS scales, count(*) FILTER (WHERE s.xmin = b.x) AS untouched FROM scale_before b JOIN influence_scale s USING (model, facet, name, reference, c);
-- what somebody spoilt is put right, row by row
UPDATE m_topics SET score = 50 WHERE topic = 'cats' AND user_id IN (1, 2);
DELETE FROM m_topics WHERE user_id = 4;
INSERT INTO m_topics SELECT 'no such', user_id, score, percentile, influence, audience, responses, activity, 0, 0, 0 FROM m_topics WHERE topic = 'dogs';
INSERT INTO m_topics SELECT 'cats', 4711, score, percentile, influence, audience, responses, activity, 0, 0, 0 FROM m_topics WHERE topic = 'dogs' LIMIT 1;
UPDATE m_networks SET user_id = -user_id - 1, network = upper(network) WHERE user_id < 6;
SELECT changed FROM influence_refresh('m');
SELECT * FROM compare_facets('m', now());
SELECT * FROM compare_facets('m', now(), 'topics');
SELECT wrong_topic_columns('m_topics');

-- Facets that come later get a scale of their own, those that go lose their
-- rows and keep their scale, and find it again.
SELECT facet, name, reference, c INTO scale_1 FROM influence_scale;
INSERT INTO log SELECT source + 5, target, 'new', '{new}', at FROM log WHERE topics = '{birds}';
UPDATE log SET topics = '{dogs}' WHERE topics = '{birds}';
UPDATE log SET network = 'x' WHERE network = 'z';
SELECT nodes FROM influence_refresh('m');
SELECT * FROM (SELECT 'network' AS facet, network AS name, count(*) FROM m_networks GROUP BY 2
	UNION ALL SELECT 'topic', topic, count(*) FROM m_topics GROUP BY 2) t ORDER BY 1, 2;
SELECT facet, name, b.c IS NOT NULL AS before, coalesce(s.reference = b.reference AND s.c = b.c, true) AS as_it_was
FROM influence_scale s LEFT JOIN scale_1 b USING (facet, name) WHERE model = 'm' ORDER BY 1, 2;
SELECT reference = (SELECT max(influence) FROM m_topics WHERE topic = 'new') AS reference,
	NOT differs(c, (SELECT avg(influence) / 10 FROM m_topics WHERE topic = 'new'), 1e-12) AS c
FROM influence_scale WHERE name = 'new' AND facet = 'topic';
-- scores follow the scale that there was
SELECT count(*) AS wrong FROM m_topics t JOIN influence_scale s ON s.model = 'm' AND s.facet = 'topic' AND s.name = t.topic
WHERE differs(score, least(100, 1 + 99 * ln(1 + influence / c) / ln(1 + reference / c)), 1e-6);
UPDATE log SET topics = '{birds}' WHERE source = 3;
SELECT nodes FROM influence_refresh('m');
SELECT count(*) > 2 AS again, (SELECT (s.reference, s.c) = (b.reference, b.c) FROM influence_scale s JOIN scale_1 b USING (facet, name) WHERE name = 'birds') AS as_it_was
FROM m_topics WHERE topic = 'birds';
-- influence_rescale takes all anew; of those that are gone nothing can be taken
SELECT mode FROM influence_rescale('m');
SELECT facet, name, coalesce((s.reference, s.c) = (b.reference, b.c), false) AS as_it_was
FROM influence_scale s LEFT JOIN scale_1 b USING (facet, name) WHERE model = 'm' ORDER BY 1, 2;
SELECT * FROM compare_facets('m', now());
SELECT * FROM compare_facets('m', now(), 'topics');
-- users beyond the scale of a facet: a refresh says so
INSERT INTO log SELECT 1000 + i % 200, 2000 + i % 20, 'y', '{cats}', '2024-12-01 00:00+00' FROM generate_series(1, 4000) i;
SELECT nodes FROM influence_refresh('m');
SELECT mode FROM influence_rescale('m');
DELETE FROM log WHERE source >= 1000;
SELECT mode FROM influence_rescale('m');

-- Indexes, constraints, columns and triggers of the owner's.
CREATE INDEX ON m_topics (topic, score DESC);
CREATE INDEX ON m_topics (user_id) WHERE relevance > 0.5;
ALTER TABLE m_networks ADD grade int GENERATED ALWAYS AS (score::int / 10) STORED, ADD note text DEFAULT 'none', ADD CHECK (score BETWEEN 1 AND 100);
CREATE TABLE written (what text, network text, user_id bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO written VALUES (TG_OP, coalesce(NEW.network, OLD.network), coalesce(NEW.user_id, OLD.user_id));
	RETURN NULL;
END
$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON m_networks FOR EACH ROW EXECUTE FUNCTION note();
UPDATE log SET network = 'z' WHERE network = 'x' AND source < 4;
SELECT network, user_id, score, percentile, influence, audience, responses, activity INTO before_networks FROM m_networks;
SELECT nodes FROM influence_refresh('m');
SELECT count(*) > 10 AS written, count(*) FILTER (WHERE w.what IS DISTINCT FROM e.what) AS wrong FROM written w FULL JOIN (
	SELECT network, user_id, CASE WHEN b.score IS NULL THEN 'INSERT' WHEN m.score IS NULL THEN 'DELETE' ELSE 'UPDATE' END AS what
	FROM before_networks b FULL JOIN m_networks m USING (network, user_id)
	WHERE (b.score, b.percentile, b.influence, b.audience, b.responses, b.activity)
		IS DISTINCT FROM (m.score, m.percentile, m.influence, m.audience, m.responses, m.activity)) e USING (network, user_id);
SELECT count(*) AS wrong FROM m_networks WHERE grade <> score::int / 10 OR note <> 'none';
SET enable_seqscan = off;
SELECT count(*) AS differing FROM (SELECT topic, user_id FROM m_topics WHERE topic = 'cats' ORDER BY score DESC LIMIT 5) t
	FULL JOIN (SELECT topic, user_id FROM (SELECT *, row_number() OVER (PARTITION BY topic ORDER BY score DESC) AS n FROM m_topics OFFSET 0) r
		WHERE topic = 'cats' AND n <= 5) u USING (topic, user_id) WHERE t.topic IS NULL OR u.topic IS NULL;
RESET enable_seqscan;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no more of this'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON m_topics FOR EACH ROW WHEN (NEW.topic = 'cats') EXECUTE FUNCTION refuse();
INSERT INTO log VALUES (2, 3, 'x', '{cats}', '2024-12-01 00:00+00');
SELECT versions() AS v INTO before_refused;
SELECT error_of($$ SELECT influence_refresh('m') $$);
SELECT versions() = v AS same FROM before_refused;
DROP TRIGGER refuse ON m_topics;
SELECT changed > 0 AS changed FROM influence_refresh('m');

-- Renamed, moved, dropped, spoilt.
CREATE SCHEMA "Else where";
ALTER TABLE m_topics RENAME TO "about what";
ALTER TABLE m_networks SET SCHEMA "Else where";
ALTER TABLE "about what" ALTER relevance TYPE float8;
SELECT error_of($$ SELECT influence_refresh('m') $$);
ALTER TABLE "about what" ALTER relevance TYPE real;
DELETE FROM "about what";
DELETE FROM "Else where".m_networks;
SELECT changed FROM influence_refresh('m');
SELECT mode FROM influence_rescale('m');
SELECT networks, topics FROM influence_models WHERE name = 'm';
SELECT * FROM compare_facets('m', now());
SELECT * FROM compare_facets('m', now(), 'topics');
BEGIN;
ALTER TABLE "about what" DROP COLUMN enthusiasm;
SELECT error_of($$ SELECT influence_refresh('m') $$);
ROLLBACK;
BEGIN;
ALTER TABLE "Else where".m_networks RENAME network TO net;
SELECT error_of($$ SELECT influence_refresh('m') $$);
ROLLBACK;
BEGIN;
DROP TABLE "about what";
SELECT error_of($$ SELECT influence_refresh('m') $$);
SELECT influence_score(3, 'm') > 0;
-- taken away and given again it is made again
SELECT influence_alter_model('m', reset => '{topic}');
SELECT changed FROM influence_refresh('m');
SELECT influence_alter_model('m', topic => 'topics');
SELECT changed FROM influence_refresh('m');
SELECT topics, count(*) > 10 AS rows FROM influence_models, m_topics WHERE name = 'm' GROUP BY 1;
ROLLBACK;
BEGIN;
DROP TABLE "about what";
CREATE VIEW m_topics AS SELECT 1;
SELECT influence_alter_model('m', reset => '{topic}');
SELECT error_of($$ SELECT influence_alter_model('m', topic => 'topics') $$);
ROLLBACK;
BEGIN;
DROP TABLE "Else where".m_networks;
SELECT error_of($$ SELECT influence_drop_model('m') $$);
SELECT to_regclass('"about what"') IS NULL AS dropped;
ROLLBACK;

-- What depends on a table stays; so does the column.
CREATE VIEW top AS SELECT * FROM "about what" WHERE score > 50;
SELECT error_of($$ SELECT influence_alter_model('m', reset => '{topic}') $$);
SELECT error_of($$ SELECT influence_drop_model('m') $$);
SELECT topic, topics FROM influence_models WHERE name = 'm';
DROP VIEW top;
SELECT influence_alter_model('m', reset => '{network, topic}');
SELECT network, topic, networks, topics, to_regclass('"about what"'), to_regclass('"Else where".m_networks') FROM influence_models WHERE name = 'm';
SELECT changed FROM influence_refresh('m');
-- their scales are remembered
SELECT count(*) > 5 AS scales FROM influence_scale WHERE model = 'm';
SELECT influence_drop_model('m');
SELECT count(*) AS scales FROM influence_scale WHERE model = 'm';

-- Names that are taken, and names too long.
CREATE TABLE m_topics ();
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics') $$);
SELECT error_of($$ SELECT influence_create_model('m', 'log') $$), to_regclass('m_networks');
SELECT error_of($$ SELECT influence_alter_model('m', network => 'network', topic => 'topics') $$);
SELECT to_regclass('m_networks'), network, topic FROM influence_models WHERE name = 'm';
DROP TABLE m_topics;
SELECT influence_drop_model('m');
SELECT error_of(format($$ SELECT influence_create_model(%L, 'log', network => 'network') $$, repeat('m', 55)));
SELECT influence_create_model(repeat('m', 54), 'log', network => 'network', topic => 'topics');
SELECT influence_drop_model(repeat('m', 54));

-- Who refreshes may write all tables.
CREATE ROLE regress_influence_facets;
GRANT USAGE ON SCHEMA model_facet_tables TO regress_influence_facets;
GRANT SELECT ON log TO regress_influence_facets;
SELECT influence_create_model('m', 'log', network => 'network', topic => 'topics', keep_graphs => 0);
GRANT ALL ON m_scores, m_history, m_networks, m_topics, m_graph TO regress_influence_facets;
REVOKE INSERT ON m_networks FROM regress_influence_facets;
SET ROLE regress_influence_facets;
SELECT error_of($$ SELECT influence_refresh('m') $$);
RESET ROLE;
GRANT INSERT ON m_networks TO regress_influence_facets;
REVOKE DELETE ON m_topics FROM regress_influence_facets;
SET ROLE regress_influence_facets;
SELECT error_of($$ SELECT influence_refresh('m') $$);
RESET ROLE;
GRANT DELETE ON m_topics TO regress_influence_facets;
ALTER TABLE m_topics ENABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_facets;
SELECT error_of($$ SELECT influence_refresh('m') $$);
RESET ROLE;
ALTER TABLE m_topics DISABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_facets;
SELECT changed FROM influence_refresh('m');
-- scales are written with it, but by nobody else
SELECT count(*) > 5 AS scales FROM influence_scale WHERE model = 'm';
SELECT error_of($$ UPDATE influence_scale SET c = 1 $$);
SELECT error_of($$ DELETE FROM influence_scale $$);
RESET ROLE;
SELECT * FROM compare_facets('m', now());

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA "Else where", model_facet_tables CASCADE;
DROP ROLE regress_influence_facets;
