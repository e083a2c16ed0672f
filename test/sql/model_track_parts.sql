-- Changes of partitions and children are captured, each once; and who may have that done.
SET client_min_messages = warning;
CREATE SCHEMA model_track_parts;
SET search_path = model_track_parts, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all
\pset format unaligned
\pset tuples_only

CREATE TABLE log (source bigint, target bigint, note text) PARTITION BY RANGE (source);
-- one like the parent, one with its columns in another order, one that is partitioned itself
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (100);
CREATE TABLE log_2 (gone int, note text, target bigint, source bigint);
ALTER TABLE log_2 DROP COLUMN gone;
ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES FROM (100) TO (200);
CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM (200) TO (300) PARTITION BY HASH (target);
CREATE TABLE log_3a PARTITION OF log_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE log_3b PARTITION OF log_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT influence_create_model('m', 'log');
SELECT influence_track('m');
SELECT tgrelid::regclass, count(*), string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger GROUP BY 1 ORDER BY 1::text;
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
SELECT read();
-- through the table, through a part of it, and to one
INSERT INTO log SELECT (i * 7) % 300, i % 11 FROM generate_series(1, 1000) i;
SELECT difference();
INSERT INTO log_3 SELECT 200 + i % 100, i % 5 FROM generate_series(1, 100) i;
INSERT INTO log_2 (source, target) VALUES (100, 1), (101, 2);
INSERT INTO log_1 VALUES (1, 1), (2, 2);
SELECT difference();
COPY log (source, target) FROM stdin;
1	2
101	3
201	4
\.
COPY log_2 (source, target) FROM stdin;
102	3
\.
SELECT difference();
UPDATE log SET note = 'x';
UPDATE log_2 SET note = 'y';
SELECT difference();
UPDATE log SET target = target + 1 WHERE source % 50 = 1;
UPDATE log_1 SET target = target + 1 WHERE source = 3;
SELECT difference();
-- to another partition
UPDATE log SET source = source + 100 WHERE source BETWEEN 50 AND 149;
SELECT difference();
UPDATE log_3 SET target = target + 1;
SELECT difference();
DELETE FROM log WHERE source % 10 = 3;
DELETE FROM log_3a;
SELECT difference();
SELECT read(), difference();
-- a row that a trigger keeps out of its new partition
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.target % 2 = 0 THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON log_2 FOR EACH ROW EXECUTE FUNCTION refuse();
UPDATE log SET source = source + 100, target = target + 1 WHERE source BETWEEN 20 AND 39;
SELECT difference();
DROP TRIGGER refuse ON log_2;
TRUNCATE log_3b;
SELECT DISTINCT sign FROM m_queue ORDER BY 1;
SELECT read(), difference();
TRUNCATE log_3;
TRUNCATE log;
SELECT sign, count(*) > 0 FROM m_queue GROUP BY 1;
SELECT read();

-- Partitions come and go: a refresh notices.
CREATE FUNCTION state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT basis FROM influence_model WHERE name = 'm');
BEGIN
	PERFORM read();
	RETURN (SELECT CASE WHEN basis IS NULL THEN 'not complete' WHEN basis = before THEN 'the same' ELSE 'another table' END FROM influence_model WHERE name = 'm');
END
$$;
SELECT state();
ALTER TABLE log DETACH PARTITION log_1;
-- what is not of the table any more is not captured, though its triggers are there
INSERT INTO log_1 VALUES (1, 3);
SELECT difference();
SELECT state();
SELECT state();
ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM (0) TO (100);
INSERT INTO log_1 VALUES (1, 4);
SELECT * FROM m_queue;
SELECT state();
CREATE TABLE log_4 PARTITION OF log FOR VALUES FROM (300) TO (400);
INSERT INTO log VALUES (301, 4);
SELECT * FROM m_queue;
SELECT state();
SELECT influence_track();
SELECT state(), state();
INSERT INTO log_4 VALUES (302, 4);
SELECT * FROM m_queue;
ALTER TABLE log_3 DETACH PARTITION log_3b;
INSERT INTO log_3b VALUES (202, 4);
INSERT INTO log_3a SELECT 204, i FROM generate_series(1, 20) i WHERE satisfies_hash_partition('log_3'::regclass, 2, 0, i::bigint);
SELECT count(*) > 0, bool_and(source = 204 OR source = 302) FROM m_queue;
SELECT state(), difference();
DROP TABLE log_4;
SELECT state();
-- gone and back in between, after something was done
ALTER TABLE log DETACH PARTITION log_1;
INSERT INTO log_1 VALUES (1, 5);
ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM (0) TO (100);
SELECT state();
-- there and gone in between: what is in the queue is not in the table
CREATE TABLE log_4 PARTITION OF log FOR VALUES FROM (300) TO (400);
INSERT INTO log VALUES (301, 4), (1, 6);
DROP TABLE log_4;
INSERT INTO log VALUES (1, 7);
SELECT * FROM m_queue;
SELECT state(), difference();
INSERT INTO log VALUES (1, 8);
SELECT * FROM m_queue;
SELECT read();
-- a part of another table
SELECT influence_create_model('part', 'log_2');
SELECT error_of('SELECT influence_track(''part'')');
SELECT influence_drop_model('part');
CREATE TABLE above (LIKE log) PARTITION BY LIST (note);
ALTER TABLE above ATTACH PARTITION log DEFAULT;
SELECT state();
ALTER TABLE above DETACH PARTITION log;
SELECT state(), state();
DROP TABLE above;
-- untracking leaves no trigger, on what was detached neither
SELECT influence_untrack('m');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
INSERT INTO log VALUES (1, 9);
SELECT influence_drop_model('m');
DROP TABLE log, log_3b;

-- Inheritance.
CREATE TABLE log (source int, target int);
CREATE TABLE child (extra text) INHERITS (log);
CREATE TABLE other (target int, source int, more text);
ALTER TABLE other INHERIT log;
CREATE TABLE grandchild () INHERITS (child);
SELECT influence_create_model('m', 'log');
SELECT influence_track('m');
SELECT read();
INSERT INTO log SELECT 1, i FROM generate_series(1, 10) i;
INSERT INTO child SELECT 2, i FROM generate_series(1, 10) i;
INSERT INTO other (source, target) SELECT 3, i FROM generate_series(1, 10) i;
INSERT INTO grandchild SELECT 4, i FROM generate_series(1, 10) i;
SELECT difference();
UPDATE log SET target = target + 1 WHERE target > 5;
UPDATE ONLY child SET target = target + 1 WHERE target > 8;
UPDATE child SET extra = 'x';
SELECT difference();
DELETE FROM log WHERE target = 3;
DELETE FROM child WHERE target = 4;
SELECT difference();
SELECT read(), difference();
ALTER TABLE other NO INHERIT log;
INSERT INTO other (source, target) VALUES (9, 9);
SELECT count(*) FROM m_queue;
SELECT state(), difference();
SELECT influence_drop_model('m');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
DROP TABLE log CASCADE;

-- Who may: the owner of the model, who owns the tables.
CREATE ROLE regress_influence_owner;
CREATE ROLE regress_influence_analyst;
CREATE ROLE regress_influence_app;
GRANT USAGE, CREATE ON SCHEMA model_track_parts TO regress_influence_owner, regress_influence_analyst;
GRANT USAGE ON SCHEMA model_track_parts TO regress_influence_app;
SET ROLE regress_influence_owner;
CREATE TABLE log (source bigint, target bigint) PARTITION BY RANGE (source);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (100);
GRANT SELECT, TRIGGER ON log, log_1 TO regress_influence_analyst;
GRANT INSERT, SELECT, UPDATE, DELETE ON log TO regress_influence_app;
SELECT influence_create_model('m', 'log');
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_track(''m'')');
SELECT error_of('SELECT influence_untrack(''m'')');
SELECT influence_create_model('a', 'log');
SELECT error_of('SELECT influence_track(''a'')');
RESET ROLE;
ALTER TABLE log_1 OWNER TO regress_influence_app;
SET ROLE regress_influence_owner;
SELECT error_of('SELECT influence_track(''m'')');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
RESET ROLE;
ALTER TABLE log_1 OWNER TO regress_influence_owner;
SET ROLE regress_influence_owner;
SELECT influence_track('m');
RESET ROLE;
-- somebody who may do both can for others
SELECT influence_track('a');
SELECT tableowner FROM pg_tables WHERE tablename = 'a_queue';
-- writers need nothing, and cannot do more than before
SET ROLE regress_influence_app;
INSERT INTO log VALUES (1, 2), (2, 3);
UPDATE log SET target = 4 WHERE source = 1;
DELETE FROM log WHERE source = 2;
SELECT error_of('TABLE m_queue');
SELECT error_of('INSERT INTO m_queue VALUES (1, 2, 3)');
SELECT error_of('DELETE FROM a_queue');
RESET ROLE;
SELECT sign, source, target FROM m_queue ORDER BY 2, 1 DESC, 3;
SELECT count(*) FROM a_queue;
-- row security of the queue does not keep changes out
ALTER TABLE m_queue ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE regress_influence_app;
INSERT INTO log VALUES (5, 6);
RESET ROLE;
SELECT count(*) FROM m_queue;
SET ROLE regress_influence_owner;
SELECT error_of('SELECT influence_refresh(''m'')');
RESET ROLE;
ALTER TABLE m_queue DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
-- code that the owner of the queue attaches to it runs as him, not as the writer
SET ROLE regress_influence_owner;
CREATE TABLE ran (who name);
CREATE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO model_track_parts.ran VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER run BEFORE INSERT ON m_queue FOR EACH ROW EXECUTE FUNCTION run();
SET ROLE regress_influence_app;
INSERT INTO log VALUES (7, 8);
SELECT current_user = 'regress_influence_app' AS still_me;
RESET ROLE;
SELECT * FROM ran;
-- nor can the writer choose which code that is
CREATE SCHEMA evil AUTHORIZATION regress_influence_app;
SET ROLE regress_influence_app;
CREATE FUNCTION evil.helper() RETURNS name LANGUAGE sql AS $$ SELECT 'evil as ' || current_user $$;
SET ROLE regress_influence_owner;
CREATE FUNCTION helper() RETURNS name LANGUAGE sql AS $$ SELECT current_user $$;
CREATE OR REPLACE FUNCTION run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO model_track_parts.ran VALUES (helper()); RETURN NEW; END $$;
RESET ROLE;
GRANT USAGE ON SCHEMA evil TO regress_influence_owner;
SET ROLE regress_influence_app;
SET search_path = evil, model_track_parts, public;
SELECT split_part(error_of('INSERT INTO log VALUES (7, 8)'), E'\n', 1);
SHOW search_path;
SET search_path = model_track_parts, public;
RESET ROLE;
SELECT * FROM ran;
SET ROLE regress_influence_owner;
CREATE OR REPLACE FUNCTION run() RETURNS trigger LANGUAGE plpgsql SET search_path = model_track_parts AS $$ BEGIN INSERT INTO ran VALUES (helper()); RETURN NEW; END $$;
SET ROLE regress_influence_app;
INSERT INTO log VALUES (7, 9);
SHOW search_path;
RESET ROLE;
SELECT * FROM ran;
-- nor put code off until he is himself again
SET ROLE regress_influence_owner;
DROP TRIGGER run ON m_queue;
CREATE CONSTRAINT TRIGGER run AFTER INSERT ON m_queue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION run();
SET ROLE regress_influence_app;
SELECT error_of('INSERT INTO log VALUES (7, 10)');
RESET ROLE;
SELECT * FROM ran;
DROP SCHEMA evil CASCADE;
DROP TRIGGER run ON m_queue;
-- a trigger made by somebody else reaches no queue
GRANT CREATE ON SCHEMA model_track_parts TO regress_influence_app;
SET ROLE regress_influence_app;
CREATE TABLE theirs (source bigint, target bigint);
CREATE TRIGGER t AFTER INSERT ON theirs REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION influence_capture('m');
INSERT INTO theirs VALUES (666, 666);
RESET ROLE;
SELECT count(*) FROM m_queue WHERE source = 666;
DROP TABLE theirs;
-- to refresh it takes SELECT and DELETE on the queue
GRANT ALL ON m_scores, m_history, m_graph, m_leavers TO regress_influence_analyst;
GRANT SELECT ON m_queue TO regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT error_of('SELECT influence_refresh(''m'')');
RESET ROLE;
GRANT DELETE ON m_queue TO regress_influence_analyst;
SET ROLE regress_influence_analyst;
SELECT interactions FROM influence_refresh('m');
RESET ROLE;
SELECT basis IS NOT NULL AS known, (SELECT count(*) FROM m_queue) FROM influence_model WHERE name = 'm';
-- an owner of a queue that others made for him is told no more than he may read
SET ROLE regress_influence_owner;
REVOKE SELECT ON log FROM regress_influence_analyst;
SELECT influence_refresh('m') IS NOT NULL;
SET ROLE regress_influence_app;
INSERT INTO log VALUES (11, 12);
RESET ROLE;
DELETE FROM a_queue WHERE source < 11;
SELECT * FROM m_queue;
SELECT * FROM a_queue;
SET ROLE regress_influence_owner;
GRANT SELECT (source, target) ON log TO regress_influence_analyst;
SET ROLE regress_influence_app;
INSERT INTO log VALUES (12, 13);
SET ROLE regress_influence_owner;
GRANT SELECT ON log TO regress_influence_analyst;
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
CREATE POLICY write ON log TO regress_influence_app USING (true);
SET ROLE regress_influence_app;
INSERT INTO log VALUES (13, 14);
RESET ROLE;
DROP POLICY write ON log;
ALTER TABLE log DISABLE ROW LEVEL SECURITY;
SELECT * FROM a_queue ORDER BY sign, source;
-- who does not see all rows leaves the rest for a full refresh
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
CREATE POLICY low ON log FOR SELECT TO regress_influence_analyst USING (source < 5);
SET ROLE regress_influence_analyst;
SELECT interactions FROM influence_refresh('m');
RESET ROLE;
SELECT basis IS NULL AS must_be_full FROM influence_model WHERE name = 'm';
ALTER TABLE log DISABLE ROW LEVEL SECURITY;
-- the triggers are the model's: its owner can remove them from a table that is another's by now
ALTER TABLE log OWNER TO regress_influence_app;
ALTER TABLE log_1 OWNER TO regress_influence_app;
SET ROLE regress_influence_owner;
SELECT influence_untrack('m');
SET ROLE regress_influence_analyst;
SELECT influence_drop_model('a');
RESET ROLE;
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc;
SELECT influence_drop_model('m');

DROP OWNED BY regress_influence_owner, regress_influence_analyst, regress_influence_app CASCADE;
DROP ROLE regress_influence_owner, regress_influence_analyst, regress_influence_app;
DROP SCHEMA model_track_parts CASCADE;
