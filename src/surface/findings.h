/*-------------------------------------------------------------------------
 *
 * surface/findings.h
 *	  N+1 findings as rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SURFACE_FINDINGS_H
#define PGV_SURFACE_FINDINGS_H

#include "postgres.h"

#include "collect/findings.h"
#include "surface/rows.h"

/*
 * Set the columns of the present row, but for the names of the database and
 * the role.  Rights are the caller's business.  Allocates in the present
 * memory context what pgv_row_emit copies.
 */
extern void pgv_finding_row(PgvRows *rows, const PgvFindingKey *key,
							const PgvFinding *f);

#endif							/* PGV_SURFACE_FINDINGS_H */
