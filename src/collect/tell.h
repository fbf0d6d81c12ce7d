/*-------------------------------------------------------------------------
 *
 * tell.h
 *	  Tell a session at once what it does: n_plus_one_action.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_TELL_H
#define PGV_TELL_H

#include "postgres.h"

#include "collect/findings.h"

/*
 * Say that a statement was repeated so many times (for rows of a parent; 0:
 * none), as n_plus_one_action asks.  Raises ERROR VT001 if that is "error";
 * does nothing if it is "off".  Needs a transaction.
 */
extern void pgv_tell(PgvFindingKind kind, uint64 fingerprint, int64 repeats,
					 uint64 parent_fingerprint);

#endif							/* PGV_TELL_H */
