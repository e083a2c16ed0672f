-- influence_influencers_of against Gaussian elimination.
SET client_min_messages = warning;
CREATE SCHEMA model_influencers;
SET search_path = model_influencers, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\i test/sql/include/people.sql
\set ECHO all

SELECT make_log(32, 180);
INSERT INTO log VALUES (1, NULL, 1, NULL, NULL), (1, 1, 1, 'forum', '{film}');
SELECT influence_create_model('m', 'log', weight => 'weight', network => 'network', topic => 'topic', max_iterations => 500);
SELECT nodes > 28 AS many FROM influence_refresh();

-- By hand: 1 and 2 are the segment.  Half of 1's attention goes to 3, half to
-- 4, all of 2's to 3, all of 3's to 4.  If nobody's attention is passed on, 3
-- has three fourths of it.
CREATE TABLE small (source int, target int);
INSERT INTO small VALUES (1, 3), (1, 4), (2, 3), (3, 4), (5, 6);
SELECT influence_create_model('small', 'small', pair_weight => 'linear');
SELECT nodes, edges FROM influence_refresh('small');
SELECT position, user_id, attention, direct, score = influence_score(user_id, 'small') AS score FROM influence_influencers_of('small', '{1,2}'::bigint[], damping => 0);
-- if half of it is: x1 = x2 = a, x3 = (a/2 + a)/2, so 3 receives 3/2 a, and 4 a/2 + 3/4 a
SELECT position, user_id, round(attention::numeric, 6) AS attention, direct FROM influence_influencers_of('small', '{1,2}'::bigint[], damping => 0.5);
SELECT round(6 / 11.0, 6) AS three, round(5 / 11.0, 6) AS four;
-- unknown, twice, NULL; nobody at all; who reacts to nobody
SELECT user_id, round(attention::numeric, 6) AS attention, direct FROM influence_influencers_of('small', '{2,1,2,NULL,77,1}'::bigint[]);
SELECT count(*) FROM influence_influencers_of('small', '{}'::bigint[]);
SELECT count(*) FROM influence_influencers_of('small', '{77,NULL}'::bigint[]);
SELECT count(*) FROM influence_influencers_of('small', NULL::bigint[]);
SELECT count(*) FROM influence_influencers_of('small', '{4}'::bigint[]);
SELECT user_id, attention, direct FROM influence_influencers_of('small', '{4,5}'::bigint[]);
SELECT position, user_id FROM influence_influencers_of('small', '{1,2}'::bigint[], 1);

-- The reference: x = d (P'x + dangling q) + (1 - d) q in the facet's graph, q
-- on the segment; what everybody receives of it, as parts of 1.
CREATE FUNCTION expected(segment bigint[], network text, topic text, damping float8)
RETURNS TABLE (user_id bigint, attention float8, direct bigint) LANGUAGE plpgsql AS $$
DECLARE
	n int;
	x float8[];
BEGIN
	segment := array_remove(segment, NULL);
	DROP TABLE IF EXISTS pg_temp.edge, pg_temp.node;
	CREATE TEMP TABLE edge AS SELECT source, target, weight / sum(weight) OVER (PARTITION BY source) AS share FROM pairs(network, topic);
	CREATE TEMP TABLE node AS SELECT v, row_number() OVER (ORDER BY v)::int AS i, (v = ANY (segment))::int::float8 AS q,
		v NOT IN (SELECT source FROM edge) AS dangling FROM (SELECT source AS v FROM edge UNION SELECT target FROM edge) u;
	UPDATE node SET q = q / (SELECT sum(q) FROM node) WHERE (SELECT sum(q) FROM node) > 0;
	SELECT count(*) INTO n FROM node;
	IF (SELECT sum(q) FROM node) = 0 THEN RETURN; END IF;
	SELECT solve(n, array_agg((v.i = u.i)::int - damping * (CASE WHEN u.dangling THEN v.q ELSE coalesce(e.share, 0) END) ORDER BY v.i, u.i),
		(SELECT array_agg((1 - damping) * q ORDER BY i) FROM node)) INTO x
	FROM node u CROSS JOIN node v LEFT JOIN edge e ON e.source = u.v AND e.target = v.v;
	RETURN QUERY SELECT e.target, sum(x[u.i] * e.share) / sum(sum(x[u.i] * e.share)) OVER (), count(*) FILTER (WHERE e.source = ANY (segment))
		FROM edge e JOIN node u ON u.v = e.source GROUP BY e.target HAVING sum(x[u.i] * e.share) > 0;
END
$$;
CREATE FUNCTION differing(segment bigint[], network text, topic text, damping float8, OUT rows bigint, OUT differing bigint, OUT ordered boolean) LANGUAGE sql AS $$
	WITH found AS (SELECT i.*, lag(i.attention) OVER (ORDER BY position) AS before FROM influence_influencers_of('m', segment, 1000, network, topic, damping) i)
	SELECT count(f.user_id), count(*) FILTER (WHERE f.user_id IS NULL OR e.user_id IS NULL AND f.attention > 1e-9 OR f.direct <> coalesce(e.direct, 0)
			OR abs(f.attention - coalesce(e.attention, 0)) > 1e-6 OR f.score IS DISTINCT FROM influence_score(user_id, 'm', $2, $3)),
		bool_and(before IS NULL OR before >= f.attention) AND count(DISTINCT position) = max(position)
	FROM found f FULL JOIN (SELECT * FROM expected($1, $2, $3, coalesce($4, 0.5)) e WHERE attention > 1e-9) e USING (user_id)
$$;
CREATE TABLE segment AS
SELECT 1 AS segment, array_agg(user_id) AS users FROM m_scores WHERE user_id % 3 = 0
UNION ALL SELECT 2, array_agg(user_id) || '{-7,NULL}' FROM m_scores WHERE user_id % 10 = 1
UNION ALL SELECT 3, array_agg(user_id) FROM m_scores
UNION ALL SELECT 4, (SELECT array_agg(user_id) FROM (SELECT user_id FROM m_scores WHERE activity > 0 ORDER BY score DESC LIMIT 1) s);
SELECT segment, facet, network, topic, damping, rows, differing, ordered
FROM segment, facet, unnest('{NULL,0,0.9}'::float8[]) damping, differing(users, network, topic, damping)
WHERE segment < 3 OR facet IN (1, 4) ORDER BY segment, facet, damping NULLS FIRST;
-- the first of a longer list
SELECT bool_and(a IS NOT DISTINCT FROM b) AS same, count(*) FROM segment, LATERAL influence_influencers_of('m', users, 5) a
	JOIN LATERAL influence_influencers_of('m', users, 12) b USING (position) WHERE segment = 1;
SELECT count(*) FROM segment, influence_influencers_of('m', users) WHERE segment = 1;
-- nothing is reacted to in a network or topic that there is not
SELECT count(*) FROM segment, influence_influencers_of('m', users, topic => 'no such') WHERE segment = 1;
SELECT count(*) FROM segment, influence_influencers_of('m', users, network => '') WHERE segment = 1;
-- members without edges in the topic do not count, but are no error
SELECT count(*) FROM influence_influencers_of('m', (SELECT array_agg(user_id) FROM m_scores
	WHERE NOT EXISTS (SELECT FROM m_topics t WHERE t.user_id = m_scores.user_id AND topic = 'film')), topic => 'film');

-- uuid and text
CREATE FUNCTION uuid_of(id bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT md5(id::text)::uuid $$;
CREATE TABLE log_uuid AS SELECT uuid_of(source) AS source, uuid_of(target) AS target, weight, topic FROM log;
CREATE TABLE log_text AS SELECT 'ü' || source AS source, ('ü' || target)::varchar AS target, weight, network FROM log;
SELECT influence_create_model('uuids', 'log_uuid', weight => 'weight', topic => 'topic'), influence_create_model('texts', 'log_text', weight => 'weight', network => 'network');
SELECT nodes > 28 AS many FROM influence_refresh('uuids');
SELECT nodes > 28 AS many FROM influence_refresh('texts');
SELECT count(*) > 10 AS many, count(*) FILTER (WHERE b.user_id IS NULL OR u.user_id IS NULL OR b.direct <> u.direct OR abs(b.attention - u.attention) > 1e-9 OR abs(b.score - u.score) > 1e-4) AS differing
FROM (SELECT i.* FROM segment, influence_influencers_of('m', users, 100, topic => 'film') i WHERE segment = 1) b
	FULL JOIN (SELECT i.* FROM segment, influence_influencers_of('uuids', ARRAY(SELECT uuid_of(u) FROM unnest(users) u), 100, topic => 'film') i WHERE segment = 1) u
	ON u.user_id = uuid_of(b.user_id);
SELECT count(*) > 10 AS many, count(*) FILTER (WHERE b.user_id IS NULL OR t.user_id IS NULL OR b.direct <> t.direct OR abs(b.attention - t.attention) > 1e-9 OR abs(b.score - t.score) > 1e-4) AS differing
FROM (SELECT i.* FROM segment, influence_influencers_of('m', users, 100, network => 'forum') i WHERE segment = 1) b
	FULL JOIN (SELECT i.* FROM segment, influence_influencers_of('texts', ARRAY(SELECT 'ü' || u FROM unnest(users) u), 100, 'forum') i WHERE segment = 1) t
	ON t.user_id = 'ü' || b.user_id;

-- Errors.
SELECT error_of($$SELECT influence_influencers_of('no such model', '{1}'::bigint[])$$);
SELECT error_of($$SELECT influence_influencers_of('m', '{1}'::int[])$$);
SELECT error_of($$SELECT influence_influencers_of('uuids', '{1}'::text[])$$);
SELECT error_of(format($$SELECT influence_influencers_of('m', '{1}'::bigint[], %L)$$, size)) FROM unnest('{0,-1,NULL}'::int[]) size;
SELECT error_of(format($$SELECT influence_influencers_of('m', '{1}'::bigint[], damping => %L)$$, damping)) FROM unnest('{-0.1,1,NaN,Infinity}'::float8[]) damping;
SELECT error_of($$SELECT influence_influencers_of('m', '{1}'::bigint[], 1, 'forum', 'film')$$);
SELECT influence_create_model('fresh', 'small');
SELECT error_of($$SELECT influence_influencers_of('fresh', '{1}'::bigint[])$$);
-- ranks that do not converge
SELECT influence_alter_model('small', max_iterations => 2);
SELECT count(*) FROM influence_influencers_of('small', '{1,2}'::bigint[]);
SELECT influence_alter_model('small', max_iterations => 100);

-- What memory does not allow.
CREATE TABLE fans AS SELECT i AS source, (i % 2)::bigint AS target FROM generate_series(2::bigint, 40000) i;
SELECT influence_create_model('fans', 'fans');
SELECT edges FROM influence_refresh('fans');
SET maintenance_work_mem = '1MB';
SELECT error_of($$SELECT influence_influencers_of('fans', '{3}'::bigint[])$$);
SET maintenance_work_mem = '3MB';
SELECT error_of($$SELECT influence_influencers_of('fans', '{3}'::bigint[])$$);
RESET maintenance_work_mem;
SELECT user_id, attention, direct FROM influence_influencers_of('fans', '{3}'::bigint[]);

-- Rights: the tables of graphs and of the scores that are shown.
CREATE ROLE regress_influence_marketing;
GRANT USAGE ON SCHEMA model_influencers TO regress_influence_marketing;
CREATE FUNCTION tried(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	SET LOCAL ROLE regress_influence_marketing;
	EXECUTE format('SELECT count(*) FROM %s', command) INTO rows;
	RESET ROLE;
	RETURN rows;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN SQLERRM;
END
$$;
CREATE FUNCTION all_tried() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT tried(format('influence_influencers_of(%L, %L::bigint[], 3 %s)', 'm', users, facet))
	FROM segment, (VALUES (1, ''), (2, ', ''forum'''), (3, ', topic => ''film''')) f (i, facet) WHERE segment = 1
	UNION ALL SELECT tried('influence_campaign(''m'', 3)') UNION ALL SELECT tried('influence_campaign(''m'', 3, ''film'')')
	UNION ALL SELECT tried('influence_audience(''m'', ''{1}''::bigint[], topic => ''film'')')
$$;
SELECT all_tried();
GRANT SELECT ON m_graph TO regress_influence_marketing;
SELECT all_tried();
GRANT SELECT ON m_scores TO regress_influence_marketing;
SELECT all_tried();
GRANT SELECT (user_id, network, score) ON m_networks TO regress_influence_marketing;
GRANT SELECT (user_id, topic, score, relevance) ON m_topics TO regress_influence_marketing;
SELECT all_tried();
REVOKE SELECT ON m_graph FROM regress_influence_marketing;
SELECT all_tried();

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_influencers CASCADE;
DROP ROLE regress_influence_marketing;
