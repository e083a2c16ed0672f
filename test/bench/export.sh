#!/bin/bash
# The other ways to get scores: export to a library and back, and SQL joins.
# shellcheck source=test/bench/lib.sh
source test/bench/lib.sh
need_graph edges pair
need_model plain edges pair

time_ms() {	# NAME COMMAND...
	local name=$1 start
	shift
	start=$(date +%s%N)
	"$@"
	echo "$name $((($(date +%s%N) - start) / 1000000))" >>"$times"
}
has() { /usr/bin/python3 -c "import numpy, $1" 2>/dev/null; }
version() { /usr/bin/python3 -c "import $1; print($1.__version__)"; }
export_by() { /usr/bin/python3 test/bench/export.py "$1" >"$TMPDIR/stages.$1"; }
refresh() {
	"${psql[@]}" -c "SELECT influence_drop_model(name) FROM influence_models WHERE name = 'bench'" -c "$(create bench edges)" >/dev/null
	time_ms refresh sql "SELECT influence_refresh('bench', $as_of)" >/dev/null
}
joins() { "${psql[@]}" -f test/bench/joins.sql -c '\echo :sql_iterations' >"$TMPDIR/joins"; }
against() {	# LABEL NAME MUST AIM: how many times faster the refresh is
	result "$1 / refresh, first" "$(ratio "$2" refresh)" "$3" "$4" "$(unit "$(median "$2")" ms)" "$(unit "$(median refresh)" ms)"
	compare "$2"
}
# Do they agree?
compare() {	# NAME
	note "$(sql "SELECT format('largest relative difference in influence from %s: %s', '$1',
			to_char(coalesce(max(abs(a.influence - b.influence) / nullif(greatest(a.influence, b.influence), 0)), 0), '9.9EEEE'))
			|| CASE WHEN count(*) FILTER (WHERE a.user_id IS NULL OR b.user_id IS NULL OR a.audience <> b.audience) > 0
				THEN '; users or audiences DIFFER' ELSE '' END
		FROM plain_scores a FULL JOIN ${1}_scores b USING (user_id)")"
}

# igraph and joins are slow: they run once.
for ((round = 1; round <= RUNS; round++)); do
	refresh
	! has scipy || time_ms scipy export_by scipy
done
if has igraph; then time_ms igraph export_by igraph; fi
if [[ $JOINS == yes ]]; then time_ms sql joins; fi

for library in scipy igraph; do
	if has "$library"; then
		must='' aim=''
		[[ $library != scipy ]] || must='>=5' aim='>=10'
		against "COPY out, $library $(version "$library"), COPY in" "$library" "$must" "$aim"
		note "$library: $(cat "$TMPDIR/stages.$library")"
	else
		note "python3-$library is not installed: left out"
	fi
done
if [[ $JOINS == yes ]]; then against "SQL joins, $(tail -n 1 "$TMPDIR/joins") iterations" sql '' ''; fi
