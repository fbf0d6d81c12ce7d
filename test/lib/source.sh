# PostgreSQL's own source, for its regression suite and for pgindent.
# Needs common.sh and pg.sh.

# pg_source: print the directory of the source of our server's major version;
# fetched once, unpacked in build/source.  PGV_SOURCE names one that is there already.
pg_source() {
	local dir=$ROOT/build/source/$PGV_MAJOR
	if [ -n "${PGV_SOURCE-}" ]; then
		printf '%s' "$PGV_SOURCE"
		return
	fi
	[ -e "$dir/complete" ] || { rm -rf "$dir" && fetch_source "$dir" >&2 && touch "$dir/complete"; } || return
	find "$dir" -mindepth 1 -maxdepth 1 -type d -name 'postgresql-*'
}

# fetch_source DIR: the version installed, or the nearest one the archive still has.
fetch_source() {
	local dir=$1 package=postgresql-$PGV_MAJOR installed version
	source_lists "$dir" "$package" || return
	private_apt "$dir" -q update || say "some package lists could not be read; going on"
	installed=$(dpkg-query -W -f '${Version}' "$package")
	for version in "$installed" $(source_versions "$dir" "$package"); do
		(cd "$dir" && private_apt . -q source "$package=$version") || continue
		[ "$version" = "$installed" ] ||
			say "The source of $installed is not in the archive any more: this is $version."
		return 0
	done
	say "no source package of $package could be had; PGV_SOURCE=directory names an unpacked one"
	return 1
}

# source_versions DIR PACKAGE: every version on offer, newest first.
source_versions() {
	apt-cache -c "$1/apt.conf" showsrc "$2" | sed -n 's/^Version: //p' | sort -uVr
}

private_apt() { apt-get -c "$1/apt.conf" "${@:2}"; }

# source_lists DIR PACKAGE: an apt configuration of our own that lists, as sources,
# the archives that have the package, with whatever key the system trusts them by.
source_lists() {
	local dir uri file
	mkdir -p "$1/lists.d" "$1/lists/partial" "$1/cache/archives/partial"
	dir=$(cd "$1" && pwd)
	for uri in $(apt-cache madison "$2" | awk '{ print $5 }' | sort -u); do
		for file in $(grep -lsF "$uri" /etc/apt/sources.list /etc/apt/sources.list.d/*); do
			grep -qE '(^|[: ])deb( |$)' "$file" || continue	# sources of one listed already
			sed -E -e 's/^Types:.*/Types: deb-src/' -e '/^deb-src /d' -e 's/^deb /deb-src /' \
				"$file" >"$dir/lists.d/${file##*/}"
		done
	done
	cat >"$dir/apt.conf" <<-END
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$dir/lists.d";
		Dir::State::lists "$dir/lists";
		Dir::Cache "$dir/cache";
		APT::Get::List-Cleanup "false";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
	END
	[ -n "$(ls "$dir/lists.d")" ] || { say "no archive of $2 is configured for apt"; return 1; }
}
