/*-------------------------------------------------------------------------
 *
 * waits.h
 *	  Columns that the views on waits have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SURFACE_WAITS_H
#define PGV_SURFACE_WAITS_H

#include "postgres.h"

#include "surface/rows.h"
#include "watch/look.h"

/* The column "route", by a route's id; 0: none. */
extern void pgv_set_route(PgvRows *rows, uint64 route);

/*
 * Those of the statement that a process is at, or was at last: fingerprint,
 * query, route, queryid, statement_start.
 */
extern void pgv_set_statement(PgvRows *rows, const PgvSample *sample);

#endif							/* PGV_SURFACE_WAITS_H */
