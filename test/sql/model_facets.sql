-- Networks and topics: each has the scores of a model of its own interactions.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_facets;
SET search_path = model_facets, public;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\i test/sql/include/facets.sql
\set ECHO all

-- By hand: 1 and 2 react to 3 in network x, 3 to 1 in network y; about a and b.
CREATE TABLE hand (source int, target int, network text, topic text[]);
INSERT INTO hand VALUES (1, 3, 'x', '{a}'), (2, 3, 'x', '{b,a}'), (3, 1, 'y', '{b}'), (1, 2, NULL, NULL);
SELECT influence_create_model('hand', 'hand', network => 'network', topic => 'topic', pair_weight => 'linear', restart => 'uniform', damping => 0);
SELECT nodes, edges FROM influence_refresh('hand');
-- ranks are 1/3 in network x, 1/2 in y
SELECT network, user_id, score, percentile, influence, audience, responses, activity FROM hand_networks ORDER BY 1, 2;
SELECT topic, user_id, score, round(influence::numeric, 9) AS influence, relevance, engagement, enthusiasm FROM hand_topics ORDER BY 1, 2;
SELECT facet, name, round(reference::numeric, 9) AS reference, round(c::numeric, 9) AS c FROM influence_scale ORDER BY 1, 2;
SELECT influence_drop_model('hand');
SELECT count(*) FROM influence_scale;

-- All that rows can say: topics twice, NULL among them, in several dimensions;
-- empty names, quotes, other scripts, a name too long for a page.
CREATE TABLE log AS
SELECT nullif((23 * noise('source', i) ^ 2)::int, 13)::bigint AS source,
	nullif((29 * noise('target', i) ^ 1.5)::int, 17)::bigint AS target,
	nullif(round((5 * noise('weight', i))::numeric, 1), 4.2) AS weight,
	timestamptz '2025-01-01 00:00+00' - noise('at', i) * interval '400 days' AS at,
	(ARRAY['like', 'reply', 'spam', NULL])[1 + floor(4 * noise('kind', i))::int] AS kind,
	(ARRAY['x', 'y', '', 'it''s a "network" \', NULL])[1 + floor(5 * noise('network', i) ^ 2)::int] AS network,
	(ARRAY['cats', 'dogs', '', 'it''s {a,"topic"} \', 'Größe 東京 🎉', repeat('long ', 2000), NULL])
		[1 + floor(7 * noise('topic', i) ^ 2)::int] AS topic,
	(ARRAY['{cats}', '{cats,dogs}', '{dogs,cats,dogs}', '{NULL,cats,NULL}', '{}', NULL, '{{fish,dogs},{birds,fish}}', '[-3:-2]={"",birds}',
		'{NULL}', '{"it''s {a,\"topic\"} \\","Größe 東京 🎉"}', ARRAY[repeat('long ', 2000), 'cats']::text])
		[1 + floor(11 * noise('topics', i) ^ 1.5)::int]::text[] AS topics
FROM generate_series(1, 600) i;
CREATE FUNCTION check_log(arguments text, independent int = 0,
	OUT networks bigint, OUT network_rows bigint, OUT wrong_networks bigint,
	OUT topics bigint, OUT topic_rows bigint, OUT wrong_topics bigint, OUT wrong_scales bigint, OUT wrong_columns bigint)
LANGUAGE plpgsql AS $$
DECLARE
	found record;
	topic text;
BEGIN
	EXECUTE format('SELECT influence_create_model(''m'', ''log'', network => ''network'', keep_graphs => 0, tolerance => 1e-14, %s)', arguments);
	PERFORM influence_refresh('m', as_of => '2024-12-25 00:00+00');
	SELECT * INTO found FROM compare_facets('m', '2024-12-25 00:00+00', NULL, independent);
	networks := found.facets;
	network_rows := found.published;
	wrong_networks := found.wrong;
	wrong_scales := found.wrong_scales;
	topic := (SELECT m.topic FROM influence_models m WHERE name = 'm');
	IF topic IS NOT NULL THEN
		SELECT * INTO found FROM compare_facets('m', '2024-12-25 00:00+00', CASE topic WHEN 'topic' THEN 'ARRAY[topic]' ELSE topic END, independent);
		topics := found.facets;
		topic_rows := found.published;
		wrong_topics := found.wrong;
		wrong_scales := wrong_scales + found.wrong_scales;
		wrong_columns := wrong_topic_columns('m_topics');
	END IF;
	PERFORM influence_drop_model('m');
END
$$;
SELECT * FROM check_log($$ topic => 'topic' $$, 1);
SELECT * FROM check_log($$ topic => 'topics' $$, 1);
SELECT arguments, c.* FROM (VALUES ($$ weight => 'weight', topic => 'topics', restart => 'activity' $$),
		($$ at => 'at', topic => 'topics', restart => 'uniform', damping => 0.85 $$),
		($$ at => 'at', half_life => '20 days', topic => 'topic', pair_weight => 'linear' $$),
		($$ kind => 'kind', kind_weights => '{"spam": 0, "reply": 3.5}', topic => 'topics', pair_weight => 'linear', restart => 'activity' $$),
		($$ weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"like": 0.5}', network_weights => '{"x": 2, "": 0}',
			topic => 'topics', pair_weight => 'linear', restart => 'uniform', damping => 0 $$)) o(arguments),
	LATERAL check_log(arguments, 1) c;
-- without topics; and of a network that nothing is left of there are no rows
SELECT * FROM check_log($$ network_weights => '{"x": 0}' $$);

-- An interaction counts once in the whole, however many topics it has.
SELECT influence_create_model('plain', 'log'), influence_create_model('m', 'log', kind => 'kind', network => 'network', topic => 'topics');
SELECT nodes, edges, changed FROM influence_refresh('plain');
SELECT nodes, edges, changed FROM influence_refresh('m');
SELECT count(*) AS differing FROM (SELECT user_id, score, percentile, influence, audience, responses, activity FROM plain_scores EXCEPT
	SELECT user_id, score, percentile, influence, audience, responses, activity FROM m_scores) d;

-- A name that is too long for the index of its table.
INSERT INTO log (source, target, topics) SELECT 1, 2, ARRAY[string_agg(md5(i::text), '')] FROM generate_series(1, 200) i;
SELECT left(error_of($$ SELECT influence_refresh('m') $$), 5);
-- nothing has changed
SELECT runs, count(*) > 0 AS rows FROM influence_models, m_topics WHERE name = 'm' GROUP BY 1;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_facets CASCADE;
