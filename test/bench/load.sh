#!/bin/bash
# Look-ups while a model is refreshed every two seconds, against the same
# without refreshes: the 99th percentile of their latency, by pgbench with
# prepared statements.  One client asks a hundred times a second, as a service
# would; what it waits for since it wanted to ask counts.  Another one writes
# interactions all the time.  Nearly every score changes with each refresh.
#
# A refresh uses all cores that it is given workers for, and then readers
# compete with it for them: measured with workers, and by one process.  With no
# pause between look-ups their client and the server keep a core each busy, so
# that any third process makes some wait for a turn: refreshes are compared with
# something else that computes for as long, too.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
users=100000 rows=1500000 seconds=${SECONDS_EACH:-12}

"${psql[@]}" -c "ALTER SYSTEM SET autovacuum_naptime = '1s'" -c "ALTER SYSTEM SET autovacuum = on" -c 'SELECT pg_reload_conf()' \
	-c "SELECT influence_drop_model(name) FROM influence_models WHERE name = 'loaded'" -c 'DROP TABLE IF EXISTS loaded' \
	-c 'CREATE TABLE loaded (src bigint, dst bigint, at timestamptz)' -c 'SELECT setseed(0.5)' \
	-c "INSERT INTO loaded SELECT 1 + (random() ^ 2 * ($users - 1))::bigint, 1 + (random() ^ 3 * ($users - 1))::bigint, now() - random() * interval '100 days' FROM generate_series(1, $rows)" \
	-c 'VACUUM (FREEZE, ANALYZE) loaded' \
	-c "$(create loaded loaded "at => 'at'")" -c "SELECT influence_track('loaded')" \
	-c "SELECT influence_refresh('loaded')" -c "SELECT influence_set_default('loaded')" \
	-c 'VACUUM (FREEZE, ANALYZE) loaded_scores' >/dev/null

printf '\\set id random(1, %s)\nSELECT influence_score(:id::bigint);\n' "$users" >"$TMPDIR/load_ask.sql"
printf '\\set s random(1, %s)\n\\set t random(1, %s)\nINSERT INTO loaded VALUES (:s, :t, now());\n' "$users" "$users" >"$TMPDIR/load_write.sql"
echo "SELECT influence_refresh('loaded');" >"$TMPDIR/load_refresh.sql"

"${psql[@]}" <<'SQL'
CREATE OR REPLACE FUNCTION busy() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY finished_at - started_at)
        FROM influence_runs WHERE model = 'loaded' AND workers = 0 AND run > 1);
BEGIN
    WHILE clock_timestamp() < until LOOP END LOOP;
END
$$;
SQL
echo 'SELECT busy();' >"$TMPDIR/load_busy.sql"

# The 99th percentile, in microseconds, and how many look-ups that is of.
p99() {	# LOG...
	cat "$@" | awk '{ print $3 }' | sort -n |
		awk '{ v[NR] = $1 } END { i = int(NR * 0.99); if (i < NR * 0.99) i++; print v[i] }'
}

# One measurement: look-ups by pgbench with those options, beside the others.
phase() {	# NAME refresh|busy|'' WORKERS [PGBENCH OPTION...]
	local name=$1 what=$2 workers=$3 others=()
	shift 3
	rm -f "$TMPDIR"/load_log.*
	pgbench -n -M prepared -c 1 -R 50 -T "$seconds" -f "$TMPDIR/load_write.sql" >/dev/null 2>&1 & others+=($!)
	if [[ -n $what ]]; then
		PGOPTIONS="-c client_min_messages=error -c max_parallel_maintenance_workers=$workers" \
			pgbench -n -c 1 -R 0.5 -T "$seconds" -f "$TMPDIR/load_$what.sql" >/dev/null 2>&1 & others+=($!)
	fi
	pgbench -n -M prepared -c 1 "$@" -T "$seconds" -l --log-prefix="$TMPDIR/load_log" -f "$TMPDIR/load_ask.sql" >/dev/null 2>&1
	wait "${others[@]}"
	echo "$name $(p99 "$TMPDIR"/load_log.*)" >>"$times"
}

for ((round = 1; round <= RUNS; round++)); do
	phase quiet '' 0 -R 100
	phase alone refresh 0 -R 100
	phase both refresh 2 -R 100
	phase quiet_full '' 0
	phase alone_full refresh 0
	phase busy_full busy 0
done
"${psql[@]}" -c "ALTER SYSTEM RESET autovacuum_naptime" -c "ALTER SYSTEM RESET autovacuum" -c 'SELECT pg_reload_conf()' >/dev/null
row 'p99 of look-ups, refreshed every 2 s by one process / not' alone quiet '<=1.5' '<=1.1' µs
row '  the same, refreshes with workers' both quiet '<=1.5' '<=1.1' µs
row '  look-ups without a pause, one process / not' alone_full quiet_full '' '' µs
row '  look-ups without a pause, refreshes / other computing' alone_full busy_full '<=1.5' '<=1.1' µs
for workers in 0 1 2; do
	note "$(sql "SELECT format('%s refreshes with %s workers, median %s ms; %s scores changed', count(*), $workers,
			round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at) * 1000)), max(changed))
		FROM influence_runs WHERE model = 'loaded' AND workers = $workers AND run > 1")"
done
note "$(sql "SELECT format('table of scores %s, indexes %s, queue %s; %s autovacuums', pg_size_pretty(pg_table_size('loaded_scores')), pg_size_pretty(pg_indexes_size('loaded_scores')),
	pg_size_pretty(pg_table_size('loaded_queue')), (SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 'loaded_scores'))")"
"${psql[@]}" -c "SELECT influence_drop_model('loaded')" -c 'DROP FUNCTION busy' >/dev/null
