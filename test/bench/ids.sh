#!/bin/bash
# A refresh of text and of uuid ids against reading the table once, serially.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
for type in text uuid; do need_graph "${type}s" "$type"; done

round() {
	local type
	drop_models
	for type in text uuid; do
		untimed "$(create "bench_$type" "${type}s")"
		timed "${type}_scan_first" "SELECT count(*), count(src), count(dst) FROM ${type}s"
		timed "${type}_first" "SELECT influence_refresh('bench_$type', $as_of)"
		timed "${type}_scan_again" "SELECT count(*), count(src), count(dst) FROM ${type}s"
		timed "${type}_again" "SELECT influence_refresh('bench_$type', mode => 'full', $as_of)"
	done
}
measure round
for type in text uuid; do
	row "refresh of $type ids of 16 bytes, first / count(*), count, count" "${type}_first" "${type}_scan_first" '<=8' '<=4'
	row "refresh of $type ids, repeated, data unchanged" "${type}_again" "${type}_scan_again" '<=8' '<=4'
	note_run "bench_$type" 1
	note_run "bench_$type" 2
done
