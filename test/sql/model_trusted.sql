-- The rule restart => 'trusted': odd graphs and facets, compared with the
-- reference, and the figures of a made-up community computed elsewhere.
SET client_min_messages = warning;
CREATE SCHEMA model_trusted;
SET search_path = model_trusted, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/community.sql
\set ECHO all

-- Graphs as text: who reacted to whom, how often.
CREATE TABLE odd (source int, target int, weight float8);
CREATE FUNCTION check_odd(graph text, OUT users bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	found record;
BEGIN
	TRUNCATE odd;
	INSERT INTO odd SELECT split_part(pair, '>', 1)::int, split_part(split_part(pair, '>', 2), ':', 1)::int,
		coalesce(nullif(split_part(pair, ':', 2), ''), '1')::float8
	FROM regexp_split_to_table(graph, ',') pair WHERE pair <> '';
	PERFORM influence_create_model('odd', 'odd', weight => 'weight', restart => 'trusted', tolerance => 1e-14);
	PERFORM influence_refresh('odd');
	found := compare('odd');
	users := found.published;
	wrong := found.wrong + abs(found.expected - found.published);
	PERFORM influence_drop_model('odd');
END
$$;
SELECT kind, c.* FROM (VALUES
	('one pair', '1>2'), ('mutual', '1>2,2>1'), ('mutual, uneven', '1>2:1e9,2>1:1e-9'),
	('nobody reacted to reacts', '1>9,2>9,3>8'), ('a chain', '1>2,2>3,3>4'),
	('a ring', '1>2,2>3,3>1'), ('all with all', '1>2,2>1,1>3,3>1,2>3,3>2'), ('a star', '1>9,2>9,3>9,9>1,9>2,9>3'),
	('out of a star', '9>1,9>2,9>3'), ('two worlds', '1>2,2>1,3>4,4>5,5>3,6>4'),
	('a club nobody is in', '1>8:5,2>8:3,3>9:7,8>9,9>8'), ('weights of all sizes', '1>2:1e-100,2>3:1e300,3>1:1,1>3:1e-5')) o(kind, graph),
	LATERAL check_odd(graph) c;
SELECT check_odd('');

-- Networks and topics have it by themselves: as a model of their rows alone.
CREATE TABLE mixed AS
SELECT (60 * noise('source', i) ^ 2)::bigint AS source, (60 * noise('target', i) ^ 1.5)::bigint AS target,
	(ARRAY['a', 'b', 'c'])[1 + floor(3 * noise('network', i))::int] AS network,
	(ARRAY['x', 'y'])[1 + floor(2 * noise('topic', i))::int] AS topic
FROM generate_series(1, 900) i;
CREATE VIEW alone AS SELECT * FROM mixed WHERE network = 'b';
SELECT influence_create_model('mixed', 'mixed', network => 'network', topic => 'topic', restart => 'trusted', tolerance => 1e-14);
SELECT influence_create_model('alone', 'alone', restart => 'trusted', tolerance => 1e-14);
SELECT nodes, converged FROM influence_refresh('mixed');
SELECT nodes, converged FROM influence_refresh('alone');
SELECT * FROM compare('mixed');
SELECT count(*) AS users, count(*) FILTER (WHERE a.user_id IS NULL OR b.user_id IS NULL OR a.audience <> b.audience
	OR differs(a.influence, b.influence, 1e-9) OR differs(a.score, b.score, 1e-5)) AS differing
FROM (SELECT * FROM mixed_networks WHERE network = 'b') a FULL JOIN alone_scores b USING (user_id);

-- A community of 5,000.
SELECT community('events');
SELECT count(*) AS events, count(DISTINCT (source, target)) AS pairs FROM events;
SELECT influence_create_model('community', 'events', at => 'at', restart => 'trusted', tolerance => 1e-12);
SELECT nodes, edges FROM influence_refresh('community', as_of => '2025-01-01 UTC');
SELECT abs(reference - 83.62724580) < 1e-6 AS reference, abs(c - 0.0996669510) < 1e-8 AS c FROM influence_models WHERE name = 'community';
SELECT user_id, round(influence::numeric, 5) AS influence FROM community_scores ORDER BY score DESC LIMIT 5;
SELECT user_id, round(responses::numeric, 5) AS responses, round(influence::numeric, 6) AS influence, round(score::numeric, 4) AS score
FROM community_scores WHERE user_id IN (3177, 2970, 1808, 3532, 3018) ORDER BY 2;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_trusted CASCADE;
