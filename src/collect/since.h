/*-------------------------------------------------------------------------
 *
 * since.h
 *	  Findings since a mark: the last bursts, added up by finding.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SINCE_H
#define PGV_SINCE_H

#include "postgres.h"

#include "collect/findings.h"
#include "store/store.h"

/*
 * Show each finding of a database that there was after a mark, with the
 * figures of what was reported after it: of bursts that began later, and of
 * those that went on, if pg_vitals.n_plus_one_min_repeats repeats came after
 * the mark.  Texts are those of the finding in the store; if it is gone from
 * there, those that are still known.
 *
 * Where the mark is too old for that to be told (see pgv_recent_scan), the
 * findings of the store that were last seen after it are shown as they are:
 * with figures since first_seen.
 *
 * The callback gets PgvFindingKey and PgvFinding, and its answer ends
 * nothing.  Shows findings of every role.  Raises what the callback raises,
 * and out of memory.
 */
extern void pgv_since_scan(Oid dbid, uint64 mark, PgvScanCallback callback,
						   void *arg);

#endif							/* PGV_SINCE_H */
