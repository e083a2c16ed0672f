# influence_drop_model and DROP EXTENSION clean up what they should, and only
# that.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('drop');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE owner LOGIN;
CREATE ROLE other LOGIN;
CREATE DATABASE db OWNER owner;
SQL

sub run_sql
{
	my ($sql, $user) = @_;
	return $node->safe_psql('db', $sql, extra_params => [ '-U', $user // 'owner' ]);
}

sub error_of
{
	my ($sql, $user) = @_;
	return statement_error($node, $sql, db => 'db', extra_params => [ '-U', $user // 'owner' ]);
}

# All objects of the database that somebody made, by catalog.
my $objects = <<'SQL';
SELECT 'relation', relname::text, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'function', oid::regprocedure::text, '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'type', typname, '' FROM pg_type WHERE typnamespace = 'public'::regnamespace
UNION ALL SELECT 'operator', oid::regoperator::text, '' FROM pg_operator WHERE oprnamespace = 'public'::regnamespace
UNION ALL SELECT 'class', opcname, '' FROM pg_opclass WHERE opcnamespace = 'public'::regnamespace
UNION ALL SELECT 'family', opfname, '' FROM pg_opfamily WHERE opfnamespace = 'public'::regnamespace
UNION ALL SELECT 'cast', castsource::regtype || ' ' || casttarget::regtype, '' FROM pg_cast WHERE oid >= 16384
UNION ALL SELECT 'extension', extname, '' FROM pg_extension
UNION ALL SELECT 'trigger', tgname, '' FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'comment', classoid::regclass || ' ' || count(*), '' FROM pg_description WHERE objoid >= 16384 GROUP BY classoid
UNION ALL SELECT 'schema', nspname, '' FROM pg_namespace WHERE oid >= 16384
UNION ALL SELECT 'acl', count(*)::text, '' FROM pg_init_privs WHERE objoid >= 16384
ORDER BY 1, 2
SQL

run_sql(<<'SQL');
CREATE TABLE interactions AS SELECT n % 50 AS source, (n * n) % 83 AS target FROM generate_series(1, 500) n;
SQL
my $bare = run_sql($objects);
run_sql('CREATE EXTENSION influence');
my $installed = run_sql($objects);
isnt($installed, $bare, 'the extension brings objects');

# influence_drop_model

run_sql(<<'SQL');
SELECT influence_create_model('one', 'interactions');
SELECT influence_refresh('one');
SQL
my $one = run_sql($objects);
my $one_rows = run_sql('SELECT * FROM influence_models; SELECT * FROM influence_runs');
run_sql(<<'SQL');
SELECT influence_create_model('two', 'interactions');
SELECT influence_refresh('two');
SELECT influence_refresh('two');
SELECT influence_set_default('two');
SELECT influence_drop_model('two');
SQL
is(run_sql($objects), $one, 'influence_drop_model drops the tables of the model, and nothing else');
is(run_sql('SELECT * FROM influence_models; SELECT * FROM influence_runs'), $one_rows, 'and its rows in the catalogs');
is(run_sql('SELECT count(*) FROM interactions'), '500', 'interactions are not touched');
is(run_sql('SELECT influence_score(3) = score FROM one_scores WHERE user_id = 3'), 't', 'the model that is left is meant by no name');

like(error_of("SELECT influence_drop_model('two')"), qr/^42704: model "two" does not exist/, 'dropped once is enough');
like(error_of("SELECT influence_drop_model('one')", 'other'), qr/^42501: must be owner of model "one"/, 'somebody else may not');
run_sql('CREATE VIEW top AS SELECT * FROM one_scores');
like(error_of("SELECT influence_drop_model('one')"), qr/^2BP01: cannot drop table .*one_scores because other objects depend on it/,
	'what depends on the scores prevents it');
is(run_sql('SELECT influence_score(3) = score FROM one_scores WHERE user_id = 3'), 't', 'and the model is as it was');
run_sql('DROP VIEW top');

# Tables that are gone already.
run_sql(<<'SQL');
SELECT influence_create_model('half', 'interactions');
DROP TABLE half_scores;
SELECT influence_drop_model('half');
SELECT influence_create_model('gone', 'interactions');
DROP TABLE gone_scores, gone_history, gone_graph, gone_leavers;
SELECT influence_drop_model('gone');
CREATE TABLE for_a_while AS TABLE interactions;
SELECT influence_create_model('orphan', 'for_a_while');
SELECT influence_refresh('orphan');
DROP TABLE for_a_while;
SELECT influence_score(3, 'orphan');
SELECT influence_drop_model('orphan');
SQL
is(run_sql($objects), $one, 'a model whose tables are gone can be dropped');

# Rolled back.
run_sql(<<'SQL');
BEGIN;
SELECT influence_drop_model('one');
ROLLBACK;
SQL
is(run_sql($objects), $one, 'influence_drop_model can be rolled back');
is(run_sql('SELECT influence_score(3) = score FROM one_scores WHERE user_id = 3'), 't', 'the model is as it was');

# Created anew under the same name.
is( run_sql(<<'SQL'), "1\n1", 'a new model of the same name starts anew, in the same session too');
BEGIN;
SELECT count(influence_score(3, 'one'));
SELECT influence_drop_model('one') AS nothing \gset
SELECT influence_create_model('one', 'interactions') AS scores \gset
SELECT run FROM influence_refresh('one');
COMMIT;
SQL

# DROP EXTENSION

my $contents = 'SELECT * FROM one_scores ORDER BY user_id; SELECT * FROM one_history ORDER BY user_id;'
  . ' SELECT * FROM one_graph ORDER BY run, section, facet, partition, "first"';
my $tables = run_sql($contents);
like(error_of('DROP EXTENSION influence', 'other'), qr/^42501: /, 'somebody else may not drop the extension');
run_sql('DROP EXTENSION influence');
is( run_sql("SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"),
	'interactions one_graph one_history one_leavers one_scores', 'users keep their tables');
is(run_sql($contents), $tables, 'with what was in them');
like(error_of('SELECT influence_score(3)'), qr/^42883: function influence_score\(integer\) does not exist/, 'functions are gone');
run_sql('DROP TABLE one_scores, one_history, one_graph, one_leavers');
is(run_sql($objects), $bare, 'nothing of the extension is left');

# And again, with what depends on it.
run_sql(<<'SQL');
CREATE EXTENSION influence;
SELECT influence_create_model('one', 'interactions');
SELECT influence_refresh('one');
CREATE VIEW scored AS SELECT source, influence_score(source) AS score FROM interactions;
CREATE TABLE graphs (g influence_graph);
INSERT INTO graphs SELECT influence_graph_agg(source, target) FROM interactions;
SQL
like(error_of('DROP EXTENSION influence'), qr/^2BP01: cannot drop extension influence because other objects depend on it/,
	'what depends on the extension prevents its being dropped');
run_sql('SET client_min_messages = warning; DROP EXTENSION influence CASCADE; DROP TABLE one_scores, one_history, one_graph, one_leavers, graphs');
is(run_sql($objects), $bare, 'CASCADE drops that too');

finish_cluster($node);
done_testing();
