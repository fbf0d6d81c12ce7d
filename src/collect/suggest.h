/*-------------------------------------------------------------------------
 *
 * suggest.h
 *	  What to do about a repeated statement, with SQL where it can be derived.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SUGGEST_H
#define PGV_SUGGEST_H

#include "postgres.h"

#include "access/attnum.h"
#include "lib/stringinfo.h"
#include "nodes/plannodes.h"

/* How two columns belong together. */
typedef enum PgvLinkType
{
	PGV_LINK_UNKNOWN,
	PGV_LINK_NONE,				/* only their values agree */
	PGV_LINK_SAME,				/* one column */
	PGV_LINK_CHILD_REFERENCES,	/* foreign key of the child to the parent */
	PGV_LINK_PARENT_REFERENCES,
	PGV_LINK_SHARED				/* both reference the same column */
} PgvLinkType;

typedef struct PgvLinkColumns
{
	PgvLinkType type;
	Oid			child_relid;	/* 0: not known */
	AttrNumber	child_attno;
	Oid			parent_relid;	/* 0: not known */
	AttrNumber	parent_attno;
} PgvLinkColumns;

/*
 * How the columns belong together by the catalog.  Remembers the answer until
 * a relation changes.  Needs a transaction, and a lock on the child's table;
 * waits for no lock.  May raise what reading the catalog raises.
 */
extern PgvLinkType pgv_link_type(Oid child_relid, AttrNumber child_attno,
								 Oid parent_relid, AttrNumber parent_attno);

/*
 * Is the column part of a key of its table, or of a reference to another's?
 * As above; not remembered.
 */
extern bool pgv_is_key_column(Oid relid, AttrNumber attno);

/* The name of a type of link for evidence; NULL for one that proves nothing. */
extern const char *pgv_link_type_name(int32 type);

/* "posts.author_id → authors.id"; empty for PGV_LINK_NONE.  As above. */
extern void pgv_link_text(StringInfo buf, const PgvLinkColumns *link);

/*
 * Advice on a statement, given in normal form and as it was planned, that is
 * repeated for single values of link->child_attno; alone: no other value
 * changes from repeat to repeat.  As above.
 */
extern void pgv_suggest_batch(StringInfo buf, const char *child,
							  const PlannedStmt *stmt,
							  const PgvLinkColumns *link, bool alone);

/*
 * The same on a statement that writes; one_transaction: all repeats were in
 * one.  link->child_relid is 0 where the column is not known.
 */
extern void pgv_suggest_write(StringInfo buf, const char *child,
							  const PlannedStmt *stmt,
							  const PgvLinkColumns *link, bool alone,
							  bool one_transaction);

/*
 * The same on one whose value, compared with link->child_..., came from
 * link->parent_... of its own previous result.
 */
extern void pgv_suggest_walk(StringInfo buf, const char *child,
							 const PlannedStmt *stmt,
							 const PgvLinkColumns *link);

/* The same on lookups whose values came from outside the database. */
extern void pgv_suggest_run(StringInfo buf, const char *child,
							const PlannedStmt *stmt,
							const PgvLinkColumns *link);

/* Advice on a statement repeated with the same parameters. */
extern void pgv_suggest_duplicate(StringInfo buf);

#endif							/* PGV_SUGGEST_H */
