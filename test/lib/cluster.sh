# Throw-away clusters: data, socket and log in $PGV_BUILD/clusters/NAME, run by an
# unprivileged user, stopped when the script that started them ends.  Needs
# common.sh and pg.sh.

cluster_dir() { printf '%s' "$PGV_BUILD/clusters/$1"; }

# cluster_start NAME ['configuration line'...]: a new cluster, whatever was there.
# The library is preloaded unless a line says otherwise.  PGV_CONF has lines for
# every cluster.
cluster_start() {
	local name=$1 dir attempt
	dir=$(cluster_dir "$name")
	shift
	[ "${#PGV_AS[@]}" -gt 0 ] || find_user
	cluster_stop "$name" && rm -rf "$dir" && mkdir -p "$dir" && chmod 700 "$dir" || return
	cluster_init "$dir" "$@" || return
	for attempt in 1 2 3 4 5; do
		cluster_listen "$dir" && cluster_launch "$dir" && return
		grep -q 'Address already in use' "$dir/log" || break
	done
	say "the server did not start; $dir/log ends:"
	tail -n 15 "$dir/log" >&2
	return 1
}

# cluster_stop NAME: stop it and keep its files, for a look at the log.
cluster_stop() { reap "$(cluster_dir "$1")"; }

# cluster_use NAME: make it the one psql, pgbench and every libpq client talk to.
cluster_use() { . "$(cluster_dir "$1")/env"; }

cluster_init() {
	local dir=$1
	shift
	tr -d - </proc/sys/kernel/random/uuid >"$dir/password"
	give "$dir"
	as_user initdb -D "$dir/data" -U postgres -A trust --pwfile="$dir/password" \
		-E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 || {
		cat "$dir/initdb.log" >&2
		return 1
	}
	{
		cat <<-END
			shared_preload_libraries = 'pg_vitals'
			fsync = off
			timezone = 'UTC'
			log_timezone = 'UTC'
			log_line_prefix = '%m [%p] %q%a '
			include 'listen.conf'
		END
		printf '%s\n' ${PGV_CONF:+"$PGV_CONF"} "$@"
	} >>"$dir/data/postgresql.conf"
	# The socket lies in a directory of ours.  The port is open to every user of the
	# machine, so there a superuser must know the password.
	cat >"$dir/data/pg_hba.conf" <<-END
		local all all trust
		local replication all trust
		host all postgres 127.0.0.1/32 scram-sha-256
		host all all 127.0.0.1/32 trust
	END
}

# cluster_listen DIR: choose a port, and a socket if its path is not too long.
# The port lies below those the system gives to outgoing connections.
cluster_listen() {
	local dir=$1 port host socket
	port=$(shuf -n 1 -i 20000-32000)
	host=$dir socket=$dir
	[ "${#dir}" -le $((107 - ${#port} - 12)) ] || host=127.0.0.1 socket=
	cat >"$dir/data/listen.conf" <<-END
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = '$socket'
	END
	{
		echo 'unset PGHOSTADDR PGSERVICE PGOPTIONS PGPASSFILE PGSSLMODE PGAPPNAME'
		printf 'export %s=%q\n' PGHOST "$host" PGPORT "$port" PGUSER postgres \
			PGDATABASE postgres PGPASSWORD "$(<"$dir/password")" PGCLIENTENCODING UTF8
		printf 'export %s=%q\n' PATH "$PATH" PG_CONFIG "$PG_CONFIG"
	} >"$dir/env"
	give "$dir/data/listen.conf" "$dir/env"
}

cluster_launch() {
	as_user pg_ctl -D "$1/data" -l "$1/log" -w -t 60 start >/dev/null 2>&1
}
