/*-------------------------------------------------------------------------
 *
 * sampler.h
 *	  A tick of the worker that looks at what every session is doing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SAMPLER_H
#define PGV_SAMPLER_H

#include "postgres.h"

/*
 * For the worker's list of ticks.  The tick takes locks only when it brings
 * its sums to the store, once a second.  Raises out of memory the first time.
 */
extern int	pgv_sampler_interval(void);
extern void pgv_sampler_tick(void);

/*
 * For the worker's other ticks: bring away what has been summed up by now.  Takes
 * locks of the store.
 */
extern void pgv_sampler_tell(void);

#endif							/* PGV_SAMPLER_H */
