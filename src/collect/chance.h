/*-------------------------------------------------------------------------
 *
 * chance.h
 *	  How likely is it that it is a coincidence?  Pure functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_CHANCE_H
#define PGV_CHANCE_H

#include "postgres.h"

/* Longer sequences are judged by their beginning. */
#define PGV_CHANCE_MAX 64

/*
 * The chance that n different numbers in random order are as well ordered,
 * ascending, as these, or better: by the steps that go up, or by the pairs
 * that are in order, whichever says less.
 */
extern double pgv_chance_ordered(const int *numbers, int n);

/* Of the n - 1 steps, those that go up. */
extern int	pgv_steps_up(const int *numbers, int n);

/* In how many ways can k of n be chosen? */
extern double pgv_chance_choices(int n, int k);

#endif							/* PGV_CHANCE_H */
