-- The first refresh makes the indexes that a model's tables have besides the
-- primary key of the scores, whoever refreshes; later ones leave them alone.
SET client_min_messages = warning;
CREATE SCHEMA model_index;
SET search_path = model_index, public;
\set ECHO none
\i test/sql/include/errors.sql
\set ECHO all
CREATE ROLE regress_influence_clerk;
GRANT USAGE ON SCHEMA model_index TO regress_influence_clerk;
CREATE TABLE log AS SELECT i AS source, i * i % 97 AS target FROM generate_series(1, 500) i;
CREATE VIEW indexes AS
SELECT indrelid::regclass::text AS of, indexrelid::regclass::text AS index, indisprimary AS key, indisvalid AND indisready AND indislive AS works,
	(SELECT relowner = (SELECT relowner FROM pg_class WHERE oid = indrelid) FROM pg_class WHERE oid = indexrelid) AS owners,
	substring(pg_get_indexdef(indexrelid), 'USING .*') AS definition
FROM pg_index WHERE (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = indrelid) ~ '^model_index'
ORDER BY indrelid::regclass::text COLLATE "C", indexrelid::regclass::text COLLATE "C";

-- Before, and after; what may only write the tables is enough.
SELECT influence_create_model('m', 'log');
SELECT * FROM indexes;
GRANT SELECT ON log TO regress_influence_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON m_scores, m_history TO regress_influence_clerk;
SET ROLE regress_influence_clerk;
SELECT nodes, changed FROM influence_refresh('m');
RESET ROLE;
SELECT * FROM indexes;
SELECT conname, contype FROM pg_constraint WHERE conrelid = 'm_history'::regclass AND contype = 'p';
-- they have the rows
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM m_scores WHERE score > 0;
SELECT count(*), min(run), max(run) FROM m_history WHERE user_id > 0;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- the caller's settings are as before
SHOW max_parallel_maintenance_workers;
-- what the owner drops stays dropped
DROP INDEX m_scores_score_idx;
ALTER TABLE m_history DROP CONSTRAINT m_history_pkey;
INSERT INTO log VALUES (1000, 1);
SELECT changed > 0 AS changed FROM influence_refresh('m');
SELECT * FROM indexes;
SELECT influence_drop_model('m');

-- What is there already serves, if it has all rows in the right order.
SELECT influence_create_model('m', 'log');
CREATE INDEX by_score ON m_scores (score DESC, user_id);
ALTER TABLE m_history ADD CONSTRAINT past PRIMARY KEY (run, user_id);
SELECT nodes FROM influence_refresh('m');
SELECT * FROM indexes;
SELECT influence_drop_model('m');
SELECT influence_create_model('m', 'log');
CREATE INDEX partial ON m_scores (score) WHERE score > 50;
CREATE INDEX hashed ON m_scores USING hash (score);
CREATE INDEX second ON m_scores (audience, score);
CREATE INDEX by_user ON m_history (user_id);
SELECT nodes FROM influence_refresh('m');
SELECT * FROM indexes;
SELECT influence_drop_model('m');

-- Names that are taken, tables that were renamed and moved, columns that may be NULL.
CREATE TABLE m_scores_score_idx ();
CREATE TABLE m_history_pkey ();
CREATE SCHEMA model_index_elsewhere;
SELECT influence_create_model('m', 'log');
ALTER TABLE m_history ALTER run DROP NOT NULL;
SELECT nodes FROM influence_refresh('m');
SELECT * FROM indexes;
SELECT influence_drop_model('m');
SELECT influence_create_model('m', 'log');
ALTER TABLE m_history RENAME TO past;
ALTER TABLE past SET SCHEMA model_index_elsewhere;
SELECT nodes FROM influence_refresh('m');
SELECT * FROM indexes;
SELECT influence_drop_model('m');
DROP TABLE m_scores_score_idx, m_history_pkey;

-- Nobody, at first: the indexes are there when somebody comes.
CREATE TABLE empty (source bigint, target bigint);
SELECT influence_create_model('m', 'empty');
SELECT nodes FROM influence_refresh('m');
SELECT of, index FROM indexes;
INSERT INTO empty VALUES (1, 2);
SELECT nodes FROM influence_refresh('m');
SELECT influence_drop_model('m');

-- A first refresh that fails leaves nothing behind; the next makes them.
SELECT influence_create_model('m', 'log');
ALTER TABLE m_history ADD CONSTRAINT small CHECK (user_id < 400);
SELECT split_part(error_of('SELECT influence_refresh(''m'')'), E'\n', 1);
ALTER TABLE m_history DROP CONSTRAINT small;
BEGIN;
SELECT nodes FROM influence_refresh('m');
ROLLBACK;
SELECT of, index FROM indexes;
SELECT nodes FROM influence_refresh('m');
SELECT of, index FROM indexes;
SELECT count(*) FROM m_scores;
SELECT influence_drop_model('m');

-- Not while a command of the session uses the table: it could write rows that the index would not have.
SELECT influence_create_model('m', 'log');
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM m_scores;
SELECT error_of('SELECT influence_refresh(''m'')');
CLOSE c;
SELECT nodes FROM influence_refresh('m');
COMMIT;
-- later refreshes need not be alone
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM m_scores;
SELECT nodes FROM influence_refresh('m');
COMMIT;
SELECT influence_drop_model('m');

-- Row triggers, and constraints checked at the end of the transaction.
SELECT influence_create_model('m', 'log');
CREATE TABLE member AS SELECT i AS user_id FROM generate_series(0, 1000) i;
ALTER TABLE member ADD PRIMARY KEY (user_id);
ALTER TABLE m_scores ADD FOREIGN KEY (user_id) REFERENCES member DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER pass BEFORE INSERT ON m_history FOR EACH ROW EXECUTE FUNCTION pass();
SELECT nodes FROM influence_refresh('m');
SELECT of, index FROM indexes;
SELECT influence_drop_model('m');
DROP TABLE member;

-- With workers, the same.
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
INSERT INTO log SELECT i, i * 7 % 3001 FROM generate_series(1, 20000) i;
SELECT influence_create_model('m', 'log');
SELECT nodes, workers > 0 AS workers FROM influence_refresh('m');
SELECT * FROM indexes;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM m_scores WHERE score > 0;
SELECT count(*) FROM m_history WHERE user_id > 0;
SELECT bool_and(score >= before) AS ordered FROM (SELECT score, lag(score) OVER () AS before FROM (SELECT score FROM m_scores ORDER BY score) s) s WHERE before IS NOT NULL;

DROP OWNED BY regress_influence_clerk;
DROP ROLE regress_influence_clerk;
SELECT influence_drop_model('m');
DROP SCHEMA model_index_elsewhere;
DROP SCHEMA model_index CASCADE;
