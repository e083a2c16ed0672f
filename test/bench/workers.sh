#!/bin/bash
# A refresh with one worker beside the leader against the leader alone.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
need_graph edges pair

round() {
	local workers
	drop_models
	timed scan "$(scan_of edges)"
	for workers in 0 1; do
		untimed "$(create "bench_$workers" edges)"
		echo "SET max_parallel_maintenance_workers = $workers;"
		timed "first_$workers" "SELECT influence_refresh('bench_$workers', $as_of)"
	done
	for workers in 0 1; do
		echo "SET max_parallel_maintenance_workers = $workers;"
		timed "again_$workers" "SELECT influence_refresh('bench_$workers', mode => 'full', $as_of)"
	done
}
measure round
row 'refresh, first: one worker / none' first_1 first_0 '<=0.7' '<=0.55'
row 'refresh, repeated: one worker / none' again_1 again_0 '<=0.7' '<=0.55'
row 'refresh, first: no worker / count(*), sum, sum' first_0 scan '' ''
row 'refresh, repeated: no worker / count(*), sum, sum' again_0 scan '' ''
for workers in 0 1; do note_run "bench_$workers" 1; note_run "bench_$workers" 2; done
