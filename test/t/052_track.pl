# Writers, refreshes, two-phase commits and crashes side by side: what is in
# the queue of a tracked model is what has changed since the last refresh, at
# any time, no more and no less.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_cluster('track', conf => <<'CONF');
max_prepared_transactions = 100
max_parallel_maintenance_workers = 0
deadlock_timeout = 200ms
CONF

# Of each table: a copy of what the last refresh read, made in its transaction
# and under its snapshot.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE log (id bigserial, source bigint, target bigint, kind text);
CREATE TABLE parts (id bigserial, source bigint, target bigint, kind text) PARTITION BY RANGE (source);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);
CREATE TABLE parts_2 (kind text, target bigint, source bigint, id bigint NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (50) TO (1000);
INSERT INTO log (source, target, kind) SELECT i % 100, i % 37, 'like' FROM generate_series(1, 2000) i;
INSERT INTO parts (source, target, kind) SELECT i % 100, i % 37, 'like' FROM generate_series(1, 2000) i;
CREATE INDEX ON log (id);
CREATE INDEX ON parts (id);
SELECT influence_create_model('m', 'log', kind => 'kind');
SELECT influence_create_model('p', 'parts', kind => 'kind');
SELECT influence_track('m'), influence_track('p');
CREATE TABLE m_base AS SELECT source, target, kind FROM log LIMIT 0;
CREATE TABLE p_base AS SELECT source, target, kind FROM parts LIMIT 0;
SQL

my %table = (m => 'log', p => 'parts');

sub refresh_sql
{
	my ($model, $mode) = @_;
	$mode //= 'auto';
	return <<"SQL";
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM ${model}_base;
INSERT INTO ${model}_base SELECT source, target, kind FROM $table{$model};
SELECT 1 FROM influence_refresh('$model', '$mode');
COMMIT;
SQL
}

# Rows that are in the table and not told of, or the other way round, and how
# many rows the queue has.
sub difference_sql
{
	my ($model) = @_;
	return <<"SQL";
SELECT count(*) FROM (
	SELECT source, target, kind FROM (
		SELECT source, target, kind, 1 AS n FROM $table{$model}
		UNION ALL SELECT source, target, kind, -1 FROM ${model}_base
		UNION ALL SELECT source, target, kind, -sign FROM ${model}_queue) a
	GROUP BY 1, 2, 3 HAVING sum(n) <> 0) d
SQL
}

$node->safe_psql('postgres', refresh_sql($_)) for qw(m p);
is($node->safe_psql('postgres', difference_sql($_)), '0', "$_: all is told of") for qw(m p);

# What writers do: a transaction locks at most one row that was there before,
# so that they do not wait for each other in circles.
my $dir = PostgreSQL::Test::Utils::tempdir();
for my $model (qw(m p))
{
	my $t = $table{$model};
	my $part = $model eq 'p' ? 'parts_1' : 'log';
	append_to_file("$dir/$model.sql", <<"SQL");
\\set what random(1, 12)
\\set id random(1, 2000)
\\set s random(0, 99)
\\set low random(0, 49)
\\set n random(1, 1000000000000000000)
\\if :what <= 3
INSERT INTO $t (source, target, kind) VALUES (:s, :id % 37, 'like');
\\elif :what = 4
INSERT INTO $t (source, target, kind) SELECT (:s + i) % 100, i % 37, 'many' FROM generate_series(1, 300) i;
\\elif :what = 5
UPDATE $t SET target = target + 1 WHERE id = :id;
\\elif :what = 6
UPDATE $t SET source = :s WHERE id = :id;
\\elif :what = 7
DELETE FROM $t WHERE id = :id;
\\elif :what = 8
INSERT INTO $part (source, target, kind) VALUES (:low, 1, 'direct'), (:low, 2, 'direct');
\\elif :what = 9
BEGIN;
INSERT INTO $t (source, target, kind) VALUES (:s, :id % 37, 'kept');
SAVEPOINT s;
UPDATE $t SET kind = 'undone' WHERE id = :id;
INSERT INTO $t (source, target, kind) VALUES (:s, :id % 37, 'undone');
ROLLBACK TO s;
\\sleep 5 ms
INSERT INTO $part (source, target, kind) VALUES (:low, 3, 'kept');
COMMIT;
\\elif :what = 10
BEGIN;
INSERT INTO $t (source, target, kind) SELECT (:s + i) % 100, i % 37, 'undone' FROM generate_series(1, 100) i;
DELETE FROM $t WHERE id = :id;
ROLLBACK;
\\else
BEGIN;
INSERT INTO $t (source, target, kind) VALUES (:s, :id % 37, 'prepared');
UPDATE $t SET kind = 'prepared' WHERE id = :id;
PREPARE TRANSACTION 'g:n';
\\sleep 20 ms
\\if :what = 11
COMMIT PREPARED 'g:n';
\\else
ROLLBACK PREPARED 'g:n';
\\endif
\\endif
SQL
}

# Refreshes again and again; some fail, because another one came first, because
# they cannot be incremental, or because the server is gone.
for my $model (qw(m p))
{
	my $both = refresh_sql($model, 'incremental') . refresh_sql($model);

	append_to_file("$dir/refresh_$model.sql", $both x 200);
}

sub start_all
{
	my ($seconds) = @_;
	my @run;

	for my $model (qw(m p))
	{
		push @run, IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', $seconds, '-f', "$dir/$model.sql", $node->connstr('postgres') ],
			'>', \my $out, '2>', \my $err);
		push @run, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$dir/refresh_$model.sql" ],
			'>', \my $o, '2>', \my $e) for 1 .. 2;
	}
	return @run;
}

sub stop_all
{
	my (@run) = @_;
	# in an order in which nobody is waited for: writers end by themselves
	for my $run (@run)
	{
		eval { $run->signal('TERM') };
		eval { $run->finish };
	}
	return;
}

sub watch
{
	my ($seconds, $what) = @_;
	my $until = time + $seconds;
	my ($checks, $wrong, $most) = (0, 0, 0);

	while (time < $until)
	{
		for my $model (qw(m p))
		{
			my ($difference, $queued) = map { $node->safe_psql('postgres', $_) } difference_sql($model), "SELECT count(*) FROM ${model}_queue";
			$checks++;
			$wrong++ if $difference != 0;
			$most = $queued if $queued > $most;
		}
	}
	ok($wrong == 0 && $checks > 0, "$what: all is told of, at any time") or diag("$wrong of $checks");
	return $most;
}

my $runs_before = $node->safe_psql('postgres', 'SELECT sum(runs) FROM influence_models');
my @run = start_all(8);
my $most = watch(7, 'side by side');
stop_all(@run);
cmp_ok($most, '>', 0, 'changes were in the queue');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(runs) FROM influence_models'), '>', $runs_before + 5, 'there were refreshes');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM $table{$_}"), '>', 2000, "$_: rows were added") for qw(m p);

# kill -9, in the middle of it all
for my $crash (1 .. 3)
{
	my $offset = -s $node->logfile;
	@run = start_all(30);
	watch(1.5, "before crash $crash");
	my $pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND query ~ '"
		  . ($crash == 2 ? 'influence_refresh' : 'INSERT INTO log') . "' LIMIT 1");
	$pid ||= $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1");
	kill 'KILL', $pid;
	for (1 .. 100)
	{
		last if slurp_file($node->logfile, $offset) =~ /database system is ready to accept connections/;
		sleep 0.1;
	}
	ok(wait_for($node, 'SELECT NOT pg_is_in_recovery()'), "crash $crash: the server recovers");
	stop_all(@run);
	is($node->safe_psql('postgres', difference_sql($_)), '0', "$_: all is told of") for qw(m p);
	# what was prepared is still there, and is ended now
	my @prepared = split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts ORDER BY prepared');
	my $i = $crash;
	$node->safe_psql('postgres', ($i++ % 2 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_'") for @prepared;
	note(scalar(@prepared) . ' prepared transactions');
	is($node->safe_psql('postgres', difference_sql($_)), '0', "$_: all is told of after prepared transactions have ended") for qw(m p);
}

# One that is prepared across refreshes and a restart.
$node->safe_psql('postgres', "BEGIN; INSERT INTO log (source, target, kind) VALUES (1, 2, 'late'); DELETE FROM parts_1 WHERE source = 3; PREPARE TRANSACTION 'late'");
$node->safe_psql('postgres', refresh_sql($_)) for qw(m p);
$node->restart;
is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM m_queue), (SELECT count(*) FROM p_queue)"), '0|0', 'a prepared transaction is in no queue');
$node->safe_psql('postgres', "COMMIT PREPARED 'late'");
is($node->safe_psql('postgres', 'SELECT sign, source, target, kind FROM m_queue'), '1|1|2|late', 'until it commits');
is($node->safe_psql('postgres', difference_sql($_)), '0', "$_: all is told of") for qw(m p);
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', difference_sql($_)), '0', "$_: all is told of after an immediate stop") for qw(m p);

# In the end an incremental refresh leaves nothing, after many others, and scores
# are those of a model that never was tracked.
for my $model (qw(m p))
{
	my ($full, $incremental) = split /\|/, $node->safe_psql('postgres',
		"SELECT count(*) FILTER (WHERE mode = 'full'), count(*) FILTER (WHERE mode = 'incremental') FROM influence_run WHERE model = '$model'");
	note("$model: $full refreshes were full, $incremental incremental");
	cmp_ok($incremental, '>', 10, "$model: many refreshes were incremental");
	$node->safe_psql('postgres', refresh_sql($model, 'incremental'));
	is($node->safe_psql('postgres', "SELECT count(*) FROM ${model}_queue"), '0', "$model: nothing is left");
	is($node->safe_psql('postgres', "SELECT basis IS NOT NULL FROM influence_model WHERE name = '$model'"), 't', "$model: and all is known");
	$node->safe_psql('postgres', "SELECT influence_create_model('fresh_$model', '$table{$model}', kind => 'kind'); SELECT influence_refresh('fresh_$model')");
	is($node->safe_psql('postgres', <<"SQL"), 't', "$model: scores are those of a fresh model");
SELECT count(*) > 90 AND bool_and(a.audience = b.audience AND abs(a.influence - b.influence) <= 1e-6 * (1 + b.influence))
FROM ${model}_scores a FULL JOIN fresh_${model}_scores b USING (user_id)
SQL
}

# A dump has triggers, queue and all.
$node->safe_psql('postgres', "INSERT INTO log (source, target, kind) VALUES (5, 6, 'dumped')");
$node->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ 'pg_dump', '-f', "$dir/dump.sql", '-d', $node->connstr('postgres') ], 'pg_dump');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql", '-d', $node->connstr('copy') ], 'restored');
is($node->safe_psql('copy', difference_sql($_)), '0', "$_: all is told of in the copy") for qw(m p);
$node->safe_psql('copy', "INSERT INTO log (source, target, kind) VALUES (7, 8, 'new'); INSERT INTO parts_2 (id, source, target, kind) VALUES (1, 70, 8, 'new'); UPDATE parts SET source = 10 WHERE kind = 'new'");
is($node->safe_psql('copy', difference_sql($_)), '0', "$_: and of what is done there") for qw(m p);
is($node->safe_psql('copy', "SELECT sign, source, target, kind FROM m_queue ORDER BY source"), "1|5|6|dumped\n1|7|8|new\n0|||", 'once, and that the tables are not those of the last refresh');
is($node->safe_psql('copy', "SELECT tgenabled, count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc GROUP BY 1"), 'A|16', 'triggers fire always');
$node->safe_psql('copy', "SELECT influence_refresh('m')");
is($node->safe_psql('copy', "SELECT (SELECT count(*) FROM m_queue), basis IS NOT NULL FROM influence_model WHERE name = 'm'"), '0|t', 'a refresh of the copy takes it');
# what a dump does not have: that triggers depend on the queue
my ($status, $out, $err) = $node->psql('copy', "DROP TABLE m_queue; INSERT INTO log (source, target) VALUES (9, 10)");
is($status, 0, 'a queue is dropped, and the table can be written');
like($err, qr/WARNING:  a change is not captured, because the queue for it does not exist any more/, 'with a warning');
like(statement_error($node, "SELECT influence_refresh('m')", db => 'copy'), qr/42P01: the queue of model "m" does not exist any more/, 'a refresh fails');
$node->safe_psql('copy', "SELECT influence_track('m'); INSERT INTO log (source, target) VALUES (10, 11)");
is($node->safe_psql('copy', 'SELECT sign, source, target FROM m_queue'), '1|10|11', 'tracked anew');
is($node->safe_psql('copy', "SELECT basis IS NULL FROM influence_model WHERE name = 'm'"), 't', 'which begins with a full refresh');
$node->safe_psql('copy', "SELECT influence_drop_model('m'), influence_untrack('p')");
is($node->safe_psql('copy', "SELECT count(*) FROM pg_trigger WHERE tgfoid = 'influence_capture'::regproc"), '0', 'no trigger is left behind');

# A table that a subscription writes.
{
	my $publisher = start_cluster('publisher', init => { allows_streaming => 'logical' });
	$publisher->safe_psql('postgres', 'CREATE TABLE published (source bigint, target bigint); CREATE PUBLICATION pub FOR TABLE published');
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE published (source bigint, target bigint);
SELECT influence_create_model('s', 'published');
SELECT influence_track('s');
SELECT influence_refresh('s');
SQL
	is($node->safe_psql('postgres', "SELECT basis IS NOT NULL FROM influence_model WHERE name = 's'"), 't', 'a table is tracked');
	my $connection = $publisher->connstr('postgres') =~ s/'/''/gr;
	$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$connection' PUBLICATION pub");
	$publisher->safe_psql('postgres', 'INSERT INTO published VALUES (1, 2)');
	ok(wait_for($node, 'SELECT count(*) = 1 FROM published'), 'a subscription writes it');
	($status, $out, $err) = $node->psql('postgres', "SELECT influence_refresh('s')");
	like($err, qr/WARNING:  changes of the interactions of model "s" are not all captured.*A subscription writes table "published"/s, 'a refresh warns');
	is($node->safe_psql('postgres', "SELECT basis IS NULL FROM influence_model WHERE name = 's'"), 't', 'and the next must read everything');
	like(statement_error($node, "SELECT influence_track('s')"), qr/42809: changes of "published" cannot be captured/, 'it cannot be tracked');
	$node->safe_psql('postgres', 'DROP SUBSCRIPTION sub');
	finish_cluster($publisher);
}

finish_cluster($node);
done_testing();
