/*-------------------------------------------------------------------------
 *
 * duplicates.h
 *	  Statements repeated with the same parameters and the same result.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_DUPLICATES_H
#define PGV_DUPLICATES_H

#include "postgres.h"

#include "executor/execdesc.h"

#include "collect/findings.h"
#include "collect/producers.h"
#include "collect/signs.h"

/* What one execution knows of its like; place -1: it is not watched. */
typedef struct PgvSameWatch
{
	int			place;			/* index, while serial is what stands there */
	uint64		serial;			/* 0: it is seen for the first time */
} PgvSameWatch;

/*
 * A query on tables is to be executed; key: its fingerprint and parameters.
 * Returns whether its result is to be summed up.
 */
extern bool pgv_duplicates_start(PgvSameWatch *watch, QueryDesc *query,
								 uint64 fingerprint, uint64 key,
								 const PgvArrival *arrival);

/*
 * It has run to its end.  Reports, and tells as n_plus_one_action asks: may
 * raise ERROR VT001.
 */
extern void pgv_duplicates_end(const PgvSameWatch *watch, QueryDesc *query,
							   const PgvStatementRef *ref,
							   const PgvArrival *arrival,
							   const PgvCapture *capture,
							   const PgvUsage *usage, uint64 rows,
							   TimestampTz now);

extern void pgv_duplicates_forget(void);

#endif							/* PGV_DUPLICATES_H */
