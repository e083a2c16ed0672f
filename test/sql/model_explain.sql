-- Who makes a user's influence: the parts add up, and are those of another
-- computation.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_explain;
SET search_path = model_explain, public;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\i test/sql/include/explain.sql
\set ECHO all

-- By hand: everybody has rank 1/4; 1 gives two thirds of the attention to 2 and
-- a third to 3; 2 and 4 give all of it to 3.
CREATE TABLE hand (source int, target int, kind text, network text);
INSERT INTO hand VALUES (1, 2, 'like', 'x'), (1, 2, 'share', NULL), (1, 3, 'like', 'y'), (2, 3, NULL, 'x'), (4, 3, 'like', 'x'), (4, 3, 'like', 'x');
SELECT influence_create_model('hand', 'hand', kind => 'kind', network => 'network', pair_weight => 'linear', restart => 'uniform', damping => 0);
SELECT nodes, edges FROM influence_refresh('hand');
SELECT network, kind, supporter, round(influence::numeric, 9) AS influence, round(share::numeric, 9) AS share
FROM influence_explain(3, 'hand') ORDER BY supporter;
SELECT network, kind, supporter, round(influence::numeric, 9) AS influence, share FROM influence_explain(2, 'hand') ORDER BY kind;
-- in network x 1, 2 and 4 are three of four users who share the ranks
SELECT network, kind, supporter, round(influence::numeric, 9) AS influence, share FROM influence_explain(3, network => 'x') ORDER BY supporter;
-- nobody reacts to 1 and 4; 5 is nobody
SELECT count(*) FROM influence_explain(1) UNION ALL SELECT count(*) FROM influence_explain(4) UNION ALL SELECT count(*) FROM influence_explain(5);
SELECT count(*) FROM influence_explain(NULL::bigint) UNION ALL SELECT count(*) FROM influence_explain(3, network => 'no such')
UNION ALL SELECT count(*) FROM influence_explain(3, topic => 'x') UNION ALL SELECT count(*) FROM influence_explain(3, network => '');
SELECT influence_drop_model('hand');

-- Everything at once, with all weights and rules.
CREATE TABLE log AS
SELECT nullif((17 * noise('source', i) ^ 2)::int, 13)::bigint AS source,
	nullif((19 * noise('target', i) ^ 1.5)::int, 17)::bigint AS target,
	nullif(round((5 * noise('weight', i))::numeric, 1), 4.2) AS weight,
	timestamptz '2025-01-01 00:00+00' - noise('at', i) * interval '400 days' AS at,
	(ARRAY['like', 'reply', 'spam', '', NULL])[1 + floor(5 * noise('kind', i))::int] AS kind,
	(ARRAY['x', 'y', '', 'Größe \ "東京"', NULL])[1 + floor(5 * noise('network', i) ^ 2)::int] AS network,
	(ARRAY['{cats}', '{cats,dogs}', '{dogs,cats,dogs}', '{NULL,cats,NULL}', '{}', NULL, '{""}'])
		[1 + floor(7 * noise('topics', i) ^ 1.5)::int]::text[] AS topics
FROM generate_series(1, 600) i;
CREATE TABLE wider (topic text, parent text);
INSERT INTO wider VALUES ('cats', 'animals'), ('dogs', 'animals'), ('animals', 'cats');
CREATE VIEW network_x AS SELECT * FROM log WHERE network = 'x';
CREATE VIEW topic_dogs AS SELECT * FROM log WHERE 'dogs' = ANY (topics);
CREATE FUNCTION check_log(arguments text, OUT parts bigint, OUT wrong bigint, OUT network_parts numeric, OUT wrong_networks bigint,
	OUT topic_parts numeric, OUT wrong_topics bigint, OUT differing bigint)
LANGUAGE plpgsql AS $$
DECLARE
	found record;
	as_of CONSTANT timestamptz := '2024-12-25 00:00+00';
BEGIN
	EXECUTE format('SELECT influence_create_model(''m'', ''log'', tolerance => 1e-14, %s)', arguments);
	PERFORM influence_refresh('m', as_of => '2024-12-25 00:00+00');
	SELECT * INTO found FROM check_explained('m');
	parts := found.parts;
	wrong := found.wrong;
	SELECT * INTO found FROM compare_explained('m', as_of);
	differing := found.wrong + abs(found.parts - parts);
	IF arguments ~ 'network' THEN
		SELECT * INTO found FROM check_explained('m', 'network');
		network_parts := found.parts;
		wrong_networks := found.wrong;
		SELECT * INTO found FROM compare_explained('m', as_of, 'network_x', ', network => ''x''');
		differing := differing + found.wrong;
	END IF;
	IF arguments ~ 'topic' THEN
		SELECT * INTO found FROM check_explained('m', 'topic');
		topic_parts := found.parts;
		wrong_topics := found.wrong;
		IF arguments !~ 'wider' THEN
			SELECT * INTO found FROM compare_explained('m', as_of, 'topic_dogs', ', topic => ''dogs''');
			differing := differing + found.wrong;
		END IF;
	END IF;
	PERFORM influence_drop_model('m');
END
$$;
SELECT arguments, c.* FROM (VALUES
		($$ weight => NULL $$),
		($$ weight => 'weight', kind => 'kind' $$),
		($$ kind => 'kind', network => 'network', topic => 'topics', pair_weight => 'linear' $$),
		($$ network => 'network', topic => 'topics', restart => 'uniform', topic_parents => 'wider' $$),
		($$ at => 'at', network => 'network', topic => 'topics', restart => 'activity', damping => 0.85 $$),
		($$ weight => 'weight', at => 'at', half_life => '20 days', kind => 'kind', network => 'network', topic => 'topics',
			kind_weights => '{"spam": 0, "reply": 3.5}', network_weights => '{"x": 0.25, "": 9}' $$)) o(arguments),
	LATERAL check_log(arguments) c;

-- Other types of ids; supporters are of that type.
CREATE TABLE typed AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target,
	'it''s "user" ' || source || repeat(' \', source::int) AS source_text, 'it''s "user" ' || target || repeat(' \', target::int) AS target_text, kind, network, topics FROM log;
SELECT influence_create_model('uuids', 'typed', kind => 'kind', network => 'network', topic => 'topics'),
	influence_create_model('texts', 'typed', 'source_text', 'target_text', kind => 'kind', network => 'network', topic => 'topics'),
	influence_create_model('m', 'log', kind => 'kind', network => 'network', topic => 'topics');
SELECT sum(nodes) AS nodes FROM influence_models m, LATERAL influence_refresh(m.name) r;
SELECT m.name, facet, c.* FROM influence_models m, unnest('{NULL,network,topic}'::text[]) facet, LATERAL check_explained(m.name, facet) c ORDER BY 1, 2 NULLS FIRST;
SELECT count(*) AS differing FROM (SELECT md5(user_id::text)::uuid, network, kind, md5(supporter::text)::uuid, round(e.influence::numeric, 9)
	FROM m_scores s, LATERAL influence_explain(s.user_id, 'm') e
	EXCEPT ALL SELECT user_id, network, kind, supporter, round(e.influence::numeric, 9) FROM uuids_scores s, LATERAL influence_explain(s.user_id, 'uuids') e) d;
SELECT influence_drop_model('uuids'), influence_drop_model('texts');

-- It takes an integer, and can be joined and asked about anything.
SELECT count(*) > 0 AS found FROM influence_explain(3) e JOIN m_scores s ON s.user_id = e.supporter;
SELECT network, round(sum(share)::numeric, 2) AS share FROM influence_explain(3) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3;
-- explained is what is published, not what the interactions are now
CREATE TABLE before AS SELECT * FROM influence_explain(3);
DELETE FROM log WHERE target = 3;
SELECT count(*) AS differing FROM (TABLE before EXCEPT ALL SELECT * FROM influence_explain(3)) d;
ALTER TABLE log RENAME TO renamed;
SELECT count(*) AS differing FROM (TABLE before EXCEPT ALL SELECT * FROM influence_explain(3)) d;
ALTER TABLE renamed RENAME TO log;
SELECT nodes FROM influence_refresh();
SELECT count(*) FROM influence_explain(3);
SELECT count(*) AS differing FROM (TABLE before EXCEPT ALL SELECT * FROM influence_explain(3, run => 1)) d;

-- More than one row of the table for the edges of a partition: many reactions
-- to several users of one, whom the table itself tells.
CREATE TABLE crowd AS SELECT 'fan ' || i % 40 AS source, 'idol ' || i AS target, 1.5 AS weight FROM generate_series(1000, 1600) i;
SELECT influence_create_model('crowd', 'crowd', weight => 'weight');
SELECT nodes FROM influence_refresh('crowd');
CREATE TABLE neighbours AS SELECT DISTINCT target FROM crowd, crowd_graph WHERE section = 'ids' AND partition = 7 AND position(target::bytea IN data) > 0;
SELECT count(*) > 4 AS some FROM neighbours;
INSERT INTO crowd SELECT 'fan ' || i, target, 1 + i % 7 FROM neighbours, generate_series(1, 2500) i;
SELECT nodes > 3000 AS nodes FROM influence_refresh('crowd');
SELECT count(*) > 2 AS several_rows FROM crowd_graph WHERE run = 2 AND section = 'edges' AND partition = 7;
SELECT count(*) > 30 AS users, count(*) FILTER (WHERE abs(total - s.influence) > 1e-9 * s.influence OR supporters <> audience) AS wrong
FROM crowd_scores s, LATERAL (SELECT coalesce(sum(influence), 0) AS total, count(DISTINCT supporter) AS supporters FROM influence_explain(s.user_id, 'crowd')) e
WHERE user_id IN (SELECT target FROM neighbours) OR user_id LIKE 'fan 11__';
SELECT influence_drop_model('crowd');

-- What cannot be asked.
SELECT error_of('SELECT influence_explain(3, network => ''x'', topic => ''cats'')');
SELECT error_of('SELECT influence_explain(3, ''no such'')');
SELECT error_of('SELECT influence_explain(''3''::text)');
SELECT error_of('SELECT influence_explain(''00000000-0000-0000-0000-000000000000''::uuid)');
SELECT error_of('SELECT influence_explain(3, run => 9)');
SELECT error_of('SELECT influence_explain(3, run => -1)');
SELECT influence_create_model('fresh', 'log');
SELECT error_of('SELECT influence_explain(3)');
SELECT error_of('SELECT influence_explain(3, ''fresh'')');
SELECT influence_drop_model('fresh');

-- So many graphs are kept as the model says.
SELECT error_of($$ SELECT influence_create_model('bad', 'log', keep_graphs => -1) $$);
SELECT error_of($$ SELECT influence_alter_model('m', keep_graphs => 1001) $$);
CREATE FUNCTION kept() RETURNS bigint[] LANGUAGE sql AS $$ SELECT array_agg(DISTINCT run) FROM m_graph $$;
SELECT kept();
SELECT influence_alter_model('m', keep_graphs => 5);
SELECT run FROM generate_series(1, 4), LATERAL influence_refresh('m', as_of => now() - generate_series * interval '1 second') r;
SELECT kept();
SELECT influence_alter_model('m', keep_graphs => 1);
SELECT kept();
SELECT run FROM influence_refresh('m');
SELECT kept();
SELECT influence_alter_model('m', keep_graphs => 0);
SELECT count(*) > 0 AS still FROM influence_explain(5);
-- none: not even old ones, that explain no score
SELECT run FROM influence_refresh('m');
SELECT kept();
SELECT error_of('SELECT influence_explain(5)');
SELECT run FROM influence_rescale('m');
SELECT kept();
SELECT influence_alter_model('m', keep_graphs => 2);
SELECT run FROM influence_rescale('m');
SELECT kept();
SELECT * FROM check_explained('m', 'network');
-- a refresh that fails leaves the graphs as they were
INSERT INTO log (source, target, network) SELECT 1, 2, string_agg(md5(i::text), '') FROM generate_series(1, 200) i;
SELECT left(error_of('SELECT influence_refresh()'), 5), kept();
DELETE FROM log WHERE length(network) > 1000;
SELECT run FROM influence_refresh();

-- Privileges: to read the table of graphs, and no other.
CREATE ROLE regress_influence_explain;
GRANT USAGE ON SCHEMA model_explain TO regress_influence_explain;
GRANT SELECT ON m_scores, m_networks, m_history, log TO regress_influence_explain;
SET ROLE regress_influence_explain;
SELECT error_of('SELECT * FROM influence_explain(5)');
SELECT error_of('SELECT * FROM influence_explain(5, network => ''x'')');
SELECT error_of('SELECT * FROM influence_explain(4711)');
SELECT error_of('SELECT * FROM influence_changes(5)');
RESET ROLE;
REVOKE SELECT ON m_scores, m_networks, m_history, log FROM regress_influence_explain;
GRANT SELECT ON m_graph TO regress_influence_explain;
SET ROLE regress_influence_explain;
SELECT count(*) > 10 AS found FROM influence_explain(5);
SELECT count(*) > 10 AS found FROM influence_explain(5, network => 'x');
RESET ROLE;
-- a function with its owner's rights explains for others
CREATE FUNCTION explain_for_all(bigint) RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN count(*) FROM influence_explain($1, 'm'); END $$;
REVOKE SELECT ON m_graph FROM regress_influence_explain;
SET ROLE regress_influence_explain;
SELECT explain_for_all(5) > 10 AS found;
SELECT error_of('SELECT explain_for_all(5), influence_explain(5)');
RESET ROLE;
-- row security on it: what is hidden is not shown
GRANT SELECT ON m_graph TO regress_influence_explain;
ALTER TABLE m_graph ENABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_explain;
SELECT error_of('SELECT * FROM influence_explain(5)');
RESET ROLE;
CREATE POLICY runs ON m_graph FOR SELECT USING (run < (SELECT max(runs) FROM influence_models));
SET ROLE regress_influence_explain;
SELECT kept() = (SELECT array_agg(runs - 1) FROM influence_models) AS one_is_seen;
SELECT count(*) > 10 AS found FROM influence_explain(5);
SELECT error_of(format('SELECT * FROM influence_explain(5, run => %s)', runs)) FROM influence_models;
RESET ROLE;
ALTER POLICY runs ON m_graph USING (section <> 'edges');
SET ROLE regress_influence_explain;
SELECT substr(error_of('SELECT * FROM influence_explain(5)'), 1, 5);
RESET ROLE;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_explain CASCADE;
DROP ROLE regress_influence_explain;
