# A refresh that fails is recorded by a background worker, whatever the role
# and the database are set to; without a worker it just fails.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_cluster('failed', conf => "max_logical_replication_workers = 0\nmax_worker_processes = 0\n");
my $setup = <<'SQL';
CREATE TABLE negative AS SELECT 1 AS source, 2 AS target, -1 AS weight;
SELECT influence_create_model('model', 'negative', weight => 'weight');
SQL
$node->safe_psql('postgres', $setup);
my $message = qr/^22003: interaction from 1 to 2 has weight -1$/;

sub failures
{
	my ($db) = @_;
	return $node->safe_psql($db // 'postgres', 'SELECT count(*) FROM influence_failure');
}

# No worker to be had.
my $offset = -s $node->logfile;
like(statement_error($node, "SELECT influence_refresh('model')"), $message, 'without a worker the error is the same');
like(slurp_file($node->logfile, $offset), qr/LOG:  could not record that a refresh of model "model" failed\n.*HINT:  .*max_worker_processes/, 'the log says that it is not recorded');
is(failures(), '0', 'nothing is recorded');
is(leftovers($node), '', 'nothing is left behind');
is($node->safe_psql('postgres', <<'SQL'), 'after', 'the transaction can go on');
DO $$ BEGIN PERFORM influence_refresh('model'); EXCEPTION WHEN numeric_value_out_of_range THEN END $$;
SELECT 'after';
SQL
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;

# The session ends with the error.
for my $n (1 .. 5)
{
	like(statement_error($node, "SELECT influence_refresh('model')"), $message, 'an error');
	ok(wait_for($node, "SELECT count(*) = $n FROM influence_runs WHERE run = 0 AND status = 'failed' AND model = 'model'"), 'it is recorded though the session has ended');
}
is(leftovers($node), '', 'nothing is left behind');

# A session that is terminated has no error to record.
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW slow AS SELECT source, target FROM negative WHERE pg_sleep(60) IS NOT NULL;
SELECT influence_create_model('slow', 'slow');
SQL
my $session = begin_session($node, "SELECT influence_refresh('slow')");
ok(wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 'a refresh runs');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . query_pid($node) . ')');
isnt((end_session($session))[0], 0, 'it is terminated');
like(statement_error($node, "SELECT influence_refresh('model')"), $message, 'another fails');
ok(wait_for($node, 'SELECT max(failure) = 6 FROM influence_failure'), 'that is recorded');
is(failures(), 6, 'the one that was terminated is not');

# Roles that may not log in, or not once more; a database with settings in the
# way; the extension in a schema of its own.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE only_once LOGIN CONNECTION LIMIT 1;
CREATE ROLE group_of_it ROLE only_once;
CREATE DATABASE odd;
REVOKE CONNECT ON DATABASE odd FROM PUBLIC;
GRANT CONNECT ON DATABASE odd TO only_once;
ALTER DATABASE odd SET default_transaction_read_only = on;
ALTER DATABASE odd SET default_transaction_isolation = 'serializable';
ALTER DATABASE odd SET row_security = off;
ALTER DATABASE odd SET search_path = 'hostile', 'pg_catalog';
ALTER DATABASE odd SET statement_timeout = '1ms';
SQL
sub odd
{
	return "SET statement_timeout = 0; SET default_transaction_read_only = off; SET search_path = 'public', 'Odd schema';" . $_[0];
}
$node->safe_psql('odd', odd(<<"SQL"));
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.max(bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RAISE ''a trap''; END';
CREATE FUNCTION hostile.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''a trap''; END';
CREATE OPERATOR hostile.= (FUNCTION = hostile.equal, LEFTARG = text, RIGHTARG = text);
CREATE SCHEMA "Odd schema";
CREATE EXTENSION influence SCHEMA "Odd schema";
$setup
GRANT USAGE ON SCHEMA "Odd schema" TO PUBLIC;
GRANT SELECT ON "Odd schema".influence_failure TO only_once;
GRANT ALL ON negative, model_scores, model_history TO group_of_it;
SQL
like(statement_error($node, odd("SET ROLE group_of_it; SELECT influence_refresh('model')"), db => 'odd', extra_params => [ '-U', 'only_once' ]),
	$message, 'an error in a database full of hindrances');
ok(wait_for($node, odd("SELECT count(*) = 1 FROM influence_failure WHERE status = 'failed'"), 'odd'), 'is recorded');

# A model that is dropped while a failure is on its way to be recorded: hold
# the worker up by a lock on the table.  Whichever of them comes first, nothing
# of the model is left.
my $holder = begin_session($node, 'BEGIN', 'LOCK TABLE influence_failure', 'SELECT pg_sleep(120)');
ok(wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 'the table is locked');
like(statement_error($node, "SELECT influence_refresh('model')"), $message, 'the error does not wait for the record');
ok(wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'influence' AND wait_event_type = 'Lock'"), 'the worker waits');
my $drop = begin_session($node, "SELECT influence_drop_model('model')");
ok(wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%drop\\_model%' AND wait_event = 'object' AND pid <> pg_backend_pid()"),
	'who drops the model waits for the worker');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
end_session($holder);
is((end_session($drop))[0], 0, 'it is dropped');
is(failures(), '0', 'with its failures');
ok(wait_for($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'influence'"), 'no worker is left');
is(leftovers($node), '', 'nothing is left behind');

finish_cluster($node);
done_testing();
