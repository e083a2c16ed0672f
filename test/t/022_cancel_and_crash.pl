# A refresh that is cancelled, terminated or killed, at whatever moment, changes
# nothing and leaves nothing behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# maintenance_work_mem is small enough for edges to go to temporary files, except
# where there are networks and topics.
my $node = start_cluster('cancel', conf => "maintenance_work_mem = '40MB'\nlog_temp_files = -1\n");
make_interactions($node, 'few', rows => 5_000, users => 500);
make_interactions($node, 'many', rows => 1_000_000, users => 60_000, power => 2);
make_interactions($node, 'fewer', rows => 300_000, users => 15_000, power => 2);
$node->safe_psql('postgres', <<'SQL');
SELECT influence_create_model('model', 'few');
SELECT influence_refresh('model', as_of => '2024-06-01 UTC');
SELECT influence_alter_model('model', interactions => 'many', weight => 'weight', at => 'at');
SELECT influence_create_model('labelled', 'few', network => 'kind', topic => 'kind');
SELECT influence_refresh('labelled', as_of => '2024-06-01 UTC');
SELECT influence_alter_model('labelled', interactions => 'fewer');
VACUUM ANALYZE;
SQL

my $refresh = "influence_refresh('%s', as_of => '2024-06-01 UTC')";
my %memory = (model => '40MB', labelled => '128MB');

sub state_of_everything
{
	return join "\n", map { table_digest($node, $_) }
	  qw(model_scores model_history model_graph labelled_scores labelled_history labelled_networks labelled_topics labelled_graph
	influence_model influence_run influence_scale);
}

# How long a refresh takes here, undisturbed; also a check that it is large
# enough to be disturbed.
sub duration
{
	my ($model, $workers) = @_;
	my $started = time;
	$node->safe_psql('postgres', sprintf(<<"SQL", $model));
SET max_parallel_maintenance_workers = $workers;
SET maintenance_work_mem = '$memory{$model}';
BEGIN;
SELECT $refresh;
ROLLBACK;
SQL
	return time - $started;
}

my $before = state_of_everything();
my %duration;
for my $model (sort keys %memory)
{
	$duration{$model}{$_} = duration($model, $_) for (0, 2);
	note("a refresh of $model takes $duration{$model}{0} s, and with workers $duration{$model}{2} s");
}
is(state_of_everything(), $before, 'a refresh that is rolled back changes nothing');
is(leftovers($node), '', 'and leaves nothing behind');

# Deterministic fractions, all through a refresh.
my $spread = 0;
sub moment
{
	my ($model, $workers) = @_;
	$spread += 0.381966;
	$spread -= 1 if $spread >= 1;
	return 0.02 + 0.95 * $spread * $duration{$model}{$workers};
}

# statement_timeout

for my $workers (0, 2)
{
	my ($slowest, $unexpected) = (0, 0);
	for my $model (('model', 'labelled') x 3)
	{
		my $ms = int(1000 * moment($model, $workers));
		my $started = time;
		my $error = statement_error($node, sprintf(<<"SQL", $model));
SET max_parallel_maintenance_workers = $workers;
SET maintenance_work_mem = '$memory{$model}';
SET statement_timeout = $ms;
BEGIN;
SELECT $refresh;
SET statement_timeout = 0;
ROLLBACK;
SQL
		my $late = time - $started - $ms / 1000;
		$slowest = $late if $late > $slowest;
		# a quick machine may be done before
		next if $error =~ /^no error/;
		$unexpected++, diag($error) unless $error eq '57014: canceling statement due to statement timeout';
	}
	is($unexpected, 0, "statement_timeout is heeded with $workers workers");
	cmp_ok($slowest, '<', 5, "within seconds ($slowest)");
	is(state_of_everything(), $before, 'nothing has changed');
	is(leftovers($node), '', 'nothing is left behind');
}

ok(wait_for($node, "SELECT count(*) > 0 FROM influence_runs WHERE run = 0 AND status = 'cancelled' AND error = '57014: canceling statement due to statement timeout'"),
	'runs that were cancelled are recorded');

# What happens to a session whose process, or one of whose workers, ends.  The
# session has another chance when it came to nothing because it was over.
sub disturb
{
	my ($what, $model, $worker, $action) = @_;
	my ($status, $out, $err) = (0);

	for my $try (1 .. 5)
	{
		my $session = begin_session($node, 'SET max_parallel_maintenance_workers = 2', "SET maintenance_work_mem = '$memory{$model}'",
			'BEGIN', sprintf("SELECT $refresh", $model), 'ROLLBACK');
		my $pid = '';
		for (1 .. 200)
		{
			$pid = query_pid($node, $worker);
			last if $pid;
			sleep 0.01;
		}
		if ($pid)
		{
			sleep(0.3 * moment($model, 2));
			$action->($pid);
		}
		($status, $out, $err) = end_session($session);
		last if $status != 0;
	}
	isnt($status, 0, "$what: the refresh fails");
	return $err;
}

sub terminate { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") }

# pg_cancel_backend

{
	my $started;
	my $err = disturb('cancelled', 'labelled', 0, sub { $started = time; $node->safe_psql('postgres', "SELECT pg_cancel_backend($_[0])") });
	cmp_ok(time - $started, '<', 5, 'within seconds');
	like($err, qr/57014: canceling statement due to user request/, 'it says so');
	is(state_of_everything(), $before, 'nothing has changed');
}

for my $model ('model', 'labelled')
{
	like(disturb('terminated', $model, 0, \&terminate), qr/57P01|server closed the connection/, 'the session ends');
	is(state_of_everything(), $before, 'nothing has changed');
	like(disturb('worker terminated', $model, 1, \&terminate), qr/ERROR|FATAL/, 'an error is reported');
	is(state_of_everything(), $before, 'nothing has changed');
	is(leftovers($node), '', 'nothing is left behind');
}

ok(wait_for($node, "SELECT count(*) > 0 FROM influence_runs WHERE status = 'cancelled' AND error = '57014: canceling statement due to user request'"),
	'one that a user cancelled is recorded');
is($node->safe_psql('postgres', "SELECT count(*) FROM influence_runs WHERE error LIKE '%terminating connection%'"), '0', 'one whose session ended is not');

# kill -9: the server starts anew by itself.

sub kill_process
{
	my ($pid) = @_;
	kill 'KILL', $pid;
}

for my $case ([ 'model', 0 ], [ 'labelled', 1 ], [ 'labelled', 0 ])
{
	my ($model, $worker) = @$case;
	my $what = $worker ? 'worker killed' : 'leader killed';
	my $offset = -s $node->logfile;
	disturb($what, $model, $worker, \&kill_process);
	for (1 .. 100)
	{
		last if slurp_file($node->logfile, $offset) =~ /database system is ready to accept connections/;
		sleep 0.1;
	}
	ok(wait_for($node, 'SELECT NOT pg_is_in_recovery()'), "$what: the server recovers");
	is(state_of_everything(), $before, 'nothing has changed');
	is(leftovers($node), '', 'nothing is left behind');
}
like(slurp_file($node->logfile), qr/was terminated by signal 9/, 'processes were killed');

# After all that a refresh does what it should, with the same result as one
# that nobody disturbed.

$node->safe_psql('postgres', <<'SQL');
SELECT influence_create_model('other', 'few');
SELECT influence_refresh('other', as_of => '2024-06-01 UTC');
SELECT influence_alter_model('other', interactions => 'many', weight => 'weight', at => 'at');
SET maintenance_work_mem = '1GB';
SET max_parallel_maintenance_workers = 0;
SELECT influence_refresh('other', as_of => '2024-06-01 UTC');
SELECT influence_create_model('other labelled', 'few', network => 'kind', topic => 'kind');
SELECT influence_refresh('other labelled', as_of => '2024-06-01 UTC');
SELECT influence_alter_model('other labelled', interactions => 'fewer');
SELECT influence_refresh('other labelled', as_of => '2024-06-01 UTC');
SQL
is($node->safe_psql('postgres', sprintf("SELECT run, interactions FROM $refresh", 'model')), '2|1000000', 'the next refresh is run 2');
is($node->safe_psql('postgres', sprintf("SET maintenance_work_mem = '128MB'; SELECT run FROM $refresh", 'labelled')), '2', 'with networks and topics, too');
is( $node->safe_psql('postgres', <<'SQL'), 't', 'its scores are those of an undisturbed refresh');
SELECT count(*) > 50000 AND bool_and(abs(a.influence - b.influence) <= 1e-12 * b.influence AND abs(a.score - b.score) < 1e-5
                                     AND a.audience = b.audience)
FROM model_scores a FULL JOIN other_scores b USING (user_id)
SQL
for my $table (qw(scores networks topics))
{
	is(table_digest($node, "labelled_$table"), table_digest($node, qq("other labelled_$table")), "so are those in the table of $table");
}
is( $node->safe_psql('postgres', <<'SQL'), '20|t', 'and the graph that is kept explains them');
SELECT count(*), bool_and(abs(e.total - s.influence) <= 1e-9 * s.influence)
FROM (SELECT * FROM labelled_networks ORDER BY influence DESC LIMIT 20) s,
     LATERAL (SELECT sum(influence) AS total FROM influence_explain(s.user_id, 'labelled', network => s.network) e) e
SQL
is(leftovers($node), '', 'nothing is left behind');

finish_cluster($node);
done_testing();
