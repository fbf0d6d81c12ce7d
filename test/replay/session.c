/*
 * session.c
 *	  One connection: sending events and reading what comes back.
 *
 * An event takes one of four paths through the server:
 *
 *	simple		one Query message
 *	extended	Parse, Bind, Describe, Execute, Sync with the unnamed statement
 *	named		Parse and Sync once per text, then Bind, Describe, Execute, Sync
 *	pipelined	as extended or named, but one Sync after the last of the run
 *
 * Types of parameters are left to the server everywhere. A statement that
 * fails is a complaint on stderr, unless its event says that it must fail;
 * then it is a complaint that it did not. The replay goes on after it, as the
 * client did whose trace it is, but a lost connection ends the program.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "util.h"

static void
ignore_notice(void *arg, const char *message)
{
	(void) arg;
	(void) message;
}

PGconn *
pgv_connect(const char *conninfo, const char *application_name, bool quiet)
{
	const char *keywords[] = {"dbname", "application_name", NULL};
	const char *values[] = {conninfo, application_name, NULL};
	PGconn	   *conn = PQconnectdbParams(keywords, values, 1);

	if (PQstatus(conn) != CONNECTION_OK)
		pgv_fatal("%s", PQerrorMessage(conn));
	if (quiet)
		PQsetNoticeProcessor(conn, ignore_notice, NULL);
	return conn;
}

PGresult *
pgv_control(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK &&
		PQresultStatus(result) != PGRES_TUPLES_OK)
		pgv_fatal("%sstatement was: %s", PQerrorMessage(conn), sql);
	return result;
}

static void
complain(PgvSession *session, int number, const char *message)
{
	int			length = (int) strcspn(message, "\n");

	session->complaints->count++;
	fprintf(stderr, "%s event %d: %.*s\n", session->complaints->scenario, number,
			length, message);
}

/* Has the event gone as it says? message: the error it met, or NULL. */
static void
judge(PgvSession *session, const PgvEvent *event, int number, const char *message)
{
	if (message && !event->error)
		complain(session, number, message);
	else if (message == NULL && event->error)
		complain(session, number, "the statement should have failed, but did not");
	if (PQstatus(session->conn) == CONNECTION_BAD)
		pgv_fatal("%s event %d: the connection is lost", session->complaints->scenario,
				  number);
}

/*
 * Literal texts
 */

/* The end of a quoted string or identifier that starts at sql. */
static const char *
skip_quoted(const char *sql)
{
	char		quote = *sql++;

	while (*sql && !(*sql == quote && sql[1] != quote))
		sql += (*sql == quote) ? 2 : 1;
	return *sql ? sql + 1 : sql;
}

static const char *
skip_block_comment(const char *sql)
{
	int			depth = 0;

	do
	{
		bool		open = strncmp(sql, "/*", 2) == 0;
		bool		close = strncmp(sql, "*/", 2) == 0;

		depth += open - close;
		sql += (open || close) ? 2 : 1;
	} while (*sql && depth > 0);
	return sql;
}

/* The end of a dollar-quoted string, or sql itself where none starts. */
static const char *
skip_dollar_quoted(const char *sql)
{
	size_t		tag = 1;
	char	   *delimiter;
	const char *end;

	while (isalnum((unsigned char) sql[tag]) || sql[tag] == '_')
		tag++;
	if (sql[tag] != '$')
		return sql;
	delimiter = pgv_strndup(sql, tag + 1);
	end = strstr(sql + tag + 1, delimiter);
	free(delimiter);
	return end ? end + tag + 1 : sql + strlen(sql);
}

/* The end of what holds no parameter and starts at sql, or sql itself. */
static const char *
skip_opaque(const char *sql)
{
	if (*sql == '\'' || *sql == '"')
		return skip_quoted(sql);
	if (strncmp(sql, "--", 2) == 0)
		return sql + strcspn(sql, "\n");
	if (strncmp(sql, "/*", 2) == 0)
		return skip_block_comment(sql);
	if (*sql == '$' && !isdigit((unsigned char) sql[1]))
		return skip_dollar_quoted(sql);
	return sql;
}

static void
add_literal(PgvText *out, PGconn *conn, const char *value)
{
	char	   *literal;

	if (value == NULL)
	{
		pgv_text_add(out, "NULL", 4);
		return;
	}
	literal = PQescapeLiteral(conn, value, strlen(value));
	if (literal == NULL)
		pgv_fatal("%s", PQerrorMessage(conn));
	pgv_text_add(out, literal, strlen(literal));
	PQfreemem(literal);
}

/* The statement with its parameters written into it. The caller frees it. */
static char *
literal_text(PGconn *conn, const PgvEvent *event)
{
	PgvText		out = {NULL, 0, 0};
	const char *sql = event->sql;

	pgv_text_add(&out, "", 0);
	while (*sql)
	{
		const char *end = skip_opaque(sql);

		if (end > sql)
			pgv_text_add(&out, sql, (size_t) (end - sql));
		else if (*sql == '$' && isdigit((unsigned char) sql[1]))
		{
			long		n = strtol(sql + 1, NULL, 10);

			end = sql + 1 + strspn(sql + 1, "0123456789");
			if (n < 1 || n > event->params.n)
				pgv_fatal("no value for $%ld in: %s", n, event->sql);
			add_literal(&out, conn, event->params.values[n - 1]);
		}
		else
		{
			end = sql + 1;
			pgv_text_add(&out, sql, 1);
		}
		sql = end;
	}
	return out.data;
}

/*
 * Prepared statements
 */

static void
statement_name(char *name, size_t size, int i)
{
	snprintf(name, size, "s%d", i);
}

/* The number of the text among the session's prepared statements, or -1. */
static int
find_prepared(const PgvSession *session, const char *sql)
{
	for (int i = 0; i < session->nprepared; i++)
		if (strcmp(session->prepared[i], sql) == 0)
			return i;
	return -1;
}

/* Prepares the text unless that is done. False: the server refused it. */
static bool
prepare(PgvSession *session, const char *sql)
{
	char		name[16];
	PGresult   *result;
	bool		done;
	int			n = session->nprepared;

	if (find_prepared(session, sql) >= 0)
		return true;
	statement_name(name, sizeof(name), n);
	result = PQprepare(session->conn, name, sql, 0, NULL);
	done = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	if (!done)
		return false;
	session->prepared = pgv_realloc(session->prepared,
									(size_t) (n + 1) * sizeof(char *));
	session->prepared[n] = sql;
	session->nprepared++;
	return true;
}

/* The server forgets all names at these commands, and so must we. */
static void
note_command(PgvSession *session, PGresult *result)
{
	const char *command = PQcmdStatus(result);

	if (strcmp(command, "DISCARD ALL") == 0 || strcmp(command, "DEALLOCATE ALL") == 0)
		session->nprepared = 0;
}

/*
 * Sending and reading
 */

static bool
send_extended(PgvSession *session, const PgvEvent *event)
{
	const char *const *values = (const char *const *) event->params.values;
	char		name[16];

	if (session->wire != PGV_WIRE_NAMED)
		return PQsendQueryParams(session->conn, event->sql, event->params.n, NULL,
								 values, NULL, NULL, 0) == 1;
	statement_name(name, sizeof(name), find_prepared(session, event->sql));
	return PQsendQueryPrepared(session->conn, name, event->params.n, values,
							   NULL, NULL, 0) == 1;
}

/* In a pipeline there is no simple protocol: the literals go without one. */
static bool
send_literal(PgvSession *session, const PgvEvent *event, bool in_pipeline)
{
	char	   *sql = literal_text(session->conn, event);
	int			sent;

	if (in_pipeline)
		sent = PQsendQueryParams(session->conn, sql, 0, NULL, NULL, NULL, NULL, 0);
	else
		sent = PQsendQuery(session->conn, sql);
	free(sql);
	return sent == 1;
}

static bool
send_event(PgvSession *session, const PgvEvent *event, bool in_pipeline)
{
	bool		literal = event->simple || session->wire == PGV_WIRE_LITERAL;

	if (literal && event->params.n > 0)
		return send_literal(session, event, in_pipeline);
	if (literal && !in_pipeline)
		return PQsendQuery(session->conn, event->sql) == 1;
	if (literal)
		return PQsendQueryParams(session->conn, event->sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
	return send_extended(session, event);
}

/* What is wrong with a result of a statement; NULL: nothing. */
static const char *
error_of(const PGresult *result)
{
	switch (PQresultStatus(result))
	{
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_EMPTY_QUERY:
			return NULL;
		case PGRES_PIPELINE_ABORTED:
			return "not executed, a statement before it in the pipeline failed";
		case PGRES_COPY_IN:
		case PGRES_COPY_OUT:
		case PGRES_COPY_BOTH:
			pgv_fatal("COPY FROM STDIN and COPY TO STDOUT cannot be replayed");
		default:
			return PQresultErrorMessage(result);
	}
}

/* Reads the results of one event, to the NULL that ends them, and judges. */
static void
read_answer(PgvSession *session, const PgvEvent *event, int number)
{
	PGresult   *failed = NULL;
	PGresult   *result;

	while ((result = PQgetResult(session->conn)) != NULL)
	{
		if (error_of(result) && failed == NULL)
		{
			failed = result;
			continue;
		}
		note_command(session, result);
		PQclear(result);
	}
	judge(session, event, number, failed ? error_of(failed) : NULL);
	PQclear(failed);
}

void
pgv_session_run(PgvSession *session, const PgvEvent *event, int number)
{
	if (session->wire == PGV_WIRE_NAMED && !event->simple &&
		!prepare(session, event->sql))
		judge(session, event, number, PQerrorMessage(session->conn));
	else if (!send_event(session, event, false))
		judge(session, event, number, PQerrorMessage(session->conn));
	else
		read_answer(session, event, number);
}

static bool
prepare_all(PgvSession *session, const PgvEvent *events, int nevents, int number)
{
	for (int i = 0; i < nevents; i++)
		if (!prepare(session, events[i].sql))
		{
			judge(session, &events[i], number + i, PQerrorMessage(session->conn));
			return false;
		}
	return true;
}

/* The answers of a pipeline: one for each event, then that to the Sync. */
static void
read_pipeline(PgvSession *session, const PgvEvent *events, int nevents, int number)
{
	PGresult   *result;

	for (int i = 0; i < nevents; i++)
		read_answer(session, &events[i], number + i);
	result = PQgetResult(session->conn);
	if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
		pgv_fatal("%s event %d: the pipeline has no end: %s",
				  session->complaints->scenario, number, PQerrorMessage(session->conn));
	PQclear(result);
}

void
pgv_session_run_pipeline(PgvSession *session, const PgvEvent *events,
						 int nevents, int number)
{
	PGconn	   *conn = session->conn;

	if (session->wire == PGV_WIRE_NAMED && !prepare_all(session, events, nevents, number))
		return;
	if (!PQenterPipelineMode(conn))
		pgv_fatal("%s", PQerrorMessage(conn));
	for (int i = 0; i < nevents; i++)
	{
		if (i > 0)
			pgv_wait_until(pgv_now_ms() + events[i].gap_ms);
		if (!send_event(session, &events[i], true) || PQflush(conn) < 0)
			pgv_fatal("%s event %d: %s", session->complaints->scenario, number + i,
					  PQerrorMessage(conn));
	}
	if (!PQpipelineSync(conn))
		pgv_fatal("%s", PQerrorMessage(conn));
	read_pipeline(session, events, nevents, number);
	if (!PQexitPipelineMode(conn))
		pgv_fatal("%s", PQerrorMessage(conn));
}
