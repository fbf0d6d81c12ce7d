/*-------------------------------------------------------------------------
 *
 * comparisons.h
 *	  Where the text of a statement compares columns with parameters.
 *
 * For advice given when a finding is made: without a parser, from the normal
 * form and what the plan still knows of names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_COMPARISONS_H
#define PGV_COMPARISONS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/plannodes.h"

#include "base/sqledit.h"

/*
 * "column = $n", in whatever way it is written: operands turned, a cast, in
 * brackets, IN ($n), = ANY of an array.
 */
typedef struct PgvComparison
{
	int			first;			/* tokens of all of it */
	int			last;
	int			column_first;	/* of the column, with its qualifiers */
	int			column_last;
	int			param;			/* n of $n */
	bool		array;			/* $n is an array already */
	bool		conjunct;		/* no row passes the statement without it */
	char	   *cast;			/* type that is written at the parameter, or NULL */
	Oid			relid;			/* the column; 0: which is not known */
	AttrNumber	attno;
} PgvComparison;

#define PGV_MAX_COMPARISONS 8

typedef struct PgvComparisons
{
	const char *sql;			/* acceptable to the parser */
	PgvTokens	tokens;			/* of it */
	const PlannedStmt *stmt;
	int			n;
	PgvComparison found[PGV_MAX_COMPARISONS];
} PgvComparisons;

/*
 * Read a normal form.  False: it is not whole, or too long, or has more
 * comparisons than that.  Reads the catalog for names.
 */
extern bool pgv_comparisons_read(PgvComparisons *all, const char *normal,
								 const PlannedStmt *stmt);

/*
 * The comparison of this column, by its name in the text; or, where no name
 * fits (a view's column has its own), the only one there is.  NULL: none or
 * several.
 */
extern PgvComparison *pgv_comparisons_of(PgvComparisons *all, Oid relid,
										 AttrNumber attno);

/* The column as it is written. */
extern char *pgv_comparison_column(const PgvComparisons *all,
								   const PgvComparison *c);

/*
 * The type of one value, as it must be written to be an array's.  NULL: it is
 * not known.
 */
extern char *pgv_comparison_type(const PgvComparison *c);

/* The same for a column; NULL: there are no arrays that unnest() takes apart. */
extern char *pgv_column_type(Oid relid, AttrNumber attno);

/* The column of a table that a token names; 0: none. */
extern AttrNumber pgv_token_attno(const PgvTokens *tokens, int i, Oid relid);

/* Does one of these words stand in the tokens [from, to)?  They end with NULL. */
extern bool pgv_has_word(const PgvTokens *tokens, int from, int to,
						 const char *const *words);

/* The first of these words from "from" on that stands in no brackets; n: none. */
extern int	pgv_find_word(const PgvTokens *tokens, int from,
						  const char *const *words);

#endif							/* PGV_COMPARISONS_H */
