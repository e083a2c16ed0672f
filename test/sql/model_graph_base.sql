-- Graphs that are told by their differences from that of another run.
SET client_min_messages = warning;
CREATE SCHEMA model_graph_base;
SET search_path = model_graph_base, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\i test/sql/include/people.sql
\i test/sql/include/kept_graphs.sql
\set ECHO all
\pset format unaligned
\pset tuples_only

-- One model without weights and labels, and one with both and ids of text.
SELECT make_log(30, 250);
CREATE VIEW named AS SELECT 'user ' || source AS source, 'user ' || target AS target, weight, network, topic FROM log;
CREATE TABLE everybody (id bigint UNIQUE);
SELECT influence_create_model('plain', 'log', keep_graphs => 3), influence_create_model('rich', 'named', weight => 'weight', network => 'network', topic => 'topic', keep_graphs => 3);
SELECT name, nodes, edges FROM influence_models, LATERAL influence_refresh(name) ORDER BY 1;
INSERT INTO everybody SELECT unnest(ARRAY[source, target]) FROM log ON CONFLICT DO NOTHING;
-- somebody goes, others come and react to each other too, with new labels; all weights are half of what they were
CREATE TABLE gone AS SELECT source AS id FROM log GROUP BY 1 ORDER BY count(*), 1 LIMIT 1;
DELETE FROM log WHERE (SELECT id FROM gone) IN (source, target) OR source % 7 = 3 AND target % 5 = 1;
UPDATE log SET weight = weight / 2;
INSERT INTO log SELECT i % 3, 1 + i % 4, 0.5, 'radio', '{jazz,music}' FROM generate_series(1, 10) i;
INSERT INTO log SELECT 100 + i, 1 + i % 4, 1, 'photo', '{film}' FROM generate_series(1, 25) i;
INSERT INTO log SELECT source, i % 5, 0.25, network, topic FROM log, generate_series(1, 2) i WHERE source % 3 = 1;
INSERT INTO log SELECT i % 5, target, 0.75, network, topic FROM log, generate_series(3, 4) i WHERE source % 4 = 1;
SELECT name, nodes, edges FROM influence_models, LATERAL influence_refresh(name) ORDER BY 1;
INSERT INTO everybody SELECT unnest(ARRAY[source, target]) FROM log ON CONFLICT DO NOTHING;
DELETE FROM log WHERE source % 11 = 2;
UPDATE log SET weight = weight / 2;
INSERT INTO log SELECT source, 9 - i, 1, 'radio', '{blues}' FROM log, generate_series(2, 8, 3) i WHERE target % 6 = 1;
SELECT name, nodes, edges FROM influence_models, LATERAL influence_refresh(name) ORDER BY 1;
INSERT INTO everybody SELECT unnest(ARRAY[source, target]) FROM log ON CONFLICT DO NOTHING;

-- All that is asked of kept graphs, by everybody who ever took part, in all facets.
CREATE FUNCTION answers(model text, runs bigint[]) RETURNS TABLE (question text, user_id text, what text, amount float8) LANGUAGE plpgsql AS $$
DECLARE
	id_type text := (SELECT m.id_type FROM influence_models m WHERE m.name = model);
	users text := format('(SELECT (%L || id)::%s AS u FROM everybody) users', CASE model WHEN 'rich' THEN 'user ' ELSE '' END, id_type);
	everybody text := format('ARRAY(SELECT u FROM %s ORDER BY 1)', users);
	f record;
BEGIN
	FOR f IN SELECT * FROM facet UNION ALL VALUES (6, 'radio', NULL), (7, NULL, 'jazz') LOOP
		CONTINUE WHEN model = 'plain' AND f.facet > 1;
		RETURN QUERY EXECUTE format('SELECT ''explain '' || %L || '' in '' || r, u::text, concat_ws('' / '', e.supporter, e.network), e.influence
			FROM %s, unnest(%L::bigint[]) r, influence_explain(u, %L, %L, %L, r) e', f.facet, users, runs, model, f.network, f.topic);
		CONTINUE WHEN runs[1] <> 1;
		RETURN QUERY EXECUTE format('SELECT ''changes '' || %L || '' to '' || r, u::text, concat_ws('' / '', e.supporter, e.network), e.after - e.before
			FROM %s, unnest(%L::bigint[]) r, influence_changes(u, %L, %L, %L, 1, r) e WHERE r > 1', f.facet, users, runs, model, f.network, f.topic);
		RETURN QUERY EXECUTE format('SELECT ''audience '' || %L, coalesce(a.user_id::text, ''all''), coalesce(a.other::text, ''all''), a.audience + coalesce(a.only_here, 0) / 1000.0::float8
			FROM influence_audience(%L, %s, %L, %L) a', f.facet, model, everybody, f.network, f.topic);
		RETURN QUERY EXECUTE format('SELECT ''influencers '' || %L, i.user_id::text, coalesce(i.direct::text, ''none''), i.attention
			FROM influence_influencers_of(%L, (%s)[1:5], 100, %L, %L) i', f.facet, model, everybody, f.network, f.topic);
	END LOOP;
END
$$;
-- How answers differ; they are sums, and those in another order.
CREATE FUNCTION differences(model text, runs bigint[], OUT answers bigint, OUT questions bigint, OUT different bigint) LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE now ON COMMIT DROP AS SELECT * FROM answers(model, runs);
	SELECT count(*), count(DISTINCT question) INTO differences.answers, questions FROM now;
	EXECUTE format('SELECT count(*) FROM %I b FULL JOIN now n USING (question, user_id, what)
		WHERE (abs(n.amount - b.amount) <= 1e-13 + 1e-9 * (question LIKE ''influencers%%'')::int) IS NOT TRUE', model || '_before') INTO different;
	DROP TABLE now;
END
$$;
SELECT count(*) FROM everybody;
CREATE TABLE plain_before AS SELECT * FROM answers('plain', '{1,2,3}');
CREATE TABLE rich_before AS SELECT * FROM answers('rich', '{1,2,3}');
CREATE TABLE plain_full AS TABLE plain_graph;
CREATE TABLE rich_full AS TABLE rich_graph;
SELECT * FROM differences('plain', '{1,2,3}');
SELECT * FROM differences('rich', '{1,2,3}');
SELECT * FROM tell_differences('plain', 2, 1);
SELECT * FROM tell_differences('plain', 3, 1);
SELECT * FROM tell_differences('rich', 2, 1, 0.5);
SELECT * FROM tell_differences('rich', 3, 1, 0.25);
SELECT run, section, count(*) > 0 FROM plain_graph GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM differences('plain', '{1,2,3}');
SELECT * FROM differences('rich', '{1,2,3}');
-- parts that are not changed count with the scale
SELECT count(read_graph('rich', run)) FROM generate_series(1, 3) run;
SELECT run, count(*), sum(x) FROM kept_part GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM influence_campaign('rich', 3, key => NULL::text);

-- Damaged, or made up: nothing stays changed.
CREATE FUNCTION changed(change text, model text = 'rich') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE change;
	RAISE SQLSTATE 'YY000' USING MESSAGE = replace(split_part(
		error_of(format('SELECT count(*) FROM (SELECT user_id FROM %I) u, LATERAL influence_explain(u.user_id, %L)', model || '_scores', model)), E'\n  hint', 1), E'\n', '');
EXCEPTION WHEN SQLSTATE 'YY000' THEN
	RETURN SQLERRM;
END
$$;
CREATE FUNCTION native(value float8) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT float_bytes(value, get_byte(data, 0) = 50) FROM rich_full WHERE section = 'head' AND run = 1 $$;
CREATE FUNCTION native(value bigint, bytes int) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT number_bytes(value, bytes, get_byte(data, 0) = 50) FROM rich_full WHERE section = 'head' AND run = 1 $$;
-- changes: of a row or from a slot that is not there, cut off, too long, trailing
CREATE FUNCTION changes(data text, model text = 'plain') RETURNS text LANGUAGE sql AS
$$ SELECT changed(format('UPDATE %I SET data = %s WHERE run = 3 AND section = ''changes''', model || '_graph', data), model) $$;
SELECT data, changes(data) FROM unnest(ARRAY['data', 'varint(1000) || ''\x0001''', 'varint(4294967295) || ''\x0001''', 'varint(1::bigint << 32) || ''\x0001''',
	'''\x00'' || varint(1 << 20) || ''\x01''', '''\x00'' || varint(4294967295) || ''\x01''', '''\x00'' || varint(1::bigint << 62) || ''\x01''',
	'substr(data, 1, length(data) - 1)', 'data || ''\x00''', '''\xffffffffffffffffffffff01''', '''\x00''', '''\x0000''', '''\x000001000001''', 'data || data']) data;
-- (also: x, and labels)
SELECT data, changes('''\x0000'' || ' || data, 'rich') FROM unnest(ARRAY['varint(0) || native(-1::float8)', 'varint(0) || native(''NaN''::float8)', 'varint(0) || native(''Infinity''::float8)',
	'varint(1000) || native(1::float8)', 'varint(1::bigint << 32) || native(1::float8)', 'varint(2) || native(1::float8) || ''\x0000'' || varint(2) || native(1::float8)',
	'varint(2) || native(1::float8) || ''\x0000'' || varint(1) || native(1::float8)', 'varint(1) || substr(native(1::float8), 1, 7)']) data;
SELECT change, changed(format(change, 'rich_graph')) FROM unnest(ARRAY['UPDATE %s SET "first" = 1 WHERE run = 3 AND section = ''changes''',
	'INSERT INTO %s SELECT run, section, facet, partition, 10000, data FROM rich_graph WHERE run = 3 AND section = ''changes''',
	-- what is the base's
	'DELETE FROM %s WHERE run = 1 AND section = ''ids''', 'DELETE FROM %s WHERE run = 1 AND section = ''edges''', 'DELETE FROM %s WHERE run = 1 AND section = ''labels''',
	'UPDATE %s SET data = substr(data, 1, length(data) - 1) WHERE run = 1 AND section = ''ids''', 'UPDATE %s SET data = data || ''\x00000000'' WHERE run = 1 AND section = ''ids''',
	'UPDATE %s SET data = substr(data, 1, length(data) - 1) WHERE run = 1 AND section = ''edges''', 'UPDATE %s SET data = data || ''\x00'' WHERE run = 1 AND section = ''edges''',
	'UPDATE %s SET "first" = 1 WHERE run = 1 AND section = ''labels''', 'UPDATE %s SET data = substr(data, 1, length(data) - 1) WHERE run = 1 AND section = ''labels''',
	-- and the graph's own
	'DELETE FROM %s WHERE run = 3 AND section = ''ids''', 'UPDATE %s SET "first" = "first" + 1 WHERE run = 3 AND section = ''ids''',
	'UPDATE %s SET data = data || data WHERE run = 3 AND section = ''ids''', 'DELETE FROM %s WHERE run = 3 AND section = ''voices''',
	'DELETE FROM %s WHERE run = 3 AND section = ''labels''', 'UPDATE %s SET "first" = 0 WHERE run = 3 AND section = ''labels''',
	-- scores, which are not asked for here, and a base that is not kept for itself
	'UPDATE %s SET data = ''\xff'' WHERE run = 3 AND section = ''scores''', 'DELETE FROM %s WHERE run = 1 AND section NOT IN (''ids'', ''edges'', ''labels'')']) change;
-- the head: base, landmark after the run, scale, users, base's labels, base's nodes
SELECT at, bytes, changed(format('UPDATE rich_graph SET data = substr(data, 1, %s) || %s || substr(data, %s + length(%s)) WHERE run = 3 AND section = ''head''', at, bytes, at + 1, bytes))
FROM (VALUES (8, 'native(0, 8)'), (8, 'native(3, 8)'), (8, 'native(4, 8)'), (8, 'native(-1, 8)'), (8, 'native(2, 8)'),
	(24, 'native(9223372036854775807, 8)'), (40, 'native(0::float8)'), (40, 'native(1.5::float8)'), (40, 'native(-0.5::float8)'), (40, 'native(''NaN''::float8)'),
	(40, 'native(1::float8)'), (80, 'native(1000, 4)'), (88, 'native(0, 4)'), (92, 'native(1000, 4)'), (92, 'native(0, 4)'), (352, 'native(1000, 4)')) h(at, bytes);
SELECT * FROM differences('rich', '{1,2,3}');

-- Users leave: one of the base, those who came, also when both graphs put them
-- into a place of their own, and who was gone.
CREATE FUNCTION leave(model text, leaver text, runs bigint[] = '{1,2,3}', OUT had boolean, OUT places bigint, OUT mentioned bigint, OUT left_there bigint, OUT different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	id_type text := (SELECT m.id_type FROM influence_models m WHERE m.name = model);
BEGIN
	PERFORM read_graph(model, run) FROM unnest(runs) run;
	CREATE TEMP TABLE place ON COMMIT DROP AS SELECT * FROM kept_node WHERE id = leaver AND run = ANY (runs);
	SELECT count(DISTINCT (partition, at)) INTO places FROM place;
	SELECT count(*) > 0 INTO had FROM kept_part WHERE leaver IN (source, target) AND run = ANY (runs);
	CREATE TEMP TABLE before ON COMMIT DROP AS SELECT * FROM answers(model, runs) WHERE question ~ '^(explain|changes)';
	EXECUTE format('SELECT count(*) FROM influence_forget(%L::%s, %L)', leaver, id_type, model);
	PERFORM read_graph(model, run) FROM unnest(runs) run;
	SELECT (SELECT count(*) FROM kept_node WHERE id = leaver AND run = ANY (runs)) + (SELECT count(*) FROM kept_part WHERE leaver IN (source, target) AND run = ANY (runs)) INTO mentioned;
	SELECT count(*) INTO left_there FROM place p JOIN kept_node n USING (run, partition, at) WHERE '\x0000000000000000' <> ANY (ARRAY[n.score, n.voice]) OR n.id = p.id;
	CREATE TEMP TABLE after ON COMMIT DROP AS SELECT * FROM answers(model, runs) WHERE question ~ '^(explain|changes)';
	SELECT count(*) INTO different FROM ((SELECT * FROM before WHERE leaver NOT IN (user_id, split_part(what, ' / ', 1)) EXCEPT ALL TABLE after)
		UNION ALL (TABLE after EXCEPT ALL SELECT * FROM before WHERE leaver NOT IN (user_id, split_part(what, ' / ', 1)))) d;
	DROP TABLE place, before, after;
END
$$;
SELECT id, l.* FROM unnest(ARRAY['-100000', (SELECT id::text FROM gone), '1', '7', '2', '4711']) id, leave('plain', id) l;
-- (somebody at different places)
SELECT count(read_graph('rich', run)) FROM generate_series(2, 3) run;
SELECT id AS moved FROM kept_node WHERE run IN (2, 3) AND id LIKE 'user ___' GROUP BY 1 HAVING count(DISTINCT at) = 2 ORDER BY 1 LIMIT 1 \gset
SELECT id, l.* FROM unnest(ARRAY[:'moved', 'user 1', 'user 7', 'user -100000', 'user 4711', (SELECT 'user ' || id FROM gone), 'user 4']) id, leave('rich', id) l;

-- A base that is too old to be kept stays as long as it is needed, but is not kept for itself.
SELECT influence_alter_model('plain', keep_graphs => 2), influence_alter_model('rich', keep_graphs => 2);
SELECT name, nodes, edges FROM influence_models, LATERAL influence_refresh(name) ORDER BY 1;
SELECT run, string_agg(DISTINCT section, ' ' ORDER BY section) FROM rich_graph GROUP BY 1 ORDER BY 1;
SELECT split_part(error_of('SELECT influence_explain(2::bigint, ''plain'', run => 1)'), E'\n', 1);
SELECT split_part(error_of('SELECT influence_explain(2::bigint, ''plain'', run => 2)'), E'\n', 1);
SELECT id, l.* FROM unnest(ARRAY['10866', '2947']) id, leave('plain', id, '{3}') l;
SELECT id, l.* FROM unnest(ARRAY['user 0', 'user 2947']) id, leave('rich', id, '{3}') l;
-- what is damaged goes with all that is based on it
CREATE FUNCTION damage(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	runs text;
BEGIN
	EXECUTE what;
	PERFORM influence_forget('user 10866', 'rich');
	SELECT string_agg(DISTINCT run::text, ' ') INTO runs FROM rich_graph;
	RAISE EXCEPTION 'graphs left: %', coalesce(runs, 'none');
END
$$;
SELECT run, count(*) > 0 FROM (SELECT count(read_graph('rich', run)) FROM unnest('{3,4}'::bigint[]) run) r, kept_part WHERE 'user 10866' IN (source, target) AND run IN (3, 4) GROUP BY 1 ORDER BY 1;
\set VERBOSITY default
SELECT what, error_of(format('SELECT damage(%L)', what)) FROM unnest(ARRAY['SELECT 1',
	'DELETE FROM rich_graph WHERE run = 1', 'DELETE FROM rich_graph WHERE run = 1 AND section = ''ids''',
	'UPDATE rich_graph SET data = ''\xff'' WHERE run = 1 AND section = ''edges''', 'UPDATE rich_graph SET data = data || ''\x00'' WHERE run = 3 AND section = ''changes''',
	'DELETE FROM rich_graph WHERE run = 3 AND section = ''voices''', 'DELETE FROM rich_graph WHERE run = 3 AND section = ''scores''',
	'UPDATE rich_graph SET data = set_byte(data, 352, get_byte(data, 352) # 1) WHERE run = 3 AND section = ''head''',
	'DELETE FROM rich_graph WHERE run = 3 AND section = ''head''', 'DELETE FROM rich_graph WHERE run = 4 AND section = ''ids''',
	'UPDATE rich_graph SET data = substr(data, 1, 8) || native(3, 8) || substr(data, 17) WHERE run = 4 AND section = ''head''']) what;
SELECT name, nodes, edges FROM influence_models, LATERAL influence_refresh(name) ORDER BY 1;
SELECT DISTINCT run FROM rich_graph UNION SELECT run FROM plain_graph ORDER BY 1;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_graph_base CASCADE;
