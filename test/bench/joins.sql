-- The scores of a model over edges(src, dst), as plain SQL joins: the rule of the
-- extension (pair weight ln(1 + count), credible activity as restart, damping 0.5,
-- tolerance 1e-8), step by step in unlogged and analysed tables.
CREATE UNLOGGED TABLE sql_pair AS
SELECT src, dst, ln(1 + count(*)::float8) AS w FROM edges WHERE src <> dst GROUP BY src, dst;
ANALYZE sql_pair;

-- restart: activity times credibility
CREATE UNLOGGED TABLE sql_user AS
SELECT id, coalesce(activity, 0) AS activity, coalesce(responses, 0) AS responses, coalesce(audience, 0) AS audience,
	coalesce(activity, 0) * (0.02 + 0.98 * coalesce(r, 0) / (coalesce(r, 0) + ln(2::float8))) AS q
FROM (SELECT src AS id, sum(w) AS activity FROM sql_pair GROUP BY src) o
	FULL JOIN (SELECT dst AS id, count(*) AS audience, sum(w) AS responses, sum(least(w, ln(2::float8))) AS r
		FROM sql_pair GROUP BY dst) i USING (id);
UPDATE sql_user SET q = q / (SELECT sum(q) FROM sql_user);
ANALYZE sql_user;

CREATE UNLOGGED TABLE sql_share AS
SELECT p.src, p.dst, p.w / u.activity AS share FROM sql_pair p JOIN sql_user u ON u.id = p.src;
ANALYZE sql_share;

CREATE UNLOGGED TABLE sql_rank AS SELECT id, q AS rank FROM sql_user;
ANALYZE sql_rank;

CREATE PROCEDURE sql_iterate(INOUT iterations int) LANGUAGE plpgsql AS $$
DECLARE
	dangling float8;
	change float8 := 1;
BEGIN
	iterations := 0;
	WHILE change > 1e-8 AND iterations < 100 LOOP
		SELECT coalesce(sum(rank), 0) INTO dangling
		FROM sql_rank JOIN sql_user USING (id) WHERE activity = 0;
		CREATE UNLOGGED TABLE sql_next AS
		SELECT u.id, 0.5 * (coalesce(x.received, 0) + dangling * u.q) + 0.5 * u.q AS rank
		FROM sql_user u LEFT JOIN (
			SELECT s.dst AS id, sum(s.share * k.rank) AS received
			FROM sql_share s JOIN sql_rank k ON k.id = s.src GROUP BY s.dst) x USING (id);
		SELECT sum(abs(n.rank - k.rank)) INTO change FROM sql_next n JOIN sql_rank k USING (id);
		DROP TABLE sql_rank;
		ALTER TABLE sql_next RENAME TO sql_rank;
		ANALYZE sql_rank;
		iterations := iterations + 1;
	END LOOP;
END
$$;
CALL sql_iterate(NULL) \gset sql_

CREATE TABLE sql_scores AS
WITH i AS (
	SELECT u.id, u.audience, u.responses, u.activity, coalesce(x.received, 0) * (SELECT count(*) FROM sql_user) AS influence
	FROM sql_user u LEFT JOIN (
		SELECT s.dst AS id, sum(s.share * k.rank) AS received
		FROM sql_share s JOIN sql_rank k ON k.id = s.src GROUP BY s.dst) x USING (id)),
scale AS (SELECT avg(influence) / 10 AS c, max(influence) AS reference FROM i)
SELECT id AS user_id, (1 + 99 * ln(1 + influence / c) / ln(1 + reference / c))::real AS score,
	(100 * percent_rank() OVER (ORDER BY influence))::real AS percentile, influence, audience, responses, activity
FROM i, scale;
ALTER TABLE sql_scores ADD PRIMARY KEY (user_id);
CREATE INDEX ON sql_scores (score DESC);
