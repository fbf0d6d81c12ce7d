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

/* The column "route", by a route's id; 0: none. */
extern void pgv_set_route(PgvRows *rows, uint64 route);

#endif							/* PGV_SURFACE_WAITS_H */
