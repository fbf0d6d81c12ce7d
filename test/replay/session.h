/*
 * session.h
 *	  Connections that carry events over the wire as they were recorded.
 */
#ifndef PGV_REPLAY_SESSION_H
#define PGV_REPLAY_SESSION_H

#include <stdbool.h>
#include <libpq-fe.h>

#include "corpus.h"

/* How statements travel. */
typedef enum PgvWire
{
	PGV_WIRE_RECORDED,			/* as the event says */
	PGV_WIRE_NAMED,				/* extended ones as named prepared statements */
	PGV_WIRE_LITERAL			/* parameters in the text, simple protocol */
} PgvWire;

/* Where the statements of a session go wrong is told to this. */
typedef struct PgvComplaints
{
	const char *scenario;
	int			count;
} PgvComplaints;

typedef struct PgvSession
{
	PGconn	   *conn;
	PgvWire		wire;
	int			nprepared;
	const char **prepared;		/* texts; statement s<i> is element i */
	PgvComplaints *complaints;
} PgvSession;

/* Connects, or ends the program. Notices go to stderr unless quiet. */
extern PGconn *pgv_connect(const char *conninfo, const char *application_name, bool quiet);

/* Runs one statement of the tool's own (simple protocol), or ends the program. */
extern PGresult *pgv_control(PGconn *conn, const char *sql);

/*
 * Sends one event that is not followed by pipelined ones, and reads its whole
 * answer. number is its place in the scenario, from 1, for complaints.
 */
extern void pgv_session_run(PgvSession *session, const PgvEvent *event, int number);

/*
 * Sends a run of events in pipeline mode, each after its gap, with one Sync at
 * the end, then reads all answers. The gap of the first is the caller's.
 */
extern void pgv_session_run_pipeline(PgvSession *session, const PgvEvent *events,
									 int nevents, int number);

#endif							/* PGV_REPLAY_SESSION_H */
