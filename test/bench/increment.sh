#!/bin/bash
# An incremental refresh after a batch of new interactions, against a full one
# after another such batch; each share of all interactions for itself.  Pairs
# are linear and without times: nothing but the batch changes.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
shares=(0.0001 0.001 0.01)
declare -A must=([0.0001]='<=0.02' [0.001]='<=0.08' [0.01]='<=0.30')
rows=$((16 << SCALE))
given=0

need_graph pairs pair
"${psql[@]}" -c 'DROP TABLE IF EXISTS grown, given' \
	-c "SELECT influence_drop_model(name) FROM influence_models WHERE name = 'grown'" \
	-c 'CREATE TABLE grown AS TABLE pairs' -c 'CREATE TABLE given (src bigint, dst bigint)' >/dev/null
"$TMPDIR/rmat" "$SCALE" 16 $((SEED + 1)) pair | "${psql[@]}" -c '\copy given from pstdin (format binary)'
"${psql[@]}" -c 'ALTER TABLE given ADD n bigserial PRIMARY KEY' -c 'VACUUM (FREEZE, ANALYZE) grown, given' \
	-c "$(create grown grown "pair_weight => 'linear'")" -c "SELECT influence_track('grown')" \
	-c "SELECT influence_refresh('grown')" >/dev/null

batch() {	# SHARE: the next rows that are given
	local n
	n=$(awk -v rows="$rows" -v share="$1" 'BEGIN { printf "%d", rows * share }')
	untimed "INSERT INTO grown SELECT src, dst FROM given WHERE n > $given AND n <= $((given + n))"
	given=$((given + n))
}

for share in "${shares[@]}"; do
	round() {
		untimed 'VACUUM grown_scores, grown_history, grown_graph, grown_queue'
		batch "$share"
		timed "full_$share" "SELECT influence_refresh('grown', 'full')"
		untimed 'VACUUM grown_scores, grown_history, grown_graph, grown_queue'
		batch "$share"
		timed "incremental_$share" "SELECT influence_refresh('grown', 'incremental')"
	}
	measure round
	row "incremental / full refresh, $(awk -v s="$share" 'BEGIN { print 100 * s }') % new" \
		"incremental_$share" "full_$share" "${must[$share]}" ''
	note_run grown "$(sql "SELECT max(run) FROM influence_runs WHERE model = 'grown' AND mode = 'incremental'")"
done
sql "SELECT influence_drop_model('grown')" >/dev/null
"${psql[@]}" -c 'DROP TABLE grown, given'
