-- A community that nobody lives in: crm_contacts and interactions, one year.
--
-- Every choice is a hash of (what it is for, which row, :seed), so the same seed
-- gives the same community on every machine, whatever the plan.
--
--   30,000 members   popularity and activity both heavy-tailed, and independent
--      12 planted    influencers: unknown so far; many different real members
--                    reply to them, share and mention them
--     300 bots       react massively to each other and to their master
--      40 pod        ordinary members who like each other's posts every day
--
-- user_id is 1,000,000 + 37 * member.

\if :{?seed}
\else
	\set seed 1
\endif

SET max_parallel_workers_per_gather = 0;

-- A number in [0, 1) for draw i of a purpose.
CREATE FUNCTION pg_temp.u(purpose int, i bigint) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN (hashint8extended(i, purpose * 7919 + current_setting('demo.seed')::bigint) & ((1::bigint << 52) - 1))::float8
	/ (1::bigint << 52);

-- One element of a list.
CREATE FUNCTION pg_temp.pick(list text[], x float8) RETURNS text LANGUAGE sql IMMUTABLE
RETURN list[1 + floor(x * cardinality(list))::int];

SELECT set_config('demo.seed', :'seed', false) \g /dev/null

CREATE TABLE crm_contacts (user_id bigint, name text NOT NULL, email text NOT NULL, city text NOT NULL, joined date NOT NULL);

INSERT INTO crm_contacts
SELECT 1000000 + 37 * i, first || ' ' || last, lower(first) || '.' || lower(last) || i || '@example.org', city,
	date '2018-01-01' + floor(2190 * pg_temp.u(4, i))::int
FROM generate_series(0, 29999) i,
	LATERAL (SELECT pg_temp.pick('{Ada,Amir,Ana,Ben,Carla,Chen,Dana,Elif,Emil,Farid,Grace,Hugo,Ines,Ivan,Jana,Jonas,Kofi,
		Lea,Lena,Luca,Maja,Marek,Mina,Nadia,Noah,Olga,Omar,Paul,Priya,Rosa,Sami,Sara,Sofia,Tariq,Theo,Uma,Vera,Yuki,Zoe}', pg_temp.u(1, i)) AS first,
		pg_temp.pick('{Adler,Alvarez,Bauer,Becker,Costa,Diallo,Dubois,Eriksen,Fischer,Garcia,Haddad,Hansen,Ito,Jensen,
		Kaya,Khan,Kowalski,Lehmann,Lopez,Martin,Mensah,Meyer,Moreau,Nguyen,Novak,Okafor,Patel,Petrov,Reyes,Rossi,
		Sato,Schmidt,Silva,Svensson,Tanaka,Vogel,Walker,Weber,Wong,Yilmaz}', pg_temp.u(2, i)) AS last,
		pg_temp.pick('{Amsterdam,Barcelona,Berlin,Copenhagen,Dublin,Hamburg,Lisbon,London,Lyon,Milan,Munich,Oslo,Paris,
		Porto,Prague,Rome,Stockholm,Turin,Vienna,Warsaw,Zurich}', pg_temp.u(3, i)) AS city) person;

ALTER TABLE crm_contacts ADD PRIMARY KEY (user_id);

-- Who plays a part, by member number; only the demonstration knows.
CREATE TABLE planted AS
SELECT 1000000 + 37 * member AS user_id, part
FROM (SELECT 12345 + 1009 * i, 'influencer' FROM generate_series(0, 11) i
	UNION ALL SELECT 29600, 'bot master'
	UNION ALL SELECT 29601 + i, 'bot' FROM generate_series(0, 299) i
	UNION ALL SELECT 7000 + 100 * i, 'pod' FROM generate_series(0, 39) i) p(member, part);

CREATE TABLE interactions (
	source bigint NOT NULL, target bigint NOT NULL, kind text NOT NULL, network text NOT NULL, topic text NOT NULL,
	at timestamptz NOT NULL);

INSERT INTO interactions
SELECT 1000000 + 37 * source, 1000000 + 37 * target,
	CASE WHEN talk < 0.25 THEN 'reply' WHEN talk < 0.40 THEN 'share' WHEN talk < 0.48 THEN 'mention'
		WHEN talk < 0.52 THEN 'follow' ELSE 'like' END,
	pg_temp.pick('{twitter,twitter,twitter,instagram,instagram,forum,youtube}',
		CASE WHEN pg_temp.u(12, i) < 0.8 THEN pg_temp.u(13, source) ELSE pg_temp.u(14, i) END),
	-- a member is known for one topic, but not only for that
	pg_temp.pick('{art,cooking,cycling,fashion,films,gaming,gardening,music,photography,science,travel,writing}',
		CASE WHEN pg_temp.u(15, i) < 0.7 THEN (target % 12) / 12.0 ELSE pg_temp.u(16, i) END),
	timestamptz '2024-01-01 00:00+00' + moment * interval '366 days'
FROM (
	-- Everyday life.  Activity falls with the square root of a member's place in one order;
	-- popularity as (place + 10)^-0.8 in another (Zipf-Mandelbrot, by its inverse).  Three of
	-- five reactions stay within the source's circle of interests.
	SELECT i, source, CASE WHEN pg_temp.u(23, i) < 0.6
			THEN 12 * floor(wish / 12)::int + source % 12 ELSE floor(wish)::int END AS target,
		pg_temp.u(10, i) * 1.2 AS talk, sqrt(pg_temp.u(11, i)) AS moment
	FROM generate_series(1, 300000) i,
		LATERAL (SELECT floor(29600 * pg_temp.u(21, i) ^ 2)::bigint * 7919 % 29600 AS source,
			least(29587, (1.585 + 6.249 * pg_temp.u(22, i)) ^ 5 - 10) AS wish) w
	UNION ALL
	-- Influencers: each with sources from all circles, who rather talk and share than like.
	SELECT i, floor(29600 * pg_temp.u(31, i) ^ 1.2)::bigint * 7919 % 29600, 12345 + 1009 * (i % 12),
		pg_temp.u(10, i) * 0.7, pg_temp.u(11, i)
	FROM generate_series(1000001, 1000000 + 12 * 2500) i
	UNION ALL
	-- Bots: each likes the master 15 times, and the others 85 times.
	SELECT i, 29601 + i % 300, CASE WHEN i / 300 % 100 < 15 THEN 29600 ELSE 29601 + floor(300 * pg_temp.u(41, i))::int END,
		1, pg_temp.u(11, i)
	FROM generate_series(2100000, 2100000 + 300 * 100 - 1) i
	UNION ALL
	-- Pod: every member likes three others a day.
	SELECT i, 7000 + 100 * (i % 40), 7000 + 100 * ((i % 40 + 1 + floor(39 * pg_temp.u(51, i))::int) % 40), 1,
		(i / 120 % 366 + pg_temp.u(11, i)) / 366
	FROM generate_series(3000000, 3000000 + 3 * 40 * 366 - 1) i) event
WHERE source <> target;

RESET max_parallel_workers_per_gather;
ANALYZE crm_contacts, interactions;
