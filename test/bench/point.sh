#!/bin/bash
# One score: a prepared call against a prepared primary-key lookup, by pgbench
# with one client.  A round trip costs most of it; in pipelines of a hundred
# statements the server's work shows.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
users=500000 seconds=${SECONDS_EACH:-2}

# Ids without gaps, so that pgbench can draw them.
sql "DROP TABLE IF EXISTS dense"
"${psql[@]}" -c "CREATE TABLE dense AS SELECT i % $users + 1 AS src, (i * 7919 + 13) % $users + 1 AS dst FROM generate_series(1::bigint, 2 * $users) i" \
	-c "SELECT influence_drop_model(name) FROM influence_models WHERE name = 'dense'" \
	-c "$(create dense dense)" -c "SELECT influence_refresh('dense', $as_of)" -c "SELECT influence_set_default('dense')" \
	-c 'VACUUM (FREEZE, ANALYZE) dense_scores' >/dev/null

single() { printf '\\set id random(1, %s)\n%s;\n' "$users" "$1"; }
piped() {
	printf '%s\n' '\startpipeline'
	for ((i = 0; i < 100; i++)); do single "$1"; done
	printf '%s\n' '\endpipeline'
}
key='SELECT score FROM dense_scores WHERE user_id = :id'
call='SELECT influence_score(:id::bigint)'
named="SELECT influence_score(:id::bigint, 'dense')"
for form in single piped; do
	"$form" "$key" >"$TMPDIR/key_$form.sql"
	"$form" "$call" >"$TMPDIR/call_$form.sql"
	"$form" "$named" >"$TMPDIR/named_$form.sql"
done
for ((round = 0; round <= RUNS; round++)); do
	for form in single piped; do
		for what in key call named; do
			latency=$(pgbench -n -M prepared -T "$((round ? seconds : 1))" -f "$TMPDIR/${what}_$form.sql" 2>&1 |
				awk '/^latency average/ { print $4 * 1000 }')
			((round == 0)) || echo "${what}_$form $latency" >>"$times"
		done
	done
done
row 'one score / one primary-key lookup, prepared' call_single key_single '<=1.0' '' µs
row '  the same, the model named' named_single key_single '' '' µs
row '  a hundred of them in a pipeline' call_piped key_piped '' '' µs
row '  the same, the model named' named_piped key_piped '' '' µs
sql "SELECT influence_drop_model('dense')" >/dev/null
