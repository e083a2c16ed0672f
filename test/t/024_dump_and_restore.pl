# pg_dump and psql carry models, scores, history, scale and runs to a new
# database, for a superuser and for a plain owner of a database.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('dump');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE owner LOGIN;
CREATE ROLE reader LOGIN;
CREATE DATABASE source_super;
CREATE DATABASE source_owner OWNER owner;
CREATE DATABASE target_super;
CREATE DATABASE target_owner OWNER owner;
CREATE DATABASE target_schema OWNER owner;
CREATE DATABASE target_custom OWNER owner;
SQL

sub run_sql
{
	my ($db, $user, $sql) = @_;
	return $node->safe_psql($db, $sql, extra_params => [ '-U', $user ]);
}

my $setup = <<'SQL';
CREATE EXTENSION influence;
CREATE SCHEMA "Odd ""schema""";
CREATE TABLE "Odd ""schema"""."in'teractions" ("the source" text, "Target" text, "w%" real, at timestamptz, "kind" text, network text, topic text[]);
INSERT INTO "Odd ""schema"""."in'teractions"
SELECT 'user ' || (n * n) % 211, 'user ' || (n * 7) % 97, 1 + n % 3, '2024-01-01 UTC'::timestamptz + make_interval(mins => n),
       CASE n % 2 WHEN 0 THEN 'like' ELSE 'it''s "odd" \ %s' END, 'net' || n % 3, ARRAY['top"ic" \ ' || n % 4, 'odd', NULL]
FROM generate_series(1, 4000) n;
SET search_path = "Odd ""schema""", public;
CREATE TABLE "wider 'topics'" AS SELECT 'odd' AS topic, 'strange \' AS parent;
SELECT influence_create_model('My "model''s" \ name', '"in''teractions"', source => 'the source', target => 'Target',
    weight => 'w%', at => 'at', kind => 'kind', network => 'network', topic => 'topic',
    topic_parents => '"wider ''topics''"', keep_graphs => 3, kind_weights => '{"it''s \"odd\" \\ %s": 2.5}',
    network_weights => '{"net1": 0.5}', half_life => '1 day 12:00', pair_weight => 'linear', restart => 'activity',
    damping => 0.61, tolerance => 1e-9, max_iterations => 77, keep_history => '1 year 2 days');
SET search_path = public;
CREATE TABLE plain AS SELECT n % 50 AS source, (n * n) % 83 AS target FROM generate_series(1, 500) n;
SELECT influence_create_model('plain', 'plain');
SELECT influence_create_model('never run', 'plain');
SELECT influence_set_default('plain');
SELECT influence_refresh('My "model''s" \ name', as_of => '2024-01-03 UTC');
DELETE FROM "Odd ""schema"""."in'teractions" WHERE "the source" = 'user 1';
SELECT influence_refresh('My "model''s" \ name', as_of => '2024-01-03 12:00 UTC');
SELECT influence_refresh('plain');
CREATE TABLE negative AS SELECT 1 AS source, 2 AS target, -1 AS weight;
SELECT influence_create_model('failing', 'negative', weight => 'weight');
DO $$ BEGIN PERFORM influence_refresh('failing'); EXCEPTION WHEN numeric_value_out_of_range THEN END $$;
SELECT influence_forget('user 5', 'My "model''s" \ name');
SELECT influence_forget(7, 'plain');
INSERT INTO plain SELECT n, 3 FROM generate_series(1000, 1100) n;
GRANT SELECT ON plain_scores, plain_graph TO reader;
SQL

# Everything there is to carry over; text does not depend on object ids.
my @everything = (
	'SELECT * FROM influence_models ORDER BY name',
	'SELECT * FROM influence_runs ORDER BY model, run',
	'SELECT * FROM influence_failure',
	'SELECT * FROM "Odd ""schema"""."My ""model\'s"" \\ name_scores" ORDER BY user_id COLLATE "C"',
	'SELECT * FROM "Odd ""schema"""."My ""model\'s"" \\ name_history" ORDER BY run, user_id COLLATE "C"',
	'SELECT * FROM "Odd ""schema"""."My ""model\'s"" \\ name_networks" ORDER BY network COLLATE "C", user_id COLLATE "C"',
	'SELECT * FROM "Odd ""schema"""."My ""model\'s"" \\ name_topics" ORDER BY topic COLLATE "C", user_id COLLATE "C"',
	'SELECT run, section, facet, partition, "first", md5(data) FROM "Odd ""schema"""."My ""model\'s"" \\ name_graph"'
	  . ' ORDER BY run, section COLLATE "C", facet COLLATE "C", partition, "first"',
	'SELECT * FROM influence_scale ORDER BY model, facet, name COLLATE "C"',
	'SELECT e.* FROM generate_series(0, 96) n, influence_explain(\'user \' || n, \'My "model\'\'s" \\ name\') e',
	'SELECT e.* FROM generate_series(0, 96) n, influence_explain(\'user \' || n, \'My "model\'\'s" \\ name\', topic => \'strange \\\', run => 1) e',
	'SELECT e.* FROM generate_series(0, 96) n, influence_changes(\'user \' || n, \'My "model\'\'s" \\ name\', network => \'net1\') e',
	'SELECT h.* FROM generate_series(0, 96) n, influence_history(\'user \' || n, \'My "model\'\'s" \\ name\') h',
	'SELECT * FROM plain_scores ORDER BY user_id',
	'SELECT * FROM plain_history ORDER BY user_id, run',
	'SELECT * FROM "Odd ""schema"""."My ""model\'s"" \\ name_leavers"',
	'SELECT * FROM plain_leavers',
	'SELECT influence_score(user_id), influence_score(user_id, \'plain\') FROM plain_scores ORDER BY user_id',
	'SELECT influence_score(\'user \' || n, \'My "model\'\'s" \\ name\') FROM generate_series(0, 300) n');

sub everything
{
	my ($db, $user) = @_;
	return map { run_sql($db, $user, $_) } @everything;
}

# The next refresh of a copy: it goes on where the original was.
sub next_refresh
{
	my ($db, $user) = @_;
	return run_sql($db, $user, <<'SQL');
SELECT run, skipped, skipped_forgotten > 0 FROM influence_refresh('My "model''s" \ name', as_of => '2024-01-04 UTC');
SELECT run, skipped_forgotten > 0 FROM influence_refresh('plain', as_of => '2024-01-04 UTC');
SELECT reference, c, runs, is_default FROM influence_models ORDER BY name;
SELECT md5(string_agg(t::text, '|' ORDER BY user_id)) FROM plain_scores t;
SELECT md5(string_agg(t::text, '|' ORDER BY user_id COLLATE "C")) FROM "Odd ""schema"""."My ""model's"" \ name_scores" t;
SELECT run FROM influence_refresh('never run');
SELECT influence_score(3);
SELECT count(*), sum(influence) FROM generate_series(0, 96) n, influence_explain('user ' || n, 'My "model''s" \ name', topic => 'strange \');
SELECT * FROM influence_scale WHERE name = 'strange \';
SQL
}

my $dir = PostgreSQL::Test::Utils::tempdir();
for my $case ([ 'source_super', 'target_super', $node->safe_psql('postgres', 'SELECT current_user') ],
	[ 'source_owner', 'target_owner', 'owner' ])
{
	my ($from, $to, $user) = @$case;
	my $file = "$dir/$from.sql";

	run_sql($from, $user, $setup);
	ok(wait_for($node, "SELECT count(error) = 1 FROM influence_runs WHERE status = 'failed'", $from), "$user: a run that failed");
	my @before = everything($from, $user);
	command_ok([ 'pg_dump', '-U', $user, '-f', $file, '-d', $node->connstr($from) ], "$user: pg_dump");
	command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-U', $user, '-f', $file, '-d', $node->connstr($to) ], "$user: restored by psql");
	my @after = everything($to, $user);
	is($after[$_], $before[$_], "$user: same result of $everything[$_]") for 0 .. $#everything;
	is(scalar(grep { $_ eq '' } @before), 0, "$user: all of it has rows");
	is(run_sql($to, 'reader', 'SELECT count(influence_score(user_id)) > 50 FROM plain_scores'), 't', "$user: grants come along");
	is(run_sql($to, 'reader', "SELECT count(*) > 0 FROM influence_explain(3, 'plain')"), 't', "$user: to graphs too");

	my $source = next_refresh($from, $user);
	like($source, qr/^3\|\d+\|t\n2\|t\n/, "$user: run numbers go on, and who is forgotten stays so");
	is(next_refresh($to, $user), $source, "$user: the next refresh of the copy does what that of the original does");
	unlike(slurp_file($file), qr/influence_pagerank/, "$user: the extension's own objects are not dumped");
}

# The custom format, in parallel, and by parts.
command_ok([ 'pg_dump', '-U', 'owner', '-Fc', '-f', "$dir/custom", '-d', $node->connstr('source_owner') ], 'pg_dump -Fc');
command_ok([ 'pg_restore', '-U', 'owner', '-j', '2', '-d', $node->connstr('target_custom'), "$dir/custom" ], 'pg_restore -j');
my @original = everything('source_owner', 'owner');
my @copy = everything('target_custom', 'owner');
is_deeply(\@copy, \@original, 'all the same');

# The extension in a schema of its own.
run_sql('target_schema', 'owner', <<'SQL');
CREATE SCHEMA ext;
CREATE EXTENSION influence SCHEMA ext;
CREATE TABLE interactions AS SELECT n % 50 AS source, (n * n) % 83 AS target FROM generate_series(1, 500) n;
SELECT ext.influence_create_model('social', 'interactions');
SELECT ext.influence_refresh('social');
SQL
my $scores = 'SELECT user_id, ext.influence_score(user_id) FROM social_scores ORDER BY 1';
my $before = run_sql('target_schema', 'owner', $scores);
command_ok([ 'pg_dump', '-U', 'owner', '-f', "$dir/schema.sql", '-d', $node->connstr('target_schema') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE target_schema_2 OWNER owner');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-U', 'owner', '-f', "$dir/schema.sql", '-d', $node->connstr('target_schema_2') ],
	'restored with the extension in a schema of its own');
is(run_sql('target_schema_2', 'owner', $scores), $before, 'same scores');
is(run_sql('target_schema_2', 'owner', "SELECT (ext.influence_refresh('social')).run"), '2', 'the next refresh works');

finish_cluster($node);
done_testing();
