-- Where interactions can be: whatever the relation, the tables are the same.
SET client_min_messages = warning;
CREATE SCHEMA model_sources;
SET search_path = model_sources, public;
\set ECHO none
\i test/sql/include/reference.sql
\set ECHO all

CREATE TABLE log (source bigint, target bigint, weight float8, at timestamptz, kind text);
INSERT INTO log
SELECT nullif((40 * noise('source', i) ^ 2)::int, 13), nullif((40 * noise('target', i) ^ 2)::int, 17),
	nullif(round((5 * noise('weight', i))::numeric, 1), 4.2),
	CASE WHEN noise('at', i) < 0.98 THEN date '2025-01-01' - (400 * noise('at', i))::int END,
	(ARRAY['like', 'reply', 'spam', NULL])[1 + floor(4 * noise('kind', i))::int]
FROM generate_series(1, 500) i;
SELECT influence_create_model('plain', 'log', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"reply": 3, "spam": 0}', tolerance => 1e-14);
SELECT interactions, nodes > 20 AS some FROM influence_refresh('plain', as_of => '2024-12-01');
SELECT wrong FROM compare('plain', '2024-12-01');

-- A model on another relation, with the same arguments, refreshed: how its row
-- of influence_runs and its table of scores differ from the plain table's.
CREATE FUNCTION same(relation regclass, OUT run_is_same boolean, OUT users_differing bigint, keep boolean = false) LANGUAGE plpgsql AS $$
DECLARE
	run influence_run;
	plain influence_run;
BEGIN
	PERFORM influence_create_model('other', relation, weight => 'weight', at => 'at', kind => 'kind',
		kind_weights => '{"reply": 3, "spam": 0}', tolerance => 1e-14);
	run := influence_refresh('other', as_of => '2024-12-01');
	SELECT * INTO plain FROM influence_runs WHERE model = 'plain';
	run_is_same := (run.interactions, run.skipped, run.skipped_null, run.skipped_self, run.skipped_zero, run.skipped_future, run.nodes, run.edges, run.changed)
		= (plain.interactions, plain.skipped, plain.skipped_null, plain.skipped_self, plain.skipped_zero, plain.skipped_future, plain.nodes, plain.edges, plain.changed);
	SELECT count(*) INTO users_differing FROM plain_scores a FULL JOIN other_scores b ON a.user_id::text = b.user_id::text
	WHERE (a.score, a.percentile, a.audience) IS DISTINCT FROM (b.score, b.percentile, b.audience)
		OR differs(a.influence, b.influence, 1e-12) OR differs(a.responses, b.responses, 1e-12) OR differs(a.activity, b.activity, 1e-12);
	PERFORM influence_drop_model('other');
END
$$;

CREATE TABLE copied AS TABLE log;
SELECT * FROM same('copied');
CREATE VIEW viewed AS SELECT kind, at, weight, target, source FROM log;
SELECT * FROM same('viewed');
CREATE VIEW united AS SELECT * FROM log WHERE source % 2 = 0 UNION ALL SELECT * FROM log WHERE source % 2 IS DISTINCT FROM 0;
SELECT * FROM same('united');
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM log ORDER BY md5(log::text);
SELECT * FROM same('barrier');
CREATE MATERIALIZED VIEW kept AS TABLE log;
SELECT * FROM same('kept');
CREATE TEMP TABLE fleeting AS TABLE log;
SELECT * FROM same('fleeting');
CREATE UNLOGGED TABLE unlogged AS TABLE log;
SELECT * FROM same('unlogged');

-- partitioned, with columns in another order in some partitions, one of them partitioned again
CREATE TABLE parted (LIKE log) PARTITION BY LIST (kind);
CREATE TABLE parted_like PARTITION OF parted FOR VALUES IN ('like');
CREATE TABLE parted_reply (dropped int, at timestamptz, kind text, weight float8, target bigint, source bigint);
ALTER TABLE parted_reply DROP COLUMN dropped;
ALTER TABLE parted ATTACH PARTITION parted_reply FOR VALUES IN ('reply');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT PARTITION BY HASH (source);
CREATE TABLE parted_rest_0 PARTITION OF parted_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_rest_1 PARTITION OF parted_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT * FROM log;
SELECT count(DISTINCT tableoid) AS partitions FROM parted;
SELECT * FROM same('parted');
CREATE TABLE childless (LIKE log) PARTITION BY LIST (kind);
SELECT influence_create_model('childless', 'childless');
SELECT interactions, nodes FROM influence_refresh('childless');
SELECT influence_drop_model('childless');

-- inherited: rows of the children count
CREATE TABLE parent (LIKE log);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent SELECT * FROM log WHERE source % 3 = 0;
INSERT INTO child SELECT *, 1 FROM log WHERE source % 3 IS DISTINCT FROM 0;
SELECT * FROM same('parent');

-- columns dropped, and added when there were rows already
CREATE TABLE altered (gone1 text, source bigint, gone2 int, target bigint, at timestamptz, kind text);
INSERT INTO altered SELECT 'x', source, 1, target, at, kind FROM log WHERE weight = 1.5;
ALTER TABLE altered DROP COLUMN gone1, DROP COLUMN gone2, ADD COLUMN weight float8 DEFAULT 1.5;
INSERT INTO altered(source, target, at, kind, weight) SELECT source, target, at, kind, weight FROM log WHERE weight IS DISTINCT FROM 1.5;
SELECT * FROM same('altered');
ALTER TABLE altered ADD COLUMN more int;
SELECT * FROM same('altered');

-- generated columns and domains
CREATE DOMAIN user_number AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN amount AS float8;
CREATE DOMAIN moment AS timestamptz;
CREATE DOMAIN word AS text;
CREATE TABLE generated (a bigint, source user_number GENERATED ALWAYS AS (a - 1000) STORED, target user_number, b float8,
	weight amount GENERATED ALWAYS AS (b / 2) STORED, at moment, kind word);
INSERT INTO generated(a, target, b, at, kind) SELECT source + 1000, target, weight * 2, at, kind FROM log;
SELECT * FROM same('generated');

-- types that are converted: ids
CREATE EXTENSION citext;
CREATE TYPE reaction AS ENUM ('spam', 'reply', 'like');
CREATE TABLE ids_small AS SELECT source::smallint, target::smallint, weight, at, kind FROM log;
SELECT * FROM same('ids_small');
CREATE TABLE ids_int AS SELECT source::int, target::int, weight, at, kind FROM log;
SELECT * FROM same('ids_int');
CREATE TABLE ids_mixed AS SELECT source::int, target::smallint, weight, at, kind FROM log;
SELECT * FROM same('ids_mixed');
CREATE TABLE ids_text AS SELECT source::text, target::text, weight, at, kind FROM log;
SELECT * FROM same('ids_text');
CREATE TABLE ids_varchar AS SELECT source::varchar(20), target::text, weight, at, kind FROM log;
SELECT * FROM same('ids_varchar');
CREATE TABLE ids_name AS SELECT source::text::name AS source, target::text::name AS target, weight, at, kind FROM log;
SELECT * FROM same('ids_name');
CREATE TABLE ids_char AS SELECT source::char(20), target::char(20), weight, at, kind FROM log;
SELECT * FROM same('ids_char');
CREATE TABLE ids_citext AS SELECT source::text::citext AS source, target::text::citext AS target, weight, at, kind::citext FROM log;
SELECT * FROM same('ids_citext');
-- weights
CREATE TABLE weight_numeric AS SELECT source, target, weight::numeric, at, kind FROM log;
SELECT * FROM same('weight_numeric');
CREATE TABLE times (LIKE log);
INSERT INTO times SELECT source, target, floor(weight), at, kind FROM log;
CREATE FUNCTION same_weights(type text, OUT run_is_same boolean, OUT users_differing bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE typed AS SELECT source, target, floor(weight)::%s AS weight, at, kind FROM log', type);
	PERFORM influence_drop_model('plain');
	PERFORM influence_create_model('plain', 'times', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"reply": 3, "spam": 0}', tolerance => 1e-14);
	PERFORM influence_refresh('plain', as_of => '2024-12-01');
	SELECT * INTO run_is_same, users_differing FROM same('typed');
	DROP TABLE typed;
END
$$;
SELECT type, s.* FROM unnest('{smallint, int, bigint, real, float8, "numeric(10,3)"}'::text[]) type, LATERAL same_weights(type) s;
-- times without a zone are the session's; dates begin at midnight
SELECT influence_drop_model('plain');
SELECT influence_create_model('plain', 'log', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"reply": 3, "spam": 0}', tolerance => 1e-14);
SELECT interactions, nodes > 20 AS some FROM influence_refresh('plain', as_of => '2024-12-01');
CREATE TABLE at_timestamp AS SELECT source, target, weight, at::timestamp, kind FROM log;
SELECT * FROM same('at_timestamp');
CREATE TABLE at_date AS SELECT source, target, weight, at::date, kind FROM log;
SELECT * FROM same('at_date');
-- kinds
CREATE TABLE kind_enum AS SELECT source, target, weight, at, kind::reaction FROM log;
SELECT * FROM same('kind_enum');
CREATE TABLE kind_varchar AS SELECT source, target, weight, at, kind::varchar(5) FROM log;
SELECT * FROM same('kind_varchar');
CREATE TABLE kind_char AS SELECT source, target, weight, at, kind::char(9) FROM log;
SELECT * FROM same('kind_char');
-- of one letter, a number, or a truth value
CREATE TABLE kinds (source bigint, target bigint, c "char", i int, b boolean);
INSERT INTO kinds VALUES (1, 2, 'l', 1, true), (3, 4, 'r', 2, false);
SELECT influence_create_model('kinds', 'kinds', kind => 'c', kind_weights => '{"l": 4}', pair_weight => 'linear');
SELECT edges FROM influence_refresh('kinds');
SELECT user_id, responses FROM kinds_scores WHERE audience > 0 ORDER BY 1;
SELECT influence_alter_model('kinds', kind => 'i', kind_weights => '{"2": 5}');
SELECT edges FROM influence_refresh('kinds');
SELECT user_id, responses FROM kinds_scores WHERE audience > 0 ORDER BY 1;
SELECT influence_alter_model('kinds', kind => 'b', kind_weights => '{"false": 6}');
SELECT edges FROM influence_refresh('kinds');
SELECT user_id, responses FROM kinds_scores WHERE audience > 0 ORDER BY 1;
SELECT influence_drop_model('kinds');

-- texts that are long, compressed, stored apart, empty, not ASCII
CREATE TABLE long (source text, target text);
ALTER TABLE long ALTER source SET STORAGE EXTERNAL;
INSERT INTO long VALUES (repeat('x', 100000), 'a'), (repeat('x', 100001), 'a'), ('a', repeat('x', 100000)), ('', 'a'), ('a', ''),
	('Zoë', 'a'), ('zoë', 'a'), ('a ', 'a'), (repeat('y', 2000), repeat('y', 2000)), ('b', repeat('x', 100001));
CREATE VIEW long_view AS TABLE long;
SELECT influence_create_model('long', 'long');
SELECT influence_create_model('long_view', 'long_view');
SELECT nodes, edges, skipped_self FROM influence_refresh('long');
SELECT nodes, edges, skipped_self FROM influence_refresh('long_view');
SELECT left(user_id, 3) AS id, length(user_id), audience FROM long_scores ORDER BY user_id COLLATE "C";
SELECT count(*) AS differing FROM (TABLE long_scores EXCEPT TABLE long_view_scores) d;
SELECT changed FROM influence_refresh('long');
SELECT count(*) AS found FROM long WHERE influence_score(source, 'long') IS NOT NULL;
SELECT influence_score(repeat('x', 100000), 'long') = (SELECT score FROM long_scores WHERE length(user_id) = 100000) AS found,
	influence_score(repeat('x', 99999), 'long') AS not_found;

-- uuids
CREATE TABLE ids_uuid AS SELECT md5(source::text)::uuid AS source, md5(target::text)::uuid AS target, weight, at, kind FROM log;
SELECT influence_create_model('uuids', 'ids_uuid', weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{"reply": 3, "spam": 0}', tolerance => 1e-14);
SELECT nodes = (SELECT count(*) FROM plain_scores) AS same FROM influence_refresh('uuids', as_of => '2024-12-01');
SELECT count(*) AS differing FROM plain_scores a FULL JOIN uuids_scores b ON md5(a.user_id::text)::uuid = b.user_id
WHERE (a.score, a.percentile, a.audience) IS DISTINCT FROM (b.score, b.percentile, b.audience) OR differs(a.influence, b.influence, 1e-12);
SELECT count(*) AS differing FROM plain_scores WHERE influence_score(md5(user_id::text)::uuid, 'uuids') IS DISTINCT FROM score;
SELECT count(*) AS differing FROM plain_scores a FULL JOIN uuids_history b ON md5(a.user_id::text)::uuid = b.user_id WHERE a.score IS DISTINCT FROM b.score;

-- a foreign table, on this very server
CREATE EXTENSION postgres_fdw;
DO $$
BEGIN
	EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname %L, port %L, host %L)',
		current_database(), current_setting('port'), split_part(current_setting('unix_socket_directories'), ',', 1));
	EXECUTE 'CREATE USER MAPPING FOR CURRENT_USER SERVER here';
END
$$;
CREATE FOREIGN TABLE remote (source bigint, target bigint, w float8 OPTIONS (column_name 'weight'), weight float8, at timestamptz, kind text)
SERVER here OPTIONS (schema_name 'model_sources', table_name 'log');
SELECT * FROM same('remote');
CREATE FOREIGN TABLE remote_part PARTITION OF parted FOR VALUES IN ('reaction') SERVER here OPTIONS (schema_name 'model_sources', table_name 'log_reaction');
CREATE TABLE log_reaction (LIKE log);
SELECT * FROM same('parted');

-- a table that is not in the search path, its name being taken by another
CREATE SCHEMA other_schema;
CREATE TABLE other_schema.log AS SELECT 1::bigint AS source, 2::bigint AS target, 1 AS weight, now() AS at, 'x' AS kind;
SET search_path = other_schema, model_sources, public;
SELECT * FROM model_sources.same('model_sources.viewed');
SELECT * FROM model_sources.same('model_sources.log');
SET search_path = model_sources, public;

SELECT influence_drop_model(name) FROM influence_models;
DROP SCHEMA other_schema, model_sources CASCADE;
DROP EXTENSION IF EXISTS postgres_fdw CASCADE;
DROP EXTENSION IF EXISTS citext;
