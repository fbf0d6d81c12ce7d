/*
 * client.c
 *		Executes statements in many sessions at once, counts them, and compares
 *		what it counted with what vitals.statements has.
 *
 * Usage: client [-n executions] [-s sessions]		with libpq's environment
 *
 * The server is to have pg_vitals.track = all and a table that is too small for
 * the statements.  There are DATABASES databases and ROLES roles; each session
 * belongs to one of each.  A quarter of the executions are sent by the client, in
 * pipelines of prepared statements, some under texts that are used once; the
 * others are a function's.  Meanwhile readers scan the views, and one session
 * resets a statement of its own and must find what it executed, less what that had.
 *
 * It does so in two phases.  After each everything is compared: calls, rows and
 * failures of every database, and calls and rows of every statement in frequent
 * use, for each database and role.  Before the second a statement is reset, and
 * must be missing in the sums with exactly what it had.
 *
 * Prints "ok" and "not ok" lines; the exit status is 1 if one is not ok, 2 if the
 * client could not do its work.
 */
#define _GNU_SOURCE

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define DATABASES 4
#define ROLES 2
#define MAX_SESSIONS 256
#define PIPELINE 500			/* statements per Sync */
#define NESTED 600				/* rounds of the function in one call */
#define NESTED_STATEMENTS 3		/* of the function, in a round */
#define PHASES 2
#define READERS 2
#define PAUSE_US 10000			/* of a reader */

/* Statements in frequent use. */
typedef struct Hot
{
	const char *text;			/* with $1 */
	const char *normal;			/* as the view shows it */
	int			rows;
	bool		sent;			/* by the client, or else by the function */
} Hot;

static const Hot hot[] = {
	{"SELECT $1::int AS one", "SELECT $1::int AS one", 1, true},
	{"SELECT generate_series(1, 3) AS three, $1::int", "SELECT generate_series($2, $3) AS three, $1::int", 3, true},
	{"SELECT $1::int AS none WHERE false", "SELECT $1::int AS none WHERE $2", 0, true},
	{"SELECT id FROM ten WHERE id = $1::int", "SELECT id FROM ten WHERE id = $1::int", 1, true},
	{"INSERT INTO written VALUES ($1::int)", "INSERT INTO written VALUES ($1::int)", 1, true},
	{NULL, "SELECT id FROM ten WHERE id = $1 + $2 % $3", 1, false},
	{NULL, "SELECT id FROM ten ORDER BY id LIMIT $1", 2, false},
	{NULL, "SELECT id FROM ten WHERE id < $1", 0, false},
};

#define NHOT ((int) (sizeof(hot) / sizeof(hot[0])))
#define RESET 1					/* the one that is reset between the phases */

static const char function[] =
"CREATE FUNCTION nested(n integer) RETURNS void LANGUAGE plpgsql AS $$\n"
"BEGIN\n"
"	FOR i IN 1 .. n LOOP\n"
"		PERFORM id FROM ten WHERE id = 1 + i % 10;\n"
"		PERFORM id FROM ten ORDER BY id LIMIT 2;\n"
"		PERFORM id FROM ten WHERE id < 0;\n"
"	END LOOP;\n"
"END $$";

/* What a session did. */
typedef struct Count
{
	int64_t		calls;
	int64_t		rows;
	int64_t		failures;
	int64_t		hot[NHOT];
} Count;

typedef struct Session
{
	int			id;
	PGconn	   *conn;
	int64_t		quota;			/* executions in a phase */
	Count		count;
	unsigned int random;
	pthread_t	thread;
} Session;

static Session sessions[MAX_SESSIONS];
static int	nsessions = 32;
static int64_t executions = 10000000;
static int	failed = 0;
static volatile bool working;	/* readers go on */
static int64_t readings = 0;
static int64_t resets = 0;
static int64_t forgotten[DATABASES][ROLES];	/* calls that were reset */

static void
die(const char *format,...)
{
	va_list		args;

	fprintf(stderr, "client: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(2);
}

static void
result(bool ok, const char *format,...)
{
	va_list		args;

	printf(ok ? "ok - " : "not ok - ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	if (!ok)
		failed++;
}

/* Is it equal?  Says both if not. */
static void
same(int64_t got, int64_t want, const char *what)
{
	if (got == want)
		result(true, "%s: %lld", what, (long long) want);
	else
		result(false, "%s: %lld were executed, %lld are counted", what,
			   (long long) want, (long long) got);
}

static PGconn *
connect_to(const char *database, const char *role)
{
	const char *keys[] = {"dbname", "user", NULL};
	const char *values[] = {database, role, NULL};
	PGconn	   *conn = PQconnectdbParams(keys, values, 0);

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	return conn;
}

static PGresult *
query(PGconn *conn, const char *format,...)
{
	char		sql[2048];
	va_list		args;
	PGresult   *res;

	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	res = PQexec(conn, sql);
	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
		die("%s: %s", sql, PQresultErrorMessage(res));
	return res;
}

#define run(...) PQclear(query(__VA_ARGS__))

static int64_t
number(PGconn *conn, const char *sql)
{
	PGresult   *res = query(conn, "%s", sql);
	int64_t		n = PQntuples(res) > 0 ? atoll(PQgetvalue(res, 0, 0)) : -1;

	PQclear(res);
	return n;
}

/* ----- work ----- */

static void
note_hot(Session *s, int i, int64_t calls)
{
	s->count.hot[i] += calls;
	s->count.calls += calls;
	s->count.rows += calls * hot[i].rows;
}

/* What comes of one statement of a pipeline. */
static void
expect(Session *s, int rows)
{
	PGresult   *res = PQgetResult(s->conn);
	ExecStatusType status = PQresultStatus(res);
	int			got = status == PGRES_TUPLES_OK ? PQntuples(res) : 1;

	if ((status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) || got != rows)
		die("a statement of a pipeline: %s", PQerrorMessage(s->conn));
	PQclear(res);
	if (PQgetResult(s->conn) != NULL)
		die("a pipeline is out of step");
}

/* Prepared statements, and now and then one that nobody else executes. */
static void
send_pipeline(Session *s)
{
	int			rows[PIPELINE];
	PGresult   *res;

	for (int i = 0; i < PIPELINE; i++)
	{
		int			which = rand_r(&s->random) % 100;
		char		value[16];
		const char *values[] = {value};

		snprintf(value, sizeof(value), "%d", 1 + i % 10);
		if (which < 2)
		{
			char		sql[64];
			unsigned int once = rand_r(&s->random) % 1000000;

			snprintf(sql, sizeof(sql), "WITH o_%u AS (SELECT 1) SELECT * FROM o_%u", once, once);
			if (!PQsendQueryParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
				die("%s", PQerrorMessage(s->conn));
			s->count.calls++;
			s->count.rows++;
			rows[i] = 1;
			continue;
		}
		which = which < 10 ? 4 : which % 4;
		if (!PQsendQueryPrepared(s->conn, (char[]) {'h', '0' + which, 0}, 1, values, NULL, NULL, 0))
			die("%s", PQerrorMessage(s->conn));
		note_hot(s, which, 1);
		rows[i] = hot[which].rows;
	}
	if (!PQpipelineSync(s->conn))
		die("%s", PQerrorMessage(s->conn));
	for (int i = 0; i < PIPELINE; i++)
		expect(s, rows[i]);
	res = PQgetResult(s->conn);
	if (PQresultStatus(res) != PGRES_PIPELINE_SYNC)
		die("a pipeline is out of step");
	PQclear(res);
}

static void
call_function(Session *s, int rounds)
{
	run(s->conn, "SELECT nested(%d)", rounds);
	s->count.calls++;
	s->count.rows++;
	for (int i = 0; i < NHOT; i++)
	{
		if (!hot[i].sent)
			note_hot(s, i, rounds);
	}
}

static void
fail(Session *s)
{
	PGresult   *res = PQexec(s->conn, "SELECT 1 / (id - id) FROM ten");

	if (PQresultStatus(res) != PGRES_FATAL_ERROR)
		die("a division by zero did not fail");
	PQclear(res);
	s->count.calls++;
	s->count.failures++;
}

static void *
work(void *arg)
{
	Session    *s = arg;
	int64_t		end = s->count.calls + s->quota;
	int			per_function = 1 + NESTED * NESTED_STATEMENTS;

	for (int round = 0; s->count.calls + PIPELINE + per_function <= end; round++)
	{
		if (round % 2 == 0)
		{
			if (!PQenterPipelineMode(s->conn))
				die("no pipeline");
			send_pipeline(s);
			PQexitPipelineMode(s->conn);
			fail(s);
		}
		call_function(s, NESTED);
	}
	/* the rest, so that the sum is what was asked for */
	while (s->count.calls < end)
	{
		run(s->conn, "SELECT 1 AS rest");
		s->count.calls++;
		s->count.rows++;
	}
	return NULL;
}

/* ----- readers, and one who resets ----- */

static void *
read_views(void *arg)
{
	PGconn	   *conn = connect_to("postgres", NULL);

	while (working)
	{
		run(conn, "SELECT count(*), sum(calls) FROM vitals.statements");
		run(conn, "SELECT count(*) FROM vitals.n_plus_one");
		run(conn, "SELECT * FROM vitals.info");
		__atomic_add_fetch(&readings, 1, __ATOMIC_RELAXED);
		usleep(PAUSE_US);
	}
	PQfinish(conn);
	return arg;
}

/*
 * In a database of its own, so that the others' figures stay what they are.
 * The statement may be pushed out, too: all of the database is counted.
 */
static void *
reset_own(void *arg)
{
	static const char sum[] = "SELECT coalesce(sum(calls), 0) FROM vitals.statements"
		" WHERE datname = 'stress_own'";
	PGconn	   *conn = connect_to("stress_own", NULL);
	unsigned int random = 1;
	int64_t		expected = number(conn, sum) + 1;

	while (working)
	{
		int			calls = 1 + rand_r(&random) % 200;
		int64_t		found;
		PGresult   *res;

		for (int i = 0; i < calls; i++)
			run(conn, "SELECT %d AS my_own", i);
		expected += calls;
		found = number(conn, sum);
		if (found != expected)
			result(false, "where a statement is reset: %lld were executed, %lld are counted",
				   (long long) expected, (long long) found);
		res = PQexec(conn, "SELECT calls, vitals.reset(queryid, dbid, userid) FROM vitals.statements"
					 " WHERE query = 'SELECT $1 AS my_own' AND datname = 'stress_own'");
		expected += 2;
		for (int i = 0; i < PQntuples(res); i++, resets++)
			expected -= atoll(PQgetvalue(res, i, 0));
		/* it may have been pushed out in that moment */
		if (PQresultStatus(res) != PGRES_TUPLES_OK &&
			strcmp(PQresultErrorField(res, PG_DIAG_SQLSTATE), "42704") != 0)
			die("%s", PQresultErrorMessage(res));
		PQclear(res);
	}
	PQfinish(conn);
	return arg;
}

/* ----- truth ----- */

static int
database_of(const Session *s)
{
	return s->id % DATABASES;
}

static int
role_of(const Session *s)
{
	return s->id / DATABASES % ROLES;
}

static void
compare_databases(PGconn *conn, const char *when)
{
	int64_t		all = 0;
	int64_t		found = 0;

	for (int d = 0; d < DATABASES; d++)
	{
		Count		truth = {0};
		int64_t		reset = 0;
		char		what[64];
		PGresult   *res = query(conn, "SELECT sum(calls), sum(rows), sum(failures) FROM vitals.statements"
								" WHERE datname = 'stress_%d'", d);

		for (int i = 0; i < nsessions; i++)
		{
			if (database_of(&sessions[i]) != d)
				continue;
			truth.calls += sessions[i].count.calls;
			truth.rows += sessions[i].count.rows;
			truth.failures += sessions[i].count.failures;
		}
		for (int i = 0; i < ROLES; i++)
			reset += forgotten[d][i];
		all += truth.calls;
		found += atoll(PQgetvalue(res, 0, 0)) + reset;
		snprintf(what, sizeof(what), "%s, database %d: calls", when, d);
		same(atoll(PQgetvalue(res, 0, 0)) + reset, truth.calls, what);
		snprintf(what, sizeof(what), "%s, database %d: rows", when, d);
		same(atoll(PQgetvalue(res, 0, 1)) + reset * hot[RESET].rows, truth.rows, what);
		snprintf(what, sizeof(what), "%s, database %d: failures", when, d);
		same(atoll(PQgetvalue(res, 0, 2)), truth.failures, what);
		PQclear(res);
	}
	result(all == found, "%s: %lld executions from %d sessions, %lld found", when,
		   (long long) all, nsessions, (long long) found);
}

/* Of each statement in frequent use, for each database and role. */
static void
compare_hot(PGconn *conn, const char *when)
{
	int			wrong = 0;

	for (int cell = 0; cell < DATABASES * ROLES * NHOT; cell++)
	{
		int			d = cell % DATABASES;
		int			r = cell / DATABASES % ROLES;
		int			i = cell / DATABASES / ROLES;
		int64_t		truth = 0;
		char	   *literal = PQescapeLiteral(conn, hot[i].normal, strlen(hot[i].normal));
		PGresult   *res = query(conn, "SELECT coalesce(sum(calls), 0), coalesce(sum(rows), 0)"
								" FROM vitals.statements WHERE query = %s AND toplevel = %s"
								" AND datname = 'stress_%d' AND username = 'stress_%d'",
								literal, hot[i].sent ? "true" : "false", d, r);
		int64_t		calls = atoll(PQgetvalue(res, 0, 0));

		for (int s = 0; s < nsessions; s++)
		{
			if (database_of(&sessions[s]) == d && role_of(&sessions[s]) == r)
				truth += sessions[s].count.hot[i];
		}
		if (i == RESET)
			truth -= forgotten[d][r];
		if (calls != truth || atoll(PQgetvalue(res, 0, 1)) != truth * hot[i].rows)
		{
			printf("#   %s, database %d, role %d: %lld executed, %lld counted\n",
				   hot[i].normal, d, r, (long long) truth, (long long) calls);
			wrong++;
		}
		PQclear(res);
		PQfreemem(literal);
	}
	result(wrong == 0, "%s: every statement in frequent use, for each database and role", when);
}

static void
compare(PGconn *conn, const char *when)
{
	compare_databases(conn, when);
	compare_hot(conn, when);
}

/* ----- the course of it ----- */

static void
set_up(PGconn *conn)
{
	for (int r = 0; r < ROLES; r++)
		run(conn, "CREATE ROLE stress_%d LOGIN", r);
	run(conn, "CREATE DATABASE stress_own");
	for (int d = 0; d < DATABASES; d++)
	{
		char		name[32];
		PGconn	   *own;

		snprintf(name, sizeof(name), "stress_%d", d);
		run(conn, "CREATE DATABASE %s", name);
		own = connect_to(name, NULL);
		run(own, "CREATE TABLE ten AS SELECT generate_series(1, 10) AS id");
		run(own, "CREATE UNLOGGED TABLE written (id integer)");
		run(own, "GRANT SELECT ON ten TO PUBLIC; GRANT INSERT ON written TO PUBLIC");
		run(own, function);
		PQfinish(own);
	}
	run(conn, "CREATE EXTENSION pg_vitals");
	conn = connect_to("stress_own", NULL);
	run(conn, "CREATE EXTENSION pg_vitals");
	PQfinish(conn);
}

static void
open_sessions(void)
{
	for (int i = 0; i < nsessions; i++)
	{
		Session    *s = &sessions[i];
		char		database[32];
		char		role[32];

		s->id = i;
		s->random = i + 1;
		s->quota = executions / PHASES / nsessions;
		snprintf(database, sizeof(database), "stress_%d", database_of(s));
		snprintf(role, sizeof(role), "stress_%d", role_of(s));
		s->conn = connect_to(database, role);
		for (int h = 0; h < NHOT; h++)
		{
			if (hot[h].sent)
				PQclear(PQprepare(s->conn, (char[]) {'h', '0' + h, 0}, hot[h].text, 0, NULL));
		}
	}
	/* what does not divide */
	sessions[0].quota += executions / PHASES - sessions[0].quota * nsessions;
}

static void
phase(void)
{
	pthread_t	readers[READERS];
	pthread_t	resetter;

	working = true;
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_views, NULL);
	pthread_create(&resetter, NULL, reset_own, NULL);
	for (int i = 0; i < nsessions; i++)
		pthread_create(&sessions[i].thread, NULL, work, &sessions[i]);
	for (int i = 0; i < nsessions; i++)
		pthread_join(sessions[i].thread, NULL);
	working = false;
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	pthread_join(resetter, NULL);
}

/* Reset one statement, of which the sessions know what will be missing. */
static void
forget_one(PGconn *conn)
{
	char	   *literal = PQescapeLiteral(conn, hot[RESET].normal, strlen(hot[RESET].normal));

	for (int i = 0; i < nsessions; i++)
		forgotten[database_of(&sessions[i])][role_of(&sessions[i])] += sessions[i].count.hot[RESET];
	run(conn, "SELECT vitals.reset(queryid) FROM (SELECT DISTINCT queryid FROM vitals.statements"
		" WHERE query = %s) AS s", literal);
	PQfreemem(literal);
}

int
main(int argc, char **argv)
{
	PGconn	   *conn;
	int64_t		evictions;
	int			option;

	while ((option = getopt(argc, argv, "n:s:")) != -1)
	{
		if (option == 'n')
			executions = atoll(optarg);
		else if (option == 's')
			nsessions = atoi(optarg);
		else
			return 2;
	}
	if (nsessions < 1 || nsessions > MAX_SESSIONS || executions < PHASES)
		die("a number is out of range");
	conn = connect_to("postgres", NULL);
	set_up(conn);
	open_sessions();
	run(conn, "SELECT vitals.reset()");
	phase();
	compare(conn, "first phase");
	forget_one(conn);
	compare_databases(conn, "after a reset");
	phase();
	compare(conn, "second phase");
	result(readings > 0, "%lld readings of the views meanwhile", (long long) readings);
	result(resets > 0, "%lld resets of a statement meanwhile", (long long) resets);
	evictions = number(conn, "SELECT evictions FROM vitals.info");
	result(evictions > 100, "%lld statements were pushed out", (long long) evictions);
	for (int i = 0; i < nsessions; i++)
		PQfinish(sessions[i].conn);
	PQfinish(conn);
	return failed > 0;
}
