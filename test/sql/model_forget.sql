-- Users who leave a model.
SET client_min_messages = error;
CREATE SCHEMA model_forget;
SET search_path = model_forget, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all
\pset format unaligned
\pset tuples_only

CREATE TABLE log (source bigint, target bigint, kind text, network text, topic text[]);
INSERT INTO log SELECT i % 50, (i * i * 7) % 83, 'k' || i % 3, 'n' || i % 2, ARRAY['t' || i % 5, 'u' || i % 3] FROM generate_series(1, 3000) i;
SELECT influence_create_model('m', 'log', kind => 'kind', network => 'network', topic => 'topic');
SELECT forgotten FROM influence_models;
SELECT nodes, edges, skipped, skipped_forgotten FROM influence_refresh();
DELETE FROM log WHERE source = 12 AND kind = 'k1';
SELECT nodes, edges FROM influence_refresh();

-- What everybody's influence is made of, in the graphs of both runs.
CREATE FUNCTION explained(run bigint) RETURNS TABLE (user_id bigint, facet text, network text, kind text, supporter bigint, influence float8) LANGUAGE sql AS $$
	SELECT u, f.facet, e.network, e.kind, e.supporter, e.influence
	FROM generate_series(0, 90) u,
		(VALUES ('all', NULL, NULL), ('n0', 'n0', NULL), ('n1', 'n1', NULL), ('t2', NULL, 't2'), ('u0', NULL, 'u0')) f (facet, network, topic),
		influence_explain(u, 'm', f.network, f.topic, explained.run) e $$;
CREATE TABLE before AS SELECT 1 AS run, * FROM explained(1) UNION ALL SELECT 2, * FROM explained(2);
CREATE TABLE scores_before AS TABLE m_scores;
SELECT * FROM influence_forget(7);
CREATE TABLE after AS SELECT 1 AS run, * FROM explained(1) UNION ALL SELECT 2, * FROM explained(2);
-- the same without the user, to the bit
SELECT count(*) > 10000 AS many, count(*) FILTER (WHERE 7 IN (user_id, supporter)) > 100 AS theirs FROM before;
SELECT count(*) FROM (SELECT * FROM before WHERE 7 NOT IN (user_id, supporter) EXCEPT ALL TABLE after) d;
SELECT count(*) FROM (TABLE after EXCEPT ALL SELECT * FROM before WHERE 7 NOT IN (user_id, supporter)) d;
SELECT influence_score(7) IS NULL, (SELECT count(*) FROM influence_history(7)), (SELECT count(*) FROM influence_changes(7));
SELECT count(*) FROM influence_changes(12) WHERE supporter = 7;
-- the scores of others stay for now
SELECT count(*) FROM (SELECT * FROM scores_before WHERE user_id <> 7 EXCEPT TABLE m_scores) d;
SELECT user_id, at BETWEEN now() - interval '1 minute' AND now() AS now FROM m_leavers;
-- and the next refresh is one of a table that never knew the user
SELECT nodes, edges, skipped_forgotten, skipped = skipped_self + skipped_forgotten AS counted FROM influence_refresh();
SELECT count(*) AS theirs FROM log WHERE 7 IN (source, target);
CREATE VIEW others AS SELECT * FROM log WHERE 7 NOT IN (source, target);
SELECT influence_create_model('never', 'others', kind => 'kind', network => 'network', topic => 'topic');
SELECT nodes, edges, skipped_forgotten FROM influence_refresh('never');
UPDATE influence_model SET (reference, c) = (SELECT reference, c FROM influence_models WHERE name = 'm') WHERE name = 'never';
UPDATE influence_scale s SET (reference, c) = (SELECT reference, c FROM influence_scale WHERE model = 'm' AND (facet, name) = (s.facet, s.name)) WHERE model = 'never';
SELECT changed > 0 FROM influence_refresh('never');
SELECT count(*) FROM (SELECT user_id, score, influence, audience, responses, activity FROM m_scores EXCEPT SELECT user_id, score, influence, audience, responses, activity FROM never_scores) d;
SELECT count(*) FROM (TABLE m_networks EXCEPT TABLE never_networks) d;
SELECT count(*) FROM (TABLE m_topics EXCEPT TABLE never_topics) d;
SELECT count(*) FROM m_history WHERE user_id = 7;
SELECT count(*) FROM influence_explain(7, 'm');
-- who left made no change between two runs of whose graphs neither has them
SELECT count(*) FROM generate_series(0, 90) u, influence_changes(u, 'm', from_run => 2) WHERE supporter = 7;

-- Again: nothing left to remove.  Somebody unknown: kept out for the future.
SELECT sum(rows) FROM influence_forget(7, 'm');
SELECT relation, rows FROM influence_forget(4711, 'm');
INSERT INTO log VALUES (1, 4711, 'k1', 'n1', '{t1}'), (4711, 1, 'k1', 'n1', '{t1}'), (4711, 4711, 'k1', 'n1', '{t1}');
SELECT skipped_forgotten - 121 FROM influence_refresh('m');
SELECT influence_score(4711, 'm');
-- Who comes back is taken off the list, and who is put on it by hand leaves with the next refresh.
DELETE FROM m_leavers WHERE user_id = 4711;
INSERT INTO m_leavers VALUES (3);
SELECT skipped_forgotten > 0 FROM influence_refresh('m');
SELECT influence_score(4711, 'm') > 1, influence_score(3, 'm'), influence_score(7, 'm');
SELECT count(*) > 0 AS history_stays FROM m_history WHERE user_id = 3;
SELECT relation, rows > 0 AS some FROM influence_forget(3, 'm');
-- a rescale leaves them out too
SELECT skipped_forgotten > 0 FROM influence_rescale('m');
-- everybody
SELECT count(f) FROM (SELECT influence_forget(u, 'm') FROM generate_series(0, 5000) u WHERE influence_score(u, 'm') > 0) f;
SELECT count(*) FROM m_scores;
SELECT count(*) FROM m_networks;
SELECT run = runs AS last, section, count(*) FROM m_graph, influence_models WHERE name = 'm' AND section = 'edges' AND data <> decode(repeat('00', length(data)), 'hex') GROUP BY 1, 2;
SELECT nodes, edges, skipped_forgotten = interactions - skipped_self AS all FROM influence_refresh('m');
SELECT influence_drop_model('m');
SELECT to_regclass('m_leavers');
SELECT influence_drop_model('never');

-- Ids of all types, also odd ones; weights, no labels; the bytes are gone from what is kept.
CREATE TABLE odd (n int, id text);
INSERT INTO odd VALUES (1, ''), (2, ' '), (3, E'\u00e9\u4e2d'), (4, repeat('long', 1000)), (5, '0'), (6, '1'), (7, 'x''"\'), (8, 'NULL');
INSERT INTO odd SELECT i, 'user ' || i FROM generate_series(9, 40) i;
CREATE TABLE texts AS SELECT a.id AS source, b.id AS target, (1 + (a.n * b.n) % 7)::float8 / 2 AS weight FROM odd a, odd b WHERE (a.n * 31 + b.n * b.n) % 5 < 2;
CREATE TABLE uuids AS SELECT md5(source)::uuid AS source, md5(target)::uuid AS target, weight FROM texts;
INSERT INTO uuids VALUES ('00000000-0000-0000-0000-000000000000', md5('0')::uuid, 1), (md5('1')::uuid, '00000000-0000-0000-0000-000000000000', 1), ('01000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', 3);
CREATE TABLE numbers AS SELECT CASE WHEN a.n = 40 THEN -9223372036854775808 WHEN a.n = 39 THEN 9223372036854775807 ELSE a.n - 4 END AS source,
	CASE WHEN b.n = 40 THEN -9223372036854775808 WHEN b.n = 39 THEN 9223372036854775807 ELSE b.n - 4 END AS target FROM odd a, odd b WHERE (a.n * 31 + b.n * b.n) % 5 < 2;
SELECT influence_create_model('t', 'texts', weight => 'weight', tolerance => 1e-14);
SELECT influence_create_model('u', 'uuids', weight => 'weight', pair_weight => 'linear');
SELECT influence_create_model('b', 'numbers', tolerance => 1e-14);
SELECT nodes FROM influence_refresh('t');
SELECT nodes FROM influence_refresh('u');
SELECT nodes FROM influence_refresh('b');
-- Forget one user after another; after each, explanations are those of the beginning without all who left.
CREATE FUNCTION leave(model text, id_type text, leaver text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	removed text;
	differing bigint;
	found bigint;
BEGIN
	EXECUTE format('CREATE TABLE IF NOT EXISTS %I AS SELECT u.user_id, e.supporter, e.influence FROM %I u, influence_explain(u.user_id, %L) e',
		model || '_first', model || '_scores', model);
	EXECUTE format('SELECT string_agg(rows::text, '' '' ORDER BY relation::text) FROM influence_forget(%L::%s, %L)', leaver, id_type, model) INTO removed;
	EXECUTE format('DELETE FROM %I WHERE %L::%s IN (user_id, supporter)', model || '_first', leaver, id_type);
	EXECUTE format($sql$ WITH now AS (SELECT u.user_id, e.supporter, e.influence FROM %I u, influence_explain(u.user_id, %L) e)
		SELECT count(*) FROM ((TABLE now EXCEPT ALL TABLE %3$I) UNION ALL (TABLE %3$I EXCEPT ALL TABLE now)) d $sql$, model || '_scores', model, model || '_first') INTO differing;
	EXECUTE format('SELECT count(*) FROM %I g WHERE section = ''ids'' AND length(%L) > 2 AND position(%s IN data) > 0', model || '_graph', leaver,
		CASE id_type WHEN 'text' THEN format('convert_to(%L, ''UTF8'')', leaver) WHEN 'uuid' THEN format('uuid_send(%L)', leaver)
			ELSE format('(SELECT string_agg(substr(int8send(%L), i, 1), '''' ORDER BY i DESC) FROM generate_series(1, 8) i)', leaver) END) INTO found;
	RETURN format('removed %s, differing %s, found %s', removed, differing, found);
END
$$;
SELECT n, leave('t', 'text', id) FROM odd WHERE n < 12 ORDER BY n;
SELECT n, leave('u', 'uuid', md5(id)) FROM odd WHERE n IN (5, 6, 9) ORDER BY n;
-- (these are what stands in the place of somebody who left)
SELECT split_part(leave('u', 'uuid', id), ', found', 1) FROM unnest('{00000000-0000-0000-0000-000000000000, 01000000-0000-0000-0000-000000000000}'::text[]) id;
SELECT i, leave('b', 'bigint', i::text) FROM unnest('{0, 1, 2, -1, -3, 9223372036854775807, -9223372036854775808, 17}'::bigint[]) i;
-- and refreshes agree
SELECT error_of($$ DELETE FROM texts WHERE source IN (SELECT user_id FROM t_leavers) OR target IN (SELECT user_id FROM t_leavers) $$);
SELECT error_of($$ DELETE FROM numbers WHERE source IN (SELECT user_id FROM b_leavers) OR target IN (SELECT user_id FROM b_leavers) $$);
INSERT INTO texts SELECT '', id, 1 FROM odd UNION ALL SELECT id, '0', 2 FROM odd;
INSERT INTO numbers SELECT 0, n FROM odd UNION ALL SELECT n, -9223372036854775808 FROM odd;
SELECT skipped_forgotten > 50 FROM influence_refresh('t', as_of => now());
SELECT skipped_forgotten > 50 FROM influence_refresh('b', as_of => now());
DELETE FROM texts WHERE source IN (SELECT user_id FROM t_leavers) OR target IN (SELECT user_id FROM t_leavers);
DELETE FROM numbers WHERE source IN (SELECT user_id FROM b_leavers) OR target IN (SELECT user_id FROM b_leavers);
SELECT * FROM compare('t');
SELECT * FROM compare('b');
-- ids that the graph uses in the place of somebody who left may join
INSERT INTO numbers SELECT a, b FROM generate_series(100, 103) a, generate_series(0, 3) b;
SELECT influence_refresh('b') IS NOT NULL;
DROP TABLE b_first;
SELECT leave('b', 'bigint', i::text) FROM generate_series(100, 103) i;
-- a list without rows of value, or with the same twice
ALTER TABLE b_leavers DROP CONSTRAINT b_leavers_pkey, ALTER user_id DROP NOT NULL;
INSERT INTO b_leavers SELECT NULL FROM generate_series(1, 5);
INSERT INTO b_leavers SELECT 5 FROM generate_series(1, 5);
SELECT influence_refresh('b') IS NOT NULL;
SELECT influence_score(5, 'b'), influence_score(6, 'b') > 0;
SELECT rows FROM influence_forget(5, 'b');
SELECT count(*) FROM b_leavers WHERE user_id = 5;

-- Read by workers, by a query, as of a time, and with nothing kept.
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
CREATE TABLE many AS SELECT (i * 7919) % 5003 AS source, (i * 104729) % 4999 AS target FROM generate_series(1::bigint, 250000) i;
SELECT influence_create_model('p', 'many', keep_graphs => 0);
INSERT INTO p_leavers SELECT i * 3 FROM generate_series(0, 1000) i;
SELECT workers > 0 AS workers, skipped_forgotten = (SELECT count(*) FROM many WHERE source % 3 = 0 AND source <= 3000 OR target % 3 = 0 AND target <= 3000) AS right FROM influence_refresh('p');
SELECT count(*) FROM p_scores WHERE user_id % 3 = 0 AND user_id <= 3000;
SELECT rows FROM influence_forget(5000, 'p');
CREATE VIEW many_view AS SELECT source::text::bigint AS source, target FROM many;
SELECT influence_alter_model('p', interactions => 'many_view');
SELECT skipped_forgotten = (SELECT count(*) FROM many WHERE source = 5000 OR target = 5000 OR source % 3 = 0 AND source <= 3000 OR target % 3 = 0 AND target <= 3000) AS right FROM influence_refresh('p');
RESET min_parallel_table_scan_size;
RESET max_parallel_maintenance_workers;
-- a list that does not fit into memory is refused
SET maintenance_work_mem = '1MB';
INSERT INTO p_leavers SELECT i FROM generate_series(10001, 60000) i;
SELECT left(error_of('SELECT influence_refresh(''p'')'), 5);
RESET maintenance_work_mem;

-- What is damaged is deleted: nobody could say that it is free of the user.
SELECT influence_create_model('d', 'many');
SELECT nodes FROM influence_refresh('d');
SELECT nodes FROM influence_refresh('d');
CREATE FUNCTION damage(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	runs text;
BEGIN
	EXECUTE what;
	PERFORM influence_forget(1::bigint, 'd');
	SELECT string_agg(DISTINCT run::text, ' ') INTO runs FROM d_graph;
	RAISE EXCEPTION 'graphs left: %', coalesce(runs, 'none');
END
$$;
SET client_min_messages = warning;
SELECT error_of(format('SELECT damage(%L)', what)) FROM unnest(ARRAY[
	'DELETE FROM d_graph WHERE run = 1 AND section = ''head''',
	'UPDATE d_graph SET data = ''\x00'' WHERE run = 1 AND section = ''head''',
	'UPDATE d_graph SET data = set_byte(data, 0, 7) WHERE run = 2 AND section = ''head''',
	-- the base, the number of nodes, and how many of a partition the base has
	'UPDATE d_graph SET data = set_byte(data, 8, get_byte(data, 8) # 1) WHERE run = 2 AND section = ''head''',
	'UPDATE d_graph SET data = set_byte(data, 84, get_byte(data, 84) # 1) WHERE run = 2 AND section = ''head''',
	'UPDATE d_graph SET data = set_byte(data, 352, get_byte(data, 352) # 1) WHERE run = 2 AND section = ''head''',
	'DELETE FROM d_graph WHERE run = 2 AND section = ''ids''',
	'UPDATE d_graph SET data = substr(data, 1, length(data) - 1) WHERE run = 2 AND section = ''ids''',
	'UPDATE d_graph SET data = data || ''\x01''::bytea WHERE run = 2 AND section = ''ids''',
	'DELETE FROM d_graph WHERE section = ''voices''',
	'UPDATE d_graph SET data = data || ''\x01''::bytea WHERE run = 1 AND section = ''voices''',
	'DELETE FROM d_graph WHERE run = 1 AND section = ''scores''',
	'UPDATE d_graph SET data = data || ''\x01''::bytea WHERE run = 2 AND section = ''scores''',
	'UPDATE d_graph SET data = data || ''\x05''::bytea WHERE run = 2 AND section = ''edges'' AND partition = 7',
	'UPDATE d_graph SET data = ''\xffffffffffffffffffffffffff'' WHERE section = ''edges'' AND partition = 7',
	'DELETE FROM d_graph']) what;
-- a text's length that leads beyond the end
SELECT error_of($$ UPDATE t_graph SET data = '\xffffff7f' || substr(data, 5) WHERE section = 'ids' $$);
SET client_min_messages = error;
SELECT sum(rows) > 0 AS deleted FROM influence_forget('user 30', 't');
SELECT count(*) FROM t_graph;

-- Who may.
CREATE ROLE regress_influence_support;
GRANT USAGE ON SCHEMA model_forget TO regress_influence_support;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_forget(2, ''d'')');
RESET ROLE;
GRANT SELECT, DELETE ON d_scores, d_history TO regress_influence_support;
GRANT SELECT, UPDATE ON d_graph TO regress_influence_support;
GRANT SELECT, INSERT ON d_leavers TO regress_influence_support;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_forget(2, ''d'')');
RESET ROLE;
GRANT DELETE ON d_graph TO regress_influence_support;
REVOKE DELETE ON d_history FROM regress_influence_support;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_forget(2, ''d'')');
RESET ROLE;
SELECT count(*) FROM d_leavers;
SELECT influence_score(2, 'd') > 0;
GRANT DELETE ON d_history TO regress_influence_support;
REVOKE INSERT ON d_leavers FROM regress_influence_support;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_forget(2, ''d'')');
RESET ROLE;
GRANT INSERT ON d_leavers TO regress_influence_support;
SET ROLE regress_influence_support;
SELECT rows > 0 FROM influence_forget(2, 'd');
-- they cannot take anybody off the list
SELECT error_of('DELETE FROM d_leavers');
-- nor read the interactions
SELECT error_of('SELECT influence_refresh(''d'')');
RESET ROLE;
-- a refresh needs to read the list
GRANT ALL ON d_scores, d_history, d_graph TO regress_influence_support;
GRANT SELECT ON many TO regress_influence_support;
REVOKE ALL ON d_leavers FROM regress_influence_support;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_refresh(''d'')');
RESET ROLE;
GRANT SELECT (user_id) ON d_leavers TO regress_influence_support;
SET ROLE regress_influence_support;
SELECT skipped_forgotten > 0 FROM influence_refresh('d');
RESET ROLE;
-- row security must not hide anything, of the list or of what is to go
ALTER TABLE d_leavers ENABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_refresh(''d'')');
RESET ROLE;
ALTER TABLE d_leavers DISABLE ROW LEVEL SECURITY;
GRANT ALL ON d_leavers TO regress_influence_support;
ALTER TABLE d_history ENABLE ROW LEVEL SECURITY;
SET ROLE regress_influence_support;
SELECT error_of('SELECT influence_forget(4, ''d'')');
RESET ROLE;
ALTER TABLE d_history DISABLE ROW LEVEL SECURITY;

-- What goes wrong.
SELECT error_of('SELECT influence_forget(NULL::bigint, ''d'')');
SELECT error_of('SELECT influence_forget(1)');
SELECT error_of('SELECT influence_forget(1, ''none'')');
SELECT error_of('SELECT influence_forget(''1'', ''d'')');
SELECT error_of('SELECT influence_forget(1, ''u'')');
SET default_transaction_read_only = on;
SELECT error_of('SELECT influence_forget(5, ''d'')');
RESET default_transaction_read_only;
-- a trigger that keeps rows
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE DELETE ON d_history FOR EACH ROW EXECUTE FUNCTION keep();
SELECT error_of('SELECT influence_forget(5, ''d'')');
DROP TRIGGER keep ON d_history;
CREATE TRIGGER keep BEFORE INSERT ON d_leavers FOR EACH ROW EXECUTE FUNCTION keep();
SELECT error_of('SELECT influence_forget(5, ''d'')');
DROP TRIGGER keep ON d_leavers;
CREATE TRIGGER keep BEFORE UPDATE ON d_graph FOR EACH ROW EXECUTE FUNCTION keep();
SELECT error_of('SELECT influence_forget(5, ''d'')');
DROP TRIGGER keep ON d_graph;
SELECT influence_score(5, 'd') > 0;
-- in one transaction: before and after, and taken back
BEGIN;
SELECT influence_score(5, 'd') > 0;
SELECT rows > 0 FROM influence_forget(5, 'd');
SELECT influence_score(5, 'd');
SELECT nodes > 0 FROM influence_refresh('d');
SELECT influence_score(5, 'd');
ROLLBACK;
SELECT influence_score(5, 'd') > 0;
-- the list lost its column, or is gone
ALTER TABLE d_leavers RENAME user_id TO who;
SELECT error_of('SELECT influence_refresh(''d'')');
SELECT error_of('SELECT influence_drop_model(''d'')');
ALTER TABLE d_leavers RENAME who TO user_id;
BEGIN;
ALTER TABLE d_leavers DROP CONSTRAINT d_leavers_pkey, ALTER user_id TYPE text;
SELECT error_of('SELECT influence_refresh(''d'')');
ROLLBACK;
DROP TABLE d_leavers;
SELECT error_of('SELECT influence_refresh(''d'')');
SELECT error_of('SELECT influence_forget(5, ''d'')');
SELECT influence_drop_model('d');

DROP OWNED BY regress_influence_support;
DROP ROLE regress_influence_support;
DO $$ BEGIN PERFORM influence_drop_model(name) FROM influence_models; END $$;
DROP SCHEMA model_forget CASCADE;
