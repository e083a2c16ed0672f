# Jobs of pg_cron refresh models: as the role that scheduled them, whatever the
# model's name, and visibly where they fail.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my ($libdir) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => 'pg_cron is not installed' unless -e "$libdir/pg_cron.so";

my $node = start_cluster('schedule');

# The command's text reaches psql as bytes.
sub bytes
{
	my ($text) = @_;
	utf8::encode($text);
	return $text;
}

sub run_sql
{
	my ($sql, $user, $db) = @_;
	return $node->safe_psql($db // 'postgres', bytes($sql), extra_params => [ '-U', $user ]);
}

# An error with its detail and hint.
sub error_of
{
	my ($sql, $user, $db) = @_;
	my ($status, $out, $err);

	$node->psql($db // 'postgres', bytes($sql), stdout => \$out, stderr => \$err,
		extra_params => [ '-U', $user, '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

my $super = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE owner LOGIN;
CREATE ROLE other LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE "No login" NOLOGIN;
GRANT CREATE ON SCHEMA public TO owner, other;
GRANT "No login" TO owner;
CREATE DATABASE "Another's db" OWNER owner;
SQL

my $odd = q{It's "odd" \\ %s $1 ü};
(my $odd_literal = $odd) =~ s/'/''/g;
$odd_literal = "'$odd_literal'";
my $setup = <<"SQL";
CREATE TABLE interactions AS SELECT n % 50 AS source, (n * n) % 83 AS target, 1 AS weight FROM generate_series(1, 500) n;
SELECT influence_create_model('social', 'interactions');
SQL
run_sql($setup . <<"SQL", 'owner');
SELECT influence_create_model($odd_literal, 'interactions');
CREATE TABLE negative AS SELECT 1 AS source, 2 AS target, -1 AS weight;
SELECT influence_create_model('broken', 'negative', weight => 'weight');
SELECT influence_create_model('dropped', 'interactions');
SELECT influence_create_model('unscheduled', 'interactions');
SELECT influence_set_default('social');
GRANT SELECT ON interactions TO other;
GRANT SELECT, INSERT, UPDATE, DELETE ON social_scores, social_history TO other;
SQL

# Without pg_cron, then step by step.

my $schedule = "SELECT influence_schedule('social', '* * * * *')";
like(error_of($schedule, 'owner'), qr/55000: pg_cron is not loaded on this server.*HINT:  Install pg_cron,.* cron.database_name to 'postgres'/s, 'pg_cron is not loaded');
$node->append_conf('postgresql.conf', "cron.database_name = 'postgres'\n");
$node->restart;
like(error_of($schedule, 'owner'), qr/55000: pg_cron is not loaded on this server/, 'a setting without pg_cron does not mislead');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.host = '" . $node->host . "'\n");
$node->restart;
like(error_of($schedule, 'owner'), qr/42704: extension "pg_cron" does not exist.*HINT:  A superuser can create it/s, 'pg_cron is loaded, but its extension is missing');
run_sql('CREATE EXTENSION pg_cron', $super);
like(error_of($schedule, 'owner'), qr/42501: permission denied for schema cron.*HINT:  .*GRANT USAGE ON SCHEMA cron TO owner\./s, 'no privilege for pg_cron');
run_sql("SELECT influence_drop_model('dropped'); SELECT influence_create_model('dropped', 'interactions')", 'owner');
pass('a model can be dropped by a role that may not use pg_cron');
run_sql('GRANT USAGE ON SCHEMA cron TO owner, other, stranger', $super);

# Who may, and what is wrong.

like(error_of($schedule, 'stranger'), qr/42501: permission denied for table social_scores/, 'who may not refresh may not schedule');
like(error_of("SET ROLE \"No login\"; $schedule", 'owner'), qr/42501: permission denied/, 'nor may a role that has no privileges');
run_sql('GRANT SELECT, INSERT, UPDATE, DELETE ON interactions, social_scores, social_history TO "No login"', 'owner');
like(error_of("SET ROLE \"No login\"; $schedule", 'owner'), qr/28000: role "No login" is not permitted to log in/, 'nor one that pg_cron cannot log in as');
like(error_of("SELECT influence_schedule('social', 'every day')", 'owner'),
	qr/22023: invalid schedule: every day.*HINT:  .*\*\/15 \* \* \* \*/s, 'a schedule that is none');
like(error_of("SELECT influence_unschedule('social')", 'owner'), qr/42704: role "owner" has no job for model "social"/, 'nothing to remove');
like(error_of("SELECT influence_unschedule('nothing')", 'owner'), qr/42704: model "nothing" does not exist/, 'nothing at all');
is(run_sql('SELECT count(*) FROM cron.job', $super), '0', 'none of this made a job');

# Jobs.  They start with the minute, or a second later: begin where there is
# time to remove some before.

sleep 0.5 while time % 60 < 5 || time % 60 > 35;
my $id = run_sql("SELECT influence_schedule('social', '0 3 * * *')", 'owner');
is( run_sql('SELECT jobid, schedule, database, username, active, jobname, command FROM cron.job', 'owner'),
	"$id|0 3 * * *|postgres|owner|t|influence: social|"
	  . "SELECT public.influence_refresh('social'::pg_catalog.text, 'auto'::pg_catalog.text, NULL::pg_catalog.timestamptz)",
	'a job');
is(run_sql("SELECT influence_schedule(NULL, '* * * * *')", 'owner'), $id, 'scheduled anew, as the default model, it is the same job');
is(run_sql('SELECT jobid, schedule FROM cron.job', 'owner'), "$id|* * * * *", 'with another schedule');
run_sql("UPDATE cron.job SET active = false", $super);
like(error_of($schedule, 'owner'), qr/WARNING: .* job "influence: social" is not active.*HINT:  .*cron.alter_job\($id, active => true\)/s, 'a job that was switched off stays so, with a warning');
run_sql("UPDATE cron.job SET active = true", $super);

my $id_other = run_sql($schedule, 'other');
isnt($id_other, $id, 'another role has a job of its own');
my $id_odd = run_sql("SELECT influence_schedule($odd_literal, '* * * * *')", 'owner');
my $id_broken = run_sql("SELECT influence_schedule('broken', '* * * * *')", 'owner');
my $id_dropped = run_sql("SELECT influence_schedule('dropped', '* * * * *')", 'owner');
my $id_unscheduled = run_sql("SELECT influence_schedule('unscheduled', '* * * * *')", 'owner');

# Names that begin alike, and are longer than a job's may be.
my @long = map { ('x' x 53) . $_ } 1, 2;
for my $name (@long)
{
	run_sql("SELECT influence_create_model('$name', 'interactions'); SELECT influence_schedule('$name', '0 3 * * *')", 'owner');
}
is(run_sql("SELECT count(DISTINCT jobname), bool_and(octet_length(jobname) < 64) FROM cron.job WHERE jobname LIKE 'influence: xxx%'", 'owner'),
	'2|t', 'long names get jobs of their own');

# A job of another database keeps its name.
my $id_taken = run_sql("SELECT cron.schedule_in_database('influence: taken', '0 3 * * *', 'SELECT 1', 'template1')", $super);
run_sql("SELECT influence_create_model('taken', 'interactions')", $super);
like(error_of("SELECT influence_schedule('taken', '* * * * *')", $super),
	qr/42710: job "influence: taken" is one of another database.*HINT:  Remove it by SELECT cron.unschedule\($id_taken\)/s, 'a job of another database is not replaced');
run_sql("SELECT influence_drop_model('taken')", $super);
is(run_sql("SELECT command FROM cron.job WHERE jobid = $id_taken", $super), 'SELECT 1', 'nor removed');
run_sql("SELECT cron.unschedule($id_taken)", $super);

# Away again.
run_sql("SELECT influence_unschedule('unscheduled')", 'owner');
run_sql("BEGIN; SELECT influence_unschedule('social'); ROLLBACK", 'owner');
run_sql("SELECT influence_drop_model('dropped')", 'owner');
run_sql("SELECT influence_drop_model('$_')", 'owner') for @long;
is(run_sql("SELECT string_agg(jobid::text, ' ' ORDER BY jobid) FROM cron.job", $super),
	join(' ', $id, $id_other, $id_odd, $id_broken), 'jobs that are removed, and those of dropped models, are gone');

# pg_cron keeps nobody from dropping a model.
run_sql("SELECT influence_create_model('refused', 'interactions')", 'owner');
my $id_refused = run_sql("SELECT influence_schedule('refused', '0 3 * * *')", 'owner');
run_sql('REVOKE EXECUTE ON FUNCTION cron.unschedule(bigint) FROM PUBLIC', $super);
like(error_of("SELECT influence_drop_model('refused')", 'owner'),
	qr/WARNING: .* could not remove jobs for model "refused": permission denied for function unschedule/, 'a job that cannot be removed is a warning');
is(run_sql("SELECT count(*) FROM influence_models WHERE name = 'refused'", 'owner'), '0', 'and the model is dropped');
run_sql('GRANT EXECUTE ON FUNCTION cron.unschedule(bigint) TO PUBLIC', $super);
run_sql("SELECT influence_unschedule('refused')", 'owner');
is(run_sql("SELECT count(*) FROM cron.job WHERE jobid = $id_refused", $super), '0', 'its job can be removed later');

# In another database: the statement that the hint gives does it.
run_sql('CREATE EXTENSION influence', 'owner', q{Another's db});
run_sql($setup, 'owner', q{Another's db});
like(error_of($schedule, 'owner', q{Another's db}),
	qr/55000: pg_cron keeps its jobs in another database.*HINT:  Execute in the database that cron.database_name names: SELECT cron/s,
	'in another database; which one it is, is not for everybody');
my ($hint) = error_of($schedule, $super, q{Another's db}) =~ /HINT:  Execute in database postgres: (SELECT cron.schedule_in_database\(.*\))$/m;
ok($hint, 'a superuser is told');
my $id_elsewhere = run_sql($hint, $super);
is(run_sql("SELECT database, jobname FROM cron.job WHERE jobid = $id_elsewhere", $super),
	q{Another's db|influence: social in Another's db}, 'the hint makes a job there');

# Jobs must not depend on search_path, nor fall for a function that would fit
# a call with fewer arguments better.
run_sql('ALTER ROLE owner SET search_path = nowhere', $super);
run_sql(<<'SQL', 'other');
CREATE FUNCTION influence_refresh(model text) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN RAISE 'a trap'; END $$;
SQL

# Now they run: pg_cron 1.4 starts jobs once a minute.
note('waiting for the minute');
my $until = time + 150;
my $expected = join "\n", sort map { "$_->[0]|$_->[1]|$_->[2]" }
  [ $id, 'owner', 'succeeded' ], [ $id_other, 'other', 'succeeded' ], [ $id_odd, 'owner', 'succeeded' ],
  [ $id_broken, 'owner', 'failed' ], [ $id_elsewhere, $super, 'succeeded' ];
my $seen = '';
while (time < $until && $seen ne $expected)
{
	sleep 0.5;
	$seen = join "\n", sort split /\n/, run_sql(<<'SQL', $super);
SELECT DISTINCT jobid, username, status FROM cron.job_run_details WHERE status NOT IN ('starting', 'running', 'sending', 'connecting')
SQL
}
is($seen, $expected, 'each job that is left has run, as the role that scheduled it');
like(run_sql("SELECT return_message FROM cron.job_run_details WHERE jobid = $id_broken LIMIT 1", 'owner'),
	qr/^ERROR:  interaction from 1 to 2 has weight -1/, 'a job that fails says why');
is(run_sql("SELECT DISTINCT run, status, error FROM public.influence_runs WHERE model = 'broken'", 'owner'),
	'0|failed|22003: interaction from 1 to 2 has weight -1', 'influence_runs says so too');
is(run_sql("SELECT count(*) FROM cron.job_run_details WHERE jobid IN ($id_unscheduled, $id_dropped)", $super), '0', 'jobs that are gone did not run');
is(run_sql("SELECT bool_and(runs > 0) FROM influence_models WHERE name IN ('social', $odd_literal)", $super), 't', 'the models are refreshed');
is(run_sql("SELECT runs > 0 FROM influence_models WHERE name = 'social'", $super, q{Another's db}), 't', 'that of the other database too');
is(run_sql("SELECT runs FROM influence_models WHERE name = 'broken'", $super), '0', 'the one that cannot be is not');

# Who sees and removes what.
is(run_sql('SELECT string_agg(DISTINCT jobid::text, \' \') FROM cron.job_run_details', 'other'), $id_other, 'everybody sees their own');
run_sql("SELECT influence_unschedule('social')", 'other');
is(run_sql("SELECT count(*) FROM cron.job WHERE jobid = $id", 'owner'), '1', 'and removes their own');
run_sql($schedule, 'other');
run_sql("SET search_path = public; SET row_security = off; SELECT influence_unschedule($odd_literal); SELECT influence_unschedule('broken')", 'owner');
my ($unhint) = error_of("SELECT influence_unschedule('social')", $super, q{Another's db}) =~ /HINT:  Execute in database postgres: (SELECT cron.unschedule\(.*\))$/m;
run_sql($unhint, $super);
is(run_sql("SELECT string_agg(username, ' ' ORDER BY username) FROM cron.job", $super), 'other owner', 'two are left, for one model');
run_sql("SELECT influence_drop_model('social')", $super);
is(run_sql("SELECT count(*) FROM cron.job", $super), '0', 'a superuser who drops a model removes the jobs of all roles');

# The job of another role for a model that is dropped by its owner.
run_sql(<<'SQL', 'owner');
SET search_path = public;
SELECT influence_create_model('social', 'interactions');
GRANT SELECT, INSERT, UPDATE, DELETE ON social_scores, social_history TO other;
SQL
run_sql($schedule, 'other');
run_sql("SELECT public.influence_drop_model('social')", 'owner');
run_sql("SELECT influence_unschedule('social')", 'other');
is(run_sql("SELECT count(*) FROM cron.job", $super), '0', 'a role can remove its job for a model that is gone');

finish_cluster($node);
done_testing();
