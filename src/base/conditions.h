/*-------------------------------------------------------------------------
 *
 * conditions.h
 *	  The names of SQLSTATEs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_CONDITIONS_H
#define PGV_CONDITIONS_H

/*
 * The name that PL/pgSQL has for a SQLSTATE of five characters, such as
 * "unique_violation"; NULL for one that PostgreSQL does not define.
 */
extern const char *pgv_condition_name(const char *sqlstate);

#endif							/* PGV_CONDITIONS_H */
