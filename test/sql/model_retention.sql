-- How long the history of a model is kept.
SET client_min_messages = warning;
CREATE SCHEMA model_retention;
SET search_path = model_retention, public;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
\set ECHO none
\i test/sql/include/errors.sql
-- Refresh so that every score changes, and say what the history has then.
CREATE FUNCTION refreshed(name text, as_of timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	INSERT INTO log SELECT 1, 100 + count(*) FROM log;
	PERFORM influence_refresh(name, as_of => as_of);
	EXECUTE format('SELECT string_agg(day || '' '' || rows, '', '' ORDER BY day)
		FROM (SELECT at::date AS day, count(*) > 0 AS rows FROM %I GROUP BY 1) h', name || '_history') INTO result;
	RETURN result;
END
$$;
\set ECHO all
\pset format unaligned
\pset tuples_only on

CREATE TABLE log (source bigint, target bigint);
INSERT INTO log VALUES (1, 2), (2, 3), (3, 1);

-- for ever, unless a model says otherwise
SELECT influence_create_model('ever', 'log');
SELECT keep_history IS NULL FROM influence_models WHERE name = 'ever';
SELECT refreshed('ever', '1900-01-01');
SELECT refreshed('ever', '2020-01-01');
SELECT count(*) FROM pg_index WHERE indrelid = 'ever_history'::regclass AND indkey::text = '3';

-- what is older than that goes, what is as old stays
SELECT influence_create_model('m', 'log', keep_history => '10 days');
SELECT keep_history FROM influence_models WHERE name = 'm';
SELECT indexdef FROM pg_indexes WHERE schemaname = 'model_retention' AND tablename = 'm_history' AND indexdef LIKE '%(at)';
SELECT refreshed('m', '2025-01-01');
SELECT refreshed('m', '2025-01-05');
SELECT refreshed('m', '2025-01-11');
SELECT refreshed('m', '2025-01-11 00:00:00.000001');
-- counted from the time of the run, also when that is not the last one
SELECT refreshed('m', '2025-01-03');
SELECT refreshed('m', '2025-01-16');
-- the tables of scores and the other model's history are untouched
SELECT count(*) = (SELECT count(DISTINCT u) FROM log, unnest(ARRAY[source, target]) u) FROM m_scores;
SELECT count(DISTINCT run) FROM ever_history;

-- a run for a time to come does not make what is new old
SELECT influence_alter_model('m', keep_history => '1 year');
BEGIN;
SELECT refreshed('m', now()) IS NOT NULL;
SELECT refreshed('m', now() + interval '100 years') IS NOT NULL;
SELECT count(*) FILTER (WHERE at = now()) > 0, count(*) FILTER (WHERE at > now()) > 0 FROM m_history;
ROLLBACK;

-- months are those of the calendar
SELECT influence_alter_model('m', keep_history => '1 month');
DELETE FROM m_history;
INSERT INTO m_history VALUES (-1, 1, '2025-02-27 23:59:59', 1), (-2, 1, '2025-02-28', 1);
SELECT refreshed('m', '2025-03-31');

-- longer than there has been time
SELECT influence_alter_model('m', keep_history => '170000000 years');
SELECT refreshed('m', '2025-04-01');
SELECT influence_alter_model('m', keep_history => '6600 years');
SELECT refreshed('m', '4713-01-02 BC');
SELECT influence_alter_model('m', keep_history => '5 years');
SELECT refreshed('m', '2025-04-02');

-- for ever again; the index may stay
SELECT influence_alter_model('m', reset => '{keep_history}');
SELECT keep_history IS NULL FROM influence_models WHERE name = 'm';
SELECT refreshed('m', '2025-12-31') LIKE '2025-%';

-- what is wrong
SELECT error_of($$SELECT influence_alter_model('m', keep_history => '0')$$);
SELECT error_of($$SELECT influence_alter_model('m', keep_history => '-1 day')$$);
SELECT error_of($$SELECT influence_create_model('n', 'log', keep_history => '1 day -24:00')$$);
SELECT error_of($$SELECT influence_create_model('n', 'log', keep_history => '1 fortnight')$$);

-- there is one index, whatever is altered; not every index is one
SELECT influence_alter_model('m', keep_history => '20 years');
SELECT influence_alter_model('m', keep_history => '30 years');
SELECT count(*) FROM pg_index WHERE indrelid = 'm_history'::regclass AND indkey::text = '3';
DROP INDEX m_history_at_idx;
CREATE INDEX some_rows ON m_history (at) WHERE score > 50;
CREATE INDEX ranges ON m_history USING brin (at);
SELECT influence_alter_model('m', damping => 0.4);
SELECT count(*) FROM pg_index WHERE indrelid = 'm_history'::regclass AND indkey::text = '3';
DROP INDEX some_rows, ranges, m_history_at_idx;
CREATE INDEX mine ON m_history (at DESC, score);
SELECT influence_alter_model('m', keep_history => '10 days');
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'm_history'::regclass ORDER BY 1::text;
-- without one they are found all the same
DROP INDEX mine;
SELECT refreshed('m', '2025-05-01');
SELECT count(*) FROM pg_index WHERE indrelid = 'm_history'::regclass AND indkey::text = '3';
SELECT influence_alter_model('m', keep_history => '10 days');
SHOW enable_seqscan;

-- triggers fire, and can prevent it
CREATE TABLE gone (user_id bigint, at timestamptz);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO gone VALUES (OLD.user_id, OLD.at); RETURN OLD; END $$;
CREATE TRIGGER note AFTER DELETE ON m_history FOR EACH ROW EXECUTE FUNCTION note();
SELECT refreshed('m', '2025-06-01');
SELECT count(*) > 3, min(at), max(at) FROM gone;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'history is sacred'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON m_history FOR EACH STATEMENT EXECUTE FUNCTION refuse();
SELECT error_of($$SELECT refreshed('m', '2025-07-01')$$);
DROP TRIGGER refuse ON m_history;
SELECT count(*) FILTER (WHERE at = '2025-06-01') > 0, count(*) FILTER (WHERE at = '2025-07-01') FROM m_history;

-- whoever may refresh may do this too
CREATE ROLE regress_influence_keeper;
GRANT USAGE ON SCHEMA model_retention TO regress_influence_keeper;
GRANT SELECT, INSERT ON log, gone TO regress_influence_keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON m_scores, m_history TO regress_influence_keeper;
SET ROLE regress_influence_keeper;
SELECT refreshed('m', '2025-08-01');
RESET ROLE;
-- the index is for the owner of the history to make
DROP INDEX m_history_at_idx;
ALTER TABLE m_scores OWNER TO regress_influence_keeper;
SET ROLE regress_influence_keeper;
SELECT error_of($$SELECT influence_alter_model('m', keep_history => '20 days')$$);
RESET ROLE;

SELECT influence_drop_model(name) FROM influence_models WHERE name IN ('m', 'ever');
DROP SCHEMA model_retention CASCADE;
DROP ROLE regress_influence_keeper;
