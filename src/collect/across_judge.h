/*-------------------------------------------------------------------------
 *
 * across_judge.h
 *	  Finds N+1 whose repeats are spread over several sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ACROSS_JUDGE_H
#define PGV_ACROSS_JUDGE_H

#include "postgres.h"

/*
 * A tick of the background worker: how soon it is due, and what it does.  It
 * holds memory while pg_vitals.n_plus_one_across_sessions is on.
 */
extern int	pgv_across_interval(void);
extern void pgv_across_tick(void);

#endif							/* PGV_ACROSS_JUDGE_H */
