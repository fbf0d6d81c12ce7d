/*-------------------------------------------------------------------------
 *
 * routine.h
 *	  Lookups that have led nowhere for long: looked at in part.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ROUTINE_H
#define PGV_ROUTINE_H

#include "postgres.h"

/*
 * One more lookup of this statement, outside a transaction, while no result is
 * remembered that it could be for.  Is it to be passed by?
 */
extern bool pgv_routine_passes(uint64 fingerprint);

/* Has the statement been passed by before, and shown no pattern since? */
extern bool pgv_routine_is_old(uint64 fingerprint);

/* The statement shows a pattern: it is no routine. */
extern void pgv_routine_wake(uint64 fingerprint);

#endif							/* PGV_ROUTINE_H */
