-- Incremental refreshes: what they say, when they are impossible, and that they
-- find what full ones do.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA model_incremental;
SET search_path = model_incremental, public;
\set VERBOSITY terse
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\set ECHO all
\pset format unaligned
\pset tuples_only

CREATE TABLE log (source bigint, target bigint, weight float8, at timestamptz);
INSERT INTO log SELECT 1 + (29 * noise('s', i))::int, 1 + (29 * noise('t', i) ^ 2)::int, 1 + (7 * noise('w', i))::int, '2024-01-01'::timestamptz + i * interval '1 hour'
FROM generate_series(1, 200) i;
SELECT influence_create_model('m', 'log', weight => 'weight', tolerance => 1e-14, keep_graphs => 3);

-- How many users there should be, there are, and have another row than they
-- should.  Ranks are within 2e-7 of the exact ones, so that users with the same
-- influence may have a little more than each other; sums that time makes less
-- may be off by aged.
CREATE FUNCTION compare_incremental(model text, as_of timestamptz = now(), aged float8 = 1e-9, OUT expected bigint, OUT published bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM reference(model, as_of);
	EXECUTE format($sql$
		SELECT count(r.user_id), count(s.user_id), count(*) FILTER (WHERE s.user_id IS NULL OR r.user_id IS NULL OR s.audience <> r.audience
			OR differs(s.influence, r.influence, 1e-5) OR differs(s.responses, r.responses, $1) OR differs(s.activity, r.activity, $1)
			OR differs(s.score, r.score, 1e-4) OR s.percentile < r.percentile - 0.001 - 100.0 * (SELECT count(*) - 1 FROM reference_user t WHERE abs(t.influence - r.influence) <= 1e-5 * greatest(1, r.influence)) / $2
			OR s.percentile > r.percentile + 0.001 + 100.0 * (SELECT count(*) - 1 FROM reference_user t WHERE abs(t.influence - r.influence) <= 1e-5 * greatest(1, r.influence)) / $2)
		FROM reference_user r FULL JOIN (SELECT *, user_id::text AS id FROM %I) s ON s.id = r.user_id $sql$, model || '_scores')
	INTO expected, published, wrong USING aged, (SELECT count(*) FROM reference_user);
END
$$;

-- A refresh of m; what its row says beside what it should.
CREATE FUNCTION refresh(how text = 'incremental', as_of timestamptz = NULL, aged float8 = 1e-9) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r influence_run;
	queued bigint := 0;
	c record;
	pairs bigint;
BEGIN
	IF to_regclass('m_queue') IS NOT NULL THEN SELECT count(*) INTO queued FROM m_queue; END IF;
	r := influence_refresh('m', how, as_of);
	SELECT * INTO c FROM compare_incremental('m', r.as_of, aged);
	SELECT count(*) INTO pairs FROM reference_pair;
	RETURN concat_ws(', ', r.mode, format('%s of %s read, %s skipped', r.interactions, CASE r.mode WHEN 'incremental' THEN queued ELSE (SELECT count(*) FROM log) END, r.skipped),
		CASE WHEN (r.nodes, r.edges) = (c.expected, pairs) THEN 'nodes and edges are right' ELSE format('%s nodes and %s edges instead of %s and %s', r.nodes, r.edges, c.expected, pairs) END,
		format('%s published, %s wrong', c.published, c.wrong),
		CASE WHEN r.converged AND r.error_bound BETWEEN 0 AND 1e-6 THEN 'converged' ELSE 'error ' || r.error_bound END,
		(SELECT nullif(count(*), 0) || ' left in queue' FROM m_queue));
END
$$;
CREATE FUNCTION why(model text = 'm', as_of timestamptz = NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM influence_refresh(model, 'incremental', as_of);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, detail, hint);
END
$$;

-- Not before changes are captured and a full refresh was made since.
SELECT why();
SELECT influence_refresh('m') IS NOT NULL;
SELECT why();
SELECT influence_track('m');
SELECT why();
SELECT refresh('auto');
SELECT refresh();
SELECT error_of($$SELECT influence_refresh('m', 'fast')$$);
SELECT error_of($$SELECT influence_alter_model('m', score_tolerance => -0.1)$$);
SELECT error_of($$SELECT influence_alter_model('m', score_tolerance => 'NaN')$$);

-- Rows that come and go.
INSERT INTO log VALUES (3, 4, 2), (4, 5, 1), (5, 6, 3);
SELECT refresh();
UPDATE log SET weight = weight + 1 WHERE source = 3;
DELETE FROM log WHERE target = 4;
SELECT refresh();
-- in the same batch
INSERT INTO log VALUES (3, 4, 2.5), (100, 4, 1.1);
DELETE FROM log WHERE source = 100 OR weight = 2.5;
SELECT refresh();
SELECT count(*) FROM m_scores WHERE user_id = 100;
UPDATE log SET weight = weight * 3 WHERE source = 7;
UPDATE log SET weight = weight / 3 WHERE source = 7;
SELECT refresh();
-- a new user, who vanishes, and comes again
INSERT INTO log VALUES (200, 4, 1), (5, 200, 7);
SELECT refresh();
SELECT score > 1, audience FROM m_scores WHERE user_id = 200;
DELETE FROM log WHERE 200 IN (source, target);
SELECT refresh();
SELECT count(*), influence_score(200, 'm') FROM m_scores WHERE user_id = 200;
SELECT error_of('SELECT * FROM influence_explain(200, ''m'')'), count(*) FROM influence_explain(200, 'm');
INSERT INTO log VALUES (200, 201, 1), (201, 200, 7);
SELECT refresh();
SELECT user_id, audience FROM m_scores WHERE user_id >= 200 ORDER BY 1;
-- rows that do not count
INSERT INTO log VALUES (9, 9, 5), (300, 300, 1), (NULL, 4, 1), (4, NULL, 1), (301, 4, 0), (4, 5, NULL);
SELECT refresh();
DELETE FROM log WHERE source = target OR source IS NULL OR target IS NULL OR weight = 0;
SELECT refresh();
-- what is published is what explains it, after however many
INSERT INTO log SELECT source + 1, target, weight FROM log WHERE source < 9;
SELECT refresh();
SELECT count(*), count(*) FILTER (WHERE differs(total, influence, 1e-6)) FROM m_scores s,
	LATERAL (SELECT sum(influence) AS total FROM influence_explain(s.user_id, 'm')) e WHERE audience > 0;
SELECT count(*), count(*) FILTER (WHERE differs(total, influence, 1e-6)) FROM m_scores s,
	LATERAL (SELECT sum(after) AS total FROM influence_changes(s.user_id, 'm')) e WHERE audience > 0;
SELECT bool_and(differs(before + change, after, 1e-12)) FROM m_scores s, influence_changes(s.user_id, 'm');
-- as many graphs as are kept, each complete
SELECT run, string_agg(DISTINCT section, ' ' ORDER BY section) FROM m_graph GROUP BY run ORDER BY run;
SELECT r.run, count(DISTINCT e.supporter) > 0 FROM (SELECT run FROM m_graph WHERE section = 'head') r, influence_explain(12, 'm', run => r.run) e GROUP BY 1 ORDER BY 1;

-- Everybody's history: of each run that changed the score, the new one.
INSERT INTO log SELECT 1 + i % 30, 12, 5 FROM generate_series(1, 60) i;
SELECT refresh();
SELECT max(run) = (SELECT max(run) FROM influence_runs WHERE model = 'm') FROM m_history WHERE user_id = 12;
SELECT count(*) FROM m_scores s WHERE abs(score - (SELECT score FROM m_history h WHERE h.user_id = s.user_id ORDER BY run DESC LIMIT 1)) >= 0.02;
SELECT h.run = (SELECT max(run) FROM m_history WHERE user_id = 12), h.score = (SELECT score FROM m_scores WHERE user_id = 12), jsonb_array_length(causes)
FROM influence_history(12, 'm') h ORDER BY run DESC LIMIT 1;

-- Whose influence is beyond the scale.
INSERT INTO log SELECT 1 + i % 30, 12, 500 FROM generate_series(1, 60) i;
SELECT refresh();
SELECT user_id FROM m_scores WHERE score = 100;
-- changes by others' doing
INSERT INTO log SELECT 20, i, 50 FROM generate_series(21, 28) i;
SELECT refresh();
SELECT user_id FROM m_scores WHERE score = 100;
SELECT left(influence_rescale('m')::text, 0);
SELECT refresh();
SELECT influence_create_model('beyond', 'log', tolerance => 1e-14);
SELECT influence_track('beyond');
SELECT influence_refresh('beyond') IS NOT NULL;
INSERT INTO log SELECT 1000 + i % 100, 2000 + i % 20, 1 FROM generate_series(1, 4000) i;
SELECT mode FROM influence_refresh('beyond', 'incremental');
SELECT mode FROM influence_refresh('m', 'incremental');
DELETE FROM log WHERE source >= 1000;
SELECT mode FROM influence_refresh('beyond', 'incremental');
SELECT refresh();
SELECT influence_drop_model('beyond');

-- What needs a full refresh; "auto" makes that, and is incremental after.
CREATE FUNCTION after(VARIADIC commands text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	FOR c IN 1..cardinality(commands) LOOP EXECUTE commands[c]; END LOOP;
	RETURN NEXT why();
	INSERT INTO log VALUES (5, 12, 1);
	RETURN NEXT refresh('auto');
	INSERT INTO log VALUES (6, 12, 1);
	RETURN NEXT refresh('auto');
END
$$;
SELECT after('SELECT influence_alter_model(''m'', damping => 0.6)');
SELECT after('SELECT influence_forget(999, ''m'')');
SELECT after('CREATE TEMP TABLE saved AS TABLE log', 'TRUNCATE log', 'INSERT INTO log TABLE saved');
SELECT after('ALTER TABLE log ALTER weight TYPE real');
SELECT influence_track('m');
SELECT mode FROM influence_refresh('m');
SELECT after('ALTER TABLE log ADD extra int', 'UPDATE log SET extra = 1', 'ALTER TABLE log SET (fillfactor = 90)', 'ANALYZE log');
SELECT after('DELETE FROM m_graph');
SELECT after('ALTER TABLE log DISABLE TRIGGER m_queue_insert', 'INSERT INTO log VALUES (1, 2, 3)', 'ALTER TABLE log ENABLE TRIGGER m_queue_insert');
SELECT influence_track('m');
SELECT refresh('auto');
SELECT influence_alter_model('m', keep_graphs => 0);
SELECT why();
SELECT refresh('auto');
SELECT why();
SELECT count(*) FROM m_graph;
SELECT influence_alter_model('m', keep_graphs => 1);
SELECT why();
SELECT refresh('auto');
INSERT INTO log VALUES (7, 12, 1);
SELECT refresh('auto');
INSERT INTO log VALUES (7, 11, 1);
SELECT refresh('auto');
SELECT run, string_agg(DISTINCT section, ' ' ORDER BY section) FROM m_graph GROUP BY run ORDER BY run;
SELECT influence_refresh('m', 'full') IS NOT NULL;
SELECT run = (SELECT max(run) FROM influence_runs WHERE model = 'm'), string_agg(DISTINCT section, ' ' ORDER BY section) FROM m_graph GROUP BY run ORDER BY run;
-- more than pays
INSERT INTO log SELECT i, i % 13, 0.25 FROM generate_series(1, 150) i;
SELECT refresh('auto');
INSERT INTO log SELECT i, i % 13, 0.25 FROM generate_series(1, 150) i;
SELECT refresh();
DELETE FROM log WHERE weight = 0.25;
SELECT refresh();
-- a row that is not valid: not if it is gone again, but for the queue
INSERT INTO log VALUES (1, 2, -5);
SELECT why();
SELECT error_of($$SELECT influence_refresh('m', 'auto')$$);
DELETE FROM log WHERE weight = -5;
SELECT why();
SELECT refresh('auto');
INSERT INTO log VALUES (8, 12, 1);
SELECT refresh('auto');
-- weights that cancel out nearly
INSERT INTO log VALUES (50, 51, 1e-3), (50, 51, 1e6);
SELECT refresh('incremental');
DELETE FROM log WHERE weight = 1e6;
SELECT why();
SELECT refresh('auto');
-- and entirely
INSERT INTO log VALUES (50, 52, 0.1), (50, 52, 0.2), (50, 52, 0.7);
SELECT refresh();
DELETE FROM log WHERE target = 52;
SELECT refresh();
SELECT count(*) FROM m_scores WHERE user_id = 52;
-- nobody is left
DELETE FROM log;
SELECT refresh();
SELECT count(*) FROM m_scores;
SELECT refresh();
INSERT INTO log VALUES (1, 2, 3), (2, 3, 1);
SELECT refresh();
SELECT user_id, round(score::numeric, 2), round(percentile::numeric, 2), round(influence::numeric, 4), audience, responses, activity FROM m_scores ORDER BY 1;
-- somebody is forgotten, whom others still react to
INSERT INTO log VALUES (3, 1, 3), (4, 2, 1), (4, 3, 2), (2, 4, 1);
SELECT refresh();
SELECT relation, rows > 0 FROM influence_forget(3, 'm') ORDER BY relation::text;
SELECT why();
SELECT mode, skipped_forgotten FROM influence_refresh('m');
INSERT INTO log VALUES (3, 2, 1), (1, 3, 1), (1, 4, 1);
DELETE FROM log WHERE source = 4 AND target = 3;
SELECT mode, interactions, skipped_forgotten FROM influence_refresh('m', 'incremental');
SELECT user_id, audience FROM m_scores ORDER BY 1;
SELECT supporter FROM influence_explain(2, 'm') ORDER BY 1;
SELECT influence_drop_model('m');

-- Time.
SELECT influence_create_model('m', 'log', weight => 'weight', at => 'at', half_life => '10 days', tolerance => 1e-14);
UPDATE log SET at = '2024-02-01'::timestamptz - source * interval '5 days';
SELECT influence_track('m');
SELECT refresh('auto', '2024-02-01');
INSERT INTO log VALUES (5, 6, 2, '2024-02-02');
SELECT refresh('incremental', '2024-02-02');
SELECT refresh('incremental', '2024-02-22');
SELECT refresh('incremental', '2027-02-22');
SELECT why(as_of => '2024-02-21');
SELECT refresh('auto', '2024-02-21');
SELECT why(as_of => 'infinity');
SELECT why(as_of => '2344-02-01');
SELECT refresh('auto', '2024-02-21 00:00:01', 1e-5);
-- an old interaction is left, which weighs nothing beside the newer one that goes
INSERT INTO log VALUES (70, 71, 1, '2022-11-01'), (70, 71, 1, '2024-02-21');
SELECT refresh('incremental', '2024-02-21 00:00:02', 1e-5);
DELETE FROM log WHERE source = 70 AND at > '2024-01-01';
SELECT why(as_of => '2024-02-21 00:00:03');
SELECT refresh('auto', '2024-02-21 00:00:03');
DELETE FROM log WHERE source = 70;
SELECT refresh('incremental', '2024-02-21 00:00:04', 1e-5);
SELECT count(*) FROM m_scores WHERE user_id IN (70, 71);
-- rows of the future
INSERT INTO log VALUES (5, 7, 2, '2024-03-02'), (6, 5, 1, NULL);
SELECT mode, skipped_future FROM influence_refresh('m', 'incremental', '2024-02-22');
SELECT why(as_of => '2024-03-03');
SELECT refresh('auto', '2024-03-03');
SELECT refresh('auto', '2024-03-03');
SELECT influence_drop_model('m');

-- Topics become parts of others.
CREATE TABLE opinion (source bigint, target bigint, topic text[], network text);
CREATE TABLE wider (topic text, parent text);
INSERT INTO wider VALUES ('jazz', 'music'), ('rock', 'music');
INSERT INTO opinion VALUES (1, 2, '{jazz}', 'a'), (2, 3, '{rock,jazz}', 'a'), (3, 1, '{music}', 'b'), (3, 2, '{jazz,music}', 'b'), (1, 3, NULL, NULL);
SELECT influence_create_model('o', 'opinion', topic => 'topic', topic_parents => 'wider', network => 'network', tolerance => 1e-14);
SELECT influence_track('o');
SELECT mode FROM influence_refresh('o');
-- two ways to say the same
DELETE FROM opinion WHERE topic = '{jazz}';
INSERT INTO opinion VALUES (1, 2, '{music,jazz}', 'a'), (4, 2, '{folk}', 'c');
SELECT mode, nodes, edges FROM influence_refresh('o', 'incremental');
SELECT topic, user_id, audience FROM o_topics ORDER BY 1, 2;
SELECT network, user_id, audience FROM o_networks ORDER BY 1, 2;
DELETE FROM opinion WHERE network = 'c';
UPDATE opinion SET topic = '{jazz}' WHERE source = 1 AND topic IS NOT NULL;
UPDATE opinion SET topic = '{jazz}' WHERE source = 3 AND target = 2;
SELECT mode, nodes, edges FROM influence_refresh('o', 'incremental');
SELECT topic, user_id, audience FROM o_topics ORDER BY 1, 2;
SELECT network, user_id, audience FROM o_networks ORDER BY 1, 2;
SELECT network, supporter FROM influence_explain(2, 'o', topic => 'music') ORDER BY 2;
INSERT INTO wider VALUES ('folk', 'music');
SELECT why('o');
SELECT mode FROM influence_refresh('o');
DELETE FROM wider WHERE topic = 'folk';
INSERT INTO wider VALUES ('folk', 'music');
SELECT mode FROM influence_refresh('o');
SELECT influence_drop_model('o');

-- Who to invite, after incremental refreshes: as after a full one.
CREATE TABLE big AS SELECT 1 + (99 * noise('s2', i))::int::bigint AS source, 1 + (99 * noise('t2', i) ^ 2)::int::bigint AS target FROM generate_series(1, 800) i;
SELECT influence_create_model('n', 'big', tolerance => 1e-14);
SELECT influence_create_model('twin', 'big', tolerance => 1e-14);
SELECT influence_track('n');
SELECT influence_refresh('n') IS NOT NULL;
INSERT INTO big SELECT 1 + (120 * noise('s3', i))::int, 1 + (120 * noise('t3', i))::int FROM generate_series(1, 100) i;
DELETE FROM big WHERE source IN (3, 4);
SELECT mode FROM influence_refresh('n', 'incremental');
INSERT INTO big SELECT 1 + (130 * noise('s4', i))::int, 1 + (130 * noise('t4', i))::int FROM generate_series(1, 50) i;
DELETE FROM big WHERE source IN (5, 16) OR target = 7;
SELECT mode FROM influence_refresh('n', 'incremental');
-- without times it does not matter as of when
SELECT mode FROM influence_refresh('n', 'incremental', '2020-01-01');
SELECT mode FROM influence_refresh('n', 'incremental');
SELECT mode FROM influence_refresh('twin');
SELECT count(*) FROM (SELECT user_id, audience FROM influence_audience('n', ARRAY[1, 2, 9, 120]::bigint[]) EXCEPT SELECT user_id, audience FROM influence_audience('twin', ARRAY[1, 2, 9, 120]::bigint[])) d;
SELECT count(*) FROM (SELECT user_id FROM influence_influencers_of('n', ARRAY[1, 2, 9, 120]::bigint[], 10) EXCEPT SELECT user_id FROM influence_influencers_of('twin', ARRAY[1, 2, 9, 120]::bigint[], 10)) d;
SELECT count(*) FROM influence_campaign('n', 5);
SELECT influence_drop_model('n'), influence_drop_model('twin');

-- Names, and ids of all types.
CREATE DOMAIN person AS varchar(40);
CREATE FUNCTION try_ids(type text, id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	c record;
	r influence_run;
BEGIN
	EXECUTE format('CREATE TABLE "Ünï ""code"" log" ("who ''s" %s, "To" %1$s, "W(x)" numeric)', type);
	EXECUTE format('INSERT INTO "Ünï ""code"" log" SELECT %s, %s, i %% 5 FROM generate_series(1, 60) i', replace(id, '#', 'i % 11'), replace(id, '#', 'i % 7'));
	PERFORM influence_create_model('Ünï "code"', '"Ünï ""code"" log"', source => 'who ''s', target => 'To', weight => 'W(x)', tolerance => 1e-14);
	PERFORM influence_track('Ünï "code"'), influence_refresh('Ünï "code"', 'full');
	EXECUTE format('INSERT INTO "Ünï ""code"" log" SELECT %s, %s, 1.25 FROM generate_series(1, 13) i', replace(id, '#', 'i % 7'), replace(id, '#', 'i'));
	EXECUTE format('DELETE FROM "Ünï ""code"" log" WHERE "To" = %s', replace(id, '#', '3'));
	r := influence_refresh('Ünï "code"', 'incremental');
	SELECT * INTO c FROM compare_incremental('Ünï "code"');
	PERFORM influence_drop_model('Ünï "code"');
	DROP TABLE "Ünï ""code"" log";
	RETURN concat_ws(' ', r.mode, c.*);
END
$$;
SELECT type, try_ids(type, id) FROM (VALUES ('smallint', '(#)::smallint'), ('int', '#'), ('bigint', '(#) * 1000000000000'), ('text', '''it''''s "ü" '' || #'), ('varchar(30)', 'repeat(''x'', #)'),
	('person', '(''p'' || #)::person'), ('char(8)', '(#)::text::char(8)'), ('uuid', 'md5((#)::text)::uuid')) v(type, id);

-- Partitions are attached, and detached.
CREATE TABLE parts (source bigint, target bigint, weight float8) PARTITION BY RANGE (source);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 (weight float8, target bigint, source bigint);
INSERT INTO parts SELECT i % 10, i % 6, 1 FROM generate_series(1, 50) i;
INSERT INTO parts_2 SELECT 1, i % 6, 10 + i % 10 FROM generate_series(1, 50) i;
SELECT influence_create_model('p', 'parts', weight => 'weight', tolerance => 1e-14);
SELECT influence_track('p');
SELECT mode FROM influence_refresh('p');
INSERT INTO parts VALUES (1, 2, 3);
UPDATE parts_1 SET target = 8 WHERE target = 1;
SELECT mode FROM influence_refresh('p', 'incremental');
SELECT * FROM compare_incremental('p');
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20);
SELECT why('p');
SELECT influence_track('p');
SELECT mode FROM influence_refresh('p');
UPDATE parts SET source = 12 WHERE source = 2;
SELECT mode FROM influence_refresh('p', 'incremental');
SELECT * FROM compare_incremental('p');
ALTER TABLE parts DETACH PARTITION parts_1;
SELECT why('p');
SELECT mode FROM influence_refresh('p');
SELECT * FROM compare_incremental('p');
SELECT influence_drop_model('p');
DROP TABLE parts, parts_1;

-- Little memory: a clean error, and nothing is lost.
CREATE TABLE wide AS SELECT i AS source, i * 7919 % 60000 AS target FROM generate_series(1, 60000) i;
SELECT influence_create_model('m', 'wide');
SELECT influence_track('m');
SELECT mode FROM influence_refresh('m', 'full');
INSERT INTO wide SELECT i, i + 1 FROM generate_series(1, 10000) i;
SET maintenance_work_mem = '1MB';
SELECT why();
RESET maintenance_work_mem;
SELECT count(*) FROM m_queue;
SELECT mode, interactions FROM influence_refresh('m', 'incremental');
SELECT influence_drop_model('m');

-- A graph that is damaged: a clean error, and a full refresh.
CREATE TABLE rich (source bigint, target bigint, weight float8, topic text, at timestamptz);
INSERT INTO rich SELECT 1 + (29 * noise('s', i))::int, 1 + (29 * noise('t', i) ^ 2)::int, 1 + (7 * noise('w', i))::int, 'topic ' || i % 4, '2024-01-01'::timestamptz + i * interval '1 hour'
FROM generate_series(1, 300) i;
SELECT influence_create_model('d', 'rich', weight => 'weight', topic => 'topic', at => 'at');
SELECT influence_create_model('e', 'rich', keep_graphs => 3);
SELECT influence_track('d'), influence_track('e');
-- Damage a section in n ways, one after the other; what comes of it.
CREATE FUNCTION damage(model text, of_section text, n int) RETURNS TABLE (section text, tries bigint, without_rows bigint, refreshed bigint, clean bigint, others text, full_after bigint, right_after boolean)
LANGUAGE plpgsql AS $$
DECLARE
	place tid;
	bytes bytea;
	outcome text;
	r influence_run;
	twin record;
BEGIN
	section := of_section;
	tries := 0; without_rows := 0; refreshed := 0; clean := 0; full_after := 0;
	FOR i IN 1..n LOOP
		PERFORM influence_refresh(model, 'full', '2024-02-01');
		INSERT INTO rich VALUES (31 + i % 9, 1 + i % 13, 1, 'topic 9', '2024-01-30');
		DELETE FROM rich WHERE ctid = (SELECT min(ctid) FROM rich WHERE source <> target);
		PERFORM influence_refresh(model, 'incremental', '2024-02-02');
		INSERT INTO rich VALUES (2, 31 + i % 9, 2, 'topic 8', '2024-01-30');
		DELETE FROM rich WHERE ctid = (SELECT min(ctid) FROM rich WHERE source <> target);
		EXECUTE format('SELECT ctid, data FROM %I WHERE section = $1 AND length(data) > 0 ORDER BY md5(ctid::text || $2) LIMIT 1', model || '_graph') INTO place, bytes USING of_section, i::text;
		IF place IS NULL THEN without_rows := without_rows + 1; CONTINUE; END IF;
		tries := tries + 1;
		bytes := CASE i % 5 WHEN 0 THEN substr(bytes, 1, (noise('cut', i) * length(bytes))::int) WHEN 1 THEN bytes || '\x00'
			WHEN 2 THEN set_byte(set_byte(bytes, (noise('a', i) * length(bytes) - 0.5)::int % length(bytes), (255 * noise('b', i))::int), length(bytes) - 1, 255)
			ELSE set_byte(bytes, (noise('a', i) * (length(bytes) - 1))::int, (255 * noise('b', i))::int) END;
		EXECUTE format('UPDATE %I SET data = $1 WHERE ctid = $2', model || '_graph') USING bytes, place;
		BEGIN
			PERFORM influence_refresh(model, 'incremental', '2024-02-03');
			refreshed := refreshed + 1;
			-- numbers that are only other numbers cannot be told; nothing is kept of them
			PERFORM influence_refresh(model, 'full', '2024-02-03');
			full_after := full_after + 1;
		EXCEPTION WHEN OTHERS THEN
			IF SQLSTATE IN ('XX001', '55000', '54000', '53400') OR SQLSTATE LIKE '22%' THEN clean := clean + 1;
			ELSE others := concat_ws(' ', others, SQLSTATE, SQLERRM); END IF;
			r := influence_refresh(model, 'auto', '2024-02-03');
			full_after := full_after + (r.mode = 'full')::int;
		END;
	END LOOP;
	right_after := (SELECT c.wrong = 0 FROM compare_incremental(model, '2024-02-03') c);
	RETURN NEXT;
END
$$;
SELECT model, d.section, d.tries > 0 AS tried, refreshed + clean = tries AS all_clean, others, full_after = tries AS full, right_after
FROM (VALUES ('d'), ('e')) m(model), unnest(ARRAY['head', 'ids', 'voices', 'scores', 'edges', 'changes', 'labels', 'topic']) s, damage(model, s, CASE s WHEN 'head' THEN 15 ELSE 7 END) d
ORDER BY 1, 2;
SELECT influence_drop_model('d'), influence_drop_model('e');
DROP SCHEMA model_incremental CASCADE;
