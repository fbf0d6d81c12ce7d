# What every runner shares: where things are, who may run servers, and what
# happens at the end of a run, however it ends.
#
#	. "$(dirname "$0")/lib/common.sh"
#
# Sourcing it changes to the checkout's root and sets:
#	ROOT		the checkout
#	PGV_BUILD	where this run keeps clusters, sockets and logs

set -u
umask 022
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL	# a make that calls us does not steer ours

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export PGV_BUILD=${PGV_BUILD:-$ROOT/build}
cd "$ROOT" || exit

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# --- the end of a run -----------------------------------------------------

# at_exit COMMAND...: run it when the script ends, also by Ctrl-C; last first.
PGV_AT_EXIT=()
at_exit() { PGV_AT_EXIT+=("$(printf '%q ' "$@")"); }

run_at_exit() {
	local status=$? i
	trap '' INT TERM HUP	# a second Ctrl-C must not cut the cleaning short
	for ((i = ${#PGV_AT_EXIT[@]} - 1; i >= 0; i--)); do
		eval "${PGV_AT_EXIT[i]}"
	done
	exit "$status"
}
trap run_at_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# gone PID SECONDS: wait until the process has ended (a zombie has).
gone() {
	local deadline=$((SECONDS + $2))
	while grep -qs '^State:.[^ZX]' "/proc/$1/status"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# reap DIRECTORY: stop every server whose data lies below it, whoever started it.
reap() {
	local file pid signal
	[ -d "$1" ] || return 0
	find "$1" -name postmaster.pid 2>/dev/null | while read -r file; do
		read -r pid <"$file" || continue
		# the number may belong to somebody else by now
		[ "$(readlink "/proc/$pid/cwd")" = "${file%/postmaster.pid}" ] || continue
		for signal in INT QUIT KILL; do
			kill -s $signal "$pid" 2>/dev/null
			gone "$pid" 20 && break
		done
	done
}

# own NAME: make build/NAME the place of this run alone, and stop whatever a run
# that was killed left there.  Inside another runner its place is used.
own() {
	local file
	[ -z "${PGV_OWNED-}" ] || return 0
	export PGV_BUILD=$ROOT/build/$1 PGV_OWNED=1
	mkdir -p "$PGV_BUILD" || die "cannot write to $ROOT/build: remove it, or run as its owner"
	exec 9>"$PGV_BUILD/lock"
	flock -n 9 || die "another run of '$1' is under way in this checkout"
	for file in "$PGV_BUILD"/suite.pid "$PGV_BUILD"/*/suite.pid; do
		[ ! -s "$file" ] || kill_suite "$(<"$file")"
	done
	reap "$PGV_BUILD"
	at_exit reap "$PGV_BUILD"
}

# kill_suite PID: end a suite that its killed runner left behind.
kill_suite() {
	[ "$(readlink "/proc/$1/cwd")" = "$ROOT" ] || return 0
	kill -TERM -- "-$1" 2>/dev/null && gone "$1" 10
}

# --- rights -----------------------------------------------------------------

# as_root COMMAND...: through sudo when we are not root, having said so.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		say "sudo $*"
		sudo "$@"
	fi
}

# --- the user who runs servers --------------------------------------------

# PostgreSQL refuses to run as root.  as_user COMMAND... runs it as the user who
# runs the servers: ourselves, or `postgres` when we are root.
as_user() {
	[ "${#PGV_AS[@]}" -gt 0 ] || find_user
	"${PGV_AS[@]}" "$@" 9>&-	# a server must not keep our lock
}

# give PATH...: make it belong to that user.
give() { [ "$(id -u)" != 0 ] || chown -R postgres: "$@"; }

PGV_AS=()
find_user() {
	local capability
	[ "$(id -u)" = 0 ] || { PGV_AS=(env); return; }
	id postgres >/dev/null 2>&1 ||
		useradd --system --no-create-home --shell /usr/sbin/nologin postgres ||
		die "cannot create the user 'postgres', who is to run the servers"
	# The checkout may lie where that user cannot look, such as root's home.  A
	# capability to pass through directories helps, if we are allowed to give it.
	for capability in '' dac_read_search dac_override; do
		PGV_AS=(setpriv --reuid=postgres --regid="$(id -g postgres)" --init-groups
			${capability:+--securebits=+no_setuid_fixup}
			${capability:+--inh-caps=+$capability --ambient-caps=+$capability}
			-- env HOME="$PGV_BUILD")
		"${PGV_AS[@]}" test -x "$ROOT/test/setup" 2>/dev/null && return
	done
	die "the user 'postgres' cannot reach $ROOT: a directory above it is closed to others." \
		"Move the checkout, or open the way with chmod a+x."
}
