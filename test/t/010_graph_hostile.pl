# Binary input of graph values: whatever the bytes, the server gives either an
# error or a value that is exactly those bytes again; it never crashes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $mutations = 6000;
srand(20240229);

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION influence');

# valid values of every weight class
my @valid = map { pack('H*', $_) } split /\n/, $node->safe_psql(
	'postgres', q{
SELECT encode(influence_graph_send(g), 'hex') FROM (VALUES
	('{}'::influence_graph), ('{7}'), ('{1>2}'), ('{1>2,1>3:2.5,7}'), ('{1>1:4,2>1:4}'),
	('{-9223372036854775808>9223372036854775807:0.1,3>4:5}'),
	('{1>2:9007199254740992,2>1:1,300>1:300,-1}'), ('{1>2:0.5,2>3:0.25,3>1:8}')) AS v(g)
UNION ALL
SELECT encode(influence_graph_send(influence_graph_agg(i * i % 23, i % 19 * 1000,
	CASE k WHEN 0 THEN 1 WHEN 1 THEN i WHEN 2 THEN i / 4.0 ELSE 1.0 / i END)), 'hex')
FROM generate_series(0, 3) AS k, generate_series(1, 60) AS i GROUP BY k
});
is(scalar @valid, 12, 'valid values');

# One file of COPY BINARY for each value: a row of one column.
my $dir = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $dir;

sub write_file
{
	my ($n, $bytes) = @_;
	open my $file, '>:raw', "$dir/$n" or die "$dir/$n: $!";
	print $file "PGCOPY\n\xff\r\n\0", pack('N N n N', 0, 0, 1, length $bytes),
	  $bytes, pack('n', 0xffff);
	close $file;
	chmod 0644, "$dir/$n";
	return;
}

sub mutate
{
	my ($bytes) = @_;
	my @special = (0x00, 0x01, 0x7f, 0x80, 0x81, 0xff);

	for (1 .. 1 + int rand 3)
	{
		my $length = length $bytes;
		my $at = int rand($length || 1);
		my $how = int rand 8;

		if ($how == 0 && $length)
		{
			substr($bytes, $at, 1) ^= chr(1 << int rand 8);
		}
		elsif ($how == 1 && $length)
		{
			substr($bytes, $at, 1) = chr $special[ rand @special ];
		}
		elsif ($how == 2)
		{
			$bytes = substr $bytes, 0, $at;
		}
		elsif ($how == 3)
		{
			$bytes .= join '', map { chr int rand 256 } 0 .. rand 4;
		}
		elsif ($how == 4 && $length)
		{
			substr($bytes, $at, 1 + int rand 4) = '';
		}
		elsif ($how == 5)
		{
			substr($bytes, $at, 0) = chr($special[ rand @special ]) x (1 + rand 12);
		}
		elsif ($how == 6 && $length >= 12)
		{
			# the counts of the header
			substr($bytes, 4 + 4 * int(rand 2), 4) =
			  pack 'N', (0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff)[ rand 6 ];
		}
		elsif ($length > 20)
		{
			my $from = int rand($length - 8);
			substr($bytes, $at, 4) = substr $bytes, $from, 1 + int rand 7;
		}
	}
	return $bytes;
}

my $n = 0;
write_file(++$n, $_) for @valid;
for my $i (1 .. $mutations)
{
	write_file(++$n, mutate($valid[ rand @valid ]));
}

$node->safe_psql(
	'postgres', qq{
CREATE TABLE result (n int, state text, message text, bytes boolean, text boolean, decoded boolean);
CREATE TABLE loaded (g influence_graph);
DO \$\$
DECLARE
	file text;
	value influence_graph;
	bytes bytea;
BEGIN
	FOR n IN 1 .. $n LOOP
		file = '$dir/' || n;
		BEGIN
			EXECUTE format('COPY loaded FROM %L (FORMAT binary)', file);
			SELECT g INTO STRICT value FROM loaded;
			DELETE FROM loaded;
			-- header of the file, number of columns and length; trailer
			bytes = pg_read_binary_file(file);
			bytes = substr(bytes, 26, length(bytes) - 27);
			INSERT INTO result VALUES (n, '00000', NULL, influence_graph_send(value) = bytes,
				value::text::influence_graph = value,
				value + value = value * 2 AND
				(SELECT count(*) FROM influence_edges(value)) = influence_edge_count(value) AND
				(SELECT count(*) FROM influence_pagerank(value, max_iterations => 1000)) = influence_node_count(value));
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO result VALUES (n, SQLSTATE, SQLERRM);
			-- leaves a value that cannot be worked with to be seen below
		END;
	END LOOP;
END \$\$;
});

is($node->safe_psql('postgres', "SELECT count(*) FROM result WHERE n <= 12 AND state = '00000'"),
	12, 'valid values are accepted');
is($node->safe_psql('postgres', 'SELECT count(*) FROM result'), $n, 'every value had an outcome');
is($node->safe_psql('postgres',
		"SELECT n, state, message FROM result WHERE state NOT IN ('00000', '22P03', '08P01', '22003') LIMIT 10"),
	'', 'only expected errors');
# sums may overflow once a value is worked with, its bytes being in order
is($node->safe_psql('postgres',
		"SELECT n, message FROM result WHERE state = '22003' AND message !~ 'out of range' LIMIT 10"),
	'', 'out of range only where weights are');
is($node->safe_psql('postgres',
		"SELECT n, bytes, text, decoded FROM result WHERE state = '00000' AND NOT (bytes AND text AND decoded) LIMIT 10"),
	'', 'what is accepted round-trips');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM result WHERE state = '00000'"),
	'>', 100, 'some mutations are valid');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM result WHERE state <> '00000'"),
	'>', $mutations / 2, 'most are not');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|runtime error/, 'no crash');
note $node->safe_psql('postgres',
	"SELECT state, regexp_replace(message, '\\d+', 'N', 'g'), count(*) FROM result GROUP BY 1, 2 ORDER BY 3 DESC");

# binary copy out and in again
$node->safe_psql(
	'postgres', qq{
INSERT INTO loaded SELECT influence_graph_agg(i % 1000, i * 7919 % 1009, i % k + 1 / k::float8)
FROM generate_series(1, 5) AS k, generate_series(1, 5000) AS i GROUP BY k;
CREATE TABLE again (g influence_graph);
});
my $copy = $node->data_dir . '/graphs.bin';
$node->safe_psql('postgres', "COPY loaded TO '$copy' (FORMAT binary)");
$node->safe_psql('postgres', "COPY again FROM '$copy' (FORMAT binary)");
is($node->safe_psql('postgres', 'SELECT count(*) FROM loaded JOIN again ON loaded.g = again.g AND loaded.g::text = again.g::text'),
	5, 'binary copy out and in');

$node->stop;
done_testing();
