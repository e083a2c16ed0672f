-- What owners add to the published tables is honoured by a refresh.
SET client_min_messages = warning;
CREATE SCHEMA model_tables;
SET search_path = model_tables, public;
\set ECHO none
\i test/sql/include/reference.sql
\i test/sql/include/errors.sql
\set ECHO all

CREATE TABLE log AS SELECT (40 * noise('source', i) ^ 2)::int AS source, (40 * noise('target', i) ^ 2)::int AS target FROM generate_series(1, 300) i;
SELECT influence_create_model('m', 'log', tolerance => 1e-14);
-- adds and takes away users, so that the next refresh inserts, updates and deletes
CREATE FUNCTION another_day(day int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrong bigint;
BEGIN
	DELETE FROM log WHERE source > 1000 OR target > 1000;
	INSERT INTO log SELECT 1000 * day + i, i % 10 FROM generate_series(1, 20) i;
	INSERT INTO log VALUES (3, 1000 * day + 1);
	PERFORM influence_refresh('m');
	SELECT c.wrong INTO wrong FROM compare('m') c;
	RETURN wrong || ' wrong';
END
$$;
SELECT another_day(1);

-- indexes: plain, partial, on an expression, unique
CREATE INDEX m_audience ON m_scores (audience);
CREATE INDEX m_top ON m_scores (user_id) WHERE score > 50;
CREATE INDEX m_tens ON m_scores ((floor(score / 10)));
CREATE UNIQUE INDEX m_both ON m_scores (user_id, score);
SELECT another_day(2);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) = (SELECT sum((audience = 2)::int) FROM m_scores) AS same FROM m_scores WHERE audience = 2;
SELECT count(*) = (SELECT sum((score > 50)::int) FROM m_scores) AS same FROM m_scores WHERE score > 50;
SELECT count(*) = (SELECT sum((floor(score / 10) = 3)::int) FROM m_scores) AS same FROM m_scores WHERE floor(score / 10) = 3;
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP INDEX m_audience, m_top, m_tens, m_both;

-- columns: without and with a default, from a sequence, an identity, a domain's default, generated
CREATE DOMAIN colour AS text DEFAULT 'grey';
ALTER TABLE m_scores ADD note text, ADD made timestamptz DEFAULT now(), ADD number serial, ADD kind text NOT NULL DEFAULT 'user',
	ADD twice float8 GENERATED ALWAYS AS (score * 2) STORED;
SELECT another_day(3);
SELECT count(*) AS users, count(DISTINCT number) = count(*) AS numbered, count(made) = count(*) AS dated, count(note) AS notes,
	count(*) FILTER (WHERE kind = 'user') = count(*) AS kinds, count(*) FILTER (WHERE twice = score * 2) = count(*) AS doubled
FROM m_scores;
ALTER TABLE m_scores ADD id bigint GENERATED ALWAYS AS IDENTITY;
SELECT another_day(4);
SELECT count(DISTINCT id) = count(*) AS identified FROM m_scores;
ALTER TABLE m_scores ADD paint colour;
SELECT another_day(5);
SELECT paint, count(*) > 0 AS users FROM m_scores GROUP BY 1;
-- what users write there stays
UPDATE m_scores SET note = 'kept', kind = 'vip' WHERE user_id = 2;
SELECT another_day(6);
SELECT note, kind FROM m_scores WHERE user_id = 2;
-- columns dropped
ALTER TABLE m_scores DROP COLUMN note, DROP COLUMN made, DROP COLUMN number, DROP COLUMN twice;
SELECT another_day(7);
ALTER TABLE m_history ADD season text DEFAULT 'spring';
SELECT another_day(8);
SELECT count(*) > 0 AS rows, count(season) = count(*) AS seasons FROM m_history WHERE run = (SELECT runs FROM influence_models);

-- check constraints, also on what is inserted in bulk
ALTER TABLE m_scores ADD CONSTRAINT no_strangers CHECK (user_id < 10000);
SELECT another_day(9);
CREATE TABLE published AS TABLE m_scores;
SELECT split_part(error_of('SELECT another_day(10)'), E'\n', 1);
ALTER TABLE m_scores DROP CONSTRAINT no_strangers, ADD CONSTRAINT not_popular CHECK (audience < 100);
BEGIN;
INSERT INTO log SELECT 2000 + i, 2 FROM generate_series(1, 100) i;
SELECT error_of('SELECT influence_refresh()') LIKE '23514 new row for relation "m_scores" violates check constraint "not_popular"%' AS refused;
ROLLBACK;
SELECT count(*) AS differing FROM (TABLE m_scores EXCEPT TABLE published) d;
ALTER TABLE m_scores DROP CONSTRAINT not_popular;

-- triggers for each row
CREATE TABLE noted (operation text, level text, moment text, user_id bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO noted VALUES (TG_OP, TG_LEVEL, TG_WHEN, CASE WHEN TG_LEVEL = 'ROW' THEN coalesce(NEW.user_id, OLD.user_id) END);
	RETURN CASE WHEN TG_LEVEL = 'ROW' THEN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END END;
END
$$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON m_scores FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON m_scores FOR EACH ROW EXECUTE FUNCTION note();
TRUNCATE published;
INSERT INTO published TABLE m_scores;
SELECT another_day(11);
SELECT moment, operation, count(*) = count(DISTINCT user_id) AS once,
	count(*) = (SELECT count(*) FROM published p FULL JOIN m_scores s USING (user_id)
		WHERE CASE n.operation WHEN 'INSERT' THEN p.user_id IS NULL WHEN 'DELETE' THEN s.user_id IS NULL
			ELSE p.user_id IS NOT NULL AND s.user_id IS NOT NULL AND (s.score, s.percentile, s.influence, s.audience, s.responses, s.activity)
				IS DISTINCT FROM (p.score, p.percentile, p.influence, p.audience, p.responses, p.activity) END) AS as_many_as_rows
FROM noted n GROUP BY 1, 2 ORDER BY 1, 2;
DROP TRIGGER before_row ON m_scores;
DROP TRIGGER after_row ON m_scores;
-- a trigger that changes the row, and one that refuses it
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.kind := 'changed'; RETURN NEW; END $$;
CREATE TRIGGER change BEFORE INSERT ON m_scores FOR EACH ROW EXECUTE FUNCTION change();
SELECT another_day(12);
SELECT count(*) AS users, kind FROM m_scores WHERE user_id > 12000 GROUP BY 2;
DROP TRIGGER change ON m_scores;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused %', NEW.user_id; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON m_history FOR EACH ROW WHEN (NEW.user_id = 13001) EXECUTE FUNCTION refuse();
TRUNCATE published;
INSERT INTO published TABLE m_scores;
SELECT error_of('SELECT another_day(13)');
SELECT count(*) AS differing FROM (TABLE m_scores EXCEPT TABLE published) d;
DROP TRIGGER refuse ON m_history;
-- foreign keys, to the scores and from them
CREATE TABLE member (user_id bigint PRIMARY KEY REFERENCES m_scores ON DELETE CASCADE);
INSERT INTO member SELECT user_id FROM m_scores;
SELECT another_day(15);
SELECT count(*) = (SELECT count(*) FROM m_scores WHERE user_id < 1000) AS cascaded FROM member;
ALTER TABLE member DROP CONSTRAINT member_user_id_fkey;
DELETE FROM member;
INSERT INTO member SELECT user_id FROM m_scores;
ALTER TABLE member ADD CONSTRAINT stay FOREIGN KEY (user_id) REFERENCES m_scores;
SELECT regexp_replace(error_of('SELECT another_day(16)'), '\d{4,}', 'N', 'g');
DROP TABLE member;
CREATE TABLE member (user_id bigint PRIMARY KEY);
INSERT INTO member SELECT user_id FROM m_scores;
ALTER TABLE m_scores ADD CONSTRAINT is_member FOREIGN KEY (user_id) REFERENCES member;
SELECT regexp_replace(error_of('SELECT another_day(17)'), '\d{4,}', 'N', 'g');
ALTER TABLE m_scores DROP CONSTRAINT is_member;
-- the same deferred: refused at the end
ALTER TABLE m_scores ADD CONSTRAINT is_member FOREIGN KEY (user_id) REFERENCES member DEFERRABLE INITIALLY DEFERRED;
BEGIN;
SELECT another_day(18);
SELECT regexp_replace(error_of('SET CONSTRAINTS ALL IMMEDIATE'), '\d{4,}', 'N', 'g');
ROLLBACK;
BEGIN;
SELECT another_day(18);
INSERT INTO member SELECT user_id FROM m_scores ON CONFLICT DO NOTHING;
COMMIT;
ALTER TABLE m_scores DROP CONSTRAINT is_member;
-- an exclusion constraint, and a unique one that is deferred
ALTER TABLE m_scores ADD CONSTRAINT apart EXCLUDE USING btree (user_id WITH =), ADD CONSTRAINT unique_later UNIQUE (user_id, kind) DEFERRABLE INITIALLY DEFERRED;
SELECT another_day(19);
ALTER TABLE m_scores DROP CONSTRAINT apart, DROP CONSTRAINT unique_later;

-- rows that users wrote or took away are put right
DELETE FROM m_scores WHERE user_id < 5;
UPDATE m_scores SET score = 77, audience = -1 WHERE user_id BETWEEN 5 AND 9;
INSERT INTO m_scores (user_id, score, percentile, influence, audience, responses, activity) VALUES (-7, 99, 99, 99, 99, 99, 99);
SELECT changed BETWEEN 7 AND 11 AS changed FROM influence_refresh();
SELECT wrong FROM compare('m');
DELETE FROM m_history;
SELECT changed FROM influence_refresh();
TRUNCATE m_scores;
SELECT changed = nodes AS all_new FROM influence_refresh();
SELECT wrong FROM compare('m');

-- a view on the scores follows, and after VACUUM FULL and CLUSTER all is well
CREATE VIEW top AS SELECT user_id FROM m_scores ORDER BY score DESC, user_id LIMIT 1;
VACUUM FULL m_scores;
CLUSTER m_scores USING m_scores_pkey;
SELECT another_day(20);
SELECT influence_score(user_id) AS top FROM top;
-- unlogged
ALTER TABLE m_scores SET UNLOGGED;
SELECT another_day(21);
DROP VIEW top;

SELECT influence_drop_model('m');
DROP SCHEMA model_tables CASCADE;
