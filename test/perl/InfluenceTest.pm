# What the TAP tests share: clusters, made-up interactions, background sessions.
#
# The numbers are hashes of row numbers, so that every run has the same data.
package InfluenceTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use Time::HiRes qw(sleep time);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  start_cluster finish_cluster leftovers
  make_interactions table_digest
  begin_session end_session statement_error
  wait_for query_pid
);

# A running cluster with the extension in database postgres.  Shared memory
# segments are files in its data directory, where they can be counted.
sub start_cluster
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $params{init} // {} });
	$node->append_conf('postgresql.conf', <<"CONF");
restart_after_crash = on
dynamic_shared_memory_type = mmap
log_statement = none
shared_buffers = 64MB
max_connections = 40
max_worker_processes = 16
max_parallel_workers = 16
max_parallel_maintenance_workers = 2
min_parallel_table_scan_size = 0
maintenance_work_mem = 256MB
autovacuum = off
timezone = 'UTC'
CONF
	$node->append_conf('postgresql.conf', $params{conf}) if $params{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION influence');
	return $node;
}

# Stop a cluster that a test is done with.  No process of it may have crashed;
# one that a test killed did not.
sub finish_cluster
{
	my ($node) = @_;
	$node->stop;
	my @crashes = slurp_file($node->logfile) =~ /^.*(?:TRAP: |PANIC: |terminated by signal (?!9:)).*$/mg;
	is(join("\n", @crashes), '', $node->name . ': no process crashed');
	return;
}

sub directory_entries
{
	my ($dir) = @_;
	opendir(my $handle, $dir) or return ();
	return sort grep { !/^\.\.?$/ } readdir $handle;
}

# What lies among temporary files.
sub temporary_files
{
	my ($node) = @_;
	return directory_entries($node->data_dir . '/base/pgsql_tmp');
}

# Dynamic shared memory segments.  The server's own are the control segment and
# from 15 on one of statistics.
use constant SERVER_SEGMENTS => 2;

sub shared_segments
{
	my ($node) = @_;
	return directory_entries($node->data_dir . '/pg_dynshmem');
}

# What is left of refreshes that have ended: temporary files, and shared memory
# beyond the segments that the server itself has had since it started.
sub leftovers
{
	my ($node) = @_;
	my @left;

	for (1 .. 50)
	{
		my @segments = shared_segments($node);
		@left = temporary_files($node);
		push @left, @segments if @segments > SERVER_SEGMENTS;
		last unless @left;
		sleep 0.1;
	}
	return join ' ', @left;
}

# A table of interactions between users, some far more popular and some far
# more active than others, with a few of what is to be skipped.  Ids are sparse
# and of both signs.
sub make_interactions
{
	my ($node, $table, %params) = @_;
	my $rows = $params{rows} // 100_000;
	my $users = $params{users} // 10_000;
	my $power = $params{power} // 3;

	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE $table (source bigint, target bigint, weight real, at timestamptz, kind text);
INSERT INTO $table
SELECT CASE WHEN n % 1009 = 0 THEN NULL ELSE (s - $users / 3) * 7919 END,
       CASE WHEN n % 1013 = 0 THEN NULL ELSE (t - $users / 3) * 7919 END,
       CASE WHEN n % 1019 = 0 THEN 0 ELSE 0.1 + (h & 1023) / 100.0 END,
       timestamptz '2024-06-01 UTC' - make_interval(secs => (h >> 10) % 31536000),
       CASE h & 3 WHEN 0 THEN 'like' WHEN 1 THEN 'reply' ELSE 'share' END
FROM (SELECT n, ($users * pow(u, 1.7))::bigint AS s, ($users * pow(v, $power))::bigint AS t, h
      FROM (SELECT n, (hashint8extended(n, 1) & 1073741823) / 1073741824.0::float8 AS u,
                   (hashint8extended(n, 2) & 1073741823) / 1073741824.0::float8 AS v,
                   hashint8extended(n, 3) & 9007199254740991 AS h
            FROM generate_series(1, $rows) n) r) s;
SQL
	return;
}

# A fingerprint of everything in a table.
sub table_digest
{
	my ($node, $table, $db) = @_;
	return $node->safe_psql($db // 'postgres',
		"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")), '-') FROM $table t");
}

# A psql in the background that executes some statements, one by one.
sub begin_session
{
	my ($node, @statements) = @_;
	my %session = (in => '', out => '', err => '');

	$session{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=1',
		  '-d', $node->connstr('postgres'), map { ('-c', $_) } @statements ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{err},
		IPC::Run::timeout(180));
	return \%session;
}

# Wait until a session has ended; returns its exit status, output and errors.
sub end_session
{
	my ($session) = @_;
	$session->{run}->finish;
	return ($session->{run}->result(0), $session->{out}, $session->{err});
}

# Execute statements that should fail; returns "SQLSTATE: message".
sub statement_error
{
	my ($node, $sql, %params) = @_;
	my ($status, $out, $err);

	$status = $node->psql($params{db} // 'postgres', $sql, stdout => \$out, stderr => \$err,
		extra_params => [ '-v', 'VERBOSITY=verbose', @{ $params{extra_params} // [] } ]);
	return $err =~ /(?:ERROR|FATAL):\s+(\S+: .*)/ ? $1 : "no error: $out $err";
}

# Poll a query until it gives t.
sub wait_for
{
	my ($node, $query, $db) = @_;
	my $until = time + 60;

	while (time < $until)
	{
		my ($out, $err);
		my $status = $node->psql($db // 'postgres', $query, stdout => \$out, stderr => \$err);
		return 1 if defined $status && $status == 0 && $out eq 't';
		sleep 0.02;
	}
	return 0;
}

# The process that executes a refresh now, or one of its parallel workers.
sub query_pid
{
	my ($node, $worker) = @_;
	my $which = $worker ? "backend_type = 'parallel worker'" :
	  "backend_type = 'client backend' AND query LIKE '%influence_refresh(%' AND state = 'active' AND pid <> pg_backend_pid()";
	return $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $which LIMIT 1");
}

1;
