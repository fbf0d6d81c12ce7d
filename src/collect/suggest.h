/*-------------------------------------------------------------------------
 *
 * suggest.h
 *	  What to do about a repeated statement, with SQL where it can be derived.
 *
 * All functions append to buf; none waits for a lock.  Those that are given a
 * plan need a transaction and a lock on the statement's tables, and may raise
 * what reading the catalog raises.  child is the statement's normal form, or
 * NULL if it was not kept; stmt the statement as planned.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SUGGEST_H
#define PGV_SUGGEST_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/plannodes.h"

#include "collect/links.h"

/*
 * Advice on a SELECT that is repeated for single values of link->child_attno,
 * from rows of a parent; alone: no other value changes from repeat to repeat.
 */
extern void pgv_suggest_batch(StringInfo buf, const char *child,
							  const PlannedStmt *stmt,
							  const PgvLinkColumns *link, bool alone);

/*
 * The same on lookups whose values came from outside the database;
 * link->child_... is one of the columns they are compared with.
 */
extern void pgv_suggest_run(StringInfo buf, const char *child,
							const PlannedStmt *stmt,
							const PgvLinkColumns *link);

/*
 * On a statement that writes; one_transaction: all repeats were in one.  Where
 * no parent is known, link->type is PGV_LINK_UNKNOWN: then link->child_... is
 * one of the columns compared, or 0, and "alone" is not looked at.
 */
extern void pgv_suggest_write(StringInfo buf, const char *child,
							  const PlannedStmt *stmt,
							  const PgvLinkColumns *link, bool alone,
							  bool one_transaction);

/*
 * On a SELECT whose value, compared with link->child_..., came from
 * link->parent_... of its own previous result.
 */
extern void pgv_suggest_walk(StringInfo buf, const char *child,
							 const PlannedStmt *stmt,
							 const PgvLinkColumns *link);

/*
 * On a lookup that was repeated over so many connections, by its text alone,
 * which may be NULL.  Plain ASCII.  Looks at no catalog.
 */
extern void pgv_suggest_parallel(StringInfo buf, const char *child,
								 int connections);

/* On a statement repeated with the same parameters. */
extern void pgv_suggest_duplicate(StringInfo buf);

#endif							/* PGV_SUGGEST_H */
