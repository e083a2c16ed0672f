# With little maintenance_work_mem edges go to temporary files, and the result
# is the same; with too little there is an error that says how much is needed.
# Where shared memory cannot be had a refresh does without.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

# Every temporary file is logged when it is removed.  Files of the write-ahead
# log are smaller than the limit of file sizes below.
my $node = start_cluster('memory',
	init => { extra => [ '--wal-segsize', '1' ] },
	conf => "log_temp_files = 0\n");
make_interactions($node, 'interactions', rows => 400_000, users => 5_000, power => 1.2);
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW seen AS SELECT * FROM interactions OFFSET 0;
CREATE TABLE texts AS SELECT 'user ' || source AS source, 'user ' || target AS target FROM interactions;
SQL

# No graph is kept, unless the arguments say so: that goes through temporary
# files however much memory there is.
sub create_model
{
	my ($model, $relation, $arguments) = @_;
	$arguments //= '';
	$arguments .= ', keep_graphs => 0' unless $arguments =~ /keep_graphs/;
	$node->safe_psql('postgres', "SELECT influence_create_model('$model', '$relation'$arguments)");
}

# Refresh; returns the run's peak of memory in kB, workers, and whether
# temporary files were written.
sub refresh
{
	my ($model, $workers, $memory) = @_;
	my $offset = -s $node->logfile;
	my $row = $node->safe_psql('postgres', <<"SQL");
SET max_parallel_maintenance_workers = $workers;
SET maintenance_work_mem = '$memory';
SELECT peak_memory_bytes / 1024, workers FROM influence_refresh('$model', as_of => '2024-06-01 UTC');
SQL
	return (split(/\|/, $row), slurp_file($node->logfile, $offset) =~ /LOG:  temporary file: path/ ? 1 : 0);
}

sub same
{
	my ($one, $two) = @_;
	return $node->safe_psql('postgres', <<"SQL");
SELECT count(*) > 1000 AND bool_and(a.audience = b.audience AND abs(a.score - b.score) < 1e-5
         AND abs(a.influence - b.influence) <= 1e-12 * b.influence AND abs(a.responses - b.responses) <= 1e-12 * b.responses
         AND abs(a.activity - b.activity) <= 1e-12 * b.activity)
FROM ${one}_scores a FULL JOIN ${two}_scores b USING (user_id)
SQL
}

my %arguments = ('' => '', w => ", weight => 'weight', at => 'at', half_life => '30 days'");
for my $kind ('', 'w')
{
	my $what = $kind ? 'with weights' : 'without weights';
	create_model("plenty$kind", 'interactions', $arguments{$kind});
	my ($peak, undef, $spilled) = refresh("plenty$kind", 0, '1GB');
	is($spilled, 0, "$what: no temporary files where there is plenty of memory");
	cmp_ok($peak, '<', 64 * 1024, "$what: $peak kB at most");

	# What is needed is the finished graph, not the rows: find a limit below
	# what a refresh takes when it can, at which it still works.
	for my $workers (0, 2)
	{
		my $memory = int($peak * 0.9) . 'kB';
		create_model("little$workers$kind", 'interactions', $arguments{$kind});
		my ($little_peak, undef, $little_spilled) = refresh("little$workers$kind", $workers, $memory);
		is($little_spilled, 1, "$what, $workers workers: temporary files with $memory");
		cmp_ok($little_peak, '<=', $peak * 0.9, "$what, $workers workers: memory stays within its limit");
		is(same("little$workers$kind", "plenty$kind"), 't', "$what, $workers workers: the result is the same");
		is(table_digest($node, "little$workers${kind}_scores"), table_digest($node, "plenty${kind}_scores"),
			"$what, $workers workers: to the last digit")
		  unless $kind;
	}
}

# Rows that a query reads, before there are workers.
create_model('view', 'seen');
my (undef, $workers, $spilled) = refresh('view', 2, '6MB');
is($spilled, 1, 'a view: temporary files');
is(table_digest($node, 'view_scores'), table_digest($node, 'plenty_scores'), 'a view: the result is the same');

# Too little.
for my $n (0, 2)
{
	my $before = table_digest($node, 'plenty_scores') . table_digest($node, 'influence_model');
	for my $memory ('1MB', '2MB', '3MB')
	{
		my $error = statement_error($node, <<"SQL");
SET max_parallel_maintenance_workers = $n;
SET maintenance_work_mem = '$memory';
SELECT influence_refresh('plentyw');
SQL
		like($error, qr/^53400: refresh needs about [0-9]+ MB of memory, more than maintenance_work_mem \([123] MB\)/,
			"$memory is too little, with $n workers");
	}
	is(table_digest($node, 'plenty_scores') . table_digest($node, 'influence_model'), $before, 'nothing has changed');
	is(leftovers($node), '', 'nothing is left behind');

	# What the message asks for is about right: with twice that it works.
	my ($needed) = statement_error($node, "SET maintenance_work_mem = '3MB'; SELECT influence_refresh('plentyw')") =~ /about ([0-9]+) MB/;
	cmp_ok($needed // 0, '>', 3, 'the estimate is more than there was');
	refresh('plentyw', $n, 2 * $needed . 'MB') if $needed;
	is($node->safe_psql('postgres', "SELECT changed < 10 FROM influence_runs WHERE model = 'plentyw' ORDER BY run DESC LIMIT 1"), 't',
		'and twice that is enough');
}

# Networks and topics, and a graph that is kept.  Whatever the limit there is a
# clean error or the right result.
$node->safe_psql('postgres', "ALTER TABLE interactions ADD topics text[]; UPDATE interactions SET topics = ARRAY['t' || source % 50, 't' || target % 40, kind]");
my $facets = ", network => 'kind', topic => 'topics', weight => 'weight', keep_graphs => 1";
create_model('facets', 'interactions', $facets);
my ($facets_peak) = refresh('facets', 0, '1GB');
my $facets_digest = join ' ', map { table_digest($node, "facets_$_") } qw(networks topics graph);
for my $n (0, 2)
{
	create_model("limited$n", 'interactions', $facets);
	my ($errors, $successes, $unexpected) = (0, 0, 0);
	for my $part (0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 1.3)
	{
		my $memory = int($facets_peak * $part) . 'kB';
		my $error = statement_error($node, <<"SQL");
SET max_parallel_maintenance_workers = $n;
SET maintenance_work_mem = '$memory';
SELECT influence_refresh('limited$n', as_of => '2024-06-01 UTC');
SQL
		if ($error =~ /^53400: refresh needs about [0-9]+ MB of memory, more than maintenance_work_mem/)
		{
			$errors++;
			next if $successes;
			$unexpected++, diag("$memory: something was left") unless $node->safe_psql('postgres',
				"SELECT count(*) FROM (SELECT user_id FROM limited${n}_scores UNION ALL SELECT user_id FROM limited${n}_topics) t") eq '0';
		}
		elsif ($error =~ /^no error/) { $successes++ }
		else { $unexpected++, diag("$memory: $error") }
	}
	is($unexpected, 0, "networks and topics: errors are clean with $n workers");
	cmp_ok($errors, '>', 0, "there are some ($errors)");
	cmp_ok($successes, '>', 0, "and results ($successes)");
	is( $node->safe_psql('postgres', <<"SQL"), 't|t', 'which are right');
SELECT (SELECT count(*) > 10000 AND bool_and(abs(a.influence - b.influence) <= 1e-12 * b.influence AND abs(a.score - b.score) < 1e-5)
        FROM facets_networks a FULL JOIN limited${n}_networks b USING (network, user_id)),
       (SELECT count(*) > 100000 AND bool_and(abs(a.influence - b.influence) <= 1e-12 * b.influence AND abs(a.score - b.score) < 1e-5)
        FROM facets_topics a FULL JOIN limited${n}_topics b USING (topic, user_id))
SQL
	is(leftovers($node), '', 'nothing is left behind');
}

# temp_file_limit, which a graph that is kept is under, too
like(statement_error($node, <<'SQL'), qr/^53400: temporary file size exceeds temp_file_limit/, 'temp_file_limit is heeded by the graph that is kept');
SET max_parallel_maintenance_workers = 0;
SET temp_file_limit = '256kB';
SELECT influence_refresh('facets');
SQL
is(join(' ', map { table_digest($node, "facets_$_") } qw(networks topics graph)), $facets_digest, 'nothing has changed');

# temp_file_limit
for my $n (0, 2)
{
	my $before = table_digest($node, 'plentyw_scores');
	like(statement_error($node, <<"SQL"), qr/^53400: temporary file size exceeds temp_file_limit/, "temp_file_limit is heeded with $n workers");
SET max_parallel_maintenance_workers = $n;
SET maintenance_work_mem = '10MB';
SET temp_file_limit = '256kB';
SELECT influence_refresh('plentyw');
SQL
	is(table_digest($node, 'plentyw_scores'), $before, 'nothing has changed');
	is(leftovers($node), '', 'nothing is left behind');
}

# Shared memory runs out: a limit on the size of files makes it, at once (the
# first segment is of 1 MB) or on the way, where the leader reads alone.  Only
# the leader is limited, and what it writes to tables is smaller than that.
SKIP:
{
	skip 'skipped: there is no program prlimit', 5 unless system('prlimit --version >/dev/null 2>&1') == 0;
	$node->stop;
	$node->rotate_logfile;
	$node->start;
	for my $case ([ 'plenty', 1_000_000 ], [ 'view', 1_500_000 ])
	{
		my ($model, $limit) = @$case;
		my $offset = -s $node->logfile;
		my $row = $node->safe_psql('postgres', <<"SQL");
SELECT pg_backend_pid() AS pid, pg_switch_wal() AS wal \\gset
\\setenv PID :pid
\\! prlimit --pid \$PID --fsize=$limit
SET log_min_messages = debug1;
SET max_parallel_maintenance_workers = 2;
SELECT workers, changed FROM influence_refresh('$model', as_of => '2024-06-01 UTC');
SQL
		is($row, '0|0', "no workers, and the same result, when shared memory runs out ($model)");
		like(slurp_file($node->logfile, $offset), qr/without workers: /, 'because shared memory ran out');
	}
	is(leftovers($node), '', 'nothing is left behind');
}
$node->append_conf('postgresql.conf', 'min_dynamic_shared_memory = 1MB');
$node->restart;
refresh('plenty', 2, '256MB');
is($node->safe_psql('postgres', "SELECT changed, workers > 0 FROM influence_runs WHERE model = 'plenty' ORDER BY run DESC LIMIT 1"),
	'0|t', 'shared memory that the server has from the start serves too');

finish_cluster($node);
done_testing();
