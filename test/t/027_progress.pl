# What other sessions see of a refresh while it runs.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_cluster('progress');

# A source that stops to be looked at after 3000 of its rows.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE gate (n int);
CREATE FUNCTION stop_at(n bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF n = 3000 THEN
        PERFORM pg_advisory_lock_shared(1);
        PERFORM pg_advisory_unlock_shared(1);
    END IF;
    RETURN true;
END
$$;
CREATE VIEW interactions AS SELECT n AS source, n % 100 AS target FROM generate_series(1::bigint, 5000) n WHERE stop_at(n);
SELECT influence_create_model('model', 'interactions');
CREATE ROLE nobody LOGIN;
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM influence_progress'), '0', 'nothing runs');

my $gate = $node->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(1)');
my $session = begin_session($node, "SELECT influence_refresh('model')");
ok(wait_for($node, "SELECT phase = 'reading interactions' AND done = 2048 FROM influence_progress"), 'it reads');
is($node->safe_psql('postgres', 'SELECT model, total, pid <> pg_backend_pid() FROM influence_progress'),
	'model||t', 'the model is named; how much there is to read is not known of a view');
is($node->safe_psql('postgres', 'SELECT count(*) FROM influence_progress', extra_params => [ '-U', 'nobody' ]),
	'0', 'another role does not see it');
$gate->query_safe('SELECT pg_advisory_unlock(1)');
is((end_session($session))[0], 0, 'it ends');
is($node->safe_psql('postgres', 'SELECT count(*) FROM influence_progress'), '0', 'nothing runs any more');

# While it publishes it waits for a row that somebody is changing.
$node->safe_psql('postgres', 'CREATE TABLE log AS SELECT source, target FROM interactions');
$node->safe_psql('postgres', "SELECT influence_alter_model('model', interactions => 'log', pair_weight => 'linear', damping => 0.3)");
$node->safe_psql('postgres', 'INSERT INTO log SELECT n, 7 FROM generate_series(1, 1000) n');
$gate->query_safe('BEGIN');
$gate->query_safe('UPDATE model_scores SET score = 50 WHERE user_id = 4000');
$session = begin_session($node, "SELECT influence_refresh('model')");
ok(wait_for($node, "SELECT phase = 'publishing scores' AND done < total AND total = 5001 FROM influence_progress"), 'it publishes');
$gate->query_safe('ROLLBACK');
$gate->quit;
is((end_session($session))[0], 0, 'it ends');

# A failure leaves nothing behind.
$session = begin_session($node, 'SET statement_timeout = 200', 'SELECT pg_advisory_lock(1)',
	"SELECT influence_alter_model('model', interactions => 'interactions')", 'BEGIN',
	"SELECT influence_refresh('model') FROM pg_sleep(10)");
isnt((end_session($session))[0], 0, 'it is cancelled');
is($node->safe_psql('postgres', 'SELECT count(*) FROM influence_progress'), '0', 'nothing runs after a cancel');

finish_cluster($node);
done_testing();
