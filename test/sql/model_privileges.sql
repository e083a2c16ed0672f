-- Who may do what.
SET client_min_messages = warning;
CREATE SCHEMA model_privileges;
SET search_path = model_privileges, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all
CREATE ROLE regress_influence_owner;
CREATE ROLE regress_influence_analyst;
CREATE ROLE regress_influence_reader;
CREATE ROLE regress_influence_nobody;
GRANT USAGE ON SCHEMA model_privileges TO PUBLIC;
GRANT CREATE ON SCHEMA model_privileges TO regress_influence_owner, regress_influence_analyst;
\pset format unaligned
\pset tuples_only

-- A database's owner, no superuser, installs the extension and uses all of it.
BEGIN;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO regress_influence_owner', current_database()); END $$;
DROP EXTENSION influence;
SET LOCAL ROLE regress_influence_owner;
CREATE SCHEMA own;
SET LOCAL search_path = own;
CREATE EXTENSION influence;
CREATE TABLE log (source bigint, target bigint);
INSERT INTO log VALUES (1, 2), (2, 3), (1, 3);
SELECT influence_create_model('mine', 'log');
SELECT nodes FROM influence_refresh();
SELECT influence_score(3);
SELECT influence_set_default('mine');
SELECT influence_alter_model('mine', damping => 0.3);
SELECT mode FROM influence_rescale();
SELECT count(*) FROM influence_runs;
-- as a dump is restored: the definitions are written by the database's owner
CREATE TABLE saved AS TABLE influence_model;
DELETE FROM influence_model;
INSERT INTO influence_model TABLE saved;
DELETE FROM influence_run WHERE run = 1;
SELECT run FROM influence_refresh();
SELECT influence_score(3);
SELECT influence_drop_model('mine');
DROP EXTENSION influence;
ROLLBACK;

-- What PUBLIC has: functions, and reading definitions.
SET ROLE regress_influence_owner;
CREATE TABLE log (source bigint, target bigint, weight float8, kind text, secret text);
INSERT INTO log SELECT (20 * noise('source', i))::int, (20 * noise('target', i))::int, 1, 'like', 'secret' FROM generate_series(1, 100) i;
SELECT influence_create_model('m', 'log', weight => 'weight');
SELECT nodes > 10 FROM influence_refresh();
SET ROLE regress_influence_nobody;
SELECT name FROM influence_models;
SELECT model, run FROM influence_runs;
SELECT error_of('SELECT influence_score(1)');
SELECT error_of('INSERT INTO influence_model(name) VALUES (''x'')');
SELECT error_of('UPDATE influence_model SET damping = 0');
SELECT error_of('DELETE FROM influence_model');
SELECT error_of('TRUNCATE influence_run');
SELECT error_of('UPDATE influence_models SET damping = 0');
SELECT error_of('INSERT INTO influence_run(run) VALUES (1)');
SELECT error_of('SELECT * FROM influence_model FOR UPDATE');
-- and nothing that changes another's model
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_rescale()');
SELECT error_of('SELECT influence_alter_model(''m'', damping => 0.1)');
SELECT error_of('SELECT influence_drop_model(''m'')');
SELECT error_of('SELECT influence_set_default(''m'')');
SELECT left(error_of('SELECT influence_create_model(''n'', ''log'')'), 5);
RESET ROLE;
SELECT damping, runs, is_default FROM influence_models;
-- a default that is another's cannot be taken away
SELECT influence_set_default('m');
SET ROLE regress_influence_analyst;
CREATE TABLE own_log (source bigint, target bigint);
INSERT INTO own_log VALUES (1, 2);
SELECT influence_create_model('a', 'own_log');
SELECT error_of('SELECT influence_set_default(''a'')');
SELECT error_of('SELECT influence_set_default(NULL)');
SELECT nodes FROM influence_refresh('a');
SELECT influence_score(2, 'a');
SELECT influence_drop_model('a');
RESET ROLE;
SELECT influence_set_default(NULL);

-- A reader needs user_id and score, no more; and no right to see the interactions.
GRANT SELECT (user_id) ON m_scores TO regress_influence_reader;
SET ROLE regress_influence_reader;
SELECT error_of('SELECT influence_score(1)');
RESET ROLE;
GRANT SELECT (score) ON m_scores TO regress_influence_reader;
SET ROLE regress_influence_reader;
SELECT error_of('SELECT influence_score(1)');
SELECT error_of('SELECT influence FROM m_scores');
SELECT count(influence_score(user_id)) = count(*) FROM m_scores;
SELECT error_of('SELECT influence_refresh()');
-- taken away again, in the same session
RESET ROLE;
REVOKE SELECT (score) ON m_scores FROM regress_influence_reader;
SET ROLE regress_influence_reader;
SELECT error_of('SELECT influence_score(1)');
RESET ROLE;
GRANT SELECT ON m_scores TO regress_influence_reader;
SET ROLE regress_influence_reader;
SELECT error_of('SELECT influence_score(1)');
RESET ROLE;
REVOKE ALL ON m_scores FROM regress_influence_reader;
-- in one statement for two roles, and by a function with its owner's rights
CREATE FUNCTION score_for_all(bigint) RETURNS real LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN influence_score($1, 'm'); END $$;
SET ROLE regress_influence_reader;
SELECT score_for_all(1) > 0;
SELECT error_of('SELECT score_for_all(1), influence_score(1)');
RESET ROLE;

-- Refresh reads with the caller's rights: the columns that the model uses.
GRANT ALL ON m_scores, m_history, m_graph, m_leavers TO regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh()');
RESET ROLE;
GRANT SELECT (source, target) ON log TO regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh()');
RESET ROLE;
GRANT SELECT (weight) ON log TO regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_create_model(''a'', ''log'', weight => ''weight'', kind => ''kind'')');

SELECT influence_create_model('a', 'log', weight => 'weight');
SELECT error_of('SELECT influence_refresh(''a'')');
-- but it is not theirs to change
SELECT error_of('SELECT influence_rescale(''m'')');
SELECT error_of('SELECT influence_drop_model(''m'')');
RESET ROLE;
REVOKE SELECT (target) ON log FROM regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh(''a'')');
SELECT error_of('SELECT influence_refresh(''m'')');
SELECT error_of('SELECT influence_alter_model(''a'', damping => 0.1)');
SELECT influence_score(1, 'a') > 0;
RESET ROLE;
-- a view shows what its owner may see
CREATE VIEW log_view AS SELECT source, target FROM log;
ALTER VIEW log_view OWNER TO regress_influence_owner;
GRANT SELECT ON log_view TO regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_alter_model(''a'', interactions => ''log_view'', reset => ''{weight}'')');
SELECT error_of('SELECT influence_refresh(''a'')');
SELECT influence_drop_model('a');
RESET ROLE;
-- without the right to write the published tables nothing is published
GRANT SELECT ON log TO regress_influence_analyst;
REVOKE INSERT ON m_history FROM regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh(''m'')');
RESET ROLE;
REVOKE ALL ON m_history, m_graph, m_scores, m_leavers FROM regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh(''m'')');
RESET ROLE;

-- Row security on the interactions: a refresh sees the caller's rows.
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
CREATE POLICY low ON log FOR SELECT TO regress_influence_analyst USING (source < 10);
SET ROLE regress_influence_analyst;
SELECT influence_create_model('low', 'log');
SELECT interactions = count(*) FROM influence_refresh('low'), log GROUP BY interactions;
SELECT bool_and(source < 10), count(*) > 10 FROM log;
SELECT count(*) FROM low_scores WHERE user_id >= 10 AND activity > 0;
SET row_security = off;
SELECT error_of('SELECT influence_refresh(''low'')');
RESET row_security;
RESET ROLE;
SELECT interactions FROM influence_refresh('m');
-- owners may be bound as well
ALTER TABLE log FORCE ROW LEVEL SECURITY;
SET ROLE regress_influence_owner;
SELECT interactions, nodes, changed > 0 FROM influence_refresh('m');
RESET ROLE;
ALTER TABLE log NO FORCE ROW LEVEL SECURITY;
SET ROLE regress_influence_owner;
SELECT interactions FROM influence_refresh('m');
RESET ROLE;
SET ROLE regress_influence_analyst;
SELECT influence_drop_model('low');
RESET ROLE;

-- Row security on the scores: a look-up obeys it.
ALTER TABLE m_scores ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON m_scores TO regress_influence_reader;
SET ROLE regress_influence_reader;
SELECT count(influence_score(i)) FROM generate_series(0, 20) i;
RESET ROLE;
CREATE POLICY even ON m_scores FOR SELECT TO regress_influence_reader USING (user_id % 2 = 0);
SET ROLE regress_influence_reader;
SELECT count(*) > 5, count(*) = (SELECT count(*) FROM m_scores), bool_and(i % 2 = 0)
FROM generate_series(0, 20) i WHERE influence_score(i) IS NOT NULL;
SELECT count(*) FROM m_scores WHERE influence_score(user_id) IS DISTINCT FROM score;
SET row_security = off;
SELECT error_of('SELECT influence_score(2)');
RESET row_security;
SELECT influence_score(2) > 0;
RESET ROLE;
-- a refresh by the table's owner sees all rows, but not if bound to policies
SELECT influence_score(1) > 0;
SET ROLE regress_influence_owner;
SELECT error_of('SELECT influence_refresh(''m'')');
SELECT influence_score(1) > 0;
RESET ROLE;
ALTER TABLE m_scores FORCE ROW LEVEL SECURITY;
SET ROLE regress_influence_owner;
SELECT error_of('SELECT influence_refresh(''m'')');
SELECT influence_score(1);
RESET ROLE;
SELECT error_of('SELECT influence_refresh(''m'')');
ALTER TABLE m_scores DISABLE ROW LEVEL SECURITY;

-- A model belongs to the owner of its table of scores.
ALTER TABLE m_scores OWNER TO regress_influence_analyst;
ALTER TABLE m_history OWNER TO regress_influence_analyst;
ALTER TABLE m_graph OWNER TO regress_influence_analyst;
ALTER TABLE m_leavers OWNER TO regress_influence_analyst;
SET ROLE regress_influence_owner;
SELECT error_of('SELECT influence_drop_model(''m'')');
SELECT error_of('SELECT influence_refresh(''m'')');
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_alter_model(''m'', damping => 0.4)');
SELECT error_of('SELECT influence_rescale(''m'')');
-- members of the owning role have its rights
RESET ROLE;
GRANT regress_influence_analyst TO regress_influence_nobody;
SET ROLE regress_influence_nobody;
SELECT error_of('SELECT influence_set_default(''m'')');
SELECT error_of('SELECT influence_refresh()');
RESET ROLE;
REVOKE regress_influence_analyst FROM regress_influence_nobody;
SET ROLE regress_influence_nobody;
SELECT error_of('SELECT influence_set_default(NULL)');
RESET ROLE;
-- a model whose tables are gone: only the owner of the database can drop it
DROP TABLE m_scores, m_history, m_graph, m_leavers;
SET ROLE regress_influence_nobody;
SELECT error_of('SELECT influence_drop_model(''m'')');
RESET ROLE;
SELECT error_of('SELECT influence_drop_model(''m'')');

-- Nobody without the right to make tables makes a model.
SET ROLE regress_influence_reader;
SET search_path = model_privileges;
SELECT error_of('SELECT public.influence_create_model(''r'', ''log_view'')');
RESET ROLE;
GRANT SELECT ON log_view TO regress_influence_reader;
SET ROLE regress_influence_reader;
SELECT error_of('SELECT public.influence_create_model(''r'', ''log_view'')');
RESET ROLE;
SET search_path = model_privileges, public;
SELECT count(*) FROM influence_models;

-- What runs as the extension's owner cannot be fooled: operators and tables of
-- the same names, in schemas that come first, have no say.
SET ROLE regress_influence_analyst;
CREATE FUNCTION never(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called by %', current_user; END $$;
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = never);
CREATE TABLE influence_model (name text, is_default boolean);
CREATE TABLE influence_run (model text);
CREATE FUNCTION count_by_me() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'by %', current_user; END $$;
CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON influence_model EXECUTE FUNCTION count_by_me();
SET search_path = model_privileges, public, pg_catalog;
SELECT influence_create_model('f', 'own_log');
SELECT nodes FROM influence_refresh('f');
SELECT influence_score(2, 'f');
SELECT influence_set_default('f');
SELECT influence_alter_model('f', damping => 0.2);
SELECT (influence_rescale('f')).mode;
SELECT influence_drop_model('f');
RESET ROLE;
RESET search_path;

DROP SCHEMA model_privileges CASCADE;
DROP ROLE regress_influence_owner, regress_influence_analyst, regress_influence_reader, regress_influence_nobody;
