#!/bin/bash
# Size of the published table after a hundred refreshes, each with 1 % new
# interactions, against after the first; with autovacuum.
#
# Autovacuum looks every autovacuum_naptime, a minute by default: longer than
# hundred such small refreshes take.  A server whose refreshes are minutes apart
# is what the second pass resembles, with a naptime of a second and a pause
# between two refreshes.  In both passes a day goes by from one to the next.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
users=30000 rows=150000 refreshes=${REFRESHES:-100}

new_rows() {	# N DAY: interactions of the year before a day, squares make some users more popular
	echo "INSERT INTO busy SELECT (random() ^ 2 * $users)::bigint, (random() ^ 3 * $users)::bigint,
			'2025-01-01 UTC'::timestamptz + ($2 - random() * ${3:-1}) * interval '1 day'
		FROM generate_series(1, $1);"
}
size() { sql "SELECT format('%s %s', pg_table_size('$1'), pg_indexes_size('$1'))"; }
total() { local heap index; read -r heap index <<<"$1"; echo $((heap + index)); }
parts() { local heap index; read -r heap index <<<"$1"; echo "table $((heap >> 10)) kB, indexes $((index >> 10)) kB"; }

pass() {	# LABEL NAPTIME PAUSE MUST AIM
	local day model
	declare -A before
	"${psql[@]}" -c "ALTER SYSTEM SET autovacuum_naptime = '$2'" -c "ALTER SYSTEM SET autovacuum = on" -c 'SELECT pg_reload_conf()' \
		-c 'SELECT setseed(0.5)' -c "SELECT influence_drop_model(name) FROM influence_models WHERE name IN ('steady', 'decayed')" \
		-c 'DROP TABLE IF EXISTS busy' -c 'CREATE TABLE busy (src bigint, dst bigint, at timestamptz)' -c "$(new_rows "$rows" 0 365)" \
		-c "$(create steady busy)" -c "$(create decayed busy "at => 'at'")" \
		-c "SELECT influence_refresh(name, as_of => '2025-01-01 UTC') FROM influence_models WHERE name IN ('steady', 'decayed')" >/dev/null
	for model in steady decayed; do before[$model]=$(size "${model}_scores"); done
	for ((day = 1; day <= refreshes; day++)); do
		new_rows $((rows / 100)) "$day"
		for model in steady decayed; do
			echo "SELECT influence_refresh('$model', as_of => '2025-01-01 UTC'::timestamptz + $day * interval '1 day') \\g /dev/null"
		done
		echo "SELECT pg_sleep($3) \\g /dev/null"
	done | "${psql[@]}"
	for model in steady decayed; do
		local after history
		after=$(size "${model}_scores") history=$(size "${model}_history")
		result "scores after $refreshes refreshes, $model, $1 / after one" \
			"$(awk -v a="$(total "$after")" -v b="$(total "${before[$model]}")" 'BEGIN { print a / b }')" "$4" "$5" \
			"$(unit "$(($(total "$after") >> 10))" kB)" "$(unit "$(($(total "${before[$model]}") >> 10))" kB)"
		note "$model, $1: $(parts "${before[$model]}") at first, $(parts "$after") then; history $(parts "$history"); $(sql "SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = '${model}_scores'") autovacuums"
	done
	"${psql[@]}" -c "ALTER SYSTEM RESET autovacuum_naptime" -c "ALTER SYSTEM RESET autovacuum" -c 'SELECT pg_reload_conf()' >/dev/null
}
pass 'naptime 1 s' 1s 0.3 '<=2.5' '<=1.5'
pass 'no pause' 60s 0 '' ''
sql "SELECT influence_drop_model(name) FROM influence_models WHERE name IN ('steady', 'decayed')" >/dev/null
