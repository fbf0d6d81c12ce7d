/*-------------------------------------------------------------------------
 *
 * newcomers.h
 *	  Which statement is this, when this backend has not met it before?
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_NEWCOMERS_H
#define PGV_NEWCOMERS_H

#include "postgres.h"

#include "collect/identity.h"

extern Size pgv_newcomers_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_newcomers_shmem_init(void);

/*
 * As pgv_identify, for what this backend does not remember.  In a crowd of
 * statements for which there is no room it may leave one unknown: with the
 * fingerprint 0, which is counted in the residual of its database.  Raises
 * nothing.  Takes the lock of a partition of the store for a look into it.
 */
extern void pgv_newcomers_identify(PgvStatementRef *ref);

/*
 * Identify what was left unknown after all, if its source is there: it was no
 * trifle.  The route is kept.  Raises nothing.
 */
extern void pgv_newcomers_reveal(PgvStatementRef *ref);

/* Is it more than a trifle, so that it should have a name? */
static inline bool
pgv_newcomers_matters(double ms)
{
	return ms >= 1.0;
}

/* Was the last one that this backend did not know one of a crowd? */
extern bool pgv_newcomers_crowd;

/*
 * One of a crowd, with this queryid, was parsed: have the places where it is about
 * to be looked for fetched into the cache.  Raises nothing.
 */
extern void pgv_newcomers_expect(uint64 queryid);

/* Fill in the fingerprint of a statement whose other fields are set. */
static inline void
pgv_newcomers_or_known(PgvStatementRef *ref)
{
	if (unlikely(!pgv_identity_recall(ref)))
		pgv_newcomers_identify(ref);
}

/* An execution of an unknown statement was counted. */
extern void pgv_newcomers_count(void);

/* How many were, since the server started. */
extern uint64 pgv_newcomers_unidentified(void);

#endif							/* PGV_NEWCOMERS_H */
