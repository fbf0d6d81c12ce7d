# A PostgreSQL of our own, built from the source of the installed major version, for
# what its packages cannot: assertions, sanitizers, valgrind.  Needs common.sh, pg.sh
# and source.sh.

# own_server NAME CFLAGS: print the pg_config of a server with assertions that is
# built with these flags.  Kept in build/server/NAME-MAJOR; its log is beside it.
#
# The user who runs servers builds it, who can write nowhere else.  Debian's source
# installs into directories of the system, unless the prefix has "postgres" in it.
own_server() {
	local dir=$ROOT/build/server/$1-$PGV_MAJOR prefix source made_of
	prefix=$dir/postgresql
	source=$(pg_source) || return
	made_of="$source $2"
	if [ "$(cat "$dir/made-of" 2>/dev/null)" != "$made_of" ]; then
		say "Building PostgreSQL ($1); this takes some minutes, see $dir.log"
		[ "${#PGV_AS[@]}" -gt 0 ] || find_user
		rm -rf "$dir" && mkdir -p "$dir/build" && give "$dir" &&
			(cd "$dir/build" && build_server "$source" "$prefix" "$2") >"$dir.log" 2>&1 || {
			tail -n 30 "$dir.log" >&2
			say "the server could not be built; see $dir.log"
			return 1
		}
		rm -rf "$dir/build" && echo "$made_of" >"$dir/made-of"
	fi
	printf '%s' "$prefix/bin/pg_config"
}

# What of it is needed to run our tests and the core suite.
SERVER_PARTS=(config src/include src/common src/port src/interfaces/libpq src/fe_utils
	src/timezone src/backend src/backend/snowball src/backend/utils/mb/conversion_procs
	src/backend/replication/libpqwalreceiver src/backend/replication/pgoutput
	src/bin/initdb src/bin/pg_ctl src/bin/pg_config src/bin/psql src/bin/pg_controldata
	src/bin/pg_basebackup src/bin/pg_dump src/bin/pgbench src/pl/plpgsql/src
	src/test/regress src/test/isolation src/test/perl src/makefiles
	contrib/pg_stat_statements contrib/citext contrib/spi)

# build_server SOURCE PREFIX CFLAGS: with little more than a compiler needs.
build_server() {
	local part
	export ASAN_OPTIONS=detect_leaks=0	# also of the programs that configure tries
	as_user "$1/configure" --prefix="$2" --enable-cassert --enable-debug --enable-tap-tests \
		--without-readline --without-zlib $([ "$PGV_MAJOR" -lt 16 ] || echo --without-icu) \
		CFLAGS="$3" || return
	stays_inside "$2" && as_user make -j"$(nproc)" -C src/backend all || return
	for part in "${SERVER_PARTS[@]}"; do
		as_user make -j"$(nproc)" -C "$part" all && as_user make -C "$part" install || return
	done
	as_user make -C src install-local
}

# stays_inside PREFIX: nothing of what is configured here is installed elsewhere.
stays_inside() {
	local name dir
	for name in bindir libdir pkglibdir pgxsdir includedir includedir_server pkgincludedir \
		datadir docdir mandir sysconfdir localedir; do
		dir=$(printf 'include src/Makefile.global\nprint: ; @echo $(%s)\n' "$name" |
			make -s -f - top_builddir=. print)
		case $dir in
		"$1"/*) ;;
		*) echo "$name is $dir"; return 1 ;;
		esac
	done
}
