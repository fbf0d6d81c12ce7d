/*-------------------------------------------------------------------------
 *
 * sandbox.h
 *	  Parsing and planning statements that somebody else may have written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SANDBOX_H
#define PGV_SANDBOX_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/*
 * Planning can run code: it evaluates constant expressions, and a statement's
 * text or its tables can name functions of whoever may create some.  So all is
 * done in a subtransaction that is read only and is always rolled back, as a
 * security-restricted operation; analysed as the role whose statement it is,
 * planned as one without rights, or not at all where no role is given; and no
 * function runs that is not written in C, and no statement.
 */
typedef struct PgvSandbox
{
	Oid			userid;			/* 0: analyse, but do not plan */
} PgvSandbox;

/*
 * Call the function in it.  What it allocates in the present memory context
 * stays.  Errors leave the sandbox as they leave any function.
 */
extern void pgv_sandbox_run(Oid userid,
							void (*function) (const PgvSandbox *sandbox, void *arg),
							void *arg);

/*
 * Within: parse and analyse one statement, finding the types of its
 * parameters.  NULL, with the message: it is not valid here.
 */
extern Query *pgv_sandbox_analyse(const char *sql, Oid **types, int *ntypes,
								  char **message);

/* The same with given types. */
extern Query *pgv_sandbox_analyse_fixed(const char *sql, const Oid *types,
										int ntypes, char **message);

/*
 * Within: rewrite rules and views in an analysed query, which stays as it is.
 * NIL, with the message: it is not valid.
 */
extern List *pgv_sandbox_rewrite(const Query *query, const char *sql,
								 char **message);

/*
 * Within: rewrite and plan an analysed query, which stays as it is.  Returns
 * false, with the message: it is not valid.  If it could not be planned for
 * other reasons, *unplanned is why, otherwise NULL.
 */
extern bool pgv_sandbox_plan(const PgvSandbox *sandbox, const Query *query,
							 const char *sql, char **unplanned, char **message);

#endif							/* PGV_SANDBOX_H */
