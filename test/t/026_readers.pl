# Readers never see a mixture of two runs, nor nothing, nor wait, while one
# refresh follows the other.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = 8;
my $node = start_cluster('readers');

# In even generations user 1 draws a reaction from everybody, in odd ones user
# 2 does, and there are more users: every row tells which run it is from.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE generation AS SELECT 0 AS n;
CREATE VIEW interactions AS
    SELECT s::bigint AS source, (1 + g.n % 2)::bigint AS target
    FROM generation g, generate_series(1, 4000 + g.n % 2 * 1000) s WHERE s <> 1 + g.n % 2
    UNION ALL SELECT (1 + g.n % 2)::bigint, 3000 FROM generation g;
SELECT influence_create_model('model', 'interactions');
SELECT influence_refresh('model');

CREATE FUNCTION check_scores() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    SELECT count(*) AS users, sum(influence) / nullif(count(*), 0) AS mean,
           max(audience) FILTER (WHERE user_id = 1) AS one, max(audience) FILTER (WHERE user_id = 2) AS two,
           count(*) FILTER (WHERE influence_score(user_id, 'model') IS DISTINCT FROM score) AS differences,
           (SELECT runs FROM influence_models) AS runs, (SELECT max(run) FROM influence_runs) AS run
    INTO r FROM model_scores;
    IF r.runs <> r.run THEN
        RAISE 'model says run %, the record of runs says %', r.runs, r.run;
    ELSIF NOT (r.run % 2 = 1 AND r.users = 4000 AND r.one = 3999 AND r.two = 0
               OR r.run % 2 = 0 AND r.users = 5000 AND r.one = 0 AND r.two = 4999) THEN
        RAISE 'run % shows % users, audiences % and %', r.run, r.users, r.one, r.two;
    ELSIF r.differences <> 0 THEN
        RAISE 'run %: influence_score and the table differ for % users', r.run, r.differences;
    ELSIF abs(r.mean - 1) > 1e-6 THEN
        RAISE 'run %: mean influence is %', r.run, r.mean;
    END IF;
END
$$;
CREATE FUNCTION check_one() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF influence_score(3000) IS NULL OR influence_score(1) IS NULL OR influence_score(2) IS NULL THEN
        RAISE 'a user has no score';
    END IF;
END
$$;
SQL

sub file
{
	my ($name, $text) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name";
	append_to_file($file, $text);
	return $file;
}

# One statement each: its snapshot is what a reader sees.  The statement that
# checks several tables does so in one query.
my @pgbench = ('pgbench', '-n', '-T', $seconds);
my %scripts = (
	scores => 'SELECT check_scores();',
	one => 'SELECT check_one();',
	repeatable => 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT check_scores(); SELECT check_one(); SELECT check_scores(); COMMIT;');
my @readers;
for my $name (sort keys %scripts)
{
	my %reader = (name => $name, out => '');
	(my $script = $scripts{$name}) =~ s/; /;\n/g;
	$reader{run} = IPC::Run::start(
		[ @pgbench, '-c', '2', '-L', '3000', '-f', file("$name.sql", "$script\n"), $node->connstr('postgres') ],
		'<', \undef, '>&', \$reader{out}, IPC::Run::timeout(120));
	push @readers, \%reader;
}

my $until = time + $seconds;
my $refreshes = 0;
while (time < $until)
{
	$node->safe_psql('postgres', <<'SQL');
BEGIN;
UPDATE generation SET n = n + 1;
SELECT influence_refresh('model');
COMMIT;
SQL
	$refreshes++;
	sleep 0.1;
}
for my $reader (@readers)
{
	$reader->{run}->finish;
	is($reader->{run}->result(0), 0, "$reader->{name}: no error") or diag($reader->{out});
	my ($transactions) = $reader->{out} =~ /number of transactions actually processed: (\d+)/;
	cmp_ok($transactions // 0, '>', 10, "$reader->{name}: " . ($transactions // 0) . ' transactions');
	like($reader->{out}, qr/above the 3000.0 ms latency limit: 0\b/, "$reader->{name}: nobody waited");
}
cmp_ok($refreshes, '>', 4, "$refreshes refreshes");
is($node->safe_psql('postgres', 'SELECT count(*) FROM influence_runs'), $refreshes + 1, 'all of them took place');

# A reader does not wait for a refresh that has written and not committed.
my $session = begin_session($node, 'BEGIN', 'UPDATE generation SET n = n + 1', "SELECT influence_refresh('model')",
	'SELECT pg_sleep(3)', 'ROLLBACK');
ok(wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3)' AND state = 'active'"), 'a refresh is not committed yet');
is($node->safe_psql('postgres', "SET lock_timeout = 1; SELECT check_scores(), check_one(), count(influence_score(1))"), '||1', 'readers go on');
my $writer = statement_error($node, "SET lock_timeout = '100ms'; SELECT influence_refresh('model')");
like($writer, qr/^55P03: canceling statement due to lock timeout/, 'another refresh waits');
end_session($session);

finish_cluster($node);
done_testing();
