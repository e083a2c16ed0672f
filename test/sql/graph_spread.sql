-- influence_spread: exact answers, all worlds of a small graph, arguments.

SET client_min_messages = warning;
CREATE SCHEMA graph_spread;
SET search_path = graph_spread, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all

-- Along an edge it is the target who activates the source: 4 activates 9, who
-- activates the others, for certain, as each gives all attention to one.
SELECT s AS seed, spread, standard_error, simulations
FROM unnest('{1,4,9}'::bigint[]) s, influence_spread('{1>9,2>9,3>9,9>4}', ARRAY[s], simulations => 100);

-- Seeds count once, and nobody is activated twice.
SELECT * FROM influence_spread('{1>9,2>9,3>9,9>4,7}', '{4,4,9,1,7}', simulations => 10);
SELECT * FROM influence_spread('{1>9}', '{}', simulations => 10);
SELECT * FROM influence_spread('{}', '{}', simulations => 10);
SELECT * FROM influence_spread('{1>9}', '{9}', simulations => 1);
SELECT * FROM influence_spread(NULL, '{9}');
SELECT * FROM influence_spread('{1>9}', NULL);

-- All worlds of a graph: every subset of the edges is live with its
-- probability, or, for thresholds, one edge of each source.
CREATE TABLE edge AS SELECT row_number() OVER (ORDER BY source, target)::int - 1 AS i, source, target, weight,
    weight / sum(weight) OVER (PARTITION BY source) AS share
FROM influence_edges('{1>2:0.5,1>3:0.25,2>3:0.75,2>2:0.25,3>1:0.5,3>4:0.125,4>5:1,5>1:0.5,5>2:0.5,6>5:0.25}');
CREATE FUNCTION exact(cascade text, probability float8, seeds bigint[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    edges int := (SELECT count(*) FROM edge);
    p float8;
    reached bigint[];
    size int;
    total float8 := 0;
BEGIN
    FOR world IN 0 .. (1 << edges) - 1 LOOP
        IF cascade = 'threshold' THEN
            SELECT CASE WHEN bool_and(n = 1) THEN exp(sum(l)) ELSE 0 END INTO p
            FROM (SELECT count(*) FILTER (WHERE (world >> i) & 1 = 1) AS n, sum(ln(share)) FILTER (WHERE (world >> i) & 1 = 1) AS l
                  FROM edge GROUP BY source) s;
        ELSE
            SELECT CASE WHEN bool_and(q > 0) THEN exp(sum(ln(greatest(q, 1e-300)))) ELSE 0 END INTO p
            FROM (SELECT CASE WHEN (world >> i) & 1 = 1 THEN r ELSE 1 - r END AS q
                  FROM (SELECT i, CASE cascade WHEN 'uniform' THEN probability WHEN 'weights' THEN weight ELSE share END AS r FROM edge) e) q;
        END IF;
        CONTINUE WHEN p = 0;
        reached := seeds;
        LOOP
            size := cardinality(reached);
            SELECT array_agg(DISTINCT v) INTO reached
            FROM (SELECT unnest(reached) UNION SELECT source FROM edge WHERE (world >> i) & 1 = 1 AND target = ANY (reached)) r (v);
            EXIT WHEN cardinality(reached) = size;
        END LOOP;
        total := total + p * size;
    END LOOP;
    RETURN total;
END $$;
CREATE TABLE truth AS
SELECT cascade, probability, seeds, exact(cascade, probability, seeds) AS spread
FROM (VALUES ('weighted', NULL::float8), ('uniform', 0.3), ('weights', NULL), ('threshold', NULL)) c (cascade, probability),
     unnest(ARRAY['{1}', '{5}', '{2,4}']::text[]) s (s), LATERAL (SELECT s::bigint[] AS seeds) x;
SELECT cascade, seeds, round(t.spread::numeric, 3) AS exact, abs(s.spread - t.spread) < 4 * s.standard_error AS agrees,
    s.standard_error BETWEEN 0.0001 AND 0.02 AS certain
FROM truth t, influence_spread('{1>2:0.5,1>3:0.25,2>3:0.75,2>2:0.25,3>1:0.5,3>4:0.125,4>5:1,5>1:0.5,5>2:0.5,6>5:0.25}',
    seeds, cascade, probability, simulations => 20000) s
ORDER BY cascade COLLATE "C", seeds;

-- The same seed, the same answer; another seed, another one. NULL is 0.
SELECT count(DISTINCT s.spread) FROM (VALUES (1), (1), (1)) r (seed), influence_spread('{1>2,1>3,2>1,2>3,3>1}', '{1}', seed => r.seed) s;
SELECT count(DISTINCT s.spread) > 1 FROM generate_series(-3, 3) r (seed), influence_spread('{1>2,1>3,2>1,2>3,3>1}', '{1}', seed => r.seed) s;
SELECT a = b FROM influence_spread('{1>2,1>3,2>1,2>3,3>1}', '{1}') a, influence_spread('{1>2,1>3,2>1,2>3,3>1}', '{1}', seed => 0) b;

-- Weights as far apart as they may be.
-- 4 has 1 / 4.4 of its attention for 2, and 1.7 / 4.4 each for 3 and 5.
SELECT cascade, abs(spread - CASE cascade WHEN 'threshold' THEN 6 ELSE 6 - 3.4 / 4.4 * (2.7 / 4.4) ^ 2 END) <= 4 * standard_error AS agrees
FROM unnest('{weighted,threshold}'::text[]) cascade,
    influence_spread('{1>2:1e300,1>3:1e-300,4>2:1e308,4>5:1.7e308,4>3:1.7e308,6>3:1e-320}', '{2,3,5}', cascade, simulations => 1000) ORDER BY 1;

-- Bounds of probabilities.
SELECT p, spread FROM unnest('{0,1}'::float8[]) p, influence_spread('{1>2,2>3,3>1,4>1}', '{1}', 'uniform', p, simulations => 100) ORDER BY 1;

SELECT error_of($$SELECT influence_spread('{1>2}', '{3}')$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1,NULL}')$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{{1},{2}}')$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', 'independent')$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', NULL)$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', 'uniform')$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', 'weighted', 0.1)$$);
SELECT error_of(format($$SELECT influence_spread('{1>2}', '{1}', 'uniform', '%s')$$, p)) FROM unnest('{-0.1,1.1,NaN,Infinity}'::float8[]) p;
SELECT error_of($$SELECT influence_spread('{1>2:0.5,2>3:1.5}', '{1}', 'weights')$$);
SELECT error_of($$SELECT influence_spread('{1>2:2}', '{1}', 'weights')$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', simulations => 0)$$);
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', simulations => NULL)$$);
SET maintenance_work_mem = '1MB';
SELECT error_of($$SELECT influence_spread('{1>2}', '{1}', simulations => 1000000)$$);

RESET maintenance_work_mem;
DROP SCHEMA graph_spread CASCADE;
