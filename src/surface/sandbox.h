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
 * text or its tables can name functions of whoever executed it.  So it is done
 * in a subtransaction that is read only and is always rolled back, as the role
 * whose statement it is, as a security-restricted operation; or not at all,
 * where no such role is given.
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
 * Within: rewrite rules and views in an analysed query, which stays as it is,
 * and plan what comes of it, if the sandbox has a role.  Returns the list of
 * queries that were planned; NIL, with the message: it is not valid.
 */
extern List *pgv_sandbox_plan(const PgvSandbox *sandbox, const Query *query,
							  const char *sql, bool plan, char **message);

#endif							/* PGV_SANDBOX_H */
