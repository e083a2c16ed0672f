-- Defining models: create, alter, drop, default.
SET client_min_messages = warning;
CREATE SCHEMA model_define;
SET search_path = model_define, public;

-- What is installed: every object has a comment
SELECT pg_describe_object(classid, objid, objsubid) AS without_comment
FROM pg_depend d
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'influence')
	AND coalesce(obj_description(objid, classid::regclass::name), '') = ''
	-- types that come with tables, and casts
	AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type WHERE oid = objid AND (typrelid <> 0 OR typelem <> 0)));
-- functions of models: what they take, and promise
SELECT p.oid::regprocedure::text AS function, provolatile AS volatile, proparallel AS parallel, proisstrict AS strict,
	pg_get_function_result(p.oid) AS result
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'influence')
	AND proname ~ '^influence_(create_model|alter_model|drop_model|set_default|refresh|rescale|score|explain|changes|history|forget)$'
ORDER BY proname COLLATE "C", pronargs, proargtypes[0];
\pset format unaligned
\pset tuples_only
SELECT proname, pg_get_function_arguments(p.oid) FROM pg_proc p
WHERE proname IN ('influence_create_model', 'influence_refresh', 'influence_rescale', 'influence_score', 'influence_alter_model',
	'influence_explain', 'influence_changes', 'influence_history')
ORDER BY proname COLLATE "C", pronargs, proargtypes[0];
\pset tuples_only off
\pset format aligned
SELECT relname, has_table_privilege('public', oid, 'SELECT') AS everybody_reads,
	has_table_privilege('public', oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS everybody_writes
FROM pg_class WHERE relname IN ('influence_model', 'influence_run', 'influence_scale', 'influence_models', 'influence_runs') ORDER BY 1;
SELECT extconfig::regclass[] FROM pg_extension WHERE extname = 'influence';
SELECT trusted, relocatable, superuser FROM pg_available_extension_versions WHERE name = 'influence' AND installed;

-- A model with nothing but a name and a relation.
CREATE TABLE interactions (source bigint, target bigint);
SELECT influence_create_model('social', 'interactions');
SELECT * FROM influence_models \gx
INSERT INTO interactions SELECT i, i * i % 97 FROM generate_series(1, 500) i;
SELECT nodes FROM influence_refresh('social');
\d social_scores
\d social_history
\d social_graph
\d social_leavers
SELECT obj_description('social_scores'::regclass), obj_description('social_history'::regclass),
	obj_description('social_graph'::regclass), obj_description('social_leavers'::regclass);
SELECT relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS mine, count(*)
FROM pg_class WHERE relname LIKE 'social%' GROUP BY 1;
-- the index serves the top of the list
SET enable_seqscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT user_id FROM social_scores ORDER BY score DESC LIMIT 10;
RESET enable_seqscan;
RESET enable_sort;

-- A model with everything.
CREATE TABLE rich ("from" uuid, "to" uuid, w real, "when" date, k varchar(10), n text, t text[]);
SELECT influence_create_model(name => 'rich', interactions => 'rich', source => 'from', target => 'to', weight => 'w', at => 'when',
	kind => 'k', network => 'n', topic => 't', kind_weights => '{"like": 1, "reply": 2.5}', network_weights => '{"x": 0}',
	half_life => '30 days', pair_weight => 'linear', restart => 'activity', damping => 0.85, tolerance => 1e-12, max_iterations => 7);
SELECT * FROM influence_models WHERE name = 'rich' \gx
SELECT format_type(atttypid, atttypmod) AS user_id FROM pg_attribute WHERE attrelid = 'rich_scores'::regclass AND attname = 'user_id';

-- Alter: what is not named stays.
SELECT influence_alter_model('rich');
SELECT influence_alter_model('rich', damping => 0.25, kind_weights => '{"like": 3}', at => NULL);
SELECT influence_alter_model('rich', reset => '{}');
SELECT influence_alter_model('rich', reset => ARRAY[NULL]::text[]);
SELECT * FROM influence_models WHERE name = 'rich' \gx
-- reset takes away, also together with new values
SELECT influence_alter_model('rich', reset => '{weight, at, kind, kind_weights, network, network_weights, topic, half_life}', topic => 't', half_life => '1 day');
SELECT weight, at, kind, kind_weights, network, network_weights, topic, half_life FROM influence_models WHERE name = 'rich';
SELECT influence_alter_model('rich', reset => '{topic, half_life}', pair_weight => 'log', restart => 'credible', tolerance => 0.5, max_iterations => 1);
SELECT topic, half_life, pair_weight, restart, tolerance, max_iterations FROM influence_models WHERE name = 'rich';
-- another relation and other columns
CREATE TABLE other (a uuid, b uuid);
SELECT influence_alter_model('rich', interactions => 'other', source => 'b', target => 'a');
SELECT interactions, source, target FROM influence_models WHERE name = 'rich';
SELECT nodes FROM influence_refresh('rich');
-- scale, runs and published scores stay as they are until the next refresh
SELECT reference, c, runs FROM influence_models WHERE name = 'social' \gset before_
SELECT sum(score::numeric) AS sum FROM social_scores \gset before_
SELECT influence_alter_model('social', restart => 'uniform');
SELECT reference = :before_reference AND c = :before_c AND runs = :before_runs AS same FROM influence_models WHERE name = 'social';
SELECT sum(score::numeric) = :before_sum AS same FROM social_scores;
SELECT run, changed > 0 AS changed FROM influence_refresh('social');

-- Default.
SELECT influence_score(1, 'social') IS NOT NULL AS named;
SELECT influence_set_default('social');
SELECT influence_score(1) = influence_score(1, 'social') AS by_default;
SELECT name, is_default FROM influence_models ORDER BY 1;
SELECT influence_set_default('rich');
SELECT name, is_default FROM influence_models ORDER BY 1;
SELECT influence_set_default('rich');
SELECT influence_score('00000000-0000-0000-0000-000000000000'::uuid);
SELECT model FROM influence_refresh();
SELECT influence_set_default(NULL);
SELECT count(*) FILTER (WHERE is_default) AS defaults FROM influence_models;
-- dropping the default leaves none, and the only one is meant again
SELECT influence_set_default('rich');
SELECT influence_drop_model('rich');
SELECT influence_score(1) = influence_score(1, 'social') AS only_one;
SELECT to_regclass('rich_scores'), to_regclass('rich_history'), to_regclass('rich_graph'),
	to_regclass('rich_networks'), to_regclass('rich_topics'), to_regclass('rich') AS untouched;
SELECT count(*) FROM influence_runs WHERE model = 'rich';
SELECT model FROM influence_rescale();

-- Its name is free again, and its runs start anew.
SELECT influence_create_model('rich', 'interactions');
SELECT run FROM influence_refresh('rich');

-- Tables may be renamed and moved: the model follows.
CREATE SCHEMA elsewhere;
ALTER TABLE rich_scores RENAME TO points;
ALTER TABLE points SET SCHEMA elsewhere;
ALTER TABLE rich_history RENAME TO past;
ALTER TABLE rich_graph RENAME TO reasons;
ALTER TABLE reasons SET SCHEMA elsewhere;
SELECT changed FROM influence_refresh('rich');
SELECT count(*) > 0 AS found FROM interactions WHERE influence_score(source, 'rich') > 1;
ALTER TABLE interactions RENAME TO renamed;
SELECT changed FROM influence_refresh('rich');
SELECT interactions, scores, history, graph FROM influence_models WHERE name = 'rich';
SELECT count(*) > 0 AS explained FROM influence_explain((SELECT user_id FROM elsewhere.points ORDER BY influence DESC LIMIT 1), 'rich');
SELECT influence_drop_model('rich');
SELECT to_regclass('elsewhere.points'), to_regclass('past'), to_regclass('elsewhere.reasons');

-- Where tables are made: in the first schema of the search path that exists.
SET search_path = no_such_schema, elsewhere, model_define, public;
SELECT influence_create_model('placed', 'model_define.renamed');
RESET search_path;
SET search_path = model_define, public;
SELECT scores, history, graph FROM influence_models WHERE name = 'placed';
SELECT nodes = (SELECT count(*) FROM social_scores) AS same FROM influence_refresh('placed');
SELECT count(*) AS differing FROM social_scores a FULL JOIN elsewhere.placed_scores b USING (user_id)
WHERE a.activity IS DISTINCT FROM b.activity;
SELECT influence_drop_model('placed');

-- Difficult names.
CREATE SCHEMA "Schéma ""x""";
CREATE TABLE "Schéma ""x"""."Table 'y'; --" ("Von ""wem""" bigint, "select" bigint, "Gewicht%s" numeric, "at" timestamp, "KIND" text);
INSERT INTO "Schéma ""x"""."Table 'y'; --" VALUES (1, 2, 2, '2024-01-01', 'x''y'), (2, 3, 1, '2024-01-01', 'Größe'), (1, 3, 1, '2024-01-01', '"');
SET search_path = "Schéma ""x""", model_define, public;
SELECT influence_create_model('Mödel "%s" 1', '"Table ''y''; --"', source => 'Von "wem"', target => 'select', weight => 'Gewicht%s',
	at => 'at', kind => 'KIND', kind_weights => '{"x''y": 2, "Größe": 3, "\"": 4}', half_life => NULL, pair_weight => 'linear');
CREATE VIEW "V 'y'" AS TABLE "Table 'y'; --";
SELECT influence_create_model('MÖDEL "%s" 1', '"V ''y''"', source => 'Von "wem"', target => 'select', weight => 'Gewicht%s',
	at => 'at', kind => 'KIND', kind_weights => '{"x''y": 2, "Größe": 3, "\"": 4}', half_life => NULL, pair_weight => 'linear');
SET search_path = model_define, public;
SELECT nodes, edges FROM influence_refresh('Mödel "%s" 1');
SELECT nodes, edges FROM influence_refresh('MÖDEL "%s" 1');
SELECT user_id, responses, activity FROM "Schéma ""x"""."Mödel ""%s"" 1_scores" ORDER BY 1;
SELECT count(*) AS differing FROM (TABLE "Schéma ""x"""."Mödel ""%s"" 1_scores" EXCEPT TABLE "Schéma ""x"""."MÖDEL ""%s"" 1_scores") d;
SELECT obj_description('"Schéma ""x"""."Mödel ""%s"" 1_scores"'::regclass);
SELECT influence_score(3, 'Mödel "%s" 1') = influence_score(3, 'MÖDEL "%s" 1') AS same;
SELECT influence_drop_model('Mödel "%s" 1'), influence_drop_model('MÖDEL "%s" 1');
DROP SCHEMA "Schéma ""x""" CASCADE;
-- the longest name there can be
SELECT influence_create_model(repeat('m', 54), 'renamed');
SELECT forgotten FROM influence_models WHERE name = repeat('m', 54);
SELECT influence_drop_model(repeat('m', 54));
-- names that are words of SQL
CREATE TABLE "table" ("user" int, "order" int);
INSERT INTO "table" VALUES (1, 2);
SELECT influence_create_model('select', '"table"', source => 'user', target => 'order');
SELECT nodes FROM influence_refresh('select');
SELECT influence_score(2, 'select');

-- All that goes with the extension goes; tables of models stay, for they are the users'.
BEGIN;
DROP EXTENSION influence;
SELECT count(*) > 0 AS kept FROM social_scores;
SELECT to_regclass('public.influence_model'), to_regproc('influence_refresh');
ROLLBACK;
SELECT influence_score(1, 'social') IS NOT NULL AS back;
-- made in a schema of its own
BEGIN;
DROP EXTENSION influence;
CREATE SCHEMA "Ext 1";
CREATE EXTENSION influence SCHEMA "Ext 1";
SET LOCAL search_path = model_define;
SELECT "Ext 1".influence_create_model('m', 'renamed');
SELECT (r).run, (r).model FROM "Ext 1".influence_refresh() r;
SELECT count(*) FROM "Ext 1".influence_runs;
SELECT "Ext 1".influence_score(1) IS NOT NULL AS found;
SELECT "Ext 1".influence_set_default('m');
SELECT "Ext 1".influence_alter_model('m', damping => 0.1);
SELECT (r).mode FROM "Ext 1".influence_rescale('m') r;
SELECT "Ext 1".influence_drop_model('m');
ROLLBACK;

SELECT influence_drop_model(name) FROM influence_models;
SELECT count(*) FROM pg_class WHERE relnamespace = 'model_define'::regnamespace AND relname ~ '(scores|history)';
DROP SCHEMA model_define, elsewhere CASCADE;
