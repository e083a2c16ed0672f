-- What a refresh should find, computed in another way: plain SQL for weights
-- and sums, Gaussian elimination for the ranks.

-- A number that looks random, from 0 to 1: the same on all versions.
CREATE FUNCTION noise(series text, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || left(md5(series || ':' || i), 8))::bit(32)::bigint / 4294967296.0::float8 $$;

-- The solution of a x = b, a by rows.
CREATE FUNCTION solve(n int, a float8[], b float8[]) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
	pivot int;
	swap float8;
	factor float8;
	x float8[] := b;
BEGIN
	FOR k IN 1..n LOOP
		pivot := k;
		FOR i IN k + 1..n LOOP
			IF abs(a[(i - 1) * n + k]) > abs(a[(pivot - 1) * n + k]) THEN pivot := i; END IF;
		END LOOP;
		IF pivot <> k THEN
			FOR j IN 1..n LOOP
				swap := a[(k - 1) * n + j];
				a[(k - 1) * n + j] := a[(pivot - 1) * n + j];
				a[(pivot - 1) * n + j] := swap;
			END LOOP;
			swap := x[k]; x[k] := x[pivot]; x[pivot] := swap;
		END IF;
		FOR i IN k + 1..n LOOP
			factor := a[(i - 1) * n + k] / a[(k - 1) * n + k];
			CONTINUE WHEN factor = 0;
			FOR j IN k..n LOOP
				a[(i - 1) * n + j] := a[(i - 1) * n + j] - factor * a[(k - 1) * n + j];
			END LOOP;
			x[i] := x[i] - factor * x[k];
		END LOOP;
	END LOOP;
	FOR k IN REVERSE n..1 LOOP
		FOR j IN k + 1..n LOOP
			x[k] := x[k] - a[(k - 1) * n + j] * x[j];
		END LOOP;
		x[k] := x[k] / a[(k - 1) * n + k];
	END LOOP;
	RETURN x;
END
$$;

-- Sets trusted in reference_user, what restart 'trusted' is proportional to.
CREATE FUNCTION reference_trust() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n CONSTANT float8 := (SELECT count(*) FROM reference_user);
	reactors CONSTANT float8 := (SELECT count(*) FROM reference_user WHERE activity > 0);
	stranger CONSTANT float8 := (SELECT 1 / (1 + sum(credit)) FROM reference_user WHERE activity > 0);
	average CONSTANT float8 := (SELECT sum(active) FROM reference_user) / reactors;
	p float8[];		-- by i: where a stage starts
	x float8[];		-- trust during a stage, and one sweep before
	before float8[];
	t float8[];
	dangling float8;
	total float8;
	phi float8;
BEGIN
	-- attention among reactors: shares of what each gives to reactors
	DROP TABLE IF EXISTS pg_temp.reference_share;
	CREATE TEMP TABLE reference_share AS
	SELECT u.i AS source, v.i AS target, weight / sum(weight) OVER (PARTITION BY u.i) AS share
	FROM reference_pair e JOIN reference_user u ON u.user_id = e.source JOIN reference_user v ON v.user_id = e.target
	WHERE v.activity > 0;
	p := (SELECT array_agg((activity > 0)::int / reactors ORDER BY i) FROM reference_user);
	FOR stage IN 1..8 LOOP
		x := p;
		FOR sweep IN 1..3 LOOP
			before := x;
			dangling := (SELECT coalesce(sum(x[i]), 0) FROM reference_user u WHERE NOT EXISTS (SELECT FROM reference_share WHERE source = u.i));
			x := (SELECT array_agg(0.95 * (coalesce(got, 0) + dangling * p[i]) + 0.05 * p[i] ORDER BY i)
				FROM reference_user LEFT JOIN (SELECT target AS i, sum(before[source] * share) AS got FROM reference_share GROUP BY 1) s USING (i));
		END LOOP;
		t := (SELECT array_agg(n * coalesce(got, 0) ORDER BY i)
			FROM reference_user LEFT JOIN (SELECT target AS i, sum((before[source] + x[source]) / 2 * share) AS got FROM reference_share GROUP BY 1) s USING (i));
		total := (SELECT sum(least(t[i], 10) ^ 1.5) FROM reference_user WHERE activity > 0);
		IF total > 0 THEN
			p := (SELECT array_agg(CASE WHEN activity > 0 THEN least(t[i], 10) ^ 1.5 / total ELSE 0 END ORDER BY i) FROM reference_user);
		END IF;
	END LOOP;
	SELECT CASE WHEN v > 0 THEN least(1, ((1 - v) / v) ^ 4) ELSE 1 END INTO phi
	FROM (SELECT greatest(coalesce(sum(active * credit * trust) / nullif(sum(active * credit), 0), 0),
				coalesce(sum(least(active, average) * credit * trust) / nullif(sum(least(active, average) * credit), 0), 0)) AS v
		FROM (SELECT *, t[i] / (t[i] + 0.1) AS trust FROM reference_user) u) c;
	UPDATE reference_user SET trusted = active * (stranger + (1 - stranger) *
		least(credit, phi + (1 - phi) * (t[i] / (t[i] + 0.1))));
END
$$;

-- Leaves reference_row, what counts, and reference_user, the results.
CREATE FUNCTION reference(model text, as_of timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	m influence_models;
	n int;
	x float8[];
BEGIN
	SELECT * INTO STRICT m FROM influence_models WHERE name = model;
	DROP TABLE IF EXISTS pg_temp.reference_row, pg_temp.reference_pair, pg_temp.reference_user;
	EXECUTE format($sql$
		CREATE TEMP TABLE reference_row AS
		SELECT * FROM (
			SELECT %I::text AS source, %I::text AS target,
				%s * coalesce((%L::jsonb ->> %s)::float8, 1) * coalesce((%L::jsonb ->> %s)::float8, 1) *
				CASE WHEN %L::interval IS NULL OR %9$s IS NULL THEN 1 ELSE power(2::float8, greatest(-1000,
					extract(epoch FROM coalesce(%9$s, $1) - $1) / extract(epoch FROM coalesce(%8$L, '1 day')::interval))::float8) END AS weight,
				%9$s AS at, %12$s AS kind, %13$s AS network
			FROM %10$s) r
		WHERE source IS NOT NULL AND target IS NOT NULL AND weight > 0 AND source <> target AND %11$s $sql$,
		m.source, m.target, coalesce(quote_ident(m.weight), '1::float8'),
		m.kind_weights, coalesce(quote_ident(m.kind) || '::text', 'NULL'),
		m.network_weights, coalesce(quote_ident(m.network) || '::text', 'NULL'),
		m.half_life, coalesce(quote_ident(m.at) || '::timestamptz', 'NULL::timestamptz'), m.interactions,
		CASE WHEN m.at IS NULL THEN 'true' ELSE 'at <= $1' END,
		coalesce(quote_ident(m.kind) || '::text', 'NULL::text'), coalesce(quote_ident(m.network) || '::text', 'NULL::text'))
	USING as_of;

	CREATE TEMP TABLE reference_pair AS
	SELECT source, target, CASE WHEN m.pair_weight = 'linear' THEN w WHEN w < 1e-5 THEN w - w ^ 2 / 2 ELSE ln(1 + w) END AS weight
	FROM (SELECT source, target, sum(weight) AS w FROM reference_row GROUP BY source, target) p;

	CREATE TEMP TABLE reference_user AS
	SELECT row_number() OVER (ORDER BY user_id)::int AS i, user_id,
		coalesce(audience, 0) AS audience, coalesce(responses, 0) AS responses, coalesce(activity, 0) AS activity,
		coalesce(activity, 0) * (0.02 + 0.98 * coalesce(r / (r + ln(2::float8)), 0)) AS credible,
		coalesce(active, 0) AS active, coalesce(r / (r + ln(2::float8)), 0) AS credit, NULL::float8 AS trusted,
		NULL::float8 AS q, NULL::float8 AS rank, NULL::float8 AS influence, NULL::float8 AS score, NULL::float8 AS percentile
	FROM (SELECT source AS user_id FROM reference_pair UNION SELECT target FROM reference_pair) u
		LEFT JOIN (SELECT source AS user_id, sum(weight) AS activity,
			sum(least(weight, ln(4::float8))) AS active FROM reference_pair GROUP BY source) o USING (user_id)
		LEFT JOIN (SELECT target AS user_id, count(*) AS audience, sum(weight) AS responses,
			sum(least(weight, ln(2::float8))) AS r FROM reference_pair GROUP BY target) i USING (user_id);
	SELECT count(*) INTO n FROM reference_user;
	IF m.restart = 'trusted' THEN
		PERFORM reference_trust();
	END IF;
	UPDATE reference_user SET q = CASE m.restart WHEN 'uniform' THEN 1.0 / n
		WHEN 'activity' THEN activity / (SELECT sum(activity) FROM reference_user)
		WHEN 'trusted' THEN trusted / (SELECT sum(trusted) FROM reference_user)
		ELSE credible / (SELECT sum(credible) FROM reference_user) END;

	-- (I - d (P' + q dangling')) x = (1 - d) q
	SELECT solve(n, array_agg((v.i = u.i)::int - m.damping *
			(CASE WHEN u.activity > 0 THEN coalesce(p.weight / u.activity, 0) ELSE v.q END) ORDER BY v.i, u.i),
		(SELECT array_agg((1 - m.damping) * q ORDER BY i) FROM reference_user))
	INTO x
	FROM reference_user u CROSS JOIN reference_user v
		LEFT JOIN reference_pair p ON p.source = u.user_id AND p.target = v.user_id;

	UPDATE reference_user SET rank = x[i];
	UPDATE reference_user v SET influence = n * coalesce((SELECT sum(u.rank * p.weight / u.activity)
		FROM reference_pair p JOIN reference_user u ON u.user_id = p.source WHERE p.target = v.user_id), 0);
	UPDATE reference_user v SET
		score = least(100, 1 + 99 * ln(1 + influence / m.c) / ln(1 + m.reference / m.c)),
		percentile = 100.0 * (SELECT count(*) FROM reference_user u WHERE u.influence < v.influence * (1 - 1e-9)) / n;
END
$$;

CREATE FUNCTION differs(a float8, b float8, tolerance float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT a IS NULL OR b IS NULL OR abs(a - b) > tolerance * greatest(1, abs(b)) $$;

-- How many users there should be, there are, and have another row than they should.
CREATE FUNCTION compare(model text, as_of timestamptz = now(),
	OUT expected bigint, OUT published bigint, OUT wrong bigint)
LANGUAGE plpgsql AS $$
DECLARE
	scores regclass := (SELECT m.scores FROM influence_models m WHERE name = model);
BEGIN
	PERFORM reference(model, as_of);
	EXECUTE format($sql$
		SELECT count(r.user_id), count(s.user_id), count(*) FILTER (WHERE
			s.user_id IS NULL OR r.user_id IS NULL OR s.audience <> r.audience
			OR differs(s.influence, r.influence, 1e-9) OR differs(s.responses, r.responses, 1e-9)
			OR differs(s.activity, r.activity, 1e-9)
			OR differs(s.score, r.score, 1e-6) OR differs(s.percentile, r.percentile, 1e-6))
		FROM reference_user r FULL JOIN (SELECT *, user_id::text AS reference_id FROM %s) s ON s.reference_id = r.user_id $sql$, scores)
	INTO expected, published, wrong;
END
$$;
