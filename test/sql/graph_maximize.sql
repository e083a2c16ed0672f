-- influence_maximize: known answers, limits, costs, and arguments.  Certificates
-- are held against the truth, and against simulations, in test/t/040_maximize.pl.

SET client_min_messages = warning;
CREATE SCHEMA graph_maximize;
SET search_path = graph_maximize, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all

-- Along an edge it is the target who activates the source: 4 activates 9, who
-- activates the others.  7 and 8 nobody activates: they count for themselves.
SELECT position, node, cost, round(gain) AS gain, round(spread) AS spread,
    spread_lower BETWEEN 0.95 * spread AND spread AS lower, optimum_upper BETWEEN spread AND 7 AS upper
FROM influence_maximize('{1>9,2>9,3>9,9>4,7,8}', 3, epsilon => 0.02);

-- A chain, a cycle and a star, in each cascade that makes them certain.
SELECT cascade, string_agg(node || ' ' || round(gain), ', ' ORDER BY position) AS seeds
FROM unnest('{weighted,weights,threshold}'::text[]) cascade,
    influence_maximize('{1>2,2>3,3>4,11>12,12>13,13>11,21>20,22>20,23>20,24>20}', 4, cascade, exclude => '{12,13}')
GROUP BY cascade ORDER BY cascade COLLATE "C";

-- Where nobody activates anybody everything is exact.
SELECT * FROM influence_maximize('{5,3,9}', 2);
SELECT * FROM influence_maximize('{5>5,3>5}', 5, 'uniform', 0);
SELECT * FROM influence_maximize('{5>5:2}', 5);

-- No graph, no nodes, no candidates, nothing to spend.
SELECT count(*) FROM influence_maximize(NULL, 5);
SELECT count(*) FROM influence_maximize('{}', 5);
SELECT count(*) FROM influence_maximize('{1>2}', 5, candidates => '{}');
SELECT count(*) FROM influence_maximize('{1>2}', 5, candidates => '{3,4}');
SELECT count(*) FROM influence_maximize('{1>2}', 5, exclude => '{1,2}');
SELECT count(*) FROM influence_maximize('{1>2}', 5, active => '{1,2}');
SELECT count(*) FROM influence_maximize('{1>2}', 5, budget => 0.9);
SELECT count(*) FROM influence_maximize('{1>2}', 5, candidates => '{1,2}', costs => '{2,3}', budget => 1);

-- As many seeds as there are, those who add nothing included.
SELECT min(node) FILTER (WHERE position = 1) AS first, count(DISTINCT node) AS seeds, round(max(spread)) AS spread
FROM unnest('{2,2147483647}'::int[]) n, influence_maximize('{1>2,3>2}', n) GROUP BY n ORDER BY n;

-- Candidates and exclusions are about seeds only: the others still pass on what
-- they are told.  Nodes that are not in the graph are left out.
SELECT node, round(spread) FROM influence_maximize('{1>2,2>3,3>4}', 1, candidates => '{1,2,99,2}');
SELECT node, round(spread) FROM influence_maximize('{1>2,2>3,3>4}', 1, exclude => '{4,99}');
SELECT node, round(spread) FROM influence_maximize('{1>2,2>3,3>4}', 1, candidates => '{2,3}', exclude => '{3}');

-- What is active already does not count again: 20 would reach more than 30,
-- but most of that is reached by 10; nothing is left after 20 and 30.
SELECT node, round(spread) FROM influence_maximize('{10>20,1>10,2>10,3>10,4>20,5>30,6>30}', 1);
SELECT node, round(spread) FROM influence_maximize('{10>20,1>10,2>10,3>10,4>20,5>30,6>30}', 1, active => '{10}');
SELECT spread, optimum_upper < 0.1 AS nothing FROM influence_maximize('{10>20,1>10,2>10,3>10,4>20,5>30,6>30}', 1, active => '{20,30}');
-- 2 becomes active by 1 half of the time
SELECT node, abs(spread - 0.5) < 0.05 AS half FROM influence_maximize('{2>1,2>3}', 1, candidates => '{2}', active => '{1}');

-- A budget without costs is a number of seeds.
SELECT count(*) FROM influence_maximize('{1>2,3>4,5>6}', 3, budget => 2.9);
SELECT count(*) FROM influence_maximize('{1>2,3>4,5>6}', NULL, budget => 2.9);

-- Costs: 10 reaches 6 for 5, and each of 20, 30 and 40 reaches 3 for 2.
SELECT budget, sum(cost) <= budget AS affordable, round(max(spread)) AS spread, max(optimum_upper) >= 0.99 * max(spread) AS bounded
FROM unnest('{1,2,4,5,6,7,9,11}'::float8[]) budget,
    influence_maximize('{1>10,2>10,3>10,4>10,5>10,21>20,22>20,31>30,32>30,41>40,42>40}', 4,
                       candidates => '{10,20,30,40}', costs => '{5,2,2,2}', budget => budget)
GROUP BY 1 ORDER BY 1;
-- By gain for the cost 2 would come first, and leave nothing for 10.
SELECT node, cost, round(spread) AS spread
FROM influence_maximize('{1>2,3>10,4>10,5>10,6>10,7>10,8>10,9>10}', NULL, candidates => '{2,10}', costs => '{1,10}', budget => 10);
-- What is free is taken; what cannot be paid is not.
SELECT node, cost, round(spread) AS spread
FROM influence_maximize('{1>2,3>4,5>6,7>6}', 3, candidates => '{2,4,6}', costs => '{0,1,5}', budget => 1);
-- Nobody buys what adds nothing.
SELECT array_agg(node) FROM influence_maximize('{1>2}', NULL, candidates => '{1,2}', costs => '{1,1}', budget => 5);
-- Two limits at once: 20 of the cheapest, or one of the best, reach less.
SELECT round(max(spread)) AS spread, count(*) AS seeds, sum(cost) AS cost
FROM (SELECT influence_graph_agg(s, t) AS g
      FROM (SELECT 1000 + i AS s, 1::bigint AS t FROM generate_series(1, 10) i
            UNION ALL SELECT 2000 + 10 * j + i, 10 + j FROM generate_series(1, 4) i, generate_series(1, 3) j
            UNION ALL SELECT 3000 + j, 20 + j FROM generate_series(1, 9) j) e) g,
    influence_maximize(g, 3, candidates => (SELECT array_agg(v) FROM (SELECT 1 UNION ALL SELECT 10 + generate_series(1, 3) UNION ALL SELECT 20 + generate_series(1, 9)) v (v)),
        costs => (SELECT array_agg(c) FROM (SELECT 9.0::float8 UNION ALL SELECT 3.0 FROM generate_series(1, 3) UNION ALL SELECT 1.0 FROM generate_series(1, 9)) c (c)),
        budget => 9);

-- The same seed, the same answer; another seed, other samples.  NULL is 0.
CREATE TABLE web AS
SELECT influence_graph_agg(i % 97, (i * i) % 101, 1 + i % 5) AS g FROM generate_series(1::bigint, 1000) i WHERE i % 97 <> (i * i) % 101;
SELECT count(DISTINCT m::text) FROM web, (VALUES (1), (1)) r (seed), influence_maximize(g, 1, seed => r.seed) m;
SELECT count(DISTINCT spread) > 1 AS differ FROM web, generate_series(-3, 3) r (seed), influence_maximize(g, 1, seed => r.seed) m;
SELECT bool_and(a = b) FROM web, influence_maximize(g, 5) a, influence_maximize(g, 5, seed => 0) b WHERE a.position = b.position;

-- Prefixes of a longer list; gains add up; bounds are in order.
SELECT count(*), bool_and(abs(spread - (SELECT sum(gain) FROM web, influence_maximize(g, 10) b WHERE b.position <= a.position)) < 1e-9) AS gains,
    bool_and(spread_lower <= spread AND spread_lower <= optimum_upper AND optimum_upper <= 101) AS bounds,
    min(spread_lower / optimum_upper) > 1 - exp(-1) - 0.1 AS certain
FROM web, influence_maximize(g, 10) a;

-- A stricter epsilon brings the bounds together.
SELECT epsilon, max(optimum_upper) - max(spread_lower) < lag(max(optimum_upper) - max(spread_lower)) OVER (ORDER BY epsilon DESC) AS closer
FROM web, unnest('{0.5,0.1,0.02}'::float8[]) epsilon, influence_maximize(g, 3, epsilon => epsilon) GROUP BY 1 ORDER BY 1 DESC;

-- Weights as far apart as they may be.
SELECT cascade, node, round(spread) FROM unnest('{weighted,threshold}'::text[]) cascade,
    influence_maximize('{1>2:1e300,1>3:1e-300,4>2:1e308,4>2:0.7e308,4>5:1e-320}', 1, cascade) ORDER BY 1;

-- What memory does not allow is said.
SET maintenance_work_mem = '1MB';
\set VERBOSITY terse
SELECT count(*) FROM web, influence_maximize(g, 3, epsilon => 0.003);
\set VERBOSITY default
RESET maintenance_work_mem;

SELECT error_of($$SELECT influence_maximize('{1>2}', 0)$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', NULL)$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, 'viral')$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, 'uniform')$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, 'threshold', 0.5)$$);
SELECT error_of($$SELECT influence_maximize('{1>2,2>3:1.5}', 1, 'weights')$$);
SELECT error_of(format($$SELECT influence_maximize('{1>2}', 1, epsilon => '%s')$$, p)) FROM unnest('{0,1,NaN}'::float8[]) p;
SELECT error_of(format($$SELECT influence_maximize('{1>2}', 1, delta => '%s')$$, p)) FROM unnest('{0,1,-0.1}'::float8[]) p;
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, epsilon => NULL)$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, candidates => '{1,NULL}')$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, exclude => '{{1},{2}}')$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, costs => '{1,2}', budget => 1)$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, candidates => '{1,2}', costs => '{1,2}')$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, candidates => '{1,2}', costs => '{1}', budget => 1)$$);
SELECT error_of($$SELECT influence_maximize('{1>2}', 1, candidates => '{1,2,1}', costs => '{1,2,3}', budget => 1)$$);
SELECT error_of(format($$SELECT influence_maximize('{1>2}', 1, candidates => '{1,2}', costs => '{1,%s}', budget => 1)$$, c)) FROM unnest('{-1,NaN,Infinity}'::float8[]) c;
SELECT error_of(format($$SELECT influence_maximize('{1>2}', 1, budget => '%s')$$, b)) FROM unnest('{-1,NaN,Infinity}'::float8[]) b;

-- Volatility and parallel safety.
SELECT proname, provolatile, proparallel FROM pg_proc WHERE proname IN ('influence_maximize', 'influence_spread') ORDER BY 1;

RESET maintenance_work_mem;
DROP SCHEMA graph_maximize CASCADE;
