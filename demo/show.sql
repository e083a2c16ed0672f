-- From a table of interactions to scores, and what to see in them.
-- Variables: as_of (the moment to score at), columns (further arguments of
-- influence_create_model).  Parts about contacts and planted roles appear only
-- where those tables exist.
\set QUIET on
\pset footer off
\pset linestyle unicode
\pset border 1
\pset null '-'
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT to_regclass('planted') IS NOT NULL AS made_up \gset

\echo
\echo '=== 1. The interactions'
\echo
SELECT count(*) AS interactions, count(DISTINCT source) AS "people who react", count(DISTINCT target) AS "people reacted to"
FROM interactions;

\echo '=== 2. A model and its first refresh'
\echo
\echo 'CREATE EXTENSION influence;'
\echo 'SELECT influence_create_model(''community'', ''interactions''':columns');'
\echo 'SELECT * FROM influence_refresh(''community'', as_of => ''':as_of''');'
\echo
CREATE EXTENSION influence;
SELECT influence_create_model('community', 'interactions' :columns) \g /dev/null
SELECT * FROM influence_refresh('community', as_of => :'as_of') \gx

\echo '=== 3. How long each stage took'
\echo
WITH stage AS (
	SELECT n, replace(key, '_ms', '') AS stage, value::text::numeric AS ms
	FROM (SELECT * FROM influence_runs ORDER BY run DESC LIMIT 1) r, json_each(row_to_json(r)) WITH ORDINALITY e(key, value, n)
	WHERE key LIKE '%\_ms')
SELECT stage, round(ms, 1) AS ms, repeat('█', round(50 * ms / nullif(max(ms) OVER (), 0))::int) AS " "
FROM stage ORDER BY n;

\echo '=== 4. Top ten'
\echo
\if :made_up
SELECT s.user_id, c.name, c.city, round(s.score::numeric, 2) AS score, s.audience, p.part AS planted
FROM community_scores s JOIN crm_contacts c USING (user_id) LEFT JOIN planted p USING (user_id)
ORDER BY s.score DESC, s.user_id LIMIT 10;
\else
SELECT user_id, round(score::numeric, 2) AS score, round(percentile::numeric, 2) AS percentile, audience,
	round(responses::numeric, 1) AS responses
FROM community_scores ORDER BY score DESC, user_id LIMIT 10;
\endif

\if :made_up
\echo '=== 5. In the CRM: whom to invite in Berlin'
\echo
\echo 'SELECT name, email, influence_score(user_id) AS score FROM crm_contacts'
\echo 'WHERE city = ''Berlin'' ORDER BY score DESC NULLS LAST LIMIT 5;'
\echo
SELECT name, email, influence_score(user_id) AS score
FROM crm_contacts WHERE city = 'Berlin' ORDER BY score DESC NULLS LAST LIMIT 5;

\echo '=== 6. Whom does it find?  Places by score, and by a plain count of reactions'
\echo
CREATE TEMP TABLE place AS
SELECT user_id, part, s.score, rank() OVER (ORDER BY s.score DESC NULLS LAST) AS by_score,
	rank() OVER (ORDER BY coalesce(n, 0) DESC) AS by_count
FROM community_scores s LEFT JOIN planted USING (user_id)
	LEFT JOIN (SELECT target AS user_id, count(*) AS n FROM interactions GROUP BY target) r USING (user_id);

SELECT part, count(*) AS accounts, min(by_score) AS "best by score", min(by_count) AS "best by count",
	percentile_disc(0.5) WITHIN GROUP (ORDER BY by_score) AS "median by score",
	percentile_disc(0.5) WITHIN GROUP (ORDER BY by_count) AS "median by count",
	round(avg(score)::numeric, 1) AS "mean score"
FROM place WHERE part IS NOT NULL GROUP BY part ORDER BY 3;

SELECT top AS "of the top", count(*) FILTER (WHERE by_score <= top AND part = 'influencer') AS "influencers by score",
	count(*) FILTER (WHERE by_count <= top AND part = 'influencer') AS "by count",
	count(*) FILTER (WHERE by_score <= top AND part ~ 'bot|pod') AS "bots and pod by score",
	count(*) FILTER (WHERE by_count <= top AND part ~ 'bot|pod') AS "by count "
FROM place, (VALUES (10), (12), (25), (50), (100)) t(top) GROUP BY top ORDER BY top;
\echo '=== 7. Why?  Who makes the influence of the first of those planted'
\echo
SELECT user_id AS planted_user FROM place WHERE part = 'influencer' ORDER BY by_score LIMIT 1 \gset
\echo 'SELECT kind, network, sum(share) FROM influence_explain(':planted_user'::bigint, ''community'') GROUP BY 1, 2;'
\echo
SELECT kind, network, count(*) AS supporters, round(sum(e.influence)::numeric, 2) AS influence,
	round(100 * sum(e.share)::numeric, 1) AS "per cent", repeat('█', round(100 * sum(e.share))::int) AS " "
FROM influence_explain(:planted_user::bigint, 'community') e GROUP BY 1, 2 ORDER BY 4 DESC LIMIT 8;
SELECT round(sum(e.influence)::numeric, 9) AS "sum of all parts",
	(SELECT round(influence::numeric, 9) FROM community_scores WHERE user_id = :planted_user) AS "published influence"
FROM influence_explain(:planted_user::bigint, 'community') e;

\echo '=== 8. A film preview: relevant, engaged, enthusiastic people in three cities'
\echo
SELECT c.name, c.city, round(t.score::numeric, 1) AS score, round(t.relevance::numeric, 2) AS relevance,
	round(t.engagement::numeric, 2) AS engagement, round(t.enthusiasm::numeric, 1) AS enthusiasm
FROM community_topics t JOIN crm_contacts c USING (user_id)
WHERE t.topic = 'films' AND c.city IN ('Berlin', 'Paris', 'London') AND t.relevance > 0.3 AND t.enthusiasm > 50
ORDER BY t.score DESC, t.user_id LIMIT 8;

\echo '=== 9. Five seats, two friends of the house invited already: what each further seat adds'
\echo
\echo 'SELECT * FROM influence_campaign(''community'', 5, ''films'', candidates => ..., exclude => ...);'
\echo
SELECT i.position, c.name, round(i.score::numeric, 1) AS score, round(i.gain::numeric, 1) AS "adds people",
	round(i.spread::numeric, 1) AS "reached in all", round(i.spread_lower::numeric, 1) AS "at least",
	round(i.optimum_upper::numeric, 1) AS "best possible, at most"
FROM influence_campaign('community', 5, 'films', seed => 1,
		candidates => (SELECT array_agg(user_id) FROM crm_contacts WHERE city IN ('Berlin', 'Paris', 'London')),
		exclude => (SELECT array_agg(user_id) FROM (SELECT user_id FROM community_topics WHERE topic = 'films'
			ORDER BY score DESC, user_id LIMIT 2) f)) i
	JOIN crm_contacts c USING (user_id) ORDER BY i.position;

\echo '=== 10. How scores are spread'
\else
\echo '=== 5. How scores are spread'
\endif
\echo
SELECT format('%s to %s', 5 * b, 5 * b + 5) AS score, count(s.user_id) AS users,
	repeat('█', (50.0 * count(s.user_id) / greatest(max(count(s.user_id)) OVER (), 1))::int)
		|| CASE WHEN count(s.user_id) * 100.0 < max(count(s.user_id)) OVER () AND count(s.user_id) > 0 THEN '▏' ELSE '' END AS " "
FROM generate_series(0, 19) b LEFT JOIN community_scores s ON least(floor(s.score / 5), 19) = b
GROUP BY b ORDER BY b DESC;
