-- What an owner may do to the tables of a model, and is not to crash on
\set VERBOSITY terse
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA model_owner;
SET search_path = model_owner, public;
CREATE TABLE log (source bigint, target bigint);
INSERT INTO log SELECT 1 + n % 5000, 1 + (n * 7 + 3) % 5000 FROM generate_series(1, 20000) n;
SELECT influence_create_model('m', 'log');
SELECT nodes FROM influence_refresh('m');

-- one call site, many look-ups, and a new snapshot now and then: while the
-- table is read row by row, when it is in memory, and when it does not fit
CREATE FUNCTION wrong_scores(times int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE wrong bigint := 0; s real; t real;
BEGIN
    FOR j IN 1 .. times LOOP
        s := influence_score(1 + j % 5000, 'm');
        IF j % 500 = 0 THEN
            UPDATE m_scores SET score = 1 + (score + 1)::int % 99 WHERE user_id = 1 + j % 5000;
            t := influence_score(1 + j % 5000, 'm');
            SELECT score INTO s FROM m_scores WHERE user_id = 1 + j % 5000;
            wrong := wrong + (s IS DISTINCT FROM t)::int;
        END IF;
    END LOOP;
    RETURN wrong;
END $$;
SELECT wrong_scores(12000);
SET work_mem = '64kB';
SELECT wrong_scores(12000);
SELECT count(*) FILTER (WHERE influence_score(user_id, 'm') IS DISTINCT FROM score) FROM m_scores, generate_series(1, 3);
RESET work_mem;

-- rows that a primary key would not have let in go with the next refresh
ALTER TABLE m_scores DROP CONSTRAINT m_scores_pkey;
ALTER TABLE m_scores ALTER user_id DROP NOT NULL;
INSERT INTO m_scores SELECT s.* FROM m_scores s, generate_series(1, 5) WHERE user_id < 3000;
INSERT INTO m_scores (user_id, score, percentile, influence, audience, responses, activity)
    SELECT NULL, 1, 1, 1, 1, 1, 1 FROM generate_series(1, 300);
SELECT nodes FROM influence_refresh('m');
SELECT count(*), count(user_id), count(DISTINCT user_id) FROM m_scores;
SELECT count(*) FILTER (WHERE influence_score(user_id, 'm') IS DISTINCT FROM score) FROM m_scores;
ALTER TABLE m_scores ADD PRIMARY KEY (user_id);

-- a partition keeps to its bounds
CREATE TABLE parent (LIKE m_scores) PARTITION BY RANGE (user_id);
ALTER TABLE parent ATTACH PARTITION m_scores FOR VALUES FROM (0) TO (6000);
INSERT INTO log VALUES (1, 7000);
SELECT nodes FROM influence_refresh('m');
ALTER TABLE parent DETACH PARTITION m_scores;
SELECT nodes FROM influence_refresh('m');

-- a table that is none of a model's is not dropped with it
CREATE TABLE precious (n int);
BEGIN;
UPDATE influence_model SET history = 'precious' WHERE name = 'm';
SELECT influence_drop_model('m');
ROLLBACK;
SELECT influence_drop_model('m');
SELECT relname FROM pg_class WHERE relnamespace = 'model_owner'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1;

-- who owns nothing holds no lock on the default
CREATE ROLE regress_influence_nobody;
SET ROLE regress_influence_nobody;
BEGIN;
SELECT influence_set_default(NULL);
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'object' AND mode = 'ExclusiveLock';
COMMIT;
RESET ROLE;
DROP ROLE regress_influence_nobody;
DROP SCHEMA model_owner CASCADE;
