-- Scores over runs, and who changed them.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA model_history;
SET search_path = model_history, public;
\set ECHO none
\i test/sql/include/errors.sql
\i test/sql/include/reference.sql
\set ECHO all

-- By hand: one user, whose reactors come, react more, and go.
CREATE TABLE hand (source int, target int, kind text);
INSERT INTO hand VALUES (1, 9, 'like'), (2, 9, 'like'), (9, 1, 'like');
SELECT influence_create_model('hand', 'hand', kind => 'kind', pair_weight => 'linear', restart => 'uniform', damping => 0, keep_graphs => 10);
SELECT nodes FROM influence_refresh('hand', as_of => '2025-01-01 00:00+00');
INSERT INTO hand VALUES (3, 9, 'like'), (1, 8, 'like'), (1, 9, 'share');
DELETE FROM hand WHERE source = 2;
SELECT nodes FROM influence_refresh('hand', as_of => '2025-01-02 00:00+00');
-- before, everybody had rank 1/3, so N rank is 1 all along; 1 gives two thirds now
SELECT network, kind, supporter, round(before::numeric, 9) AS before, round(after::numeric, 9) AS after, round(change::numeric, 9) AS change
FROM influence_changes(9) ORDER BY supporter, kind;
SELECT run, at AT TIME ZONE 'UTC' AS at, round(score::numeric, 2) AS score, round(change::numeric, 2) AS change, jsonb_array_length(causes) AS causes FROM influence_history(9);
SELECT cause->>'supporter' AS supporter, cause->>'network' AS network, cause->>'kind' AS kind, cause->'before' AS before, cause->'after' AS after
FROM influence_history(9, causes => 10), jsonb_array_elements(causes) WITH ORDINALITY c(cause, n) WHERE run = 2 ORDER BY 1, 3;
-- nothing changes
SELECT nodes FROM influence_refresh('hand', as_of => '2025-01-03 00:00+00');
SELECT count(*) FROM influence_changes(9);
SELECT count(*) FROM influence_changes(9, from_run => 1, to_run => 2) UNION ALL SELECT count(*) FROM influence_changes(9, from_run => 1)
UNION ALL SELECT count(*) FROM influence_changes(9, from_run => 2) UNION ALL SELECT count(*) FROM influence_changes(9, to_run => 1);
SELECT count(*) FROM influence_changes(9, from_run => 2, to_run => 2);
SELECT count(*) FROM influence_history(9);
-- backwards
SELECT supporter, kind, round(before::numeric, 9) AS before, round(after::numeric, 9) AS after FROM influence_changes(9, from_run => 2, to_run => 1) ORDER BY 1, 2;
-- somebody new, and somebody who is nobody
SELECT supporter, before, round(after::numeric, 9) AS after FROM influence_changes(8, from_run => 1);
SELECT run, score > 1 AS more, change, causes FROM influence_history(8);
SELECT count(*) FROM influence_changes(4711) UNION ALL SELECT count(*) FROM influence_history(4711)
UNION ALL SELECT count(*) FROM influence_changes(NULL::bigint) UNION ALL SELECT count(*) FROM influence_history(NULL::bigint);
SELECT influence_drop_model('hand');

-- A log that grows and shrinks: changes are the difference of two explanations,
-- and causes the largest of them.
CREATE TABLE log AS
SELECT i, (17 * noise('source', i) ^ 2)::bigint AS source, (19 * noise('target', i) ^ 1.5)::bigint AS target,
	(ARRAY['like', 'reply', NULL])[1 + floor(3 * noise('kind', i))::int] AS kind,
	(ARRAY['x', 'it''s "y" \', NULL])[1 + floor(3 * noise('network', i) ^ 2)::int] AS network,
	(ARRAY['{cats}', '{cats,dogs}', '{}'])[1 + floor(3 * noise('topics', i))::int]::text[] AS topics
FROM generate_series(1, 700) i;
CREATE TABLE part (from_row int, to_row int);
INSERT INTO part VALUES (1, 300);
CREATE VIEW grows AS SELECT l.* FROM log l, part WHERE i BETWEEN from_row AND to_row;
SELECT influence_create_model('m', 'grows', kind => 'kind', network => 'network', topic => 'topics', keep_graphs => 4);
CREATE FUNCTION next_run(from_row int, to_row int) RETURNS bigint LANGUAGE sql AS $$
	UPDATE part SET from_row = $1, to_row = $2;
	SELECT run FROM influence_refresh('m', as_of => '2025-01-01 00:00+00') $$;
SELECT next_run(1, 300), next_run(1, 340), next_run(1, 341), next_run(1, 341);
CREATE FUNCTION wrong_changes(from_run bigint, to_run bigint, facet text = '', OUT changes bigint, OUT wrong bigint, OUT in_order boolean)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($q$
		WITH users AS (SELECT DISTINCT target AS user_id FROM log),
		explained AS (SELECT user_id, r, e.* FROM users, (VALUES (1, $1), (2, $2)) r(r, run), LATERAL influence_explain(user_id, 'm', run => r.run %1$s) e),
		expected AS (
			SELECT user_id, network, kind, supporter,
				coalesce(sum(influence) FILTER (WHERE r = 1), 0) AS before, coalesce(sum(influence) FILTER (WHERE r = 2), 0) AS after
			FROM explained GROUP BY 1, 2, 3, 4),
		found AS (SELECT user_id, c.* FROM users, LATERAL influence_changes(user_id, 'm', from_run => $1, to_run => $2 %1$s)
			WITH ORDINALITY c(network, kind, supporter, before, after, change, n))
		SELECT (SELECT count(*) FROM found), count(*),
			(SELECT bool_and(abs(change) <= coalesce(larger, abs(change)))
			FROM (SELECT change, lag(abs(change)) OVER (PARTITION BY user_id ORDER BY n) AS larger FROM found) o)
		FROM (SELECT user_id, network, kind, supporter, before, after, after - before FROM expected WHERE before <> after
			EXCEPT SELECT user_id, network, kind, supporter, before, after, change FROM found) d $q$, facet)
	INTO changes, wrong, in_order USING from_run, to_run;
	IF changes <> (SELECT count(*) FROM (SELECT DISTINCT target AS user_id FROM log) u,
			LATERAL influence_changes(user_id, 'm', from_run => wrong_changes.from_run, to_run => wrong_changes.to_run)) AND facet = '' THEN
		RAISE 'some changes were not expected';
	END IF;
END
$$;
SELECT f, t, c.* FROM (VALUES (1, 2), (3, 1)) r(f, t), LATERAL wrong_changes(f, t) c;
SELECT * FROM wrong_changes(3, 4);
SELECT * FROM wrong_changes(1, 3, ', network => ''x''');
SELECT * FROM wrong_changes(1, 3, ', topic => ''dogs''');
-- from_run: the one kept before; to_run: the last
SELECT count(*) AS differing FROM (SELECT * FROM influence_changes(3, to_run => 2) EXCEPT ALL SELECT * FROM influence_changes(3, from_run => 1, to_run => 2)) d;
SELECT count(*) AS differing FROM (SELECT * FROM influence_changes(3, from_run => 2) EXCEPT ALL SELECT * FROM influence_changes(3, from_run => 2, to_run => 4)) d;
SELECT count(*) FROM influence_changes(3, to_run => 1);
SELECT error_of('SELECT influence_changes(3, from_run => 1, to_run => 7)');
SELECT error_of('SELECT influence_changes(3, from_run => -3, to_run => 2)');
SELECT error_of('SELECT influence_changes(3, network => ''x'', topic => ''dogs'')');
SELECT error_of('SELECT influence_changes(3, ''no such'')');
SELECT error_of('SELECT influence_history(3, ''no such'')');
SELECT error_of('SELECT influence_history(''3''::text)');

-- History: the rows that there are, each with what changed since the last.
CREATE FUNCTION wrong_history(most int = 3, OUT users bigint, OUT rows bigint, OUT with_causes bigint, OUT wrong bigint) LANGUAGE sql AS $$
	WITH found AS (SELECT s.user_id, h.* FROM m_scores s, LATERAL influence_history(s.user_id, 'm', most) h),
	expected AS (
		SELECT user_id, run, at, score, score - lag(score) OVER w AS change, lag(run) OVER w AS before
		FROM m_history WHERE user_id IN (SELECT user_id FROM m_scores) WINDOW w AS (PARTITION BY user_id ORDER BY run)),
	kept AS (SELECT DISTINCT run FROM m_graph),
	explained AS (
		SELECT e.*, (SELECT min(k.run) FROM kept k WHERE k.run >= before AND k.run < e.run AND EXISTS (SELECT FROM kept t WHERE t.run = e.run)) AS from_run
		FROM expected e)
	SELECT count(DISTINCT f.user_id), count(f.run), count(f.causes), count(*) FILTER (WHERE
		(e.run, e.at, e.score, e.change) IS DISTINCT FROM (f.run, f.at, f.score, f.change)
		OR (f.causes IS NULL) <> (e.from_run IS NULL OR most <= 0)
		OR jsonb_array_length(f.causes) <> least(most, c.n)
		OR NOT coalesce(c.same, true))
	FROM explained e FULL JOIN found f USING (user_id, run),
	LATERAL (SELECT count(*) AS n, bool_and(o.ordinality > most OR
			((f.causes->(o.ordinality - 1)::int->>'supporter')::bigint = o.supporter
			AND f.causes->(o.ordinality - 1)::int->>'network' IS NOT DISTINCT FROM o.network
			AND f.causes->(o.ordinality - 1)::int->>'kind' IS NOT DISTINCT FROM o.kind
			AND abs((f.causes->(o.ordinality - 1)::int->'before')::float8 - o.before) <= 1e-5 * o.before
			AND abs((f.causes->(o.ordinality - 1)::int->'after')::float8 - o.after) <= 1e-5 * o.after)) AS same
		FROM influence_changes(CASE WHEN e.from_run IS NULL THEN NULL ELSE user_id END, 'm', from_run => e.from_run, to_run => e.run) WITH ORDINALITY o) c $$;
SELECT * FROM wrong_history();
SELECT * FROM wrong_history(1000);
SELECT * FROM wrong_history(0);
SELECT * FROM wrong_history(NULL);
-- runs 1 and 2 fall off
SELECT next_run(20, 450), next_run(21, 450);
SELECT array_agg(DISTINCT run) FROM m_graph;
SELECT * FROM wrong_history();
SELECT run, causes IS NULL AS unknown FROM influence_history(3);
-- many runs that make no row of history between two that do
SELECT next_run(21, 450), next_run(21, 450), next_run(21, 700);
SELECT array_agg(DISTINCT run) FROM m_graph;
SELECT * FROM wrong_history();
-- without graphs there are scores, and nobody to blame
SELECT influence_alter_model('m', keep_graphs => 0);
SELECT next_run(1, 700);
SELECT count(*) FROM influence_history(3) WHERE causes IS NOT NULL;
SELECT error_of('SELECT influence_changes(3)');

-- Ids of other types, and names that JSON would trip over.
CREATE VIEW typed AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target,
	E'\\ "user"\n\t' || source AS source_text, E'\\ "user"\n\t' || target AS target_text, kind, network FROM grows;
SELECT influence_create_model('uuids', 'typed', kind => 'kind', network => 'network'),
	influence_create_model('texts', 'typed', 'source_text', 'target_text', kind => 'kind', network => 'network');
UPDATE part SET to_row = 300;
SELECT nodes FROM influence_refresh('uuids');
SELECT nodes FROM influence_refresh('texts');
UPDATE part SET to_row = 500;
SELECT nodes > 10 AS nodes FROM influence_refresh('uuids');
SELECT nodes > 10 AS nodes FROM influence_refresh('texts');
SELECT count(*) > 10 AS causes, bool_and((c->>'supporter')::uuid IN (SELECT source FROM typed)) AS known
FROM uuids_scores u, LATERAL influence_history(u.user_id, 'uuids') h, jsonb_array_elements(h.causes) c;
SELECT count(*) > 10 AS causes, bool_and(c->>'supporter' IN (SELECT source_text FROM typed)) AS known,
	bool_and(c->>'network' IS NULL OR c->>'network' IN ('x', 'it''s "y" \')) AS networks, count(c->>'network') > 3 AS some
FROM texts_scores u, LATERAL influence_history(u.user_id, 'texts') h, jsonb_array_elements(h.causes) c;

-- Privileges: a history needs both tables.
CREATE ROLE regress_influence_history;
GRANT USAGE ON SCHEMA model_history TO regress_influence_history;
GRANT SELECT ON uuids_history TO regress_influence_history;
SET ROLE regress_influence_history;
SELECT error_of('SELECT influence_history(md5(''3'')::uuid, ''uuids'')');
RESET ROLE;
REVOKE ALL ON uuids_history FROM regress_influence_history;
GRANT SELECT ON uuids_graph TO regress_influence_history;
SET ROLE regress_influence_history;
SELECT error_of('SELECT influence_history(md5(''3'')::uuid, ''uuids'')');
SELECT error_of('SELECT influence_changes(md5(''3'')::uuid, ''uuids'')');
RESET ROLE;
GRANT SELECT ON uuids_history TO regress_influence_history;
SET ROLE regress_influence_history;
SELECT error_of('SELECT influence_history(md5(''3'')::uuid, ''uuids'')');
RESET ROLE;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA model_history CASCADE;
DROP ROLE regress_influence_history;
