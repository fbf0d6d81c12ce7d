/*-------------------------------------------------------------------------
 *
 * hooks.h
 *	  Installing pg_vitals in PostgreSQL's hooks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_HOOKS_H
#define PGV_HOOKS_H

/* Put our functions before those that are there.  Once, from _PG_init. */
extern void pgv_hooks_install(void);

#endif							/* PGV_HOOKS_H */
