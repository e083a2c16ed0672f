-- Runs that fail or are cancelled leave a record, and nothing else.
SET client_min_messages = warning;
CREATE SCHEMA failed_runs;
SET search_path = failed_runs, public;
\set ECHO none
\i test/sql/include/errors.sql
-- The code and the message only.
CREATE FUNCTION message_of(command text) RETURNS text LANGUAGE sql AS $$ SELECT split_part(error_of(command), E'\n', 1) $$;
-- A background worker writes the record, a moment after the error.  Wait until
-- there are so many of a model; returns how many there are.
CREATE FUNCTION failures(name text, expected int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	FOR i IN 1..600 LOOP
		SELECT count(*) INTO n FROM influence_runs WHERE model = name AND status <> 'succeeded';
		EXIT WHEN n >= expected;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RETURN n;
END
$$;
-- The same for a certain failure of a model.
CREATE FUNCTION recorded(name text, number int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..600 LOOP
		IF EXISTS (SELECT FROM influence_failure WHERE model = name AND failure = number) THEN
			RETURN true;
		END IF;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RETURN false;
END
$$;
\set ECHO all
\pset format unaligned
\pset tuples_only on

CREATE TABLE log (source bigint, target bigint, weight float8);
INSERT INTO log VALUES (1, 2, 1), (2, 3, 1), (4, 3, -1);
SELECT influence_create_model('m', 'log', weight => 'weight');

-- a run that fails
SELECT error_of($$SELECT influence_refresh('m', as_of => '2025-01-01 UTC')$$);
SELECT failures('m', 1);
SELECT run, mode, status, error, as_of = '2025-01-01 UTC', started_at <= finished_at AND finished_at < now(), interactions, nodes, publish_ms
FROM influence_runs WHERE model = 'm';
SELECT runs FROM influence_models WHERE name = 'm';
SELECT count(*) FROM m_scores;

-- one that is cancelled, and one that comes to nothing because of a trigger
CREATE VIEW slow AS SELECT source, target, weight FROM log WHERE pg_sleep(source * 60) IS NOT NULL;
SELECT influence_alter_model('m', interactions => 'slow');
SET statement_timeout = '20ms';
SELECT influence_refresh('m');
RESET statement_timeout;
SELECT influence_alter_model('m', interactions => 'log');
SELECT failures('m', 2);
UPDATE log SET weight = 1;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX123', MESSAGE = repeat('ü', 1000); END $$;
CREATE TRIGGER refuse BEFORE INSERT ON m_scores FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT left(error_of($$SELECT influence_rescale('m')$$), 20);
SELECT failures('m', 3);
DROP TRIGGER refuse ON m_scores;
-- a long message is cut between two characters
SELECT run, mode, status, left(error, 60), length(error) FROM influence_runs WHERE model = 'm' ORDER BY started_at;

-- runs that succeed are numbered without them
SELECT run, model FROM influence_refresh('m');
SELECT run, status, error FROM influence_runs WHERE model = 'm' ORDER BY run DESC LIMIT 1;
SELECT runs FROM influence_models WHERE name = 'm';

-- an error that is caught, in a transaction that goes on
UPDATE log SET weight = -1 WHERE source = 2;
BEGIN;
SELECT message_of($$SELECT influence_refresh('m')$$);
SELECT failures('m', 4);
COMMIT;

-- what did not begin is not recorded: wait for one that did
SELECT error_of($$SELECT influence_refresh('nobody')$$);
SELECT message_of($$SELECT influence_refresh('m', 'sometimes')$$);
SELECT message_of($$SELECT influence_refresh('m', as_of => 'infinity')$$);
CREATE ROLE regress_influence_failer;
GRANT USAGE ON SCHEMA failed_runs TO regress_influence_failer;
GRANT SELECT ON log TO regress_influence_failer;
SET ROLE regress_influence_failer;
SELECT message_of($$SELECT influence_refresh('m')$$);
RESET ROLE;
BEGIN;
SELECT influence_create_model('new', 'log', weight => 'weight');
SELECT message_of($$SELECT influence_refresh('new')$$);
ROLLBACK;
BEGIN READ ONLY;
SELECT error_of($$SELECT influence_refresh('m')$$);
ROLLBACK;
SELECT message_of($$SELECT influence_refresh('m')$$);
SELECT failures('m', 5);
SELECT count(*) FROM influence_failure;

-- errors are for the owner of the model; others see that there was one
GRANT SELECT, INSERT, UPDATE, DELETE ON m_scores, m_history TO regress_influence_failer;
SET ROLE regress_influence_failer;
SELECT message_of($$SELECT influence_refresh('m')$$);
SELECT failures('m', 6);
SELECT status, error IS NULL, count(*) FROM influence_runs WHERE model = 'm' GROUP BY 1, 2 ORDER BY 1;
SELECT error_of($$SELECT error FROM influence_failure$$);
SELECT error_of($$DELETE FROM influence_failure$$);
RESET ROLE;
ALTER TABLE m_scores OWNER TO regress_influence_failer;
SET ROLE regress_influence_failer;
SELECT status, count(error) FROM influence_runs WHERE model = 'm' GROUP BY 1 ORDER BY 1;
RESET ROLE;

-- the latest hundred stay
INSERT INTO influence_failure
SELECT 'm', n, 'full', '2020-01-01', '2020-01-01', '2020-01-01', 'failed', 'earlier ' || n FROM generate_series(101, 300) n;
SELECT message_of($$SELECT influence_refresh('m')$$);
SELECT recorded('m', 301);
SELECT count(*), min(failure), max(failure) FROM influence_failure WHERE model = 'm';

-- refreshes of other models within one: each has its record
CREATE FUNCTION others() RETURNS TABLE (source bigint, target bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM influence_refresh('m');
	RETURN QUERY SELECT l.source, l.target FROM log l;
END
$$;
CREATE VIEW nested AS SELECT * FROM others();
SELECT influence_create_model('outer', 'nested');
SELECT message_of($$SELECT influence_refresh('outer')$$);
SELECT failures('outer', 1);
SELECT error FROM influence_runs WHERE model = 'outer';
SELECT recorded('m', 302);
-- one that is asked for by its own refresh has not begun
CREATE VIEW itself AS SELECT l.source, l.target FROM log l WHERE (SELECT run FROM influence_refresh('outer')) > 0;
SELECT influence_alter_model('outer', interactions => 'itself');
SELECT message_of($$SELECT influence_refresh('outer')$$);
SELECT failures('outer', 2);

-- dropped with the model
SELECT influence_drop_model(name) FROM influence_models WHERE name IN ('m', 'outer');
SELECT count(*) FROM influence_failure;
SELECT influence_create_model('m', 'log');
SELECT count(*) FROM influence_runs WHERE model = 'm';
SELECT influence_drop_model('m');
DROP SCHEMA failed_runs CASCADE;
DROP ROLE regress_influence_failer;
