#!/bin/bash
# Time per row at three scales.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
read -ra scales <<<"${SCALES:-$((SCALE - 2)) $SCALE $((SCALE + 2))}"
table() { if (($1 == SCALE)); then echo edges; else echo "edges_$1"; fi; }
for scale in "${scales[@]}"; do need_graph "$(table "$scale")" pair "$scale"; done

round() {
	local scale
	drop_models
	for scale in "${scales[@]}"; do
		untimed "$(create "bench_$scale" "$(table "$scale")")"
		timed "first_$scale" "SELECT influence_refresh('bench_$scale', $as_of)"
		timed "again_$scale" "SELECT influence_refresh('bench_$scale', mode => 'full', $as_of)"
	done
}
measure round
# from milliseconds to nanoseconds a row
awk '{ split($1, s, "_"); print $1, $2 * 1e6 / (16 * 2 ^ s[2]) }' "$times" >"$times.row" && mv "$times.row" "$times"
small=${scales[0]} large=${scales[-1]}
row "refresh, first: ns a row at scale $large / at scale $small" "first_$large" "first_$small" '<=1.6' '<=1.1' ns
row "refresh, repeated: ns a row at scale $large / at scale $small" "again_$large" "again_$small" '<=1.6' '<=1.1' ns
for scale in "${scales[@]}"; do
	note "scale $scale: $(unit "$(median "first_$scale")" ns) a row first, $(unit "$(median "again_$scale")" ns) repeated"
	note_run "bench_$scale" 1
	((scale == SCALE)) || sql "DROP TABLE edges_$scale"
done
