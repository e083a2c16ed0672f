-- influence_pagerank: published answers, a direct solution, limits and errors.

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

-- Published answers, from the tests of LDBC Graphalytics (a fixed number of
-- iterations), NetworkX and igraph.  Undirected graphs have both arcs;
-- tolerance is the one published, relative where it is a number of digits.
CREATE TABLE known (
    name text, damping float8, iterations int, tolerance float8, relative boolean,
    restart bigint[], restart_weight float8[], g influence_graph, expected jsonb
);
INSERT INTO known VALUES
('ldbc-pr-dir50', 0.85, 14, 0.0001, true, NULL, NULL,
 '{1>19,1>21,1>22,1>27,1>31,1>37,1>45,1>48,2>3,2>20,2>39,2>46,3>6,3>10,3>32,3>41,3>45,4>15,5>15,5>16,5>18,5>28,5>47,6>49,7>6,7>27,7>43,7>46,8>5,8>21,8>29,8>30,8>32,8>43,9>16,9>18,9>21,9>28,9>30,9>35,9>40,10>9,10>13,10>28,10>29,10>33,11>3,11>39,12>47,12>50,13>7,13>12,13>17,13>32,13>48,14>4,14>20,14>21,14>35,14>38,14>40,15>8,15>24,15>31,15>35,15>44,17>5,17>9,17>11,17>16,17>26,17>37,18>1,18>12,18>28,18>30,18>44,18>45,18>47,18>50,19>10,19>11,19>13,19>27,19>38,20>15,20>25,21>22,21>27,21>31,21>32,21>40,22>19,22>26,22>27,22>31,23>22,23>35,23>36,23>38,23>40,23>46,23>47,24>9,24>13,24>15,24>34,24>36,24>50,25>8,25>24,25>30,25>34,25>41,25>47,26>7,26>31,26>37,26>40,26>44,26>47,27>31,27>33,27>43,28>8,28>32,28>42,28>45,29>1,29>2,29>12,29>14,29>16,29>19,29>20,29>36,30>9,30>24,30>34,30>44,31>11,31>17,31>32,31>39,31>46,31>47,32>2,32>28,32>29,32>30,32>31,33>7,33>8,33>9,33>10,33>32,33>34,33>37,34>26,34>48,35>3,35>10,35>17,35>24,35>26,35>28,35>33,35>41,36>20,36>21,36>29,36>32,36>46,37>1,37>5,37>9,37>13,37>23,37>24,38>2,38>22,38>50,39>6,39>8,39>20,39>28,39>30,39>47,39>48,40>5,40>7,40>8,40>11,40>33,40>34,40>37,40>49,41>24,41>43,43>1,43>2,43>11,43>15,43>17,43>29,43>38,43>47,44>11,44>13,44>15,45>5,45>11,45>12,45>21,45>24,46>23,46>24,46>26,46>31,46>36,46>41,47>8,47>14,47>16,47>28,47>29,47>34,47>35,47>40,47>42,47>46,47>50,48>8,48>19,48>30,48>35,48>38,48>43,48>50,49>7,49>8,49>17,49>18,50>4,50>28,50>47}',
 '{"1":0.01230514588446495,"2":0.01851622003726,"3":0.02089512714725092,"4":0.0117658538242089,"5":0.01812188699760293,"6":0.01370603172547424,"7":0.01766993644629599,"8":0.03400137250799818,"9":0.02253772178242931,"10":0.0131561420050695,"11":0.02654403475508309,"12":0.01386383239731235,"13":0.0203086450538747,"14":0.00902512774017356,"15":0.03672808695956838,"16":0.01771992643552917,"17":0.02031073797506916,"18":0.01298439013813405,"19":0.01267137259396788,"20":0.01679586725172487,"21":0.01911653027692032,"22":0.0128981741116451,"23":0.00882485667115226,"24":0.03290195003741163,"25":0.01067032002801407,"26":0.0236953012325217,"27":0.01673916517786888,"28":0.03375421104823002,"29":0.02465138400978424,"30":0.02526104021117763,"31":0.03431971273393954,"32":0.03497314211893426,"33":0.01458158825232488,"34":0.02164031394989468,"35":0.02020836868133508,"36":0.01508472096454471,"37":0.01476737354061426,"38":0.01319038598708231,"39":0.02360994727883383,"40":0.0180994355386105,"41":0.01394375154429174,"42":0.01357868803688285,"43":0.02524445976750379,"44":0.01988024806748353,"45":0.01694403111121369,"46":0.02259342804847692,"47":0.03719089314603851,"48":0.02035602345369202,"49":0.01710526843866147,"50":0.02454782687642342}'),
('ldbc-pr-undir50', 0.85, 26, 0.0001, true, NULL, NULL,
 '{1>20,1>23,1>25,1>41,2>9,2>10,2>19,2>28,2>49,3>5,4>9,4>26,4>29,4>33,4>37,5>3,5>15,5>45,6>8,6>9,6>13,6>21,6>24,6>26,7>13,7>25,7>28,8>6,8>14,8>16,8>17,8>25,8>38,9>2,9>4,9>6,9>17,9>19,9>40,9>47,10>2,10>11,10>13,10>39,11>10,11>13,11>19,11>22,11>37,11>39,11>42,12>49,13>6,13>7,13>10,13>11,13>17,13>40,13>41,14>8,14>18,14>38,15>5,15>21,15>28,16>8,16>28,16>50,17>8,17>9,17>13,17>20,17>36,18>14,18>34,18>42,19>2,19>9,19>11,19>35,19>37,19>46,19>48,20>1,20>17,20>41,21>6,21>15,21>26,21>32,21>33,21>41,21>48,22>11,22>24,22>28,22>44,23>1,23>50,24>6,24>22,24>25,24>28,24>42,25>1,25>7,25>8,25>24,25>43,26>4,26>6,26>21,26>34,26>37,26>41,26>48,27>38,27>45,27>46,27>48,27>49,28>2,28>7,28>15,28>16,28>22,28>24,28>40,29>4,29>46,29>49,30>33,30>41,30>44,31>37,31>40,31>41,31>43,31>45,32>21,32>34,32>40,32>49,33>4,33>21,33>30,34>18,34>26,34>32,34>35,34>42,34>43,35>19,35>34,35>48,36>17,37>4,37>11,37>19,37>26,37>31,37>47,38>8,38>14,38>27,38>45,38>48,39>10,39>11,39>46,39>48,39>49,40>9,40>13,40>28,40>31,40>32,40>46,41>1,41>13,41>20,41>21,41>26,41>30,41>31,41>42,42>11,42>18,42>24,42>34,42>41,42>49,43>25,43>31,43>34,44>22,44>30,45>5,45>27,45>31,45>38,46>19,46>27,46>29,46>39,46>40,47>9,47>37,47>49,48>19,48>21,48>26,48>27,48>35,48>38,48>39,49>2,49>12,49>27,49>29,49>32,49>39,49>42,49>47,50>16,50>23}',
 '{"1":0.019994702651822727,"2":0.020610527884557025,"3":0.008226197386781101,"4":0.021139185066112783,"5":0.018444923156792234,"6":0.024084954259336728,"7":0.013969559462575373,"8":0.02668963976681411,"9":0.028142861825430434,"10":0.0167741910684128,"11":0.027637864862787215,"12":0.006621828608749126,"13":0.028324716269103052,"14":0.014542367946479423,"15":0.015402400704682247,"16":0.01596880444520349,"17":0.023834104226113394,"18":0.014200722829925825,"19":0.0273410188338063,"20":0.014831275189133464,"21":0.028735574782495082,"22":0.018477892825502034,"23":0.0127497982048853,"24":0.021373651088358408,"25":0.02260732176089701,"26":0.027376096254376446,"27":0.02134703764359033,"28":0.030362032973210468,"29":0.013746478682938448,"30":0.015427396286657406,"31":0.021464508199961305,"32":0.017138368029391664,"33":0.0144541313014486,"34":0.025238308891148063,"35":0.013262988386629346,"36":0.0070517851315193706,"37":0.024052774570892436,"38":0.021986830533936328,"39":0.020440927586411146,"40":0.024365531838954662,"41":0.03322922856031516,"42":0.024740924162144014,"43":0.014067683035912583,"44":0.011297668545718825,"45":0.019241976534635333,"46":0.02077051826476872,"47":0.013446644926660565,"48":0.027733140385859008,"49":0.034087820865793435,"50":0.012943113300369766}'),
('ldbc-example-directed', 0.85, 2, 0.0001, true, NULL, NULL,
 '{1>3,1>5,2>4,2>5,2>10,3>1,3>5,3>8,3>10,5>3,5>4,5>8,6>3,6>4,7>4,8>1,9>4}',
 '{"1":0.1477629166666667,"2":0.04753375,"3":0.1550469444444444,"4":0.1597573611111111,"5":0.14624,"6":0.04753375,"7":0.04753375,"8":0.1135740277777778,"9":0.04753375,"10":0.08748375000000001}'),
('ldbc-example-undirected', 0.85, 2, 0.0001, true, NULL, NULL,
 '{2>3,2>4,3>2,3>4,3>5,3>8,4>2,4>3,5>3,5>6,5>8,6>5,6>7,6>8,6>9,6>10,7>6,7>9,8>3,8>5,8>6,9>6,9>7,10>6}',
 '{"2":0.09084490740740739,"3":0.1424089506172839,"4":0.09084490740740739,"5":0.1249891975308642,"6":0.1686172839506173,"7":0.09749537037037037,"8":0.1249891975308642,"9":0.09749537037037037,"10":0.06231481481481481}'),
('nx-langville-pr09', 0.9, NULL, 0.0001, false, NULL, NULL,
 '{1>2,1>3,3>1,3>2,3>5,4>5,4>6,5>4,5>6,6>4}',
 '{"1":0.03721197,"2":0.05395735,"3":0.04150565,"4":0.37508082,"5":0.20599833,"6":0.28624589}'),
('nx-k4-ppr-1144', 0.85, NULL, 0.0001, false, '{0,1,2,3}', '{1,1,4,4}',
 '{0>1,0>2,0>3,1>0,1>2,1>3,2>0,2>1,2>3,3>0,3>1,3>2}',
 '{"0":0.23246732615667579,"1":0.23246732615667579,"2":0.267532673843324,"3":0.2675326738433241}'),
('nx-k4-ppr-one', 0.85, NULL, 0.0001, false, '{3}', '{1}',
 '{0>1,0>2,0>3,1>0,1>2,1>3,2>0,2>1,2>3,3>0,3>1,3>2}',
 '{"0":0.22077931820379187,"1":0.22077931820379187,"2":0.22077931820379187,"3":0.3376620453886241}'),
('nx-multigraph', 0.85, NULL, 0.0001, false, NULL, NULL,
 '{1>2,2>1,1>2,2>1,1>2,2>1,2>3,3>2,2>3,3>2,4>3,3>4,4>3,3>4}',
 '{"1":0.21066048614468322,"2":0.3395308825985378,"4":0.16046911740146227}'),
('igraph-pr-1', 0.85, NULL, 5e-06, true, NULL, NULL,
 '{0>1,1>0,1>2,2>1,2>0,0>2,3>2,2>3,0>2,2>0}',
 '{"0":0.288717,"1":0.201989,"2":0.389109,"3":0.120186}'),
('igraph-pr-2', 0.85, NULL, 5e-06, true, NULL, NULL,
 '{0>1,1>0,0>2,2>0,0>3,3>0,1>0,0>1,2>0,0>2,3>0,0>3,3>4,4>3,3>5,5>3,3>6,6>3,3>7,7>3,4>0,0>4,5>0,0>5,6>0,0>6,7>0,0>7}',
 '{"0":0.336204,"1":0.0759047,"2":0.0759047,"3":0.205964,"4":0.0765056,"5":0.0765056,"6":0.0765056,"7":0.0765056}'),
('igraph-star11', 0.85, NULL, 5e-06, true, NULL, NULL,
 '{0>1,0>2,0>3,0>4,0>5,0>6,0>7,0>8,0>9,0>10,1>0,2>0,3>0,4>0,5>0,6>0,7>0,8>0,9>0,10>0}',
 '{"0":0.46683,"1":0.053317,"2":0.053317,"3":0.053317,"4":0.053317,"5":0.053317,"6":0.053317,"7":0.053317,"8":0.053317,"9":0.053317,"10":0.053317}'),
('igraph-star11-ppr', 0.5, NULL, 5e-06, true, '{1}', '{1}',
 '{0>1,0>2,0>3,0>4,0>5,0>6,0>7,0>8,0>9,0>10,1>0,2>0,3>0,4>0,5>0,6>0,7>0,8>0,9>0,10>0}',
 '{"0":0.333333,"1":0.516667,"2":0.0166667,"3":0.0166667,"4":0.0166667,"5":0.0166667,"6":0.0166667,"7":0.0166667,"8":0.0166667,"9":0.0166667,"10":0.0166667}'),
('igraph-two-isolated-ppr', 0.85, NULL, 5e-06, true, '{0,1,2,3}', '{1,2,3,4}',
 '{0>1,1>0,2,3}',
 '{"0":0.36036,"1":0.38038,"2":0.111111,"3":0.148148}'),
('igraph-pr-3-weighted', 0.85, NULL, 5e-06, true, NULL, NULL,
 '{0>5:4,1>5:5,2>0:5,3>1:4,5>4:4,5>7:4,6>0:3,8>0:4,8>1:4}',
 '{"0":0.143734,"1":0.104639,"2":0.045995,"3":0.045995,"4":0.155268,"5":0.257112,"6":0.045995,"7":0.155268,"8":0.045995}'),
('igraph-multigraph', 0.85, NULL, 5e-06, true, NULL, NULL,
 '{0>1,1>0,1>2,2>1,1>2,2>1}',
 '{"0":0.187838,"1":0.486486,"2":0.325676}');

SET client_min_messages = error;  -- a fixed number of iterations does not converge
SELECT name, count(*) AS compared,
       bool_and(abs(rank - answer::float8) <= tolerance * CASE WHEN relative THEN answer::float8 ELSE 1 END) AS agree
FROM known, jsonb_each_text(expected) AS e(id, answer),
     influence_pagerank(g, damping, CASE WHEN iterations IS NULL THEN 1e-12 ELSE 0 END,
                        coalesce(iterations, 1000), restart, restart_weight) AS r
WHERE node = id::bigint
GROUP BY name ORDER BY name COLLATE "C";
RESET client_min_messages;

-- a direct solution: (I - d (P' + q dangling')) x = (1 - d) q by Gaussian
-- elimination with partial pivoting
CREATE FUNCTION direct_pagerank(g influence_graph, d float8, q float8[]) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
    id bigint[] = (SELECT array_agg(node ORDER BY node) FROM influence_nodes(g));
    out_weight float8[] = (SELECT array_agg(n.out_weight ORDER BY node) FROM influence_nodes(g) AS n);
    n int = cardinality(id);
    a float8[][];
    b float8[];
    x float8[] = array_fill(0::float8, ARRAY[n]);
    e record;
    pivot int;
    swap float8;
    factor float8;
BEGIN
    a = array_fill(0::float8, ARRAY[n, n]);
    FOR i IN 1 .. n LOOP
        a[i][i] = 1;
        b[i] = (1 - d) * q[i];
    END LOOP;
    FOR e IN SELECT array_position(id, source) AS u, array_position(id, target) AS v, weight FROM influence_edges(g) LOOP
        a[e.v][e.u] = a[e.v][e.u] - d * e.weight / out_weight[e.u];
    END LOOP;
    FOR u IN 1 .. n LOOP
        CONTINUE WHEN out_weight[u] > 0;
        FOR v IN 1 .. n LOOP
            a[v][u] = a[v][u] - d * q[v];
        END LOOP;
    END LOOP;
    FOR k IN 1 .. n LOOP
        pivot = k;
        FOR i IN k + 1 .. n LOOP
            IF abs(a[i][k]) > abs(a[pivot][k]) THEN
                pivot = i;
            END IF;
        END LOOP;
        IF pivot <> k THEN
            FOR j IN 1 .. n LOOP
                swap = a[k][j]; a[k][j] = a[pivot][j]; a[pivot][j] = swap;
            END LOOP;
            swap = b[k]; b[k] = b[pivot]; b[pivot] = swap;
        END IF;
        FOR i IN k + 1 .. n LOOP
            factor = a[i][k] / a[k][k];
            CONTINUE WHEN factor = 0;
            FOR j IN k .. n LOOP
                a[i][j] = a[i][j] - factor * a[k][j];
            END LOOP;
            b[i] = b[i] - factor * b[k];
        END LOOP;
    END LOOP;
    FOR i IN REVERSE n .. 1 LOOP
        x[i] = b[i];
        FOR j IN i + 1 .. n LOOP
            x[i] = x[i] - a[i][j] * x[j];
        END LOOP;
        x[i] = x[i] / a[i][i];
    END LOOP;
    RETURN x;
END $$;

-- random graphs with dangling nodes, self-loops, lone nodes, weights of all sizes
CREATE TABLE random_graphs AS
SELECT k, (SELECT influence_graph_agg(hashint8extended(i, k) & 15, hashint8extended(i, k + 100) & 31,
                  CASE k % 3 WHEN 0 THEN 1 WHEN 1 THEN (hashint8extended(i, k + 200) & 255) / 16.0 + 0.1
                             ELSE power(10, (hashint8extended(i, k + 200) & 7) - 4) END)
           FROM generate_series(1::bigint, 20 + k * 5) AS i) + '{-100,5>5:2,1000}' AS g
FROM generate_series(1, 12) AS k;
SELECT k, d, restart IS NULL AS uniform, count(*) > 10 AS large, bool_or(out_degree = 0) AS dangling,
       max(abs(rank - x[position])) < 1e-9 AS agree, abs(sum(rank) - 1) < 1e-12 AS sums_to_1
FROM (
    SELECT k, d, g, restart, n.ids, n.out_degrees,
           direct_pagerank(g, d, CASE WHEN restart IS NULL THEN n.uniform ELSE n.personal END) AS x,
           CASE WHEN restart IS NOT NULL THEN ARRAY[1, 2, 0, 1]::float8[] END AS restart_weight
    FROM random_graphs, unnest('{0.5,0.85,0.99}'::float8[]) AS d, (VALUES (NULL::bigint[]), ('{5,1000,-100,5}')) AS r(restart),
         LATERAL (SELECT array_agg(node ORDER BY node) AS ids, array_agg(out_degree ORDER BY node) AS out_degrees,
                         array_agg(1.0::float8 / influence_node_count(g) ORDER BY node) AS uniform,
                         array_agg(CASE node WHEN 5 THEN 0.5 WHEN 1000 THEN 0.5 ELSE 0 END::float8 ORDER BY node) AS personal
                  FROM influence_nodes(g)) AS n
    WHERE k <= 6 OR d = 0.85
) AS c, LATERAL (
    SELECT array_position(ids, node) AS position, node, rank, out_degrees[array_position(ids, node)] AS out_degree
    FROM influence_pagerank(g, d, 1e-13, 10000, restart, restart_weight)
) AS r
GROUP BY k, d, restart ORDER BY k, d, restart IS NULL;

-- defaults, order of rows, empty and NULL graphs
SELECT node, round(rank::numeric, 8) FROM influence_pagerank('{3>1,2>1,1>3:2,-7,3>2}');
SELECT * FROM influence_pagerank('{}');
SELECT * FROM influence_pagerank(NULL);
SELECT * FROM influence_pagerank('{42}');
SELECT node, round(rank::numeric, 8) FROM influence_pagerank('{1>2}', damping => 0);
SELECT node, round(rank::numeric, 8) FROM influence_pagerank('{1>2,2>3,3>1}', damping => 1);
SELECT node, round(rank::numeric, 8) FROM influence_pagerank('{1>2,2>3}', restart => '{2,2,3}');
SELECT node, round(rank::numeric, 8) FROM influence_pagerank('{1>2,2>3}', restart => '{3,2,2}', restart_weight => '{1.7e308,1.7e308,1.7e308}');
SELECT node, round(rank::numeric, 8) FROM influence_pagerank('{1>2,2>3}', restart => '{3,2}', restart_weight => '{5e-324,1e-323}');

-- extreme weights: only their ratios at one source matter
SELECT max(abs(a.rank - b.rank)) < 1e-12 AS huge
FROM influence_pagerank('{1>2:1.7e308,1>3:1.7e308,2>1:5e-324,3>1:1.7e308,3>2:1.7e308}', 0.85, 1e-13, 1000) AS a
JOIN influence_pagerank('{1>2,1>3,2>1,3>1,3>2}', 0.85, 1e-13, 1000) AS b USING (node);
SELECT max(abs(a.rank - b.rank)) < 1e-12 AS tiny
FROM influence_pagerank('{1>2:5e-324,1>3:1e-323,2>1,3>1:1e308,3>2:1e-308}', 0.85, 1e-13, 1000) AS a
JOIN influence_pagerank('{1>2:1,1>3:2,2>1,3>1}', 0.85, 1e-13, 1000) AS b USING (node);
SELECT max(abs(a.rank - b.rank)) < 1e-12 AS scaled
FROM random_graphs, LATERAL influence_pagerank(g * 1e-290, 0.85, 1e-13, 1000) AS a
     JOIN LATERAL influence_pagerank(g, 0.85, 1e-13, 1000) AS b USING (node);

-- not converged
SELECT count(*) FROM influence_pagerank('{1>2,2>3,3>1,1>3}', max_iterations => 2);
SELECT count(*) FROM influence_pagerank('{1>2,2>1,3>1}', damping => 1, max_iterations => 5);

-- errors
SELECT arguments, error_of(format($q$SELECT * FROM influence_pagerank('{1>2,2>3}', %s)$q$, arguments))
FROM (VALUES
    ('damping => 1.5'), ('damping => -0.1'), ($$damping => 'NaN'$$), ('damping => NULL'),
    ('tolerance => -1'), ($$tolerance => 'NaN'$$), ($$tolerance => 'Infinity'$$), ('tolerance => NULL'),
    ('max_iterations => 0'), ('max_iterations => -1'), ('max_iterations => NULL'),
    ($$restart => '{9}'$$), ($$restart => '{1,9}'$$), ($$restart => '{}'$$), ($$restart => '{1,NULL}'$$), ($$restart => '{{1},{2}}'$$),
    ($$restart_weight => '{1}'$$), ($$restart => '{1}', restart_weight => '{1,2}'$$), ($$restart => '{1}', restart_weight => '{}'$$),
    ($$restart => '{1}', restart_weight => '{0}'$$), ($$restart => '{1}', restart_weight => '{-1}'$$),
    ($$restart => '{1}', restart_weight => '{NaN}'$$), ($$restart => '{1}', restart_weight => '{Infinity}'$$),
    ($$restart => '{1}', restart_weight => '{NULL}'$$), ($$restart => '{1}', restart_weight => '{{1}}'$$)
) AS v(arguments);

-- memory, and a larger graph: ranks sum to 1
CREATE TABLE large AS
SELECT influence_graph_agg(hashint8extended(i, 1) & hashint8extended(i, 2) & 32767, hashint8extended(i, 3) & hashint8extended(i, 4) & 32767, i % 9) AS g
FROM generate_series(1::bigint, 200000) AS i;
SET maintenance_work_mem = '1MB';
SELECT error_of('SELECT * FROM large, influence_pagerank(g)') ~ '^53400 graph needs about \d+ MB of memory' AS limited;
RESET maintenance_work_mem;
SELECT abs(sum(rank) - 1) < 1e-12 AS sums_to_1, count(*) = influence_node_count(g) AS complete, min(rank) > 0 AS positive
FROM large, influence_pagerank(g) GROUP BY influence_node_count(g);

DROP TABLE known, random_graphs, large;
DROP FUNCTION error_of, direct_pagerank;
