-- Networks, topics and the graph that is kept do not depend on the number of
-- workers: on data small enough for slow builds.
\set VERBOSITY terse
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA model_facet_workers;
SET search_path = model_facet_workers, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/facets.sql
\set ECHO all
SET min_parallel_table_scan_size = 0;

CREATE TABLE log AS
    SELECT n % 900 AS source, n::bigint * n % 90 AS target, 'user ' || n % 900 AS source_name, 'user ' || n::bigint * n % 90 AS target_name,
           1 + n % 3 AS weight, timestamptz '2025-01-01 00:00+00' - n * interval '1 minute' AS at,
           'kind ' || n % 5 AS kind, 'net ' || n % 7 AS network, ARRAY['t' || n % 40, 't' || n % 3, CASE WHEN n % 30 = 0 THEN 'rare ' || n END] AS topics
    FROM generate_series(1, 5000) n;
CREATE TABLE wider AS SELECT 't' || n AS topic, 'wide ' || n % 3 AS parent FROM generate_series(1, 40) n;

-- A model for each number of workers, and how many rows of the one without are
-- not its.
CREATE FUNCTION try_workers(arguments text, exactly boolean, OUT workers int, OUT has_workers boolean, OUT scores bigint, OUT networks bigint,
    OUT topics bigint, OUT graph bigint, OUT scales bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    FOR w IN 0..2 LOOP
        PERFORM set_config('max_parallel_maintenance_workers', w::text, true);
        EXECUTE format('SELECT influence_create_model(''with_%s'', ''log'', kind => ''kind'', network => ''network'', topic => ''topics'', topic_parents => ''wider'' %s)', w, arguments);
        workers := w;
        SELECT r.workers > 0 INTO has_workers FROM influence_refresh('with_' || w, as_of => '2025-01-01 00:00+00') r;
        IF exactly THEN
            EXECUTE format('SELECT count(*) FROM (TABLE with_0_scores EXCEPT ALL TABLE with_%s_scores) d', w) INTO scores;
            EXECUTE format('SELECT count(*) FROM (TABLE with_0_networks EXCEPT ALL TABLE with_%s_networks) d', w) INTO networks;
            EXECUTE format('SELECT count(*) FROM (TABLE with_0_topics EXCEPT ALL TABLE with_%s_topics) d', w) INTO topics;
            EXECUTE format('SELECT count(*) FROM (TABLE with_0_graph EXCEPT ALL TABLE with_%s_graph) d', w) INTO graph;
            SELECT count(*) INTO scales FROM (SELECT facet, name, reference, c FROM influence_scale WHERE model = 'with_0'
                EXCEPT SELECT facet, name, reference, c FROM influence_scale WHERE model = 'with_' || w) d;
        ELSE
            scores := differing('with_0_scores', ('with_' || w || '_scores')::regclass);
            networks := differing('with_0_networks', ('with_' || w || '_networks')::regclass, 'network');
            topics := differing('with_0_topics', ('with_' || w || '_topics')::regclass, 'topic');
            graph := NULL;
            scales := NULL;
        END IF;
        RETURN NEXT;
    END LOOP;
    SELECT count(*) INTO result FROM with_0_topics;
    IF result < 3000 THEN
        RAISE 'few rows of topics: %', result;
    END IF;
    PERFORM influence_drop_model('with_0'), influence_drop_model('with_1'), influence_drop_model('with_2');
END $$;

-- without weights every bit is the same
SELECT * FROM try_workers('', true);
SELECT * FROM try_workers($$, source => 'source_name', target => 'target_name', restart => 'uniform', pair_weight => 'linear' $$, true);
-- with weights the order in which rows are read shows in the last bits
SELECT * FROM try_workers($$, weight => 'weight', at => 'at' $$, false);

DROP SCHEMA model_facet_workers CASCADE;
