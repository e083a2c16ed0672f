#!/bin/bash
# What it costs writers that a model is tracked: in bulk, microseconds for each
# row that a statement changes; for one row, by pgbench with one client, the
# latency against that of a table that is not tracked.  fsync is off: a commit
# that waits for a disk would hide it.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
rows=$((SCALE < 20 ? 1 << SCALE : 1 << 20)) seconds=${SECONDS_EACH:-3}

"${psql[@]}" -c 'DROP TABLE IF EXISTS given, plain, tracked' \
	-c "SELECT influence_drop_model(name) FROM influence_models WHERE name = 'tracked'" \
	-c "CREATE TABLE given AS SELECT i AS source, (i * 7919) % 1000003 AS target, 'like'::text AS kind, timestamptz '2025-01-01' + i * interval '1 s' AS at FROM generate_series(1::bigint, $rows) i" \
	-c 'CREATE TABLE plain (source bigint, target bigint, kind text, at timestamptz)' \
	-c 'CREATE TABLE tracked (LIKE plain)' \
	-c "SELECT influence_create_model('tracked', 'tracked', kind => 'kind', at => 'at')" \
	-c "SELECT influence_track('tracked')" \
	-c "\\copy given TO '$TMPDIR/given' (FORMAT binary)" >/dev/null

round() {
	local table
	untimed 'TRUNCATE plain, tracked, tracked_queue'
	for table in plain tracked; do timed "insert_$table" "INSERT INTO $table TABLE given"; done
	for table in plain tracked; do timed "copy_$table" "COPY $table FROM '$TMPDIR/given' (FORMAT binary)"; done
	for table in plain tracked; do timed "update_$table" "UPDATE $table SET target = target + 1 WHERE source % 4 = 0"; done
	for table in plain tracked; do timed "other_$table" "UPDATE $table SET target = target WHERE source % 4 = 1"; done
	for table in plain tracked; do timed "delete_$table" "DELETE FROM $table WHERE source % 4 = 2"; done
}
measure round

# The median of the differences, for each of so many rows.
difference() {	# WHAT ROWS
	paste <(awk -v a="$1_tracked" '$1 == a { print $2 }' "$times") <(awk -v a="$1_plain" '$1 == a { print $2 }' "$times") |
		awk -v rows="$2" '{ print ($1 - $2) * 1000 / rows }' | middle
}
bulk() {	# LABEL WHAT ROWS MUST
	result "$1" "$(difference "$2" "$3")" "$4" '' "$(unit "$(median "$2_tracked")" ms)" "$(unit "$(median "$2_plain")" ms)"
}
bulk 'captured: INSERT of many rows, µs a row' insert "$rows" '<=1.5'
bulk '  COPY, µs a row' copy "$rows" '<=1.5'
bulk '  DELETE, µs a row' delete "$((rows / 2))" '<=1.5'
bulk '  UPDATE, two rows of the queue, µs a row' update "$((rows / 2))" ''
bulk '  UPDATE that changes nothing that counts, µs a row' other "$((rows / 2))" ''

for table in plain tracked; do
	echo "INSERT INTO $table VALUES (1, 2, 'like', now());" >"$TMPDIR/one_$table.sql"
done
for ((round = 0; round <= 2 * RUNS; round++)); do
	for table in plain tracked; do
		latency=$(pgbench -n -M prepared -T "$((round ? seconds : 1))" -f "$TMPDIR/one_$table.sql" 2>&1 |
			awk '/^latency average/ { print $4 * 1000 }')
		((round == 0)) || echo "one_$table $latency" >>"$times"
	done
done
row '  INSERT of one row, prepared / without' one_tracked one_plain '<=1.15' '' µs
sql "SELECT influence_drop_model('tracked')" >/dev/null
