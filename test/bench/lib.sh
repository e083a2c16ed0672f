# shellcheck shell=bash
#
# What the parts of the benchmark share.  A part is a file of its own that
# sources this one; it runs beside a server, in the build directory, and prints
# rows of the table.  What would interrupt the table goes to $TMPDIR/notes.
#
set -euo pipefail

psql=(psql -X -q -At -v ON_ERROR_STOP=1)
export PGOPTIONS='-c client_min_messages=warning'
part=$(basename "$0" .sh)
times=$TMPDIR/times.$part
: >"$times"

sql() { "${psql[@]}" -c "$1"; }
note() { printf '  %s: %s\n' "$part" "$1" >>"$TMPDIR/notes"; }
commas() { sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"; }

# A date after all interactions: ages, and so results, are the same in every run.
as_of="as_of => '2025-01-01 00:00+00'"
# shellcheck disable=SC2034 # used by parts
later="as_of => '2025-01-02 00:00+00'"

# ---------------------------------------------------------------- tables

# A table of the R-MAT graph, unless there is one: COLUMNS as rmat.c has them.
need_graph() {	# TABLE COLUMNS [SCALE]
	[[ $(sql "SELECT to_regclass('$1') IS NULL") == t ]] || return 0
	[[ -x $TMPDIR/rmat ]] || gcc -O2 -Wall -o "$TMPDIR/rmat" test/bench/rmat.c
	case $2 in
		pair) sql "CREATE TABLE $1 (src bigint, dst bigint)" ;;
		event) sql "CREATE TABLE $1 (src bigint, dst bigint, weight real, at timestamptz, kind text)" ;;
		*) sql "CREATE TABLE $1 (src $2, dst $2)" ;;
	esac
	"$TMPDIR/rmat" "${3:-$SCALE}" 16 "$SEED" "$2" | "${psql[@]}" -c "\\copy $1 from pstdin (format binary)"
	"${psql[@]}" -c "VACUUM (FREEZE, ANALYZE) $1" -c CHECKPOINT
}

# A model of such a table that has scores, unless there is one.
need_model() {	# MODEL TABLE COLUMNS
	need_graph "$2" "$3"
	[[ $(sql "SELECT count(*) FROM influence_models WHERE name = '$1'") == 0 ]] || return 0
	sql "$(create "$1" "$2")" >/dev/null
	sql "SELECT influence_refresh('$1', $as_of)" >/dev/null
	sql "VACUUM (FREEZE, ANALYZE) $1_scores"
}

create() {	# MODEL TABLE [ARGUMENTS]
	echo "SELECT influence_create_model('$1', '$2', source => 'src', target => 'dst'${3:+, $3});"
}

# The columns of events that a model may use.
# shellcheck disable=SC2034 # used by parts
events="weight => 'weight', at => 'at', kind => 'kind', kind_weights => '{\"like\": 1, \"reply\": 3, \"share\": 2}'"

scan_of() { echo "SELECT count(*), sum(src), sum(dst) FROM $1"; }

# ---------------------------------------------------------------- measuring

# Within a round: a statement to be timed, and one that is not.
timed() { printf '\\echo timed %s\n\\timing on\n%s \\g /dev/null\n\\timing off\n' "$1" "${2%;}"; }
untimed() { printf '%s \\g /dev/null\n' "${1%;}"; }

# The models of an earlier round, or of another part.  Names that begin with
# "bench" are for one round; others stay.
drop_models() { untimed "SELECT influence_drop_model(name) FROM influence_models WHERE name LIKE 'bench%'"; }

# One session does what FUNCTION prints, RUNS times and once more before that, to
# warm up; times become lines "name milliseconds".
measure() {	# FUNCTION
	local round
	for ((round = 0; round <= RUNS; round++)); do
		((round != 1)) || printf '%s\n' '\echo measured'
		echo 'CHECKPOINT;'
		"$1"
	done >"$TMPDIR/script.$part.sql"
	"${psql[@]}" -c 'SET max_parallel_workers_per_gather = 0' -f "$TMPDIR/script.$part.sql" |
		awk '$1 == "measured" { on = 1 } $1 == "timed" { name = $2 } $1 == "Time:" && on { print name, $2 }' >>"$times"
}

middle() { sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "%.6g", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
median() { awk -v name="$1" '$1 == name { print $2 }' "$times" | middle; }

# The median of A / B over the rounds, each with the B of the same round.
ratio() {	# A B
	awk -v a="$1" -v b="$2" '$1 == a { x[++n] = $2 } $1 == b { y[++m] = $2 }
		END { for (i = 1; i <= n && i <= m; i++) print x[i] / y[i] }' "$times" | middle
}

# ---------------------------------------------------------------- the table

line() { printf '%-66s %8s %7s %6s  %-6s %13s %13s\n' "$@"; }

# MUST and AIM are bounds such as "<=4", or empty.
result() {	# LABEL RATIO MUST AIM FIGURE REFERENCE
	local verdict
	verdict=$(awk -v r="$2" -v must="$3" -v aim="$4" '
		function holds(bound) { return bound ~ /^<=/ ? r <= substr(bound, 3) + 0 : r >= substr(bound, 3) + 0 }
		BEGIN { if (must != "") print(aim != "" && holds(aim) ? "aim" : holds(must) ? "must" : "MISSED") }')
	line "$1" "$(printf '%.*f' "$(awk -v r="$2" 'BEGIN { print(r < 9.995 ? 2 : 1) }')" "$2")" "$3" "$4" "$verdict" "$5" "$6"
}

unit() { awk -v v="$1" -v unit="$2" 'BEGIN { printf "%.*f %s", (v < 10 ? 2 : v < 100 ? 1 : 0), v, unit }'; }

# A row for two things timed, A / B.
row() {	# LABEL A B MUST AIM [UNIT]
	result "$1" "$(ratio "$2" "$3")" "$4" "$5" "$(unit "$(median "$2")" "${6:-ms}")" "$(unit "$(median "$3")" "${6:-ms}")"
}

# The stages of the run of a model with a number, and what it did.
note_run() {	# MODEL RUN
	note "$(sql "SELECT format('%s, run %s: read %s, build %s, rank %s, score %s, publish %s ms; %s users, %s pairs, %s sweeps, %s workers, %s scores changed',
			model, run, round(read_ms), round(build_ms), round(rank_ms), round(score_ms), round(publish_ms), nodes, edges, iterations, workers, changed)
		FROM influence_runs WHERE model = '$1' AND run = $2")"
}
