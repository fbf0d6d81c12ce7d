/*-------------------------------------------------------------------------
 *
 * tagging.h
 *	  The comment tags of what the client is executing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_TAGGING_H
#define PGV_TAGGING_H

#include "postgres.h"

/*
 * The client's present statement is this part of a text (location and length
 * as in PlannedStmt).  Returns its route: an id of its tags without those that
 * tell one request from another; 0 if there are none.
 *
 * "frozen": the text is older than the request, so that of its tags only the
 * route can be believed.  *new_request tells whether the statement says that
 * it belongs to another request than the last one that said so.
 *
 * Raises nothing.
 */
extern uint64 pgv_tagging_note(const char *source, int location, int length,
							   bool frozen, bool *new_request);

/* The route of the statement noted last; 0: none.  And the role that sent it. */
extern uint64 pgv_tagging_route(void);
extern Oid	pgv_tagging_userid(void);

/*
 * The tags of the statement noted last, without those of single requests: a
 * JSON object of strings in UTF-8, whatever the database's encoding, good until
 * the next statement is noted.  NULL where there are none.
 */
extern const char *pgv_tagging_json(void);

/*
 * Make sure that the text of a route is in shared memory, under the route
 * itself as its id, and take a reference to it.  It is the name of the route
 * (or nothing), a newline, and the JSON as above, in UTF-8.  Returns false if
 * that cannot be.  Raises nothing.
 */
extern bool pgv_tagging_reference_text(uint64 route);

#endif							/* PGV_TAGGING_H */
