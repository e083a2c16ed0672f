-- A kept graph that is another one each time it is read: an error, no crash.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_graph_swapped;
SET search_path = model_graph_swapped, public;
CREATE ROLE regress_influence_reader;
GRANT USAGE ON SCHEMA model_graph_swapped TO regress_influence_reader;

-- Two graphs of the same users: one in which each reacts to the next, and one
-- in which each reacts to four hundred.
CREATE TABLE few AS SELECT i AS source, i % 500 + 1 AS target FROM generate_series(1, 500) i;
CREATE TABLE many AS SELECT i AS source, (i + j) % 500 + 1 AS target FROM generate_series(1, 500) i, generate_series(0, 399) j;
SELECT influence_create_model('few', 'few'), influence_create_model('many', 'many');
SELECT nodes, edges FROM influence_refresh('few');
SELECT nodes, edges FROM influence_refresh('many');
-- Edges of both in one table, where row security shows those of one when a
-- partition is read, and of the other when it is read again.
CREATE FUNCTION swap_edges(model text, other text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', model || '_graph', model || '_graph_pkey');
	EXECUTE format('ALTER TABLE %I ADD version int DEFAULT 0', model || '_graph');
	EXECUTE format('INSERT INTO %I SELECT *, 1 FROM %I WHERE section = ''edges''', model || '_graph', other || '_graph');
	EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', model || '_graph');
	EXECUTE format('CREATE POLICY one ON %I USING (shown(section, partition, version))', model || '_graph');
	EXECUTE format('GRANT SELECT ON %I, %I TO regress_influence_reader', model || '_graph', model || '_scores');
END
$$;
CREATE FUNCTION shown(section text, partition int, version int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	asked int := coalesce(nullif(current_setting('swap.p' || partition, true), ''), '0')::int;
BEGIN
	IF section <> 'edges' THEN RETURN true; END IF;
	PERFORM set_config('swap.p' || partition, (asked + 1)::text, true);
	RETURN version = (asked >= 2)::int;
END
$$;
CREATE TABLE other_graph AS SELECT * FROM few_graph;
SELECT swap_edges('few', 'many'), swap_edges('many', 'other');
SET ROLE regress_influence_reader;
SELECT count(*) FROM influence_campaign('few', 2);
SELECT count(*) FROM influence_campaign('many', 2);
SELECT count(*) FROM influence_influencers_of('few', '{1,2,3}'::bigint[]);
SELECT count(*) FROM influence_influencers_of('many', '{1,2,3}'::bigint[]);
SELECT count(*) FROM influence_audience('few', ARRAY(SELECT generate_series(1, 100)::bigint)) WHERE other IS NULL;
RESET ROLE;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_graph_swapped CASCADE;
DROP ROLE regress_influence_reader;
