/*-------------------------------------------------------------------------
 *
 * links.h
 *	  How columns belong together by the catalog.
 *
 * None of these functions waits for a lock.  All need a transaction, and may
 * raise what reading the catalog raises.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_LINKS_H
#define PGV_LINKS_H

#include "postgres.h"

#include "access/attnum.h"
#include "lib/stringinfo.h"
#include "utils/relcache.h"

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
 * How the columns belong together.  Remembers the answer until a relation
 * changes.  Needs a lock on the child's table.
 */
extern PgvLinkType pgv_link_type(Oid child_relid, AttrNumber child_attno,
								 Oid parent_relid, AttrNumber parent_attno);

/*
 * Is the column part of a key of its table, or of a reference to another's?
 * Not remembered.
 */
extern bool pgv_is_key_column(Oid relid, AttrNumber attno);

/* Is there at most one row for values of these columns?  Not remembered. */
extern bool pgv_is_unique(Oid relid, const AttrNumber *attnos, int n);

/*
 * Is the column the first of a valid index?  Also true where that cannot be
 * told without waiting.
 */
extern bool pgv_has_index(Oid relid, AttrNumber attno);

/* The name of a type of link for evidence; NULL for one that proves nothing. */
extern const char *pgv_link_type_name(int32 type);

/*
 * "posts.author_id → authors.id" from the referencing to the referenced column,
 * "posts.author_id = comments.author_id (both reference authors.id)"; empty
 * for PGV_LINK_NONE.
 */
extern void pgv_link_text(StringInfo buf, const PgvLinkColumns *link);

/*
 * The name of a table, or of its column, as the session would have to write
 * it.  False, and nothing appended: it is gone.
 */
extern bool pgv_append_relation(StringInfo buf, Oid relid);
extern bool pgv_append_column(StringInfo buf, Oid relid, AttrNumber attno);

/*
 * Open a table for a look, if nobody stands in the way of a lock; to be closed
 * with AccessShareLock.  NULL: not to be had, or gone.
 */
extern Relation pgv_glance_at(Oid relid);

#endif							/* PGV_LINKS_H */
