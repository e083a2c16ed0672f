# Incremental refreshes of tracked models tell what full ones of the same tables
# do, whatever happens to the interactions and however often.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use InfluenceTest;
use Test::More;

my $node = start_cluster('incremental', conf => "max_parallel_maintenance_workers = 0\nfsync = off\n");

$node->safe_psql('postgres', <<'SQL');
-- A number that looks random, from 0 to below n.
CREATE SEQUENCE dice;
CREATE FUNCTION rnd(n int) RETURNS int LANGUAGE sql VOLATILE AS
$$ SELECT ((hashint8extended(nextval('dice'), 42) & 1073741823) / 1073741824.0::float8 * n)::int % n $$;
-- Someone: the greater power is, the more often the same people.
CREATE FUNCTION someone(users int, power float8) RETURNS int LANGUAGE sql VOLATILE AS
$$ SELECT (users * (rnd(1000000) / 1e6) ^ power)::int $$;

CREATE TABLE variant (name text PRIMARY KEY, id text NOT NULL, users int NOT NULL, half_life interval, labelled boolean NOT NULL, made timestamptz, as_of timestamptz NOT NULL);

-- Rows of a variant's table; some are of a kind that does not count.
CREATE FUNCTION add_rows(v variant, n int, newcomers int, topic text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($sql$
		INSERT INTO log_%1$s (source, target, weight, at, kind, network, topic)
		SELECT %2$s, %3$s, CASE rnd(30) WHEN 0 THEN 0 ELSE (1 + rnd(900)) / 7.0 END, $3 - rnd(60 * 86400) * interval '1 second',
			(ARRAY['like', 'reply', 'share', NULL])[1 + rnd(4)], CASE WHEN rnd(20) = 0 THEN NULL ELSE (ARRAY['a', 'b', 'c'])[1 + rnd(3)] END,
			CASE rnd(6) WHEN 0 THEN NULL WHEN 1 THEN ARRAY['t1', 't2'] WHEN 2 THEN ARRAY[$4, 't1'] WHEN 3 THEN ARRAY['t3', NULL, $4] ELSE ARRAY['t' || rnd(6)] END
		FROM (SELECT CASE WHEN rnd(40) = 0 THEN NULL ELSE s END AS s, CASE rnd(40) WHEN 0 THEN NULL WHEN 1 THEN s ELSE t END AS t
			FROM (SELECT CASE WHEN i <= $2 THEN $5 + rnd(1000) ELSE someone($1, 1.5) END AS s,
					CASE WHEN i %% 2 = 0 AND i <= $2 THEN $5 + rnd(1000) ELSE someone($1, 2.5) END AS t
				FROM generate_series(1, $6) i) r) p
		$sql$, v.name, replace(v.id, '#', 's'), replace(v.id, '#', 't'))
	USING v.users, newcomers, v.as_of, topic, v.users + 1000 * (SELECT last_value FROM dice), n;
END
$$;

-- A table, two models of it, and what they start with.
CREATE FUNCTION begin_variant(name text, users int, rows int, arguments text, id text = '#::bigint * 7919 - 100000', id_type text = 'bigint',
	weight_type text = 'float8', more text = '') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v variant;
BEGIN
	v := (name, id, users, substring(arguments FROM 'half_life => ''([^'']*)''')::interval, arguments ~ 'network =>|topic =>', NULL, '2024-03-01 00:00+00');
	EXECUTE format('CREATE TABLE log_%s (id serial, source %s, target %2$s, weight %s, at timestamptz, kind text, network text, topic text[]) %s',
		name, id_type, weight_type, more);
	IF more <> '' THEN
		EXECUTE format('CREATE TABLE log_%s_1 PARTITION OF log_%1$s FOR VALUES IN (''like'', ''share'')', name);
		EXECUTE format('CREATE TABLE log_%s_2 PARTITION OF log_%1$s DEFAULT', name);
	END IF;
	PERFORM add_rows(v, rows, 0, 't0');
	EXECUTE format('SELECT influence_create_model(%L, %L %s)', name, 'log_' || name, arguments);
	EXECUTE format('SELECT influence_create_model(%L, %L %s)', name || '_twin', 'log_' || name, arguments);
	PERFORM influence_track(name), influence_refresh(name, as_of => v.as_of), influence_refresh(name || '_twin', as_of => v.as_of);
	INSERT INTO variant SELECT v.*;
END
$$;

-- Something of everything happens.
CREATE FUNCTION change_rows(v variant, k int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	gone text;
BEGIN
	PERFORM add_rows(v, 20 + rnd(30), 5, 'new ' || k);
	EXECUTE format('UPDATE log_%s SET target = %s, weight = CASE rnd(4) WHEN 0 THEN NULL ELSE 1 + rnd(9) END, topic = ARRAY[''t'' || rnd(6)] WHERE id %% 97 = %s',
		v.name, replace(v.id, '#', '(rnd(20) + 0 * id)'), rnd(97));
	EXECUTE format('UPDATE log_%s SET kind = ''share'', network = ''c'', at = at - interval ''1 day'' WHERE id %% 89 = %s', v.name, rnd(89));
	EXECUTE format('DELETE FROM log_%s WHERE id %% 61 = %s', v.name, rnd(61));
	-- all that somebody did and received, or all but one
	EXECUTE format('SELECT source::text FROM log_%s WHERE source IS NOT NULL ORDER BY id OFFSET %s LIMIT 1', v.name, rnd(500)) INTO gone;
	EXECUTE format('DELETE FROM log_%s WHERE source::text = $1 AND $2 > 0 OR target::text = $1', v.name) USING gone, rnd(3);
	-- there and back again
	EXECUTE format('WITH d AS (DELETE FROM log_%s WHERE id %% 53 = %s RETURNING *) INSERT INTO log_%1$s SELECT * FROM d', v.name, rnd(53));
	EXECUTE format('WITH i AS (INSERT INTO log_%s SELECT * FROM log_%1$s WHERE id %% 31 = 7 ORDER BY id LIMIT 15 RETURNING id) SELECT count(*) FROM i', v.name);
	IF k % 3 = 0 THEN
		EXECUTE format('DELETE FROM log_%s WHERE ctid IN (SELECT max(ctid) FROM log_%1$s GROUP BY id, tableoid HAVING count(*) > 1)', v.name);
	END IF;
END
$$;

-- Rows of two tables of scores that are not alike; activity and responses may
-- be off by aged where they only grew older, scores and percentiles by noticeable
-- and twice that.
CREATE FUNCTION unlike(a text, b text, facet text, aged float8, noticeable float8) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($sql$
		WITH a AS (SELECT *, %1$s AS facet FROM %2$s), b AS (SELECT *, %1$s AS facet FROM %3$s),
		pair AS (
			SELECT a.user_id AS au, b.user_id AS bu, coalesce(a.facet, b.facet) AS facet, a.score AS ascore, b.score AS bscore, a.influence AS ai, b.influence AS bi,
				a.percentile AS ap, b.percentile AS bp, %4$s AS topical,
				a.audience = b.audience AS same_audience,
				abs(a.activity - b.activity) <= greatest($1, 1e-9) * b.activity + 1e-12 AND abs(a.responses - b.responses) <= greatest($1, 1e-9) * b.responses + 1e-12 AS same_sums,
				100.0 * (rank() OVER (PARTITION BY b.facet ORDER BY b.influence) - 1) / count(b.user_id) OVER (PARTITION BY b.facet) AS least
			FROM a FULL JOIN b ON a.user_id = b.user_id AND a.facet = b.facet),
		ranged AS (
			SELECT *, 100.0 * count(bu) OVER (PARTITION BY facet ORDER BY bi RANGE BETWEEN UNBOUNDED PRECEDING AND 2e-5 FOLLOWING) AS most,
				count(bu) OVER (PARTITION BY facet) AS n
			FROM pair)
		SELECT nullif(concat_ws(', ',
			nullif(count(*) FILTER (WHERE au IS NULL), 0) || ' missing', nullif(count(*) FILTER (WHERE bu IS NULL), 0) || ' too many',
			nullif(count(*) FILTER (WHERE NOT same_audience), 0) || ' audiences', nullif(count(*) FILTER (WHERE NOT same_sums), 0) || ' sums',
			nullif(count(*) FILTER (WHERE abs(ascore - bscore) > $2 + 0.001), 0) || ' scores',
			nullif(count(*) FILTER (WHERE NOT topical), 0) || ' topic columns',
			nullif(count(*) FILTER (WHERE abs(ap - bp) > 2 * $2 + 0.01 AND (ap > most / n OR ap < least - 0.01
				- 100.0 * (SELECT count(*) FROM pair p WHERE p.facet = ranged.facet AND p.bi BETWEEN ranged.bi - 2e-5 AND ranged.bi) / n)), 0) || ' percentiles',
			CASE WHEN $2 = 0 AND sum(abs(ai - bi)) / count(*) > 1e-6 THEN 'influence off by ' || sum(abs(ai - bi)) / count(*) END), '')
		FROM ranged $sql$, coalesce(facet, '''all'''::text), a, b,
		CASE WHEN facet = 'topic' THEN 'abs(a.relevance - b.relevance) <= 1e-5 AND abs(a.engagement - b.engagement) <= 1e-5 * (1 + b.engagement) AND abs(a.enthusiasm - b.enthusiasm) <= 0.01' ELSE 'true' END)
	INTO result USING aged, noticeable;
	RETURN result;
END
$$;

-- Is what is said of who gives influence to some users the same?
CREATE FUNCTION unexplained(v variant, facet text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($sql$
		SELECT nullif(count(*), 0) || ' explanations'
		FROM (SELECT user_id, influence FROM %1$s_twin_scores WHERE influence > 0 ORDER BY hashtext(user_id::text || $1) LIMIT 5) u,
			LATERAL (SELECT sum(abs(coalesce(a.influence, 0) - coalesce(b.influence, 0))) AS off, sum(a.influence) AS total, count(*) FILTER (WHERE a.supporter IS NULL OR b.supporter IS NULL) AS others
				FROM influence_explain(u.user_id, '%1$s' %2$s) a
				FULL JOIN influence_explain(u.user_id, '%1$s_twin' %2$s) b
				ON (a.network, a.kind, a.supporter) IS NOT DISTINCT FROM (b.network, b.kind, b.supporter) AND a.supporter = b.supporter) e
		WHERE off > 1e-6 * (1 + u.influence) OR others > 0 OR (%3$s AND NOT abs(total - u.influence) <= 1e-6 * (1 + u.influence)) $sql$,
		v.name, facet, CASE facet WHEN '' THEN 'true' ELSE 'false' END)
	INTO result USING v.as_of::text;
	RETURN result;
END
$$;

-- One batch: changes, both refreshes, and how they differ ('' if they do not).
CREATE FUNCTION try(INOUT v variant, k int, since interval, noticeable float8, OUT run influence_run, OUT problems text) LANGUAGE plpgsql AS $$
DECLARE
	twin influence_run;
	queued bigint;
	aged float8 := 0;
	facets int;
BEGIN
	v.as_of := v.as_of + since;
	PERFORM change_rows(v, k);
	EXECUTE format('SELECT count(*) FROM %s_queue', v.name) INTO queued;
	SELECT r.* INTO run FROM influence_refresh(v.name, 'incremental', v.as_of) r;
	SELECT r.* INTO twin FROM influence_refresh(v.name || '_twin', 'full', v.as_of) r;
	IF v.half_life / 64 > since THEN aged := 0.0115; END IF;
	problems := concat_ws('; ',
		CASE WHEN run.mode <> 'incremental' THEN 'mode ' || run.mode END,
		CASE WHEN run.interactions <> queued THEN format('read %s of %s', run.interactions, queued) END,
		CASE WHEN (run.nodes, run.edges) <> (twin.nodes, twin.edges) THEN format('%s nodes and %s edges instead of %s and %s', run.nodes, run.edges, twin.nodes, twin.edges) END,
		CASE WHEN NOT (run.error_bound BETWEEN 0 AND 1e-6 AND run.converged) THEN 'error bound ' || run.error_bound END,
		unlike(v.name || '_scores', v.name || '_twin_scores', NULL, aged, noticeable), unexplained(v, ''));
	IF to_regclass(v.name || '_networks') IS NOT NULL THEN
		problems := concat_ws('; ', nullif(problems, ''), 'networks: ' || unlike(v.name || '_networks', v.name || '_twin_networks', 'network', 0, 0), unexplained(v, ', network => ''b'''));
	END IF;
	IF to_regclass(v.name || '_topics') IS NOT NULL THEN
		problems := concat_ws('; ', nullif(problems, ''), 'topics: ' || unlike(v.name || '_topics', v.name || '_twin_topics', 'topic', 0, 0), unexplained(v, ', topic => ''t1'''));
	END IF;
	SELECT count(*) INTO facets FROM (SELECT * FROM influence_scale WHERE model = v.name) a FULL JOIN (SELECT * FROM influence_scale WHERE model = v.name || '_twin') b
		USING (facet, name) WHERE a.model IS NULL OR b.model IS NULL OR abs(a.reference - b.reference) > 1e-6 * b.reference OR abs(a.c - b.c) > 1e-6 * b.c;
	problems := concat_ws('; ', nullif(problems, ''), nullif(facets, 0) || ' scales');
END
$$;
CREATE TABLE parent (topic text, parent text);
INSERT INTO parent VALUES ('t1', 'wide'), ('t2', 'wide'), ('wide', 'all'), ('new 3', 'wide'), ('t5', 'all');
SQL

my @moves = ('1 hour', '5 hours', '0', '2 days', '10 minutes', '40 days', '1 hour', '100 days', '3 hours', '1 day');

# name => [users, rows, arguments of both models, more of begin_variant, settings]
my @variants = (
	[ plain => 150, 1500, '' ],
	[ uniform => 150, 1500, ", restart => 'uniform', damping => 0.85" ],
	[ activity => 150, 1500, ", restart => 'activity', weight => 'weight', pair_weight => 'linear'" ],
	[ trusted => 150, 1500, ", restart => 'trusted', weight => 'weight', half_life => NULL, at => 'at'" ],
	[ weighted => 150, 1500, ", weight => 'weight'" ],
	[ numerics => 150, 1500, ", weight => 'weight'", "weight_type => 'numeric(20, 6)'" ],
	[ decaying => 150, 1500, ", weight => 'weight', at => 'at', half_life => '30 days'" ],
	[ ageing => 150, 1500, ", at => 'at', half_life => '30 days', pair_weight => 'linear', restart => 'uniform'" ],
	[ kinds => 150, 1500, ", kind => 'kind', kind_weights => '{\"like\": 0, \"reply\": 2.5}'" ],
	[ networks => 150, 1500, ", network => 'network', at => 'at', half_life => '30 days'" ],
	[ topics => 150, 1500, ", topic => 'topic', network => 'network', kind => 'kind', network_weights => '{\"a\": 0.25}'" ],
	[ wider => 150, 1500, ", topic => 'topic', topic_parents => 'parent', weight => 'weight', at => 'at', half_life => '30 days'" ],
	[ mixed => 150, 1500, ", mixture => '{\"rank\": 0.5, \"responses\": 0.3, \"audience\": 0.2}', weight => 'weight', topic => 'topic'" ],
	[ texts => 150, 1500, ", weight => 'weight'", "id => '''it''''s user ü'' || #', id_type => 'text'" ],
	[ uuids => 150, 1500, ", kind => 'kind'", "id => 'md5(''u'' || #)::uuid', id_type => 'uuid'" ],
	[ partitioned => 150, 1500, ", kind => 'kind', weight => 'weight'", "more => 'PARTITION BY LIST (kind)'" ],
	[ workers => 150, 4000, ", topic => 'topic', weight => 'weight', at => 'at', half_life => '30 days'", undef, 2 ],
	[ workers_plain => 150, 4000, '', undef, 2 ],
	[ large => 2500, 9000, ", at => 'at', half_life => '30 days', score_tolerance => 0.1", undef, 0, 0.1 ],
);
@variants = grep { my $v = $_; grep { $_ eq $v->[0] } split / /, $ENV{VARIANTS} } @variants if $ENV{VARIANTS};

for my $variant (@variants)
{
	my ($name, $users, $rows, $arguments, $more, $workers, $noticeable) = @$variant;
	$workers //= 0;
	$noticeable //= 0;
	my $sql = "SET max_parallel_maintenance_workers = $workers; SET client_min_messages = error; SET jit = off; SET enable_nestloop = off;\n";
	my $quoted = $arguments =~ s/'/''/gr;
	$sql .= "SELECT begin_variant('$name', $users, $rows, '$quoted'" . ($more ? ", $more" : '') . ");\n";
	for my $k (1 .. @moves)
	{
		$sql .= "SELECT concat('problem in batch $k: ', problems, E'\\n') FROM (SELECT t.*, (t.v).as_of FROM variant v, try(v, $k, '$moves[$k - 1]', $noticeable) t WHERE v.name = '$name') t WHERE problems <> '';\n";
		$sql .= "UPDATE variant SET as_of = as_of + '$moves[$k - 1]' WHERE name = '$name';\n";
	}
	my ($status, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 1);
	$out =~ s/^\s*\n//mg;
	is("$out$err", '', "$name: incremental refreshes tell what full ones do");
	my ($modes, $worked) = split /\|/, $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE mode = 'incremental'), sum(workers) FILTER (WHERE mode = 'incremental') FROM influence_run WHERE model = '$name'");
	is($modes, scalar @moves, "$name: refreshes were incremental");
	cmp_ok($worked, '>', 0, "$name: by several processes") if $workers;
}

# Errors do not add up: a thousand refreshes later they are what they were after
# ten.  Users whose weights differ much, and rows that come and go.
unless ($ENV{VARIANTS})
{
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE drift (id serial, source int, target int, weight float8, at timestamptz);
CREATE FUNCTION drift_rows(n int, as_of timestamptz) RETURNS void LANGUAGE sql AS $$
	DELETE FROM drift WHERE id IN (SELECT id FROM drift ORDER BY hashint8extended(id, nextval('dice')) LIMIT n);
	INSERT INTO drift (source, target, weight, at)
	SELECT rnd(60), someone(60, 2), 10 ^ (rnd(4000) / 1000.0 - 2), as_of - rnd(864000) * interval '1 second' FROM generate_series(1, n);
$$;
INSERT INTO drift (source, target, weight, at) SELECT rnd(60), someone(60, 2), 10 ^ (rnd(4000) / 1000.0 - 2), '2024-01-01 00:00+00'::timestamptz - rnd(864000) * interval '1 second' FROM generate_series(1, 600);
SELECT influence_create_model('drift', 'drift', weight => 'weight', at => 'at', half_life => '20 days', keep_graphs => 1, keep_history => '1 day');
SELECT influence_track('drift');
SELECT influence_refresh('drift', 'full', '2024-01-01 00:00+00');
SQL
	# what a full refresh finds, which is undone
	my $error = sub {
		my ($as_of) = @_;
		return split /\|/, $node->safe_psql('postgres', <<"SQL");
CREATE TABLE before AS TABLE drift_scores;
BEGIN;
SELECT FROM influence_refresh('drift', 'full', $as_of);
SELECT sum(abs(a.influence - b.influence)) / count(*), max(abs(a.responses / nullif(b.responses, 0) - 1)), count(*) - count(a.user_id) + count(*) - count(b.user_id)
FROM before a FULL JOIN drift_scores b USING (user_id);
ROLLBACK;
DROP TABLE before;
SQL
	};
	my $time = sub { "timestamptz '2024-01-01 00:00+00' + " . $_[0] . " * interval '20 minutes'" };
	my $refreshes = sub {
		my ($from, $to) = @_;
		my $sql = '';
		for my $k ($from .. $to)
		{
			my $as_of = $time->($k);
			$sql .= "SELECT drift_rows(3, $as_of);\nSELECT FROM influence_refresh('drift', 'incremental', $as_of);\n";
			$sql .= "VACUUM drift_scores, drift_queue, drift_graph, drift_history, drift, influence_model;\n" if $k % 100 == 0;
		}
		# the last one publishes all rows: it is half a day later
		my $as_of = $time->($to + 36);
		$node->safe_psql('postgres', "$sql SELECT FROM influence_refresh('drift', 'incremental', $as_of)");
	};
	$refreshes->(1, 10);
	my ($influence, $responses, $users) = $error->($time->(46));
	$refreshes->(47, 1046);
	my ($influence_later, $responses_later, $users_later) = $error->($time->(1082));
	note("error after 11 refreshes: influence $influence, responses $responses; after 1012: $influence_later, $responses_later");
	is("$users $users_later", '0 0', 'drift: the same users');
	cmp_ok($influence, '<=', 2e-7, 'drift: influence is right after ten refreshes');
	cmp_ok($influence_later, '<=', 2e-7, 'drift: and a thousand later');
	cmp_ok($responses, '<=', 1e-12, 'drift: responses are right after ten refreshes');
	cmp_ok($responses_later, '<=', 1e-11, 'drift: and a thousand later');
	is($node->safe_psql('postgres', "SELECT count(*) FROM influence_run WHERE model = 'drift' AND mode = 'incremental'"), '1012', 'drift: all were incremental');
}

finish_cluster($node);
done_testing();
