/*-------------------------------------------------------------------------
 *
 * circle.h
 *	  Who has taken part in a deadlock?
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_CIRCLE_H
#define PGV_CIRCLE_H

/*
 * An error with the SQLSTATE of a deadlock is being raised in this process: if
 * it is the server's own, count it.  To be called from an error context
 * callback.  Takes the lock manager's locks, one after the other and shared, for
 * a moment, and locks of store and texts.  Raises nothing but out of memory.
 */
extern void pgv_circle_raised(void);

#endif							/* PGV_CIRCLE_H */
