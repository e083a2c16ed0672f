#!/bin/bash
# A refresh against reading the table once, serially.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
need_graph edges pair
need_graph events event

round() {
	drop_models
	untimed "$(create bench_pair edges)"
	timed scan_first "$(scan_of edges)"
	timed first "SELECT influence_refresh('bench_pair', $as_of)"
	timed scan_again "$(scan_of edges)"
	timed again "SELECT influence_refresh('bench_pair', mode => 'full', $as_of)"
	untimed "$(create bench_event events "$events")"
	timed event_scan_first "$(scan_of events)"
	timed event_first "SELECT influence_refresh('bench_event', $as_of)"
	timed event_scan_again "$(scan_of events)"
	timed event_again "SELECT influence_refresh('bench_event', mode => 'full', $later)"
}
measure round
row 'refresh (src, dst), first of a model / count(*), sum, sum' first scan_first '<=4' '<=2'
row 'refresh (src, dst), repeated, data unchanged' again scan_again '<=4' '<=2'
row 'refresh with weight, kind, at and decay, first' event_first event_scan_first '<=6' '<=3'
row 'refresh with weight, kind, at and decay, repeated a day later' event_again event_scan_again '<=6' '<=3'
for model in bench_pair bench_event; do
	note_run "$model" 1
	note_run "$model" 2
done
