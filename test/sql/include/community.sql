-- A made-up community of 5,000 users in 25 circles, by integer arithmetic
-- alone: every version and every other program makes the same one.

CREATE FUNCTION community_noise(i bigint, k bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
SELECT ((c * c + i) % 2147483647 + 0.5::float8) / 2147483647
FROM (SELECT (b * b + k) % 2147483647 AS c
	FROM (SELECT (i * 48271 + k * 1000003) % 2147483647 AS b OFFSET 0) x OFFSET 0) y
$$;

-- Makes a table of 40,000 reactions of 180 days, before the ones to oneself
-- are left out.
CREATE FUNCTION community(name text) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
	EXECUTE format($$
		CREATE TABLE %I AS
		SELECT source, target, timestamptz '2025-01-01 UTC' - make_interval(secs => age * 180 * 86400) AS at
		FROM (SELECT circle + 25 * floor(200 * community_noise(i, 1) * community_noise(i, 1))::bigint AS source,
				CASE WHEN community_noise(i, 3) < 0.75 THEN circle
					ELSE floor(25 * community_noise(i, 4) * sqrt(community_noise(i, 4)))::bigint END +
				25 * (floor(200 * community_noise(i, 5) * community_noise(i, 5) * community_noise(i, 5))::bigint * 7 %% 200) AS target,
				community_noise(i, 6) AS age
			FROM (SELECT i, floor(25 * community_noise(i, 2) * sqrt(community_noise(i, 2)))::bigint AS circle
				FROM generate_series(1, 40000) i) c) r
		WHERE source <> target $$, name);
END
$f$;
