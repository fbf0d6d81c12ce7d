/*-------------------------------------------------------------------------
 *
 * signs.h
 *	  What tells one request of a client from the next, and old from new.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGV_SIGNS_H
#define PGV_SIGNS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "executor/execdesc.h"

/* When a statement came, as seen from the server. */
typedef struct PgvArrival
{
	TimestampTz at;				/* its first message */
	double		wait_ms;		/* since the end of the one before it */
	double		plan_ms;		/* planning it took since then */
	bool		queued;			/* it may have come before that end */
	bool		pipelined;		/* it came before the client asked for an answer */
	bool		ahead;			/* it had come when its predecessor was committed */
} PgvArrival;

/* Clocks: each sign advances them. */
typedef struct PgvSigns
{
	uint64		breaks;			/* signs that another request has begun */
	uint64		requests;		/* such signs but for pauses */
	uint64		pauses;			/* pauses */
	uint64		waits;			/* statements before which the client waited */
	uint64		queues;			/* statements of a job queue */
	uint64		statements;		/* the client's statements */
} PgvSigns;

extern PgvSigns pgv_signs;

/* A message of the client has come: did it take its time? */
extern void pgv_signs_pause(const PgvArrival *arrival);

/*
 * A statement (key: with its parameters) that belongs to no loop: where it
 * came before with other parameters, somebody else's request begins (whose
 * session is it, which page).  other: it came before, with other parameters,
 * whether or not this was told.
 */
extern void pgv_signs_stray(uint64 fingerprint, uint64 key, bool other);

/*
 * Were there as many requests around as would explain so many repeats, since
 * the first of them (a time on the clock of statements) and some statements
 * before it?  Requests in step all look up who they are, and then all read the
 * same; where two look it up one right after the other, some may do so on
 * another backend.
 */
extern bool pgv_signs_explain(uint64 first, int64 repeats);

/* The session begins anew. */
extern void pgv_signs_forget(void);

/* The transaction block we are in; 0: in none. */
extern uint32 pgv_block_lxid(void);

/* Is what was last active then still going on? */
extern bool pgv_is_alive(TimestampTz last, const PgvArrival *arrival);

/* Did it come without waiting for the answer to the one before it? */
extern bool pgv_did_not_wait(const PgvArrival *arrival);

/* A query writes to its tables; some statement writes to who knows what. */
extern void pgv_signs_wrote(QueryDesc *query);
extern void pgv_signs_wrote_unknown(void);

/* The time on the clock of writes. */
extern uint64 pgv_write_clock(void);

/* Was any table of the query written to since? */
extern bool pgv_written_since(QueryDesc *query, uint64 clock);

#endif							/* PGV_SIGNS_H */
