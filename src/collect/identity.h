/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Which statement is this?  What a backend remembers of statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_IDENTITY_H
#define PGV_IDENTITY_H

#include "postgres.h"

/*
 * Of a statement not met before it is not known how often to measure it; the
 * greatest share is each time.  See collect/resources.
 */
#define PGV_SHARE_NEW (PG_UINT16_MAX - 1)

/* Which statement it is, to this backend. */
typedef struct PgvStatementRef
{
	uint64		fingerprint;	/* 0: left unknown, see collect/newcomers */
	uint64		queryid;		/* the server's; 0 where it gave none */
	const char *source;			/* where its text stands, or NULL when gone */
	int			location;		/* as in PlannedStmt */
	int			length;
	bool		optimisable;	/* not a utility statement */
	bool		toplevel;
	Oid			userid;
	uint8	   *hint;			/* where its pending record was last */
	uint16	   *share;			/* how often its resources are measured */
	uint64		route;			/* of a client's statement, by its tags; 0: none */
} PgvStatementRef;

/*
 * Fill in the fingerprint and the hint, and no route, of a statement whose other
 * fields are set, if this backend remembers its queryid (or its bytes).  Returns
 * false otherwise.  Raises nothing.
 */
extern bool pgv_identity_recall(PgvStatementRef *ref);

/*
 * An optimisable statement with this queryid is about to be recalled: have its
 * place fetched into the cache.  Raises nothing.
 */
extern void pgv_identity_expect(uint64 queryid);

/* Remember the fingerprint that it has, and set the hint. */
extern void pgv_identity_learn(PgvStatementRef *ref);

/*
 * Fill in the fingerprint (and the hint, and no route) of a statement whose
 * other fields are set, from what this backend remembers of its queryid, or by normalising its
 * text if it is new here.  The source must be there.  Raises nothing.
 */
extern void pgv_identify(PgvStatementRef *ref);

/*
 * Remember the queryid of a utility statement under its text: another
 * extension's hook may take it out of the tree before ours sees it.
 */
extern void pgv_identity_note_utility(const char *source, int location,
									  int length, uint64 queryid);

/*
 * Make sure that the text of a statement is in shared memory and take a
 * reference to it.  Returns false if that cannot be.  Raises nothing.
 */
extern bool pgv_identity_reference_text(const PgvStatementRef *ref);

#endif							/* PGV_IDENTITY_H */
