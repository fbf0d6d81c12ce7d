/*-------------------------------------------------------------------------
 *
 * draft.h
 *	  Statements for all values at once: drafting, checking, keeping them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_DRAFT_H
#define PGV_DRAFT_H

#include "postgres.h"

#include "nodes/bitmapset.h"

#include "surface/sandbox.h"
#include "surface/queryshape.h"
#include "base/sqledit.h"

/* One result. */
typedef struct PgvRewriting
{
	const char *method;
	const char *statement;		/* NULL: there is none, see the note */
	List	   *parameters;		/* of char * */
	const char *note;
} PgvRewriting;

/* A parameter whose values change from repeat to repeat. */
typedef struct PgvKey
{
	int			param;			/* $n of the original */
	bool		array;			/* the original takes an array there */
	Oid			type;			/* of one value */
	Oid			array_type;
	char	   *type_name;		/* of the array */
	char	   *name;			/* of its column in unnest() */
	char	   *means;			/* "posts.author_id"; NULL: not known */
} PgvKey;

/* A parameter that drafts can have. */
typedef struct PgvSlot
{
	Oid			type;
	char	   *text;			/* what it is, behind its number */
} PgvSlot;

typedef struct PgvDraft
{
	const PgvSandbox *sandbox;
	PgvQueryShape *shape;
	PgvQueryShape *parent;		/* joined to; NULL: none */
	int			nkeys;
	PgvKey	   *keys;			/* in the order of their $n */
	int		   *number;			/* slot of each original $n, from 1; 0: a key */
	int		   *parent_number;	/* the same of the parent's */
	int			nslots;			/* the keys' first */
	PgvSlot    *slots;
	List	   *used;			/* slots of the draft that was last analysed */
	char	   *alias;			/* of unnest() */
	char	   *ord;			/* of its ordinality */
	List	   *results;		/* of PgvRewriting */
	List	   *failures;		/* reasons, of char * */
} PgvDraft;

/*
 * Begin with these parameters as keys: they become $1, $2, ..., all arrays,
 * and the others follow, as far as a draft uses them.  False, with a failure noted: a key has a type that
 * there are no arrays of.
 */
extern bool pgv_draft_begin(PgvDraft *draft, const PgvSandbox *sandbox,
							PgvQueryShape *shape, Bitmapset *keys);

/* Let drafts have the parent's text, too, with its parameters. */
extern void pgv_draft_add_parent(PgvDraft *draft, PgvQueryShape *parent);

/* The key of an original parameter; NULL: it is none. */
extern PgvKey *pgv_draft_key(const PgvDraft *draft, int param);

/* A name of the draft's own, not to be taken for any that the texts have. */
extern char *pgv_draft_name(const PgvDraft *draft, const char *stem);

/* "unnest($1::bigint[], $2::text[])". */
extern char *pgv_draft_unnest(const PgvDraft *draft);

/* "k(v1, v2)", with the ordinality "k(v1, v2, ord)". */
extern char *pgv_draft_alias(const PgvDraft *draft, bool ordinality);

/* "k.v1, k.v2". */
extern char *pgv_draft_columns(const PgvDraft *draft);

/*
 * Changes that put "k.v1" for each key, and the new numbers for the others,
 * in the tokens [from, to) of the shape's text; keys only if "keys".
 */
extern void pgv_draft_edit_params(const PgvDraft *draft, PgvEdits *edits,
								  int from, int to, bool keys);

/*
 * Changes that turn a condition "column = $n" into "column = ANY ($1)", in
 * whatever way it is written; the column must stand there as it is.  False:
 * the text does not show it.  Changes all other parameters, too.
 */
extern bool pgv_draft_edit_any(const PgvDraft *draft, PgvEdits *edits,
							   const PgvEquality *condition);

/* The column of a condition, as written in the text; NULL: not found. */
extern char *pgv_draft_column(const PgvDraft *draft, const PgvEquality *condition);

/* The text with the changes. */
extern char *pgv_draft_apply(const PgvDraft *draft, const PgvEdits *edits);

/*
 * Number the parameters that a draft uses from $1 on, and analyse it.  NULL,
 * with a failure noted: it is not valid.
 */
extern PgvQueryShape *pgv_draft_shape(PgvDraft *draft, const char *sql);

/*
 * Plan a draft; if it is valid, keep it as a result, otherwise note a failure.
 * shape is what pgv_draft_shape returned last.
 */
extern bool pgv_draft_keep(PgvDraft *draft, const char *method,
						   const PgvQueryShape *shape, const char *note);

/* Note why something is not possible. */
extern void pgv_draft_fail(PgvDraft *draft, const char *reason);

#endif							/* PGV_DRAFT_H */
