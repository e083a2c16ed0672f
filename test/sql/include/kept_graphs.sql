-- What the kept graphs of a model say, read from their bytes, and a graph that
-- is told in full told by its differences from that of an earlier run: needs
-- number_at() of people.sql.

CREATE TABLE kept_node (run bigint, partition int, at int, id text, bytes bytea, voice bytea, score bytea);
CREATE TABLE kept_label (run bigint, number int, bytes bytea);
CREATE TABLE kept_part (run bigint, target text, source text, label bytea, x float8);

CREATE FUNCTION reversed(data bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT string_agg(substr(data, i, 1), '' ORDER BY i DESC) FROM generate_series(1, length(data)) i $$;
-- Numbers as the server keeps them in memory.
CREATE FUNCTION number_bytes(value bigint, bytes int, little boolean) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN little THEN reversed(b) ELSE b END FROM substr(int8send(value), 9 - bytes) b $$;
CREATE FUNCTION float_bytes(value float8, little boolean) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN little THEN reversed(b) ELSE b END FROM float8send(value) b $$;
-- One that is positive.
CREATE FUNCTION float_at(data bytea, at int, little boolean) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (1 + (n & ((1::bigint << 52) - 1)) / 4503599627370496.0::float8) * power(2::float8, ((n >> 52) & 2047)::int - 1023) FROM number_at(data, at, 8, little) n $$;
-- Numbers in as few bytes as they need.
CREATE FUNCTION varint(value bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN value < 128 THEN set_byte('\x00', 0, value::int) ELSE set_byte('\x00', 0, (value & 127 | 128)::int) || varint(value >> 7) END $$;
CREATE FUNCTION get_varint(data bytea, INOUT at int, OUT value bigint) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	shift int := 0;
BEGIN
	value := 0;
	LOOP
		value := value | ((get_byte(data, at) & 127)::bigint << shift);
		shift := shift + 7;
		at := at + 1;
		EXIT WHEN get_byte(data, at - 1) < 128;
	END LOOP;
END
$$;
CREATE FUNCTION slot(partition int, at int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT (at / 8 * 64 + partition)::bigint * 8 + at % 8 $$;
-- Where a label ends: lengths and names of kind and network, and of so many topics.
CREATE FUNCTION label_end(data bytea, at int, little boolean) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	length bigint;
	topics bigint;
BEGIN
	FOR i IN 1..2 LOOP
		length := number_at(data, at, 4, little);
		at := at + 4 + CASE WHEN length = 4294967295 THEN 0 ELSE length END;
	END LOOP;
	topics := number_at(data, at, 4, little);
	at := at + 4;
	FOR i IN 1..topics LOOP
		at := at + 4 + number_at(data, at, 4, little);
	END LOOP;
	RETURN at;
END
$$;

-- Read a graph into the tables above; returns whether numbers start with their low end.
CREATE FUNCTION read_graph(model text, which bigint) RETURNS boolean LANGUAGE plpgsql AS $$
<<it>>
DECLARE
	graph CONSTANT text := quote_ident(model || '_graph');
	head bytea;
	base bigint;
	little boolean;
	weighted boolean;
	labelled boolean;
	row record;
	at int;
	stop int;
	n int;
	target int;
	pairs bigint;
	parts bigint;
	code bigint;
	source bigint;
	label bigint;
	value bigint;
	x float8;
BEGIN
	DELETE FROM kept_node WHERE run = which;
	DELETE FROM kept_label WHERE run = which;
	DELETE FROM kept_part WHERE run = which;
	EXECUTE format('SELECT data FROM %s WHERE section = ''head'' AND run = $1', graph) INTO STRICT head USING which;
	little := get_byte(head, 0) = 50;	-- "inf2" as a number
	base := number_at(head, 8, 8, little);
	weighted := get_byte(head, 5) = 1;
	labelled := get_byte(head, 6) = 1;
	FOR row IN EXECUTE format('SELECT i.partition, i."first", i.data, v.data AS voices, s.data AS scores FROM %s i, %1$s v, %1$s s WHERE i.run IN ($1, $2) AND i.section = ''ids''
			AND (v.run, v.section, v.partition) = ($1, ''voices'', i.partition) AND (s.run, s.section, s.partition) = ($1, ''scores'', i.partition)', graph)
			USING which, base LOOP
		at := 0;
		n := row.first;
		WHILE at < length(row.data) LOOP
			stop := CASE WHEN get_byte(head, 4) = 0 THEN at + 8 ELSE at + 4 + number_at(row.data, at, 4, little) END;
			INSERT INTO kept_node VALUES (which, row.partition, n,
				CASE WHEN get_byte(head, 4) = 0 THEN number_at(row.data, at, 8, little)::text ELSE convert_from(substr(row.data, at + 5, stop - at - 4), 'UTF8') END,
				substr(row.data, at + 1, stop - at), substr(row.voices, n * 8 + 1, 8), substr(row.scores, n * 8 + 1, 8));
			at := stop;
			n := n + 1;
		END LOOP;
	END LOOP;
	FOR row IN EXECUTE format('SELECT "first", data FROM %s WHERE run IN ($1, $2) AND section = ''labels''', graph) USING which, base LOOP
		at := 0;
		n := row.first;
		WHILE at < length(row.data) LOOP
			stop := label_end(row.data, at, little);
			INSERT INTO kept_label VALUES (which, n, substr(row.data, at + 1, stop - at));
			at := stop;
			n := n + 1;
		END LOOP;
	END LOOP;
	CREATE TEMP TABLE raw (target_partition int, target int, source bigint, label bigint, x float8) ON COMMIT DROP;
	FOR row IN EXECUTE format('SELECT partition, "first", data FROM %s WHERE run = $1 AND section = ''edges''', graph) USING base LOOP
		at := 0;
		target := row.first;
		WHILE at < length(row.data) LOOP
			SELECT g.at, g.value INTO at, pairs FROM get_varint(row.data, at) g;
			source := 0;
			FOR pair IN 1..pairs LOOP
				SELECT g.at, g.value INTO at, code FROM get_varint(row.data, at) g;
				source := source + (code >> 1) + (pair > 1)::int;
				parts := 1;
				IF code & 1 = 1 THEN SELECT g.at, g.value INTO at, parts FROM get_varint(row.data, at) g; END IF;
				FOR part IN 1..parts LOOP
					label := 0;
					x := 1;
					IF labelled THEN SELECT g.at, g.value INTO at, label FROM get_varint(row.data, at) g; END IF;
					IF weighted THEN
						SELECT g.at INTO at FROM get_varint(row.data, at) g;
						x := float_at(row.data, at, little);
						at := at + 8;
					ELSIF code & 1 = 1 THEN
						SELECT g.at, g.value INTO at, x FROM get_varint(row.data, at) g;
					END IF;
					INSERT INTO raw VALUES (row.partition, target, source, label, x);
				END LOOP;
			END LOOP;
			target := target + 1;
		END LOOP;
	END LOOP;
	-- what is different from the base
	FOR row IN EXECUTE format('SELECT partition, data FROM %s WHERE run = $1 AND section = ''changes''', graph) USING which LOOP
		at := 0;
		target := 0;
		source := 0;
		WHILE at < length(row.data) LOOP
			SELECT g.at, g.value INTO at, value FROM get_varint(row.data, at) g;
			target := target + value;
			IF value > 0 THEN source := 0; END IF;
			SELECT g.at, g.value INTO at, value FROM get_varint(row.data, at) g;
			source := source + value;
			label := 0;
			IF labelled THEN SELECT g.at, g.value INTO at, label FROM get_varint(row.data, at) g; END IF;
			IF weighted THEN
				SELECT g.at INTO at FROM get_varint(row.data, at) g;
				x := CASE WHEN number_at(row.data, at, 8, little) = 0 THEN 0 ELSE float_at(row.data, at, little) END;
				at := at + 8;
			ELSE
				SELECT g.at, g.value INTO at, x FROM get_varint(row.data, at) g;
			END IF;
			DELETE FROM raw r WHERE (r.target_partition, r.target, r.source, r.label) = (row.partition, it.target, it.source, it.label);
			INSERT INTO raw SELECT row.partition, it.target, it.source, it.label, it.x WHERE it.x > 0;
		END LOOP;
	END LOOP;
	INSERT INTO kept_part
	SELECT which, t.id, s.id, l.bytes, r.x * CASE WHEN base = which THEN 1 ELSE float_at(head, 40, little) END
	FROM raw r JOIN kept_node t ON (t.run, t.partition, t.at) = (which, r.target_partition, r.target)
		JOIN kept_node s ON s.run = which AND slot(s.partition, s.at) = r.source
		LEFT JOIN kept_label l ON l.run = which AND l.number = r.label AND labelled;
	DROP TABLE raw;
	RETURN little;
END
$$;

-- Tell the graph of a run, which is there in full, by its differences from
-- that of another, in which all x were greater by 1 / scale; returns how many
-- nodes, labels and parts it has of its own.  The order of its own nodes is
-- another one in every other run.
CREATE FUNCTION tell_differences(model text, this bigint, base bigint, scale float8 = 1, OUT nodes bigint, OUT labels bigint, OUT parts bigint)
LANGUAGE plpgsql AS $$
DECLARE
	graph CONSTANT text := quote_ident(model || '_graph');
	little boolean;
	head bytea;
	base_head bytea;
	row record;
	p int;
	at int;
	data bytea;
	target int;
	source bigint;
BEGIN
	PERFORM read_graph(model, base);
	little := read_graph(model, this);
	EXECUTE format('SELECT data FROM %s WHERE section = ''head'' AND run = $1', graph) INTO STRICT head USING this;
	EXECUTE format('SELECT data FROM %s WHERE section = ''head'' AND run = $1', graph) INTO STRICT base_head USING base;
	-- where everybody and every label is now
	CREATE TEMP TABLE node ON COMMIT DROP AS
	SELECT coalesce(o.partition, n.partition) AS partition, o.at IS NULL AS own,
		coalesce(o.at, (SELECT count(*) FROM kept_node c WHERE c.run = base AND c.partition = n.partition)::int - 1
			+ (row_number() OVER (PARTITION BY o.at IS NULL, n.partition ORDER BY CASE this % 2 WHEN 0 THEN n.at ELSE -n.at END))::int) AS at,
		coalesce(o.id, n.id) AS id, n.bytes,
		coalesce(n.voice, '\x0000000000000000') AS voice, coalesce(n.score, '\x0000000000000000') AS score,
		(SELECT count(*) FROM kept_node c WHERE c.run = this AND (c.partition, c.at) < (n.partition, n.at)) AS number_before
	FROM (SELECT * FROM kept_node WHERE run = base) o FULL JOIN (SELECT * FROM kept_node WHERE run = this) n USING (id);
	ALTER TABLE node ADD number bigint;
	UPDATE node n SET number = (SELECT count(*) FROM node c WHERE (c.partition, c.at) < (n.partition, n.at));
	CREATE TEMP TABLE label ON COMMIT DROP AS
	SELECT number, bytes, false AS own FROM kept_label WHERE run = base
	UNION ALL
	SELECT (SELECT count(*) FROM kept_label WHERE run = base) - 1 + row_number() OVER (ORDER BY number), bytes, true
	FROM kept_label n WHERE run = this AND NOT EXISTS (SELECT FROM kept_label o WHERE o.run = base AND o.bytes = n.bytes);
	CREATE TEMP TABLE change ON COMMIT DROP AS
	SELECT t.partition, t.at AS target, slot(s.partition, s.at) AS source, coalesce(l.number, 0) AS label, coalesce(n.x / scale, 0) AS x
	FROM (SELECT * FROM kept_part WHERE run = base) o
		FULL JOIN (SELECT * FROM kept_part WHERE run = this) n ON (o.target, o.source) = (n.target, n.source) AND coalesce(o.label, '') = coalesce(n.label, '')
		JOIN node t ON t.id = coalesce(o.target, n.target) JOIN node s ON s.id = coalesce(o.source, n.source)
		LEFT JOIN label l ON l.bytes = coalesce(o.label, n.label)
	WHERE o.x IS DISTINCT FROM n.x / scale;

	EXECUTE format('DELETE FROM %s WHERE run = $1 AND section = ANY (''{head,ids,voices,scores,edges,labels}'')', graph) USING this;
	head := substr(head, 1, 8) || number_bytes(base, 8, little) || substr(head, 17, 8) || substr(base_head, 25, 8) || substr(head, 33, 8)
		|| float_bytes(scale, little) || substr(head, 49, 36) || number_bytes((SELECT count(*) FROM node), 4, little)
		|| number_bytes((SELECT count(*) FROM label), 4, little) || number_bytes((SELECT count(*) FROM label WHERE NOT own), 4, little)
		|| (SELECT string_agg(number_bytes((SELECT count(*) FROM node n WHERE n.partition = q), 4, little), '' ORDER BY q) FROM generate_series(0, 63) q)
		|| substr(base_head, 97, 256) || substr(head, 609);
	EXECUTE format('INSERT INTO %s VALUES ($1, ''head'', '''', 0, 0, $2)', graph) USING this, head;
	EXECUTE format('INSERT INTO %s SELECT $1, ''ids'', '''', partition, min(at), string_agg(bytes, '''' ORDER BY at) FROM node WHERE own GROUP BY partition', graph) USING this;
	EXECUTE format('INSERT INTO %s SELECT $1, ''voices'', '''', partition, 0, string_agg(voice, '''' ORDER BY at) FROM node GROUP BY partition', graph) USING this;
	EXECUTE format('INSERT INTO %s SELECT $1, ''scores'', '''', partition, 0, string_agg(score, '''' ORDER BY at) FROM node GROUP BY partition', graph) USING this;
	EXECUTE format('INSERT INTO %s SELECT $1, ''labels'', '''', 0, min(number), string_agg(bytes, '''' ORDER BY number) FROM label WHERE own HAVING count(*) > 0', graph) USING this;
	FOR p IN SELECT DISTINCT c.partition FROM change c LOOP
		data := '';
		target := 0;
		source := 0;
		FOR row IN SELECT * FROM change c WHERE c.partition = p ORDER BY c.target, c.source, c.label LOOP
			data := data || varint(row.target - target) || varint(row.source - CASE WHEN row.target = target THEN source ELSE 0 END)
				|| CASE WHEN get_byte(head, 6) = 1 THEN varint(row.label) ELSE '' END
				|| CASE WHEN get_byte(head, 5) = 1 THEN varint((row.x > 0)::int) || float_bytes(row.x, little) ELSE varint(row.x::bigint) END;
			target := row.target;
			source := row.source;
		END LOOP;
		EXECUTE format('INSERT INTO %s VALUES ($1, ''changes'', '''', $2, 0, $3)', graph) USING this, p, data;
	END LOOP;
	-- voices in facets go by number
	FOR row IN EXECUTE format('SELECT section, facet, "first", data FROM %s WHERE run = $1 AND section IN (''network'', ''topic'') AND "first" > 0', graph) USING this LOOP
		SELECT string_agg(number_bytes(n.number, 4, little) || substr(row.data, i * 16 + 5, 12), '' ORDER BY n.number) INTO STRICT data
		FROM generate_series(0, length(row.data) / 16 - 1) i JOIN node n ON n.number_before = number_at(row.data, i * 16, 4, little) AND n.bytes IS NOT NULL;
		EXECUTE format('UPDATE %s SET data = $5 WHERE (run, section, facet, "first") = ($1, $2, $3, $4)', graph) USING this, row.section, row.facet, row.first, data;
	END LOOP;
	SELECT count(*) INTO nodes FROM node WHERE own;
	SELECT count(*) INTO labels FROM label WHERE own;
	SELECT count(*) INTO parts FROM change;
	DROP TABLE node, label, change;
END
$$;
