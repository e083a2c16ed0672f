# Scores outlive a restart; a hot standby answers for them, follows, and does
# not refresh.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = start_cluster('primary', init => { allows_streaming => 1 });
make_interactions($primary, 'interactions', rows => 50_000, users => 5_000);
$primary->safe_psql('postgres', <<'SQL');
SELECT influence_create_model('model', 'interactions', network => 'kind');
SELECT influence_refresh('model');
SQL

my $bulk = "SELECT count(influence_score(user_id, 'model')), bool_and(influence_score(user_id, 'model') = score),"
  . " md5(string_agg(influence_score(user_id)::text, ' ' ORDER BY user_id)) FROM model_scores";
my $one = 'SELECT influence_score(user_id) = score FROM model_scores ORDER BY score DESC LIMIT 1';
my $explained = "SELECT count(*), md5(string_agg(e::text, ' ')), abs(sum(e.influence) / s.influence - 1) < 1e-9"
  . " FROM (SELECT * FROM model_networks ORDER BY influence DESC LIMIT 1) s, LATERAL influence_explain(s.user_id, network => s.network) e"
  . " GROUP BY s.influence UNION ALL SELECT count(*), md5(string_agg(h::text, ' ')), true"
  . " FROM (SELECT user_id FROM model_scores ORDER BY influence DESC LIMIT 10) s, LATERAL influence_history(s.user_id) h";
my $before = $primary->safe_psql('postgres', $bulk);
my $reasons = $primary->safe_psql('postgres', $explained);
like($reasons, qr/^[1-9]\d+\|.*\|t\n10\|/, 'explanations add up');
like($before, qr/^\d+\|t\|/, 'scores, one by one and many at a time');

$primary->restart;
is($primary->safe_psql('postgres', $bulk), $before, 'after a restart');
$primary->stop('immediate');
$primary->start;
is($primary->safe_psql('postgres', $bulk), $before, 'after a crash');
is($primary->safe_psql('postgres', $explained), $reasons, 'explanations too');

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));

is($standby->safe_psql('postgres', $bulk), $before, 'a standby answers for many');
is($standby->safe_psql('postgres', $one), 't', 'and for one');
is($standby->safe_psql('postgres', $explained), $reasons, 'and explains');
is($standby->safe_psql('postgres', 'SELECT influence_score(424242424242)'), '', 'and for nobody');
is($standby->safe_psql('postgres', 'SELECT name, runs FROM influence_models'), 'model|1', 'it knows the model');

for my $call ("influence_refresh('model')", "influence_rescale('model')", "influence_set_default('model')",
	"influence_drop_model('model')", "influence_create_model('x', 'interactions')",
	"influence_alter_model('model', damping => 0.4)", "influence_schedule('model', '* * * * *')", "influence_unschedule('model')")
{
	like(statement_error($standby, "SELECT $call"), qr/^25006: cannot execute .* in a read-only transaction/, "a standby refuses $call");
	like(statement_error($primary, "BEGIN READ ONLY; SELECT $call"), qr/^25006: cannot execute .* in a read-only transaction/,
		"a read-only transaction refuses $call");
}

# A session of the standby that has asked before sees the next refresh, and
# that another model is meant.
my ($in, $out, $err) = ('', '', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $standby->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));

sub ask
{
	my ($sql) = @_;
	$out = $err = '';
	$in .= "$sql;\n\\echo done\n";
	$psql->pump until $out =~ /done\n/;
	$out =~ s/\n?done\n//;
	return $out . $err;
}

is(ask($bulk), $before, 'a session of the standby');
$primary->safe_psql('postgres', <<'SQL');
INSERT INTO interactions (source, target) SELECT n, 4242 FROM generate_series(1, 3000) n;
SELECT influence_refresh('model');
SQL
my $after = $primary->safe_psql('postgres', $bulk);
isnt($after, $before, 'scores changed');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is(ask($bulk), $after, 'the session of the standby sees the new ones');
my $new_reasons = $primary->safe_psql('postgres', $explained);
isnt($new_reasons, $reasons, 'explanations changed');
is(ask($explained), $new_reasons, 'and explains those');
is(ask('SELECT count(*) FROM influence_changes(4242)'), $primary->safe_psql('postgres', 'SELECT count(*) FROM influence_changes(4242)'),
	'and what changed');
is(ask('SELECT influence_score(4242)'), $primary->safe_psql('postgres', 'SELECT influence_score(4242)'), 'one by one too');

$primary->safe_psql('postgres', <<'SQL');
CREATE VIEW upside_down AS SELECT source AS target, target AS source FROM interactions;
SELECT influence_create_model('other', 'upside_down');
SELECT influence_refresh('other');
SELECT influence_set_default('other');
SQL
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is(ask('SELECT influence_score(4242)'), $primary->safe_psql('postgres', "SELECT influence_score(4242, 'other')"),
	'the session of the standby learns of a new default');
$primary->safe_psql('postgres', "SELECT influence_drop_model('other')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
like(ask("SELECT influence_score(4242, 'other')"), qr/42704: model "other" does not exist/, 'and that it is gone');
is(ask('SELECT influence_score(4242)'), $primary->safe_psql('postgres', "SELECT influence_score(4242, 'model')"), 'and which one is left');
$in .= "\\q\n";
$psql->finish;

# The standby takes over.
finish_cluster($primary);
$standby->promote;
is($standby->safe_psql('postgres', $bulk), $after, 'a promoted standby answers');
is($standby->safe_psql('postgres', $explained), $new_reasons, 'and explains');
is($standby->safe_psql('postgres', "SELECT run, changed > 0 FROM influence_refresh('model', as_of => now())"), '3|f', 'and refreshes');

finish_cluster($standby);
done_testing();
