/*-------------------------------------------------------------------------
 *
 * rewrite_join.h
 *	  One SELECT for a parent's rows and those that belong to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_REWRITE_JOIN_H
#define PGV_REWRITE_JOIN_H

#include "surface/draft.h"

/*
 * Which of the parameters does the parent deliver: those compared with a
 * column that is linked to one of the parent's output?  "link" says how, as in
 * a finding; NULL: any foreign key will do.
 */
extern Bitmapset *pgv_join_keys(const PgvQueryShape *shape, const PgvQueryShape *parent,
								const char *link);

/* Draft the join.  The draft's keys are what pgv_join_keys returned. */
extern void pgv_rewrite_join(PgvDraft *draft, PgvQueryShape *parent, const char *link);

#endif							/* PGV_REWRITE_JOIN_H */
