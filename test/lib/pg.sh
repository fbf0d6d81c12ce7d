# Which PostgreSQL is tested, and a private copy of it with the library in.
#
# Nothing is installed into the system.  PostgreSQL finds its files relative to
# its program, so a tree of links to the installation, with real copies of the
# programs and with our three files, is a full installation of its own: it needs
# no root, and runs in two checkouts do not meet.

# choose_pg: PG_CONFIG if it is set, else the newest server installed.  Sets
# PG_CONFIG and PGV_MAJOR; what is missing is for test/setup to find.
choose_pg() {
	local newest
	if [ -z "${PG_CONFIG-}" ]; then
		newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
		[ -x "$newest" ] && PG_CONFIG=${newest%/initdb}/pg_config || PG_CONFIG=pg_config
	fi
	PGV_MAJOR=$(pg version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
	[ -n "$PGV_MAJOR" ] || ! [[ $PG_CONFIG =~ /postgresql/([0-9]+)/ ]] || PGV_MAJOR=${BASH_REMATCH[1]}
	export PG_CONFIG PGV_MAJOR
}

pg() { "$PG_CONFIG" "--$1"; }

# ready: build the library and put the programs of an installation that has it
# first in the PATH.  Done once; runners called by runners find it done.  PGV_SERVER
# is "" for an installed server, or names one of our own (see server.sh).
ready() {
	[ "${PGV_READY-}" != "$PG_CONFIG" ] || return 0
	export PGV_TREE=$ROOT/build/pg-${PGV_SERVER:+$PGV_SERVER-}$PGV_MAJOR
	mkdir -p "$ROOT/build/log" || return
	locked make_tree &&
		locked make -s -j"$(nproc)" COPT="${PGV_COPT-}" PG_CONFIG="$PG_CONFIG" all &&
		locked make -s COPT="${PGV_COPT-}" PG_CONFIG="$PG_CONFIG" DESTDIR="$PGV_TREE" install >&2 ||
		return
	export PATH=$PGV_TREE$(pg bindir):$PATH PGV_READY=$PG_CONFIG
}

# Two runs in one checkout may build, but not at the same time.
locked() { (exec 8>"$ROOT/build/build.lock" && flock 8 && "$@"); }

# make_tree: (re)make the private installation, unless it is that of this server.
make_tree() {
	local bindir pkglibdir made_of
	bindir=$(pg bindir) pkglibdir=$(pg pkglibdir)
	# with the extensions that the system has at this moment
	made_of="$(pg version) $(stat -c '%n %s %Y' "$bindir/postgres" "$pkglibdir" "$(pg sharedir)/extension")"
	[ "$(cat "$PGV_TREE/made-of" 2>/dev/null)" != "$made_of" ] || return 0
	rm -rf "$PGV_TREE" && mkdir -p "$PGV_TREE" &&
		open_directory "$bindir" &&
		open_directory "$pkglibdir/bitcode" &&
		open_directory "$(pg sharedir)/extension" &&
		rm -f "$PGV_TREE$bindir"/* "$PGV_TREE$pkglibdir"/pg_vitals* \
			"$PGV_TREE$(pg sharedir)"/extension/pg_vitals* &&
		cp -L "$bindir"/* "$PGV_TREE$bindir/" &&
		echo "$made_of" >"$PGV_TREE/made-of"
}

# open_directory DIR: give the tree a real DIR whose entries are links to the
# system's; the same for every directory above it.
open_directory() {
	local path= part
	local -a parts entries
	IFS=/ read -ra parts <<<"${1#/}"
	for part in "${parts[@]}"; do
		path+=/$part
		[ ! -d "$PGV_TREE$path" ] || [ -L "$PGV_TREE$path" ] || continue
		rm -f "$PGV_TREE$path" && mkdir "$PGV_TREE$path" || return
		entries=("$path"/*)
		[ ! -e "${entries[0]}" ] || ln -s "${entries[@]}" "$PGV_TREE$path/" || return
	done
}
