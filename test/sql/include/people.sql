-- Interactions for functions about people of a model, what they amount to, and
-- which numbers a kept graph gives its nodes: needs noise() of reference.sql.

CREATE TABLE log (source bigint, target bigint, weight float8, network text, topic text[]);

-- Weights are fourths, so that they sum up alike in any order.
CREATE FUNCTION make_log(users int, rows int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO log
	SELECT (users * noise('source', i))::int * 7919::bigint - 100000, (users * noise('target', i) ^ 3)::int * 7919::bigint - 100000,
		(1 + 7 * noise('weight', i))::int / 4.0::float8, (ARRAY['forum', 'photo', 'video'])[1 + i % 3],
		CASE WHEN i % 5 = 0 THEN NULL WHEN i % 4 = 0 THEN ARRAY['film', 'music'] ELSE ARRAY[(ARRAY['film', 'music', 'it''s "odd"'])[1 + i % 7 % 3]] END
	FROM generate_series(1, rows) i
$$;

-- The pairs that count, all or those of a network or topic.
CREATE FUNCTION pairs(network text = NULL, topic text = NULL)
RETURNS TABLE (source bigint, target bigint, weight float8) LANGUAGE sql STABLE AS $$
	SELECT l.source, l.target, ln(1 + sum(l.weight)) FROM log l
	WHERE l.source <> l.target AND ($1 IS NULL OR l.network = $1) AND ($2 IS NULL OR $2 = ANY (l.topic))
	GROUP BY l.source, l.target
$$;

-- All the ways to look at a model.
CREATE VIEW facet (facet, network, topic) AS
	VALUES (1, NULL, NULL), (2, 'photo', NULL), (3, 'forum', NULL), (4, NULL, 'film'), (5, NULL, 'it''s "odd"');

-- A number of so many bytes as the server keeps it in memory.
CREATE FUNCTION number_at(data bytea, at int, bytes int, little_endian boolean) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x' || lpad(string_agg(lpad(to_hex(get_byte(data, at + b)), 2, '0'), '' ORDER BY CASE WHEN little_endian THEN -b ELSE b END),
		16, '0'))::bit(64)::bigint FROM generate_series(0, bytes - 1) b
$$;

-- The nodes of a model's last graph in their order, by the ids that are kept with it.
CREATE FUNCTION node_numbers(model text, OUT number bigint, OUT id text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	m influence_models;
	last bigint;
	head bytea;
	ids bytea;
	at int;
	bytes int;
	little boolean;
BEGIN
	SELECT * INTO STRICT m FROM influence_models WHERE name = model;
	EXECUTE format('SELECT run, data FROM %s WHERE section = ''head'' ORDER BY run DESC LIMIT 1', m.graph) INTO STRICT last, head;
	little := get_byte(head, 0) = 50;	-- "inf2" as a number
	number := 0;
	-- those of the base, and the graph's own
	FOR ids IN EXECUTE format('SELECT data FROM %s WHERE section = ''ids'' AND run IN ($1, $2) ORDER BY partition, "first"', m.graph)
		USING last, number_at(head, 8, 8, little) LOOP
		at := 0;
		WHILE at < length(ids) LOOP
			IF m.id_type = 'bigint'::regtype THEN
				bytes := 8;
				id := number_at(ids, at, 8, little);
			ELSIF m.id_type = 'uuid'::regtype THEN
				bytes := 16;
				id := encode(substr(ids, at + 1, 16), 'hex')::uuid;
			ELSE
				bytes := 4 + number_at(ids, at, 4, little);
				id := convert_from(substr(ids, at + 5, bytes - 4), getdatabaseencoding());
			END IF;
			RETURN NEXT;
			number := number + 1;
			at := at + bytes;
		END LOOP;
	END LOOP;
END
$$;
