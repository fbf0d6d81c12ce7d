# Perl tests with PostgreSQL's own modules, in the environment of `make installcheck`.
# Needs common.sh and pg.sh.

pgxs_test() { (cd "$(dirname "$(pg pgxs)")/../test" && pwd); }

# tap_prove DIR TEST...: run them, with everything they leave in DIR, their output in
# DIR/output; the status is prove's.
tap_prove() {
	local dir=$1
	shift
	mkdir -p "$dir/s" "$dir/log" && give "$dir" || return
	as_user env LANG=C.UTF-8 PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-600}" \
		PGV_BUILD="$dir" TMPDIR="$(short_directory "$dir/s")" TESTDIR="$dir" \
		TESTDATADIR="$dir/tmp_check" TESTLOGDIR="$dir/log" PGPORT=65432 \
		PG_REGRESS="$(pgxs_test)/regress/pg_regress" \
		prove --verbose --timer -I "$(pgxs_test)/perl" -I test/t "$@" 2>&1 | tee "$dir/output"
	return "${PIPESTATUS[0]}"
}

# short_directory DIR: DIR, or where its sockets would have too long a path (107
# bytes), a directory in memory; Perl's test nodes have no other way to connect.
short_directory() {
	local short
	[ "${#1}" -gt 75 ] || { printf '%s' "$1"; return; }
	short=$(as_user mktemp -d /dev/shm/pgv.XXXXXX) || return
	printf '%s\n' "$short" >>"$PGV_BUILD/short"
	say "the path of this checkout is too long for sockets: they are in $short"
	printf '%s' "$short"
}

# tap_prove_two DIR TEST...: the same in two streams, every other test in each: most of
# the time they wait.  What the second prints comes behind what the first does.
tap_prove_two() {
	local dir=$1 one=() two=() second status
	shift
	while [ $# -gt 0 ]; do
		one+=("$1")
		[ $# -lt 2 ] || two+=("$2")
		shift $(($# < 2 ? 1 : 2))
	done
	[ "${#two[@]}" -gt 0 ] || { tap_prove "$dir" "${one[@]}"; return; }
	mkdir -p "$dir/2" || return
	at_exit tap_untold "$dir"
	tap_prove "$dir/2" "${two[@]}" >/dev/null &
	second=$!
	tap_prove "$dir" "${one[@]}"
	status=$?
	wait "$second" || status=$?
	tee -a "$dir/output" <"$dir/2/output"
	touch "$dir/2/told"
	return "$status"
}

# tap_untold DIR: stopped before its end, the second stream tells how far it came.
tap_untold() {
	[ ! -e "$1/2/output" ] || [ -e "$1/2/told" ] || cat "$1/2/output"
}
