#!/bin/bash
# Scores of a million rows, by influence_score and by a hash join.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
rows=1000000
types=(bigint text uuid)
table() { case $1 in bigint) echo edges ;; *) echo "${1}s" ;; esac; }
for type in "${types[@]}"; do
	columns=$type
	[[ $type != bigint ]] || columns=pair
	need_model "look_$type" "$(table "$type")" "$columns"
	sql "DROP TABLE IF EXISTS crm_$type"
	"${psql[@]}" -c 'SELECT setseed(0.5)' -c "CREATE TABLE crm_$type AS
		SELECT user_id FROM look_${type}_scores, generate_series(1, 1 + $rows / (SELECT count(*) FROM look_${type}_scores))
		ORDER BY random() LIMIT $rows" >/dev/null
	sql "VACUUM (FREEZE, ANALYZE) crm_$type"
done

round() {
	local type
	echo 'SET enable_mergejoin = off; SET enable_nestloop = off;'
	for type in "${types[@]}"; do
		# as the server comes
		echo "SET work_mem = '4MB';"
		timed "bare_$type" "SELECT count(user_id) FROM crm_$type"
		timed "join_$type" "SELECT sum(s.score) FROM crm_$type LEFT JOIN look_${type}_scores s USING (user_id)"
		timed "score_$type" "SELECT sum(influence_score(user_id, 'look_$type')) FROM crm_$type"
		echo "SET work_mem = '64MB';"
		timed "join64_$type" "SELECT sum(s.score) FROM crm_$type LEFT JOIN look_${type}_scores s USING (user_id)"
		timed "score64_$type" "SELECT sum(influence_score(user_id, 'look_$type')) FROM crm_$type"
	done
}
measure round
# from milliseconds to nanoseconds a row
awk -v rows="$rows" '{ print $1, $2 * 1e6 / rows }' "$times" >"$times.row" && mv "$times.row" "$times"
row 'influence_score of 1,000,000 rows, bigint / hash join' score_bigint join_bigint '<=0.35' '<=0.15' ns
row '  the same, work_mem 64 MB' score64_bigint join64_bigint '' '' ns
for type in text uuid; do
	row "influence_score of 1,000,000 rows, $type / hash join" "score_$type" "join_$type" '' '' ns
	row '  the same, work_mem 64 MB' "score64_$type" "join64_$type" '' '' ns
done
row '(the bare scan / hash join, bigint)' bare_bigint join_bigint '' '' ns
note "times are per row; $(sql 'SELECT count(*) FROM look_bigint_scores') users have scores, in $(sql "SELECT pg_size_pretty(pg_table_size('look_bigint_scores'))")"
