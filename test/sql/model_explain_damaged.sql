-- A table of graphs that is damaged, or made up: an error or some rows, never
-- a crash, and never a hang.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_explain_damaged;
SET search_path = model_explain_damaged, public;
SET statement_timeout = '60s';
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\i test/sql/include/people.sql
\i test/sql/include/kept_graphs.sql
DROP TABLE log CASCADE;
\set ECHO all

CREATE TABLE log AS
SELECT (17 * noise('source', i) ^ 2)::bigint AS source, (19 * noise('target', i) ^ 1.5)::bigint AS target,
	'user ' || (17 * noise('source', i) ^ 2)::int AS source_text, 'user ' || (19 * noise('target', i) ^ 1.5)::int AS target_text,
	md5((17 * noise('source', i) ^ 2)::int::text)::uuid AS source_uuid, md5((19 * noise('target', i) ^ 1.5)::int::text)::uuid AS target_uuid,
	round((5 * noise('weight', i))::numeric, 1) AS weight,
	(ARRAY['like', 'reply', NULL])[1 + floor(3 * noise('kind', i))::int] AS kind,
	(ARRAY['x', 'y', NULL])[1 + floor(3 * noise('network', i) ^ 2)::int] AS network,
	(ARRAY['{cats}', '{cats,dogs}', '{birds}', '{}'])[1 + floor(4 * noise('topics', i))::int]::text[] AS topics
FROM generate_series(1, 300) i;

-- Bytes that look random.
CREATE FUNCTION garbage(series text, i bigint, length int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT decode(left(coalesce(string_agg(md5(series || i || '/' || n), ''), ''), 2 * length), 'hex') FROM generate_series(0, length / 16) n $$;
-- One of several ways to damage data.
CREATE FUNCTION damage(data bytea, i int) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	n CONSTANT int := length(data);
	at CONSTANT int := floor(n * noise('at', i));
	few CONSTANT int := 1 + floor(8 * noise('few', i) ^ 2);
BEGIN
	RETURN CASE i % 7
		WHEN 0 THEN substr(data, 1, at)
		WHEN 1 THEN CASE WHEN n = 0 THEN '\x00' ELSE set_byte(data, at, get_byte(data, at) # (1 << (i / 7 % 8))) END
		WHEN 2 THEN substr(data, 1, at) || garbage('replace', i, least(few, n - at)) || substr(data, at + 1 + few)
		WHEN 3 THEN substr(data, 1, at) || garbage('insert', i, few) || substr(data, at + 1)
		WHEN 4 THEN substr(data, 1, at) || substr(data, at + 1 + few)
		WHEN 5 THEN garbage('all', i, CASE WHEN i % 2 = 0 THEN n ELSE few END)
		ELSE substr(data, 1, at) || decode(repeat('ff', least(few, n - at)), 'hex') || substr(data, at + 1 + few)
	END;
END
$$;

-- Damage one of the longest rows of a section of a model's last graph, many
-- times and each in another way, and ask for explanations.  What comes of it may depend on the
-- machine: told is whether an error came that nothing should lead to, and that
-- there were errors, and answers, at all.
CREATE FUNCTION try_damage(model text, section text, times int, how text = 'damage(data, i)', OUT some_errors boolean, OUT some_answers boolean, OUT other_errors text)
LANGUAGE plpgsql AS $$
DECLARE
	graph CONSTANT text := quote_ident(model || '_graph');
	-- one whose score has changed: the history has something to explain
	users CONSTANT text := format('(SELECT user_id FROM %I ORDER BY influence DESC, user_id LIMIT 1 OFFSET 1) u', model || '_scores');
	questions CONSTANT text[] := ARRAY[
		'SELECT sum(e.influence), string_agg(e.supporter::text || e.network || e.kind, '''') FROM %s, LATERAL influence_explain(u.user_id, %L) e',
		'SELECT sum(e.influence), string_agg(e.supporter::text, '''') FROM %s, LATERAL influence_explain(u.user_id, %L, network => ''x'') e',
		'SELECT sum(e.influence), string_agg(e.supporter::text, '''') FROM %s, LATERAL influence_explain(u.user_id, %L, topic => ''cats'') e',
		'SELECT sum(e.after), string_agg(e.network || e.kind, '''') FROM %s, LATERAL influence_changes(u.user_id, %L) e',
		'SELECT 1, string_agg(e.causes::text, '''') FROM %s, LATERAL influence_history(u.user_id, %L) e'];
	question text;
	place record;
	answer float8;
	text_answer text;
BEGIN
	some_errors := false;
	some_answers := false;
	FOR i IN 0..times - 1 LOOP
		EXECUTE format('SELECT facet, partition, "first", data FROM %s WHERE run = 2 AND section = $1 ORDER BY length(data) DESC, facet COLLATE "C", partition, "first"
			LIMIT 1 OFFSET (SELECT floor(least(count(*), 6) * noise(''place'', $2)) FROM %1$s WHERE run = 2 AND section = $1)', graph)
		INTO STRICT place USING section, i;
		EXECUTE format('UPDATE %s SET data = %s FROM (VALUES ($5)) t(i) WHERE run = 2 AND (section, facet, partition, "first") = ($1, $2, $3, $4)',
			graph, how) USING section, place.facet, place.partition, place.first, i;
		FOREACH question IN ARRAY questions LOOP
			BEGIN
				EXECUTE format(question, users, model) INTO answer, text_answer;
				some_answers := true;
			EXCEPTION WHEN data_corrupted THEN
				some_errors := true;
			WHEN OTHERS THEN
				other_errors := concat_ws(' ', other_errors, SQLSTATE || ' ' || SQLERRM);
			END;
		END LOOP;
		EXECUTE format('UPDATE %s SET data = $5 WHERE run = 2 AND (section, facet, partition, "first") = ($1, $2, $3, $4)', graph)
		USING section, place.facet, place.partition, place.first, place.data;
	END LOOP;
END
$$;

SELECT influence_create_model('numbers', 'log', kind => 'kind', network => 'network', topic => 'topics', weight => 'weight'),
	influence_create_model('uuids', 'log', 'source_uuid', 'target_uuid'),
	influence_create_model('texts', 'log', 'source_text', 'target_text', kind => 'kind', topic => 'topics', pair_weight => 'linear');
SELECT count(*) FROM influence_models, LATERAL influence_refresh(name) r;
INSERT INTO log SELECT (l).* FROM (SELECT l FROM log l LIMIT 90) s;
SELECT count(*) FROM influence_models, LATERAL influence_refresh(name) r;
SELECT s.section, t.* FROM unnest('{head,ids,voices,edges,labels,network,topic}'::text[]) s(section), LATERAL try_damage('numbers', section, 35) t;
SELECT s.section, t.* FROM unnest('{head,ids,voices,edges}'::text[]) s(section), LATERAL try_damage('uuids', section, 14) t;
SELECT s.section, t.* FROM unnest('{head,ids,voices,edges,labels,topic}'::text[]) s(section), LATERAL try_damage('texts', section, 21) t;
-- what stands there decides how all else is read: each byte of the types and
-- the base, of the scale, and of the numbers of users, nodes and labels
SELECT * FROM try_damage('numbers', 'head', 60, 'set_byte(data, 4 + i % 12, (ARRAY[0, 1, 2, 77, 255])[1 + i / 12])');
SELECT * FROM try_damage('numbers', 'head', 40, 'set_byte(data, 40 + i % 8, (ARRAY[0, 1, 2, 77, 255])[1 + i / 8])');
SELECT * FROM try_damage('numbers', 'head', 80, 'set_byte(data, 80 + i % 16, (ARRAY[0, 1, 2, 77, 255])[1 + i / 16])');
-- as it was
CREATE FUNCTION wrong_users() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FILTER (WHERE NOT abs(e.total - s.influence) <= 1e-9 * s.influence) FROM numbers_scores s,
	LATERAL (SELECT coalesce(sum(influence), 0) AS total FROM influence_explain(s.user_id, 'numbers')) e $$;
SELECT wrong_users();

-- Change the tables of a model, and explain; nothing stays changed.
CREATE FUNCTION changed(change text, question text = 'influence_explain') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE change;
	RAISE SQLSTATE 'YY000' USING MESSAGE =
		split_part(error_of(format('SELECT count(*) FROM (SELECT user_id FROM numbers_scores) u, LATERAL %s(u.user_id, ''numbers'')', question)), E'\n', 1);
EXCEPTION WHEN SQLSTATE 'YY000' THEN
	RETURN SQLERRM;
END
$$;
-- rows that are not there, that are empty, elsewhere, there twice, another's
SELECT section, changed(format('DELETE FROM numbers_graph WHERE run = 2 AND section = %L', section))
FROM unnest('{head,ids,voices,edges,labels,network,topic}'::text[]) section;
SELECT section, changed(format('UPDATE numbers_graph SET data = '''' WHERE run = 2 AND section = %L', section))
FROM unnest('{head,ids,voices,edges,labels,network,topic}'::text[]) section;
SELECT section, changed(format('UPDATE numbers_graph SET "first" = "first" + 1 WHERE run = 2 AND section = %L', section))
FROM unnest('{head,ids,voices,edges,labels}'::text[]) section;
SELECT section, changed(format('INSERT INTO numbers_graph SELECT run, section, facet, partition, "first" + 10000, data FROM numbers_graph
	WHERE run = 2 AND section = %L', section))
FROM unnest('{head,ids,voices,labels}'::text[]) section;
SELECT changed('DELETE FROM numbers_graph WHERE run = 2; INSERT INTO numbers_graph SELECT * FROM texts_graph WHERE run = 2');
SELECT changed('DELETE FROM numbers_graph WHERE run = 2; INSERT INTO numbers_graph SELECT * FROM uuids_graph WHERE run = 2');
SELECT changed('TRUNCATE numbers_graph');
SELECT changed('ALTER TABLE numbers_graph ALTER data DROP NOT NULL; UPDATE numbers_graph SET data = NULL WHERE section = ''edges''');
-- columns of other types and names
SELECT change, changed('ALTER TABLE numbers_graph ' || change) FROM (VALUES
	('ALTER data TYPE text USING data::text'), ('ALTER data TYPE bigint USING 7'), ('ALTER data TYPE boolean USING true'),
	('ALTER "first" TYPE numeric'), ('ALTER "first" TYPE text'), ('ALTER partition TYPE bigint'), ('ALTER run TYPE int'),
	('ALTER run TYPE numeric'), ('ALTER run TYPE text'), ('ALTER section TYPE varchar'), ('RENAME data TO content'), ('DROP COLUMN "first"')) c(change);
SELECT change, changed('ALTER TABLE numbers_history ' || change, 'influence_history') FROM (VALUES
	('ALTER run TYPE numeric'), ('ALTER run TYPE text'), ('ALTER at TYPE text'), ('ALTER at TYPE int USING 1'), ('ALTER score TYPE numeric'),
	('ALTER score TYPE text'), ('ALTER user_id TYPE text'), ('RENAME at TO since'), ('DROP COLUMN score')) c(change);
SELECT changed('ALTER TABLE numbers_history ALTER score DROP NOT NULL, ALTER at DROP NOT NULL; UPDATE numbers_history SET score = NULL, at = NULL', 'influence_history');
SELECT changed('DROP TABLE numbers_history', 'influence_history');
SELECT wrong_users();

-- A graph that is told by its differences from another.
SELECT influence_create_model('based', 'log', kind => 'kind', network => 'network', topic => 'topics', weight => 'weight');
SELECT run FROM influence_refresh('based');
INSERT INTO log SELECT i, target, 'new', 'new', NULL, NULL, 1.5, 'like', 'z', '{cats,mice}' FROM log, generate_series(100, 120) i WHERE source < 2 AND target < 10;
UPDATE log SET weight = weight + 0.5 WHERE target % 3 = 1;
SELECT run FROM influence_refresh('based');
SELECT nodes > 0 AS nodes, labels > 0 AS labels, parts > 0 AS parts FROM tell_differences('based', 2, 1);
SELECT count(*) FILTER (WHERE NOT abs(e.total - s.influence) <= 1e-9 * s.influence) FROM based_scores s,
	LATERAL (SELECT coalesce(sum(influence), 0) AS total FROM influence_explain(s.user_id, 'based')) e;
SELECT s.section, t.* FROM unnest('{head,ids,voices,changes,labels,network,topic}'::text[]) s(section), LATERAL try_damage('based', section, 35) t;
SELECT * FROM try_damage('based', 'head', 60, 'set_byte(data, 4 + i % 12, (ARRAY[0, 1, 2, 77, 255])[1 + i / 12])');
SELECT * FROM try_damage('based', 'head', 40, 'set_byte(data, 40 + i % 8, (ARRAY[0, 1, 2, 77, 255])[1 + i / 8])');

-- The next refresh makes it good.
UPDATE numbers_graph SET data = '\x00';
SELECT run FROM influence_refresh('numbers');
SELECT wrong_users();

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_explain_damaged CASCADE;
