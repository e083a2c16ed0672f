-- Refreshes with workers, on data small enough for slow builds: the same
-- results as without, also when everything changes within a transaction
\set VERBOSITY terse
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA model_workers;
SET search_path = model_workers, public;
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;

-- users whose published rows differ between two models
CREATE FUNCTION differing(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    EXECUTE format($q$
        SELECT count(*) FROM %I x FULL JOIN %I y USING (user_id)
        WHERE (x.audience, x.score, x.percentile) IS DISTINCT FROM (y.audience, y.score, y.percentile)
           OR abs(x.influence - y.influence) > 1e-12 * y.influence
           OR abs(x.responses - y.responses) > 1e-12 * y.responses
           OR abs(x.activity - y.activity) > 1e-12 * y.activity
        $q$, a || '_scores', b || '_scores') INTO n;
    RETURN n;
END $$;

BEGIN;
CREATE TABLE log AS
    SELECT n % 7000 AS source, n::bigint * n % 90 AS target, 'user ' || n % 7000 AS source_name,
           'user ' || n::bigint * n % 90 AS target_name, 1 + n % 3 AS weight,
           timestamptz '2025-01-01 00:00+00' - n * interval '1 minute' AS at
    FROM generate_series(1, 60000) n;
SELECT influence_create_model('many', 'log'), influence_create_model('one', 'log');
SELECT workers > 0 AS has_workers, interactions, skipped, nodes, edges, changed
FROM influence_refresh('many');
SET LOCAL max_parallel_maintenance_workers = 0;
SELECT workers, interactions, skipped, nodes, edges, changed FROM influence_refresh('one');
SELECT differing('many', 'one');
-- everybody turns to one user
UPDATE log SET target = 8;
SET LOCAL max_parallel_maintenance_workers = 2;
SELECT workers > 0 AS has_workers, interactions, skipped, nodes, edges FROM influence_refresh('many');
SET LOCAL max_parallel_maintenance_workers = 0;
SELECT workers, interactions, skipped, nodes, edges FROM influence_refresh('one');
SELECT differing('many', 'one');
COMMIT;

-- texts, weights and ageing; with little memory edges go to files
SELECT influence_create_model('text_many', 'log', 'source_name', 'target_name', weight => 'weight', at => 'at'),
       influence_create_model('text_one', 'log', 'source_name', 'target_name', weight => 'weight', at => 'at');
SET maintenance_work_mem = '3MB';
SELECT workers > 0 AS has_workers, interactions, nodes, edges, changed
FROM influence_refresh('text_many', as_of => '2025-01-01 00:00+00');
SET max_parallel_maintenance_workers = 0;
SELECT workers, interactions, nodes, edges, changed
FROM influence_refresh('text_one', as_of => '2025-01-01 00:00+00');
SELECT differing('text_many', 'text_one');
RESET maintenance_work_mem;
SELECT changed FROM influence_refresh('text_one', as_of => '2025-01-01 00:00+00');

SELECT influence_drop_model(name) FROM influence_models;
DROP TABLE log;
DROP FUNCTION differing;
DROP SCHEMA model_workers CASCADE;
