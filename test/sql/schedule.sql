-- Scheduling where pg_cron is not loaded, as on the server that runs these
-- tests; test/t/050_schedule.pl has one that loads it.
SELECT count(*) > 0 AS loaded FROM pg_settings WHERE name = 'cron.database_name' \gset
\if :loaded
\quit
\endif
SET client_min_messages = warning;
CREATE SCHEMA schedule;
SET search_path = schedule, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all
\pset format unaligned
\pset tuples_only on

SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile, proparallel, proisstrict
FROM pg_proc WHERE proname ~ '^influence_(un)?schedule$' ORDER BY 1;
CREATE TABLE log (source bigint, target bigint);
INSERT INTO log VALUES (1, 2), (3, 2);
SELECT error_of($$SELECT influence_schedule(NULL, '* * * * *')$$);
SELECT error_of($$SELECT influence_unschedule()$$);
SELECT influence_create_model('it''s', 'log');
SELECT error_of($$SELECT influence_schedule('it''s', '* * * * *')$$);
SELECT error_of($$SELECT influence_schedule(NULL, '* * * * *')$$);
SELECT error_of($$SELECT influence_schedule('it''s', NULL)$$);
SELECT error_of($$SELECT influence_schedule('its', '* * * * *')$$);
SELECT error_of($$SELECT influence_unschedule('it''s')$$);
SELECT error_of($$SELECT influence_unschedule()$$);

-- who may not refresh, or could not log in, may not schedule
CREATE ROLE regress_influence_scheduler;
GRANT USAGE ON SCHEMA schedule TO regress_influence_scheduler;
SET ROLE regress_influence_scheduler;
SELECT error_of($$SELECT influence_schedule('it''s', '* * * * *')$$);
RESET ROLE;
GRANT ALL ON "it's_scores", "it's_history" TO regress_influence_scheduler;
SET ROLE regress_influence_scheduler;
SELECT error_of($$SELECT influence_schedule('it''s', '* * * * *')$$);
RESET ROLE;
GRANT SELECT ON log TO regress_influence_scheduler;
SET ROLE regress_influence_scheduler;
SELECT error_of($$SELECT influence_schedule('it''s', '* * * * *')$$);
RESET ROLE;

-- what cannot be refreshed cannot be scheduled
ALTER TABLE log RENAME source TO src;
SELECT error_of($$SELECT influence_schedule('it''s', '* * * * *')$$);
ALTER TABLE log RENAME src TO source;

BEGIN READ ONLY;
SELECT error_of($$SELECT influence_schedule('it''s', '* * * * *')$$);
SELECT error_of($$SELECT influence_unschedule('it''s')$$);
ROLLBACK;

-- dropping a model does not need pg_cron
SELECT influence_drop_model('it''s');
DROP SCHEMA schedule CASCADE;
DROP ROLE regress_influence_scheduler;
