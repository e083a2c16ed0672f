# Networks, topics, hierarchies of topics and explanations of real interactions:
# facets compared with models of their own, explanations with what they explain,
# wider topics with a recursive query.  The data are read from $INFLUENCE_DATA.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{INFLUENCE_DATA};
plan skip_all => 'skipped: INFLUENCE_DATA names no directory of data'
  unless $data && -e "$data/stackexchange/interactions.csv" && -e "$data/enron/enron_edges.csv"
  && -e "$data/klout_topics/klout_topic_edge_20180601.csv";

my $node = start_cluster('facets', conf => "extra_float_digits = 3\n");
my $include = "$FindBin::RealBin/../sql/include";
$node->safe_psql('postgres', slurp_file("$include/$_.sql")) for ('reference', 'facets', 'explain');

# Three communities: users are accounts that have members in all of them, and a
# row for each tag of an interaction becomes a row with all tags.
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE tagged (network text, actor_id bigint, target_id bigint, kind text, topic text, object_post_id bigint, created_at timestamp);
COPY tagged FROM '$data/stackexchange/interactions.csv' (FORMAT csv, HEADER);
CREATE TABLE members (network text, user_id bigint, account_id bigint, reputation int, created_at timestamp, views int, up int, down int);
COPY members FROM '$data/stackexchange/users.csv' (FORMAT csv, HEADER);
CREATE TABLE events AS
    SELECT a.account_id AS source, t.account_id AS target, i.kind, i.network, array_agg(i.topic ORDER BY i.topic) AS topics, i.created_at AS at
    FROM tagged i
    JOIN members a ON (a.network, a.user_id) = (i.network, i.actor_id)
    JOIN members t ON (t.network, t.user_id) = (i.network, i.target_id)
    GROUP BY a.account_id, t.account_id, i.kind, i.network, i.object_post_id, i.created_at;
SQL
is($node->safe_psql('postgres', 'SELECT count(DISTINCT network), count(DISTINCT topic), (SELECT count(*) FROM events) FROM tagged'), '3|186|6449', 'networks and topics');

my @models = (
	[ 'plain', '' ],
	[ 'weighed', q(, at => 'at', half_life => '120 days', pair_weight => 'linear', restart => 'activity', damping => 0.85,
		kind_weights => '{"answer": 3, "accept": 2.5, "favorite": 0.5, "bounty": 0}', network_weights => '{"conlang": 0.25}') ]);
for (@models)
{
	my ($model, $arguments) = @$_;
	$node->safe_psql('postgres', <<"SQL");
SELECT influence_create_model('$model', 'events', kind => 'kind', network => 'network', topic => 'topics', tolerance => 1e-14, max_iterations => 1000 $arguments);
SELECT influence_refresh('$model', as_of => '2018-11-15 UTC');
SQL
	is($node->safe_psql('postgres', "SELECT facets, published > 600, wrong, wrong_scales FROM compare_facets('$model', '2018-11-15 UTC')"),
		'3|t|0|0', "$model: networks are those of models of their own");
	is($node->safe_psql('postgres', "SELECT facets > 150, published > 4000, wrong, wrong_scales FROM compare_facets('$model', '2018-11-15 UTC', 'topics')"),
		't|t|0|0', "$model: topics too");
	is($node->safe_psql('postgres', "SELECT wrong_topic_columns('${model}_topics')"), '0', "$model: relevance, engagement and enthusiasm");
	is($node->safe_psql('postgres', "SELECT users > 600, supported > 300, wrong FROM check_explained('$model')"), 't|t|0', "$model: explanations of all users add up");
	is($node->safe_psql('postgres', "SELECT users > 600, supported > 300, wrong FROM check_explained('$model', 'network')"), 't|t|0', "$model: by network");
	is( $node->safe_psql('postgres', <<"SQL"), 't|0', "$model: by topic");
SELECT count(*) > 100, count(*) FILTER (WHERE NOT abs(e.total - s.influence) <= 1e-9 * s.influence OR e.supporters <> s.audience)
FROM (SELECT *, row_number() OVER (PARTITION BY topic ORDER BY influence DESC, user_id) AS place FROM ${model}_topics) s,
     LATERAL (SELECT coalesce(sum(influence), 0) AS total, count(DISTINCT supporter) AS supporters
              FROM influence_explain(s.user_id, '$model', topic => s.topic)) e
WHERE place IN (1, 7)
SQL
}

# What each supporter gives, by another way: their share of attention times what
# their own rank is known to be worth from somebody else's explanation.
is( $node->safe_psql('postgres', <<'SQL'), 't|0', 'a supporter gives the same for each unit of pair weight');
WITH given AS (
    SELECT s.user_id, e.supporter, sum(e.influence) AS influence FROM plain_scores s, LATERAL influence_explain(s.user_id, 'plain') e GROUP BY 1, 2),
voice AS (
    SELECT g.supporter, g.influence / ln(1 + p.n::float8) AS voice
    FROM given g JOIN (SELECT source, target, count(*) AS n FROM events WHERE source <> target GROUP BY 1, 2) p ON (p.source, p.target) = (g.supporter, g.user_id))
SELECT count(*) > 300, count(*) FILTER (WHERE most - least > 1e-9 * most)
FROM (SELECT max(voice) AS most, min(voice) AS least, count(*) AS n FROM voice GROUP BY supporter) v WHERE n > 1
SQL

# A run later: what changed is the difference.
is( $node->safe_psql('postgres', <<'SQL'), 't|t|0', 'changes of all users');
SELECT run FROM influence_refresh('plain', as_of => '2018-11-16 UTC') \gset
DELETE FROM events WHERE at > '2018-10-01';
SELECT run FROM influence_refresh('plain', as_of => '2018-11-17 UTC') \gset
SELECT count(*) > 600, count(*) FILTER (WHERE before <> after) > 300,
       count(*) FILTER (WHERE NOT abs(after - influence) <= 1e-9 * influence OR NOT abs(change - (after - before)) <= 1e-9 * (1 + abs(before)))
FROM (SELECT s.user_id, max(s.influence) AS influence, sum(c.change) AS change,
             (SELECT coalesce(sum(e.influence), 0) FROM influence_explain(s.user_id, 'plain', run => 2) e) AS before,
             (SELECT coalesce(sum(e.influence), 0) FROM influence_explain(s.user_id, 'plain', run => 3) e) AS after
      FROM plain_scores s, LATERAL (SELECT coalesce(sum(change), 0) AS change FROM influence_changes(s.user_id, 'plain')) c GROUP BY 1) u
SQL

# E-mails: dirty times, numbers for topics.
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE mails (sender bigint, recipient bigint, "time" timestamp, kind text, topic3 int, ldc_topic int);
COPY mails FROM '$data/enron/enron_edges.csv' (FORMAT csv, HEADER);
SELECT influence_create_model('mails', 'mails', source => 'sender', target => 'recipient', at => 'time', kind => 'kind', network => 'topic3',
    topic => 'ldc_topic', tolerance => 1e-14, max_iterations => 1000);
SELECT influence_refresh('mails', as_of => '2001-10-01 UTC');
SQL
is($node->safe_psql('postgres', "SELECT facets > 2, published > 300, wrong, wrong_scales FROM compare_facets('mails', '2001-10-01 UTC', independent => 1)"),
	't|t|0|0', 'mails: networks');
is($node->safe_psql('postgres', "SELECT facets > 20, published > 1000, wrong, wrong_scales FROM compare_facets('mails', '2001-10-01 UTC', 'ARRAY[ldc_topic::text]')"),
	't|t|0|0', 'mails: topics');
is($node->safe_psql('postgres', "SELECT wrong_topic_columns('mails_topics')"), '0', 'mails: relevance, engagement and enthusiasm');
for my $facet ('NULL', "'network'", "'topic'")
{
	is($node->safe_psql('postgres', "SELECT supported > 100, wrong FROM check_explained('mails', $facet)"), 't|0', "mails: explanations add up ($facet)");
}
is($node->safe_psql('postgres', "SELECT parts > 1000, wrong FROM compare_explained('mails', '2001-10-01 UTC')"), 't|0', 'mails: and are those of another computation');

# An ontology of eight thousand topics, with made-up interactions about them.
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE ontology (parent_id numeric, parent text, topic_id numeric, topic text);
COPY ontology FROM '$data/klout_topics/klout_topic_edge_20180601.csv' (FORMAT csv, HEADER);
CREATE TABLE topic AS SELECT row_number() OVER (ORDER BY topic COLLATE "C") AS n, topic FROM (SELECT DISTINCT topic FROM ontology) t;
CREATE TABLE talk AS
    SELECT (300 * noise('source', i) ^ 2)::bigint AS source, (300 * noise('target', i) ^ 1.5)::bigint AS target,
           ARRAY[a.topic, CASE WHEN i % 3 = 0 THEN b.topic END, CASE WHEN i % 50 = 0 THEN 'not in the ontology' END] AS topics
    FROM generate_series(1, 20000) i
    JOIN topic a ON a.n = 1 + floor((SELECT count(*) FROM topic) * noise('topic', i) ^ 3)
    JOIN topic b ON b.n = 1 + floor((SELECT count(*) FROM topic) * noise('other', i));
SELECT influence_create_model('talk', 'talk', topic => 'topics', topic_parents => 'ontology');
SQL
is($node->safe_psql('postgres', "SELECT interactions, converged FROM influence_refresh('talk')"), '20000|t', 'an ontology');
is( $node->safe_psql('postgres', <<'SQL'), 't|t|0', 'every interaction counts for all topics above its own');
CREATE TABLE above AS
    WITH RECURSIVE a(topic, above) AS (
        SELECT DISTINCT topic, topic FROM (SELECT unnest(topics) AS topic FROM talk) t WHERE topic IS NOT NULL
        UNION SELECT a.topic, o.parent FROM a JOIN ontology o ON o.topic = a.above)
    SELECT * FROM a;
CREATE TABLE expected AS
    SELECT topic, target AS user_id, count(*) AS audience, sum(ln(1 + n)) AS responses
    FROM (SELECT topic, source, target, count(*)::float8 AS n
          FROM (SELECT DISTINCT row, source, target, above AS topic
                FROM (SELECT ctid AS row, source, target, unnest(topics) AS topic FROM talk WHERE source <> target) t JOIN above USING (topic)) i
          GROUP BY 1, 2, 3) p
    GROUP BY 1, 2;
SELECT count(DISTINCT topic) > 3000, count(*) > 50000,
       count(*) FILTER (WHERE e.audience IS DISTINCT FROM t.audience OR abs(e.responses - t.responses) > 1e-9 * e.responses)
FROM expected e FULL JOIN (SELECT * FROM talk_topics WHERE audience > 0) t USING (topic, user_id)
SQL
is($node->safe_psql('postgres', "SELECT topic, count(*) FROM talk_topics JOIN talk_scores USING (user_id) WHERE topic = '_ROOT_' GROUP BY 1"),
	'_ROOT_|' . $node->safe_psql('postgres', "SELECT count(*) FROM talk_topics WHERE topic = '_ROOT_'"), 'the widest topic has its users');
is( $node->safe_psql('postgres', <<'SQL'), '50|0', 'explanations of wide topics add up');
SELECT count(*), count(*) FILTER (WHERE NOT abs(e.total - s.influence) <= 1e-9 * s.influence)
FROM (SELECT * FROM talk_topics ORDER BY audience DESC, topic COLLATE "C", user_id LIMIT 50) s,
     LATERAL (SELECT sum(influence) AS total FROM influence_explain(s.user_id, 'talk', topic => s.topic)) e
SQL
is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE abs(relevances - 1) > 1e-4) FROM (SELECT sum(relevance) AS relevances FROM talk_topics GROUP BY user_id HAVING sum(influence) > 0) r"),
	'0', 'relevances of a user sum to 1');

finish_cluster($node);
done_testing();
