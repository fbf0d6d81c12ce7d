/*-------------------------------------------------------------------------
 *
 * orm.h
 *	  Which ORM wrote a statement, and what its users do against N+1.
 *
 * Pure: allocates nothing, raises nothing, looks at nothing but its arguments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_ORM_H
#define PGV_ORM_H

/* Remedies by the names the ORM has for them; NULL: it has no usual one. */
typedef struct PgvOrm
{
	const char *name;
	const char *one;			/* to load the one row that a row refers to */
	const char *many;			/* to load the rows that refer to a row */
	const char *count;			/* to count them */
	const char *insert;			/* to insert many rows */
} PgvOrm;

/*
 * The ORM that a statement is surely of, by its normal form; NULL: it may be
 * of several, or of none.  application is the session's application_name: it
 * decides between ORMs that write alike, and nothing else.  limit is the LIMIT
 * of the statement if it is a constant, otherwise -1.
 */
extern const PgvOrm *pgv_orm_of(const char *normal, const char *application,
								long limit);

#endif							/* PGV_ORM_H */
