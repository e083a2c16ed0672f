#!/bin/bash
# Whom to seed: how far the seeds reach and how long the choice takes, by one
# process.  A graph of the size of NetHEPT (hept.c), 50 seeds and the default
# arguments; then the R-MAT graph, from when it is decoded.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
need_graph edges pair
gcc -O2 -Wall -o "$TMPDIR/hept" test/bench/hept.c
sql 'DROP TABLE IF EXISTS maximize, coauthors'
sql 'CREATE TABLE coauthors (a bigint, b bigint)'
"$TMPDIR/hept" "$SEED" | "${psql[@]}" -c '\copy coauthors from pstdin (format csv)'
sql "CREATE TABLE maximize AS SELECT 'hept' AS name, influence_graph_agg(a, b) AS g FROM coauthors
	UNION ALL SELECT 'rmat', influence_graph_agg(src, dst) FROM edges WHERE src <> dst"

# What influence_maximize says of itself, as lines "name_stage milliseconds".
choose() {	# NAME GRAPH ARGUMENTS WORKERS
	"${psql[@]}" -c "SET max_parallel_maintenance_workers = $4" -c 'SET client_min_messages = debug1' \
		-c "SELECT count(*) FROM maximize, influence_maximize(g, 50, $3) WHERE name = '$2'" 2>&1 >/dev/null |
		sed -nE 's/.*decode ([0-9.]+) ms, prepare ([0-9.]+) ms, find ([0-9.]+) ms; (.*)/\1 \2 \3 \4/p' |
		tee -a "$TMPDIR/chosen.$1" |
		awk -v name="$1" '{ print name "_all", $1 + $2 + $3; print name "_loaded", $2 + $3; print name "_decode", $1 }' >>"$times"
}
for ((round = 1; round <= RUNS; round++)); do
	choose hept hept "seed => $round" 0
	choose rmat_half rmat "epsilon => 0.5, seed => $round" 0
	choose rmat rmat "seed => $round" 0
	choose rmat_workers rmat "seed => $round" 1
	# reach, judged by simulation; 20 times the samples find the best known
	sql "SELECT 'reach ' || d.spread, 'best ' || b.spread, 'audience ' || a.spread, 'pagerank ' || p.spread
		FROM maximize,
			influence_spread(g, ARRAY(SELECT node FROM influence_maximize(g, 50, seed => $round)), simulations => 20000) d,
			influence_spread(g, ARRAY(SELECT node FROM influence_maximize(g, 50, epsilon => 0.1 / sqrt(20), seed => $round)), simulations => 20000) b,
			influence_spread(g, ARRAY(SELECT node FROM influence_nodes(g) ORDER BY in_degree DESC, node LIMIT 50), simulations => 20000) a,
			influence_spread(g, ARRAY(SELECT node FROM influence_pagerank(g, tolerance => 1e-7) ORDER BY rank DESC, node LIMIT 50), simulations => 20000) p
		WHERE name = 'hept'" | tr '|' '\n' >>"$times"
done
seconds() { awk -v ms="$(median "$1")" 'BEGIN { print ms / 1000 }'; }
limit=''
((SCALE != 18)) || limit='<=0.1'
row '50 seeds, 15,229 nodes: reach / with 20 times the samples' reach best '>=0.99' '' users
row '  the same / the 50 with the largest audience' reach audience '>=1' '' users
row '  the same / the 50 with the highest PageRank' reach pagerank '>=1' '' users
result '  seconds for it' "$(seconds hept_all)" '<=0.2' '' "$(unit "$(median hept_all)" ms)" ''
result '50 seeds, R-MAT, epsilon 0.5: seconds once decoded' "$(seconds rmat_half_loaded)" "$limit" '' \
	"$(unit "$(median rmat_half_loaded)" ms)" "$(unit "$(median rmat_half_decode)" ms)"
row '50 seeds, R-MAT: one worker / none' rmat_workers_loaded rmat_loaded '' ''
for name in hept rmat_half rmat rmat_workers; do
	note "$name: $(tail -n 1 "$TMPDIR/chosen.$name" | cut -d ' ' -f 4-)"
done
