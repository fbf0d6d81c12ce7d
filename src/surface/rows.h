/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  Rows for set-returning functions, filled by the names of the columns
 *	  that the SQL definition asks for.
 *
 * The definition in the catalog may be of another version than the library
 * (after pg_upgrade, or before ALTER EXTENSION UPDATE): a column that the
 * library does not know stays NULL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ROWS_H
#define PGV_ROWS_H

#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"

typedef enum PgvColumnType
{
	PGV_INT64,
	PGV_UINT64,					/* shown as bigint; 0 is NULL */
	PGV_FLOAT8,
	PGV_TIMESTAMPTZ				/* 0 is NULL */
} PgvColumnType;

/* A column that is a field of a structure. */
typedef struct PgvField
{
	const char *name;
	Size		offset;
	PgvColumnType type;
} PgvField;

typedef struct PgvRows
{
	ReturnSetInfo *info;
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	int			last;			/* column that was set last, by its number */
} PgvRows;

/*
 * Begin the result of a function.  Raises 55000 with a hint if the library was
 * not preloaded.
 */
extern void pgv_rows_begin(PgvRows *rows, FunctionCallInfo fcinfo);

/* Raise that error if it is due. */
extern void pgv_require_preload(void);

/* Set a column of the present row, if it is asked for. */
extern void pgv_row_set(PgvRows *rows, const char *name, Datum value);
extern void pgv_row_set_text(PgvRows *rows, const char *name, const char *text);

/* Set every column that is a field of the structure. */
extern void pgv_row_set_fields(PgvRows *rows, const PgvField *fields, int n,
							   const void *structure);

/* Emit the present row, numbers to six decimals, and begin the next, all NULL. */
extern void pgv_row_emit(PgvRows *rows);

/* May the current role see what belongs to this one? */
extern bool pgv_may_see(Oid userid);

/* The library is set up: to be said once, by shared memory's start. */
extern void pgv_surface_set_loaded(void);

#endif							/* PGV_ROWS_H */
