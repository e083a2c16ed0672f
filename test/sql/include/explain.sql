-- What influence_explain should find: needs reference.sql.

-- For each user of a model, or of each of its networks or topics: do the parts
-- that influence_explain finds add up?  Those of a user are positive, the
-- largest first, from as many supporters as there is audience.
CREATE FUNCTION check_explained(model text, facet text = NULL,
	OUT users bigint, OUT supported bigint, OUT parts numeric, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
	m influence_models;
BEGIN
	SELECT * INTO STRICT m FROM influence_models WHERE name = model;
	EXECUTE format($sql$
		SELECT count(*), count(*) FILTER (WHERE e.parts > 0), sum(e.parts), count(*) FILTER (WHERE NOT (
			abs(e.total - s.influence) <= 1e-9 * s.influence AND e.supporters = s.audience AND e.in_order
			AND (e.parts = 0 OR abs(e.shares - 1) < 1e-9)))
		FROM %1$s s, LATERAL (
			SELECT count(*) AS parts, count(DISTINCT supporter) AS supporters,
				coalesce(sum(influence), 0) AS total, coalesce(sum(share), 0) AS shares,
				coalesce(bool_and(influence > 0 AND share > 0 AND influence <= coalesce(before, influence)), true) AS in_order
			FROM (SELECT *, lag(influence) OVER (ORDER BY ordinality) AS before
				FROM influence_explain(s.user_id, %2$L %3$s) WITH ORDINALITY) o) e $sql$,
		CASE facet WHEN 'network' THEN m.networks WHEN 'topic' THEN m.topics ELSE m.scores END, model,
		CASE WHEN facet IS NOT NULL THEN format(', %1$I => s.%1$I', facet) ELSE '' END)
	INTO users, supported, parts, wrong;
END
$$;

-- For each user of a model: is what influence_explain finds what an
-- independent computation finds?  rows is a relation of those interactions that
-- count, facet says for which network or topic they do.
CREATE FUNCTION compare_explained(model text, as_of timestamptz, rows regclass = NULL, facet text = '',
	OUT parts bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
	m influence_models;
BEGIN
	SELECT * INTO STRICT m FROM influence_models WHERE name = model;
	-- the reference reads the rows of a model
	UPDATE influence_model SET interactions = coalesce(rows, m.interactions) WHERE name = model;
	PERFORM reference(model, as_of);
	UPDATE influence_model SET interactions = m.interactions WHERE name = model;
	EXECUTE format($sql$
		WITH part AS (
			SELECT source, target, kind, network, sum(weight) AS x FROM reference_row GROUP BY 1, 2, 3, 4),
		expected AS (
			SELECT target AS user_id, network, kind, source AS supporter,
				n * u.rank / u.activity * p.weight * x / sum(x) OVER (PARTITION BY source, target) AS influence
			FROM part JOIN reference_pair p USING (source, target) JOIN reference_user u ON u.user_id = source,
				(SELECT count(*) AS n FROM reference_user) n),
		found AS (
			SELECT s.user_id::text AS user_id, network, kind, supporter::text AS supporter, e.influence
			FROM %s s, LATERAL influence_explain(s.user_id, %L %s) e)
		SELECT count(*), count(*) FILTER (WHERE e.user_id IS NULL OR f.user_id IS NULL
			OR NOT abs(f.influence - e.influence) <= 1e-9 * e.influence)
		FROM expected e FULL JOIN found f ON (e.user_id, e.supporter) = (f.user_id, f.supporter)
			AND coalesce('=' || e.network, '') = coalesce('=' || f.network, '')
			AND coalesce('=' || e.kind, '') = coalesce('=' || f.kind, '') $sql$, m.scores, model, facet)
	INTO parts, wrong;
END
$$;
