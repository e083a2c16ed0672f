-- Every error of models: errcode, message, hint.
SET client_min_messages = warning;
CREATE SCHEMA model_errors;
SET search_path = model_errors, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all
CREATE FUNCTION create_error(arguments text) RETURNS text LANGUAGE sql AS
$$ SELECT error_of('SELECT influence_create_model(' || arguments || ')') $$;
CREATE FUNCTION alter_error(arguments text) RETURNS text LANGUAGE sql AS
$$ SELECT error_of('SELECT influence_alter_model(' || arguments || ')') $$;
\pset format unaligned
\pset tuples_only

CREATE TABLE log (source bigint, target bigint, weight float8, at timestamptz, kind text, network text, topics text[],
	u uuid, i interval, j jsonb, n numeric, b boolean, p point);
INSERT INTO log VALUES (1, 2, 1, '2024-01-01', 'like', 'x');

-- No model yet.
SELECT error_of('SELECT influence_score(1)');
SELECT error_of('SELECT influence_score(1, ''m'')');
SELECT error_of('SELECT influence_score(1, '''')');
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_refresh(''m'')');
SELECT error_of('SELECT influence_rescale()');
SELECT error_of('SELECT influence_rescale(''m'')');
SELECT error_of('SELECT influence_drop_model(''m'')');
SELECT error_of('SELECT influence_alter_model(''m'')');
SELECT error_of('SELECT influence_set_default(''m'')');
SELECT error_of('SELECT influence_set_default(NULL)');
SELECT error_of('SELECT influence_drop_model(NULL)');

-- Create: the name, the relation
SELECT create_error($$ '', 'log' $$);
SELECT create_error($$ NULL, 'log' $$);
SELECT create_error($$ repeat('n', 55), 'log' $$);
SELECT create_error($$ repeat('ü', 28), 'log' $$);
SELECT create_error($$ 'm', NULL $$);
SELECT create_error($$ 'm', 'no_such' $$);
SELECT left(create_error($$ 'm', 1 $$), 5);
CREATE SEQUENCE seq;
CREATE TYPE pair AS (source bigint, target bigint);
CREATE INDEX log_source ON log (source);
SELECT create_error($$ 'm', 'seq' $$);
SELECT create_error($$ 'm', 'pair' $$);
SELECT create_error($$ 'm', 'log_source' $$);
-- columns that there are not
SELECT create_error($$ 'm', 'log', source => 'no_such' $$);
SELECT create_error($$ 'm', 'log', target => 'Target' $$);
SELECT create_error($$ 'm', 'log', weight => 'no_such' $$);
SELECT create_error($$ 'm', 'log', at => 'no_such' $$);
SELECT create_error($$ 'm', 'log', kind => 'no_such' $$);
SELECT create_error($$ 'm', 'log', network => 'no_such' $$);
SELECT create_error($$ 'm', 'log', topic => 'no_such' $$);
SELECT create_error($$ 'm', 'log', source => '' $$);
SELECT create_error($$ 'm', 'log', source => NULL $$);
-- columns that cannot serve
SELECT create_error($$ 'm', 'log', source => 'weight' $$);
SELECT create_error($$ 'm', 'log', source => 'n' $$);
SELECT create_error($$ 'm', 'log', target => 'b' $$);
SELECT create_error($$ 'm', 'log', target => 'kind' $$);
SELECT create_error($$ 'm', 'log', source => 'u' $$);
SELECT create_error($$ 'm', 'log', source => 'ctid' $$);
SELECT create_error($$ 'm', 'log', weight => 'kind' $$);
SELECT create_error($$ 'm', 'log', weight => 'b' $$);
SELECT create_error($$ 'm', 'log', weight => 'at' $$);
SELECT create_error($$ 'm', 'log', at => 'source' $$);
SELECT create_error($$ 'm', 'log', at => 'i' $$);
SELECT create_error($$ 'm', 'log', kind => 'topics' $$);
SELECT create_error($$ 'm', 'log', kind => 'j' $$);
SELECT create_error($$ 'm', 'log', network => 'p' $$);
SELECT create_error($$ 'm', 'log', topic => 'p' $$);
-- values that are not possible
SELECT create_error($$ 'm', 'log', damping => 1 $$);
SELECT create_error($$ 'm', 'log', damping => -0.1 $$);
SELECT create_error($$ 'm', 'log', damping => 'NaN' $$);
SELECT create_error($$ 'm', 'log', damping => NULL $$);
SELECT create_error($$ 'm', 'log', tolerance => 0 $$);
SELECT create_error($$ 'm', 'log', tolerance => 'NaN' $$);
SELECT create_error($$ 'm', 'log', tolerance => 'infinity' $$);
SELECT create_error($$ 'm', 'log', tolerance => NULL $$);
SELECT create_error($$ 'm', 'log', max_iterations => 0 $$);
SELECT create_error($$ 'm', 'log', max_iterations => NULL $$);
SELECT create_error($$ 'm', 'log', pair_weight => 'sqrt' $$);
SELECT create_error($$ 'm', 'log', pair_weight => 'LOG' $$);
SELECT create_error($$ 'm', 'log', pair_weight => NULL $$);
SELECT create_error($$ 'm', 'log', restart => '' $$);
SELECT create_error($$ 'm', 'log', restart => NULL $$);
SELECT create_error($$ 'm', 'log', half_life => '0' $$);
SELECT create_error($$ 'm', 'log', half_life => '-1 day' $$);
SELECT create_error($$ 'm', 'log', half_life => '1 month -30 days' $$);
-- weights by name
SELECT create_error($$ 'm', 'log', kind_weights => '{"like": 1}' $$);
SELECT create_error($$ 'm', 'log', network_weights => '{"x": 1}' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '[1, 2]' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '1' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => 'null' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"like": -1}' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"like": "1"}' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"like": null}' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"like": {"a": 1}}' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"like": [1]}' $$);
SELECT create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"a": 1, "b": true}' $$);
SELECT create_error($$ 'm', 'log', network => 'network', network_weights => '{"x": -0.5}' $$);
SELECT left(create_error($$ 'm', 'log', kind => 'kind', kind_weights => '{"like": 1e400}' $$), 5);
-- names that are taken
CREATE TABLE taken_scores ();
CREATE VIEW taken2_history AS SELECT;
SELECT create_error($$ 'taken', 'log' $$);
SELECT create_error($$ 'taken2', 'log' $$);
SELECT to_regclass('taken2_scores');
-- nowhere to make tables
SELECT error_of($$ SELECT set_config('search_path', '', true), public.influence_create_model('m', 'model_errors.log') $$);
SET search_path = model_errors, public;
-- nothing was made by all that
SELECT count(*) FROM influence_models;

-- One model.
SELECT influence_create_model('m', 'log', kind => 'kind', kind_weights => '{"like": 2}');
SELECT nodes FROM influence_refresh();
SELECT create_error($$ 'm', 'log' $$);
SELECT error_of('SELECT influence_score(1, ''M'')');
SELECT error_of('SELECT influence_score(1, '''')');
SELECT error_of('SELECT influence_score(1, repeat(''m'', 64))');
SELECT error_of('SELECT influence_score(1, repeat(''m'', 10000))') = format(E'42704 model "%s" does not exist\n'
	'  hint: The view influence_models lists the models there are.', repeat('m', 10000));
-- types of ids
SELECT error_of('SELECT influence_score(''1'')');
SELECT error_of('SELECT influence_score(''1''::varchar, ''m'')');
SELECT error_of('SELECT influence_score(gen_random_uuid())');
SELECT left(error_of('SELECT influence_score(1.5)'), 5);
SELECT error_of('SELECT influence_score(1::smallint)');
SELECT error_of('SELECT influence_score(NULL)');
-- what a model does not have
SELECT error_of('SELECT influence_score(1, network => ''x'')');
SELECT error_of('SELECT influence_score(1, topic => ''x'')');
SELECT error_of('SELECT influence_score(1, ''m'', ''x'', ''y'')');
-- modes and times
SELECT error_of('SELECT influence_refresh(''m'', ''incremental'')');
SELECT error_of('SELECT influence_refresh(''m'', ''FULL'')');
SELECT error_of('SELECT influence_refresh(''m'', '''')');
SELECT error_of('SELECT influence_refresh(''m'', NULL)');
SELECT error_of('SELECT influence_refresh(''m'', ''full'', ''infinity'')');
SELECT error_of('SELECT influence_refresh(''m'', ''auto'', ''-infinity'')');
-- altering
SELECT alter_error($$ NULL $$);
SELECT alter_error($$ 'no_such', damping => 0.1 $$);
SELECT alter_error($$ 'm', damping => 2 $$);
SELECT alter_error($$ 'm', source => 'no_such' $$);
SELECT alter_error($$ 'm', source => 'u', target => 'u' $$);
SELECT alter_error($$ 'm', interactions => 'seq' $$);
SELECT alter_error($$ 'm', reset => '{damping}' $$);
SELECT alter_error($$ 'm', reset => '{source}' $$);
SELECT alter_error($$ 'm', reset => '{no_such}' $$);
SELECT alter_error($$ 'm', reset => '{weight, ""}' $$);
SELECT alter_error($$ 'm', reset => '{kind}' $$);
SELECT alter_error($$ 'm', network_weights => '{}' $$);
SELECT alter_error($$ 'm', kind_weights => '[]' $$);
SELECT kind, kind_weights, damping, source FROM influence_models;

-- Several models, no default.
SELECT influence_create_model('n', 'log', source => 'u', target => 'u');
SELECT error_of('SELECT influence_score(1)');
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_rescale()');
SELECT error_of('SELECT influence_score(1, ''n'')');
SELECT error_of('SELECT influence_set_default(''no_such'')');
SELECT influence_drop_model('n');

-- In a transaction that may not write.
BEGIN READ ONLY;
SELECT influence_score(2) > 1;
SELECT left(error_of('SELECT influence_refresh()'), 5);
SELECT left(error_of('SELECT influence_rescale()'), 5);
SELECT left(error_of('SELECT influence_create_model(''n'', ''log'')'), 5);
SELECT left(error_of('SELECT influence_alter_model(''m'', damping => 0.1)'), 5);
SELECT left(error_of('SELECT influence_set_default(''m'')'), 5);
SELECT left(error_of('SELECT influence_drop_model(''m'')'), 5);
COMMIT;

-- The interactions are not what they were.
ALTER TABLE log RENAME COLUMN source TO src;
SELECT error_of('SELECT influence_refresh()');
ALTER TABLE log RENAME COLUMN src TO source;
ALTER TABLE log DROP COLUMN kind;
SELECT error_of('SELECT influence_refresh()');
ALTER TABLE log ADD COLUMN kind bytea;
SELECT error_of('SELECT influence_refresh()');
ALTER TABLE log ALTER kind TYPE text USING 'like';
SELECT error_of('SELECT influence_refresh()');
ALTER TABLE log ALTER source TYPE text, ALTER target TYPE text;
SELECT error_of('SELECT influence_refresh()');
ALTER TABLE log ALTER source TYPE int USING source::int;
SELECT error_of('SELECT influence_refresh()');
-- int in the place of bigint is no harm
ALTER TABLE log ALTER target TYPE int USING target::int;
SELECT error_of('SELECT influence_refresh()');
ALTER TABLE log RENAME TO log2;
SELECT error_of('SELECT influence_refresh()');
SELECT runs AS before_runs FROM influence_models \gset
CREATE TABLE log3 AS TABLE log2;
DROP TABLE log2;
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_rescale()');
-- what was published stays, and the model can be mended
SELECT runs = :before_runs FROM influence_models;
SELECT influence_score(2);
SELECT alter_error($$ 'm', damping => 0.1 $$);
SELECT alter_error($$ 'm', interactions => 'log3' $$);
SELECT error_of('SELECT influence_refresh()');
CREATE MATERIALIZED VIEW empty AS SELECT source, target, kind FROM log3 WITH NO DATA;
SELECT alter_error($$ 'm', interactions => 'empty' $$);
SELECT left(error_of('SELECT influence_refresh()'), 5);
SELECT alter_error($$ 'm', interactions => 'log3' $$);
-- a view that fails half way
CREATE VIEW failing AS SELECT source, 10 / (2 - target) AS target, kind FROM log3;
SELECT alter_error($$ 'm', interactions => 'failing' $$);
SELECT error_of('SELECT influence_refresh()');
SELECT influence_score(2);
SELECT alter_error($$ 'm', interactions => 'log3' $$);

-- The published tables are not what they were.
BEGIN;
ALTER TABLE m_scores DROP COLUMN percentile;
SELECT error_of('SELECT influence_refresh()');
SELECT influence_score(2);
ROLLBACK;
BEGIN;
ALTER TABLE m_scores RENAME COLUMN score TO points;
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_score(2)');
ROLLBACK;
BEGIN;
ALTER TABLE m_scores ALTER score TYPE numeric;
SELECT error_of('SELECT influence_refresh()');
SELECT substr(error_of('SELECT influence_score(2)'), 7);
ROLLBACK;
BEGIN;
ALTER TABLE m_scores DROP COLUMN user_id;
SELECT error_of('SELECT influence_refresh()');
SELECT error_of('SELECT influence_score(2)');
ROLLBACK;
BEGIN;
ALTER TABLE m_history DROP COLUMN at;
SELECT error_of('SELECT influence_refresh()');
SELECT influence_score(2);
ROLLBACK;
-- tables that somebody dropped: no internal errors, and the model can be dropped
BEGIN;
DROP TABLE m_history;
SELECT error_of('SELECT influence_refresh()') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_rescale()') ~ '^42P01 (?!.*OID).*';
SELECT influence_score(2);
SELECT error_of('SELECT influence_drop_model(''m'')');
ROLLBACK;
BEGIN;
DROP TABLE m_scores;
SELECT error_of('SELECT influence_score(2)');
SELECT error_of('SELECT influence_refresh()') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_rescale()') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_drop_model(''m'')');
ROLLBACK;
BEGIN;
DROP TABLE m_graph;
SELECT error_of('SELECT influence_refresh()') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_explain(2)') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_changes(2)') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_history(2)') ~ '^42P01 (?!.*OID).*';
SELECT influence_score(2);
SELECT error_of('SELECT influence_drop_model(''m'')');
ROLLBACK;
BEGIN;
DROP TABLE m_scores, m_history, m_graph, m_leavers;
SELECT error_of('SELECT influence_refresh()') ~ '^42P01 (?!.*OID).*';
SELECT error_of('SELECT influence_drop_model(''m'')');
SELECT count(*) FROM influence_models;
ROLLBACK;
-- something depends on a table: that is not dropped with the model
BEGIN;
CREATE VIEW dependent AS SELECT * FROM m_scores;
SELECT left(error_of('SELECT influence_drop_model(''m'')'), 5);
SELECT count(*) FROM influence_models;
ROLLBACK;

-- Memory: the estimate is in the message, and nothing has changed.
CREATE TABLE large AS SELECT i AS source, i + 1 AS target FROM generate_series(1, 60000) i;
SELECT influence_create_model('large', 'large');
SET maintenance_work_mem = '1MB';
SELECT regexp_replace(error_of('SELECT influence_refresh(''large'')'), 'about \d+ MB', 'about N MB');
SELECT count(*) FROM large_scores;
RESET maintenance_work_mem;
SET client_min_messages = error;
SELECT error_of('SELECT influence_refresh(''large'')');
SET client_min_messages = warning;
SELECT count(*) FROM large_scores;

-- The catalog can be written by the database's owner, to restore a dump:
-- nonsense there gives errors (the class is shown), no crash.
CREATE FUNCTION nonsense(change text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE 'UPDATE influence_model SET ' || change || ' WHERE name = ''m''';
		RETURN NEXT left(error_of('SELECT influence_score(2, ''m'')'), 2);
		RETURN NEXT left(error_of('SELECT influence_refresh(''m'')'), 2);
		RAISE EXCEPTION USING ERRCODE = 'ZZ999';
	EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
		NULL;
	END;
END
$$;
CREATE VIEW score_view AS SELECT * FROM m_scores;
CREATE TABLE score_parts (LIKE m_scores) PARTITION BY RANGE (user_id);
SELECT string_agg(e, ' ') FROM nonsense('scores = ''score_view''') e;
SELECT string_agg(e, ' ') FROM nonsense('scores = ''score_parts''') e;
SELECT string_agg(e, ' ') FROM nonsense('scores = ''m_scores_pkey''') e;
SELECT string_agg(e, ' ') FROM nonsense('scores = ''influence_run''') e;
SELECT string_agg(e, ' ') FROM nonsense('id_type = ''uuid''') e;
SELECT string_agg(e, ' ') FROM nonsense('kind_weights = ''[1]''') e;
SELECT string_agg(e, ' ') FROM nonsense('kind_weights = ''{"like": -1}''') e;

-- a refresh that asks for itself
CREATE TABLE selfish (source bigint, target bigint);
INSERT INTO selfish VALUES (1, 2);
CREATE FUNCTION refresh_selfish() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT run FROM influence_refresh('selfish') $$;
CREATE VIEW selfish_view AS SELECT source, target FROM selfish WHERE refresh_selfish() > 0;
SELECT influence_create_model('selfish', 'selfish_view');
SELECT split_part(error_of('SELECT influence_refresh(''selfish'')'), chr(10), 1);
SELECT influence_drop_model('selfish');
DROP VIEW selfish_view;
DROP TABLE selfish;
DROP FUNCTION refresh_selfish;

\pset tuples_only off
\pset format aligned
DROP VIEW score_view;
SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_errors CASCADE;
