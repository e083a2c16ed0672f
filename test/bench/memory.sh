#!/bin/bash
# Peak memory of a refresh: what its run says, and what the kernel says.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
need_graph edges pair
need_graph events event

field() { sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/status"; }
mb() { unit "$(awk -v b="$1" 'BEGIN { print b / 1048576 }')" MB; }

# Refresh a new model without workers, watched from outside.
watch() {	# LABEL TABLE ARGUMENTS
	local pid before shared most=0 now answer bound peak high key value
	coproc session { "${psql[@]}"; }
	# shellcheck disable=SC2154 # coproc sets it
	local in=${session[0]} out=${session[1]} child=$session_PID
	printf '%s\n' "$(create bench "$2" "$3")" 'SET max_parallel_maintenance_workers = 0;' 'SELECT pg_backend_pid();' >&"$out"
	read -r answer <&"$in"
	read -r pid <&"$in"
	before=$(field "$pid" RssAnon) shared=$(field "$pid" RssShmem)
	echo 5 >"/proc/$pid/clear_refs"	# VmHWM starts from here
	now=$(field "$pid" VmRSS)
	echo "SELECT peak_memory_bytes, 24 * edges + 64 * nodes FROM influence_refresh('bench', $as_of);" >&"$out"
	until read -r -t 0 <&"$in"; do
		while read -r key value _; do
			[[ $key != RssAnon: ]] || ((value <= most)) || most=$value
		done <"/proc/$pid/status"
		sleep 0.01
	done
	read -r answer <&"$in"
	high=$(($(field "$pid" VmHWM) - now)) shared=$(($(field "$pid" RssShmem) - shared))
	printf '%s\n' "SELECT influence_drop_model('bench');" '\q' >&"$out"
	wait "$child"
	peak=${answer%|*} bound=${answer#*|}
	result "peak memory, $1 / 24 bytes a pair and 64 a user" "$(awk -v a="$peak" -v b="$bound" 'BEGIN { print a / b }')" \
		'<=1' '<=0.5' "$(mb "$peak")" "$(mb "$bound")"
	result "  the process itself: growth of anonymous memory, sampled" "$(awk -v a="$(((most - before) * 1024))" -v b="$bound" 'BEGIN { print a / b }')" \
		'<=1' '<=0.5' "$(mb "$(((most - before) * 1024))")" "$(mb "$bound")"
	note "$1: VmHWM of the process grew by $(mb "$((high * 1024))"), of which at most $(mb "$((shared * 1024))") are shared buffers it touched"
}
sql "SELECT influence_drop_model(name) FROM influence_models WHERE name LIKE 'bench%'" >/dev/null
watch '(src, dst)' edges ''
watch 'weighted and decayed' events "$events"
