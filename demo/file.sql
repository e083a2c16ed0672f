-- From file_row, the columns of a file as text, to interactions with types.
-- Complains about the first value that does not fit, with its line.
\set ON_ERROR_STOP on
SET client_min_messages = warning;

DO $$
DECLARE
	id_type text;
	has text[] := (SELECT array_agg(attname::text) FROM pg_attribute
		WHERE attrelid = 'file_row'::regclass AND attnum > 0 AND NOT attisdropped);
	list text;
	bad record;
BEGIN
	-- What is empty, quoted or not, is missing.
	UPDATE file_row SET source = nullif(btrim(source), ''), target = nullif(btrim(target), '')
	WHERE btrim(source) IS DISTINCT FROM nullif(source, '') OR btrim(target) IS DISTINCT FROM nullif(target, '')
		OR source = '' OR target = '';

	IF NOT EXISTS (SELECT FROM file_row WHERE source IS NOT NULL AND target IS NOT NULL) THEN
		RAISE EXCEPTION 'no row has both source and target';
	END IF;

	SELECT CASE
		WHEN bool_and(id ~ '^[+-]?[0-9]{1,19}$') AND bool_and(CASE WHEN id ~ '^[+-]?[0-9]{1,19}$'
			THEN id::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 END) THEN 'bigint'
		WHEN bool_and(id ~* '^\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$') THEN 'uuid'
		ELSE 'text' END
	INTO id_type
	FROM (SELECT source FROM file_row UNION ALL SELECT target FROM file_row) ids(id) WHERE id IS NOT NULL;

	list := format('source::%1$s AS source, target::%1$s AS target', id_type);
	IF 'weight' = ANY (has) THEN
		SELECT line, weight INTO bad FROM file_row
		WHERE weight !~ '^\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*$' AND btrim(weight) <> ''
		ORDER BY line LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'line %: weight "%" is not a number of at least 0', bad.line + 1, bad.weight;
		END IF;
		-- an interaction without a weight counts once
		list := list || ', coalesce(nullif(btrim(weight), '''')::float8, 1) AS weight';
	END IF;
	IF 'at' = ANY (has) THEN
		BEGIN
			PERFORM count(nullif(btrim(at), '')::timestamptz) FROM file_row;
		EXCEPTION WHEN OTHERS THEN
			-- Only now it pays to look at one after the other.
			FOR bad IN SELECT line, at FROM file_row WHERE btrim(at) <> '' ORDER BY line LOOP
				BEGIN
					PERFORM bad.at::timestamptz;
				EXCEPTION WHEN OTHERS THEN
					RAISE EXCEPTION 'line %: at "%" is not a date and time', bad.line + 1, bad.at;
				END;
			END LOOP;
		END;
		list := list || ', nullif(btrim(at), '''')::timestamptz AS at';
	END IF;
	SELECT list || coalesce(string_agg(format(', nullif(btrim(%1$I), '''') AS %1$I', name), ''), '') INTO list
	FROM unnest(ARRAY['kind', 'network', 'topic']) name WHERE name = ANY (has);
	EXECUTE format('CREATE TABLE interactions AS SELECT %s FROM file_row ORDER BY line', list);

	-- Scores are as of the latest interaction, so that old files work as well.
	EXECUTE 'CREATE TABLE file_as_of AS SELECT ' || CASE WHEN 'at' = ANY (has)
		THEN 'coalesce(max(at) FILTER (WHERE at <= now()), now()) AS as_of FROM interactions' ELSE 'now() AS as_of' END;
END
$$;

DROP TABLE file_row;
ANALYZE interactions;
