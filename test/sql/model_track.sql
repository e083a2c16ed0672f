-- Changes of interactions are captured, each once.
SET client_min_messages = warning;
CREATE SCHEMA model_track;
SET search_path = model_track, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all
\pset format unaligned
\pset tuples_only

CREATE TABLE log (id serial, source bigint, target bigint, note text);
INSERT INTO log (source, target) VALUES (1, 2), (2, 3);
SELECT influence_create_model('m', 'log');
SELECT queue IS NULL AS untracked FROM influence_models;
SELECT influence_track('m');
SELECT queue FROM influence_models;
\d m_queue
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'log'::regclass ORDER BY 1;
SELECT obj_description('m_queue'::regclass);

-- What a refresh has read, and what is in the queue, add up to the table.
CREATE TABLE base (source bigint, target bigint);
CREATE FUNCTION read() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM influence_refresh('m');
	DELETE FROM base;
	INSERT INTO base SELECT source, target FROM log;
	RETURN (SELECT concat('left in queue ', count(*)) FROM m_queue);
END
$$;
CREATE FUNCTION difference() RETURNS text LANGUAGE sql AS $$
	SELECT concat((SELECT concat_ws(' ', count(*) FILTER (WHERE sign = 1), count(*) FILTER (WHERE sign = -1), count(*) FILTER (WHERE sign = 0)) FROM m_queue), ', differing ',
		(SELECT count(*) FROM (SELECT source, target FROM (SELECT source, target, 1 AS n FROM log
			UNION ALL SELECT source, target, -1 FROM base UNION ALL SELECT source, target, -sign FROM m_queue WHERE sign <> 0) a GROUP BY 1, 2 HAVING sum(n) <> 0) d)) $$;
SELECT read(), difference();
-- statements of all kinds: inserted, deleted, unknown
INSERT INTO log (source, target) VALUES (3, 4), (NULL, 4), (5, 5);
SELECT difference();
INSERT INTO log (source, target) SELECT i % 20, i % 7 FROM generate_series(1, 2000) i;
SELECT difference();
UPDATE log SET target = target + 1 WHERE source = 3;
SELECT difference();
-- of other columns, to the same, and of no row: nothing
UPDATE log SET note = 'x';
UPDATE log SET source = source, note = 'y';
UPDATE log SET source = 1 WHERE false;
DELETE FROM log WHERE false;
INSERT INTO log (source, target) SELECT 1, 2 WHERE false;
SELECT difference();
-- NULL, and back
UPDATE log SET target = NULL WHERE source = 4;
UPDATE log SET target = 7 WHERE target IS NULL AND source = 4;
SELECT difference();
DELETE FROM log WHERE source = 6;
SELECT difference();
COPY log (source, target) FROM stdin;
10	11
12	\N
\.
SELECT difference();
SELECT read(), difference();
-- a statement that does several things
CREATE UNIQUE INDEX log_id ON log (id);
INSERT INTO log (id, source, target) SELECT i, 100, 200 FROM generate_series(-3, 40) i ON CONFLICT (id) DO UPDATE SET source = 101 WHERE log.target <> 3;
SELECT difference();
INSERT INTO log (id, source, target) SELECT i, 100, 200 FROM generate_series(-5, 50) i ON CONFLICT DO NOTHING;
SELECT difference();
WITH gone AS (DELETE FROM log WHERE id <= 5 RETURNING source, target), again AS (INSERT INTO log (source, target) SELECT target, source FROM gone)
UPDATE log SET target = 77 WHERE id BETWEEN 10 AND 12;
SELECT difference();
SELECT read(), difference();
-- MERGE, which 14 does not know
CREATE TABLE want (id int, source bigint, target bigint);
INSERT INTO want VALUES (20, 1, 2), (21, 3, 4), (22, NULL, NULL), (-100, 5, 6);
DO $$
BEGIN
	IF current_setting('server_version_num')::int >= 150000 THEN
		MERGE INTO log USING want ON log.id = want.id
			WHEN MATCHED AND want.source IS NULL THEN DELETE
			WHEN MATCHED THEN UPDATE SET source = want.source, target = want.target
			WHEN NOT MATCHED THEN INSERT (id, source, target) VALUES (want.id, want.source, want.target);
	ELSE
		DELETE FROM log USING want WHERE log.id = want.id AND want.source IS NULL;
		UPDATE log SET source = want.source, target = want.target FROM want WHERE log.id = want.id;
		INSERT INTO log (id, source, target) SELECT * FROM want WHERE id = -100;
	END IF;
END
$$;
SELECT difference();
SELECT read();
-- rolled back, in whole and in part
BEGIN;
INSERT INTO log (source, target) VALUES (1, 9);
ROLLBACK;
SELECT difference();
BEGIN;
INSERT INTO log (source, target) VALUES (1, 9);
SAVEPOINT s;
INSERT INTO log (source, target) VALUES (1, 10);
DELETE FROM log WHERE source = 7;
ROLLBACK TO s;
SAVEPOINT t;
INSERT INTO log (source, target) VALUES (1, 11);
RELEASE t;
COMMIT;
SELECT difference();
-- refreshed in the middle of a transaction
BEGIN;
INSERT INTO log (source, target) VALUES (2, 9);
SELECT read();
INSERT INTO log (source, target) VALUES (3, 9);
SELECT difference();
SAVEPOINT s;
SELECT read();
ROLLBACK TO s;
SELECT difference();
COMMIT;
SELECT difference();
SELECT read();
-- a refresh that fails takes nothing
INSERT INTO log (source, target) VALUES (4, 9);
ALTER TABLE m_scores ADD CONSTRAINT none CHECK (score > 1000) NOT VALID;
SELECT left(error_of('SELECT influence_refresh(''m'')'), 5);
ALTER TABLE m_scores DROP CONSTRAINT none;
SELECT difference();
-- all gone
TRUNCATE log;
SELECT sign, source, target FROM m_queue ORDER BY sign;
SELECT read(), difference();
-- what triggers and foreign keys do
CREATE TABLE person (id bigint PRIMARY KEY);
INSERT INTO person SELECT generate_series(1, 10);
INSERT INTO log (source, target) SELECT 1 + i % 10, 1 + i % 7 FROM generate_series(1, 100) i;
ALTER TABLE log ADD FOREIGN KEY (source) REFERENCES person ON DELETE CASCADE ON UPDATE CASCADE, ADD FOREIGN KEY (target) REFERENCES person ON DELETE SET NULL;
SELECT read();
DELETE FROM person WHERE id IN (2, 3, 5);
SELECT difference();
UPDATE person SET id = id + 100 WHERE id > 8;
SELECT difference();
CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN INSERT INTO log (source, target) VALUES (NEW.target, NEW.source); END IF;
	NEW.note := 'also';
	RETURN CASE WHEN NEW.source = 7 THEN NULL ELSE NEW END;
END
$$;
CREATE TRIGGER also BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION also();
INSERT INTO log (source, target) VALUES (1, 4), (7, 1), (4, 6);
SELECT difference();
DROP TRIGGER also ON log;
-- others that use transition tables, and several models of one table
CREATE FUNCTION count_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% rows', (SELECT count(*) FROM n); RETURN NULL; END $$;
CREATE TRIGGER a_count AFTER INSERT ON log REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION count_new();
CREATE TRIGGER z_count AFTER INSERT ON log REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION count_new();
SELECT influence_create_model('n', 'log', kind => 'note');
SELECT influence_track('n');
SET client_min_messages = notice;
INSERT INTO log (source, target, note) VALUES (1, 4, 'n'), (4, 6, 'n');
SET client_min_messages = warning;
SELECT difference();
TABLE n_queue;
UPDATE log SET note = 'o' WHERE note = 'n' AND source = 1;
SELECT difference();
TABLE n_queue;
DROP TRIGGER a_count ON log;
DROP TRIGGER z_count ON log;
SELECT influence_drop_model('n');
SELECT count(*), to_regclass('n_queue') FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc AND tgname LIKE 'n_queue%';
-- whatever session_replication_role is
SELECT read();
SET session_replication_role = replica;
INSERT INTO log (source, target) VALUES (1, 6);
RESET session_replication_role;
SELECT difference();
-- a function that did it before, in the same session, after the model was tracked anew
CREATE FUNCTION add() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (source, target) VALUES (6, 1); END $$;
SELECT add();
SELECT influence_untrack('m');
SELECT add();
SELECT influence_track('m');
SELECT basis IS NULL AS must_be_full FROM influence_model;
SELECT read();
SELECT basis IS NULL AS must_be_full FROM influence_model;
SELECT add();
SELECT difference();
-- a second time it only sees to it that all is there
CREATE TABLE basis AS SELECT basis FROM influence_model;
SELECT influence_track();
SELECT basis = (SELECT basis FROM basis) AS same FROM influence_model;
SELECT difference();

-- Changes of the table.
ALTER TABLE log RENAME TO journal;
CREATE SCHEMA model_track_2;
ALTER TABLE journal SET SCHEMA model_track_2;
INSERT INTO model_track_2.journal (source, target) VALUES (4, 1);
SELECT source, target FROM m_queue ORDER BY 1;
ALTER TABLE model_track_2.journal SET SCHEMA model_track;
ALTER TABLE journal RENAME TO log;
-- columns that come, go and move: nothing to do with the model
ALTER TABLE log ADD extra int DEFAULT 5, DROP COLUMN note;
ALTER TABLE log ADD note text;
INSERT INTO log (source, target) VALUES (4, 1);
UPDATE log SET extra = 6;
SELECT difference();
-- a column that is gone: nobody knows what has changed, but can go on writing
ALTER TABLE log RENAME target TO object;
INSERT INTO log (source, object) VALUES (4, 7);
DELETE FROM log WHERE object = 7;
SELECT sign, count(*) FROM m_queue GROUP BY 1 ORDER BY 1;
SELECT influence_alter_model('m', target => 'object');
SELECT count(*) FROM m_queue;
INSERT INTO log (source, object) VALUES (4, 6);
TABLE m_queue;
ALTER TABLE log RENAME object TO target;
SELECT influence_alter_model('m', target => 'target');
-- of another type: likewise, until the queue is made anew
ALTER TABLE log DROP CONSTRAINT log_source_fkey, DROP CONSTRAINT log_target_fkey, ALTER source TYPE int, ALTER target TYPE int;
INSERT INTO log (source, target) VALUES (4, 6);
SELECT sign, source, target FROM m_queue;
SELECT influence_track();
INSERT INTO log (source, target) VALUES (4, 6);
SELECT sign, source, target FROM m_queue;
CREATE TABLE typed (source int, target int, kind text, at date);
INSERT INTO typed VALUES (1, 2, 'like', '2024-01-01'), (2, 3, 'reply', '2024-01-02');
SELECT influence_create_model('t', 'typed', kind => 'kind', at => 'at');
SELECT influence_track('t');
CREATE FUNCTION typed(command text, how text = 'auto') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	r influence_run;
BEGIN
	EXECUTE command;
	RETURN QUERY SELECT concat_ws(' ', sign, source, target, kind, at) FROM t_queue ORDER BY 1;
	r := influence_refresh('t', how);
	RETURN NEXT concat_ws(' ', r.mode, r.interactions, CASE WHEN (SELECT basis FROM influence_model WHERE name = 't') IS NULL THEN 'must be full' END);
END
$$;
SELECT typed('SELECT 1');
SELECT typed('INSERT INTO typed VALUES (3, 1, ''like'', ''2024-01-03'')', 'incremental');
-- lengths and domains are no other types
CREATE DOMAIN person_number AS int CHECK (VALUE > 0);
SELECT typed('ALTER TABLE typed ALTER source TYPE person_number');
SELECT typed('INSERT INTO typed VALUES (4, 1, ''like'', ''2024-01-04'')', 'incremental');
SELECT oid AS queue_before FROM pg_class WHERE oid = 't_queue'::regclass \gset
SELECT influence_track('t');
SELECT 't_queue'::regclass = :queue_before AS same;
-- others are: full refreshes until it is tracked again
SELECT typed('ALTER TABLE typed ALTER source TYPE bigint');
SELECT typed('INSERT INTO typed VALUES (5, 1, ''like'', ''2024-01-05'')');
SELECT error_of($$SELECT typed('SELECT 1', 'incremental')$$);
ALTER TABLE typed ALTER target TYPE bigint, ALTER kind TYPE varchar(10), ALTER at TYPE timestamptz USING at::timestamp AT TIME ZONE 'UTC';
INSERT INTO typed VALUES (6, 1, 'reply', '2024-01-06');
BEGIN;
SELECT influence_track('t');
SELECT count(*) FROM t_queue;
ROLLBACK;
TABLE t_queue;
SELECT influence_track('t');
\d t_queue
SELECT basis IS NULL AS must_be_full FROM influence_model WHERE name = 't';
SELECT count(*), count(DISTINCT tgfoid), bool_and(tgenabled = 'A') FROM pg_trigger WHERE tgrelid = 'typed'::regclass;
SELECT typed('INSERT INTO typed VALUES (7, 1, ''like'', ''2024-01-07 00:00 UTC'')');
SELECT typed('UPDATE typed SET target = 2, kind = ''reply'' WHERE source = 7', 'incremental');
SELECT typed('DELETE FROM typed WHERE source = 7', 'incremental');
-- in one transaction with the change
BEGIN;
ALTER TABLE typed ALTER kind TYPE text;
SELECT influence_track('t');
SELECT typed('INSERT INTO typed VALUES (7, 1, ''a kind that is long'', ''2024-01-07 00:00 UTC'')');
COMMIT;
SELECT typed('INSERT INTO typed VALUES (8, 1, ''another one that is long'', ''2024-01-08 00:00 UTC'')', 'incremental');
-- what is done to the queue
ALTER TABLE t_queue DROP COLUMN kind;
INSERT INTO typed VALUES (9, 1, 'like', '2024-01-09 00:00 UTC');
TABLE t_queue;
SELECT mode, interactions FROM influence_refresh('t');
SELECT influence_track('t');
SELECT typed('SELECT 1');
ALTER TABLE t_queue ALTER sign TYPE int;
SELECT error_of($$SELECT typed('INSERT INTO typed VALUES (9, 2, ''like'', ''2024-01-09 00:00 UTC'')')$$);
SELECT influence_track('t');
SELECT typed('SELECT 1');
SELECT typed('INSERT INTO typed VALUES (9, 2, ''like'', ''2024-01-09 00:00 UTC'')', 'incremental');
-- not a column that the interactions lack: it may come back
SELECT oid AS queue_before FROM pg_class WHERE oid = 't_queue'::regclass \gset
ALTER TABLE typed RENAME source TO author;
SELECT influence_track('t');
SELECT error_of('SELECT influence_refresh(''t'')');
ALTER TABLE typed RENAME author TO source;
SELECT 't_queue'::regclass = :queue_before AS same;
SELECT typed('SELECT 1');
-- one that something depends on, or has lost what it is known by, stays
CREATE VIEW queue_view AS SELECT kind FROM t_queue;
ALTER TABLE typed ALTER kind TYPE varchar;
SELECT error_of('SELECT influence_track(''t'')');
DROP VIEW queue_view;
ALTER TABLE t_queue RENAME source TO author;
SELECT error_of('SELECT influence_track(''t'')');
DROP TABLE t_queue CASCADE;
SELECT influence_track('t');
SELECT typed('INSERT INTO typed VALUES (9, 3, ''like'', ''2024-01-09 00:00 UTC'')');
SELECT typed('INSERT INTO typed VALUES (9, 4, ''like'', ''2024-01-09 00:00 UTC'')', 'incremental');
SELECT influence_drop_model('t');
DROP TABLE typed;

-- What a queue cannot tell: the next refresh knows.
CREATE FUNCTION unnoticed(VARIADIC commands text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
	after bigint;
	command text;
BEGIN
	PERFORM influence_refresh('m');
	SELECT basis INTO before FROM influence_model;
	FOREACH command IN ARRAY commands LOOP EXECUTE command; END LOOP;
	PERFORM influence_refresh('m');
	SELECT basis INTO after FROM influence_model;
	RETURN CASE WHEN before IS NULL THEN 'unknown before' WHEN after IS NULL THEN 'not complete' WHEN before = after THEN 'the same' ELSE 'another table' END;
END
$$;
SELECT unnoticed('SELECT 1');
SELECT unnoticed('INSERT INTO log (source, target) VALUES (4, 6)', 'ANALYZE log', 'CREATE INDEX log_source ON log (source)');
SELECT unnoticed('ALTER TABLE log ADD other int');
SELECT unnoticed('ALTER TABLE log ALTER target TYPE int USING target + 1 + 0 * id');
SELECT unnoticed('ALTER TABLE log DROP COLUMN target', 'ALTER TABLE log ADD target int DEFAULT 5');
SELECT unnoticed('ALTER TABLE log RENAME source TO third', 'ALTER TABLE log RENAME target TO source', 'ALTER TABLE log RENAME third TO target');
SELECT unnoticed('TRUNCATE log');
SELECT unnoticed('ALTER TABLE log DISABLE TRIGGER m_queue_insert');
SELECT influence_track();
SELECT unnoticed('ALTER TABLE log DISABLE TRIGGER ALL', 'ALTER TABLE log ENABLE TRIGGER ALL');
SELECT influence_track();
SELECT unnoticed('DROP TRIGGER m_queue_delete ON log');
SELECT influence_track();
SELECT unnoticed('CREATE TRIGGER twice AFTER INSERT ON log REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION influence_capture(m)');
SELECT influence_track();
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'log'::regclass;
-- put back as it was, after something was done
SELECT unnoticed('ALTER TABLE log DISABLE TRIGGER m_queue_insert', 'INSERT INTO log (source, target) VALUES (4, 9)', 'ALTER TABLE log ENABLE ALWAYS TRIGGER m_queue_insert');
SELECT unnoticed('ALTER TABLE log RENAME source TO third', 'ALTER TABLE log RENAME target TO source', 'ALTER TABLE log RENAME third TO target', 'INSERT INTO log (source, target) VALUES (4, 9)',
	'ALTER TABLE log RENAME source TO third', 'ALTER TABLE log RENAME target TO source', 'ALTER TABLE log RENAME third TO target');
SELECT unnoticed('DROP TRIGGER m_queue_insert ON log', $$CREATE TRIGGER m_queue_insert AFTER INSERT ON log REFERENCING NEW TABLE AS new FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION influence_capture(m)$$,
	'ALTER TABLE log ENABLE ALWAYS TRIGGER m_queue_insert');
SELECT influence_track();
-- a second trigger captures nothing a second time
SELECT influence_refresh('m') IS NOT NULL;
CREATE TRIGGER twice AFTER INSERT ON log REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION influence_capture('m');
INSERT INTO log (source, target) VALUES (4, 9);
SELECT sign, count(*) FROM m_queue GROUP BY 1 ORDER BY 1;
DROP TRIGGER twice ON log;
-- who left, by statements on the list
SELECT unnoticed('INSERT INTO m_leavers VALUES (4)');
SELECT unnoticed('UPDATE m_leavers SET user_id = 5');
SELECT unnoticed('INSERT INTO m_leavers VALUES (6), (-1)');
SELECT unnoticed('UPDATE m_leavers SET at = now() WHERE user_id = 5', 'DELETE FROM m_leavers WHERE user_id = 6', 'INSERT INTO m_leavers VALUES (6)');
SELECT unnoticed('DELETE FROM m_leavers');
-- what is done to the queue
SELECT unnoticed('TRUNCATE m_queue');
SELECT unnoticed('ALTER TABLE m_queue SET UNLOGGED');
SELECT unnoticed('ALTER TABLE m_queue SET LOGGED');
SELECT unnoticed('SELECT 1');
-- tracked under a snapshot that is older
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT influence_untrack();
SELECT influence_track();
SELECT influence_refresh('m') IS NOT NULL;
COMMIT;
SELECT basis IS NULL AS must_be_full FROM influence_model;
SELECT unnoticed('SELECT 1');
SELECT unnoticed('ALTER TABLE log SET UNLOGGED');
SELECT error_of('SELECT influence_track()');
ALTER TABLE log SET LOGGED;
SELECT unnoticed('SELECT 1');
-- rows of the future, and another definition
ALTER TABLE log ADD at timestamptz;
SELECT influence_alter_model('m', at => 'at');
INSERT INTO log (source, target, at) VALUES (1, 2, '2024-01-01'), (2, 3, '2024-02-01');
SELECT skipped_future FROM influence_refresh('m', as_of => '2024-01-15');
SELECT basis IS NULL AS must_be_full FROM influence_model;
SELECT skipped_future FROM influence_refresh('m', as_of => '2024-02-15');
SELECT basis IS NULL AS must_be_full FROM influence_model;
SELECT influence_alter_model('m', damping => 0.4);
SELECT basis IS NULL AS must_be_full, queue FROM influence_model;
SELECT rows FROM influence_forget(1, 'm');
SELECT influence_refresh('m') IS NOT NULL;
INSERT INTO log (source, target) VALUES (8, 9), (9, 10), (10, 8), (11, 12);
SELECT relation, rows FROM influence_forget(9, 'm') WHERE relation = 'm_queue'::regclass;
SELECT basis IS NULL AS must_be_full FROM influence_model;
SELECT source, target FROM m_queue ORDER BY 1;

-- Everything the model reads, of types that need casts, short and long.
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN person_name AS varchar(20) CHECK (VALUE <> 'nobody');
CREATE TABLE rich (w numeric(8, 3), "of whom" person_name, "who" char(4), day date, "It's" mood, network int, tags varchar(30)[], dropped int);
ALTER TABLE rich DROP COLUMN dropped;
SELECT influence_create_model('My "model''s" \ name', 'rich', source => 'who', target => 'of whom', weight => 'w', at => 'day', kind => 'It''s', network => 'network', topic => 'tags');
SELECT influence_track('My "model''s" \ name');
\d "My ""model's"" \\ name_queue"
\set queue '"My ""model''s"" \\ name_queue"'
INSERT INTO rich VALUES (1.5, 'ann', 'bob', '2024-01-02', 'glad', 7, '{a,NULL,"b c"}'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO rich SELECT i, 'x' || i, 'y' || i % 4, '2024-03-01', 'sad', i, array_agg(repeat(md5(i::text || j), 1)::varchar(30)) FROM generate_series(1, 3) i, generate_series(1, 4000) j GROUP BY i;
UPDATE rich SET tags = tags || 'more'::varchar WHERE network = 2;
UPDATE rich SET tags = tags[1:4000] || '{}'::varchar[] WHERE network = 3;
DELETE FROM rich WHERE network = 1;
SELECT sign, source, target, weight, at, kind, network, left(topic::text, 20), cardinality(topic) FROM :queue ORDER BY weight, sign DESC, cardinality(topic);
SELECT interactions, skipped_null FROM influence_refresh('My "model''s" \ name', as_of => '2024-04-01');
SELECT count(*) FROM :queue;
-- columns that are cast: what they are cast to stays the same
CREATE TABLE basis_2 AS SELECT basis, 0 AS n FROM influence_model WHERE name LIKE 'My%';
CREATE FUNCTION refreshed() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM influence_refresh('My "model''s" \ name', as_of => '2024-04-01');
	RETURN (SELECT CASE WHEN m.basis = (SELECT b.basis FROM basis_2 b) THEN 'the same' WHEN m.basis IS NULL THEN 'unknown' ELSE 'another' END FROM influence_model m WHERE name LIKE 'My%');
END
$$;
SELECT refreshed();
SET timezone = 'Asia/Tokyo';
SELECT refreshed();
RESET timezone;
SELECT refreshed();
ALTER TYPE mood RENAME VALUE 'sad' TO 'angry';
SELECT refreshed();
SELECT influence_drop_model('My "model''s" \ name');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'rich'::regclass;
SELECT count(*) FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND refclassid = 'pg_class'::regclass AND refobjsubid = 0 AND deptype = 'n' AND NOT EXISTS (SELECT FROM pg_class WHERE oid = refobjid);

-- A queue that its owner has given indexes, triggers and more.
CREATE TABLE noticed (what text, who name);
CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO model_track.noticed VALUES (NEW.sign::text, current_user); RETURN NEW; END $$;
ALTER TABLE m_queue ADD number serial, ADD made timestamptz DEFAULT now(), ADD twice int GENERATED ALWAYS AS (sign * 2) STORED;
CREATE INDEX m_queue_source ON m_queue (source);
CREATE TRIGGER notice BEFORE INSERT ON m_queue FOR EACH ROW EXECUTE FUNCTION notice();
SELECT influence_refresh('m') IS NOT NULL;
INSERT INTO log (source, target) SELECT i, i + 1 FROM generate_series(20, 25) i;
DELETE FROM log WHERE source = 22;
SELECT sign, source, target, twice, made IS NOT NULL FROM m_queue ORDER BY number;
SELECT what, who = current_user, count(*) FROM noticed GROUP BY 1, 2 ORDER BY 1;
SET enable_seqscan = off;
SELECT sign FROM m_queue WHERE source = 22 ORDER BY 1;
RESET enable_seqscan;
SELECT influence_refresh('m') IS NOT NULL;
SELECT count(*) FROM m_queue;
DROP TRIGGER notice ON m_queue;
-- it cannot be dropped alone
SELECT error_of('DROP TABLE m_queue');
-- or lose what it needs unnoticed
ALTER TABLE m_queue RENAME sign TO sense;
INSERT INTO log (source, target) VALUES (1, 2);
SELECT error_of('SELECT influence_refresh(''m'')');
ALTER TABLE m_queue RENAME sense TO sign;
DROP TABLE m_queue CASCADE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'log'::regclass;
INSERT INTO log (source, target) VALUES (1, 2);
SELECT error_of('SELECT influence_refresh(''m'')');
SELECT influence_track('m');
SELECT error_of('SELECT influence_refresh(''m'')');

-- Triggers that others make.
CREATE TABLE mine (source int, target int);
CREATE TRIGGER t AFTER INSERT ON mine REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION influence_capture('m');
INSERT INTO mine VALUES (1, 2);
SELECT count(*) FROM m_queue;
CREATE TRIGGER u AFTER INSERT ON mine REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION influence_capture('no such');
INSERT INTO mine VALUES (1, 2);
-- a child of the table is of it
ALTER TABLE mine ADD at timestamptz, ADD note text, ADD extra int, ADD id int NOT NULL DEFAULT 1, ADD other int;
DROP TRIGGER u ON mine;
SELECT error_of('SELECT influence_capture()');
CREATE TRIGGER v AFTER INSERT ON mine FOR EACH STATEMENT EXECUTE FUNCTION influence_capture('m');
SELECT error_of('INSERT INTO mine VALUES (1, 2)');
DROP TRIGGER v ON mine;
CREATE TRIGGER v BEFORE DELETE ON mine FOR EACH ROW EXECUTE FUNCTION influence_capture('m');
SELECT error_of('DELETE FROM mine');
DROP TRIGGER v ON mine;
CREATE TRIGGER v AFTER DELETE ON mine REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION influence_capture();
SELECT error_of('DELETE FROM mine');
-- untracking removes those, too
SELECT influence_untrack('m');
SELECT tgname FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
DROP TABLE mine;

-- What cannot be tracked.
CREATE VIEW log_view AS SELECT source, target FROM log;
CREATE MATERIALIZED VIEW log_copy AS SELECT source, target FROM log;
CREATE TEMP TABLE log_temp AS SELECT source, target FROM log;
CREATE UNLOGGED TABLE log_unlogged AS SELECT source, target FROM log;
CREATE FOREIGN DATA WRAPPER dummy;
CREATE SERVER dummy FOREIGN DATA WRAPPER dummy;
CREATE FOREIGN TABLE log_foreign (source int, target int) SERVER dummy;
CREATE TABLE log_parts (source int, target int) PARTITION BY RANGE (source);
CREATE FOREIGN TABLE log_parts_1 PARTITION OF log_parts FOR VALUES FROM (0) TO (10) SERVER dummy;
CREATE FUNCTION try(interactions regclass) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM influence_alter_model('m', interactions => interactions, reset => '{at}');
	RETURN error_of('SELECT influence_track(''m'')');
END
$$;
SELECT try(i) FROM unnest('{log_view, log_copy, log_temp, log_unlogged, log_foreign, log_parts}'::regclass[]) i;
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
SELECT to_regclass('m_queue');
SELECT influence_alter_model('m', interactions => 'log');
SELECT error_of('SELECT influence_track(''none'')');
SELECT error_of('SELECT influence_untrack(''none'')');
SET default_transaction_read_only = on;
SELECT error_of('SELECT influence_track(''m'')');
SELECT error_of('SELECT influence_untrack(''m'')');
RESET default_transaction_read_only;
CREATE TABLE m_queue (n int);
SELECT error_of('SELECT influence_track(''m'')');
DROP TABLE m_queue;
-- a tracked model cannot change to a table that cannot be
SELECT influence_track('m');
SELECT error_of('SELECT influence_alter_model(''m'', interactions => ''log_view'')');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
-- to another that can be, it takes the triggers along
CREATE TABLE log2 (source int, target int, network text);
SELECT influence_alter_model('m', interactions => 'log2', network => 'network');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc ORDER BY 2;
INSERT INTO log (source, target) VALUES (1, 2);
INSERT INTO log2 VALUES (1, 2, 'forum');
TABLE m_queue;
-- a table that is dropped leaves nothing
DROP TABLE log2;
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
SELECT split_part(error_of('SELECT influence_refresh(''m'')'), E'\n', 1);
SELECT influence_alter_model('m', interactions => 'log', reset => '{network}');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
-- untracked in the middle of a statement that writes the table
CREATE FUNCTION untrack() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM influence_untrack('m'); RETURN NEW; END $$;
CREATE TRIGGER b BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION untrack();
INSERT INTO log (source, target) VALUES (1, 2);
SELECT to_regclass('m_queue');
CREATE OR REPLACE FUNCTION untrack() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM influence_track('m'); RETURN NEW; END $$;
SELECT error_of('INSERT INTO log (source, target) VALUES (1, 2)');
DROP TRIGGER b ON log;
SELECT influence_track('m');
-- the extension goes with its triggers
BEGIN;
SELECT split_part(error_of('DROP EXTENSION influence'), E'\n', 1);
DROP EXTENSION influence CASCADE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'log'::regclass;
INSERT INTO log (source, target) VALUES (1, 2);
SELECT count(*) FROM m_queue;
ROLLBACK;
INSERT INTO log (source, target) VALUES (1, 4);
TABLE m_queue;

-- Names as long as can be.
SELECT influence_create_model(repeat('m', 54), 'log');
SELECT influence_track(repeat('m', 54));
SELECT tgname FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc AND tgname LIKE 'mmm%' ORDER BY 1;
SELECT influence_drop_model(repeat('m', 54));

SELECT influence_drop_model('m');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
DROP FOREIGN DATA WRAPPER dummy CASCADE;
DROP SCHEMA model_track, model_track_2 CASCADE;
