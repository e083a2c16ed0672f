-- influence_graph_agg and influence_graph_union, against GROUP BY.

CREATE FUNCTION error_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE command;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN detail <> '' THEN ' (' || detail || ')' ELSE '' END;
END $$;

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    plan text = '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        plan = plan || line || E'\n';
    END LOOP;
    RETURN plan;
END $$;

-- no rows, NULLs, weights of 0
SELECT influence_graph_agg(1, 2) FROM generate_series(1, 0);
SELECT influence_graph_agg(s, t) FROM (VALUES (NULL::bigint, 1::bigint), (1, NULL), (NULL, NULL)) AS v(s, t);
SELECT influence_graph_agg(s, t) FROM (VALUES (NULL::bigint, 1::bigint), (1, 2), (1, NULL), (1, 2), (3, 3)) AS v(s, t);
SELECT influence_graph_agg(s, t, w) FROM (VALUES (1, 2, 0.5::float8), (1, 2, NULL), (1, 2, 0), (4, 5, 0), (2, 1, 3)) AS v(s, t, w);
SELECT influence_graph_agg(1, 2, 0);
SELECT influence_graph_agg(1::smallint, 2::int), influence_graph_agg(DISTINCT 1, 2), influence_graph_agg(1, 2) FILTER (WHERE false);
SELECT influence_graph_agg(i % 2, 5) FROM generate_series(1, 5) AS i;

-- as a window function the state goes on after a result
SELECT i, influence_graph_agg(i % 3, i % 2) OVER (ORDER BY i) FROM generate_series(1, 5) AS i;
SELECT i, influence_graph_union(format('{%s>9}', i % 3)::influence_graph) OVER (ORDER BY i) FROM generate_series(1, 5) AS i;

-- errors
SELECT error_of(format('SELECT influence_graph_agg(1, 2, %L::float8)', w)) FROM unnest('{-1,NaN,Infinity,-Infinity}'::text[]) AS w;
SELECT error_of('SELECT influence_graph_agg(1, 2, 1e308) FROM generate_series(1, 2)');
SELECT error_of('SELECT influence_graph_agg(1, 2, 1e308) FROM generate_series(1, 100)');
SELECT h, error_of(format('SELECT influence_graph_agg(1, 2, 1, now(), %L::interval)', h))
FROM unnest('{0,-1 day,1 day -1 month}'::text[]) AS h;
SELECT error_of($$SELECT influence_graph_agg(1, 2, 1, 'infinity'::timestamptz, '1 day', now())$$);
SELECT error_of($$SELECT influence_graph_agg(1, 2, 1, now(), '1 day', 'infinity')$$);
SELECT error_of($$SELECT influence_graph_agg(1, 2, 1, now(), '1 day', '-infinity')$$);
SELECT error_of($$SELECT influence_graph_agg(1, 2, 1, '2020-01-01', '1 second', '2019-01-01')$$);

-- decay
SELECT influence_graph_agg(i, 0, 8, '2024-01-01'::timestamptz - i * interval '12 hours', '1 day', '2024-01-01') FROM generate_series(-4, 4, 2) AS i;
SELECT influence_graph_agg(1, 2, 1, '2024-01-01 UTC', '1 month', '2024-01-31 UTC') AS month,
       influence_graph_agg(1, 2, 1, '-infinity', '1 day', '2024-01-31 UTC') AS long_ago,
       influence_graph_agg(1, 2, 0, '2024-01-01 UTC', '1 second', '2023-01-01 UTC') AS zero,
       influence_graph_agg(1, 2, 1, '2024-01-01 UTC', NULL, '2023-01-01 UTC') AS no_half_life,
       influence_graph_agg(1, 2, 1, '4713-01-01 BC', '1 day', '294276-01-01') AS underflow;
SELECT influence_graph_agg(1, 2, 4, now() - interval '48 hours', '1 day');
SELECT abs(weight / exp(-ln(2) * 10 / 90) - 1) < 1e-12 AS exact
FROM (SELECT influence_graph_agg(1, 2, 1, '2024-01-01 UTC', '90 days', '2024-01-11 UTC') AS g) AS s, influence_edges(g);

-- a random graph with repeated pairs, NULLs and gaps
CREATE TABLE interactions AS
SELECT CASE WHEN i % 1000 <> 0 THEN (hashint8extended(i, 1) & hashint8extended(i, 2) & 1023) * 1000003 - 77777 END AS source,
       CASE WHEN i % 777 <> 0 THEN hashint8extended(i, 3) & hashint8extended(i, 4) & 1023 END AS target,
       (i % 50) / 8.0::float8 AS weight, timestamptz '2024-01-01' - i * interval '1 minute' AS at
FROM generate_series(1::bigint, 400000) AS i;
VACUUM ANALYZE interactions;
SET max_parallel_workers_per_gather = 0;

CREATE FUNCTION differences(g influence_graph, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM influence_edges($1) AS e FULL JOIN (%s) AS s USING (source, target)
        WHERE NOT coalesce(abs(e.weight - s.weight) <= 1e-12 * s.weight, false)', query) INTO n USING g;
    RETURN n;
END $$;

CREATE TABLE graphs AS
SELECT influence_graph_agg(source, target) AS counted, influence_graph_agg(source, target, weight) AS weighted,
       influence_graph_agg(source, target, weight, at, '30 days', '2024-02-01') AS decayed
FROM interactions;
SELECT influence_edge_count(counted) > 100000 AS large,
       differences(counted, 'SELECT source, target, count(*) AS weight FROM interactions
           WHERE source IS NOT NULL AND target IS NOT NULL GROUP BY 1, 2') AS counted,
       differences(weighted, 'SELECT source, target, sum(weight) AS weight FROM interactions
           WHERE source IS NOT NULL AND target IS NOT NULL AND weight > 0 GROUP BY 1, 2') AS weighted,
       differences(decayed, $$SELECT source, target, sum(weight * exp(-ln(2::float8) * extract(epoch FROM timestamptz '2024-02-01' - at)::float8 / 2592000)) AS weight
           FROM interactions WHERE source IS NOT NULL AND target IS NOT NULL AND weight > 0 GROUP BY 1, 2$$) AS decayed
FROM graphs;

-- the same whatever the order of the rows
SELECT influence_graph_agg(source, target ORDER BY md5(source::text || target)) = (SELECT counted FROM graphs) AS counted,
       influence_graph_agg(source, target, weight ORDER BY weight, target DESC) = (SELECT weighted FROM graphs) AS weighted
FROM interactions;

-- united from parts: overlapping ones, many small ones, one
SELECT parts, influence_graph_union(g) = (SELECT counted FROM graphs) AS same
FROM unnest('{1,2,90,1000}'::int[]) AS parts, LATERAL (
    SELECT influence_graph_agg(source, target) AS g FROM interactions
    GROUP BY hashtext(at::text) % parts
) AS p GROUP BY parts ORDER BY parts;
SELECT influence_graph_union(g) = (SELECT weighted FROM graphs) AS same
FROM (SELECT influence_graph_agg(source, target, weight) AS g FROM interactions GROUP BY source) AS p;
SELECT influence_graph_union(g) = (SELECT weighted FROM graphs) AS same
FROM (SELECT influence_graph_agg(source, target, weight) AS g FROM interactions GROUP BY source UNION ALL SELECT NULL) AS p;
SELECT a.g + b.g = (SELECT counted FROM graphs) AS same
FROM (SELECT influence_graph_agg(source, target) AS g FROM interactions WHERE at < '2023-10-01') AS a,
     (SELECT influence_graph_agg(source, target) AS g FROM interactions WHERE at >= '2023-10-01') AS b;
SELECT influence_graph_union(g), influence_graph_union(g) + influence_graph_union(g) AS twice, count(*)
FROM (VALUES ('{1>2,8}'::influence_graph), ('{1>2:0.5}'), (NULL), ('{}'), ('{-3}')) AS v(g);
SELECT influence_graph_union(g) FROM (VALUES (NULL::influence_graph)) AS v(g);
SELECT influence_node_count(u), influence_edge_count(u), u FROM (SELECT influence_graph_union(g) AS u FROM (VALUES ('{1>2}'::influence_graph), ('{2>3}')) AS v(g) OFFSET 0) AS s;
SELECT error_of($$SELECT influence_graph_union(g) FROM (VALUES ('{1>2:1e308}'::influence_graph), ('{1>2:1e308}')) AS v(g)$$);

-- parallel: in two phases, with the same result
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT plan_of('SELECT influence_graph_agg(source, target) FROM interactions') ~ 'Partial Aggregate' AS two_phases;
SELECT plan_of('SELECT influence_graph_agg(source, target, weight, at, ''1 day'') FROM interactions') ~ 'Partial Aggregate' AS two_phases;
SELECT influence_graph_agg(source, target) = (SELECT counted FROM graphs) AS counted,
       influence_graph_agg(source, target, weight) = (SELECT weighted FROM graphs) AS weighted
FROM interactions;
SELECT differences(influence_graph_agg(source, target, weight, at, '30 days', '2024-02-01'),
                   'SELECT e.* FROM graphs, influence_edges(decayed) AS e') AS decayed
FROM interactions;
SELECT influence_graph_agg(source, target) AS no_rows FROM interactions WHERE weight < 0;
SELECT influence_graph_agg(source, target, 0) AS nothing FROM interactions;
SELECT plan_of('SELECT weight > 3, influence_graph_agg(source, target) FROM interactions GROUP BY 1') ~ 'Partial (Hash|Group)Aggregate' AS two_phases;
SELECT influence_graph_union(g) = (SELECT counted FROM graphs) AS same
FROM (SELECT weight > 3, influence_graph_agg(source, target) AS g FROM interactions GROUP BY 1) AS s;
CREATE TABLE parts AS
SELECT target % 10 AS part, influence_graph_agg(source, target) AS g FROM interactions GROUP BY 1;
SELECT plan_of('SELECT influence_graph_union(g) FROM parts') ~ 'Partial Aggregate' AS two_phases;
SELECT influence_graph_union(g) = (SELECT counted FROM graphs) AS same FROM parts;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- at most 6 bytes an edge: an R-MAT graph (9/16, 3/16, 3/16, 1/16) of a million edges
SET max_parallel_workers_per_gather = 0;
CREATE TABLE rmat AS
SELECT hashint8extended(i, 1) & hashint8extended(i, 2) & 131071 AS source,
       hashint8extended(i, 3) & hashint8extended(i, 4) & 131071 AS target
FROM generate_series(1::bigint, 1050000) AS i;
CREATE TABLE large AS
SELECT influence_graph_agg(source, target) AS counted, influence_graph_agg(source, target, 0.1 + source % 7) AS weighted FROM rmat;
CREATE TABLE plain AS
SELECT influence_graph_agg(source, target) AS g FROM large, influence_edges(counted);
SELECT influence_edge_count(g) >= 1000000 AS million, pg_column_size(g) <= 6 * influence_edge_count(g) AS plain,
       pg_column_size(counted) <= 6 * influence_edge_count(g) AS counted, pg_column_size(weighted) <= 12 * influence_edge_count(g) AS weighted
FROM plain, large;

DROP TABLE interactions, graphs, parts, rmat, large, plain;
DROP FUNCTION error_of, plan_of, differences;
