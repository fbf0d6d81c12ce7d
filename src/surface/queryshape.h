/*-------------------------------------------------------------------------
 *
 * queryshape.h
 *	  What a statement does with its parameters, as parse analysis tells.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_QUERYSHAPE_H
#define PGV_QUERYSHAPE_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"

#include "surface/sandbox.h"
#include "base/sqledit.h"

/* A comparison of something of a row with a parameter, by an equality operator. */
typedef struct PgvEquality
{
	int			param;
	bool		array;			/* = ANY ($n), $n itself being an array */
	bool		conjunct;		/* no row passes the statement without it */
	Oid			type;			/* of one value */
	Oid			opno;
	Oid			collation;
	Var		   *column;			/* of the top query, as it is; NULL: it is not
								 * that */
	bool		exact;			/* and it is compared without a conversion */
	Oid			relid;			/* table it comes from; 0: not known */
	AttrNumber	attno;
} PgvEquality;

typedef struct PgvQueryShape
{
	const char *sql;
	PgvTokens	tokens;
	const Query *query;			/* as analysed */
	Oid		   *types;			/* of $1, $2, ... */
	int			ntypes;
	List	   *equalities;		/* of PgvEquality */
	Bitmapset  *limit_params;	/* in LIMIT and OFFSET, of any level */
	Bitmapset  *params;			/* all that occur */
} PgvQueryShape;

/*
 * Analyse a text that the parser accepts.  To be called in a sandbox.  NULL,
 * with the reason: it is not valid in this database.
 */
extern PgvQueryShape *pgv_queryshape_analyse(const char *sql, char **reason);

/* Make the shape of a query that was analysed before. */
extern PgvQueryShape *pgv_queryshape_from_query(const char *sql, const Query *query,
												Oid *types, int ntypes);

/*
 * Why a query, or one within it, must not be run in another way or at another
 * time: it locks rows, writes, or calls volatile functions.  NULL: nothing is
 * against it.
 */
extern char *pgv_query_obstacle(List *queries);

/* The parameters that occur below a node. */
extern Bitmapset *pgv_params_in(const Node *node);

/*
 * The comparison by which each row of a SELECT's top query is chosen for this
 * parameter; NULL: there is none, or several.
 */
extern PgvEquality *pgv_queryshape_condition(const PgvQueryShape *shape, int param);

/* How many tables, anywhere in the query, are this one? */
extern int	pgv_query_reads(const Query *query, Oid relid);

/*
 * Do these comparisons (of PgvEquality, all conditions) leave at most one row,
 * the top query being of one table?
 */
extern bool pgv_queryshape_is_unique(const PgvQueryShape *shape, List *equalities);

/* The table and column that an output column of a query comes from. */
extern bool pgv_query_origin(const Query *query, const TargetEntry *target,
							 Oid *relid, AttrNumber *attno);

/* "table.column", or what is known of it; NULL: nothing. */
extern char *pgv_column_text(Oid relid, AttrNumber attno);

#endif							/* PGV_QUERYSHAPE_H */
