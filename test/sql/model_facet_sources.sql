-- Networks and topics are the same whatever relation and types of columns they
-- are read from.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_facet_sources;
SET search_path = model_facet_sources, public;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\i test/sql/include/facets.sql
\set ECHO all

CREATE TYPE mood AS ENUM ('calm', 'angry');
CREATE DOMAIN tag AS varchar(20);
CREATE TABLE log AS
SELECT (23 * noise('source', i) ^ 2)::bigint AS source, (29 * noise('target', i) ^ 1.5)::bigint AS target,
	(ARRAY['like', 'reply', NULL])[1 + floor(3 * noise('kind', i))::int] AS kind,
	(ARRAY['x', 'yy', '', 'it''s a "network" \', NULL])[1 + floor(5 * noise('network', i) ^ 2)::int] AS network,
	(ARRAY['{cats}', '{cats,dogs}', '{dogs,cats,dogs}', '{NULL,cats,NULL}', '{}', NULL, '{{fish,dogs},{birds,fish}}', '[-3:-2]={"",birds}',
		'{NULL}', '{"{a,\"topic\"} \\","Größe 東京 🎉"}'])
		[1 + floor(10 * noise('topics', i) ^ 1.5)::int]::text[] AS topics
FROM generate_series(1, 600) i;
-- How many networks and topics a model of a relation has, and how many of their
-- rows are not those of a model of another.
CREATE FUNCTION same_facets(a regclass, b regclass, a_network name, a_topic name, b_network name = NULL, b_topic name = NULL,
	source name = 'source', target name = 'target', id text = 'user_id',
	OUT networks bigint, OUT differing_networks bigint, OUT topics bigint, OUT differing_topics bigint)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM influence_create_model('a', a, network => a_network, topic => a_topic);
	PERFORM influence_refresh('a');
	PERFORM influence_create_model('b', b, source, target, network => coalesce(b_network, a_network), topic => coalesce(b_topic, a_topic));
	PERFORM influence_refresh('b');
	EXECUTE 'SELECT count(DISTINCT network) FROM b_networks' INTO networks;
	EXECUTE 'SELECT count(DISTINCT topic) FROM b_topics' INTO topics;
	differing_networks := differing('a_networks', 'b_networks', 'network', id);
	differing_topics := differing('a_topics', 'b_topics', 'topic', id);
	PERFORM influence_drop_model('a'), influence_drop_model('b');
END
$$;

-- Other types of names are read as their text; other types of ids make no
-- difference.
CREATE TABLE typed AS
SELECT source, target, md5(source::text)::uuid AS source_uuid, md5(target::text)::uuid AS target_uuid,
	'user ' || source AS source_text, 'user ' || target AS target_text, network, topics,
	network::varchar(30) AS network_varchar, network::char(30) AS network_char, left(network, 1)::"char" AS network_quoted_char,
	network::name AS network_name, (CASE kind WHEN 'like' THEN 'calm' WHEN 'reply' THEN 'angry' END)::mood AS network_enum,
	length(network) AS network_int, length(network) > 0 AS network_bool,
	topics::varchar[] AS topics_varchar, topics::tag[] AS topics_domain, ARRAY[length(network), length(kind), length(network)] AS topics_int,
	ARRAY[kind, 'calm', NULL] AS topics_plain
FROM log;
DO $$
DECLARE
	c name;
BEGIN
	FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'typed'::regclass AND attnum > 0 AND attname ~ '^(network|topics)_' LOOP
		EXECUTE format('ALTER TABLE typed ADD text_%1$s %2$s; UPDATE typed SET text_%1$s = %1$s::%2$s', c,
			CASE WHEN c ~ 'topics' THEN 'text[]' ELSE 'text' END);
	END LOOP;
END
$$;
SELECT n.*, s.* FROM (VALUES ('network_varchar', 'topics_varchar'), ('network_char', 'topics_domain'), ('network_quoted_char', 'topics_int'),
		('network_name', 'topics_plain'), ('network_bool', 'network_enum'), ('network_int', 'network_int')) n(network, topic),
	LATERAL same_facets('typed', 'typed', ('text_' || network)::name, ('text_' || topic)::name, network, topic) s;
SELECT * FROM same_facets('typed', 'typed', 'network', 'topics', source => 'source_uuid', target => 'target_uuid', id => 'md5(user_id::text)::uuid');
SELECT * FROM same_facets('typed', 'typed', 'network', 'topics', source => 'source_text', target => 'target_text', id => $$ 'user ' || user_id $$);
-- names must be names
SELECT error_of($$ SELECT influence_create_model('t', 'typed', network => 'source_uuid') $$);
SELECT error_of($$ SELECT influence_create_model('t', 'typed', network => 'topics') $$);
SELECT error_of($$ SELECT influence_create_model('t', 'typed', topic => 'source_uuid') $$);
SELECT error_of($$ SELECT influence_create_model('t', 'typed', topic => 'ctid') $$);

-- By query and by table scan: a view, a partitioned table, inheritance.
CREATE VIEW seen AS SELECT topics, network, target, source FROM log OFFSET 0;
CREATE TABLE parted (LIKE log) PARTITION BY LIST (network);
CREATE TABLE parted_x PARTITION OF parted FOR VALUES IN ('x');
CREATE TABLE parted_rest (extra int, LIKE log);
ALTER TABLE parted_rest DROP COLUMN extra;
ALTER TABLE parted ATTACH PARTITION parted_rest DEFAULT;
INSERT INTO parted SELECT * FROM log;
CREATE TABLE parent (LIKE log);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT * FROM log WHERE source < 9;
INSERT INTO child SELECT * FROM log WHERE source >= 9;
SELECT r.*, s.* FROM (VALUES ('seen'), ('parted'), ('parent')) r(relation), LATERAL same_facets('log', relation::regclass, 'network', 'topics') s;

-- Row security: what is hidden from who refreshes has no facet.
CREATE ROLE regress_influence_facets;
GRANT ALL ON SCHEMA model_facet_sources TO regress_influence_facets;
CREATE TABLE secured (LIKE log);
INSERT INTO secured SELECT * FROM log;
INSERT INTO secured VALUES (999, 998, 'like', 'hidden', '{hidden}');
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY open ON secured USING (source < 999);
GRANT SELECT ON secured, log TO regress_influence_facets;
SET ROLE regress_influence_facets;
SELECT * FROM same_facets('log', 'secured', 'network', 'topics');
RESET ROLE;
SELECT * FROM same_facets('log', 'secured', 'network', 'topics');

-- The columns of networks and topics are read with the caller's privileges.
REVOKE ALL ON log FROM regress_influence_facets;
GRANT SELECT (source, target) ON log TO regress_influence_facets;
SET ROLE regress_influence_facets;
SELECT error_of($$ SELECT influence_create_model('m', 'log', network => 'network') $$);
SELECT error_of($$ SELECT influence_create_model('m', 'log', topic => 'topics') $$);
RESET ROLE;
GRANT SELECT (network, topics) ON log TO regress_influence_facets;
SET ROLE regress_influence_facets;
SELECT influence_create_model('m', 'log', network => 'network', topic => 'topics');
SELECT nodes FROM influence_refresh('m');
RESET ROLE;
REVOKE SELECT (topics) ON log FROM regress_influence_facets;
SET ROLE regress_influence_facets;
SELECT error_of($$ SELECT influence_refresh('m') $$);
RESET ROLE;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_facet_sources CASCADE;
DROP ROLE regress_influence_facets;
