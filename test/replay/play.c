/*
 * play.c
 *	  Plays a scenario: sessions, think times and the order of events.
 *
 * Events happen one after another, whatever session they are on: the gap of an
 * event starts when the answer to the one before it was read, or with the
 * connections made for the first. Pipelined events are the exception: with the
 * event before them they are one run, and a gap inside it starts when the
 * event before was sent.
 *
 * Gaps shorter than LONG_GAP_MS are what tells a loop from a person; they stay
 * as they are whatever the speed.
 */
#include <stdlib.h>

#include "play.h"
#include "util.h"

#define LONG_GAP_MS	5.0

void
pgv_play_control(const PgvPlayOptions *options, const PgvStrings *statements)
{
	PGconn	   *conn;

	if (statements->n == 0)
		return;
	conn = pgv_connect(options->control_conninfo, "replay control", true);
	for (int i = 0; i < statements->n; i++)
		PQclear(pgv_control(conn, statements->values[i]));
	PQfinish(conn);
}

static double
scaled_gap(const PgvPlayOptions *options, double gap_ms)
{
	double		scaled = gap_ms / options->speed;

	if (gap_ms < LONG_GAP_MS)
		return gap_ms;
	return scaled < LONG_GAP_MS ? LONG_GAP_MS : scaled;
}

/* How many events from i on make one run: itself and the pipelined after it. */
static int
run_length(const PgvScenario *scenario, int i)
{
	int			end = i + 1;

	while (end < scenario->nevents && scenario->events[end].pipelined)
		end++;
	return end - i;
}

static PgvSession *
open_sessions(const PgvPlayOptions *options, int nsessions, PgvComplaints *complaints)
{
	PgvSession *sessions = pgv_alloc((size_t) nsessions * sizeof(PgvSession));

	for (int i = 0; i < nsessions; i++)
	{
		sessions[i].conn = pgv_connect(options->conninfo, options->application_name,
									   options->quiet);
		sessions[i].wire = options->wire;
		sessions[i].complaints = complaints;
	}
	return sessions;
}

static void
close_sessions(PgvSession *sessions, int nsessions, int *pids)
{
	for (int i = 0; i < nsessions; i++)
	{
		if (pids)
			pids[i] = PQbackendPID(sessions[i].conn);
		PQfinish(sessions[i].conn);
		free(sessions[i].prepared);
	}
	free(sessions);
}

int
pgv_play_events(const PgvPlayOptions *options, const PgvScenario *scenario, int *pids)
{
	PgvComplaints complaints = {.scenario = scenario->id};
	PgvSession *sessions = open_sessions(options, scenario->nsessions, &complaints);
	double		answered = pgv_now_ms();

	for (int i = 0; i < scenario->nevents;)
	{
		const PgvEvent *event = &scenario->events[i];
		PgvSession *session = &sessions[event->session];
		int			length = run_length(scenario, i);

		pgv_wait_until(answered + scaled_gap(options, event->gap_ms));
		if (length == 1)
			pgv_session_run(session, event, i + 1);
		else
			pgv_session_run_pipeline(session, event, length, i + 1);
		answered = pgv_now_ms();
		i += length;
	}
	close_sessions(sessions, scenario->nsessions, pids);
	return complaints.count;
}
