-- influence_audience against counts by plain SQL.
SET client_min_messages = warning;
CREATE SCHEMA model_audience;
SET search_path = model_audience, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\i test/sql/include/people.sql
\set ECHO all

SELECT make_log(150, 1500);
INSERT INTO log VALUES (1, NULL, 1, NULL, NULL), (1, 1, 1, 'forum', '{film}'), (555, 555, 1, 'forum', NULL);
SELECT influence_create_model('m', 'log', weight => 'weight', network => 'network', topic => 'topic');
SELECT nodes > 140 AS many FROM influence_refresh();

-- By hand: 1 and 2 react to 10, 2 and 3 and 4 to 20, 4 and 2 to 30.
CREATE TABLE small (source int, target int);
INSERT INTO small VALUES (1, 10), (2, 10), (2, 10), (2, 20), (3, 20), (4, 20), (4, 30), (2, 30);
SELECT influence_create_model('small', 'small');
SELECT nodes, edges FROM influence_refresh('small');
SELECT * FROM influence_audience('small', '{10,20,30}'::bigint[]);
SELECT * FROM influence_audience('small', '{10,20,10,1,99,NULL,20,10}'::bigint[]);
SELECT * FROM influence_audience('small', '{}'::bigint[]);
SELECT * FROM influence_audience('small', '{NULL}'::bigint[]);
SELECT * FROM influence_audience('small', '{{10,20},{30,10}}'::bigint[]) LIMIT 4;
SELECT * FROM influence_audience('small', NULL::bigint[]);

-- What influence_audience should say, in its order
CREATE FUNCTION expected(users bigint[], network text, topic text)
RETURNS TABLE (n bigint, user_id bigint, other bigint, audience bigint, only_here bigint) LANGUAGE sql STABLE AS $$
	WITH listed AS (SELECT id, min(i) AS i FROM unnest(users) WITH ORDINALITY u (id, i) WHERE id IS NOT NULL GROUP BY id),
		reaction AS MATERIALIZED (SELECT DISTINCT p.source, l.id, l.i FROM pairs($2, $3) p JOIN listed l ON l.id = p.target),
		person AS (SELECT source, count(*) AS whose FROM reaction GROUP BY source),
		answer AS (
			SELECT 0 AS part, 0::bigint AS a, 0::bigint AS b, NULL::bigint AS user_id, NULL::bigint AS other, count(*) AS audience,
				count(*) FILTER (WHERE whose = 1) AS only_here FROM person
			UNION ALL SELECT 1, l.i, 0, l.id, NULL, count(source), count(*) FILTER (WHERE whose = 1)
			FROM listed l LEFT JOIN (reaction r JOIN person USING (source)) ON r.id = l.id GROUP BY l.id, l.i
			UNION ALL SELECT 2, r.i, s.i, r.id, s.id, count(*), count(*) FILTER (WHERE whose = 2)
			FROM reaction r JOIN reaction s USING (source) JOIN person USING (source) WHERE r.i < s.i GROUP BY r.i, s.i, r.id, s.id)
	SELECT row_number() OVER (ORDER BY part, a, b), answer.user_id, answer.other, answer.audience, answer.only_here FROM answer
$$;
CREATE FUNCTION differing(model text, users bigint[], network text, topic text, OUT rows bigint, OUT differing bigint) LANGUAGE sql AS $$
	SELECT count(a), count(*) FILTER (WHERE (a.user_id, a.other, a.audience, a.only_here) IS DISTINCT FROM (e.user_id, e.other, e.audience, e.only_here)
		OR a IS NULL OR e IS NULL)
	FROM (SELECT row_number() OVER () AS n, * FROM influence_audience(model, users, $3, $4)) a FULL JOIN expected(users, $3, $4) e USING (n)
$$;
-- Everybody alone and in shortlists of two to five, one of whom nobody knows;
-- then lists of 40, and all.
CREATE TABLE person AS SELECT user_id, row_number() OVER (ORDER BY md5(user_id::text)) AS i FROM m_scores;
CREATE VIEW shortlist AS
SELECT a.i, 1 + a.i % 5 AS size, array_agg(b.user_id ORDER BY b.i) || CASE WHEN a.i % 2 = 0 THEN '{-7}'::bigint[] END AS users
FROM person a JOIN person b ON b.i BETWEEN a.i AND a.i + a.i % 5 GROUP BY a.i;
SELECT facet, network, topic, count(*) AS lists, sum(rows) AS rows, sum(differing) AS differing
FROM facet, shortlist, differing('m', users, network, topic) GROUP BY 1, 2, 3 ORDER BY 1;
SELECT facet, network, topic, rows, d.differing
FROM facet, (SELECT array_agg(user_id ORDER BY i) AS users FROM person WHERE i <= 40) l, differing('m', users, network, topic) d ORDER BY 1;
SELECT facet, network, topic, rows, d.differing
FROM facet, (SELECT array_agg(user_id ORDER BY i) || array_agg(user_id) AS users FROM person) l, differing('m', users, network, topic) d ORDER BY 1;
-- each one's audience is what is published, in the order of the list
SELECT count(*) AS users, count(*) FILTER (WHERE a.audience <> s.audience) AS differing, bool_and(a.n = p.i + 1) AS in_order
FROM (SELECT row_number() OVER () AS n, * FROM influence_audience('m', (SELECT array_agg(user_id ORDER BY i) FROM person))) a
	JOIN m_scores s USING (user_id) JOIN person p USING (user_id) WHERE other IS NULL;
-- a network or topic that there is not
SELECT a.user_id IS NULL AS all, audience, only_here FROM influence_audience('m', (SELECT array_agg(user_id) FROM person WHERE i = 1), topic => 'no such') a;
SELECT a.user_id IS NULL AS all, audience, only_here FROM influence_audience('m', (SELECT array_agg(user_id) FROM person WHERE i = 1), network => '') a;

-- Together with the rest of a query: a shortlist by LATERAL, what the next one adds.
CREATE TABLE shortlist_of (name text, users bigint[]);
INSERT INTO shortlist_of VALUES ('one', '{10}'), ('two', '{10,30}'), ('three', '{10,20,30}');
SELECT name, a.audience, a.only_here FROM shortlist_of s, influence_audience('small', s.users) a WHERE a.user_id IS NULL ORDER BY 2;
PREPARE reach(bigint[]) AS SELECT audience FROM influence_audience('small', $1) WHERE user_id IS NULL;
EXECUTE reach('{10,20}');
BEGIN;
DELETE FROM small WHERE source = 1;
EXECUTE reach('{10,20}');
SELECT edges FROM influence_refresh('small');
EXECUTE reach('{10,20}');
ROLLBACK;
EXECUTE reach('{10,20}');

-- uuid and text
CREATE FUNCTION uuid_of(id bigint) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT md5(id::text)::uuid $$;
CREATE TABLE log_uuid AS SELECT uuid_of(source) AS source, uuid_of(target) AS target, topic FROM log;
CREATE TABLE log_text AS SELECT 'ü' || source AS source, ('ü' || target)::varchar AS target, network FROM log;
SELECT influence_create_model('uuids', 'log_uuid', topic => 'topic'), influence_create_model('texts', 'log_text', network => 'network');
SELECT nodes > 140 AS many FROM influence_refresh('uuids');
SELECT nodes > 140 AS many FROM influence_refresh('texts');
SELECT count(*) AS rows, count(*) FILTER (WHERE (b.audience, b.only_here) IS DISTINCT FROM (u.audience, u.only_here)
	OR uuid_of(b.user_id) IS DISTINCT FROM u.user_id OR uuid_of(b.other) IS DISTINCT FROM u.other) AS differing
FROM (SELECT array_agg(user_id ORDER BY i) AS users, array_agg(uuid_of(user_id) ORDER BY i) AS uuids FROM person WHERE i <= 10) l,
	ROWS FROM (influence_audience('m', users, NULL, 'film'), influence_audience('uuids', uuids, topic => 'film'))
	AS r (user_id, other, audience, only_here, user_uuid, other_uuid, uuid_audience, uuid_only_here),
	LATERAL (SELECT r.user_id, r.other, r.audience, r.only_here) b, LATERAL (SELECT r.user_uuid AS user_id, r.other_uuid AS other, r.uuid_audience AS audience, r.uuid_only_here AS only_here) u;
SELECT count(*) AS rows, count(*) FILTER (WHERE (r.audience, r.only_here) IS DISTINCT FROM (text_audience, text_only_here)
	OR 'ü' || r.user_id IS DISTINCT FROM user_text OR 'ü' || r.other IS DISTINCT FROM other_text) AS differing
FROM (SELECT array_agg(user_id ORDER BY i) AS users, array_agg('ü' || user_id ORDER BY i) AS texts FROM person WHERE i <= 10) l,
	ROWS FROM (influence_audience('m', users, 'forum'), influence_audience('texts', texts, network => 'forum'))
	AS r (user_id, other, audience, only_here, user_text, other_text, text_audience, text_only_here);

-- Errors.
SELECT error_of($$SELECT influence_audience('no such model', '{1}'::bigint[])$$);
SELECT error_of($$SELECT influence_audience(NULL, '{1}'::bigint[])$$);
SELECT error_of($$SELECT influence_audience('m', '{1}'::int[])$$);
SELECT error_of($$SELECT influence_audience('m', '{1}'::text[])$$);
SELECT error_of($$SELECT influence_audience('uuids', '{1}'::bigint[])$$);
SELECT error_of($$SELECT influence_audience('texts', '{1}'::varchar[])$$);
SELECT error_of($$SELECT influence_audience('m', '{1}'::bigint[], 'forum', 'film')$$);
SELECT influence_create_model('fresh', 'small');
SELECT error_of($$SELECT influence_audience('fresh', '{1}'::bigint[])$$);

-- What memory does not allow.
CREATE TABLE fans AS SELECT i AS source, (i % 2)::bigint AS target FROM generate_series(2::bigint, 40000) i;
SELECT influence_create_model('fans', 'fans');
SELECT edges FROM influence_refresh('fans');
SET maintenance_work_mem = '1MB';
SELECT * FROM influence_audience('fans', '{0}'::bigint[]);
SELECT error_of($$SELECT influence_audience('fans', '{0,1}'::bigint[])$$);
SELECT count(*) FROM influence_audience('small', ARRAY(SELECT generate_series(1, 180)::bigint));
SELECT error_of($$SELECT influence_audience('small', ARRAY(SELECT generate_series(1, 200)::bigint))$$);
RESET maintenance_work_mem;
SELECT * FROM influence_audience('fans', '{0,1}'::bigint[]);

-- Rights: nothing but the table of graphs is read.
CREATE ROLE regress_influence_marketing;
GRANT USAGE ON SCHEMA model_audience TO regress_influence_marketing;
SET ROLE regress_influence_marketing;
SELECT influence_audience('small', '{10,20}'::bigint[]);
RESET ROLE;
GRANT SELECT ON small_graph TO regress_influence_marketing;
SET ROLE regress_influence_marketing;
SELECT * FROM influence_audience('small', '{10,20}'::bigint[]);
RESET ROLE;
-- rows that row security hides
ALTER TABLE small_graph ENABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_marketing;
SELECT influence_audience('small', '{10,20}'::bigint[]);
RESET ROLE;
CREATE POLICY part ON small_graph USING (section <> 'edges');
SET ROLE regress_influence_marketing;
SELECT influence_audience('small', '{10,20}'::bigint[]);
RESET ROLE;
SELECT count(*) FROM influence_audience('small', '{10,20}'::bigint[]);
ALTER TABLE small_graph RENAME TO renamed;
SELECT count(*) FROM influence_audience('small', '{10,20}'::bigint[]);
DROP TABLE renamed;
SELECT error_of($$SELECT influence_audience('small', '{10,20}'::bigint[])$$);

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_audience CASCADE;
DROP ROLE regress_influence_marketing;
