/*-------------------------------------------------------------------------
 *
 * plantext.h
 *	  What EXPLAIN says of a plan, captured once for a statement and plan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_PLANTEXT_H
#define PGV_PLANTEXT_H

#include "postgres.h"

#include "executor/execdesc.h"
#include "lib/stringinfo.h"

#include "collect/identity.h"
#include "collect/planid.h"

extern Size pgv_plantext_shmem_size(void);
/* The caller holds AddinShmemInitLock. */
extern void pgv_plantext_shmem_init(void);

/* Is a plan being captured?  Errors meanwhile are nobody's. */
extern bool pgv_plantext_capturing;

/* The id of a plan's text. */
static inline uint64
pgv_plantext_id(Oid dbid, uint64 fingerprint, uint64 planid)
{
	uint64		h = (fingerprint ^ dbid) * UINT64CONST(0x9E3779B97F4A7C15);

	h = (h ^ (h >> 32) ^ planid) * UINT64CONST(0x9E3779B97F4A7C15);
	h ^= h >> 32;
	return h != 0 ? h : 1;
}

/*
 * The query was started, or was run for so many ms.  If the text of its plan
 * is not known: see to it, unless the plan is likely to be one that never
 * comes again; "wanted": it is, whatever it is.  May raise a cancel and nothing else.  Takes locks of texts.
 */
extern void pgv_plantext_started(PgvPlanRef *plan, const PgvStatementRef *ref,
								 QueryDesc *query);
extern void pgv_plantext_ran(PgvPlanRef *plan, const PgvStatementRef *ref,
							 QueryDesc *query, double ms, bool wanted);

/*
 * Take a reference to the text of a plan; returns its id, or 0 where there is
 * none.  Raises nothing; locks as pgv_texts_reference.
 */
extern uint64 pgv_plantext_reference(PgvPlanRef *plan, uint64 fingerprint);

/*
 * What EXPLAIN (VERBOSE, FORMAT JSON) says, without constants and without what nodes
 * return, "actual": with the rows that nodes had, which must have been counted.
 * NULL if it is too long to be kept.  Allocates in the current context; raises
 * anything, so it is to be called by work that is guarded.
 */
extern StringInfo pgv_plantext_explain(QueryDesc *query, bool actual);

/*
 * Do work that may raise anything in a subtransaction of its own.  Returns what it
 * returns; false if it raised an error, which is forgotten, or if there can be no
 * subtransaction.  May raise a cancel and nothing else.
 */
typedef bool (*PgvGuarded) (void *arg);
extern bool pgv_plantext_guard(PgvGuarded work, void *arg);

/* The backend ends: give back what nobody took. */
extern void pgv_plantext_forget(void);

#endif							/* PGV_PLANTEXT_H */
