/*
 * score.h
 *	  Plays scenarios and compares what was found with what must be found.
 */
#ifndef PGV_REPLAY_SCORE_H
#define PGV_REPLAY_SCORE_H

#include <stdbool.h>

#include "play.h"

typedef struct PgvScoreOptions
{
	PgvStrings	kinds;			/* the kinds that are scored; none: all */
	bool		verbose;		/* print every finding */
	double		min_precision;
	double		min_recall;
	double		min_parents;
	double		min_exact_n;
	long		max_empty_findings;
} PgvScoreOptions;

/*
 * Plays each scenario, prints a line for each, then the score, and last
 * "N passed, N failed". Returns whether every threshold was met and every
 * statement went as it should.
 */
extern bool pgv_score(const PgvPlayOptions *play, const PgvScoreOptions *options,
					  const PgvScenario *const *scenarios, int nscenarios);

#endif							/* PGV_REPLAY_SCORE_H */
