-- influence_campaign against influence_maximize on a graph value of the same
-- pairs, and against simulations.
SET client_min_messages = warning;
CREATE SCHEMA model_campaign;
SET search_path = model_campaign, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\i test/sql/include/people.sql
\set ECHO all

SELECT make_log(200, 1500);
INSERT INTO log VALUES (1, NULL, 1, NULL, NULL), (1, 1, 1, 'forum', '{film}');
SELECT influence_create_model('m', 'log', weight => 'weight', network => 'network', topic => 'topic', keep_graphs => 1);
SELECT error_of($$SELECT influence_campaign('m', 3)$$);
SELECT nodes > 180 AS many FROM influence_refresh();

-- The same graph, its nodes numbered as in the one that is kept: it must draw
-- the same samples, and so all numbers are the same.
CREATE TABLE numbering AS SELECT number, id::bigint AS user_id FROM node_numbers('m');
SELECT count(*) = count(DISTINCT user_id) AS distinct, count(*) = count(s.user_id) AS all_known,
	count(*) = (SELECT count(*) FROM m_scores) AS complete, min(number) AS first
FROM numbering n LEFT JOIN m_scores s USING (user_id);
CREATE FUNCTION numbers(users bigint[]) RETURNS bigint[] LANGUAGE sql STABLE AS $$
	SELECT array_agg(coalesce(n.number, 1000000 + i) ORDER BY i) FROM unnest(users) WITH ORDINALITY u (user_id, i) LEFT JOIN numbering n USING (user_id)
$$;
CREATE TABLE graph AS
SELECT network, topic, influence_graph_agg(s.number, t.number, weight) AS g
FROM facet, LATERAL pairs(network, topic) p, numbering s, numbering t
WHERE s.user_id = p.source AND t.user_id = p.target GROUP BY network, topic;

-- Rows of a campaign, and those that are not the ones of influence_maximize.
CREATE FUNCTION differing(network text, topic text, size int, cascade text = 'weighted', probability float8 = NULL,
	candidates bigint[] = NULL, costs float8[] = NULL, budget float8 = NULL, exclude bigint[] = NULL, epsilon float8 = 0.1,
	OUT seeds bigint, OUT differing bigint, OUT total_cost float8) LANGUAGE sql AS $$
	SELECT count(c.position), count(*) FILTER (WHERE (n.number, c.cost, c.gain, c.spread, c.spread_lower, c.optimum_upper)
			IS DISTINCT FROM (m.node, m.cost, m.gain, m.spread, m.spread_lower, m.optimum_upper)), sum(c.cost)
	FROM (SELECT * FROM influence_campaign('m', size, topic, network, budget, candidates, costs, exclude, cascade, probability, epsilon, seed => 5)) c
		FULL JOIN (SELECT m.* FROM graph f, influence_maximize(g, size, cascade, probability, epsilon, candidates => numbers(candidates), costs => costs,
				budget => budget, active => numbers(exclude), seed => 5) m
			WHERE (f.network, f.topic) IS NOT DISTINCT FROM ($1, $2)) m USING (position)
		LEFT JOIN numbering n USING (user_id)
$$;
CREATE TABLE cascade (cascade text, probability float8);
INSERT INTO cascade VALUES ('weighted', NULL), ('threshold', NULL), ('uniform', 0.1);
SELECT f.*, cascade, d.* FROM facet f, cascade c, differing(network, topic, 10, cascade, probability) d ORDER BY facet, cascade;
-- who is invited already
CREATE TABLE invited AS SELECT user_id FROM influence_campaign('m', 4);
SELECT f.*, cascade, d.*
FROM facet f, cascade c, differing(network, topic, 10, cascade, probability, exclude => (SELECT array_agg(user_id) || '{-1}' FROM invited)) d
ORDER BY facet, cascade;
-- candidates, some of them more than once, excluded, or in no graph
CREATE TABLE contact AS
SELECT i AS id, CASE WHEN i % 20 = 0 THEN -i ELSE i * 7919::bigint - 100000 END AS user_id, (1 + 9 * noise('cost', i))::int / 2.0::float8 AS cost
FROM generate_series(1, 100) i;
SELECT f.*, cascade, d.*
FROM facet f, cascade c, differing(network, topic, 10, cascade, probability, (SELECT array_agg(user_id) || array_agg(user_id) FROM contact)) d
ORDER BY facet, cascade;
-- costs and a budget, with and without a number
SELECT f.*, cascade, d.*, total_cost <= 12.5 AS affordable
FROM facet f, cascade c, differing(network, topic, NULL, cascade, probability, (SELECT array_agg(user_id ORDER BY id) FROM contact),
	(SELECT array_agg(cost ORDER BY id) FROM contact), 12.5, (SELECT array_agg(user_id) FROM invited)) d
ORDER BY facet, cascade;
SELECT f.*, d.*
FROM facet f, differing(network, topic, 3, candidates => (SELECT array_agg(user_id ORDER BY id) FROM contact),
	costs => (SELECT array_agg(cost ORDER BY id) FROM contact), budget => 12.5) d
ORDER BY facet;
SELECT * FROM differing(NULL, NULL, 5, budget => 3.5);
SELECT * FROM differing(NULL, NULL, 5, epsilon => 0.05);

-- The model's own columns: what is published.
SELECT f.*, count(*) AS seeds, count(*) FILTER (WHERE c.score IS DISTINCT FROM influence_score(user_id, 'm', f.network, f.topic)) AS other_scores,
	count(*) FILTER (WHERE c.relevance IS DISTINCT FROM t.relevance) AS other_relevance, count(c.relevance) AS relevance
FROM facet f, influence_campaign('m', 60, f.topic, f.network) c LEFT JOIN m_topics t USING (user_id)
WHERE t.topic IS NOT DISTINCT FROM f.topic OR f.topic IS NULL AND t.topic = 'film'
GROUP BY facet, f.network, f.topic ORDER BY facet;

-- Simulations on the graph by ids agree, however nodes are numbered.
CREATE TABLE by_id AS SELECT facet, network, topic, influence_graph_agg(source, target, weight) AS g FROM facet, LATERAL pairs(network, topic) GROUP BY facet, network, topic;
SELECT f.network, f.topic, cascade, abs(c.spread - s.spread) < 0.05 * s.spread AS alike, c.lower <= s.spread + 4 * s.standard_error AS lower,
	c.upper >= s.spread - 4 * s.standard_error AS upper, c.lower / c.upper > 1 - exp(-1) - 0.1 AS certain
FROM by_id f, cascade, LATERAL (SELECT array_agg(user_id) AS users, max(spread) AS spread, max(spread_lower) AS lower, max(optimum_upper) AS upper
		FROM influence_campaign('m', 8, f.topic, f.network, cascade => cascade, probability => probability)) c,
	influence_spread(g, c.users, cascade, probability, 2000, 3) s
ORDER BY facet, cascade;
-- The same choice is made where it is clear, and chosen one after the other.
SELECT max(spread) - sum(gain) < 1e-9 AS sum, bool_and(spread_lower <= spread AND spread_lower <= optimum_upper) AS bounds,
	count(DISTINCT user_id) = 20 AS distinct FROM influence_campaign('m', 20);

-- Who is invited already is not chosen, and whom they reach is not gained.
SELECT count(*) FROM influence_campaign('m', 50, exclude => (SELECT array_agg(user_id) FROM invited)) WHERE user_id IN (SELECT * FROM invited);
SELECT f.network, f.topic, abs(c.spread - (together.spread - before.spread)) < 0.05 * together.spread AS alike, c.spread < alone.spread AS less
FROM by_id f, (SELECT array_agg(user_id) AS users FROM invited) i,
	LATERAL (SELECT array_agg(user_id) AS users, max(spread) AS spread FROM influence_campaign('m', 5, f.topic, f.network, exclude => i.users)) c,
	influence_spread(g, i.users || c.users, simulations => 2000, seed => 1) together, influence_spread(g, i.users, simulations => 2000, seed => 2) before, influence_spread(g, c.users, simulations => 2000, seed => 3) alone
ORDER BY facet;
SELECT count(*) FROM influence_campaign('m', 3, exclude => (SELECT array_agg(user_id) FROM m_scores));

-- Nobody, nothing, nowhere; NULLs in lists.
SELECT count(*) FROM influence_campaign('m', 3, candidates => '{}');
SELECT count(*) FROM influence_campaign('m', 3, candidates => '{-1,-2,NULL}');
SELECT count(*) FROM influence_campaign('m', 3, 'no such topic');
SELECT count(*) FROM influence_campaign('m', 3, network => 'no such network');
SELECT count(*) FROM influence_campaign('m', 3, budget => 0.5);
SELECT count(*), min(user_id) = (SELECT min(user_id) FROM invited) AS same
FROM influence_campaign('m', 3, candidates => (SELECT array_agg(user_id) || '{NULL}' FROM (SELECT min(user_id) AS user_id FROM invited) i), exclude => '{NULL}');
-- candidates without edges in the network
SELECT count(*) FROM influence_campaign('m', 3, network => 'photo', candidates => (SELECT array_agg(user_id) FROM m_scores
	WHERE NOT EXISTS (SELECT FROM m_networks n WHERE n.user_id = m_scores.user_id AND network = 'photo')));

-- The same whatever the number of workers.
SET max_parallel_maintenance_workers = 2;
CREATE TABLE by_workers AS SELECT cascade, c.* FROM cascade, influence_campaign('m', 10, cascade => cascade, probability => probability, seed => 9) c;
SET max_parallel_maintenance_workers = 0;
CREATE TABLE alone AS SELECT cascade, c.* FROM cascade, influence_campaign('m', 10, cascade => cascade, probability => probability, seed => 9) c;
SELECT count(*) AS rows, count(*) FILTER (WHERE w::text IS DISTINCT FROM a::text) AS differing FROM by_workers w FULL JOIN alone a USING (cascade, position);
RESET max_parallel_maintenance_workers;
SELECT count(DISTINCT spread) > 1 AS other_seed_differs FROM generate_series(1, 4) s, influence_campaign('m', 1, seed => s);

-- What memory does not allow is refused.
CREATE TABLE many AS SELECT i AS source, 1::bigint + i % 7 * 10000000 AS target FROM generate_series(2::bigint, 50000) i;
SELECT influence_create_model('many', 'many');
SELECT nodes FROM influence_refresh('many');
SET maintenance_work_mem = '1MB';
SELECT error_of($$SELECT influence_campaign('many', 3)$$);
RESET maintenance_work_mem;
SELECT count(*), round(max(spread)) AS spread FROM influence_campaign('many', 7);
SELECT influence_drop_model('many');

-- Errors.
SELECT error_of($$SELECT influence_campaign('m', 0)$$);
SELECT error_of($$SELECT influence_campaign('m')$$);
SELECT error_of($$SELECT influence_campaign('no such model', 1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, 'film', 'forum')$$);
SELECT error_of($$SELECT influence_campaign('m', 1, cascade => 'weights')$$);
SELECT error_of($$SELECT influence_campaign('m', 1, cascade => 'viral')$$);
SELECT error_of($$SELECT influence_campaign('m', 1, cascade => 'uniform')$$);
SELECT error_of($$SELECT influence_campaign('m', 1, probability => 0.5)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, epsilon => 1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, delta => 'NaN')$$);
SELECT error_of($$SELECT influence_campaign('m', 1, budget => -1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, costs => '{1}', budget => 1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, candidates => '{1}', costs => '{1}')$$);
SELECT error_of($$SELECT influence_campaign('m', 1, candidates => '{1,2}', costs => '{1}', budget => 1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, candidates => '{1,NULL}', costs => '{1,2}', budget => 1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, candidates => '{1,2}', costs => '{1,-2}', budget => 1)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, candidates => (SELECT array_agg(user_id) || array_agg(user_id) FROM invited), costs => '{1,1,1,1,1,1,1,2}', budget => 1)$$)
	~ '^22023 candidate -?\d+ has two costs, 1 and 2$' AS two_costs;
SELECT error_of($$SELECT influence_campaign('m', 1, key => NULL::uuid)$$);
SELECT error_of($$SELECT influence_campaign('m', 1, key => NULL::text, exclude => '{1}')$$);

-- uuid and text: other numbers for the same people.
CREATE FUNCTION uuid_of(id bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT md5(id::text)::uuid $$;
CREATE FUNCTION text_of(id bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT repeat('ü', 1 + id::int & 3) || id $$;
CREATE TABLE log_uuid AS SELECT uuid_of(source) AS source, uuid_of(target) AS target, weight, network, topic FROM log;
CREATE TABLE log_text AS SELECT text_of(source) AS source, text_of(target)::varchar AS target, weight, network, topic FROM log;
SELECT influence_create_model('uuids', 'log_uuid', weight => 'weight', network => 'network', topic => 'topic');
SELECT influence_create_model('texts', 'log_text', weight => 'weight', network => 'network', topic => 'topic');
SELECT nodes > 180 AS many FROM influence_refresh('uuids');
SELECT nodes > 180 AS many FROM influence_refresh('texts');
CREATE TABLE typed AS
SELECT 'uuids' AS model, u.user_id, n.number FROM node_numbers('uuids') n, numbering u WHERE n.id = uuid_of(u.user_id)::text
UNION ALL SELECT 'texts', u.user_id, n.number FROM node_numbers('texts') n, numbering u WHERE n.id = text_of(u.user_id);
SELECT model, count(*) = (SELECT count(*) FROM numbering) AS all FROM typed GROUP BY model ORDER BY model;
CREATE VIEW list AS SELECT array_agg(user_id ORDER BY id) AS candidates, array_agg(uuid_of(user_id) ORDER BY id) AS uuids, array_agg(text_of(user_id) ORDER BY id) AS texts,
	array_agg(cost ORDER BY id) AS costs FROM contact;
CREATE VIEW guest AS SELECT array_agg(user_id) AS users, array_agg(uuid_of(user_id)) AS uuids, array_agg(text_of(user_id)) AS texts FROM invited;
CREATE TABLE campaign AS
SELECT 'uuids' AS model, f.network, f.topic, c.position, c.score, c.relevance, c.cost, c.gain, c.spread, c.spread_lower, c.optimum_upper, t.number
FROM facet f, list, guest, influence_campaign('uuids', 6, NULL::uuid, f.topic, f.network, 15, list.uuids, list.costs, guest.uuids) c
	LEFT JOIN typed t ON uuid_of(t.user_id) = c.user_id AND t.model = 'uuids'
UNION ALL SELECT 'texts', f.network, f.topic, c.position, c.score, c.relevance, c.cost, c.gain, c.spread, c.spread_lower, c.optimum_upper, t.number
FROM facet f, list, guest, influence_campaign('texts', 6, key => NULL::text, topic => f.topic, network => f.network, budget => 15, candidates => list.texts,
		costs => list.costs, exclude => guest.texts) c
	LEFT JOIN typed t ON text_of(t.user_id) = c.user_id AND t.model = 'texts';
CREATE TABLE typed_graph AS
SELECT s.model, network, topic, influence_graph_agg(s.number, t.number, weight) AS g
FROM facet, LATERAL pairs(network, topic) p, typed s, typed t WHERE s.user_id = p.source AND t.user_id = p.target AND s.model = t.model GROUP BY 1, 2, 3;
SELECT g.model, g.network, g.topic, count(*) AS seeds, count(*) FILTER (WHERE (c.number, c.cost, c.gain, c.spread, c.spread_lower, c.optimum_upper)
	IS DISTINCT FROM (m.node, m.cost, m.gain, m.spread, m.spread_lower, m.optimum_upper)) AS differing,
	count(*) FILTER (WHERE c.score IS DISTINCT FROM influence_score(u.user_id, 'm', g.network, g.topic)) AS other_scores
FROM typed_graph g CROSS JOIN list CROSS JOIN guest CROSS JOIN
	LATERAL influence_maximize(g, 6, candidates => ARRAY(SELECT coalesce(t.number, 1000000 + i) FROM unnest(list.candidates) WITH ORDINALITY u (user_id, i)
			LEFT JOIN typed t ON t.user_id = u.user_id AND t.model = g.model ORDER BY i),
		costs => list.costs, budget => 15, active => ARRAY(SELECT t.number FROM typed t WHERE t.model = g.model AND t.user_id = ANY (guest.users))) m
	LEFT JOIN campaign c ON c.model = g.model AND (c.network, c.topic) IS NOT DISTINCT FROM (g.network, g.topic) AND c.position = m.position
	LEFT JOIN typed u ON u.model = g.model AND u.number = c.number
GROUP BY 1, 2, 3 ORDER BY g.model, g.network COLLATE "C" NULLS FIRST, g.topic COLLATE "C" NULLS FIRST;
SELECT pg_typeof(user_id) FROM influence_campaign('uuids', 1, NULL::uuid);
SELECT error_of($$SELECT influence_campaign('texts', 1, NULL::text)$$);
SELECT pg_typeof(user_id) FROM influence_campaign('texts', 1, key => NULL::text);
SELECT pg_typeof(user_id) FROM influence_campaign('texts', 1, key => NULL::varchar, topic => 'film');
SELECT pg_typeof(user_id), relevance IS NOT NULL AS relevance FROM influence_campaign('m', 1, 'film');
SELECT error_of($$SELECT influence_campaign('uuids', 1)$$);
SELECT error_of($$SELECT influence_campaign('texts', 1, key => NULL::uuid)$$);
-- with several models one is named, or the default
SELECT error_of($$SELECT influence_campaign(NULL, 1)$$);
SELECT influence_set_default('m');
SELECT count(*) FROM influence_campaign(size => 2);

-- Columns of other types.
BEGIN;
ALTER TABLE m_scores ALTER score TYPE float8;
ALTER TABLE m_topics ALTER relevance TYPE text;
SELECT bool_and(c.score = s.score) AS same FROM influence_campaign('m', 5) c JOIN m_scores s USING (user_id);
SELECT bool_and(c.relevance = t.relevance::real) AS same FROM influence_campaign('m', 5, 'film') c JOIN m_topics t USING (user_id) WHERE t.topic = 'film';
ROLLBACK;

-- Graphs that are not kept, and none of the last refresh.
SELECT influence_alter_model('m', keep_graphs => 0);
SELECT changed FROM influence_refresh('m');
SELECT error_of($$SELECT influence_campaign('m', 1)$$);
SELECT influence_alter_model('uuids', reset => '{topic}');
SELECT error_of($$SELECT influence_campaign('uuids', 1, NULL::uuid, topic => 'film')$$);

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_campaign CASCADE;
