# The servers that are compared, and the program that drives them.
# Needs ../lib/common.sh, pg.sh and cluster.sh.

ALL_VARIANTS='none again off on pgss'

# These have to be asked for: "blind" is pg_vitals without its N+1 detector, "across"
# with lookups of one session matched with results of others; "kcache" is
# pg_stat_statements with pg_stat_kcache, "set" these with pg_wait_sampling, too, and
# "pgsm" pg_stat_monitor.
# settings VARIANT: what its configuration has beyond what is the same for all.
settings() {
	case $1 in
	none | again) echo "shared_preload_libraries = ''" ;;
	off) echo "pg_vitals.enabled = off" ;;
	on) echo "pg_vitals.enabled = on" ;;
	blind) echo "pg_vitals.n_plus_one = off" ;;
	across) echo "pg_vitals.n_plus_one_across_sessions = on" ;;
	pgss) echo "shared_preload_libraries = 'pg_stat_statements'" ;;
	kcache) echo "shared_preload_libraries = 'pg_stat_statements, pg_stat_kcache'" ;;
	set) echo "shared_preload_libraries = 'pg_stat_statements, pg_stat_kcache, pg_wait_sampling'" ;;
	pgsm) echo "shared_preload_libraries = 'pg_stat_monitor'" ;;
	*) die "there is no variant '$1'; there are: $ALL_VARIANTS blind across kcache set pgsm" ;;
	esac
}

extension() {
	case $1 in
	off | on | across | blind) echo "CREATE EXTENSION pg_vitals;" ;;
	pgss) echo "CREATE EXTENSION pg_stat_statements;" ;;
	kcache) echo "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_stat_kcache;" ;;
	set) echo "$(extension kcache) CREATE EXTENSION pg_wait_sampling;" ;;
	pgsm) echo "CREATE EXTENSION pg_stat_monitor;" ;;
	esac
}

# have_libraries VARIANT...: those of other extensions are there.  pg_stat_kcache and
# pg_wait_sampling are packages; pg_stat_monitor is built of the source in the directory
# PGV_PG_STAT_MONITOR.
have_libraries() {
	case " $* " in
	*' kcache '* | *' set '*) [ -e "$(pg pkglibdir)/pg_stat_kcache.so" ] ||
		die "'kcache' and 'set' need the package postgresql-$PGV_MAJOR-pg-stat-kcache" ;;
	esac
	case " $* " in
	*' set '*) [ -e "$(pg pkglibdir)/pg_wait_sampling.so" ] ||
		die "'set' needs the package postgresql-$PGV_MAJOR-pg-wait-sampling" ;;
	esac
	case " $* " in
	*' pgsm '*) (build_pgsm) >"$PGV_BUILD/pgsm.log" 2>&1 ||
		die "'pgsm' needs the source of pg_stat_monitor, in the directory that PGV_PG_STAT_MONITOR" \
			"names, and what that needs (libkrb5-dev); see $PGV_BUILD/pgsm.log" ;;
	esac
}

# build_pgsm: in a copy, and into the private installation.
build_pgsm() {
	rm -rf "$PGV_BUILD/pgsm" && cp -r "${PGV_PG_STAT_MONITOR:?names no directory}" "$PGV_BUILD/pgsm" &&
		make -C "$PGV_BUILD/pgsm" PG_CONFIG="$PG_CONFIG" with_llvm=no DESTDIR="$PGV_TREE" all install
}

# build_driver: compile it when its source is newer.
build_driver() {
	DRIVER=$PGV_BUILD/driver
	[ "$DRIVER" -nt test/bench/driver.c ] ||
		"${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -Werror -I"$(pg includedir)" \
			-o "$DRIVER" test/bench/driver.c \
			-L"$(pg libdir)" -Wl,-rpath,"$(pg libdir)" -lpq -lpthread
}

# start_variant VARIANT: a cluster with the tables and the function of the cases.
# Nothing runs in it by itself: no autovacuum, no checkpoint while measuring.
start_variant() {
	local own
	own=$(settings "$1") || return
	cluster_start "$1" 'shared_buffers = 256MB' 'autovacuum = off' 'jit = off' \
		'max_parallel_workers_per_gather = 0' 'max_wal_size = 8GB' \
		'checkpoint_timeout = 1h' 'max_connections = 100' "$own" &&
		(cluster_use "$1" && load "$1") >"$(cluster_dir "$1")/load.log" 2>&1 && return
	say "could not prepare the server '$1':"
	tail -n 5 "$(cluster_dir "$1")"/l*.log "$(cluster_dir "$1")/log" >&2
	return 1
}

load() {
	pgbench --initialize --quiet --scale=1 &&
		psql -X -v ON_ERROR_STOP=1 <<-END
			CREATE TABLE bench_wide AS
			SELECT i AS id, i % 1000 AS a, 'text of row ' || i AS b,
				timestamptz '2000-01-01' + i * interval '1 s' AS c, i::numeric / 7 AS d
			FROM generate_series(1, 100000) i;
			DO \$\$ BEGIN
				EXECUTE 'CREATE TABLE bench_columns AS SELECT i AS id, '
					|| string_agg(format('i * %s AS n%1\$s, md5(i || ''.%1\$s'') AS t%1\$s', n), ', ')
					|| ', (SELECT string_agg(md5(i || ''.'' || j), '''') FROM generate_series(1, 250) j) AS long'
					|| ' FROM generate_series(1, 2000) i'
				FROM generate_series(1, 50) n;
			END \$\$;
			ALTER TABLE bench_columns ADD PRIMARY KEY (id);
			CREATE FUNCTION bench_nested(n int) RETURNS int LANGUAGE plpgsql AS \$\$
			DECLARE x int;
			BEGIN FOR i IN 1..n LOOP SELECT i INTO x; END LOOP; RETURN x; END \$\$;
			$(extension "$1")
			VACUUM ANALYZE;
			CHECKPOINT;
		END
}

start_variants() {
	local variant
	for variant in "${variants[@]}"; do
		start_variant "$variant" || return
	done
}

# restart_variants: the same data, in processes that lie elsewhere in memory.
restart_variants() {
	local variant
	for variant in "${variants[@]}"; do
		cluster_stop "$variant" && cluster_launch "$(cluster_dir "$variant")" || return
	done
}

# servers: the lines that the driver reads.
servers() {
	local variant
	for variant in "${variants[@]}"; do
		(
			cluster_use "$variant"
			echo "$variant host='$PGHOST' port=$PGPORT user=$PGUSER password=$PGPASSWORD dbname=$PGDATABASE"
		)
	done
}

# drive ARGUMENT...: the driver, with the rights of the user who runs the servers.
drive() { servers | as_user "$DRIVER" "$@"; }

# quiet_processes: move all processes of the clusters to the first processor; the
# driver puts the backends it measures on the last.
quiet_processes() {
	local variant postmaster pid first
	[ "$(nproc)" -ge 2 ] || return 0
	first=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
	for variant in "${variants[@]}"; do
		read -r postmaster <"$(cluster_dir "$variant")/data/postmaster.pid" || return
		for pid in "$postmaster" $(<"/proc/$postmaster/task/$postmaster/children"); do
			taskset -cp "$first" "$pid" >/dev/null 2>&1 || [ "$pid" != "$postmaster" ] || return
		done
	done
}

# remove_variants: stop the servers and remove their data, which is large.
remove_variants() {
	reap "$PGV_BUILD/clusters"
	rm -rf "$PGV_BUILD/clusters"
}
