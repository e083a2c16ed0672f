-- Text and binary forms of influence_graph, and what is in a graph.

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

-- text: canonical output, whatever the input looks like
SELECT v AS input, v::influence_graph AS output
FROM (VALUES
    ('{}'), ('  { }  '), ('{7}'), ('{7,7, 7>8}'), ('{1>2, 1>3:2.5, 7}'),
    ('{1>2,1>2}'), ('{1>2:0.5,1>2:0.5}'), ('{3>1,1>3,2>2}'), ('{ 1 > 2 : 3 , 1 > 2 : 4 }'),
    ('{-1>-2:1e3}'), ('{+1>+2:+1}'), ('{5,3>4,-1}'), (E'{\n1>2,\t2>3\r\n}'),
    ('{9223372036854775807>-9223372036854775808}'), ('{1>2:1.50}'), ('{1>2:.5,2>1:5.}'),
    ('{1>2:5e-324,1>3:1.7976931348623157e308,1>4:0.1,1>5:0.30000000000000004}'),
    ('{1>2:9007199254740992,1>3:9007199254740994,1>4:123456789}')
) AS inputs(v);

-- exact, whatever extra_float_digits says
SET extra_float_digits = -15;
SELECT '{1>2:0.1,1>3:0.30000000000000004}'::influence_graph;
RESET extra_float_digits;

-- errors
SELECT v AS input, error_of(format('SELECT %L::influence_graph', v))
FROM (VALUES
    (''), ('1>2'), ('{'), ('{1'), ('{1>2'), ('{1>2,'), ('{1>2,}'), ('{,}'), ('{1>}'), ('{>2}'), ('{1>2:}'),
    ('{1>2 3>4}'), ('{1>2}}'), ('{1>2} x'), ('{a>b}'), ('{1.5>2}'), ('{1>2:x}'), ('{1>2:1x}'), ('{1>2:1e}'),
    ('{1>2:0}'), ('{1>2:-1}'), ('{1>2:-0}'), ('{1>2:NaN}'), ('{1>2:Infinity}'), ('{1>2:0x10}'),
    ('{1>2:1e309}'), ('{1>2:1e-400}'), ('{9223372036854775808>1}'), ('{1>-9223372036854775809}'),
    ('{99999999999999999999999}'), ('{1>2:1e308,1>2:1e308}'),
    ('{1>' || repeat('x', 100) || '}')
) AS inputs(v);

-- stored form: header (version, weight class, reserved, nodes, edges) and stream
SELECT v AS graph, influence_graph_send(v::influence_graph) AS binary
FROM (VALUES ('{}'), ('{-1}'), ('{1>2}'), ('{1>2:3,2>1:3}'), ('{1>2:3,2>1:300}'), ('{1>2:0.5,2>1}'), ('{1>2:0.1,2>1}')) AS graphs(v);

-- the weight class is the first that is exact
SELECT w, get_byte(influence_graph_send(format('{1>2,1>3:%s}', w)::influence_graph), 1) AS class
FROM unnest('{1,2,9007199254740992,9007199254740994,1e300,0.5,3.4028234663852886e38,1.401298464324817e-45,1e-45,0.1,5e-324}'::text[]) AS w;

-- equality is of graphs
SELECT '{1>2,2>3}'::influence_graph = '{2>3,1>2:1.0}'::influence_graph AS same,
       '{1>2}'::influence_graph = '{1>2:2}'::influence_graph AS weight,
       '{1>2}'::influence_graph = '{1>2,3}'::influence_graph AS node,
       '{1>2}'::influence_graph <> '{2>1}'::influence_graph AS direction,
       '{}'::influence_graph = '{}'::influence_graph AS empty;

-- what is in a graph
SELECT g, influence_node_count(g), influence_edge_count(g), influence_total_weight(g)
FROM (VALUES ('{}'::influence_graph), ('{7}'), ('{1>2,1>3:2.5,7}'), ('{1>1:4,2>1:4}')) AS graphs(g);
SELECT * FROM influence_nodes('{1>2,1>3:2.5,3>3:4,7}');
SELECT * FROM influence_edges('{1>2,1>3:2.5,3>3:4,7,-9223372036854775808>9223372036854775807:0.1}');
SELECT * FROM influence_nodes('{}');
SELECT * FROM influence_edges('{7}');
SELECT influence_edges('{1>2,2>3}');
SELECT influence_total_weight(NULL), NULL::influence_graph = '{}'::influence_graph AS equal;
SELECT * FROM influence_edges(NULL);
SELECT error_of($$SELECT influence_total_weight('{1>2:1e308,2>1:1e308}')$$);
SELECT error_of($$SELECT * FROM influence_nodes('{1>2:1e308,1>3:1e308}')$$);

-- adding
SELECT '{1>2,7}'::influence_graph + '{1>2:2.5,0>2,2>1}'::influence_graph AS sum,
       '{}'::influence_graph + '{}'::influence_graph AS empty,
       '{}'::influence_graph + '{5,1>2:3}'::influence_graph AS zero;
SELECT error_of($$SELECT '{1>2:1e308}'::influence_graph + '{1>2:1e308}'::influence_graph$$);

-- multiplying
SELECT '{1>2,1>3:2.5,7}'::influence_graph * 2 AS g_times, 0.5 * '{1>2,1>3:2.5,7}'::influence_graph AS times_g,
       '{7}'::influence_graph * 3 AS lone, '{1>2:3,2>1:3}'::influence_graph * (1.0 / 3) AS equal;
SELECT f, error_of(format('SELECT %L::influence_graph * %L::float8', '{1>2:1e-200,2>1:1e200}', f))
FROM unnest('{0,-1,NaN,Infinity,1e200,1e-200}'::text[]) AS f;

-- round trips of graphs of every class, and of a tuple that is stored out of line
CREATE TABLE graphs (id int, g influence_graph);
INSERT INTO graphs
SELECT k, (SELECT influence_graph_agg((i * i + k) % 1000 * (CASE WHEN k % 2 = 0 THEN 1 ELSE -123456789012345 END), (i * 7919) % 1009,
           CASE k / 2 WHEN 0 THEN 1 WHEN 1 THEN i % 300 + 1 WHEN 2 THEN (i % 17 + 1) / 8.0 ELSE 1 / i::float8 END)
           FROM generate_series(1, 3000) AS i)
FROM generate_series(0, 7) AS k;
SELECT id, get_byte(influence_graph_send(g), 1) AS class, g::text::influence_graph = g AS text,
       influence_graph_send(g::text::influence_graph) = influence_graph_send(g) AS bytes,
       g = (SELECT influence_graph_agg(source, target, weight) FROM influence_edges(g)) AS edges,
       influence_node_count(g) = (SELECT count(*) FROM influence_nodes(g)) AS nodes
FROM graphs ORDER BY id;

-- degrees and weights of nodes against SQL
SELECT count(*) AS differences
FROM graphs, LATERAL (
    SELECT node, in_degree, out_degree, in_weight, out_weight FROM influence_nodes(g)
) AS n FULL JOIN LATERAL (
    SELECT node, count(*) FILTER (WHERE NOT out) AS in_degree, count(*) FILTER (WHERE out) AS out_degree,
           coalesce(sum(weight) FILTER (WHERE NOT out), 0) AS in_weight, coalesce(sum(weight) FILTER (WHERE out), 0) AS out_weight
    FROM (SELECT source AS node, true AS out, weight FROM influence_edges(g)
          UNION ALL SELECT target, false, weight FROM influence_edges(g)) AS ends
    GROUP BY node
) AS s USING (node)
WHERE (n.in_degree, n.out_degree) IS DISTINCT FROM (s.in_degree, s.out_degree)
   OR NOT abs(n.in_weight - s.in_weight) <= 1e-9 * s.in_weight
   OR NOT abs(n.out_weight - s.out_weight) <= 1e-9 * s.out_weight;

-- memory is bounded by maintenance_work_mem
SET maintenance_work_mem = '1MB';
CREATE TABLE wide AS SELECT influence_graph_agg(i, i + 1) AS g FROM generate_series(1, 200000) AS i;
SELECT error_of('SELECT * FROM wide, influence_edges(g)');
SELECT error_of('SELECT * FROM wide, influence_nodes(g)');
SELECT influence_node_count(g), influence_edge_count(g) FROM wide;
RESET maintenance_work_mem;
SELECT count(*) FROM wide, influence_edges(g);

-- every object has a comment
SELECT classid::regclass, pg_describe_object(classid, objid, objsubid)
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'influence')
  AND pg_describe_object(classid, objid, objsubid) ~ 'influence_(graph|node|edge|total|pagerank)'
  AND obj_description(objid, classid::regclass::name) IS NULL
  AND NOT pg_describe_object(classid, objid, objsubid) ~ '\[\]';

DROP TABLE graphs, wide;
DROP FUNCTION error_of;
