# Under load: writers, readers, refreshes one after the other, and somebody who
# tracks and untracks a model of the same table.  Nobody fails, no statement
# sees two runs mixed or a user missing, and tables stay small.
#
# INFLUENCE_LOAD_SECONDS says how long; 20 by default.  If it is set, figures are
# printed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{INFLUENCE_LOAD_SECONDS} // 20;
die 'INFLUENCE_LOAD_SECONDS is a number of 5 and more' unless $seconds =~ /^\d+$/ && $seconds >= 5;

my $say = $ENV{INFLUENCE_LOAD_SECONDS} ? \&diag : \&note;

my $node = start_cluster('load', conf => <<'CONF');
autovacuum = on
autovacuum_naptime = 1s
deadlock_timeout = 200ms
max_parallel_maintenance_workers = 1
CONF

# Users 1 to 100 react to each other in rows that nobody touches: they have
# scores at any time.  Of each run, what it published is noted in its own
# transaction, exactly: whoever sees the run must see just that.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE log (id bigserial PRIMARY KEY, source bigint, target bigint, at timestamptz, topic text);
INSERT INTO log (source, target, at, topic)
SELECT 1 + i % 100, 1 + (i * 7 + 1) % 100, now() - interval '1 hour', 'all' FROM generate_series(1, 500) i
UNION ALL
SELECT (random() ^ 2 * 6000)::bigint, (random() ^ 3 * 6000)::bigint, now() - random() * interval '100 days', 'topic ' || i % 7
FROM generate_series(1, 60000) i;
SELECT influence_create_model('m', 'log', at => 'at', topic => 'topic', score_tolerance => 0);
SELECT influence_create_model('n', 'log', score_tolerance => 0);
SELECT influence_alter_model('m', keep_history => '1 day');
SELECT influence_set_default('m');
SELECT influence_track('m'), influence_track('n');

CREATE VIEW published AS
    SELECT s.users, s.total, s.least, s.most, t.rows, t.total AS topics, h.run AS history, h.rows AS recorded, m.runs
    FROM (SELECT count(*) AS users, sum(influence::numeric) AS total, min(score) AS least, max(score) AS most FROM m_scores) s,
         (SELECT count(*) AS rows, sum(influence::numeric) AS total FROM m_topics) t,
         (SELECT max(run) AS run, count(*) AS rows FROM m_history) h,
         (SELECT runs FROM influence_models WHERE name = 'm') m;
CREATE TABLE noted (LIKE published, PRIMARY KEY (runs));
CREATE FUNCTION refresh() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM influence_refresh('m', 'auto');
    INSERT INTO noted TABLE published;
END
$$;

-- one statement each: its snapshot is what a reader sees
CREATE FUNCTION check_published() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    SELECT p AS seen, n AS noted, (SELECT max(run) FROM influence_runs WHERE model = 'm') AS run
    INTO r FROM published p LEFT JOIN noted n USING (runs);
    IF r.noted IS DISTINCT FROM r.seen THEN
        RAISE 'run % published %, seen is %', (r.seen).runs, r.noted, r.seen;
    ELSIF r.run <> (r.seen).runs OR (r.seen).history > r.run THEN
        RAISE 'last run is %, of the model %, in the history %', r.run, (r.seen).runs, (r.seen).history;
    ELSIF (r.seen).least < 1 OR (r.seen).most > 100 THEN
        RAISE 'scores from % to %', (r.seen).least, (r.seen).most;
    ELSIF (r.seen).total > (r.seen).users * (1 + 1e-6) THEN
        RAISE 'influence of % users sums to %', (r.seen).users, (r.seen).total;
    END IF;
    RETURN r.seen::text;
END
$$;
CREATE FUNCTION check_twice(pause float8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first text := check_published();
BEGIN
    PERFORM pg_sleep(pause);
    IF check_published() <> first THEN
        RAISE 'one snapshot has seen two runs';
    END IF;
END
$$;
CREATE FUNCTION check_history() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT count(*) INTO wrong
    FROM (SELECT DISTINCT ON (user_id) user_id, score FROM m_history ORDER BY user_id, run DESC) h
    RIGHT JOIN m_scores s USING (user_id)
    WHERE h.score IS DISTINCT FROM s.recorded OR abs(s.score - s.recorded) >= 0.0100001
       OR influence_score(user_id, 'm') IS DISTINCT FROM s.score;
    IF wrong > 0 THEN
        RAISE 'the history of % users does not end at their score', wrong;
    END IF;
    SELECT count(*) INTO wrong FROM (SELECT user_id FROM m_scores GROUP BY 1 HAVING count(*) > 1) d;
    IF wrong > 0 THEN
        RAISE '% users have several scores', wrong;
    END IF;
END
$$;
CREATE FUNCTION check_one(id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(influence_score(id), 0) NOT BETWEEN 1 AND 100 THEN
        RAISE 'user % has score %', id, influence_score(id);
    END IF;
END
$$;
SELECT refresh(), influence_refresh('n');
SQL

# Bytes of a table, and of its indexes.
sub size
{
	my ($table) = @_;
	return split /\|/, $node->safe_psql('postgres', "SELECT pg_table_size('$table'), pg_indexes_size('$table')");
}

my $dir = PostgreSQL::Test::Utils::tempdir();

sub script
{
	my ($name, $text) = @_;
	append_to_file("$dir/$name.sql", $text);
	return "$dir/$name.sql";
}

# Writers: a transaction locks at most one row that was there before, so that
# they do not wait for each other in circles.
my $row = "now() - :age * interval '1 hour', 'topic ' || :id % 7";
my $sets = <<'SQL';
\set what random(1, 12)
\set id random(501, 60000)
\set s random(101, 6000)
\set t random_exponential(101, 6000, 5)
\set age random(0, 500)
SQL
my $short = script('short', <<"SQL");
$sets
\\if :what <= 5
INSERT INTO log (source, target, at, topic) VALUES (:s, :t, $row);
\\elif :what <= 8
UPDATE log SET target = :t WHERE id = :id;
\\elif :what <= 10
DELETE FROM log WHERE id = :id;
\\else
INSERT INTO log (source, target, at, topic) SELECT :s + i, :t, $row FROM generate_series(1, 50) i;
\\endif
SQL
my $long = script('long', <<"SQL");
$sets
BEGIN;
INSERT INTO log (source, target, at, topic) SELECT :s, :t + i, $row FROM generate_series(1, 5) i;
SAVEPOINT s;
UPDATE log SET target = :t, topic = 'undone' WHERE id = :id;
INSERT INTO log (source, target, at, topic) VALUES (1, 2, $row);
\\sleep 100 ms
ROLLBACK TO s;
SAVEPOINT t;
DELETE FROM log WHERE id = :id;
RELEASE t;
\\sleep 400 ms
\\if :what <= 4
ROLLBACK;
\\else
COMMIT;
\\endif
SQL

my @clients = (
	# name, script, clients, least transactions a second (all), options
	[ 'short writers', $short, 2, 20, '-R', '200' ],
	[ 'long writers', $long, 3, 1 ],
	[ 'look-ups', script('one', "\\set id random(1, 100)\nSELECT check_one(:id);\n"), 2, 50, '-M', 'prepared', '-R', '400' ],
	[ 'top of the table', script('top', "SELECT user_id, score FROM m_scores ORDER BY score DESC LIMIT 10;\n"), 1, 10, '-R', '50' ],
	[ 'one run', script('published', "SELECT check_published();\n"), 1, 2, '-R', '20' ],
	[ 'one snapshot', script('twice', "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT check_twice(1.2);\nCOMMIT;\n"), 2, 0.2 ],
	[ 'history', script('history', "SELECT check_history();\n\\sleep 500 ms\n"), 1, 0.2 ],
	[ 'refreshes', script('refresh', "SELECT refresh();\n\\sleep 300 ms\n"), 1, 0.2 ],
	[ 'refreshes of another model', script('other', "SELECT influence_refresh('n');\n\\sleep 1000 ms\n"), 1, 0.1 ],
	[ 'tracking of it', script('track', "\\sleep 1500 ms\nSELECT influence_untrack('n');\n\\sleep 1000 ms\nSELECT influence_track('n');\n"), 1, 0.1 ]);

my @run;
for my $client (@clients)
{
	my ($name, $script, $n, $least, @options) = @$client;
	my %run = (name => $name, least => $least, out => '');
	$run{run} = IPC::Run::start(
		[ 'pgbench', '-n', '-T', $seconds, '-c', $n, '-f', $script, @options, $node->connstr('postgres') ],
		'<', \undef, '>&', \$run{out}, IPC::Run::timeout($seconds + 300));
	push @run, \%run;
}
for my $run (@run)
{
	$run->{run}->finish;
	my ($done) = $run->{out} =~ /number of transactions actually processed: (\d+)/;
	$done //= 0;
	is($run->{run}->result(0), 0, "$run->{name}: no error") or diag($run->{out});
	cmp_ok($done, '>=', $run->{least} * $seconds, "$run->{name}: $done transactions");
	$say->("$run->{name}: $done transactions");
}
my %size = map { $_ => [ size($_) ] } qw(m_scores m_topics m_graph m_queue n_scores);

# In the log of the server: that autovacuum makes way, that what is popular has
# outgrown the scales of the first run, and nothing else.
my @errors = grep { /\b(ERROR|FATAL|PANIC|WARNING|TRAP)\b/ && !/ERROR:  canceling autovacuum task|WARNING:  .* beyond the end of (the|their) scales?/ }
  split /\n/, slurp_file($node->logfile);
is(join("\n", @errors), '', 'no error, no warning in the log of the server');
is($node->safe_psql('postgres', "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"), '0', 'no deadlock');
is($node->safe_psql('postgres', "SELECT count(*) FROM influence_runs WHERE error IS NOT NULL"), '0', 'no run failed');
$say->($node->safe_psql('postgres', "SELECT model, mode, count(*), round(avg(extract(epoch FROM finished_at - started_at) * 1000)) AS ms, max(nodes) FROM influence_runs GROUP BY 1, 2 ORDER BY 1, 2"));

# What is left is right: a refresh of what changed, one of everything, and a
# model that has just been made.
my $differing = <<'SQL';
SELECT count(*) FILTER (WHERE a.audience IS DISTINCT FROM b.audience OR a.influence IS NULL OR b.influence IS NULL
	OR abs(a.influence - b.influence) > 1e-6 * (1 + b.influence)), count(*) > 5000
SQL
my $as_of = $node->safe_psql('postgres', 'SELECT now()');
$node->safe_psql('postgres', <<"SQL");
SELECT influence_track('n');
SELECT influence_refresh('m', 'auto', '$as_of'), influence_refresh('n', 'auto', '$as_of');
CREATE TABLE auto AS TABLE m_scores;
SELECT influence_refresh('m', 'full', '$as_of');
SELECT influence_create_model('fresh', 'log', at => 'at', topic => 'topic'), influence_create_model('fresh_n', 'log');
SELECT influence_refresh('fresh', 'full', '$as_of'), influence_refresh('fresh_n', 'full', '$as_of');
SQL
is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM m_queue), (SELECT count(*) FROM n_queue)'), '0|0', 'no change is left');
is($node->safe_psql('postgres', "$differing FROM m_scores a FULL JOIN fresh_scores b USING (user_id)"), '0|t', 'scores are those of a fresh model');
is($node->safe_psql('postgres', "$differing FROM m_topics a FULL JOIN fresh_topics b USING (topic, user_id)"), '0|t', 'by topic, too');
is($node->safe_psql('postgres', "$differing FROM n_scores a FULL JOIN fresh_n_scores b USING (user_id)"), '0|t', 'and of the other model');
is($node->safe_psql('postgres', <<'SQL'), '0|t', 'what changed was enough');
SELECT count(*) FILTER (WHERE a.audience IS DISTINCT FROM b.audience OR abs(a.score - b.score) > 0.01 OR a.score IS NULL OR b.score IS NULL), count(*) > 5000
FROM auto a FULL JOIN m_scores b USING (user_id)
SQL

# Bloat: against what the tables take when each row is there once.  A refresh a
# second writes nearly all rows anew.  Room for another version is there again
# when nobody's snapshot sees the old one (here that is some two seconds, and as
# long as autovacuum takes to come round): five versions or so, and indexes that
# have been split for them do not shrink.
for my $table (qw(m_scores m_topics m_graph n_scores))
{
	$node->safe_psql('postgres', "VACUUM FULL $table");
	my ($heap, $index) = @{ $size{$table} };
	my ($least_heap, $least_index) = size($table);
	cmp_ok($heap + $index, '<=', 12 * ($least_heap + $least_index), "$table is bounded");
	$say->(sprintf '%s: table %d kB, %.1f times the least; indexes %d kB, %.1f times', $table, $heap / 1024, $heap / $least_heap, $index / 1024, $index / $least_index);
}
$say->("m_queue: $size{m_queue}[0] bytes");

finish_cluster($node);
done_testing();
