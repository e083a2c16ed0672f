-- Networks and topics of a model, compared with models of their own: needs
-- reference.sql.

-- The arguments of a model but for its name, interactions, topics and graphs,
-- for influence_create_model.
CREATE FUNCTION model_arguments(model text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%I => %L', key, value), ', ')
	FROM influence_models m, jsonb_each_text(to_jsonb(m)) a
	WHERE m.name = model AND key IN ('source', 'target', 'weight', 'at', 'kind', 'network', 'kind_weights', 'network_weights',
		'half_life', 'pair_weight', 'restart', 'damping', 'tolerance', 'max_iterations')
$$;

-- For each network (about = NULL) or topic of a model: does it have the rows,
-- and the scale, of a model of the rows that belong to it?  about is an
-- expression on the interactions: all topics that a row counts for, as text[].
-- independent has the first so many compared with reference(), too.
CREATE FUNCTION compare_facets(model text, as_of timestamptz, about text = NULL, independent int = 0,
	OUT facets bigint, OUT published bigint, OUT wrong bigint, OUT wrong_scales bigint)
LANGUAGE plpgsql AS $$
DECLARE
	m influence_models;
	facet_type CONSTANT text := CASE WHEN about IS NULL THEN 'network' ELSE 'topic' END;
	names text[];
	facet_name text;
	differing bigint;
	here bigint;
	relation regclass;
BEGIN
	SELECT * INTO STRICT m FROM influence_models WHERE name = model;
	relation := CASE WHEN about IS NULL THEN m.networks ELSE m.topics END;
	EXECUTE format('SELECT array_agg(DISTINCT n COLLATE "C" ORDER BY n COLLATE "C") FROM %s, LATERAL (%s) f(n) WHERE n IS NOT NULL',
		m.interactions, CASE WHEN about IS NULL THEN format('SELECT %I::text', m.network) ELSE format('SELECT unnest(%s)', about) END)
	INTO names;
	facets := 0;
	wrong := 0;
	wrong_scales := 0;
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE %I <> ALL (coalesce($1, ''{}''))) FROM %s', facet_type, relation)
	INTO published, wrong USING names;
	CREATE TEMP TABLE this_facet (name text);
	EXECUTE format('CREATE TEMP VIEW facet_alone AS SELECT i.* FROM this_facet f, %s i WHERE %s', m.interactions,
		CASE WHEN about IS NULL THEN format('f.name = i.%I::text', m.network) ELSE format('f.name = ANY (%s)', about) END);
	EXECUTE format('SELECT influence_create_model(''facet_alone'', ''facet_alone'', keep_graphs => 0, %s)', model_arguments(model));
	FOREACH facet_name IN ARRAY coalesce(names, '{}') LOOP
		DELETE FROM this_facet;
		INSERT INTO this_facet VALUES (facet_name);
		-- as if this were the first refresh
		UPDATE influence_model SET reference = NULL, c = NULL WHERE name = 'facet_alone';
		PERFORM influence_refresh('facet_alone', as_of => compare_facets.as_of);
		EXECUTE format($sql$
			SELECT count(*), count(*) FILTER (WHERE a.user_id IS NULL OR f.user_id IS NULL OR a.audience <> f.audience
				OR differs(f.influence, a.influence, 1e-9) OR differs(f.responses, a.responses, 1e-9)
				OR differs(f.activity, a.activity, 1e-9) OR differs(f.score, a.score, 1e-6)
				OR differs(f.percentile, a.percentile, 1e-6))
			FROM facet_alone_scores a FULL JOIN (SELECT * FROM %s WHERE %I = $1) f USING (user_id) $sql$, relation, facet_type)
		INTO here, differing USING facet_name;
		facets := facets + (here > 0)::int;
		wrong := wrong + differing;
		SELECT wrong_scales + count(*) FILTER (WHERE (a.reference IS NULL) <> (s.reference IS NULL)
			OR differs(s.reference, a.reference, 1e-9) OR differs(s.c, a.c, 1e-9))
		INTO wrong_scales
		FROM influence_models a LEFT JOIN influence_scale s ON s.model = compare_facets.model AND s.facet = facet_type
			AND s.name = facet_name
		WHERE a.name = 'facet_alone' AND here > 0;
		IF independent > 0 AND here > 0 THEN
			PERFORM reference('facet_alone', as_of);
			EXECUTE format($sql$
				SELECT count(*) FILTER (WHERE r.user_id IS NULL OR f.user_id IS NULL OR f.audience <> r.audience
					OR differs(f.influence, r.influence, 1e-9) OR differs(f.responses, r.responses, 1e-9)
					OR differs(f.activity, r.activity, 1e-9) OR differs(f.score, r.score, 1e-6)
					OR differs(f.percentile, r.percentile, 1e-6))
				FROM reference_user r FULL JOIN (SELECT *, user_id::text AS id FROM %s WHERE %I = $1) f ON f.id = r.user_id $sql$,
				relation, facet_type)
			INTO differing USING facet_name;
			wrong := wrong + differing;
			independent := independent - 1;
		END IF;
	END LOOP;
	PERFORM influence_drop_model('facet_alone');
	DROP VIEW facet_alone;
	DROP TABLE this_facet;
END
$$;

-- How many rows of a model's topics have another relevance, engagement or
-- enthusiasm than their other columns say.
CREATE FUNCTION wrong_topic_columns(topics regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	wrong bigint;
BEGIN
	EXECUTE format($sql$
		SELECT count(*) FILTER (WHERE differs(relevance, coalesce(influence / nullif(total, 0), 0), 1e-6)
			OR differs(engagement, coalesce(responses / nullif(audience, 0), 0), 1e-6)
			OR differs(enthusiasm, 100.0 * (SELECT count(*) FROM %1$s u WHERE u.topic = t.topic
				AND u.activity < t.activity * (1 - 1e-9)) / users, 1e-6)
			OR (influence > 0 AND differs(relevances, 1, 1e-5)))
		FROM (SELECT *, sum(influence) OVER (PARTITION BY user_id) AS total, count(*) OVER (PARTITION BY topic) AS users,
				sum(relevance::float8) OVER (PARTITION BY user_id) AS relevances
			FROM %1$s) t $sql$, topics)
	INTO wrong;
	RETURN wrong;
END
$$;

-- How many rows two tables of networks or topics, of scores too, do not share.
-- id says what a user of the first is called in the second.
CREATE FUNCTION differing(a regclass, b regclass, facet text = NULL, id text = 'user_id', tolerance float8 = 1e-12) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format($sql$
		SELECT count(*) FROM (SELECT *, %s AS id FROM %s) a FULL JOIN %s b ON a.id = b.user_id %s
		WHERE a.user_id IS NULL OR b.user_id IS NULL OR a.audience <> b.audience OR differs(a.influence, b.influence, $1)
			OR differs(a.responses, b.responses, $1) OR differs(a.activity, b.activity, $1)
			OR differs(a.score, b.score, 1e-6) OR differs(a.percentile, b.percentile, 1e-6) %s $sql$,
		id, a, b, CASE WHEN facet IS NULL THEN '' ELSE format('AND a.%1$I = b.%1$I', facet) END,
		CASE WHEN facet = 'topic' THEN 'OR differs(a.relevance, b.relevance, 1e-6) OR differs(a.engagement, b.engagement, 1e-6)
			OR differs(a.enthusiasm, b.enthusiasm, 1e-6)' ELSE '' END)
	INTO n USING tolerance;
	RETURN n;
END
$$;
