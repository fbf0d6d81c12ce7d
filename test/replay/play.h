/*
 * play.h
 *	  Playing one scenario.
 */
#ifndef PGV_REPLAY_PLAY_H
#define PGV_REPLAY_PLAY_H

#include "corpus.h"
#include "session.h"

typedef struct PgvPlayOptions
{
	const char *conninfo;		/* for the sessions of the scenario */
	const char *control_conninfo;	/* setup, teardown and the scorer */
	const char *application_name;
	double		speed;			/* long gaps are divided by it */
	PgvWire		wire;
	bool		quiet;			/* no notices */
} PgvPlayOptions;

/* Runs statements in a control session of their own, if there are any. */
extern void pgv_play_control(const PgvPlayOptions *options, const PgvStrings *statements);

/*
 * Plays the events over fresh connections and closes them. Returns how many
 * events went wrong, each told on stderr. With pids, the backends' process
 * ids are stored there (as many as the scenario has sessions), because they
 * are still ending when this returns.
 */
extern int	pgv_play_events(const PgvPlayOptions *options, const PgvScenario *scenario,
							int *pids);

#endif							/* PGV_REPLAY_PLAY_H */
