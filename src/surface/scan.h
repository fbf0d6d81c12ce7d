/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  A view's rows from a kind of the store: rights, copies, and one row for
 *	  the residuals of each database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SCAN_H
#define PGV_SCAN_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "store/store.h"
#include "surface/rows.h"

/* What the keys of all kinds begin with. */
typedef struct PgvOwner
{
	Oid			dbid;
	Oid			userid;			/* 0 in residuals */
} PgvOwner;

/* How the entries of a kind become rows. */
typedef struct PgvSurface
{
	const PgvKind *kind;
	bool		shows_others;	/* entries of all roles, and residuals, to all */
	void		(*show) (PgvRows *rows, const void *key, const void *entry);
	/* Residuals are added to a sum of this size, zeroed; and shown. */
	Size		sum_size;
	void		(*add) (void *sum, const void *entry);
	void		(*show_sum) (PgvRows *rows, const void *sum, TimestampTz stats_since);
	/* A name by which residuals of a database are told apart; NULL: by none. */
	const char *(*class) (const void *entry);
	/* What stands in which column of such a row. */
	const char *label_column;
	const char *label;
} PgvSurface;

/*
 * Emit all rows: what backends have pending is collected first.  "show" and
 * "show_sum" run in a memory context that is reset after each row.  Raises what
 * they raise, and 55000 if the library was not preloaded.
 */
extern void pgv_surface_scan(FunctionCallInfo fcinfo, const PgvSurface *surface);

#endif							/* PGV_SCAN_H */
