/*-------------------------------------------------------------------------
 *
 * variables.h
 *	  Variables of functions in the texts of their statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_VARIABLES_H
#define PGV_VARIABLES_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "parser/parse_node.h"

/* Can names in what is being parsed stand for variables? */
static inline bool
pgv_variables_possible(const ParseState *pstate)
{
	return pstate->p_pre_columnref_hook != NULL ||
		pstate->p_post_columnref_hook != NULL;
}

/*
 * A statement was analysed in which names can stand for variables: remember
 * where they do.  Without memory, it keeps its names.  Raises nothing.
 */
extern void pgv_variables_note(const ParseState *pstate, Query *query);

/*
 * The text of a statement with empty strings in the place of its variables, to
 * be pfree'd, and its length; NULL where it names none, or none is remembered.
 * For normalising: it need not be valid.  Raises nothing.
 */
extern char *pgv_variables_replace(uint64 queryid, const char *text, int len,
								   int *result_len);

#endif							/* PGV_VARIABLES_H */
