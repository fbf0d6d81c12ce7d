/*
 * driver.c
 *		Runs one benchmark case against several servers in turn and prints how
 *		much CPU time the backend took for each of its statements.
 *
 * Usage: driver [-g start] [-r rounds] [-s seconds] case	measure
 *		  driver -u units case								run, for callgrind
 *		  driver -l											list the cases
 * The servers come on standard input, a line each: variant, blank, conninfo.
 *
 * What it owns: the connections to each server (one, or those of the case's
 * clients, and that of a reader), the order of the measurements, and the
 * reading of the clocks.  What a variant is and
 * what becomes of the numbers is for the caller (run, report.pl) to know, but
 * for the few SQL commands in the table `variants` below.
 *
 * The clock is the first number of /proc/PID/schedstat: nanoseconds that the
 * process has spent on a CPU, exact while the process sleeps.  So the driver
 * waits, after the answer to the last statement, until the kernel shows the
 * backend asleep.  Nothing in the backend is asked, so reading costs it nothing.
 *
 * With a processor to itself the driver does not sleep until an answer comes,
 * it asks again and again.  To wake a process on an idle processor costs a
 * backend in a virtual machine more than many a statement does, and never the
 * same twice.
 *
 * A turn measures every server once, one after the other, each with a batch of
 * the same statements that takes about 10 ms; which server comes first moves on
 * by one every turn.  So the servers of a turn can be compared with each other,
 * where those of different turns cannot: a shared machine changes its speed.
 * A round is a few turns, of which the reader may take the best.
 * Backends are replaced every REFRESH rounds, because where a process happens
 * to find its memory makes it a percent faster or slower for all its life.
 *
 * Output, one line per measurement, to be read by report.pl; start is what -g
 * says, the number of times the servers had been started:
 *		case start round turn variant statements cpu_ns wall_ns
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MAX_SERVERS		8
#define MAX_CLIENTS		32
#define CHURN_CLIENTS	8
#define PIPELINE		1000	/* statements per Sync */
#define IN_FLIGHT		50		/* simple queries written at a time */
#define REFRESH			5		/* rounds a backend lives */
#define ACCOUNTS		100000	/* rows of pgbench_accounts at scale 1 */
#define CHURN_TEXTS		30000
#define READ_TEXTS		6000	/* statements there are before the views are read */
#define WIDE_ROWS		2000	/* rows of bench_columns */
#define WIDE_READ		50		/* that one statement reads */
#define ASLEEP_WITHIN_S	10

/* What has to be said to a server of this name; NULL where nothing has. */
typedef struct Variant
{
	const char *name;
	const char *nested;			/* makes nested statements count */
	const char *forget;			/* before the case */
	const char *count;			/* executions counted so far */
	const char *read;			/* what a reader of its views asks */
	bool		counts;			/* must they have been counted, or must not? */
	bool		keeps_evicted;	/* do counted executions outlive their entry? */
} Variant;

#define VITALS_COUNT \
	"SELECT coalesce(sum(calls), 0) FROM vitals.statements"
#define VITALS_READ \
	"SELECT count(*), sum(calls) FROM vitals.statements;" \
	"SELECT count(*) FROM vitals.n_plus_one; SELECT * FROM vitals.info"

/* It has no calls; what it works with has. */
#define KCACHE \
	"SET pg_stat_statements.track = 'all'; SET pg_stat_kcache.track = 'all'", \
	"SELECT pg_stat_kcache_reset(), pg_stat_statements_reset()", \
	"SELECT coalesce(sum(calls), 0) FROM pg_stat_statements" \
	" WHERE EXISTS (SELECT FROM pg_stat_kcache)", \
	"SELECT count(*), sum(exec_user_time) FROM pg_stat_kcache"

static const Variant variants[] = {
	{"off", "SET pg_vitals.track = 'all'", NULL, VITALS_COUNT, VITALS_READ, false, true},
	{"on", "SET pg_vitals.track = 'all'", NULL, VITALS_COUNT, VITALS_READ, true, true},
	{"pgss", "SET pg_stat_statements.track = 'all'",
		"SELECT pg_stat_statements_reset()",
		"SELECT coalesce(sum(calls), 0) FROM pg_stat_statements",
	"SELECT count(*), sum(calls) FROM pg_stat_statements", true, false},
	{"kcache", KCACHE, true, false},
	{"set", KCACHE, true, false},
	{"pgsm", "SET pg_stat_monitor.pgsm_track = 'all'",
		"SELECT pg_stat_monitor_reset()",
		"SELECT coalesce(sum(calls), 0) FROM pg_stat_monitor",
	"SELECT count(*), sum(calls) FROM pg_stat_monitor", true, false},
};

/* A reader of a bare server: as long on a processor, and locks that nobody wants. */
#define BARE_READ \
	"SELECT count(*), sum(length(md5(prosrc))) FROM pg_proc, generate_series(1, 4)"


/* One connection, and the files that tell what its backend is doing. */
typedef struct Client
{
	PGconn	   *conn;
	int			schedstat;
	int			stat;
	char		pid[16];
} Client;

typedef struct Server
{
	char		name[32];
	char		conninfo[512];
	const Variant *variant;		/* NULL for a bare server */
	Client		clients[MAX_CLIENTS];
	int			nclients;
	int64_t		executed;		/* to be counted, since the case began */
	int64_t		counted_before;
	int			next_text;		/* churn: the next statement, taken atomically */
	PGconn	   *reader;			/* for the case that has one */
	bool		reader_ends;	/* what it is told, atomically */
	int64_t		ended;			/* when the clients were done, if it goes on; 0: when run ends */
	unsigned int seed;			/* the same keys for every server */
} Server;

typedef struct Case
{
	const char *name;
	int			clients;
	int			turns;			/* measurements of each server in a round */
	int			batch;			/* units in one of them */
	int			warm;			/* units run by new backends beforehand */
	int			statements;		/* statements in one unit */
	int			counted;		/* those that pg_stat_statements counts */
	bool		nested;			/* statements run inside a function */
	void		(*prepare) (PGconn *conn);
	void		(*run) (Server *server, int units);
} Case;

static void
die(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fputs("driver: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* --- statements -------------------------------------------------------- */

static bool busy_wait;			/* has the driver a processor to itself? */

static PGresult *
next_result(PGconn *conn)
{
	while (busy_wait && PQisBusy(conn))
		if (!PQconsumeInput(conn))
			die("%s", PQerrorMessage(conn));
	return PQgetResult(conn);
}

/* The end of a statement just sent, which must succeed. */
static void
finish(PGconn *conn, int sent)
{
	PGresult   *res;

	if (!sent)
		die("%s", PQerrorMessage(conn));
	while ((res = next_result(conn)) != NULL)
	{
		ExecStatusType status = PQresultStatus(res);

		if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
			die("%s", PQerrorMessage(conn));
		PQclear(res);
	}
}

static void
simple(PGconn *conn, const char *sql)
{
	finish(conn, PQsendQuery(conn, sql));
}

static void
prepare(PGconn *conn, const char *name, const char *sql)
{
	finish(conn, PQsendPrepare(conn, name, sql, 0, NULL));
}

/* Executes a prepared statement with up to four integer parameters. */
static void
prepared(PGconn *conn, const char *name, int nparams, const int *params)
{
	char		text[4][16];
	const char *values[4];

	for (int i = 0; i < nparams; i++)
	{
		snprintf(text[i], sizeof text[i], "%d", params[i]);
		values[i] = text[i];
	}
	finish(conn, PQsendQueryPrepared(conn, name, nparams, values, NULL, NULL, 0));
}

/* --- cases --------------------------------------------------------------- */

static int
random_account(Server *server)
{
	return rand_r(&server->seed) % ACCOUNTS + 1;
}

static void
prepare_select1(PGconn *conn)
{
	prepare(conn, "one", "SELECT 1");
}

static void
pipeline_results(PGconn *conn, int expected)
{
	int			got = 0;

	for (;;)
	{
		PGresult   *res = next_result(conn);
		ExecStatusType status = PQresultStatus(res);

		if (res == NULL)
			continue;			/* end of one statement's results */
		PQclear(res);
		if (status == PGRES_PIPELINE_SYNC)
			break;
		if (status != PGRES_TUPLES_OK)
			die("%s", PQerrorMessage(conn));
		got++;
	}
	if (got != expected)
		die("pipeline of %d gave %d results", expected, got);
}

static void
run_select1_pipelined(Server *server, int units)
{
	PGconn	   *conn = server->clients[0].conn;

	if (!PQenterPipelineMode(conn))
		die("%s", PQerrorMessage(conn));
	for (int i = 0; i < units; i++)
	{
		for (int j = 0; j < PIPELINE; j++)
			if (!PQsendQueryPrepared(conn, "one", 0, NULL, NULL, NULL, 0))
				die("%s", PQerrorMessage(conn));
		if (!PQpipelineSync(conn))
			die("%s", PQerrorMessage(conn));
		pipeline_results(conn, PIPELINE);
	}
	if (!PQexitPipelineMode(conn))
		die("%s", PQerrorMessage(conn));
}

static void
run_select1_simple(Server *server, int units)
{
	for (int i = 0; i < units; i++)
		simple(server->clients[0].conn, "SELECT 1");
}

#define POINT	"SELECT abalance FROM pgbench_accounts WHERE aid = "

static void
run_point_simple(Server *server, int units)
{
	char		sql[96];

	for (int i = 0; i < units; i++)
	{
		snprintf(sql, sizeof sql, POINT "%d", random_account(server));
		simple(server->clients[0].conn, sql);
	}
}

/* Appends a simple query to out, which must have the room; returns the new end. */
static char *
put_query(char *out, const char *sql)
{
	uint32_t	length = htonl((uint32_t) strlen(sql) + 5);

	*out++ = 'Q';
	memcpy(out, &length, 4);
	return stpcpy(out + 4, sql) + 1;
}

static void
write_all(int fd, const char *from, const char *end)
{
	while (from < end)
	{
		ssize_t		n = send(fd, from, end - from, MSG_NOSIGNAL);

		if (n > 0)
			from += n;
		else if (errno != EAGAIN && errno != EINTR)
			die("send: %s", strerror(errno));
	}
}

/* Takes whole messages off buf; returns the bytes used, adds to *ready. */
static size_t
skip_messages(const char *buf, size_t have, int *ready)
{
	size_t		used = 0;
	uint32_t	length;

	while (have - used >= 5)
	{
		memcpy(&length, buf + used + 1, 4);
		length = ntohl(length) + 1;
		if (have - used < length)
			break;
		if (buf[used] == 'E')
			die("a query in flight failed");
		*ready += buf[used] == 'Z';
		used += length;
	}
	return used;
}

/* Reads, and throws away, until so many queries are answered. */
static void
await_ready(int fd, int queries)
{
	char		buf[65536];
	size_t		have = 0;
	int			ready = 0;

	while (ready < queries)
	{
		ssize_t		n = recv(fd, buf + have, sizeof buf - have, busy_wait ? MSG_DONTWAIT : 0);
		size_t		used;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			die("recv: %s", n == 0 ? "end of file" : strerror(errno));
		if (n < 0)
			continue;
		have += n;
		used = skip_messages(buf, have, &ready);
		have -= used;
		memmove(buf, buf + used, have);
	}
}

/*
 * The lookups of point_simple, but the backend never waits for the next: they
 * are written many at a time.  libpq cannot do that in the simple protocol, so
 * this speaks it itself, on libpq's socket.  Without the sleeping in between,
 * the figures scatter far less.
 */
static void
run_point_batched(Server *server, int units)
{
	int			fd = PQsocket(server->clients[0].conn);
	char		out[IN_FLIGHT * 128];
	char		sql[96];

	for (int left = units; left > 0; left -= IN_FLIGHT)
	{
		int			queries = left < IN_FLIGHT ? left : IN_FLIGHT;
		char	   *end = out;

		for (int i = 0; i < queries; i++)
		{
			snprintf(sql, sizeof sql, POINT "%d", random_account(server));
			end = put_query(end, sql);
		}
		write_all(fd, out, end);
		await_ready(fd, queries);
	}
}

static void
run_point_extended(Server *server, int units)
{
	PGconn	   *conn = server->clients[0].conn;
	char		aid[16];
	const char *values[1] = {aid};

	for (int i = 0; i < units; i++)
	{
		snprintf(aid, sizeof aid, "%d", random_account(server));
		finish(conn, PQsendQueryParams(conn, POINT "$1", 1, NULL, values, NULL, NULL, 0));
	}
}

static void
prepare_point(PGconn *conn)
{
	prepare(conn, "point", POINT "$1");
}

static void
run_point_prepared(Server *server, int units)
{
	for (int i = 0; i < units; i++)
	{
		int			aid = random_account(server);

		prepared(server->clients[0].conn, "point", 1, &aid);
	}
}

static void
run_plpgsql_nested(Server *server, int units)
{
	for (int i = 0; i < units; i++)
		simple(server->clients[0].conn, "SELECT bench_nested(1000)");
}

static void
run_read_100k(Server *server, int units)
{
	for (int i = 0; i < units; i++)
		simple(server->clients[0].conn, "SELECT * FROM bench_wide");
}

/* Rows of many columns and long texts, as many as a page of a program shows. */
static void
run_wide_rows(Server *server, int units)
{
	char		sql[96];
	int			first;

	for (int i = 0; i < units; i++)
	{
		first = rand_r(&server->seed) % (WIDE_ROWS - WIDE_READ) + 1;
		snprintf(sql, sizeof sql, "SELECT * FROM bench_columns WHERE id BETWEEN %d AND %d",
				 first, first + WIDE_READ - 1);
		simple(server->clients[0].conn, sql);
	}
}

/* The statements of pgbench's built-in script "tpcb-like". */
static void
prepare_tpcb(PGconn *conn)
{
	prepare(conn, "begin", "BEGIN");
	prepare(conn, "accounts", "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2");
	prepare(conn, "read", POINT "$1");
	prepare(conn, "tellers", "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2");
	prepare(conn, "branches", "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2");
	prepare(conn, "history", "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)"
			" VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)");
	prepare(conn, "end", "END");
}

static void
run_tpcb(Server *server, int units)
{
	PGconn	   *conn = server->clients[0].conn;

	for (int i = 0; i < units; i++)
	{
		int			aid = random_account(server);
		int			tid = rand_r(&server->seed) % 10 + 1;
		int			delta = rand_r(&server->seed) % 10001 - 5000;

		prepared(conn, "begin", 0, NULL);
		prepared(conn, "accounts", 2, (int[]) {delta, aid});
		prepared(conn, "read", 1, &aid);
		prepared(conn, "tellers", 2, (int[]) {delta, tid});
		prepared(conn, "branches", 2, (int[]) {delta, 1});
		prepared(conn, "history", 4, (int[]) {tid, 1, aid, delta});
		prepared(conn, "end", 0, NULL);
	}
}

/* What one of several clients is given to do. */
typedef struct Task
{
	Server	   *server;
	PGconn	   *conn;
	int			units;
	int			last_text;		/* churn: the first that is none of ours */
	unsigned int seed;
} Task;

/* All clients of a server at once, and until the last is done. */
static void
run_clients(Server *server, int units, void *(*client) (void *))
{
	pthread_t	threads[MAX_CLIENTS];
	Task		tasks[MAX_CLIENTS];

	for (int i = 0; i < server->nclients; i++)
	{
		tasks[i] = (Task) {server, server->clients[i].conn, units / server->nclients,
		server->next_text + units, rand_r(&server->seed)};
		tasks[i].units += i < units % server->nclients;
	}
	for (int i = 0; i < server->nclients; i++)
		if (pthread_create(&threads[i], NULL, client, &tasks[i]) != 0)
			die("could not create thread");
	for (int i = 0; i < server->nclients; i++)
		pthread_join(threads[i], NULL);
}

static void *
churn_client(void *arg)
{
	Task	   *task = arg;
	char		sql[128];
	int			n;

	while ((n = __sync_fetch_and_add(&task->server->next_text, 1)) < task->last_text)
	{
		n = n % CHURN_TEXTS + 1;
		snprintf(sql, sizeof sql,
				 "WITH q_some_long_name_%d AS (SELECT 1) SELECT FROM q_some_long_name_%d", n, n);
		simple(task->conn, sql);
	}
	return NULL;
}

/* The clients share one sequence of statements, which goes round and round. */
static void
run_churn(Server *server, int units)
{
	int			last = server->next_text + units;

	run_clients(server, units, churn_client);
	server->next_text = last % CHURN_TEXTS;
}

static void *
lookup_client(void *arg)
{
	Task	   *task = arg;

	for (int i = 0; i < task->units; i++)
	{
		int			aid = rand_r(&task->seed) % ACCOUNTS + 1;

		prepared(task->conn, "point", 1, &aid);
	}
	return NULL;
}

static void
run_lookups(Server *server, int units)
{
	run_clients(server, units, lookup_client);
}

static void *
read_views(void *arg)
{
	Server	   *server = arg;

	while (!__atomic_load_n(&server->reader_ends, __ATOMIC_RELAXED))
		simple(server->reader, server->variant ? server->variant->read : BARE_READ);
	return NULL;
}

/*
 * The lookups while somebody reads the extension's views without a pause, in
 * which there are as many statements as it keeps.  A bare server's reader reads
 * something else, so that the processors are shared as much.
 */
static void
run_beside_reader(Server *server, int units)
{
	pthread_t	thread;

	if (!server->reader)
	{
		server->reader = PQconnectdb(server->conninfo);
		if (PQstatus(server->reader) != CONNECTION_OK)
			die("%s", PQerrorMessage(server->reader));
		run_churn(server, READ_TEXTS);
	}
	server->reader_ends = false;
	if (pthread_create(&thread, NULL, read_views, server) != 0)
		die("could not create thread");
	run_lookups(server, units);
	server->ended = now_ns();
	__atomic_store_n(&server->reader_ends, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

static const Case cases[] = {
	{"select1_pipelined", 1, 5, 5, 4, PIPELINE, PIPELINE, false, prepare_select1, run_select1_pipelined},
	{"select1_simple", 1, 5, 800, 400, 1, 1, false, NULL, run_select1_simple},
	{"point_simple", 1, 5, 400, 1000, 1, 1, false, NULL, run_point_simple},
	{"point_batched", 1, 5, 600, 1000, 1, 1, false, NULL, run_point_batched},
	{"point_extended", 1, 5, 400, 1000, 1, 1, false, NULL, run_point_extended},
	{"point_prepared", 1, 5, 700, 1000, 1, 1, false, prepare_point, run_point_prepared},
	{"plpgsql_nested", 1, 5, 10, 4, 1000, 1000, true, NULL, run_plpgsql_nested},
	{"read_100k", 1, 3, 1, 1, 1, 1, false, NULL, run_read_100k},
	{"wide_rows", 1, 5, 8, 20, 1, 1, false, NULL, run_wide_rows},
	/* pg_stat_statements 1.10 sees a prepared BEGIN or END only once */
	{"tpcb", 1, 5, 60, 60, 7, 5, false, prepare_tpcb, run_tpcb},
	{"clients_8", 8, 3, 4000, 4000, 1, 1, false, prepare_point, run_lookups},
	{"clients_32", 32, 3, 4000, 8000, 1, 1, false, prepare_point, run_lookups},
	{"reader_8", 8, 1, 8000, 4000, 1, 1, false, prepare_point, run_beside_reader},
	{"churn_30000", CHURN_CLIENTS, 1, 10000, 10000, 1, 1, false, NULL, run_churn},
};

#define NCASES ((int) (sizeof cases / sizeof cases[0]))

static const Case *
find_case(const char *name)
{
	for (int i = 0; i < NCASES; i++)
		if (strcmp(cases[i].name, name) == 0)
			return &cases[i];
	die("no such case: %s", name);
	return NULL;
}

/* --- processors -------------------------------------------------------- */

static cpu_set_t all_cpus;
static cpu_set_t backend_cpu;
static cpu_set_t driver_cpu;

/*
 * With two processors or more, a single backend gets the last one to itself
 * and everything else of ours the first.  With several clients they all share
 * all processors, as on a real server: waiting for each other is what is
 * measured there.
 */
static void
choose_cpus(const Case *c)
{
	int			first = -1;
	int			last = -1;

	if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) != 0)
		die("sched_getaffinity: %s", strerror(errno));
	backend_cpu = driver_cpu = all_cpus;
	if (c->clients > 1 || CPU_COUNT(&all_cpus) < 2)
		return;
	busy_wait = true;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all_cpus))
		{
			first = first < 0 ? i : first;
			last = i;
		}
	CPU_ZERO(&backend_cpu);
	CPU_SET(last, &backend_cpu);
	CPU_ZERO(&driver_cpu);
	CPU_SET(first, &driver_cpu);
}

static void
pin(int pid, const cpu_set_t *set)
{
	if (sched_setaffinity(pid, sizeof *set, set) != 0)
		die("sched_setaffinity of %d: %s", pid, strerror(errno));
}

/* --- connections --------------------------------------------------------- */

static int
open_proc(const char *pid, const char *file)
{
	char		path[64];
	int			fd;

	snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void
connect_client(Client *client, const char *conninfo)
{
	PGresult   *res;

	client->conn = PQconnectdb(conninfo);
	if (PQstatus(client->conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(client->conn));
	res = PQexec(client->conn, "SELECT pg_backend_pid()");
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		die("%s", PQerrorMessage(client->conn));
	snprintf(client->pid, sizeof client->pid, "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	client->schedstat = open_proc(client->pid, "schedstat");
	client->stat = open_proc(client->pid, "stat");
	pin(atoi(client->pid), &backend_cpu);
}

static void
disconnect_server(Server *server)
{
	for (int i = 0; i < server->nclients; i++)
	{
		PQfinish(server->clients[i].conn);
		close(server->clients[i].schedstat);
		close(server->clients[i].stat);
	}
	server->nclients = 0;
	PQfinish(server->reader);
	server->reader = NULL;
}

/* New backends, prepared and warm: caches filled, tables and plans known. */
static void
connect_server(Server *server, const Case *c)
{
	disconnect_server(server);
	server->nclients = c->clients;
	for (int i = 0; i < c->clients; i++)
	{
		Client	   *client = &server->clients[i];

		connect_client(client, server->conninfo);
		if (c->nested && server->variant)
			simple(client->conn, server->variant->nested);
		if (c->prepare)
			c->prepare(client->conn);
	}
	c->run(server, c->warm);
	server->executed += (int64_t) c->warm * c->counted;
}

/* --- clocks -------------------------------------------------------------- */

static void
read_proc(int fd, char *buf, size_t size)
{
	ssize_t		n = pread(fd, buf, size - 1, 0);

	if (n <= 0)
		die("a backend has gone");
	buf[n] = '\0';
}

/* The time is booked when the process leaves the CPU; so wait until it has. */
static void
wait_asleep(const Client *client)
{
	int64_t		deadline = now_ns() + ASLEEP_WITHIN_S * INT64_C(1000000000);
	char		buf[1024];
	const char *state;

	do
	{
		read_proc(client->stat, buf, sizeof buf);
		state = strrchr(buf, ')');
		if (state && state[1] && state[2] == 'S')
			return;
	} while (now_ns() < deadline);
	die("backend %s is still busy after its last answer", client->pid);
}

/* CPU time of all backends of this server so far. */
static int64_t
cpu_ns(const Server *server)
{
	int64_t		sum = 0;
	char		buf[128];

	for (int i = 0; i < server->nclients; i++)
	{
		wait_asleep(&server->clients[i]);
		read_proc(server->clients[i].schedstat, buf, sizeof buf);
		sum += strtoll(buf, NULL, 10);
	}
	return sum;
}

/* --- measuring ----------------------------------------------------------- */

static void
measure(Server *server, const Case *c, int start, int round, int turn)
{
	int64_t		statements = (int64_t) c->batch * c->statements;
	int64_t		cpu = cpu_ns(server);
	int64_t		wall = now_ns();

	server->ended = 0;
	c->run(server, c->batch);
	wall = (server->ended ? server->ended : now_ns()) - wall;
	cpu = cpu_ns(server) - cpu;
	server->executed += (int64_t) c->batch * c->counted;
	printf("%s %d %d %d %s %lld %lld %lld\n", c->name, start, round, turn, server->name,
		   (long long) statements, (long long) cpu, (long long) wall);
}

/* Executions this variant has counted, or 0 if counting is not its business. */
static int64_t
counted(Server *server, bool forget)
{
	PGconn	   *conn = PQconnectdb(server->conninfo);
	PGresult   *res;
	int64_t		n;

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	if (forget && server->variant->forget)
		simple(conn, server->variant->forget);
	res = PQexec(conn, server->variant->count);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		die("%s: %s", server->name, PQerrorMessage(conn));
	n = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
	PQclear(res);
	PQfinish(conn);
	return n;
}

/*
 * A variant that counts must have counted every statement, and one that is
 * switched off none (but for those of the driver itself, at most a handful):
 * else the figures are not about what they say.
 */
static void
verify(Server *server, const Case *c)
{
	int64_t		n;

	if (!server->variant || (c->run == run_churn && !server->variant->keeps_evicted))
		return;
	n = counted(server, false) - server->counted_before;
	if (server->variant->counts ? n < server->executed : n > 100)
		die("%s: %s counted %lld of %lld statements", c->name, server->name,
			(long long) n, (long long) server->executed);
}

/* Starts with new backends every REFRESH rounds. */
static void
run_round(Server *servers, int nservers, const Case *c, int start, int round)
{
	for (int i = 0; i < nservers && round % REFRESH == 0; i++)
		connect_server(&servers[i], c);
	for (int turn = 0; turn < c->turns; turn++)
		for (int i = 0; i < nservers; i++)
			measure(&servers[(round + turn + i) % nservers], c, start, round, turn);
}

/* Three rounds at least, then until the time is up. */
static void
run_case(Server *servers, int nservers, const Case *c, int start, int rounds, double seconds)
{
	int64_t		deadline = now_ns() + (int64_t) (seconds * 1e9);

	for (int i = 0; i < nservers; i++)
		if (servers[i].variant)
			servers[i].counted_before = counted(&servers[i], true);
	for (int r = 0; r < rounds && (r < 3 || now_ns() < deadline); r++)
		run_round(servers, nservers, c, start, r);
	for (int i = 0; i < nservers; i++)
	{
		disconnect_server(&servers[i]);
		verify(&servers[i], c);
	}
}

/* One new backend per server runs so many units and ends; prints its number. */
static void
run_units(Server *servers, int nservers, const Case *c, int units)
{
	busy_wait = false;
	for (int i = 0; i < nservers; i++)
	{
		connect_server(&servers[i], c);
		c->run(&servers[i], units);
		printf("%s %s %d\n", servers[i].name, servers[i].clients[0].pid, units * c->statements);
		disconnect_server(&servers[i]);
	}
}

static int
read_servers(Server *servers)
{
	char		line[600];
	int			n = 0;

	for (; fgets(line, sizeof line, stdin); n++)
	{
		Server	   *server = &servers[n];

		if (n == MAX_SERVERS)
			die("more than %d servers", MAX_SERVERS);
		*server = (Server) {.seed = 1};
		if (sscanf(line, "%31s %511[^\n]", server->name, server->conninfo) != 2)
			die("not a variant and a conninfo: %s", line);
		for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
			if (strcmp(variants[i].name, server->name) == 0)
				server->variant = &variants[i];
	}
	if (n == 0)
		die("no servers on standard input");
	return n;
}

int
main(int argc, char **argv)
{
	static Server servers[MAX_SERVERS];
	int			nservers;
	int			rounds = 1000000;
	int			start = 0;
	int			units = 0;
	double		seconds = 3600;
	const Case *c;
	int			opt;

	while ((opt = getopt(argc, argv, "lg:r:s:u:")) != -1)
		switch (opt)
		{
			case 'l':
				for (int i = 0; i < NCASES; i++)
					puts(cases[i].name);
				return 0;
			case 'g':
				start = atoi(optarg);
				break;
			case 'r':
				rounds = atoi(optarg);
				break;
			case 's':
				seconds = atof(optarg);
				break;
			case 'u':
				units = atoi(optarg);
				break;
			default:
				return 2;
		}
	if (optind != argc - 1)
		die("name one case; -l lists them");
	c = find_case(argv[optind]);
	nservers = read_servers(servers);
	choose_cpus(c);
	pin(0, &driver_cpu);
	if (units > 0)
		run_units(servers, nservers, c, units);
	else
		run_case(servers, nservers, c, start, rounds, seconds);
	return 0;
}
